//! What is said on an enrolment connection: one request, one reply.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::Token;
use crate::frame::Message;
use crate::key::PublicKey;
use crate::message::NAME_BYTES_MAX;

/// The satellite's request, sent once it knows the daemon by its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The code's token.
    pub token: Token,
    /// The satellite's key; the same as the one it showed to TLS.
    pub key: PublicKey,
    /// Program version.
    pub software: String,
}

/// The daemon's reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The key is on the table.
    Enrolled {
        /// Name of the room.
        room: String,
    },
    /// It is not.
    Refused(Refusal),
}

/// Why an enrolment is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// No code is open: it was used, it expired, or it was tried too often.
    #[error(
        "no such code is open: it was used already, has expired, or was tried too often; make a new one with `jarvisctl enrol`"
    )]
    NotOpen,
    /// The token is not that of the open code.
    #[error("the code is not the one that is open")]
    WrongToken,
    /// The key named is not the one shown to TLS, or it is enrolled for another room.
    #[error("the key is not acceptable: it is another than TLS was shown, or enrolled for another room")]
    WrongKey,
    /// The daemon could not write its table.
    #[error("the daemon could not write its table of satellites: see its log")]
    NotWritten,
}

impl Message for Request {
    const MAX_BYTES: usize = 256;

    fn check(&self) -> Result<(), &'static str> {
        if self.software.len() <= NAME_BYTES_MAX { Ok(()) } else { Err("a name is too long") }
    }
}

impl Message for Reply {
    const MAX_BYTES: usize = 256;

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Enrolled { room } if room.len() > NAME_BYTES_MAX => Err("a name is too long"),
            _ => Ok(()),
        }
    }
}
