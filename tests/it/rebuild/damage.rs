//! What is damaged or missing is named, and no usable log is left.

use super::*;
use ceralacca_formats::catalogue::Catalogue;
use ceralacca_formats::export::{Exported, Manifest};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};

/// Flips a bit of an octet, so far from the beginning (of ten).
fn flip(path: &Path, tenths: usize) {
    let mut octets = std::fs::read(path).unwrap();
    let at = (octets.len() - 1) * tenths / 10;
    octets[at] ^= 1;
    std::fs::write(path, octets).unwrap();
}

/// Refused with this in the line that says why, its causes included; and nothing is left that opens.
fn refused(from: &From<'_>, named: &[&str]) {
    let data = tempfile::tempdir().unwrap();
    let error = world().rebuild(from, data.path()).unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    for word in named {
        assert!(text.contains(word), "{word} in {text}");
    }
    let path = directory(data.path());
    assert!(outside::check_format(&path).is_err());
    assert!(Log::open(&path, &master(), &world().test.settings).is_err());
}

#[test]
fn every_damaged_file_of_a_package_is_named() {
    let interval = world().closed[0].to_string();
    for (name, tenths) in [
        ("log-trace-0001.jsonl.enc", 0),
        ("log-trace-0001.jsonl.enc", 5),
        ("log-trace-0001.jsonl.enc", 10),
        ("log-custody-0001.jsonl.enc", 9),
        ("map-trace.bin.enc", 5),
        ("salt-trace.bin.enc", 9),
        ("leaves.bin", 1),
        ("leaves.bin", 10),
        ("frontier.bin", 0),
        ("checkpoint", 9),
        ("checkpoint.tst", 5),
        ("evidence-tree.bin", 5),
        ("PIndex.xml.p7m", 5),
        ("package.ers", 5),
        ("contents.json", 5),
        ("closing.json", 5),
        ("catalogue.json", 5),
    ] {
        let copy = copied(&world().packages());
        let path = copy.path().join(&interval).join(name);
        flip(&path, tenths);
        let from = From {
            packages: Some(copy.path()),
            ..From::default()
        };
        // What closing.json commits to may be what is found first.
        let plain = name.strip_suffix(".enc").unwrap_or(name);
        let documents = ["closing.json", "catalogue.json", "contents.json"];
        match documents.contains(&name) {
            true => refused(&from, &[&interval]),
            false => refused(&from, &[plain]),
        }
    }
}

#[test]
fn every_damaged_file_of_an_export_is_named() {
    let size = world().size;
    let closed = world().closed[0];
    let state = sequencer::spans(
        &RocksStore::open(&outside::database_of(&world().test.path()), Mode::Read).unwrap(),
    );
    let spans = state.unwrap();
    let (cut, open) = (spans[3].id, spans[4].id);
    for name in [
        "manifest.json".to_owned(),
        format!("log-{size}.rows"),
        format!("{closed}.objects"),
        format!("{cut}-{size}.leaves"),
        format!("{cut}-{size}.records"),
        format!("{open}-{size}.records"),
    ] {
        for tenths in [0, 3, 10] {
            let copy = copied(&world().contents());
            flip(&copy.path().join(&name), tenths);
            let from = From {
                contents: Some(copy.path()),
                ..From::default()
            };
            // A leaf that is another gives another root; a row that is another does not open, by its interval.
            let interval = name.split(['.', '-']).next().unwrap();
            let named = match name.as_str() {
                "manifest.json" => "",
                name if name.starts_with("log") => "",
                _ => interval,
            };
            refused(&from, &[named]);
            if tenths == 3 {
                std::fs::remove_file(copy.path().join(&name)).unwrap();
                refused(
                    &From {
                        contents: Some(copy.path()),
                        ..From::default()
                    },
                    &[&name],
                );
            }
        }
    }
    let copy = copied(&world().secrets());
    let name = format!("secrets-{size}.rows");
    flip(&copy.path().join(&name), 5);
    let from = From {
        secrets: Some(copy.path()),
        ..From::default()
    };
    refused(&from, &[&name]);
}

#[test]
fn what_is_altered_together_with_what_lists_it_is_still_another_log() {
    let interval = world().closed[0].to_string();
    // Another package of the interval, consistent in itself: the leaf in the log names the first one.
    let copy = copied(&world().packages());
    let folder = copy.path().join(&interval);
    let octets = std::fs::read(folder.join("catalogue.json")).unwrap();
    let mut catalogue = Catalogue::parse(&octets).unwrap();
    let dropped = catalogue
        .files
        .iter()
        .position(|f| f.path.starts_with("schemas/"));
    catalogue.files.remove(dropped.unwrap());
    let octets = catalogue.to_bytes();
    std::fs::write(folder.join("catalogue.json"), &octets).unwrap();
    let closing = std::fs::read(folder.join("closing.json")).unwrap();
    let Metadata::Custody(CustodyRecord::IntervalClosed(mut closing)) =
        Metadata::parse(&closing).unwrap()
    else {
        panic!("a closing")
    };
    closing.catalogue = Sha256::of(&octets);
    let closing = Metadata::Custody(CustodyRecord::IntervalClosed(closing));
    std::fs::write(folder.join("closing.json"), closing.to_bytes()).unwrap();
    let from = From {
        packages: Some(copy.path()),
        ..From::default()
    };
    refused(&from, &[&interval, "another package than leaf"]);
    // Another object, listed as it is: it does not open, or is not what its leaf commits to.
    for tenths in [4, 8] {
        let copy = copied(&world().contents());
        let name = format!("{interval}.objects");
        flip(&copy.path().join(&name), tenths);
        let octets = std::fs::read(copy.path().join("manifest.json")).unwrap();
        let mut manifest = Manifest::parse(&octets, Exported::Contents).unwrap();
        let altered = Sha256::of(&std::fs::read(copy.path().join(&name)).unwrap());
        let entry = manifest.files.iter_mut().find(|file| file.path == name);
        entry.unwrap().sha256 = altered;
        std::fs::write(copy.path().join("manifest.json"), manifest.to_bytes()).unwrap();
        let from = From {
            contents: Some(copy.path()),
            ..From::default()
        };
        refused(&from, &[&interval]);
    }
}

#[test]
fn a_package_that_is_missing_or_too_many_is_named_and_another_master_key_opens_nothing() {
    let world = world();
    for interval in &world.closed {
        let copy = copied(&world.packages());
        std::fs::remove_dir_all(copy.path().join(interval.to_string())).unwrap();
        let from = From {
            packages: Some(copy.path()),
            ..From::default()
        };
        let named = format!("the package of interval {interval} is missing");
        refused(&from, &[&named]);
    }
    let copy = copied(&world.packages());
    let first = world.closed[0].to_string();
    super::copy(&world.packages().join(&first), &copy.path().join("altra"));
    let from = From {
        packages: Some(copy.path()),
        ..From::default()
    };
    refused(&from, &["a second package"]);
    let data = tempfile::tempdir().unwrap();
    let packages = [world.packages()];
    let (contents, secrets) = (world.contents(), world.secrets());
    let sources = Sources {
        packages: &packages,
        contents: &contents,
        secrets: &secrets,
        known: &[],
    };
    let other = ceralacca_formats::secret::MasterKey::from_bytes([7; 32]);
    let settings = &world.test.settings;
    let error = rebuild::rebuild(&sources, data.path(), &other, settings, &|_, _| {});
    let error = error.unwrap_err();
    assert!(error.to_string().contains("wrong master key"), "{error}");
}

#[test]
fn a_hold_that_was_taken_out_of_the_contents_is_missed() {
    let copy = copied(&world().contents());
    let name = format!("log-{}.rows", world().size);
    let octets = std::fs::read(copy.path().join(&name)).unwrap();
    // Every row but those of holds: what remains is well formed, and listed as it is.
    let (mut kept, mut rest, mut dropped) = (octets[..8].to_vec(), &octets[8..], 0);
    while let [code, k0, k1, v0, v1, v2, v3, ..] = *rest {
        let key = usize::from(u16::from_be_bytes([k0, k1]));
        let value = u32::from_be_bytes([v0, v1, v2, v3]) as usize;
        let (row, more) = rest.split_at(7 + key + value);
        match code {
            9 => dropped += 1,
            _ => kept.extend_from_slice(row),
        }
        rest = more;
    }
    assert_eq!(
        dropped, 4,
        "two that were set, one proposed to be released and released"
    );
    std::fs::write(copy.path().join(&name), &kept).unwrap();
    let octets = std::fs::read(copy.path().join("manifest.json")).unwrap();
    let mut manifest = Manifest::parse(&octets, Exported::Contents).unwrap();
    let entry = manifest
        .files
        .iter_mut()
        .find(|file| file.path == name)
        .unwrap();
    (entry.bytes, entry.sha256) = (kept.len() as u64, Sha256::of(&kept));
    std::fs::write(copy.path().join("manifest.json"), manifest.to_bytes()).unwrap();
    let from = From {
        contents: Some(copy.path()),
        ..From::default()
    };
    refused(&from, &["holds of the contents"]);
}
