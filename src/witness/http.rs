//! A witness over HTTP (C2SP tlog-witness): `POST /add-checkpoint`, `GET /<SHA-256(origin)>/checkpoint`.
//!
//! Plain HTTP: what it answers is signed, and what it takes is signed too. Towards the world a proxy stands before
//! it, for TLS.
//!
//! # Invariants
//! 1. Bounded: connections, requests at a time, their bytes, and how long head and body of one may take to come.
//! 2. A request that broke off after it was judged stays judged; its cosignature is durable.

use super::Witness;
use crate::plain_http::{self, Limits};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ceralacca_formats::witness::{AddCheckpoint, REQUEST_BYTES_MAX, Refusal};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// Connections at a time: its logs are few, and ask every few seconds.
pub const CONNECTIONS_MAX: usize = 256;
/// Requests at a time; more wait.
const REQUESTS_MAX: usize = 64;
/// How long the body of a request may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Shared {
    witness: Arc<Witness>,
    turns: Arc<Semaphore>,
}

/// Serves a witness until `stop` ends; requests under way are answered.
pub async fn serve(
    witness: Arc<Witness>,
    listener: TcpListener,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let shared = Shared {
        witness,
        turns: Arc::new(Semaphore::new(REQUESTS_MAX)),
    };
    let routes = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{name}/checkpoint", get(kept))
        .with_state(shared);
    let (end, ends) = watch::channel(false);
    let serving = plain_http::serve(listener, routes, limits, ends);
    let stopping = async {
        stop.await;
        end.send_replace(true);
    };
    tokio::join!(serving, stopping);
}

async fn add_checkpoint(State(shared): State<Shared>, body: Body) -> Response {
    let Ok(_turn) = shared.turns.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let reading = tokio::time::timeout(BODY_PATIENCE, to_bytes(body, REQUEST_BYTES_MAX));
    let Ok(read) = reading.await else {
        return StatusCode::REQUEST_TIMEOUT.into_response();
    };
    let request = match read.map_err(|_| Refusal::Malformed) {
        Ok(bytes) => AddCheckpoint::parse(&bytes),
        Err(refusal) => Err(refusal),
    };
    let request = match request {
        Ok(request) => request,
        Err(refusal) => return refused(refusal),
    };
    let witness = Arc::clone(&shared.witness);
    let judging = tokio::task::spawn_blocking(move || witness.add_checkpoint(&request));
    match judging.await {
        Ok(Ok(Ok(line))) => line.into_response(),
        Ok(Ok(Err(refusal))) => refused(refusal),
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "not cosigned");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn kept(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    let Ok(_turn) = shared.turns.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let witness = Arc::clone(&shared.witness);
    match tokio::task::spawn_blocking(move || witness.kept(&name)).await {
        Ok(Ok(Some(note))) => {
            let text = HeaderValue::from_static("text/plain; charset=utf-8");
            ([(header::CONTENT_TYPE, text)], note).into_response()
        }
        Ok(Ok(None)) => StatusCode::NOT_FOUND.into_response(),
        Ok(Err(_)) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn refused(refusal: Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match refusal {
        Refusal::Conflict { known } => {
            let size = HeaderValue::from_static("text/x.tlog.size");
            (status, [(header::CONTENT_TYPE, size)], format!("{known}\n")).into_response()
        }
        other => (status, format!("{other}\n")).into_response(),
    }
}
