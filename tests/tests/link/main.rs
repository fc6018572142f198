//! The link over real QUIC on loopback: both ends as they run in the house, and peers that mean harm.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod bad_daemon;
mod enrolment;
mod floods;
mod garbage;
mod hostile;
mod house;
mod keys;
mod outages;
mod relay;
mod speech;
