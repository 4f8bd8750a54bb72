//! Evidence: what makes a record's date and integrity provable for decades.
//!
//! # Invariants
//! 1. Pure: no I/O, no clock, no randomness, no async, no logging; times, nonces and salts are arguments. The two
//!    traits [`Stamper`] and [`SealSigner`] are the only ways out, and their implementations live elsewhere.
//! 2. Reading is total: bytes from a package or an authority give a value or a precise error, never a panic.
//! 3. What was signed or stamped is kept and hashed as octets, never written again.
//!
//! # Map
//! - [`stamp`]: a time-stamp asked for and had; [`seal_key`]: the key that seals
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

pub mod seal_key;
pub mod stamp;

pub use seal_key::{SealError, SealSigner};
pub use stamp::{Imprint, StampError, Stamped, Stamper};
