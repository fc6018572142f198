//! Jarvis's own voice in a room that still listens: from the loudspeaker through the room's impulse response into the microphone, through
//! the satellite's echo canceller and voice detector, into the ear and a turn whose reopening window is open. A recogniser once made words
//! of what the canceller leaves, and turns were reopened by the beginning of their own answer.
//!
//! All of it is the code of the house, paced by samples, 20 ms at a time: no clock decides anything.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use jarvis_core::ids::Millis;
use jarvis_core::intent::Grammar;
use jarvis_core::names::Names;
use jarvis_core::speakable::speakable;
use jarvis_core::turn::{Attempt, Effect, Ending, Input, Opening, Outcome, Turn, request};
use jarvis_link::message::{Generation, MIC_FRAME_SAMPLES, MIC_RATE_HZ, SatMicros};
use jarvis_satellite::audio::mouth::{Mouth, Played, Throat, mouth};
use jarvis_satellite::audio::resample::Resampler;
use jarvis_satellite::audio::tape::tape;
use jarvis_satellite::sound::{FRAME_US, MicFrame, Pipeline, Reference};
use jarvis_tests::house;
use jarvis_tests::judge::Judge;
use jarvis_tests::process::programs;
use jarvis_tests::sound::{Random, impulse_response};
use jarvis_tests::trial::{root, spoken};
use jarvisd::hub::HubConfig;
use jarvisd::speech::{RATE_HZ, Speech, SpeechConfig};

/// Energy of the way from loudspeaker to microphone, in decibels.
const ECHO_DB: f64 = -10.0;
/// RMS level of the room's own noise, as in [`jarvis_tests::room`].
const FLOOR: f64 = 16.0;
/// When the room's sound begins.
const BEGUN: SatMicros = SatMicros(1_000_000);
/// Frames that the loudspeaker is given ahead of time, as a device's buffer has it.
const AHEAD: usize = 8;
/// Quiet before somebody speaks, in samples.
const LEAD: usize = 8_000;
/// What is played of an answer: much longer than a reopening window that nobody speaks in.
const ANSWER_S: usize = 2;
/// Whole requests to which nothing can be added: their answers sound while the window is open.
const REQUESTS: [&str; 2] = ["how hot is node two", "which node is home assistant on"];
/// Answers as they are worded in daemon/core/strings: of nodes, guests, storages, backups and tasks, of numbers and of none.
const ANSWERS: [&str; 12] = [
    "pve2 is at 61 degrees.",
    "home-assistant runs on pve1.",
    "Yes, the cluster is quorate, with 4 of 4 nodes present.",
    "The database takes 3 GB, which is 74 percent of its memory.",
    "Node two does not answer, so its state is unknown.",
    "14 of 17 running: the mail server, the media server and others.",
    "No, stop worrying: nothing has happened today.",
    "The backups went well: 12 succeeded.",
    "How the vault stands: 812 GB free, at 61 percent.",
    "It is twenty past four.",
    "Which do you mean, the mail server or the media server?",
    "I am sorry, I know of no node 7.",
];

/// So many of them are heard without a canceller as well.
const BARE: usize = 4;

/// The answers in Jarvis's own voice, as his satellite gets them.
async fn answers() -> Vec<Vec<i16>> {
    let worker = Some(programs().unwrap().join("jarvis-voice"));
    let (speech, task) = Speech::start(&SpeechConfig { worker, ..SpeechConfig::default() }).await.unwrap();
    let task = tokio::spawn(task.run());
    let mut answers = Vec::new();
    for text in ANSWERS {
        let sound = speech.speak(&speakable(text)).await.unwrap().whole().await.unwrap();
        let mut resampler = Resampler::new(RATE_HZ, MIC_RATE_HZ).unwrap();
        let mut answer = Vec::new();
        resampler.push(&sound, &mut answer);
        resampler.finish(&mut answer);
        answer.truncate(ANSWER_S * MIC_RATE_HZ as usize);
        answers.push(answer);
    }
    drop(speech);
    task.await.unwrap();
    answers
}

fn millis(at: SatMicros) -> Millis {
    Millis(at.0 / 1_000)
}

fn after(frames: usize) -> SatMicros {
    SatMicros(BEGUN.0 + frames as u64 * FRAME_US)
}

/// A satellite's sound in a room, whatever devices it has.
struct Room {
    mouth: Mouth,
    throat: Throat,
    reference: Reference,
    pipeline: Pipeline,
    taps: Vec<f64>,
    noise: Random,
    /// All that left the loudspeaker, or is about to.
    played: Vec<i16>,
    /// Frames that the microphone has heard.
    heard: usize,
}

impl Room {
    fn new(echo_canceller: bool) -> Self {
        let (writer, reader) = tape(MIC_RATE_HZ, 1);
        let (mut mouth, throat) = mouth(MIC_RATE_HZ, writer, Box::new(|| ()));
        mouth.volume(HubConfig::default().volume_percent);
        let mut room = Self {
            mouth,
            throat,
            reference: Reference::new(reader).unwrap(),
            pipeline: Pipeline::new(MIC_RATE_HZ, echo_canceller).unwrap(),
            taps: impulse_response(ECHO_DB, 1),
            noise: Random::new(2),
            played: Vec::new(),
            heard: 0,
        };
        (0..AHEAD).for_each(|_| room.play());
        room
    }

    /// The loudspeaker takes its next 20 ms.
    fn play(&mut self) {
        let mut out = [0; MIC_FRAME_SAMPLES];
        self.throat.fill(&mut out, after(self.played.len() / MIC_FRAME_SAMPLES));
        self.played.extend(out);
    }

    /// What of the loudspeaker reaches the microphone with sample `at`.
    fn echo(&self, at: usize) -> f64 {
        let newest_first = self.played[..=at].iter().rev();
        self.taps.iter().zip(newest_first).map(|(tap, sample)| tap * f64::from(*sample)).sum()
    }

    /// The next 20 ms, in which somebody says that, as the satellite hears them.
    fn hear(&mut self, said: &[i16]) -> MicFrame {
        self.play();
        let mut microphone = [0; MIC_FRAME_SAMPLES];
        for (n, sample) in microphone.iter_mut().enumerate() {
            let said = f64::from(said.get(n).copied().unwrap_or(0));
            let sum = said + self.noise.normal() * FLOOR + self.echo(self.heard * MIC_FRAME_SAMPLES + n);
            *sample = sum.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16;
        }
        let mut frames = Vec::new();
        let (at, reference) = (after(self.heard), Some(&mut self.reference));
        self.pipeline.push(&microphone, at, reference, &mut |frame| frames.push(frame));
        self.heard += 1;
        assert_eq!(frames.len(), 1, "20 ms are a frame");
        frames.remove(0)
    }

    fn now(&self) -> Millis {
        millis(after(self.heard))
    }
}

/// How a turn went.
#[derive(Debug, Default)]
struct Went {
    /// Requests that were acted on.
    asked: Vec<String>,
    /// Whether the answer began to sound while the microphone was open.
    overlapped: bool,
    /// What the ear showed from then on, where it was other than what was asked.
    beyond: Vec<String>,
    ending: Option<Ending>,
}

/// A room with a satellite, and the daemon's part of a turn.
struct Scene {
    room: Room,
    ear: Judge,
    grammar: Grammar,
    names: Names,
    generation: Generation,
}

impl Scene {
    fn new(echo_canceller: bool) -> Self {
        let root = root();
        let worker = programs().unwrap().join("jarvis-ear");
        Self {
            room: Room::new(echo_canceller),
            ear: Judge::start(&worker, &house::model(&root), &house::library(&root)).unwrap(),
            grammar: Grammar::embedded().unwrap(),
            names: Names::examples().unwrap(),
            generation: Generation(0),
        }
    }

    /// Somebody says that, and hears this answer. Everything but sound takes no time: more of the answer than ever falls into the window.
    fn turn(&mut self, said: &[i16], text: &str, answer: &[i16]) -> Went {
        let said = [vec![0; LEAD], said.to_vec()].concat();
        let mut said = said.chunks(MIC_FRAME_SAMPLES);
        let opened = self.room.now();
        let mut turn = Turn::new(Opening::Unasked, opened);
        let (mut went, mut microphone, mut speaking) = (Went::default(), true, None);
        // What is kept back from the ear since the end of speech.
        let mut held: Option<Vec<i16>> = None;
        self.ear.begin(&[]).unwrap();
        while !turn.is_over() {
            let frame = self.room.hear(said.next().unwrap_or_default());
            let now = self.room.now();
            while let (Some(played), Some(attempt)) = (self.room.mouth.report(), speaking) {
                match played {
                    Played::Started { at, .. } => {
                        went.overlapped |= microphone;
                        turn.handle(Input::PlaybackStarted(attempt, millis(at)), now);
                    }
                    Played::Ended { at, .. } => turn.handle(Input::PlaybackDone(attempt, millis(at)), now),
                    Played::Sentence { .. } => {}
                }
            }
            if microphone {
                match &mut held {
                    Some(held) => held.extend(frame.samples),
                    None => self.show(&mut turn, &frame.samples, opened, &mut went),
                }
                turn.handle(Input::Frame { captured: now, voice: frame.voice }, now);
            }
            turn.handle_timeout(now);
            while let Some(effect) = turn.poll_output() {
                match effect {
                    Effect::HoldEar => held = Some(Vec::new()),
                    Effect::ResumeEar => {
                        for samples in held.take().unwrap_or_default().chunks(MIC_FRAME_SAMPLES) {
                            self.show(&mut turn, samples, opened, &mut went);
                        }
                    }
                    Effect::FinishEar => self.last_word(&mut turn, now),
                    Effect::CloseMic { .. } => microphone = false,
                    Effect::Commit(attempt, text) => {
                        went.asked.push(text);
                        turn.handle(Input::Committed(attempt, Ok(())), now);
                    }
                    Effect::Answer(attempt) => {
                        turn.handle(Input::Understood(attempt), now);
                        turn.handle(Input::Answered(attempt, Outcome::Reply), now);
                    }
                    Effect::Speak(attempt, _) => {
                        speaking = Some(attempt);
                        self.speak(&mut turn, attempt, text, answer);
                    }
                    Effect::Withdraw(_) | Effect::Hush(_) => {
                        speaking = None;
                        self.room.mouth.raise_floor(Generation(self.generation.0 + 1));
                    }
                    Effect::Finish(ending) => went.ending = Some(ending),
                    _ => {}
                }
            }
        }
        went
    }

    /// The ear hears some more, and the turn is told what it shows.
    fn show(&mut self, turn: &mut Turn, samples: &[i16], opened: Millis, went: &mut Went) {
        for (text, heard_ms) in self.ear.more(samples).unwrap() {
            let asked = request(&text, None);
            if went.overlapped && went.asked.last().is_some_and(|before| before != asked) {
                went.beyond.push(asked.to_owned());
            }
            let meaning = turn.meaning(asked, &self.grammar, &self.names);
            let heard = opened.plus(u64::from(heard_ms));
            turn.handle(Input::Partial { text, meaning, heard }, self.room.now());
        }
    }

    fn last_word(&mut self, turn: &mut Turn, now: Millis) {
        let (text, _) = self.ear.finish().unwrap();
        let changed = turn.asks_else(request(&text, None), &self.grammar, &self.names);
        turn.handle(Input::Final { text, changed }, now);
    }

    fn speak(&mut self, turn: &mut Turn, attempt: Attempt, text: &str, answer: &[i16]) {
        turn.handle(Input::Saying(attempt, speakable(text)), self.room.now());
        self.generation.0 += 1;
        assert_eq!(self.room.mouth.say(self.generation, answer), 0, "all of it has room");
        assert!(self.room.mouth.ends(self.generation));
        let sound_ms = answer.len() as u64 * 1_000 / u64::from(MIC_RATE_HZ);
        turn.handle(Input::Spoken { attempt, sound_ms }, self.room.now());
    }
}

/// What became of a turn for each of so many answers, in a room where `canceller`.
fn turns(canceller: bool, answers: &[Vec<i16>]) -> Vec<(&'static str, Went)> {
    let said = REQUESTS.map(|text| (text, spoken("en-gb-x-rp", text)));
    let mut all = Vec::new();
    for (((request, said), text), answer) in said.iter().cycle().zip(ANSWERS).zip(answers) {
        // A satellite that was just started: its canceller knows nothing of the room yet.
        all.push((*request, Scene::new(canceller).turn(said, text, answer)));
    }
    all
}

#[tokio::test]
async fn an_answer_that_comes_back_into_the_microphone_reopens_no_turn() {
    let answers = answers().await;
    let mut wrong = Vec::new();
    for ((said, went), answer) in turns(true, &answers).into_iter().zip(ANSWERS) {
        println!("{said:?}, {answer:?}: {went:?}");
        assert!(went.overlapped, "{answer:?} sounds while the window is open: {went:?}");
        let once = went.asked == [said] && went.ending == Some(Ending::Answered);
        if !once {
            wrong.push(format!("{said:?}, {answer:?}: {went:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The same room, without the canceller: there are words to be heard.
    let bare = turns(false, &answers[..BARE]);
    let worded = bare.iter().filter(|(_, went)| !went.beyond.is_empty()).count();
    assert!(worded * 2 > bare.len(), "words were made of {worded} answers alone: {bare:?}");
}
