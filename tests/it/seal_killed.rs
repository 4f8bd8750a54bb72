//! `ceralacca seal`, killed before and after every question it asks an authority, and at random moments between: what
//! was begun is ended by the next run, each interval once.

#![allow(
    clippy::disallowed_methods,
    reason = "a program is killed in real time"
)]

use crate::seal_served::{LOG, stopped};
use crate::support::check_directory;
use crate::support::program::{out, status};
use crate::support::tls::Installation;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// When the program that asks is killed.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kill {
    /// Before its question is answered.
    Unanswered,
    /// So long after the answer left.
    After(Duration),
}

#[derive(Default)]
struct Order {
    program: Option<Child>,
    kill: Option<Kill>,
    kills: usize,
}

impl Order {
    fn carry_out(&mut self) {
        if let Some(program) = &mut self.program {
            // It may have ended by itself.
            let _ = program.kill();
            self.kill = None;
            self.kills += 1;
        }
    }
}

/// A whole HTTP message: head and as many octets as it says.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        all.extend_from_slice(&chunk[..count]);
        let Some(end) = all.windows(4).position(|part| part == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1)?.lines().next()?;
        let length: usize = length.trim().parse().unwrap();
        if all.len() >= end + 4 + length {
            return Some(all);
        }
    }
}

/// Stands between the program and the authority, and kills the one that asks.
fn between(authority: String, order: Arc<Mutex<Order>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut asks = stream.unwrap();
            let Some(question) = message(&mut asks) else {
                continue;
            };
            let kill = order.lock().unwrap().kill;
            if kill == Some(Kill::Unanswered) {
                order.lock().unwrap().carry_out();
                continue;
            }
            let mut answers = TcpStream::connect(&authority).unwrap();
            answers.write_all(&question).unwrap();
            let answer = message(&mut answers).unwrap();
            // Who asked may have gone.
            let _ = asks.write_all(&answer);
            drop(asks);
            if let Some(Kill::After(wait)) = kill {
                std::thread::sleep(wait);
                order.lock().unwrap().carry_out();
            }
        }
    });
    port
}

/// The development authority as a program of its own; killed with the test.
struct Authority(Child);

impl Drop for Authority {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn authority(installation: &Installation) -> (Authority, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    command.args(["tsa", "--listen", "127.0.0.1:0", "--key"]);
    command.arg(installation.path("sviluppo/tsa.key"));
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = command.spawn().unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(server.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap();
    (Authority(server), address.to_owned())
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
    let output = command.args(arguments).current_dir(folder).output();
    output.unwrap()
}

#[test]
fn a_closing_killed_anywhere_is_ended_by_the_next_run_each_interval_once() {
    let installation = stopped(2);
    let (_authority, address) = authority(&installation);
    let order = Arc::new(Mutex::new(Order::default()));
    let port = between(address, Arc::clone(&order));
    let tables = format!(
        "[development]\nplain_text = true\n[[log]]\nid = \"{LOG}\"\n[[tsa]]\nname = \"tsa-1\"\n\
         url = \"http://127.0.0.1:{port}/tsr\"\nanchors = [\"sviluppo/root.pem\"]\nown_clock = false\n"
    );
    installation.configure("127.0.0.1:0", &tables);
    let seal = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ceralacca"));
        command
            .arg("seal")
            .arg("--config")
            .arg(installation.path("c.toml"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut is_ended = false;
    for run in 0..400 {
        let kill = match run % 3 {
            0 => Kill::Unanswered,
            // Then all that follows an answer is met sooner or later; ever later, so that a slow machine comes to an end.
            _ => Kill::After(Duration::from_micros(
                rng.random_range(0..8_000 * (1 + run / 40)),
            )),
        };
        {
            let mut order = order.lock().unwrap();
            order.program = Some(seal().spawn().unwrap());
            order.kill = Some(kill);
        }
        let ended = loop {
            if let Some(program) = &mut order.lock().unwrap().program
                && let Some(ended) = program.try_wait().unwrap()
            {
                break ended;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        order.lock().unwrap().program = None;
        if ended.success() {
            is_ended = true;
            break;
        }
    }
    assert!(is_ended, "it came to no end");
    let kills = order.lock().unwrap().kills;
    // A fast program ends between two questions before the later kills reach it.
    assert!(kills >= 4, "{kills} kills");
    order.lock().unwrap().kill = None;
    assert!(check_directory(&installation.log(LOG)).is_clean());

    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let roots = installation.path("sviluppo/root.pem").display().to_string();
    let key = installation.verifier(LOG).to_string();
    let served = installation.serve();
    let listed = served.command(here, &["intervals", "--json"]).output();
    let listed = out(&listed.unwrap());
    let listed: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|interval: &Value| interval["state"] == "CLOSED")
        .collect();
    assert_eq!(listed.len(), 2, "{listed:?}");
    let mut previous: Option<String> = None;
    for interval in &listed {
        let interval = interval["interval_ms"].to_string();
        let fetch = [
            "fetch-interval",
            "--interval",
            &interval,
            "--dir",
            &interval,
        ];
        let fetched = served.command(here, &fetch).output().unwrap();
        assert_eq!(status(&fetched), 0, "{fetched:?}");
        let mut arguments = vec!["verify-interval", &interval, "--key", &key];
        arguments.extend(["--anchors", &roots, "--seal-anchors", &roots]);
        arguments.extend(previous.iter().flat_map(|dir| ["--previous", dir]));
        let verified = run(here, &arguments);
        assert_eq!(status(&verified), 0, "{verified:?}");
        previous = Some(interval);
    }
}
