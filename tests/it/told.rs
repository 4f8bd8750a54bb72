//! What the service tells its operator, caught: the lines of its log at warning and above, of this whole process.

use std::io::{Result, Write};
use std::sync::{Mutex, Once};
use std::time::Duration;

static CAUGHT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Catch;

impl Write for Catch {
    fn write(&mut self, octets: &[u8]) -> Result<usize> {
        CAUGHT.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Begins to catch.
pub(crate) fn listen() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let begun = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::WARN)
            .with_writer(|| Catch)
            .try_init();
        begun.expect("nobody else catches");
    });
}

/// The lines so far that have all of these words: the name of a log that no other test has, among them.
pub(crate) fn lines(words: &[&str]) -> Vec<String> {
    let caught = CAUGHT.lock().unwrap().clone();
    let caught = String::from_utf8(caught).unwrap();
    let lines = caught.lines();
    let found = lines.filter(|line| words.iter().all(|word| line.contains(word)));
    found.map(str::to_owned).collect()
}

/// Waits until there are so many of them.
pub(crate) fn wait_for(count: usize, words: &[&str]) {
    for _ in 0..600 {
        if lines(words).len() >= count {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("not told: {words:?}");
}
