//! Judging signatures: is this what a provider signed, and was that provider to be trusted when it did?
//!
//! # Invariants
//! 1. Pure: time and trust material are arguments. The same reading, material and times give the same verdict.
//! 2. Total: whatever the signature is, there is a verdict, with its [`Ground`]s; nothing panics.
//! 3. A level is the worst that its grounds make it: see [`Level`]. What is only to be known never changes it.
//! 4. Bounded: by the constants of `cms`, `path` and `trust`, and by what the reader kept.
//!
//! # Revocation
//! Messages carry no revocation data, and old CRLs are rarely at hand. That none is at hand is said
//! ([`Ground::RevocationUnknown`], [`Verdict::revocation`]) and does not lower the level: it is a limit of what
//! was looked at, not something found against the signer. Who needs more asks for [`Revocation::Good`], and
//! hands in a CRL or an OCSP response made after the signature and before the certificate expired.
//!
//! # Not here
//! OCSP responses inside a signature; time-stamps in unsigned attributes; certificate policies.
//!
//! # Map, in reading order
//! - [`verdict`], [`ground`]: the answer, and the closed list of what it says
//! - `ber`, `time`, `certificate`, `verify`: octets to values; algorithms
//! - [`cms`]: SignedData, and its signers over a content
//! - [`path`], `constraints`, [`revocation`], [`ocsp`], [`trust`]: from a certificate to an anchor
//! - [`directory`]: the directory of providers
//! - [`mod@explain`]: what a broken signature would need to be good

pub(crate) mod ber;
pub(crate) mod certificate;
pub mod cms;
mod constraints;
pub mod directory;
pub mod explain;
pub mod ground;
mod known;
pub mod ocsp;
pub mod path;
mod remembered;
pub mod revocation;
pub(crate) mod said;
pub(crate) mod time;
pub mod trust;
pub mod verdict;
pub(crate) mod verify;

pub use cms::Form;
pub use directory::{Directory, DirectoryError};
pub use explain::{Explanation, explain};
pub use ground::{Effect, Ground};
pub use revocation::Revocation;
pub use trust::{Directories, DirectoryAt, Material, Trust, TrustError};
pub use verdict::{Level, Signer, Times, Verdict};
pub use verify::{Scheme, SignatureAlgorithm};

use crate::digests::{self, DigestAlgorithm, SignedDigests};
use crate::header;
use crate::reading::{Reading, cut, decode_signature};
use ceralacca_formats::canonical::Text;
use ceralacca_formats::leaf::Kind;
use certificate::Certificate;
use cms::{Claim, Content, SignedData};
use known::Chains;

/// How far the signing time may be from that of the daticert: real ones are within a second.
pub const SIGNING_TIME_TOLERANCE_MS: i64 = 5000;

/// Judges the signature of a message.
pub fn judge(reading: &Reading, trust: &Trust, times: Times) -> Verdict {
    let Some((range, digests)) = reading
        .signature
        .as_ref()
        .zip(reading.signed_digests.as_ref())
    else {
        return Verdict::of(vec![Ground::NoSignature]);
    };
    let Some(entity) = &reading.signature_entity else {
        let ground = match range.is_empty() {
            true => Ground::SignatureEmpty,
            false => Ground::SignatureTooLarge,
        };
        return Verdict::of(vec![ground]);
    };
    let Some(p7s) = decode_signature(entity) else {
        return Verdict::of(vec![Ground::SignatureEncoding]);
    };
    if p7s.iter().all(u8::is_ascii_whitespace) {
        return Verdict::of(vec![Ground::SignatureEmpty]);
    }
    judge_cms(&p7s, Some(digests), Some(reading), trust, times)
}

/// Judges the signature of a message at hand: `bytes` is the whole message that `reading` is of. The verdict is that of
/// [`judge`] on what [`crate::read`] gives.
pub fn judge_at_hand(bytes: &[u8], reading: &Reading, trust: &Trust, times: Times) -> Verdict {
    let verdict = judge(reading, trust, times);
    let signed = reading.signed.as_ref().and_then(|range| cut(bytes, range));
    match signed.filter(|_| verdict.has(Ground::DigestNotMade)) {
        None => verdict,
        Some(signed) => {
            let digests = digests::usual(reading.micalg.as_ref());
            let reading = Reading {
                signed_digests: Some(SignedDigests::with(&digests, signed)),
                ..reading.clone()
            };
            judge(&reading, trust, times)
        }
    }
}

/// Judges an opaque CMS (`.p7m`), DER or BER, over the content it carries.
pub fn judge_attached(cms: &[u8], trust: &Trust, times: Times) -> Verdict {
    judge_cms(cms, None, None, trust, times)
}

/// Judges a CMS over a content, or, without one, over the content it carries.
fn judge_cms(
    cms: &[u8],
    digests: Option<&SignedDigests>,
    reading: Option<&Reading>,
    trust: &Trust,
    times: Times,
) -> Verdict {
    let data = match SignedData::read(cms) {
        Ok(data) => data,
        Err(ground) => return Verdict::of(vec![ground]),
    };
    let attached = match (digests, &data.content) {
        (None, Some(content)) => Some(SignedDigests::as_stored_of(content)),
        (None, None) => return Verdict::of(vec![Ground::NoSignature]),
        (Some(_), _) => None,
    };
    let Some(digests) = digests.or(attached.as_ref()) else {
        return Verdict::of(vec![Ground::NoSignature]);
    };
    let own = read_certificates(&data);
    let candidates = with_handed_in(&own, trust);
    let (claim, result) = data.verify(Content(digests), &candidates, &trust.memo);

    let mut grounds = claim.notes.clone();
    grounds.extend(result.err().map(|ground| match ground {
        Ground::CertificateMissing if own.len() < data.certificates.len() => {
            Ground::CertificateMalformed
        }
        ground => ground,
    }));
    let is_message = reading.is_some();
    grounds.extend((is_message && data.content.is_some()).then_some(Ground::ContentAttached));
    let event_ms = reading
        .and_then(|r| r.facts.as_ref()?.event_ms)
        .map(|ms| ms.get());
    let mut verdict = Verdict {
        form: claim.form.filter(|_| result.is_ok()),
        digest: claim.digest,
        signature: claim.signature,
        signing_ms: claim.signing_ms,
        signer: claim.certificate.as_ref().map(|c| trust.memo.signer(c)),
        judged_ms: claim.signing_ms.or(event_ms).or(times.received_ms),
        ..Verdict::of(Vec::new())
    };
    if let Some(certificate) = claim.certificate.as_ref().filter(|_| result.is_ok()) {
        let crls: Vec<_> = data
            .crls
            .iter()
            .filter_map(|der| revocation::Crl::read(der))
            .collect();
        let standing = Standing {
            trust,
            own: &own,
            chains: Chains::new(trust, &own, data.certificate_set),
            crls: &crls,
            signer: certificate,
            times,
        };
        standing.judge(&claim, &mut verdict, &mut grounds);
        grounds.extend(profile(certificate));
        if let Some(reading) = reading {
            grounds.extend(correlation(reading, &claim, certificate, event_ms));
            grounds.extend(in_directory(reading, &verdict, trust));
        }
    }
    grounds.sort_unstable();
    grounds.dedup();
    verdict.level = Level::of(&grounds);
    verdict.grounds = grounds;
    verdict
}

fn read_certificates<'a>(data: &SignedData<'a>) -> Vec<Certificate<'a>> {
    let certificates = data.certificates.iter();
    certificates
        .filter_map(|der| Certificate::read(der))
        .collect()
}

/// The certificates in the message, then those handed in: a signer may leave out its own.
fn with_handed_in<'a>(own: &[Certificate<'a>], trust: &'a Trust) -> Vec<Certificate<'a>> {
    let handed_in = trust.pinned.iter().chain(&trust.intermediates);
    let handed_in = handed_in.filter_map(|held| held.certificate());
    own.iter().cloned().chain(handed_in).collect()
}

/// A signer whose signature verifies, and what may speak for it.
struct Standing<'a> {
    trust: &'a Trust,
    own: &'a [Certificate<'a>],
    chains: Chains<'a>,
    crls: &'a [revocation::Crl],
    signer: &'a Certificate<'a>,
    times: Times,
}

impl Standing<'_> {
    fn judge(&self, claim: &Claim<'_>, verdict: &mut Verdict, grounds: &mut Vec<Ground>) {
        let weak_digest = [claim.digest, claim.signature.map(|s| s.digest)]
            .contains(&Some(DigestAlgorithm::Sha1));
        grounds.extend(weak_digest.then_some(Ground::Sha1));
        grounds.extend(
            claim
                .signing_ms
                .is_none()
                .then_some(Ground::SigningTimeMissing),
        );
        let Some(at_ms) = verdict.judged_ms else {
            grounds.push(Ground::TimeUnknown);
            return;
        };
        let signer_sha256 = self.signer_sha256(verdict);
        match self.chains.chain(self.signer, &signer_sha256, at_ms) {
            Ok(chain) => {
                let certificates = &chain.certificates;
                grounds.extend(weaknesses(certificates));
                verdict.revocation = self.revocation(certificates, at_ms, grounds);
                verdict.chain = chain.sha256;
                self.at_receipt(verdict, grounds);
            }
            Err(against) => {
                grounds.extend(against);
                grounds.extend(weaknesses(std::slice::from_ref(self.signer)));
                self.at_receipt(verdict, grounds);
            }
        }
    }

    fn signer_sha256(&self, verdict: &Verdict) -> Vec<u8> {
        let known = verdict.signer.as_ref().map(|signer| signer.sha256.clone());
        known.unwrap_or_else(|| sha256(self.signer.der))
    }

    /// The revocation of the signer's certificate; grounds for it and for the authorities.
    fn revocation(
        &self,
        chain: &[Certificate<'_>],
        at_ms: i64,
        grounds: &mut Vec<Ground>,
    ) -> Revocation {
        let by_crls = |certificate: &Certificate<'_>, issuer: &Certificate<'_>| {
            let crls = self.trust.crls.iter().chain(self.crls);
            revocation::status(crls, certificate, issuer, at_ms, &self.trust.memo)
        };
        let is_revoked = |certificate: &Certificate<'_>, issuer: &Certificate<'_>| {
            let said = by_crls(certificate, issuer);
            matches!(said, Revocation::Revoked(_) | Revocation::Later(_))
        };
        let judged = ocsp::Judged {
            memo: &self.trust.memo,
            is_revoked: &is_revoked,
        };
        let status = |certificate: &Certificate<'_>, issuer: &Certificate<'_>| {
            let responses = &self.trust.ocsp;
            let mut said = ocsp::status(responses, certificate, issuer, at_ms, &judged);
            said.revocation = revocation::worse(said.revocation, by_crls(certificate, issuer));
            said
        };
        for pair in chain.windows(2).skip(1) {
            if let [certificate, issuer] = pair {
                match status(certificate, issuer).revocation {
                    Revocation::Revoked(_) => grounds.push(Ground::IssuerRevoked),
                    Revocation::Unknown => grounds.push(Ground::IssuerRevocationUnknown),
                    Revocation::Good | Revocation::Later(_) => {}
                }
            }
        }
        let issuer = chain.get(1).cloned().or_else(|| self.issuer_of_pinned());
        let said = issuer.map(|issuer| status(self.signer, &issuer));
        let (known, notes) = said.map_or((Revocation::Unknown, Vec::new()), |said| {
            (said.revocation, said.notes)
        });
        match known {
            Revocation::Good => {}
            Revocation::Later(_) => grounds.push(Ground::RevokedLater),
            Revocation::Revoked(_) => grounds.push(Ground::Revoked),
            Revocation::Unknown => {
                grounds.push(Ground::RevocationUnknown);
                grounds.extend(notes);
            }
        }
        known
    }

    /// Who issued a certificate that is trusted as it is, if the issuer is at hand.
    fn issuer_of_pinned(&self) -> Option<Certificate<'_>> {
        let subject = self.signer.issuer.whole;
        let anchors = trust::with_subject(&self.trust.anchors, subject);
        let handed_in = trust::with_subject(&self.trust.intermediates, subject);
        let mut issuers = anchors.chain(handed_in).chain(self.own.iter().cloned());
        issuers.find(|issuer| {
            issuer.may_have_issued(self.signer)
                && path::signed_by(self.signer, issuer, &self.trust.memo).is_ok()
        })
    }

    fn at_receipt(&self, verdict: &mut Verdict, grounds: &mut Vec<Ground>) {
        let Some(received_ms) = self.times.received_ms else {
            return;
        };
        let expired = received_ms > self.signer.until_ms;
        grounds.extend(expired.then_some(Ground::ExpiredAtReceipt));
        let later = verdict
            .signing_ms
            .is_some_and(|ms| ms > received_ms + SIGNING_TIME_TOLERANCE_MS);
        grounds.extend(later.then_some(Ground::SignedAfterReceipt));
        let revoked_from = match verdict.revocation {
            Revocation::Later(from_ms) | Revocation::Revoked(from_ms) => Some(from_ms),
            Revocation::Good | Revocation::Unknown => None,
        };
        let revoked = revoked_from.is_some_and(|from_ms| from_ms <= received_ms);
        grounds.extend(revoked.then_some(Ground::RevokedAtReceipt));
        let signer_sha256 = self.signer_sha256(verdict);
        let has_chain = self
            .chains
            .has_chain(self.signer, &signer_sha256, received_ms);
        verdict.held_at_receipt = Some(has_chain && !revoked);
    }
}

/// What is weak in a chain. The anchor is trusted for itself: its own signature says nothing.
fn weaknesses(chain: &[Certificate<'_>]) -> Vec<Ground> {
    let signed = match chain {
        [_] => chain,
        [signed @ .., _] => signed,
        [] => &[],
    };
    let sha1 = signed.iter().any(|certificate| {
        let algorithm = certificate.signature_algorithm.signature(None);
        algorithm.is_some_and(|algorithm| algorithm.digest == DigestAlgorithm::Sha1)
    });
    let short = chain.iter().any(|certificate| certificate.key.is_short());
    let sha1 = sha1.then_some(Ground::CertificateSha1);
    sha1.into_iter()
        .chain(short.then_some(Ground::ShortKey))
        .collect()
}

/// Where a certificate leaves the profile of the rules (RFC 6109 section 5.5). Those of 2014 do.
fn profile(certificate: &Certificate<'_>) -> Vec<Ground> {
    let extensions = &certificate.extensions;
    let critical = extensions.key_usage.is_some_and(|(_, critical)| critical);
    let identified = extensions.subject_key_id.is_some() && extensions.authority_key_id.is_some();
    let grounds = [
        (
            certificate.addresses().next().is_none(),
            Ground::ProfileSubjectAltName,
        ),
        (!critical, Ground::ProfileKeyUsage),
        (!identified, Ground::ProfileKeyIdentifiers),
        (
            extensions.basic_constraints.is_some(),
            Ground::ProfileBasicConstraints,
        ),
    ];
    let grounds = grounds.into_iter().filter(|(stands, _)| *stands);
    grounds.map(|(_, ground)| ground).collect()
}

/// What of the message and its signature does not go together.
fn correlation(
    reading: &Reading,
    claim: &Claim<'_>,
    certificate: &Certificate<'_>,
    event_ms: Option<i64>,
) -> Vec<Ground> {
    let mut grounds = Vec::new();
    let stated = reading.micalg.as_ref().zip(claim.digest);
    let agrees = |(micalg, digest): (&Text, DigestAlgorithm)| {
        let mut names = micalg.as_bytes().split(|c| *c == b',');
        names.any(|name| DigestAlgorithm::from_micalg(name) == Some(digest))
    };
    grounds.extend((!stated.is_none_or(agrees)).then_some(Ground::MicalgDiffers));
    let apart = claim.signing_ms.zip(event_ms);
    let apart =
        apart.is_some_and(|(a, b)| a.abs_diff(b) > SIGNING_TIME_TOLERANCE_MS.unsigned_abs());
    grounds.extend(apart.then_some(Ground::SigningTimeDiffers));
    match from_address(reading) {
        None => grounds.push(Ground::FromMissing),
        Some(from) => {
            let mut addresses = certificate.addresses().map(<[u8]>::to_vec);
            let named = addresses.any(|address| address.eq_ignore_ascii_case(&from));
            grounds.extend((!named).then_some(Ground::FromDiffers));
        }
    }
    grounds
}

fn from_address(reading: &Reading) -> Option<Vec<u8>> {
    header::address(reading.from.as_ref()?.as_bytes())
}

/// What the directory of providers says. It knows of PEC only.
fn in_directory(reading: &Reading, verdict: &Verdict, trust: &Trust) -> Vec<Ground> {
    // Nor of evidence of the European system.
    if reading.kind == Kind::Message || reading.facts.is_none() && reading.evidence.is_some() {
        return Vec::new();
    }
    let at = trust.directories.as_ref().zip(verdict.judged_ms);
    let Some(at) = at.and_then(|(directories, at_ms)| directories.at(at_ms)) else {
        return vec![Ground::DirectoryMissing];
    };
    let other_day = (!at.of_that_day).then_some(Ground::DirectoryOfAnotherDay);
    let lacking = lacking(reading, verdict, &at.directory);
    other_day.into_iter().chain(lacking).collect()
}

/// What a directory lacks of a message: its signer, or the domain of its sender.
fn lacking(reading: &Reading, verdict: &Verdict, directory: &Directory) -> Option<Ground> {
    let hash = &verdict.signer.as_ref()?.sha1;
    let mut providers = directory.with_certificate(hash).peekable();
    if providers.peek().is_none() {
        return Some(Ground::NotInDirectory);
    }
    let from = from_address(reading)?;
    let at = from.iter().rposition(|c| *c == b'@')?;
    let domain = from.get(at + 1..)?;
    let managed = providers.any(|provider| provider.manages(domain));
    (!managed).then_some(Ground::DomainNotManaged)
}

fn sha256(der: &[u8]) -> Vec<u8> {
    DigestAlgorithm::Sha256.of(der).as_ref().to_vec()
}
