// SPDX-License-Identifier: GPL-3.0-or-later
//
// This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License as
// published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version. It is distributed
// in the hope that it will be useful, but WITHOUT ANY WARRANTY. See https://www.gnu.org/licenses/ for the licence.

//! `jarvis-voice`: espeak-ng in a process of its own, for its licence and for its crashes.
//!
//! It speaks frames of `jarvis-worker` on its standard input and output: `VoiceRequest` in, [`VoiceEvent`] out. Sound goes out while
//! the sentence is still being made; a cancel is seen between two pieces of sound.

mod espeak;
mod ffi;
mod jobs;

use std::process::ExitCode;

use jarvis_worker::frames::{self, FrameError};
use jarvis_worker::{VoiceEvent, stdio};

use espeak::Espeak;
use jobs::Jobs;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), FrameError> {
    let mut output = stdio::output();
    let espeak = match Espeak::start() {
        Ok(espeak) => espeak,
        Err(reason) => {
            frames::write(&mut output, &VoiceEvent::Unusable { reason: reason.clone() })?;
            return Err(std::io::Error::other(reason).into());
        }
    };
    let ready = VoiceEvent::Ready { library: espeak.version(), rate_hz: espeak.rate_hz() };
    frames::write(&mut output, &ready)?;
    Jobs::new(stdio::requests()?, output).run(&espeak)
}
