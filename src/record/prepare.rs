//! From a draft to rows: digest, compress, encrypt, commit.
//!
//! # Invariants
//! 1. Nothing here depends on the leaf index: drafts are prepared in parallel, before the queue.
//! 2. Every preparation draws a fresh record nonce, but for a staged content, whose nonce and keys were
//!    drawn when it was staged; a draft prepared again in another interval shares no key with the first.
//! 3. The commitment is over the plain content and metadata; encryption stands outside it.

use crate::ambient::{Entropy, draw};
use crate::keyring::IntervalKeys;
use crate::record::upload::StagedContent;
use crate::store::cf::chunk::UploadKey;
use crate::store::cf::content::ContentPart;
use crate::store::cf::metadata::{ContentPlace, Keys, MetadataRow};
use ceralacca_formats::digest::{ContentDigest, Sha256};
use ceralacca_formats::encrypt::{Cipher, Dictionary, ObjectSecret, PART_BYTES, Part, Place};
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::leaf::{Class, Commitment, Kind, Opening};
use ceralacca_formats::metadata::{Field, Metadata, metadata_digest};
use ceralacca_formats::secret::{RecordKey, RecordNonce, Subkeys, Token};

/// A record before it has a place in the log.
pub struct Draft {
    /// What it is.
    pub kind: Kind,
    /// Its retention class.
    pub class: Class,
    /// Its facts.
    pub metadata: Metadata,
    /// Their canonical bytes, written once.
    pub canonical: Vec<u8>,
    /// SHA-256 of those.
    pub metadata_sha256: Sha256,
    /// Its content.
    pub content: DraftContent,
}

impl Draft {
    /// A draft of these facts and content.
    pub fn new(kind: Kind, class: Class, metadata: Metadata, content: DraftContent) -> Self {
        let canonical = metadata.to_bytes();
        Self {
            kind,
            class,
            metadata_sha256: metadata_digest(&canonical),
            metadata,
            canonical,
            content,
        }
    }
}

/// The content of a draft.
pub enum DraftContent {
    /// None: a trace record or an act of custody.
    None,
    /// In memory, at most [`crate::ingest::INLINE_BYTES_MAX`].
    Bytes(InMemory),
    /// Staged in the store.
    Staged(StagedContent),
}

/// A content in memory with its digests, which are made once however often it is prepared.
pub struct InMemory {
    bytes: Vec<u8>,
    digest: ContentDigest,
}

impl InMemory {
    /// Digests a content.
    pub fn of(bytes: Vec<u8>) -> Self {
        let digest = ContentDigest::of(&bytes);
        Self { bytes, digest }
    }

    /// Its length and digests.
    pub fn digest(&self) -> ContentDigest {
        self.digest
    }
}

/// A record ready for the writer: everything but index, time and epoch.
pub struct Prepared {
    /// Interval under whose secrets it is encrypted.
    pub interval: IntervalId,
    /// What it is.
    pub kind: Kind,
    /// Its class.
    pub class: Class,
    /// What its leaf commits to.
    pub commitment: Commitment,
    /// The opening of the commitment.
    pub opening: Opening,
    /// Length and digests of its content.
    pub content: ContentDigest,
    /// Digest of its canonical metadata.
    pub metadata_sha256: Sha256,
    /// Its metadata row.
    pub row: MetadataRow,
    /// Its own wrapped keys, for an object.
    pub wrapped: Option<Vec<u8>>,
    /// Its encrypted content, when small.
    pub parts: Vec<ContentPart>,
    /// Its staged content, when large.
    pub staged: Option<UploadKey>,
    /// Its index terms.
    pub tokens: Vec<(Field, Token)>,
}

impl Prepared {
    /// Bytes it will take in a batch, roughly: for the limits of queue and group.
    pub fn bytes(&self) -> usize {
        let parts: usize = self.parts.iter().map(|part| part.ciphertext.len()).sum();
        256 + self.row.ciphertext.len() + parts
    }
}

/// Prepares a draft under the secrets of an interval.
pub fn prepare(draft: &Draft, interval_keys: &IntervalKeys, entropy: &dyn Entropy) -> Prepared {
    let interval = interval_keys.interval;
    let keys = interval_keys.class(draft.class);
    let nonce = match &draft.content {
        DraftContent::Staged(staged) => staged.upload.nonce,
        _ => RecordNonce::from_bytes(draw(entropy)),
    };
    let place = Place {
        origin_sha256: interval_keys.origin_sha256,
        interval,
        class: draft.class,
        nonce,
    };
    let own = match &draft.content {
        DraftContent::None => None,
        DraftContent::Bytes(_) => Some(own_secret(entropy)),
        DraftContent::Staged(staged) => Some(staged.secret()),
    };
    let (opening, key, wrapped) = match &own {
        None => (keys.opening(&nonce), keys.record_key(&nonce), None),
        Some(own) => (own.opening, own.key.clone(), Some(own.wrap(keys, &place))),
    };
    let cipher = Cipher::new(&key, place);
    let metadata_sha256 = draft.metadata_sha256;
    let content = match &draft.content {
        DraftContent::None => ContentDigest::EMPTY,
        DraftContent::Bytes(content) => content.digest,
        DraftContent::Staged(staged) => staged.digest,
    };
    let place = match &draft.content {
        DraftContent::None => ContentPlace::None,
        DraftContent::Bytes(_) => ContentPlace::Inline,
        DraftContent::Staged(_) => ContentPlace::Chunks,
    };
    let parts = match &draft.content {
        DraftContent::Bytes(content) => encrypt_content(&cipher, &content.bytes),
        _ => Vec::new(),
    };
    Prepared {
        interval,
        kind: draft.kind,
        class: draft.class,
        commitment: Commitment::new(&opening, draft.kind, &content, &metadata_sha256),
        opening,
        content,
        metadata_sha256,
        row: encrypt_metadata(&cipher, nonce, place, &content, &draft.canonical),
        wrapped,
        parts,
        staged: match &draft.content {
            DraftContent::Staged(staged) => Some(staged.upload),
            _ => None,
        },
        tokens: tokens(keys, &draft.metadata),
    }
}

/// The index tokens of a record.
pub fn tokens(keys: &Subkeys, metadata: &Metadata) -> Vec<(Field, Token)> {
    let mut tokens = Vec::with_capacity(8);
    metadata.each_term(|field, text| {
        tokens.push((field, keys.token(field, &field.normalise(text))));
    });
    // The recipient of a delivery stands among the recipients too.
    tokens.sort_unstable_by_key(|(field, token)| (*field, u64::from_be_bytes(token.0)));
    tokens.dedup();
    tokens
}

/// A key and opening of an object's own.
pub(super) fn own_secret(entropy: &dyn Entropy) -> ObjectSecret {
    ObjectSecret {
        opening: Opening::from_bytes(draw(entropy)),
        key: RecordKey::from_bytes(draw(entropy)),
    }
}

fn encrypt_metadata(
    cipher: &Cipher,
    nonce: RecordNonce,
    place: ContentPlace,
    content: &ContentDigest,
    canonical: &[u8],
) -> MetadataRow {
    let dictionary = Dictionary::Trace1;
    let mut ciphertext = Vec::new();
    let (keys, part) = match place {
        ContentPlace::None => (Keys::OfClass, Part::ONLY),
        _ => (Keys::Own, Part::METADATA),
    };
    if place == ContentPlace::None {
        cipher.encrypt_into(part, dictionary, canonical, &mut ciphertext);
    } else {
        let mut plain = Vec::with_capacity(72 + canonical.len());
        plain.extend_from_slice(&content.bytes.to_be_bytes());
        plain.extend_from_slice(content.sha256.as_bytes());
        plain.extend_from_slice(content.blake3.as_bytes());
        plain.extend_from_slice(canonical);
        cipher.encrypt_into(part, dictionary, &plain, &mut ciphertext);
    }
    MetadataRow {
        keys,
        place,
        dictionary: dictionary.id(),
        nonce,
        ciphertext,
    }
}

/// Content in parts of 1 MiB. An empty content is one empty part, so that its end is authenticated.
fn encrypt_content(cipher: &Cipher, content: &[u8]) -> Vec<ContentPart> {
    let count = content.len().div_ceil(PART_BYTES).max(1);
    let mut pieces = content.chunks(PART_BYTES);
    (1..=count)
        .map(|number| {
            let piece = pieces.next().unwrap_or_default();
            let part = Part {
                // A content in memory has far fewer than 2^32 parts.
                number: u32::try_from(number).unwrap_or(u32::MAX),
                last: number == count,
            };
            encrypt_part(cipher, part, piece)
        })
        .collect()
}

/// One encrypted part of a content.
pub(super) fn encrypt_part(cipher: &Cipher, part: Part, piece: &[u8]) -> ContentPart {
    let dictionary = Dictionary::None;
    let mut ciphertext = Vec::new();
    cipher.encrypt_into(part, dictionary, piece, &mut ciphertext);
    ContentPart {
        dictionary: dictionary.id(),
        ciphertext,
    }
}
