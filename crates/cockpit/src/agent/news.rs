//! What an agent tells unasked. However fast it tells, each kind goes out at most every [`QUIET`], the newest state
//! of it; what changed meanwhile is merged.

use super::check::MAX_CHANGED;
use aicockpit_protocol::BytePath;
use aicockpit_protocol::agent::Notice;
use aicockpit_protocol::api::LinkState;
use aicockpit_protocol::fs::FilesChanged;
use aicockpit_protocol::port::ListeningPort;
use aicockpit_protocol::terminal::TerminalInfo;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Shortest time between two tellings.
const QUIET: Duration = Duration::from_millis(10);
/// Connection states kept in order; more of them than this within [`QUIET`] lose the older ones.
const MAX_STATES: usize = 16;

/// Something that an agent, or the connection to it, tells.
#[derive(Clone, PartialEq, Debug)]
pub enum AgentNews {
    /// The connection's state.
    Link(LinkState),
    /// Watched files changed.
    Files(FilesChanged),
    /// All terminals.
    Terminals(Vec<TerminalInfo>),
    /// All listening ports.
    Ports(Vec<ListeningPort>),
}

impl From<Notice> for AgentNews {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Files(changes) => Self::Files(changes),
            Notice::Terminals(terminals) => Self::Terminals(terminals),
            Notice::Ports(ports) => Self::Ports(ports),
        }
    }
}

#[derive(Default)]
struct Untold {
    states: VecDeque<LinkState>,
    directories: BTreeSet<BytePath>,
    rescan: bool,
    terminals: Option<Vec<TerminalInfo>>,
    ports: Option<Vec<ListeningPort>>,
}

impl Untold {
    fn add(&mut self, news: AgentNews) {
        match news {
            AgentNews::Link(state) => {
                self.states.push_back(state);
                if self.states.len() > MAX_STATES {
                    self.states.pop_front();
                }
            }
            AgentNews::Files(changes) => {
                self.rescan |= changes.rescan;
                self.directories.extend(changes.directories);
                if self.directories.len() > MAX_CHANGED {
                    self.directories.clear();
                    self.rescan = true;
                }
            }
            AgentNews::Terminals(terminals) => self.terminals = Some(terminals),
            AgentNews::Ports(ports) => self.ports = Some(ports),
        }
    }

    fn into_news(self) -> Vec<AgentNews> {
        let mut news: Vec<_> = self.states.into_iter().map(AgentNews::Link).collect();
        if self.rescan || !self.directories.is_empty() {
            let directories = self.directories.into_iter().collect();
            news.push(AgentNews::Files(FilesChanged { directories, rescan: self.rescan }));
        }
        news.extend(self.terminals.map(AgentNews::Terminals));
        news.extend(self.ports.map(AgentNews::Ports));
        news
    }
}

/// Collects news and hands them on.
#[derive(Clone)]
pub(super) struct Newsroom(Arc<(Mutex<Untold>, Notify)>);

impl Newsroom {
    pub(super) fn new(stop: &CancellationToken) -> (Self, mpsc::Receiver<AgentNews>) {
        let room = Self(Arc::default());
        let (outlet, told) = mpsc::channel(MAX_STATES);
        let (inner, stop) = (Arc::clone(&room.0), stop.clone());
        tokio::spawn(async move {
            loop {
                let last = tokio::select! {
                    () = inner.1.notified() => false,
                    () = stop.cancelled() => true,
                };
                let untold = std::mem::take(&mut *inner.0.lock().unwrap_or_else(PoisonError::into_inner));
                for news in untold.into_news() {
                    if outlet.send(news).await.is_err() {
                        return;
                    }
                }
                if last {
                    return;
                }
                tokio::time::sleep(QUIET).await;
            }
        });
        (room, told)
    }

    pub(super) fn tell(&self, news: AgentNews) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).add(news);
        self.0.1.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_one_rescan_and_the_newest_lists() {
        let mut untold = Untold::default();
        for n in 0..=MAX_CHANGED {
            let directory = BytePath::from(format!("/d{n}").as_str());
            untold.add(AgentNews::Files(FilesChanged { directories: vec![directory], rescan: false }));
        }
        untold.add(AgentNews::Terminals(Vec::new()));
        untold.add(AgentNews::Terminals(Vec::new()));
        assert_eq!(
            untold.into_news(),
            vec![
                AgentNews::Files(FilesChanged { directories: Vec::new(), rescan: true }),
                AgentNews::Terminals(Vec::new())
            ]
        );
    }
}
