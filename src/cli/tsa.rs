//! `tsa`: the development time-stamping authority over HTTP.

use super::Answer;
use crate::ambient::{SystemClock, SystemEntropy};
use crate::seal_key::{Passphrase, open_file};
use crate::tsa::http::{self, Served};
use anyhow::{Context as _, Result, bail};
use ceralacca_evidence::SealSigner as _;
use ceralacca_evidence::authority::Authority;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// What `tsa` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Address and port to listen on, plain HTTP; loopback only. Port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8318")]
    listen: SocketAddr,
    /// The key of the authority, encrypted: sviluppo/tsa.key beside the master key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Its certificate and its root. Default the key's name ending in .pem
    #[arg(long, value_name = "FILE")]
    certificates: Option<PathBuf>,
    /// File with what decrypts the key. Default the file passphrase in its folder
    #[arg(long, value_name = "FILE")]
    passphrase: Option<PathBuf>,
}

/// Serves it until SIGTERM or SIGINT. The address is the answer.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    if !arguments.listen.ip().is_loopback() {
        let why = "a development authority is for loopback only";
        bail!("{why}, and {} is not", arguments.listen);
    }
    let key = &arguments.key;
    let certificates = arguments.certificates.clone();
    let certificates = certificates.unwrap_or_else(|| key.with_extension("pem"));
    let passphrase = arguments.passphrase.clone();
    let passphrase = passphrase.unwrap_or_else(|| key.with_file_name("passphrase"));
    let key = open_file(key, &certificates, &Passphrase::File(passphrase))?;
    if !key.is_development() {
        bail!("the certificate does not say that it is for development: nothing else is served");
    }
    super::serve::log_to_stderr();
    let served = Served {
        authority: Arc::new(Authority::new(Box::new(key))),
        clock: Arc::new(SystemClock::default()),
        entropy: Arc::new(SystemEntropy),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let attempt = || format!("listen on {}", arguments.listen);
        let listener = TcpListener::bind(arguments.listen).await;
        let listener = listener.with_context(attempt)?;
        let address = listener.local_addr().with_context(attempt)?;
        let mark =
            "SVILUPPO - NON QUALIFICATO: its tokens repeat this machine's clock and prove nothing.";
        writeln!(std::io::stderr(), "{mark}")?;
        let mut out = std::io::stdout();
        // Who does not read it knows the address.
        let _ = writeln!(out, "listening on {address}").and_then(|()| out.flush());
        http::serve(served, listener, stop).await.context("serve")
    })?;
    Ok(Answer::Yes)
}
