//! Input that is made to hurt, in growing sizes: eight times the octets cost about eight times as long.

use crate::make::{AT_MS, Chain, Cms, Mail, Party, SignerInfo, indefinite, issued, tlv};
use crate::targets;
use ceralacca_pec::judge::{Ground, Times, cms, judge};
use ceralacca_pec::read;
use rcgen::{CustomExtension, DistinguishedName, DnType, KeyPair, SerialNumber};
use std::time::{Duration, Instant};

/// The larger of two sizes, in octets, within what is kept of a header or a record; and how many times the smaller.
const LARGE: usize = 1_000_000;
const TIMES: usize = 8;
/// Linear would be [`TIMES`]; quadratic, its square. Between, with room for a machine that does other things.
const TIMES_MAX: f64 = 4.0 * TIMES as f64;
/// What takes less than this is not measured against anything.
const SHORT: Duration = Duration::from_millis(60);
/// How finely the system counts the time of a thread.
const TICK: Duration = Duration::from_millis(4);
const ROUNDS: usize = 3;
/// How often it is measured anew, should the machine have been busy.
const ATTEMPTS: usize = 4;

/// A hostile input of about so many octets.
type Make = fn(usize) -> Vec<u8>;

fn repeated(head: &str, piece: &str, tail: &str, octets: usize) -> Vec<u8> {
    [head, &piece.repeat(octets / piece.len()), tail]
        .concat()
        .into_bytes()
}

/// After an octet that the target reads first.
fn first(octet: u8, bytes: Vec<u8>) -> Vec<u8> {
    [vec![octet], bytes].concat()
}

const SIGNED: &str =
    "From: a@example.test\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n";

const READER: &[(&str, Make)] = &[
    ("quotes", |n| {
        let head = "\u{c}From: a@example.test\r\nContent-Type: multipart/signed; boundary=\"";
        repeated(head, "\\\"", "\"\r\n\r\n", n)
    }),
    ("comments", |n| {
        repeated("\u{c}Content-Type: multipart/signed", "(\\", ")\r\n\r\n", n)
    }),
    ("parameters", |n| {
        repeated(
            "\u{c}From: a\r\nContent-Type: multipart/signed",
            "; a*1*=u''%41",
            "\r\n\r\n",
            n,
        )
    }),
    ("encoded words", |n| {
        let head = "\u{c}Message-ID: <1@x>\r\nFrom: ";
        repeated(head, "=?utf-8?Q?=41?= ", "\r\n\r\n", n)
    }),
    ("folded header", |n| {
        repeated("\u{c}From: a", "\r\n\t,", "\r\n\r\n", n)
    }),
    ("one long header", |n| {
        repeated("\u{c}X: ", "x", "\r\n\r\n", n)
    }),
    ("many headers", |n| {
        repeated("\u{c}", "From: a\r\n", "\r\n", n)
    }),
    ("headers without colons", |n| {
        repeated("\u{c}From: a\r\n", "x\r\n", "\r\n", n)
    }),
    ("delimiters", |n| {
        repeated(&format!("\u{c}{SIGNED}"), "--b\r\n", "", n)
    }),
    ("almost delimiters", |n| {
        repeated(&format!("\u{c}{SIGNED}"), "--b-\r\n--", "", n)
    }),
    ("line breaks", |n| {
        repeated(&format!("\u{c}{SIGNED}"), "\r\n", "", n)
    }),
    ("carriage returns", |n| {
        repeated(&format!("\u{c}{SIGNED}"), "\r", "", n)
    }),
    ("one line without an end", |n| {
        repeated(&format!("\u{c}{SIGNED}"), "--b ", "", n)
    }),
    ("octet by octet", |n| {
        repeated(&format!("\0{SIGNED}"), "-", "", n)
    }),
    ("parts of the signed part", |n| {
        let head = format!("\u{c}{SIGNED}Content-Type: multipart/mixed; boundary=c\r\n\r\n");
        repeated(
            &head,
            "--c\r\nContent-Type: message/rfc822\r\n\r\nx\r\n",
            "--c--\r\n--b\r\n\r\n--b--",
            n,
        )
    }),
    ("nested boundaries", |n| {
        let mut message = format!("\u{c}{SIGNED}");
        let mut level = 0;
        while message.len() < n {
            message +=
                &format!("Content-Type: multipart/mixed; boundary=n{level}\r\n\r\n--n{level}\r\n");
            level += 1;
        }
        (message + "\r\n--b\r\n\r\n--b--").into_bytes()
    }),
    ("a signature of many values", |n| {
        let head =
            format!("\u{c}{SIGNED}\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\n");
        repeated(&head, "\u{30}\0", "\r\n--b--\r\n", n)
    }),
];

const MIME: &[(&str, Make)] = &[
    ("many parts", |n| {
        let head = "Content-Type: multipart/mixed; boundary=c\r\n\r\n";
        repeated(
            head,
            "--c\r\nContent-Type: a/b; name=x.hash\r\n\r\n00\r\n",
            "--c--\r\n",
            n,
        )
    }),
    ("nested parts", |n| {
        let mut message = String::new();
        let mut level = 0;
        while message.len() < n {
            message +=
                &format!("Content-Type: multipart/mixed; boundary=n{level}\r\n\r\n--n{level}\r\n");
            level += 1;
        }
        message.into_bytes()
    }),
    ("nested messages", |n| {
        repeated("", "Content-Type: message/rfc822\r\n\r\n", "", n)
    }),
    ("one boundary in itself", |n| {
        repeated(
            "",
            "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n",
            "",
            n,
        )
    }),
    ("names in pieces", |n| {
        let head = "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Disposition: attachment";
        repeated(
            head,
            "; filename*0*=utf-8''%41",
            "\r\n\r\nx\r\n--c--\r\n",
            n,
        )
    }),
    ("quoted-printable", |n| {
        let head = "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain; name=x.hash\r\n\
                    Content-Transfer-Encoding: quoted-printable\r\n\r\n";
        repeated(head, "= \t \t", "\r\n--c--\r\n", n)
    }),
    ("blanks at the end of lines", |n| {
        let head = "Content-Type: text/plain; name=x.hash\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
        repeated(head, " ", "=", n)
    }),
];

const DATICERT: &[(&str, Make)] = &[
    ("deep", |n| {
        repeated("\0<postacert tipo='accettazione'>", "<a>", "", n)
    }),
    ("deep, as deep as is followed", |n| {
        let piece = "<a>".repeat(10) + &"</a>".repeat(10);
        repeated(
            "\0<postacert tipo='accettazione'>",
            &piece,
            "</postacert>",
            n,
        )
    }),
    ("attributes", |n| {
        let attributes: String = (0..n / 8).map(|i| format!(" a{i}=''")).collect();
        first(
            0,
            format!("<postacert tipo='accettazione'{attributes}/>").into_bytes(),
        )
    }),
    ("namespaces", |n| {
        let piece = "<a xmlns:a='1' xmlns:b='2' xmlns:c='3' a:x='' b:x='' c:x=''/>";
        repeated(
            "\0<postacert tipo='accettazione'>",
            piece,
            "</postacert>",
            n,
        )
    }),
    ("recipients", |n| {
        let piece = "<destinatari tipo='certificato'>a@pec.alfa.example</destinatari>";
        repeated(
            "\0<postacert tipo='accettazione'><intestazione>",
            piece,
            "</intestazione></postacert>",
            n,
        )
    }),
    ("recipients, each another", |n| {
        let all: String = (0..n / 60)
            .map(|i| format!("<destinatari tipo='esterno'>a{i}@pec.alfa.example</destinatari>"))
            .collect();
        let text = format!(
            "<postacert tipo='accettazione'><intestazione>{all}</intestazione></postacert>"
        );
        first(0, text.into_bytes())
    }),
    ("references", |n| {
        let head = "\0<postacert tipo='accettazione'><intestazione><oggetto>";
        repeated(
            head,
            "&#x41;&amp;",
            "</oggetto></intestazione></postacert>",
            n,
        )
    }),
    ("text between", |n| {
        repeated(
            "\0<postacert tipo='accettazione'>",
            "x<a/>",
            "</postacert>",
            n,
        )
    }),
    ("comments", |n| {
        repeated(
            "\0<postacert tipo='accettazione'>",
            "<!-- - -->",
            "</postacert>",
            n,
        )
    }),
    ("entities", |n| {
        repeated("\0<!DOCTYPE p [", "<!ENTITY a '&b;'>", "]><postacert/>", n)
    }),
    ("addresses", |n| {
        let head = "\0<postacert tipo='presa-in-carico'><dati><ricezione>";
        repeated(head, "a@b.example,", "</ricezione></dati></postacert>", n)
    }),
    ("brackets", |n| repeated("\0", "<", "", n)),
    ("an open comment", |n| {
        repeated("\0<postacert><!--", "--", "", n)
    }),
];

const CMS: &[(&str, Make)] = &[
    ("indefinite, nested", |n| [0x30, 0x80].repeat(n / 2)),
    ("indefinite, nested and closed", |n| {
        let depth = 23;
        let one = [[0x30, 0x80].repeat(depth), [0, 0].repeat(depth)].concat();
        indefinite(&tlv(0x30, &[&one.repeat(n / one.len())]))
    }),
    ("definite, nested", |n| {
        let mut value = Vec::new();
        while value.len() < n.min(1 << 14) {
            value = tlv(0x30, &[&value]);
        }
        tlv(0x30, &[&value.repeat(n / value.len())])
    }),
    ("empty values", |n| tlv(0x30, &[&[0x30, 0].repeat(n / 2)])),
    ("content in pieces", |n| {
        let mut cms = Chain::new().cms(b"x");
        cms.content = Some(Vec::new());
        let bytes = cms.bytes();
        let from = bytes.windows(4).position(|w| w == [0xa0, 2, 4, 0]).unwrap();
        let pieces = tlv(0x24, &[&[4, 1, b'x'].repeat(n / 3)]);
        // Lengths around it are made indefinite, so that they need not be known.
        let head = [
            0x30, 0x80, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2, 0xa0, 0x80, 0x30, 0x80,
            2, 1, 1,
        ];
        let data = [
            0x31, 0, 0x30, 0x80, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1, 0xa0, 0x80,
        ];
        [
            &head[..],
            &data,
            &pieces,
            &[0, 0, 0, 0],
            &bytes[from + 4..],
            &[0; 6],
        ]
        .concat()
    }),
    ("certificates", |n| {
        let chain = Chain::new();
        let mut cms = chain.cms(b"x");
        cms.certificates = vec![chain.signer.der.clone(); n / chain.signer.der.len()];
        cms.bytes()
    }),
    ("signers", |n| {
        let chain = Chain::new();
        let mut cms = chain.cms(b"x");
        cms.signers = vec![cms.signers[0].clone(); n / cms.signers[0].len()];
        cms.bytes()
    }),
    ("small sequences as certificates", |n| {
        let mut cms = Chain::new().cms(b"x");
        cms.certificates = vec![vec![0x30, 0]; n / 2];
        cms.bytes()
    }),
];

const TRUST: &[(&str, Make)] = &[
    ("a certificate of many extensions", |n| {
        let chain = Chain::new();
        first(
            2,
            tlv(
                0x30,
                &[&chain.signer.der.repeat(n / chain.signer.der.len())],
            ),
        )
    }),
    ("values as a CRL", |n| {
        first(3, tlv(0x30, &[&[0x30, 0].repeat(n / 2)]))
    }),
    ("values as an OCSP response", |n| {
        first(4, tlv(0x30, &[&[0x0a, 1, 0], &[0xa0, 0].repeat(n / 2)]))
    }),
];

const LDIF: &[(&str, Make)] = &[
    ("folded", |n| repeated("providerName: x", "\n y", "\n", n)),
    ("attributes", |n| {
        repeated("providerName: x\n", "managedDomains: a.example\n", "", n)
    }),
    ("domains, each another", |n| {
        let all: String = (0..n / 25)
            .map(|i| format!("managedDomains: a{i}.example\n"))
            .collect();
        format!("providerName: x\n{all}").into_bytes()
    }),
    ("records", |n| repeated("", "providerName: x\n\n", "", n)),
    ("records of one certificate", |n| {
        let piece = "providerName: x\nproviderCertificateHash: 00112233445566778899aabbccddeeff00112233\n\n";
        repeated("", piece, "", n)
    }),
    ("no attributes", |n| repeated("", "x\n", "", n)),
    ("blank lines", |n| repeated("", "\r\n", "", n)),
    ("colons", |n| repeated("providerName", ":", "", n)),
    ("one long line", |n| repeated("providerName: ", "x", "", n)),
];

const LINE: &str =
    "Mag  7 09:10:11 2007 PEC_Milter root [812]: x: queueid=q: tipo=accettazione (Accettazione): ";

const LOGS: &[(&str, Make)] = &[
    ("recipients", |n| {
        repeated(
            &format!("\u{b}{LINE}destinatari="),
            "a@b.example (certificato), ",
            "\n",
            n,
        )
    }),
    ("fields", |n| {
        repeated(&format!("\u{b}{LINE}"), ": tipo=x", "\n", n)
    }),
    ("colons", |n| {
        repeated(&format!("\u{b}{LINE}"), ": ", "\n", n)
    }),
    ("labels", |n| {
        repeated(&format!("\u{b}{LINE}oggetto="), "tipo=(", "\n", n)
    }),
    ("folded", |n| {
        repeated(&format!("\u{b}{LINE}oggetto="), "\n x", "\n", n)
    }),
    ("blank lines", |n| {
        repeated(&format!("\u{b}{LINE}"), "\n", " x\n", n)
    }),
    ("blank lines, then text", |n| {
        repeated(&format!("\u{b}{LINE}\n"), "\n\n x\n", "", n)
    }),
    ("records", |n| {
        repeated("\u{b}", &format!("{LINE}\n"), "", n)
    }),
    ("stray lines", |n| repeated("\u{b}", "x\n", "", n)),
    ("one line", |n| repeated("\u{b}", "Mag 7 ", "", n)),
    ("octet by octet", |n| repeated("\0", "Mag ", "", n)),
    ("base64", |n| repeated("\u{b}MI", "A=\n", "", n)),
    ("nested pieces", |n| {
        first(11, [0x30, 0x80, 0x24, 0x80].repeat(n / 4))
    }),
];

const REM: &[(&str, Make)] = &[
    ("deep", |n| repeated("<Evidence>", "<a>", "", n)),
    ("recipients", |n| {
        let piece = "<RecipientDetails><Identifier>a@b.example</Identifier></RecipientDetails>";
        repeated(
            "<Evidence><ERDSEventId>x</ERDSEventId>",
            piece,
            "</Evidence>",
            n,
        )
    }),
    ("attributes", |n| {
        let attributes: String = (0..n / 8).map(|i| format!(" a{i}=''")).collect();
        format!("<Evidence{attributes}/>").into_bytes()
    }),
    ("digests", |n| {
        let piece = "<PartInfo><DigestValue>cGVj</DigestValue></PartInfo>";
        let head = "<Evidence><ERDSEventId>x</ERDSEventId><UserContentInfo><PartsInfo>";
        repeated(head, piece, "</PartsInfo></UserContentInfo></Evidence>", n)
    }),
    ("white space", |n| {
        repeated(
            "<Evidence><ERDSEventId>",
            " \n",
            "</ERDSEventId></Evidence>",
            n,
        )
    }),
    ("brackets", |n| repeated("", "<", "", n)),
];

/// The best of some rounds, of the time the processor gave to this thread: a busy machine gives it later, not more
/// of it.
fn cost(target: impl Fn(&[u8]), input: &[u8]) -> Duration {
    let round = |_| {
        let start = Stopwatch::start();
        target(input);
        start.elapsed()
    };
    (0..ROUNDS).map(round).min().unwrap()
}

struct Stopwatch {
    on_processor: Option<Duration>,
    wall: Instant,
}

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "it measures real time")]
    fn start() -> Self {
        Self {
            on_processor: on_processor(),
            wall: Instant::now(),
        }
    }

    /// Where the system does not say what a thread had, the time of the clock on the wall.
    fn elapsed(&self) -> Duration {
        let times = on_processor().zip(self.on_processor);
        times.map_or_else(|| self.wall.elapsed(), |(end, start)| end - start)
    }
}

/// What this thread has had of the processor so far.
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let first = text.split_ascii_whitespace().next()?;
    Some(Duration::from_nanos(first.parse().ok()?))
}

fn check(name: &str, target: fn(&[u8]), all: &[(&str, Make)]) {
    for (what, make) in all {
        let (small, large) = (make(LARGE / TIMES), make(LARGE));
        assert!(
            large.len() > small.len() * (TIMES - 1),
            "{name}, {what}: it grows"
        );
        let is_linear = |_| {
            let (short, long) = (cost(target, &small), cost(target, &large));
            let times = long.as_secs_f64() / short.max(TICK).as_secs_f64();
            println!("{name}, {what}: {short:?}, {long:?}, {times:.1} times");
            long < SHORT || times < TIMES_MAX
        };
        assert!((0..ATTEMPTS).any(is_linear), "{name}, {what}");
    }
}

#[test]
fn messages_made_to_hurt_cost_no_more_than_their_size() {
    check("reader", targets::reader, READER);
    check("mime", targets::mime, MIME);
}

#[test]
fn xml_made_to_hurt_costs_no_more_than_its_size() {
    check("daticert", targets::daticert, DATICERT);
    check("rem", targets::rem, REM);
}

#[test]
fn signatures_and_trust_made_to_hurt_cost_no_more_than_their_size() {
    check("cms", targets::cms, CMS);
    check("trust", targets::trust, TRUST);
}

#[test]
fn directories_and_logs_made_to_hurt_cost_no_more_than_their_size() {
    check("ldif", targets::ldif, LDIF);
    check("logs", targets::logs, LOGS);
}

/// Signers as many as are read, each of certificates as many as are read: all of one name and number, each with
/// another key, and none with the right one.
#[test]
fn many_signers_of_many_certificates_are_not_all_tried_with_each_other() {
    let chain = Chain::new();
    let mail = Mail::default();
    let good = chain.cms(&mail.signed);
    let mut hostile = chain.cms(&mail.signed);
    let certificates = (0..cms::CERTIFICATES_MAX).map(|_| {
        let mut params = chain.signer.params.clone();
        params.serial_number = Some(SerialNumber::from_slice(&[7]));
        issued(params, KeyPair::generate().unwrap(), &chain.middle)
    });
    let certificates: Vec<Party> = certificates.collect();
    let signer = SignerInfo::new(&certificates[0], &mail.signed);
    hostile.certificates = certificates.iter().map(|party| party.der.clone()).collect();
    hostile.signers = vec![signer.bytes(&chain.signer); cms::SIGNERS_MAX];
    let trust = chain.trust();
    let judged = |cms: &Cms| mail.judge(&cms.bytes(), &trust).grounds;
    assert!(judged(&hostile).contains(&Ground::SignatureInvalid));
    assert!(!judged(&good).contains(&Ground::SignatureInvalid));
    let short = cost(|bytes| drop(mail.judge(bytes, &trust)), &good.bytes());
    let long = cost(|bytes| drop(mail.judge(bytes, &trust)), &hostile.bytes());
    println!("one signer {short:?}, many {long:?}");
    let most = short.max(Duration::from_micros(200)) * 300;
    assert!(long < most, "{short:?}, {long:?}");
}

/// A signer of as many names as are read, and authorities of one key that constrain them by as many subtrees as fit.
#[test]
fn many_names_under_many_constraints_are_not_compared_without_end() {
    // As many as are read and fit; and as many as are compared, more often.
    for (names, subtrees, authorities) in [(255, 1900, 15), (63, 255, 60)] {
        constrained(names, subtrees, authorities);
    }
}

fn constrained(names: usize, subtrees: usize, authorities: u8) {
    let name = |octet: u8| {
        let one = tlv(0x30, &[&[6, 3, 0x55, 4, 3], &[0x0c, 1, octet]]);
        tlv(0xa4, &[&tlv(0x30, &[&tlv(0x31, &[&one])])])
    };
    let names = tlv(0x30, &[&name(b'a').repeat(names)]);
    let subtrees = tlv(0x30, &[&name(b'a')]).repeat(subtrees);
    let constraints = tlv(0x30, &[&tlv(0xa0, &[&subtrees])]);
    let chain = Chain::with(
        |ca| {
            let extension = CustomExtension::from_oid_content(&[2, 5, 29, 30], constraints);
            ca.custom_extensions.push(extension);
        },
        |leaf| {
            leaf.distinguished_name = DistinguishedName::new();
            leaf.distinguished_name.push(DnType::CommonName, "a");
            leaf.subject_alt_names.clear();
            let extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], names);
            leaf.custom_extensions.push(extension);
        },
    );
    let mail = Mail::default();
    let mut hostile = chain.cms(&mail.signed);
    let authorities = (0..authorities).map(|serial| {
        let mut params = chain.middle.params.clone();
        params.serial_number = Some(SerialNumber::from_slice(&[serial + 1]));
        let der = params.signed_by(&chain.middle.key, &chain.root.issuer());
        der.unwrap().der().to_vec()
    });
    hostile.certificates = [chain.signer.der.clone()]
        .into_iter()
        .chain(authorities)
        .collect();
    let bytes = mail.bytes(&hostile.bytes());
    let trust = Chain::new().trust();
    let judged = |bytes: &[u8]| {
        judge(
            &read(bytes),
            &trust,
            Times {
                received_ms: Some(AT_MS),
            },
        )
    };
    assert!(
        judged(&bytes).level.is_integral(),
        "{:?}",
        judged(&bytes).grounds
    );
    let (reading, judging) = (
        cost(|bytes| drop(read(bytes)), &bytes),
        cost(|bytes| drop(judged(bytes)), &bytes),
    );
    println!(
        "{} octets, reading {reading:?}, judging {judging:?}",
        bytes.len()
    );
    // Seconds, were each name read and compared with each subtree again.
    assert!(judging < Duration::from_millis(500), "{judging:?}");
}

#[test]
#[should_panic(expected = "quadratic, on purpose")]
fn what_costs_more_than_its_size_is_noticed() {
    let quadratic = |data: &[u8]| {
        let prefixes = (0..data.len()).step_by(1024);
        let sum: usize = prefixes
            .map(|end| data[..end].iter().filter(|c| **c == b'x').count())
            .sum();
        std::hint::black_box(sum);
    };
    let make: Make = |n| vec![b'x'; n];
    check("quadratic", quadratic, &[("on purpose", make)]);
}
