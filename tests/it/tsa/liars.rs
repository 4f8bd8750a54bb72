//! Authorities that are silent, slow, broken, unwilling, or lie: each named precisely, and the next one asked.

use super::*;
use ceralacca_evidence::tsp::{Policy, Request};
use ceralacca_evidence::{StampError, Stamper as _};
use ceralacca_formats::id::UtcMillis;
use ceralacca_pec::tsp::Asked;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

const REPLY: &str = "application/timestamp-reply";

/// What is done with a question.
type Answering = Box<dyn Fn(&[u8]) -> Reaction + Send>;

enum Reaction {
    /// Status, content type, body.
    Answer(u16, &'static str, Vec<u8>),
    /// Nothing, and the connection stays open.
    Silence,
    /// The connection ends.
    End,
}

/// Serves questions until the test ends.
fn serve(answering: Answering) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Some(body) = body(&mut stream) else {
                continue;
            };
            match answering(&body) {
                Reaction::Answer(status, kind, body) => {
                    let head = format!(
                        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    // Who asked may have gone.
                    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
                }
                Reaction::Silence => open.push(stream),
                Reaction::End => {}
            }
        }
    });
    port
}

fn body(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        all.extend_from_slice(&chunk[..count]);
        let Some(end) = all.windows(4).position(|part| part == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
        assert!(
            head.contains("content-type: application/timestamp-query"),
            "{head}"
        );
        let length = head.split("content-length: ").nth(1)?.lines().next()?;
        let length: usize = length.trim().parse().unwrap();
        if all.len() >= end + 4 + length {
            return Some(all[end + 4..end + 4 + length].to_vec());
        }
    }
}

fn now() -> UtcMillis {
    SystemClock::default().wall()
}

fn granted(answer: Vec<u8>) -> Reaction {
    Reaction::Answer(200, REPLY, answer)
}

fn serial() -> [u8; 16] {
    rand::random()
}

/// The nonce of a question.
fn nonce(asked: &Asked) -> [u8; 8] {
    let sent = asked.nonce.clone().unwrap();
    let mut nonce = [0; 8];
    for (to, from) in nonce.iter_mut().rev().zip(sent.iter().rev()) {
        *to = *from;
    }
    nonce
}

/// Asks one authority that behaves like this, and then a good one; what was said of the first, how often.
fn tried(keys: &Keys, first: impl FnOnce(&mut Remote), answering: Answering) -> Vec<&'static str> {
    let good = keys.authority();
    let good = serve(Box::new(move |request| {
        granted(good.answer(request, now(), serial()).unwrap())
    }));
    let mut bad = keys.remote("cattiva", serve(answering));
    first(&mut bad);
    let (client, kept) = client(vec![bad, keys.remote("buona", good)]);
    let stamped = client.stamp(&imprint()).unwrap();
    assert_eq!(stamped.authority, "buona");
    assert!(stamped.is_proven);
    let mut outcomes = kept.outcomes();
    assert_eq!(outcomes.pop(), Some(("buona".into(), "good")));
    let attempts = kept.0.lock().unwrap();
    let mut requests: Vec<_> = attempts.iter().map(|attempt| &attempt.request).collect();
    requests.sort();
    requests.dedup();
    assert_eq!(requests.len(), attempts.len(), "a nonce was used twice");
    let first = outcomes.into_iter().map(|(name, code)| {
        assert_eq!(name, "cattiva");
        code
    });
    first.collect()
}

#[test]
fn who_cannot_now_is_asked_three_times_and_then_the_next() {
    let keys = Keys::new();
    let short = |remote: &mut Remote| remote.timeout = Duration::from_millis(150);
    let silent = tried(&keys, short, Box::new(|_| Reaction::Silence));
    assert_eq!(silent, ["timeout"; 3]);
    let broken =
        |status| Box::new(move |_: &[u8]| Reaction::Answer(status, "text/plain", Vec::new()));
    assert_eq!(tried(&keys, |_| {}, broken(500)), ["http-status"; 3]);
    assert_eq!(tried(&keys, |_| {}, broken(429)), ["http-status"; 3]);
    assert_eq!(
        tried(&keys, |_| {}, Box::new(|_| Reaction::End)),
        ["unreachable"; 3]
    );
    let nobody = |remote: &mut Remote| remote.url = "http://127.0.0.1:1/".into();
    assert_eq!(tried(&keys, nobody, broken(200)), ["unreachable"; 3]);
    let failing = Box::new(|_: &[u8]| granted(Authority::failure()));
    assert_eq!(tried(&keys, |_| {}, failing), ["authority-unavailable"; 3]);
}

#[test]
fn who_answers_slowly_but_in_time_is_heard() {
    let keys = Keys::new();
    let authority = keys.authority();
    let slow = serve(Box::new(move |request| {
        std::thread::sleep(Duration::from_millis(300));
        granted(authority.answer(request, now(), serial()).unwrap())
    }));
    let (client, kept) = client(vec![keys.remote("lenta", slow)]);
    client.stamp(&imprint()).unwrap();
    assert_eq!(kept.outcomes(), [("lenta".to_owned(), "good")]);
}

#[test]
fn who_will_not_is_asked_once() {
    let keys = Keys::new();
    let authority = keys.authority();
    // A policy that it does not have.
    let foreign = |remote: &mut Remote| remote.policy = Some(Policy::try_from("1.2.3").unwrap());
    let unwilling = Box::new(move |request: &[u8]| {
        granted(authority.answer(request, now(), serial()).unwrap())
    });
    assert_eq!(tried(&keys, foreign, unwilling), ["request-rejected"]);
    let missing = Box::new(|_: &[u8]| Reaction::Answer(404, "text/html", Vec::new()));
    assert_eq!(tried(&keys, |_| {}, missing), ["http-status"]);
    let page = Box::new(|_: &[u8]| Reaction::Answer(200, "text/html", b"<html>".to_vec()));
    assert_eq!(tried(&keys, |_| {}, page), ["content-type"]);
}

#[test]
fn who_lies_is_named_by_the_lie_and_asked_once() {
    let keys = Keys::new();
    let lying = |lie: fn(&Authority, &Asked) -> Vec<u8>| -> Answering {
        let authority = keys.authority();
        Box::new(move |request| granted(lie(&authority, &Asked::read(request).unwrap())))
    };
    let another_nonce = lying(|authority, _| {
        let old = Request::new(imprint(), [1; 8], None);
        authority.answer(old.der(), now(), serial()).unwrap()
    });
    assert_eq!(tried(&keys, |_| {}, another_nonce), ["nonce-differs"]);
    let another_imprint = lying(|authority, asked| {
        let other = Request::new(Imprint::Sha256([1; 32]), nonce(asked), None);
        authority.answer(other.der(), now(), serial()).unwrap()
    });
    assert_eq!(tried(&keys, |_| {}, another_imprint), ["imprint-differs"]);
    let another_policy = lying(|authority, asked| {
        let other = Request::new(imprint(), nonce(asked), None);
        authority.answer(other.der(), now(), serial()).unwrap()
    });
    let foreign = |remote: &mut Remote| remote.policy = Some(Policy::try_from("1.2.3").unwrap());
    assert_eq!(tried(&keys, foreign, another_policy), ["policy-differs"]);
    for hours in [-24, 1] {
        let authority = keys.authority();
        let another_time: Answering = Box::new(move |request| {
            let at = now().get().checked_add_signed(hours * 3_600_000).unwrap();
            granted(
                authority
                    .answer(request, UtcMillis::new(at), serial())
                    .unwrap(),
            )
        });
        assert_eq!(tried(&keys, |_| {}, another_time), ["time-apart"]);
    }
    let damaged = lying(|authority, asked| {
        let same = Request::new(imprint(), nonce(asked), None);
        let mut answer = authority.answer(same.der(), now(), serial()).unwrap();
        *answer.last_mut().unwrap() ^= 1;
        answer
    });
    assert_eq!(tried(&keys, |_| {}, damaged), ["time-stamp-signature"]);
    let long = Box::new(|_: &[u8]| granted(vec![0; (1 << 20) + 1]));
    assert_eq!(tried(&keys, |_| {}, long), ["answer-too-long"]);
    let garbage = Box::new(|_: &[u8]| granted(b"marca".to_vec()));
    assert_eq!(tried(&keys, |_| {}, garbage), ["answer-malformed"]);
}

#[test]
fn who_has_another_certificate_is_named_by_it() {
    let keys = Keys::new();
    for (authority, code) in [
        (keys.impostor(), "time-stamp-purpose"),
        (Keys::new().authority(), "time-stamp-chain"),
    ] {
        let answering: Answering =
            Box::new(move |request| granted(authority.answer(request, now(), serial()).unwrap()));
        assert_eq!(tried(&keys, |_| {}, answering), [code]);
    }
}

#[test]
fn when_none_is_left_the_error_names_each_and_whether_to_wait() {
    let keys = Keys::new();
    let down = || {
        serve(Box::new(|_| {
            Reaction::Answer(503, "text/plain", Vec::new())
        }))
    };
    let (silent, kept) = client(vec![
        keys.remote("prima", down()),
        keys.remote("seconda", down()),
    ]);
    let error = silent.stamp(&imprint()).unwrap_err();
    let expected = "prima: HTTP status 503; seconda: HTTP status 503";
    assert_eq!(error, StampError::Silent(expected.into()));
    assert_eq!(kept.outcomes().len(), 6);
    let garbage = serve(Box::new(|_| granted(b"marca".to_vec())));
    let (refused, _) = client(vec![
        keys.remote("prima", down()),
        keys.remote("falsa", garbage),
    ]);
    let error = refused.stamp(&imprint()).unwrap_err();
    assert!(
        matches!(&error, StampError::Refused(said) if said.contains("falsa: no readable")),
        "{error}"
    );
    let (nobody, _) = client(Vec::new());
    assert_eq!(
        nobody.stamp(&imprint()),
        Err(StampError::Silent("none is configured".into()))
    );
}

#[test]
fn a_suspect_answer_is_kept_whole() {
    let keys = Keys::new();
    let authority = keys.authority();
    let late = serve(Box::new(move |request| {
        let at = UtcMillis::new(now().get() + 86_400_000);
        granted(authority.answer(request, at, serial()).unwrap())
    }));
    let (client, kept) = client(vec![keys.remote("futura", late)]);
    client.stamp(&imprint()).unwrap_err();
    let attempts = kept.0.lock().unwrap();
    let response = attempts[0].response.as_ref().unwrap();
    let token = ceralacca_pec::tsp::Token::read(response).unwrap();
    assert_eq!(token.info().imprint, imprint().digest());
}

/// Whoever waits for a stamp may be within a runtime.
#[tokio::test]
async fn a_stamp_is_had_from_within_a_runtime_too() {
    let keys = Keys::new();
    let authority = keys.authority();
    let good = serve(Box::new(move |request| {
        granted(authority.answer(request, now(), serial()).unwrap())
    }));
    let (client, _) = client(vec![keys.remote("buona", good)]);
    assert_eq!(client.stamp(&imprint()).unwrap().authority, "buona");
}
