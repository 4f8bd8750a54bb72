//! The index of a package (UNI 11386:2020): its files, who answers for it, and the index before it.

use super::SealError;
use super::closing::Under;
use ceralacca_evidence::pindex::{
    Application, Count, Derivation, FileEntry, FileGroup, Hash, Interval, Map, PIndex, PackagePath,
    Process, Source, Volume, VolumeSource,
};
use ceralacca_formats::catalogue::Entry;
use ceralacca_formats::closing::Contents;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{IntervalId, UtcMillis};
use ceralacca_formats::tree::RootHash;
use std::collections::BTreeMap;

/// An index that came before.
pub(super) struct Previous {
    pub(super) interval: IntervalId,
    pub(super) sha256: Sha256,
}

fn index_id(origin: &str, interval: IntervalId) -> String {
    format!("urn:ceralacca:pindex:{origin}:{interval}")
}

fn package_id(origin: &str, interval: IntervalId) -> String {
    format!("urn:ceralacca:pda:{origin}:{interval}")
}

/// Builds the index of these files.
pub(super) fn build(
    under: &Under<'_>,
    contents: &Contents,
    files: &[Entry],
    previous: Option<&Previous>,
    root: RootHash,
    at: UtcMillis,
    process: &Process,
) -> Result<PIndex, SealError> {
    let (origin, interval) = (under.origin.as_str(), under.span.id);
    let mut groups: BTreeMap<&str, Vec<FileEntry>> = BTreeMap::new();
    for (number, file) in (1..).zip(files) {
        let group = group_of(&file.path);
        groups.entry(group).or_default().push(entry(number, file)?);
    }
    let groups = groups.into_iter().map(|(id, files)| FileGroup {
        id: id.to_owned(),
        label: Some(label_of(id).to_owned()),
        description: None,
        files,
    });
    let source = |previous: &Previous| Source {
        derivation: Derivation::OneToOne,
        id: index_id(origin, previous.interval),
        path: format!("../{}/PIndex.xml.p7m", previous.interval),
        hash: Hash::sha256(*previous.sha256.as_bytes()),
    };
    let volume_source = |previous: &Previous| VolumeSource {
        id: package_id(origin, previous.interval),
        index: index_id(origin, previous.interval),
    };
    let mut process = process.clone();
    process.time = at;
    process.has_time_stamp = true;
    Ok(PIndex {
        id: index_id(origin, interval),
        application: Application {
            name: "Ceralacca".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            producer: "Ceralacca".to_owned(),
        },
        sources: previous.iter().map(|previous| source(previous)).collect(),
        volume: Volume {
            id: package_id(origin, interval),
            label: None,
            description: Some("Log dei messaggi di posta elettronica certificata".to_owned()),
            sources: previous.iter().map(|p| volume_source(p)).collect(),
            interval: Some(facts(under, contents, root)),
        },
        groups: groups.collect(),
        process,
    })
}

fn facts(under: &Under<'_>, contents: &Contents, root: RootHash) -> Interval {
    let maps = contents.classes.iter().map(|class| Map {
        // Classes have small codes, by their table.
        class: u8::try_from(class.class.code()).unwrap_or(u8::MAX),
        keys: class.keys,
        root: *class.map_root.as_bytes(),
        salt_hash: *class.salt.as_bytes(),
    });
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for count in &contents.counts {
        let event = count.event.to_str().unwrap_or("other").to_owned();
        *counts.entry(event).or_default() += count.count;
    }
    let counts = counts.into_iter();
    Interval {
        origin: under.origin.as_str().to_owned(),
        start: under.span.id.start(),
        cut: under.span.end,
        first: under.span.first.get(),
        size: under.size.get().saturating_sub(under.span.first.get()),
        tree_size: under.size.get(),
        root: *root.as_bytes(),
        is_development: under.is_development,
        maps: maps.collect(),
        counts: counts
            .map(|(event, number)| Count { event, number })
            .collect(),
    }
}

fn entry(number: u32, file: &Entry) -> Result<FileEntry, SealError> {
    let path = PackagePath::try_from(file.path.as_str());
    let path = path.map_err(|error| SealError::Index(error.to_string()))?;
    let extension = file.path.rsplit_once('.').map(|(_, e)| format!(".{e}"));
    let format = match extension.as_deref() {
        Some(".jsonl") => "application/jsonl",
        Some(".json") => "application/json",
        Some(".tst") => "application/vnd.etsi.timestamp-token",
        Some(".tsq") => "application/timestamp-query",
        Some(".tsr") => "application/timestamp-reply",
        Some(".xsd") => "application/xml",
        Some(".der") => "application/octet-stream",
        None => "text/plain",
        _ => "application/octet-stream",
    };
    Ok(FileEntry {
        id: format!("file-{number:05}"),
        path,
        format: format.to_owned(),
        extension,
        hash: Hash::sha256(*file.sha256.as_bytes()),
        previous: None,
    })
}

fn group_of(path: &str) -> &'static str {
    match path {
        _ if path.starts_with("log-") => "log",
        _ if path.starts_with("map-") || path.starts_with("salt-") => "map",
        _ if ["material/", "schemas/", "trust/"]
            .iter()
            .any(|folder| path.starts_with(folder)) =>
        {
            "material"
        }
        _ => "tree",
    }
}

fn label_of(group: &str) -> &'static str {
    match group {
        "log" => "File di log e marche temporali",
        "map" => "Mappe dell'intervallo",
        "material" => "Certificati, revoche, schemi",
        _ => "Albero e checkpoint",
    }
}
