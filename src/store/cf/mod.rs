//! The column families: one file each, with name, key bytes, value bytes, who writes, who removes.
//!
//! Numeric keys are big-endian, so that the order on disk is the order of the log. Values begin with a
//! format byte, but where a family says otherwise. Decoding is total.

pub mod checkpoint;
pub mod chunk;
pub mod content;
pub mod dictionary;
pub mod disposal;
pub mod erasure;
pub mod held;
pub mod hold;
pub mod idempotency;
pub mod index;
pub mod interval;
pub mod leaf;
pub mod leaf_hash;
pub mod metadata;
pub mod secret;
pub mod staging;
pub mod state;
pub mod tile;

use ceralacca_formats::id::IntervalId;
use ceralacca_formats::leaf::Class;

/// What is wrong with a stored key or value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// Not the length the format has.
    #[error("length")]
    Length,
    /// A format byte this program does not know.
    #[error("format {0}")]
    Format(u8),
    /// A field outside its values.
    #[error("field {0}")]
    Field(&'static str),
}

/// A column family binds its key and value types once.
pub trait ColumnFamily {
    /// Which family.
    const FAMILY: Family;
    /// What its keys are.
    type Key;
    /// What its values are.
    type Value;

    /// Appends the key's bytes.
    fn encode_key(key: &Self::Key, out: &mut Vec<u8>);
    /// Reads a key.
    fn decode_key(bytes: &[u8]) -> Result<Self::Key, Malformed>;
    /// Appends the value's bytes.
    fn encode_value(value: &Self::Value, out: &mut Vec<u8>);
    /// Reads a value.
    fn decode_value(bytes: &[u8]) -> Result<Self::Value, Malformed>;
}

macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Every column family: the one list that opening, `fsck` and the tests go by.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Family { $($(#[$doc])* $variant,)* }

        impl Family {
            /// Every family.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name on disk.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

families! {
    /// Single rows: format, names, tip.
    State = "state",
    /// Leaves by index.
    Leaf = "leaf",
    /// Full tiles.
    Tile = "tile",
    /// Encrypted metadata.
    Metadata = "metadata",
    /// Small encrypted contents, in the batch of their leaf.
    Content = "content",
    /// Parts of large encrypted contents, staged before their leaf.
    Chunk = "chunk",
    /// Uploads whose leaf has not come.
    Staging = "staging",
    /// Wrapped secrets.
    Secret = "secret",
    /// Client keys.
    Idempotency = "idempotency",
    /// Index postings.
    Index = "index",
    /// Leaves by hash: buckets of sorted runs.
    LeafHash = "leaf-hash",
    /// Intervals.
    Interval = "interval",
    /// Kept checkpoints.
    Checkpoint = "checkpoint",
    /// Compression dictionaries.
    Dictionary = "dictionary",
    /// Holds.
    Hold = "hold",
    /// Disposals under way and done.
    Disposal = "disposal",
    /// Records carried over under a hold.
    Held = "held",
    /// Records erased singly.
    Erasure = "erasure",
}

impl Family {
    /// The families whose rows go with their interval.
    pub const OF_AN_INTERVAL: &'static [Self] = &[
        Self::Metadata,
        Self::Content,
        Self::Chunk,
        Self::Secret,
        Self::Index,
    ];
}

/// A cursor over stored bytes.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads a value whose format byte must be 1.
    pub(crate) fn value(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Self(bytes);
        match reader.u8()? {
            FORMAT => Ok(reader),
            other => Err(Malformed::Format(other)),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.0.split_first_chunk().ok_or(Malformed::Length)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn class(&mut self) -> Result<Class, Malformed> {
        Class::try_from(self.u16()?).map_err(|_| Malformed::Field("class"))
    }

    pub(crate) fn interval(&mut self) -> Result<IntervalId, Malformed> {
        self.u64().map(IntervalId::new)
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn end(self) -> Result<(), Malformed> {
        self.0.is_empty().then_some(()).ok_or(Malformed::Length)
    }
}

/// The format byte of every value of disk format 1.
pub(crate) const FORMAT: u8 = 1;

/// `interval u64 | class u16`: how every key begins whose rows a disposal removes.
pub fn unit_prefix(interval: IntervalId, class: Class) -> Vec<u8> {
    let mut prefix = interval.get().to_be_bytes().to_vec();
    prefix.extend_from_slice(&class.code().to_be_bytes());
    prefix
}

pub(crate) fn put_unit(interval: IntervalId, class: Class, out: &mut Vec<u8>) {
    out.extend_from_slice(&interval.get().to_be_bytes());
    out.extend_from_slice(&class.code().to_be_bytes());
}
