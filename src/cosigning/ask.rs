//! One question to one witness, over HTTP (C2SP tlog-witness).

use crate::archive::Archive;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::cosignature;
use ceralacca_formats::id::{LogId, TreeSize};
use ceralacca_formats::policy::Witness;
use ceralacca_formats::tree::NodeHash;
use ceralacca_formats::witness::AddCheckpoint;
use reqwest::{Certificate, Client, StatusCode, redirect};
use std::sync::Arc;
use std::time::Duration;

/// The longest answer that is read, in bytes: some signature lines, or a size.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// A witness knows another size than we thought: asked again once with its own.
const ATTEMPTS: usize = 2;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The authority of witnesses is not PEM.
    #[error("authority of the witnesses")]
    Authority(#[source] reqwest::Error),
    /// No TLS, or no roots of the system.
    #[error("client of the witnesses")]
    Client(#[source] reqwest::Error),
}

/// What is wrong with a witness, or with what it was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    /// It does not answer in time, or not at all.
    Unreachable,
    /// It cosigned a larger checkpoint of this log already.
    Ahead,
    /// It answers with another status.
    Refused,
    /// It found our proof wanting: it has seen another tree. An alarm.
    Inconsistent,
    /// Its answer is none of the protocol.
    BadAnswer,
    /// Its cosignature does not verify under its key.
    BadCosignature,
    /// We could not make the proof.
    NoProof,
}

impl Trouble {
    /// The word in the status.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Ahead => "ahead",
            Self::Refused => "refused",
            Self::Inconsistent => "inconsistent",
            Self::BadAnswer => "bad-answer",
            Self::BadCosignature => "bad-cosignature",
            Self::NoProof => "no-proof",
        }
    }
}

/// What came of a question.
pub(super) struct Asked {
    /// The size the witness cosigned last, where that is known now.
    pub size: Option<TreeSize>,
    /// Its cosignature line, verified.
    pub line: Result<String, Trouble>,
}

/// The client of all witnesses.
#[derive(Clone)]
pub struct Ask(Client);

/// What a witness answered.
enum Answer {
    Lines(Vec<u8>),
    Conflict(TreeSize),
}

impl Ask {
    /// A client whose questions take at most so long. Over TLS a witness is known by `authority` (PEM) alone where
    /// there is one, else by the roots of the system, which are needed only where `uses_tls`.
    pub fn new(
        timeout: Duration,
        authority: Option<&[u8]>,
        uses_tls: bool,
    ) -> Result<Self, BuildError> {
        let mut client = Client::builder()
            .timeout(timeout)
            .redirect(redirect::Policy::none())
            .no_proxy();
        if let Some(pem) = authority {
            let roots = Certificate::from_pem_bundle(pem).map_err(BuildError::Authority)?;
            client = client.tls_certs_only(roots);
        } else if !uses_tls {
            client = client.tls_certs_only([]);
        }
        client.build().map(Self).map_err(BuildError::Client)
    }

    /// Asks a witness, which is believed to have cosigned `known` last, to cosign a checkpoint. One that is believed to
    /// be ahead is asked all the same: it may have said so wrongly.
    pub(super) async fn cosign(
        &self,
        log: (&Arc<Archive>, &LogId),
        witness: &Witness,
        checkpoint: &Checkpoint,
        known: TreeSize,
    ) -> Asked {
        let target = checkpoint.size();
        let mut old = known.min(target);
        let failed = |size, trouble| Asked {
            size,
            line: Err(trouble),
        };
        for _ in 0..ATTEMPTS {
            if old > target {
                return failed(Some(old), Trouble::Ahead);
            }
            let Some(proof) = prove(log, old, target).await else {
                return failed(None, Trouble::NoProof);
            };
            let request = AddCheckpoint {
                old,
                proof,
                note: checkpoint.note().to_owned(),
            };
            match self.post(witness, request.to_text()).await {
                Ok(Answer::Lines(lines)) => {
                    let taken = cosignature::take(checkpoint, &lines, &witness.key);
                    let line = taken.map(|(line, _)| line);
                    return match line {
                        Ok(line) => Asked {
                            size: Some(target),
                            line: Ok(line),
                        },
                        Err(_) => failed(None, Trouble::BadCosignature),
                    };
                }
                Ok(Answer::Conflict(size)) if size == old => {
                    return failed(None, Trouble::BadAnswer);
                }
                Ok(Answer::Conflict(size)) => old = size,
                Err(trouble) => return failed(None, trouble),
            }
        }
        match old > target {
            true => failed(Some(old), Trouble::Ahead),
            false => failed(Some(old), Trouble::BadAnswer),
        }
    }

    async fn post(&self, witness: &Witness, body: String) -> Result<Answer, Trouble> {
        let prefix = witness.url.as_deref().unwrap_or_default();
        let url = format!("{}/add-checkpoint", prefix.trim_end_matches('/'));
        let answer = self.0.post(url).body(body).send().await;
        let mut answer = answer.map_err(|_| Trouble::Unreachable)?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| Trouble::Unreachable)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Trouble::BadAnswer);
            }
            bytes.extend_from_slice(&chunk);
        }
        match status {
            StatusCode::OK => Ok(Answer::Lines(bytes)),
            StatusCode::CONFLICT => {
                let size = size(&bytes).ok_or(Trouble::BadAnswer)?;
                Ok(Answer::Conflict(size))
            }
            StatusCode::UNPROCESSABLE_ENTITY => Err(Trouble::Inconsistent),
            _ => Err(Trouble::Refused),
        }
    }
}

/// A size as a conflict tells it: decimal and a line feed.
fn size(bytes: &[u8]) -> Option<TreeSize> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let size: u64 = text.parse().ok()?;
    (size.to_string() == text).then(|| TreeSize::new(size))
}

/// The consistency proof between two sizes of the published tree.
async fn prove(
    (archive, log): (&Arc<Archive>, &LogId),
    old: TreeSize,
    new: TreeSize,
) -> Option<Vec<NodeHash>> {
    let (archive, id) = (Arc::clone(archive), log.clone());
    let proving = tokio::task::spawn_blocking(move || {
        let reader = archive.log(&id)?.reader();
        reader.consistency(&reader.published(), old, new).ok()
    });
    proving.await.ok().flatten()
}
