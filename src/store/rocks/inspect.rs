//! The files of a running store, named exactly and opened anew.
//!
//! RocksDB's *checkpoint* links every table and blob file the store is made of into a fresh folder and copies MANIFEST
//! and WAL. That folder names what is referenced, and opening it is what recovery would do: MANIFEST and WAL records are
//! read against their checksums, and of each table footer, index and filter from the disk, not from what is cached.
//!
//! # Invariants
//! 1. The folder is gone when the call returns: files that the store drops meanwhile are pinned no longer than that.
//! 2. Nothing of the store is changed; nothing is flushed.

use super::{Mode, RocksStore};
use crate::store::{Inspection, Store, StoreError, StoreFile};
use rocksdb::checkpoint::Checkpoint;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// WAL bytes from which a checkpoint flushes first: never, it is to be read as it is.
const NEVER_FLUSH: u64 = u64::MAX;

pub(super) fn inspect(
    store: &RocksStore,
    scratch: &Path,
    look: &mut dyn FnMut(&dyn Store),
) -> Result<Inspection, StoreError> {
    remove(scratch)?;
    let found = pinned(store, scratch, look);
    let removed = remove(scratch);
    let found = found?;
    removed?;
    Ok(found)
}

fn pinned(
    store: &RocksStore,
    scratch: &Path,
    look: &mut dyn FnMut(&dyn Store),
) -> Result<Inspection, StoreError> {
    let linked = Checkpoint::new(&store.db)
        .and_then(|checkpoint| checkpoint.create_checkpoint_with_log_size(scratch, NEVER_FLUSH));
    linked.map_err(|error| store.explain(&error))?;
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(scratch).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let bytes = entry.metadata().map_err(failed)?.len();
        if let Ok(name) = entry.file_name().into_string() {
            let file = StoreFile {
                name: name.clone(),
                bytes,
                family: None,
                keys: None,
            };
            files.insert(name, file);
        }
    }
    let mut faults = Vec::new();
    match RocksStore::open(scratch, Mode::Read) {
        Err(error) if is_of_the_machine(&error) => return Err(error),
        Err(error) => faults.push((None, chain(&error))),
        Ok(view) => {
            let tables = view.db.live_files();
            for table in tables.map_err(|error| view.explain(&error))? {
                let name = table.name.trim_start_matches('/').to_owned();
                let first = table.start_key.unwrap_or_default();
                if let Err(error) = touch(&view, &table.column_family_name, &first) {
                    faults.push((Some(name.clone()), chain(&error)));
                }
                if let Some(file) = files.get_mut(&name) {
                    file.family = Some(table.column_family_name);
                    file.keys = Some((first, table.end_key.unwrap_or_default()));
                }
            }
            look(&view);
        }
    }
    Ok(Inspection {
        files: files.into_values().collect(),
        faults,
    })
}

/// Has the engine open the tables at a key.
fn touch(view: &RocksStore, family: &str, key: &[u8]) -> Result<(), StoreError> {
    let Some(handle) = view.db.cf_handle(family) else {
        return Ok(());
    };
    let found = view.db.get_pinned_cf(&handle, key);
    found.map(drop).map_err(|error| view.explain(&error))
}

/// A failure that says nothing of what is stored.
fn is_of_the_machine(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::DiskFull | StoreError::ReadOnly(_) | StoreError::InUse(_)
    )
}

fn chain(error: &StoreError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn remove(scratch: &Path) -> Result<(), StoreError> {
    // RocksDB builds it under this name first; a crash may leave either.
    let mut unfinished = scratch.as_os_str().to_owned();
    unfinished.push(".tmp");
    for path in [scratch, Path::new(&unfinished)] {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(())
}

fn failed(source: io::Error) -> StoreError {
    let attempt = "inspect the files of the store";
    match source.kind() {
        io::ErrorKind::StorageFull => StoreError::DiskFull,
        _ => StoreError::Io { attempt, source },
    }
}
