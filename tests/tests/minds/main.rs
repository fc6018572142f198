//! Model providers over real connections: against a mock that others wrote, and against a server that speaks the true protocols and
//! fails as real ones do.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod aimock;
mod catalogue;
mod claude;
mod faults;
mod llama;
mod openai;
mod recordings;
mod router;
mod ways;
mod window;

use std::path::Path;
use std::sync::Arc;

use jarvis_core::mind::error::ProviderError;
use jarvis_core::mind::message::{Ask, Delta, Message, Reply, ToolSpec};
use jarvis_core::mind::models::Models;
use jarvis_core::mind::retry::Policy;
use jarvis_core::mind::trim::shrink;
use jarvis_tests::model_server::Step;
use jarvisd::mind::{Answering, Catalogue, Event, MindsConfig, Provider};
use serde_json::json;
use tempfile::TempDir;

/// Which protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Claude,
    OpenAi,
}

const KINDS: [Kind; 2] = [Kind::Claude, Kind::OpenAi];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::OpenAi => "openai",
        }
    }

    fn model(self) -> &'static str {
        match self {
            Self::Claude => "claude-opus-5-5",
            Self::OpenAi => "qwen3",
        }
    }

    /// The beginning of an answer.
    fn begin(self) -> Vec<Step> {
        match self {
            Self::Claude => vec![
                Step::event(
                    &json!({"type": "message_start", "message": {"model": "claude-opus-5-5", "usage": {"input_tokens": 9}}}),
                ),
                Step::event(
                    &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                ),
            ],
            Self::OpenAi => vec![],
        }
    }

    fn words(self, text: &str) -> Step {
        match self {
            Self::Claude => Step::event(
                &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
            ),
            Self::OpenAi => Step::chunk(&json!({"choices": [{"index": 0, "delta": {"content": text}}]})),
        }
    }

    fn end(self) -> Vec<Step> {
        match self {
            Self::Claude => vec![
                Step::event(&json!({"type": "content_block_stop", "index": 0})),
                Step::event(
                    &json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}),
                ),
                Step::event(&json!({"type": "message_stop"})),
            ],
            Self::OpenAi => vec![
                Step::chunk(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})),
                Step::done(),
            ],
        }
    }

    /// A whole answer of these words.
    fn says(self, text: &str) -> Vec<Step> {
        self.begin().into_iter().chain([self.words(text)]).chain(self.end()).collect()
    }
}

/// A provider as it is configured, its key in a file.
struct Minded {
    provider: Arc<dyn Provider>,
    _dir: TempDir,
}

impl Minded {
    fn new(kind: Kind, url: &str, extra: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key");
        std::fs::write(&key, "sk-test-key\n").unwrap();
        let provider = configured(kind, url, &format!("key_file = '{}'\n{extra}", key.display()));
        Self { provider, _dir: dir }
    }
}

fn configured(kind: Kind, url: &str, extra: &str) -> Arc<dyn Provider> {
    let text = format!("[[providers]]\nkind = '{}'\nurl = '{url}'\nmodel = '{}'\n{extra}", kind.name(), kind.model());
    let config: MindsConfig = toml::from_str(&text).unwrap();
    config.providers(&Catalogue::new(Models::built_in().unwrap())).unwrap().remove(0)
}

fn question(text: &str) -> Ask {
    let tool = |name: &str| ToolSpec {
        name: name.to_owned(),
        about: format!("The {name} of a node."),
        schema: json!({"type": "object", "properties": {"node": {"type": "string"}}, "required": ["node"]}),
    };
    Ask {
        tools: vec![tool("logs"), tool("temperatures")],
        messages: vec![Message::user(text)],
        max_tokens: 400,
        ..Ask::default()
    }
}

/// What came of a question.
struct Outcome {
    events: Vec<Event>,
    error: Option<ProviderError>,
    so_far: String,
    reply: Option<Reply>,
}

impl Outcome {
    fn reply(&self) -> &Reply {
        self.reply.as_ref().unwrap_or_else(|| panic!("no answer: {:?}, after {:?}", self.error, self.events))
    }

    fn error(&self) -> &ProviderError {
        self.error.as_ref().unwrap_or_else(|| panic!("an error was due, not {:?}", self.reply))
    }

    fn again(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Again { .. })).count()
    }

    fn spoken(&self) -> String {
        let words = self.events.iter().filter_map(|event| match event {
            Event::Delta(Delta::Text { text, .. }) => Some(text.as_str()),
            _ => None,
        });
        words.collect()
    }
}

async fn ask(provider: &Arc<dyn Provider>, ask: Ask) -> Outcome {
    let policy = Policy { base_ms: 20, ..Policy::default() };
    let shorten = Box::new(|ask: &mut Ask| shrink(&mut ask.messages, 50));
    let mut answering = Answering::with(Arc::clone(provider), ask, policy, shorten);
    let (mut events, mut error) = (Vec::new(), None);
    while let Some(event) = answering.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(e) => error = Some(e),
        }
    }
    let so_far = answering.so_far().text();
    Outcome { events, error, so_far, reply: answering.reply() }
}

/// Where a test keeps its logs.
fn log(dir: &Path, name: &str) -> std::path::PathBuf {
    dir.join(format!("{name}.log"))
}
