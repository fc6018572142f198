//! An ear that hears what it is told, in place of `jarvis-ear`: every frame of a worker's protocol, and no recogniser behind it. Whatever
//! sound comes, it hears the words in the file [`SAID`] of its model's folder, as a recogniser that misses nothing would write them down.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jarvis_worker::{EarEvent, EarRequest, frames, stdio};

/// The worker's program.
pub const PROGRAM: &str = "jarvis-parrot";
/// The file of its model's folder that holds what it hears.
const SAID: &str = "said.txt";
/// It shows its words once it has heard so much: a second.
const SHOWN_AFTER: usize = 16_000;
/// Samples of a millisecond.
const SAMPLES_PER_MS: usize = 16;

/// An utterance being heard.
struct Hearing {
    session: u64,
    text: String,
    samples: usize,
}

/// Has the ear whose model is in `model` hear this from now on.
///
/// # Errors
/// Where its file cannot be written.
pub fn hears(model: &Path, words: &str) -> Result<()> {
    std::fs::write(model.join(SAID), words).context("what the parrot hears")
}

/// The worker.
///
/// # Errors
/// Where it cannot go on: its daemon sees it end.
pub fn serve() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).context("the folder of a model is wanted")?);
    let requests = stdio::requests::<EarRequest>()?;
    let mut out = stdio::output();
    frames::write(&mut out, &EarEvent::Ready { library: PROGRAM.to_owned(), load_ms: 0 })?;
    let mut hearing: Option<Hearing> = None;
    for request in requests {
        match request? {
            EarRequest::Begin { session, .. } => {
                let text = std::fs::read_to_string(folder.join(SAID)).context("what it hears")?;
                hearing = Some(Hearing { session, text, samples: 0 });
            }
            EarRequest::Audio(samples) => {
                let Some(hearing) = &mut hearing else { continue };
                hearing.samples += samples.len();
                if hearing.samples >= SHOWN_AFTER {
                    let heard_ms = u32::try_from(hearing.samples / SAMPLES_PER_MS)?;
                    let (session, text) = (hearing.session, hearing.text.clone());
                    frames::write(&mut out, &EarEvent::Partial { session, text, heard_ms })?;
                }
            }
            EarRequest::Finish => {
                if let Some(Hearing { session, text, .. }) = hearing.take() {
                    frames::write(&mut out, &EarEvent::Final { session, text, words: Vec::new(), worst_call_ms: 0 })?;
                }
            }
            EarRequest::Ping(number) => frames::write(&mut out, &EarEvent::Pong(number))?,
        }
    }
    Ok(())
}
