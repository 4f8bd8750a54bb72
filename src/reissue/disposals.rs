//! What was disposed of: its certificates among the files of an answer, and the answer that has nothing else.
//!
//! ```text
//! proof/scarto/INTERVAL-CLASS[-CARRIED].p7m         the certificate: canonical JSON in a CAdES signature, stamped
//! proof/scarto/INTERVAL-CLASS[-CARRIED].firma       the octets of that signature
//! proof/scarto/INTERVAL-CLASS[-CARRIED].firma.tst   its time-stamp, so that `openssl ts` verifies it
//!
//! scarto.txt          the answer by itself, in words
//! proof/scarto.json   who asked, and what is gone (formats, `disposed`)
//! proof/scarto/…      as above
//! META-INF/…          manifest, signature, time-stamp
//! ```
//!
//! # Invariants
//! 1. A certificate goes out as it was issued and kept; what lies beside it is cut from its own octets.
//! 2. What has no room among the files is named all the same.

use super::ReissueError;
use super::files::{File, Octets};
use super::package::{ROOTS, Reissuer, Wanted, extension};
use crate::access::Reissue;
use crate::desk::{Desk, Gone};
use ceralacca_evidence::asic::{ContainerWriter, FILES_MAX, Form, Part};
use ceralacca_evidence::cades::{self, Content};
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::disposed::{DisposedHead, NamedUnit};
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_pages::model::{FileRole, Language};
use ceralacca_pec::cades as signatures;
use std::io::Write;

/// Where the head lies.
pub(super) const HEAD: &str = "proof/scarto.json";
const FOLDER: &str = "proof/scarto/";
/// The most certificates of an answer: of three files each, in memory together, some ten thousand octets each.
const CERTIFICATES_MAX: usize = 250;
/// Files of one certificate.
const EACH: usize = 3;

/// Certificates as files, beside `used` others.
pub(super) struct Certificates {
    /// What is gone, each with its file where that has room.
    pub(super) units: Vec<NamedUnit>,
    /// The files.
    pub(super) files: Vec<File>,
}

impl Certificates {
    /// Of these units.
    pub(super) fn of(
        desk: &Desk<'_, Reissue>,
        gone: &[(IntervalId, Class)],
        used: usize,
    ) -> Result<Self, ReissueError> {
        let room = FILES_MAX.saturating_sub(used) / EACH;
        let mut room = room.min(CERTIFICATES_MAX);
        let (mut units, mut files) = (Vec::new(), Vec::new());
        for (interval, class) in gone {
            for certified in desk.certificates_of(*interval, *class)? {
                let unit = certified.unit;
                let octets = certified.certificate.filter(|_| room > 0);
                let certificate = octets.map(|octets| {
                    room = room.saturating_sub(1);
                    of_certificate(unit, octets, &mut files)
                });
                units.push(NamedUnit { unit, certificate });
            }
        }
        Ok(Self { units, files })
    }
}

/// The files of a certificate; gives the name of the first.
fn of_certificate(unit: DisposalUnit, octets: Vec<u8>, files: &mut Vec<File>) -> String {
    let (interval, class) = (unit.interval, unit.class);
    let stem = match unit.carried {
        0 => format!("{FOLDER}{interval}-{class}"),
        carried => format!("{FOLDER}{interval}-{class}-{carried}"),
    };
    let signature = signatures::signature_of(&octets);
    let tokens = signatures::time_stamps_of(&octets);
    let name = format!("{stem}.p7m");
    let mut put = |name: String, media_type, role, octets| {
        files.push(File::held(name, media_type, role, octets));
    };
    put(
        name.clone(),
        "application/pkcs7-mime",
        FileRole::Certificate,
        octets,
    );
    // A certificate that was kept has both: it was signed and stamped here.
    if let (Ok(signature), Ok(tokens)) = (signature, tokens)
        && let Some(token) = tokens.into_iter().next()
    {
        let of = format!("{stem}.firma");
        let token_name = format!("{of}.tst");
        put(of, "application/octet-stream", FileRole::Stamped, signature);
        let media_type = "application/vnd.etsi.timestamp-token";
        put(token_name, media_type, FileRole::Token, token);
    }
    name
}

/// That what was asked for is gone; ready to be written. That is on record.
pub struct DisposedOf<'a> {
    reissuer: &'a Reissuer<'a>,
    head: DisposedHead,
    files: Vec<File>,
    language: Language,
    form: Form,
}

impl<'a> DisposedOf<'a> {
    pub(super) fn of(
        reissuer: &'a Reissuer<'a>,
        wanted: &Wanted,
        gone: &Gone,
    ) -> Result<Self, ReissueError> {
        // Beside head, words, mimetype, manifest and signature.
        let certificates = Certificates::of(&reissuer.desk, &gone.units, 8)?;
        let demand = &wanted.demand;
        let head = DisposedHead {
            origin: reissuer.desk.checkpoint()?.origin().clone(),
            disclosure: gone.leaf,
            made: reissuer.clock.wall(),
            requester: demand.requester.as_str().into(),
            capacity: demand.capacity.into(),
            act: demand.act.as_str().into(),
            purpose: demand.purpose.as_str().into(),
            units: certificates.units,
        };
        Ok(Self {
            reissuer,
            head,
            files: certificates.files,
            language: wanted.language,
            form: wanted.form,
        })
    }

    /// The name of the file, with its extension.
    pub fn file_name(&self) -> String {
        format!("scarto-{}.{}", self.head.disclosure, extension(self.form))
    }

    /// What is gone.
    pub fn units(&self) -> &[NamedUnit] {
        &self.head.units
    }

    /// The custody leaf that records it.
    pub fn disclosure(&self) -> LeafIndex {
        self.head.disclosure
    }

    /// Whether anything in it rests on keys or authorities for development only.
    pub fn is_development(&self) -> bool {
        let authorities = self.reissuer.authorities;
        authorities.signer.is_development() || authorities.stamper.is_development()
    }

    /// Writes the container. Gives back what was written to.
    pub fn write<W: Write>(&self, out: W) -> Result<W, ReissueError> {
        let mut writer = ContainerWriter::begin(out, self.form)?;
        let words = self.words();
        writer.add(Part::of("scarto.txt", "text/plain", words.as_bytes()))?;
        let head = self.head.to_line();
        writer.add(Part::of(HEAD, "application/json", head.as_bytes()))?;
        add_to(&mut writer, &self.files)?;
        let authorities = self.reissuer.authorities;
        let (signer, stamper) = (&*authorities.signer, &*authorities.stamper);
        writer.sign(|manifest| {
            let content = Content::detached(manifest);
            let signed = cades::sign_stamped(content, self.head.made, signer, stamper);
            signed.map(|(signature, _)| signature)
        })?;
        Ok(writer.finish()?)
    }

    /// What it says, in words.
    fn words(&self) -> String {
        let head = &self.head;
        let text = |text: &ceralacca_formats::canonical::Text| {
            String::from_utf8_lossy(text.as_bytes()).into_owned()
        };
        let capacity = capacity(head.capacity.to_str().unwrap_or_default(), self.language);
        let (requester, act, purpose) =
            (text(&head.requester), text(&head.act), text(&head.purpose));
        let (origin, made, leaf) = (&head.origin, utc(head.made), head.disclosure);
        let mut words = match self.language {
            Language::It => format!(
                "SCARTATO ALLA SCADENZA DEL TERMINE\n\n\
                 Archivio: {origin}\nRichiedente: {requester} ({capacity})\nAtto: {act}\nScopo: {purpose}\n\
                 Formato il {made}; la consultazione e' registrata alla foglia {leaf}.\n\n\
                 Nulla di quanto richiesto e' conservato. Del tempo, o della registrazione, cui la richiesta si\n\
                 riferisce sono state scartate le classi che seguono: se vi fosse altro, nulla si puo' dire.\n\n"
            ),
            Language::En => format!(
                "DISPOSED OF AT THE END OF THE TERM\n\n\
                 Archive: {origin}\nRequester: {requester} ({capacity})\nAct: {act}\nPurpose: {purpose}\n\
                 Made {made}; the consultation is recorded at leaf {leaf}.\n\n\
                 Nothing of what was asked for is held. Of the time, or of the record, that was asked for the\n\
                 classes below were disposed of: whether anything was there cannot be said.\n\n"
            ),
        };
        words += &certificates(&head.units, self.language);
        if self.is_development() {
            words += match self.language {
                Language::It => "\nSVILUPPO - NON QUALIFICATO: chiavi o marca di prova.\n",
                Language::En => "\nDEVELOPMENT - NOT QUALIFIED: keys or time-stamps of a test.\n",
            };
        }
        words
    }
}

/// Puts files that are in memory into a container.
pub(super) fn add_to<W: Write>(
    writer: &mut ContainerWriter<W>,
    files: &[File],
) -> Result<(), ReissueError> {
    for file in files {
        if let Octets::Held(octets) = &file.octets {
            writer.add(Part::of(&file.name, file.media_type, octets))?;
        }
    }
    Ok(())
}

fn utc(at: UtcMillis) -> String {
    super::facts::instant(at).rfc3339()
}

/// In which capacity it was asked, in the language of the words.
pub(super) fn capacity(word: &str, language: Language) -> &'static str {
    match (word, language) {
        ("holder", Language::It) => "titolare",
        ("court", Language::It) => "autorita' giudiziaria",
        ("authority", Language::It) => "autorita' di vigilanza",
        ("holder", Language::En) => "holder",
        ("court", Language::En) => "court",
        ("authority", Language::En) => "authority",
        _ => "-",
    }
}

/// Units with their certificates, and how to verify one with openssl.
pub(super) fn certificates(units: &[NamedUnit], language: Language) -> String {
    let mut words = String::new();
    for named in units {
        let (interval, class) = (utc(named.unit.interval.start()), named.unit.class);
        let file = match (&named.certificate, language) {
            (Some(file), _) => file.as_str(),
            (None, Language::It) => "certificato a richiesta",
            (None, Language::En) => "certificate on request",
        };
        words += &format!("  {interval} / {class}: {file}\n");
    }
    let first = units.iter().find_map(|named| named.certificate.as_deref());
    if let Some(file) = first {
        let stem = file.strip_suffix(".p7m").unwrap_or(file);
        words += match language {
            Language::It => {
                "\nCiascun certificato si verifica, e si legge, senza questo programma, per esempio il primo:\n\n"
            }
            Language::En => "\nEach is verified, and read, without this program; the first:\n\n",
        };
        words += &format!(
            "openssl cms -verify -binary -inform DER -in {file} -CAfile ../{ROOTS} -purpose any -out -\n\
             openssl ts -verify -token_in -in {stem}.firma.tst -data {stem}.firma -CAfile ../{ROOTS}\n"
        );
    }
    words
}
