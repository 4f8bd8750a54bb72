//! What is disposed of is nowhere: the search of [`crate::gone`], over a class of an interval.

use super::*;
use crate::gone::search::{self, Markers};
use crate::gone::{Marked, both, stored_of, stretches};
use ceralacca::store::cf::chunk::UploadKey;
use ceralacca::store::cf::secret::{SecretKey, Secrets};
use ceralacca::store::cf::staging::Staging;
use ceralacca::store::{Batch, KeyRange, Order, Rows};
use ceralacca_formats::secret::RecordNonce;
use std::collections::BTreeSet;

/// Whatever of the first interval's receipts can be looked for: texts, wrapped secrets, ciphertexts, tokens, files.
fn markers(house: &House) -> Markers {
    let mut all = Markers::default();
    let known = &house.known;
    let interval = known.interval;
    for (number, (object, bytes, id)) in known.receipts.iter().enumerate() {
        let name = format!("receipt {number}");
        let marked = Marked {
            object: *object,
            facts: *object,
            interval,
            class: Class::Receipt,
        };
        all = both(&all, &stored_of(&house.log, &name, &marked, id));
        all.add(&format!("{name} body"), &bytes[..24]);
        all.add(&format!("{name} id"), id.as_bytes());
    }
    let store = house.log.reader().store();
    let secret = SecretKey::Class(interval, Class::Receipt);
    let wrapped = store.read::<Secrets>(&secret).unwrap().unwrap();
    all.add("class secret, wrapped", &wrapped);
    let package = house.path().join("packages").join(interval.to_string());
    let mut files = Vec::new();
    search::files(&package, &mut files);
    let of_class = files.iter().filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.contains("-receipt") && name.ends_with(".enc")
    });
    let mut found = 0;
    for path in of_class {
        let octets = std::fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        // Behind magic, class and interval, which the files of other classes begin with too.
        stretches(&mut all, name, &octets[18..]);
        found += 1;
    }
    assert!(
        found >= 2,
        "the log file of the class and its salt, at least"
    );
    all
}

#[test]
fn no_marker_of_what_was_disposed_of_is_left_anywhere() {
    let house = House::new();
    let goes = markers(&house);
    let mut stays = Markers::default();
    stays.add("receipt of another day", b"d@pec.example.test");
    stays.add("content", &house.known.content.1[..64]);
    let all = both(&goes, &stays);
    let folder = house.path();
    let before = search::everywhere(&house.log, &folder, &all);
    assert_eq!(
        before.names(),
        all.names(),
        "the search finds what is there"
    );
    for (name, place) in [
        ("receipt 0 body", "content of"),
        ("receipt 0 id", "record "),
        ("receipt 0 wrapped keys", ".sst"),
        ("receipt 1 part 1 midst", "raw db/"),
        ("receipt 6 part 2 midst", "raw db/"),
        ("class secret, wrapped", ".sst"),
    ] {
        assert!(before.is_in(name, place), "{name} in {place}: {before:?}");
    }
    let package = folder.join("packages");
    let package = package.join(house.known.interval.to_string());
    let octets = search::octets_of(&package);
    house.ready();
    house.run();
    let after = search::everywhere(&house.log, &folder, &all);
    assert_eq!(after.names(), stays.names(), "{after:#?}");
    // The receipts here are text that compresses to nothing: what falls is told by the files of the package.
    let left = search::octets_of(&package);
    assert!(left < octets, "{octets} octets before, {left} after");
    house.log.stop().unwrap();
    let after = search::in_files(&folder, &goes);
    assert_eq!(after.names(), BTreeSet::new(), "{after:#?}");
}

/// Whoever takes an upload and dies not gives it up late, or never: its row names it, in the family of uploads, and went
/// on doing so when its class was gone.
#[test]
fn an_upload_whose_leaf_never_came_goes_with_its_unit() {
    let house = House::new();
    let nonce = RecordNonce::from_bytes([0x5a; 16]);
    let upload = UploadKey {
        interval: house.known.interval,
        class: Class::Receipt,
        nonce,
    };
    let mut batch = Batch::new();
    batch.put::<Staging>(&upload, &());
    let store = house.log.reader().store();
    store.commit(&batch).unwrap();
    store.settle().unwrap();
    let mut markers = Markers::default();
    markers.add("upload", nonce.as_bytes());
    let before = search::in_files(&house.path(), &markers);
    assert!(before.is_in("upload", ".sst"), "{before:?}");
    house.ready();
    house.run();
    assert_eq!(
        store
            .rows::<Staging>(&KeyRange::all(), Order::Ascending)
            .count(),
        0
    );
    let after = search::in_files(&house.path(), &markers);
    assert_eq!(after.names(), BTreeSet::new(), "{after:?}");
}
