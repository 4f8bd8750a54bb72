//! `dispose`: what is due, intents and approvals, what is gone; the certificates.
//!
//! - `show`: answers in words and as JSON; `at_rest`: steps taken where no service runs

mod at_rest;
mod show;

use super::{Answer, output, remote, v1};
use anyhow::{Context as _, Result, anyhow, ensure};
use ceralacca_formats::leaf::Class;
use std::path::PathBuf;

/// What `dispose` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

const HELP: &str = "\
Nothing goes but by an intent, two approvals of two principals, a grace of 72 hours or more of running time, and proven
time: two time-stamping authorities, the chain of closed intervals, and a clock that the archive keeps. A served archive
takes the steps that are due by itself. UNIT is INTERVAL/CLASS or INTERVAL/CLASS/N: the start of the interval in
milliseconds, a class by its word, how often it was carried over under a hold.

Exit status: 0 done; 1 nothing is due, or time is not proven; 2 it cannot be done.";

#[derive(clap::Subcommand)]
enum What {
    /// Tells what is due, what is held, and why nothing is; with --all also what is kept, and until when
    Plan {
        /// Also units whose term has not ended
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Records the intent to dispose of what is due, and prints the leaf and its hash: what is approved
    Intend {
        /// Only this unit (several may be given)
        #[arg(long, value_name = "UNIT", value_parser = unit)]
        unit: Vec<v1::DisposalUnit>,
        #[command(flatten)]
        common: Common,
    },
    /// Approves an intent; two different principals must
    Approve {
        /// The leaf of the intent
        intent: u64,
        /// The hash of that leaf, as `status` shows it: what you approve
        #[arg(value_parser = hash)]
        hash: [u8; 32],
        #[command(flatten)]
        common: Common,
    },
    /// Gives an intent up, before anything of it is gone
    Withdraw {
        /// The leaf of the intent
        intent: u64,
        #[command(flatten)]
        common: Common,
    },
    /// Lists intents, and what is gone or going
    Status {
        #[command(flatten)]
        common: Common,
    },
    /// Fetches the certificate of a unit that is gone: CMS SignedData (DER) over canonical JSON
    Certificate {
        /// Which
        #[arg(value_parser = unit)]
        unit: v1::DisposalUnit,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Takes the steps that are due, of logs that no service has open
    Run(at_rest::Arguments),
}

#[derive(clap::Args)]
struct Common {
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// Asks, and shows.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let mut out = std::io::stdout().lock();
    match &arguments.what {
        What::Plan { all, common } => {
            let plan = remote::run(async {
                let remote = common.remote.connect().await?;
                Ok(remote.plan_disposal(*all).await?)
            })?;
            show::plan(&plan, common.json, &mut out)?;
            Ok(match plan.time_proven && plan.due > 0 {
                true => Answer::Yes,
                false => Answer::No,
            })
        }
        What::Intend { unit, common } => {
            let intended = remote::run(async {
                let remote = common.remote.connect().await?;
                Ok(remote.intend_disposal(unit.clone()).await?)
            })?;
            show::intended(&intended, common.json, &mut out)?;
            Ok(Answer::Yes)
        }
        What::Approve {
            intent,
            hash,
            common,
        } => {
            let approved = remote::run(async {
                let remote = common.remote.connect().await?;
                Ok(remote.approve_disposal(*intent, hash.to_vec()).await?)
            })?;
            show::approved(&approved, common.json, &mut out)?;
            Ok(Answer::Yes)
        }
        What::Withdraw { intent, common } => {
            let leaf = remote::run(async {
                let remote = common.remote.connect().await?;
                Ok(remote.withdraw_disposal(*intent).await?.leaf)
            })?;
            show::withdrawn(leaf, common.json, &mut out)?;
            Ok(Answer::Yes)
        }
        What::Status { common } => {
            let (intents, gone) = remote::run(all(common))?;
            show::status(&intents, &gone, common.json, &mut out)?;
            Ok(Answer::Yes)
        }
        What::Certificate {
            unit,
            out: to,
            common,
        } => {
            let octets = remote::run(async {
                let remote = common.remote.connect().await?;
                Ok(remote.disposal_certificate(*unit).await?)
            })?;
            output::write(to, &octets, output::Existing::Keep)?;
            show::certificate(to, &octets, common.json, &mut out)?;
            Ok(Answer::Yes)
        }
        What::Run(arguments) => at_rest::run(arguments, &mut out),
    }
}

async fn all(common: &Common) -> Result<(Vec<v1::DisposalIntent>, Vec<v1::GoneUnit>)> {
    let remote = common.remote.connect().await?;
    let (mut intents, mut gone) = (Vec::new(), Vec::new());
    loop {
        let after = intents.last().map(|last: &v1::DisposalIntent| last.intent);
        let page = remote.intents(after).await?;
        let is_last = !page.more || page.intents.is_empty();
        intents.extend(page.intents);
        if is_last {
            break;
        }
    }
    loop {
        let after = gone.last().and_then(|last: &v1::GoneUnit| last.unit);
        let page = remote.gone(after).await?;
        let is_last = !page.more || page.units.is_empty();
        gone.extend(page.units);
        if is_last {
            return Ok((intents, gone));
        }
    }
}

fn unit(text: &str) -> Result<v1::DisposalUnit> {
    let mut parts = text.split('/');
    let (interval, class) = (parts.next(), parts.next());
    let carried = parts.next().unwrap_or("0");
    ensure!(
        parts.next().is_none(),
        "not a unit: INTERVAL/CLASS or INTERVAL/CLASS/N"
    );
    let interval_ms = interval.unwrap_or_default().parse();
    let interval_ms = interval_ms.context("the start of an interval is milliseconds")?;
    let mut classes = Class::ALL.iter();
    let class = classes.find(|known| Some(known.word()) == class);
    let class = class.ok_or_else(|| anyhow!("not a class"))?;
    Ok(v1::DisposalUnit {
        interval_ms,
        retention_class: i32::from(class.code()),
        carried: carried
            .parse()
            .context("how often it was carried over is a number")?,
    })
}

fn hash(text: &str) -> Result<[u8; 32]> {
    let octets = hex::decode(text).ok();
    let octets = octets.and_then(|octets| octets.try_into().ok());
    octets.ok_or_else(|| anyhow!("a hash is 64 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_an_interval_and_a_class_and_how_often_it_was_carried_over() {
        let read = unit("1763683200000/receipt").unwrap();
        assert_eq!(
            (read.interval_ms, read.retention_class, read.carried),
            (1_763_683_200_000, 4, 0)
        );
        assert_eq!(unit("5/trace/2").unwrap().carried, 2);
        for bad in ["", "5", "5/other", "x/trace", "5/trace/x", "5/trace/1/2"] {
            assert!(unit(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_hash_has_sixty_four_digits() {
        assert_eq!(hash(&"0a".repeat(32)).unwrap(), [10; 32]);
        for bad in ["", "0a", &"0g".repeat(32), &"0a".repeat(33)] {
            assert!(hash(bad).is_err(), "{bad}");
        }
    }
}
