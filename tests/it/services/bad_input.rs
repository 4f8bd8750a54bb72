//! Hostile and broken input: archived as received or refused precisely, at a bounded cost, and the log is clean
//! after all of it.

use super::identity::call;
use super::*;
use crate::support::traces;
use bytes::{BufMut, BytesMut};
use ceralacca::access::RPCS;
use ceralacca_formats::leaf::Kind;
use ceralacca_synthetic::damage::{self, Cut};
use ceralacca_synthetic::mail::{Plan, Recipient, Story};
use futures_util::stream;
use prost::Message as _;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tower::ServiceExt;

const MIB: u64 = 1 << 20;
/// What is answered later than this is not answered.
const PATIENCE: Duration = Duration::from_secs(20);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let answer = tokio::time::timeout(PATIENCE, future).await;
    answer.unwrap_or_else(|_| panic!("{what}: no answer"))
}

async fn archived(clients: &Clients, bytes: &[u8]) -> v1::Acknowledgement {
    let messages = stream::iter(pieces(start(""), bytes, 60_000));
    let answer = clients.submission.clone().upload(messages).await.unwrap();
    answer.into_inner().acknowledgement.unwrap()
}

/// Every defect of a message, with what it is archived as.
fn defects() -> Vec<(&'static str, Vec<u8>, Kind, &'static str)> {
    let (postal, _) = postal();
    let receipt = mail(MessageKind::DeliveryComplete);
    let facts = String::from_utf8(receipt.facts().unwrap().to_xml(Family::A)).unwrap();
    let xml = |xml: String| damage::with_xml(postal, receipt, xml.into_bytes()).bytes;
    let laughs = {
        let mut text =
            "<?xml version=\"1.0\"?>\n<!DOCTYPE postacert [\n<!ENTITY a0 \"ah\">\n".to_owned();
        for level in 1..10 {
            let inner = format!("&a{};", level - 1).repeat(10);
            text += &format!("<!ENTITY a{level} \"{inner}\">\n");
        }
        text + "]>\n<postacert tipo=\"accettazione\">&a9;</postacert>"
    };
    let quadratic = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE p [<!ENTITY x \"{}\">]><postacert tipo=\"accettazione\">{}</postacert>",
        "x".repeat(50_000),
        "&x;".repeat(50_000)
    );
    let outside = |text: &str| {
        format!(
            "<?xml version=\"1.0\"?><!DOCTYPE postacert SYSTEM \"file:///etc/passwd\">\
             <postacert tipo=\"accettazione\">{text}</postacert>"
        )
    };
    let deep = format!(
        "<postacert tipo=\"accettazione\">{}{}</postacert>",
        "<a>".repeat(100_000),
        "</a>".repeat(100_000)
    );
    let other = |from: &str, to: &str| xml(facts.replacen(from, to, 1));
    let not_utf8 = {
        let mut bytes = facts.clone().into_bytes();
        let at = facts.find("</mittente>").unwrap();
        bytes.splice(at..at, [0xff, 0xfe]);
        damage::with_xml(postal, receipt, bytes).bytes
    };
    let parts = |count| damage::with_daticert_parts(postal, receipt, count).bytes;
    let long_id = |len| {
        let id = "x".repeat(len);
        format!("From: a@example.test\r\nMessage-ID: <{id}>\r\n\r\nciao").into_bytes()
    };
    let unclassified = |name, bytes, reason| (name, bytes, Kind::Unclassified, reason);
    let mut cases = vec![
        unclassified("empty", Vec::new(), "empty"),
        unclassified("noise", noise(80, 100_000), "not-mail"),
        unclassified("zeros", vec![0; 100_000], "not-mail"),
        unclassified(
            "cut daticert",
            damage::without_daticert(receipt).unwrap(),
            "no-daticert",
        ),
        unclassified("no daticert", parts(0), "no-daticert"),
        unclassified("two daticert", parts(2), "two-daticert"),
        unclassified("many daticert", parts(500), "two-daticert"),
        unclassified("billion laughs", xml(laughs), "daticert-dtd"),
        unclassified("quadratic entity", xml(quadratic), "daticert-dtd"),
        unclassified(
            "entity from outside",
            xml(outside("&x;")),
            "daticert-malformed",
        ),
        // Nothing is fetched, and nothing was needed.
        ("unused DTD outside", xml(outside("")), Kind::Receipt, ""),
        unclassified("deep", xml(deep), "daticert-too-complex"),
        unclassified(
            "not closed",
            other("</postacert>", ""),
            "daticert-malformed",
        ),
        unclassified(
            "other root",
            xml("<html/>".to_owned()),
            "daticert-malformed",
        ),
        unclassified(
            "no tipo",
            other("tipo=\"avvenuta-consegna\"", ""),
            "daticert-tipo-missing",
        ),
        unclassified(
            "other tipo",
            other("tipo=\"avvenuta-consegna\"", "tipo=\"mai-vista\""),
            "daticert-tipo-unknown",
        ),
        unclassified(
            "unknown charset",
            other("UTF-8", "x-ignoto"),
            "daticert-charset",
        ),
        unclassified("not its charset", not_utf8, "daticert-charset"),
        unclassified("header of a megabyte", long_id(1 << 20), "header-too-long"),
        (
            "Message-ID of a megabyte",
            long_id(1_000_000),
            Kind::Message,
            "",
        ),
        (
            "no signature",
            damage::without_signature(receipt),
            Kind::Unclassified,
            "not-signed",
        ),
    ];
    for cut in Cut::ALL {
        let bytes = damage::truncated(receipt, cut).unwrap();
        let (kind, reason) = match cut {
            Cut::InHeader => (Kind::Unclassified, "not-signed"),
            Cut::InSignature => (Kind::Receipt, ""),
            _ => (Kind::Unclassified, "truncated"),
        };
        cases.push(("truncated", bytes, kind, reason));
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_understood_is_archived_to_the_octet_with_its_reason() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    for (name, bytes, kind, reason) in defects() {
        let answer = archived(&clients, &bytes).await;
        let what = format!("{name}, {} bytes", bytes.len());
        assert_eq!(answer.unclassified, reason, "{what}");
        let index = answer.records[0].index;
        assert_eq!(leaf(&clients, &key, index).await.kind, kind, "{what}");
        let (head, given) = duplicato(&clients, index).await.unwrap();
        assert!(given == bytes, "{what}");
        let Some(v1::record::Facts::Object(object)) = head.record.unwrap().facts else {
            panic!("{what}");
        };
        assert_eq!(object.unclassified, reason, "{what}");
        // In a message of its own it is the same.
        let request = one(object_item(&bytes, ""));
        let inline = clients.submission.clone().submit(request).await;
        let inline = inline.unwrap().into_inner().acknowledgement.unwrap();
        assert_eq!(inline.unclassified, reason, "{what}");
        assert_eq!(inline.records.len(), answer.records.len(), "{what}");
    }
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_recipients_are_all_on_record_and_found() {
    let (mut served, clients) = served("").await;
    let (postal, _) = postal();
    let plan = |count| Plan {
        story: Story::Refused,
        given_recipients: Some(damage::many_recipients(count)),
        ..postal.plan(5)
    };
    let transaction = postal.carry_out(5, &plan(10_000));
    let receipt = transaction.first(MessageKind::NonAcceptance).unwrap();
    let answer = archived(&clients, &receipt.bytes).await;
    assert_eq!(
        (answer.unclassified.as_str(), answer.records.len()),
        ("", 2)
    );
    let facts = record(&clients, answer.records[1].index).await.unwrap();
    let Some(v1::record::Facts::Trace(trace)) = facts.facts else {
        panic!("no facts");
    };
    let stated = &receipt.facts().unwrap().recipients;
    let addresses = |of: &v1::Recipient| of.address.clone();
    let found: Vec<_> = trace.recipients.iter().map(addresses).collect();
    let stated: Vec<_> = stated.iter().map(|r| r.address.clone()).collect();
    assert_eq!(stated.len(), 10_000);
    assert!(found == stated);
    for number in [0, 5000, 9999] {
        let request = v1::SearchRequest {
            log: LOG.to_owned(),
            recipient: stated[number].clone(),
            ..v1::SearchRequest::default()
        };
        let found = search(&clients, request).await.unwrap().records;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].index, answer.records[1].index);
    }
    // So many, or with such addresses, that there is no record for them: the object is kept without.
    let long = |number| Recipient::certified(format!("{number:0300}@pec.example.test"));
    for (recipients, reason) in [
        (damage::many_recipients(80_000), "daticert-too-complex"),
        ((0..15_000).map(long).collect(), "facts-too-large"),
    ] {
        let plan = Plan {
            given_recipients: Some(recipients),
            ..plan(0)
        };
        let transaction = postal.carry_out(5, &plan);
        let receipt = transaction.first(MessageKind::NonAcceptance).unwrap();
        let answer = archived(&clients, &receipt.bytes).await;
        let found = (answer.unclassified.as_str(), answer.records.len());
        assert_eq!(found, (reason, 1));
        let given = duplicato(&clients, answer.records[0].index).await;
        assert!(given.unwrap().1 == receipt.bytes);
    }
    // And stated outright, they are refused.
    let mut record = traces(90, 1).pop().unwrap();
    record.recipients = (0..80_000)
        .map(|n| ceralacca_formats::metadata::Recipient {
            address: format!("utente{n}@pec.un-dominio-piuttosto-lungo.example")
                .as_str()
                .into(),
            kind: None,
        })
        .collect();
    let answer = clients
        .submission
        .clone()
        .submit(one(trace_item(&record, "")))
        .await;
    let status = refused(answer, Code::InvalidArgument, "TOO_LARGE");
    assert_eq!(told(&status).2, numbers([("limit", 4 << 20)]));
    served.stop_and_check();
}

/// A message as it stands in the body: flag, length, bytes.
fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(message.len().try_into().unwrap());
    frame.put_slice(message);
    frame.to_vec()
}

/// Posts a body as it is. Gives the code of the status.
async fn posted(channel: &Channel, rpc: &str, encoding: &str, body: Vec<u8>) -> (Code, String) {
    let body = axum::body::Body::from(body);
    let request = http::Request::post(format!("/{rpc}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-encoding", encoding)
        .body(tonic::body::Body::new(body))
        .unwrap();
    let answer = within(rpc, channel.clone().oneshot(request)).await.unwrap();
    let status = Status::from_header_map(answer.headers());
    let status = status.unwrap_or_else(|| panic!("{rpc}: {answer:?}"));
    // What the transport refuses by itself is explained as well.
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("{rpc}: {status:?}"));
    assert_eq!(info.domain, "ceralacca");
    (status.code(), status.message().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_message_are_refused_on_every_path() {
    let (mut served, clients) = served("").await;
    let channel = served.channel().await;
    let mut half = framed(0, &start("").encode_to_vec());
    half.extend(framed(0, &chunk(b"half an object").encode_to_vec()));
    half.extend(&framed(0, &chunk(b"and the other half").encode_to_vec())[..9]);
    for (rpc, _) in RPCS {
        // Field 15 is of no type that there is; then what is announced does not come.
        let garbage = [0x7f].repeat(40);
        let bodies = [
            (framed(0, &garbage), "identity", Code::Internal),
            (framed(7, &garbage), "identity", Code::Internal),
            (framed(1, &garbage), "identity", Code::Internal),
            (framed(1, &garbage), "gzip", Code::Internal),
            (framed(1, &garbage), "zstd", Code::Internal),
            (framed(0, &garbage), "br", Code::Unimplemented),
            (
                framed(0, &garbage)[..20].to_vec(),
                "identity",
                Code::Internal,
            ),
            (
                vec![0, 0xff, 0xff, 0xff, 0xff, 1],
                "identity",
                Code::OutOfRange,
            ),
            (noise(91, 5000), "identity", Code::Internal),
        ];
        for (body, encoding, code) in bodies {
            let (found, message) = posted(&channel, rpc, encoding, body.clone()).await;
            assert_eq!(
                found,
                code,
                "{rpc} {encoding} {:02x?} {message}",
                &body[..6]
            );
        }
    }
    let rpc = "ceralacca.v1.Submission/Upload";
    assert_eq!(
        posted(&channel, rpc, "identity", half).await.0,
        Code::Internal
    );
    let unknown = "ceralacca.v1.Submission/Erase";
    let answer = posted(&channel, unknown, "identity", framed(0, b"")).await;
    assert_eq!(answer.0, Code::Unimplemented);
    assert_eq!(size(&clients).await, 1, "nothing was recorded or disclosed");
    served.stop_and_check();
}

/// A gigabyte of zeros as DEFLATE: one literal, then matches of 258 bytes at distance 1, in the fixed code.
fn gzip_bomb() -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let (mut held, mut count) = (0u32, 0);
    let mut put = |bits: &str| {
        for bit in bits.bytes() {
            held |= u32::from(bit - b'0') << count;
            count += 1;
            if count == 8 {
                bytes.push(held.try_into().unwrap());
                (held, count) = (0, 0);
            }
        }
    };
    put("110"); // last block, fixed code
    put("00110000"); // literal 0
    for _ in 0..(1 << 30) / 258 {
        put("1100010100000"); // length 258, distance 1
    }
    put("000000000000000"); // end, filled up
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_in_a_compressed_message_is_refused_without_being_held() {
    let (mut served, clients) = served("").await;
    let channel = served.channel().await;
    let zstd = zstd::encode_all(std::io::Read::take(std::io::repeat(0), 1 << 30), 1).unwrap();
    let bombs = [
        ("gzip", framed(1, &gzip_bomb())),
        ("zstd", framed(1, &zstd)),
    ];
    let before = served.resident();
    for (encoding, bomb) in bombs {
        assert!((bomb.len() as u64) < 8 * MIB, "{encoding}: {}", bomb.len());
        for rpc in [
            "ceralacca.v1.Submission/Submit",
            "ceralacca.v1.Submission/Upload",
        ] {
            let (code, message) = posted(&channel, rpc, encoding, bomb.clone()).await;
            assert_eq!(code, Code::ResourceExhausted, "{encoding}: {message}");
        }
        let grown = served.resident().saturating_sub(before);
        assert!(grown < 64 * MIB, "{encoding}: grown by {} MiB", grown / MIB);
    }
    assert_eq!(size(&clients).await, 1);
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_over_the_limit_is_refused_before_it_is_read() {
    let (mut served, clients) =
        served("message_bytes_max = 1000000\nobject_bytes_max = 900000").await;
    let submit = |len| {
        let mut client = clients.submission.clone();
        async move { client.submit(one(object_item(&noise(92, len), ""))).await }
    };
    refused(
        submit(1_000_000).await,
        Code::OutOfRange,
        "MESSAGE_TOO_LARGE",
    );
    let status = refused(submit(900_001).await, Code::InvalidArgument, "TOO_LARGE");
    assert_eq!(told(&status).2, numbers([("limit", 900_000)]));
    submit(900_000).await.unwrap();
    assert_eq!(size(&clients).await, 2);
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_does_not_exist_is_refused_by_every_rpc() {
    let (mut served, clients) = served("").await;
    for (rpc, _) in RPCS {
        if *rpc != "ceralacca.v1.Operations/GetStatus" {
            for log in ["nessuno", "NON UN NOME", "../gestore-1"] {
                let answer = call(&clients, rpc, log).await;
                refused(answer, Code::NotFound, "LOG_UNKNOWN");
            }
        }
    }
    assert_eq!(size(&clients).await, 1);
    served.stop_and_check();
}

/// A client whose window is small and that does not read.
async fn deaf(served: &Served) -> Clients {
    let address = format!("http://{}", served.address);
    let endpoint = Endpoint::from_shared(address).unwrap();
    let endpoint = endpoint.initial_stream_window_size(65_535);
    Clients::over(&endpoint.connect().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_an_object_that_stands_still_gives_its_place_back() {
    let (mut served, clients) = served("stream_idle_seconds = 1\nreissues_max = 1").await;
    let bytes = noise(93, 40 << 20);
    let messages = pieces(start(""), &bytes, 1 << 20);
    let answer = clients
        .submission
        .clone()
        .upload(stream::iter(messages))
        .await;
    let index = answer
        .unwrap()
        .into_inner()
        .acknowledgement
        .unwrap()
        .records[0]
        .index;
    let before = served.resident();
    let request = v1::GetDuplicatoRequest {
        log: LOG.to_owned(),
        index,
        infected: false,
    };
    let mut deaf = deaf(&served).await;
    let mut unread = Vec::new();
    for _ in 0..3 {
        // There is one place: each has it until it is given up.
        let answer = within("head", deaf.reissue.get_duplicato(request.clone())).await;
        unread.push(answer.unwrap().into_inner());
        // Others are served beside it.
        within("checkpoint", size(&clients)).await;
        within("record", record(&clients, index)).await.unwrap();
    }
    let (_, given) = within("the place", duplicato(&clients, index))
        .await
        .unwrap();
    assert!(given == bytes);
    let grown = served.resident().saturating_sub(before);
    assert!(grown < 32 * MIB, "grown by {} MiB", grown / MIB);
    // Who reads on in the end is told that it is not the whole.
    for mut answers in unread {
        let mut read = 0;
        let status = loop {
            match within("the rest", answers.message()).await {
                Ok(Some(message)) => read += message.encoded_len(),
                Ok(None) => panic!("an end after {read} bytes"),
                Err(status) => break status,
            }
        };
        refused(Err::<(), _>(status), Code::DeadlineExceeded, "STREAM_IDLE");
        assert!(read < 4 << 20, "{read}");
    }
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submitter_that_never_reads_stops_itself_and_nobody_else() {
    let (mut served, clients) = served("").await;
    let before = served.resident();
    let mut deaf = deaf(&served).await;
    let (sender, receiver) = mpsc::channel(1);
    let call = tokio::spawn(async move {
        let answers = deaf
            .submission
            .submit_stream(ReceiverStream::new(receiver))
            .await;
        answers.map(tonic::Response::into_inner)
    });
    let contents = noise(94, 64 * 60_000);
    let request = v1::SubmitBatchRequest {
        options: Some(v1::AnswerOptions {
            metadata: true,
            proof: true,
        }),
        ..batch(
            contents
                .chunks(60_000)
                .map(|c| object_item(c, ""))
                .collect(),
        )
    };
    let mut sent = 0;
    let stall = Duration::from_secs(2);
    while let Ok(taken) = tokio::time::timeout(stall, sender.send(request.clone())).await {
        taken.unwrap();
        sent += 1;
        assert!(sent < 100, "the service takes what it cannot answer");
    }
    assert!(sent > 1, "{sent}");
    let grown = served.resident().saturating_sub(before);
    assert!(grown < 256 * MIB, "grown by {} MiB", grown / MIB);
    for record in traces(95, 20) {
        let submit = one(trace_item(&record, ""));
        let mut client = clients.submission.clone();
        within("another", client.submit(submit)).await.unwrap();
    }
    // Once it reads, everything is there, in order.
    drop(sender);
    let mut answers = within("headers", call).await.unwrap().unwrap();
    let mut last = 0;
    for _ in 0..sent {
        let answer = within("an answer", answers.message())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer.results.len(), 64);
        for result in answer.results {
            let Some(v1::submission_result::Outcome::Acknowledgement(answer)) = result.outcome
            else {
                panic!("{result:?}");
            };
            assert!(answer.records[0].index > last);
            last = answer.records[0].index;
        }
    }
    assert!(
        within("the end", answers.message())
            .await
            .unwrap()
            .is_none()
    );
    let report = served.stop_and_check();
    assert_eq!(report.leaves, 1 + 20 + 64 * sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_archive_says_is_refused_in_a_trace_record() {
    let (mut served, clients) = served("").await;
    let record = stated(&traces(1, 1)[0]);
    let migrated = v1::Migrated {
        declaration: 0,
        gen_ms: Some(1_178_575_501_000),
        ..v1::Migrated::default()
    };
    for record in [
        v1::TraceRecord {
            migrated: Some(migrated),
            ..record.clone()
        },
        v1::TraceRecord {
            source: Some(v1::SourceLine::default()),
            ..record.clone()
        },
        v1::TraceRecord {
            findings: vec!["year-from-file".to_owned()],
            ..record.clone()
        },
    ] {
        let request = v1::SubmitRequest {
            item: Some(v1::SubmissionItem {
                what: Some(What::Trace(record)),
                ..v1::SubmissionItem::default()
            }),
            ..v1::SubmitRequest::default()
        };
        let answer = clients.submission.clone().submit(request).await;
        refused(answer, Code::InvalidArgument, "ARCHIVE_ONLY");
    }
    assert_eq!(served.stop_and_check().leaves, 1, "the epoch alone");
}

async fn import_log(
    clients: &Clients,
    start: v1::ImportLogStart,
    chunks: &[&'static [u8]],
) -> Result<Option<v1::ImportLogResponse>, Status> {
    use v1::import_log_request::Part;
    let chunks = chunks.iter().map(|chunk| Part::Chunk((*chunk).into()));
    let parts = std::iter::once(Part::Start(start)).chain(chunks);
    let requests = parts.map(|part| v1::ImportLogRequest { part: Some(part) });
    let requests: Vec<_> = requests.collect();
    let mut submission = clients.submission.clone();
    let answers = submission.import_log(stream::iter(requests)).await?;
    answers.into_inner().message().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_file_that_is_not_what_was_announced_leaves_nothing() {
    let (mut served, clients) = served("").await;
    let start = || v1::ImportLogStart {
        name: "PEC2-2007-05-07.log".to_owned(),
        format: "milter".to_owned(),
        sha256: vec![7; 32].into(),
        ..v1::ImportLogStart::default()
    };
    let invalid = Code::InvalidArgument;
    let answer = import_log(&clients, start(), &[b"Mag  7 09:10:11\n", b"altro\n"]).await;
    refused(answer, invalid, "DIGEST_MISMATCH");
    let other = v1::ImportLogStart {
        format: "altro".to_owned(),
        ..start()
    };
    refused(
        import_log(&clients, other, &[]).await,
        invalid,
        "UNKNOWN_FORMAT",
    );
    let other = v1::ImportLogStart {
        date: "7 maggio".to_owned(),
        ..start()
    };
    refused(
        import_log(&clients, other, &[]).await,
        invalid,
        "NOT_A_DATE",
    );
    let other = v1::ImportLogStart {
        sha256: vec![7; 31].into(),
        ..start()
    };
    refused(
        import_log(&clients, other, &[]).await,
        invalid,
        "BAD_LENGTH",
    );
    // Leaf 0 is the epoch, leaf 9 is not there.
    for declaration in [0, 9] {
        let token = Default::default();
        let other = v1::ImportLogStart {
            migration: Some(v1::LogMigration { declaration, token }),
            ..start()
        };
        let answer = import_log(&clients, other, &[]).await;
        refused(answer, Code::FailedPrecondition, "NO_DECLARATION");
    }
    let report = served.stop_and_check();
    assert_eq!((report.leaves, report.staged_uploads), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_imports_and_takes_no_answers_gives_the_place_back() {
    let (mut served, clients) = served("stream_idle_seconds = 1").await;
    // Blank lines: nothing to record, and an answer for each mebibyte, more than may wait.
    let mebibyte: &'static [u8] = Box::leak(vec![b'\n'; 1 << 20].into_boxed_slice());
    let chunks = [mebibyte; 16];
    let start = |chunks: &[&[u8]]| v1::ImportLogStart {
        log: LOG.to_owned(),
        name: "PEC2-2007-05-07.log".to_owned(),
        format: "milter".to_owned(),
        sha256: Sha256::of(&chunks.concat()).as_bytes().to_vec().into(),
        ..v1::ImportLogStart::default()
    };
    let address = format!("http://{}", served.address);
    let endpoint = Endpoint::from_shared(address).unwrap();
    // No octet of an answer passes.
    let endpoint = endpoint.initial_stream_window_size(0);
    let deaf = Clients::over(&endpoint.connect().await.unwrap());
    let unread: Vec<_> = (0..2)
        .map(|_| {
            let (deaf, start) = (deaf.clone(), start(&chunks));
            tokio::spawn(async move { import_log(&deaf, start, &chunks).await })
        })
        .collect();
    // Both places are taken until they are given up.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for line in [b"Mag  7 09:10:11\n", b"Mag  7 09:10:12\n"] {
        let lines: [&'static [u8]; 1] = [line];
        let answer = import_log(&clients, start(&lines), &lines);
        assert!(within("import", answer).await.unwrap().is_some());
    }
    unread.iter().for_each(|task| assert!(!task.is_finished()));
    unread.iter().for_each(tokio::task::JoinHandle::abort);
    served.stop_and_check();
}
