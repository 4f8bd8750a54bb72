//! That every time-stamp is over what it is said to be over, at the time it says.

use super::folder::Package;
use super::report::{Ended, Report};
use super::tree::CHECKPOINT;
use super::{Documents, FolderError};
use ceralacca_evidence::ers::Hash;
use ceralacca_formats::catalogue::Catalogue;
use ceralacca_formats::digest::Sha256;
use ceralacca_pec::DigestAlgorithm;
use ceralacca_pec::cades::time_stamps_of;
use ceralacca_pec::judge::{Material, Times, Trust};
use ceralacca_pec::tsp::{Accuracy, Asked, TOKEN_BYTES_MAX, Token};

const INDEX: &str = "PIndex";
const EVIDENCE: &str = "evidence";
/// Certificates, CRLs and OCSP answers of a package that are taken.
const MATERIAL_MAX: usize = 512;

/// The roots that were given, with what the package has of authorities between, revocation lists and OCSP answers:
/// they help to reach a root, and are roots of nothing.
pub(super) fn trust(
    package: &Package,
    catalogue: &Catalogue,
    anchors: &[Vec<u8>],
) -> Result<Trust, FolderError> {
    let mut material = Material {
        anchors: anchors.to_vec(),
        ..Material::default()
    };
    let files = catalogue.files.iter();
    let files = files.filter(|entry| entry.path.starts_with("material/"));
    for entry in files.take(MATERIAL_MAX) {
        let octets = package.small(&entry.path, TOKEN_BYTES_MAX)?;
        let Some(octets) = octets.filter(|octets| Sha256::of(octets) == entry.sha256) else {
            continue;
        };
        let alone = |material: Material| Trust::new(material).is_ok();
        let one = || vec![octets.clone()];
        let is_certificate = alone(Material {
            intermediates: one(),
            ..Material::default()
        });
        let is_crl = alone(Material {
            crls: one(),
            ..Material::default()
        });
        let is_ocsp = alone(Material {
            ocsp: one(),
            ..Material::default()
        });
        match () {
            () if is_certificate => material.intermediates.push(octets),
            () if is_crl => material.crls.push(octets),
            () if is_ocsp => material.ocsp.push(octets),
            () => {}
        }
    }
    Ok(Trust::new(material).unwrap_or_else(|_| Trust::none()))
}

pub(super) fn check(
    package: &Package,
    documents: &Documents,
    root: Option<&Hash>,
    trust: Option<&Trust>,
    report: &mut Report,
) -> Result<(), FolderError> {
    let mut names = vec![CHECKPOINT.to_owned(), INDEX.to_owned(), EVIDENCE.to_owned()];
    for held in &documents.contents.classes {
        names.extend(documents.parts(held.class));
    }
    for name in names {
        let what = format!("time-stamp of {}", title(&name));
        let over = over(package, documents, &name, root)?;
        let token = package.small(&format!("{name}.tst"), TOKEN_BYTES_MAX)?;
        let asked = package.small(&format!("{name}.tsq"), TOKEN_BYTES_MAX)?;
        let answer = package.small(&format!("{name}.tsr"), TOKEN_BYTES_MAX)?;
        let Some(((token, asked), (answer, over))) = token.zip(asked).zip(answer.zip(over)) else {
            let why = "request, answer, token, or what they are over, is missing".to_owned();
            report.add("time-stamps", &what, Ended::Badly(why));
            continue;
        };
        let result = one(&token, &asked, &answer, &over).and_then(|token| {
            if name == CHECKPOINT {
                says(&token, documents)?;
            }
            match trust {
                None => Ok(false),
                Some(trust) => {
                    let verified = token.verify(&over, trust, Times::default());
                    verified
                        .map(|_| true)
                        .map_err(|refusal| refusal.english().to_owned())
                }
            }
        });
        match result {
            Err(why) => report.add("time-stamps", &what, Ended::Badly(why)),
            Ok(true) => report.add("time-stamps", &what, Ended::Well),
            Ok(false) => {
                let why = "over the right octets; its signature was not checked: no --anchors";
                report.add("time-stamps", &what, Ended::NotChecked(why.to_owned()));
            }
        }
    }
    Ok(())
}

fn title(name: &str) -> &str {
    match name {
        INDEX => "the signature of the index",
        EVIDENCE => "the evidence record",
        other => other,
    }
}

/// The digest that must have been stamped.
fn over(
    package: &Package,
    documents: &Documents,
    name: &str,
    root: Option<&Hash>,
) -> Result<Option<Vec<u8>>, FolderError> {
    let sha256 = |digest: Sha256| digest.as_bytes().to_vec();
    Ok(match name {
        EVIDENCE => root.map(|root| root.as_bytes().to_vec()),
        // The token is over the octets of the signature, and stands within it: there it is verified (see `index`).
        INDEX => {
            let signed = package.small("PIndex.xml.p7m", super::SMALL_BYTES_MAX)?;
            let tokens = signed.and_then(|signed| time_stamps_of(&signed).ok());
            let own = package.small(&format!("{INDEX}.tst"), TOKEN_BYTES_MAX)?;
            let own = own.filter(|own| tokens.is_some_and(|tokens| tokens == [own.clone()]));
            own.and_then(|own| Some(Token::read(&own).ok()?.info().imprint.clone()))
        }
        _ => documents.sha256(name).map(sha256),
    })
}

/// Request, answer and token belong together, and are over this digest.
fn one<'a>(token: &'a [u8], asked: &[u8], answer: &[u8], over: &[u8]) -> Result<Token<'a>, String> {
    let asked = Asked::read(asked).ok_or("the request is none")?;
    let read = Token::read(token).map_err(|refusal| refusal.english().to_owned())?;
    let answered = Token::read(answer).map_err(|refusal| refusal.english().to_owned())?;
    if answered.der() != token || read.der() != token {
        return Err("the answer holds another token".to_owned());
    }
    if asked.imprint != over || read.info().imprint != over {
        return Err("it is over other octets".to_owned());
    }
    if read.info().algorithm != DigestAlgorithm::Sha256 {
        return Err("its imprint is not SHA-256".to_owned());
    }
    let nonce = asked.nonce.as_deref();
    match nonce.is_none_or(|nonce| read.info().nonce_is(nonce)) {
        true => Ok(read),
        false => Err("the answer is to another request".to_owned()),
    }
}

/// The closing leaf says what the token of the checkpoint says.
fn says(token: &Token<'_>, documents: &Documents) -> Result<(), String> {
    let (info, closing) = (token.info(), &documents.closing);
    let same_time = i64::try_from(closing.token_time.get()).is_ok_and(|ms| ms == info.gen_ms);
    let same_accuracy = match info.accuracy {
        Accuracy::Ms(ms) => ms == closing.token_accuracy_ms,
        // Then it is the one that the archive was configured with.
        Accuracy::Unstated => true,
    };
    let same_serial = hex::encode(&closing.token_serial) == info.serial.to_lowercase();
    match same_time && same_accuracy && same_serial {
        true => Ok(()),
        false => Err("closing.json says another time, accuracy or serial number".to_owned()),
    }
}
