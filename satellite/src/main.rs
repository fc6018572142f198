//! The satellite.
fn main() {}
