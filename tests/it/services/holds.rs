//! Holds over gRPC and from the command line.

use super::*;
use crate::support::tls::Authority;
use crate::support::traces;

/// A service over TLS with two approvers and a provider.
struct Office {
    served: Served,
    authority: Authority,
    certificates: Vec<crate::support::tls::Certified>,
}

const NAMES: [(&str, &str); 3] = [
    ("anna", "provider"),
    ("bruno", "approver"),
    ("carla", "approver"),
];

impl Office {
    fn new() -> Self {
        let authority = Authority::new();
        let mut tables = String::new();
        let mut certificates = Vec::new();
        for (name, role) in NAMES {
            let certified = authority.certify();
            tables += &format!(
                "[[principal]]\nname = \"{name}\"\ncertificates = [\"{}\"]\n\
                 [[principal.role]]\nlog = \"{LOG}\"\nrole = \"{role}\"\n",
                certified.sha256
            );
            certificates.push(certified);
        }
        let installation = Installation::new(&[LOG]);
        installation.configure_tls(&authority, &[LOG], &tables);
        Self {
            served: installation.serve(),
            authority,
            certificates,
        }
    }

    async fn clients(&self, name: &str) -> Clients {
        let at = NAMES.iter().position(|(other, _)| *other == name).unwrap();
        let certified = Some(&self.certificates[at]);
        let endpoint = self.served.secured(&self.authority, certified);
        Clients::over(&endpoint.connect().await.unwrap())
    }
}

fn by_sender(sender: &str) -> v1::SetHoldRequest {
    v1::SetHoldRequest {
        scope: Some(v1::set_hold_request::Scope::Query(v1::SearchRequest {
            sender: sender.to_owned(),
            ..v1::SearchRequest::default()
        })),
        authority: v1::HoldAuthority::Judicial.into(),
        act: "decreto 12/2026 R.G.N.R. 345/2026".to_owned(),
        ..v1::SetHoldRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_is_set_by_one_proposed_for_release_by_another_and_released_by_a_third() {
    let mut office = Office::new();
    let mut anna = office.clients("anna").await;
    let records = traces(21, 6);
    for record in &records {
        let request = v1::SubmitRequest {
            item: Some(v1::SubmissionItem {
                what: Some(What::Trace(stated(record))),
                ..v1::SubmissionItem::default()
            }),
            ..v1::SubmitRequest::default()
        };
        anna.submission.submit(request).await.unwrap();
    }
    let sender = text(&records[2].sender);
    let set = anna.holds.set_hold(by_sender(&sender)).await.unwrap();
    let set = set.into_inner();
    let expected = records.iter().filter(|r| r.sender == records[2].sender);
    assert_eq!(set.leaves, expected.count() as u64);
    let propose = |clients: &Clients, reason: &str| {
        let (mut client, reason) = (clients.holds.clone(), reason.to_owned());
        async move {
            let request = v1::ProposeReleaseRequest {
                hold: set.hold,
                reason,
                ..v1::ProposeReleaseRequest::default()
            };
            client.propose_release(request).await
        }
    };
    let confirm = |clients: &Clients| {
        let mut client = clients.holds.clone();
        async move {
            let request = v1::ConfirmReleaseRequest {
                hold: set.hold,
                reason: "visto".to_owned(),
                ..v1::ConfirmReleaseRequest::default()
            };
            client.confirm_release(request).await
        }
    };
    let (bruno, carla) = (office.clients("bruno").await, office.clients("carla").await);
    let answer = confirm(&carla).await;
    refused(answer, Code::FailedPrecondition, "RELEASE_NOT_PROPOSED");
    let answer = propose(&bruno, "").await;
    refused(answer, Code::InvalidArgument, "REASON_NEEDED");
    propose(&bruno, "procedimento archiviato").await.unwrap();
    let answer = confirm(&bruno).await;
    refused(answer, Code::PermissionDenied, "SAME_PRINCIPAL");
    confirm(&carla).await.unwrap();
    let answer = confirm(&carla).await;
    refused(answer, Code::FailedPrecondition, "HOLD_RELEASED");
    let request = v1::GetHoldRequest {
        hold: set.hold,
        ..v1::GetHoldRequest::default()
    };
    let shown = anna.holds.get_hold(request).await.unwrap().into_inner();
    let shown = shown.hold.unwrap();
    assert_eq!(shown.set_by, "anna");
    assert!(shown.query.contains(&sender));
    assert_eq!(shown.proposed.unwrap().reason, "procedimento archiviato");
    assert_eq!(shown.released.unwrap().principal, "carla");
    assert_eq!(
        shown.held.iter().map(|r| r.last - r.first + 1).sum::<u64>(),
        set.leaves
    );
    office.served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_order_to_hold_is_refused_by_its_field() {
    let (mut served, mut clients) = served("").await;
    let good = by_sender("nessuno@pec.example.test");
    let cases: [(&str, v1::SetHoldRequest); 5] = [
        (
            "SCOPE_NEEDED",
            v1::SetHoldRequest {
                scope: None,
                ..good.clone()
            },
        ),
        ("TERM_NEEDED", by_sender("")),
        (
            "AUTHORITY_NEEDED",
            v1::SetHoldRequest {
                authority: 0,
                ..good.clone()
            },
        ),
        (
            "ACT",
            v1::SetHoldRequest {
                act: " ".to_owned(),
                scope: Some(v1::set_hold_request::Scope::Intervals(v1::HoldIntervals {
                    from_ms: 0,
                    until_ms: u64::MAX,
                })),
                ..good.clone()
            },
        ),
        (
            "END_NOT_AFTER_START",
            v1::SetHoldRequest {
                start_ms: Some(10),
                end_ms: Some(10),
                scope: Some(v1::set_hold_request::Scope::Intervals(v1::HoldIntervals {
                    from_ms: 0,
                    until_ms: u64::MAX,
                })),
                ..good.clone()
            },
        ),
    ];
    for (reason, request) in cases {
        let answer = clients.holds.set_hold(request).await;
        refused(answer, Code::InvalidArgument, reason);
    }
    let answer = clients.holds.set_hold(good).await;
    refused(answer, Code::FailedPrecondition, "NOTHING_NAMED");
    let unknown = v1::GetHoldRequest {
        hold: 7,
        ..v1::GetHoldRequest::default()
    };
    let answer = clients.holds.get_hold(unknown).await;
    refused(answer, Code::NotFound, "HOLD_UNKNOWN");
    let long = v1::ListHoldsRequest {
        limit: 101,
        ..v1::ListHoldsRequest::default()
    };
    let answer = clients.holds.list_holds(long).await;
    refused(answer, Code::InvalidArgument, "TOO_LARGE");
    served.stop_and_check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_are_set_listed_shown_and_released_from_the_command_line() {
    let (mut served, _) = served("").await;
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let command = served.command(folder.path(), arguments).output();
        command.unwrap()
    };
    let act = "ordinanza 7/2026";
    let set = run(&[
        "hold",
        "set",
        "--authority",
        "administrative",
        "--act",
        act,
        "--intervals-from",
        "2000-01-01",
        "--intervals-until",
        "2100-01-01",
        "--json",
    ]);
    assert!(set.status.success(), "{set:?}");
    let set: serde_json::Value = serde_json::from_slice(&set.stdout).unwrap();
    let number = set["hold"].to_string();
    let list = run(&["hold", "list"]);
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains(act) && list.contains("in force"), "{list}");
    for (record, lines) in [("0", 1), ("999999", 0)] {
        let on_it = run(&["hold", "list", "--record", record, "--json"]);
        let on_it = String::from_utf8(on_it.stdout).unwrap();
        assert_eq!(on_it.lines().count(), lines, "{record}: {on_it}");
    }
    let propose = run(&["hold", "release", &number, "--reason", "chiuso"]);
    let told = String::from_utf8(propose.stdout).unwrap();
    assert!(told.contains("is proposed"), "{told}");
    // In plain text on loopback there is one principal: it cannot confirm what it proposed.
    let alone = run(&[
        "hold",
        "release",
        &number,
        "--reason",
        "chiuso",
        "--confirm",
    ]);
    assert_eq!(alone.status.code(), Some(2));
    let told = String::from_utf8(alone.stderr).unwrap();
    assert!(
        told.contains("SAME_PRINCIPAL: two different principals are needed"),
        "{told}"
    );
    let shown = run(&["hold", "show", &number, "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["state"], "proposed");
    assert_eq!(shown["authority"], "administrative");
    assert_eq!(shown["held"][0]["first"], 0);
    let unknown = run(&["hold", "show", "999999"]);
    assert_eq!(unknown.status.code(), Some(2));
    served.stop_and_check();
}
