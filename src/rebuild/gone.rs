//! What is gone by a leaf that says so, classes disposed of and objects erased: it is not asked for, and what a hold kept
//! of it comes back.
//!
//! # Invariants
//! 1. While the store is filled its rows are taken at their word: what they claim is absent is left out, keys and files
//!    too, wherever an older copy still has them. Before it may be opened each is held to the leaves, as `fsck` does.
//! 2. An act of the log that speaks of a disposal or an erasure has its row: none can be taken away unseen.

use super::rows::RowReader;
use super::{Found, RebuildError, damaged, export};
use crate::audit::fsck::{self, Subject};
use crate::disposal::Step;
use crate::record::open::{self, RecordError};
use crate::store::cf::Family;
use crate::store::cf::disposal::{DisposalKey, DisposalRow, Disposals, IntentState};
use crate::store::cf::erasure::{ErasureRow, ErasureStep, Erasures};
use crate::store::cf::held::HeldRecords;
use crate::store::cf::secret::SecretKey;
use crate::store::{Batch, KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::export::Manifest;
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::CustodyRecord;
use std::path::Path;

const BATCH_BYTES: usize = 4 << 20;

/// An act that says that something goes, or is gone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Units are to be disposed of.
    Intended,
    /// An intent was given up.
    Withdrawn(LeafIndex),
    /// A unit is gone.
    Disposed(DisposalUnit),
    /// A record is gone.
    Erased(LeafIndex),
}

impl Act {
    pub(super) fn of(record: &CustodyRecord) -> Option<Self> {
        match record {
            CustodyRecord::DisposalIntent(_) => Some(Self::Intended),
            CustodyRecord::DisposalWithdrawn(intent) => Some(Self::Withdrawn(*intent)),
            CustodyRecord::DisposalCompleted(said) => Some(Self::Disposed(said.unit)),
            CustodyRecord::RecordErased(said) => Some(Self::Erased(said.record)),
            _ => None,
        }
    }
}

/// Classes of an interval that are gone, as the rows say.
pub(super) fn classes(store: &dyn Store, interval: IntervalId) -> Result<Vec<Class>, StoreError> {
    let mut gone = Vec::new();
    for class in Class::ALL {
        if open::is_disposed(store, interval, *class)? {
            gone.push(*class);
        }
    }
    Ok(gone)
}

/// Whether a record was erased, as the rows say.
pub(super) fn is_erased(store: &dyn Store, index: LeafIndex) -> Result<bool, StoreError> {
    let why = open::missing(store, index)?;
    Ok(matches!(why, RecordError::Erased { .. }))
}

/// How many classes and objects of an interval are gone.
pub(super) fn count(
    store: &dyn Store,
    interval: IntervalId,
    first: LeafIndex,
    size: TreeSize,
) -> Result<usize, StoreError> {
    let mut count = classes(store, interval)?.len();
    let range = KeyRange {
        start: first.get().to_be_bytes().to_vec(),
        end: Some(size.get().to_be_bytes().to_vec()),
    };
    for row in store.rows::<Erasures>(&range, Order::Ascending) {
        let ((_, step), _) = row?;
        count += usize::from(step == ErasureStep::Erased);
    }
    Ok(count)
}

/// Whether a secret is of what is gone: an older copy may still have it, and the log may not.
pub(super) fn destroyed(store: &dyn Store, key: &SecretKey) -> Result<bool, StoreError> {
    match *key {
        SecretKey::Class(interval, class) => open::is_disposed(store, interval, class),
        SecretKey::Object(record) => Ok(open::is_disposed(store, record.interval, record.class)?
            || is_erased(store, record.index)?),
        SecretKey::Held(copy) => {
            let unit = DisposalUnit {
                interval: copy.interval,
                class: copy.class,
                carried: copy.carried,
            };
            let row = store.read::<Disposals>(&DisposalKey::Gone(unit))?;
            Ok(row.is_some())
        }
        SecretKey::Log | SecretKey::Signing | SecretKey::NextSigning => Ok(false),
    }
}

/// Puts the rows of what is gone, and of what was kept of it, as the contents have them.
pub(super) fn put(
    store: &dyn Store,
    folder: &Path,
    manifest: &Manifest,
) -> Result<(), RebuildError> {
    let name = export::gone_name(manifest.size);
    let entry = manifest.file(&name);
    let entry = entry.ok_or_else(|| damaged(&name, "the manifest of the contents lists none"))?;
    let mut reader = RowReader::open(folder, entry)?;
    let mut batch = Batch::new();
    while let Some(row) = reader.next()? {
        let read = match row.family {
            Family::Disposal => row.decode::<Disposals>().map(drop),
            Family::Erasure => row.decode::<Erasures>().map(drop),
            Family::Held => row.decode::<HeldRecords>().map(drop),
            _ => Err("a row that belongs elsewhere".to_owned()),
        };
        read.map_err(|why| reader.bad(&why))?;
        batch.put_raw(row.family, &row.key, &row.value);
        if batch.bytes() >= BATCH_BYTES {
            store.commit(&batch)?;
            batch.clear();
        }
    }
    Ok(store.commit(&batch)?)
}

/// That all that is gone is so by the leaves, and all that the leaves say is gone has its rows.
pub(super) fn check(subject: &Subject<'_>, found: &[Found]) -> Result<(), RebuildError> {
    for found in found {
        if let Found::Act { leaf, act } = found {
            has_row(subject.store, *leaf, *act)?;
        }
    }
    if let Some(damage) = fsck::gone(subject).damages.first() {
        let what = "what is gone, by the contents";
        return Err(damaged(what, &damage.to_string()));
    }
    let range = KeyRange::prefix(DisposalKey::ALL_GONE);
    for row in subject.store.rows::<Disposals>(&range, Order::Ascending) {
        let (DisposalKey::Gone(unit), DisposalRow::Gone(row)) = row? else {
            continue;
        };
        let certificate = subject
            .store
            .read::<Disposals>(&DisposalKey::Certificate(unit))?;
        if row.step == Step::Done.code() && certificate.is_none() {
            let what = format!(
                "disposal of class {} of interval {}",
                unit.class, unit.interval
            );
            return Err(damaged(&what, "its certificate is missing"));
        }
    }
    Ok(())
}

fn has_row(store: &dyn Store, leaf: LeafIndex, act: Act) -> Result<(), RebuildError> {
    let intent = |leaf| store.read::<Disposals>(&DisposalKey::Intent(leaf));
    let has = match act {
        Act::Intended => matches!(intent(leaf)?, Some(DisposalRow::Intent(_))),
        Act::Withdrawn(of) => matches!(intent(of)?, Some(DisposalRow::Intent(row))
            if row.state == IntentState::Withdrawn),
        Act::Disposed(unit) => {
            let row = store.read::<Disposals>(&DisposalKey::Gone(unit))?;
            matches!(row, Some(DisposalRow::Gone(row)) if row.completed == Some(leaf))
        }
        Act::Erased(record) => {
            let row = store.read::<Erasures>(&(record, ErasureStep::Erased))?;
            matches!(row, Some(ErasureRow::Erased(row)) if row.leaf == leaf)
        }
    };
    match has {
        true => Ok(()),
        false => {
            let what = format!("leaf {leaf}");
            Err(damaged(
                &what,
                "the contents have no row of the disposal or erasure that it records",
            ))
        }
    }
}
