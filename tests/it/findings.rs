//! `docs/findings.md` says what the program can remark, in both languages, and nothing else.

use ceralacca_pec::judge::{Effect, Explanation, Ground, Level};
use ceralacca_pec::logs::{self, UnreadReason, p7m};
use ceralacca_pec::{Finding, Reason, rem, tsp};
use std::collections::BTreeSet;

const HEAD: &str = "\
# Findings

What the reader remarks of an object: stable codes, never renamed and never used again. They stand in the metadata of
the object (`unclassified`, `signature`, `findings`: [formats.md](formats.md) 2) and are searched with
`ceralacca search --finding CODE`. Written by `CERALACCA_BLESS=1 cargo test --release --test it findings`.

A level says what a signature was worth when the object was received, at the time it was made, with the trust material
that was configured then. A finding below it says why; a *note* does not change the level. An explanation of how a
broken object may have been damaged never upgrades it; it is looked for in objects of at most 64 KiB.

Facts are taken from the signed daticert alone. Where the outer header, the text or the original do not agree with it,
that is a finding of form, and the daticert stands. A *deviation* is something that the rules (RFC 6109, annex to DM 2
November 2005), or every genuine message known, have otherwise; a *note* is to be known, and nothing is wrong.

Not remarked, because genuine mail has it so: part order, folding and line lengths; LF instead of CR LF throughout;
`risposte` absent; the provider's name spelled otherwise than in its certificate; `Return-Path`; `To` of envelopes.
";

fn levels() -> String {
    let meaning = |level: Level| match level {
        Level::IntegralTrusted => (
            "integro, di un firmatario fidato quando firmò",
            "the bytes are those signed, by a signer trusted when it signed",
        ),
        Level::IntegralWeak => (
            "integro e fidato, ma per mezzo di un algoritmo o di una chiave non più robusti",
            "the same, resting on an algorithm or a key that is no longer strong",
        ),
        Level::IntegralUntrusted => (
            "integro; la fiducia nel firmatario non è stabilita",
            "the bytes are those signed; trust in the signer is not established",
        ),
        Level::Broken => (
            "non risulta che i byte siano quelli firmati",
            "it is not shown that the bytes are those signed",
        ),
        Level::Absent => ("nessuna firma", "there is no signature"),
    };
    let rows = Level::ALL.map(|level| {
        let (italian, english) = meaning(level);
        format!("| `{}` | {italian} | {english} |\n", level.word())
    });
    format!(
        "\n## Levels (`signature`)\n\n| Level | Italiano | English |\n|---|---|---|\n{}| `{}` | {} | {} |\n",
        rows.concat(),
        rem::Signature::VERDICT,
        "evidenza REM da sola: la sua firma XAdES è conservata, non valutata",
        "REM evidence alone: its XAdES signature is kept, not evaluated",
    )
}

fn grounds() -> String {
    let effect = |ground: &Ground| match ground.effect() {
        Effect::Absent => "absent",
        Effect::Broken => "broken",
        Effect::Untrusted => "untrusted",
        Effect::Weak => "weak",
        Effect::Note => "note",
    };
    let rows = Ground::ALL.iter().map(|ground| {
        let (italian, english) = (ground.italian(), ground.english());
        format!(
            "| `{}` | {} | {italian} | {english} |\n",
            ground.code(),
            effect(ground)
        )
    });
    let rows: String = rows.collect();
    format!(
        "\n## Of signatures (`findings`)\n\n| Code | Effect | Italiano | English |\n|---|---|---|---|\n{rows}"
    )
}

fn table<T: Copy>(title: &str, all: &[T], row: impl Fn(T) -> [&'static str; 3]) -> String {
    let rows = all.iter().map(|item| {
        let [code, italian, english] = row(*item);
        format!("| `{code}` | {italian} | {english} |\n")
    });
    let rows: String = rows.collect();
    format!("\n## {title}\n\n| Code | Italiano | English |\n|---|---|---|\n{rows}")
}

#[test]
fn the_document_lists_every_finding_in_both_languages() {
    let form = |finding: &Finding| {
        let (code, weight) = (finding.code(), finding.weight().word());
        let (italian, english) = (finding.italian(), finding.english());
        format!("| `{code}` | {weight} | {italian} | {english} |\n")
    };
    let form: String = Finding::ALL.iter().map(form).collect();
    let form = format!(
        "\n## Of form (`findings`)\n\n| Code | Weight | Italiano | English |\n|---|---|---|---|\n{form}"
    );
    let explained = |explanation: Explanation| {
        [
            explanation.code(),
            explanation.italian(),
            explanation.english(),
        ]
    };
    let noticed = |finding: rem::Finding| [finding.code(), finding.italian(), finding.english()];
    let unread = |refusal: rem::Refusal| [refusal.code(), refusal.italian(), refusal.english()];
    let reason = |reason: Reason| [reason.code(), reason.italian(), reason.english()];
    let text = [
        HEAD.to_owned(),
        levels(),
        grounds(),
        table(
            "Explained: what would make a broken signature match (`findings`)",
            &Explanation::ALL,
            explained,
        ),
        form,
        table("Of REM evidence (`findings`)", &rem::Finding::ALL, noticed),
        table(
            "REM evidence not read (`findings`)",
            &rem::Refusal::ALL,
            unread,
        ),
        table("Not understood (`unclassified`)", &Reason::ALL, reason),
        table(
            "Of records of log files (`findings`)",
            &logs::Finding::ALL,
            |f| [f.code(), f.italian(), f.english()],
        ),
        table(
            "Of log files: stretches not understood (`findings`)",
            &UnreadReason::ALL,
            |r| [r.code(), r.italian(), r.english()],
        ),
        table(
            "Of signed log files without a readable content (`unclassified`)",
            &p7m::Refusal::ALL,
            |r| [r.code(), r.italian(), r.english()],
        ),
        table(
            "Of old time-stamps that prove nothing (`findings`)",
            &tsp::Refusal::ALL,
            |r| [r.code(), r.italian(), r.english()],
        ),
    ]
    .concat();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/findings.md");
    if std::env::var_os("CERALACCA_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap();
    assert!(
        found == text,
        "docs/findings.md is not what the program remarks: bless it"
    );
}

#[test]
fn no_code_means_two_things() {
    let codes = Ground::ALL.iter().map(|ground| ground.code());
    let codes = codes.chain(Finding::ALL.iter().map(|finding| finding.code()));
    let codes = codes.chain(Level::ALL.iter().map(|level| level.word()));
    let codes = codes.chain(
        Explanation::ALL
            .iter()
            .map(|explanation| explanation.code()),
    );
    let codes = codes.chain(rem::Finding::ALL.iter().map(|finding| finding.code()));
    let codes = codes.chain(rem::Refusal::ALL.iter().map(|refusal| refusal.code()));
    let codes = codes.chain(Reason::ALL.iter().map(|reason| reason.code()));
    let codes = codes.chain([rem::Signature::VERDICT]);
    let codes = codes.chain(logs::Finding::ALL.iter().map(|finding| finding.code()));
    let codes = codes.chain(UnreadReason::ALL.iter().map(|reason| reason.code()));
    let codes = codes.chain(tsp::Refusal::ALL.iter().map(|refusal| refusal.code()));
    let codes: Vec<_> = codes.collect();
    let different: BTreeSet<_> = codes.iter().collect();
    assert_eq!(different.len(), codes.len());
}
