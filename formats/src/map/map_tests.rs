//! The map against the naive definition, the published vectors, and damage.

use super::file::{BUCKET_KEYS_MAX, bits_for};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::convert::Infallible;

fn key(byte: u8) -> MapKey {
    MapKey(*Sha256::of(&[byte]).as_bytes())
}

fn value(byte: u8) -> MapValue {
    MapValue(*Sha256::of(&[b'v', byte]).as_bytes())
}

fn three() -> BTreeMap<MapKey, MapValue> {
    (0..3).map(|byte| (key(byte), value(byte))).collect()
}

/// The definition: a subtree is empty, a leaf, or two halves.
fn naive(depth: usize, keys: &BTreeMap<MapKey, MapValue>) -> MapNode {
    let Some((key, value)) = keys.first_key_value() else {
        return empty(DEPTH - depth);
    };
    if depth == DEPTH {
        return MapNode::leaf(key, value);
    }
    let (right, left) = keys.iter().partition(|(key, _)| key.bit(depth));
    MapNode::parent(&naive(depth + 1, &left), &naive(depth + 1, &right))
}

/// The proof by the definition.
fn naive_proof(keys: &BTreeMap<MapKey, MapValue>, of: &MapKey) -> MapProof {
    let mut near = keys.clone();
    let siblings = (0..DEPTH).map(|depth| {
        let all = std::mem::take(&mut near);
        let (same, other) = all
            .into_iter()
            .partition(|(k, _)| k.bit(depth) == of.bit(depth));
        near = same;
        naive(depth + 1, &other)
    });
    let siblings: Vec<_> = siblings.collect();
    MapProof::of(keys.get(of).copied(), siblings)
}

fn root(keys: &BTreeMap<MapKey, MapValue>) -> MapNode {
    let entries: Vec<_> = keys.iter().map(|(k, v)| (*k, *v)).collect();
    subtree_root(0, &entries).unwrap()
}

fn write(keys: &BTreeMap<MapKey, MapValue>, bits: u8) -> (Vec<u8>, MapNode) {
    let mut bytes = Vec::new();
    let salt = MapSaltDigest::of(&[7; 32]);
    let sink = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok::<_, Infallible>(())
    };
    let mut writer = MapWriter::new(&salt, bits, sink).unwrap();
    for (key, value) in keys {
        writer.push(*key, *value).unwrap();
    }
    let (count, root) = writer.finish().unwrap();
    assert_eq!(count, keys.len() as u64);
    (bytes, root)
}

fn reader(bytes: &[u8]) -> impl FnMut(u64, usize) -> Result<Vec<u8>, String> + '_ {
    move |offset, length| {
        let at = usize::try_from(offset).unwrap();
        let found = bytes.get(at..at + length);
        found.map(<[u8]>::to_vec).ok_or("beyond".to_owned())
    }
}

fn open(bytes: &[u8]) -> Result<MapFile, MapFileError<String>> {
    MapFile::open(bytes.len() as u64, reader(bytes))
}

#[test]
fn the_published_vectors_are_reproduced() {
    assert_eq!(
        MapNode::empty_root().to_string(),
        "47cb3e623106840cf7fc3f195067fd809bfa39718ee325bedcccb099ef750aee"
    );
    assert_eq!(
        root(&three()).to_string(),
        "83b36b062687ebc694d5a16ce1a9224fb801a40b84d393f5272305cb918548cb"
    );
    let absent = key(9);
    assert_eq!(
        absent.to_string(),
        "2b4c342f5433ebe591a1da77e013d1b72475562d48578dca8b84bac6651c3cb9"
    );
    let (bytes, _) = write(&three(), 0);
    let proof = open(&bytes)
        .unwrap()
        .prove(&absent, reader(&bytes))
        .unwrap();
    let listed: Vec<_> = proof.siblings.iter().map(ToString::to_string).collect();
    assert_eq!(
        listed,
        [
            "361c6856f91b56a14a0d46e999599470ffaf11c46597900a566b56a9b58771b7",
            "559347317807121b4dd5683950febbecb5fde4fbc6705e3e691d974b8dccf07d"
        ]
    );
    assert_eq!((proof.bitmap[0], proof.value), (0xc0, None));
    assert!(proof.bitmap[1..].iter().all(|byte| *byte == 0));
    assert_eq!(proof.verify(&root(&three()), &absent), Ok(None));
}

#[test]
fn the_file_vector_is_reproduced() {
    let (bytes, _) = write(&three(), 1);
    assert_eq!(bytes.len(), 48 + 3 * 64 + 3 * 32 + 3 * 8);
    assert_eq!(
        Sha256::of(&bytes).to_string(),
        include_str!("../../vectors/map.txt")
            .lines()
            .find_map(|line| line.strip_prefix("file of the three keys, bits 1, SHA-256 "))
            .unwrap()
    );
    let id = MapKey::of_identificativo(&[7; 32], b" <opec1.20261121@pec.example.test>\r\n");
    assert_eq!(
        id,
        MapKey::of_identificativo(&[7; 32], b"opec1.20261121@pec.example.test")
    );
    let of = [LeafHash::from_bytes([1; 32]), LeafHash::from_bytes([2; 32])];
    let shown = format!(
        "key {id}\nvalue {}\nsalt digest {}\n",
        MapValue::of(&of).unwrap(),
        MapSaltDigest::of(&[7; 32])
    );
    assert!(
        include_str!("../../vectors/map.txt").contains(&shown),
        "{shown}"
    );
}

#[test]
fn a_value_is_of_leaf_hashes_in_order_and_of_at_least_one() {
    let [one, two] = [1, 2].map(|byte| LeafHash::from_bytes([byte; 32]));
    assert_ne!(MapValue::of(&[one]), MapValue::of(&[one, two]));
    assert_eq!(MapValue::of(&[]), Err(MapError::NoRecord));
    assert_eq!(MapValue::of(&[two, one]), Err(MapError::HashesUnsorted));
    assert_eq!(MapValue::of(&[one, one]), Err(MapError::HashesUnsorted));
}

#[test]
fn unsorted_repeated_and_foreign_keys_are_refused() {
    let (low, high) = (MapKey([0; 32]), MapKey([0xff; 32]));
    let mut subtree = Subtree::at(0);
    subtree.push(high, value(1)).unwrap();
    for key in [low, high] {
        let refused = subtree.push(key, value(2)).unwrap_err();
        assert_eq!(
            refused,
            MapError::Unsorted {
                last: high,
                found: key
            }
        );
    }
    assert_eq!(
        subtree_root(1, &[(low, value(1)), (high, value(1))]),
        Err(MapError::Outside(high))
    );
}

#[test]
fn a_file_is_the_same_by_keys_and_by_buckets_made_elsewhere() {
    let keys: BTreeMap<_, _> = (0..200).map(|byte| (key(byte), value(byte))).collect();
    let (whole, expected) = write(&keys, 3);
    let mut bytes = Vec::new();
    let sink = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok::<_, Infallible>(())
    };
    let mut writer = MapWriter::new(&MapSaltDigest::of(&[7; 32]), 3, sink).unwrap();
    for bucket in 0..8 {
        let entries = keys.iter().filter(|(key, _)| key.prefix(3) == bucket);
        let entries: Vec<_> = entries.map(|(k, v)| (*k, *v)).collect();
        let root = subtree_root(3, &entries).unwrap();
        writer.push_bucket(bucket, &entries, root).unwrap();
    }
    assert!(matches!(
        writer.push_bucket(7, &[], empty(253)),
        Err(MapFileError::BucketOrder(7))
    ));
    assert_eq!(writer.finish().unwrap(), (200, expected));
    assert!(bytes == whole);
}

#[test]
fn buckets_hold_about_256_keys() {
    for (keys, bits) in [
        (0, 0),
        (256, 0),
        (257, 1),
        (1_000_000, 12),
        (5_000_000, 15),
        (u64::MAX, 20),
    ] {
        assert_eq!(bits_for(keys), bits, "{keys}");
    }
    assert!(1_000_000 >> bits_for(1_000_000) < BUCKET_KEYS_MAX);
}

#[test]
fn one_octet_changed_anywhere_in_a_file_is_found() {
    let keys: BTreeMap<_, _> = (0..9).map(|byte| (key(byte), value(byte))).collect();
    let (bytes, root) = write(&keys, 2);
    let good = open(&bytes).unwrap();
    good.check(reader(&bytes)).unwrap();
    // What the header says of the salt is compared with the closing leaf, as the root is.
    for at in (0..bytes.len()).filter(|at| !(16..48).contains(at)) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let found = open(&damaged).and_then(|file| file.check(reader(&damaged)).map(|()| file));
        assert!(found.is_err(), "octet {at}");
    }
    for length in 0..bytes.len() {
        assert!(open(&bytes[..length]).is_err(), "cut at {length}");
    }
    assert_eq!(good.root(), root);
}

#[test]
fn entries_in_no_bucket_are_refused() {
    let (mut bytes, _) = write(&three(), 0);
    bytes.splice(48..48, [0; 64]);
    // One key more, before all others: the first start says so, and the last.
    let starts = bytes.len() - 16;
    bytes[starts + 7] = 1;
    bytes[starts + 15] = 4;
    assert!(matches!(open(&bytes), Err(MapFileError::Length)));
}

#[test]
fn a_damaged_bucket_gives_no_proof() {
    let (mut bytes, _) = write(&three(), 1);
    bytes[48 + 32] ^= 1;
    let file = open(&bytes).unwrap();
    let first = *three().first_key_value().unwrap().0;
    assert!(matches!(
        file.prove(&first, reader(&bytes)),
        Err(MapFileError::Bucket(0))
    ));
}

#[test]
fn a_default_or_missing_or_extra_sibling_is_refused() {
    let keys = three();
    let root = root(&keys);
    let of = key(1);
    let good = naive_proof(&keys, &of);
    assert_eq!(good.verify(&root, &of), Ok(Some(value(1))));
    let mut padded = good.clone();
    padded.bitmap[31] |= 1;
    padded.siblings.push(empty(0));
    assert_eq!(
        padded.verify(&root, &of),
        Err(MapProofError::DefaultListed(256))
    );
    let mut extra = good.clone();
    extra.siblings.insert(0, root);
    assert_eq!(extra.verify(&root, &of), Err(MapProofError::ExtraSiblings));
    let mut short = good.clone();
    short.siblings.pop();
    assert_eq!(short.verify(&root, &of), Err(MapProofError::TooShort));
    let mut other = good.clone();
    other.value = Some(value(2));
    assert_eq!(other.verify(&root, &of), Err(MapProofError::OtherRoot));
    other.value = None;
    assert_eq!(other.verify(&root, &of), Err(MapProofError::OtherRoot));
    assert_eq!(good.verify(&root, &key(2)), Err(MapProofError::OtherRoot));
}

/// Keys, some of which share long prefixes.
fn keys() -> impl Strategy<Value = BTreeMap<MapKey, MapValue>> {
    let key = prop_oneof![
        any::<[u8; 32]>(),
        (0u8..4, 0usize..32, any::<u8>()).prop_map(|(fill, at, byte)| {
            let mut key = [fill; 32];
            key[at] = byte;
            key
        })
    ];
    let pairs = (key.prop_map(MapKey), any::<[u8; 32]>().prop_map(MapValue));
    proptest::collection::vec(pairs, 0..24).prop_map(|pairs| pairs.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn roots_and_proofs_are_those_of_the_definition(
        keys in keys(), bits in 0u8..6, absent in any::<[u8; 32]>()
    ) {
        let expected = naive(0, &keys);
        prop_assert_eq!(root(&keys), expected);
        let (bytes, written) = write(&keys, bits);
        prop_assert_eq!(written, expected);
        let file = open(&bytes).unwrap();
        prop_assert_eq!((file.root(), file.keys()), (expected, keys.len() as u64));
        file.check(reader(&bytes)).unwrap();
        for key in keys.keys().copied().take(4).chain([MapKey(absent)]) {
            let proof = file.prove(&key, reader(&bytes)).unwrap();
            prop_assert_eq!(&proof, &naive_proof(&keys, &key));
            prop_assert_eq!(proof.verify(&expected, &key), Ok(keys.get(&key).copied()));
            prop_assert_eq!(MapProof::from_bytes(&proof.to_bytes()), Ok(proof));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_of_proofs_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(proof) = MapProof::from_bytes(&bytes) {
            prop_assert_eq!(proof.to_bytes(), bytes);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_of_files_panic(
        tail in proptest::collection::vec(any::<u8>(), 0..300), bits in 0u8..24
    ) {
        let bytes = [b"CLXMAP1\n".as_slice(), &[bits, 0, 0, 0, 0, 0, 0, 0], &tail].concat();
        if let Ok(file) = open(&bytes) {
            let _ = file.check(reader(&bytes));
            let _ = file.prove(&key(1), reader(&bytes));
        }
    }
}

/// Cost of a large map, by hand: `cargo test --release -p ceralacca-formats -- --ignored a_map_of --nocapture`.
#[test]
#[ignore = "half a minute"]
fn a_map_of_a_million_keys_is_written_and_proven_against() {
    let keys: BTreeMap<_, _> = (0..1_000_000u32)
        .map(|n| (MapKey(*Sha256::of(&n.to_be_bytes()).as_bytes()), value(1)))
        .collect();
    #[expect(clippy::disallowed_methods, reason = "the cost is what is shown")]
    let start = std::time::Instant::now();
    let (bytes, root) = write(&keys, bits_for(1_000_000));
    println!("written: {:?}, {} bytes", start.elapsed(), bytes.len());
    let built = start.elapsed();
    let proof = open(&bytes)
        .unwrap()
        .prove(&key(9), reader(&bytes))
        .unwrap();
    println!(
        "proof: {:?}, {} bytes",
        start.elapsed() - built,
        proof.to_bytes().len()
    );
    assert_eq!(proof.verify(&root, &key(9)), Ok(None));
}
