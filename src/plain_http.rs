//! A listener of plain HTTP/1.1, for what is open to everybody or signed by who sends it: the static face of a log, and
//! a witness.
//!
//! # Invariants
//! 1. Connections are bounded, one request at a time on each; more wait to be accepted.
//! 2. Who sends no whole head in [`Limits::head`] is cut off, a silent connection as well as a slow one.
//! 3. At the end nothing new is accepted, and what is being answered is.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// How much strangers may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub connections_max: usize,
    /// How long the head of a request may take, the idle time before it included.
    pub head: Duration,
    /// How long the last answer of a connection may take to be taken: a few KiB.
    pub answer: Duration,
    /// How long a connection lasts: one that takes no answers gives its place back, others come again.
    pub connection: Duration,
}

impl Limits {
    /// So many connections, and times that a slow line can keep.
    pub const fn of(connections_max: usize) -> Self {
        Self {
            connections_max,
            head: Duration::from_secs(15),
            answer: Duration::from_secs(30),
            connection: Duration::from_secs(300),
        }
    }
}

/// The largest head of a request, in bytes: a path is short.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// How long to wait when the system gives no connection: it is out of files, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until it is told to stop, and until what is being answered then is answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let accepted = async {
            // The semaphore is never closed.
            let place = place.await.ok()?;
            Some((listener.accept().await, place))
        };
        let accepted = tokio::select! {
            // An error says that the service is gone.
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Some((Ok((stream, _)), place)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    connection(stream, router, limits, stop).await;
                    drop(place);
                });
            }
            _ => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    // Without it answers are slower, no more.
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    let builder = builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES_MAX);
    let service = TowerToHyperService::new(router);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // How a stranger's connection ends is nobody's concern.
        _ = serving.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
        () = tokio::time::sleep(limits.connection) => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(limits.answer, serving).await;
}
