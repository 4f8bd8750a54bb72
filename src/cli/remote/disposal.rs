//! The client side of disposals.

use super::{ANSWER_BYTES_MAX, Answered, Remote};
use crate::cli::v1;
use crate::cli::v1::disposal_client::DisposalClient;
use tonic::transport::Channel;

impl Remote {
    fn disposals(&self) -> DisposalClient<Channel> {
        let client = DisposalClient::new(self.channel.clone());
        client.max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// What is due, and of all else why it is not.
    pub async fn plan_disposal(&self, all: bool) -> Answered<v1::PlanDisposalResponse> {
        let log = self.log.clone();
        let request = v1::PlanDisposalRequest { log, all };
        Ok(self.disposals().plan_disposal(request).await?.into_inner())
    }

    /// Records the intent to dispose of what is due.
    pub async fn intend_disposal(
        &self,
        units: Vec<v1::DisposalUnit>,
    ) -> Answered<v1::IntendDisposalResponse> {
        let log = self.log.clone();
        let request = v1::IntendDisposalRequest { log, units };
        Ok(self
            .disposals()
            .intend_disposal(request)
            .await?
            .into_inner())
    }

    /// Approves an intent, by the hash of its leaf.
    pub async fn approve_disposal(
        &self,
        intent: u64,
        hash: Vec<u8>,
    ) -> Answered<v1::ApproveDisposalResponse> {
        let request = v1::ApproveDisposalRequest {
            log: self.log.clone(),
            intent,
            intent_hash: hash.into(),
        };
        Ok(self
            .disposals()
            .approve_disposal(request)
            .await?
            .into_inner())
    }

    /// Gives an intent up.
    pub async fn withdraw_disposal(&self, intent: u64) -> Answered<v1::WithdrawDisposalResponse> {
        let log = self.log.clone();
        let request = v1::WithdrawDisposalRequest { log, intent };
        Ok(self
            .disposals()
            .withdraw_disposal(request)
            .await?
            .into_inner())
    }

    /// Intents above one, a page of them.
    pub async fn intents(&self, after: Option<u64>) -> Answered<v1::ListIntentsResponse> {
        let request = v1::ListIntentsRequest {
            log: self.log.clone(),
            after,
            limit: 0,
        };
        Ok(self.disposals().list_intents(request).await?.into_inner())
    }

    /// Units that are gone behind one, a page of them.
    pub async fn gone(
        &self,
        after: Option<v1::DisposalUnit>,
    ) -> Answered<v1::ListDisposalsResponse> {
        let request = v1::ListDisposalsRequest {
            log: self.log.clone(),
            after,
            limit: 0,
        };
        Ok(self.disposals().list_disposals(request).await?.into_inner())
    }

    /// The certificate of a unit: CMS SignedData, DER.
    pub async fn disposal_certificate(&self, unit: v1::DisposalUnit) -> Answered<Vec<u8>> {
        let request = v1::GetDisposalCertificateRequest {
            log: self.log.clone(),
            unit: Some(unit),
        };
        let answer = self.disposals().get_disposal_certificate(request).await?;
        Ok(answer.into_inner().certificate.to_vec())
    }
}
