//! A package that was given again: container, signatures, tokens, evidence records, records, closings.
//!
//! # Invariants
//! 1. Without network and without the archive; trust is what the options give.
//! 2. Goes on after a failure: every part that is wrong is named.
//! 3. "Verified" is said only where nothing failed and all that everything rests on was checked.

use super::absence;
use super::anchors::Anchors;
use super::disposals;
use super::folder::Folder;
use super::parts::Parts;
use super::tree::{Node, Outcome};
use super::{Answer, Arguments, show};
use anyhow::{Context as _, Result};
use ceralacca_evidence::asic::{self, AsicError, Container, Files};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::rotation::KeyChain;
use serde_json::json;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Whether a file is a package, and no proof: a folder, or a ZIP by its first octets.
pub(super) fn is_one(path: &Path) -> Result<bool> {
    if path.is_dir() {
        return Ok(true);
    }
    let attempt = || format!("read proof {}", path.display());
    let mut beginning = Vec::new();
    let file = File::open(path).with_context(attempt)?;
    file.take(2)
        .read_to_end(&mut beginning)
        .with_context(attempt)?;
    let is_named = path
        .extension()
        .is_some_and(|ending| ending == "asice" || ending == "zip");
    Ok(beginning == b"PK" || is_named)
}

pub(super) fn run(arguments: &Arguments, key: Option<&VerifierKey>) -> Result<Answer> {
    let anchors = arguments.anchors.read()?;
    let keys = match key.map(|key| arguments.rotations.follow(key)).transpose()? {
        None => None,
        Some(Ok(keys)) => Some(keys),
        Some(Err(refused)) => return super::not_followed(&refused, arguments.json),
    };
    let tree = tree(&arguments.proof, &anchors, keys.as_ref())?;
    let verdict = Verdict::of(&tree);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let answer = json!({
            "verified": verdict.is_verified(),
            "failed": verdict.failed,
            "not_checked": verdict.open,
            "italian": verdict.italian(),
            "english": verdict.english(),
            "checks": [tree.json()],
        });
        writeln!(out, "{}", show::json(&answer))?;
    } else {
        tree.tell(0, &mut out)?;
        writeln!(out, "{}", verdict.italian())?;
        writeln!(out, "{}", verdict.english())?;
    }
    Ok(match verdict.is_verified() {
        true => Answer::Yes,
        false => Answer::No,
    })
}

/// What the tree comes to.
struct Verdict {
    good: usize,
    failed: usize,
    open: usize,
    /// Something on which all rests was not checked.
    is_incomplete: bool,
}

impl Verdict {
    fn of(tree: &Node) -> Self {
        let count = |outcome| tree.count(&|node: &Node| node.outcome == outcome);
        let is_needed = |node: &Node| node.is_needed && node.outcome == Outcome::Open;
        Self {
            good: count(Outcome::Good),
            failed: count(Outcome::Bad),
            open: count(Outcome::Open),
            is_incomplete: tree.count(&is_needed) > 0,
        }
    }

    fn is_verified(&self) -> bool {
        self.failed == 0 && !self.is_incomplete
    }

    fn italian(&self) -> String {
        let (good, failed, open) = (self.good, self.failed, self.open);
        match (failed, self.is_incomplete) {
            (0, false) => format!(
                "VERIFICATO: {good} controlli riusciti, {open} non eseguiti, nessuno fallito."
            ),
            (0, true) => format!(
                "NON VERIFICATO: mancano le radici o la chiave del log; {good} controlli riusciti, {open} non eseguiti."
            ),
            _ => format!(
                "NON VERIFICATO: {failed} controlli falliti, {good} riusciti, {open} non eseguiti."
            ),
        }
    }

    fn english(&self) -> String {
        let (good, failed, open) = (self.good, self.failed, self.open);
        match (failed, self.is_incomplete) {
            (0, false) => {
                format!("VERIFIED: {good} checks passed, {open} not done, none failed.")
            }
            (0, true) => format!(
                "NOT VERIFIED: roots or the log's key are missing; {good} checks passed, {open} not done."
            ),
            _ => format!("NOT VERIFIED: {failed} checks failed, {good} passed, {open} not done."),
        }
    }
}

fn tree(path: &Path, anchors: &Anchors, keys: Option<&KeyChain>) -> Result<Node> {
    let name = path.display().to_string();
    if path.is_dir() {
        let mut folder = Folder::open(path)?;
        return checks(name, &mut folder, anchors, keys);
    }
    let attempt = || format!("read package {}", path.display());
    let file = File::open(path).with_context(attempt)?;
    match Container::open(std::io::BufReader::new(file)) {
        Ok(mut container) => checks(name, &mut container, anchors, keys),
        Err(AsicError::Io(error)) => Err(error).with_context(attempt),
        Err(error) => Ok(Node::group(
            name,
            vec![Node::bad("container", error.to_string())],
        )),
    }
}

fn checks(
    name: String,
    files: &mut dyn Files,
    anchors: &Anchors,
    keys: Option<&KeyChain>,
) -> Result<Node> {
    let verified = asic::verify(files).context("read package")?;
    let problems = verified.problems.iter();
    let container = match verified.problems.is_empty() {
        true => Node::good(
            "container",
            format!(
                "{} files, each as its manifest lists it",
                verified.digests.len()
            ),
        ),
        false => Node::group(
            "container",
            problems
                .map(|problem| Node::bad("manifest", problem.to_string()))
                .collect(),
        ),
    };
    let (is_absence, is_disposed) = (absence::is_one(files), disposals::is_one(files));
    let mut parts = Parts {
        files: &mut *files,
        verified: &verified,
        anchors,
        keys,
    };
    let mut children = vec![container];
    children.extend(parts.signatures());
    children.extend(parts.tokens()?);
    children.extend(parts.certificates()?);
    if is_disposed {
        children.push(parts.disposed_head()?);
        return Ok(Node::group(name, children));
    }
    if is_absence {
        children.extend(absence::checks(files, keys)?);
        return Ok(Node::group(name, children));
    }
    children.extend(parts.evidence_records()?);
    children.extend(parts.records()?);
    children.extend(parts.closings()?);
    children.push(parts.report()?);
    Ok(Node::group(name, children))
}
