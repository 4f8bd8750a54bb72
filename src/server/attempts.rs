//! Every answer of a time-stamping authority that was not good is kept, with what was asked.
//!
//! ```text
//! <data>/tsa/<milliseconds>-<number>-<code>.tsq .tsr     good answers are in the packages
//! ```
//! At most [`KEPT_MAX`] of them: the oldest go first.

use crate::tsa::{Attempt, Journal, Told};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Attempts kept.
const KEPT_MAX: usize = 10_000;

/// Keeps attempts in a folder, and tells of them.
pub(super) struct Attempts {
    folder: PathBuf,
    number: Mutex<u64>,
}

impl Attempts {
    pub(super) fn new(data: &Path) -> Self {
        Self {
            folder: data.join("tsa"),
            number: Mutex::default(),
        }
    }

    fn keep(&self, attempt: &Attempt, code: &str) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let number = {
            let mut number = self
                .number
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            *number = number.wrapping_add(1);
            *number
        };
        let stem = format!("{:013}-{number:06}-{code}", attempt.at.get());
        std::fs::write(self.folder.join(format!("{stem}.tsq")), &attempt.request)?;
        if let Some(response) = &attempt.response {
            std::fs::write(self.folder.join(format!("{stem}.tsr")), response)?;
        }
        self.bound()
    }

    fn bound(&self) -> std::io::Result<()> {
        let entries = std::fs::read_dir(&self.folder)?;
        let names = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut names: Vec<PathBuf> = names.collect::<Result<_, _>>()?;
        let over = names.len().saturating_sub(2 * KEPT_MAX);
        if over > 0 {
            // Names begin with the time.
            names.sort_unstable();
            for name in names.iter().take(over) {
                std::fs::remove_file(name)?;
            }
        }
        Ok(())
    }
}

impl Journal for Attempts {
    fn attempted(&self, attempt: &Attempt) {
        Told.attempted(attempt);
        let Some(trouble) = &attempt.trouble else {
            return;
        };
        if let Err(error) = self.keep(attempt, trouble.code()) {
            tracing::warn!(%error, "an answer of a time-stamping authority is not kept");
        }
    }
}
