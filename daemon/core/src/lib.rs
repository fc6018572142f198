//! Pure decisions of Jarvis.
//!
//! Nothing here reads a clock, a file, the network or the environment, and nothing here waits: inputs and the present time come in
//! as arguments, decisions go out as values. So the same code runs in production, on a seeded virtual clock, and under a fuzzer.

pub mod agent;
pub mod answer;
pub mod approval;
pub mod audit;
pub mod challenge;
pub mod cluster;
pub mod context;
pub mod costs;
pub mod endpoint;
pub mod foreign;
pub mod gate;
pub mod hex;
pub mod ids;
pub mod intent;
pub mod marks;
pub mod memory;
pub mod mind;
pub mod names;
pub mod numbers;
pub mod redact;
pub mod route;
pub mod sentences;
pub mod speakable;
pub mod tool;
pub mod tools;

#[cfg(test)]
mod sample;
pub mod turn;
