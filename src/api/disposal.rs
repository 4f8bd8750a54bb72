//! `Disposal`: what is due, intents and approvals, what is gone.

use super::convert::disposal_unit;
use super::v1::disposal_server::Disposal as Rpc;
use super::{Service, status, v1};
use crate::access::{Approve, Disposals, Dispose, Withdraw};
use crate::disposal::{GoneUnit, IntentStage, KnownIntent, PlanReport, UnitReport, UnitVerdict};
use bytes::Bytes;
use ceralacca_formats::digest::Sha256;
use ceralacca_formats::disposal::DisposalUnit;
use ceralacca_formats::id::{IntervalId, LeafIndex};
use ceralacca_formats::leaf::Class;
use tonic::{Request, Response, Status};

/// The most units of a plan: some thirty intervals of years.
const UNITS_MAX: usize = 10_000;
/// The most intents or units on a page.
const PAGE: usize = 100;

fn asked(unit: &v1::DisposalUnit) -> Result<DisposalUnit, Status> {
    let class = u16::try_from(unit.retention_class).ok();
    let class = class.and_then(|code| Class::try_from(code).ok());
    let class = class
        .ok_or_else(|| status::invalid("unit.retention_class", "CLASS", "is no retention class"))?;
    Ok(DisposalUnit {
        interval: IntervalId::new(unit.interval_ms),
        class,
        carried: unit.carried,
    })
}

fn page(limit: u32) -> Result<usize, Status> {
    match usize::try_from(limit).unwrap_or(usize::MAX) {
        0 => Ok(PAGE),
        limit if limit <= PAGE => Ok(limit),
        limit => Err(status::over_limit("limit", limit as u64, PAGE as u64)),
    }
}

fn planned(report: &UnitReport) -> v1::PlannedUnit {
    v1::PlannedUnit {
        unit: Some(disposal_unit(report.unit)),
        records: report.records,
        verdict: report.verdict.word().to_owned(),
        english: report.english.clone(),
        italian: report.italian.clone(),
        lawful_from_ms: report.lawful_from.map_or(0, |at| at.get()),
        intent: match report.verdict {
            UnitVerdict::Intended(intent) => Some(intent.get()),
            _ => None,
        },
    }
}

fn plan(report: &PlanReport, all: bool) -> v1::PlanDisposalResponse {
    let (proven, (english, italian)) = match &report.time {
        Ok(said) => (true, said.clone()),
        Err(said) => (false, said.clone()),
    };
    let count = |word: &str| {
        let units = report.units.iter();
        units.filter(|unit| unit.verdict.word() == word).count() as u64
    };
    let shown = report.units.iter();
    let shown = shown.filter(|unit| all || unit.verdict != UnitVerdict::Kept);
    v1::PlanDisposalResponse {
        time_proven: proven,
        time_english: english,
        time_italian: italian,
        silent: report.silent.clone(),
        units: shown.take(UNITS_MAX).map(planned).collect(),
        due: count("due"),
        kept: count("kept"),
        held: count("held"),
        intended: count("intended"),
        waiting: count("waiting"),
        broken: count("broken"),
    }
}

fn known(intent: &KnownIntent) -> v1::DisposalIntent {
    v1::DisposalIntent {
        intent: intent.intent.get(),
        intent_hash: Bytes::copy_from_slice(intent.hash.as_bytes()),
        time_ms: intent.at.get(),
        units: intent
            .units
            .iter()
            .map(|named| disposal_unit(named.unit))
            .collect(),
        records: intent.units.iter().map(|named| named.records).sum(),
        approvals: intent.approvals.iter().map(|leaf| leaf.get()).collect(),
        stage: intent.stage.word().to_owned(),
        grace_left_ms: match intent.stage {
            IntentStage::InGrace(left_ms) => left_ms,
            _ => 0,
        },
    }
}

fn gone(found: &GoneUnit) -> v1::GoneUnit {
    v1::GoneUnit {
        unit: Some(disposal_unit(found.unit)),
        intent: found.intent.get(),
        step: found.step.word().to_owned(),
        completed: found.completed.map(LeafIndex::get),
        records: found.records,
        held: found.held,
        freed_bytes: found.freed_bytes,
        executed_ms: found.executed_at.get(),
    }
}

#[tonic::async_trait]
impl Rpc for Service {
    async fn plan_disposal(
        &self,
        request: Request<v1::PlanDisposalRequest>,
    ) -> Result<Response<v1::PlanDisposalResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Dispose>(&caller, &request.log)?;
        let service = self.clone();
        let work = move || {
            let log = service.log(&permit)?;
            let authorities = log.authorities().ok_or_else(status::no_authorities)?;
            let disposals = log.disposals(&permit).map_err(|_| status::denied())?;
            let report = disposals.plan(authorities).map_err(status::disposal)?;
            Ok(plan(&report, request.all))
        };
        Ok(Response::new(self.0.reads.run(work).await?))
    }

    async fn intend_disposal(
        &self,
        request: Request<v1::IntendDisposalRequest>,
    ) -> Result<Response<v1::IntendDisposalResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Dispose>(&caller, &request.log)?;
        let only: Vec<DisposalUnit> = request.units.iter().map(asked).collect::<Result<_, _>>()?;
        let service = self.clone();
        let work = move || {
            let log = service.log(&permit)?;
            let authorities = log.authorities().ok_or_else(status::no_authorities)?;
            let disposals = log.disposals(&permit).map_err(|_| status::denied())?;
            let intended = disposals.intend(&permit, authorities, &only);
            let intended = intended.map_err(status::disposal)?;
            Ok(v1::IntendDisposalResponse {
                intent: intended.intent.get(),
                intent_hash: Bytes::copy_from_slice(intended.hash.as_bytes()),
                units: intended
                    .units
                    .iter()
                    .map(|named| disposal_unit(*named))
                    .collect(),
            })
        };
        Ok(Response::new(self.0.reads.run(work).await?))
    }

    async fn approve_disposal(
        &self,
        request: Request<v1::ApproveDisposalRequest>,
    ) -> Result<Response<v1::ApproveDisposalResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Approve>(&caller, &request.log)?;
        let hash = <[u8; 32]>::try_from(&request.intent_hash[..]);
        let hash = hash.map_err(|_| status::invalid("intent_hash", "HASH", "has 32 bytes"))?;
        let service = self.clone();
        let work = move || {
            let disposals = service.log(&permit)?.disposals(&permit);
            let disposals = disposals.map_err(|_| status::denied())?;
            let intent = LeafIndex::new(request.intent);
            let approved = disposals.approve(&permit, intent, Sha256::from_bytes(hash));
            let approved = approved.map_err(status::disposal)?;
            Ok(v1::ApproveDisposalResponse {
                leaf: approved.leaf.get(),
                approvals: u32::try_from(approved.approvals).unwrap_or(u32::MAX),
            })
        };
        Ok(Response::new(self.0.reads.run(work).await?))
    }

    async fn withdraw_disposal(
        &self,
        request: Request<v1::WithdrawDisposalRequest>,
    ) -> Result<Response<v1::WithdrawDisposalResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Withdraw>(&caller, &request.log)?;
        let service = self.clone();
        let work = move || {
            let disposals = service.log(&permit)?.disposals(&permit);
            let disposals = disposals.map_err(|_| status::denied())?;
            let leaf = disposals.withdraw(&permit, LeafIndex::new(request.intent));
            let leaf = leaf.map_err(status::disposal)?.get();
            Ok(v1::WithdrawDisposalResponse { leaf })
        };
        Ok(Response::new(self.0.reads.run(work).await?))
    }

    async fn list_intents(
        &self,
        request: Request<v1::ListIntentsRequest>,
    ) -> Result<Response<v1::ListIntentsResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Disposals>(&caller, &request.log)?;
        let limit = page(request.limit)?;
        let service = self.clone();
        let work = move || {
            let disposals = service.log(&permit)?.disposals(&permit);
            let disposals = disposals.map_err(|_| status::denied())?;
            let after = request.after.map(LeafIndex::new);
            let mut found = disposals
                .intents(after, limit.saturating_add(1))
                .map_err(status::disposal)?;
            let more = found.len() > limit;
            found.truncate(limit);
            Ok(v1::ListIntentsResponse {
                intents: found.iter().map(known).collect(),
                more,
            })
        };
        Ok(Response::new(self.0.reads.run(work).await?))
    }

    async fn list_disposals(
        &self,
        request: Request<v1::ListDisposalsRequest>,
    ) -> Result<Response<v1::ListDisposalsResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Disposals>(&caller, &request.log)?;
        let limit = page(request.limit)?;
        let after = request.after.as_ref().map(asked).transpose()?;
        let service = self.clone();
        let work = move || {
            let disposals = service.log(&permit)?.disposals(&permit);
            let disposals = disposals.map_err(|_| status::denied())?;
            let mut found = disposals
                .gone(after, limit.saturating_add(1))
                .map_err(status::disposal)?;
            let more = found.len() > limit;
            found.truncate(limit);
            Ok(v1::ListDisposalsResponse {
                units: found.iter().map(gone).collect(),
                more,
            })
        };
        Ok(Response::new(self.0.reads.run(work).await?))
    }

    async fn get_disposal_certificate(
        &self,
        request: Request<v1::GetDisposalCertificateRequest>,
    ) -> Result<Response<v1::GetDisposalCertificateResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Disposals>(&caller, &request.log)?;
        let unit = request.unit.as_ref();
        let unit = unit.ok_or_else(|| status::invalid("unit", "UNIT", "is missing"))?;
        let unit = asked(unit)?;
        let service = self.clone();
        let work = move || {
            let disposals = service.log(&permit)?.disposals(&permit);
            let disposals = disposals.map_err(|_| status::denied())?;
            let found = disposals.certificate(unit).map_err(status::disposal)?;
            let found = found.ok_or_else(status::not_certified)?;
            Ok(v1::GetDisposalCertificateResponse {
                certificate: found.into(),
            })
        };
        Ok(Response::new(self.0.reads.run(work).await?))
    }
}
