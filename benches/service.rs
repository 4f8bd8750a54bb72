//! The service over gRPC on loopback, client and server on the same processors, beside the same records in process.
//!
//! ```text
//! cargo bench --bench service                        as CI runs it, small
//! cargo bench --bench service -- --records 300000    by hand; further
//!     --seconds N     of unary clients (default 5)
//!     --receipts N    receipts imported (default 4000)
//!     --soak N        records submitted with slow readers attached, memory watched (default 0: left out)
//! ```
//!
//! The server is the shipped binary, `ceralacca serve` in development mode (no TLS), a process of its own; its
//! log is read back by `ceralacca fsck` at the end. Only the ratio is judged, both sides in this run: stream at
//! least 0.4 of in process. The other figures are printed with what was asked of them.

#![allow(clippy::disallowed_methods, reason = "a bench is about real time")]

use ceralacca::access::{self, Principal};
use ceralacca::api::v1;
use ceralacca::api::v1::submission_client::SubmissionClient;
use ceralacca::archive::{self, Log, Settings};
use ceralacca::ingest::{ClientKey, Submission};
use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::id::{LogId, Origin, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::TraceRecord;
use ceralacca_formats::secret::MasterKey;
use ceralacca_synthetic::mail::{PkiOptions, Postal, Select};
use ceralacca_synthetic::pki::Keys;
use ceralacca_synthetic::traffic::Traffic;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

const START_MS: i64 = 1_763_700_000_000;
/// Records in a batch of the stream.
const BATCH: usize = 256;
/// Streams, and batches under way on each.
const STREAMS: usize = 2;
const UNDER_WAY: usize = 8;
const UNARY_CLIENTS: u64 = 64;
const UNARY_RATE: u64 = 10_000;

struct Options {
    records: usize,
    seconds: u64,
    receipts: usize,
    soak: u64,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            records: 100_000,
            seconds: 5,
            receipts: 4000,
            soak: 0,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                arguments
                    .next()
                    .and_then(|n| n.parse().ok())
                    .expect("a number")
            };
            match argument.as_str() {
                "--records" => options.records = number() as usize,
                "--seconds" => options.seconds = number(),
                "--receipts" => options.receipts = number() as usize,
                "--soak" => options.soak = number(),
                "--bench" => {}
                other => panic!("unknown argument {other}"),
            }
        }
        options
    }
}

/// A server over a fresh log, in a process of its own.
struct Server {
    child: Child,
    address: String,
    directory: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let path = |name: &str| directory.path().join(name);
        let init = ceralacca()
            .args([
                "init",
                "--log",
                "gestore-1",
                "--origin",
                "pec.example.test/bench",
            ])
            .arg("--data")
            .arg(path("data"))
            .arg("--master-key")
            .arg(path("master.key"))
            .output()
            .expect("init");
        assert!(init.status.success());
        let config = "data = \"data\"\nmaster_key = \"master.key\"\nlisten = \"127.0.0.1:0\"\n\
                      [development]\nplain_text = true\n[[log]]\nid = \"gestore-1\"\n";
        std::fs::write(path("ceralacca.toml"), config).expect("config");
        let mut child = ceralacca()
            .arg("serve")
            .arg("--config")
            .arg(path("ceralacca.toml"))
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
            child,
            directory,
        }
    }

    async fn client(&self) -> SubmissionClient<Channel> {
        let channel = Channel::from_shared(self.address.clone()).expect("address");
        let client = SubmissionClient::new(channel.connect().await.expect("connection"));
        client.max_decoding_message_size(64 << 20)
    }

    /// Resident memory, in bytes.
    fn resident(&self) -> u64 {
        let path = format!("/proc/{}/statm", self.child.id());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let pages = text.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
        pages.unwrap_or(0) * 4096
    }

    /// Stops it cleanly and has everything it wrote checked: `leaves` at least.
    fn stop(mut self, leaves: u64) {
        let id = rustix::process::Pid::from_raw(self.child.id() as i32).expect("pid");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("signal");
        assert!(self.child.wait().expect("status").success());
        let fsck = ceralacca()
            .args(["fsck", "--log", "gestore-1", "--json", "--data"])
            .arg(self.directory.path().join("data"))
            .arg("--master-key")
            .arg(self.directory.path().join("master.key"))
            .output()
            .expect("fsck");
        let text = String::from_utf8_lossy(&fsck.stdout);
        assert!(fsck.status.success(), "{text}");
        let report: serde_json::Value = serde_json::from_str(&text).expect("report");
        let found = report["leaves"].as_u64().expect("leaves");
        assert!(found >= leaves, "{found} leaves of {leaves}");
        println!("  fsck: clean, {found} leaves");
    }
}

fn ceralacca() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ceralacca"))
}

fn main() {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let records: Vec<TraceRecord> = Traffic::new(7, START_MS).take(options.records).collect();
    println!("In process: {} records, two submitters", records.len());
    let here = in_process(&records);
    println!("  {here:.0} a second");

    println!("Streams: {STREAMS} of batches of {BATCH}, the same records");
    let server = Server::start();
    let there = runtime.block_on(streams(&server, &records));
    println!(
        "  {there:.0} a second: {:.2} of in process, asked 0.40",
        there / here
    );

    println!("Unary: {UNARY_CLIENTS} clients at {UNARY_RATE} a second in all");
    let (done, mut times) = runtime.block_on(unary(&server, &records, options.seconds));
    println!(
        "  {done:.0} a second; acknowledged within {}, asked p99 50 ms",
        percentiles(&mut times)
    );

    println!("Serial: one client");
    let mut times = runtime.block_on(serial(&server, &records));
    println!(
        "  acknowledged within {}, asked p99 10 ms",
        percentiles(&mut times)
    );
    println!(
        "  resident memory of the server {} MB",
        server.resident() / 1_000_000
    );
    server.stop(options.records as u64);

    if options.receipts > 0 {
        import(options.receipts);
    }
    if options.soak > 0 {
        runtime.block_on(soak(options.soak));
    }
    assert!(there / here >= 0.4, "the stream is below 0.4 of in process");
}

fn percentiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |part: f64| {
        let index = (times.len() as f64 * part) as usize;
        times
            .get(index.min(times.len() - 1))
            .map_or(0.0, |t| t.as_secs_f64() * 1e3)
    };
    format!(
        "p50 {:.1} ms, p99 {:.1} ms, all {:.1} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    )
}

/// Records a second in process: the path of the bench `append`.
fn in_process(records: &[TraceRecord]) -> f64 {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("log");
    let (id, origin) = (
        LogId::try_from("bench"),
        Origin::try_from("pec.example.test/bench"),
    );
    let (id, origin) = (id.expect("id"), origin.expect("origin"));
    let (master, settings) = (MasterKey::from_bytes([7; 32]), Settings::default());
    archive::init(&path, &id, &origin, &master, &settings).expect("init");
    let log = Log::open(&path, &master, &settings).expect("open");
    let permit =
        access::authorize(&Principal::development(), &id, UtcMillis::new(0)).expect("permit");
    let submitter = log.ingest(&permit).expect("ingest");
    let half = records.len().div_ceil(2);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for (part, records) in records.chunks(half).enumerate() {
            let submitter = &submitter;
            scope.spawn(move || {
                let mut waiting = VecDeque::new();
                for (number, record) in records.iter().enumerate() {
                    if waiting.len() >= BATCH * UNDER_WAY {
                        let ticket = waiting.pop_front().expect("a ticket");
                        submitter.wait(ticket).expect("acknowledgement");
                    }
                    let key = ClientKey(format!("{part}-{number}").into_bytes());
                    let submission = Submission::trace(Class::Trace, record.clone(), Some(key));
                    waiting.push_back(submitter.submit_waiting(submission).expect("submitted"));
                }
                for ticket in waiting {
                    submitter.wait(ticket).expect("acknowledgement");
                }
            });
        }
    });
    let rate = records.len() as f64 / start.elapsed().as_secs_f64();
    assert_eq!(
        log.reader().published().tip.size.get(),
        records.len() as u64 + 1
    );
    log.stop().expect("stop");
    rate
}

fn item(record: &TraceRecord, key: String) -> v1::SubmissionItem {
    let text = |text: &Option<Text>| {
        let text = text.as_ref().and_then(Text::to_str);
        text.unwrap_or_default().to_owned()
    };
    let recipients = record.recipients.iter().map(|recipient| v1::Recipient {
        address: recipient.address.to_str().unwrap_or_default().to_owned(),
        kind: text(&recipient.kind),
    });
    let ids = record.message_ids.iter().filter_map(Text::to_str);
    v1::SubmissionItem {
        client_key: key.into_bytes().into(),
        what: Some(v1::submission_item::What::Trace(v1::TraceRecord {
            identificativo: text(&record.identificativo),
            event_ms: record.event_ms.map(Integer::get),
            sender: text(&record.sender),
            recipients: recipients.collect(),
            subject: text(&record.subject),
            event: text(&record.event),
            message_ids: ids.map(str::to_owned).collect(),
            provider: text(&record.provider),
            msgid: text(&record.msgid),
            delivered_to: text(&record.delivered_to),
            receipt_form: text(&record.receipt_form),
            error: text(&record.error),
            error_detail: text(&record.error_detail),
            ..v1::TraceRecord::default()
        })),
    }
}

fn batches(records: &[TraceRecord], name: &str) -> VecDeque<v1::SubmitBatchRequest> {
    let batches = records.chunks(BATCH).enumerate();
    let batches = batches.map(|(batch, records)| {
        let items = records.iter().enumerate();
        v1::SubmitBatchRequest {
            items: items
                .map(|(n, record)| item(record, format!("{name}-{batch}-{n}")))
                .collect(),
            ..v1::SubmitBatchRequest::default()
        }
    });
    batches.collect()
}

/// Records a second over streams of batches, every acknowledgement looked at.
async fn streams(server: &Server, records: &[TraceRecord]) -> f64 {
    let half = records.len().div_ceil(STREAMS);
    let mut parts = Vec::new();
    for (part, records) in records.chunks(half).enumerate() {
        parts.push((
            server.client().await,
            batches(records, &format!("stream-{part}")),
        ));
    }
    let start = Instant::now();
    let running = parts
        .into_iter()
        .map(|(client, batches)| tokio::spawn(stream(client, batches)));
    let running: Vec<_> = running.collect();
    let mut done = 0;
    for stream in running {
        done += stream.await.expect("stream");
    }
    assert_eq!(done, records.len());
    done as f64 / start.elapsed().as_secs_f64()
}

async fn stream(
    mut client: SubmissionClient<Channel>,
    mut batches: VecDeque<v1::SubmitBatchRequest>,
) -> usize {
    let (requests, receiver) = mpsc::channel(UNDER_WAY);
    for _ in 0..UNDER_WAY {
        if let Some(batch) = batches.pop_front() {
            requests.send(batch).await.expect("room");
        }
    }
    let answers = client
        .submit_stream(ReceiverStream::new(receiver))
        .await
        .expect("stream");
    let mut answers = answers.into_inner();
    let mut requests = Some(requests);
    let mut done = 0;
    loop {
        match batches.pop_front() {
            None => requests = None,
            Some(batch) => {
                let requests = requests.as_ref().expect("open");
                requests.send(batch).await.expect("taken");
            }
        }
        let Some(answer) = answers.next().await else {
            return done;
        };
        done += acknowledged(&answer.expect("answer"));
    }
}

/// Counts the acknowledgements; a refusal fails the bench.
fn acknowledged(answer: &v1::SubmitBatchResponse) -> usize {
    assert!(!answer.checkpoint.is_empty());
    for result in &answer.results {
        match &result.outcome {
            Some(v1::submission_result::Outcome::Acknowledgement(acknowledgement)) => {
                assert!(!acknowledgement.repeated && acknowledgement.records.len() == 1);
            }
            other => panic!("{other:?}"),
        }
    }
    answer.results.len()
}

async fn one(client: &mut SubmissionClient<Channel>, item: v1::SubmissionItem) -> Duration {
    let start = Instant::now();
    let request = v1::SubmitRequest {
        item: Some(item),
        ..v1::SubmitRequest::default()
    };
    let answer = client.submit(request).await.expect("answer").into_inner();
    assert!(answer.acknowledgement.is_some_and(|a| !a.repeated));
    start.elapsed()
}

/// Unary clients, each with a pace of its own; a call that comes late begins at once, and its time counts from
/// when it was due.
async fn unary(server: &Server, records: &[TraceRecord], seconds: u64) -> (f64, Vec<Duration>) {
    let pace = Duration::from_nanos(1_000_000_000 * UNARY_CLIENTS / UNARY_RATE);
    let each = (UNARY_RATE * seconds / UNARY_CLIENTS) as usize;
    let mut running = Vec::new();
    // A connection for eight clients: platforms pool them.
    let mut client = server.client().await;
    let start = Instant::now() + Duration::from_millis(100);
    for number in 0..UNARY_CLIENTS {
        if number % 8 == 0 {
            client = server.client().await;
        }
        let mut client = client.clone();
        let record = |n: usize| &records[(number as usize * each + n) % records.len()];
        let items = (0..each).map(|n| item(record(n), format!("unary-{number}-{n}")));
        let items: Vec<_> = items.collect();
        running.push(tokio::spawn(async move {
            let mut times = Vec::with_capacity(items.len());
            let first = start + pace * number as u32 / UNARY_CLIENTS as u32;
            for (n, item) in items.into_iter().enumerate() {
                let due = first + pace * n as u32;
                tokio::time::sleep_until(due.into()).await;
                one(&mut client, item).await;
                times.push(due.elapsed());
            }
            times
        }));
    }
    let mut times = Vec::new();
    for client in running {
        times.append(&mut client.await.expect("client"));
    }
    (times.len() as f64 / start.elapsed().as_secs_f64(), times)
}

async fn serial(server: &Server, records: &[TraceRecord]) -> Vec<Duration> {
    let mut client = server.client().await;
    let mut times = Vec::new();
    for (number, record) in records.iter().take(2000).enumerate() {
        times.push(one(&mut client, item(record, format!("serial-{number}"))).await);
    }
    times
}

/// Imports complete delivery receipts of some 13 KB with the command line.
fn import(count: usize) {
    let options = PkiOptions::with_keys(Keys::P256);
    let postal = Postal::new(&options, START_MS).expect("providers");
    let mails = tempfile::tempdir().expect("directory");
    let mut bytes = 0;
    for (number, message) in postal
        .stream(5, Select::CompleteDeliveries)
        .take(count)
        .enumerate()
    {
        bytes += message.bytes.len();
        std::fs::write(
            mails.path().join(format!("{number:06}.eml")),
            &message.bytes,
        )
        .expect("file");
    }
    println!(
        "Import: {count} receipts of {} bytes on average",
        bytes / count
    );
    let server = Server::start();
    let start = Instant::now();
    let import = ceralacca()
        .args(["import", "--json", "--server", &server.address])
        .arg("--acknowledgements")
        .arg(server.directory.path().join("acknowledgements.jsonl"))
        .arg(mails.path())
        .output()
        .expect("import");
    let seconds = start.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&import.stdout);
    assert!(import.status.success(), "{text}");
    let report: serde_json::Value = serde_json::from_str(&text).expect("report");
    assert_eq!(report["archived"].as_u64(), Some(count as u64), "{text}");
    println!(
        "  {:.0} receipts a second, read, judged by their facts and durable; asked 2000",
        count as f64 / seconds
    );
    // The object and the trace record of its facts.
    server.stop(2 * count as u64);
}

/// Streams records while other clients send and do not read; the server's memory, every tenth.
async fn soak(count: u64) {
    println!("Soak: {count} records with slow readers attached");
    let server = Server::start();
    let object = v1::SubmissionItem {
        what: Some(v1::submission_item::What::Object(v1::Object {
            content: vec![7; 4 << 20].into(),
            declared: 0,
        })),
        ..v1::SubmissionItem::default()
    };
    let mut client = server.client().await;
    let request = v1::SubmitRequest {
        item: Some(object),
        ..v1::SubmitRequest::default()
    };
    let answer = client.submit(request).await.expect("object").into_inner();
    let index = answer.acknowledgement.expect("acknowledgement").records[0].index;
    // These ask, and then never read: two streams of batches, four copies of a large object.
    let slow: Vec<TraceRecord> = Traffic::new(99, START_MS).take(BATCH * 64).collect();
    let mut held = Vec::new();
    for number in 0..2 {
        let mut client = server.client().await;
        let (requests, receiver) = mpsc::channel(1);
        let batches = batches(&slow, &format!("slow-{number}"));
        tokio::spawn(async move {
            for batch in batches {
                if requests.send(batch).await.is_err() {
                    return;
                }
            }
            std::future::pending::<()>().await;
        });
        held.push(
            client
                .submit_stream(ReceiverStream::new(receiver))
                .await
                .expect("stream"),
        );
    }
    let mut copies = Vec::new();
    for _ in 0..4 {
        let channel = Channel::from_shared(server.address.clone()).expect("address");
        let channel = channel.connect().await.expect("connection");
        let mut client = v1::reissue_client::ReissueClient::new(channel);
        let request = v1::GetDuplicatoRequest {
            log: String::new(),
            index,
            infected: false,
        };
        copies.push(client.get_duplicato(request).await.expect("object"));
    }
    let mut done = 0;
    let mut traffic = Traffic::new(11, START_MS);
    let mut samples = Vec::new();
    while done < count {
        let part = (count / 10).max(1);
        let records: Vec<TraceRecord> = traffic.by_ref().take(part as usize).collect();
        let name = format!("soak-{done}");
        done += stream(server.client().await, batches(&records, &name)).await as u64;
        samples.push(server.resident() / 1_000_000);
    }
    println!("  resident memory in MB, every tenth: {samples:?}");
    drop((held, copies));
    server.stop(count);
}
