//! Tiles: 256 hashes of one level, stored once, when full (C2SP tlog-tiles).
//!
//! ```text
//! tile n of level l:  256 hashes of 32 bytes; entry i = MTH(D[(256n+i)*256^l : (256n+i+1)*256^l])
//! ```
//! Level 0 holds leaf hashes; an entry of level l+1 is the root of a full tile of level l.
//!
//! # Invariants
//! 1. A full tile never changes. 2. What is not yet in a full tile is in the [`Frontier`], and only there.

use crate::id::TreeSize;
use crate::tree::{CompactRange, LeafHash, NodeHash, NodeReader};
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU8;
use std::sync::Arc;

/// Hashes in a full tile.
pub const TILE_WIDTH: usize = 256;
/// Levels of the tree in one tile.
const TILE_HEIGHT: u8 = 8;

/// Which tile.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TileId {
    /// 0 for leaf hashes.
    pub level: u8,
    /// Position in its level, from zero.
    pub number: u64,
}

impl TileId {
    /// The path of the full tile below a log's prefix, as tlog-tiles writes it.
    pub fn path(self) -> String {
        let mut groups = vec![format!("{:03}", self.number % 1000)];
        let mut rest = self.number / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        format!("tile/{}/{}", self.level, groups.join("/"))
    }
}

/// A tile as tlog-tiles names it: full, or its first entries.
///
/// ```text
/// tile/<level>/<number>           full
/// tile/<level>/<number>.p/<W>     its first W entries, 1 to 255
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TilePath {
    /// Which tile.
    pub id: TileId,
    /// How many of its entries; none for all 256.
    pub width: Option<NonZeroU8>,
}

impl TilePath {
    /// Reads a path in its one spelling; `None` for any other text.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (number, width) = match rest.split_once(".p/") {
            None => (rest, None),
            Some((number, width)) => (number, Some(width.parse().ok()?)),
        };
        let mut value = 0u64;
        for group in number.split('/') {
            let digits: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
            value = value.checked_mul(1000)?.checked_add(digits)?;
        }
        let id = TileId {
            level: level.parse().ok()?,
            number: value,
        };
        // What was read leniently counts only if it is spelled the one way.
        let read = Self { id, width };
        (read.to_string() == path).then_some(read)
    }

    /// Entries in it.
    pub fn entries(self) -> usize {
        self.width
            .map_or(TILE_WIDTH, |width| usize::from(width.get()))
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id.path())?;
        self.width.map_or(Ok(()), |width| write!(f, ".p/{width}"))
    }
}

/// A full tile.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tile(Vec<NodeHash>);

impl Tile {
    /// From 256 hashes; `None` for another number.
    pub fn new(hashes: Vec<NodeHash>) -> Option<Self> {
        (hashes.len() == TILE_WIDTH).then_some(Self(hashes))
    }

    /// From 8192 bytes; `None` for another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return None;
        }
        Self::new(hashes.iter().map(|h| NodeHash::from_bytes(*h)).collect())
    }

    /// The 8192 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// The 256 hashes.
    pub fn hashes(&self) -> &[NodeHash] {
        &self.0
    }
}

/// The right edge of the tree: its compact range, and per tile level the entries of the tile that is
/// not yet full.
///
/// At most 255 hashes a level: 8 KiB for each factor of 256 in size.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    range: CompactRange,
    levels: Vec<Vec<NodeHash>>,
}

impl Frontier {
    /// Appends a leaf; the tiles it fills are handed to `full`.
    pub fn push(&mut self, leaf: LeafHash, mut full: impl FnMut(TileId, Tile)) {
        let levels = &mut self.levels;
        self.range.push(leaf, |height, index, hash| {
            if !height.is_multiple_of(TILE_HEIGHT) {
                return;
            }
            let level = height / TILE_HEIGHT;
            if levels.len() <= usize::from(level) {
                levels.resize_with(usize::from(level) + 1, Vec::new);
            }
            let Some(entries) = levels.get_mut(usize::from(level)) else {
                return;
            };
            entries.push(hash);
            if entries.len() == TILE_WIDTH {
                let number = index / TILE_WIDTH as u64;
                full(TileId { level, number }, Tile(std::mem::take(entries)));
            }
        });
    }

    /// Rebuilds the edge of a tree of `size` leaves. `entry(level, index)` gives an entry of a tile
    /// level: a leaf hash, or the root of a full tile of the level below.
    pub fn rebuild<E>(
        size: TreeSize,
        mut entry: impl FnMut(u8, u64) -> Result<NodeHash, E>,
    ) -> Result<Self, E> {
        let mut levels = Vec::new();
        let (mut level, mut entries) = (0u8, size.get());
        while entries > 0 {
            let full = entries / TILE_WIDTH as u64 * TILE_WIDTH as u64;
            let partial: Result<Vec<_>, E> = (full..entries).map(|i| entry(level, i)).collect();
            levels.push(partial?);
            entries /= TILE_WIDTH as u64;
            level += 1;
        }
        let nodes: Option<Vec<NodeHash>> = CompactRange::coordinates(size)
            .map(|(height, index)| edge_node(&levels, size, height, index))
            .collect();
        let range = nodes.and_then(|nodes| CompactRange::new(size, nodes));
        #[expect(
            clippy::expect_used,
            reason = "every perfect subtree of the tree is made of entries of partial tiles (invariant 2)"
        )]
        let range = range.expect("the edge holds the compact range");
        Ok(Self { range, levels })
    }

    /// The compact range.
    pub fn range(&self) -> &CompactRange {
        &self.range
    }

    /// Number of leaves.
    pub fn size(&self) -> TreeSize {
        self.range.size()
    }

    /// The entries of the partial tile of a level.
    pub fn partial(&self, level: u8) -> &[NodeHash] {
        self.levels
            .get(usize::from(level))
            .map_or(&[], Vec::as_slice)
    }

    /// A perfect subtree, if it is made of entries of a partial tile.
    pub fn node(&self, height: u8, index: u64) -> Option<NodeHash> {
        edge_node(&self.levels, self.size(), height, index)
    }
}

/// A perfect subtree of a tree of `size` leaves, if it is made of entries of its partial tiles.
fn edge_node(levels: &[Vec<NodeHash>], size: TreeSize, height: u8, index: u64) -> Option<NodeHash> {
    let (tile, start, width) = locate(height, index);
    let shift = u32::from(TILE_HEIGHT) * (u32::from(tile.level) + 1);
    let full_tiles = size.get().checked_shr(shift).unwrap_or(0);
    if tile.number != full_tiles {
        return None;
    }
    let held = levels.get(usize::from(tile.level))?;
    Some(fold(held.get(start..start + width)?))
}

/// Reads perfect subtrees from full tiles and a frontier; each tile is read once.
pub struct TileNodes<'a, F> {
    frontier: &'a Frontier,
    read: F,
    tiles: HashMap<TileId, Arc<Tile>>,
}

impl<'a, E, F: FnMut(TileId) -> Result<Arc<Tile>, E>> TileNodes<'a, F> {
    /// `read` gives a full tile.
    pub fn new(frontier: &'a Frontier, read: F) -> Self {
        Self {
            frontier,
            read,
            tiles: HashMap::new(),
        }
    }
}

impl<E, F: FnMut(TileId) -> Result<Arc<Tile>, E>> NodeReader for TileNodes<'_, F> {
    type Error = E;

    fn node(&mut self, level: u8, index: u64) -> Result<NodeHash, E> {
        if let Some(node) = self.frontier.node(level, index) {
            return Ok(node);
        }
        let (id, start, width) = locate(level, index);
        let tile = match self.tiles.get(&id) {
            Some(tile) => Arc::clone(tile),
            None => {
                let tile = (self.read)(id)?;
                self.tiles.insert(id, Arc::clone(&tile));
                tile
            }
        };
        // `start + width` is at most 256 by construction and a tile has 256 entries.
        Ok(fold(tile.0.get(start..start + width).unwrap_or(&tile.0)))
    }
}

/// The tile that holds the entries of a perfect subtree, the first entry, and their number.
fn locate(height: u8, index: u64) -> (TileId, usize, usize) {
    let (level, inside) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
    let first = index << inside;
    let tile = TileId {
        level,
        number: first / TILE_WIDTH as u64,
    };
    ((tile), (first % TILE_WIDTH as u64) as usize, 1 << inside)
}

/// The root of 2^n entries, at least one.
fn fold(entries: &[NodeHash]) -> NodeHash {
    match entries {
        [one] => *one,
        [left, right] => NodeHash::parent(left, right),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            NodeHash::parent(&fold(left), &fold(right))
        }
    }
}

/// The root of a full tile.
pub fn tile_root(tile: &Tile) -> NodeHash {
    fold(&tile.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::LeafIndex;
    use crate::oracle;
    use crate::tree::{prove_consistency, prove_inclusion};

    struct Log {
        leaves: Vec<LeafHash>,
        frontier: Frontier,
        tiles: HashMap<TileId, Arc<Tile>>,
    }

    fn log(n: u64) -> Log {
        let mut log = Log {
            leaves: (0..n).map(|i| LeafHash::of(&i.to_be_bytes())).collect(),
            frontier: Frontier::default(),
            tiles: HashMap::new(),
        };
        for leaf in &log.leaves {
            let tiles = &mut log.tiles;
            log.frontier.push(*leaf, |id, tile| {
                assert!(tiles.insert(id, Arc::new(tile)).is_none(), "stored once");
            });
        }
        log
    }

    impl Log {
        fn nodes(&self) -> impl NodeReader<Error = TileId> + '_ {
            TileNodes::new(&self.frontier, |id| self.tiles.get(&id).cloned().ok_or(id))
        }

        fn rebuilt(&self) -> Frontier {
            let read = |level: u8, index: u64| -> Result<NodeHash, ()> {
                Ok(match level {
                    0 => self.leaves[index as usize].node(),
                    _ => tile_root(
                        &self.tiles[&TileId {
                            level: level - 1,
                            number: index,
                        }],
                    ),
                })
            };
            Frontier::rebuild(self.frontier.size(), read).unwrap()
        }
    }

    #[test]
    fn tiles_of_70000_leaves_are_those_of_the_specification() {
        let log = log(70_000);
        let count = |level| log.tiles.keys().filter(|id| id.level == level).count();
        assert_eq!((count(0), count(1), count(2)), (273, 1, 0));
        let widths: Vec<usize> = (0..4).map(|l| log.frontier.partial(l).len()).collect();
        assert_eq!(widths, [112, 17, 1, 0]);
        assert_eq!(Some(log.frontier.range().root()), oracle::root(&log.leaves));
        assert_eq!(log.rebuilt().levels, log.frontier.levels);
        assert_eq!(log.rebuilt().range(), log.frontier.range());
    }

    #[test]
    fn proofs_from_tiles_are_the_oracles() {
        for n in [1, 2, 255, 256, 257, 511, 512, 700, 65_536, 65_537, 66_000] {
            let log = log(n);
            let oracle = oracle::Tree::new(&log.leaves);
            for m in (0..n).step_by(1 + n as usize / 60).chain([n - 1]) {
                let (index, size) = (LeafIndex::new(m), TreeSize::new(n));
                let path = prove_inclusion(&mut log.nodes(), index, size).unwrap();
                assert_eq!(Some(path), oracle.path(m as usize), "leaf {m} of {n}");
            }
        }
    }

    #[test]
    fn proofs_of_older_sizes_come_from_the_same_tiles() {
        let log = log(66_000);
        for (m, n) in [
            (1, 66_000),
            (255, 300),
            (256, 65_536),
            (65_535, 65_537),
            (300, 65_900),
        ] {
            let (first, second) = (TreeSize::new(m), TreeSize::new(n));
            let path = prove_consistency(&mut log.nodes(), first, second).unwrap();
            let root = |n: u64| oracle::root(&log.leaves[..n as usize]).unwrap();
            let found = crate::tree::check_consistency((first, root(m)), (second, root(n)), &path);
            assert_eq!(found, Ok(()), "{m} to {n}");
        }
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |number| TileId { level: 0, number }.path();
        assert_eq!(path(1_234_067), "tile/0/x001/x234/067");
        assert_eq!(path(5), "tile/0/005");
        assert_eq!(path(1000), "tile/0/x001/000");
    }

    #[test]
    fn a_path_has_one_spelling() {
        let id = |level, number| TileId { level, number };
        for (text, id, width) in [
            ("tile/0/000", id(0, 0), None),
            ("tile/0/005.p/1", id(0, 5), NonZeroU8::new(1)),
            ("tile/1/x001/x234/067", id(1, 1_234_067), None),
            ("tile/7/x001/000.p/255", id(7, 1000), NonZeroU8::new(255)),
            (
                "tile/0/x018/x446/x744/x073/x709/x551/615",
                id(0, u64::MAX),
                None,
            ),
        ] {
            let path = TilePath::parse(text).unwrap();
            assert_eq!(path, TilePath { id, width });
            assert_eq!(path.to_string(), text);
            let entries = width.map_or(256, |width| usize::from(width.get()));
            assert_eq!(path.entries(), entries);
        }
        for bad in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/5",
            "tile/0/05",
            "tile/0/0005",
            "tile/00/005",
            "tile/+0/005",
            "tile/256/005",
            "tile/0/x005",
            "tile/0/001/234",
            "tile/0/x000/005",
            "tile/0/x1/005",
            "tile/0/X001/005",
            "tile/0/-05",
            "tile/0/+05",
            "tile/0/005/",
            "tile/0//005",
            "/tile/0/005",
            "tile/0/005.p",
            "tile/0/005.p/",
            "tile/0/005.p/0",
            "tile/0/005.p/256",
            "tile/0/005.p/01",
            "tile/0/005.p/1/",
            "tile/0/005.p/1.p/1",
            "tile/entries/005",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(TilePath::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_tile_has_8192_bytes() {
        let tile = log(256)
            .tiles
            .remove(&TileId {
                level: 0,
                number: 0,
            })
            .unwrap();
        let bytes = tile.to_bytes();
        assert_eq!(bytes.len(), 8192);
        assert_eq!(Tile::from_bytes(&bytes).as_ref(), Some(&*tile));
        assert_eq!(Tile::from_bytes(&bytes[32..]), None);
        assert_eq!(Tile::from_bytes(&bytes[1..]), None);
    }
}
