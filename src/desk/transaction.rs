//! The records of one transaction, followed to what became of the message.
//!
//! Each receipt repeats the whole list of recipients, so records are followed page by page and only what a step
//! says by itself is kept: memory grows with the number of steps and recipients, not with their product.

use super::search::{PAGE_RECORDS_MAX, SearchQuery};
use super::{Desk, DeskError, Shown};
use crate::access::Search;
use crate::store::Order;
use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::{Field, Metadata, TraceRecord};
use ceralacca_pec::transaction::{Following, Transaction};

/// The most records followed in one call: two for each of ten thousand recipients, and some.
pub const STEPS_MAX: usize = 25_000;

/// A record of a transaction, without what all of them repeat.
pub struct Step {
    /// Its index.
    pub index: LeafIndex,
    /// Index of the object it was read from.
    pub companion: Option<LeafIndex>,
    /// Its facts; recipients are left out.
    pub facts: TraceRecord,
}

/// A transaction, followed.
pub struct Story {
    /// Sender and subject of the original, as the first record that has them says.
    pub sender: Option<Text>,
    /// See `sender`.
    pub subject: Option<Text>,
    /// Its records, in the order of the log.
    pub steps: Vec<Step>,
    /// What became of the message.
    pub outcome: Transaction,
    /// Whether there are more records than were followed.
    pub truncated: bool,
}

impl Desk<'_, Search> {
    /// Follows a transaction as of an instant. A disclosure, also when nothing is found.
    pub fn transaction(&self, identificativo: &[u8], now: UtcMillis) -> Result<Story, DeskError> {
        let query = SearchQuery {
            terms: vec![(Field::Identificativo, identificativo.to_vec())],
            ..SearchQuery::default()
        };
        let mut story = Story {
            sender: None,
            subject: None,
            steps: Vec::new(),
            outcome: Transaction::default(),
            truncated: false,
        };
        let mut following = Following::default();
        let mut places: Vec<(LeafIndex, Class)> = Vec::new();
        let mut beyond = None;
        loop {
            let walk = self.walk(&query, Order::Ascending, PAGE_RECORDS_MAX, beyond)?;
            for shown in walk.records {
                places.push(shown.place());
                story.take(shown, &mut following);
            }
            beyond = walk.stopped_at;
            story.truncated = beyond.is_some() && story.steps.len() >= STEPS_MAX;
            if beyond.is_none() || story.truncated {
                break;
            }
        }
        let query = format!("transaction {}", String::from_utf8_lossy(identificativo));
        let recorded = self.disclosures.record(self.permit, &query, &places);
        recorded.map_err(DeskError::Disclosure)?;
        let now = i64::try_from(now.get()).unwrap_or(i64::MAX);
        story.outcome = following.finish(now);
        Ok(story)
    }
}

impl Story {
    fn take(&mut self, shown: Shown, following: &mut Following) {
        let (index, companion) = (shown.opened.leaf.seq, shown.companion());
        let Some(Metadata::Trace(mut facts)) = shown.metadata else {
            return;
        };
        following.take(&facts);
        self.sender = self.sender.take().or(facts.sender.take());
        self.subject = self.subject.take().or(facts.subject.take());
        facts.recipients = Vec::new();
        self.steps.push(Step {
            index,
            companion,
            facts: *facts,
        });
    }
}

impl Step {
    /// When it happened, milliseconds since 1970.
    pub fn at_ms(&self) -> Option<i64> {
        self.facts.event_ms.map(Integer::get)
    }
}
