//! Changes of the simulated cluster, each cleared by the gate, asked for by the daemon's client, and judged by the simulator's own
//! state: what was said to be done was done.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod api;
mod effects;
mod faults;
mod honesty;
mod house;
mod lost;
mod stopped;
mod twice;
