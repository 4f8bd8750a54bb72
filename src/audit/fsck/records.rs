//! Records: each opens and is what its leaf commits to; and no rows without a record.

use super::report::{Damage, Report};
use super::{Subject, each};
use crate::erasures;
use crate::record::open::{self, RecordError};
use crate::sequencer::Span;
use crate::store::cf::Family;
use crate::store::cf::chunk::Chunks;
use crate::store::cf::content::Contents;
use crate::store::cf::erasure::{ErasureRow, ErasureStep, Erasures};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::metadata::EncryptedMetadata;
use crate::store::cf::secret::{SecretKey, Secrets};
use crate::store::cf::staging::Staging;
use crate::store::cf::state::Tip;
use crate::store::{KeyRange, Order, Rows};
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::Leaf;
use std::collections::BTreeSet;

pub(super) fn span_of(spans: &[Span], index: LeafIndex) -> Option<&Span> {
    let after = spans.partition_point(|span| span.first <= index);
    after.checked_sub(1).and_then(|at| spans.get(at))
}

/// Opens every record by its metadata row, and its content; then finds leaves without a row.
pub(super) fn records(
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
                without_row(subject, spans, span.id, leaf, report);
            }
        });
    }
}

/// A leaf without a row of its own: disposed of, carried over under a hold, or lost.
fn without_row(
    subject: &Subject<'_>,
    spans: &[Span],
    interval: IntervalId,
    leaf: Leaf,
    report: &mut Report,
) {
    let index = leaf.seq;
    let opened = open::open(subject.store, subject.keyring, interval, leaf);
    match opened.and_then(|opened| read_through(subject, &opened)) {
        Ok(bytes) => {
            report.records += 1;
            report.content_bytes += bytes;
        }
        Err(RecordError::Disposed { .. }) => report.disposed += 1,
        Err(RecordError::Erased { .. }) => erased(subject, spans, index, report),
        Err(error) => report.record(index, &error),
    }
}

/// A record that was erased: the leaf that its row names must say so.
pub(in crate::audit) fn erased(
    subject: &Subject<'_>,
    spans: &[Span],
    index: LeafIndex,
    report: &mut Report,
) {
    report.erased += 1;
    let row = subject
        .store
        .read::<Erasures>(&(index, ErasureStep::Erased));
    let Ok(Some(ErasureRow::Erased(row))) = row else {
        return report.record(index, &RecordError::MetadataMissing(index));
    };
    let interval_of = |index| span_of(spans, index).map(|span| span.id);
    let said = erasures::is_said(subject.store, subject.keyring, index, &row, interval_of);
    if let Err(why) = said {
        report.add(Damage::Record {
            index: index.get(),
            why: why.to_owned(),
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
    read_through(subject, &opened)
}

/// Reads an opened record to its end; gives the bytes of its content.
pub(in crate::audit) fn read_through(
    subject: &Subject<'_>,
    opened: &open::Opened,
) -> Result<u64, RecordError> {
    match opened.metadata() {
        // Of a newer program: its bytes verify.
        Ok(_) | Err(RecordError::Uninterpreted { .. }) => {}
        Err(other) => return Err(other),
    }
    let mut bytes = 0;
    opened.content(subject.store, |piece| bytes += piece.len() as u64)?;
    Ok(bytes)
}

/// Rows of contents and secrets that belong to no record.
pub(super) fn contents(subject: &Subject<'_>, report: &mut Report) {
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
