//! The row of an approval, and the seal over what it is bound to.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{RED_MS, Stage, Told, YELLOW_MS};
use crate::gate::{Ask, Identity, Origin, Work};
use crate::hex::{from_hex, hex};
use crate::ids::{ApprovalId, TurnId, WallMillis};
use crate::tool::Tier;

/// All that a question was about. Nothing of it may differ when it is redeemed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The tool.
    pub tool: String,
    /// Version of its arguments.
    pub version: u16,
    /// Its arguments, byte for byte.
    pub args: String,
    /// Who is acted on.
    pub identity: Identity,
    /// The tier it was asked at.
    pub tier: Tier,
    /// Who proposed it.
    pub origin: Origin,
    /// The room it was asked in.
    pub room: Option<String>,
    /// The turn it belongs to.
    pub turn: Option<TurnId>,
    /// Whether a spoken "yes" from that room is enough.
    pub by_voice: bool,
    /// Two words that must be confirmed at the second channel.
    pub challenge: Option<String>,
    /// Where those words are told. They are confirmed elsewhere.
    #[serde(default)]
    pub told: Told,
    /// The question as it was asked.
    pub question: String,
    /// When it was asked.
    pub asked: WallMillis,
    /// When it is void.
    pub expires: WallMillis,
}

impl Bound {
    /// Binds a question. `challenge` are the words told with it, where it needs some: [`Told::of`] its room says where.
    pub fn new(
        ask: &Ask,
        origin: Origin,
        room: Option<String>,
        turn: Option<TurnId>,
        question: String,
        challenge: Option<String>,
        now: WallMillis,
    ) -> Self {
        let call = &ask.work.call;
        let tier = ask.work.ruling.tier;
        let stands = if tier >= Tier::Red { RED_MS } else { YELLOW_MS };
        Self {
            tool: call.name().to_owned(),
            version: call.tool().version(),
            args: call.json(),
            identity: ask.work.identity.clone(),
            tier,
            origin,
            told: Told::of(room.as_deref()),
            room,
            turn,
            by_voice: ask.by_voice,
            challenge: challenge.filter(|_| ask.challenge),
            question,
            asked: now,
            expires: now.plus(stands),
        }
    }

    /// Binds a call that runs on standing leave: nobody is asked, and its row serves the record and a crash alone.
    pub fn on_leave(
        work: &Work,
        origin: Origin,
        room: Option<String>,
        turn: Option<TurnId>,
        sentence: String,
        now: WallMillis,
    ) -> Self {
        Self {
            tool: work.call.name().to_owned(),
            version: work.call.tool().version(),
            args: work.call.json(),
            identity: work.identity.clone(),
            tier: work.ruling.tier,
            origin,
            told: Told::of(room.as_deref()),
            room,
            turn,
            by_voice: false,
            challenge: None,
            question: sentence,
            asked: now,
            expires: now.plus(YELLOW_MS),
        }
    }

    /// The seal over every field.
    pub fn seal(&self, id: ApprovalId, key: &SealKey) -> Seal {
        Seal(self.mac(id, key).finalize().into_bytes().into())
    }

    fn mac(&self, id: ApprovalId, key: &SealKey) -> Hmac<Sha256> {
        // A struct of numbers and texts is written in the order of its fields, always the same.
        key.mac().chain_update(serde_json::to_vec(&(id, self)).unwrap_or_default())
    }
}

/// The daemon's key for seals, drawn at its first start and kept.
#[derive(Clone)]
pub struct SealKey(pub [u8; 32]);

impl SealKey {
    /// HMAC-SHA-256 with this key.
    pub(crate) fn mac(&self) -> Hmac<Sha256> {
        // HMAC takes keys of any length (RFC 2104).
        Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}

/// HMAC-SHA-256 over an approval's number and all it is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal(pub [u8; 32]);

impl Seal {
    /// In hexadecimal, as pages and `jarvisctl` give it back.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// From hexadecimal.
    pub fn from_hex(text: &str) -> Option<Self> {
        from_hex(text).map(Self)
    }
}

/// An approval as it is stored.
///
/// Two seals are over it: `seal` over what was asked, which never changes and is named by whoever says yes; and `standing` over
/// everything that moves, made anew by each move. A row with one field changed by anybody else is worth nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which.
    pub id: ApprovalId,
    /// What it is bound to.
    pub bound: Bound,
    /// The seal made when it was asked.
    pub seal: Seal,
    /// Where it stands.
    pub stage: Stage,
    /// Wrong words so far.
    pub wrong_words: u8,
    /// When its room had heard it to the end; `None` where it has not, and a "yes" from there does not count.
    pub spoken: Option<WallMillis>,
    /// SHA-256 over whatever else is stored with it: times, task, what is sent, what takes it back.
    pub rest: [u8; 32],
    /// The seal over all but what was asked, made when it was moved last.
    pub standing: Seal,
}

impl Row {
    /// A question that was just asked. `rest` is the hash over what else is stored with it.
    pub fn asked(id: ApprovalId, bound: Bound, rest: [u8; 32], key: &SealKey) -> Self {
        let seal = bound.seal(id, key);
        let row = Self { id, seal, bound, stage: Stage::Pending, wrong_words: 0, spoken: None, rest, standing: seal };
        row.sealed_anew(key)
    }

    /// The row as it is now, sealed. For whoever moved it, after he saw that it was [sealed](Self::is_sealed_by) before.
    pub fn sealed_anew(mut self, key: &SealKey) -> Self {
        self.standing = Seal(self.standing_mac(key).finalize().into_bytes().into());
        self
    }

    /// Whether nothing of it was changed by anybody without the key.
    pub fn is_sealed_by(&self, key: &SealKey) -> bool {
        let asked = self.bound.mac(self.id, key).verify_slice(&self.seal.0).is_ok();
        asked && self.standing_mac(key).verify_slice(&self.standing.0).is_ok()
    }

    fn standing_mac(&self, key: &SealKey) -> Hmac<Sha256> {
        let moves = (self.id, self.seal.0, &self.stage, self.wrong_words, self.spoken, self.rest);
        // The word before it keeps this seal from ever serving as the other, whose text begins with a bracket.
        key.mac().chain_update(b"standing").chain_update(serde_json::to_vec(&moves).unwrap_or_default())
    }
}
