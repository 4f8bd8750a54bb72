//! The log's own rows, as the export has them: what it is, its rotations, its intervals.

use super::packages::Package;
use super::rows::RowReader;
use super::{RebuildError, damaged, export};
use crate::store::cf::Family;
use crate::store::cf::interval::{IntervalRow, Intervals, Phase};
use crate::store::cf::state::{Identity, Rotation, State, StateRow};
use crate::store::outside::FORMAT_VERSION;
use ceralacca_formats::export::Manifest;
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_formats::tree::RootHash;
use std::path::Path;

/// The cut of an interval.
pub(super) struct Cut {
    pub(super) size: TreeSize,
    pub(super) root: RootHash,
    pub(super) at: UtcMillis,
    pub(super) note: String,
}

/// An interval.
pub(super) struct Interval {
    pub(super) id: IntervalId,
    pub(super) end: UtcMillis,
    pub(super) first: LeafIndex,
    pub(super) cut: Option<Cut>,
    pub(super) closed: Option<LeafIndex>,
}

/// What the log is.
pub(super) struct LogTable {
    pub(super) identity: Identity,
    pub(super) note: Option<String>,
    pub(super) rotations: Vec<Rotation>,
    /// Rows that are kept as they are: the count of holds, what the log was initialised for, its software clock.
    pub(super) kept: Vec<StateRow>,
    pub(super) intervals: Vec<Interval>,
}

impl LogTable {
    /// Reads them; kept checkpoints and client keys are read when the tree is there.
    pub(super) fn read(folder: &Path, manifest: &Manifest) -> Result<Self, RebuildError> {
        let mut reader = open(folder, manifest)?;
        let (mut identity, mut note, mut kept) = (None, None, Vec::new());
        let mut rotations: Vec<Rotation> = Vec::new();
        let mut intervals: Vec<Interval> = Vec::new();
        while let Some(row) = reader.next()? {
            match row.family {
                Family::State => match row.decode::<State>().map_err(|why| reader.bad(&why))?.1 {
                    StateRow::Identity(found) => identity = Some(found),
                    StateRow::Note(found) => note = Some(found),
                    row @ (StateRow::Holds { .. } | StateRow::Development | StateRow::Clock(_)) => {
                        kept.push(row);
                    }
                    StateRow::Rotation(found) if found.number as usize == rotations.len() => {
                        rotations.push(found);
                    }
                    _ => return Err(reader.bad("a row of the state that belongs elsewhere")),
                },
                Family::Interval => {
                    let (key, value) = row.decode::<Intervals>().map_err(|why| reader.bad(&why))?;
                    let size = manifest.size;
                    if add(&mut intervals, key, value, size).is_none() {
                        let why = format!("interval {} does not follow the one before", key.0);
                        return Err(reader.bad(&why));
                    }
                }
                Family::Checkpoint | Family::Idempotency | Family::Hold => {}
                _ => return Err(reader.bad("a row that belongs elsewhere")),
            }
        }
        let identity = identity.filter(|found: &Identity| {
            found.origin == manifest.origin && found.version == FORMAT_VERSION
        });
        let identity = identity.ok_or_else(|| reader.bad("not of this log, or another version"))?;
        let open = intervals.iter().filter(|interval| interval.cut.is_none());
        match open.count() + usize::from(manifest.size.get() == 0 && intervals.is_empty()) {
            1 => Ok(Self {
                identity,
                note,
                rotations,
                kept,
                intervals,
            }),
            _ => Err(reader.bad("the last interval alone must be open")),
        }
    }

    /// That there is a package of every interval that was closed, and of no other, each following the one before.
    pub(super) fn hold(&self, packages: &[Package]) -> Result<(), RebuildError> {
        let mut given = packages.iter().peekable();
        let mut before: Option<&Interval> = None;
        for interval in &self.intervals {
            let is_its = |package: &&Package| package.closing.interval == interval.id;
            let package = given.next_if(|package| is_its(package));
            let (package, leaf) = match (package, interval.closed) {
                (Some(package), Some(leaf)) => (package, leaf),
                (None, None) => continue,
                (Some(package), None) => {
                    let why = "its interval was not closed when the contents were exported: a later export is needed";
                    return Err(package.bad(why));
                }
                (None, Some(leaf)) => {
                    let (id, first) = (interval.id, interval.first);
                    let end = interval.cut.as_ref().map_or(0, |cut| cut.size.get());
                    return Err(RebuildError::Missing(format!(
                        "the package of interval {id} is missing, which leaf {leaf} closed: leaves {first} to {end}, \
                         the last not included"
                    )));
                }
            };
            let closing = &package.closing;
            let size = interval.cut.as_ref().map(|cut| cut.size);
            let flaws = [
                (closing.end != interval.end, "another end"),
                (closing.first != interval.first, "another first leaf"),
                (Some(closing.size) != size, "another size"),
                (
                    closing.previous != before.and_then(|before| before.closed),
                    "another leaf that closed the one before",
                ),
                (leaf.get() < closing.size.get(), "a closing leaf within it"),
            ];
            if let Some((_, why)) = flaws.iter().find(|(is_flaw, _)| *is_flaw) {
                return Err(package.bad(&format!("{why} than the interval has")));
            }
            before = Some(interval);
        }
        match given.next() {
            None => Ok(()),
            Some(package) => {
                let why = "the contents know no such interval: a later export is needed";
                Err(package.bad(why))
            }
        }
    }

    /// The keys of the log, of which the current one is that of the secrets.
    pub(super) fn keys(&self, current: &VerifierKey) -> Result<KeyChain, RebuildError> {
        let retired = self.rotations.iter().map(|rotation| &rotation.retired);
        let mut keys = retired.chain([current]).cloned();
        let first = keys.next().unwrap_or_else(|| current.clone());
        let mut chain = KeyChain::new(first);
        for (rotation, key) in self.rotations.iter().zip(keys) {
            let rotated = chain.rotate(key, rotation.size());
            rotated.map_err(|flaw| {
                let what = format!("rotation {} of the log key", rotation.number);
                damaged(&what, &flaw.to_string())
            })?;
        }
        Ok(chain)
    }

    /// An interval, by its id.
    pub(super) fn interval(&self, id: IntervalId) -> Option<&Interval> {
        let place = self.intervals.binary_search_by_key(&id, |i| i.id);
        place.ok().and_then(|at| self.intervals.get(at))
    }

    /// The interval that holds a leaf.
    pub(super) fn holding(&self, index: LeafIndex) -> Option<&Interval> {
        let after = self.intervals.partition_point(|i| i.first <= index);
        after.checked_sub(1).and_then(|at| self.intervals.get(at))
    }
}

/// The rows of the log, from their beginning.
pub(super) fn open(folder: &Path, manifest: &Manifest) -> Result<RowReader, RebuildError> {
    let name = export::log_name(manifest.size);
    let entry = manifest.file(&name);
    let entry = entry.ok_or_else(|| damaged(&name, "the manifest of the contents lists none"))?;
    RowReader::open(folder, entry)
}

/// Adds a row of the interval table; `None` where it does not follow.
fn add(
    intervals: &mut Vec<Interval>,
    (id, phase): (IntervalId, Phase),
    row: IntervalRow,
    tip: TreeSize,
) -> Option<()> {
    match (phase, row) {
        (Phase::Opened, IntervalRow::Opened { end, first }) => {
            let follows = match intervals.last() {
                None => first.get() == 0,
                Some(before) => {
                    let size = before.cut.as_ref().map(|cut| cut.size.get());
                    before.end.get() == id.get() && size == Some(first.get())
                }
            };
            if !follows || end.get() <= id.get() || first.get() > tip.get() {
                return None;
            }
            intervals.push(Interval {
                id,
                end,
                first,
                cut: None,
                closed: None,
            });
        }
        (
            Phase::Cut,
            IntervalRow::Cut {
                size,
                root,
                at,
                note,
            },
        ) => {
            let last = intervals.last_mut()?;
            if last.id != id || size.get() < last.first.get() || size > tip {
                return None;
            }
            last.cut = Some(Cut {
                size,
                root,
                at,
                note,
            });
        }
        (Phase::Closed, IntervalRow::Closed { leaf, .. }) => {
            let last = intervals.last_mut()?;
            if last.id != id || last.cut.is_none() || !leaf.is_within(tip) {
                return None;
            }
            last.closed = Some(leaf);
        }
        _ => return None,
    }
    Some(())
}
