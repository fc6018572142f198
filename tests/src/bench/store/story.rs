//! What a child writes: an endless story of turns that its seed fixes.

use jarvis_core::ids::TurnId;
use jarvis_core::tool::Tier;
use jarvisd::store::{NewTurn, SentenceRow, Source, ToolRow, TurnRow, WakeRow};
use serde_json::json;

/// A seeded sequence of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(super) struct Seeded(u64);

impl Seeded {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn words(&mut self) -> String {
        let length = 1 + self.below(40);
        // Numbers too short to be taken for somebody's secret.
        (0..length).map(|_| format!("{} ", self.below(1_000_000))).collect()
    }
}

/// One write: one commit.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Begin(NewTurn),
    WakeCheck(&'static str),
    Transcript(String),
    Route(&'static str, String),
    Tool(ToolRow),
    Sentence(u16, String),
    Reply(String),
    Answered(Vec<ToolRow>, String),
    Marks(Vec<(String, i64)>),
    Finish(Option<String>),
}

/// The room that marks the turns of a life.
pub(super) fn room(seed: u64) -> String {
    format!("room {seed:016x}")
}

/// All the steps of a life, without end.
pub(super) fn steps(seed: u64) -> impl Iterator<Item = Step> {
    let mut random = Seeded::new(seed);
    (0..).flat_map(move |_| turn(seed, &mut random))
}

fn turn(seed: u64, random: &mut Seeded) -> Vec<Step> {
    let woken = random.below(2) == 0;
    let mut steps = vec![Step::Begin(NewTurn {
        room: room(seed),
        satellite: woken.then(|| "study".into()),
        source: if woken { Source::Voice } else { Source::Typed },
        started_ms: 1_700_000_000_000 + random.below(1_000_000) as i64,
        wake: woken.then(|| WakeRow { phrase: "hey jarvis".into(), score: 0.5, check: None }),
    })];
    if woken {
        steps.push(Step::WakeCheck("confirmed"));
    }
    steps.push(Step::Transcript(random.words()));
    steps.push(Step::Route("intent", random.words()));
    let tools: Vec<ToolRow> = (0..random.below(3)).map(|_| tool(random)).collect();
    let reply = random.words();
    // Half of them as one answer, half piece by piece.
    if random.below(2) == 0 {
        steps.push(Step::Answered(tools, reply));
    } else {
        steps.extend(tools.into_iter().map(Step::Tool));
        steps.push(Step::Reply(reply));
    }
    for place in 0..1 + random.below(3) {
        steps.push(Step::Sentence(place as u16, random.words()));
    }
    let mark = |name: &str, random: &mut Seeded| (name.to_owned(), random.below(9000) as i64);
    steps.push(Step::Marks(vec![mark("played", random), mark("wake", random)]));
    steps.push(Step::Finish((random.below(4) == 0).then(|| random.words())));
    steps
}

fn tool(random: &mut Seeded) -> ToolRow {
    let args = json!({"nodes": [random.words()]});
    ToolRow { name: "temperatures".into(), args, tier: Tier::Green, outcome: "ok".into(), ms: random.below(5000) }
}

/// The turns of a life after `count` steps, as [`comparable`] leaves them, oldest first.
pub(super) fn after(seed: u64, count: u64) -> Vec<TurnRow> {
    let mut turns: Vec<TurnRow> = Vec::new();
    for step in steps(seed).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        if let Step::Begin(new) = step {
            turns.push(begun(new));
        } else if let Some(turn) = turns.last_mut() {
            apply(turn, step);
        }
    }
    turns.into_iter().map(comparable).collect()
}

fn begun(new: NewTurn) -> TurnRow {
    TurnRow {
        id: TurnId(0),
        conversation: 0,
        room: new.room,
        satellite: new.satellite,
        source: new.source,
        started_ms: new.started_ms,
        wake: new.wake,
        transcript: None,
        route: None,
        tools: Vec::new(),
        sentences: Vec::new(),
        reply: None,
        page: None,
        marks: Vec::new(),
        finished_ms: None,
        error: Some("cut".into()),
        forgotten_ms: None,
    }
}

fn apply(turn: &mut TurnRow, step: Step) {
    match step {
        Step::Begin(_) => {}
        Step::WakeCheck(check) => {
            if let Some(wake) = &mut turn.wake {
                wake.check = Some(check.to_owned());
            }
        }
        Step::Transcript(text) => turn.transcript = Some(text),
        Step::Route(kind, reason) => turn.route = Some((kind.to_owned(), reason)),
        Step::Tool(tool) => turn.tools.push(tool),
        Step::Sentence(place, text) => turn.sentences.push(SentenceRow { place, text }),
        Step::Reply(text) => turn.reply = Some(text),
        Step::Answered(tools, text) => {
            turn.tools.extend(tools);
            turn.reply = Some(text);
        }
        Step::Marks(marks) => turn.marks = marks,
        Step::Finish(error) => turn.error = error,
    }
}

/// Without what the seed does not fix: numbers the database gives, the time of the end, and the words about a turn that was cut.
pub(super) fn comparable(mut turn: TurnRow) -> TurnRow {
    turn.id = TurnId(0);
    turn.conversation = 0;
    turn.finished_ms = None;
    if turn.error.as_deref().is_some_and(|e| e.starts_with("the daemon ended")) {
        turn.error = Some("cut".into());
    }
    turn
}
