//! Real messages, where a folder of them is named by `CERALACCA_SAMPLES`. They are not part of the project;
//! nothing of their contents is printed.

use ceralacca_pec::judge::{Ground, Level, Material, Times, Trust, cms, explain, judge};
use ceralacca_pec::{Reading, read};
use std::path::PathBuf;

/// Beginnings of the names of samples whose signature verifies: byte-exact as their provider sent them.
const GENUINE: [&str; 5] = [
    "a2014-",
    "b2018-ACCETTAZIONE",
    "b2018-CONSEGNA",
    "b2018-PC_Invio_File_7339338.b7ff4b0",
    "b2018-PC_Ricevuta_di_consegna_6782414.cd77e45",
];
/// Beginnings of the names of their twins that lost a space at the end of a line.
const STRIPPED: [&str; 2] = [
    "b2018-PC_Invio_File_7339338.06216bf",
    "b2018-PC_Ricevuta_di_consegna_6782414.bd32929",
];

/// The authority in the signature, taken for an anchor: its name constraints and dates are real ones.
fn trusted_by_the_authority_that_came_along(name: &str, reading: &Reading) {
    let certificates = cms::certificates(&reading.p7s().unwrap());
    let anchors = certificates.get(1..).unwrap_or_default().to_vec();
    if anchors.is_empty() {
        eprintln!("{name}: no authority came along");
        return;
    }
    let trust = Trust::new(Material {
        anchors,
        ..Material::default()
    });
    let verdict = judge(reading, &trust.unwrap(), Times::default());
    assert_eq!(
        verdict.level,
        Level::IntegralWeak,
        "{name}: {:?}",
        verdict.grounds
    );
    assert_eq!(verdict.chain.len(), 2, "{name}");
}

#[test]
fn real_signatures_are_integral_and_their_stripped_twins_broken() {
    let Some(folder) = std::env::var_os("CERALACCA_SAMPLES") else {
        eprintln!("NOT RUN: CERALACCA_SAMPLES is not set");
        return;
    };
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    let (mut genuine, mut stripped) = (0, 0);
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let reading = read(&bytes);
        let verdict = judge(&reading, &Trust::default(), Times::default());
        let why = explain(&bytes, &reading).map(|explanation| explanation.code());
        let codes: Vec<_> = verdict.grounds.iter().map(|ground| ground.code()).collect();
        eprintln!(
            "{name}: {} {:?} {codes:?} {why:?}",
            verdict.level, verdict.form
        );
        let starts = |all: &[&str]| all.iter().any(|start| name.starts_with(start));
        if starts(&GENUINE) {
            genuine += 1;
            let levels = [Level::IntegralUntrusted, Level::IntegralWeak];
            assert!(levels.contains(&verdict.level), "{name}");
            assert!(verdict.has(Ground::AnchorsMissing), "{name}");
            assert!(!verdict.has(Ground::FromDiffers), "{name}");
            assert!(!verdict.has(Ground::SigningTimeDiffers), "{name}");
            trusted_by_the_authority_that_came_along(&name, &reading);
        } else {
            assert!(!verdict.level.is_integral(), "{name}");
        }
        if starts(&STRIPPED) {
            stripped += 1;
            assert!(verdict.has(Ground::DigestDiffers), "{name}");
        }
    }
    assert!(genuine > 0 && stripped > 0);
}
