//! Writes what the gate says of every tool in every situation: `matrix` for daemon/core/tests/tiers.tsv, `table` for docs/safety.md.

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("matrix") => print!("{}", jarvis_core::gate::matrix()),
        Some("table") => print!("{}", jarvis_core::gate::table()),
        _ => eprintln!("usage: tiers matrix|table"),
    }
}
