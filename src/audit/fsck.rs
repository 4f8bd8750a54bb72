//! The check of everything that is held: the oracle of the tests, and `ceralacca fsck`.
//!
//! What is recomputed, and against what:
//!
//! ```text
//! leaves       dense, well formed, `seq` = index          every leaf hash ─▶ tree
//! tiles        the recomputed ones, all and no other
//! tip          size and root of the recomputed tree
//! checkpoints  signature; size and root at their size     kept ones, intervals', last, the one outside
//! rotations    key event and checkpoint of each           keys of other times verify what they signed then
//! intervals    contiguous in time and index
//! records      every metadata row opens under its keys and recomputes the commitment in its leaf
//! contents     every part opens; length, SHA-256, BLAKE3
//! index        postings below `indexed` are exactly the terms of the records
//! leaf hashes  rows of every run are those of its tiles
//! client keys  name a leaf of their interval
//! dictionaries are those of this program
//! ```
//!
//! # Invariants
//! 1. Nothing is changed, and no finding stops the rest: what can still be checked is.
//! 2. Memory does not grow with the records: one pass a family, sums instead of lists. Held whole are the
//!    interval table, size and root of each kept checkpoint, and the uploads under way; the first
//!    [`DAMAGES_MAX`] damages are named, all are counted.

use crate::index::hashes;
use crate::keyring::{self, Keyring};
use crate::record::open::{self, RecordError};
use crate::sequencer::Span;
use crate::store::cf::checkpoint::{Checkpoints, Kept};
use crate::store::cf::chunk::Chunks;
use crate::store::cf::content::Contents;
use crate::store::cf::dictionary::Dictionaries;
use crate::store::cf::idempotency::Idempotency;
use crate::store::cf::index::{Index, Posting};
use crate::store::cf::interval::{IntervalRow, Intervals, Phase};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::leaf_hash::{HashBucket, LeafHashes};
use crate::store::cf::metadata::EncryptedMetadata;
use crate::store::cf::secret::{SecretKey, Secrets};
use crate::store::cf::staging::Staging;
use crate::store::cf::state::{State, StateKey, StateRow, Tip};
use crate::store::cf::tile::Tiles;
use crate::store::cf::{ColumnFamily, Family};
use crate::store::{KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::digest::Blake3;
use ceralacca_formats::encrypt::Dictionary;
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize};
use ceralacca_formats::leaf::{Class, Leaf};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_formats::tile::{Frontier, TileId};
use ceralacca_formats::tree::RootHash;
use std::collections::BTreeSet;
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
    /// Bytes of content read.
    pub content_bytes: u64,
    /// Postings compared.
    pub postings: u64,
    /// Client keys checked.
    pub client_keys: u64,
    /// Uploads whose leaf has not come: not damage; swept at the next open.
    pub staged_uploads: u64,
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

    fn add(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(damage);
        }
    }

    fn unreadable(&mut self, family: Family, why: &impl Display) {
        self.add(Damage::Unreadable {
            family: family.name(),
            why: why.to_string(),
        });
    }

    fn record(&mut self, index: LeafIndex, why: &dyn std::error::Error) {
        self.add(Damage::Record {
            index: index.get(),
            why: chain(why),
        });
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What a check works on.
pub struct Subject<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// Its secrets.
    pub keyring: &'a Keyring,
    /// The key its checkpoints are signed with today.
    pub verifier: &'a VerifierKey,
    /// The checkpoint beside the database, if the log has a directory.
    pub outside: Option<Vec<u8>>,
}

/// Checks everything. `progress` is told how many leaves and records are done.
pub fn check(subject: &Subject<'_>, progress: &mut dyn FnMut(u64)) -> Report {
    let mut report = Report::default();
    let tip = match crate::sequencer::tip(subject.store) {
        Ok(tip) => tip,
        Err(error) => {
            report.unreadable(Family::State, &error);
            return report;
        }
    };
    let spans = intervals(subject, tip, &mut report);
    let keys = rotations(subject, &spans, &mut report);
    tree(subject, tip, &spans, &keys, &mut report, progress);
    tiles(subject, tip, &mut report);
    records(subject, tip, &spans, &mut report, progress);
    contents(subject, &mut report);
    index(subject, tip, &spans, &mut report);
    leaf_hashes(subject, tip, &mut report);
    client_keys(subject, &spans, &mut report);
    dictionaries(subject, &mut report);
    report
}

/// Reads a family to its end or to the first row that cannot be read, which is a damage.
fn each<C: ColumnFamily>(
    store: &dyn Store,
    report: &mut Report,
    mut take: impl FnMut(C::Key, C::Value, &mut Report),
) {
    for row in store.rows::<C>(&KeyRange::all(), Order::Ascending) {
        match row {
            Ok((key, value)) => take(key, value, report),
            Err(error) => {
                report.unreadable(C::FAMILY, &error);
                // A malformed row does not end the scan; an engine error does, and repeats itself.
                if !matches!(error, StoreError::Row { .. }) {
                    return;
                }
            }
        }
    }
}

fn intervals(subject: &Subject<'_>, tip: Tip, report: &mut Report) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let wrong = |id: IntervalId, why: &str| Damage::Interval {
        start: id.get(),
        why: why.to_owned(),
    };
    each::<Intervals>(subject.store, report, |(id, phase), row, report| {
        let expected = spans.last().copied();
        match (phase, row) {
            (Phase::Opened, IntervalRow::Opened { end, first }) => {
                let follows = expected.is_none_or(|before| {
                    before.end.get() == id.get()
                        && before.cut.is_some_and(|size| size.get() == first.get())
                });
                if !follows || end.get() <= id.get() {
                    report.add(wrong(id, "does not follow the one before"));
                }
                spans.push(Span {
                    id,
                    end,
                    first,
                    cut: None,
                });
            }
            (Phase::Cut, IntervalRow::Cut { size, .. }) => match spans.last_mut() {
                Some(span) if span.id == id && size.get() >= span.first.get() => {
                    span.cut = Some(size);
                }
                _ => report.add(wrong(
                    id,
                    "was cut and not opened, or ends before it begins",
                )),
            },
            _ => report.add(wrong(id, "has a mixed row")),
        }
    });
    report.intervals = spans.len() as u64;
    for span in &spans {
        for class in Class::ALL {
            let keys = subject.keyring.class(subject.store, span.id, *class);
            if let Err(error) = keys {
                let why = format!("secret of class {class}: {}", chain(&error));
                report.add(wrong(span.id, &why));
            }
        }
    }
    let last = spans.last();
    let open = last.is_some_and(|span| span.cut.is_none() && span.first.get() <= tip.size.get());
    if tip.size.get() > 0 && !open {
        let id = last.map_or(IntervalId::new(0), |span| span.id);
        report.add(wrong(id, "the last interval is not open at the tip"));
    }
    spans
}

/// The keys of all times, and the proof of each.
fn rotations(subject: &Subject<'_>, spans: &[Span], report: &mut Report) -> KeyChain {
    let keys = match keyring::chain(subject.store, subject.verifier) {
        Ok(keys) => keys,
        Err(error) => {
            report.unreadable(Family::State, &chain(&error));
            return KeyChain::new(subject.verifier.clone());
        }
    };
    // The chain was made of these rows, so they read.
    let rows = keyring::rotations(subject.store, 0).flatten();
    for (rotation, successor) in rows.zip(keys.keys().skip(1)) {
        let interval = span_of(spans, rotation.event).map(|span| span.id);
        let (store, keyring) = (subject.store, subject.keyring);
        let why = super::rotations::damage(store, keyring, interval, &rotation, successor);
        let number = rotation.number;
        if let Some(why) = why {
            report.add(Damage::Rotation { number, why });
        }
    }
    keys
}

/// A checkpoint that is to be compared when the recomputed tree has its size.
struct Expected {
    size: TreeSize,
    root: RootHash,
    which: String,
}

fn checkpoints(subject: &Subject<'_>, keys: &KeyChain, report: &mut Report) -> Vec<Expected> {
    let mut expected = Vec::new();
    let mut verify = |note: &[u8], which: String, size: Option<TreeSize>, report: &mut Report| {
        report.checkpoints += 1;
        match keys.open(note).map(|(found, _)| found) {
            Ok(found) if size.is_none_or(|size| size == found.size()) => expected.push(Expected {
                size: found.size(),
                root: found.root(),
                which,
            }),
            Ok(_) => report.add(Damage::Checkpoint {
                which,
                why: "is kept under another size".to_owned(),
            }),
            Err(error) => report.add(Damage::Checkpoint {
                which,
                why: chain(&error),
            }),
        }
    };
    each::<Checkpoints>(subject.store, report, |kept, note, report| {
        let which = match kept {
            Kept::Own(size) => format!("checkpoint of {size} leaves"),
            Kept::Witnessed(size) => format!("witnessed checkpoint of {size} leaves"),
        };
        verify(note.as_bytes(), which, Some(kept.size()), report);
    });
    each::<Intervals>(subject.store, report, |(id, _), row, report| {
        if let IntervalRow::Cut { size, note, .. } = row {
            let which = format!("checkpoint of interval {id}");
            verify(note.as_bytes(), which, Some(size), report);
        }
    });
    if let Ok(Some(StateRow::Note(note))) = subject.store.read::<State>(&StateKey::Note) {
        verify(note.as_bytes(), "last checkpoint".to_owned(), None, report);
    }
    if let Some(note) = &subject.outside {
        let which = "checkpoint beside the database".to_owned();
        verify(note, which, None, report);
    }
    expected.sort_by_key(|e| e.size);
    expected
}

/// Rehashes every leaf; compares tip and checkpoints as the tree reaches their sizes, and tiles as they
/// fill.
fn tree(
    subject: &Subject<'_>,
    tip: Tip,
    spans: &[Span],
    keys: &KeyChain,
    report: &mut Report,
    progress: &mut dyn FnMut(u64),
) {
    let expected = checkpoints(subject, keys, report);
    let mut expected = expected.into_iter().peekable();
    let mut frontier = Frontier::default();
    let mut compare = |frontier: &Frontier, report: &mut Report| {
        while let Some(e) = expected.next_if(|e| e.size <= frontier.size()) {
            if e.root != frontier.range().root() {
                report.add(Damage::Checkpoint {
                    which: e.which,
                    why: "has another root than the leaves".to_owned(),
                });
            }
        }
        expected.peek().map(|e| (e.size, e.which.clone()))
    };
    compare(&frontier, report);
    let mut last_epoch = 0;
    let mut last_time = tip.time;
    each::<Leaves>(subject.store, report, |index, leaf, report| {
        let next = frontier.size().get();
        if index.get() != next || leaf.seq != index {
            let why = format!("stands where leaf {next} should, and says {}", leaf.seq);
            report.add(Damage::Leaf {
                index: index.get(),
                why,
            });
        }
        if leaf.epoch.0 < last_epoch {
            report.add(Damage::Leaf {
                index: index.get(),
                why: "is of an older epoch than the one before".to_owned(),
            });
        }
        (last_epoch, last_time) = (leaf.epoch.0, leaf.time);
        let mut full = Vec::new();
        frontier.push(leaf.hash(), |id, tile| full.push((id, tile)));
        for (id, tile) in full {
            report.tiles += 1;
            match subject.store.read::<Tiles>(&id) {
                Ok(Some(stored)) if stored == tile => {}
                Ok(Some(_)) => report.add(Damage::Tile {
                    path: id.path(),
                    why: "has other hashes than the leaves",
                }),
                Ok(None) => report.add(Damage::Tile {
                    path: id.path(),
                    why: "is missing",
                }),
                Err(error) => report.unreadable(Family::Tile, &error),
            }
        }
        compare(&frontier, report);
        if next.is_multiple_of(1 << 12) {
            progress(next);
        }
    });
    report.leaves = frontier.size().get();
    report.root = Some(frontier.range().root());
    if frontier.size() != tip.size || frontier.range().root() != tip.root {
        let (found, said) = (frontier.size(), tip.size);
        report.add(Damage::Tip(format!(
            "says {said} leaves, the tree has {found}, or their roots differ"
        )));
    }
    if last_epoch != tip.epoch.0 || last_time != tip.time {
        let why = "says another epoch or time than the last leaf";
        report.add(Damage::Tip(why.to_owned()));
    }
    if let Some((size, which)) = compare(&frontier, report) {
        report.add(Damage::Checkpoint {
            which,
            why: format!("is of {size} leaves; the store is behind it"),
        });
    }
    for span in spans {
        if let Some(size) = span.cut.filter(|size| *size > frontier.size()) {
            report.add(Damage::Interval {
                start: span.id.get(),
                why: format!("was cut at {size} leaves; the store is behind it"),
            });
        }
    }
}

/// Tiles that should not be there: the others were compared as they filled.
fn tiles(subject: &Subject<'_>, tip: Tip, report: &mut Report) {
    let full = |id: TileId| {
        let shift = 8 * (u32::from(id.level) + 1);
        id.number < tip.size.get().checked_shr(shift).unwrap_or(0)
    };
    each::<Tiles>(subject.store, report, |id, _, report| {
        if !full(id) {
            report.add(Damage::Tile {
                path: id.path(),
                why: "is beyond the tree",
            });
        }
    });
}

fn span_of(spans: &[Span], index: LeafIndex) -> Option<&Span> {
    let after = spans.partition_point(|span| span.first <= index);
    after.checked_sub(1).and_then(|at| spans.get(at))
}

/// Opens every record by its metadata row, and its content; then finds leaves without a row.
fn records(
    subject: &Subject<'_>,
    tip: Tip,
    spans: &[Span],
    report: &mut Report,
    progress: &mut dyn FnMut(u64),
) {
    let mut rows = 0u64;
    each::<EncryptedMetadata>(subject.store, report, |key, row, report| {
        rows += 1;
        let index = key.index;
        let leaf = match subject.store.read::<Leaves>(&index) {
            Ok(leaf) => leaf.filter(|leaf| leaf.class == key.class),
            Err(error) => {
                report.record(index, &error);
                return;
            }
        };
        let interval = span_of(spans, index).map(|span| span.id);
        let Some(leaf) = leaf.filter(|_| interval == Some(key.interval)) else {
            report.add(Damage::Record {
                index: index.get(),
                why: "has a row under another interval or class than its leaf".to_owned(),
            });
            return;
        };
        match read_record(subject, key.interval, leaf, row) {
            Ok(bytes) => {
                report.records += 1;
                report.content_bytes += bytes;
            }
            Err(error) => report.record(index, &error),
        }
        if rows.is_multiple_of(1 << 12) {
            progress(rows);
        }
    });
    if rows < tip.size.get() {
        each::<Leaves>(subject.store, report, |index, leaf, report| {
            let Some(span) = span_of(spans, index) else {
                return;
            };
            let key = crate::store::cf::metadata::RecordKey {
                interval: span.id,
                class: leaf.class,
                index,
            };
            if let Ok(None) = subject.store.read::<EncryptedMetadata>(&key) {
                report.record(index, &RecordError::MetadataMissing(index));
            }
        });
    }
}

fn read_record(
    subject: &Subject<'_>,
    interval: IntervalId,
    leaf: Leaf,
    row: crate::store::cf::metadata::MetadataRow,
) -> Result<u64, RecordError> {
    let (store, keyring) = (subject.store, subject.keyring);
    let opened = open::open_row(store, keyring, interval, leaf, row)?;
    match opened.metadata() {
        // Of a newer program: its bytes verify.
        Ok(_) | Err(RecordError::Uninterpreted { .. }) => {}
        Err(other) => return Err(other),
    }
    let mut bytes = 0;
    opened.content(store, |piece| bytes += piece.len() as u64)?;
    Ok(bytes)
}

/// Rows of contents and secrets that belong to no record.
fn contents(subject: &Subject<'_>, report: &mut Report) {
    let mut orphans = 0;
    let mut last = None;
    let mut known = false;
    let has = |key| matches!(subject.store.read::<EncryptedMetadata>(&key), Ok(Some(_)));
    each::<Contents>(subject.store, report, |key, _, _| {
        if last != Some(key.record) {
            last = Some(key.record);
            known = has(key.record);
        }
        orphans += u64::from(!known);
    });
    add_orphans(Family::Content, orphans, report);
    let mut orphans = 0;
    each::<Secrets>(subject.store, report, |key, _, _| {
        if let SecretKey::Object(record) = key {
            orphans += u64::from(!has(record));
        }
    });
    add_orphans(Family::Secret, orphans, report);
    // Chunks are found by nonce: those of records and of staged uploads, counted against all.
    let mut staged = BTreeSet::new();
    each::<Staging>(subject.store, report, |upload, (), _| {
        staged.insert(upload);
    });
    report.staged_uploads = staged.len() as u64;
    let mut owned = 0u64;
    each::<EncryptedMetadata>(subject.store, report, |key, row, _| {
        if row.place == crate::store::cf::metadata::ContentPlace::Chunks {
            let upload = crate::store::cf::chunk::UploadKey {
                interval: key.interval,
                class: key.class,
                nonce: row.nonce,
            };
            let range = KeyRange::prefix(&upload.prefix());
            owned += subject
                .store
                .scan(Family::Chunk, &range, Order::Ascending)
                .count() as u64;
        }
    });
    let mut all = 0u64;
    each::<Chunks>(subject.store, report, |key, _, _| {
        all += u64::from(!staged.contains(&key.upload));
    });
    add_orphans(Family::Chunk, all.saturating_sub(owned), report);
}

fn add_orphans(family: Family, rows: u64, report: &mut Report) {
    if rows > 0 {
        report.add(Damage::Orphans {
            family: family.name(),
            rows,
        });
    }
}

/// A sum over postings that does not depend on their order.
#[derive(Default, Eq, PartialEq)]
struct PostingSum {
    count: u64,
    sum: u128,
}

impl PostingSum {
    fn add(&mut self, posting: &Posting) {
        let mut key = Vec::with_capacity(27);
        Index::encode_key(posting, &mut key);
        let digest = Blake3::of(&key);
        let (head, _) = digest.as_bytes().split_at(16);
        let head: [u8; 16] = head.try_into().unwrap_or_default();
        self.count += 1;
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(head));
    }
}

/// Compares the postings below `indexed` with the terms of the records: sums first, names if they differ.
fn index(subject: &Subject<'_>, tip: Tip, spans: &[Span], report: &mut Report) {
    let indexed = match subject.store.read::<State>(&StateKey::Indexed) {
        Ok(Some(StateRow::Indexed(indexed))) => indexed,
        Ok(_) => TreeSize::default(),
        Err(error) => return report.unreadable(Family::State, &error),
    };
    if indexed > tip.size {
        report.add(Damage::Index {
            index: indexed.get(),
            why: "the index claims records beyond the tip",
        });
    }
    let mut expected = PostingSum::default();
    postings_of_records(subject, indexed, report, |posting, _| {
        expected.add(&posting);
    });
    let mut found = PostingSum::default();
    each::<Index>(subject.store, report, |posting, (), _| {
        if posting.index.is_within(indexed) {
            found.add(&posting);
        }
    });
    report.postings = found.count;
    if found == expected {
        return;
    }
    postings_of_records(subject, indexed, report, |posting, report| {
        if let Ok(None) = subject.store.read::<Index>(&posting) {
            report.add(Damage::Index {
                index: posting.index.get(),
                why: "a term of the record is not in the index",
            });
        }
    });
    each::<Index>(subject.store, report, |posting, (), report| {
        let known = record_postings(subject, spans, posting.index);
        let claimed = known.is_some_and(|known| known.contains(&posting));
        if posting.index.is_within(indexed) && !claimed {
            report.add(Damage::Index {
                index: posting.index.get(),
                why: "the index has a term that the record has not",
            });
        }
    });
}

/// Every posting that the records below `indexed` should have; records that do not open were reported.
fn postings_of_records(
    subject: &Subject<'_>,
    indexed: TreeSize,
    report: &mut Report,
    mut take: impl FnMut(Posting, &mut Report),
) {
    each::<EncryptedMetadata>(subject.store, report, |key, row, report| {
        if !key.index.is_within(indexed) {
            return;
        }
        let Ok(Some(leaf)) = subject.store.read::<Leaves>(&key.index) else {
            return;
        };
        let opened = open::open_row(subject.store, subject.keyring, key.interval, leaf, row);
        let postings = opened
            .ok()
            .and_then(|opened| postings(subject, key.interval, &opened));
        for posting in postings.into_iter().flatten() {
            take(posting, report);
        }
    });
}

fn record_postings(
    subject: &Subject<'_>,
    spans: &[Span],
    index: LeafIndex,
) -> Option<Vec<Posting>> {
    let leaf = subject.store.read::<Leaves>(&index).ok()??;
    let interval = span_of(spans, index)?.id;
    let opened = open::open(subject.store, subject.keyring, interval, leaf).ok()?;
    postings(subject, interval, &opened)
}

fn postings(
    subject: &Subject<'_>,
    interval: IntervalId,
    opened: &open::Opened,
) -> Option<Vec<Posting>> {
    let class = opened.leaf.class;
    let keys = subject.keyring.class(subject.store, interval, class).ok()?;
    let metadata = opened.metadata().ok()?;
    let tokens = crate::record::prepare::tokens(&keys, &metadata);
    let posting = |(field, token)| Posting {
        interval,
        class,
        field,
        token,
        index: opened.leaf.seq,
    };
    Some(tokens.into_iter().map(posting).collect())
}

/// Compares the runs of leaf hashes with the tiles, run by run; tiles were compared with the leaves before.
fn leaf_hashes(subject: &Subject<'_>, tip: Tip, report: &mut Report) {
    let covered = match hashes::covered(subject.store) {
        Ok(covered) => covered,
        Err(error) => return report.unreadable(Family::LeafHash, &error),
    };
    let full = covered.min(tip.size).get() / hashes::RUN_LEAVES;
    for run in 0..full {
        // A tile that cannot be read was reported as it filled.
        let Ok(expected) = hashes::rows(subject.store, run) else {
            continue;
        };
        for (first, expected) in (0..=u8::MAX).zip(expected) {
            let bucket = HashBucket { first, run };
            let why = match subject.store.read::<LeafHashes>(&bucket) {
                Ok(Some(found)) if found == expected => continue,
                Ok(Some(_)) => "has other leaves than the tiles",
                Ok(None) => "is missing",
                Err(_) => "does not read",
            };
            let bucket = first;
            report.add(Damage::LeafHash { bucket, run, why });
        }
    }
    each::<LeafHashes>(subject.store, report, |key, _, report| {
        if key.run >= full {
            report.add(Damage::LeafHash {
                bucket: key.first,
                run: key.run,
                why: "is beyond the tree or its run",
            });
        }
    });
}

fn client_keys(subject: &Subject<'_>, spans: &[Span], report: &mut Report) {
    each::<Idempotency>(subject.store, report, |(interval, _), index, report| {
        report.client_keys += 1;
        let there = subject.store.read::<Leaves>(&index);
        let exists = matches!(there, Ok(Some(_)));
        let in_interval = span_of(spans, index).is_some_and(|span| span.id == interval);
        if !exists || !in_interval {
            report.add(Damage::ClientKey {
                start: interval.get(),
                index: index.get(),
            });
        }
    });
}

fn dictionaries(subject: &Subject<'_>, report: &mut Report) {
    for dictionary in Dictionary::ALL {
        let stored = subject.store.read::<Dictionaries>(&dictionary.id());
        let same = matches!(&stored, Ok(Some(bytes)) if bytes == dictionary.bytes());
        if !same {
            report.add(Damage::Dictionary(dictionary.id()));
        }
    }
}
