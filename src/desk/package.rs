//! The records of a package for a court: chosen, and their disclosure recorded, before anything of them leaves.

use super::nothing::{Gone, Nothing};
use super::search::SearchQuery;
use super::{Desk, DeskError, Shown};
use crate::access::Reissue;
use crate::audit::{ReadError, Reader};
use crate::record::open::RecordError;
use crate::store::Order;
use ceralacca_formats::id::{IntervalId, LeafIndex, TreeSize};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::{Field, Metadata};
use std::collections::{BTreeMap, BTreeSet};

/// The most records of a package: each has eleven files at most, its interval as many, and a container two thousand.
pub const PACKAGE_RECORDS_MAX: usize = 80;
/// The most metadata of the records of a package, in bytes: they are in memory together.
pub const PACKAGE_METADATA_MAX: usize = 16 << 20;

/// Which records.
#[derive(Clone, Debug)]
pub enum Choice {
    /// The one at an index, an object or the trace record of its facts.
    Index(LeafIndex),
    /// Those that match.
    Matching(SearchQuery),
}

/// What is asked, by whom, on what ground.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Which records.
    pub choice: Choice,
    /// Whether all of the transactions that these belong to.
    pub whole_transaction: bool,
    /// The requester, as the provider identified him.
    pub requester: String,
    /// In which capacity: a word.
    pub capacity: &'static str,
    /// The act under which it is asked.
    pub act: String,
    /// What it is for.
    pub purpose: String,
}

impl Demand {
    /// The words of the disclosure.
    pub(super) fn words(&self) -> String {
        let mut words = match &self.choice {
            Choice::Index(index) => format!("package index={index}"),
            Choice::Matching(query) => query.words("package"),
        };
        if self.whole_transaction {
            words += " whole transaction";
        }
        let (requester, capacity) = (&self.requester, self.capacity);
        words += &format!(
            " requester={requester} capacity={capacity} purpose={}",
            self.purpose
        );
        words
    }
}

/// Why the object that a trace record names is not handed out with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Absent {
    /// Its class was disposed of at the end of the term.
    Disposed {
        /// Its interval.
        interval: IntervalId,
        /// Its class.
        class: Class,
    },
    /// It was erased singly, as this leaf says.
    Erased(LeafIndex),
    /// It is infected, and stays in its isolation (DPR 68/2005 art. 12).
    Isolated,
}

/// Something archived: the record of an object with that of its facts, or the one there is.
pub struct Archived {
    /// The object, where it is held.
    pub object: Option<Shown>,
    /// The trace record.
    pub facts: Option<Shown>,
    /// Of facts alone: why the object beside them is not here; none where there never was any.
    pub absent: Option<Absent>,
}

impl Archived {
    /// The record that stands for it: of the object where there is one.
    pub fn record(&self) -> Option<&Shown> {
        self.object.as_ref().or(self.facts.as_ref())
    }

    /// The records, object first.
    pub fn records(&self) -> impl Iterator<Item = &Shown> {
        self.object.iter().chain(&self.facts)
    }
}

/// What was found of a demand. Either way it is on record.
pub enum Found {
    /// Records, to be shown.
    Records(Disclosed),
    /// None, of what may be seen.
    Nothing(Nothing),
    /// None, and what would have them was disposed of.
    Disposed(Gone),
}

/// Records whose disclosure is recorded.
pub struct Disclosed {
    /// In the order of the log.
    pub archived: Vec<Archived>,
    /// The custody leaf that says so.
    pub leaf: LeafIndex,
    /// What of all that was asked for was disposed of: objects of these records first, then of the time asked of.
    pub gone: Vec<(IntervalId, Class)>,
}

impl Desk<'_, Reissue> {
    /// Chooses the records, and records that they are shown. A disclosure, also when nothing is found.
    ///
    /// # Errors
    /// [`DeskError::NotShown`] where what is asked is not for the holder of this permit, be it there or not;
    /// [`DeskError::TooManyRecords`].
    pub fn disclosed(&self, demand: &Demand) -> Result<Found, DeskError> {
        let chosen = match self.chosen(demand) {
            Err(DeskError::NotShown) => Vec::new(),
            Err(DeskError::Disposed { interval, class }) => {
                let gone = self.gone(demand, vec![(interval, class)])?;
                return Ok(Found::Disposed(gone));
            }
            other => other?,
        };
        let archived = self.joined(chosen)?;
        if archived.is_empty() {
            return self.nothing(demand);
        }
        let shown = archived.iter().flat_map(Archived::records);
        let places: Vec<_> = shown.map(Shown::place).collect();
        let mut gone: Vec<(IntervalId, Class)> = Vec::new();
        let absent = archived.iter().filter_map(|archived| archived.absent);
        let of_objects = absent.filter_map(|absent| match absent {
            Absent::Disposed { interval, class } => Some((interval, class)),
            Absent::Erased(_) | Absent::Isolated => None,
        });
        let of_time = match &demand.choice {
            Choice::Matching(query) => self.gone_of(query)?,
            Choice::Index(_) => Vec::new(),
        };
        for unit in of_objects.chain(of_time) {
            if !gone.contains(&unit) {
                gone.push(unit);
            }
        }
        let leaf = self.on_record(&demand.act, &demand.words(), &places)?;
        Ok(Found::Records(Disclosed {
            archived,
            leaf,
            gone,
        }))
    }

    /// Records that were given before, to be proven anew; and the custody leaf. A disclosure.
    ///
    /// # Errors
    /// [`DeskError::NotShown`] where one is not for the holder of this permit, be it there or not.
    pub fn shown_again(
        &self,
        indexes: &[LeafIndex],
        words: &str,
    ) -> Result<(Vec<Shown>, LeafIndex), DeskError> {
        let shown = indexes.iter().map(|index| self.visible(*index));
        let shown = match shown.collect::<Result<Vec<_>, _>>() {
            Err(DeskError::NotShown) => {
                self.disclose(words, &[])?;
                return Err(DeskError::NotShown);
            }
            other => other?,
        };
        let places: Vec<_> = shown.iter().map(Shown::place).collect();
        let recorded =
            self.disclosures
                .record_under(self.permit, self.permit.acts(), words, &places);
        let leaf = recorded.map_err(DeskError::Disclosure)?;
        Ok((shown, leaf))
    }

    /// Records that these leaves are shown, or none; gives the custody leaf.
    pub(super) fn on_record(
        &self,
        act: &str,
        words: &str,
        places: &[(LeafIndex, Class)],
    ) -> Result<LeafIndex, DeskError> {
        let act = match self.permit.acts() {
            Some(granted) if granted == act => granted,
            Some(granted) => format!("{act}; {granted}"),
            None => act.to_owned(),
        };
        let disclosures = self.disclosures;
        let recorded = disclosures.record_under(self.permit, Some(act), words, places);
        recorded.map_err(DeskError::Disclosure)
    }

    fn chosen(&self, demand: &Demand) -> Result<Vec<Shown>, DeskError> {
        let chosen = match &demand.choice {
            Choice::Index(index) => vec![self.visible(*index)?],
            Choice::Matching(query) => self.every(query)?,
        };
        if !demand.whole_transaction {
            return Ok(chosen);
        }
        let mut transactions = BTreeSet::new();
        for shown in &chosen {
            let beside = match &shown.metadata {
                Some(Metadata::Object(_)) => shown.companion(),
                _ => None,
            };
            let beside = beside.map(|facts| self.beside(facts)).transpose()?;
            let beside = beside.and_then(Result::ok);
            let facts = beside.as_ref().unwrap_or(shown);
            if let Some(Metadata::Trace(trace)) = &facts.metadata {
                let identificativo = trace.identificativo.as_ref();
                transactions.extend(identificativo.map(|id| id.as_bytes().to_vec()));
            }
        }
        let mut all = chosen;
        for identificativo in transactions {
            all.extend(self.every(&SearchQuery {
                terms: vec![(Field::Identificativo, identificativo)],
                ..SearchQuery::default()
            })?);
            within(&all)?;
        }
        Ok(all)
    }

    /// All that match.
    fn every(&self, query: &SearchQuery) -> Result<Vec<Shown>, DeskError> {
        let (mut found, mut beyond) = (Vec::new(), None);
        loop {
            let limit = PACKAGE_RECORDS_MAX.saturating_add(1);
            let walk = self.walk(query, Order::Ascending, limit, beyond)?;
            found.extend(walk.records);
            within(&found)?;
            beyond = walk.stopped_at;
            if beyond.is_none() {
                return Ok(found);
            }
        }
    }

    /// Each record once, an object with its facts.
    fn joined(&self, chosen: Vec<Shown>) -> Result<Vec<Archived>, DeskError> {
        let mut known: BTreeMap<LeafIndex, Shown> = BTreeMap::new();
        let mut absent: BTreeMap<LeafIndex, Absent> = BTreeMap::new();
        for shown in chosen {
            if let Some(beside) = shown.companion()
                && !known.contains_key(&beside)
            {
                match self.beside(beside)? {
                    Ok(found) => drop(known.insert(beside, found)),
                    // What is left of it is its facts.
                    Err(why) => drop(absent.insert(beside, why)),
                }
            }
            known.insert(shown.opened.leaf.seq, shown);
        }
        // An infected message is never read for a page, nor handed out among others: its facts stand alone.
        let infected = known.iter().filter(|(_, shown)| shown.is_infected());
        let infected: Vec<LeafIndex> = infected.map(|(index, _)| *index).collect();
        let isolated = infected.first().copied();
        for index in infected {
            known.remove(&index);
            absent.insert(index, Absent::Isolated);
        }
        if let (true, Some(isolated)) = (known.is_empty(), isolated) {
            return Err(DeskError::Infected(isolated));
        }
        let mut archived = Vec::new();
        while let Some((_, first)) = known.pop_first() {
            let beside = first.companion().and_then(|index| known.remove(&index));
            let why = first
                .companion()
                .and_then(|index| absent.get(&index).copied());
            let (object, facts) = match first.opened.has_content() {
                true => (Some(first), beside),
                false => (beside, Some(first)),
            };
            archived.push(Archived {
                absent: why.filter(|_| object.is_none()),
                object,
                facts,
            });
        }
        if archived.len() > PACKAGE_RECORDS_MAX {
            return Err(DeskError::TooManyRecords(PACKAGE_RECORDS_MAX));
        }
        Ok(archived)
    }

    /// The record beside one that may be seen, or why it is not there.
    fn beside(&self, index: LeafIndex) -> Result<Result<Shown, Absent>, DeskError> {
        match self.visible(index) {
            Err(DeskError::Disposed { interval, class }) => {
                Ok(Err(Absent::Disposed { interval, class }))
            }
            Err(DeskError::Read(ReadError::Record(RecordError::Erased { erasure, .. }))) => {
                Ok(Err(Absent::Erased(erasure)))
            }
            // Who sees the facts may know what became of the object they name.
            Err(DeskError::NotShown) => match self.gone_with(index)? {
                Some((interval, class)) => Ok(Err(Absent::Disposed { interval, class })),
                None => Err(DeskError::NotShown),
            },
            other => other.map(Ok),
        }
    }

    /// What reads the log below, for what was disclosed.
    pub(crate) fn engine(&self) -> &Reader {
        self.reader
    }

    /// The size of the tree that was looked through.
    pub fn looked_through(&self) -> TreeSize {
        self.published.tip.size
    }
}

fn within(found: &[Shown]) -> Result<(), DeskError> {
    let bytes = found.iter().map(|shown| shown.opened.canonical.len());
    let is_within =
        found.len() <= 2 * PACKAGE_RECORDS_MAX && bytes.sum::<usize>() <= PACKAGE_METADATA_MAX;
    is_within
        .then_some(())
        .ok_or(DeskError::TooManyRecords(PACKAGE_RECORDS_MAX))
}
