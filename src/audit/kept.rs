//! Checkpoints that were kept: each interval's, each rotation's, each witnessed one.

use super::{ReadError, Reader};
use crate::sequencer::Published;
use crate::store::cf::ColumnFamily;
use crate::store::cf::checkpoint::{self, Checkpoints};
use crate::store::{KeyRange, Order, Rows};
use ceralacca_formats::id::{TreeSize, UtcMillis};
use ceralacca_formats::tile::TileNodes;
use ceralacca_formats::tree::{CompactRange, NodeReader, RootHash};

/// A checkpoint that was kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// Leaves under its root.
    pub size: TreeSize,
    /// The root, from the tree as it is stored.
    pub root: RootHash,
    /// The signed note.
    pub note: String,
}

impl Reader {
    /// The checkpoint of a size not above the published one, where it was kept. The published one itself is not kept
    /// as such: it is [`Published::checkpoint`].
    pub fn kept(&self, state: &Published, size: TreeSize) -> Result<Kept, ReadError> {
        if let Some(kept) = self.find_kept(state, size)? {
            return Ok(kept);
        }
        // Sizes on both sides, among those of intervals and among the witnessed ones.
        let near = |of: fn(TreeSize) -> checkpoint::Kept, order| {
            let key = |size: TreeSize| {
                let mut key = Vec::new();
                Checkpoints::encode_key(&of(size), &mut key);
                key
            };
            let (smallest, largest) = (TreeSize::default(), TreeSize::new(u64::MAX >> 8));
            let (from, to) = match order {
                Order::Ascending => (size, largest),
                Order::Descending => (smallest, size),
            };
            let range = KeyRange {
                start: key(from),
                end: Some(key(to)),
            };
            let row = self.store.rows::<Checkpoints>(&range, order).next();
            row.transpose().map(|row| row.map(|(kept, _)| kept.size()))
        };
        let (own, witnessed) = (checkpoint::Kept::Own, checkpoint::Kept::Witnessed);
        let below = near(own, Order::Descending)?.max(near(witnessed, Order::Descending)?);
        let above = [
            near(own, Order::Ascending)?,
            near(witnessed, Order::Ascending)?,
        ];
        let above = above.into_iter().flatten().min();
        Err(ReadError::NotKept {
            size,
            below: below.unwrap_or_default(),
            above: above.unwrap_or(state.tip.size),
        })
    }

    /// The checkpoint of a size not above the published one, if it was kept.
    pub fn find_kept(&self, state: &Published, size: TreeSize) -> Result<Option<Kept>, ReadError> {
        let witnessed = checkpoint::Kept::Witnessed(size);
        let note = match self.store.read::<Checkpoints>(&witnessed)? {
            Some(note) => Some(note),
            None => self
                .store
                .read::<Checkpoints>(&checkpoint::Kept::Own(size))?,
        };
        let Some(note) = note else {
            return Ok(None);
        };
        let root = self.root_at(state, size)?;
        Ok(Some(Kept { size, root, note }))
    }

    /// The checkpoint with which the interval that holds an instant was cut.
    pub fn kept_of_interval(&self, state: &Published, at: UtcMillis) -> Result<Kept, ReadError> {
        let mut spans = state.spans.iter();
        let span = spans.find(|span| span.id.start() <= at && at < span.end);
        let span = span.ok_or(ReadError::NoInterval(at))?;
        let size = span.cut.ok_or(ReadError::IntervalOpen {
            interval: span.id,
            end: span.end,
        })?;
        self.find_kept(state, size)?
            .ok_or(ReadError::Missing("the checkpoint of an interval"))
    }

    /// The root at a size not above the published one.
    fn root_at(&self, state: &Published, size: TreeSize) -> Result<RootHash, ReadError> {
        let mut nodes = TileNodes::new(&state.frontier, |id| self.tile(id));
        let hashes = CompactRange::coordinates(size);
        let hashes = hashes.map(|(level, index)| nodes.node(level, index));
        // `coordinates` gives exactly the subtrees that `new` wants.
        let range = CompactRange::new(size, hashes.collect::<Result<_, _>>()?);
        Ok(range.unwrap_or_default().root())
    }
}
