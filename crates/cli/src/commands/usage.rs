//! `usage`: what models were used for.

use super::requests;
use crate::arguments::{By, Usage};
use crate::output::{complain, figures, json};
use aicockpit_broker::Inspection;
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::api::{Empty, ModelsRequest, ModelsRequests, ModelsUsage, WorkspaceList};
use aicockpit_protocol::usage::{
    RequestEntry, RequestRef, RequestsQuery, UsageBy, UsageGroup, UsageQuery, UsageReport, UsageStep,
    UsageSum,
};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Of the cockpit that runs.
pub(crate) async fn run(client: &Client, asked: &Usage, as_json: bool) -> anyhow::Result<()> {
    if let Some(request) = reference(asked) {
        return requests::tell_one(client.call::<ModelsRequest>(request).await?, as_json);
    }
    // People know workspaces by their names.
    let named = async |names: Vec<&mut String>| -> anyhow::Result<()> {
        let workspaces = client.call::<WorkspaceList>(Empty {}).await?;
        for name in names {
            if let Some(known) = workspaces.iter().find(|workspace| workspace.id.as_str() == name) {
                known.name.clone_into(name);
            }
        }
        Ok(())
    };
    if let Some(query) = page(asked) {
        let mut page: Vec<RequestEntry> = client.call::<ModelsRequests>(query).await?;
        if !as_json {
            named(page.iter_mut().map(|entry| &mut entry.owner).collect()).await?;
        }
        return requests::tell(&page, now_ms(), as_json);
    }
    let mut report = client.call::<ModelsUsage>(query(asked.by, asked.days)).await?;
    if !as_json && matches!(asked.by, By::Owner) {
        named(report.groups.iter_mut().map(|group| &mut group.name).collect()).await?;
    }
    told(&report, asked.by, as_json)
}

/// Of a broker by itself, or of a ledger's file, which one may be writing.
pub(crate) async fn without_cockpit(asked: &Usage, as_json: bool) -> anyhow::Result<()> {
    if let Some(socket) = &asked.broker {
        let broker = Inspection::at(socket.clone());
        return match (reference(asked), page(asked)) {
            (Some(request), _) => requests::tell_one(broker.request(&request).await?, as_json),
            (None, Some(page)) => requests::tell(&broker.requests(&page).await?, now_ms(), as_json),
            (None, None) => told(&broker.usage(&query(asked.by, asked.days)).await?, asked.by, as_json),
        };
    }
    let file: PathBuf = asked.ledger.clone().unwrap_or_default();
    if let Some(page) = page(asked) {
        let read = move || aicockpit_broker::requests_of_file(&file, &page);
        return requests::tell(&tokio::task::spawn_blocking(read).await??, now_ms(), as_json);
    }
    let query = query(asked.by, asked.days);
    let read = move || aicockpit_broker::report_of_file(&file, &query, None);
    told(&tokio::task::spawn_blocking(read).await??, asked.by, as_json)
}

fn reference(asked: &Usage) -> Option<RequestRef> {
    asked.request.clone().map(|request| RequestRef { request })
}

fn page(asked: &Usage) -> Option<RequestsQuery> {
    asked.requests.map(|limit| RequestsQuery { limit, ..RequestsQuery::default() })
}

fn told(report: &UsageReport, by: By, as_json: bool) -> anyhow::Result<()> {
    match as_json {
        true => json(report),
        false => tell(report, by),
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

fn query(by: By, days: u16) -> UsageQuery {
    let to_ms = now_ms();
    let by = match by {
        By::Model => UsageBy::Model,
        By::Backend => UsageBy::Backend,
        By::Owner => UsageBy::Owner,
    };
    UsageQuery { from_ms: to_ms.saturating_sub(i64::from(days) * DAY_MS), to_ms, by, step: UsageStep::Day }
}

fn tell(report: &UsageReport, by: By) -> anyhow::Result<()> {
    if report.lost > 0 {
        let why = report.why_lost.as_deref().unwrap_or("nobody knows why");
        complain(&format!("{} requests are missing here: {why}.", report.lost));
    }
    if !report.other_currencies.is_empty() {
        let others = report.other_currencies.join(", ");
        complain(&format!(
            "Costs are those in {}. There are others in {others}, which are not added.",
            report.currency
        ));
    }
    if report.total.requests == 0 {
        complain("No model was asked in this time.");
        return Ok(());
    }
    let first = match by {
        By::Model => "MODEL",
        By::Backend => "BACKEND",
        By::Owner => "OWNER",
    };
    let head =
        [first, "REQUESTS", "FAILED", "REFUSED", "CANCELLED", "IN", "OUT", "COST", "FIRST PIECE", "SPEED"];
    let mut rows: Vec<_> = report.groups.iter().map(|group| row(group, &report.currency)).collect();
    if rows.len() > 1 {
        let all = UsageGroup {
            name: "all".to_owned(),
            sum: report.total,
            series: Vec::new(),
            first_ms: report.first_ms,
            tokens_per_second: report.tokens_per_second,
        };
        rows.push(row(&all, &report.currency));
    }
    figures(head, &rows)
}

fn row(group: &UsageGroup, currency: &str) -> [String; 10] {
    let UsageSum { requests, failed, refused, cancelled, input_tokens, output_tokens, cost } = group.sum;
    let known = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        if group.name.is_empty() { "(no answer)".to_owned() } else { group.name.clone() },
        requests.to_string(),
        failed.to_string(),
        refused.to_string(),
        cancelled.to_string(),
        tokens(input_tokens),
        tokens(output_tokens),
        format!("{cost:.2} {currency}").trim_end().to_owned(),
        known(group.first_ms.map(time)),
        known(group.tokens_per_second.map(|speed| format!("{speed:.1} tokens/s"))),
    ]
}

pub(super) fn tokens(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..10_000_000 => format!("{:.1} k", count as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} M", count as f64 / 1e6),
        _ => format!("{:.1} G", count as f64 / 1e9),
    }
}

pub(super) fn time(ms: f64) -> String {
    match ms {
        ..100.0 => format!("{ms:.1} ms"),
        100.0..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_units() {
        assert_eq!([0, 9_999, 10_000, 12_345_678].map(tokens), ["0", "9999", "10.0 k", "12.3 M"]);
        assert_eq!([0.25, 99.0, 250.0, 1500.0].map(time), ["0.2 ms", "99.0 ms", "250 ms", "1.5 s"]);
    }
}
