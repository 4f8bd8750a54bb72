//! Whether an acknowledgement holds: it is of the bytes that were sent, and its leaves commit to them.
//!
//! # Invariants
//! 1. Checked against our own digests of the bytes, never against what the answer says they are.
//! 2. Under the log's key, if it is given, also that the checkpoint is signed and covers the leaves.

use super::super::proven::bytes32;
use super::super::v1;
use super::read::Item;
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::digest::{Blake3, ContentDigest, Sha256};
use ceralacca_formats::leaf::{Kind, Leaf, Opening};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::{ProvenMetadata, ProvenRecord};

/// Checks one; gives its records.
pub fn acknowledgement(
    item: &Item,
    answer: &v1::Acknowledgement,
    origin: &str,
) -> Result<Vec<ProvenRecord>> {
    let received = bytes32(&answer.received_sha256, "SHA-256")?;
    ensure!(
        received == *item.digest.sha256.as_bytes(),
        "it is of other bytes than were sent"
    );
    let records = answer.records.iter().map(record);
    let records = records.collect::<Result<Vec<_>>>()?;
    let Some((object, facts)) = records.split_first() else {
        bail!("it names no record");
    };
    ensure!(
        object.content == item.digest && object.leaf.kind != Kind::Trace,
        "its leaf is over another content than was sent"
    );
    for record in facts {
        let is_trace = record.leaf.kind == Kind::Trace;
        ensure!(
            is_trace && record.content == ContentDigest::EMPTY,
            "the record beside the object is no trace record"
        );
    }
    let id = format!("{origin}/{}", object.leaf.seq);
    ensure!(answer.id == id, "its id is not that of its leaf");
    Ok(records)
}

fn record(record: &v1::AcknowledgedRecord) -> Result<ProvenRecord> {
    let digest = |bytes, what| bytes32(bytes, what);
    let content = match record.content_bytes {
        0 => ContentDigest::EMPTY,
        bytes => ContentDigest {
            bytes,
            sha256: Sha256::from_bytes(digest(&record.content_sha256, "SHA-256")?),
            blake3: Blake3::from_bytes(digest(&record.content_blake3, "BLAKE3")?),
        },
    };
    let metadata = Sha256::from_bytes(digest(&record.metadata_sha256, "SHA-256")?);
    let record_index = record.index;
    let record = ProvenRecord {
        leaf: Leaf::from_bytes(&record.leaf).context("its leaf")?,
        opening: Opening::from_bytes(digest(&record.opening, "opening")?),
        content,
        metadata: ProvenMetadata::Digest(metadata),
    };
    ensure!(
        record.leaf.seq.get() == record_index && record.is_committed(),
        "its leaf does not commit to what it says"
    );
    Ok(record)
}

/// That a note is a checkpoint of the log, and covers these leaves.
pub fn checkpoint<'a>(
    note: &str,
    key: &VerifierKey,
    records: impl IntoIterator<Item = &'a ProvenRecord>,
) -> Result<()> {
    let checkpoint = Checkpoint::open(note.as_bytes(), key).context("checkpoint")?;
    for record in records {
        let (index, size) = (record.leaf.seq, checkpoint.size());
        ensure!(
            index.is_within(size),
            "checkpoint of {size} leaves does not cover leaf {index}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use ceralacca_formats::id::{LeafIndex, UtcMillis};
    use ceralacca_formats::leaf::{Class, Commitment, Epoch};

    const CONTENT: &[u8] = b"Subject: prova\r\n\r\n";

    fn answer(content: &[u8], kind: Kind) -> v1::Acknowledgement {
        let (opening, digest) = (Opening::from_bytes([7; 32]), ContentDigest::of(content));
        let metadata = Sha256::of(b"{}");
        let leaf = Leaf {
            kind,
            epoch: Epoch(1),
            seq: LeafIndex::new(5),
            time: UtcMillis::new(1),
            class: Class::Content,
            commitment: Commitment::new(&opening, kind, &digest, &metadata),
        };
        let bytes = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
        v1::Acknowledgement {
            id: "pec.example.test/log/5".to_owned(),
            received_sha256: bytes(digest.sha256.as_bytes()),
            records: vec![v1::AcknowledgedRecord {
                index: 5,
                leaf: bytes(&leaf.to_bytes()),
                opening: bytes(opening.as_bytes()),
                content_bytes: digest.bytes,
                content_sha256: bytes(digest.sha256.as_bytes()),
                content_blake3: bytes(digest.blake3.as_bytes()),
                metadata_sha256: bytes(metadata.as_bytes()),
                ..v1::AcknowledgedRecord::default()
            }],
            ..v1::Acknowledgement::default()
        }
    }

    fn why(change: impl FnOnce(&mut v1::Acknowledgement)) -> String {
        let mut answer = answer(CONTENT, Kind::Message);
        change(&mut answer);
        let item = Item::in_memory("a.eml", CONTENT);
        match acknowledgement(&item, &answer, "pec.example.test/log") {
            Ok(records) => format!("{} good", records.len()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_good_acknowledgement_holds_and_every_altered_one_does_not() {
        assert_eq!(why(|_| {}), "1 good");
        let other = |answer: &mut v1::Acknowledgement| {
            *answer = super::tests::answer(b"other", Kind::Message);
        };
        assert!(why(other).contains("other bytes"));
        let other_leaf = |answer: &mut v1::Acknowledgement| {
            answer.records = super::tests::answer(b"other", Kind::Message).records;
        };
        assert!(why(other_leaf).contains("another content"));
        let trace = |answer: &mut v1::Acknowledgement| {
            *answer = super::tests::answer(CONTENT, Kind::Trace);
        };
        assert!(why(trace).contains("another content"));
        assert!(why(|answer| answer.records.clear()).contains("no record"));
        assert!(why(|answer| answer.id = "x/5".to_owned()).contains("its id"));
        assert!(why(|answer| answer.records[0].index = 6).contains("does not commit"));
        let opening = |answer: &mut v1::Acknowledgement| {
            answer.records[0].opening = Bytes::from_static(&[8; 32]);
        };
        assert!(why(opening).contains("does not commit"));
        let short = |answer: &mut v1::Acknowledgement| {
            answer.records[0].leaf.truncate(63);
        };
        assert!(why(short).contains("its leaf"));
        let twice = |answer: &mut v1::Acknowledgement| {
            answer.records.push(answer.records[0].clone());
        };
        assert!(why(twice).contains("no trace record"));
    }
}
