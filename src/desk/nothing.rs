//! What is answered where nothing is found: to who may know it, what the maps of the closed intervals prove; to who may
//! not, the one answer that is given also where something is ([`DeskError::NotShown`]).
//!
//! # Invariants
//! 1. Who may see what is asked only in part is told nothing by the difference: whether anything outside the grant is
//!    there is looked up for nobody under it.
//! 2. That nothing was found is recorded before it is said.

use super::package::{Choice, Demand, Found};
use super::presence::Asked;
use super::search::SearchQuery;
use super::{Desk, DeskError};
use crate::access::Reissue;
use ceralacca_formats::absence::Told;
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::Field;

/// Clocks of providers differ from ours: an event may be recorded, by our clock, before it happened by theirs.
const CLOCKS_MS: u64 = 24 * 60 * 60 * 1000;

/// Nothing, of what the holder of the permit may see. That is on record.
pub struct Nothing {
    /// The custody leaf that says so.
    pub leaf: LeafIndex,
    /// The beginning of the range of intervals.
    pub from: UtcMillis,
    /// What was asked of the intervals; none where no map tells of it: by another name than the identificativo, or
    /// where records of the identificativo are there that do not match all else that was asked.
    pub asked: Option<Asked>,
}

/// What was asked for may have been among what was disposed of; nothing else of it is here. That is on record.
pub struct Gone {
    /// The custody leaf that says so.
    pub leaf: LeafIndex,
    /// What is gone.
    pub units: Vec<(IntervalId, Class)>,
}

/// The intervals of an answer, counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reach {
    /// All of them.
    pub intervals: u64,
    /// Those that are closed, which the answer proves something of.
    pub closed: u64,
    /// From when to when those are; none where none is.
    pub proven: Option<(UtcMillis, UtcMillis)>,
    /// When the first that is not closed is to be cut.
    pub next: Option<UtcMillis>,
    /// What of them was disposed of: nothing can be said of that.
    pub disposed: Vec<(IntervalId, Class)>,
}

impl Desk<'_, Reissue> {
    /// What was asked for is gone with these units. A disclosure, to who may know that there was anything.
    pub(super) fn gone(
        &self,
        demand: &Demand,
        units: Vec<(IntervalId, Class)>,
    ) -> Result<Gone, DeskError> {
        let leaf = self.on_record(&demand.act, &demand.words(), &[])?;
        match self.may_know(demand) {
            true => Ok(Gone { leaf, units }),
            false => Err(DeskError::NotShown),
        }
    }

    /// Nothing matches a demand: what may be said of that. A disclosure.
    pub(super) fn nothing(&self, demand: &Demand) -> Result<Found, DeskError> {
        let record = || self.on_record(&demand.act, &demand.words(), &[]);
        if !self.may_know(demand) {
            record()?;
            return Err(DeskError::NotShown);
        }
        let query = match &demand.choice {
            Choice::Matching(query) => query,
            Choice::Index(_) => {
                record()?;
                return Err(DeskError::NotShown);
            }
        };
        let from = query.event.0.and_then(|ms| u64::try_from(ms).ok());
        let from = UtcMillis::new(from.unwrap_or(0).saturating_sub(CLOCKS_MS));
        let asked = identificativo(query).map(|term| self.looked_up(term, from, None));
        let asked = asked.transpose()?.map(|(asked, _)| asked);
        let asked = asked.filter(|asked| !asked.is_present());
        if asked.is_none() {
            // No map tells of it. What was disposed of of the time asked of is all that can be said.
            let units = self.gone_of(query)?;
            if !units.is_empty() {
                return self.gone(demand, units).map(Found::Disposed);
            }
        }
        Ok(Found::Nothing(Nothing {
            leaf: record()?,
            from,
            asked,
        }))
    }

    /// Whether all that could match a demand may be seen: then also that there is nothing.
    fn may_know(&self, demand: &Demand) -> bool {
        let query = match &demand.choice {
            Choice::Index(_) => return !self.permit.is_limited(),
            Choice::Matching(query) => query,
        };
        let is_granted = |field: Field, term: &[u8]| {
            let term = field.normalise(term);
            let mut granted = self.permit.granted();
            granted.any(|(other, own)| other == field && *own == *term)
        };
        let mut terms = query.terms.iter();
        let party = query.party.as_ref();
        !self.permit.is_limited()
            || terms.any(|(field, term)| is_granted(*field, term))
            // A party is granted as sender and as recipient.
            || party.is_some_and(|party| is_granted(Field::Sender, party))
    }

    /// How far the answer reaches.
    pub fn reach(&self, asked: &Asked) -> Result<Reach, DeskError> {
        let mut reach = Reach::default();
        for span in asked.spans() {
            reach.intervals = reach.intervals.saturating_add(1);
            let checkpoint = self.checkpoint()?;
            let is_closed = span.closed.is_some_and(|l| l.is_within(checkpoint.size()));
            if !is_closed {
                reach.next = reach.next.or(Some(span.end));
                continue;
            }
            reach.closed = reach.closed.saturating_add(1);
            let since = reach.proven.map_or(span.id.start(), |(since, _)| since);
            reach.proven = Some((since, span.end));
            for class in Class::ALL {
                if self.disposed(span.id, *class)? {
                    let closing = self.sealer.closing(span)?;
                    if closing.contents.class(*class).is_some() {
                        reach.disposed.push((span.id, *class));
                    }
                }
            }
        }
        Ok(reach)
    }

    /// What the interval at a place of the asked ones says; `None` beyond the last. That nothing was found is on
    /// record.
    pub fn absence(&self, asked: &Asked, place: usize) -> Result<Option<Told>, DeskError> {
        self.interval_told(asked, place)
    }
}

/// The one identificativo that a query names, as maps have it.
fn identificativo(query: &SearchQuery) -> Option<Vec<u8>> {
    let mut terms = query.terms.iter();
    let (field, term) = terms.find(|(field, _)| *field == Field::Identificativo)?;
    Some(field.normalise(term).into_owned())
}
