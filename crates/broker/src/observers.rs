//! Who is told of every request: the ledger, the figures, what is kept to look at, and an observer of the host's.

use crate::Live;
use crate::flight::{Observer, Outcome};
use crate::kept::KeptRequests;
use crate::ledger::UsageLedger;
use crate::metrics::Metrics;
use bytes::Bytes;
use std::sync::Arc;

pub(crate) struct Observers {
    pub(crate) live: Live,
    pub(crate) ledger: UsageLedger,
    pub(crate) kept: KeptRequests,
    pub(crate) metrics: Metrics,
    pub(crate) other: Option<Arc<dyn Observer>>,
}

impl Observers {
    fn other(&self) -> Option<&Arc<dyn Observer>> {
        self.other.as_ref().filter(|other| other.wants_bodies())
    }
}

impl Observer for Observers {
    fn ended(&self, outcome: &Outcome) {
        self.ledger.note(outcome);
        self.metrics.count(outcome, &self.live.fleet());
        if let Some(other) = &self.other {
            other.ended(outcome);
        }
    }

    fn wants_bodies(&self) -> bool {
        self.kept.is_on() || self.other().is_some()
    }

    fn question(&self, request: &str, body: &Bytes) {
        self.kept.question(request, body);
        if let Some(other) = self.other() {
            other.question(request, body);
        }
    }

    fn piece(&self, request: &str, bytes: &[u8]) {
        self.kept.piece(request, bytes);
        if let Some(other) = self.other() {
            other.piece(request, bytes);
        }
    }
}
