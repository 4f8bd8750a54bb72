//! Tree files of all shapes, against the definition; and damaged ones.

use super::*;
use DigestAlgorithm::{Sha256, Sha512};
use std::convert::Infallible;

fn group(algorithm: DigestAlgorithm, n: u64) -> Vec<Hash> {
    let members = 1 + n % 3;
    let hashes =
        (0..members).map(|m| Hash::of(algorithm, &[n.to_be_bytes(), m.to_be_bytes()].concat()));
    hashes.collect()
}

fn write(algorithm: DigestAlgorithm, groups: u64) -> (Vec<u8>, Hash) {
    let mut bytes = Vec::new();
    let sink = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok::<_, Infallible>(())
    };
    let mut writer = TreeWriter::new(algorithm, sink).unwrap();
    for n in 0..groups {
        writer
            .push(10 * n, group_hash(&group(algorithm, n)).unwrap())
            .unwrap();
    }
    let (count, root) = writer.finish().unwrap();
    assert_eq!(count, groups);
    (bytes, root)
}

fn reader(bytes: &[u8]) -> impl FnMut(u64, usize) -> Result<Vec<u8>, String> + '_ {
    move |offset, length| {
        let at = usize::try_from(offset).unwrap();
        let found = at.checked_add(length).and_then(|end| bytes.get(at..end));
        found.map(<[u8]>::to_vec).ok_or("beyond".to_owned())
    }
}

fn open(bytes: &[u8]) -> Result<TreeFile, TreeError<String>> {
    TreeFile::open(bytes.len() as u64, reader(bytes))
}

/// The definition: level by level over everything.
fn naive(algorithm: DigestAlgorithm, groups: u64) -> Hash {
    let mut level: Vec<Hash> = (0..groups)
        .map(|n| group_hash(&group(algorithm, n)).unwrap())
        .collect();
    while level.len() > 1 {
        let pairs = level.chunks(2).map(|pair| {
            let mut pair = pair.to_vec();
            pair.sort();
            match pair.as_slice() {
                [one] => *one,
                pair => Hash::of_all(algorithm, pair),
            }
        });
        level = pairs.collect();
    }
    level[0]
}

#[test]
fn every_group_of_every_shape_is_cut_and_leads_to_the_root() {
    for algorithm in [Sha256, Sha512] {
        for groups in [1, 2, 3, 5, 255, 256, 257, 511, 513, 770] {
            let (bytes, root) = write(algorithm, groups);
            assert_eq!(root, naive(algorithm, groups), "{groups}");
            let file = open(&bytes).unwrap();
            assert_eq!((file.root(), file.groups()), (root, groups));
            file.check(reader(&bytes)).unwrap();
            for n in (0..groups).filter(|n| *n < 4 || n % 37 == 0 || *n + 3 > groups) {
                let documents = group(algorithm, n);
                let reduced = file.reduced(10 * n, &documents, reader(&bytes)).unwrap();
                assert_eq!(reduced.root(), Some(root), "{n} of {groups}");
                assert_eq!(reduced.holds(&documents, true), Ok(()));
            }
        }
    }
}

#[test]
fn a_cut_reads_little_of_a_large_file() {
    let (bytes, _) = write(Sha256, 20_000);
    let file = open(&bytes).unwrap();
    let (mut reads, mut octets) = (0, 0);
    let mut read_at = reader(&bytes);
    let counted = |at, length| {
        reads += 1;
        octets += length;
        read_at(at, length)
    };
    file.reduced(123_450, &group(Sha256, 12_345), counted)
        .unwrap();
    assert!(
        reads <= 40 && octets <= 12_000,
        "{reads} reads of {octets} octets"
    );
}

#[test]
fn other_documents_and_unknown_groups_are_refused() {
    let (bytes, _) = write(Sha256, 300);
    let file = open(&bytes).unwrap();
    let cut = |id, documents: &[Hash]| file.reduced(id, documents, reader(&bytes));
    assert!(matches!(
        cut(10, &group(Sha256, 2)),
        Err(TreeError::OtherGroup(10))
    ));
    assert!(matches!(
        cut(11, &group(Sha256, 1)),
        Err(TreeError::NoGroup(11))
    ));
    assert!(matches!(cut(9_000, &[]), Err(TreeError::NoGroup(9_000))));
    assert!(matches!(cut(10, &[]), Err(TreeError::OtherGroup(10))));
}

#[test]
fn ids_ascend_and_files_come_after_leaves() {
    assert!(file_id(1) < file_id(0) && file_id(u32::MAX) > 1 << 40);
    let hash = Hash::of(Sha256, b"x");
    let mut writer = TreeWriter::new(Sha256, |_: &[u8]| Ok::<_, Infallible>(())).unwrap();
    writer.push(file_id(0), hash).unwrap();
    let refused = writer.push(file_id(1), hash).unwrap_err();
    assert!(matches!(refused, TreeError::Unsorted { .. }));
    assert!(matches!(
        writer.push(0, Hash::of(Sha512, b"x")),
        Err(TreeError::Algorithm)
    ));
    let empty = TreeWriter::new(Sha256, |_: &[u8]| Ok::<_, Infallible>(())).unwrap();
    assert!(matches!(empty.finish(), Err(TreeError::Empty)));
}

#[test]
fn one_octet_changed_or_missing_is_found() {
    let (bytes, _) = write(Sha256, 260);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let found = open(&damaged).and_then(|file| file.check(reader(&damaged)).map(|()| file));
        // An id may become another that is in order: what it names is then not found, or has other documents.
        let is_id = (16..16 + 260 * 40).contains(&at) && (at - 16) % 40 < 8;
        assert!(found.is_err() || is_id, "octet {at}");
    }
    for length in 0..bytes.len() {
        assert!(open(&bytes[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn the_file_vector_is_reproduced() {
    let hashes = [b"alpha".as_slice(), b"beta", b"gamma"].map(|text| Hash::of(Sha256, text));
    let mut bytes = Vec::new();
    let sink = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok::<_, Infallible>(())
    };
    let mut writer = TreeWriter::new(Sha256, sink).unwrap();
    for (id, hash) in [4, 7, file_id(0)].into_iter().zip(hashes) {
        writer.push(id, hash).unwrap();
    }
    let (_, root) = writer.finish().unwrap();
    assert_eq!(
        root.to_string(),
        "c090e94bc3a99676b532c602c1e5c68d53266dbf246e295a6b9b6a547da51fa2"
    );
    let expected = "434c5845525431 0a 01 00000000000000\
        0000000000000004 8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8\
        0000000000000007 f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753\
        ffffffffffffffff be9d587defa1f0c09ef49eb17e206983a5f8f8289e4281860bd0ee5a19592c67\
        c090e94bc3a99676b532c602c1e5c68d53266dbf246e295a6b9b6a547da51fa2 0000000000000003";
    assert_eq!(hex::encode(&bytes), expected.replace(' ', ""));
}

/// Cost of a large tree, by hand: `cargo test --release -p ceralacca-evidence -- --ignored a_tree_of --nocapture`.
#[test]
#[ignore = "some ten seconds"]
fn a_tree_of_five_million_groups_is_written() {
    let mut written = 0;
    let sink = |piece: &[u8]| {
        written += piece.len();
        Ok::<_, Infallible>(())
    };
    let mut writer = TreeWriter::new(Sha256, sink).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the cost is what is shown")]
    let start = std::time::Instant::now();
    for id in 0..5_000_000u64 {
        writer
            .push(id, Hash::of(Sha256, &id.to_be_bytes()))
            .unwrap();
    }
    let (groups, _) = writer.finish().unwrap();
    assert_eq!(groups, 5_000_000);
    println!("{written} bytes in {:?}", start.elapsed());
}
