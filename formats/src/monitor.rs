//! A log held to its own words: what a monitor trusts, what it is told next, and what it makes of it.
//!
//! ```text
//! newest checkpoint ─▶ look ─▶ Same · First · Prove ──consistency proof──▶ follow ─▶ trusted anew
//!                        └─▶ Finding, with both signed notes: evidence           └─▶ Finding
//!
//! state file   ceralacca-monitor/1\n
//!              since <when the trusted checkpoint was first seen, ms>\n
//!              replayed <leaves rehashed so far>\n
//!              <root of a perfect subtree of those leaves, hex>\n ...     largest first (RFC 9162 2.1)
//!              \n
//!              <note of the trusted checkpoint, verbatim>
//! ```
//!
//! # Invariants
//! 1. A checkpoint becomes trusted only by its signature and a proof from the trusted one before; the first is
//!    trusted by its signature alone, and whoever runs the monitor is told so.
//! 2. What the answers say beside signed notes is never trusted, only compared.
//! 3. Pure: fetching, waiting and keeping files is the caller's.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::id::{LeafIndex, TreeSize, UtcMillis};
use crate::leaf::{Epoch, Leaf, LeafError};
use crate::note::{NoteError, VerifierKey};
use crate::policy::Policy;
use crate::rotation::KeyChain;
use crate::tree::{CompactRange, LeafHash, NodeHash, RootHash, VerifyError, check_consistency};
use crate::witness::AddCheckpoint;

const HEADER: &str = "ceralacca-monitor/1";

/// What a monitor holds against a log. Each is reported with what was signed, and ends the watch.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Finding {
    /// The note is not a checkpoint signed by the key of its time: a bad signature, another origin, a malformed body.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The answer says otherwise than the signed note beside it.
    #[error("the answer says another {0} than the signed checkpoint in it")]
    Stated(&'static str),
    /// A checkpoint smaller than the trusted one.
    #[error("ROLLBACK: the log had {trusted} leaves, and now shows a checkpoint of {found}")]
    Rollback {
        /// Size of the trusted checkpoint.
        trusted: TreeSize,
        /// Size of the one shown now.
        found: TreeSize,
    },
    /// Two signed checkpoints of one size with different roots: no proof can reconcile them.
    #[error("FORK: two signed checkpoints of {0} leaves have different roots")]
    Fork(TreeSize),
    /// The proof does not lead from the trusted checkpoint to the new one.
    #[error("FORK or wrong proof: from {first} to {second} leaves: {error}")]
    Inconsistent {
        /// Size of the earlier checkpoint.
        first: TreeSize,
        /// Size of the later checkpoint.
        second: TreeSize,
        /// What is wrong with the proof.
        error: VerifyError,
    },
    /// The answer with the proof is for other sizes than were asked.
    #[error("asked to prove {asked_first} to {asked_second}, the log answered {first} to {second}")]
    OtherProof {
        /// First size asked for.
        asked_first: TreeSize,
        /// Second size asked for.
        asked_second: TreeSize,
        /// First size answered.
        first: TreeSize,
        /// Second size answered.
        second: TreeSize,
    },
    /// The log signed a size and will not prove it.
    #[error("the log refuses the proof from {first} to {second}: {why}")]
    Refused {
        /// First size asked for.
        first: TreeSize,
        /// Second size asked for.
        second: TreeSize,
        /// What it says.
        why: String,
    },
    /// The checkpoint is not cosigned as the policy asks.
    #[error("checkpoint of {0} leaves is not cosigned by a quorum of witnesses")]
    NotWitnessed(TreeSize),
    /// No new checkpoint, or no new cosignature, for longer than allowed.
    #[error("STALE: nothing new since {since} (milliseconds since 1970), {seconds} seconds ago")]
    Stale {
        /// When something was new last.
        since: UtcMillis,
        /// How long ago.
        seconds: u64,
    },
    /// A leaf that is none.
    #[error("leaf {index}: {error}")]
    Leaf {
        /// Where it stands.
        index: LeafIndex,
        /// What is wrong with it.
        error: LeafError,
    },
    /// A leaf that says another index than its place: repeated, left out, or moved.
    #[error("leaf {place} says it is leaf {says}: repeated, left out or moved")]
    Index {
        /// Where it stands.
        place: LeafIndex,
        /// What it says.
        says: LeafIndex,
    },
    /// A leaf of an earlier writer after those of a later one.
    #[error("leaf {0} is of an earlier epoch than the one before it")]
    EpochFell(LeafIndex),
    /// The leaves end before the size that was signed.
    #[error("GAP: the log gives {found} leaves of {signed}")]
    Gap {
        /// Leaves there are.
        found: TreeSize,
        /// Leaves that were signed.
        signed: TreeSize,
    },
    /// The leaves lead to another root than was signed.
    #[error("the leaves lead to another root than the signed one of {0} leaves")]
    OtherRoot(TreeSize),
}

impl Finding {
    /// A stable word for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Checkpoint(CheckpointError::Note(_)) => "bad-signature",
            Self::Checkpoint(CheckpointError::Body) => "malformed-checkpoint",
            Self::Checkpoint(CheckpointError::OtherOrigin) => "other-origin",
            Self::Stated(_) => "other-statement",
            Self::Rollback { .. } => "rollback",
            Self::Fork(_) => "fork",
            Self::Inconsistent { .. } => "inconsistent",
            Self::OtherProof { .. } => "other-proof",
            Self::Refused { .. } => "proof-refused",
            Self::NotWitnessed(_) => "not-witnessed",
            Self::Stale { .. } => "stale",
            Self::Leaf { .. } => "bad-leaf",
            Self::Index { .. } => "leaf-index",
            Self::EpochFell(_) => "epoch-fell",
            Self::Gap { .. } => "gap",
            Self::OtherRoot(_) => "other-root",
        }
    }
}

/// A checkpoint as the log answers it: the note, and what is said beside it.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// The note.
    pub note: &'a [u8],
    /// The origin it is said to be of.
    pub origin: &'a str,
    /// The size it is said to have.
    pub size: u64,
    /// The root it is said to have.
    pub root: &'a [u8],
}

/// What a monitor goes by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The log's keys: the pinned one, from a source of its own, and those that followed it.
    pub keys: KeyChain,
    /// Whose cosignatures a witnessed checkpoint must have.
    pub policy: Option<Policy>,
    /// How long nothing new is good news, in milliseconds.
    pub stale_ms: Option<u64>,
}

/// What is to be done about a checkpoint that is signed as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// It is the trusted one.
    Same,
    /// There is no trusted one: this becomes it.
    First(Checkpoint),
    /// It is larger: a consistency proof is needed from the trusted one.
    Prove(Checkpoint),
}

impl Rules {
    /// Looks at the newest checkpoint.
    pub fn look(
        &self,
        trusted: Option<&Trusted>,
        answer: &Answer<'_>,
        now: UtcMillis,
    ) -> Result<Next, Finding> {
        let found = self.open(answer)?.0;
        let Some(trusted) = trusted else {
            return Ok(Next::First(found));
        };
        let old = &trusted.checkpoint;
        let (trusted_size, size) = (old.size(), found.size());
        if size < trusted_size {
            let (trusted, found) = (trusted_size, size);
            return Err(Finding::Rollback { trusted, found });
        }
        if size > trusted_size {
            return Ok(Next::Prove(found));
        }
        if old.root() != found.root() {
            return Err(Finding::Fork(size));
        }
        self.fresh(trusted.since, now)?;
        Ok(Next::Same)
    }

    /// Whether a checkpoint is signed by no key that is known: the log's key may have been changed, which its
    /// rotations then prove ([`crate::rotation::follow`]).
    pub fn is_of_unknown_key(&self, note: &[u8]) -> bool {
        let unknown = CheckpointError::Note(NoteError::UnknownSigner);
        self.keys.open(note).is_err_and(|error| error == unknown)
    }

    /// Opens the last witnessed checkpoint: signed by the log, cosigned by a quorum, not too long ago. How long ago is
    /// said by the quorum that cosigned latest: one witness alone, with a clock that runs ahead or with the log, does
    /// not keep an old checkpoint fresh.
    pub fn look_witnessed(
        &self,
        answer: &Answer<'_>,
        now: UtcMillis,
    ) -> Result<Checkpoint, Finding> {
        let (found, cosigned) = self.open(answer)?;
        let policy = self.policy.clone().unwrap_or_default();
        if !policy.is_met(cosigned.iter().map(|(key, _)| key)) {
            return Err(Finding::NotWitnessed(found.size()));
        }
        let mut latest_first: Vec<_> = cosigned.iter().collect();
        latest_first.sort_by_key(|(_, seconds)| std::cmp::Reverse(*seconds));
        let mut by = Vec::with_capacity(latest_first.len());
        let quorum = latest_first.into_iter().find(|(key, _)| {
            by.push(key);
            policy.is_met(by.iter().copied())
        });
        if let Some((_, seconds)) = quorum {
            self.fresh(UtcMillis::new(seconds.saturating_mul(1000)), now)?;
        }
        Ok(found)
    }

    fn open(&self, answer: &Answer<'_>) -> Result<(Checkpoint, Vec<(VerifierKey, u64)>), Finding> {
        let witnesses = self.policy.as_ref().map_or(Vec::new(), Policy::keys);
        self.keys.open(answer.note)?;
        let keys: Vec<&VerifierKey> = self.keys.keys().collect();
        let opened = Checkpoint::open_cosigned(answer.note, &keys, &witnesses)?;
        let checkpoint = &opened.0;
        for (what, agrees) in [
            ("origin", checkpoint.origin().as_str() == answer.origin),
            ("size", checkpoint.size().get() == answer.size),
            ("root", checkpoint.root().as_bytes() == answer.root),
        ] {
            if !agrees {
                return Err(Finding::Stated(what));
            }
        }
        Ok(opened)
    }

    /// Something was new not too long ago.
    pub fn fresh(&self, since: UtcMillis, now: UtcMillis) -> Result<(), Finding> {
        let age = now.get().saturating_sub(since.get());
        match self.stale_ms {
            Some(limit) if age > limit => Err(Finding::Stale {
                since,
                seconds: age / 1000,
            }),
            _ => Ok(()),
        }
    }
}

/// A consistency proof as the log answers it.
#[derive(Clone, Debug)]
pub struct Proof<'a> {
    /// First size it is said to be for.
    pub first: u64,
    /// Second size it is said to be for.
    pub second: u64,
    /// Its hashes.
    pub path: &'a [NodeHash],
}

/// Checks that one checkpoint continues another, both signed; the first is the smaller.
pub fn follow(first: &Checkpoint, second: &Checkpoint, proof: &Proof<'_>) -> Result<(), Finding> {
    let asked = (first.size(), second.size());
    let answered = (TreeSize::new(proof.first), TreeSize::new(proof.second));
    if asked != answered {
        return Err(Finding::OtherProof {
            asked_first: asked.0,
            asked_second: asked.1,
            first: answered.0,
            second: answered.1,
        });
    }
    let (old, new) = ((asked.0, first.root()), (asked.1, second.root()));
    check_consistency(old, new, proof.path).map_err(|error| Finding::Inconsistent {
        first: asked.0,
        second: asked.1,
        error,
    })
}

/// Two signed checkpoints and the proof between them, as a file: a request to a witness, who would refuse it.
pub fn evidence(first: &Checkpoint, second: &str, path: &[NodeHash]) -> String {
    let request = AddCheckpoint {
        old: first.size(),
        proof: path.to_vec(),
        note: second.to_owned(),
    };
    request.to_text()
}

/// What a monitor has made sure of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trusted {
    /// The last checkpoint that followed from those before.
    pub checkpoint: Checkpoint,
    /// When it was first seen.
    pub since: UtcMillis,
    /// The leaves that were rehashed; nothing where no replay was asked for.
    pub replayed: Replay,
}

/// Why a state file is refused: the monitor's own, so somebody else wrote it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StateError {
    /// Not the lines of a state file.
    #[error("state is malformed")]
    Malformed,
    /// Its checkpoint is not the pinned log's.
    #[error("state: checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The leaves replayed are more than the checkpoint has, or lead to another root.
    #[error("state: the replayed leaves are not those of its checkpoint")]
    Replayed,
}

impl Trusted {
    /// A checkpoint trusted from now on.
    pub fn new(checkpoint: Checkpoint, since: UtcMillis) -> Self {
        Self {
            checkpoint,
            since,
            replayed: Replay::default(),
        }
    }

    /// The text of the state file.
    pub fn to_text(&self) -> String {
        let range = &self.replayed.range;
        let (since, size) = (self.since.get(), range.size());
        let mut out = format!("{HEADER}\nsince {since}\nreplayed {size}\n");
        for node in range.nodes() {
            out.push_str(&format!("{node}\n"));
        }
        out.push('\n');
        out.push_str(self.checkpoint.note());
        out
    }

    /// Reads a state file, and holds it to the log's keys.
    pub fn parse(text: &[u8], keys: &KeyChain) -> Result<Self, StateError> {
        let text = std::str::from_utf8(text).map_err(|_| StateError::Malformed)?;
        let (head, note) = text.split_once("\n\n").ok_or(StateError::Malformed)?;
        let (since, range) = read_head(head).ok_or(StateError::Malformed)?;
        let checkpoint = keys.open(note.as_bytes())?.0;
        let (size, signed) = (range.size(), checkpoint.size());
        if size > signed || (size == signed && range.root() != checkpoint.root()) {
            return Err(StateError::Replayed);
        }
        Ok(Self {
            checkpoint,
            since: UtcMillis::new(since),
            replayed: Replay { range, epoch: None },
        })
    }
}

fn read_head(head: &str) -> Option<(u64, CompactRange)> {
    let mut lines = head.split('\n');
    if lines.next()? != HEADER {
        return None;
    }
    let since = lines.next()?.strip_prefix("since ")?.parse().ok()?;
    let size = lines.next()?.strip_prefix("replayed ")?.parse().ok()?;
    let nodes = lines.map(NodeHash::from_hex).collect::<Option<Vec<_>>>()?;
    Some((since, CompactRange::new(TreeSize::new(size), nodes)?))
}

/// The leaves of a log, rehashed one after the other.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Replay {
    range: CompactRange,
    epoch: Option<Epoch>,
}

impl Replay {
    /// The leaf that comes next.
    pub fn next(&self) -> LeafIndex {
        LeafIndex::new(self.range.size().get())
    }

    /// Takes the next leaf: 64 bytes that say this index, of no earlier writer than the one before.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Finding> {
        let index = self.next();
        let leaf = Leaf::from_bytes(bytes).map_err(|error| Finding::Leaf { index, error })?;
        if leaf.seq != index {
            let (place, says) = (index, leaf.seq);
            return Err(Finding::Index { place, says });
        }
        if self.epoch.is_some_and(|epoch| leaf.epoch < epoch) {
            return Err(Finding::EpochFell(index));
        }
        self.epoch = Some(leaf.epoch);
        self.range.push(LeafHash::of(bytes), |_, _, _| {});
        Ok(())
    }

    /// The leaves are those of the checkpoint: as many, with its root.
    pub fn finish(&self, checkpoint: &Checkpoint) -> Result<(), Finding> {
        let (found, signed) = (self.range.size(), checkpoint.size());
        if found != signed {
            return Err(Finding::Gap { found, signed });
        }
        let root: RootHash = self.range.root();
        let agrees = root == checkpoint.root();
        agrees.then_some(()).ok_or(Finding::OtherRoot(signed))
    }
}

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
