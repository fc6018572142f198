//! One question to its end: asked again where that helps, gone on with where the provider interrupts, shortened once where it is too
//! long. Nothing that was heard is ever said a second time.
//!
//! [`Answering::next`] may be dropped while it waits, in a `select!` say, and nothing is lost. Dropping the whole takes the question
//! back.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use jarvis_core::mind::assemble::{AssembleError, Assembler};
use jarvis_core::mind::error::{Fault, ProviderError};
use jarvis_core::mind::message::{Ask, Block, Delta, Message, Reply, Role, StopReason, Trimmed, Usage};
use jarvis_core::mind::retry::{Policy, Retry, Verdict};
use jarvis_core::mind::trim::shrink;
use ring::rand::{SecureRandom, SystemRandom};

use super::{DeltaStream, Provider};

/// Most interruptions of one answer that are gone on from.
pub const MAX_PAUSES: u32 = 4;

/// What happens while an answer is made.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A piece of it. Indexes of blocks grow over interruptions.
    Delta(Delta),
    /// It did not begin, and is asked again after so many milliseconds.
    Again {
        /// When.
        after_ms: u64,
        /// Why.
        error: ProviderError,
    },
    /// The provider interrupted it, and is asked to go on.
    Resumed,
    /// The conversation was too long, and is asked again without some of it.
    Shortened(Trimmed),
}

/// Makes a question shorter that was too long; `None` where nothing can go.
pub type Shorten = Box<dyn FnMut(&mut Ask) -> Option<Trimmed> + Send>;

/// An answer in the making.
pub struct Answering {
    provider: Arc<dyn Provider>,
    ask: Arc<Ask>,
    state: State,
    retry: Retry,
    shorten: Shorten,
    assembler: Assembler,
    /// Blocks of the parts before an interruption.
    earlier: Vec<Block>,
    /// Tokens of the requests before this one.
    spent: Usage,
    trimmed: Trimmed,
    pauses: u32,
    shortened: bool,
    heard: bool,
    first_index: u32,
    next_index: u32,
}

enum State {
    Asking(BoxFuture<'static, Result<DeltaStream, ProviderError>>),
    Waiting(std::pin::Pin<Box<tokio::time::Sleep>>),
    Streaming(DeltaStream),
    Over,
}

impl Answering {
    /// Asks `provider`.
    pub fn new(provider: Arc<dyn Provider>, ask: Ask) -> Self {
        Self::with(provider, ask, Policy::default(), Box::new(shorten_by_a_quarter))
    }

    /// Asks with another patience, and another way to make a conversation shorter.
    pub fn with(provider: Arc<dyn Provider>, ask: Ask, policy: Policy, shorten: Shorten) -> Self {
        let ask = Arc::new(ask);
        Self {
            state: State::Asking(provider.ask(Arc::clone(&ask))),
            assembler: Assembler::new(provider.model().clone()),
            provider,
            ask,
            retry: Retry::new(policy),
            shorten,
            earlier: Vec::new(),
            spent: Usage::default(),
            trimmed: Trimmed::default(),
            pauses: 0,
            shortened: false,
            heard: false,
            first_index: 0,
            next_index: 0,
        }
    }

    /// What happens next; `None` once it is over, after [`Delta::Stop`] or an error.
    pub async fn next(&mut self) -> Option<Result<Event, ProviderError>> {
        loop {
            match &mut self.state {
                State::Over => return None,
                State::Waiting(time) => {
                    time.await;
                    self.ask_again();
                }
                State::Asking(answer) => match answer.await {
                    Ok(stream) => self.state = State::Streaming(stream),
                    Err(error) => return Some(self.failed(error)),
                },
                State::Streaming(stream) => {
                    return Some(match stream.next().await {
                        Some(Ok(delta)) => self.piece(delta),
                        Some(Err(error)) => self.failed(error),
                        None => self.failed(self.error(Fault::BrokenStream, "the stream ended before the answer")),
                    });
                }
            }
        }
    }

    /// The whole answer, once it is over; `None` if it failed.
    pub fn reply(self) -> Option<Reply> {
        let usage = self.usage();
        let mut reply = self.assembler.finish()?;
        let mut blocks = self.earlier;
        blocks.append(&mut reply.message.blocks);
        reply.message.blocks = blocks;
        reply.usage = usage;
        Some(reply)
    }

    /// What there is of it, for whoever goes on in its place.
    pub fn so_far(&self) -> Message {
        let mut blocks = self.earlier.clone();
        blocks.extend(self.assembler.so_far().blocks);
        Message { role: Role::Assistant, blocks }
    }

    /// Tokens so far, of all its requests.
    pub fn usage(&self) -> Usage {
        self.spent.plus(self.assembler.usage())
    }

    /// What was left out of the conversation.
    pub fn trimmed(&self) -> Trimmed {
        self.trimmed
    }

    fn ask_again(&mut self) {
        self.spent = self.usage();
        self.assembler = Assembler::new(self.provider.model().clone());
        self.first_index = self.next_index;
        self.state = State::Asking(self.provider.ask(Arc::clone(&self.ask)));
    }

    fn error(&self, fault: Fault, detail: &str) -> ProviderError {
        ProviderError::new(self.provider.name(), fault, detail)
    }

    fn over(&mut self, error: ProviderError) -> Result<Event, ProviderError> {
        self.state = State::Over;
        Err(error)
    }

    fn failed(&mut self, error: ProviderError) -> Result<Event, ProviderError> {
        if error.fault == Fault::ContextExceeded
            && let Some(trimmed) = self.shorten_once()
        {
            return Ok(Event::Shortened(trimmed));
        }
        match self.retry.failed(&error, random()) {
            Verdict::GiveUp(_) => self.over(error),
            Verdict::Wait(after_ms) => {
                self.state = State::Waiting(Box::pin(tokio::time::sleep(Duration::from_millis(after_ms))));
                Ok(Event::Again { after_ms, error })
            }
        }
    }

    /// Asks again without some of the conversation; not twice, and not once anything was heard.
    fn shorten_once(&mut self) -> Option<Trimmed> {
        if self.shortened || self.heard {
            return None;
        }
        let trimmed = (self.shorten)(Arc::make_mut(&mut self.ask))?;
        self.shortened = true;
        self.note(trimmed);
        self.ask_again();
        Some(trimmed)
    }

    fn note(&mut self, trimmed: Trimmed) {
        self.trimmed.messages = self.trimmed.messages.saturating_add(trimmed.messages);
        self.trimmed.results = self.trimmed.results.saturating_add(trimmed.results);
    }

    fn piece(&mut self, delta: Delta) -> Result<Event, ProviderError> {
        if let Err(e) = self.assembler.push(&delta) {
            let error = match e {
                AssembleError::TooMuch(limit) => self.error(Fault::TooMuch(limit), ""),
                AssembleError::Confused(what) => self.error(Fault::Garbage, what),
            };
            return self.over(error);
        }
        match &delta {
            Delta::Begin { .. } | Delta::Usage(_) => {}
            Delta::Trimmed(trimmed) => self.note(*trimmed),
            Delta::Stop(StopReason::PauseTurn) if self.pauses < MAX_PAUSES => {
                self.resume();
                return Ok(Event::Resumed);
            }
            Delta::Stop(StopReason::ContextExceeded) => {
                if let Some(trimmed) = self.shorten_once() {
                    return Ok(Event::Shortened(trimmed));
                }
                self.state = State::Over;
            }
            Delta::Stop(_) => self.state = State::Over,
            Delta::Text { text, .. } | Delta::Progress { text, .. } | Delta::Thinking { text, .. }
                if text.is_empty() => {}
            Delta::Text { .. } | Delta::Progress { .. } => {
                self.heard = true;
                self.retry.begun();
            }
            _ => self.retry.begun(),
        }
        Ok(Event::Delta(self.placed(delta)))
    }

    /// Sends the interrupted answer back, as the provider asks, to be gone on with.
    fn resume(&mut self) {
        self.pauses += 1;
        let part = self.assembler.so_far();
        let ask = Arc::make_mut(&mut self.ask);
        // What the interrupted answer said so far is one message, however many parts it came in.
        if let Some(last) = ask.messages.last_mut().filter(|_| !self.earlier.is_empty()) {
            last.blocks.extend(part.blocks.iter().cloned());
        } else if !part.blocks.is_empty() {
            ask.messages.push(part.clone());
        }
        self.earlier.extend(part.blocks);
        self.ask_again();
    }

    /// `delta` with the index that its block has in the whole answer.
    fn placed(&mut self, mut delta: Delta) -> Delta {
        if let Delta::Text { index, .. }
        | Delta::Progress { index, .. }
        | Delta::Thinking { index, .. }
        | Delta::ThinkingRaw { index, .. }
        | Delta::Foreign { index, .. }
        | Delta::ToolBegin { index, .. }
        | Delta::ToolArgs { index, .. }
        | Delta::BlockEnd { index } = &mut delta
        {
            *index = index.saturating_add(self.first_index);
            self.next_index = self.next_index.max(index.saturating_add(1));
        }
        delta
    }
}

/// Takes about a quarter out of the conversation.
fn shorten_by_a_quarter(ask: &mut Ask) -> Option<Trimmed> {
    use jarvis_core::mind::estimate;
    let tokens: u64 = ask.messages.iter().map(estimate::message).sum();
    shrink(&mut ask.messages, tokens / 4)
}

/// Dice for the pauses; without them all would come back at once, which is no fault.
fn random() -> u64 {
    let mut bytes = [0; 8];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(ring::error::Unspecified) => u64::MAX,
    }
}
