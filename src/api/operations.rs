//! `Operations`: how the service fares.

use super::v1::operations_server::Operations as Rpc;
use super::{STATEMENT_BYTES_MAX, Service, convert, status, v1};
use crate::access::{Migrate, Scrub, Status as StatusAct, Totals, authorize};
use crate::audit::scrub::{Finding, Report};
use crate::desk::{Desk, PeriodTotals};
use crate::witnessed::WitnessState;
use ceralacca_formats::id::UtcMillis;
use tonic::{Request, Response, Status};

fn witness(state: &WitnessState) -> v1::WitnessStatus {
    v1::WitnessStatus {
        name: state.name.clone(),
        tree_size: state.size.get(),
        cosigned_ms: state.at.map_or(0, |at| at.get()),
        trouble: state.trouble.unwrap_or_default().to_owned(),
    }
}

#[tonic::async_trait]
impl Rpc for Service {
    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let caller = self.caller(&request)?;
        let now = self.0.clock.wall();
        let permits = self.0.archive.logs();
        let permits = permits
            .filter_map(|log| authorize::<StatusAct>(caller.principal(), log.id(), now).ok());
        let permits: Vec<_> = permits.collect();
        if permits.is_empty() {
            return Err(status::denied());
        }
        let service = self.clone();
        let read = move || {
            let state = |permit: &crate::access::Permit<StatusAct>| {
                let log = service.log(permit)?;
                let state = log.state(permit).map_err(|error| status::store(&error))?;
                Ok(v1::LogStatus {
                    log: log.id().to_string(),
                    origin: log.origin().to_string(),
                    verifier_key: log.verifier().to_string(),
                    tree_size: state.size.get(),
                    interval_ms: state.interval.start().get(),
                    cuts_suspended: state.cuts_suspended,
                    intervals_cut: state.cut as u64,
                    closed_interval_ms: state.closed.map_or(0, |span| span.id.get()),
                    closed_leaf: state
                        .closed
                        .and_then(|span| span.closed)
                        .map_or(0, |l| l.get()),
                    indexed: state.indexed.get(),
                    disk_bytes: state.disk_bytes,
                    witnessed_size: state.witnessed.get(),
                    witnesses: state.witnesses.iter().map(witness).collect(),
                    scrubbed_ms: state.scrubbed.get(),
                    damaged: state.damaged,
                    overdue: state.disposals.overdue,
                    overdue_interval_ms: state
                        .disposals
                        .oldest
                        .map_or(0, |(unit, _)| unit.interval.get()),
                    disposal_intents: state.disposals.open,
                    disposals_under_way: state.disposals.under_way,
                    disposals: state.disposals.gone,
                    disposed_bytes: state.disposals.freed_bytes,
                    renewals_due: state.renewals.due,
                    renewals_failing_ms: state.renewals.failing_since.get(),
                })
            };
            permits
                .iter()
                .map(state)
                .collect::<Result<Vec<_>, Status>>()
        };
        let logs = self.0.reads.run(read).await?;
        let uptime = self.0.clock.monotone().saturating_sub(self.0.started);
        Ok(Response::new(v1::GetStatusResponse {
            software: concat!("ceralacca ", env!("CARGO_PKG_VERSION")).to_owned(),
            uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
            development: self.0.principals.is_development(),
            logs,
        }))
    }

    async fn declare_migration(
        &self,
        request: Request<v1::DeclareMigrationRequest>,
    ) -> Result<Response<v1::DeclareMigrationResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Migrate>(&caller, &request.log)?;
        let interval = convert::source::interval(request.from_ms, request.until_ms)?;
        let (statement, limit) = (request.statement, STATEMENT_BYTES_MAX);
        if statement.len() > limit {
            let found = statement.len() as u64;
            return Err(status::over_limit("statement", found, limit as u64));
        }
        if statement.trim().is_empty() {
            let message = "say which archive is migrated, and on what ground";
            return Err(status::invalid("statement", "STATEMENT_NEEDED", message));
        }
        let service = self.clone();
        let declare = move || {
            let log = service.log(&permit)?;
            let declared = log.declare_migration(&permit, interval, &statement);
            declared.map_err(status::migration)
        };
        let declared = self.0.submits.run(declare).await?;
        let first = declared.records.first();
        Ok(Response::new(v1::DeclareMigrationResponse {
            index: first.map_or(0, |record| record.leaf.seq.get()),
            time_ms: declared.time.get(),
            checkpoint: declared.checkpoint.to_string(),
        }))
    }

    async fn start_scrub(
        &self,
        request: Request<v1::StartScrubRequest>,
    ) -> Result<Response<v1::StartScrubResponse>, Status> {
        let caller = self.caller(&request)?;
        let permit = self.permit::<Scrub>(&caller, &request.into_inner().log)?;
        let service = self.clone();
        let start = move || {
            let now = service.0.clock.wall();
            let started = service.log(&permit)?.start_scrub(&permit, now);
            let started = started.map_err(|_| status::denied())?;
            started.map_err(|error| status::store(&error))
        };
        let round = self.0.reads.run(start).await?;
        Ok(Response::new(v1::StartScrubResponse { round }))
    }

    async fn get_scrub(
        &self,
        request: Request<v1::GetScrubRequest>,
    ) -> Result<Response<v1::GetScrubResponse>, Status> {
        let caller = self.caller(&request)?;
        let permit = self.permit::<Scrub>(&caller, &request.into_inner().log)?;
        let report = self.log(&permit)?.scrub_report(&permit);
        let report = report.map_err(|_| status::denied())?;
        Ok(Response::new(scrubbed(&report)))
    }

    async fn get_totals(
        &self,
        request: Request<v1::GetTotalsRequest>,
    ) -> Result<Response<v1::GetTotalsResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Totals>(&caller, &request.log)?;
        if request.until_ms <= request.from_ms {
            let why = "the period ends before it begins";
            return Err(status::invalid("until_ms", "RANGE_EMPTY", why));
        }
        let read = move |desk: &Desk<'_, Totals>| {
            let [from, until] = [request.from_ms, request.until_ms].map(UtcMillis::new);
            let found = desk.totals(from, until, request.partial);
            Ok(totals(&found.map_err(status::desk)?))
        };
        self.at_desk(permit, read).await
    }
}

fn totals(found: &PeriodTotals) -> v1::GetTotalsResponse {
    let counts = found.counts.iter().map(|((class, words), count)| {
        let (event, direction) = words.split_once(' ').unwrap_or((words, ""));
        v1::EventTotal {
            class: class.word().to_owned(),
            event: event.to_owned(),
            direction: direction.to_owned(),
            count: *count,
        }
    });
    v1::GetTotalsResponse {
        intervals: found.intervals,
        from_ms: found.span.map_or(0, |(from, _)| from.get()),
        until_ms: found.span.map_or(0, |(_, until)| until.get()),
        not_closed_ms: found.not_closed.iter().map(|id| id.get()).collect(),
        totals: counts.collect(),
    }
}

fn scrubbed(report: &Report) -> v1::GetScrubResponse {
    let counts = &report.counts;
    let (leaves_done, leaves) = report.leaves;
    let finding = |finding: &Finding| v1::ScrubFinding {
        kind: finding.kind.clone(),
        index: finding.index,
        item: finding.item.clone(),
        why: finding.why.clone(),
        hangs: finding.hangs.clone(),
    };
    v1::GetScrubResponse {
        round: report.round,
        phase: report.phase.map_or("", |phase| phase.word()).to_owned(),
        leaves_done,
        leaves,
        started_ms: report.started.get(),
        finished_ms: report.finished.get(),
        files: counts.files,
        file_bytes: counts.file_bytes,
        files_new: counts.files_new,
        intervals: counts.intervals,
        checkpoints: counts.checkpoints,
        tiles: counts.tiles,
        records: counts.records,
        content_bytes: counts.content_bytes,
        terms: counts.postings,
        rows: counts.rows,
        damaged: report.damaged,
        findings: report.findings.iter().map(finding).collect(),
        unreferenced: report.unreferenced.clone(),
        failure: report.failure.clone().unwrap_or_default(),
    }
}
