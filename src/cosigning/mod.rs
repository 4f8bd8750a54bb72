//! Asking witnesses to cosign what a log published.
//!
//! ```text
//! every few seconds, for each log:
//!   intervals cut since ─▶ their checkpoints, oldest first ─┐
//!   the newest published checkpoint ────────────────────────┴─▶ all witnesses at once ─▶ quorum? keep
//! ```
//!
//! # Invariants
//! 1. Never in the way of the writer: it reads what was published, on threads of its own, with time limits.
//! 2. An interval's checkpoint is asked for before anything larger, since a witness does not go back; it is given
//!    up only where those that do not say they are beyond it already are no quorum: one witness's word gives up nothing.
//! 3. Between them checkpoints are skipped: of many published in a round the newest is asked for.
//! 4. Nothing of a witness is trusted but a cosignature that verifies under its configured key.

mod ask;

pub use ask::{Ask, BuildError};

use crate::ambient::Clock;
use crate::archive::{Archive, Log};
use crate::store::Rows;
use crate::store::cf::checkpoint::{Checkpoints, Kept};
use crate::witnessed::{KeepError, Rule, WitnessState};
use ask::{Asked, Trouble};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::id::{LogId, TreeSize};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;

/// Checkpoints asked for in a round; the rest in the next.
const TARGETS_MAX: usize = 16;

/// One log and its witnesses.
pub struct Cosigning {
    archive: Arc<Archive>,
    log: LogId,
    ask: Ask,
    clock: Arc<dyn Clock>,
    states: Vec<WitnessState>,
    /// Up to which size checkpoints were asked for, or given up.
    done: TreeSize,
}

/// A checkpoint to be asked for.
struct Target {
    checkpoint: Arc<Checkpoint>,
    is_interval: bool,
}

impl Cosigning {
    /// For a log whose archive has a rule.
    pub fn new(archive: Arc<Archive>, log: LogId, ask: Ask, clock: Arc<dyn Clock>) -> Self {
        let (mut states, mut done) = (Vec::new(), TreeSize::default());
        if let Some(log) = archive.log(&log) {
            let last = log.witnessed().last();
            done = last.map_or(done, |last| last.size());
            let rule = log.witnessed().rule().cloned().unwrap_or_default();
            states = fresh_states(&rule);
            log.witnessed().report(states.clone());
        }
        Self {
            archive,
            log,
            ask,
            clock,
            states,
            done,
        }
    }

    /// Asks for ever, with this pause between rounds. Ends when it is dropped.
    pub async fn run(mut self, pause: Duration) {
        loop {
            self.round().await;
            tokio::time::sleep(pause).await;
        }
    }

    /// One round: what is due, asked for and kept.
    pub async fn round(&mut self) {
        for target in self.targets().await {
            let size = target.checkpoint.size();
            let witnessed = self.witness(&target).await;
            let given_up = !target.is_interval || !self.can_be_met();
            if witnessed || given_up {
                // A newest one that found no quorum is asked for again as long as it is the newest.
                if witnessed || target.is_interval {
                    self.done = self.done.max(size);
                }
                continue;
            }
            // An interval's checkpoint waits for its quorum, and so do those after it.
            break;
        }
    }

    /// Whether the witnesses that are not ahead are a quorum.
    fn can_be_met(&self) -> bool {
        let Some(log) = self.archive.log(&self.log) else {
            return false;
        };
        let rule = log.witnessed().rule().cloned().unwrap_or_default();
        let ahead = Some(Trouble::Ahead.word());
        let states = rule.policy.witnesses().iter().zip(&self.states);
        let others = states.filter(|(_, state)| state.trouble != ahead);
        rule.policy.is_met(others.map(|(witness, _)| &witness.key))
    }

    /// What is to be asked for, smallest first.
    async fn targets(&self) -> Vec<Target> {
        let (archive, id, done) = (Arc::clone(&self.archive), self.log.clone(), self.done);
        let read = tokio::task::spawn_blocking(move || {
            let log = archive.log(&id)?;
            Some(due(log, done))
        });
        read.await.ok().flatten().unwrap_or_default()
    }

    /// Asks all witnesses at once; whether a quorum cosigned.
    async fn witness(&mut self, target: &Target) -> bool {
        let archive = Arc::clone(&self.archive);
        let Some(log) = archive.log(&self.log) else {
            return false;
        };
        let rule = log.witnessed().rule().cloned().unwrap_or_default();
        let witnesses = rule.policy.witnesses().iter().zip(&self.states);
        let asked = witnesses.map(|(witness, state)| {
            let place = (&self.archive, &self.log);
            self.ask
                .cosign(place, witness, &target.checkpoint, state.size)
        });
        let asked: Vec<Asked> = join_all(asked).await;
        let mut cosigned = target.checkpoint.only_by(&log.witnessed().keys());
        for (state, asked) in self.states.iter_mut().zip(asked) {
            if let Some(size) = asked.size {
                state.size = size;
            }
            state.trouble = match asked.line {
                Ok(line) => {
                    state.at = Some(self.clock.wall());
                    cosigned = cosigned.with_lines(&line);
                    None
                }
                Err(trouble) => {
                    tracing::warn!(witness = %state.name, trouble = trouble.word(), "not cosigned");
                    Some(trouble.word())
                }
            };
        }
        log.witnessed().report(self.states.clone());
        let (archive, id) = (Arc::clone(&self.archive), self.log.clone());
        let kept = tokio::task::spawn_blocking(move || {
            archive.log(&id).map(|log| log.witnessed().keep(&cosigned))
        });
        match kept.await {
            Ok(Some(Ok(_))) => true,
            Ok(Some(Err(KeepError::NoQuorum(_)))) => false,
            Ok(Some(Err(error))) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "keep a checkpoint"
                );
                false
            }
            Ok(None) | Err(_) => false,
        }
    }
}

fn fresh_states(rule: &Rule) -> Vec<WitnessState> {
    let states = rule.policy.witnesses().iter().map(|witness| WitnessState {
        name: witness.key.name().to_owned(),
        size: TreeSize::default(),
        at: None,
        trouble: None,
    });
    states.collect()
}

/// Checkpoints of intervals cut beyond a size, and the newest one beyond them.
fn due(log: &Log, done: TreeSize) -> Vec<Target> {
    let published = log.reader().published();
    let mut cuts: Vec<TreeSize> = published.spans.iter().filter_map(|span| span.cut).collect();
    cuts.retain(|size| *size > done);
    cuts.dedup();
    let mut targets = Vec::new();
    for size in cuts.iter().take(TARGETS_MAX) {
        // The row is written in the batch of the cut: what is missing or damaged, `fsck` tells.
        let note = log.reader().store().read::<Checkpoints>(&Kept::Own(*size));
        let note = note.ok().flatten();
        let checkpoint = note.and_then(|note| {
            let keys = log.witnessed().keys();
            let opened = Checkpoint::open_cosigned(note.as_bytes(), &keys, &[]).ok()?;
            Some(opened.0)
        });
        targets.extend(checkpoint.map(|checkpoint| Target {
            checkpoint: Arc::new(checkpoint),
            is_interval: true,
        }));
    }
    let newest = &published.checkpoint;
    let last = cuts.last().copied().unwrap_or(done);
    if cuts.len() <= TARGETS_MAX && newest.size() > last {
        targets.push(Target {
            checkpoint: Arc::clone(newest),
            is_interval: false,
        });
    }
    targets
}
