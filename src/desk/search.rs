//! Search of the trace: terms and times, a page at a time, both ways.
//!
//! The most selective term asked for chooses the candidates of the index; without one, the leaves themselves
//! are walked. Every candidate is opened and checked against all that was asked: the index narrows, the
//! record decides. A page reads some [`READS_MAX`] records, so its cost is bounded whatever was asked;
//! records are found in the order of their indexes.
//!
//! Under a grant the terms of the grant choose the candidates, whatever is asked: what a page costs, and whether
//! there is a next one, then tells nothing of the records outside it. A grant covers trace records; an object is
//! given by [`super::Duplicato`].

use super::{Desk, DeskError, Shown};
use crate::access::Search;
use crate::audit::{Find, ReadError};
use crate::disposal::CertifiedUnit;
use crate::record::open::RecordError;
use crate::sequencer::Span;
use crate::store::Order;
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::{Field, Metadata};
use std::ops::Range;

/// The most records on a page.
pub const PAGE_RECORDS_MAX: usize = 1000;
/// About the most records opened, or leaves passed, for a page.
pub const READS_MAX: usize = 4000;
/// About the most metadata on a page, in bytes: a record with ten thousand recipients has near a megabyte.
pub const PAGE_BYTES_MAX: usize = 8 << 20;
/// Candidates taken from the index at a time.
const STEP: usize = 256;

/// Fields from the most to the least selective.
const SELECTIVE: [Field; 7] = [
    Field::Identificativo,
    Field::MessageId,
    Field::Msgid,
    Field::Sender,
    Field::Recipient,
    Field::Finding,
    Field::Event,
];
/// Where a party stands.
const PARTY: [Field; 2] = [Field::Sender, Field::Recipient];
/// Classes that hold trace records.
const TRACES: [Class; 2] = [Class::Trace, Class::Justice];
/// Fields of which each value is of few records.
const IDS: [Field; 3] = [Field::Identificativo, Field::MessageId, Field::Msgid];
/// Classes with objects too: those that have no trace record stand under their Message-ID, all under what was
/// remarked of them.
const WITH_OBJECTS: [Class; 5] = [
    Class::Trace,
    Class::Justice,
    Class::Receipt,
    Class::Content,
    Class::Infected,
];

/// What is searched.
#[derive(Clone, Debug, Default)]
pub struct SearchQuery {
    /// Terms, all of which must match.
    pub terms: Vec<(Field, Vec<u8>)>,
    /// An address that must be the sender or a recipient.
    pub party: Option<Vec<u8>>,
    /// Event time, from and until (exclusive), milliseconds since 1970.
    pub event: (Option<i64>, Option<i64>),
    /// Time of sequencing, from and until (exclusive).
    pub recorded: (Option<UtcMillis>, Option<UtcMillis>),
}

impl SearchQuery {
    /// The words of the disclosure.
    pub(super) fn words(&self, call: &str) -> String {
        let mut words = call.to_owned();
        for (field, term) in &self.terms {
            words += &format!(" {field:?}={}", String::from_utf8_lossy(term));
        }
        if let Some(party) = &self.party {
            words += &format!(" Party={}", String::from_utf8_lossy(party));
        }
        let times = [
            ("event from", self.event.0.map(|ms| ms.to_string())),
            ("event until", self.event.1.map(|ms| ms.to_string())),
            ("recorded from", self.recorded.0.map(|ms| ms.to_string())),
            ("recorded until", self.recorded.1.map(|ms| ms.to_string())),
        ];
        for (name, value) in times {
            if let Some(value) = value {
                words += &format!(" {name}={value}");
            }
        }
        words
    }

    fn matches(&self, shown: &Shown) -> bool {
        let Some(metadata) = &shown.metadata else {
            let is_any = self.terms.is_empty() && self.party.is_none();
            return is_any && self.event == (None, None) && self.in_time(shown);
        };
        let has =
            |(field, term): &(Field, Vec<u8>)| metadata.has_term(*field, &field.normalise(term));
        let event = match metadata {
            Metadata::Trace(trace) => trace.event_ms.map(Integer::get),
            _ => None,
        };
        let after = self
            .event
            .0
            .is_none_or(|from| event.is_some_and(|at| at >= from));
        let before = self
            .event
            .1
            .is_none_or(|until| event.is_some_and(|at| at < until));
        let of_party = self.party.as_ref().is_none_or(|party| {
            let mut fields = PARTY.iter();
            fields.any(|field| metadata.has_term(*field, &field.normalise(party)))
        });
        after && before && of_party && self.in_time(shown) && self.terms.iter().all(has)
    }

    /// Whether a term is asked that objects have and their trace records have not.
    fn asks_of_objects(&self) -> bool {
        self.terms.iter().any(|(field, _)| *field == Field::Finding)
    }

    fn in_time(&self, shown: &Shown) -> bool {
        let at = shown.opened.leaf.time;
        self.recorded.0.is_none_or(|from| at >= from)
            && self.recorded.1.is_none_or(|until| at < until)
    }

    /// Digest that ties a token to the search it came from.
    fn digest(&self, order: Order) -> [u8; 8] {
        let text = format!("{:?} {:?}", order == Order::Ascending, self);
        let mut digest = [0; 8];
        for (to, from) in digest
            .iter_mut()
            .zip(Sha256::of(text.as_bytes()).as_bytes())
        {
            *to = *from;
        }
        digest
    }
}

/// Where a page begins: a place between two records, and from there on in the order asked for or against it.
///
/// ```text
/// 01 | back 00 or 01 | index of the leaf after the place u64 | digest of the search 8
/// ```
///
/// Opaque to clients, and no secret: what it allows is checked again at every call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PageToken {
    back: bool,
    place: LeafIndex,
    search: [u8; 8],
}

/// The token is not one of this search.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("page token is not of this search")]
pub struct TokenError;

impl PageToken {
    const BYTES: usize = 18;

    /// Its bytes.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let parts = [1, u8::from(self.back)].into_iter();
        let parts = parts
            .chain(self.place.get().to_be_bytes())
            .chain(self.search);
        bytes
            .iter_mut()
            .zip(parts)
            .for_each(|(to, byte)| *to = byte);
        bytes
    }

    /// Reads its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenError> {
        let bytes: [u8; Self::BYTES] = bytes.try_into().map_err(|_| TokenError)?;
        let (head, rest) = bytes.split_first_chunk::<2>().ok_or(TokenError)?;
        let (index, search) = rest.split_first_chunk::<8>().ok_or(TokenError)?;
        let back = match head {
            [1, 0] => false,
            [1, 1] => true,
            _ => return Err(TokenError),
        };
        Ok(Self {
            back,
            place: LeafIndex::new(u64::from_be_bytes(*index)),
            search: search.try_into().map_err(|_| TokenError)?,
        })
    }
}

/// A page of a search.
pub struct Page {
    /// The records, in the order asked for.
    pub records: Vec<Shown>,
    /// Where the next page begins, if there may be one.
    pub next: Option<PageToken>,
    /// Where the page before ends, if there may be one.
    pub previous: Option<PageToken>,
    /// Units of the time asked of that were disposed of, with their certificates: what stood there is not found any
    /// more. On the first page only.
    pub disposed: Vec<CertifiedUnit>,
}

/// What a walk over the log found.
pub(super) struct Walk {
    pub(super) records: Vec<Shown>,
    /// The place after the last record looked at, if the walk stopped before the end of the log.
    pub(super) stopped_at: Option<LeafIndex>,
}

impl Desk<'_, Search> {
    /// Records that match, at most `limit` of them. A disclosure, also when nothing is found.
    pub fn search(
        &self,
        query: &SearchQuery,
        order: Order,
        limit: usize,
        token: Option<PageToken>,
    ) -> Result<Result<Page, TokenError>, DeskError> {
        let search = query.digest(order);
        if token.is_some_and(|token| token.search != search) {
            return Ok(Err(TokenError));
        }
        let back = token.is_some_and(|token| token.back);
        let direction = if back { reversed(order) } else { order };
        let limit = limit.clamp(1, PAGE_RECORDS_MAX);
        let begun = token.map(|token| token.place);
        let Walk {
            mut records,
            stopped_at,
        } = self.walk(query, direction, limit, begun)?;
        if back {
            records.reverse();
        }
        self.disclose(&query.words("search"), &records.iter().collect::<Vec<_>>())?;
        // A page lies between the place where its walk began and the one where it stopped, also when nothing
        // was found there.
        let (next, previous) = match back {
            false => (stopped_at, begun),
            true => (begun, stopped_at),
        };
        let token = |back: bool, place: Option<LeafIndex>| {
            place.map(|place| PageToken {
                back,
                place,
                search,
            })
        };
        let (next, previous) = (token(false, next), token(true, previous));
        Ok(Ok(Page {
            records,
            next,
            previous,
            disposed: match begun {
                None => self.certified_of(query)?,
                Some(_) => Vec::new(),
            },
        }))
    }
}

impl<A> Desk<'_, A> {
    /// Looks for matches from a place on, until the page is full or has cost enough.
    pub(super) fn walk(
        &self,
        query: &SearchQuery,
        direction: Order,
        limit: usize,
        begun: Option<LeafIndex>,
    ) -> Result<Walk, DeskError> {
        // The record before a place, and the place after a record, in the direction of the walk.
        let mut beyond = begun.and_then(|place| match direction {
            Order::Ascending => place.get().checked_sub(1).map(LeafIndex::new),
            Order::Descending => Some(place),
        });
        let after = |at: LeafIndex| match direction {
            Order::Ascending => LeafIndex::new(at.get().saturating_add(1)),
            Order::Descending => at,
        };
        let mut records = Vec::new();
        let (mut reads, mut bytes) = (0, 0);
        let narrow = self.narrow(query);
        let mut spans = self.spans(query);
        if direction == Order::Descending {
            spans.reverse();
        }
        for (span, indexes) in spans {
            let outside = |beyond: LeafIndex| match direction {
                Order::Ascending => indexes.end <= beyond.get().saturating_add(1),
                Order::Descending => indexes.start >= beyond.get(),
            };
            if indexes.is_empty() || beyond.is_some_and(outside) {
                continue;
            }
            let mut more = true;
            while more {
                let found = match &narrow {
                    Some(terms) => self.candidates(&span, terms, direction, beyond)?,
                    None => self.leaves_within(&indexes, direction, beyond)?,
                };
                reads += found.reads;
                for index in found.indexes {
                    let opened = match self.reader.record(&self.published, index) {
                        // Of one that was erased the record of its facts is found, and names it: who asks is told.
                        Err(ReadError::Record(
                            RecordError::Disposed { .. } | RecordError::Erased { .. },
                        )) => continue,
                        other => other?,
                    };
                    let shown = self.shown(opened);
                    let elsewhere = !query.asks_of_objects() && stands_elsewhere(&shown);
                    if query.matches(&shown) && !elsewhere && self.covers(&shown)? {
                        bytes += shown.opened.canonical.len();
                        records.push(shown);
                    }
                    if records.len() == limit || bytes >= PAGE_BYTES_MAX {
                        return Ok(Walk {
                            records,
                            stopped_at: Some(after(index)),
                        });
                    }
                }
                more = found.last.is_some();
                let edge = match direction {
                    Order::Ascending => indexes.end - 1,
                    Order::Descending => indexes.start,
                };
                beyond = found.last.or(Some(LeafIndex::new(edge)));
                if reads >= READS_MAX {
                    return Ok(Walk {
                        records,
                        stopped_at: beyond.map(after),
                    });
                }
            }
        }
        Ok(Walk {
            records,
            stopped_at: None,
        })
    }

    /// Terms of which every record that may be found has one; none where all leaves may be.
    fn narrow<'q>(&'q self, query: &'q SearchQuery) -> Option<Vec<(Field, &'q [u8])>> {
        if self.permit.is_limited() {
            return Some(self.permit.granted().collect());
        }
        let most = SELECTIVE.iter().find_map(|field| {
            let mut terms = query.terms.iter();
            terms.find(|(asked, _)| asked == field)
        });
        let most = most.map(|(field, term)| vec![(*field, term.as_slice())]);
        let party = query.party.as_deref();
        let party = party.map(|party| PARTY.map(|field| (field, party)).to_vec());
        // An id is of fewer records than an address, and an address than what was remarked.
        match &most {
            Some(terms) if terms.iter().any(|(field, _)| IDS.contains(field)) => most,
            _ => party.or(most),
        }
    }

    /// The intervals that may hold records of the times asked for, with their leaf indexes.
    fn spans(&self, query: &SearchQuery) -> Vec<(Span, Range<u64>)> {
        let size = self.published.tip.size.get();
        let spans = &self.published.spans;
        let ends = spans.iter().skip(1).map(|span| span.first.get());
        let ends = ends.chain([size]);
        let with_end = spans.iter().zip(ends);
        let starts_late = |span: &Span| {
            // A writer's clock may be set back by some minutes unnoticed; a day covers it.
            let until = query
                .recorded
                .1
                .map(|until| until.get().saturating_add(DAY_MS));
            until.is_some_and(|until| span.id.start().get() >= until)
        };
        let ends_early = |span: &Span| {
            let from = query.recorded.0.map(UtcMillis::get);
            // An interval lasts a day; after a long stop, or with suspended cuts, its successor says when
            // it really ended, so only the successor is asked.
            let after = spans.iter().find(|other| other.id > span.id);
            after.is_some_and(|next| {
                from.is_some_and(|from| next.id.start().get().saturating_add(DAY_MS) <= from)
            })
        };
        with_end
            .filter(|(span, _)| !starts_late(span) && !ends_early(span))
            .map(|(span, end)| (*span, span.first.get()..end))
            .collect()
    }

    /// Records of one interval under any of some terms, in order; and where to go on, if there may be more.
    fn candidates(
        &self,
        span: &Span,
        terms: &[(Field, &[u8])],
        direction: Order,
        beyond: Option<LeafIndex>,
    ) -> Result<Found, DeskError> {
        let classes = |field: Field| -> &[Class] {
            match field {
                Field::MessageId | Field::Finding => &WITH_OBJECTS,
                _ => &TRACES,
            }
        };
        let places = terms.iter().flat_map(|(field, term)| {
            let classes = classes(*field).iter();
            classes.map(move |class| (*class, *field, *term))
        });
        let mut found = Vec::new();
        let mut whole = true;
        for (class, field, term) in places {
            let find = Find {
                interval: span.id,
                class,
                field,
                term,
                after: beyond,
                order: direction,
                limit: STEP,
            };
            let mut of_place = self.reader.candidates(&self.published, &find)?;
            whole &= of_place.len() < STEP;
            found.append(&mut of_place);
        }
        found.sort();
        found.dedup();
        if direction == Order::Descending {
            found.reverse();
        }
        // Beyond the first STEP a place that was cut short may be missing some.
        if !whole {
            found.truncate(STEP);
        }
        Ok(Found {
            reads: found.len(),
            last: found.last().copied().filter(|_| !whole),
            indexes: found,
        })
    }

    /// Records of a range of leaves: those of the trace, and objects that have no trace record.
    fn leaves_within(
        &self,
        indexes: &Range<u64>,
        direction: Order,
        beyond: Option<LeafIndex>,
    ) -> Result<Found, DeskError> {
        let range = match (direction, beyond) {
            (_, None) => indexes.clone(),
            (Order::Ascending, Some(beyond)) => {
                indexes.start.max(beyond.get().saturating_add(1))..indexes.end
            }
            (Order::Descending, Some(beyond)) => indexes.start..indexes.end.min(beyond.get()),
        };
        let step: Vec<u64> = match direction {
            Order::Ascending => range.take(STEP).collect(),
            Order::Descending => range.rev().take(STEP).collect(),
        };
        let mut found = Vec::new();
        for index in &step {
            let leaf = self.reader.leaf(&self.published, LeafIndex::new(*index))?;
            if leaf.class == Class::Custody || leaf.kind.is_act() {
                continue;
            }
            found.push(leaf.seq);
        }
        Ok(Found {
            indexes: found,
            reads: step.len(),
            last: step.last().copied().map(LeafIndex::new),
        })
    }
}

/// A step of a walk through one interval.
struct Found {
    /// In order.
    indexes: Vec<LeafIndex>,
    /// What it cost.
    reads: usize,
    /// Where to go on, if there may be more.
    last: Option<LeafIndex>,
}

/// Whether the trace record beside an object is found in its place.
fn stands_elsewhere(shown: &Shown) -> bool {
    matches!(&shown.metadata, Some(Metadata::Object(object)) if object.companion.is_some())
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn reversed(order: Order) -> Order {
    match order {
        Order::Ascending => Order::Descending,
        Order::Descending => Order::Ascending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_nothing_else_is_a_token() {
        for back in [false, true] {
            let token = PageToken {
                back,
                place: LeafIndex::new(0x0102_0304_0506_0708),
                search: [9; 8],
            };
            let bytes = token.to_bytes();
            assert_eq!(PageToken::from_bytes(&bytes), Ok(token));
            for len in 0..bytes.len() {
                assert_eq!(PageToken::from_bytes(&bytes[..len]), Err(TokenError));
            }
            let mut other = bytes;
            other[1] = 2;
            assert_eq!(PageToken::from_bytes(&other), Err(TokenError));
            other = bytes;
            other[0] = 2;
            assert_eq!(PageToken::from_bytes(&other), Err(TokenError));
        }
    }
}
