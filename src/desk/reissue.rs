//! The *duplicato*: an object's exact bytes, with the proofs of its record and of its facts.

use super::{Desk, DeskError, Shown};
use crate::access::{Infected, Permit, Reissue};
use crate::record::open::RecordError;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::metadata::Metadata;

/// An object that is to be given again. Its disclosure is recorded.
pub struct Duplicato<'a> {
    desk: &'a Desk<'a, Reissue>,
    /// The object.
    pub object: Shown,
    /// Its proof file.
    pub proof: String,
    /// The trace record of its facts, and the proof file of that.
    pub facts: Option<(Shown, String)>,
}

impl Duplicato<'_> {
    /// Hands out the bytes, part by part, and checks their digests at the end: on an error what was taken is
    /// not the object.
    pub fn content(&self, take: impl FnMut(&[u8])) -> Result<(), RecordError> {
        self.object.opened.content(self.desk.reader.store(), take)
    }
}

impl Desk<'_, Reissue> {
    /// The object at an index, or the one beside the trace record at it. A disclosure. An infected message is not given
    /// so ([`Desk::infected`]).
    pub fn duplicato(&self, index: LeafIndex) -> Result<Duplicato<'_>, DeskError> {
        self.given(index, false)
    }

    /// An infected message, taken out of its isolation by who may. A disclosure that says so.
    pub fn infected(
        &self,
        _: &Permit<Infected>,
        index: LeafIndex,
    ) -> Result<Duplicato<'_>, DeskError> {
        self.given(index, true)
    }

    fn given(&self, index: LeafIndex, infected: bool) -> Result<Duplicato<'_>, DeskError> {
        let query = match infected {
            true => format!("infected index={index}"),
            false => format!("duplicato index={index}"),
        };
        let asked = match self.visible(index) {
            Err(DeskError::NotShown) => {
                self.disclose(&query, &[])?;
                return Err(DeskError::NotShown);
            }
            other => other?,
        };
        let beside = match asked.companion() {
            Some(companion) => Some(self.visible(companion)?),
            None => None,
        };
        let (object, facts) = match (&asked.metadata, beside) {
            (Some(Metadata::Trace(_)), Some(object)) => (object, Some(asked)),
            (_, facts) if asked.opened.has_content() => (asked, facts),
            _ => return Err(DeskError::NoObject(index)),
        };
        match (object.is_infected(), infected) {
            (true, false) => return Err(DeskError::Infected(object.opened.leaf.seq)),
            (false, true) => return Err(DeskError::NotInfected(object.opened.leaf.seq)),
            _ => {}
        }
        let proof = self.proof_of(&object)?;
        let facts = match facts {
            None => None,
            Some(facts) => {
                let proof = self.proof_of(&facts)?;
                Some((facts, proof))
            }
        };
        let mut shown = vec![&object];
        shown.extend(facts.iter().map(|(facts, _)| facts));
        self.disclose(&query, &shown)?;
        Ok(Duplicato {
            desk: self,
            object,
            proof,
            facts,
        })
    }
}
