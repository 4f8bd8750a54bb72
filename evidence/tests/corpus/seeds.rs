//! The corpus, made of synthetic evidence: valid, and damaged in ways that a changed octet does not reach.

use crate::fuzz_folder;
use crate::targets::{
    FILE, STAMPED_MS, asked, asked_with, certificate, entries, entry, new_key, salt,
};
use ceralacca_evidence::Imprint;
use ceralacca_evidence::authority::Authority;
use ceralacca_evidence::certificates::Purpose;
use ceralacca_evidence::ers::{Document, EvidenceRecord, Hash, ReducedTree, TreeWriter, file_id};
use ceralacca_evidence::software_key::SoftwareKey;
use ceralacca_evidence::tsp::{Policy, Request};
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::map::{MapFile, MapWriter};
use ceralacca_pec::DigestAlgorithm::{self, Sha256, Sha512};
use ceralacca_pec::tsp::Token;
use std::convert::Infallible;

#[test]
#[ignore = "writes the corpus; run by hand"]
fn the_corpus_is_made_anew() {
    let house = House::new();
    write("fixed/stamping-root.der", &house.root);
    of_records(&house);
    of_stamps(&house);
    of_maps();
    of_packages();
    let log_file = include_bytes!("../../../formats/vectors/log-file.jsonl");
    of_log_files(log_file);
}

fn write(name: &str, bytes: &[u8]) {
    let path = fuzz_folder().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn seed(target: &str, name: &str, bytes: &[u8]) {
    write(&format!("corpus/{target}/{name}"), bytes);
}

/// After an octet that the target reads first.
fn seed_of(target: &str, name: &str, first: u8, bytes: &[u8]) {
    seed(target, name, &[&[first], bytes].concat());
}

/// A root, and an authority below it.
struct House {
    root: Vec<u8>,
    authority: Authority,
}

impl House {
    fn new() -> Self {
        let (root_key, key) = (new_key(), new_key());
        let root = certificate(Purpose::Root, &root_key, &root_key);
        let own = certificate(Purpose::TimeStamping, &key, &root_key);
        let signer = SoftwareKey::new(key, own, vec![root.clone()], true).unwrap();
        Self {
            root,
            authority: Authority::new(Box::new(signer)),
        }
    }

    fn answer(&self, request: &Request, stamp: usize) -> Vec<u8> {
        let serial = [u8::try_from(stamp).unwrap() + 1; 16];
        let now = UtcMillis::new(STAMPED_MS[stamp]);
        self.authority.answer(request.der(), now, serial).unwrap()
    }

    fn token(&self, root: &Hash, stamp: usize) -> Vec<u8> {
        let request = Request::new(root.imprint().unwrap(), [3; 8], None);
        let answer = self.answer(&request, stamp);
        Token::read(&answer).unwrap().der().to_vec()
    }
}

fn hashes(algorithm: DigestAlgorithm, texts: &[&[u8]]) -> Vec<Hash> {
    texts.iter().map(|text| Hash::of(algorithm, text)).collect()
}

fn of_records(house: &House) {
    let record = |group: &[&[u8]], siblings: &[&[u8]]| {
        let tree = ReducedTree::new(&hashes(Sha256, group), &hashes(Sha256, siblings)).unwrap();
        let token = house.token(&tree.root().unwrap(), 0);
        EvidenceRecord::new(tree, &token).unwrap()
    };
    let renewed = |record: &mut EvidenceRecord, stamp: usize| {
        let last = record.last().unwrap();
        let tree = [last.token_hash(last.algorithm())];
        let tree = ReducedTree::new(&tree, &hashes(last.algorithm(), &[b"another token"])).unwrap();
        let token = house.token(&tree.root().unwrap(), stamp);
        record.renew_time_stamp(tree, &token).unwrap();
    };
    let mut own = record(&[FILE], &[]);
    seed_of("ers", "alone", 0, &own.to_der());
    renewed(&mut own, 1);
    seed_of("ers", "renewed", 0, &own.to_der());
    let documents = [Document::of(FILE, &[Sha256, Sha512])];
    let tree = own.renewed(&documents, Sha512).unwrap();
    let tree = ReducedTree::new(&tree, &hashes(Sha512, &[b"another group"])).unwrap();
    let token = house.token(&tree.root().unwrap(), 2);
    own.renew_hash_tree(&documents, tree, &token).unwrap();
    seed_of("ers", "renewed-both-ways", 0, &own.to_der());
    for (number, stamp) in own.chains().iter().flatten().enumerate() {
        seed_of("ers", &format!("stamp-{number}"), 1, stamp.to_der());
    }
    let group = record(&[FILE, b"its opening"], &[b"a sibling", b"and another"]);
    seed_of("ers", "group-with-siblings", 0, &group.to_der());
    // What verifies not: of another document, renewed before it was made.
    seed_of(
        "ers",
        "another-document",
        0,
        &record(&[b"another"], &[FILE]).to_der(),
    );
    let mut before = record(&[FILE], &[]);
    renewed(&mut before, 0);
    seed_of("ers", "renewed-at-once", 0, &before.to_der());
    for (name, algorithm, groups) in [
        ("tree-of-one", Sha256, 1),
        ("tree", Sha256, 5),
        ("tree-sha-512", Sha512, 3),
        ("tree-with-levels", Sha256, 300),
    ] {
        seed_of("ers", name, 2, &tree_file(algorithm, groups));
    }
}

fn tree_file(algorithm: DigestAlgorithm, groups: u64) -> Vec<u8> {
    let mut octets = Vec::new();
    let sink = |piece: &[u8]| {
        octets.extend_from_slice(piece);
        Ok::<_, Infallible>(())
    };
    let mut writer = TreeWriter::new(algorithm, sink).unwrap();
    for id in (0..groups - 1).chain([file_id(0)]) {
        let hash = Hash::of(algorithm, &id.to_be_bytes());
        writer.push(id, hash).unwrap();
    }
    writer.finish().unwrap();
    octets
}

fn of_stamps(house: &House) {
    let answer = house.answer(&asked(), 0);
    seed_of("stamp", "answer", 0, &answer);
    seed_of("stamp", "answer-later", 0, &house.answer(&asked(), 1));
    // What does not answer: an old answer, of another imprint, refusals.
    let replayed = house.answer(&asked_with([8; 8]), 0);
    seed_of("stamp", "answer-replayed", 0, &replayed);
    let other = Request::new(Imprint::Sha512([2; 64]), [7; 8], None);
    let other = house.answer(&other, 0);
    seed_of("stamp", "answer-of-another-imprint", 0, &other);
    let policy = Policy::try_from("1.3.6.1.4.1.99999.1").unwrap();
    let with_policy = Request::new(*asked().imprint(), [7; 8], Some(policy));
    seed_of(
        "stamp",
        "answer-policy-refused",
        0,
        &house.answer(&with_policy, 0),
    );
    seed_of("stamp", "answer-failure", 0, &Authority::failure());
    seed_of("stamp", "token", 1, Token::read(&answer).unwrap().der());
    seed_of(
        "stamp",
        "token-of-sha-512",
        1,
        Token::read(&other).unwrap().der(),
    );
    seed_of("stamp", "request", 2, asked().der());
    seed_of("stamp", "request-with-policy", 2, with_policy.der());
    let sha512 = Request::new(Imprint::Sha512([2; 64]), [0xff; 8], None);
    seed_of("stamp", "request-of-sha-512", 2, sha512.der());
}

fn of_maps() {
    let mut files = Vec::new();
    for (name, bits, keys) in [
        ("file-empty", 0, 0),
        ("file", 0, 20),
        ("file-of-buckets", 3, 40),
    ] {
        let mut octets = Vec::new();
        let sink = |piece: &[u8]| {
            octets.extend_from_slice(piece);
            Ok::<_, Infallible>(())
        };
        let mut writer = MapWriter::new(&salt(), bits, sink).unwrap();
        for (key, value) in entries().into_iter().take(keys) {
            writer.push(key, value).unwrap();
        }
        writer.finish().unwrap();
        seed_of("map", name, 0, &octets);
        files.push(octets);
    }
    // Its nodes are right, and two of its keys are not in order.
    let mut swapped = files[1].clone();
    let (left, right) = swapped[48..].split_at_mut(64);
    left.swap_with_slice(&mut right[..64]);
    seed_of("map", "file-out-of-order", 0, &swapped);

    let mut octets = Vec::new();
    let sink = |piece: &[u8]| {
        octets.extend_from_slice(piece);
        Ok::<_, Infallible>(())
    };
    let mut writer = MapWriter::new(&salt(), 2, sink).unwrap();
    for (key, value) in entries() {
        writer.push(key, value).unwrap();
    }
    writer.finish().unwrap();
    let read_at = |at: u64, length: usize| {
        let at = usize::try_from(at).unwrap();
        Ok::<_, Infallible>(octets[at..at + length].to_vec())
    };
    let file = MapFile::open(octets.len() as u64, read_at).unwrap();
    for (name, number) in [("proof-of-presence", 7), ("proof-of-absence", 1000)] {
        let proof = file.prove(&entry(number).0, read_at).unwrap();
        seed_of("map", name, 1, &proof.to_bytes());
        let mut twin = proof.clone();
        twin.value = match twin.value {
            Some(_) => None,
            None => Some(entry(7).1),
        };
        seed_of("map", &format!("{name}-turned-round"), 1, &twin.to_bytes());
    }
    let lines = include_str!("../../../formats/vectors/absence.jsonl");
    for (name, line) in ["told-closed", "told-open"].iter().zip(lines.lines()) {
        seed_of("map", name, 2, line.as_bytes());
    }
    let head = include_bytes!("../../../formats/vectors/absence-head.json");
    seed_of("map", "told-head", 3, head);
}

fn of_packages() {
    let closing = include_str!("../../../formats/vectors/closing.json").trim_end();
    let from = closing.find("\"classes\"").unwrap();
    let until = closing.find(",\"end_ms\"").unwrap();
    let contents = format!("{{{}}}", &closing[from..until]);
    let facts = "{\"accuracy_ms\":1000,\"algorithm\":\"SHA-512\",\"authority\":\"Autorit\u{e0} di prova\",\
                 \"kind\":\"hash-tree\",\"proven\":1,\"root\":\"abab\",\"serial\":\"0aff\",\
                 \"time_ms\":1763769601000,\"valid_until_ms\":2000000000000}";
    let renewed = "{\"first_ms\":1763683200000,\"kind\":\"time-stamp\",\"last_ms\":1763769600000,\"packages\":2,\
                   \"schema\":1,\"token\":\"e3316e2bafebb6103a3418e8778c0adc960d40213a03a7e7f4fcd3426ed807bf\",\
                   \"type\":\"evidence-renewed\"}";
    let trace = "{\"event\":\"accettazione\",\"schema\":1,\"type\":\"trace\"}";
    let catalogue = include_str!("../../../formats/vectors/catalogue.json").trim_end();
    let export = include_str!("../../../formats/vectors/export.json").trim_end();
    let index = include_str!("../../vectors/PIndex.xml");
    for (name, kind, text) in [
        ("catalogue", 0, catalogue),
        ("contents", 1, &contents[..]),
        ("contents-of-nothing", 1, "{}"),
        ("index", 2, index),
        ("renewal", 3, facts),
        ("contents-exported", 4, export),
        (
            "secrets-exported",
            5,
            &export.replace("contents 1", "secrets 1"),
        ),
        ("closing", 6, closing),
        ("evidence-renewed", 6, renewed),
        ("trace", 6, trace),
        // Damaged twins: out of order, out of the folder, spelled otherwise.
        (
            "catalogue-out-of-order",
            0,
            &catalogue.replace("checkpoint", "zheckpoint"),
        ),
        (
            "catalogue-that-leaves",
            0,
            &catalogue.replace("leaves.bin", "../aves.bin"),
        ),
        ("catalogue-spaced", 0, &catalogue.replace("\":", "\": ")),
        (
            "index-with-dtd",
            2,
            &index.replace("?>", "?><!DOCTYPE x [<!ENTITY e 'x'>]>"),
        ),
        (
            "closing-twice",
            6,
            &closing.replace("\"end_ms\":", "\"end_ms\":1,\"end_ms\":"),
        ),
    ] {
        seed_of("package", name, kind, text.as_bytes());
    }
}

fn of_log_files(whole: &[u8]) {
    seed("log_file", "three-records", whole);
    let text = std::str::from_utf8(whole).unwrap();
    for (name, text) in [
        ("crlf", text.replace('\n', "\r\n")),
        ("no-last-line-feed", text.trim_end().to_owned()),
        (
            "another-opening",
            text.replace("\"opening\":\"07", "\"opening\":\"08"),
        ),
        (
            "another-event",
            text.replace("accettazione", "avvenuta-consegna"),
        ),
        (
            "another-length",
            text.replace("\"bytes\":1", "\"bytes\":01"),
        ),
        (
            "upper-case",
            text.replace("\"opening\":\"0707", "\"opening\":\"0A07"),
        ),
    ] {
        assert_ne!(text.as_bytes(), whole, "{name}");
        seed("log_file", name, text.as_bytes());
    }
}
