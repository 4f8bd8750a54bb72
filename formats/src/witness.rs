//! What a witness is asked, and what it checks before it cosigns (C2SP tlog-witness, `add-checkpoint`).
//!
//! ```text
//! old <tree size, decimal>\n
//! <base64 hash>\n ...                        consistency proof from that size, at most 63
//! \n
//! <checkpoint note, verbatim>
//!
//! refused  404 origin unknown · 403 no good signature of the log · 400 malformed, or old above the new size
//!          409 old is not the size cosigned last (answered: that size) · 422 the proof does not hold
//! ```
//! The same text is the evidence that a monitor keeps of two checkpoints that do not agree.
//!
//! # Invariants
//! 1. What is let through continues the checkpoint cosigned last: never smaller, never forked.
//! 2. The caller keeps the new checkpoint durably before a cosignature over it leaves ([`judge`] decides, the
//!    caller is atomic).

use crate::checkpoint::{Checkpoint, CheckpointError, claimed_origin};
use crate::id::TreeSize;
use crate::note::{NOTE_BYTES_MAX, VerifierKey};
use crate::tree::{NodeHash, RootHash, VerifyError, check_consistency};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The most hashes in a request.
pub const PROOF_MAX: usize = 63;
/// The largest request, in bytes: its lines, and a note.
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + 4096;

/// A request to cosign a checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint that the witness cosigned last, as the log believes.
    pub old: TreeSize,
    /// Consistency proof from that size.
    pub proof: Vec<NodeHash>,
    /// The note of the new checkpoint.
    pub note: String,
}

/// Why a witness does not cosign.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Not the lines of a request, or the note is no checkpoint.
    #[error("request is malformed")]
    Malformed,
    /// A log this witness does not know.
    #[error("origin is not known here")]
    UnknownOrigin,
    /// No good signature of a key of the log, or a bad one of a known key.
    #[error("checkpoint is not signed by the log")]
    Unsigned,
    /// The old size is above the new one.
    #[error("old size is above the size of the checkpoint")]
    OldAboveNew,
    /// The old size is not that of the checkpoint cosigned last: ask again from this one.
    #[error("the checkpoint cosigned last has {known} leaves")]
    Conflict {
        /// The size cosigned last.
        known: TreeSize,
    },
    /// The proof does not lead from the checkpoint cosigned last to this one: a fork, or a wrong proof.
    #[error("consistency: {0}")]
    Inconsistent(#[from] VerifyError),
}

impl Refusal {
    /// The HTTP status of the protocol.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::OldAboveNew => 400,
            Self::Unsigned => 403,
            Self::UnknownOrigin => 404,
            Self::Conflict { .. } => 409,
            Self::Inconsistent(_) => 422,
        }
    }
}

impl AddCheckpoint {
    /// The text of the request.
    pub fn to_text(&self) -> String {
        let mut out = format!("old {}\n", self.old);
        for hash in &self.proof {
            STANDARD.encode_string(hash.as_bytes(), &mut out);
            out.push('\n');
        }
        out.push('\n');
        out.push_str(&self.note);
        out
    }

    /// Reads the text of a request; nothing is verified yet.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        Self::read(text).ok_or(Refusal::Malformed)
    }

    fn read(text: &[u8]) -> Option<Self> {
        if text.len() > REQUEST_BYTES_MAX {
            return None;
        }
        let (head, note) = std::str::from_utf8(text).ok()?.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = lines.next()?.strip_prefix("old ")?;
        let size: u64 = old.parse().ok()?;
        let mut proof = Vec::new();
        for line in lines {
            let hash: [u8; 32] = STANDARD.decode(line).ok()?.try_into().ok()?;
            if proof.len() == PROOF_MAX {
                return None;
            }
            proof.push(NodeHash::from_bytes(hash));
        }
        (size.to_string() == old).then(|| Self {
            old: TreeSize::new(size),
            proof,
            note: note.to_owned(),
        })
    }
}

/// Decides on a request: the verified checkpoint, which continues the one cosigned last. `known` are the keys of
/// every log this witness knows; `last` is what it cosigned last for an origin.
pub fn judge<E>(
    request: &AddCheckpoint,
    known: &[VerifierKey],
    last: impl FnOnce(&Checkpoint) -> Result<Option<(TreeSize, RootHash)>, E>,
) -> Result<Result<Checkpoint, Refusal>, E> {
    let checkpoint = match open(request, known) {
        Ok(checkpoint) => checkpoint,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (size, root) = last(&checkpoint)?.unwrap_or((TreeSize::default(), RootHash::empty()));
    if request.old > checkpoint.size() {
        return Ok(Err(Refusal::OldAboveNew));
    }
    if request.old != size {
        return Ok(Err(Refusal::Conflict { known: size }));
    }
    let new = (checkpoint.size(), checkpoint.root());
    let consistent = check_consistency((size, root), new, &request.proof);
    Ok(match consistent {
        Ok(()) => Ok(checkpoint),
        Err(error) => Err(error.into()),
    })
}

fn open(request: &AddCheckpoint, known: &[VerifierKey]) -> Result<Checkpoint, Refusal> {
    let origin = claimed_origin(request.note.as_bytes()).ok_or(Refusal::Malformed)?;
    let keys = known.iter().filter(|key| key.name() == origin.as_str());
    let keys: Vec<&VerifierKey> = keys.collect();
    if keys.is_empty() {
        return Err(Refusal::UnknownOrigin);
    }
    let opened = Checkpoint::open_cosigned(request.note.as_bytes(), &keys, &[]);
    match opened {
        Ok((checkpoint, _)) => Ok(checkpoint),
        Err(CheckpointError::Note(error)) => Err(match error {
            crate::note::NoteError::BadSignature | crate::note::NoteError::UnknownSigner => {
                Refusal::Unsigned
            }
            _ => Refusal::Malformed,
        }),
        Err(CheckpointError::Body | CheckpointError::OtherOrigin) => Err(Refusal::Malformed),
    }
}

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;
