//! That the package follows the one before.

use super::folder::Package;
use super::index::SIGNED;
use super::report::{Ended, Report};
use super::{CATALOGUE, CLOSING, Documents, FolderError, Given, SMALL_BYTES_MAX, closing_of};
use ceralacca_evidence::pindex::Source;
use ceralacca_formats::catalogue::{CATALOGUE_BYTES_MAX, Catalogue};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::proof::ProofFile;

pub(super) fn check(
    documents: &Documents,
    sources: Option<&[Source]>,
    given: &Given<'_>,
    report: &mut Report,
) -> Result<(), FolderError> {
    let closing = &documents.closing;
    let follows = closing.previous.is_some();
    let what = "index and closing leaf agree whether there is one before";
    let agree = sources.is_some_and(|sources| sources.len() == usize::from(follows));
    report.tell("chain", what, agree);
    let what = "the package follows the one before";
    let Some(path) = &given.previous else {
        let ended = match follows {
            true => Ended::NotChecked("no --previous".to_owned()),
            false => return Ok(()),
        };
        report.add("chain", what, ended);
        return Ok(());
    };
    let previous = Package::at(path);
    let result = link(&previous, documents, sources.unwrap_or_default())?;
    report.result("chain", what, result);
    Ok(())
}

fn link(
    previous: &Package,
    documents: &Documents,
    sources: &[Source],
) -> Result<Result<(), String>, FolderError> {
    let closing = &documents.closing;
    let catalogue = previous.small(CATALOGUE, CATALOGUE_BYTES_MAX)?;
    let before = previous.small(CLOSING, SMALL_BYTES_MAX)?;
    let signed = previous.small(SIGNED, SMALL_BYTES_MAX)?;
    let proof = previous.small(super::closing::PROOF, SMALL_BYTES_MAX)?;
    let documents_before = catalogue.zip(before).zip(signed);
    let Some(((catalogue_octets, before), signed)) = documents_before else {
        let why = "catalogue.json, closing.json or PIndex.xml.p7m of the one before is missing";
        return Ok(Err(why.to_owned()));
    };
    let Some((catalogue, before)) = Catalogue::parse(&catalogue_octets).zip(closing_of(&before))
    else {
        let why = "catalogue.json or closing.json of the one before is not readable";
        return Ok(Err(why.to_owned()));
    };
    let signed = Sha256::of(&signed);
    let source = sources
        .first()
        .map(|source| source.hash.as_bytes().to_vec());
    let leaf = proof.and_then(|proof| ProofFile::parse(&proof).ok());
    let leaf = leaf.map(|proof| proof.index);
    let flaw = [
        (
            catalogue.origin != documents.catalogue.origin,
            "it is of another log",
        ),
        (
            before.catalogue != Sha256::of(&catalogue_octets),
            "its closing leaf names another catalogue",
        ),
        (
            before.pindex != signed,
            "its closing leaf names another index",
        ),
        (
            source.as_deref() != Some(signed.as_bytes()),
            "the index here names another one before it",
        ),
        (
            before.interval >= closing.interval,
            "it is not before this one",
        ),
        (
            before.end != closing.interval.start(),
            "it ends at another instant than this one starts",
        ),
        (
            before.size.get() != closing.first.get(),
            "it ends at another leaf than this one starts",
        ),
        (
            leaf.is_some() && leaf != closing.previous,
            "another leaf closed it",
        ),
    ];
    let flaw = flaw.into_iter().find(|(is_flaw, _)| *is_flaw);
    Ok(flaw.map_or(Ok(()), |(_, why)| Err(why.to_owned())))
}
