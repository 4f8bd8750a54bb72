//! The stored form of an interval map: every proof reads one bucket of keys and the path above it.
//!
//! ```text
//! header   "CLXMAP1\n" 8 | bits b u8, at most 20 | 0 7 | SHA-256(salt) 32                          48 bytes
//! entries  n times ( key 32 | value 32 ), keys strictly ascending
//! top      2^(b+1) - 1 nodes, 32 each: the root, then depth 1 from left to right, … down to depth b
//! starts   2^b + 1 times u64: the number of keys whose first b bits are below 0, 1, … 2^b
//! ```
//! n follows from the length, and the last start is n. A bucket is the keys that share their first b bits; the
//! writer takes b so that a bucket holds about 256.
//!
//! # Invariants
//! 1. Written in one pass; memory is 40 bytes a bucket and some hashes, whatever the number of keys.
//! 2. What is read is not trusted: a proof is verified against the root of the file before it is given.

use super::{
    DEPTH, MapError, MapKey, MapNode, MapProof, MapSaltDigest, MapValue, Subtree, join,
    subtree_root,
};
use crate::wire::Cursor;

const MAGIC: &[u8; 8] = b"CLXMAP1\n";
const HEADER_BYTES: u64 = 48;
const ENTRY_BYTES: u64 = 64;
const NODE_BYTES: u64 = 32;
const START_BYTES: u64 = 8;
/// The most bits that name a bucket.
pub const BITS_MAX: u8 = 20;
/// The most keys in one bucket: far above what keys that are digests reach.
pub const BUCKET_KEYS_MAX: u64 = 1 << 16;
/// The sink gets pieces of at least so many bytes, but for the last.
const PIECE_BYTES: usize = 64 << 10;
/// How many keys a bucket shall hold.
const BUCKET_KEYS: u64 = 256;

/// A key with its value.
pub type Entry = (MapKey, MapValue);

/// Why a map file was not written or not read.
#[derive(Debug, thiserror::Error)]
pub enum MapFileError<E> {
    /// Where it goes or comes from failed.
    #[error("map file: {0}")]
    Storage(E),
    /// Keys that cannot make a map.
    #[error(transparent)]
    Map(#[from] MapError),
    /// A bucket would hold, or claims to hold, more keys than one may: expected keys far below those that came.
    #[error("bucket {0} of a map file has too many keys")]
    BucketTooLarge(usize),
    /// A bucket comes out of order.
    #[error("bucket {0} of a map file comes out of order")]
    BucketOrder(usize),
    /// Not the header of a map file of this version.
    #[error("not a map file of version 1")]
    Header,
    /// The length is none that a map file has, or less was read than asked for.
    #[error("map file has a length it cannot have")]
    Length,
    /// Keys of a bucket are not below its prefix, or starts are not ascending.
    #[error("bucket {0} of the map file is damaged")]
    Bucket(usize),
    /// Nodes do not agree with those below them.
    #[error("nodes of the map file at depth {0} are damaged")]
    Top(usize),
}

/// How many bits name a bucket, for about this many keys.
pub fn bits_for(keys: u64) -> u8 {
    let buckets = keys.div_ceil(BUCKET_KEYS).max(1).next_power_of_two();
    u8::try_from(buckets.trailing_zeros()).map_or(BITS_MAX, |bits| bits.min(BITS_MAX))
}

/// Writes a map file, piece by piece, to a closure.
pub struct MapWriter<W> {
    sink: W,
    bits: u8,
    keys: u64,
    last: Option<MapKey>,
    open: Option<(usize, Subtree)>,
    roots: Vec<MapNode>,
    starts: Vec<u64>,
    buffer: Vec<u8>,
}

impl<E, W: FnMut(&[u8]) -> Result<(), E>> MapWriter<W> {
    /// Begins a file. `bits`, of [`bits_for`], need only be about right.
    pub fn new(salt: &MapSaltDigest, bits: u8, sink: W) -> Result<Self, MapFileError<E>> {
        let bits = bits.min(BITS_MAX);
        let mut buffer = MAGIC.to_vec();
        buffer.extend([bits, 0, 0, 0, 0, 0, 0, 0]);
        buffer.extend(salt.0);
        Ok(Self {
            sink,
            bits,
            keys: 0,
            last: None,
            open: None,
            roots: Vec::new(),
            starts: Vec::new(),
            buffer,
        })
    }

    /// Takes the next key.
    pub fn push(&mut self, key: MapKey, value: MapValue) -> Result<(), MapFileError<E>> {
        let bucket = key.prefix(self.bits);
        self.follow(key)?;
        if self.open.as_ref().is_none_or(|(open, _)| *open != bucket) {
            self.close();
            self.skip_to(bucket);
            self.starts.push(self.keys);
            self.open = Some((bucket, Subtree::at(self.bits.into())));
        }
        if let Some((_, subtree)) = &mut self.open {
            if subtree.keys() >= BUCKET_KEYS_MAX {
                return Err(MapFileError::BucketTooLarge(bucket));
            }
            subtree.push(key, value)?;
        }
        self.write(&[(key, value)])
    }

    /// Takes a whole bucket whose root ([`subtree_root`] at depth `bits`) was made elsewhere, by another thread.
    pub fn push_bucket(
        &mut self,
        bucket: usize,
        entries: &[Entry],
        root: MapNode,
    ) -> Result<(), MapFileError<E>> {
        self.close();
        if bucket < self.roots.len() || bucket >= 1 << self.bits {
            return Err(MapFileError::BucketOrder(bucket));
        }
        if entries.len() as u64 > BUCKET_KEYS_MAX {
            return Err(MapFileError::BucketTooLarge(bucket));
        }
        for (key, _) in entries {
            if key.prefix(self.bits) != bucket {
                return Err(MapError::Outside(*key).into());
            }
            self.follow(*key)?;
        }
        self.skip_to(bucket);
        self.starts.push(self.keys);
        self.roots.push(root);
        self.write(entries)
    }

    /// Ends the file; how many keys it has, and its root.
    pub fn finish(mut self) -> Result<(u64, MapNode), MapFileError<E>> {
        self.close();
        self.skip_to(1 << self.bits);
        self.starts.push(self.keys);
        let levels = join(std::mem::take(&mut self.roots)).unwrap_or_default();
        for node in levels.iter().rev().flatten() {
            self.put(&node.0)?;
        }
        for start in std::mem::take(&mut self.starts) {
            self.put(&start.to_be_bytes())?;
        }
        (self.sink)(&self.buffer).map_err(MapFileError::Storage)?;
        let root = levels.last().and_then(|level| level.first());
        Ok((self.keys, root.copied().unwrap_or_else(MapNode::empty_root)))
    }

    fn follow(&mut self, key: MapKey) -> Result<(), MapError> {
        if let Some(last) = self.last.filter(|last| *last >= key) {
            return Err(MapError::Unsorted { last, found: key });
        }
        self.last = Some(key);
        Ok(())
    }

    fn write(&mut self, entries: &[Entry]) -> Result<(), MapFileError<E>> {
        for (key, value) in entries {
            self.put(&key.0)?;
            self.put(&value.0)?;
        }
        self.keys = self.keys.saturating_add(entries.len() as u64);
        Ok(())
    }

    /// The sink gets pieces of some size.
    fn put(&mut self, bytes: &[u8]) -> Result<(), MapFileError<E>> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            (self.sink)(&self.buffer).map_err(MapFileError::Storage)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Ends the bucket that is open.
    fn close(&mut self) {
        self.roots
            .extend(self.open.take().map(|(_, subtree)| subtree.finish()));
    }

    /// Passes buckets without keys.
    fn skip_to(&mut self, bucket: usize) {
        let empty = Subtree::at(self.bits.into()).finish();
        self.roots.resize(bucket.max(self.roots.len()), empty);
        self.starts.resize(bucket.max(self.starts.len()), self.keys);
    }
}

/// A map file that was opened. Reads go through a closure: offset and length in, those bytes out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MapFile {
    bits: u8,
    keys: u64,
    salt: MapSaltDigest,
    root: MapNode,
}

impl MapFile {
    /// Reads header and root of a file of so many bytes.
    pub fn open<E>(
        bytes: u64,
        mut read_at: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<Self, MapFileError<E>> {
        if bytes < HEADER_BYTES {
            return Err(MapFileError::Length);
        }
        let header = read(&mut read_at, 0, HEADER_BYTES)?;
        let (bits, salt) = header_of(&header).ok_or(MapFileError::Header)?;
        let mut file = Self {
            bits,
            keys: 0,
            salt,
            root: MapNode::empty_root(),
        };
        let entries = bytes.checked_sub(HEADER_BYTES + file.tail_bytes());
        let entries = entries.filter(|entries| entries % ENTRY_BYTES == 0);
        file.keys = entries.ok_or(MapFileError::Length)? / ENTRY_BYTES;
        file.root = file.node(0, 0, &mut read_at)?;
        let (start, _) = file.bounds(0, &mut read_at)?;
        let (_, end) = file.bounds((1 << bits) - 1, &mut read_at)?;
        // Otherwise there would be entries in no bucket.
        match start == 0 && end == file.keys {
            true => Ok(file),
            false => Err(MapFileError::Length),
        }
    }

    /// The root, as the file states it: to be compared with the closing leaf.
    pub fn root(&self) -> MapNode {
        self.root
    }

    /// How many keys there are.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Digest of the salt, as the file states it.
    pub fn salt(&self) -> MapSaltDigest {
        self.salt
    }

    /// How many buckets there are.
    pub fn buckets(&self) -> usize {
        1 << self.bits
    }

    /// Proves presence or absence of a key: reads its bucket, and one node per level above.
    pub fn prove<E>(
        &self,
        key: &MapKey,
        mut read_at: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<MapProof, MapFileError<E>> {
        let bucket = key.prefix(self.bits);
        let entries = self.bucket(bucket, &mut read_at)?;
        let mut siblings = Vec::with_capacity(DEPTH);
        for depth in 1..=usize::from(self.bits) {
            let at = bucket >> (usize::from(self.bits) - depth);
            siblings.push(self.node(depth, at ^ 1, &mut read_at)?);
        }
        // Below the top, each sibling is made of the keys on the other side of the key's next bit.
        let mut near = entries.as_slice();
        for depth in usize::from(self.bits)..DEPTH {
            let (left, right) = near.split_at(near.partition_point(|(k, _)| !k.bit(depth)));
            let (same, other) = match key.bit(depth) {
                true => (right, left),
                false => (left, right),
            };
            siblings.push(subtree_root(depth + 1, other)?);
            near = same;
        }
        let value = near.first().map(|(_, value)| *value);
        let proof = MapProof::of(value, siblings);
        match proof.verify(&self.root, key) {
            Ok(_) => Ok(proof),
            Err(_) => Err(MapFileError::Bucket(bucket)),
        }
    }

    /// The entries of a bucket: below its prefix and strictly ascending.
    pub fn bucket<E>(
        &self,
        bucket: usize,
        mut read_at: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<Entry>, MapFileError<E>> {
        let (start, end) = self.bounds(bucket, &mut read_at)?;
        let keys = end - start;
        if keys > BUCKET_KEYS_MAX {
            return Err(MapFileError::BucketTooLarge(bucket));
        }
        let offset = HEADER_BYTES + start * ENTRY_BYTES;
        let bytes = read(&mut read_at, offset, keys * ENTRY_BYTES)?;
        let (hashes, _) = bytes.as_chunks::<32>();
        let (pairs, _) = hashes.as_chunks::<2>();
        let entries = pairs.iter().map(|[k, v]| (MapKey(*k), MapValue(*v)));
        let entries: Vec<Entry> = entries.collect();
        let in_place = entries.iter().all(|(k, _)| k.prefix(self.bits) == bucket);
        match in_place && entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            true => Ok(entries),
            false => Err(MapFileError::Bucket(bucket)),
        }
    }

    /// Recomputes the root of a bucket and compares it with the one stored. Buckets may be checked by threads.
    pub fn check_bucket<E>(
        &self,
        bucket: usize,
        mut read_at: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<(), MapFileError<E>> {
        let entries = self.bucket(bucket, &mut read_at)?;
        let root = subtree_root(self.bits.into(), &entries)?;
        match root == self.node(self.bits.into(), bucket, &mut read_at)? {
            true => Ok(()),
            false => Err(MapFileError::Bucket(bucket)),
        }
    }

    /// Recomputes every level above the buckets from the one below it.
    pub fn check_top<E>(
        &self,
        mut read_at: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<(), MapFileError<E>> {
        for depth in 0..usize::from(self.bits) {
            for at in 0..1 << depth {
                let left = self.node(depth + 1, 2 * at, &mut read_at)?;
                let right = self.node(depth + 1, 2 * at + 1, &mut read_at)?;
                if MapNode::parent(&left, &right) != self.node(depth, at, &mut read_at)? {
                    return Err(MapFileError::Top(depth));
                }
            }
        }
        Ok(())
    }

    /// Recomputes the whole map.
    pub fn check<E>(
        &self,
        mut read_at: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<(), MapFileError<E>> {
        for bucket in 0..self.buckets() {
            self.check_bucket(bucket, &mut read_at)?;
        }
        self.check_top(read_at)
    }

    /// Bytes of top and starts. At most 20 bits: no overflow.
    fn tail_bytes(&self) -> u64 {
        let buckets = 1 << self.bits;
        NODE_BYTES * (2 * buckets - 1) + START_BYTES * (buckets + 1)
    }

    fn top_offset(&self) -> u64 {
        HEADER_BYTES + self.keys * ENTRY_BYTES
    }

    /// The node number `at` of a depth of the top.
    fn node<E>(
        &self,
        depth: usize,
        at: usize,
        read_at: &mut impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<MapNode, MapFileError<E>> {
        let place = (1 << depth) - 1 + at as u64;
        let bytes = read(read_at, self.top_offset() + place * NODE_BYTES, NODE_BYTES)?;
        let node = bytes.try_into().map_err(|_| MapFileError::Length)?;
        Ok(MapNode(node))
    }

    /// Where a bucket starts and ends, in keys.
    fn bounds<E>(
        &self,
        bucket: usize,
        read_at: &mut impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    ) -> Result<(u64, u64), MapFileError<E>> {
        let starts = self.top_offset() + NODE_BYTES * (2 * (1 << self.bits) - 1);
        let offset = starts + bucket as u64 * START_BYTES;
        let bytes = read(read_at, offset, 2 * START_BYTES)?;
        let mut cursor = Cursor::new(&bytes);
        let bounds = cursor.u64().zip(cursor.u64());
        let bounds = bounds.filter(|(start, end)| start <= end && *end <= self.keys);
        bounds.ok_or(MapFileError::Bucket(bucket))
    }
}

fn header_of(header: &[u8]) -> Option<(u8, MapSaltDigest)> {
    let mut cursor = Cursor::new(header);
    let magic = cursor.array().filter(|magic| magic == MAGIC);
    let bits = magic.and(cursor.u8()).filter(|bits| *bits <= BITS_MAX)?;
    cursor.array().filter(|zero| *zero == [0; 7])?;
    Some((bits, MapSaltDigest(cursor.array()?)))
}

/// Exactly these bytes; none are asked for where none are wanted.
fn read<E>(
    read_at: &mut impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, MapFileError<E>> {
    // Lengths are those of this file: at most a bucket.
    let length = usize::try_from(length).map_err(|_| MapFileError::Length)?;
    if length == 0 {
        return Ok(Vec::new());
    }
    let bytes = read_at(offset, length).map_err(MapFileError::Storage)?;
    match bytes.len() == length {
        true => Ok(bytes),
        false => Err(MapFileError::Length),
    }
}
