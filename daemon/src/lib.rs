//! The daemon on the management VM: the shell around the core.

pub mod agent;
pub mod app;
pub mod board;
pub mod cluster;
pub mod config;
pub mod ctl;
pub mod doctor;
pub mod ear;
pub mod environment;
pub mod event;
pub mod hub;
pub mod mcp;
pub mod memory;
pub mod mind;
pub mod model_fetch;
pub mod model_words;
pub mod page;
pub mod past;
pub mod redaction;
pub mod safety;
pub mod speech;
pub mod status;
pub mod store;
pub mod systemd;
pub mod turn;
pub mod worker;
