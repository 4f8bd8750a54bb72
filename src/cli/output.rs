//! Files that appear whole or not at all.
//!
//! # Invariants
//! 1. Under its name a file is complete and durable; until then it has the ending `.partial`.
//! 2. What is there is replaced only where the caller says so.

use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Whether a file that is there may be replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Existing {
    /// It stays, and writing is refused.
    Keep,
    /// It is replaced.
    Replace,
}

/// A file being written. Dropped before [`Output::finish`] it leaves nothing.
pub struct Output {
    path: PathBuf,
    partial: PathBuf,
    existing: Existing,
    file: File,
}

impl Output {
    /// Begins a file.
    pub fn create(path: &Path, existing: Existing) -> Result<Self> {
        if existing == Existing::Keep && path.symlink_metadata().is_ok() {
            bail!("{} is there already", path.display());
        }
        let mut partial: OsString = path.into();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial).with_context(|| format!("make {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            partial,
            existing,
            file,
        })
    }

    /// Writes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.with_context(|| format!("write {}", self.path.display()))
    }

    /// The file is whole: durable under its name on return.
    pub fn finish(self) -> Result<()> {
        let named = self.file.sync_all().and_then(|()| self.name());
        named.with_context(|| format!("write {}", self.path.display()))
    }

    fn name(&self) -> std::io::Result<()> {
        match self.existing {
            Existing::Replace => std::fs::rename(&self.partial, &self.path)?,
            // A link refuses a name that was taken meanwhile; a rename would not.
            Existing::Keep => match std::fs::hard_link(&self.partial, &self.path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
                // Not every file system has links.
                Err(_) => std::fs::rename(&self.partial, &self.path)?,
                Ok(()) => {}
            },
        }
        let folder = self.path.parent();
        let folder = folder.filter(|folder| *folder != Path::new(""));
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // After a rename it is gone already; what cannot be removed says by its name what it is.
        let _ = std::fs::remove_file(&self.partial);
    }
}

/// Writes a whole file.
pub fn write(path: &Path, bytes: &[u8], existing: Existing) -> Result<()> {
    let mut output = Output::create(path, existing)?;
    output.write(bytes)?;
    output.finish()
}
