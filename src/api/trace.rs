//! `Trace`: search.

use super::v1::trace_server::Trace as Rpc;
use super::{Service, TERM_BYTES_MAX, convert, status, v1};
use crate::access::Search;
use crate::desk::{Desk, PageToken};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ceralacca_formats::id::LeafIndex;
use tonic::{Request, Response, Status};

/// Records on a page when nothing is said.
const PAGE_RECORDS: usize = 50;

fn to_text(token: Option<PageToken>) -> String {
    token.map_or_else(String::new, |token| {
        URL_SAFE_NO_PAD.encode(token.to_bytes())
    })
}

fn from_text(text: &str) -> Result<Option<PageToken>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text);
    let bytes = bytes.map_err(|_| status::token(crate::desk::TokenError))?;
    PageToken::from_bytes(&bytes)
        .map(Some)
        .map_err(status::token)
}

#[tonic::async_trait]
impl Rpc for Service {
    async fn search(
        &self,
        request: Request<v1::SearchRequest>,
    ) -> Result<Response<v1::SearchResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Search>(&caller, &request.log)?;
        let token = from_text(&request.page_token)?;
        let limit = match request.page_size {
            0 => PAGE_RECORDS,
            asked => usize::try_from(asked).unwrap_or(usize::MAX),
        };
        let (query, order) = convert::search(request)?;
        let read = move |desk: &Desk<'_, _>| {
            let page = desk
                .search(&query, order, limit, token)
                .map_err(status::desk)?;
            let page = page.map_err(status::token)?;
            let (disposed, certificates) = convert::certified(page.disposed);
            Ok(v1::SearchResponse {
                records: page.records.iter().map(convert::record).collect(),
                next_page_token: to_text(page.next),
                previous_page_token: to_text(page.previous),
                disposed,
                certificates,
            })
        };
        self.at_desk(permit, read).await
    }

    async fn get_transaction(
        &self,
        request: Request<v1::GetTransactionRequest>,
    ) -> Result<Response<v1::GetTransactionResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Search>(&caller, &request.log)?;
        let asked = request.identificativo;
        if asked.is_empty() {
            return Err(status::invalid(
                "identificativo",
                "TERM_NEEDED",
                "nothing is asked",
            ));
        }
        if asked.len() > TERM_BYTES_MAX {
            let (found, limit) = (asked.len() as u64, TERM_BYTES_MAX as u64);
            return Err(status::over_limit("identificativo", found, limit));
        }
        let now = self.0.clock.wall();
        let read = move |desk: &Desk<'_, _>| {
            let story = desk
                .transaction(asked.as_bytes(), now)
                .map_err(status::desk)?;
            Ok(convert::transaction(asked, &story))
        };
        self.at_desk(permit, read).await
    }

    async fn check_brief_receipt(
        &self,
        request: Request<v1::CheckBriefReceiptRequest>,
    ) -> Result<Response<v1::CheckBriefReceiptResponse>, Status> {
        let caller = self.caller(&request)?;
        let request = request.into_inner();
        let permit = self.permit::<Search>(&caller, &request.log)?;
        let index = LeafIndex::new(request.index);
        let service = self.clone();
        // Both messages are in memory meanwhile: such checks wait for one another.
        let checking = move || {
            let log = service.log(&permit)?;
            let desk = log.desk(&permit).map_err(|_| status::denied())?;
            let check = desk.check_brief(index).map_err(status::desk)?;
            Ok(convert::brief_check(&check))
        };
        Ok(Response::new(self.0.comparisons.run(checking).await?))
    }
}
