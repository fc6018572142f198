//! Streams that real servers sent, replayed: whole, byte by byte, and cut at every place. Our own are always here; others' are an extra.

use jarvis_core::mind::message::{Block, Delta, StopReason};
use jarvis_core::mind::sse::{SseEvent, SseParser};
use jarvis_tests::model_server::{ModelServer, Script, Step};
use jarvis_tests::recorded::{FROZEN, bytes, events, folder, frozen, shared};
use serde_json::{Value, json};

use super::{Kind, Minded, Outcome, ask, question};

/// What a recording comes to: words, thoughts, calls, why it stopped, tokens read and written where the server knew them.
#[derive(Debug, PartialEq)]
struct Comes {
    words: String,
    thoughts: String,
    calls: Vec<(String, Value)>,
    stop: StopReason,
    tokens: Option<(u64, u64)>,
}

impl Comes {
    fn of(outcome: &Outcome) -> Self {
        let reply = outcome.reply();
        let thoughts = reply.message.blocks.iter().filter_map(|block| match block {
            Block::Thinking(thinking) => Some(thinking.text.as_str()),
            _ => None,
        });
        let tokens = (reply.usage.prompt(), reply.usage.output);
        Self {
            words: outcome.spoken(),
            thoughts: thoughts.collect(),
            calls: reply.message.calls().map(|call| (call.name.clone(), call.args.to_value())).collect(),
            stop: reply.stop.clone(),
            tokens: Some(tokens),
        }
    }
}

fn expected(name: &str) -> Comes {
    let llama = name.starts_with("llama");
    let calls = if llama {
        vec![("node_status".to_owned(), json!({"node": "pve1"}))]
    } else {
        vec![
            ("logs".to_owned(), json!({"node": "pve1", "note": "tom \"the\" café \\ 5°"})),
            ("temperatures".to_owned(), json!({"node": "pve2"})),
        ]
    };
    let answers = name.ends_with("words");
    let words = match (llama, answers) {
        (true, true) => "Node pve1 is well, sir.",
        (true, false) => "",
        (false, true) => {
            "Good evening, sir. All four nodes are well: nothing “unusual”, nothing hot (41 °C at most).\nShall I go on?"
        }
        (false, false) => "One moment, sir.",
    };
    Comes {
        words: words.to_owned(),
        thoughts: if llama && !answers { "The owner asks about node one. I will look at it.\n" } else { "" }.to_owned(),
        calls: if answers { vec![] } else { calls },
        stop: if answers { StopReason::EndTurn } else { StopReason::ToolUse },
        // The mock counts nothing.
        tokens: llama.then_some(if answers { (692, 6) } else { (574, 21) }),
    }
}

async fn replayed(kind: Kind, steps: Vec<Step>) -> Outcome {
    let server = ModelServer::start([Script::stream(steps)]).await.unwrap();
    let minded = Minded::new(kind, &server.url(), "");
    ask(&minded.provider, question("x")).await
}

fn kind_of(name: &str) -> Kind {
    if name.contains("claude") || name.contains("anthropic") { Kind::Claude } else { Kind::OpenAi }
}

#[test]
fn every_recording_is_replayed_here() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".sse")?.to_owned()))
        .collect();
    found.sort();
    assert_eq!(found, FROZEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_recordings_come_out_whole_event_by_event_and_byte_by_byte() {
    for name in FROZEN {
        let stream = frozen(name).unwrap();
        let wanted = expected(name);
        for steps in [events(&stream), bytes(&stream)] {
            let pieces = steps.len();
            let mut comes = Comes::of(&replayed(kind_of(name), steps).await);
            if wanted.tokens.is_none() {
                comes.tokens = None;
            }
            assert_eq!(comes, wanted, "{name} in {pieces} pieces");
        }
        // Pings between, as Claude sends them at any time.
        if kind_of(name) == Kind::Claude {
            let ping = Step::event(&json!({"type": "ping"}));
            let steps = events(&stream).into_iter().flat_map(|step| [ping.clone(), step]).collect();
            assert_eq!(Comes::of(&replayed(Kind::Claude, steps).await).calls, wanted.calls, "{name} with pings");
        }
    }
}

fn cut(stream: &[u8], at: usize) -> Vec<SseEvent> {
    let (mut parser, mut events) = (SseParser::default(), Vec::new());
    for mut piece in [&stream[..at], &stream[at..]] {
        while let Some(event) = parser.next(&mut piece).unwrap() {
            events.push(event);
        }
    }
    events
}

#[test]
fn wherever_a_recording_is_cut_its_events_are_the_same() {
    for name in FROZEN {
        let stream = frozen(name).unwrap();
        let whole = cut(&stream, 0);
        assert!(whole.len() > 5, "{name}: {} events", whole.len());
        for at in 1..stream.len() {
            assert_eq!(cut(&stream, at), whole, "{name} cut at {at}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_breaks_off_is_no_answer() {
    for name in FROZEN {
        let stream = frozen(name).unwrap();
        let half = &stream[..stream.len() / 2];
        let outcome = replayed(kind_of(name), events(half).into_iter().chain([Step::Cut]).collect()).await;
        assert!(outcome.reply.is_none() && outcome.error.is_some(), "{name}: {:?}", outcome.reply);
    }
}

/// Others' recordings must not be copied here: where they are, they are replayed as well, and it is said which.
#[tokio::test(flavor = "multi_thread")]
async fn recordings_of_others_come_out_whole_where_they_are() {
    let wanted = [
        ("llama-server-b11669-openai-tool.sse", Kind::OpenAi),
        ("llama-server-b11669-anthropic-tool-thinking.sse", Kind::Claude),
    ];
    // What holds for them holds for ours, which are always here.
    let ours = [("llama-openai-calls", Kind::OpenAi), ("llama-claude-calls", Kind::Claude)];
    let others = wanted.map(|(name, kind)| (name, kind, shared(name)));
    let ours = ours.map(|(name, kind)| (name, kind, Some(frozen(name).unwrap())));
    for (name, kind, stream) in others.into_iter().chain(ours) {
        let Some(stream) = stream else {
            eprintln!("{name} is not beside the workspace; ours were replayed");
            continue;
        };
        eprintln!("{name} is replayed");
        let outcome = replayed(kind, events(&stream)).await;
        let reply = outcome.reply();
        assert!(matches!(reply.message.blocks[0], Block::Thinking(_)), "{name}: {reply:?}");
        assert_eq!(
            (&reply.stop, outcome.spoken().as_str()),
            (&StopReason::ToolUse, ""),
            "{name}: thoughts are not spoken"
        );
        let call = reply.message.calls().next().unwrap();
        assert_eq!(call.args.to_value(), json!({"node": "pve1"}), "{name}");
        let ended = outcome.events.iter().any(|e| matches!(e, jarvisd::mind::Event::Delta(Delta::Stop(_))));
        assert!(ended, "{name}");
    }
}
