//! How servers are started, and who hears of them.

use super::update::UpdatesTold;
use crate::containers::Containers;
use crate::hardware;
use aicockpit_protocol::local_models::{Hardware, LocalServer};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Gets all servers whenever one of them changes.
pub type Told = Arc<dyn Fn(Vec<LocalServer>) + Send + Sync>;

/// When a server counts as hung. It is ended then, and started again like one that ended by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// How often one that is ready is asked whether it is well.
    pub every: Duration,
    /// How long it may not answer. One that works on requests may take longer.
    pub unanswered: Duration,
    /// How long one that loads may do nothing: write no line, read no file and use no processor.
    pub loading: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(10),
            unanswered: Duration::from_secs(60),
            loading: Duration::from_secs(300),
        }
    }
}

/// How servers are started.
#[derive(Clone)]
pub struct Options {
    pub(super) state_dir: PathBuf,
    pub(super) backoff: (Duration, Duration),
    pub(super) patience: Patience,
    pub(super) containers: Option<Arc<dyn Containers>>,
    pub(super) updates_told: Option<UpdatesTold>,
    pub(super) hardware: Arc<dyn Fn() -> Hardware + Send + Sync>,
}

impl Options {
    /// Sockets are below `state_dir`, which is this user's and of no other process that starts servers: what such a
    /// process has left there is ended.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            backoff: (Duration::from_secs(1), Duration::from_secs(60)),
            patience: Patience::default(),
            containers: None,
            updates_told: None,
            hardware: Arc::new(hardware::probe),
        }
    }

    /// First and longest wait before a server that ended by itself is started again: 1 s and 60 s if not told. The
    /// wait doubles with each end.
    #[must_use]
    pub fn with_backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = (first, longest);
        self
    }

    /// When a server counts as hung, instead of the usual.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// What runs servers whose settings name a container. Without it they are not started.
    #[must_use]
    pub fn with_containers(mut self, containers: Arc<dyn Containers>) -> Self {
        self.containers = Some(containers);
        self
    }

    /// What gets all updates after each change, from one task. It must not block.
    #[must_use]
    pub fn with_updates_told(mut self, told: UpdatesTold) -> Self {
        self.updates_told = Some(told);
        self
    }

    /// How memory is found out, instead of a look at this machine. Called on threads that may block.
    #[must_use]
    pub fn with_hardware(mut self, hardware: impl Fn() -> Hardware + Send + Sync + 'static) -> Self {
        self.hardware = Arc::new(hardware);
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("state_dir", &self.state_dir).field("backoff", &self.backoff).finish()
    }
}
