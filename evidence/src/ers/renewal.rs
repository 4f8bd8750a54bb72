//! What must be renewed, why, and by when: a plan, as a pure function of what is held, the table and now.
//!
//! | What ends | Then |
//! |---|---|
//! | certificates of the token, its signature algorithm, the digest under that | renewal of the time-stamp |
//! | the hash of the tree | renewal of the hash tree |
//!
//! # Invariants
//! 1. A renewal is due a margin before what ends, six months at least; of what lasts less than two margins, at half of
//!    its time, so that short-lived certificates of an authority do not make a renewal of every day.
//! 2. Where both are due, the hash tree is renewed: it has a new token too.
//! 3. What is not in the table is due at once.
//!
//! The words for people are in `words`.

mod words;

use super::table::{Subject, Table};
use super::verify::VerifiedStamp;
use super::{ArchiveTimeStamp, RecordError};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::tsp::{SignedWith, Token};

const DAY_MS: u64 = 86_400_000;
/// The least margin, in days: six months.
pub const MARGIN_DAYS_MIN: u32 = 184;
/// How long before an end it is spoken of, in days: twelve months, or two margins where that is more.
const WARNED_DAYS: u32 = 366;
/// What new trees may be hashed with, the first that lasts.
const NEW_HASHES: [DigestAlgorithm; 2] = [DigestAlgorithm::Sha512, DigestAlgorithm::Sha384];

/// How long before an end a renewal is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Margin(u32);

impl Margin {
    /// So many days; `None` for less than six months.
    pub fn days(days: u32) -> Option<Self> {
        (days >= MARGIN_DAYS_MIN).then_some(Self(days))
    }
}

impl Default for Margin {
    fn default() -> Self {
        Self(MARGIN_DAYS_MIN)
    }
}

/// What is held: the last archive time-stamp of all records that share it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// Its name for people: an interval, a package.
    pub name: String,
    /// The hash of its tree.
    pub hash: DigestAlgorithm,
    /// genTime of its token.
    pub time: UtcMillis,
    /// What the token rests on.
    pub signatures: Vec<SignedWith>,
    /// Until when the token's certificates are valid.
    pub certificates_until: UtcMillis,
}

impl Held {
    /// Of an archive time-stamp by its own word: its chain up to whichever certificate, of those in the token and of
    /// these, is self-issued. Enough for a plan; it vouches for nothing.
    pub fn by_its_own_word(
        name: &str,
        stamp: &ArchiveTimeStamp,
        certificates: &[Vec<u8>],
    ) -> Result<Self, RecordError> {
        let token = Token::read(stamp.token()).map_err(RecordError::Token)?;
        let verified = token.by_its_own_word(certificates);
        let verified = verified.map_err(RecordError::Token)?;
        let millis = |ms: i64| UtcMillis::new(u64::try_from(ms).unwrap_or(0));
        Ok(Self {
            name: name.to_owned(),
            hash: stamp.algorithm(),
            time: millis(verified.info.gen_ms),
            signatures: verified.signatures,
            certificates_until: millis(verified.valid_until_ms),
        })
    }

    /// Of the last archive time-stamp of a record that was verified.
    pub fn of(name: &str, stamp: &VerifiedStamp) -> Self {
        Self {
            name: name.to_owned(),
            hash: stamp.hash,
            time: stamp.time,
            signatures: stamp.signatures.clone(),
            certificates_until: stamp.certificates_until,
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Nothing has an end.
    Nothing,
    /// A new token over the old one.
    TimeStamp,
    /// A new tree over documents and records, by this hash; `None` where the table has none that lasts: the operator's
    /// to change.
    HashTree(Option<DigestAlgorithm>),
}

/// What ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// The certificates of the token.
    Certificates,
    /// The hash of the tree.
    Tree(Subject),
    /// What the token was signed with.
    Token(Subject),
}

/// What ends, and when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reason {
    /// What.
    pub limit: Limit,
    /// The first instant at which it is not good; `None` for what is not in the table.
    pub end: Option<UtcMillis>,
    /// From when on the renewal is due.
    pub due: UtcMillis,
}

/// How urgent it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Urgency {
    /// Not within a year.
    Later,
    /// Within a year.
    Soon,
    /// Due now.
    Due,
    /// Something ended already: what is renewed now proves less.
    Late,
}

/// What is to be done about one thing that is held.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// What.
    pub action: Action,
    /// Why: what is due; where nothing is, what ends first.
    pub reasons: Vec<Reason>,
    /// How urgent.
    pub urgency: Urgency,
    /// By when it is to be done: the first day of the margin; nothing ends where there is none.
    pub by: Option<UtcMillis>,
}

/// The plan: a step for each thing that is held, the most urgent first.
pub fn plan(held: &[Held], table: &Table, margin: Margin, now: UtcMillis) -> Vec<Step> {
    let mut steps: Vec<_> = held
        .iter()
        .map(|held| step(held, table, margin, now))
        .collect();
    steps.sort_by(|a, b| (b.urgency, a.by).cmp(&(a.urgency, b.by)));
    steps
}

fn step(held: &Held, table: &Table, margin: Margin, now: UtcMillis) -> Step {
    let mut reasons = reasons(held, table, margin);
    reasons.sort_by_key(|reason| (reason.due, reason.end));
    let first = reasons.first().copied();
    let due = reasons
        .iter()
        .take_while(|reason| reason.due <= now)
        .count();
    reasons.truncate(due.max(1));
    let is_tree = |reason: &Reason| matches!(reason.limit, Limit::Tree(_));
    let action = match first {
        None => Action::Nothing,
        Some(_) if reasons.iter().any(is_tree) => Action::HashTree(new_hash(table, margin, now)),
        Some(_) => Action::TimeStamp,
    };
    let warned_ms = u64::from(WARNED_DAYS.max(margin.0.saturating_mul(2))) * DAY_MS;
    let urgency = |reason: &Reason| match reason.end {
        None => Urgency::Late,
        Some(end) if end <= now => Urgency::Late,
        Some(_) if reason.due <= now => Urgency::Due,
        Some(end) if end.get() - now.get() <= warned_ms => Urgency::Soon,
        Some(_) => Urgency::Later,
    };
    Step {
        name: held.name.clone(),
        action,
        urgency: reasons.iter().map(urgency).max().unwrap_or(Urgency::Later),
        by: first.map(|reason| reason.due),
        reasons,
    }
}

/// All that ends, each thing once.
fn reasons(held: &Held, table: &Table, margin: Margin) -> Vec<Reason> {
    let margin_ms = u64::from(margin.0) * DAY_MS;
    let due = |end: UtcMillis| {
        let start = held.time.get();
        let half = start + end.get().saturating_sub(start) / 2;
        UtcMillis::new(end.get().saturating_sub(margin_ms).max(half))
    };
    let of = |limit, end: UtcMillis| Reason {
        limit,
        end: Some(end),
        due: due(end),
    };
    let after = UtcMillis::new(held.certificates_until.get().saturating_add(1));
    let mut reasons = vec![of(Limit::Certificates, after)];
    let tree = std::iter::once(Limit::Tree(Subject::Hash(held.hash)));
    let token = held
        .signatures
        .iter()
        .flat_map(Subject::of)
        .map(Limit::Token);
    for limit in tree.chain(token) {
        let (Limit::Tree(subject) | Limit::Token(subject)) = limit else {
            continue;
        };
        let reason = match table.end(subject) {
            Ok(None) => continue,
            Ok(Some(end)) => of(limit, end),
            Err(_) => Reason {
                limit,
                end: None,
                due: UtcMillis::new(0),
            },
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

fn new_hash(table: &Table, margin: Margin, now: UtcMillis) -> Option<DigestAlgorithm> {
    let margin_ms = u64::from(margin.0) * DAY_MS;
    let lasts = |hash: &DigestAlgorithm| match table.end(Subject::Hash(*hash)) {
        Ok(end) => end.is_none_or(|end| end.get() > now.get().saturating_add(2 * margin_ms)),
        Err(_) => false,
    };
    NEW_HASHES.into_iter().find(lasts)
}

impl Step {
    /// Whether it is to be done now.
    pub fn is_due(&self) -> bool {
        self.urgency >= Urgency::Due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceralacca_pec::judge::{Scheme, SignatureAlgorithm};
    use chrono::NaiveDate;

    fn day(text: &str) -> UtcMillis {
        let day: NaiveDate = text.parse().unwrap();
        let ms = day
            .and_hms_opt(0, 0, 0)
            .unwrap()
            .and_utc()
            .timestamp_millis();
        UtcMillis::new(ms.try_into().unwrap())
    }

    fn held(scheme: Scheme, key_bits: usize, until: &str) -> Held {
        let algorithm = SignatureAlgorithm {
            scheme,
            digest: DigestAlgorithm::Sha256,
        };
        Held {
            name: "2026-11-21".to_owned(),
            hash: DigestAlgorithm::Sha256,
            time: day("2026-11-22"),
            signatures: vec![
                SignedWith {
                    algorithm,
                    key_bits
                };
                2
            ],
            certificates_until: UtcMillis::new(day(until).get() - 1),
        }
    }

    fn one(held: Held, table: &Table, now: &str) -> Step {
        plan(&[held], table, Margin::default(), day(now)).remove(0)
    }

    #[test]
    fn certificates_that_end_ask_for_a_time_stamp_six_months_before() {
        let table = Table::built_in();
        let ecdsa = || held(Scheme::Ecdsa, 256, "2036-01-01");
        let step = one(ecdsa(), &table, "2026-11-23");
        assert_eq!(
            (step.action, step.urgency),
            (Action::TimeStamp, Urgency::Later)
        );
        assert_eq!(step.by, Some(day("2035-07-01")));
        assert_eq!(
            step.english(),
            "2026-11-21: renewal of the time-stamp, because the certificates of the time-stamp are not valid \
             from 2036-01-01 on; to be done from 2035-07-01 on."
        );
        assert_eq!(one(ecdsa(), &table, "2035-02-01").urgency, Urgency::Soon);
        assert!(!one(ecdsa(), &table, "2035-06-30").is_due());
        assert!(one(ecdsa(), &table, "2035-07-01").is_due());
        let late = one(ecdsa(), &table, "2036-01-01");
        assert_eq!(late.urgency, Urgency::Late);
        assert_eq!(
            late.italian(),
            "2026-11-21: rinnovo della marca temporale, perché i certificati della marca non sono più validi \
             dal 01/01/2036; in ritardo, da fare subito."
        );
    }

    #[test]
    fn a_weak_signature_is_renewed_before_its_certificate_ends() {
        let step = one(
            held(Scheme::RsaPkcs1, 4096, "2036-01-01"),
            &Table::built_in(),
            "2028-07-02",
        );
        assert_eq!(
            (step.action, step.urgency),
            (Action::TimeStamp, Urgency::Due)
        );
        let limit = Limit::Token(Subject::Signature(Scheme::RsaPkcs1, 4096));
        assert_eq!(step.reasons.len(), 1);
        assert_eq!(
            (step.reasons[0].limit, step.reasons[0].end),
            (limit, Some(day("2029-01-01")))
        );
        assert!(
            step.english()
                .contains("RSA PKCS#1 v1.5 4096 bit, is not accepted from 2029-01-01 on")
        );
    }

    fn sha256_ends(end: &str) -> Table {
        let mut table = Table::built_in();
        let row = table.rows.iter_mut().find(|row| row.algorithm == "SHA-256");
        row.unwrap().end = Some(end.parse().unwrap());
        table
    }

    #[test]
    fn a_hash_that_ends_asks_for_a_new_tree_even_where_the_certificate_ends_too() {
        let table = sha256_ends("2036-01-01");
        let step = one(held(Scheme::Ecdsa, 256, "2036-01-01"), &table, "2035-12-01");
        assert_eq!(step.action, Action::HashTree(Some(DigestAlgorithm::Sha512)));
        // Certificates, tree, and the digest under the signature.
        assert_eq!(step.reasons.len(), 3);
        assert!(
            step.italian()
                .starts_with("2026-11-21: rinnovo dell'albero delle impronte con SHA-512, perché ")
        );
        let mut table = table;
        table
            .rows
            .retain(|row| !row.algorithm.starts_with("SHA-5") && row.algorithm != "SHA-384");
        let step = one(held(Scheme::Ecdsa, 256, "2036-01-01"), &table, "2035-12-01");
        assert_eq!(step.action, Action::HashTree(None));
        assert!(
            step.english()
                .contains("the table must be brought up to date")
        );
    }

    #[test]
    fn what_lasts_short_is_renewed_at_half_of_its_time() {
        let table = Table::built_in();
        let step = one(held(Scheme::Ecdsa, 256, "2026-12-02"), &table, "2026-11-23");
        assert_eq!(step.by, Some(day("2026-11-27")));
        assert!(!step.is_due());
        assert!(one(held(Scheme::Ecdsa, 256, "2026-12-02"), &table, "2026-11-27").is_due());
    }

    #[test]
    fn what_is_not_listed_is_late_and_the_most_urgent_comes_first() {
        let table = Table::built_in();
        let weak = Held {
            name: "debole".to_owned(),
            ..held(Scheme::RsaPss, 1024, "2036-01-01")
        };
        let all = [held(Scheme::Ecdsa, 256, "2036-01-01"), weak];
        let steps = plan(&all, &table, Margin::default(), day("2026-11-23"));
        assert_eq!(
            (steps[0].name.as_str(), steps[0].urgency),
            ("debole", Urgency::Late)
        );
        assert!(
            steps[0]
                .italian()
                .contains("RSA-PSS 1024 bit, non è nella tabella degli algoritmi")
        );
        assert_eq!(steps[1].urgency, Urgency::Later);
    }

    #[test]
    fn a_margin_has_six_months_at_least() {
        assert_eq!(Margin::days(183), None);
        assert_eq!(Margin::days(184), Some(Margin::default()));
    }
}
