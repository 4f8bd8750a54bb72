//! The directory of a log, and the two small files beside its database.
//!
//! ```text
//! <log>/lock         held by the process that has the log open (flock)
//! <log>/format       "ceralacca log format 1\n"; read before the database is touched
//! <log>/checkpoint   the last published checkpoint, a signed note
//! <log>/db/          the database
//! ```
//!
//! # Invariants
//! 1. `format` is written last by `init`: a directory without it was never a finished log.
//! 2. `checkpoint` is replaced whole (new file, sync, rename, sync of the directory), never edited.

use super::StoreError;
use rustix::fs::{Access, FlockOperation};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Version of everything in the directory: files, families, rows.
///
/// History: 1, the first.
pub const FORMAT_VERSION: u32 = 1;
/// A checkpoint note is far smaller; more is not one.
const CHECKPOINT_BYTES_MAX: u64 = 64 * 1024;

/// The directory of one log, locked for this process.
pub struct LogDirectory {
    path: PathBuf,
    /// Held as long as the directory is; the lock goes with it.
    _lock: File,
}

fn io(attempt: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull => StoreError::DiskFull,
        _ => StoreError::Io { attempt, source },
    }
}

impl LogDirectory {
    /// Makes the directory for a new log. What is there already is left alone.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        if path.join("format").exists() {
            return Err(StoreError::Exists(path.to_owned()));
        }
        std::fs::create_dir_all(path).map_err(|error| read_only(path, error))?;
        let directory = Self::lock(path)?;
        // Under the lock nobody else is making it: what an unfinished `init` left can go.
        let database = directory.database();
        if database.exists() {
            std::fs::remove_dir_all(&database).map_err(io("remove an unfinished log"))?;
        }
        Ok(directory)
    }

    /// Marks a new log as finished.
    pub fn finish(&self) -> Result<(), StoreError> {
        mark_finished(&self.path)
    }

    /// Locks the directory of a finished log, for writing.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        check_format(path)?;
        rustix::fs::access(path, Access::WRITE_OK)
            .map_err(|errno| read_only(path, errno.into()))?;
        Self::lock(path)
    }

    fn lock(path: &Path) -> Result<Self, StoreError> {
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(|error| read_only(path, error))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|errno| {
            match errno {
                rustix::io::Errno::WOULDBLOCK => StoreError::InUse(path.to_owned()),
                other => io("lock the log directory")(other.into()),
            }
        })?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where the database is.
    pub fn database(&self) -> PathBuf {
        database_of(&self.path)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the checkpoint beside the database; durable on return.
    pub fn write_checkpoint(&self, note: &str) -> Result<(), StoreError> {
        replace(&self.path, "checkpoint", note.as_bytes())
    }
}

/// Marks the log in a directory as finished: from here on it may be opened.
pub fn mark_finished(path: &Path) -> Result<(), StoreError> {
    let text = format!("ceralacca log format {FORMAT_VERSION}\n");
    replace(path, "format", text.as_bytes())
}

fn replace(path: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let attempt = "write a file beside the database";
    let temporary = path.join(format!("{name}.tmp"));
    let mut file = File::create(&temporary).map_err(io(attempt))?;
    file.write_all(bytes).map_err(io(attempt))?;
    file.sync_all().map_err(io(attempt))?;
    std::fs::rename(&temporary, path.join(name)).map_err(io(attempt))?;
    let directory = File::open(path).map_err(io(attempt))?;
    directory.sync_all().map_err(io(attempt))
}

/// Where the database of a log directory is.
pub fn database_of(path: &Path) -> PathBuf {
    path.join("db")
}

/// The checkpoint beside the database, if there is one: as bytes, not verified.
pub fn read_checkpoint(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let attempt = "read the checkpoint beside the database";
    let file = match File::open(path.join("checkpoint")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(io(attempt))?,
    };
    let mut bytes = Vec::new();
    file.take(CHECKPOINT_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(io(attempt))?;
    Ok(Some(bytes))
}

/// Checks that the directory holds a finished log of a known format, touching nothing.
pub fn check_format(path: &Path) -> Result<(), StoreError> {
    let text = match std::fs::read(path.join("format")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::Missing(path.to_owned()));
        }
        other => other.map_err(io("read the format of the log"))?,
    };
    let version = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.strip_prefix("ceralacca log format "))
        .and_then(|text| text.strip_suffix('\n'))
        .and_then(|text| text.parse::<u32>().ok());
    match version {
        Some(FORMAT_VERSION) => Ok(()),
        Some(found) => Err(StoreError::Version {
            found,
            known: FORMAT_VERSION,
        }),
        None => Err(StoreError::Corrupt("file `format` is malformed".to_owned())),
    }
}

fn read_only(path: &Path, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            StoreError::ReadOnly(path.to_owned())
        }
        _ => io("open the log directory")(error),
    }
}
