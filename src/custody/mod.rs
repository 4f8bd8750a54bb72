//! Acts of the archive on what it keeps, decided in the writer's thread: holds set and released, single records erased.
//!
//! Each act is two leaves in one batch, as a disclosure is:
//!
//! ```text
//! leaf n    its kind, class custody         role, ranges of leaf indexes, counts: nothing that names anybody
//! leaf n+1  its kind, longest-lived class   principal, act, statement (`act-detail`)
//!           of what it concerns (trace if nothing)
//! ```
//!
//! # Invariants
//! 1. What an act rests on is looked at in the writer's thread: a hold that is set before a disposal's batch wins wholly,
//!    one after it is refused.
//! 2. Leaves and rows of an act are one batch.
//!
//! # Not here
//! Who may act (`access`), how a query is resolved (`desk`).

mod erasure;
mod hold;

pub use erasure::{Certifier, Erasure};
pub use hold::{HoldToSet, Release};

use crate::access::Permit;
use crate::erasures::ErasuresError;
use crate::holds::HoldsError;
use crate::keyring::KeyError;
use crate::record::open::RecordError;
use crate::sequencer::{Sequencer, SubmitError};
use crate::store::StoreError;
use ceralacca_evidence::cades::CadesError;
use ceralacca_formats::hold::ActDetail;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::Class;
use ceralacca_retention::{HoldError, PrincipalError};
use std::sync::Arc;

/// Why an act on what is kept was not done. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// Nothing is named. The caller's to change.
    #[error("no record is named: nothing to hold")]
    Nothing,
    /// The indexes are apart in more places than a hold names. The caller's to narrow, or to hold whole intervals.
    #[error(
        "the records stand in over {0} places of the log: narrow the query, or hold whole intervals"
    )]
    TooManyRanges(usize),
    /// A record named was disposed of since. Final: its certificate says when.
    #[error("class {class} of interval {interval} was disposed of: what is gone cannot be held")]
    Disposed {
        /// The interval.
        interval: IntervalId,
        /// The class.
        class: Class,
    },
    /// There is no such hold. The caller's to change.
    #[error("no hold has the number {0}")]
    NoHold(LeafIndex),
    /// It was released. Final.
    #[error("hold {0} was released already")]
    Released(LeafIndex),
    /// Nobody proposed to release it. Propose it first; another principal confirms.
    #[error("the release of hold {0} was not proposed")]
    NotProposed(LeafIndex),
    /// There is no such record. The caller's to change.
    #[error("there is no record {0}")]
    NoRecord(LeafIndex),
    /// The law binds the class for a time that no erasure shortens.
    #[error(
        "record {record} of class {class} is kept by law, and is not erased before its term: {article}"
    )]
    Floor {
        /// The record.
        record: LeafIndex,
        /// Its class.
        class: Class,
        /// The article, in Italian.
        article: &'static str,
    },
    /// Only an object kept by contract is erased singly: an act of the archive is not.
    #[error(
        "record {0} is an act of the archive: only an object kept by contract is erased singly"
    )]
    NotErasable(LeafIndex),
    /// A hold kept the record when its unit was disposed of: it is a unit of its own since, and goes as that. Release the
    /// hold; the next disposal takes it.
    #[error(
        "record {record} was carried over under a hold when class {class} of interval {interval} was disposed of: \
         it goes by disposal, once no hold names it"
    )]
    CarriedOver {
        /// The record.
        record: LeafIndex,
        /// Its interval.
        interval: IntervalId,
        /// Its class.
        class: Class,
    },
    /// A hold names the record, or its facts. Release the hold first.
    #[error("record {record} is under hold {hold}")]
    Held {
        /// The record.
        record: LeafIndex,
        /// The hold.
        hold: LeafIndex,
    },
    /// It was erased already. Final.
    #[error("record {record} was erased, as leaf {erasure} says")]
    Erased {
        /// The record.
        record: LeafIndex,
        /// The leaf that says so.
        erasure: LeafIndex,
    },
    /// Nobody proposed to erase it. Propose it first; another principal confirms.
    #[error("the erasure of record {0} was not proposed")]
    ErasureNotProposed(LeafIndex),
    /// It was not erased, so there is nothing to certify.
    #[error("record {0} was not erased")]
    NotErased(LeafIndex),
    /// Its interval is not closed: the package speaks of every record once. Try again when it is.
    #[error(
        "record {record} is in interval {interval}, which is not closed yet: erase it afterwards"
    )]
    NotClosed {
        /// The record.
        record: LeafIndex,
        /// Its interval.
        interval: IntervalId,
    },
    /// What finds it is still being written. Try again shortly.
    #[error("record {0} is still being indexed: try again shortly")]
    NotIndexed(LeafIndex),
    /// What is kept of the erasure does not read. An alarm.
    #[error(transparent)]
    Erasures(#[from] ErasuresError),
    /// The record does not open. An alarm.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The certificate was not signed and stamped. The record is gone; the certificate is made later.
    #[error("sign the certificate")]
    Sign(#[from] CadesError),
    /// A secret cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Not an act, or an end before its start. The caller's to change.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// One principal in place of two, or no name.
    #[error(transparent)]
    Principal(#[from] PrincipalError),
    /// The holds are not those the log speaks of. An alarm.
    #[error(transparent)]
    Holds(#[from] HoldsError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer stopped, or its queue is full.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// Acts on what one log keeps.
#[derive(Clone)]
pub struct Custodian {
    sequencer: Arc<Sequencer>,
}

impl Custodian {
    pub(crate) fn new(sequencer: Arc<Sequencer>) -> Self {
        Self { sequencer }
    }
}

/// Who acts, as the leaf beside the act says it.
pub(crate) fn detail<A>(permit: &Permit<A>, act: Option<&str>, statement: &str) -> ActDetail {
    ActDetail {
        principal: permit.principal().into(),
        act: act.map(Into::into),
        statement: statement.into(),
    }
}
