//! Ten thousand turns on a seeded virtual clock, with everything that can go wrong going wrong.
//!
//! The house around the turn answers late, badly, twice, or not at all; the person pauses, goes on, says stop, or leaves. Whatever the
//! seed brings, each turn must finish, within its limit, and keep the promises that hold for all turns.

use super::*;

/// How many turns; `sim.day.unfinished` counts those of them that don't finish.
const TURNS: u64 = 10_000;
/// Step of the clock.
const STEP_MS: u64 = 20;
/// Turned by hand to look at another day.
const SEED: u64 = 2026;

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize].clone()
    }
}

/// One simulated turn: inputs that are on their way, by the time they arrive.
struct World {
    dice: Dice,
    turn: Turn,
    now: Millis,
    due: Vec<(Millis, Input)>,
    ear: bool,
    held: bool,
    mic_until: Millis,
    faults: bool,
    effects: Vec<Effect>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let now = Millis(10_000);
        let wake = Wake {
            phrase: "hey jarvis".into(),
            score: 0.6,
            sure: dice.percent(30),
            enrolled: dice.percent(10),
            at: now,
        };
        let ear = EarStanding { tried_on_people: dice.percent(50), knows_phrase: dice.percent(80) };
        let opening = match dice.below(10) {
            0 => Opening::Typed { text: "how hot is node two".into(), aloud: dice.percent(50) },
            1 => Opening::Unasked,
            2 => Opening::Announcement,
            _ => Opening::Wake(wake, ear),
        };
        let mic = if matches!(opening, Opening::Wake(..) | Opening::Unasked) { 40_000 } else { 0 };
        let faults = dice.percent(60);
        Self {
            turn: Turn::new(opening, now),
            mic_until: now.plus(mic),
            dice,
            now,
            due: Vec::new(),
            ear: true,
            held: false,
            faults,
            effects: Vec::new(),
        }
    }

    /// Something goes wrong with so many percent of the things that may.
    fn fault(&mut self, percent: u64) -> bool {
        self.faults && self.dice.percent(percent)
    }

    fn soon(&mut self, within: u64, input: Input) {
        let at = self.now.plus(self.dice.below(within + 1));
        if self.fault(2) {
            self.due.push((at, input.clone()));
        }
        self.due.push((at, input));
    }

    /// What happens over the whole turn, whatever it does.
    fn script(&mut self) {
        const TEXTS: [(&str, Meaning); 8] = [
            ("", Meaning::Nothing),
            ("hey jarvis", Meaning::Nothing),
            ("hey jarvis how hot is", Meaning::Open),
            ("hey jarvis how hot is node two", Meaning::Complete),
            ("hey jarvis how is the cluster", Meaning::Extendable),
            ("a jar of this", Meaning::Unknown),
            ("hey jarvis stop", Meaning::ShortWord),
            ("hey jarvis sing me a song", Meaning::Unknown),
        ];
        for _ in 0..self.dice.below(6) {
            let (text, meaning) = self.dice.of(&TEXTS);
            let at = self.now.plus(self.dice.below(6000));
            self.due.push((at, Input::Partial { text: text.to_owned(), meaning, heard: at }));
        }
        let faults = [
            Input::EarLost,
            Input::EarBusy,
            Input::MicEnded(MicEnd::MicLost),
            Input::MicEnded(MicEnd::Cut),
            Input::MicEnded(MicEnd::TooLong),
            Input::MicEnded(MicEnd::InOrder),
            Input::LinkDown,
            Input::StopPressed,
            Input::Superseded,
            Input::Shutdown,
            Input::SpeechFailed(Attempt(0)),
            Input::Uncommitted(Attempt(0)),
            Input::PlaybackDone(Attempt(0), Millis(0)),
            Input::PlaybackBroken(Attempt(0)),
        ];
        if self.faults {
            for _ in 0..self.dice.below(3) {
                let fault = self.dice.of(&faults);
                if fault == Input::LinkDown && self.dice.percent(70) {
                    let back = self.now.plus(self.dice.below(30_000));
                    self.due.push((back, Input::LinkUp));
                }
                let at = self.now.plus(self.dice.below(12_000));
                self.due.push((at, fault));
            }
        }
    }

    /// The house does what it is asked, mostly.
    fn carry_out(&mut self, effect: Effect) {
        self.effects.push(effect.clone());
        if self.fault(4) {
            return;
        }
        match effect {
            Effect::HoldEar => self.held = true,
            Effect::ResumeEar => self.held = false,
            Effect::DropEar => self.ear = false,
            Effect::FinishEar => {
                self.ear = false;
                let text = self.turn.asked().to_owned();
                let changed = self.dice.percent(10);
                let text = if changed { "hey jarvis how hot is node three".to_owned() } else { text };
                self.soon(20, Input::Final { text, changed });
            }
            Effect::CloseMic { .. } => self.mic_until = self.now,
            Effect::Commit(attempt, _) => {
                let done = if self.fault(5) { Err(Trouble::NoRecords) } else { Ok(()) };
                self.soon(10, Input::Committed(attempt, done));
            }
            Effect::Answer(attempt) => self.answer(attempt),
            Effect::Speak(_, Speech::Filler) => {}
            Effect::Speak(attempt, _) => self.speak(attempt),
            Effect::SpeakRest(attempt) => self.speak(attempt),
            Effect::Withdraw(_) | Effect::Hush(_) | Effect::SpeakOn(_) | Effect::Mute(_) => {}
            Effect::Show(_) | Effect::Partial(_) | Effect::Foresee(_) | Effect::Forget | Effect::Finish(_) => {}
        }
    }

    fn answer(&mut self, attempt: Attempt) {
        if self.dice.percent(30) {
            return self.mind(attempt);
        }
        self.soon(5, Input::Understood(attempt));
        let slow = if self.fault(30) { 20_000 } else { 200 };
        let outcome = self.dice.of(&[
            Outcome::Reply,
            Outcome::Reply,
            Outcome::Reply,
            Outcome::Quiet,
            Outcome::NotUnderstood,
            Outcome::Failed(Trouble::ClusterUnknown),
        ]);
        self.soon(slow, Input::Answered(attempt, outcome));
    }

    /// A model answers: late, in sentences, or never.
    fn mind(&mut self, attempt: Attempt) {
        self.soon(5, Input::Minding(attempt));
        let slow = if self.fault(30) { 60_000 } else { 5_000 };
        for _ in 0..self.dice.below(4) {
            self.soon(slow, Input::Sentence(attempt));
        }
        if !self.fault(10) {
            let outcome = self.dice.of(&[Outcome::Reply, Outcome::Reply, Outcome::Failed(Trouble::Internal)]);
            self.soon(slow, Input::Answered(attempt, outcome));
        }
    }

    fn speak(&mut self, attempt: Attempt) {
        if self.fault(10) {
            let failed = self.dice.of(&[Input::SpeechFailed(attempt), Input::Uncommitted(attempt), Input::LinkDown]);
            return self.soon(3000, failed);
        }
        let slow = if self.fault(20) { 25_000 } else { 100 };
        let starts = self.now.plus(self.dice.below(slow));
        let sound_ms = 500 + self.dice.below(6000);
        let ends = starts.plus(sound_ms);
        self.due.push((starts, Input::Saying(attempt, "Quite well, sir.".to_owned())));
        self.due.push((starts, Input::PlaybackStarted(attempt, starts)));
        self.due.push((ends, Input::Spoken { attempt, sound_ms }));
        if self.fault(5) {
            let broken = starts.plus(self.dice.below(sound_ms + 500));
            self.due.push((broken, Input::PlaybackBroken(attempt)));
        } else if !self.fault(5) {
            self.due.push((ends.plus(500), Input::PlaybackDone(attempt, ends.plus(500))));
        }
    }

    fn step(&mut self) {
        self.now = self.now.plus(STEP_MS);
        let now = self.now;
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.due).into_iter().partition(|(at, _)| *at <= now);
        self.due = later;
        for (_, input) in due {
            let deaf = matches!(input, Input::Partial { .. }) && (!self.ear || self.held);
            if !deaf {
                self.turn.handle(input, now);
            }
            self.settle();
        }
        if now < self.mic_until && !self.fault(1) {
            let voice = if (now.0 / 700).is_multiple_of(3) { 250 } else { 5 };
            self.turn.handle(Input::Frame { captured: now, voice }, now);
        }
        if self.turn.poll_timeout().is_some_and(|due| due <= now) {
            self.turn.handle_timeout(now);
        }
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(effect) = self.turn.poll_output() {
            self.carry_out(effect);
        }
    }

    /// Runs to the end; says what was broken.
    fn run(mut self, kill_at: Option<u64>) -> Result<Ending, String> {
        let began = self.now;
        self.script();
        self.settle();
        while !self.turn.is_over() {
            if kill_at.is_some_and(|ms| self.now.since(began) >= ms) {
                // From here on the whole house is dead: nothing is heard, done or told any more.
                self.mic_until = Millis(0);
                self.due.clear();
                self.now = self.turn.poll_timeout().ok_or("it waits for nothing, and is not over")?.max(self.now);
                self.turn.handle_timeout(self.now);
                while let Some(effect) = self.turn.poll_output() {
                    self.effects.push(effect);
                }
            } else {
                self.step();
            }
            if self.now.since(began) > TURN_MAX_MS + STEP_MS {
                return Err(format!("unfinished: {:?}", self.turn));
            }
        }
        self.judge()
    }

    fn judge(self) -> Result<Ending, String> {
        let finishes: Vec<_> = self
            .effects
            .iter()
            .filter_map(|e| if let Effect::Finish(ending) = e { Some(*ending) } else { None })
            .collect();
        let [ending] = finishes[..] else { return Err(format!("finished {} times", finishes.len())) };
        if !matches!(self.effects.last(), Some(Effect::Finish(_))) {
            return Err("it did something after its end".to_owned());
        }
        let spoke = self.effects.iter().any(|e| matches!(e, Effect::Speak(..) | Effect::SpeakOn(_)));
        match ending {
            Ending::Answered | Ending::Sorry(_) if !spoke && self.turn.spoken && !self.timed_out() => {
                Err(format!("{ending:?} without a word"))
            }
            Ending::FalseWake if spoke => Err("spoke to a false wake".to_owned()),
            Ending::FalseWake if !self.effects.contains(&Effect::Forget) => {
                Err("kept what a false wake heard".to_owned())
            }
            _ => self.in_order().map(|()| ending),
        }
    }

    fn timed_out(&self) -> bool {
        self.now >= self.turn.ends_by
    }

    /// Committed first: no attempt is answered before its transcript was committed; none is spoken after it was withdrawn.
    fn in_order(&self) -> Result<(), String> {
        let mut committed = None;
        let mut gone = Vec::new();
        for effect in &self.effects {
            match effect {
                Effect::Commit(attempt, _) => committed = Some(*attempt),
                Effect::Answer(attempt) if committed != Some(*attempt) => {
                    return Err("answered before the commit".into());
                }
                Effect::Withdraw(attempt) | Effect::Hush(attempt) => gone.push(*attempt),
                Effect::Speak(attempt, _) | Effect::SpeakOn(attempt) | Effect::SpeakRest(attempt)
                    if gone.contains(attempt) =>
                {
                    return Err("spoke what was withdrawn".into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[test]
fn of_ten_thousand_turns_with_faults_none_is_unfinished() {
    println!("seed {SEED}");
    let mut endings = std::collections::BTreeMap::new();
    let mut broken = Vec::new();
    for n in 0..TURNS {
        match World::new(SEED.wrapping_mul(1_000_003).wrapping_add(n)).run(None) {
            Ok(ending) => *endings.entry(format!("{ending:?}")).or_insert(0u32) += 1,
            Err(what) => broken.push(format!("turn {n}: {what}")),
        }
    }
    println!("sim.day.unfinished {} of {TURNS}; endings {endings:?}", broken.len());
    assert!(broken.is_empty(), "{} broken, first: {}", broken.len(), broken[0]);
    assert!(endings.len() >= 10, "the faults are too tame: {endings:?}");
}

#[test]
fn a_house_that_dies_at_any_moment_leaves_no_turn_unfinished() {
    println!("seed {SEED}");
    for n in 0..400 {
        for kill_at in (0..12_000).step_by(600) {
            if let Err(what) = World::new(SEED ^ n).run(Some(kill_at)) {
                panic!("turn {n}, dead after {kill_at} ms: {what}");
            }
        }
    }
}
