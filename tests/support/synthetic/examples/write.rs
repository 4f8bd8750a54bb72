//! Writes one message of each type of each provider, and the anchor of trust, into a directory:
//!
//! ```text
//! cargo run --release -p ceralacca-synthetic --example write -- target/mail rsa
//! openssl cms -verify -in target/mail/C-G-2.eml -CAfile target/mail/root.pem -purpose any -attime 1767300000
//! ```

use ceralacca_synthetic::mail::{PkiOptions, Postal};
use ceralacca_synthetic::pki::Keys;
use std::path::PathBuf;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().expect("a directory"));
    let keys = match arguments.next().as_deref() {
        Some("rsa") => Keys::Rsa2048,
        _ => Keys::P256,
    };
    std::fs::create_dir_all(&directory).expect("make the directory");
    let options = PkiOptions::with_keys(keys);
    let postal = Postal::new(&options, 1_767_225_600_000).expect("make the PKI");
    std::fs::write(directory.join("root.pem"), postal.pki().root_pem()).expect("write the root");
    for provider in 0..postal.providers().len() {
        for message in postal.one_of_each_type_by(provider) {
            let letter = message.kind().letter();
            let name = format!("{:?}-{letter}-{provider}.eml", message.family);
            std::fs::write(directory.join(name), &message.bytes).expect("write a message");
        }
    }
}
