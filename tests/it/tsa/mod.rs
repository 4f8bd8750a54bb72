//! Time-stamping authorities and the seal key: what they are asked, what they answer, what is done when they lie.

mod foreign;
mod keys;
mod liars;
mod served;

use ceralacca::ambient::{Clock, SystemClock, SystemEntropy};
use ceralacca::seal_key::{DevelopmentFiles, make, open_file};
use ceralacca::tsa::{Attempt, Client, Journal, Remote};
use ceralacca_evidence::authority::Authority;
use ceralacca_evidence::tsp::Rules;
use ceralacca_evidence::{Imprint, SealSigner as _};
use ceralacca_pec::judge::Material;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const OPENSSL: (&str, &str) = ("openssl", "version");

/// Whether these programs answer; if not, the test is skipped aloud, or fails where CI is set.
fn are_there(needed: &[(&str, &str)]) -> bool {
    let missing = needed.iter().find(|(program, argument)| {
        let mut command = Command::new(program);
        let quiet = command.arg(argument).stdout(Stdio::null());
        quiet.stderr(Stdio::null()).status().is_err()
    });
    let Some((program, _)) = missing else {
        return true;
    };
    assert!(std::env::var_os("CI").is_none(), "{program} is missing");
    println!("SKIPPED: {program} is missing");
    false
}

fn run(folder: &Path, line: &str) -> Output {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr];
    both.map(|b| String::from_utf8_lossy(b).into_owned())
        .concat()
}

/// Runs a program that must succeed.
fn does(folder: &Path, line: &str) -> String {
    let output = run(folder, line);
    assert!(output.status.success(), "{line}\n{}", said(&output));
    said(&output)
}

/// Runs a program that must refuse, saying why.
fn refuses(folder: &Path, line: &str, why: &str) {
    let output = run(folder, line);
    assert!(!output.status.success(), "{line}\n{}", said(&output));
    assert!(said(&output).contains(why), "{}", said(&output));
}

fn imprint() -> Imprint {
    Imprint::Sha256([0x5a; 32])
}

/// Keeps every attempt.
#[derive(Default)]
struct Kept(Mutex<Vec<Attempt>>);

impl Journal for Kept {
    fn attempted(&self, attempt: &Attempt) {
        self.0.lock().unwrap().push(attempt.clone());
    }
}

impl Kept {
    /// Authority and outcome of each attempt.
    fn outcomes(&self) -> Vec<(String, &'static str)> {
        let attempts = self.0.lock().unwrap();
        let outcome = |attempt: &Attempt| {
            let code = attempt
                .trouble
                .as_ref()
                .map_or("good", |trouble| trouble.code());
            (attempt.authority.clone(), code)
        };
        attempts.iter().map(outcome).collect()
    }
}

/// Development keys, made once for a test.
struct Keys {
    folder: tempfile::TempDir,
    files: DevelopmentFiles,
}

impl Keys {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = DevelopmentFiles::beside(&folder.path().join("master.key"));
        let now = SystemClock::default().wall();
        assert!(make(&files, now, &SystemEntropy).unwrap());
        Self { folder, files }
    }

    fn authority(&self) -> Authority {
        let (key, certificates) = self.files.authority();
        let key = open_file(&key, &certificates, &self.files.passphrase()).unwrap();
        Authority::new(Box::new(key))
    }

    /// A key whose certificate is for sealing, in the place of the authority's.
    fn impostor(&self) -> Authority {
        let folder = self.files.folder();
        let (key, certificates) = (folder.join("seal.key"), folder.join("seal.pem"));
        let key = open_file(&key, &certificates, &self.files.passphrase()).unwrap();
        assert!(key.is_development());
        Authority::new(Box::new(key))
    }

    fn rules(&self, name: &str) -> Rules {
        let anchors = self.authority().chain().to_vec();
        let material = Material {
            anchors,
            ..Material::default()
        };
        Rules::new(name, material, true).unwrap()
    }

    fn remote(&self, name: &str, port: u16) -> Remote {
        Remote {
            url: format!("http://127.0.0.1:{port}/tsr"),
            timeout: Duration::from_secs(20),
            policy: None,
            rules: self.rules(name),
        }
    }
}

fn client(remotes: Vec<Remote>) -> (Client, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    let (clock, entropy) = (Arc::new(SystemClock::default()), Arc::new(SystemEntropy));
    let client = Client::new(remotes, clock, entropy, kept.clone()).unwrap();
    (client.with_pause(Duration::from_millis(1)), kept)
}
