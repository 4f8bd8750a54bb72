//! The desk: what is shown to those who may see it, and every showing recorded.
//!
//! ```text
//! Permit<Checkpoint>  checkpoints, and the rotations of the key that signs them
//! Permit<Prove>    leaves, inclusion and consistency proofs, samples: hashes only, no disclosure
//! Permit<Read>     a record by its index or the hash of its leaf; whether closed intervals hold an identificativo
//! Permit<Search>   the trace
//! Permit<Reissue>  an object's exact bytes; packages; that nothing is held
//! Permit<Totals>   records by type of event, in numbers
//! Permit<Preserve> intervals, and the files of their packages
//! Permit<Erase>    an object kept by contract, erased before its term; Permit<Erasures> its certificate
//! Permit<Hold>     a hold, set on what a query names; Permit<Holds> lists them, Permit<Release> releases
//! ```
//!
//! # Invariants
//! 1. A desk is had with a permit for its log only ([`crate::archive::Log::desk`]).
//! 2. What is shown was recorded as disclosed before ([`crate::disclosure`]).
//! 3. Who may not see a record gets one and the same answer whether it exists or not ([`DeskError::NotShown`]).

mod brief;
mod disposed;
mod erasure;
mod holds;
mod nothing;
mod package;
mod packages;
mod presence;
mod proofs;
mod reissue;
mod search;
mod totals;
mod transaction;

pub use brief::BriefCheck;
pub use disposed::{CERTIFICATES_BYTES_MAX, DISPOSED_MAX};
pub use erasure::ErasedRecord;
pub use holds::{HOLD_RECORDS_MAX, HOLDS_PAGE, HeldNow, HoldOrder, Scope};
pub use nothing::{Gone, Nothing, Reach};
pub use package::{Absent, Archived, Choice, Demand, Disclosed, Found, PACKAGE_RECORDS_MAX};
pub use packages::{HandedOut, INTERVALS_PAGE, ListedInterval, Packages};
pub use presence::{Asked, INTERVALS_MAX, RECORDS_MAX};
pub use proofs::{HASHES_MAX, INDEXES_MAX, LeafName, ProvenLeaf, ROTATIONS_PAGE};
pub use reissue::Duplicato;
pub use search::{Page, PageToken, READS_MAX, SearchQuery, TokenError};
pub use totals::PeriodTotals;
pub use transaction::{Step, Story};

use crate::access::{Permit, Read};
use crate::audit::{ReadError, Reader};
use crate::custody::{Custodian, CustodyError};
use crate::disclosure::Disclosures;
use crate::record::open::{Opened, RecordError};
use crate::seal::{SealError, Sealer};
use crate::sequencer::{Published, SubmitError};
use crate::store::StoreError;
use crate::witnessed::Witnessed;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::Metadata;
use ceralacca_formats::sample::SampleError;
use std::sync::Arc;

/// Why something is not shown.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// There is nothing here for the holder of this permit.
    #[error("nothing to show")]
    NotShown,
    /// The record has no object: a trace record by itself, or an act of custody.
    #[error("record {0} has no object")]
    NoObject(LeafIndex),
    /// The message is infected: it is isolated (DPR 68/2005 art. 12), and given to who may and asks for it as such only.
    #[error(
        "record {0} is an infected message: it is isolated, and given only to who asks for it as infected and may"
    )]
    Infected(LeafIndex),
    /// It was asked for as infected, and is not. Ask for it without that.
    #[error("record {0} is not an infected message")]
    NotInfected(LeafIndex),
    /// The record is no brief receipt, or none whose original has anything to compare.
    #[error("record {0} is no brief receipt")]
    NotBrief(LeafIndex),
    /// What is compared is in memory, and this is too large for that.
    #[error("object {index} has over {limit} bytes")]
    TooLarge {
        /// Which.
        index: LeafIndex,
        /// The most, in bytes.
        limit: u64,
    },
    /// More is asked of at once than is followed. Ask of less.
    #[error("over {limit} {what} at once")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most.
        limit: u64,
    },
    /// Intervals of the period are not closed. Ask again when they are, or for a part.
    #[error("{intervals} intervals of the period are not closed, the first {first}")]
    NotClosed {
        /// The first of them.
        first: IntervalId,
        /// How many.
        intervals: u64,
    },
    /// A package cannot be read, or is not what was closed. An alarm: run `fsck`.
    #[error("read a package")]
    Package(#[from] SealError),
    /// More records than a package holds. The caller's to narrow.
    #[error(
        "more than {0} records, or more of their metadata than is read at once: narrow what is asked"
    )]
    TooManyRecords(usize),
    /// There is no such sample.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// No checkpoint that would show it is witnessed yet, and those that are not are held back. Ask again later.
    #[error("no checkpoint that shows it is witnessed yet")]
    NotWitnessed,
    /// There is no such interval.
    #[error("no interval starts at {0}")]
    IntervalUnknown(IntervalId),
    /// The interval has no package yet. Ask again when it is closed.
    #[error("interval {0} is not closed")]
    IntervalNotClosed(IntervalId),
    /// The package has no such file. The caller's to change.
    #[error("the package of interval {0} has no such file")]
    NoFile(IntervalId),
    /// The file may name somebody, and the role is none that may see that.
    #[error("the file may name somebody: not for this role")]
    FileDenied,
    /// The class was disposed of, and with it what the package held of it. Final.
    #[error("class {class} of interval {interval} was disposed of")]
    Disposed {
        /// The interval.
        interval: IntervalId,
        /// The class.
        class: Class,
    },
    /// It cannot be read.
    #[error(transparent)]
    Read(ReadError),
    /// An act on what is kept was not done.
    #[error(transparent)]
    Custody(#[from] CustodyError),
    /// The disclosure could not be recorded, so nothing is shown.
    #[error("record the disclosure")]
    Disclosure(#[source] SubmitError),
}

impl From<RecordError> for DeskError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Disposed {
                interval, class, ..
            } => Self::Disposed { interval, class },
            other => Self::Read(other.into()),
        }
    }
}

impl From<StoreError> for DeskError {
    fn from(error: StoreError) -> Self {
        Self::Read(error.into())
    }
}

impl From<ReadError> for DeskError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Record(error) => error.into(),
            other => Self::Read(other),
        }
    }
}

/// A record as it is shown.
pub struct Shown {
    /// The record, checked against its leaf.
    pub opened: Opened,
    /// Its facts; none where they cannot be interpreted.
    pub metadata: Option<Metadata>,
    /// Its interval.
    pub interval: IntervalId,
}

impl Shown {
    /// Index of the record beside it.
    pub fn companion(&self) -> Option<LeafIndex> {
        companion(self.opened.leaf.seq, self.metadata.as_ref()?)
    }

    /// Whether it is an infected message: isolated, never read for what it says.
    pub fn is_infected(&self) -> bool {
        let leaf = &self.opened.leaf;
        leaf.class == Class::Infected || leaf.kind == Kind::Infected
    }

    fn place(&self) -> (LeafIndex, Class) {
        (self.opened.leaf.seq, self.opened.leaf.class)
    }
}

fn companion(index: LeafIndex, metadata: &Metadata) -> Option<LeafIndex> {
    let offset = match metadata {
        Metadata::Trace(trace) => trace.companion,
        Metadata::Object(object) => object.companion,
        Metadata::DisclosureDetail(_)
        | Metadata::MigrationDetail(_)
        | Metadata::ActDetail(_)
        | Metadata::Custody(_) => None,
    };
    let index = index.get().checked_add_signed(offset?.get());
    index.map(LeafIndex::new)
}

/// Reads one log for the holder of a permit.
pub struct Desk<'a, A> {
    reader: &'a Reader,
    disclosures: &'a Disclosures,
    sealer: &'a Sealer,
    custodian: &'a Custodian,
    permit: &'a Permit<A>,
    published: Arc<Published>,
    shown: Option<Arc<Checkpoint>>,
    witnessed: Option<Arc<Checkpoint>>,
}

impl<'a, A> Desk<'a, A> {
    pub(crate) fn new(
        reader: &'a Reader,
        disclosures: &'a Disclosures,
        witnessed: &Witnessed,
        sealer: &'a Sealer,
        custodian: &'a Custodian,
        permit: &'a Permit<A>,
    ) -> Self {
        // In this order, so that what is witnessed is not beyond what is published.
        let last = witnessed.last();
        let published = reader.published();
        let shown = witnessed.shown(last.as_ref(), &published.checkpoint);
        Self {
            published,
            shown,
            witnessed: last,
            reader,
            disclosures,
            sealer,
            custodian,
            permit,
        }
    }

    /// The published state that all answers of this desk are of.
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// Who asks.
    pub fn principal(&self) -> &str {
        self.permit.principal()
    }

    /// The acts of court on which the permit rests, where it rests on any.
    pub fn acts(&self) -> Option<String> {
        self.permit.acts()
    }

    /// The checkpoint that auditors are shown as the newest.
    pub fn checkpoint(&self) -> Result<&Checkpoint, DeskError> {
        self.shown.as_deref().ok_or(DeskError::NotWitnessed)
    }

    /// The largest witnessed checkpoint, with its cosignatures.
    pub fn witnessed(&self) -> Option<&Checkpoint> {
        self.witnessed.as_deref()
    }

    /// A size that was asked for, or that of the checkpoint shown as the newest.
    fn size_or_shown(&self, size: Option<TreeSize>) -> Result<TreeSize, DeskError> {
        size.map_or_else(|| self.checkpoint().map(Checkpoint::size), Ok)
    }

    /// The proof file of a record, under the checkpoint shown as the newest; of a record beyond it, once that is shown.
    fn proof_of(&self, shown: &Shown) -> Result<String, DeskError> {
        let (opened, checkpoint) = (&shown.opened, self.checkpoint()?);
        if !opened.leaf.seq.is_within(checkpoint.size()) {
            return Err(DeskError::NotWitnessed);
        }
        let proof = self
            .reader
            .proof_under(&self.published, opened, checkpoint)?;
        Ok(proof.to_text())
    }

    /// The index of a leaf. Who may not see every record is not told that there is none.
    fn index_of(&self, name: LeafName) -> Result<LeafIndex, DeskError> {
        match self.leaf_of(name) {
            Err(ReadError::NoLeaf { .. }) if self.permit.is_limited() => Err(DeskError::NotShown),
            other => Ok(other?),
        }
    }

    /// A record that this permit may see.
    fn visible(&self, index: LeafIndex) -> Result<Shown, DeskError> {
        let opened = match self.reader.record(&self.published, index) {
            Err(ReadError::OutOfRange { .. } | ReadError::Record(RecordError::Disposed { .. }))
                if self.permit.is_limited() =>
            {
                return Err(DeskError::NotShown);
            }
            Err(error @ ReadError::Record(RecordError::Erased { .. })) => {
                // Whoever might have seen it is told that it was erased; to others it never was.
                return Err(match self.might_have_seen(index)? {
                    true => error.into(),
                    false => DeskError::NotShown,
                });
            }
            other => other?,
        };
        let shown = self.shown(opened);
        self.covers(&shown)?
            .then_some(shown)
            .ok_or(DeskError::NotShown)
    }

    fn shown(&self, opened: Opened) -> Shown {
        Shown {
            interval: self.published.interval_of(opened.leaf.seq),
            metadata: opened.metadata().ok(),
            opened,
        }
    }

    /// Whether the permit covers a record: an object goes by the trace record of its facts.
    fn covers(&self, shown: &Shown) -> Result<bool, DeskError> {
        if !self.permit.is_limited() {
            return Ok(true);
        }
        let Some(metadata) = &shown.metadata else {
            return Ok(false);
        };
        match (metadata, shown.companion()) {
            (Metadata::Object(_), Some(facts)) => {
                match self.reader.record(&self.published, facts) {
                    // Whom it concerns can no longer be told.
                    Err(ReadError::Record(RecordError::Disposed { .. })) => Ok(false),
                    facts => Ok(facts?
                        .metadata()
                        .is_ok_and(|facts| self.permit.covers(&facts))),
                }
            }
            _ => Ok(self.permit.covers(metadata)),
        }
    }

    fn disclose(&self, query: &str, shown: &[&Shown]) -> Result<(), DeskError> {
        let places: Vec<_> = shown.iter().map(|shown| shown.place()).collect();
        let recorded = self.disclosures.record(self.permit, query, &places);
        recorded.map_err(DeskError::Disclosure)
    }
}

impl Desk<'_, Read> {
    /// A record by its index or the hash of its leaf, and its proof file where it is asked for. A disclosure.
    pub fn record(
        &self,
        name: LeafName,
        proof: bool,
    ) -> Result<(Shown, Option<String>), DeskError> {
        let query = match name {
            LeafName::Index(index) => format!("read index={index}"),
            LeafName::Hash(hash, _) => format!("read leaf_hash={hash}"),
        };
        let shown = match self.index_of(name).and_then(|index| self.visible(index)) {
            Err(DeskError::NotShown) => {
                self.disclose(&query, &[])?;
                return Err(DeskError::NotShown);
            }
            other => other?,
        };
        let proof = proof.then(|| self.proof_of(&shown)).transpose()?;
        self.disclose(&query, &[&shown])?;
        Ok((shown, proof))
    }
}
