//! Pages a court reads: PDF/A-3b, deterministic, Italian or English.
//!
//! # Invariants
//! 1. Pure: no I/O, no clock, no randomness; the same facts give the same bytes.
//! 2. Nothing is shown that was not handed in, and what has no glyph is shown as an escape, never dropped.
//! 3. Every check of the reference is on the pages, done or not ([`model::Checks`]).
//! 4. Legible in black and white: nothing is said by colour, and no grey carries text.
//!
//! # Map
//! - [`model`]: the facts, with the checks and instants in them; as JSON, `proof/validation.json`
//! - [`relazione`], [`attestazione`]: the two documents
//! - [`leggimi`]: the commands that verify a package without us
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

mod checks;
mod documents;
mod error;
mod expert;
mod flow;
mod fonts;
mod frame;
mod front;
mod instant;
mod leggimi;
pub mod model;
mod qr;
mod sheet;
mod texts;
mod timeline;

pub use documents::{EMBEDDED_BYTES_MAX, attestazione, relazione};
pub use error::PageError;
pub use leggimi::{Form, Package, ProofFile, SignedObject, TokenFile, VERIFY_PROOF, leggimi};
pub use sheet::{Embedded, Relation};
