//! Runs on a seeded virtual clock, with models that loop, tools that hang and providers that break: whatever happens, each run ends in
//! time and keeps the promises that hold for all runs.

use std::collections::BTreeSet;

use super::*;
use crate::ids::ApprovalId;
use crate::mind::args::ToolArgs;
use crate::mind::error::{Fault, ProviderError};
use crate::mind::message::{Block, Role, ToolUse, Usage};

/// How many runs.
const RUNS: u64 = 5_000;
/// Turned by hand to look at others.
const SEED: u64 = 2026;

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What a model of this run is like.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Sensible,
    Looping,
    Busy,
    Wild,
}

struct World {
    dice: Dice,
    mood: Mood,
    /// Whether everybody answers within a second or two.
    quick: bool,
    /// Whether each answer takes many tokens.
    greedy: bool,
    /// Whether most results are long.
    bulky: bool,
    agent: Agent,
    now: Millis,
    due: Vec<(Millis, Input)>,
    /// Places in the message whose calls were written down.
    begun: BTreeSet<usize>,
    changes: Vec<String>,
    heard_out: bool,
    when: When,
    ends: Vec<End>,
}

const CALLS: [(&str, &str); 10] = [
    ("read_cluster", "{}"),
    ("read_tasks", "{}"),
    ("read_guest_config", r#"{"vmid":112}"#),
    ("guest_start", r#"{"vmid":112}"#),
    ("guest_stop", r#"{"vmid":113}"#),
    ("memory_remember", r#"{"text":"the nas hums"}"#),
    ("page_note", r#"{"text":"a table"}"#),
    ("guest_start", r#"{"vmid":"#),
    ("rm_rf", "{}"),
    ("memory_about", "nonsense"),
];

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mood = match dice.below(4) {
            0 => Mood::Sensible,
            1 => Mood::Looping,
            2 => Mood::Busy,
            _ => Mood::Wild,
        };
        let (quick, greedy, bulky) = (dice.percent(50), dice.percent(50), dice.percent(50));
        let when = if dice.percent(50) { When::AtOnce } else { When::HeardOut };
        let now = Millis(50_000);
        let start =
            Start { messages: vec![Message::user("x")], when, tainted: dice.percent(20), described: dice.percent(20) };
        let agent = Agent::new(start, Limits::default(), now);
        // Now and then nobody ever stops talking.
        let due = if dice.percent(95) { vec![(now.plus(dice.below(3_000)), Input::HeardOut)] } else { Vec::new() };
        let (begun, changes) = (BTreeSet::new(), Vec::new());
        Self {
            dice,
            mood,
            quick,
            greedy,
            bulky,
            agent,
            now,
            due,
            begun,
            changes,
            heard_out: false,
            when,
            ends: Vec::new(),
        }
    }

    fn soon(&mut self, within: u64, input: Input) {
        let at = self.now.plus(self.dice.below(within + 1));
        // Now and then something is told twice.
        if self.dice.percent(2) {
            self.due.push((at, input.clone()));
        }
        self.due.push((at, input));
    }

    fn model(&mut self) {
        // Now and then it never answers.
        if self.dice.percent(2) {
            return;
        }
        if self.dice.percent(5) {
            return self.soon(20_000, Input::Failed(ProviderError::new("p", Fault::BrokenStream, "")));
        }
        let calls = match self.mood {
            Mood::Sensible => u64::from(self.dice.percent(60)) * (1 + self.dice.below(3)),
            Mood::Looping => 1,
            Mood::Busy => 2,
            Mood::Wild => self.dice.below(25),
        };
        let calls = (0..calls).map(|n| {
            let which = match self.mood {
                Mood::Sensible => self.dice.below(7),
                Mood::Looping => 1,
                Mood::Busy => 2,
                Mood::Wild => self.dice.below(CALLS.len() as u64),
            };
            let (name, args) = CALLS[which as usize];
            // Somebody busy looks at one guest after the other.
            let vmid = 200 + self.dice.below(10_000);
            let other =
                if matches!(self.mood, Mood::Busy) { args.replace("112", &vmid.to_string()) } else { args.to_owned() };
            let args = ToolArgs::read(&other, self.dice.percent(90));
            Block::ToolUse(ToolUse { id: CallId(format!("c{n}")), name: name.to_owned(), args })
        });
        let mut blocks: Vec<Block> = calls.collect();
        if self.dice.percent(70) {
            blocks.insert(0, Block::Text { text: "Very good, sir.".to_owned() });
        }
        let stop = match self.dice.below(40) {
            0 => StopReason::MaxTokens,
            1 => StopReason::Refusal { why: None },
            2 => StopReason::Unknown("new".into()),
            3 => StopReason::ContextExceeded,
            _ => StopReason::ToolUse,
        };
        let tokens = if self.greedy { 60_000 } else { 10_000 };
        let usage = Usage { input: self.dice.below(tokens), output: self.dice.below(2_000), ..Usage::default() };
        let message = Message { role: Role::Assistant, blocks };
        let within = if self.quick { 2_000 } else { 25_000 };
        self.soon(within, Input::Answered(Box::new(Reply { message, stop, usage, model: "m".into() })));
    }

    fn tool(&mut self, at: usize, change: bool) {
        // Now and then it hangs.
        if self.dice.percent(5) {
            return;
        }
        let (large, long) = if self.bulky { (80, 60_000) } else { (5, 5 << 20) };
        let bytes = if self.dice.percent(large) { long } else { 300 };
        let ran = match self.dice.below(10) {
            0..3 if change => Ran::Asked { approval: ApprovalId(1) },
            3 if change => Ran::Declined,
            n => Ran::Told { text: "x".repeat(bytes), is_error: n == 9, untrusted: self.dice.percent(80) },
        };
        let within = if self.quick { 1_000 } else { 15_000 };
        self.soon(within, Input::Ran { at, ran });
    }

    fn carry_out(&mut self, effect: Effect) {
        assert!(self.ends.is_empty(), "nothing comes after the end: {effect:?}");
        match effect {
            Effect::Write(Step::Began { calls }) => self.begun.extend(calls.into_iter().map(|call| call.at)),
            Effect::Write(_) => {}
            Effect::Ask => {
                self.begun.clear();
                assert!(self.heard_out || self.when == When::AtOnce, "money is spent before anybody was heard out");
                check(self.agent.messages());
                self.model();
            }
            Effect::Read { at, .. } => {
                assert!(self.begun.contains(&at), "a read that was not written down");
                self.tool(at, false);
            }
            Effect::Change { at, call, .. } => {
                assert!(self.begun.remove(&at), "a change that was not written down, or a second time");
                assert!(self.heard_out, "a change before anybody was heard out");
                self.changes.push(format!("{call:?}"));
                self.tool(at, true);
            }
            Effect::Abandon { .. } => {}
            Effect::End(end) => self.ends.push(end),
        }
    }

    fn run(mut self, seed: u64) -> End {
        let latest = self.now.plus(Limits::default().wall_ms);
        loop {
            while let Some(effect) = self.agent.poll_output() {
                self.carry_out(effect);
            }
            let Some(timeout) = self.agent.poll_timeout() else { break };
            self.due.sort_by_key(|(at, _)| *at);
            match self.due.first() {
                Some((at, _)) if *at < timeout => {
                    let (at, input) = self.due.remove(0);
                    self.now = at;
                    self.heard_out |= input == Input::HeardOut;
                    self.agent.handle(input, at);
                }
                _ => {
                    self.now = timeout;
                    self.agent.handle_timeout(timeout);
                }
            }
            assert!(self.now <= latest, "seed {seed}: it goes on after its time");
        }
        let distinct: BTreeSet<_> = self.changes.iter().collect();
        assert_eq!(distinct.len(), self.changes.len(), "seed {seed}: a change ran twice: {:?}", self.changes);
        assert!(self.agent.steps() <= Limits::default().steps);
        assert_eq!(self.ends.len(), 1, "seed {seed}");
        self.ends.remove(0)
    }
}

/// What every provider demands: each call is answered by the next message, in order, and nothing else is.
fn check(messages: &[Message]) {
    let mut open: Vec<CallId> = Vec::new();
    for message in messages {
        let answered: Vec<CallId> = message
            .blocks
            .iter()
            .filter_map(|block| match block {
                Block::ToolResult(result) => Some(result.id.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(answered, open);
        open = message.calls().map(|call| call.id.clone()).collect();
    }
    assert!(open.is_empty());
}

#[test]
fn every_run_ends_in_time_and_no_change_runs_twice() {
    let mut seen = BTreeSet::new();
    for n in 0..RUNS {
        let seed = SEED.wrapping_mul(1_000_003).wrapping_add(n);
        let end = World::new(seed).run(seed);
        seen.insert(match end {
            End::Limit { limit } => format!("{limit:?}"),
            end => end.name().to_owned(),
        });
    }
    println!("seed {SEED}: {RUNS} runs ended in {seen:?}");
    for wanted in [
        "Repeats",
        "Results",
        "Steps",
        "Time",
        "Tokens",
        "Window",
        "answered",
        "broken",
        "declined",
        "handed_over",
        "refused",
    ] {
        assert!(seen.contains(wanted), "no run ended in {wanted}: {seen:?}");
    }
}
