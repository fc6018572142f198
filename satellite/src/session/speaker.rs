//! Plays answers: brings them to the loudspeaker's rate, marks their sentences, and reports what was really heard.

use std::collections::VecDeque;

use jarvis_link::message::{Generation, SatMicros, ToDaemon};

use crate::audio::mouth::{Mouth, Played};
use crate::audio::resample::Resampler;
use crate::net::AnswerEvent;
use crate::sound::earcon::Earcon;

/// An answer, from its first frame until it was heard.
struct Answer {
    generation: Generation,
    /// What the mouth knows it by: counts on over runs of the daemon, whose generations begin anew.
    play: Generation,
    resampler: Resampler,
    sentence: Option<u16>,
    cut: bool,
    lost: usize,
}

/// The session's loudspeaker.
#[derive(Default)]
pub struct Speaker {
    mouth: Option<Mouth>,
    answer: Option<Answer>,
    /// Answers below this are not taken any more.
    floor: u64,
    /// What the mouth will know the next answer by.
    next_play: u64,
    volume_percent: u8,
    /// Reports whose moment may still lie ahead, since the device is a few milliseconds behind.
    due: VecDeque<(SatMicros, ToDaemon)>,
    converted: Vec<i16>,
}

impl Speaker {
    /// The loudspeaker works, through this.
    pub fn attach(&mut self, mut mouth: Mouth, now: SatMicros) {
        self.lost(now);
        mouth.volume(self.volume_percent);
        self.mouth = Some(mouth);
    }

    /// The loudspeaker went away; an answer that was being played is cut.
    pub fn lost(&mut self, now: SatMicros) {
        self.mouth = None;
        self.cut(now);
    }

    /// Whether an answer is heard, or about to be.
    pub fn is_speaking(&self) -> bool {
        self.answer.is_some()
    }

    /// A piece of an answer.
    pub fn answer(&mut self, event: AnswerEvent, now: SatMicros) {
        match event {
            AnswerEvent::Start { generation, rate_hz } => self.start(generation, rate_hz, now),
            AnswerEvent::Sentence { generation, index } => self.sentence(generation, index),
            AnswerEvent::Pcm { generation, samples } => self.pcm(generation, &samples),
            AnswerEvent::End { generation } => self.end(generation, false),
            AnswerEvent::Cut { generation } => self.end(generation, true),
        }
    }

    fn start(&mut self, generation: Generation, rate_hz: u32, now: SatMicros) {
        if generation.0 < self.floor {
            return;
        }
        self.cut(now);
        self.floor = generation.0;
        let Some(mouth) = &mut self.mouth else {
            self.report_done(generation, now, 0, true);
            return;
        };
        let play = Generation(self.next_play);
        self.next_play += 1;
        mouth.raise_floor(play);
        match Resampler::new(rate_hz, mouth.rate_hz()) {
            Ok(resampler) => {
                self.answer = Some(Answer { generation, play, resampler, sentence: None, cut: false, lost: 0 });
            }
            Err(error) => {
                tracing::error!(%error, "an answer can't be played");
                self.report_done(generation, now, 0, true);
            }
        }
    }

    fn current(&mut self, generation: Generation) -> Option<(&mut Answer, &mut Mouth)> {
        let answer = self.answer.as_mut().filter(|answer| answer.generation == generation)?;
        Some((answer, self.mouth.as_mut()?))
    }

    fn sentence(&mut self, generation: Generation, index: u16) {
        let mut converted = std::mem::take(&mut self.converted);
        if let Some((answer, mouth)) = self.current(generation) {
            if let Some(before) = answer.sentence {
                answer.resampler.finish(&mut converted);
                answer.lost += mouth.say(answer.play, &converted);
                mouth.sentence_ends(answer.play, before);
            }
            answer.sentence = Some(index);
        }
        converted.clear();
        self.converted = converted;
    }

    fn pcm(&mut self, generation: Generation, samples: &[i16]) {
        let mut converted = std::mem::take(&mut self.converted);
        if let Some((answer, mouth)) = self.current(generation) {
            answer.resampler.push(samples, &mut converted);
            answer.lost += mouth.say(answer.play, &converted);
        }
        converted.clear();
        self.converted = converted;
    }

    fn end(&mut self, generation: Generation, cut: bool) {
        self.sentence(generation, u16::MAX);
        if let Some((answer, mouth)) = self.current(generation) {
            answer.cut = cut;
            if answer.lost > 0 {
                tracing::error!(samples = answer.lost, "an answer came faster than it can be heard, and lost sound");
                answer.cut = true;
            }
            mouth.ends(answer.play);
        }
    }

    /// Silences answers up to `generation`, or whatever is heard; gives the newest that was silenced.
    pub fn silence(&mut self, generation: Option<Generation>, now: SatMicros) -> Option<Generation> {
        let newest = generation.or(self.answer.as_ref().map(|answer| answer.generation));
        if let Some(mouth) = &mut self.mouth {
            mouth.hush();
        }
        let newest = newest?;
        self.floor = self.floor.max(newest.0 + 1);
        if self.answer.as_ref().is_some_and(|answer| answer.generation <= newest) {
            self.cut(now);
        }
        Some(newest)
    }

    /// A new run of the daemon counts its answers anew.
    pub fn new_daemon(&mut self, now: SatMicros) {
        self.cut(now);
        self.floor = 0;
    }

    fn cut(&mut self, now: SatMicros) {
        if let Some(answer) = self.answer.take() {
            let mut underruns = 0;
            if let Some(mouth) = &mut self.mouth {
                underruns = mouth.underruns();
                mouth.raise_floor(Generation(self.next_play));
            }
            self.due.retain(|(_, report)| !matches!(report, ToDaemon::PlaybackDone { .. }));
            self.report_done(answer.generation, now, underruns, true);
        }
    }

    /// Makes a sound.
    pub fn earcon(&mut self, earcon: Earcon) {
        let Some(mouth) = &mut self.mouth else { return };
        match earcon.samples(mouth.rate_hz()) {
            Ok(samples) => mouth.effect(&samples),
            Err(error) => tracing::error!(%error, "a sound can't be played"),
        }
    }

    /// Sets the loudness, 0 to 100.
    pub fn volume(&mut self, percent: u8) {
        self.volume_percent = percent;
        if let Some(mouth) = &mut self.mouth {
            mouth.volume(percent);
        }
    }

    /// The next report whose moment has come.
    pub fn report(&mut self, now: SatMicros) -> Option<ToDaemon> {
        while let Some(played) = self.mouth.as_mut().and_then(Mouth::report) {
            self.take_in(played);
        }
        let unreported = self.mouth.as_mut().map_or(0, Mouth::unreported);
        if unreported > 0 {
            tracing::warn!(
                unreported,
                "the loudspeaker's reports were not taken in time: the daemon misses marks, not sound"
            );
        }
        let (at, _) = self.due.front()?;
        if *at > now {
            return None;
        }
        let (_, message) = self.due.pop_front()?;
        if let ToDaemon::PlaybackDone { generation, .. } = message
            && self.answer.as_ref().is_some_and(|answer| answer.generation == generation)
        {
            self.answer = None;
        }
        Some(message)
    }

    fn take_in(&mut self, played: Played) {
        let Some(answer) = &self.answer else { return };
        let (play, cut, said) = (answer.play, answer.cut, answer.generation);
        match played {
            Played::Started { generation, at } if generation == play => {
                let generation = said;
                self.due.push_back((at, ToDaemon::PlaybackStarted { generation, at }));
            }
            Played::Sentence { generation, index, at } if generation == play => {
                let generation = said;
                self.due.push_back((at, ToDaemon::SentencePlayed { generation, index }));
            }
            Played::Ended { generation, at } if generation == play => {
                let underruns = self.mouth.as_ref().map_or(0, Mouth::underruns);
                self.report_done(said, at, underruns, cut);
            }
            _ => {}
        }
    }

    fn report_done(&mut self, generation: Generation, at: SatMicros, underruns: u16, cut: bool) {
        let done = ToDaemon::PlaybackDone { generation, at, underruns, cut };
        self.due.push_back((at, done));
    }
}
