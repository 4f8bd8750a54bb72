//! The old time-stamp of a migrated file: verified over the file's exact octets, and archived as it came.
//!
//! # Invariants
//! 1. A time-stamp that is wrong, or cannot be verified, is archived with the reason, and proves nothing.
//! 2. What counts is what was found when it was recorded: a repeated import reads it from there, so that all records
//!    of a file say the same.

use super::{ClientKey, Ingest, IngestError, Submission, first_leaf};
use ceralacca_formats::canonical::Integer;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::leaf::Kind;
use ceralacca_formats::metadata::{Metadata, ObjectRecord};
use ceralacca_formats::source::TimeStamp;
use ceralacca_pec::judge::{Ground, Times};
use ceralacca_pec::tsp::{Accuracy, Imprint, Refusal, Token, Verified};

/// A time-stamp whose file is passing.
pub struct OldStamp {
    bytes: Vec<u8>,
    imprint: Result<Imprint, Refusal>,
}

/// A time-stamp that is archived.
pub struct Recorded {
    /// Its leaf.
    pub leaf: LeafIndex,
    /// `genTime` and accuracy, where it was verified.
    pub proven: Option<(Option<Integer>, Option<Integer>)>,
    /// Why it proves nothing, where it does not.
    pub refusal: Option<&'static str>,
}

impl OldStamp {
    pub fn begin(bytes: Option<&[u8]>) -> Option<Self> {
        let bytes = bytes?.to_vec();
        let imprint = Token::read(&bytes).map(|token| token.info().hasher());
        Some(Self { bytes, imprint })
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if let Ok(imprint) = &mut self.imprint {
            imprint.push(bytes);
        }
    }

    /// Verifies and records it.
    pub fn record(
        self,
        ingest: &Ingest,
        file: &Sha256,
        times: Times,
    ) -> Result<Recorded, IngestError> {
        let in_force = ingest.policy.trust.get();
        let imprint = self.imprint.map(Imprint::finish);
        let verified = imprint.and_then(|imprint| {
            let token = Token::read(&self.bytes)?;
            token.verify(&imprint, &in_force.tsa, times)
        });
        let (received_ms, trust) = in_force.named(times.received_ms);
        let object = ObjectRecord {
            received_ms,
            trust,
            ..remarked(&verified)
        };
        let own = Sha256::of(&self.bytes);
        let key = [b"time-stamp\0".as_slice(), own.as_bytes(), file.as_bytes()].concat();
        let class = ingest.trace_class();
        let content = ingest.content(class, self.bytes)?;
        let key = Some(ClientKey(key));
        let submission = Submission::object(Kind::TrustMaterial, class, object, content, None, key);
        let acknowledgement = ingest.record(submission)?;
        let leaf = first_leaf(&acknowledgement)?;
        let stamp = match ingest.opened(leaf)?.metadata() {
            Ok(Metadata::Object(object)) => object.time_stamp,
            _ => None,
        };
        Ok(Recorded {
            leaf,
            proven: stamp.map(|stamp| (Some(stamp.gen_ms), stamp.accuracy_ms)),
            refusal: verified.err().map(Refusal::code),
        })
    }
}

/// What was found of it: what it says where it holds, or why it proves nothing.
fn remarked(verified: &Result<Verified, Refusal>) -> ObjectRecord {
    let verified = match verified {
        Ok(verified) => verified,
        Err(refusal) => {
            let ground = refusal.ground().map(Ground::code);
            let codes = std::iter::once(refusal.code()).chain(ground);
            return ObjectRecord {
                findings: codes.map(Into::into).collect(),
                ..ObjectRecord::default()
            };
        }
    };
    let info = &verified.info;
    let notes = [
        (verified.is_weak, Ground::Sha1),
        (!verified.is_revocation_known, Ground::RevocationUnknown),
    ];
    let notes = notes.iter().filter(|(stands, _)| *stands);
    let accuracy_ms = match info.accuracy {
        Accuracy::Ms(ms) => Integer::try_from(ms).ok(),
        Accuracy::Unstated => None,
    };
    let stamp = Integer::try_from(info.gen_ms).ok().map(|gen_ms| TimeStamp {
        gen_ms,
        accuracy_ms,
        policy: info.policy.as_str().into(),
        serial: info.serial.as_str().into(),
    });
    let chain = verified.chain.iter();
    ObjectRecord {
        findings: notes.map(|(_, note)| note.code().into()).collect(),
        chain: chain.map(|digest| hex::encode(digest).into()).collect(),
        time_stamp: stamp.map(Box::new),
        ..ObjectRecord::default()
    }
}
