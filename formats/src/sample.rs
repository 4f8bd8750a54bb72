//! Samples: which leaves an auditor looks at, from a seed that others can know.
//!
//! ```text
//! draw c = first 8 bytes, u64 big-endian, of
//!          SHA-256( "ceralacca v1 sample" 00 | tree size u64 | length of the seed u16 | seed | c u64 )
//! ```
//! for c = 0, 1, 2, …  A draw not below the largest multiple of the size within 2^64 is dropped, so that no leaf is
//! likelier than another; the others name the leaf `draw mod size`; a leaf that was named before is dropped.
//!
//! # Invariants
//! 1. Whoever knows seed, size and count finds the same leaves in the same order; a smaller count gives the
//!    beginning of a larger one.
//! 2. Every leaf of the tree is as likely as any other, and none comes twice.
//!
//! # Not here
//! Whether the archive could have known the seed beforehand: take one that did not exist when the checkpoint of
//! that size was published.

use crate::digest::Sha256;
use crate::id::{LeafIndex, TreeSize};
use std::collections::HashSet;

/// The most leaves in one sample: an answer of a megabyte or so. For more, take another seed.
pub const SAMPLE_MAX: usize = 1000;
/// The longest seed, in bytes: some lines of a public draw.
pub const SEED_BYTES_MAX: usize = 256;
const CONTEXT: &[u8] = b"ceralacca v1 sample\0";

/// Why there is no such sample. The caller's to change.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SampleError {
    /// A seed of no bytes, or of more than [`SEED_BYTES_MAX`].
    #[error("seed has {0} bytes, not 1 to 256")]
    Seed(usize),
    /// No leaves, more than [`SAMPLE_MAX`], or more than the tree has.
    #[error("sample of {count} from a tree of {size}: take 1 to 1000, and no more than there are")]
    Count {
        /// How many were asked for.
        count: usize,
        /// Of how many.
        size: TreeSize,
    },
}

/// The leaves that a seed names in a tree of this size, in the order in which they were drawn.
pub fn sample(seed: &[u8], size: TreeSize, count: usize) -> Result<Vec<LeafIndex>, SampleError> {
    let length = u16::try_from(seed.len()).unwrap_or(u16::MAX);
    if seed.is_empty() || seed.len() > SEED_BYTES_MAX {
        return Err(SampleError::Seed(seed.len()));
    }
    let leaves = size.get();
    if count == 0 || count > SAMPLE_MAX || count as u64 > leaves {
        return Err(SampleError::Count { count, size });
    }
    // 2^64 mod size: so many draws at the top would make the first leaves likelier.
    let uneven = leaves.wrapping_neg() % leaves;
    let (mut named, mut seen) = (Vec::with_capacity(count), HashSet::with_capacity(count));
    // There are as many distinct leaves as are wanted, and each draw is a fresh one: this ends.
    for counter in 0u64.. {
        if named.len() == count {
            break;
        }
        let draw = draw(seed, length, leaves, counter);
        if draw > u64::MAX - uneven {
            continue;
        }
        let index = draw % leaves;
        if seen.insert(index) {
            named.push(LeafIndex::new(index));
        }
    }
    Ok(named)
}

fn draw(seed: &[u8], length: u16, leaves: u64, counter: u64) -> u64 {
    let digest = Sha256::of_parts(&[
        CONTEXT,
        &leaves.to_be_bytes(),
        &length.to_be_bytes(),
        seed,
        &counter.to_be_bytes(),
    ]);
    let (head, _) = digest.as_bytes().split_at(8);
    head.iter().fold(0, |n, byte| n << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexes(seed: &[u8], size: u64, count: usize) -> Vec<u64> {
        let leaves = sample(seed, TreeSize::new(size), count).unwrap();
        leaves.into_iter().map(LeafIndex::get).collect()
    }

    #[test]
    fn the_sample_vector_is_reproduced() {
        let mut lines = String::new();
        for (seed, size, count) in [
            ("estrazione 21/11/2026", 70_000u64, 6usize),
            ("estrazione 21/11/2026", 10, 10),
            ("estrazione 21/11/2026", (1 << 63) + 1, 4),
            ("a", 1, 1),
        ] {
            let found = indexes(seed.as_bytes(), size, count);
            let found: Vec<String> = found.iter().map(u64::to_string).collect();
            lines += &format!("{} {size} {count} {}\n", hex::encode(seed), found.join(" "));
        }
        assert_eq!(lines, include_str!("../vectors/sample.txt"), "\n{lines}");
    }

    #[test]
    fn a_sample_repeats_nothing_and_begins_every_larger_one() {
        for size in [1, 2, 3, 255, 256, 1000, 1_000_003] {
            let most = SAMPLE_MAX.min(size as usize);
            let all = indexes(b"seed", size, most);
            assert!(all.iter().all(|index| *index < size));
            assert_eq!(all.iter().collect::<HashSet<_>>().len(), most);
            assert_eq!(
                indexes(b"seed", size, most.div_ceil(2)),
                all[..most.div_ceil(2)]
            );
        }
        assert_ne!(indexes(b"seed", 1000, 9), indexes(b"seee", 1000, 9));
        assert_ne!(indexes(b"seed", 1000, 9), indexes(b"seed", 1001, 9));
        // A zero at the end of a seed is another seed.
        assert_ne!(indexes(b"seed", 1000, 9), indexes(b"seed\0", 1000, 9));
    }

    /// Draws of many seeds fall on each of seven leaves alike: the chi-square value with six degrees of freedom is
    /// above 22.5 once in a thousand, and the seeds are fixed.
    #[test]
    fn no_leaf_is_likelier_than_another() {
        let mut found = [0u32; 7];
        for seed in 0u32..7000 {
            found[indexes(&seed.to_be_bytes(), 7, 1)[0] as usize] += 1;
        }
        let distance = |n: &u32| (f64::from(*n) - 1000.0).powi(2) / 1000.0;
        let distance: f64 = found.iter().map(distance).sum();
        assert!(distance < 22.5, "{distance} {found:?}");
    }

    #[test]
    fn draws_that_would_favour_some_leaves_are_dropped() {
        // Just above half of 2^64 nearly every second draw is dropped; what is named is within the tree.
        let size = (1 << 63) + 1;
        let found = indexes(b"seed", size, 200);
        let kept = (0..)
            .map(|c| draw(b"seed", 4, size, c))
            .filter(|draw| *draw < size);
        assert_eq!(found, kept.take(200).collect::<Vec<_>>());
        let dropped = (0..400).filter(|c| draw(b"seed", 4, size, *c) >= size);
        assert!((120..280).contains(&dropped.count()));
    }

    #[test]
    fn what_cannot_be_sampled_is_refused() {
        let refused =
            |seed: &[u8], size, count| sample(seed, TreeSize::new(size), count).unwrap_err();
        assert_eq!(refused(b"", 9, 1), SampleError::Seed(0));
        assert_eq!(refused(&[7; 257], 9, 1), SampleError::Seed(257));
        for (count, size) in [(0, 9), (10, 9), (1, 0), (1001, 5000)] {
            let size = TreeSize::new(size);
            assert_eq!(
                sample(b"s", size, count),
                Err(SampleError::Count { count, size })
            );
        }
        assert!(sample(&[7; 256], TreeSize::new(9), 9).is_ok());
    }
}
