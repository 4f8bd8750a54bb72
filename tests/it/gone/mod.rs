//! Data that is gone is nowhere: not in a table, a blob, a write-ahead log, the MANIFEST or a package, for whoever has
//! the master key and every secret that is left.
//!
//! The search is shown to find what is there first: every marker before, in the place where it must be.

mod crash;
pub mod search;

use crate::support::sealing::{Sealing, close_all};
use crate::support::*;
use ceralacca::access::{self, Act, Erase, Permit, Principal, Role, Standing};
use ceralacca::archive::Log;
use ceralacca::desk::DeskError;
use ceralacca::ingest::{ObjectContent, Submission};
use ceralacca::keyring::Keyring;
use ceralacca::seal::EvidenceGroup;
use ceralacca::store::cf::chunk::{Chunks, UploadKey};
use ceralacca::store::cf::content::Contents;
use ceralacca::store::cf::metadata::{ContentPlace, EncryptedMetadata, RecordKey};
use ceralacca::store::cf::secret::{SecretKey, Secrets};
use ceralacca::store::cf::unit_prefix;
use ceralacca::store::{KeyRange, Order, Rows};
use ceralacca_formats::erasure::Ground;
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{Field, ObjectRecord, Recipient, TraceRecord};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use search::{Found, Markers};
use std::collections::BTreeSet;

pub fn permit<A: Act>(name: &str, role: Role) -> Permit<A> {
    let principal = Principal::new(name, vec![(log_id(), Standing::Role(role))]);
    access::authorize(&principal, &log_id(), UtcMillis::new(START_MS)).unwrap()
}

/// Where a content stands, by its size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Size {
    /// In the row of a table.
    Small,
    /// In a blob file.
    Blob,
    /// In chunks, staged before the leaf; blob files too.
    Chunks,
}

impl Size {
    fn octets(self) -> usize {
        match self {
            Self::Small => 600,
            Self::Blob => 40 << 10,
            Self::Chunks => 3 << 20,
        }
    }
}

/// An object with its facts, every text of both a marker.
pub struct Marked {
    pub object: LeafIndex,
    pub facts: LeafIndex,
    pub interval: IntervalId,
    pub class: Class,
}

fn word(name: &str, what: &str) -> String {
    format!("marker-{name}-{what}-5f3c9a")
}

/// Archives a marked object of a class; octets that do not compress, with the marker in the midst.
pub fn put(log: &Log, name: &str, class: Class, size: Size) -> Marked {
    let mut octets = vec![0; size.octets()];
    let seed = u64::from(name.bytes().map(u32::from).sum::<u32>());
    ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut octets);
    let body = word(name, "body");
    let at = octets.len() / 2;
    octets[at..at + body.len()].copy_from_slice(body.as_bytes());
    let ingest = ingest(log);
    let content: ObjectContent = match size {
        Size::Chunks => {
            let mut upload = ingest.upload(class);
            upload.write(&octets).unwrap();
            upload.finish().unwrap()
        }
        _ => ingest.content(class, octets).unwrap(),
    };
    let address = |what: &str| format!("{}@pec.example", word(name, what));
    let object = ObjectRecord {
        message_id: Some(word(name, "own-id").as_str().into()),
        ..ObjectRecord::default()
    };
    let trace = TraceRecord {
        identificativo: Some(word(name, "identificativo").as_str().into()),
        subject: Some(word(name, "subject").as_str().into()),
        sender: Some(address("sender").as_str().into()),
        recipients: vec![Recipient {
            address: address("recipient").as_str().into(),
            kind: None,
        }],
        event: Some("avvenuta-consegna".into()),
        ..TraceRecord::default()
    };
    let facts = Some((Class::Trace, trace));
    let submission = Submission::object(Kind::Receipt, class, object, content, facts, None);
    let acknowledgement = ingest.record(submission).unwrap();
    let [object, facts] = [0, 1].map(|at| acknowledgement.records[at].leaf.seq);
    Marked {
        object,
        facts,
        interval: log.reader().published().interval_of(object),
        class,
    }
}

/// Three stretches of a ciphertext: none of it may be left, wherever it was cut.
pub fn stretches(markers: &mut Markers, name: &str, octets: &[u8]) {
    let length = octets.len().min(48);
    for (which, at) in [
        ("head", 0),
        ("midst", (octets.len() - length) / 2),
        ("tail", octets.len() - length),
    ] {
        markers.add(&format!("{name} {which}"), &octets[at..at + length]);
    }
}

/// What an object is on disk: its wrapped keys, the ciphertext of its metadata and of every part, its index tokens.
pub fn stored(log: &Log, name: &str, marked: &Marked) -> Markers {
    stored_of(log, name, marked, &word(name, "own-id"))
}

/// The same, of an object with this Message-ID.
pub fn stored_of(log: &Log, name: &str, marked: &Marked, id: &str) -> Markers {
    let mut markers = Markers::default();
    let store = log.reader().store();
    let key = RecordKey {
        interval: marked.interval,
        class: marked.class,
        index: marked.object,
    };
    let wrapped = store.read::<Secrets>(&SecretKey::Object(key)).unwrap();
    markers.add(&format!("{name} wrapped keys"), &wrapped.unwrap());
    let row = store.read::<EncryptedMetadata>(&key).unwrap().unwrap();
    stretches(&mut markers, &format!("{name} metadata"), &row.ciphertext);
    markers.add(&format!("{name} nonce"), row.nonce.as_bytes());
    let mut parts = Vec::new();
    match row.place {
        ContentPlace::Chunks => {
            let upload = UploadKey {
                interval: marked.interval,
                class: marked.class,
                nonce: row.nonce,
            };
            let range = KeyRange::prefix(&upload.prefix());
            let rows = store.rows::<Chunks>(&range, Order::Ascending);
            parts.extend(rows.map(|row| row.unwrap().1));
        }
        _ => {
            let mut prefix = unit_prefix(marked.interval, marked.class);
            prefix.extend_from_slice(&marked.object.get().to_be_bytes());
            let rows = store.rows::<Contents>(&KeyRange::prefix(&prefix), Order::Ascending);
            parts.extend(rows.map(|row| row.unwrap().1));
        }
    }
    assert!(!parts.is_empty(), "{name} has no content");
    for (number, part) in (1..).zip(&parts) {
        stretches(
            &mut markers,
            &format!("{name} part {number}"),
            &part.ciphertext,
        );
    }
    let (keyring, _) = Keyring::open(store, &master(), &origin()).unwrap();
    let keys = keyring.class(store, marked.interval, marked.class).unwrap();
    // What an evidence record shows at its foot: hashes of the octets and of the opening.
    let state = log.reader().published();
    let opened = log.reader().record(&state, marked.object).unwrap();
    markers.add(&format!("{name} opening"), opened.opening.as_bytes());
    for (which, digest) in search::digests(&opened) {
        markers.add(&format!("{name} {which}"), &digest);
    }
    let mut posting = keys.token(Field::MessageId, id.as_bytes()).0.to_vec();
    posting.extend_from_slice(&marked.object.get().to_be_bytes());
    markers.add(&format!("{name} posting"), &posting);
    markers
}

/// What it says: texts of the object, which go; of its facts, which stay.
pub fn said(name: &str) -> (Markers, Markers) {
    let (mut goes, mut stays) = (Markers::default(), Markers::default());
    for what in ["body", "own-id"] {
        goes.add(&format!("{name} {what}"), word(name, what).as_bytes());
    }
    for what in ["identificativo", "subject", "sender", "recipient"] {
        stays.add(&format!("{name} {what}"), word(name, what).as_bytes());
    }
    (goes, stays)
}

pub fn both(one: &Markers, other: &Markers) -> Markers {
    let mut all = one.clone();
    all.0.extend(other.0.clone());
    all
}

fn names(found: &Found) -> BTreeSet<String> {
    found.names()
}

/// Proposed by one, confirmed by another, completed.
pub fn erase(log: &Log, record: LeafIndex) -> Result<LeafIndex, DeskError> {
    let (anna, bruno) = (
        permit::<Erase>("anna", Role::Provider),
        permit::<Erase>("bruno", Role::Approver),
    );
    let desk = log.desk(&anna).unwrap();
    desk.propose_erasure(record, Ground::DataSubject, "richiesta del 3 marzo")?;
    let leaf = log.desk(&bruno).unwrap().erase(record, "visto")?;
    log.complete_erasure(record).unwrap();
    Ok(leaf)
}

#[test]
fn an_object_that_was_erased_is_nowhere_and_its_facts_and_neighbours_stay() {
    let mut test = TestLog::new();
    let sealing = Sealing::new(&test.clock, true);
    test.settings.authorities = Some(sealing.authorities());
    let log = test.open();
    let sizes = [
        ("small", Size::Small),
        ("blob", Size::Blob),
        ("chunks", Size::Chunks),
    ];
    let mut erased = Vec::new();
    let mut neighbours = Vec::new();
    for (name, size) in sizes {
        erased.push((name, put(&log, name, Class::Receipt, size)));
        let neighbour = ["small-kept", "blob-kept", "chunks-kept"];
        let at = sizes.iter().position(|(other, _)| *other == name).unwrap();
        let kept = neighbour[at];
        neighbours.push((kept, put(&log, kept, Class::Receipt, size)));
    }
    // What was written just now stands in the write-ahead log.
    let (mut goes, mut stays) = (Markers::default(), Markers::default());
    for (name, marked) in &erased {
        goes = both(&goes, &stored(&log, name, marked));
        let (texts, facts) = said(name);
        goes = both(&goes, &texts);
        stays = both(&stays, &facts);
    }
    for (name, marked) in &neighbours {
        let (texts, facts) = said(name);
        let kept = both(&stored(&log, name, marked), &both(&texts, &facts));
        stays = both(&stays, &kept);
    }
    let early = search::in_files(&test.path(), &goes);
    for (name, _) in &erased {
        let wrapped = format!("{name} wrapped keys");
        assert!(early.is_in(&wrapped, ".log"), "{wrapped}: {early:?}");
    }
    for _ in 0..2 {
        test.clock.pass(DAY_MS);
        log.tick().unwrap();
        fill_more(&log);
    }
    close_all(&log, &sealing);
    log.reader().store().settle().unwrap();

    // The positive control: before, every marker is found, each by the reader that must find it.
    let all = both(&goes, &stays);
    let before = search::everywhere(&log, &test.path(), &all);
    assert_eq!(names(&before), all.names());
    for (name, place) in [
        ("small body", "content of"),
        ("blob body", "content of"),
        ("chunks body", "content of"),
        ("small own-id", "record "),
        ("small subject", "package log-trace"),
        ("small sender", "package log-trace"),
        ("small wrapped keys", ".sst"),
        ("small part 1 midst", ".sst"),
        ("blob part 1 midst", ".blob"),
        ("chunks part 2 midst", ".blob"),
        ("small posting", "row of index"),
    ] {
        assert!(before.is_in(name, place), "{name} in {place}: {before:?}");
    }
    let octets = search::octets_of(&test.path());

    for (_, marked) in &erased {
        erase(&log, marked.object).unwrap();
    }

    let after = search::everywhere(&log, &test.path(), &all);
    assert_eq!(names(&after), stays.names(), "{after:#?}");
    let left = search::octets_of(&test.path());
    assert!(
        left + (5 << 19) < octets,
        "{octets} octets before, {left} after"
    );
    log.stop().unwrap();
    drop(log);
    let after = search::in_files(&test.path(), &goes);
    assert_eq!(names(&after), BTreeSet::new(), "{after:#?}");
    let report = test.check();
    assert!(report.is_clean(), "{:?}", report.damages);
    assert_eq!(report.erased, 3);
}

fn fill_more(log: &Log) {
    for record in traces(99, 20) {
        let submission = Submission::trace(Class::Trace, record, None);
        ingest(log).record(submission).unwrap();
    }
}

/// A log with an object of each class that an object has, closed; and one in the open interval.
struct Kept {
    test: TestLog,
    sealing: Sealing,
    log: Log,
}

impl Kept {
    fn new() -> Self {
        let mut test = TestLog::new();
        let sealing = Sealing::new(&test.clock, true);
        test.settings.authorities = Some(sealing.authorities());
        let log = test.open();
        Self { test, sealing, log }
    }

    fn close(&self) {
        for _ in 0..2 {
            self.test.clock.pass(DAY_MS);
            self.log.tick().unwrap();
            fill_more(&self.log);
        }
        close_all(&self.log, &self.sealing);
    }

    fn refused(&self, record: LeafIndex) -> String {
        let size = self.log.reader().published().tip.size;
        let error = erase(&self.log, record).unwrap_err();
        let DeskError::Custody(error) = error else {
            panic!("{error:?}")
        };
        assert_eq!(
            self.log.reader().published().tip.size,
            size,
            "nothing is recorded"
        );
        error.to_string()
    }
}

#[test]
fn what_the_law_binds_what_is_held_and_what_is_not_closed_is_not_erased() {
    let kept = Kept::new();
    let infected = put(&kept.log, "infected", Class::Infected, Size::Small);
    let receipt = put(&kept.log, "receipt", Class::Receipt, Size::Small);
    assert!(kept.refused(receipt.object).contains("is not closed yet"));
    kept.close();
    let article = kept.refused(infected.object);
    assert!(
        article.contains("kept by law") && article.contains("art. 12"),
        "{article}"
    );
    let article = kept.refused(receipt.facts);
    assert!(article.contains("art. 11"), "{article}");
    // The first leaf says that a writer took over the log.
    assert!(
        kept.refused(LeafIndex::new(0))
            .contains("act of the archive")
    );
    let beyond = kept.refused(LeafIndex::new(1 << 40));
    assert!(beyond.contains("there is no record"), "{beyond}");
    // A hold on the facts holds the object.
    let hold = permit::<access::Hold>("giudice", Role::Provider);
    let query = ceralacca::desk::SearchQuery {
        terms: vec![(
            Field::Identificativo,
            word("receipt", "identificativo").into_bytes(),
        )],
        ..ceralacca::desk::SearchQuery::default()
    };
    let order = ceralacca::desk::HoldOrder {
        scope: ceralacca::desk::Scope::Query(query),
        authority: ceralacca_formats::hold::HoldAuthority::Judicial,
        act: "decreto 1/2026".to_owned(),
        start: None,
        // It is past already by every clock: an erasure proves no time, so it counts.
        end: Some(UtcMillis::new(START_MS + 3 * DAY_MS)),
    };
    let held = kept.log.desk(&hold).unwrap().set_hold(order).unwrap();
    assert_eq!(held.leaves, 2, "the object and its facts");
    kept.test.clock.pass(5 * DAY_MS);
    kept.log.tick().unwrap();
    let refused = kept.refused(receipt.object);
    assert!(
        refused.contains(&format!("under hold {}", held.hold)),
        "{refused}"
    );
    let release = |name: &str| permit::<access::Release>(name, Role::Approver);
    let (anna, bruno) = (release("anna"), release("bruno"));
    let desk = kept.log.desk(&anna).unwrap();
    desk.propose_release(held.hold, "chiuso").unwrap();
    let desk = kept.log.desk(&bruno).unwrap();
    desk.release_hold(held.hold, "visto").unwrap();
    erase(&kept.log, receipt.object).unwrap();
    assert!(kept.refused(receipt.object).contains("was erased, as leaf"));
}

#[test]
fn an_erasure_takes_two_principals_and_its_proposal_alone_changes_nothing() {
    let kept = Kept::new();
    let receipt = put(&kept.log, "receipt", Class::Receipt, Size::Small);
    kept.close();
    let anna = permit::<Erase>("anna", Role::Approver);
    let bruno = permit::<Erase>("bruno", Role::Approver);
    let confirm = |permit: &Permit<Erase>| {
        let desk = kept.log.desk(permit).unwrap();
        desk.erase(receipt.object, "visto")
    };
    let refused = |result: Result<LeafIndex, DeskError>| result.unwrap_err().to_string();
    assert!(refused(confirm(&bruno)).contains("was not proposed"));
    let desk = kept.log.desk(&anna).unwrap();
    let ground = Ground::ContractEnd;
    desk.propose_erasure(receipt.object, ground, "contratto cessato")
        .unwrap();
    assert!(refused(confirm(&anna)).contains("two different principals"));
    let state = kept.log.reader().published();
    assert!(kept.log.reader().record(&state, receipt.object).is_ok());
    confirm(&bruno).unwrap();
    let gone = kept.log.reader().record(&state, receipt.object);
    assert!(gone.is_err());
    // A crash here: what is left to do is done when it is asked for.
    assert_eq!(kept.log.complete_erasures().unwrap(), 1);
    assert_eq!(kept.log.complete_erasures().unwrap(), 0);
}

#[test]
fn the_certificate_of_an_erasure_is_verified_by_openssl_and_the_facts_still_prove() {
    use ceralacca_formats::erasure::ErasureCertificate;
    use std::process::Command;
    let kept = Kept::new();
    let receipt = put(&kept.log, "receipt", Class::Receipt, Size::Small);
    kept.close();
    let state = kept.log.reader().published();
    let leaf = kept.log.reader().leaf(&state, receipt.object).unwrap();
    let erasure = erase(&kept.log, receipt.object).unwrap();
    let auditor = permit::<access::Erasures>("carla", Role::Auditor);
    let told = kept.log.desk(&auditor).unwrap().erasure_of(receipt.object);
    let signed = told.unwrap().kept.certificate.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("root.pem"), kept.sealing.root_pem()).unwrap();
    let verify = |der: &[u8]| {
        std::fs::write(path("certificate.p7m"), der).unwrap();
        let mut command = Command::new("openssl");
        command.args("cms -verify -inform DER -in certificate.p7m -CAfile root.pem -purpose any -out plain.json -attime".split(' '));
        command.arg((kept.test.clock.now() / 1000).to_string());
        command.current_dir(folder.path()).output().unwrap()
    };
    let output = verify(&signed);
    assert!(output.status.success(), "{output:?}");
    let plain = std::fs::read(path("plain.json")).unwrap();
    let certificate = ErasureCertificate::parse(&plain).unwrap();
    assert_eq!(certificate.leaf, leaf);
    assert_eq!(certificate.facts, Some(receipt.facts));
    assert_eq!(certificate.acts[1].leaf, erasure);
    assert_eq!(certificate.acts[0].principal.to_str(), Some("anna"));
    assert_eq!(certificate.locked_until, None);
    let text = String::from_utf8(plain).unwrap();
    assert!(!text.contains("marker"), "{text}");
    let mut twin = signed.clone();
    let at = twin.windows(12).position(|w| w == b"data-subject").unwrap();
    twin[at] ^= 1;
    assert!(!verify(&twin).status.success(), "a damaged twin");
    // The leaf proves as before; the facts are found and name the object.
    let state = kept.log.reader().published();
    let proof = kept.log.reader().proof(&state, receipt.facts).unwrap();
    assert!(proof.to_text().contains("tlog-proof"));
    let path = kept
        .log
        .reader()
        .inclusion(&state, receipt.object, state.tip.size);
    assert!(!path.unwrap().is_empty());
    let search = permit::<access::Search>("anna", Role::Provider);
    let query = ceralacca::desk::SearchQuery {
        terms: vec![(Field::MessageId, word("receipt", "own-id").into_bytes())],
        ..ceralacca::desk::SearchQuery::default()
    };
    let found = kept.log.desk(&search).unwrap();
    let found = found
        .search(&query, Order::Ascending, 10, None)
        .unwrap()
        .unwrap();
    assert!(found.records.is_empty(), "nothing finds it");
    let reissue = permit::<access::Reissue>("anna", Role::Provider);
    let desk = kept.log.desk(&reissue).unwrap();
    let again = desk.duplicato(receipt.facts);
    let told = again.err().unwrap().to_string();
    assert_eq!(
        told,
        format!("leaf {} was erased, as leaf {erasure} says", receipt.object)
    );
    // No evidence record of it is cut any more: the hashes at its foot, of object and opening, are gone.
    let package = kept.log.sealer().package(receipt.interval).unwrap();
    let package = package.unwrap();
    let cut = package.evidence(&EvidenceGroup::Object(receipt.object));
    assert!(cut.is_err());
    package.evidence(&EvidenceGroup::Package).unwrap();
}
