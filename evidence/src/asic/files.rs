//! Files as a verifier meets them, wherever they lie; and what is measured of each.

use super::crc32::Crc32;
use super::error::AsicError;
use ceralacca_formats::digest::{Sha256, Sha256Hasher};
use std::io::{self, Read, Write};

/// Bytes moved at once.
const PIECE: usize = 64 * 1024;

/// What must be known of a content before it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Measured {
    /// Its length.
    pub bytes: u64,
    /// Its checksum.
    pub crc32: u32,
    /// Its digest.
    pub sha256: Sha256,
}

impl Measured {
    /// Of bytes at hand.
    pub fn of(bytes: &[u8]) -> Self {
        let mut measuring = Measuring::default();
        measuring.update(bytes);
        measuring.finish()
    }
}

/// Measures a content by reading it to its end, in bounded memory.
///
/// # Errors
/// Those of the reader.
pub fn measure(content: impl Read) -> io::Result<Measured> {
    copy(content, &mut io::sink())
}

/// Files with names: a container, or a folder.
pub trait Files {
    /// Names of all files, in their order; of a folder, sorted.
    fn names(&self) -> Vec<String>;

    /// Passes a content on, and measures it.
    ///
    /// # Errors
    /// [`AsicError::Absent`], [`AsicError::Io`], [`AsicError::Layout`] when its checksum is wrong.
    fn copy(&mut self, name: &str, out: &mut dyn Write) -> Result<Measured, AsicError>;

    /// A content of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// As [`Files::copy`]; [`AsicError::TooLarge`].
    fn read(&mut self, name: &str, bytes_max: u64) -> Result<Vec<u8>, AsicError> {
        let mut bounded = Bounded {
            bytes: Vec::new(),
            left: bytes_max,
        };
        match self.copy(name, &mut bounded) {
            Err(AsicError::Io(_)) if bounded.left == 0 => Err(AsicError::TooLarge(name.to_owned())),
            Err(error) => Err(error),
            Ok(_) => Ok(bounded.bytes),
        }
    }
}

struct Bounded {
    bytes: Vec<u8>,
    left: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len() as u64;
        match self.left.checked_sub(taken) {
            Some(left) => {
                self.left = left;
                self.bytes.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            None => {
                self.left = 0;
                Err(io::ErrorKind::FileTooLarge.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies and measures.
pub(super) fn copy(mut from: impl Read, to: &mut dyn Write) -> io::Result<Measured> {
    let mut measuring = Measuring::default();
    let mut piece = vec![0u8; PIECE];
    loop {
        let length = match from.read(&mut piece) {
            Ok(0) => return Ok(measuring.finish()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = piece.get(..length).unwrap_or_default();
        measuring.update(bytes);
        to.write_all(bytes)?;
    }
}

struct Measuring {
    bytes: u64,
    crc32: Crc32,
    digest: Sha256Hasher,
}

impl Default for Measuring {
    fn default() -> Self {
        Self {
            bytes: 0,
            crc32: Crc32::new(),
            digest: Sha256Hasher::default(),
        }
    }
}

impl Measuring {
    fn update(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.crc32.update(bytes);
        self.digest.update(bytes);
    }

    fn finish(self) -> Measured {
        Measured {
            bytes: self.bytes,
            crc32: self.crc32.finish(),
            sha256: self.digest.finish(),
        }
    }
}
