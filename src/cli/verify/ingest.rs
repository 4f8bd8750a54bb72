//! The verdict on a message's own signature as it was when it came in, reached again from the material in the package.
//!
//! # Invariants
//! 1. Nothing is taken as material that the log is not proven to have held before the message: each piece by its own
//!    proof, under the log's key.
//! 2. What was recorded stands in the proven record of the object, the instant of receipt too; the report names the
//!    pieces, and is believed in nothing else.
//! 3. It says whether the archive judged as it recorded, by what it trusted then. Whom the reader trusts is another
//!    question (`--mail-roots`).

use super::parts::{MATERIAL, NO_KEY, Parts};
use super::tree::Node;
use anyhow::Result;
use ceralacca_formats::digest::{ContentDigest, ContentHasher};
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::metadata::{CustodyRecord, Metadata, ObjectRecord};
use ceralacca_formats::proof::{ProofFile, ProvenMetadata};
use ceralacca_formats::rotation::KeyChain;
use ceralacca_pages::model::{Material as Named, Report};
use ceralacca_pec::Reading;
use ceralacca_pec::judge::{
    Directories, Directory, DirectoryAt, Ground, Material, Times, Trust, judge,
};
use ceralacca_retention::{CivilDate, UtcMillis};
use std::sync::Arc;

/// A directory of providers, of one day.
#[derive(Debug)]
struct OfDay {
    day: String,
    directory: Arc<Directory>,
}

impl Directories for OfDay {
    fn at(&self, at_ms: i64) -> Option<DirectoryAt> {
        let day = CivilDate::in_rome(UtcMillis::new(at_ms)).ok()?;
        Some(DirectoryAt {
            directory: Arc::clone(&self.directory),
            of_that_day: day.to_string() == self.day,
        })
    }
}

/// What a trust set had, as far as it is in the package.
#[derive(Default)]
struct Gathered {
    material: Material,
    pieces: usize,
    /// Pieces that are named only.
    left_out: Vec<String>,
}

fn digest(octets: &[u8]) -> ContentDigest {
    let mut hasher = ContentHasher::default();
    hasher.update(octets);
    hasher.finish()
}

/// What an object's record says of its signature.
fn recorded(proof: &ProofFile) -> Option<ObjectRecord> {
    let ProvenMetadata::Bytes(canonical) = &proof.record.metadata else {
        return None;
    };
    match Metadata::parse(canonical) {
        Ok(Metadata::Object(object)) => Some(object),
        _ => None,
    }
}

impl Parts<'_> {
    /// Judges a message again as it was judged when it came in.
    pub(super) fn at_ingest(
        &mut self,
        file: &str,
        reading: &Reading,
        proof: &ProofFile,
        report: Option<&Report>,
    ) -> Result<Node> {
        let part = format!("{file}, the verdict at ingest");
        let object = recorded(proof);
        let level = object.as_ref().and_then(|object| object.signature.as_ref());
        let (Some(object), Some(level)) = (&object, level.and_then(|level| level.to_str())) else {
            return Ok(Node::open(part, "none was recorded"));
        };
        if object.trust.is_none() {
            let why = format!("{level}; it was judged without any trust material");
            return Ok(Node::open(part, why));
        }
        let Some(keys) = self.keys else {
            return Ok(Node::open(part, NO_KEY));
        };
        let leaf = proof.index.get();
        let records = report.map(|report| report.records.as_slice());
        let mut records = records.unwrap_or_default().iter();
        let record = records.find(|record| record.leaf == leaf);
        let named = record.and_then(|record| record.signature.as_ref());
        let named = named.map(|signature| signature.material.as_slice());
        let gathered = match self.gathered(named.unwrap_or_default(), keys, proof.index)? {
            Ok(gathered) => gathered,
            Err(why) => return Ok(Node::bad(part, why)),
        };
        let Gathered {
            material,
            pieces,
            left_out,
        } = gathered;
        let trust = match Trust::new(material) {
            Ok(trust) => trust,
            Err(error) => return Ok(Node::bad(part, error.to_string())),
        };
        let times = Times {
            received_ms: object.received_ms.map(|ms| ms.get()),
        };
        let again = judge(reading, &trust, times);
        let found = again.level.word();
        if found != level {
            let why = format!("{found} by the material in the package; recorded: {level}");
            return Ok(match left_out.is_empty() {
                true => Node::bad(part, why),
                false => Node::open(
                    part,
                    format!("{why}; not in the package: {}", left_out.join(", ")),
                ),
            });
        }
        let is_ground = |code: &str| Ground::ALL.iter().any(|ground| ground.code() == code);
        let codes = object.findings.iter().filter_map(|code| code.to_str());
        let unreached: Vec<&str> = codes
            .filter(|code| is_ground(code))
            .filter(|code| !again.grounds.iter().any(|ground| ground.code() == *code))
            .collect();
        let mut why = format!("{found}, reached again from {pieces} pieces that the log held");
        if !unreached.is_empty() {
            why += &format!("; recorded beside it: {}", unreached.join(", "));
        }
        Ok(Node::good(part, why))
    }

    /// The pieces that are in the package, each proven; the inner error says which is not.
    fn gathered(
        &mut self,
        named: &[Named],
        keys: &KeyChain,
        before: LeafIndex,
    ) -> Result<Result<Gathered, String>> {
        let mut gathered = Gathered::default();
        for piece in named {
            let Some(leaf) = piece.leaf else {
                // It travels in the message.
                continue;
            };
            let Some(file) = &piece.file else {
                gathered.left_out.push(piece.sha256.clone());
                continue;
            };
            if LeafIndex::new(leaf) >= before {
                return Ok(Err(format!("{file} was archived after the message")));
            }
            let octets = match self.proven_piece(file, piece, keys)? {
                Ok(octets) => octets,
                Err(why) => return Ok(Err(format!("{file}: {why}"))),
            };
            let material = &mut gathered.material;
            match piece.kind.as_str() {
                "anchor" => material.anchors.push(octets),
                "intermediate" => material.intermediates.push(octets),
                "signer" => material.pinned.push(octets),
                "crl" => material.crls.push(octets),
                "ocsp" => material.ocsp.push(octets),
                "directory" => match crate::trust::directory(&octets) {
                    Ok(directory) => {
                        material.directories = Some(Arc::new(OfDay {
                            day: piece.day.clone().unwrap_or_default(),
                            directory: Arc::new(directory),
                        }));
                    }
                    Err(error) => return Ok(Err(format!("{file}: {error}"))),
                },
                other => return Ok(Err(format!("{file}: {other} is no kind of material"))),
            }
            gathered.pieces = gathered.pieces.saturating_add(1);
        }
        Ok(Ok(gathered))
    }

    /// The octets of a piece, that the log is proven to have held as what the report says it is.
    fn proven_piece(
        &mut self,
        file: &str,
        piece: &Named,
        keys: &KeyChain,
    ) -> Result<Result<Vec<u8>, String>> {
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        if !file.starts_with(MATERIAL) {
            return Ok(Err("it lies where no material does".to_owned()));
        }
        let (octets, proof) = match (
            self.octets(file)?,
            self.octets(&format!("{stem}.tlog-proof"))?,
        ) {
            (Ok(octets), Ok(proof)) => (octets, proof),
            (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
        };
        let proven = ProofFile::parse(&proof).and_then(|proof| {
            let (_, key) = keys.open(proof.note.as_bytes())?;
            proof.verify(key)?;
            Ok(proof)
        });
        let proof = match proven {
            Ok(proof) => proof,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let ProvenMetadata::Bytes(canonical) = &proof.record.metadata else {
            return Ok(Err("its record does not say what it is".to_owned()));
        };
        let is_it = match Metadata::parse(canonical) {
            Ok(Metadata::Custody(CustodyRecord::TrustItem { what, day })) => {
                let day = day.as_ref().and_then(|day| day.to_str());
                what.to_str() == Some(piece.kind.as_str()) && day == piece.day.as_deref()
            }
            _ => false,
        };
        let is_of_it =
            Some(proof.index.get()) == piece.leaf && proof.record.content == digest(&octets);
        Ok(match (is_it, is_of_it) {
            (true, true) => Ok(octets),
            (false, _) => Err("its record is of something else".to_owned()),
            (true, false) => Err("its proof is of something else".to_owned()),
        })
    }
}
