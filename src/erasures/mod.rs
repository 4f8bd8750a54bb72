//! Records that were erased singly: what is kept of it.
//!
//! # Invariants
//! 1. What tells an erased record from a damaged one is a row and the leaf that says so; `fsck` holds them together.
//! 2. Who asked and who confirmed it stand under the log key, as the certificate does: both outlive the class secrets.

use crate::keyring::{DetailOf, KeyError, Keyring};
use crate::store::cf::erasure::{ErasedRow, ErasureRow, ErasureStep, Erasures, ProposedRow};
use crate::store::cf::hold::WrappedDetail;
use crate::store::{KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::hold::ActDetail;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};

/// Why what is kept of an erasure cannot be read. An alarm: restore from a copy.
#[derive(Debug, thiserror::Error)]
pub enum ErasuresError {
    /// A row is of another step than its key, or its detail is none.
    #[error("erasure of leaf {record}: {why}")]
    Row {
        /// The record.
        record: LeafIndex,
        /// What is wrong.
        why: &'static str,
    },
    /// A detail does not open.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All that is kept of the erasure of a record.
#[derive(Clone, Debug)]
pub struct KeptErasure {
    /// The record.
    pub record: LeafIndex,
    /// Its proposal, and who made it.
    pub proposed: Option<(ProposedRow, ActDetail)>,
    /// Its execution, and who confirmed it.
    pub erased: Option<(ErasedRow, ActDetail)>,
    /// Its certificate: CMS SignedData, DER.
    pub certificate: Option<Vec<u8>>,
}

/// What is kept of the erasure of a record; none where none was proposed.
pub fn find(
    store: &dyn Store,
    keyring: &Keyring,
    record: LeafIndex,
) -> Result<Option<KeptErasure>, ErasuresError> {
    let wrong = || ErasuresError::Row {
        record,
        why: "a row stands under the key of another",
    };
    let mut kept = KeptErasure {
        record,
        proposed: None,
        erased: None,
        certificate: None,
    };
    let read = |step| store.read::<Erasures>(&(record, step));
    match read(ErasureStep::Proposed)? {
        None => return Ok(None),
        Some(ErasureRow::Proposed(row)) => {
            let detail = detail(keyring, record, ErasureStep::Proposed, &row.detail)?;
            kept.proposed = Some((row, detail));
        }
        Some(_) => return Err(wrong()),
    }
    match read(ErasureStep::Erased)? {
        None => {}
        Some(ErasureRow::Erased(row)) => {
            let detail = detail(keyring, record, ErasureStep::Erased, &row.detail)?;
            kept.erased = Some((row, detail));
        }
        Some(_) => return Err(wrong()),
    }
    match read(ErasureStep::Certificate)? {
        None => {}
        Some(ErasureRow::Certificate(wrapped)) => {
            let of = DetailOf::Erasure(record, ErasureStep::Certificate.code());
            kept.certificate = Some(keyring.open_detail(of, &wrapped.0)?);
        }
        Some(_) => return Err(wrong()),
    }
    Ok(Some(kept))
}

fn detail(
    keyring: &Keyring,
    record: LeafIndex,
    step: ErasureStep,
    wrapped: &WrappedDetail,
) -> Result<ActDetail, ErasuresError> {
    let plain = keyring.open_detail(DetailOf::Erasure(record, step.code()), &wrapped.0)?;
    match Metadata::parse(&plain) {
        Ok(Metadata::ActDetail(detail)) => Ok(detail),
        _ => Err(ErasuresError::Row {
            record,
            why: "its detail is something else",
        }),
    }
}

/// Records whose erasure was begun and is not complete: bytes that may still stand in files, or no certificate.
pub fn incomplete(store: &dyn Store) -> impl Iterator<Item = Result<LeafIndex, StoreError>> {
    let rows = store.rows::<Erasures>(&KeyRange::all(), Order::Ascending);
    rows.filter_map(move |row| match row {
        Err(error) => Some(Err(error)),
        Ok(((record, ErasureStep::Erased), ErasureRow::Erased(row))) => {
            let certified = store.read::<Erasures>(&(record, ErasureStep::Certificate));
            match certified {
                Err(error) => Some(Err(error)),
                Ok(Some(_)) if row.is_purged => None,
                Ok(_) => Some(Ok(record)),
            }
        }
        Ok(_) => None,
    })
}

/// Whether the leaf that an erasure names says so; a text where it does not. A leaf whose class secret is gone is asked
/// for its kind only.
pub fn is_said(
    store: &dyn Store,
    keyring: &Keyring,
    record: LeafIndex,
    row: &ErasedRow,
    interval_of: impl Fn(LeafIndex) -> Option<IntervalId>,
) -> Result<(), &'static str> {
    use crate::record::open::{RecordError, open};
    use crate::store::cf::leaf::Leaves;
    use ceralacca_formats::leaf::Kind;
    let leaf = store.read::<Leaves>(&row.leaf).ok().flatten();
    let leaf = leaf.filter(|leaf| leaf.kind == Kind::DisposalCompleted);
    let leaf = leaf.ok_or("the leaf that should say that it was erased is none")?;
    let interval = interval_of(row.leaf).ok_or("the leaf that erased it is in no interval")?;
    match open(store, keyring, interval, leaf).and_then(|opened| opened.metadata()) {
        Ok(Metadata::Custody(CustodyRecord::RecordErased(said)))
            if said.record == record && said.proposal == row.proposal =>
        {
            Ok(())
        }
        Err(RecordError::Disposed { .. } | RecordError::Keys(KeyError::Missing { .. })) => Ok(()),
        _ => Err("the leaf that should say that it was erased says something else"),
    }
}
