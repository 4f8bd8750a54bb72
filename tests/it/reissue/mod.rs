//! A package that was given again: opened, read and checked by others, after the archive is gone.

mod cases;
mod checks;
mod completed;
mod court;
mod flips;
mod forged;
mod gone;
mod house;
mod ingest;
mod issued;
mod leggimi;
mod nothing;
mod refusals;
mod served;
mod witnesses;
mod years;

use crate::support::sealing::Sealing;
use crate::support::*;
use ceralacca::access::{self, Grant, Principal, Reissue, Role, Standing};
use ceralacca::archive::Log;
use ceralacca::desk::{Choice, Demand, SearchQuery};
use ceralacca::ingest::Declared;
use ceralacca::reissue::{Given, ReissueError, Wanted};
use ceralacca::seal::Probe;
use ceralacca::trust::{Bundle, Item, What};
use ceralacca_evidence::asic::Form;
use ceralacca_formats::id::UtcMillis;
use ceralacca_formats::metadata::Field;
use ceralacca_pages::model::{Capacity, Language, Report};
use ceralacca_synthetic::mail::{Message, PkiOptions, Plan, Postal, Transaction};
use ceralacca_synthetic::pki::Keys;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

/// A log that judges, seals and signs, with an invented postal system.
struct Court {
    test: TestLog,
    sealing: Sealing,
    postal: Postal,
    log: Log,
    /// Files of trust material, read when they are needed.
    _folder: tempfile::TempDir,
}

impl Court {
    /// One that trusts the authority of its postal system.
    fn new() -> Self {
        Self::made_by(&PkiOptions::with_keys(Keys::P256), |postal, _| {
            vec![Item::held(What::Anchor, postal.pki().root_der().to_vec())]
        })
    }

    /// The same, with witnesses.
    fn witnessed_by(rule: ceralacca::witnessed::Rule) -> Self {
        Self::with(
            &PkiOptions::with_keys(Keys::P256),
            Some(rule),
            |postal, _| vec![Item::held(What::Anchor, postal.pki().root_der().to_vec())],
        )
    }

    /// One of these providers, that judges with this material.
    fn made_by(options: &PkiOptions, material: impl FnOnce(&Postal, &Path) -> Vec<Item>) -> Self {
        Self::with(options, None, material)
    }

    fn with(
        options: &PkiOptions,
        witnesses: Option<ceralacca::witnessed::Rule>,
        material: impl FnOnce(&Postal, &Path) -> Vec<Item>,
    ) -> Self {
        let mut test = TestLog::new();
        test.settings.witnesses = witnesses;
        let sealing = Sealing::new(&test.clock, true);
        test.settings.authorities = Some(sealing.authorities());
        let start = START_MS as i64 - HOUR_MS as i64;
        let postal = Postal::new(options, start).unwrap();
        let log = test.open();
        let folder = tempfile::tempdir().unwrap();
        let items = material(&postal, folder.path()).into_iter().map(Arc::new);
        log.judge_with(&Bundle::new(items.collect()).unwrap())
            .unwrap();
        Self {
            test,
            sealing,
            postal,
            log,
            _folder: folder,
        }
    }

    /// A message that was delivered to two recipients.
    fn transaction(&self) -> Transaction {
        self.transaction_of(ceralacca_synthetic::mail::ReceiptForm::Complete)
    }

    /// The same with receipts of a form.
    fn transaction_of(&self, form: ceralacca_synthetic::mail::ReceiptForm) -> Transaction {
        let mut plan: Plan = self.postal.plan(7);
        plan.at_ms = self.postal.start_ms();
        plan.recipients = 2;
        plan.story = ceralacca_synthetic::mail::Story::Delivered;
        plan.form = form;
        plan.subject = Some(Some("Notifica di prova".to_owned()));
        self.postal.carry_out(7, &plan)
    }

    fn put(&self, bytes: &[u8]) {
        let ingest = ingest(&self.log);
        let submission = ingest.object(bytes.to_vec(), Declared::default(), None);
        ingest.record(submission.unwrap()).unwrap();
    }

    fn put_all(&self, messages: &[Message]) {
        for message in messages {
            self.put(&message.bytes);
        }
    }

    /// The interval ends and is closed.
    fn seal(&self) {
        self.test.clock.pass(DAY_MS);
        self.log.tick().unwrap();
        let authorities = self.sealing.authorities();
        while self
            .log
            .close_next(&authorities, &Probe::default())
            .unwrap()
            .is_some()
        {}
    }

    fn permit(&self, standing: Standing) -> access::Permit<Reissue> {
        let standings = vec![(self.log.id().clone(), standing)];
        let principal = Principal::new("cancelleria", standings);
        let now = UtcMillis::new(self.test.clock.now());
        access::authorize(&principal, self.log.id(), now).unwrap()
    }

    fn prepared(&self, wanted: &Wanted, standing: Standing) -> Result<Made, ReissueError> {
        let permit = self.permit(standing);
        let reissuer = self.log.reissuer(&permit).unwrap()?;
        let Given::Package(prepared) = reissuer.prepare(wanted)? else {
            panic!("nothing is held");
        };
        Ok(Made {
            octets: prepared.write(Vec::new())?,
            name: prepared.file_name(),
            report: prepared.report.clone(),
        })
    }

    fn made(&self, wanted: &Wanted) -> Made {
        self.prepared(wanted, Standing::Role(Role::Provider))
            .unwrap()
    }

    /// Writes a package and what its reader has from elsewhere.
    fn hand_over(&self, made: &Made, folder: &Path) -> PathBuf {
        let path = folder.join(&made.name);
        std::fs::write(&path, &made.octets).unwrap();
        let roots = self.sealing.root_pem() + &self.postal.pki().root_pem();
        std::fs::write(folder.join("roots.pem"), roots).unwrap();
        std::fs::write(folder.join("log.vkey"), self.log.verifier().to_string()).unwrap();
        path
    }
}

/// A package.
struct Made {
    octets: Vec<u8>,
    name: String,
    report: Report,
}

fn wanted(field: Field, term: &str) -> Wanted {
    Wanted {
        demand: Demand {
            choice: Choice::Matching(SearchQuery {
                terms: vec![(field, term.as_bytes().to_vec())],
                ..SearchQuery::default()
            }),
            whole_transaction: true,
            requester: "Tribunale di Prova".to_owned(),
            capacity: "court",
            act: "decreto 12/2026".to_owned(),
            purpose: "R.G. 345/2026".to_owned(),
        },
        capacity: Capacity::Court,
        language: Language::It,
        form: Form::AsicE,
        as_folder: false,
        sealed_only: false,
        name: None,
    }
}

fn of_transaction(transaction: &Transaction) -> Wanted {
    wanted(Field::Identificativo, &transaction.identificativo)
}

/// `ceralacca verify` over a package, with all anchors.
fn verify(folder: &Path, package: &str) -> Output {
    verify_with(
        folder,
        package,
        &[
            "--key",
            "log.vkey",
            "--roots",
            "roots.pem",
            "--mail-roots",
            "roots.pem",
        ],
    )
}

fn verify_with(folder: &Path, package: &str, arguments: &[&str]) -> Output {
    verify_at(folder, package, "2026-01-01T00:00:00Z", arguments)
}

fn verify_at(folder: &Path, package: &str, at: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    command.current_dir(folder);
    command.args(["verify", package, "--at", at]);
    command.args(arguments).output().unwrap()
}

fn grant(identificativo: &str) -> Standing {
    let until = UtcMillis::new(START_MS + 30 * DAY_MS);
    let id = identificativo.to_owned();
    let grant = Grant::new("decreto 12/2026", [id.as_str()], [], until);
    Standing::Grant(Arc::new(grant))
}
