//! `transaction`: what became of a message, as a time line.

use super::{Answer, remote, show, v1};
use anyhow::Result;
use serde_json::{Value, json};
use std::io::Write;

/// What `transaction` is told.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Identificativo of the transaction
    #[arg(value_name = "IDENTIFICATIVO")]
    identificativo: String,
    /// Answer as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

const HELP: &str = "\
Times are civil times in Italy. A delivery from 21:00 on and before 07:00 takes effect for the recipient at 07:00
(c.p.c. art. 147). What is missing is what the rules ask for by now and no record shows; it may still come, or be
kept by another provider. Status 1 when there is no record at all.";

/// Asks and shows.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let story = remote::run(async {
        let remote = arguments.remote.connect().await?;
        Ok(remote.transaction(&arguments.identificativo).await?)
    })?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", show::json(&to_json(&story)))?;
    } else {
        tell(&story, &mut out)?;
    }
    match story.events.is_empty() {
        true => Ok(Answer::No),
        false => Ok(Answer::Yes),
    }
}

fn tell(story: &v1::GetTransactionResponse, out: &mut impl Write) -> Result<()> {
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

fn to_json(story: &v1::GetTransactionResponse) -> Value {
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
