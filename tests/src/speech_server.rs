//! A speech server that speaks OpenAI's protocol (`POST /v1/audio/speech`, streamed) and gets its voice from espeak-ng. It fails on
//! request, the way such servers fail.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sound;

/// Rate of its sound, in hertz, as most such servers have it.
pub const RATE_HZ: u32 = 24_000;

/// Longest input, in characters, as the protocol says.
const INPUT_MAX: usize = 4096;

/// Bytes of sound sent at once: 40 ms.
const PIECE_BYTES: usize = RATE_HZ as usize / 25 * 2;

/// Its voices, and what espeak-ng calls them.
const VOICES: &[(&str, &str)] = &[("alloy", "en-us"), ("fable", "en-gb"), ("onyx", "en-gb-scotland")];

/// How it misbehaves.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// It does not.
    None,
    /// The first byte comes only after this time.
    Late(Duration),
    /// It takes the request and never answers.
    Mute,
    /// It answers, sends so many bytes of sound, and then nothing more.
    Stalls(usize),
    /// It breaks the connection after so many bytes of sound.
    Cuts(usize),
    /// Its sound is digital silence.
    Silence,
    /// Its sound never ends.
    Endless,
    /// It answers with a status and an error.
    Status(u16),
    /// It answers with a web page.
    Html,
    /// It answers with a web page and calls it sound.
    HtmlAsSound,
    /// It answers with MP3, whatever was asked for.
    Mp3,
    /// The WAV header states this length.
    Stated(u32),
    /// The WAV header states this rate; the sound has [`RATE_HZ`].
    Rate(u32),
}

/// A running server on loopback; it ends with its owner.
#[derive(Debug)]
pub struct SpeechServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    // Aborted on drop.
    _task: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    fault: watch::Sender<Fault>,
    requests: AtomicUsize,
    key: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    input: String,
    voice: String,
    #[serde(default = "mp3")]
    response_format: String,
    #[serde(default)]
    speed: Option<f32>,
}

fn mp3() -> String {
    "mp3".to_owned()
}

impl SpeechServer {
    /// Starts one that asks for `key`, if there is any.
    pub async fn start(key: Option<&str>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen on loopback")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            fault: watch::channel(Fault::None).0,
            requests: AtomicUsize::new(0),
            key: key.map(str::to_owned),
        });
        let app = Router::new()
            .route("/v1/audio/speech", post(speech))
            .route("/v1/models", get(models))
            .with_state(Arc::clone(&shared));
        let mut task = JoinSet::new();
        task.spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the speech server ended");
            }
        });
        Ok(Self { address, shared, _task: task })
    }

    /// Base of its API.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// From now on it misbehaves so.
    pub fn fails(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
    }

    /// Requests for speech so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

async fn models() -> Json<serde_json::Value> {
    Json(json!({"object": "list", "data": [{"id": "tts-1", "object": "model", "owned_by": "tests"}]}))
}

async fn speech(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let fault = shared.fault.borrow().clone();
    if let Some(key) = &shared.key
        && headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()) != Some(&format!("Bearer {key}"))
    {
        return error(StatusCode::UNAUTHORIZED, "Incorrect API key provided.", None);
    }
    match &fault {
        Fault::Late(time) => tokio::time::sleep(*time).await,
        Fault::Mute => std::future::pending().await,
        Fault::Status(code) => {
            let code = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return error(code, "CUDA out of memory", None);
        }
        Fault::Html => return ([(header::CONTENT_TYPE, "text/html")], PAGE).into_response(),
        Fault::HtmlAsSound => return ([(header::CONTENT_TYPE, "audio/pcm")], PAGE).into_response(),
        Fault::Mp3 => return ([(header::CONTENT_TYPE, "audio/mpeg")], "ID3\u{4}\0\0").into_response(),
        _ => {}
    }
    let request: Request = match serde_json::from_str(&body) {
        Ok(request) => request,
        Err(what) => return error(StatusCode::BAD_REQUEST, &what.to_string(), None),
    };
    match sounding(&request, fault).await {
        Ok(response) => response,
        Err(refused) => refused,
    }
}

const PAGE: &str = "<!DOCTYPE html><html><body>It works!</body></html>";

fn error(status: StatusCode, message: &str, param: Option<&str>) -> Response {
    let kind = if status.is_client_error() { "invalid_request_error" } else { "server_error" };
    (status, Json(json!({"error": {"message": message, "type": kind, "param": param, "code": null}}))).into_response()
}

async fn sounding(request: &Request, fault: Fault) -> Result<Response, Response> {
    let refuse = |message: &str, param| Err(error(StatusCode::BAD_REQUEST, message, Some(param)));
    let Some((_, voice)) = VOICES.iter().find(|(name, _)| *name == request.voice) else {
        return refuse("no such voice", "voice");
    };
    if request.model != "tts-1" {
        return refuse("no such model", "model");
    }
    if request.input.is_empty() || request.input.chars().count() > INPUT_MAX {
        return refuse("input must have 1 to 4096 characters", "input");
    }
    if request.speed.is_some_and(|speed| !(0.25..=4.0).contains(&speed)) {
        return refuse("speed must be 0.25 to 4.0", "speed");
    }
    let (kind, mut bytes) = match request.response_format.as_str() {
        "pcm" => ("audio/pcm", Vec::new()),
        "wav" => ("audio/wav", wav_header(&fault)),
        _ => return refuse("this server speaks wav and pcm", "response_format"),
    };
    let input = request.input.clone();
    let spoken = tokio::task::spawn_blocking(move || sound::espeak(voice, &input)).await;
    let mut samples = match spoken {
        Ok(Ok(samples)) => faster(&samples),
        _ => return Err(error(StatusCode::INTERNAL_SERVER_ERROR, "espeak-ng failed", None)),
    };
    if fault == Fault::Silence {
        samples.fill(0);
    }
    bytes.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
    let body = Body::from_stream(pieces(bytes, &fault));
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

type Piece = std::io::Result<Vec<u8>>;

fn pieces(bytes: Vec<u8>, fault: &Fault) -> std::pin::Pin<Box<dyn Stream<Item = Piece> + Send>> {
    let split = |bytes: &[u8]| {
        let pieces: Vec<Piece> = bytes.chunks(PIECE_BYTES).map(|piece| Ok(piece.to_vec())).collect();
        stream::iter(pieces)
    };
    match *fault {
        Fault::Stalls(after) => split(&bytes[..after.min(bytes.len())]).chain(stream::pending()).boxed(),
        Fault::Cuts(after) => {
            let broken = stream::once(async {
                // What was sent must have left before the connection breaks.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(std::io::Error::other("broken on purpose"))
            });
            split(&bytes[..after.min(bytes.len())]).chain(broken).boxed()
        }
        Fault::Endless => stream::repeat(bytes).map(Ok).boxed(),
        _ => split(&bytes).boxed(),
    }
}

/// A streaming server does not know the length; it says so with a lie.
fn wav_header(fault: &Fault) -> Vec<u8> {
    let stated = if let Fault::Stated(stated) = fault { *stated } else { u32::MAX };
    let rate_hz = if let Fault::Rate(rate_hz) = fault { *rate_hz } else { RATE_HZ };
    let mut header = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    header.extend(rate_hz.to_le_bytes());
    header.extend(rate_hz.wrapping_mul(2).to_le_bytes());
    header.extend(b"\x02\0\x10\0data");
    header.extend(stated.to_le_bytes());
    header
}

/// From the room's 16 kHz to [`RATE_HZ`], linearly: three samples for two.
fn faster(samples: &[i16]) -> Vec<i16> {
    let count = samples.len() * RATE_HZ as usize / sound::RATE_HZ as usize;
    let at = |n: usize| f64::from(samples.get(n).copied().unwrap_or(0));
    (0..count)
        .map(|n| {
            let place = n as f64 * f64::from(sound::RATE_HZ) / f64::from(RATE_HZ);
            let (low, part) = (place as usize, place.fract());
            (at(low) * (1.0 - part) + at(low + 1) * part) as i16
        })
        .collect()
}
