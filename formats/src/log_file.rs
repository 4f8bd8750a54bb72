//! Log files: the *file di log* of one class and interval (DM 2 November 2005, annex 6.2), as handed out.
//!
//! ```text
//! {"class":1,"first":17,"format":"ceralacca log file 1","interval":1763683200000,"origin":"…","part":1,"salt":"…"}
//! {"leaf":"<128>","opening":"<64>","metadata":{…}}
//! {"leaf":"<128>","opening":"<64>","content":{"blake3":"<64>","bytes":n,"sha256":"<64>"},"metadata":{…}}
//! {"leaf":"<128>"}
//! ```
//! JSON Lines: the head, then one record a line, in log order; binary values in lower case hexadecimal. A record that
//! has keys of its own (an object) has its leaf only: metadata and opening travel with the object, so that it can be
//! erased alone. The octets of the canonical metadata are those between `"metadata":` and the last brace: from leaf,
//! opening, content and metadata anyone recomputes the commitment.
//!
//! # Invariants
//! 1. A line that parses recomputes the commitment in its leaf.
//! 2. One spelling: what would be written otherwise is refused.
//! 3. The head has 32 random bytes: the digest of a file says nothing of what is in it, however little that is.

use crate::canonical::{Integer, ObjectReader, ObjectWriter};
use crate::digest::{Blake3, ContentDigest, Sha256};
use crate::id::{INTEGER_MAX, IntervalId, LeafIndex, Origin};
use crate::leaf::{Class, Commitment, LEAF_BYTES, Leaf, LeafError, Opening};
use crate::metadata::metadata_digest;
use std::io::Write as _;

const FORMAT: &str = "ceralacca log file 1";
/// The longest line, in bytes: the longest metadata, and what stands around it.
pub const LINE_BYTES_MAX: usize = (4 << 20) + 1024;

/// Why a line is none. The file is not what the archive wrote.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LineError {
    /// The first line is not a head of this format.
    #[error("the first line is not the head of a log file")]
    Head,
    /// Not one of the shapes of a record's line.
    #[error("not a line of a log file")]
    Shape,
    /// The leaf is none.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// What the line says is not what its leaf commits to.
    #[error("leaf {0} does not commit to what its line says")]
    Commitment(LeafIndex),
}

/// The head of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Head {
    /// Origin of the log.
    pub origin: Origin,
    /// The interval.
    pub interval: IntervalId,
    /// The class.
    pub class: Class,
    /// Which part of the class it is, from 1.
    pub part: u32,
    /// Leaf index of the first record in it.
    pub first: LeafIndex,
    /// Random: makes the digest of the file hiding.
    pub salt: [u8; 32],
}

impl Head {
    /// The first line, line feed included: canonical JSON (RFC 8785).
    pub fn to_line(&self) -> String {
        let integer = |n: u64| Integer::try_from(n.min(INTEGER_MAX)).unwrap_or(Integer::ZERO);
        let mut line = String::with_capacity(256);
        ObjectWriter::write(&mut line, |w| {
            w.integer("class", integer(self.class.code().into()));
            w.integer("first", integer(self.first.get()));
            w.text("format", FORMAT.as_bytes());
            w.integer("interval", integer(self.interval.get()));
            w.text("origin", self.origin.as_str().as_bytes());
            w.integer("part", integer(self.part.into()));
            w.text("salt", hex::encode(self.salt).as_bytes());
        });
        line.push('\n');
        line
    }

    /// Reads the first line, without its line feed.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        Self::read(line).ok_or(LineError::Head)
    }

    fn read(line: &[u8]) -> Option<Self> {
        let mut r = ObjectReader::parse(line).ok()?;
        let number = |r: &mut ObjectReader, key| u64::try_from(r.integer(key).ok()??.get()).ok();
        let class = u16::try_from(number(&mut r, "class")?).ok()?;
        let first = LeafIndex::new(number(&mut r, "first")?);
        if r.text("format").ok()??.to_str()? != FORMAT {
            return None;
        }
        let interval = IntervalId::new(number(&mut r, "interval")?);
        let origin = r.text("origin").ok()??;
        let part = u32::try_from(number(&mut r, "part")?).ok()?;
        let salt = Sha256::from_hex(r.text("salt").ok()??.to_str()?)?;
        r.end().ok()?;
        Some(Self {
            origin: Origin::try_from(origin.to_str()?).ok()?,
            interval,
            class: Class::try_from(class).ok()?,
            part,
            first,
            salt: *salt.as_bytes(),
        })
    }
}

/// A line of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Line<'a> {
    /// A record whose metadata and opening travel with it.
    Bare(Leaf),
    /// A record in full.
    Full {
        /// Its leaf.
        leaf: Leaf,
        /// The opening of its commitment.
        opening: Opening,
        /// Length and digests of its content; [`ContentDigest::EMPTY`] for none.
        content: ContentDigest,
        /// Its canonical metadata.
        canonical: &'a [u8],
    },
}

impl Line<'_> {
    /// The leaf.
    pub fn leaf(&self) -> &Leaf {
        match self {
            Self::Bare(leaf) | Self::Full { leaf, .. } => leaf,
        }
    }

    /// Appends the line, line feed included.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut digits = [0; 2 * LEAF_BYTES];
        let mut put_hex = |bytes: &[u8], out: &mut Vec<u8>| {
            // The widest value is a leaf.
            if let Some(digits) = digits.get_mut(..2 * bytes.len())
                && hex::encode_to_slice(bytes, digits).is_ok()
            {
                out.extend_from_slice(digits);
            }
        };
        out.extend_from_slice(b"{\"leaf\":\"");
        put_hex(&self.leaf().to_bytes(), out);
        out.push(b'"');
        if let Self::Full {
            opening,
            content,
            canonical,
            ..
        } = self
        {
            out.extend_from_slice(b",\"opening\":\"");
            put_hex(opening.as_bytes(), out);
            out.push(b'"');
            if *content != ContentDigest::EMPTY {
                out.extend_from_slice(b",\"content\":{\"blake3\":\"");
                put_hex(content.blake3.as_bytes(), out);
                // Writing to memory does not fail.
                let _ = write!(out, "\",\"bytes\":{},\"sha256\":\"", content.bytes);
                put_hex(content.sha256.as_bytes(), out);
                out.extend_from_slice(b"\"}");
            }
            out.extend_from_slice(b",\"metadata\":");
            out.extend_from_slice(canonical);
        }
        out.extend_from_slice(b"}\n");
    }

    /// Reads a line without its line feed, and recomputes the commitment.
    pub fn parse(line: &[u8]) -> Result<Line<'_>, LineError> {
        let mut rest = Rest(line);
        rest.expect(b"{\"leaf\":\"")?;
        let leaf = Leaf::from_bytes(&rest.hex::<LEAF_BYTES>()?)?;
        rest.expect(b"\"")?;
        if rest.0 == b"}" {
            return Ok(Line::Bare(leaf));
        }
        rest.expect(b",\"opening\":\"")?;
        let opening = Opening::from_bytes(rest.hex()?);
        rest.expect(b"\"")?;
        let content = match rest.expect(b",\"content\":{\"blake3\":\"") {
            Err(_) => ContentDigest::EMPTY,
            Ok(()) => rest.content()?,
        };
        rest.expect(b",\"metadata\":")?;
        let canonical = rest.0.strip_suffix(b"}").ok_or(LineError::Shape)?;
        let digest = metadata_digest(canonical);
        if Commitment::new(&opening, leaf.kind, &content, &digest) != leaf.commitment {
            return Err(LineError::Commitment(leaf.seq));
        }
        Ok(Line::Full {
            leaf,
            opening,
            content,
            canonical,
        })
    }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn expect(&mut self, prefix: &[u8]) -> Result<(), LineError> {
        self.0 = self.0.strip_prefix(prefix).ok_or(LineError::Shape)?;
        Ok(())
    }

    fn hex<const N: usize>(&mut self) -> Result<[u8; N], LineError> {
        let (digits, rest) = self.0.split_at_checked(2 * N).ok_or(LineError::Shape)?;
        if digits.iter().any(u8::is_ascii_uppercase) {
            return Err(LineError::Shape);
        }
        let mut bytes = [0; N];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| LineError::Shape)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn content(&mut self) -> Result<ContentDigest, LineError> {
        let blake3 = Blake3::from_bytes(self.hex()?);
        self.expect(b"\",\"bytes\":")?;
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at_checked(digits).ok_or(LineError::Shape)?;
        if number.first() == Some(&b'0') && number.len() > 1 {
            return Err(LineError::Shape);
        }
        let number = std::str::from_utf8(number).ok();
        let bytes = number.and_then(|n| n.parse().ok());
        let bytes = bytes.ok_or(LineError::Shape)?;
        self.0 = rest;
        self.expect(b",\"sha256\":\"")?;
        let sha256 = Sha256::from_bytes(self.hex()?);
        self.expect(b"\"}")?;
        let content = ContentDigest {
            bytes,
            sha256,
            blake3,
        };
        // Without a content there is no member (invariant 2).
        (content != ContentDigest::EMPTY)
            .then_some(content)
            .ok_or(LineError::Shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UtcMillis;
    use crate::leaf::{Epoch, Kind};
    use proptest::prelude::*;

    fn leaf(content: &ContentDigest, canonical: &[u8]) -> (Leaf, Opening) {
        let opening = Opening::from_bytes([7; 32]);
        let digest = metadata_digest(canonical);
        let leaf = Leaf {
            kind: Kind::Trace,
            epoch: Epoch(1),
            seq: LeafIndex::new(17),
            time: UtcMillis::new(1_763_700_000_000),
            class: Class::Trace,
            commitment: Commitment::new(&opening, Kind::Trace, content, &digest),
        };
        (leaf, opening)
    }

    fn head() -> Head {
        Head {
            origin: Origin::try_from("pec.example/log").unwrap(),
            interval: IntervalId::new(1_763_683_200_000),
            class: Class::Trace,
            part: 1,
            first: LeafIndex::new(17),
            salt: [0xab; 32],
        }
    }

    fn lines() -> Vec<u8> {
        let canonical = b"{\"event\":\"accettazione\",\"schema\":1,\"type\":\"trace\"}";
        let content = ContentDigest::of(b"a trust item");
        let mut out = head().to_line().into_bytes();
        for content in [ContentDigest::EMPTY, content] {
            let (leaf, opening) = leaf(&content, canonical);
            let line = Line::Full {
                leaf,
                opening,
                content,
                canonical,
            };
            line.write(&mut out);
        }
        Line::Bare(leaf(&ContentDigest::EMPTY, canonical).0).write(&mut out);
        out
    }

    #[test]
    fn a_log_file_has_the_published_bytes() {
        let vector = include_bytes!("../vectors/log-file.jsonl");
        assert_eq!(
            String::from_utf8_lossy(&lines()),
            String::from_utf8_lossy(vector)
        );
        let mut lines = vector.strip_suffix(b"\n").unwrap().split(|b| *b == b'\n');
        assert_eq!(Head::parse(lines.next().unwrap()).unwrap(), head());
        let parsed: Vec<_> = lines.map(|line| Line::parse(line).unwrap()).collect();
        assert_eq!(parsed.len(), 3);
        assert!(matches!(parsed[2], Line::Bare(_)));
    }

    #[test]
    fn no_altered_byte_of_a_full_line_is_read() {
        let all = lines();
        for line in all.split(|b| *b == b'\n').skip(1).take(2) {
            for at in 0..line.len() {
                for bit in [1u8, 0x20] {
                    let mut altered = line.to_vec();
                    altered[at] ^= bit;
                    // Kind, epoch, index, time and class of the leaf are bound by the tree, not by the line.
                    if let Ok(read) = Line::parse(&altered) {
                        assert!((9..73).contains(&at), "byte {at}");
                        assert_ne!(Some(read), Line::parse(line).ok());
                    }
                }
            }
        }
    }

    #[test]
    fn a_head_has_one_spelling() {
        let line = head().to_line();
        let line = line.trim_end();
        for other in [
            line.replace("\"part\":1", "\"part\": 1"),
            line.replace("\"part\":1", "\"part\":1,\"x\":1"),
            line.replace("file 1", "file 2"),
            line.replace("abab", "ABAB"),
        ] {
            assert_eq!(Head::parse(other.as_bytes()), Err(LineError::Head));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Head::parse(&bytes);
            let _ = Line::parse(&bytes);
        }
    }
}
