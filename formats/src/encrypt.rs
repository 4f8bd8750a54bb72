//! Compress first, then encrypt: the only door to zstd and AES-256-GCM at rest.
//!
//! ```text
//! nonce 12 = 00 x7 | part u32 | last u8 (0 or 1)
//! data     = format u8 = 1 | SHA-256(origin) 32 | interval u64 | class u16 | record nonce 16
//!            | part u32 | last u8 | dictionary u16
//! stored   = AES-256-GCM(record key, nonce, data, zstd frame [with dictionary])  | tag 16
//! ```
//! Part 0 is the metadata, parts 1.. the content in pieces of 1 MiB; the last part says so. A record key
//! belongs to one record nonce, so a GCM nonce is never used twice under one key.
//!
//! # Invariants
//! 1. A part opens only in its own log, interval, class, record, position, and under its own
//!    dictionary: all of them are associated data.
//! 2. Decompression is bounded by the length the caller allows.
//! 3. What opens is still checked against the leaf's commitment before use: GCM does not commit to
//!    its key, the leaf does.

use crate::digest::Sha256;
use crate::id::{IntervalId, Origin};
use crate::leaf::{Class, Opening};
use crate::secret::{
    ClassSecret, LogKey, MasterKey, RecordKey, RecordNonce, SecretUse, SigningSeed, Subkeys,
};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::cell::RefCell;
use std::io;
use zstd::zstd_safe::CParameter;

/// Bytes of one content part before compression: 1 MiB.
pub const PART_BYTES: usize = 1 << 20;
/// Bytes GCM adds.
pub const TAG_BYTES: usize = 16;
const FORMAT: u8 = 1;
/// zstd level: the knee for records of half a kilobyte with a dictionary (benches/append.rs).
const LEVEL: i32 = 1;
/// Up to here zstd's own table for [`LEVEL`] has 2^15 places, 128 KiB: as much as eight times the content.
const SMALL_BYTES: usize = 16 << 10;
/// Contents up to there are looked up in 2^12 places, which a processor's first cache holds beside them, by six
/// octets, as zstd does with those beyond: of messages, text and base64, frames are a hundredth longer for it.
const SMALL_PARAMETERS: [CParameter; 2] = [CParameter::HashLog(12), CParameter::MinMatch(6)];

/// Why a part does not open. Corruption, or not what it is said to be; never retried.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// The tag does not match: altered bytes, or another key, place or dictionary.
    #[error("ciphertext does not authenticate")]
    Authentication,
    /// Authentic, but not a zstd frame within the allowed length.
    #[error("plaintext does not decompress within its limit")]
    Compression,
    /// Encrypted under a dictionary this program does not have.
    #[error("compression dictionary {0} is unknown")]
    Dictionary(u16),
    /// A wrapped secret of another shape.
    #[error("wrapped secret is malformed")]
    Shape,
}

/// A compression dictionary by number. Trained on synthetic records only; 0 is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dictionary {
    /// No dictionary: contents.
    None,
    /// Trace records, first version (`dict/trace-1.zdict`).
    Trace1,
}

const TRACE_1: &[u8] = include_bytes!("../dict/trace-1.zdict");

impl Dictionary {
    /// Every dictionary.
    pub const ALL: [Self; 2] = [Self::None, Self::Trace1];

    /// The number on disk.
    pub const fn id(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Trace1 => 1,
        }
    }

    /// The dictionary with this number.
    pub fn from_id(id: u16) -> Result<Self, OpenError> {
        match id {
            0 => Ok(Self::None),
            1 => Ok(Self::Trace1),
            other => Err(OpenError::Dictionary(other)),
        }
    }

    /// Its bytes; empty for none.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::None => &[],
            Self::Trace1 => TRACE_1,
        }
    }
}

/// Where a record lives: what every part of it is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// SHA-256 of the log's origin.
    pub origin_sha256: Sha256,
    /// Interval of the record.
    pub interval: IntervalId,
    /// Class of the record.
    pub class: Class,
    /// Nonce of the record.
    pub nonce: RecordNonce,
}

impl Place {
    /// SHA-256 of an origin, as it stands in the associated data.
    pub fn origin_digest(origin: &Origin) -> Sha256 {
        Sha256::of(origin.as_str().as_bytes())
    }

    fn data(&self, part: Part, dictionary: Dictionary) -> [u8; 66] {
        let mut out = [0; 66];
        let mut rest = out.as_mut_slice();
        let mut put = |field: &[u8]| {
            let (head, tail) = std::mem::take(&mut rest).split_at_mut(field.len());
            head.copy_from_slice(field);
            rest = tail;
        };
        put(&[FORMAT]);
        put(self.origin_sha256.as_bytes());
        put(&self.interval.get().to_be_bytes());
        put(&self.class.code().to_be_bytes());
        put(self.nonce.as_bytes());
        put(&part.number.to_be_bytes());
        put(&[u8::from(part.last)]);
        put(&dictionary.id().to_be_bytes());
        out
    }
}

/// Position of a part in its record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    /// 0 for the metadata, 1.. for the content.
    pub number: u32,
    /// Whether it is the record's last part.
    pub last: bool,
}

impl Part {
    /// The metadata of a record without content.
    pub const ONLY: Self = Self {
        number: 0,
        last: true,
    };
    /// The metadata of a record with content.
    pub const METADATA: Self = Self {
        number: 0,
        last: false,
    };

    fn nonce(self) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        let number = self.number.to_be_bytes();
        let tail = number
            .iter()
            .chain(std::iter::once(if self.last { &1 } else { &0 }));
        let zeros = NONCE_LEN - 5;
        let places = nonce.iter_mut().skip(zeros);
        places.zip(tail).for_each(|(to, from)| *to = *from);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// A record's cipher: its key, prepared once for all its parts.
pub struct Cipher {
    key: LessSafeKey,
    place: Place,
}

impl Cipher {
    /// Prepares the key of one record at its place.
    pub fn new(key: &RecordKey, place: Place) -> Self {
        Self {
            key: prepare(key),
            place,
        }
    }

    /// Compresses and encrypts one part, appending to `out`.
    pub fn encrypt_into(
        &self,
        part: Part,
        dictionary: Dictionary,
        plain: &[u8],
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        compress_into(dictionary, plain, out);
        let data = self.place.data(part, dictionary);
        let (_, body) = out.split_at_mut(start);
        let tag = self
            .key
            .seal_in_place_separate_tag(part.nonce(), Aad::from(data), body);
        // The only failure of AES-GCM is a plaintext over 64 GiB; a part has at most some MiB.
        #[expect(clippy::expect_used, reason = "parts are far below the AES-GCM limit")]
        let tag = tag.expect("part within the AES-GCM limit");
        out.extend_from_slice(tag.as_ref());
    }

    /// Decrypts and decompresses one part of at most `limit` plain bytes.
    pub fn decrypt(
        &self,
        part: Part,
        dictionary: Dictionary,
        stored: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, OpenError> {
        let data = self.place.data(part, dictionary);
        let mut buffer = stored.to_vec();
        let frame = self
            .key
            .open_in_place(part.nonce(), Aad::from(data), &mut buffer)
            .map_err(|_| OpenError::Authentication)?;
        decompress(dictionary, frame, limit)
    }
}

fn prepare(key: &RecordKey) -> LessSafeKey {
    // Fails only for a key of another length; the type has 32 bytes.
    #[expect(clippy::expect_used, reason = "the key has 32 bytes by type")]
    let key = UnboundKey::new(&AES_256_GCM, key.as_bytes()).expect("32-byte key");
    LessSafeKey::new(key)
}

/// The opening and key of an object that has its own, as wrapped under its class.
pub struct ObjectSecret {
    /// The object's own random opening.
    pub opening: Opening,
    /// The object's own random key.
    pub key: RecordKey,
}

impl ObjectSecret {
    /// Wraps both under the class: AES-256-GCM, one key per record nonce, GCM nonce zero.
    pub fn wrap(&self, keys: &Subkeys, place: &Place) -> Vec<u8> {
        let mut plain = Vec::with_capacity(64 + TAG_BYTES);
        plain.extend_from_slice(self.opening.as_bytes());
        plain.extend_from_slice(self.key.as_bytes());
        wrap_bytes(
            &keys.object_wrap_key(&place.nonce),
            &Self::data(place),
            plain,
        )
    }

    /// Opens what [`ObjectSecret::wrap`] made, at the same place only.
    pub fn unwrap(wrapped: &[u8], keys: &Subkeys, place: &Place) -> Result<Self, OpenError> {
        let key = keys.object_wrap_key(&place.nonce);
        let plain = unwrap_bytes(&key, &Self::data(place), wrapped)?;
        let (opening, key) = plain.split_first_chunk::<32>().ok_or(OpenError::Shape)?;
        let key: [u8; 32] = key.try_into().map_err(|_| OpenError::Shape)?;
        Ok(Self {
            opening: Opening::from_bytes(*opening),
            key: RecordKey::from_bytes(key),
        })
    }

    fn data(place: &Place) -> Vec<u8> {
        let mut data = b"ceralacca v1 object\0".to_vec();
        data.extend_from_slice(place.origin_sha256.as_bytes());
        data.extend_from_slice(&place.interval.get().to_be_bytes());
        data.extend_from_slice(&place.class.code().to_be_bytes());
        data.extend_from_slice(place.nonce.as_bytes());
        data
    }
}

macro_rules! wrapped {
    ($wrapper:ident, $wrap:ident, $unwrap:ident, $secret:ident) => {
        impl $wrapper {
            /// Wraps a secret: `nonce 16 | AES-256-GCM(secret 32) | tag 16`. The nonce is random and new.
            pub fn $wrap(
                &self,
                secret: &$secret,
                origin: &Sha256,
                what: SecretUse,
                nonce: RecordNonce,
            ) -> Vec<u8> {
                let key = self.wrap_key(&nonce);
                let mut out = nonce.as_bytes().to_vec();
                let plain = secret.as_bytes().to_vec();
                out.extend(wrap_bytes(&key, &secret_data(origin, what), plain));
                out
            }

            /// Opens a wrapped secret of this use only.
            pub fn $unwrap(
                &self,
                wrapped: &[u8],
                origin: &Sha256,
                what: SecretUse,
            ) -> Result<$secret, OpenError> {
                let (nonce, body) = wrapped.split_first_chunk::<16>().ok_or(OpenError::Shape)?;
                let key = self.wrap_key(&RecordNonce::from_bytes(*nonce));
                let plain = unwrap_bytes(&key, &secret_data(origin, what), body)?;
                let bytes: [u8; 32] = plain.try_into().map_err(|_| OpenError::Shape)?;
                Ok($secret::from_bytes(bytes))
            }
        }
    };
}

wrapped!(MasterKey, wrap_log_key, unwrap_log_key, LogKey);
wrapped!(LogKey, wrap_class_secret, unwrap_class_secret, ClassSecret);
wrapped!(LogKey, wrap_signing_seed, unwrap_signing_seed, SigningSeed);

impl LogKey {
    /// Encrypts bytes that must outlive every class secret, such as who set a hold:
    /// `nonce 16 | AES-256-GCM(plain) | tag 16`. The nonce is random and new.
    pub fn wrap_detail(
        &self,
        plain: &[u8],
        origin: &Sha256,
        what: SecretUse,
        nonce: RecordNonce,
    ) -> Vec<u8> {
        let key = self.wrap_key(&nonce);
        let mut out = nonce.as_bytes().to_vec();
        out.extend(wrap_bytes(&key, &secret_data(origin, what), plain.to_vec()));
        out
    }

    /// Opens what [`LogKey::wrap_detail`] made, of this use only.
    pub fn unwrap_detail(
        &self,
        wrapped: &[u8],
        origin: &Sha256,
        what: SecretUse,
    ) -> Result<Vec<u8>, OpenError> {
        let (nonce, body) = wrapped.split_first_chunk::<16>().ok_or(OpenError::Shape)?;
        let key = self.wrap_key(&RecordNonce::from_bytes(*nonce));
        unwrap_bytes(&key, &secret_data(origin, what), body)
    }
}

fn secret_data(origin: &Sha256, what: SecretUse) -> Vec<u8> {
    let mut data = b"ceralacca v1 secret\0".to_vec();
    data.extend_from_slice(origin.as_bytes());
    data.extend(what.to_bytes());
    data
}

fn wrap_bytes(key: &RecordKey, data: &[u8], mut plain: Vec<u8>) -> Vec<u8> {
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    let sealed = prepare(key).seal_in_place_append_tag(nonce, Aad::from(data), &mut plain);
    #[expect(
        clippy::expect_used,
        reason = "a secret is far below the AES-GCM limit"
    )]
    sealed.expect("secret within the AES-GCM limit");
    plain
}

fn unwrap_bytes(key: &RecordKey, data: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, OpenError> {
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    let mut buffer = wrapped.to_vec();
    let plain = prepare(key)
        .open_in_place(nonce, Aad::from(data), &mut buffer)
        .map_err(|_| OpenError::Authentication)?;
    Ok(plain.to_vec())
}

thread_local! {
    static COMPRESSORS: RefCell<Option<Codecs>> = const { RefCell::new(None) };
}

/// One thread's zstd contexts: making one costs more than compressing a record.
struct Codecs {
    small: zstd::bulk::Compressor<'static>,
    plain: zstd::bulk::Compressor<'static>,
    trace: zstd::bulk::Compressor<'static>,
    plain_back: zstd::bulk::Decompressor<'static>,
    trace_back: zstd::bulk::Decompressor<'static>,
    /// Where a frame is written before its length is known.
    scratch: Vec<u8>,
}

impl Codecs {
    fn new() -> io::Result<Self> {
        let mut codecs = Self {
            small: zstd::bulk::Compressor::new(LEVEL)?,
            plain: zstd::bulk::Compressor::new(LEVEL)?,
            trace: zstd::bulk::Compressor::with_dictionary(LEVEL, TRACE_1)?,
            plain_back: zstd::bulk::Decompressor::new()?,
            trace_back: zstd::bulk::Decompressor::with_dictionary(TRACE_1)?,
            scratch: Vec::new(),
        };
        for parameter in SMALL_PARAMETERS {
            codecs.small.set_parameter(parameter)?;
        }
        // The dictionary's number is in the row and in the associated data: not in each frame.
        codecs.trace.include_dictid(false)?;
        Ok(codecs)
    }

    fn with<T>(use_them: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        COMPRESSORS.with(|cell| {
            let mut slot = cell.borrow_mut();
            let codecs = match slot.take() {
                Some(codecs) => codecs,
                None => Self::new()?,
            };
            use_them(slot.insert(codecs))
        })
    }
}

fn compress_into(dictionary: Dictionary, plain: &[u8], out: &mut Vec<u8>) {
    let written = Codecs::with(|codecs| {
        let bound = zstd::zstd_safe::compress_bound(plain.len());
        let scratch = &mut codecs.scratch;
        scratch.clear();
        scratch.reserve(bound);
        match dictionary {
            Dictionary::None if plain.len() <= SMALL_BYTES => {
                codecs.small.compress_to_buffer(plain, scratch)?
            }
            Dictionary::None => codecs.plain.compress_to_buffer(plain, scratch)?,
            Dictionary::Trace1 => codecs.trace.compress_to_buffer(plain, scratch)?,
        };
        out.reserve_exact(scratch.len() + TAG_BYTES);
        out.extend_from_slice(scratch);
        Ok(())
    });
    // Fails only without memory for its context: the target has the size zstd asks for.
    #[expect(
        clippy::expect_used,
        reason = "zstd fails only when out of memory here"
    )]
    written.expect("compress into a buffer of sufficient size");
}

fn decompress(dictionary: Dictionary, frame: &[u8], limit: usize) -> Result<Vec<u8>, OpenError> {
    Codecs::with(|codecs| match dictionary {
        Dictionary::None => codecs.plain_back.decompress(frame, limit),
        Dictionary::Trace1 => codecs.trace_back.decompress(frame, limit),
    })
    .map_err(|_| OpenError::Compression)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            origin_sha256: Place::origin_digest(&Origin::try_from("pec.example.test/log").unwrap()),
            interval: IntervalId::new(1_763_683_200_000),
            class: Class::Trace,
            nonce: RecordNonce::from_bytes([0x22; 16]),
        }
    }

    fn cipher(place: Place) -> Cipher {
        Cipher::new(&RecordKey::from_bytes([0x33; 32]), place)
    }

    fn encrypt(place: Place, part: Part, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        cipher(place).encrypt_into(part, Dictionary::Trace1, plain, &mut out);
        out
    }

    /// The frame of an empty plaintext does not depend on zstd's choices, so it can be a vector.
    #[test]
    fn the_associated_data_and_cipher_vectors_are_reproduced() {
        let data = place().data(Part::METADATA, Dictionary::Trace1);
        assert_eq!(
            format!(
                "data {}\nempty {}\n",
                hex::encode(data),
                hex::encode(encrypt(place(), Part::METADATA, b""))
            ),
            include_str!("../vectors/encrypt.txt")
        );
    }

    #[test]
    fn a_part_opens_only_at_its_place() {
        let stored = encrypt(place(), Part::ONLY, b"fatti");
        let open =
            |place: Place, part, dictionary| cipher(place).decrypt(part, dictionary, &stored, 100);
        assert_eq!(
            open(place(), Part::ONLY, Dictionary::Trace1).unwrap(),
            b"fatti"
        );
        let elsewhere = [
            Place {
                interval: IntervalId::new(0),
                ..place()
            },
            Place {
                class: Class::Custody,
                ..place()
            },
            Place {
                nonce: RecordNonce::from_bytes([0; 16]),
                ..place()
            },
            Place {
                origin_sha256: Sha256::of(b"other"),
                ..place()
            },
        ];
        for place in elsewhere {
            let found = open(place, Part::ONLY, Dictionary::Trace1);
            assert_eq!(found, Err(OpenError::Authentication));
        }
        for (part, dictionary) in [
            (Part::METADATA, Dictionary::Trace1),
            (
                Part {
                    number: 1,
                    last: true,
                },
                Dictionary::Trace1,
            ),
            (Part::ONLY, Dictionary::None),
        ] {
            let found = open(place(), part, dictionary);
            assert_eq!(found, Err(OpenError::Authentication));
        }
    }

    #[test]
    fn every_altered_byte_is_found() {
        let stored = encrypt(place(), Part::ONLY, b"fatti");
        for at in 0..stored.len() {
            let mut altered = stored.clone();
            altered[at] ^= 1;
            let found = cipher(place()).decrypt(Part::ONLY, Dictionary::Trace1, &altered, 100);
            assert_eq!(found, Err(OpenError::Authentication), "byte {at}");
        }
    }

    #[test]
    fn a_bomb_stops_at_its_limit() {
        let stored = encrypt(place(), Part::ONLY, &vec![0; 1 << 20]);
        assert!(stored.len() < 1000);
        let found = cipher(place()).decrypt(Part::ONLY, Dictionary::Trace1, &stored, 1 << 19);
        assert_eq!(found, Err(OpenError::Compression));
    }

    #[test]
    fn a_wrapped_secret_opens_for_its_use_only() {
        let origin = Sha256::of(b"o");
        let (master, log) = (MasterKey::from_bytes([1; 32]), LogKey::from_bytes([2; 32]));
        let nonce = RecordNonce::from_bytes([3; 16]);
        let what = |class| SecretUse::Class { interval: 5, class };
        let secret = ClassSecret::from_bytes([4; 32]);
        let wrapped = log.wrap_class_secret(&secret, &origin, what(Class::Trace), nonce);
        let key = master.wrap_log_key(&log, &origin, SecretUse::LogKey, nonce);
        let seed = SigningSeed::from_bytes([4; 32]);
        let seed = log.wrap_signing_seed(&seed, &origin, SecretUse::SigningSeed, nonce);
        assert_eq!(
            format!(
                "log key {}\nclass secret {}\nsigning seed {}\n",
                hex::encode(&key),
                hex::encode(&wrapped),
                hex::encode(&seed)
            ),
            include_str!("../vectors/wrap.txt")
        );
        let open = |class| log.unwrap_class_secret(&wrapped, &origin, what(class));
        assert_eq!(open(Class::Trace).unwrap().as_bytes(), secret.as_bytes());
        assert_eq!(open(Class::Custody).err(), Some(OpenError::Authentication));
        let other = LogKey::from_bytes([9; 32]);
        let found = other.unwrap_class_secret(&wrapped, &origin, what(Class::Trace));
        assert_eq!(found.err(), Some(OpenError::Authentication));
        let back = master
            .unwrap_log_key(&key, &origin, SecretUse::LogKey)
            .unwrap();
        assert_eq!(back.as_bytes(), log.as_bytes());
        let short = master.unwrap_log_key(&key[..9], &origin, SecretUse::LogKey);
        assert_eq!(short.err(), Some(OpenError::Shape));
    }

    #[test]
    fn an_objects_own_key_comes_back_under_its_class_only() {
        let keys = Subkeys::new(&ClassSecret::from_bytes([5; 32]));
        let own = ObjectSecret {
            opening: Opening::from_bytes([6; 32]),
            key: RecordKey::from_bytes([7; 32]),
        };
        let wrapped = own.wrap(&keys, &place());
        let shown = format!("object {}\n", hex::encode(&wrapped));
        assert_eq!(shown, include_str!("../vectors/object-wrap.txt"));
        let back = ObjectSecret::unwrap(&wrapped, &keys, &place()).unwrap();
        assert_eq!(back.opening, own.opening);
        assert_eq!(back.key.as_bytes(), own.key.as_bytes());
        let other = Subkeys::new(&ClassSecret::from_bytes([8; 32]));
        let found = ObjectSecret::unwrap(&wrapped, &other, &place());
        assert_eq!(found.err(), Some(OpenError::Authentication));
    }

    #[test]
    fn dictionaries_have_the_published_digests() {
        let shown: Vec<String> = Dictionary::ALL
            .iter()
            .map(|d| format!("{} {}\n", d.id(), Sha256::of(d.bytes())))
            .collect();
        assert_eq!(shown.concat(), include_str!("../vectors/dictionaries.txt"));
        for dictionary in Dictionary::ALL {
            assert_eq!(Dictionary::from_id(dictionary.id()), Ok(dictionary));
        }
        assert_eq!(Dictionary::from_id(9), Err(OpenError::Dictionary(9)));
    }

    #[test]
    fn the_detail_of_a_hold_opens_for_its_hold_and_step_only() {
        let log_key = LogKey::from_bytes([2; 32]);
        let origin = Sha256::of(b"o");
        let what = |hold, step| SecretUse::HoldDetail { hold, step };
        let nonce = RecordNonce::from_bytes([3; 16]);
        let wrapped = log_key.wrap_detail(b"abc", &origin, what(258, 1), nonce);
        let line = format!("detail {}\n", hex::encode(&wrapped));
        assert_eq!(line, include_str!("../vectors/hold-detail.txt"));
        let open = |bytes: &[u8], what| log_key.unwrap_detail(bytes, &origin, what);
        assert_eq!(open(&wrapped, what(258, 1)), Ok(b"abc".to_vec()));
        for other in [what(258, 2), what(259, 1), SecretUse::SigningSeed] {
            assert_eq!(open(&wrapped, other), Err(OpenError::Authentication));
        }
        for cut in 0..wrapped.len() {
            assert!(open(&wrapped[..cut], what(258, 1)).is_err());
        }
    }
}
