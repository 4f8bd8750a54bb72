//! What an interval is proven by: its checkpoint, tokens, closing, index; or that it is not closed yet.

use super::ReissueError;
use crate::audit::Reader;
use crate::seal::{EvidenceGroup, Package, SealError, Sealer, StampFacts};
use crate::sequencer::{Published, Span};
use ceralacca_evidence::ers::EvidenceRecord;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{IntervalId, TreeSize, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::ProofFile;
use ceralacca_formats::renewal::RenewalFacts;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_pec::judge::Signer;
use ceralacca_pec::tsp;
use std::collections::BTreeMap;

/// The longest file of a package that is taken along, in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 16 << 20;
const CHECKPOINT: &str = "checkpoint";

/// An interval whose package is complete.
pub(super) struct Closed {
    /// Its package.
    pub(super) package: Package,
    /// The checkpoint at its end.
    pub(super) checkpoint: Checkpoint,
    /// What its token says.
    pub(super) stamp: StampFacts,
    /// Names and octets of what is taken along.
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
    /// Proof of the leaf that closed it.
    pub(super) closing: ProofFile,
    /// Each log file with what its token says.
    pub(super) logs: Vec<(String, Sha256, Option<StampFacts>)>,
    /// Whether it begins where the interval before ends, and that one is closed; none for the first.
    pub(super) follows: Option<bool>,
    /// The verifier key that signed its checkpoint.
    pub(super) key: String,
    /// Witnesses that cosigned the checkpoint under which the closing leaf is proven.
    pub(super) witnesses: Vec<Witness>,
    /// The evidence record of its package as it is now, every renewal appended.
    pub(super) evidence: EvidenceRecord,
    /// The renewals, oldest first.
    pub(super) renewals: Vec<RenewalFacts>,
    /// Who signed the token over its checkpoint.
    pub(super) stamped_by: Option<Signer>,
}

/// A witness's cosignature.
pub(super) struct Witness {
    pub(super) name: String,
    /// Its verifier key.
    pub(super) key: String,
    /// When it says it signed.
    pub(super) at: UtcMillis,
    /// The tree it cosigned.
    pub(super) size: TreeSize,
}

/// Who signed a token, by its own word: its authority's checks were made when it came.
pub(super) fn signer_of(token: &[u8], certificates: &[Vec<u8>]) -> Option<Signer> {
    let read = tsp::Token::read(token).ok()?;
    let verified = read.by_its_own_word(certificates).ok()?;
    Some(verified.signer)
}

/// An interval, closed or not.
pub(super) struct Interval {
    pub(super) span: Span,
    pub(super) closed: Option<Closed>,
}

/// What reads intervals.
pub(super) struct Intervals<'a> {
    pub(super) reader: &'a Reader,
    pub(super) state: &'a Published,
    pub(super) sealer: &'a Sealer,
    pub(super) keys: &'a KeyChain,
    /// The checkpoint under which closing leaves are proven that no witnessed one covers.
    pub(super) shown: &'a Checkpoint,
    /// The newest checkpoint with cosignatures, where there is any.
    pub(super) witnessed: Option<&'a Checkpoint>,
    /// The keys of the witnesses in whom the log trusts.
    pub(super) witness_keys: &'a [VerifierKey],
}

impl Intervals<'_> {
    /// The intervals of some records.
    pub(super) fn of(
        &self,
        ids: impl Iterator<Item = IntervalId>,
    ) -> Result<BTreeMap<IntervalId, Interval>, ReissueError> {
        let mut intervals = BTreeMap::new();
        for id in ids {
            if intervals.contains_key(&id) {
                continue;
            }
            let span = self.state.spans.iter().find(|span| span.id == id);
            let Some(span) = span.copied() else {
                continue;
            };
            let closed = self.closed(&span)?;
            intervals.insert(id, Interval { span, closed });
        }
        Ok(intervals)
    }

    fn closed(&self, span: &Span) -> Result<Option<Closed>, ReissueError> {
        // A closing leaf that nobody is shown yet cannot be proven: the seal is to follow.
        let leaf = span.closed.filter(|leaf| leaf.is_within(self.shown.size()));
        let Some((leaf, package)) = leaf.zip(self.sealer.package(span.id)?) else {
            return Ok(None);
        };
        let names = [
            CHECKPOINT,
            "checkpoint.tst",
            "contents.json",
            "PIndex.xml.p7m",
            "package.ers",
        ];
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            files.push((name, package.octets(name, FILE_BYTES_MAX)?));
        }
        let note = files.first().map(|(_, octets)| octets.as_slice());
        let (checkpoint, key) = self.keys.open(note.unwrap_or_default())?;
        let note = Sha256::of(note.unwrap_or_default());
        let stamp = package.stamp(CHECKPOINT, &note)?;
        let stamp = stamp.ok_or(SealError::Corrupt("the token of a checkpoint"))?;
        let opened = self.reader.record(self.state, leaf);
        let opened = opened.map_err(crate::desk::DeskError::Read)?;
        let witnessed = self.witnessed.filter(|w| leaf.is_within(w.size()));
        let under = witnessed.unwrap_or(self.shown);
        let closing = self.reader.proof_under(self.state, &opened, under);
        let closing = closing.map_err(crate::desk::DeskError::Read)?;
        let mut logs = Vec::new();
        for entry in &package.catalogue().files {
            if entry.path.starts_with("log-") && entry.path.ends_with(".jsonl") {
                let stamp = package.stamp(&entry.path, &entry.sha256)?;
                logs.push((entry.path.clone(), entry.sha256, stamp));
            }
        }
        let renewals = package.renewals()?;
        let recorded = files.iter().find(|(name, _)| *name == "package.ers");
        let evidence = match renewals.is_empty() {
            // As it was closed: nothing is cut anew.
            true => EvidenceRecord::from_der(recorded.map_or(&[], |(_, octets)| octets)),
            false => Ok(package.evidence(&EvidenceGroup::Package)?),
        };
        let token = files.iter().find(|(name, _)| *name == "checkpoint.tst");
        let stamped_by = match token {
            Some((_, token)) => signer_of(token, &package.certificates()?),
            None => None,
        };
        Ok(Some(Closed {
            follows: self.follows(span)?,
            key: key.to_string(),
            witnesses: self.witnesses(&closing)?,
            evidence: evidence.map_err(|error| SealError::Evidence(error.to_string()))?,
            renewals: renewals.into_iter().map(|(_, facts)| facts).collect(),
            stamped_by,
            package,
            checkpoint,
            stamp,
            files,
            closing,
            logs,
        }))
    }

    /// Who cosigned the checkpoint of a proof.
    fn witnesses(&self, proof: &ProofFile) -> Result<Vec<Witness>, ReissueError> {
        let (_, key) = self.keys.open(proof.note.as_bytes())?;
        let known: Vec<&VerifierKey> = self.witness_keys.iter().collect();
        let opened = Checkpoint::open_cosigned(proof.note.as_bytes(), &[key], &known)?;
        let (checkpoint, cosigned) = opened;
        let witness = |(key, seconds): (VerifierKey, u64)| Witness {
            name: key.name().to_owned(),
            key: key.to_string(),
            at: UtcMillis::new(seconds.saturating_mul(1000)),
            size: checkpoint.size(),
        };
        Ok(cosigned.into_iter().map(witness).collect())
    }

    fn follows(&self, span: &Span) -> Result<Option<bool>, ReissueError> {
        let place = self.state.spans.partition_point(|other| other.id < span.id);
        let before = place.checked_sub(1).and_then(|at| self.state.spans.get(at));
        let Some(before) = before else {
            return Ok(None);
        };
        if before.closed.is_none() {
            return Ok(Some(false));
        }
        let closing = self.sealer.closing(before)?;
        Ok(Some(closing.size.get() == span.first.get()))
    }
}

impl Closed {
    /// The latest token over the log file of a class: all of them are over each part.
    pub(super) fn log_time(&self, class: Class) -> Option<(String, UtcMillis)> {
        let begins = format!("log-{class}-");
        let of_class = self
            .logs
            .iter()
            .filter(|(name, ..)| name.starts_with(&begins));
        let times =
            of_class.filter_map(|(name, _, stamp)| Some((name.clone(), stamp.as_ref()?.time)));
        times.max_by_key(|(_, time)| *time)
    }
}
