//! The store in memory: for simulation, and the second implementation that keeps the trait honest.
//!
//! It forgets everything when dropped; within a process it keeps every promise of the trait.

use super::cf::Family;
use super::{Batch, Change, KeyRange, Order, Scan, Store, StoreError};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Table = BTreeMap<Vec<u8>, Vec<u8>>;

/// Column families in ordered maps.
#[derive(Default)]
pub struct MemoryStore {
    tables: Mutex<BTreeMap<Family, Table>>,
}

impl MemoryStore {
    fn tables(&self) -> MutexGuard<'_, BTreeMap<Family, Table>> {
        // A panic while the lock was held cannot leave a batch half applied that anyone would see:
        // changes are applied by operations that do not panic.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

fn bounds(range: &KeyRange) -> Option<Bounds<'_>> {
    let end = match &range.end {
        Some(end) if *end <= range.start => return None,
        Some(end) => Bound::Excluded(end.as_slice()),
        None => Bound::Unbounded,
    };
    Some((Bound::Included(range.start.as_slice()), end))
}

impl Store for MemoryStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .get(&family)
            .and_then(|table| table.get(key))
            .cloned())
    }

    fn scan(&self, family: Family, range: &KeyRange, order: Order) -> Scan<'_> {
        let tables = self.tables();
        let mut rows = Vec::new();
        if let (Some(table), Some(bounds)) = (tables.get(&family), bounds(range)) {
            let found = table.range::<[u8], _>(bounds);
            rows.extend(found.map(|(k, v)| Ok((k.as_slice().into(), v.as_slice().into()))));
        }
        if order == Order::Descending {
            rows.reverse();
        }
        Box::new(rows.into_iter())
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for change in batch.changes() {
            match change {
                Change::Put(family, key, value) => {
                    let table = tables.entry(family).or_default();
                    table.insert(key.to_vec(), value.to_vec());
                }
                Change::Delete(family, key) => {
                    tables.entry(family).or_default().remove(key);
                }
                Change::DeleteRange(family, from, to) => {
                    let table = tables.entry(family).or_default();
                    table.retain(|key, _| key.as_slice() < from || key.as_slice() >= to);
                }
            }
        }
        Ok(())
    }

    fn add_run(
        &self,
        family: Family,
        keys: &mut dyn Iterator<Item = Vec<u8>>,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let table = tables.entry(family).or_default();
        table.extend(keys.map(|key| (key, Vec::new())));
        Ok(())
    }

    fn disk_bytes(&self, _: Family) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
