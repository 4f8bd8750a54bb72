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

    /// The names and contents of its files.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut container = Container::open(Cursor::new(&self.made.octets)).unwrap();
        let names = container.names().into_iter();
        names
            .map(|name| {
                let octets = container.read(&name, 1 << 24).unwrap();
                (name, octets)
            })
            .collect()
    }

    /// That `verify` over a package or folder fails, and names the part where it says so.
    #[track_caller]
    fn is_red(&self, package: &str, part: &str, what: &str) {
        let output = verify(self.folder.path(), package);
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

#[test]
fn every_octet_of_a_container_that_is_altered_turns_verify_red_and_names_the_part() {
    let sealed = Sealed::new(Form::AsicE);
    let octets = &sealed.made.octets;
    let files = sealed.files();
    let (entries, directory) = entries(octets, &files);
    let mut random = ChaCha20Rng::seed_from_u64(20_260_112);
    let path = sealed.folder.path().join(&sealed.made.name);
    let alter = |at: usize, part: &str, random: &mut ChaCha20Rng| {
        std::fs::write(&path, altered(octets, at, random)).unwrap();
        sealed.is_red(&sealed.made.name, part, &format!("octet {at}"));
    };
    for ((name, _), range) in files.iter().zip(entries) {
        for _ in 0..EACH {
            alter(random.random_range(range.clone()), name, &mut random);
        }
    }
    // Of the directory a name may be altered itself.
    for _ in 0..40 {
        let at = random.random_range(directory..octets.len());
        alter(at, "container", &mut random);
    }
}

#[test]
fn every_octet_of_a_folder_that_is_altered_turns_verify_red_and_names_the_file() {
    let sealed = Sealed::new(Form::AsicE);
    let files = sealed.files();
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
