//! Programs of others. One that is missing fails in CI, and skips aloud elsewhere.

use std::process::{Command, Stdio};

/// Whether all these programs answer to these arguments.
pub fn are_there(needed: &[(&str, &[&str])]) -> bool {
    let answers = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let command = command.args(arguments).stdout(Stdio::null());
        let status = command.stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let missing = needed.iter().filter(|(p, a)| !answers(p, a));
    let missing: Vec<&str> = missing.map(|(program, _)| *program).collect();
    if missing.is_empty() {
        return true;
    }
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!in_ci, "missing: {}", missing.join(", "));
    println!("SKIPPED: missing {}", missing.join(", "));
    false
}
