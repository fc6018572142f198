//! A judgement with its reasons.

use serde::Serialize;

use crate::tool::Tier;

/// Why a call is of its tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It only looks.
    ReadOnly,
    /// It can be taken back.
    Reversible,
    /// It interrupts one guest gracefully and briefly.
    BriefInterruption,
    /// It pulls the plug.
    Forced,
    /// It destroys something.
    Destroys,
    /// The guest is protected, by its own configuration or by policy.
    Protected,
    /// High availability watches over the guest.
    HaManaged,
    /// The node would run out of memory.
    MemoryShort,
    /// The storage beneath is nearly full.
    StorageShort,
    /// Something that decides about it is not known.
    NotKnown,
    /// Nobody said which machine Jarvis runs on, and it may be this one.
    OwnUnknown,
    /// It is the machine Jarvis runs on.
    OwnGuest,
    /// Jarvis's own storage depends on it.
    OwnStorage,
    /// The quorum depends on it, and has no margin left.
    LastMargin,
    /// A model proposed it after it had read what strangers may have written.
    Tainted,
    /// It came from another program.
    Outside,
    /// The owner's policy raised it.
    Policy,
    /// Another server of the owner's does it.
    OtherServer,
    /// Another server does it, and the owner said of that tool that it only looks.
    SaidToLook,
}

impl Reason {
    /// In words that follow "because".
    pub fn words(self) -> &'static str {
        match self {
            Self::ReadOnly => "it only looks",
            Self::Reversible => "it can be undone",
            Self::BriefInterruption => "it interrupts a guest briefly",
            Self::Forced => "the guest is given no warning",
            Self::Destroys => "it destroys something",
            Self::Protected => "the guest is protected",
            Self::HaManaged => "the guest is under high availability",
            Self::MemoryShort => "the node would run short of memory",
            Self::StorageShort => "the storage is nearly full",
            Self::NotKnown => "not everything about it is known",
            Self::OwnUnknown => "nobody has told me which guest I run in, and it may be this one",
            Self::OwnGuest => "it is the machine I run on",
            Self::OwnStorage => "my own storage depends on it",
            Self::LastMargin => "the quorum has no margin left",
            Self::Tainted => "a model asked for it after reading untrusted text",
            Self::Outside => "another program asked for it",
            Self::Policy => "your policy says so",
            Self::OtherServer => "another server of yours does it, where I cannot undo it",
            Self::SaidToLook => "you said that it only looks",
        }
    }
}

/// What to set where nobody said which guest Jarvis runs in.
pub const OWN_UNKNOWN_REMEDY: &str = "[safety] own_guest = N in jarvisd.toml says which guest Jarvis runs in; elsewhere = true, that it is none of this cluster";

/// A tier, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ruling {
    /// The tier.
    pub tier: Tier,
    /// Why, the weightiest first.
    pub reasons: Vec<Reason>,
}

impl Ruling {
    /// Of one reason.
    pub fn new(tier: Tier, reason: Reason) -> Self {
        Self { tier, reasons: vec![reason] }
    }

    /// Raised to `tier` if that is higher; the reason is kept either way.
    pub fn raised(mut self, tier: Tier, reason: Reason) -> Self {
        if self.reasons.contains(&reason) {
            self.tier = self.tier.max(tier);
            return self;
        }
        if tier > self.tier {
            self.tier = tier;
            self.reasons.insert(0, reason);
        } else {
            self.reasons.push(reason);
        }
        self
    }

    /// Raised where `when` holds.
    pub fn raised_if(self, when: bool, tier: Tier, reason: Reason) -> Self {
        if when { self.raised(tier, reason) } else { self }
    }

    /// Up by one tier.
    pub fn one_up(self, reason: Reason) -> Self {
        let tier = match self.tier {
            Tier::Green => Tier::Yellow,
            Tier::Yellow => Tier::Red,
            Tier::Red | Tier::Black => Tier::Black,
        };
        self.raised(tier, reason)
    }

    /// What would take the weightiest reason away, where something does.
    pub fn remedy(&self) -> Option<&'static str> {
        self.reasons.first().filter(|reason| **reason == Reason::OwnUnknown).map(|_| OWN_UNKNOWN_REMEDY)
    }

    /// The weightiest reason in words.
    pub fn because(&self) -> &'static str {
        self.reasons.first().map_or("", |reason| reason.words())
    }
}
