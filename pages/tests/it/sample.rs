//! An invented transaction: four certified recipients and an ordinary one, each with another fate.

use ceralacca_pages::model::*;

pub const IDENTIFICATIVO: &str = "opec293.20260312100405.12345.678.1.55@pec.gestore.example";
pub const SUBJECT: &str = "Diffida ad adempiere – è l’ultima \u{202e}fdp.exe 漢 (rif. 2026/118)";

/// 12 March 2026, 10:04:05 in Rome.
const ACCEPTED: i64 = 1_773_306_245_000;
const HOUR: i64 = 3_600_000;

pub fn at(after: i64) -> Instant {
    Instant::from_millis(ACCEPTED + after)
}

pub fn hex(seed: u8) -> String {
    (0..32u8)
        .map(|n| format!("{:02x}", n.wrapping_mul(37) ^ seed))
        .collect()
}

fn step(step: Step, after: i64, leaf: u64) -> StepAt {
    let at = Some(at(after));
    StepAt { step, at, leaf }
}

fn recipient(address: &str, state: State, steps: Vec<StepAt>) -> Recipient {
    Recipient {
        address: address.to_owned(),
        mailbox: Mailbox::Certified,
        state,
        at: steps.last().and_then(|step| step.at),
        effective: None,
        is_contradictory: false,
        missing: Vec::new(),
        steps,
    }
}

fn recipients() -> Vec<Recipient> {
    let accepted = || step(Step::Accepted, 0, 4101);
    let mut delivered = recipient(
        "comune.vattelapesca@pec.enti.example",
        State::Delivered,
        vec![
            accepted(),
            step(Step::TakenOver, 2_000, 4102),
            step(Step::Delivered, 4_000, 4103),
        ],
    );
    delivered.effective = Some(at(4_000));
    let failed = recipient(
        "studio.legale.bianchi.e.associati@pec.avvocati-di-una-citta-lontana.example",
        State::Failed,
        vec![
            accepted(),
            step(Step::TakenOver, 2_000, 4104),
            step(Step::Failed, 9_000, 4105),
        ],
    );
    let mut silent = recipient(
        "ditta.rossi@pec.imprese.example",
        State::Overdue,
        vec![accepted(), step(Step::Notice, 12 * HOUR, 4180)],
    );
    silent.missing = vec![Missing::Takeover, Missing::Outcome];
    let mut ordinary = recipient(
        "mario.rossi@posta.example",
        State::OrdinaryMail,
        vec![accepted()],
    );
    ordinary.mailbox = Mailbox::Ordinary;
    let fifth = recipient(
        "verdi@pec.professionisti.example",
        State::Delivered,
        vec![
            accepted(),
            step(Step::TakenOver, 1_000, 4106),
            step(Step::Delivered, 3_000, 4107),
        ],
    );
    vec![delivered, failed, silent, ordinary, fifth]
}

fn record(leaf: u64, event: &str, after: i64, file: Option<&str>) -> Record {
    let seed = leaf.to_le_bytes()[0];
    Record {
        leaf,
        leaf_hash: hex(seed),
        event: Some(event.to_owned()),
        identificativo: Some(IDENTIFICATIVO.to_owned()),
        msgid: Some("<A1B2C3@cliente.example>".to_owned()),
        message_id: file.map(|_| format!("<{leaf}.ricevuta@pec.gestore.example>")),
        from: Some("avv.neri@pec.studio.example".to_owned()),
        recipients: recipients().into_iter().map(|one| one.address).collect(),
        concerns: match event {
            "accettazione" => Vec::new(),
            _ => vec![recipients()[usize::from(leaf > 4103)].address.clone()],
        },
        subject: Some(SUBJECT.to_owned()),
        provider: Some("Gestore Esempio S.p.A.".to_owned()),
        event_time: Some(at(after)),
        ingest_time: at(after + 1_500),
        proven_time: Some(at(14 * HOUR)),
        sha256: file.map(|_| hex(seed ^ 1)),
        blake3: file.map(|_| hex(seed ^ 2)),
        bytes: file.map(|_| 18_432),
        object: file.map_or(Object::TraceOnly, |file| Object::HandedOut {
            file: file.to_owned(),
        }),
        signature: file.map(|_| SignatureAtIngest {
            outcome: Outcome::Passed,
            verdict: "integral-trusted".to_owned(),
            grounds: vec!["revocation-unknown".to_owned()],
            received: Some(at(after + 1_500)),
            judged: Some(at(after)),
            trust_set: Some(40),
            is_reproduced: Some(true),
            signer: Some("CN=Posta Certificata, O=Gestore Esempio S.p.A., C=IT".to_owned()),
            issuer: Some("CN=CA di prova, O=Ente Esempio, C=IT".to_owned()),
            serial: Some("3f0012ab".to_owned()),
            algorithm: Some("sha256WithRSAEncryption".to_owned()),
            not_before: Some(at(-1000 * 24 * HOUR)),
            not_after: Some(at(95 * 24 * HOUR)),
            material: vec![Material {
                kind: "crl".to_owned(),
                day: None,
                leaf: Some(39),
                sha256: hex(9),
                file: Some(format!("proof/material/{}.der", hex(9))),
            }],
        }),
        interval: at(-10 * HOUR - 245_000),
    }
}

fn checks() -> Checks {
    let leaves = [4101u64, 4103];
    Checks::answer(|id| {
        let one = |leaf, outcome, reason, data: &[(&str, &str)]| Check {
            leaf,
            outcome,
            reason,
            data: data
                .iter()
                .map(|(name, value)| Datum {
                    name: (*name).to_owned(),
                    value: (*value).to_owned(),
                })
                .collect(),
        };
        let good = |leaf: u64| one(Some(leaf), Outcome::Passed, Reason::AsExpected, &[]);
        let open = |reason| vec![one(None, Outcome::NotChecked, reason, &[])];
        match id {
            CheckId::IngestDigest => leaves
                .iter()
                .map(|leaf| {
                    let sha256 = hex(leaf.to_le_bytes()[0] ^ 1);
                    one(
                        Some(*leaf),
                        Outcome::Passed,
                        Reason::AsExpected,
                        &[("sha256", &sha256)],
                    )
                })
                .collect(),
            CheckId::DateHeader => vec![
                good(4101),
                one(
                    Some(4103),
                    Outcome::Failed,
                    Reason::Mismatch,
                    &[
                        ("expected", "2026-03-12T10:04:09+01:00"),
                        ("found", "2026-03-12T11:04:09+01:00"),
                    ],
                ),
            ],
            CheckId::OtherLog => open(Reason::OtherProvider),
            CheckId::Identity => open(Reason::AsDeclared),
            CheckId::SyntheticContent | CheckId::BriefDigests => open(Reason::NotConcerned),
            CheckId::Directory => open(Reason::NoMaterial),
            _ => leaves.iter().map(|leaf| good(*leaf)).collect(),
        }
    })
}

pub fn report(kind: Kind, language: Language) -> Report {
    let interval = Interval {
        start: at(-10 * HOUR - 245_000),
        end: Some(at(14 * HOUR - 245_000)),
        closing_leaf: Some(4999),
        checkpoint: Checkpoint {
            origin: "log.gestore.example/pec".to_owned(),
            tree_size: 5000,
            root_hash: hex(77),
            key: "log.gestore.example/pec+0a1b2c3d+AXRlc3Qga2V5IG9mIGEgbG9nIGZvciBkb2N1bWVudHM="
                .to_owned(),
            witnesses: vec![Witness {
                name: "testimone.example/w1".to_owned(),
                key: "testimone.example/w1+4d3c2b1a+BHRlc3Qga2V5IG9mIGEgd2l0bmVzcyBmb3IgcGFnZXM="
                    .to_owned(),
                time: Some(at(14 * HOUR)),
                tree_size: 5001,
                file: Some("proof/closing.tlog-proof".to_owned()),
            }],
        },
        tokens: vec![Token {
            covers: "log-1.jsonl".to_owned(),
            time: at(14 * HOUR),
            authority: "TSA di prova".to_owned(),
            serial: "0a0b0c".to_owned(),
            sha256: hex(55),
            signer: Some("TSU 7 di prova".to_owned()),
            certificate: Some(hex(56)),
            is_qualified: false,
            file: Some("proof/checkpoint.tst".to_owned()),
        }],
        renewals: vec![Renewal {
            time: at(150 * 24 * HOUR),
            kind: "time-stamp".to_owned(),
            algorithm: "SHA-256".to_owned(),
            authority: "TSA di prova".to_owned(),
            serial: "0a0b0d".to_owned(),
            root_hash: hex(57),
        }],
    };
    let held = kind == Kind::Duplicato;
    let file = |name: &'static str| held.then_some(name);
    let anchor = Anchor {
        origin: interval.checkpoint.origin.clone(),
        tree_size: 5000,
        root_hash: hex(77),
        leaf: 4103,
        leaf_hash: hex(7),
    };
    Report {
        schema: Schema::V1,
        language,
        kind,
        id: "CRL-2026-000118".to_owned(),
        made: at(200 * 24 * HOUR),
        provider: "Gestore Esempio S.p.A.".to_owned(),
        software: "Ceralacca 0.1.0".to_owned(),
        request: Request {
            requester: "Tribunale di Vattelapesca, sezione II civile".to_owned(),
            capacity: Capacity::Court,
            act: "Ordinanza n. 118/2026 del 20 settembre 2026, R.G. 4321/2026".to_owned(),
            purpose: "Prova della notificazione contestata".to_owned(),
            at: at(199 * 24 * HOUR),
            disclosure_leaf: Some(881_204),
        },
        development: vec![Development::SealKey, Development::TimeStampingAuthority],
        seal: Seal::Sealed,
        message: Message {
            identificativo: Some(IDENTIFICATIVO.to_owned()),
            msgid: Some("<A1B2C3@cliente.example>".to_owned()),
            from: Some("avv.neri@pec.studio.example".to_owned()),
            subject: Some(SUBJECT.to_owned()),
            accepted: Some(at(0)),
            missing: Vec::new(),
            recipients: recipients(),
        },
        records: vec![
            record(4101, "accettazione", 0, file("accettazione.eml")),
            record(4102, "presa-in-carico", 2_000, None),
            record(4103, "avvenuta-consegna", 4_000, file("consegna.eml")),
            record(4105, "errore-consegna", 9_000, None),
            record(4180, "preavviso-errore-consegna", 12 * HOUR, None),
        ],
        intervals: vec![interval],
        checks: checks(),
        anchor: Some(anchor),
        disposed: Vec::new(),
        files: vec![
            PackageFile {
                name: "accettazione.eml".to_owned(),
                role: FileRole::Object,
                bytes: 18_432,
                sha256: hex(4),
            },
            PackageFile {
                name: "proof/validation.json".to_owned(),
                role: FileRole::Report,
                bytes: 9_000,
                sha256: hex(5),
            },
        ],
    }
}
