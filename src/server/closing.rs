//! Closes every interval that was cut, and proves the time where the clock stepped.
//!
//! # Invariants
//! 1. One closing at a time in a process; recording goes on beside it.
//! 2. What fails is tried again, ever less often up to five minutes; from [`ALARM_MS`] after the end of an interval on,
//!    half of what the law allows, it is an alarm each time.
//! 3. What an erasure left to be done is done, at the start and now and then.
//! 4. Cuts that wait for proven time go on when an authority confirms the wall clock.

use crate::ambient::Clock;
use crate::archive::{Archive, Log};
use crate::seal::{Authorities, Probe, SealError};
use ceralacca_formats::id::LogId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is looked for what is to be closed.
const EVERY: Duration = Duration::from_secs(1);
/// How many rounds lie between two looks for erasures that are not complete: ten minutes.
const ERASURE_ROUNDS: u64 = 600;
/// The longest pause after a failure.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// An interval that is not closed so long after its end is an alarm, in milliseconds: twelve hours.
pub const ALARM_MS: u64 = 12 * 60 * 60 * 1000;

/// When a log that failed is tried again, by the monotone clock, and after which pause.
type Pauses = BTreeMap<LogId, (Duration, Duration)>;

/// Goes on until told to stop; a closing that runs then ends with the process, and goes on after the next start.
pub async fn follow(
    archive: Arc<Archive>,
    clock: Arc<dyn Clock>,
    mut stops: watch::Receiver<bool>,
) {
    let mut pauses = Pauses::new();
    let mut rounds = 0u64;
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stops.wait_for(|stop| *stop) => return,
        }
        let (archive, clock) = (Arc::clone(&archive), Arc::clone(&clock));
        let look = rounds.is_multiple_of(ERASURE_ROUNDS);
        rounds = rounds.wrapping_add(1);
        let round = tokio::task::spawn_blocking(move || {
            for log in archive.logs() {
                tend(log, &*clock, &mut pauses);
                if look {
                    complete(log);
                }
            }
            pauses
        });
        tokio::select! {
            ended = round => match ended {
                Ok(still) => pauses = still,
                // A panic is a broken invariant of ours: recording goes on, and the state says what is cut.
                Err(_) => return tracing::error!("closing ended by a panic: intervals stay cut"),
            },
            _ = stops.wait_for(|stop| *stop) => return,
        }
    }
}

fn tend(log: &Log, clock: &dyn Clock, pauses: &mut Pauses) {
    let Some(authorities) = log.authorities() else {
        return;
    };
    let (id, now) = (log.id(), clock.monotone());
    if pauses.get(id).is_some_and(|(at, _)| *at > now) {
        return;
    }
    let done = log
        .sealer()
        .confirm_clock(authorities)
        .and_then(|confirmed| {
            if confirmed {
                tracing::info!(%id, "the clock is confirmed: cuts go on");
            }
            close(log, authorities)
        });
    match done {
        Ok(()) => {
            pauses.remove(id);
        }
        Err(error) => {
            let before = pauses.get(id).map_or(EVERY, |(_, pause)| *pause);
            let pause = before.saturating_mul(2).min(PAUSE_MAX);
            pauses.insert(id.clone(), (now.saturating_add(pause), pause));
            let waiting = log
                .sealer()
                .due()
                .map_or(0, |span| clock.wall().get().saturating_sub(span.end.get()));
            let error: &(dyn std::error::Error + 'static) = &error;
            if waiting > ALARM_MS {
                tracing::error!(%id, error, waiting, "ALARM: an interval is not closed");
            } else {
                tracing::warn!(%id, error, "an interval is not closed; it is tried again");
            }
        }
    }
}

/// Makes up for what follows an erasure and was not done: bytes in files, the certificate.
fn complete(log: &Log) {
    if let Err(error) = log.complete_erasures() {
        let error: &(dyn std::error::Error + 'static) = &error;
        tracing::warn!(id = %log.id(), error, "an erasure is not complete; it is tried again");
    }
}

fn close(log: &Log, authorities: &Authorities) -> Result<(), SealError> {
    while let Some(sealed) = log.close_next(authorities, &Probe::default())? {
        let closing = &sealed.closing;
        let records = closing.size.get().saturating_sub(closing.first.get());
        let (interval, leaf) = (closing.interval.get(), sealed.leaf.get());
        let proven = closing.is_proven;
        tracing::info!(id = %log.id(), interval, records, leaf, proven, "interval closed");
    }
    Ok(())
}
