//! Rows of the families that nothing else reads through: each reads and decodes.

use super::Work;
use super::state::Cursor;
use crate::audit::fsck::{Damage, Report};
use crate::store::cf::checkpoint::Checkpoints;
use crate::store::cf::dictionary::Dictionaries;
use crate::store::cf::disposal::Disposals;
use crate::store::cf::erasure::Erasures;
use crate::store::cf::held::HeldRecords;
use crate::store::cf::hold::Holds;
use crate::store::cf::idempotency::Idempotency;
use crate::store::cf::index::Index;
use crate::store::cf::interval::Intervals;
use crate::store::cf::leaf::Leaves;
use crate::store::cf::leaf_hash::LeafHashes;
use crate::store::cf::secret::Secrets;
use crate::store::cf::staging::Staging;
use crate::store::cf::state::State;
use crate::store::cf::{ColumnFamily, Family};
use crate::store::{KeyRange, Order, Rows, Store, StoreError};

/// Bytes of rows of one step.
const PAGE_BYTES: u64 = 256 << 10;

impl Work {
    /// A page of rows of a family.
    pub(super) fn rows(&mut self, family: usize, start: Vec<u8>) -> u64 {
        let Some(&which) = Family::ALL.get(family) else {
            self.state.cursor = Cursor::End;
            return 0;
        };
        let published = self.published();
        let page = self.with_subject(|subject, report| {
            let store = subject.store;
            let mut page = Page::from(start);
            match which {
                // Read row by row with the log.
                Family::Leaf
                | Family::Tile
                | Family::Metadata
                | Family::Content
                | Family::Chunk => {}
                Family::State => page.read::<State>(store, report, |_, _| {}),
                Family::Staging => page.read::<Staging>(store, report, |_, _| {}),
                Family::Secret => page.read::<Secrets>(store, report, |_, _| {}),
                Family::Index => page.read::<Index>(store, report, |_, _| {}),
                Family::Disposal => page.read::<Disposals>(store, report, |_, _| {}),
                Family::Held => page.read::<HeldRecords>(store, report, |_, _| {}),
                Family::LeafHash => page.read::<LeafHashes>(store, report, |_, _| {}),
                Family::Interval => page.read::<Intervals>(store, report, |_, _| {}),
                Family::Hold => page.read::<Holds>(store, report, |_, _| {}),
                Family::Erasure => page.read::<Erasures>(store, report, |_, _| {}),
                Family::Checkpoint => page.read::<Checkpoints>(store, report, |_, _| {}),
                Family::Dictionary => {
                    page.read::<Dictionaries>(store, report, |_, _| {});
                    super::super::fsck::rest::dictionaries(subject, report);
                }
                Family::Idempotency => {
                    page.read::<Idempotency>(store, report, |((interval, _), index), report| {
                        // A leaf that came after the published state is not looked for in it.
                        let known = !index.is_within(published.tip.size)
                            || published.interval_of(index) == interval;
                        let there = matches!(store.read::<Leaves>(&index), Ok(Some(_)));
                        if !known || !there {
                            report.add(Damage::ClientKey {
                                start: interval.get(),
                                index: index.get(),
                            });
                        }
                    });
                }
            }
            page
        });
        self.state.counts.rows += page.rows;
        self.state.cursor = match page.next {
            Some(next) => Cursor::Rows(family, next),
            // A kept cursor names a family that there is.
            None if family + 1 < Family::ALL.len() => Cursor::Rows(family + 1, Vec::new()),
            None => Cursor::End,
        };
        page.bytes
    }
}

/// Rows from a key on, until a page is full.
struct Page {
    start: Vec<u8>,
    rows: u64,
    bytes: u64,
    /// The key to go on from; none at the end of the family.
    next: Option<Vec<u8>>,
}

impl Page {
    fn from(start: Vec<u8>) -> Self {
        Self {
            start,
            rows: 0,
            bytes: 0,
            next: None,
        }
    }

    fn read<C: ColumnFamily>(
        &mut self,
        store: &dyn Store,
        report: &mut Report,
        mut take: impl FnMut((C::Key, C::Value), &mut Report),
    ) {
        let range = KeyRange {
            start: self.start.clone(),
            end: None,
        };
        for row in store.scan(C::FAMILY, &range, Order::Ascending) {
            let (key, value) = match row {
                Ok(row) => row,
                // The engine does not read on behind it; the family's other rows are read where they are used.
                Err(error) => return report.unreadable(C::FAMILY, &error),
            };
            if self.bytes >= PAGE_BYTES {
                self.next = Some(key.into_vec());
                return;
            }
            self.rows += 1;
            self.bytes += (key.len() + value.len()) as u64;
            let decoded = C::decode_key(&key).and_then(|key| Ok((key, C::decode_value(&value)?)));
            match decoded {
                Ok(row) => take(row, report),
                Err(why) => {
                    let family = C::FAMILY.name();
                    report.unreadable(C::FAMILY, &StoreError::Row { family, why });
                }
            }
        }
    }
}
