//! What requests come to, wherever they are added up: in the ledger and in the accounts of owners.

use aicockpit_protocol::usage::{RequestEnd, UsageSum};

/// What one request comes to.
pub(crate) fn one(end: RequestEnd, input_tokens: u64, output_tokens: u64, cost: f64) -> UsageSum {
    let mut sum = UsageSum { requests: 1, input_tokens, output_tokens, cost, ..UsageSum::default() };
    match end {
        RequestEnd::Complete => {}
        RequestEnd::Refused => sum.refused = 1,
        RequestEnd::Cancelled => sum.cancelled = 1,
        RequestEnd::Failed | RequestEnd::Cut | RequestEnd::Stalled | RequestEnd::ToldError => sum.failed = 1,
    }
    sum
}

/// Adds sums to sums.
pub(crate) fn add(to: &mut UsageSum, more: &UsageSum) {
    to.requests += more.requests;
    to.failed += more.failed;
    to.refused += more.refused;
    to.cancelled += more.cancelled;
    to.input_tokens = to.input_tokens.saturating_add(more.input_tokens);
    to.output_tokens = to.output_tokens.saturating_add(more.output_tokens);
    to.cost += more.cost;
}
