//! What a monitor reads of the service, as Prometheus reads it, with curl.

use crate::seal_served::{LOG, stopped};
use crate::support::program::{out, status};
use crate::support::tls::Installation;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

fn curl(arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    let output = command
        .args(["-s", "--max-time", "20"])
        .args(arguments)
        .output();
    let output = output.expect("curl");
    assert_eq!(status(&output), 0, "{output:?}");
    out(&output)
}

/// Samples by name and labels; every one has a HELP and a TYPE before it, once.
fn samples(text: &str) -> BTreeMap<String, u64> {
    let mut declared = Vec::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(kind, "gauge");
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
            assert!(!declared.contains(&name.to_owned()), "{name} twice");
            declared.push(name.to_owned());
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            assert!(declared.iter().any(|d| d == name), "{line}");
            let value = value.parse().unwrap();
            assert_eq!(samples.insert(sample.to_owned(), value), None, "{line}");
        }
    }
    samples
}

fn with_metrics(installation: Installation) -> Installation {
    let path = installation.path("c.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let table = "[metrics]\nlisten = \"127.0.0.1:0\"\n[limits]";
    std::fs::write(path, config.replace("[limits]", table)).unwrap();
    installation
}

#[test]
fn metrics_tell_what_status_tells_cut_and_closed_among_it_and_nothing_else_is_there() {
    let served = with_metrics(stopped(3)).serve();
    let url = served.metrics.clone().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let of_log = |name: &str| format!("ceralacca_{name}{{log=\"{LOG}\"}}");
    for _ in 0..600 {
        let found = samples(&curl(&[&url]));
        if found[&of_log("intervals_cut")] == 0 && found[&of_log("interval_closed_start_ms")] != 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let text = curl(&["-i", &url]);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let found = samples(body);
    let told = served
        .command(folder.path(), &["status", "--json"])
        .output();
    let told: Value = serde_json::from_str(&out(&told.unwrap())).unwrap();
    let told = &told["logs"][0];
    for (name, in_status) in [
        ("leaves", "tree_size"),
        ("interval_open_start_ms", "interval_ms"),
        ("intervals_cut", "intervals_cut"),
        ("interval_closed_start_ms", "closed_interval_ms"),
        ("leaves_witnessed", "witnessed_size"),
        ("damaged", "damaged"),
        ("renewals_due", "renewals_due"),
        ("renewals_failing_since_ms", "renewals_failing_ms"),
    ] {
        assert_eq!(
            found[&of_log(name)],
            told[in_status].as_u64().unwrap(),
            "{name}"
        );
    }
    assert_eq!(found[&of_log("cuts_suspended")], 0);
    assert!(found[&of_log("disk_bytes")] > 0);
    assert!(found["ceralacca_uptime_ms"] > 0);
    let root = url.strip_suffix("/metrics").unwrap();
    assert!(curl(&["-i", root]).starts_with("HTTP/1.1 404"));
    assert!(curl(&["-i", "-X", "POST", &url]).starts_with("HTTP/1.1 405"));
    assert!(curl(&["-i", &format!("{root}/checkpoint")]).starts_with("HTTP/1.1 404"));
}
