//! Answers about octets that come again and again: thousands of messages bring the same few certificates.
//!
//! # Invariants
//! 1. This changes the cost of an answer, never the answer: it is given again for the very octets it was made of only,
//!    compared whole.
//! 2. Bounded: [`ANSWERS_MAX`] answers about [`OCTETS_MAX`] octets each at most; then it begins anew. Octets made to
//!    have one hash cost that many comparisons, and no more.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};

/// The most answers kept.
const ANSWERS_MAX: usize = 256;
/// The most octets an answer is kept about: a signature brings some four thousand octets of certificates.
const OCTETS_MAX: usize = 16 << 10;
/// The words of the octets that are looked at to find an answer.
const WORDS: usize = 32;

/// Answers, found by the octets they are about.
#[derive(Debug)]
pub(crate) struct Remembered<T>(Mutex<HashMap<Vec<u8>, T, BuildHasherDefault<Words>>>);

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Remembered<T> {
    /// The answer about some octets, which depends on nothing else.
    pub(crate) fn of(&self, octets: &[u8], answer: impl FnOnce() -> T) -> T {
        if octets.len() > OCTETS_MAX {
            return answer();
        }
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known().get(octets) {
            return answer.clone();
        }
        let answer = answer();
        let mut known = known();
        if known.len() >= ANSWERS_MAX {
            known.clear();
        }
        known.insert(octets.to_vec(), answer.clone());
        answer
    }
}

/// A hash of words from all over the octets: certificates differ in serial number, key and signature.
#[derive(Default)]
pub(crate) struct Words(u64);

impl Words {
    fn add(&mut self, octets: &[u8]) {
        let word = octets
            .iter()
            .take(8)
            .fold(0, |word, octet| word << 8 | u64::from(*octet));
        // The constant is the fractional part of the golden ratio: odd, and without a pattern.
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Words {
    fn finish(&self) -> u64 {
        // The lower bits of a product depend on the lower bits of its factors only.
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, octets: &[u8]) {
        let step = octets.len().div_ceil(WORDS).max(8);
        octets.chunks(step).for_each(|octets| self.add(octets));
        self.add(octets.last_chunk::<8>().map_or(octets, |last| last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn an_answer_is_made_once_and_never_given_for_other_octets() {
        let (remembered, made) = (Remembered::default(), Cell::new(0));
        let of = |octets: &[u8]| {
            let answer = remembered.of(octets, || {
                made.set(made.get() + 1);
                octets.to_vec()
            });
            assert_eq!(answer, octets);
        };
        // Octets that differ where no word is looked at have one hash.
        let octets: Vec<Vec<u8>> = (0..100u8)
            .map(|at| {
                let mut octets = vec![0; 4000];
                octets[20] = at;
                octets
            })
            .collect();
        for _ in 0..3 {
            octets.iter().for_each(|octets| of(octets));
            of(b"");
        }
        assert_eq!(made.get(), 101);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let remembered = Remembered::default();
        for number in 0..2000u32 {
            remembered.of(&number.to_be_bytes(), || number);
            assert!(remembered.0.lock().unwrap().len() <= ANSWERS_MAX);
        }
        let long = vec![0; OCTETS_MAX + 1];
        let kept = remembered.0.lock().unwrap().len();
        assert_eq!(remembered.of(&long, || 7), 7);
        assert_eq!(remembered.of(&long, || 8), 8);
        assert_eq!(remembered.0.lock().unwrap().len(), kept);
    }
}
