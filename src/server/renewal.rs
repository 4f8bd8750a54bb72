//! Renews the evidence of every log that has who stamps for it, once a day, and tells what was done.

use crate::archive::Archive;
use crate::seal::{Probe, RenewalRules};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// How often it is planned: margins are of months.
const EVERY: Duration = Duration::from_secs(86_400);

/// Goes on until told to stop; a renewal that runs is then left at its step, and goes on at the next start.
pub(super) async fn follow(
    archive: Arc<Archive>,
    rules: RenewalRules,
    mut stops: watch::Receiver<bool>,
) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stops.wait_for(|stop| *stop) => return,
        }
        let (archive, rules, stops) = (Arc::clone(&archive), rules.clone(), stops.clone());
        let renewing = move || renew(&archive, &rules, &stops);
        // A panic is a broken invariant of ours: the service goes on, without renewals.
        if tokio::task::spawn_blocking(renewing).await.is_err() {
            return tracing::error!("the renewal of evidence ended by a panic");
        }
    }
}

fn renew(archive: &Archive, rules: &RenewalRules, stops: &watch::Receiver<bool>) {
    for log in archive.logs() {
        let Some(authorities) = log.authorities() else {
            continue;
        };
        let id = log.id();
        while !*stops.borrow() {
            match log.renew_next(rules, &*authorities.stamper, &Probe::default()) {
                Ok(Some(renewed)) => {
                    let (kind, packages) = (renewed.record.kind.word(), renewed.record.packages);
                    tracing::info!(%id, kind, packages, leaf = %renewed.leaf, "evidence renewed");
                }
                Ok(None) => break,
                Err(error) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::warn!(%id, error, "evidence is not renewed; it is tried again");
                    break;
                }
            }
        }
    }
}
