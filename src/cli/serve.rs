//! `serve`: the service.

use super::{Answer, key};
use crate::server::config::Config;
use crate::server::serve;
use anyhow::Result;
use std::io::Write;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

/// What `serve` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration file (TOML)
    #[arg(long, value_name = "FILE", required_unless_present = "example")]
    config: Option<PathBuf>,
    /// Prints a configuration with every field explained, and does nothing else
    #[arg(long)]
    example: bool,
}

/// Serves until SIGTERM or SIGINT. The address is the answer; the log goes to standard error, JSON, a line each.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let Some(path) = arguments.config.as_ref().filter(|_| !arguments.example) else {
        write!(std::io::stdout(), "{}", crate::server::config::EXAMPLE)?;
        return Ok(Answer::Yes);
    };
    let config = Config::read(path)?;
    key::outside(&config.data, &config.master_key)?;
    let master = key::read(&config.master_key)?;
    log_to_stderr();
    serve(config, &master, |listening| {
        let mut lines = format!("listening on {}\n", listening.services);
        if let Some(address) = listening.static_face {
            lines += &format!("static face on http://{address}\n");
        }
        if let Some(address) = listening.metrics {
            lines += &format!("metrics on http://{address}/metrics\n");
        }
        let mut out = std::io::stdout();
        // Who does not read it knows the address.
        let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    })?;
    Ok(Answer::Yes)
}

/// The log of a service: JSON, a line each, to standard error; `CERALACCA_LOG` says how much.
pub(super) fn log_to_stderr() {
    let filter =
        EnvFilter::try_from_env("CERALACCA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // A second subscriber of this process would change nothing.
    let _ = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
