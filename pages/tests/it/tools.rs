//! Other people's tools: their absence fails in CI and skips aloud elsewhere.

use std::process::{Command, Output, Stdio};

/// Whether every one of these is installed.
pub fn found(names: &[&str]) -> bool {
    for name in names {
        let run = Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if run.is_err() {
            let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!in_ci, "{name} is missing");
            eprintln!("SKIPPED: {name} is missing");
            return false;
        }
    }
    true
}

/// Runs a command; what it printed, both ways, with its success.
pub fn run(command: &mut Command) -> (bool, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let mut text = String::from_utf8_lossy(&stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&stderr));
    (status.success(), text)
}
