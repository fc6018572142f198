//! The ear: speech to text in a worker process of its own.
//!
//! One owner task ([`supervisor`]) holds the process. Whatever happens to it (it is killed, hangs, writes garbage, its library or its
//! model is missing) the session at hand ends in [`EarHeard::Lost`] within [`EarConfig::max_call`], the task starts another process,
//! and the next [`Ear::begin`] works. The recogniser decides nothing: core ends the utterance, by [`EarSession::finish`].

mod config;
mod model;
mod session;
mod supervisor;

pub use config::EarConfig;
pub use model::{EarModel, ModelError};
pub use session::{EarError, EarHeard, EarSession};
pub use supervisor::{Ear, EarStatus, EarTask};
