//! Packages for a court from the shipped service: processor time, rate, memory.
//!
//! ```text
//! cargo bench --bench reissue                        as CI runs it, small
//! cargo bench --bench reissue -- --packages 100      by hand; further
//!     --object-mb N    megabytes of the large object (default 100)
//!     --judge          fails where a figure is missed, and not only memory
//! ```
//!
//! The server is `ceralacca serve` in development mode, a process of its own whose processor time and memory the kernel
//! tells; its time-stamping authority is the embedded one, whose work is counted too. Asked for: a transaction of
//! twenty receipts in at most 150 ms of processor, ten a second on two; an object of 100 MB with less than 64 MB above
//! what the service holds at rest. Memory is judged everywhere, time with `--judge` only, on a machine at rest. What came
//! is read back: every digest is what the signed manifest says, every receipt what was archived.

#![allow(clippy::disallowed_methods, reason = "a bench is about real time")]

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

use ceralacca::ambient::{Clock, SystemClock, SystemEntropy};
use ceralacca::api::v1;
use ceralacca::archive::{Log, Settings};
use ceralacca::ingest::Declared;
use ceralacca::seal_key::{self, DevelopmentFiles};
use ceralacca_evidence::asic::{Container, Files, verify};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::UtcMillis;
use ceralacca_synthetic::mail::{PkiOptions, Plan, Postal, ReceiptForm, Story, Transaction};
use ceralacca_synthetic::pki::Keys;
use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::tls::{Installation, Served};
use support::{DAY_MS, HOUR_MS, MovableClock, ingest, master};
use tonic::transport::Channel;
use v1::get_package_response::Part;
use v1::reissue_client::ReissueClient;

const LOG: &str = "gestore-1";
const RECEIPTS: usize = 20;
const TRANSACTIONS: usize = 8;
const CPU_MS_MAX: f64 = 150.0;
const RATE_MIN: f64 = 10.0;
const ABOVE_IDLE_MAX: u64 = 64 << 20;

struct Options {
    packages: usize,
    object_mb: usize,
    judge: bool,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self {
            packages: 20,
            object_mb: 100,
            judge: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let number = arguments.next().and_then(|n| n.parse().ok());
                number.expect("a number")
            };
            match argument.as_str() {
                "--packages" => options.packages = number(),
                "--object-mb" => options.object_mb = number(),
                "--judge" => options.judge = true,
                "--bench" => {}
                other => panic!("unknown argument {other}"),
            }
        }
        options
    }
}

/// A service over a log with some transactions of twenty receipts, two days old.
fn service() -> (Served, Vec<Transaction>) {
    let limits = "";
    let installation = Installation::plain(&[LOG], limits);
    let now = SystemClock::default().wall().get();
    let files = DevelopmentFiles::beside(&installation.path("master.key"));
    seal_key::make(&files, UtcMillis::new(now), &SystemEntropy).unwrap();
    let clock = MovableClock::at(now - 2 * DAY_MS);
    let settings = Settings {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..Settings::default()
    };
    let log = Log::open(&installation.log(LOG), &master(), &settings).unwrap();
    let start = i64::try_from(clock.now() - HOUR_MS).unwrap();
    let postal = Postal::new(&PkiOptions::with_keys(Keys::P256), start).unwrap();
    let mut transactions = Vec::new();
    for number in 0..TRANSACTIONS as u64 {
        let mut plan: Plan = postal.plan(number);
        plan.at_ms = start;
        plan.recipients = RECEIPTS;
        plan.story = Story::Delivered;
        plan.form = ReceiptForm::Complete;
        let mut transaction = postal.carry_out(number, &plan);
        transaction.messages.truncate(RECEIPTS);
        for message in &transaction.messages {
            let object = ingest(&log).object(message.bytes.clone(), Declared::default(), None);
            ingest(&log).record(object.unwrap()).unwrap();
        }
        transactions.push(transaction);
    }
    log.stop().unwrap();
    drop(log);
    (installation.serve(), transactions)
}

fn wait_until_sealed(served: &Served) {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..600 {
        let mut status = served.command(folder.path(), &["status", "--json"]);
        let told = String::from_utf8(status.output().unwrap().stdout).unwrap();
        let is_cut = told.contains("\"intervals_cut\": 0") || told.contains("\"intervals_cut\":0");
        let none = told.contains("\"closed_leaf\": 0") || told.contains("\"closed_leaf\":0");
        if is_cut && !none {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("nothing is closed");
}

async fn client(served: &Served) -> ReissueClient<Channel> {
    ReissueClient::new(served.channel().await)
}

fn request(change: impl FnOnce(&mut v1::GetPackageRequest)) -> v1::GetPackageRequest {
    let mut request = v1::GetPackageRequest {
        requester: "Tribunale di Prova".to_owned(),
        capacity: v1::Capacity::Court.into(),
        act: "decreto 12/2026".to_owned(),
        purpose: "R.G. 345/2026".to_owned(),
        ..v1::GetPackageRequest::default()
    };
    change(&mut request);
    request
}

/// A package, taken to its end: how many bytes, and the bytes where they are kept.
async fn taken(
    client: &mut ReissueClient<Channel>,
    request: v1::GetPackageRequest,
    keep: bool,
) -> (u64, Vec<u8>) {
    let mut parts = client.get_package(request).await.unwrap().into_inner();
    let (mut bytes, mut octets) = (0, Vec::new());
    while let Some(message) = parts.message().await.unwrap() {
        match message.part {
            Some(Part::Chunk(chunk)) => {
                bytes += chunk.len() as u64;
                if keep {
                    octets.extend_from_slice(&chunk);
                }
            }
            Some(Part::Head(head)) => assert!(head.records > 0),
            other => panic!("{other:?}"),
        }
    }
    (bytes, octets)
}

fn check(octets: &[u8], transaction: &Transaction) {
    let mut container = Container::open(Cursor::new(octets)).unwrap();
    let verified = verify(&mut container).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    let sent = transaction.messages.iter();
    let sent: BTreeSet<Sha256> = sent.map(|m| Sha256::of(&m.bytes)).collect();
    let digests = verified.digests.iter();
    let came = digests.filter(|(name, _)| name.ends_with(".eml"));
    let came: BTreeSet<Sha256> = came.map(|(_, digest)| *digest).collect();
    assert_eq!(came, sent, "every receipt, and no other");
    assert_eq!(verified.signed.len(), 1);
    let names = container.names();
    assert!(names.iter().any(|name| name == "relazione.pdf"));
}

/// Uploads a message of so many megabytes; gives its leaf.
async fn upload(served: &Served, megabytes: usize) -> u64 {
    use v1::upload_request::Part;
    let mut client = v1::submission_client::SubmissionClient::new(served.channel().await);
    let start = v1::UploadStart {
        log: LOG.to_owned(),
        ..v1::UploadStart::default()
    };
    let head = b"From: <a@casella.example>\r\nTo: <b@casella.example>\r\nSubject: grande\r\n\r\n";
    let line = [&[b'x'; 76][..], b"\r\n"].concat();
    let piece = line.repeat((1 << 20) / line.len());
    let first = std::iter::once(v1::UploadRequest {
        part: Some(Part::Start(start)),
    });
    let pieces = std::iter::once(head.to_vec());
    let pieces = pieces.chain(std::iter::repeat_n(piece, megabytes + megabytes / 50));
    let pieces = pieces.map(|piece| v1::UploadRequest {
        part: Some(Part::Chunk(piece.into())),
    });
    let requests: Vec<_> = first.chain(pieces).collect();
    let answer = client.upload(tokio_stream::iter(requests)).await.unwrap();
    let records = answer.into_inner().acknowledgement.unwrap().records;
    records[0].index
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let options = Options::parse();
    let (served, transactions) = std::thread::spawn(service).join().unwrap();
    wait_until_sealed(&served);
    let of = |number: usize| {
        let transaction = &transactions[number % TRANSACTIONS];
        request(|r| {
            r.identificativo = transaction.identificativo.clone();
            r.whole_transaction = true;
        })
    };
    let mut one = client(&served).await;
    for (number, transaction) in transactions.iter().enumerate() {
        let (bytes, octets) = taken(&mut one, of(number), true).await;
        check(&octets, transaction);
        if number == 0 {
            println!(
                "a transaction of {} receipts: a package of {} KB",
                transaction.messages.len(),
                bytes >> 10
            );
        }
    }
    let (begun, cpu) = (Instant::now(), served.cpu());
    for number in 0..options.packages {
        taken(&mut one, of(number), false).await;
    }
    let alone = begun.elapsed().as_secs_f64() / options.packages as f64;
    let cpu = (served.cpu() - cpu).as_secs_f64() * 1000.0 / options.packages as f64;
    println!(
        "one after the other: {cpu:.1} ms of processor each (asked: {CPU_MS_MAX}), {:.1} ms in all",
        alone * 1000.0
    );
    let begun = Instant::now();
    let clients = (0..4).map(|first| {
        let served = &served;
        let of = &of;
        async move {
            let mut client = client(served).await;
            for number in (first..options.packages).step_by(4) {
                taken(&mut client, of(number), false).await;
            }
        }
    });
    futures_util::future::join_all(clients).await;
    let rate = options.packages as f64 / begun.elapsed().as_secs_f64();
    println!("four clients: {rate:.1} packages a second (asked: {RATE_MIN} on two processors)");
    let idle = served.resident();
    let index = upload(&served, options.object_mb).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    served.forget_peak();
    let begun = Instant::now();
    let (bytes, _) = taken(&mut one, request(|r| r.index = Some(index)), false).await;
    let took = begun.elapsed().as_secs_f64();
    assert!(bytes > (options.object_mb as u64) << 20, "{bytes}");
    let above = served.peak().saturating_sub(idle);
    println!(
        "an object of {} MB: {:.0} MB a second; {} MB above the {} MB at rest (asked: {})",
        options.object_mb,
        bytes as f64 / took / 1e6,
        above >> 20,
        idle >> 20,
        ABOVE_IDLE_MAX >> 20
    );
    assert!(above < ABOVE_IDLE_MAX, "memory grows with the object");
    if options.judge {
        assert!(cpu <= CPU_MS_MAX, "{cpu:.1} ms of processor");
        assert!(rate >= RATE_MIN, "{rate:.1} packages a second");
    }
}
