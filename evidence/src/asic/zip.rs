//! The octets of the ZIP around the contents (APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16): one layout only.
//!
//! Little-endian. Version needed 10, made by 20 on no particular system, no flags, method 0 (stored), time 0, date
//! 0x0021 (1980-01-01), no extra field, no attributes. A stored entry has one size.

use super::error::AsicError;
use super::name::FileName;

/// Date of every entry: 1 January 1980.
const DATE: u16 = 0x0021;
/// Length of the fixed part of a central header.
pub(super) const CENTRAL: usize = 46;
/// Length of the record at the end, without the comment.
pub(super) const END: usize = 22;

/// An entry as the central directory has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub name: FileName,
    pub crc32: u32,
    pub bytes: u32,
    pub offset: u32,
}

impl Entry {
    fn common(&self, into: &mut Vec<u8>) {
        for word in [10u16, 0, 0, 0, DATE] {
            into.extend(word.to_le_bytes());
        }
        for long in [self.crc32, self.bytes, self.bytes] {
            into.extend(long.to_le_bytes());
        }
        // A name has 200 bytes at most.
        let length = u16::try_from(self.name.as_str().len()).unwrap_or(u16::MAX);
        into.extend(length.to_le_bytes());
        into.extend(0u16.to_le_bytes());
    }

    /// The header before the content.
    pub(super) fn local(&self) -> Vec<u8> {
        let mut header = b"PK\x03\x04".to_vec();
        self.common(&mut header);
        header.extend(self.name.as_str().bytes());
        header
    }

    /// The header in the central directory.
    pub(super) fn central(&self) -> Vec<u8> {
        let mut header = b"PK\x01\x02".to_vec();
        header.extend(20u16.to_le_bytes());
        self.common(&mut header);
        for word in [0u16, 0, 0] {
            header.extend(word.to_le_bytes());
        }
        for long in [0u32, self.offset] {
            header.extend(long.to_le_bytes());
        }
        header.extend(self.name.as_str().bytes());
        header
    }

    /// Where the next entry begins.
    pub(super) fn end(&self) -> Option<u64> {
        let header = u64::try_from(self.local().len()).ok()?;
        u64::from(self.offset)
            .checked_add(header)?
            .checked_add(u64::from(self.bytes))
    }

    /// Reads the entry at the head of a central directory; gives the rest. Octets other than this layout's are found
    /// by writing the entry again.
    pub(super) fn read(directory: &[u8]) -> Result<(Self, &[u8]), AsicError> {
        let broken = |what| AsicError::Layout {
            part: "central directory".to_owned(),
            what,
        };
        let cut = || broken("it ends early");
        let word = |at: usize| -> Option<u16> {
            let bytes = directory.get(at..at.checked_add(2)?)?;
            Some(u16::from_le_bytes(bytes.try_into().ok()?))
        };
        let long = |at: usize| -> Option<u32> {
            let bytes = directory.get(at..at.checked_add(4)?)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let length = usize::from(word(28).ok_or_else(cut)?);
        let whole = CENTRAL.checked_add(length).ok_or_else(cut)?;
        let (header, rest) = directory.split_at_checked(whole).ok_or_else(cut)?;
        let name = header.get(CENTRAL..).unwrap_or_default();
        let name = std::str::from_utf8(name).map_err(|_| broken("a name is no ascii"))?;
        let entry = Self {
            name: FileName::new(name)?,
            crc32: long(16).ok_or_else(cut)?,
            bytes: long(20).ok_or_else(cut)?,
            offset: long(42).ok_or_else(cut)?,
        };
        if entry.central() == header {
            Ok((entry, rest))
        } else {
            Err(AsicError::Layout {
                part: entry.name.to_string(),
                what: "its header in the central directory",
            })
        }
    }
}

/// The record at the end.
pub(super) fn end(entries: usize, directory: u32, offset: u32, comment: &str) -> Option<Vec<u8>> {
    let count = u16::try_from(entries).ok()?;
    let mut record = b"PK\x05\x06".to_vec();
    for word in [0, 0, count, count] {
        record.extend(word.to_le_bytes());
    }
    record.extend(directory.to_le_bytes());
    record.extend(offset.to_le_bytes());
    record.extend(u16::try_from(comment.len()).ok()?.to_le_bytes());
    record.extend(comment.bytes());
    Some(record)
}
