//! Each answer held against the log's key, and against the answers before it.
//!
//! # Invariants
//! 1. Nothing is taken from an answer that the closing leaf, proven under the log's key, does not bear out.
//! 2. Intervals follow each other leaf by leaf: one that is left out is noticed.

use super::super::v1::{self, IntervalState as State};
use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use ceralacca_formats::closing::Closing;
use ceralacca_formats::id::{LeafIndex, TreeSize};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::map::{MapAnswer, MapProof};
use ceralacca_formats::metadata::{CustodyRecord, Metadata};
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::proof::{ProofFile, ProvenMetadata};
use ceralacca_formats::tree::LeafHash;

/// What an interval was proven to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Said {
    /// No record of it has the identificativo.
    Absent,
    /// So many records of these classes have it.
    Present(Vec<(Class, usize)>),
    /// These classes were disposed of: nothing can be said of them. Of the others no record has it.
    Disposed(Vec<Class>),
    /// It is not closed, so nothing can be proven yet: why.
    NotClosed(&'static str),
}

/// An interval, and what it was proven to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Checked {
    /// Its start and that of the next, milliseconds since 1970.
    pub(super) interval_ms: u64,
    pub(super) end_ms: u64,
    /// The closing leaf, and how many records the interval has; none of one that is not closed.
    pub(super) closing: Option<(LeafIndex, u64)>,
    pub(super) said: Said,
}

struct Last {
    leaf: LeafIndex,
    size: TreeSize,
}

/// Follows the intervals of a range.
pub(super) struct Follower<'a> {
    key: &'a VerifierKey,
    identificativo: &'a str,
    last: Option<Last>,
    end_ms: Option<u64>,
    is_open: bool,
}

impl<'a> Follower<'a> {
    pub(super) fn new(key: &'a VerifierKey, identificativo: &'a str) -> Self {
        Self {
            key,
            identificativo,
            last: None,
            end_ms: None,
            is_open: false,
        }
    }

    /// Up to where intervals were told of, milliseconds since 1970; none before the first.
    pub(super) fn end_ms(&self) -> Option<u64> {
        self.end_ms
    }

    /// Takes the next answer. An error says what it does not prove.
    pub(super) fn take(
        &mut self,
        answer: &v1::GetMapProofResponse,
        from_ms: u64,
    ) -> Result<Checked> {
        let (interval_ms, end_ms) = (answer.interval_ms, answer.end_ms);
        let is_next = self.end_ms.is_none_or(|end| end <= interval_ms);
        ensure!(
            is_next && interval_ms < end_ms,
            "intervals are not in order"
        );
        let why = match answer.state() {
            State::Closed => None,
            State::Open => Some("records still come into it"),
            State::Cut => Some("it was cut and is not closed yet"),
            State::NotShown => Some("its closing is not witnessed yet"),
            State::Unspecified => bail!("the answer does not say whether the interval is closed"),
        };
        let is_first = self.end_ms.is_none();
        self.end_ms = Some(end_ms);
        if let Some(why) = why {
            self.is_open = true;
            return Ok(Checked {
                interval_ms,
                end_ms,
                closing: None,
                said: Said::NotClosed(why),
            });
        }
        ensure!(
            !self.is_open,
            "an interval before it is said not to be closed"
        );
        let (leaf, closing) = self.closing(&answer.closing)?;
        ensure!(
            closing.interval.get() == interval_ms && closing.end.get() == end_ms,
            "the closing leaf is of another interval, {}",
            closing.interval
        );
        match &self.last {
            Some(last) => ensure!(
                closing.previous == Some(last.leaf) && closing.first.get() == last.size.get(),
                "the closing leaf does not follow that of the interval before: one is left out"
            ),
            None => ensure!(
                !is_first || interval_ms <= from_ms || closing.previous.is_none(),
                "intervals before it are left out"
            ),
        }
        self.last = Some(Last {
            leaf,
            size: closing.size,
        });
        Ok(Checked {
            interval_ms,
            end_ms,
            closing: Some((leaf, closing.size.get() - closing.first.get())),
            said: self.said(&closing, &answer.classes)?,
        })
    }

    /// The closing leaf, proven under the log's key.
    fn closing(&self, text: &str) -> Result<(LeafIndex, Closing)> {
        let proof = ProofFile::parse(text.as_bytes()).context("proof of the closing leaf")?;
        proof
            .verify(self.key)
            .context("proof of the closing leaf")?;
        let ProvenMetadata::Bytes(metadata) = &proof.record.metadata else {
            bail!("the proof of the closing leaf does not say what it closes");
        };
        match Metadata::parse(metadata) {
            Ok(Metadata::Custody(CustodyRecord::IntervalClosed(closing))) => {
                ensure!(
                    closing.first.get() <= closing.size.get(),
                    "the closing leaf contradicts itself"
                );
                Ok((proof.index, *closing))
            }
            _ => bail!("leaf {} is not one that closes an interval", proof.index),
        }
    }

    fn said(&self, closing: &Closing, answers: &[v1::ClassMapProof]) -> Result<Said> {
        let closed = &closing.contents.classes;
        let known =
            |answer: &v1::ClassMapProof| closed.iter().any(|c| c.class.word() == answer.class);
        ensure!(
            answers.iter().all(known),
            "an answer is of a class that the closing leaf does not name"
        );
        let (mut present, mut disposed) = (Vec::new(), Vec::new());
        for closed in closed {
            let class = closed.class;
            let mut of_class = answers.iter().filter(|a| a.class == class.word());
            let answer = of_class.next();
            let answer = answer.with_context(|| format!("class {class}: there is no answer"))?;
            ensure!(of_class.next().is_none(), "class {class}: two answers");
            if answer.disposed {
                disposed.push(class);
                continue;
            }
            let records = map_answer(answer).and_then(|answer| {
                let verified = answer.verify(closed, self.identificativo.as_bytes());
                Ok(verified?)
            });
            let records = records.with_context(|| format!("class {class}"))?;
            if records > 0 {
                present.push((class, records));
            }
        }
        Ok(match (present.is_empty(), disposed.is_empty()) {
            (true, true) => Said::Absent,
            (true, false) => Said::Disposed(disposed),
            (false, _) => Said::Present(present),
        })
    }
}

fn map_answer(answer: &v1::ClassMapProof) -> Result<MapAnswer> {
    let bytes32 = |bytes: &Bytes| <[u8; 32]>::try_from(bytes.as_ref());
    let hashes = answer.leaf_hashes.iter();
    let hashes = hashes.map(|hash| bytes32(hash).map(LeafHash::from_bytes));
    let hashes: Result<Vec<_>, _> = hashes.collect();
    Ok(MapAnswer {
        salt: bytes32(&answer.salt).context("the salt has not 32 bytes")?,
        proof: MapProof::from_bytes(&answer.proof)?,
        hashes: hashes.context("a leaf hash has not 32 bytes")?,
    })
}
