//! What a run of the program came to.

use std::process::Output;

pub fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The run could not be done: status 2, nothing on standard output, one line that says this.
pub fn cannot(output: &Output, why: &str) {
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(status(output), 2, "{line}");
    assert_eq!(out(output), "");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(
        line.starts_with("ceralacca: ") && line.contains(why),
        "{line}"
    );
}
