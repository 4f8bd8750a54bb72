//! Entries of a map, sorted outside memory.
//!
//! Keys are digests, so their first byte cuts them into 256 shares of like size: shares are gathered in memory,
//! appended to one file whenever they are many, and read back one after the other.
//!
//! # Invariants
//! 1. Memory is at most [`HELD_MAX`] entries and one share, whatever their number.
//! 2. What comes out is every entry that went in, ascending by key, then by leaf hash.

use super::folder::FolderError;
use ceralacca_formats::map::MapKey;
use ceralacca_formats::tree::LeafHash;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Entries held in memory: 64 MiB.
const HELD_MAX: usize = 1 << 20;
/// Bits of a key that name its share.
pub(super) const SHARE_BITS: usize = 8;
const SHARES: usize = 1 << SHARE_BITS;
const ENTRY_BYTES: usize = 64;

/// A record under a key.
pub(super) type Keyed = (MapKey, LeafHash);

/// Gathers entries.
pub(super) struct Spill {
    shares: Vec<Vec<Keyed>>,
    held: usize,
    total: u64,
    path: PathBuf,
    file: Option<File>,
    /// Share, offset and entries of each stretch of the file.
    stretches: Vec<(usize, u64, usize)>,
    end: u64,
}

impl Spill {
    /// Gathers, with a file at this path if it comes to that.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            shares: vec![Vec::new(); SHARES],
            held: 0,
            total: 0,
            path: path.to_owned(),
            file: None,
            stretches: Vec::new(),
            end: 0,
        }
    }

    /// Entries so far.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn push(&mut self, entry: Keyed) -> Result<(), FolderError> {
        let [first, ..] = entry.0.as_bytes();
        if let Some(share) = self.shares.get_mut(usize::from(*first)) {
            share.push(entry);
        }
        self.held += 1;
        self.total += 1;
        match self.held >= HELD_MAX {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn failed(&self, attempt: &'static str) -> impl FnOnce(std::io::Error) -> FolderError + use<> {
        let name = self.path.display().to_string();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull => FolderError::DiskFull,
            _ => FolderError::Io {
                attempt,
                name,
                source,
            },
        }
    }

    fn flush(&mut self) -> Result<(), FolderError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut options = File::options();
                options.read(true).write(true).create(true).truncate(true);
                options.open(&self.path).map_err(self.failed("create"))?
            }
        };
        let failed = self.failed("write");
        let mut bytes = Vec::with_capacity(self.held * ENTRY_BYTES);
        for (share, entries) in self.shares.iter_mut().enumerate() {
            if entries.is_empty() {
                continue;
            }
            let offset = self.end + bytes.len() as u64;
            self.stretches.push((share, offset, entries.len()));
            for (key, hash) in entries.drain(..) {
                bytes.extend_from_slice(key.as_bytes());
                bytes.extend_from_slice(hash.as_bytes());
            }
        }
        file.write_all(&bytes).map_err(failed)?;
        self.end += bytes.len() as u64;
        self.held = 0;
        self.file = Some(file);
        Ok(())
    }

    /// Hands out the shares, each sorted.
    pub(super) fn each<E: From<FolderError>>(
        mut self,
        mut take: impl FnMut(&[Keyed]) -> Result<(), E>,
    ) -> Result<(), E> {
        for share in 0..SHARES {
            let mut entries = self
                .shares
                .get_mut(share)
                .map(std::mem::take)
                .unwrap_or_default();
            self.read_back(share, &mut entries)?;
            entries.sort_unstable();
            take(&entries)?;
        }
        Ok(())
    }

    fn read_back(&mut self, share: usize, entries: &mut Vec<Keyed>) -> Result<(), FolderError> {
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        for (_, offset, count) in self.stretches.iter().filter(|(of, ..)| *of == share) {
            let mut bytes = vec![0; count * ENTRY_BYTES];
            let from = SeekFrom::Start(*offset);
            file.seek(from).map_err(self.failed("read"))?;
            file.read_exact(&mut bytes).map_err(self.failed("read"))?;
            let (hashes, _) = bytes.as_chunks::<32>();
            let (pairs, _) = hashes.as_chunks::<2>();
            let pairs = pairs.iter();
            entries.extend(pairs.map(|[k, h]| (MapKey::from_bytes(*k), LeafHash::from_bytes(*h))));
        }
        self.file = Some(file);
        Ok(())
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // It stands in the folder of a closing under way, which is removed when that ends.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceralacca_formats::digest::Sha256;

    #[test]
    fn what_went_in_comes_out_in_order_through_memory_and_file() {
        let folder = tempfile::tempdir().unwrap();
        for (count, flushes) in [(0u64, 0), (5000, 0), (5000, 3)] {
            let mut spill = Spill::new(&folder.path().join("spill"));
            let mut expected = Vec::new();
            for number in 0..count {
                let key = *Sha256::of(&(number / 3).to_be_bytes()).as_bytes();
                let hash = *Sha256::of(&number.to_le_bytes()).as_bytes();
                expected.push((key, hash));
                let entry = (MapKey::from_bytes(key), LeafHash::from_bytes(hash));
                spill.push(entry).unwrap();
                if flushes > 0 && number % (count / flushes) == 7 {
                    spill.flush().unwrap();
                }
            }
            assert_eq!(spill.total(), count);
            expected.sort_unstable();
            let mut found = Vec::new();
            let taken = spill.each(|share| {
                found.extend(share.iter().map(|(k, h)| (*k.as_bytes(), *h.as_bytes())));
                Ok::<(), FolderError>(())
            });
            taken.unwrap();
            assert_eq!(found, expected);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
