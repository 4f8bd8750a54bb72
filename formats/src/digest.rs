//! Digests: the only door to SHA-256 and BLAKE3.
//!
//! # Invariants
//! 1. The legal chain is SHA-256; BLAKE3 stands beside it, never alone (design promise P11).
//! 2. A digest is over bytes as received; compression, transport and display happen outside it.
//! 3. Digests of different purpose are different types.

use std::fmt;

/// SHA-256 of some bytes, FIPS 180-4.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Sha256([u8; 32]);

/// BLAKE3 of some bytes, 32-byte output, unkeyed.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Blake3([u8; 32]);

macro_rules! digest_value {
    ($name:ident, $label:literal) => {
        impl $name {
            /// A digest computed elsewhere.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// From 64 lower-case hexadecimal digits; `None` for anything else.
            pub fn from_hex(text: &str) -> Option<Self> {
                decode_hex32(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($label, ":{}"), self)
            }
        }
    };
}

digest_value!(Sha256, "sha256");
digest_value!(Blake3, "blake3");

/// 64 lower-case hexadecimal digits as 32 bytes.
pub(crate) fn decode_hex32(text: &str) -> Option<[u8; 32]> {
    decode_hex(text)?.try_into().ok()
}

/// Lower-case hexadecimal digits as bytes. One spelling only, so that a text has one meaning.
pub(crate) fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let is_lower = !text.bytes().any(|c| c.is_ascii_uppercase());
    is_lower.then(|| hex::decode(text).ok()).flatten()
}

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        Self(output(&digest))
    }

    /// The digest of the concatenation of `parts`.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        for part in parts {
            context.update(part);
        }
        Self(finish(context))
    }
}

fn finish(context: aws_lc_rs::digest::Context) -> [u8; 32] {
    output(&context.finish())
}

fn output(digest: &aws_lc_rs::digest::Digest) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "SHA-256 has 32 bytes")]
    digest.as_ref().try_into().expect("32 bytes of SHA-256")
}

impl Blake3 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// BLAKE3 keyed hash: a pseudo-random function for secrets and index tokens, never for evidence.
pub(crate) fn keyed(key: &[u8; 32], input: &[u8]) -> [u8; 32] {
    *blake3::keyed_hash(key, input).as_bytes()
}

/// BLAKE3 key derivation with its own context string.
pub(crate) fn derive(context: &str, material: &[u8]) -> [u8; 32] {
    blake3::derive_key(context, material)
}

/// Length and both digests of a content, as a commitment binds them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContentDigest {
    /// Length of the content in bytes.
    pub bytes: u64,
    /// SHA-256 of the content as received.
    pub sha256: Sha256,
    /// BLAKE3 of the content as received.
    pub blake3: Blake3,
}

impl ContentDigest {
    /// Of the empty content: what a trace record has.
    pub const EMPTY: Self = Self {
        bytes: 0,
        sha256: Sha256([
            0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f,
            0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b,
            0x78, 0x52, 0xb8, 0x55,
        ]),
        blake3: Blake3([
            0xaf, 0x13, 0x49, 0xb9, 0xf5, 0xf9, 0xa1, 0xa6, 0xa0, 0x40, 0x4d, 0xea, 0x36, 0xdc,
            0xc9, 0x49, 0x9b, 0xcb, 0x25, 0xc9, 0xad, 0xc1, 0x12, 0xb7, 0xcc, 0x9a, 0x93, 0xca,
            0xe4, 0x1f, 0x32, 0x62,
        ]),
    };

    /// Of bytes in memory.
    pub fn of(content: &[u8]) -> Self {
        let mut hasher = ContentHasher::default();
        hasher.update(content);
        hasher.finish()
    }
}

/// Both digests of a content in one pass, for contents larger than memory.
pub struct ContentHasher {
    bytes: u64,
    sha256: aws_lc_rs::digest::Context,
    blake3: blake3::Hasher,
}

impl Default for ContentHasher {
    fn default() -> Self {
        Self {
            bytes: 0,
            sha256: aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256),
            blake3: blake3::Hasher::new(),
        }
    }
}

impl ContentHasher {
    /// Takes the next bytes of the content.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.sha256.update(bytes);
        self.blake3.update(bytes);
    }

    /// Length so far, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digests of all bytes taken.
    pub fn finish(self) -> ContentDigest {
        ContentDigest {
            bytes: self.bytes,
            sha256: Sha256(finish(self.sha256)),
            blake3: Blake3(*self.blake3.finalize().as_bytes()),
        }
    }
}

/// Computes SHA-256 alone, in pieces of any size: of what no leaf commits to.
#[derive(Clone)]
pub struct Sha256Hasher(aws_lc_rs::digest::Context);

impl Default for Sha256Hasher {
    fn default() -> Self {
        let context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        Self(context)
    }
}

impl Sha256Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes taken.
    pub fn finish(self) -> Sha256 {
        Sha256(finish(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha_256_in_pieces_is_that_of_the_whole() {
        let mut hasher = Sha256Hasher::default();
        hasher.update(b"alfa");
        hasher.update(b"");
        hasher.update(b"beta");
        assert_eq!(hasher.finish(), Sha256::of(b"alfabeta"));
    }

    #[test]
    fn the_empty_content_has_the_published_digests() {
        assert_eq!(ContentDigest::of(b""), ContentDigest::EMPTY);
        assert_eq!(Sha256::of(b""), ContentDigest::EMPTY.sha256);
        assert_eq!(Blake3::of(b""), ContentDigest::EMPTY.blake3);
    }

    #[test]
    fn a_content_in_pieces_has_the_digests_of_the_whole() {
        let content: Vec<u8> = (0..10_000u32).map(|i| (i % 251) as u8).collect();
        let mut hasher = ContentHasher::default();
        for piece in content.chunks(977) {
            hasher.update(piece);
        }
        assert_eq!(hasher.finish(), ContentDigest::of(&content));
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let text = Sha256::of(b"x").to_string();
        assert_eq!(Sha256::from_hex(&text), Some(Sha256::of(b"x")));
        assert_eq!(Sha256::from_hex(&text.to_uppercase()), None);
        assert_eq!(Sha256::from_hex(&text[2..]), None);
    }
}
