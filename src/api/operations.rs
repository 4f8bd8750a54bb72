//! `Operations`: how the service fares.

use super::v1::operations_server::Operations as Rpc;
use super::{Service, status, v1};
use crate::access::{Status as StatusAct, authorize};
use tonic::{Request, Response, Status};

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
                    indexed: state.indexed.get(),
                    disk_bytes: state.disk_bytes,
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
}
