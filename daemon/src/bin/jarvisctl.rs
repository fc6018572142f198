//! The owner's command: parses its arguments, asks the daemon, prints.

use std::process::ExitCode;

fn main() -> ExitCode {
    jarvisd::ctl::client::main()
}
