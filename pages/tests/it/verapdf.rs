//! veraPDF's validation library, fetched by Maven with its default settings (tests/conformance/verapdf).

use crate::pdf::both;
use crate::tools::{found, run};
use ceralacca_pages::model::Language;
use std::path::{Path, PathBuf};
use std::process::Command;

fn judge() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/verapdf")
}

/// Where the library lies; fails in CI, and skips aloud elsewhere, when Maven cannot fetch it.
fn class_path(folder: &Path) -> Option<String> {
    let path = folder.join("class-path");
    let (ok, said) = run(Command::new("mvn")
        .args(["-q", "-B", "dependency:build-classpath"])
        .arg(format!("-Dmdep.outputFile={}", path.display()))
        .arg("-f")
        .arg(judge().join("pom.xml")));
    if ok {
        return Some(std::fs::read_to_string(path).unwrap());
    }
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!in_ci, "veraPDF was not fetched: {said}");
    eprintln!("SKIPPED: veraPDF was not fetched: {said}");
    None
}

#[test]
fn verapdf_finds_both_documents_to_be_pdf_a_3b_and_rejects_damaged_twins() {
    if !found(&["mvn", "java"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(class_path) = class_path(folder.path()) else {
        return;
    };
    let judged = |files: &[PathBuf]| {
        run(Command::new("java")
            .args(["-cp", &class_path])
            .arg(judge().join("Judge.java"))
            .args(files))
    };
    let mut good = Vec::new();
    let mut damaged = Vec::new();
    for language in [Language::It, Language::En] {
        for (name, pdf) in both(language) {
            let path = folder.path().join(format!("{language:?}-{name}"));
            std::fs::write(&path, &pdf).unwrap();
            good.push(path);
            for (from, to) in [
                (&b"<pdfaid:part>3<"[..], &b"<pdfaid:part>2<"[..]),
                (b"/FontFile2", b"/FontFilx2"),
                (b"/AFRelationship", b"/AFRelationshiq"),
            ] {
                let Some(at) = pdf.windows(from.len()).position(|octets| octets == from) else {
                    continue;
                };
                let twin = [&pdf[..at], &to[..from.len()], &pdf[at + from.len()..]].concat();
                let path = folder.path().join(format!("damaged-{}.pdf", damaged.len()));
                std::fs::write(&path, twin).unwrap();
                damaged.push(path);
            }
        }
    }
    let (ok, said) = judged(&good);
    assert!(ok, "{said}");
    assert_eq!(said.matches(": PDF/A-3b").count(), 4, "{said}");
    let (ok, said) = judged(&damaged);
    assert!(!ok, "{said}");
    assert!(damaged.len() >= 8);
    assert_eq!(
        said.matches(": not PDF/A-3b").count(),
        damaged.len(),
        "{said}"
    );
}
