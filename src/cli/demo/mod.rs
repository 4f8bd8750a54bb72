//! `demo`: the main job from end to end on invented mail, told in plain words.
//!
//! Every step is a command of this binary, run as a user would run it and shown as it was typed: the path
//! walked is the shipped one. `folder` says what is left to look at.

mod folder;

use super::Answer;
use crate::ambient::{Clock, SystemClock};
use anyhow::{Context as _, Result, bail, ensure};
use ceralacca_formats::proof::{ProofFile, ProvenMetadata};
use ceralacca_synthetic::mail::{MessageKind, PkiOptions, Postal};
use ceralacca_synthetic::pki::Keys;
use folder::Folder;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What `demo` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder it makes; a former demo there is replaced
    #[arg(long, value_name = "DIR", default_value = "demo")]
    dir: PathBuf,
    /// Transactions to invent, each of three messages or more
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    transactions: u64,
}

const CONFIG: &str = "\
# The configuration of the demo. `ceralacca serve --example` explains every field.
data = \"data\"
master_key = \"master.key\"
listen = \"127.0.0.1:0\"

# Plain text on loopback, and every caller has every role but a court's: for a demo, never for production.
[development]
plain_text = true

[[log]]
id = \"demo\"
";

/// Shows the main job.
pub(super) fn run(arguments: &Arguments) -> Result<Answer> {
    let folder = Folder::prepare(&arguments.dir)?;
    let story = Story {
        transactions: arguments.transactions,
        program: std::env::current_exe().context("find this program")?,
        folder,
    };
    story.tell()?;
    Ok(Answer::Yes)
}

/// The receipt that the story follows.
struct Chosen {
    /// Its file in `mail/`.
    file: String,
    identificativo: String,
    message_id: String,
}

struct Story {
    transactions: u64,
    program: PathBuf,
    folder: Folder,
}

/// The service, a process of its own; killed if the story ends before its time.
struct Service {
    child: Child,
    url: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Story {
    fn tell(&self) -> Result<()> {
        say(
            "Ceralacca keeps what the law asks of certified mail: receipts that nobody can alter, drop or\n\
             back-date unseen, and gives them back when a sender has lost them. All mail here is invented.",
        )?;
        say("\n1. A new log. Its public key, below, is what all proofs are checked with.")?;
        let key = self.make_log()?;
        say("\n2. The service starts, on this machine only.")?;
        let service = self.serve()?;
        say(
            "\n3. Invented providers exchange mail; the archive takes it in. Each message is acknowledged only\n   \
             when it is safe on disk and in the tree; its facts become a trace record beside it.",
        )?;
        let chosen = self.invent_mail(self.transactions)?;
        let acknowledgements = self.folder.file("acknowledgements.jsonl");
        self.run(
            [
                "import".into(),
                "--server".into(),
                service.url.clone().into(),
                "--acknowledgements".into(),
                acknowledgements.into_os_string(),
                self.folder.file("mail").into_os_string(),
            ],
            Answer::Yes,
        )?;
        self.run(
            [
                "status".into(),
                "--server".into(),
                service.url.clone().into(),
            ],
            Answer::Yes,
        )?;
        say(
            "\n4. A sender has lost a receipt, and knows the id of the transaction. Everything about it is found:",
        )?;
        self.run(
            [
                "transaction".into(),
                "--server".into(),
                service.url.clone().into(),
                chosen.identificativo.clone().into(),
            ],
            Answer::Yes,
        )?;
        self.run(
            [
                "search".into(),
                "--server".into(),
                service.url.clone().into(),
                "--message-id".into(),
                chosen.message_id.clone().into(),
            ],
            Answer::Yes,
        )?;
        say(
            "\n5. The log proves that it holds the receipt of delivery, and when it was recorded.",
        )?;
        let found = self.find(&service, &chosen)?;
        let (good, key_file) = (
            self.folder.file("receipt.tlog-proof"),
            self.folder.file("verifier.key"),
        );
        self.run(
            [
                "prove".into(),
                "--server".into(),
                service.url.clone().into(),
                "--index".into(),
                found.to_string().into(),
                "--key-file".into(),
                key_file.clone().into_os_string(),
                "--out".into(),
                good.clone().into_os_string(),
            ],
            Answer::Yes,
        )?;
        say(
            "\n   The proof ends in this signed checkpoint: the log's name, its number of leaves, the root of its\n   \
             tree, and a signature. Whoever has seen one such note can tell if the log is ever rewritten.\n",
        )?;
        for line in self.checkpoint()?.lines() {
            say(&format!("   {line}"))?;
        }
        say("\n6. The receipt is given again, the same bytes as came in.")?;
        let reissue = self.folder.file("reissue");
        self.run(
            [
                "reissue".into(),
                "--server".into(),
                service.url.clone().into(),
                "--index".into(),
                found.to_string().into(),
                "--key-file".into(),
                key_file.into_os_string(),
                "--dir".into(),
                reissue.clone().into_os_string(),
            ],
            Answer::Yes,
        )?;
        self.compare(&chosen)?;
        say("\n7. The service stops.")?;
        self.stop(service)?;
        say("\n8. Offline, with the public key alone, the receipt verifies:")?;
        let verify = |proof: PathBuf, content: PathBuf, expected| {
            self.run(
                [
                    "verify".into(),
                    proof.into_os_string(),
                    "--key".into(),
                    key.clone().into(),
                    "--content".into(),
                    content.into_os_string(),
                ],
                expected,
            )
        };
        let duplicato = reissue.join("duplicato.eml");
        verify(good.clone(), duplicato.clone(), Answer::Yes)?;
        say("\n9. With one byte of it changed, it does not; nor with one character of the proof:")?;
        self.alter()?;
        verify(good.clone(), self.folder.file("altered.eml"), Answer::No)?;
        verify(
            self.folder.file("altered.tlog-proof"),
            duplicato,
            Answer::No,
        )?;
        say("\n10. And the whole archive is read again and checked:")?;
        self.run(
            [
                "fsck".into(),
                "--data".into(),
                self.folder.file("data").into_os_string(),
                "--log".into(),
                "demo".into(),
                "--master-key".into(),
                self.folder.file("master.key").into_os_string(),
            ],
            Answer::Yes,
        )?;
        self.tell_what_is_left(&key)
    }

    fn make_log(&self) -> Result<String> {
        let arguments: [OsString; 9] = [
            "init".into(),
            "--data".into(),
            self.folder.file("data").into_os_string(),
            "--log".into(),
            "demo".into(),
            "--origin".into(),
            "demo.ceralacca.example/log".into(),
            "--master-key".into(),
            self.folder.file("master.key").into_os_string(),
        ];
        self.show(&arguments)?;
        let output = Command::new(&self.program).args(&arguments).output();
        let output = output.context("run init")?;
        ensure!(
            output.status.success(),
            "init failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let key = String::from_utf8(output.stdout).context("read the verifier key")?;
        say(&format!("   {}", key.trim_end()))?;
        self.folder.write("verifier.key", key.as_bytes())?;
        Ok(key.trim_end().to_owned())
    }

    fn serve(&self) -> Result<Service> {
        self.folder.write("ceralacca.toml", CONFIG.as_bytes())?;
        let config = self.folder.file("ceralacca.toml");
        let arguments: [OsString; 3] = ["serve".into(), "--config".into(), config.into_os_string()];
        self.show(&arguments)?;
        let child = Command::new(&self.program)
            .args(&arguments)
            .stdout(Stdio::piped())
            .stderr(self.folder.log()?)
            .spawn()
            .context("start the service")?;
        let mut service = Service {
            child,
            url: String::new(),
        };
        let mut line = String::new();
        let out = service
            .child
            .stdout
            .take()
            .context("read the service's address")?;
        BufReader::new(out).read_line(&mut line)?;
        let Some(address) = line.trim_end().strip_prefix("listening on ") else {
            bail!(
                "the service did not start: see {}",
                self.folder.file("server.log").display()
            );
        };
        service.url = format!("http://{address}");
        say(&format!("   {}", line.trim_end()))?;
        Ok(service)
    }

    /// Stops the service as an operator does, and waits for its orderly end.
    fn stop(&self, mut service: Service) -> Result<()> {
        let id = i32::try_from(service.child.id()).ok();
        let id = id.and_then(rustix::process::Pid::from_raw);
        let id = id.context("the service has no process id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)
            .context("stop the service")?;
        let status = service.child.wait().context("wait for the service")?;
        ensure!(
            status.success(),
            "the service ended badly: see {}",
            self.folder.file("server.log").display()
        );
        Ok(())
    }

    /// Writes whole transactions into `mail/`, and chooses a receipt of delivery in the middle.
    fn invent_mail(&self, transactions: u64) -> Result<Chosen> {
        const DAY_MS: u64 = 24 * 60 * 60 * 1000;
        let start = SystemClock::default().wall().get().saturating_sub(DAY_MS);
        let options = PkiOptions::with_keys(Keys::Rsa2048);
        let postal = Postal::new(&options, i64::try_from(start)?)?;
        self.folder
            .write("root.pem", postal.pki().root_pem().as_bytes())?;
        let mut chosen = None;
        let mut written = 0;
        let mut number = 0;
        // A plain one is chosen: one recipient, delivered in full. Most are; one comes soon.
        while number < transactions || chosen.is_none() {
            let transaction = postal.transaction(number);
            for (step, message) in transaction.messages.iter().enumerate() {
                let kind = message.kind();
                let event = kind.event().unwrap_or("busta-di-anomalia");
                let file = format!("mail/{number:04}-{step}-{event}.eml");
                self.folder.write(&file, &message.bytes)?;
                written += 1;
                if kind == MessageKind::DeliveryComplete
                    && transaction.original.recipients().count() == 1
                    && number >= transactions / 2
                    && chosen.is_none()
                {
                    chosen = Some(Chosen {
                        file,
                        identificativo: transaction.identificativo.clone(),
                        message_id: message.draft.message_id.clone(),
                    });
                }
            }
            number += 1;
        }
        say(&format!(
            "   {written} messages of {number} transactions, signed, in {}",
            self.folder.file("mail").display()
        ))?;
        chosen.context("no transaction has a receipt of delivery")
    }

    /// The bytes given again are those that came in.
    fn compare(&self, chosen: &Chosen) -> Result<()> {
        let original = self.folder.read(&chosen.file)?;
        let again = self.folder.read("reissue/duplicato.eml")?;
        ensure!(original == again, "the duplicato is not the original");
        say(&format!(
            "   The same {} bytes as {}.",
            again.len(),
            self.folder.file(&chosen.file).display()
        ))
    }

    /// Index of the chosen receipt: the object, not the trace record beside it.
    fn find(&self, service: &Service, chosen: &Chosen) -> Result<u64> {
        let output = Command::new(&self.program)
            .args(["search", "--json", "--limit", "1", "--server", &service.url])
            .args(["--message-id", &chosen.message_id])
            .output()
            .context("run search")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let first = text.lines().next().unwrap_or_default();
        let record: serde_json::Value =
            serde_json::from_str(first).context("read what search found")?;
        let object = record.get("companion").and_then(serde_json::Value::as_u64);
        object.context("the receipt was not found")
    }

    /// The checkpoint in the proof.
    fn checkpoint(&self) -> Result<String> {
        let proof = ProofFile::parse(&self.folder.read("receipt.tlog-proof")?)?;
        self.folder.write("checkpoint.txt", proof.note.as_bytes())?;
        Ok(proof.note)
    }

    /// Changes one byte of the receipt, and one character of the proof: a digit of its metadata.
    fn alter(&self) -> Result<()> {
        let mut bytes = self.folder.read("reissue/duplicato.eml")?;
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 1;
        }
        self.folder.write("altered.eml", &bytes)?;
        let mut altered = ProofFile::parse(&self.folder.read("receipt.tlog-proof")?)?;
        if let ProvenMetadata::Bytes(metadata) = &mut altered.record.metadata
            && let Some(letter) = metadata.iter_mut().rfind(|byte| byte.is_ascii_digit())
        {
            *letter = if *letter == b'7' { b'8' } else { b'7' };
        }
        self.folder
            .write("altered.tlog-proof", altered.to_text().as_bytes())
    }

    /// Runs a command as it is shown; ends the story when it answers otherwise than expected.
    fn run(&self, arguments: impl IntoIterator<Item = OsString>, expected: Answer) -> Result<()> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        self.show(&arguments)?;
        let status = Command::new(&self.program).args(&arguments).status();
        let status = status.context("run a command of this program")?;
        let expected = i32::from(expected.status());
        ensure!(
            status.code() == Some(expected),
            "this command ended with {status}, not with status {expected}"
        );
        Ok(())
    }

    fn show(&self, arguments: &[OsString]) -> Result<()> {
        let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
        say(&format!("\n   $ ceralacca {}", words.join(" ")))
    }

    fn tell_what_is_left(&self, key: &str) -> Result<()> {
        let path = |name: &str| quoted(self.folder.file(name).as_os_str());
        say(&format!(
            "\nWhat is left to look at is in {}, and ABOUT.txt there says what each file is.\n\n\
             Verify again, with this program or without it:\n\n\
             {} verify {} --key {key} --content {}\n\
             python3 tests/conformance/verify_proof.py {key} {} {}\n\
             openssl cms -verify -in {} -CAfile {} -out /dev/null",
            self.folder.file("").display(),
            quoted(self.program.as_os_str()),
            path("receipt.tlog-proof"),
            path("reissue/duplicato.eml"),
            path("receipt.tlog-proof"),
            path("reissue/duplicato.eml"),
            path("reissue/duplicato.eml"),
            path("root.pem"),
        ))
    }
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    out.flush().context("write")
}

/// A word as a shell reads it.
fn quoted(word: &OsStr) -> String {
    let text = Path::new(word).display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
