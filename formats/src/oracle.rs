//! rs_merkle as the second implementation of the tree: the only door to that crate.
//!
//! It recomputes roots and paths from leaf hashes of our own; it never sees a proof that came from
//! outside, because its verifier accepts extra hashes and repeated indices (rs_merkle 1.5.0).

use crate::tree::{LeafHash, NodeHash, RootHash};

#[derive(Clone)]
struct Rfc9162;

impl rs_merkle::Hasher for Rfc9162 {
    type Hash = [u8; 32];

    fn hash(leaf: &[u8]) -> [u8; 32] {
        *LeafHash::of(leaf).as_bytes()
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        match right {
            Some(right) => {
                let (left, right) = (NodeHash::from_bytes(*left), NodeHash::from_bytes(*right));
                *NodeHash::parent(&left, &right).as_bytes()
            }
            // A node without a sibling rises unchanged; it is never doubled.
            None => *left,
        }
    }
}

/// The root of these leaves by rs_merkle; `None` for no leaves.
pub fn root(leaves: &[LeafHash]) -> Option<RootHash> {
    Tree::new(leaves).0.root().map(RootHash::from_bytes)
}

/// A whole tree in memory: some 290 bytes a leaf, so at most a 65 536-leaf subtree at a time.
pub struct Tree(rs_merkle::MerkleTree<Rfc9162>);

impl Tree {
    /// Builds the tree of these leaves.
    pub fn new(leaves: &[LeafHash]) -> Self {
        let leaves: Vec<[u8; 32]> = leaves.iter().map(|leaf| *leaf.as_bytes()).collect();
        Self(rs_merkle::MerkleTree::from_leaves(&leaves))
    }

    /// The inclusion path of one leaf, its sibling first; `None` outside the tree.
    pub fn path(&self, index: usize) -> Option<Vec<NodeHash>> {
        if index >= self.0.leaves_len() {
            return None;
        }
        let proof = self.0.proof(&[index]);
        let hashes = proof.proof_hashes().iter();
        Some(hashes.map(|hash| NodeHash::from_bytes(*hash)).collect())
    }
}
