//! Requests that break off: a client that resets its stream has not come to its end.
//!
//! The transport lets both end alike: tonic takes a reset with CANCEL for the end of the messages, hyper one
//! with NO_ERROR for the end of the body, and half an upload would be archived as a whole one. Only the body
//! itself knows whether its end was announced, so it is asked.

use super::status;
use axum::body::{Body as Pieces, HttpBody};
use futures_util::stream::{self, StreamExt};
use http::Request;
use tonic::body::Body;

/// The same request, its body failing where it breaks off.
pub(super) fn noticed(request: Request<Body>) -> Request<Body> {
    request.map(|body| {
        let pieces = Pieces::new(body).into_data_stream();
        let whole = stream::unfold(Some(pieces), |pieces| async {
            let mut pieces = pieces?;
            match pieces.next().await {
                Some(Ok(piece)) => Some((Ok(piece), Some(pieces))),
                None if pieces.is_end_stream() => None,
                Some(Err(_)) | None => Some((Err(status::cut()), None)),
            }
        });
        Body::new(Pieces::from_stream(whole))
    })
}
