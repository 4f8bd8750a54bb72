//! The expert's pages: recipients, request, records, checks, intervals, files.

use crate::checks::{Check, Datum};
use crate::flow::{Flow, Pieces, Table, bold, digest, mono, plain};
use crate::fonts::Face;
use crate::front::ranges;
use crate::model::{
    Instant, Interval, Missing, Object, Recipient, Record, Report, SignatureAtIngest,
};
use crate::sheet::Embedded;
use crate::texts::{Texts, fill};

/// Width of labels.
const LABEL: f32 = 118.0;
/// Height of a title and of the first lines below it.
const WITH_TITLE: f32 = 84.0;

/// Who asked, when, under which act.
pub(crate) fn request(flow: &mut Flow<'_>, texts: &Texts, report: &Report) {
    let request = &report.request;
    flow.heading(texts.request);
    let disclosure = request.disclosure_leaf.map(|leaf| leaf.to_string());
    flow.pairs(
        LABEL,
        vec![
            (texts.requester, plain(request.requester.clone())),
            (
                texts.capacity_label,
                plain((texts.capacity)(request.capacity)),
            ),
            (texts.act, plain(request.act.clone())),
            (texts.purpose, plain(request.purpose.clone())),
            (texts.asked_at, time(request.at)),
            (texts.disclosure, optional(texts, disclosure)),
        ],
    );
}

/// Every recipient with every step.
pub(crate) fn recipients(flow: &mut Flow<'_>, texts: &Texts, report: &Report) {
    flow.heading(texts.outcomes);
    let row = |recipient: &Recipient| {
        let mut state = bold((texts.state)(recipient.state));
        let delayed = recipient.effective.filter(|at| Some(*at) != recipient.at);
        if let Some(effective) = delayed {
            let note = fill(texts.effective, &[&effective.rome_both()]);
            state.push((Face::Regular, note));
        }
        if recipient.is_contradictory {
            state.push((Face::Bold, texts.contradictory.to_owned()));
        }
        let missing = recipient.missing.iter();
        state.extend(missing.map(|what| (Face::Bold, (texts.missing)(*what).to_owned())));
        let step = |step: &crate::model::StepAt| {
            let at = step
                .at
                .map_or_else(|| texts.unknown.to_owned(), Instant::rome_both);
            let leaf = texts.leaf.to_lowercase();
            let text = format!("{at} {}, {leaf} {}", (texts.step)(step.step), step.leaf);
            (Face::Regular, text)
        };
        let address = vec![
            (Face::Bold, recipient.address.clone()),
            (Face::Regular, (texts.mailbox)(recipient.mailbox).to_owned()),
        ];
        vec![address, state, recipient.steps.iter().map(step).collect()]
    };
    flow.table(Table {
        widths: &[0.29, 0.26, 0.45],
        heads: &[texts.recipient, texts.state_head, texts.steps_on_record],
        rows: report.message.recipients.iter().map(row).collect(),
    });
    if !report.message.missing.is_empty() {
        let word = |what: &Missing| (texts.missing)(*what);
        let words: Vec<_> = report.message.missing.iter().map(word).collect();
        flow.pairs(
            LABEL,
            vec![(texts.missing_of_message, bold(words.join(", ")))],
        );
    }
}

/// Every record, field by field.
pub(crate) fn records(flow: &mut Flow<'_>, texts: &Texts, report: &Report) {
    flow.heading(texts.records);
    flow.paragraph(texts.records_note);
    for record in &report.records {
        let event = record.event.as_deref().unwrap_or(texts.unknown);
        let title = fill(texts.record_of, &[&record.leaf.to_string(), event]);
        flow.need(WITH_TITLE);
        flow.subheading(&title);
        flow.pairs(LABEL, record_pairs(texts, report, record));
        flow.rule();
    }
}

fn record_pairs<'t>(texts: &'t Texts, report: &Report, record: &Record) -> Vec<(&'t str, Pieces)> {
    let text = |value: &Option<String>| optional(texts, value.clone());
    let at = |value: Option<Instant>| value.map_or_else(|| plain(texts.not_recorded), time);
    let recipients = match record.recipients.is_empty() {
        true => Pieces::new(),
        false => plain(record.recipients.join(", ")),
    };
    let concerns = record.concerns.iter();
    let concerns: Pieces = concerns.map(|to| (Face::Regular, to.clone())).collect();
    let object = match &record.object {
        Object::HandedOut { file } => fill(texts.object_handed_out, &[file]),
        Object::TraceOnly => texts.object_trace_only.to_owned(),
        Object::Disposed => texts.object_disposed.to_owned(),
        Object::Erased { leaf } => fill(texts.object_erased, &[&leaf.to_string()]),
        Object::Isolated => texts.object_isolated.to_owned(),
    };
    let mut pairs: Vec<(&str, Pieces)> = vec![
        (texts.identificativo, text(&record.identificativo)),
        (texts.msgid, text(&record.msgid)),
        (texts.message_id, text(&record.message_id)),
        (texts.from, text(&record.from)),
        (texts.to, recipients),
        (texts.concerns, concerns),
        (texts.subject, text(&record.subject)),
        (texts.provider, text(&record.provider)),
        (texts.event_time, at(record.event_time)),
        (texts.ingest_time, time(record.ingest_time)),
        (texts.proven_time, at(record.proven_time)),
        (texts.object, plain(object)),
    ];
    if let Some(sha256) = &record.sha256 {
        pairs.push((texts.sha256, digest(sha256)));
    }
    if let Some(blake3) = &record.blake3 {
        pairs.push((texts.blake3, digest(blake3)));
    }
    if let Some(bytes) = record.bytes {
        pairs.push((texts.bytes, plain(bytes.to_string())));
    }
    pairs.push((texts.leaf_hash, digest(&record.leaf_hash)));
    let is_open = report
        .interval(record.interval)
        .is_none_or(|interval| interval.closing_leaf.is_none());
    let mut interval = time(record.interval);
    if is_open {
        interval.push((Face::Bold, texts.interval_open.to_owned()));
    }
    pairs.push((texts.interval, interval));
    pairs.push((texts.signature, signature(texts, record.signature.as_ref())));
    pairs.retain(|(_, value)| !value.is_empty());
    pairs
}

fn signature(texts: &Texts, signature: Option<&SignatureAtIngest>) -> Pieces {
    let Some(found) = signature else {
        return plain(texts.signature_none);
    };
    let outcome = (texts.outcome)(found.outcome);
    let mut pieces = bold(format!("{}: {outcome} ({})", texts.verdict, found.verdict));
    for (label, value) in [
        (texts.signer, &found.signer),
        (texts.issuer, &found.issuer),
        (texts.serial, &found.serial),
        (texts.algorithm, &found.algorithm),
    ] {
        if let Some(value) = value {
            pieces.push((Face::Regular, format!("{label}: {value}")));
        }
    }
    if let (Some(first), Some(last)) = (found.not_before, found.not_after) {
        let span = format!(
            "{}: {} – {}",
            texts.validity,
            first.rome_both(),
            last.rome_both()
        );
        pieces.push((Face::Regular, span));
    }
    if !found.grounds.is_empty() {
        let line = format!("{}: {}", texts.grounds, found.grounds.join(", "));
        pieces.push((Face::Regular, line));
    }
    if let Some(at) = found.judged {
        pieces.push((
            Face::Regular,
            format!("{}: {}", texts.judged_at, at.rome_both()),
        ));
    }
    if let Some(is_reproduced) = found.is_reproduced {
        let (face, line) = match is_reproduced {
            true => (Face::Regular, texts.reproduced),
            false => (Face::Bold, texts.not_reproduced),
        };
        pieces.push((face, line.to_owned()));
    }
    for kept in &found.material {
        let mut line = format!("{}: {}", texts.material, kept.kind);
        let day = kept.day.as_deref().unwrap_or_default();
        let leaf = kept
            .leaf
            .map(|leaf| fill(texts.leaf_one, &[&leaf.to_string()]));
        let file = kept.file.as_deref().unwrap_or_default();
        for part in [day, leaf.as_deref().unwrap_or_default(), file] {
            if !part.is_empty() {
                line.push_str(", ");
                line.push_str(part);
            }
        }
        pieces.push((Face::Regular, line));
        pieces.push((Face::Mono, crate::flow::grouped(&kept.sha256)));
    }
    pieces
}

/// Every check; answers that say the same of several leaves stand once.
pub(crate) fn checks(flow: &mut Flow<'_>, texts: &Texts, report: &Report) {
    flow.heading(texts.checks);
    flow.paragraph(texts.checks_note);
    for area in 1..=8 {
        // A title does not stand alone at the foot of a page.
        flow.need(WITH_TITLE);
        flow.subheading(&format!("{area}. {}", (texts.area)(area)));
        let mut rows = Vec::new();
        for (id, answers) in report.checks.iter().filter(|(id, _)| id.area() == area) {
            let mut number = bold(id.number());
            let mut name = plain((texts.check)(id));
            for (answer, leaves) in alike(answers) {
                let outcome = bold((texts.outcome)(answer.outcome));
                let answer = answer_pieces(texts, answer, &leaves);
                let number = std::mem::take(&mut number);
                rows.push(vec![number, std::mem::take(&mut name), outcome, answer]);
            }
        }
        flow.table(Table {
            widths: &[0.055, 0.285, 0.12, 0.54],
            heads: &[
                texts.number,
                texts.check_head,
                texts.outcome_label,
                texts.answer,
            ],
            rows,
        });
    }
}

/// What of the data tells answers apart. The file of a leaf stands with its record.
fn told(data: &[Datum]) -> impl Iterator<Item = &Datum> {
    data.iter().filter(|datum| datum.name != "file")
}

/// Answers that differ in the leaf, and its file, only: together.
fn alike(answers: &[Check]) -> Vec<(&Check, Vec<u64>)> {
    let mut groups: Vec<(&Check, Vec<u64>)> = Vec::new();
    for answer in answers {
        let same = |(first, _): &&mut (&Check, Vec<u64>)| {
            first.outcome == answer.outcome
                && first.reason == answer.reason
                && told(&first.data).eq(told(&answer.data))
                && first.leaf.is_some() == answer.leaf.is_some()
        };
        match groups.iter_mut().find(same) {
            Some((_, leaves)) => leaves.extend(answer.leaf),
            None => groups.push((answer, answer.leaf.into_iter().collect())),
        }
    }
    groups
}

fn answer_pieces(texts: &Texts, answer: &Check, leaves: &[u64]) -> Pieces {
    let about = if leaves.is_empty() {
        texts.whole_package.to_owned()
    } else {
        let noun = match leaves {
            [_] => texts.leaf_one,
            _ => texts.leaf_entry,
        };
        fill(noun, &[&ranges(leaves)])
    };
    let reason = (texts.reason)(answer.reason);
    let mut pieces = plain(format!("{reason} ({about})"));
    let value = |name: &str| {
        let mut data = answer.data.iter();
        data.find(|datum| datum.name == name)
            .map(|d| d.value.as_str())
    };
    let is_as_expected = value("found").is_some() && value("found") == value("expected");
    for datum in &answer.data {
        let is_of_many = leaves.len() > 1 && datum.name == "file";
        if is_of_many || (is_as_expected && datum.name == "found") {
            continue;
        }
        let is_digest =
            datum.value.len() >= 40 && datum.value.bytes().all(|c| c.is_ascii_hexdigit());
        let word = |name| (texts.datum)(name).unwrap_or(name);
        let mut name = word(datum.name.as_str()).to_owned();
        if is_as_expected && datum.name == "expected" {
            name = format!("{name} = {}", word("found"));
        }
        if is_digest {
            pieces.push((Face::Regular, format!("{name}:")));
            pieces.push((Face::Mono, crate::flow::grouped(&datum.value)));
        } else {
            pieces.push((Face::Regular, format!("{name}: {}", datum.value)));
        }
    }
    pieces
}

/// How each interval was closed and is kept.
pub(crate) fn intervals(flow: &mut Flow<'_>, texts: &Texts, report: &Report) {
    flow.heading(texts.intervals);
    for interval in &report.intervals {
        flow.need(WITH_TITLE);
        flow.subheading(&fill(texts.interval_label, &[&interval.start.rome_both()]));
        flow.pairs(LABEL, interval_pairs(texts, interval));
        tokens(flow, texts, interval);
        let renewals = renewals(texts, interval);
        flow.pairs(LABEL, vec![(texts.chain_renewals, renewals)]);
        flow.rule();
    }
}

fn interval_pairs<'t>(texts: &'t Texts, interval: &Interval) -> Vec<(&'t str, Pieces)> {
    let checkpoint = &interval.checkpoint;
    let closing = match (interval.closing_leaf, interval.end) {
        (Some(leaf), Some(end)) => {
            let mut closing = time(end);
            closing.push((
                Face::Regular,
                format!("{} {leaf}", texts.leaf.to_lowercase()),
            ));
            closing
        }
        _ => bold(texts.interval_open),
    };
    let mut witnesses = Pieces::new();
    for witness in &checkpoint.witnesses {
        let at = witness
            .time
            .map_or_else(String::new, |at| format!(", {}", at.rome_both()));
        let size = witness.tree_size.to_string();
        let line = format!("{}{at}, {} {size}", witness.name, texts.tree_size);
        witnesses.push((Face::Regular, line));
        witnesses.push((Face::Mono, witness.key.clone()));
    }
    if witnesses.is_empty() {
        witnesses = plain(texts.chain_no_witness);
    }
    let origin = vec![
        (Face::Regular, format!("{}:", texts.origin)),
        (Face::Mono, checkpoint.origin.clone()),
    ];
    vec![
        (texts.chain_checkpoint, origin),
        (texts.tree_size, plain(checkpoint.tree_size.to_string())),
        (texts.root_hash, digest(&checkpoint.root_hash)),
        (texts.log_key, mono(checkpoint.key.clone())),
        (texts.chain_witnesses, witnesses),
        (texts.chain_interval, closing),
    ]
}

/// What came after the token, oldest first.
fn renewals(texts: &Texts, interval: &Interval) -> Pieces {
    let mut renewals = Pieces::new();
    for renewal in &interval.renewals {
        let kind = (texts.renewal)(&renewal.kind);
        let line = format!(
            "{}: {kind} ({}), {}, {} {}",
            renewal.time.rome_both(),
            renewal.algorithm,
            renewal.authority,
            texts.serial.to_lowercase(),
            renewal.serial
        );
        renewals.push((Face::Regular, line));
        renewals.push((Face::Mono, crate::flow::grouped(&renewal.root_hash)));
    }
    match renewals.is_empty() {
        true => plain(texts.chain_none),
        false => renewals,
    }
}

fn tokens(flow: &mut Flow<'_>, texts: &Texts, interval: &Interval) {
    for token in &interval.tokens {
        let quality = match token.is_qualified {
            true => texts.chain_qualified,
            false => texts.chain_not_qualified,
        };
        let mut pieces = bold(format!("{} ({quality})", token.time.rome_both()));
        pieces.push((Face::Regular, token.time.rfc3339()));
        for (label, value) in [
            (texts.authority, &token.authority),
            (texts.covers, &token.covers),
            (texts.serial, &token.serial),
        ] {
            pieces.push((Face::Regular, format!("{label}: {value}")));
        }
        if let Some(signer) = &token.signer {
            pieces.push((Face::Regular, format!("{}: {signer}", texts.signer)));
        }
        if let Some(certificate) = &token.certificate {
            pieces.push((Face::Regular, format!("{}:", texts.certificate)));
            pieces.push((Face::Mono, crate::flow::grouped(certificate)));
        }
        if let Some(file) = &token.file {
            pieces.push((Face::Regular, format!("{}: {file}", texts.name)));
        }
        pieces.push((Face::Regular, format!("{}:", texts.sha256)));
        pieces.push((Face::Mono, crate::flow::grouped(&token.sha256)));
        flow.pairs(LABEL, vec![(texts.chain_token, pieces)]);
    }
}

/// The files of the package.
pub(crate) fn files(flow: &mut Flow<'_>, texts: &Texts, report: &Report, embedded: &[Embedded]) {
    flow.heading(texts.files);
    flow.paragraph(texts.files_note);
    let row = |file: &crate::model::PackageFile| {
        // A name in the pages has no folder; the description has the whole of it.
        let is_embedded = embedded
            .iter()
            .any(|there| there.description == file.name || there.name == file.name);
        let mut role = plain((texts.role)(file.role));
        let note = match is_embedded {
            true => texts.embedded_here,
            false => texts.not_embedded,
        };
        role.push((Face::Italic, note.to_owned()));
        let mut name = bold(file.name.clone());
        name.push((Face::Mono, crate::flow::grouped(&file.sha256)));
        vec![name, plain(file.bytes.to_string()), role]
    };
    flow.table(Table {
        widths: &[0.65, 0.1, 0.25],
        heads: &[texts.name, texts.size, texts.role_label],
        rows: report.files.iter().map(row).collect(),
    });
    flow.paragraph(texts.class_copy_note);
}

/// What was disposed of, where anything is known to be.
pub(crate) fn disposals(flow: &mut Flow<'_>, texts: &Texts, report: &Report) {
    if report.disposed.is_empty() {
        return;
    }
    flow.heading(texts.disposed);
    flow.paragraph(texts.disposed_note);
    let row = |unit: &crate::model::Disposed| {
        let certificate = unit.certificate.clone();
        let certificate = certificate.unwrap_or_else(|| texts.disposed_no_file.to_owned());
        vec![
            time(unit.interval),
            plain(unit.class.clone()),
            plain(certificate),
        ]
    };
    flow.table(Table {
        widths: &[0.42, 0.13, 0.45],
        heads: &[texts.interval, texts.class, texts.certificate_file],
        rows: report.disposed.iter().map(row).collect(),
    });
}

/// Civil time in Rome, and UTC to the millisecond.
fn time(at: Instant) -> Pieces {
    plain(format!("{} · {}", at.rome_both(), at.rfc3339()))
}

fn optional(texts: &Texts, value: Option<String>) -> Pieces {
    value.map_or_else(|| plain(texts.not_recorded), plain)
}
