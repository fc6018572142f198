//! Claude, by the Messages API.
//!
//! What the present models demand: thinking blocks go back exactly as they came, and only to the model that wrote them; the notes a
//! model writes between tool calls arrive as empty blocks unless `display` asks for them. The headers that ask are a beta; where a server
//! does not know them, the question is put once more without, and from then on always.

mod request;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jarvis_core::mind::error::{Fault, ProviderError};
use jarvis_core::mind::estimate;
use jarvis_core::mind::message::{Ask, Effort, ModelId};
use jarvis_core::mind::models::{Discovered, MAX_DISCOVERED, Model};
use jarvis_core::mind::prices::Price;
use reqwest::{RequestBuilder, Url};
use serde::Deserialize;

use super::catalogue::Catalogue;
use super::config::{URL_REMEDY, WaitConfig, authority, base_url};
use super::http::{Answer, Events, Http, KeyFile, Limits, Refusal, Whole};
use super::{Abilities, DeltaStream, Place, Provider, SetupError};
use request::Manner;

/// The version of the API that this file speaks.
const VERSION: &str = "2023-06-01";
/// Most bytes of the list of models.
const LIST_BYTES: usize = 1 << 20;
/// How long the list may take.
const LIST_TIME: Duration = Duration::from_secs(5);
/// The window of a model that nobody knows.
const UNKNOWN_WINDOW: u64 = 200_000;

/// A provider of kind `claude`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaudeConfig {
    /// Its name in events, on the page and in the books.
    #[serde(default = "default_name")]
    pub name: String,
    /// Base of the API.
    #[serde(default = "default_url")]
    pub url: String,
    /// The model's id.
    pub model: String,
    /// File that holds the API key: a systemd credential's name, or a path.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Tokens of the window to be used, where it should be less than the model's own.
    #[serde(default)]
    pub window_tokens: Option<u64>,
    /// Whether it may call tools.
    #[serde(default = "yes")]
    pub tools: bool,
    /// A certificate authority to trust beside the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long it may let a hearer wait.
    #[serde(default)]
    pub wait: WaitConfig,
    /// What it costs, in micro-dollars per million tokens, in place of the table of models.
    #[serde(default)]
    pub price: Option<Price>,
}

fn default_name() -> String {
    "claude".to_owned()
}
fn default_url() -> String {
    "https://api.anthropic.com/v1".to_owned()
}
fn yes() -> bool {
    true
}

/// A cloud answers or it does not: the hearer should not wait for the network.
const LIMITS: Limits = Limits {
    connect: Duration::from_millis(1_500),
    first_byte: Duration::from_secs(20),
    idle: Duration::from_secs(20),
    total: Duration::from_secs(300),
};

impl ClaudeConfig {
    pub(super) fn price(&self) -> Option<Price> {
        self.price
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
            config: self.clone(),
            model: ModelId::from(self.model.as_str()),
            catalogue: catalogue.clone(),
            http,
            base,
            key: KeyFile(self.key_file.clone()),
            plain: AtomicBool::new(false),
        };
        Ok(Arc::new(Claude(Arc::new(inner))))
    }
}

#[derive(Debug)]
struct Claude(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: ClaudeConfig,
    model: ModelId,
    catalogue: Catalogue,
    http: Http,
    base: Url,
    key: KeyFile,
    /// The server does not know the beta headers.
    plain: AtomicBool,
}

impl Provider for Claude {
    fn name(&self) -> &str {
        &self.0.config.name
    }

    fn model(&self) -> &ModelId {
        &self.0.model
    }

    fn abilities(&self) -> Abilities {
        let own = self.0.known().map_or(UNKNOWN_WINDOW, |model| model.context_tokens);
        Abilities {
            window_tokens: self.0.config.window_tokens.map_or(own, |tokens| tokens.min(own)),
            tools: self.0.config.tools,
            place: Place::Cloud,
        }
    }

    fn ask(&self, ask: Arc<Ask>) -> BoxFuture<'static, Result<DeltaStream, ProviderError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.ask(&ask).await })
    }

    fn count(&self, ask: Arc<Ask>) -> BoxFuture<'static, u64> {
        let messages: u64 = ask.messages.iter().map(estimate::message).sum();
        Box::pin(std::future::ready(estimate::preamble(&ask.system, &ask.tools).saturating_add(messages)))
    }

    fn models(&self) -> BoxFuture<'static, Result<Vec<Discovered>, ProviderError>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.models().await })
    }
}

impl Inner {
    /// What is known of the model now.
    fn known(&self) -> Option<Model> {
        self.catalogue.model(&self.config.name, &self.model)
    }

    async fn ask(&self, ask: &Ask) -> Result<DeltaStream, ProviderError> {
        let known = self.known();
        let mut manner = Manner::new(known.as_ref(), ask.thinking, self.plain.load(Ordering::Relaxed));
        match self.send(ask, known.as_ref(), &manner).await? {
            Answer::Events(events) => Ok(self.stream(*events, &manner)),
            Answer::Refused(refusal) if manner.has_betas() && refusal.blames_betas() => {
                tracing::warn!(
                    provider = self.config.name,
                    said = refusal.message(),
                    "asking without the beta headers from now on"
                );
                self.plain.store(true, Ordering::Relaxed);
                manner = Manner::new(known.as_ref(), ask.thinking, true);
                match self.send(ask, known.as_ref(), &manner).await? {
                    Answer::Events(events) => Ok(self.stream(*events, &manner)),
                    Answer::Refused(refusal) => Err(self.refused(&refusal)),
                }
            }
            Answer::Refused(refusal) => Err(self.refused(&refusal)),
        }
    }

    async fn send(&self, ask: &Ask, known: Option<&Model>, manner: &Manner) -> Result<Answer, ProviderError> {
        let body = request::body(ask, &self.model, known, manner, self.config.tools);
        let mut request = self.request(self.http.client().post(self.address("messages")?)).await?.json(&body);
        if let Some(betas) = manner.betas() {
            request = request.header("anthropic-beta", betas);
        }
        self.http.send(request).await
    }

    fn address(&self, path: &str) -> Result<Url, ProviderError> {
        self.base.join(path).map_err(|e| self.http.error(Fault::BadRequest, &e.to_string()))
    }

    async fn request(&self, request: RequestBuilder) -> Result<RequestBuilder, ProviderError> {
        let key = self
            .key
            .header("", &self.http)
            .await?
            .ok_or_else(|| self.http.error(Fault::NoKey, "none is configured"))?;
        Ok(request.header("x-api-key", key).header("anthropic-version", VERSION))
    }

    fn stream(&self, events: Events, manner: &Manner) -> DeltaStream {
        stream::deltas(events, self.model.clone(), manner.notes_stand_apart())
    }

    fn refused(&self, refusal: &Refusal) -> ProviderError {
        self.http.error(refusal.claude_fault(), &refusal.message())
    }

    async fn models(&self) -> Result<Vec<Discovered>, ProviderError> {
        let mut address = self.address("models")?;
        address.query_pairs_mut().append_pair("limit", &MAX_DISCOVERED.to_string());
        let request = self.request(self.http.client().get(address)).await?;
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
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    max_input_tokens: Option<u64>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    capabilities: serde_json::Value,
}

impl Listed {
    fn discovered(self) -> Discovered {
        let can = |path: &str| self.capabilities.pointer(path).and_then(serde_json::Value::as_bool) == Some(true);
        let efforts = [Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh, Effort::Max];
        let efforts =
            efforts.into_iter().filter(|effort| can(&format!("/effort/{}/supported", effort.as_str()))).collect();
        Discovered {
            name: self.display_name.unwrap_or_else(|| self.id.to_string()),
            thinks: can("/thinking/types/adaptive/supported"),
            efforts,
            context_tokens: self.max_input_tokens,
            output_tokens: self.max_tokens,
            id: self.id,
        }
    }
}

/// An error as the API writes it, in an answer of its own or in the middle of a stream.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorBody {
    error: ErrorPart,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorPart {
    r#type: String,
    message: String,
    details: Option<Details>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Details {
    error_code: String,
}

impl Refusal {
    fn claude(&self) -> ErrorPart {
        serde_json::from_str::<ErrorBody>(&self.body).unwrap_or_default().error
    }

    /// What the server says, in its own words.
    fn message(&self) -> String {
        let error = self.claude();
        if error.message.is_empty() { format!("status {}", self.status) } else { error.message }
    }

    fn blames_betas(&self) -> bool {
        let message = self.message();
        let named = ["anthropic-beta", "display", "block_binding"].iter().any(|name| message.contains(name));
        self.status == 400 && named
    }

    fn claude_fault(&self) -> Fault {
        fault(Some(self.status), &self.claude(), self.retry_after_ms)
    }
}

/// Which kind an error is. In the middle of a stream there is no status, and the type alone says it.
fn fault(status: Option<u16>, error: &ErrorPart, retry_after_ms: Option<u64>) -> Fault {
    let says = |words: &[&str]| words.iter().any(|word| error.message.to_ascii_lowercase().contains(word));
    let spent = error.details.as_ref().is_some_and(|d| d.error_code == "enforced_spend_limit_reached")
        || says(&[
            "spend limit",
            "specified api usage limits",
            "specified workspace api usage limits",
            "credit balance is too low",
        ]);
    let kind = if error.r#type.is_empty() { kind_of(status) } else { error.r#type.as_str() };
    match kind {
        _ if spent => Fault::SpendLimit,
        "billing_error" => Fault::SpendLimit,
        "authentication_error" => Fault::WrongKey,
        "permission_error" => Fault::Forbidden,
        "not_found_error" => Fault::NoSuchModel,
        "rate_limit_error" => Fault::RateLimited { retry_after_ms },
        "overloaded_error" => Fault::Overloaded { retry_after_ms },
        "request_too_large" => Fault::ContextExceeded,
        "invalid_request_error" if says(&["prompt is too long", "exceed context limit", "context window"]) => {
            Fault::ContextExceeded
        }
        "invalid_request_error" => Fault::BadRequest,
        _ => Fault::Failed { status: status.unwrap_or(500) },
    }
}

/// The type that goes with a status, for answers that name none: from a proxy, say.
fn kind_of(status: Option<u16>) -> &'static str {
    match status {
        Some(401) => "authentication_error",
        Some(402) => "billing_error",
        Some(403) => "permission_error",
        Some(404) => "not_found_error",
        Some(413) => "request_too_large",
        Some(429) => "rate_limit_error",
        Some(503 | 529) => "overloaded_error",
        Some(400..=499) => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests;
