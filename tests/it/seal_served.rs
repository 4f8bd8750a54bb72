//! The shipped program closes intervals by itself, and by command where no service runs.

use crate::support::program::{out, status};
use crate::support::tls::Installation;
use crate::support::*;
use ceralacca::ambient::{Clock, SystemClock, SystemEntropy};
use ceralacca::archive::{Log, Settings};
use ceralacca::ingest::Submission;
use ceralacca::seal_key::{self, DevelopmentFiles};
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::leaf::Class;
use serde_json::Value;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const LOG: &str = "gestore-1";

/// An installation whose service stopped so many days ago.
pub(crate) fn stopped(days: u64) -> Installation {
    let installation = Installation::plain(&[LOG], "");
    let now = SystemClock::default().wall().get();
    let files = DevelopmentFiles::beside(&installation.path("master.key"));
    seal_key::make(&files, UtcMillis::new(now), &SystemEntropy).unwrap();
    let clock = MovableClock::at(now - days * DAY_MS);
    let settings = Settings {
        clock: clock as Arc<dyn Clock>,
        ..Settings::default()
    };
    let log = Log::open(&installation.log(LOG), &master(), &settings).unwrap();
    for record in traces(1, 30) {
        let submission = Submission::trace(Class::Trace, record, None);
        ingest(&log).record(submission).unwrap();
    }
    log.stop().unwrap();
    installation
}

fn status_of(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    assert_eq!(status(&output), 0, "{output:?}");
    let found: Value = serde_json::from_str(&out(&output)).unwrap();
    found["logs"][0].clone()
}

#[test]
fn a_server_stopped_for_three_days_cuts_and_closes_what_it_missed() {
    let served = stopped(3).serve();
    let folder = tempfile::tempdir().unwrap();
    let mut found = Value::Null;
    for _ in 0..600 {
        found = status_of(&mut served.command(folder.path(), &["status", "--json"]));
        if found["intervals_cut"] == 0 && found["closed_leaf"] != 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(found["cuts_suspended"], false, "{found}");
    assert_eq!(found["intervals_cut"], 0, "{found}");
    let (open, closed) = (&found["interval_ms"], &found["closed_interval_ms"]);
    let (open, closed) = (open.as_u64().unwrap(), closed.as_u64().unwrap());
    assert_eq!(
        open - closed,
        DAY_MS,
        "every interval but the open one is closed"
    );
    let packages = served.installation.log(LOG).join("packages");
    assert_eq!(std::fs::read_dir(packages).unwrap().count(), 3);
    let told = out(&served.command(folder.path(), &["status"]).output().unwrap());
    assert!(told.contains("not yet closed  0"), "{told}");
}

#[test]
fn seal_closes_logs_at_rest_and_says_that_the_time_is_not_proven() {
    let installation = stopped(2);
    let seal = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        command
            .arg("seal")
            .arg("--config")
            .arg(installation.path("c.toml"));
        command.args(arguments).output().unwrap()
    };
    let output = seal(&["--json"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let found: Value = serde_json::from_str(&out(&output)).unwrap();
    let closed = found["closed"].as_array().unwrap();
    assert_eq!(closed.len(), 2, "{found}");
    assert!(closed.iter().all(|one| one["proven"] == false));
    // An epoch record and thirty; then the next writer's epoch, and that its clock was suspended and confirmed.
    assert_eq!(closed[0]["records"], 34);
    let output = seal(&[]);
    assert_eq!(
        (status(&output), &out(&output)[..]),
        (0, "0 intervals closed\n")
    );
    assert!(check_directory(&installation.log(LOG)).is_clean());
    std::fs::remove_dir_all(installation.path("sviluppo")).unwrap();
    let output = seal(&[]);
    assert_eq!(status(&output), 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no seal key"));
}
