//! The development authority over HTTP (RFC 3161 section 3.4): `POST` anywhere.
//!
//! # Invariants
//! 1. Bounded: requests at a time, their bytes, and how long one may take to come.
//! 2. What is answered is a TimeStampResp whatever was asked; what is not a question over HTTP is refused as such.

use crate::ambient::{Clock, Entropy, draw};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use ceralacca_evidence::authority::Authority;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Requests at a time; more wait.
const REQUESTS_MAX: usize = 16;
/// The longest request.
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// How long the body of a request may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
const QUERY: &str = "application/timestamp-query";
const ANSWER: &str = "application/timestamp-reply";

/// What the authority works with.
#[derive(Clone)]
pub struct Served {
    /// The authority.
    pub authority: Arc<Authority>,
    /// The clock its tokens state.
    pub clock: Arc<dyn Clock>,
    /// Where its serial numbers come from.
    pub entropy: Arc<dyn Entropy>,
}

#[derive(Clone)]
struct Shared {
    served: Served,
    turns: Arc<Semaphore>,
}

/// Serves the authority until `stop` ends; requests under way are answered.
pub async fn serve(
    served: Served,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let turns = Arc::new(Semaphore::new(REQUESTS_MAX));
    let routes = Router::new()
        .fallback(post(answer))
        .with_state(Shared { served, turns });
    axum::serve(listener, routes)
        .with_graceful_shutdown(stop)
        .await
}

async fn answer(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Response {
    let Ok(_turn) = shared.turns.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let kind = headers.get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind.as_bytes() != QUERY.as_bytes()) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let reading = tokio::time::timeout(BODY_PATIENCE, to_bytes(body, REQUEST_BYTES_MAX));
    let request = match reading.await {
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Ok(Ok(request)) => request,
    };
    let served = shared.served;
    let (now, serial) = (served.clock.wall(), draw(&*served.entropy));
    let made = served.authority.answer(&request, now, serial);
    let bytes = made.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "no token made");
        Authority::failure()
    });
    let kind = HeaderValue::from_static(ANSWER);
    ([(header::CONTENT_TYPE, kind)], bytes).into_response()
}
