//! The safety gate: the only place where authority to run a tool is made.
//!
//! Authority is a value, not a flag. A tool runs only on a [`Cleared`] that holds the very arguments which were judged, and running
//! consumes it. There is no other way to get one:
//!
//! ```compile_fail
//! use jarvis_core::{gate::Cleared, tool::{Read, Tier}};
//! let forged = Cleared { args: Read::Cluster, tier: Tier::Green }; // private fields
//! ```
//!
//! ```compile_fail
//! use jarvis_core::{gate::Gate, tool::Read};
//! let cleared = Gate::new().clear(Read::Cluster).unwrap();
//! let twice = cleared.clone(); // not Clone
//! ```
//!
//! ```compile_fail
//! use jarvis_core::{gate::Gate, tool::Read};
//! let cleared = Gate::new().clear(Read::Cluster).unwrap();
//! cleared.into_args();
//! cleared.into_args(); // consumed by its one run
//! ```
//!
//! ```compile_fail
//! use jarvis_core::{gate::Cleared, tool::Read};
//! fn from_storage<T: serde::de::DeserializeOwned>() {}
//! from_storage::<Cleared<Read>>(); // never read back from bytes
//! ```
//!
//! ```compile_fail
//! use jarvis_core::{gate::Gate, tool::{Read, Tier}};
//! let mut cleared = Gate::new().clear(Read::Cluster).unwrap();
//! cleared.args = Read::Tasks; // the arguments judged are the arguments run
//! ```
//!
//! What may be judged at all is closed to other crates, so none of them can bring a tool that calls itself harmless:
//!
//! ```compile_fail
//! struct Wipe;
//! impl jarvis_core::gate::Judged for Wipe {
//!     fn name(&self) -> &'static str { "wipe" }
//!     fn tier(&self) -> jarvis_core::tool::Tier { jarvis_core::tool::Tier::Green }
//! }
//! ```
//!
//! And the honest way:
//!
//! ```
//! use jarvis_core::{gate::Gate, tool::Read};
//! let cleared = Gate::new().clear(Read::Cluster).unwrap();
//! assert_eq!(cleared.into_args(), Read::Cluster);
//! ```

mod decide;
mod policy;
mod redeem;
mod situation;
pub mod situations;
mod table;

use std::fmt;

use crate::tool::{Read, Tier};

pub use decide::{Ask, Asker, Decision, Origin, Power, Refusal, Voice, Work};
pub use policy::{Leave, Own, Place, Policy, Raise, Rights};
pub use redeem::{NotRedeemed, Redemption};
pub use situation::{Identity, Situation};
pub use table::{Case, cases, matrix, table};

/// Arguments that the gate judged and let pass. Good for one run.
#[must_use = "cleared arguments are there to be run"]
pub struct Cleared<T> {
    args: T,
    tier: Tier,
}

impl<T> Cleared<T> {
    /// The arguments, to look at.
    pub fn args(&self) -> &T {
        &self.args
    }

    /// The tier they were judged to be.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The arguments, to run: spends the clearance.
    pub fn into_args(self) -> T {
        self.args
    }
}

impl<T: fmt::Debug> fmt::Debug for Cleared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleared").field("args", &self.args).field("tier", &self.tier).finish()
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::tool::Read {}
}

/// A tool's arguments, as the gate sees them.
pub trait Judged: sealed::Sealed {
    /// The tool's stable name.
    fn name(&self) -> &'static str;
    /// The tier of these arguments.
    fn tier(&self) -> Tier;
}

impl Judged for Read {
    fn name(&self) -> &'static str {
        Read::name(self)
    }

    fn tier(&self) -> Tier {
        Read::tier(self)
    }
}

/// Why the gate refused a read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing but GREEN reads is cleared without live state: all else goes through [`Gate::decide`].
    #[error("{tool} is {tier:?}: only reads run without a question")]
    NeedsApproval {
        /// The tool's name.
        tool: &'static str,
        /// Its tier.
        tier: Tier,
    },
}

/// The gate. A read is cleared by [`Gate::clear`]; every call of a tool is judged by [`Gate::decide`], on live state and policy.
#[derive(Debug, Default)]
pub struct Gate(());

impl Gate {
    /// The gate in its strictest setting.
    pub fn new() -> Self {
        Self(())
    }

    /// Judges arguments; those that may run at once come back cleared.
    pub fn clear<T: Judged>(&self, args: T) -> Result<Cleared<T>, Refused> {
        match args.tier() {
            Tier::Green => Ok(Cleared { tier: Tier::Green, args }),
            tier @ (Tier::Yellow | Tier::Red | Tier::Black) => Err(Refused::NeedsApproval { tool: args.name(), tier }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Change(Tier);
    impl sealed::Sealed for Change {}
    impl Judged for Change {
        fn name(&self) -> &'static str {
            "change"
        }
        fn tier(&self) -> Tier {
            self.0
        }
    }

    #[test]
    fn reads_are_cleared_with_the_arguments_that_were_judged() {
        let read = Read::NodeStatus { node: "pve2".into() };
        let cleared = Gate::new().clear(read.clone()).unwrap();
        assert_eq!((cleared.tier(), cleared.into_args()), (Tier::Green, read));
    }

    #[test]
    fn everything_above_green_is_refused() {
        for tier in [Tier::Yellow, Tier::Red, Tier::Black] {
            let refused = Gate::new().clear(Change(tier)).err();
            assert_eq!(refused, Some(Refused::NeedsApproval { tool: "change", tier }));
        }
        assert!(Gate::new().clear(Change(Tier::Green)).is_ok());
    }
}
