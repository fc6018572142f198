// SPDX-License-Identifier: GPL-3.0-or-later

//! Sentences in, sound out, one after the other; a cancel overtakes.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::mpsc::TryRecvError;

use jarvis_worker::frames::{self, FrameError};
use jarvis_worker::stdio::Requests;
use jarvis_worker::{VoiceEvent, VoiceRequest};

use crate::espeak::{Ended, Espeak, Manner};

/// Sentences that wait here while one is spoken; more are refused. The daemon sends one at a time.
const WAITING_MAX: usize = 32;

/// Longest text, in bytes.
const TEXT_MAX: usize = 16 * 1024;

/// The worker's work.
pub struct Jobs<W> {
    requests: Requests<VoiceRequest>,
    waiting: VecDeque<Job>,
    output: W,
    /// The daemon is gone, or what came from it is no request.
    over: Option<Result<(), FrameError>>,
}

struct Job {
    id: u64,
    text: String,
    voice: String,
    rate: u16,
    pitch: u8,
}

impl<W: Write> Jobs<W> {
    /// Of these pipes.
    pub fn new(requests: Requests<VoiceRequest>, output: W) -> Self {
        Self { requests, waiting: VecDeque::new(), output, over: None }
    }

    /// Speaks until the input ends.
    pub fn run(mut self, espeak: &Espeak) -> Result<(), FrameError> {
        loop {
            if let Some(job) = self.waiting.pop_front() {
                self.speak(espeak, &job)?;
                continue;
            }
            if let Some(over) = self.over.take() {
                return over;
            }
            match self.requests.recv() {
                Ok(request) => {
                    self.take(request, None)?;
                }
                Err(_) => self.over = Some(Ok(())),
            }
        }
    }

    fn speak(&mut self, espeak: &Espeak, job: &Job) -> Result<(), FrameError> {
        let manner = Manner { voice: &job.voice, rate: job.rate, pitch: job.pitch };
        let mut broken = None;
        let ended = espeak.speak(&job.text, &manner, &mut |samples| {
            let sound = VoiceEvent::Pcm { job: job.id, samples: samples.to_vec() };
            let cancelled = frames::write(&mut self.output, &sound).and_then(|()| self.is_cancelled(job.id));
            match cancelled {
                Ok(false) => ControlFlow::Continue(()),
                Ok(true) => ControlFlow::Break(()),
                Err(error) => {
                    broken = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        if let Some(error) = broken {
            return Err(error);
        }
        let last = match ended {
            Ok(Ended::Whole | Ended::Stopped) => VoiceEvent::Done { job: job.id },
            Err(reason) => VoiceEvent::Failed { job: job.id, reason },
        };
        frames::write(&mut self.output, &last)
    }

    /// Looks at what has come meanwhile.
    fn is_cancelled(&mut self, current: u64) -> Result<bool, FrameError> {
        let mut cancelled = false;
        loop {
            match self.requests.try_recv() {
                Ok(request) => cancelled |= self.take(request, Some(current))?,
                Err(TryRecvError::Empty) => return Ok(cancelled),
                Err(TryRecvError::Disconnected) => {
                    self.over.get_or_insert(Ok(()));
                    return Ok(cancelled);
                }
            }
        }
    }

    /// Takes a request; whether it cancels the current job.
    fn take(&mut self, request: Result<VoiceRequest, FrameError>, current: Option<u64>) -> Result<bool, FrameError> {
        match request {
            Ok(VoiceRequest::Speak { job, text, voice, rate, pitch }) => {
                let reason = if text.len() > TEXT_MAX {
                    Some(format!("a text of {} bytes: at most {TEXT_MAX} are spoken at once", text.len()))
                } else if self.waiting.len() >= WAITING_MAX {
                    Some(format!("{WAITING_MAX} sentences wait already"))
                } else {
                    None
                };
                match reason {
                    Some(reason) => frames::write(&mut self.output, &VoiceEvent::Failed { job, reason })?,
                    None => self.waiting.push_back(Job { id: job, text, voice, rate, pitch }),
                }
                Ok(false)
            }
            Ok(VoiceRequest::Cancel(job)) => {
                if self.waiting.iter().any(|waiting| waiting.id == job) {
                    self.waiting.retain(|waiting| waiting.id != job);
                    frames::write(&mut self.output, &VoiceEvent::Done { job })?;
                }
                Ok(current == Some(job))
            }
            Err(error) => {
                self.over = Some(Err(error));
                Ok(true)
            }
        }
    }
}
