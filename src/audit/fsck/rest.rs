//! What is derived or looked up: leaves by hash, client keys, dictionaries.

use super::records::span_of;
use super::report::{Damage, Report};
use super::{Subject, each};
use crate::index::hashes;
use crate::sequencer::Span;
use crate::store::Rows;
use crate::store::cf::Family;
use crate::store::cf::dictionary::Dictionaries;
use crate::store::cf::idempotency::Idempotency;
use crate::store::cf::leaf::Leaves;
use crate::store::cf::leaf_hash::{HashBucket, LeafHashes};
use crate::store::cf::state::Tip;
use ceralacca_formats::encrypt::Dictionary;

/// Compares the runs of leaf hashes with the tiles, run by run; tiles were compared with the leaves before.
pub(super) fn leaf_hashes(subject: &Subject<'_>, tip: Tip, report: &mut Report) {
    let covered = match hashes::covered(subject.store) {
        Ok(covered) => covered,
        Err(error) => return report.unreadable(Family::LeafHash, &error),
    };
    let full = covered.min(tip.size).get() / hashes::RUN_LEAVES;
    for run in 0..full {
        leaf_hash_run(subject, run, report);
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

/// Compares one run of leaf hashes with its tiles.
pub(in crate::audit) fn leaf_hash_run(subject: &Subject<'_>, run: u64, report: &mut Report) {
    // A tile that cannot be read was reported as it filled.
    let Ok(expected) = hashes::rows(subject.store, run) else {
        return;
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

pub(super) fn client_keys(subject: &Subject<'_>, spans: &[Span], report: &mut Report) {
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

pub(in crate::audit) fn dictionaries(subject: &Subject<'_>, report: &mut Report) {
    for dictionary in Dictionary::ALL {
        let stored = subject.store.read::<Dictionaries>(&dictionary.id());
        let same = matches!(&stored, Ok(Some(bytes)) if bytes == dictionary.bytes());
        if !same {
            report.add(Damage::Dictionary(dictionary.id()));
        }
    }
}
