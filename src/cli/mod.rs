//! The command line: one binary for all roles, one file for each command.
//!
//! ```text
//! status 0   done; the answer is yes
//! status 1   the answer is no: damaged, does not verify
//! status 2   wrong use, or it cannot be done; one line on standard error says why
//! status 3…6 of package and complete: not shown; not yet; disposed of; not found, and nothing proven
//! ```
//!
//! # Invariants
//! 1. The answer goes to standard output, progress and the line of a failure to standard error.
//! 2. Hostile files and arguments end in a status, never in a panic; what came from outside is shown without
//!    control characters ([`show::printable`]).
//! 3. Nothing is decided here: commands read files, call the library and show what it says.
//!
//! # Map, in reading order
//! - [`rotate_key`], [`follow_key`]: a command each, for who runs a log and who audits it; [`rotations`]: the files between
//! - [`init`], [`serve`], [`fsck`], [`verify`], [`demo`]: a command each
//! - [`audit`]: the auditor's, checked with the log's key alone; [`absence`]: that a transaction is not in the log
//! - [`import`], [`import_log`], [`migrate`], [`search`], [`transaction`], [`prove`], [`reissue`], [`package`],
//!   [`complete`] (and [`waiting`] for the seal), [`scrub`], [`status`], [`totals`]: a command each, clients of a served archive
//! - [`intervals`], [`fetch_interval`]: what is closed, and its packages; [`verify_interval`]: such a package, offline
//! - [`hold`], [`erase`]: suspensions of disposal; one object gone before its term
//! - [`monitor`], [`verify_ack`]: a log held to what it signed, and to what it acknowledged
//! - [`seal`]: intervals closed, of logs at rest
//! - [`renew`]: evidence that must be renewed
//! - [`export`], [`rebuild`]: what a log is made again from, and that it is
//! - [`dispose`]: what is due for disposal, approved, gone
//! - [`retention`]: how long a record is kept, by the rule alone
//! - [`witness`]: a witness of checkpoints, run by others; [`tsa`]: the development time-stamping authority
//! - [`remote`]: the client side of the services; [`proven`]: what they give, checked
//! - [`key`]: the file of the master key; [`output`]: files that appear whole
//! - [`show`]: times, text from outside, progress

pub mod absence;
pub mod audit;
pub mod complete;
pub mod demo;
pub mod dispose;
pub mod erase;
pub mod export;
pub mod fetch_interval;
pub mod follow_key;
pub mod fsck;
pub mod gone;
pub mod hold;
pub mod import;
pub mod import_log;
pub mod init;
pub mod intervals;
pub mod key;
pub mod migrate;
pub mod monitor;
pub mod output;
pub mod package;
pub mod prove;
pub mod proven;
pub mod rebuild;
pub mod reissue;
pub mod remote;
pub mod renew;
pub mod retention;
pub mod rotate_key;
pub mod rotations;
pub mod scrub;
pub mod seal;
pub mod search;
pub mod serve;
pub mod show;
pub mod status;
pub mod totals;
pub mod transaction;
pub mod tsa;
pub mod verify;
pub mod verify_ack;
pub mod verify_interval;
pub mod waiting;
pub mod witness;

use crate::api::v1;
use anyhow::Result;
use ceralacca_formats::id::{IdError, LogId, Origin};
use ceralacca_formats::note::{NoteError, VerifierKey};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// What a command came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Done, or the answer is yes: status 0.
    Yes,
    /// The answer is no: status 1.
    No,
    /// What is asked is not for who asks, be it there or not: status 3.
    NotShown,
    /// Not yet: an interval is not closed: status 4.
    NotYet,
    /// It was disposed of at its term: status 5.
    Disposed,
    /// Nothing was found, and nothing is proven by that: status 6.
    NotFound,
}

impl Answer {
    /// The exit status.
    pub const fn status(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::NotShown => 3,
            Self::NotYet => 4,
            Self::Disposed => 5,
            Self::NotFound => 6,
        }
    }
}

#[derive(Parser)]
#[command(name = "ceralacca", version, after_help = STATUSES)]
/// Ceralacca, an append-only archive for Italian certified mail (PEC).
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const STATUSES: &str = "\
Exit status: 0 done, the answer is yes; 1 the answer is no (damaged, does not verify);
2 wrong use, or it cannot be done: one line on standard error says why. package and complete say more: see there.";

#[derive(Subcommand)]
enum Command {
    /// Makes a new log, and its master key if there is none; prints the key that verifies its checkpoints
    Init(init::Arguments),
    /// Serves the logs of a configuration over gRPC, until SIGTERM or SIGINT
    Serve(serve::Arguments),
    /// Checks everything that a log holds, and changes nothing; the log must not be in use
    Fsck(fsck::Arguments),
    /// Has another key sign the checkpoints of a log, and prints it; the log must not be in use
    RotateKey(rotate_key::Arguments),
    /// Archives mail in a served archive: files, folders, Maildirs, mboxes
    Import(import::Arguments),
    /// Archives a provider's log files, and each record in them, in a served archive
    ImportLog(import_log::Arguments),
    /// Declares an interval of an older archive migrated
    Migrate(migrate::Arguments),
    /// Searches the trace of a served archive
    Search(search::Arguments),
    /// Tells what became of a message, recipient by recipient, as a time line
    Transaction(transaction::Arguments),
    /// Fetches the proof file of a record from a served archive
    Prove(prove::Arguments),
    /// Fetches an archived object again, the exact bytes, with its proof and how to check it
    Reissue(reissue::Arguments),
    /// Fetches receipts again for a court: objects, pages, proofs, signed and time-stamped, in one file
    Package(Box<package::Arguments>),
    /// Adds to a package, given while intervals were open, what their closing gives
    Complete(complete::Arguments),
    /// Checks a served archive with its key alone: checkpoints, leaves, proofs, samples; hashes only
    Audit(audit::Arguments),
    /// Proves, with the log's key alone, whether closed intervals hold a transaction
    Absence(absence::Arguments),
    /// Has a served archive check everything that a log holds while it is in use, and shows what is damaged
    Scrub(scrub::Arguments),
    /// Explains which evidence must be renewed, and renews it; the log must not be in use
    Renew(renew::Arguments),
    /// Counts the records of a period as closed intervals state them, for a supervisor's report
    Totals(totals::Arguments),
    /// Tells how a served archive fares
    Status(status::Arguments),
    /// Follows the rotations of a log's key from one that was pinned, and prints the one that signs today
    FollowKey(follow_key::Arguments),
    /// Verifies the proof file of a record, or a package given again, offline
    Verify(verify::Arguments),
    /// Holds acknowledgements against the log they came from, online or with kept proofs
    VerifyAck(verify_ack::Arguments),
    /// Lists the intervals of a served log: open, cut, closed
    Intervals(intervals::Arguments),
    /// Fetches the package of a closed interval from a served archive
    FetchInterval(fetch_interval::Arguments),
    /// Verifies the package of a closed interval, offline
    VerifyInterval(verify_interval::Arguments),
    /// Suspends the disposal of records by order of an authority: set, list, show, release
    Hold(hold::Arguments),
    /// Erases one object kept by contract before its term: propose, confirm, show
    Erase(erase::Arguments),
    /// Follows a log and keeps the evidence of a fork, a rollback or a gap
    Monitor(monitor::Arguments),
    /// Cosigns the checkpoints of logs that others run, and remembers what it cosigned
    Witness(witness::Arguments),
    /// Serves the development time-stamping authority over HTTP: not qualified, it repeats this machine's clock
    Tsa(tsa::Arguments),
    /// Closes the intervals that were cut, of logs that no service has open
    Seal(seal::Arguments),
    /// Writes contents and secrets of a log at rest, for rebuild
    Export(export::Arguments),
    /// Makes a log again from packages, contents and secrets alone
    Rebuild(rebuild::Arguments),
    /// Tells what is due for disposal, records intents and approvals, shows what is gone
    Dispose(dispose::Arguments),
    /// Tells how long a record is kept and why, by the rule alone
    Retention(retention::Arguments),
    /// Shows the core at work on invented records, in a folder of its own
    Demo(demo::Arguments),
}

/// Reads the arguments of this process, does what they say, and gives its status.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error),
    };
    let result = match &arguments.command {
        Command::Init(arguments) => init::run(arguments),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Fsck(arguments) => fsck::run(arguments),
        Command::RotateKey(arguments) => rotate_key::run(arguments),
        Command::FollowKey(arguments) => follow_key::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::ImportLog(arguments) => import_log::run(arguments),
        Command::Migrate(arguments) => migrate::run(arguments),
        Command::Search(arguments) => search::run(arguments),
        Command::Transaction(arguments) => transaction::run(arguments),
        Command::Prove(arguments) => prove::run(arguments),
        Command::Reissue(arguments) => reissue::run(arguments),
        Command::Package(arguments) => package::run(arguments),
        Command::Complete(arguments) => complete::run(arguments),
        Command::Audit(arguments) => audit::run(arguments),
        Command::Absence(arguments) => absence::run(arguments),
        Command::Scrub(arguments) => scrub::run(arguments),
        Command::Renew(arguments) => renew::run(arguments),
        Command::Totals(arguments) => totals::run(arguments),
        Command::Status(arguments) => status::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::VerifyAck(arguments) => verify_ack::run(arguments),
        Command::Intervals(arguments) => intervals::run(arguments),
        Command::FetchInterval(arguments) => fetch_interval::run(arguments),
        Command::VerifyInterval(arguments) => verify_interval::run(arguments),
        Command::Hold(arguments) => hold::run(arguments),
        Command::Erase(arguments) => erase::run(arguments),
        Command::Monitor(arguments) => monitor::run(arguments),
        Command::Witness(arguments) => witness::run(arguments),
        Command::Tsa(arguments) => tsa::run(arguments),
        Command::Seal(arguments) => seal::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Rebuild(arguments) => rebuild::run(arguments),
        Command::Dispose(arguments) => dispose::run(arguments),
        Command::Retention(arguments) => retention::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
    };
    match result {
        Ok(answer) => ExitCode::from(answer.status()),
        Err(error) => cannot(&chain(&error)),
    }
}

/// Help and version are answers; all else is wrong use, told in one line.
fn refused(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2),
        },
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            cannot("no command given, see ceralacca --help")
        }
        _ => {
            // The first paragraph says what is wrong; usage and tips follow it.
            let text = error.to_string();
            let first = text.split("\n\n").next().unwrap_or_default();
            let words: Vec<&str> = first.split_whitespace().collect();
            let line = words.join(" ");
            cannot(line.strip_prefix("error: ").unwrap_or(&line))
        }
    }
}

fn cannot(why: &str) -> ExitCode {
    // With standard error closed the status still says it.
    let _ = writeln!(std::io::stderr(), "ceralacca: {}", show::printable(why));
    ExitCode::from(2)
}

/// An error with its causes, on one line; a cause that an error shows itself is not repeated.
fn chain(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if line.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    line
}

fn log_id(text: &str) -> Result<LogId, IdError> {
    LogId::try_from(text)
}

fn origin(text: &str) -> Result<Origin, IdError> {
    Origin::try_from(text)
}

/// The key of a log; a witness's verifies no checkpoint of ours.
fn log_key(text: &str) -> Result<VerifierKey, NoteError> {
    let key = VerifierKey::parse(text)?;
    key.is_of_log().then_some(key).ok_or(NoteError::Key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;
    use clap::CommandFactory;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_cause_is_shown_once() {
        let error = anyhow!("no such file")
            .context("open log: no such file")
            .context("check");
        assert_eq!(chain(&error), "check: open log: no such file");
    }

    #[test]
    fn the_key_of_a_witness_is_not_that_of_a_log() {
        let log = "pec.example.test/log+b0b5d5af+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
        let witness =
            "witness.example.test/w1+b4f59ab9+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
        assert!(log_key(log).is_ok());
        assert_eq!(log_key(witness), Err(NoteError::Key));
    }
}
