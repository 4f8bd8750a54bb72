//! Answers of the service as [`ceralacca_formats::absence`] takes them, which checks them.

use super::super::v1::{self, IntervalState as State};
use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use ceralacca_formats::absence::{AbsenceError, Told, ToldState};
use ceralacca_formats::id::{IntervalId, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::map::{MapAnswer, MapProof};
use ceralacca_formats::tree::LeafHash;

/// An answer; an error says what it does not prove.
pub(super) fn told(answer: &v1::GetMapProofResponse) -> Result<Told> {
    let state = match answer.state() {
        State::Closed => ToldState::Closed {
            closing: answer.closing.clone(),
            classes: answer.classes.iter().map(class).collect::<Result<_>>()?,
        },
        State::Open => ToldState::Open,
        State::Cut => ToldState::Cut,
        State::NotShown => ToldState::NotShown,
        State::Unspecified => bail!("the answer does not say whether the interval is closed"),
    };
    Ok(Told {
        interval: IntervalId::new(answer.interval_ms),
        end: UtcMillis::new(answer.end_ms),
        state,
    })
}

fn class(answer: &v1::ClassMapProof) -> Result<(Class, Option<MapAnswer>)> {
    let mut classes = Class::ALL.iter().copied();
    let class = classes.find(|class| class.word() == answer.class);
    let class = class.ok_or(AbsenceError::UnknownClass)?;
    if answer.disposed {
        return Ok((class, None));
    }
    let map_answer = map_answer(answer).with_context(|| format!("class {class}"))?;
    Ok((class, Some(map_answer)))
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
