//! `jarvis-ear MODEL`: libvosk in a process of its own, which may abort or hang without the daemon.
//!
//! It reads [`EarRequest`] frames on its standard input and writes [`EarEvent`] frames on its standard output, in order: what came
//! before a ping has been heard when its pong is out. It ends when its input does.

mod dither;
mod hearing;
mod model_folder;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use jarvis_worker::frames::{self, FrameError};
use jarvis_worker::{EarEvent, EarRequest, stdio};
use vosk::{LogLevel, Model};

use hearing::Hearing;
use model_folder::StagedModel;

/// The wheel's version: the library itself does not tell one.
const LIBRARY: &str = "libvosk 0.3.45";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: jarvis-ear MODEL (frames on standard input and output; jarvisd starts it)");
        return ExitCode::from(2);
    };
    let mut out = stdio::output();
    let ended = match load(Path::new(&folder)) {
        Ok((model, load_ms)) => serve(&model, load_ms, &mut out),
        Err(reason) => {
            eprintln!("{reason}");
            frames::write(&mut out, &EarEvent::Unusable { reason })
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn load(folder: &Path) -> Result<(Model, u32), String> {
    let started = Instant::now();
    vosk::set_log_level(LogLevel::Error);
    let staged = StagedModel::new(folder)?;
    let model = Model::new(staged.path().to_string_lossy().into_owned()).ok_or_else(|| {
        format!(
            "libvosk can't load the model in {}: it is damaged or not a Vosk model; put it there again",
            folder.display()
        )
    })?;
    Ok((model, started.elapsed().as_millis() as u32))
}

fn serve(model: &Model, load_ms: u32, out: &mut impl Write) -> Result<(), FrameError> {
    let requests = stdio::requests()?;
    frames::write(out, &EarEvent::Ready { library: LIBRARY.to_owned(), load_ms })?;
    let mut hearing: Option<Hearing> = None;
    for request in requests {
        match request? {
            EarRequest::Begin { session, grammar } => {
                hearing = Some(Hearing::new(model, session, &grammar).map_err(io::Error::other)?);
            }
            // Sound that follows a final belongs to nobody: the daemon had it under way when it asked for the end.
            EarRequest::Audio(samples) => {
                if let Some(partial) = hearing.as_mut().and_then(|h| h.hear(&samples)) {
                    frames::write(out, &partial)?;
                }
            }
            EarRequest::Finish => {
                if let Some(hearing) = hearing.take() {
                    frames::write(out, &hearing.finish())?;
                }
            }
            EarRequest::Ping(number) => frames::write(out, &EarEvent::Pong(number))?,
        }
    }
    Ok(out.flush()?)
}
