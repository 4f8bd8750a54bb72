//! Rotations of the log's key: the keys of all times, and the proof of each.

use super::Subject;
use super::records::span_of;
use super::report::{Damage, Report, chain};
use crate::keyring;
use crate::sequencer::Span;
use crate::store::cf::Family;
use ceralacca_formats::rotation::KeyChain;

/// Checks each rotation; gives the keys, the one of today alone where the rows do not read.
pub(super) fn rotations(subject: &Subject<'_>, spans: &[Span], report: &mut Report) -> KeyChain {
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
        let why = crate::audit::rotations::damage(store, keyring, interval, &rotation, successor);
        let number = rotation.number;
        if let Some(why) = why {
            report.add(Damage::Rotation { number, why });
        }
    }
    keys
}
