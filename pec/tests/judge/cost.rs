//! What a verdict costs, beside the digest and the verification that nobody can do without. Printed, not asserted:
//! machines differ.

use crate::families;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use ceralacca_pec::judge::{Times, judge};
use ceralacca_pec::{DigestAlgorithm, read};
use ceralacca_synthetic::mail::{Message, Select};
use ceralacca_synthetic::pki::{DigestKind, Keys};
use std::time::Instant;

const MESSAGES: usize = 200;
const ROUNDS: usize = 5;

/// Microseconds a message, the best of some rounds.
#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn cost(messages: &[Message], mut each: impl FnMut(&Message)) -> f64 {
    let round = |_| {
        let start = Instant::now();
        messages.iter().for_each(&mut each);
        start.elapsed().as_secs_f64() * 1e6
    };
    let best = (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min);
    best / f64::from(u32::try_from(messages.len()).unwrap())
}

#[test]
fn what_a_verdict_costs() {
    for keys in [Keys::P256, Keys::Rsa2048] {
        let postal = families::postal(keys, true);
        let trust = families::trust(&postal);
        let stream = postal.stream(5, Select::CompleteDeliveries);
        let messages: Vec<Message> = stream.take(MESSAGES).collect();
        let octets: usize = messages.iter().map(|message| message.bytes.len()).sum();
        let signer = postal.providers()[0].signer();
        let signature = signer.sign(DigestKind::Sha256, &[7; 100]);
        let key = signer.public_key_der();
        let bare = cost(&messages, |message| {
            let _ = DigestAlgorithm::Sha256.of(message.signed_part());
            let verified = match keys {
                Keys::P256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key)
                    .verify(&[7; 100], &signature),
                Keys::Rsa2048 => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key)
                    .verify(&[7; 100], &signature),
            };
            verified.unwrap();
        });
        let digest = cost(&messages, |message| {
            let _ = DigestAlgorithm::Sha256.of(message.signed_part());
        });
        let all = cost(&messages, |message| {
            let _ = DigestAlgorithm::ALL.map(|a| a.of(message.signed_part()));
        });
        let reading = cost(&messages, |message| {
            let _ = read(&message.bytes);
        });
        let readings: Vec<_> = messages
            .iter()
            .map(|message| read(&message.bytes))
            .collect();
        let mut next = readings.iter().cycle();
        let judging = cost(&messages, |_| {
            let verdict = judge(next.next().unwrap(), &trust, Times::default());
            assert!(verdict.level.is_integral());
        });
        eprintln!(
            "{keys:?}, {} octets each: bare digest and verification {bare:.1} us (digest {digest:.1}, \
             all four digests {all:.1}); reading with its digests {reading:.1} us, judging {judging:.1} us",
            octets / messages.len()
        );
    }
}
