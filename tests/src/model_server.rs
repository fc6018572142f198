//! A model server that speaks the true protocols, byte by byte as it is told: for what no mock that others wrote can do (pings, errors in
//! the middle, interruptions by the provider, empty thinking, dribbling, hanging), and for seeing when a client hangs up.
//!
//! It also counts tokens, as llama.cpp and vLLM do, and refuses prompts that do not fit its window.
//!
//! Length: both protocols share one connection's story.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Longest request read: a conversation with a tool result of several megabytes.
const REQUEST_MAX: usize = 64 << 20;

/// What it does in the middle of an answer.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends bytes.
    Bytes(Vec<u8>),
    /// Waits.
    Wait(Duration),
    /// Breaks the connection.
    Cut,
    /// Sends nothing any more, and keeps the connection.
    Hang,
    /// Sends these bytes without an end.
    Forever(Vec<u8>),
}

impl Step {
    /// One event of the Messages API.
    pub fn event(data: &Value) -> Self {
        let name = data["type"].as_str().unwrap_or("message");
        Self::Bytes(format!("event: {name}\ndata: {data}\n\n").into_bytes())
    }

    /// One chunk of a chat completion.
    pub fn chunk(data: &Value) -> Self {
        Self::Bytes(format!("data: {data}\n\n").into_bytes())
    }

    /// The end of a chat completion.
    pub fn done() -> Self {
        Self::Bytes(b"data: [DONE]\n\n".to_vec())
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Script {
    status: u16,
    headers: Vec<(&'static str, String)>,
    steps: Vec<Step>,
    before: Duration,
}

impl Script {
    /// A stream of events.
    pub fn stream(steps: impl IntoIterator<Item = Step>) -> Self {
        let headers = vec![("content-type", "text/event-stream; charset=utf-8".to_owned())];
        Self { status: 200, headers, steps: steps.into_iter().collect(), before: Duration::ZERO }
    }

    /// A refusal.
    pub fn refusal(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, steps: vec![Step::Bytes(body.to_string().into_bytes())], before: Duration::ZERO }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Not before so much time.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.before = time;
        self
    }
}

/// How it counts tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokenizer {
    /// It does not.
    None,
    /// By `/apply-template` and `/tokenize`.
    LlamaCpp,
    /// By `/tokenize`, messages and all.
    Vllm,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; null where it is no JSON.
    pub body: Value,
}

/// A running server on loopback; it ends with its owner.
pub struct ModelServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    // Aborted on drop.
    _task: JoinSet<()>,
}

/// Answers a request by what stands in it.
type React = Box<dyn Fn(&Value) -> Script + Send + Sync>;

struct Shared {
    tokenizer: Tokenizer,
    window: u64,
    react: Option<React>,
    state: Mutex<ServerState>,
    /// Answers that ended before their script did.
    hung_up: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct ServerState {
    scripts: VecDeque<Script>,
    last: Option<Script>,
    /// Its list of models; without one it has none.
    list: Option<Script>,
    listed: usize,
    asked: Vec<Asked>,
    overflows: usize,
    longest: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ModelServer {
    /// One that answers by `scripts`, one after another; the last is repeated.
    pub async fn start(scripts: impl IntoIterator<Item = Script>) -> Result<Self> {
        Self::with(scripts, Tokenizer::None, u64::MAX).await
    }

    /// The same, which counts and has a window of so many tokens.
    pub async fn with(scripts: impl IntoIterator<Item = Script>, tokenizer: Tokenizer, window: u64) -> Result<Self> {
        let state = ServerState { scripts: scripts.into_iter().collect(), ..ServerState::default() };
        Self::serve(Shared { tokenizer, window, react: None, state: Mutex::new(state), hung_up: watch::channel(0).0 })
            .await
    }

    /// One that answers every request by what stands in it, and keeps none of them.
    pub async fn reacting(react: impl Fn(&Value) -> Script + Send + Sync + 'static) -> Result<Self> {
        let react: Option<React> = Some(Box::new(react));
        let (tokenizer, window, state) = (Tokenizer::None, u64::MAX, Mutex::default());
        Self::serve(Shared { tokenizer, window, react, state, hung_up: watch::channel(0).0 }).await
    }

    async fn serve(shared: Shared) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen on loopback")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(shared);
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let mut task = JoinSet::new();
        task.spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the model server ended");
            }
        });
        Ok(Self { address, shared, _task: task })
    }

    /// Base of its API.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it was asked to answer so far, counting left out.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state().asked.clone()
    }

    /// From now on this is its list of models.
    pub fn offers(&self, list: Script) {
        self.shared.state().list = Some(list);
    }

    /// How often it was asked for its list of models.
    pub fn listed(&self) -> usize {
        self.shared.state().listed
    }

    /// Prompts that did not fit its window.
    pub fn overflows(&self) -> usize {
        self.shared.state().overflows
    }

    /// Tokens of the longest prompt that came.
    pub fn longest_prompt(&self) -> u64 {
        self.shared.state().longest
    }

    /// Waits until a client has hung up in the middle of so many answers.
    pub async fn hung_up(&self, times: usize) -> Result<()> {
        let mut seen = self.shared.hung_up.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(60), seen.wait_for(|now| *now >= times)).await;
        waited.context("no client hung up")?.context("the server is gone")?;
        Ok(())
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let Ok(bytes) = axum::body::to_bytes(body, REQUEST_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    match (path.as_str(), shared.tokenizer) {
        ("/apply-template", Tokenizer::LlamaCpp) => Json(json!({"prompt": prompt(&body)})).into_response(),
        ("/tokenize", Tokenizer::LlamaCpp) => {
            let tokens = tokens(body["content"].as_str().unwrap_or_default());
            Json(json!({"tokens": (0..tokens).collect::<Vec<_>>()})).into_response()
        }
        ("/tokenize", Tokenizer::Vllm) => {
            Json(json!({"count": tokens(&prompt(&body)), "max_model_len": shared.window, "tokens": []})).into_response()
        }
        ("/v1/models", _) => {
            let list = {
                let mut state = shared.state();
                state.listed += 1;
                state.list.clone()
            };
            match list {
                Some(list) => played(&shared, list).await,
                None => StatusCode::NOT_FOUND.into_response(),
            }
        }
        ("/v1/messages" | "/v1/chat/completions", _) => {
            scripted(&shared, Asked { path, headers: parts.headers, body }).await
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn scripted(shared: &Arc<Shared>, asked: Asked) -> Response {
    let needed = tokens(&prompt(&asked.body));
    let room = needed.saturating_add(asked.body["max_tokens"].as_u64().unwrap_or(0)) <= shared.window;
    let script = if let Some(react) = &shared.react {
        Some(react(&asked.body))
    } else {
        let mut state = shared.state();
        state.asked.push(asked);
        state.longest = state.longest.max(needed);
        if !room {
            state.overflows += 1;
        }
        let next = state.scripts.pop_front();
        if next.is_some() {
            state.last = next;
        }
        state.last.clone()
    };
    if !room {
        let error = json!({"error": {"code": 400, "type": "exceed_context_size_error", "message": "the request exceeds the available context size"}});
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    match script {
        Some(script) => played(shared, script).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn played(shared: &Arc<Shared>, script: Script) -> Response {
    // From here on a client that goes is seen.
    let played = Played { steps: script.steps.into(), over: false, shared: Arc::clone(shared) };
    tokio::time::sleep(script.before).await;
    let mut response = Response::builder().status(script.status);
    for (name, value) in &script.headers {
        response = response.header(*name, value);
    }
    let body = Body::from_stream(play(played));
    response
        .header(header::CACHE_CONTROL, "no-cache")
        .body(body)
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Counts as hung up when it is dropped before the script's end.
struct Played {
    steps: VecDeque<Step>,
    over: bool,
    shared: Arc<Shared>,
}

impl Played {
    /// All of it was sent: its end is no hanging up.
    fn finish(&mut self) {
        self.over = true;
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        if !self.over {
            self.shared.hung_up.send_modify(|times| *times += 1);
        }
    }
}

fn play(played: Played) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    stream::unfold(played, |mut played| async {
        loop {
            match played.steps.pop_front() {
                None => {
                    played.finish();
                    return None;
                }
                Some(Step::Wait(time)) => tokio::time::sleep(time).await,
                Some(Step::Bytes(bytes)) => return Some((Ok(Bytes::from(bytes)), played)),
                Some(Step::Hang) => std::future::pending().await,
                Some(Step::Forever(bytes)) => {
                    let again = bytes.clone();
                    played.steps.push_front(Step::Forever(again));
                    return Some((Ok(Bytes::from(bytes)), played));
                }
                Some(Step::Cut) => {
                    // What was sent must have left before the connection breaks.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    played.finish();
                    return Some((Err(std::io::Error::other("broken on purpose")), played));
                }
            }
        }
    })
    .boxed()
}

/// The prompt that a template makes of a request, as Qwen's does.
fn prompt(body: &Value) -> String {
    let mut text = String::new();
    if body.get("tools").is_some() {
        text.push_str(
            "<|im_start|>system\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n",
        );
        text.push_str("You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n");
        text.push_str(&body["tools"].to_string());
        text.push_str(
            "\n</tools>\n\nFor each function call, return a json object with function name and arguments within ",
        );
        text.push_str("<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call><|im_end|>\n");
    }
    for message in body["messages"].as_array().into_iter().flatten() {
        text.push_str(&format!("<|im_start|>{}\n", message["role"].as_str().unwrap_or_default()));
        match &message["content"] {
            Value::String(content) => text.push_str(content),
            Value::Null => {}
            other => text.push_str(&other.to_string()),
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let (name, arguments) =
                (&call["function"]["name"], call["function"]["arguments"].as_str().unwrap_or_default());
            text.push_str(&format!("\n<tool_call>\n{{\"name\": {name}, \"arguments\": {arguments}}}\n</tool_call>"));
        }
        text.push_str("<|im_end|>\n");
    }
    text.push_str("<|im_start|>assistant\n");
    text
}

/// Tokens of a text, as a vocabulary of the kind splits it: words of up to six letters whole, longer ones in pieces of four, digits and
/// signs one by one, a template's marks whole.
fn tokens(text: &str) -> u64 {
    let text = text.replace("<|im_start|>", "\u{1}").replace("<|im_end|>", "\u{1}");
    let mut tokens = 0u64;
    let mut letters = 0u64;
    let word = |letters: u64| if letters <= 6 { u64::from(letters > 0) } else { letters.div_ceil(4) };
    for c in text.chars() {
        if c.is_alphabetic() {
            letters += 1;
            continue;
        }
        tokens += word(letters) + u64::from(c != ' ');
        letters = 0;
    }
    tokens + word(letters)
}
