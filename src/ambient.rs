//! Time and randomness as arguments: what is ambient elsewhere is a constructor argument here.
//!
//! The real ones are [`SystemClock`] and [`SystemEntropy`]; simulation brings its own.

use ceralacca_formats::id::UtcMillis;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Two clocks: what the wall says, and what has passed.
pub trait Clock: Send + Sync {
    /// The wall clock. It may step.
    fn wall(&self) -> UtcMillis;
    /// Time since some fixed instant of this process. It never steps.
    fn monotone(&self) -> Duration;
}

/// A source of bytes nobody can guess.
pub trait Entropy: Send + Sync {
    /// Fills the buffer. Failure is fatal: a record without a secret must never be written.
    fn fill(&self, buffer: &mut [u8]);
}

/// A random array.
pub fn draw<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// The operating system's clocks.
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            #[expect(clippy::disallowed_methods, reason = "the one place where time is ambient")]
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> UtcMillis {
        #[expect(clippy::disallowed_methods, reason = "the one place where time is ambient")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 reads as 1970: far behind the log, so the writer suspends cuts.
        let millis = since.unwrap_or_default().as_millis();
        UtcMillis::new(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    fn monotone(&self) -> Duration {
        self.start.elapsed()
    }
}

/// The operating system's generator.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        #[expect(
            clippy::expect_used,
            clippy::disallowed_methods,
            reason = "the one place where randomness is ambient; without it nothing may be written"
        )]
        getrandom::fill(buffer).expect("operating system's random generator");
    }
}
