//! Approvals: what is bound when a question is asked, who may say yes to it, and what can still become of it.
//!
//! An approval is a row. It is sealed with a key of the daemon's when it is asked; whoever approves names the seal they were shown,
//! and [`Gate::redeem`](crate::gate::Gate::redeem) compares everything again before anything runs.

mod hold;
mod row;
mod stage;

#[cfg(test)]
mod tests;

pub use hold::{HOLD_MAX_MS, Holds, Opened, Wait};
pub use row::{Bound, Row, Seal, SealKey};
pub use stage::{Approver, Channel, NotApproved, Stage, Told};

/// A spoken "yes" can be taken back for so long, in milliseconds; a turn that is opened meanwhile holds it ([`Holds`]).
pub const CHANGED_MIND_MS: i64 = 1000;
/// A YELLOW question stands for so long, in milliseconds.
pub const YELLOW_MS: i64 = 60_000;
/// A RED question stands for so long, in milliseconds: somebody must walk to a screen.
pub const RED_MS: i64 = 5 * 60_000;
/// Wrong words at the second channel end a question after so many tries.
pub const WRONG_WORDS_MAX: u8 = 3;
