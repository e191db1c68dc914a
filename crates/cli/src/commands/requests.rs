//! Single requests of models, as `usage --requests` and `usage --request` show them.

use super::usage::{time, tokens};
use crate::output::{complain, json, say, table, word};
use aicockpit_protocol::usage::{KeptRequest, RequestEntry};
use anyhow::Context as _;

/// A page of them.
pub(super) fn tell(page: &[RequestEntry], now_ms: i64, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return json(&page);
    }
    if page.is_empty() {
        complain("No model was asked yet.");
        return Ok(());
    }
    let head = [
        "REQUEST",
        "AGO",
        "OWNER",
        "MODEL",
        "BACKEND",
        "END",
        "IN",
        "OUT",
        "COST",
        "FIRST PIECE",
        "TOTAL",
        "KEPT",
    ];
    let rows: Vec<_> = page.iter().map(|entry| row(entry, now_ms)).collect();
    table(head, &rows)
}

fn row(entry: &RequestEntry, now_ms: i64) -> [String; 12] {
    let known = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let currency = entry.currency.as_deref().unwrap_or_default();
    [
        entry.request.clone(),
        ago(now_ms.saturating_sub(entry.at_ms)),
        entry.owner.clone(),
        entry.model.clone(),
        known(entry.backend.clone()),
        word(&entry.end),
        known(entry.input_tokens.map(tokens)),
        known(entry.output_tokens.map(tokens)),
        format!("{:.4} {currency}", entry.cost).trim_end().to_owned(),
        known(entry.first_ms.map(time)),
        time(entry.total_ms),
        if entry.is_kept { "yes" } else { "no" }.to_owned(),
    ]
}

/// How long ago something was.
fn ago(ms: i64) -> String {
    match ms / 1000 {
        ..120 => format!("{} s", (ms / 1000).max(0)),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// What was asked and answered.
pub(super) fn tell_one(kept: Option<KeptRequest>, as_json: bool) -> anyhow::Result<()> {
    let kept = kept.context(
        "nothing is kept of this request: questions and answers are kept in memory, the last hundred, and only of \
         requests that came while that was switched on (broker: --keep-prompts; cockpit: Settings, Models)",
    )?;
    if as_json {
        return json(&kept);
    }
    say(&kept.question)?;
    say("")?;
    say(kept.answer.trim_end())?;
    if kept.left_out > 0 {
        complain(&format!("{} bytes were too many to keep.", kept.left_out));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_say_them() {
        let told = [-5, 119_999, 120_000, 7_200_000, 172_800_000].map(ago);
        assert_eq!(told, ["0 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
