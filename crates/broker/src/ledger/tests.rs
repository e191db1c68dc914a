//! The ledger as its users see it, with clocks, zones and bounds of the tests' own.

use super::*;
use crate::flight::{End, Endpoint, Usage};
use aicockpit_protocol::usage::{RequestEnd, UsageBy, UsageStep};
use jiff::Timestamp;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

/// The middle of 2026, for everybody.
fn noon() -> i64 {
    ms("2026-06-15T12:00:00Z")
}

fn setup(path: Option<PathBuf>, zone: &str) -> Setup {
    Setup { zone: TimeZone::get(zone).unwrap(), now: noon, ..Setup::new(path) }
}

/// In a file, while what is from the beginning of 1970 is not old.
fn setup_now(path: &Path) -> Setup {
    Setup { now: || DAY, ..setup(Some(path.to_owned()), "UTC") }
}

fn outcome(at_ms: i64) -> Outcome {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    Outcome {
        request: format!("req_{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
        owner: "ann".into(),
        endpoint: Endpoint::Chat,
        model: "fast".to_owned(),
        target: Some(("box".to_owned(), "qwen".into())),
        attempts: 1,
        streamed: true,
        status: Some(200),
        end: End::Complete,
        usage: Some(Usage { input_tokens: 10, output_tokens: 20, ..Usage::default() }),
        estimate: None,
        bytes: 0,
        malformed: 0,
        at: UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap()),
        cost: 0.5,
        currency: "EUR".into(),
        queued: Duration::from_millis(1),
        before: Duration::from_millis(2),
        first_byte: Some(Duration::from_millis(100)),
        total: Duration::from_millis(2 + 100 + 400),
    }
}

fn of(owner: &str, model: &str, at_ms: i64) -> Outcome {
    Outcome { owner: owner.into(), model: model.to_owned(), ..outcome(at_ms) }
}

fn query(from_ms: i64, to_ms: i64, by: UsageBy, step: UsageStep) -> UsageQuery {
    UsageQuery { from_ms, to_ms, by, step }
}

fn all() -> UsageQuery {
    query(0, i64::MAX, UsageBy::Model, UsageStep::Day)
}

/// In memory and in a file, which goes with the folder.
fn both(zone: &str) -> (tempfile::TempDir, [UsageLedger; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let file = setup(Some(folder.path().join("usage.sqlite")), zone);
    (folder, [UsageLedger::with(file), UsageLedger::with(setup(None, zone))])
}

#[test]
fn a_report_adds_up_what_was_told() {
    let (_folder, ledgers) = both("UTC");
    for ledger in ledgers {
        let day = ms("2026-06-10T00:00:00Z");
        ledger.note(&of("ann", "fast", day + HOUR));
        // No server told: what is charged instead counts.
        let estimate = Some(Usage { input_tokens: 5, output_tokens: 0, ..Usage::default() });
        let left =
            Outcome { usage: None, estimate, first_byte: None, end: End::Cancelled, ..outcome(day + HOUR) };
        ledger.note(&left);
        ledger.note(&Outcome { end: End::Stalled, ..of("bob", "slow", day + 30 * HOUR) });
        ledger.note(&Outcome {
            end: End::Refused,
            target: None,
            usage: None,
            cost: 0.0,
            ..outcome(day + 50 * HOUR)
        });
        let asked = query(day, day + 96 * HOUR, UsageBy::Model, UsageStep::Day);
        let report = ledger.report(&asked, "EUR");
        assert_eq!(report.currency, "EUR");
        assert_eq!(report.steps, [0, 1, 2, 3].map(|days| day + days * 24 * HOUR));
        let total = UsageSum {
            requests: 4,
            failed: 1,
            refused: 1,
            cancelled: 1,
            input_tokens: 25,
            output_tokens: 40,
            cost: 1.5,
        };
        assert_eq!(report.total, total);
        let names: Vec<_> = report.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["fast", "slow"], "most tokens first");
        let fast = &report.groups[0];
        assert_eq!(fast.series.iter().map(|sum| sum.requests).collect::<Vec<_>>(), [2, 0, 1, 0]);
        assert_eq!(fast.tokens_per_second, Some(50.0), "20 tokens in 400 ms");
        assert!((95.0..105.0).contains(&fast.first_ms.unwrap()), "{:?}", fast.first_ms);
        let by_backend = ledger.report(&UsageQuery { by: UsageBy::Backend, ..asked }, "EUR");
        let names: Vec<_> = by_backend.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["box", ""], "the last one is of requests that no server answered");
        let owners = ledger.sums_since(day + 2 * HOUR, "EUR");
        assert_eq!((owners["ann"].requests, owners["bob"].output_tokens), (1, 20));
        assert_eq!(
            ledger.report(&query(day, day, UsageBy::Model, UsageStep::Day), ""),
            UsageReport::default()
        );
    }
}

#[test]
fn speeds_of_all_are_made_from_all_requests_and_not_from_groups() {
    let (_folder, ledgers) = both("UTC");
    for ledger in ledgers {
        // Nine fast ones and three slow ones: the median over all is a fast one, whatever the groups are.
        for (model, count, first, rest) in [("fast", 9, 50, 100), ("slow", 3, 5000, 1000)] {
            for _ in 0..count {
                let first_byte = Duration::from_millis(first);
                let total = Duration::from_millis(2 + rest) + first_byte;
                ledger.note(&Outcome { first_byte: Some(first_byte), total, ..of("ann", model, noon()) });
            }
        }
        let report = ledger.report(&UsageQuery { to_ms: noon() + HOUR, ..all() }, "EUR");
        let firsts: Vec<_> = report.groups.iter().map(|group| group.first_ms.unwrap()).collect();
        assert!(firsts[0] < 55.0 && firsts[1] > 4500.0, "{firsts:?}");
        assert_eq!(report.first_ms, Some(firsts[0]));
        assert_eq!(report.tokens_per_second, Some(240.0 / 3.9), "240 tokens in 9 * 0.1 and 3 seconds");
        let none = ledger.report(&query(0, HOUR, UsageBy::Model, UsageStep::Day), "EUR");
        assert_eq!((none.first_ms, none.tokens_per_second), (None, None));
    }
}

#[test]
fn costs_of_several_currencies_are_not_added() {
    let (folder, ledgers) = both("UTC");
    for ledger in ledgers {
        let priced =
            |currency: &str, cost: f64, at: i64| Outcome { currency: currency.into(), cost, ..outcome(at) };
        for (currency, cost, at) in [
            ("USD", 0.5, noon()),
            ("USD", 2.0, noon() + 10),
            ("EUR", 8.0, noon() + 20),
            ("GBP", 0.0, noon() + 30),
            ("EUR", 32.0, noon() + HOUR),
        ] {
            ledger.note(&priced(currency, cost, at));
        }
        let costs = |query: &UsageQuery, currency: &str| {
            let report = ledger.report(query, currency);
            assert_eq!(report.currency, currency);
            assert_eq!(report.groups.iter().map(|group| group.sum.cost).sum::<f64>(), report.total.cost);
            (report.total.requests, report.total.cost, report.other_currencies.join(" "))
        };
        let all = all();
        assert_eq!(costs(&all, "EUR"), (5, 40.0, "USD".to_owned()));
        assert_eq!(costs(&all, "USD"), (5, 2.5, "EUR".to_owned()));
        assert_eq!(
            costs(&all, "JPY"),
            (5, 0.0, "EUR USD".to_owned()),
            "what costs nothing is in no currency"
        );
        // Within an hour, where single requests are read.
        let within = query(noon() + 5, noon() + 25, UsageBy::Owner, UsageStep::Hour);
        assert_eq!(costs(&within, "USD"), (2, 2.0, "EUR".to_owned()));
        let since = ledger.sums_since(noon() + HOUR, "USD");
        assert_eq!((since["ann"].requests, since["ann"].cost), (1, 0.0));
        let entries = ledger.requests(&RequestsQuery { limit: 2, ..RequestsQuery::default() });
        let told: Vec<_> = entries.iter().map(|entry| (entry.currency.as_deref(), entry.cost)).collect();
        assert_eq!(told, [(Some("EUR"), 32.0), (Some("GBP"), 0.0)]);
    }
    let read = report_of_file(&folder.path().join("usage.sqlite"), &all(), None).unwrap();
    assert_eq!((read.currency.as_str(), read.total.cost), ("EUR", 40.0), "the last request's");
}

#[test]
fn old_dollars_stay_dollars_when_the_settings_say_euro() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    drop(database::tests::of_the_first_version(&path));
    let query = UsageQuery { to_ms: DAY, ..all() };
    let read = report_of_file(&path, &query, None).unwrap();
    assert_eq!((read.currency.as_str(), read.total.cost), ("", 0.5), "a file of then can be read as it is");
    let open = || UsageLedger::with(setup_now(&path));
    let cost = |ledger: &UsageLedger, currency: &str| {
        let report = ledger.report(&query, currency);
        (report.total.cost, report.other_currencies)
    };
    let ledger = open();
    assert_eq!(cost(&ledger, "CHF"), (0.5, vec![]), "until somebody says what it is");
    ledger.priced_in("USD");
    assert_eq!(cost(&ledger, "USD"), (0.5, vec![]));
    drop(ledger);
    let ledger = open();
    ledger.priced_in("EUR");
    assert_eq!(cost(&ledger, "EUR"), (0.0, vec!["USD".to_owned()]));
    ledger.note(&Outcome { currency: "USD".into(), ..outcome(7) });
    assert_eq!(cost(&ledger, "USD"), (1.0, vec![]), "old and new ones are one sum");
    let entries = ledger.requests(&RequestsQuery::default());
    assert!(entries.iter().all(|entry| entry.currency.as_deref() == Some("USD")), "{entries:?}");
}

#[test]
fn days_are_those_of_the_clock_on_the_wall() {
    // Berlin's 29th of March 2026 has 23 hours.
    let (_folder, ledgers) = both("Europe/Berlin");
    for ledger in ledgers {
        let times =
            ["2026-03-28T22:59:00Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:00Z", "2026-03-29T22:00:00Z"];
        for at in times {
            ledger.note(&outcome(ms(at)));
        }
        let asked =
            query(ms("2026-03-28T12:00:00Z"), ms("2026-03-31T00:00:00Z"), UsageBy::Owner, UsageStep::Day);
        let report = ledger.report(&asked, "USD");
        let starts =
            ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"];
        assert_eq!(report.steps, starts.map(ms));
        assert_eq!(report.groups[0].series.iter().map(|sum| sum.requests).collect::<Vec<_>>(), [1, 2, 1, 0]);
    }
    // Where hours begin at half past, those before midnight belong to the day before.
    let (_folder, ledgers) = both("Asia/Kolkata");
    for ledger in ledgers {
        ledger.note(&outcome(ms("2026-01-01T18:29:00Z")));
        ledger.note(&outcome(ms("2026-01-01T18:31:00Z")));
        let midnight = ms("2026-01-01T18:30:00Z");
        let asked = query(midnight - HOUR, midnight + HOUR, UsageBy::Model, UsageStep::Day);
        let report = ledger.report(&asked, "USD");
        assert_eq!(report.groups[0].series.iter().map(|sum| sum.requests).collect::<Vec<_>>(), [1, 1]);
    }
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let (_folder, ledgers) = both("UTC");
    for ledger in ledgers {
        for number in 0..250 {
            let end = if number % 50 == 0 { End::Failed } else { End::Complete };
            let owner = if number % 2 == 0 { "ann" } else { "bob" };
            ledger.note(&Outcome { end, ..of(owner, "fast", noon() + number) });
        }
        let mut seen = Vec::new();
        let mut asked = RequestsQuery::default();
        loop {
            let page = ledger.requests(&asked);
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 100);
            asked.before = Some(last.id);
            seen.extend(page.iter().map(|entry| entry.at_ms - noon()));
        }
        assert_eq!(seen, (0..250).rev().collect::<Vec<_>>());
        let count = |query: RequestsQuery| ledger.requests(&query).len();
        let bobs = RequestsQuery { owner: Some("bob".to_owned()), limit: 500, ..RequestsQuery::default() };
        assert_eq!(count(bobs.clone()), 125);
        let troubled = RequestsQuery { only_troubled: true, ..RequestsQuery::default() };
        assert_eq!(count(troubled.clone()), 5);
        assert_eq!(count(RequestsQuery { only_troubled: true, ..bobs }), 0);
        let entry = ledger.requests(&troubled).remove(0);
        assert_eq!((entry.end, entry.endpoint.as_str()), (RequestEnd::Failed, "chat/completions"));
        assert_eq!((entry.backend.as_deref(), entry.backend_model.as_deref()), (Some("box"), Some("qwen")));
        assert_eq!((entry.before_ms, entry.first_ms, entry.total_ms), (2.0, Some(100.0), 502.0));
        assert_eq!((entry.input_tokens, entry.status, entry.streamed), (Some(10), Some(200), true));
    }
}

#[test]
fn old_requests_go_and_their_sums_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let old = noon() - 100 * 24 * HOUR;
    let ledger = UsageLedger::with(setup(Some(path.clone()), "UTC"));
    for at in [old, old + 60_000, noon()] {
        ledger.note(&outcome(at));
    }
    drop(ledger);
    let ledger = UsageLedger::with(setup(Some(path), "UTC"));
    assert_eq!(ledger.requests(&RequestsQuery::default()).len(), 1);
    let report = ledger.report(&all(), "USD");
    assert_eq!((report.total.requests, report.total.output_tokens), (3, 60));
    assert!(report.groups[0].first_ms.is_some());
    // An hour of which nothing single is left counts by its beginning.
    let within = query(old - 1, old + 30_000, UsageBy::Model, UsageStep::Hour);
    assert_eq!(ledger.report(&within, "USD").total.requests, 2);
    let within = query(old + 30_000, old + HOUR, UsageBy::Model, UsageStep::Hour);
    assert_eq!(ledger.report(&within, "USD").total.requests, 0);
}

#[test]
fn there_is_a_bound_to_single_requests() {
    let (_folder, ledgers) = both("UTC");
    drop(ledgers);
    let ledger = UsageLedger::with(Setup { most_requests: 40, ..setup(None, "UTC") });
    for number in 0..1000 {
        ledger.note(&outcome(noon() + number));
        if number % 10 == 0 {
            assert!(ledger.flush());
        }
    }
    let left = ledger.requests(&RequestsQuery { limit: 500, ..RequestsQuery::default() });
    assert!((40..=60).contains(&left.len()), "{}", left.len());
    assert_eq!(left[0].at_ms, noon() + 999, "the newest stay");
    assert_eq!(ledger.report(&all(), "USD").total.requests, 1000);
    assert_eq!(ledger.lost(), (0, None));
}

#[test]
fn names_that_clients_make_up_are_bounded() {
    let ledger = UsageLedger::with(setup(None, "UTC"));
    for number in 0..300 {
        let model = format!("no-such-model-{number}");
        ledger.note(&Outcome { target: None, end: End::Refused, ..of("ann", &model, noon()) });
    }
    ledger.note(&of("ann", &"ä".repeat(1000), noon()));
    let report = ledger.report(&UsageQuery { to_ms: noon() + HOUR, ..all() }, "USD");
    assert_eq!(report.total.requests, 301);
    assert_eq!(report.groups.len(), 100);
    let state = ledger.0.shared.state();
    let database = &state.store.as_ref().unwrap().writer;
    let hours: i64 = database.query_row("SELECT count(*) FROM hours", [], |row| row.get(0)).unwrap();
    assert_eq!(hours, 102, "a hundred names, all others as one, and the one that a server was asked for");
    assert!(report.groups.iter().all(|group| group.name.len() < 210));
}

#[test]
fn what_cannot_be_written_is_kept_and_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not there yet").join("usage.sqlite");
    let ledger = UsageLedger::with(Setup { waiting: 10, ..setup(Some(path.clone()), "UTC") });
    for number in 0..10 {
        ledger.note(&outcome(noon() + number));
    }
    assert!(!ledger.flush());
    let report = ledger.report(&all(), "USD");
    assert_eq!((report.total.requests, report.lost, report.why_lost), (10, 0, None), "nothing is lost yet");
    let page = ledger.requests(&RequestsQuery { limit: 3, ..RequestsQuery::default() });
    assert_eq!(page.iter().map(|entry| entry.at_ms - noon()).collect::<Vec<_>>(), [9, 8, 7]);
    let next = RequestsQuery { before: Some(page[2].id), ..RequestsQuery::default() };
    assert_eq!(ledger.requests(&next).len(), 7);
    ledger.note(&outcome(noon() + 10));
    let report = ledger.report(&all(), "USD");
    assert_eq!((report.total.requests, report.lost), (10, 1));
    let why = report.why_lost.unwrap();
    assert!(why.contains("usage.sqlite") && why.contains("cannot be written"), "{why}");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    assert!(ledger.flush(), "now it can");
    let page = ledger.requests(&RequestsQuery::default());
    assert_eq!(
        page.iter().map(|entry| entry.at_ms - noon()).collect::<Vec<_>>(),
        (1..=10).rev().collect::<Vec<_>>()
    );
    assert!(page.iter().all(|entry| entry.id <= 10), "they have their place now");
    drop(ledger);
    let ledger = UsageLedger::with(setup(Some(path.clone()), "UTC"));
    assert_eq!(ledger.report(&all(), "USD").total.requests, 10);
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn telling_never_waits_for_the_writer() {
    let ledger = UsageLedger::with(Setup { queue: 4, ..setup(None, "UTC") });
    ledger.note(&outcome(noon()));
    assert!(ledger.flush());
    let held = ledger.0.shared.state();
    for _ in 0..100 {
        ledger.note(&outcome(noon()));
    }
    drop(held);
    assert!(ledger.flush());
    let report = ledger.report(&all(), "USD");
    assert!(
        (95..=100).contains(&report.lost),
        "four in the queue, one in the writer's hand: {}",
        report.lost
    );
    assert_eq!(report.total.requests, 101 - report.lost);
    assert!(report.why_lost.unwrap().contains("faster"));
}

#[test]
fn a_damaged_file_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    std::fs::write(&path, "not a database, but long enough to be looked at as if it were one".repeat(100))
        .unwrap();
    let ledger = UsageLedger::with(setup(Some(path.clone()), "UTC"));
    for number in 0..2000 {
        ledger.note(&outcome(noon() + number));
    }
    assert!(ledger.flush());
    assert!(
        std::fs::read(folder.path().join("usage.sqlite.broken-1")).unwrap().starts_with(b"not a database")
    );
    drop(ledger);
    // Pages in the middle are overwritten.
    let mut bytes = std::fs::read(&path).unwrap();
    let length = bytes.len();
    bytes[8192..length / 2].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    let ledger = UsageLedger::with(setup(Some(path.clone()), "UTC"));
    ledger.note(&outcome(noon()));
    assert!(ledger.flush());
    assert_eq!(ledger.report(&all(), "USD").total.requests, 1, "a new one has begun");
    assert_eq!(std::fs::metadata(folder.path().join("usage.sqlite.broken-2")).unwrap().len(), length as u64);
}

#[test]
fn damage_that_shows_later_is_met_the_same_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let ledger = UsageLedger::with(setup(Some(path.clone()), "UTC"));
    for number in 0..5000 {
        ledger.note(&outcome(noon() + number));
    }
    assert!(ledger.flush());
    // Into the file, then over it while it is open.
    let checkpoint = |ledger: &UsageLedger| {
        let state = ledger.0.shared.state();
        let writer = &state.store.as_ref().unwrap().writer;
        writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        writer.release_memory().unwrap();
    };
    checkpoint(&ledger);
    let length = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![0xa5; usize::try_from(length).unwrap() - 100], 100)
        .unwrap();
    // Whoever meets it first: the writer, or one who asks.
    let broken = folder.path().join("usage.sqlite.broken-1");
    for _ in 0..100 {
        ledger.note(&outcome(noon()));
        ledger.flush();
        ledger.report(&all(), "USD");
        if broken.exists() {
            break;
        }
    }
    assert!(broken.exists());
    ledger.note(&outcome(noon()));
    assert!(ledger.flush());
    assert!(ledger.report(&all(), "USD").total.requests > 0);
}

#[test]
fn two_may_write_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let write = |owner: &'static str| {
        let ledger = UsageLedger::with(setup(Some(path.clone()), "UTC"));
        move || {
            for number in 0..2000 {
                ledger.note(&of(owner, "fast", noon() + number));
                if number % 100 == 0 {
                    assert!(ledger.flush(), "{:?}", ledger.lost());
                }
            }
            assert!(ledger.flush());
            ledger
        }
    };
    let threads = ["ann", "bob"].map(|owner| std::thread::spawn(write(owner)));
    let ledgers = threads.map(|thread| thread.join().unwrap());
    for ledger in &ledgers {
        let report = ledger.report(&UsageQuery { by: UsageBy::Owner, ..all() }, "USD");
        assert_eq!((report.total.requests, report.total.output_tokens, report.lost), (4000, 80_000, 0));
        assert!(report.groups.iter().all(|group| group.sum.requests == 2000));
    }
    let read = report_of_file(&path, &all(), None).unwrap();
    assert_eq!(read.total.requests, 4000, "also a third, who only reads");
    let none = report_of_file(&folder.path().join("none"), &all(), None).unwrap_err().to_string();
    assert!(none.contains("none") && !folder.path().join("none").exists(), "{none}");
}

#[test]
fn a_year_is_made_from_hours() {
    let folder = tempfile::tempdir().unwrap();
    let file = setup(Some(folder.path().join("usage.sqlite")), "Europe/Berlin");
    let ledger = UsageLedger::with(Setup { most_requests: 100, ..file });
    let start = ms("2025-06-01T00:00:00Z");
    for hour in 0..365 * 24i64 {
        ledger.note(&of(["ann", "bob"][hour as usize % 2], "fast", start + hour * HOUR));
        if hour % 1000 == 0 {
            assert!(ledger.flush());
        }
    }
    let asked = query(start, start + 365 * 24 * HOUR, UsageBy::Owner, UsageStep::Day);
    let report = ledger.report(&asked, "USD");
    assert_eq!((report.total.requests, report.lost), (365 * 24, 0));
    let days: Vec<u64> = (0..report.steps.len())
        .map(|day| report.groups.iter().map(|group| group.series[day].requests).sum())
        .collect();
    assert_eq!((days.iter().min(), days.iter().max()), (Some(&2), Some(&25)));
    assert_eq!(days.iter().filter(|day| **day == 23).count(), 1, "the day that the clock goes forward");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_range_holds_what_came_in_it(
        times in proptest::collection::vec(0i64..20 * HOUR, 1..60),
        from in 0i64..20 * HOUR,
        length in 1i64..20 * HOUR,
    ) {
        let start = ms("2026-03-28T12:17:31Z");
        let ledger = UsageLedger::with(setup(None, "Asia/Kolkata"));
        for (number, at) in times.iter().enumerate() {
            ledger.note(&of(["ann", "bob"][number % 2], "fast", start + at));
        }
        let range = start + from..start + from + length;
        let wanted = times.iter().filter(|at| range.contains(&(start + *at))).count() as u64;
        for step in [UsageStep::Hour, UsageStep::Day] {
            let report = ledger.report(&query(range.start, range.end, UsageBy::Owner, step), "USD");
            prop_assert_eq!(report.total.requests, wanted);
            let series: u64 = report.groups.iter().flat_map(|group| &group.series).map(|sum| sum.requests).sum();
            prop_assert_eq!(series, wanted);
            prop_assert!(report.steps.is_sorted() && report.steps[0] <= range.start);
        }
        let since: u64 = ledger.sums_since(range.start, "EUR").values().map(|sum| sum.requests).sum();
        prop_assert_eq!(since, times.iter().filter(|at| start + *at >= range.start).count() as u64);
    }
}
