//! What models were used for.

use super::{Models, blocking};
use crate::EventBus;
use aicockpit_broker::{Observer, Outcome};
use aicockpit_protocol::ApiError;
use aicockpit_protocol::api::Event;
use aicockpit_protocol::usage::{
    KeptRequest, OwnerUsage, RequestEntry, RequestsQuery, UsageQuery, UsageReport,
};
use std::time::Duration;
use tokio::sync::watch;

/// Pause between two events.
const PACE: Duration = Duration::from_secs(1);

/// Tells clients that requests have ended, seldom enough.
pub(super) struct News(watch::Sender<()>);

impl News {
    /// Tells until it is dropped.
    pub(super) fn new(events: EventBus) -> Self {
        let (sender, mut ended) = watch::channel(());
        tokio::spawn(async move {
            while ended.changed().await.is_ok() {
                events.send(Event::Usage);
                tokio::time::sleep(PACE).await;
            }
        });
        Self(sender)
    }
}

impl Observer for News {
    fn ended(&self, _outcome: &Outcome) {
        self.0.send_replace(());
    }
}

impl Models {
    /// Sums of what models were used for.
    ///
    /// # Errors
    /// [`ErrorCode::Internal`](aicockpit_protocol::ErrorCode::Internal) where the ledger fails at it.
    pub(crate) async fn usage(&self, query: UsageQuery) -> Result<UsageReport, ApiError> {
        let (broker, currency) = (self.broker.clone(), self.settings.borrow().currency.clone());
        blocking(move || Ok(broker.ledger().report(&query, &currency))).await
    }

    /// Single requests, newest first.
    ///
    /// # Errors
    /// As [`Models::usage`].
    pub(crate) async fn requests(&self, query: RequestsQuery) -> Result<Vec<RequestEntry>, ApiError> {
        let broker = self.broker.clone();
        blocking(move || Ok(broker.requests(&query))).await
    }

    /// What was asked and answered, where it is kept.
    pub(crate) fn kept(&self, request: &str) -> Option<KeptRequest> {
        self.broker.kept().get(request)
    }

    /// What each owner of a key has used, beside what it may.
    pub(crate) fn owners(&self) -> Vec<OwnerUsage> {
        self.broker.owners()
    }
}
