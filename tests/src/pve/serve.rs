//! HTTPS as a node's pveproxy does it: one listener and one certificate per node, the token looked at first, questions about another
//! node passed on to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Method as HttpMethod, Request as HttpRequest, Response, header};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::answers::{self, Reply, Request};
use super::changes;
use super::work::Mishap;
use super::{Fault, Shared, Token};

/// How long a question to a node that hangs stays open.
const HANGING: Duration = Duration::from_secs(600);
/// The longest form read.
const FORM_MAX: usize = 64 << 10;
/// What a node with [`Fault::Huge`] answers.
const HUGE: usize = 10 << 20;

/// A node's certificate.
pub(super) struct Identity {
    pub(super) fingerprint: String,
    acceptor: TlsAcceptor,
}

impl Identity {
    pub(super) fn new(name: &str) -> Result<Self> {
        use sha2::{Digest, Sha256};
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned(), format!("{name}.lan")])?;
        let der: CertificateDer<'static> = made.cert.der().clone();
        let digest = Sha256::digest(&der);
        let hex: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![der], key)
            .context("a node's certificate")?;
        Ok(Self { fingerprint: hex.join(":"), acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

/// Serves node `node` until dropped; its connections end with it.
pub(super) async fn serve(listener: TcpListener, node: usize, identity: Arc<Identity>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((tcp, _)) = accepted else { continue };
                let (identity, shared) = (Arc::clone(&identity), Arc::clone(&shared));
                connections.spawn(async move {
                    // A peer that breaks off, in the handshake or later, is its own affair.
                    let Ok(tls) = identity.acceptor.accept(tcp).await else { return };
                    let service = service_fn(|request| respond(request, node, &shared));
                    if let Err(error) = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service).await {
                        tracing::trace!("simulated node: {error}");
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The connection is cut instead of an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was cut")
    }
}

impl std::error::Error for Cut {}

async fn respond(request: HttpRequest<Incoming>, node: usize, shared: &Shared) -> Result<Response<Body>, Cut> {
    let mut response = answered(request, node, shared).await?;
    if shared.options.clock_ahead_s != 0
        && let Ok(at) = jiff::Timestamp::from_millisecond(shared.now_ms())
        && let Ok(date) = header::HeaderValue::from_str(&at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    {
        response.headers_mut().insert(header::DATE, date);
    }
    Ok(response)
}

async fn answered(request: HttpRequest<Incoming>, node: usize, shared: &Shared) -> Result<Response<Body>, Cut> {
    if let Some(response) = misbehave(shared.fault(node)).await? {
        return Ok(response);
    }
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = match token.and_then(|token| token.strip_prefix("PVEAPIToken=")) {
        Some(shown) => match shared.token(shown) {
            Some(token) => token,
            None => {
                tokio::time::sleep(shared.options.refusal_delay).await;
                return Ok(bare(401, "invalid token value!"));
            }
        },
        None => return Ok(bare(401, "No ticket")),
    };
    let (parts, body) = request.into_parts();
    let verb = parts.method.as_str();
    let Ok(body) = axum::body::to_bytes(Body::new(body), FORM_MAX).await else {
        return Ok(bare(413, "Request Entity Too Large"));
    };
    if !body.is_empty() && parts.method != HttpMethod::POST {
        return Ok(bare(501, &format!("Unexpected content for method '{verb}'")));
    }
    let path = parts.uri.path().strip_prefix("/api2/json").unwrap_or_default();
    if parts.method != HttpMethod::GET {
        shared.state().works.asked.push(format!("{verb} {path}"));
    }
    let fields = fields(parts.uri.query().unwrap_or_default(), &body);
    let call = match verb {
        "GET" => answers::method(path).map(|(method, slots)| (Call::Read(method), method.template, slots)),
        verb => changes::change(verb, path).map(|(change, slots)| (Call::Change(change), change.template, slots)),
    };
    let Some((call, template, slots)) = call else {
        return Ok(complaint(501, &format!("Method '{verb} {path}' not implemented")));
    };
    let mut answering = node;
    if template.starts_with("/nodes/{node}") {
        match shared.index(slots[0]) {
            None => {
                let text = format!(
                    "hostname lookup '{}' failed - failed to get address info for: Name or service not known\n",
                    slots[0]
                );
                return Ok(complaint(500, &text));
            }
            Some(other) => {
                if other != node
                    && let Some(response) = proxied(shared.fault(other), shared).await?
                {
                    return Ok(response);
                }
                answering = other;
            }
        }
    }
    let question = Question { answering, slots, fields, token };
    match call {
        Call::Read(method) => Ok(as_response(question.ask(shared, |state, request| method.answer(state, request)))),
        Call::Change(change) => question.change(shared, change).await,
    }
}

enum Call {
    Read(&'static answers::Method),
    Change(&'static changes::Change),
}

/// A request whose node is there to answer it.
struct Question<'p> {
    answering: usize,
    slots: Vec<&'p str>,
    fields: Vec<(String, String)>,
    token: Token,
}

impl Question<'_> {
    fn ask(self, shared: &Shared, answer: impl FnOnce(&mut super::State, &Request<'_>) -> Reply) -> Reply {
        let mut state = shared.state();
        let name = state.nodes[self.answering].name.clone();
        let user = self.token.whole.split('=').next().unwrap_or_default();
        let request = Request {
            node: &name,
            now: shared.now_ms().div_euclid(1000),
            slots: self.slots,
            query: self.fields,
            user,
            rights: &self.token.rights,
        };
        answer(&mut state, &request)
    }

    async fn change(self, shared: &Shared, change: &changes::Change) -> Result<Response<Body>, Cut> {
        let vmid = self.slots[1].parse().unwrap_or_default();
        let arrived = shared.now_ms();
        let plan = {
            let works = &mut shared.state().works;
            works.asked(arrived);
            works.next_plan(vmid)
        };
        let mishap = match plan.mishap {
            Some(Mishap::Refused(status, reason)) => return Ok(complaint(status, &reason)),
            Some(Mishap::RequestLost) => return Err(Cut),
            mishap => mishap,
        };
        let now_ms = shared.now_ms();
        let reply = self.ask(shared, |state, request| change.take(state, request, now_ms, plan.fate));
        // A missing privilege is told by the status line alone.
        let response = match reply {
            Err((403, reason)) => bare(403, reason.trim_end()),
            reply => as_response(reply),
        };
        match mishap {
            Some(Mishap::AnswerLost) => Err(Cut),
            Some(Mishap::AnswerSlow(by)) => {
                tokio::time::sleep(by).await;
                Ok(response)
            }
            Some(Mishap::Answers(status, body)) => Ok(json_bytes(status, "Odd", body.into_bytes())),
            Some(Mishap::Refused(..) | Mishap::RequestLost) | None => Ok(response),
        }
    }
}

/// The fields of a query and of a form.
fn fields(query: &str, form: &[u8]) -> Vec<(String, String)> {
    let form = String::from_utf8_lossy(form);
    let pairs = query.split('&').chain(form.split('&')).filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| (decoded(k), decoded(v))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex: Vec<u8> = rest.by_ref().take(2).collect();
                std::str::from_utf8(&hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(b'%')
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn as_response(reply: Reply) -> Response<Body> {
    match reply {
        Ok(data) => json_response(200, "OK", &json!({"data": data})),
        Err((status, message)) => complaint(status, &message),
    }
}

/// What a node's fault makes of any question to it.
async fn misbehave(fault: Fault) -> Result<Option<Response<Body>>, Cut> {
    Ok(match fault {
        Fault::None => None,
        // Its listener may still stand for a moment.
        Fault::Dead => return Err(Cut),
        Fault::Hangs => {
            tokio::time::sleep(HANGING).await;
            Some(bare(599, "Too many redirections"))
        }
        Fault::Slow(by) => {
            tokio::time::sleep(by).await;
            None
        }
        Fault::Garbage => Some(json_bytes(200, "OK", b"{\"data\": [{\"type\": \"node\", \xff\xfe".to_vec())),
        Fault::Huge => {
            let mut body = b"{\"data\":[".to_vec();
            body.resize(HUGE, b' ');
            body.extend_from_slice(b"]}");
            Some(json_bytes(200, "OK", body))
        }
    })
}

/// What another node answers for one with `fault`.
async fn proxied(fault: Fault, shared: &Shared) -> Result<Option<Response<Body>>, Cut> {
    match fault {
        Fault::Dead => {
            tokio::time::sleep(shared.options.proxy_delay).await;
            Ok(Some(bare(595, "No route to host")))
        }
        fault => misbehave(fault).await,
    }
}

fn complaint(status: u16, message: &str) -> Response<Body> {
    let reason = message.trim_end().chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect::<String>();
    let mut body = json!({"data": null, "message": message});
    if status == 400 {
        body["errors"] = json!({"parameter": "property is not defined in schema and the schema does not allow additional properties"});
    }
    json_response(status, &reason, &body)
}

fn json_response(status: u16, reason: &str, body: &serde_json::Value) -> Response<Body> {
    json_bytes(status, reason, body.to_string().into_bytes())
}

fn json_bytes(status: u16, reason: &str, body: Vec<u8>) -> Response<Body> {
    let mut response = bare(status, reason);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json;charset=UTF-8"));
    *response.body_mut() = Body::from(body);
    response
}

fn bare(status: u16, reason: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    if let Ok(status) = axum::http::StatusCode::from_u16(status) {
        *response.status_mut() = status;
    }
    let headers = response.headers_mut();
    headers.insert(header::SERVER, header::HeaderValue::from_static("pve-api-daemon/3.0"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("max-age=0"));
    if let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes()) {
        response.extensions_mut().insert(reason);
    }
    response
}
