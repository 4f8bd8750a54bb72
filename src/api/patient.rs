//! A stream that a blocking thread fills: its client is waited for, but not for ever, for it holds the thread meanwhile.

use super::blocking::Blocking;
use super::status;
use futures_util::stream::{BoxStream, StreamExt};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Pieces that may wait for a client.
const PIECES_MAX: usize = 4;

/// Where answers go.
pub(super) struct Patient<T> {
    sender: mpsc::Sender<Result<T, Status>>,
    patience: Duration,
    runtime: Handle,
}

impl<T> Patient<T> {
    /// Whether the client took it.
    pub(super) fn send(&self, answer: T) -> bool {
        let sending = self.sender.send_timeout(Ok(answer), self.patience);
        self.runtime.block_on(sending).is_ok()
    }
}

/// Has `give` fill a stream, on a thread that may block. A refusal before the first answer is the status of the call,
/// not an error inside a stream that began well.
pub(super) async fn stream<T: Send + 'static>(
    threads: Blocking,
    patience: Duration,
    give: impl FnOnce(&Patient<T>) -> Result<(), Status> + Send + 'static,
) -> Result<BoxStream<'static, Result<T, Status>>, Status> {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    tokio::spawn(async move {
        let patient = Patient {
            sender: sender.clone(),
            patience,
            runtime: Handle::current(),
        };
        if let Err(status) = threads.run(move || give(&patient)).await {
            // Nobody is left to hear it when this fails.
            let _ = sender.send(Err(status)).await;
        }
    });
    let mut answers = ReceiverStream::new(receiver);
    let first = answers.next().await;
    let first = first.unwrap_or_else(|| Err(status::internal()))?;
    let first = futures_util::stream::once(async { Ok(first) });
    Ok(first.chain(answers).boxed())
}
