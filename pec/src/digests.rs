//! Digests of the signed octets, made while they pass: as they are, and with every line end made CR LF.
//!
//! # Invariants
//! 1. The two forms are hashed once, together, until a bare LF tells them apart; a message with CR LF costs one.
//! 2. The line break before the delimiter is not signed (RFC 1847 section 2.1): the last break is held back.
//! 3. Nothing depends on how the octets were cut into pieces.

use crate::header::lines;
use crate::line::line_ends;
use aws_lc_rs::digest::{self, Context, Digest};
use ceralacca_formats::canonical::Text;

/// A digest algorithm that signatures are read with.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DigestAlgorithm {
    /// SHA-1: weak, and still in use.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl DigestAlgorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// The digest of some octets.
    pub fn of(self, bytes: &[u8]) -> Digest {
        digest::digest(self.algorithm(), bytes)
    }

    pub(crate) fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    /// From one name of a `micalg` parameter, in any of its spellings (RFC 8551 section 3.5.3.2).
    pub(crate) fn from_micalg(name: &[u8]) -> Option<Self> {
        let name: Vec<u8> = name
            .iter()
            .filter(|c| c.is_ascii_alphanumeric())
            .map(u8::to_ascii_lowercase)
            .collect();
        match name.strip_prefix(b"rsa").unwrap_or(&name) {
            b"sha1" => Some(Self::Sha1),
            b"sha256" => Some(Self::Sha256),
            b"sha384" => Some(Self::Sha384),
            b"sha512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

impl std::fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The digests that `micalg` states, each once, in order.
pub(crate) fn stated(micalg: Option<&Text>) -> Vec<DigestAlgorithm> {
    let mut digests = Vec::new();
    let names = micalg.map(Text::as_bytes).unwrap_or_default();
    for name in names.split(|c| *c == b',') {
        let stated = DigestAlgorithm::from_micalg(name);
        digests.extend(stated.filter(|stated| !digests.contains(stated)));
    }
    digests
}

/// The digests that are made of a message: the two that engines use, and another if `micalg` states it.
pub(crate) fn usual(micalg: Option<&Text>) -> Vec<DigestAlgorithm> {
    let usual = [DigestAlgorithm::Sha256, DigestAlgorithm::Sha1];
    let mut others = stated(micalg);
    others.retain(|stated| !usual.contains(stated));
    [&usual[..], &others].concat()
}

/// Digests of one form of the octets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Digests(Vec<(DigestAlgorithm, Vec<u8>)>);

impl Digests {
    /// The digest of an algorithm, if it was made.
    pub fn get(&self, algorithm: DigestAlgorithm) -> Option<&[u8]> {
        let (_, digest) = self.0.iter().find(|(made, _)| *made == algorithm)?;
        Some(digest)
    }
}

/// Digests of the signed octets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedDigests {
    /// Of the octets as they are.
    pub as_stored: Digests,
    /// Of the octets with every bare LF made CR LF (RFC 8551 section 3.1.1); `None` where there is none to make.
    pub canonical: Option<Digests>,
}

impl SignedDigests {
    /// Of octets at hand, with every algorithm.
    pub fn of(signed: &[u8]) -> Self {
        Self::with(&DigestAlgorithm::ALL, signed)
    }

    /// The same, with these algorithms.
    pub(crate) fn with(algorithms: &[DigestAlgorithm], signed: &[u8]) -> Self {
        let (has_bare, _) = line_ends(signed);
        if !has_bare {
            return Self::in_one_form(algorithms, signed);
        }
        let mut hasher = Hasher::new(algorithms);
        hasher.push(signed);
        hasher.finish_whole()
    }

    /// Of octets that are no text: as they are, and in no other form.
    pub(crate) fn as_stored_of(octets: &[u8]) -> Self {
        Self::in_one_form(&DigestAlgorithm::ALL, octets)
    }

    fn in_one_form(algorithms: &[DigestAlgorithm], octets: &[u8]) -> Self {
        let digests = algorithms.iter();
        Self {
            as_stored: Digests(
                digests
                    .map(|a| (*a, a.of(octets).as_ref().to_vec()))
                    .collect(),
            ),
            canonical: None,
        }
    }
}

/// Short pieces are handed to the hashes in stretches of about this length.
const STRETCH_BYTES: usize = 8 << 10;

/// What is this long is handed to the hashes as it is.
const AT_ONCE_BYTES: usize = 1 << 10;

/// Makes [`SignedDigests`].
pub(crate) struct Hasher {
    stored: Stream,
    /// Apart from `stored` since the first bare LF.
    canonical: Option<Stream>,
    held: Held,
}

/// The end of what was pushed, which may be the line break before the delimiter.
#[derive(Clone, Copy, PartialEq)]
enum Held {
    Nothing,
    Cr,
    Lf,
    CrLf,
}

impl Hasher {
    /// With these algorithms.
    pub(crate) fn new(algorithms: &[DigestAlgorithm]) -> Self {
        let contexts = algorithms.iter().map(|a| (*a, Context::new(a.algorithm())));
        Self {
            stored: Stream {
                contexts: contexts.collect(),
                waiting: Vec::with_capacity(AT_ONCE_BYTES),
            },
            canonical: None,
            held: Held::Nothing,
        }
    }

    /// Takes the next octets.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for line in lines(bytes) {
            self.line(line);
        }
    }

    /// Takes lines, of which every one ends in CR LF.
    pub(crate) fn crlf_lines(&mut self, lines: &[u8]) {
        if let Some(text) = lines.strip_suffix(b"\r\n") {
            self.release();
            self.both(text);
            self.held = Held::CrLf;
        }
    }

    /// Takes the next octets, which hold no LF except at their end.
    pub(crate) fn line(&mut self, line: &[u8]) {
        if self.held == Held::Cr && line == b"\n" {
            self.held = Held::CrLf;
            return;
        }
        self.release();
        let (text, held) = match line {
            [text @ .., b'\r', b'\n'] => (text, Held::CrLf),
            [text @ .., b'\n'] => (text, Held::Lf),
            [text @ .., b'\r'] => (text, Held::Cr),
            text => (text, Held::Nothing),
        };
        self.both(text);
        self.held = held;
    }

    fn release(&mut self) {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => {}
            Held::Cr => self.both(b"\r"),
            Held::CrLf => self.both(b"\r\n"),
            Held::Lf => {
                let canonical = self.canonical.get_or_insert_with(|| self.stored.clone());
                canonical.push(b"\r\n");
                self.stored.push(b"\n");
            }
        }
    }

    fn both(&mut self, bytes: &[u8]) {
        self.stored.push(bytes);
        if let Some(canonical) = &mut self.canonical {
            canonical.push(bytes);
        }
    }

    /// The delimiter was reached: the break before it is its own.
    pub(crate) fn finish(self) -> SignedDigests {
        SignedDigests {
            as_stored: self.stored.finish(),
            canonical: self.canonical.map(Stream::finish),
        }
    }

    /// The octets have ended, and the last break is theirs.
    fn finish_whole(mut self) -> SignedDigests {
        self.release();
        self.finish()
    }
}

#[derive(Clone)]
struct Stream {
    contexts: Vec<(DigestAlgorithm, Context)>,
    waiting: Vec<u8>,
}

impl Stream {
    fn push(&mut self, bytes: &[u8]) {
        if bytes.len() >= AT_ONCE_BYTES || self.waiting.len() + bytes.len() > STRETCH_BYTES {
            self.flush();
        }
        if bytes.len() >= AT_ONCE_BYTES {
            self.contexts.iter_mut().for_each(|(_, c)| c.update(bytes));
        } else {
            self.waiting.extend_from_slice(bytes);
        }
    }

    fn flush(&mut self) {
        let waiting = &self.waiting;
        if waiting.is_empty() {
            return;
        }
        self.contexts
            .iter_mut()
            .for_each(|(_, c)| c.update(waiting));
        self.waiting.clear();
    }

    fn finish(mut self) -> Digests {
        self.flush();
        let digests = self.contexts.into_iter();
        Digests(
            digests
                .map(|(a, c)| (a, c.finish().as_ref().to_vec()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for octet in bytes {
            if *octet == b'\n' && out.last() != Some(&b'\r') {
                out.push(b'\r');
            }
            out.push(*octet);
        }
        out
    }

    #[test]
    fn the_two_forms_part_at_the_first_bare_line_feed() {
        assert_eq!(SignedDigests::of(b"a\r\nb\r\r\n\r").canonical, None);
        let digests = SignedDigests::of(b"a\r\nb\nc");
        for algorithm in DigestAlgorithm::ALL {
            let of = |bytes| algorithm.of(bytes).as_ref().to_vec();
            assert_eq!(digests.as_stored.get(algorithm).unwrap(), of(b"a\r\nb\nc"));
            let canonical = digests.canonical.as_ref().unwrap();
            assert_eq!(canonical.get(algorithm).unwrap(), of(b"a\r\nb\r\nc"));
        }
    }

    #[test]
    fn micalg_is_read_in_every_spelling() {
        use DigestAlgorithm::{Sha1, Sha256, Sha384, Sha512};
        for (names, expected) in [
            (&["sha1", "sha-1", "SHA1", "rsa-sha1"][..], Some(Sha1)),
            (&["sha-256", "sha256", "SHA-256"], Some(Sha256)),
            (&["sha-384", "sha384"], Some(Sha384)),
            (&["sha-512", "sha_512"], Some(Sha512)),
            (&["", "md5", "sha-224", "rsa-md5"], None),
        ] {
            for name in names {
                assert_eq!(
                    DigestAlgorithm::from_micalg(name.as_bytes()),
                    expected,
                    "{name}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn any_octets_in_any_pieces_have_the_digests_of_both_forms(
            kinds in proptest::collection::vec((0usize..6, 0usize..6000), 0..14),
            cut in 0usize..30_000,
        ) {
            let bytes: Vec<u8> = kinds.iter().flat_map(|(kind, n)| {
                let ends = [&b"\n"[..], b"\r\n", b"\r", b"\r\r\n", b"", b"\n\n"];
                [vec![b'x'; *n], ends[*kind].to_vec()].concat()
            }).collect();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut hasher = Hasher::new(&[DigestAlgorithm::Sha256]);
            hasher.push(first);
            hasher.push(second);
            let made = hasher.finish_whole();
            let of = |bytes: &[u8]| DigestAlgorithm::Sha256.of(bytes).as_ref().to_vec();
            prop_assert_eq!(made.as_stored.get(DigestAlgorithm::Sha256).unwrap(), of(&bytes));
            let last = made.canonical.as_ref().unwrap_or(&made.as_stored);
            prop_assert_eq!(last.get(DigestAlgorithm::Sha256).unwrap(), of(&canonical(&bytes)));
        }
    }
}
