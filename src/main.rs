//! The program `ceralacca`: parses its arguments and does one command ([`ceralacca::cli`]).
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ceralacca::cli::run()
}
