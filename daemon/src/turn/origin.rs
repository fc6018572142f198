//! Where a turn comes from, and what that makes of its beginning.

use jarvis_core::turn::{self as core, Opening, WakeCheck};
use jarvis_link::message::Utterance;

use super::Parts;
use super::parts::millis;
use crate::event::Wake;
use crate::hub::Opening as Opened;
use crate::store::Source;

/// Where a turn comes from.
#[derive(Debug)]
pub(super) enum Origin {
    Heard { utterance: Utterance, opened: Opened },
    Typed(String),
    Said(String),
}

impl Origin {
    pub(super) fn utterance(&self) -> Option<Utterance> {
        match self {
            Self::Heard { utterance, .. } => Some(*utterance),
            Self::Typed(_) | Self::Said(_) => None,
        }
    }

    /// As it is written down.
    pub(super) fn source(&self) -> (Source, Option<Wake>) {
        match self {
            Self::Heard { opened: Opened::Wake { phrase, score, .. }, .. } => {
                (Source::Voice, Some(Wake { phrase: phrase.clone(), score: *score, check: WakeCheck::CannotTell }))
            }
            Self::Heard { .. } => (Source::Voice, None),
            Self::Typed(_) => (Source::Typed, None),
            Self::Said(_) => (Source::Said, None),
        }
    }

    /// As core begins with it, and what is to be said of its own accord.
    pub(super) fn opening(self, parts: &Parts, aloud: bool) -> (Opening, String) {
        match self {
            Self::Heard { opened: Opened::Wake { phrase, score, sure, enrolled, at }, .. } => {
                let ear = parts.ear_standing(&phrase);
                (Opening::Wake(core::Wake { phrase, score, sure, enrolled, at: millis(at) }, ear), String::new())
            }
            Self::Heard { .. } => (Opening::Unasked, String::new()),
            Self::Typed(text) => (Opening::Typed { text, aloud }, String::new()),
            Self::Said(text) => (Opening::Announcement, text),
        }
    }
}
