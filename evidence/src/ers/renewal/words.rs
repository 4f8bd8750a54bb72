//! A step of the plan in words: what a dry run shows.

use super::{Action, Limit, Step, Urgency};
use ceralacca_formats::id::UtcMillis;
use chrono::DateTime;
use std::fmt;

impl Step {
    /// What, why and by when, for an Italian reader.
    pub fn italian(&self) -> String {
        let what = match self.action {
            Action::Nothing => return format!("{}: nulla da rinnovare, nulla scade.", self.name),
            Action::TimeStamp => "rinnovo della marca temporale".to_owned(),
            Action::HashTree(Some(hash)) => {
                format!("rinnovo dell'albero delle impronte con {}", hash.name())
            }
            Action::HashTree(None) => "rinnovo dell'albero delle impronte; nessun algoritmo della \
                tabella dura abbastanza, va aggiornata la tabella"
                .to_owned(),
        };
        let reasons = self.reasons.iter().map(|reason| {
            let what = match reason.limit {
                Limit::Certificates => "i certificati della marca".to_owned(),
                Limit::Tree(subject) => format!("l'algoritmo dell'albero, {subject},"),
                Limit::Token(subject) => format!("l'algoritmo della marca, {subject},"),
            };
            match (reason.end, reason.limit) {
                (None, _) => format!("{what} non è nella tabella degli algoritmi"),
                (Some(end), Limit::Certificates) => {
                    format!("{what} non sono più validi dal {}", Day(end, ITALIAN))
                }
                (Some(end), _) => format!("{what} non è più accettato dal {}", Day(end, ITALIAN)),
            }
        });
        let why = reasons.collect::<Vec<_>>().join("; ");
        let when = match (self.urgency, self.by) {
            (Urgency::Late, _) => "in ritardo, da fare subito".to_owned(),
            (Urgency::Due, _) => "da fare ora".to_owned(),
            (_, Some(by)) => format!("da fare dal {}", Day(by, ITALIAN)),
            (_, None) => String::new(),
        };
        format!("{}: {what}, perché {why}; {when}.", self.name)
    }

    /// The same, in English.
    pub fn english(&self) -> String {
        let what = match self.action {
            Action::Nothing => return format!("{}: nothing to renew, nothing ends.", self.name),
            Action::TimeStamp => "renewal of the time-stamp".to_owned(),
            Action::HashTree(Some(hash)) => {
                format!("renewal of the hash tree with {}", hash.name())
            }
            Action::HashTree(None) => "renewal of the hash tree; no algorithm of the table lasts \
                long enough, the table must be brought up to date"
                .to_owned(),
        };
        let reasons = self.reasons.iter().map(|reason| {
            let what = match reason.limit {
                Limit::Certificates => "the certificates of the time-stamp".to_owned(),
                Limit::Tree(subject) => format!("the algorithm of the tree, {subject},"),
                Limit::Token(subject) => format!("the algorithm of the time-stamp, {subject},"),
            };
            match (reason.end, reason.limit) {
                (None, _) => format!("{what} is not in the table of algorithms"),
                (Some(end), Limit::Certificates) => {
                    format!("{what} are not valid from {} on", Day(end, ENGLISH))
                }
                (Some(end), _) => format!("{what} is not accepted from {} on", Day(end, ENGLISH)),
            }
        });
        let why = reasons.collect::<Vec<_>>().join("; ");
        let when = match (self.urgency, self.by) {
            (Urgency::Late, _) => "late, to be done at once".to_owned(),
            (Urgency::Due, _) => "to be done now".to_owned(),
            (_, Some(by)) => format!("to be done from {} on", Day(by, ENGLISH)),
            (_, None) => String::new(),
        };
        format!("{}: {what}, because {why}; {when}.", self.name)
    }
}

const ITALIAN: &str = "%d/%m/%Y";
const ENGLISH: &str = "%Y-%m-%d";

/// A day, UTC, in a form of dates.
struct Day(UtcMillis, &'static str);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0.get()).ok();
        match ms.and_then(DateTime::from_timestamp_millis) {
            Some(instant) => write!(f, "{}", instant.format(self.1)),
            None => write!(f, "{} ms", self.0),
        }
    }
}
