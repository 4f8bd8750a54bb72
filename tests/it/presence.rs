//! Whether a closed interval holds a transaction: proven to who has the log's key, by an archive that may lie.

use crate::support::program::{out, status};
use crate::support::sealing::{Sealing, as_disposed};
use crate::support::*;
use ceralacca::access::{Grant, Principal, Read, Role, Standing, authorize};
use ceralacca::ambient::Clock;
use ceralacca::api::{Limits, Principals, Service, v1};
use ceralacca::archive::{self, Archive, Log};
use ceralacca::desk::DeskError;
use ceralacca::ingest::Submission;
use ceralacca::seal::Probe;
use ceralacca_formats::absence::ToldState;
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::{CustodyRecord, Metadata, TraceRecord};
use ceralacca_formats::note::VerifierKey;
use serde_json::Value;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use v1::audit_client::AuditClient;

/// In the first and the third interval, twice in the first.
const KNOWN: &str = "alfa.1@pec.example.test";
const UNKNOWN: &str = "alfa.2@pec.example.test";

fn put(log: &Log, identificativo: &str, class: Class) {
    let record = TraceRecord {
        identificativo: Some(identificativo.into()),
        event: Some("accettazione".into()),
        ..TraceRecord::default()
    };
    let submission = Submission::trace(class, record, None);
    ingest(log).record(submission).unwrap();
}

/// Three closed intervals and an open one, served by this process, whose clock a test moves.
pub(crate) struct House {
    pub(crate) archive: Arc<Archive>,
    key: VerifierKey,
    pub(crate) address: String,
    runtime: tokio::runtime::Runtime,
    pub(crate) folder: tempfile::TempDir,
    clock: Arc<MovableClock>,
}

impl House {
    pub(crate) fn new() -> Self {
        let clock = MovableClock::at(START_MS);
        let settings = settings(&clock);
        let folder = tempfile::tempdir().unwrap();
        let directory = Archive::directory_of(folder.path(), &log_id());
        std::fs::create_dir_all(directory.parent().unwrap()).unwrap();
        let key = archive::init(&directory, &log_id(), &origin(), &master(), &settings).unwrap();
        let archive = Archive::open(folder.path(), &[log_id()], &master(), &settings).unwrap();
        let archive = Arc::new(archive);
        let log = archive.log(&log_id()).unwrap();
        let sealing = Sealing::new(&clock, true);
        for day in 0..3 {
            for record in traces(day, 200) {
                let submission = Submission::trace(Class::Trace, record, None);
                ingest(log).record(submission).unwrap();
            }
            if day != 1 {
                put(log, KNOWN, Class::Trace);
            }
            if day == 0 {
                put(log, " <alfa.1@pec.example.test> ", Class::Trace);
                put(log, "altro@pec.example.test", Class::Justice);
            }
            clock.pass(DAY_MS);
            log.tick().unwrap();
            let closed = log.close_next(&sealing.authorities(), &Probe::default());
            assert!(closed.unwrap().is_some());
        }
        put(log, UNKNOWN, Class::Trace);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let service = Service::new(
            Arc::clone(&archive),
            Principals::Development,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Limits::default(),
        );
        let routes = service.routes().unwrap().routes();
        let server = tonic::transport::Server::builder().add_routes(routes);
        let address = {
            let (listener, address) = listen(&runtime);
            runtime.spawn(server.serve_with_incoming(listener));
            address
        };
        Self {
            archive,
            key,
            address,
            runtime,
            folder,
            clock,
        }
    }

    pub(crate) fn log(&self) -> &Log {
        self.archive.log(&log_id()).unwrap()
    }

    /// Runs `absence` against an address.
    fn absence(&self, address: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        command.args(["absence", "--server", &format!("http://{address}")]);
        command
            .args(["--key", &self.key.to_string()])
            .args(arguments);
        command.current_dir(self.folder.path()).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.absence(&self.address, &[arguments, &["--json"]].concat());
        let value = serde_json::from_slice(&output.stdout);
        (
            status(&output),
            value.unwrap_or_else(|_| panic!("{output:?}")),
        )
    }

    /// Start of the closed interval of a number.
    pub(crate) fn start(&self, number: usize) -> u64 {
        self.log().reader().published().spans[number].id.get()
    }

    /// Index of the last disclosure's custody leaf, and its ranges.
    fn last_disclosure(&self) -> Vec<(i64, i64)> {
        let state = self.log().reader().published();
        for index in (0..state.tip.size.get()).rev() {
            let record = self.log().reader().record(&state, LeafIndex::new(index));
            if let Ok(Metadata::Custody(CustodyRecord::Disclosure { ranges, .. })) =
                record.unwrap().metadata()
            {
                return ranges
                    .iter()
                    .map(|r| (r.first.get(), r.last.get()))
                    .collect();
            }
        }
        panic!("nothing was disclosed");
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // A test may have stopped it before.
        let _ = self.log().stop();
    }
}

fn listen(runtime: &tokio::runtime::Runtime) -> (TcpListenerStream, String) {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
    let listener = listener.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let _entered = runtime.enter();
    (TcpListenerStream::new(listener), address)
}

fn said(value: &Value) -> Vec<&str> {
    let intervals = value["intervals"].as_array().unwrap().iter();
    intervals.map(|i| i["said"].as_str().unwrap()).collect()
}

#[test]
fn an_archive_proves_which_closed_intervals_hold_a_transaction_and_which_do_not() {
    let house = House::new();
    let (code, value) = house.json(&["--identificativo", UNKNOWN]);
    assert_eq!(said(&value), ["absent", "absent", "absent", "not-closed"]);
    assert_eq!((code, value["absent"].as_bool()), (0, Some(true)));
    assert_eq!(value["proven_from_ms"].as_u64(), Some(house.start(0)));
    assert_eq!(value["proven_until_ms"].as_u64(), Some(house.start(3)));
    assert_eq!(value["why"], Value::Null);
    assert_eq!(
        house.last_disclosure(),
        [],
        "of what is absent nothing was disclosed"
    );

    let (code, value) = house.json(&["--identificativo", &format!(" <{KNOWN}> ")]);
    assert_eq!(said(&value), ["present", "absent", "present", "not-closed"]);
    assert_eq!((code, value["absent"].as_bool()), (1, Some(false)));
    assert_eq!(value["intervals"][0]["present"]["trace"].as_u64(), Some(2));
    assert_eq!(value["intervals"][2]["present"]["trace"].as_u64(), Some(1));
    let disclosed = house.last_disclosure();
    let records: i64 = disclosed.iter().map(|(first, last)| last - first + 1).sum();
    assert_eq!(records, 3, "{disclosed:?}");

    let (_, value) = house.json(&["--identificativo", "altro@pec.example.test"]);
    assert_eq!(
        value["intervals"][0]["present"]["justice"].as_u64(),
        Some(1)
    );

    // A range within, one that goes beyond what is closed, one before the log.
    let instant = |ms: u64| {
        let at = chrono::DateTime::from_timestamp_millis(ms.try_into().unwrap());
        at.unwrap().to_rfc3339()
    };
    let (second, third, fourth) = (house.start(1), house.start(2), house.start(3));
    let within = [instant(second), instant(third)];
    let asked = [
        "--identificativo",
        KNOWN,
        "--from",
        &within[0],
        "--until",
        &within[1],
    ];
    let (code, value) = house.json(&asked);
    assert_eq!((code, said(&value)), (0, vec!["absent"]));
    let beyond = instant(fourth + 1);
    let (code, value) = house.json(&["--identificativo", UNKNOWN, "--until", &beyond]);
    assert_eq!((code, said(&value).len()), (1, 4));
    assert!(
        value["why"]
            .as_str()
            .unwrap()
            .contains("records still come into it")
    );
    let (code, value) = house.json(&["--identificativo", UNKNOWN, "--until", "2020-01-01"]);
    assert_eq!(
        (code, value["why"].as_str()),
        (1, Some("no interval of this time"))
    );

    let told = house.absence(&house.address, &["--identificativo", UNKNOWN]);
    let text = out(&told);
    assert_eq!(text.matches("  ABSENT   (").count(), 3, "{text}");
    assert!(
        text.contains("NOT CLOSED: records still come into it"),
        "{text}"
    );
    assert!(
        text.contains("PROVEN: no record of this identificativo"),
        "{text}"
    );
}

#[test]
fn a_class_whose_secret_is_gone_is_said_to_be_disposed_of() {
    let house = House::new();
    let permit = authorize::<Read>(
        &Principal::new("ufficio", vec![(log_id(), Standing::Role(Role::Auditor))]),
        &log_id(),
        UtcMillis::new(house.clock.now()),
    )
    .unwrap();
    let desk = house.log().desk(&permit).unwrap();
    let asked = desk
        .ask_presence(UNKNOWN.as_bytes(), UtcMillis::new(0), None)
        .unwrap();
    // As a disposal leaves it.
    let interval = house.log().reader().published().spans[0].id;
    let store = house.log().reader().store();
    as_disposed(store, interval, &[Class::Trace, Class::Justice]);
    let found = desk.presence(&asked, 0).unwrap().unwrap();
    let ToldState::Closed { classes, .. } = found.state else {
        panic!("not closed");
    };
    for (class, answer) in &classes {
        let gone = [Class::Trace, Class::Justice].contains(class);
        assert_eq!(answer.is_none(), gone, "{class}");
    }
    assert!(classes.iter().any(|(class, _)| *class == Class::Justice));
    let units = desk.certificates_of(interval, Class::Trace).unwrap();
    assert_eq!(units[0].unit.class, Class::Trace);
}

#[test]
fn a_court_asks_of_what_its_grant_names_and_of_nothing_else() {
    let house = House::new();
    let grant = Grant::new(
        "Tribunale di Esempio, decreto 7/2026",
        [KNOWN],
        ["destinatario@pec.example.org"],
        UtcMillis::new(u64::MAX),
    );
    let court = Principal::new(
        "tribunale",
        vec![(log_id(), Standing::Grant(Arc::new(grant)))],
    );
    let permit = authorize::<Read>(&court, &log_id(), UtcMillis::new(START_MS)).unwrap();
    let desk = house.log().desk(&permit).unwrap();
    let ask = |identificativo: &str| {
        desk.ask_presence(identificativo.as_bytes(), UtcMillis::new(0), None)
    };
    assert_eq!(ask(&format!("<{KNOWN}>")).unwrap().intervals(), 4);
    for other in [UNKNOWN, "altro@pec.example.test"] {
        assert!(matches!(ask(other), Err(DeskError::NotShown)), "{other}");
        assert_eq!(house.last_disclosure(), []);
    }
}

type Lie = Box<dyn Fn(&mut Vec<v1::GetMapProofResponse>) + Send>;

/// Asks the true archive, and alters what it says.
#[derive(Clone)]
struct Liar {
    truth: AuditClient<Channel>,
    lie: Arc<Mutex<Lie>>,
}

impl NamedService for Liar {
    const NAME: &'static str = "ceralacca.v1.Audit";
}

impl tower::Service<http::Request<Body>> for Liar {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        assert_eq!(request.uri().path(), "/ceralacca.v1.Audit/GetMapProof");
        let (truth, lie) = (self.truth.clone(), Arc::clone(&self.lie));
        let service = tower::service_fn(move |request: Request<v1::GetMapProofRequest>| {
            let (mut truth, lie) = (truth.clone(), Arc::clone(&lie));
            async move {
                let mut answers = truth
                    .get_map_proof(request.into_inner())
                    .await?
                    .into_inner();
                let mut all = Vec::new();
                while let Some(answer) = answers.message().await? {
                    all.push(answer);
                }
                lie.lock().unwrap()(&mut all);
                let all = all.into_iter().map(Ok::<_, Status>);
                Ok::<_, Status>(Response::new(tokio_stream::iter(all)))
            }
        });
        let codec = tonic_prost::ProstCodec::default();
        Box::pin(async move { Ok(Grpc::new(codec).server_streaming(service, request).await) })
    }
}

#[test]
fn each_lie_of_an_archive_is_named() {
    let house = House::new();
    let channel = Channel::from_shared(format!("http://{}", house.address)).unwrap();
    let channel = house.runtime.block_on(channel.connect()).unwrap();
    let lie: Arc<Mutex<Lie>> = Arc::new(Mutex::new(Box::new(|_| {})));
    let liar = Liar {
        truth: AuditClient::new(channel),
        lie: Arc::clone(&lie),
    };
    let (listener, address) = listen(&house.runtime);
    house.runtime.spawn(
        tonic::transport::Server::builder()
            .add_service(liar)
            .serve_with_incoming(listener),
    );
    let run = |how: Lie| {
        *lie.lock().unwrap() = how;
        let output = house.absence(&address, &["--identificativo", KNOWN, "--json"]);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let why = value["why"].as_str().unwrap_or_default().to_owned();
        (status(&output), value["absent"].as_bool().unwrap(), why)
    };
    let trace = |answer: &mut v1::GetMapProofResponse| {
        answer
            .classes
            .iter()
            .position(|c| c.class == "trace")
            .unwrap()
    };
    // The positive control.
    assert_eq!(run(Box::new(|_| {})), (1, false, String::new()));
    let lies: Vec<(&str, Lie)> = vec![
        (
            "the salt is not the one that was fixed at the closing",
            Box::new(move |all| {
                let at = trace(&mut all[0]);
                all[0].classes[at].salt = vec![9; 32].into();
            }),
        ),
        (
            "map proof leads to another root",
            Box::new(move |all| {
                let at = trace(&mut all[0]);
                let mut proof = all[0].classes[at].proof.to_vec();
                *proof.last_mut().unwrap() ^= 1;
                all[0].classes[at].proof = proof.into();
            }),
        ),
        // Said to be absent: the value is taken out.
        (
            "map proof leads to another root",
            Box::new(move |all| {
                let at = trace(&mut all[0]);
                let proof = all[0].classes[at].proof.to_vec();
                let absent = [&[1, 0], &proof[34..]].concat();
                all[0].classes[at].proof = absent.into();
                all[0].classes[at].leaf_hashes.clear();
            }),
        ),
        // The answers of the second interval, where it is absent, for the first one.
        (
            "the salt is not the one that was fixed at the closing",
            Box::new(move |all| {
                let (from, to) = (trace(&mut all[1]), trace(&mut all[0]));
                all[0].classes[to] = all[1].classes[from].clone();
            }),
        ),
        (
            "map proof leads to another root",
            Box::new(move |all| {
                let (from, to) = (trace(&mut all[1]), trace(&mut all[0]));
                all[0].classes[to].proof = all[1].classes[from].proof.clone();
                all[0].classes[to].leaf_hashes.clear();
            }),
        ),
        (
            "the closing leaf is of another interval",
            Box::new(|all| {
                all[0].closing = all[1].closing.clone();
                all[0].classes = all[1].classes.clone();
            }),
        ),
        (
            "the records are not those that the map commits to",
            Box::new(move |all| {
                let at = trace(&mut all[0]);
                all[0].classes[at].leaf_hashes.pop();
            }),
        ),
        (
            "class trace: there is no answer",
            Box::new(move |all| {
                let at = trace(&mut all[0]);
                all[0].classes.remove(at);
            }),
        ),
        (
            "the closing leaf does not follow that of the interval before: one is left out",
            Box::new(|all| drop(all.remove(1))),
        ),
        (
            "intervals before it are left out",
            Box::new(|all| drop(all.remove(0))),
        ),
        (
            "intervals are not in order",
            Box::new(|all| all.insert(1, all[0].clone())),
        ),
        (
            "an interval before it is said not to be closed",
            Box::new(|all| all[0].state = v1::IntervalState::Open.into()),
        ),
        (
            "proof of the closing leaf",
            Box::new(|all| all[0].closing = all[0].closing.replace("index ", "index 1")),
        ),
        ("no interval of this time", Box::new(Vec::clear)),
    ];
    for (number, (why, lie)) in lies.into_iter().enumerate() {
        let (code, absent, found) = run(lie);
        assert_eq!((code, absent), (1, false), "{number}: {why}");
        assert!(found.contains(why), "{number}: {found}, not {why}");
    }
    // Classes said to be disposed of are not absent.
    let (code, absent, _) = run(Box::new(move |all| {
        for answer in all.iter_mut().filter(|a| !a.classes.is_empty()) {
            let at = trace(answer);
            answer.classes[at].disposed = true;
        }
    }));
    assert_eq!((code, absent), (1, false));
}
