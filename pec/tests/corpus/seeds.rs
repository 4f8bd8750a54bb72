//! Makes the corpus from synthetic messages. Keys are new each time, so that fixed message and corpus go together.
//!
//! ```text
//! cargo test --release -p ceralacca-pec --test corpus -- --ignored the_corpus_is_made_anew
//! ```

use crate::fuzz_folder;
use crate::make::{Chain, Mail, Party, indefinite};
use crate::respond::{GOOD, Ocsp, UNKNOWN, key, revoked, serial, subject};
use ceralacca_pec::DigestAlgorithm;
use ceralacca_synthetic::damage::{self, Cut};
use ceralacca_synthetic::mail::{Family, Message, MessageKind, PkiOptions, Postal};
use ceralacca_synthetic::pki::Keys;
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
};

const START_MS: i64 = 1_767_225_600_000;
/// Longer messages make a corpus large and a fuzzer slow, and hold nothing new.
const SEED_BYTES_MAX: usize = 12_000;

#[test]
#[ignore = "writes the corpus; run by hand"]
fn the_corpus_is_made_anew() {
    let postal = Postal::new(&PkiOptions::with_keys(Keys::P256), START_MS).unwrap();
    let chain = Chain::new();
    let mail = Mail::default();
    let signature = chain.cms(&mail.signed).bytes();
    write("fixed/message.eml", &mail.bytes(&signature));
    write("fixed/root.der", &chain.root.der);
    let messages = messages(&postal);
    of_messages(&postal, &messages);
    of_signatures(&chain, &mail, &messages);
    of_trust(&chain);
    of_directories(&postal, &chain);
    of_logs(&chain);
    of_evidence();
}

fn write(name: &str, bytes: &[u8]) {
    let path = fuzz_folder().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn seed(target: &str, name: &str, bytes: &[u8]) {
    write(&format!("corpus/{target}/{name}"), bytes);
}

/// After an octet that the target reads first.
fn seed_of(target: &str, name: &str, first: u8, bytes: &[u8]) {
    seed(target, name, &[&[first], bytes].concat());
}

/// One of each type of each family that is not too long.
fn messages(postal: &Postal) -> Vec<Message> {
    let families = [Family::A, Family::B, Family::C, Family::D];
    let all = families
        .into_iter()
        .flat_map(|family| postal.one_of_each_type(family));
    all.filter(|message| message.bytes.len() <= SEED_BYTES_MAX)
        .collect()
}

fn of_messages(postal: &Postal, messages: &[Message]) {
    for (number, message) in messages.iter().enumerate() {
        let name = format!("{:?}-{}", message.family, message.kind().letter());
        let way = u8::try_from(number).unwrap();
        if message.family == Family::A || number % 5 == 0 {
            seed_of("reader", &name, way, &message.bytes);
        }
        if let Some(facts) = message.facts() {
            seed_of("daticert", &name, way, &facts.to_xml(message.family));
        }
        if let Some(original) = &message.draft.postacert
            && number % 3 == 0
        {
            seed("mime", &name, original);
        }
    }
    let delivery = messages
        .iter()
        .find(|message| message.kind() == MessageKind::Acceptance)
        .unwrap();
    let damaged = [
        ("truncated", damage::truncated(delivery, Cut::InSignature)),
        (
            "without-closing",
            Some(damage::without_closing_boundary(delivery)),
        ),
        (
            "without-signature",
            Some(damage::without_signature(delivery)),
        ),
        ("without-daticert", damage::without_daticert(delivery)),
        ("cr-cr-lf", Some(damage::cr_cr_lf(&delivery.bytes))),
        ("lf", Some(delivery.as_lf())),
        ("list", Some(damage::through_a_list(delivery))),
        (
            "two-daticert",
            Some(damage::with_daticert_parts(postal, delivery, 2).bytes),
        ),
    ];
    for (name, bytes) in damaged {
        seed_of("reader", name, 5, &bytes.unwrap());
    }
    let quoted = "From: a@pec.alfa.example\r\nContent-Type: multipart/signed; boundary*0=\"a\\\"\";\r\n \
                  boundary*1*=utf-8''b%20; micalg=(sha-1)sha-256\r\n\r\n--a\"b \r\n\r\n--a\"b \r\n\r\n--a\"b --\r\n";
    seed_of("reader", "quoted", 2, quoted.as_bytes());
    let words = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain;\r\n \
                 name=\"=?utf-8?Q?atto=2Epdf=2Ehash?=\"\r\nContent-Disposition: attachment;\r\n \
                 filename*0*=iso-8859-1'it'perch%E9;\r\n filename*1=.hash\r\nContent-Transfer-Encoding: \
                 quoted-printable\r\n\r\n00112233445566778899aabbccddeeff0011=\r\n2233\r\n--b\r\n\
                 Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n\
                 x\r\n--c--\r\n--b--\r\n";
    seed("mime", "words", words.as_bytes());
    let evidence = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/xml\r\n\r\n{EVIDENCE}\
         \r\n--b--\r\n"
    );
    seed("mime", "evidence", evidence.as_bytes());
    for (name, charset, xml) in [
        ("empty", 0, "<postacert tipo=\"accettazione\"/>"),
        (
            "latin",
            2,
            "<?xml version='1.0' encoding='ISO-8859-1'?><postacert tipo='errore-consegna' errore='no-dest'><x/></postacert>",
        ),
        (
            "dtd",
            1,
            "<!DOCTYPE postacert SYSTEM \"daticert.dtd\"><postacert tipo='presa-in-carico'><dati><ricezione>a@pec.alfa.example, b@pec.beta.example</ricezione></dati></postacert>",
        ),
        (
            "entities",
            0,
            "<!DOCTYPE p [<!ENTITY e 'x'>]><postacert tipo='&e;'>&e;&#x41;<![CDATA[<a>]]></postacert>",
        ),
    ] {
        seed_of("daticert", name, charset, xml.as_bytes());
    }
}

fn of_signatures(chain: &Chain, mail: &Mail, messages: &[Message]) {
    let good = chain.cms(&mail.signed);
    let bytes = good.bytes();
    seed("cms", "good", &bytes);
    seed("cms", "indefinite", &indefinite(&bytes));
    let mut changed = chain.cms(&mail.signed);
    changed.content = Some(mail.signed.clone());
    changed.crls = vec![crl(&chain.middle, &[], (2026, 2027))];
    changed.signers.push(changed.signers[0].clone());
    seed("cms", "attached-two-signers", &changed.bytes());
    for message in messages {
        if message.kind() == MessageKind::Acceptance {
            let name = format!("{:?}", message.family);
            seed("cms", &name, &message.signature());
        }
    }
    seed("cms", "certificate", &chain.signer.der);
}

fn of_trust(chain: &Chain) {
    let key_compromise = RevocationReason::KeyCompromise;
    let own = |year| vec![(serial(&chain.signer), year, key_compromise)];
    for (kind, name, bytes) in [
        (0, "root", chain.root.der.clone()),
        (1, "middle", chain.middle.der.clone()),
        (2, "signer", chain.signer.der.clone()),
        (3, "crl-empty", crl(&chain.middle, &[], (2027, 2028))),
        (
            3,
            "crl-revoked",
            crl(&chain.middle, &own(2025), (2026, 2027)),
        ),
        (3, "crl-later", crl(&chain.middle, &own(2027), (2027, 2028))),
    ] {
        seed_of("trust", name, kind, &bytes);
    }
    let response = |status: &[u8]| Ocsp {
        status: status.to_vec(),
        ..Ocsp::of(chain)
    };
    let by_name = Ocsp {
        by_name: true,
        digest: DigestAlgorithm::Sha256,
        certificates: vec![chain.middle.der.clone()],
        ..response(GOOD)
    };
    let of_authority = Ocsp {
        serial: serial(&chain.middle),
        issuer: (subject(&chain.root), key(&chain.root)),
        ..response(GOOD)
    };
    for (name, response, by) in [
        ("ocsp-good", response(GOOD), &chain.middle),
        (
            "ocsp-revoked",
            response(&revoked("20250101000000Z")),
            &chain.middle,
        ),
        (
            "ocsp-later",
            response(&revoked("20270101000000Z")),
            &chain.middle,
        ),
        ("ocsp-unknown", response(UNKNOWN), &chain.middle),
        ("ocsp-by-name", by_name, &chain.middle),
        ("ocsp-forged", response(GOOD), &chain.signer),
        ("ocsp-authority", of_authority, &chain.root),
    ] {
        seed_of("trust", name, 4, &response.signed_by(by));
    }
    seed_of("trust", "ocsp-error", 4, &[0x30, 3, 0x0a, 1, 3]);
}

fn crl(by: &Party, revoked: &[(Vec<u8>, i32, RevocationReason)], made: (i32, i32)) -> Vec<u8> {
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

fn of_directories(postal: &Postal, chain: &Chain) {
    let mut ldif = "version: 1\n\ndn: o=postacert\nobjectclass: top\n\n".to_owned();
    for (index, provider) in postal.providers().iter().enumerate() {
        let name = provider.options().name;
        let hash = DigestAlgorithm::Sha1.of(provider.signer().certificate_der());
        let hash: String = hash.as_ref().iter().map(|o| format!("{o:02x}")).collect();
        ldif += &format!("dn: providerName={name},o=postacert\nproviderName: {name}\n");
        ldif += &format!("providerCertificateHash: {hash}\n");
        for domain in postal.managed_domains(index).iter().take(3) {
            ldif += &format!("managedDomains: {domain}\n");
        }
        ldif += "\n";
    }
    seed("ldif", "providers", ldif.as_bytes());
    seed("ldif", "crlf", ldif.replace('\n', "\r\n").as_bytes());
    let odd = "# x\ndn:: bz1wb3N0YWNlcnQ=\nproviderName:: R2VzdG9yZSBBbGZh\nprovidercertificate;binary:: AQID\n\
               managedDomains: PEC.alfa.ex\n ample\nproviderUnit: due\nnon un attributo\nmailReceipt:\n\
               url:< https://igpec.example/\nproviderCertificateHash: 00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:\
               00:11:22:33\n";
    seed("ldif", "odd", odd.as_bytes());
    let mut signed = chain.cms(odd.as_bytes());
    signed.content = Some(odd.as_bytes().to_vec());
    seed("cms", "directory", &signed.bytes());
}

fn of_logs(chain: &Chain) {
    let mut day = String::new();
    for (kind, label, more) in [
        ("accettazione", "Accettazione", ""),
        ("posta-certificata", "BustaTrasporto", ""),
        (
            "presa-in-carico",
            "PresaInCarico",
            ": ricezione=bruno@pec.beta.example",
        ),
        (
            "avvenuta-consegna",
            "Consegna",
            ": tipo_ricevuta=completa: consegna=bruno@pec.beta.example",
        ),
        (
            "errore-consegna",
            "MancataConsegna",
            ": errore=no-dest: errore-esteso=5.1.1 - utente ignoto",
        ),
    ] {
        day += &format!(
            "Mag  7 09:10:11 2007 PEC_Milter root [812]: alfa1.20070507091011.00812.04.1.12@pec.alfa.example: \
             queueid=l479AB01: tipo={kind} ({label}): mittente=anna@pec.alfa.example: \
             destinatari=bruno@pec.beta.example (certificato), ufficio@example.org (esterno): \
             oggetto=Prova: tipo=finto: message-id=<r1@pec.alfa.example>: gestore=Gestore Alfa S.p.A.{more}\n"
        );
    }
    let odd = format!(
        "\r\n  continua\r\n{}Mag  7 09:10:12 2007 sendmail[1]: altro\nMag  7 00:00:00 newsyslog[1]: logfile turned \
         over\nMag  7 09:10:13 PEC_Milter root [812]: : tipo=\n\n  oggetto piegato\nOtt 28 02:30:00 2007 PEC_Milter \
         root [1]: x: tipo=accettazione",
        day.replace('\n', "\r\n")
    );
    for (name, way, text) in [("day", 3, &day), ("odd", 4, &odd)] {
        seed_of("logs", name, way, text.as_bytes());
    }
    let mut signed = chain.cms(day.as_bytes());
    signed.content = Some(day.clone().into_bytes());
    let signed = signed.bytes();
    seed_of("logs", "signed", 12, &signed);
    seed_of("logs", "signed-indefinite", 12, &indefinite(&signed));
    let text = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &signed);
    let text = format!("-----BEGIN CMS-----\n{text}\n-----END CMS-----\n");
    seed_of("logs", "signed-pem", 11, text.as_bytes());
}

const EVIDENCE: &str = r##"<?xml version="1.0" encoding="UTF-8"?>
<ev:Evidence xmlns:ev="http://uri.etsi.org/19522/v1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" version="1">
 <ev:EvidenceIdentifier>urn:uuid:00000000-0000-4000-8000-000000000001</ev:EvidenceIdentifier>
 <ev:ERDSEventId>http://uri.etsi.org/19522/Event/ContentConsignment</ev:ERDSEventId>
 <EventTime xmlns="">2026-05-07T07:10:11Z</EventTime>
 <ev:SubmissionTime>2026-05-07T07:10:09.5+02:00</ev:SubmissionTime>
 <ev:EventReasons><ev:EventReason><ev:Code>RB01</ev:Code><Details xmlns="">Inoltrato</Details></ev:EventReason></ev:EventReasons>
 <ev:EvidenceIssuerPolicyID><PolicyID xmlns="">urn:oid:1.3.6.1.4.1.1</PolicyID></ev:EvidenceIssuerPolicyID>
 <ev:SenderDetails><Identifier xmlns="">mailto:anna@pec.alfa.example</Identifier></ev:SenderDetails>
 <ev:RecipientDetails><Identifier xmlns="">bruno@pec.beta.example</Identifier></ev:RecipientDetails>
 <ev:MessageIdentifier>alfa.1@pec.alfa.example</ev:MessageIdentifier>
 <ev:UserContentInfo><ev:PartsInfo><ev:PartInfo><Identifier xmlns="">postacert.eml</Identifier>
  <ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>cGVj</ds:DigestValue></ev:PartInfo></ev:PartsInfo></ev:UserContentInfo>
 <ds:Signature><ds:SignedInfo/></ds:Signature>
</ev:Evidence>
"##;

fn of_evidence() {
    seed("rem", "full", EVIDENCE.as_bytes());
    let short = "<Evidence><EvidenceIdentifier>x</EvidenceIdentifier><ERDSEventId>RelayRejection</ERDSEventId>\
                 <EventTime>2026-05-07T07:10:11Z</EventTime></Evidence>";
    seed("rem", "short", short.as_bytes());
    let units = format!("\u{feff}{short}");
    let octets: Vec<u8> = units.encode_utf16().flat_map(u16::to_le_bytes).collect();
    seed("rem", "utf-16", &octets);
    let dtd = format!("<!DOCTYPE Evidence [<!ENTITY e 'x'>]>{short}");
    seed("rem", "dtd", dtd.as_bytes());
}
