//! The checks of the parts of a package.

use super::anchors::Anchors;
use super::tree::Node;
use crate::cli::show;
use anyhow::Result;
use ceralacca_evidence::asic::{AsicError, EvidenceRecordPart, Files, SignedPart, Verified};
use ceralacca_evidence::cades::{self, VerifyError};
use ceralacca_evidence::ers::{self, Coverage, DocumentHasher, EvidenceRecord, RecordError, Table};
use ceralacca_formats::digest::ContentHasher;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::log_file::Line;
use ceralacca_formats::metadata::Metadata;
use ceralacca_formats::proof::{ProofFile, ProvenMetadata};
use ceralacca_formats::rotation::KeyChain;
use ceralacca_pages::model::{Object, Outcome as Checked, Report};
use ceralacca_pec::exact;
use ceralacca_pec::judge::{Level, Times, Trust, judge};
use ceralacca_pec::tsp::{self, Token};
use std::io::{self, Write};

/// The longest part that is read whole, in bytes.
const PART_BYTES_MAX: u64 = 32 << 20;
const NO_ROOTS: &str = "no --roots given";
pub(super) const NO_KEY: &str = "no --key given";
/// Where trust material lies.
pub(super) const MATERIAL: &str = "proof/material/";
const REPORT: &str = "proof/validation.json";

/// A package, part by part.
pub(super) struct Parts<'a> {
    pub(super) files: &'a mut dyn Files,
    pub(super) verified: &'a Verified,
    pub(super) anchors: &'a Anchors,
    pub(super) keys: Option<&'a KeyChain>,
}

fn utc(ms: i64) -> String {
    show::utc(UtcMillis::new(u64::try_from(ms).unwrap_or_default()))
}

impl Parts<'_> {
    /// The signatures over the manifests, with their time-stamps.
    pub(super) fn signatures(&self) -> Vec<Node> {
        let signed = self.verified.signed.iter();
        signed.map(|part| self.signature(part).needed()).collect()
    }

    fn signature(&self, part: &SignedPart) -> Node {
        let content = Some(part.octets.as_slice());
        // Either may be the one that was altered.
        let both = format!("{} over {}", part.signature_name, part.manifest);
        self.cades(&both, &part.signature, content)
    }

    pub(super) fn cades(&self, name: &str, cms: &[u8], content: Option<&[u8]>) -> Node {
        let none = Trust::none();
        let roots = self.anchors.roots.as_ref();
        let trust = roots.unwrap_or(&none);
        match cades::verify(cms, content, trust, trust, self.anchors.now) {
            Ok(found) => {
                let signer = found.signature.signer.common_name.unwrap_or_default();
                let before = found.stamps.iter().map(|stamp| stamp.info.gen_ms).min();
                match (before, exact::check(cms, trust)) {
                    (Some(ms), Ok(())) => {
                        Node::good(name, format!("signed by {signer}, before {}", utc(ms)))
                    }
                    (None, _) => Node::bad(name, "it has no time-stamp"),
                    // No digest covers its octets: each must be as it was written.
                    (Some(_), Err(loose)) => Node::bad(name, loose.to_string()),
                }
            }
            Err(error) => match (roots, error) {
                (None, VerifyError::Signature(ceralacca_pec::cades::Refusal::Chain(_))) => {
                    Node::open(name, format!("integral; {NO_ROOTS}"))
                }
                _ => Node::bad(name, error.to_string()),
            },
        }
    }

    /// The tokens among the files, each over the file of its name.
    pub(super) fn tokens(&mut self) -> Result<Vec<Node>> {
        let names: Vec<String> = self.named(".tst");
        let mut nodes = Vec::new();
        for name in names {
            let covered = name.trim_end_matches(".tst").to_owned();
            let node = match (self.octets(&name)?, self.octets(&covered)?) {
                (Ok(token), Ok(octets)) => self.token(&name, &token, &octets),
                (Err(why), _) | (_, Err(why)) => Node::bad(name, why),
            };
            nodes.push(node.needed());
        }
        Ok(nodes)
    }

    fn token(&self, name: &str, token: &[u8], octets: &[u8]) -> Node {
        let none = Trust::none();
        let roots = self.anchors.roots.as_ref();
        let found = Token::read(token).and_then(|token| {
            let mut hasher = token.info().hasher();
            hasher.push(octets);
            token.verify(&hasher.finish(), roots.unwrap_or(&none), Times::default())
        });
        match (roots, found) {
            (_, Ok(found)) => Node::good(name, format!("at {}", utc(found.info.gen_ms))),
            (None, Err(tsp::Refusal::Chain(_))) => {
                Node::open(name, format!("integral; {NO_ROOTS}"))
            }
            (_, Err(refusal)) => Node::bad(name, refusal.english()),
        }
    }

    /// The evidence records.
    pub(super) fn evidence_records(&mut self) -> Result<Vec<Node>> {
        let verified = self.verified;
        let records = verified.evidence_records.iter();
        records.map(|part| self.evidence_record(part)).collect()
    }

    fn evidence_record(&mut self, part: &EvidenceRecordPart) -> Result<Node> {
        let name = &part.record_name;
        let record = match EvidenceRecord::from_der(&part.record) {
            Ok(record) => record,
            Err(error) => return Ok(Node::bad(name, error.to_string())),
        };
        let algorithms = record.algorithms();
        let mut documents = Vec::new();
        for covered in &part.covers {
            let mut hashing = Hashing(DocumentHasher::new(&algorithms));
            match self.files.copy(&covered.name, &mut hashing) {
                Ok(_) => documents.push(hashing.0.finish()),
                Err(AsicError::Io(error)) => return Err(error.into()),
                Err(error) => return Ok(Node::bad(name, error.to_string())),
            }
        }
        let none = Trust::none();
        let roots = self.anchors.roots.as_ref();
        let check = ers::Check {
            trust: roots.unwrap_or(&none),
            table: &Table::built_in(),
            now: self.anchors.now,
            coverage: Coverage::Members,
        };
        Ok(match (roots, ers::verify(&record, &documents, &check)) {
            (_, Ok(found)) => {
                let at = show::utc(found.existed_at);
                let covers: Vec<&str> = part.covers.iter().map(|c| c.name.as_str()).collect();
                Node::good(name, format!("{} existed at {at}", covers.join(", ")))
            }
            (None, Err(error))
                if matches!(error.fault, RecordError::Token(tsp::Refusal::Chain(_))) =>
            {
                Node::open(name, NO_ROOTS)
            }
            (_, Err(error)) => Node::bad(name, error.to_string()),
        })
    }

    /// The records: each proof with what lies beside it.
    pub(super) fn records(&mut self) -> Result<Vec<Node>> {
        let report = self.parsed()?.ok();
        let mut nodes = Vec::new();
        for name in self.named(".tlog-proof") {
            let stem = name.trim_end_matches(".tlog-proof").to_owned();
            let proof = match self.octets(&name)? {
                Ok(octets) => ProofFile::parse(&octets).map_err(|error| error.to_string()),
                Err(why) => Err(why),
            };
            let proof = match proof {
                Ok(proof) => proof,
                Err(why) => {
                    nodes.push(Node::bad(name, why));
                    continue;
                }
            };
            let mut children = vec![commitment(&proof), self.inclusion(&proof).needed()];
            children.push(self.beside(&stem, &proof)?);
            let file = report.as_ref().and_then(|report| file_of(report, &proof));
            if proof.record.content.bytes > 0 {
                children.extend(self.object(file.as_deref(), &proof, report.as_ref())?);
            }
            nodes.push(Node::group(
                format!("{stem} (leaf {})", proof.index),
                children,
            ));
        }
        if nodes.is_empty() {
            nodes.push(Node::bad("records", "there is no proof of any"));
        }
        Ok(nodes)
    }

    fn inclusion(&self, proof: &ProofFile) -> Node {
        let part = "inclusion under a signed checkpoint";
        let Some(keys) = self.keys else {
            return Node::open(part, NO_KEY);
        };
        let verified = keys.open(proof.note.as_bytes());
        let verified = verified
            .map_err(|error| error.to_string())
            .and_then(|(_, key)| proof.verify(key).map_err(|error| error.to_string()));
        match verified {
            Ok(checkpoint) => Node::good(
                part,
                format!("of {} leaves of {}", checkpoint.size(), checkpoint.origin()),
            ),
            Err(why) => Node::bad(part, why),
        }
    }

    /// Leaf, opening and metadata that lie beside a proof are those in it.
    fn beside(&mut self, stem: &str, proof: &ProofFile) -> Result<Node> {
        let record = &proof.record;
        let part = "leaf, opening, record beside it";
        let mut wrong = Vec::new();
        let (leaf, opening) = (record.leaf.to_bytes(), *record.opening.as_bytes());
        for (end, expected) in [("leaf.bin", leaf.as_slice()), ("r.bin", opening.as_slice())] {
            if self.octets(&format!("{stem}.{end}"))?.ok().as_deref() != Some(expected) {
                wrong.push(format!("{stem}.{end}"));
            }
        }
        let name = format!("{stem}.record.json");
        if let ProvenMetadata::Bytes(expected) = &record.metadata {
            let octets = self.octets(&name)?.unwrap_or_default();
            let line = octets.strip_suffix(b"\n").map(Line::parse);
            let is_same = match line {
                Some(Ok(Line::Full {
                    leaf, canonical, ..
                })) => leaf == record.leaf && canonical == expected,
                _ => false,
            };
            if !is_same {
                wrong.push(name);
            }
        }
        Ok(match wrong.is_empty() {
            true => Node::good(part, ""),
            false => Node::bad(
                part,
                format!("not those of the proof: {}", wrong.join(", ")),
            ),
        })
    }

    /// The object itself, and its own signature.
    fn object(
        &mut self,
        file: Option<&str>,
        proof: &ProofFile,
        report: Option<&Report>,
    ) -> Result<Vec<Node>> {
        let Some(file) = file else {
            return Ok(vec![Node::bad("object", "the report names no file for it")]);
        };
        let mut reading = Reading {
            content: ContentHasher::default(),
            mail: ceralacca_pec::Reader::new(),
        };
        match self.files.copy(file, &mut reading) {
            Ok(_) => {}
            Err(AsicError::Io(error)) => return Err(error.into()),
            Err(error) => return Ok(vec![Node::bad(file, error.to_string())]),
        }
        let Reading { content, mail } = reading;
        let content = match content.finish() == proof.record.content {
            true => Node::good(file, "the bytes that the leaf commits to"),
            false => Node::bad(file, "not the bytes that the leaf commits to"),
        };
        if file.starts_with(MATERIAL) {
            return Ok(vec![content]);
        }
        let part = format!("{file}, its own signature");
        let times = Times {
            received_ms: i64::try_from(proof.record.leaf.time.get()).ok(),
        };
        let none = Trust::none();
        let trust = self.anchors.mail.as_ref();
        let reading = mail.finish();
        let verdict = judge(&reading, trust.unwrap_or(&none), times);
        let recorded = recorded_level(proof);
        let own = match (verdict.level, trust) {
            (Level::Absent, _) => Node::open(part, "it has none"),
            (Level::Broken, _) if recorded.as_deref() == Some(Level::Broken.word()) => {
                Node::open(part, "broken already when it was archived, and recorded so")
            }
            (Level::Broken, _) => Node::bad(part, "broken"),
            (_, None) => Node::open(part, "integral; no --mail-roots given"),
            (Level::IntegralUntrusted, Some(_)) => {
                Node::open(part, "integral; its signer is not under --mail-roots")
            }
            (level, Some(_)) => Node::good(part, level.word()),
        };
        let then = self.at_ingest(file, &reading, proof, report)?;
        Ok(vec![content, own, then])
    }

    /// The report that came with it, and what failed in it.
    pub(super) fn report(&mut self) -> Result<Node> {
        let report = match self.parsed()? {
            Ok(report) => report,
            Err(why) => return Ok(Node::bad(REPORT, why)),
        };
        let differing = report.files.iter().find(|file| {
            let found = self.verified.digests.get(&file.name);
            found.is_none_or(|found| found.to_string() != file.sha256)
        });
        if let Some(file) = differing {
            return Ok(Node::bad(REPORT, format!("{} is another file", file.name)));
        }
        let checks = report.checks.iter();
        let failed = checks.filter(|(id, _)| report.checks.outcome(*id) == Checked::Failed);
        let failed: Vec<&str> = failed.map(|(id, _)| id.number()).collect();
        Ok(Node::good(
            REPORT,
            match failed.is_empty() {
                true => "no check of the expert's list failed when it was made".to_owned(),
                false => format!("checks that failed when it was made: {}", failed.join(", ")),
            },
        ))
    }

    fn parsed(&mut self) -> Result<Result<Report, String>> {
        Ok(match self.octets(REPORT)? {
            Ok(octets) => Report::from_json(&octets).map_err(|error| error.to_string()),
            Err(why) => Err(why),
        })
    }

    pub(super) fn named_in(&self, folder: &str, end: &str) -> Vec<String> {
        let mut names = self.named(end);
        names.retain(|name| name.starts_with(folder));
        names
    }

    pub(super) fn named(&self, end: &str) -> Vec<String> {
        let names = self.files.names().into_iter();
        names.filter(|name| name.ends_with(end)).collect()
    }

    /// The octets of a part; the inner error says why they are not had.
    pub(super) fn octets(&mut self, name: &str) -> Result<Result<Vec<u8>, String>> {
        match self.files.read(name, PART_BYTES_MAX) {
            Ok(octets) => Ok(Ok(octets)),
            Err(AsicError::Io(error)) => Err(error.into()),
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

fn commitment(proof: &ProofFile) -> Node {
    let part = "the leaf commits to metadata and content";
    match proof.record.is_committed() {
        true => Node::good(part, ""),
        false => Node::bad(part, "it does not"),
    }
}

/// The level of the signature that was recorded at ingest.
fn recorded_level(proof: &ProofFile) -> Option<String> {
    let ProvenMetadata::Bytes(canonical) = &proof.record.metadata else {
        return None;
    };
    match Metadata::parse(canonical) {
        Ok(Metadata::Object(object)) => object.signature?.to_str().map(str::to_owned),
        _ => None,
    }
}

/// The file of an object, as the report names it, or of a piece of trust material.
fn file_of(report: &Report, proof: &ProofFile) -> Option<String> {
    let leaf = proof.index.get();
    let mut records = report.records.iter();
    if let Some(record) = records.find(|record| record.leaf == leaf) {
        return match &record.object {
            Object::HandedOut { file } => Some(file.clone()),
            Object::TraceOnly | Object::Disposed => None,
            Object::Erased { .. } | Object::Isolated => None,
        };
    }
    let signatures = report.records.iter().filter_map(|r| r.signature.as_ref());
    let mut material = signatures.flat_map(|signature| &signature.material);
    material
        .find(|piece| piece.leaf == Some(leaf))?
        .file
        .clone()
}

struct Hashing(DocumentHasher);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An object while it is read.
struct Reading {
    content: ContentHasher,
    mail: ceralacca_pec::Reader,
}

impl Write for Reading {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.update(bytes);
        self.mail.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
