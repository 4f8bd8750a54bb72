//! Indices of packages before xmllint and the schema of the standard; and damaged twins.

use crate::made::{has, is_vector};
use ceralacca_evidence::pindex::*;
use ceralacca_formats::id::UtcMillis;
use proptest::prelude::*;
use std::path::Path;
use std::process::Command;

const SCHEMA: &str = "../tests/vectors/schemas/sincro-v2-PIndex.xsd";

fn agent(ids: &[&str], name: AgentName) -> Agent {
    let ids = ids.iter().map(|id| AgentId::try_from(*id).unwrap());
    Agent::new(ids.collect(), name, vec!["Manuale di conservazione".into()]).unwrap()
}

fn file(number: u8, path: &str) -> FileEntry {
    FileEntry {
        id: format!("file-{number}"),
        path: PackagePath::try_from(path).unwrap(),
        format: "application/jsonl".into(),
        extension: Some(".jsonl".into()),
        hash: Hash::sha256([number; 32]),
        previous: None,
    }
}

fn index() -> PIndex {
    let provider = agent(
        &["VATIT-01234567890"],
        AgentName::Organization("Gestore & Figli S.p.A. <PEC>".into()),
    );
    let urn = |what: &str, day: u8| format!("urn:ceralacca:gestore:{what}:2026112{day}T000000Z");
    PIndex {
        id: urn("pindex", 0),
        application: Application {
            name: "Ceralacca".into(),
            version: "0.1.0".into(),
            producer: "Gestore".into(),
        },
        sources: vec![Source {
            derivation: Derivation::OneToOne,
            id: urn("pindex", 1),
            path: "../20261119T000000Z/PIndex.xml.p7m".into(),
            hash: Hash::sha256([1; 32]),
        }],
        volume: Volume {
            id: urn("pda", 0),
            label: Some("Intervallo".into()),
            description: None,
            sources: vec![VolumeSource {
                id: urn("pda", 1),
                index: urn("pindex", 1),
            }],
            interval: Some(Interval {
                origin: "gestore.example/log".into(),
                start: UtcMillis::new(1_795_132_800_000),
                cut: UtcMillis::new(1_795_219_200_123),
                first: 7,
                size: 3,
                tree_size: 10,
                root: [0xab; 32],
                is_development: true,
                maps: vec![Map {
                    class: 1,
                    keys: 2,
                    root: [2; 32],
                    salt_hash: [3; 32],
                }],
                counts: vec![Count {
                    event: "accettazione".into(),
                    number: u64::MAX,
                }],
            }),
        },
        groups: vec![FileGroup {
            id: "log".into(),
            label: None,
            description: Some("File di log".into()),
            files: vec![
                file(1, "log/class-1/0001.jsonl"),
                FileEntry {
                    previous: Some(PreviousHash {
                        hash: Hash::sha256([9; 32]),
                        related: urn("pindex", 1),
                    }),
                    hash: Hash::new(HashFunction::Sha512, vec![5; 64]).unwrap(),
                    extension: None,
                    ..file(2, "leaves.bin")
                },
            ],
        }],
        process: Process {
            submitter: provider.clone(),
            holders: vec![Holder {
                agent: provider,
                role: HolderRole::Producer,
            }],
            signatories: vec![Signatory {
                agent: agent(
                    &["TINIT-RSSMRA80A01H501U"],
                    AgentName::Person {
                        first: "Maria".into(),
                        last: "Rossi".into(),
                    },
                ),
                role: Some("Responsabile della conservazione".into()),
            }],
            time: UtcMillis::new(1_795_219_500_000),
            has_time_stamp: true,
            laws: Some("Linee Guida AgID".into()),
        },
    }
}

/// Whether xmllint finds a document valid, and what it says.
fn xmllint(folder: &Path, schema: &Path, xml: &[u8]) -> (bool, String) {
    let path = folder.join("PIndex.xml");
    std::fs::write(&path, xml).unwrap();
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet", "--schema"]);
    let output = command.arg(schema).arg(path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

#[test]
fn xmllint_finds_an_index_valid_and_each_damaged_twin_not() {
    if !has("xmllint", "--version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("interval-1.xsd");
    std::fs::write(&own, INTERVAL_SCHEMA).unwrap();
    // Both schemas at once: the standard's alone takes whatever is embedded.
    let standard = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA);
    let standard = standard.canonicalize().unwrap();
    let both = folder.path().join("both.xsd");
    let text = format!(
        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">\
         <xs:import namespace=\"{NAMESPACE}\" schemaLocation=\"{}\"/>\
         <xs:import namespace=\"{INTERVAL_NAMESPACE}\" schemaLocation=\"interval-1.xsd\"/></xs:schema>",
        standard.display()
    );
    std::fs::write(&both, text).unwrap();
    let xml = write(&index()).unwrap();
    for schema in [&standard, &both] {
        let (valid, said) = xmllint(folder.path(), schema, &xml);
        assert!(valid, "{said}");
    }
    let text = String::from_utf8(xml).unwrap();
    for (from, to) in [
        ("VATIT-01234567890", "01234567890"),
        ("sincro:hashFunction", "hashFunction"),
        (
            "<sincro:RelevantDocument>Manuale di conservazione</sincro:RelevantDocument>",
            "",
        ),
        ("soggetto produttore", "produttore"),
        ("saltHash=\"03", "saltHash=\"0X"),
        ("treeSize=\"10\"", "treeSize=\"-1\""),
    ] {
        assert!(text.contains(from), "{from}");
        let (valid, _) = xmllint(folder.path(), &both, text.replace(from, to).as_bytes());
        assert!(!valid, "{from} to {to} is found valid");
        let twin = text.replace(from, to);
        assert!(read(twin.as_bytes()).is_err(), "{from} to {to} is read");
    }
}

#[test]
fn the_same_index_is_the_same_bytes_and_is_read_back() {
    let index = index();
    let bytes = write(&index).unwrap();
    assert_eq!(bytes, write(&index).unwrap());
    assert_eq!(read(&bytes).unwrap(), index);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<sincro:PIndex "));
    assert!(text.ends_with("</sincro:PIndex>\n"));
    let hash = "01".repeat(32);
    assert!(text.contains(&format!(
        "<sincro:Hash sincro:hashFunction=\"SHA-256\">{hash}</sincro:Hash>"
    )));
}

#[test]
fn what_the_standard_or_safety_does_not_allow_is_not_written() {
    for path in [
        "",
        "/etc/passwd",
        "../x",
        "a//b",
        "a/./b",
        "a/..",
        "m@example",
        "a b",
        "<m1@x>",
        "è",
    ] {
        assert_eq!(
            PackagePath::try_from(path),
            Err(ValueError::Path(path.into()))
        );
    }
    let nobody = Agent::new(Vec::new(), AgentName::Organization("X".into()), Vec::new());
    assert_eq!(nobody, Err(ValueError::NoDocument("X".into())));
    assert_eq!(
        Hash::new(HashFunction::Sha512, vec![0; 32]),
        Err(ValueError::Hash(32))
    );
    for text in ["", "a\nb", "a\u{0}b", "\u{ffff}"] {
        let mut index = index();
        index.application.name = text.into();
        let error = write(&index).unwrap_err();
        assert!(
            matches!(error, WriteError::Value(ValueError::Text(_))),
            "{error}"
        );
    }
    let mut none = index();
    none.groups.clear();
    assert!(matches!(
        write(&none),
        Err(WriteError::Empty("file groups"))
    ));
    let mut none = index();
    none.process.holders.clear();
    assert!(matches!(write(&none), Err(WriteError::Empty("holders"))));
    let mut late = index();
    late.process.time = UtcMillis::new(u64::MAX);
    assert!(matches!(write(&late), Err(WriteError::Time)));
}

#[test]
fn a_reader_refuses_with_the_place_and_never_follows_a_path_out() {
    let text = String::from_utf8(write(&index()).unwrap()).unwrap();
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        read(text.replace(from, to).as_bytes())
            .unwrap_err()
            .to_string()
    };
    let cases = [
        ("leaves.bin", "../../leaves.bin", "no path within a package"),
        ("sincro-v2/\"", "sincro-v3/\"", "not an index"),
        (
            "sincroVersion=\"2.0\"",
            "sincroVersion=\"2.1\"",
            "not an index",
        ),
        (
            "<sincro:PVolume>",
            "<sincro:Extra/><sincro:PVolume>",
            "expected PVolume, found Extra",
        ),
        ("SHA-512", "MD5", "hash function"),
        ("first=\"7\"", "first=\"07\"", "attribute first"),
        ("natural person", "legal person", "its kind"),
        ("<?xml", "<!DOCTYPE x [<!ENTITY y \"z\">]><?xml", "no XML"),
        ("</sincro:PIndex>", "", "no XML"),
        // What would not be written is not read.
        ("Linee Guida AgID", "Linee&#x7f;Guida", "its text"),
        ("\".jsonl\"", "\"&#9;jsonl\"", "control characters"),
        ("gestore.example/log", "&#x85;", "attribute origin"),
        (
            "2026-11-21T00:05:00.000Z",
            "9999-12-31T23:59:59-01:00",
            "its time",
        ),
    ];
    for (from, to, why) in cases {
        let said = refused(from, to);
        assert!(said.contains(why), "{said:?}, not {why:?}");
    }
    let declared = text.replacen("?>\n", "?>\n<!DOCTYPE x>\n", 1);
    assert!(matches!(read(declared.as_bytes()), Err(ReadError::Xml(_))));
    assert!(matches!(
        read(&vec![b' '; BYTES_MAX + 1]),
        Err(ReadError::TooLong(_))
    ));
    assert!(matches!(read(b"\xff"), Err(ReadError::Xml(_))));
}

proptest! {
    #[test]
    fn any_text_that_is_written_is_read_back(name in "\\PC{1,40}", number in any::<u64>()) {
        let mut index = index();
        index.process.laws = Some(name.clone());
        index.application.producer = name.clone();
        if let Some(interval) = &mut index.volume.interval {
            interval.origin = name;
            interval.first = number;
        }
        if let Ok(bytes) = write(&index) {
            prop_assert_eq!(read(&bytes).unwrap(), index);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes).is_err());
    }
}

#[test]
fn the_index_vector_is_reproduced() {
    let text = String::from_utf8(write(&index()).unwrap()).unwrap();
    is_vector("PIndex.xml", &text);
}
