//! `Holds`: suspensions of disposal.

use super::v1::holds_server::Holds as Rpc;
use super::v1::set_hold_request::Scope as Asked;
use super::{STATEMENT_BYTES_MAX, Service, convert, status, v1};
use crate::access::{Hold, Holds, Release};
use crate::desk::{Desk, HOLDS_PAGE, HoldOrder, Scope};
use crate::holds::{KeptAct, KeptHold};
use ceralacca_formats::canonical::Text;
use ceralacca_formats::hold::HoldAuthority;
use ceralacca_formats::id::{LeafIndex, UtcMillis};
use tonic::{Request, Response, Status};

fn text(text: &Text) -> String {
    String::from_utf8_lossy(text.as_bytes()).into_owned()
}

fn act(act: &KeptAct) -> v1::HoldAct {
    v1::HoldAct {
        index: act.leaf.get(),
        at_ms: act.at.get(),
        principal: text(&act.detail.principal),
        reason: text(&act.detail.statement),
    }
}

/// A hold as it is shown, with the leaves it names or without.
fn hold(kept: &KeptHold, with_ranges: bool) -> v1::HoldDetails {
    let leaves = kept.ranges.iter();
    let leaves = leaves.map(|(first, last)| last.get() - first.get() + 1);
    let authority = match kept.authority {
        HoldAuthority::Judicial => v1::HoldAuthority::Judicial,
        HoldAuthority::Administrative => v1::HoldAuthority::Administrative,
    };
    let held = kept.ranges.iter().filter(|_| with_ranges);
    v1::HoldDetails {
        hold: kept.hold.get(),
        authority: authority.into(),
        act: kept.detail.act.as_ref().map(text).unwrap_or_default(),
        start_ms: kept.start.get(),
        end_ms: kept.end.map(UtcMillis::get),
        set_by: text(&kept.detail.principal),
        query: text(&kept.detail.statement),
        leaves: leaves.sum(),
        ranges: kept.ranges.len() as u64,
        proposed: kept.proposed.as_ref().map(act),
        released: kept.released.as_ref().map(act),
        held: held
            .map(|(first, last)| v1::HeldRange {
                first: first.get(),
                last: last.get(),
            })
            .collect(),
    }
}

fn scope(asked: Option<Asked>) -> Result<Scope, Status> {
    match asked {
        None => Err(status::invalid(
            "scope",
            "SCOPE_NEEDED",
            "neither a query nor intervals",
        )),
        Some(Asked::Intervals(v1::HoldIntervals { from_ms, until_ms })) => Ok(Scope::Intervals {
            from: UtcMillis::new(from_ms),
            until: UtcMillis::new(until_ms),
        }),
        Some(Asked::Query(query)) => {
            let (query, _) = convert::search(query)?;
            let timeless = query.event == (None, None) && query.recorded == (None, None);
            if query.terms.is_empty() && timeless {
                let message = "a query without terms and times would name the whole log";
                return Err(status::invalid("query", "TERM_NEEDED", message));
            }
            Ok(Scope::Query(query))
        }
    }
}

fn authority(code: i32) -> Result<HoldAuthority, Status> {
    match v1::HoldAuthority::try_from(code) {
        Ok(v1::HoldAuthority::Judicial) => Ok(HoldAuthority::Judicial),
        Ok(v1::HoldAuthority::Administrative) => Ok(HoldAuthority::Administrative),
        _ => Err(status::invalid(
            "authority",
            "AUTHORITY_NEEDED",
            "neither judicial nor administrative",
        )),
    }
}

fn reason(reason: &str) -> Result<(), Status> {
    match reason.len() {
        0 => Err(status::invalid(
            "reason",
            "REASON_NEEDED",
            "nothing is said",
        )),
        found if found > STATEMENT_BYTES_MAX => {
            let (found, limit) = (found as u64, STATEMENT_BYTES_MAX as u64);
            Err(status::over_limit("reason", found, limit))
        }
        _ => Ok(()),
    }
}

#[tonic::async_trait]
impl Rpc for Service {
    async fn set_hold(
        &self,
        request: Request<v1::SetHoldRequest>,
    ) -> Result<Response<v1::SetHoldResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Hold>(&caller, &request.log)?;
        let order = HoldOrder {
            scope: scope(request.scope)?,
            authority: authority(request.authority)?,
            act: request.act,
            start: request.start_ms.map(UtcMillis::new),
            end: request.end_ms.map(UtcMillis::new),
        };
        let set = move |desk: &Desk<'_, _>| {
            let held = desk.set_hold(order).map_err(status::desk)?;
            Ok(v1::SetHoldResponse {
                hold: held.hold.get(),
                leaves: held.leaves,
                ranges: held.ranges as u64,
            })
        };
        self.at_desk(permit, set).await
    }

    async fn list_holds(
        &self,
        request: Request<v1::ListHoldsRequest>,
    ) -> Result<Response<v1::ListHoldsResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Holds>(&caller, &request.log)?;
        let limit = match usize::try_from(request.limit).unwrap_or(usize::MAX) {
            0 => HOLDS_PAGE,
            limit if limit <= HOLDS_PAGE => limit,
            limit => {
                let (found, limit) = (limit as u64, HOLDS_PAGE as u64);
                return Err(status::over_limit("limit", found, limit));
            }
        };
        let list = move |desk: &Desk<'_, _>| {
            let above = request.above.map(LeafIndex::new);
            let record = request.record.map(LeafIndex::new);
            let found = desk.holds(above, record, limit);
            let (holds, more) = found.map_err(status::desk)?;
            Ok(v1::ListHoldsResponse {
                holds: holds.iter().map(|kept| hold(kept, false)).collect(),
                more,
            })
        };
        self.at_desk(permit, list).await
    }

    async fn get_hold(
        &self,
        request: Request<v1::GetHoldRequest>,
    ) -> Result<Response<v1::GetHoldResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Holds>(&caller, &request.log)?;
        let show = move |desk: &Desk<'_, _>| {
            let kept = desk.hold(LeafIndex::new(request.hold));
            let kept = kept.map_err(status::desk)?;
            Ok(v1::GetHoldResponse {
                hold: Some(hold(&kept, true)),
            })
        };
        self.at_desk(permit, show).await
    }

    async fn propose_release(
        &self,
        request: Request<v1::ProposeReleaseRequest>,
    ) -> Result<Response<v1::ProposeReleaseResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Release>(&caller, &request.log)?;
        reason(&request.reason)?;
        let propose = move |desk: &Desk<'_, _>| {
            let hold = LeafIndex::new(request.hold);
            let index = desk.propose_release(hold, &request.reason);
            let index = index.map_err(status::desk)?.get();
            Ok(v1::ProposeReleaseResponse { index })
        };
        self.at_desk(permit, propose).await
    }

    async fn confirm_release(
        &self,
        request: Request<v1::ConfirmReleaseRequest>,
    ) -> Result<Response<v1::ConfirmReleaseResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Release>(&caller, &request.log)?;
        reason(&request.reason)?;
        let confirm = move |desk: &Desk<'_, _>| {
            let hold = LeafIndex::new(request.hold);
            let index = desk.release_hold(hold, &request.reason);
            let index = index.map_err(status::desk)?.get();
            Ok(v1::ConfirmReleaseResponse { index })
        };
        self.at_desk(permit, confirm).await
    }
}
