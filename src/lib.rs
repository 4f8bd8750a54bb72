//! Ceralacca: an archive for Italian certified mail (PEC).
//!
//! # Map, in reading order
//! - [`ceralacca_formats`]: L0 and L1, the formats and their verification, a crate of its own
//! - [`store`]: L2, rows in column families: RocksDB, and memory for simulation
//! - [`cli`]: the top: the command line, one file for each command
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

/// The allocator of the process, RocksDB's and zstd's included: a record is some thirty small blocks that
/// one thread makes and another frees, which costs the C library's allocator a third of the whole path
/// (benches/append.rs).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub mod access;
pub mod ambient;
pub mod api;
pub mod archive;
pub mod audit;
pub mod cli;
pub mod desk;
pub mod disclosure;
pub mod index;
pub mod ingest;
pub mod keyring;
pub mod record;
pub mod sequencer;
pub mod server;
pub mod store;
