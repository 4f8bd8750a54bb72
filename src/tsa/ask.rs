//! One question to one authority, over HTTP (RFC 3161 section 3.4).

use super::Trouble;
use reqwest::{Client, StatusCode, header, redirect};
use std::time::Duration;

/// The longest answer that is read, in bytes: a token with its chain and CRLs has some ten kilobytes.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;
/// What is sent.
const QUERY: &str = "application/timestamp-query";
/// What comes: the second is what the text of RFC 3161 says in one place.
const ANSWERS: [&str; 2] = [
    "application/timestamp-reply",
    "application/timestamp-response",
];

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("client of time-stamping authorities")]
pub struct BuildError(#[source] reqwest::Error);

/// The client of one authority.
pub(super) struct Ask {
    client: Client,
    url: String,
}

impl Ask {
    pub(super) fn new(url: &str, timeout: Duration) -> Result<Self, BuildError> {
        let mut client = Client::builder()
            .timeout(timeout)
            .redirect(redirect::Policy::none())
            .no_proxy()
            // Connections belong to the runtime of one question: none is kept.
            .pool_max_idle_per_host(0);
        if !url.starts_with("https://") {
            client = client.tls_certs_only([]);
        }
        Ok(Self {
            client: client.build().map_err(BuildError)?,
            url: url.to_owned(),
        })
    }

    /// Asks, and waits for the answer. On a thread of its own: whoever calls may be inside of a runtime, where
    /// waiting for another one is not allowed.
    pub(super) fn post(&self, request: &[u8]) -> Result<Vec<u8>, Trouble> {
        let asking = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.map_err(|_| Trouble::Unreachable)?;
            runtime.block_on(self.exchange(request.to_vec()))
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("tsa".into());
            let thread = thread.spawn_scoped(scope, asking);
            let asked = thread.map(|thread| thread.join());
            // No thread to be had, or one that panicked: nobody was asked.
            asked.map_or(Err(Trouble::Unreachable), |asked| {
                asked.unwrap_or(Err(Trouble::Unreachable))
            })
        })
    }

    async fn exchange(&self, request: Vec<u8>) -> Result<Vec<u8>, Trouble> {
        let failed = |error: reqwest::Error| match error.is_timeout() {
            true => Trouble::Timeout,
            false => Trouble::Unreachable,
        };
        let sent = self
            .client
            .post(&self.url)
            .header(header::CONTENT_TYPE, QUERY)
            .header(header::ACCEPT, ANSWERS.join(", "))
            .body(request)
            .send();
        let mut answer = sent.await.map_err(failed)?;
        if answer.status() != StatusCode::OK {
            return Err(Trouble::Status(answer.status().as_u16()));
        }
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !ANSWERS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(essence))
        {
            return Err(Trouble::ContentType(essence.chars().take(80).collect()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Trouble::TooLong(ANSWER_BYTES_MAX));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}
