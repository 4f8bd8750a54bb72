//! That nothing is held: a container with what each closed interval says of the identificativo, signed and stamped.
//!
//! ```text
//! assenza.txt              what it says, and what it does not, in words
//! proof/assenza.json       who asked, what, under which act (formats, `absence::Head`)
//! proof/assenza-001.jsonl  an interval a line, in order: proof of its closing, a map proof for each class
//! proof/scarto/…           certificates of what of these intervals was disposed of
//! META-INF/…               manifest, signature, time-stamp
//! ```
//!
//! # Invariants
//! 1. Each line was verified as a stranger verifies it before it is written.
//! 2. Memory holds the lines of one file: thirty intervals, none of which has a record to show.

use super::ReissueError;
use super::disposals::{self, Certificates};
use super::package::{Reissuer, Wanted, extension};
use crate::desk::{Asked, DeskError, Nothing, Reach};
use ceralacca_evidence::asic::{ContainerWriter, Form, Part};
use ceralacca_evidence::cades::{self, Content};
use ceralacca_formats::absence::{Follower, Head, Told};
use ceralacca_formats::disposed::NamedUnit;
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use ceralacca_pages::model::Language;
use std::io::Write;

/// Intervals of a file.
const INTERVALS_A_FILE: usize = 30;
/// Where the head lies.
pub const HEAD: &str = "proof/assenza.json";

/// Nothing, proven; ready to be written. That is on record.
pub struct NothingHeld<'a> {
    reissuer: &'a Reissuer<'a>,
    asked: Asked,
    head: Head,
    language: Language,
    form: Form,
    certificates: Certificates,
    /// How far it reaches.
    pub reach: Reach,
}

impl<'a> NothingHeld<'a> {
    /// Of a demand that nothing matches.
    ///
    /// # Errors
    /// [`ReissueError::NothingFound`] where no map tells of what was asked; [`ReissueError::NothingYet`] where no
    /// interval is closed.
    pub(super) fn of(
        reissuer: &'a Reissuer<'a>,
        wanted: &Wanted,
        nothing: Nothing,
    ) -> Result<Self, ReissueError> {
        let desk = &reissuer.desk;
        let size = desk.looked_through();
        let Nothing { leaf, from, asked } = nothing;
        let Some(asked) = asked else {
            return Err(ReissueError::NothingFound { size });
        };
        let reach = desk.reach(&asked)?;
        if reach.proven.is_none() {
            let end = reach.next.ok_or(ReissueError::NothingFound { size })?;
            return Err(ReissueError::NothingYet { end });
        }
        let demand = &wanted.demand;
        let parts = asked.intervals().div_ceil(INTERVALS_A_FILE);
        // Beside words, head, mimetype, manifest and signature.
        let used = parts.saturating_add(8);
        let certificates = Certificates::of(desk, &reach.disposed, used)?;
        let head = Head {
            origin: desk.checkpoint()?.origin().clone(),
            identificativo: asked.identificativo().into(),
            from,
            intervals: reach.intervals,
            // As many as intervals, at most, which are some thousands.
            parts: u32::try_from(parts).unwrap_or(u32::MAX),
            disclosure: leaf,
            made: reissuer.clock.wall(),
            requester: demand.requester.as_str().into(),
            capacity: demand.capacity.into(),
            act: demand.act.as_str().into(),
            purpose: demand.purpose.as_str().into(),
        };
        Ok(Self {
            reissuer,
            asked,
            head,
            language: wanted.language,
            form: wanted.form,
            certificates,
            reach,
        })
    }

    /// The name of the file, with its extension.
    pub fn file_name(&self) -> String {
        format!("assenza-{}.{}", self.head.disclosure, extension(self.form))
    }

    /// What of the intervals is gone, with its certificates.
    pub fn disposed(&self) -> &[NamedUnit] {
        &self.certificates.units
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
        const TEXT: &str = "text/plain";
        let mut writer = ContainerWriter::begin(out, self.form)?;
        writer.add(Part::of("assenza.txt", TEXT, self.words().as_bytes()))?;
        let head = self.head.to_line();
        writer.add(Part::of(HEAD, "application/json", head.as_bytes()))?;
        let keys = &self.reissuer.keys;
        let mut follower = Follower::new(keys, self.asked.identificativo());
        let (mut place, mut part) = (0usize, 0u32);
        while place < self.asked.intervals() {
            let until = place.saturating_add(INTERVALS_A_FILE);
            let mut lines = String::new();
            while place < until
                && let Some(told) = self.told(place)?
            {
                let checked = follower.take(&told, self.head.from);
                checked.map_err(|_| crate::seal::SealError::Corrupt("what an interval says"))?;
                lines += &told.to_line();
                place = place.saturating_add(1);
            }
            part = part.saturating_add(1);
            let name = format!("proof/assenza-{part:03}.jsonl");
            writer.add(Part::of(&name, "application/json", lines.as_bytes()))?;
        }
        disposals::add_to(&mut writer, &self.certificates.files)?;
        let authorities = self.reissuer.authorities;
        let (signer, stamper) = (&*authorities.signer, &*authorities.stamper);
        writer.sign(|manifest| {
            let content = Content::detached(manifest);
            let signed = cades::sign_stamped(content, self.head.made, signer, stamper);
            signed.map(|(signature, _)| signature)
        })?;
        Ok(writer.finish()?)
    }

    fn told(&self, place: usize) -> Result<Option<Told>, DeskError> {
        self.reissuer.desk.absence(&self.asked, place)
    }

    /// What it says, in words. It says of the archive, never of the world (evidence.md J).
    fn words(&self) -> String {
        let (head, reach) = (&self.head, &self.reach);
        let text = |text: &ceralacca_formats::canonical::Text| {
            String::from_utf8_lossy(text.as_bytes()).into_owned()
        };
        let utc = |at: UtcMillis| super::facts::instant(at).rfc3339();
        let (since, until) = reach.proven.unwrap_or_default();
        let (since, until) = (utc(since), utc(until));
        let gone = self.disposed();
        let certificates = disposals::certificates(gone, self.language);
        let (id, origin) = (text(&head.identificativo), &head.origin);
        let capacity =
            disposals::capacity(head.capacity.to_str().unwrap_or_default(), self.language);
        let requester = text(&head.requester);
        let (act, purpose) = (text(&head.act), text(&head.purpose));
        let (made, leaf) = (utc(head.made), head.disclosure);
        let (intervals, closed) = (reach.intervals, reach.closed);
        let development = self.is_development();
        match self.language {
            Language::It => {
                let mut words = format!(
                    "ESITO NEGATIVO DI RICERCA\n\n\
                     Archivio: {origin}\nIdentificativo cercato: {id}\n\
                     Richiedente: {requester} ({capacity})\nAtto: {act}\nScopo: {purpose}\n\
                     Formato il {made}; la consultazione e' registrata alla foglia {leaf}.\n\n\
                     Negli intervalli chiusi da {since} a {until} ({closed} su {intervals}) l'archivio non contiene\n\
                     alcuna registrazione con questo identificativo{}.\n\n",
                    match gone.is_empty() {
                        true => "",
                        false => ", salvo quanto e' stato scartato",
                    }
                );
                if !gone.is_empty() {
                    words += &format!(
                        "Scartati a termine, per i quali nulla si puo' dire (intervallo / classe: certificato):\n{certificates}\n"
                    );
                }
                if closed < intervals {
                    words += "Di un intervallo non ancora chiuso nulla e' provato: la ricerca non vi ha trovato nulla.\n\n";
                }
                words += "Che cosa non prova: che il messaggio non sia mai esistito, ne' che altri gestori non lo \
                          abbiano trattato.\nVerifica, senza rete: ceralacca verify FILE --key log.vkey --roots roots.pem\n\
                          Ogni riga di proof/assenza-*.jsonl si verifica da se' (docs/formats.md, \"That nothing is held\").\n";
                if development {
                    words += "\nSVILUPPO - NON QUALIFICATO: chiavi o marca di prova.\n";
                }
                words
            }
            Language::En => {
                let mut words = format!(
                    "NOTHING HELD\n\n\
                     Archive: {origin}\nIdentificativo asked for: {id}\n\
                     Requester: {requester} ({capacity})\nAct: {act}\nPurpose: {purpose}\n\
                     Made {made}; the consultation is recorded at leaf {leaf}.\n\n\
                     In the intervals closed from {since} to {until} ({closed} of {intervals}) the archive holds\n\
                     no record with this identificativo{}.\n\n",
                    match gone.is_empty() {
                        true => "",
                        false => ", save for what was disposed of",
                    }
                );
                if !gone.is_empty() {
                    words += &format!(
                        "Disposed of at their term, of which nothing can be said (interval / class: certificate):\n{certificates}\n"
                    );
                }
                if closed < intervals {
                    words += "Of an interval that is not closed yet nothing is proven: nothing was found in it.\n\n";
                }
                words += "What this does not prove: that the message never existed, or that no other provider \
                          handled it.\nTo verify, without network: ceralacca verify FILE --key log.vkey --roots roots.pem\n\
                          Each line of proof/assenza-*.jsonl verifies by itself (docs/formats.md, \"That nothing is held\").\n";
                if development {
                    words += "\nDEVELOPMENT - NOT QUALIFIED: keys or time-stamps of a test.\n";
                }
                words
            }
        }
    }
}
