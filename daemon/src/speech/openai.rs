//! Speech servers that answer `POST /v1/audio/speech` as OpenAI's does.
//!
//! Only whole 16-bit sound is asked for (`pcm`, or `wav` where a server knows nothing else): it can be played from its first bytes, and
//! needs no decoder. Servers differ in what they send back; [`super::decode`] judges the bytes, not the promise.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};

use super::decode::{Asked, Decoder};
use super::engine::{Engine, Limits, PcmStream, SpeechError};
use super::rate::RATES;
use crate::redaction;

/// Bytes of an error's text that are read and shown.
const ERROR_BYTES: usize = 300;

/// Longest key, in bytes.
const KEY_BYTES: u64 = 4096;

/// Most bytes of a stream before its first sample: the header, and a piece of the network.
const UNDECIDED_BYTES: usize = 256 * 1024;

/// What to do about an address that is none.
const URL_REMEDY: &str = "write http://host:port/v1";

/// Speeds that the protocol has.
const SPEEDS: std::ops::RangeInclusive<f32> = 0.25..=4.0;

/// An engine of kind `openai`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAiConfig {
    /// Its name in events and on the page.
    #[serde(default = "default_name")]
    pub name: String,
    /// Base of the API, such as `http://10.0.0.7:8880/v1`.
    pub url: String,
    /// Model, where the server has several.
    #[serde(default = "default_model")]
    pub model: String,
    /// The server's name of the voice.
    #[serde(default = "default_voice")]
    pub voice: String,
    /// Speed, 0.25 to 4.0; left out, the server's own.
    #[serde(default)]
    pub speed: Option<f32>,
    /// What to ask for.
    #[serde(default)]
    pub format: Format,
    /// Sample rate of `pcm`, in hertz, which the stream does not tell.
    #[serde(default = "default_rate")]
    pub pcm_rate_hz: u32,
    /// File that holds the API key; left out, none is sent.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Milliseconds to the first sound, after which the next engine takes over.
    #[serde(default = "default_first")]
    pub first_chunk_ms: u64,
    /// Milliseconds without sound in the middle of a sentence, likewise.
    #[serde(default = "default_between")]
    pub between_chunks_ms: u64,
}

/// `response_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// 16-bit little-endian mono samples.
    #[default]
    Pcm,
    /// WAV.
    Wav,
}

fn default_name() -> String {
    "openai".to_owned()
}
fn default_model() -> String {
    "tts-1".to_owned()
}
fn default_voice() -> String {
    "alloy".to_owned()
}
fn default_rate() -> u32 {
    24_000
}
fn default_first() -> u64 {
    1_200
}
fn default_between() -> u64 {
    1_000
}

#[derive(Debug, Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a str,
    voice: &'a str,
    response_format: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<f32>,
}

impl OpenAiConfig {
    fn endpoint(&self) -> Option<Url> {
        let url = Url::parse(&format!("{}/audio/speech", self.url.trim_end_matches('/'))).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
    }

    fn no_address(&self) -> String {
        format!("{:?} is no address of an API", redaction::address(&self.url))
    }

    /// What the types cannot hold: key, what is wrong, and a remedy.
    pub(super) fn mistakes(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut wrong = Vec::new();
        if self.endpoint().is_none() {
            wrong.push(("url", self.no_address(), URL_REMEDY));
        }
        if self.speed.is_some_and(|speed| !SPEEDS.contains(&speed)) {
            wrong.push(("speed", "servers take no such speed".to_owned(), "give 0.25 to 4.0"));
        }
        if !RATES.contains(&self.pcm_rate_hz) {
            wrong.push(("pcm_rate_hz", format!("{} Hz", self.pcm_rate_hz), "give the server's own rate, often 24000"));
        }
        for (key, ms) in [("first_chunk_ms", self.first_chunk_ms), ("between_chunks_ms", self.between_chunks_ms)] {
            if ms == 0 {
                wrong.push((key, "no server answers in no time".to_owned(), "give milliseconds, such as 1200"));
            }
        }
        wrong
    }

    pub(super) fn engine(&self) -> Result<Arc<dyn Engine>, SpeechError> {
        let setup = |what: String| SpeechError::Setup(format!("speech engine {}: {what}", self.name));
        let none = || setup(format!("{}: {URL_REMEDY}", self.no_address()));
        let url = self.endpoint().ok_or_else(none)?;
        let key = match &self.key_file {
            None => None,
            Some(path) => Some(key(path).map_err(|e| setup(format!("{}: {e}", path.display())))?),
        };
        // A process-wide provider is what reqwest looks for; whoever came first named the same one.
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .referer(false)
            .build()
            .map_err(|e| setup(e.to_string()))?;
        Ok(Arc::new(OpenAi { config: self.clone(), url, key, http }))
    }
}

fn key(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(KEY_BYTES).read_to_string(&mut text)?;
    match text.trim() {
        "" => Err(std::io::Error::other("the key file is empty")),
        key => Ok(key.to_owned()),
    }
}

struct OpenAi {
    config: OpenAiConfig,
    url: Url,
    key: Option<String>,
    http: reqwest::Client,
}

impl std::fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenAi").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Engine for OpenAi {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn manner(&self) -> String {
        let c = &self.config;
        format!("{}|{}|{}|{:?}|{:?}|{}", self.url, c.model, c.voice, c.speed, c.format, c.pcm_rate_hz)
    }

    fn limits(&self) -> Limits {
        Limits {
            first_chunk: Duration::from_millis(self.config.first_chunk_ms),
            between_chunks: Duration::from_millis(self.config.between_chunks_ms),
        }
    }

    fn speak<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<PcmStream, SpeechError>> {
        Box::pin(self.request(text))
    }
}

impl OpenAi {
    async fn request(&self, text: &str) -> Result<PcmStream, SpeechError> {
        let c = &self.config;
        let (asked, response_format) = match c.format {
            Format::Pcm => (Asked::Pcm(c.pcm_rate_hz), "pcm"),
            Format::Wav => (Asked::Wav, "wav"),
        };
        let body = Request { model: &c.model, input: text, voice: &c.voice, response_format, speed: c.speed };
        let mut request = self.http.post(self.url.clone()).json(&body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let mut response = request.send().await.map_err(|e| SpeechError::Unreachable(reason(&e)))?;
        let status = response.status();
        if !status.is_success() {
            let text = error_text(&mut response).await;
            return Err(SpeechError::Refused(format!("the server says {status}{text}")));
        }
        check_type(&response)?;
        let mut decoder = Decoder::new(asked);
        let mut first = Vec::new();
        let mut taken = 0;
        let rate_hz = loop {
            if let Some(rate_hz) = decoder.rate_hz().filter(|_| !first.is_empty()) {
                break rate_hz;
            }
            let piece = response.chunk().await.map_err(|e| SpeechError::Cut(reason(&e)))?;
            let Some(piece) = piece else {
                first.extend(decoder.finish()?);
                break decoder.rate_hz().filter(|_| !first.is_empty()).ok_or(SpeechError::Silent)?;
            };
            taken += piece.len();
            if taken > UNDECIDED_BYTES && first.is_empty() && decoder.rate_hz().is_none() {
                return Err(SpeechError::Format("no sound at the beginning of the stream".to_owned()));
            }
            first.extend(decoder.push(&piece)?);
        };
        let rest = Rest { response, decoder, ready: VecDeque::from([first]), over: false };
        Ok(PcmStream { rate_hz, chunks: stream::unfold(rest, Rest::next).boxed() })
    }
}

/// What is still to come of a stream.
struct Rest {
    response: reqwest::Response,
    decoder: Decoder,
    ready: VecDeque<Vec<i16>>,
    over: bool,
}

impl Rest {
    async fn next(mut self) -> Option<(Result<Vec<i16>, SpeechError>, Self)> {
        loop {
            if let Some(samples) = self.ready.pop_front() {
                return Some((Ok(samples), self));
            }
            if self.over {
                return None;
            }
            let samples = match self.response.chunk().await {
                Ok(Some(piece)) => self.decoder.push(&piece),
                Ok(None) => {
                    self.over = true;
                    self.decoder.finish()
                }
                Err(error) => Err(SpeechError::Cut(reason(&error))),
            };
            match samples {
                Ok(samples) if samples.is_empty() => {}
                Ok(samples) => self.ready.push_back(samples),
                Err(error) => {
                    self.over = true;
                    return Some((Err(error), self));
                }
            }
        }
    }
}

/// Refuses what is plainly no sound, or sound that was not asked for.
fn check_type(response: &reqwest::Response) -> Result<(), SpeechError> {
    let Some(kind) = response.headers().get(CONTENT_TYPE) else {
        return Ok(());
    };
    let kind = kind.to_str().unwrap_or("?").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let fine = matches!(
        kind.as_str(),
        "" | "application/octet-stream"
            | "binary/octet-stream"
            | "audio/pcm"
            | "audio/raw"
            | "audio/x-raw"
            | "audio/wav"
            | "audio/wave"
            | "audio/x-wav"
            | "audio/vnd.wave"
    );
    if fine {
        return Ok(());
    }
    Err(SpeechError::Format(format!("the server sends {kind}, not the samples that were asked for")))
}

/// The beginning of an error's body, on one line, with a colon in front.
async fn error_text(response: &mut reqwest::Response) -> String {
    let mut text = Vec::new();
    while text.len() < ERROR_BYTES {
        match response.chunk().await {
            Ok(Some(piece)) => text.extend_from_slice(&piece),
            Ok(None) | Err(_) => break,
        }
    }
    text.truncate(ERROR_BYTES);
    let text = String::from_utf8_lossy(&text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { line } else { format!(": {line}") }
}

/// The innermost cause says most.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
