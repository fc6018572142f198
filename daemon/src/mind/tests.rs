use std::collections::VecDeque;
use std::sync::Mutex;

use futures_util::{StreamExt, stream};
use jarvis_core::mind::error::{Fault, Waited};
use jarvis_core::mind::message::{Block, Message, Role, StopReason, SystemPart, Trimmed, Usage};
use jarvis_core::mind::retry::Policy;

use super::*;

/// A stream as a real server sent it, of those in tests/frozen/streams; `tests/tests/minds/recordings.rs` replays all of them.
pub(super) fn recorded(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/frozen/streams").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a question brings.
#[derive(Debug)]
enum Act {
    Refuse(Fault),
    Stream(Vec<Delta>, Option<Fault>),
}

/// A provider that follows a script, and keeps what it was asked.
#[derive(Debug)]
struct Scripted {
    model: ModelId,
    acts: Mutex<VecDeque<Act>>,
    asked: Mutex<Vec<Ask>>,
}

impl Scripted {
    fn new(acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self { model: "m".into(), acts: Mutex::new(acts.into_iter().collect()), asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<Ask> {
        self.asked.lock().unwrap().clone()
    }
}

impl Provider for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }
    fn model(&self) -> &ModelId {
        &self.model
    }
    fn abilities(&self) -> Abilities {
        Abilities { window_tokens: 4096, tools: true, place: Place::Local }
    }
    fn ask(&self, ask: Arc<Ask>) -> BoxFuture<'static, Result<DeltaStream, ProviderError>> {
        self.asked.lock().unwrap().push((*ask).clone());
        let act = self.acts.lock().unwrap().pop_front().expect("a question more than the script has");
        let error = |fault| ProviderError::new("scripted", fault, "");
        Box::pin(std::future::ready(match act {
            Act::Refuse(fault) => Err(error(fault)),
            Act::Stream(deltas, fault) => {
                let deltas = deltas.into_iter().map(Ok).chain(fault.map(|fault| Err(error(fault))));
                Ok(stream::iter(deltas.collect::<Vec<_>>()).boxed())
            }
        }))
    }
    fn count(&self, _ask: Arc<Ask>) -> BoxFuture<'static, u64> {
        Box::pin(std::future::ready(1))
    }
    fn models(&self) -> BoxFuture<'static, Result<Vec<Discovered>, ProviderError>> {
        Box::pin(std::future::ready(Ok(vec![])))
    }
}

fn ask() -> Ask {
    let long = format!("an old question {}", "word ".repeat(2_000));
    let said = Message { role: Role::Assistant, blocks: vec![Block::Text { text: "an old answer".to_owned() }] };
    Ask {
        system: vec![SystemPart { text: "You are a butler.".to_owned(), cache: Default::default() }],
        messages: vec![Message::user(long), said, Message::user("how is node two?")],
        max_tokens: 100,
        ..Ask::default()
    }
}

fn begin() -> Delta {
    Delta::Begin { model: "m".into() }
}

fn text(index: u32, text: &str) -> Delta {
    Delta::Text { index, text: text.to_owned() }
}

fn used(output: u64) -> Delta {
    Delta::Usage(Usage { input: 10, output, ..Usage::default() })
}

fn stop(reason: StopReason) -> Delta {
    Delta::Stop(reason)
}

/// Tests don't wait long.
const HASTY: Policy = Policy { attempts: 4, base_ms: 4, cap_ms: 8, patience_ms: 1_000 };

/// Everything that happens, and the answering after it.
async fn run(provider: &Arc<Scripted>) -> (Vec<Event>, Option<ProviderError>, Answering) {
    let shorten = Box::new(|ask: &mut Ask| jarvis_core::mind::trim::shrink(&mut ask.messages, 1_000));
    let mut answering = Answering::with(Arc::clone(provider) as Arc<dyn Provider>, ask(), HASTY, shorten);
    let (mut events, mut error) = (Vec::new(), None);
    while let Some(event) = answering.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(e) => error = Some(e),
        }
    }
    (events, error, answering)
}

#[tokio::test]
async fn what_did_not_begin_is_asked_again_as_the_provider_says() {
    let provider = Scripted::new([
        Act::Refuse(Fault::RateLimited { retry_after_ms: Some(20) }),
        Act::Stream(vec![begin(), used(0)], Some(Fault::Overloaded { retry_after_ms: None })),
        Act::Stream(vec![begin(), text(0, "Well."), used(4), stop(StopReason::EndTurn)], None),
    ]);
    let (events, error, answering) = run(&provider).await;
    assert_eq!(error, None);
    let waits = events.iter().filter_map(|event| match event {
        Event::Again { after_ms, .. } => Some(*after_ms),
        _ => None,
    });
    let waits: Vec<_> = waits.collect();
    assert!(matches!(waits[..], [20..=22, 0..=8]), "{waits:?}");
    assert_eq!(provider.asked().len(), 3);
    assert_eq!(provider.asked()[0], provider.asked()[2]);
    let reply = answering.reply().unwrap();
    assert_eq!((reply.message.text().as_str(), reply.usage.input, reply.usage.output), ("Well.", 20, 4));
}

#[tokio::test]
async fn what_was_heard_is_never_asked_again_and_can_be_handed_over() {
    let broken = Act::Stream(vec![begin(), text(0, "Node two ")], Some(Fault::BrokenStream));
    let provider = Scripted::new([broken]);
    let (_, error, answering) = run(&provider).await;
    assert_eq!(error.unwrap().fault, Fault::BrokenStream);
    assert_eq!(answering.so_far().text(), "Node two ");
    assert_eq!(answering.reply(), None);
}

#[tokio::test]
async fn money_and_hopeless_requests_are_not_tried_again() {
    for fault in [Fault::SpendLimit, Fault::WrongKey, Fault::BadRequest, Fault::Timeout(Waited::FirstByte)] {
        let provider = Scripted::new([Act::Refuse(fault.clone())]);
        let (events, error, _) = run(&provider).await;
        assert_eq!((events, error.unwrap().fault), (vec![], fault));
    }
}

#[tokio::test]
async fn an_interrupted_turn_is_gone_on_with_and_becomes_one_answer() {
    let part = |words: &str| Act::Stream(vec![begin(), text(0, words), used(3), stop(StopReason::PauseTurn)], None);
    let last = Act::Stream(vec![begin(), text(0, "three."), used(3), stop(StopReason::EndTurn)], None);
    let provider = Scripted::new([part("One, "), part("two, "), last]);
    let (events, error, answering) = run(&provider).await;
    assert_eq!(error, None);
    assert_eq!(events.iter().filter(|event| **event == Event::Resumed).count(), 2);
    let indexes: Vec<_> = events
        .iter()
        .filter_map(|e| match e {
            Event::Delta(Delta::Text { index, .. }) => Some(*index),
            _ => None,
        })
        .collect();
    assert_eq!(indexes, [0, 1, 2]);
    let third = &provider.asked()[2].messages;
    assert_eq!(
        (third.len(), third.last().unwrap().text().as_str()),
        (4, "One, two, "),
        "one message, however many parts"
    );
    let reply = answering.reply().unwrap();
    assert_eq!(
        (reply.message.text().as_str(), reply.stop, reply.usage.output),
        ("One, two, three.", StopReason::EndTurn, 9)
    );
}

#[tokio::test]
async fn a_provider_that_only_interrupts_is_left_in_the_end() {
    let pause = || Act::Stream(vec![begin(), stop(StopReason::PauseTurn)], None);
    let provider = Scripted::new((0..20).map(|_| pause()));
    let (_, error, answering) = run(&provider).await;
    assert_eq!((error, provider.asked().len()), (None, 5));
    assert_eq!(answering.reply().unwrap().stop, StopReason::PauseTurn);
}

#[tokio::test]
async fn what_is_too_long_is_shortened_once() {
    let too_long = || Act::Refuse(Fault::ContextExceeded);
    let full = || Act::Stream(vec![begin(), stop(StopReason::ContextExceeded)], None);
    let well = || Act::Stream(vec![begin(), text(0, "Well."), stop(StopReason::EndTurn)], None);
    for first in [too_long(), full()] {
        let provider = Scripted::new([first, well()]);
        let (events, error, answering) = run(&provider).await;
        assert_eq!(error, None);
        assert!(events.contains(&Event::Shortened(Trimmed { messages: 2, results: 0 })), "{events:?}");
        assert_eq!(provider.asked()[1].messages, [Message::user("how is node two?")]);
        assert_eq!(answering.trimmed(), Trimmed { messages: 2, results: 0 });
        assert_eq!(answering.reply().unwrap().message.text(), "Well.");
    }
    let provider = Scripted::new([too_long(), too_long()]);
    assert_eq!(run(&provider).await.1.unwrap().fault, Fault::ContextExceeded);
    let heard = Act::Stream(vec![begin(), text(0, "Node"), stop(StopReason::ContextExceeded)], None);
    let (_, error, answering) = run(&Scripted::new([heard])).await;
    assert_eq!((error, answering.reply().unwrap().stop), (None, StopReason::ContextExceeded));
}

#[tokio::test]
async fn a_model_that_loops_is_stopped_at_the_limit() {
    let words = "again and again ".repeat(1_000);
    let provider = Scripted::new([Act::Stream(vec![text(0, &words); 100], None)]);
    let (events, error, _) = run(&provider).await;
    assert!(matches!(error.unwrap().fault, Fault::TooMuch(limit) if limit.contains("text")));
    assert_eq!(events.len(), 128 * 1024 / words.len());
}

#[tokio::test]
async fn waiting_may_be_dropped_and_nothing_is_lost() {
    let limited = || Act::Refuse(Fault::RateLimited { retry_after_ms: Some(100) });
    let well = Act::Stream(vec![begin(), text(0, "Well."), stop(StopReason::EndTurn)], None);
    let provider = Scripted::new([limited(), limited(), well]);
    let mut answering = Answering::with(Arc::clone(&provider) as Arc<dyn Provider>, ask(), HASTY, Box::new(|_| None));
    let mut heard = String::new();
    let mut dropped = 0;
    loop {
        tokio::select! {
            biased;
            event = answering.next() => match event {
                Some(Ok(Event::Delta(Delta::Text { text, .. }))) => heard.push_str(&text),
                Some(event) => { event.unwrap(); }
                None => break,
            },
            () = tokio::task::yield_now() => dropped += 1,
        }
    }
    assert_eq!((heard.as_str(), provider.asked().len()), ("Well.", 3));
    assert!(dropped > 0, "it waited, and was dropped meanwhile");
}
