//! What happens to containers: one watch for each kind of object, nothing polled but the cluster's pulse.

use crate::KubernetesEngine;
use crate::names::{self, CONTAINER, pod_of_set};
use crate::start::watch_error;
use crate::state::{self, PodState};
use aicockpit_engine::{ContainerEvent, ContainerEventKind as Kind, EngineError, Result};
use aicockpit_protocol::ContainerId;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Event as ClusterEvent, Pod};
use kube::ResourceExt as _;
use kube::runtime::watcher::{self, watcher};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, timeout};

/// A connection that is cut without a word shows by nothing else: the state on the screen must not be older than five
/// seconds without saying so.
const PULSE_EVERY: Duration = Duration::from_millis(1500);
/// Time the cluster has for it.
const PULSE_WITHIN: Duration = Duration::from_millis(1500);
/// Time for the first lists.
const BEGIN_WITHIN: Duration = Duration::from_secs(20);
/// What is worth telling of all that is normal.
const TOLD: &[&str] = &[
    "Scheduled",
    "Pulling",
    "Pulled",
    "TriggeredScaleUp",
    "ProvisioningSucceeded",
    "TaintManagerEviction",
    "Preempted",
];
/// Warnings about how the cluster is set up: the person whose workspace it is can do nothing about them.
const OF_THE_CLUSTER: &[&str] = &["MissingClusterDNS", "DNSConfigForming"];
/// Events held for a reader that is slower than the cluster.
const AHEAD: usize = 256;

/// News of one of the watches.
#[expect(clippy::large_enum_variant, reason = "moved once, from the watch to its reader")]
enum News {
    Set(watcher::Event<StatefulSet>),
    Pod(watcher::Event<Pod>),
    Told(watcher::Event<ClusterEvent>),
}

type AllNews = BoxStream<'static, Result<News, watcher::Error>>;

impl KubernetesEngine {
    pub(crate) async fn follow_events(&self) -> Result<BoxStream<'static, Result<ContainerEvent>>> {
        let mut news = self.watch_all().await?;
        let mut seen = Seen::default();
        let mut begun = 0;
        let kinds = if self.capabilities_know_events() { 3 } else { 2 };
        // What is there now is no news; what comes after this call is.
        let beginning = async {
            while begun < kinds {
                let next = news
                    .next()
                    .await
                    .unwrap_or(Err(watcher::Error::NoResourceVersion))
                    .map_err(watch_error)?;
                begun += usize::from(is_done(&next));
                for event in seen.take(next) {
                    self.help(event.waiting).await;
                }
            }
            Ok(())
        };
        match timeout(BEGIN_WITHIN, beginning).await {
            Ok(outcome) => outcome?,
            Err(_) => {
                return Err(EngineError::Unavailable(
                    "the cluster does not list its objects in time".to_owned(),
                ));
            }
        }
        let (sender, receiver) = mpsc::channel(AHEAD);
        let engine = self.clone();
        tokio::spawn(async move {
            if let Err(error) = engine.tell(news, seen, &sender).await {
                engine.shared.forget_client();
                // Nobody listens any more when the engine is let go of.
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(tokio_stream::wrappers::ReceiverStream::new(receiver).boxed())
    }

    async fn watch_all(&self) -> Result<AllNews> {
        let ours = || watcher::Config::default().labels(&names::selector(&[]));
        let sets = watcher(self.api::<StatefulSet>().await?, ours()).map(|news| news.map(News::Set));
        let pods = watcher(self.api::<Pod>().await?, ours()).map(|news| news.map(News::Pod));
        let both = futures::stream::select(sets, pods);
        if !self.capabilities_know_events() {
            return Ok(both.boxed());
        }
        let told = watcher(self.api::<ClusterEvent>().await?, watcher::Config::default());
        Ok(futures::stream::select(both, told.map(|news| news.map(News::Told))).boxed())
    }

    async fn tell(
        &self,
        mut news: AllNews,
        mut seen: Seen,
        sender: &mpsc::Sender<Result<ContainerEvent>>,
    ) -> Result<()> {
        let mut told = self.shared.told.subscribe();
        let mut pulse = tokio::time::interval(PULSE_EVERY);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next = tokio::select! {
                next = news.next() => next,
                _ = pulse.tick() => {
                    self.pulse().await?;
                    continue;
                }
                said = told.recv() => {
                    // Lagging loses sentences, not states.
                    if let Ok((container, text)) = said
                        && let Some(Outcome { event: Some(event), .. }) = seen.tell(&container, text, true)
                        && sender.send(Ok(event)).await.is_err()
                    {
                        return Ok(());
                    }
                    continue;
                }
                () = sender.closed() => return Ok(()),
            };
            let Some(next) = next else {
                return Err(EngineError::Unavailable("the cluster ended its watch".to_owned()));
            };
            for news in seen.take(next.map_err(watch_error)?) {
                self.help(news.waiting).await;
                if let Some(event) = news.event
                    && sender.send(Ok(event)).await.is_err()
                {
                    return Ok(());
                }
            }
        }
    }

    async fn pulse(&self) -> Result<()> {
        match timeout(PULSE_WITHIN, self.client().await?.apiserver_version()).await {
            Ok(answer) => answer.map(drop).map_err(crate::error::engine_error),
            Err(_) => Err(EngineError::Unavailable(format!("no sign of life within {PULSE_WITHIN:?}"))),
        }
    }

    /// A pod that the cluster started by itself waits for the program.
    async fn help(&self, waiting: Option<Box<Pod>>) {
        let Some(pod) = waiting else { return };
        let engine = self.clone();
        tokio::spawn(async move {
            if let Err(error) = engine.deliver(&pod).await {
                tracing::warn!(pod = %pod.name_any(), %error, "could not bring the program");
            }
        });
    }
}

fn is_done(news: &News) -> bool {
    matches!(
        news,
        News::Set(watcher::Event::InitDone)
            | News::Pod(watcher::Event::InitDone)
            | News::Told(watcher::Event::InitDone)
    )
}

/// What follows from one piece of news.
#[derive(Default)]
struct Outcome {
    event: Option<ContainerEvent>,
    /// A pod that waits for the program.
    waiting: Option<Box<Pod>>,
}

/// What was last seen of a container.
#[derive(Default)]
struct LastSeen {
    labels: Vec<(String, String)>,
    is_set: bool,
    /// Its pod's uid and state.
    pod: Option<(String, PodState)>,
    told: Option<String>,
}

/// What was last seen of everything, by container.
#[derive(Default)]
struct Seen {
    containers: HashMap<String, LastSeen>,
    /// While a kind is listed anew: those that are still there.
    listed_sets: HashSet<String>,
    listed_pods: HashSet<String>,
    /// How often each event has happened, by uid: one that happens again is counted, not made anew.
    events: HashMap<String, i32>,
    has_listed_events: bool,
}

impl Seen {
    fn take(&mut self, news: News) -> Vec<Outcome> {
        use watcher::Event as E;
        match news {
            News::Set(E::Init) => self.listed_sets.clear(),
            News::Pod(E::Init) => self.listed_pods.clear(),
            News::Set(E::InitApply(set)) => {
                self.listed_sets.insert(set.name_any());
                return self.set(&set);
            }
            News::Pod(E::InitApply(pod)) => {
                self.listed_pods.insert(container_of(&pod));
                return self.pod(&pod);
            }
            News::Set(E::InitDone) => return self.sets_gone(),
            News::Pod(E::InitDone) => return self.pods_gone(),
            News::Set(E::Apply(set)) => return self.set(&set),
            News::Set(E::Delete(set)) => return self.removed(&set.name_any()),
            News::Pod(E::Apply(pod)) => return self.pod(&pod),
            News::Pod(E::Delete(pod)) => return self.pod_gone(&container_of(&pod)),
            News::Told(E::Init) => {}
            News::Told(E::InitDone) => self.has_listed_events = true,
            News::Told(E::InitApply(event) | E::Apply(event)) => return self.told(&event),
            News::Told(E::Delete(event)) => {
                self.events.remove(&event.uid().unwrap_or_default());
            }
        }
        Vec::new()
    }

    fn set(&mut self, set: &StatefulSet) -> Vec<Outcome> {
        let name = set.name_any();
        let is_new = !self.containers.contains_key(&name);
        let seen = self.containers.entry(name.clone()).or_default();
        (seen.labels, seen.is_set) = (names::labels_of(&set.metadata), true);
        if is_new { vec![self.event(&name, Kind::Created)] } else { Vec::new() }
    }

    fn pod(&mut self, pod: &Pod) -> Vec<Outcome> {
        let name = container_of(pod);
        let of_set = pod.name_any() == pod_of_set(&name);
        let mut all = Vec::new();
        if !self.containers.contains_key(&name) && !of_set {
            self.containers.insert(
                name.clone(),
                LastSeen { labels: names::labels_of(&pod.metadata), ..LastSeen::default() },
            );
            all.push(self.event(&name, Kind::Created));
        }
        let seen = self.containers.entry(name.clone()).or_default();
        if seen.labels.is_empty() {
            seen.labels = names::labels_of(&pod.metadata);
        }
        let uid = pod.uid().unwrap_or_default();
        let now = state::of_pod(pod);
        let before = seen.pod.replace((uid.clone(), now.clone())).filter(|(before, _)| *before == uid);
        let before = before.map(|(_, state)| state);
        if before.as_ref() == Some(&now) {
            return all;
        }
        match now {
            PodState::Running => all.push(self.event(&name, Kind::Started)),
            PodState::Ended { status, out_of_memory, reason } => {
                // It was too quick to be seen running.
                if status.is_some() && before != Some(PodState::Running) {
                    all.push(self.event(&name, Kind::Started));
                }
                if out_of_memory {
                    all.push(self.event(&name, Kind::OutOfMemory));
                }
                all.extend(reason.and_then(|reason| self.tell(&name, reason, true)));
                all.push(self.event(&name, Kind::Died(status)));
            }
            PodState::NoImage(why) | PodState::NoStart(why) => all.extend(self.tell(&name, why, true)),
            PodState::Starting(Some(reason)) => all.extend(self.tell(&name, reason, false)),
            PodState::NeedsProgram => {
                all.push(Outcome { event: None, waiting: Some(Box::new(pod.clone())) });
            }
            PodState::Stranded(_) => all.push(self.event(&name, Kind::Stranded)),
            PodState::Gated | PodState::Starting(None) => {}
        }
        all
    }

    fn pod_gone(&mut self, name: &str) -> Vec<Outcome> {
        let Some(seen) = self.containers.get_mut(name) else { return Vec::new() };
        let (is_set, before) = (seen.is_set, seen.pod.take());
        let mut all = Vec::new();
        let has_ended = matches!(before, Some((_, PodState::Ended { .. } | PodState::Gated)) | None);
        if !has_ended {
            all.push(self.event(name, Kind::Died(None)));
        }
        if !is_set {
            all.extend(self.removed(name));
        }
        all
    }

    fn removed(&mut self, name: &str) -> Vec<Outcome> {
        if !self.containers.contains_key(name) {
            return Vec::new();
        }
        let event = self.event(name, Kind::Removed);
        self.containers.remove(name);
        vec![event]
    }

    fn sets_gone(&mut self) -> Vec<Outcome> {
        let listed = std::mem::take(&mut self.listed_sets);
        let is_gone = |(name, seen): &(&String, &LastSeen)| seen.is_set && !listed.contains(*name);
        let gone: Vec<String> =
            self.containers.iter().filter(is_gone).map(|(name, _)| name.clone()).collect();
        gone.iter().flat_map(|name| self.removed(name)).collect()
    }

    fn pods_gone(&mut self) -> Vec<Outcome> {
        let listed = std::mem::take(&mut self.listed_pods);
        let is_gone = |(name, seen): &(&String, &LastSeen)| seen.pod.is_some() && !listed.contains(*name);
        let gone: Vec<String> =
            self.containers.iter().filter(is_gone).map(|(name, _)| name.clone()).collect();
        gone.iter().flat_map(|name| self.pod_gone(name)).collect()
    }

    /// The cluster's own words, where they are about a container of ours.
    fn told(&mut self, event: &ClusterEvent) -> Vec<Outcome> {
        let in_series = event.series.as_ref().and_then(|series| series.count);
        let count = event.count.or(in_series).unwrap_or_default();
        let before = self.events.insert(event.uid().unwrap_or_default(), count);
        let is_new = before.is_none_or(|before| before < count) && self.has_listed_events;
        let warning = event.type_.as_deref() == Some("Warning");
        let reason = event.reason.as_deref().unwrap_or_default();
        let message = event.message.clone().unwrap_or_default();
        let worth_it = warning && !OF_THE_CLUSTER.contains(&reason)
            || TOLD.contains(&reason) && !message.contains("already present");
        let about = event.involved_object.name.clone().unwrap_or_default();
        let name = match event.involved_object.kind.as_deref() {
            Some("Pod") => names::set_of_pod(&about).filter(|name| self.containers.contains_key(*name)),
            _ => None,
        };
        let name = name.unwrap_or(&about).to_owned();
        if !is_new || !worth_it || message.is_empty() || !self.containers.contains_key(&name) {
            return Vec::new();
        }
        self.tell(&name, message, warning).into_iter().collect()
    }

    /// The same words twice in a row are no news.
    fn tell(&mut self, name: &str, text: String, failed: bool) -> Option<Outcome> {
        let seen = self.containers.get_mut(name)?;
        if seen.told.as_ref() == Some(&text) {
            return None;
        }
        seen.told = Some(text.clone());
        Some(self.event(name, Kind::Told { text, failed }))
    }

    fn event(&self, name: &str, kind: Kind) -> Outcome {
        let labels = self.containers.get(name).map(|seen| seen.labels.clone()).unwrap_or_default();
        let event = ContainerEvent { container: ContainerId::new(name), labels, kind };
        Outcome { event: Some(event), waiting: None }
    }
}

fn container_of(pod: &Pod) -> String {
    pod.labels().get(CONTAINER).cloned().unwrap_or_else(|| pod.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use watcher::Event as E;

    fn set(name: &str) -> StatefulSet {
        serde_json::from_value(
            json!({ "metadata": { "name": name, "annotations": { names::LABELS: "{\"a\":\"b\"}" } } }),
        )
        .unwrap()
    }

    fn pod(name: &str, container: &str, uid: &str, state: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": name, "uid": uid, "labels": { CONTAINER: container } },
            "spec": { "containers": [] },
            "status": { "containerStatuses": [{
                "name": names::MAIN, "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state,
            }] },
        }))
        .unwrap()
    }

    fn kinds(seen: &mut Seen, news: News) -> Vec<Kind> {
        seen.take(news).into_iter().filter_map(|outcome| Some(outcome.event?.kind)).collect()
    }

    #[test]
    fn a_life_is_told_once_and_in_order() {
        let mut seen = Seen::default();
        let running = json!({ "running": {} });
        let ended = json!({ "terminated": { "exitCode": 7, "reason": "Error" } });
        assert_eq!(kinds(&mut seen, News::Set(E::Apply(set("w")))), [Kind::Created]);
        assert_eq!(kinds(&mut seen, News::Set(E::Apply(set("w")))), []);
        let apply = |uid: &str, state: &Value| News::Pod(E::Apply(pod("w-0", "w", uid, state.clone())));
        assert_eq!(kinds(&mut seen, apply("1", &json!({ "waiting": {} }))), []);
        assert_eq!(kinds(&mut seen, apply("1", &running)), [Kind::Started]);
        assert_eq!(kinds(&mut seen, apply("1", &running)), []);
        assert_eq!(kinds(&mut seen, apply("1", &ended)), [Kind::Died(Some(7))]);
        assert_eq!(kinds(&mut seen, News::Pod(E::Delete(pod("w-0", "w", "1", ended.clone())))), []);
        // Too quick to be seen running.
        assert_eq!(kinds(&mut seen, apply("q", &ended)), [Kind::Started, Kind::Died(Some(7))]);
        // Another pod took its place before its end was seen.
        assert_eq!(kinds(&mut seen, apply("2", &running)), [Kind::Started]);
        assert_eq!(kinds(&mut seen, News::Pod(E::Delete(pod("w-0", "w", "2", running)))), [Kind::Died(None)]);
        assert_eq!(kinds(&mut seen, News::Set(E::Delete(set("w")))), [Kind::Removed]);
    }

    #[test]
    fn a_list_made_anew_tells_what_went_meanwhile() {
        let mut seen = Seen::default();
        seen.take(News::Set(E::Apply(set("one"))));
        seen.take(News::Set(E::Apply(set("two"))));
        seen.take(News::Pod(E::Apply(pod("bare", "bare", "1", json!({ "running": {} })))));
        seen.take(News::Set(E::Init));
        assert_eq!(kinds(&mut seen, News::Set(E::InitApply(set("two")))), []);
        assert_eq!(kinds(&mut seen, News::Set(E::InitDone)), [Kind::Removed]);
        seen.take(News::Pod(E::Init));
        assert_eq!(kinds(&mut seen, News::Pod(E::InitDone)), [Kind::Died(None), Kind::Removed]);
        assert_eq!(seen.containers.keys().collect::<Vec<_>>(), ["two"]);
    }

    #[test]
    fn the_clusters_words_are_told_of_ours_alone() {
        let mut seen = Seen::default();
        seen.take(News::Set(E::Apply(set("w"))));
        let event = |about: &str, reason: &str, kind: &str, count: i32| -> ClusterEvent {
            serde_json::from_value(json!({
                "metadata": { "uid": format!("{about}{reason}") }, "count": count,
                "involvedObject": { "kind": "Pod", "name": about },
                "type": kind, "reason": reason, "message": "words",
            }))
            .unwrap()
        };
        seen.take(News::Told(E::InitApply(event("w-0", "FailedScheduling", "Warning", 1))));
        seen.take(News::Told(E::InitDone));
        let told = |seen: &mut Seen, event| kinds(seen, News::Told(E::Apply(event)));
        assert_eq!(told(&mut seen, event("w-0", "FailedScheduling", "Warning", 1)), [], "old");
        assert_eq!(told(&mut seen, event("other-0", "Failed", "Warning", 1)), [], "not ours");
        assert_eq!(told(&mut seen, event("w-0", "Created", "Normal", 1)), [], "not worth it");
        assert_eq!(
            told(&mut seen, event("w-0", "MissingClusterDNS", "Warning", 1)),
            [],
            "the cluster's affair"
        );
        assert_eq!(
            told(&mut seen, event("w-0", "FailedScheduling", "Warning", 2)),
            [Kind::Told { text: "words".into(), failed: true }]
        );
        assert_eq!(told(&mut seen, event("w-0", "FailedScheduling", "Warning", 3)), [], "the same again");
    }
}
