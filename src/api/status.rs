//! Errors to gRPC statuses: the only file that names status codes.
//!
//! Every status carries a `google.rpc.ErrorInfo` of domain `ceralacca` with a stable reason word and the
//! numbers that were wrong, beside `BadRequest` or `RetryInfo` where they apply.

use crate::archive::MigrationError;
use crate::audit::ReadError;
use crate::custody::CustodyError;
use crate::desk::{DeskError, TokenError};
use crate::disposal::DisposalError;
use crate::ingest::IngestError;
use crate::record::open::RecordError;
use crate::record::upload::RestageError;
use crate::reissue::ReissueError;
use crate::seal::SealError;
use crate::sequencer::SubmitError;
use crate::store::StoreError;
use ceralacca_evidence::asic::AsicError;
use ceralacca_formats::id::LeafIndex;
use ceralacca_formats::sample::SampleError;
use ceralacca_retention::{HoldError, PrincipalError, Refusal};
use std::time::Duration;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

const DOMAIN: &str = "ceralacca";
/// When to try again.
const RETRY: Duration = Duration::from_millis(200);

fn with(code: Code, reason: &str, message: String, numbers: &[(&str, u64)]) -> Status {
    let details = details(reason, numbers);
    Status::with_error_details(code, message, details)
}

fn details(reason: &str, numbers: &[(&str, u64)]) -> ErrorDetails {
    let numbers = numbers.iter();
    let numbers = numbers.map(|(name, number)| ((*name).to_owned(), number.to_string()));
    ErrorDetails::with_error_info(
        reason,
        DOMAIN,
        numbers.collect::<std::collections::HashMap<_, _>>(),
    )
}

/// A field that is wrong.
pub(super) fn invalid(field: &str, reason: &str, message: &str) -> Status {
    let mut details = details(reason, &[]);
    details.add_bad_request_violation(field, message);
    Status::with_error_details(
        Code::InvalidArgument,
        format!("{field}: {message}"),
        details,
    )
}

/// A field over its limit.
pub(super) fn over_limit(field: &str, found: u64, limit: u64) -> Status {
    let message = format!("{found} is over the limit of {limit}");
    let mut details = details("TOO_LARGE", &[("found", found), ("limit", limit)]);
    details.add_bad_request_violation(field, &message);
    Status::with_error_details(
        Code::InvalidArgument,
        format!("{field}: {message}"),
        details,
    )
}

/// Bytes that are not those announced.
pub(super) fn other_bytes() -> Status {
    invalid(
        "sha256",
        "DIGEST_MISMATCH",
        "the bytes received have another SHA-256; nothing was recorded",
    )
}

pub(super) fn no_certificate() -> Status {
    let message = "a client certificate is needed".to_owned();
    with(Code::Unauthenticated, "CERTIFICATE_NEEDED", message, &[])
}

pub(super) fn unknown_certificate() -> Status {
    let message = "the client certificate is of no principal".to_owned();
    with(Code::Unauthenticated, "CERTIFICATE_UNKNOWN", message, &[])
}

pub(super) fn denied() -> Status {
    let message = "no role allows this".to_owned();
    with(Code::PermissionDenied, "DENIED", message, &[])
}

pub(super) fn unknown_log() -> Status {
    with(
        Code::NotFound,
        "LOG_UNKNOWN",
        "there is no such log".to_owned(),
        &[],
    )
}

pub(super) fn internal() -> Status {
    with(Code::Internal, "INTERNAL", "internal error".to_owned(), &[])
}

pub(super) fn stopping() -> Status {
    with(
        Code::Unavailable,
        "STOPPING",
        "the service is stopping".to_owned(),
        &[],
    )
}

/// As many streams of checkpoints as there may be: a place is free when one ends.
pub(super) fn too_many_streams() -> Status {
    let mut details = details("TOO_MANY_STREAMS", &[]);
    details.set_retry_info(Some(RETRY));
    let message = "too many streams at a time";
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// A stream that stood still; of an upload, nothing was recorded.
pub(super) fn idle() -> Status {
    let message = "the stream stood still for too long".to_owned();
    with(Code::DeadlineExceeded, "STREAM_IDLE", message, &[])
}

/// A request that broke off before its end; of an upload, nothing was recorded. Nobody hears this, the client
/// is gone.
pub(super) fn cut() -> Status {
    let message = "the request broke off".to_owned();
    with(Code::Aborted, "CUT", message, &[])
}

/// A refusal that the transport gave by itself gets its details too: a message over the limit, bytes that are no
/// message, a method that is none.
pub(super) fn explained(mut response: http::Response<Body>) -> http::Response<Body> {
    let status = Status::from_header_map(response.headers());
    if let Some(status) = status.filter(|status| status.details().is_empty()) {
        let reason = match status.code() {
            Code::Ok => return response,
            Code::OutOfRange | Code::ResourceExhausted => "MESSAGE_TOO_LARGE",
            Code::Unimplemented => "NOT_SERVED",
            Code::Internal | Code::InvalidArgument => "MALFORMED_MESSAGE",
            _ => "TRANSPORT",
        };
        let rich = with(status.code(), reason, status.message().to_owned(), &[]);
        // Should it not fit into a header, the plain one stands.
        let _ = rich.add_header(response.headers_mut());
    }
    response
}

fn busy() -> Status {
    let mut details = details("BUSY", &[]);
    details.set_retry_info(Some(RETRY));
    let message = "the writer's queue is full; nothing was recorded";
    Status::with_error_details(Code::Unavailable, message, details)
}

fn damaged(message: String) -> Status {
    with(Code::DataLoss, "DAMAGED", message, &[])
}

/// The chain of an error on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        next = cause.source();
    }
    line
}

pub(super) fn submit(error: SubmitError) -> Status {
    match error {
        SubmitError::Busy => busy(),
        SubmitError::Stopped => {
            let message = "the writer has stopped; whether it was recorded is unknown: submit again \
                           under the same client key when the service is back";
            with(Code::Unavailable, "WRITER_STOPPED", message.to_owned(), &[])
        }
    }
}

pub(super) fn store(error: &StoreError) -> Status {
    match error {
        StoreError::DiskFull => {
            let message = "the disk is full; nothing was recorded".to_owned();
            with(Code::ResourceExhausted, "DISK_FULL", message, &[])
        }
        StoreError::Stopped => submit(SubmitError::Stopped),
        other => {
            tracing::error!(error = chain(other), "store");
            with(Code::Internal, "STORE", "the store failed".to_owned(), &[])
        }
    }
}

pub(super) fn ingest(error: IngestError) -> Status {
    match error {
        IngestError::TooLarge { limit } => {
            let message = format!("object or metadata of over {limit} bytes");
            with(
                Code::InvalidArgument,
                "TOO_LARGE",
                message,
                &[("limit", limit)],
            )
        }
        IngestError::Submit(error) => submit(error),
        IngestError::Conflict { first } => {
            let message =
                format!("the client key was used before, for other bytes, at leaf {first}");
            with(
                Code::AlreadyExists,
                "CLIENT_KEY_REUSED",
                message,
                &[("first", first.get())],
            )
        }
        IngestError::NotAnnounced => other_bytes(),
        IngestError::NotADeclaration { index } => {
            let message = error_line(&error);
            let numbers = [("index", index.get())];
            with(
                Code::FailedPrecondition,
                "NO_DECLARATION",
                message,
                &numbers,
            )
        }
        IngestError::RecordedOtherwise { first } => {
            let message = error_line(&error);
            let numbers = [("first", first.get())];
            with(Code::AlreadyExists, "RECORDED_OTHERWISE", message, &numbers)
        }
        IngestError::Restage(RestageError::Store(error)) | IngestError::Store(error) => {
            store(&error)
        }
        IngestError::Restage(error) => {
            tracing::error!(error = chain(&error), "stage content again");
            damaged("the staged content is damaged; nothing was recorded".to_owned())
        }
        IngestError::Read(error) => read(error),
    }
}

fn error_line(error: &IngestError) -> String {
    format!("{error}; nothing was recorded")
}

pub(super) fn migration(error: MigrationError) -> Status {
    match error {
        MigrationError::Denied(_) => denied(),
        MigrationError::Ingest(error) => ingest(error),
    }
}

pub(super) fn read(error: ReadError) -> Status {
    match error {
        ReadError::OutOfRange { index, size } => {
            let numbers = [("index", index.get()), ("tree_size", size.get())];
            with(Code::OutOfRange, "BEYOND_TREE", error.to_string(), &numbers)
        }
        ReadError::Sizes {
            first,
            second,
            size,
        } => {
            let numbers = [
                ("first_size", first.get()),
                ("second_size", second.get()),
                ("tree_size", size.get()),
            ];
            with(Code::OutOfRange, "BEYOND_TREE", error.to_string(), &numbers)
        }
        ReadError::NoLeaf { size } => {
            let numbers = [("tree_size", size.get())];
            with(Code::NotFound, "LEAF_UNKNOWN", error.to_string(), &numbers)
        }
        ReadError::TooWide { leaves, limit } => {
            let mut details = details("RANGE_NEEDED", &[("leaves", leaves), ("limit", limit)]);
            let message = error.to_string();
            details.add_bad_request_violation("end_index", &message);
            Status::with_error_details(Code::InvalidArgument, message, details)
        }
        ReadError::NotKept { size, below, above } => {
            let numbers = [
                ("tree_size", size.get()),
                ("kept_below", below.get()),
                ("kept_above", above.get()),
            ];
            let message = format!("{error}; the next ones have {below} and {above}");
            with(Code::NotFound, "CHECKPOINT_NOT_KEPT", message, &numbers)
        }
        ReadError::NoInterval(at) => {
            let numbers = [("interval_at_ms", at.get())];
            with(
                Code::NotFound,
                "INTERVAL_UNKNOWN",
                error.to_string(),
                &numbers,
            )
        }
        ReadError::IntervalOpen { interval, end } => {
            let numbers = [("interval_ms", interval.get()), ("end_ms", end.get())];
            with(Code::NotFound, "INTERVAL_OPEN", error.to_string(), &numbers)
        }
        ReadError::Store(error) | ReadError::Record(RecordError::Store(error)) => store(&error),
        ReadError::Record(RecordError::Erased { index, erasure }) => erased(index, erasure),
        ReadError::Missing(_) | ReadError::Record(_) => {
            tracing::error!(error = chain(&error), "read");
            damaged("what is stored is not what was recorded: an alarm, run fsck".to_owned())
        }
    }
}

pub(super) fn desk(error: DeskError) -> Status {
    match error {
        DeskError::NotShown => {
            let message = "nothing to show".to_owned();
            with(Code::NotFound, "NOT_SHOWN", message, &[])
        }
        DeskError::Infected(index) => with(
            Code::FailedPrecondition,
            "INFECTED",
            error.to_string(),
            &[("index", index.get())],
        ),
        DeskError::NotInfected(index) => with(
            Code::FailedPrecondition,
            "NOT_INFECTED",
            error.to_string(),
            &[("index", index.get())],
        ),
        DeskError::NotBrief(index) => with(
            Code::FailedPrecondition,
            "NOT_BRIEF",
            error.to_string(),
            &[("index", index.get())],
        ),
        DeskError::TooLarge { index, limit } => with(
            Code::FailedPrecondition,
            "TOO_LARGE",
            error.to_string(),
            &[("index", index.get()), ("limit", limit)],
        ),
        DeskError::TooManyRecords(limit) => with(
            Code::FailedPrecondition,
            "TOO_MANY_RECORDS",
            error.to_string(),
            &[("limit", limit as u64)],
        ),
        DeskError::NoObject(index) => {
            let numbers = [("index", index.get())];
            with(
                Code::FailedPrecondition,
                "NO_OBJECT",
                error.to_string(),
                &numbers,
            )
        }
        DeskError::TooMany { limit, .. } => {
            let numbers = [("limit", limit)];
            let message = error.to_string();
            with(Code::InvalidArgument, "TOO_MANY", message, &numbers)
        }
        DeskError::NotClosed { first, intervals } => {
            let numbers = [("interval_ms", first.get()), ("intervals", intervals)];
            let message = error.to_string();
            let code = Code::FailedPrecondition;
            with(code, "INTERVALS_NOT_CLOSED", message, &numbers)
        }
        DeskError::Package(error) => package(error),
        DeskError::Sample(error) => sample(error),
        DeskError::IntervalUnknown(interval) => {
            let numbers = [("interval_ms", interval.get())];
            let message = error.to_string();
            with(Code::NotFound, "INTERVAL_UNKNOWN", message, &numbers)
        }
        DeskError::IntervalNotClosed(interval) => {
            let numbers = [("interval_ms", interval.get())];
            let message = error.to_string();
            with(
                Code::FailedPrecondition,
                "INTERVAL_NOT_CLOSED",
                message,
                &numbers,
            )
        }
        DeskError::NoFile(interval) => {
            let numbers = [("interval_ms", interval.get())];
            with(Code::NotFound, "FILE_UNKNOWN", error.to_string(), &numbers)
        }
        DeskError::FileDenied => with(
            Code::PermissionDenied,
            "FILE_DENIED",
            error.to_string(),
            &[],
        ),
        DeskError::Disposed { interval, class } => {
            let numbers = [
                ("interval_ms", interval.get()),
                ("class", class.code().into()),
            ];
            let message = error.to_string();
            with(Code::FailedPrecondition, "DISPOSED", message, &numbers)
        }
        DeskError::NotWitnessed => with(Code::Unavailable, "NOT_WITNESSED", error.to_string(), &[]),
        DeskError::Read(error) => read(error),
        DeskError::Custody(error) => custody(error),
        DeskError::Disclosure(error) => {
            tracing::error!(error = chain(&error), "record a disclosure");
            with(
                Code::Unavailable,
                "DISCLOSURE_NOT_RECORDED",
                "the disclosure could not be recorded, so nothing is shown".to_owned(),
                &[],
            )
        }
    }
}

/// A record that was erased singly: its certificate says when and why.
fn erased(record: LeafIndex, erasure: LeafIndex) -> Status {
    let numbers = [("index", record.get()), ("erasure", erasure.get())];
    let message = format!("record {record} was erased, as leaf {erasure} says");
    with(Code::FailedPrecondition, "ERASED", message, &numbers)
}

/// What follows an erasure was not all done: said in the log of the service, and made up for.
pub(super) fn not_completed(error: &CustodyError) {
    tracing::error!(error = chain(error), "complete an erasure");
}

/// Why an act on what is kept was not done.
fn custody(error: CustodyError) -> Status {
    let message = error.to_string();
    let precondition = Code::FailedPrecondition;
    match error {
        CustodyError::Nothing => with(precondition, "NOTHING_NAMED", message, &[]),
        CustodyError::TooManyRanges(limit) => {
            let numbers = [("limit", limit as u64)];
            with(precondition, "TOO_MANY_RANGES", message, &numbers)
        }
        CustodyError::Disposed { interval, class } => {
            let numbers = [
                ("interval_ms", interval.get()),
                ("class", class.code().into()),
            ];
            with(precondition, "DISPOSED", message, &numbers)
        }
        CustodyError::NoHold(hold) => {
            let numbers = [("hold", hold.get())];
            with(Code::NotFound, "HOLD_UNKNOWN", message, &numbers)
        }
        CustodyError::Released(hold) => {
            let numbers = [("hold", hold.get())];
            with(precondition, "HOLD_RELEASED", message, &numbers)
        }
        CustodyError::NotProposed(hold) => {
            let numbers = [("hold", hold.get())];
            with(precondition, "RELEASE_NOT_PROPOSED", message, &numbers)
        }
        CustodyError::Hold(HoldError::Act { .. }) => invalid("act", "ACT", &message),
        CustodyError::Hold(HoldError::EndNotAfterStart { .. }) => {
            invalid("end_ms", "END_NOT_AFTER_START", &message)
        }
        CustodyError::Principal(PrincipalError::SameTwice) => {
            with(Code::PermissionDenied, "SAME_PRINCIPAL", message, &[])
        }
        CustodyError::Principal(PrincipalError::Name { .. }) => {
            with(precondition, "PRINCIPAL_NAME", message, &[])
        }
        CustodyError::NoRecord(record) => {
            let numbers = [("index", record.get())];
            with(Code::NotFound, "RECORD_UNKNOWN", message, &numbers)
        }
        CustodyError::Floor { record, class, .. } => {
            let numbers = [("index", record.get()), ("class", class.code().into())];
            with(precondition, "KEPT_BY_LAW", message, &numbers)
        }
        CustodyError::NotErasable(record) => {
            let numbers = [("index", record.get())];
            with(precondition, "NOT_ERASABLE", message, &numbers)
        }
        CustodyError::CarriedOver {
            record,
            interval,
            class,
        } => {
            let numbers = [
                ("index", record.get()),
                ("interval_ms", interval.get()),
                ("class", class.code().into()),
            ];
            with(precondition, "CARRIED_OVER", message, &numbers)
        }
        CustodyError::Held { record, hold } => {
            let numbers = [("index", record.get()), ("hold", hold.get())];
            with(precondition, "HELD", message, &numbers)
        }
        CustodyError::Erased { record, erasure } => erased(record, erasure),
        CustodyError::ErasureNotProposed(record) => {
            let numbers = [("index", record.get())];
            with(precondition, "ERASURE_NOT_PROPOSED", message, &numbers)
        }
        CustodyError::NotErased(record) => {
            let numbers = [("index", record.get())];
            with(Code::NotFound, "NOT_ERASED", message, &numbers)
        }
        CustodyError::NotClosed { record, interval } => {
            let numbers = [("index", record.get()), ("interval_ms", interval.get())];
            with(precondition, "INTERVAL_NOT_CLOSED", message, &numbers)
        }
        CustodyError::NotIndexed(record) => {
            let numbers = [("index", record.get())];
            with(Code::Unavailable, "NOT_INDEXED", message, &numbers)
        }
        CustodyError::Sign(_) => {
            tracing::error!(error = chain(&error), "sign the certificate of an erasure");
            let message =
                "the record is erased; its certificate is not signed yet: ask for it later";
            with(Code::Unavailable, "NOT_CERTIFIED", message.to_owned(), &[])
        }
        CustodyError::Record(error) => read(error.into()),
        CustodyError::Erasures(_) | CustodyError::Keys(_) => {
            tracing::error!(error = chain(&error), "read an erasure");
            damaged("what is kept of the erasure does not read: an alarm, run fsck".to_owned())
        }
        CustodyError::Store(error) => store(&error),
        CustodyError::Submit(error) => submit(error),
        CustodyError::Hold(_) | CustodyError::Holds(_) => {
            tracing::error!(error = chain(&error), "read the holds");
            damaged("the holds are not those that the log speaks of: an alarm, run fsck".to_owned())
        }
    }
}

/// A package that is not whole is an alarm; a store that fails is told as everywhere.
fn package(error: SealError) -> Status {
    match error {
        SealError::Store(error) => store(&error),
        SealError::Read(error) => read(error),
        other => {
            tracing::error!(error = chain(&other), "read a package");
            damaged("the package of the interval is not what was closed: an alarm".to_owned())
        }
    }
}

/// Nothing seals or stamps here.
pub(super) fn no_authorities() -> Status {
    let message = "no seal key and no time-stamping authority is configured".to_owned();
    with(Code::FailedPrecondition, "NO_AUTHORITIES", message, &[])
}

/// There is no certificate of a unit.
pub(super) fn not_certified() -> Status {
    let message = "the unit is not gone, or its certificate is not issued yet".to_owned();
    with(Code::NotFound, "NO_DISPOSAL_CERTIFICATE", message, &[])
}

pub(super) fn disposal(error: DisposalError) -> Status {
    let message = chain(&error);
    let precondition = Code::FailedPrecondition;
    match error {
        DisposalError::NotProven(_)
        | DisposalError::NothingSealed
        | DisposalError::ClockUnknown => with(precondition, "TIME_NOT_PROVEN", message, &[]),
        DisposalError::NothingDue => with(precondition, "NOTHING_DUE", message, &[]),
        DisposalError::Refused(Refusal::SameTwice)
        | DisposalError::Principal(PrincipalError::SameTwice) => {
            with(Code::PermissionDenied, "SAME_PRINCIPAL", message, &[])
        }
        DisposalError::Refused(_) => with(precondition, "REFUSED", message, &[]),
        DisposalError::NoIntent(intent) => {
            let numbers = [("intent", intent.get())];
            with(Code::NotFound, "INTENT_UNKNOWN", message, &numbers)
        }
        DisposalError::Settled(intent) => {
            let numbers = [("intent", intent.get())];
            with(precondition, "INTENT_SETTLED", message, &numbers)
        }
        DisposalError::OtherHash(intent) => {
            let numbers = [("intent", intent.get())];
            with(precondition, "OTHER_INTENT", message, &numbers)
        }
        DisposalError::Named { unit, intent } => {
            let numbers = [
                ("interval_ms", unit.interval.get()),
                ("class", unit.class.code().into()),
                ("intent", intent.get()),
            ];
            with(precondition, "UNIT_NAMED", message, &numbers)
        }
        DisposalError::Principal(_) => with(precondition, "PRINCIPAL_NAME", message, &[]),
        DisposalError::HoldsChanged | DisposalError::NotIndexed(_) | DisposalError::Busy => {
            with(Code::Unavailable, "BUSY", message, &[])
        }
        DisposalError::Store(error) => store(&error),
        DisposalError::Writer(error) => submit(error),
        DisposalError::Read(error) => read(error),
        DisposalError::Chain(_)
        | DisposalError::Holds(_)
        | DisposalError::Seal(_)
        | DisposalError::Sign(_)
        | DisposalError::Record(_)
        | DisposalError::Keys(_)
        | DisposalError::Corrupt(_)
        | DisposalError::Probed(_) => {
            tracing::error!(error = message, "disposal");
            damaged("what a disposal rests on is not as it was recorded: an alarm, run fsck".into())
        }
    }
}

pub(super) fn reissue(error: ReissueError) -> Status {
    match error {
        ReissueError::Desk(error) => desk(error),
        ReissueError::Record(error) => read(error.into()),
        ReissueError::NoAuthorities => with(
            Code::FailedPrecondition,
            "NO_SEAL_KEY",
            error.to_string(),
            &[],
        ),
        ReissueError::NotSealed { index, end } => {
            let numbers = [("index", index.get()), ("end_ms", end.get())];
            with(
                Code::FailedPrecondition,
                "NOT_SEALED",
                error.to_string(),
                &numbers,
            )
        }
        ReissueError::NothingFound { size } => {
            let numbers = [("tree_size", size.get())];
            with(Code::NotFound, "NOTHING_FOUND", error.to_string(), &numbers)
        }
        ReissueError::NothingYet { end } => {
            let numbers = [("end_ms", end.get())];
            with(Code::NotFound, "NOTHING_YET", error.to_string(), &numbers)
        }
        ReissueError::OtherManifest(why) => {
            let mut details = details("OTHER_PACKAGE", &[]);
            details.add_bad_request_violation("manifest", why);
            Status::with_error_details(Code::InvalidArgument, error.to_string(), details)
        }
        ReissueError::Complete => with(
            Code::FailedPrecondition,
            "NOTHING_TO_ADD",
            error.to_string(),
            &[],
        ),
        ReissueError::Sign(_) => {
            tracing::error!(error = chain(&error), "sign a package");
            let message = "the package was not signed and time-stamped: try again later";
            with(Code::Unavailable, "NOT_SIGNED", message.to_owned(), &[])
        }
        ReissueError::Container(AsicError::TooLarge(_)) => with(
            Code::FailedPrecondition,
            "TOO_LARGE",
            "more than a container holds: narrow what is asked".to_owned(),
            &[],
        ),
        ReissueError::Container(AsicError::Io(_)) => idle(),
        ReissueError::Seal(_)
        | ReissueError::Checkpoint(_)
        | ReissueError::Proof(_)
        | ReissueError::Page(_)
        | ReissueError::Container(_) => {
            tracing::error!(error = chain(&error), "make a package");
            damaged("the package cannot be made: an alarm, run fsck".to_owned())
        }
    }
}

fn sample(error: SampleError) -> Status {
    match error {
        SampleError::Seed(_) => invalid("seed", "SEED", &error.to_string()),
        SampleError::Count { count, size } => {
            let numbers = [("count", count as u64), ("tree_size", size.get())];
            let mut details = details("SAMPLE", &numbers);
            let message = error.to_string();
            details.add_bad_request_violation("count", &message);
            Status::with_error_details(Code::InvalidArgument, message, details)
        }
    }
}

pub(super) fn token(_: TokenError) -> Status {
    invalid("page_token", "PAGE_TOKEN", "not a token of this search")
}

/// A status as the refusal of one item of a batch.
pub(super) fn refusal(status: &Status) -> super::v1::Refusal {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    super::v1::Refusal {
        code: status.code().into(),
        reason: reason.unwrap_or_default(),
        message: status.message().to_owned(),
    }
}
