//! Renews the evidence of every log that has who stamps for it, once a day, and tells what was done and what was not.
//!
//! # Invariants
//! 1. What is due is renewed at the next look: at the start, then a day after the last that went well.
//! 2. What fails is tried again, ever less often up to an hour, and told each time; it is an alarm once something
//!    ended, or after [`ALARM_MS`].
//! 3. Evidence that is due and waits for the table of algorithms, or for an authority whose tokens last, is an alarm at
//!    each look.

use crate::ambient::Clock;
use crate::archive::{Archive, Log};
use crate::seal::{Probe, RenewalRules, RenewalState, SealError};
use ceralacca_evidence::ers::renewal::Urgency;
use ceralacca_formats::id::{LogId, UtcMillis};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is seen whether a look is due.
const EVERY: Duration = Duration::from_secs(1);
/// How long after a look that went well the next one is: margins are of months.
const DAY: Duration = Duration::from_secs(86_400);
/// The shortest and the longest pause after a failure.
const PAUSE: Duration = Duration::from_secs(60);
const PAUSE_MAX: Duration = Duration::from_secs(3600);
/// What fails so long is an alarm, in milliseconds: a week, of the half year before an end.
pub const ALARM_MS: u64 = 7 * 86_400_000;

/// When it is looked next, by the monotone clock, and the pause that led there after a failure.
type Looks = BTreeMap<LogId, (Duration, Duration)>;

/// Goes on until told to stop; a renewal that runs is then left at its step, and goes on at the next start.
pub async fn follow(
    archive: Arc<Archive>,
    rules: RenewalRules,
    clock: Arc<dyn Clock>,
    mut stops: watch::Receiver<bool>,
) {
    let mut looks = Looks::new();
    loop {
        let (archive, rules) = (Arc::clone(&archive), rules.clone());
        let (clock, stop) = (Arc::clone(&clock), stops.clone());
        let round = move || {
            for log in archive.logs() {
                tend(log, &rules, &*clock, &mut looks, &stop);
            }
            looks
        };
        // A panic is a broken invariant of ours: the service goes on, without renewals.
        match tokio::task::spawn_blocking(round).await {
            Ok(still) => looks = still,
            Err(_) => return tracing::error!("the renewal of evidence ended by a panic"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stops.wait_for(|stop| *stop) => return,
        }
    }
}

fn tend(
    log: &Log,
    rules: &RenewalRules,
    clock: &dyn Clock,
    looks: &mut Looks,
    stop: &watch::Receiver<bool>,
) {
    let (id, now) = (log.id(), clock.monotone());
    let (next, before) = looks.get(id).copied().unwrap_or_default();
    if next > now || log.authorities().is_none() {
        return;
    }
    let failed = renew(log, rules, stop).err();
    let pause = match failed {
        None => DAY,
        Some(_) => before.saturating_mul(2).clamp(PAUSE, PAUSE_MAX),
    };
    let kept = failed.as_ref().map_or(Duration::ZERO, |_| pause);
    looks.insert(id.clone(), (now.saturating_add(pause), kept));
    match failed {
        // A closing has its turn first; nothing is wrong.
        Some(SealError::Busy) => {}
        failed => tell(log, rules, clock.wall(), failed.as_ref()),
    }
}

/// Renews what is due.
fn renew(log: &Log, rules: &RenewalRules, stop: &watch::Receiver<bool>) -> Result<(), SealError> {
    let Some(authorities) = log.authorities() else {
        return Ok(());
    };
    let id = log.id();
    while !*stop.borrow() {
        let renewed = log.renew_next(rules, &*authorities.stamper, &Probe::default())?;
        let Some(renewed) = renewed else {
            return Ok(());
        };
        let (kind, packages) = (renewed.record.kind.word(), renewed.record.packages);
        tracing::info!(%id, kind, packages, leaf = %renewed.leaf, "evidence renewed");
    }
    Ok(())
}

/// Keeps and tells how it stands after a look.
fn tell(log: &Log, rules: &RenewalRules, now: UtcMillis, failed: Option<&SealError>) {
    let id = log.id();
    let before = log.sealer().renewals();
    let planned = log.sealer().planned(rules);
    let steps = planned.iter().flatten().map(|one| &one.step);
    let due = steps.clone().filter(|step| step.is_due()).count() as u64;
    let is_late = steps.clone().any(|step| step.urgency == Urgency::Late);
    let is_failing = failed.is_some() || planned.is_err() || due > 0;
    let failing_since = match before.failing_since {
        _ if !is_failing => UtcMillis::default(),
        since if since == UtcMillis::default() => now,
        since => since,
    };
    log.sealer().note_renewals(RenewalState {
        looked: now,
        // What cannot be counted now is as it was.
        due: if planned.is_ok() { due } else { before.due },
        failing_since,
    });
    let error = failed.or(planned.as_ref().err());
    let long = is_failing && now.get().saturating_sub(failing_since.get()) >= ALARM_MS;
    match error {
        None if due > 0 => tracing::error!(
            %id,
            due,
            "ALARM: evidence is due and waits: for a hash in the table that lasts, or an authority whose tokens do"
        ),
        None => {}
        Some(error) => {
            let error: &(dyn std::error::Error + 'static) = error;
            if is_late || long {
                tracing::error!(%id, due, error, "ALARM: evidence is not renewed");
            } else {
                tracing::warn!(%id, due, error, "evidence is not renewed; it is tried again");
            }
        }
    }
}
