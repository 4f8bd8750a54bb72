//! The gRPC services: the only place that knows the wire.
//!
//! ```text
//! request ─▶ auth: principal, Permit ─▶ convert ─▶ use case, on a blocking thread ─▶ convert ─▶ answer
//!                                                       └─▶ status: error to gRPC status
//! ```
//!
//! # Invariants
//! 1. Nothing is done without a [`crate::access::Permit`]; every RPC stands in [`crate::access::RPCS`]. What is open to
//!    everybody, the static face, is a surface of its own (`tiles`).
//! 2. Everything is bounded: messages, items, pages, streams in flight, threads ([`Limits`]).
//! 3. Dropping a call cancels no commit; a request that breaks off is not taken for a whole one (`cut`).
//! 4. Errors carry a gRPC code, a stable reason word and numbers; never a name, an address or an id.

mod audit;
mod auth;
mod blocking;
mod convert;
mod cut;
mod disposal;
mod erasure;
mod holds;
mod import;
mod metrics;
mod operations;
mod patient;
mod presence;
mod preservation;
mod reissue;
mod status;
mod streams;
mod submission;
mod tiles;
mod trace;

pub use auth::{CertificateDigest, Principals};
pub use generated::{DESCRIPTORS, v1};

use crate::access::Permit;
use crate::ambient::Clock;
use crate::archive::{Archive, Log};
use crate::desk::Desk;
use auth::Caller;
use blocking::Blocking;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tonic::codec::CompressionEncoding;
use tonic::service::{LayerExt, Routes, RoutesBuilder};
use tonic::{Response, Status};
use tower::ServiceBuilder;
use tower::util::{MapRequestLayer, MapResponseLayer};

mod generated {
    //! What `build.rs` made of `proto/`.

    /// The messages and services of `ceralacca.v1`.
    #[expect(missing_docs, reason = "documented in proto/")]
    #[allow(clippy::all)]
    pub mod v1 {
        tonic::include_proto!("ceralacca.v1");
    }

    /// The compiled descriptors of `proto/`, for reflection and for the compatibility test.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}

/// Limits of the services.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest message taken in, in bytes, after decompression.
    pub message_bytes_max: usize,
    /// The most items in a batch.
    pub batch_items_max: usize,
    /// Batches of one stream that may wait for their acknowledgements.
    pub stream_batches_max: usize,
    /// Uploads at a time; each has a thread.
    pub uploads_max: usize,
    /// Log files imported at a time; each has a thread, and of a signed one the whole in memory.
    pub imports_max: usize,
    /// Threads that submit.
    pub submit_threads: usize,
    /// Threads that read.
    pub read_threads: usize,
    /// Threads that read for the static face, so that strangers do not take those of clients.
    pub tile_threads: usize,
    /// Objects given again at a time; each has a thread.
    pub reissues_max: usize,
    /// Files of packages handed out at a time; each has a thread.
    pub packages_max: usize,
    /// Replays of leaves at a time; each holds a megabyte or less, and no thread.
    pub replays_max: usize,
    /// Streams of checkpoints at a time.
    pub watches_max: usize,
    /// How long an upload waits for its next piece, and a *duplicato* or a replay for its reader, before it is given
    /// up.
    pub stream_idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 8 << 20,
            batch_items_max: 1000,
            stream_batches_max: 16,
            uploads_max: 16,
            imports_max: 2,
            submit_threads: 8,
            read_threads: 8,
            tile_threads: 2,
            reissues_max: 16,
            packages_max: 4,
            replays_max: 16,
            watches_max: 1024,
            stream_idle: Duration::from_secs(60),
        }
    }
}

/// The longest client key, in bytes.
pub const CLIENT_KEY_BYTES_MAX: usize = 256;
/// The longest term of a search, in bytes: longer than any id or address that is one.
pub const TERM_BYTES_MAX: usize = 4096;
/// The longest statement of a declaration, in bytes.
const STATEMENT_BYTES_MAX: usize = 4096;
/// Pieces of a *duplicato*, in bytes.
const CHUNK_BYTES: usize = 256 << 10;

/// What the services share.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

struct Shared {
    archive: Arc<Archive>,
    principals: Principals,
    clock: Arc<dyn Clock>,
    limits: Limits,
    submits: Blocking,
    reads: Blocking,
    uploads: Blocking,
    imports: Blocking,
    reissues: Blocking,
    packages: Blocking,
    comparisons: Blocking,
    replays: Arc<Semaphore>,
    watches: Arc<Semaphore>,
    tiles: Blocking,
    stopping: watch::Sender<bool>,
    started: Duration,
}

impl Service {
    /// The services over these logs, for these principals.
    pub fn new(
        archive: Arc<Archive>,
        principals: Principals,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Self {
        Self(Arc::new(Shared {
            archive,
            principals,
            started: clock.monotone(),
            clock,
            limits,
            submits: Blocking::new(limits.submit_threads),
            reads: Blocking::new(limits.read_threads),
            uploads: Blocking::new(limits.uploads_max),
            imports: Blocking::new(limits.imports_max),
            reissues: Blocking::new(limits.reissues_max),
            packages: Blocking::new(limits.packages_max),
            comparisons: Blocking::new(1),
            replays: Arc::new(Semaphore::new(limits.replays_max)),
            watches: Arc::new(Semaphore::new(limits.watches_max)),
            tiles: Blocking::new(limits.tile_threads),
            stopping: watch::Sender::new(false),
        }))
    }

    /// The static face of all logs, over HTTP; it knows no callers.
    pub fn static_face(&self) -> axum::Router {
        tiles::router(self)
    }

    /// The state of all logs in numbers, over HTTP, for whoever watches the service.
    pub fn metrics(&self) -> axum::Router {
        metrics::router(self)
    }

    /// Tells the streams without an end that the service stops.
    pub fn drain(&self) {
        self.0.stopping.send_replace(true);
    }

    /// All services, with reflection.
    pub fn routes(&self) -> Result<RoutesBuilder, tonic_reflection::server::Error> {
        let mut routes = Routes::builder();
        macro_rules! add {
            ($server:path) => {{
                use $server as Server;
                let server = Server::new(self.clone())
                    .max_decoding_message_size(self.0.limits.message_bytes_max)
                    .accept_compressed(CompressionEncoding::Gzip)
                    .accept_compressed(CompressionEncoding::Zstd)
                    .send_compressed(CompressionEncoding::Gzip)
                    .send_compressed(CompressionEncoding::Zstd);
                let layers = ServiceBuilder::new()
                    .layer(MapRequestLayer::new(cut::noticed))
                    .layer(MapResponseLayer::new(status::explained));
                routes.add_service(layers.named_layer(server));
            }};
        }
        add!(v1::submission_server::SubmissionServer);
        add!(v1::audit_server::AuditServer);
        add!(v1::trace_server::TraceServer);
        add!(v1::reissue_server::ReissueServer);
        add!(v1::operations_server::OperationsServer);
        add!(v1::preservation_server::PreservationServer);
        add!(v1::disposal_server::DisposalServer);
        add!(v1::holds_server::HoldsServer);
        add!(v1::erasure_server::ErasureServer);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        routes.add_service(reflection().build_v1()?);
        routes.add_service(reflection().build_v1alpha()?);
        Ok(routes)
    }

    /// A log that a permit is for.
    fn log<A>(&self, permit: &Permit<A>) -> Result<&Log, Status> {
        let log = self.0.archive.log(permit.log());
        log.ok_or_else(status::unknown_log)
    }

    /// Reads at the desk of a permit, on a thread that may block.
    async fn at_desk<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        permit: Permit<A>,
        read: impl FnOnce(&Desk<'_, A>) -> Result<T, Status> + Send + 'static,
    ) -> Result<Response<T>, Status> {
        let service = self.clone();
        let reading = move || {
            let desk = service.log(&permit)?.desk(&permit);
            read(&desk.map_err(|_| status::denied())?)
        };
        Ok(Response::new(self.0.reads.run(reading).await?))
    }

    /// Who calls.
    fn caller<T>(&self, request: &tonic::Request<T>) -> Result<Caller, Status> {
        let certificates = request.peer_certs();
        let first = certificates.as_ref().and_then(|chain| chain.first());
        self.0.principals.caller(first.map(AsRef::as_ref))
    }

    /// What a caller may do on a log it names.
    fn permit<A: crate::access::Act>(
        &self,
        caller: &Caller,
        log: &str,
    ) -> Result<Permit<A>, Status> {
        let id = caller.log(log, self.0.archive.logs().map(Log::id))?;
        let permit = crate::access::authorize(caller.principal(), &id, self.0.clock.wall());
        permit.map_err(|_| status::denied())
    }
}
