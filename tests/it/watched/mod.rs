//! Who does not trust us: witnesses, monitors, holders of acknowledgements, each as the shipped program, against an
//! honest archive and against a server that lies.

mod cosigned;
mod liar;
mod monitored;
mod testimony;

use ceralacca::witness::{Witness, init};
use ceralacca_formats::note::VerifierKey;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A witness of the shipped program, in a folder; killed when it is dropped.
struct Testimony {
    folder: PathBuf,
    logs: Vec<String>,
    key: VerifierKey,
    address: String,
    child: Child,
}

impl Testimony {
    fn new(folder: &Path, name: &str, logs: &[&VerifierKey]) -> Self {
        let output = Command::new(env!("CARGO_BIN_EXE_ceralacca"))
            .args(["witness", "init", "--name", name, "--directory"])
            .arg(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let key = String::from_utf8(output.stdout).unwrap();
        let logs: Vec<String> = logs.iter().map(ToString::to_string).collect();
        let (child, address) = start(folder, &logs, "127.0.0.1:0");
        Self {
            folder: folder.to_owned(),
            key: VerifierKey::parse(key.trim()).unwrap(),
            logs,
            address,
            child,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// kill -9, as power loss of the process.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again where it was.
    fn restart(&mut self) {
        let (child, address) = start(&self.folder, &self.logs, &self.address.clone());
        (self.child, self.address) = (child, address);
    }

    /// A table of the service's configuration.
    fn member(&self) -> String {
        let (url, key) = (self.url(""), &self.key);
        format!("[[witness.member]]\nurl = \"{url}\"\nverifier_key = \"{key}\"\n")
    }
}

impl Drop for Testimony {
    fn drop(&mut self) {
        // It may have been killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(folder: &Path, logs: &[String], listen: &str) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    command.args(["witness", "serve", "--listen", listen, "--directory"]);
    command.arg(folder);
    for log in logs {
        command.args(["--log", log]);
    }
    let errors = std::fs::File::create(folder.join("errors")).unwrap();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ");
    let errors = || std::fs::read_to_string(folder.join("errors"));
    let address = address.unwrap_or_else(|| panic!("{line:?} {:?}", errors()));
    (child, address.to_owned())
}

/// A witness in this process.
fn witness_here(folder: &Path, name: &str, log: &VerifierKey) -> Witness {
    use ceralacca::ambient::{SystemClock, SystemEntropy};
    init(folder, name, &SystemEntropy).unwrap();
    let clock = std::sync::Arc::new(SystemClock::default());
    Witness::open(folder, vec![log.clone()], clock).unwrap()
}
