//! HTTPS as a node's pveproxy does it: one listener and one certificate per node, the token looked at first, questions about another
//! node passed on to it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Method as HttpMethod, Request as HttpRequest, Response, header};
use hyper::ext::ReasonPhrase;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::answers::{self, Request, Rights};
use super::{Fault, Shared};

/// How long a question to a node that hangs stays open.
const HANGING: Duration = Duration::from_secs(600);
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

async fn respond<B>(request: HttpRequest<B>, node: usize, shared: &Shared) -> Result<Response<Body>, Infallible> {
    if let Some(response) = misbehave(shared.fault(node)).await {
        return Ok(response);
    }
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let rights = match token.and_then(|token| token.strip_prefix("PVEAPIToken=")) {
        Some(token) if token == shared.token => Rights::AuditAndBackups,
        Some(token) if token == shared.token_without_backups => Rights::Audit,
        Some(token) if token == shared.token_without_rights => Rights::None,
        Some(_) => {
            tokio::time::sleep(shared.options.refusal_delay).await;
            return Ok(bare(401, "invalid token value!"));
        }
        None => return Ok(bare(401, "No ticket")),
    };
    let path = request.uri().path();
    let Some((method, slots)) = path.strip_prefix("/api2/json").and_then(answers::method) else {
        return Ok(complaint(501, &format!("Method '{} {path}' not implemented", request.method())));
    };
    if request.method() != HttpMethod::GET {
        return Ok(complaint(501, &format!("Method '{} {path}' not implemented", request.method())));
    }
    let mut answering = node;
    if method.template.starts_with("/nodes/{node}") {
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
                    && let Some(response) = proxied(shared.fault(other), shared).await
                {
                    return Ok(response);
                }
                answering = other;
            }
        }
    }
    let query = request.uri().query().unwrap_or_default();
    let query = query.split('&').filter(|pair| !pair.is_empty());
    let query = query
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    let answer = {
        let state = shared.state();
        let name = state.nodes[answering].name.clone();
        let request = Request { node: &name, now: super::now(), slots, query, rights };
        method.answer(&state, &request)
    };
    Ok(match answer {
        Ok(data) => json_response(200, "OK", &json!({"data": data})),
        Err((status, message)) => complaint(status, &message),
    })
}

/// What a node's fault makes of any question to it.
async fn misbehave(fault: Fault) -> Option<Response<Body>> {
    match fault {
        Fault::None | Fault::Dead => None,
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
    }
}

/// What another node answers for one with `fault`.
async fn proxied(fault: Fault, shared: &Shared) -> Option<Response<Body>> {
    match fault {
        Fault::Dead => {
            tokio::time::sleep(shared.options.proxy_delay).await;
            Some(bare(595, "No route to host"))
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
