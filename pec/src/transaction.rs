//! What became of a message: the records of one transaction, recipient by recipient.
//!
//! # Rules
//! - One acceptance; any number of takeovers; for each certified recipient one delivery or one failure, and
//!   notices before it (annex to DM 2 November 2005; RFC 6109 section 3). Ordinary mailboxes (`esterno`) send
//!   nothing back: the acceptance is the last word.
//! - A takeover is due within twelve hours of dispatch, a delivery or failure within twenty-four (DM 2 November
//!   2005 art. 13).
//! - A delivery generated between 21:00 and 07:00 takes effect for the recipient at 07:00 (c.p.c. art. 147, in
//!   force since 2023). By civil time in Italy.
//!
//! # Invariants
//! 1. Nothing is concluded from a record that was not given: what is missing is called missing, not failed.
//! 2. Recipients are compared without case; each is listed once, in the order they were first named.

use ceralacca_formats::metadata::{Field, Recipient, TraceRecord};
use chrono::{DateTime, Duration, NaiveTime, TimeZone, Timelike};
use chrono_tz::Europe::Rome;
use std::collections::HashMap;

/// Milliseconds within which a takeover is due after dispatch.
pub const TAKEOVER_DUE_MS: i64 = 12 * 60 * 60 * 1000;
/// Milliseconds within which a delivery or a failure is due after dispatch.
pub const DELIVERY_DUE_MS: i64 = 24 * 60 * 60 * 1000;

/// What is known of one recipient, the furthest state reached.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// Named, and nothing more.
    Named,
    /// The message was accepted; it is on its way.
    Accepted,
    /// An ordinary mailbox: accepted, and nothing more will come.
    OrdinaryMail,
    /// The recipient's provider took charge of it.
    TakenOver,
    /// Not delivered within twelve or twenty-four hours, said the sender's provider; it may still come.
    Overdue,
    /// The sender's provider did not accept it.
    NotAccepted,
    /// It was not delivered.
    Failed,
    /// It was delivered.
    Delivered,
}

impl State {
    /// The word on the wire and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Accepted => "accepted",
            Self::OrdinaryMail => "ordinary-mail",
            Self::TakenOver => "taken-over",
            Self::Overdue => "overdue",
            Self::NotAccepted => "not-accepted",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
        }
    }
}

/// What the rules ask for and no record shows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Missing {
    /// No acceptance, though later steps are known.
    Acceptance,
    /// No takeover by the time it was due.
    Takeover,
    /// Neither delivery nor failure by the time one was due.
    Outcome,
}

impl Missing {
    /// The word on the wire and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acceptance => "acceptance",
            Self::Takeover => "takeover",
            Self::Outcome => "outcome",
        }
    }
}

/// What became of the message for one recipient.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForRecipient {
    /// As it was first named.
    pub recipient: Recipient,
    /// The furthest state reached.
    pub state: State,
    /// When that state was reached, milliseconds since 1970.
    pub at_ms: Option<i64>,
    /// Whether both a delivery and a failure are on record: one of them is not of this message, or a provider
    /// erred.
    pub contradictory: bool,
    /// Of a delivery by night: when it takes effect for the recipient, milliseconds since 1970.
    pub effective_ms: Option<i64>,
    /// What is missing by the rules, as of the time asked about.
    pub missing: Vec<Missing>,
}

/// A transaction as its records show it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Transaction {
    /// When the message was accepted, milliseconds since 1970.
    pub accepted_ms: Option<i64>,
    /// Recipients, in the order they were first named.
    pub recipients: Vec<ForRecipient>,
    /// What is missing of the whole.
    pub missing: Vec<Missing>,
}

/// Follows a transaction through its records, in any order, as of an instant.
pub fn follow<'a>(records: impl IntoIterator<Item = &'a TraceRecord>, now_ms: i64) -> Transaction {
    let mut following = Following::default();
    for record in records {
        following.take(record);
    }
    following.finish(now_ms)
}

/// A transaction while its records come in: a record need not be kept once it was taken.
#[derive(Debug, Default)]
pub struct Following {
    transaction: Transaction,
    places: HashMap<Vec<u8>, usize>,
    dispatched_ms: Option<i64>,
    taken_over: Vec<bool>,
}

impl Following {
    /// Takes the next record.
    pub fn take(&mut self, record: &TraceRecord) {
        let at_ms = record.event_ms.map(|at| at.get());
        for recipient in &record.recipients {
            self.place(recipient);
        }
        let event = record.event.as_ref().and_then(|event| event.to_str());
        match event.unwrap_or_default() {
            "accettazione" => {
                self.transaction.accepted_ms = earliest(self.transaction.accepted_ms, at_ms);
                self.dispatched_ms = earliest(self.dispatched_ms, at_ms);
                self.all(State::Accepted, at_ms);
            }
            "posta-certificata" => self.dispatched_ms = earliest(self.dispatched_ms, at_ms),
            "non-accettazione" => self.all(State::NotAccepted, at_ms),
            "presa-in-carico" => {
                for address in &record.taken_over {
                    let place = self.place_of(address.as_bytes());
                    if let Some(taken) = self.taken_over.get_mut(place) {
                        *taken = true;
                    }
                    self.reach(place, State::TakenOver, at_ms);
                }
            }
            "avvenuta-consegna" => self.one(record, State::Delivered, at_ms),
            "errore-consegna" => self.one(record, State::Failed, at_ms),
            "preavviso-errore-consegna" => self.one(record, State::Overdue, at_ms),
            // A virus found on the way: the notice of failure to the sender follows.
            _ => {}
        }
    }

    /// The transaction as of an instant.
    pub fn finish(mut self, now_ms: i64) -> Transaction {
        let sent = self.dispatched_ms;
        let due = |within: i64| sent.is_some_and(|sent| now_ms >= sent.saturating_add(within));
        let refused = |state: State| state == State::NotAccepted;
        let recipients = &mut self.transaction.recipients;
        for (found, taken_over) in recipients.iter_mut().zip(&self.taken_over) {
            let is_ordinary = is_ordinary(&found.recipient);
            if is_ordinary && found.state == State::Accepted {
                found.state = State::OrdinaryMail;
            }
            let is_over = matches!(
                found.state,
                State::Delivered | State::Failed | State::NotAccepted
            );
            if !is_ordinary && !is_over && !taken_over && due(TAKEOVER_DUE_MS) {
                found.missing.push(Missing::Takeover);
            }
            if !is_ordinary && !is_over && due(DELIVERY_DUE_MS) {
                found.missing.push(Missing::Outcome);
            }
            if found.state == State::Delivered {
                found.effective_ms = found.at_ms.and_then(effective);
            }
        }
        let recipients = &self.transaction.recipients;
        let went_on = recipients.iter().any(|found| found.state > State::Accepted);
        if self.transaction.accepted_ms.is_none()
            && went_on
            && !recipients.iter().any(|found| refused(found.state))
        {
            self.transaction.missing.push(Missing::Acceptance);
        }
        self.transaction
    }

    fn place(&mut self, recipient: &Recipient) -> usize {
        let key = Field::Recipient
            .normalise(recipient.address.as_bytes())
            .into_owned();
        let next = self.transaction.recipients.len();
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.taken_over.push(false);
            self.transaction.recipients.push(ForRecipient {
                recipient: recipient.clone(),
                state: State::Named,
                at_ms: None,
                contradictory: false,
                effective_ms: None,
                missing: Vec::new(),
            });
        } else if let Some(known) = self.transaction.recipients.get_mut(place)
            && known.recipient.kind.is_none()
        {
            known.recipient.kind.clone_from(&recipient.kind);
        }
        place
    }

    fn place_of(&mut self, address: &[u8]) -> usize {
        self.place(&Recipient {
            address: address.into(),
            kind: None,
        })
    }

    fn all(&mut self, state: State, at_ms: Option<i64>) {
        for place in 0..self.transaction.recipients.len() {
            self.reach(place, state, at_ms);
        }
    }

    fn one(&mut self, record: &TraceRecord, state: State, at_ms: Option<i64>) {
        if let Some(address) = &record.delivered_to {
            let place = self.place_of(address.as_bytes());
            self.reach(place, state, at_ms);
        }
    }

    /// The furthest state stands; of the same state, its first time.
    fn reach(&mut self, place: usize, state: State, at_ms: Option<i64>) {
        let Some(found) = self.transaction.recipients.get_mut(place) else {
            return;
        };
        let both = [found.state, state];
        found.contradictory |= both.contains(&State::Delivered) && both.contains(&State::Failed);
        if state > found.state {
            found.state = state;
            found.at_ms = at_ms;
        } else if state == found.state {
            found.at_ms = earliest(found.at_ms, at_ms);
        }
    }
}

fn is_ordinary(recipient: &Recipient) -> bool {
    let kind = recipient.kind.as_ref();
    // Receipts say the first, logs of providers either.
    let words: [&[u8]; 2] = [b"esterno", b"ordinario"];
    kind.is_some_and(|kind| {
        let is = |word: &&[u8]| kind.as_bytes().eq_ignore_ascii_case(word);
        words.iter().any(is)
    })
}

fn earliest(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// When a delivery takes effect for the recipient, if not at once: at 07:00 in Italy, when it was generated
/// from 21:00 on and before 07:00.
fn effective(delivered_ms: i64) -> Option<i64> {
    let at = DateTime::from_timestamp_millis(delivered_ms)?.with_timezone(&Rome);
    let day = match at.hour() {
        21.. => at.date_naive().checked_add_signed(Duration::days(1))?,
        ..7 => at.date_naive(),
        _ => return None,
    };
    // Clocks change between 02:00 and 03:00: there is one 07:00 a day.
    let seven = day.and_time(NaiveTime::from_hms_opt(7, 0, 0)?);
    Some(
        Rome.from_local_datetime(&seven)
            .single()?
            .timestamp_millis(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceralacca_formats::canonical::Integer;

    const HOUR: i64 = 3_600_000;
    /// 2026-01-12 09:05:03 in Italy.
    const START: i64 = 1_768_205_103_000;

    fn record(event: &str, at_ms: i64) -> TraceRecord {
        let recipient = |address: &str, kind: &str| Recipient {
            address: address.into(),
            kind: Some(kind.into()),
        };
        TraceRecord {
            event: Some(event.into()),
            event_ms: Integer::try_from(at_ms).ok(),
            recipients: vec![
                recipient("Protocollo@comune.example", "certificato"),
                recipient("sindaco@comune.example", "certificato"),
                recipient("info@ditta.example", "esterno"),
            ],
            ..TraceRecord::default()
        }
    }

    fn to(mut record: TraceRecord, address: &str) -> TraceRecord {
        record.delivered_to = Some(address.into());
        record
    }

    fn takeover(at_ms: i64, addresses: &[&str]) -> TraceRecord {
        let mut record = record("presa-in-carico", at_ms);
        record.taken_over = addresses.iter().map(|address| (*address).into()).collect();
        record
    }

    fn states(transaction: &Transaction) -> Vec<State> {
        transaction
            .recipients
            .iter()
            .map(|found| found.state)
            .collect()
    }

    #[test]
    fn each_recipient_reaches_its_own_state_whatever_the_order_of_records() {
        let mut records = vec![
            record("accettazione", START),
            record("posta-certificata", START),
            takeover(
                START + 1000,
                &["PROTOCOLLO@comune.example", "sindaco@comune.example"],
            ),
            to(
                record("avvenuta-consegna", START + 3000),
                "protocollo@comune.example",
            ),
            to(
                record("errore-consegna", START + 4000),
                "sindaco@comune.example",
            ),
        ];
        let expected = [State::Delivered, State::Failed, State::OrdinaryMail];
        for _ in 0..records.len() {
            let found = follow(&records, START + 48 * HOUR);
            assert_eq!(states(&found), expected);
            assert_eq!(found.accepted_ms, Some(START));
            assert!(found.missing.is_empty());
            assert!(
                found
                    .recipients
                    .iter()
                    .all(|r| r.missing.is_empty() && !r.contradictory)
            );
            assert_eq!(found.recipients[0].at_ms, Some(START + 3000));
            records.rotate_left(1);
        }
    }

    #[test]
    fn what_is_due_is_missing_only_once_its_time_has_passed() {
        let records = [record("accettazione", START)];
        let missing = |now| {
            let found = follow(&records, now);
            found
                .recipients
                .into_iter()
                .map(|r| r.missing)
                .collect::<Vec<_>>()
        };
        let (none, takeover) = (Vec::new(), vec![Missing::Takeover]);
        let both = vec![Missing::Takeover, Missing::Outcome];
        assert_eq!(
            missing(START + 12 * HOUR - 1),
            [none.clone(), none.clone(), none.clone()]
        );
        assert_eq!(
            missing(START + 12 * HOUR),
            [takeover.clone(), takeover, none.clone()]
        );
        assert_eq!(missing(START + 24 * HOUR), [both.clone(), both, none]);
    }

    #[test]
    fn a_delivery_may_follow_a_notice_and_ends_the_matter() {
        let notice = to(
            record("preavviso-errore-consegna", START + 12 * HOUR),
            "sindaco@comune.example",
        );
        let late = to(
            record("avvenuta-consegna", START + 13 * HOUR),
            "sindaco@comune.example",
        );
        let before = follow([&record("accettazione", START), &notice], START + 12 * HOUR);
        assert_eq!(before.recipients[1].state, State::Overdue);
        let after = follow(
            [&late, &notice, &record("accettazione", START)],
            START + 30 * HOUR,
        );
        assert_eq!(after.recipients[1].state, State::Delivered);
        assert_eq!(after.recipients[1].missing, []);
        assert!(!after.recipients[1].contradictory);
    }

    #[test]
    fn a_delivery_and_a_failure_of_one_recipient_contradict_each_other() {
        let delivered = to(record("avvenuta-consegna", START), "sindaco@comune.example");
        let failed = to(record("errore-consegna", START), "sindaco@comune.example");
        for records in [[&delivered, &failed], [&failed, &delivered]] {
            let found = follow(records, START);
            assert_eq!(found.recipients[1].state, State::Delivered);
            assert!(found.recipients[1].contradictory);
            assert_eq!(found.missing, [Missing::Acceptance]);
        }
    }

    #[test]
    fn what_was_not_accepted_lacks_nothing() {
        let found = follow([&record("non-accettazione", START)], START + 48 * HOUR);
        assert!(
            found
                .recipients
                .iter()
                .all(|r| r.state == State::NotAccepted)
        );
        assert!(found.missing.is_empty() && found.recipients.iter().all(|r| r.missing.is_empty()));
    }

    #[test]
    fn a_delivery_by_night_takes_effect_at_seven_in_italy() {
        let at = |text: &str| {
            DateTime::parse_from_rfc3339(text)
                .unwrap()
                .timestamp_millis()
        };
        let cases = [
            ("2026-01-12T20:59:59+01:00", None),
            (
                "2026-01-12T21:00:00+01:00",
                Some("2026-01-13T07:00:00+01:00"),
            ),
            (
                "2026-01-13T06:59:59+01:00",
                Some("2026-01-13T07:00:00+01:00"),
            ),
            ("2026-01-13T07:00:00+01:00", None),
            (
                "2026-12-31T23:30:00+01:00",
                Some("2027-01-01T07:00:00+01:00"),
            ),
            // The clocks change in the night.
            (
                "2026-03-28T22:00:00+01:00",
                Some("2026-03-29T07:00:00+02:00"),
            ),
            (
                "2026-10-25T02:30:00+02:00",
                Some("2026-10-25T07:00:00+01:00"),
            ),
            (
                "2026-10-25T02:30:00+01:00",
                Some("2026-10-25T07:00:00+01:00"),
            ),
        ];
        for (delivered, expected) in cases {
            assert_eq!(effective(at(delivered)), expected.map(at), "{delivered}");
        }
    }
}
