//! Waiting for intervals to be sealed: bounded, and ended by an interrupt.

use super::remote::{self, RemoteError};
use crate::ambient::{Clock, SystemClock};
use anyhow::Result;
use std::future::Future;
use std::time::Duration;

/// The reason words of refusals that pass when an interval is closed.
const NOT_YET: [&str; 2] = ["NOT_SEALED", "NOTHING_YET"];
/// A day, an hour for the closing, and some.
const WAIT_SECONDS: u64 = 90_000;

/// Whether, and how, the seal is waited for.
#[derive(clap::Args)]
#[command(next_help_heading = "Seal")]
pub struct Arguments {
    /// Waits until the intervals concerned are sealed; without it what is given says that the seal is to follow
    #[arg(long)]
    pub wait_seal: bool,
    /// How often it is asked again from the end of the interval on, in seconds; each time is a disclosure
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        requires = "wait_seal"
    )]
    poll_seconds: u64,
    /// After how many seconds it is given up, with status 4
    #[arg(long, value_name = "SECONDS", default_value_t = WAIT_SECONDS, requires = "wait_seal")]
    wait_at_most: u64,
}

/// Whether a refusal passes when an interval is closed.
pub fn is_not_yet(error: &RemoteError) -> bool {
    NOT_YET.contains(&error.reason.as_str())
}

impl Arguments {
    /// Asks until it is answered, refused for good, or given up: then the last refusal is the answer.
    pub async fn ask<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let clock = SystemClock::default();
        let begun = clock.monotone();
        let most = Duration::from_secs(self.wait_at_most);
        loop {
            let error = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let refusal = error.downcast_ref::<RemoteError>();
            let Some(refusal) = refusal.filter(|e| self.wait_seal && is_not_yet(e)) else {
                return Err(error);
            };
            let left = most.saturating_sub(clock.monotone().saturating_sub(begun));
            if left.is_zero() {
                return Err(error);
            }
            // Before the end of the interval nothing can have changed.
            let end = refusal.number("end_ms").unwrap_or_default();
            let until_end = Duration::from_millis(end.saturating_sub(clock.wall().get()));
            let poll = Duration::from_secs(self.poll_seconds.max(1));
            remote::pause(poll.max(until_end).min(left)).await;
        }
    }
}
