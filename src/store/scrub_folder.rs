//! What the scrub keeps beside the database, and its raw reading of the database's files.
//!
//! ```text
//! <log>/scrub/state         how far the scrub is (audit::scrub draws it)
//! <log>/scrub/sums/<file>   32 bytes for each piece of a file that never changes, then 32 over all (docs/formats.md)
//! <log>/scrub/view/         the store's files, linked; there during an inspection only
//! ```
//!
//! # Invariants
//! 1. Never the truth: without this folder the log is whole, and the scrub begins again.
//! 2. Files here are replaced whole. Sums that do not sum up themselves count as none.

use super::StoreError;
use ceralacca_formats::digest::Sha256;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes of a piece; the last of a file may be shorter.
pub const PIECE_BYTES: u64 = 4 << 20;
/// A state is far smaller; more is not one.
const STATE_BYTES_MAX: u64 = 4 << 20;
/// Says which format the sum over all sums is of.
const SUMS_CONTEXT: &[u8] = b"ceralacca scrub sums 1\n";

/// The folder, and the log around it.
#[derive(Clone, Debug)]
pub struct ScrubFolder {
    log: PathBuf,
}

/// Length and digests of a file as it was first seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sums {
    /// Its length, in bytes.
    pub bytes: u64,
    /// SHA-256 of each piece.
    pub pieces: Vec<Sha256>,
}

/// How many pieces a file of this length has.
pub const fn pieces_of(bytes: u64) -> u64 {
    bytes.div_ceil(PIECE_BYTES)
}

impl Sums {
    /// `length u64 | digests 32 each | SHA-256 over context, name, 0 and these`.
    pub fn to_bytes(&self, name: &str) -> Vec<u8> {
        let mut bytes = self.bytes.to_be_bytes().to_vec();
        for piece in &self.pieces {
            bytes.extend_from_slice(piece.as_bytes());
        }
        let all = Sha256::of_parts(&[SUMS_CONTEXT, name.as_bytes(), b"\0", &bytes]);
        bytes.extend_from_slice(all.as_bytes());
        bytes
    }

    /// Reads them back; none where they are of another file or altered.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Option<Self> {
        let (body, all) = bytes.split_last_chunk::<32>()?;
        let expected = Sha256::of_parts(&[SUMS_CONTEXT, name.as_bytes(), b"\0", body]);
        let (length, pieces) = body.split_first_chunk::<8>()?;
        let (pieces, rest) = pieces.as_chunks::<32>();
        let bytes = u64::from_be_bytes(*length);
        let whole = rest.is_empty() && pieces.len() as u64 == pieces_of(bytes);
        (whole && expected.as_bytes() == all).then(|| Self {
            bytes,
            pieces: pieces
                .iter()
                .map(|piece| Sha256::from_bytes(*piece))
                .collect(),
        })
    }
}

impl ScrubFolder {
    /// Of the log in this directory. Nothing is made before something is kept.
    pub fn of(log: &Path) -> Self {
        Self {
            log: log.to_owned(),
        }
    }

    fn folder(&self) -> PathBuf {
        self.log.join("scrub")
    }

    fn database(&self) -> PathBuf {
        super::outside::database_of(&self.log)
    }

    /// Where an inspection may link files; the folder around it is made.
    pub fn scratch(&self) -> Result<PathBuf, StoreError> {
        std::fs::create_dir_all(self.folder()).map_err(failed)?;
        Ok(self.folder().join("view"))
    }

    /// Removes what an inspection that was killed left behind: it would pin what the store drops.
    pub fn sweep(&self) -> Result<(), StoreError> {
        for name in ["view", "view.tmp"] {
            match std::fs::remove_dir_all(self.folder().join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The kept state, if there is one.
    pub fn state(&self) -> Result<Option<Vec<u8>>, StoreError> {
        read(&self.folder().join("state"), STATE_BYTES_MAX)
    }

    /// Keeps a state; durable on return.
    pub fn keep_state(&self, bytes: &[u8]) -> Result<(), StoreError> {
        replace(&self.folder(), "state", bytes)
    }

    /// The sums of a file, if they are kept and sound.
    pub fn sums(&self, name: &str) -> Result<Option<Sums>, StoreError> {
        let bytes = read(&self.folder().join("sums").join(name), u64::MAX)?;
        Ok(bytes.and_then(|bytes| Sums::from_bytes(name, &bytes)))
    }

    /// Keeps the sums of a file.
    pub fn keep_sums(&self, name: &str, sums: &Sums) -> Result<(), StoreError> {
        replace(&self.folder().join("sums"), name, &sums.to_bytes(name))
    }

    /// Drops the sums of files that are not among these.
    pub fn retain_sums(&self, is_there: impl Fn(&str) -> bool) -> Result<(), StoreError> {
        for name in names(&self.folder().join("sums"))? {
            if !is_there(&name) {
                std::fs::remove_file(self.folder().join("sums").join(name)).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// A piece of a file of the database: empty behind its end; `None` where there is no such file.
    pub fn piece(&self, name: &str, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut file = match File::open(self.database().join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        let start = number.saturating_mul(PIECE_BYTES);
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(PIECE_BYTES)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Ok(Some(bytes))
    }

    /// Whether `format` still says what this program knows.
    pub fn check_format(&self) -> Result<(), StoreError> {
        super::outside::check_format(&self.log)
    }

    /// The checkpoint beside the database.
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, StoreError> {
        super::outside::read_checkpoint(&self.log)
    }

    /// Names in the log's directory, those of the database with `db/` before them.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let mut all = names(&self.log)?;
        let inside = names(&self.database())?;
        all.extend(inside.into_iter().map(|name| format!("db/{name}")));
        Ok(all)
    }
}

fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    std::fs::create_dir_all(folder).map_err(failed)?;
    let temporary = folder.join(format!("{name}.tmp"));
    let mut file = File::create(&temporary).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&temporary, folder.join(name)).map_err(failed)
}

fn failed(source: io::Error) -> StoreError {
    let attempt = "read or write for the scrub";
    match source.kind() {
        io::ErrorKind::StorageFull => StoreError::DiskFull,
        _ => StoreError::Io { attempt, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_of_their_file_and_whole() {
        let sums = Sums {
            bytes: PIECE_BYTES + 1,
            pieces: vec![Sha256::of(b"a"), Sha256::of(b"b")],
        };
        let bytes = sums.to_bytes("000012.sst");
        // docs/formats.md, section 10: the vector.
        assert_eq!(bytes.len(), 8 + 64 + 32);
        assert_eq!(hex::encode(&bytes[..12]), "0000000000400001ca978112");
        let sum = "4b8d45bf7932fd52ffb99902e471b1881fdf863d993f8ae7c81ad2a7b44e826a";
        assert_eq!(hex::encode(&bytes[72..]), sum);
        assert_eq!(Sums::from_bytes("000012.sst", &bytes), Some(sums));
        assert_eq!(Sums::from_bytes("000013.sst", &bytes), None);
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert_eq!(Sums::from_bytes("000012.sst", &altered), None, "byte {at}");
            assert_eq!(Sums::from_bytes("000012.sst", &bytes[..at]), None);
        }
    }
}
