//! What models were used for: tried, counted, looked at, limited, and kept on this machine.

use crate::common::{SOON, server, with_backend};
use aicockpit_cockpit::Cockpit;
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::api::{
    Empty, Event, ModelsOwners, ModelsRequest, ModelsRequests, ModelsTry, ModelsUsage, SettingsPut, TryModel,
};
use aicockpit_protocol::broker::BrokerSettings;
use aicockpit_protocol::usage::{
    Price, RequestEnd, RequestEntry, RequestRef, RequestsQuery, UsageBy, UsageQuery, UsageReport, UsageStep,
};
use aicockpit_testkit::without_engines;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A cockpit with one model server, and a client of it.
struct Tried {
    cockpit: Arc<Cockpit>,
    client: Client,
    asked: mpsc::UnboundedReceiver<String>,
    folder: tempfile::TempDir,
}

impl Tried {
    async fn new(change: impl FnOnce(&mut BrokerSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (url, asked) = server().await;
        let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
        let client = Client::in_process(&cockpit);
        let mut settings = with_backend(cockpit.settings(), &url, false);
        change(&mut settings.models);
        client.call::<SettingsPut>(settings).await.unwrap();
        Self { cockpit, client, asked, folder }
    }

    async fn ask(&self) -> Result<String, aicockpit_protocol::ApiError> {
        let question = TryModel { model: "tiny".into(), prompt: "Say two words.".into() };
        let opened = self.client.call::<ModelsTry>(question).await?;
        let answer = self.client.stream(opened.stream).collect().await?;
        Ok(String::from_utf8(answer).unwrap())
    }

    /// The ledger's sums, once this many requests are in it.
    async fn report(&self, requests: u64) -> UsageReport {
        let hour = 3_600_000;
        let now = jiff_now();
        let query =
            UsageQuery { from_ms: now - hour, to_ms: now + hour, by: UsageBy::Owner, step: UsageStep::Hour };
        let waiting = async {
            loop {
                let report = self.client.call::<ModelsUsage>(query).await.unwrap();
                if report.total.requests >= requests {
                    return report;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, waiting).await.expect("the request is written down")
    }

    async fn requests(&self) -> Vec<RequestEntry> {
        self.client.call::<ModelsRequests>(RequestsQuery::default()).await.unwrap()
    }
}

fn jiff_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[tokio::test]
async fn a_question_is_answered_counted_and_shown_but_not_kept() {
    let price =
        Price { backend: "one".into(), model: "*".into(), input: 2.0, output: 10.0, cached_input: None };
    let tried = Tried::new(|models| models.prices = vec![price]).await;
    let mut events = tried.client.events();
    assert_eq!(tried.ask().await.unwrap(), "two words");
    let told = async { while !matches!(events.recv().await.unwrap(), Event::Usage) {} };
    tokio::time::timeout(SOON, told).await.expect("clients are told");

    let report = tried.report(1).await;
    assert_eq!(report.groups.len(), 1);
    assert_eq!(report.groups[0].name, "try");
    assert_eq!((report.total.input_tokens, report.total.output_tokens), (1000, 500));
    assert!((report.total.cost - 0.007).abs() < 1e-9, "{report:?}");
    assert_eq!((report.currency.as_str(), report.lost), ("USD", 0));

    let requests = tried.requests().await;
    assert_eq!(requests.len(), 1);
    let one = &requests[0];
    assert_eq!((one.model.as_str(), one.end, one.status), ("tiny", RequestEnd::Complete, Some(200)));
    assert!(one.streamed && !one.is_kept && one.first_ms.is_some(), "{one:?}");
    let question = RequestRef { request: one.request.clone() };
    assert_eq!(tried.client.call::<ModelsRequest>(question).await.unwrap(), None, "nothing is kept unasked");
    let owners = tried.client.call::<ModelsOwners>(Empty {}).await.unwrap();
    let own = owners.iter().find(|owner| owner.owner == "try").unwrap();
    assert_eq!((own.day.requests, own.month.input_tokens), (1, 1000));

    // The ledger outlives the cockpit.
    tried.cockpit.shutdown().await;
    let Tried { cockpit, client, folder, asked, .. } = tried;
    drop((client, cockpit));
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let again = Tried { client: Client::in_process(&cockpit), cockpit, folder, asked };
    assert_eq!(again.report(1).await.total.requests, 1);
    let owners = again.client.call::<ModelsOwners>(Empty {}).await.unwrap();
    assert!(owners.iter().any(|owner| owner.owner == "try" && owner.day.requests == 1), "{owners:?}");
    again.cockpit.shutdown().await;
}

#[tokio::test]
async fn questions_and_answers_are_kept_in_memory_where_a_person_wants_it() {
    let tried = Tried::new(|models| models.keep_prompts = true).await;
    tried.ask().await.unwrap();
    tried.report(1).await;
    let one = tried.requests().await.remove(0);
    assert!(one.is_kept);
    let question = RequestRef { request: one.request.clone() };
    let kept = tried.client.call::<ModelsRequest>(question.clone()).await.unwrap().unwrap();
    assert!(kept.question.contains("Say two words.") && kept.answer.contains("words"), "{kept:?}");
    for file in std::fs::read_dir(tried.folder.path().join("data")).unwrap().flatten() {
        if let Ok(bytes) = std::fs::read(file.path()) {
            let words = b"Say two words.";
            assert!(!bytes.windows(words.len()).any(|part| part == words), "{:?} has it", file.path());
        }
    }
    let mut settings = tried.cockpit.settings();
    settings.models.keep_prompts = false;
    tried.client.call::<SettingsPut>(settings).await.unwrap();
    assert_eq!(tried.client.call::<ModelsRequest>(question).await.unwrap(), None, "they go at once");
    tried.cockpit.shutdown().await;
}

#[tokio::test]
async fn a_budget_that_is_used_up_is_told_as_such() {
    let tried = Tried::new(|models| models.limits.each.day.tokens = Some(1000)).await;
    tried.ask().await.unwrap();
    tried.report(1).await;
    let refused = tried.ask().await.unwrap_err();
    assert!(refused.message.contains("1,000") || refused.message.contains("1000"), "{refused:?}");
    let report = tried.report(2).await;
    assert_eq!((report.total.refused, report.total.input_tokens), (1, 1000));
    // A larger one counts what was used before.
    let mut settings = tried.cockpit.settings();
    settings.models.limits.each.day.tokens = Some(10_000);
    tried.client.call::<SettingsPut>(settings).await.unwrap();
    assert_eq!(tried.ask().await.unwrap(), "two words");
    tried.cockpit.shutdown().await;
}

#[tokio::test]
async fn offline_what_is_not_on_this_machine_is_not_asked() {
    let mut tried = Tried::new(|_| {}).await;
    tried.ask().await.unwrap();
    while tried.asked.try_recv().is_ok() {}
    let mut settings = tried.cockpit.settings();
    settings.offline = true;
    // Of no meaning to anybody; no name of it is looked up either.
    let mut elsewhere = settings.models.backends[0].clone();
    (elsewhere.id, elsewhere.name) = ("far".into(), "far".into());
    elsewhere.url = "https://models.example/v1".into();
    settings.models.backends.push(elsewhere);
    tried.client.call::<SettingsPut>(settings).await.unwrap();
    assert_eq!(tried.ask().await.unwrap(), "two words", "loopback is this machine");
    let question = TryModel { model: "far/any".into(), prompt: "?".into() };
    let refused = tried.client.call::<ModelsTry>(question).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidState);
    assert!(refused.message.contains("offline"), "{refused:?}");
    tried.cockpit.shutdown().await;
}
