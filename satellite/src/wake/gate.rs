//! Lets the wake thread hear only what may be speech, from a little before it on.

use std::collections::VecDeque;

use jarvis_link::message::{MIC_FRAME_SAMPLES, SatMicros};

use crate::sound::MicFrame;

/// Judgement of the voice detector from which on something may be speech: low, since a missed wake word costs more than a few milliseconds.
const VOICE: u8 = 64;
/// Frames before the first voice that are heard too: 400 ms, since the detector may come late to a soft "h".
const LOOKBACK: usize = 20;
/// Frames after the last voice that are heard too: 700 ms, since the spotter looks at a window as long as its longest reference.
const HANGOVER: u32 = 35;

/// For the wake thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WakeFeed {
    /// The next 20 ms.
    Frame {
        /// When its first sample was captured.
        captured: SatMicros,
        /// Sound.
        samples: Box<[i16; MIC_FRAME_SAMPLES]>,
    },
    /// What comes next does not follow what came before.
    Gap,
}

/// Decides what the wake thread hears.
#[derive(Debug, Default)]
pub struct Gate {
    before: VecDeque<MicFrame>,
    /// Frames that will still be passed on without voice.
    open: u32,
}

impl Gate {
    /// Takes a frame and passes on what is to be heard.
    pub fn hear(&mut self, frame: &MicFrame, out: &mut impl FnMut(WakeFeed)) {
        if frame.voice >= VOICE {
            if self.open == 0 {
                out(WakeFeed::Gap);
                for earlier in self.before.drain(..) {
                    out(feed(&earlier));
                }
            }
            self.open = HANGOVER;
        }
        if self.open > 0 {
            self.open -= 1;
            out(feed(frame));
            return;
        }
        if self.before.len() == LOOKBACK {
            self.before.pop_front();
        }
        self.before.push_back(frame.clone());
    }
}

fn feed(frame: &MicFrame) -> WakeFeed {
    WakeFeed::Frame { captured: frame.captured, samples: Box::new(frame.samples) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n: u64, voice: u8) -> MicFrame {
        MicFrame { captured: SatMicros(n * 20_000), voice, samples: [0; MIC_FRAME_SAMPLES] }
    }

    fn heard(voices: impl Iterator<Item = u8>) -> Vec<Option<u64>> {
        let mut gate = Gate::default();
        let mut heard = Vec::new();
        for (n, voice) in voices.enumerate() {
            gate.hear(&frame(n as u64, voice), &mut |feed| {
                heard.push(match feed {
                    WakeFeed::Frame { captured, .. } => Some(captured.0 / 20_000),
                    WakeFeed::Gap => None,
                });
            });
        }
        heard
    }

    #[test]
    fn silence_costs_nothing() {
        assert_eq!(heard((0..5000).map(|n| (n % 50) as u8)), []);
    }

    #[test]
    fn speech_is_heard_whole_with_what_lies_before_and_after_it() {
        let voices = (0..300).map(|n| if (100..150).contains(&n) { 255 } else { 0 });
        let wanted: Vec<Option<u64>> =
            std::iter::once(None).chain((80..150 + u64::from(HANGOVER) - 1).map(Some)).collect();
        assert_eq!(heard(voices), wanted);
    }

    #[test]
    fn a_short_pause_makes_no_gap_and_nothing_is_heard_twice() {
        let voices = (0..400).map(|n| if n % 30 == 10 { 200 } else { 0 });
        let heard = heard(voices);
        assert_eq!(heard.iter().filter(|h| h.is_none()).count(), 1);
        let frames: Vec<u64> = heard.into_iter().flatten().collect();
        assert!(frames.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }
}
