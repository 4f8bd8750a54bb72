//! The shipped program: it says why nothing is disposed of, and does so where everything allows it.

use super::*;
use crate::support::program::{out, status};
use crate::support::tls::Installation;
use ceralacca::ambient::{Clock, SystemClock, SystemEntropy};
use ceralacca::seal_key::{self, DevelopmentFiles};
use serde_json::Value;

const LOG: &str = "gestore-1";

/// An installation whose first interval was closed days ago, under an authority of others; served, it has the embedded one.
fn installation() -> Installation {
    let installation = Installation::plain(&[LOG], "");
    let now = SystemClock::default().wall().get();
    let files = DevelopmentFiles::beside(&installation.path("master.key"));
    seal_key::make(&files, UtcMillis::new(now), &SystemEntropy).unwrap();
    let clock = MovableClock::at(now - 3 * DAY_MS);
    let sealing = Sealing::named(&clock, true, "uno");
    let settings = Settings {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..Settings::default()
    };
    let log = Log::open(&installation.log(LOG), &master(), &settings).unwrap();
    for record in traces(1, 10) {
        let submission = Submission::trace(Class::Trace, record, None);
        ingest(&log).record(submission).unwrap();
    }
    for _ in 0..2 {
        clock.pass(DAY_MS);
        log.tick().unwrap();
        close_all(&log, &sealing);
    }
    log.stop().unwrap();
    installation
}

#[test]
fn a_served_archive_says_in_words_why_nothing_is_disposed_of() {
    let served = installation().serve();
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| served.command(folder.path(), arguments).output().unwrap();
    let plan = run(&["dispose", "plan", "--all", "--json"]);
    assert_eq!(status(&plan), 1, "{plan:?}");
    let plan: Value = serde_json::from_str(&out(&plan)).unwrap();
    assert_eq!(plan["time_proven"], false);
    let said = plan["time_english"].as_str().unwrap();
    assert!(
        said.contains("only the embedded development authority answered"),
        "{said}"
    );
    let said = plan["time_italian"].as_str().unwrap();
    assert!(said.contains("autorità di sviluppo incorporata"), "{said}");
    let kept = &plan["units"][0];
    assert_eq!(
        (&kept["verdict"], &kept["unit"]["class"]),
        (&"kept".into(), &"trace".into())
    );
    assert!(
        kept["italian"]
            .as_str()
            .unwrap()
            .contains("art. 11, comma 2")
    );
    let told = out(&run(&["dispose", "plan"]));
    assert!(told.starts_with("NOTHING IS DISPOSED OF: "), "{told}");
    let refused = run(&["dispose", "intend"]);
    assert_eq!(status(&refused), 2);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("TIME_NOT_PROVEN"), "{why}");
    let refused = run(&["dispose", "approve", "0", &"00".repeat(32)]);
    assert_eq!(status(&refused), 2, "{refused:?}");
    let nothing = run(&["dispose", "status", "--json"]);
    assert_eq!(status(&nothing), 0, "{nothing:?}");
    let nothing: Value = serde_json::from_str(&out(&nothing)).unwrap();
    assert_eq!(nothing, serde_json::json!({ "intents": [], "units": [] }));
    let none = run(&["dispose", "certificate", "0/trace", "--out", "c.p7m"]);
    let why = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(why.contains("NO_DISPOSAL_CERTIFICATE"), "{why}");
    let state: Value = serde_json::from_str(&out(&run(&["status", "--json"]))).unwrap();
    assert_eq!(
        (&state["logs"][0]["overdue"], &state["logs"][0]["disposals"]),
        (&0.into(), &0.into())
    );
}
