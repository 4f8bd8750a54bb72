//! The re-issue: a package that a court can open, read and check, long after the archive is gone.
//!
//! ```text
//! Permit, demand ─▶ records chosen, disclosure recorded (desk) ─▶ each object read once: digests, form, signature
//!     ─▶ intervals: checkpoint, tokens, closing, index ─▶ every check answered ─▶ pages, proofs, programs
//!     ─▶ manifest signed and stamped ─▶ streamed
//! ```
//!
//! # Invariants
//! 1. The disclosure is durable before the first byte leaves ([`crate::desk::Disclosed`]).
//! 2. An object travels as the bytes that were archived, or not at all: its digests are held against the leaf before
//!    anything is said of it, and again while it is sent.
//! 3. Every check of the reference is answered from what is held, or left open with its reason; none is assumed.
//! 4. Memory does not grow with the length of an object: it is read in parts, twice.
//!
//! # Map
//! - `material`: what signatures were judged with; `object`: what an object shows by itself; `closed`: what an interval
//!   is proven by; `facts`: what the pages tell; `briefs`: brief receipts against originals
//! - `disposals`: what was disposed of, with its certificates
//! - `issue`: the tag by which a package is known again
//! - `nothing`: that nothing is held; `completion`: what closings add to a package given before them
//! - `checks`: the answers; `files`: what lies in the package; `package`: the whole

mod briefs;
mod checks;
mod closed;
mod completion;
mod disposals;
mod facts;
mod files;
mod issue;
mod material;
mod nothing;
mod object;
mod package;

pub use completion::{COMPLETED_RECORDS_MAX, Completed, Incomplete};
pub use disposals::DisposedOf;
pub use nothing::NothingHeld;
pub use package::{Given, Prepared, Reissuer, Wanted};

use crate::desk::DeskError;
use crate::record::open::RecordError;
use crate::seal::SealError;
use ceralacca_evidence::asic::{AsicError, FinishError};
use ceralacca_evidence::cades::CadesError;
use ceralacca_formats::checkpoint::CheckpointError;
use ceralacca_formats::id::{LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::proof::ProofError;
use ceralacca_pages::PageError;

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum ReissueError {
    /// Nothing signs or stamps for this log. The operator's to configure.
    #[error("no seal key or no time-stamping authority is configured: a package cannot be signed")]
    NoAuthorities,
    /// An interval concerned is not closed, and only a sealed package was asked for. Ask again after its end.
    #[error("interval of record {index} is not sealed yet; it ends at {end}")]
    NotSealed {
        /// The first record that waits.
        index: LeafIndex,
        /// When its interval is to be cut.
        end: UtcMillis,
    },
    /// Nothing matches, and no map of an interval tells of what was asked: only the absence of an identificativo is
    /// proven. Ask by that.
    #[error(
        "nothing recorded matches, among {size} leaves; absence is proven of an identificativo only"
    )]
    NothingFound {
        /// The leaves that were looked through.
        size: TreeSize,
    },
    /// Nothing matches, and no interval asked of is closed yet: nothing can be proven. Ask again after its end.
    #[error("nothing recorded matches so far; the first interval asked of ends at {end}")]
    NothingYet {
        /// When the first interval is to be cut.
        end: UtcMillis,
    },
    /// A package that is to be completed is none of this log, or was altered. The caller's to look at.
    #[error("not a package of this log: {0}")]
    OtherManifest(&'static str),
    /// A package that is to be completed lacks nothing that is there yet: it is complete, or its intervals are still
    /// open.
    #[error("nothing was closed since that the package lacks")]
    Complete,
    /// The records cannot be shown.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// A record does not open. An alarm: run `fsck`.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A package of an interval cannot be read. An alarm: run `fsck`.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A stored checkpoint does not verify. An alarm: run `fsck`.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A proof just made does not verify. An alarm: run `fsck`.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The pages cannot be made.
    #[error("pages")]
    Page(#[from] PageError),
    /// The container cannot be written: it is too large, or nobody takes it any more.
    #[error(transparent)]
    Container(#[from] AsicError),
    /// The manifest was not signed. Try again later where the time-stamp is missing.
    #[error("sign the package")]
    Sign(#[source] CadesError),
}

impl From<FinishError<CadesError>> for ReissueError {
    fn from(error: FinishError<CadesError>) -> Self {
        match error {
            FinishError::Container(error) => Self::Container(error),
            FinishError::Sign(error) => Self::Sign(error),
        }
    }
}
