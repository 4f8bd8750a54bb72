//! `transaction`: what became of a message, as a time line.

use super::{Answer, remote, show, v1};
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;

/// What `transaction` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Identificativo of the transaction
    #[arg(value_name = "IDENTIFICATIVO")]
    identificativo: String,
    /// Also hold the originals of brief receipts, where they are held too, against their hashes
    #[arg(long)]
    check_brief: bool,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

const HELP: &str = "\
Times are civil times in Italy. A delivery from 21:00 on and before 07:00 takes effect for the recipient at 07:00
(c.p.c. art. 147). What is missing is what the rules ask for by now and no record shows; it may still come, or be
kept by another provider. Status 1 when there is no record at all, or when an original is not the one of a brief
receipt.";

/// Of brief receipts, by the index of their facts.
type Checks = BTreeMap<u64, v1::CheckBriefReceiptResponse>;

/// Whether this is a brief receipt that is held: every message of the transaction says which form was asked for.
fn is_brief(event: &v1::TransactionEvent) -> bool {
    let is_delivery = event.event == "avvenuta-consegna" && event.receipt_form == "breve";
    is_delivery && event.companion.is_some()
}

/// Whether nothing was found against an original.
fn stands(check: &v1::CheckBriefReceiptResponse) -> bool {
    let against = ["differs", "missing", "no-hash"];
    let mut parts = check.parts.iter();
    !parts.any(|part| against.contains(&part.outcome.as_str()))
}

/// Asks and shows.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let (story, checks) = remote::run(async {
        let remote = arguments.remote.connect().await?;
        let story = remote.transaction(&arguments.identificativo).await?;
        let mut checks = Checks::new();
        if arguments.check_brief {
            for event in story.events.iter().filter(|event| is_brief(event)) {
                checks.insert(event.index, remote.check_brief(event.index).await?);
            }
        }
        Ok((story, checks))
    })?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", show::json(&to_json(&story, &checks)))?;
    } else {
        tell(&story, &checks, &mut out)?;
    }
    let stands = checks.values().all(stands);
    match story.events.is_empty() || !stands {
        true => Ok(Answer::No),
        false => Ok(Answer::Yes),
    }
}

fn tell(story: &v1::GetTransactionResponse, checks: &Checks, out: &mut impl Write) -> Result<()> {
    if story.events.is_empty() {
        writeln!(out, "No record of this transaction.")?;
        return Ok(());
    }
    for (name, text) in [
        ("Transaction", &story.identificativo),
        ("From", &story.sender),
        ("Subject", &story.subject),
    ] {
        if !text.is_empty() {
            writeln!(out, "{name:<12}{}", show::printable(text))?;
        }
    }
    writeln!(out)?;
    for event in in_time(&story.events) {
        tell_event(event, out)?;
        if let Some(check) = checks.get(&event.index) {
            tell_check(check, out)?;
        }
    }
    if story.truncated {
        writeln!(out, "  … and more records than are followed at once.")?;
    }
    writeln!(out)?;
    for recipient in &story.recipients {
        tell_recipient(recipient, out)?;
    }
    for missing in &story.missing {
        writeln!(out, "Missing: {}", show::printable(missing))?;
    }
    Ok(())
}

/// Events by their time; those without one, and those of one second, as the log has them.
fn in_time(events: &[v1::TransactionEvent]) -> Vec<&v1::TransactionEvent> {
    let mut events: Vec<_> = events.iter().collect();
    events.sort_by_key(|event| event.event_ms.unwrap_or(i64::MAX));
    events
}

fn tell_event(event: &v1::TransactionEvent, out: &mut impl Write) -> Result<()> {
    let time = event.event_ms.map_or("-".to_owned(), show::rome);
    let form = match event.receipt_form.as_str() {
        "" => String::new(),
        form => format!(" ({form})"),
    };
    let what = show::printable(&format!("{}{form}", event.event));
    writeln!(out, "{time:<26} ┬ {what}")?;
    let to: Vec<&String> = [&event.delivered_to]
        .into_iter()
        .chain(&event.taken_over)
        .filter(|address| !address.is_empty())
        .collect();
    for address in to.iter().take(TOLD_MAX) {
        writeln!(out, "{:<26} │   {}", "", show::printable(address))?;
    }
    if to.len() > TOLD_MAX {
        writeln!(out, "{:<26} │   and {} more", "", to.len() - TOLD_MAX)?;
    }
    for text in [&event.error, &event.error_detail] {
        if !text.is_empty() && text != "nessuno" {
            writeln!(out, "{:<26} │   {}", "", show::printable(text))?;
        }
    }
    let object = match event.companion {
        Some(index) => format!(", object {index}"),
        None => String::new(),
    };
    let said = match event.provider.as_str() {
        "" => String::new(),
        provider => format!("{}; ", show::printable(provider)),
    };
    writeln!(out, "{:<26} │   {said}record {}{object}", "", event.index)?;
    Ok(())
}

/// What became of each hash of a brief receipt.
fn tell_check(check: &v1::CheckBriefReceiptResponse, out: &mut impl Write) -> Result<()> {
    let mut tell = |text: &str| writeln!(out, "{:<26} │   {text}", "");
    match check.original {
        None => tell("the original is not held here: its hashes are not compared")?,
        Some(index) => tell(&format!("original held as object {index}:"))?,
    }
    for part in &check.parts {
        let outcome = match part.outcome.as_str() {
            "matches" if part.other_name => "matches, under another name",
            "matches" => "matches",
            "differs" => "DIFFERS",
            "missing" => "MISSING in the original",
            "no-hash" => "NO HASH in the receipt",
            other => other,
        };
        let name = show::printable(&part.name);
        let outcome = show::printable(outcome);
        tell(&format!(
            "  {name} (sha1 {}): {outcome}",
            hex::encode(&part.sha1)
        ))?;
    }
    for name in &check.uncovered {
        tell(&format!(
            "  {}: no hash in the receipt",
            show::printable(name)
        ))?;
    }
    if check.opaque {
        tell("  the original was encrypted or signed: nothing was replaced")?;
    }
    if check.truncated {
        tell("  more parts than are followed: what is said is of the first ones")?;
    }
    Ok(())
}

/// Recipients told of one event; a takeover may cover thousands.
const TOLD_MAX: usize = 10;

fn tell_recipient(recipient: &v1::TransactionRecipient, out: &mut impl Write) -> Result<()> {
    let state = match recipient.state.as_str() {
        "named" => "named, and nothing more",
        "accepted" => "accepted, on its way",
        "ordinary-mail" => "ordinary mail: sent, nothing more will come",
        "taken-over" => "taken over by its provider",
        "overdue" => "overdue; it may still come",
        "not-accepted" => "NOT ACCEPTED",
        "failed" => "NOT DELIVERED",
        "delivered" => "DELIVERED",
        other => other,
    };
    let at = recipient
        .at_ms
        .map_or(String::new(), |at| format!("  {}", show::rome(at)));
    writeln!(out, "{}", show::printable(&recipient.address))?;
    writeln!(out, "    {}{at}", show::printable(state))?;
    if let Some(effective) = recipient.effective_ms {
        let at = show::rome(effective);
        writeln!(out, "    by night: takes effect for the recipient at {at}")?;
    }
    if recipient.contradictory {
        writeln!(
            out,
            "    CONTRADICTORY: both a delivery and a failure are on record"
        )?;
    }
    for missing in &recipient.missing {
        let what = match missing.as_str() {
            "takeover" => "a takeover, due within 12 hours",
            "outcome" => "a delivery or a failure, due within 24 hours",
            other => other,
        };
        writeln!(out, "    missing: {}", show::printable(what))?;
    }
    Ok(())
}

fn check_json(check: &v1::CheckBriefReceiptResponse) -> Value {
    let parts = check.parts.iter().map(|part| {
        json!({
            "name": part.name,
            "sha1": hex::encode(&part.sha1),
            "outcome": part.outcome,
            "input": part.input,
            "other_name": part.other_name,
        })
    });
    json!({
        "receipt": check.receipt,
        "original": check.original,
        "parts": parts.collect::<Vec<_>>(),
        "uncovered": check.uncovered,
        "opaque": check.opaque,
        "truncated": check.truncated,
    })
}

fn to_json(story: &v1::GetTransactionResponse, checks: &Checks) -> Value {
    let events = story.events.iter().map(|event| {
        json!({
            "index": event.index,
            "companion": event.companion,
            "event": event.event,
            "event_ms": event.event_ms,
            "event_text": event.event_text,
            "provider": event.provider,
            "delivered_to": event.delivered_to,
            "taken_over": event.taken_over,
            "receipt_form": event.receipt_form,
            "error": event.error,
            "error_detail": event.error_detail,
            "brief": checks.get(&event.index).map(check_json),
        })
    });
    let recipients = story.recipients.iter().map(|recipient| {
        json!({
            "address": recipient.address,
            "kind": recipient.kind,
            "state": recipient.state,
            "at_ms": recipient.at_ms,
            "effective_ms": recipient.effective_ms,
            "contradictory": recipient.contradictory,
            "missing": recipient.missing,
        })
    });
    json!({
        "identificativo": story.identificativo,
        "accepted_ms": story.accepted_ms,
        "sender": story.sender,
        "subject": story.subject,
        "events": events.collect::<Vec<_>>(),
        "recipients": recipients.collect::<Vec<_>>(),
        "missing": story.missing,
        "truncated": story.truncated,
    })
}
