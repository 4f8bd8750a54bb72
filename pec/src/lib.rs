//! PEC messages: from received bytes to facts.
//!
//! # Invariants
//! 1. Pure: no I/O, no clock, no randomness, no async, no logging.
//! 2. Total: any bytes give a [`Reading`]; nothing panics, nothing is refused. What is not understood is
//!    unclassified, with a [`Reason`].
//! 3. Bounded: one pass, linear in the input; memory by named constants, whatever the input.
//! 4. The same bytes give the same reading, however they were cut into pieces.
//! 5. Facts come from the daticert inside the signed part, and from nowhere else; the anomaly envelope,
//!    which has none, gives its Message-ID and date only. What an evidence of the European system says is told
//!    apart from them ([`Reading::trace`]).
//!
//! A reading says where the signed octets are, not whether they verify: that is [`judge`]'s.
//!
//! # Map, in reading order
//! - [`reader`]: the push reader; `head`, `outer`: the header block of the message
//! - [`reading`], [`reason`], [`finding`]: the answer, why there is none, and what is remarked
//! - `conclude`: what an object is, from what was found; `grammar`, `agreement`: what is remarked, and why
//! - `scan`, `found`, `line`: delimiter lines and parts; bounded lines out of pieces; `nested`: what is inside
//! - `header`, `param`, `transfer`: header blocks, parameters and names, transfer encodings
//! - `daticert`, `xml`, `time`: the facts, the XML they come from, and their time
//! - [`digests`], [`judge`]: digests of what is signed, and what a signature is worth
//! - [`logs`]: log files of providers, to trace records; `facts`: what fits into one
//! - [`tsp`]: time-stamps (RFC 3161), verified over the octets they are of; [`cades`]: baseline signatures
//! - [`exact`]: whether octets stand in a signature for which nobody answers
//! - [`transaction`]: what became of a message, recipient by recipient
//! - [`mod@attachments`]: of an original, with digests; [`brief`]: brief receipts and their hashes; [`rem`]: evidence of the European system; `mime`: parts in memory
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

mod agreement;
pub mod attachments;
pub mod brief;
pub mod cades;

mod conclude;
mod daticert;
pub mod digests;
pub mod exact;
mod facts;
pub mod finding;
mod found;
mod grammar;
mod head;
mod header;
pub mod judge;
mod line;
pub mod logs;
mod mime;
mod nested;
mod outer;
mod param;
pub mod reader;
pub mod reading;
pub mod reason;
pub mod rem;
mod scan;
mod time;
pub mod transaction;
mod transfer;
pub mod tsp;
mod xml;

pub use digests::{DigestAlgorithm, Digests, SignedDigests};
pub use finding::{Finding, Weight};
pub use reader::{Reader, read, read_at_hand};
pub use reading::{Detached, Reading};
pub use reason::Reason;
