//! Evidence records through their renewals: what is proven, until when, and what is refused.

use crate::authority::Authority;
use crate::interval::*;
use ceralacca_evidence::ers::renewal::{Action, Held, Margin, plan};
use ceralacca_evidence::ers::{
    ArchiveTimeStamp, Check, Coverage, Document, EvidenceRecord, Hash, RecordError, ReducedTree,
    Table, Verified, VerifyError, verify,
};
use ceralacca_pec::DigestAlgorithm::{Sha256, Sha512};
use ceralacca_pec::judge::Trust;
use ceralacca_pec::tsp::Refusal;
use chrono::NaiveDate;

#[test]
fn a_record_says_when_its_documents_existed_and_until_when_each_stamp_holds() {
    if !is_openssl_there() {
        return;
    }
    let mut interval = Interval::closed(Authority::new(2100, 3));
    interval.renew_time_stamp();
    interval.renew_hash_tree();
    let verified = interval.check(&interval.file, &[FILE]).unwrap();
    let places: Vec<_> = verified
        .stamps
        .iter()
        .map(|s| (s.chain, s.stamp, s.hash))
        .collect();
    assert_eq!(places, [(0, 0, Sha256), (0, 1, Sha256), (1, 0, Sha512)]);
    assert_eq!(verified.existed_at, verified.stamps[0].time);
    assert!(verified.stamps.is_sorted_by(|a, b| a.time < b.time));
    assert_eq!(verified.until, year(2100));
    assert_eq!(
        verified.stamps[2].authority.as_deref(),
        Some("TSA di prova")
    );
    assert_eq!(interval.file.algorithms(), [Sha256, Sha512]);

    let held = Held::of("2026-11-21", &verified.stamps[2]);
    let step = plan(&[held], &Table::built_in(), Margin::default(), year(2099)).remove(0);
    assert_eq!(step.action, Action::TimeStamp);
    assert!(!step.is_due(), "{}", step.english());
}

#[test]
fn a_stamp_kept_by_itself_is_the_one_in_the_record_and_says_what_it_rests_on() {
    if !is_openssl_there() {
        return;
    }
    let mut interval = Interval::closed(Authority::new(2100, 3));
    interval.renew_time_stamp();
    let verified = interval.check(&interval.file, &[FILE]).unwrap();
    let last = interval.file.last().unwrap();
    let kept = ArchiveTimeStamp::from_der(last.to_der()).unwrap();
    assert_eq!(kept, *last);
    let roots = interval.tsa.certificates();
    let said = Held::by_its_own_word("x", &kept, &roots).unwrap();
    assert_eq!(said, Held::of("x", verified.stamps.last().unwrap()));
    let mut twin = last.to_der().to_vec();
    *twin.last_mut().unwrap() ^= 1;
    let twin = ArchiveTimeStamp::from_der(&twin).unwrap();
    assert!(Held::by_its_own_word("x", &twin, &roots).is_err());
    assert!(ArchiveTimeStamp::from_der(&last.to_der()[1..]).is_err());
    assert!(ArchiveTimeStamp::from_der(&[last.to_der(), &[0]].concat()).is_err());
}

#[test]
fn the_last_stamp_must_hold_now_and_the_others_until_the_next() {
    if !is_openssl_there() {
        return;
    }
    let mut interval = Interval::closed(Authority::new(2100, 3));
    let fault = |result: Result<Verified, VerifyError>| {
        let error = result.unwrap_err();
        (error.chain, error.stamp, error.fault)
    };
    let late = interval.check_at(&interval.file, &[FILE], year(2101), &Table::built_in());
    let (_, _, late) = fault(late);
    assert_eq!(
        late,
        RecordError::CertificateEnded {
            until: year(2100),
            at: year(2101)
        }
    );
    let mut table = Table::built_in();
    let sha256 = table
        .rows
        .iter_mut()
        .find(|row| row.algorithm == "SHA-256")
        .unwrap();
    sha256.end = NaiveDate::from_ymd_opt(2040, 1, 1);
    let ended = fault(interval.check_at(&interval.file, &[FILE], year(2050), &table));
    assert!(
        matches!(ended, (0, 0, RecordError::AlgorithmEnded { .. })),
        "{ended:?}"
    );
    // A time-stamp alone does not save the tree; a new tree does not save a token that is signed over SHA-256.
    interval.renew_time_stamp();
    let ended = fault(interval.check_at(&interval.file, &[FILE], year(2050), &table));
    assert!(
        matches!(ended, (0, 0, RecordError::AlgorithmEnded { .. })),
        "{ended:?}"
    );
    interval.renew_hash_tree();
    let ended = fault(interval.check_at(&interval.file, &[FILE], year(2050), &table));
    assert!(
        matches!(ended, (1, 0, RecordError::AlgorithmEnded { .. })),
        "{ended:?}"
    );
    interval
        .check_at(&interval.file, &[FILE], year(2039), &table)
        .unwrap();
    let before = fault(interval.check_at(&interval.file, &[FILE], year(2020), &table));
    assert_eq!(before, (0, 0, RecordError::Token(Refusal::Future)));

    let others = Authority::new(2100, 3).trust();
    let check = Check {
        trust: &others,
        table: &Table::built_in(),
        now: year(2050),
        coverage: Coverage::WholeGroup,
    };
    let foreign = fault(verify(&interval.file, &documents(&[FILE]), &check));
    assert!(
        matches!(foreign, (0, 0, RecordError::Token(Refusal::Chain(_)))),
        "{foreign:?}"
    );
}

#[test]
fn a_group_is_whole_or_says_so_and_openings_are_no_documents_of_others() {
    if !is_openssl_there() {
        return;
    }
    let interval = Interval::closed(Authority::new(2100, 3));
    let alone = interval.check(&interval.object, &[OBJECT]).unwrap_err();
    assert_eq!(alone.fault, RecordError::OthersInFirstList);
    let none = interval.check(&interval.object, &[]).unwrap_err();
    assert_eq!(none.fault, RecordError::NotInFirstList);
    let table = Table::built_in();
    let check = Check {
        trust: &interval.trust,
        table: &table,
        now: year(2050),
        coverage: Coverage::Members,
    };
    verify(&interval.object, &documents(&[OBJECT]), &check).unwrap();
    let unhashed = Document::of(OBJECT, &[Sha512]);
    let unhashed = verify(&interval.object, &[unhashed], &check).unwrap_err();
    assert_eq!(unhashed.fault, RecordError::NoHash(Sha256));
}

#[test]
fn what_does_not_belong_together_is_not_assembled() {
    if !is_openssl_there() {
        return;
    }
    let mut interval = Interval::closed(Authority::new(2100, 3));
    let tree = |algorithm, text: &[u8]| ReducedTree::new(&hashes(algorithm, &[text]), &[]).unwrap();
    let token = interval.tsa.stamp(&Hash::of(Sha256, b"x"));
    assert_eq!(
        EvidenceRecord::new(tree(Sha256, b"y"), &token),
        Err(RecordError::TokenImprint)
    );
    assert_eq!(
        EvidenceRecord::new(tree(Sha512, b"x"), &token),
        Err(RecordError::TokenAlgorithm)
    );
    assert_eq!(
        EvidenceRecord::new(tree(Sha256, b"x"), b"no token"),
        Err(RecordError::Token(Refusal::NotAToken))
    );
    let record = &mut interval.file;
    let untouched = record.clone();
    assert_eq!(
        record.renew_time_stamp(tree(Sha512, b"x"), &token),
        Err(RecordError::ChainAlgorithm)
    );
    assert_eq!(
        record.renew_time_stamp(tree(Sha256, b"x"), &token),
        Err(RecordError::NotInFirstList)
    );
    assert_eq!(
        record.renew_hash_tree(&documents(&[FILE]), tree(Sha256, b"x"), &token),
        Err(RecordError::NotInFirstList)
    );
    assert_eq!(*record, untouched);
}

/// A record of the file alone, stamped in a year, and renewed in later ones.
fn stamped_in(tsa: &Authority, year: i32) -> EvidenceRecord {
    let tree = ReducedTree::new(&hashes(Sha256, &[FILE]), &[]).unwrap();
    let token = tsa.stamp_in(year, &tree.root().unwrap());
    EvidenceRecord::new(tree, &token).unwrap()
}

fn renewed_in(tsa: &Authority, year: i32, record: &mut EvidenceRecord) {
    let last = record.last().unwrap();
    let tree = ReducedTree::new(&[last.token_hash(last.algorithm())], &[]).unwrap();
    let token = tsa.stamp_in(year, &tree.root().unwrap());
    record.renew_time_stamp(tree, &token).unwrap();
}

fn checked(record: &EvidenceRecord, trust: &Trust, now: i32) -> Result<Verified, VerifyError> {
    let check = Check {
        trust,
        table: &Table::built_in(),
        now: year(now),
        coverage: Coverage::WholeGroup,
    };
    verify(record, &documents(&[FILE]), &check)
}

#[test]
fn a_record_outlives_the_certificates_it_began_with() {
    if !is_openssl_there() {
        return;
    }
    let authorities = [2030, 2040, 2060].map(|until| Authority::new(until, 3));
    let trust = Authority::trust_of(&authorities.each_ref());
    let [first, second, third] = &authorities;
    let mut record = stamped_in(first, 2027);
    assert_eq!(checked(&record, &trust, 2029).unwrap().until, year(2030));
    renewed_in(second, 2029, &mut record);
    let tree = record.renewed(&documents(&[FILE]), Sha512).unwrap();
    let tree = ReducedTree::new(&tree, &[]).unwrap();
    let token = third.stamp_in(2038, &tree.root().unwrap());
    record
        .renew_hash_tree(&documents(&[FILE]), tree, &token)
        .unwrap();

    let verified = checked(&record, &trust, 2055).unwrap();
    assert!(verified.existed_at > year(2027) && verified.existed_at < year(2028));
    let until: Vec<_> = verified.stamps.iter().map(|stamp| stamp.until).collect();
    assert_eq!(until, [year(2030), year(2040), year(2060)]);
    let late = checked(&record, &trust, 2061).unwrap_err();
    assert_eq!((late.chain, late.stamp), (1, 0));
    assert!(
        matches!(late.fault, RecordError::CertificateEnded { .. }),
        "{late}"
    );
}

#[test]
fn a_renewal_that_came_too_late_proves_nothing() {
    if !is_openssl_there() {
        return;
    }
    let (first, second) = (Authority::new(2030, 3), Authority::new(2060, 3));
    let trust = Authority::trust_of(&[&first, &second]);
    let mut record = stamped_in(&first, 2027);
    renewed_in(&second, 2031, &mut record);
    let late = checked(&record, &trust, 2055).unwrap_err();
    assert_eq!((late.chain, late.stamp), (0, 0));
    let RecordError::CertificateEnded { until, at } = late.fault else {
        panic!("{late}");
    };
    assert!(until == year(2030) && at > year(2031), "{until} {at}");
}

#[test]
fn times_that_do_not_ascend_are_refused() {
    if !is_openssl_there() {
        return;
    }
    let tsa = Authority::new(2060, 3);
    for earlier in [2027, 2026] {
        let mut record = stamped_in(&tsa, 2027);
        renewed_in(&tsa, earlier, &mut record);
        let refused = checked(&record, &tsa.trust(), 2055).unwrap_err();
        assert!(
            matches!(refused.fault, RecordError::Order { .. }),
            "{refused}"
        );
    }
}

#[test]
fn no_octet_of_a_record_changes_unnoticed_and_none_makes_the_reader_panic() {
    if !is_openssl_there() {
        return;
    }
    let mut interval = Interval::closed(Authority::new(2100, 3));
    interval.renew_time_stamp();
    let der = interval.object.to_der();
    assert_eq!(EvidenceRecord::from_der(&der).unwrap().to_der(), der);
    // Of the old token each octet counts, whatever CMS makes of it: the new one is over all of them.
    let old = interval.object.chains()[0][0].token();
    let start = der.windows(old.len()).position(|w| w == old).unwrap();
    for at in (0..start + old.len()).step_by(3) {
        let mut twin = der.clone();
        twin[at] ^= 0x10;
        let read = EvidenceRecord::from_der(&twin);
        let refused = read.map(|twin| interval.check(&twin, &[OBJECT, OPENING]));
        assert!(!matches!(refused, Ok(Ok(_))), "octet {at}");
    }
    for length in (0..der.len()).step_by(7) {
        assert!(EvidenceRecord::from_der(&der[..length]).is_err());
    }
}

#[test]
fn attributes_and_infos_of_others_are_kept_as_they_came() {
    if !is_openssl_there() {
        return;
    }
    let interval = Interval::closed(Authority::new(2100, 3));
    let value = |tag: u8, content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        match content.len() {
            short @ 0..=127 => [&[tag, u8::try_from(short).unwrap()], content].concat(),
            128..=255 => [&[tag, 0x81, length[1]], content].concat(),
            _ => [&[tag, 0x82, length[0], length[1]], content].concat(),
        }
    };
    let attribute = value(
        0x30,
        &[&value(6, &[0x2a, 3])[..], &value(0x31, &[5, 0])].concat(),
    );
    let token = interval.tsa.stamp(&Hash::of(Sha256, FILE));
    // No algorithm, no tree: the token is over the file; parameters NULL, as others write them.
    let stamp = value(0x30, &[&value(0xa1, &attribute)[..], &token].concat());
    let sequence = value(0x30, &value(0x30, &stamp));
    let sha256 = [6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];
    let unknown = value(0x30, &value(6, &[0x2a, 4]));
    let algorithms = value(0x30, &[&value(0x30, &sha256)[..], &unknown].concat());
    let head = [&[2, 1, 1][..], &algorithms].concat();
    let infos = [value(0xa0, &attribute), value(0xa1, &attribute)].concat();
    let octets = value(0x30, &[&head[..], &infos, &sequence].concat());
    let record = EvidenceRecord::from_der(&octets).unwrap();
    assert_eq!(record.to_der(), octets);
    interval.check(&record, &[FILE]).unwrap();
    let two = interval.check(&record, &[FILE, OBJECT]).unwrap_err();
    assert_eq!(two.fault, RecordError::NoTree);

    let undeclared = value(
        0x30,
        &[&[2, 1, 1][..], &value(0x30, &unknown), &sequence].concat(),
    );
    let undeclared = EvidenceRecord::from_der(&undeclared).unwrap();
    let undeclared = interval.check(&undeclared, &[FILE]).unwrap_err();
    assert_eq!(undeclared.fault, RecordError::Undeclared(Sha256));
    let second = value(0x30, &[&[2, 1, 2][..], &algorithms, &sequence].concat());
    assert_eq!(
        EvidenceRecord::from_der(&second),
        Err(RecordError::Malformed("version"))
    );
}
