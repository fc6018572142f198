//! The framed protocol between a satellite and the daemon.
//!
//! `no_std` with `alloc`, sans-IO: bytes and the present time come in, frames and deadlines go out. The messages are in [`message`].
#![no_std]

extern crate alloc;

pub mod message;
