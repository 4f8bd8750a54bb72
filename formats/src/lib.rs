//! The formats of Ceralacca, and their verification.
//!
//! Everything a stranger must be able to read in ten years is defined here and drawn byte by byte in
//! `docs/formats.md`: leaves, commitments, canonical metadata, encryption at rest, the Merkle tree,
//! tiles, signed notes, proofs, acknowledgements.
//!
//! # Invariants
//! 1. Pure: no I/O, no clock, no randomness, no async, no logging; nonces and times are arguments.
//! 2. Decoding is total: bytes from disk or network give a value or a precise error, never a panic.
//! 3. Nothing here needs the store or the transport: an auditor builds this crate alone.
//!
//! # Map, in reading order
//! - [`digest`], [`id`]: digests; indexes, sizes, times, names
//! - [`leaf`]: the 64 bytes under the tree and the commitment in them
//! - [`canonical`], [`metadata`]: what a commitment is over, beside the content
//! - [`event`]: types of event, and the word a record is counted under
//! - [`secret`], [`encrypt`]: class secrets, derived keys; compress, then encrypt
//! - [`tree`], [`tile`], [`oracle`]: RFC 9162 shape, proofs, strict verification; rs_merkle beside it
//! - [`map`]: which identificativi an interval holds, and which not
//! - [`log_file`], [`catalogue`], [`closing`]: the files of a closed interval, and the leaf that closes it;
//!   [`export`]: what a log is rebuilt from beside them; [`renewal`]: the leaf that says that its evidence was renewed;
//!   [`disposal`], [`disposal_certificate`]: the leaves of what is gone, and what is signed of it
//! - [`hold`]: the leaves that say that disposal was suspended, and no longer is; [`erasure`]: that one record went
//!   before its term, and the certificate of it
//! - [`note`], [`checkpoint`]: C2SP signed notes and checkpoints
//! - [`sample`]: which leaves an auditor's seed names
//! - [`rotation`]: the keys of a log, followed from the first
//! - [`cosignature`], [`policy`], [`witness`]: who else signs a checkpoint, how many must, and what a witness checks
//! - [`proof`], [`acknowledgement`]: the two documents that leave the archive
//! - [`absence`]: that intervals do not hold an identificativo
//! - [`monitor`], [`promise`]: a log held to its checkpoints, and to its acknowledgements
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod absence;
pub mod acknowledgement;
pub mod canonical;
pub mod catalogue;
pub mod checkpoint;
pub mod closing;
pub mod cosignature;
pub mod digest;
pub mod disposal;
pub mod disposal_certificate;
pub mod disposed;
pub mod encrypt;
pub mod erasure;
pub mod event;
pub mod export;
pub mod hold;
pub mod id;
pub mod leaf;
pub mod log_file;
pub mod map;
pub mod metadata;
pub mod monitor;
pub mod note;
pub mod oracle;
pub mod policy;
pub mod promise;
pub mod proof;
pub mod renewal;
pub mod rotation;
pub mod sample;
pub mod secret;
pub mod source;
pub mod tile;
pub mod tree;
mod wire;
pub mod witness;
