//! From a signer to an anchor: name constraints, authorities certified again, dates, revocation, the directory.

use crate::families;
use crate::make::{
    AT_MS, Chain, Mail, Party, authority, dates, issued, judge_received, name, self_signed, signer,
    tlv,
};
use ceralacca_pec::judge::{
    Directories, Directory, DirectoryError, Ground, Level, Material, Revocation, Times, Trust,
    TrustError, judge,
};
use ceralacca_pec::read;
use ceralacca_synthetic::pki::Keys;
use rcgen::{
    BasicConstraints, CertificateRevocationListParams, GeneralSubtree, IsCa, KeyIdMethod, KeyPair,
    NameConstraints, RevocationReason, RevokedCertParams, SerialNumber,
};
use std::sync::Arc;

const DAY_MS: i64 = 86_400_000;

fn constrained(permitted: Vec<GeneralSubtree>, excluded: Vec<GeneralSubtree>) -> Chain {
    let constraints = NameConstraints {
        permitted_subtrees: permitted,
        excluded_subtrees: excluded,
    };
    Chain::with(|ca| ca.name_constraints = Some(constraints), |_| {})
}

fn verdict_of(chain: &Chain) -> (Level, Vec<Ground>) {
    let mail = Mail::default();
    let verdict = mail.judge(&chain.cms(&mail.signed).bytes(), &chain.trust());
    (verdict.level, verdict.grounds)
}

fn mail_of(host: &str) -> GeneralSubtree {
    GeneralSubtree::Rfc822Name(host.to_owned())
}

fn directory_of(organization: &str) -> GeneralSubtree {
    let mut name = rcgen::DistinguishedName::new();
    name.push(rcgen::DnType::CountryName, "IT");
    name.push(rcgen::DnType::OrganizationName, organization);
    GeneralSubtree::DirectoryName(name)
}

#[test]
fn what_was_judged_before_changes_no_verdict() {
    let chain = Chain::with(|ca| dates(ca, 2021, 2027), |leaf| dates(leaf, 2024, 2028));
    let mail = Mail::default();
    let whole = chain.cms(&mail.signed);
    let mut alone = chain.cms(&mail.signed);
    alone.certificates.truncate(1);
    let signatures = [whole.bytes(), alone.bytes()];
    let shared = chain.trust();
    // The first of January of 2020, 2021, 2024, 2027, 2028 and 2030.
    let (from, until) = (1_704_067_200_000, 1_798_761_600_000);
    let years = [1_577_836_800_000, 1_609_459_200_000, from, until];
    let years = years
        .into_iter()
        .chain([1_830_297_600_000, 1_893_456_000_000]);
    let near = [-1001, -1000, -1, 0, 1, 999, 1000, 1001];
    let times: Vec<i64> = years
        .flat_map(|year| near.map(|apart| year + apart))
        .chain([-1, 0])
        .collect();
    for at_ms in times.iter().chain(times.iter().rev()).copied() {
        let of = |trust: &Trust| {
            let of = |p7s: &Vec<u8>| judge_received(&mail, p7s, trust, at_ms);
            signatures.each_ref().map(of)
        };
        let [whole, alone] = of(&shared);
        assert_eq!([&whole, &alone], of(&chain.trust()).each_ref(), "{at_ms}");
        let holds = (from..=until).contains(&at_ms);
        assert_eq!(whole.held_at_receipt, Some(holds), "{at_ms}");
        assert_eq!(alone.held_at_receipt, Some(false), "{at_ms}");
    }
}

#[test]
fn name_constraints_are_held_against_the_names_of_the_signer() {
    let own = || vec![mail_of("pec.alfa.example"), directory_of("GESTORE  alfa")];
    let dns = || vec![GeneralSubtree::DnsName(String::new())];
    let other = || vec![mail_of("pec.beta.example"), directory_of("Gestore Beta")];
    let both = [other(), own()].concat();
    for (permitted, excluded, allowed) in [
        (own(), dns(), true),
        (both, dns(), true),
        (vec![], dns(), true),
        (vec![mail_of(".alfa.example")], vec![], true),
        (vec![mail_of("alfa.example")], vec![], false),
        (other(), dns(), false),
        (
            vec![mail_of("pec.beta.example"), directory_of("Gestore Alfa")],
            dns(),
            false,
        ),
        (
            vec![mail_of("pec.alfa.example"), directory_of("Gestore Beta")],
            dns(),
            false,
        ),
        (vec![], vec![mail_of("pec.alfa.example")], false),
        (vec![], vec![directory_of("Gestore Alfa")], false),
    ] {
        let chain = constrained(permitted.clone(), excluded.clone());
        let (level, grounds) = verdict_of(&chain);
        if allowed {
            assert_eq!(level, Level::IntegralTrusted, "{permitted:?} {grounds:?}");
        } else {
            assert_eq!(level, Level::IntegralUntrusted, "{permitted:?}");
            assert!(grounds.contains(&Ground::NameConstraints), "{grounds:?}");
        }
    }
}

#[test]
fn constraints_of_an_anchor_reach_the_signer_too() {
    let mut params = authority("Radice di prova");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![mail_of("pec.beta.example")],
        excluded_subtrees: vec![],
    });
    let root = self_signed(params);
    let middle = issued(
        authority("CA PEC di prova"),
        KeyPair::generate().unwrap(),
        &root,
    );
    let key = KeyPair::generate().unwrap();
    let signer = issued(signer(&key), key, &middle);
    let chain = Chain {
        root,
        middle,
        signer,
    };
    assert!(verdict_of(&chain).1.contains(&Ground::NameConstraints));
}

/// The authority was certified several times under one key: each certificate has dates of its own.
#[test]
fn of_several_certificates_of_one_authority_the_one_that_holds_is_chosen() {
    let root = self_signed(authority("Radice di prova"));
    let key = KeyPair::generate().unwrap();
    let again = |from, until, names: Option<NameConstraints>| {
        let mut params = authority("CA PEC di prova");
        crate::make::dates(&mut params, from, until);
        params.name_constraints = names;
        let key = KeyPair::from_pem(&key.serialize_pem()).unwrap();
        issued(params, key, &root)
    };
    let old = again(2015, 2020, None);
    let young = again(2025, 2031, None);
    let younger = again(2027, 2033, None);
    let elsewhere = again(
        2025,
        2031,
        Some(NameConstraints {
            permitted_subtrees: vec![mail_of("pec.beta.example")],
            excluded_subtrees: vec![],
        }),
    );
    // The signer is older than the authority's certificate that holds: 2024 to 2028.
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = issued(signer(&leaf_key), leaf_key, &old);
    let chain = Chain {
        root,
        middle: young,
        signer: leaf,
    };
    let mail = Mail::default();
    let mut cms = chain.cms(&mail.signed);
    for (own, expected) in [
        (vec![&old, &younger, &elsewhere, &chain.middle], None),
        (vec![&chain.middle], None),
        (vec![&old, &younger], Some(Ground::IssuerOutOfDate)),
        (vec![&elsewhere], Some(Ground::NameConstraints)),
        (vec![], Some(Ground::IssuerUnknown)),
    ] {
        cms.certificates = vec![chain.signer.der.clone()];
        let handed_in: Vec<_> = own.iter().map(|party: &&Party| party.der.clone()).collect();
        let trust = Trust::new(Material {
            intermediates: handed_in.clone(),
            ..chain.material()
        });
        let by_hand = mail.judge(&cms.bytes(), &trust.unwrap());
        cms.certificates.extend(handed_in);
        let in_message = mail.judge(&cms.bytes(), &chain.trust());
        for verdict in [by_hand, in_message] {
            match expected {
                None => {
                    assert_eq!(
                        verdict.level,
                        Level::IntegralTrusted,
                        "{:?}",
                        verdict.grounds
                    );
                    assert_eq!(verdict.chain.len(), 3);
                }
                Some(ground) => assert!(verdict.has(ground), "{:?}", verdict.grounds),
            }
        }
    }
}

#[test]
fn an_authority_of_another_key_is_passed_over_by_its_identifier() {
    let chain = Chain::new();
    let mut params = authority("CA PEC di prova");
    params.key_identifier_method = KeyIdMethod::PreSpecified(vec![7; 20]);
    let namesake = issued(params, KeyPair::generate().unwrap(), &chain.root);
    let mail = Mail::default();
    let mut cms = chain.cms(&mail.signed);
    cms.certificates.insert(0, namesake.der.clone());
    assert_eq!(
        mail.judge(&cms.bytes(), &chain.trust()).level,
        Level::IntegralTrusted
    );
    cms.certificates.pop();
    let verdict = mail.judge(&cms.bytes(), &chain.trust());
    assert!(verdict.has(Ground::IssuerUnknown), "{:?}", verdict.grounds);
}

#[test]
fn an_anchor_may_be_the_authority_or_the_very_certificate() {
    let chain = Chain::new();
    let mail = Mail::default();
    let p7s = chain.cms(&mail.signed).bytes();
    for (material, length) in [
        (
            Material {
                anchors: vec![chain.middle.der.clone()],
                ..Material::default()
            },
            2,
        ),
        (
            Material {
                anchors: vec![chain.signer.der.clone()],
                ..Material::default()
            },
            1,
        ),
        (
            Material {
                pinned: vec![chain.signer.der.clone()],
                ..Material::default()
            },
            1,
        ),
    ] {
        let verdict = mail.judge(&p7s, &Trust::new(material).unwrap());
        assert_eq!(
            (verdict.level, verdict.chain.len()),
            (Level::IntegralTrusted, length)
        );
    }
    // A signer that is an authority is no signer, unless it is trusted as it is.
    let ca = Chain::with(
        |_| {},
        |leaf| {
            leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            // Beside basicConstraints the library writes the key identifier itself.
            leaf.custom_extensions.clear();
        },
    );
    let p7s = ca.cms(&mail.signed).bytes();
    let verdict = mail.judge(&p7s, &ca.trust());
    assert!(verdict.has(Ground::PathRefused), "{:?}", verdict.grounds);
    let pinned = Material {
        pinned: vec![ca.signer.der.clone()],
        ..Material::default()
    };
    let verdict = mail.judge(&p7s, &Trust::new(pinned).unwrap());
    assert_eq!(verdict.level, Level::IntegralTrusted);
}

#[test]
fn a_certificate_left_out_of_the_message_may_be_handed_in() {
    let chain = Chain::new();
    let mail = Mail::default();
    let mut cms = chain.cms(&mail.signed);
    cms.certificates.clear();
    let bare = cms.bytes();
    assert!(
        mail.judge(&bare, &chain.trust())
            .has(Ground::CertificateMissing)
    );
    let trust = Trust::new(Material {
        intermediates: vec![chain.signer.der.clone(), chain.middle.der.clone()],
        ..chain.material()
    });
    let verdict = mail.judge(&bare, &trust.unwrap());
    assert_eq!(verdict.level, Level::IntegralTrusted);
}

pub fn crl(by: &Party, revoked: &[(Vec<u8>, i32, RevocationReason)], made: (i32, i32)) -> Vec<u8> {
    let day = |year: i32| rcgen::date_time_ymd(year, 1, 1);
    let revoked = revoked
        .iter()
        .map(|(serial, year, reason)| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: day(*year),
            reason_code: Some(*reason),
            invalidity_date: None,
        });
    let params = CertificateRevocationListParams {
        this_update: day(made.0),
        next_update: day(made.1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(&by.issuer()).unwrap().der().to_vec()
}

pub fn serial(party: &Party) -> Vec<u8> {
    let tbs = crate::make::inside(crate::make::inside(&party.der)[0])[1];
    tbs[2..].to_vec()
}

#[test]
fn a_crl_says_revoked_from_its_date_on() {
    use RevocationReason::{KeyCompromise, RemoveFromCrl};
    let chain = Chain::new();
    let mail = Mail::default();
    let p7s = chain.cms(&mail.signed).bytes();
    let own = serial(&chain.signer);
    let year = |year: i32| rcgen::date_time_ymd(year, 1, 1).unix_timestamp() * 1000;
    let other = Chain::new();
    // Signed on 2026-01-01; the certificate holds from 2024 to 2028.
    for (by, revoked, made, expected) in [
        (
            &chain.middle,
            vec![(own.clone(), 2025, KeyCompromise)],
            (2026, 2027),
            Revocation::Revoked(year(2025)),
        ),
        (
            &chain.middle,
            vec![(own.clone(), 2025, KeyCompromise)],
            (2029, 2030),
            Revocation::Revoked(year(2025)),
        ),
        (
            &chain.middle,
            vec![(own.clone(), 2027, KeyCompromise)],
            (2027, 2028),
            Revocation::Later(year(2027)),
        ),
        (
            &chain.middle,
            vec![(own.clone(), 2025, RemoveFromCrl)],
            (2027, 2028),
            Revocation::Good,
        ),
        (&chain.middle, vec![], (2027, 2028), Revocation::Good),
        (&chain.middle, vec![], (2025, 2027), Revocation::Good),
        (&chain.middle, vec![], (2024, 2025), Revocation::Unknown),
        (&chain.middle, vec![], (2029, 2030), Revocation::Unknown),
        (
            &other.middle,
            vec![(own.clone(), 2025, KeyCompromise)],
            (2026, 2027),
            Revocation::Unknown,
        ),
        (
            &chain.root,
            vec![(own.clone(), 2025, KeyCompromise)],
            (2026, 2027),
            Revocation::Unknown,
        ),
    ] {
        let trust = Trust::new(Material {
            crls: vec![crl(by, &revoked, made)],
            ..chain.material()
        })
        .unwrap();
        let verdict = mail.judge(&p7s, &trust);
        assert_eq!(verdict.revocation, expected, "{made:?}");
        let ground = match expected {
            Revocation::Good => None,
            Revocation::Later(_) => Some(Ground::RevokedLater),
            Revocation::Revoked(_) => Some(Ground::Revoked),
            Revocation::Unknown => Some(Ground::RevocationUnknown),
        };
        assert!(
            ground.is_none_or(|ground| verdict.has(ground)),
            "{:?}",
            verdict.grounds
        );
        let trusted = !matches!(expected, Revocation::Revoked(_));
        assert_eq!(verdict.level == Level::IntegralTrusted, trusted);
    }
}

#[test]
fn a_crl_in_the_signature_counts_and_an_authority_can_be_revoked() {
    let chain = Chain::new();
    let mail = Mail::default();
    let mut cms = chain.cms(&mail.signed);
    let key = RevocationReason::KeyCompromise;
    cms.crls = vec![crl(
        &chain.middle,
        &[(serial(&chain.signer), 2025, key)],
        (2026, 2027),
    )];
    assert!(
        mail.judge(&cms.bytes(), &chain.trust())
            .has(Ground::Revoked)
    );
    cms.crls = vec![
        crl(
            &chain.root,
            &[(serial(&chain.middle), 2025, key)],
            (2026, 2027),
        ),
        crl(&chain.middle, &[], (2026, 2027)),
    ];
    let verdict = mail.judge(&cms.bytes(), &chain.trust());
    assert!(verdict.has(Ground::IssuerRevoked) && !verdict.has(Ground::RevocationUnknown));
    assert_eq!(verdict.level, Level::IntegralUntrusted);
}

#[test]
fn a_revoked_pinned_certificate_is_revoked_where_its_issuer_is_at_hand() {
    let chain = Chain::new();
    let mail = Mail::default();
    let revoked = [(serial(&chain.signer), 2025, RevocationReason::KeyCompromise)];
    let trust = Trust::new(Material {
        pinned: vec![chain.signer.der.clone()],
        crls: vec![crl(&chain.middle, &revoked, (2026, 2027))],
        ..Material::default()
    });
    let verdict = mail.judge(&chain.cms(&mail.signed).bytes(), &trust.unwrap());
    assert!(verdict.has(Ground::Revoked));
}

#[test]
fn receipt_is_judged_beside_signing() {
    let chain = Chain::new();
    let mail = Mail::default();
    let p7s = chain.cms(&mail.signed).bytes();
    let trust = chain.trust();
    let soon = judge_received(&mail, &p7s, &trust, AT_MS + 60_000);
    assert_eq!(soon.held_at_receipt, Some(true));
    assert!(!soon.has(Ground::ExpiredAtReceipt) && !soon.has(Ground::SignedAfterReceipt));
    let late = judge_received(&mail, &p7s, &trust, AT_MS + 900 * DAY_MS);
    assert_eq!(
        (late.level, late.held_at_receipt),
        (Level::IntegralTrusted, Some(false))
    );
    assert!(late.has(Ground::ExpiredAtReceipt));
    let before = judge_received(&mail, &p7s, &trust, AT_MS - 60_000);
    assert!(before.has(Ground::SignedAfterReceipt));
    let revoked = [(serial(&chain.signer), 2027, RevocationReason::KeyCompromise)];
    let trust = Trust::new(Material {
        crls: vec![crl(&chain.middle, &revoked, (2027, 2028))],
        ..chain.material()
    });
    let after = judge_received(&mail, &p7s, &trust.unwrap(), AT_MS + 500 * DAY_MS);
    assert!(after.has(Ground::RevokedAtReceipt) && after.level == Level::IntegralTrusted);
    assert_eq!(after.held_at_receipt, Some(false));
}

#[test]
fn trust_material_that_is_none_is_refused_by_its_place() {
    let chain = Chain::new();
    let with = |change: fn(&mut Material)| {
        let mut material = chain.material();
        change(&mut material);
        Trust::new(material).err()
    };
    let certificate = |list, index| Some(TrustError::Certificate { list, index });
    assert_eq!(
        with(|m| m.anchors.push(vec![0x30, 0])),
        certificate("anchors", 1)
    );
    assert_eq!(
        with(|m| m.intermediates.push(vec![])),
        certificate("intermediates", 0)
    );
    assert_eq!(
        with(|m| m.pinned.push(b"no".to_vec())),
        certificate("pinned", 0)
    );
    assert_eq!(
        with(|m| m.crls.push(vec![1])),
        Some(TrustError::Crl { index: 0 })
    );
    assert_eq!(
        with(|m| m.crls = vec![vec![]; 5000]),
        Some(TrustError::TooMany { list: "crls" })
    );
}

#[test]
fn judging_twice_with_one_trust_gives_one_verdict() {
    let chain = Chain::new();
    let trust = chain.trust();
    let mail = Mail::default();
    let p7s = chain.cms(&mail.signed).bytes();
    let first = mail.judge(&p7s, &trust);
    assert_eq!(mail.judge(&p7s, &trust), first);
    assert_eq!(mail.judge(&p7s, &chain.trust()), first);
}

#[test]
fn the_directory_names_signers_and_the_domains_they_manage() {
    let postal = families::postal(Keys::P256, false);
    let message = &postal.one_of_each_type_by(2)[0];
    let reading = read(&message.bytes);
    let full = families::ldif(&postal);
    let domain = postal.providers()[2].options().domain;
    let unmanaged = full.replace(&format!("managedDomains: {domain}\n"), "");
    let unlisted: String = full
        .lines()
        .filter(|line| !line.starts_with("providerCertificateHash"))
        .map(|line| format!("{line}\n"))
        .collect();
    for (ldif, expected) in [
        (Some(full), None),
        (Some(unmanaged), Some(Ground::DomainNotManaged)),
        (Some(unlisted), Some(Ground::NotInDirectory)),
        (None, Some(Ground::DirectoryMissing)),
    ] {
        let trust = Trust::new(Material {
            anchors: vec![postal.pki().root_der().to_vec()],
            directories: ldif.map(|ldif| -> Arc<dyn Directories> {
                Arc::new(Arc::new(Directory::read(ldif.as_bytes()).unwrap()))
            }),
            ..Material::default()
        });
        let verdict = judge(&reading, &trust.unwrap(), Times::default());
        let all = [
            Ground::DomainNotManaged,
            Ground::NotInDirectory,
            Ground::DirectoryMissing,
        ];
        for ground in all {
            assert_eq!(verdict.has(ground), expected == Some(ground), "{ground}");
        }
        assert_eq!(verdict.level, Level::IntegralTrusted);
    }
}

#[test]
fn a_signed_directory_gives_its_content_and_apart_from_it_a_verdict() {
    let chain = Chain::new();
    let ldif =
        b"dn: providerName=Alfa,o=postacert\nproviderName: Alfa\nmanagedDomains: a.example\n";
    let mut cms = chain.cms(ldif);
    cms.content = Some(ldif.to_vec());
    let signed = cms.bytes();
    let read = |bytes: &[u8]| Directory::read_signed(bytes, &chain.trust(), Times::default());
    let (directory, verdict) = read(&signed);
    assert_eq!(directory.unwrap().providers()[0].name, "Alfa");
    assert_eq!(
        verdict.level,
        Level::IntegralTrusted,
        "{:?}",
        verdict.grounds
    );
    assert!(!verdict.has(Ground::ContentAttached));

    cms.content = Some(ldif.to_ascii_lowercase());
    let (directory, verdict) = read(&cms.bytes());
    assert!(directory.is_ok() && verdict.has(Ground::DigestDiffers));
    cms.signers = vec![tlv(0x30, &[b"\x04\x01x"])];
    let (directory, verdict) = read(&cms.bytes());
    assert!(directory.is_ok() && verdict.level == Level::Broken);
    cms.content = None;
    assert_eq!(read(&cms.bytes()).0, Err(DirectoryError::NoContent));
    assert_eq!(read(b"no cms").0, Err(DirectoryError::NoContent));
}

#[test]
fn a_chain_longer_than_is_followed_is_not_followed() {
    let root = self_signed(authority("Radice di prova"));
    let mut parties = vec![root];
    for number in 0..8 {
        let params = authority(&format!("CA numero {number}"));
        let last = parties.last().unwrap();
        parties.push(issued(params, KeyPair::generate().unwrap(), last));
    }
    for (depth, trusted) in [(4, true), (5, false), (8, false)] {
        let key = KeyPair::generate().unwrap();
        let mut params = signer(&key);
        params.distinguished_name = name("Gestore Alfa", "Posta Certificata");
        let leaf = issued(params, key, &parties[depth]);
        let mail = Mail::default();
        let info = crate::make::SignerInfo::new(&leaf, &mail.signed).bytes(&leaf);
        let middles = parties[1..=depth].iter().map(|party| party.der.clone());
        let cms = crate::make::Cms {
            certificates: std::iter::once(leaf.der.clone()).chain(middles).collect(),
            signers: vec![info],
            ..crate::make::Cms::default()
        };
        let trust = Trust::new(Material {
            anchors: vec![parties[0].der.clone()],
            ..Material::default()
        });
        let verdict = mail.judge(&cms.bytes(), &trust.unwrap());
        assert_eq!(verdict.level == Level::IntegralTrusted, trusted, "{depth}");
    }
}
