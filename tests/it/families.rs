//! Every column family: golden bytes, round trips, decoding that never panics.

use ceralacca::store::cf::checkpoint::{Checkpoints, Kept};
use ceralacca::store::cf::chunk::{ChunkKey, Chunks, UploadKey};
use ceralacca::store::cf::content::{ContentPart, Contents, PartKey};
use ceralacca::store::cf::dictionary::Dictionaries;
use ceralacca::store::cf::disposal::{
    DisposalKey, DisposalRow, Disposals, GoneRow, HeldUnitRow, IntentRow, IntentState,
};
use ceralacca::store::cf::erasure::{ErasedRow, ErasureRow, ErasureStep, Erasures, ProposedRow};
use ceralacca::store::cf::held::{HeldCopy, HeldKey, HeldRecord, HeldRecords, HeldRow};
use ceralacca::store::cf::hold::{HoldAct, HoldRow, HoldStep, Holds, WrappedDetail};
use ceralacca::store::cf::idempotency::Idempotency;
use ceralacca::store::cf::index::{Index, Posting};
use ceralacca::store::cf::interval::{IntervalRow, Intervals, Phase};
use ceralacca::store::cf::leaf::Leaves;
use ceralacca::store::cf::leaf_hash::{HashBucket, HashEntry, LeafHashes};
use ceralacca::store::cf::metadata::{
    ContentPlace, EncryptedMetadata, Keys, MetadataRow, RecordKey,
};
use ceralacca::store::cf::secret::{SecretKey, Secrets};
use ceralacca::store::cf::staging::Staging;
use ceralacca::store::cf::state::{ClockRow, Identity, Rotation, State, StateKey, StateRow, Tip};
use ceralacca::store::cf::tile::Tiles;
use ceralacca::store::cf::{ColumnFamily, Family};
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::erasure::Ground;
use ceralacca_formats::hold::{HoldAuthority, HoldCounts};
use ceralacca_formats::id::{IntervalId, LeafIndex, LogId, Origin, TreeSize, UtcMillis};
use ceralacca_formats::leaf::{Class, Commitment, Epoch, Kind, Leaf};
use ceralacca_formats::metadata::Field;
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::secret::{ClientKeyDigest, RecordNonce, Token};
use ceralacca_formats::tile::{Tile, TileId};
use ceralacca_formats::tree::{NodeHash, RootHash};
use std::fmt::Debug;

const LOG_KEY: &str = "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";

/// `family: key => value`, in hexadecimal; and both ways agree, and no prefix or extension decodes to a
/// panic.
fn line<C: ColumnFamily>(key: &C::Key, value: &C::Value) -> String
where
    C::Key: PartialEq + Debug,
    C::Value: PartialEq + Debug,
{
    let (mut k, mut v) = (Vec::new(), Vec::new());
    C::encode_key(key, &mut k);
    C::encode_value(value, &mut v);
    assert_eq!(&C::decode_key(&k).unwrap(), key);
    assert_eq!(&C::decode_value(&v).unwrap(), value);
    for bytes in [&k, &v] {
        for cut in 0..bytes.len() {
            let _ = C::decode_key(&bytes[..cut]);
            let _ = C::decode_value(&bytes[..cut]);
            let mut other = bytes.clone();
            other[cut] ^= 0xff;
            let _ = C::decode_key(&other);
            let _ = C::decode_value(&other);
        }
    }
    assert!(
        C::decode_key(&[k.as_slice(), &[0]].concat()).is_err(),
        "long key"
    );
    if !v.is_empty() {
        v[0] ^= 0x80;
        assert!(C::decode_value(&v).is_err(), "unknown format");
        v[0] ^= 0x80;
    }
    let shown = hex::encode(&v);
    let shown = match shown.len() {
        0..=400 => shown,
        long => format!(
            "{}… {} bytes, SHA-256 {}",
            &shown[..64],
            long / 2,
            ceralacca_formats::digest::Sha256::of(&v)
        ),
    };
    format!("{}: {} => {}\n", C::FAMILY.name(), hex::encode(k), shown)
}

#[test]
fn keys_and_values_of_every_family_are_the_published_bytes() {
    let interval = IntervalId::new(1_763_683_200_000);
    let (index, size) = (LeafIndex::new(258), TreeSize::new(259));
    let record = RecordKey {
        interval,
        class: Class::Receipt,
        index,
    };
    let nonce = RecordNonce::from_bytes([0x22; 16]);
    let upload = UploadKey {
        interval,
        class: Class::Content,
        nonce,
    };
    let part = ContentPart {
        dictionary: 1,
        ciphertext: vec![0xaa; 5],
    };
    let time = UtcMillis::new(1_763_700_000_000);
    let root = RootHash::from_bytes([0x33; 32]);
    let state = |row: StateRow| line::<State>(&row.key(), &row);
    let act = HoldAct {
        leaf: LeafIndex::new(260),
        at: time,
        detail: WrappedDetail(vec![0x99; 3]),
    };
    let copy = HeldCopy {
        interval,
        class: Class::Receipt,
        carried: 1,
    };
    let unit = DisposalUnit {
        interval,
        class: Class::Receipt,
        carried: 1,
    };
    let lines = [
        state(StateRow::Identity(Identity {
            version: 1,
            log: LogId::try_from("gestore-1").unwrap(),
            origin: Origin::try_from("pec.example.test/log").unwrap(),
        })),
        state(StateRow::Tip(Tip {
            size,
            root,
            epoch: Epoch(3),
            time,
        })),
        state(StateRow::Note("note\n".to_owned())),
        state(StateRow::Indexed(size)),
        state(StateRow::Rotation(Rotation {
            number: 2,
            event: index,
            retired: VerifierKey::parse(LOG_KEY).unwrap(),
        })),
        state(StateRow::Holds {
            counts: HoldCounts {
                set: 3,
                released: 1,
            },
            last: index,
        }),
        state(StateRow::Development),
        state(StateRow::Clock(ClockRow {
            reading: time,
            run_ms: 259_200_000,
            step_ms: None,
        })),
        state(StateRow::Clock(ClockRow {
            reading: time,
            run_ms: 1,
            step_ms: Some(-2500),
        })),
        line::<Leaves>(
            &index,
            &Leaf {
                kind: Kind::Trace,
                epoch: Epoch(3),
                seq: index,
                time,
                class: Class::Trace,
                commitment: Commitment::from_bytes([0x44; 32]),
            },
        ),
        line::<Tiles>(
            &TileId {
                level: 1,
                number: 2,
            },
            &Tile::new((0..=255).map(|i| NodeHash::from_bytes([i; 32])).collect()).unwrap(),
        ),
        line::<EncryptedMetadata>(
            &record,
            &MetadataRow {
                keys: Keys::Own,
                place: ContentPlace::Chunks,
                dictionary: 1,
                nonce,
                ciphertext: vec![0xbb; 20],
            },
        ),
        line::<EncryptedMetadata>(
            &RecordKey {
                class: Class::Trace,
                ..record
            },
            &MetadataRow {
                keys: Keys::Carried,
                place: ContentPlace::None,
                dictionary: 1,
                nonce,
                ciphertext: vec![0xbb; 20],
            },
        ),
        line::<Contents>(&PartKey { record, part: 1 }, &part),
        line::<Chunks>(&ChunkKey { upload, part: 2 }, &part),
        line::<Staging>(&upload, &()),
        line::<Secrets>(&SecretKey::Log, &vec![0xcc; 3]),
        line::<Secrets>(&SecretKey::Signing, &vec![0xcc; 3]),
        line::<Secrets>(&SecretKey::Class(interval, Class::Trace), &vec![0xcc; 3]),
        line::<Secrets>(&SecretKey::Object(record), &vec![0xcc; 3]),
        line::<Secrets>(&SecretKey::NextSigning, &vec![0xcc; 3]),
        line::<Idempotency>(&(interval, ClientKeyDigest([0x55; 32])), &index),
        line::<Index>(
            &Posting {
                interval,
                class: Class::Trace,
                field: Field::Sender,
                token: Token([0x66; 8]),
                index,
            },
            &(),
        ),
        line::<LeafHashes>(
            &HashBucket {
                first: 0x44,
                run: 2,
            },
            &vec![
                HashEntry {
                    rest: 0x0102,
                    place: 3,
                },
                HashEntry {
                    rest: 0x0405,
                    place: 6,
                },
            ],
        ),
        line::<Intervals>(
            &(interval, Phase::Opened),
            &IntervalRow::Opened {
                end: UtcMillis::new(1_763_769_600_000),
                first: index,
            },
        ),
        line::<Intervals>(
            &(interval, Phase::Cut),
            &IntervalRow::Cut {
                size,
                root,
                at: time,
                note: "note\n".to_owned(),
            },
        ),
        line::<Intervals>(
            &(interval, Phase::Closed),
            &IntervalRow::Closed {
                leaf: index,
                at: time,
            },
        ),
        line::<Checkpoints>(&Kept::Own(size), &"note\n".to_owned()),
        line::<Checkpoints>(&Kept::Witnessed(size), &"note\n".to_owned()),
        line::<Dictionaries>(&1, &vec![0x77; 4]),
        line::<Secrets>(&SecretKey::Held(copy), &vec![0x55; 3]),
        line::<Disposals>(
            &DisposalKey::Intent(index),
            &DisposalRow::Intent(IntentRow {
                state: IntentState::Open,
                approvals: vec![LeafIndex::new(260)],
                grace: None,
            }),
        ),
        line::<Disposals>(
            &DisposalKey::Intent(index),
            &DisposalRow::Intent(IntentRow {
                state: IntentState::CarriedOut,
                approvals: vec![LeafIndex::new(260), LeafIndex::new(262)],
                grace: Some((7, time)),
            }),
        ),
        line::<Disposals>(
            &DisposalKey::Gone(unit),
            &DisposalRow::Gone(GoneRow {
                step: 2,
                intent: index,
                completed: None,
                facts: b"{}".to_vec(),
            }),
        ),
        line::<Disposals>(
            &DisposalKey::Gone(unit),
            &DisposalRow::Gone(GoneRow {
                step: 10,
                intent: index,
                completed: Some(LeafIndex::new(264)),
                facts: b"{}".to_vec(),
            }),
        ),
        line::<Disposals>(
            &DisposalKey::Certificate(unit),
            &DisposalRow::Certificate(vec![0x30; 4]),
        ),
        line::<Disposals>(
            &DisposalKey::Held(unit),
            &DisposalRow::Held(HeldUnitRow {
                latest: time,
                ranges: vec![
                    (LeafIndex::new(3), LeafIndex::new(4)),
                    (LeafIndex::new(9), LeafIndex::new(9)),
                ],
            }),
        ),
        line::<HeldRecords>(
            &HeldKey::InForce(interval, Class::Receipt),
            &HeldRow::InForce(1),
        ),
        line::<HeldRecords>(
            &HeldKey::Record(copy, index),
            &HeldRow::Record(HeldRecord {
                has_content: true,
                dictionary: 1,
                nonce,
                ciphertext: vec![0xbb; 5],
            }),
        ),
        line::<HeldRecords>(&HeldKey::Part(copy, index, 1), &HeldRow::Part(part.clone())),
        line::<HeldRecords>(
            &HeldKey::Posting(copy, Field::MessageId, Token([0x44; 8]), index),
            &HeldRow::Posting,
        ),
        line::<Holds>(
            &(index, HoldStep::Set),
            &HoldRow::Set {
                authority: HoldAuthority::Judicial,
                start: time,
                end: Some(UtcMillis::new(1_863_700_000_000)),
                ranges: vec![
                    (LeafIndex::new(7), LeafIndex::new(9)),
                    (LeafIndex::new(11), LeafIndex::new(11)),
                ],
                detail: WrappedDetail(vec![0x88; 3]),
            },
        ),
        line::<Holds>(
            &(index, HoldStep::Proposed),
            &HoldRow::Proposed(act.clone()),
        ),
        line::<Holds>(&(index, HoldStep::Released), &HoldRow::Released(act)),
        line::<Erasures>(
            &(index, ErasureStep::Proposed),
            &ErasureRow::Proposed(ProposedRow {
                leaf: LeafIndex::new(260),
                at: time,
                ground: Ground::ContractEnd,
                detail: WrappedDetail(vec![0x99; 3]),
            }),
        ),
        line::<Erasures>(
            &(index, ErasureStep::Erased),
            &ErasureRow::Erased(ErasedRow {
                leaf: LeafIndex::new(262),
                at: time,
                ground: Ground::ContractEnd,
                proposal: LeafIndex::new(260),
                facts: Some(LeafIndex::new(259)),
                holds: HoldCounts {
                    set: 3,
                    released: 1,
                },
                is_purged: true,
                detail: WrappedDetail(vec![0x99; 3]),
            }),
        ),
        line::<Erasures>(
            &(index, ErasureStep::Certificate),
            &ErasureRow::Certificate(WrappedDetail(vec![0x99; 3])),
        ),
    ];
    let text = lines.concat();
    for family in Family::ALL {
        assert!(
            text.contains(&format!("{}: ", family.name())),
            "{} has no vector",
            family.name()
        );
    }
    assert_eq!(text, include_str!("../vectors/families.txt"), "\n{text}");
}

#[test]
fn entries_of_leaf_hashes_are_in_order_and_whole() {
    let entries = |bytes: &[u8]| LeafHashes::decode_value(bytes);
    assert_eq!(entries(&[1]).unwrap(), []);
    assert!(entries(&[1, 0, 1, 0, 1, 0, 1, 0, 2]).is_ok());
    for bad in [
        &[1, 0, 1, 0, 1, 0, 1, 0, 1][..],
        &[1, 0, 2, 0, 1, 0, 1, 0, 2],
        &[1, 0, 1, 0],
        &[],
    ] {
        assert!(entries(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn every_state_key_reads_only_its_own_row() {
    assert_eq!(State::decode_key(&[4]).unwrap(), StateKey::Indexed);
    let rotation = State::decode_key(&[5, 0, 0, 0, 7]).unwrap();
    assert_eq!(rotation, StateKey::Rotation(7));
    for bad in [
        &[5][..],
        &[5, 0, 0, 7],
        &[5, 0, 0, 0, 7, 0],
        &[9],
        &[6, 0],
        &[4, 0],
    ] {
        assert!(State::decode_key(bad).is_err(), "{bad:?}");
    }
    let mut row = vec![1, 5, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1, 2];
    assert!(State::decode_value(&row).is_err());
    row.extend_from_slice(LOG_KEY.as_bytes());
    assert!(State::decode_value(&row).is_ok());
    row.push(b'=');
    assert!(State::decode_value(&row).is_err());
    assert!(State::decode_value(&[1, 9]).is_err());
}
