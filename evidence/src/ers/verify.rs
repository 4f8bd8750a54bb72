//! Verification of a record through all its renewals (RFC 4998 sections 3.3, 4.3 and 5.3).
//!
//! 1. In every tree, what is proven stands in the first list, and the tree leads to the imprint of the token: the
//!    documents in the first archive time-stamp, the token before in each one renewed, documents and all chains
//!    before in the first of every later chain.
//! 2. Every token verifies at its own time, with its certificates and algorithms still good at the time of the next;
//!    the last one's are good now.
//! 3. The hash of a chain is good when the next chain begins, or now. One chain has one hash.
//! 4. Times strictly ascend. The documents existed at the first.

use super::record::{ArchiveTimeStamp, EvidenceRecord};
use super::table::{Subject, Table};
use super::{Document, Hash, RecordError};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::judge::{Times, Trust};
use ceralacca_pec::tsp::{self, Accuracy, SignedWith, Token};

/// Whether the documents handed in must be all of the group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coverage {
    /// All: that none is missing is proven too.
    WholeGroup,
    /// Some of them: each is proven to be of it.
    Members,
}

/// What a record is verified against.
#[derive(Clone, Copy)]
pub struct Check<'a> {
    /// The roots of time-stamping authorities, and what helps to reach them: authorities' certificates, CRLs.
    pub trust: &'a Trust,
    /// How long algorithms last.
    pub table: &'a Table,
    /// Now.
    pub now: UtcMillis,
    /// Whether the documents are the whole group.
    pub coverage: Coverage,
}

/// What a record proves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// When the documents existed: genTime of the first token.
    pub existed_at: UtcMillis,
    /// The archive time-stamps, oldest first.
    pub stamps: Vec<VerifiedStamp>,
    /// Until when the last one holds: renewed before, the record goes on.
    pub until: UtcMillis,
}

/// What one archive time-stamp of a record says, and until when it holds alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedStamp {
    /// The number of its chain, from 0.
    pub chain: usize,
    /// Its number in the chain, from 0.
    pub stamp: usize,
    /// genTime.
    pub time: UtcMillis,
    /// How far it may be off.
    pub accuracy: Accuracy,
    /// The hash of its tree.
    pub hash: DigestAlgorithm,
    /// Common name of who signed it.
    pub authority: Option<String>,
    /// What the token rests on.
    pub signatures: Vec<SignedWith>,
    /// Until when its certificates are valid.
    pub certificates_until: UtcMillis,
    /// The last instant at which certificates and algorithms, the hash too, are good.
    pub until: UtcMillis,
    /// Whether CRLs at hand vouch for the signer's certificate.
    pub is_revocation_known: bool,
}

/// Why a record proves nothing, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("archive time-stamp {stamp} of chain {chain}: {fault}")]
pub struct VerifyError {
    /// The number of the chain, from 0.
    pub chain: usize,
    /// The number of the archive time-stamp in it, from 0.
    pub stamp: usize,
    /// What is wrong.
    pub fault: RecordError,
}

/// Verifies a record of these documents, each hashed by [`EvidenceRecord::algorithms`].
pub fn verify(
    record: &EvidenceRecord,
    documents: &[Document],
    check: &Check<'_>,
) -> Result<Verified, VerifyError> {
    let mut found = Vec::new();
    for (chain, stamps) in record.chains().iter().enumerate() {
        for (stamp, ats) in stamps.iter().enumerate() {
            let at = Place {
                record,
                chain,
                stamp,
                ats,
            };
            let fault = |fault| VerifyError {
                chain,
                stamp,
                fault,
            };
            let token = at.token(documents, check).map_err(fault)?;
            found.push((at, token));
        }
    }
    let times: Vec<UtcMillis> = found.iter().map(|(_, token)| time_of(token)).collect();
    let mut stamps = Vec::new();
    for (number, (at, token)) in found.iter().enumerate() {
        let next = times.get(number + 1).copied();
        let chain_ends = found.iter().position(|(other, _)| other.chain > at.chain);
        let chain_ends = chain_ends.and_then(|first| times.get(first).copied());
        let held = at.held(token, next, chain_ends, check);
        stamps.push(held.map_err(|fault| VerifyError {
            chain: at.chain,
            stamp: at.stamp,
            fault,
        })?);
    }
    let empty = || VerifyError {
        chain: 0,
        stamp: 0,
        fault: RecordError::Malformed("archiveTimeStampSequence"),
    };
    Ok(Verified {
        existed_at: times.first().copied().ok_or_else(empty)?,
        until: stamps.last().map(|last| last.until).ok_or_else(empty)?,
        stamps,
    })
}

/// An archive time-stamp where it stands.
struct Place<'a> {
    record: &'a EvidenceRecord,
    chain: usize,
    stamp: usize,
    ats: &'a ArchiveTimeStamp,
}

impl Place<'_> {
    /// Its token, verified over what it must be over.
    fn token(
        &self,
        documents: &[Document],
        check: &Check<'_>,
    ) -> Result<tsp::Verified, RecordError> {
        let algorithm = self.ats.algorithm();
        if !self.record.declares(algorithm) {
            return Err(RecordError::Undeclared(algorithm));
        }
        let imprint = self.imprint(documents, check.coverage)?;
        let token = Token::read(self.ats.token()).map_err(RecordError::Token)?;
        if token.info().algorithm != algorithm {
            return Err(RecordError::TokenAlgorithm);
        }
        if token.info().imprint != imprint.as_bytes() {
            return Err(RecordError::TokenImprint);
        }
        let times = Times {
            received_ms: i64::try_from(check.now.get()).ok(),
        };
        let verified = token.verify(imprint.as_bytes(), check.trust, times);
        verified.map_err(RecordError::Token)
    }

    /// What must have been stamped.
    fn imprint(&self, documents: &[Document], coverage: Coverage) -> Result<Hash, RecordError> {
        let algorithm = self.ats.algorithm();
        let stamps = self.record.chains().get(self.chain);
        let before = self.stamp.checked_sub(1);
        let before = stamps
            .zip(before)
            .and_then(|(stamps, before)| stamps.get(before));
        let (expected, is_whole) = match before {
            Some(before) if before.algorithm() != algorithm => {
                return Err(RecordError::ChainAlgorithm);
            }
            // Many old tokens may share one tree, and one list.
            Some(before) => (vec![before.token_hash(algorithm)], false),
            None => {
                let expected = self
                    .record
                    .renewed_before(self.chain, documents, algorithm)?;
                (expected, coverage == Coverage::WholeGroup)
            }
        };
        match (self.ats.reduced(), expected.as_slice()) {
            (Some(tree), expected) => {
                tree.holds(expected, is_whole)?;
                tree.root().ok_or(RecordError::Malformed("reducedHashtree"))
            }
            (None, [one]) => Ok(*one),
            (None, []) => Err(RecordError::NotInFirstList),
            (None, _) => Err(RecordError::NoTree),
        }
    }

    /// That it held until the next one, and its hash until the next chain; otherwise until now.
    fn held(
        &self,
        token: &tsp::Verified,
        next: Option<UtcMillis>,
        chain_ends: Option<UtcMillis>,
        check: &Check<'_>,
    ) -> Result<VerifiedStamp, RecordError> {
        let time = time_of(token);
        if let Some(found) = next.filter(|next| *next <= time) {
            return Err(RecordError::Order {
                before: time,
                found,
            });
        }
        let certificates_until = millis(token.valid_until_ms);
        let at = next.unwrap_or(check.now);
        if certificates_until < at {
            return Err(RecordError::CertificateEnded {
                until: certificates_until,
                at,
            });
        }
        let hash = Subject::Hash(self.ats.algorithm());
        check.table.check(hash, chain_ends.unwrap_or(check.now))?;
        let mut until = certificates_until;
        for subject in token.signatures.iter().flat_map(Subject::of) {
            check.table.check(subject, at)?;
            until = until.min(last_good(check.table.end(subject)?));
        }
        Ok(VerifiedStamp {
            chain: self.chain,
            stamp: self.stamp,
            time,
            accuracy: token.info.accuracy,
            hash: self.ats.algorithm(),
            authority: token.signer.common_name.clone(),
            signatures: token.signatures.clone(),
            certificates_until,
            until: until.min(last_good(check.table.end(hash)?)),
            is_revocation_known: token.is_revocation_known,
        })
    }
}

/// The last instant before an end.
fn last_good(end: Option<UtcMillis>) -> UtcMillis {
    UtcMillis::new(end.map_or(u64::MAX, |end| end.get().saturating_sub(1)))
}

fn time_of(token: &tsp::Verified) -> UtcMillis {
    millis(token.info.gen_ms)
}

/// Before 1970 nobody stamped anything.
fn millis(ms: i64) -> UtcMillis {
    UtcMillis::new(u64::try_from(ms).unwrap_or(0))
}
