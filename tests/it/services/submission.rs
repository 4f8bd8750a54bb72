//! Submission: what is acknowledged, what is refused, and that nothing lies between.

use super::*;
use crate::support::traces;
use ceralacca::archive::{Log, Settings};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::proof::{ProofFile, ProvenMetadata};
use ceralacca_formats::tree::verify_consistency;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use v1::submission_result::Outcome;

fn acknowledged(result: &v1::SubmissionResult) -> &v1::Acknowledgement {
    match &result.outcome {
        Some(Outcome::Acknowledgement(acknowledgement)) => acknowledgement,
        other => panic!("{other:?}"),
    }
}

async fn submit(
    clients: &Clients,
    item: v1::SubmissionItem,
) -> Result<(v1::Acknowledgement, String), Status> {
    let answer = clients.submission.clone().submit(one(item)).await?;
    let answer = answer.into_inner();
    Ok((answer.acknowledgement.unwrap(), answer.checkpoint))
}

async fn upload(
    clients: &Clients,
    messages: Vec<v1::UploadRequest>,
) -> Result<(v1::Acknowledgement, String), Status> {
    let messages = stream::iter(messages);
    let answer = clients.submission.clone().upload(messages).await?;
    let answer = answer.into_inner();
    Ok((answer.acknowledgement.unwrap(), answer.checkpoint))
}

/// Uploads that no leaf has, found when the log is taken over again.
fn left_behind(served: &Served) -> u64 {
    let directory = served.installation.log(LOG);
    let log = Log::open(&directory, &crate::support::master(), &Settings::default()).unwrap();
    let swept = log.swept_uploads();
    log.stop().unwrap();
    swept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_acknowledged_with_a_leaf_its_submitter_recomputes() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    let trace = traces(1, 1).pop().unwrap();
    let (answer, note) = submit(&clients, trace_item(&trace, "")).await.unwrap();
    let (leaves, checkpoint) = check_alone(&answer, &note, &key, &canonical(&trace));
    assert_eq!(
        (leaves[0].kind, leaves[0].class),
        (Kind::Trace, Class::Trace)
    );
    assert_eq!(checkpoint.size().get(), answer.records[0].index + 1);
    assert!(!answer.repeated && answer.unclassified.is_empty());
    assert_eq!(
        leaf(&clients, &key, answer.records[0].index).await,
        leaves[0]
    );
    // Nothing was asked for beside it.
    assert!(answer.records[0].metadata.is_empty() && answer.records[0].proof.is_empty());
    let message = b"From: a@example.test\r\nSubject: prova\r\n\r\nciao\r\n";
    let (answer, note) = submit(&clients, object_item(message, "")).await.unwrap();
    let (leaves, _) = check_alone(&answer, &note, &key, message);
    assert_eq!(
        (leaves.len(), leaves[0].kind, leaves[0].class),
        (1, Kind::Message, Class::Content)
    );
    assert_eq!(answer.records[0].content_bytes, message.len() as u64);
    let nothing = v1::SubmitRequest {
        log: LOG.to_owned(),
        ..v1::SubmitRequest::default()
    };
    let nothing = clients.submission.clone().submit(nothing).await;
    refused(nothing, Code::InvalidArgument, "ITEM_NEEDED");
    let empty = v1::SubmissionItem::default();
    refused(
        submit(&clients, empty).await,
        Code::InvalidArgument,
        "ITEM_NEEDED",
    );
    assert_eq!(size(&clients).await, 3);
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_and_proof_are_in_the_answer_where_they_are_asked_for() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    let message = &mail(MessageKind::DeliveryComplete).bytes;
    for (metadata, proof) in [(true, false), (false, true), (true, true)] {
        let request = v1::SubmitRequest {
            options: Some(v1::AnswerOptions { metadata, proof }),
            ..one(object_item(message, ""))
        };
        let answer = clients.submission.clone().submit(request).await;
        let answer = answer.unwrap().into_inner();
        let acknowledgement = answer.acknowledgement.unwrap();
        check_alone(&acknowledgement, &answer.checkpoint, &key, message);
        assert_eq!(acknowledgement.records.len(), 2);
        for record in &acknowledgement.records {
            assert_eq!(record.metadata.is_empty(), !metadata);
            assert_eq!(record.proof.is_empty(), !proof);
            if metadata {
                let sha256 = Sha256::of(&record.metadata);
                assert_eq!(record.metadata_sha256, sha256.as_bytes().as_slice());
                Metadata::parse(&record.metadata).unwrap();
            }
            if proof {
                let file = ProofFile::parse(record.proof.as_bytes()).unwrap();
                file.verify(&key).unwrap();
                assert_eq!(file.record.leaf.to_bytes().as_slice(), record.leaf);
                let ProvenMetadata::Bytes(carried) = &file.record.metadata else {
                    panic!("a digest only");
                };
                assert!(!metadata || *carried == record.metadata);
                assert_eq!(
                    Sha256::of(carried).as_bytes().as_slice(),
                    record.metadata_sha256
                );
            }
        }
    }
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_keeps_its_order_and_refuses_a_bad_item_alone() {
    let (mut served, clients) = served("object_bytes_max = 100000").await;
    let key = served.installation.verifier(LOG).clone();
    let records = traces(2, 2);
    let content = noise(2, 90_000);
    let mut late = stated(&records[0]);
    late.event_ms = Some(1 << 60);
    let mut strange = object_item(b"x", "");
    if let Some(What::Object(object)) = &mut strange.what {
        object.declared = 7;
    }
    let items = vec![
        trace_item(&records[0], ""),
        v1::SubmissionItem {
            what: Some(What::Trace(late)),
            ..v1::SubmissionItem::default()
        },
        v1::SubmissionItem::default(),
        object_item(&content, ""),
        strange,
        trace_item(&records[1], &"k".repeat(257)),
        object_item(&noise(3, 100_001), ""),
        trace_item(&records[1], &"k".repeat(256)),
    ];
    let answer = clients.submission.clone().submit_batch(batch(items)).await;
    let answer = answer.unwrap().into_inner();
    let refusals = answer.results.iter().map(|result| match &result.outcome {
        Some(Outcome::Refusal(refusal)) => {
            assert!(!refusal.message.is_empty());
            (refusal.code, refusal.reason.as_str())
        }
        _ => (0, ""),
    });
    let refusals: Vec<_> = refusals.collect();
    let invalid = i32::from(Code::InvalidArgument);
    let expected = [
        (0, ""),
        (invalid, "OUT_OF_RANGE"),
        (invalid, "ITEM_NEEDED"),
        (0, ""),
        (invalid, "UNKNOWN_VALUE"),
        (invalid, "TOO_LARGE"),
        (invalid, "TOO_LARGE"),
        (0, ""),
    ];
    assert_eq!(refusals, expected);
    for (number, submitted) in [
        (0, canonical(&records[0])),
        (3, content),
        (7, canonical(&records[1])),
    ] {
        let result = acknowledged(&answer.results[number]);
        check_alone(result, &answer.checkpoint, &key, &submitted);
    }
    let index = |n: usize| acknowledged(&answer.results[n]).records[0].index;
    assert_eq!([index(0), index(3), index(7)], [1, 2, 3]);
    assert_eq!(size(&clients).await, 4);
    served.stop_and_check();
    assert_eq!(left_behind(&served), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_none_and_one_over_the_limit() {
    let (_served, clients) = served("batch_items_max = 3").await;
    let submit = |count| {
        let items = traces(4, count).iter().map(|t| trace_item(t, "")).collect();
        let mut client = clients.submission.clone();
        async move { client.submit_batch(batch(items)).await }
    };
    let answer = submit(0).await.unwrap().into_inner();
    assert!(answer.results.is_empty() && answer.checkpoint.is_empty());
    let status = refused(submit(4).await, Code::InvalidArgument, "TOO_LARGE");
    assert_eq!(told(&status).2, numbers([("found", 4), ("limit", 3)]));
    assert_eq!(size(&clients).await, 1);
    assert_eq!(submit(3).await.unwrap().into_inner().results.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_answers_each_batch_in_order_under_a_checkpoint_over_all_records() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    let records = traces(5, 40 * 25);
    let batches: Vec<_> = records
        .chunks(25)
        .enumerate()
        .map(|(number, records)| v1::SubmitBatchRequest {
            // The log may be said once, or again.
            log: if number % 2 == 0 { LOG } else { "" }.to_owned(),
            items: records.iter().map(|r| trace_item(r, "")).collect(),
            options: None,
        })
        .collect();
    let mut client = clients.submission.clone();
    let answers = client.submit_stream(stream::iter(batches)).await;
    let mut answers = answers.unwrap().into_inner();
    let mut next = 1;
    let mut last: Option<Checkpoint> = None;
    for records in records.chunks(25) {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.results.len(), records.len());
        for (result, record) in answer.results.iter().zip(records) {
            let result = acknowledged(result);
            let submitted = canonical(record);
            let (leaves, checkpoint) = check_alone(result, &answer.checkpoint, &key, &submitted);
            assert_eq!(leaves[0].seq.get(), next);
            next += 1;
            last = Some(checkpoint);
        }
        assert!(last.as_ref().unwrap().size().get() >= next);
    }
    assert!(answers.message().await.unwrap().is_none());
    // The published tree continues that of the last answer.
    let last = last.unwrap();
    let request = v1::GetConsistencyProofRequest {
        log: LOG.to_owned(),
        first_size: last.size().get(),
        second_size: 0,
    };
    let proof = clients.audit.clone().get_consistency_proof(request).await;
    let proof = proof.unwrap().into_inner();
    let published = Checkpoint::open(proof.checkpoint.as_bytes(), &key).unwrap();
    verify_consistency(&last, &published, &path(&proof.path)).unwrap();
    assert_eq!(published.size().get(), 1001);
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_at_its_first_bad_message_and_what_was_answered_stands() {
    let (mut served, clients) = served("batch_items_max = 3").await;
    let some = |count| -> Vec<_> {
        let records = traces(6, count);
        records.iter().map(|t| trace_item(t, "")).collect()
    };
    let submit = |batches: Vec<v1::SubmitBatchRequest>| {
        let mut client = clients.submission.clone();
        async move { client.submit_stream(stream::iter(batches)).await }
    };
    // None at all.
    let mut answers = submit(Vec::new()).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_none());
    let unknown = v1::SubmitBatchRequest {
        log: "nessuno".to_owned(),
        items: some(1),
        options: None,
    };
    refused(
        submit(vec![unknown.clone()]).await,
        Code::NotFound,
        "LOG_UNKNOWN",
    );
    let mut answers = submit(vec![batch(some(4))]).await.unwrap().into_inner();
    refused(answers.message().await, Code::InvalidArgument, "TOO_LARGE");
    assert!(answers.message().await.unwrap().is_none());
    assert_eq!(size(&clients).await, 1, "nothing was recorded");
    for (bad, reason) in [(unknown, "OTHER_LOG"), (batch(some(4)), "TOO_LARGE")] {
        let before = size(&clients).await;
        let batches = vec![batch(some(2)), bad, batch(some(1))];
        let mut answers = submit(batches).await.unwrap().into_inner();
        let first = answers.message().await.unwrap().unwrap();
        assert_eq!(acknowledged(&first.results[1]).records[0].index, before + 1);
        refused(answers.message().await, Code::InvalidArgument, reason);
        assert!(answers.message().await.unwrap().is_none());
        assert_eq!(
            size(&clients).await,
            before + 2,
            "nothing after the bad one"
        );
    }
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_any_size_is_uploaded_and_given_back_to_the_octet() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    const K64: usize = 64 << 10;
    const M1: usize = 1 << 20;
    let sizes = [0, 1, K64 - 1, K64, K64 + 1, M1 - 1, M1, M1 + 1, 5 << 20];
    for (seed, len) in (20..).zip(sizes) {
        let bytes = noise(seed, len);
        let mut first = start("");
        if let Some(v1::upload_request::Part::Start(start)) = &mut first.part {
            start.sha256 = Sha256::of(&bytes).as_bytes().to_vec().into();
        }
        let messages = pieces(first, &bytes, 100_000);
        let (answer, note) = upload(&clients, messages).await.unwrap();
        let (leaves, _) = check_alone(&answer, &note, &key, &bytes);
        let reason = if len == 0 { "empty" } else { "not-mail" };
        assert_eq!(answer.unclassified, reason);
        let expected = (Kind::Unclassified, Class::Content);
        assert_eq!((leaves[0].kind, leaves[0].class), expected);
        let (head, given) = duplicato(&clients, leaves[0].seq.get()).await.unwrap();
        assert!(given == bytes, "{len} bytes");
        assert_eq!(head.record.unwrap().content_bytes, len as u64);
        assert!(head.facts.is_none() && head.facts_proof.is_empty());
        let proof = ProofFile::parse(head.proof.as_bytes()).unwrap();
        proof.verify(&key).unwrap();
        assert_eq!(proof.record.content, ContentDigest::of(&bytes));
    }
    served.stop_and_check();
    assert_eq!(left_behind(&served), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_not_as_announced_is_refused_and_leaves_nothing() {
    let (mut served, clients) = served("object_bytes_max = 3000000").await;
    let bytes = noise(30, 3_000_000);
    let with = |change: fn(&mut v1::UploadStart)| {
        let mut first = start("");
        if let Some(v1::upload_request::Part::Start(start)) = &mut first.part {
            change(start);
        }
        first
    };
    let mut over = bytes.clone();
    over.push(0);
    let twice = vec![start(""), chunk(&bytes), start("")];
    let other = with(|start| start.sha256 = vec![7; 32].into());
    let cases: Vec<(Vec<v1::UploadRequest>, &str)> = vec![
        (pieces(other.clone(), &bytes, 500_000), "DIGEST_MISMATCH"),
        (pieces(other, b"short", 2), "DIGEST_MISMATCH"),
        (
            pieces(with(|s| s.sha256 = vec![7; 31].into()), &bytes, 500_000),
            "BAD_LENGTH",
        ),
        (
            pieces(with(|s| s.client_key = vec![7; 257].into()), b"x", 1),
            "TOO_LARGE",
        ),
        (pieces(with(|s| s.declared = 9), b"x", 1), "UNKNOWN_VALUE"),
        (pieces(start(""), &over, 500_000), "TOO_LARGE"),
        (vec![chunk(&bytes)], "START_NEEDED"),
        (vec![v1::UploadRequest { part: None }], "START_NEEDED"),
        (Vec::new(), "START_NEEDED"),
        (twice, "CHUNK_NEEDED"),
        (
            vec![start(""), chunk(&bytes), v1::UploadRequest { part: None }],
            "CHUNK_NEEDED",
        ),
    ];
    for (messages, reason) in cases {
        refused(
            upload(&clients, messages).await,
            Code::InvalidArgument,
            reason,
        );
    }
    let status = refused(
        upload(&clients, pieces(start(""), &over, 500_000)).await,
        Code::InvalidArgument,
        "TOO_LARGE",
    );
    assert_eq!(told(&status).2, numbers([("limit", 3_000_000)]));
    // The largest one goes through, as the first that is recorded.
    let (answer, _) = upload(&clients, pieces(start(""), &bytes, 500_000))
        .await
        .unwrap();
    assert_eq!(answer.records[0].index, 1);
    served.stop_and_check();
    assert_eq!(left_behind(&served), 0);
}

/// Begins an upload, and waits until the service has taken what was sent.
async fn begun(clients: &Clients) -> tokio::task::JoinHandle<()> {
    let (sender, receiver) = mpsc::channel(1);
    let mut client = clients.submission.clone();
    let call = tokio::spawn(async move {
        let answer = client.upload(ReceiverStream::new(receiver)).await;
        panic!("an upload without an end was answered: {answer:?}");
    });
    sender.send(start("")).await.unwrap();
    for _ in 0..3 {
        sender.send(chunk(&noise(40, 40_000))).await.unwrap();
    }
    // The call keeps it open, and never hears of the end.
    std::mem::forget(sender);
    // Calls that come after on the same connection are answered after what went before was taken.
    for _ in 0..50 {
        size(clients).await;
    }
    call
}

/// A client that broke off was taken for one that had come to its end, because the reset of its stream reads
/// like the end of the body: half an object was archived as a whole one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_cut_records_nothing_and_leaves_nothing() {
    let (mut served, clients) = served("uploads_max = 1").await;
    for lost in [false, true] {
        let before = size(&clients).await;
        if lost {
            // Nobody closes the stream: the connection is gone.
            let address = format!("http://{}", served.address);
            let lose = move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async move {
                    let channel = Channel::from_shared(address).unwrap().connect().await;
                    drop(begun(&Clients::over(&channel.unwrap())).await);
                });
                runtime.shutdown_background();
            };
            std::thread::spawn(lose).join().unwrap();
        } else {
            let call = begun(&clients).await;
            call.abort();
            assert!(call.await.unwrap_err().is_cancelled());
        }
        // There is room for one upload: the next one begins when the other has ended.
        let messages = pieces(start(""), b"next", 4);
        let (answer, _) = upload(&clients, messages).await.unwrap();
        assert_eq!(answer.records[0].index, before, "lost: {lost}");
    }
    assert_eq!(size(&clients).await, 3);
    served.stop_and_check();
    assert_eq!(left_behind(&served), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_cut_keeps_what_was_answered_and_stops_nobody() {
    let (mut served, clients) = served("").await;
    for round in 0..3 {
        let (sender, receiver) = mpsc::channel(4);
        let mut client = clients.submission.clone();
        let items = |seed| traces(seed, 5).iter().map(|t| trace_item(t, "")).collect();
        for seed in 0..2 {
            sender.send(batch(items(seed))).await.unwrap();
        }
        let answers = client.submit_stream(ReceiverStream::new(receiver)).await;
        let mut answers = answers.unwrap().into_inner();
        let mut last = 0;
        for _ in 0..2 {
            let answer = answers.message().await.unwrap().unwrap();
            last = acknowledged(&answer.results[4]).records[0].index;
        }
        // Cut while it is open, the client still holding its end.
        drop(answers);
        drop(client);
        let (answer, _) = submit(&clients, trace_item(&traces(9, 1)[0], ""))
            .await
            .unwrap();
        assert_eq!(answer.records[0].index, last + 1);
        assert_eq!(size(&clients).await, 1 + 11 * (round + 1));
        drop(sender);
    }
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_stands_still_is_given_up() {
    let (mut served, clients) = served("stream_idle_seconds = 1\nuploads_max = 1").await;
    let (sender, receiver) = mpsc::channel(1);
    let mut client = clients.submission.clone();
    let call = tokio::spawn(async move { client.upload(ReceiverStream::new(receiver)).await });
    sender.send(start("")).await.unwrap();
    sender.send(chunk(&noise(41, 200_000))).await.unwrap();
    refused(call.await.unwrap(), Code::DeadlineExceeded, "STREAM_IDLE");
    drop(sender);
    let (answer, _) = upload(&clients, pieces(start(""), b"next", 4))
        .await
        .unwrap();
    assert_eq!(answer.records[0].index, 1);
    served.stop_and_check();
    assert_eq!(left_behind(&served), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_key_gives_the_first_acknowledgement_again_and_never_another() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    let record = traces(7, 1).pop().unwrap();
    let receipt = &mail(MessageKind::Acceptance).bytes;
    let large = noise(50, 300_000);
    let items = [
        (trace_item(&record, "chiave 1"), canonical(&record)),
        (object_item(receipt, "chiave 2"), receipt.clone()),
        (object_item(&large, "chiave 3"), large.clone()),
    ];
    for (item, submitted) in &items {
        let (first, note) = submit(&clients, item.clone()).await.unwrap();
        check_alone(&first, &note, &key, submitted);
        let (again, note) = submit(&clients, item.clone()).await.unwrap();
        check_alone(&again, &note, &key, submitted);
        assert!(!first.repeated && again.repeated);
        assert_eq!(again.records, first.records);
        assert_eq!((again.id, again.time_ms), (first.id, first.time_ms));
    }
    let recorded = size(&clients).await;
    // The same bytes by another way are the same submission.
    let (again, _) = upload(&clients, pieces(start("chiave 3"), &large, 70_000))
        .await
        .unwrap();
    assert!(again.repeated);
    // Other bytes, and another sort of record.
    let other = v1::SubmissionItem {
        what: object_item(b"other", "").what,
        ..items[0].0.clone()
    };
    let status = refused(
        submit(&clients, other).await,
        Code::AlreadyExists,
        "CLIENT_KEY_REUSED",
    );
    assert_eq!(told(&status).2, numbers([("first", 1)]));
    let other = pieces(start("chiave 3"), &noise(51, 300_000), 70_000);
    let status = refused(
        upload(&clients, other).await,
        Code::AlreadyExists,
        "CLIENT_KEY_REUSED",
    );
    assert_eq!(told(&status).2, numbers([("first", 4)]));
    let long = trace_item(&record, &"k".repeat(257));
    let status = refused(
        submit(&clients, long).await,
        Code::InvalidArgument,
        "TOO_LARGE",
    );
    assert_eq!(told(&status).2, numbers([("found", 257), ("limit", 256)]));
    // In a batch that repeats itself the second is the first again.
    let twice = vec![trace_item(&record, "k4"), trace_item(&record, "k4")];
    let answer = clients.submission.clone().submit_batch(batch(twice)).await;
    let results = answer.unwrap().into_inner().results;
    let (first, second) = (acknowledged(&results[0]), acknowledged(&results[1]));
    assert_eq!(first.records, second.records);
    assert_eq!((first.repeated, second.repeated), (false, true));
    assert_eq!(size(&clients).await, recorded + 1);
    served.stop_and_check();
    assert_eq!(left_behind(&served), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_and_the_record_of_its_facts_name_each_other() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    for message in &postal().1 {
        let kind = message.kind();
        let expected = match kind {
            MessageKind::TransportEnvelope | MessageKind::AnomalyEnvelope => {
                (Kind::Envelope, Class::Content)
            }
            _ => (Kind::Receipt, Class::Receipt),
        };
        // In the message of a call, and in pieces.
        let (inline, note) = submit(&clients, object_item(&message.bytes, ""))
            .await
            .unwrap();
        check_alone(&inline, &note, &key, &message.bytes);
        let messages = pieces(start(""), &message.bytes, 999);
        let (answer, note) = upload(&clients, messages).await.unwrap();
        let (leaves, _) = check_alone(&answer, &note, &key, &message.bytes);
        assert_eq!(leaves.len(), 2, "{kind:?}");
        assert_eq!((leaves[0].kind, leaves[0].class), expected, "{kind:?}");
        assert_eq!(
            (leaves[1].kind, leaves[1].class),
            (Kind::Trace, Class::Trace)
        );
        assert!(answer.unclassified.is_empty());
        let (object, facts) = (leaves[0].seq.get(), leaves[1].seq.get());
        let object = record(&clients, object).await.unwrap();
        let facts = record(&clients, facts).await.unwrap();
        assert_eq!(object.companion, Some(facts.index));
        assert_eq!(facts.companion, Some(object.index));
        assert_eq!(object.retention_class, i32::from(expected.1.code()));
        let (Some(v1::record::Facts::Trace(trace)), Some(v1::record::Facts::Object(own))) =
            (facts.facts, object.facts)
        else {
            panic!("{kind:?}: no facts");
        };
        let id = format!("<{}>", message.draft.message_id);
        assert_eq!(
            (&own.message_id, &trace.message_ids[..]),
            (&id, &[id.clone()][..])
        );
        if let Some(stated) = message.facts() {
            assert_eq!(trace.event, stated.event);
            assert_eq!(trace.identificativo, stated.identificativo);
            assert_eq!(trace.sender, stated.sender);
            assert_eq!(trace.event_ms, Some(stated.at_ms));
        }
        // Given again from either side.
        for index in [object.index, facts.index] {
            let (head, bytes) = duplicato(&clients, index).await.unwrap();
            assert!(bytes == message.bytes, "{kind:?}");
            assert_eq!(head.record.unwrap().index, object.index);
            assert_eq!(head.facts.unwrap().index, facts.index);
            for proof in [head.proof, head.facts_proof] {
                let proof = ProofFile::parse(proof.as_bytes()).unwrap();
                proof.verify(&key).unwrap();
            }
        }
    }
    served.stop_and_check();
}

/// A large receipt whose header does not say so first, and one that only claims to be a receipt: the class is
/// guessed from the first bytes, and was wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_has_the_class_of_its_whole_bytes() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    let (postal, _) = postal();
    let plan = ceralacca_synthetic::mail::Plan {
        story: ceralacca_synthetic::mail::Story::Delivered,
        form: ceralacca_synthetic::mail::ReceiptForm::Complete,
        attachments: vec![400_000],
        ..postal.plan(3)
    };
    let transaction = postal.carry_out(3, &plan);
    let receipt = &transaction
        .first(MessageKind::DeliveryComplete)
        .unwrap()
        .bytes;
    let text = String::from_utf8_lossy(receipt);
    let unmarked = text.replacen("X-Ricevuta:", "X-Altro:", 1).into_bytes();
    let mut claims = b"X-Ricevuta: avvenuta-consegna\r\nSubject: x\r\n\r\n".to_vec();
    claims.extend(noise(60, 400_000));
    for (bytes, kind, class) in [
        (receipt.clone(), Kind::Receipt, Class::Receipt),
        (unmarked, Kind::Receipt, Class::Receipt),
        (claims, Kind::Unclassified, Class::Content),
    ] {
        let (answer, note) = upload(&clients, pieces(start(""), &bytes, 50_000))
            .await
            .unwrap();
        let (leaves, _) = check_alone(&answer, &note, &key, &bytes);
        assert_eq!((leaves[0].kind, leaves[0].class), (kind, class));
        let (_, given) = duplicato(&clients, leaves[0].seq.get()).await.unwrap();
        assert!(given == bytes);
    }
    served.stop_and_check();
    assert_eq!(left_behind(&served), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_declared_infected_is_kept_as_infected_whatever_its_bytes_say() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    let receipt = &mail(MessageKind::Acceptance).bytes;
    for bytes in [b"no mail at all".as_slice(), receipt, &noise(70, 200_000)] {
        let mut item = object_item(bytes, "");
        if let Some(What::Object(object)) = &mut item.what {
            object.declared = v1::Declared::Infected.into();
        }
        let mut first = start("");
        if let Some(v1::upload_request::Part::Start(start)) = &mut first.part {
            start.declared = v1::Declared::Infected.into();
        }
        let inline = submit(&clients, item).await.unwrap();
        let uploaded = upload(&clients, pieces(first, bytes, 10_000))
            .await
            .unwrap();
        for (answer, note) in [inline, uploaded] {
            let (leaves, _) = check_alone(&answer, &note, &key, bytes);
            let found = (leaves[0].kind, leaves[0].class);
            assert_eq!(found, (Kind::Infected, Class::Infected));
            assert_eq!(leaves.len(), if bytes == receipt { 2 } else { 1 });
        }
    }
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_justice_log_keeps_its_trace_records_as_justice() {
    let mut served = Installation::plain(&["giustizia", "altro"], "").serve();
    let clients = Clients::over(&served.channel().await);
    let receipt = &mail(MessageKind::Acceptance).bytes;
    let trace = traces(8, 1).pop().unwrap();
    for (log, class) in [("giustizia", Class::Justice), ("altro", Class::Trace)] {
        let submit = |item| {
            let mut client = clients.submission.clone();
            let request = v1::SubmitRequest {
                log: log.to_owned(),
                ..one(item)
            };
            async move { client.submit(request).await }
        };
        let trace = submit(trace_item(&trace, "")).await.unwrap().into_inner();
        let object = submit(object_item(receipt, "")).await.unwrap().into_inner();
        let records = [trace, object].map(|answer| answer.acknowledgement.unwrap().records);
        let classes = records.iter().flatten();
        let classes = classes.map(|record| Leaf::from_bytes(&record.leaf).unwrap().class);
        let expected = [class, Class::Receipt, class];
        assert_eq!(classes.collect::<Vec<_>>(), expected);
    }
    let unnamed = v1::SubmitRequest {
        log: String::new(),
        ..one(trace_item(&trace, ""))
    };
    let unnamed = clients.submission.clone().submit(unnamed).await;
    refused(unnamed, Code::InvalidArgument, "LOG_NEEDED");
    served.stop_and_check();
}
