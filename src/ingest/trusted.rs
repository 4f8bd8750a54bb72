//! Trust material put in force: archived once as records, then named by every verdict that rests on it.
//!
//! ```text
//! trust-item (kind 18, its octets the content) … trust-item, trust-set {items}      in class custody
//! object {trust: leaf of the set, received_ms}
//! ```
//!
//! # Invariants
//! 1. The set is durable before anything is judged with it.
//! 2. What the last set of the log names already is not archived again.

use super::{Ingest, IngestError, ObjectContent, Submission};
use crate::audit::{Find, ReadError};
use crate::disclosure::ranges;
use crate::record::prepare::{Draft, DraftContent};
use crate::sequencer::Published;
use crate::store::Order;
use crate::trust::{Bundle, DirectoryUnusable, InForce, Item, What, directory};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, Field, LeafRange, Metadata, TRUST_SET};
use std::collections::HashMap;

/// Why trust material was not put in force; what was in force before still is.
#[derive(Debug, thiserror::Error)]
pub enum JudgeWithError {
    /// A directory of providers is unusable. The operator's to replace.
    #[error("directory of providers of {day}: {source}")]
    Directory {
        /// Its day.
        day: String,
        /// Why.
        source: DirectoryUnusable,
    },
    /// It could not be recorded.
    #[error("record trust material")]
    Ingest(#[from] IngestError),
    /// The last trust set could not be read.
    #[error("read the last trust set")]
    Read(#[from] ReadError),
}

/// What an item is found by: what it is, of which day, and its digest.
type Key = (String, Option<String>, Sha256);

impl Ingest {
    /// Judges with this material from here on; what the log does not hold of it is archived first.
    pub(crate) fn judge_with(&self, bundle: &Bundle) -> Result<(), JudgeWithError> {
        let mut set = None;
        if !bundle.items().is_empty() {
            let state = self.reader.published();
            let former = self.last_set(&state)?;
            let known = match &former {
                Some((_, items)) => self.items_of(&state, items)?,
                None => HashMap::new(),
            };
            let mut indexes = Vec::with_capacity(bundle.items().len());
            for item in bundle.items() {
                indexes.push(match known.get(&key(item)) {
                    Some(index) => *index,
                    None => self.archive_item(item)?,
                });
            }
            let items = ranges(indexes.into_iter());
            set = match former {
                Some((index, former)) if former == items => Some(index),
                _ => Some(self.archive(CustodyRecord::TrustSet { items }, None)?),
            };
        }
        self.policy.trust.put(bundle.in_force(set));
        Ok(())
    }

    /// What is judged with now.
    pub(crate) fn trust(&self) -> InForce {
        self.policy.trust.get()
    }

    /// The last trust set of the log, and the leaves it names.
    fn last_set(
        &self,
        state: &Published,
    ) -> Result<Option<(LeafIndex, Vec<LeafRange>)>, ReadError> {
        for span in state.spans.iter().rev() {
            let mut after = None;
            loop {
                let found = self.reader.candidates(
                    state,
                    &Find {
                        interval: span.id,
                        class: Class::Custody,
                        field: Field::Event,
                        term: TRUST_SET.as_bytes(),
                        after,
                        order: Order::Descending,
                        limit: 1,
                    },
                )?;
                let Some(index) = found.first().copied() else {
                    break;
                };
                // A candidate is no truth: two terms may share a token.
                let opened = self.reader.record(state, index)?;
                if let Metadata::Custody(CustodyRecord::TrustSet { items }) = opened.metadata()? {
                    return Ok(Some((index, items)));
                }
                after = Some(index);
            }
        }
        Ok(None)
    }

    fn items_of(
        &self,
        state: &Published,
        items: &[LeafRange],
    ) -> Result<HashMap<Key, LeafIndex>, ReadError> {
        let mut known = HashMap::new();
        for range in items {
            let (first, last) = (range.first.get(), range.last.get());
            for index in (first..=last).filter_map(|index| u64::try_from(index).ok()) {
                let index = LeafIndex::new(index);
                let opened = self.reader.record(state, index)?;
                if let Metadata::Custody(CustodyRecord::TrustItem { what, day }) =
                    opened.metadata()?
                {
                    let text = |text: ceralacca_formats::canonical::Text| {
                        String::from_utf8_lossy(text.as_bytes()).into_owned()
                    };
                    known.insert((text(what), day.map(text), opened.content.sha256), index);
                }
            }
        }
        Ok(known)
    }

    fn archive_item(&self, item: &Item) -> Result<LeafIndex, JudgeWithError> {
        let (what, day, _) = key(item);
        let unusable = |source| JudgeWithError::Directory {
            day: day.clone().unwrap_or_default(),
            source,
        };
        let octets = item
            .octets()
            .map_err(|source| unusable(DirectoryUnusable::Read(source)))?;
        if item.what == What::Directory {
            directory(&octets).map_err(unusable)?;
        }
        let content = self.content(Class::Custody, octets)?;
        let metadata = CustodyRecord::TrustItem {
            what: what.as_str().into(),
            day: day.as_deref().map(Into::into),
        };
        Ok(self.archive(metadata, Some(content))?)
    }

    fn archive(
        &self,
        record: CustodyRecord,
        content: Option<ObjectContent>,
    ) -> Result<LeafIndex, IngestError> {
        let (content, received) = match content {
            None => (DraftContent::None, None),
            Some(content) => {
                let (content, digest) = content.into_draft();
                (content, Some(digest.sha256))
            }
        };
        let metadata = Metadata::Custody(record);
        let draft = Draft::new(Kind::TrustMaterial, Class::Custody, metadata, content);
        let acknowledgement = self.record(Submission {
            received_sha256: received.unwrap_or(draft.metadata_sha256),
            drafts: vec![draft],
            client_key: None,
        })?;
        // The writer answers with a leaf for each record it was given.
        let record = acknowledgement.records.first();
        record
            .map(|record| record.leaf.seq)
            .ok_or(IngestError::Submit(crate::sequencer::SubmitError::Stopped))
    }
}

fn key(item: &Item) -> Key {
    let day = item.day.map(|day| day.to_string());
    (item.what.word().to_owned(), day, item.sha256)
}
