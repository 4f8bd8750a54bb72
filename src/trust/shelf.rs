//! Directories of providers, each of its day, read when a message of that day is judged.

use super::{Item, What};
use ceralacca_pec::judge::{
    Directories, Directory, DirectoryAt, DirectoryError, Level, Times, Trust,
};
use ceralacca_retention::{CivilDate, UtcMillis};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Directories kept in memory at a time: old mail comes day by day.
const READ_MAX: usize = 4;

/// Why a directory of providers cannot be used. The operator's to replace.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryUnusable {
    /// Its file cannot be read, or changed.
    #[error("read it")]
    Read(#[from] io::Error),
    /// It is signed, and what it holds is not what was signed.
    #[error("the signature does not verify")]
    Signature,
    /// It is no directory.
    #[error(transparent)]
    Form(#[from] DirectoryError),
}

/// Reads a directory: an LDIF, or a signed one. What its signer is worth is another question.
pub(crate) fn directory(octets: &[u8]) -> Result<Directory, DirectoryUnusable> {
    // DER begins with a SEQUENCE; an LDIF is text.
    if octets.first() != Some(&0x30) {
        return Ok(Directory::read(octets)?);
    }
    let now = Times { received_ms: None };
    let (directory, verdict) = Directory::read_signed(octets, &Trust::none(), now);
    if matches!(verdict.level, Level::Broken | Level::Absent) {
        return Err(DirectoryUnusable::Signature);
    }
    Ok(directory?)
}

/// The directories at hand.
#[derive(Debug)]
pub(super) struct Shelf {
    days: BTreeMap<CivilDate, Arc<Item>>,
    read: Mutex<VecDeque<(CivilDate, Arc<Directory>)>>,
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Item")
            .field("what", &self.what)
            .field("day", &self.day)
            .finish_non_exhaustive()
    }
}

impl Shelf {
    /// Those among these items, where there is one.
    pub(super) fn of(items: &[Arc<Item>]) -> Option<Self> {
        let directories = items.iter().filter(|item| item.what == What::Directory);
        let days: BTreeMap<_, _> = directories
            .filter_map(|item| Some((item.day?, Arc::clone(item))))
            .collect();
        (!days.is_empty()).then(|| Self {
            days,
            read: Mutex::default(),
        })
    }

    /// The day itself, or the last one before it, or the first one after.
    fn nearest(&self, day: CivilDate) -> Option<(CivilDate, &Arc<Item>)> {
        let before = self.days.range(..=day).next_back();
        let nearest = before.or_else(|| self.days.range(day..).next());
        nearest.map(|(day, item)| (*day, item))
    }

    fn read(&self, day: CivilDate, item: &Item) -> Option<Arc<Directory>> {
        let known = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, directory)) = known().iter().find(|(of, _)| *of == day) {
            return Some(Arc::clone(directory));
        }
        let octets = item.octets().ok()?;
        let directory = Arc::new(directory(&octets).ok()?);
        let mut known = known();
        if known.len() == READ_MAX {
            known.pop_front();
        }
        known.push_back((day, Arc::clone(&directory)));
        Some(directory)
    }
}

impl Directories for Shelf {
    fn at(&self, at_ms: i64) -> Option<DirectoryAt> {
        let day = CivilDate::in_rome(UtcMillis::new(at_ms)).ok()?;
        let (found, item) = self.nearest(day)?;
        Some(DirectoryAt {
            directory: self.read(found, item)?,
            of_that_day: found == day,
        })
    }
}
