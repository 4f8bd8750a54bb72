//! Roots and proofs against the naive definition, the published vectors, and rs_merkle.

use super::*;
use crate::oracle;
use std::convert::Infallible;

/// MTH as RFC 9162 writes it.
fn naive_root(leaves: &[LeafHash]) -> NodeHash {
    match leaves {
        [] => NodeHash(RootHash::empty().0),
        [one] => one.node(),
        many => {
            let mut k = 1;
            while k * 2 < many.len() {
                k *= 2;
            }
            NodeHash::parent(&naive_root(&many[..k]), &naive_root(&many[k..]))
        }
    }
}

/// PATH as RFC 9162 writes it.
fn naive_path(m: usize, leaves: &[LeafHash]) -> Vec<NodeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let mut k = 1;
    while k * 2 < leaves.len() {
        k *= 2;
    }
    let (mut path, other) = if m < k {
        (naive_path(m, &leaves[..k]), naive_root(&leaves[k..]))
    } else {
        (naive_path(m - k, &leaves[k..]), naive_root(&leaves[..k]))
    };
    path.push(other);
    path
}

/// SUBPROOF as RFC 9162 writes it.
fn naive_subproof(m: usize, leaves: &[LeafHash], known: bool) -> Vec<NodeHash> {
    if m == leaves.len() {
        return if known {
            Vec::new()
        } else {
            vec![naive_root(leaves)]
        };
    }
    let mut k = 1;
    while k * 2 < leaves.len() {
        k *= 2;
    }
    let (mut path, other) = if m <= k {
        (
            naive_subproof(m, &leaves[..k], known),
            naive_root(&leaves[k..]),
        )
    } else {
        (
            naive_subproof(m - k, &leaves[k..], false),
            naive_root(&leaves[..k]),
        )
    };
    path.push(other);
    path
}

struct Memory<'a>(&'a [LeafHash]);

impl NodeReader for Memory<'_> {
    type Error = Infallible;

    fn node(&mut self, level: u8, index: u64) -> Result<NodeHash, Infallible> {
        let (start, end) = ((index << level) as usize, ((index + 1) << level) as usize);
        Ok(naive_root(&self.0[start..end]))
    }
}

fn leaves(n: u64) -> Vec<LeafHash> {
    (0..n).map(|i| LeafHash::of(&i.to_be_bytes())).collect()
}

fn size(n: usize) -> TreeSize {
    TreeSize::new(n as u64)
}

fn hex(text: &str) -> NodeHash {
    NodeHash::from_hex(text).unwrap()
}

const SIZES: usize = 300;

#[test]
fn roots_of_all_sizes_to_300_agree_with_the_definition_and_with_rs_merkle() {
    let all = leaves(SIZES as u64);
    let mut range = CompactRange::default();
    assert_eq!(range.root(), RootHash::empty());
    for n in 1..=SIZES {
        range.push(all[n - 1], |_, _, _| {});
        let naive = naive_root(&all[..n]).root();
        assert_eq!(range.root(), naive, "size {n}");
        assert_eq!(oracle::root(&all[..n]), Some(naive), "size {n}");
        assert_eq!(range.size(), size(n));
        let again = CompactRange::new(range.size(), range.nodes().to_vec()).unwrap();
        assert_eq!(again.root(), naive);
        let coordinates: Vec<_> = CompactRange::coordinates(size(n)).collect();
        assert_eq!(coordinates.len(), range.nodes().len());
        for ((level, index), node) in coordinates.into_iter().zip(range.nodes()) {
            assert_eq!(&Memory(&all).node(level, index).unwrap(), node);
        }
    }
}

#[test]
fn inclusion_proofs_of_all_sizes_to_300_agree_and_verify() {
    let all = leaves(SIZES as u64);
    for n in 1..=SIZES {
        let root = naive_root(&all[..n]).root();
        let oracle = oracle::Tree::new(&all[..n]);
        for (m, leaf) in all[..n].iter().enumerate() {
            let index = LeafIndex::new(m as u64);
            let path = prove_inclusion(&mut Memory(&all[..n]), index, size(n)).unwrap();
            // The naive recursion is cubic over all sizes; rs_merkle and a sample of it suffice.
            if n <= 66 || m % 37 == 0 {
                assert_eq!(path, naive_path(m, &all[..n]), "leaf {m} of {n}");
            }
            assert_eq!(Some(&path), oracle.path(m).as_ref(), "leaf {m} of {n}");
            assert_eq!(check_inclusion(size(n), root, index, *leaf, &path), Ok(()));
        }
    }
}

#[test]
fn consistency_proofs_of_all_sizes_to_300_agree_and_verify() {
    let all = leaves(SIZES as u64);
    let roots: Vec<RootHash> = (0..=SIZES).map(|n| naive_root(&all[..n]).root()).collect();
    for n in 0..=SIZES {
        for m in 0..=n {
            let path = prove_consistency(&mut Memory(&all[..n]), size(m), size(n)).unwrap();
            if m > 0 && (n <= 66 || m % 41 == 0) {
                assert_eq!(path, naive_subproof(m, &all[..n], true), "{m} to {n}");
            }
            let found = check_consistency((size(m), roots[m]), (size(n), roots[n]), &path);
            assert_eq!(found, Ok(()), "{m} to {n}");
        }
    }
}

#[test]
fn the_certificate_transparency_vectors_are_reproduced() {
    let data: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let rows: [(&str, &str); 8] = [
        (
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        ),
        (
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        ),
        (
            "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        ),
        (
            "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ),
        (
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        ),
        (
            "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        ),
        (
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        ),
        (
            "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ),
    ];
    let hashes: Vec<LeafHash> = data.iter().map(|d| LeafHash::of(d)).collect();
    let mut range = CompactRange::default();
    for (hash, (leaf, root)) in hashes.iter().zip(rows) {
        range.push(*hash, |_, _, _| {});
        assert_eq!(hash.node(), hex(leaf));
        assert_eq!(range.root(), hex(root).root());
    }
    let leaf = |i: usize| hashes[i].node();
    let root = |n: usize| hex(rows[n - 1].1);
    let n24 = hex("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e");
    let n46 = hex("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a");
    let n68 = hex("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0");
    let n48 = hex("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4");
    let n47 = hex("837dbb152e9b079010717e84e865da4ebc0fa198a806d59d31bf15accef22d0e");
    let inclusion = |m: u64, n: usize| {
        prove_inclusion(&mut Memory(&hashes[..n]), LeafIndex::new(m), size(n)).unwrap()
    };
    assert_eq!(inclusion(0, 8), [leaf(1), n24, n48]);
    assert_eq!(inclusion(5, 8), [leaf(4), n68, root(4)]);
    assert_eq!(inclusion(2, 3), [root(2)]);
    assert_eq!(inclusion(1, 5), [leaf(0), n24, leaf(4)]);
    let consistency = |m: usize, n: usize| {
        prove_consistency(&mut Memory(&hashes[..n]), size(m), size(n)).unwrap()
    };
    assert_eq!(consistency(1, 8), [leaf(1), n24, n48]);
    assert_eq!(consistency(2, 5), [n24, leaf(4)]);
    assert_eq!(consistency(3, 7), [leaf(2), leaf(3), root(2), n47]);
    assert_eq!(consistency(4, 7), [n47]);
    assert_eq!(consistency(6, 7), [n46, leaf(6), root(4)]);
    assert_eq!(consistency(6, 8), [n46, n68, root(4)]);
}

#[test]
fn every_damaged_inclusion_proof_is_refused() {
    let all = leaves(13);
    let root = naive_root(&all).root();
    let index = LeafIndex::new(5);
    let path = naive_path(5, &all);
    let check =
        |n, index, leaf, path: &[NodeHash]| check_inclusion(size(n), root, index, leaf, path);
    assert_eq!(check(13, index, all[5], &path), Ok(()));
    let extra = [path.clone(), vec![path[0]]].concat();
    assert_eq!(
        check(13, index, all[5], &extra),
        Err(VerifyError::ExtraHashes)
    );
    let short = &path[..path.len() - 1];
    assert_eq!(check(13, index, all[5], short), Err(VerifyError::TooShort));
    assert_eq!(check(13, index, all[6], &path), Err(VerifyError::OtherRoot));
    assert_eq!(
        check(13, LeafIndex::new(4), all[5], &path),
        Err(VerifyError::OtherRoot)
    );
    let outside = LeafIndex::new(13);
    assert_eq!(
        check(13, outside, all[5], &path),
        Err(VerifyError::OutOfRange {
            index: outside,
            size: size(13)
        })
    );
    for at in 0..path.len() {
        let mut damaged = path.clone();
        damaged[at].0[31] ^= 1;
        assert_eq!(
            check(13, index, all[5], &damaged),
            Err(VerifyError::OtherRoot)
        );
    }
    assert_eq!(
        check_inclusion(size(0), RootHash::empty(), LeafIndex::new(0), all[0], &[]),
        Err(VerifyError::OutOfRange {
            index: LeafIndex::new(0),
            size: size(0)
        })
    );
}

#[test]
fn every_damaged_consistency_proof_is_refused() {
    let all = leaves(13);
    let root = |n: usize| naive_root(&all[..n]).root();
    let path = naive_subproof(6, &all, true);
    let check =
        |m, n, path: &[NodeHash]| check_consistency((size(m), root(m)), (size(n), root(n)), path);
    assert_eq!(check(6, 13, &path), Ok(()));
    let extra = [path.clone(), vec![path[0]]].concat();
    assert_eq!(check(6, 13, &extra), Err(VerifyError::ExtraHashes));
    assert_eq!(
        check(6, 13, &path[..path.len() - 1]),
        Err(VerifyError::TooShort)
    );
    assert_eq!(check(6, 13, &[]), Err(VerifyError::TooShort));
    assert_eq!(check(6, 6, &path), Err(VerifyError::ExtraHashes));
    assert_eq!(check(0, 13, &path), Err(VerifyError::ExtraHashes));
    assert_eq!(
        check(13, 6, &path),
        Err(VerifyError::Rollback {
            first: size(13),
            second: size(6)
        })
    );
    for at in 0..path.len() {
        let mut damaged = path.clone();
        damaged[at].0[0] ^= 1;
        assert_eq!(check(6, 13, &damaged), Err(VerifyError::OtherRoot));
    }
    let fork = check_consistency((size(6), root(5)), (size(13), root(13)), &path);
    assert_eq!(fork, Err(VerifyError::OtherRoot));
    let same = check_consistency((size(6), root(5)), (size(6), root(6)), &[]);
    assert_eq!(same, Err(VerifyError::OtherRoot));
    let empty = check_consistency((size(0), root(5)), (size(6), root(6)), &[]);
    assert_eq!(empty, Err(VerifyError::OtherRoot));
}
