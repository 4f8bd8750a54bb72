//! `checkpoint`: kept checkpoints: each interval's, each witnessed one.
//!
//! ```text
//! key    tree size u64             an interval's, as the log signed it
//!        ff | tree size u64        a witnessed one, with its cosignatures
//! value  format u8 = 1 | checkpoint note (text)
//! ```
//! Written once: an interval's in the batch of its cut, a witnessed one when its quorum had answered. Never removed,
//! never rewritten. Sizes of real logs begin with 00, so the witnessed ones stand last. The last checkpoint is a row
//! of `state`.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};
use ceralacca_formats::id::TreeSize;

/// The family.
pub struct Checkpoints;

/// Which checkpoint of a size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// As the log signed it.
    Own(TreeSize),
    /// With the cosignatures of a quorum.
    Witnessed(TreeSize),
}

/// Before the size of a witnessed one.
const WITNESSED: u8 = 0xff;

impl Kept {
    /// How the keys of all witnessed ones begin.
    pub const WITNESSED_PREFIX: &'static [u8] = &[WITNESSED];

    /// Its size.
    pub const fn size(self) -> TreeSize {
        match self {
            Self::Own(size) | Self::Witnessed(size) => size,
        }
    }
}

impl ColumnFamily for Checkpoints {
    const FAMILY: Family = Family::Checkpoint;
    type Key = Kept;
    type Value = String;

    fn encode_key(key: &Kept, out: &mut Vec<u8>) {
        if let Kept::Witnessed(_) = key {
            out.push(WITNESSED);
        }
        out.extend_from_slice(&key.size().get().to_be_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<Kept, Malformed> {
        let mut reader = Reader::new(bytes);
        let of: fn(TreeSize) -> Kept = match bytes.len() {
            8 => Kept::Own,
            _ if reader.u8()? == WITNESSED => Kept::Witnessed,
            _ => return Err(Malformed::Field("which")),
        };
        let size = TreeSize::new(reader.u64()?);
        reader.end().map(|()| of(size))
    }

    fn encode_value(note: &String, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.extend_from_slice(note.as_bytes());
    }

    fn decode_value(bytes: &[u8]) -> Result<String, Malformed> {
        let note = Reader::value(bytes)?.rest().to_vec();
        String::from_utf8(note).map_err(|_| Malformed::Field("note"))
    }
}
