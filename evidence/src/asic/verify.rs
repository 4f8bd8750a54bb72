//! What a container commits to, and whether its files are those.

use super::error::AsicError;
use super::files::{Files, Measured};
use super::manifest::Manifest;
use super::{MEDIA_TYPE, META_BYTES_MAX};
use ceralacca_formats::digest::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// What says of an ASiC-E that it is one.
const MIMETYPE: &str = "mimetype";

/// A file and its digest as a manifest has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CoveredFile {
    /// Its name.
    pub name: String,
    /// The digest listed.
    pub sha256: Sha256,
}

/// A manifest with its signature: the caller verifies the one over the exact octets of the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedPart {
    /// Name of the manifest.
    pub manifest: String,
    /// Its octets.
    pub octets: Vec<u8>,
    /// Name of the signature.
    pub signature_name: String,
    /// The signature, DER.
    pub signature: Vec<u8>,
    /// What the manifest lists.
    pub covers: Vec<CoveredFile>,
}

/// An evidence record with the files it covers: the caller verifies it over their digests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EvidenceRecordPart {
    /// Name of the manifest.
    pub manifest: String,
    /// Name of the record.
    pub record_name: String,
    /// The record, DER.
    pub record: Vec<u8>,
    /// What it covers.
    pub covers: Vec<CoveredFile>,
}

/// Something wrong, naming the part.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A file's digest is not the one a manifest lists.
    #[error("{file} differs from what {manifest} lists")]
    Digest {
        /// The file.
        file: String,
        /// The manifest.
        manifest: String,
    },
    /// A file that a manifest lists is not there.
    #[error("{file}, which {manifest} lists, is not there")]
    Absent {
        /// The file.
        file: String,
        /// The manifest.
        manifest: String,
    },
    /// A file that no signed manifest lists.
    #[error("{0} is in no signed manifest")]
    Unlisted(String),
    /// The file `mimetype`, which no manifest lists, says something else.
    #[error("mimetype does not say {MEDIA_TYPE}")]
    MediaType,
    /// Nothing is signed.
    #[error("there is no signed manifest")]
    Unsigned,
    /// A part cannot be read: its checksum or its structure is wrong.
    #[error("{0}")]
    Unreadable(String),
}

/// What was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verified {
    /// Manifests with signatures, in order.
    pub signed: Vec<SignedPart>,
    /// Evidence records, in order.
    pub evidence_records: Vec<EvidenceRecordPart>,
    /// Digests as recomputed, by name.
    pub digests: BTreeMap<String, Sha256>,
    /// Everything wrong. Empty: every file is as the manifests list it; their signatures are still to be verified.
    pub problems: Vec<Problem>,
}

/// Recomputes every digest and holds it against every manifest. Goes on after a problem, so that all are named.
///
/// # Errors
/// [`AsicError::Io`] only: reading failed below us.
pub fn verify(files: &mut dyn Files) -> Result<Verified, AsicError> {
    let mut found = Verified::default();
    let names = files.names();
    let content = names.iter().filter(|name| *name != MIMETYPE);
    if names.iter().any(|name| name == MIMETYPE) {
        match files.read(MIMETYPE, MEDIA_TYPE.len() as u64) {
            Ok(octets) if octets == MEDIA_TYPE.as_bytes() => {}
            Err(AsicError::Io(error)) => return Err(error.into()),
            Ok(_) | Err(_) => found.problems.push(Problem::MediaType),
        }
    }
    for name in content.clone() {
        match files.copy(name, &mut io::sink()) {
            Ok(Measured { sha256, .. }) => {
                found.digests.insert(name.clone(), sha256);
            }
            Err(AsicError::Io(error)) => return Err(error.into()),
            Err(error) => found.problems.push(Problem::Unreadable(error.to_string())),
        }
    }
    for name in content.clone() {
        let is = |begin: &str| name.starts_with(begin) && name.ends_with(".xml");
        let is_signed = is("META-INF/ASiCManifest");
        if !is_signed && !is("META-INF/ASiCEvidenceRecordManifest") {
            continue;
        }
        match part(files, name) {
            Ok((manifest, octets, target)) => {
                found.hold(name, is_signed, manifest, octets, target);
            }
            Err(AsicError::Io(error)) => return Err(error.into()),
            // What is wrong may be a name in it, which says nothing of where it stands.
            Err(error) => {
                let why = error.to_string();
                found
                    .problems
                    .push(Problem::Unreadable(match why.contains(name) {
                        true => why,
                        false => format!("{name}: {why}"),
                    }));
            }
        }
    }
    found.check_listed(content);
    Ok(found)
}

/// A manifest, its octets, and the file it belongs to.
fn part(files: &mut dyn Files, name: &str) -> Result<(Manifest, Vec<u8>, Vec<u8>), AsicError> {
    let octets = files.read(name, META_BYTES_MAX)?;
    let manifest = Manifest::read(name, &octets)?;
    let target = files.read(manifest.target.as_str(), META_BYTES_MAX)?;
    Ok((manifest, octets, target))
}

impl Verified {
    fn hold(
        &mut self,
        name: &str,
        is_signed: bool,
        manifest: Manifest,
        octets: Vec<u8>,
        target: Vec<u8>,
    ) {
        let mut covers = Vec::new();
        for listed in manifest.listed {
            let file = listed.name.to_string();
            let manifest = name.to_owned();
            match self.digests.get(&file) {
                None => self.problems.push(Problem::Absent {
                    file: file.clone(),
                    manifest,
                }),
                Some(digest) if *digest != listed.sha256 => self.problems.push(Problem::Digest {
                    file: file.clone(),
                    manifest,
                }),
                Some(_) => {}
            }
            covers.push(CoveredFile {
                name: file,
                sha256: listed.sha256,
            });
        }
        let (manifest, target_name) = (name.to_owned(), manifest.target.to_string());
        if is_signed {
            self.signed.push(SignedPart {
                manifest,
                octets,
                signature_name: target_name,
                signature: target,
                covers,
            });
        } else {
            self.evidence_records.push(EvidenceRecordPart {
                manifest,
                record_name: target_name,
                record: target,
                covers,
            });
        }
    }

    /// Every file is in the last signed manifest, but that manifest and its signature.
    fn check_listed<'n>(&mut self, names: impl Iterator<Item = &'n String>) {
        let Some(last) = self.signed.last() else {
            self.problems.push(Problem::Unsigned);
            return;
        };
        let mut listed: BTreeSet<&str> =
            last.covers.iter().map(|file| file.name.as_str()).collect();
        listed.insert(&last.manifest);
        listed.insert(&last.signature_name);
        let unlisted = names.filter(|name| !listed.contains(name.as_str()));
        let unlisted: Vec<_> = unlisted.cloned().map(Problem::Unlisted).collect();
        self.problems.extend(unlisted);
    }
}
