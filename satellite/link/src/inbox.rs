//! The daemon's side of a satellite's utterances: in order, without gaps or doubles, over as many connections as it takes.
//!
//! One utterance is told after the other: each has ended before the next is opened. A satellite sends them so, each on a stream of its own,
//! and the streams are to be read in the order in which they were opened, for QUIC keeps no order between streams. What
//! begins all the same while an older one is open puts an end to that one.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::message::{DaemonMicros, Mic, MicEnd, Opened, SETTLED, SatMicros, Utterance};
use crate::outbox::FRAMES_MAX;

/// Utterances remembered per satellite; the oldest makes room.
pub const REMEMBERED_MAX: usize = 8;
/// Frames between two acknowledgements: half a second.
pub const ACK_EVERY: u32 = 25;
/// How long an open utterance may stay without a frame before it is given up, in microseconds.
pub const RESUME_GRACE_US: u64 = 8_000_000;

/// Why an utterance broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing of it came for [`RESUME_GRACE_US`].
    LinkLost,
    /// The satellite's program was restarted.
    SatelliteRestarted,
    /// Frames were missing or malformed.
    Broken,
    /// It was longer than [`FRAMES_MAX`].
    TooLong,
    /// The satellite's key was taken off the table.
    Revoked,
}

/// Something that became of an utterance.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// It began.
    Opened {
        /// Which.
        utterance: Utterance,
        /// Why.
        opened: Opened,
        /// Frames that were heard before the opening.
        preroll_frames: u16,
    },
    /// The next 20 ms of it.
    Frame {
        /// Which.
        utterance: Utterance,
        /// Counts up from 0.
        seq: u32,
        /// Capture time of the first sample.
        captured: SatMicros,
        /// Voice activity.
        voice: u8,
        /// The samples, as they came.
        pcm: Vec<u8>,
    },
    /// It ended as the satellite said.
    Ended {
        /// Which.
        utterance: Utterance,
        /// Why.
        reason: MicEnd,
    },
    /// It broke off.
    Cut {
        /// Which.
        utterance: Utterance,
        /// Why.
        cut: Cut,
    },
}

/// What an utterance stream's frame led to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Taken {
    /// What is to be told first: an older utterance that was open is cut.
    pub before: Option<Heard>,
    /// What is to be told.
    pub heard: Option<Heard>,
    /// Acknowledge this far.
    pub ack: Option<(Utterance, u32)>,
    /// Stop reading that stream: nothing more of it is wanted.
    pub stop: bool,
}

/// One utterance stream, for the connection that carries it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MicStream {
    /// Nothing came yet.
    #[default]
    Fresh,
    /// It carries this utterance.
    Of {
        /// Which.
        utterance: Utterance,
        /// Which of the utterance's streams it is: an older one's frames count for nothing.
        attempt: u32,
    },
    /// Nothing more of it is wanted.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Settled,
}

#[derive(Debug)]
struct Entry {
    utterance: Utterance,
    state: State,
    next: u32,
    attempt: u32,
    last: DaemonMicros,
}

/// A satellite's utterances, as far as they are remembered.
#[derive(Debug, Default)]
pub struct Inbox {
    run: Option<u64>,
    /// Newest of those that made room: what is not newer was dealt with long ago.
    forgotten: Option<Utterance>,
    entries: VecDeque<Entry>,
}

impl Inbox {
    /// The satellite greeted: where it was restarted since, what was open is cut.
    pub fn greet(&mut self, run: u64) -> Vec<Heard> {
        if self.run.replace(run) == Some(run) {
            return Vec::new();
        }
        let open = self.cut_where(Cut::SatelliteRestarted, |_| true);
        self.forgotten = None;
        self.entries.clear();
        open
    }

    /// A frame came on a stream.
    pub fn handle(&mut self, stream: &mut MicStream, frame: Mic, now: DaemonMicros) -> Taken {
        match (*stream, frame) {
            (MicStream::Fresh, Mic::Start { utterance, opened, preroll_frames }) => {
                self.start(stream, utterance, opened, preroll_frames, now)
            }
            (MicStream::Of { utterance, attempt }, frame) => {
                let entry = self.entry(utterance).filter(|entry| entry.attempt == attempt);
                match entry {
                    Some(entry) if entry.state == State::Open => {
                        entry.last = now;
                        entry.frame(frame)
                    }
                    // A resend of what has ended: to stop it would make the satellite forget what is not settled yet.
                    Some(entry) if entry.state == State::Ended => Taken::default(),
                    _ => over(stream),
                }
            }
            (MicStream::Fresh | MicStream::Over, _) => over(stream),
        }
    }

    /// The stream ended, or what came on it is no frame, while the connection lives.
    pub fn ended(&mut self, stream: &mut MicStream) -> Taken {
        let MicStream::Of { utterance, attempt } = core::mem::replace(stream, MicStream::Over) else {
            return over(stream);
        };
        match self.entry(utterance) {
            Some(entry) if entry.attempt == attempt && entry.state == State::Open => {
                entry.state = State::Ended;
                Taken { heard: Some(Heard::Cut { utterance, cut: Cut::Broken }), stop: true, ..Taken::default() }
            }
            _ => over(stream),
        }
    }

    /// The utterance is done with: if it is known, that is to be acknowledged, and one that was open has ended.
    pub fn settle(&mut self, utterance: Utterance) -> Taken {
        let Some(entry) = self.entry(utterance) else {
            return Taken::default();
        };
        let was_open = entry.state == State::Open;
        entry.state = State::Settled;
        Taken {
            heard: was_open.then_some(Heard::Ended { utterance, reason: MicEnd::Closed }),
            ack: Some((utterance, SETTLED)),
            stop: was_open,
            ..Taken::default()
        }
    }

    /// The newest utterance that began.
    pub fn newest(&self) -> Option<Utterance> {
        self.entries.back().map(|entry| entry.utterance)
    }

    /// The newest utterance that has ended and is not newer than `newest`.
    pub fn ended_until(&self, newest: Utterance) -> Option<Utterance> {
        let ended = self.entries.iter().rev().filter(|entry| entry.state != State::Open);
        ended.map(|entry| entry.utterance).find(|utterance| *utterance <= newest)
    }

    /// What has ended and is not newer than `newest` is done with; tells what newly is.
    pub fn settle_until(&mut self, newest: Utterance) -> Vec<Utterance> {
        let ended = self.entries.iter_mut().filter(|entry| entry.state == State::Ended && entry.utterance <= newest);
        ended
            .map(|entry| {
                entry.state = State::Settled;
                entry.utterance
            })
            .collect()
    }

    /// When [`Inbox::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<DaemonMicros> {
        let open = self.entries.iter().filter(|entry| entry.state == State::Open);
        open.map(|entry| DaemonMicros(entry.last.0.saturating_add(RESUME_GRACE_US))).min()
    }

    /// Gives up what did not go on.
    pub fn handle_timeout(&mut self, now: DaemonMicros) -> Vec<Heard> {
        self.cut_where(Cut::LinkLost, |entry| now.0.saturating_sub(entry.last.0) >= RESUME_GRACE_US)
    }

    /// Cuts all that is open: the satellite will not come back.
    pub fn cut_all(&mut self, cut: Cut) -> Vec<Heard> {
        self.cut_where(cut, |_| true)
    }

    fn start(
        &mut self,
        stream: &mut MicStream,
        utterance: Utterance,
        opened: Opened,
        preroll_frames: u16,
        now: DaemonMicros,
    ) -> Taken {
        if let Some(entry) = self.entry(utterance) {
            entry.attempt = entry.attempt.saturating_add(1);
            if entry.state == State::Settled {
                *stream = MicStream::Over;
                return Taken { ack: Some((utterance, SETTLED)), ..Taken::default() };
            }
            entry.last = now;
            *stream = MicStream::Of { utterance, attempt: entry.attempt };
            return Taken { ack: Some((utterance, entry.next)), ..Taken::default() };
        }
        if self.forgotten.max(self.newest()) >= Some(utterance) {
            *stream = MicStream::Over;
            return Taken { ack: Some((utterance, SETTLED)), stop: true, ..Taken::default() };
        }
        // The satellite has none of it any more: it sends what it has in its order.
        let before = self.cut_where(Cut::Broken, |_| true).pop();
        if self.entries.len() >= REMEMBERED_MAX {
            self.forget_oldest();
        }
        self.entries.push_back(Entry { utterance, state: State::Open, next: 0, attempt: 0, last: now });
        *stream = MicStream::Of { utterance, attempt: 0 };
        Taken {
            before,
            heard: Some(Heard::Opened { utterance, opened, preroll_frames }),
            ack: Some((utterance, 0)),
            stop: false,
        }
    }

    /// Makes room. Entries came in the order of their utterances.
    fn forget_oldest(&mut self) {
        let oldest = self.entries.pop_front().map(|entry| entry.utterance);
        self.forgotten = self.forgotten.max(oldest);
    }

    fn entry(&mut self, utterance: Utterance) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.utterance == utterance)
    }

    fn cut_where(&mut self, cut: Cut, chosen: impl Fn(&Entry) -> bool) -> Vec<Heard> {
        let open = self.entries.iter_mut().filter(|entry| entry.state == State::Open && chosen(entry));
        open.map(|entry| {
            entry.state = State::Ended;
            Heard::Cut { utterance: entry.utterance, cut }
        })
        .collect()
    }
}

impl Entry {
    fn frame(&mut self, frame: Mic) -> Taken {
        let utterance = self.utterance;
        match frame {
            Mic::Frame { seq, .. } if seq < self.next => Taken::default(),
            Mic::Frame { seq, .. } if seq >= FRAMES_MAX => self.cut(Cut::TooLong),
            Mic::Frame { seq, captured, voice, pcm } if seq == self.next => {
                self.next += 1;
                Taken {
                    heard: Some(Heard::Frame { utterance, seq, captured, voice, pcm }),
                    ack: self.next.is_multiple_of(ACK_EVERY).then_some((utterance, self.next)),
                    ..Taken::default()
                }
            }
            Mic::End { frames, reason } if frames == self.next => {
                self.state = State::Ended;
                Taken {
                    heard: Some(Heard::Ended { utterance, reason }),
                    ack: Some((utterance, self.next)),
                    ..Taken::default()
                }
            }
            Mic::Start { .. } | Mic::Frame { .. } | Mic::End { .. } => self.cut(Cut::Broken),
        }
    }

    fn cut(&mut self, cut: Cut) -> Taken {
        self.state = State::Ended;
        Taken { heard: Some(Heard::Cut { utterance: self.utterance, cut }), stop: true, ..Taken::default() }
    }
}

fn over(stream: &mut MicStream) -> Taken {
    *stream = MicStream::Over;
    Taken { stop: true, ..Taken::default() }
}
