//! Chains that were looked for before: thousands of messages bring the same few certificates.
//!
//! # Invariants
//! 1. This changes the cost of an answer, never the answer. All that a search looks at beside the trust material,
//!    which stays, is in the question: the certificates that came along, the signer, and a stretch of time within
//!    which no certificate begins or ends.
//! 2. Bounded: [`ANSWERS_MAX`] answers are kept; then it begins anew.

use super::certificate::Certificate;
use super::ground::Ground;
use super::path::Search;
use super::sha256;
use super::trust::{Held, Trust};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most answers kept.
const ANSWERS_MAX: usize = 4096;

/// The answers known of some trust material.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<HashMap<Question, Arc<Answer>>>);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Question {
    /// SHA-256 of what the certificates that came along were read from.
    own: Vec<u8>,
    /// SHA-256 of the signer's.
    signer: Vec<u8>,
    /// Where the stretch of time begins; none for the one before all certificates.
    from_ms: Option<i64>,
}

type Answer = Result<Vec<Link>, Vec<Ground>>;

#[derive(Debug)]
struct Link {
    place: Place,
    sha256: Vec<u8>,
}

/// Where a certificate of a chain stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    Signer,
    Own(usize),
    Anchor(usize),
    Intermediate(usize),
}

/// The instants at which a certificate begins and ends, as those see them who look at milliseconds and those who
/// look at seconds.
pub(crate) fn edges(certificate: &Certificate<'_>) -> [i64; 3] {
    let until = certificate.until_ms;
    let next_second = until
        .div_euclid(1000)
        .saturating_add(1)
        .saturating_mul(1000);
    [certificate.from_ms, until.saturating_add(1), next_second]
}

/// A chain: itself, and SHA-256 of each certificate.
pub(crate) struct Chain<'a> {
    pub certificates: Vec<Certificate<'a>>,
    pub sha256: Vec<Vec<u8>>,
}

/// Looks for chains with the certificates that came with one signature.
pub(crate) struct Chains<'a> {
    trust: &'a Trust,
    own: &'a [Certificate<'a>],
    own_sha256: Vec<u8>,
}

impl<'a> Chains<'a> {
    /// `set` has the octets that `own` were read from.
    pub(crate) fn new(trust: &'a Trust, own: &'a [Certificate<'a>], set: &[u8]) -> Self {
        Self {
            trust,
            own,
            own_sha256: trust.memo.sha256(set),
        }
    }

    /// The chain of a signer of mail at an instant: see [`Search::chain`].
    pub(crate) fn chain(
        &self,
        signer: &Certificate<'a>,
        signer_sha256: &[u8],
        at_ms: i64,
    ) -> Result<Chain<'a>, Vec<Ground>> {
        let answer = self.answer(signer, signer_sha256, at_ms);
        let links = answer.as_ref().as_ref().map_err(Clone::clone)?;
        let certificates = links.iter().map(|link| self.find(link.place, signer));
        let certificates = match certificates.collect::<Option<Vec<_>>>() {
            Some(certificates) => certificates,
            // Nothing that was found once is missing.
            None => self.search(signer, at_ms)?,
        };
        let sha256 = links.iter().map(|link| link.sha256.clone()).collect();
        Ok(Chain {
            certificates,
            sha256,
        })
    }

    /// Whether there is a chain.
    pub(crate) fn has_chain(
        &self,
        signer: &Certificate<'a>,
        signer_sha256: &[u8],
        at_ms: i64,
    ) -> bool {
        self.answer(signer, signer_sha256, at_ms).is_ok()
    }

    fn answer(&self, signer: &Certificate<'a>, signer_sha256: &[u8], at_ms: i64) -> Arc<Answer> {
        let question = Question {
            own: self.own_sha256.clone(),
            signer: signer_sha256.to_vec(),
            from_ms: self.stretch(signer, at_ms),
        };
        let Known(known) = &self.trust.known;
        let known = || known.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = known().get(&question).map(Arc::clone);
        if let Some(answer) = remembered {
            return answer;
        }
        let chain = self.search(signer, at_ms);
        let answer = chain.map(|chain| chain.iter().map(|c| self.link(c, signer)).collect());
        let answer = Arc::new(answer);
        let mut known = known();
        if known.len() >= ANSWERS_MAX {
            known.clear();
        }
        known.insert(question, Arc::clone(&answer));
        answer
    }

    fn search(
        &self,
        signer: &Certificate<'a>,
        at_ms: i64,
    ) -> Result<Vec<Certificate<'a>>, Vec<Ground>> {
        Search::new(self.trust, self.own, at_ms).chain(signer)
    }

    /// The last instant up to this one at which a certificate begins or ends, or the calendar does.
    fn stretch(&self, signer: &Certificate<'_>, at_ms: i64) -> Option<i64> {
        let held = &self.trust.edges;
        let held = held.partition_point(|edge| *edge <= at_ms).checked_sub(1);
        let held = held.and_then(|at| self.trust.edges.get(at)).copied();
        let came = self.own.iter().chain([signer]).flat_map(edges).chain([0]);
        came.filter(|edge| *edge <= at_ms).max().max(held)
    }

    fn link(&self, certificate: &Certificate<'_>, signer: &Certificate<'_>) -> Link {
        let der = certificate.der;
        let among = |held: &[Held]| held.iter().position(|held| held.is(der));
        let own = || self.own.iter().position(|own| own.der == der);
        let place = match der == signer.der {
            true => Some(Place::Signer),
            false => own()
                .map(Place::Own)
                .or_else(|| among(&self.trust.anchors).map(Place::Anchor))
                .or_else(|| among(&self.trust.intermediates).map(Place::Intermediate)),
        };
        Link {
            // A search finds nothing elsewhere.
            place: place.unwrap_or(Place::Own(usize::MAX)),
            sha256: sha256(der),
        }
    }

    fn find(&self, place: Place, signer: &Certificate<'a>) -> Option<Certificate<'a>> {
        match place {
            Place::Signer => Some(signer.clone()),
            Place::Own(at) => self.own.get(at).cloned(),
            Place::Anchor(at) => self.trust.anchors.get(at)?.certificate(),
            Place::Intermediate(at) => self.trust.intermediates.get(at)?.certificate(),
        }
    }
}
