//! Pages a court reads: PDF/A-3b, deterministic, Italian or English.
//!
//! # Invariants
//! 1. Pure: no I/O, no clock, no randomness; the same facts give the same bytes.
//! 2. Nothing is shown that was not handed in, and what has no glyph is shown as an escape, never dropped.
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
