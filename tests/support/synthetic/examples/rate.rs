//! Measures how fast receipts are made, how large they are, and how far they compress:
//!
//! ```text
//! cargo run --release -p ceralacca-synthetic --example rate -- 20000
//! ```

#![allow(
    clippy::disallowed_methods,
    reason = "a measurement is about real time"
)]

use ceralacca_synthetic::mail::{PkiOptions, Postal, Select};
use ceralacca_synthetic::pki::{DigestKind, Keys};
use std::time::Instant;

fn main() {
    let count: usize = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(20_000);
    for (keys, count) in [(Keys::P256, count), (Keys::Rsa2048, count / 40)] {
        let options = PkiOptions::with_keys(keys);
        let postal = Postal::new(&options, 1_767_225_600_000).expect("make the PKI");
        for select in [Select::All, Select::Receipts, Select::CompleteDeliveries] {
            let start = Instant::now();
            let bytes: usize = postal
                .stream(1, select)
                .take(count)
                .map(|message| message.bytes.len())
                .sum();
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{keys:?} {select:?}: {count} messages, {:.0} a second on one core, mean {} bytes",
                count as f64 / seconds,
                bytes / count
            );
        }
        let signer = postal.providers()[0].signer();
        for digest in [DigestKind::Sha1, DigestKind::Sha256] {
            let start = Instant::now();
            (0..100).for_each(|_| drop(signer.sign(digest, b"prova")));
            println!(
                "{keys:?} {digest:?}: {:?} a bare signature",
                start.elapsed() / 100
            );
        }
        let start = Instant::now();
        let mut stream = postal.stream(1, Select::CompleteDeliveries);
        (0..count).for_each(|_| drop(stream.next_draft()));
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{keys:?} drafts only: {:.0} a second",
            count as f64 / seconds
        );
    }
}
