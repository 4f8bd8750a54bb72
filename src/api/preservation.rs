//! `Preservation`: intervals, and the files of their packages.

use super::patient::{self, Patient};
use super::v1::preservation_server::Preservation as Rpc;
use super::v1::stream_file_response::Part;
use super::{CHUNK_BYTES, Service, status, v1};
use crate::access::{Permit, Preserve};
use crate::desk::{INTERVALS_PAGE, ListedInterval};
use bytes::Bytes;
use ceralacca_formats::closing::Closing;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status};

/// The longest path that is looked for, in bytes: that of a catalogue.
const PATH_BYTES_MAX: usize = 255;

fn sha256(digest: &Sha256) -> Bytes {
    Bytes::copy_from_slice(digest.as_bytes())
}

fn closed(index: LeafIndex, closing: &Closing) -> v1::ClosedInterval {
    let classes = closing.contents.classes.iter();
    let classes = classes.map(|held| v1::ClosedClass {
        // The codes on the wire are those of the leaf; a test holds them together.
        retention_class: i32::from(held.class.code()),
        records: held.records,
        files: u32::try_from(held.files.len()).unwrap_or(u32::MAX),
        keys: held.keys,
        map_root: sha256(&held.map_root),
    });
    let counts = closing.contents.counts.iter();
    let counts = counts.map(|count| v1::EventCount {
        retention_class: i32::from(count.class.code()),
        event: count.event.to_str().unwrap_or_default().to_owned(),
        count: count.count,
    });
    v1::ClosedInterval {
        index: index.get(),
        catalogue_sha256: sha256(&closing.catalogue),
        pindex_sha256: sha256(&closing.pindex),
        evidence_sha256: sha256(&closing.evidence),
        token_ms: closing.token_time.get(),
        token_accuracy_ms: closing.token_accuracy_ms,
        proven: closing.is_proven,
        trust: closing.trust.map(LeafIndex::get),
        previous: closing.previous.map(LeafIndex::get),
        classes: classes.collect(),
        counts: counts.collect(),
    }
}

fn interval(listed: &ListedInterval) -> v1::Interval {
    let span = &listed.span;
    let state = match (span.closed, span.cut) {
        (Some(_), _) => v1::IntervalPhase::Closed,
        (None, Some(_)) => v1::IntervalPhase::Cut,
        (None, None) => v1::IntervalPhase::Open,
    };
    let closing = span.closed.zip(listed.closing.as_ref());
    v1::Interval {
        interval_ms: span.id.get(),
        end_ms: span.end.get(),
        first_index: span.first.get(),
        tree_size: span.cut.map_or(0, |size| size.get()),
        state: state.into(),
        closed: closing.map(|(index, closing)| closed(index, closing)),
    }
}

#[tonic::async_trait]
impl Rpc for Service {
    type StreamFileStream = BoxStream<'static, Result<v1::StreamFileResponse, Status>>;

    async fn list_intervals(
        &self,
        request: Request<v1::ListIntervalsRequest>,
    ) -> Result<Response<v1::ListIntervalsResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Preserve>(&caller, &request.log)?;
        let limit = match usize::try_from(request.limit).unwrap_or(usize::MAX) {
            0 => INTERVALS_PAGE,
            limit if limit <= INTERVALS_PAGE => limit,
            limit => {
                let (found, limit) = (limit as u64, INTERVALS_PAGE as u64);
                return Err(status::over_limit("limit", found, limit));
            }
        };
        let service = self.clone();
        let listing = move || {
            let packages = service.log(&permit)?.packages(&permit);
            let packages = packages.map_err(|_| status::denied())?;
            let after = request.after_ms.map(IntervalId::new);
            let (listed, more) = packages.intervals(after, limit).map_err(status::desk)?;
            Ok(v1::ListIntervalsResponse {
                intervals: listed.iter().map(interval).collect(),
                more,
            })
        };
        Ok(Response::new(self.0.reads.run(listing).await?))
    }

    async fn stream_file(
        &self,
        request: Request<v1::StreamFileRequest>,
    ) -> Result<Response<Self::StreamFileStream>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Preserve>(&caller, &request.log)?;
        if request.path.len() > PATH_BYTES_MAX {
            let (found, limit) = (request.path.len() as u64, PATH_BYTES_MAX as u64);
            return Err(status::over_limit("path", found, limit));
        }
        let service = self.clone();
        let (threads, patience) = (self.0.packages.clone(), self.0.limits.stream_idle);
        let give = move |sender: &Patient<_>| give(&service, &permit, &request, sender);
        let answers = patient::stream(threads, patience, give).await?;
        Ok(Response::new(answers))
    }
}

fn give(
    service: &Service,
    permit: &Permit<Preserve>,
    request: &v1::StreamFileRequest,
    sender: &Patient<v1::StreamFileResponse>,
) -> Result<(), Status> {
    let packages = service.log(permit)?.packages(permit);
    let packages = packages.map_err(|_| status::denied())?;
    let interval = IntervalId::new(request.interval_ms);
    let file = packages.file(interval, &request.path);
    let file = file.map_err(status::desk)?;
    let part = |part| v1::StreamFileResponse { part: Some(part) };
    let head = v1::FileHead {
        bytes: file.bytes(),
        sha256: sha256(&file.sha256()),
    };
    if !sender.send(part(Part::Head(head))) {
        return Err(status::idle());
    }
    let mut taken = true;
    let given = file.each(|piece| {
        for chunk in piece.chunks(CHUNK_BYTES) {
            let chunk = || part(Part::Chunk(Bytes::copy_from_slice(chunk)));
            // Once the client has gone the rest is read for its digest only.
            taken = taken && sender.send(chunk());
        }
    });
    given.map_err(status::desk)?;
    taken.then_some(()).ok_or_else(status::idle)
}
