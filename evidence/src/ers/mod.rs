//! Evidence records (RFC 4998): when a group of documents existed, provable through any number of renewals.
//!
//! ```text
//! documents ─H─▶ group hash ─┐
//! documents ─H─▶ group hash ─┴─▶ hash tree ─▶ root ─▶ token          one for all groups of an interval
//!
//! record of a group = reduced tree (group, siblings) and token       first archive time-stamp of the first chain
//!   renewal of the time-stamp:  tree over H(token), new token        appended to the same chain
//!   renewal of the hash tree:   new H over documents and all of the record so far, new token: a new chain
//! ```
//!
//! # Invariants
//! 1. Pure: times, trust and the table of algorithms are arguments. Reading and verifying are total.
//! 2. The legal chain is a hash of the table's good ones from the documents' octets to the token's imprint.
//! 3. A token is kept, hashed and written as it came.
//! 4. What a record does not show, it does not claim: the first failing check is the answer, with its place.
//!
//! # Closing and renewing
//! [`TreeWriter`] takes the groups in order of id ([`group_hash`]) and gives the root to stamp; [`TreeFile::reduced`]
//! cuts one group out, and [`EvidenceRecord::new`] joins it with the token. Renewal of time-stamps is the same with
//! groups of one, the hashes of old tokens; renewal of the hash tree with [`EvidenceRecord::renewed`] of each
//! document still there; of a group that was disposed of, the old group hash may stay, as an opaque sibling.
//! [`renewal::plan`] says what is due. Nothing new is made with what [`Table::check`] refuses.
//!
//! # Not here
//! Encrypted documents (encryptionInfo): whoever holds the plain ones verifies those. Material that vouches for old
//! tokens (chain, CRLs, OCSP) is handed in with the trust.
//!
//! # Map
//! - `hash`, `reduced`, `record`: values, trees of one group, the octets
//! - `tree`: the tree over all groups, and its file
//! - [`table`], [`verify`](mod@verify), [`renewal`]: how long algorithms last, what holds, what is due

mod der;
mod hash;
mod record;
mod reduced;
pub mod renewal;
pub mod table;
mod tree;
pub mod verify;

pub use hash::{Document, DocumentHasher, HASH_BYTES_MAX, Hash, group_hash, renewed};
pub use record::{ArchiveTimeStamp, EvidenceRecord, RECORD_BYTES_MAX, STAMPS_MAX};
pub use reduced::ReducedTree;
pub use table::{Subject, Table};
pub use tree::{TreeError, TreeFile, TreeWriter, file_id};
pub use verify::{Check, Coverage, Verified, VerifyError, verify};

use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::tsp::Refusal;

/// Why a record was not read, not assembled, or proves nothing. Never retried with the same record.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// Longer than is read.
    #[error("evidence record of {0} bytes is over the limit of {RECORD_BYTES_MAX}")]
    TooLarge(usize),
    /// Not DER of an evidence record of version 1; the part that is not.
    #[error("evidence record: {0} is malformed")]
    Malformed(&'static str),
    /// A hash algorithm that is not known here, by the first octets of its identifier in hexadecimal.
    #[error("evidence record: hash algorithm {0} is unknown")]
    UnknownAlgorithm(String),
    /// An algorithm is used that digestAlgorithms does not name.
    #[error("evidence record: {} is used and not declared", .0.name())]
    Undeclared(DigestAlgorithm),
    /// A token is none, or does not verify.
    #[error("time-stamp: {}", .0.english())]
    Token(Refusal),
    /// The token stamped another root, or another document.
    #[error("time-stamp is over another root")]
    TokenImprint,
    /// The token's imprint is by another algorithm than the tree.
    #[error("time-stamp and tree have different hash algorithms")]
    TokenAlgorithm,
    /// A chain has archive time-stamps of several algorithms.
    #[error("archive time-stamp is of another hash algorithm than its chain")]
    ChainAlgorithm,
    /// A document was not hashed by an algorithm that is needed. The caller's to do.
    #[error("no {} of the document is at hand", .0.name())]
    NoHash(DigestAlgorithm),
    /// A document, the token before or the chains before are not in the first list: it is about something else.
    #[error("what is to be proven is not in the first list of the tree")]
    NotInFirstList,
    /// The first list has more than the whole group that was handed in: a document is missing.
    #[error("the first list of the tree has other documents")]
    OthersInFirstList,
    /// Several documents, and a token over one thing without a tree.
    #[error("a time-stamp without a tree covers one document alone")]
    NoTree,
    /// A time is not after the one before it.
    #[error("time-stamp of {found} is not after that of {before}")]
    Order {
        /// The time before.
        before: UtcMillis,
        /// The time found.
        found: UtcMillis,
    },
    /// A certificate of the token's chain ended before the next time-stamp, or before now: renewed too late.
    #[error("certificates of the time-stamp ended at {until}, before {at}")]
    CertificateEnded {
        /// The last instant it was valid.
        until: UtcMillis,
        /// When it had to be.
        at: UtcMillis,
    },
    /// An algorithm had ended before the next time-stamp, or before now.
    #[error("{subject} ended at {end}, not after {at}")]
    AlgorithmEnded {
        /// The algorithm.
        subject: Subject,
        /// The first instant it was not accepted.
        end: UtcMillis,
        /// When it had to be.
        at: UtcMillis,
    },
    /// An algorithm is not in the table: nobody says that it is good.
    #[error("{0} is not in the table of algorithms")]
    Unlisted(Subject),
}
