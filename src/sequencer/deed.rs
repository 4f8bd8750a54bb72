//! Deeds: what is decided in the writer's thread, so that nothing is recorded between the decision and its batch.
//!
//! A hold set, released, an erasure: each looks at what is kept (holds above all) and writes rows beside its leaves.
//!
//! # Invariants
//! 1. What [`Moment`] shows is what the batch is written upon: the writer records nothing meanwhile.
//! 2. Rows and leaves of a deed become durable in one batch, or none of them does; it is answered after that.
//! 3. A deed that is refused writes nothing.
//!
//! # Not here
//! What may be done, and by whom: the caller's.

use super::{Sequencer, Span, SubmitError};
use crate::ambient::Entropy;
use crate::keyring::Keyring;
use crate::record::prepare::Draft;
use crate::store::{Batch, Store};
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use tokio::sync::oneshot;

/// The log at the moment of a deed.
pub struct Moment<'a> {
    /// What is kept.
    pub store: &'a dyn Store,
    /// Its secrets.
    pub keyring: &'a Keyring,
    /// Randomness for what is encrypted.
    pub entropy: &'a dyn Entropy,
    /// The intervals, in order; the last is open.
    pub spans: &'a [Span],
    /// The index that the first leaf of the deed gets; the others follow.
    pub next: LeafIndex,
    /// The time its leaves get.
    pub time: UtcMillis,
}

impl Moment<'_> {
    /// The interval of a leaf; of one that is to come, the open one.
    pub fn interval_of(&self, index: LeafIndex) -> Option<IntervalId> {
        // Spans are in order of their first index; empty ones share it with the next.
        let after = self.spans.partition_point(|span| span.first <= index);
        let span = after.checked_sub(1).and_then(|at| self.spans.get(at));
        span.map(|span| span.id)
    }
}

/// Decides: the leaves to record, with the rows it added to the batch; none when it is refused.
pub(super) type Deed = Box<dyn FnOnce(&Moment<'_>, &mut Batch) -> Option<Vec<Draft>> + Send>;

impl Sequencer {
    /// Has the writer decide and record a deed: `decide` adds its rows to the batch and gives its leaves, in order, and
    /// what the caller is told once all of it is durable. On its error nothing is written.
    pub fn perform<T, E>(
        &self,
        decide: impl FnOnce(&Moment<'_>, &mut Batch) -> Result<(Vec<Draft>, T), E> + Send + 'static,
    ) -> Result<Result<T, E>, SubmitError>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (decided, decision) = oneshot::channel();
        let deed: Deed = Box::new(move |moment, batch| {
            let (drafts, told) = match decide(moment, batch) {
                Ok((drafts, told)) => (Some(drafts), Ok(told)),
                Err(refusal) => (None, Err(refusal)),
            };
            // The caller looks only after the batch.
            let _ = decided.send(told);
            drafts
        });
        self.ask_deed(deed)?;
        decision.blocking_recv().map_err(|_| SubmitError::Stopped)
    }
}
