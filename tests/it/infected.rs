//! Infected messages: isolated, never rendered, given only to who may and asks for them as such (DPR 68/2005 art. 12).

use crate::support::sealing::{Sealing, close_all};
use crate::support::*;
use ceralacca::access::{self, Act, Infected, Permit, Principal, Reissue, Role, Standing};
use ceralacca::archive::Log;
use ceralacca::desk::{Choice, Demand, DeskError, Found};
use ceralacca::ingest::{Declared, Submission};
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{Metadata, ObjectRecord, Recipient, TraceRecord};

fn permit<A: Act>(role: Role) -> Result<Permit<A>, access::Denied> {
    let principal = Principal::new("anna", vec![(log_id(), Standing::Role(role))]);
    access::authorize(&principal, &log_id(), UtcMillis::new(START_MS))
}

const BODY: &str = "corpo infetto da non mostrare";

/// An infected message with its facts; the indexes of both.
fn put(log: &Log, kind: Kind, class: Class) -> (LeafIndex, LeafIndex) {
    let ingest = ingest(log);
    let html = format!("Subject: prova\r\n\r\n<html><body>{BODY}</body></html>\r\n");
    let content = ingest.content(class, html.into_bytes()).unwrap();
    let trace = TraceRecord {
        identificativo: Some("t1@pec.example".into()),
        subject: Some("oggetto".into()),
        sender: Some("anna@pec.example".into()),
        recipients: vec![Recipient {
            address: "bruno@pec.example".into(),
            kind: None,
        }],
        event: Some("rilevazione-virus".into()),
        ..TraceRecord::default()
    };
    let facts = Some((Class::Trace, trace));
    let object = ObjectRecord::default();
    let submission = Submission::object(kind, class, object, content, facts, None);
    let acknowledged = ingest.record(submission).unwrap();
    let seq = |at: usize| acknowledged.records[at].leaf.seq;
    (seq(0), seq(1))
}

#[test]
fn an_infected_message_is_given_only_as_such_and_its_showing_says_so() {
    let test = TestLog::new();
    let log = test.open();
    let (object, facts) = put(&log, Kind::Infected, Class::Infected);
    let (clean, _) = put(&log, Kind::Receipt, Class::Receipt);
    let reissue = permit::<Reissue>(Role::Provider).unwrap();
    let may = permit::<Infected>(Role::Provider).unwrap();
    let desk = log.desk(&reissue).unwrap();
    for index in [object, facts] {
        let refused = desk.duplicato(index).err().unwrap();
        assert!(matches!(refused, DeskError::Infected(at) if at == object));
        assert!(refused.to_string().contains("isolated"), "{refused}");
    }
    let refused = desk.infected(&may, clean).err().unwrap();
    assert!(matches!(refused, DeskError::NotInfected(at) if at == clean));
    let given = desk.infected(&may, object).unwrap();
    let mut octets = Vec::new();
    given
        .content(|piece| octets.extend_from_slice(piece))
        .unwrap();
    assert!(String::from_utf8(octets).unwrap().contains(BODY));
    let state = log.reader().published();
    let last = LeafIndex::new(state.tip.size.get() - 1);
    let told = log.reader().record(&state, last).unwrap().metadata();
    let Ok(Metadata::DisclosureDetail(told)) = told else {
        panic!("a disclosure")
    };
    assert_eq!(
        told.query.to_str().unwrap(),
        format!("infected index={object}")
    );
}

#[test]
fn no_role_but_that_of_its_keeper_takes_an_infected_message() {
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Court) {
        let allowed = permit::<Infected>(role).is_ok();
        assert_eq!(allowed, role == Role::Provider, "{role:?}");
    }
}

#[test]
fn what_is_declared_infected_is_isolated_whatever_its_bytes_say() {
    let test = TestLog::new();
    let log = test.open();
    let bytes = b"Subject: innocuo\r\n\r\nciao\r\n".to_vec();
    let submission = ingest(&log)
        .object(bytes, Declared::Infected, None)
        .unwrap();
    let index = ingest(&log).record(submission).unwrap().records[0].leaf.seq;
    let reissue = permit::<Reissue>(Role::Provider).unwrap();
    let desk = log.desk(&reissue).unwrap();
    let refused = desk.duplicato(index).err().unwrap();
    assert!(matches!(refused, DeskError::Infected(at) if at == index));
}

#[test]
fn a_package_leaves_an_infected_message_out_and_tells_its_facts_alone() {
    let mut test = TestLog::new();
    let sealing = Sealing::new(&test.clock, true);
    test.settings.authorities = Some(sealing.authorities());
    let log = test.open();
    let (object, facts) = put(&log, Kind::Infected, Class::Infected);
    let lonely = {
        let content = ingest(&log).content(Class::Infected, BODY.into()).unwrap();
        let object = ObjectRecord::default();
        let (kind, class) = (Kind::Infected, Class::Infected);
        let submission = Submission::object(kind, class, object, content, None, None);
        ingest(&log).record(submission).unwrap().records[0].leaf.seq
    };
    test.clock.pass(DAY_MS);
    log.tick().unwrap();
    close_all(&log, &sealing);
    let reissue = permit::<Reissue>(Role::Provider).unwrap();
    let desk = log.desk(&reissue).unwrap();
    let demand = |index| Demand {
        choice: Choice::Index(index),
        whole_transaction: false,
        requester: "Anna Prova".to_owned(),
        capacity: "holder",
        act: "richiesta 1".to_owned(),
        purpose: "prova".to_owned(),
    };
    let Found::Records(chosen) = desk.disclosed(&demand(object)).unwrap() else {
        panic!("nothing is found")
    };
    let [archived] = chosen.archived.as_slice() else {
        panic!("one record")
    };
    assert!(archived.object.is_none(), "no object to read or to render");
    assert_eq!(archived.facts.as_ref().unwrap().opened.leaf.seq, facts);
    let refused = desk.disclosed(&demand(lonely)).err().unwrap();
    assert!(matches!(refused, DeskError::Infected(at) if at == lonely));
}
