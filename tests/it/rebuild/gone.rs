//! A log of which a class was disposed of, some of it kept by a hold, and of which an object was erased: it comes back as
//! it was, and nothing else may be missing.

use super::same::table;
use super::*;
use crate::disposal::{House, Known, RECEIPTS, held};
use crate::gone::erase;
use ceralacca::archive::Settings;
use ceralacca::audit::ReadError;
use ceralacca::disposal::Step;
use ceralacca::record::open::RecordError;
use ceralacca::store::cf::Family;
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::export::{Exported, Manifest};

/// Receipts that a hold kept: a small one, and the large one.
const HELD: [usize; 2] = [1, RECEIPTS - 1];

struct Emptied {
    house: tempfile::TempDir,
    settings: Settings,
    now: u64,
    known: Known,
    exported: tempfile::TempDir,
    /// What an export came to before anything was gone, and after.
    before: [export::Summary; 2],
    after: [export::Summary; 2],
    erasure: LeafIndex,
    size: TreeSize,
}

impl Emptied {
    fn path(&self) -> PathBuf {
        self.house.path().join("log")
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.exported.path().join(name)
    }

    fn rebuild(&self, from: &From<'_>, data: &Path) -> Result<Rebuilt, RebuildError> {
        let or = |given: Option<&Path>, name| given.map_or(self.folder(name), Path::to_owned);
        let packages = [from
            .packages
            .map_or(self.path().join("packages"), Path::to_owned)];
        let note = outside::read_checkpoint(&self.path()).unwrap().unwrap();
        let sources = Sources {
            packages: &packages,
            contents: &or(from.contents, "contents"),
            secrets: &or(from.secrets, "secrets"),
            known: &[("prova".to_owned(), note)],
        };
        rebuild::rebuild(&sources, data, &master(), &self.settings, &|_, _| {})
    }

    /// The object of another interval, which is all it has.
    fn other(&self) -> (IntervalId, LeafIndex) {
        let is_other =
            |key: &[u8], _: &[u8]| key[0] == 4 && !key[1..].starts_with(&self.interval());
        let secrets = table(&self.path(), Family::Secret, is_other);
        let [key] = &secrets.into_keys().collect::<Vec<_>>()[..] else {
            panic!("one object in the other intervals")
        };
        let number = |at: usize| u64::from_be_bytes(key[at..at + 8].try_into().unwrap());
        (IntervalId::new(number(1)), LeafIndex::new(number(11)))
    }

    fn interval(&self) -> [u8; 8] {
        self.known.interval.get().to_be_bytes()
    }
}

fn make() -> Emptied {
    let mut house = House::new();
    let exported = tempfile::tempdir().unwrap();
    let contents = exported.path().join("contents");
    let early = copied(&house.path());
    let before = write_export(early.path(), &contents, &exported.path().join("old"));
    copy(
        &early.path().join("packages"),
        &exported.path().join("packages"),
    );
    house.settings.authorities = Some(house.authorities());
    let house = house.reopen();
    for number in HELD {
        held::hold(&house, house.known.receipts[number].0);
    }
    house.ready();
    house.run();
    let erasure = erase(&house.log, house.known.content.0).unwrap();
    house.log.stop().unwrap();
    let size = house.log.reader().published().tip.size;
    let House {
        directory,
        clock,
        settings,
        known,
        log,
        ..
    } = house;
    drop(log);
    let path = directory.path().join("log");
    let after = write_export(&path, &contents, &exported.path().join("secrets"));
    Emptied {
        house: directory,
        settings,
        now: clock.now(),
        known,
        exported,
        before,
        after,
        erasure,
        size,
    }
}

fn emptied() -> &'static Emptied {
    static EMPTIED: OnceLock<Emptied> = OnceLock::new();
    EMPTIED.get_or_init(make)
}

const ALL: fn(&[u8], &[u8]) -> bool = |_, _| true;

/// That a rebuilt log has the rows of what is gone, of what was kept of it, and of all that stays.
fn has_the_same_rows(path: &Path) {
    for family in [
        Family::Disposal,
        Family::Erasure,
        Family::Held,
        Family::Hold,
        Family::Secret,
        Family::Content,
        Family::Chunk,
        Family::Interval,
    ] {
        let expected = table(&emptied().path(), family, ALL);
        assert_eq!(table(path, family, ALL), expected, "{}", family.name());
        let empty = family == Family::Chunk;
        assert_eq!(expected.is_empty(), empty, "{}", family.name());
    }
    let size = emptied().size;
    for family in [Family::Leaf, Family::Index, Family::Metadata] {
        let old = table(&emptied().path(), family, ALL);
        let new = table(path, family, super::same::below(size, 0));
        assert!(old.keys().eq(new.keys()), "{}", family.name());
    }
    let clock = |key: &[u8], _: &[u8]| key == [8];
    let old = table(&emptied().path(), Family::State, clock);
    assert_eq!((old.len(), &table(path, Family::State, clock)), (1, &old));
    let (old, new) = (check_directory(&emptied().path()), check_directory(path));
    assert!(old.is_clean(), "{:?}", old.damages);
    assert!(new.is_clean(), "{:?}", new.damages);
    assert_eq!(
        (new.disposed, new.erased),
        ((RECEIPTS - HELD.len()) as u64, 1)
    );
    assert_eq!(new.records, old.records + 2);
    assert_eq!((new.disposed, new.erased), (old.disposed, old.erased));
}

#[test]
fn the_rows_of_what_is_gone_and_of_what_a_hold_kept_of_it_come_back() {
    let data = tempfile::tempdir().unwrap();
    let rebuilt = emptied().rebuild(&From::default(), data.path()).unwrap();
    assert_eq!(rebuilt.gone, RECEIPTS as u64 + 1);
    let all = rebuilt.lines + rebuilt.rows + rebuilt.gone;
    assert_eq!(all, emptied().size.get());
    has_the_same_rows(&directory(data.path()));
    let folder = |path: &Path| {
        let folder = path
            .join("packages")
            .join(emptied().known.interval.to_string());
        let names = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(folder(&directory(data.path())), folder(&emptied().path()));
}

#[test]
fn what_is_gone_what_was_kept_and_all_else_is_answered_as_before_and_disposal_goes_on() {
    let Emptied {
        known, settings, ..
    } = emptied();
    let data = tempfile::tempdir().unwrap();
    emptied().rebuild(&From::default(), data.path()).unwrap();
    let before = copied(&emptied().path());
    let clock = MovableClock::at(emptied().now);
    let settings = Settings {
        clock: Arc::clone(&clock) as _,
        ..settings.clone()
    };
    let old = Log::open(before.path(), &master(), &settings).unwrap();
    let new = Log::open(&directory(data.path()), &master(), &settings).unwrap();
    let (one, other) = (old.reader(), new.reader());
    let (then, now) = (one.published(), other.published());
    let mut gone = 0;
    for number in 0..emptied().size.get() {
        let index = LeafIndex::new(number);
        match (one.record(&then, index), other.record(&now, index)) {
            (Ok(a), Ok(b)) => {
                assert_eq!((a.leaf, &a.canonical), (b.leaf, &b.canonical));
                assert_eq!(a.opening.as_bytes(), b.opening.as_bytes());
                b.content(other.store(), |_| {}).unwrap();
            }
            (Err(ReadError::Record(a)), Err(ReadError::Record(b))) => {
                let told = matches!(b, RecordError::Disposed { .. } | RecordError::Erased { .. });
                assert!(told, "{b}");
                assert_eq!(a.to_string(), b.to_string());
                gone += 1;
            }
            (a, b) => panic!("leaf {index}: {:?}, {:?}", a.err(), b.err()),
        }
        let size = emptied().size;
        let path = one.inclusion(&then, index, size).unwrap();
        assert_eq!(other.inclusion(&now, index, size).unwrap(), path);
    }
    assert_eq!(gone, RECEIPTS - HELD.len() + 1);
    let erased = other.record(&now, known.content.0).err().unwrap();
    let text = format!("was erased, as leaf {} says", emptied().erasure);
    assert!(erased.to_string().contains(&text), "{erased}");
    for (number, (index, bytes, id)) in known.receipts.iter().enumerate() {
        let [found, again] = [&old, &new].map(|log| search(log, Field::MessageId, id.as_bytes()));
        assert_eq!(found, again);
        assert_eq!(
            again,
            if HELD.contains(&number) {
                vec![index.get()]
            } else {
                vec![]
            }
        );
        if HELD.contains(&number) {
            let mut content = Vec::new();
            let opened = other.record(&now, *index).unwrap();
            let take = |piece: &[u8]| content.extend_from_slice(piece);
            opened.content(other.store(), take).unwrap();
            assert_eq!(content, *bytes);
        }
    }
    let unit = DisposalUnit {
        interval: known.interval,
        class: Class::Receipt,
        carried: 0,
    };
    let certificates = [&old, &new].map(|log| {
        let auditor = permit::<access::Erasures>("carla", Role::Auditor);
        let told = log.desk(&auditor).unwrap().erasure_of(known.content.0);
        let erased = told.unwrap().kept.certificate.unwrap();
        (log.disposer().certificate(unit).unwrap().unwrap(), erased)
    });
    assert_eq!(certificates[0], certificates[1]);
    old.stop().unwrap();
    // Once the holds are released, what they kept goes too.
    let house = House {
        directory: data,
        sealings: ["uno", "due"].map(|name| Sealing::named(&clock, true, name)),
        clock,
        settings,
        known: known.clone(),
        log: new,
    };
    for hold in ceralacca::holds::each(house.log.reader().store(), &keyring(&house.log)) {
        held::release(&house, hold.unwrap().hold);
    }
    house.ready();
    house.run();
    let state = house.log.reader().published();
    for number in HELD {
        let gone = house.log.reader().record(&state, known.receipts[number].0);
        let gone = gone.err().unwrap();
        assert!(matches!(
            gone,
            ReadError::Record(RecordError::Disposed { .. })
        ));
    }
    house.log.stop().unwrap();
    let path = directory(house.directory.path());
    drop(house.log);
    let report = check_directory(&path);
    assert!(report.is_clean(), "{:?}", report.damages);
    assert_eq!(report.disposed, RECEIPTS as u64);
}

#[test]
fn a_disposal_that_was_under_way_is_completed_by_the_log_that_was_rebuilt() {
    let house = House::new();
    house.ready();
    // The batch alone: files and tables of the class are still to be rewritten, and no leaf says so yet.
    let begun = house.advance().unwrap();
    assert_eq!(begun, Some((house.unit(), Step::FIRST)));
    house.log.stop().unwrap();
    let path = house.path();
    let House {
        directory: old,
        clock,
        settings,
        sealings,
        known,
        log,
    } = house;
    drop(log);
    let (contents, secrets) = (old.path().join("contents"), old.path().join("secrets"));
    write_export(&path, &contents, &secrets);
    let sources = Sources {
        packages: &[path.join("packages")],
        contents: &contents,
        secrets: &secrets,
        known: &[],
    };
    let data = tempfile::tempdir().unwrap();
    let rebuilt = rebuild::rebuild(&sources, data.path(), &master(), &settings, &|_, _| {});
    assert_eq!(rebuilt.unwrap().gone, RECEIPTS as u64);
    let log = Log::open(&directory(data.path()), &master(), &settings).unwrap();
    let house = House {
        directory: data,
        clock,
        settings,
        sealings,
        known,
        log,
    };
    assert_eq!(house.run().last(), Some(&(house.unit(), Step::Done)));
    let certificate = house.log.disposer().certificate(house.unit()).unwrap();
    assert!(certificate.is_some());
    house.log.stop().unwrap();
    let path = directory(house.directory.path());
    drop(house.log);
    let report = check_directory(&path);
    assert!(report.is_clean(), "{:?}", report.damages);
    assert_eq!(report.disposed, RECEIPTS as u64);
}

fn keyring(log: &Log) -> ceralacca::keyring::Keyring {
    let keyring = ceralacca::keyring::Keyring::open(log.reader().store(), &master(), &origin());
    keyring.unwrap().0
}

#[test]
fn older_copies_of_secrets_and_packages_bring_nothing_back_and_a_later_export_drops_what_is_gone() {
    let emptied = emptied();
    let [before, after] = [emptied.before[0], emptied.after[0]];
    assert_eq!(
        (before.kept, after.kept),
        (0, before.files - 5),
        "{before:?} {after:?}"
    );
    let names = std::fs::read_dir(emptied.folder("contents")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let interval = emptied.known.interval.to_string();
    let names: Vec<_> = names.filter(|name| name.starts_with(&interval)).collect();
    assert_eq!(names, [format!("{interval}-2.objects")]);
    let has = |folder: &str| {
        let rows = read(&emptied.folder(folder), SECRET).into_iter();
        let keys: Vec<_> = rows.map(|row| row.1).collect();
        let [class, objects] = [3, 4].map(|tag| unit(tag, Class::Receipt));
        (
            keys.contains(&class),
            keys.iter().any(|key| key.starts_with(&objects)),
        )
    };
    assert_eq!((has("old"), has("secrets")), ((true, true), (false, false)));
    let data = tempfile::tempdir().unwrap();
    let packages = emptied.folder("packages");
    let at_rest = |path: &Path| {
        path.join(&interval)
            .join("log-receipt-0001.jsonl.enc")
            .is_file()
    };
    assert!(at_rest(&packages));
    let from = From {
        packages: Some(&packages),
        secrets: Some(&emptied.folder("secrets")),
        ..From::default()
    };
    emptied.rebuild(&from, data.path()).unwrap();
    assert!(!at_rest(&directory(data.path()).join("packages")));
    has_the_same_rows(&directory(data.path()));
    // Secrets of before, with what was made since added: none of those that were destroyed comes back.
    let secrets = tempfile::tempdir().unwrap();
    copy(&emptied.folder("old"), secrets.path());
    let late = read(&emptied.folder("secrets"), SECRET);
    let size = late_size(secrets.path(), Exported::Secrets);
    alter(
        secrets.path(),
        &format!("secrets-{size}.rows"),
        Exported::Secrets,
        |rows| {
            let old: Vec<Vec<u8>> = rows.iter().map(|row| row.1.clone()).collect();
            rows.extend(late.into_iter().filter(|row| !old.contains(&row.1)));
        },
    );
    let from = From {
        secrets: Some(secrets.path()),
        ..From::default()
    };
    let data = tempfile::tempdir().unwrap();
    emptied.rebuild(&from, data.path()).unwrap();
    has_the_same_rows(&directory(data.path()));
}

const SECRET: u8 = 5;
const DISPOSAL: u8 = 10;
const HELD_ROW: u8 = 11;
const ERASURE: u8 = 12;

type Rows = Vec<(u8, Vec<u8>, Vec<u8>)>;

fn parse(octets: &[u8]) -> Rows {
    let mut rest = octets.strip_prefix(b"PECROWS1").unwrap();
    let mut rows = Vec::new();
    while let [code, k0, k1, v0, v1, v2, v3, after @ ..] = rest {
        let (key, after) = after.split_at(u16::from_be_bytes([*k0, *k1]).into());
        let (value, after) = after.split_at(u32::from_be_bytes([*v0, *v1, *v2, *v3]) as usize);
        rows.push((*code, key.to_vec(), value.to_vec()));
        rest = after;
    }
    rows
}

fn late_size(folder: &Path, exported: Exported) -> TreeSize {
    let octets = std::fs::read(folder.join("manifest.json")).unwrap();
    Manifest::parse(&octets, exported).unwrap().size
}

/// Rows of a code of the only file of an export of secrets.
fn read(folder: &Path, code: u8) -> Rows {
    let size = late_size(folder, Exported::Secrets);
    let octets = std::fs::read(folder.join(format!("secrets-{size}.rows"))).unwrap();
    let rows = parse(&octets).into_iter();
    rows.filter(|row| row.0 == code).collect()
}

/// Alters a file of rows together with the manifest that lists it.
fn alter(folder: &Path, name: &str, exported: Exported, change: impl FnOnce(&mut Rows)) {
    let path = folder.join(name);
    let mut rows = parse(&std::fs::read(&path).unwrap());
    change(&mut rows);
    let mut octets = b"PECROWS1".to_vec();
    for (code, key, value) in rows {
        octets.push(code);
        octets.extend((key.len() as u16).to_be_bytes());
        octets.extend((value.len() as u32).to_be_bytes());
        octets.extend(key);
        octets.extend(value);
    }
    std::fs::write(&path, &octets).unwrap();
    let manifest = folder.join("manifest.json");
    let listed = std::fs::read(&manifest).unwrap();
    let mut listed = Manifest::parse(&listed, exported).unwrap();
    let mut files = listed.files.iter_mut();
    let entry = files.find(|file| file.path == name).unwrap();
    (entry.bytes, entry.sha256) = (octets.len() as u64, Sha256::of(&octets));
    std::fs::write(&manifest, listed.to_bytes()).unwrap();
}

/// Refused with these words, where rows of contents and secrets are these; and nothing is left that opens.
fn refused(
    words: &[&str],
    contents: impl FnOnce(&mut Rows),
    secrets: impl FnOnce(&mut Rows),
    objects: bool,
) {
    let emptied = emptied();
    let [c, s] = ["contents", "secrets"].map(|name| copied(&emptied.folder(name)));
    let size = emptied.size;
    alter(
        c.path(),
        &format!("gone-{size}.rows"),
        Exported::Contents,
        contents,
    );
    alter(
        s.path(),
        &format!("secrets-{size}.rows"),
        Exported::Secrets,
        secrets,
    );
    if objects {
        let name = format!("{}.objects", emptied.other().0);
        alter(c.path(), &name, Exported::Contents, Vec::clear);
    }
    let from = From {
        contents: Some(c.path()),
        secrets: Some(s.path()),
        ..From::default()
    };
    let data = tempfile::tempdir().unwrap();
    let error = emptied.rebuild(&from, data.path()).unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    for word in words {
        assert!(text.contains(word), "{word} in {text}");
    }
    assert!(outside::check_format(&directory(data.path())).is_err());
}

/// Takes away the rows of a code whose keys begin so.
fn without(code: u8, begin: Vec<u8>) -> impl FnOnce(&mut Rows) {
    move |rows| {
        let count = rows.len();
        rows.retain(|row| row.0 != code || !row.1.starts_with(&begin));
        assert!(rows.len() < count, "nothing was taken away");
    }
}

fn unit(tag: u8, class: Class) -> Vec<u8> {
    let interval = emptied().interval();
    [&[tag][..], &interval, &class.code().to_be_bytes()].concat()
}

#[test]
fn a_secret_that_is_missing_without_a_leaf_is_named() {
    let interval = emptied().known.interval;
    let nothing = |_: &mut Rows| {};
    let class = format!("class trace of interval {interval}, which no leaf disposed of");
    refused(
        &[&class],
        nothing,
        without(SECRET, unit(3, Class::Trace)),
        false,
    );
    let named = [
        &*format!("disposal of class receipt of interval {interval}"),
        "no secret",
    ];
    refused(
        &named,
        nothing,
        without(SECRET, unit(6, Class::Receipt)),
        false,
    );
    let (other, index) = emptied().other();
    let key = [&[4][..], &other.get().to_be_bytes()].concat();
    let named = [&*format!("leaf {index} has no keys"), &other.to_string()];
    refused(&named, nothing, without(SECRET, key), false);
}

#[test]
fn a_row_of_what_is_gone_or_was_kept_of_it_that_is_missing_is_named() {
    let Emptied { known, .. } = emptied();
    let nothing = |_: &mut Rows| {};
    let receipts = unit(0, Class::Receipt);
    let of = |tag: u8| [&[tag][..], &receipts[1..]].concat();
    let disposal = format!("disposal of class receipt of interval {}", known.interval);
    let kept = known.receipts[HELD[0]].0;
    let record = |tag: u8| {
        let carried = 1u32.to_be_bytes();
        [&of(tag)[..], &carried, &kept.get().to_be_bytes()].concat()
    };
    let kept = format!("leaf {kept}, which a hold kept");
    let class = format!(
        "class receipt of interval {}, which no leaf",
        known.interval
    );
    let erased = known.content.0;
    let erasure = [&erased.get().to_be_bytes()[..], &[2]].concat();
    let object = format!("interval {}, leaf {erased}", known.interval);
    let cases: [(u8, Vec<u8>, &[&str]); 9] = [
        (DISPOSAL, of(2), &[&class]),
        (DISPOSAL, of(3), &[&disposal, "certificate"]),
        (DISPOSAL, of(4), &[&disposal, "not what its facts say"]),
        (DISPOSAL, vec![1], &["leaf ", "no row of the disposal"]),
        (HELD_ROW, of(1), &[&disposal, "not in force"]),
        (HELD_ROW, record(2), &[&disposal, &kept, "no row"]),
        (HELD_ROW, record(3), &[&disposal, &kept, "ends before"]),
        (HELD_ROW, of(4), &[&disposal, "by a term"]),
        (ERASURE, erasure, &[&object, "do not hold its object"]),
    ];
    for (code, key, named) in cases {
        refused(named, without(code, key), nothing, false);
    }
}

#[test]
fn rows_that_no_leaf_speaks_of_excuse_nothing() {
    // The class of the trace, under the intent of another: its secret is gone, and no leaf says so.
    let (gone, other) = (unit(2, Class::Receipt), unit(2, Class::Trace));
    let forge = |from: Vec<u8>, to: Vec<u8>, code| {
        move |rows: &mut Rows| {
            let like = rows
                .iter()
                .find(|row| row.0 == code && row.1.starts_with(&from));
            let (_, key, value) = like.unwrap().clone();
            let key = [&to[..], &key[from.len()..]].concat();
            rows.push((code, key, value));
        }
    };
    let named = format!(
        "disposal of class trace of interval {}",
        emptied().known.interval
    );
    refused(
        &[&named, "its intent does not name it"],
        forge(gone, other, DISPOSAL),
        without(SECRET, unit(3, Class::Trace)),
        false,
    );
    // An object, under the erasure of another.
    let (interval, index) = emptied().other();
    let erased = emptied().known.content.0.get().to_be_bytes();
    let key = [&[4][..], &interval.get().to_be_bytes()].concat();
    refused(
        &[&*format!("record {index}"), "says something else"],
        forge(
            [&erased[..], &[2]].concat(),
            [&index.get().to_be_bytes()[..], &[2]].concat(),
            ERASURE,
        ),
        without(SECRET, key),
        true,
    );
}
