//! Whether closed intervals hold an identificativo, proven by their maps.
//!
//! ```text
//! index ─▶ records with the identificativo, interval by interval ─▶ disclosed, once for all
//!       ─▶ for each interval: its closing leaf, proven; for each class it names: salt, map proof, leaf hashes
//! ```
//! A court asks of what its grant names by identificativo: a party's grant does not tell of other transactions.

use super::{Desk, DeskError};
use crate::access::Read;
use crate::audit::Find;
use crate::seal::SealError;
use crate::sequencer::Span;
use crate::store::Order;
use ceralacca_formats::absence::{Told, ToldState};
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::map::MapAnswer;
use ceralacca_formats::metadata::{Field, Metadata};
use ceralacca_formats::tree::LeafHash;
use std::collections::BTreeMap;

/// The most intervals asked of in one call: ten years of days.
pub const INTERVALS_MAX: usize = 3660;
/// The most records with one identificativo that are followed in one call: two for each of fifty thousand recipients.
pub const RECORDS_MAX: usize = 100_000;
/// Candidates taken from the index at a time.
const STEP: usize = 256;
/// Classes whose records may have an identificativo.
const CLASSES: [Class; 2] = [Class::Trace, Class::Justice];

/// Intervals that are asked of, with their records.
pub struct Asked {
    identificativo: Vec<u8>,
    spans: Vec<Span>,
    records: BTreeMap<(IntervalId, Class), Vec<LeafHash>>,
}

impl Asked {
    /// How many intervals.
    pub fn intervals(&self) -> usize {
        self.spans.len()
    }

    /// The intervals.
    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// What is asked, as maps have it.
    pub fn identificativo(&self) -> &[u8] {
        &self.identificativo
    }

    /// Whether a closed interval has records with it.
    pub(super) fn is_present(&self) -> bool {
        !self.records.is_empty()
    }
}

impl Desk<'_, Read> {
    /// Chooses the intervals that begin before `until` and end after `from`, and records as disclosed which of their
    /// records have the identificativo: none is disclosed too. More than [`INTERVALS_MAX`] or [`RECORDS_MAX`] are
    /// refused.
    pub fn ask_presence(
        &self,
        identificativo: &[u8],
        from: UtcMillis,
        until: Option<UtcMillis>,
    ) -> Result<Asked, DeskError> {
        let term = Field::Identificativo.normalise(identificativo).into_owned();
        let words = format!(
            "map identificativo={} from={from} until={}",
            String::from_utf8_lossy(&term),
            until.map_or_else(|| "-".to_owned(), |until| until.to_string())
        );
        let granted = |(field, id): (Field, &[u8])| field == Field::Identificativo && id == term;
        if self.permit.is_limited() && !self.permit.granted().any(granted) {
            self.disclose(&words, &[])?;
            return Err(DeskError::NotShown);
        }
        let (asked, places) = self.looked_up(term, from, until)?;
        let recorded = self.disclosures.record(self.permit, &words, &places);
        recorded.map_err(DeskError::Disclosure)?;
        Ok(asked)
    }

    /// What the interval at a place of the asked ones says; `None` beyond the last. All was disclosed.
    pub fn presence(&self, asked: &Asked, place: usize) -> Result<Option<Told>, DeskError> {
        self.interval_told(asked, place)
    }
}

impl<A> Desk<'_, A> {
    /// The intervals that begin before `until` and end after `from`, and which records of the closed ones have an
    /// identificativo, in the form that maps have. Nothing is disclosed by it.
    pub(super) fn looked_up(
        &self,
        term: Vec<u8>,
        from: UtcMillis,
        until: Option<UtcMillis>,
    ) -> Result<(Asked, Vec<(LeafIndex, Class)>), DeskError> {
        let spans =
            self.published.spans.iter().filter(|span| {
                span.end > from && until.is_none_or(|until| span.id.start() < until)
            });
        let mut asked = Asked {
            spans: spans.copied().collect(),
            identificativo: term,
            records: BTreeMap::new(),
        };
        if asked.spans.len() > INTERVALS_MAX {
            return Err(DeskError::TooMany {
                what: "intervals",
                limit: INTERVALS_MAX as u64,
            });
        }
        let mut places = Vec::new();
        for span in &asked.spans {
            let is_proven = |leaf: LeafIndex| leaf.is_within(self.published.tip.size);
            if !span.closed.is_some_and(is_proven) {
                continue;
            }
            for class in CLASSES {
                if self.disposed(span.id, class)? {
                    continue;
                }
                let hashes =
                    self.with_identificativo(span, class, &asked.identificativo, &mut places)?;
                if !hashes.is_empty() {
                    asked.records.insert((span.id, class), hashes);
                }
            }
        }
        Ok((asked, places))
    }

    /// Whether a class of an interval was disposed of. A secret that is missing without that is damage.
    pub(super) fn disposed(&self, interval: IntervalId, class: Class) -> Result<bool, DeskError> {
        Ok(self
            .reader
            .is_disposed(interval, class)
            .map_err(SealError::from)?)
    }

    /// Leaf hashes of the records of a class with an identificativo, ascending.
    fn with_identificativo(
        &self,
        span: &Span,
        class: Class,
        term: &[u8],
        places: &mut Vec<(LeafIndex, Class)>,
    ) -> Result<Vec<LeafHash>, DeskError> {
        let mut hashes = Vec::new();
        let mut after = None;
        loop {
            let find = Find {
                interval: span.id,
                class,
                field: Field::Identificativo,
                term,
                after,
                order: Order::Ascending,
                limit: STEP,
            };
            let found = self.reader.candidates(&self.published, &find)?;
            for index in &found {
                let opened = self.reader.record(&self.published, *index)?;
                let Ok(Metadata::Trace(facts)) = opened.metadata() else {
                    continue;
                };
                let own = facts.identificativo.as_ref();
                let is_it = own
                    .is_some_and(|own| *Field::Identificativo.normalise(own.as_bytes()) == *term);
                if !is_it {
                    continue;
                }
                if places.len() == RECORDS_MAX {
                    return Err(DeskError::TooMany {
                        what: "records",
                        limit: RECORDS_MAX as u64,
                    });
                }
                places.push((*index, class));
                hashes.push(opened.leaf.hash());
            }
            after = found.last().copied().filter(|_| found.len() == STEP);
            if after.is_none() {
                hashes.sort();
                return Ok(hashes);
            }
        }
    }

    /// What the interval at a place of the asked ones says; `None` beyond the last.
    pub(super) fn interval_told(
        &self,
        asked: &Asked,
        place: usize,
    ) -> Result<Option<Told>, DeskError> {
        let Some(span) = asked.spans.get(place) else {
            return Ok(None);
        };
        let state = match (span.closed, span.cut) {
            (None, None) => ToldState::Open,
            (None, Some(_)) => ToldState::Cut,
            (Some(leaf), _) => self.closed(asked, span, leaf)?,
        };
        Ok(Some(Told {
            interval: span.id,
            end: span.end,
            state,
        }))
    }

    fn closed(&self, asked: &Asked, span: &Span, leaf: LeafIndex) -> Result<ToldState, DeskError> {
        let shown = self.shown(self.reader.record(&self.published, leaf)?);
        let closing = match self.proof_of(&shown) {
            Err(DeskError::NotWitnessed) => return Ok(ToldState::NotShown),
            proof => proof?,
        };
        let package = self.sealer.package(span.id)?;
        let package = package.ok_or(SealError::Corrupt("the package of a closed interval"))?;
        let mut classes = Vec::new();
        for closed in &package.closing().contents.classes {
            let class = closed.class;
            if self.disposed(span.id, class)? {
                classes.push((class, None));
                continue;
            }
            let found = package.map_proof(class, &asked.identificativo)?;
            let (salt, proof) = found.ok_or(SealError::Corrupt("the map of a class"))?;
            let hashes = asked.records.get(&(span.id, class));
            let answer = MapAnswer {
                salt,
                proof,
                hashes: hashes.cloned().unwrap_or_default(),
            };
            // The index and the map must agree: what is handed out proves itself.
            let verified = answer.verify(closed, &asked.identificativo);
            verified.map_err(|_| SealError::Corrupt("map and index of an interval disagree"))?;
            classes.push((class, Some(answer)));
        }
        Ok(ToldState::Closed { closing, classes })
    }
}
