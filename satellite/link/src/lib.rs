//! The framed protocol between a satellite and the daemon.
//!
//! `no_std` with `alloc`, sans-IO: bytes and the present time come in, frames and deadlines go out. What is said is in
//! [`message`], how it is cut into bytes in [`frame`]; [`satellite_end`] and [`daemon_end`] are the two state machines, and
//! [`enrol`] is how the two come to know each other. [`transport`] holds the numbers both ends give to QUIC.
//!
//! Nothing here reads a clock, draws a random number or can block, and all that grows is bounded by a named constant.
#![no_std]

extern crate alloc;

pub mod answer;
pub mod clock;
pub mod daemon_end;
pub mod enrol;
pub mod flood;
pub mod frame;
pub mod inbox;
pub mod key;
pub mod liveness;
pub mod message;
pub mod outbox;
pub mod pacer;
pub mod satellite_end;
pub mod transport;
pub mod version;
