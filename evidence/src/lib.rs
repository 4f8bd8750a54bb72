//! Evidence: what makes a record's date and integrity provable for decades.
//!
//! # Invariants
//! 1. Pure: no I/O, no clock, no randomness, no async, no logging; times, nonces and salts are arguments. The two
//!    traits [`Stamper`] and [`SealSigner`] are the only ways out, and their implementations live elsewhere.
//! 2. Reading is total: bytes from a package or an authority give a value or a precise error, never a panic.
//! 3. What was signed or stamped is kept and hashed as octets, never written again.
//!
//! # Map
//! - [`ers`]: evidence records (RFC 4998), their trees, renewal and verification
//! - [`stamp`]: a time-stamp asked for and had; [`seal_key`]: the key that seals
//! - `asn1`, `oids`, `signed_data`: DER, the identifiers in it, CMS with one signer
//! - [`private_key`], [`software_key`], [`certificates`]: a seal key in memory; certificates of a development installation
//! - [`tsp`]: the request of a time-stamp and the checks of its answer; [`authority`]: the development authority
//! - [`cades`]: signatures, with and without a time-stamp; [`pindex`]: the index of a package
//! - [`asic`]: the container of a re-issue, written and read strictly
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

pub mod asic;
mod asn1;
pub mod authority;
pub mod cades;
pub mod certificates;
pub mod ers;
mod oids;
pub mod pindex;
pub mod private_key;
pub mod seal_key;
mod signed_data;
pub mod software_key;
pub mod stamp;
pub mod tsp;

pub use seal_key::{SealError, SealSigner};
pub use stamp::{Imprint, StampError, Stamped, Stamper};
