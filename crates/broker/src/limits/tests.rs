use super::*;
use crate::flight::{End, Endpoint};
use jiff::tz::TimeZone;
use std::sync::atomic::AtomicI64;
use std::time::SystemTime;

const DAY: i64 = 86_400_000;
/// The 30th of January 1970, noon.
const NOON: i64 = 29 * DAY + DAY / 2;

struct Bench {
    accounts: Accounts,
    clock: Arc<AtomicI64>,
}

fn bench(limits: LimitSettings) -> Bench {
    let clock = Arc::new(AtomicI64::new(NOON));
    let now = Arc::clone(&clock);
    let calendar = Calendar::new(Arc::new(move || now.load(Ordering::SeqCst)), TimeZone::UTC);
    let set = Set { limits, currency: "EUR".to_owned() };
    Bench { accounts: Accounts::with(set, calendar), clock }
}

fn each(limits: KeyLimits) -> LimitSettings {
    LimitSettings { each: limits, ..LimitSettings::default() }
}

fn outcome(end: End, tokens: u64, cost: f64) -> Outcome {
    Outcome {
        request: "req_1".to_owned(),
        owner: "ws".into(),
        endpoint: Endpoint::Chat,
        model: "m".to_owned(),
        target: None,
        attempts: 1,
        streamed: true,
        status: Some(200),
        end,
        usage: None,
        estimate: Some(Usage { input_tokens: tokens, ..Usage::default() }),
        bytes: 0,
        malformed: 0,
        at: SystemTime::UNIX_EPOCH,
        cost,
        currency: "EUR".into(),
        queued: Duration::ZERO,
        before: Duration::ZERO,
        first_byte: None,
        total: Duration::ZERO,
    }
}

impl Bench {
    fn admit(&self, owner: &str) -> Result<(Pass, HeaderMap), Refusal> {
        let mut pass = self.accounts.enter(&owner.into());
        let headers = pass.admit()?;
        Ok((pass, headers))
    }

    fn refused(&self, owner: &str) -> Refusal {
        self.admit(owner).map(|_| ()).expect_err("refused")
    }

    fn use_up(&self, owner: &str, tokens: u64, cost: f64) {
        let (pass, _) = self.admit(owner).expect("let in");
        pass.settle(&outcome(End::Complete, tokens, cost));
    }
}

#[tokio::test(start_paused = true)]
async fn requests_a_minute_are_counted_for_each_and_for_all() {
    let each = KeyLimits { requests_per_minute: Some(2), ..KeyLimits::default() };
    let all = KeyLimits { requests_per_minute: Some(3), ..KeyLimits::default() };
    let bench = bench(LimitSettings { each, all, ..LimitSettings::default() });
    let (_, headers) = bench.admit("a").expect("let in");
    assert_eq!(headers["x-ratelimit-limit-requests"], "2");
    assert_eq!(headers["x-ratelimit-remaining-requests"], "1");
    assert_eq!(headers["x-ratelimit-reset-requests"], "30s");
    bench.admit("a").expect("let in");
    let refusal = bench.refused("a");
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(30)));
    assert_eq!((refusal.body.kind, refusal.body.code), ("rate_limit_error", Some("rate_limit_exceeded")));
    assert!(refusal.body.message.starts_with("`a` has reached the limit of 2 requests a minute."));
    let (_, headers) = bench.admit("b").expect("let in");
    assert_eq!(headers["x-ratelimit-remaining-requests"], "0", "the tighter of both");
    assert!(bench.refused("b").body.message.starts_with("All together have reached the limit of 3"));
    tokio::time::advance(Duration::from_secs(20)).await;
    // What all refused did not cost `b` one of its own.
    bench.admit("b").expect("let in");
    assert!(bench.refused("b").body.message.starts_with("`b` has"));
}

#[tokio::test(start_paused = true)]
async fn owed_tokens_pause_their_owner_until_they_are_paid_off() {
    let bench = bench(each(KeyLimits { tokens_per_minute: Some(600), ..KeyLimits::default() }));
    bench.use_up("a", 600, 0.0);
    bench.use_up("a", 100, 0.0);
    let refusal = bench.refused("a");
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(10)));
    assert!(
        refusal.body.message.contains("600 tokens a minute") && refusal.body.message.contains("10 seconds")
    );
    assert!(bench.admit("b").is_ok(), "another's debt");
    tokio::time::advance(Duration::from_secs(10)).await;
    let (_, headers) = bench.admit("a").expect("paid off");
    assert_eq!(headers["x-ratelimit-remaining-tokens"], "0");
}

#[tokio::test]
async fn places_are_free_again_however_a_request_ends() {
    let bench = bench(each(KeyLimits { parallel: Some(2), ..KeyLimits::default() }));
    let first = bench.admit("a").expect("let in");
    let _second = bench.admit("a").expect("let in");
    let refusal = bench.refused("a");
    assert!(refusal.body.message.starts_with("`a` has 2 requests on the way"), "{}", refusal.body.message);
    let open = |bench: &Bench| bench.accounts.owners(BTreeSet::new())[0].open;
    assert_eq!(open(&bench), 2);
    drop(first);
    assert_eq!(open(&bench), 1);
    assert!(bench.admit("a").is_ok());
}

#[tokio::test]
async fn budgets_end_with_their_day_and_month() {
    let day = Budget { tokens: Some(1000), cost: None };
    let month = Budget { tokens: None, cost: Some(2.0) };
    let bench = bench(each(KeyLimits { day, month, ..KeyLimits::default() }));
    bench.use_up("a", 999, 1.0);
    bench.use_up("a", 500, 0.5);
    let refusal = bench.refused("a");
    assert_eq!((refusal.body.kind, refusal.body.code), ("insufficient_quota", Some("insufficient_quota")));
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(12 * 3600)));
    assert_eq!(
        refusal.body.message,
        "`a` has used up the budget of the day: 1499 of 1000 tokens. It is renewed at 1970-01-31 00:00, in 12 hours. \
         Limits are changed in Settings, Models, Limits; those of `aicockpit broker` in its configuration file."
    );
    bench.clock.fetch_add(DAY / 2, Ordering::SeqCst);
    bench.use_up("a", 1, 0.5);
    let refusal = bench.refused("a");
    assert!(
        refusal.body.message.contains("budget of the month: 2.00 of 2.00 EUR"),
        "{}",
        refusal.body.message
    );
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(24 * 3600)));
    bench.clock.fetch_sub(DAY, Ordering::SeqCst);
    assert!(bench.admit("a").is_err(), "a clock that is put back renews nothing");
    bench.clock.fetch_add(2 * DAY, Ordering::SeqCst);
    assert!(bench.admit("a").is_ok(), "February");
}

#[tokio::test]
async fn sums_of_before_count_and_other_limits_keep_them() {
    let bench = bench(LimitSettings::default());
    let sum = |tokens| UsageSum { requests: 1, input_tokens: tokens, ..UsageSum::default() };
    bench.accounts.seed(
        HashMap::from([("a".to_owned(), sum(10))]),
        HashMap::from([("a".to_owned(), sum(70)), ("b".to_owned(), sum(30))]),
    );
    bench.use_up("a", 5, 0.0);
    let owners = bench.accounts.owners(BTreeSet::from(["c".into()]));
    let told: Vec<_> = owners
        .iter()
        .map(|owner| {
            (owner.owner.as_str(), owner.day.input_tokens, owner.month.input_tokens, owner.month.requests)
        })
        .collect();
    assert_eq!(told, [("a", 15, 75, 2), ("b", 0, 30, 1), ("c", 0, 0, 0)]);

    let month = Budget { tokens: Some(105), cost: None };
    let all = KeyLimits { month, ..KeyLimits::default() };
    bench
        .accounts
        .replace(Set { limits: LimitSettings { all, ..LimitSettings::default() }, currency: String::new() });
    assert!(
        bench.refused("c").body.message.starts_with("All together have used up the budget of the month: 105")
    );
}

#[tokio::test(start_paused = true)]
async fn other_rates_keep_what_was_used() {
    let rate = |count| each(KeyLimits { requests_per_minute: Some(count), ..KeyLimits::default() });
    let bench = bench(rate(3));
    for _ in 0..3 {
        bench.admit("a").expect("let in");
    }
    bench.accounts.replace(Set { limits: rate(5), currency: String::new() });
    bench.admit("a").expect("let in");
    bench.admit("a").expect("let in");
    assert!(bench.admit("a").is_err());
}

#[tokio::test]
async fn ends_are_told_apart_and_owners_without_use_are_forgotten() {
    let bench = bench(LimitSettings::default());
    for end in
        [End::Complete, End::Refused, End::Failed, End::Cut, End::Stalled, End::ToldError, End::Cancelled]
    {
        let pass = bench.accounts.enter(&"a".into());
        pass.settle(&outcome(end, 1, 0.0));
    }
    for other in 0..2 * MOST_OWNERS {
        drop(bench.admit(&format!("other-{other}")).expect("let in"));
    }
    let owners = bench.accounts.owners(BTreeSet::new());
    assert!(owners.len() <= MOST_OWNERS);
    let sum = owners.iter().find(|owner| owner.owner == "a").expect("it has used something").day;
    assert_eq!((sum.requests, sum.failed, sum.refused, sum.cancelled, sum.input_tokens), (7, 4, 1, 1, 7));
}
