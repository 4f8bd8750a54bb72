//! That a leaf of the log commits to this package.

use super::folder::Package;
use super::report::{Ended, Report};
use super::{Documents, FolderError, Given};
use ceralacca_formats::digest::ContentDigest;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::metadata::metadata_digest;
use ceralacca_formats::proof::ProofFile;

pub(super) const PROOF: &str = "closing.tlog-proof";
const PROOF_BYTES_MAX: usize = 64 << 20;

pub(super) fn check(
    package: &Package,
    documents: &Documents,
    given: &Given<'_>,
    report: &mut Report,
) -> Result<(), FolderError> {
    let (closing, catalogue) = (&documents.closing, &documents.catalogue);
    let is_of = |path: &str, sha256| documents.sha256(path) == Some(sha256);
    let what = "closing.json names this catalogue";
    report.tell(
        "closing",
        what,
        closing.catalogue == documents.catalogue_sha256,
    );
    let what = "closing.json names this index and this evidence record";
    let named = is_of("PIndex.xml.p7m", closing.pindex) && is_of("package.ers", closing.evidence);
    report.tell("closing", what, named);
    let what = "closing.json is of this interval, and says what contents.json says";
    let same = closing.interval == catalogue.interval && closing.contents == documents.contents;
    report.tell("closing", what, same);
    let what = "the closing leaf commits to closing.json";
    let Some(octets) = package.small(PROOF, PROOF_BYTES_MAX)? else {
        let why = format!("{PROOF} is not here");
        report.add("closing", what, Ended::Badly(why));
        return Ok(());
    };
    let proof = match ProofFile::parse(&octets) {
        Ok(proof) => proof,
        Err(error) => {
            report.add("closing", what, Ended::Badly(format!("{PROOF}: {error}")));
            return Ok(());
        }
    };
    let record = &proof.record;
    let commits = record.metadata.sha256() == metadata_digest(&documents.closing_octets)
        && record.is_committed()
        && record.content == ContentDigest::EMPTY
        && record.leaf.class == Class::Custody
        && record.leaf.seq == proof.index
        && proof.index.get() >= closing.size.get();
    report.tell("closing", what, commits);
    let what = "the closing leaf is in the log, under a checkpoint that the log's key signed";
    let Some(keys) = &given.keys else {
        let why = "no key was given".to_owned();
        report.add("closing", what, Ended::NotChecked(why));
        return Ok(());
    };
    let opened = keys.open(proof.note.as_bytes());
    let verified = opened.map_err(|error| error.to_string());
    let verified = verified.and_then(|(checkpoint, key)| {
        let verified = proof.verify(key).map_err(|error| error.to_string());
        let same = *checkpoint.origin() == catalogue.origin;
        verified.and_then(|_| same.then_some(()).ok_or("of another log".to_owned()))
    });
    report.result("closing", what, verified);
    Ok(())
}
