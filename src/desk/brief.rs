//! Brief receipts: the original, where it is held too, against the hashes that stand in its place.

use super::search::SearchQuery;
use super::{Desk, DeskError, Shown};
use crate::access::Search;
use crate::store::Order;
use ceralacca_formats::canonical::Text;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::{Field, Metadata};
use ceralacca_pec::brief::{Brief, Comparison};

/// The longest receipt and original that are compared, in bytes: both are in memory meanwhile.
pub const COMPARED_BYTES_MAX: u64 = 192 << 20;

/// A brief receipt, looked into.
pub struct BriefCheck {
    /// Index of the receipt.
    pub receipt: LeafIndex,
    /// What it says of the original.
    pub brief: Brief,
    /// Index of the original or of the envelope that holds it, and what became of each hash; none where neither is
    /// held.
    pub original: Option<(LeafIndex, Comparison)>,
}

impl Desk<'_, Search> {
    /// Holds the original of a brief receipt, an object or the facts of one, against its hashes. A disclosure.
    pub fn check_brief(&self, index: LeafIndex) -> Result<BriefCheck, DeskError> {
        let query = format!("brief receipt index={index}");
        let shown = match self.visible(index) {
            Err(DeskError::NotShown) => {
                self.disclose(&query, &[])?;
                return Err(DeskError::NotShown);
            }
            other => other?,
        };
        let beside = shown.companion().map(|companion| self.visible(companion));
        let (receipt, facts) = match (&shown.metadata, beside.transpose()?) {
            (Some(Metadata::Trace(_)), Some(object)) => (object, shown),
            (Some(Metadata::Object(_)), Some(facts)) => (shown, facts),
            _ => return Err(DeskError::NotBrief(index)),
        };
        let bytes = self.whole(&receipt)?;
        let brief = Brief::of_message(&bytes, &ceralacca_pec::read(&bytes));
        let (Some(Metadata::Trace(said)), Some(brief)) = (&facts.metadata, brief) else {
            return Err(DeskError::NotBrief(index));
        };
        drop(bytes);
        let found = self.original(said.identificativo.as_ref(), said.msgid.as_ref())?;
        let mut disclosed = vec![&receipt, &facts];
        disclosed.extend(&found);
        self.disclose(&query, &disclosed)?;
        let original = match found {
            None => None,
            Some(holder) => {
                let original = self.original_in(&holder)?;
                Some((holder.opened.leaf.seq, brief.compare(&original)))
            }
        };
        Ok(BriefCheck {
            receipt: receipt.opened.leaf.seq,
            brief,
            original,
        })
    }

    /// The envelope of a transaction, or else the message as its author sent it.
    fn original(
        &self,
        identificativo: Option<&Text>,
        msgid: Option<&Text>,
    ) -> Result<Option<Shown>, DeskError> {
        let term = |field, text: &Text| (field, text.as_bytes().to_vec());
        if let Some(identificativo) = identificativo {
            let envelope = (Field::Event, b"posta-certificata".to_vec());
            let terms = vec![term(Field::Identificativo, identificativo), envelope];
            if let Some(facts) = self.first(terms, |shown| shown.companion().is_some())?
                && let Some(companion) = facts.companion()
            {
                return self.visible(companion).map(Some);
            }
        }
        let Some(msgid) = msgid else {
            return Ok(None);
        };
        self.first(vec![term(Field::MessageId, msgid)], |shown| {
            shown.opened.leaf.kind == Kind::Message && shown.opened.has_content()
        })
    }

    /// The first record under these terms that is wanted.
    fn first(
        &self,
        terms: Vec<(Field, Vec<u8>)>,
        wanted: impl Fn(&Shown) -> bool,
    ) -> Result<Option<Shown>, DeskError> {
        let query = SearchQuery {
            terms,
            ..SearchQuery::default()
        };
        let mut beyond = None;
        loop {
            let walk = self.walk(&query, Order::Ascending, 1, beyond)?;
            if let Some(shown) = walk.records.into_iter().find(&wanted) {
                return Ok(Some(shown));
            }
            beyond = walk.stopped_at;
            if beyond.is_none() {
                return Ok(None);
            }
        }
    }

    /// The original inside an envelope, or itself.
    fn original_in(&self, holder: &Shown) -> Result<Vec<u8>, DeskError> {
        let mut bytes = self.whole(holder)?;
        if let Some(range) = ceralacca_pec::read(&bytes).postacert {
            let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
            bytes.truncate(at(range.end));
            bytes.drain(..at(range.start).min(bytes.len()));
        }
        Ok(bytes)
    }

    /// A content in memory.
    fn whole(&self, shown: &Shown) -> Result<Vec<u8>, DeskError> {
        if shown.is_infected() {
            return Err(DeskError::Infected(shown.opened.leaf.seq));
        }
        let length = shown.opened.content.bytes;
        if length > COMPARED_BYTES_MAX {
            return Err(DeskError::TooLarge {
                index: shown.opened.leaf.seq,
                limit: COMPARED_BYTES_MAX,
            });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        let take = |piece: &[u8]| bytes.extend_from_slice(piece);
        shown.opened.content(self.reader.store(), take)?;
        Ok(bytes)
    }
}
