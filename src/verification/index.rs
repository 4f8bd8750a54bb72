//! That the index is signed, lists the files of the catalogue, and says of the interval what the log says.

use super::folder::Package;
use super::report::{Ended, Report};
use super::{Documents, FolderError, Given, SMALL_BYTES_MAX};
use ceralacca_evidence::cades;
use ceralacca_evidence::pindex::{self, PIndex, Source};
use ceralacca_formats::closing::Contents;
use ceralacca_pec::judge::Trust;
use std::collections::BTreeMap;

const PINDEX: &str = "PIndex.xml";
pub(super) const SIGNED: &str = "PIndex.xml.p7m";

/// Files that are made after the index, which cannot list them.
fn is_later(path: &str) -> bool {
    path.starts_with("PIndex") || path.starts_with("evidence") || path == "package.ers"
}

/// Gives the indices that this one follows; `None` where it cannot be read.
pub(super) fn check(
    package: &Package,
    documents: &Documents,
    trust: Option<&Trust>,
    given: &Given<'_>,
    report: &mut Report,
) -> Result<Option<Vec<Source>>, FolderError> {
    let xml = package
        .small(PINDEX, pindex::BYTES_MAX)?
        .unwrap_or_default();
    let signed = package.small(SIGNED, SMALL_BYTES_MAX)?.unwrap_or_default();
    let holds = !xml.is_empty() && signed.windows(xml.len()).any(|part| part == xml);
    report.tell("index", "PIndex.xml.p7m envelops PIndex.xml", holds);
    let what = "PIndex.xml.p7m is signed by the seal, and the signature is time-stamped";
    match given.seal.as_ref().zip(trust) {
        None => {
            let why = "it takes --seal-anchors and --anchors".to_owned();
            report.add("index", what, Ended::NotChecked(why));
        }
        Some((seal, authorities)) => {
            let now = given.clock.wall();
            let verified = cades::verify(&signed, None, seal, authorities, now);
            let result = verified.map_err(|error| error.to_string());
            let result = result.and_then(|verified| {
                match (
                    verified.signature.content == Some(xml.clone()),
                    verified.stamps.len(),
                ) {
                    (false, _) => Err("it is over another index".to_owned()),
                    (true, 0) => Err("it has no time-stamp".to_owned()),
                    (true, _) => Ok(()),
                }
            });
            report.result("index", what, result);
        }
    }
    let index = match pindex::read(&xml) {
        Ok(index) => index,
        Err(error) => {
            let why = error.to_string();
            report.add("index", "PIndex.xml is readable", Ended::Badly(why));
            return Ok(None);
        }
    };
    let what = "PIndex.xml has the digest of every file of the catalogue";
    report.flaws("index", what, &files(documents, &index));
    let what = "PIndex.xml says of the interval what closing leaf and contents say";
    report.tell("index", what, says(documents, &index).is_some());
    Ok(Some(index.sources))
}

fn files(documents: &Documents, index: &PIndex) -> Vec<String> {
    let groups = index.groups.iter().flat_map(|group| &group.files);
    let mut listed: BTreeMap<&str, &[u8]> = BTreeMap::new();
    let mut flaws = Vec::new();
    for file in groups {
        let path = file.path.as_str();
        if listed.insert(path, file.hash.as_bytes()).is_some() {
            flaws.push(format!("{path} is in it twice"));
        }
    }
    for entry in documents
        .catalogue
        .files
        .iter()
        .filter(|e| !is_later(&e.path))
    {
        match listed.remove(entry.path.as_str()) {
            None => flaws.push(format!("{} is not in it", entry.path)),
            Some(hash) if hash != entry.sha256.as_bytes() => {
                flaws.push(format!("{} has another digest in it", entry.path));
            }
            Some(_) => {}
        }
    }
    flaws.extend(listed.keys().map(|path| format!("{path} is in it only")));
    flaws
}

/// Whether all facts agree.
fn says(documents: &Documents, index: &PIndex) -> Option<()> {
    let said = index.volume.interval.as_ref()?;
    let (closing, contents) = (&documents.closing, &documents.contents);
    let size = closing.size.get().checked_sub(closing.first.get())?;
    let maps = contents.classes.iter().map(|held| {
        let roots = (*held.map_root.as_bytes(), *held.salt.as_bytes());
        (held.class.code(), held.keys, roots)
    });
    let theirs = said.maps.iter();
    let theirs = theirs.map(|map| (u16::from(map.class), map.keys, (map.root, map.salt_hash)));
    let counts = said
        .counts
        .iter()
        .map(|count| (count.event.clone(), count.number));
    let agrees = said.origin == documents.catalogue.origin.as_str()
        && said.start == closing.interval.start()
        && said.cut == closing.end
        && said.first == closing.first.get()
        && (said.size, said.tree_size) == (size, closing.size.get())
        && maps.eq(theirs)
        && counts.eq(by_event(contents));
    agrees.then_some(())
}

/// The counts of all classes together, by event.
fn by_event(contents: &Contents) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for count in &contents.counts {
        let event = count.event.to_str().unwrap_or("other").to_owned();
        let total: &mut u64 = counts.entry(event).or_default();
        *total = total.saturating_add(count.count);
    }
    counts
}
