//! What the rows say: intervals, checkpoints, leaves, records, tiles.

use super::Work;
use super::state::Cursor;
use crate::audit::fsck::records::read_through;
use crate::audit::fsck::tree::which;
use crate::audit::fsck::{
    Damage, Report, Subject, chain_of, disposals, holds, index, intervals, rest,
};
use crate::index::hashes;
use crate::keyring;
use crate::record::open::{self, RecordError};
use crate::sequencer::frontier;
use crate::store::cf::checkpoint::{Checkpoints, Kept};
use crate::store::cf::index::Index;
use crate::store::cf::interval::{IntervalRow, Intervals};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::state::{State, StateKey, StateRow, Tip};
use crate::store::cf::tile::Tiles;
use crate::store::cf::{ColumnFamily, Family};
use crate::store::{KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize};
use ceralacca_formats::leaf::{LEAF_BYTES, Leaf};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_formats::tile::{TILE_WIDTH, TileId, tile_root};
use ceralacca_formats::tree::{NodeHash, RootHash};

/// Checkpoints of one step, and what one costs: its note, and the right edge of its tree.
const CHECKPOINTS: usize = 16;
const CHECKPOINT_BYTES: u64 = 16 << 10;
/// Bytes of a full tile.
const TILE_BYTES: u64 = 32 * TILE_WIDTH as u64;
const WIDTH: u64 = TILE_WIDTH as u64;

impl Work {
    /// The whole table: a few rows a day.
    pub(super) fn intervals(&mut self) -> u64 {
        // The table may be newer than any tip read before it: whether it ends at the tip is not asked.
        let tip = Tip {
            size: TreeSize::new(u64::MAX),
            ..self.published().tip
        };
        let spans = self.with_subject(|subject, report| {
            let spans = intervals::intervals(subject, tip, report);
            // How many the leaves say is counted by `fsck`, which reads them while nothing is added.
            holds::holds(subject, &spans, None, report);
            disposals::disposals(subject, &spans, report);
            spans
        });
        self.state.cursor = Cursor::Cuts(0);
        64 * spans.len() as u64
    }

    /// Some checkpoints of cuts.
    pub(super) fn cuts(&mut self, start: u64) -> u64 {
        let (until, mut next) = (self.state.until(), None);
        let mut done = 0;
        self.with_subject(|subject, report| {
            let mut range = KeyRange::all();
            range.start = start.to_be_bytes().to_vec();
            for row in subject.store.rows::<Intervals>(&range, Order::Ascending) {
                let ((id, _), row) = match row {
                    Ok(row) => row,
                    // It was found with the table, and hides none behind it.
                    Err(StoreError::Row { .. }) => continue,
                    Err(_) => return,
                };
                if done >= CHECKPOINTS {
                    next = Some(id.get());
                    return;
                }
                if let IntervalRow::Cut { size, note, .. } = row {
                    done += 1;
                    let which = format!("checkpoint of interval {id}");
                    checkpoint(subject, note.as_bytes(), which, size, until, report);
                }
            }
        });
        self.state.cursor = next.map_or(Cursor::Checkpoints(0), Cursor::Cuts);
        done as u64 * CHECKPOINT_BYTES
    }

    /// Some kept checkpoints.
    pub(super) fn checkpoints(&mut self, from: u64) -> u64 {
        let (until, mut next) = (self.state.until(), None);
        let mut done = 0;
        self.with_subject(|subject, report| {
            let mut range = KeyRange::all();
            Checkpoints::encode_key(&placed(from), &mut range.start);
            for row in subject.store.rows::<Checkpoints>(&range, Order::Ascending) {
                let (kept, note) = match row {
                    Ok(row) => row,
                    // It is found among the rows, and hides none behind it.
                    Err(StoreError::Row { .. }) => continue,
                    Err(_) => return,
                };
                if done >= CHECKPOINTS {
                    next = Some(place(kept));
                    return;
                }
                done += 1;
                let which = which(kept);
                checkpoint(subject, note.as_bytes(), which, kept.size(), until, report);
            }
        });
        self.state.cursor = next.map_or(Cursor::Log(0), Cursor::Checkpoints);
        done as u64 * CHECKPOINT_BYTES
    }

    /// One leaf, its record, and the tiles that it fills; behind the last one, the root.
    pub(super) fn log(&mut self, index: u64) -> u64 {
        let until = self.state.until();
        let index = LeafIndex::new(index);
        if !index.is_within(until) {
            let root = self.state.root;
            self.with_subject(|subject, report| whole(subject, until, root, report));
            self.state.cursor = Cursor::Hashes(0);
            return CHECKPOINT_BYTES;
        }
        let interval = self.published().interval_of(index);
        let bytes = self.with_subject(|subject, report| {
            let mut bytes = LEAF_BYTES as u64;
            match subject.store.read::<Leaves>(&index) {
                Ok(Some(leaf)) if leaf.seq == index => {
                    report.leaves += 1;
                    bytes += record(subject, interval, leaf, report);
                }
                Ok(Some(leaf)) => report.add(Damage::Leaf {
                    index: index.get(),
                    why: format!("says {}", leaf.seq),
                }),
                Ok(None) => report.add(Damage::Leaf {
                    index: index.get(),
                    why: "is missing".to_owned(),
                }),
                Err(error) => report.add(Damage::Leaf {
                    index: index.get(),
                    why: chain_of(&error),
                }),
            }
            let next = index.get() + 1;
            if next.is_multiple_of(WIDTH) {
                let number = index.get() / WIDTH;
                bytes += tiles(subject, TileId { level: 0, number }, report);
            }
            bytes
        });
        self.state.cursor = Cursor::Log(index.get() + 1);
        bytes
    }

    /// One run of the leaves by hash.
    pub(super) fn hashes(&mut self, run: u64) -> u64 {
        let until = self.state.until();
        let (mut next, mut bytes) = (Cursor::Rows(0, Vec::new()), 0);
        self.with_subject(|subject, report| match hashes::covered(subject.store) {
            Err(error) => report.unreadable(Family::LeafHash, &error),
            Ok(covered) if run < covered.min(until).get() / hashes::RUN_LEAVES => {
                rest::leaf_hash_run(subject, run, report);
                bytes = hashes::RUN_LEAVES * 36;
                next = Cursor::Hashes(run + 1);
            }
            Ok(_) => {}
        });
        self.state.cursor = next;
        bytes
    }
}

/// Set in the place of a witnessed checkpoint: those stand behind the others.
const WITNESSED: u64 = 1 << 63;

/// Where a kept checkpoint stands among them all.
fn place(kept: Kept) -> u64 {
    match kept {
        Kept::Own(size) => size.get(),
        Kept::Witnessed(size) => size.get() | WITNESSED,
    }
}

/// The kept checkpoint at a place.
fn placed(place: u64) -> Kept {
    let size = TreeSize::new(place & !WITNESSED);
    match place & WITNESSED {
        0 => Kept::Own(size),
        _ => Kept::Witnessed(size),
    }
}

/// The keys that the log has had; the one of today alone where the rotations do not read, which the rows tell.
pub(super) fn keys(store: &dyn Store, verifier: &VerifierKey) -> KeyChain {
    keyring::chain(store, verifier).unwrap_or_else(|_| KeyChain::new(verifier.clone()))
}

/// A checkpoint that was kept: signed, of its size, and of the tree that the tiles give.
fn checkpoint(
    subject: &Subject<'_>,
    note: &[u8],
    which: String,
    size: TreeSize,
    until: TreeSize,
    report: &mut Report,
) {
    report.checkpoints += 1;
    let found = match keys(subject.store, subject.verifier).open(note) {
        Ok((found, _)) => found,
        Err(error) => {
            let why = chain_of(&error);
            return report.add(Damage::Checkpoint { which, why });
        }
    };
    let why = if found.size() != size {
        "is kept under another size".to_owned()
    } else if size > until {
        // Kept since the round began.
        return;
    } else {
        match frontier(subject.store, size) {
            Ok(edge) if edge.range().root() == found.root() => return,
            Ok(_) => "has another root than the leaves".to_owned(),
            Err(error) => format!("its tree does not read: {}", chain_of(&error)),
        }
    };
    report.add(Damage::Checkpoint { which, why });
}

/// The tree of the round against the root that was published: its right edge, below which each tile was compared.
fn whole(subject: &Subject<'_>, until: TreeSize, root: Option<RootHash>, report: &mut Report) {
    match frontier(subject.store, until) {
        Ok(edge) if Some(edge.range().root()) == root => {}
        Ok(_) => report.add(Damage::Tip(format!(
            "the leaves no longer give the root that was published of {until}"
        ))),
        Err(error) => report.add(Damage::Tip(format!(
            "the tree of {until} leaves does not read: {}",
            chain_of(&error)
        ))),
    }
}

/// Opens a record, reads its content, and looks its terms up. Gives the bytes read.
fn record(subject: &Subject<'_>, interval: IntervalId, leaf: Leaf, report: &mut Report) -> u64 {
    let opened = match open::open(subject.store, subject.keyring, interval, leaf) {
        Ok(opened) => opened,
        Err(RecordError::Disposed { .. }) => return 0,
        // No damage: `fsck` holds what is kept of it against the leaf that says so.
        Err(RecordError::Erased { .. }) => return 0,
        Err(error) => {
            report.record(leaf.seq, &error);
            return 0;
        }
    };
    let mut bytes = opened.canonical.len() as u64;
    match read_through(subject, &opened) {
        Ok(content) => {
            report.records += 1;
            report.content_bytes += content;
            bytes += content;
        }
        Err(error) => report.record(leaf.seq, &error as &RecordError),
    }
    let indexed = match subject.store.read::<State>(&StateKey::Indexed) {
        Ok(Some(StateRow::Indexed(indexed))) => indexed,
        _ => TreeSize::default(),
    };
    // Of a record under hold, carried over, the terms stand with it.
    if leaf.seq.is_within(indexed) && !opened.is_carried_over() {
        for posting in index::postings(subject, interval, &opened)
            .into_iter()
            .flatten()
        {
            report.postings += 1;
            let why = match subject.store.read::<Index>(&posting) {
                Ok(Some(())) => continue,
                Ok(None) => "a term of the record is not in the index",
                Err(_) => "a term of the record does not read in the index",
            };
            let index = leaf.seq.get();
            report.add(Damage::Index { index, why });
        }
    }
    bytes
}

/// A full tile against what is below it, and the one above where it fills that. Gives the bytes read.
fn tiles(subject: &Subject<'_>, id: TileId, report: &mut Report) -> u64 {
    let (mut id, mut bytes) = (id, 0);
    loop {
        bytes += WIDTH * if id.level == 0 { 64 } else { TILE_BYTES };
        report.tiles += 1;
        // Where what is below does not read, that was reported.
        if let Some(expected) = below(subject.store, id) {
            let why = match subject.store.read::<Tiles>(&id) {
                Ok(Some(tile)) if tile.hashes() == expected => None,
                Ok(Some(_)) => Some("has other hashes than the leaves"),
                Ok(None) => Some("is missing"),
                Err(_) => Some("does not read"),
            };
            if let Some(why) = why {
                let path = id.path();
                report.add(Damage::Tile { path, why });
            }
        }
        if !(id.number + 1).is_multiple_of(WIDTH) {
            return bytes;
        }
        id = TileId {
            level: id.level.saturating_add(1),
            number: id.number / WIDTH,
        };
    }
}

/// The hashes that a full tile must have.
fn below(store: &dyn Store, id: TileId) -> Option<Vec<NodeHash>> {
    let first = id.number.checked_mul(WIDTH)?;
    let numbers = first..first.checked_add(WIDTH)?;
    let hashes = numbers.map(|number| match id.level.checked_sub(1) {
        None => {
            let leaf = store.read::<Leaves>(&LeafIndex::new(number)).ok()??;
            Some(leaf.hash().node())
        }
        Some(level) => {
            let tile = store.read::<Tiles>(&TileId { level, number }).ok()??;
            Some(tile_root(&tile))
        }
    });
    hashes.collect()
}
