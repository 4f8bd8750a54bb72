//! What there is to import: files, folders to their bottom, Maildirs.
//!
//! # Invariants
//! 1. Of folders, the names of one per level are in memory, sorted: the order is the same every time.
//! 2. Links are not followed, so nothing is met twice and the walk ends.
//! 3. A Maildir (a folder with `cur` and `new`) gives what is in these two, and its subfolders that are Maildirs;
//!    what is in `tmp` is not delivered yet, and other files are indexes and settings of programs.

use std::ffi::OsString;
use std::fs::FileType;
use std::io::{Error, Result};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What a file is, by where it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// In a Maildir: one message.
    Maildir,
    /// Anywhere else: a message, or an mbox.
    Other,
}

/// What is met.
pub enum Met<'a> {
    /// A file to import.
    File(&'a Path, Place),
    /// A link, a device, a Maildir's other files.
    Ignored,
    /// It cannot be read.
    Unreadable(&'a Path, Error),
}

/// Whoever is told can end the walk.
pub type Flow = ControlFlow<()>;

/// Walks one path of the command line.
pub fn walk(path: &Path, meet: &mut dyn FnMut(Met<'_>) -> Flow) -> Flow {
    match path.symlink_metadata() {
        Err(error) => meet(Met::Unreadable(path, error)),
        Ok(metadata) => enter(path, metadata.file_type(), meet),
    }
}

/// Bytes of all files there are to import, for the bar: what cannot be read counts nothing.
pub fn bytes(paths: &[PathBuf]) -> u64 {
    let mut bytes = 0;
    for path in paths {
        let _ = walk(path, &mut |met| {
            if let Met::File(path, _) = met {
                let metadata = path.symlink_metadata();
                bytes += metadata.map_or(0, |metadata| metadata.len());
            }
            Flow::Continue(())
        });
    }
    bytes
}

fn enter(path: &Path, kind: FileType, meet: &mut dyn FnMut(Met<'_>) -> Flow) -> Flow {
    if kind.is_dir() {
        folder(path, meet)
    } else if kind.is_file() {
        meet(Met::File(path, Place::Other))
    } else {
        meet(Met::Ignored)
    }
}

fn folder(path: &Path, meet: &mut dyn FnMut(Met<'_>) -> Flow) -> Flow {
    let entries = match entries(path) {
        Ok(entries) => entries,
        Err(error) => return meet(Met::Unreadable(path, error)),
    };
    if !is_maildir(path) {
        for (name, kind) in entries {
            enter(&path.join(name), kind, meet)?;
        }
        return Flow::Continue(());
    }
    for (name, kind) in entries {
        let path = path.join(&name);
        if !kind.is_dir() {
            meet(Met::Ignored)?;
        } else if name == "cur" || name == "new" {
            messages(&path, meet)?;
        } else if is_maildir(&path) {
            folder(&path, meet)?;
        }
    }
    Flow::Continue(())
}

/// The folder `cur` or `new` of a Maildir.
fn messages(path: &Path, meet: &mut dyn FnMut(Met<'_>) -> Flow) -> Flow {
    let entries = match entries(path) {
        Ok(entries) => entries,
        Err(error) => return meet(Met::Unreadable(path, error)),
    };
    for (name, kind) in entries {
        let path = path.join(name);
        match kind.is_file() {
            true => meet(Met::File(&path, Place::Maildir))?,
            false => meet(Met::Ignored)?,
        }
    }
    Flow::Continue(())
}

fn is_maildir(path: &Path) -> bool {
    let is_folder = |name: &str| {
        let metadata = path.join(name).symlink_metadata();
        metadata.is_ok_and(|metadata| metadata.is_dir())
    };
    is_folder("cur") && is_folder("new")
}

fn entries(path: &Path) -> Result<Vec<(OsString, FileType)>> {
    let entries = std::fs::read_dir(path)?;
    let entries = entries.map(|entry| {
        let entry = entry?;
        Ok((entry.file_name(), entry.file_type()?))
    });
    let mut entries: Vec<_> = entries.collect::<Result<_>>()?;
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(entries)
}
