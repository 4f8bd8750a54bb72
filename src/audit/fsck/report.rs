//! What was checked, and what was found damaged.

use crate::store::cf::Family;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::tree::RootHash;
use std::fmt::Display;

/// Damages named in a report; the rest is counted.
pub const DAMAGES_MAX: usize = 1000;

/// One thing that is not as it was written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Damage {
    /// A family cannot be read on.
    #[error("{family}: {why}")]
    Unreadable {
        /// Which family.
        family: &'static str,
        /// What the engine says.
        why: String,
    },
    /// A leaf is missing, malformed, or says another index.
    #[error("leaf {index}: {why}")]
    Leaf {
        /// Which leaf.
        index: u64,
        /// What is wrong.
        why: String,
    },
    /// A tile is missing, differs, or should not be there.
    #[error("tile {path}: {why}")]
    Tile {
        /// Which tile, as tlog-tiles names it.
        path: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The tip is not the recomputed tree.
    #[error("tip: {0}")]
    Tip(String),
    /// A checkpoint is not signed, or not of this tree.
    #[error("{which}: {why}")]
    Checkpoint {
        /// Which checkpoint.
        which: String,
        /// What is wrong.
        why: String,
    },
    /// A rotation of the log's key is not proven by its key event and its checkpoint.
    #[error("rotation {number} of the log key: {why}")]
    Rotation {
        /// Its number, from 0.
        number: u32,
        /// What is wrong.
        why: String,
    },
    /// The interval table has a gap, an overlap, or no secret.
    #[error("interval {start}: {why}")]
    Interval {
        /// Start of the interval, milliseconds since 1970.
        start: u64,
        /// What is wrong.
        why: String,
    },
    /// A disposal is not what the log says of it.
    #[error("disposal of class {class} of interval {start}: {why}")]
    Disposal {
        /// Start of the interval, milliseconds since 1970.
        start: u64,
        /// The class.
        class: Class,
        /// What is wrong.
        why: String,
    },
    /// A record does not open, or is not what its leaf commits to.
    #[error("record {index}: {why}")]
    Record {
        /// Which record.
        index: u64,
        /// What is wrong.
        why: String,
    },
    /// Rows that belong to no record.
    #[error("{family}: {rows} rows belong to no record")]
    Orphans {
        /// Which family.
        family: &'static str,
        /// How many.
        rows: u64,
    },
    /// The index lacks or invents a posting.
    #[error("index, record {index}: {why}")]
    Index {
        /// Which record.
        index: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// A row of the leaves by hash is not that of the tiles.
    #[error("leaves by hash, bucket {bucket} of run {run}: {why}")]
    LeafHash {
        /// First byte of the hashes.
        bucket: u8,
        /// Which 65536 leaves.
        run: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// A client key names no leaf of its interval.
    #[error("client key of interval {start} names leaf {index}")]
    ClientKey {
        /// Start of the interval.
        start: u64,
        /// The leaf it names.
        index: u64,
    },
    /// The holds are not those that the log says were set and released: nothing may be disposed of.
    #[error("holds: {why}")]
    Holds {
        /// What is wrong.
        why: String,
    },
    /// A dictionary is not the one records were compressed with.
    #[error("dictionary {0} is missing or altered")]
    Dictionary(u16),
}

/// What was checked and what was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Leaves rehashed.
    pub leaves: u64,
    /// Tiles compared.
    pub tiles: u64,
    /// Checkpoints verified.
    pub checkpoints: u64,
    /// Intervals.
    pub intervals: u64,
    /// Records opened.
    pub records: u64,
    /// Records that were disposed of.
    pub disposed: u64,
    /// Bytes of content read.
    pub content_bytes: u64,
    /// Postings compared.
    pub postings: u64,
    /// Client keys checked.
    pub client_keys: u64,
    /// Uploads whose leaf has not come: not damage; swept at the next open.
    pub staged_uploads: u64,
    /// Records that were erased singly, as leaves say.
    pub erased: u64,
    /// Holds, those released among them.
    pub holds: u64,
    /// The recomputed root.
    pub root: Option<RootHash>,
    /// The first damages.
    pub damages: Vec<Damage>,
    /// All damages.
    pub damaged: u64,
}

impl Report {
    /// Whether nothing is damaged.
    pub fn is_clean(&self) -> bool {
        self.damaged == 0
    }

    pub(in crate::audit) fn add(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(damage);
        }
    }

    pub(in crate::audit) fn unreadable(&mut self, family: Family, why: &impl Display) {
        self.add(Damage::Unreadable {
            family: family.name(),
            why: why.to_string(),
        });
    }

    pub(in crate::audit) fn record(&mut self, index: LeafIndex, why: &dyn std::error::Error) {
        self.add(Damage::Record {
            index: index.get(),
            why: chain(why),
        });
    }
}

/// An error with its causes, on one line.
pub(in crate::audit) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
