//! Revocation by OCSP: responses with any one thing wrong.

use crate::make::{Chain, Mail, Party, dates, issued, oid, tlv};
use crate::respond::{ARCHIVE_CUTOFF, GOOD, Ocsp, UNKNOWN, key, revoked, serial, subject, time};
use crate::trusted::crl;
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::judge::{Ground, Level, Material, Revocation, Trust, TrustError, Verdict};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, RevocationReason};

fn judged(chain: &Chain, material: Material) -> Verdict {
    let mail = Mail::default();
    mail.judge(
        &chain.cms(&mail.signed).bytes(),
        &Trust::new(material).unwrap(),
    )
}

pub fn with(chain: &Chain, ocsp: Vec<u8>) -> Verdict {
    let ocsp = vec![ocsp];
    judged(
        chain,
        Material {
            ocsp,
            ..chain.material()
        },
    )
}

/// What a verdict says of revocation: the state, and the notes about OCSP.
pub fn said(verdict: &Verdict) -> (Revocation, Vec<Ground>) {
    let all = [
        Ground::OcspNotEvaluated,
        Ground::OcspRefused,
        Ground::OcspOutOfDate,
        Ground::OcspUnknown,
    ];
    let ground = match verdict.revocation {
        Revocation::Good => None,
        Revocation::Later(_) => Some(Ground::RevokedLater),
        Revocation::Revoked(_) => Some(Ground::Revoked),
        Revocation::Unknown => Some(Ground::RevocationUnknown),
    };
    assert!(
        ground.is_none_or(|g| verdict.has(g)),
        "{:?}",
        verdict.grounds
    );
    let is_revoked = matches!(verdict.revocation, Revocation::Revoked(_));
    let expected = match is_revoked {
        true => Level::IntegralUntrusted,
        false => Level::IntegralTrusted,
    };
    assert_eq!(verdict.level, expected, "{:?}", verdict.grounds);
    let notes = all.into_iter().filter(|ground| verdict.has(*ground));
    (verdict.revocation, notes.collect())
}

pub fn year(year: i32) -> i64 {
    rcgen::date_time_ymd(year, 1, 1).unix_timestamp() * 1000
}

/// A responder's certificate: its purposes, and the years it holds.
pub fn responder(by: &Party, purposes: &[ExtendedKeyUsagePurpose], years: (i32, i32)) -> Party {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = crate::make::name("Agenzia di prova", "OCSP di prova");
    params.extended_key_usages = purposes.to_vec();
    params.use_authority_key_identifier_extension = true;
    dates(&mut params, years.0, years.1);
    issued(params, key, by)
}

#[test]
fn a_response_says_good_for_what_it_covers_and_revoked_from_its_date_on() {
    let chain = Chain::new();
    let good = Ocsp::of(&chain);
    let out_of_date = (Revocation::Unknown, vec![Ground::OcspOutOfDate]);
    let refused = (Revocation::Unknown, vec![Ground::OcspRefused]);
    let nothing = (Revocation::Unknown, vec![]);
    // Signed on 2026-01-01; the certificate holds from 2024 to 2028.
    let (before, after) = ("20250601000000Z", "20270101000000Z");
    let cutoff = |at: &str| {
        let value = tlv(4, &[&time(at)]);
        let one = tlv(0x30, &[&oid(ARCHIVE_CUTOFF), &value]);
        tlv(0xa1, &[&tlv(0x30, &[&one])])
    };
    let critical = {
        let one = tlv(
            0x30,
            &[&oid(&[0x2a, 3]), &[1, 1, 0xff], &tlv(4, &[&[5, 0]])],
        );
        tlv(0xa1, &[&tlv(0x30, &[&one])])
    };
    let expired = "20290101000000Z";
    for (name, change, expected) in [
        (
            "made after",
            Ocsp { ..good.clone() },
            (Revocation::Good, vec![]),
        ),
        (
            "current at the time",
            Ocsp {
                made: before,
                next: Some(after),
                ..good.clone()
            },
            (Revocation::Good, vec![]),
        ),
        (
            "SHA-256, responder by name",
            Ocsp {
                digest: DigestAlgorithm::Sha256,
                by_name: true,
                ..good.clone()
            },
            (Revocation::Good, vec![]),
        ),
        (
            "over before the time",
            Ocsp {
                made: before,
                next: Some("20250608000000Z"),
                ..good.clone()
            },
            out_of_date.clone(),
        ),
        (
            "made before, no next",
            Ocsp {
                made: before,
                ..good.clone()
            },
            out_of_date.clone(),
        ),
        (
            "made when the certificate had expired",
            Ocsp {
                made: expired,
                ..good.clone()
            },
            out_of_date.clone(),
        ),
        (
            "the same, expired ones kept",
            Ocsp {
                made: expired,
                extensions: cutoff("20200101000000Z"),
                ..good.clone()
            },
            (Revocation::Good, vec![]),
        ),
        (
            "the same, not kept so long",
            Ocsp {
                made: expired,
                extensions: cutoff("20280601000000Z"),
                ..good.clone()
            },
            out_of_date,
        ),
        (
            "revoked before",
            Ocsp {
                status: revoked("20250101000000Z"),
                ..good.clone()
            },
            (Revocation::Revoked(year(2025)), vec![]),
        ),
        (
            "revoked before, said long after",
            Ocsp {
                status: revoked("20250101000000Z"),
                made: expired,
                ..good.clone()
            },
            (Revocation::Revoked(year(2025)), vec![]),
        ),
        (
            "revoked later",
            Ocsp {
                status: revoked("20270101000000Z"),
                ..good.clone()
            },
            (Revocation::Later(year(2027)), vec![]),
        ),
        (
            "unknown",
            Ocsp {
                status: UNKNOWN.to_vec(),
                ..good.clone()
            },
            (Revocation::Unknown, vec![Ground::OcspUnknown]),
        ),
        (
            "made before what it states",
            Ocsp {
                produced: Some(before),
                ..good.clone()
            },
            refused.clone(),
        ),
        (
            "over before it began",
            Ocsp {
                next: Some(before),
                ..good.clone()
            },
            refused.clone(),
        ),
        (
            "an unknown critical extension",
            Ocsp {
                extensions: critical,
                ..good.clone()
            },
            refused,
        ),
        (
            "another serial number",
            Ocsp {
                serial: vec![7],
                ..good.clone()
            },
            nothing.clone(),
        ),
        (
            "another issuer's name",
            Ocsp {
                issuer: (subject(&chain.root), good.issuer.1.clone()),
                ..good.clone()
            },
            nothing.clone(),
        ),
        (
            "another issuer's key",
            Ocsp {
                issuer: (good.issuer.0.clone(), key(&chain.root)),
                ..good.clone()
            },
            nothing,
        ),
    ] {
        let verdict = with(&chain, change.signed_by(&chain.middle));
        assert_eq!(said(&verdict), expected, "{name}");
    }
}

#[test]
fn only_the_issuer_and_those_it_authorised_answer_for_it() {
    use ExtendedKeyUsagePurpose::{Any, EmailProtection, OcspSigning};
    let (chain, other) = (Chain::new(), Chain::new());
    let good = Ocsp::of(&chain);
    let years = (2024, 2028);
    let by = |by: &Party, purposes: &[ExtendedKeyUsagePurpose], years| {
        let party = responder(by, purposes, years);
        let certificates = vec![other.middle.der.clone(), party.der.clone()];
        let response = Ocsp {
            certificates,
            ..good.clone()
        };
        let named = Ocsp {
            by_name: true,
            ..response.clone()
        };
        let verdict = with(&chain, response.signed_by(&party));
        assert_eq!(said(&with(&chain, named.signed_by(&party))), said(&verdict));
        said(&verdict)
    };
    let good_said = (Revocation::Good, vec![]);
    let refused = (Revocation::Unknown, vec![Ground::OcspRefused]);
    assert_eq!(by(&chain.middle, &[OcspSigning], years), good_said);
    for (who, purposes, years) in [
        (&chain.middle, &[][..], years),
        (&chain.middle, &[EmailProtection], years),
        (&chain.middle, &[Any], years),
        (&chain.root, &[OcspSigning], years),
        (&other.middle, &[OcspSigning], years),
        (&chain.middle, &[OcspSigning], (2024, 2026)),
        (&chain.middle, &[OcspSigning], (2028, 2030)),
    ] {
        assert_eq!(by(who, purposes, years), refused, "{purposes:?} {years:?}");
    }
    // Its certificate is not in the response; and others that sign without being responders.
    let delegate = responder(&chain.middle, &[OcspSigning], years);
    for party in [&delegate, &chain.root, &chain.signer, &other.middle] {
        assert_eq!(said(&with(&chain, good.signed_by(party))), refused);
    }
    // A responder that was revoked speaks no more, whenever that was.
    let response = Ocsp {
        certificates: vec![delegate.der.clone()],
        ..good
    };
    let key = RevocationReason::KeyCompromise;
    let material = Material {
        ocsp: vec![response.signed_by(&delegate)],
        crls: vec![crl(
            &chain.middle,
            &[(serial(&delegate), 2028, key)],
            // Over before the signature, so that the list itself does not say good of the signer.
            (2024, 2025),
        )],
        ..chain.material()
    };
    assert_eq!(said(&judged(&chain, material)), refused);
}

#[test]
fn the_worst_of_crls_and_responses_counts() {
    let chain = Chain::new();
    let good = Ocsp::of(&chain);
    let bad = Ocsp {
        status: revoked("20250101000000Z"),
        ..good.clone()
    };
    let both = |ocsp: Vec<Vec<u8>>, crls: Vec<Vec<u8>>| {
        let material = Material {
            ocsp,
            crls,
            ..chain.material()
        };
        judged(&chain, material).revocation
    };
    let (good, bad) = (good.signed_by(&chain.middle), bad.signed_by(&chain.middle));
    let forged = {
        let mut forged = bad.clone();
        *forged.last_mut().unwrap() ^= 1;
        forged
    };
    let clean = crl(&chain.middle, &[], (2027, 2028));
    let key = RevocationReason::KeyCompromise;
    let listed = crl(
        &chain.middle,
        &[(serial(&chain.signer), 2024, key)],
        (2027, 2028),
    );
    let since = |at| Revocation::Revoked(year(at));
    assert_eq!(both(vec![good.clone(), bad.clone()], vec![]), since(2025));
    assert_eq!(both(vec![bad.clone()], vec![clean.clone()]), since(2025));
    assert_eq!(both(vec![good.clone()], vec![listed.clone()]), since(2024));
    assert_eq!(both(vec![bad], vec![listed]), since(2024));
    assert_eq!(both(vec![good, forged], vec![clean]), Revocation::Good);
}

#[test]
fn an_authority_can_be_revoked_by_a_response_too() {
    let chain = Chain::new();
    let of_authority = |status: &[u8]| Ocsp {
        status: status.to_vec(),
        serial: serial(&chain.middle),
        issuer: (subject(&chain.root), key(&chain.root)),
        ..Ocsp::of(&chain)
    };
    let bare = judged(&chain, chain.material());
    assert!(bare.has(Ground::IssuerRevocationUnknown));
    let good = with(&chain, of_authority(GOOD).signed_by(&chain.root));
    assert!(!good.has(Ground::IssuerRevocationUnknown) && !good.has(Ground::IssuerRevoked));
    let bad = of_authority(&revoked("20250101000000Z"));
    let bad = with(&chain, bad.signed_by(&chain.root));
    assert!(bad.has(Ground::IssuerRevoked));
    assert_eq!(bad.level, Level::IntegralUntrusted);
}

#[test]
fn a_changed_octet_never_turns_revoked_into_good_nor_good_into_revoked() {
    let chain = Chain::new();
    let good = Ocsp::of(&chain);
    let bad = Ocsp {
        status: revoked("20250101000000Z"),
        ..good.clone()
    };
    for (response, own) in [
        (good.signed_by(&chain.middle), Revocation::Good),
        (
            bad.signed_by(&chain.middle),
            Revocation::Revoked(year(2025)),
        ),
    ] {
        for at in 0..response.len() {
            let mut changed = response.clone();
            changed[at] ^= 1 << (at % 8);
            let material = Material {
                ocsp: vec![changed],
                ..chain.material()
            };
            let Ok(trust) = Trust::new(material) else {
                continue;
            };
            let mail = Mail::default();
            let verdict = mail.judge(&chain.cms(&mail.signed).bytes(), &trust);
            let found = verdict.revocation;
            assert!([own, Revocation::Unknown].contains(&found), "octet {at}");
        }
    }
}

#[test]
fn what_is_no_response_is_refused_by_its_place() {
    let chain = Chain::new();
    let good = Ocsp::of(&chain).signed_by(&chain.middle);
    let cut = good[..good.len() - 1].to_vec();
    for bytes in [b"anything".to_vec(), cut, vec![]] {
        let material = Material {
            ocsp: vec![good.clone(), bytes],
            ..chain.material()
        };
        let error = Trust::new(material).err();
        assert_eq!(error, Some(TrustError::Ocsp { index: 1 }));
    }
    let material = Material {
        ocsp: vec![good; 5000],
        ..chain.material()
    };
    let error = Trust::new(material).err();
    assert_eq!(error, Some(TrustError::TooMany { list: "ocsp" }));
}
