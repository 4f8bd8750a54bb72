//! How long a record must be kept, and from when it may be disposed of: the rule and only the rule.
//!
//! Pure functions over instants, civil dates, classes and holds. In reading order:
//!
//! - [`time`]: instants, and time proven by time-stamps
//! - [`civil`]: days in Italy, and their conversion from and to instants
//! - [`calendar`]: Italian public holidays, with their history
//! - [`term`]: a term in months, counted as art. 2963 c.c. wants
//! - [`class`]: the six retention classes, their legal floors, the configured terms
//! - [`ranges`]: sets of leaf indexes
//! - [`principal`]: who acts, and the rule of two
//! - [`hold`]: suspension of disposal by an authority
//! - [`verdict`]: facts in; `Keep`, `Held` or `Disposable` out
//! - [`authority`], [`chain`], [`clock`]: the three witnesses of the time: authorities, sealed intervals, a clock kept
//! - [`disposal_time`]: the instant proven for disposal, or why none is
//! - [`mod@unit`]: units of disposal, whether one is due, the plan, the alarm
//! - [`disposal`]: the steps of a disposal, from plan to completion
//! - [`reason`]: why, in words, with the article
//!
//! # Invariants
//! 1. No term is shorter than the legal floor of its class; no configuration can make it so.
//! 2. Doubt keeps: where the law is silent (the starting day, the holidays) the later end is taken.
//! 3. "Now" is a [`time::ProvenTime`], a lower bound; for disposal a [`DisposalTime`]. No clock is read here.
//! 4. A hold in force wins over every term.
//! 5. What is disposed of was due, approved by two principals, and let lie for 72 hours, all judged at the last moment.
//! 6. Facts outside the calendar are an error that names them, never a panic and never a verdict.
//!
//! # Not here
//! Messages, leaves, files; the act of disposal; signatures of tokens, and the clocks themselves.

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

pub mod time;

pub mod civil;

pub mod calendar;

pub mod term;

pub mod class;

pub mod ranges;

pub mod principal;

pub mod hold;

pub mod verdict;

pub mod authority;

pub mod chain;

pub mod clock;

pub mod disposal_time;

pub mod unit;

pub mod disposal;

pub mod reason;

pub use authority::{
    AuthorityClock, AuthorityGrade, AuthorityId, FreshToken, Inquiry, Nonce, SetAside, StoreKind,
    Testimony,
};
pub use chain::{Chain, ChainError, Closing};
pub use civil::CivilDate;
pub use class::{Article, Basis, ClassError, Policy, RetentionClass};
pub use clock::{KeptClock, SoftClock, Ticked};
pub use disposal::{
    Approval, Disposal, Execution, Facts, Grace, GraceStart, Intent, IntentId, Outcome, Refusal,
    Stage,
};
pub use disposal_time::{DisposalTime, Doubt, Grounds, NotProven, Witness, prove};
pub use hold::{Act, Authority, Hold, HoldError, HoldId, HoldSet, Release};
pub use principal::{Principal, PrincipalError, TwoPrincipals};
pub use ranges::{IndexRange, IndexRanges, LeafIndex, RangeError};
pub use reason::Reason;
pub use term::{Reckoning, Start, Term, TermError};
pub use time::{ProvenTime, StampedTime, TimeError, UtcMillis};
pub use unit::{BatchCap, Due, NotDue, Overdue, Plan, Unit, UnitId, due, overdue, plan};
pub use verdict::{Candidate, Concerned, Parted, Verdict, judge};
