//! What completes a package, over the wire.

use super::package;
use crate::access::{Permit, Reissue};
use crate::api::patient::Patient;
use crate::api::v1::complete_package_response::Part;
use crate::api::{CHUNK_BYTES, Service, status, v1};
use crate::reissue::{COMPLETED_RECORDS_MAX, Incomplete};
use bytes::Bytes;
use ceralacca_evidence::asic::{FileName, META_BYTES_MAX};
use ceralacca_formats::id::LeafIndex;
use tonic::Status;

/// What is asked, checked.
pub(super) fn asked(request: v1::CompletePackageRequest) -> Result<Incomplete, Status> {
    for (field, octets) in [
        ("manifest", &request.manifest),
        ("signature", &request.signature),
    ] {
        let found = octets.len() as u64;
        if found > META_BYTES_MAX {
            return Err(status::over_limit(field, found, META_BYTES_MAX));
        }
        if found == 0 {
            return Err(status::invalid(field, "VALUE_NEEDED", "it must be there"));
        }
    }
    let found = request.records.len();
    if found > COMPLETED_RECORDS_MAX {
        let limit = COMPLETED_RECORDS_MAX as u64;
        return Err(status::over_limit("records", found as u64, limit));
    }
    if found == 0 {
        let why = "a package has records";
        return Err(status::invalid("records", "VALUE_NEEDED", why));
    }
    let is_name = |text: &str| FileName::new(text).is_ok();
    let mut stems = request.records.iter();
    if !stems.all(|record| is_name(&record.stem)) {
        return Err(status::invalid("records", "STEM", "not a name of a file"));
    }
    if !is_name(&request.file_name) {
        return Err(status::invalid("file_name", "NAME", "not a name of a file"));
    }
    let as_folder = match v1::PackageForm::try_from(request.form) {
        Ok(form) => form == v1::PackageForm::Folder,
        Err(_) => {
            return Err(status::invalid(
                "form",
                "UNKNOWN_VALUE",
                "not a known value",
            ));
        }
    };
    let records = request.records.into_iter();
    let records = records.map(|record| (record.stem, LeafIndex::new(record.index)));
    Ok(Incomplete {
        records: records.collect(),
        language: package::language(request.language)?,
        manifest: request.manifest.into(),
        signature: request.signature.into(),
        name: request.file_name,
        as_folder,
    })
}

pub(super) fn give(
    service: &Service,
    permit: &Permit<Reissue>,
    asked: &Incomplete,
    sender: &Patient<v1::CompletePackageResponse>,
) -> Result<(), Status> {
    let log = service.log(permit)?;
    let reissuer = log.reissuer(permit).map_err(|_| status::denied())?;
    let reissuer = reissuer.map_err(status::reissue)?;
    let completed = reissuer.complete(asked).map_err(status::reissue)?;
    let send = |part| {
        let answer = v1::CompletePackageResponse { part: Some(part) };
        sender.send(answer).then_some(()).ok_or_else(status::idle)
    };
    send(Part::Head(v1::CompletionHead {
        // A container holds a thousand files at most.
        files: u32::try_from(completed.files.len()).unwrap_or(u32::MAX),
        sealed: completed.is_sealed,
        disclosure_leaf: completed.disclosure.get(),
    }))?;
    for file in completed.files {
        send(Part::File(v1::AddedFile {
            name: file.name,
            media_type: file.media_type,
            bytes: file.octets.len() as u64,
        }))?;
        for piece in file.octets.chunks(CHUNK_BYTES) {
            send(Part::Chunk(Bytes::copy_from_slice(piece)))?;
        }
    }
    Ok(())
}
