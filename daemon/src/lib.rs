//! The daemon on the management VM: the shell around the core.

pub mod cluster;
pub mod ear;
pub mod event;
pub mod hub;
pub mod store;
pub mod worker;
