//! The judgement of a call: run it, ask first, or refuse.

use serde::{Deserialize, Serialize};

use super::{Cleared, Gate, Identity, Rights, Situation};
use crate::tool::Tier;
use crate::tools::{Call, Change, Effect, Inverse, Kind, Reason, Ruling, Summary, Target};

/// Where a call comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// Verb and target are the owner's own words, through the intent grammar.
    Owner,
    /// A model proposed it. Nobody can tell what moved it: standing leave is not for what it proposes, whatever it had read.
    Model {
        /// Whether it had read what strangers may have written (names, notes, logs, files, tool output).
        tainted: bool,
    },
    /// Another program, through MCP. What it read, nobody knows: it counts as tainted.
    Outside {
        /// Which, by the name of its token.
        client: String,
    },
}

impl Origin {
    fn tainted(&self) -> Option<Reason> {
        match self {
            Self::Owner | Self::Model { tainted: false } => None,
            Self::Model { tainted: true } => Some(Reason::Tainted),
            Self::Outside { .. } => Some(Reason::Outside),
        }
    }

    /// Whether the owner's standing leave is for it: verb and target are his own words of this very turn.
    fn may_use_leave(&self) -> bool {
        match self {
            Self::Owner => true,
            Self::Model { .. } | Self::Outside { .. } => false,
        }
    }
}

/// Who asks: what a "yes" from there is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The room; `None` for a request typed without one.
    pub room: Option<String>,
    /// How it was asked.
    pub voice: Voice,
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// Typed, at the page or through `jarvisctl`.
    Typed,
    /// Spoken, and heard by a model tried on people.
    Tried,
    /// Spoken, and heard by a model that was never tried on people.
    Untried,
}

/// Whether changes may run at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// They may.
    On,
    /// The kill switch is set, or its state cannot be read.
    Stopped,
}

/// A call that was judged, with all that is known of it. Holds no authority of its own: that is [`Cleared`].
#[derive(Debug, PartialEq)]
pub struct Work {
    /// What was asked.
    pub call: Call,
    /// What is to be done.
    pub effect: Effect,
    /// Who exactly is acted on.
    pub identity: Identity,
    /// How it is told.
    pub summary: Summary,
    /// How it is taken back.
    pub inverse: Inverse,
    /// Tier and reasons.
    pub ruling: Ruling,
}

/// What becomes of a call.
#[derive(Debug)]
pub enum Decision {
    /// It may run now.
    Run(Cleared<Work>),
    /// Somebody must say yes first.
    Ask(Ask),
    /// It does not run.
    Refuse(Refusal),
}

/// What must be asked, and who may answer.
#[derive(Debug, PartialEq)]
pub struct Ask {
    /// The call, judged.
    pub work: Work,
    /// Whether a spoken "yes" from the same room is enough.
    pub by_voice: bool,
    /// Whether two words spoken in the room must be confirmed on the page or by `jarvisctl`.
    pub challenge: bool,
}

/// Why a call does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The kill switch is set.
    Stopped,
    /// It is BLACK: nobody may.
    Never {
        /// Why.
        ruling: Ruling,
        /// What it was about.
        summary: Summary,
        /// The command with which a person does it by hand, where there is one.
        manual: Option<String>,
    },
    /// Not from this room.
    NotFromHere {
        /// Which.
        room: String,
        /// What may be asked from there.
        rights: Rights,
    },
    /// It makes no sense now: it runs already, it is locked, nobody answers. The text says why.
    Cannot(String),
}

impl Gate {
    /// Judges a call on live state.
    pub fn decide(
        &self,
        call: Call,
        origin: &Origin,
        asker: &Asker,
        situation: &Situation<'_>,
        power: Power,
    ) -> Decision {
        let work = match self.judge(call, origin, situation) {
            Ok(work) => work,
            Err(refusal) => return Decision::Refuse(refusal),
        };
        let kind = work.call.tool().kind();
        if power == Power::Stopped && kind != Kind::Read {
            return Decision::Refuse(Refusal::Stopped);
        }
        let rights = situation.policy.rights(asker.room.as_deref());
        let allowed = match work.ruling.tier {
            // What its owner said of another server's tool counts as looking.
            Tier::Green => matches!(kind, Kind::Read | Kind::Foreign) || rights > Rights::Reads,
            Tier::Yellow => rights >= Rights::Yellow,
            Tier::Red | Tier::Black => rights >= Rights::All,
        };
        if !allowed {
            let room = asker.room.clone().unwrap_or_default();
            return Decision::Refuse(Refusal::NotFromHere { room, rights });
        }
        match work.ruling.tier {
            // A note or a memory from an untried ear too: neither changes the cluster, both are shown, and neither approves anything.
            Tier::Green => Decision::Run(Cleared { tier: Tier::Green, args: work }),
            Tier::Yellow if self.has_leave(&work, origin, asker, situation) => {
                Decision::Run(Cleared { tier: Tier::Yellow, args: work })
            }
            Tier::Yellow => {
                let heard = asker.voice != Voice::Typed && trusted(asker.voice, situation);
                let by_voice = heard && asker.room.is_some() && !matches!(origin, Origin::Outside { .. });
                Decision::Ask(Ask { work, by_voice, challenge: false })
            }
            Tier::Red => Decision::Ask(Ask { work, by_voice: false, challenge: true }),
            // `judge` refused it.
            Tier::Black => Decision::Refuse(Refusal::Stopped),
        }
    }

    /// Tier, effect and identity of a call, or why it cannot be.
    pub(super) fn judge(&self, call: Call, origin: &Origin, situation: &Situation<'_>) -> Result<Work, Refusal> {
        let ruling = self.rule(&call, origin, situation);
        let summary = call.summary(situation);
        let effect = call.effect(situation);
        if ruling.tier == Tier::Black {
            let manual = effect.ok().and_then(|effect| match effect {
                Effect::Change(change) => Some(change.manual()),
                Effect::Read(_) | Effect::Memory(_) | Effect::Note { .. } | Effect::Foreign(_) => None,
            });
            return Err(Refusal::Never { ruling, summary, manual });
        }
        let effect = effect.map_err(Refusal::Cannot)?;
        let (identity, inverse) = (situation.identity(&call), call.inverse(situation));
        if call.tool().kind() == Kind::Change && !identity.is_known() {
            return Err(Refusal::Cannot(format!(
                "the configuration of {} cannot be read, so nobody could tell later whether it is still the same guest",
                summary.target
            )));
        }
        Ok(Work { call, effect, identity, summary, inverse, ruling })
    }

    /// The tool's own tier, raised by taint and policy; nothing lowers it.
    pub fn rule(&self, call: &Call, origin: &Origin, situation: &Situation<'_>) -> Ruling {
        let mut ruling = call.tier(situation);
        let kind = call.tool().kind();
        if let Some(reason) = origin.tainted()
            && matches!(kind, Kind::Change | Kind::Memory | Kind::Foreign)
        {
            ruling = ruling.one_up(reason);
        }
        let vmid = match call.target() {
            Target::Guest(vmid) => Some(vmid),
            Target::Nothing => None,
        };
        match situation.policy.raised(call.name(), vmid).filter(|_| kind != Kind::Read) {
            Some(tier) => ruling.raised(tier, Reason::Policy),
            None => ruling,
        }
    }

    fn has_leave(&self, work: &Work, origin: &Origin, asker: &Asker, situation: &Situation<'_>) -> bool {
        let vmid = match work.call.target() {
            Target::Guest(vmid) => Some(vmid),
            Target::Nothing => None,
        };
        let room = asker.room.as_deref();
        origin.may_use_leave()
            && trusted(asker.voice, situation)
            && situation.policy.leaves(work.call.name(), vmid, room, situation.on_leave_last_hour)
    }
}

/// Whether what came this way is what was meant. An ear that was never tried on people may have heard anything: it opens reads, and
/// whatever it changes in the cluster is approved on a second channel.
fn trusted(voice: Voice, situation: &Situation<'_>) -> bool {
    match voice {
        Voice::Typed | Voice::Tried => true,
        Voice::Untried => situation.policy.untried_ear_approves,
    }
}

impl Change {
    /// The command with which a person does the same on the node.
    pub fn manual(&self) -> String {
        let tool = match self.kind {
            crate::cluster::GuestKind::Vm => "qm",
            crate::cluster::GuestKind::Container => "pct",
        };
        let vmid = self.vmid;
        let what = self.path.rsplit_once(&format!("/{vmid}/")).map_or("", |(_, what)| what);
        let value =
            |name: &str| self.params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let parts: Vec<&str> = what.split('/').collect();
        let command = match (self.method, parts.as_slice()) {
            (super::super::tools::Method::Delete, ["snapshot", name]) => format!("{tool} delsnapshot {vmid} {name}"),
            (_, ["snapshot", name, "rollback"]) => format!("{tool} rollback {vmid} {name}"),
            (_, ["snapshot"]) => format!("{tool} snapshot {vmid} {}", value("snapname")),
            (_, ["status", verb]) => format!("{tool} {verb} {vmid}"),
            _ => format!("pvesh create {}", self.path),
        };
        format!("ssh root@{} {command}", self.node)
    }
}
