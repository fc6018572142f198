//! A prompt that fits: counted by the server's own tokenizer where it has one, else estimated on the safe side, and shortened until
//! prompt and answer go into the window together.
//!
//! llama.cpp writes the prompt by `/apply-template` and counts it by `/tokenize`; vLLM does both by `/tokenize`. Which of them a server
//! has is found out once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jarvis_core::mind::error::{Fault, ProviderError};
use jarvis_core::mind::estimate;
use jarvis_core::mind::message::{Ask, Trimmed};
use jarvis_core::mind::trim::shrink;
use reqwest::Url;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use super::super::http::Whole;
use super::{Inner, request};

/// Tokens that stay free, for what a template adds after the prompt was counted.
const SPARE: u64 = 16;
/// Tokens of a window that would be of no use.
const SMALLEST: u64 = 512;
/// Times that a prompt is counted and shortened.
const ROUNDS: usize = 64;
/// How long counting may take; after it the estimate holds.
const COUNT_TIME: Duration = Duration::from_secs(2);
/// Most bytes of a count: every token of a long prompt as a number.
const COUNT_BYTES: usize = 4 << 20;

/// A model's window, and how its server counts.
#[derive(Debug)]
pub(super) struct Window {
    configured: u64,
    /// What the server itself says, once it did.
    told: AtomicU64,
    root: Url,
    way: Mutex<Way>,
}

/// How a server counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Not asked yet.
    Unknown,
    /// As llama.cpp does.
    LlamaCpp,
    /// As vLLM does.
    Vllm,
    /// It does not.
    None,
}

/// A question that fits.
pub(super) struct Fitted {
    pub(super) ask: Ask,
    pub(super) trimmed: Trimmed,
    /// Tokens of its prompt.
    pub(super) tokens: u64,
}

/// What came of a request to count.
enum Counted {
    Tokens(u64),
    /// The server has no such thing.
    NoSuchWay,
    /// Not this time.
    Failed,
}

impl Window {
    pub(super) fn new(configured: u64, base: &Url) -> Self {
        // The tokenizers stand beside `/v1`, not in it.
        let root = if base.path().ends_with("/v1/") {
            base.join("../").unwrap_or_else(|_| base.clone())
        } else {
            base.clone()
        };
        Self { configured, told: AtomicU64::new(u64::MAX), root, way: Mutex::new(Way::Unknown) }
    }

    /// Tokens of the window; `listed` are those that the server's list names.
    pub(super) fn tokens(&self, listed: Option<u64>) -> u64 {
        self.configured.min(self.told.load(Ordering::Relaxed)).min(listed.unwrap_or(u64::MAX))
    }

    /// `ask`, shortened until it fits.
    pub(super) async fn fit(&self, inner: &Inner, ask: &Ask) -> Result<Fitted, ProviderError> {
        let mut fitted = Fitted { ask: ask.clone(), trimmed: Trimmed::default(), tokens: 0 };
        for _ in 0..ROUNDS {
            let window = self.tokens(inner.listed());
            if window < SMALLEST {
                return Err(inner
                    .http
                    .error(Fault::ContextExceeded, &format!("a window of {window} tokens is of no use")));
            }
            // A question needs most of the window; an answer for the ear is short.
            fitted.ask.max_tokens = ask.max_tokens.min(u32::try_from(window / 4).unwrap_or(u32::MAX));
            // What is far too long is not even sent to be counted.
            let estimated = estimated(&fitted.ask);
            fitted.tokens =
                if estimated > window.saturating_mul(4) { estimated } else { self.count(inner, &fitted.ask).await };
            if self.tokens(inner.listed()) != window {
                // The server said by the way that it is smaller.
                continue;
            }
            let room = window.saturating_sub(u64::from(fitted.ask.max_tokens) + SPARE);
            if fitted.tokens <= room {
                return Ok(fitted);
            }
            let Some(trimmed) = shrink(&mut fitted.ask.messages, fitted.tokens - room) else { break };
            fitted.trimmed.messages = fitted.trimmed.messages.saturating_add(trimmed.messages);
            fitted.trimmed.results = fitted.trimmed.results.saturating_add(trimmed.results);
        }
        let told = format!("{} tokens at the least, for a window of {}", fitted.tokens, self.tokens(inner.listed()));
        Err(inner.http.error(Fault::ContextExceeded, &told))
    }

    /// Tokens of the prompt that `ask` is.
    pub(super) async fn count(&self, inner: &Inner, ask: &Ask) -> u64 {
        let way = *self.way.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, counted) = match way {
            Way::None => (Way::None, Counted::NoSuchWay),
            Way::LlamaCpp => (way, self.by_llama_cpp(inner, ask).await),
            Way::Vllm => (way, self.by_vllm(inner, ask).await),
            Way::Unknown => match self.by_llama_cpp(inner, ask).await {
                Counted::NoSuchWay => match self.by_vllm(inner, ask).await {
                    Counted::NoSuchWay => (Way::None, Counted::NoSuchWay),
                    Counted::Failed => (Way::Unknown, Counted::Failed),
                    counted => (Way::Vllm, counted),
                },
                Counted::Failed => (Way::Unknown, Counted::Failed),
                counted => (Way::LlamaCpp, counted),
            },
        };
        if found != way {
            tracing::debug!(provider = inner.config.name, ?found, "how the server counts tokens");
            *self.way.lock().unwrap_or_else(PoisonError::into_inner) = found;
        }
        match counted {
            Counted::Tokens(tokens) => tokens,
            Counted::NoSuchWay | Counted::Failed => estimated(ask),
        }
    }

    async fn by_llama_cpp(&self, inner: &Inner, ask: &Ask) -> Counted {
        #[derive(Deserialize)]
        struct Applied {
            prompt: String,
        }
        #[derive(Deserialize)]
        struct Tokens {
            tokens: Vec<IgnoredAny>,
        }
        let body = Value::Object(request::prompt(ask, &inner.config));
        let applied: Applied = match self.post(inner, "apply-template", &body).await {
            Ok(applied) => applied,
            Err(counted) => return counted,
        };
        let body = json!({"content": applied.prompt, "add_special": true, "parse_special": true});
        match self.post::<Tokens>(inner, "tokenize", &body).await {
            Ok(counted) => Counted::Tokens(u64::try_from(counted.tokens.len()).unwrap_or(u64::MAX)),
            Err(counted) => counted,
        }
    }

    async fn by_vllm(&self, inner: &Inner, ask: &Ask) -> Counted {
        #[derive(Deserialize)]
        struct Count {
            count: u64,
            #[serde(default)]
            max_model_len: Option<u64>,
        }
        let mut body = request::prompt(ask, &inner.config);
        body.insert("model".to_owned(), json!(inner.config.model));
        body.insert("add_generation_prompt".to_owned(), json!(true));
        match self.post::<Count>(inner, "tokenize", &Value::Object(body)).await {
            Ok(counted) => {
                if let Some(window) = counted.max_model_len {
                    self.told.store(window, Ordering::Relaxed);
                }
                Counted::Tokens(counted.count)
            }
            Err(counted) => counted,
        }
    }

    async fn post<T: DeserializeOwned>(&self, inner: &Inner, path: &str, body: &Value) -> Result<T, Counted> {
        let address = self.root.join(path).map_err(|_| Counted::NoSuchWay)?;
        let request = inner.request(inner.http.client().post(address)).await.map_err(|_| Counted::Failed)?.json(body);
        match inner.http.whole(request, COUNT_BYTES, COUNT_TIME.min(inner.http.limits().first_byte)).await {
            // A page of another server may well be an answer with status 200.
            Ok(Whole::Body(body)) => serde_json::from_slice(&body).map_err(|_| Counted::NoSuchWay),
            Ok(Whole::Refused(refusal)) if matches!(refusal.status, 404 | 405 | 501) => Err(Counted::NoSuchWay),
            Ok(Whole::Refused(_)) | Err(_) => Err(Counted::Failed),
        }
    }
}

fn estimated(ask: &Ask) -> u64 {
    let messages: u64 = ask.messages.iter().map(estimate::message).sum();
    estimate::preamble(&ask.system, &ask.tools).saturating_add(messages)
}
