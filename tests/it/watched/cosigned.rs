//! A log and its witnesses: what is cosigned, kept and shown, and what a submitter can hold against it later.

use super::{Testimony, witness_here};
use crate::support::program::{cannot, out, status};
use crate::support::tls::{Installation, Served};
use crate::support::*;
use ceralacca::access::{self, Checkpoint as CheckpointAct, Principal, Prove, Read};
use ceralacca::ambient::SystemClock;
use ceralacca::api::v1;
use ceralacca::archive::{self, Archive, Log, Settings};
use ceralacca::cosigning::{Ask, Cosigning};
use ceralacca::desk::{Desk, DeskError, LeafName};
use ceralacca::ingest::Submission;
use ceralacca::plain_http::Limits;
use ceralacca::store::cf::checkpoint::{Checkpoints, Kept};
use ceralacca::store::{KeyRange, Order, Rows};
use ceralacca::witness::{Witness as Witnessing, http};
use ceralacca::witnessed::{OnMissing, Rule};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::id::{LeafIndex, TreeSize, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::policy::{Policy, Witness};
use ceralacca_formats::proof::ProofFile;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tonic::Code;
use tonic_types::StatusExt;
use v1::audit_client::AuditClient;

const LOG: &str = "gestore-1";
const NAMES: [&str; 3] = [
    "witness.example.test/w1",
    "witness.example.test/w2",
    "witness.example.test/w3",
];

/// An archive in this process, whose clock the test moves, with witnesses in this process.
struct Here {
    folder: tempfile::TempDir,
    clock: Arc<MovableClock>,
    archive: Option<Arc<Archive>>,
    settings: Settings,
    servers: Vec<tokio::task::JoinHandle<()>>,
}

impl Here {
    async fn new(quorum: usize, witnesses: usize, on_missing: OnMissing) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = MovableClock::at(START_MS);
        let mut settings = settings(&clock);
        let data = folder.path().join("data");
        let directory = Archive::directory_of(&data, &log_id());
        let verifier =
            archive::init(&directory, &log_id(), &origin(), &master(), &settings).unwrap();
        let (mut members, mut servers) = (Vec::new(), Vec::new());
        for name in &NAMES[..witnesses] {
            let directory = folder.path().join(name.replace('/', "-"));
            let witness = Arc::new(witness_here(&directory, name, &verifier));
            let key = witness.verifier().clone();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            members.push(Witness {
                name: (*name).to_owned(),
                key,
                url: Some(format!("http://{address}")),
            });
            servers.push(tokio::spawn(async move {
                let limits = Limits::of(http::CONNECTIONS_MAX);
                http::serve(witness, listener, limits, std::future::pending()).await;
            }));
        }
        settings.witnesses = Some(Rule {
            policy: Policy::of(quorum, members).unwrap(),
            on_missing,
        });
        let mut here = Self {
            folder,
            clock,
            archive: None,
            settings,
            servers,
        };
        here.open();
        here
    }

    fn open(&mut self) {
        // The log is closed before it is opened again.
        self.archive = None;
        let data = self.folder.path().join("data");
        let archive = Archive::open(&data, &[log_id()], &master(), &self.settings);
        self.archive = Some(Arc::new(archive.unwrap()));
    }

    fn archive(&self) -> &Arc<Archive> {
        self.archive.as_ref().unwrap()
    }

    fn log(&self) -> &Log {
        self.archive().log(&log_id()).unwrap()
    }

    fn cosigning(&self) -> Cosigning {
        let ask = Ask::new(Duration::from_secs(5), None, false).unwrap();
        let clock = Arc::clone(&self.settings.clock);
        Cosigning::new(Arc::clone(self.archive()), log_id(), ask, clock)
    }

    /// Submits so many records; the published size after.
    async fn submit(&self, seed: u64, count: usize) -> TreeSize {
        let archive = Arc::clone(self.archive());
        let submitting = tokio::task::spawn_blocking(move || {
            let log = archive.log(&log_id()).unwrap();
            for record in traces(seed, count) {
                let submission = Submission::trace(Class::Trace, record, None);
                let ticket = ingest(log).submit(submission).unwrap();
                ingest(log).wait(ticket).unwrap();
            }
            log.reader().published().tip.size
        });
        submitting.await.unwrap()
    }

    /// A day passes, and the interval is cut; the size at the cut.
    async fn next_day(&self) -> TreeSize {
        self.clock.pass(DAY_MS);
        let archive = Arc::clone(self.archive());
        let ticking = tokio::task::spawn_blocking(move || {
            let log = archive.log(&log_id()).unwrap();
            log.tick().unwrap();
            let published = log.reader().published();
            let mut cuts = published.spans.iter().filter_map(|span| span.cut);
            cuts.next_back().unwrap()
        });
        ticking.await.unwrap()
    }

    /// Sizes of the witnessed checkpoints that are kept, each verified.
    fn kept(&self) -> Vec<TreeSize> {
        let range = KeyRange::prefix(Kept::WITNESSED_PREFIX);
        let store = self.log().reader().store();
        let rows = store.rows::<Checkpoints>(&range, Order::Ascending);
        let policy = &self.settings.witnesses.as_ref().unwrap().policy;
        let sizes = rows.map(|row| {
            let (kept, note) = row.unwrap();
            let key = self.log().verifier();
            let opened = Checkpoint::open_cosigned(note.as_bytes(), &[key], &policy.keys());
            let (checkpoint, by) = opened.unwrap();
            assert!(policy.is_met(by.iter().map(|(key, _)| key)));
            assert_eq!(kept, Kept::Witnessed(checkpoint.size()));
            checkpoint.size()
        });
        sizes.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_and_every_intervals_checkpoint_are_witnessed_and_kept() {
    let mut here = Here::new(2, 3, OnMissing::PublishMarked).await;
    let mut cosigning = here.cosigning();
    let first = here.submit(1, 3).await;
    cosigning.round().await;
    assert_eq!(here.kept(), [first]);
    // Nothing new: nothing asked, nothing kept twice.
    cosigning.round().await;
    assert_eq!(here.kept(), [first]);
    here.submit(2, 2).await;
    let cut = here.next_day().await;
    let newest = here.submit(3, 2).await;
    assert!(first < cut && cut < newest);
    // The interval's is asked for before the newest, in one round.
    cosigning.round().await;
    assert_eq!(here.kept(), [first, cut, newest]);
    assert_eq!(here.log().witnessed().last().unwrap().size(), newest);
    let states = here.log().witnessed().states();
    assert_eq!(states.len(), 3);
    assert!(
        states
            .iter()
            .all(|s| s.trouble.is_none() && s.size == newest)
    );
    // After a restart the witnesses say where they are (409), and go on from there.
    drop(cosigning);
    here.open();
    assert_eq!(here.log().witnessed().last().unwrap().size(), newest);
    let later = here.submit(4, 1).await;
    here.cosigning().round().await;
    assert_eq!(here.kept(), [first, cut, newest, later]);
    // All of it stands to the check of everything.
    let directory = Archive::directory_of(&here.folder.path().join("data"), &log_id());
    here.archive().stop().unwrap();
    here.archive = None;
    let report = check_directory(&directory);
    assert!(report.is_clean(), "{:?}", report.damages);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intervals_checkpoint_waits_for_its_quorum() {
    let here = Here::new(2, 2, OnMissing::PublishMarked).await;
    let mut cosigning = here.cosigning();
    here.submit(1, 2).await;
    let cut = here.next_day().await;
    let newest = here.submit(2, 2).await;
    here.servers[1].abort();
    while !here.servers[1].is_finished() {
        tokio::task::yield_now().await;
    }
    cosigning.round().await;
    assert_eq!(here.kept(), []);
    let states = here.log().witnessed().states();
    assert_eq!((states[0].trouble, states[0].size), (None, cut));
    assert_eq!(states[1].trouble, Some("unreachable"));
    // The first was not led beyond it meanwhile.
    cosigning.round().await;
    assert_eq!(here.log().witnessed().states()[0].size, cut);
    assert!(newest > cut);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_back_is_not_shown_and_recording_goes_on() {
    let here = Here::new(1, 1, OnMissing::HoldBack).await;
    let witnessed = here.log().witnessed();
    let published = || here.log().reader().published().checkpoint.clone();
    assert!(
        witnessed
            .shown(witnessed.last().as_ref(), &published())
            .is_none()
    );
    let mut cosigning = here.cosigning();
    let first = here.submit(1, 3).await;
    cosigning.round().await;
    let second = here.submit(2, 3).await;
    let shown = || {
        witnessed
            .shown(witnessed.last().as_ref(), &published())
            .unwrap()
            .size()
    };
    assert_eq!((shown(), published().size()), (first, second));
    cosigning.round().await;
    assert_eq!(shown(), second);
}

async fn until_listening(address: &str) {
    while tokio::net::TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_lies_about_its_size_makes_nobody_give_up_an_intervals_checkpoint() {
    let mut here = Here::new(2, 3, OnMissing::PublishMarked).await;
    let policy = here.settings.witnesses.as_ref().unwrap().policy.clone();
    let address = |number: usize| {
        let url = policy.witnesses()[number].url.clone().unwrap();
        url.strip_prefix("http://").unwrap().to_owned()
    };
    for number in [0, 1] {
        here.servers[number].abort();
        while !here.servers[number].is_finished() {
            tokio::task::yield_now().await;
        }
    }
    // The first says that it is far ahead, the second is away for a while.
    let liar = tokio::net::TcpListener::bind(address(0)).await.unwrap();
    let lie = || async { (axum::http::StatusCode::CONFLICT, format!("{}\n", u64::MAX)) };
    let router = axum::Router::new().fallback(lie);
    let lying = tokio::spawn(async move { axum::serve(liar, router).await.unwrap() });
    here.submit(1, 2).await;
    let cut = here.next_day().await;
    let newest = here.submit(2, 2).await;
    let mut cosigning = here.cosigning();
    cosigning.round().await;
    assert_eq!(here.kept(), []);
    let troubles = || {
        let states = here.log().witnessed().states();
        states.iter().map(|state| state.trouble).collect::<Vec<_>>()
    };
    assert_eq!(troubles(), [Some("ahead"), Some("unreachable"), None]);
    let back = |number: usize| {
        let directory = here.folder.path().join(NAMES[number].replace('/', "-"));
        let clock = Arc::new(SystemClock::default());
        let witness = Witnessing::open(&directory, vec![here.log().verifier().clone()], clock);
        let (witness, address) = (Arc::new(witness.unwrap()), address(number));
        tokio::spawn(async move {
            let listener = tokio::net::TcpListener::bind(address).await.unwrap();
            let limits = Limits::of(http::CONNECTIONS_MAX);
            http::serve(witness, listener, limits, std::future::pending()).await;
        })
    };
    let second = back(1);
    until_listening(&address(1)).await;
    cosigning.round().await;
    assert_eq!(here.kept(), [cut, newest]);
    // Who stops lying is believed again.
    lying.abort();
    while !lying.is_finished() {
        tokio::task::yield_now().await;
    }
    let first = back(0);
    until_listening(&address(0)).await;
    let later = here.submit(3, 1).await;
    cosigning.round().await;
    assert_eq!(here.kept(), [cut, newest, later]);
    assert_eq!(troubles(), [None, None, None]);
    here.servers.extend([first, second]);
}

/// The desk of whoever may do everything a developer may.
fn desk_of<T>(
    log: &Log,
    use_it: impl FnOnce(&Desk<'_, CheckpointAct>, &Desk<'_, Prove>) -> T,
) -> T {
    let developer = Principal::development();
    let now = UtcMillis::new(0);
    let see = access::authorize(&developer, &log_id(), now).unwrap();
    let prove = access::authorize(&developer, &log_id(), now).unwrap();
    use_it(&log.desk(&see).unwrap(), &log.desk(&prove).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn before_any_is_witnessed_no_checkpoint_that_was_kept_is_shown_either() {
    let here = Here::new(1, 1, OnMissing::HoldBack).await;
    here.submit(1, 2).await;
    let cut = here.next_day().await;
    let published = here.log().reader().published().tip.size;
    desk_of(here.log(), |see, prove| {
        for size in [cut, published] {
            assert_eq!(prove.note_of(size).unwrap(), "");
            assert!(matches!(see.kept(size), Err(DeskError::NotWitnessed)));
        }
        let day = see.kept_of_interval(UtcMillis::new(START_MS));
        assert!(matches!(day, Err(DeskError::NotWitnessed)), "{day:?}");
        let rotations = see.rotations(0, 10);
        assert!(matches!(rotations, Err(DeskError::NotWitnessed)));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_last_witnessed_checkpoint_nothing_that_was_kept_is_shown() {
    let here = Here::new(1, 1, OnMissing::HoldBack).await;
    let first = here.submit(1, 2).await;
    here.cosigning().round().await;
    here.submit(2, 2).await;
    let cut = here.next_day().await;
    assert!(first < cut);
    let read = |index: TreeSize, proof| {
        let now = UtcMillis::new(0);
        let permit = access::authorize::<Read>(&Principal::development(), &log_id(), now).unwrap();
        let desk = here.log().desk(&permit).unwrap();
        let name = LeafName::Index(LeafIndex::new(index.get() - 1));
        // It waits until the disclosure is recorded.
        tokio::task::block_in_place(|| desk.record(name, proof).map(|(_, proof)| proof))
    };
    desk_of(here.log(), |see, prove| {
        let day = see.kept_of_interval(UtcMillis::new(START_MS));
        assert!(matches!(day, Err(DeskError::NotWitnessed)), "{day:?}");
        assert_eq!(prove.note_of(cut).unwrap(), "");
        assert_eq!(see.last().unwrap().size, first);
        assert!(prove.note_of(first).unwrap() == see.last().unwrap().note);
    });
    // A record's proof is under what is shown; a record beyond that is shown without one.
    let proof = ProofFile::parse(read(first, true).unwrap().unwrap().as_bytes()).unwrap();
    assert_eq!(proof.verify(here.log().verifier()).unwrap().size(), first);
    assert!(matches!(read(cut, true), Err(DeskError::NotWitnessed)));
    assert!(read(cut, false).unwrap().is_none());
    // The interval's is shown once it is witnessed.
    here.cosigning().round().await;
    desk_of(here.log(), |see, _| {
        let day = see.kept_of_interval(UtcMillis::new(START_MS)).unwrap();
        assert_eq!((day.size, see.kept(cut).unwrap()), (cut, day.clone()));
    });
}

/// A service whose log has witnesses of the shipped program.
struct Watched {
    served: Served,
    witnesses: Vec<Testimony>,
    folder: tempfile::TempDir,
}

impl Watched {
    fn new(count: usize, table: &str) -> Self {
        Self::over(count, table, |_| {})
    }

    /// With witnesses to which something is done before the service starts.
    fn over(count: usize, table: &str, before: impl Fn(&mut Testimony)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let installation = Installation::plain(&[LOG], "");
        let key = installation.verifier(LOG).clone();
        let witnesses = NAMES[..count].iter().map(|name| {
            let directory = folder.path().join(name.replace('/', "-"));
            Testimony::new(&directory, name, &[&key])
        });
        let mut witnesses: Vec<Testimony> = witnesses.collect();
        witnesses.iter_mut().for_each(before);
        let members: String = witnesses.iter().map(Testimony::member).collect();
        let tables = format!(
            "[development]\nplain_text = true\n[witness]\ninterval_seconds = 1\n{table}\n\
             {members}[[log]]\nid = \"{LOG}\"\n"
        );
        installation.configure("127.0.0.1:0", &tables);
        Self {
            served: installation.serve(),
            witnesses,
            folder,
        }
    }

    fn key(&self) -> VerifierKey {
        self.served.installation.verifier(LOG).clone()
    }

    fn run(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = self.served.command(self.folder.path(), arguments);
        command.output().unwrap()
    }

    async fn checkpoint(
        &self,
        witnessed: bool,
    ) -> Result<v1::GetCheckpointResponse, tonic::Status> {
        let mut client = AuditClient::new(self.served.channel().await);
        let request = v1::GetCheckpointRequest {
            log: LOG.to_owned(),
            witnessed,
            which: None,
        };
        let answer = client.get_checkpoint(request).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Imports messages from a folder; the size after.
    fn import(&self, name: &str, count: usize) -> u64 {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..count {
            let text =
                format!("From: a@casella.example\r\nSubject: {name} {number}\r\n\r\nCiao.\r\n");
            std::fs::write(folder.join(format!("{number}.eml")), text).unwrap();
        }
        let file = format!("{name}.jsonl");
        let key = self.key().to_string();
        let arguments = ["import", "--key", &key, "--acknowledgements", &file, name];
        let output = self.run(&arguments);
        assert_eq!(status(&output), 0, "{output:?}");
        let text = std::fs::read_to_string(self.folder.path().join(file)).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        let note = last["checkpoint"].as_str().unwrap();
        Checkpoint::open(note.as_bytes(), &self.key())
            .unwrap()
            .size()
            .get()
    }

    /// Until a checkpoint of at least this size is witnessed.
    async fn witnessed(&self, size: u64) -> v1::GetCheckpointResponse {
        for _ in 0..200 {
            if let Ok(answer) = self.checkpoint(true).await
                && answer.tree_size >= size
            {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not witnessed: {:?}", self.run(&["status", "--json"]));
    }

    fn policy(&self, quorum: usize) {
        let mut text = String::new();
        for (number, witness) in self.witnesses.iter().enumerate() {
            text += &format!("witness W{number} {}\n", witness.key);
        }
        let names: Vec<String> = (0..self.witnesses.len()).map(|n| format!("W{n}")).collect();
        text += &format!("group G {quorum} {}\nquorum G\n", names.join(" "));
        std::fs::write(self.folder.path().join("policy"), text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_log_is_witnessed_marked_where_it_is_not_and_never_delayed() {
    let mut watched = Watched::new(3, "quorum = 2");
    let size = watched.import("prima", 3);
    let answer = watched.witnessed(size).await;
    assert!(answer.witnessed && answer.witnessed_size == answer.tree_size);
    let keys: Vec<&VerifierKey> = watched.witnesses.iter().map(|w| &w.key).collect();
    let opened = Checkpoint::open_cosigned(answer.note.as_bytes(), &[&watched.key()], &keys);
    assert_eq!(opened.unwrap().1.len(), 3);
    // A monitor with the policy is content, leaves and all.
    watched.policy(2);
    let key = watched.key().to_string();
    let monitor = [
        "monitor", "--once", "--state", "stato", "--policy", "policy", "--replay",
    ];
    let monitor = [&monitor[..], &["--key", &key]].concat();
    let output = watched.run(&monitor);
    assert_eq!(status(&output), 0, "{output:?}");
    assert!(out(&output).contains("first seen"), "{output:?}");
    // Two witnesses fall silent: recording goes on, and what is not witnessed is marked.
    watched.witnesses[0].kill();
    watched.witnesses[1].kill();
    let size = watched.import("seconda", 3);
    let newest = watched.checkpoint(false).await.unwrap();
    assert!(newest.tree_size >= size && !newest.witnessed);
    assert!(newest.witnessed_size < size);
    let output = watched.run(&monitor);
    assert_eq!(status(&output), 0, "{output:?}");
    let line = out(&output);
    assert!(
        line.contains("follows from the one before; witnessed up to"),
        "{line}"
    );
    let state: Value = serde_json::from_str(&out(&watched.run(&["status", "--json"]))).unwrap();
    let witnesses = state["logs"][0]["witnesses"].as_array().unwrap();
    assert_eq!(witnesses.len(), 3);
    // They come back, having forgotten nothing.
    watched.witnesses[0].restart();
    let answer = watched.witnessed(size).await;
    assert!(answer.tree_size >= size);
    watched.served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_holds_back_shows_only_what_is_witnessed() {
    let mut watched = Watched::new(1, "quorum = 1\non_missing = \"hold-back\"");
    let size = watched.import("prima", 2);
    let answer = watched.witnessed(size).await;
    let newest = watched.checkpoint(false).await.unwrap();
    assert!(newest.witnessed && newest.tree_size >= answer.tree_size);
    watched.witnesses[0].kill();
    // Acknowledged at once, under the log's own checkpoint, and not shown.
    let size = watched.import("seconda", 2);
    let held = watched.checkpoint(false).await.unwrap();
    assert!(held.tree_size < size && held.witnessed);
    let mut client = AuditClient::new(watched.served.channel().await);
    let request = v1::GetInclusionProofRequest {
        log: LOG.to_owned(),
        ..Default::default()
    };
    let proof = client
        .get_inclusion_proof(request)
        .await
        .unwrap()
        .into_inner();
    assert!(proof.tree_size < size, "{} {size}", proof.tree_size);
    assert!(!proof.checkpoint.is_empty());
    // Whose witnesses never answered shows none, and acknowledges all the same.
    let silent = Watched::over(1, "quorum = 1\non_missing = \"hold-back\"", |w| w.kill());
    assert!(silent.import("terza", 2) > 2);
    for witnessed in [false, true] {
        let refused = silent.checkpoint(witnessed).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        let details = refused.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "NOT_WITNESSED");
    }
}

#[test]
fn acknowledgements_are_held_against_the_log_online_and_offline() {
    let folder = tempfile::tempdir().unwrap();
    let served = Installation::plain(&[LOG], "").serve();
    let watched = Watched {
        served,
        witnesses: Vec::new(),
        folder,
    };
    watched.import("prima", 3);
    watched.import("dopo", 4);
    let key = watched.key().to_string();
    let verify = |more: &[&str]| watched.run(&[&["verify-ack", "--key", &key], more].concat());
    let output = verify(&["--json", "--out", "prove", "prima.jsonl"]);
    assert_eq!(status(&output), 0, "{output:?}");
    assert_eq!(out(&output).lines().count(), 3);
    let first: Value = serde_json::from_str(out(&output).lines().next().unwrap()).unwrap();
    assert!(
        first["verified"] == true && first["tree_size"].as_u64() > Some(4),
        "{first}"
    );

    // Offline, with what was kept and the key alone.
    let index = first["id"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let kept = watched.folder.path().join("prove").join(&index);
    let mut files: Vec<_> = std::fs::read_dir(&kept)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    let path = |name: &str| kept.join(name).to_str().unwrap().to_owned();
    let (acknowledgement, consistency) = (path("acknowledgement.json"), path("consistency.txt"));
    let proofs: Vec<String> = files
        .iter()
        .filter(|file| file.extension().is_some_and(|e| e == "tlog-proof"))
        .map(|file| file.to_str().unwrap().to_owned())
        .collect();
    assert!(!proofs.is_empty());
    let offline = |proofs: &[String]| {
        let mut arguments = vec!["verify-ack", "--key", &key, &acknowledgement];
        arguments.extend(["--consistency", &consistency]);
        for proof in proofs {
            arguments.extend(["--proof", proof]);
        }
        let mut command = watched.served.command(watched.folder.path(), &arguments);
        command
            .env("CERALACCA_SERVER", "http://127.0.0.1:9")
            .output()
            .unwrap()
    };
    assert_eq!(status(&offline(&proofs)), 0, "{:?}", offline(&proofs));
    let missing = offline(&proofs[1..]);
    assert_eq!(status(&missing), 1);
    assert!(
        out(&missing).contains("there is no proof of leaf"),
        "{missing:?}"
    );
    // The proof files are proof files.
    let output = watched.run(&["verify", "--key", &key, &proofs[0]]);
    assert_eq!(status(&output), 0, "{output:?}");
    let good = std::fs::read_to_string(&consistency).unwrap();
    let cut: String = cut_second_line(&good);
    std::fs::write(&consistency, cut).unwrap();
    let cut = offline(&proofs);
    assert_eq!(status(&cut), 1, "{cut:?}");
    assert!(
        out(&cut).contains("from the acknowledged checkpoint"),
        "{cut:?}"
    );
    std::fs::write(&consistency, good).unwrap();

    // An acknowledgement that was altered, and one of another log.
    let file = watched.folder.path().join("prima.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let opening = line["records"][0]["opening"].as_str().unwrap();
    std::fs::write(&file, text.replace(opening, &"00".repeat(32))).unwrap();
    let altered = verify(&["prima.jsonl"]);
    assert_eq!(status(&altered), 1);
    let told = out(&altered);
    assert!(
        told.contains("NOT VERIFIED") && told.contains("2 verified, 1 not."),
        "{told}"
    );
    std::fs::write(&file, "{\"path\":\"x\"}\n").unwrap();
    cannot(&verify(&["prima.jsonl"]), "line 1");
    cannot(&verify(&["nessuno.jsonl"]), "read nessuno.jsonl");
    let other = "altro.example/log+";
    cannot(
        &watched.run(&["verify-ack", "--key", other, "dopo.jsonl"]),
        "key",
    );
    assert!(Path::new(&consistency).is_file());
}

/// Without its first hash.
fn cut_second_line(text: &str) -> String {
    let lines = text.split_inclusive('\n').enumerate();
    lines
        .filter(|(n, _)| *n != 1)
        .map(|(_, line)| line)
        .collect()
}
