//! A new MANIFEST, and no file that it does not name, while the store is in use.
//!
//! The MANIFEST keeps the first and the last key of every table that ever was, until the engine begins another: at a
//! start, or when it has grown to a multiple of what it must say. The engine has no call for that; so tables with long
//! keys, of zeros, are put beside the families, where nobody reads, and removed at once, until it has grown so.
//!
//! What a process that was killed was writing is in no MANIFEST; the engine keeps such a file as long as its number is
//! still to be given, and looks for it only when deletions of files are allowed anew. So numbers are used up beyond it.
//!
//! # Invariants
//! 1. No row of a family is touched; what a crash leaves of such a table is removed at the next start.
//! 2. One such table is there at a time, of a small part of the MANIFEST's size: the new one is not swollen by it.

use super::{MANIFEST_BYTES_MAX, RocksStore};
use crate::store::StoreError;
use rocksdb::{IngestExternalFileOptions, Options, SstFileWriter};
use std::io;

/// What part of the MANIFEST one table adds to it.
const PART: u64 = 16;
/// Tables after which it is given up. The engine lets it grow to some seven times what it began with.
const TABLES_MAX: u32 = 256;
/// No row of the engine's own family is above this.
const ABOVE_ALL: [u8; 1] = [0xff];

/// Has the engine begin a new MANIFEST, and remove the one before.
pub(super) fn renew(store: &RocksStore) -> Result<(), StoreError> {
    let failed = |source| StoreError::Io {
        attempt: "begin a new MANIFEST",
        source,
    };
    let named = std::fs::read_to_string(store.directory.join("CURRENT")).map_err(failed)?;
    let before = store.directory.join(named.trim_end());
    let bytes = std::fs::metadata(&before).map_err(failed)?.len();
    // A table stands in it with its first key and its last.
    let key = bytes.max(MANIFEST_BYTES_MAX as u64) / PART / 2;
    let key = vec![0; usize::try_from(key).unwrap_or(MANIFEST_BYTES_MAX)];
    let used = highest(store).map_err(failed)?;
    for _ in 0..TABLES_MAX {
        put(store, &key)?;
        let is_beyond = number_of_put(store)? > used;
        sweep(store)?;
        if is_beyond && !before.try_exists().map_err(failed)? {
            return sweep_files(store);
        }
    }
    let text = "the MANIFEST of before is still there";
    Err(failed(io::Error::other(text)))
}

/// Has the engine look for files of its own that it does not know, and remove them.
fn sweep_files(store: &RocksStore) -> Result<(), StoreError> {
    let explain = |error: rocksdb::Error| store.explain(&error);
    store.db.disable_file_deletions().map_err(explain)?;
    store.db.enable_file_deletions().map_err(explain)
}

/// The highest number among the files of the engine.
fn highest(store: &RocksStore) -> io::Result<u64> {
    let mut highest = 0;
    for entry in std::fs::read_dir(&store.directory)? {
        let number = entry?.file_name().to_str().and_then(number_in);
        highest = highest.max(number.unwrap_or(0));
    }
    Ok(highest)
}

/// The number of the table that was just put beside the families.
fn number_of_put(store: &RocksStore) -> Result<u64, StoreError> {
    let files = store.db.live_files();
    let files = files.map_err(|error| store.explain(&error))?;
    let put = files
        .iter()
        .filter(|file| file.column_family_name == rocksdb::DEFAULT_COLUMN_FAMILY_NAME);
    let numbers = put.filter_map(|file| number_in(&file.name));
    Ok(numbers.max().unwrap_or(0))
}

/// The number in a name such as `000012.sst`, `000013.blob`, `MANIFEST-000014`.
fn number_in(name: &str) -> Option<u64> {
    let name = name.trim_start_matches('/');
    let name = name.strip_prefix("MANIFEST-").unwrap_or(name);
    name.split('.').next()?.parse().ok()
}

fn put(store: &RocksStore, key: &[u8]) -> Result<(), StoreError> {
    let explain = |error: rocksdb::Error| store.explain(&error);
    let options = Options::default();
    let mut table = SstFileWriter::create(&options);
    let path = store.run_path();
    table.open(&path).map_err(explain)?;
    table.put(key, b"").map_err(explain)?;
    table.finish().map_err(explain)?;
    let mut options = IngestExternalFileOptions::default();
    options.set_move_files(true);
    let put = store.db.ingest_external_file_opts(&options, vec![path]);
    put.map_err(explain)
}

/// Removes what was put beside the families.
pub(super) fn sweep(store: &RocksStore) -> Result<(), StoreError> {
    let swept = store.db.delete_file_in_range(&[][..], &ABOVE_ALL[..]);
    swept.map_err(|error| store.explain(&error))
}
