//! What comes back is the same.

use super::*;
use ceralacca::seal::EvidenceGroup;
use ceralacca::store::Store;
use ceralacca::store::cf::Family;
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use ceralacca_formats::rotation::follow;
use std::collections::BTreeMap;

pub type Table = BTreeMap<Vec<u8>, Vec<u8>>;

pub fn table(path: &Path, family: Family, keep: impl Fn(&[u8], &[u8]) -> bool) -> Table {
    let store = RocksStore::open(&outside::database_of(path), Mode::Read).unwrap();
    let range = ceralacca::store::KeyRange::all();
    let rows = store.scan(family, &range, Order::Ascending);
    let rows = rows.map(|row| row.unwrap());
    let rows = rows.filter(|(key, value)| keep(key, value));
    rows.map(|(key, value)| (key.into_vec(), value.into_vec()))
        .collect()
}

/// Rows of records and leaves below a size: their index is the last eight bytes of the key, or before a part.
pub fn below(size: TreeSize, after: usize) -> impl Fn(&[u8], &[u8]) -> bool {
    move |key, _| {
        let end = key.len() - after;
        let index: [u8; 8] = key[end - 8..end].try_into().unwrap();
        u64::from_be_bytes(index) < size.get()
    }
}

#[test]
fn leaves_tiles_indexes_intervals_checkpoints_contents_and_secrets_are_the_same_rows() {
    let world = world();
    let data = tempfile::tempdir().unwrap();
    let rebuilt = world.rebuild(&From::default(), data.path()).unwrap();
    assert_eq!(rebuilt.size, world.size);
    assert_eq!((rebuilt.packages, rebuilt.intervals), (3, 5));
    assert_eq!(rebuilt.known, Some(world.size));
    assert_eq!(rebuilt.lines + rebuilt.rows, world.size.get());
    // The epoch of the writer, then the restore.
    assert_eq!(rebuilt.restored.get(), world.size.get() + 1);
    let (old, new) = (world.test.path(), directory(data.path()));
    assert_eq!(rebuilt.directory, new);
    let size = world.size;
    let all = |_: &[u8], _: &[u8]| true;
    for family in [
        Family::Tile,
        Family::Content,
        Family::Chunk,
        Family::Staging,
        Family::Secret,
        Family::Idempotency,
        Family::LeafHash,
        Family::Interval,
        Family::Checkpoint,
        Family::Dictionary,
        Family::Hold,
    ] {
        let expected = table(&old, family, all);
        assert_eq!(table(&new, family, all), expected, "{}", family.name());
        let empty = [Family::Staging, Family::LeafHash].contains(&family);
        assert_eq!(expected.is_empty(), empty, "{}", family.name());
    }
    for family in [Family::Leaf, Family::Index] {
        let expected = table(&old, family, all);
        assert_eq!(
            table(&new, family, below(size, 0)),
            expected,
            "{}",
            family.name()
        );
        assert!(!expected.is_empty());
    }
    // Metadata has a row for each record; of those with keys of their own the same octets.
    let expected = table(&old, Family::Metadata, all);
    let found = table(&new, Family::Metadata, below(size, 0));
    assert!(expected.keys().eq(found.keys()));
    let own = |table: Table| -> Table { table.into_iter().filter(|(_, v)| v[1] == 1).collect() };
    let carried = found.values().filter(|value| value[1] == 2).count() as u64;
    assert_eq!(carried, rebuilt.lines);
    let own_expected = own(expected);
    assert!(own_expected.len() > 12);
    assert_eq!(own(found), own_expected);
    let report = check_directory(&new);
    assert!(report.is_clean(), "{:?}", report.damages);
    assert_eq!((report.leaves, report.holds), (size.get() + 2, 2));
}

#[test]
fn records_contents_proofs_and_evidence_are_the_same_octets_and_searches_find_the_same() {
    let world = world();
    let data = tempfile::tempdir().unwrap();
    world.rebuild(&From::default(), data.path()).unwrap();
    let before = copied(&world.test.path());
    let settings = &world.test.settings;
    let old = Log::open(before.path(), &master(), settings).unwrap();
    let new = Log::open(&directory(data.path()), &master(), settings).unwrap();
    let (one, other) = (old.reader(), new.reader());
    let (then, now) = (one.published(), other.published());
    let size = world.size;
    assert_eq!(old.verifier(), new.verifier());
    for number in 0..size.get() {
        let index = LeafIndex::new(number);
        let (a, b) = (
            one.record(&then, index).unwrap(),
            other.record(&now, index).unwrap(),
        );
        assert_eq!(
            (a.leaf, &a.canonical, a.content),
            (b.leaf, &b.canonical, b.content)
        );
        assert_eq!(a.opening.as_bytes(), b.opening.as_bytes());
        let bytes = |opened: &ceralacca::record::open::Opened, store| {
            let mut bytes = Vec::new();
            opened
                .content(store, |piece| bytes.extend_from_slice(piece))
                .unwrap();
            bytes
        };
        assert_eq!(bytes(&a, one.store()), bytes(&b, other.store()));
        let path = one.inclusion(&then, index, size).unwrap();
        assert_eq!(other.inclusion(&now, index, size).unwrap(), path);
    }
    for first in (0..size.get()).step_by(37) {
        let first = TreeSize::new(first);
        let path = one.consistency(&then, first, size).unwrap();
        assert_eq!(other.consistency(&now, first, size).unwrap(), path);
    }
    let rotations = one.rotations(&then, 0, 10, size).unwrap();
    assert_eq!(other.rotations(&now, 0, 10, size).unwrap(), rotations);
    let keys = follow(&world.first_key, &rotations).unwrap();
    assert_eq!(keys.current(), new.verifier());
    for interval in &world.closed {
        let package = |log: &Log| log.sealer().package(*interval).unwrap().unwrap();
        let (a, b) = (package(&old), package(&new));
        assert_eq!(a.catalogue_octets(), b.catalogue_octets());
        assert_eq!(a.closing(), b.closing());
        for entry in &a.catalogue().files {
            let octets = a.octets(&entry.path, 1 << 30).unwrap();
            assert_eq!(
                b.octets(&entry.path, 1 << 30).unwrap(),
                octets,
                "{}",
                entry.path
            );
        }
        let group = EvidenceGroup::Package;
        let (a, b) = (a.evidence(&group).unwrap(), b.evidence(&group).unwrap());
        assert_eq!(a.to_der(), b.to_der());
    }
    let terms: Vec<(Field, Vec<u8>)> = (0..size.get())
        .step_by(11)
        .flat_map(|number| {
            let opened = one.record(&then, LeafIndex::new(number)).unwrap();
            let mut terms = Vec::new();
            let metadata = opened.metadata().unwrap();
            metadata.each_term(|field, term| terms.push((field, term.to_vec())));
            terms
        })
        .collect();
    assert!(terms.len() > 300);
    for (field, term) in terms {
        let found = search(&old, field, &term);
        let again = search(&new, field, &term);
        // Each search is on record itself, beyond both.
        let there =
            |all: Vec<u64>| -> Vec<u64> { all.into_iter().filter(|i| *i < size.get()).collect() };
        assert_eq!(there(again), there(found), "{field:?}");
    }
    old.stop().unwrap();
    new.stop().unwrap();
}

#[test]
fn packages_as_they_were_handed_out_give_the_same_and_are_encrypted_again() {
    let world = world();
    let handed_out = tempfile::tempdir().unwrap();
    let before = copied(&world.test.path());
    let log = Log::open(before.path(), &master(), &world.test.settings).unwrap();
    for interval in &world.closed {
        let package = log.sealer().package(*interval).unwrap().unwrap();
        let to = handed_out.path().join(interval.to_string());
        for entry in &package.catalogue().files {
            let path = to.join(&entry.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, package.octets(&entry.path, 1 << 30).unwrap()).unwrap();
        }
        std::fs::write(to.join("catalogue.json"), package.catalogue_octets()).unwrap();
        let closing = Box::new(package.closing().clone());
        let closing = Metadata::Custody(CustodyRecord::IntervalClosed(closing));
        std::fs::write(to.join("closing.json"), closing.to_bytes()).unwrap();
        // Beside them lies what is in no catalogue.
        std::fs::write(to.join("closing.tlog-proof"), b"").unwrap();
    }
    log.stop().unwrap();
    let data = tempfile::tempdir().unwrap();
    let from = From {
        packages: Some(handed_out.path()),
        ..From::default()
    };
    let rebuilt = world.rebuild(&from, data.path()).unwrap();
    assert_eq!(rebuilt.size, world.size);
    let folder = directory(data.path()).join("packages");
    let folder = folder.join(world.closed[0].to_string());
    assert!(folder.join("log-trace-0001.jsonl.enc").is_file());
    assert!(!folder.join("log-trace-0001.jsonl").exists());
    assert!(!folder.join("closing.tlog-proof").exists());
    let report = check_directory(&directory(data.path()));
    assert!(report.is_clean(), "{:?}", report.damages);
}

#[test]
fn an_export_holds_no_plaintext_and_keeps_what_it_wrote_of_closed_intervals() {
    let world = world();
    let texts: [&[u8]; 3] = [b"nulla che si capisca", b"accettazione", b"@pec."];
    for folder in [world.contents(), world.secrets()] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let octets = std::fs::read(entry.unwrap().path()).unwrap();
            for text in texts {
                assert!(!octets.windows(text.len()).any(|window| window == text));
            }
        }
    }
    let to = copied(&world.contents());
    let secrets = tempfile::tempdir().unwrap();
    let [summary, _] = write_export(&world.test.path(), to.path(), secrets.path());
    assert_eq!(summary.kept, 3);
    assert_eq!(summary.size, world.size.get());
    let names = |folder: &Path| -> Vec<PathBuf> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| PathBuf::from(entry.unwrap().file_name()))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(to.path()), names(&world.contents()));
    for name in names(to.path()) {
        let one = std::fs::read(to.path().join(&name)).unwrap();
        assert_eq!(std::fs::read(world.contents().join(&name)).unwrap(), one);
    }
    // One that broke off before its manifest is begun again, and leaves nothing behind.
    std::fs::remove_file(to.path().join("manifest.json")).unwrap();
    std::fs::write(to.path().join("log-1.rows"), b"x").unwrap();
    let [summary, _] = write_export(&world.test.path(), to.path(), secrets.path());
    assert_eq!(summary.kept, 0);
    assert_eq!(names(to.path()), names(&world.contents()));
}
