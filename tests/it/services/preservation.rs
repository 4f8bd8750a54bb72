//! Intervals over the wire, and the files of their packages: to whom, as what, and on record.

use super::*;
use crate::support::sealing::closed_days;
use crate::support::tls::Authority;
use ceralacca_formats::catalogue::Catalogue;
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::proof::ProofFile;
use v1::stream_file_response::Part;

/// A file, put together, and checked against its head.
async fn file(clients: &Clients, interval: IntervalId, path: &str) -> Result<Vec<u8>, Status> {
    let request = v1::StreamFileRequest {
        log: LOG.to_owned(),
        interval_ms: interval.get(),
        path: path.to_owned(),
    };
    let answer = clients.preservation.clone().stream_file(request).await?;
    let mut parts = answer.into_inner();
    let Some(Part::Head(head)) = parts.message().await?.and_then(|message| message.part) else {
        panic!("no head first");
    };
    let mut bytes = Vec::new();
    while let Some(message) = parts.message().await? {
        let Some(Part::Chunk(chunk)) = message.part else {
            panic!("a second head");
        };
        assert!(chunk.len() <= 256 << 10);
        bytes.extend_from_slice(&chunk);
    }
    assert_eq!(head.bytes, bytes.len() as u64);
    assert_eq!(head.sha256, Sha256::of(&bytes).as_bytes().as_slice());
    Ok(bytes)
}

async fn list(clients: &Clients, after: Option<u64>, limit: u32) -> v1::ListIntervalsResponse {
    let request = v1::ListIntervalsRequest {
        log: LOG.to_owned(),
        after_ms: after,
        limit,
    };
    let answer = clients.preservation.clone().list_intervals(request).await;
    answer.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intervals_are_listed_in_pages_with_what_their_closing_leaf_says() {
    let installation = Installation::plain(&[LOG], "");
    let (_, closed) = closed_days(&installation.log(LOG), &[40, 0, 7]);
    assert_eq!(closed.len(), 3);
    let mut served = installation.serve();
    let clients = Clients::over(&served.channel().await);
    let all = list(&clients, None, 0).await;
    assert!(!all.more);
    let starts: Vec<u64> = all.intervals.iter().map(|i| i.interval_ms).collect();
    assert!(starts.is_sorted());
    let (last, before) = all.intervals.split_last().unwrap();
    assert_eq!(last.state, i32::from(v1::IntervalPhase::Open));
    assert!(last.closed.is_none() && last.tree_size == 0);
    for (interval, id) in before.iter().zip(&closed) {
        assert_eq!(interval.interval_ms, id.get());
        assert_eq!(interval.state, i32::from(v1::IntervalPhase::Closed));
        let facts = interval.closed.as_ref().unwrap();
        let records: u64 = facts.classes.iter().map(|class| class.records).sum();
        assert_eq!(records, interval.tree_size - interval.first_index);
        let counted: u64 = facts.counts.iter().map(|count| count.count).sum();
        assert_eq!(counted, records);
        let octets = file(&clients, *id, "catalogue.json").await.unwrap();
        assert_eq!(
            facts.catalogue_sha256,
            Sha256::of(&octets).as_bytes().as_slice()
        );
        let catalogue = Catalogue::parse(&octets).unwrap();
        for entry in &catalogue.files {
            let octets = file(&clients, *id, &entry.path).await.unwrap();
            assert_eq!(Sha256::of(&octets), entry.sha256, "{}", entry.path);
        }
    }
    let mut after = None;
    for number in 0..all.intervals.len() {
        let page = list(&clients, after, 1).await;
        assert_eq!(page.intervals, all.intervals[number..=number]);
        assert_eq!(page.more, number + 1 < all.intervals.len());
        after = Some(page.intervals[0].interval_ms);
    }
    let request = v1::ListIntervalsRequest {
        limit: 101,
        ..v1::ListIntervalsRequest::default()
    };
    let answer = clients.preservation.clone().list_intervals(request).await;
    refused(answer, Code::InvalidArgument, "TOO_LARGE");
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_package_and_what_no_package_has_are_told_apart() {
    let installation = Installation::plain(&[LOG], "");
    let (_, closed) = closed_days(&installation.log(LOG), &[10]);
    let key = installation.verifier(LOG).clone();
    let mut served = installation.serve();
    let clients = Clients::over(&served.channel().await);
    let open = list(&clients, None, 0).await.intervals.pop().unwrap();
    let open = IntervalId::new(open.interval_ms);
    let answer = file(&clients, open, "checkpoint").await;
    let status = refused(answer, Code::FailedPrecondition, "INTERVAL_NOT_CLOSED");
    assert_eq!(told(&status).2, numbers([("interval_ms", open.get())]));
    let unknown = IntervalId::new(7);
    let answer = file(&clients, unknown, "checkpoint").await;
    refused(answer, Code::NotFound, "INTERVAL_UNKNOWN");
    for path in ["", "../MASTER", "checkpoint.enc", "log-trace-0002.jsonl"] {
        let answer = file(&clients, closed[0], path).await;
        refused(answer, Code::NotFound, "FILE_UNKNOWN");
    }
    let answer = file(&clients, closed[0], &"x".repeat(256)).await;
    refused(answer, Code::InvalidArgument, "TOO_LARGE");
    let proof = file(&clients, closed[0], "closing.tlog-proof")
        .await
        .unwrap();
    let proof = ProofFile::parse(&proof).unwrap();
    proof.verify(&key).unwrap();
    let closing = file(&clients, closed[0], "closing.json").await.unwrap();
    assert_eq!(proof.record.metadata.sha256(), Sha256::of(&closing));
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_name_somebody_is_for_providers_and_operators_and_on_record() {
    let authority = Authority::new();
    let installation = Installation::new(&[LOG]);
    let (_, closed) = closed_days(&installation.log(LOG), &[30]);
    let mut tables = String::new();
    let roles = ["provider", "operator", "auditor", "monitor"];
    let certified = roles.map(|role| (role, authority.certify()));
    for (role, certified) in &certified {
        tables += &format!(
            "[[principal]]\nname = \"{role}\"\ncertificates = [\"{}\"]\n\
             [[principal.role]]\nlog = \"{LOG}\"\nrole = \"{role}\"\n",
            certified.sha256
        );
    }
    installation.configure_tls(&authority, &[LOG], &tables);
    let mut served = installation.serve();
    let mut clients = BTreeMap::new();
    for (role, certified) in &certified {
        let endpoint = served.secured(&authority, Some(certified));
        clients.insert(*role, Clients::over(&endpoint.connect().await.unwrap()));
    }
    let named = [
        "log-trace-0001.jsonl",
        "map-trace.bin",
        "salt-trace.bin",
        "log-custody-0001.jsonl",
    ];
    let open = [
        "catalogue.json",
        "checkpoint",
        "leaves.bin",
        "frontier.bin",
        "contents.json",
        "log-trace-0001.jsonl.tst",
        "PIndex.xml.p7m",
        "package.ers",
        "closing.tlog-proof",
    ];
    for path in named.iter().chain(&open) {
        let answer = file(&clients["monitor"], closed[0], path).await;
        refused(answer, Code::PermissionDenied, "DENIED");
    }
    let before = size(&clients["auditor"]).await;
    for path in open {
        file(&clients["auditor"], closed[0], path).await.unwrap();
        file(&clients["operator"], closed[0], path).await.unwrap();
    }
    for path in named.into_iter().chain(["log-trace-9999.jsonl", "other"]) {
        let answer = file(&clients["auditor"], closed[0], path).await;
        refused(answer, Code::PermissionDenied, "FILE_DENIED");
    }
    // Hashes and refusals disclose nothing.
    assert_eq!(size(&clients["auditor"]).await, before);
    for role in ["provider", "operator"] {
        for path in named {
            let at = size(&clients["auditor"]).await;
            file(&clients[role], closed[0], path).await.unwrap();
            assert_eq!(size(&clients["auditor"]).await, at + 2, "{role} {path}");
            let custody = record(&clients["auditor"], at).await.unwrap().metadata;
            let custody = String::from_utf8(custody.to_vec()).unwrap();
            assert!(
                custody.contains(role) && !custody.contains(path),
                "{custody}"
            );
            let detail = record(&clients["auditor"], at + 1).await.unwrap().metadata;
            let detail = String::from_utf8(detail.to_vec()).unwrap();
            let query = format!("package interval={} file={path}", closed[0]);
            assert!(detail.contains(&query), "{detail}");
        }
    }
    served.stop_and_check();
}
