//! What `dispose` answers, in words and as JSON.

use crate::cli::{show, v1};
use anyhow::Result;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::leaf::Class;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

fn class(code: i32) -> &'static str {
    let class = u16::try_from(code)
        .ok()
        .and_then(|code| Class::try_from(code).ok());
    class.map_or("?", Class::word)
}

fn name(unit: Option<&v1::DisposalUnit>) -> String {
    let Some(unit) = unit else {
        return "?".to_owned();
    };
    let carried = match unit.carried {
        0 => String::new(),
        times => format!("/{times}"),
    };
    format!(
        "{}/{}{carried}",
        unit.interval_ms,
        class(unit.retention_class)
    )
}

fn unit_json(unit: Option<&v1::DisposalUnit>) -> Value {
    let unit = unit.copied().unwrap_or_default();
    json!({
        "interval_ms": unit.interval_ms,
        "class": class(unit.retention_class),
        "carried": unit.carried,
    })
}

pub(super) fn plan(
    plan: &v1::PlanDisposalResponse,
    as_json: bool,
    out: &mut impl Write,
) -> Result<()> {
    if as_json {
        let units = plan.units.iter().map(|planned| {
            json!({
                "unit": unit_json(planned.unit.as_ref()),
                "records": planned.records,
                "verdict": planned.verdict,
                "english": planned.english,
                "italian": planned.italian,
                "lawful_from_ms": planned.lawful_from_ms,
                "intent": planned.intent,
            })
        });
        let answer = json!({
            "time_proven": plan.time_proven,
            "time_english": plan.time_english,
            "time_italian": plan.time_italian,
            "silent": plan.silent,
            "due": plan.due,
            "kept": plan.kept,
            "held": plan.held,
            "intended": plan.intended,
            "waiting": plan.waiting,
            "broken": plan.broken,
            "units": units.collect::<Vec<_>>(),
        });
        return Ok(writeln!(out, "{}", show::json(&answer))?);
    }
    match plan.time_proven {
        true => writeln!(out, "{}", show::printable(&plan.time_english))?,
        false => writeln!(
            out,
            "NOTHING IS DISPOSED OF: {}",
            show::printable(&plan.time_english)
        )?,
    }
    for said in &plan.silent {
        writeln!(out, "no token: {}", show::printable(said))?;
    }
    writeln!(
        out,
        "{} due, {} held, {} intended, {} kept, {} waiting for proven time, {} broken",
        plan.due, plan.held, plan.intended, plan.kept, plan.waiting, plan.broken
    )?;
    for planned in &plan.units {
        let interval = planned.unit.map_or(0, |unit| unit.interval_ms);
        writeln!(
            out,
            "{:<28} {:<24} {:>10} records  {:<8}  {}",
            name(planned.unit.as_ref()),
            show::utc(UtcMillis::new(interval)),
            planned.records,
            planned.verdict,
            show::printable(&planned.english)
        )?;
    }
    Ok(())
}

pub(super) fn intended(
    intended: &v1::IntendDisposalResponse,
    as_json: bool,
    out: &mut impl Write,
) -> Result<()> {
    let hash = hex::encode(&intended.intent_hash);
    if as_json {
        let units = intended.units.iter().map(|unit| unit_json(Some(unit)));
        let answer = json!({
            "intent": intended.intent,
            "intent_hash": hash,
            "units": units.collect::<Vec<_>>(),
        });
        return Ok(writeln!(out, "{}", show::json(&answer))?);
    }
    writeln!(out, "intent {} {hash}", intended.intent)?;
    for unit in &intended.units {
        writeln!(out, "  {}", name(Some(unit)))?;
    }
    writeln!(
        out,
        "Two different principals approve it: ceralacca dispose approve {} {hash}",
        intended.intent
    )?;
    Ok(())
}

pub(super) fn approved(
    approved: &v1::ApproveDisposalResponse,
    as_json: bool,
    out: &mut impl Write,
) -> Result<()> {
    if as_json {
        let answer = json!({ "leaf": approved.leaf, "approvals": approved.approvals });
        return Ok(writeln!(out, "{}", show::json(&answer))?);
    }
    let next = match approved.approvals {
        0 | 1 => "another principal must approve it",
        _ => "the grace begins",
    };
    writeln!(out, "approved, leaf {}: {next}", approved.leaf)?;
    Ok(())
}

pub(super) fn withdrawn(leaf: u64, as_json: bool, out: &mut impl Write) -> Result<()> {
    match as_json {
        true => writeln!(out, "{}", show::json(&json!({ "leaf": leaf })))?,
        false => writeln!(out, "withdrawn, leaf {leaf}")?,
    }
    Ok(())
}

pub(super) fn status(
    intents: &[v1::DisposalIntent],
    gone: &[v1::GoneUnit],
    as_json: bool,
    out: &mut impl Write,
) -> Result<()> {
    if as_json {
        let intents = intents.iter().map(|intent| {
            let units = intent.units.iter().map(|unit| unit_json(Some(unit)));
            json!({
                "intent": intent.intent,
                "intent_hash": hex::encode(&intent.intent_hash),
                "time_ms": intent.time_ms,
                "units": units.collect::<Vec<_>>(),
                "records": intent.records,
                "approvals": intent.approvals,
                "stage": intent.stage,
                "grace_left_ms": intent.grace_left_ms,
            })
        });
        let gone = gone.iter().map(|gone| {
            json!({
                "unit": unit_json(gone.unit.as_ref()),
                "intent": gone.intent,
                "step": gone.step,
                "completed": gone.completed,
                "records": gone.records,
                "held": gone.held,
                "freed_bytes": gone.freed_bytes,
                "executed_ms": gone.executed_ms,
            })
        });
        let answer = json!({
            "intents": intents.collect::<Vec<_>>(),
            "units": gone.collect::<Vec<_>>(),
        });
        return Ok(writeln!(out, "{}", show::json(&answer))?);
    }
    for intent in intents {
        let left = match intent.grace_left_ms {
            0 => String::new(),
            ms => format!(", {} h of grace left", ms.div_ceil(3_600_000)),
        };
        writeln!(
            out,
            "intent {} of {}: {} records, {}{left}",
            intent.intent,
            show::utc(UtcMillis::new(intent.time_ms)),
            intent.records,
            show::printable(&intent.stage)
        )?;
        writeln!(out, "  hash {}", hex::encode(&intent.intent_hash))?;
        for unit in &intent.units {
            writeln!(out, "  {}", name(Some(unit)))?;
        }
    }
    for unit in gone {
        writeln!(
            out,
            "gone {}: {} records, {} kept under hold, {} bytes freed, next {}",
            name(unit.unit.as_ref()),
            unit.records,
            unit.held,
            unit.freed_bytes,
            show::printable(&unit.step)
        )?;
    }
    if intents.is_empty() && gone.is_empty() {
        writeln!(out, "nothing was disposed of, and nothing is to be")?;
    }
    Ok(())
}

pub(super) fn certificate(
    to: &Path,
    octets: &[u8],
    as_json: bool,
    out: &mut impl Write,
) -> Result<()> {
    let (file, bytes) = (to.display().to_string(), octets.len());
    match as_json {
        true => {
            let answer = json!({ "file": file, "bytes": bytes });
            writeln!(out, "{}", show::json(&answer))?;
        }
        false => writeln!(out, "{file}: {bytes} bytes")?,
    }
    Ok(())
}
