//! One conversation with another server: bounded in time and bytes, begun anew for each question, and never repeated.
//!
//! The tools that a server lists are compared with what was approved in the very conversation in which one of them is called.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use jarvis_core::foreign::{Listed, Taken, take};
use jarvis_core::redact::redact;
use jarvis_core::tools::ForeignCall;
use reqwest::Client;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientConfig, ContentBlock,
    Implementation, PaginatedRequestParams, ProtocolVersion,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, RoleClient, RunningService, ServiceError, serve_client_with_lifecycle,
};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{IntoTransport, StreamableHttpClientTransport};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout_at};

use super::ServerConfig;
use super::program::Program;

/// Longest time in which a server that runs already must list its tools.
const LOOK_MAX: Duration = Duration::from_secs(10);
/// Longest time for the connection alone.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long rmcp waits for an answer to its first question, before it asks another.
const PROBE_MAX: Duration = Duration::from_secs(10);
/// Longest page of a list of tools, in bytes; longer where answers may be.
const LIST_BYTES_MAX: usize = 1 << 20;
/// Most pages of a list.
const PAGES_MAX: usize = 8;
/// Most tools that are looked at before those are chosen which are kept.
const LISTED_MAX: usize = 10_000;
/// Longest body of an error that is read, in bytes.
const ERROR_BYTES_MAX: usize = 1 << 10;
/// Longest token, in bytes.
const TOKEN_BYTES_MAX: u64 = 4096;
/// Longest words about a failure, in characters.
const WHY_CHARS_MAX: usize = 240;

type Session = RunningService<RoleClient, ClientConfig>;

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// The server answered. Strangers' text: bounded, secrets taken out.
    Answered {
        /// What.
        text: String,
        /// The server says that it failed.
        is_error: bool,
    },
    /// The tool was surely not called.
    NotCalled(String),
    /// It was called, and nobody knows what came of it.
    Unknown(String),
}

/// How a server is asked.
enum Means {
    /// Over streamable HTTP.
    Http { url: String, client: Result<Client, String> },
    /// On the standard input and output of a program.
    Program,
}

/// A conversation, with the program where it is had with one.
struct Talk {
    // Dropped first: the end of its input is what tells the program to end.
    session: Session,
    program: Option<Program>,
}

impl Talk {
    /// Ends it. Gives a program's last words.
    async fn end(self) -> Option<String> {
        drop(self.session);
        self.program?.end().await
    }
}

/// The way to one server.
pub(super) struct Way {
    pub(super) config: ServerConfig,
    means: Means,
}

impl Way {
    pub(super) fn new(config: ServerConfig) -> Self {
        let means = match &config.url {
            Some(url) => Means::Http { url: url.clone(), client: client() },
            None => Means::Program,
        };
        Self { config, means }
    }

    /// The server's tools as they are now.
    pub(super) async fn list(&self, wanted: impl Fn(&str) -> bool) -> Result<Taken, String> {
        let listed = async {
            let (talk, taken) = self.look(wanted).await?;
            talk.end().await;
            Ok::<_, String>(taken)
        };
        let within = match self.means {
            Means::Http { .. } => LOOK_MAX.min(self.config.within()),
            Means::Program => self.config.within(),
        };
        timeout_at(Instant::now() + within, Box::pin(listed)).await.map_err(|_| late(within))?
    }

    /// Calls a tool, once, where the server still says of it what was approved; what it lists comes back beside. `may` is asked at the
    /// last moment before the call is sent: whoever says no there has kept it back.
    ///
    /// # Errors
    /// Where it could not be asked what it lists: the tool was surely not called.
    pub(super) async fn call(
        &self,
        call: ForeignCall,
        wanted: impl Fn(&str) -> bool,
        may: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<(Called, Taken), String> {
        let within = self.config.within();
        let looked = timeout_at(Instant::now() + within, Box::pin(self.look(wanted))).await;
        let (talk, taken) = looked.map_err(|_| late(within))??;
        let now = taken.tools.iter().find(|tool| tool.name == call.tool);
        if now.is_none_or(|tool| tool.pin() != call.pin) {
            let why = format!(
                "{} of {} is not what was approved any more; jarvisctl mcp servers shows it",
                call.tool, self.config.name
            );
            return Ok((Called::NotCalled(why), taken));
        }
        if !may() {
            return Ok((Called::NotCalled("the kill switch was set before it was sent".to_owned()), taken));
        }
        let params = CallToolRequestParams::new(call.tool).with_arguments(call.arguments);
        let answer = Box::pin(talk.session.call_tool_once(params));
        let called = match timeout_at(Instant::now() + within, answer).await {
            Ok(Ok(CallToolResponse::Complete(result))) => self.answered(result),
            Ok(Ok(CallToolResponse::InputRequired(_))) => {
                Called::NotCalled("the server wants to be told more before it does that, and is not".to_owned())
            }
            Ok(Ok(_)) => Called::Unknown("the server began it, and tells its end another way".to_owned()),
            Ok(Err(ServiceError::McpError(error))) => {
                Called::Answered { text: bounded(&error.message), is_error: true }
            }
            Ok(Err(error)) => Called::Unknown(words(&error)),
            Err(_) => Called::Unknown(late(within)),
        };
        talk.end().await;
        Ok((called, taken))
    }

    /// A new conversation, and what the server lists in it.
    async fn look(&self, wanted: impl Fn(&str) -> bool) -> Result<(Talk, Taken), String> {
        let talk = self.open().await?;
        let listed = self.listed(&talk.session).await;
        match listed {
            Ok(listed) => Ok((talk, take(&self.config.name, listed, wanted))),
            Err(why) => Err(with_last_words(why, talk.end().await)),
        }
    }

    async fn open(&self) -> Result<Talk, String> {
        let most = LIST_BYTES_MAX.max(self.config.answer_bytes());
        match &self.means {
            Means::Http { url, client } => {
                let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                    // What was sent once is never sent again.
                    .reinit_on_expired_session(false)
                    .max_concurrent_requests(1)
                    .max_json_response_size(most)
                    .max_sse_event_size(most)
                    .max_error_response_size(ERROR_BYTES_MAX);
                if let Some(path) = &self.config.token_file {
                    config = config.auth_header(token(path).await?);
                }
                let transport = StreamableHttpClientTransport::with_client(client.clone()?, config);
                let session = begin(transport).await.map_err(|unbegun| unbegun.why)?;
                Ok(Talk { session, program: None })
            }
            Means::Program => loop {
                let (program, stdout, stdin) = Program::start(&self.config.command)?;
                // A longer message is dropped unread, and its answer never comes.
                let transport = AsyncRwTransport::new_client(stdout, stdin).with_max_line_length(most);
                let asked = Instant::now();
                match begin(transport).await {
                    Ok(session) => return Ok(Talk { session, program: Some(program) }),
                    // Whoever calls this bounds the time. Nothing was asked of it yet, and it starts sooner the next time. One that
                    // answers amiss at once was not late: it would be started over and over.
                    Err(Unbegun { late: true, .. }) if asked.elapsed() >= PROBE_MAX => {
                        program.end().await;
                    }
                    Err(Unbegun { why, .. }) => return Err(with_last_words(why, program.end().await)),
                }
            },
        }
    }

    async fn listed(&self, session: &Session) -> Result<Vec<Listed>, String> {
        let (mut all, mut cursor, only) = (Vec::new(), None, &self.config.only);
        for _ in 0..PAGES_MAX {
            let asked = cursor.take().map(|cursor| PaginatedRequestParams::default().with_cursor(Some(cursor)));
            let page = Box::pin(session.list_tools(asked)).await.map_err(|error| words(&error))?;
            let kept =
                page.tools.into_iter().filter(|tool| only.is_empty() || only.iter().any(|name| *name == tool.name));
            all.extend(kept.take(LISTED_MAX.saturating_sub(all.len())).map(|tool| Listed {
                name: tool.name.into_owned(),
                about: tool.description.map(|about| about.into_owned()),
                schema: (*tool.input_schema).clone(),
            }));
            cursor = page.next_cursor;
            if cursor.is_none() || all.len() >= LISTED_MAX {
                break;
            }
        }
        Ok(all)
    }

    fn answered(&self, result: CallToolResult) -> Called {
        let is_error = result.is_error == Some(true);
        let part = |block: &ContentBlock| match block {
            ContentBlock::Text(text) => text.text.clone(),
            ContentBlock::Image(_) => "(a picture, left out)".to_owned(),
            ContentBlock::Audio(_) => "(a sound, left out)".to_owned(),
            _ => "(something else than text, left out)".to_owned(),
        };
        let mut text = result.content.iter().map(part).collect::<Vec<_>>().join("\n");
        if text.trim().is_empty() {
            text = result.structured_content.map(|value| value.to_string()).unwrap_or_default();
        }
        if text.len() > self.config.answer_bytes() {
            return Called::Unknown(format!(
                "the answer is longer than {} KiB and was not read",
                self.config.answer_kib
            ));
        }
        Called::Answered { text: redact(&text).text, is_error }
    }
}

fn client() -> Result<Client, String> {
    // A process-wide provider is what reqwest looks for; whoever came first named the same one.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_MAX)
        .build()
        .map_err(|error| words(&error))
}

/// A conversation that did not begin.
struct Unbegun {
    why: String,
    /// The first question was answered after all, when it had been given up: a program may start for longer than rmcp waits (10 s).
    late: bool,
}

impl From<ClientInitializeError> for Unbegun {
    fn from(error: ClientInitializeError) -> Self {
        use ClientInitializeError::{ConflictInitResponseId, UncorrelatedErrorResponse};
        let late = matches!(error, ConflictInitResponseId(..) | UncorrelatedErrorResponse { .. });
        Self { why: words(&error), late }
    }
}

async fn begin<T, E, A>(transport: T) -> Result<Session, Unbegun>
where
    T: IntoTransport<RoleClient, E, A>,
    E: Error + Send + Sync + 'static,
{
    let own = Implementation::new("jarvis", env!("CARGO_PKG_VERSION"));
    let info = ClientConfig::new(ClientCapabilities::default(), own);
    let both = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: Some(ProtocolVersion::V_2025_11_25),
    };
    Ok(Box::pin(serve_client_with_lifecycle(info, transport, both)).await?)
}

/// Why it failed, and what the program complained of last.
fn with_last_words(why: String, said: Option<String>) -> String {
    said.map_or(why.clone(), |said| bounded(&format!("{why}: {said}")))
}

async fn token(path: &Path) -> Result<String, String> {
    let read = async {
        let mut text = String::new();
        tokio::fs::File::open(path).await?.take(TOKEN_BYTES_MAX).read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    let text = read.await.map_err(|error| format!("its token cannot be read: {}: {error}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn late(within: Duration) -> String {
    format!("there was no answer within {} s", within.as_secs())
}

/// A failure and what caused it, on one line. May hold the server's own words.
fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    bounded(&text)
}

fn bounded(text: &str) -> String {
    let start = &text[..text.floor_char_boundary(WHY_CHARS_MAX * 8)];
    let plain: String = redact(start).text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(WHY_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
