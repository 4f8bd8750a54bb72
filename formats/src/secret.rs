//! Secrets and what is derived from them.
//!
//! ```text
//! master key 32 ──wraps──▶ log key 32 ──wraps──▶ class secret 32, per (log, interval, class)
//!                                      └─wraps──▶ signing seed 32
//! class secret ─BLAKE3 derive_key(context)─▶ subkeys: opening, record key, object wrap,
//!                                            token per field, map salt, file, idempotency
//! opening r  = BLAKE3 keyed(subkey opening,    record nonce 16)
//! record key = BLAKE3 keyed(subkey record key, record nonce 16)        AES-256-GCM
//! token      = first 8 bytes of BLAKE3 keyed(subkey token of the field, normalised term)
//! ```
//!
//! # Invariants
//! 1. This carries secrecy only, never the legal binding: that is SHA-256 alone.
//! 2. Destroying a class secret destroys every opening, key, token and salt under it.
//! 3. A nonce belongs to one record and one encryption; a re-encryption draws another.
//! 4. Secrets redact their `Debug` and are wiped when dropped.

use crate::digest::{Sha256, derive, keyed};
use crate::leaf::{Class, Opening};
use crate::metadata::Field;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of an index token. A token narrows a search; the opened record decides.
pub const TOKEN_BYTES: usize = 8;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name([u8; 32]);

        impl $name {
            /// From bytes of the operating system's generator, or unwrapped.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

secret! {
    /// The installation's master key; lives outside the data directory.
    MasterKey
}
secret! {
    /// Key of one log, wrapped by the master key; wraps the log's other secrets.
    LogKey
}
secret! {
    /// Secret of one (log, interval, class). Random; its destruction is the disposal.
    ClassSecret
}
secret! {
    /// An AES-256-GCM key of one record.
    RecordKey
}
secret! {
    /// Seed of the log's Ed25519 signing key (RFC 8032).
    SigningSeed
}

/// The random 16 bytes that make a record's opening and key its own. Not secret: without the class
/// secret it says nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordNonce([u8; 16]);

impl RecordNonce {
    /// From bytes of the operating system's generator, or stored ones.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A shortened keyed token of an index term.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Token(pub [u8; TOKEN_BYTES]);

/// A keyed digest of all files of a package and of the certificates that seal it: by it a log knows again what it gave
/// out, whoever may have the key that seals. It proves nothing to anybody else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IssueTag(pub [u8; 32]);

/// A full keyed digest of a client's idempotency key.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClientKeyDigest(pub [u8; 32]);

const CONTEXT_OPENING: &str = "ceralacca v1 class secret: opening";
const CONTEXT_RECORD_KEY: &str = "ceralacca v1 class secret: record key";
const CONTEXT_OBJECT_WRAP: &str = "ceralacca v1 class secret: object wrap";
const CONTEXT_MAP_SALT: &str = "ceralacca v1 class secret: map salt";
const CONTEXT_FILE: &str = "ceralacca v1 class secret: file";
const CONTEXT_IDEMPOTENCY: &str = "ceralacca v1 class secret: idempotency";
const CONTEXT_LOG_KEY_WRAP: &str = "ceralacca v1 master key: log key wrap";
const CONTEXT_SECRET_WRAP: &str = "ceralacca v1 log key: secret wrap";
const CONTEXT_ISSUE: &str = "ceralacca v1 log key: issue";

fn token_context(field: Field) -> &'static str {
    match field {
        Field::Identificativo => "ceralacca v1 class secret: token identificativo",
        Field::Msgid => "ceralacca v1 class secret: token msgid",
        Field::MessageId => "ceralacca v1 class secret: token message-id",
        Field::Sender => "ceralacca v1 class secret: token sender",
        Field::Recipient => "ceralacca v1 class secret: token recipient",
        Field::Event => "ceralacca v1 class secret: token event",
        Field::Finding => "ceralacca v1 class secret: token finding",
    }
}

/// The subkeys of one class secret, derived once and kept beside it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Subkeys {
    opening: [u8; 32],
    record_key: [u8; 32],
    object_wrap: [u8; 32],
    idempotency: [u8; 32],
    map_salt: [u8; 32],
    file: [u8; 32],
    tokens: [[u8; 32]; Field::ALL.len()],
}

impl fmt::Debug for Subkeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subkeys(redacted)")
    }
}

impl Subkeys {
    /// Derives all subkeys of a class secret.
    pub fn new(secret: &ClassSecret) -> Self {
        let of = |context| derive(context, secret.as_bytes());
        Self {
            opening: of(CONTEXT_OPENING),
            record_key: of(CONTEXT_RECORD_KEY),
            object_wrap: of(CONTEXT_OBJECT_WRAP),
            idempotency: of(CONTEXT_IDEMPOTENCY),
            map_salt: of(CONTEXT_MAP_SALT),
            file: of(CONTEXT_FILE),
            tokens: Field::ALL.map(|field| of(token_context(field))),
        }
    }

    /// The opening of a record without a key of its own.
    pub fn opening(&self, nonce: &RecordNonce) -> Opening {
        Opening::from_bytes(keyed(&self.opening, nonce.as_bytes()))
    }

    /// The encryption key of a record without a key of its own.
    pub fn record_key(&self, nonce: &RecordNonce) -> RecordKey {
        RecordKey::from_bytes(keyed(&self.record_key, nonce.as_bytes()))
    }

    /// The key that wraps an object's own opening and key.
    pub fn object_wrap_key(&self, nonce: &RecordNonce) -> RecordKey {
        RecordKey::from_bytes(keyed(&self.object_wrap, nonce.as_bytes()))
    }

    /// The index token of a normalised term.
    pub fn token(&self, field: Field, term: &[u8]) -> Token {
        let index = usize::from(field.code()).saturating_sub(1);
        // Codes are 1 to the number of fields, in order (`Field::ALL`).
        let key = self.tokens.get(index).unwrap_or(&self.file);
        let full = keyed(key, term);
        let mut token = [0; TOKEN_BYTES];
        token.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        Token(token)
    }

    /// The full keyed digest of a client's idempotency key, bound to the principal that sent it.
    ///
    /// Input: length of the principal (u32 big-endian), principal, key.
    pub fn client_key(&self, principal: &str, key: &[u8]) -> ClientKeyDigest {
        let mut hasher = blake3::Hasher::new_keyed(&self.idempotency);
        let bytes = u32::try_from(principal.len()).unwrap_or(u32::MAX);
        hasher.update(&bytes.to_be_bytes());
        hasher.update(principal.as_bytes());
        hasher.update(key);
        ClientKeyDigest(*hasher.finalize().as_bytes())
    }

    /// The salt of the interval map of this class.
    pub fn map_salt(&self) -> &[u8; 32] {
        &self.map_salt
    }

    /// The key of an encrypted file of this class, by the file's own random nonce.
    pub fn file_key(&self, nonce: &RecordNonce) -> RecordKey {
        RecordKey::from_bytes(keyed(&self.file, nonce.as_bytes()))
    }
}

/// What a wrapped secret is; its code is in the associated data, so that none can stand for another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecretUse {
    /// The log key, under the master key.
    LogKey,
    /// The seed of the signing key, under the log key.
    SigningSeed,
    /// A class secret, under the log key.
    Class {
        /// Start of the interval, milliseconds since 1970.
        interval: u64,
        /// Class of the records.
        class: Class,
    },
    /// Who did an act on a hold, and why: not a key, but bytes that outlive every class secret, under the log key.
    HoldDetail {
        /// The hold, by its number.
        hold: u64,
        /// Which act: the code of its row.
        step: u8,
    },
    /// The secret of records carried over under a hold, under the log key.
    Held {
        /// Start of the interval, milliseconds since 1970.
        interval: u64,
        /// Class of the records.
        class: Class,
        /// How often they were carried over, from 1.
        carried: u32,
    },
    /// Who erased a record, and why; its certificate: under the log key.
    ErasureDetail {
        /// The record, by its leaf.
        record: u64,
        /// Which act: the code of its row.
        step: u8,
    },
}

impl SecretUse {
    /// The bytes that go into the associated data.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::LogKey => vec![1],
            Self::SigningSeed => vec![2],
            Self::Class { interval, class } => {
                let mut bytes = vec![3];
                bytes.extend(interval.to_be_bytes());
                bytes.extend(class.code().to_be_bytes());
                bytes
            }
            Self::HoldDetail { hold, step } => {
                let mut bytes = vec![4];
                bytes.extend(hold.to_be_bytes());
                bytes.push(step);
                bytes
            }
            Self::Held {
                interval,
                class,
                carried,
            } => {
                let mut bytes = vec![5];
                bytes.extend(interval.to_be_bytes());
                bytes.extend(class.code().to_be_bytes());
                bytes.extend(carried.to_be_bytes());
                bytes
            }
            Self::ErasureDetail { record, step } => {
                let mut bytes = vec![6];
                bytes.extend(record.to_be_bytes());
                bytes.push(step);
                bytes
            }
        }
    }
}

impl MasterKey {
    /// The single-use key that wraps a log key, by the wrap's own nonce.
    pub(crate) fn wrap_key(&self, nonce: &RecordNonce) -> RecordKey {
        let subkey = derive(CONTEXT_LOG_KEY_WRAP, self.as_bytes());
        RecordKey::from_bytes(keyed(&subkey, nonce.as_bytes()))
    }
}

impl LogKey {
    /// The tag of a package: of the certificates that travel with its signature, and of its files in their order.
    ///
    /// ```text
    /// BLAKE3 keyed( derive_key("ceralacca v1 log key: issue"), certificates 32 |
    ///               for each file: length of its name u32 | name | SHA-256 32 )
    /// certificates   SHA-256 of the SHA-256 of each, ascending, concatenated
    /// ```
    pub fn issue_tag<'a>(
        &self,
        certificates: &Sha256,
        files: impl Iterator<Item = (&'a str, Sha256)>,
    ) -> IssueTag {
        let mut hasher = blake3::Hasher::new_keyed(&derive(CONTEXT_ISSUE, self.as_bytes()));
        hasher.update(certificates.as_bytes());
        for (name, sha256) in files {
            let bytes = u32::try_from(name.len()).unwrap_or(u32::MAX);
            hasher.update(&bytes.to_be_bytes());
            hasher.update(name.as_bytes());
            hasher.update(sha256.as_bytes());
        }
        IssueTag(*hasher.finalize().as_bytes())
    }

    /// The single-use key that wraps one secret of the log, by the wrap's own nonce.
    pub(crate) fn wrap_key(&self, nonce: &RecordNonce) -> RecordKey {
        let subkey = derive(CONTEXT_SECRET_WRAP, self.as_bytes());
        RecordKey::from_bytes(keyed(&subkey, nonce.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derivation_vectors_are_reproduced() {
        let keys = Subkeys::new(&ClassSecret::from_bytes([0x11; 32]));
        let nonce = RecordNonce::from_bytes([0x22; 16]);
        let shown = [
            ("opening", hex::encode(keys.opening(&nonce).as_bytes())),
            (
                "record key",
                hex::encode(keys.record_key(&nonce).as_bytes()),
            ),
            (
                "object wrap",
                hex::encode(keys.object_wrap_key(&nonce).as_bytes()),
            ),
            ("file key", hex::encode(keys.file_key(&nonce).as_bytes())),
            ("map salt", hex::encode(keys.map_salt())),
            (
                "token identificativo abc",
                hex::encode(keys.token(Field::Identificativo, b"abc").0),
            ),
            (
                "token event abc",
                hex::encode(keys.token(Field::Event, b"abc").0),
            ),
            ("client key", hex::encode(keys.client_key("p1", b"k1").0)),
        ];
        let lines: Vec<String> = shown.iter().map(|(n, v)| format!("{n} {v}\n")).collect();
        assert_eq!(lines.concat(), include_str!("../vectors/derivation.txt"));
    }

    #[test]
    fn the_tag_of_a_package_is_reproduced_and_belongs_to_its_files_and_its_certificate() {
        let key = LogKey::from_bytes([2; 32]);
        let (certificate, abc) = (Sha256::of(b"certificate"), Sha256::of(b"abc"));
        let tag = |key: &LogKey, certificate: &Sha256, files: &[(&str, Sha256)]| {
            key.issue_tag(certificate, files.iter().copied())
        };
        let files = [("001-accettazione.eml", abc), ("LEGGIMI.txt", abc)];
        let own = tag(&key, &certificate, &files);
        let line = format!("issue tag {}\n", hex::encode(own.0));
        assert_eq!(line, include_str!("../vectors/issue-tag.txt"));
        let others = [
            tag(&LogKey::from_bytes([3; 32]), &certificate, &files),
            tag(&key, &abc, &files),
            tag(&key, &certificate, &files[..1]),
            tag(&key, &certificate, &[files[1], files[0]]),
            tag(
                &key,
                &certificate,
                &[("001-accettazione.em", abc), files[1]],
            ),
            tag(
                &key,
                &certificate,
                &[files[0], ("LEGGIMI.txt", certificate)],
            ),
        ];
        assert!(others.iter().all(|other| *other != own));
    }

    #[test]
    fn every_use_and_every_nonce_has_its_own_bytes() {
        let keys = Subkeys::new(&ClassSecret::from_bytes([7; 32]));
        let (a, b) = (
            RecordNonce::from_bytes([1; 16]),
            RecordNonce::from_bytes([2; 16]),
        );
        let mut all: Vec<[u8; 32]> = Vec::new();
        for nonce in [a, b] {
            all.push(*keys.opening(&nonce).as_bytes());
            all.push(*keys.record_key(&nonce).as_bytes());
            all.push(*keys.object_wrap_key(&nonce).as_bytes());
            all.push(*keys.file_key(&nonce).as_bytes());
        }
        all.push(keys.map_salt);
        all.extend(keys.tokens);
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn a_client_key_belongs_to_its_principal() {
        let keys = Subkeys::new(&ClassSecret::from_bytes([7; 32]));
        assert_ne!(keys.client_key("ab", b"c"), keys.client_key("a", b"bc"));
    }

    #[test]
    fn secrets_do_not_show_themselves() {
        let secret = ClassSecret::from_bytes([0xab; 32]);
        let shown = format!("{secret:?} {:?}", Subkeys::new(&secret));
        assert_eq!(shown, "ClassSecret(redacted) Subkeys(redacted)");
    }
}
