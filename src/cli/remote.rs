//! The client side of the services: how commands reach an archive that is served elsewhere.
//!
//! # Invariants
//! 1. Plain text goes to loopback only; over TLS the server is known by `--ca` and the client by its certificate.
//! 2. A status becomes one line, reason word and message; what was asked is not repeated in it.
//! 3. Answers are bounded: a record has metadata of some megabytes at most, a *duplicato* comes in pieces.
//!
//! # Not here
//! What the answers prove: commands check them with [`ceralacca_formats`], never by trusting this channel.

mod disposal;

use super::v1;
use super::v1::audit_client::AuditClient;
use super::v1::erasure_client::ErasureClient;
use super::v1::holds_client::HoldsClient;
use super::v1::operations_client::OperationsClient;
use super::v1::preservation_client::PreservationClient;
use super::v1::reissue_client::ReissueClient;
use super::v1::submission_client::SubmissionClient;
use super::v1::trace_client::TraceClient;
use anyhow::{Context as _, Result, bail};
use ceralacca_formats::id::LogId;
use std::future::Future;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

/// Where the archive is, and as whom it is spoken to.
#[derive(clap::Args)]
#[command(next_help_heading = "Archive")]
pub struct Arguments {
    /// Address of the archive: https://HOST:PORT, or http:// on loopback
    #[arg(
        long,
        value_name = "URL",
        env = "CERALACCA_SERVER",
        default_value = "http://127.0.0.1:8443"
    )]
    server: String,
    /// Name of the log; not needed where there is only one for you
    #[arg(long, value_name = "ID", value_parser = super::log_id)]
    log: Option<LogId>,
    /// For https: the authority that signed the server's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// For https: your certificate, its own first (PEM)
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_certificate: Option<PathBuf>,
    /// For https: its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    client_key: Option<PathBuf>,
}

/// How long a connection may take to come about.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How often the server is asked whether it lives, and how long it may keep silent.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_PATIENCE: Duration = Duration::from_secs(20);
/// The largest answer, in bytes: a page of a thousand records.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Why a call came to nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct RemoteError {
    /// Stable word of the service, or that of the gRPC code where the service gave none.
    pub reason: String,
    message: String,
    numbers: std::collections::HashMap<String, String>,
    /// What follows for the rest of the work.
    pub verdict: Verdict,
}

/// What a failure means for what comes after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The service or the way to it fails for now: try again.
    Later,
    /// This one is refused; another may be taken.
    Refused,
    /// No call like this will succeed.
    Never,
}

fn verdict(code: Code) -> Verdict {
    match code {
        Code::Unavailable
        | Code::Cancelled
        | Code::Aborted
        | Code::DeadlineExceeded
        | Code::Unknown => Verdict::Later,
        Code::InvalidArgument | Code::AlreadyExists => Verdict::Refused,
        _ => Verdict::Never,
    }
}

impl RemoteError {
    /// A number that the service told beside its reason.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.numbers.get(name)?.parse().ok()
    }

    /// What may do another time, noticed on this side.
    pub fn later(reason: &str, message: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.to_owned(),
            numbers: Default::default(),
            verdict: Verdict::Later,
        }
    }
}

impl From<Status> for RemoteError {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let numbers = details.error_info().map(|info| info.metadata.clone());
        let reason = details.error_info().map(|info| info.reason.clone());
        let reason = reason.filter(|reason| !reason.is_empty());
        let own = reason.is_some();
        let mut message = status.message().to_owned();
        if !own {
            // Of the transport: the cause says more than its message.
            let mut cause = std::error::Error::source(&status);
            while let Some(error) = cause {
                let text = error.to_string();
                if !message.contains(&text) {
                    message = format!("{message}: {text}");
                }
                cause = error.source();
            }
        }
        Self {
            reason: reason.unwrap_or_else(|| format!("{:?}", status.code())),
            message,
            numbers: numbers.unwrap_or_default(),
            verdict: verdict(status.code()),
        }
    }
}

impl From<&v1::Refusal> for RemoteError {
    fn from(refusal: &v1::Refusal) -> Self {
        Self {
            reason: refusal.reason.clone(),
            message: refusal.message.clone(),
            numbers: Default::default(),
            verdict: verdict(Code::from(refusal.code)),
        }
    }
}

/// What a call gives.
pub type Answered<T> = Result<T, RemoteError>;

/// An archive, reached.
pub struct Remote {
    channel: Channel,
    log: String,
}

/// Pieces of an answer.
pub struct Pieces<T>(pub(super) Streaming<T>);

impl<T> Pieces<T> {
    /// The next one; none at the good end.
    pub async fn next(&mut self) -> Answered<Option<T>> {
        Ok(self.0.message().await?)
    }
}

/// Runs a client to its end. One thread is enough for one connection.
pub fn run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    runtime()?.block_on(work)
}

/// Runs a client to its end, or until it is interrupted: then nothing goes on, and files that are not whole are removed.
pub fn run_until_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    runtime()?.block_on(async {
        tokio::select! {
            done = work => done,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    })
}

/// Waits.
pub async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")
}

impl Arguments {
    /// The log as requests name it; empty for the only one.
    fn log(&self) -> String {
        let log = self.log.as_ref();
        log.map_or_else(String::new, |log| log.as_str().to_owned())
    }

    fn endpoint(&self) -> Result<Endpoint> {
        let uri: Uri = match self.server.parse() {
            Ok(uri) => uri,
            Err(_) => bail!("--server is not a URL such as https://archive.example:8443"),
        };
        let host = uri.host().unwrap_or_default().to_owned();
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => bail!("--server must begin with https:// or http://"),
        };
        let endpoint = Channel::builder(uri)
            .connect_timeout(CONNECT_PATIENCE)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_PATIENCE)
            .tcp_nodelay(true);
        let with_tls_files = self.ca.is_some() || self.client_certificate.is_some();
        if !is_tls {
            if !is_loopback(&host) {
                bail!("plain http:// is for loopback only; use https:// with --ca");
            }
            if with_tls_files {
                bail!("--ca and --client-certificate are for https://");
            }
            return Ok(endpoint);
        }
        let Some(ca) = &self.ca else {
            bail!("https:// needs --ca, the authority of the server's certificate");
        };
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?));
        if let (Some(certificate), Some(key)) = (&self.client_certificate, &self.client_key) {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        endpoint.tls_config(tls).context("certificates and key")
    }

    /// Connects.
    pub async fn connect(&self) -> Result<Remote> {
        let endpoint = self.endpoint()?;
        let channel = endpoint.connect().await;
        Ok(Remote {
            channel: channel.with_context(|| format!("connect to {}", self.server))?,
            log: self.log(),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("read {}", path.display()))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address: Result<IpAddr, _> = address.parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl Remote {
    /// The last published checkpoint.
    pub async fn checkpoint(&self) -> Answered<v1::GetCheckpointResponse> {
        self.one_checkpoint(false).await
    }

    /// The last witnessed checkpoint.
    pub async fn witnessed_checkpoint(&self) -> Answered<v1::GetCheckpointResponse> {
        self.one_checkpoint(true).await
    }

    async fn one_checkpoint(&self, witnessed: bool) -> Answered<v1::GetCheckpointResponse> {
        let request = v1::GetCheckpointRequest {
            log: self.log.clone(),
            witnessed,
            which: None,
        };
        let answer = self.audit().get_checkpoint(request).await?;
        Ok(answer.into_inner())
    }

    /// The consistency proof between two sizes.
    pub async fn consistency(
        &self,
        first_size: u64,
        second_size: u64,
    ) -> Answered<v1::GetConsistencyProofResponse> {
        let request = v1::GetConsistencyProofRequest {
            log: self.log.clone(),
            first_size,
            second_size,
        };
        let answer = self.audit().get_consistency_proof(request).await?;
        Ok(answer.into_inner())
    }

    /// A leaf and its inclusion proof at a size.
    pub async fn inclusion(
        &self,
        index: u64,
        tree_size: u64,
    ) -> Answered<v1::GetInclusionProofResponse> {
        let request = v1::GetInclusionProofRequest {
            log: self.log.clone(),
            index,
            tree_size,
            ..v1::GetInclusionProofRequest::default()
        };
        let answer = self.audit().get_inclusion_proof(request).await?;
        Ok(answer.into_inner())
    }

    /// A page of the rotations of the log's key, from a number on.
    pub async fn key_rotations(&self, first: u32) -> Answered<v1::ListKeyRotationsResponse> {
        let request = v1::ListKeyRotationsRequest {
            log: self.log.clone(),
            first,
            limit: 0,
        };
        let answer = self.audit().list_key_rotations(request).await?;
        Ok(answer.into_inner())
    }

    /// A record, and its proof file if it is asked for.
    pub async fn record(&self, index: u64, proof: bool) -> Answered<v1::GetRecordResponse> {
        let log = self.log.clone();
        let request = v1::GetRecordRequest {
            log,
            index,
            proof,
            ..v1::GetRecordRequest::default()
        };
        let answer = self.audit().get_record(request).await?;
        Ok(answer.into_inner())
    }

    /// What closed intervals say of an identificativo, one after another.
    pub async fn map_proof(
        &self,
        mut request: v1::GetMapProofRequest,
    ) -> Answered<Pieces<v1::GetMapProofResponse>> {
        request.log.clone_from(&self.log);
        let answers = self.audit().get_map_proof(request).await?;
        Ok(Pieces(answers.into_inner()))
    }

    /// A page of a search.
    pub async fn search(&self, mut request: v1::SearchRequest) -> Answered<v1::SearchResponse> {
        request.log.clone_from(&self.log);
        let client = TraceClient::new(self.channel.clone());
        let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(client.search(request).await?.into_inner())
    }

    /// What became of a message.
    pub async fn transaction(&self, identificativo: &str) -> Answered<v1::GetTransactionResponse> {
        let request = v1::GetTransactionRequest {
            log: self.log.clone(),
            identificativo: identificativo.to_owned(),
        };
        let client = TraceClient::new(self.channel.clone());
        let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(client.get_transaction(request).await?.into_inner())
    }

    /// Holds the original of a brief receipt against its hashes.
    pub async fn check_brief(&self, index: u64) -> Answered<v1::CheckBriefReceiptResponse> {
        let request = v1::CheckBriefReceiptRequest {
            log: self.log.clone(),
            index,
        };
        let client = TraceClient::new(self.channel.clone());
        let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(client.check_brief_receipt(request).await?.into_inner())
    }

    /// An object: its head, then its bytes.
    pub async fn duplicato(
        &self,
        index: u64,
        infected: bool,
    ) -> Answered<Pieces<v1::GetDuplicatoResponse>> {
        let log = self.log.clone();
        let request = v1::GetDuplicatoRequest {
            log,
            index,
            infected,
        };
        let client = ReissueClient::new(self.channel.clone());
        let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(Pieces(client.get_duplicato(request).await?.into_inner()))
    }

    /// A package for a court: its head, then its bytes.
    pub async fn package(
        &self,
        mut request: v1::GetPackageRequest,
    ) -> Answered<Pieces<v1::GetPackageResponse>> {
        request.log.clone_from(&self.log);
        let client = ReissueClient::new(self.channel.clone());
        let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(Pieces(client.get_package(request).await?.into_inner()))
    }

    /// What closings added to a package.
    pub async fn completion(
        &self,
        mut request: v1::CompletePackageRequest,
    ) -> Answered<Pieces<v1::CompletePackageResponse>> {
        request.log.clone_from(&self.log);
        let client = ReissueClient::new(self.channel.clone());
        let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(Pieces(client.complete_package(request).await?.into_inner()))
    }

    /// A page of intervals.
    pub async fn intervals(&self, after_ms: Option<u64>) -> Answered<v1::ListIntervalsResponse> {
        let request = v1::ListIntervalsRequest {
            log: self.log.clone(),
            after_ms,
            limit: 0,
        };
        let client = PreservationClient::new(self.channel.clone());
        let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(client.list_intervals(request).await?.into_inner())
    }

    fn holds_client(&self) -> HoldsClient<Channel> {
        let client = HoldsClient::new(self.channel.clone());
        client.max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Sets a hold.
    pub async fn set_hold(&self, mut request: v1::SetHoldRequest) -> Answered<v1::SetHoldResponse> {
        request.log.clone_from(&self.log);
        Ok(self.holds_client().set_hold(request).await?.into_inner())
    }

    /// A page of holds; of those that name a record, where one is given.
    pub async fn holds(
        &self,
        above: Option<u64>,
        record: Option<u64>,
    ) -> Answered<v1::ListHoldsResponse> {
        let request = v1::ListHoldsRequest {
            log: self.log.clone(),
            above,
            limit: 0,
            record,
        };
        Ok(self.holds_client().list_holds(request).await?.into_inner())
    }

    /// A hold, with the leaves it names.
    pub async fn hold(&self, hold: u64) -> Answered<v1::GetHoldResponse> {
        let log = self.log.clone();
        let request = v1::GetHoldRequest { log, hold };
        Ok(self.holds_client().get_hold(request).await?.into_inner())
    }

    /// Proposes to release a hold.
    pub async fn propose_release(
        &self,
        hold: u64,
        reason: String,
    ) -> Answered<v1::ProposeReleaseResponse> {
        let log = self.log.clone();
        let request = v1::ProposeReleaseRequest { log, hold, reason };
        let answer = self.holds_client().propose_release(request).await?;
        Ok(answer.into_inner())
    }

    /// Releases a hold that another principal proposed to release.
    pub async fn confirm_release(
        &self,
        hold: u64,
        reason: String,
    ) -> Answered<v1::ConfirmReleaseResponse> {
        let log = self.log.clone();
        let request = v1::ConfirmReleaseRequest { log, hold, reason };
        let answer = self.holds_client().confirm_release(request).await?;
        Ok(answer.into_inner())
    }

    fn erasure_client(&self) -> ErasureClient<Channel> {
        let client = ErasureClient::new(self.channel.clone());
        client.max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Proposes to erase an object.
    pub async fn propose_erasure(
        &self,
        mut request: v1::ProposeErasureRequest,
    ) -> Answered<v1::ProposeErasureResponse> {
        request.log.clone_from(&self.log);
        let answer = self.erasure_client().propose_erasure(request).await?;
        Ok(answer.into_inner())
    }

    /// Erases an object whose erasure another principal proposed.
    pub async fn confirm_erasure(
        &self,
        index: u64,
        statement: String,
    ) -> Answered<v1::ConfirmErasureResponse> {
        let request = v1::ConfirmErasureRequest {
            log: self.log.clone(),
            index,
            statement,
        };
        let answer = self.erasure_client().confirm_erasure(request).await?;
        Ok(answer.into_inner())
    }

    /// What is kept of the erasure of an object.
    pub async fn erasure(&self, index: u64) -> Answered<v1::GetErasureResponse> {
        let log = self.log.clone();
        let request = v1::GetErasureRequest { log, index };
        let answer = self.erasure_client().get_erasure(request).await?;
        Ok(answer.into_inner())
    }

    /// A file of the package of an interval: its head, then its bytes.
    pub async fn package_file(
        &self,
        interval_ms: u64,
        path: &str,
    ) -> Answered<Pieces<v1::StreamFileResponse>> {
        let request = v1::StreamFileRequest {
            log: self.log.clone(),
            interval_ms,
            path: path.to_owned(),
        };
        let client = PreservationClient::new(self.channel.clone());
        let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
        Ok(Pieces(client.stream_file(request).await?.into_inner()))
    }

    /// How the service fares.
    pub async fn status(&self) -> Answered<v1::GetStatusResponse> {
        let mut client = OperationsClient::new(self.channel.clone());
        let answer = client.get_status(v1::GetStatusRequest {}).await?;
        Ok(answer.into_inner())
    }

    /// Records of a period, as closing leaves count them.
    pub async fn totals(
        &self,
        mut request: v1::GetTotalsRequest,
    ) -> Answered<v1::GetTotalsResponse> {
        request.log.clone_from(&self.log);
        let mut client = OperationsClient::new(self.channel.clone());
        Ok(client.get_totals(request).await?.into_inner())
    }

    /// Batches as they come, and their answers in the same order. The first batch must be in the channel already:
    /// the service answers nothing before it.
    pub async fn submit(
        &self,
        batches: mpsc::Receiver<v1::SubmitBatchRequest>,
    ) -> Answered<Pieces<v1::SubmitBatchResponse>> {
        let mut client = self.submission();
        let answers = client.submit_stream(ReceiverStream::new(batches)).await?;
        Ok(Pieces(answers.into_inner()))
    }

    /// One object in pieces.
    pub async fn upload(
        &self,
        pieces: mpsc::Receiver<v1::UploadRequest>,
    ) -> Answered<v1::SubmitResponse> {
        let mut client = self.submission();
        let answer = client.upload(ReceiverStream::new(pieces)).await?;
        Ok(answer.into_inner())
    }

    /// One log file in pieces, and what becomes of it.
    pub async fn import_log(
        &self,
        pieces: mpsc::Receiver<v1::ImportLogRequest>,
    ) -> Answered<Pieces<v1::ImportLogResponse>> {
        let mut client = self.submission();
        let answers = client.import_log(ReceiverStream::new(pieces)).await?;
        Ok(Pieces(answers.into_inner()))
    }

    /// Declares an interval migrated.
    pub async fn declare_migration(
        &self,
        mut request: v1::DeclareMigrationRequest,
    ) -> Answered<v1::DeclareMigrationResponse> {
        request.log.clone_from(&self.log);
        let mut client = OperationsClient::new(self.channel.clone());
        Ok(client.declare_migration(request).await?.into_inner())
    }

    /// Has everything checked; gives the number of the round.
    pub async fn start_scrub(&self) -> Answered<u64> {
        let log = self.log.clone();
        let mut client = OperationsClient::new(self.channel.clone());
        let answer = client.start_scrub(v1::StartScrubRequest { log }).await?;
        Ok(answer.into_inner().round)
    }

    /// How far that is, and what it found.
    pub async fn scrub(&self) -> Answered<v1::GetScrubResponse> {
        let log = self.log.clone();
        let mut client = OperationsClient::new(self.channel.clone());
        let answer = client.get_scrub(v1::GetScrubRequest { log }).await?;
        Ok(answer.into_inner())
    }

    /// Waits before it asks again.
    pub async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// The log, as requests name it.
    pub fn log(&self) -> &str {
        &self.log
    }

    pub(super) fn audit(&self) -> AuditClient<Channel> {
        AuditClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    fn submission(&self) -> SubmissionClient<Channel> {
        SubmissionClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        remote: Arguments,
    }

    fn refused(arguments: &[&str]) -> String {
        let line = Line::parse_from([&["client"], arguments].concat());
        line.remote.endpoint().unwrap_err().to_string()
    }

    #[test]
    fn plain_text_is_for_loopback_only() {
        for url in [
            "http://127.0.0.1:1",
            "http://127.8.9.1:1",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            let line = Line::parse_from(["client", "--server", url]);
            assert!(line.remote.endpoint().is_ok(), "{url}");
        }
        for url in [
            "http://archive.example:1",
            "http://192.0.2.1:1",
            "http://localhost.example:1",
            "http://[2001:db8::1]:1",
        ] {
            assert!(
                refused(&["--server", url]).contains("loopback only"),
                "{url}"
            );
        }
        assert!(refused(&["--server", "https://archive.example:1"]).contains("--ca"));
        assert!(refused(&["--server", "ftp://archive.example"]).contains("must begin"));
        assert!(refused(&["--server", "a b"]).contains("not a URL"));
        assert!(refused(&["--server", "http://127.0.0.1:1", "--ca", "x"]).contains("for https"));
    }

    #[test]
    fn a_failure_says_whether_to_try_again() {
        let refusal = |code: Code| v1::Refusal {
            code: code.into(),
            reason: "WORD".to_owned(),
            message: "why".to_owned(),
        };
        for (code, expected) in [
            (Code::Unavailable, Verdict::Later),
            (Code::Unknown, Verdict::Later),
            (Code::InvalidArgument, Verdict::Refused),
            (Code::AlreadyExists, Verdict::Refused),
            (Code::ResourceExhausted, Verdict::Never),
            (Code::DataLoss, Verdict::Never),
            (Code::PermissionDenied, Verdict::Never),
        ] {
            let error = RemoteError::from(&refusal(code));
            assert_eq!(
                (error.verdict, error.to_string()),
                (expected, "WORD: why".to_owned())
            );
            let bare = RemoteError::from(Status::new(code, "why"));
            assert_eq!(bare.verdict, expected);
            assert_eq!(bare.to_string(), format!("{code:?}: why"));
        }
    }
}
