//! After a disposal, by the shipped program: what was handed out before still verifies, and against the log of now.

use super::*;
use crate::support::program::{out, status};
use ceralacca::ambient::Clock;
use ceralacca::api::{Limits, Principals, Service};
use ceralacca::archive::Archive;
use ceralacca::store::cf::Family;
use ceralacca::store::cf::checkpoint::{Checkpoints, Kept};
use ceralacca::store::{Batch, KeyRange, Order, Rows};
use ceralacca_formats::cosignature::Cosigner;
use ceralacca_formats::note;
use ceralacca_formats::secret::SigningSeed;
use ceralacca_formats::tree::verify_consistency;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Command, Output};
use tokio_stream::wrappers::TcpListenerStream;

/// A copy of the archive, served in this process, whose clock a test moves.
struct Office {
    folder: tempfile::TempDir,
    archive: Arc<Archive>,
    clock: Arc<MovableClock>,
    authorities: Authorities,
    known: Known,
    address: String,
    _runtime: tokio::runtime::Runtime,
}

impl Office {
    fn new() -> Self {
        let base = base();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let directory = Archive::directory_of(&data, &log_id());
        copy(&base.directory.path().join("log"), &directory);
        let clock = MovableClock::at(base.now);
        let [one, two] = ["uno", "due"].map(|name| Sealing::named(&clock, true, name));
        let authorities = one.with(vec![Arc::clone(&one.tsa) as _, Arc::clone(&two.tsa) as _]);
        let settings = Settings {
            authorities: Some(authorities.clone()),
            ..settings_of(&clock)
        };
        // A child of another test may still hold a copy of the lock.
        drop(open(&directory, &settings));
        let archive = Archive::open(&data, &[log_id()], &master(), &settings).unwrap();
        let archive = Arc::new(archive);
        let log = archive.log(&log_id()).unwrap();
        let key = log.verifier().to_string();
        std::fs::write(folder.path().join("log.vkey"), key).unwrap();
        let roots = base.root.clone() + &one.root_pem();
        std::fs::write(folder.path().join("roots.pem"), roots).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
        let service = Service::new(
            Arc::clone(&archive),
            Principals::Development,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Limits::default(),
        );
        let routes = service.routes().unwrap().routes();
        let server = tonic::transport::Server::builder().add_routes(routes);
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        {
            let _entered = runtime.enter();
            let listener = TcpListenerStream::new(listener);
            runtime.spawn(server.serve_with_incoming(listener));
        }
        Self {
            folder,
            archive,
            clock,
            authorities,
            known: base.known.clone(),
            address,
            _runtime: runtime,
        }
    }

    fn log(&self) -> &Log {
        self.archive.log(&log_id()).unwrap()
    }

    fn unit(&self) -> DisposalUnit {
        DisposalUnit {
            interval: self.known.interval,
            class: Class::Receipt,
            carried: 0,
        }
    }

    /// Everything from the intent to the certificate.
    fn dispose(&self) {
        let disposer = self.log().disposer();
        let operator = permit::<access::Dispose>("gestione", Role::Operator);
        let intent = disposer.intend(&operator, &self.authorities, &[]).unwrap();
        for name in ["anna", "bruno"] {
            let permit = permit::<access::Approve>(name, Role::Approver);
            disposer
                .approve(&permit, intent.intent, intent.hash)
                .unwrap();
        }
        for _ in 0..73 {
            self.clock.pass(HOUR_MS);
            disposer.tick().unwrap();
        }
        let probe = DisposalProbe::default();
        while let Some((unit, _)) = disposer.advance(&self.authorities, &probe).unwrap() {
            assert_eq!(unit, self.unit());
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("CERALACCA_SERVER", format!("http://{}", self.address));
        command.output().unwrap()
    }

    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(status(&output), 0, "{arguments:?}: {output:?}");
        out(&output)
    }

    fn package(&self, which: &[&str], to: &str) -> Output {
        let who = ["--requester", "Tribunale di Prova", "--capacity", "court"];
        let why = ["--act", "decreto 12/2026", "--purpose", "R.G. 345/2026"];
        let all: [&[&str]; 5] = [&["package", "--out", to], which, &who, &why, &[]];
        self.run(&all.concat())
    }

    /// Verified offline, as of the time of the archive.
    fn verify(&self, package: &str) -> Output {
        let at = rfc3339(self.clock.now());
        let roots = ["--key", "log.vkey", "--roots", "roots.pem"];
        let rest = ["--mail-roots", "roots.pem", "--at", &at];
        self.run(&[&["verify", package][..], &roots, &rest].concat())
    }

    fn verify_interval(&self, dir: &str, more: &[&str]) -> String {
        let roots = ["--anchors", "roots.pem", "--seal-anchors", "roots.pem"];
        let all: [&[&str]; 4] = [
            &["verify-interval", dir, "--key-file", "log.vkey"],
            &roots,
            more,
            &[],
        ];
        self.good(&all.concat())
    }
}

fn rfc3339(ms: u64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(i64::try_from(ms).unwrap());
    at.unwrap()
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[test]
fn what_was_handed_out_before_a_disposal_verifies_against_the_log_after_it() {
    let office = Office::new();
    let interval = office.known.interval.to_string();
    let fetch = |dir: &str| {
        let fetched = ["fetch-interval", "--interval", &interval, "--json"];
        let fetched = office.good(&[&fetched[..], &["--dir", dir]].concat());
        serde_json::from_str::<Value>(&fetched).unwrap()
    };
    assert_eq!(fetch("prima")["withheld"], json!([]));
    let (index, ..) = office.known.receipts[1];
    let index = index.to_string();
    let packed = office.package(&["--index", &index], "prima.asice");
    assert_eq!(status(&packed), 0, "{packed:?}");
    let verified = office.verify("prima.asice");
    let before = out(&verified);
    assert_eq!(status(&verified), 0, "{before}");
    let copied = ["reissue", "--index", &index, "--key-file", "log.vkey"];
    office.good(&[&copied[..], &["--dir", "duplicato"]].concat());
    let then = office.log().reader().published();
    // A witness cosigned the checkpoint of then; the log kept it, as it keeps those of a quorum.
    let witness = Cosigner::new("testimone.example.test", &SigningSeed::from_bytes([9; 32]));
    let witness = witness.unwrap();
    let cosigned = then.checkpoint.note().to_owned()
        + &witness.cosign(&then.checkpoint, office.clock.now() / 1000);
    let kept = Kept::Witnessed(then.checkpoint.size());
    let mut batch = Batch::new();
    batch.put::<Checkpoints>(&kept, &cosigned);
    let store = office.log().reader().store();
    store.commit(&batch).unwrap();
    let rows = || {
        let families = [Family::Leaf, Family::Tile, Family::Checkpoint];
        let rows = families.map(|family| store.scan(family, &KeyRange::all(), Order::Ascending));
        rows.map(|rows| rows.map(Result::unwrap).collect::<BTreeMap<_, _>>())
    };
    let of_then = rows();

    office.dispose();

    // No leaf, no tile, no checkpoint is another; the witness's word is on the log of now.
    for (of_then, of_now) in of_then.iter().zip(rows()) {
        for (key, value) in of_then {
            assert_eq!(of_now.get(key), Some(value));
        }
    }
    let cosigned = store.read::<Checkpoints>(&kept).unwrap().unwrap();
    let keys = [office.log().verifier(), witness.verifier()];
    let opened = note::open(cosigned.as_bytes(), &keys).unwrap();
    assert_eq!(opened.cosigned.len(), 1);
    assert_eq!(opened.text, then.checkpoint.text());

    // The holder's package says what it said.
    let verified = office.verify("prima.asice");
    assert_eq!(status(&verified), 0, "{}", out(&verified));
    assert_eq!(out(&verified), before);
    // The log that it rests on is the log of now.
    let reader = office.log().reader();
    let now = reader.published();
    let (old, new) = (&then.checkpoint, &now.checkpoint);
    assert!(old.size() < new.size());
    let proof = reader.consistency(&now, old.size(), new.size()).unwrap();
    verify_consistency(old, new, &proof).unwrap();
    // The package of the interval too: whole as it was handed out then, and what of it is handed out now; tokens over
    // log files and checkpoint, signature of the index, leaves under the checkpoint.
    office.verify_interval("prima", &[]);
    let withheld = fetch("dopo")["withheld"].clone();
    let withheld = withheld.as_array().unwrap();
    assert!(
        withheld.contains(&json!("log-receipt-0001.jsonl")),
        "{withheld:?}"
    );
    assert!(
        withheld
            .iter()
            .all(|name| name.as_str().unwrap().contains("receipt"))
    );
    office.verify_interval("dopo", &["--partial"]);
    for name in ["checkpoint", "checkpoint.tst", "leaves.bin", "closing.json"] {
        let read = |dir: &str| std::fs::read(office.folder.path().join(dir).join(name));
        assert_eq!(read("prima").unwrap(), read("dopo").unwrap(), "{name}");
    }
}
