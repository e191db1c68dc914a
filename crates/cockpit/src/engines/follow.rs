//! One engine's task.

use super::{Clusters, EngineNews, Slot};
use crate::EventBus;
use crate::workspaces::labels;
use aicockpit_engine::{ContainerEvent, ContainerSummary, EngineError, EngineVersion, diagnose};
use aicockpit_protocol::api::Event;
use aicockpit_protocol::engine::{EngineHealth, EngineInfo};
use futures::StreamExt as _;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Event streams in a row that may be cut soon after their start, before an engine that still answers is called
/// unusable; and the wait before the first of the next ones, the second waits twice as long, and so on.
const MAX_CUTS: u32 = 5;
const AFTER_CUT: Duration = Duration::from_millis(100);
/// How often a quiet, ready engine is asked whether it hangs: its event stream would stay open.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(30);
/// Time after which containers are listed a second time: an engine takes a moment to begin its event stream, and
/// what happens in that moment would be missed.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(1);

/// How patient one is with an engine.
struct Patience {
    /// Time it has to answer a probe.
    probe: Duration,
    /// First wait between two looks at an engine that cannot be used; each next one is twice as long.
    retry: Duration,
    /// The longest.
    retry_at_most: Duration,
}

/// A failed connect to a Unix socket costs microseconds.
const OF_THIS_MACHINE: Patience = Patience {
    probe: Duration::from_secs(10),
    retry: Duration::from_secs(2),
    retry_at_most: Duration::from_secs(2),
};
/// One by the network, where every look may run a program that fetches credentials.
const ELSEWHERE: Patience = Patience {
    probe: Duration::from_secs(20),
    retry: Duration::from_secs(2),
    retry_at_most: Duration::from_secs(30),
};

pub(super) struct Follower {
    pub(super) slot: Arc<Slot>,
    pub(super) clusters: Clusters,
    pub(super) events: EventBus,
    pub(super) news: mpsc::UnboundedSender<EngineNews>,
}

impl Follower {
    /// Runs until dropped.
    pub(super) async fn run(self) {
        loop {
            let settings = self.clusters.of(&self.slot.endpoint);
            self.slot.settings_are(settings.clone());
            let is_off = self.slot.has_switch && !settings.enabled;
            let changed = self.clusters.changed(&self.slot.endpoint, &settings);
            if is_off {
                self.off();
                tokio::select! {
                    () = changed => {}
                    () = self.slot.wake.notified() => {}
                }
            } else {
                self.look_anew();
                tokio::select! {
                    () = self.keep_following() => {}
                    () = changed => {}
                }
            }
        }
    }

    /// Never ends by itself.
    async fn keep_following(&self) {
        let patience = self.patience();
        let (mut cuts, mut wait) = (0, patience.retry);
        loop {
            let begun = Instant::now();
            let error = match self.probe().await {
                Ok(version) => self.follow(version).await,
                Err(error) => error,
            };
            // The stream was cut. Where the engine still answers, and this does not happen again and again, nothing
            // was lost: the next look finds what changed in between.
            let was_usable = self.slot.info().health == EngineHealth::Ready;
            cuts = if begun.elapsed() > patience.retry { 1 } else { cuts + 1 };
            if was_usable && cuts <= MAX_CUTS && self.probe().await.is_ok() {
                tracing::warn!(engine = %self.slot.endpoint.id, %error, "following anew");
                tokio::time::sleep(AFTER_CUT * cuts).await;
                continue;
            }
            self.unusable(&error);
            self.slot.looked_at.send_replace(true);
            if was_usable {
                wait = patience.retry;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(patience.retry_at_most),
                () = self.slot.wake.notified() => wait = patience.retry,
            }
        }
    }

    fn patience(&self) -> &'static Patience {
        if self.slot.endpoint.socket().is_ok() { &OF_THIS_MACHINE } else { &ELSEWHERE }
    }

    async fn probe(&self) -> Result<EngineVersion, EngineError> {
        let patience = self.patience().probe;
        match tokio::time::timeout(patience, self.slot.engine.probe()).await {
            Ok(answer) => answer,
            Err(_) => Err(EngineError::Engine(format!("no answer within {} s", patience.as_secs()))),
        }
    }

    /// Tells what happens until the engine goes away, and how that showed.
    async fn follow(&self, version: EngineVersion) -> EngineError {
        match self.follow_stream(version).await {
            Ok(()) => EngineError::Unavailable("the engine ended its event stream".to_owned()),
            Err(error) => error,
        }
    }

    async fn follow_stream(&self, version: EngineVersion) -> Result<(), EngineError> {
        let mut stream = self.slot.engine.events().await?;
        // The request goes out at the first poll, so that it is under way before containers are listed.
        let mut early = Vec::new();
        if let std::task::Poll::Ready(first) = futures::poll!(stream.next()) {
            early.push(first.ok_or_else(|| EngineError::Unavailable("the event stream ended".to_owned()))??);
        }
        let containers = self.list().await?;
        self.usable(version);
        self.tell(EngineNews::Ready { engine: self.slot.endpoint.id.clone(), containers });
        for event in early {
            self.happened(event);
        }
        self.slot.looked_at.send_replace(true);
        let second_look = tokio::time::sleep(SECOND_LOOK_AFTER);
        tokio::pin!(second_look);
        let mut looked_twice = false;
        let mut heartbeat = tokio::time::interval_at(Instant::now() + HEARTBEAT_EVERY, HEARTBEAT_EVERY);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = stream.next() => match event {
                    Some(event) => self.happened(event?),
                    None => return Ok(()),
                },
                () = &mut second_look, if !looked_twice => match self.list().await {
                    Ok(containers) => {
                        looked_twice = true;
                        self.tell(EngineNews::Ready { engine: self.slot.endpoint.id.clone(), containers });
                    }
                    // One refused list is no reason to call an engine unusable that works otherwise.
                    Err(error) => {
                        tracing::warn!(engine = %self.slot.endpoint.id, %error, "could not list the containers");
                        self.probe().await?;
                        second_look.as_mut().reset(Instant::now() + SECOND_LOOK_AFTER);
                    }
                },
                _ = heartbeat.tick() => drop(self.probe().await?),
            }
        }
    }

    fn happened(&self, event: ContainerEvent) {
        self.tell(EngineNews::Container { engine: self.slot.endpoint.id.clone(), event });
    }

    fn tell(&self, news: EngineNews) {
        // Nobody listens any more when the cockpit shuts down.
        let _ = self.news.send(news);
    }

    async fn list(&self) -> Result<Vec<ContainerSummary>, EngineError> {
        self.slot.engine.list_containers(&[(labels::KIND, labels::KIND_WORKSPACE)]).await
    }

    fn usable(&self, version: EngineVersion) {
        self.update(|info| {
            info.health = EngineHealth::Ready;
            info.problem = None;
            info.remedy_command = None;
            info.version = Some(version.version);
            info.architecture = Some(version.architecture);
            info.capabilities = version.capabilities;
            info.notes = version.notes;
        });
    }

    fn unusable(&self, error: &EngineError) {
        let diagnosis = diagnose(&self.slot.endpoint, error, &self.slot.endpoint.facts());
        self.gone(|info| {
            info.health = diagnosis.health;
            info.problem = Some(diagnosis.problem);
            info.remedy_command = diagnosis.remedy_command;
        });
    }

    fn off(&self) {
        self.gone(|info| {
            info.health = EngineHealth::Off;
            info.problem =
                Some(format!("“{}” is switched off. Switch it on in Settings → Engines.", info.name));
            info.remedy_command = None;
        });
        self.slot.looked_at.send_replace(true);
    }

    /// It is new, was switched on, or is to be used in another way.
    fn look_anew(&self) {
        self.slot.looked_at.send_replace(false);
        self.gone(|info| {
            info.health = EngineHealth::Checking;
            info.problem = None;
            info.remedy_command = None;
        });
    }

    /// What was known of its containers holds no more.
    fn gone(&self, change: impl FnOnce(&mut EngineInfo)) {
        let was_ready = self.slot.info().health == EngineHealth::Ready;
        self.update(change);
        if was_ready {
            self.tell(EngineNews::Lost { engine: self.slot.endpoint.id.clone() });
        }
    }

    fn update(&self, change: impl FnOnce(&mut EngineInfo)) {
        let mut info = self.slot.info.lock().unwrap_or_else(PoisonError::into_inner);
        let before = info.clone();
        change(&mut info);
        if *info != before {
            tracing::info!(engine = %info.id, health = ?info.health, "engine changed");
            self.events.send(Event::Engine { engine: info.clone() });
        }
    }
}
