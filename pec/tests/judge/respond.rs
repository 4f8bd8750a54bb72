//! Makes OCSP responses with any one thing wrong in them.

use crate::make::{Chain, ECDSA_SHA256, Party, SHA256, algorithm, inside, oid, tlv};
use ceralacca_pec::DigestAlgorithm;

const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
pub const ARCHIVE_CUTOFF: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 6];
pub const GOOD: &[u8] = &[0x80, 0];
pub const UNKNOWN: &[u8] = &[0x82, 0];

pub fn time(text: &str) -> Vec<u8> {
    tlv(0x18, &[text.as_bytes()])
}

pub fn revoked(from: &str) -> Vec<u8> {
    let reason = tlv(0xa0, &[&[0x0a, 1, 1]]);
    tlv(0xa1, &[&time(from), &reason])
}

/// The octets of the key of a party, as in the bit string.
pub fn key(party: &Party) -> Vec<u8> {
    let tbs = inside(inside(&party.der)[0]);
    let bits = inside(tbs[6])[1];
    bits[3..].to_vec()
}

pub fn subject(party: &Party) -> Vec<u8> {
    inside(inside(&party.der)[0])[5].to_vec()
}

/// A response to write.
#[derive(Clone)]
pub struct Ocsp {
    pub status: Vec<u8>,
    /// thisUpdate and producedAt.
    pub made: &'static str,
    pub produced: Option<&'static str>,
    pub next: Option<&'static str>,
    pub extensions: Vec<u8>,
    pub certificates: Vec<Vec<u8>>,
    pub digest: DigestAlgorithm,
    pub serial: Vec<u8>,
    pub issuer: (Vec<u8>, Vec<u8>),
    pub by_name: bool,
}

impl Ocsp {
    /// Good, of the signer of a chain, made after it signed.
    pub fn of(chain: &Chain) -> Self {
        Self {
            status: GOOD.to_vec(),
            made: "20270101000000Z",
            produced: None,
            next: None,
            extensions: Vec::new(),
            certificates: Vec::new(),
            digest: DigestAlgorithm::Sha1,
            serial: serial(&chain.signer),
            issuer: (subject(&chain.middle), key(&chain.middle)),
            by_name: false,
        }
    }

    pub fn signed_by(&self, party: &Party) -> Vec<u8> {
        let oid_of = match self.digest {
            DigestAlgorithm::Sha1 => SHA1,
            _ => SHA256,
        };
        let hash = |octets: &[u8]| tlv(4, &[self.digest.of(octets).as_ref()]);
        let (name, key_of) = (hash(&self.issuer.0), hash(&self.issuer.1));
        let serial = tlv(2, &[&self.serial]);
        let id = tlv(0x30, &[&algorithm(oid_of), &name, &key_of, &serial]);
        let next = self.next.map(|next| tlv(0xa0, &[&time(next)]));
        let single = [
            &id,
            &self.status,
            &time(self.made),
            &next.unwrap_or_default(),
            &self.extensions,
        ];
        let single = tlv(0x30, &single.map(Vec::as_slice));
        let responder = match self.by_name {
            true => tlv(0xa1, &[&subject(party)]),
            false => {
                let hash = DigestAlgorithm::Sha1.of(&key(party));
                tlv(0xa2, &[&tlv(4, &[hash.as_ref()])])
            }
        };
        let produced = time(self.produced.unwrap_or(self.made));
        let tbs = tlv(0x30, &[&responder, &produced, &tlv(0x30, &[&single])]);
        let signature = tlv(3, &[&[0], &party.sign(&tbs)]);
        let certificates = match self.certificates.is_empty() {
            true => Vec::new(),
            false => tlv(0xa0, &[&tlv(0x30, &[&self.certificates.concat()])]),
        };
        let basic = [&tbs, &algorithm(ECDSA_SHA256), &signature, &certificates];
        let basic = tlv(0x30, &basic.map(Vec::as_slice));
        let bytes = tlv(0x30, &[&oid(BASIC), &tlv(4, &[&basic])]);
        tlv(0x30, &[&[0x0a, 1, 0], &tlv(0xa0, &[&bytes])])
    }
}

/// The serial number of a party's certificate.
pub fn serial(party: &Party) -> Vec<u8> {
    inside(inside(&party.der)[0])[1][2..].to_vec()
}
