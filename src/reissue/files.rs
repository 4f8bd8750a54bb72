//! What lies in the package, in its order.
//!
//! ```text
//! 001-accettazione.eml            an object, its exact bytes
//! proof/001.tlog-proof            proof of its record, under the checkpoint of the interval once that is closed
//! proof/001.record.json           its leaf, opening, digests and canonical metadata: a line as in a log file
//! proof/001.leaf.bin  001.r.bin   the 64 bytes of the leaf, the 32 of the opening
//! proof/001.facts.…               the same of the trace record of its facts
//! proof/<interval>/…              checkpoint and its token, contents.json, PIndex.xml.p7m, package.ers, closing leaf
//! proof/material/SHA256.der …     what signatures were judged with: certificates, CRLs, OCSP answers, the directory of
//!                                 providers of the day (.ldif), each with the four files of its proof
//! proof/verify_proof.py           a program that verifies a proof, nothing of ours
//! relazione.pdf                   or attestazione.pdf: the same for people
//! proof/validation.json           the same for programs
//! LEGGIMI.txt                     how to check all of it with openssl and Python
//! ```

use super::closed::{Closed, Interval};
use super::facts::Item;
use crate::record::open::Opened;
use ceralacca_evidence::asic::Measured;
use ceralacca_formats::id::IntervalId;
use ceralacca_formats::log_file::Line;
use ceralacca_formats::proof::{ProofFile, ProvenMetadata};
use ceralacca_pages::VERIFY_PROOF;
use ceralacca_pages::model::{FileRole, PackageFile};

pub(super) const VERIFY: &str = "proof/verify_proof.py";
pub(super) const VALIDATION: &str = "proof/validation.json";
pub(super) const README: &str = "LEGGIMI.txt";

/// Where the octets of a file are.
pub(super) enum Octets {
    /// In memory.
    Held(Vec<u8>),
    /// The object of an item, by its place.
    Object(usize),
    /// The content of a record of the log.
    Kept(Box<Opened>),
}

/// A file of the package.
pub(super) struct File {
    pub(super) name: String,
    pub(super) media_type: &'static str,
    pub(super) role: FileRole,
    pub(super) measured: Measured,
    pub(super) octets: Octets,
}

impl File {
    pub(super) fn held(
        name: String,
        media_type: &'static str,
        role: FileRole,
        octets: Vec<u8>,
    ) -> Self {
        Self {
            name,
            media_type,
            role,
            measured: Measured::of(&octets),
            octets: Octets::Held(octets),
        }
    }

    /// As the report lists it.
    pub(super) fn listed(&self) -> PackageFile {
        PackageFile {
            name: self.name.clone(),
            role: self.role,
            bytes: self.measured.bytes,
            sha256: self.measured.sha256.to_string(),
        }
    }
}

/// The folder of an interval in the package.
pub(super) fn folder_of(interval: IntervalId) -> String {
    format!("proof/{interval}")
}

/// The files of an item: the object first.
pub(super) fn of_item(place: usize, item: &Item, files: &mut Vec<File>) {
    if let (Some(name), Some(examined)) = (&item.file, &item.examined) {
        files.push(File {
            name: name.clone(),
            media_type: "message/rfc822",
            role: match examined.is_signed() {
                true => FileRole::Object,
                false => FileRole::UnsignedObject,
            },
            measured: examined.measured,
            octets: Octets::Object(place),
        });
    }
    for (stem, proof) in &item.proofs {
        of_proof(stem, proof, files);
    }
}

pub(super) fn of_proof(stem: &str, proof: &ProofFile, files: &mut Vec<File>) {
    const BINARY: &str = "application/octet-stream";
    let record = &proof.record;
    let mut put = |end: &str, media_type, octets| {
        let name = format!("{stem}.{end}");
        files.push(File::held(name, media_type, FileRole::Proof, octets));
    };
    put("tlog-proof", "text/plain", proof.to_text().into_bytes());
    if let ProvenMetadata::Bytes(canonical) = &record.metadata {
        let line = Line::Full {
            leaf: record.leaf,
            opening: record.opening,
            content: record.content,
            canonical,
        };
        let mut octets = Vec::new();
        line.write(&mut octets);
        put("record.json", "application/json", octets);
    }
    put("leaf.bin", BINARY, record.leaf.to_bytes().to_vec());
    put("r.bin", BINARY, record.opening.as_bytes().to_vec());
}

/// What proves an interval.
pub(super) fn of_interval(interval: &Interval, closed: &Closed, files: &mut Vec<File>) {
    let folder = folder_of(interval.span.id);
    for (name, octets) in &closed.files {
        let (media_type, role) = match *name {
            "checkpoint" => ("text/plain", FileRole::Stamped),
            "checkpoint.tst" => ("application/vnd.etsi.timestamp-token", FileRole::Token),
            "contents.json" => ("application/json", FileRole::Proof),
            "PIndex.xml.p7m" => ("application/pkcs7-mime", FileRole::Proof),
            _ => ("application/octet-stream", FileRole::Proof),
        };
        let name = format!("{folder}/{name}");
        files.push(File::held(name, media_type, role, octets.clone()));
    }
    of_proof(&format!("{folder}/closing"), &closed.closing, files);
}

/// A piece of trust material, with the proof that the log held it.
pub(super) fn of_material(
    name: String,
    opened: Opened,
    measured: Measured,
    proof: &ProofFile,
    files: &mut Vec<File>,
) {
    let (stem, _) = name.rsplit_once('.').unwrap_or((&name, ""));
    let stem = stem.to_owned();
    files.push(File {
        media_type: match name.ends_with(".ldif") {
            true => "text/plain",
            false => "application/octet-stream",
        },
        name,
        role: FileRole::Material,
        measured,
        octets: Octets::Kept(Box::new(opened)),
    });
    of_proof(&stem, proof, files);
}

/// The program.
pub(super) fn program() -> File {
    let octets = VERIFY_PROOF.as_bytes().to_vec();
    File::held(
        VERIFY.to_owned(),
        "text/x-python",
        FileRole::Program,
        octets,
    )
}
