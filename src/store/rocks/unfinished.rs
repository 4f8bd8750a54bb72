//! Blob files that a process was writing when it was killed.
//!
//! A finished blob file ends in a footer, and only then is it named in the MANIFEST. The engine keeps one without a
//! footer for ever, since it cannot tell what may still be written; here nothing can be, for the store is not open.
//!
//! # Invariants
//! 1. A file that the store names is left alone, whatever is wrong with it: it is `fsck`'s to tell.
//! 2. It is decided while nothing writes: compactions are off, and nobody has the store yet.

use super::{Mode, RocksStore, database_options, inspect};
use crate::store::StoreError;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Octets of the footer of a blob file (RocksDB, `db/blob/blob_log_format.h`).
const FOOTER_BYTES: u64 = 32;
/// What it begins with.
const FOOTER: [u8; 4] = 2_395_959_u32.to_le_bytes();

/// Removes the blob files of a store at rest that were never finished, and that it does not name.
pub(super) fn sweep(directory: &Path) -> Result<(), StoreError> {
    let left = unfinished(directory).map_err(failed)?;
    if left.is_empty() {
        return Ok(());
    }
    let store =
        RocksStore::open_with(directory, Mode::Write, &database_options(Mode::Write), true)?;
    let named = inspect::inspect(&store, &directory.with_extension("named"), &mut |_| {})?;
    let named: BTreeSet<OsString> = named.files.into_iter().map(|f| f.name.into()).collect();
    // Its number may have been given again since.
    let still = unfinished(directory).map_err(failed)?;
    for name in left.intersection(&still) {
        if !named.contains(name) {
            std::fs::remove_file(directory.join(name)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Names of blob files without a footer.
fn unfinished(directory: &Path) -> io::Result<BTreeSet<OsString>> {
    let mut found = BTreeSet::new();
    let entries = match std::fs::read_dir(directory) {
        // The engine says it better.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let is_blob = Path::new(&entry.file_name()).extension() == Some("blob".as_ref());
        if is_blob && !is_finished(&entry.path())? {
            found.insert(entry.file_name());
        }
    }
    Ok(found)
}

fn is_finished(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let Some(at) = file.metadata()?.len().checked_sub(FOOTER_BYTES) else {
        return Ok(false);
    };
    let mut begins = [0; FOOTER.len()];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut begins)?;
    Ok(begins == FOOTER)
}

fn failed(source: io::Error) -> StoreError {
    let attempt = "look for unfinished files of the store";
    match source.kind() {
        io::ErrorKind::StorageFull => StoreError::DiskFull,
        _ => StoreError::Io { attempt, source },
    }
}
