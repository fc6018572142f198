//! Where an approval stands, and who may move it on.

use serde::{Deserialize, Serialize};

use super::{CHANGED_MIND_MS, Row, Seal, SealKey, WRONG_WORDS_MAX};
use crate::ids::WallMillis;
use crate::tool::Tier;

/// What a spoken yes is logged as, before its room.
const SPOKEN: &str = "voice in ";

/// A second channel: something a person reaches who is let in, and a voice does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The status page.
    Page,
    /// `jarvisctl`.
    Ctl,
}

/// Where the two words of a question are told. Whoever confirms them somewhere else was there, or was told by somebody who was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Spoken in the room.
    #[default]
    Room,
    /// Shown on the page, to its owner who is signed in: nobody would hear them. They are confirmed with `jarvisctl`.
    Page,
}

impl Told {
    /// Where the words of a question are told that is asked in `room`.
    pub fn of(room: Option<&str>) -> Self {
        if room.is_some() { Self::Room } else { Self::Page }
    }
}

/// Who says yes, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approver {
    /// A voice in a room.
    Voice {
        /// Which.
        room: String,
    },
    /// Somebody at a second channel.
    Second {
        /// Which.
        channel: Channel,
        /// The seal of the question that was shown there.
        seal: Seal,
        /// The words that were spoken, where the question has some.
        words: Option<String>,
    },
}

impl Approver {
    /// In a word, for the log: `voice in study`, `page`, `jarvisctl`.
    pub fn name(&self) -> String {
        match self {
            Self::Voice { room } => format!("{SPOKEN}{room}"),
            Self::Second { channel: Channel::Page, .. } => "page".to_owned(),
            Self::Second { channel: Channel::Ctl, .. } => "jarvisctl".to_owned(),
        }
    }
}

/// Where an approval stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Asked, not answered.
    Pending,
    /// Somebody said yes.
    Approved {
        /// Who.
        by: String,
        /// Not before then does it run: a mind may still be changed.
        clears: WallMillis,
    },
    /// Somebody said no, or the words were wrong too often.
    Denied,
    /// It was taken back.
    Cancelled,
    /// Nobody answered in time.
    Expired,
    /// It was consumed; the effect was begun or was about to be.
    Started,
    /// It was done, and seen to be done.
    Done,
    /// It failed.
    Failed,
    /// Nobody knows what became of it; it is looked for in the node's task list.
    Unknown,
}

impl Stage {
    /// As it is stored and shown.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved { .. } => "approved",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Started => "started",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it was approved by a voice.
    pub fn is_spoken(&self) -> bool {
        matches!(self, Self::Approved { by, .. } if by.starts_with(SPOKEN))
    }

    /// Whether it can still be answered or taken back.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Pending | Self::Approved { .. })
    }
}

/// Why a "yes" does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// It is not open any more.
    #[error("that question is not open any more")]
    NotPending,
    /// Its time is over.
    #[error("that question is too old; ask again")]
    Expired,
    /// The row is not as it was when it was asked.
    #[error("what was stored is not what was asked for; nothing will be done")]
    Altered,
    /// What was shown is not what is stored.
    #[error("that is not the question that was shown; look again")]
    OtherQuestion,
    /// A voice is not enough for it.
    #[error("a voice is not enough for this; confirm it on the page or with jarvisctl")]
    VoiceNotEnough,
    /// It was asked in another room.
    #[error("that was asked in another room")]
    OtherRoom,
    /// Its room did not hear it to the end.
    #[error("that question was not heard to its end; ask again")]
    NotSpoken,
    /// Its words are shown on the page, so that they prove nothing there.
    #[error("its words are shown on this page, so they are confirmed elsewhere: jarvisctl approve")]
    SameChannel,
    /// The clock says that it was not asked yet.
    #[error("the clock was set back since that was asked; ask again")]
    ClockBack,
    /// The words are not those that were spoken.
    #[error("those are not the words; {}", tries(*left))]
    WrongWords {
        /// Before the question is void.
        left: u8,
    },
}

/// How many are left, in words.
fn tries(left: u8) -> String {
    match left {
        0 => "no try is left".to_owned(),
        1 => "1 try is left".to_owned(),
        _ => format!("{left} tries are left"),
    }
}

impl Row {
    /// What a "yes" makes of it. On [`NotApproved::WrongWords`] the caller counts the try.
    ///
    /// # Errors
    /// Where the yes does not count; the row stays as it is.
    pub fn approve(&self, by: &Approver, key: &SealKey, now: WallMillis) -> Result<Stage, NotApproved> {
        if self.stage != Stage::Pending {
            return Err(NotApproved::NotPending);
        }
        if !self.is_sealed_by(key) {
            return Err(NotApproved::Altered);
        }
        if now < self.bound.asked {
            return Err(NotApproved::ClockBack);
        }
        if now >= self.bound.expires {
            return Err(NotApproved::Expired);
        }
        let clears = match by {
            Approver::Voice { room } => {
                if !self.bound.by_voice || self.bound.tier > Tier::Yellow {
                    return Err(NotApproved::VoiceNotEnough);
                }
                if self.bound.room.as_ref() != Some(room) {
                    return Err(NotApproved::OtherRoom);
                }
                if self.spoken.is_none() {
                    return Err(NotApproved::NotSpoken);
                }
                now.plus(CHANGED_MIND_MS)
            }
            Approver::Second { channel, seal, words } => {
                if *seal != self.seal {
                    return Err(NotApproved::OtherQuestion);
                }
                let shown_there = self.bound.told == Told::Page && *channel == Channel::Page;
                if shown_there && self.bound.challenge.is_some() {
                    return Err(NotApproved::SameChannel);
                }
                let given = words.as_deref().map(plain);
                if let Some(wanted) = &self.bound.challenge
                    && given.as_deref() != Some(plain(wanted).as_str())
                {
                    let left = WRONG_WORDS_MAX.saturating_sub(self.wrong_words.saturating_add(1));
                    return Err(NotApproved::WrongWords { left });
                }
                now
            }
        };
        Ok(Stage::Approved { by: by.name(), clears })
    }
}

/// Words as they are compared: lower case, one space between.
fn plain(words: &str) -> String {
    words.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}
