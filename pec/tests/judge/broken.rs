//! Whatever the octets: a verdict, never a panic, and never better than the octets deserve.

use crate::families;
use crate::make::{Chain, Mail};
use ceralacca_pec::judge::{Directory, Level, Material, Times, Trust, Verdict, explain, judge};
use ceralacca_pec::read;
use ceralacca_synthetic::mail::Message;
use ceralacca_synthetic::pki::Keys;
use proptest::prelude::*;
use std::sync::OnceLock;

struct Ready {
    chain: Chain,
    trust: Trust,
    mail: Mail,
    p7s: Vec<u8>,
}

fn ready() -> &'static Ready {
    static READY: OnceLock<Ready> = OnceLock::new();
    READY.get_or_init(|| {
        let chain = Chain::new();
        let mail = Mail::default();
        Ready {
            trust: chain.trust(),
            p7s: chain.cms(&mail.signed).bytes(),
            mail,
            chain,
        }
    })
}

fn of_p7s(p7s: &[u8]) -> Verdict {
    let ready = ready();
    judge(
        &read(&ready.mail.bytes(p7s)),
        &ready.trust,
        Times::default(),
    )
}

fn is_well_formed(verdict: &Verdict) {
    assert!(verdict.grounds.is_sorted() && !verdict.grounds.is_empty());
    assert_eq!(verdict.form.is_some(), verdict.level.is_integral());
    assert!(verdict.chain.is_empty() || verdict.level.is_integral());
}

#[test]
fn a_signature_cut_anywhere_is_broken_or_absent() {
    let p7s = &ready().p7s;
    assert_eq!(of_p7s(p7s).level, Level::IntegralTrusted);
    for end in 0..p7s.len() {
        let verdict = of_p7s(&p7s[..end]);
        is_well_formed(&verdict);
        assert!(!verdict.level.is_integral(), "{end}");
    }
}

#[test]
fn real_encodings_cut_anywhere_are_broken_or_absent() {
    let postal = families::postal(Keys::P256, false);
    let trust = families::trust(&postal);
    for provider in 0..4 {
        let message: Message = postal.one_of_each_type_by(provider).swap_remove(0);
        let p7s = message.signature();
        let mail = Mail {
            signed: message.signed_part().to_vec(),
            ..Mail::default()
        };
        assert!(mail.judge(&p7s, &trust).level.is_integral());
        for end in 0..p7s.len() {
            let verdict = judge(&read(&mail.bytes(&p7s[..end])), &trust, Times::default());
            is_well_formed(&verdict);
            assert!(
                !verdict.level.is_integral(),
                "{end} of {:?}",
                message.family
            );
        }
    }
}

#[test]
fn a_single_bit_changed_anywhere_in_the_content_breaks_it() {
    let ready = ready();
    let good = ready.mail.bytes(&ready.p7s);
    let reading = read(&good);
    let signed = reading.signed.clone().unwrap();
    for at in signed.start..signed.end {
        let mut bytes = good.clone();
        bytes[usize::try_from(at).unwrap()] ^= 1;
        let verdict = judge(&read(&bytes), &ready.trust, Times::default());
        assert!(!verdict.level.is_integral(), "{at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_octets_for_a_signature_have_a_verdict(p7s in proptest::collection::vec(any::<u8>(), 0..400)) {
        let verdict = of_p7s(&p7s);
        is_well_formed(&verdict);
        prop_assert!(!verdict.level.is_integral());
    }

    #[test]
    fn a_changed_signature_has_a_verdict(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut p7s = ready().p7s.clone();
        for (at, octet) in changes {
            let at = at.index(p7s.len());
            p7s[at] = octet;
        }
        is_well_formed(&of_p7s(&p7s));
    }

    #[test]
    fn changed_trust_material_is_refused_or_used_without_a_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let ready = ready();
        let [mut anchor, mut crl] = [
            ready.chain.root.der.clone(),
            crate::trusted::crl(&ready.chain.middle, &[], (2026, 2027)),
        ];
        for der in [&mut anchor, &mut crl] {
            for (at, octet) in &changes {
                let at = at.index(der.len());
                der[at] = *octet;
            }
        }
        let material = Material { anchors: vec![anchor], crls: vec![crl], ..Material::default() };
        if let Ok(trust) = Trust::new(material) {
            is_well_formed(&ready.mail.judge(&ready.p7s, &trust));
        }
    }

    #[test]
    fn any_octets_for_a_message_or_a_directory_have_an_answer(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let reading = read(&bytes);
        is_well_formed(&judge(&reading, &ready().trust, Times::default()));
        prop_assert_eq!(explain(&bytes, &reading), None);
        let (_, verdict) = Directory::read_signed(&bytes, &ready().trust, Times::default());
        is_well_formed(&verdict);
    }
}
