//! From rows back to a record: decrypt, decompress, check against the leaf.
//!
//! # Invariants
//! 1. Nothing is handed out that does not recompute the commitment in its leaf.
//! 2. A content is read part by part; its digests are checked at the end, and the caller is told.

use crate::keyring::{KeyError, Keyring};
use crate::record::carried;
use crate::store::cf::chunk::{Chunks, UploadKey};
use crate::store::cf::content::{ContentPart, Contents};
use crate::store::cf::disposal::{DisposalKey, Disposals};
use crate::store::cf::erasure::{ErasureRow, ErasureStep, Erasures};
use crate::store::cf::held::HeldCopy;
use crate::store::cf::metadata::{
    ContentPlace, EncryptedMetadata, Keys, MetadataRow, RecordKey as RowKey,
};
use crate::store::cf::secret::{SecretKey, Secrets};
use crate::store::{KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::digest::{Blake3, ContentDigest, ContentHasher, Sha256};
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::encrypt::{
    Cipher, Dictionary, ObjectSecret, OpenError, PART_BYTES, Part, Place,
};
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::{Class, Commitment, Leaf, Opening};
use ceralacca_formats::metadata::{Metadata, MetadataError, metadata_digest};
use ceralacca_formats::proof::{ProvenMetadata, ProvenRecord};

/// The longest canonical metadata, in bytes: some forty thousand recipients. Longer ones are refused at
/// submission, so that every record that was acknowledged opens.
pub const METADATA_BYTES_MAX: usize = 4 << 20;
/// What stands before the metadata of an object: length and digests of its content.
pub(super) const DIGESTS_BYTES: usize = 72;

/// Why a record cannot be opened. All but `Store` and `Keys` are alarms: what is stored is not what was
/// recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is no metadata row: the record was disposed of, or the store is damaged.
    #[error("leaf {0} has no metadata row")]
    MetadataMissing(LeafIndex),
    /// Its class was disposed of, and the record with it. Final: the certificate says how.
    #[error("class {class} of interval {interval} was disposed of, with leaf {index}")]
    Disposed {
        /// The record.
        index: LeafIndex,
        /// Its interval.
        interval: IntervalId,
        /// Its class.
        class: Class,
    },
    /// The record was erased singly; its certificate says when and why. Final, and no damage.
    #[error("leaf {index} was erased, as leaf {erasure} says")]
    Erased {
        /// The record.
        index: LeafIndex,
        /// The leaf that says so.
        erasure: LeafIndex,
    },
    /// The object's own keys are not there: it was erased, or the store is damaged.
    #[error("leaf {0} has no keys of its own")]
    KeysMissing(LeafIndex),
    /// The metadata does not decrypt or decompress.
    #[error("metadata of leaf {index}")]
    Metadata {
        /// The record.
        index: LeafIndex,
        /// How it failed.
        #[source]
        source: OpenError,
    },
    /// The metadata is shorter than the digests or the opening that go before it.
    #[error("metadata of leaf {0} is too short")]
    Short(LeafIndex),
    /// What is stored does not recompute the commitment in the leaf.
    #[error("leaf {0} does not commit to what is stored")]
    Commitment(LeafIndex),
    /// A part of the content does not decrypt or decompress.
    #[error("part {part} of the content of leaf {index}")]
    Part {
        /// The record.
        index: LeafIndex,
        /// The part, from 1.
        part: u32,
        /// How it failed.
        #[source]
        source: OpenError,
    },
    /// Parts of the content are missing.
    #[error("content of leaf {0} ends before its last part")]
    Truncated(LeafIndex),
    /// The content has other digests than the leaf commits to.
    #[error("content of leaf {0} has other digests")]
    Content(LeafIndex),
    /// The metadata cannot be interpreted; its bytes verify.
    #[error("metadata of leaf {index}")]
    Uninterpreted {
        /// The record.
        index: LeafIndex,
        /// Why not.
        #[source]
        source: MetadataError,
    },
    /// A secret cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A record opened and checked against its leaf; its content is still in the store.
pub struct Opened {
    /// Its leaf.
    pub leaf: Leaf,
    /// The opening of its commitment.
    pub opening: Opening,
    /// Length and digests of its content.
    pub content: ContentDigest,
    /// Its canonical metadata.
    pub canonical: Vec<u8>,
    pub(super) interval: IntervalId,
    pub(super) row: MetadataRow,
    pub(super) cipher: Cipher,
    /// The copy it was carried over into, under a hold.
    pub(super) held: Option<HeldCopy>,
}

/// Opens the record of a leaf.
pub fn open(
    store: &dyn Store,
    keyring: &Keyring,
    interval: IntervalId,
    leaf: Leaf,
) -> Result<Opened, RecordError> {
    let key = RowKey {
        interval,
        class: leaf.class,
        index: leaf.seq,
    };
    let why = match store.read::<EncryptedMetadata>(&key)? {
        None => missing(store, leaf.seq)?,
        Some(row) => match open_row(store, keyring, interval, leaf, row) {
            // Destroyed since the row was read.
            Err(error @ RecordError::Keys(KeyError::Missing { .. })) => error,
            other => return other,
        },
    };
    if matches!(why, RecordError::Erased { .. }) {
        return Err(why);
    }
    if let Some(held) = super::held::open(store, keyring, interval, leaf)? {
        return Ok(held);
    }
    match is_disposed(store, interval, leaf.class)? {
        false => Err(why),
        true => Err(RecordError::Disposed {
            index: leaf.seq,
            interval,
            class: leaf.class,
        }),
    }
}

/// Whether a class of an interval was disposed of: what a hold kept of it was carried over.
pub fn is_disposed(
    store: &dyn Store,
    interval: IntervalId,
    class: Class,
) -> Result<bool, StoreError> {
    let unit = DisposalUnit {
        interval,
        class,
        carried: 0,
    };
    let row = store.read::<Disposals>(&DisposalKey::Gone(unit))?;
    Ok(row.is_some())
}

/// Whether a record is there, as it was sealed or carried over under a hold: neither disposed of nor erased.
pub fn is_there(store: &dyn Store, interval: IntervalId, leaf: &Leaf) -> Result<bool, StoreError> {
    let (class, index) = (leaf.class, leaf.seq);
    let key = RowKey {
        interval,
        class,
        index,
    };
    if store.read::<EncryptedMetadata>(&key)?.is_some() {
        return Ok(true);
    }
    match super::held::in_force(store, interval, class)? {
        None => Ok(false),
        Some(copy) => super::held::has(store, copy, index),
    }
}

/// Why a record has no metadata row.
pub fn missing(store: &dyn Store, index: LeafIndex) -> Result<RecordError, StoreError> {
    let row = store.read::<Erasures>(&(index, ErasureStep::Erased))?;
    Ok(match row {
        Some(ErasureRow::Erased(erased)) => RecordError::Erased {
            index,
            erasure: erased.leaf,
        },
        _ => RecordError::MetadataMissing(index),
    })
}

/// Opens the record of a leaf from its metadata row.
pub fn open_row(
    store: &dyn Store,
    keyring: &Keyring,
    interval: IntervalId,
    leaf: Leaf,
    row: MetadataRow,
) -> Result<Opened, RecordError> {
    let index = leaf.seq;
    let keys = keyring.class(store, interval, leaf.class)?;
    let place = Place {
        origin_sha256: keyring.origin_sha256(),
        interval,
        class: leaf.class,
        nonce: row.nonce,
    };
    let failed = |source| RecordError::Metadata { index, source };
    let (opening, key) = match row.keys {
        Keys::OfClass => (Some(keys.opening(&row.nonce)), keys.record_key(&row.nonce)),
        Keys::Carried => (None, keys.record_key(&row.nonce)),
        Keys::Own => {
            let key = RowKey {
                interval,
                class: leaf.class,
                index,
            };
            let wrapped = store.read::<Secrets>(&SecretKey::Object(key))?;
            let wrapped = wrapped.ok_or(RecordError::KeysMissing(index))?;
            let own = ObjectSecret::unwrap(&wrapped, &keys, &place).map_err(failed)?;
            (Some(own.opening), own.key)
        }
    };
    let cipher = Cipher::new(&key, place);
    let part = match row.place {
        ContentPlace::None => Part::ONLY,
        _ => Part::METADATA,
    };
    let dictionary = Dictionary::from_id(row.dictionary).map_err(failed)?;
    let plain = cipher
        .decrypt(
            part,
            dictionary,
            &row.ciphertext,
            METADATA_BYTES_MAX + DIGESTS_BYTES,
        )
        .map_err(failed)?;
    let (opening, plain) = match opening {
        Some(opening) => (opening, plain),
        None => carried::split(plain).ok_or(RecordError::Short(index))?,
    };
    let (content, canonical) = match row.place {
        ContentPlace::None => (ContentDigest::EMPTY, plain),
        _ => split_plain(&plain).ok_or(RecordError::Short(index))?,
    };
    let opened = Opened {
        leaf,
        opening,
        content,
        canonical,
        interval,
        row,
        cipher,
        held: None,
    };
    opened.is_of_its_leaf()?;
    Ok(opened)
}

pub(super) fn split_plain(plain: &[u8]) -> Option<(ContentDigest, Vec<u8>)> {
    let (bytes, rest) = plain.split_first_chunk::<8>()?;
    let (sha256, rest) = rest.split_first_chunk::<32>()?;
    let (blake3, canonical) = rest.split_first_chunk::<32>()?;
    let content = ContentDigest {
        bytes: u64::from_be_bytes(*bytes),
        sha256: Sha256::from_bytes(*sha256),
        blake3: Blake3::from_bytes(*blake3),
    };
    Some((content, canonical.to_vec()))
}

/// Whether a record has keys of its own: an object, which can be erased alone.
pub fn has_own_keys(row: &MetadataRow) -> bool {
    row.keys == Keys::Own
}

impl Opened {
    /// Whether what was opened is what its leaf commits to.
    pub(super) fn is_of_its_leaf(&self) -> Result<(), RecordError> {
        let digest = metadata_digest(&self.canonical);
        let found = Commitment::new(&self.opening, self.leaf.kind, &self.content, &digest);
        match found == self.leaf.commitment {
            true => Ok(()),
            false => Err(RecordError::Commitment(self.leaf.seq)),
        }
    }

    /// Whether it has keys of its own.
    pub fn has_own_keys(&self) -> bool {
        has_own_keys(&self.row)
    }

    /// Whether a hold kept it when its unit was disposed of.
    pub fn is_carried_over(&self) -> bool {
        self.held.is_some()
    }

    /// The facts of the record.
    pub fn metadata(&self) -> Result<Metadata, RecordError> {
        Metadata::parse(&self.canonical).map_err(|source| RecordError::Uninterpreted {
            index: self.leaf.seq,
            source,
        })
    }

    /// SHA-256 of its canonical metadata.
    pub fn metadata_sha256(&self) -> Sha256 {
        metadata_digest(&self.canonical)
    }

    /// Whether it has a content.
    pub fn has_content(&self) -> bool {
        self.row.place != ContentPlace::None
    }

    /// Where its chunks are, if it is a large object.
    pub fn upload(&self) -> Option<UploadKey> {
        (self.row.place == ContentPlace::Chunks).then_some(UploadKey {
            interval: self.interval,
            class: self.leaf.class,
            nonce: self.row.nonce,
        })
    }

    /// The record as a proof carries it.
    pub fn proven(&self) -> ProvenRecord {
        ProvenRecord {
            leaf: self.leaf,
            opening: self.opening,
            content: self.content,
            metadata: ProvenMetadata::Bytes(self.canonical.clone()),
        }
    }

    /// Hands the content to `take`, part by part, and checks its digests at the end. On an error what was
    /// taken is not the content.
    pub fn content(
        &self,
        store: &dyn Store,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), RecordError> {
        let mut pieces = self.pieces(store)?;
        while let Some(piece) = pieces.next_piece()? {
            take(&piece);
        }
        Ok(())
    }

    /// The content as pieces of at most a megabyte, for whoever takes them at its own pace.
    pub fn pieces<'a>(&'a self, store: &'a dyn Store) -> Result<Pieces<'a>, RecordError> {
        let index = self.leaf.seq;
        let mut parts: Parts<'a> = match (self.row.place, self.held, self.upload()) {
            (ContentPlace::None, ..) => Box::new(std::iter::empty()),
            (_, Some(copy), _) => Box::new(super::held::parts(store, copy, index)),
            (_, None, Some(upload)) => {
                let range = KeyRange::prefix(&upload.prefix());
                let rows = store.rows::<Chunks>(&range, Order::Ascending);
                Box::new(rows.map(|row| row.map(|(key, part)| (key.part, part))))
            }
            (_, None, None) => {
                let mut prefix = crate::store::cf::unit_prefix(self.interval, self.leaf.class);
                prefix.extend_from_slice(&index.get().to_be_bytes());
                let range = KeyRange::prefix(&prefix);
                let rows = store.rows::<Contents>(&range, Order::Ascending);
                Box::new(rows.map(|row| row.map(|(key, part)| (key.part, part))))
            }
        };
        Ok(Pieces {
            opened: self,
            next: parts.next().transpose()?,
            parts,
            expected: 1,
            ended: !self.has_content(),
            hasher: ContentHasher::default(),
            piece: Vec::new(),
            at: 0,
        })
    }

    fn part(&self, part: Part, row: &ContentPart) -> Result<Vec<u8>, RecordError> {
        let failed = |source| RecordError::Part {
            index: self.leaf.seq,
            part: part.number,
            source,
        };
        let dictionary = Dictionary::from_id(row.dictionary).map_err(failed)?;
        self.cipher
            .decrypt(part, dictionary, &row.ciphertext, PART_BYTES)
            .map_err(failed)
    }
}

type Parts<'a> = Box<dyn Iterator<Item = Result<(u32, ContentPart), StoreError>> + 'a>;

/// A content, piece by piece. What was taken is the content only once the end came without an error: its digests are
/// checked there. As a reader it gives the error of the record as that of the reading.
pub struct Pieces<'a> {
    opened: &'a Opened,
    parts: Parts<'a>,
    next: Option<(u32, ContentPart)>,
    expected: u32,
    ended: bool,
    hasher: ContentHasher,
    piece: Vec<u8>,
    at: usize,
}

impl Pieces<'_> {
    /// The next piece; none at the good end.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, RecordError> {
        if self.ended {
            return Ok(None);
        }
        let index = self.opened.leaf.seq;
        let row = self
            .next
            .take()
            .filter(|(number, _)| *number == self.expected);
        let (number, row) = row.ok_or(RecordError::Truncated(index))?;
        self.next = self.parts.next().transpose()?;
        self.expected = self.expected.saturating_add(1);
        let part = Part {
            number,
            last: self.next.is_none(),
        };
        let piece = self.opened.part(part, &row)?;
        self.hasher.update(&piece);
        if part.last {
            self.ended = true;
            let hasher = std::mem::take(&mut self.hasher);
            if hasher.finish() != self.opened.content {
                return Err(RecordError::Content(index));
            }
        }
        Ok(Some(piece))
    }
}

impl std::io::Read for Pieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        while self.at >= self.piece.len() {
            self.at = 0;
            match self.next_piece().map_err(std::io::Error::other)? {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let taken = rest.len().min(to.len());
        if let (Some(to), Some(from)) = (to.get_mut(..taken), rest.get(..taken)) {
            to.copy_from_slice(from);
        }
        self.at += taken;
        Ok(taken)
    }
}
