//! Proofs and replay: promises P3 and P4 at any size, and beside a nation's traffic.
//!
//! ```text
//! cargo bench --bench audit                                     small, to see that it works
//! cargo bench --bench audit -- --grow 10000000,100000000        by hand; sizes of the table of growth
//!     --replay N       leaves replayed (default 200 000; the promise is about 10 000 000)
//!     --seconds N      of proofs beside submissions (default 5; 0 leaves it out)
//!     --base N         records in that log beforehand (default 50 000)
//!     --proofs N --submissions N     rates asked of it, a second (default 5 000 and 10 000)
//!     --proofs-each N  proofs in one call (default 1)
//! ```
//! Sizes of the table are synthesised: hashes of invented leaves make real tiles in a real store, by the code of the
//! writer, and proofs are made from them by the code of the reader, one tile cache for each proof as in a call. A
//! tenth of a percent of them is verified. The replay reads leaves from a store, as a local check does, and then over
//! gRPC with `ceralacca audit leaves`, which verifies the root. Nothing is judged: figures stand beside what was
//! asked, and are worth what the quiet of the machine is.

#![allow(clippy::disallowed_methods, reason = "a bench is about real time")]

use ceralacca::api::v1;
use ceralacca::api::v1::audit_client::AuditClient;
use ceralacca::api::v1::submission_client::SubmissionClient;
use ceralacca::store::cf::leaf::Leaves;
use ceralacca::store::cf::tile::Tiles;
use ceralacca::store::rocks::{Mode, RocksStore};
use ceralacca::store::{Batch, KeyRange, Order, Rows, Store, StoreError};
use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::id::{LeafIndex, Origin, TreeSize, UtcMillis};
use ceralacca_formats::leaf::{Class, Commitment, Epoch, Kind, Leaf};
use ceralacca_formats::note::NoteSigner;
use ceralacca_formats::secret::SigningSeed;
use ceralacca_formats::tile::{Frontier, TileNodes};
use ceralacca_formats::tree::{CompactRange, LeafHash, prove_inclusion, verify_inclusion};
use ceralacca_synthetic::traffic::Traffic;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::transport::Channel;

const START_MS: i64 = 1_763_700_000_000;
/// Proofs made at each size of the table.
const PROOFS: usize = 20_000;
/// Changes in one batch while a store is filled.
const FILL: u64 = 1 << 16;
const PROOF_CLIENTS: u64 = 32;
/// Submissions travel in batches of so many, as platforms send them.
const BATCH: u64 = 100;
const BATCH_CLIENTS: u64 = 8;

struct Options {
    grow: Vec<u64>,
    replay: u64,
    seconds: u64,
    base: u64,
    proofs: u64,
    submissions: u64,
    proofs_each: u64,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            grow: vec![10_000, 100_000, 1_000_000],
            replay: 200_000,
            seconds: 5,
            base: 50_000,
            proofs: 5_000,
            submissions: 10_000,
            proofs_each: 1,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            if argument == "--bench" {
                continue;
            }
            let value = arguments.next().expect("a value");
            let number = |text: &str| text.parse::<u64>().expect("a number");
            match argument.as_str() {
                "--grow" => options.grow = value.split(',').map(number).collect(),
                "--replay" => options.replay = number(&value),
                "--seconds" => options.seconds = number(&value),
                "--base" => options.base = number(&value),
                "--proofs" => options.proofs = number(&value),
                "--submissions" => options.submissions = number(&value),
                "--proofs-each" => options.proofs_each = number(&value),
                other => panic!("unknown argument {other}"),
            }
        }
        options
    }
}

fn main() {
    let options = Options::parse();
    println!("Growth: {PROOFS} inclusion proofs of leaves at random, one thread, asked p99 1 ms");
    println!(
        "  {:>12}  {:>8}  {:>9}  {:>9}  {:>9}  {:>9}",
        "leaves", "hashes", "p50 us", "p99 us", "all us", "cpu us"
    );
    for size in &options.grow {
        grow(*size);
    }
    if options.replay > 0 {
        println!(
            "Replay: {} leaves, asked 2 500 000 a second, hashes only",
            options.replay
        );
        replay(options.replay);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("runtime");
    if options.seconds > 0 {
        runtime.block_on(beside(&options));
    }
}

fn store() -> (tempfile::TempDir, RocksStore) {
    let directory = tempfile::tempdir().expect("directory");
    let store = RocksStore::open(&directory.path().join("db"), Mode::Create).expect("store");
    (directory, store)
}

/// An invented leaf.
fn leaf(index: u64) -> Leaf {
    let mut commitment = [0; 32];
    commitment[..8].copy_from_slice(&index.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    Leaf {
        kind: Kind::Trace,
        epoch: Epoch(1),
        seq: LeafIndex::new(index),
        time: UtcMillis::new(START_MS as u64),
        class: Class::Trace,
        commitment: Commitment::from_bytes(commitment),
    }
}

/// The microseconds of a sorted list, at a part of it.
fn at(times: &[Duration], part: f64) -> f64 {
    let index = ((times.len() as f64 * part) as usize).min(times.len() - 1);
    times[index].as_secs_f64() * 1e6
}

/// Proofs in a tree of this size.
fn grow(size: u64) {
    let (_directory, store) = store();
    let mut frontier = Frontier::default();
    let mut batch = Batch::new();
    for index in 0..size {
        let hash = leaf(index).hash();
        frontier.push(hash, |id, tile| batch.put::<Tiles>(&id, &tile));
        if index % FILL == FILL - 1 {
            store.commit(&batch).expect("tiles");
            batch.clear();
        }
    }
    store.commit(&batch).expect("tiles");
    store.settle().expect("settled");
    let signer =
        NoteSigner::new("bench.example", &SigningSeed::from_bytes([1; 32])).expect("signer");
    let origin = Origin::try_from("bench.example").expect("origin");
    let root = frontier.range().root();
    let checkpoint = Checkpoint::sign(&signer, &origin, TreeSize::new(size), root).expect("signed");
    let mut random = ChaCha8Rng::seed_from_u64(size);
    let (mut times, mut hashes) = (Vec::with_capacity(PROOFS), 0);
    let before = on_cpu();
    for number in 0..PROOFS {
        let index = LeafIndex::new(random.random_range(0..size));
        let start = Instant::now();
        let read = |id| -> Result<_, StoreError> {
            let tile = store.read::<Tiles>(&id)?;
            Ok(Arc::new(tile.expect("a tile")))
        };
        let mut nodes = TileNodes::new(&frontier, read);
        let path = prove_inclusion(&mut nodes, index, TreeSize::new(size)).expect("proof");
        times.push(start.elapsed());
        hashes += path.len();
        if number % 1000 == 0 {
            let hash = leaf(index.get()).hash();
            verify_inclusion(&checkpoint, index, hash, &path).expect("verified");
        }
    }
    let used = on_cpu().saturating_sub(before).as_secs_f64() * 1e6 / PROOFS as f64;
    times.sort_unstable();
    println!(
        "  {size:>12}  {:>8.1}  {:>9.0}  {:>9.0}  {:>9.0}  {used:>9.0}",
        hashes as f64 / PROOFS as f64,
        at(&times, 0.5),
        at(&times, 0.99),
        at(&times, 1.0)
    );
}

/// What this thread had of a processor: on a busy machine the time that passed says little.
fn on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// A replay of leaves: from memory, and from a store.
fn replay(count: u64) {
    let rate = |(start, before): (Instant, Duration)| {
        let (passed, used) = (start.elapsed(), on_cpu().saturating_sub(before));
        let [passed, used] = [passed, used].map(|time| count as f64 / time.as_secs_f64());
        format!("{passed:.0} a second, {used:.0} a second of the processor's time")
    };
    // Pieces as they come over the wire: packed, hashed as they are.
    let piece: Vec<u8> = (0..FILL.min(count))
        .flat_map(|index| leaf(index).to_bytes())
        .collect();
    let mut tree = CompactRange::default();
    let start = (Instant::now(), on_cpu());
    let mut left = count;
    while left > 0 {
        for bytes in piece.chunks(64).take(left as usize) {
            tree.push(LeafHash::of(bytes), |_, _, _| {});
        }
        left -= left.min(FILL);
    }
    println!("  from memory, one thread: {}", rate(start));

    let (_directory, store) = store();
    let mut expected = CompactRange::default();
    let mut batch = Batch::new();
    for index in 0..count {
        let leaf = leaf(index);
        batch.put::<Leaves>(&leaf.seq, &leaf);
        expected.push(leaf.hash(), |_, _, _| {});
        if index % FILL == FILL - 1 {
            store.commit(&batch).expect("leaves");
            batch.clear();
        }
    }
    store.commit(&batch).expect("leaves");
    store.settle().expect("settled");
    let mut tree = CompactRange::default();
    let start = (Instant::now(), on_cpu());
    for row in store.rows::<Leaves>(&KeyRange::all(), Order::Ascending) {
        let (_, leaf) = row.expect("leaf");
        tree.push(leaf.hash(), |_, _, _| {});
    }
    println!(
        "  from a store, every leaf decoded, one thread: {}",
        rate(start)
    );
    assert_eq!(tree.root(), expected.root());
}

/// A server over a fresh log, in a process of its own.
struct Server {
    child: Child,
    address: String,
    verifier: String,
    _directory: tempfile::TempDir,
}

fn ceralacca() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ceralacca"))
}

impl Server {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let path = |name: &str| directory.path().join(name);
        let origin = "pec.example.test/bench";
        let init = ceralacca()
            .args(["init", "--json", "--log", "gestore-1", "--origin", origin])
            .arg("--data")
            .arg(path("data"))
            .arg("--master-key")
            .arg(path("master.key"))
            .output()
            .expect("init");
        assert!(init.status.success());
        let told: serde_json::Value = serde_json::from_slice(&init.stdout).expect("told");
        let config = "data = \"data\"\nmaster_key = \"master.key\"\nlisten = \"127.0.0.1:0\"\n\
                      [development]\nplain_text = true\n[[log]]\nid = \"gestore-1\"\n";
        std::fs::write(path("c.toml"), config).expect("config");
        let mut child = ceralacca()
            .args(["serve", "--config"])
            .arg(path("c.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("serve");
        let mut line = String::new();
        let out = child.stdout.take().expect("output");
        BufReader::new(out).read_line(&mut line).expect("address");
        let address = line.trim().strip_prefix("listening on ").expect("address");
        Self {
            address: format!("http://{address}"),
            verifier: told["verifier_key"].as_str().expect("key").to_owned(),
            child,
            _directory: directory,
        }
    }

    async fn channel(&self) -> Channel {
        let channel = Channel::from_shared(self.address.clone()).expect("address");
        channel.connect().await.expect("connection")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn batch(number: u64) -> v1::SubmitBatchRequest {
    let text = |text: &Option<Text>| {
        let text = text.as_ref().and_then(Text::to_str);
        text.unwrap_or_default().to_owned()
    };
    let records = Traffic::new(number, START_MS).take(BATCH as usize);
    let items = records.map(|record| v1::SubmissionItem {
        what: Some(v1::submission_item::What::Trace(v1::TraceRecord {
            identificativo: text(&record.identificativo),
            event_ms: record.event_ms.map(Integer::get),
            sender: text(&record.sender),
            subject: text(&record.subject),
            event: text(&record.event),
            provider: text(&record.provider),
            msgid: text(&record.msgid),
            delivered_to: text(&record.delivered_to),
            ..v1::TraceRecord::default()
        })),
        ..v1::SubmissionItem::default()
    });
    v1::SubmitBatchRequest {
        items: items.collect(),
        ..v1::SubmitBatchRequest::default()
    }
}

async fn submit(client: &mut SubmissionClient<Channel>, batch: v1::SubmitBatchRequest) {
    let answer = client
        .submit_batch(batch)
        .await
        .expect("answer")
        .into_inner();
    let good = |result: &v1::SubmissionResult| {
        use v1::submission_result::Outcome;
        matches!(result.outcome, Some(Outcome::Acknowledgement(_)))
    };
    assert!(answer.results.iter().all(good));
}

/// Calls at a pace: `each` of them, the time of each from when it was due.
async fn paced<F: Future<Output = ()>>(
    start: Instant,
    pace: Duration,
    each: u64,
    mut call: impl FnMut(u64) -> F,
) -> Vec<Duration> {
    let mut times = Vec::with_capacity(each as usize);
    for number in 0..each {
        let due = start + pace * number as u32;
        tokio::time::sleep_until(due.into()).await;
        call(number).await;
        times.push(due.elapsed());
    }
    times
}

/// Proofs over gRPC: alone, and while submissions go on; then the whole log again.
async fn beside(options: &Options) {
    let server = Server::start();
    let mut client = SubmissionClient::new(server.channel().await);
    for number in 0..options.base.div_ceil(BATCH) {
        submit(&mut client, batch(number)).await;
    }
    println!(
        "Proofs over gRPC in a log of {} leaves, {} a call",
        options.base, options.proofs_each
    );
    mixed(&server, options, 0).await;
    mixed(&server, options, options.submissions).await;
    println!("Replay over gRPC: ceralacca audit leaves");
    let start = Instant::now();
    let replayed = ceralacca()
        .args(["audit", "leaves", "--json", "--server", &server.address])
        .args(["--key", &server.verifier])
        .output()
        .expect("replay");
    let seconds = start.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&replayed.stdout);
    assert!(replayed.status.success(), "{text}");
    let told: serde_json::Value = serde_json::from_str(&text).expect("told");
    let leaves = told["leaves"].as_u64().expect("leaves");
    println!(
        "  {leaves} leaves, {:.0} a second, root verified",
        leaves as f64 / seconds
    );
}

async fn mixed(server: &Server, options: &Options, submissions: u64) {
    let mut writers = Vec::new();
    let start = Instant::now() + Duration::from_millis(200);
    let batches = submissions * options.seconds / BATCH / BATCH_CLIENTS;
    for client in 0..BATCH_CLIENTS.min(submissions) {
        let pace = Duration::from_nanos(1_000_000_000 * BATCH * BATCH_CLIENTS / submissions);
        let first = start + pace * client as u32 / BATCH_CLIENTS as u32;
        // Made beforehand: inventing them is not what is measured.
        let made = (0..batches).map(|n| batch(1_000_000 + client * batches + n));
        let mut made: Vec<_> = made.collect();
        let stub = SubmissionClient::new(server.channel().await);
        writers.push(tokio::spawn(async move {
            paced(first, pace, batches, |_| {
                let (mut stub, batch) = (stub.clone(), made.pop().expect("a batch"));
                async move { submit(&mut stub, batch).await }
            })
            .await
        }));
    }
    let each = options.proofs_each.max(1);
    let calls = options.proofs / each;
    let pace = Duration::from_nanos(1_000_000_000 * PROOF_CLIENTS / calls.max(1));
    let count = calls * options.seconds / PROOF_CLIENTS;
    let mut readers = Vec::new();
    let mut channel = server.channel().await;
    let base = options.base;
    for client in 0..PROOF_CLIENTS {
        if client % 8 == 7 {
            channel = server.channel().await;
        }
        let stub = AuditClient::new(channel.clone());
        let first = start + pace * client as u32 / PROOF_CLIENTS as u32;
        let mut random = ChaCha8Rng::seed_from_u64(client);
        readers.push(tokio::spawn(async move {
            paced(first, pace, count, |_| {
                let mut stub = stub.clone();
                let mut indexes: Vec<u64> =
                    (0..each).map(|_| random.random_range(0..base)).collect();
                indexes.sort_unstable();
                indexes.dedup();
                async move {
                    let asked = indexes.len();
                    let request = v1::GetInclusionProofsRequest {
                        indexes,
                        ..v1::GetInclusionProofsRequest::default()
                    };
                    let answer = stub.get_inclusion_proofs(request).await.expect("proofs");
                    assert_eq!(answer.into_inner().proofs.len(), asked);
                }
            })
            .await
        }));
    }
    let mut told = format!("  beside {submissions} submissions a second:");
    for (what, tasks, each) in [("proofs", readers, each), ("submissions", writers, BATCH)] {
        let mut times = Vec::new();
        for task in tasks {
            times.append(&mut task.await.expect("task"));
        }
        if times.is_empty() {
            continue;
        }
        let rate = times.len() as f64 * each as f64 / start.elapsed().as_secs_f64();
        times.sort_unstable();
        let (half, most) = (at(&times, 0.5) / 1000.0, at(&times, 0.99) / 1000.0);
        told += &format!(" {rate:.0} {what} a second, p50 {half:.1} ms, p99 {most:.1} ms;");
    }
    println!("{}", told.trim_end_matches(';'));
}
