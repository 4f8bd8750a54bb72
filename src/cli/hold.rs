//! `hold`: suspensions of disposal of a served log.

use super::search::Time;
use super::{Answer, remote, show, v1};
use anyhow::{Result, ensure};
use ceralacca_formats::id::UtcMillis;
use serde_json::{Value, json};
use std::io::Write;

/// What `hold` is told.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Sets a hold on what a query names now, or on whole intervals
    Set(Box<Set>),
    /// Lists the holds of a log
    List(List),
    /// Shows a hold and the leaves it names
    Show(Show),
    /// Proposes to release a hold, or confirms what another principal proposed
    Release(Release),
}

#[derive(clap::Args)]
#[command(after_help = HELP)]
struct Set {
    /// Who orders it
    #[arg(long, value_enum)]
    authority: Authority,
    /// The act, as it is cited
    #[arg(long, value_name = "TEXT")]
    act: String,
    /// From when it is in force, where the act says so
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    start: Option<Time>,
    /// Until when; of a date, until the end of its day
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    end: Option<Time>,
    /// Records of this transaction
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    identificativo: String,
    /// Records of this original message
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    msgid: String,
    /// The receipt or object with this Message-ID of its own
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    message_id: String,
    /// Records with this sender
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "",
        hide_default_value = true
    )]
    sender: String,
    /// Records with this recipient
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "",
        hide_default_value = true
    )]
    recipient: String,
    /// Records of this type of event
    #[arg(
        long,
        value_name = "TYPE",
        default_value = "",
        hide_default_value = true
    )]
    event: String,
    /// Event not before this time
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    from: Option<Time>,
    /// Event before this time; of a date, until the end of its day
    #[arg(long, value_name = "TIME", value_parser = Time::parse)]
    until: Option<Time>,
    /// In place of a query: the whole intervals that start from this time on
    #[arg(long, value_name = "TIME", value_parser = Time::parse, requires = "intervals_until")]
    intervals_from: Option<Time>,
    /// And before this one; of a date, until the end of its day
    #[arg(long, value_name = "TIME", value_parser = Time::parse, requires = "intervals_from")]
    intervals_until: Option<Time>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

const HELP: &str = "\
TIME is an instant (RFC 3339: 2026-01-12T09:05:03+01:00) or a date (2026-01-12), a day in Italy.
What is named is frozen: a record that comes later is not under the hold. With a record the one
beside it is held, object and facts together.";

#[derive(Clone, Copy, clap::ValueEnum)]
enum Authority {
    /// A judge or a public prosecutor
    Judicial,
    /// A supervisor or another public body
    Administrative,
}

#[derive(clap::Args)]
struct List {
    /// Only those that name this record
    #[arg(long, value_name = "INDEX")]
    record: Option<u64>,
    /// Answer as JSON Lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

#[derive(clap::Args)]
struct Show {
    /// Number of the hold
    hold: u64,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

#[derive(clap::Args)]
struct Release {
    /// Number of the hold
    hold: u64,
    /// Why it is released
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Confirm what another principal proposed: the hold is released at once
    #[arg(long)]
    confirm: bool,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

/// Does what is asked.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    match &arguments.command {
        Command::Set(set) => set.run(),
        Command::List(list) => list.run(),
        Command::Show(show) => show.run(),
        Command::Release(release) => release.run(),
    }
}

fn instant(ms: i64) -> Result<u64> {
    let ms = u64::try_from(ms);
    ensure!(ms.is_ok(), "a time before 1970");
    Ok(ms.unwrap_or_default())
}

impl Set {
    fn request(&self) -> Result<v1::SetHoldRequest> {
        use v1::set_hold_request::Scope;
        let query = v1::SearchRequest {
            identificativo: self.identificativo.clone(),
            msgid: self.msgid.clone(),
            message_id: self.message_id.clone(),
            sender: self.sender.clone(),
            recipient: self.recipient.clone(),
            event: self.event.clone(),
            event_from_ms: self.from.map(Time::begins),
            event_until_ms: self.until.map(Time::ends),
            ..v1::SearchRequest::default()
        };
        let scope = match (self.intervals_from, self.intervals_until) {
            (Some(from), Some(until)) => {
                ensure!(
                    query == v1::SearchRequest::default(),
                    "either a query or whole intervals, not both"
                );
                Scope::Intervals(v1::HoldIntervals {
                    from_ms: instant(from.begins())?,
                    until_ms: instant(until.ends())?,
                })
            }
            _ => Scope::Query(query),
        };
        let authority = match self.authority {
            Authority::Judicial => v1::HoldAuthority::Judicial,
            Authority::Administrative => v1::HoldAuthority::Administrative,
        };
        let start = self.start.map(|time| instant(time.begins())).transpose()?;
        let end = self.end.map(|time| instant(time.ends())).transpose()?;
        Ok(v1::SetHoldRequest {
            log: String::new(),
            scope: Some(scope),
            authority: authority.into(),
            act: self.act.clone(),
            start_ms: start,
            end_ms: end,
        })
    }

    fn run(&self) -> Result<Answer> {
        let request = self.request()?;
        let set = remote::run(async {
            let remote = self.remote.connect().await?;
            Ok(remote.set_hold(request).await?)
        })?;
        let mut out = std::io::stdout().lock();
        if self.json {
            let answer = json!({
                "hold": set.hold, "leaves": set.leaves, "ranges": set.ranges,
            });
            writeln!(out, "{}", show::json(&answer))?;
        } else {
            writeln!(
                out,
                "Hold {} is set on {} records, in {} places of the log.",
                set.hold, set.leaves, set.ranges
            )?;
        }
        Ok(Answer::Yes)
    }
}

impl List {
    fn run(&self) -> Result<Answer> {
        let mut out = std::io::stdout().lock();
        if !self.json {
            writeln!(
                out,
                "{:<10}  {:<14}  {:>10}  {:<24}  {:<9}  act",
                "hold", "authority", "records", "start", "state"
            )?;
        }
        remote::run(async {
            let remote = self.remote.connect().await?;
            let mut above = None;
            loop {
                let page = remote.holds(above, self.record).await?;
                for hold in &page.holds {
                    match self.json {
                        true => writeln!(out, "{}", show::json(&to_json(hold)))?,
                        false => tell_line(hold, &mut out)?,
                    }
                }
                above = page.holds.last().map(|last| last.hold);
                if !page.more || above.is_none() {
                    return Ok(());
                }
            }
        })?;
        Ok(Answer::Yes)
    }
}

impl Show {
    fn run(&self) -> Result<Answer> {
        let hold = remote::run(async {
            let remote = self.remote.connect().await?;
            Ok(remote.hold(self.hold).await?)
        })?;
        let hold = hold.hold.unwrap_or_default();
        let mut out = std::io::stdout().lock();
        match self.json {
            true => writeln!(out, "{}", show::json(&to_json(&hold)))?,
            false => tell(&hold, &mut out)?,
        }
        Ok(Answer::Yes)
    }
}

impl Release {
    fn run(&self) -> Result<Answer> {
        let (hold, reason) = (self.hold, self.reason.clone());
        let index = remote::run(async {
            let remote = self.remote.connect().await?;
            Ok(match self.confirm {
                true => remote.confirm_release(hold, reason).await?.index,
                false => remote.propose_release(hold, reason).await?.index,
            })
        })?;
        let mut out = std::io::stdout().lock();
        if self.json {
            let answer = json!({ "hold": hold, "index": index, "released": self.confirm });
            writeln!(out, "{}", show::json(&answer))?;
        } else if self.confirm {
            writeln!(out, "Hold {hold} is released (leaf {index}).")?;
        } else {
            let then = "another principal confirms it with --confirm";
            writeln!(
                out,
                "Release of hold {hold} is proposed (leaf {index}): {then}."
            )?;
        }
        Ok(Answer::Yes)
    }
}

fn authority(hold: &v1::HoldDetails) -> &'static str {
    match hold.authority() {
        v1::HoldAuthority::Unspecified => "?",
        v1::HoldAuthority::Judicial => "judicial",
        v1::HoldAuthority::Administrative => "administrative",
    }
}

fn state(hold: &v1::HoldDetails) -> &'static str {
    match (&hold.released, &hold.proposed) {
        (Some(_), _) => "released",
        (None, Some(_)) => "proposed",
        (None, None) => "in force",
    }
}

fn tell_line(hold: &v1::HoldDetails, out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "{:<10}  {:<14}  {:>10}  {:<24}  {:<9}  {}",
        hold.hold,
        authority(hold),
        hold.leaves,
        show::utc(UtcMillis::new(hold.start_ms)),
        state(hold),
        show::printable(&hold.act),
    )?;
    Ok(())
}

fn tell(hold: &v1::HoldDetails, out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "Hold {}, {}, {}",
        hold.hold,
        authority(hold),
        state(hold)
    )?;
    writeln!(out, "  act       {}", show::printable(&hold.act))?;
    writeln!(out, "  set by    {}", show::printable(&hold.set_by))?;
    writeln!(out, "  on        {}", show::printable(&hold.query))?;
    let start = show::utc(UtcMillis::new(hold.start_ms));
    writeln!(out, "  start     {start}")?;
    if let Some(end) = hold.end_ms {
        writeln!(out, "  end       {}", show::utc(UtcMillis::new(end)))?;
    }
    for (what, act) in [("proposed", &hold.proposed), ("released", &hold.released)] {
        if let Some(act) = act {
            writeln!(
                out,
                "  {what}  {} by {}, leaf {}: {}",
                show::utc(UtcMillis::new(act.at_ms)),
                show::printable(&act.principal),
                act.index,
                show::printable(&act.reason),
            )?;
        }
    }
    writeln!(out, "  records   {}", hold.leaves)?;
    for range in &hold.held {
        match range.first == range.last {
            true => writeln!(out, "    {}", range.first)?,
            false => writeln!(out, "    {} to {}", range.first, range.last)?,
        }
    }
    Ok(())
}

fn to_json(hold: &v1::HoldDetails) -> Value {
    let act = |act: &Option<v1::HoldAct>| {
        act.as_ref().map(|act| {
            json!({
                "index": act.index,
                "at_ms": act.at_ms,
                "principal": act.principal,
                "reason": act.reason,
            })
        })
    };
    let held = hold.held.iter();
    let held = held.map(|range| json!({ "first": range.first, "last": range.last }));
    json!({
        "hold": hold.hold,
        "authority": authority(hold),
        "state": state(hold),
        "act": hold.act,
        "start_ms": hold.start_ms,
        "end_ms": hold.end_ms,
        "set_by": hold.set_by,
        "query": hold.query,
        "leaves": hold.leaves,
        "ranges": hold.ranges,
        "held": held.collect::<Vec<_>>(),
        "proposed": act(&hold.proposed),
        "released": act(&hold.released),
    })
}
