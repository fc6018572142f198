//! The row of an approval, and the seal over what it is bound to.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{RED_MS, Stage, YELLOW_MS};
use crate::gate::{Ask, Identity, Origin, Work};
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
    /// The question as it was asked.
    pub question: String,
    /// When it was asked.
    pub asked: WallMillis,
    /// When it is void.
    pub expires: WallMillis,
}

impl Bound {
    /// Binds a question. `challenge` are the words spoken with it, where it needs some.
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
        // A struct of numbers and texts is written in the order of its fields, always the same.
        let bytes = serde_json::to_vec(&(id, self)).unwrap_or_default();
        Seal(mac(key).chain_update(bytes).finalize().into_bytes().into())
    }
}

fn mac(key: &SealKey) -> Hmac<Sha256> {
    // HMAC takes keys of any length (RFC 2104).
    Hmac::<Sha256>::new_from_slice(&key.0).unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()))
}

/// The daemon's key for seals, drawn at its first start and kept.
#[derive(Clone)]
pub struct SealKey(pub [u8; 32]);

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
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// From hexadecimal.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return None;
        }
        let mut seal = [0; 32];
        for (byte, pair) in seal.iter_mut().zip(bytes.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(seal))
    }
}

/// An approval as it is stored.
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
}

impl Row {
    /// Whether nothing of it was changed since it was asked.
    pub fn is_sealed_by(&self, key: &SealKey) -> bool {
        let bytes = serde_json::to_vec(&(self.id, &self.bound)).unwrap_or_default();
        mac(key).chain_update(bytes).verify_slice(&self.seal.0).is_ok()
    }
}
