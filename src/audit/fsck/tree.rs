//! Leaves, tiles, tip and checkpoints: all of one tree.

use super::report::{Damage, Report, chain};
use super::{Subject, each, holds};
use crate::sequencer::Span;
use crate::store::Rows;
use crate::store::cf::Family;
use crate::store::cf::checkpoint::{Checkpoints, Kept};
use crate::store::cf::interval::{IntervalRow, Intervals};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::state::{State, StateKey, StateRow, Tip};
use crate::store::cf::tile::Tiles;
use ceralacca_formats::hold::HoldCounts;
use ceralacca_formats::id::TreeSize;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_formats::tile::{Frontier, TileId};
use ceralacca_formats::tree::RootHash;

/// A checkpoint that is to be compared when the recomputed tree has its size.
struct Expected {
    size: TreeSize,
    root: RootHash,
    which: String,
}

/// A kept checkpoint, in words.
pub(in crate::audit) fn which(kept: Kept) -> String {
    match kept {
        Kept::Own(size) => format!("checkpoint of {size} leaves"),
        Kept::Witnessed(size) => format!("witnessed checkpoint of {size} leaves"),
    }
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
        let which = which(kept);
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
/// fill. Gives the holds that the leaves set and release.
pub(super) fn tree(
    subject: &Subject<'_>,
    tip: Tip,
    spans: &[Span],
    keys: &KeyChain,
    report: &mut Report,
    progress: &mut dyn FnMut(u64),
) -> HoldCounts {
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
    let mut counted = HoldCounts::default();
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
        holds::count(&mut counted, &leaf);
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
    counted
}

/// Tiles that should not be there: the others were compared as they filled.
pub(super) fn tiles(subject: &Subject<'_>, tip: Tip, report: &mut Report) {
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
