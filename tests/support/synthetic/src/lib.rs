//! Synthetic PEC mail: transactions of invented providers, signed by a throw-away PKI, any number, from a seed.
//!
//! Tests, benches and the demo feed on it. It reads no clock and no file: time is an argument, randomness a
//! seed. Only keys (and hence certificates and signatures) are new at every run; all else is a function of
//! the seed. People, providers and domains are invented, the domains reserved (RFC 2606).
//!
//! # Map, in reading order
//! - [`traffic`]: trace records, the lines of a provider's log, without mail
//! - [`pki`]: a root, an intermediate, and a signing certificate for each provider
//! - [`cms`]: detached signatures, DER and BER, as the several engines make them
//! - [`mail`]: whole transactions as messages, every type, in the layouts of four families of engines
//! - [`damage`]: what storage, editors and hostile hands do to a message
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

mod civil;
pub mod cms;
pub mod damage;
pub mod mail;

mod modpow;
pub mod pki;
pub mod traffic;

/// Why a synthetic PKI was not made. Never the caller's fault, save for dates or names no certificate holds.
#[derive(Debug, thiserror::Error)]
pub enum SyntheticError {
    /// A key or a certificate was not made.
    #[error("make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// A key that was just made is refused by the library that shall sign with it.
    #[error("load a signing key")]
    Key(#[from] aws_lc_rs::error::KeyRejected),
    /// A trial signature failed.
    #[error("sign with a new key")]
    Sign(#[from] aws_lc_rs::error::Unspecified),
    /// A certificate or key that was just made cannot be read.
    #[error("read back what was made")]
    Der(#[from] der::Error),
    /// There must be at least one provider, and it must exist.
    #[error("no provider {index} among {count}")]
    NoProvider {
        /// The one asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
}
