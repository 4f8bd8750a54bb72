//! Trust material: archived once, in force without a restart, and enough to reach every verdict again.

#![allow(
    clippy::disallowed_methods,
    reason = "a service is waited for in real time"
)]

use crate::support::tls::{Installation, Served};
use crate::support::{START_MS, master};
use ceralacca::archive::{Log, Settings};
use ceralacca_formats::canonical::{Integer, Text};
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::{CustodyRecord, Metadata, ObjectRecord};
use ceralacca_pec::judge::{Directories, Directory, Material, Times, Trust, judge};
use ceralacca_pec::{DigestAlgorithm, read};
use ceralacca_synthetic::mail::{Family, Message, PkiOptions, Postal};
use ceralacca_synthetic::pki::Keys;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const LOG: &str = "gestore-1";
/// The day of the messages, the one of notices of a day later, and the one before.
const THEIR_DAY: &str = "2025-11-21";
const DAY_AFTER: &str = "2025-11-22";
const DAY_BEFORE: &str = "2025-11-20";

fn postal() -> Postal {
    Postal::new(&PkiOptions::with_keys(Keys::P256), START_MS as i64).unwrap()
}

/// A directory of the providers of these messages.
fn ldif(postal: &Postal) -> String {
    let mut ldif = "version: 1\n\n".to_owned();
    for (index, provider) in postal.providers().iter().enumerate() {
        let name = provider.options().name;
        let hash = DigestAlgorithm::Sha1.of(provider.signer().certificate_der());
        ldif += &format!(
            "dn: providerName={name},o=postacert\nproviderName: {name}\nproviderCertificateHash: {}\n",
            hex::encode(hash.as_ref())
        );
        for domain in postal.managed_domains(index) {
            ldif += &format!("managedDomains: {domain}\n");
        }
        ldif += &format!("managedDomains: {}\n\n", provider.options().domain);
    }
    ldif
}

/// An installation with these anchors, and these directories by day.
fn installation(anchors: String, directories: &[(&str, &str)]) -> Installation {
    let installation = Installation::new(&[LOG]);
    std::fs::write(installation.path("anchors.pem"), anchors).unwrap();
    std::fs::create_dir(installation.path("igpec")).unwrap();
    for (day, ldif) in directories {
        std::fs::write(installation.path(&format!("igpec/igpec-{day}.ldif")), ldif).unwrap();
    }
    let tables = format!(
        "[development]\nplain_text = true\n[trust]\nanchors = [\"anchors.pem\"]\ndirectories = [\"igpec\"]\n\
         [[log]]\nid = \"{LOG}\"\n"
    );
    installation.configure("127.0.0.1:0", &tables);
    installation
}

/// Imports a message.
fn import(served: &Served, folder: &Path, message: &[u8]) {
    let name = format!("{}.eml", hex::encode(DigestAlgorithm::Sha1.of(message)));
    std::fs::write(folder.join(&name), message).unwrap();
    let output = served.command(folder, &["import", &name]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn messages(postal: &Postal) -> Vec<Message> {
    postal.one_of_each_type(Family::C)
}

type Records = BTreeMap<u64, (Kind, Metadata, Vec<u8>)>;

/// The records of a log that is at rest, with their contents.
fn records(installation: &Installation) -> Records {
    let log = Log::open(&installation.log(LOG), &master(), &Settings::default()).unwrap();
    let reader = log.reader();
    let state = reader.published();
    let mut records = BTreeMap::new();
    for index in 0..state.tip.size.get() {
        let opened = reader.record(&state, LeafIndex::new(index)).unwrap();
        let mut content = Vec::new();
        let take = |piece: &[u8]| content.extend_from_slice(piece);
        opened.content(reader.store(), take).unwrap();
        let metadata = opened.metadata().unwrap();
        records.insert(index, (opened.leaf.kind, metadata, content));
    }
    drop(state);
    log.stop().unwrap();
    records
}

/// The objects among them, in order.
fn objects(records: &Records) -> Vec<ObjectRecord> {
    let objects = records
        .values()
        .filter_map(|(_, metadata, _)| match metadata {
            Metadata::Object(object) => Some(object.clone()),
            _ => None,
        });
    objects.collect()
}

fn has_finding(object: &ObjectRecord, code: &str) -> bool {
    let mut findings = object.findings.iter();
    findings.any(|finding| finding.to_str() == Some(code))
}

fn has_level(object: &ObjectRecord, level: &str) -> bool {
    object.signature.as_ref().and_then(Text::to_str) == Some(level)
}

/// A directory as it was archived, taken for that of its day.
fn of_archive(octets: &[u8]) -> Arc<dyn Directories> {
    Arc::new(Arc::new(Directory::read(octets).unwrap()))
}

#[test]
fn every_verdict_is_reached_again_from_the_log_alone() {
    let folder = tempfile::tempdir().unwrap();
    let postal = postal();
    let installation = installation(
        postal.pki().root_pem(),
        &[(THEIR_DAY, &ldif(&postal)), (DAY_AFTER, &ldif(&postal))],
    );
    let mut served = installation.serve();
    let all = messages(&postal);
    for message in &all {
        import(&served, folder.path(), &message.bytes);
    }
    served.stop_and_check();
    let records = records(&served.installation);
    for object in objects(&records) {
        assert!(has_level(&object, "integral-trusted"), "{object:?}");
        for code in [
            "directory-missing",
            "directory-of-another-day",
            "not-in-directory",
            "domain-not-managed",
        ] {
            assert!(!has_finding(&object, code), "{object:?}");
        }
    }
    let integer = |value: Option<Integer>| value.unwrap().get();
    let mut reached = 0;
    for (kind, metadata, content) in records.values() {
        let Metadata::Object(ObjectRecord {
            signature: Some(level),
            ..
        }) = metadata
        else {
            continue;
        };
        let Metadata::Object(object) = metadata else {
            unreachable!()
        };
        assert_ne!(*kind, Kind::TrustMaterial);
        let set = u64::try_from(integer(object.trust)).unwrap();
        let Metadata::Custody(CustodyRecord::TrustSet { items }) = &records[&set].1 else {
            panic!("{:?}", records[&set].1);
        };
        let mut material = Material::default();
        for range in items {
            for index in range.first.get()..=range.last.get() {
                let (_, metadata, octets) = &records[&u64::try_from(index).unwrap()];
                let Metadata::Custody(CustodyRecord::TrustItem { what, day }) = metadata else {
                    panic!("{metadata:?}");
                };
                match what.to_str().unwrap() {
                    "anchor" => material.anchors.push(octets.clone()),
                    "directory" => {
                        let day = day.as_ref().unwrap().to_str().unwrap();
                        assert!([THEIR_DAY, DAY_AFTER].contains(&day), "{day}");
                        material.directories = Some(of_archive(octets));
                    }
                    other => panic!("{other}"),
                }
            }
        }
        let reading = read(content);
        let times = Times {
            received_ms: Some(integer(object.received_ms)),
        };
        let verdict = judge(&reading, &Trust::new(material).unwrap(), times);
        assert_eq!(verdict.level.word(), level.to_str().unwrap());
        let mut codes: Vec<_> = reading
            .findings
            .iter()
            .map(|finding| finding.code())
            .collect();
        codes.extend(verdict.grounds.iter().map(|ground| ground.code()));
        let recorded: Vec<_> = object
            .findings
            .iter()
            .map(|code| code.to_str().unwrap())
            .collect();
        assert_eq!(codes, recorded);
        reached += 1;
    }
    assert_eq!(reached, all.len());
}

#[test]
fn material_is_archived_once_and_a_new_piece_makes_a_new_set() {
    let material = |records: &Records| {
        let material = records
            .values()
            .filter(|(kind, _, _)| *kind == Kind::TrustMaterial);
        material
            .map(|(_, metadata, _)| metadata.clone())
            .collect::<Vec<_>>()
    };
    let sets = |material: &[Metadata]| {
        let is_set = |m: &&Metadata| matches!(m, Metadata::Custody(CustodyRecord::TrustSet { .. }));
        material.iter().filter(is_set).count()
    };
    let postal = postal();
    // A content of over 64 KiB is staged, and archived all the same.
    let large = ldif(&postal) + &"managedDomains: pec.other.example\n".repeat(4000);
    let first = installation(postal.pki().root_pem(), &[(DAY_BEFORE, &large)]);
    let mut served = first.serve();
    served.stop_and_check();
    let found = material(&records(&served.installation));
    assert_eq!((found.len(), sets(&found)), (3, 1), "{found:?}");

    served.start_again();
    served.stop_and_check();
    assert_eq!(material(&records(&served.installation)), found);

    let name = format!("igpec/igpec-{THEIR_DAY}.ldif");
    std::fs::write(served.installation.path(&name), ldif(&postal)).unwrap();
    served.start_again();
    served.stop_and_check();
    let found = material(&records(&served.installation));
    assert_eq!((found.len(), sets(&found)), (5, 2), "{found:?}");
}

#[test]
fn new_material_is_in_force_after_a_hangup_and_unusable_material_never_is() {
    let folder = tempfile::tempdir().unwrap();
    let (postal, other) = (postal(), postal());
    let mut served = installation(other.pki().root_pem(), &[(DAY_BEFORE, &ldif(&postal))]).serve();
    let messages = messages(&postal);
    let anchors = served.installation.path("anchors.pem");
    let hang_up = |served: &Served, pem: String, said: &str| {
        let log = || std::fs::read_to_string(served.installation.path("serve.log")).unwrap();
        let count = log().matches(said).count();
        std::fs::write(&anchors, pem).unwrap();
        served.hang_up();
        for _ in 0..200 {
            if log().matches(said).count() > count {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{said:?} never came: {}", log());
    };
    import(&served, folder.path(), &messages[0].bytes);
    let unusable = "-----BEGIN NOTHING-----\n".to_owned();
    hang_up(&served, unusable, "the former stays in force");
    import(&served, folder.path(), &messages[1].bytes);
    let root = postal.pki().root_pem();
    hang_up(&served, root, "new trust material is in force");
    import(&served, folder.path(), &messages[2].bytes);
    served.stop_and_check();

    let objects = objects(&records(&served.installation));
    let [first, second, third] = objects.as_slice() else {
        panic!("{objects:?}");
    };
    assert!(has_level(first, "integral-untrusted"), "{first:?}");
    assert!(has_level(second, "integral-untrusted"), "{second:?}");
    assert!(has_level(third, "integral-trusted"), "{third:?}");
    let set = |object: &ObjectRecord| object.trust.unwrap().get();
    assert_eq!(set(first), set(second));
    assert!(set(third) > set(second));
    // Only the directory of the day before is at hand.
    assert!(has_finding(third, "directory-of-another-day"), "{third:?}");
}

#[test]
fn a_directory_that_is_none_or_of_no_day_keeps_the_service_from_starting() {
    let postal = postal();
    let root = || postal.pki().root_pem();
    let line = |directories: &[(&str, &str)]| {
        let output = installation(root(), directories).serve_in_vain();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let found = line(&[(THEIR_DAY, "no directory\n")]);
    assert!(found.contains("names no provider"), "{found}");
    let found = line(&[("of-today", &ldif(&postal))]);
    assert!(found.contains("its name holds no day"), "{found}");
    let found = line(&[(THEIR_DAY, &ldif(&postal)), ("20251121", &ldif(&postal))]);
    assert!(found.contains("is of the same day as"), "{found}");
}
