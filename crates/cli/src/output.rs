//! Text and JSON on the standard streams.

use anyhow::Context;
use serde::Serialize;
use std::io::Write;

/// A line on standard error. Nobody reading it is no reason to fail.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A line on standard output.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").context("nobody reads standard output any more")
}

/// Bytes on standard output, at once.
pub(crate) fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).context("nobody reads standard output any more")
}

/// JSON on standard output.
pub(crate) fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(value)?)
}

/// Columns of text, each as wide as its widest cell.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> anyhow::Result<()> {
    columns(head, rows, |_, cell, width| format!("{cell:<width$}"))
}

/// The same for figures: all columns but the first end at one place.
pub(crate) fn figures<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> anyhow::Result<()> {
    columns(head, rows, |column, cell, width| match column {
        0 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    })
}

fn columns<const N: usize>(
    head: [&str; N],
    rows: &[[String; N]],
    place: fn(usize, &str, usize) -> String,
) -> anyhow::Result<()> {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; N]| {
        let mut text = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            text.push_str(&place(column, cell, width));
            text.push_str("  ");
        }
        text.trim_end().to_owned()
    };
    say(&line(&head.map(str::to_owned)))?;
    rows.iter().try_for_each(|row| say(&line(row)))
}

/// The wire name of a value that is written as one word, for instance a state.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
