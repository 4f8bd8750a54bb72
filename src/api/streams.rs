//! The streams of `Audit`: checkpoints as they are published, leaves for a replay.
//!
//! # Invariants
//! 1. Nothing is queued for a client that does not read: of checkpoints it gets the newest when it does, of leaves
//!    a fixed number of pieces waits, and reading goes on when one is taken.
//! 2. A slow client holds no thread. One that takes nothing for [`super::Limits::stream_idle`] loses its replay.
//! 3. When the service stops, checkpoints end well, and a replay ends as one to be taken up again at its last index.

use super::auth::Caller;
use super::{Service, audit, status, v1};
use crate::access::{Checkpoint, Permit, Prove};
use crate::audit::Kept;
use crate::desk::{Desk, DeskError};
use bytes::Bytes;
use ceralacca_formats::id::{LeafIndex, TreeSize};
use ceralacca_formats::leaf::LEAF_BYTES;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// The least time between two checkpoints of a stream, in milliseconds: groups follow each other faster.
const EVERY_MS_MIN: u32 = 250;
/// The most, in milliseconds.
const EVERY_MS_MAX: u32 = 3_600_000;
/// Pieces of a replay that wait for its client, 256 KiB each.
const PIECES_MAX: usize = 2;

/// A stream of checkpoints: what was sent last, and when to look again.
struct Watch {
    service: Service,
    caller: Caller,
    log: String,
    last: Option<TreeSize>,
    ticks: Interval,
    stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

/// Each checkpoint that is published from now on, beginning with the last one.
pub(super) fn checkpoints(
    service: &Service,
    caller: Caller,
    request: v1::WatchCheckpointsRequest,
) -> Result<BoxStream<'static, Result<v1::WatchCheckpointsResponse, Status>>, Status> {
    if request.every_ms > EVERY_MS_MAX {
        let (found, limit) = (u64::from(request.every_ms), u64::from(EVERY_MS_MAX));
        return Err(status::over_limit("every_ms", found, limit));
    }
    // Whoever may not see checkpoints is told at once, and not inside the stream.
    service.permit::<Checkpoint>(&caller, &request.log)?;
    let place = Arc::clone(&service.0.watches).try_acquire_owned();
    let place = place.map_err(|_| status::too_many_streams())?;
    let every = Duration::from_millis(u64::from(request.every_ms.max(EVERY_MS_MIN)));
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watch = Watch {
        service: service.clone(),
        caller,
        log: request.log,
        last: None,
        ticks,
        stopping: service.0.stopping.subscribe(),
        _place: place,
    };
    // Polled when the client has taken what was sent before: what is newest is decided then.
    let following = stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        match watch.next().await? {
            Ok(checkpoint) => Some((Ok(checkpoint), Some(watch))),
            Err(status) => Some((Err(status), None)),
        }
    });
    Ok(following.boxed())
}

impl Watch {
    /// The next checkpoint; none when the service stops.
    async fn next(&mut self) -> Option<Result<v1::WatchCheckpointsResponse, Status>> {
        loop {
            tokio::select! {
                biased;
                // An error says that the service is gone.
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                _ = self.ticks.tick() => {}
            }
            match self.look() {
                // Nothing is witnessed yet, and what is not is held back.
                Ok(None) => {}
                Ok(Some(kept)) if self.last == Some(kept.size) => {}
                Ok(Some(kept)) => {
                    self.last = Some(kept.size);
                    return Some(Ok(v1::WatchCheckpointsResponse {
                        note: kept.note,
                        tree_size: kept.size.get(),
                        root: Bytes::copy_from_slice(kept.root.as_bytes()),
                    }));
                }
                Err(status) => return Some(Err(status)),
            }
        }
    }

    /// Asks for the permit again each time: a grant may have ended meanwhile.
    fn look(&self) -> Result<Option<Kept>, Status> {
        let permit = self.service.permit::<Checkpoint>(&self.caller, &self.log)?;
        let desk = self.service.log(&permit)?.desk(&permit);
        match desk.map_err(|_| status::denied())?.last() {
            Ok(kept) => Ok(Some(kept)),
            Err(DeskError::NotWitnessed) => Ok(None),
            Err(error) => Err(status::desk(error)),
        }
    }
}

type Piece = Result<v1::GetLeavesResponse, Status>;

/// The leaves of a range, in pieces.
pub(super) async fn leaves(
    service: &Service,
    permit: Permit<Prove>,
    request: &v1::GetLeavesRequest,
) -> Result<BoxStream<'static, Piece>, Status> {
    let place = Arc::clone(&service.0.replays).acquire_owned().await;
    let place = place.map_err(|_| status::stopping())?;
    let (first, size) = (
        LeafIndex::new(request.first_index),
        audit::size(request.tree_size),
    );
    let begin = move |desk: &Desk<'_, Prove>| {
        let end = desk.replay_end(first, size).map_err(status::desk)?;
        let checkpoint = desk.note_of(end).map_err(status::desk)?;
        let leaves = desk.leaves(first, end).map_err(status::desk)?;
        Ok((end, checkpoint, leaves))
    };
    let begun = service.at_desk(permit.clone(), begin).await?;
    let (end, checkpoint, leaves) = begun.into_inner();
    let mut replay = Replay {
        service: service.clone(),
        permit,
        next: first,
        end,
    };
    let head = v1::GetLeavesResponse {
        tree_size: end.get(),
        checkpoint,
        ..replay.piece(leaves)
    };
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    tokio::spawn(async move {
        replay.run(&sender).await;
        drop(place);
    });
    let head = stream::once(async { Ok(head) });
    Ok(head.chain(ReceiverStream::new(receiver)).boxed())
}

/// A replay under way.
struct Replay {
    service: Service,
    permit: Permit<Prove>,
    next: LeafIndex,
    end: TreeSize,
}

impl Replay {
    fn piece(&mut self, leaves: Vec<u8>) -> v1::GetLeavesResponse {
        let first_index = self.next.get();
        let count = (leaves.len() / LEAF_BYTES) as u64;
        self.next = LeafIndex::new(first_index.saturating_add(count));
        v1::GetLeavesResponse {
            first_index,
            leaves: leaves.into(),
            ..v1::GetLeavesResponse::default()
        }
    }

    async fn run(&mut self, sender: &mpsc::Sender<Piece>) {
        let patience = self.service.0.limits.stream_idle;
        let stopping = self.service.0.stopping.subscribe();
        while self.next.is_within(self.end) {
            let is_stopping = *stopping.borrow();
            let piece = match is_stopping {
                true => Err(status::stopping()),
                false => self.read().await,
            };
            let last = piece.is_err();
            // Who takes nothing for so long, or has gone, hears no more of it.
            if sender.send_timeout(piece, patience).await.is_err() || last {
                return;
            }
        }
    }

    async fn read(&mut self) -> Piece {
        let (first, end) = (self.next, self.end);
        let read = move |desk: &Desk<'_, Prove>| desk.leaves(first, end).map_err(status::desk);
        let leaves = self.service.at_desk(self.permit.clone(), read).await?;
        Ok(self.piece(leaves.into_inner()))
    }
}
