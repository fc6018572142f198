//! Turns on a virtual clock: a scripted person, ear and house around the state machine.
//!
//! Length: one scene plays every situation of a turn; apart, each file would repeat it.

use super::*;
use crate::endpoint::{COMPLETE_MS, NO_SPEECH_MS, OPEN_MS, REOPEN_MS, SHORT_WORD_MS, UNKNOWN_MS, UTTERANCE_MAX_MS};

/// What somebody says: words that the ear shows when they end, with what they mean up to there.
#[derive(Debug, Clone)]
enum Said {
    Words(&'static str, Meaning, u64),
    Pause(u64),
}
use Said::{Pause, Words};

/// A turn, its clock, and a house that does at once what it is asked, as far as `answers` lets it.
struct Scene {
    turn: Turn,
    now: Millis,
    effects: Vec<(u64, Effect)>,
    outcome: Option<Outcome>,
    text: String,
    meaning: Meaning,
    held: bool,
    mic: bool,
    final_text: Option<&'static str>,
}

const WAKE: u64 = 1500;

fn committed(effect: &Effect) -> Option<&str> {
    match effect {
        Effect::Commit(_, text) => Some(text),
        _ => None,
    }
}

fn wake() -> Wake {
    Wake { phrase: "hey jarvis".into(), score: 0.6, sure: false, enrolled: false, at: Millis(WAKE) }
}

fn demo_ear() -> EarStanding {
    EarStanding { tried_on_people: false, knows_phrase: true }
}

impl Scene {
    fn new(opening: Opening) -> Self {
        let mut scene = Self {
            turn: Turn::new(opening, Millis(WAKE)),
            now: Millis(WAKE),
            effects: Vec::new(),
            outcome: Some(Outcome::Reply),
            text: String::new(),
            meaning: Meaning::Nothing,
            held: false,
            mic: true,
            final_text: None,
        };
        scene.settle();
        scene
    }

    fn woken() -> Self {
        let mut scene = Self::new(Opening::Wake(wake(), demo_ear()));
        scene.words("hey jarvis", Meaning::Nothing);
        scene
    }

    fn words(&mut self, text: &str, meaning: Meaning) {
        self.text = text.to_owned();
        self.meaning = meaning;
        self.partial();
    }

    fn partial(&mut self) {
        let input = Input::Partial { text: self.text.clone(), meaning: self.meaning, heard: self.now };
        self.input(input);
    }

    fn input(&mut self, input: Input) {
        self.turn.handle(input, self.now);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(effect) = self.turn.poll_output() {
            self.effects.push((self.now.0, effect.clone()));
            let now = self.now;
            match effect {
                Effect::HoldEar => self.held = true,
                Effect::ResumeEar => self.held = false,
                Effect::CloseMic { .. } => self.mic = false,
                Effect::FinishEar => {
                    let text = self.final_text.map_or(self.text.clone(), str::to_owned);
                    let changed = text != self.text;
                    self.turn.handle(Input::Final { text, changed }, now);
                }
                Effect::Commit(attempt, _) => self.turn.handle(Input::Committed(attempt, Ok(())), now),
                Effect::Answer(attempt) => {
                    if let Some(outcome) = self.outcome {
                        self.turn.handle(Input::Understood(attempt), now);
                        self.turn.handle(Input::Answered(attempt, outcome), now);
                    }
                }
                _ => {}
            }
        }
    }

    /// Time passes, frame by frame; the ear repeats itself, as the real one does.
    fn pass(&mut self, ms: u64, voice: u8) {
        for _ in 0..ms / 20 {
            if self.turn.is_over() {
                return;
            }
            self.now = self.now.plus(20);
            if self.turn.poll_timeout().is_some_and(|due| due <= self.now) {
                self.turn.handle_timeout(self.now);
                self.settle();
            }
            if self.mic {
                let captured = self.now;
                self.input(Input::Frame { captured, voice });
                if !self.held && self.now.0.is_multiple_of(100) {
                    self.partial();
                }
            }
        }
    }

    fn say(&mut self, said: &[Said]) {
        for said in said {
            match said {
                Words(text, meaning, ms) => {
                    self.pass(*ms, 250);
                    if !self.held {
                        let text = format!("hey jarvis {text}");
                        self.words(&text, *meaning);
                    }
                }
                Pause(ms) => self.pass(*ms, 5),
            }
        }
    }

    fn speak_out(&mut self) {
        self.pass(40, 5);
        let attempt = self.turn.attempt();
        self.input(Input::PlaybackStarted(attempt, self.now));
        self.input(Input::Spoken { attempt, sound_ms: 1500 });
        self.pass(1500, 5);
        self.input(Input::PlaybackDone(attempt, self.now));
    }

    fn at(&self, wanted: impl Fn(&Effect) -> bool) -> Vec<u64> {
        self.effects.iter().filter(|(_, e)| wanted(e)).map(|(at, _)| *at).collect()
    }

    fn commits(&self) -> Vec<&str> {
        self.effects.iter().filter_map(|(_, effect)| committed(effect)).collect()
    }

    fn ending(&self) -> Option<Ending> {
        self.effects.iter().find_map(|(_, e)| if let Effect::Finish(ending) = e { Some(*ending) } else { None })
    }

    fn spoken(&self) -> Vec<Speech> {
        self.effects
            .iter()
            .filter_map(|(_, e)| if let Effect::Speak(_, speech) = e { Some(*speech) } else { None })
            .collect()
    }
}

#[test]
fn a_whole_request_ends_early_and_the_answer_follows_at_once() {
    let mut scene = Scene::woken();
    scene.say(&[Words("how hot is node two", Meaning::Complete, 1400), Pause(400)]);
    let speech_end = WAKE + 1400;
    let ended = scene.at(|e| matches!(e, Effect::Commit(..)))[0];
    assert!((COMPLETE_MS..=COMPLETE_MS + 20).contains(&(ended - speech_end)), "{ended}");
    assert_eq!(scene.at(|e| matches!(e, Effect::Speak(_, Speech::Reply))), [ended]);
    assert_eq!(scene.commits(), ["how hot is node two"]);
    scene.speak_out();
    assert_eq!(scene.ending(), Some(Ending::Answered));
    let marks = scene.turn.marks().relative();
    assert_eq!(marks.speech_end, Some(1400));
    assert!(marks.played > marks.first_audio && marks.first_audio > marks.transcript, "{marks:?}");
    assert_eq!(scene.turn.wake_check(), Some(WakeCheck::Confirmed));
}

#[test]
fn what_may_or_may_not_be_whole_gets_700_ms_and_a_beginning_1600() {
    for (meaning, wait) in
        [(Meaning::Unknown, UNKNOWN_MS), (Meaning::Open, OPEN_MS), (Meaning::ShortWord, SHORT_WORD_MS)]
    {
        let mut scene = Scene::woken();
        scene.say(&[Words("some words", meaning, 600), Pause(wait - 20)]);
        assert!(scene.commits().is_empty(), "{meaning:?} cut short");
        scene.say(&[Pause(60)]);
        assert_eq!(scene.commits(), ["some words"], "{meaning:?} not ended");
    }
}

#[test]
fn a_pause_within_a_request_is_one_turn_with_one_text() {
    for pause in (500..=1200).step_by(20) {
        let mut scene = Scene::woken();
        scene.say(&[
            Words("how hot is", Meaning::Open, 500),
            Pause(pause),
            Words("how hot is node two", Meaning::Complete, 600),
            Pause(400),
        ]);
        scene.speak_out();
        assert_eq!(scene.commits(), ["how hot is node two"], "{pause} ms");
        assert_eq!(scene.spoken(), [Speech::Reply]);
        assert_eq!(scene.ending(), Some(Ending::Answered));
    }
}

#[test]
fn going_on_before_the_answer_sounds_reopens_and_is_heard_as_one_request() {
    let mut scene = Scene::woken();
    scene.outcome = None;
    scene.say(&[Words("how is the cluster", Meaning::Complete, 900), Pause(600)]);
    assert_eq!(scene.commits(), ["how is the cluster"]);
    scene.outcome = Some(Outcome::Reply);
    // Words while frames are held back reach the ear once the voice has reopened the turn.
    scene.pass(200, 250);
    assert!(!scene.held, "the voice must reopen the turn");
    scene.say(&[Words("how is the cluster on node two", Meaning::Complete, 500), Pause(400)]);
    assert_eq!(scene.commits(), ["how is the cluster", "how is the cluster on node two"]);
    assert_eq!(scene.at(|e| matches!(e, Effect::Withdraw(_))).len(), 1);
    assert_eq!(scene.spoken(), [Speech::Reply]);
    scene.speak_out();
    assert_eq!(scene.ending(), Some(Ending::Answered));
    assert_eq!(scene.turn.asked(), "how is the cluster on node two");
}

#[test]
fn a_request_is_heard_out_once_the_window_has_passed_and_not_before() {
    let mut scene = Scene::woken();
    scene.say(&[Words("remember the milk", Meaning::Unknown, 900), Pause(UNKNOWN_MS + REOPEN_MS - 40)]);
    assert_eq!(scene.commits(), ["remember the milk"]);
    assert!(!scene.turn.is_heard_out(), "the window is open still");
    scene.say(&[Pause(100)]);
    assert!(scene.turn.is_heard_out() && !scene.mic);

    let mut scene = Scene::woken();
    scene.outcome = None;
    scene.say(&[Words("remember the milk", Meaning::Unknown, 900), Pause(UNKNOWN_MS + 200)]);
    scene.pass(200, 250);
    scene.say(&[Words("remember the milk is sour", Meaning::Unknown, 500), Pause(UNKNOWN_MS + 100)]);
    assert!(!scene.turn.is_heard_out(), "it was reopened, and the second window is open still");
    scene.say(&[Pause(REOPEN_MS)]);
    assert!(scene.turn.is_heard_out());

    let typed = Scene::new(Opening::Typed { text: "remember the milk".into(), aloud: false });
    assert!(typed.turn.is_heard_out(), "a keyboard says nothing more");
}

#[test]
fn over_an_audible_answer_voice_alone_does_not_reopen_but_words_do() {
    let scene = || {
        let mut scene = Scene::woken();
        scene.say(&[Words("how is the cluster", Meaning::Complete, 900), Pause(400)]);
        // It sounds before the satellite's word that it does has come.
        scene.input(Input::Saying(scene.turn.attempt(), "Quite well, sir.".to_owned()));
        scene
    };
    let mut echo = scene();
    echo.pass(400, 250);
    echo.words("hey jarvis how is the cluster [unk]", Meaning::Unknown);
    echo.pass(3000, 5);
    assert_eq!(echo.commits(), ["how is the cluster"]);
    assert_eq!(echo.at(|e| matches!(e, Effect::Withdraw(_))), Vec::<u64>::new());
    let mut person = scene();
    person.pass(300, 250);
    assert!(!person.held, "the ear must listen");
    person.words("hey jarvis how is the cluster on node two", Meaning::Complete);
    person.pass(400, 5);
    assert_eq!(person.commits(), ["how is the cluster", "how is the cluster on node two"]);
    assert_eq!(person.at(|e| matches!(e, Effect::Withdraw(_))).len(), 1);
    let mut itself = scene();
    itself.final_text = Some("hey jarvis how is the cluster on node two");
    itself.input(Input::Saying(itself.turn.attempt(), "Hot, on node two above all.".to_owned()));
    itself.pass(300, 250);
    itself.words("hey jarvis how is the cluster on node two", Meaning::Complete);
    itself.pass(3000, 5);
    assert_eq!((itself.commits(), itself.mic), (vec!["how is the cluster"], false));
}

#[test]
fn the_microphone_closes_only_when_the_reopening_window_has_passed_in_silence() {
    let mut scene = Scene::woken();
    scene.say(&[Words("how is the cluster", Meaning::Complete, 900), Pause(2000)]);
    let ended = scene.at(|e| matches!(e, Effect::HoldEar))[0];
    assert_eq!(scene.at(|e| matches!(e, Effect::CloseMic { .. })), [ended + REOPEN_MS]);
    assert_eq!(scene.at(|e| matches!(e, Effect::CloseMic { .. })), scene.at(|e| *e == Effect::FinishEar));
}

#[test]
fn a_final_that_asks_for_something_else_replaces_the_answer() {
    let mut scene = Scene::woken();
    scene.final_text = Some("hey jarvis how hot is node three");
    scene.say(&[Words("how hot is node two", Meaning::Complete, 900), Pause(1200)]);
    assert_eq!(scene.commits(), ["how hot is node two", "how hot is node three"]);
    assert_eq!(scene.at(|e| matches!(e, Effect::Withdraw(_))).len(), 1);
    scene.speak_out();
    assert_eq!(scene.ending(), Some(Ending::Answered));
}

#[test]
fn stop_acts_on_a_partial() {
    // In silence, and where somebody else speaks on.
    let ways = [(Pause(1200), SHORT_WORD_MS + REOPEN_MS), (Words("stop", Meaning::ShortWord, 1200), STOP_STEADY_MS)];
    for (after, wait) in ways {
        let mut scene = Scene::woken();
        scene.say(&[Words("stop", Meaning::ShortWord, 300), after]);
        assert_eq!((scene.ending(), scene.commits(), scene.spoken()), (Some(Ending::Stopped), vec![], vec![]));
        let stopped = scene.at(|e| matches!(e, Effect::Finish(_)));
        assert!((WAKE + 300 + wait..=WAKE + 400 + wait).contains(&stopped[0]), "{stopped:?}");
        assert!(!scene.mic);
    }
}

#[test]
fn a_stop_stands_if_the_ear_is_lost_and_not_if_its_last_word_asks_for_more() {
    let stop = [Words("stop", Meaning::ShortWord, 300), Pause(400)];
    let mut lost = Scene::woken();
    lost.say(&stop);
    assert_eq!(lost.ending(), None, "somebody may go on yet");
    lost.input(Input::EarLost);
    assert_eq!((lost.ending(), lost.spoken()), (Some(Ending::Stopped), vec![]));
    let mut more = Scene::woken();
    more.final_text = Some("hey jarvis stop the media server");
    more.say(&stop);
    more.say(&[Pause(800)]);
    assert_eq!(more.commits(), ["stop the media server"]);
    more.speak_out();
    assert_eq!(more.ending(), Some(Ending::Answered));
}

#[test]
fn a_guest_that_is_stopped_by_a_slow_speaker_is_heard() {
    let mut scene = Scene::woken();
    scene.say(&[
        Words("stop", Meaning::ShortWord, 300),
        Words("stop", Meaning::ShortWord, 120),
        Words("stop the", Meaning::Unknown, 120),
        Words("stop the media server", Meaning::Complete, 900),
        Pause(1200),
    ]);
    assert_eq!(scene.commits(), ["stop the media server"]);
    scene.speak_out();
    assert_eq!(scene.ending(), Some(Ending::Answered));
}

#[test]
fn who_pauses_after_stop_is_heard_out() {
    for pause in (100..=700).step_by(20) {
        let mut scene = Scene::woken();
        scene.say(&[Words("stop", Meaning::ShortWord, 300), Pause(pause)]);
        assert!(scene.commits().is_empty() && scene.ending().is_none(), "{pause} ms");
        // Words while frames are held back reach the ear once the voice has reopened the turn.
        scene.pass(200, 250);
        let on = Words("stop the", Meaning::Unknown, 120);
        scene.say(&[on, Words("stop the media server", Meaning::Complete, 800), Pause(1200)]);
        assert_eq!(scene.commits(), ["stop the media server"], "{pause} ms");
        scene.speak_out();
        assert_eq!(scene.ending(), Some(Ending::Answered));
    }
}

#[test]
fn a_stop_that_becomes_something_else_stops_nothing() {
    let mut scene = Scene::woken();
    scene.say(&[
        Words("stop", Meaning::ShortWord, 300),
        Words("stop the", Meaning::Unknown, 120),
        Words("start the test machine", Meaning::Complete, 900),
        Pause(1200),
    ]);
    assert_eq!(scene.commits(), ["start the test machine"]);
    scene.speak_out();
    assert_eq!(scene.ending(), Some(Ending::Answered));
}

#[test]
fn an_unconfirmed_wake_is_silent_unless_an_understood_request_follows() {
    let scene = |outcome, heard: &str| {
        let mut scene = Scene::new(Opening::Wake(wake(), demo_ear()));
        scene.outcome = Some(outcome);
        scene.pass(900, 250);
        scene.words(heard, Meaning::Unknown);
        scene.pass(2000, 5);
        scene
    };
    let understood = scene(Outcome::Reply, "how hot is node two");
    assert_eq!(understood.spoken(), [Speech::Reply]);
    let not = scene(Outcome::NotUnderstood, "what a harvest");
    assert_eq!((not.spoken(), not.ending()), (vec![], Some(Ending::FalseWake)));
    assert_eq!(not.at(|e| *e == Effect::Forget).len(), 1);
    let mut nothing = Scene::new(Opening::Wake(wake(), demo_ear()));
    nothing.pass(NO_SPEECH_MS + 1000, 5);
    assert_eq!((nothing.spoken(), nothing.ending()), (vec![], Some(Ending::FalseWake)));
}

#[test]
fn a_confirmed_wake_is_always_answered() {
    let mut not = Scene::woken();
    not.outcome = Some(Outcome::NotUnderstood);
    not.say(&[Words("sing me a song", Meaning::Unknown, 900), Pause(700)]);
    assert_eq!(not.spoken(), [], "somebody may go on yet");
    not.say(&[Pause(800)]);
    assert_eq!(not.spoken(), [Speech::NotUnderstood]);
    let mut nothing = Scene::woken();
    nothing.pass(NO_SPEECH_MS + 1000, 5);
    assert_eq!(nothing.spoken(), [Speech::NotUnderstood]);
}

#[test]
fn a_veto_ends_the_turn_silently_before_anything_is_understood() {
    let ear = EarStanding { tried_on_people: true, knows_phrase: true };
    let mut scene = Scene::new(Opening::Wake(wake(), ear));
    scene.words("the charter is", Meaning::Unknown);
    scene.pass(1000, 250);
    assert_eq!(scene.ending(), Some(Ending::FalseWake));
    assert_eq!(scene.at(|e| matches!(e, Effect::Commit(..))), Vec::<u64>::new());
    assert_eq!(scene.at(|e| *e == Effect::CloseMic { silent: true }).len(), 1);
}

#[test]
fn every_loss_ends_in_a_spoken_sorry() {
    let cases: [(Input, Trouble); 5] = [
        (Input::EarLost, Trouble::EarLost),
        (Input::EarBusy, Trouble::EarBusy),
        (Input::MicEnded(MicEnd::MicLost), Trouble::MicLost),
        (Input::MicEnded(MicEnd::TooLong), Trouble::TooLong),
        (Input::MicEnded(MicEnd::Cut), Trouble::LinkLost),
    ];
    for (input, trouble) in cases {
        let mut scene = Scene::woken();
        scene.say(&[Words("how hot is", Meaning::Open, 500)]);
        scene.input(input);
        assert_eq!(scene.spoken(), [Speech::Sorry(trouble)]);
        scene.mic = false;
        scene.speak_out();
        assert_eq!(scene.ending(), Some(Ending::Sorry(trouble)));
    }
    let mut long = Scene::woken();
    for _ in 0..70 {
        long.say(&[Words("on and on", Meaning::Open, 500)]);
    }
    assert_eq!(long.spoken(), [Speech::Sorry(Trouble::TooLong)]);
    assert!(long.at(|e| matches!(e, Effect::Speak(..)))[0] <= WAKE + UTTERANCE_MAX_MS + 20);
    for failed in [Trouble::ClusterUnknown, Trouble::Internal] {
        let mut scene = Scene::woken();
        scene.outcome = Some(Outcome::Failed(failed));
        scene.say(&[Words("how hot is node two", Meaning::Complete, 500), Pause(400)]);
        assert_eq!(scene.spoken(), [Speech::Sorry(failed)]);
    }
}

#[test]
fn an_answer_that_cannot_be_written_down_becomes_a_sorry_and_a_lost_sorry_ends_the_turn() {
    let mut scene = Scene::woken();
    scene.say(&[Words("how hot is node two", Meaning::Complete, 500), Pause(400)]);
    assert_eq!(scene.spoken(), [Speech::Reply]);
    scene.input(Input::Uncommitted(scene.turn.attempt()));
    assert_eq!(scene.spoken(), [Speech::Reply, Speech::Sorry(Trouble::NoRecords)]);
    let mut lost = Scene::woken();
    lost.say(&[Words("how hot is node two", Meaning::Complete, 500), Pause(400)]);
    for _ in 0..2 {
        lost.input(Input::Uncommitted(lost.turn.attempt()));
    }
    assert_eq!(lost.ending(), Some(Ending::SpeechFailed));
    scene.speak_out();
    assert_eq!(scene.ending(), Some(Ending::Sorry(Trouble::NoRecords)));
}

#[test]
fn an_ear_that_begins_late_is_waited_for_while_it_comes_on() {
    const WAITED: u64 = 6000;
    let mut scene = Scene::new(Opening::Wake(wake(), demo_ear()));
    // The house waited for the ear: the turn begins with it, and all the sound of that time is there at once.
    scene.now = Millis(WAKE + WAITED);
    scene.turn = Turn::new(Opening::Wake(wake(), demo_ear()), scene.now);
    for captured in (0..WAKE + WAITED).step_by(20) {
        let voice = if (200..WAKE + 2000).contains(&captured) { 250 } else { 5 };
        scene.input(Input::Frame { captured: Millis(captured), voice });
    }
    let shown = [
        ("", Meaning::Nothing, 100),
        ("hey jarvis", Meaning::Nothing, WAKE),
        ("hey jarvis how hot is", Meaning::Open, WAKE + 1000),
        ("hey jarvis how hot is node", Meaning::Unknown, WAKE + 1500),
        ("hey jarvis how hot is node two", Meaning::Complete, WAKE + 2600),
    ];
    for (text, meaning, heard) in shown {
        assert!(scene.at(|e| matches!(e, Effect::Commit(..) | Effect::Finish(_))).is_empty(), "before {text:?}");
        // As slow as a large model: a turn must not hurry it.
        scene.now = scene.now.plus(900);
        scene.input(Input::Partial { text: text.to_owned(), meaning, heard: Millis(heard) });
    }
    assert_eq!(scene.commits(), ["how hot is node two"]);
}

#[test]
fn an_ear_that_never_says_a_word_is_not_waited_for() {
    let mut scene = Scene::new(Opening::Wake(wake(), demo_ear()));
    for captured in (WAKE..WAKE + NO_SPEECH_MS + 1000).step_by(20) {
        scene.now = Millis(captured);
        scene.input(Input::Frame { captured: Millis(captured), voice: 5 });
    }
    assert_eq!(scene.ending(), Some(Ending::FalseWake));
}

#[test]
fn losing_the_ear_after_the_end_loses_nothing() {
    let mut scene = Scene::woken();
    scene.say(&[Words("how hot is node two", Meaning::Complete, 500), Pause(400)]);
    scene.input(Input::EarLost);
    scene.speak_out();
    assert_eq!((scene.spoken(), scene.ending()), (vec![Speech::Reply], Some(Ending::Answered)));
}

#[test]
fn a_slow_answer_is_bridged_by_one_filler_and_a_lost_one_by_a_sorry() {
    for cluster_ms in [CLUSTER_MAX_MS, 30_000] {
        let mut scene = Scene::woken();
        scene.turn = scene.turn.waiting_for_the_cluster(cluster_ms);
        scene.outcome = None;
        scene.say(&[Words("how hot is node two", Meaning::Complete, 500), Pause(400)]);
        scene.input(Input::Understood(scene.turn.attempt()));
        let asked = scene.at(|e| matches!(e, Effect::Answer(_)))[0];
        let limit = cluster_ms + ANSWER_MAX_MS;
        scene.pass(limit + 2000, 5);
        assert_eq!(scene.spoken(), [Speech::Filler, Speech::Sorry(Trouble::ClusterUnknown)]);
        let spoken = scene.at(|e| matches!(e, Effect::Speak(..)));
        assert!((FILLER_MS..FILLER_MS + 40).contains(&(spoken[0] - asked)), "{spoken:?}");
        assert!((limit..limit + 40).contains(&(spoken[1] - asked)), "{cluster_ms}: {spoken:?}");
    }
}

#[test]
fn an_answer_waits_for_a_satellite_that_comes_back_and_not_for_ever() {
    let scene = |back: bool| {
        let mut scene = Scene::woken();
        scene.say(&[Words("how hot is node two", Meaning::Complete, 500), Pause(400)]);
        scene.input(Input::LinkDown);
        scene.mic = false;
        scene.pass(3000, 0);
        if back {
            scene.input(Input::LinkUp);
            scene.speak_out();
        } else {
            scene.pass(LINK_GRACE_MS, 0);
        }
        scene
    };
    assert_eq!(scene(true).ending(), Some(Ending::Answered));
    assert_eq!(scene(true).spoken(), [Speech::Reply, Speech::Reply]);
    assert_eq!(scene(false).ending(), Some(Ending::SatelliteAway(None)));
}

#[test]
fn words_that_the_ear_shows_late_still_belong_to_the_request() {
    let mut scene = Scene::woken();
    scene.say(&[Words("how hot is node", Meaning::Unknown, 900), Pause(720)]);
    assert_eq!(scene.commits(), ["how hot is node"]);
    scene.words("hey jarvis how hot is node two", Meaning::Complete);
    assert_eq!(scene.commits(), ["how hot is node", "how hot is node two"]);
    scene.speak_out();
    assert_eq!(scene.ending(), Some(Ending::Answered));
}

#[test]
fn a_click_neither_opens_nor_reopens_and_noise_does_not_hold_a_turn_open() {
    let mut scene = Scene::woken();
    scene.say(&[Words("how hot is node two", Meaning::Complete, 900), Pause(400)]);
    scene.pass(40, 250);
    scene.pass(1000, 5);
    assert_eq!(scene.commits().len(), 1);
    let mut fan = Scene::woken();
    fan.say(&[Words("how hot is node two", Meaning::Complete, 900)]);
    fan.pass(4000, 250);
    assert_eq!(fan.commits(), ["how hot is node two"]);
}

#[test]
fn a_typed_turn_takes_the_same_way_without_a_sound() {
    let mut scene = Scene::new(Opening::Typed { text: "how hot is node two".into(), aloud: false });
    assert_eq!(scene.spoken(), [Speech::Reply]);
    let attempt = scene.turn.attempt();
    scene.input(Input::Spoken { attempt, sound_ms: 0 });
    assert_eq!(scene.ending(), Some(Ending::Answered));
    assert_eq!(scene.turn.marks().relative().played, None);
}
