//! The store: rows in column families, committed in synced batches.
//!
//! # Invariants
//! 1. A batch is atomic and durable when [`Store::commit`] returns; there is no unsynced variant.
//! 2. Append-only: leaves, tiles and kept checkpoints are written once; no code path rewrites them.
//! 3. A failed commit or sync leaves the outcome unknown: the store refuses every later write
//!    ([`StoreError::Stopped`]) until it is opened again, and nobody retries in place.
//! 4. Nothing outside `cf/` sees raw bytes: a family binds its key and value types once.
//!
//! # Not here
//! What the rows mean (`docs/formats.md` draws them), who may read them (`access`, to come).

pub mod cf;
pub mod memory;
pub mod outside;
pub mod rocks;
pub mod scrub_folder;

use cf::{ColumnFamily, Family, Malformed};
use std::io;
use std::marker::PhantomData;
use std::path::Path;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no log in this directory. The operator's: `init` makes one.
    #[error("no log in {0}")]
    Missing(std::path::PathBuf),
    /// There is a log already. The operator's; the one that is there was not touched.
    #[error("there is a log already in {0}")]
    Exists(std::path::PathBuf),
    /// Another process has the log open. Retry when it has stopped.
    #[error("log directory {0} is in use by another process")]
    InUse(std::path::PathBuf),
    /// The directory or its file system is read-only. Nothing was changed.
    #[error("log directory {0} is read-only")]
    ReadOnly(std::path::PathBuf),
    /// The disk is full. The batch was not acknowledged; make room and open again.
    #[error("disk is full")]
    DiskFull,
    /// Written under a format this program does not know. Nothing was changed.
    #[error("disk format version {found} is not {known}")]
    Version {
        /// Version in the store.
        found: u32,
        /// Version of this program.
        known: u32,
    },
    /// What is stored is not what was written. An alarm: run `fsck`, restore from a copy.
    #[error("store is corrupt: {0}")]
    Corrupt(String),
    /// A row that does not decode. An alarm, as [`StoreError::Corrupt`].
    #[error("row of {family} is malformed: {why}")]
    Row {
        /// The family.
        family: &'static str,
        /// What is wrong with it.
        why: Malformed,
    },
    /// A write failed earlier; its outcome is unknown. Open again.
    #[error("store stopped after a failed write")]
    Stopped,
    /// The file system failed.
    #[error("{attempt}")]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// How it failed.
        #[source]
        source: io::Error,
    },
    /// The engine failed otherwise.
    #[error("engine: {0}")]
    Engine(String),
}

/// From which side a scan reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// Keys from `start` (included) to `end` (excluded; `None` is no bound).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyRange {
    /// First key.
    pub start: Vec<u8>,
    /// First key no more in the range.
    pub end: Option<Vec<u8>>,
}

impl KeyRange {
    /// All keys.
    pub fn all() -> Self {
        Self::default()
    }

    /// All keys that begin with these bytes.
    pub fn prefix(prefix: &[u8]) -> Self {
        let mut end = prefix.to_vec();
        // The successor of a prefix: its last byte that can rise, risen; none if all are 0xff.
        while let Some(last) = end.last_mut() {
            if *last < u8::MAX {
                *last += 1;
                break;
            }
            end.pop();
        }
        Self {
            start: prefix.to_vec(),
            end: (!end.is_empty()).then_some(end),
        }
    }
}

/// One change in a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change<'a> {
    /// A row is written.
    Put(Family, &'a [u8], &'a [u8]),
    /// A row is removed.
    Delete(Family, &'a [u8]),
    /// The rows from the first key (included) to the second (excluded) are removed.
    DeleteRange(Family, &'a [u8], &'a [u8]),
}

#[derive(Clone, Copy)]
enum ChangeKind {
    Put,
    Delete,
    DeleteRange,
}

#[derive(Clone, Copy)]
struct Entry {
    kind: ChangeKind,
    family: Family,
    /// Where in `bytes` the first and the second byte string end; the first starts where the entry
    /// before ended.
    first_end: usize,
    second_end: usize,
}

/// Changes that become durable together, or not at all.
#[must_use = "a batch does nothing until it is committed"]
#[derive(Clone, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    is_apart: bool,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a row as it stands in another store.
    pub fn put_raw(&mut self, family: Family, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let first_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.push(ChangeKind::Put, family, first_end);
    }

    /// Writes a row.
    pub fn put<C: ColumnFamily>(&mut self, key: &C::Key, value: &C::Value) {
        C::encode_key(key, &mut self.bytes);
        let first_end = self.bytes.len();
        C::encode_value(value, &mut self.bytes);
        self.push(ChangeKind::Put, C::FAMILY, first_end);
    }

    /// Removes a row.
    pub fn delete<C: ColumnFamily>(&mut self, key: &C::Key) {
        C::encode_key(key, &mut self.bytes);
        let first_end = self.bytes.len();
        self.push(ChangeKind::Delete, C::FAMILY, first_end);
    }

    /// Removes the rows of a range that has an end.
    pub fn delete_range<C: ColumnFamily>(&mut self, range: &KeyRange) {
        let Some(end) = &range.end else { return };
        self.bytes.extend_from_slice(&range.start);
        let first_end = self.bytes.len();
        self.bytes.extend_from_slice(end);
        self.push(ChangeKind::DeleteRange, C::FAMILY, first_end);
    }

    fn push(&mut self, kind: ChangeKind, family: Family, first_end: usize) {
        self.entries.push(Entry {
            kind,
            family,
            first_end,
            second_end: self.bytes.len(),
        });
    }

    /// The changes, in the order they were added.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        let mut start = 0;
        self.entries.iter().map(move |entry| {
            // The ends rise with the entries, by construction in `push`.
            let first = self.bytes.get(start..entry.first_end).unwrap_or_default();
            let second = self
                .bytes
                .get(entry.first_end..entry.second_end)
                .unwrap_or_default();
            start = entry.second_end;
            match entry.kind {
                ChangeKind::Put => Change::Put(entry.family, first, second),
                ChangeKind::Delete => Change::Delete(entry.family, first),
                ChangeKind::DeleteRange => Change::DeleteRange(entry.family, first, second),
            }
        })
    }

    /// What it removes is of intervals that are over: it is to stand in files of its own. In one file with rows of today
    /// it would seem to reach over all between, and whoever purges the one would rewrite them all.
    pub fn set_apart(&mut self) {
        self.is_apart = true;
    }

    /// Whether [`Batch::set_apart`] was called.
    pub fn is_apart(&self) -> bool {
        self.is_apart
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of keys and values in it.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.is_apart = false;
    }
}

/// A row as raw bytes: key and value.
pub type RawRow = (Box<[u8]>, Box<[u8]>);

/// Rows being read; an error ends the scan.
pub type Scan<'a> = Box<dyn Iterator<Item = Result<RawRow, StoreError>> + 'a>;

/// Rows in column families. Implemented by RocksDB and in memory; one suite of tests runs over both.
pub trait Store: Send + Sync {
    /// The value of a key.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The rows of a range, as they stood when the scan began.
    fn scan(&self, family: Family, range: &KeyRange, order: Order) -> Scan<'_>;

    /// Commits a batch. On return it is durable (synced) and visible. After an error its outcome is
    /// unknown and every later write is refused with [`StoreError::Stopped`].
    fn commit(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Adds a sorted run: ascending, distinct keys, with empty values, in one family. Durable on return.
    /// Adding the same run again changes nothing.
    fn add_run(
        &self,
        family: Family,
        keys: &mut dyn Iterator<Item = Vec<u8>>,
    ) -> Result<(), StoreError>;

    /// Begins a sorted run of rows: ascending, distinct keys of one family. They are there, durable, when the run is
    /// finished; of a run that is dropped there may be some, or none.
    fn begin_run(&self, family: Family) -> Result<Box<dyn SortedRun + '_>, StoreError> {
        Ok(Box::new(CommittedRun {
            store: self,
            family,
            batch: Batch::new(),
        }))
    }

    /// Bytes on disk of a family, blobs included; what is only in memory counts nothing.
    fn disk_bytes(&self, family: Family) -> Result<u64, StoreError>;

    /// Brings everything to disk and compacts it: for measuring and for `fsck` of files, not for use.
    fn settle(&self) -> Result<(), StoreError>;

    /// Begins new files for what is written to these families from here on, so that what came before stands in files
    /// of its own, unless they follow so closely that the engine has not begun to write those before. Waits only where
    /// every write does.
    fn roll(&self, _families: &[Family]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Drops or rewrites the tables that hold keys of a range whose rows were all removed, and those of `within`, which
    /// spans it, for the sake of blobs that both name: until none of the bytes is left. Costs what is in memory now, what
    /// `within` held and the files at its edges, where the removal came by a batch apart ([`Batch::set_apart`]); nobody
    /// who writes waits for it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where a row of the range is there, and nothing was done.
    fn purge(
        &self,
        _family: Family,
        _range: &KeyRange,
        _within: &KeyRange,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    /// Merges the tables of a range that overlap: nothing changes but how many a search looks into. Other writes do not
    /// wait; what fails is tried again when the engine merges by itself.
    fn merge(&self, _family: Family, _range: &KeyRange) {}

    /// Brings to tables what of these families is only in the write-ahead log: of all of them, so that the logs of before
    /// are gone.
    fn flush(&self, _families: &[Family]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Has the list of tables written anew, so that the keys of tables that are gone are gone from it.
    fn shed_manifest(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Names the files the store is made of now, and opens them anew as recovery would; `look` is given what that
    /// reads. `scratch` is a folder of this call's own on the same file system, gone on return. `None` where there
    /// are no files.
    fn inspect(
        &self,
        _scratch: &Path,
        _look: &mut dyn FnMut(&dyn Store),
    ) -> Result<Option<Inspection>, StoreError> {
        Ok(None)
    }
}

/// A sorted run of rows, being written.
pub trait SortedRun: Send {
    /// Appends a row, whose key is above all before it.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Adds the run to the store.
    fn finish(self: Box<Self>) -> Result<(), StoreError>;
}

/// Bytes of a batch of a run.
const RUN_BATCH_BYTES: usize = 1 << 20;

/// A run of a store that takes none in whole: committed in batches.
struct CommittedRun<'a, S: ?Sized> {
    store: &'a S,
    family: Family,
    batch: Batch,
}

impl<S: Store + ?Sized> SortedRun for CommittedRun<'_, S> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.batch.put_raw(self.family, key, value);
        if self.batch.bytes() >= RUN_BATCH_BYTES {
            self.store.commit(&self.batch)?;
            self.batch.clear();
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), StoreError> {
        self.store.commit(&self.batch)
    }
}

/// What [`Store::inspect`] found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inspection {
    /// Every file the store references, by name. Sizes of MANIFEST and WAL are as of that moment.
    pub files: Vec<StoreFile>,
    /// What does not open, and why; without a name it is the whole.
    pub faults: Vec<(Option<String>, String)>,
}

/// A file that a store references.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreFile {
    /// Its name in the folder of the database.
    pub name: String,
    /// Its length, in bytes.
    pub bytes: u64,
    /// The family whose rows it holds, where the engine says it: of tables.
    pub family: Option<String>,
    /// The first and the last key in it, where the engine says it.
    pub keys: Option<(Vec<u8>, Vec<u8>)>,
}

/// Typed reading over any store.
pub trait Rows: Store {
    /// The value of a key.
    fn read<C: ColumnFamily>(&self, key: &C::Key) -> Result<Option<C::Value>, StoreError> {
        let mut bytes = Vec::new();
        C::encode_key(key, &mut bytes);
        match self.get(C::FAMILY, &bytes)? {
            None => Ok(None),
            Some(value) => C::decode_value(&value).map(Some).map_err(malformed::<C>),
        }
    }

    /// The rows of a range, decoded.
    fn rows<C: ColumnFamily>(&self, range: &KeyRange, order: Order) -> TypedScan<'_, C> {
        TypedScan {
            scan: self.scan(C::FAMILY, range, order),
            family: PhantomData,
        }
    }
}

impl<S: Store + ?Sized> Rows for S {}

/// Decoded rows of a family.
pub struct TypedScan<'a, C> {
    scan: Scan<'a>,
    family: PhantomData<C>,
}

impl<C: ColumnFamily> Iterator for TypedScan<'_, C> {
    type Item = Result<(C::Key, C::Value), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.scan.next()?;
        Some(row.and_then(|(key, value)| {
            let key = C::decode_key(&key).map_err(malformed::<C>)?;
            let value = C::decode_value(&value).map_err(malformed::<C>)?;
            Ok((key, value))
        }))
    }
}

fn malformed<C: ColumnFamily>(why: Malformed) -> StoreError {
    StoreError::Row {
        family: C::FAMILY.name(),
        why,
    }
}
