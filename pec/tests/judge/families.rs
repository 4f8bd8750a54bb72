//! Every type, in the layouts of all families, with both kinds of keys: each reaches its level.

use ceralacca_pec::judge::{
    Directory, Explanation, Form, Ground, Level, Material, Revocation, Times, Trust, explain, judge,
};
use ceralacca_pec::{DigestAlgorithm, Reader, read};
use ceralacca_synthetic::damage;
use ceralacca_synthetic::mail::{Message, MessageKind, PkiOptions, Postal};
use ceralacca_synthetic::pki::{DigestKind, Keys};
use std::sync::Arc;

pub const START_MS: i64 = 1_767_225_600_000;

pub fn postal(keys: Keys, constrained: bool) -> Postal {
    let options = PkiOptions {
        has_name_constraints: constrained,
        ..PkiOptions::with_keys(keys)
    };
    Postal::new(&options, START_MS).unwrap()
}

pub fn trust(postal: &Postal) -> Trust {
    let directory = Directory::read(ldif(postal).as_bytes()).unwrap();
    Trust::new(Material {
        anchors: vec![postal.pki().root_der().to_vec()],
        directories: Some(Arc::new(Arc::new(directory))),
        ..Material::default()
    })
    .unwrap()
}

/// The directory of the providers.
pub fn ldif(postal: &Postal) -> String {
    let mut ldif = "version: 1\n\ndn: o=postacert\nobjectclass: top\n\n".to_owned();
    for (index, provider) in postal.providers().iter().enumerate() {
        let name = provider.options().name;
        let hash = DigestAlgorithm::Sha1.of(provider.signer().certificate_der());
        let hash: String = hash.as_ref().iter().map(|o| format!("{o:02x}")).collect();
        ldif += &format!(
            "dn: providerName={name},o=postacert\nproviderName: {name}\n\
             providerCertificateHash: {hash}\nmailReceipt: {}\n",
            provider.receipts_address()
        );
        for domain in postal.managed_domains(index) {
            ldif += &format!("managedDomains: {domain}\n");
        }
        ldif += &format!("managedDomains: {}\n\n", provider.options().domain);
    }
    ldif
}

pub fn everything(postal: &Postal) -> Vec<Message> {
    let providers = 0..postal.providers().len();
    providers
        .flat_map(|p| postal.one_of_each_type_by(p))
        .collect()
}

fn expected(postal: &Postal, message: &Message) -> Level {
    let signer = postal.providers()[message.draft.provider].signer();
    let wished = postal.providers()[message.draft.provider].options().digest;
    match signer.digest(wished) {
        DigestKind::Sha1 => Level::IntegralWeak,
        DigestKind::Sha256 => Level::IntegralTrusted,
    }
}

fn every_type_reaches_its_level(keys: Keys, constrained: bool) {
    let postal = postal(keys, constrained);
    let trust = trust(&postal);
    let nobody = Trust::default();
    let messages = everything(&postal);
    assert_eq!(messages.len(), 5 * MessageKind::ALL.len());
    for message in &messages {
        let name = format!("{:?} {:?}", message.family, message.kind());
        let level = expected(&postal, message);
        for (bytes, form) in [
            (message.bytes.clone(), Form::AsStored),
            (message.as_lf(), Form::Canonical),
        ] {
            let mut reader = Reader::new();
            bytes.chunks(1000).for_each(|piece| reader.push(piece));
            let reading = reader.finish();
            let verdict = judge(&reading, &trust, Times::default());
            assert_eq!(verdict.level, level, "{name}: {:?}", verdict.grounds);
            assert_eq!(verdict.form, Some(form), "{name}");
            assert_eq!(verdict.signing_ms, Some(message.signing_ms()), "{name}");
            assert_eq!(
                (verdict.chain.len(), verdict.revocation),
                (3, Revocation::Unknown)
            );
            let expected: Vec<Ground> = [
                (level == Level::IntegralWeak).then_some(Ground::Sha1),
                Some(Ground::RevocationUnknown),
                Some(Ground::IssuerRevocationUnknown),
            ]
            .into_iter()
            .flatten()
            .collect();
            assert_eq!(verdict.grounds, expected, "{name}");
            let signer = verdict.signer.unwrap();
            let provider = &postal.providers()[message.draft.provider];
            assert_eq!(signer.addresses, [provider.service_address()]);
            assert_eq!(
                signer.organization.as_deref(),
                Some(provider.options().name)
            );

            let alone = judge(&reading, &nobody, Times::default());
            assert_eq!(alone.level, Level::IntegralUntrusted, "{name}");
            assert!(alone.has(Ground::AnchorsMissing));
            assert_eq!(explain(&bytes, &reading), None);
        }
    }
}

#[test]
fn every_type_of_every_family_with_p256_keys_reaches_its_level() {
    every_type_reaches_its_level(Keys::P256, false);
}

#[test]
fn every_type_of_every_family_with_rsa_keys_reaches_its_level() {
    every_type_reaches_its_level(Keys::Rsa2048, false);
}

#[test]
fn a_constrained_authority_certifies_the_providers_it_names() {
    every_type_reaches_its_level(Keys::P256, true);
}

/// Also those that keep the signature whole are judged for what they are.
#[test]
fn every_damaged_twin_is_broken_and_only_known_handling_is_explained() {
    let postal = postal(Keys::P256, true);
    let trust = trust(&postal);
    let mut tried = 0;
    for message in everything(&postal) {
        let name = format!("{:?} {:?}", message.family, message.kind());
        let flipped = damage::flip_in_postacert(&message);
        let stripped = damage::strip_trailing_space(&message);
        let cut = damage::without_daticert(&message);
        for bytes in [flipped, stripped, cut].into_iter().flatten() {
            for bytes in [damage_to_lf(&bytes), bytes] {
                let reading = read(&bytes);
                let verdict = judge(&reading, &trust, Times::default());
                assert_eq!(verdict.level, Level::Broken, "{name}");
                assert_eq!(verdict.grounds, [Ground::DigestDiffers], "{name}");
                assert_eq!(explain(&bytes, &reading), None, "{name}");
                tried += 1;
            }
        }
        let bytes = damage::without_signature(&message);
        assert_eq!(
            judge(&read(&bytes), &trust, Times::default()).level,
            Level::Absent
        );

        let doubled = damage::cr_cr_lf(&message.bytes);
        let reading = read(&doubled);
        assert_eq!(
            judge(&reading, &trust, Times::default()).level,
            Level::Broken,
            "{name}"
        );
        let why = explain(&doubled, &reading);
        assert_eq!(why, Some(Explanation::DoubledCarriageReturns), "{name}");

        let recoded = damage::recoded_as_utf8(&message.bytes);
        let reading = read(&recoded);
        let verdict = judge(&reading, &trust, Times::default());
        if message.signed_part().is_ascii() {
            assert!(verdict.level.is_integral(), "{name}");
        } else {
            assert_eq!(verdict.level, Level::Broken, "{name}");
            assert_eq!(
                explain(&recoded, &reading),
                Some(Explanation::RecodedAsUtf8),
                "{name}"
            );
            tried += 1;
        }

        let subject = damage::with_other_subject(&message, "altro");
        assert!(
            judge(&read(&subject), &trust, Times::default())
                .level
                .is_integral()
        );
        let listed = damage::through_a_list(&message);
        assert_eq!(
            judge(&read(&listed), &trust, Times::default()).level,
            Level::Absent
        );
        for cut in damage::Cut::ALL {
            if let Some(bytes) = damage::truncated(&message, cut) {
                let level = judge(&read(&bytes), &trust, Times::default()).level;
                assert!(
                    matches!(level, Level::Absent | Level::Broken),
                    "{name} {cut:?}"
                );
            }
        }
    }
    eprintln!("{tried} damaged twins");
}

fn damage_to_lf(bytes: &[u8]) -> Vec<u8> {
    ceralacca_synthetic::mail::as_lf(bytes)
}

#[test]
fn a_message_signed_minutes_off_its_own_time_says_so() {
    let postal = postal(Keys::P256, false);
    let trust = trust(&postal);
    let message = &postal.one_of_each_type_by(0)[0];
    for (offset_ms, differs) in [(-5000, false), (5000, false), (6000, true), (-6000, true)] {
        let message = damage::with_signing_offset(&postal, message, offset_ms);
        let verdict = judge(&read(&message.bytes), &trust, Times::default());
        assert_eq!(verdict.level, Level::IntegralTrusted);
        assert_eq!(
            verdict.has(Ground::SigningTimeDiffers),
            differs,
            "{offset_ms}"
        );
    }
}
