//! Renewal of evidence (RFC 4998 section 5): planned from the table of algorithms, done in steps, on record.
//!
//! ```text
//! <log>/packages/renewal.partial/    a renewal under way: plan.json, tree.bin, token.tsq .tsr .tst .json, material/
//! <package>/renewals/NNNN.ats        the new archive time-stamp of the package group; of a renewal of the time-stamp,
//!                                    that of every group of the interval, whose last token was one
//!           renewals/NNNN-tree.bin   of a renewal of the hash tree: the new tree over every group that is still there
//!           renewals/NNNN.tsq .tsr .tst .json    what was asked, what came, the token, what it is taken for
//!           renewals/material/SHA256.der         certificates, CRLs and OCSP answers beyond the token
//!           renewals/catalogue-NNNN.json         all these; written last: with it the renewal is there
//! ```
//!
//! # Invariants
//! 1. One token renews the time-stamps of all packages that are due and whose chains have one hash; a hash tree is
//!    renewed interval by interval, over documents hashed anew from their contents, which are streamed.
//! 2. What was closed is not rewritten: renewals stand beside it, outside its catalogue.
//! 3. A renewal that ended before any step goes on at that step; its leaf is recorded once.

use super::due::{self, Planned, RenewalRules};
use super::evidence::tree_failed;
use super::folder::{Folder, FolderError};
use super::record::{Assembler, EvidenceGroup, catalogue_of, name_of};
use super::renewal_plan::{Batch, Target};
use super::scan::Scan;
use super::{Package, Probe, SealError, Sealer};
use crate::audit::Find;
use crate::store::Order;
use ceralacca_evidence::ers::{
    ArchiveTimeStamp, EvidenceRecord, Hash, RecordError, TreeFile, TreeWriter, file_id, group_hash,
};
use ceralacca_evidence::{Stamped, Stamper};
use ceralacca_formats::catalogue::{Catalogue, Entry};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::{Class, Kind};
use ceralacca_formats::metadata::{CustodyRecord, Field, Metadata};
use ceralacca_formats::renewal::{EVIDENCE_RENEWED, EvidenceRenewed, RenewalFacts, RenewalKind};
use std::path::Path;

const WORKING: &str = "renewal.partial";
const PLAN: &str = "plan.json";
const TREE: &str = "tree.bin";
const TOKEN: &str = "token";
const FILE_BYTES_MAX: usize = 32 << 20;
/// A token so young, in milliseconds, is not renewed: where the authorities sign with what has ended, the next token is
/// as late as this one, and would be renewed without end. Half a day.
const FRESH_MS: u64 = 12 * 60 * 60 * 1000;
/// Leaves of renewals looked at in an interval.
const LEAVES_MAX: usize = 4096;

/// A renewal that is done.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// The leaf that says so.
    pub leaf: LeafIndex,
    /// What it says.
    pub record: EvidenceRenewed,
}

pub(super) fn failed(error: RecordError) -> SealError {
    SealError::Evidence(error.to_string())
}

impl Sealer {
    /// Does the most urgent renewal that is due, for all packages that share it, or goes on with one under way; `None`
    /// where nothing is due. One closing or renewal runs at a time.
    pub fn renew_next(
        &self,
        rules: &RenewalRules,
        stamper: &dyn Stamper,
        probe: &Probe,
    ) -> Result<Option<Renewed>, SealError> {
        let Ok(_alone) = self.one_at_a_time.try_lock() else {
            return Err(SealError::Busy);
        };
        let packages = self.packages.as_ref().ok_or(SealError::NoFolder)?;
        let path = packages.join(WORKING);
        let folder = Folder::at(&path);
        let batch = match folder.read(PLAN, FILE_BYTES_MAX)? {
            Some(bytes) => {
                let batch = Batch::parse(&bytes);
                batch.ok_or(SealError::Corrupt("the plan of a renewal"))?
            }
            None => {
                let Some(batch) = self.due_batch(rules)? else {
                    return Ok(None);
                };
                let folder = Folder::create(&path)?;
                folder.write(PLAN, &batch.to_bytes())?;
                batch
            }
        };
        let under = Under {
            sealer: self,
            folder: &folder,
            batch: &batch,
            probe,
        };
        probe.at("renewal tree")?;
        let root = under.tree()?;
        probe.at("renewal stamp")?;
        let facts = under.stamp(&root, stamper)?;
        let token = under.token()?;
        for target in &batch.targets {
            probe.at("renewal package")?;
            under.package(target, &facts, &token)?;
        }
        probe.at("renewal leaf")?;
        let record = batch.record(Sha256::of(&token));
        let leaf = match self.renewal_leaf(&record, facts.time)? {
            Some(leaf) => leaf,
            None => {
                let act = CustodyRecord::EvidenceRenewed(record.clone());
                self.sequencer.act(Kind::EvidenceRenewed, act)?
            }
        };
        probe.at("renewal end")?;
        remove(&path)?;
        Ok(Some(Renewed { leaf, record }))
    }

    /// The packages of the most urgent step that share it.
    fn due_batch(&self, rules: &RenewalRules) -> Result<Option<Batch>, SealError> {
        let planned = self.planned(rules)?;
        let fresh = UtcMillis::new(self.clock.wall().get().saturating_sub(FRESH_MS));
        let due = planned.iter().filter(|one| one.step.is_due());
        let due: Vec<&Planned> = due.filter(|one| one.stamped <= fresh).collect();
        let Some((kind, algorithm)) = due.iter().find_map(|one| Batch::of_step(one)) else {
            // A tree for which the table has no hash that lasts waits for the table; a fresh token, for another authority.
            return Ok(None);
        };
        let shared = due
            .iter()
            .filter(|one| Batch::of_step(one) == Some((kind, algorithm)));
        let most = match kind {
            RenewalKind::TimeStamp => usize::MAX,
            RenewalKind::HashTree => 1,
        };
        let mut targets = Vec::new();
        for one in shared.take(most) {
            let package = self.package(one.interval)?;
            let package = package.ok_or(SealError::Corrupt("the package of a closed interval"))?;
            let number = package.renewals()?.len() as u32 + 1;
            if number > super::record::RENEWALS_MAX {
                return Err(SealError::Evidence(
                    "a package was renewed as often as it can be".into(),
                ));
            }
            targets.push(Target {
                interval: one.interval,
                number,
            });
        }
        targets.sort();
        Ok(Some(Batch {
            kind,
            algorithm,
            targets,
        }))
    }

    /// The leaf that says that this was renewed already: a renewal that ended before its folder was removed.
    fn renewal_leaf(
        &self,
        record: &EvidenceRenewed,
        since: UtcMillis,
    ) -> Result<Option<LeafIndex>, SealError> {
        let state = self.reader.published();
        // A day for clocks that differ.
        let since = UtcMillis::new(since.get().saturating_sub(86_400_000));
        for span in state
            .spans
            .iter()
            .rev()
            .take_while(|span| span.end >= since)
        {
            let find = Find {
                interval: span.id,
                class: Class::Custody,
                field: Field::Event,
                term: EVIDENCE_RENEWED.as_bytes(),
                after: None,
                order: Order::Descending,
                limit: LEAVES_MAX,
            };
            for index in self.reader.candidates(&state, &find)? {
                let metadata = self.reader.record(&state, index)?.metadata();
                let is_it = |m: &Metadata| matches!(m, Metadata::Custody(CustodyRecord::EvidenceRenewed(r)) if r == record);
                if metadata.as_ref().is_ok_and(is_it) {
                    return Ok(Some(index));
                }
            }
        }
        Ok(None)
    }
}

fn remove(path: &Path) -> Result<(), SealError> {
    let name = path.display().to_string();
    std::fs::remove_dir_all(path).map_err(|source| {
        SealError::Folder(FolderError::Io {
            attempt: "remove",
            name,
            source,
        })
    })
}

/// A renewal under way.
struct Under<'a> {
    sealer: &'a Sealer,
    folder: &'a Folder,
    batch: &'a Batch,
    probe: &'a Probe,
}

impl Under<'_> {
    fn opened(&self, interval: IntervalId) -> Result<Package, SealError> {
        let package = self.sealer.package(interval)?;
        package.ok_or(SealError::Corrupt("the package of a closed interval"))
    }

    /// The tree, made or found made; gives its root.
    fn tree(&self) -> Result<Hash, SealError> {
        if !self.folder.has(TREE) {
            match self.batch.kind {
                RenewalKind::TimeStamp => self.tree_of_tokens()?,
                RenewalKind::HashTree => self.tree_of_documents()?,
            }
        }
        let (file, _) = self.open_tree()?;
        Ok(file.root())
    }

    fn open_tree(&self) -> Result<(TreeFile, super::folder::FileReader), SealError> {
        let mut reader = self.folder.open_plain(TREE)?;
        let bytes = reader.bytes();
        let read_at = |at, n| reader.read_at(at, n).map_err(SealError::from);
        let file = TreeFile::open(bytes, read_at).map_err(tree_failed)?;
        Ok((file, reader))
    }

    /// A group of one for each package: the hash of its last token.
    fn tree_of_tokens(&self) -> Result<(), SealError> {
        let algorithm = self.batch.algorithm;
        let mut file = self.folder.plain(TREE)?;
        let sink = |bytes: &[u8]| file.write(bytes).map_err(SealError::from);
        let mut writer = TreeWriter::new(algorithm, sink).map_err(tree_failed)?;
        for target in &self.batch.targets {
            let stamp = self.opened(target.interval)?.last_archive_stamp()?;
            let pushed = writer.push(target.interval.get(), stamp.token_hash(algorithm));
            pushed.map_err(tree_failed)?;
        }
        writer.finish().map_err(tree_failed)?;
        file.finish()?;
        Ok(())
    }

    /// Every group of the interval that is still there: its documents hashed anew, each with its record so far.
    fn tree_of_documents(&self) -> Result<(), SealError> {
        let Some(target) = self.batch.targets.first() else {
            return Err(SealError::Corrupt("the plan of a renewal"));
        };
        let package = self.opened(target.interval)?;
        let algorithm = self.batch.algorithm;
        let mut assembler = Assembler::open(&package)?;
        let mut algorithms = assembler.algorithms().to_vec();
        algorithms.push(algorithm);
        algorithms.dedup();
        let mut file = self.folder.plain(TREE)?;
        let sink = |bytes: &[u8]| file.write(bytes).map_err(SealError::from);
        let mut writer = TreeWriter::new(algorithm, sink).map_err(tree_failed)?;
        let mut group = |group: EvidenceGroup| {
            let documents = assembler.documents(&group, &algorithms)?;
            let id = assembler.id(&group)?;
            let record = assembler.record(id, &documents)?;
            let renewed = record.renewed(&documents, algorithm).map_err(failed)?;
            let hash = group_hash(&renewed).ok_or(SealError::Corrupt("a group"))?;
            writer.push(id, hash).map_err(tree_failed)
        };
        let scan = Scan {
            reader: &package.reader,
            origin: &self.sealer.origin,
            span: &package.span,
            size: package.closing().size,
            folder: self.folder,
            entropy: &*self.sealer.entropy,
            file_bytes_max: super::FILE_BYTES_MAX,
        };
        // Rows of what was disposed of are gone, and so are its groups.
        scan.groups(|object| group(EvidenceGroup::Object(object.index)))?;
        let files = package.catalogue().files.iter().map(|file| &file.path);
        let logs: Vec<&String> = files.filter(|path| super::closing::is_log(path)).collect();
        for path in logs.into_iter().rev() {
            if !package.is_gone(path)? {
                group(EvidenceGroup::LogFile(path.clone()))?;
            }
        }
        group(EvidenceGroup::Package)?;
        writer.finish().map_err(tree_failed)?;
        file.finish()?;
        Ok(())
    }

    /// The token over the root: asked for, or found kept.
    fn stamp(&self, root: &Hash, stamper: &dyn Stamper) -> Result<RenewalFacts, SealError> {
        let name = format!("{TOKEN}.json");
        let kept = self.folder.read(&name, FILE_BYTES_MAX)?;
        let kept = kept.as_deref().and_then(RenewalFacts::parse);
        if let Some(facts) = kept.filter(|facts| facts.root == root.as_bytes()) {
            return Ok(facts);
        }
        let imprint = root.imprint();
        let imprint = imprint.ok_or(SealError::Corrupt("the hash of a renewal"))?;
        let stamped = stamper.stamp(&imprint)?;
        for (ending, octets) in [
            ("tsq", &stamped.request),
            ("tsr", &stamped.response),
            ("tst", &stamped.token),
        ] {
            self.folder.write(&format!("{TOKEN}.{ending}"), octets)?;
        }
        for material in stamped.certificates.iter().chain(&stamped.revocation) {
            let name = format!("material/{}.der", Sha256::of(material));
            self.folder.write(&name, material)?;
        }
        let facts = self.facts(root, &stamped);
        self.folder.write(&name, &facts.to_bytes())?;
        Ok(facts)
    }

    fn facts(&self, root: &Hash, stamped: &Stamped) -> RenewalFacts {
        RenewalFacts {
            kind: self.batch.kind,
            algorithm: root.algorithm().name().to_owned(),
            root: root.as_bytes().to_vec(),
            time: stamped.time,
            accuracy_ms: stamped.accuracy_ms,
            serial: stamped.serial.clone(),
            authority: stamped.authority.clone(),
            valid_until: stamped.valid_until,
            is_proven: stamped.is_proven,
        }
    }

    fn token(&self) -> Result<Vec<u8>, SealError> {
        let token = self.folder.read(&format!("{TOKEN}.tst"), FILE_BYTES_MAX)?;
        token.ok_or(SealError::Corrupt("the token of a renewal"))
    }

    /// Puts the renewal into a package, unless it is there.
    fn package(
        &self,
        target: &Target,
        facts: &RenewalFacts,
        token: &[u8],
    ) -> Result<(), SealError> {
        let package = self.opened(target.interval)?;
        let number = target.number;
        if package.renewals()?.len() as u32 >= number {
            return Ok(());
        }
        let record = self.renewed(&package, target, token)?;
        let stamp = record
            .last()
            .ok_or(SealError::Corrupt("an evidence record of nothing"))?;
        let into = &package.folder;
        let mut files: Vec<Entry> = Vec::new();
        if self.batch.kind == RenewalKind::HashTree {
            let mut tree = self.folder.open_plain(TREE)?;
            let mut file = into.plain(&name_of(number, "-tree.bin"))?;
            tree.each(|piece| file.write(piece).map_err(SealError::from))?;
            files.push(file.finish()?);
        }
        for ending in [".tsq", ".tsr", ".tst"] {
            let octets = self
                .folder
                .read(&format!("{TOKEN}{ending}"), FILE_BYTES_MAX)?;
            let octets = octets.ok_or(SealError::Corrupt("the token of a renewal"))?;
            files.push(into.write(&name_of(number, ending), &octets)?);
        }
        for (name, _) in self.folder.names("material")? {
            let octets = self
                .folder
                .read(&format!("material/{name}"), FILE_BYTES_MAX)?;
            let octets = octets.ok_or(SealError::Corrupt("the material of a renewal"))?;
            files.push(into.write(&format!("renewals/material/{name}"), &octets)?);
        }
        files.push(into.write(&name_of(number, ".ats"), stamp.to_der())?);
        files.push(into.write(&name_of(number, ".json"), &facts.to_bytes())?);
        let origin = self.sealer.origin.clone();
        let catalogue = Catalogue::new(origin, target.interval, files);
        self.probe.at("renewal catalogue")?;
        into.write(&catalogue_of(number), &catalogue.to_bytes())?;
        Ok(())
    }

    /// The record of the package group, renewed.
    fn renewed(
        &self,
        package: &Package,
        target: &Target,
        token: &[u8],
    ) -> Result<EvidenceRecord, SealError> {
        let mut assembler = Assembler::open(package)?;
        let mut algorithms = assembler.algorithms().to_vec();
        algorithms.push(self.batch.algorithm);
        algorithms.dedup();
        let documents = assembler.documents(&EvidenceGroup::Package, &algorithms)?;
        let mut record = assembler.record(file_id(0), &documents)?;
        let (tree, mut reader) = self.open_tree()?;
        let read_at = |at, n| reader.read_at(at, n).map_err(SealError::from);
        match self.batch.kind {
            RenewalKind::TimeStamp => {
                let last = record
                    .last()
                    .map(|last| last.token_hash(self.batch.algorithm));
                let last = last.ok_or(SealError::Corrupt("an evidence record of nothing"))?;
                let reduced = tree.reduced(target.interval.get(), &[last], read_at);
                let reduced = reduced.map_err(tree_failed)?;
                record.renew_time_stamp(reduced, token).map_err(failed)?;
            }
            RenewalKind::HashTree => {
                let hashes = record.renewed(&documents, self.batch.algorithm);
                let reduced = tree.reduced(file_id(0), &hashes.map_err(failed)?, read_at);
                let reduced = reduced.map_err(tree_failed)?;
                let renewed = record.renew_hash_tree(&documents, reduced, token);
                renewed.map_err(failed)?;
            }
        }
        Ok(record)
    }
}

impl Package {
    /// The last archive time-stamp, as it is kept: that of the package group, whose token all groups share.
    fn last_archive_stamp(&self) -> Result<ArchiveTimeStamp, SealError> {
        due::last_archive_stamp(&self.folder)
    }

    /// Certificates kept beside its tokens, and whatever else is kept there.
    pub fn certificates(&self) -> Result<Vec<Vec<u8>>, SealError> {
        Ok(due::certificates(&self.folder)?)
    }

    /// Whether a log file was disposed of with its class.
    fn is_gone(&self, path: &str) -> Result<bool, SealError> {
        match self.folder.open(path, &self.secrets()) {
            Ok(file) => Ok(file.is_none()),
            Err(FolderError::Keys(crate::keyring::KeyError::Missing { .. })) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}
