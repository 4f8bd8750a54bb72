//! Time-stamp authorities and the fresh tokens they gave, as far as these may speak of disposal.
//!
//! # Invariants
//! 1. A token counts only when it answers the inquiry at hand: one made earlier, over another nonce, is a replay.
//! 2. An authority counts once, however many tokens or keys it has, by its earliest token.
//! 3. An authority that reads the archive's own clock, and the embedded one for development, do not count, except in
//!    a store that was initialised as a development one.
//! 4. More tokens never make the time proven by them later.
//!
//! # Not here
//! Signatures, certificates and imprints: a token comes here when it was verified.

use std::fmt;

use crate::time::{ProvenTime, TimeError, UtcMillis};

/// Who runs a time-stamp authority, as configured: a provider with two keys is one authority.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AuthorityId(String);

impl AuthorityId {
    /// The authority so named; which of its keys signed is the caller's to know.
    pub fn new(name: &str) -> Self {
        Self(name.trim().to_lowercase())
    }
}

impl fmt::Display for AuthorityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a request was made fresh with: random, used for one inquiry.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// These sixteen bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// The question put to every authority now: what time is it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Inquiry {
    /// The nonce of its requests.
    pub nonce: Nonce,
    /// How long ago it was made, in milliseconds of the monotonic clock.
    pub age_ms: u64,
}

impl Inquiry {
    /// For how long answers may be used, in milliseconds: an hour.
    pub const AGE_MAX_MS: u64 = 3_600_000;
}

/// Whose clock an authority reads.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AuthorityClock {
    /// Its own.
    Own,
    /// That of the machine on which the archive runs: who moves that one moves both.
    OfTheArchive,
}

/// What an authority is good for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AuthorityGrade {
    /// One that the operator chose and trusts, qualified or not.
    Chosen,
    /// The one embedded in the archive for development.
    Development,
}

/// How the store was initialised, which nothing changes later.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum StoreKind {
    /// To keep records that matter.
    Production,
    /// To try the archive out: the embedded authority is enough to dispose of its records.
    Development,
}

/// A verified token that an authority gave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FreshToken {
    /// Who gave it.
    pub authority: AuthorityId,
    /// Its `genTime`.
    pub gen_time: UtcMillis,
    /// Its `accuracy` in milliseconds, where it states one.
    pub accuracy_ms: Option<u64>,
    /// The nonce that it repeats.
    pub nonce: Option<Nonce>,
    /// Whose clock the authority reads.
    pub clock: AuthorityClock,
    /// What the authority is good for.
    pub grade: AuthorityGrade,
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SetAside {
    /// It does not answer this inquiry: an old token shown again.
    Replayed,
    /// Its authority is the embedded one, and the store is not a development one.
    Development,
    /// Its authority reads the archive's clock.
    ClockOfTheArchive,
    /// Its accuracy reaches back before all time.
    Accuracy,
}

impl SetAside {
    /// The reason in Italian.
    pub const fn italian(self) -> &'static str {
        match self {
            Self::Replayed => "la marca non risponde a questa richiesta (riproposta)",
            Self::Development => {
                "è l'autorità di sviluppo incorporata e l'archivio non è di sviluppo"
            }
            Self::ClockOfTheArchive => "legge l'orologio dell'archivio",
            Self::Accuracy => "l'accuratezza dichiarata non ha senso",
        }
    }
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replayed => "its token does not answer this inquiry (replayed)",
            Self::Development => {
                "it is the embedded development authority, and the store is not a development one"
            }
            Self::ClockOfTheArchive => "it reads the clock of the archive",
            Self::Accuracy => "the accuracy that it states makes no sense",
        })
    }
}

/// What an authority shows: the true time is this or later.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Testimony {
    /// Who shows it.
    pub authority: AuthorityId,
    /// The `genTime` of the token.
    pub gen_time: UtcMillis,
    /// `genTime` less accuracy.
    pub proven: ProvenTime,
}

/// The tokens, parted into those that count, one for each authority, and those set aside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heard {
    /// In order of authority.
    pub counted: Vec<Testimony>,
    /// In the order in which they were given.
    pub set_aside: Vec<(AuthorityId, SetAside)>,
}

/// Hears the tokens given in answer to `inquiry`.
pub fn hear(kind: StoreKind, inquiry: &Inquiry, tokens: &[FreshToken]) -> Heard {
    let mut counted: Vec<Testimony> = Vec::new();
    let mut set_aside = Vec::new();
    for token in tokens {
        match testimony(kind, inquiry, token) {
            Ok(testimony) => counted.push(testimony),
            Err(why) => set_aside.push((token.authority.clone(), why)),
        }
    }
    counted.sort_by(|a, b| (&a.authority, a.proven).cmp(&(&b.authority, b.proven)));
    counted.dedup_by(|later, kept| later.authority == kept.authority);
    Heard { counted, set_aside }
}

fn testimony(
    kind: StoreKind,
    inquiry: &Inquiry,
    token: &FreshToken,
) -> Result<Testimony, SetAside> {
    if token.nonce != Some(inquiry.nonce) {
        return Err(SetAside::Replayed);
    }
    if kind == StoreKind::Production {
        if token.grade == AuthorityGrade::Development {
            return Err(SetAside::Development);
        }
        if token.clock == AuthorityClock::OfTheArchive {
            return Err(SetAside::ClockOfTheArchive);
        }
    }
    let proven = lower_bound(token.gen_time, token.accuracy_ms).map_err(|_| SetAside::Accuracy)?;
    Ok(Testimony {
        authority: token.authority.clone(),
        gen_time: token.gen_time,
        proven,
    })
}

/// What is taken for an accuracy that a token does not state, in milliseconds: unstated is not zero (RFC 3161
/// section 2.4.2).
const UNSTATED_ACCURACY_MS: u64 = crate::time::StampedTime::UNSTATED_ACCURACY_MS;

fn lower_bound(gen_time: UtcMillis, accuracy_ms: Option<u64>) -> Result<ProvenTime, TimeError> {
    ProvenTime::from_token(gen_time, accuracy_ms.unwrap_or(UNSTATED_ACCURACY_MS))
}
