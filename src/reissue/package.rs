//! The whole: from a demand to a container that is streamed.

use super::checks::Case;
use super::closed::{Interval, Intervals};
use super::disposals::{Certificates, DisposedOf};
use super::facts::{self, Item, instant};
use super::files::{self, File, Octets};
use super::issue;
use super::material::{self, Sets};
use super::nothing::NothingHeld;
use super::object::Examined;
use super::{ReissueError, briefs, closed};
use crate::access::Reissue;
use crate::ambient::Clock;
use crate::desk::{Archived, Demand, Desk, Disclosed, Found};
use crate::seal::{Authorities, EvidenceGroup, Sealer};
use ceralacca_evidence::asic::{ContainerWriter, Form, Part};
use ceralacca_evidence::cades::{self, Content};
use ceralacca_evidence::pindex::AgentName;
use ceralacca_formats::checkpoint::Checkpoint;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::disposed::NamedUnit;
use ceralacca_formats::id::{IntervalId, LeafIndex, UtcMillis};
use ceralacca_formats::leaf::Class;
use ceralacca_formats::note::VerifierKey;
use ceralacca_formats::rotation::KeyChain;
use ceralacca_formats::tree::LeafHash;
use ceralacca_pages::model::{
    Anchor, Capacity, Development, FileRole, Kind, Language, Report, Request, Schema, Seal,
};
use ceralacca_pages::{
    EMBEDDED_BYTES_MAX, Embedded, Package, ProofFile, Relation, SignedObject, TokenFile,
    attestazione, leggimi, relazione,
};
use std::collections::BTreeMap;
use std::io::Write;

/// Names of what the reader has from another source, as the commands have them.
pub(super) const ROOTS: &str = "roots.pem";
pub(super) const LOG_KEY: &str = "log.vkey";

/// Files beside those that are gathered: pages, report, commands, mimetype, manifest and signature; and room for what
/// completes the package.
const OTHER_FILES: usize = 16;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which records, by whom, why.
    pub demand: Demand,
    /// The capacity, as the pages say it.
    pub capacity: Capacity,
    /// Language of pages and commands.
    pub language: Language,
    /// ASiC-E, or plain ZIP.
    pub form: Form,
    /// Whether the files of the ZIP are to lie in a folder.
    pub as_folder: bool,
    /// Refuses while an interval concerned is not closed.
    pub sealed_only: bool,
    /// The name that file or folder will have, for the commands that check it; one of ours otherwise.
    pub name: Option<String>,
}

/// Makes packages from one log, for the holder of a permit.
pub struct Reissuer<'a> {
    pub(super) desk: Desk<'a, Reissue>,
    pub(super) sealer: &'a Sealer,
    pub(super) authorities: &'a Authorities,
    pub(super) keys: KeyChain,
    /// Keys of the witnesses in whom the log trusts.
    pub(super) witnesses: Vec<VerifierKey>,
    pub(super) clock: &'a dyn Clock,
}

/// What is given. Its disclosure is recorded.
pub enum Given<'a> {
    /// A package.
    Package(Box<Prepared<'a>>),
    /// That nothing is held, proven.
    Nothing(Box<NothingHeld<'a>>),
    /// That nothing is held, and what was disposed of of what was asked for.
    Disposed(Box<DisposedOf<'a>>),
}

/// A package, ready to be written. Its disclosure is recorded.
pub struct Prepared<'a> {
    reissuer: &'a Reissuer<'a>,
    items: Vec<Item>,
    files: Vec<File>,
    /// Evidence records, each with the names it covers.
    records: Vec<(Vec<String>, Vec<u8>)>,
    form: Form,
    as_folder: bool,
    made: UtcMillis,
    /// What was disposed of of all that was asked for.
    disposed: Vec<NamedUnit>,
    /// What the pages say.
    pub report: Report,
    /// The name of the file, with its extension, or of the folder.
    pub name: String,
}

impl<'a> Reissuer<'a> {
    pub(crate) fn new(
        desk: Desk<'a, Reissue>,
        sealer: &'a Sealer,
        authorities: &'a Authorities,
        keys: KeyChain,
        witnesses: Vec<VerifierKey>,
        clock: &'a dyn Clock,
    ) -> Self {
        Self {
            desk,
            sealer,
            authorities,
            keys,
            witnesses,
            clock,
        }
    }

    /// Chooses, discloses, examines, answers. Nothing has left when it returns.
    ///
    /// # Errors
    /// [`ReissueError`]; where nothing is held and no map tells so, [`ReissueError::NothingFound`] or
    /// [`ReissueError::NothingYet`].
    pub fn prepare(&'a self, wanted: &Wanted) -> Result<Given<'a>, ReissueError> {
        match self.desk.disclosed(&wanted.demand)? {
            Found::Records(disclosed) => {
                let prepared = self.package(wanted, disclosed)?;
                Ok(Given::Package(Box::new(prepared)))
            }
            Found::Nothing(nothing) => {
                let nothing = NothingHeld::of(self, wanted, nothing)?;
                Ok(Given::Nothing(Box::new(nothing)))
            }
            Found::Disposed(gone) => {
                let gone = DisposedOf::of(self, wanted, &gone)?;
                Ok(Given::Disposed(Box::new(gone)))
            }
        }
    }

    fn package(
        &'a self,
        wanted: &Wanted,
        disclosed: Disclosed,
    ) -> Result<Prepared<'a>, ReissueError> {
        let shown = self.desk.checkpoint()?.clone();
        let reader = self.desk.engine();
        let records = disclosed.archived.iter().filter_map(Archived::record);
        let intervals = Intervals {
            reader,
            state: self.desk.published(),
            sealer: self.sealer,
            keys: &self.keys,
            shown: &shown,
            witnessed: self.desk.witnessed(),
            witness_keys: &self.witnesses,
        };
        let intervals = intervals.of(records.map(|shown| shown.interval))?;
        let mut items = Vec::with_capacity(disclosed.archived.len());
        let mut sets = Sets {
            reader,
            state: reader.published(),
            read: BTreeMap::new(),
        };
        for (number, archived) in (1usize..).zip(disclosed.archived) {
            let item = self.item(number, archived, &intervals, &shown)?;
            items.extend(item);
            if let Some(item) = items.last_mut()
                && let (Some(object), Some(examined)) = (item.object().cloned(), &item.examined)
            {
                item.again = sets.judge(&object, &examined.reading)?;
            }
        }
        drop(sets);
        briefs::compare(reader, &mut items)?;
        let pending = pending(&items, &intervals);
        if let Some((index, end)) = pending
            && wanted.sealed_only
        {
            return Err(ReissueError::NotSealed { index, end });
        }
        let made = self.clock.wall();
        let proven = self.proven_past(&shown)?;
        let gathered = (&items[..], &intervals, proven);
        let report = self.report(wanted, disclosed.leaf, gathered, &shown, made);
        let own = format!("riemissione-{}", disclosed.leaf);
        let name = wanted.name.clone().unwrap_or(match wanted.as_folder {
            true => own,
            false => format!("{own}.{}", extension(wanted.form)),
        });
        let mut prepared = Prepared {
            reissuer: self,
            items,
            files: Vec::new(),
            records: Vec::new(),
            form: wanted.form,
            as_folder: wanted.as_folder,
            made,
            disposed: Vec::new(),
            name,
            report,
        };
        prepared.gather(&intervals, &disclosed.gone)?;
        prepared.tell(wanted)?;
        Ok(prepared)
    }

    fn item(
        &self,
        number: usize,
        archived: Archived,
        intervals: &BTreeMap<IntervalId, Interval>,
        shown: &Checkpoint,
    ) -> Result<Option<Item>, ReissueError> {
        let Some(leaf) = archived.record().map(|record| record.opened.leaf.seq) else {
            return Ok(None);
        };
        let reader = self.desk.engine();
        let examined = archived.object.as_ref();
        let examined = examined
            .map(|shown| Examined::of(reader, shown))
            .transpose()?;
        let mut proofs = Vec::new();
        for record in archived.records() {
            let is_facts = archived.object.is_some()
                && record.opened.content.bytes == 0
                && !record.opened.has_content();
            let stem = match is_facts {
                true => format!("proof/{number:03}.facts"),
                false => format!("proof/{number:03}"),
            };
            let closed = intervals
                .get(&record.interval)
                .and_then(|i| i.closed.as_ref());
            let checkpoint = closed.map_or(shown, |closed| &closed.checkpoint);
            if !record.opened.leaf.seq.is_within(checkpoint.size()) {
                return Err(crate::desk::DeskError::NotWitnessed.into());
            }
            let state = self.desk.published();
            let proof = reader.proof_under(state, &record.opened, checkpoint);
            let proof = proof.map_err(crate::desk::DeskError::Read)?;
            // Verified as a stranger would, before anything is said of it.
            let (_, key) = self.keys.open(proof.note.as_bytes())?;
            proof.verify(key)?;
            proofs.push((stem, proof));
        }
        let mut item = Item {
            archived,
            leaf,
            examined,
            again: None,
            compared: None,
            file: None,
            proofs,
        };
        if item.archived.object.is_some() {
            let name = facts::file_name(number, &item.archived, item.event());
            item.file = Some(name);
        }
        Ok(Some(item))
    }

    /// The latest instant that a closing under the checkpoint shown proves to be past.
    fn proven_past(&self, shown: &Checkpoint) -> Result<Option<UtcMillis>, ReissueError> {
        let spans = self.desk.published().spans.iter().rev();
        let mut closed =
            spans.filter(|span| span.closed.is_some_and(|leaf| leaf.is_within(shown.size())));
        let Some(last) = closed.next() else {
            return Ok(None);
        };
        let Some(package) = self.sealer.package(last.id)? else {
            return Ok(None);
        };
        let note = package.octets("checkpoint", closed::FILE_BYTES_MAX)?;
        let stamp = package.stamp("checkpoint", &Sha256::of(&note))?;
        // Under the embedded authority the time is our own clock's: nothing is proven by it.
        let stamp = stamp.filter(|stamp| stamp.is_proven);
        Ok(stamp.map(|stamp| {
            let certain = stamp.time.get().saturating_sub(stamp.accuracy_ms);
            UtcMillis::new(certain)
        }))
    }

    pub(super) fn provider(&self) -> String {
        match &self.authorities.process.submitter.name {
            AgentName::Organization(name) => name.clone(),
            AgentName::Person { first, last } => format!("{first} {last}"),
        }
    }

    fn report(
        &self,
        wanted: &Wanted,
        disclosure: LeafIndex,
        (items, intervals, proven): (&[Item], &BTreeMap<IntervalId, Interval>, Option<UtcMillis>),
        shown: &Checkpoint,
        made: UtcMillis,
    ) -> Report {
        let (demand, provider) = (&wanted.demand, self.provider());
        let at = instant(made);
        let case = Case {
            items,
            intervals,
            demand,
            granted: self.desk.acts(),
            provider: &provider,
            principal: self.desk.principal(),
            disclosure: disclosure.get(),
            made: at,
            proven,
        };
        let mut development = Vec::new();
        if self.authorities.signer.is_development() {
            development.push(Development::SealKey);
        }
        if self.authorities.stamper.is_development() {
            development.push(Development::TimeStampingAuthority);
        }
        let records = items.iter().filter_map(|item| {
            let interval = intervals.get(&item.archived.record()?.interval);
            facts::record(item, interval)
        });
        let is_held = items.iter().any(|item| item.file.is_some());
        let key = self.keys.current().to_string();
        Report {
            schema: Schema::V1,
            language: wanted.language,
            kind: match is_held {
                true => Kind::Duplicato,
                false => Kind::Attestazione,
            },
            id: format!("{}/{disclosure}", shown.origin()),
            made: at,
            provider: provider.clone(),
            software: concat!("Ceralacca ", env!("CARGO_PKG_VERSION")).to_owned(),
            request: Request {
                requester: demand.requester.clone(),
                capacity: wanted.capacity,
                act: demand.act.clone(),
                purpose: demand.purpose.clone(),
                at,
                disclosure_leaf: Some(disclosure.get()),
            },
            development,
            seal: match pending(items, intervals) {
                None => Seal::Sealed,
                Some((_, end)) => Seal::Pending {
                    expected: Some(instant(end)),
                },
            },
            message: facts::message(items, at),
            records: records.collect(),
            intervals: intervals
                .values()
                .map(|i| facts::interval(i, (shown, &key), &files::folder_of(i.span.id)))
                .collect(),
            checks: case.checks(),
            anchor: items
                .first()
                .and_then(|item| anchor(item, intervals, shown)),
            disposed: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// The first record whose interval is not closed, and its end.
fn pending(
    items: &[Item],
    intervals: &BTreeMap<IntervalId, Interval>,
) -> Option<(LeafIndex, UtcMillis)> {
    items.iter().find_map(|item| {
        let interval = intervals.get(&item.archived.record()?.interval)?;
        let is_open = interval.closed.is_none();
        is_open.then_some((item.leaf, interval.span.end))
    })
}

fn anchor(
    item: &Item,
    intervals: &BTreeMap<IntervalId, Interval>,
    shown: &Checkpoint,
) -> Option<Anchor> {
    let record = item.archived.record()?;
    let closed = intervals.get(&record.interval)?.closed.as_ref();
    let checkpoint = closed.map_or(shown, |closed| &closed.checkpoint);
    Some(Anchor {
        origin: checkpoint.origin().as_str().to_owned(),
        tree_size: checkpoint.size().get(),
        root_hash: checkpoint.root().to_string(),
        leaf: item.leaf.get(),
        leaf_hash: LeafHash::of(&record.opened.leaf.to_bytes()).to_string(),
    })
}

impl Prepared<'_> {
    /// Whether every interval concerned is closed.
    pub fn is_sealed(&self) -> bool {
        self.report.seal == Seal::Sealed
    }

    /// What of the time asked of, or of the objects of its records, was disposed of.
    pub fn disposed(&self) -> &[NamedUnit] {
        &self.disposed
    }

    /// Files and evidence records, all but the pages.
    fn gather(
        &mut self,
        intervals: &BTreeMap<IntervalId, Interval>,
        gone: &[(IntervalId, Class)],
    ) -> Result<(), ReissueError> {
        for (place, item) in self.items.iter().enumerate() {
            files::of_item(place, item, &mut self.files);
            let record = item.archived.object.as_ref();
            let closed = record.and_then(|r| intervals.get(&r.interval)?.closed.as_ref());
            let own = record.filter(|record| record.opened.has_own_keys());
            if let (Some(record), Some(closed), Some(file)) = (own, closed, &item.file)
                && let Some((stem, _)) = item.proofs.first()
            {
                let group = EvidenceGroup::Object(record.opened.leaf.seq);
                let ers = closed.package.evidence(&group)?;
                let covers = vec![file.clone(), format!("{stem}.r.bin")];
                self.records.push((covers, ers.to_der()));
            }
        }
        for interval in intervals.values() {
            if let Some(closed) = &interval.closed {
                files::of_interval(interval, closed, &mut self.files);
                self.records.push(of_package(interval, closed));
            }
        }
        let desk = &self.reissuer.desk;
        let reader = (desk.engine(), desk.published());
        material::files(reader, desk.checkpoint()?, &self.items, &mut self.files)?;
        self.files.push(files::program());
        let records = self.records.len().saturating_mul(2);
        let used = self.files.len().saturating_add(records);
        let certificates = Certificates::of(desk, gone, used.saturating_add(OTHER_FILES))?;
        self.files.extend(certificates.files);
        self.report.disposed = certificates.units.iter().map(facts::disposed).collect();
        self.disposed = certificates.units;
        self.report.files = self.files.iter().map(File::listed).collect();
        Ok(())
    }

    /// The pages, the report and the commands: made of all that is there already.
    fn tell(&mut self, wanted: &Wanted) -> Result<(), ReissueError> {
        let embedded = self.embedded()?;
        let (name, pages) = match self.report.kind {
            Kind::Duplicato => ("relazione.pdf", relazione(&self.report, embedded)?),
            Kind::Attestazione => ("attestazione.pdf", attestazione(&self.report, embedded)?),
        };
        let file = File::held(name.to_owned(), "application/pdf", FileRole::Page, pages);
        self.files.push(file);
        let json = self.report.to_json()?;
        let name = files::VALIDATION.to_owned();
        let file = File::held(name, "application/json", FileRole::Report, json);
        self.files.push(file);
        let text = self.commands(wanted)?;
        let name = files::README.to_owned();
        let file = File::held(name, "text/plain", FileRole::Page, text.into_bytes());
        self.files.push(file);
        Ok(())
    }

    /// What travels in the pages too: objects while there is room, and the proofs.
    fn embedded(&self) -> Result<Vec<Embedded>, ReissueError> {
        let mut embedded = Vec::new();
        let mut room = EMBEDDED_BYTES_MAX;
        for file in &self.files {
            let (relation, bytes) = match &file.octets {
                Octets::Object(place) => {
                    let length = usize::try_from(file.measured.bytes).unwrap_or(usize::MAX);
                    let Some(left) = room.checked_sub(length) else {
                        continue;
                    };
                    room = left;
                    (Relation::Source, self.object(*place, length)?)
                }
                Octets::Held(bytes) if file.name.ends_with(".tlog-proof") => {
                    (Relation::Data, bytes.clone())
                }
                Octets::Held(_) | Octets::Kept(_) => continue,
            };
            embedded.push(Embedded {
                // A name in the pages has no folder.
                name: file.name.replace('/', "-"),
                media_type: file.media_type.to_owned(),
                description: file.name.clone(),
                relation,
                bytes,
            });
        }
        Ok(embedded)
    }

    fn object(&self, place: usize, length: usize) -> Result<Vec<u8>, ReissueError> {
        let mut bytes = Vec::with_capacity(length);
        let object = self
            .items
            .get(place)
            .and_then(|i| i.archived.object.as_ref());
        if let Some(object) = object {
            let take = |piece: &[u8]| bytes.extend_from_slice(piece);
            object
                .opened
                .content(self.reissuer.desk.engine().store(), take)?;
        }
        Ok(bytes)
    }

    fn commands(&self, wanted: &Wanted) -> Result<String, ReissueError> {
        let listed: Vec<_> = self.files.iter().map(File::listed).collect();
        let objects = self.items.iter().zip(&self.report.records);
        let objects = objects.filter_map(|(item, record)| {
            let examined = item.examined.as_ref().filter(|e| e.is_signed())?;
            Some(SignedObject {
                file: item.file.clone()?,
                proven: record.proven_time,
                has_bare_line_feeds: examined.has_bare_line_feeds,
            })
        });
        let objects: Vec<_> = objects.collect();
        let tokens = self.report.intervals.iter().flat_map(|i| &i.tokens);
        let mut tokens: Vec<_> = tokens
            .filter_map(|token| {
                Some(TokenFile {
                    token: token.file.clone()?,
                    covers: token.covers.clone(),
                })
            })
            .collect();
        let of_disposals = self.report.disposed.iter();
        let certificates: Vec<String> = of_disposals
            .filter_map(|unit| unit.certificate.clone())
            .collect();
        tokens.extend(certificates.iter().filter_map(|certificate| {
            let stem = certificate.strip_suffix(".p7m")?;
            Some(TokenFile {
                token: format!("{stem}.firma.tst"),
                covers: format!("{stem}.firma"),
            })
        }));
        let proofs = self.items.iter().flat_map(|item| {
            item.proofs.iter().map(|(stem, proof)| ProofFile {
                leaf: proof.index.get(),
                proof: format!("{stem}.tlog-proof"),
                content: item.file.clone().filter(|_| proof.record.content.bytes > 0),
            })
        });
        let proofs: Vec<_> = proofs.collect();
        let text = leggimi(&Package {
            language: wanted.language,
            form: match wanted.as_folder {
                true => ceralacca_pages::Form::Folder(&self.name),
                false => ceralacca_pages::Form::Archive(&self.name),
            },
            roots: ROOTS,
            log_key: LOG_KEY,
            verify_proof: files::VERIFY,
            files: &listed,
            objects: &objects,
            tokens: &tokens,
            certificates: &certificates,
            proofs: &proofs,
            signatures: 1,
            is_development: !self.report.development.is_empty(),
            is_pending: !self.is_sealed(),
        })?;
        Ok(text)
    }

    /// Writes the container: contents go from the store to `out` part by part. Gives back what was written to.
    pub fn write<W: Write>(&self, out: W) -> Result<W, ReissueError> {
        let mut writer = ContainerWriter::begin(out, self.form)?;
        let store = self.reissuer.desk.engine().store();
        for file in &self.files {
            let part = |content| Part {
                name: &file.name,
                media_type: file.media_type,
                measured: file.measured,
                content,
            };
            let content: Box<dyn std::io::Read + '_> = match &file.octets {
                Octets::Held(bytes) => Box::new(bytes.as_slice()),
                Octets::Kept(opened) => Box::new(opened.pieces(store)?),
                Octets::Object(place) => {
                    let object = self
                        .items
                        .get(*place)
                        .and_then(|i| i.archived.object.as_ref());
                    match object {
                        Some(object) => Box::new(object.opened.pieces(store)?),
                        None => Box::new(std::io::empty()),
                    }
                }
            };
            writer.add(part(content))?;
        }
        for (covers, ers) in &self.records {
            let covers: Vec<&str> = covers.iter().map(String::as_str).collect();
            writer.evidence_record(&covers, ers)?;
        }
        let authorities = self.reissuer.authorities;
        let (signer, stamper) = (&*authorities.signer, &*authorities.stamper);
        issue::add(self.reissuer.desk.engine(), signer, &mut writer)?;
        writer.sign(|manifest| {
            let content = Content::detached(manifest);
            let signed = cades::sign_stamped(content, self.made, signer, stamper);
            signed.map(|(signature, _)| signature)
        })?;
        Ok(writer.finish()?)
    }

    /// The name of the file, with its extension; of what is to be unpacked, that of the ZIP.
    pub fn file_name(&self) -> String {
        match self.as_folder {
            true => format!("{}.{}", self.name, extension(self.form)),
            false => self.name.clone(),
        }
    }
}

pub(super) const fn extension(form: Form) -> &'static str {
    match form {
        Form::AsicE => "asice",
        Form::Zip => "zip",
    }
}

/// The evidence record of the package of an interval as it is now, over those of its files that are taken along.
pub(super) fn of_package(interval: &Interval, closed: &closed::Closed) -> (Vec<String>, Vec<u8>) {
    let folder = files::folder_of(interval.span.id);
    let covered = [
        "PIndex.xml.p7m",
        "checkpoint",
        "checkpoint.tst",
        "contents.json",
    ];
    let covers = covered.iter().map(|name| format!("{folder}/{name}"));
    (covers.collect(), closed.evidence.to_der())
}
