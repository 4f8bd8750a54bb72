//! That the evidence record covers the package group, and that its tree has every log file.

use super::folder::{Package, is_log};
use super::report::{Ended, Report};
use super::{Documents, FolderError, Given};
use ceralacca_evidence::ers::{
    Check, Coverage, Document, DocumentHasher, EvidenceRecord, Hash, RECORD_BYTES_MAX, Table,
    TreeFile, file_id, group_hash, verify,
};
use ceralacca_formats::digest::Sha256;
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::judge::Trust;
use ceralacca_pec::tsp::Token;

const RECORD: &str = "package.ers";
const TREE: &str = "evidence-tree.bin";
/// The files of the package group (docs/formats.md 19).
const GROUP: [&str; 6] = [
    "PIndex.xml.p7m",
    "checkpoint",
    "checkpoint.tst",
    "contents.json",
    "frontier.bin",
    "leaves.bin",
];
const SHA256: DigestAlgorithm = DigestAlgorithm::Sha256;

/// Gives the root of the tree; `None` where there is none.
pub(super) fn check(
    package: &Package,
    documents: &Documents,
    trust: Option<&Trust>,
    given: &Given<'_>,
    report: &mut Report,
) -> Result<Option<Hash>, FolderError> {
    let (root, result) = tree(package, documents)?;
    let what = "evidence-tree.bin is sound, and has the package and every log file";
    report.result("evidence", what, result);
    let what = "package.ers is the record of the package group, under that root";
    let octets = package.small(RECORD, RECORD_BYTES_MAX)?.unwrap_or_default();
    let record = match EvidenceRecord::from_der(&octets) {
        Ok(record) => record,
        Err(error) => {
            report.add("evidence", what, Ended::Badly(error.to_string()));
            return Ok(root);
        }
    };
    let mut group = Vec::new();
    for path in GROUP {
        let mut hasher = DocumentHasher::new(&record.algorithms());
        package.each(path, |piece| hasher.push(piece))?;
        group.push(hasher.finish());
    }
    report.result("evidence", what, covers(&record, documents, root.as_ref()));
    let what = "package.ers proves when the package group existed";
    let Some(trust) = trust else {
        let why = "no --anchors".to_owned();
        report.add("evidence", what, Ended::NotChecked(why));
        return Ok(root);
    };
    let check = Check {
        trust,
        table: &Table::built_in(),
        now: given.clock.wall(),
        coverage: Coverage::WholeGroup,
    };
    report.result("evidence", what, proves(&record, &group, &check));
    Ok(root)
}

fn proves(record: &EvidenceRecord, group: &[Document], check: &Check<'_>) -> Result<(), String> {
    let verified = verify(record, group, check);
    verified.map(drop).map_err(|error| error.to_string())
}

/// Its first archive time-stamp: the whole group in the first list, the tree's root, a token over that.
fn covers(
    record: &EvidenceRecord,
    documents: &Documents,
    root: Option<&Hash>,
) -> Result<(), String> {
    let first = record.chains().first().and_then(|chain| chain.first());
    let first = first.ok_or("it has no archive time-stamp")?;
    let reduced = first.reduced().ok_or("it has no tree")?;
    let group = GROUP.iter().map(|path| {
        let sha256 = documents.sha256(path);
        sha256
            .and_then(|digest| hash(&digest))
            .ok_or(format!("{path} is not in the catalogue"))
    });
    let group: Vec<Hash> = group.collect::<Result<_, _>>()?;
    reduced
        .holds(&group, true)
        .map_err(|error| error.to_string())?;
    let found = reduced.root();
    if found.is_none() || found.as_ref() != root {
        return Err("it leads to another root than evidence-tree.bin".to_owned());
    }
    let token = Token::read(first.token()).map_err(|refusal| refusal.english().to_owned())?;
    let imprint = found.map(|root| root.as_bytes().to_vec());
    match imprint.as_deref() == Some(&token.info().imprint) {
        true => Ok(()),
        false => Err("its token is over another root".to_owned()),
    }
}

fn hash(digest: &Sha256) -> Option<Hash> {
    Hash::from_bytes(SHA256, digest.as_bytes())
}

/// The tree recomputed; the log files in it in order, and last the package.
fn tree(
    package: &Package,
    documents: &Documents,
) -> Result<(Option<Hash>, Result<(), String>), FolderError> {
    let bytes = documents
        .catalogue
        .file(TREE)
        .map_or(0, |entry| entry.bytes);
    let Some(mut file) = package.open(TREE)? else {
        return Ok((None, Err(format!("{TREE} is missing"))));
    };
    let mut read = |offset: u64, bytes: usize| package.read_at(TREE, &mut file, offset, bytes);
    let tree = match TreeFile::open(bytes, &mut read) {
        Ok(tree) => tree,
        Err(error) => return Ok((None, Err(error.to_string()))),
    };
    let root = tree.root();
    if let Err(error) = tree.check(&mut read) {
        return Ok((Some(root), Err(error.to_string())));
    }
    let logs = documents
        .catalogue
        .files
        .iter()
        .filter(|entry| is_log(&entry.path));
    let logs = logs.map(|entry| hash(&entry.sha256));
    let group = GROUP
        .iter()
        .map(|path| documents.sha256(path).and_then(|d| hash(&d)));
    let group = group.collect::<Option<Vec<_>>>();
    let package_group = group.and_then(|group| group_hash(&group));
    let mut result = Ok(());
    for (number, expected) in (0u32..).zip(std::iter::once(package_group).chain(logs)) {
        let place = tree.groups().checked_sub(u64::from(number) + 1);
        let found = place.map(|place| tree.group_at(place, &mut read));
        let found = found.and_then(Result::ok);
        if expected.is_none() || found != expected.map(|hash| (file_id(number), hash)) {
            result = Err(match number {
                0 => "its last group is not the package".to_owned(),
                _ => format!("log file {number} of the catalogue is not in it"),
            });
        }
    }
    Ok((Some(root), result))
}
