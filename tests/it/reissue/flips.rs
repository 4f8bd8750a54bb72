//! Octets of a package altered one at a time, drawn by a seed: `verify` turns red and names the part.
//!
//! The published list of octets that are not protected is empty (formats.md 17).

use super::*;
use crate::support::program::{out, status};
use ceralacca_evidence::asic::{Container, Files};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use std::io::Cursor;
use std::ops::Range;

/// Octets altered in each file.
const EACH: usize = 2;
/// Octets altered in the signature, which no digest covers.
const SIGNATURE: usize = 60;

struct Sealed {
    made: Made,
    folder: tempfile::TempDir,
}

impl Sealed {
    fn new(form: Form) -> Self {
        let court = Court::new();
        let transaction = court.transaction();
        court.put_all(&transaction.messages);
        court.seal();
        let asked = Wanted {
            form,
            ..of_transaction(&transaction)
        };
        let made = court.made(&asked);
        let folder = tempfile::tempdir().unwrap();
        court.hand_over(&made, folder.path());
        Self { made, folder }
    }

    #[track_caller]
    fn is_red(&self, package: &str, part: &str, what: &str) {
        is_red(self.folder.path(), package, part, what);
    }
}

/// That `verify` over a package or folder fails, and names the part where it says so.
#[track_caller]
fn is_red(folder: &Path, package: &str, part: &str, what: &str) {
    let output = verify(folder, package);
    let text = out(&output);
    assert_eq!(status(&output), 1, "{what}: {text}");
    let mut lines = text.lines().filter(|line| line.starts_with("FAILED"));
    // The part, not the name of the whole that stands on the first line.
    assert!(
        lines.any(|line| line.contains(part) && !line.ends_with(package)),
        "{what}: {part} is not named in {text}"
    );
    assert!(text.contains("NON VERIFICATO"), "{what}: {text}");
}

fn altered(octets: &[u8], at: usize, random: &mut ChaCha20Rng) -> Vec<u8> {
    let mut altered = octets.to_vec();
    altered[at] ^= 1 << random.random_range(0..8);
    altered
}

/// Where each entry of a ZIP stands, its header with it, by the names in their order; then where the directory begins.
fn entries(octets: &[u8], files: &[(String, Vec<u8>)]) -> (Vec<Range<usize>>, usize) {
    let mut at = 0;
    let mut entries = Vec::new();
    for (name, content) in files {
        let end = at + 30 + name.len() + content.len();
        assert_eq!(&octets[at..at + 4], b"PK\x03\x04", "{name}");
        entries.push(at..end);
        at = end;
    }
    (entries, at)
}

/// The names and contents of the files of a container.
fn files_of(octets: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut container = Container::open(Cursor::new(octets)).unwrap();
    let names = container.names().into_iter();
    names
        .map(|name| {
            let octets = container.read(&name, 1 << 24).unwrap();
            (name, octets)
        })
        .collect()
}

/// Alters octets of each file of a container in a folder with the anchors, and of its directory.
#[track_caller]
fn alter(folder: &Path, package: &str, each: usize, seed: u64) {
    let path = folder.join(package);
    let octets = std::fs::read(&path).unwrap();
    let files = files_of(&octets);
    let (entries, directory) = entries(&octets, &files);
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let one = |at: usize, part: &str, random: &mut ChaCha20Rng| {
        std::fs::write(&path, altered(&octets, at, random)).unwrap();
        is_red(folder, package, part, &format!("octet {at} of {package}"));
    };
    for ((name, _), range) in files.iter().zip(entries) {
        for _ in 0..each {
            one(random.random_range(range.clone()), name, &mut random);
        }
    }
    // Of the directory a name may be altered itself.
    for _ in 0..40 {
        let at = random.random_range(directory..octets.len());
        one(at, "container", &mut random);
    }
    std::fs::write(&path, &octets).unwrap();
}

#[test]
fn every_octet_of_a_container_that_is_altered_turns_verify_red_and_names_the_part() {
    let sealed = Sealed::new(Form::AsicE);
    alter(sealed.folder.path(), &sealed.made.name, EACH, 20_260_112);
}

#[test]
fn every_octet_of_a_plain_zip_that_is_altered_turns_verify_red_and_names_the_part() {
    let sealed = Sealed::new(Form::Zip);
    alter(sealed.folder.path(), &sealed.made.name, 1, 20_260_114);
}

/// What was completed, what says that nothing is held, a statement from the trace alone.
#[test]
fn every_octet_of_the_other_answers_that_is_altered_turns_verify_red_and_names_the_part() {
    let house = super::house::House::new();
    let id = house.transaction.identificativo.clone();
    house.put("sola@pec.example");
    let output = house.package(&id, &["--out", "p.asice"]);
    assert_eq!(status(&output), 0, "{output:?}");
    house.seal();
    let output = house.run(&["complete", "p.asice", "--out", "c.asice"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let output = house.package("sola@pec.example", &["--out", "s.asice"]);
    assert_eq!(status(&output), 0, "{output:?}");
    let output = house.package("mai@pec.example", &["--out", "n.asice"]);
    assert_eq!(status(&output), 1, "{output:?}");
    for (seed, package) in (20_260_115..).zip(["c.asice", "s.asice", "n.asice"]) {
        let output = house.verify(package);
        assert_eq!(status(&output), 0, "{package}: {}", out(&output));
        alter(house.path(), package, 1, seed);
    }
}

#[test]
fn every_octet_of_a_folder_that_is_altered_turns_verify_red_and_names_the_file() {
    let sealed = Sealed::new(Form::AsicE);
    let files = files_of(&sealed.made.octets);
    let root = sealed.folder.path().join("fuori");
    for (name, octets) in &files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, octets).unwrap();
    }
    let output = verify(sealed.folder.path(), "fuori");
    assert_eq!(status(&output), 0, "{}", out(&output));
    let mut random = ChaCha20Rng::seed_from_u64(20_260_113);
    for (name, octets) in &files {
        let count = match name.ends_with(".p7s") {
            true => SIGNATURE,
            false => EACH,
        };
        for _ in 0..count {
            let at = random.random_range(0..octets.len());
            std::fs::write(root.join(name), altered(octets, at, &mut random)).unwrap();
            sealed.is_red("fuori", name, &format!("octet {at} of {name}"));
        }
        std::fs::write(root.join(name), octets).unwrap();
    }
    // A file that is not there, and one too many.
    std::fs::write(root.join("aggiunta.eml"), b"x").unwrap();
    sealed.is_red("fuori", "aggiunta.eml", "a file too many");
    std::fs::remove_file(root.join("aggiunta.eml")).unwrap();
    let (first, octets) = &files[1];
    std::fs::remove_file(root.join(first)).unwrap();
    sealed.is_red("fuori", first, "a file is missing");
    std::fs::write(root.join(first), octets).unwrap();
    assert_eq!(status(&verify(sealed.folder.path(), "fuori")), 0);
}
