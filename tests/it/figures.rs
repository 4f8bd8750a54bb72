//! Figures of a period, as closed intervals state them; and evidence that is due, explained.

use crate::presence::House;
use crate::support::program::{cannot, out, status};
use crate::support::{DAY_MS, check_directory, log_id, master};
use ceralacca::archive::{Log, Settings};
use ceralacca::seal::RenewalRules;
use ceralacca::sequencer;
use ceralacca::store::outside;
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::Metadata;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn instant(ms: u64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(ms.try_into().unwrap());
    at.unwrap().to_rfc3339()
}

fn totals(house: &House, from: u64, until: u64, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    command.args(["totals", "--server", &format!("http://{}", house.address)]);
    command.args(["--from", &instant(from), "--until", &instant(until)]);
    command.args(more).output().unwrap()
}

/// Trace records of leaves below an index, by event and direction: counted by hand.
fn by_hand(log: &Log, end: u64, only: Option<Class>) -> BTreeMap<(String, Option<String>), u64> {
    let state = log.reader().published();
    let mut counts = BTreeMap::new();
    for index in 0..end {
        let opened = log.reader().record(&state, LeafIndex::new(index)).unwrap();
        if only.is_some_and(|class| opened.leaf.class != class) {
            continue;
        }
        let Ok(Metadata::Trace(trace)) = opened.metadata() else {
            continue;
        };
        let text = |text: &ceralacca_formats::canonical::Text| text.to_str().unwrap().to_owned();
        let event = trace.event.as_ref().map_or("other".to_owned(), text);
        let direction = trace.direction.as_ref().map(text);
        *counts.entry((event, direction)).or_default() += 1;
    }
    counts
}

#[test]
fn figures_of_a_period_are_those_of_its_closed_intervals_and_an_open_one_is_refused() {
    let house = House::new();
    let (first, third, fourth) = (house.start(0), house.start(2), house.start(3));
    let counted = totals(&house, first, fourth, &["--json"]);
    let value: Value = serde_json::from_slice(&counted.stdout).unwrap();
    assert_eq!(
        (status(&counted), value["intervals"].as_u64()),
        (0, Some(3))
    );
    assert_eq!(value["from_ms"].as_u64(), Some(first));
    assert_eq!(value["until_ms"].as_u64(), Some(fourth));
    let end = house.log().reader().published().spans[2].cut.unwrap().get();
    let expected = by_hand(house.log(), end, Some(Class::Trace));
    assert!(expected.len() > 2, "{expected:?}");
    let all = value["totals"].as_array().unwrap().iter();
    let of_trace = all.filter(|t| t["class"] == "trace" && t["event"] != "disclosure");
    let found: BTreeMap<_, _> = of_trace
        .map(|t| {
            let direction = t["direction"].as_str().map(str::to_owned);
            let event = t["event"].as_str().unwrap().to_owned();
            ((event, direction), t["count"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(found, expected);
    // The report counts every class: an infected message's trace stands in its own.
    let accepted: u64 = by_hand(house.log(), end, None)
        .iter()
        .filter(|((event, direction), _)| {
            event == "accettazione" && direction.as_deref() != Some("ricevuto")
        })
        .map(|(_, count)| count)
        .sum();
    assert!(accepted > 0);
    assert_eq!(
        value["report"]["MsgUscita"]["value"].as_u64(),
        Some(accepted)
    );
    assert_eq!(value["report"]["VirusUscita"]["value"], Value::Null);
    // One of them alone.
    let one = totals(&house, third, fourth, &["--json"]);
    let one: Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!(one["intervals"].as_u64(), Some(1));

    cannot(
        &totals(&house, first, fourth + DAY_MS, &[]),
        "INTERVALS_NOT_CLOSED",
    );
    let partial = totals(&house, first, fourth + DAY_MS, &["--partial", "--json"]);
    let partial: Value = serde_json::from_slice(&partial.stdout).unwrap();
    assert_eq!(partial["not_closed"].as_array().unwrap().len(), 1);
    assert_eq!(partial["totals"], value["totals"]);
    let told = totals(&house, first, fourth + DAY_MS, &["--partial"]);
    assert!(out(&told).contains("PARTIAL: 1 intervals of the period are not closed"));
    cannot(
        &totals(&house, fourth, first, &[]),
        "--until is not after --from",
    );
}

/// Every file below a folder, by its path, with its octets.
fn everything(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            found.insert(name, std::fs::read(path).unwrap());
        }
    }
    found
}

/// Files that came, went, or are others.
fn changed(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let differ = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    differ.cloned().collect()
}

/// Leaves of a log at rest.
fn size(log: &Path) -> u64 {
    let store = RocksStore::open(&outside::database_of(log), Mode::Read).unwrap();
    sequencer::tip(&store).unwrap().size.get()
}

fn rules_of(table: &str) -> RenewalRules {
    RenewalRules {
        table: toml::from_str(table).unwrap(),
        ..RenewalRules::default()
    }
}

/// A copy of the data of a house, which no process has open, with a configuration.
struct AtRest {
    folder: tempfile::TempDir,
}

impl AtRest {
    fn of(house: &House) -> Self {
        house.log().stop().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let copied = Command::new("cp")
            .arg("-r")
            .arg(house.folder.path())
            .arg(folder.path().join("data"))
            .status();
        assert!(copied.unwrap().success());
        let mut options = std::fs::File::options();
        let key = options.write(true).create_new(true).mode(0o600);
        let key = key.open(folder.path().join("master.key"));
        key.unwrap().write_all("4d".repeat(32).as_bytes()).unwrap();
        Self { folder }
    }

    fn log(&self) -> PathBuf {
        let logs = self.folder.path().join("data/logs");
        logs.join(log_id().as_str())
    }

    fn configure(&self, seal: &str) {
        let text = format!(
            "data = \"data\"\nmaster_key = \"master.key\"\nlisten = \"127.0.0.1:0\"\n\
             [development]\nplain_text = true\n{seal}[[log]]\nid = \"{}\"\n",
            log_id()
        );
        std::fs::write(self.folder.path().join("c.toml"), text).unwrap();
    }

    fn renew(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        command.args(["renew", "--config", "c.toml"]).args(more);
        command.current_dir(self.folder.path()).output().unwrap()
    }
}

#[test]
fn a_dry_run_explains_which_evidence_is_due_and_why_and_changes_nothing() {
    let house = House::new();
    let rest = AtRest::of(&house);
    let (folder, log) = (&rest.folder, rest.log());
    let configure = |seal: &str| rest.configure(seal);
    let run = |more: &[&str]| rest.renew(&[&["--dry-run"], more].concat());
    configure("");
    let data = || everything(folder.path());
    let (before, tip) = (data(), size(&log));
    let output = run(&[]);
    assert_eq!(status(&output), 0, "{output:?}");
    let text = out(&output);
    assert_eq!(
        text.matches("renewal of the time-stamp, because the certificates")
            .count(),
        3,
        "{text}"
    );
    // A table by which the hash of the trees is refused.
    let table = "version = 2\n[[rows]]\nalgorithm = \"SHA-256\"\nend = \"2026-01-01\"\nsource = \"prova\"\n\
                 entered = \"2025-11-21\"\n[[rows]]\nalgorithm = \"SHA-512\"\nsource = \"prova\"\n\
                 entered = \"2025-11-21\"\n[[rows]]\nalgorithm = \"ECDSA\"\nbits_from = 256\nsource = \"prova\"\n\
                 entered = \"2025-11-21\"\n";
    std::fs::write(folder.path().join("table.toml"), table).unwrap();
    configure("[seal]\nalgorithms = \"table.toml\"\n");
    let output = run(&["--json"]);
    assert_eq!(status(&output), 1, "{output:?}");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let planned = value["logs"][0]["planned"].as_array().unwrap();
    assert_eq!(planned.len(), 3);
    for one in planned {
        assert_eq!(one["due"].as_bool(), Some(true));
        let italian = one["italian"].as_str().unwrap();
        assert!(
            italian.contains("rinnovo dell'albero delle impronte con SHA-512"),
            "{italian}"
        );
    }
    assert_eq!(value["logs"][0]["renewed"].as_array().unwrap().len(), 0);
    // Nothing is changed by any of these; taking the log over, as a renewal does, is.
    let planned = value["logs"][0]["planned"].clone();
    assert_eq!(changed(&before, &data()), ["c.toml", "table.toml"]);
    assert_eq!(size(&log), tip);
    let opened = Log::open(&log, &master(), &Settings::default()).unwrap();
    let rules = rules_of(table);
    let same: Vec<String> = opened
        .sealer()
        .planned(&rules)
        .unwrap()
        .iter()
        .map(|one| one.step.english())
        .collect();
    opened.stop().unwrap();
    drop(opened);
    let told = planned.as_array().unwrap().iter();
    let told: Vec<&str> = told.map(|one| one["english"].as_str().unwrap()).collect();
    assert_eq!(same, told, "as a log that is taken over plans");
    assert!(size(&log) > tip);
    assert!(changed(&before, &data()).len() > 2);
    // A package that is not the one that was closed is not planned for.
    let closed = house.start(0).to_string();
    let catalogue = log.join("packages").join(closed).join("catalogue.json");
    let octets = std::fs::read_to_string(&catalogue).unwrap();
    std::fs::write(&catalogue, octets.replacen("\"bytes\":", "\"bytes\":1", 1)).unwrap();
    cannot(&run(&[]), "the catalogue of a package");
    std::fs::write(&catalogue, octets).unwrap();
    configure("[seal]\nrenewal_margin_days = 30\n");
    cannot(&run(&[]), "renewal_margin_days must be 184 at least");
}

#[test]
fn what_is_due_is_renewed_by_command_once_under_the_authority_configured() {
    let house = House::new();
    let rest = AtRest::of(&house);
    let here = rest.folder.path();
    // The authority of an installation, beside the master key.
    let mut init = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    init.args(["init", "--data", "other", "--log", "other", "--origin"]);
    init.args(["other.example/log", "--master-key", "keys/master.key"]);
    std::fs::create_dir(here.join("keys")).unwrap();
    assert_eq!(status(&init.current_dir(here).output().unwrap()), 0);
    std::fs::rename(here.join("keys/sviluppo"), here.join("sviluppo")).unwrap();
    // A table by which the hash of the trees is refused from this year on.
    let table = "version = 2\n[[rows]]\nalgorithm = \"SHA-256\"\nend = \"2026-01-01\"\nsource = \"prova\"\n\
                 entered = \"2025-11-21\"\n[[rows]]\nalgorithm = \"SHA-512\"\nsource = \"prova\"\n\
                 entered = \"2025-11-21\"\n[[rows]]\nalgorithm = \"ECDSA\"\nbits_from = 256\nsource = \"prova\"\n\
                 entered = \"2025-11-21\"\n";
    std::fs::write(here.join("table.toml"), table).unwrap();
    rest.configure("[seal]\nalgorithms = \"table.toml\"\n");
    let json = |output: &Output| -> Value { serde_json::from_slice(&output.stdout).unwrap() };
    let planned = rest.renew(&["--dry-run", "--json"]);
    assert_eq!(status(&planned), 1, "{planned:?}");
    let due = json(&planned)["logs"][0]["planned"]
        .as_array()
        .unwrap()
        .len();
    let tip = size(&rest.log());

    let done = rest.renew(&["--json"]);
    // The development authority signs with the hash that ended: that is said, and is not a reason to do it over.
    assert_eq!(status(&done), 1, "{done:?}");
    let value = json(&done);
    let renewed = value["logs"][0]["renewed"].as_array().unwrap();
    let packages: u64 = renewed
        .iter()
        .map(|one| one["packages"].as_u64().unwrap())
        .sum();
    assert_eq!(packages, due as u64, "{value}");
    assert!(size(&rest.log()) > tip);
    for one in renewed {
        assert_eq!(one["kind"], "hash-tree", "{value}");
    }
    assert!(check_directory(&rest.log()).is_clean());

    // What was stamped today is not stamped again.
    let again = rest.renew(&["--json"]);
    assert_eq!(status(&again), 1, "{again:?}");
    let again = json(&again);
    assert_eq!(again["logs"][0]["renewed"].as_array().unwrap().len(), 0);
}
