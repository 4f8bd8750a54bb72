//! A package that was given while intervals were open, completed once they are closed: what the closings added, and a
//! second manifest over all files of both. The first manifest and its signature stay what they were.
//!
//! # Invariants
//! 1. What is signed again is what this log gave out: the earlier manifest ends with our own tag over every file before
//!    it and over the certificates of its signature (`issue`). The signature verifies, under those and no others; it has
//!    a time-stamp of an authority that is ours; no octet of it is written otherwise than it must be. Whose key seals
//!    now does not matter, nor who else has a key that sealed before.
//! 2. Every record of the package is completed, or none: the manifest says which there are, and each is held against the
//!    leaf that it lists.
//! 3. Only records that the permit covers are completed; that is recorded before anything leaves.
//! 4. What a client chooses and is signed: the name, form and language that the commands have; and of the earlier
//!    signature what its signer alone does not settle: which of two ECDSA twins it is, and another time-stamp of our
//!    authorities.

use super::ReissueError;
use super::closed::{Closed, FILE_BYTES_MAX, Interval, Intervals};
use super::files::{self, File, Octets};
use super::issue;
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
use ceralacca_pec::exact;
use ceralacca_pec::judge::{self, Material, Trust};
use std::collections::{BTreeMap, BTreeSet};

/// The most records of a package, and the trace records of their facts.
pub const COMPLETED_RECORDS_MAX: usize = 2 * PACKAGE_RECORDS_MAX;

/// Closings whose authorities are known, back from the last record's: a package is completed within days.
const CLOSINGS_MAX: usize = 16;

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

/// How many manifests over signatures there are.
fn manifests(addition: &Addition) -> usize {
    let names = addition.names();
    let manifests = names.filter(|name| name.starts_with("META-INF/ASiCManifest"));
    manifests.count()
}

/// That the records named are all that the package has, each once: what is said of the seal is of all of them.
fn every_record(addition: &Addition, named: &[(String, LeafIndex)]) -> Result<(), ReissueError> {
    let is_record = |stem: &str| {
        let number = stem.strip_prefix("proof/").unwrap_or_default();
        let number = number.strip_suffix(".facts").unwrap_or(number);
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    };
    let stems = addition.names();
    let stems = stems.filter_map(|name| name.strip_suffix(".leaf.bin"));
    let there: BTreeSet<&str> = stems.filter(|stem| is_record(stem)).collect();
    let given: BTreeSet<&str> = named.iter().map(|(stem, _)| stem.as_str()).collect();
    match given.len() == named.len() && given == there {
        true => Ok(()),
        false => Err(ReissueError::OtherManifest(
            "the records named are not all that it has, each once",
        )),
    }
}

impl Reissuer<'_> {
    /// What the closings added since.
    ///
    /// # Errors
    /// [`ReissueError::OtherManifest`]; [`ReissueError::NotSealed`] while the intervals are open;
    /// [`ReissueError::Complete`] where nothing is missing.
    pub fn complete(&self, asked: &Incomplete) -> Result<Completed, ReissueError> {
        let mut addition = self.own(asked)?;
        every_record(&addition, &asked.records)?;
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

    /// The package, where this log gave it out and nothing of it was altered since.
    fn own(&self, asked: &Incomplete) -> Result<Addition, ReissueError> {
        let addition = Addition::after(&asked.manifest, &asked.signature);
        let addition = addition.map_err(|error| match error {
            AsicError::Io(_) => ReissueError::Container(error),
            _ => ReissueError::OtherManifest("it is no manifest as this log writes them"),
        })?;
        let certificates = judge::cms::certificates(&asked.signature);
        if !self.is_tagged(&addition, &certificates) {
            return Err(ReissueError::OtherManifest(
                "this log did not give it out: ask for a new package",
            ));
        }
        let trust = |anchors| {
            let material = Material {
                anchors,
                ..Material::default()
            };
            let refused = |_| ReissueError::OtherManifest("a certificate in it cannot be read");
            Trust::new(material).map_err(refused)
        };
        let anchors = self.stampers(asked)?;
        let (seal, stamps) = (trust(certificates.clone())?, trust(anchors.clone())?);
        let content = Some(asked.manifest.as_slice());
        let now = self.clock.wall();
        match cades::verify(&asked.signature, content, &seal, &stamps, now) {
            Ok(found) if found.stamps.is_empty() => Err(ReissueError::OtherManifest(
                "its signature has no time-stamp",
            )),
            Ok(_) => Ok(()),
            Err(cades::VerifyError::Signature(_)) => Err(ReissueError::OtherManifest(
                "its signature is not that of its manifest",
            )),
            Err(cades::VerifyError::Stamp(..)) => Err(ReissueError::OtherManifest(
                "its time-stamp is of no authority that is asked here: ask for a new package",
            )),
        }?;
        let all = trust(certificates.into_iter().chain(anchors).collect())?;
        match exact::check(&asked.signature, &all) {
            Ok(()) => Ok(addition),
            Err(_) => Err(ReissueError::OtherManifest(
                "its signature is not written as it was made",
            )),
        }
    }

    /// Roots of the authorities that stamp, and certificates of those that stamped the closings up to the records'.
    fn stampers(&self, asked: &Incomplete) -> Result<Vec<Vec<u8>>, ReissueError> {
        let state = self.desk.published();
        let indexes = asked.records.iter().map(|(_, index)| *index);
        let last = indexes.max().map(|index| state.interval_of(index));
        let spans = state.spans.iter().rev();
        let closed = spans.filter(|span| span.closed.is_some() && Some(span.id) <= last);
        let mut anchors = self.authorities.stamper.anchors();
        for span in closed.take(CLOSINGS_MAX) {
            if let Some(package) = self.sealer.package(span.id)? {
                anchors.extend(package.certificates()?);
                let token = package.octets("checkpoint.tst", FILE_BYTES_MAX)?;
                anchors.extend(judge::cms::certificates(&token));
            }
        }
        anchors.sort_unstable();
        anchors.dedup();
        // Lists of revoked certificates are kept beside them.
        anchors.retain(|der| {
            let material = Material {
                anchors: vec![der.clone()],
                ..Material::default()
            };
            Trust::new(material).is_ok()
        });
        Ok(anchors)
    }

    /// Whether the last file that the manifest lists is our tag over all before it.
    fn is_tagged(&self, addition: &Addition, certificates: &[Vec<u8>]) -> bool {
        let files: Vec<_> = addition.digests().collect();
        // After what it lists the manifest itself and its signature.
        let [before @ .., (name, found), _, _] = files.as_slice() else {
            return false;
        };
        let certificates = certificates.iter().map(Vec::as_slice);
        let before = before.iter().copied();
        let tag = issue::tag(self.desk.engine(), certificates, before);
        *name == issue::name(manifests(addition)) && *found == Sha256::of(&tag)
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
        let place = manifests(addition).saturating_add(1);
        let number = u16::try_from(place).unwrap_or(u16::MAX);
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
        let signer = &*self.authorities.signer;
        let certificates = issue::of_signer(signer);
        let tag = issue::tag(self.desk.engine(), certificates, addition.digests());
        addition.add(Part::of(&issue::name(place), issue::MEDIA_TYPE, &tag))?;
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
