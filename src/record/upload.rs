//! Large contents: encrypted and staged part by part, before their leaf.
//!
//! ```text
//! first part:  staging row + chunk row     one synced batch
//! each part:   chunk row                   one synced batch each, 1 MiB of content
//! the leaf:    staging row removed with it in the writer's batch
//! ```
//!
//! # Invariants
//! 1. A chunk row without a leaf has a staging row: the sweep at open finds every orphan by it, and reads
//!    nothing else.
//! 2. Memory is one part, whatever the size of the content.
//!
//! # Crash
//! Before the leaf's batch the upload never happened; its rows go at the next open. After it, the object is
//! whole.

use crate::ambient::{Entropy, draw};
use crate::keyring::Keyring;
use crate::record::prepare::{encrypt_part, own_secret};
use crate::store::cf::chunk::{ChunkKey, Chunks, UploadKey};
use crate::store::cf::staging::Staging;
use crate::store::{Batch, KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::digest::{ContentDigest, ContentHasher};
use ceralacca_formats::encrypt::{
    Cipher, Dictionary, ObjectSecret, OpenError, PART_BYTES, Part, Place,
};
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::leaf::{Class, Opening};
use ceralacca_formats::secret::{RecordKey, RecordNonce};

/// A content that is staged whole, and waits for its leaf: for one, so it is not to be copied.
pub struct StagedContent {
    /// Where its chunks are.
    pub upload: UploadKey,
    /// Its length and digests.
    pub digest: ContentDigest,
    opening: Opening,
    key: RecordKey,
}

impl StagedContent {
    /// The object's own opening and key.
    pub fn secret(&self) -> ObjectSecret {
        ObjectSecret {
            opening: self.opening,
            key: self.key.clone(),
        }
    }
}

/// An upload in progress.
pub struct Upload<'a> {
    store: &'a dyn Store,
    upload: UploadKey,
    secret: ObjectSecret,
    cipher: Cipher,
    hasher: ContentHasher,
    piece: Vec<u8>,
    number: u32,
    staged: bool,
}

impl<'a> Upload<'a> {
    /// Begins an upload under the secrets of an interval; writes nothing yet.
    pub fn begin(
        store: &'a dyn Store,
        keyring: &Keyring,
        entropy: &dyn Entropy,
        interval: IntervalId,
        class: Class,
    ) -> Self {
        let upload = UploadKey {
            interval,
            class,
            nonce: RecordNonce::from_bytes(draw(entropy)),
        };
        let secret = own_secret(entropy);
        let place = place(keyring, upload);
        Self {
            store,
            upload,
            cipher: Cipher::new(&secret.key, place),
            secret,
            hasher: ContentHasher::default(),
            piece: Vec::new(),
            number: 0,
            staged: false,
        }
    }

    /// Bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.hasher.bytes()
    }

    /// Takes the next bytes of the content.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        while !bytes.is_empty() {
            // A full piece waits for one more byte: only then is it known not to be the last.
            if self.piece.len() == PART_BYTES {
                self.stage(false)?;
            }
            let room = PART_BYTES - self.piece.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Stages the last part. The content is whole, and waits for its leaf.
    pub fn finish(mut self) -> Result<StagedContent, StoreError> {
        self.stage(true)?;
        Ok(StagedContent {
            upload: self.upload,
            digest: self.hasher.finish(),
            opening: self.secret.opening,
            key: self.secret.key,
        })
    }

    /// Gives the upload up and removes what was staged.
    pub fn abandon(self) -> Result<(), StoreError> {
        if self.staged {
            remove(self.store, self.upload)?;
        }
        Ok(())
    }

    fn stage(&mut self, last: bool) -> Result<(), StoreError> {
        self.number += 1;
        let part = Part {
            number: self.number,
            last,
        };
        let row = encrypt_part(&self.cipher, part, &self.piece);
        self.piece.clear();
        let mut batch = Batch::new();
        if !self.staged {
            batch.put::<Staging>(&self.upload, &());
            self.staged = true;
        }
        let key = ChunkKey {
            upload: self.upload,
            part: self.number,
        };
        batch.put::<Chunks>(&key, &row);
        self.store.commit(&batch)
    }
}

fn place(keyring: &Keyring, upload: UploadKey) -> Place {
    Place {
        origin_sha256: keyring.origin_sha256(),
        interval: upload.interval,
        class: upload.class,
        nonce: upload.nonce,
    }
}

/// Why a staged content could not be staged again.
#[derive(Debug, thiserror::Error)]
pub enum RestageError {
    /// A staged part does not open. An alarm: the disk or the memory of this machine is failing.
    #[error("staged part {part}")]
    Part {
        /// The part, from 1.
        part: u32,
        /// How it failed.
        #[source]
        source: OpenError,
    },
    /// The staged content has other digests than were taken when it came. An alarm, as above.
    #[error("staged content has other digests")]
    Digest,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stages a content again under another interval or class, with keys and nonce of its own; the first staging goes.
pub fn restage(
    store: &dyn Store,
    keyring: &Keyring,
    entropy: &dyn Entropy,
    staged: &StagedContent,
    (interval, class): (IntervalId, Class),
) -> Result<StagedContent, RestageError> {
    let from = staged.upload;
    let cipher = Cipher::new(&staged.key, place(keyring, from));
    let mut upload = Upload::begin(store, keyring, entropy, interval, class);
    let rows = store.rows::<Chunks>(&KeyRange::prefix(&from.prefix()), Order::Ascending);
    let mut rows = rows.peekable();
    while let Some(row) = rows.next() {
        let (key, row) = row?;
        let part = Part {
            number: key.part,
            last: rows.peek().is_none(),
        };
        let opened = Dictionary::from_id(row.dictionary)
            .and_then(|dictionary| cipher.decrypt(part, dictionary, &row.ciphertext, PART_BYTES));
        let piece = opened.map_err(|source| RestageError::Part {
            part: key.part,
            source,
        })?;
        upload.write(&piece)?;
    }
    let again = upload.finish()?;
    if again.digest != staged.digest {
        remove(store, again.upload)?;
        return Err(RestageError::Digest);
    }
    remove(store, from)?;
    Ok(again)
}

/// Removes the rows of an upload whose leaf will not come.
pub fn remove(store: &dyn Store, upload: UploadKey) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.delete_range::<Chunks>(&KeyRange::prefix(&upload.prefix()));
    batch.delete::<Staging>(&upload);
    store.commit(&batch)
}

/// Removes what uploads left behind when the process died; gives their number.
pub fn sweep(store: &dyn Store) -> Result<u64, StoreError> {
    let orphans = store.rows::<Staging>(&KeyRange::all(), Order::Ascending);
    let orphans: Result<Vec<_>, _> = orphans.collect();
    let orphans = orphans?;
    for (upload, ()) in &orphans {
        remove(store, *upload)?;
    }
    Ok(orphans.len() as u64)
}
