//! The package for a court, over the wire.

use crate::access::{Permit, Reissue};
use crate::api::patient::Patient;
use crate::api::v1::get_package_response::Part;
use crate::api::{CHUNK_BYTES, Service, TERM_BYTES_MAX, status, v1};
use crate::desk::{Choice, Demand, SearchQuery};
use crate::reissue::{DisposedOf, Given, NothingHeld, Prepared, Wanted};
use bytes::Bytes;
use ceralacca_evidence::asic::{FileName, Form};
use ceralacca_formats::disposed::NamedUnit;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::metadata::Field;
use ceralacca_pages::model::{Capacity, Language};
use std::io::{ErrorKind, Write};
use tonic::Status;

/// The longest word about the request, in bytes: it is on the first page.
const WORDS_BYTES_MAX: usize = 500;

/// What is asked, checked.
pub(super) fn wanted(request: v1::GetPackageRequest) -> Result<Wanted, Status> {
    let choice = choice(&request)?;
    let unknown = |field| status::invalid(field, "UNKNOWN_VALUE", "not a known value");
    let (capacity, word) = match v1::Capacity::try_from(request.capacity) {
        Ok(v1::Capacity::Holder) => (Capacity::Holder, "holder"),
        Ok(v1::Capacity::Court) => (Capacity::Court, "court"),
        Ok(v1::Capacity::Authority) => (Capacity::Authority, "authority"),
        Ok(v1::Capacity::Unspecified) => {
            let message = "in which capacity it is asked must be said";
            return Err(status::invalid("capacity", "VALUE_NEEDED", message));
        }
        Err(_) => return Err(unknown("capacity")),
    };
    let (form, as_folder) = match v1::PackageForm::try_from(request.form) {
        Ok(v1::PackageForm::Unspecified | v1::PackageForm::Asice) => (Form::AsicE, false),
        Ok(v1::PackageForm::Zip) => (Form::Zip, false),
        Ok(v1::PackageForm::Folder) => (Form::Zip, true),
        Err(_) => return Err(unknown("form")),
    };
    let language = language(request.language)?;
    Ok(Wanted {
        demand: Demand {
            choice,
            whole_transaction: request.whole_transaction,
            requester: words("requester", request.requester)?,
            capacity: word,
            act: words("act", request.act)?,
            purpose: words("purpose", request.purpose)?,
        },
        capacity,
        language,
        form,
        as_folder,
        sealed_only: request.sealed_only,
        name: name(request.file_name)?,
    })
}

/// A name that commands may have in them.
fn name(text: String) -> Result<Option<String>, Status> {
    match (text.is_empty(), FileName::new(&text)) {
        (true, _) => Ok(None),
        (false, Ok(_)) if !text.contains('/') => Ok(Some(text)),
        _ => Err(status::invalid(
            "file_name",
            "NAME",
            "not a name of letters, digits, points, lines",
        )),
    }
}

/// The language of pages and commands.
pub(super) fn language(code: i32) -> Result<Language, Status> {
    match v1::Language::try_from(code) {
        Ok(v1::Language::Unspecified | v1::Language::Italian) => Ok(Language::It),
        Ok(v1::Language::English) => Ok(Language::En),
        Err(_) => Err(status::invalid(
            "language",
            "UNKNOWN_VALUE",
            "not a known value",
        )),
    }
}

fn words(field: &'static str, text: String) -> Result<String, Status> {
    if text.len() > WORDS_BYTES_MAX {
        let (found, limit) = (text.len() as u64, WORDS_BYTES_MAX as u64);
        return Err(status::over_limit(field, found, limit));
    }
    match text.trim() {
        "" => Err(status::invalid(field, "VALUE_NEEDED", "it must be said")),
        text => Ok(text.to_owned()),
    }
}

fn choice(request: &v1::GetPackageRequest) -> Result<Choice, Status> {
    let asked = [
        (
            Field::Identificativo,
            "identificativo",
            &request.identificativo,
        ),
        (Field::Msgid, "msgid", &request.msgid),
        (Field::MessageId, "message_id", &request.message_id),
        (Field::Sender, "sender", &request.sender),
        (Field::Recipient, "recipient", &request.recipient),
    ];
    let mut query = SearchQuery {
        event: (request.event_from_ms, request.event_until_ms),
        ..SearchQuery::default()
    };
    for (field, name, term) in asked {
        if term.len() > TERM_BYTES_MAX {
            let (found, limit) = (term.len() as u64, TERM_BYTES_MAX as u64);
            return Err(status::over_limit(name, found, limit));
        }
        if !term.is_empty() {
            query.terms.push((field, term.as_bytes().to_vec()));
        }
    }
    if request.party.len() > TERM_BYTES_MAX {
        let (found, limit) = (request.party.len() as u64, TERM_BYTES_MAX as u64);
        return Err(status::over_limit("party", found, limit));
    }
    if !request.party.is_empty() {
        query.party = Some(request.party.as_bytes().to_vec());
    }
    let is_any = query.terms.is_empty() && query.party.is_none();
    match (request.index, is_any) {
        (Some(index), true) => Ok(Choice::Index(LeafIndex::new(index))),
        (None, false) => Ok(Choice::Matching(query)),
        (None, true) => Err(status::invalid(
            "identificativo",
            "TERM_NEEDED",
            "nothing is asked",
        )),
        (Some(_), false) => Err(status::invalid(
            "index",
            "TERM_BESIDE_INDEX",
            "an index is asked alone",
        )),
    }
}

pub(super) fn give(
    service: &Service,
    permit: &Permit<Reissue>,
    wanted: &Wanted,
    sender: &Patient<v1::GetPackageResponse>,
) -> Result<(), Status> {
    let log = service.log(permit)?;
    let reissuer = log.reissuer(permit).map_err(|_| status::denied())?;
    let reissuer = reissuer.map_err(status::reissue)?;
    let given = reissuer.prepare(wanted).map_err(status::reissue)?;
    let first = match &given {
        Given::Package(prepared) => Part::Head(head(prepared)),
        Given::Nothing(nothing) => Part::Nothing(nothing_head(nothing)),
        Given::Disposed(gone) => Part::Disposed(disposed_head(gone)),
    };
    if !sender.send(part(first)) {
        return Err(status::idle());
    }
    let sending = Sending {
        sender,
        piece: Vec::with_capacity(CHUNK_BYTES),
    };
    let sent = match &given {
        Given::Package(prepared) => prepared.write(sending),
        Given::Nothing(nothing) => nothing.write(sending),
        Given::Disposed(gone) => gone.write(sending),
    };
    let sent = sent.map_err(status::reissue)?;
    sent.finish().map_err(|_| status::idle())
}

fn nothing_head(nothing: &NothingHeld<'_>) -> v1::NothingHead {
    let reach = &nothing.reach;
    let (from, until) = reach.proven.unwrap_or_default();
    v1::NothingHead {
        file_name: nothing.file_name(),
        intervals: reach.intervals,
        closed: reach.closed,
        proven_from_ms: from.get(),
        proven_until_ms: until.get(),
        disposed: nothing.disposed().iter().map(disposed_unit).collect(),
        disclosure_leaf: nothing.disclosure().get(),
        development: nothing.is_development(),
    }
}

fn disposed_head(gone: &DisposedOf<'_>) -> v1::DisposedHead {
    v1::DisposedHead {
        file_name: gone.file_name(),
        disposed: gone.units().iter().map(disposed_unit).collect(),
        disclosure_leaf: gone.disclosure().get(),
        development: gone.is_development(),
    }
}

fn disposed_unit(named: &NamedUnit) -> v1::DisposedUnit {
    v1::DisposedUnit {
        interval_ms: named.unit.interval.get(),
        class: named.unit.class.word().to_owned(),
        carried: named.unit.carried,
        certificate: named.certificate.clone().unwrap_or_default(),
    }
}

fn part(part: Part) -> v1::GetPackageResponse {
    v1::GetPackageResponse { part: Some(part) }
}

fn head(prepared: &Prepared<'_>) -> v1::PackageHead {
    use ceralacca_pages::model::Object;
    let records = &prepared.report.records;
    let is_held = |object: &Object| matches!(object, Object::HandedOut { .. });
    let objects = records.iter().filter(|record| is_held(&record.object));
    // Both counts are below PACKAGE_RECORDS_MAX.
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    v1::PackageHead {
        file_name: prepared.file_name(),
        records: count(records.len()),
        objects: count(objects.count()),
        sealed: prepared.is_sealed(),
        disclosure_leaf: prepared.report.request.disclosure_leaf.unwrap_or_default(),
        development: !prepared.report.development.is_empty(),
        disposed: prepared.disposed().iter().map(disposed_unit).collect(),
    }
}

/// Sends what is written, piece by piece.
struct Sending<'a> {
    sender: &'a Patient<v1::GetPackageResponse>,
    piece: Vec<u8>,
}

impl Sending<'_> {
    fn finish(mut self) -> std::io::Result<()> {
        self.send()
    }

    fn send(&mut self) -> std::io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(CHUNK_BYTES));
        match self.sender.send(part(Part::Chunk(Bytes::from(piece)))) {
            true => Ok(()),
            false => Err(ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Write for Sending<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = CHUNK_BYTES.saturating_sub(self.piece.len());
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.piece.extend_from_slice(taken);
        if self.piece.len() >= CHUNK_BYTES {
            self.send()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
