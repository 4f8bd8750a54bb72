//! Every ground, by name: a message for each, with one thing wrong.

use crate::make::{
    ADDRESS, AT_MS, Chain, Cms, DSA_SHA1, MD5, Mail, PKCS9, SHA512, SignerInfo, algorithm,
    attribute, indefinite, judge_received, oid, tlv, utc_time,
};
use crate::respond::{Ocsp, UNKNOWN};
use crate::trusted::{crl, serial};
use ceralacca_pec::judge::{
    Directories, Directory, DirectoryAt, Effect, Ground, Level, Material, Times, Trust, Verdict,
    judge,
};
use ceralacca_pec::{DigestAlgorithm, read};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, NameConstraints, RevocationReason, SanType,
};
use std::sync::Arc;

/// A verdict on a message that has this ground.
fn verdict_with(ground: Ground) -> Verdict {
    let chain = Chain::new();
    let mail = Mail::default();
    let trust = chain.trust();
    let good = chain.cms(&mail.signed);
    let judged = |cms: &Cms| mail.judge(&cms.bytes(), &trust);
    let info = |change: &dyn Fn(&mut SignerInfo)| {
        let mut info = SignerInfo::new(&chain.signer, &mail.signed);
        change(&mut info);
        let signers = vec![info.bytes(&chain.signer)];
        judged(&Cms {
            signers,
            ..chain.cms(&mail.signed)
        })
    };
    let leaf = |change: fn(&mut CertificateParams)| {
        let chain = Chain::with(|_| {}, change);
        mail.judge(&chain.cms(&mail.signed).bytes(), &chain.trust())
    };
    let middle = |change: fn(&mut CertificateParams)| {
        let chain = Chain::with(change, |_| {});
        mail.judge(&chain.cms(&mail.signed).bytes(), &chain.trust())
    };
    let with = |material: Material| {
        let trust = Trust::new(material).unwrap();
        mail.judge(&good.bytes(), &trust)
    };
    let with_crl = |crl: Vec<u8>| {
        with(Material {
            crls: vec![crl],
            ..chain.material()
        })
    };
    let with_ocsp = |response: Vec<u8>| {
        with(Material {
            ocsp: vec![response],
            ..chain.material()
        })
    };
    let own = |year| vec![(serial(&chain.signer), year, RevocationReason::KeyCompromise)];
    let body = |body: &str| judge(&read(&mail.with_body(body)), &trust, Times::default());
    match ground {
        Ground::NoSignature => judge(
            &read(b"From: a@example.test\r\n\r\n"),
            &trust,
            Times::default(),
        ),
        Ground::SignatureEmpty => body(""),
        Ground::SignatureTooLarge => body(&"QUJD\r\n".repeat(200_000)),
        Ground::SignatureEncoding => body("* nothing *\r\n"),
        Ground::CmsMalformed => mail.judge(b"not a CMS", &trust),
        Ground::CmsTooComplex => {
            let mut cms = good;
            cms.certificates = vec![chain.signer.der.clone(); 65];
            judged(&cms)
        }
        Ground::SignerMissing => {
            let mut cms = good;
            cms.signers.clear();
            judged(&cms)
        }
        Ground::CertificateMissing => {
            let mut cms = good;
            cms.certificates.clear();
            judged(&cms)
        }
        Ground::CertificateMalformed => {
            let mut cms = good;
            cms.certificates = vec![tlv(0x30, &[b"\x02\x01\x01"])];
            judged(&cms)
        }
        Ground::AttributesMalformed => info(&|info| {
            info.attributes
                .as_mut()
                .unwrap()
                .retain(|a| !a.windows(9).any(|w| w == [PKCS9, &[4]].concat()));
        }),
        Ground::ContentTypeDiffers => {
            let mut cms = good;
            cms.content_type = crate::make::SIGNED_DATA.to_vec();
            judged(&cms)
        }
        Ground::AlgorithmProtectionDiffers => info(&|info| {
            let other = algorithm(SHA512);
            let signature = tlv(0xa1, &[&info.algorithm[2..]]);
            let protection = tlv(0x30, &[&other, &signature]);
            info.attributes
                .as_mut()
                .unwrap()
                .push(attribute(52, &[&protection]));
        }),
        Ground::DigestUnsupported => info(&|info| info.digest = algorithm(MD5)),
        Ground::DigestNotMade => info(&|info| info.digest = algorithm(SHA512)),
        Ground::SignatureUnsupported => info(&|info| info.algorithm = algorithm(DSA_SHA1)),
        Ground::DigestDiffers => mail.judge(&chain.cms(b"other").bytes(), &trust),
        Ground::SignatureInvalid => info(&|info| info.signed = Some(b"others".to_vec())),
        Ground::AnchorsMissing => with(Material::default()),
        Ground::IssuerUnknown => with(Chain::new().material()),
        Ground::TimeUnknown => {
            let mail = Mail {
                signed: b"Content-Type: text/plain\r\n\r\nprova".to_vec(),
                ..Mail::default()
            };
            let mut info = SignerInfo::new(&chain.signer, &mail.signed);
            info.attributes = None;
            info.signed = Some(mail.signed.clone());
            let mut cms = chain.cms(&mail.signed);
            cms.signers = vec![info.bytes(&chain.signer)];
            judge(&read(&mail.bytes(&cms.bytes())), &trust, Times::default())
        }
        Ground::CertificateExpired => leaf(|leaf| crate::make::dates(leaf, 2022, 2025)),
        Ground::CertificateNotYetValid => leaf(|leaf| crate::make::dates(leaf, 2027, 2028)),
        Ground::IssuerOutOfDate => middle(|ca| crate::make::dates(ca, 2022, 2025)),
        Ground::IssuerNotAuthority => middle(|ca| ca.is_ca = IsCa::ExplicitNoCa),
        Ground::IssuerSignatureInvalid => {
            // The anchor has the name and the key identifier, but another key.
            let mut params = chain.root.params.clone();
            let id = params.key_identifier(&chain.root.key);
            params.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(id);
            with(Material {
                anchors: vec![crate::make::self_signed(params).der],
                ..Material::default()
            })
        }
        Ground::IssuerSignatureUnsupported => {
            // ecdsa-with-SHA256 turned into ecdsa-with-SHA224, in both places.
            let mut cms = good;
            for certificate in cms.certificates.iter_mut().skip(1) {
                let from = oid(crate::make::ECDSA_SHA256);
                let places: Vec<usize> = certificate
                    .windows(from.len())
                    .enumerate()
                    .filter(|(_, window)| *window == from)
                    .map(|(at, _)| at)
                    .collect();
                places
                    .iter()
                    .for_each(|at| certificate[at + from.len() - 1] = 1);
            }
            judged(&cms)
        }
        Ground::NameConstraints => middle(|ca| {
            let other = rcgen::GeneralSubtree::Rfc822Name("pec.beta.example".to_owned());
            ca.name_constraints = Some(NameConstraints {
                permitted_subtrees: vec![other],
                excluded_subtrees: vec![],
            });
        }),
        Ground::CriticalExtension => leaf(|leaf| {
            let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
            unknown.set_criticality(true);
            leaf.custom_extensions.push(unknown);
        }),
        Ground::PathRefused => leaf(|leaf| {
            leaf.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            leaf.custom_extensions.clear();
        }),
        Ground::KeyUsage => leaf(|leaf| leaf.key_usages = vec![KeyUsagePurpose::KeyEncipherment]),
        Ground::ExtendedKeyUsage => {
            leaf(|leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth])
        }
        Ground::Revoked => with_crl(crl(&chain.middle, &own(2025), (2026, 2027))),
        Ground::IssuerRevoked => with_crl(crl(
            &chain.root,
            &[(serial(&chain.middle), 2025, RevocationReason::KeyCompromise)],
            (2026, 2027),
        )),
        // SHA-1 that is really signed with needs an RSA key: see `openssl`, and `families`.
        Ground::Sha1 => weak(|made| made.with_digest("sha1")),
        Ground::CertificateSha1 => weak(|made| made.with_digest("sha256")),
        Ground::ShortKey => weak(|made| made.with_digest("sha256")),
        Ground::RevocationUnknown | Ground::IssuerRevocationUnknown => judged(&good),
        Ground::OcspNotEvaluated => with(Material {
            ocsp: vec![vec![0x30, 3, 0x0a, 1, 3]],
            ..chain.material()
        }),
        Ground::OcspRefused => with_ocsp(Ocsp::of(&chain).signed_by(&chain.signer)),
        Ground::OcspOutOfDate => with_ocsp(
            Ocsp {
                made: "20250101000000Z",
                next: Some("20250102000000Z"),
                ..Ocsp::of(&chain)
            }
            .signed_by(&chain.middle),
        ),
        Ground::OcspUnknown => with_ocsp(
            Ocsp {
                status: UNKNOWN.to_vec(),
                ..Ocsp::of(&chain)
            }
            .signed_by(&chain.middle),
        ),
        Ground::RevokedLater => with_crl(crl(&chain.middle, &own(2027), (2027, 2028))),
        Ground::RevokedAtReceipt => {
            let trust = Trust::new(Material {
                crls: vec![crl(&chain.middle, &own(2027), (2027, 2028))],
                ..chain.material()
            });
            let later = AT_MS + 400 * 86_400_000;
            judge_received(&mail, &good.bytes(), &trust.unwrap(), later)
        }
        Ground::ExpiredAtReceipt => {
            judge_received(&mail, &good.bytes(), &trust, AT_MS + 900 * 86_400_000)
        }
        Ground::SignedAfterReceipt => judge_received(&mail, &good.bytes(), &trust, AT_MS - 10_000),
        Ground::ExtraSigner => {
            let mut cms = good;
            cms.signers.push(cms.signers[0].clone());
            judged(&cms)
        }
        Ground::ContentAttached => {
            let mut cms = good;
            cms.content = Some(b"other".to_vec());
            judged(&cms)
        }
        Ground::NoSignedAttributes => info(&|info| {
            info.attributes = None;
            info.signed = Some(mail.signed.clone());
        }),
        Ground::SigningTimeMissing => info(&|info| {
            info.attributes
                .as_mut()
                .unwrap()
                .retain(|a| !a.windows(9).any(|w| w == [PKCS9, &[5]].concat()));
        }),
        Ground::SigningTimeDiffers => {
            let mail = Mail::at("00:00:06");
            mail.judge(&chain.cms(&mail.signed).bytes(), &trust)
        }
        Ground::MicalgDiffers => {
            let mail = Mail {
                micalg: "sha1",
                ..Mail::default()
            };
            mail.judge(&good.bytes(), &trust)
        }
        Ground::FromMissing => from(None, &good, &trust),
        Ground::FromDiffers => from(Some("anna@example.test"), &good, &trust),
        Ground::ProfileSubjectAltName => leaf(|leaf| leaf.subject_alt_names.clear()),
        Ground::ProfileKeyUsage => leaf(|leaf| leaf.key_usages.clear()),
        Ground::ProfileKeyIdentifiers => leaf(|leaf| leaf.custom_extensions.clear()),
        Ground::ProfileBasicConstraints => leaf(|leaf| {
            leaf.is_ca = IsCa::ExplicitNoCa;
            leaf.custom_extensions.clear();
        }),
        Ground::DirectoryMissing => judged(&good),
        Ground::DirectoryOfAnotherDay => in_directories(&chain, Arc::new(Yesterdays(ldif(HASH)))),
        Ground::NotInDirectory => directory(&chain, HASH),
        Ground::DomainNotManaged => {
            let hash = DigestAlgorithm::Sha1.of(&chain.signer.der);
            let hash: String = hash.as_ref().iter().map(|o| format!("{o:02X}")).collect();
            directory(&chain, &hash)
        }
    }
}

fn from(from: Option<&str>, cms: &Cms, trust: &Trust) -> Verdict {
    let mail = Mail {
        from: from.map(str::to_owned),
        ..Mail::default()
    };
    mail.judge(&cms.bytes(), trust)
}

/// SHA-1 of no certificate.
const HASH: &str = "00112233445566778899aabbccddeeff00112233";

fn ldif(hash: &str) -> Arc<Directory> {
    let ldif = format!(
        "dn: providerName=Alfa,o=postacert\nproviderName: Alfa\nproviderCertificateHash: {hash}\n\
         managedDomains: pec.other.example\n"
    );
    Arc::new(Directory::read(ldif.as_bytes()).unwrap())
}

/// A directory that is never of the day asked for.
#[derive(Debug)]
struct Yesterdays(Arc<Directory>);

impl Directories for Yesterdays {
    fn at(&self, _: i64) -> Option<DirectoryAt> {
        Some(DirectoryAt {
            directory: Arc::clone(&self.0),
            of_that_day: false,
        })
    }
}

fn directory(chain: &Chain, hash: &str) -> Verdict {
    in_directories(chain, Arc::new(ldif(hash)))
}

fn in_directories(chain: &Chain, directories: Arc<dyn Directories>) -> Verdict {
    let trust = Trust::new(Material {
        directories: Some(directories),
        ..chain.material()
    });
    let mail = Mail::default();
    mail.judge(&chain.cms(&mail.signed).bytes(), &trust.unwrap())
}

/// A verdict on what openssl signs with an RSA key of 1024 bits, certified with SHA-1.
fn weak(sign: impl FnOnce(&crate::openssl::Weak) -> Verdict) -> Verdict {
    sign(crate::openssl::Weak::get())
}

#[test]
fn every_ground_is_reached_and_makes_its_level() {
    for ground in Ground::ALL {
        let needs_openssl = ground.effect() == Effect::Weak;
        if needs_openssl && !crate::openssl::is_there() {
            continue;
        }
        let verdict = verdict_with(ground);
        assert!(verdict.has(ground), "{ground}: {:?}", verdict.grounds);
        let expected = match ground.effect() {
            Effect::Absent => Level::Absent,
            Effect::Broken => Level::Broken,
            Effect::Untrusted => Level::IntegralUntrusted,
            Effect::Weak => Level::IntegralWeak,
            Effect::Note => Level::IntegralTrusted,
        };
        assert_eq!(verdict.level, expected, "{ground}: {:?}", verdict.grounds);
    }
}

#[test]
fn levels_have_words_of_their_own_from_best_to_worst() {
    let words: Vec<_> = Level::ALL.iter().map(|level| level.word()).collect();
    let expected = [
        "integral-trusted",
        "integral-weak",
        "integral-untrusted",
        "broken",
        "absent",
    ];
    assert_eq!(words, expected);
    assert!(Level::ALL.is_sorted());
}

#[test]
fn an_unsorted_set_of_attributes_verifies_whichever_order_was_signed() {
    let chain = Chain::new();
    let mail = Mail::default();
    let sorted = SignerInfo::new(&chain.signer, &mail.signed);
    let mut attributes = sorted.attributes.clone().unwrap();
    attributes.reverse();
    let in_order = tlv(0x31, &[&sorted.attributes.clone().unwrap().concat()]);
    for signed in [None, Some(in_order)] {
        let mut info = SignerInfo::new(&chain.signer, &mail.signed);
        info.attributes = Some(attributes.clone());
        info.signed = signed;
        let mut cms = chain.cms(&mail.signed);
        cms.signers = vec![info.bytes(&chain.signer)];
        let verdict = mail.judge(&cms.bytes(), &chain.trust());
        assert_eq!(
            verdict.level,
            Level::IntegralTrusted,
            "{:?}",
            verdict.grounds
        );
    }
}

#[test]
fn a_repeated_or_manifold_attribute_is_no_choice_to_make() {
    let chain = Chain::new();
    let mail = Mail::default();
    let digest = DigestAlgorithm::Sha256.of(&mail.signed);
    let digest = tlv(4, &[digest.as_ref()]);
    let other = tlv(4, &[&[0; 32]]);
    let time = utc_time("260101000000Z");
    for extra in [
        attribute(4, &[&digest]),
        attribute(4, &[&other]),
        attribute(5, &[&time]),
        attribute(3, &[&oid(crate::make::DATA), &oid(crate::make::DATA)]),
    ] {
        let mut info = SignerInfo::new(&chain.signer, &mail.signed);
        info.attributes.as_mut().unwrap().push(extra);
        let mut cms = chain.cms(&mail.signed);
        cms.signers = vec![info.bytes(&chain.signer)];
        let verdict = mail.judge(&cms.bytes(), &chain.trust());
        assert_eq!(verdict.grounds, [Ground::AttributesMalformed]);
    }
}

#[test]
fn of_several_signers_all_must_verify() {
    let chain = Chain::new();
    let mail = Mail::default();
    let mut cms = chain.cms(&mail.signed);
    let wrong = SignerInfo {
        signed: Some(b"other".to_vec()),
        ..SignerInfo::new(&chain.signer, &mail.signed)
    };
    cms.signers.push(wrong.bytes(&chain.signer));
    let verdict = mail.judge(&cms.bytes(), &chain.trust());
    assert_eq!(verdict.level, Level::Broken);
    cms.signers = vec![cms.signers[0].clone(); 17];
    let verdict = mail.judge(&cms.bytes(), &chain.trust());
    assert_eq!(verdict.grounds, [Ground::CmsTooComplex]);
}

#[test]
fn a_signer_may_be_named_by_its_key_identifier() {
    let chain = Chain::new();
    let mail = Mail::default();
    let id = chain.signer.params.key_identifier(&chain.signer.key);
    let pieces = tlv(0xa0, &[&tlv(4, &[&id[..5]]), &tlv(4, &[&id[5..]])]);
    for (id, found) in [
        (tlv(0x80, &[&id]), true),
        (pieces, true),
        (tlv(0x80, &[b"no"]), false),
    ] {
        let mut info = SignerInfo::new(&chain.signer, &mail.signed);
        info.id = id;
        let mut cms = chain.cms(&mail.signed);
        cms.signers = vec![info.bytes(&chain.signer)];
        let verdict = mail.judge(&cms.bytes(), &chain.trust());
        assert_eq!(
            verdict.level == Level::IntegralTrusted,
            found,
            "{:?}",
            verdict.grounds
        );
        assert_eq!(verdict.has(Ground::CertificateMissing), !found);
    }
}

#[test]
fn lengths_may_be_indefinite_and_strings_in_pieces_at_any_level() {
    let chain = Chain::new();
    let mail = Mail::default();
    let der = chain.cms(&mail.signed).bytes();
    // ContentInfo { type, [0] { SignedData { version, digests, content, [0] certificates, signers } } }
    let rebuilt = |change: &dyn Fn(usize, &[u8]) -> Vec<u8>| {
        let outer = crate::make::inside(&der);
        let data = crate::make::inside(outer[1])[0];
        let parts: Vec<Vec<u8>> = crate::make::inside(data)
            .into_iter()
            .enumerate()
            .map(|(index, part)| change(index, part))
            .collect();
        let data = tlv(0x30, &[&parts.concat()]);
        tlv(0x30, &[outer[0], &tlv(0xa0, &[&data])])
    };
    let all = rebuilt(&|_, part| match part[0] {
        0x30 | 0x31 | 0xa0 => indefinite(part),
        _ => part.to_vec(),
    });
    let signer = rebuilt(&|index, part| {
        if index != 4 {
            return part.to_vec();
        }
        let signer = crate::make::inside(part)[0];
        let parts: Vec<Vec<u8>> = crate::make::inside(signer)
            .into_iter()
            .map(|part| match part[0] {
                0xa0 => indefinite(part),
                4 => {
                    let value = &part[crate::make::header(part)..];
                    let (first, second) = value.split_at(7);
                    let nested = indefinite(&tlv(0x24, &[&tlv(4, &[second])]));
                    indefinite(&tlv(0x24, &[&tlv(4, &[first]), &nested]))
                }
                _ => part.to_vec(),
            })
            .collect();
        indefinite(&tlv(0x31, &[&indefinite(&tlv(0x30, &[&parts.concat()]))]))
    });
    for p7s in [der.clone(), indefinite(&der), all, signer] {
        let verdict = mail.judge(&p7s, &chain.trust());
        assert_eq!(
            verdict.level,
            Level::IntegralTrusted,
            "{:?}",
            verdict.grounds
        );
    }
}

#[test]
fn what_follows_the_cms_was_signed_by_nobody_and_changes_nothing() {
    let chain = Chain::new();
    let mail = Mail::default();
    let p7s = [chain.cms(&mail.signed).bytes(), b"\r\nmore".to_vec()].concat();
    assert_eq!(
        mail.judge(&p7s, &chain.trust()).level,
        Level::IntegralTrusted
    );
}

#[test]
fn an_address_among_several_names_is_enough() {
    let chain = Chain::with(
        |_| {},
        |leaf| {
            leaf.distinguished_name = DistinguishedName::new();
            leaf.subject_alt_names = ["altro@pec.alfa.example", ADDRESS]
                .map(|address| SanType::Rfc822Name(address.try_into().unwrap()))
                .to_vec();
        },
    );
    let mail = Mail {
        from: Some(format!(
            "\"Per conto di: anna@example.test\" <{}>",
            ADDRESS.to_uppercase()
        )),
        ..Mail::default()
    };
    let verdict = mail.judge(&chain.cms(&mail.signed).bytes(), &chain.trust());
    assert!(!verdict.has(Ground::FromDiffers), "{:?}", verdict.grounds);
    assert_eq!(verdict.signer.unwrap().addresses.len(), 2);
}

#[test]
fn the_digest_of_the_micalg_is_made_while_reading() {
    let chain = Chain::new();
    let mail = Mail {
        micalg: "\"sha-512\"",
        ..Mail::default()
    };
    let mut info = SignerInfo::new(&chain.signer, &mail.signed);
    info.digest = algorithm(SHA512);
    let attributes = info.attributes.as_mut().unwrap();
    attributes.retain(|a| !a.windows(9).any(|w| w == [PKCS9, &[4]].concat()));
    let digest = DigestAlgorithm::Sha512.of(&mail.signed);
    attributes.push(attribute(4, &[&tlv(4, &[digest.as_ref()])]));
    let mut cms = chain.cms(&mail.signed);
    cms.signers = vec![info.bytes(&chain.signer)];
    let verdict = mail.judge(&cms.bytes(), &chain.trust());
    assert_eq!(
        verdict.level,
        Level::IntegralTrusted,
        "{:?}",
        verdict.grounds
    );
    assert_eq!(verdict.digest, Some(DigestAlgorithm::Sha512));
    assert!(!verdict.has(Ground::MicalgDiffers));
}
