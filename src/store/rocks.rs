//! The store on RocksDB: the only door to that engine.
//!
//! # Invariants
//! 1. Every write batch is synced (WAL and `fsync`) before `commit` returns.
//! 2. WAL recovery is `TolerateCorruptedTailRecords`: a torn tail is a normal crash, a flipped byte before
//!    it is corruption and refuses to open. (The default mode silently drops synced rows after a flip.)
//! 3. After a failed write the store refuses every later one.
//! 4. Memory is bounded by the constants below, whatever the size of the archive; so is the time to open,
//!    because files are opened on first use and the WAL has a limit.

mod inspect;
mod manifest;
mod purge;
mod unfinished;

use super::cf::Family;
use super::{
    Batch, Change, Inspection, KeyRange, Order, RawRow, Scan, SortedRun, Store, StoreError,
};
use rocksdb::{
    BlockBasedOptions, BoundColumnFamily, Cache, ColumnFamilyDescriptor, DB, DBCompactionStyle,
    DBCompressionType, DBRecoveryMode, Direction, ErrorKind, IngestExternalFileOptions,
    IteratorMode, LogLevel, Options, ReadOptions, SstFileWriter, UniversalCompactOptions,
    WriteBatch, WriteOptions,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Memory for blocks read, all families together.
const BLOCK_CACHE_BYTES: usize = 64 << 20;
/// Memory for rows written and not yet flushed, all families together.
const MEMTABLES_BYTES: usize = 160 << 20;
/// One memtable of a family in the hot batch.
const HOT_MEMTABLE_BYTES: usize = 24 << 20;
/// One memtable of any other family.
const COLD_MEMTABLE_BYTES: usize = 2 << 20;
/// WAL bytes after which the oldest memtables are flushed: bounds the replay at open.
const WAL_BYTES_MAX: u64 = 96 << 20;
/// MANIFEST bytes up to which none is begun anew: the one there holds keys of tables that are gone. Beyond, the engine
/// begins one when it is six times what a new one would be.
const MANIFEST_BYTES_MAX: usize = 256 << 10;
/// Open files; others are opened again on use. Bounds memory and the time to open.
const OPEN_FILES_MAX: i32 = 512;
/// Sorted runs of a family that wait for each other before they are merged: each merge takes a processor
/// from those who submit, each run a look from those who search.
const SORTED_RUNS: i32 = 12;
/// The same of the index. All runs of a day overlap, so a merge rewrites the day so far: its cost grows with the square of
/// the day's runs, divided by this. A run has 65 536 records, so ten millions a day are merged once; what is left when the
/// day is closed is merged then, so that a search looks into few tables of each day that is over.
const INDEX_RUNS: i32 = 96;
/// Values from this size on live in blob files, so that compaction does not move them.
const BLOB_BYTES_MIN: u64 = 16 << 10;
const BLOB_FILE_BYTES: u64 = 128 << 20;

/// Column families in one RocksDB.
pub struct RocksStore {
    db: DB,
    directory: PathBuf,
    /// Options of each family, in order of the enum: runs are written under them.
    run_options: Vec<Options>,
    stopped: AtomicBool,
    runs: AtomicU64,
    /// Held alone by a batch that is to stand in tables of its own, together by all others.
    apart: RwLock<()>,
}

/// The bare engine with this store's families and options: the yardstick of `benches/append.rs`.
pub fn bare_engine(directory: &Path) -> Result<DB, StoreError> {
    let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
    let families = Family::ALL
        .iter()
        .map(|family| ColumnFamilyDescriptor::new(family.name(), family_options(*family, &cache)));
    DB::open_cf_descriptors(&database_options(Mode::Create), directory, families)
        .map_err(|error| explain(&error, directory))
}

/// The options index runs are written under, for the same yardstick.
pub fn run_options() -> Options {
    family_options(Family::Index, &Cache::new_lru_cache(0))
}

/// How the directory is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Makes a new store; refuses one that is there.
    Create,
    /// Opens for writing; never creates.
    Write,
    /// Opens for reading only: changes nothing.
    Read,
}

impl RocksStore {
    /// Opens the store in `directory`.
    pub fn open(directory: &Path, mode: Mode) -> Result<Self, StoreError> {
        if mode == Mode::Write {
            unfinished::sweep(directory)?;
        }
        let store = Self::open_with(directory, mode, &database_options(mode), false)?;
        if mode == Mode::Write {
            store.sweep_runs()?;
            manifest::sweep(&store)?;
        }
        Ok(store)
    }

    /// Opens it; `quiet` is without compactions of its own accord.
    fn open_with(
        directory: &Path,
        mode: Mode,
        options: &Options,
        quiet: bool,
    ) -> Result<Self, StoreError> {
        let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
        let families = Family::ALL
            .iter()
            .map(|family| {
                let mut options = family_options(*family, &cache);
                options.set_disable_auto_compactions(quiet);
                ColumnFamilyDescriptor::new(family.name(), options)
            })
            .collect::<Vec<_>>();
        let opened = match mode {
            Mode::Read => DB::open_cf_descriptors_read_only(options, directory, families, false),
            _ => DB::open_cf_descriptors(options, directory, families),
        };
        Ok(Self {
            db: opened.map_err(|error| explain(&error, directory))?,
            directory: directory.to_owned(),
            run_options: Family::ALL
                .iter()
                .map(|family| family_options(*family, &cache))
                .collect(),
            stopped: AtomicBool::new(false),
            runs: AtomicU64::new(0),
            apart: RwLock::new(()),
        })
    }

    fn family(&self, family: Family) -> Result<Arc<BoundColumnFamily<'_>>, StoreError> {
        self.db.cf_handle(family.name()).ok_or_else(|| {
            StoreError::Corrupt(format!("column family {} is missing", family.name()))
        })
    }

    fn explain(&self, error: &rocksdb::Error) -> StoreError {
        explain(error, &self.directory)
    }

    /// A run is written beside the database and then moved into it; one that was not moved is scrap.
    fn run_path(&self) -> PathBuf {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        self.directory.join(format!("run-{number}.tmp"))
    }

    fn sweep_runs(&self) -> Result<(), StoreError> {
        let io = |source| StoreError::Io {
            attempt: "sweep unfinished index runs",
            source,
        };
        for entry in std::fs::read_dir(&self.directory).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.starts_with("run-") && name.ends_with(".tmp")) {
                std::fs::remove_file(&path).map_err(io)?;
            }
        }
        Ok(())
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        if !batch.is_apart() {
            let _beside = self.apart.read().unwrap_or_else(PoisonError::into_inner);
            return self.write_rows(batch);
        }
        // Nobody else writes between, not even uploads, which do so from threads of their own.
        let _alone = self.apart.write().unwrap_or_else(PoisonError::into_inner);
        let thinned = thinned(batch);
        purge::flush(self, &thinned)?;
        self.write_rows(batch)?;
        // Parts of uploads fill a table in moments: one not begun by then would be one with the next.
        purge::flush(self, &[Family::Chunk])?;
        purge::roll(self, &thinned)
    }

    fn write_rows(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut handles = Vec::with_capacity(Family::ALL.len());
        for family in Family::ALL {
            handles.push(self.family(*family)?);
        }
        let handle = |family: Family| {
            // `Family::ALL` is in order of the enum.
            handles.get(family as usize).ok_or(StoreError::Stopped)
        };
        let mut rows = WriteBatch::with_capacity_bytes(batch.bytes() + 24 * batch.entries.len());
        for change in batch.changes() {
            match change {
                Change::Put(family, key, value) => rows.put_cf(handle(family)?, key, value),
                Change::Delete(family, key) => rows.delete_cf(handle(family)?, key),
                Change::DeleteRange(family, from, to) => {
                    rows.delete_range_cf(handle(family)?, from, to);
                }
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db
            .write_opt(rows, &options)
            .map_err(|error| self.explain(&error))
    }
}

impl Store for RocksStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db
            .get_cf(&self.family(family)?, key)
            .map_err(|error| self.explain(&error))
    }

    fn scan(&self, family: Family, range: &KeyRange, order: Order) -> Scan<'_> {
        let handle = match self.family(family) {
            Ok(handle) => handle,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(range.start.clone());
        if let Some(end) = &range.end {
            options.set_iterate_upper_bound(end.clone());
        }
        options.fill_cache(false);
        options.set_verify_checksums(true);
        let mode = match (order, &range.end) {
            (Order::Ascending, _) => IteratorMode::From(&range.start, Direction::Forward),
            (Order::Descending, Some(end)) => IteratorMode::From(end, Direction::Reverse),
            (Order::Descending, None) => IteratorMode::End,
        };
        let rows = self.db.iterator_cf_opt(&handle, options, mode);
        Box::new(rows.map(move |row| -> Result<RawRow, StoreError> {
            row.map_err(|error| self.explain(&error))
        }))
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(StoreError::Stopped);
        }
        let written = self.write(batch);
        if written.is_err() {
            self.stopped.store(true, Ordering::Release);
        }
        written
    }

    fn add_run(
        &self,
        family: Family,
        keys: &mut dyn Iterator<Item = Vec<u8>>,
    ) -> Result<(), StoreError> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(StoreError::Stopped);
        }
        let mut run = self.begin_run(family)?;
        for key in keys {
            run.put(&key, b"")?;
        }
        run.finish()
    }

    fn begin_run(&self, family: Family) -> Result<Box<dyn SortedRun + '_>, StoreError> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(StoreError::Stopped);
        }
        // `Family::ALL` is in order of the enum.
        let options = self.run_options.get(family as usize);
        let writer = SstFileWriter::create(options.ok_or(StoreError::Stopped)?);
        let path = self.run_path();
        writer.open(&path).map_err(|error| self.explain(&error))?;
        Ok(Box::new(Run {
            store: self,
            family,
            path,
            rows: 0,
            writer,
        }))
    }

    fn disk_bytes(&self, family: Family) -> Result<u64, StoreError> {
        let handle = self.family(family)?;
        let mut bytes = 0;
        for property in [
            "rocksdb.total-sst-files-size",
            "rocksdb.total-blob-file-size",
        ] {
            let value = self.db.property_int_value_cf(&handle, property);
            bytes += value.map_err(|error| self.explain(&error))?.unwrap_or(0);
        }
        Ok(bytes)
    }

    fn settle(&self) -> Result<(), StoreError> {
        for family in Family::ALL {
            let handle = self.family(*family)?;
            self.db
                .flush_cf(&handle)
                .map_err(|error| self.explain(&error))?;
            self.db
                .compact_range_cf(&handle, None::<&[u8]>, None::<&[u8]>);
        }
        Ok(())
    }

    fn roll(&self, families: &[Family]) -> Result<(), StoreError> {
        purge::roll(self, families)
    }

    fn purge(&self, family: Family, range: &KeyRange, within: &KeyRange) -> Result<(), StoreError> {
        purge::purge(self, family, range, within)
    }

    fn merge(&self, family: Family, range: &KeyRange) {
        purge::merge(self, family, range);
    }

    fn flush(&self, families: &[Family]) -> Result<(), StoreError> {
        purge::flush(self, families)
    }

    fn shed_manifest(&self) -> Result<(), StoreError> {
        manifest::renew(self)
    }

    fn inspect(
        &self,
        scratch: &Path,
        look: &mut dyn FnMut(&dyn Store),
    ) -> Result<Option<Inspection>, StoreError> {
        inspect::inspect(self, scratch, look).map(Some)
    }
}

/// A sorted file beside the database, to be moved into it.
struct Run<'a> {
    store: &'a RocksStore,
    family: Family,
    path: PathBuf,
    rows: u64,
    writer: SstFileWriter<'a>,
}

impl SortedRun for Run<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.rows += 1;
        let put = self.writer.put(key, value);
        put.map_err(|error| self.store.explain(&error))
    }

    fn finish(mut self: Box<Self>) -> Result<(), StoreError> {
        if self.rows == 0 {
            drop(self.writer);
            // An empty run is no file; what `open` left behind goes, and it may have left nothing.
            let _ = std::fs::remove_file(&self.path);
            return Ok(());
        }
        let explain = |error: rocksdb::Error| self.store.explain(&error);
        self.writer.finish().map_err(explain)?;
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        let family = self.store.family(self.family)?;
        let paths = vec![self.path];
        let ingested = self
            .store
            .db
            .ingest_external_file_cf_opts(&family, &options, paths);
        ingested.map_err(explain)
    }
}

fn database_options(mode: Mode) -> Options {
    let mut options = Options::default();
    options.create_if_missing(mode == Mode::Create);
    options.set_error_if_exists(mode == Mode::Create);
    // A family that came with a newer program, or that somebody dropped: what it must hold is told by the log.
    options.create_missing_column_families(mode != Mode::Read);
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_paranoid_checks(true);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_db_write_buffer_size(MEMTABLES_BYTES);
    options.set_max_background_jobs(2);
    options.set_bytes_per_sync(1 << 20);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_skip_stats_update_on_db_open(true);
    options.set_keep_log_file_num(4);
    // At the level below this the engine tells keys of what it rewrites, which are to be gone.
    options.set_log_level(LogLevel::Warn);
    options.set_max_manifest_file_size(MANIFEST_BYTES_MAX);
    options
}

/// Whether a family is in the batch of every group.
fn is_hot(family: Family) -> bool {
    matches!(
        family,
        Family::Leaf | Family::Tile | Family::Metadata | Family::Idempotency | Family::Content
    )
}

/// Whether a family lives in files apart by key: its keys begin with the interval or rise with the log, so few files
/// overlap, and what is disposed of stands in files of its own or at the edge of two.
fn is_by_key(family: Family) -> bool {
    match family {
        Family::Leaf
        | Family::Tile
        | Family::Metadata
        | Family::Content
        | Family::Chunk
        | Family::Secret
        | Family::Index
        | Family::Held => true,
        Family::State
        | Family::Staging
        | Family::Idempotency
        | Family::LeafHash
        | Family::Interval
        | Family::Checkpoint
        | Family::Dictionary
        | Family::Hold
        | Family::Disposal
        | Family::Erasure => false,
    }
}

/// The families from whose intervals a batch removes.
fn thinned(batch: &Batch) -> Vec<Family> {
    let mut thinned = Vec::new();
    for change in batch.changes() {
        if let Change::Delete(family, _) | Change::DeleteRange(family, ..) = change
            && Family::OF_AN_INTERVAL.contains(&family)
            && !thinned.contains(&family)
        {
            thinned.push(family);
        }
    }
    thinned
}

/// Whether large values of a family live in blob files.
fn has_blobs(family: Family) -> bool {
    matches!(family, Family::Content | Family::Chunk | Family::Held)
}

fn family_options(family: Family, cache: &Cache) -> Options {
    let mut options = Options::default();
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(16 << 10);
    table.set_format_version(6);
    if family == Family::Idempotency {
        table.set_bloom_filter(10.0, false);
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.05);
    }
    options.set_block_based_table_factory(&table);
    let memtable = if is_hot(family) {
        HOT_MEMTABLE_BYTES
    } else {
        COLD_MEMTABLE_BYTES
    };
    options.set_write_buffer_size(memtable);
    if Family::OF_AN_INTERVAL.contains(&family) {
        // At a cut and at a removal one more is begun, however lately the last was.
        options.set_max_write_buffer_number(3);
    }
    // Ciphertext and hashes do not compress; leaves and postings do.
    let compression = match family {
        Family::Leaf | Family::Index | Family::Interval | Family::Checkpoint => {
            DBCompressionType::Zstd
        }
        _ => DBCompressionType::None,
    };
    options.set_compression_type(compression);
    if compression == DBCompressionType::Zstd {
        options.set_compression_options(-14, 1, 0, 0);
    }
    if has_blobs(family) {
        options.set_enable_blob_files(true);
        options.set_min_blob_size(BLOB_BYTES_MIN);
        options.set_blob_file_size(BLOB_FILE_BYTES);
        options.set_blob_compression_type(DBCompressionType::None);
        options.set_enable_blob_gc(true);
    }
    // Rows that arrive in order need no merging; those without any order are merged in few, wide steps.
    if !is_by_key(family) {
        options.set_compaction_style(DBCompactionStyle::Universal);
        let mut universal = UniversalCompactOptions::default();
        universal.set_min_merge_width(4);
        universal.set_max_size_amplification_percent(400);
        options.set_universal_compaction_options(&universal);
    }
    match family {
        Family::Leaf | Family::Tile => {}
        Family::Index => {
            options.set_level_zero_file_num_compaction_trigger(INDEX_RUNS);
            // Runs are moved in, not flushed: however many wait, no other write is to wait for them.
            options.set_level_zero_slowdown_writes_trigger(3 * INDEX_RUNS);
            options.set_level_zero_stop_writes_trigger(4 * INDEX_RUNS);
        }
        _ => options.set_level_zero_file_num_compaction_trigger(SORTED_RUNS),
    }
    options
}

/// What RocksDB's message means to the one who reads it.
fn explain(error: &rocksdb::Error, directory: &Path) -> StoreError {
    let text = error.to_string();
    let has = |part: &str| text.contains(part);
    match error.kind() {
        _ if has("No space left on device") || has("File too large") => StoreError::DiskFull,
        _ if has("Read-only file system") => StoreError::ReadOnly(directory.to_owned()),
        ErrorKind::IOError if has("lock") => StoreError::InUse(directory.to_owned()),
        ErrorKind::InvalidArgument if has("error_if_exists") => {
            StoreError::Exists(directory.to_owned())
        }
        ErrorKind::InvalidArgument if has("does not exist") => {
            StoreError::Missing(directory.to_owned())
        }
        ErrorKind::Corruption => StoreError::Corrupt(text),
        ErrorKind::IOError => StoreError::Io {
            attempt: "read or write the store",
            source: io::Error::other(text),
        },
        _ => StoreError::Engine(text),
    }
}
