//! `Audit.GetMapProof`: what closed intervals say of an identificativo, one after another.
//!
//! # Invariants
//! 1. What is shown was recorded as disclosed before the first answer, once for the stream.
//! 2. A slow client holds no thread, and one interval waits for it.

use super::{Service, TERM_BYTES_MAX, status, v1};
use crate::access::{Permit, Read};
use crate::desk::{Asked, Desk};
use bytes::Bytes;
use ceralacca_formats::absence::{Told, ToldState};
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::leaf::Class;
use ceralacca_formats::map::MapAnswer;
use futures_util::stream::{BoxStream, StreamExt};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use v1::IntervalState as State;

type Answer = Result<v1::GetMapProofResponse, Status>;

fn class_proof((class, answer): &(Class, Option<MapAnswer>)) -> v1::ClassMapProof {
    let class = class.word().to_owned();
    let Some(answer) = answer else {
        return v1::ClassMapProof {
            class,
            disposed: true,
            ..v1::ClassMapProof::default()
        };
    };
    let hashes = answer.hashes.iter();
    v1::ClassMapProof {
        class,
        disposed: false,
        salt: Bytes::copy_from_slice(&answer.salt),
        proof: answer.proof.to_bytes().into(),
        leaf_hashes: hashes
            .map(|hash| Bytes::copy_from_slice(hash.as_bytes()))
            .collect(),
    }
}

fn message(of: Told) -> v1::GetMapProofResponse {
    let (state, closing, classes) = match of.state {
        ToldState::Open => (State::Open, String::new(), Vec::new()),
        ToldState::Cut => (State::Cut, String::new(), Vec::new()),
        ToldState::NotShown => (State::NotShown, String::new(), Vec::new()),
        ToldState::Closed { closing, classes } => {
            let classes = classes.iter().map(class_proof).collect();
            (State::Closed, closing, classes)
        }
    };
    v1::GetMapProofResponse {
        interval_ms: of.interval.get(),
        end_ms: of.end.get(),
        state: state.into(),
        closing,
        classes,
    }
}

/// The answers of a range of intervals.
pub(super) async fn answers(
    service: &Service,
    permit: Permit<Read>,
    request: &v1::GetMapProofRequest,
) -> Result<BoxStream<'static, Answer>, Status> {
    let found = request.identificativo.len();
    if found > TERM_BYTES_MAX {
        let limit = TERM_BYTES_MAX as u64;
        return Err(status::over_limit("identificativo", found as u64, limit));
    }
    if request.identificativo.trim().is_empty() {
        let why = "name the identificativo";
        return Err(status::invalid("identificativo", "TERM_NEEDED", why));
    }
    let from = UtcMillis::new(request.from_ms);
    let until = (request.until_ms > 0).then(|| UtcMillis::new(request.until_ms));
    if until.is_some_and(|until| until <= from) {
        let why = "the range ends before it begins";
        return Err(status::invalid("until_ms", "RANGE_EMPTY", why));
    }
    let place = Arc::clone(&service.0.replays).acquire_owned().await;
    let place = place.map_err(|_| status::stopping())?;
    let term = request.identificativo.clone().into_bytes();
    let ask = move |desk: &Desk<'_, Read>| {
        let asked = desk.ask_presence(&term, from, until);
        asked.map_err(status::desk)
    };
    let asked = service.at_desk(permit.clone(), ask).await?.into_inner();
    let (sender, receiver) = mpsc::channel(1);
    let answering = Answering {
        service: service.clone(),
        permit,
        asked: Arc::new(asked),
    };
    tokio::spawn(async move {
        answering.run(&sender).await;
        drop(place);
    });
    Ok(ReceiverStream::new(receiver).boxed())
}

struct Answering {
    service: Service,
    permit: Permit<Read>,
    asked: Arc<Asked>,
}

impl Answering {
    async fn run(&self, sender: &mpsc::Sender<Answer>) {
        let patience = self.service.0.limits.stream_idle;
        let stopping = self.service.0.stopping.subscribe();
        for place in 0..self.asked.intervals() {
            let is_stopping = *stopping.borrow();
            let answer = match is_stopping {
                true => Err(status::stopping()),
                false => self.answer(place).await,
            };
            let last = answer.is_err();
            // Who takes nothing for so long, or has gone, hears no more of it.
            if sender.send_timeout(answer, patience).await.is_err() || last {
                return;
            }
        }
    }

    async fn answer(&self, place: usize) -> Answer {
        let asked = Arc::clone(&self.asked);
        let read = move |desk: &Desk<'_, Read>| {
            let found = desk.presence(&asked, place).map_err(status::desk)?;
            found.map(message).ok_or_else(status::internal)
        };
        let answer = self.service.at_desk(self.permit.clone(), read).await?;
        Ok(answer.into_inner())
    }
}
