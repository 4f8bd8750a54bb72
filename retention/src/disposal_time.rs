//! The instant that is proven for disposal, or why none is.
//!
//! Three witnesses that do not know each other speak, and the earliest of them is believed:
//!
//! ```text
//! authorities   the earliest of fresh tokens of two different ones or more, within 24 hours of each other
//! chain         the sealed intervals since that of the records, a day each at most
//! clock         the software clock kept on disk
//! ```
//!
//! # Invariants
//! 1. A [`DisposalTime`] is made by [`prove`] alone, and disposal takes no other word for the time.
//! 2. It is never later than any of its witnesses, so one that lies towards the future moves nothing.
//! 3. It holds for records of the chain's first interval or later ones: an older one needs a longer chain.
//! 4. With the embedded authority alone there is none, except in a store initialised as a development one.

use std::fmt;

use crate::authority::{
    AuthorityId, FreshToken, Heard, Inquiry, SetAside, StoreKind, Testimony, hear,
};
use crate::chain::Chain;
use crate::clock::SoftClock;
use crate::time::{ProvenTime, UtcMillis};

/// How far apart two authorities may be, in milliseconds: 24 hours.
pub const AGREEMENT_MS: i64 = 86_400_000;

/// What speaks of the time.
#[derive(Clone, Copy, Debug)]
pub struct Grounds<'a> {
    /// How the store was initialised.
    pub kind: StoreKind,
    /// The question put to the authorities.
    pub inquiry: &'a Inquiry,
    /// Their answers, verified.
    pub tokens: &'a [FreshToken],
    /// The sealed intervals since that of the records.
    pub chain: &'a Chain,
    /// The software clock.
    pub clock: &'a SoftClock,
}

/// The witness that is earliest, hence believed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Witness {
    /// Time-stamp authorities.
    Authorities,
    /// The chain of sealed intervals.
    Chain,
    /// The software clock.
    Clock,
}

impl Witness {
    /// Its name in Italian.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::Authorities => "le autorità di validazione temporale",
            Self::Chain => "la catena degli intervalli sigillati",
            Self::Clock => "l'orologio software dell'archivio",
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authorities => "time-stamp authorities",
            Self::Chain => "the chain of sealed intervals",
            Self::Clock => "the software clock",
        })
    }
}

/// A lower bound of now on which records may be disposed of, with what shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DisposalTime {
    proven: ProvenTime,
    limited_by: Witness,
    by_authorities: ProvenTime,
    testimonies: Vec<Testimony>,
    since: UtcMillis,
    run_ms: u64,
}

impl DisposalTime {
    /// The instant known to be past.
    pub const fn proven(&self) -> ProvenTime {
        self.proven
    }

    /// Which witness it is the word of.
    pub const fn limited_by(&self) -> Witness {
        self.limited_by
    }

    /// What the authorities alone show: not held back by gaps in the chain of long ago.
    pub const fn by_authorities(&self) -> ProvenTime {
        self.by_authorities
    }

    /// What each authority showed, for the certificate.
    pub fn testimonies(&self) -> &[Testimony] {
        &self.testimonies
    }

    /// True when it holds for records of the interval that starts at `interval` (invariant 3).
    pub fn holds_for(&self, interval: UtcMillis) -> bool {
        self.since <= interval
    }

    /// What the running time of the software clock was, in milliseconds.
    pub const fn run_ms(&self) -> u64 {
        self.run_ms
    }

    /// The instant and its witness, in Italian.
    pub fn italian(&self) -> String {
        format!(
            "Tempo provato: {} (il testimone più prudente: {}).",
            self.proven.instant(),
            self.limited_by.italian()
        )
    }
}

/// The instant and its witness, in English.
impl fmt::Display for DisposalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = self.proven.instant();
        write!(f, "proven time {instant}, by {}", self.limited_by)
    }
}

/// Judges what speaks of the time.
///
/// # Errors
/// [`NotProven`], with every doubt there is.
pub fn prove(grounds: &Grounds<'_>) -> Result<DisposalTime, NotProven> {
    let heard = hear(grounds.kind, grounds.inquiry, grounds.tokens);
    let mut doubts = doubts(grounds, &heard);
    let by_authorities = heard.counted.iter().map(|one| one.proven).min();
    let (Some(by_authorities), true) = (by_authorities, doubts.is_empty()) else {
        let set_aside = heard.set_aside.into_iter();
        doubts.extend(set_aside.map(|(authority, why)| Doubt::SetAside { authority, why }));
        return Err(NotProven { doubts });
    };
    let witnesses = [
        (by_authorities.instant(), Witness::Authorities),
        (grounds.chain.proven_through(), Witness::Chain),
        (grounds.clock.reading(), Witness::Clock),
    ];
    let [first, rest @ ..] = witnesses;
    let earliest = |a: (UtcMillis, Witness), b: (UtcMillis, Witness)| if b.0 < a.0 { b } else { a };
    let (instant, limited_by) = rest.into_iter().fold(first, earliest);
    Ok(DisposalTime {
        proven: by_authorities.no_later_than(instant),
        limited_by,
        by_authorities,
        testimonies: heard.counted,
        since: grounds.chain.first(),
        run_ms: grounds.clock.run_ms(),
    })
}

fn doubts(grounds: &Grounds<'_>, heard: &Heard) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let age_ms = grounds.inquiry.age_ms;
    if age_ms > Inquiry::AGE_MAX_MS {
        doubts.push(Doubt::OldInquiry { age_ms });
    }
    let (found, needed) = (heard.counted.len(), authorities_needed(grounds.kind));
    if found < needed {
        doubts.push(Doubt::TooFewAuthorities { found, needed });
        let development = |(_, why): &(AuthorityId, SetAside)| *why == SetAside::Development;
        if found == 0 && heard.set_aside.iter().any(development) {
            doubts.push(Doubt::OnlyDevelopment);
        }
    }
    let times = heard.counted.iter().map(|one| one.gen_time);
    if let (Some(earliest), Some(latest)) = (times.clone().min(), times.max())
        && apart_ms(earliest, latest) > AGREEMENT_MS
    {
        doubts.push(Doubt::Disagreement { earliest, latest });
    }
    let sealed = grounds.chain.latest_token();
    let behind = heard.counted.iter().filter(|one| {
        // An accuracy on either side: the token of the closing has one of its own.
        apart_ms(one.gen_time, sealed.instant()) > Chain::TOLERANCE_MS
    });
    doubts.extend(behind.map(|one| Doubt::BehindTheChain {
        authority: one.authority.clone(),
        gen_time: one.gen_time,
        sealed: sealed.instant(),
    }));
    if let Some(step_ms) = grounds.clock.step_ms() {
        doubts.push(Doubt::ClockStepped { step_ms });
    }
    doubts
}

/// Two different authorities; the embedded one alone suffices in a development store.
const fn authorities_needed(kind: StoreKind) -> usize {
    match kind {
        StoreKind::Production => 2,
        StoreKind::Development => 1,
    }
}

/// By how much `late` is after `early`, in milliseconds; negative when it is before.
fn apart_ms(early: UtcMillis, late: UtcMillis) -> i64 {
    late.as_millis().saturating_sub(early.as_millis())
}

/// No time is proven for disposal: nothing is disposed of. Ingest goes on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct NotProven {
    doubts: Vec<Doubt>,
}

impl NotProven {
    /// Why, all of it; at least one.
    pub fn doubts(&self) -> &[Doubt] {
        &self.doubts
    }

    /// Why, in Italian.
    pub fn italian(&self) -> String {
        let doubts: Vec<String> = self.doubts.iter().map(Doubt::italian).collect();
        format!("Tempo non provato: {}.", doubts.join("; "))
    }
}

impl fmt::Display for NotProven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doubts: Vec<String> = self.doubts.iter().map(Doubt::to_string).collect();
        write!(f, "no time is proven: {}", doubts.join("; "))
    }
}

/// A reason for which no time is proven.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Doubt {
    /// The answers are too old to speak of now.
    OldInquiry {
        /// How old, in milliseconds.
        age_ms: u64,
    },
    /// Fewer different authorities than needed.
    TooFewAuthorities {
        /// How many count.
        found: usize,
        /// How many must.
        needed: usize,
    },
    /// None but the embedded development authority answered, in a store that is not a development one.
    OnlyDevelopment,
    /// Two authorities are more than 24 hours apart.
    Disagreement {
        /// The earliest `genTime`.
        earliest: UtcMillis,
        /// The latest.
        latest: UtcMillis,
    },
    /// A token is older than the last sealed interval: old, or its authority's clock is wrong.
    BehindTheChain {
        /// Whose token.
        authority: AuthorityId,
        /// Its `genTime`.
        gen_time: UtcMillis,
        /// What a token of the chain shows.
        sealed: UtcMillis,
    },
    /// The wall clock stepped, and no token agrees with it since.
    ClockStepped {
        /// By how much, in milliseconds.
        step_ms: i64,
    },
    /// A token does not count. Said beside other doubts.
    SetAside {
        /// Whose token.
        authority: AuthorityId,
        /// Why not.
        why: SetAside,
    },
}

impl Doubt {
    /// The doubt in Italian, without capital and period.
    pub fn italian(&self) -> String {
        match self {
            Self::OldInquiry { age_ms } => {
                format!("le risposte delle autorità hanno più di un'ora ({age_ms} ms)")
            }
            Self::TooFewAuthorities { found, needed } => format!(
                "autorità di validazione temporale diverse e valide: {found}, ne servono {needed}"
            ),
            Self::OnlyDevelopment => {
                "ha risposto soltanto l'autorità di sviluppo incorporata, che non prova nulla in un \
                 archivio non inizializzato come archivio di sviluppo"
                    .to_owned()
            }
            Self::Disagreement { earliest, latest } => format!(
                "le autorità discordano di oltre 24 ore (da {earliest} a {latest})"
            ),
            Self::BehindTheChain {
                authority,
                gen_time,
                sealed,
            } => format!(
                "la marca di {authority} ({gen_time}) è anteriore all'ultimo intervallo sigillato \
                 ({sealed})"
            ),
            Self::ClockStepped { step_ms } => format!(
                "l'orologio di sistema ha fatto un salto di {step_ms} ms non ancora spiegato da una \
                 marca verificata"
            ),
            Self::SetAside { authority, why } => format!("{authority}: {}", why.italian()),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldInquiry { age_ms } => {
                write!(
                    f,
                    "the answers of the authorities are over an hour old ({age_ms} ms)"
                )
            }
            Self::TooFewAuthorities { found, needed } => write!(
                f,
                "different time-stamp authorities that count: {found}, needed: {needed}"
            ),
            Self::OnlyDevelopment => f.write_str(
                "only the embedded development authority answered, which proves nothing in a store \
                 that was not initialised as a development one",
            ),
            Self::Disagreement { earliest, latest } => write!(
                f,
                "the authorities are more than 24 hours apart ({earliest} to {latest})"
            ),
            Self::BehindTheChain {
                authority,
                gen_time,
                sealed,
            } => write!(
                f,
                "the token of {authority} ({gen_time}) is older than the last sealed interval \
                 ({sealed})"
            ),
            Self::ClockStepped { step_ms } => write!(
                f,
                "the wall clock stepped by {step_ms} ms, which no verified token has explained yet"
            ),
            Self::SetAside { authority, why } => write!(f, "{authority}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
