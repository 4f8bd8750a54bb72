//! The index: exactly the terms of the records.

use super::records::span_of;
use super::report::{Damage, Report};
use super::{Subject, each};
use crate::record::open::{self};
use crate::sequencer::Span;
use crate::store::Rows;
use crate::store::cf::index::{Index, Posting};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::metadata::EncryptedMetadata;
use crate::store::cf::state::{State, StateKey, StateRow, Tip};
use crate::store::cf::{ColumnFamily, Family};
use ceralacca_formats::digest::Blake3;
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize};

/// A sum over postings that does not depend on their order.
#[derive(Default, Eq, PartialEq)]
struct PostingSum {
    count: u64,
    sum: u128,
}

impl PostingSum {
    pub(super) fn add(&mut self, posting: &Posting) {
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
pub(super) fn index(subject: &Subject<'_>, tip: Tip, spans: &[Span], report: &mut Report) {
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

pub(in crate::audit) fn postings(
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
