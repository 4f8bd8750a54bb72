//! The development authority before openssl, and every check of an answer with an answer that fails it.

use crate::made::*;
use ceralacca_evidence::Imprint;
use ceralacca_evidence::authority::{Authority, DEVELOPMENT_POLICY};
use ceralacca_evidence::certificates::{MARK, Purpose, is_development};
use ceralacca_evidence::software_key::SoftwareKey;
use ceralacca_evidence::tsp::{AnswerError, Consequence, Policy, Request, Rules};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::judge::{Ground, Material};
use ceralacca_pec::tsp::{Failure, Refusal};

const DATA: &[u8] = b"{\"sequence\":1}\n";

fn imprint(bytes: &[u8]) -> Imprint {
    let digest = DigestAlgorithm::Sha256.of(bytes);
    Imprint::Sha256(digest.as_ref().try_into().unwrap())
}

fn request() -> Request {
    Request::new(imprint(DATA), rand::random(), None)
}

#[test]
fn openssl_accepts_a_token_of_the_development_authority_and_no_damaged_twin() {
    if !has("openssl", "version") {
        return;
    }
    let made = Made::new();
    made.write("data", DATA);
    for options in ["-sha256 -cert", "-sha512 -cert -no_nonce", "-sha384"] {
        let query = format!("ts -query -data data {options} -out q.tsq");
        accepts(&made.openssl(&query));
        let request = std::fs::read(made.folder.path().join("q.tsq")).unwrap();
        let answer = made.answer(&request, now());
        made.write("r.tsr", &answer);
        let verify = "ts -verify -queryfile q.tsq -in r.tsr -CAfile root.pem -untrusted tsa.pem";
        accepts(&made.openssl(verify));
        let text = says(&made.openssl("ts -reply -in r.tsr -text"));
        assert!(text.contains(DEVELOPMENT_POLICY), "{text}");
        assert!(text.contains(MARK), "{text}");
        assert!(text.contains("Accuracy: 0x01 seconds"), "{text}");
        // The last octet is of the signature.
        let mut damaged = answer.clone();
        *damaged.last_mut().unwrap() ^= 1;
        made.write("r.tsr", &damaged);
        refuses(&made.openssl(verify), "Verification: FAILED");
        made.write("r.tsr", &answer);
        made.write("other", b"other");
        let other = "ts -verify -data other -in r.tsr -CAfile root.pem -untrusted tsa.pem";
        refuses(&made.openssl(other), "message imprint mismatch");
    }
}

#[test]
fn openssl_takes_our_request_and_its_own_authority_answers_it() {
    if !has("openssl", "version") {
        return;
    }
    let made = Made::new();
    let asked = Request::new(
        imprint(DATA),
        [0xff; 8],
        Some(Policy::try_from(DEVELOPMENT_POLICY).unwrap()),
    );
    made.write("q.tsq", asked.der());
    let text = says(&made.openssl("ts -query -in q.tsq -text"));
    assert!(text.contains("Certificate required: yes"), "{text}");
    assert!(text.contains("Nonce: 0xFFFFFFFFFFFFFFFF"), "{text}");
    assert!(text.contains(DEVELOPMENT_POLICY), "{text}");
}

#[test]
fn certificates_and_chain_are_what_openssl_wants_and_say_that_they_are_for_development() {
    if !has("openssl", "version") {
        return;
    }
    let made = Made::new();
    accepts(&made.openssl("verify -x509_strict -CAfile root.pem root.pem"));
    accepts(&made.openssl("verify -x509_strict -purpose timestampsign -CAfile root.pem tsa.pem"));
    accepts(&made.openssl("verify -x509_strict -purpose any -CAfile root.pem seal.pem"));
    refuses(
        &made.openssl("verify -purpose timestampsign -CAfile root.pem seal.pem"),
        "unsuitable certificate purpose",
    );
    for name in ["root", "tsa", "seal"] {
        let text = says(&made.openssl(&format!(
            "x509 -in {name}.pem -noout -subject -nameopt utf8"
        )));
        assert_eq!(text.matches(MARK).count(), 2, "{text}");
    }
    assert!(is_development(&made.root));
    assert!(!is_development(b"no certificate"));
}

#[test]
fn what_the_authority_does_not_grant_it_answers_with_the_reason() {
    let made = Made::new();
    let rules = made.rules();
    let foreign = Policy::try_from("1.3.6.1.4.1.99999.1").unwrap();
    let asked = Request::new(imprint(DATA), [1; 8], Some(foreign));
    let answer = made.answer(asked.der(), now());
    let error = rules.check(&asked, &answer, now()).unwrap_err();
    let AnswerError::Rejected { failures, words } = &error else {
        panic!("{error}");
    };
    assert_eq!(failures, &[Failure::UnacceptedPolicy]);
    assert!(words.contains("non qualificata"), "{words}");
    assert_eq!(error.consequence(), Consequence::Configuration);

    // SHA-1, in the place of SHA-256; and what is no request.
    let sha1 = [
        0x30, 39, 2, 1, 1, 0x30, 31, 0x30, 7, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 4, 20,
    ];
    let sha1 = [&sha1[..], &[0; 20], &[1, 1, 0xff]].concat();
    for (bytes, expected) in [
        (&sha1[..], Failure::BadAlgorithm),
        (&sha1[..9], Failure::BadDataFormat),
    ] {
        let answer = made.answer(bytes, now());
        let error = rules.check(&request(), &answer, now()).unwrap_err();
        assert!(
            matches!(&error, AnswerError::Rejected { failures, .. } if *failures == [expected]),
            "{error}"
        );
    }
    let error = rules
        .check(&request(), &Authority::failure(), now())
        .unwrap_err();
    assert!(matches!(error, AnswerError::Unavailable { .. }));
    assert_eq!(error.consequence(), Consequence::Retry);
}

#[test]
fn a_good_answer_is_kept_whole_with_its_accuracy_and_the_end_of_its_chain() {
    let made = Made::new();
    let asked = request();
    let at = UtcMillis::new(now().get() / 1000 * 1000 + 123);
    let answer = made.answer(asked.der(), at);
    let stamped = made.rules().check(&asked, &answer, now()).unwrap().stamped;
    assert_eq!(stamped.time, at);
    assert_eq!(stamped.accuracy_ms, 1000);
    assert_eq!(stamped.proven_past().get(), at.get() - 1000);
    assert_eq!(
        (&stamped.request[..], &stamped.response),
        (asked.der(), &answer)
    );
    assert!(
        answer
            .windows(stamped.token.len())
            .any(|part| part == stamped.token)
    );
    assert_eq!(stamped.authority, "sviluppo");
    assert!(!stamped.is_proven);
    let days = (stamped.valid_until.get() - at.get()) / DAY_MS;
    assert!((364..=365).contains(&days), "{days}");
    // Everything is in the token: certReq was set.
    assert!(stamped.certificates.is_empty());
    assert_eq!(hex::encode(&stamped.serial), "010000000000000001");
}

#[test]
fn an_answer_to_another_question_is_an_alarm() {
    let made = Made::new();
    let rules = made.rules();
    let asked = request();
    let answer = made.answer(asked.der(), now());
    let check = |rules: &Rules, asked: &Request, answer: &[u8]| {
        let error = rules.check(asked, answer, now()).unwrap_err();
        assert_eq!(error.consequence(), Consequence::Security, "{error}");
        error
    };
    assert_eq!(check(&rules, &request(), &answer), AnswerError::Nonce);
    let other = Request::new(imprint(b"other"), [1; 8], None);
    assert_eq!(check(&rules, &other, &answer), AnswerError::Imprint);
    let longer = Request::new(Imprint::Sha512([1; 64]), [1; 8], None);
    assert_eq!(check(&rules, &longer, &answer), AnswerError::Imprint);

    let mut listed = made.rules();
    listed.policies = vec![Policy::try_from("1.2.3").unwrap()];
    let found = DEVELOPMENT_POLICY.to_owned();
    assert_eq!(
        check(&listed, &asked, &answer),
        AnswerError::Policy { found }
    );
    listed
        .policies
        .push(Policy::try_from(DEVELOPMENT_POLICY).unwrap());
    listed.check(&asked, &answer, now()).unwrap();

    let mut damaged = answer.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let expected = AnswerError::Token(Refusal::Signature(Ground::SignatureInvalid));
    assert_eq!(check(&rules, &asked, &damaged), expected);
    assert_eq!(check(&rules, &asked, b"<html>"), AnswerError::Malformed);
    assert_eq!(check(&rules, &asked, &[]), AnswerError::Malformed);
    assert_eq!(
        check(&rules, &asked, &[0x30, 5, 0x30, 3, 2, 1, 0]),
        AnswerError::TokenMissing
    );
    assert_eq!(
        check(&rules, &asked, &[0x30, 5, 0x30, 3, 2, 1, 9]),
        AnswerError::Malformed
    );

    let stranger = Made::new();
    let foreign = stranger.answer(asked.der(), now());
    let error = check(&rules, &asked, &foreign);
    assert!(
        matches!(error, AnswerError::Token(Refusal::Chain(_))),
        "{error}"
    );
}

#[test]
fn a_certificate_for_another_purpose_stamps_nothing() {
    let made = Made::new();
    let root_key = ecdsa();
    let root = certificate(Purpose::Root, &root_key, &root_key);
    let key = ecdsa();
    let own = certificate(Purpose::Seal, &key, &root_key);
    let signer = SoftwareKey::new(key, own, vec![root.clone()], true).unwrap();
    let authority = Authority::new(Box::new(signer));
    let asked = request();
    let answer = authority.answer(asked.der(), now(), [1; 16]).unwrap();
    let anchors = vec![made.root.clone(), root];
    let material = Material {
        anchors,
        ..Material::default()
    };
    let rules = Rules::new("x", material, true).unwrap();
    let error = rules.check(&asked, &answer, now()).unwrap_err();
    assert_eq!(error, AnswerError::Token(Refusal::Purpose));
}

#[test]
fn a_time_beyond_accuracy_and_tolerance_is_suspect_either_way() {
    let made = Made::new();
    let mut rules = made.rules();
    rules.tolerance_ms = 60_000;
    let asked = request();
    let at = now();
    let answer = made.answer(asked.der(), at);
    let check = |ours: u64| rules.check(&asked, &answer, UtcMillis::new(ours));
    check(at.get() + 61_000).unwrap();
    check(at.get() - 61_000).unwrap();
    for ours in [at.get() + 61_001, at.get() - 61_001] {
        let error = check(ours).unwrap_err();
        let ours = UtcMillis::new(ours);
        assert_eq!(error, AnswerError::TimeApart { stated: at, ours });
        assert_eq!(error.consequence(), Consequence::Suspect);
    }
}

#[test]
fn the_request_vector_is_reproduced() {
    let policy = Policy::try_from(DEVELOPMENT_POLICY).unwrap();
    let requests = [
        Request::new(
            Imprint::Sha256([0x11; 32]),
            [0, 0xff, 1, 2, 3, 4, 5, 6],
            None,
        ),
        Request::new(Imprint::Sha512([0x22; 64]), [0; 8], Some(policy)),
    ];
    let text: String = requests
        .iter()
        .map(|request| hex::encode(request.der()) + "\n")
        .collect();
    is_vector("time-stamp-request.txt", &text);
}
