//! What holds all of it together: checkpoints, closings, rotations; then the rows that say what the log is.

use super::export;
use super::packages::Package;
use super::table::{self, LogTable};
use super::{Found, RebuildError, Sources, damaged, gone, holds};
use crate::audit::fsck::Subject;
use crate::index::hashes;
use crate::keyring::Keyring;
use crate::record::open::is_disposed;
use crate::sequencer;
use crate::store::cf::Family;
use crate::store::cf::checkpoint::Checkpoints;
use crate::store::cf::dictionary::Dictionaries;
use crate::store::cf::hold::Holds;
use crate::store::cf::idempotency::Idempotency;
use crate::store::cf::interval::{IntervalRow, Intervals, Phase};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::secret::{SecretKey, Secrets};
use crate::store::cf::state::{Identity, State, StateRow, Tip};
use crate::store::outside::LogDirectory;
use crate::store::{Batch, Rows, Store};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::encrypt::Dictionary;
use ceralacca_formats::export::Manifest;
use ceralacca_formats::hold::HoldCounts;
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::leaf::{Class, Epoch, Kind, Leaf};
use ceralacca_formats::note::NoteSigner;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_formats::tile::Frontier;
use ceralacca_formats::tree::RootHash;
use std::collections::BTreeMap;
use std::path::Path;

const BATCH_BYTES: usize = 1 << 20;
const INTERVALS: usize = 1 << 10;

/// A checkpoint that the log signed, and where it was found.
pub(super) struct Known {
    which: String,
    checkpoint: Checkpoint,
}

/// The checkpoints that are known; refuses the log that is behind one, before anything is read.
pub(super) fn known(
    sources: &Sources<'_>,
    contents: &Manifest,
    secrets: &Manifest,
    keys: &KeyChain,
) -> Result<Vec<Known>, RebuildError> {
    let held = contents.size;
    let exported = [(contents, sources.contents), (secrets, sources.secrets)];
    let exported = exported.map(|(manifest, folder)| {
        let path = folder.join(export::MANIFEST).display().to_string();
        (
            format!("the checkpoint of {path}"),
            manifest.checkpoint.clone().into_bytes(),
        )
    });
    let given = sources.known.iter().cloned();
    let given = given.map(|(name, note)| (format!("checkpoint {name}"), note));
    let mut known = Vec::new();
    for (which, note) in exported.into_iter().chain(given) {
        let checkpoint = match keys.open(&note) {
            Ok((checkpoint, _)) => checkpoint,
            Err(source) => return Err(RebuildError::Checkpoint { which, source }),
        };
        if checkpoint.size() > held {
            let known = checkpoint.size();
            return Err(RebuildError::Behind { which, known, held });
        }
        known.push(Known { which, checkpoint });
    }
    Ok(known)
}

/// A tree that is filled, and all that must hold of it.
pub(super) struct Finish<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) table: &'a LogTable,
    pub(super) packages: &'a [Package],
    pub(super) keys: &'a KeyChain,
    pub(super) frontier: &'a Frontier,
    pub(super) last: Option<Leaf>,
    pub(super) found: &'a [Found],
    pub(super) roots: &'a [(TreeSize, RootHash)],
    pub(super) contents: &'a Path,
    pub(super) manifest: &'a Manifest,
    pub(super) signer: &'a NoteSigner,
    pub(super) keyring: &'a Keyring,
    pub(super) holds: HoldCounts,
}

impl Finish<'_> {
    pub(super) fn size(&self) -> TreeSize {
        self.frontier.size()
    }

    pub(super) fn root(&self) -> RootHash {
        self.frontier.range().root()
    }

    /// Checks, and writes what is left; gives the size of the largest checkpoint known.
    pub(super) fn run(
        &self,
        known: &[Known],
        directory: &LogDirectory,
    ) -> Result<Option<TreeSize>, RebuildError> {
        if self.size() != self.manifest.size {
            let name = self.contents.join(export::MANIFEST).display().to_string();
            let why = format!("packages and contents give {} leaves", self.size());
            return Err(damaged(&name, &why));
        }
        let closings = self.closings()?;
        self.rotations()?;
        for known in known {
            let of =
                |size, root| (known.checkpoint.size(), known.checkpoint.root()) == (size, root);
            let size = known.checkpoint.size();
            if !of(size, self.root_at(size)?) {
                let which = known.which.clone();
                return Err(RebuildError::Fork { which, size });
            }
        }
        for run in 0..self.size().get() / hashes::RUN_LEAVES {
            hashes::write(self.store, run)?;
        }
        self.intervals(&closings)?;
        self.kept()?;
        self.state(directory)?;
        let interval_of = |index| self.table.holding(index).map(|holding| holding.id);
        holds::check(self.store, self.keyring, self.holds, interval_of)?;
        let subject = Subject {
            store: self.store,
            keyring: self.keyring,
            verifier: self.signer.verifier(),
            outside: None,
        };
        gone::check(&subject, self.found)?;
        Ok(known.iter().map(|known| known.checkpoint.size()).max())
    }

    fn root_at(&self, size: TreeSize) -> Result<RootHash, RebuildError> {
        Ok(sequencer::root_at(self.store, self.frontier, size)?)
    }

    /// A note must be signed by the key of its time, and of this tree.
    fn verified(&self, which: &str, note: &str, size: TreeSize) -> Result<(), RebuildError> {
        let opened = self.keys.open(note.as_bytes());
        let (checkpoint, _) = opened.map_err(|source| RebuildError::Checkpoint {
            which: which.to_owned(),
            source,
        })?;
        if checkpoint.size() != size || size > self.size() {
            return Err(damaged(which, "of another size than it stands under"));
        }
        match self.root_at(size)? == checkpoint.root() {
            true => Ok(()),
            false => Err(RebuildError::Fork {
                which: which.to_owned(),
                size,
            }),
        }
    }

    /// Each package is the one that its closing leaf names; no other leaf closes an interval.
    fn closings(&self) -> Result<BTreeMap<IntervalId, (LeafIndex, UtcMillis)>, RebuildError> {
        let mut closings = BTreeMap::new();
        for found in self.found {
            let Found::Closed {
                interval,
                leaf,
                at,
                sha256,
            } = found
            else {
                continue;
            };
            let what = format!("interval {interval}, closed by leaf {leaf}");
            let place = self
                .packages
                .binary_search_by_key(interval, |package| package.closing.interval);
            let package = place.ok().and_then(|at| self.packages.get(at));
            let package = package.ok_or_else(|| damaged(&what, "there is no package of it"))?;
            if package.closing_sha256() != *sha256 {
                let why = format!("another package than leaf {leaf} commits to");
                return Err(package.bad(&why));
            }
            if closings.insert(*interval, (*leaf, *at)).is_some() {
                return Err(damaged(&what, "it was closed before"));
            }
        }
        for interval in &self.table.intervals {
            self.closing_gone(interval, &mut closings)?;
            let leaf = closings.get(&interval.id).map(|(leaf, _)| *leaf);
            if leaf != interval.closed {
                let what = format!("interval {}", interval.id);
                let why = "another leaf closed it than the contents say, or none did";
                return Err(damaged(&what, why));
            }
        }
        Ok(closings)
    }

    /// A closing leaf whose class was disposed of says by its kind alone that an interval was closed.
    fn closing_gone(
        &self,
        interval: &table::Interval,
        closings: &mut BTreeMap<IntervalId, (LeafIndex, UtcMillis)>,
    ) -> Result<(), RebuildError> {
        let Some(index) = interval.closed.filter(|index| self.is_gone(*index)) else {
            return Ok(());
        };
        let leaf = self.store.read::<Leaves>(&index)?;
        if let Some(leaf) = leaf.filter(|leaf| leaf.kind == Kind::IntervalClosed) {
            let at = closings.entry(interval.id);
            at.or_insert((index, leaf.time));
        }
        Ok(())
    }

    /// Whether what an act of the archive says was disposed of.
    fn is_gone(&self, index: LeafIndex) -> bool {
        let interval = self.table.holding(index);
        let gone = interval.map(|i| is_disposed(self.store, i.id, Class::Custody));
        matches!(gone, Some(Ok(true)))
    }

    /// Each rotation has its key event, and each key event its rotation, but for one under way.
    fn rotations(&self) -> Result<(), RebuildError> {
        let mut events: Vec<_> = self
            .found
            .iter()
            .filter_map(|found| match found {
                Found::Rotated { event, old, new } => Some((*event, old, new)),
                Found::Closed { .. } | Found::Act { .. } => None,
            })
            .collect();
        events.sort_unstable_by_key(|(event, ..)| *event);
        let mut events = events.into_iter();
        let rotations = self.table.rotations.iter();
        for (rotation, successor) in rotations.zip(self.keys.keys().skip(1)) {
            let (old, new) = (rotation.retired.to_string(), successor.to_string());
            let is_its = |(event, from, to): &(LeafIndex, &Vec<u8>, &Vec<u8>)| {
                *event == rotation.event && **from == old.as_bytes() && **to == new.as_bytes()
            };
            // What a key event said that was disposed of is not asked for.
            if self.is_gone(rotation.event) {
                continue;
            }
            if !events.next().is_some_and(|event| is_its(&event)) {
                let what = format!("rotation {} of the log key", rotation.number);
                return Err(damaged(&what, "no key event says so"));
            }
        }
        let under_way = self.store.read::<Secrets>(&SecretKey::NextSigning)?;
        match events.count() {
            0 => Ok(()),
            1 if under_way.is_some() => Ok(()),
            _ => Err(RebuildError::Missing(
                "the log key was replaced after the contents were exported: a later export is needed"
                    .to_owned(),
            )),
        }
    }

    fn intervals(
        &self,
        closings: &BTreeMap<IntervalId, (LeafIndex, UtcMillis)>,
    ) -> Result<(), RebuildError> {
        let together = self.table.intervals.iter().zip(self.roots);
        let together: Vec<_> = together.collect();
        for some in together.chunks(INTERVALS) {
            let mut batch = Batch::new();
            for (interval, (size, root)) in some {
                let row = IntervalRow::Opened {
                    end: interval.end,
                    first: interval.first,
                };
                batch.put::<Intervals>(&(interval.id, Phase::Opened), &row);
                let Some(cut) = &interval.cut else { continue };
                let which = format!("the checkpoint of interval {}", interval.id);
                if (cut.size, cut.root) != (*size, *root) {
                    return Err(RebuildError::Fork {
                        which,
                        size: cut.size,
                    });
                }
                self.verified(&which, &cut.note, cut.size)?;
                let row = IntervalRow::Cut {
                    size: cut.size,
                    root: cut.root,
                    at: cut.at,
                    note: cut.note.clone(),
                };
                batch.put::<Intervals>(&(interval.id, Phase::Cut), &row);
                if let Some((leaf, at)) = closings.get(&interval.id).copied() {
                    let row = IntervalRow::Closed { leaf, at };
                    batch.put::<Intervals>(&(interval.id, Phase::Closed), &row);
                }
            }
            self.store.commit(&batch)?;
        }
        for package in self.packages {
            let cut = self.table.interval(package.closing.interval);
            let cut = cut.and_then(|interval| interval.cut.as_ref());
            // What is signed is the same octets whenever it is signed.
            if package.checkpoint()? != cut.map(|cut| cut.note.clone()) {
                return Err(
                    package.bad_file("checkpoint", "another than the interval was cut with")
                );
            }
        }
        Ok(())
    }

    /// Kept checkpoints, client keys and holds.
    fn kept(&self) -> Result<(), RebuildError> {
        let mut reader = table::open(self.contents, self.manifest)?;
        let mut batch = Batch::new();
        while let Some(row) = reader.next()? {
            match row.family {
                Family::Checkpoint => {
                    let decoded = row.decode::<Checkpoints>();
                    let (kept, note) = decoded.map_err(|why| reader.bad(&why))?;
                    let which = format!("the kept checkpoint of {} leaves", kept.size());
                    self.verified(&which, &note, kept.size())?;
                }
                Family::Idempotency => {
                    let decoded = row.decode::<Idempotency>();
                    let ((interval, _), index) = decoded.map_err(|why| reader.bad(&why))?;
                    let holding = self.table.holding(index).map(|holding| holding.id);
                    if holding != Some(interval) || !index.is_within(self.size()) {
                        return Err(reader.bad("a client key of no record of its interval"));
                    }
                }
                Family::Hold => {
                    row.decode::<Holds>().map_err(|why| reader.bad(&why))?;
                }
                _ => continue,
            }
            batch.put_raw(row.family, &row.key, &row.value);
            if batch.bytes() >= BATCH_BYTES {
                self.store.commit(&batch)?;
                batch.clear();
            }
        }
        Ok(self.store.commit(&batch)?)
    }

    fn state(&self, directory: &LogDirectory) -> Result<(), RebuildError> {
        let origin = &self.table.identity.origin;
        let tip = Checkpoint::sign(self.signer, origin, self.size(), self.root());
        let tip = tip.map_err(|source| RebuildError::Checkpoint {
            which: "the checkpoint of the tree".to_owned(),
            source,
        })?;
        let mut rows = vec![
            StateRow::Identity(Identity {
                ..self.table.identity.clone()
            }),
            StateRow::Indexed(self.size()),
        ];
        if let Some(last) = self.last {
            rows.push(StateRow::Tip(Tip {
                size: self.size(),
                root: self.root(),
                epoch: Epoch(last.epoch.0),
                time: last.time,
            }));
        }
        if let Some(note) = &self.table.note {
            let which = "the last note of the contents";
            let opened = self.keys.open(note.as_bytes());
            let (checkpoint, _) = opened.map_err(|source| RebuildError::Checkpoint {
                which: which.to_owned(),
                source,
            })?;
            self.verified(which, note, checkpoint.size())?;
            rows.push(StateRow::Note(note.clone()));
        }
        let rotations = self.table.rotations.iter().cloned();
        rows.extend(rotations.map(StateRow::Rotation));
        rows.extend(self.table.kept.iter().cloned());
        let mut batch = Batch::new();
        for row in &rows {
            batch.put::<State>(&row.key(), row);
        }
        for dictionary in Dictionary::ALL {
            batch.put::<Dictionaries>(&dictionary.id(), &dictionary.bytes().to_vec());
        }
        self.store.commit(&batch)?;
        Ok(directory.write_checkpoint(tip.note())?)
    }
}
