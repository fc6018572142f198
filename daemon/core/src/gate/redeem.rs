//! Turning a stored approval back into authority: everything it was bound to is compared, and all is judged again on live state.
//!
//! A change, too, runs on a [`Cleared`] alone. It comes from [`Gate::decide`] where nobody need be asked, else from a [`Redemption`] whose
//! row was consumed. None of the two is made elsewhere, used twice, or read from bytes:
//!
//! ```compile_fail,E0451
//! use jarvis_core::{gate::{Cleared, Work}, tool::Tier};
//! fn forge(work: Work) -> Cleared<Work> {
//!     Cleared { args: work, tier: Tier::Green } // private fields
//! }
//! ```
//!
//! ```compile_fail,E0277
//! use jarvis_core::gate::{Gate, Work};
//! fn as_if_it_were_a_read(work: Work) {
//!     let _ = Gate::new().clear(work); // what was judged once is no read
//! }
//! ```
//!
//! ```compile_fail,E0451
//! use jarvis_core::{gate::{Redemption, Work}, ids::ApprovalId};
//! fn forge(id: ApprovalId, work: Work) -> Redemption {
//!     Redemption { id, work } // private fields
//! }
//! ```
//!
//! ```compile_fail,E0382
//! use jarvis_core::gate::Redemption;
//! fn twice(redemption: Redemption) {
//!     let _ = redemption.commit(|_| Ok::<(), ()>(()));
//!     let _ = redemption.commit(|_| Ok::<(), ()>(())); // consumed by the first
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use jarvis_core::gate::Redemption;
//! fn copy(redemption: &Redemption) -> Redemption {
//!     redemption.clone() // not Clone
//! }
//! ```
//!
//! ```compile_fail,E0277
//! use jarvis_core::gate::{Cleared, Work};
//! fn from_storage<T: serde::de::DeserializeOwned>() {}
//! from_storage::<Cleared<Work>>(); // a row is judged anew, never read back as authority
//! ```
//!
//! And the honest way, in which nothing runs where the row was gone already:
//!
//! ```
//! use jarvis_core::gate::{Cleared, Redemption, Work};
//! fn once(redemption: Redemption) -> Result<Cleared<Work>, &'static str> {
//!     redemption.commit(|_| Err("somebody else consumed the row"))
//! }
//! ```

use super::{Cleared, Gate, Origin, Power, Situation, Work};
use crate::approval::{Row, Stage};
use crate::ids::{ApprovalId, WallMillis};
use crate::tool::Tier;
use crate::tools;

/// Why an approval is not good any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRedeemed {
    /// The kill switch is set.
    #[error("the kill switch is set")]
    Stopped,
    /// Nobody approved it, or it was used, denied or cancelled.
    #[error("it is {0}, not approved")]
    NotApproved(&'static str),
    /// The time in which a mind may be changed is not over.
    #[error("it may still be cancelled")]
    TooEarly,
    /// Its time is over.
    #[error("its time is over; ask again")]
    Expired,
    /// The clock says that it was not asked yet.
    #[error("the clock was set back since it was asked; ask again")]
    ClockBack,
    /// The row is not as it was when it was asked.
    #[error("what was stored is not what was asked for; nothing was done")]
    Altered,
    /// The tool is gone, or means something else now.
    #[error("the tool was changed since; ask again")]
    OtherTool,
    /// The guest is not the one that was asked about, or was changed.
    #[error("the target was changed since; ask again")]
    OtherTarget,
    /// It is more dangerous now than when it was asked.
    #[error("it is {0:?} by now; ask again")]
    TierRose(Tier),
    /// It cannot be done any more; the text says why.
    #[error("{0}")]
    Cannot(String),
}

/// An approval that was found good. Authority comes only when its row is consumed.
#[must_use = "a redemption is worth nothing until its row is consumed"]
#[derive(Debug)]
pub struct Redemption {
    id: ApprovalId,
    work: Work,
}

impl Redemption {
    /// Which approval.
    pub fn id(&self) -> ApprovalId {
        self.id
    }

    /// What will run.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// Gives authority where `consume` succeeds: it must write 'started' and commit, and fail where the row is not 'approved' any
    /// more.
    ///
    /// # Errors
    /// Those of `consume`; nothing may run then.
    pub fn commit<E>(self, consume: impl FnOnce(ApprovalId) -> Result<(), E>) -> Result<Cleared<Work>, E> {
        consume(self.id)?;
        Ok(Cleared { tier: self.work.ruling.tier, args: self.work })
    }
}

impl Gate {
    /// Compares a stored approval with what it was bound to, parses its arguments again and judges them on live state.
    ///
    /// # Errors
    /// Whatever of it does not hold any more.
    pub fn redeem(
        &self,
        row: &Row,
        key: &crate::approval::SealKey,
        situation: &Situation<'_>,
        power: Power,
        now: WallMillis,
    ) -> Result<Redemption, NotRedeemed> {
        if power == Power::Stopped {
            return Err(NotRedeemed::Stopped);
        }
        if !row.is_sealed_by(key) {
            return Err(NotRedeemed::Altered);
        }
        let Stage::Approved { clears, .. } = &row.stage else {
            return Err(NotRedeemed::NotApproved(row.stage.name()));
        };
        if now < row.bound.asked {
            return Err(NotRedeemed::ClockBack);
        }
        if now >= row.bound.expires {
            return Err(NotRedeemed::Expired);
        }
        if now < *clears {
            return Err(NotRedeemed::TooEarly);
        }
        let bound = &row.bound;
        let call = tools::parse(&bound.tool, &bound.args).map_err(|_| NotRedeemed::OtherTool)?;
        if call.tool().version() != bound.version || call.json() != bound.args {
            return Err(NotRedeemed::OtherTool);
        }
        let origin: &Origin = &bound.origin;
        let work = self.judge(call, origin, situation).map_err(|refusal| match refusal {
            super::Refusal::Never { ruling, .. } => NotRedeemed::TierRose(ruling.tier),
            super::Refusal::Cannot(why) => NotRedeemed::Cannot(why),
            super::Refusal::Stopped => NotRedeemed::Stopped,
            super::Refusal::NotFromHere { room, .. } => NotRedeemed::Cannot(format!("not from {room}")),
        })?;
        if work.identity != bound.identity {
            return Err(NotRedeemed::OtherTarget);
        }
        if work.ruling.tier > bound.tier {
            return Err(NotRedeemed::TierRose(work.ruling.tier));
        }
        Ok(Redemption { id: row.id, work })
    }
}
