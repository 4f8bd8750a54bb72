//! The static face: [`crate::tiles`] over HTTP, as C2SP tlog-tiles has it.
//!
//! ```text
//! GET /<log id>/checkpoint                  text/plain, asked for again each time
//! GET /<log id>/tile/<L>/<N>                application/octet-stream, for ever
//! GET /<log id>/tile/<L>/<N>.p/<W>          the same; where the tile is full, a cache may forget it
//! ```
//! Where one log is served, `/checkpoint` and `/tile/…` are its own too. All else, and what is not published yet, is
//! 404, which no cache may keep.
//!
//! # Invariants
//! 1. Paths have one spelling; nothing is decoded, and no file is named by them.
//! 2. Nobody is known here and nothing is recorded: what is given is open to everybody ([`crate::tiles`]).

use super::{Service, status};
use crate::tiles::Face;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use ceralacca_formats::id::LogId;
use ceralacca_formats::tile::TilePath;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response, StatusCode, Uri};
use tonic::Code;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");
/// A new checkpoint may be there the next moment.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// A year, the longest that caches honour.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// As unchanging, but of no use once the tile is full.
const A_DAY: HeaderValue = HeaderValue::from_static("public, max-age=86400, immutable");
/// What is not there may be there soon.
const NEVER: HeaderValue = HeaderValue::from_static("no-store");

/// What is asked for.
enum Resource {
    Checkpoint,
    Tile(TilePath),
}

impl Resource {
    fn parse(path: &str) -> Option<Self> {
        match path {
            "checkpoint" => Some(Self::Checkpoint),
            tile => TilePath::parse(tile).map(Self::Tile),
        }
    }
}

/// The router of the static face.
pub(super) fn router(service: &Service) -> Router {
    Router::new().fallback(answer).with_state(service.clone())
}

async fn answer(State(service): State<Service>, method: Method, uri: Uri) -> Response<Body> {
    if !matches!(method, Method::GET | Method::HEAD) {
        let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
        refusal.headers_mut().insert(ALLOW, METHODS);
        return refusal;
    }
    let Some((face, resource)) = find(&service, uri.path()) else {
        return not_found();
    };
    let path = match resource {
        Resource::Checkpoint => {
            let Some(note) = face.checkpoint() else {
                return not_found();
            };
            return found(note.as_bytes().to_vec().into(), TEXT, ASK_AGAIN);
        }
        Resource::Tile(path) => path,
    };
    let read = move || face.tile(path).map_err(status::read);
    match service.0.tiles.run(read).await {
        Ok(Some(hashes)) => {
            let caching = path.width.map_or(FOR_EVER, |_| A_DAY);
            found(hashes.into(), OCTETS, caching)
        }
        Ok(None) => not_found(),
        Err(status) if status.code() == Code::Unavailable => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
        }
        // What is damaged or failed was logged where it became a status.
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
    }
}

/// The log that a path is of, and what of it.
fn find(service: &Service, path: &str) -> Option<(Face, Resource)> {
    let path = path.strip_prefix('/')?;
    let mut logs = service.0.archive.logs();
    let only = logs.next().filter(|_| logs.next().is_none());
    if let (Some(log), Some(resource)) = (only, Resource::parse(path)) {
        return Some((log.face(), resource));
    }
    let (log, rest) = path.split_once('/')?;
    let log = service.0.archive.log(&LogId::try_from(log).ok()?)?;
    Some((log.face(), Resource::parse(rest)?))
}

fn response(
    code: StatusCode,
    body: Bytes,
    kind: HeaderValue,
    caching: HeaderValue,
) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, caching);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    response
}

fn found(body: Bytes, kind: HeaderValue, caching: HeaderValue) -> Response<Body> {
    response(StatusCode::OK, body, kind, caching)
}

fn plain(code: StatusCode, text: &'static str) -> Response<Body> {
    response(code, Bytes::from_static(text.as_bytes()), TEXT, NEVER)
}

fn not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "not found\n")
}
