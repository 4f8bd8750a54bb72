//! Search and proofs: every record is found once, and what is proven needs no trust.

use super::*;
use crate::support::{DAY_MS, START_MS, TestLog, ingest, log_id, traces};
use ceralacca::access::{self, Principal, Role, Search, Standing};
use ceralacca::archive::Log;
use ceralacca::desk::{PageToken, SearchQuery};
use ceralacca::ingest::{Declared, Submission};
use ceralacca::store::Order;
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{Field, Recipient};
use ceralacca_formats::tree::verify_consistency;

const AT: i64 = 1_763_700_000_000;

fn terms(change: impl FnOnce(&mut v1::SearchRequest)) -> v1::SearchRequest {
    let mut request = v1::SearchRequest {
        log: LOG.to_owned(),
        order: v1::Order::Ascending.into(),
        ..v1::SearchRequest::default()
    };
    change(&mut request);
    request
}

async fn found(clients: &Clients, request: v1::SearchRequest) -> Vec<u64> {
    let answer = search(clients, request).await.unwrap();
    let records = answer.records.iter().map(|record| record.index);
    records.collect()
}

async fn submit_all(clients: &Clients, items: Vec<v1::SubmissionItem>) {
    for items in items.chunks(1000) {
        let count = items.len();
        let request = batch(items.to_vec());
        let answer = clients.submission.clone().submit_batch(request).await;
        let answer = answer.unwrap().into_inner();
        assert_eq!(answer.results.len(), count);
        let all = |result: &v1::SubmissionResult| {
            use v1::submission_result::Outcome;
            matches!(result.outcome, Some(Outcome::Acknowledgement(_)))
        };
        assert!(answer.results.iter().all(all));
    }
}

/// Two transactions of two records each, at indexes 1 to 4, and a message that has no record at 5.
async fn two_transactions(clients: &Clients) {
    let record = |transaction: u8, event: &str, number: i64| {
        let address = |name: &str| format!("{name}{transaction}@PEC.example.test");
        TraceRecord {
            identificativo: Some(format!("<T{transaction}@pec.example.test>").as_str().into()),
            msgid: Some(format!("m{transaction}@client.example").as_str().into()),
            message_ids: vec![
                format!("<r{number}@pec.example.test>").as_str().into(),
                format!("<s{number}@pec.example.test>").as_str().into(),
            ],
            sender: Some(address("Anna").as_str().into()),
            recipients: vec![
                Recipient {
                    address: address("bruno").as_str().into(),
                    kind: None,
                },
                Recipient {
                    address: "carla@pec.example.test".into(),
                    kind: None,
                },
            ],
            delivered_to: (event == "avvenuta-consegna").then(|| "dora@pec.example.test".into()),
            event: Some(event.into()),
            event_ms: Some((AT + number * 1000).try_into().unwrap()),
            ..TraceRecord::default()
        }
    };
    let mut without_time = record(2, "avvenuta-consegna", 4);
    without_time.event_ms = None;
    let records = [
        record(1, "accettazione", 1),
        record(1, "avvenuta-consegna", 2),
        record(2, "accettazione", 3),
        without_time,
    ];
    let mut items: Vec<_> = records.iter().map(|r| trace_item(r, "")).collect();
    items.push(object_item(b"Message-ID: <o@client.example>\r\n\r\n", ""));
    submit_all(clients, items).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_found_by_each_of_its_fields() {
    let (mut served, clients) = served("").await;
    two_transactions(&clients).await;
    type Field = fn(&mut v1::SearchRequest, String);
    let identificativo: Field = |r, t| r.identificativo = t;
    let msgid: Field = |r, t| r.msgid = t;
    let message_id: Field = |r, t| r.message_id = t;
    let sender: Field = |r, t| r.sender = t;
    let recipient: Field = |r, t| r.recipient = t;
    let event: Field = |r, t| r.event = t;
    let cases: [(Field, &str, &[u64]); 29] = [
        (identificativo, "T1@pec.example.test", &[1, 2]),
        (identificativo, "<T1@pec.example.test>", &[1, 2]),
        (identificativo, " <T2@pec.example.test>\t", &[3, 4]),
        // Ids have case, and are whole.
        (identificativo, "t1@pec.example.test", &[]),
        (identificativo, "T1@pec.example.tes", &[]),
        (identificativo, "T1", &[]),
        (identificativo, "<T1@pec.example.test", &[]),
        (identificativo, "m1@client.example", &[]),
        (msgid, "<m2@client.example>", &[3, 4]),
        (msgid, "m2@client.example", &[3, 4]),
        (msgid, "o@client.example", &[]),
        (message_id, "r3@pec.example.test", &[3]),
        (message_id, "<s3@pec.example.test>", &[3]),
        // Also what has no trace record.
        (message_id, "o@client.example", &[5]),
        (message_id, "<o@client.example>", &[5]),
        (sender, "anna1@pec.example.test", &[1, 2]),
        (sender, "ANNA1@PEC.EXAMPLE.TEST", &[1, 2]),
        (sender, "bruno1@pec.example.test", &[]),
        (sender, "<anna1@pec.example.test>", &[]),
        (recipient, "BRUNO2@pec.example.test", &[3, 4]),
        (recipient, "Carla@Pec.example.test", &[1, 2, 3, 4]),
        // The one a delivery speaks of.
        (recipient, "dora@pec.example.test", &[2, 4]),
        (recipient, "anna1@pec.example.test", &[]),
        (event, "accettazione", &[1, 3]),
        (event, "avvenuta-consegna", &[2, 4]),
        (event, "Accettazione", &[]),
        (event, "*", &[]),
        (event, "accettazione\0", &[]),
        (event, "", &[1, 2, 3, 4, 5]),
    ];
    for (field, term, expected) in cases {
        for order in [
            v1::Order::Ascending,
            v1::Order::Descending,
            v1::Order::Unspecified,
        ] {
            let request = terms(|request| {
                field(request, term.to_owned());
                request.order = order.into();
            });
            let mut expected = expected.to_vec();
            if order != v1::Order::Ascending {
                expected.reverse();
            }
            assert_eq!(
                found(&clients, request.clone()).await,
                expected,
                "{request:?}"
            );
        }
    }
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terms_and_times_are_asked_all_together() {
    let (mut served, clients) = served("").await;
    two_transactions(&clients).await;
    let times = |from, until| {
        terms(|r| {
            r.event_from_ms = from;
            r.event_until_ms = until;
        })
    };
    let cases = [
        (times(Some(AT + 1000), None), vec![1, 2, 3]),
        (times(Some(AT + 1001), None), vec![2, 3]),
        (times(None, Some(AT + 3000)), vec![1, 2]),
        (times(None, Some(AT + 3001)), vec![1, 2, 3]),
        (times(Some(AT + 2000), Some(AT + 2001)), vec![2]),
        (times(Some(AT + 2000), Some(AT + 2000)), vec![]),
        (times(Some(AT + 3000), Some(AT + 1000)), vec![]),
        // Records without an event time, and messages, are of no time.
        (times(Some(i64::MIN), Some(i64::MAX)), vec![1, 2, 3]),
        (
            terms(|r| {
                r.recipient = "carla@pec.example.test".to_owned();
                r.event = "accettazione".to_owned();
            }),
            vec![1, 3],
        ),
        (
            terms(|r| {
                r.sender = "anna2@pec.example.test".to_owned();
                r.event = "accettazione".to_owned();
                r.event_from_ms = Some(AT);
            }),
            vec![3],
        ),
        (
            terms(|r| {
                r.identificativo = "T1@pec.example.test".to_owned();
                r.sender = "anna2@pec.example.test".to_owned();
            }),
            vec![],
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(
            found(&clients, request.clone()).await,
            expected,
            "{request:?}"
        );
    }
    let shown = search(&clients, terms(|_| ())).await.unwrap().records;
    let recorded: Vec<u64> = shown.iter().map(|record| record.time_ms).collect();
    let (first, last) = (recorded[0], recorded[4]);
    let recorded = |from, until| {
        terms(|r| {
            r.recorded_from_ms = from;
            r.recorded_until_ms = until;
        })
    };
    let cases = [
        (recorded(Some(first), None), 5),
        (recorded(Some(last + 1), None), 0),
        (recorded(None, Some(first)), 0),
        (recorded(None, Some(last + 1)), 5),
        (recorded(Some(first), Some(last + 1)), 5),
        (recorded(Some(u64::MAX), None), 0),
        (recorded(Some(0), Some(u64::MAX)), 5),
    ];
    for (request, expected) in cases {
        assert_eq!(
            found(&clients, request.clone()).await.len(),
            expected,
            "{request:?}"
        );
    }
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_of_one_search_and_one_order() {
    let (mut served, clients) = served("").await;
    two_transactions(&clients).await;
    let request = terms(|r| {
        r.recipient = "carla@pec.example.test".to_owned();
        r.page_size = 2;
    });
    let first = search(&clients, request.clone()).await.unwrap();
    let token = first.next_page_token;
    assert!(!token.is_empty() && first.previous_page_token.is_empty());
    let with = |change: fn(&mut v1::SearchRequest)| {
        let mut request = request.clone();
        request.page_token = token.clone();
        change(&mut request);
        request
    };
    // The size of pages is free.
    assert_eq!(found(&clients, with(|r| r.page_size = 1)).await, [3]);
    assert_eq!(found(&clients, with(|r| r.page_size = 9)).await, [3, 4]);
    let before = size(&clients).await;
    let wrong: [fn(&mut v1::SearchRequest); 9] = [
        |r| r.order = v1::Order::Descending.into(),
        |r| r.recipient = "bruno1@pec.example.test".to_owned(),
        |r| r.event = "accettazione".to_owned(),
        |r| r.event_from_ms = Some(0),
        |r| r.recorded_until_ms = Some(u64::MAX),
        |r| r.page_token.truncate(8),
        |r| r.page_token.push('A'),
        |r| r.page_token = "città".to_owned(),
        |r| r.page_token = "A".repeat(24),
    ];
    for change in wrong {
        let answer = search(&clients, with(change)).await;
        refused(answer, Code::InvalidArgument, "PAGE_TOKEN");
    }
    let answer = search(&clients, terms(|r| r.order = 9)).await;
    refused(answer, Code::InvalidArgument, "UNKNOWN_VALUE");
    let answer = search(&clients, terms(|r| r.sender = "x".repeat(4097))).await;
    let status = refused(answer, Code::InvalidArgument, "TOO_LARGE");
    assert_eq!(told(&status).2, numbers([("found", 4097), ("limit", 4096)]));
    assert_eq!(size(&clients).await, before, "nothing was disclosed");
    assert!(
        found(&clients, terms(|r| r.sender = "x".repeat(4096)))
            .await
            .is_empty()
    );
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_has_fifty_records_unless_asked_and_a_thousand_at_most() {
    let (mut served, clients) = served("").await;
    let records = traces(21, 1010);
    submit_all(
        &clients,
        records.iter().map(|r| trace_item(r, "")).collect(),
    )
    .await;
    for (asked, given) in [
        (0, 50),
        (1, 1),
        (999, 999),
        (1000, 1000),
        (1001, 1000),
        (u32::MAX, 1000),
    ] {
        let request = terms(|r| r.page_size = asked);
        let indexes = found(&clients, request).await;
        assert_eq!(indexes, (1..=given).collect::<Vec<u64>>());
    }
    served.stop_and_check();
}

/// A desk of a log in this process, with a clock that moves.
struct Desk<'a> {
    log: &'a Log,
    query: SearchQuery,
    order: Order,
    limit: usize,
}

struct Page {
    indexes: Vec<u64>,
    next: Option<PageToken>,
    previous: Option<PageToken>,
}

impl Desk<'_> {
    fn page(&self, token: Option<PageToken>) -> Page {
        let standing = (log_id(), Standing::Role(Role::Provider));
        let principal = Principal::new("piattaforma-1", vec![standing]);
        let now = UtcMillis::new(START_MS);
        let permit = access::authorize::<Search>(&principal, &log_id(), now).unwrap();
        let desk = self.log.desk(&permit).unwrap();
        let page = desk.search(&self.query, self.order, self.limit, token);
        let page = page.unwrap().unwrap();
        let indexes = page.records.iter();
        assert!(page.records.len() <= self.limit);
        Page {
            indexes: indexes.map(|shown| shown.opened.leaf.seq.get()).collect(),
            next: page.next,
            previous: page.previous,
        }
    }

    /// Every page from this one on, this one first.
    fn onwards(&self, mut page: Page) -> Vec<Page> {
        let mut pages = Vec::new();
        while let Some(token) = page.next {
            pages.push(std::mem::replace(&mut page, self.page(Some(token))));
        }
        pages.push(page);
        pages
    }

    /// Every page from this one back, this one first.
    fn backwards(&self, mut page: Page) -> Vec<Page> {
        let mut pages = Vec::new();
        while let Some(token) = page.previous {
            pages.push(std::mem::replace(&mut page, self.page(Some(token))));
        }
        pages.push(page);
        pages
    }

    /// Forward, all the way back, and forward again: every record once on each way.
    fn check(&self, ascending: &[u64]) {
        let mut expected = ascending.to_vec();
        if self.order == Order::Descending {
            expected.reverse();
        }
        let all = |pages: &[Page]| -> Vec<u64> {
            let pages = pages.iter();
            pages
                .flat_map(|page| page.indexes.iter().copied())
                .collect()
        };
        let what = format!("{:?} {:?} {}", self.query, self.order, self.limit);
        let mut pages = self.onwards(self.page(None));
        assert_eq!(all(&pages), expected, "forward: {what}");
        let mut pages = self.backwards(pages.pop().unwrap());
        pages.reverse();
        assert_eq!(all(&pages), expected, "back: {what}");
        let first = pages.swap_remove(0);
        let pages = self.onwards(first);
        assert_eq!(all(&pages), expected, "forward again: {what}");
    }
}

/// Records of three days, with messages that have no trace record and receipts that have one. Gives what a
/// search without terms finds, and what one for an event finds.
fn three_days(test: &TestLog, log: &Log) -> (Vec<u64>, Vec<u64>) {
    let (mut all, mut of_event) = (Vec::new(), Vec::new());
    for day in 0..3 {
        let mut events = 0;
        for (number, record) in traces(30 + day, 14).into_iter().enumerate() {
            let event = record.event.as_ref().and_then(|event| event.to_str());
            let is_acceptance = event == Some("accettazione");
            let submission = Submission::trace(Class::Trace, record, None);
            let recorded = ingest(log).record(submission).unwrap();
            let index = recorded.records[0].leaf.seq.get();
            all.push(index);
            if is_acceptance {
                of_event.push(index);
                events += 1;
            }
            if number % 5 == 0 {
                let bytes = format!("Message-ID: <o{day}{number}@client.example>\r\n\r\n");
                let object = ingest(log).object(bytes.into_bytes(), Declared::AsRead, None);
                let recorded = ingest(log).record(object.unwrap()).unwrap();
                all.push(recorded.records[0].leaf.seq.get());
                let receipt = mail(MessageKind::Acceptance).bytes.clone();
                let object = ingest(log).object(receipt, Declared::AsRead, None);
                let recorded = ingest(log).record(object.unwrap()).unwrap();
                assert_eq!(recorded.records[0].leaf.kind, Kind::Receipt);
                // The receipt is shown by its facts.
                all.push(recorded.records[1].leaf.seq.get());
                of_event.push(recorded.records[1].leaf.seq.get());
            }
        }
        assert!(events > 0);
        test.clock.pass(DAY_MS);
        log.tick().unwrap();
    }
    assert_eq!(log.reader().published().spans.len(), 4);
    (all, of_event)
}

/// A page that turned out empty led past its neighbour's record: who went back to the very beginning and forward
/// again never saw the first record, nor the last one who went on from an empty last page.
#[test]
fn paging_visits_every_record_once_in_both_directions_over_several_intervals() {
    let test = TestLog::new();
    let log = test.open();
    let (all, of_event) = three_days(&test, &log);
    let event = || vec![(Field::Event, b"accettazione".to_vec())];
    for order in [Order::Ascending, Order::Descending] {
        // One of the sizes divides the count, so that the last page is empty.
        assert_eq!(all.len() % 3, 0);
        for limit in [1, 3, 7, all.len() - 1, all.len(), 1000] {
            let desk = |terms| Desk {
                log: &log,
                query: SearchQuery {
                    terms,
                    ..SearchQuery::default()
                },
                order,
                limit,
            };
            desk(Vec::new()).check(&all);
            desk(event()).check(&of_event);
        }
    }
    log.stop().unwrap();
    drop(log);
    assert!(test.check().is_clean());
}

#[test]
fn times_of_recording_choose_among_intervals() {
    let test = TestLog::new();
    let log = test.open();
    let (all, _) = three_days(&test, &log);
    let state = log.reader().published();
    let time = |index: u64| {
        let leaf = log.reader().leaf(&state, LeafIndex::new(index)).unwrap();
        leaf.time.get()
    };
    let bounds = (0..5).map(|day| START_MS + day * DAY_MS);
    let bounds: Vec<Option<u64>> = std::iter::once(None).chain(bounds.map(Some)).collect();
    for from in &bounds {
        for until in &bounds {
            let within = |index: &&u64| {
                let at = time(**index);
                from.is_none_or(|from| at >= from) && until.is_none_or(|until| at < until)
            };
            let expected: Vec<u64> = all.iter().filter(within).copied().collect();
            let desk = Desk {
                log: &log,
                query: SearchQuery {
                    recorded: (from.map(UtcMillis::new), until.map(UtcMillis::new)),
                    ..SearchQuery::default()
                },
                order: Order::Descending,
                limit: 10,
            };
            desk.check(&expected);
        }
    }
    log.stop().unwrap();
}

#[test]
fn a_page_costs_a_bounded_number_of_reads_and_the_walk_goes_on() {
    let test = TestLog::new();
    let log = test.open();
    // The only one that matches stands behind more records than a page reads.
    let ingest = ingest(&log);
    let rare = |at: i64| TraceRecord {
        event: Some("accettazione".into()),
        event_ms: Some(at.try_into().unwrap()),
        ..TraceRecord::default()
    };
    let tickets: Vec<_> = (0..9000)
        .map(|number| {
            let record = rare(if number == 8999 { 77 } else { 0 });
            let submission = Submission::trace(Class::Trace, record, None);
            ingest.submit_waiting(submission).unwrap()
        })
        .collect();
    for ticket in tickets {
        ingest.wait(ticket).unwrap();
    }
    for terms in [Vec::new(), vec![(Field::Event, b"accettazione".to_vec())]] {
        let desk = Desk {
            log: &log,
            query: SearchQuery {
                terms,
                event: (Some(77), None),
                ..SearchQuery::default()
            },
            order: Order::Ascending,
            limit: 50,
        };
        let first = desk.page(None);
        assert!(first.indexes.is_empty() && first.next.is_some());
        desk.check(&[9000]);
    }
    drop(ingest);
    log.stop().unwrap();
}

async fn checkpoint(clients: &Clients, key: &VerifierKey) -> Checkpoint {
    let request = v1::GetCheckpointRequest {
        log: LOG.to_owned(),
        ..Default::default()
    };
    let answer = clients.audit.clone().get_checkpoint(request).await;
    let answer = answer.unwrap().into_inner();
    let checkpoint = Checkpoint::open(answer.note.as_bytes(), key).unwrap();
    assert_eq!(answer.tree_size, checkpoint.size().get());
    assert_eq!(answer.root, checkpoint.root().as_bytes().as_slice());
    assert_eq!(answer.origin, checkpoint.origin().as_str());
    assert_eq!(answer.verifier_key, key.to_string());
    checkpoint
}

async fn inclusion(
    clients: &Clients,
    index: u64,
    tree_size: u64,
) -> Result<v1::GetInclusionProofResponse, Status> {
    let request = v1::GetInclusionProofRequest {
        log: LOG.to_owned(),
        index,
        tree_size,
        ..v1::GetInclusionProofRequest::default()
    };
    let answer = clients.audit.clone().get_inclusion_proof(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn consistency(
    clients: &Clients,
    first_size: u64,
    second_size: u64,
) -> Result<v1::GetConsistencyProofResponse, Status> {
    let request = v1::GetConsistencyProofRequest {
        log: LOG.to_owned(),
        first_size,
        second_size,
    };
    let answer = clients.audit.clone().get_consistency_proof(request).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proofs_hold_under_every_checkpoint_that_was_published() {
    let (mut served, clients) = served("").await;
    let key = served.installation.verifier(LOG).clone();
    let mut checkpoints = Vec::new();
    for record in traces(41, 70) {
        submit_all(&clients, vec![trace_item(&record, "")]).await;
        checkpoints.push(checkpoint(&clients, &key).await);
    }
    let newest = checkpoints.last().unwrap();
    assert_eq!(newest.size().get(), 71);
    for checkpoint in &checkpoints {
        let size = checkpoint.size().get();
        for index in [0, size / 2, size - 1] {
            let proof = inclusion(&clients, index, size).await.unwrap();
            assert_eq!(proof.tree_size, size);
            let leaf = Leaf::from_bytes(&proof.leaf).unwrap();
            let hashes = path(&proof.path);
            let index = LeafIndex::new(index);
            verify_inclusion(checkpoint, index, leaf.hash(), &hashes).unwrap();
            // The note stands beside the proof where it is the published one, and only there.
            let note = if size == 71 { newest.note() } else { "" };
            assert_eq!(proof.checkpoint, note);
        }
        let proof = consistency(&clients, size, 0).await.unwrap();
        assert_eq!((proof.first_size, proof.second_size), (size, 71));
        assert_eq!(proof.checkpoint, newest.note());
        verify_consistency(checkpoint, newest, &path(&proof.path)).unwrap();
        let older = &checkpoints[checkpoints.len() / 3];
        if older.size() < checkpoint.size() {
            let proof = consistency(&clients, older.size().get(), size)
                .await
                .unwrap();
            verify_consistency(older, checkpoint, &path(&proof.path)).unwrap();
            assert_eq!(
                proof.checkpoint,
                if size == 71 { newest.note() } else { "" }
            );
        }
    }
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_beyond_the_tree_is_refused_with_the_numbers() {
    let (mut served, clients) = served("").await;
    let records = traces(42, 9);
    submit_all(
        &clients,
        records.iter().map(|r| trace_item(r, "")).collect(),
    )
    .await;
    assert_eq!(size(&clients).await, 10);
    let beyond = |status: Result<(), Status>, of: BTreeMap<String, String>| {
        let status = refused(status, Code::OutOfRange, "BEYOND_TREE");
        assert_eq!(told(&status).2, of);
    };
    for index in [10, 11, u64::MAX] {
        let of = numbers([("index", index), ("tree_size", 10)]);
        beyond(record(&clients, index).await.map(drop), of.clone());
        beyond(duplicato(&clients, index).await.map(drop), of.clone());
        beyond(inclusion(&clients, index, 0).await.map(drop), of.clone());
        beyond(inclusion(&clients, index, 10).await.map(drop), of);
    }
    // In the log, and not yet in the tree of that size.
    let of = numbers([("index", 4), ("tree_size", 4)]);
    beyond(inclusion(&clients, 4, 4).await.map(drop), of);
    for size in [11, u64::MAX] {
        // The size that there is, not the one that was asked for.
        let answer = inclusion(&clients, 4, size).await.map(drop);
        refused(answer, Code::OutOfRange, "BEYOND_TREE");
        let of = [("first_size", 4), ("second_size", size), ("tree_size", 10)];
        beyond(consistency(&clients, 4, size).await.map(drop), numbers(of));
        let of = [("first_size", size), ("second_size", 10), ("tree_size", 10)];
        beyond(consistency(&clients, size, 0).await.map(drop), numbers(of));
    }
    let of = [("first_size", 5), ("second_size", 4), ("tree_size", 10)];
    beyond(consistency(&clients, 5, 4).await.map(drop), numbers(of));
    let same = consistency(&clients, 10, 10).await.unwrap();
    assert!(same.path.is_empty());
    assert_eq!(size(&clients).await, 10, "nothing was disclosed");
    served.stop_and_check();
}

/// What is outside a grant must not show in the cost of a page either: four thousand records of a stranger made
/// a court's empty page end early, with a token that told of them.
#[test]
fn a_court_cannot_tell_a_party_with_many_records_from_one_with_none() {
    let test = TestLog::new();
    let log = test.open();
    let submitter = ingest(&log);
    let mut record = traces(5, 1).pop().unwrap();
    record.sender = Some("molto@pec.example.test".into());
    let count = ceralacca::desk::READS_MAX + 100;
    let sent: Vec<_> = (0..count)
        .map(|_| Submission::trace(Class::Trace, record.clone(), None))
        .map(|submission| submitter.submit_waiting(submission).unwrap())
        .collect();
    sent.into_iter()
        .for_each(|ticket| drop(submitter.wait(ticket).unwrap()));
    let mut covered = record.clone();
    covered.identificativo = Some("t1@pec.example.test".into());
    let submission = Submission::trace(Class::Trace, covered, None);
    let covered = submitter.record(submission).unwrap().records[0].leaf.seq;
    let grant = access::Grant::new("d", ["t1@pec.example.test"], [], UtcMillis::new(u64::MAX));
    let standing = Standing::Grant(std::sync::Arc::new(grant));
    let court = Principal::new("tribunale", vec![(log_id(), standing)]);
    let now = UtcMillis::new(START_MS);
    let permit = access::authorize::<Search>(&court, &log_id(), now).unwrap();
    let page = |terms: &[(Field, &str)], order| {
        let terms = terms
            .iter()
            .map(|(field, term)| (*field, term.as_bytes().to_vec()));
        let query = SearchQuery {
            terms: terms.collect(),
            ..SearchQuery::default()
        };
        let desk = log.desk(&permit).unwrap();
        let page = desk.search(&query, order, 10, None).unwrap().unwrap();
        let found: Vec<_> = page
            .records
            .iter()
            .map(|shown| shown.opened.leaf.seq)
            .collect();
        (found, page.next.is_some(), page.previous.is_some())
    };
    for order in [Order::Ascending, Order::Descending] {
        let other = (Field::Recipient, "altri@pec.example.test");
        let many = page(&[(Field::Sender, "molto@pec.example.test"), other], order);
        assert_eq!(many, (Vec::new(), false, false));
        assert_eq!(
            page(&[(Field::Sender, "nessuno@pec.example.test"), other], order),
            many
        );
        // The record that the grant names is found by what it shares with all the others, at once.
        let sender = [(Field::Sender, "molto@pec.example.test")];
        assert_eq!(page(&sender, order), (vec![covered], false, false));
        assert_eq!(page(&[], order), (vec![covered], false, false));
    }
}
