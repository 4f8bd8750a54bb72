//! Checkpoints that were kept: each interval's, and the last one.

use super::{ReadError, Reader};
use crate::sequencer::Published;
use crate::store::cf::checkpoint::Checkpoints;
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
    /// The last published checkpoint.
    pub fn last(&self, state: &Published) -> Kept {
        Kept {
            size: state.tip.size,
            root: state.tip.root,
            note: state.checkpoint.note().to_owned(),
        }
    }

    /// The checkpoint of a size, where it was kept.
    pub fn kept(&self, state: &Published, size: TreeSize) -> Result<Kept, ReadError> {
        let published = state.tip.size;
        if size == published {
            return Ok(self.last(state));
        }
        if size > published {
            return Err(ReadError::Sizes {
                first: size,
                second: size,
                size: published,
            });
        }
        if let Some(kept) = self.find_kept(state, size)? {
            return Ok(kept);
        }
        let here = size.get().to_be_bytes().to_vec();
        let (mut before, mut after) = (KeyRange::all(), KeyRange::all());
        before.end = Some(here.clone());
        after.start = here;
        let next = |range: &KeyRange, order| {
            let row = self.store.rows::<Checkpoints>(range, order).next();
            row.transpose()
        };
        let below = next(&before, Order::Descending)?.map(|(size, _)| size);
        let above = next(&after, Order::Ascending)?.map(|(size, _)| size);
        Err(ReadError::NotKept {
            size,
            below: below.unwrap_or_default(),
            above: above.unwrap_or(published),
        })
    }

    /// The checkpoint of a size, if it is the last or was kept.
    pub fn find_kept(&self, state: &Published, size: TreeSize) -> Result<Option<Kept>, ReadError> {
        if size == state.tip.size {
            return Ok(Some(self.last(state)));
        }
        let Some(note) = self.store.read::<Checkpoints>(&size)? else {
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
