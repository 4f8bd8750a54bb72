//! Ceralacca: an archive for Italian certified mail (PEC).
//!
//! # Map, in reading order
//! - [`ceralacca_formats`], [`ceralacca_pec`], [`ceralacca_retention`]: crates of their own, pure: formats and their
//!   verification; PEC messages; how long a record is kept
//! - [`ambient`], [`access`]: clocks and randomness as arguments; who may do what
//! - [`plain_http`]: a listener for strangers
//! - [`store`]: rows in column families: RocksDB, and memory for simulation
//! - [`seal_key`], [`tsa`]: the key that seals; time-stamping authorities, asked in order
//! - [`keyring`], [`record`], [`index`]: secrets of a log; a draft to rows and back; a term to candidates
//! - [`holds`], [`erasures`]: suspensions of disposal, held against the log; records that were erased singly
//! - [`sequencer`]: the only writer
//! - [`witnessed`]: the checkpoints that witnesses cosigned
//! - [`audit`], [`disclosure`]: the reading engine and `fsck`; the record of what is shown
//! - [`custody`]: acts on what is kept: holds, single erasures
//! - [`trust`]: what signatures are judged with
//! - [`ingest`], [`desk`]: what is submitted, and what is shown, each with a permit
//! - [`seal`]: the closing of intervals
//! - [`disposal`]: what the rule of time allows, carried out
//! - [`tiles`]: what is open to everybody: checkpoint and hash tiles
//! - [`archive`]: one log, opened; many in one process
//! - [`rebuild`]: a log built again from packages, contents and secrets
//! - [`cosigning`]: witnesses, asked for their cosignatures
//! - [`api`], [`server`]: gRPC; configuration, transport, an orderly end
//! - [`witness`]: cosigns the checkpoints of logs that others run
//! - [`cli`]: the command line, one file for each command
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
pub mod cosigning;
pub mod custody;
pub mod desk;
pub mod disclosure;
pub mod disposal;
pub mod erasures;
pub mod holds;
pub mod index;
pub mod ingest;
pub mod keyring;
pub mod plain_http;
pub mod rebuild;
pub mod record;
pub mod reissue;
pub mod seal;
pub mod seal_key;
pub mod sequencer;
pub mod server;
pub mod store;
pub mod tiles;
pub mod trust;
pub mod tsa;
pub mod verification;
pub mod witness;
pub mod witnessed;
