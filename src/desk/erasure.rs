//! Single erasure: proposed, confirmed, and what is told of it afterwards.

use super::{Desk, DeskError};
use crate::access::{Erase, Erasures};
use crate::audit::ReadError;
use crate::custody::{self, CustodyError, Erasure};
use crate::erasures::{self, KeptErasure};
use crate::record::open::RecordError;
use crate::store::cf::Family;
use ceralacca_formats::erasure::Ground;
use ceralacca_formats::id::LeafIndex;

/// What is told of an erasure.
#[derive(Clone, Debug)]
pub struct ErasedRecord {
    /// All that is kept of it.
    pub kept: KeptErasure,
    /// Its class.
    pub class: ceralacca_formats::leaf::Class,
}

impl Desk<'_, Erase> {
    /// Proposes to erase a record; gives the leaf that says so.
    pub fn propose_erasure(
        &self,
        record: LeafIndex,
        ground: Ground,
        statement: &str,
    ) -> Result<LeafIndex, DeskError> {
        let erasure = self.erasure(record, ground, statement);
        Ok(self.custodian.propose_erasure(erasure)?)
    }

    /// Erases a record whose erasure another principal proposed; gives the leaf that says so. What follows, the bytes in
    /// files and the certificate, is [`crate::archive::Log::complete_erasure`]'s.
    pub fn erase(&self, record: LeafIndex, statement: &str) -> Result<LeafIndex, DeskError> {
        // The ground is that of the proposal.
        let erasure = self.erasure(record, Ground::ContractEnd, statement);
        // Beside the writer, who brings what is in memory to tables before that batch.
        self.reader.store().flush(Family::OF_AN_INTERVAL)?;
        Ok(self.custodian.erase(erasure)?)
    }

    fn erasure(&self, record: LeafIndex, ground: Ground, statement: &str) -> Erasure {
        Erasure {
            record,
            ground,
            role: self.permit.role().word().into(),
            detail: custody::detail(self.permit, None, statement),
        }
    }
}

impl Desk<'_, Erasures> {
    /// What is kept of the erasure of a record. A disclosure: it names who asked and who confirmed.
    pub fn erasure_of(&self, record: LeafIndex) -> Result<ErasedRecord, DeskError> {
        let query = format!("erasure record={record}");
        let refused = match self.permit.is_limited() {
            true => DeskError::NotShown,
            false => CustodyError::NotErased(record).into(),
        };
        let (store, keyring) = (self.reader.store(), self.reader.keyring());
        let kept = erasures::find(store, keyring, record).map_err(CustodyError::from)?;
        let Some(kept) = kept.filter(|kept| kept.erased.is_some()) else {
            self.disclose(&query, &[])?;
            return Err(refused);
        };
        if !self.might_have_seen(record)? {
            self.disclose(&query, &[])?;
            return Err(refused);
        }
        let class = self.reader.leaf(&self.published, record)?.class;
        let recorded = self
            .disclosures
            .record(self.permit, &query, &[(record, class)]);
        recorded.map_err(DeskError::Disclosure)?;
        Ok(ErasedRecord { kept, class })
    }
}

impl<A> Desk<'_, A> {
    /// Whether the permit would have covered a record that was erased: it goes by the record of its facts.
    pub(super) fn might_have_seen(&self, record: LeafIndex) -> Result<bool, DeskError> {
        if !self.permit.is_limited() {
            return Ok(true);
        }
        let (store, keyring) = (self.reader.store(), self.reader.keyring());
        let kept = erasures::find(store, keyring, record).map_err(CustodyError::from)?;
        let facts = kept.and_then(|kept| kept.erased);
        let Some(facts) = facts.and_then(|(row, _)| row.facts) else {
            return Ok(false);
        };
        match self.reader.record(&self.published, facts) {
            Ok(facts) => Ok(facts
                .metadata()
                .is_ok_and(|facts| self.permit.covers(&facts))),
            Err(ReadError::Record(RecordError::Erased { .. })) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
