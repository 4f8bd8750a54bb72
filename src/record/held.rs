//! Records under hold, carried over from a unit that is disposed of: encrypted anew, and opened as before.
//!
//! # Invariants
//! 1. A record carried over keeps what proves it: its opening, its metadata, its content. Its nonce and its subkeys go
//!    with the class secret.
//! 2. What is written of a record ends with its row: a copy that ended before that is done again.
//! 3. Nothing of a copy is looked at before the batch that puts it in force.

use super::open::{self, Opened, RecordError};
use super::prepare::{encrypt_part, tokens};
use crate::ambient::{Entropy, draw};
use crate::keyring::Keyring;
use crate::store::cf::content::ContentPart;
use crate::store::cf::held::{HeldCopy, HeldKey, HeldRecord, HeldRecords, HeldRow};
use crate::store::cf::metadata::{ContentPlace, Keys, MetadataRow};
use crate::store::{Batch, KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::encrypt::{Cipher, Dictionary, Part, Place};
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::{Class, Leaf, Opening};
use ceralacca_formats::metadata::Field;
use ceralacca_formats::secret::RecordNonce;

/// The copy that is in force for a class of an interval, where it was disposed of under a hold.
pub fn in_force(
    store: &dyn Store,
    interval: IntervalId,
    class: Class,
) -> Result<Option<HeldCopy>, StoreError> {
    let row = store.read::<HeldRecords>(&HeldKey::InForce(interval, class))?;
    Ok(match row {
        Some(HeldRow::InForce(carried)) => Some(HeldCopy {
            interval,
            class,
            carried,
        }),
        _ => None,
    })
}

/// Opens a record that was carried over; `None` where this one was not.
pub fn open(
    store: &dyn Store,
    keyring: &Keyring,
    interval: IntervalId,
    leaf: Leaf,
) -> Result<Option<Opened>, RecordError> {
    match in_force(store, interval, leaf.class)? {
        None => Ok(None),
        Some(copy) => open_in(store, keyring, copy, leaf),
    }
}

/// Whether a copy has a record.
pub fn has(store: &dyn Store, copy: HeldCopy, index: LeafIndex) -> Result<bool, StoreError> {
    let row = store.read::<HeldRecords>(&HeldKey::Record(copy, index))?;
    Ok(row.is_some())
}

/// Opens a record of a copy, in force or not.
pub fn open_in(
    store: &dyn Store,
    keyring: &Keyring,
    copy: HeldCopy,
    leaf: Leaf,
) -> Result<Option<Opened>, RecordError> {
    let index = leaf.seq;
    let row = store.read::<HeldRecords>(&HeldKey::Record(copy, index))?;
    let Some(HeldRow::Record(row)) = row else {
        return Ok(None);
    };
    let keys = keyring.held(store, copy)?;
    let place = place(keyring, copy, row.nonce);
    let cipher = Cipher::new(&keys.record_key(&row.nonce), place);
    let failed = |source| RecordError::Metadata { index, source };
    let dictionary = Dictionary::from_id(row.dictionary).map_err(failed)?;
    let limit = open::METADATA_BYTES_MAX + open::DIGESTS_BYTES + OPENING_BYTES;
    let plain = cipher.decrypt(part(row.has_content), dictionary, &row.ciphertext, limit);
    let plain = plain.map_err(failed)?;
    let short = || RecordError::Short(index);
    let (opening, rest) = plain
        .split_first_chunk::<OPENING_BYTES>()
        .ok_or_else(short)?;
    let (content, canonical) = open::split_plain(rest).ok_or_else(short)?;
    let (keys, content_place) = match row.has_content {
        true => (Keys::Own, ContentPlace::Inline),
        false => (Keys::OfClass, ContentPlace::None),
    };
    let opened = Opened {
        leaf,
        opening: Opening::from_bytes(*opening),
        content,
        canonical,
        interval: copy.interval,
        row: MetadataRow {
            keys,
            place: content_place,
            dictionary: row.dictionary,
            nonce: row.nonce,
            ciphertext: Vec::new(),
        },
        cipher,
        held: Some(copy),
    };
    opened.is_of_its_leaf()?;
    Ok(Some(opened))
}

const OPENING_BYTES: usize = 32;

fn part(has_content: bool) -> Part {
    match has_content {
        true => Part::METADATA,
        false => Part::ONLY,
    }
}

fn place(keyring: &Keyring, copy: HeldCopy, nonce: RecordNonce) -> Place {
    Place {
        origin_sha256: keyring.origin_sha256(),
        interval: copy.interval,
        class: copy.class,
        nonce,
    }
}

/// Writes a record into a copy, unless it is there. The secret of the copy is durable.
pub fn carry(
    store: &dyn Store,
    keyring: &Keyring,
    entropy: &dyn Entropy,
    opened: &Opened,
    copy: HeldCopy,
) -> Result<(), RecordError> {
    let index = opened.leaf.seq;
    if open_in(store, keyring, copy, opened.leaf)?.is_some() {
        return Ok(());
    }
    let keys = keyring.held(store, copy)?;
    let nonce = RecordNonce::from_bytes(draw(entropy));
    let cipher = Cipher::new(&keys.record_key(&nonce), place(keyring, copy, nonce));
    let mut batch = Batch::new();
    // What an attempt before this one left is of another nonce.
    batch.delete_range::<HeldRecords>(&KeyRange::prefix(&copy.parts(index)));
    let mut pieces = opened.pieces(store)?;
    let mut next = pieces.next_piece()?;
    let mut number = 0u32;
    while let Some(piece) = next {
        next = pieces.next_piece()?;
        number = number.saturating_add(1);
        let part = Part {
            number,
            last: next.is_none(),
        };
        let row = HeldRow::Part(encrypt_part(&cipher, part, &piece));
        batch.put::<HeldRecords>(&HeldKey::Part(copy, index, number), &row);
        if batch.bytes() >= BATCH_BYTES {
            store.commit(&batch)?;
            batch.clear();
        }
    }
    // What a newer program wrote is carried over as it is; its terms are not ours to know.
    if let Ok(metadata) = opened.metadata() {
        for (field, token) in tokens(&keys, &metadata) {
            let posting = HeldKey::Posting(copy, field, token, index);
            batch.put::<HeldRecords>(&posting, &HeldRow::Posting);
        }
    }
    let mut plain = opened.opening.as_bytes().to_vec();
    plain.extend_from_slice(&opened.content.bytes.to_be_bytes());
    plain.extend_from_slice(opened.content.sha256.as_bytes());
    plain.extend_from_slice(opened.content.blake3.as_bytes());
    plain.extend_from_slice(&opened.canonical);
    let dictionary = Dictionary::Trace1;
    let mut ciphertext = Vec::new();
    let part = part(opened.has_content());
    cipher.encrypt_into(part, dictionary, &plain, &mut ciphertext);
    let row = HeldRow::Record(HeldRecord {
        has_content: opened.has_content(),
        dictionary: dictionary.id(),
        nonce,
        ciphertext,
    });
    batch.put::<HeldRecords>(&HeldKey::Record(copy, index), &row);
    Ok(store.commit(&batch)?)
}

/// Octets after which what is carried over is committed.
const BATCH_BYTES: usize = 4 << 20;

/// The parts of the content of a record carried over.
pub(super) fn parts(
    store: &dyn Store,
    copy: HeldCopy,
    index: LeafIndex,
) -> impl Iterator<Item = Result<(u32, ContentPart), StoreError>> {
    let range = KeyRange::prefix(&copy.parts(index));
    let rows = store.rows::<HeldRecords>(&range, Order::Ascending);
    rows.filter_map(|row| match row {
        Ok((HeldKey::Part(_, _, number), HeldRow::Part(part))) => Some(Ok((number, part))),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// Records of a copy, in log order.
pub fn records(
    store: &dyn Store,
    copy: HeldCopy,
) -> impl Iterator<Item = Result<(LeafIndex, HeldRecord), StoreError>> {
    let range = KeyRange::prefix(&copy.records());
    let rows = store.rows::<HeldRecords>(&range, Order::Ascending);
    rows.filter_map(|row| match row {
        Ok((HeldKey::Record(_, index), HeldRow::Record(record))) => Some(Ok((index, record))),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// At most so many records of a copy that may have a term, beyond `after` in the order.
pub fn candidates(
    store: &dyn Store,
    keyring: &Keyring,
    copy: HeldCopy,
    (field, term): (Field, &[u8]),
    (after, order): (Option<LeafIndex>, Order),
    limit: usize,
) -> Result<Vec<LeafIndex>, RecordError> {
    let keys = keyring.held(store, copy)?;
    let token = keys.token(field, &field.normalise(term));
    let range = KeyRange::prefix(&copy.postings(field, token));
    let beyond = |index: &LeafIndex| match (after, order) {
        (None, _) => true,
        (Some(after), Order::Ascending) => *index > after,
        (Some(after), Order::Descending) => *index < after,
    };
    let mut found = Vec::new();
    for row in store.rows::<HeldRecords>(&range, order) {
        if let (HeldKey::Posting(_, _, _, index), _) = row?
            && beyond(&index)
        {
            found.push(index);
            if found.len() >= limit {
                break;
            }
        }
    }
    Ok(found)
}
