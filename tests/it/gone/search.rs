//! The search that shows that data is really gone: for each marker, everywhere it can be read, with the master key and
//! every surviving secret in hand.
//!
//! ```text
//! raw        every octet of every file of the log: tables, blobs, write-ahead logs, MANIFEST, OPTIONS, LOG, packages
//! frames     every zstd frame that begins anywhere in such a file, decompressed, with the dictionary and without
//! rows       every row of every family that opens under the keys that are left: metadata, contents, details
//! packages   every file of every package, decrypted as it is handed out
//! ```
//! A marker is looked for as it is; in lower case, as the index has texts; and in hexadecimal digits, as a program tells
//! keys to its operator.

use crate::support::{master, origin};
use ceralacca::archive::Log;
use ceralacca::erasures;
use ceralacca::holds;
use ceralacca::keyring::Keyring;
use ceralacca::record::open;
use ceralacca::seal::SealError;
use ceralacca::store::cf::Family;
use ceralacca::store::{KeyRange, Order};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::encrypt::Dictionary;
use ceralacca_formats::id::LeafIndex;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What is looked for, by name.
#[derive(Clone, Default)]
pub struct Markers(pub BTreeMap<String, Vec<u8>>);

impl Markers {
    pub fn add(&mut self, name: &str, octets: &[u8]) {
        assert!(
            octets.len() >= 8,
            "{name} is too short to be told from chance"
        );
        self.0.insert(name.to_owned(), octets.to_vec());
    }

    pub fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }
}

/// Where markers were found: name of the marker, and places.
#[derive(Debug, Default)]
pub struct Found(pub BTreeMap<String, BTreeSet<String>>);

impl Found {
    pub fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    pub fn is_in(&self, name: &str, place: &str) -> bool {
        let places = self.0.get(name);
        places.is_some_and(|places| places.iter().any(|found| found.contains(place)))
    }

    fn look(&mut self, markers: &Markers, octets: &[u8], place: &str) {
        for name in markers.among(octets) {
            let places = self.0.entry(name).or_default();
            places.insert(place.to_owned());
        }
    }
}

impl Markers {
    /// Names of the markers that stand in these octets, in any of their forms: one pass, whatever their number.
    fn among(&self, octets: &[u8]) -> BTreeSet<String> {
        let mut by_head: HashMap<[u8; 4], Vec<(&str, Vec<u8>)>> = HashMap::new();
        let mut begins = vec![false; 1 << 16];
        for (name, marker) in &self.0 {
            let [hex, upper] = [hex::encode(marker), hex::encode_upper(marker)];
            let lower = marker.to_ascii_lowercase();
            for form in [marker.clone(), lower, hex.into_bytes(), upper.into_bytes()] {
                let head = [form[0], form[1], form[2], form[3]];
                begins[usize::from(u16::from_be_bytes([head[0], head[1]]))] = true;
                by_head.entry(head).or_default().push((name, form));
            }
        }
        let mut found = BTreeSet::new();
        for (at, pair) in octets.windows(2).enumerate() {
            if !begins[usize::from(pair[0]) << 8 | usize::from(pair[1])] {
                continue;
            }
            let Some(head) = octets[at..].first_chunk::<4>() else {
                break;
            };
            for (name, form) in by_head.get(head).into_iter().flatten() {
                if octets[at..].starts_with(form) {
                    found.insert((*name).to_owned());
                }
            }
        }
        found
    }
}

pub fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// How many octets the files of a folder have.
pub fn octets_of(folder: &Path) -> u64 {
    let mut paths = Vec::new();
    files(folder, &mut paths);
    let sizes = paths.iter().filter_map(|path| std::fs::metadata(path).ok());
    sizes.map(|metadata| metadata.len()).sum()
}

/// Looks at the files alone: raw, and through every zstd frame.
pub fn in_files(folder: &Path, markers: &Markers) -> Found {
    let mut found = Found::default();
    let mut paths = Vec::new();
    files(folder, &mut paths);
    assert!(!paths.is_empty(), "nothing to search in");
    for path in paths {
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        // A file of the database may go between listing and reading.
        let Ok(octets) = std::fs::read(&path) else {
            continue;
        };
        found.look(markers, name.as_bytes(), &format!("name of {name}"));
        found.look(markers, &octets, &format!("raw {name}"));
        for plain in frames(&octets) {
            found.look(markers, &plain, &format!("frame {name}"));
        }
    }
    found
}

/// The plain octets of every zstd frame that begins in these.
fn frames(octets: &[u8]) -> Vec<Vec<u8>> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let mut plains = Vec::new();
    let begins = octets.windows(4).enumerate();
    let begins = begins.filter(|(_, window)| *window == MAGIC);
    for (at, _) in begins {
        for dictionary in Dictionary::ALL {
            if let Some(plain) = frame(&octets[at..], dictionary) {
                plains.push(plain);
            }
        }
    }
    plains
}

/// One frame, as far as it goes: what follows it is not looked at.
fn frame(octets: &[u8], dictionary: Dictionary) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut plain = Vec::new();
    let reader = zstd::Decoder::with_dictionary(octets, dictionary.bytes());
    let reader = reader.ok()?.single_frame();
    // What came before a damage counts too.
    let _ = reader.take(64 << 20).read_to_end(&mut plain);
    (!plain.is_empty()).then_some(plain)
}

/// The digests of what was opened, by name.
pub fn digests(opened: &open::Opened) -> [(&'static str, Vec<u8>); 3] {
    let opening = Sha256::of(opened.opening.as_bytes());
    [
        ("sha256", opened.content.sha256.as_bytes().to_vec()),
        ("blake3", opened.content.blake3.as_bytes().to_vec()),
        ("sha256 of the opening", opening.as_bytes().to_vec()),
    ]
}

/// Looks through everything that opens under the keys that are left, and at the files.
pub fn everywhere(log: &Log, folder: &Path, markers: &Markers) -> Found {
    let mut found = in_files(folder, markers);
    let store = log.reader().store();
    let (keyring, _) = Keyring::open(store, &master(), &origin()).unwrap();
    for family in Family::ALL {
        let place = format!("row of {}", family.name());
        for row in store.scan(*family, &KeyRange::all(), Order::Ascending) {
            let (key, value) = row.unwrap();
            found.look(markers, &key, &place);
            found.look(markers, &value, &place);
        }
    }
    let state = log.reader().published();
    for index in 0..state.tip.size.get() {
        let index = LeafIndex::new(index);
        let opened = match log.reader().record(&state, index) {
            Ok(opened) => opened,
            Err(error) => {
                let gone = matches!(
                    &error,
                    ceralacca::audit::ReadError::Record(
                        open::RecordError::Erased { .. } | open::RecordError::Disposed { .. }
                    )
                );
                assert!(gone, "record {index}: {error}");
                continue;
            }
        };
        found.look(markers, &opened.canonical, &format!("record {index}"));
        let place = format!("hashes of {index}");
        found.look(markers, opened.opening.as_bytes(), &place);
        for (_, digest) in digests(&opened) {
            found.look(markers, &digest, &place);
        }
        let mut content = Vec::new();
        let take = |piece: &[u8]| content.extend_from_slice(piece);
        opened.content(store, take).unwrap();
        found.look(markers, &content, &format!("content of {index}"));
        if let Ok(Some(kept)) = erasures::find(store, &keyring, index) {
            let text = format!("{kept:?}");
            found.look(markers, text.as_bytes(), "details of an erasure");
            let certificate = kept.certificate.unwrap_or_default();
            found.look(markers, &certificate, "certificate");
        }
    }
    for kept in holds::each(store, &keyring) {
        let text = format!("{:?}", kept.unwrap());
        found.look(markers, text.as_bytes(), "details of a hold");
    }
    for span in state.spans.iter().filter(|span| span.closed.is_some()) {
        let package = log.sealer().package(span.id).unwrap().unwrap();
        for entry in &package.catalogue().files {
            // What a disposal took out of a package does not open.
            let Ok(Some(mut file)) = package.file(&entry.path) else {
                continue;
            };
            let mut octets = Vec::new();
            let read = file.each(|piece| {
                octets.extend_from_slice(piece);
                Ok::<(), SealError>(())
            });
            read.unwrap();
            found.look(markers, &octets, &format!("package {}", entry.path));
        }
    }
    found
}
