//! The service: configuration, logs, transport, and an orderly end.
//!
//! # Invariants
//! 1. It listens only after every log is open, and says so.
//! 2. At the end it accepts nothing new, lets calls finish for a bounded time, stops the logs cleanly.
//! 3. The static face and the figures, where an operator asks for them, have addresses of their own; nobody is known there.
//! 4. Nothing personal is logged: no address, no id of a message, no query.

mod attempts;
pub mod closing;
pub mod config;
mod disposal;
mod incoming;
pub mod renewal;
mod retention;
mod scrub;
pub mod seal;
mod trust;
mod witness;

pub use trust::TrustFileError;
pub use witness::Witnesses;

use crate::access::RPCS;
use crate::ambient::Clock;
use crate::api::{Principals, Service};
use crate::archive::{Archive, ArchiveError, Settings};
use crate::cosigning::{Ask, BuildError, Cosigning};
use crate::plain_http::{self, Limits};
use attempts::Attempts;
use ceralacca_formats::secret::MasterKey;
use config::{Config, Transport};
use incoming::Incoming;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use tonic_health::server::HealthReporter;
use trust::TrustReader;

/// Why the service did not start, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A log does not open, or did not stop cleanly.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The address cannot be had.
    #[error("listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of the TLS configuration cannot be read.
    #[error("read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Certificates or key are unusable, or the transport failed.
    #[error("transport")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptors of our own proto files are unusable.
    #[error("reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// A file of trust material is unusable.
    #[error(transparent)]
    Trust(#[from] TrustFileError),
    /// Nothing can be sealed or stamped with this configuration.
    #[error("seal")]
    Seal(#[from] seal::SealSettingsError),
    /// Witnesses cannot be asked.
    #[error(transparent)]
    Witnesses(#[from] BuildError),
    /// No runtime, or no signals.
    #[error("start the runtime")]
    Runtime(#[source] std::io::Error),
}

/// Pings an idle connection.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long a ping may go unanswered.
const PING_PATIENCE: Duration = Duration::from_secs(20);
/// Calls at a time on one connection.
const CALLS_PER_CONNECTION_MAX: u32 = 256;
/// What one stream, and one connection, may have on the way to us, in bytes.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// The largest header list, in bytes.
const HEADER_BYTES_MAX: u32 = 16 << 10;

/// Where it listens.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// The services.
    pub services: SocketAddr,
    /// The static face, where there is one.
    pub static_face: Option<SocketAddr>,
    /// The state of the logs in numbers, where it is given.
    pub metrics: Option<SocketAddr>,
}

/// What the logs of a configuration are opened with.
pub fn settings(config: &Config) -> Result<Settings, ServeError> {
    let mut settings = Settings {
        schedule: config.schedule,
        object_bytes_max: config.object_bytes_max,
        justice: config.justice.clone(),
        witnesses: config.witnesses.as_ref().map(|w| w.rule.clone()),
        disposal: config.disposal,
        ..Settings::default()
    };
    if config.seal.is_absent() {
        tracing::warn!("NOTHING IS SEALED: there is no seal key; see [seal] of the configuration");
        return Ok(settings);
    }
    let journal = Arc::new(Attempts::new(&config.data));
    let (clock, entropy) = (Arc::clone(&settings.clock), Arc::clone(&settings.entropy));
    let authorities = config.seal.open(clock, entropy, journal)?;
    if authorities.stamper.is_development() || authorities.signer.is_development() {
        tracing::warn!("DEVELOPMENT: what is sealed is not qualified, and its time not proven");
    }
    settings.authorities = Some(authorities);
    Ok(settings)
}

/// Opens the logs and serves them until SIGTERM or SIGINT; `ready` hears the addresses.
pub fn serve(
    config: Config,
    master: &MasterKey,
    ready: impl FnOnce(Listening),
) -> Result<(), ServeError> {
    let settings = settings(&config)?;
    let clock = Arc::clone(&settings.clock);
    let archive = Arc::new(Archive::open(
        &config.data,
        &config.logs,
        master,
        &settings,
    )?);
    let mut trust = TrustReader::new(config.trust.clone());
    if let Err(error) = trust.apply(&archive) {
        archive.stop()?;
        return Err(error.into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    let result = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Runtime)?;
        let hangup = signal(SignalKind::hangup()).map_err(ServeError::Runtime)?;
        let following = trust::follow(trust, Arc::clone(&archive), config.trust.reread, hangup);
        tokio::spawn(following);
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        serve_until(config, Arc::clone(&archive), clock, stop, ready).await
    });
    // Work that still runs after the drain is not waited for: what it did not finish, nobody was told of.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let stopped = archive.stop();
    result?;
    Ok(stopped?)
}

async fn serve_until(
    config: Config,
    archive: Arc<Archive>,
    clock: Arc<dyn Clock>,
    stop: impl Future<Output = ()>,
    ready: impl FnOnce(Listening),
) -> Result<(), ServeError> {
    let mut server = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_PATIENCE))
        .max_concurrent_streams(CALLS_PER_CONNECTION_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_header_list_size(HEADER_BYTES_MAX);
    if let Transport::Tls {
        certificate,
        key,
        client_ca,
    } = &config.transport
    {
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(read(certificate)?, read(key)?))
            .client_ca_root(Certificate::from_pem(read(client_ca)?))
            .client_auth_optional(true);
        server = server.tls_config(tls)?;
    }
    if matches!(config.principals, Principals::Development) {
        tracing::warn!(
            "DEVELOPMENT: plain text, and every caller has every role but a court's; not for production"
        );
    }
    // Dropped at the end: whom we have not asked by then we ask after the next start.
    let _asking = match &config.witnesses {
        None => JoinSet::new(),
        Some(witnesses) => ask(witnesses, &archive, &clock)?,
    };
    let (scrubbed, scrub_clock) = (Arc::clone(&archive), Arc::clone(&clock));
    let (sealed, seal_clock) = (Arc::clone(&archive), Arc::clone(&clock));
    let (renewed, renewal_clock) = (Arc::clone(&archive), Arc::clone(&clock));
    let (disposed, disposal_clock) = (Arc::clone(&archive), Arc::clone(&clock));
    let service = Service::new(archive, config.principals, clock, config.limits);
    let mut routes = service.routes()?;
    let (health, health_service) = tonic_health::server::health_reporter();
    say(&health, tonic_health::ServingStatus::Serving).await;
    routes.add_service(health_service);
    let (listener, address) = listen(config.listen).await?;
    let (stop_face, _) = watch::channel(false);
    let stops = stop_face.subscribe();
    let scrubbing = tokio::spawn(scrub::follow(
        scrubbed,
        scrub_clock,
        config.scrubbing,
        stops,
    ));
    let stops = stop_face.subscribe();
    let closing = tokio::spawn(closing::follow(sealed, seal_clock, stops));
    let rules = config.seal.rules.clone();
    let stops = stop_face.subscribe();
    let renewing = tokio::spawn(renewal::follow(renewed, rules, renewal_clock, stops));
    let mut faces = JoinSet::new();
    let mut addresses = [None, None];
    let given = [
        (&config.static_face, service.static_face()),
        (&config.metrics, service.metrics()),
    ];
    for ((face, router), place) in given.into_iter().zip(&mut addresses) {
        let Some(face) = face else {
            continue;
        };
        let (listener, address) = listen(face.listen).await?;
        *place = Some(address);
        let limits = Limits::of(face.connections_max);
        faces.spawn(plain_http::serve(
            listener,
            router,
            limits,
            stop_face.subscribe(),
        ));
    }
    let [static_face, metrics] = addresses;
    let stops = stop_face.subscribe();
    let disposing = tokio::spawn(disposal::follow(disposed, disposal_clock, stops));
    let incoming = Incoming::new(listener, config.connections_max);
    let (begin_drain, drain) = tokio::sync::oneshot::channel::<()>();
    let serving = server
        .add_routes(routes.routes())
        .serve_with_incoming_shutdown(incoming, async {
            // An error says that the sender is gone, which ends the service too.
            let _ = drain.await;
        });
    tokio::pin!(serving);
    ready(Listening {
        services: address,
        static_face,
        metrics,
    });
    tracing::info!(%address, "serving");
    if let Some(address) = static_face {
        tracing::info!(%address, "static face: checkpoints and hash tiles, open to everybody");
    }
    // Without a supervisor nobody listens.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        () = stop => {}
    }
    tracing::info!("stopping");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    say(&health, tonic_health::ServingStatus::NotServing).await;
    service.drain();
    drop(begin_drain);
    stop_face.send_replace(true);
    let all = async {
        let ended = serving.await;
        // A panic there was told; what it did not finish is done again.
        let _ = scrubbing.await;
        let _ = closing.await;
        let _ = renewing.await;
        // A panic there is a broken invariant of ours; nothing was to be saved.
        while faces.join_next().await.is_some() {}
        let _ = disposing.await;
        ended
    };
    match tokio::time::timeout(config.drain, all).await {
        Ok(ended) => ended?,
        Err(_) => tracing::warn!("calls were cut after the drain time"),
    }
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Begins to ask the witnesses of every log.
fn ask(
    witnesses: &Witnesses,
    archive: &Arc<Archive>,
    clock: &Arc<dyn Clock>,
) -> Result<JoinSet<()>, ServeError> {
    let authority = witnesses.ca.as_deref().map(read).transpose()?;
    let ask = Ask::new(witnesses.timeout, authority.as_deref(), witnesses.use_tls())?;
    let mut asking = JoinSet::new();
    for log in archive.logs() {
        let (archive, id, clock) = (Arc::clone(archive), log.id().clone(), Arc::clone(clock));
        let cosigning = Cosigning::new(archive, id, ask.clone(), clock);
        asking.spawn(cosigning.run(witnesses.pause));
    }
    Ok(asking)
}

/// Says how the whole and each service fares.
async fn say(health: &HealthReporter, status: tonic_health::ServingStatus) {
    let services = RPCS.iter().filter_map(|(rpc, _)| rpc.split('/').next());
    for service in std::iter::once("").chain(services) {
        health.set_service_status(service, status).await;
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ServeError> {
    std::fs::read(path).map_err(|source| ServeError::Read {
        path: path.to_owned(),
        source,
    })
}
