//! The reduced hash tree of one data object group: what leads from its documents to what was stamped.
//!
//! ```text
//! reducedHashtree ::= SEQUENCE OF PartialHashtree      first the group, then the siblings level by level
//! PartialHashtree ::= SEQUENCE OF OCTET STRING         sorted
//!
//! cur = none
//! for list in reducedHashtree:
//!     L   = list, and cur if there is one
//!     cur = L[0] if L has one value, else H( values of L, sorted, one after another )
//! ```
//! RFC 4998 has no prefix that tells leaves from nodes: what a record proves is looked for in the first list only.

use super::hash::{Hash, group_hash};
use super::{RecordError, der};
use ceralacca_pec::DigestAlgorithm;

/// The most lists of a tree: the levels of any tree there is, some times over.
const LISTS_MAX: usize = 1024;

/// A reduced hash tree: at least one list, each with at least one hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReducedTree {
    algorithm: DigestAlgorithm,
    lists: Vec<Vec<Hash>>,
}

impl ReducedTree {
    /// The tree of a group of documents and of the siblings above it, each level's, bottom first.
    pub fn new(group: &[Hash], siblings: &[Hash]) -> Option<Self> {
        let mut first = group.to_vec();
        first.sort_unstable();
        let algorithm = first.first()?.algorithm();
        let all = first.iter().chain(siblings);
        let agree = all.into_iter().all(|hash| hash.algorithm() == algorithm);
        let above = siblings.iter().map(|sibling| vec![*sibling]);
        let lists = std::iter::once(first).chain(above).collect();
        agree.then_some(Self { algorithm, lists })
    }

    /// Reads the lists; hashes of another length than the algorithm's are refused.
    pub(super) fn read(content: &[u8], algorithm: DigestAlgorithm) -> Option<Self> {
        let lists = der::values(content, LISTS_MAX)?.into_iter().map(|list| {
            let hashes = der::each(list.expect(der::SEQUENCE)?);
            let hashes = hashes.map(|h| Hash::from_bytes(algorithm, h?.expect(der::OCTET_STRING)?));
            hashes.collect::<Option<Vec<_>>>().filter(|h| !h.is_empty())
        });
        let lists: Vec<_> = lists.collect::<Option<_>>()?;
        (!lists.is_empty()).then_some(Self { algorithm, lists })
    }

    /// The content octets of the reducedHashtree.
    pub(super) fn content(&self) -> Vec<u8> {
        let lists = self.lists.iter().map(|list| {
            let hashes = list
                .iter()
                .map(|h| der::value(der::OCTET_STRING, h.as_bytes()));
            der::value(der::SEQUENCE, &hashes.collect::<Vec<_>>().concat())
        });
        lists.collect::<Vec<_>>().concat()
    }

    /// The algorithm of its hashes.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// What must have been stamped.
    pub fn root(&self) -> Option<Hash> {
        let mut current = None;
        for list in &self.lists {
            let values: Vec<Hash> = list.iter().copied().chain(current).collect();
            current = group_hash(&values);
        }
        current
    }

    /// The first list.
    pub fn group(&self) -> &[Hash] {
        self.lists.first().map_or(&[], Vec::as_slice)
    }

    /// Whether the first list has these hashes; where they must be the whole group, no others.
    pub fn holds(&self, hashes: &[Hash], is_whole: bool) -> Result<(), RecordError> {
        let group = self.group();
        if hashes.is_empty() || !hashes.iter().all(|hash| group.contains(hash)) {
            return Err(RecordError::NotInFirstList);
        }
        if is_whole && !group.iter().all(|hash| hashes.contains(hash)) {
            return Err(RecordError::OthersInFirstList);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DigestAlgorithm::Sha256;

    fn three() -> [Hash; 3] {
        [b"alpha".as_slice(), b"beta", b"gamma"].map(|text| Hash::of(Sha256, text))
    }

    #[test]
    fn the_published_vectors_are_reproduced() {
        let [alpha, beta, gamma] = three();
        let shown = group_hash(&[alpha, beta, gamma]).unwrap().to_string();
        assert_eq!(
            shown,
            "13825e556f3004a797f6499c1f88c5cd5c64058c4d93855faefa362d00b8acf8"
        );
        let shown = group_hash(&[beta, alpha]).unwrap().to_string();
        assert_eq!(
            shown,
            "8450e9a90d144185def662fffc477da5e0325d80be5de388ec20d9c58d6c72d0"
        );
        // alpha and beta under one parent, gamma beside it.
        let tree = ReducedTree::new(&[alpha, beta], &[gamma]).unwrap();
        let shown = tree.root().unwrap().to_string();
        assert_eq!(
            shown,
            "c090e94bc3a99676b532c602c1e5c68d53266dbf246e295a6b9b6a547da51fa2"
        );
        // The same root for alpha alone, whose sibling stands one list further.
        let tree = ReducedTree::new(&[alpha], &[beta, gamma]).unwrap();
        assert_eq!(tree.root().unwrap().to_string(), shown);
    }

    #[test]
    fn a_single_value_passes_unhashed_and_order_does_not_matter() {
        let [alpha, beta, gamma] = three();
        let alone = ReducedTree::new(&[alpha], &[]).unwrap();
        assert_eq!(alone.root(), Some(alpha));
        let one = ReducedTree::new(&[alpha, beta, gamma], &[]).unwrap();
        let other = ReducedTree::new(&[gamma, alpha, beta], &[]).unwrap();
        assert_eq!(one, other);
        assert_eq!(ReducedTree::new(&[], &[alpha]), None);
    }

    #[test]
    fn only_the_first_list_speaks_for_documents() {
        let [alpha, beta, gamma] = three();
        let tree = ReducedTree::new(&[alpha, beta], &[gamma]).unwrap();
        assert_eq!(tree.holds(&[alpha, beta], true), Ok(()));
        assert_eq!(tree.holds(&[alpha], false), Ok(()));
        assert_eq!(
            tree.holds(&[alpha], true),
            Err(RecordError::OthersInFirstList)
        );
        assert_eq!(
            tree.holds(&[gamma], false),
            Err(RecordError::NotInFirstList)
        );
        let inner = group_hash(&[alpha, beta]).unwrap();
        assert_eq!(
            tree.holds(&[inner], false),
            Err(RecordError::NotInFirstList)
        );
        assert_eq!(tree.holds(&[], true), Err(RecordError::NotInFirstList));
    }

    #[test]
    fn lists_come_back_from_their_octets_and_others_are_refused() {
        let [alpha, beta, gamma] = three();
        let tree = ReducedTree::new(&[alpha, beta], &[gamma]).unwrap();
        assert_eq!(
            ReducedTree::read(&tree.content(), Sha256),
            Some(tree.clone())
        );
        assert_eq!(
            ReducedTree::read(&tree.content(), DigestAlgorithm::Sha512),
            None
        );
        assert_eq!(ReducedTree::read(&[], Sha256), None);
        assert_eq!(ReducedTree::read(&[0x30, 0], Sha256), None);
        let one = ReducedTree::new(&[alpha], &[]).unwrap().content();
        assert!(ReducedTree::read(&one.repeat(LISTS_MAX), Sha256).is_some());
        assert_eq!(ReducedTree::read(&one.repeat(LISTS_MAX + 1), Sha256), None);
    }
}
