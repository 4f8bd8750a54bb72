//! Time and randomness as arguments: what is ambient elsewhere is a constructor argument here.
//!
//! The real ones are [`SystemClock`] and [`SystemEntropy`]; simulation brings its own.

use ceralacca_formats::id::UtcMillis;
use std::cell::RefCell;
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
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place where time is ambient"
            )]
            start: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> UtcMillis {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where time is ambient"
        )]
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 reads as 1970: far behind the log, so the writer suspends cuts.
        let millis = since.unwrap_or_default().as_millis();
        UtcMillis::new(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    fn monotone(&self) -> Duration {
        self.start.elapsed()
    }
}

/// The operating system's generator, asked for a kilobyte at a time on each thread.
///
/// A byte is given out once and wiped from the buffer. The process does not fork, so no two of them
/// share a buffer.
pub struct SystemEntropy;

const BUFFERED: usize = 1024;

thread_local! {
    /// Random bytes not given out yet, at the end of the buffer; how many.
    static BUFFER: RefCell<([u8; BUFFERED], usize)> = const { RefCell::new(([0; BUFFERED], 0)) };
}

impl Entropy for SystemEntropy {
    fn fill(&self, target: &mut [u8]) {
        if target.len() > BUFFERED {
            return from_system(target);
        }
        BUFFER.with_borrow_mut(|(buffer, left)| {
            if *left < target.len() {
                from_system(buffer);
                *left = BUFFERED;
            }
            let from = *left - target.len();
            for (to, byte) in target.iter_mut().zip(buffer.iter_mut().skip(from)) {
                *to = std::mem::take(byte);
            }
            *left = from;
        });
    }
}

fn from_system(target: &mut [u8]) {
    #[expect(
        clippy::expect_used,
        clippy::disallowed_methods,
        reason = "the one place where randomness is ambient; without it nothing may be written"
    )]
    getrandom::fill(target).expect("operating system's random generator");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_given_out_twice() {
        let mut seen: Vec<[u8; 16]> = (0..5000).map(|_| draw(&SystemEntropy)).collect();
        let long: [u8; 4096] = draw(&SystemEntropy);
        seen.extend(long.as_chunks::<16>().0);
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
        assert!(!seen.contains(&[0; 16]));
    }
}
