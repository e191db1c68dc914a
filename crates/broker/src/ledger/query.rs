//! What is asked of the ledger. The sums of whole hours are read; single requests only where a range begins or ends
//! within an hour.

use super::calendar::{HOUR_MS, days, hour, hours};
use super::currency::Currencies;
use super::database::{HOUR_COLUMNS, raw_from, read_sums};
use super::row;
use super::sums::Sums;
use crate::sum::add;
use aicockpit_protocol::usage::{
    RequestEntry, RequestsQuery, UsageBy, UsageGroup, UsageQuery, UsageReport, UsageStep, UsageSum,
};
use jiff::tz::TimeZone;
use rusqlite::{Connection, ToSql, params};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Range;

/// Most steps of a report: a hundred days by hours, ten years by days.
const MOST_STEPS: i64 = 4096;
/// Most groups of a report; those with the fewest tokens are one together.
const MOST_GROUPS: usize = 100;
/// What stands for those.
const OTHERS: &str = "(others)";
/// Requests of a page, where the query does not say, and at most.
const PAGE: (u32, u32) = (100, 500);
/// Places of requests that are not in the database yet begin here: after all that are, and whole as a JSON number.
const WAITING: i64 = 1 << 52;

/// The ledger at one moment: the database, where there is one, and what is still to be written into it.
pub(super) struct Ledger<'a> {
    pub(super) database: Option<&'a Connection>,
    pub(super) waiting: &'a VecDeque<RequestEntry>,
    pub(super) zone: &'a TimeZone,
}

/// One group on its way.
#[derive(Default)]
struct Group {
    all: Sums,
    series: BTreeMap<usize, UsageSum>,
}

impl Group {
    fn add(&mut self, other: &Self) {
        self.all.add(&other.all);
        for (step, sum) in &other.series {
            add(self.series.entry(*step).or_default(), sum);
        }
    }

    fn finish(&self, name: String, steps: usize) -> UsageGroup {
        let mut series = vec![UsageSum::default(); steps];
        for (step, sum) in &self.series {
            if let Some(slot) = series.get_mut(*step) {
                *slot = *sum;
            }
        }
        UsageGroup {
            name,
            sum: self.all.sum,
            series,
            first_ms: self.all.firsts.median(),
            tokens_per_second: self.all.tokens_per_second(),
        }
    }
}

/// Makes a report, with the costs of one currency.
///
/// # Errors
/// The database cannot be read.
pub(super) fn report(
    ledger: &Ledger<'_>,
    query: &UsageQuery,
    currency: &str,
    now_ms: i64,
) -> rusqlite::Result<UsageReport> {
    let (from, mut to) = (query.from_ms.max(0), query.to_ms);
    let longest = MOST_STEPS * if query.step == UsageStep::Day { 24 } else { 1 } * HOUR_MS;
    if to.saturating_sub(from) > longest {
        // Of too many steps those before tomorrow are the ones that hold something.
        to = to.min(now_ms.saturating_add(24 * HOUR_MS));
    }
    if from >= to {
        return Ok(UsageReport { currency: currency.to_owned(), ..UsageReport::default() });
    }
    let steps = match query.step {
        UsageStep::Hour => hours(ledger.zone, from, to, MOST_STEPS),
        UsageStep::Day => days(ledger.zone, from, to, MOST_STEPS),
    };
    let mut groups: HashMap<String, Group> = HashMap::new();
    let mut total = Sums::default();
    let from = from.max(steps.first().copied().unwrap_or(from));
    let others = fold(ledger, from..to, query.by, currency, |name, at, sums| {
        total.add(sums);
        let step = steps.partition_point(|start| *start <= at).saturating_sub(1);
        if !groups.contains_key(name) {
            groups.insert(name.to_owned(), Group::default());
        }
        if let Some(group) = groups.get_mut(name) {
            group.all.add(sums);
            add(group.series.entry(step).or_default(), &sums.sum);
        }
    })?;
    let mut groups: Vec<(String, Group)> = groups.into_iter().collect();
    let tokens = |sum: &UsageSum| sum.input_tokens.saturating_add(sum.output_tokens);
    groups.sort_by(|(one, a), (other, b)| {
        let by_size = (tokens(&b.all.sum), b.all.sum.requests).cmp(&(tokens(&a.all.sum), a.all.sum.requests));
        by_size.then_with(|| one.cmp(other))
    });
    if groups.len() > MOST_GROUPS {
        let mut others = Group::default();
        groups.drain(MOST_GROUPS - 1..).for_each(|(_, group)| others.add(&group));
        groups.push((OTHERS.to_owned(), others));
    }
    Ok(UsageReport {
        groups: groups.into_iter().map(|(name, group)| group.finish(name, steps.len())).collect(),
        currency: currency.to_owned(),
        other_currencies: others.into_iter().collect(),
        steps,
        total: total.sum,
        first_ms: total.firsts.median(),
        tokens_per_second: total.tokens_per_second(),
        ..UsageReport::default()
    })
}

/// Sums by owner, of all that came at `from_ms` or later, with the costs of one currency.
///
/// # Errors
/// The database cannot be read.
pub(super) fn sums_since(
    ledger: &Ledger<'_>,
    from_ms: i64,
    currency: &str,
) -> rusqlite::Result<HashMap<String, UsageSum>> {
    let mut owners: HashMap<String, UsageSum> = HashMap::new();
    fold(ledger, from_ms..i64::MAX, UsageBy::Owner, currency, |owner, _, sums| {
        match owners.get_mut(owner) {
            Some(sum) => add(sum, &sums.sum),
            None => drop(owners.insert(owner.to_owned(), sums.sum)),
        }
    })?;
    Ok(owners)
}

/// Goes through all that a range holds: a name, when it was, and how much, with the costs of one currency. Where nobody
/// knows what a cost is in, it is in that one. The other currencies in which something cost.
fn fold(
    ledger: &Ledger<'_>,
    range: Range<i64>,
    by: UsageBy,
    wanted: &str,
    mut each: impl FnMut(&str, i64, &Sums),
) -> rusqlite::Result<BTreeSet<String>> {
    let mut others = BTreeSet::new();
    let mut each = |name: &str, at_ms: i64, mut sums: Sums, currency: Option<&str>| {
        if let Some(other) = currency.filter(|currency| *currency != wanted) {
            if sums.sum.cost > 0.0 && !others.contains(other) {
                others.insert(other.to_owned());
            }
            sums.sum.cost = 0.0;
        }
        each(name, at_ms, &sums);
    };
    for entry in ledger.waiting.iter().filter(|entry| range.contains(&entry.at_ms)) {
        each(name(entry, by), entry.at_ms, one(entry), entry.currency.as_deref());
    }
    let Some(database) = ledger.database else { return Ok(others) };
    let currencies = Currencies::read(database)?;
    let since = raw_from(database)?;
    // Hours that lie in the range with all they have, and what is before and after them.
    let (first, last) = (hour(ledger.zone, range.start), hour(ledger.zone, range.end));
    let mut whole = range.clone();
    let mut edges = Vec::new();
    if first < range.start && first >= since {
        whole.start = first.saturating_add(HOUR_MS).min(range.end);
        edges.push(range.start..whole.start);
    }
    if last < range.end && last >= since && last >= whole.start {
        whole.end = last;
        edges.push(last..range.end);
    }
    let column = match by {
        UsageBy::Model => "model",
        UsageBy::Backend => "backend",
        UsageBy::Owner => "owner",
    };
    let mut hours = database.prepare_cached(&format!(
        "SELECT {column}, start_ms, {}, {HOUR_COLUMNS} FROM hours WHERE start_ms >= ?1 AND start_ms < ?2",
        currencies.column
    ))?;
    let mut rows = hours.query([whole.start, whole.end])?;
    while let Some(row) = rows.next()? {
        let currency = currencies.name(row.get(2)?);
        each(row.get_ref(0)?.as_str()?, row.get(1)?, read_sums(row, 3)?, currency);
    }
    let mut requests = database.prepare_cached(&format!(
        "SELECT id, {}, {} FROM requests WHERE at_ms >= ?1 AND at_ms < ?2",
        row::COLUMNS,
        currencies.column
    ))?;
    for edge in edges {
        let mut rows = requests.query(params![edge.start, edge.end])?;
        while let Some(row) = rows.next()? {
            let entry = row::read(row, &currencies)?;
            each(name(&entry, by), entry.at_ms, one(&entry), entry.currency.as_deref());
        }
    }
    Ok(others)
}

fn one(entry: &RequestEntry) -> Sums {
    let mut sums = Sums::default();
    sums.count(entry);
    sums
}

fn name(entry: &RequestEntry, by: UsageBy) -> &str {
    match by {
        UsageBy::Model => &entry.model,
        UsageBy::Backend => entry.backend.as_deref().unwrap_or_default(),
        UsageBy::Owner => &entry.owner,
    }
}

/// A page of single requests, the newest first.
///
/// # Errors
/// The database cannot be read.
pub(super) fn requests(ledger: &Ledger<'_>, query: &RequestsQuery) -> rusqlite::Result<Vec<RequestEntry>> {
    let limit = match query.limit {
        0 => PAGE.0,
        limit => limit.min(PAGE.1),
    };
    let before = query.before.unwrap_or(i64::MAX);
    let is_asked = |entry: &RequestEntry| {
        entry.id < before
            && query.owner.as_ref().is_none_or(|owner| *owner == entry.owner)
            && !(query.only_troubled && entry.end == aicockpit_protocol::usage::RequestEnd::Complete)
    };
    let waiting = (WAITING..).zip(ledger.waiting).map(|(id, entry)| RequestEntry { id, ..entry.clone() });
    let mut page: Vec<RequestEntry> = waiting.filter(is_asked).collect();
    page.reverse();
    page.truncate(limit as usize);
    let left = i64::from(limit) - i64::try_from(page.len()).unwrap_or(i64::MAX);
    let (Some(database), 1..) = (ledger.database, left) else { return Ok(page) };
    let mut conditions = "id < ?1".to_owned();
    let mut values: Vec<&dyn ToSql> = vec![&before, &left];
    if let Some(owner) = &query.owner {
        conditions.push_str(" AND owner = ?3");
        values.push(owner);
    }
    if query.only_troubled {
        conditions.push_str(" AND ended <> 'complete'");
    }
    let currencies = Currencies::read(database)?;
    let mut found = database.prepare_cached(&format!(
        "SELECT id, {}, {} FROM requests WHERE {conditions} ORDER BY id DESC LIMIT ?2",
        row::COLUMNS,
        currencies.column
    ))?;
    for entry in found.query_map(values.as_slice(), |row| row::read(row, &currencies))? {
        page.push(entry?);
    }
    Ok(page)
}
