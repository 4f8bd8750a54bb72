//! A record whose opening is given and not derived: what a rebuild has of it is a line of a log file, which carries the
//! opening and never the nonce that it came from.
//!
//! # Invariants
//! 1. The record draws a nonce of its own for this encryption; its key is derived from it, as of every record without
//!    content, so that the class secret alone destroys it.
//! 2. The opening stands within the ciphertext, before the metadata. Taken for a row of another form, it does not
//!    recompute the commitment in the leaf.

use crate::store::cf::metadata::{ContentPlace, Keys, MetadataRow};
use ceralacca_formats::encrypt::{Cipher, Dictionary, Part, Place};
use ceralacca_formats::leaf::Opening;
use ceralacca_formats::secret::Subkeys;

const OPENING_BYTES: usize = 32;

/// Encrypts a record without content at a place whose nonce is new.
pub fn encrypt(keys: &Subkeys, place: Place, opening: &Opening, canonical: &[u8]) -> MetadataRow {
    let dictionary = Dictionary::Trace1;
    let mut plain = Vec::with_capacity(OPENING_BYTES + canonical.len());
    plain.extend_from_slice(opening.as_bytes());
    plain.extend_from_slice(canonical);
    let cipher = Cipher::new(&keys.record_key(&place.nonce), place);
    let mut ciphertext = Vec::new();
    cipher.encrypt_into(Part::ONLY, dictionary, &plain, &mut ciphertext);
    MetadataRow {
        keys: Keys::Carried,
        place: ContentPlace::None,
        dictionary: dictionary.id(),
        nonce: place.nonce,
        ciphertext,
    }
}

/// Opening and metadata of what was decrypted; `None` where it is too short.
pub(super) fn split(mut plain: Vec<u8>) -> Option<(Opening, Vec<u8>)> {
    let opening = *plain.first_chunk::<OPENING_BYTES>()?;
    plain.drain(..OPENING_BYTES);
    Some((Opening::from_bytes(opening), plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceralacca_formats::id::{IntervalId, Origin};
    use ceralacca_formats::leaf::Class;
    use ceralacca_formats::secret::{ClassSecret, RecordNonce};

    /// The row of `docs/formats.md` 11: all of it but the ciphertext, whose bytes are zstd's to choose.
    #[test]
    fn a_carried_opening_stands_before_the_metadata_under_the_key_of_the_new_nonce() {
        let keys = Subkeys::new(&ClassSecret::from_bytes([0x11; 32]));
        let origin = Origin::try_from("pec.example.test/log").unwrap();
        let place = Place {
            origin_sha256: Place::origin_digest(&origin),
            interval: IntervalId::new(1_763_683_200_000),
            class: Class::Trace,
            nonce: RecordNonce::from_bytes([0x22; 16]),
        };
        let opening = Opening::from_bytes([0x77; 32]);
        let row = encrypt(&keys, place, &opening, b"{}");
        assert_eq!((row.keys as u8, row.place as u8, row.dictionary), (2, 0, 1));
        let key = keys.record_key(&place.nonce);
        assert_eq!(
            hex::encode(key.as_bytes()),
            "59a97870f2921b1dd0edde6c99077761ec9adfc759a82701f259523f53f0133e"
        );
        let cipher = Cipher::new(&key, place);
        let plain = cipher.decrypt(Part::ONLY, Dictionary::Trace1, &row.ciphertext, 64);
        let plain = plain.unwrap();
        assert_eq!(plain, [[0x77; 32].as_slice(), b"{}"].concat());
        let (found, canonical) = split(plain).unwrap();
        assert_eq!(found.as_bytes(), opening.as_bytes());
        assert_eq!(canonical, b"{}");
        assert!(split(vec![0; 31]).is_none());
    }
}
