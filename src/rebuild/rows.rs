//! Files of rows: what a store holds, as it stands there, to be put into another one.
//!
//! ```text
//! "PECROWS1" 8 | rows: code u8 | length of the key u16 | length of the value u32 | key | value
//! code   1 state  2 interval  3 checkpoint  4 idempotency  5 secret  6 metadata  7 content  8 chunk  9 hold
//!        10 disposal  11 held  12 erasure
//! ```
//! Keys and values are those of the column families (`docs/formats.md` 11).
//!
//! # Invariants
//! 1. What a file came to is compared with its manifest when its last row was read: until then nothing of it counts.
//! 2. Memory is a row, whatever the length of a file.

use super::{RebuildError, damaged, io};
use crate::seal::folder::FileWriter;
use crate::store::cf::{ColumnFamily, Family};
use ceralacca_formats::catalogue::Entry;
use ceralacca_formats::digest::ContentHasher;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"PECROWS1";
const CODES: [(u8, Family); 12] = [
    (1, Family::State),
    (2, Family::Interval),
    (3, Family::Checkpoint),
    (4, Family::Idempotency),
    (5, Family::Secret),
    (6, Family::Metadata),
    (7, Family::Content),
    (8, Family::Chunk),
    (9, Family::Hold),
    (10, Family::Disposal),
    (11, Family::Held),
    (12, Family::Erasure),
];
const HEAD_BYTES: usize = 1 + 2 + 4;
/// The longest key there is, with room.
const KEY_BYTES_MAX: usize = 256;
/// The longest value: metadata of the longest record, encrypted.
const VALUE_BYTES_MAX: usize = 8 << 20;

/// A row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// Of which family.
    pub family: Family,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

impl Row {
    /// Key and value as the family says; an error names what is wrong with them.
    pub fn decode<C: ColumnFamily>(&self) -> Result<(C::Key, C::Value), String> {
        if self.family != C::FAMILY {
            return Err(format!("a row of {}", self.family.name()));
        }
        let failed = |why| format!("row of {} is malformed: {why}", C::FAMILY.name());
        let key = C::decode_key(&self.key).map_err(failed)?;
        let value = C::decode_value(&self.value).map_err(failed)?;
        Ok((key, value))
    }
}

/// The octets every file begins with.
pub(super) const fn head() -> &'static [u8] {
    MAGIC
}

/// Appends a row to a file; one that has no code is left out by whoever writes.
pub(super) fn write(
    file: &mut FileWriter,
    family: Family,
    key: &[u8],
    value: &[u8],
) -> Result<(), RebuildError> {
    let mut out = Vec::with_capacity(HEAD_BYTES + key.len() + value.len());
    if encode(family, key, value, &mut out).is_none() {
        return Err(damaged(family.name(), "a row longer than there can be"));
    }
    Ok(file.write(&out)?)
}

/// Appends the octets of a row; `None` where it has no code, or is longer than there can be.
pub fn encode(family: Family, key: &[u8], value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (code, _) = CODES.iter().find(|(_, known)| *known == family)?;
    let key_bytes = u16::try_from(key.len()).ok()?;
    let value_bytes = u32::try_from(value.len()).ok()?;
    if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
        return None;
    }
    out.push(*code);
    out.extend_from_slice(&key_bytes.to_be_bytes());
    out.extend_from_slice(&value_bytes.to_be_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(value);
    Some(())
}

/// Reads a file of rows.
pub(super) struct RowReader {
    path: PathBuf,
    file: BufReader<File>,
    hasher: ContentHasher,
    entry: Entry,
    at: u64,
}

impl RowReader {
    /// Opens a file that its manifest lists so.
    pub(super) fn open(folder: &Path, entry: &Entry) -> Result<Self, RebuildError> {
        let path = folder.join(&entry.path);
        let file = File::open(&path).map_err(io("open", &path))?;
        let mut reader = Self {
            path,
            file: BufReader::with_capacity(1 << 18, file),
            hasher: ContentHasher::default(),
            entry: entry.clone(),
            at: 0,
        };
        match reader.take(MAGIC.len())? == MAGIC {
            true => Ok(reader),
            false => Err(reader.bad("not a file of rows")),
        }
    }

    /// A damage of this file.
    pub(super) fn bad(&self, why: &str) -> RebuildError {
        damaged(&self.path.display().to_string(), why)
    }

    fn take(&mut self, bytes: usize) -> Result<Vec<u8>, RebuildError> {
        let mut octets = vec![0; bytes];
        match self.file.read_exact(&mut octets) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(self.bad("it ends within a row"));
            }
            other => other.map_err(io("read", &self.path))?,
        }
        self.hasher.update(&octets);
        self.at = self.at.saturating_add(bytes as u64);
        Ok(octets)
    }

    /// The next row; `None` at the end, where the file was compared with its manifest.
    pub(super) fn next(&mut self) -> Result<Option<Row>, RebuildError> {
        if self.at >= self.entry.bytes {
            return self.end().map(|()| None);
        }
        let head = self.take(HEAD_BYTES)?;
        let [code, k0, k1, v0, v1, v2, v3] = *head.as_slice() else {
            return Err(self.bad("it ends within a row"));
        };
        let key = usize::from(u16::from_be_bytes([k0, k1]));
        let value = u32::from_be_bytes([v0, v1, v2, v3]) as usize;
        let family = CODES.iter().find(|(known, _)| *known == code);
        let Some((_, family)) = family else {
            return Err(self.bad("a row of no family"));
        };
        if key > KEY_BYTES_MAX || value > VALUE_BYTES_MAX {
            return Err(self.bad("a row longer than there can be"));
        }
        Ok(Some(Row {
            family: *family,
            key: self.take(key)?,
            value: self.take(value)?,
        }))
    }

    fn end(&mut self) -> Result<(), RebuildError> {
        let mut more = [0];
        let more = self.file.read(&mut more).map_err(io("read", &self.path))?;
        let digest = std::mem::take(&mut self.hasher).finish();
        if more == 0 && (digest.bytes, digest.sha256) == (self.entry.bytes, self.entry.sha256) {
            return Ok(());
        }
        Err(self.bad("another length or digest than its manifest has"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of `docs/formats.md` 24.
    #[test]
    fn a_row_has_the_published_octets() {
        let mut out = Vec::new();
        encode(Family::Secret, &[1], &[1, 0xcc, 0xcc, 0xcc], &mut out).unwrap();
        assert_eq!(
            hex::encode(&out),
            "0500010000000401".to_owned() + "01cccccc"
        );
        out.clear();
        encode(Family::Erasure, &[7], &[1], &mut out).unwrap();
        assert_eq!(hex::encode(&out), "0c0001000000010701");
        assert!(encode(Family::Leaf, &[1], &[1], &mut out).is_none());
        let long = vec![0; KEY_BYTES_MAX + 1];
        assert!(encode(Family::Secret, &long, &[1], &mut out).is_none());
    }
}
