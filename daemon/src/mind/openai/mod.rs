//! Any server that answers `POST /v1/chat/completions` as OpenAI's does: llama.cpp, vLLM, Ollama, and many in the cloud. A new one is an
//! entry in the configuration.
//!
//! Models at home have small windows. Before a question is sent its tokens are counted, by the server where it has a way to, and the
//! conversation is shortened until prompt and answer fit; see [`window`].

mod request;
mod stream;
mod tags;
mod window;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jarvis_core::mind::error::{Fault, ProviderError};
use jarvis_core::mind::message::{Ask, ModelId};
use jarvis_core::mind::models::{Discovered, MAX_DISCOVERED};
use jarvis_core::mind::prices::Price;
use reqwest::{RequestBuilder, Url};
use serde::Deserialize;
use serde_json::Value;

use super::catalogue::Catalogue;
use super::config::{URL_REMEDY, WaitConfig, authority, base_url};
use super::http::{Answer, Http, KeyFile, Limits, Refusal, Whole};
use super::{Abilities, DeltaStream, Place, Provider, SetupError};
use window::Window;

/// Most bytes of the list of models.
const LIST_BYTES: usize = 1 << 20;
/// How long the list may take.
const LIST_TIME: Duration = Duration::from_secs(5);

/// A provider of kind `openai`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenAiConfig {
    /// Its name in events, on the page and in the books.
    #[serde(default = "default_name")]
    pub name: String,
    /// Base of the API, such as `http://10.0.0.7:8080/v1`.
    pub url: String,
    /// The model's name at the server.
    pub model: String,
    /// File that holds the API key: a systemd credential's name, or a path; left out, none is sent.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Tokens that prompt and answer may have together.
    #[serde(default = "default_window")]
    pub window_tokens: u64,
    /// Whether it may call tools.
    #[serde(default = "yes")]
    pub tools: bool,
    /// Whether it runs in the house: nothing said to it leaves.
    #[serde(default = "yes")]
    pub local: bool,
    /// Whether the server takes `chat_template_kwargs`, by which Qwen is kept from thinking; OpenAI's own refuses it.
    #[serde(default = "yes")]
    pub template_switches: bool,
    /// A certificate authority to trust beside the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long it may let a hearer wait.
    #[serde(default)]
    pub wait: WaitConfig,
    /// What it costs, in micro-dollars per million tokens. Left out, a server in the house costs nothing, and what another costs is not known.
    #[serde(default)]
    pub price: Option<Price>,
}

fn default_name() -> String {
    "local".to_owned()
}
fn default_window() -> u64 {
    4096
}
fn yes() -> bool {
    true
}

/// A model at home may first have to be loaded, and reads a prompt slowly.
const LIMITS: Limits = Limits {
    connect: Duration::from_millis(1_000),
    first_byte: Duration::from_secs(30),
    idle: Duration::from_secs(15),
    total: Duration::from_secs(300),
};

impl OpenAiConfig {
    /// A server of one's own costs nothing.
    pub(super) fn price(&self) -> Option<Price> {
        self.price.or_else(|| self.local.then(Price::default))
    }

    pub(super) fn provider(&self, catalogue: &Catalogue) -> Result<Arc<dyn Provider>, SetupError> {
        let authorities = self.ca_file.as_deref().map_or(Ok(Vec::new()), |path| authority(&self.name, path))?;
        let http = Http::new(&self.name, self.wait.limits(LIMITS), authorities)?;
        let base = base_url(&self.url).ok_or_else(|| SetupError {
            name: self.name.clone(),
            what: "its url is no address of an API".to_owned(),
            remedy: URL_REMEDY.to_owned(),
        })?;
        let inner = Inner {
            model: ModelId::from(self.model.as_str()),
            window: Window::new(self.window_tokens, &base),
            config: self.clone(),
            http,
            base,
            key: KeyFile(self.key_file.clone()),
            catalogue: catalogue.clone(),
        };
        Ok(Arc::new(OpenAi(Arc::new(inner))))
    }
}

#[derive(Debug)]
struct OpenAi(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    config: OpenAiConfig,
    model: ModelId,
    http: Http,
    base: Url,
    key: KeyFile,
    window: Window,
    catalogue: Catalogue,
}

impl Provider for OpenAi {
    fn name(&self) -> &str {
        &self.0.config.name
    }

    fn model(&self) -> &ModelId {
        &self.0.model
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            window_tokens: self.0.window.tokens(self.0.listed()),
            tools: self.0.config.tools,
            place: if self.0.config.local { Place::Local } else { Place::Cloud },
        }
    }

    fn ask(&self, ask: Arc<Ask>) -> BoxFuture<'static, Result<DeltaStream, ProviderError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.ask(&ask).await })
    }

    fn count(&self, ask: Arc<Ask>) -> BoxFuture<'static, u64> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.window.count(&inner, &ask).await })
    }

    fn models(&self) -> BoxFuture<'static, Result<Vec<Discovered>, ProviderError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.models().await })
    }
}

impl Inner {
    /// Tokens of the window, where the server's list says it.
    fn listed(&self) -> Option<u64> {
        self.catalogue.window(&self.config.name, &self.model)
    }

    async fn ask(&self, ask: &Ask) -> Result<DeltaStream, ProviderError> {
        let fitted = self.window.fit(self, ask).await?;
        let body = request::body(&fitted.ask, &self.config);
        let request = self.request(self.http.client().post(self.address("chat/completions")?)).await?.json(&body);
        match self.http.send(request).await? {
            Answer::Events(events) => Ok(stream::deltas(*events, self.model.clone(), fitted.trimmed, fitted.tokens)),
            Answer::Refused(refusal) => Err(self.refused(&refusal)),
        }
    }

    fn address(&self, path: &str) -> Result<Url, ProviderError> {
        self.base.join(path).map_err(|e| self.http.error(Fault::BadRequest, &e.to_string()))
    }

    async fn request(&self, request: RequestBuilder) -> Result<RequestBuilder, ProviderError> {
        Ok(match self.key.header("Bearer ", &self.http).await? {
            Some(key) => request.header(reqwest::header::AUTHORIZATION, key),
            None => request,
        })
    }

    fn refused(&self, refusal: &Refusal) -> ProviderError {
        let error = said(&refusal.body);
        let detail =
            if error.message.is_empty() { format!("status {}", refusal.status) } else { error.message.clone() };
        let keyed = self.key.0.is_some();
        self.http.error(fault(refusal.status, &error, refusal.retry_after_ms, keyed), &detail)
    }

    async fn models(&self) -> Result<Vec<Discovered>, ProviderError> {
        let request = self.request(self.http.client().get(self.address("models")?)).await?;
        match self.http.whole(request, LIST_BYTES, LIST_TIME).await? {
            Whole::Refused(refusal) => Err(self.refused(&refusal)),
            Whole::Body(body) => {
                let list: List =
                    serde_json::from_slice(&body).map_err(|e| self.http.error(Fault::Garbage, &e.to_string()))?;
                Ok(list.data.into_iter().take(MAX_DISCOVERED).map(Listed::discovered).collect())
            }
        }
    }
}

#[derive(Deserialize)]
struct List {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: ModelId,
    /// vLLM's.
    #[serde(default)]
    max_model_len: Option<u64>,
}

impl Listed {
    fn discovered(self) -> Discovered {
        Discovered {
            name: self.id.to_string(),
            id: self.id,
            context_tokens: self.max_model_len,
            output_tokens: None,
            thinks: false,
            efforts: Vec::new(),
        }
    }
}

/// What a server says of an error.
#[derive(Debug, Default)]
struct Said {
    kind: String,
    message: String,
}

/// Servers differ: `{"error": {"message", "type", "code"}}`, `{"error": "text"}`, `{"message"}`, `{"detail"}`, or plain text.
fn said(body: &str) -> Said {
    let Ok(value) = serde_json::from_str::<Value>(body) else {
        return Said { kind: String::new(), message: body.trim().to_owned() };
    };
    said_in(&value)
}

fn said_in(value: &Value) -> Said {
    let error = value.get("error").unwrap_or(value);
    let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default();
    let message = error
        .as_str()
        .unwrap_or_else(|| ["message", "detail"].map(text).into_iter().find(|t| !t.is_empty()).unwrap_or_default());
    Said { kind: format!("{} {}", text("type"), text("code")), message: message.to_owned() }
}

/// Which kind an error is.
fn fault(status: u16, error: &Said, retry_after_ms: Option<u64>, keyed: bool) -> Fault {
    let all = format!("{} {}", error.kind, error.message).to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| all.contains(word));
    let too_long = [
        "context_length_exceeded",
        "exceed_context_size",
        "context length",
        "context size",
        "context window",
        "too many tokens",
    ];
    match status {
        _ if says(&["insufficient_quota", "billing_hard_limit"]) => Fault::SpendLimit,
        402 => Fault::SpendLimit,
        401 if keyed => Fault::WrongKey,
        401 => Fault::NoKey,
        403 => Fault::Forbidden,
        404 => Fault::NoSuchModel,
        413 => Fault::ContextExceeded,
        400 | 422 | 500 if says(&too_long) => Fault::ContextExceeded,
        429 => Fault::RateLimited { retry_after_ms },
        503 | 529 => Fault::Overloaded { retry_after_ms },
        400..=499 => Fault::BadRequest,
        status => Fault::Failed { status },
    }
}

#[cfg(test)]
mod tests;
