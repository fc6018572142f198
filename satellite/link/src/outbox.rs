//! The satellite's utterances on their way out, kept until the daemon says that they are settled.
//!
//! An acknowledgement of frames says where a resend to the *same* run of the daemon goes on; another run, which lost everything, gets the
//! utterance from its first frame. Therefore nothing is dropped before [`SETTLED`], but for the bounds below. One utterance
//! is sent after the other, oldest first, each on a stream of its own.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use crate::message::{MIC_FRAME_BYTES, Mic, MicEnd, Opened, SETTLED, SatMicros, Utterance};

/// Frames of the longest utterance, 64 s with its pre-roll; what is beyond ends it as [`MicEnd::TooLong`].
pub const FRAMES_MAX: u32 = 3_200;
/// Utterances kept at most; the oldest makes room.
pub const KEPT_MAX: usize = 4;
/// Frames kept at most over all utterances, 5 MB; the oldest utterance makes room.
pub const FRAMES_KEPT_MAX: usize = 2 * FRAMES_MAX as usize;
/// How long an ended utterance is worth a resend, in microseconds. An answer to what was asked longer ago would startle.
pub const KEEP_US: u64 = 30_000_000;
/// How long a resend waits for the daemon to say where to go on, in microseconds; then it begins at the first frame.
pub const RESUME_WAIT_US: u64 = 1_000_000;

/// What is to be written to the utterance streams, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum MicOut {
    /// Open a stream for this utterance.
    Open(Utterance),
    /// Write a frame on the open stream.
    Write(Mic),
    /// Finish the open stream: its End frame was written.
    Finish,
    /// Reset the open stream: the rest is not wanted.
    Abandon,
}

/// An utterance cannot be added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such utterance is open")]
pub struct NotOpen;

#[derive(Debug)]
struct Frame {
    captured: SatMicros,
    voice: u8,
    pcm: Box<[u8; MIC_FRAME_BYTES]>,
}

#[derive(Debug)]
struct Kept {
    utterance: Utterance,
    opened: Opened,
    preroll_frames: u16,
    frames: VecDeque<Frame>,
    end: Option<MicEnd>,
    touched: SatMicros,
    /// Whether a daemon may know of it: then a resend asks where to go on.
    known: bool,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Unsent,
    Opened,
    AwaitingAck { until: SatMicros },
    Streaming { next: u32 },
    Finishing,
    Sent,
}

/// Whether a stream is open at the driver, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    None,
    Of(Utterance),
}

/// The utterances kept.
#[derive(Debug)]
pub struct Outbox {
    kept: VecDeque<Kept>,
    newest: Utterance,
    stream: Stream,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { kept: VecDeque::new(), newest: Utterance(0), stream: Stream::None }
    }
}

impl Outbox {
    /// Opens an utterance; one still open is ended as [`MicEnd::Closed`].
    pub fn begin(
        &mut self,
        utterance: Utterance,
        opened: Opened,
        preroll_frames: u16,
        now: SatMicros,
    ) -> Result<(), NotOpen> {
        if utterance <= self.newest {
            return Err(NotOpen);
        }
        if let Some(open) = self.kept.back_mut() {
            open.end.get_or_insert(MicEnd::Closed);
        }
        self.newest = utterance;
        while self.kept.len() >= KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept {
            utterance,
            opened,
            preroll_frames,
            frames: VecDeque::new(),
            end: None,
            touched: now,
            known: false,
            progress: Progress::Unsent,
        });
        Ok(())
    }

    /// Adds 20 ms. One frame too many ends the utterance.
    pub fn frame(
        &mut self,
        utterance: Utterance,
        captured: SatMicros,
        voice: u8,
        pcm: Box<[u8; MIC_FRAME_BYTES]>,
        now: SatMicros,
    ) -> Result<(), NotOpen> {
        let open = self.open(utterance)?;
        open.touched = now;
        if open.frames.len() >= FRAMES_MAX as usize {
            open.end = Some(MicEnd::TooLong);
            return Err(NotOpen);
        }
        open.frames.push_back(Frame { captured, voice, pcm });
        while self.kept.len() > 1 && self.frames_kept() > FRAMES_KEPT_MAX {
            self.kept.pop_front();
        }
        Ok(())
    }

    /// Ends it.
    pub fn end(&mut self, utterance: Utterance, reason: MicEnd, now: SatMicros) -> Result<(), NotOpen> {
        let open = self.open(utterance)?;
        open.end = Some(reason);
        open.touched = now;
        Ok(())
    }

    /// The daemon acknowledged.
    pub fn ack(&mut self, utterance: Utterance, next: u32) {
        if next == SETTLED {
            self.kept.retain(|kept| kept.utterance != utterance);
        } else if let Some(kept) = self.kept.iter_mut().find(|kept| kept.utterance == utterance)
            && let Progress::AwaitingAck { .. } = kept.progress
        {
            // More than there is was never sent: such an acknowledgement is of another utterance, and none of it counts.
            let have = u32::try_from(kept.frames.len()).unwrap_or(u32::MAX);
            let next = if next <= have { next } else { 0 };
            kept.progress = Progress::Streaming { next };
        }
    }

    /// A complete answer came to what was sent whole up to `newest`: it is done with.
    pub fn answered(&mut self, newest: Utterance) {
        self.kept.retain(|kept| kept.utterance > newest || kept.progress != Progress::Sent);
    }

    /// The link is lost: everything is to be sent again on the next.
    pub fn lost(&mut self) {
        self.stream = Stream::None;
        for kept in &mut self.kept {
            kept.progress = Progress::Unsent;
        }
    }

    /// The open stream was refused or stopped by the daemon: what it carried is not wanted.
    pub fn stopped(&mut self) {
        if let Stream::Of(utterance) = core::mem::replace(&mut self.stream, Stream::None) {
            self.kept.retain(|kept| kept.utterance != utterance);
        }
    }

    /// What to write next; `None`: nothing for now. To be asked only while the link is up.
    pub fn poll(&mut self, now: SatMicros) -> Option<MicOut> {
        self.kept.retain(|kept| !kept.is_stale(now));
        if let Stream::Of(utterance) = self.stream
            && !self.kept.iter().any(|kept| kept.utterance == utterance)
        {
            self.stream = Stream::None;
            return Some(MicOut::Abandon);
        }
        let kept = self.kept.iter_mut().find(|kept| kept.progress != Progress::Sent)?;
        let (out, progress) = kept.step(now)?;
        kept.progress = progress;
        match &out {
            MicOut::Open(utterance) => self.stream = Stream::Of(*utterance),
            MicOut::Finish => self.stream = Stream::None,
            MicOut::Write(_) | MicOut::Abandon => {}
        }
        Some(out)
    }

    /// When [`Outbox::poll`] may have something to say though nothing new was put in.
    pub fn poll_timeout(&self) -> Option<SatMicros> {
        self.kept.iter().find_map(|kept| match kept.progress {
            Progress::AwaitingAck { until } => Some(until),
            _ => None,
        })
    }

    /// Frames kept over all utterances.
    pub fn frames_kept(&self) -> usize {
        self.kept.iter().map(|kept| kept.frames.len()).sum()
    }

    /// Whether that utterance is kept.
    pub fn holds(&self, utterance: Utterance) -> bool {
        self.kept.iter().any(|kept| kept.utterance == utterance)
    }

    /// Utterances kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn open(&mut self, utterance: Utterance) -> Result<&mut Kept, NotOpen> {
        self.kept.back_mut().filter(|kept| kept.utterance == utterance && kept.end.is_none()).ok_or(NotOpen)
    }
}

impl Kept {
    fn is_stale(&self, now: SatMicros) -> bool {
        self.end.is_some() && now.0.saturating_sub(self.touched.0) > KEEP_US
    }

    fn step(&mut self, now: SatMicros) -> Option<(MicOut, Progress)> {
        match self.progress {
            Progress::Unsent => Some((MicOut::Open(self.utterance), Progress::Opened)),
            Progress::Opened => {
                let progress = if self.known {
                    let until = SatMicros(now.0.saturating_add(RESUME_WAIT_US));
                    Progress::AwaitingAck { until }
                } else {
                    Progress::Streaming { next: 0 }
                };
                self.known = true;
                let start = Mic::Start {
                    utterance: self.utterance,
                    opened: self.opened.clone(),
                    preroll_frames: self.preroll_frames,
                };
                Some((MicOut::Write(start), progress))
            }
            Progress::AwaitingAck { until } if now < until => None,
            Progress::AwaitingAck { .. } => self.stream_from(0),
            Progress::Streaming { next } => self.stream_from(next),
            Progress::Finishing => Some((MicOut::Finish, Progress::Sent)),
            Progress::Sent => None,
        }
    }

    fn stream_from(&self, next: u32) -> Option<(MicOut, Progress)> {
        if let Some(frame) = self.frames.get(next as usize) {
            let frame = Mic::Frame { seq: next, captured: frame.captured, voice: frame.voice, pcm: frame.pcm.to_vec() };
            return Some((MicOut::Write(frame), Progress::Streaming { next: next + 1 }));
        }
        let end = Mic::End { frames: next, reason: self.end? };
        Some((MicOut::Write(end), Progress::Finishing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SatMicros = SatMicros(1);

    fn said(outbox: &mut Outbox, utterance: u64, frames: u32) {
        let utterance = Utterance(utterance);
        outbox.begin(utterance, Opened::Button, 0, NOW).unwrap();
        for _ in 0..frames {
            outbox.frame(utterance, NOW, 0, Box::new([0; MIC_FRAME_BYTES]), NOW).unwrap();
        }
        outbox.end(utterance, MicEnd::Released, NOW).unwrap();
    }

    /// Everything there is to write now, one letter each.
    fn written(outbox: &mut Outbox, now: SatMicros) -> alloc::string::String {
        core::iter::from_fn(|| outbox.poll(now))
            .map(|out| match out {
                MicOut::Open(_) => '(',
                MicOut::Write(Mic::Start { .. }) => 's',
                MicOut::Write(Mic::Frame { .. }) => 'f',
                MicOut::Write(Mic::End { .. }) => 'e',
                MicOut::Finish => ')',
                MicOut::Abandon => '!',
            })
            .collect()
    }

    #[test]
    fn a_resend_waits_for_where_to_go_on_and_not_for_ever() {
        let mut outbox = Outbox::default();
        said(&mut outbox, 1, 4);
        assert_eq!(written(&mut outbox, NOW), "(sffffe)");
        outbox.lost();
        assert_eq!(written(&mut outbox, NOW), "(s");
        outbox.ack(Utterance(1), 3);
        assert_eq!(written(&mut outbox, NOW), "fe)");
        outbox.lost();
        assert_eq!(written(&mut outbox, NOW), "(s");
        let until = outbox.poll_timeout().unwrap();
        assert_eq!(written(&mut outbox, until), "ffffe)");
        outbox.lost();
        assert_eq!(written(&mut outbox, NOW), "(s");
        outbox.ack(Utterance(1), 99);
        assert_eq!(written(&mut outbox, NOW), "ffffe)", "an acknowledgement of what was never sent counts for nothing");
    }

    #[test]
    fn what_is_settled_stopped_or_stale_is_not_sent_again() {
        let mut outbox = Outbox::default();
        said(&mut outbox, 1, 1);
        assert_eq!(written(&mut outbox, NOW), "(sfe)");
        outbox.ack(Utterance(1), SETTLED);
        assert!(outbox.is_empty());
        said(&mut outbox, 2, 1);
        assert_eq!(outbox.poll(NOW), Some(MicOut::Open(Utterance(2))));
        outbox.stopped();
        assert!(outbox.is_empty());
        said(&mut outbox, 3, 1);
        assert_eq!(outbox.poll(NOW), Some(MicOut::Open(Utterance(3))));
        assert_eq!(written(&mut outbox, SatMicros(NOW.0 + KEEP_US + 1)), "!");
        assert!(outbox.is_empty());
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let mut outbox = Outbox::default();
        for utterance in 1..=6 {
            said(&mut outbox, utterance, 10);
        }
        assert_eq!(outbox.len(), KEPT_MAX);
        said(&mut outbox, 7, FRAMES_MAX);
        said(&mut outbox, 8, FRAMES_MAX);
        assert_eq!((outbox.len(), outbox.frames_kept()), (2, FRAMES_KEPT_MAX));
        let utterance = Utterance(9);
        outbox.begin(utterance, Opened::Button, 0, NOW).unwrap();
        let mut frame = || outbox.frame(utterance, NOW, 0, Box::new([0; MIC_FRAME_BYTES]), NOW);
        assert!((0..FRAMES_MAX).all(|_| frame().is_ok()));
        assert_eq!(frame(), Err(NotOpen), "one frame too many");
        assert_eq!(outbox.end(utterance, MicEnd::Closed, NOW), Err(NotOpen), "it has ended as too long");
        assert_eq!(outbox.begin(utterance, Opened::Button, 0, NOW), Err(NotOpen), "utterances count up");
    }
}
