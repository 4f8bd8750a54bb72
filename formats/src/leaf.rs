//! The leaf: 64 bytes under the tree, and the salted commitment in them.
//!
//! ```text
//! commitment C = SHA-256( "PEC-ARCHIVE-COMMIT-v1" 00 | r 32 | kind u8 | content bytes u64
//!                         | SHA-256(content) 32 | BLAKE3(content) 32 | SHA-256(metadata) 32 )
//! leaf         = "PECL" | version u8 = 1 | kind u8 | flags u16 = 0 | log epoch u32 | seq u64
//!                | time ms u64 | class u16 | reserved u16 = 0 | C 32            -- 64 bytes
//! leaf hash    = SHA-256( 00 | leaf )
//! ```
//! All integers big-endian, all fields of fixed length: no ambiguity, no parser.
//!
//! # Invariants
//! 1. `seq` is the leaf index. 2. Flags and reserved bytes are zero; a reader refuses others.
//! 3. The commitment hides while `r` is unknown, and binds SHA-256 of content and metadata always.

use crate::digest::{ContentDigest, Sha256};
use crate::id::{LeafIndex, UtcMillis};
use crate::tree::LeafHash;
use crate::wire::Cursor;
use std::fmt;

/// Length of a leaf in bytes.
pub const LEAF_BYTES: usize = 64;
const MAGIC: &[u8; 4] = b"PECL";
const VERSION: u8 = 1;
const COMMIT_DOMAIN: &[u8] = b"PEC-ARCHIVE-COMMIT-v1\0";

/// Why bytes are not a leaf. Corruption or a newer format; never retried.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LeafError {
    /// Not 64 bytes.
    #[error("leaf of {0} bytes, not 64")]
    Length(usize),
    /// Does not begin with `PECL`.
    #[error("leaf does not begin with PECL")]
    Magic,
    /// A version this reader does not know.
    #[error("leaf version {0} is unknown")]
    Version(u8),
    /// A kind that is not in the list.
    #[error("record kind {0} is unknown")]
    Kind(u8),
    /// Flags are reserved and must be zero.
    #[error("leaf flags {0:#06x} are not zero")]
    Flags(u16),
    /// A class that is not in the list.
    #[error("retention class {0} is unknown")]
    Class(u16),
    /// Reserved bytes must be zero.
    #[error("leaf reserved bytes {0:#06x} are not zero")]
    Reserved(u16),
}

macro_rules! coded {
    ($(#[$doc:meta])* $name:ident: $repr:ty, $error:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $word:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $name { $($(#[$vdoc])* $variant = $code,)* }

        impl $name {
            /// Every value, in order of code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code on the wire.
            pub const fn code(self) -> $repr {
                self as $repr
            }

            /// The word used in documents and on the command line.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl TryFrom<$repr> for $name {
            type Error = LeafError;

            fn try_from(code: $repr) -> Result<Self, LeafError> {
                match code {
                    $($code => Ok(Self::$variant),)*
                    other => Err(LeafError::$error(other)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

coded! {
    /// What a record is.
    Kind: u8, Kind {
        /// A message as submitted by its author.
        Message = 1, "message";
        /// A receipt or notice of the PEC system.
        Receipt = 2, "receipt";
        /// One operation of the PEC log (the eight fields of DM 2 November 2005, annex 6.2).
        Trace = 3, "trace";
        /// An interval was closed.
        IntervalClosed = 4, "interval-closed";
        /// A disposal was completed.
        DisposalCompleted = 5, "disposal-completed";
        /// A hold was set.
        HoldSet = 6, "hold-set";
        /// A hold was released.
        HoldReleased = 7, "hold-released";
        /// Evidence was renewed.
        EvidenceRenewed = 8, "evidence-renewed";
        /// A key or certificate changed.
        KeyEvent = 9, "key-event";
        /// The clock stepped, or was confirmed.
        ClockEvent = 10, "clock-event";
        /// Something was disclosed.
        Disclosure = 11, "disclosure";
        /// A disposal is intended.
        DisposalIntent = 12, "disposal-intent";
        /// An approval was given.
        Approval = 13, "approval";
        /// A writer took over the log.
        Epoch = 14, "epoch";
        /// Configuration or software changed.
        Configuration = 15, "configuration";
        /// Something was out: no time-stamp, a late cut.
        Outage = 16, "outage";
        /// A source file: a provider's log as it came.
        SourceFile = 17, "source-file";
        /// Certificates, revocation lists, directories.
        TrustMaterial = 18, "trust-material";
        /// A transport or anomaly envelope.
        Envelope = 19, "envelope";
        /// An infected message.
        Infected = 20, "infected";
        /// Archived as received, not understood.
        Unclassified = 21, "unclassified";
        /// A restore from a backup.
        Restore = 22, "restore";
    }
}

impl Kind {
    /// Whether it is an act of the archive's own. Of some a leaf of another class says who acted: it is no record of the
    /// trace either.
    pub const fn is_act(self) -> bool {
        matches!(
            self,
            Self::IntervalClosed
                | Self::DisposalCompleted
                | Self::HoldSet
                | Self::HoldReleased
                | Self::EvidenceRenewed
                | Self::KeyEvent
                | Self::ClockEvent
                | Self::Disclosure
                | Self::DisposalIntent
                | Self::Approval
                | Self::Epoch
                | Self::Outage
                | Self::Restore
        )
    }
}

coded! {
    /// Retention class of a record.
    Class: u16, Class {
        /// The PEC log: thirty months, floor by law (DPR 68/2005 art. 11(2)).
        Trace = 1, "trace";
        /// Infected messages: thirty months, floor by law (DPR 68/2005 art. 12).
        Infected = 2, "infected";
        /// Logs of the Ministry of Justice's provider: five years, floor by law (DM 44/2011 art. 4(3)).
        Justice = 3, "justice";
        /// Receipts kept by contract.
        Receipt = 4, "receipt";
        /// Contents kept by contract.
        Content = 5, "content";
        /// The archive's own acts.
        Custody = 6, "custody";
    }
}

/// Which writer sequenced a leaf: rises each time a writer takes over the log.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch(pub u32);

/// The random opening `r` of a commitment: with it a holder proves, without it nobody guesses.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Opening([u8; 32]);

impl Opening {
    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening(redacted)")
    }
}

/// A salted commitment to a record: all that remains of it in the log after disposal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Commitment([u8; 32]);

impl Commitment {
    /// Commits to a record.
    pub fn new(
        opening: &Opening,
        kind: Kind,
        content: &ContentDigest,
        metadata_sha256: &Sha256,
    ) -> Self {
        let mut input = [0u8; 22 + 32 + 1 + 8 + 32 + 32 + 32];
        let mut out = Filler::new(&mut input);
        out.put(COMMIT_DOMAIN);
        out.put(&opening.0);
        out.put(&[kind.code()]);
        out.put(&content.bytes.to_be_bytes());
        out.put(content.sha256.as_bytes());
        out.put(content.blake3.as_bytes());
        out.put(metadata_sha256.as_bytes());
        Self(*Sha256::of(&input).as_bytes())
    }

    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// One leaf of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Leaf {
    /// What the record is.
    pub kind: Kind,
    /// Which writer sequenced it.
    pub epoch: Epoch,
    /// Its index in the tree.
    pub seq: LeafIndex,
    /// When it was sequenced, by the writer's wall clock. Not monotone: order is `seq`.
    pub time: UtcMillis,
    /// Its retention class.
    pub class: Class,
    /// What it commits to.
    pub commitment: Commitment,
}

impl Leaf {
    /// The 64 bytes.
    pub fn to_bytes(&self) -> [u8; LEAF_BYTES] {
        let mut bytes = [0; LEAF_BYTES];
        let mut out = Filler::new(&mut bytes);
        out.put(MAGIC);
        out.put(&[VERSION, self.kind.code()]);
        out.put(&0u16.to_be_bytes());
        out.put(&self.epoch.0.to_be_bytes());
        out.put(&self.seq.get().to_be_bytes());
        out.put(&self.time.get().to_be_bytes());
        out.put(&self.class.code().to_be_bytes());
        out.put(&0u16.to_be_bytes());
        out.put(&self.commitment.0);
        bytes
    }

    /// Reads the 64 bytes; strict in every field.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LeafError> {
        Self::read(bytes).ok_or(LeafError::Length(bytes.len()))?
    }

    fn read(bytes: &[u8]) -> Option<Result<Self, LeafError>> {
        let mut cursor = Cursor::new(bytes);
        let magic: [u8; 4] = cursor.array()?;
        let (version, kind, flags) = (cursor.u8()?, cursor.u8()?, cursor.u16()?);
        let (epoch, seq, time) = (cursor.u32()?, cursor.u64()?, cursor.u64()?);
        let (class, reserved, commitment) = (cursor.u16()?, cursor.u16()?, cursor.array()?);
        if !cursor.is_empty() {
            return None;
        }
        let checked = || {
            let kind = match (&magic, version, flags, reserved) {
                (m, ..) if m != MAGIC => return Err(LeafError::Magic),
                (_, v, ..) if v != VERSION => return Err(LeafError::Version(v)),
                (_, _, f, _) if f != 0 => return Err(LeafError::Flags(f)),
                (.., r) if r != 0 => return Err(LeafError::Reserved(r)),
                _ => Kind::try_from(kind)?,
            };
            Ok(Self {
                kind,
                epoch: Epoch(epoch),
                seq: LeafIndex::new(seq),
                time: UtcMillis::new(time),
                class: Class::try_from(class)?,
                commitment: Commitment(commitment),
            })
        };
        Some(checked())
    }

    /// The hash under which the leaf stands in the tree.
    pub fn hash(&self) -> LeafHash {
        LeafHash::of(&self.to_bytes())
    }
}

/// Fills a fixed buffer field after field. The lengths of all fields add up to the buffer's.
struct Filler<'a>(&'a mut [u8]);

impl<'a> Filler<'a> {
    fn new(buffer: &'a mut [u8]) -> Self {
        Self(buffer)
    }

    fn put(&mut self, bytes: &[u8]) {
        let (head, tail) = std::mem::take(&mut self.0).split_at_mut(bytes.len());
        head.copy_from_slice(bytes);
        self.0 = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &[u8] = b"Subject: ACCETTAZIONE: prova\r\n\r\nricevuta di test\r\n";

    fn vector() -> Leaf {
        let mut r = [0; 32];
        for (i, byte) in r.iter_mut().enumerate() {
            *byte = i as u8;
        }
        let commitment = Commitment::new(
            &Opening(r),
            Kind::Receipt,
            &ContentDigest::of(CONTENT),
            &Sha256::of(b""),
        );
        Leaf {
            kind: Kind::Receipt,
            epoch: Epoch(1),
            seq: LeafIndex::new(7),
            time: UtcMillis::new(1_763_700_000_000),
            class: Class::Trace,
            commitment,
        }
    }

    #[test]
    fn the_leaf_vector_is_reproduced() {
        let content = ContentDigest::of(CONTENT);
        assert_eq!(content.bytes, 50);
        assert_eq!(
            content.sha256.to_string(),
            "a44db05c6599fff8dc9fe2bf962d4c81f53a0ab78ffb472386cf495694495e19"
        );
        assert_eq!(
            content.blake3.to_string(),
            "b72ea6beea6003047de36c203b44dfddd328c9613ea8bf31dd5232ad39ba794e"
        );
        let leaf = vector();
        assert_eq!(
            hex::encode(leaf.commitment.0),
            "85adcb0f99e39c5376e39eaeb6bc2ced0e2ae3c0bc3e89bd8d08b0f1aca07d30"
        );
        assert_eq!(
            hex::encode(leaf.to_bytes()),
            "5045434c010200000000000100000000000000070000019aa4b64500000100008\
             5adcb0f99e39c5376e39eaeb6bc2ced0e2ae3c0bc3e89bd8d08b0f1aca07d30"
        );
        assert_eq!(
            leaf.hash().to_string(),
            "61452e6207c059f8a469bfede917bca3b17b4828fe3bd8aff10651134b0a6c41"
        );
    }

    #[test]
    fn a_leaf_is_read_back_and_every_defect_is_named() {
        let bytes = vector().to_bytes();
        assert_eq!(Leaf::from_bytes(&bytes), Ok(vector()));
        let with = |at: usize, value: u8| {
            let mut other = bytes;
            other[at] = value;
            Leaf::from_bytes(&other)
        };
        assert_eq!(with(0, b'Q'), Err(LeafError::Magic));
        assert_eq!(with(4, 2), Err(LeafError::Version(2)));
        assert_eq!(with(5, 0), Err(LeafError::Kind(0)));
        assert_eq!(with(5, 23), Err(LeafError::Kind(23)));
        assert_eq!(with(7, 1), Err(LeafError::Flags(1)));
        assert_eq!(with(29, 7), Err(LeafError::Class(7)));
        assert_eq!(with(31, 1), Err(LeafError::Reserved(1)));
        assert_eq!(Leaf::from_bytes(&bytes[1..]), Err(LeafError::Length(63)));
        assert_eq!(
            Leaf::from_bytes(&[&bytes[..], &[0]].concat()),
            Err(LeafError::Length(65))
        );
    }

    #[test]
    fn codes_are_dense_and_round_trip() {
        for (i, kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(kind.code() as usize, i + 1);
            assert_eq!(Kind::try_from(kind.code()), Ok(*kind));
        }
        for (i, class) in Class::ALL.iter().enumerate() {
            assert_eq!(class.code() as usize, i + 1);
            assert_eq!(Class::try_from(class.code()), Ok(*class));
        }
        assert_eq!((Kind::ALL.len(), Class::ALL.len()), (22, 6));
    }
}
