//! `tile`: full tiles of the Merkle tree.
//!
//! ```text
//! key    level u8 | number u64
//! value  format u8 = 1 | 256 hashes of 32 bytes
//! ```
//! Written by the sequencer once, in the batch that fills the tile. Never removed, never rewritten.

use super::{ColumnFamily, FORMAT, Family, Malformed, Reader};
use ceralacca_formats::tile::{Tile, TileId};

/// The family.
pub struct Tiles;

impl ColumnFamily for Tiles {
    const FAMILY: Family = Family::Tile;
    type Key = TileId;
    type Value = Tile;

    fn encode_key(key: &TileId, out: &mut Vec<u8>) {
        out.push(key.level);
        out.extend_from_slice(&key.number.to_be_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<TileId, Malformed> {
        let mut reader = Reader::new(bytes);
        let (level, number) = (reader.u8()?, reader.u64()?);
        reader.end().map(|()| TileId { level, number })
    }

    fn encode_value(tile: &Tile, out: &mut Vec<u8>) {
        out.push(FORMAT);
        for hash in tile.hashes() {
            out.extend_from_slice(hash.as_bytes());
        }
    }

    fn decode_value(bytes: &[u8]) -> Result<Tile, Malformed> {
        Tile::from_bytes(Reader::value(bytes)?.rest()).ok_or(Malformed::Length)
    }
}
