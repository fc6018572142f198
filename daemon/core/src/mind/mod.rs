//! What models are asked and what they answer, in a form that belongs to no provider; and every decision about it that needs no
//! network.
//!
//! The way of one answer: an [`Ask`](message::Ask) goes out; bytes come back and are cut into events by [`sse`]; the provider's file in
//! the shell turns them into [`Delta`](message::Delta)s; [`assemble`] makes a [`Reply`](message::Reply) of those, within named limits;
//! [`prices`] says what it cost by the table of [`models`]. [`retry`] decides whether to try again, [`trim`] makes a conversation fit a
//! window, whose tokens [`estimate`] counts where no server does.

pub mod args;
pub mod assemble;
pub mod date;
pub mod error;
pub mod estimate;
pub mod message;
pub mod models;
pub mod prices;
pub mod retry;
pub mod sse;
pub mod trim;
