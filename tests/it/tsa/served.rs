//! `ceralacca init` makes development keys, `ceralacca tsa` serves the authority, and openssl judges it.

use super::*;
use crate::support::program::{cannot, out, status};
use ceralacca::server::config::{Config, EXAMPLE};
use ceralacca::tsa::Told;
use ceralacca_evidence::certificates::MARK;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

fn ceralacca(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    command.args(line.split_whitespace());
    command.current_dir(folder).output().unwrap()
}

const INIT: &str = "init --data data --origin pec.example.test/log --master-key master.key --log";

fn init() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = ceralacca(folder.path(), &format!("{INIT} a"));
    assert_eq!(status(&output), 0, "{}", said(&output));
    assert!(said(&output).contains(MARK), "{}", said(&output));
    folder
}

#[test]
fn init_makes_development_keys_once_that_openssl_opens() {
    if !are_there(&[OPENSSL]) {
        return;
    }
    let folder = init();
    let keys = folder.path().join("sviluppo");
    assert_eq!(
        std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for name in ["seal", "tsa"] {
        let text = std::fs::read_to_string(keys.join(format!("{name}.key"))).unwrap();
        assert!(
            text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
            "{text}"
        );
        let public = does(
            &keys,
            &format!("openssl pkey -in {name}.key -passin file:passphrase -pubout"),
        );
        let certified = does(
            &keys,
            &format!("openssl x509 -in {name}.pem -noout -pubkey"),
        );
        assert_eq!(public, certified);
        refuses(
            &keys,
            &format!("openssl pkey -in {name}.key -passin pass:x -pubout"),
            "error",
        );
        let purpose = if name == "tsa" {
            "timestampsign"
        } else {
            "any"
        };
        does(
            &keys,
            &format!("openssl verify -x509_strict -purpose {purpose} -CAfile root.pem {name}.pem"),
        );
    }
    let before = std::fs::read(keys.join("seal.key")).unwrap();
    let output = ceralacca(folder.path(), &format!("{INIT} b --json"));
    assert!(
        out(&output).contains("\"development_keys_made\":false"),
        "{}",
        out(&output)
    );
    assert_eq!(std::fs::read(keys.join("seal.key")).unwrap(), before);
}

/// What a served authority answers to a file, over plain sockets.
fn post(address: &str, kind: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /tsr HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    (head.to_lowercase(), all[end + 4..].to_vec())
}

#[test]
fn the_served_authority_answers_openssl_and_our_client_alike() {
    if !are_there(&[OPENSSL]) {
        return;
    }
    let folder = init();
    let here = folder.path();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    command.args([
        "tsa",
        "--listen",
        "127.0.0.1:0",
        "--key",
        "sviluppo/tsa.key",
    ]);
    command
        .current_dir(here)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .trim()
        .strip_prefix("listening on ")
        .unwrap()
        .to_owned();

    std::fs::write(here.join("registro"), b"registro").unwrap();
    does(
        here,
        "openssl ts -query -data registro -sha256 -cert -out q.tsq",
    );
    let query = std::fs::read(here.join("q.tsq")).unwrap();
    let (head, reply) = post(&address, "application/timestamp-query", &query);
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(
        head.contains("content-type: application/timestamp-reply"),
        "{head}"
    );
    std::fs::write(here.join("r.tsr"), &reply).unwrap();
    let verify = "openssl ts -verify -queryfile q.tsq -in r.tsr -CAfile sviluppo/root.pem";
    does(here, verify);
    std::fs::write(here.join("other"), b"registrO").unwrap();
    let other = "openssl ts -verify -data other -in r.tsr -CAfile sviluppo/root.pem";
    refuses(here, other, "message imprint mismatch");
    let mut damaged = reply;
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(here.join("r.tsr"), damaged).unwrap();
    refuses(here, verify, "FAILED");
    let (head, _) = post(&address, "text/plain", &query);
    assert!(head.starts_with("http/1.1 415"), "{head}");
    let (head, _) = post(&address, "application/timestamp-query", &[0; 20_000]);
    assert!(head.starts_with("http/1.1 413"), "{head}");

    let configuration = format!(
        "data = \"data\"\nmaster_key = \"master.key\"\nlisten = \"127.0.0.1:0\"\n[development]\nplain_text = true\n\
         [[log]]\nid = \"a\"\n[[tsa]]\nname = \"locale\"\nurl = \"http://{address}/\"\n\
         anchors = [\"sviluppo/root.pem\"]\nown_clock = false\n"
    );
    std::fs::write(here.join("c.toml"), configuration).unwrap();
    let config = Config::read(&here.join("c.toml")).unwrap();
    let stamper = stamper(&config);
    let stamped = stamper.stamp(&imprint()).unwrap();
    assert_eq!(
        (&stamped.authority[..], stamped.is_proven),
        ("locale", false)
    );
    server.kill().unwrap();
    server.wait().unwrap();
}

fn stamper(config: &Config) -> Arc<dyn ceralacca_evidence::Stamper> {
    let (clock, entropy) = (Arc::new(SystemClock::default()), Arc::new(SystemEntropy));
    config.seal.stamper(clock, entropy, Arc::new(Told)).unwrap()
}

#[test]
fn without_configuration_the_embedded_authority_and_the_development_key_are_used_and_marked() {
    let folder = init();
    let here = folder.path();
    let configuration = "data = \"data\"\nmaster_key = \"master.key\"\nlisten = \"127.0.0.1:0\"\n\
                         [development]\nplain_text = true\n[[log]]\nid = \"a\"\n";
    std::fs::write(here.join("c.toml"), configuration).unwrap();
    let config = Config::read(&here.join("c.toml")).unwrap();
    let stamper = stamper(&config);
    assert!(stamper.is_development());
    let stamped = stamper.stamp(&imprint()).unwrap();
    assert!(!stamped.is_proven, "its clock is ours");
    assert!(stamped.authority.contains(MARK));
    let signer = config.seal.signer().unwrap();
    assert!(signer.is_development());
    assert_eq!(signer.chain().len(), 1);
    let agents = format!("{:?}", config.seal.agents);
    assert_eq!(agents.matches(MARK).count(), 6, "{agents}");
    let authorities = format!("{:?}", config.seal.authorities);
    assert_eq!(authorities, "[]");
}

#[test]
fn what_the_example_explains_about_sealing_is_read_once_it_is_uncommented() {
    let mut text = String::new();
    let mut is_ours = false;
    for line in EXAMPLE.lines() {
        is_ours |= line == "# [seal]";
        is_ours &= line != "[[log]]";
        let setting = line.strip_prefix("# ").filter(|rest| {
            let is_table = rest.starts_with('[') && rest.ends_with(']');
            let name = rest.split(" = ").next().unwrap_or_default();
            let is_value =
                rest.contains(" = ") && name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
            is_table || is_value
        });
        // A key in a file is what it configures; the token and the variable stay comments.
        let skipped = [
            "passphrase_variable",
            "module",
            "token",
            "pin_file",
            "key = \"sigillo\"",
            "[seal.pkcs11]",
            "algorithms",
        ];
        match setting.filter(|_| is_ours) {
            Some(rest) if !skipped.iter().any(|start| rest.starts_with(start)) => text += rest,
            _ => text += line,
        }
        text.push('\n');
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    std::fs::write(&path, &text).unwrap();
    let config = Config::read(&path).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(config.seal.authorities.len(), 1);
    let settings = &config.seal.authorities[0];
    assert!(settings.own_clock);
    assert_eq!(
        (settings.accuracy_ms, settings.tolerance_ms),
        (1000, 300_000)
    );
    assert_eq!(settings.policy.as_ref().unwrap().as_str(), "0.4.0.2023.1.1");
    assert!(!format!("{:?}", config.seal.agents).contains(MARK));
}

#[test]
fn a_development_authority_is_for_loopback_and_for_development_certificates() {
    let folder = init();
    let here = folder.path();
    let open = ceralacca(here, "tsa --listen 0.0.0.0:0 --key sviluppo/tsa.key");
    cannot(&open, "loopback only");
    cannot(
        &ceralacca(here, "tsa --listen 127.0.0.1:0 --key nessuna.key"),
        "read nessuna.key",
    );
}
