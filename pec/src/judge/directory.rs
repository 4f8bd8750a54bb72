//! The directory of providers (IGPEC): an LDIF, plain or in an opaque CMS.
//!
//! ```text
//! dn: providerName=Gestore Alfa,o=postacert
//! providerName: Gestore Alfa
//! providerCertificateHash: 0123456789ABCDEF0123456789ABCDEF01234567      SHA-1 of the certificate
//! providerCertificate;binary:: MII…
//! mailReceipt: ricevute@pec.alfa.example
//! managedDomains: pec.alfa.example
//! ```
//!
//! # Invariants
//! 1. Lenient in form (RFC 2849: folded lines, base64, comments, any order and case), bounded in everything.
//! 2. A line that is none is counted and passed over: one provider's slip does not take the others away.
//! 3. What a signed directory says and what its signature is worth are two answers: a broken signer does not
//!    hide a readable content, and a readable content says nothing of the signer.
//!
//! The directory changes daily: to judge an old message one needs that of its day.

use super::cms::SignedData;
use super::{Times, Trust, Verdict, judge_cms};
use crate::digests::DigestAlgorithm;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::collections::{HashMap, HashSet};

/// The longest LDIF that is read.
pub const LDIF_BYTES_MAX: usize = 64 << 20;
/// The longest line, unfolded: a certificate in base64 has some three thousand octets.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// The most providers, secondary environments counted apart.
pub const PROVIDERS_MAX: usize = 10_000;
/// The most values of one attribute of one provider: some manage hundreds of thousands of domains.
pub const VALUES_MAX: usize = 2_000_000;

/// Why there is no directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DirectoryError {
    /// Longer than [`LDIF_BYTES_MAX`], or more of something than is read.
    TooLarge,
    /// Not UTF-8.
    NotText,
    /// No record of a provider in it.
    NoProvider,
    /// The CMS is not readable, or carries no content.
    NoContent,
}

impl std::fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the directory is larger than what is read",
            Self::NotText => "the directory is not UTF-8",
            Self::NoProvider => "the directory names no provider",
            Self::NoContent => "the CMS holds no directory",
        })
    }
}

impl std::error::Error for DirectoryError {}

/// A provider, or one of its secondary environments.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Provider {
    /// `providerName`.
    pub name: String,
    /// `providerUnit`, of a secondary environment.
    pub unit: Option<String>,
    /// `mailReceipt`: where takeovers and virus notices go.
    pub mail_receipt: Option<String>,
    /// SHA-1 of its certificates: as stated, and of those that are there themselves.
    certificates: HashSet<Vec<u8>>,
    /// In lower case.
    domains: HashSet<String>,
}

impl Provider {
    /// Whether it manages a domain.
    pub fn manages(&self, domain: &[u8]) -> bool {
        let domain = String::from_utf8_lossy(domain).to_ascii_lowercase();
        self.domains.contains(&domain)
    }

    /// How many domains it manages.
    pub fn domain_count(&self) -> usize {
        self.domains.len()
    }
}

/// The providers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Directory {
    providers: Vec<Provider>,
    by_certificate: HashMap<Vec<u8>, Vec<usize>>,
    lines_passed_over: usize,
}

impl Directory {
    /// Reads an LDIF.
    pub fn read(ldif: &[u8]) -> Result<Self, DirectoryError> {
        if ldif.len() > LDIF_BYTES_MAX {
            return Err(DirectoryError::TooLarge);
        }
        let text = std::str::from_utf8(ldif).map_err(|_| DirectoryError::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut directory = Self::default();
        let mut record = Record::default();
        for line in unfolded(text) {
            if line.is_empty() {
                directory.add(std::mem::take(&mut record))?;
            } else if !line.starts_with('#') && record.add(&line)?.is_none() {
                directory.lines_passed_over += 1;
            }
        }
        directory.add(record)?;
        match directory.providers.is_empty() {
            true => Err(DirectoryError::NoProvider),
            false => Ok(directory),
        }
    }

    /// Reads a directory in an opaque CMS (`.p7m`), and judges its signature.
    pub fn read_signed(
        cms: &[u8],
        trust: &Trust,
        times: Times,
    ) -> (Result<Self, DirectoryError>, Verdict) {
        let verdict = judge_cms(cms, None, None, trust, times);
        let content = SignedData::read(cms).ok().and_then(|data| data.content);
        let content = content.ok_or(DirectoryError::NoContent);
        (content.and_then(|content| Self::read(&content)), verdict)
    }

    /// The providers, in order.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// The lines that are no attribute.
    pub fn lines_passed_over(&self) -> usize {
        self.lines_passed_over
    }

    /// The providers that have a certificate of this SHA-1.
    pub fn with_certificate(&self, sha1: &[u8]) -> impl Iterator<Item = &Provider> {
        let indexes = self.by_certificate.get(sha1).into_iter().flatten();
        indexes.filter_map(|index| self.providers.get(*index))
    }

    /// Takes a record, if it is a provider's. The root, which only says where the LDIF is, is none.
    fn add(&mut self, record: Record) -> Result<(), DirectoryError> {
        let provider = record.provider;
        if provider.name.is_empty() {
            return Ok(());
        }
        if self.providers.len() == PROVIDERS_MAX {
            return Err(DirectoryError::TooLarge);
        }
        for certificate in &provider.certificates {
            let indexes = self.by_certificate.entry(certificate.clone());
            indexes.or_default().push(self.providers.len());
        }
        self.providers.push(provider);
        Ok(())
    }
}

/// Lines put together: one that begins with a blank continues the one before (RFC 2849).
fn unfolded(text: &str) -> impl Iterator<Item = String> {
    let mut lines = text
        .split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .peekable();
    std::iter::from_fn(move || {
        let mut line = lines.next()?.to_owned();
        while let Some(rest) = lines.peek().and_then(|next| next.strip_prefix(' ')) {
            if line.is_empty() {
                break;
            }
            line.push_str(rest);
            lines.next();
        }
        Some(line)
    })
}

#[derive(Default)]
struct Record {
    provider: Provider,
}

impl Record {
    /// Takes a line; `None` if it is no attribute.
    fn add(&mut self, line: &str) -> Result<Option<()>, DirectoryError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(DirectoryError::TooLarge);
        }
        let Some((name, value)) = split(line) else {
            return Ok(None);
        };
        // An option such as `;binary` belongs to the name only in writing.
        let name = name
            .split(';')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let provider = &mut self.provider;
        let text = || {
            std::str::from_utf8(&value)
                .ok()
                .map(|text| text.trim().to_owned())
        };
        match name.as_str() {
            "providername" => provider.name = text().unwrap_or_default(),
            "providerunit" => provider.unit = text(),
            "mailreceipt" => provider.mail_receipt = text(),
            "providercertificatehash" => match text().and_then(|text| from_hex(&text)) {
                Some(hash) => provider.certificates.extend([hash]),
                None => return Ok(None),
            },
            "providercertificate" => {
                let hash = DigestAlgorithm::Sha1.of(&value);
                provider.certificates.insert(hash.as_ref().to_vec());
            }
            "manageddomains" => {
                let domain = text().map(|text| text.to_ascii_lowercase());
                provider
                    .domains
                    .extend(domain.filter(|domain| !domain.is_empty()));
            }
            _ => {}
        }
        let values = provider.certificates.len().max(provider.domains.len());
        match values > VALUES_MAX {
            true => Err(DirectoryError::TooLarge),
            false => Ok(Some(())),
        }
    }
}

/// Name and value of an attribute; a value given by address has none here.
fn split(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, value) = line.split_once(':')?;
    let value = match value.strip_prefix(':') {
        Some(encoded) => {
            let plain: Vec<u8> = encoded
                .bytes()
                .filter(|c| !c.is_ascii_whitespace())
                .collect();
            BASE64_STANDARD.decode(plain).ok()?
        }
        None => value.trim_start().as_bytes().to_vec(),
    };
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b';' | b'.');
    (!name.is_empty() && name.bytes().all(plain)).then_some((name, value))
}

/// Twenty octets in hexadecimal of either case, with or without colons.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|c| !matches!(c, b':' | b' ')).collect();
    let pairs = digits.as_chunks::<2>();
    let octets = pairs.0.iter().map(|pair| crate::transfer::hex_octet(*pair));
    let octets: Vec<u8> = octets.collect::<Option<_>>()?;
    (octets.len() == 20 && pairs.1.is_empty()).then_some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LDIF: &str = "version: 1\n# indice di prova\ndn: o=postacert\nobjectclass: top\n\
        LDIFLocationURL: https://igpec.example/\n\ndn: providerName=Gestore Alfa,o=postacert\n\
        objectclass: provider\nproviderName: Gestore Alfa\nprovidercertificatehash: \
        00112233445566778899AABBCCDDEEFF00112233\nproviderCertificate;binary:: AQID\n\
        mailReceipt: ricevute@pec.alfa.example\nmanagedDomains: PEC.alfa.ex\n ample\n\
        managedDomains:: YWx0cm8uZXhhbXBsZQ==\nnon un attributo\n\n\
        dn:: cHJvdmlkZXJVbml0PUR1ZSxwcm92aWRlck5hbWU9QWxmYQ==\nproviderName: Gestore Alfa\n\
        providerUnit: Due\nproviderCertificateHash: \
        00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33\nmanagedDomains: due.example\n";

    #[test]
    fn an_ldif_gives_providers_certificates_and_domains() {
        for ldif in [
            LDIF.to_owned(),
            LDIF.replace('\n', "\r\n"),
            format!("\u{feff}{LDIF}"),
        ] {
            let directory = Directory::read(ldif.as_bytes()).unwrap();
            let [first, second] = directory.providers() else {
                panic!("two records");
            };
            assert_eq!(
                (first.name.as_str(), first.unit.as_deref()),
                ("Gestore Alfa", None)
            );
            assert_eq!(
                first.mail_receipt.as_deref(),
                Some("ricevute@pec.alfa.example")
            );
            assert!(first.manages(b"pec.ALFA.example") && first.manages(b"altro.example"));
            assert!(!first.manages(b"due.example") && first.domain_count() == 2);
            assert_eq!(second.unit.as_deref(), Some("Due"));
            let hash = from_hex("00112233445566778899aabbccddeeff00112233").unwrap();
            assert_eq!(directory.with_certificate(&hash).count(), 2);
            let own = DigestAlgorithm::Sha1.of(&[1, 2, 3]);
            assert_eq!(directory.with_certificate(own.as_ref()).count(), 1);
            assert_eq!(directory.with_certificate(&[]).count(), 0);
            assert_eq!(directory.lines_passed_over(), 1);
        }
    }

    #[test]
    fn what_is_no_directory_is_said_to_be_none() {
        for (bytes, expected) in [
            (&b""[..], DirectoryError::NoProvider),
            (b"dn: o=postacert\n", DirectoryError::NoProvider),
            (b"providerName: \xff", DirectoryError::NotText),
        ] {
            assert_eq!(Directory::read(bytes), Err(expected));
        }
        let long = format!("providerName: {}", "x".repeat(LINE_BYTES_MAX));
        assert_eq!(
            Directory::read(long.as_bytes()),
            Err(DirectoryError::TooLarge)
        );
        let many = "providerName: x\n\n".repeat(PROVIDERS_MAX + 1);
        assert_eq!(
            Directory::read(many.as_bytes()),
            Err(DirectoryError::TooLarge)
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(dn|providerName|managedDomains|[ :;\r\n#]|.){0,60}") {
            let _ = Directory::read(text.as_bytes());
        }
    }
}
