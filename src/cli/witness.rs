//! `witness`: a small witness of checkpoints, run by somebody else than the archive's operator.

use super::{Answer, show};
use crate::ambient::{SystemClock, SystemEntropy};
use crate::plain_http::Limits;
use crate::witness::{self, Witness, http};
use anyhow::{Context as _, Result, bail};
use ceralacca_formats::note::VerifierKey;
use clap::Subcommand;
use serde_json::json;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// What `witness` is told.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a witness: its directory and its key; prints the key that verifies its cosignatures
    Init(Init),
    /// Cosigns checkpoints over HTTP (C2SP tlog-witness), until SIGTERM or SIGINT
    Serve(Serve),
}

#[derive(clap::Args)]
struct Init {
    /// The directory of the witness; made if it is not there
    #[arg(long, value_name = "DIR")]
    directory: PathBuf,
    /// Name of the witness: a URL without scheme, its own for ever, such as testimone.example/w1
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Serve {
    /// The directory of the witness
    #[arg(long, value_name = "DIR")]
    directory: PathBuf,
    /// Address and port to listen on, plain HTTP: towards the world behind a proxy. Port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8444")]
    listen: SocketAddr,
    /// Verifier key of a log to cosign for; once for each key
    #[arg(long, value_name = "VKEY", value_parser = super::log_key)]
    log: Vec<VerifierKey>,
    /// File of such keys, one a line; empty lines and those that begin with # are ignored
    #[arg(long, value_name = "FILE")]
    logs: Option<PathBuf>,
}

/// Makes a witness or has it work. The address is the answer of the latter.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    match &arguments.command {
        Command::Init(arguments) => init(arguments),
        Command::Serve(arguments) => serve(arguments),
    }
}

fn init(arguments: &Init) -> Result<Answer> {
    let verifier = witness::init(&arguments.directory, &arguments.name, &SystemEntropy)?;
    let directory = arguments.directory.display().to_string();
    if arguments.json {
        let answer = json!({ "verifier_key": verifier.to_string(), "directory": directory });
        writeln!(std::io::stdout(), "{}", show::json(&answer))?;
        return Ok(Answer::Yes);
    }
    let shown = show::printable(&directory);
    let line = "its verifier key follows: give it to the logs and to who checks them.";
    writeln!(std::io::stderr(), "New witness in {shown}; {line}")?;
    writeln!(std::io::stdout(), "{verifier}")?;
    Ok(Answer::Yes)
}

fn serve(arguments: &Serve) -> Result<Answer> {
    let mut known = arguments.log.clone();
    if let Some(path) = &arguments.logs {
        let attempt = || format!("keys of logs {}", path.display());
        let text = std::fs::read_to_string(path).with_context(attempt)?;
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = super::log_key(line).with_context(|| format!("{}, line {number}", attempt()));
            known.push(key?);
        }
    }
    if known.is_empty() {
        bail!("no log to cosign for: name one with --log or --logs");
    }
    let clock = Arc::new(SystemClock::default());
    let witness = Arc::new(Witness::open(&arguments.directory, known, clock)?);
    super::serve::log_to_stderr();
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
        let mut out = std::io::stdout();
        // Who does not read it knows the address.
        let _ = writeln!(out, "listening on {address}").and_then(|()| out.flush());
        let limits = Limits::of(http::CONNECTIONS_MAX);
        http::serve(witness, listener, limits, stop).await;
        anyhow::Ok(())
    })?;
    Ok(Answer::Yes)
}
