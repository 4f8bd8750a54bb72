//! What is open to everybody: the last checkpoint and the hash tiles under it, as C2SP tlog-tiles has them.
//!
//! This is the one way into a log without a [`crate::access::Permit`], and it may be, because of what it gives. A
//! checkpoint is made to be shown: size and root, signed. A tile holds hashes of leaves, and a leaf is a commitment
//! under a random opening (docs/formats.md 1), so a hash of one says nothing of a record to whoever does not hold
//! the record already. Size and growth of the log are seen, which is why an operator must ask for this face by
//! name. There are no entry bundles: not even the 64 bytes of a leaf, with their kind, class and time, are public.
//!
//! # Invariants
//! 1. Nothing is given that is not under a checkpoint that was published; for every size that was, all of it is.
//! 2. Bytes once given for a tile, full or in part, are the same for ever.
//! 3. Neither leaves nor records are read here: tiles and the right edge of the tree only.

use crate::audit::{ReadError, Reader};
use crate::witnessed::Witnessed;
use ceralacca_formats::tile::{TILE_WIDTH, TilePath};
use ceralacca_formats::tree::NodeHash;
use std::sync::Arc;

/// The open face of one log.
#[derive(Clone)]
pub struct Face {
    reader: Reader,
    witnessed: Arc<Witnessed>,
}

impl Face {
    pub(crate) fn new(reader: &Reader, witnessed: &Arc<Witnessed>) -> Self {
        Self {
            reader: reader.clone(),
            witnessed: Arc::clone(witnessed),
        }
    }

    /// The note of the checkpoint shown as the newest; none before one is witnessed, where others are held back.
    pub fn checkpoint(&self) -> Option<Arc<str>> {
        let last = self.witnessed.last();
        let published = &self.reader.published().checkpoint;
        let shown = self.witnessed.shown(last.as_ref(), published);
        shown.map(|checkpoint| checkpoint.shared_note())
    }

    /// The hashes of a tile, one after the other; none while it is beyond the published tree. Every part of a tile
    /// stays there when the tile has become fuller: a checkpoint that needs it may be older.
    pub fn tile(&self, path: TilePath) -> Result<Option<Vec<u8>>, ReadError> {
        let state = self.reader.published();
        let shift = 8 * (u32::from(path.id.level) + 1);
        let full = state.tip.size.get().checked_shr(shift).unwrap_or(0);
        if path.id.number < full {
            let tile = self.reader.tile(path.id)?;
            return Ok(first(tile.hashes(), path.entries()));
        }
        let edge = match path.id.number == full && path.entries() < TILE_WIDTH {
            true => state.frontier.partial(path.id.level),
            false => &[],
        };
        Ok(first(edge, path.entries()))
    }
}

fn first(hashes: &[NodeHash], entries: usize) -> Option<Vec<u8>> {
    let hashes = hashes.get(..entries)?.iter();
    Some(hashes.flat_map(|hash| *hash.as_bytes()).collect())
}
