//! A package that was given while intervals were open, completed once they are closed: what the closings added, and a
//! second manifest over all files of both. The first manifest and its signature stay what they were.
//!
//! # Invariants
//! 1. What is signed again is what this log signed before: the earlier manifest must carry our own signature, and each
//!    record is held against the leaf that it lists.
//! 2. Only records that the permit covers are completed; that is recorded before anything leaves.

use super::ReissueError;
use super::closed::{Closed, Interval, Intervals};
use super::files::{self, File, Octets};
use super::package::{LOG_KEY, ROOTS, Reissuer, of_package};
use crate::desk::{DeskError, PACKAGE_RECORDS_MAX, Shown};
use crate::seal::EvidenceGroup;
use ceralacca_evidence::asic::{AddedFile, Addition, AsicError, Part};
use ceralacca_evidence::cades::{self, Content};
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::proof::ProofFile;
use ceralacca_pages::model::Language;
use ceralacca_pages::{Package, ProofFile as ProofName, TokenFile, leggimi};
use ceralacca_pec::cades as signatures;
use ceralacca_pec::judge::{Material, Trust};
use std::collections::BTreeMap;

/// The most records of a package, and the trace records of their facts.
pub const COMPLETED_RECORDS_MAX: usize = 2 * PACKAGE_RECORDS_MAX;

/// A package that lacks the seal of some of its intervals.
#[derive(Clone, Debug)]
pub struct Incomplete {
    /// Its last manifest.
    pub manifest: Vec<u8>,
    /// The signature over that.
    pub signature: Vec<u8>,
    /// Its records: the stem of their files, and their leaf.
    pub records: Vec<(String, LeafIndex)>,
    /// The name that the completed package is to have.
    pub name: String,
    /// Whether that is of a folder.
    pub as_folder: bool,
    /// Language of the commands.
    pub language: Language,
}

/// What is added. Its disclosure is recorded.
pub struct Completed {
    /// The files, in their order.
    pub files: Vec<AddedFile>,
    /// Whether every interval concerned is closed now.
    pub is_sealed: bool,
    /// The custody leaf that records it.
    pub disclosure: LeafIndex,
}

/// What is gathered of the intervals that were closed since.
#[derive(Default)]
struct Gathered {
    files: Vec<File>,
    records: Vec<(Vec<String>, Vec<u8>)>,
    proofs: Vec<(String, ProofFile)>,
}

impl Reissuer<'_> {
    /// What the closings added since.
    ///
    /// # Errors
    /// [`ReissueError::OtherManifest`]; [`ReissueError::NotSealed`] while the intervals are open;
    /// [`ReissueError::Complete`] where nothing is missing.
    pub fn complete(&self, asked: &Incomplete) -> Result<Completed, ReissueError> {
        let mut addition = self.own(asked)?;
        let mut shown = Vec::with_capacity(asked.records.len());
        let indexes: Vec<LeafIndex> = asked.records.iter().map(|(_, index)| *index).collect();
        let signature = Sha256::of(&asked.signature);
        let words = format!("complete package signature={signature}");
        let (records, disclosure) = self.desk.shown_again(&indexes, &words)?;
        for ((stem, _), record) in asked.records.iter().zip(records) {
            let leaf = Sha256::of(&record.opened.leaf.to_bytes());
            if addition.digest(&format!("{stem}.leaf.bin")) != Some(leaf) {
                return Err(ReissueError::OtherManifest("it lists another leaf"));
            }
            shown.push((stem.as_str(), record));
        }
        let checkpoint = self.desk.checkpoint()?.clone();
        let intervals = Intervals {
            reader: self.desk.engine(),
            state: self.desk.published(),
            sealer: self.sealer,
            keys: &self.keys,
            shown: &checkpoint,
            witnessed: self.desk.witnessed(),
            witness_keys: &self.witnesses,
        };
        let intervals = intervals.of(shown.iter().map(|(_, record)| record.interval))?;
        let lacks = |id: IntervalId| {
            let name = format!("{}/checkpoint", files::folder_of(id));
            addition.digest(&name).is_none()
        };
        let missing: Vec<IntervalId> = intervals.keys().copied().filter(|id| lacks(*id)).collect();
        let mut gathered = Gathered::default();
        for (stem, record) in &shown {
            let closed = intervals.get(&record.interval);
            let closed = closed.and_then(|interval| interval.closed.as_ref());
            if let (Some(closed), true) = (closed, missing.contains(&record.interval)) {
                self.record(stem, record, closed, &addition, &mut gathered)?;
            }
        }
        self.intervals(&intervals, &missing, &shown, &mut gathered)?;
        let is_sealed = intervals.values().all(|interval| interval.closed.is_some());
        self.put(asked, &gathered, is_sealed, &mut addition)?;
        let authorities = self.authorities;
        let (signer, stamper) = (&*authorities.signer, &*authorities.stamper);
        let made = self.clock.wall();
        let added = addition.sign(|manifest| {
            let content = Content::detached(manifest);
            let signed = cades::sign_stamped(content, made, signer, stamper);
            signed.map(|(signature, _)| signature)
        })?;
        Ok(Completed {
            files: added,
            is_sealed,
            disclosure,
        })
    }

    /// The package, where its last signature is our own.
    fn own(&self, asked: &Incomplete) -> Result<Addition, ReissueError> {
        let addition = Addition::after(&asked.manifest, &asked.signature);
        let addition = addition.map_err(|error| match error {
            AsicError::Io(_) => ReissueError::Container(error),
            _ => ReissueError::OtherManifest("it is no manifest as this log writes them"),
        })?;
        let signer = &*self.authorities.signer;
        let mut anchors = signer.chain().to_vec();
        anchors.push(signer.certificate().to_vec());
        let material = Material {
            anchors,
            ..Material::default()
        };
        let other = |_| ReissueError::OtherManifest("the seal key has no chain");
        let trust = Trust::new(material).map_err(other)?;
        let now = i64::try_from(self.clock.wall().get()).unwrap_or(i64::MAX);
        let found = signatures::verify(&asked.signature, Some(&asked.manifest), &trust, now);
        let is_own = found.is_ok_and(|found| {
            found.signer.sha256 == Sha256::of(signer.certificate()).as_bytes().as_slice()
        });
        match is_own {
            true => Ok(addition),
            false => Err(ReissueError::OtherManifest(
                "its signature is not of the seal key in use: ask for a new package",
            )),
        }
    }

    /// The proof of a record under the checkpoint of its interval, and its evidence record.
    fn record(
        &self,
        stem: &str,
        record: &Shown,
        closed: &Closed,
        addition: &Addition,
        gathered: &mut Gathered,
    ) -> Result<(), ReissueError> {
        let reader = self.desk.engine();
        let state = self.desk.published();
        let proof = reader.proof_under(state, &record.opened, &closed.checkpoint);
        let proof = proof.map_err(DeskError::Read)?;
        let (_, key) = self.keys.open(proof.note.as_bytes())?;
        proof.verify(key)?;
        let sealed = format!("{stem}.sealed");
        files::of_proof(&sealed, &proof, &mut gathered.files);
        gathered.proofs.push((sealed, proof));
        if record.opened.has_own_keys() && record.opened.has_content() {
            let number = stem.strip_prefix("proof/").unwrap_or(stem);
            let begins = format!("{number}-");
            let mut names = addition.names();
            let file = names.find(|name| name.starts_with(&begins) && name.ends_with(".eml"));
            let file = file.ok_or(ReissueError::OtherManifest("it lists no object"))?;
            if addition.digest(file) != Some(record.opened.content.sha256) {
                return Err(ReissueError::OtherManifest("it lists another object"));
            }
            let group = EvidenceGroup::Object(record.opened.leaf.seq);
            let ers = closed.package.evidence(&group)?;
            let covers = vec![file.to_owned(), format!("{stem}.r.bin")];
            gathered.records.push((covers, ers.to_der()));
        }
        Ok(())
    }

    /// What proves the intervals that the package lacks.
    fn intervals(
        &self,
        intervals: &BTreeMap<IntervalId, Interval>,
        missing: &[IntervalId],
        shown: &[(&str, Shown)],
        gathered: &mut Gathered,
    ) -> Result<(), ReissueError> {
        for id in missing {
            if let Some(interval) = intervals.get(id)
                && let Some(closed) = &interval.closed
            {
                files::of_interval(interval, closed, &mut gathered.files);
                gathered.records.push(of_package(interval, closed));
            }
        }
        if !gathered.files.is_empty() {
            return Ok(());
        }
        let waits = intervals
            .values()
            .find(|interval| interval.closed.is_none());
        let Some(waits) = waits else {
            return Err(ReissueError::Complete);
        };
        let first = shown.iter().find(|(_, r)| r.interval == waits.span.id);
        let index = first.map_or(waits.span.first, |(_, record)| record.opened.leaf.seq);
        let end = waits.span.end;
        Err(ReissueError::NotSealed { index, end })
    }

    /// The files, their commands, and the evidence records.
    fn put(
        &self,
        asked: &Incomplete,
        gathered: &Gathered,
        is_sealed: bool,
        addition: &mut Addition,
    ) -> Result<(), ReissueError> {
        let earlier = addition.names();
        let manifests = earlier.filter(|name| name.starts_with("META-INF/ASiCManifest"));
        let number = u16::try_from(manifests.count().saturating_add(1)).unwrap_or(u16::MAX);
        let text = self.commands(asked, gathered, is_sealed, number)?;
        for file in &gathered.files {
            if let Octets::Held(octets) = &file.octets {
                addition.add(Part::of(&file.name, file.media_type, octets))?;
            }
        }
        let name = format!("LEGGIMI-{number:03}.txt");
        addition.add(Part::of(&name, "text/plain", text.as_bytes()))?;
        for (covers, ers) in &gathered.records {
            let covers: Vec<&str> = covers.iter().map(String::as_str).collect();
            addition.evidence_record(&covers, ers)?;
        }
        Ok(())
    }

    fn commands(
        &self,
        asked: &Incomplete,
        gathered: &Gathered,
        is_sealed: bool,
        signatures: u16,
    ) -> Result<String, ReissueError> {
        let listed: Vec<_> = gathered.files.iter().map(File::listed).collect();
        let tokens = listed.iter().filter_map(|file| {
            let covers = file.name.strip_suffix(".tst")?;
            Some(TokenFile {
                token: file.name.clone(),
                covers: covers.to_owned(),
            })
        });
        let tokens: Vec<_> = tokens.collect();
        let proofs = gathered.proofs.iter().map(|(stem, proof)| ProofName {
            leaf: proof.index.get(),
            proof: format!("{stem}.tlog-proof"),
            content: None,
        });
        let proofs: Vec<_> = proofs.collect();
        let authorities = self.authorities;
        Ok(leggimi(&Package {
            language: asked.language,
            form: match asked.as_folder {
                true => ceralacca_pages::Form::Folder(&asked.name),
                false => ceralacca_pages::Form::Archive(&asked.name),
            },
            roots: ROOTS,
            log_key: LOG_KEY,
            verify_proof: files::VERIFY,
            files: &listed,
            objects: &[],
            tokens: &tokens,
            certificates: &[],
            proofs: &proofs,
            signatures,
            is_development: authorities.signer.is_development()
                || authorities.stamper.is_development(),
            is_pending: !is_sealed,
        })?)
    }
}
