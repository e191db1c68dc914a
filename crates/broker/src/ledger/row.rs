//! A request as the ledger keeps it.

use super::currency::Currencies;
use crate::flight::Outcome;
use aicockpit_protocol::usage::{RequestEnd, RequestEntry};
use rusqlite::{Row, Statement, params};
use std::time::{Duration, UNIX_EPOCH};

/// Most bytes of a name that is kept. Clients make up names of models as they like.
const MOST_NAME: usize = 200;

/// The columns besides `currency`, in the order of [`insert`] and [`read`].
pub(super) const COLUMNS: &str = "request, at_ms, owner, endpoint, model, backend, backend_model, attempts, streamed, \
     status, ended, input_tokens, output_tokens, cost, queued_ms, before_ms, first_ms, total_ms";

/// What became of a request, as an entry without a place.
pub(super) fn entry(outcome: &Outcome) -> RequestEntry {
    let at = outcome.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (backend, backend_model) =
        outcome.target.as_ref().map(|(backend, model)| (short(backend), short(model))).unzip();
    // What was charged, so that a budget is the same after a start.
    let used = outcome.usage.or(outcome.estimate);
    RequestEntry {
        id: 0,
        request: outcome.request.clone(),
        at_ms: i64::try_from(at.as_millis()).unwrap_or(i64::MAX),
        owner: short(&outcome.owner),
        endpoint: outcome.endpoint.path().to_owned(),
        model: short(&outcome.model),
        backend,
        backend_model,
        attempts: outcome.attempts,
        streamed: outcome.streamed,
        status: outcome.status,
        end: outcome.end,
        input_tokens: used.map(|used| used.input_tokens),
        output_tokens: used.map(|used| used.output_tokens),
        cost: outcome.cost,
        currency: Some(outcome.currency.as_ref().to_owned()),
        queued_ms: ms(outcome.queued),
        before_ms: ms(outcome.before),
        first_ms: outcome.first_byte.map(ms),
        total_ms: ms(outcome.total),
        is_kept: false,
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// A name, cut where it is long.
fn short(name: &str) -> String {
    match name.len() <= MOST_NAME {
        true => name.to_owned(),
        false => format!("{}…", &name[..name.floor_char_boundary(MOST_NAME)]),
    }
}

/// An end by the name that is kept of it.
pub(crate) fn end_name(end: RequestEnd) -> &'static str {
    match end {
        RequestEnd::Complete => "complete",
        RequestEnd::Refused => "refused",
        RequestEnd::Failed => "failed",
        RequestEnd::Cut => "cut",
        RequestEnd::Stalled => "stalled",
        RequestEnd::ToldError => "told_error",
        RequestEnd::Cancelled => "cancelled",
    }
}

fn end_of(name: &str) -> RequestEnd {
    match name {
        "complete" => RequestEnd::Complete,
        "refused" => RequestEnd::Refused,
        "cut" => RequestEnd::Cut,
        "stalled" => RequestEnd::Stalled,
        "told_error" => RequestEnd::ToldError,
        "cancelled" => RequestEnd::Cancelled,
        _ => RequestEnd::Failed,
    }
}

/// Tokens as the database can hold them.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Adds a row by a statement that takes [`COLUMNS`], and the number of the currency.
pub(super) fn insert(
    statement: &mut Statement<'_>,
    entry: &RequestEntry,
    currency: i64,
) -> rusqlite::Result<()> {
    statement.execute(params![
        entry.request,
        entry.at_ms,
        entry.owner,
        entry.endpoint,
        entry.model,
        entry.backend,
        entry.backend_model,
        entry.attempts,
        entry.streamed,
        entry.status,
        end_name(entry.end),
        entry.input_tokens.map(whole),
        entry.output_tokens.map(whole),
        entry.cost,
        entry.queued_ms,
        entry.before_ms,
        entry.first_ms,
        entry.total_ms,
        currency,
    ])?;
    Ok(())
}

/// Reads `id`, [`COLUMNS`], and the currency.
pub(super) fn read(row: &Row<'_>, currencies: &Currencies) -> rusqlite::Result<RequestEntry> {
    Ok(RequestEntry {
        id: row.get(0)?,
        request: row.get(1)?,
        at_ms: row.get(2)?,
        owner: row.get(3)?,
        endpoint: row.get(4)?,
        model: row.get(5)?,
        backend: row.get(6)?,
        backend_model: row.get(7)?,
        attempts: row.get(8)?,
        streamed: row.get(9)?,
        status: row.get(10)?,
        end: end_of(&row.get::<_, String>(11)?),
        input_tokens: row.get::<_, Option<i64>>(12)?.map(natural),
        output_tokens: row.get::<_, Option<i64>>(13)?.map(natural),
        cost: row.get(14)?,
        currency: currencies.name(row.get(19)?).map(str::to_owned),
        queued_ms: row.get(15)?,
        before_ms: row.get(16)?,
        first_ms: row.get(17)?,
        total_ms: row.get(18)?,
        is_kept: false,
    })
}
