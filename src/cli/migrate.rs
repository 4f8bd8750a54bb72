//! `migrate`: an operator declares an interval of an older archive migrated.

use super::search::Time;
use super::{Answer, remote, show, v1};
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_formats::id::UtcMillis;
use serde_json::json;
use std::io::Write;

/// What `migrate` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// The first instant of the interval: a day in Italy, yyyy-mm-dd, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    from: Time,
    /// The instant it ends before, likewise; a day belongs to it
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    until: Time,
    /// Which archive is migrated, and on what ground
    #[arg(long, value_name = "TEXT")]
    statement: String,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

const HELP: &str = "\
The declaration is recorded with your role, your name and the statement. Its index is what
`import-log --migration INDEX` is told: what such an import holds of the interval is kept from the
time of its old time-stamps, where these are verified, and from here where they are not.

Exit status: 0 declared; 2 it cannot be done.";

/// Declares and tells the index.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let times = (arguments.from.begins(), arguments.until.ends());
    let (Ok(from_ms), Ok(until_ms)) = (u64::try_from(times.0), u64::try_from(times.1)) else {
        bail!("the interval begins before 1970");
    };
    ensure!(from_ms < until_ms, "the interval ends before it begins");
    let declared = remote::run(async {
        let remote = arguments.remote.connect().await?;
        let request = v1::DeclareMigrationRequest {
            log: String::new(),
            from_ms,
            until_ms,
            statement: arguments.statement.clone(),
        };
        let declared = remote.declare_migration(request).await;
        declared.context("declare the migration")
    })?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let answer = json!({
            "index": declared.index,
            "time_ms": declared.time_ms,
            "from_ms": from_ms,
            "until_ms": until_ms,
            "checkpoint": declared.checkpoint,
        });
        writeln!(out, "{}", show::json(&answer))?;
    } else {
        let [from, until] = [from_ms, until_ms].map(|ms| show::utc(UtcMillis::new(ms)));
        writeln!(
            out,
            "Declared as leaf {}: {from} to {until}.",
            declared.index
        )?;
    }
    Ok(Answer::Yes)
}
