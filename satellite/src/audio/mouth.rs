//! The way to the loudspeaker: from the session ([`Mouth`]) to the device's callback ([`Throat`]), without a lock.
//!
//! Every piece of sound carries the generation of its answer. Raising the floor silences all older generations with the next callback,
//! whatever is still queued. The callback holds sound back until a little is there (the jitter buffer), and copies all
//! that it really played to the echo canceller's tape.
//!
//! A loudspeaker with nothing to play may rest ([`Rest`]); what is queued then rouses it.
//!
//! Length: both ends of one queue are read together.

mod rest;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use jarvis_link::message::{Generation, SatMicros};
use rtrb::{Consumer, Producer, RingBuffer};

use super::tape::TapeWriter;

pub use rest::{LentThroat, Rest, Rouse};

/// Most samples in one piece: 10 ms at 48 kHz.
const PIECE_SAMPLES: usize = 480;
/// Pieces of answers that can wait. The daemon is at most 500 ms ahead; what comes beyond this is dropped and told.
const PIECES: usize = 600;
/// Pieces that must be there before an answer starts, or goes on after it ran dry: 60 ms of jitter.
const JITTER_PIECES: usize = 6;
/// Places kept for marks, so that an answer's end is known even where its sound found no room.
const MARK_PIECES: usize = 64;
/// Sound effects (earcons, the local messages) that can wait, in seconds.
const EFFECTS_S: u32 = 8;
/// Reports of the callback that can wait; the session takes them every few milliseconds.
const REPORTS: usize = 256;
/// Full volume as a factor, fixed point.
const UNITY: u32 = 1 << 15;

/// What the callback reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Played {
    /// The first sample of an answer leaves the loudspeaker at this moment.
    Started {
        /// Which answer.
        generation: Generation,
        /// When.
        at: SatMicros,
    },
    /// The last sample of a sentence leaves.
    Sentence {
        /// Which answer.
        generation: Generation,
        /// Which sentence.
        index: u16,
        /// When.
        at: SatMicros,
    },
    /// The last sample of an answer leaves.
    Ended {
        /// Which answer.
        generation: Generation,
        /// When.
        at: SatMicros,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Sound,
    Sentence(u16),
    End,
}

struct Piece {
    generation: u64,
    mark: Mark,
    len: u16,
    samples: [i16; PIECE_SAMPLES],
}

#[derive(Default)]
struct Shared {
    /// Generations below this are silent.
    floor: AtomicU64,
    /// Generations below this are all in the queue.
    complete: AtomicU64,
    gain: AtomicU32,
    underruns: AtomicU32,
    /// Reports that found no room.
    unreported: AtomicU32,
    /// Sound effects up to this count of samples are to be thrown away.
    hush: AtomicU64,
    /// Pieces and effects queued so far.
    queued: AtomicU64,
    /// How many of them the callback had seen when it last had nothing to play.
    seen: AtomicU64,
    /// Samples of silence since there was something to be heard.
    silent: AtomicU64,
    /// The device rests.
    resting: AtomicBool,
}

/// Makes both ends for a loudspeaker of `rate_hz`; what is played is copied to `reference`. `rouse` is called from the session's thread.
pub fn mouth(rate_hz: u32, reference: TapeWriter, rouse: Rouse) -> (Mouth, Throat) {
    let (pieces, pieces_out) = RingBuffer::new(PIECES);
    let (effects, effects_out) = RingBuffer::new((rate_hz * EFFECTS_S) as usize);
    let (reports, reports_out) = RingBuffer::new(REPORTS);
    let shared = Arc::new(Shared { gain: AtomicU32::new(UNITY), ..Shared::default() });
    let mouth =
        Mouth { pieces, effects, effects_sent: 0, reports: reports_out, shared: Arc::clone(&shared), rouse, rate_hz };
    let throat = Throat {
        pieces: pieces_out,
        effects: effects_out,
        effects_taken: 0,
        reports,
        reference,
        shared,
        rate_hz,
        flow: Flow::Quiet,
        piece: None,
        dry_at: SatMicros(0),
        level: 0,
    };
    (mouth, throat)
}

/// The session's end.
pub struct Mouth {
    pieces: Producer<Piece>,
    effects: Producer<i16>,
    effects_sent: u64,
    reports: Consumer<Played>,
    shared: Arc<Shared>,
    rouse: Rouse,
    rate_hz: u32,
}

impl Mouth {
    /// Samples a second that it takes.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Lets only this and newer generations be heard from now on.
    pub fn raise_floor(&mut self, generation: Generation) {
        self.shared.floor.fetch_max(generation.0, Ordering::Release);
    }

    /// Queues sound; returns how many samples found no room.
    pub fn say(&mut self, generation: Generation, samples: &[i16]) -> usize {
        let mut lost = 0;
        for part in samples.chunks(PIECE_SAMPLES.min(self.piece_samples())) {
            if self.pieces.slots() <= MARK_PIECES || !self.put(generation, Mark::Sound, part) {
                lost += part.len();
            }
        }
        lost
    }

    /// A sentence ends with what was queued last.
    pub fn sentence_ends(&mut self, generation: Generation, index: u16) -> bool {
        self.put(generation, Mark::Sentence(index), &[])
    }

    /// The answer ends with what was queued last.
    pub fn ends(&mut self, generation: Generation) -> bool {
        let told = self.put(generation, Mark::End, &[]);
        self.shared.complete.fetch_max(generation.0 + 1, Ordering::Release);
        told
    }

    /// Plays a sound effect over whatever is heard; what finds no room is left out.
    pub fn effect(&mut self, samples: &[i16]) {
        let (fitted, _) = self.effects.push_partial_slice(samples);
        self.effects_sent += fitted.len() as u64;
        self.rouse();
    }

    /// Something was queued: a resting loudspeaker plays again.
    fn rouse(&self) {
        if self.shared.was_queued() {
            (self.rouse)();
        }
    }

    /// Silences sound effects.
    pub fn hush(&mut self) {
        self.shared.hush.store(self.effects_sent, Ordering::Release);
    }

    /// Sets the loudness, 0 to 100; the ear hears in powers, so 50 is a quarter of the amplitude.
    pub fn volume(&mut self, percent: u8) {
        let percent = u32::from(percent.min(100));
        self.shared.gain.store(UNITY * percent * percent / 10_000, Ordering::Relaxed);
    }

    /// Times that the answer being played ran dry.
    pub fn underruns(&self) -> u16 {
        u16::try_from(self.shared.underruns.load(Ordering::Relaxed)).unwrap_or(u16::MAX)
    }

    /// Reports that were lost since this was last asked: the session did not take them for seconds.
    pub fn unreported(&mut self) -> u32 {
        self.shared.unreported.swap(0, Ordering::Relaxed)
    }

    /// The next report, if there is one.
    pub fn report(&mut self) -> Option<Played> {
        self.reports.pop().ok()
    }

    fn piece_samples(&self) -> usize {
        (self.rate_hz / 100).max(1) as usize
    }

    fn put(&mut self, generation: Generation, mark: Mark, part: &[i16]) -> bool {
        let mut piece = Piece { generation: generation.0, mark, len: part.len() as u16, samples: [0; PIECE_SAMPLES] };
        piece.samples[..part.len()].copy_from_slice(part);
        let put = self.pieces.push(piece).is_ok();
        self.rouse();
        put
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// Nothing is being said.
    Quiet,
    /// An answer waits for enough sound.
    Filling { generation: u64, why: Why },
    /// An answer is heard.
    Running { generation: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It has not started.
    Start,
    /// It ran dry, perhaps within a sentence.
    Dry,
    /// It ran dry between two sentences: the next is still being made.
    Pause,
}

/// The device's end.
pub struct Throat {
    pieces: Consumer<Piece>,
    effects: Consumer<i16>,
    effects_taken: u64,
    reports: Producer<Played>,
    reference: TapeWriter,
    shared: Arc<Shared>,
    rate_hz: u32,
    flow: Flow,
    piece: Option<(Piece, usize)>,
    /// When the last sample before running dry left.
    dry_at: SatMicros,
    /// Last sample of an answer, let down to zero over a few samples where it stops, which would click.
    level: i32,
}

impl Throat {
    /// Whether its device may rest.
    pub fn rest(&self) -> Rest {
        Rest::new(Arc::clone(&self.shared), self.rate_hz)
    }

    /// Fills `out` with what is to be heard, whose first sample leaves the loudspeaker at `at`.
    pub fn fill(&mut self, out: &mut [i16], at: SatMicros) {
        let queued = self.shared.queued();
        let floor = self.shared.floor.load(Ordering::Acquire);
        let gain = i64::from(self.shared.gain.load(Ordering::Relaxed));
        self.silence_below(floor);
        let hush = self.shared.hush.load(Ordering::Acquire);
        while self.effects_taken < hush && self.effects.pop().is_ok() {
            self.effects_taken += 1;
        }
        for (n, sample) in out.iter_mut().enumerate() {
            let said = self.next_said(floor, at, n);
            let effect = match self.effects.pop() {
                Ok(effect) => {
                    self.effects_taken += 1;
                    i64::from(effect)
                }
                Err(_) => 0,
            };
            let mixed = (i64::from(said) + effect) * gain / i64::from(UNITY);
            *sample = mixed.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16;
        }
        let quiet = self.flow == Flow::Quiet && self.pieces.is_empty() && self.effects.is_empty();
        self.shared.played(quiet.then_some(queued), out.len());
        self.reference.write(out.iter().copied(), at);
    }

    fn silence_below(&mut self, floor: u64) {
        match self.flow {
            Flow::Filling { generation, .. } | Flow::Running { generation } if generation < floor => {
                self.flow = Flow::Quiet;
                self.piece = None;
            }
            _ => {}
        }
        while self.pieces.peek().is_ok_and(|piece| piece.generation < floor) {
            if self.pieces.pop().is_err() {
                break;
            }
        }
    }

    fn next_said(&mut self, floor: u64, at: SatMicros, n: usize) -> i16 {
        loop {
            if let Some((piece, taken)) = &mut self.piece {
                if *taken < usize::from(piece.len) {
                    let sample = piece.samples[*taken];
                    *taken += 1;
                    self.level = i32::from(sample);
                    return sample;
                }
                self.piece = None;
            }
            if !self.advance(floor, at, n) {
                self.level = self.level * 7 / 8;
                return self.level as i16;
            }
        }
    }

    /// Takes the next piece up; false when nothing is to be heard now.
    fn advance(&mut self, floor: u64, at: SatMicros, n: usize) -> bool {
        let Ok(next) = self.pieces.peek() else {
            if let Flow::Running { generation } = self.flow {
                self.dry_at = self.moment(at, n);
                self.flow = Flow::Filling { generation, why: Why::Dry };
            }
            return false;
        };
        let (generation, mark) = (next.generation, next.mark);
        if generation < floor {
            return self.pieces.pop().is_ok();
        }
        let mark_at = match self.flow {
            Flow::Running { generation: now } if now == generation => self.moment(at, n),
            Flow::Filling { generation: now, why } if now == generation => {
                if mark == Mark::Sound && !self.enough(generation) {
                    return false;
                }
                self.resume(generation, why, mark, self.moment(at, n));
                if why == Why::Start { self.moment(at, n) } else { self.dry_at }
            }
            _ => {
                self.shared.underruns.store(0, Ordering::Relaxed);
                self.flow = Flow::Filling { generation, why: Why::Start };
                return true;
            }
        };
        let Ok(piece) = self.pieces.pop() else {
            return false;
        };
        self.take_up(piece, mark_at);
        true
    }

    fn enough(&self, generation: u64) -> bool {
        self.shared.complete.load(Ordering::Acquire) > generation || self.pieces.slots() >= JITTER_PIECES
    }

    fn resume(&mut self, generation: u64, why: Why, mark: Mark, at: SatMicros) {
        match (why, mark) {
            (Why::Start, Mark::Sound) => self.report(Played::Started { generation: Generation(generation), at }),
            (Why::Dry, Mark::Sound) => {
                self.shared.underruns.fetch_add(1, Ordering::Relaxed);
            }
            (Why::Pause, Mark::Sound) => {}
            (why, Mark::Sentence(_) | Mark::End) => {
                let why = if why == Why::Start { why } else { Why::Pause };
                self.flow = Flow::Filling { generation, why };
                return;
            }
        }
        self.flow = Flow::Running { generation };
    }

    fn take_up(&mut self, piece: Piece, at: SatMicros) {
        let generation = Generation(piece.generation);
        match piece.mark {
            Mark::Sound => self.piece = Some((piece, 0)),
            Mark::Sentence(index) => self.report(Played::Sentence { generation, index, at }),
            Mark::End => {
                self.flow = Flow::Quiet;
                self.report(Played::Ended { generation, at });
            }
        }
    }

    fn moment(&self, at: SatMicros, n: usize) -> SatMicros {
        SatMicros(at.0 + n as u64 * 1_000_000 / u64::from(self.rate_hz.max(1)))
    }

    fn report(&mut self, played: Played) {
        // A full queue means that the session has hung for seconds; it will miss marks, not sound.
        if self.reports.push(played).is_err() {
            self.shared.unreported.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
