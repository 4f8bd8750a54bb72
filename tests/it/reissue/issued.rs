//! What the archive signs again is what it gave out, and nothing else: whatever seals by then, whoever has its keys.

use super::house::House;
use super::served::refused;
use super::*;
use crate::support::program::{cannot, out, status};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ceralacca::api::v1;
use ceralacca_evidence::asic::{self, Container, Files};
use ceralacca_evidence::cades::{self, Content};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::proof::ProofFile;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use std::io::Cursor;
use tonic::{Code, Status};
use v1::reissue_client::ReissueClient;

#[test]
fn a_package_sealed_by_a_key_that_was_replaced_since_is_completed_under_the_new_one() {
    let house = House::new();
    let id = house.transaction.identificativo.clone();
    let output = house.package(&id, &["--whole-transaction", "--out", "p.asice"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let house = house.resealed(false);
    house.seal();
    let output = house.run(&["complete", "p.asice", "--out", "c.asice"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let output = house.verify("c.asice");
    let text = out(&output);
    assert_eq!(status(&output), 0, "{text}");
    for part in ["META-INF/signature001.p7s", "META-INF/signature002.p7s"] {
        let line = text.lines().find(|line| line.contains(part));
        assert!(line.unwrap().starts_with("ok"), "{text}");
    }
}

#[test]
fn a_package_stamped_by_an_authority_that_closed_intervals_before_is_completed_under_another() {
    let house = House::new();
    house.seal();
    house.put("dopo@pec.example");
    let output = house.package("dopo@pec.example", &["--out", "p.asice"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let house = house.resealed(true);
    house.seal();
    let output = house.run(&["complete", "p.asice", "--out", "c.asice"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let output = house.verify("c.asice");
    assert_eq!(status(&output), 0, "{}", out(&output));
}

/// What `complete` asks for a package.
fn request(octets: &[u8]) -> v1::CompletePackageRequest {
    let mut container = Container::open(Cursor::new(octets)).unwrap();
    let verified = asic::verify(&mut container).unwrap();
    let last = verified.signed.last().unwrap();
    let names = container.names().into_iter();
    let stems = names.filter_map(|name| name.strip_suffix(".tlog-proof").map(str::to_owned));
    let stems = stems.filter(|stem| !stem.starts_with("proof/material/"));
    let records: Vec<_> = stems
        .map(|stem| {
            let proof = container.read(&format!("{stem}.tlog-proof"), 1 << 20);
            v1::PackageRecord {
                index: ProofFile::parse(&proof.unwrap()).unwrap().index.get(),
                stem,
            }
        })
        .collect();
    v1::CompletePackageRequest {
        manifest: last.octets.clone().into(),
        signature: last.signature.clone().into(),
        records,
        file_name: "c.asice".to_owned(),
        form: v1::PackageForm::Asice.into(),
        ..v1::CompletePackageRequest::default()
    }
}

fn complete(house: &House, request: v1::CompletePackageRequest) -> Result<usize, Status> {
    let address = house.address();
    house.runtime.block_on(async {
        let mut client = ReissueClient::connect(address).await.unwrap();
        let mut parts = client.complete_package(request).await?.into_inner();
        let mut count = 0;
        while parts.message().await?.is_some() {
            count += 1;
        }
        Ok(count)
    })
}

/// The block that lists a file in a manifest.
fn block<'m>(manifest: &'m str, name: &str) -> &'m str {
    let begin = manifest
        .find(&format!("  <asic:DataObjectReference URI=\"{name}\""))
        .unwrap();
    let end = "</asic:DataObjectReference>\n";
    let length = manifest[begin..].find(end).unwrap() + end.len();
    &manifest[begin..begin + length]
}

#[test]
fn whoever_has_the_seal_key_itself_gets_nothing_signed_that_this_log_did_not_give_out() {
    let house = House::new();
    let id = house.transaction.identificativo.clone();
    for name in ["p.asice", "q.asice"] {
        let output = house.package(&id, &["--whole-transaction", "--out", name]);
        assert_eq!(status(&output), 0, "{output:?}");
    }
    let nothing = house.path().join("n.asice");
    house.seal();
    let output = house.package("mai@pec.example", &["--out", "n.asice"]);
    assert_eq!(status(&output), 1, "{output:?}");
    let read = |name: &str| std::fs::read(house.path().join(name)).unwrap();
    let own = request(&read("p.asice"));
    let manifest = String::from_utf8(own.manifest.to_vec()).unwrap();
    let sealing = house.sealing();
    let now = UtcMillis::new(house.clock.now());
    let other = Sealing::named(&house.clock, true, "altra");
    let signed = |manifest: &str, seal: &Sealing, tsa: &Sealing| {
        let content = Content::detached(manifest.as_bytes());
        let signed = cades::sign_stamped(content, now, &*seal.seal, &*tsa.tsa);
        v1::CompletePackageRequest {
            manifest: manifest.as_bytes().to_vec().into(),
            signature: signed.unwrap().0.into(),
            ..own.clone()
        }
    };
    let by_the_key = |manifest: &str| signed(manifest, sealing, sealing);
    let size = house.size();
    let is_refused = |what: &str, request: v1::CompletePackageRequest| {
        let answer = complete(&house, request);
        println!("{what}");
        refused(answer, Code::InvalidArgument, "OTHER_PACKAGE");
    };
    // Another file in the place of one, one more, one less, in another order: well signed and stamped by the key itself.
    let pages = block(&manifest, "relazione.pdf");
    let digest = pages.split("DigestValue>").nth(1).unwrap();
    let digest = digest.trim_end_matches("</ds:");
    let forged = STANDARD.encode(Sha256::of(b"altro").as_bytes());
    is_refused(
        "another file",
        by_the_key(&manifest.replace(digest, &forged)),
    );
    let more = pages.replace("relazione.pdf", "altra.pdf");
    is_refused(
        "a file more",
        by_the_key(&manifest.replace(pages, &format!("{pages}{more}"))),
    );
    is_refused("a file less", by_the_key(&manifest.replace(pages, "")));
    let text = block(&manifest, "LEGGIMI.txt");
    let swapped = manifest
        .replace(text, "")
        .replace(pages, &format!("{text}{pages}"));
    is_refused("another order", by_the_key(&swapped));
    is_refused(
        "renamed",
        by_the_key(&manifest.replace("relazione.pdf", "attestazione.pdf")),
    );
    // A file after the tag, no tag, the tag of another package.
    let tag = block(&manifest, "proof/rilascio.bin");
    is_refused(
        "after the tag",
        by_the_key(&manifest.replace(tag, &format!("{tag}{more}"))),
    );
    is_refused("no tag", by_the_key(&manifest.replace(tag, "")));
    let second = String::from_utf8(request(&read("q.asice")).manifest.to_vec()).unwrap();
    let second = block(&second, "proof/rilascio.bin");
    assert_ne!(second, tag, "each package has its own");
    is_refused(
        "the tag of another",
        by_the_key(&manifest.replace(tag, second)),
    );
    // The manifest itself: under another key, stamped by another authority, not stamped, signed over something else.
    is_refused("another key", signed(&manifest, &other, sealing));
    is_refused("another authority", signed(&manifest, sealing, &other));
    let bare = cades::sign(Content::detached(manifest.as_bytes()), now, &*sealing.seal);
    let bare = v1::CompletePackageRequest {
        signature: bare.unwrap().into(),
        ..own.clone()
    };
    is_refused("not stamped", bare);
    let elsewhere = v1::CompletePackageRequest {
        manifest: own.manifest.clone(),
        ..by_the_key("altro")
    };
    is_refused("over something else", elsewhere);
    // What else this key signed is no package.
    let none = request(&std::fs::read(&nothing).unwrap());
    let none = v1::CompletePackageRequest {
        records: own.records.clone(),
        ..none
    };
    is_refused("that nothing is held", none);
    // Records: not all of them, one twice, others, in the place of each other.
    let with = |change: &dyn Fn(&mut Vec<v1::PackageRecord>)| {
        let mut request = own.clone();
        change(&mut request.records);
        request
    };
    assert!(own.records.len() > 3);
    is_refused("a record less", with(&|records| drop(records.pop())));
    is_refused(
        "a record twice",
        with(&|records| records.push(records[0].clone())),
    );
    is_refused("another leaf", with(&|records| records[0].index += 2));
    is_refused(
        "two swapped",
        with(&|records| {
            let first = records[0].index;
            records[0].index = records[1].index;
            records[1].index = first;
        }),
    );
    is_refused(
        "another stem",
        with(&|records| records[0].stem = "proof/material/x".into()),
    );
    // Any octet of the manifest or of its signature.
    let mut random = ChaCha20Rng::seed_from_u64(20_261_122);
    for _ in 0..60 {
        for what in ["manifest", "signature"] {
            let mut request = own.clone();
            let octets = match what {
                "manifest" => &mut request.manifest,
                _ => &mut request.signature,
            };
            let mut altered = octets.to_vec();
            let at = random.random_range(0..altered.len());
            altered[at] ^= 1 << random.random_range(0..8);
            *octets = altered.into();
            is_refused(&format!("octet {at} of the {what}"), request);
        }
    }
    let shown = house.size() - size;
    // Where the records named are others, that they were shown is on record before it is refused.
    assert!(shown <= 2 * 3, "{shown}");
    assert!(
        complete(&house, own).unwrap() > 4,
        "and its own is completed"
    );
}

#[test]
fn a_completed_package_is_completed_again_only_as_it_was_given_out() {
    let house = House::new();
    let id = house.transaction.identificativo.clone();
    let output = house.package(&id, &["--whole-transaction", "--out", "p.asice"]);
    assert_eq!(status(&output), 0, "{output:?}");
    house.seal();
    let output = house.run(&["complete", "p.asice", "--out", "c.asice"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let octets = std::fs::read(house.path().join("c.asice")).unwrap();
    let mut container = Container::open(Cursor::new(&octets)).unwrap();
    assert!(container.read("proof/rilascio-002.bin", 64).is_ok());
    let output = house.run(&["complete", "c.asice", "--out", "d.asice"]);
    assert_eq!(status(&output), 1, "nothing is missing: {output:?}");
    // An altered package is not even sent.
    let mut altered = octets.clone();
    let at = altered.len() / 2;
    altered[at] ^= 1;
    std::fs::write(house.path().join("x.asice"), altered).unwrap();
    let output = house.run(&["complete", "x.asice", "--out", "d.asice"]);
    assert_eq!(status(&output), 2, "{output:?}");
    // One of another log is refused by this one.
    let other = House::new();
    let output = other.package(&id, &["--out", "p.asice"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let foreign = other.path().join("p.asice").display().to_string();
    cannot(
        &house.run(&["complete", &foreign, "--out", "d.asice"]),
        "OTHER_PACKAGE",
    );
}
