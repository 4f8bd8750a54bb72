//! `ceralacca retention explain`: the rule as the built program tells it, wherever the machine believes to be.

use crate::support::program::{cannot, out, status};
use serde_json::Value;
use std::process::{Command, Output};

fn explain_in(zone: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ceralacca"))
        .args(["retention", "explain"])
        .args(arguments)
        .env("TZ", zone)
        .output()
        .unwrap()
}

fn explain(arguments: &[&str]) -> Output {
    explain_in("UTC", arguments)
}

fn told(arguments: &[&str]) -> Value {
    let output = explain(&[arguments, &["--json"]].concat());
    assert_eq!(status(&output), 0, "{output:?}");
    serde_json::from_str(&out(&output)).unwrap()
}

#[test]
fn the_end_of_a_term_is_told_in_both_languages_with_its_article() {
    let output = explain(&[
        "--class",
        "trace",
        "--ingest",
        "2023-06-25",
        "--at",
        "2025-12-27",
    ]);
    assert_eq!(status(&output), 0);
    let text = out(&output);
    for line in [
        "Last day   2025-12-27, kept whole",
        "May go     from 2025-12-28 00:00:00 +01:00 (2025-12-27T23:00:00.000Z)",
        "by DPR 68/2005 art. 11(2), through 2025-12-27, 2025-12-25 being a holiday",
        "ai sensi dell'art. 11, comma 2, del d.P.R. 11 febbraio 2005, n. 68",
        "2025-12-26T23:00:00.000Z: KEEP",
        "Non eliminabile prima di 2025-12-27T23:00:00.000Z.",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn the_published_vectors_come_out_whatever_zone_the_machine_is_in() {
    let vectors = [
        ("2023-05-15", "2025-11-15"),
        ("2023-08-31", "2026-02-28"),
        ("2021-08-31", "2024-02-29"),
        ("2024-02-29", "2026-08-29"),
        ("2023-07-01", "2026-01-02"),
        ("2023-10-06", "2026-04-07"),
        ("2023-10-25", "2026-04-27"),
        ("2025-04-04", "2027-10-05"),
        ("2015-09-17", "2018-03-17"),
    ];
    for (start, last) in vectors {
        let arguments = ["--class", "receipt", "--ingest", start, "--json"];
        let answers = ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
            .map(|zone| out(&explain_in(zone, &arguments)));
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0], answers[2]);
        let told: Value = serde_json::from_str(&answers[0]).unwrap();
        assert_eq!(told["start"], start);
        assert_eq!(told["last"], last);
    }
}

#[test]
fn the_start_is_the_latest_and_an_event_of_2099_moves_nothing() {
    let ingest = ["--class", "justice", "--ingest", "2024-01-10T12:00:00Z"];
    let with = |more: &[&str]| told(&[&ingest, more].concat())["start"].clone();
    assert_eq!(with(&[]), "2024-01-10");
    assert_eq!(with(&["--event", "2099-01-01"]), "2024-01-10");
    assert_eq!(with(&["--event", "1990-01-01"]), "2024-01-10");
    assert_eq!(with(&["--proven", "2024-01-10T23:30:00Z"]), "2024-01-11");
}

#[test]
fn a_hold_is_told_before_the_term_and_ends_when_its_end_is_proven() {
    let hold = "judicial;decreto 12/2026;2030-01-01";
    let record = [
        "--class",
        "infected",
        "--ingest",
        "2023-05-15",
        "--hold",
        hold,
    ];
    let judged = |at| told(&[&record[..], &["--at", at]].concat())["judged"].clone();
    assert_eq!(judged("2029-12-31")["verdict"], "held");
    assert_eq!(judged("2029-12-31")["hold"], 1);
    assert_eq!(judged("2030-01-01")["verdict"], "disposable");
    assert!(
        judged("2030-01-01")["verdict_it"]
            .as_str()
            .unwrap()
            .contains("art. 12")
    );
}

#[test]
fn a_term_of_one_month_is_refused_with_the_article() {
    let short = [
        "--class",
        "trace",
        "--ingest",
        "2023-05-15",
        "--months",
        "1",
    ];
    let floor = "under the floor of 30 months set by DPR 68/2005 art. 11(2)";
    cannot(&explain(&short), floor);
    let longer = [
        "--class",
        "trace",
        "--ingest",
        "2023-05-15",
        "--months",
        "31",
    ];
    assert_eq!(told(&longer)["last"], "2025-12-15");
}

#[test]
fn what_cannot_be_read_is_refused_in_one_line() {
    let with = |class, ingest, hold: &str| {
        explain(&["--class", class, "--ingest", ingest, "--hold", hold])
    };
    cannot(
        &with("posta", "2023-05-15", "judicial;x"),
        "classes are trace",
    );
    cannot(&with("trace", "2023-02-29", "judicial;x"), "is not a day");
    cannot(
        &with("trace", "yesterday", "judicial;x"),
        "neither an instant",
    );
    cannot(
        &with("trace", "2023-05-15", "neighbour;x"),
        "judicial or administrative",
    );
    cannot(&with("trace", "2023-05-15", "judicial"), "no act");
}
