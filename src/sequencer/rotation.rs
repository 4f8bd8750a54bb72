//! Another key for the log: the second half, after the leaf that says so is durable.
//!
//! ```text
//! batch 1   key-event leaf, new tip, seed of the next key          (`Writer::rotate`)
//! sign      the tip, with both keys
//! batch 2   the next key in force, the retired one on record, the checkpoint kept
//! ```
//!
//! # Invariants
//! 1. Nothing is recorded between the batches: whoever finds the first without the second completes it, before
//!    all else, and signs the same bytes.
//! 2. The checkpoint that both keys signed is that of the tree which the key event completes, and is kept.
//!
//! # Crash
//! Before batch 1 nothing happened. After it the rotation happens: the next open completes it. Never is there a
//! second one, and never a leaf without its key.

use crate::keyring::{self, KeyError, Keyring};
use crate::store::cf::checkpoint::{Checkpoints, Kept};
use crate::store::cf::leaf::Leaves;
use crate::store::cf::state::{Rotation, State, StateRow, Tip};
use crate::store::{Batch, Rows, Store, StoreError};
use ceralacca_formats::checkpoint::{Checkpoint, CheckpointError};
use ceralacca_formats::id::{LeafIndex, Origin};
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::note::NoteSigner;

/// Why a rotation is not completed. Opening the log again tries it again.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be had.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The checkpoint could not be signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// There is a key to come, and the last leaf is no key event. An alarm: restore from a copy.
    #[error("the last leaf is not the key event of the rotation under way: restore from a copy")]
    NoEvent,
}

/// A rotation that is in force.
pub struct Rotated {
    /// Signs from here on.
    pub signer: NoteSigner,
    /// Signed by both keys, and kept.
    pub checkpoint: Checkpoint,
}

/// Puts the next key in force, where a rotation is under way.
pub fn complete(
    store: &dyn Store,
    keyring: &Keyring,
    retired: &NoteSigner,
    origin: &Origin,
    tip: Tip,
) -> Result<Option<Rotated>, RotateError> {
    let mut batch = Batch::new();
    let Some(signer) = keyring.successor(store, origin, &mut batch)? else {
        return Ok(None);
    };
    let event = tip.size.get().checked_sub(1).map(LeafIndex::new);
    let event = event.ok_or(RotateError::NoEvent)?;
    let leaf = store.read::<Leaves>(&event)?;
    if leaf.is_none_or(|leaf| leaf.kind != Kind::KeyEvent) {
        return Err(RotateError::NoEvent);
    }
    let checkpoint = Checkpoint::sign_both(retired, &signer, origin, tip.size, tip.root)?;
    let chain = keyring::chain(store, retired.verifier())?;
    let number = u32::try_from(chain.rotations()).map_err(|_| KeyError::TooManyRotations)?;
    let row = StateRow::Rotation(Rotation {
        number,
        event,
        retired: retired.verifier().clone(),
    });
    batch.put::<State>(&row.key(), &row);
    let note = checkpoint.note().to_owned();
    batch.put::<Checkpoints>(&Kept::Own(tip.size), &note);
    let row = StateRow::Note(note);
    batch.put::<State>(&row.key(), &row);
    store.commit(&batch)?;
    // From here on the rotation is in force.
    Ok(Some(Rotated { signer, checkpoint }))
}
