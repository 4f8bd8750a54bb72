//! Signed notes (C2SP signed-note v1.0.0) and cosignatures (C2SP tlog-cosignature).
//!
//! ```text
//! <text lines, each ending with \n>
//! \n
//! — <key name> <base64(key id 4 | signature)>\n        one or more
//!
//! key id    = first 4 bytes of SHA-256(name | 0A | type u8 | public key)
//! vkey      = <name>+<key id, 8 hex digits>+<base64(type u8 | public key)>
//! type 01   Ed25519 over the text
//! type 04   u64 seconds | Ed25519 over "cosignature/v1\ntime <seconds>\n" + text
//! ```
//!
//! # Invariants
//! 1. A signature of a known key that fails refuses the whole note; unknown keys are ignored; a note
//!    without a good signature of a known key is refused.
//! 2. Bounded: at most [`NOTE_BYTES_MAX`] bytes and [`SIGNATURES_MAX`] signatures are read.

use crate::digest::Sha256;
use crate::secret::SigningSeed;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// The largest note that is read, in bytes.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// The most signatures that are read; the specification asks for at least 16.
pub const SIGNATURES_MAX: usize = 64;
const DASH: &str = "\u{2014} ";
const TYPE_ED25519: u8 = 1;
pub(crate) const TYPE_COSIGNATURE: u8 = 4;

/// Why a note or a key is refused. The note is not evidence; never retried with the same bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("note is over 65536 bytes")]
    TooLarge,
    /// Not UTF-8, or with control characters.
    #[error("note is not plain utf-8 text")]
    NotText,
    /// Without the blank line and signature lines the format asks for.
    #[error("note has no well-formed signatures")]
    Malformed,
    /// More than [`SIGNATURES_MAX`] signatures.
    #[error("note has over 64 signatures")]
    TooManySignatures,
    /// A signature of a known key does not verify.
    #[error("note signature of a known key does not verify")]
    BadSignature,
    /// No signature of a known key.
    #[error("note is not signed by a known key")]
    UnknownSigner,
    /// A verifier key that is not well formed, or whose id is not that of its bytes.
    #[error("verifier key is malformed")]
    Key,
}

/// Whose signature: a name and the first bytes of a hash of the key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeyRef {
    name: String,
    id: [u8; 4],
}

impl KeyRef {
    fn new(name: &str, kind: u8, public: &[u8]) -> Option<Self> {
        let plus_or_space = |c: char| c == '+' || c.is_whitespace() || c.is_control();
        if name.is_empty() || name.contains(plus_or_space) {
            return None;
        }
        let digest = Sha256::of_parts(&[name.as_bytes(), b"\n", &[kind], public]);
        let id = digest.as_bytes().first_chunk().copied()?;
        Some(Self {
            name: name.to_owned(),
            id,
        })
    }
}

/// A public key that verifies notes of one name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifierKey {
    key: KeyRef,
    kind: u8,
    public: [u8; 32],
}

impl VerifierKey {
    /// Reads `<name>+<id>+<base64>`; Ed25519 notes and cosignatures are known.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        Self::read(text).ok_or(NoteError::Key)
    }

    fn read(text: &str) -> Option<Self> {
        // The base64 may contain a plus; the name and the id may not.
        let mut fields = text.splitn(3, '+');
        let (name, id, key) = (fields.next()?, fields.next()?, fields.next()?);
        let bytes = STANDARD.decode(key).ok()?;
        let (kind, public) = bytes.split_first()?;
        let public: [u8; 32] = public.try_into().ok()?;
        let known = matches!(*kind, TYPE_ED25519 | TYPE_COSIGNATURE);
        let key = KeyRef::new(name, *kind, &public)?;
        (known && hex::encode(key.id) == id).then_some(Self {
            key,
            kind: *kind,
            public,
        })
    }

    /// The key of this name, type and 32 bytes; none where the name is not fit for a note.
    pub(crate) fn new(name: &str, kind: u8, public: [u8; 32]) -> Option<Self> {
        let key = KeyRef::new(name, kind, &public)?;
        Some(Self { key, kind, public })
    }

    /// The name whose notes it verifies.
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// Whether it verifies plain notes, as a log's key does; the other kind is a witness's.
    pub fn is_of_log(&self) -> bool {
        self.kind == TYPE_ED25519
    }

    /// The four bytes that name it in a signature, beside its name.
    pub fn id(&self) -> [u8; 4] {
        self.key.id
    }

    /// The 32 bytes of the Ed25519 public key.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public
    }

    /// Verifies a signature; a cosignature says when it was made.
    fn verify(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        match self.kind {
            TYPE_ED25519 => key.verify(text.as_bytes(), signature).ok().map(|()| None),
            _ => {
                let (seconds, signature) = signature.split_first_chunk::<8>()?;
                let seconds = u64::from_be_bytes(*seconds);
                let message = cosigned_text(text, seconds);
                let verified = key.verify(message.as_bytes(), signature);
                verified.ok().map(|()| Some(seconds))
            }
        }
    }

    /// The signature line of a key.
    pub(crate) fn line(&self, signature: &[u8]) -> String {
        let bytes = [&self.key.id, signature].concat();
        let (name, encoded) = (&self.key.name, STANDARD.encode(bytes));
        format!("{DASH}{name} {encoded}\n")
    }

    /// Whether a signature line is by this key, good or not.
    pub(crate) fn made(&self, line: &str) -> bool {
        signature_line(line).is_some_and(|(key, _)| key == self.key)
    }
}

/// What a cosignature is over.
pub(crate) fn cosigned_text(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind];
        bytes.extend_from_slice(&self.public);
        let (name, id) = (&self.key.name, hex::encode(self.key.id));
        write!(f, "{name}+{id}+{}", STANDARD.encode(bytes))
    }
}

/// Signs notes under one name with Ed25519. Deterministic: the same text has the same signature.
pub struct NoteSigner {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl NoteSigner {
    /// A signer for this name; the name must be fit for a note.
    pub fn new(name: &str, seed: &SigningSeed) -> Result<Self, NoteError> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).map_err(|_| NoteError::Key)?;
        let public: [u8; 32] = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| NoteError::Key)?;
        let verifier = VerifierKey::new(name, TYPE_ED25519, public).ok_or(NoteError::Key)?;
        Ok(Self { pair, verifier })
    }

    /// The key that verifies its notes.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The signed note of a text; every line of the text ends with a line feed.
    pub fn sign(&self, text: &str) -> String {
        format!("{text}\n{}", self.signature_line(text))
    }

    /// The signature of a text as a line of a note, with its line feed.
    pub fn signature_line(&self, text: &str) -> String {
        self.verifier.line(self.pair.sign(text.as_bytes()).as_ref())
    }
}

/// The text of a note whose signatures were verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenNote {
    /// The signed text, with its final line feed.
    pub text: String,
    /// Names of the known keys that signed it, in order of the note.
    pub signers: Vec<String>,
    /// Known witnesses that cosigned it, and when they say they did, in seconds since 1970 (UTC). A key that
    /// signed twice stands here twice.
    pub cosigned: Vec<(VerifierKey, u64)>,
}

/// Reads a note and verifies it against known keys.
pub fn open(note: &[u8], known: &[&VerifierKey]) -> Result<OpenNote, NoteError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLarge);
    }
    let note = std::str::from_utf8(note).map_err(|_| NoteError::NotText)?;
    if note.contains(|c: char| c.is_ascii_control() && c != '\n') {
        return Err(NoteError::NotText);
    }
    let at = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
    let (text, block) = note.split_at_checked(at + 1).ok_or(NoteError::Malformed)?;
    let block = block.strip_prefix('\n').ok_or(NoteError::Malformed)?;
    let block = block.strip_suffix('\n').ok_or(NoteError::Malformed)?;
    let (mut signers, mut cosigned) = (Vec::new(), Vec::new());
    for (count, line) in block.split('\n').enumerate() {
        if count >= SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let (key, signature) = signature_line(line).ok_or(NoteError::Malformed)?;
        let Some(verifier) = known.iter().find(|known| known.key == key) else {
            continue;
        };
        let good = verifier.verify(text, &signature);
        if let Some(seconds) = good.ok_or(NoteError::BadSignature)? {
            cosigned.push((VerifierKey::clone(verifier), seconds));
        }
        signers.push(key.name);
    }
    if signers.is_empty() {
        return Err(NoteError::UnknownSigner);
    }
    Ok(OpenNote {
        text: text.to_owned(),
        signers,
        cosigned,
    })
}

fn signature_line(line: &str) -> Option<(KeyRef, Vec<u8>)> {
    let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    let valid = !name.is_empty() && !name.contains(|c: char| c == '+' || c.is_whitespace());
    let key = KeyRef {
        name: name.to_owned(),
        id: *id,
    };
    (valid && !signature.is_empty()).then(|| (key, signature.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    #[test]
    fn the_signed_note_vector_verifies() {
        let key = VerifierKey::parse(VKEY).unwrap();
        assert_eq!(key.to_string(), VKEY);
        let note = open(NOTE.as_bytes(), &[&key]).unwrap();
        assert_eq!(note.text, "This is an example message.\n");
        assert_eq!(note.signers, ["example.com/foo"]);
    }

    #[test]
    fn every_defect_of_a_note_is_refused() {
        let key = VerifierKey::parse(VKEY).unwrap();
        let open = |note: &str| open(note.as_bytes(), &[&key]);
        assert_eq!(
            open(&NOTE.replace("example m", "Example m")),
            Err(NoteError::BadSignature)
        );
        assert_eq!(
            open(&NOTE.replace("Uw2QOkn8", "Uw2QOkn9")),
            Err(NoteError::BadSignature)
        );
        assert_eq!(
            open(&NOTE.replace("com/foo", "com/bar")),
            Err(NoteError::UnknownSigner)
        );
        assert_eq!(open(&NOTE.replace("\n\n", "\n")), Err(NoteError::Malformed));
        assert_eq!(open(NOTE.trim_end()), Err(NoteError::Malformed));
        assert_eq!(
            open(&NOTE.replace('\u{2014}', "-")),
            Err(NoteError::Malformed)
        );
        assert_eq!(
            open(&NOTE.replace("message", "mess\tage")),
            Err(NoteError::NotText)
        );
        assert_eq!(
            open(&"x".repeat(NOTE_BYTES_MAX + 1)),
            Err(NoteError::TooLarge)
        );
        let line = NOTE.lines().last().unwrap();
        let many = format!("{NOTE}{}", format!("{line}\n").repeat(SIGNATURES_MAX));
        assert_eq!(open(&many), Err(NoteError::TooManySignatures));
        assert_eq!(super::open(b"\xff\n\n", &[&key]), Err(NoteError::NotText));
    }

    #[test]
    fn unknown_signatures_are_ignored_and_a_bad_known_one_is_not() {
        let key = VerifierKey::parse(VKEY).unwrap();
        let other =
            NoteSigner::new("other.example/log", &SigningSeed::from_bytes([9; 32])).unwrap();
        let foreign = other.sign("This is an example message.\n");
        let line = foreign.lines().last().unwrap();
        let both = format!("{NOTE}{line}\n");
        assert_eq!(open(both.as_bytes(), &[&key]).unwrap().signers.len(), 1);
        let known = [&key, other.verifier()];
        assert_eq!(open(both.as_bytes(), &known).unwrap().signers.len(), 2);
        let spoiled = both.replace(line, &line.replace("/log ", "/log A"));
        assert!(open(spoiled.as_bytes(), &known).is_err());
    }

    #[test]
    fn a_verifier_key_states_its_own_id() {
        for bad in [
            &VKEY.replace("530d903a", "530d903b"),
            &VKEY.replace("foo", "fox"),
            &VKEY.replace("AekyeRrm", "BekyeRrm"),
            "a+b",
            "",
        ] {
            assert_eq!(VerifierKey::parse(bad), Err(NoteError::Key), "{bad}");
        }
    }
}
