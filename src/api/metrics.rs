//! The state of every log in the text format of Prometheus, over HTTP, for whoever watches the service.
//!
//! ```text
//! GET /metrics      text/plain; version=0.0.4
//! ```
//! The figures are those of `Operations.GetStatus`, which is what a monitor may see. Nobody is named by them.

use super::{Service, status};
use crate::access::{Permit, Principal, Role, Standing, Status as StatusAct, authorize};
use crate::archive::LogState;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use std::fmt::Write as _;
use tonic::Status;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const NEVER: HeaderValue = HeaderValue::from_static("no-store");

/// A figure of a log: its name, what it is, and how it is had.
type Figure = (&'static str, &'static str, fn(&LogState) -> u64);

const FIGURES: &[Figure] = &[
    ("leaves", "Leaves of the tree.", |s| s.size.get()),
    (
        "leaves_indexed",
        "Leaves in sorted runs of the index; the others are in memory.",
        |s| s.indexed.get(),
    ),
    (
        "leaves_witnessed",
        "Leaves under the last checkpoint that witnesses cosigned.",
        |s| s.witnessed.get(),
    ),
    (
        "interval_open_start_ms",
        "Start of the interval that records come into, milliseconds UTC.",
        |s| s.interval.start().get(),
    ),
    (
        "intervals_cut",
        "Intervals that are CUT: over, and not CLOSED yet.",
        |s| s.cut as u64,
    ),
    (
        "interval_closed_start_ms",
        "Start of the last interval that is CLOSED, milliseconds UTC; 0 for none.",
        |s| s.closed.map_or(0, |span| span.id.get()),
    ),
    (
        "cuts_suspended",
        "1 while a step of the wall clock suspends cuts.",
        |s| u64::from(s.cuts_suspended),
    ),
    (
        "renewals_due",
        "Packages whose evidence is due to be renewed, and was not.",
        |s| s.renewals.due,
    ),
    (
        "renewals_failing_since_ms",
        "Since when renewals of evidence fail, milliseconds UTC; 0 where none does.",
        |s| s.renewals.failing_since.get(),
    ),
    ("disk_bytes", "Bytes of the store on disk.", |s| {
        s.disk_bytes
    }),
    (
        "scrub_finished_ms",
        "When everything that is held was last checked, milliseconds UTC; 0 for never.",
        |s| s.scrubbed.get(),
    ),
    (
        "damaged",
        "Damages that the check of everything has found.",
        |s| s.damaged,
    ),
];

/// The router of the figures.
pub(super) fn router(service: &Service) -> Router {
    Router::new()
        .route("/metrics", get(answer))
        .with_state(service.clone())
}

async fn answer(
    State(service): State<Service>,
) -> (StatusCode, [(http::HeaderName, HeaderValue); 2], String) {
    let headers = |kind| [(CONTENT_TYPE, kind), (CACHE_CONTROL, NEVER)];
    let inner = service.clone();
    match service.0.reads.run(move || figures(&inner)).await {
        Ok(text) => (StatusCode::OK, headers(TEXT), text),
        // What failed was logged where it became a status.
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            headers(TEXT),
            "# no figures now\n".to_owned(),
        ),
    }
}

fn figures(service: &Service) -> Result<String, Status> {
    let logs = service.0.archive.logs();
    let standings = logs.map(|log| (log.id().clone(), Standing::Role(Role::Monitor)));
    let monitor = Principal::new("metrics", standings.collect());
    let now = service.0.clock.wall();
    let mut states = Vec::new();
    for log in service.0.archive.logs() {
        let permit: Permit<StatusAct> =
            authorize(&monitor, log.id(), now).map_err(|_| status::denied())?;
        let state = log.state(&permit).map_err(|error| status::store(&error))?;
        states.push((log.id(), state));
    }
    let uptime = service.0.clock.monotone().saturating_sub(service.0.started);
    let mut text = String::new();
    let mut say = |line: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = text.write_fmt(line);
        text.push('\n');
    };
    let version = env!("CARGO_PKG_VERSION");
    say(format_args!(
        "# HELP ceralacca_info The software that serves.\n# TYPE ceralacca_info gauge"
    ));
    say(format_args!("ceralacca_info{{version=\"{version}\"}} 1"));
    say(format_args!(
        "# HELP ceralacca_uptime_ms Since the service started.\n# TYPE ceralacca_uptime_ms gauge"
    ));
    say(format_args!("ceralacca_uptime_ms {}", uptime.as_millis()));
    for (name, help, figure) in FIGURES {
        say(format_args!(
            "# HELP ceralacca_{name} {help}\n# TYPE ceralacca_{name} gauge"
        ));
        for (log, state) in &states {
            // The id of a log has no character that would be escaped.
            say(format_args!(
                "ceralacca_{name}{{log=\"{log}\"}} {}",
                figure(state)
            ));
        }
    }
    Ok(text)
}
