//! `retention explain`: how long a record is kept and why, by the rule alone.
//!
//! Asks no archive and reads no clock: what is not given is not known.

use super::{Answer, show};
use anyhow::{Context as _, Result, anyhow, bail};
use ceralacca_retention::{
    Act, Authority, Basis, Candidate, CivilDate, Hold, HoldId, HoldSet, IndexRange, LeafIndex,
    Policy, ProvenTime, Reason, RetentionClass, Start, Term, UtcMillis, Verdict, judge,
};
use serde_json::{Value, json};
use std::io::Write;

/// What `retention` is told.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Tells when the term of a record ends, by which article, and the verdict at a date
    Explain(Explain),
}

#[derive(clap::Args)]
#[command(after_help = HELP)]
struct Explain {
    /// Class: trace, infected, justice, receipt, content, custody
    #[arg(long, value_name = "CLASS", value_parser = class)]
    class: RetentionClass,
    /// When the archive took the record
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    ingest: UtcMillis,
    /// When the event was, as the record says; the time of ingest unless given
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    event: Option<UtcMillis>,
    /// The time proven at the closing of its interval; the time of ingest unless given
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    proven: Option<UtcMillis>,
    /// The configured term, in months; that of the law or the usual one unless given
    #[arg(long, value_name = "N")]
    months: Option<u16>,
    /// A hold on the record: AUTHORITY;ACT or AUTHORITY;ACT;END (several may be given)
    #[arg(long, value_name = "HOLD")]
    hold: Vec<String>,
    /// The proven time at which it is judged
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    at: Option<UtcMillis>,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
WHEN is an instant of RFC 3339 (2023-05-15T10:00:00+02:00) or a day in Italy (2023-05-15), which is its first instant.
AUTHORITY is judicial or administrative. The verdict is on a time that is proven: no clock is read.";

pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    match &arguments.what {
        What::Explain(explain) => explain.run(),
    }
}

/// What is told of a record.
struct Told<'a> {
    class: RetentionClass,
    reason: Reason,
    lawful_from: UtcMillis,
    judged: Option<(UtcMillis, Verdict)>,
    holds: &'a HoldSet,
}

impl Explain {
    fn run(&self) -> Result<Answer> {
        let mut policy = Policy::default();
        if let Some(months) = self.months {
            policy = policy.with(self.class, Term::of_months(months)?)?;
        }
        let proven = ProvenTime::from_token(self.proven.unwrap_or(self.ingest), 0)?;
        let start = Start::new(self.event.unwrap_or(self.ingest), self.ingest, proven);
        let candidate = Candidate::record(self.class, LeafIndex::new(0), start);
        // Before the calendar begins nothing is disposable, so this tells the term.
        let before = ProvenTime::from_token(UtcMillis::new(0), 0)?;
        let (Verdict::Keep { until, reason }
        | Verdict::Disposable {
            since: until,
            reason,
        }) = judge(&candidate, &policy, &HoldSet::none(), before)?
        else {
            bail!("held without a hold");
        };
        let holds = self.holds()?;
        let judged = self.at.map(|at| -> Result<_> {
            let now = ProvenTime::from_token(at, 0)?;
            Ok((at, judge(&candidate, &policy, &holds, now)?))
        });
        let told = Told {
            class: self.class,
            reason,
            lawful_from: until,
            judged: judged.transpose()?,
            holds: &holds,
        };
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", show::json(&told.json()))?;
        } else {
            told.write(&mut out)?;
        }
        Ok(Answer::Yes)
    }

    fn holds(&self) -> Result<HoldSet> {
        let numbered = (1..).zip(&self.hold);
        let holds: Vec<Hold> = numbered
            .map(|(id, text)| hold(id, text).with_context(|| format!("hold {id}")))
            .collect::<Result<_>>()?;
        let set = holds.len() as u64; // a count of arguments
        Ok(HoldSet::reconciled(holds, set, 0)?)
    }
}

impl Told<'_> {
    fn write(&self, out: &mut impl Write) -> Result<()> {
        let reckoning = self.reason.reckoning();
        writeln!(out, "Class      {} ({})", self.class, self.class.code())?;
        writeln!(out, "Term       {}", self.reason.term())?;
        writeln!(out, "Start      {}, not counted", reckoning.start())?;
        writeln!(out, "Last day   {}, kept whole", reckoning.last())?;
        let from = self.lawful_from;
        writeln!(
            out,
            "May go     from {} ({from})",
            show::rome(from.as_millis())
        )?;
        writeln!(out, "Why        {}", self.reason)?;
        writeln!(out, "Perché     {}", self.reason.italian())?;
        for hold in self.holds.holds() {
            let (id, authority) = (hold.id(), hold.authority());
            let act = show::printable(hold.act().as_str());
            let until = hold.end().map(|end| format!(", until {end}"));
            let until = until.unwrap_or_default();
            writeln!(out, "Hold {id}     {authority}: {act}{until}")?;
        }
        if let Some((at, verdict)) = &self.judged {
            writeln!(out, "At         {at}: {}", word(verdict).to_uppercase())?;
            writeln!(out, "Verdict    {verdict}")?;
            writeln!(out, "Esito      {}", verdict.italian())?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let reckoning = self.reason.reckoning();
        let article = match self.class.basis() {
            Basis::Law(article) => Some(article),
            Basis::Contract | Basis::Archive => None,
        };
        let holds = self.holds.holds().iter().map(|hold| {
            json!({
                "hold": hold.id().as_u64(),
                "authority": hold.authority().to_string(),
                "authority_it": hold.authority().italian(),
                "act": hold.act().as_str(),
                "end_ms": hold.end().map(UtcMillis::as_millis),
            })
        });
        json!({
            "class": self.class.name(),
            "code": self.class.code(),
            "months": self.reason.term().months(),
            "floor_months": article.map(|article| article.floor().months()),
            "article": article.map(|article| article.to_string()),
            "article_it": article.map(|article| article.italian()),
            "start": reckoning.start().to_string(),
            "nominal": reckoning.nominal().to_string(),
            "last": reckoning.last().to_string(),
            "extended": reckoning.is_extended(),
            "lawful_from": self.lawful_from.to_string(),
            "lawful_from_ms": self.lawful_from.as_millis(),
            "reason": self.reason.to_string(),
            "reason_it": self.reason.italian(),
            "holds": holds.collect::<Vec<Value>>(),
            "judged": self.judged.as_ref().map(|(at, verdict)| json!({
                "at_ms": at.as_millis(),
                "verdict": word(verdict),
                "verdict_en": verdict.to_string(),
                "verdict_it": verdict.italian(),
                "hold": match verdict {
                    Verdict::Held { by } => Some(by.as_u64()),
                    Verdict::Keep { .. } | Verdict::Disposable { .. } => None,
                },
            })),
        })
    }
}

const fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Keep { .. } => "keep",
        Verdict::Held { .. } => "held",
        Verdict::Disposable { .. } => "disposable",
    }
}

fn class(text: &str) -> Result<RetentionClass, String> {
    let known = RetentionClass::ALL.into_iter();
    let mut named = known.filter(|class| class.name() == text);
    let names = RetentionClass::ALL.map(RetentionClass::name).join(", ");
    named.next().ok_or(format!("classes are {names}"))
}

/// An instant of RFC 3339, or the first one of a day in Italy.
fn instant(text: &str) -> Result<UtcMillis, String> {
    if let Some(millis) = show::instant(text) {
        return Ok(UtcMillis::new(millis));
    }
    let parts: Vec<&str> = text.split('-').collect();
    let day = match parts.as_slice() {
        [year, month, day] if (year.len(), month.len(), day.len()) == (4, 2, 2) => {
            let (year, month, day) = (year.parse(), month.parse(), day.parse());
            match (year, month, day) {
                (Ok(year), Ok(month), Ok(day)) => Some(CivilDate::new(year, month, day)),
                _ => None,
            }
        }
        _ => None,
    };
    match day {
        Some(Ok(day)) => Ok(day.begins_at()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("neither an instant of RFC 3339 nor a day as 2023-05-15".to_owned()),
    }
}

/// A hold on the only record there is.
fn hold(id: u64, text: &str) -> Result<Hold> {
    let mut parts = text.split(';').map(str::trim);
    let authority = match parts.next() {
        Some("judicial") => Authority::Judicial,
        Some("administrative") => Authority::Administrative,
        _ => bail!("the authority is judicial or administrative"),
    };
    let act = Act::new(parts.next().context("no act: AUTHORITY;ACT")?)?;
    let end = parts.next().map(instant).transpose();
    let end = end.map_err(|why| anyhow!("end: {why}"))?;
    if parts.next().is_some() {
        bail!("more than AUTHORITY;ACT;END");
    }
    // When it began says nothing of now: it suspends from when it is known.
    let start = UtcMillis::new(0);
    let index = IndexRange::single(LeafIndex::new(0));
    Ok(Hold::new(
        HoldId::new(id),
        authority,
        act,
        index.into(),
        start,
        end,
    )?)
}
