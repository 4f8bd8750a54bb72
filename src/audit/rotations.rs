//! Rotations of the log's key: their proofs for whoever pinned an older one, and their check.

use super::{ReadError, Reader};
use crate::keyring::{self, Keyring};
use crate::record::open;
use crate::sequencer::Published;
use crate::store::cf::checkpoint::{Checkpoints, Kept};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::state::Rotation;
use crate::store::{Rows, Store};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::id::{IntervalId, TreeSize};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::ProofFile;

impl Reader {
    /// The proofs of the rotations from a number on whose checkpoints are of at most `until` leaves, in order: each the
    /// key event under the checkpoint that both keys signed. Fewer than the limit means that there are no more.
    pub fn rotations(
        &self,
        state: &Published,
        first: u32,
        limit: usize,
        until: TreeSize,
    ) -> Result<Vec<ProofFile>, ReadError> {
        let mut proofs = Vec::new();
        for rotation in keyring::rotations(&*self.store, first).take(limit) {
            let rotation = rotation?;
            let size = rotation.size();
            // Put in force after this state was taken, or held back with its checkpoint.
            if size > until.min(state.tip.size) {
                break;
            }
            let note = self.store.read::<Checkpoints>(&Kept::Own(size))?;
            proofs.push(ProofFile {
                record: self.record(state, rotation.event)?.proven(),
                index: rotation.event,
                path: self.inclusion(state, rotation.event, size)?,
                note: note.ok_or(ReadError::Missing("the checkpoint of a rotation"))?,
            });
        }
        Ok(proofs)
    }
}

/// What of a rotation is not as it was written, if anything: its key event, and the checkpoint that both keys signed,
/// whose root is compared with the tree as that of every kept one.
pub(super) fn damage(
    store: &dyn Store,
    keyring: &Keyring,
    interval: Option<IntervalId>,
    rotation: &Rotation,
    successor: &VerifierKey,
) -> Option<String> {
    let event = match store.read::<Leaves>(&rotation.event) {
        Ok(Some(leaf)) => leaf,
        Ok(None) => return Some("its key event is missing".to_owned()),
        Err(error) => return Some(format!("its key event: {error}")),
    };
    let opened = interval.map(|interval| open::open(store, keyring, interval, event));
    let Some(Ok(metadata)) = opened.map(|opened| opened.and_then(|opened| opened.metadata()))
    else {
        return Some("its key event does not open".to_owned());
    };
    let expected = Metadata::Custody(CustodyRecord::KeyRotation {
        old: rotation.retired.to_string().into(),
        new: successor.to_string().into(),
    });
    if metadata != expected {
        return Some("its key event names other keys".to_owned());
    }
    let note = match store.read::<Checkpoints>(&Kept::Own(rotation.size())) {
        Ok(Some(note)) => note,
        Ok(None) => return Some("its checkpoint is missing".to_owned()),
        Err(error) => return Some(format!("its checkpoint: {error}")),
    };
    for (key, which) in [(&rotation.retired, "retired"), (successor, "new")] {
        if let Err(error) = Checkpoint::open(note.as_bytes(), key) {
            return Some(format!("its checkpoint, under the {which} key: {error}"));
        }
    }
    None
}
