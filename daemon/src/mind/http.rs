//! What every provider needs of HTTP: a client that trusts and waits as configured, events of a stream, and failures in kinds.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jarvis_core::mind::error::{Fault, ProviderError, Waited, Way};
use jarvis_core::mind::sse::{SseEvent, SseParser};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, RequestBuilder, Response};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

use super::SetupError;

/// Most bytes of an error's body that are read.
const ERROR_BYTES: usize = 16 * 1024;
/// Most bytes of a whole stream: ten times what its parts may have.
const STREAM_BYTES: u64 = 64 << 20;
/// Longest key, in bytes.
const KEY_BYTES: u64 = 4096;

/// How long a provider may let a hearer wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// For the connection, name and TLS included.
    pub(super) connect: Duration,
    /// From the question to the first byte of the answer's body.
    pub(super) first_byte: Duration,
    /// Between two bytes.
    pub(super) idle: Duration,
    /// For the whole answer.
    pub(super) total: Duration,
}

/// A provider's way to its server.
#[derive(Debug)]
pub(super) struct Http {
    provider: String,
    client: Client,
    limits: Limits,
}

impl Http {
    pub(super) fn new(provider: &str, limits: Limits, authorities: Vec<Certificate>) -> Result<Self, SetupError> {
        // A process-wide provider is what reqwest looks for; whoever came first named the same one.
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .no_proxy()
            // One request, one connection: dropping an answer closes it, and the server sees that at once.
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(limits.connect)
            .tls_certs_merge(authorities)
            .build()
            .map_err(|e| SetupError {
                name: provider.to_owned(),
                what: reason(&e),
                remedy: "install ca-certificates, and see that ca_file holds a certificate".to_owned(),
            })?;
        Ok(Self { provider: provider.to_owned(), client, limits })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) fn error(&self, fault: Fault, detail: &str) -> ProviderError {
        ProviderError::new(&self.provider, fault, detail)
    }

    /// Sends a question. The answer's events come once its status is a good one; any other is for the caller to judge.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, ProviderError> {
        let begun = Instant::now();
        let first = begun + self.limits.first_byte;
        let response = match timeout_at(first, request.send()).await {
            Ok(response) => response.map_err(|e| self.unsent(&e))?,
            Err(_) => return Err(self.error(Fault::Timeout(Waited::FirstByte), &ms(self.limits.first_byte))),
        };
        if !response.status().is_success() {
            return Ok(Answer::Refused(self.refusal(response, first).await));
        }
        if let Some(kind) = other_kind(response.headers()) {
            let said = self.refusal(response, first).await.body;
            return Err(self.error(Fault::Garbage, &format!("it sends {kind} instead of events: {said}")));
        }
        Ok(Answer::Events(Box::new(Events {
            provider: self.provider.clone(),
            limits: self.limits,
            response,
            begun,
            next_due: first,
            waits_for: Waited::FirstByte,
            taken: 0,
            piece: Vec::new(),
            at: 0,
            parser: SseParser::default(),
        })))
    }

    /// A whole body of at most `most` bytes, within `within`.
    pub(super) async fn whole(
        &self,
        request: RequestBuilder,
        most: usize,
        within: Duration,
    ) -> Result<Whole, ProviderError> {
        let deadline = Instant::now() + within;
        let late = || self.error(Fault::Timeout(Waited::FirstByte), &ms(within));
        let response = timeout_at(deadline, request.send()).await.map_err(|_| late())?.map_err(|e| self.unsent(&e))?;
        if !response.status().is_success() {
            return Ok(Whole::Refused(self.refusal(response, deadline).await));
        }
        let mut response = response;
        let mut body = Vec::new();
        loop {
            match timeout_at(deadline, response.chunk()).await.map_err(|_| late())? {
                Ok(Some(piece)) if body.len() + piece.len() > most => {
                    return Err(self.error(Fault::TooMuch(format!("{most} bytes for a list")), ""));
                }
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => return Ok(Whole::Body(body)),
                Err(e) => return Err(self.error(Fault::BrokenStream, &reason(&e))),
            }
        }
    }

    async fn refusal(&self, mut response: Response, deadline: Instant) -> Refusal {
        let status = response.status().as_u16();
        let retry_after_ms = retry_after_ms(response.headers());
        let mut body = Vec::new();
        while body.len() < ERROR_BYTES {
            match timeout_at(deadline, response.chunk()).await {
                Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
                // The status alone says enough.
                Ok(Ok(None) | Err(_)) | Err(_) => break,
            }
        }
        body.truncate(ERROR_BYTES);
        Refusal { status, retry_after_ms, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// Why a request did not get an answer.
    fn unsent(&self, error: &reqwest::Error) -> ProviderError {
        let fault = if error.is_timeout() && error.is_connect() {
            Fault::Timeout(Waited::Connect)
        } else if error.is_connect() {
            Fault::Unreachable(way(error))
        } else if error.is_builder() || error.is_request() && error.url().is_none() {
            Fault::BadRequest
        } else {
            Fault::BrokenStream
        };
        self.error(fault, &reason(error))
    }
}

/// What came of a question.
pub(super) enum Answer {
    /// A stream of events.
    Events(Box<Events>),
    /// A status that is no success.
    Refused(Refusal),
}

/// What came of a request for something whole.
pub(super) enum Whole {
    /// The body.
    Body(Vec<u8>),
    /// A status that is no success.
    Refused(Refusal),
}

/// An answer whose status is no success.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) retry_after_ms: Option<u64>,
    pub(super) body: String,
}

/// Events of a stream. Dropping it closes the connection.
pub(super) struct Events {
    provider: String,
    limits: Limits,
    response: Response,
    begun: Instant,
    next_due: Instant,
    waits_for: Waited,
    taken: u64,
    piece: Vec<u8>,
    at: usize,
    parser: SseParser,
}

impl Events {
    /// The next event; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Result<Option<SseEvent>, ProviderError> {
        loop {
            let mut rest = &self.piece[self.at..];
            let event = self.parser.next(&mut rest).map_err(|e| self.error(Fault::TooMuch(e.to_string()), ""))?;
            self.at = self.piece.len() - rest.len();
            if event.is_some() {
                return Ok(event);
            }
            let whole_due = self.begun + self.limits.total;
            match timeout_at(self.next_due.min(whole_due), self.response.chunk()).await {
                Ok(Ok(Some(piece))) => {
                    self.taken = self.taken.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    if self.taken > STREAM_BYTES {
                        return Err(self.error(Fault::TooMuch(format!("{STREAM_BYTES} bytes")), ""));
                    }
                    self.piece.clear();
                    self.piece.extend_from_slice(&piece);
                    self.at = 0;
                    self.next_due = Instant::now() + self.limits.idle;
                    self.waits_for = Waited::Idle;
                }
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(e)) => return Err(self.error(Fault::BrokenStream, &reason(&e))),
                Err(_) if Instant::now() >= whole_due => {
                    return Err(self.error(Fault::TooMuch(format!("{} for one answer", ms(self.limits.total))), ""));
                }
                Err(_) => {
                    let waited = if self.waits_for == Waited::Idle { self.limits.idle } else { self.limits.first_byte };
                    return Err(self.error(Fault::Timeout(self.waits_for), &ms(waited)));
                }
            }
        }
    }

    pub(super) fn error(&self, fault: Fault, detail: &str) -> ProviderError {
        ProviderError::new(&self.provider, fault, detail)
    }
}

fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// What the answer is by its own account, where that is plainly no stream of events.
fn other_kind(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
    let may_be = matches!(kind.as_str(), "" | "text/event-stream" | "text/plain" | "application/octet-stream");
    (!may_be).then_some(kind)
}

/// When to come again: `retry-after-ms`, or `retry-after` in seconds or as a date.
fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(ms) = text("retry-after-ms").and_then(|text| text.trim().parse::<u64>().ok()) {
        return Some(ms);
    }
    let after = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = after.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.max(0.0))
            .ok()
            .and_then(|time| u64::try_from(time.as_millis()).ok());
    }
    let date = jiff::fmt::rfc2822::parse(after).ok()?.timestamp();
    let left = date.as_millisecond().saturating_sub(jiff::Timestamp::now().as_millisecond());
    Some(u64::try_from(left).unwrap_or(0))
}

/// Which part of the way is closed.
fn way(error: &reqwest::Error) -> Way {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = next {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return tls_way(tls);
        }
        if cause.to_string().contains("dns error") {
            return Way::Dns;
        }
        // The source of an io::Error is the source of what it wraps, so what it wraps must be asked for.
        next = match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    Way::Connect
}

fn tls_way(error: &rustls::Error) -> Way {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    match error {
        rustls::Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
        ) => Way::Clock,
        _ => Way::Tls,
    }
}

/// The innermost cause says most.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Where a provider's key is. It is read anew for every question, so that a new one needs no restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyFile(pub(super) Option<PathBuf>);

impl KeyFile {
    /// The key as a header's value, after `prefix`; `None` where none is configured.
    pub(super) async fn header(&self, prefix: &str, http: &Http) -> Result<Option<HeaderValue>, ProviderError> {
        let Some(path) = &self.0 else { return Ok(None) };
        let shown = |what: &str| http.error(Fault::NoKey, &format!("{}: {what}", path.display()));
        let text = read(path).await.map_err(|e| shown(&e.to_string()))?;
        let key = text.trim();
        if key.is_empty() {
            return Err(shown("the file is empty"));
        }
        let mut value = HeaderValue::from_str(&format!("{prefix}{key}"))
            .map_err(|_| shown("there is more in it than a key on one line"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

async fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    tokio::fs::File::open(path).await?.take(KEY_BYTES).read_to_string(&mut text).await?;
    Ok(text)
}
