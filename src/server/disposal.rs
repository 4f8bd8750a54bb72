//! Ticks the software clock of every log, takes the steps of disposals that are due, and tells what is overdue.
//!
//! # Invariants
//! 1. One step at a time in a process, each bounded by what is disposed of, with a rest after it
//!    ([`crate::disposal::rest`]): recording goes on beside it as if there were none.
//! 2. The authorities are asked for the time when a log is opened, when the clock stepped, and when a grace is over:
//!    never more often than every [`PAUSE`] after they did not answer.

use crate::ambient::Clock;
use crate::archive::{Archive, Log};
use crate::disposal::{self, DisposalError, DisposalProbe};
use ceralacca_formats::id::LogId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often the software clocks are ticked.
const EVERY: Duration = Duration::from_secs(10);
/// The pause after a step that was refused or failed, and between looks at what is overdue.
const PAUSE: Duration = Duration::from_secs(3600);

/// What is remembered of a log between rounds.
#[derive(Default)]
struct Round {
    /// When a step is tried again, by the monotone clock.
    again: Duration,
    /// When it is looked for what is overdue.
    look: Duration,
    /// The authorities were heard since the start.
    heard: bool,
}

type Rounds = BTreeMap<LogId, Round>;

/// Goes on until told to stop; a step that runs then ends with the process, and goes on after the next start.
pub(super) async fn follow(
    archive: Arc<Archive>,
    clock: Arc<dyn Clock>,
    mut stops: watch::Receiver<bool>,
) {
    let mut rounds = Rounds::new();
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stops.wait_for(|stop| *stop) => return,
        }
        let (archive, clock, stop) = (Arc::clone(&archive), Arc::clone(&clock), stops.clone());
        let round = tokio::task::spawn_blocking(move || {
            for log in archive.logs() {
                let round = rounds.entry(log.id().clone()).or_default();
                tend(log, &*clock, round, &stop);
            }
            rounds
        });
        tokio::select! {
            ended = round => match ended {
                Ok(still) => rounds = still,
                // A panic is a broken invariant of ours: recording goes on, nothing is disposed of.
                Err(_) => return tracing::error!("disposal ended by a panic: nothing more is disposed of"),
            },
            _ = stops.wait_for(|stop| *stop) => return,
        }
    }
}

fn tend(log: &Log, clock: &dyn Clock, round: &mut Round, stop: &watch::Receiver<bool>) {
    let (id, disposer, now) = (log.id(), log.disposer(), clock.monotone());
    if let Err(error) = disposer.tick() {
        let error: &(dyn std::error::Error + 'static) = &error;
        tracing::warn!(%id, error, "the software clock is not kept; disposal is put off");
    }
    if round.look <= now {
        round.look = now.saturating_add(PAUSE);
        look(log);
    }
    let Some(authorities) = log.authorities().filter(|_| round.again <= now) else {
        return;
    };
    let stepped = disposer
        .soft_clock()
        .is_none_or(|clock| clock.step_ms().is_some());
    if !round.heard || stepped {
        disposer.ask_again();
        match disposer.hear(authorities) {
            Ok(heard) => round.heard = heard,
            Err(error) => tell(id, &error),
        }
        if !round.heard {
            round.again = now.saturating_add(PAUSE);
        }
    }
    while !*stop.borrow() {
        let begun = clock.monotone();
        match disposer.advance(authorities, &DisposalProbe::default()) {
            Ok(Some((unit, next))) => {
                let (interval, class, next) = (unit.interval.get(), unit.class, next.word());
                tracing::info!(%id, interval, %class, next, "disposal");
                round.look = now;
                pause(disposal::rest(clock.monotone().saturating_sub(begun)), stop);
            }
            Ok(None) => return,
            Err(error) => {
                round.again = now.saturating_add(PAUSE);
                return tell(id, &error);
            }
        }
    }
}

/// Rests in a thread that may block, until told to stop.
fn pause(rest: Duration, stop: &watch::Receiver<bool>) {
    let mut stop = stop.clone();
    let stopped = async move {
        // Either way the caller looks whether it is to stop.
        let _ = timeout(rest, stop.wait_for(|stop| *stop)).await;
    };
    tokio::runtime::Handle::current().block_on(stopped);
}

fn tell(id: &LogId, error: &DisposalError) {
    let said: &(dyn std::error::Error + 'static) = error;
    match error {
        DisposalError::Holds(_) | DisposalError::Chain(_) | DisposalError::Corrupt(_) => {
            tracing::error!(%id, error = said, "ALARM: nothing is disposed of");
        }
        _ => tracing::warn!(%id, error = said, "nothing is disposed of now; it is tried again"),
    }
}

fn look(log: &Log) {
    let id = log.id();
    match log.disposer().look() {
        Ok(seen) => {
            if let Some((unit, since)) = seen.oldest {
                let (units, interval, class) = (seen.overdue, unit.interval.get(), unit.class);
                let since = since.get();
                tracing::error!(%id, units, interval, %class, since, "ALARM: overdue for disposal");
            }
        }
        Err(error) => tell(id, &error),
    }
}
