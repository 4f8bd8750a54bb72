//! CAdES signatures before openssl and before our own reader; each with a damaged twin.

use crate::made::*;
use aws_lc_rs::rsa::KeySize;
use ceralacca_evidence::cades::{self, CadesError, Content, Refusal, VerifyError};
use ceralacca_evidence::seal_key::SealAlgorithm;
use ceralacca_evidence::software_key::{PrivateKey, SoftwareKey};
use ceralacca_evidence::{Imprint, SealError, SealSigner as _, StampError, Stamped, Stamper};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::judge::{Ground, Material, Scheme, Trust};
use ceralacca_pec::tsp;

const DATA: &[u8] = b"<PIndex>\n  indice\r\n</PIndex>\n";

fn trust(made: &Made) -> Trust {
    let anchors = vec![made.root.clone()];
    Trust::new(Material {
        anchors,
        ..Material::default()
    })
    .unwrap()
}

fn both() -> [(Made, Scheme); 2] {
    let rsa = PrivateKey::from_pkcs8(&rsa(KeySize::Rsa3072)).unwrap();
    [
        (Made::new(), Scheme::Ecdsa),
        (Made::with_seal(rsa), Scheme::RsaPss),
    ]
}

#[test]
fn openssl_accepts_detached_and_enveloping_signatures_of_both_kinds_and_no_damaged_twin() {
    if !has("openssl", "version") {
        return;
    }
    for (made, scheme) in both() {
        made.write("data", DATA);
        made.write("twin", b"<PIndex>\n  indicE\r\n</PIndex>\n");
        let detached = cades::sign(Content::detached(DATA), now(), &made.seal).unwrap();
        made.write("d.p7s", &detached);
        let verify =
            "cms -verify -cades -binary -inform DER -CAfile root.pem -purpose any -out out";
        accepts(&made.openssl(&format!("{verify} -in d.p7s -content data")));
        let output = made.openssl(&format!("{verify} -in d.p7s -content twin"));
        refuses(&output, "verification failure");

        let enveloping = cades::sign(Content::Enveloping(DATA), now(), &made.seal).unwrap();
        made.write("e.p7m", &enveloping);
        accepts(&made.openssl(&format!("{verify} -in e.p7m")));
        assert_eq!(std::fs::read(made.folder.path().join("out")).unwrap(), DATA);
        let mut damaged = enveloping.clone();
        *damaged.last_mut().unwrap() ^= 1;
        made.write("e.p7m", &damaged);
        refuses(
            &made.openssl(&format!("{verify} -in e.p7m")),
            "Verification failure",
        );

        let text = says(&made.openssl("cms -cmsout -print -inform DER -in d.p7s -noout"));
        for expected in [
            "contentType",
            "messageDigest",
            "signingTime",
            "id-smime-aa-signingCertificateV2",
            "1.2.840.113549.1.9.52",
        ] {
            assert!(text.contains(expected), "{scheme:?}: {expected} in\n{text}");
        }
    }
}

#[test]
fn the_time_stamp_of_a_signature_is_of_its_octets_for_openssl_too() {
    if !has("openssl", "version") {
        return;
    }
    for (made, scheme) in both() {
        let content = Content::Enveloping(DATA);
        let (cms, stamped) = cades::sign_stamped(content, now(), &made.seal, &made).unwrap();
        made.write("t.p7m", &cms);
        accepts(&made.openssl(
            "cms -verify -cades -binary -inform DER -in t.p7m -CAfile root.pem -purpose any -out out",
        ));
        let trust = trust(&made);
        let verified = cades::verify(&cms, None, &trust, &trust, now()).unwrap();
        assert_eq!(verified.signature.algorithm.unwrap().scheme, scheme);
        assert_eq!(verified.signature.content.as_deref(), Some(DATA));
        assert_eq!(verified.signature.time_stamps, [stamped.token]);
        assert_eq!(verified.stamps.len(), 1);
        made.write("signature", &verified.signature.signature);
        made.write("t.tst", &verified.signature.time_stamps[0]);
        let verify = "ts -verify -data signature -in t.tst -token_in -CAfile root.pem";
        accepts(&made.openssl(verify));
        let mut damaged = verified.signature.signature;
        damaged[20] ^= 1;
        made.write("signature", &damaged);
        refuses(&made.openssl(verify), "message imprint mismatch");
    }
}

#[test]
fn our_reader_refuses_each_defect_with_its_reason() {
    let made = Made::new();
    let trust = trust(&made);
    let check = |cms: &[u8], content: Option<&[u8]>, trust: &Trust| {
        cades::verify(cms, content, trust, trust, now()).map(|verified| verified.signature)
    };
    let detached = cades::sign(Content::detached(DATA), now(), &made.seal).unwrap();
    let verified = check(&detached, Some(DATA), &trust).unwrap();
    assert_eq!(verified.content, None);
    assert!(
        verified
            .signing_ms
            .unwrap()
            .unsigned_abs()
            .abs_diff(now().get())
            < 5000
    );
    assert_eq!(verified.certificates.len(), 2);
    let refused =
        |cms: &[u8], content: Option<&[u8]>, trust: &Trust| match check(cms, content, trust)
            .unwrap_err()
        {
            VerifyError::Signature(refusal) => refusal,
            other => panic!("{other}"),
        };
    assert_eq!(refused(&detached, None, &trust), Refusal::Content);
    let other = refused(&detached, Some(b"other"), &trust);
    assert_eq!(other, Refusal::Signature(Ground::DigestDiffers));
    let stranger = refused(&detached, Some(DATA), &Trust::none());
    assert!(matches!(stranger, Refusal::Chain(_)), "{stranger}");
    assert_eq!(
        refused(b"x", None, &trust),
        Refusal::Cms(Ground::CmsMalformed)
    );
    let mut damaged = detached.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let damaged = refused(&damaged, Some(DATA), &trust);
    assert_eq!(damaged, Refusal::Signature(Ground::SignatureInvalid));
    let enveloping = cades::sign(Content::Enveloping(DATA), now(), &made.seal).unwrap();
    assert_eq!(
        refused(&enveloping, Some(b"other"), &trust),
        Refusal::Content
    );
    let late = after(400 * DAY_MS);
    let late = cades::verify(&detached, Some(DATA), &trust, &trust, late).unwrap_err();
    let expired = Refusal::Chain(Ground::CertificateExpired);
    assert_eq!(late, VerifyError::Signature(expired));
}

#[test]
fn a_time_stamp_carries_a_signature_beyond_the_end_of_its_certificate() {
    let made = Made::new();
    let trust = trust(&made);
    let content = Content::detached(DATA);
    let (cms, _) = cades::sign_stamped(content, now(), &made.seal, &made).unwrap();
    let late = after(4000 * DAY_MS);
    cades::verify(&cms, Some(DATA), &trust, &trust, late).unwrap();
}

/// Stamps something else than it is asked to.
struct Liar<'a>(&'a Made);

impl Stamper for Liar<'_> {
    fn stamp(&self, _: &Imprint) -> Result<Stamped, StampError> {
        self.0.stamp(&Imprint::Sha256([9; 32]))
    }

    fn is_development(&self) -> bool {
        true
    }
}

/// Never answers.
struct Silent;

impl Stamper for Silent {
    fn stamp(&self, _: &Imprint) -> Result<Stamped, StampError> {
        Err(StampError::Silent("nobody".into()))
    }

    fn is_development(&self) -> bool {
        false
    }
}

#[test]
fn a_time_stamp_of_something_else_is_found_and_none_is_no_signature() {
    let made = Made::new();
    let trust = trust(&made);
    let content = Content::detached(DATA);
    let (cms, _) = cades::sign_stamped(content, now(), &made.seal, &Liar(&made)).unwrap();
    let error = cades::verify(&cms, Some(DATA), &trust, &trust, now()).unwrap_err();
    assert_eq!(error, VerifyError::Stamp(0, tsp::Refusal::ImprintDiffers));
    let silent = cades::sign_stamped(content, now(), &made.seal, &Silent);
    assert_eq!(
        silent,
        Err(CadesError::Stamp(StampError::Silent("nobody".into())))
    );
}

#[test]
fn a_short_rsa_key_another_certificate_and_what_is_no_key_are_refused() {
    let short = PrivateKey::from_pkcs8(&rsa(KeySize::Rsa2048)).unwrap_err();
    assert!(short.to_string().contains("2048 bits"), "{short}");
    assert!(matches!(
        PrivateKey::from_pkcs8(b"x"),
        Err(SealError::Key(_))
    ));
    let made = Made::new();
    let other = SoftwareKey::new(ecdsa(), made.seal.certificate().to_vec(), Vec::new(), false);
    assert!(other.unwrap_err().to_string().contains("of another key"));
    assert_eq!(made.seal.algorithm(), SealAlgorithm::EcdsaP256Sha256);
    let beyond = UtcMillis::new(u64::MAX);
    let beyond = cades::sign(Content::detached(DATA), beyond, &made.seal);
    assert!(matches!(beyond, Err(SealError::Encode(_))));
}

/// Whether a stamped signature is refused, or octets in it for which nobody answers are noticed.
fn is_noticed(cms: &[u8], trust: &Trust) -> bool {
    let verified = cades::verify(cms, Some(DATA), trust, trust, now());
    let is_stamped = verified.is_ok_and(|verified| !verified.stamps.is_empty());
    !is_stamped || ceralacca_pec::exact::check(cms, trust).is_err()
}

#[test]
fn no_octet_of_a_stamped_signature_can_change_unnoticed() {
    for (made, scheme) in both() {
        let content = Content::detached(DATA);
        let (cms, _) = cades::sign_stamped(content, now(), &made.seal, &made).unwrap();
        let trust = trust(&made);
        assert!(!is_noticed(&cms, &trust), "{scheme:?}");
        for at in 0..cms.len() {
            for bit in 0..8 {
                let mut twin = cms.clone();
                twin[at] ^= 1 << bit;
                assert!(
                    is_noticed(&twin, &trust),
                    "{scheme:?}: octet {at}, bit {bit}"
                );
            }
        }
        // What follows it is part of no structure in it.
        assert!(is_noticed(&[&cms[..], &[0]].concat(), &trust));
    }
}
