//! Where async ends: RocksDB blocks, so each use case runs on a thread of its own for as long as it takes,
//! at most so many at a time.

use super::status;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tonic::Status;

/// Runs blocking work, at most a fixed number at a time; more waits in line.
#[derive(Clone)]
pub(super) struct Blocking(Arc<Semaphore>);

impl Blocking {
    pub(super) fn new(threads: usize) -> Self {
        Self(Arc::new(Semaphore::new(threads.max(1))))
    }

    /// Runs it to its end, whether or not the caller still waits.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        let permit = permit.map_err(|_| status::stopping())?;
        let running = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        // A panic is a broken invariant of ours; the writer, on its own thread, is not touched by it.
        running.await.unwrap_or_else(|_| Err(status::internal()))
    }
}
