//! Another currency in the settings: what was spent in the one before stays what it was.

use crate::common::client::ask;
use crate::common::script::{self, Server, json_answer, send};
use crate::common::{Serving, settings};
use aicockpit_broker::{Limits, Options, UsageLedger};
use aicockpit_protocol::broker::BrokerSettings;
use aicockpit_protocol::usage::{Budget, KeyLimits, Price, UsageBy, UsageQuery, UsageStep};

const CHAT: &str = "/v1/chat/completions";
const PLAIN: &str = r#"{"model":"m"}"#;

/// Each request costs 4, three for the question and one for the answer, and the day has 10.
fn priced(server: &Server, currency: &str) -> BrokerSettings {
    let mut settings = BrokerSettings { currency: currency.to_owned(), ..settings(&[server]) };
    settings.prices = vec![Price {
        backend: "*".to_owned(),
        model: "*".to_owned(),
        input: 1e6,
        output: 1e6,
        cached_input: None,
    }];
    settings.limits.each =
        KeyLimits { day: Budget { tokens: None, cost: Some(10.0) }, ..KeyLimits::default() };
    settings
}

/// Asks until the budget is used up; how often there was an answer.
async fn spend(serving: &mut Serving) -> usize {
    for answered in 0.. {
        let status = ask(serving, CHAT, PLAIN).await.status;
        serving.outcome().await;
        if status == 429 {
            return answered;
        }
        assert_eq!(status, 200);
    }
    unreachable!("there is a budget")
}

fn today(serving: &Serving) -> (f64, f64) {
    let usage = serving.broker.owners().remove(0);
    (usage.day.cost, usage.month.cost)
}

#[tokio::test]
async fn budgets_are_those_of_the_present_currency() {
    let server = Server::start(|_| vec![send(json_answer(200, script::COMPLETION))]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("usage.sqlite");
    let options = || Options { ledger: UsageLedger::open(Some(file.clone())), ..Options::default() };
    let mut serving = Serving::with_options(priced(&server, "USD"), options()).await;
    assert_eq!(spend(&mut serving).await, 3);
    assert_eq!(today(&serving), (12.0, 12.0));

    let take_up = async |serving: &Serving, currency: &str| {
        let (broker, settings) = (serving.broker.clone(), priced(&server, currency));
        tokio::task::spawn_blocking(move || broker.replace(settings))
            .await
            .expect("ended")
            .expect("settings");
    };
    take_up(&serving, "EUR").await;
    assert_eq!(today(&serving), (0.0, 0.0), "no dollar is a euro");
    assert_eq!(ask(&serving, CHAT, PLAIN).await.status, 200);
    serving.outcome().await;
    assert_eq!(today(&serving), (4.0, 4.0));
    let figures = serving.broker.metrics();
    for (currency, cost) in [("USD", "12.0"), ("EUR", "4.0")] {
        let series =
            format!(r#"aicockpit_broker_cost_total{{backend="b0",model="m",currency="{currency}"}} {cost}"#);
        assert!(figures.contains(&series), "{figures}");
    }
    take_up(&serving, "USD").await;
    assert_eq!(today(&serving), (12.0, 12.0), "what was spent before is spent");
    take_up(&serving, "EUR").await;
    assert_eq!(spend(&mut serving).await, 2, "with the one from before");

    let ledger = serving.broker.ledger().clone();
    let query = UsageQuery { from_ms: 0, to_ms: i64::MAX, by: UsageBy::Model, step: UsageStep::Day };
    let report = tokio::task::spawn_blocking(move || ledger.report(&query, "EUR")).await.expect("a report");
    assert_eq!((report.total.cost, report.other_currencies), (12.0, vec!["USD".to_owned()]));
    drop(serving);
    // Another start reads what was spent in its own.
    for (currency, spent) in [("USD", 12.0), ("CHF", 0.0)] {
        let serving = Serving::with(priced(&server, "USD"), Limits::default()).await;
        assert!(serving.broker.owners()[0].day.cost == 0.0, "without the ledger");
        let serving = Serving::with_options(priced(&server, currency), options()).await;
        assert_eq!(today(&serving), (spent, spent), "{currency}");
    }
}
