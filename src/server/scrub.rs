//! Scrubs every log, a little each second, and tells what is damaged.

use super::config::Scrubbing;
use crate::ambient::Clock;
use crate::archive::Archive;
use ceralacca_formats::id::LogId;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// How often it goes on.
const EVERY: Duration = Duration::from_secs(1);

/// Goes on until told to stop; a tick that runs is then waited for by the runtime, not here.
pub(super) async fn follow(
    archive: Arc<Archive>,
    clock: Arc<dyn Clock>,
    scrubbing: Scrubbing,
    mut stops: watch::Receiver<bool>,
) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = BTreeSet::new();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stops.wait_for(|stop| *stop) => return,
        }
        let (archive, clock) = (Arc::clone(&archive), Arc::clone(&clock));
        let ticks = move || {
            tick(&archive, &*clock, scrubbing, &mut told);
            told
        };
        // A panic is a broken invariant of ours: the service goes on, without a scrub.
        match tokio::task::spawn_blocking(ticks).await {
            Ok(still) => told = still,
            Err(_) => return tracing::error!("the scrub ended by a panic"),
        }
    }
}

fn tick(archive: &Archive, clock: &dyn Clock, scrubbing: Scrubbing, told: &mut BTreeSet<LogId>) {
    for log in archive.logs() {
        let id = log.id();
        match log.scrub_tick(clock.wall(), scrubbing.every_ms, scrubbing.bytes_per_second) {
            Err(error) => {
                // Once, not each second.
                if told.insert(id.clone()) {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::warn!(%id, error, "the scrub cannot go on; it is tried again");
                }
            }
            Ok(ticked) => {
                told.remove(id);
                for found in &ticked.findings {
                    let (item, why, hangs) = (&found.item, &found.why, &found.hangs);
                    tracing::error!(%id, item, why, hangs, "DAMAGED");
                }
                if ticked.ended {
                    tracing::info!(%id, "scrubbed");
                }
            }
        }
    }
}
