//! Workspaces: what one is made from, its state machine, and the plan that makes it.

use crate::metrics::Sample;
use crate::{ApiError, BytePath, EngineId, WorkspaceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// Where a workspace's files come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Source {
    /// Cloned into a volume, inside a container.
    Git {
        /// Anything `git clone` takes; a path or `file://` names a repository on this machine.
        url: String,
        /// Branch or tag; absent for the repository's own default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        branch: Option<String>,
    },
    /// A folder of this machine, mounted.
    Folder {
        /// Absolute path on the engine's machine.
        path: String,
    },
    /// An empty volume.
    Empty,
}

/// The image a workspace runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Image {
    /// The product's base image, built when it is not there.
    Base,
    /// An image of the user's.
    Reference {
        /// As `docker pull` takes it.
        reference: String,
    },
}

/// How much a workspace is trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Non-root user; `sudo` works inside; a small list of capabilities; default seccomp; limits.
    Standard,
    /// No capabilities, no new privileges, read-only root, no network.
    Locked,
}

/// Limits on what a workspace may use. Absent means the engine's default (none).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
pub struct Limits {
    /// Memory in bytes, at least 64 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub memory_bytes: Option<u64>,
    /// CPU in thousandths of a core, at least 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub cpu_millis: Option<u64>,
    /// Processes and threads, at least 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub pids: Option<u64>,
}

/// A port of the container published by the engine itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct PublishedPort {
    /// TCP port inside.
    pub container: u16,
    /// TCP port on this machine's loopback; absent for any free one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub host: Option<u16>,
}

/// Everything a workspace is made from. Kept as a label of its container, so that the list can be rebuilt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct WorkspaceSpec {
    /// Where the files come from.
    pub source: Source,
    /// The image.
    pub image: Image,
    /// How much it is trusted.
    pub profile: Profile,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
    /// Pass the host's certificate authorities on to the workspace.
    #[serde(default)]
    pub trust_host_certificates: bool,
    /// Pass the host's GPU on.
    #[serde(default)]
    pub gpu: bool,
    /// Ports published by the engine.
    #[serde(default)]
    pub published_ports: Vec<PublishedPort>,
    /// Variables of the environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// The state of a workspace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum WorkspaceState {
    /// Its creation plan runs.
    Creating,
    /// Its creation plan stopped with an error; it can be retried or deleted.
    Failed,
    /// The container is being started.
    Starting,
    /// The container runs.
    Running,
    /// The container is frozen.
    Paused,
    /// The container is being stopped.
    Stopping,
    /// The container exists and does not run.
    Stopped,
    /// The container was removed behind our back; it can be made anew, or what is left be deleted.
    Lost,
    /// The machine of its engine on which it ran does not answer: whether it still runs is not known.
    Stranded,
    /// Its engine does not answer; the last known state is not current.
    Unreachable,
    /// It is being deleted.
    Deleting,
}

/// What a person can ask of a workspace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum WorkspaceAction {
    /// Open the cockpit (starts it where it is stopped).
    Open,
    /// Start the container.
    Start,
    /// Stop the container.
    Stop,
    /// Stop, then start.
    Restart,
    /// Freeze it.
    Pause,
    /// Thaw it.
    Unpause,
    /// Run the creation plan again from the step that failed.
    Retry,
    /// Make a container anew around what is left of a workspace that lost its own.
    Recreate,
    /// Forget what ran on a machine that does not answer.
    LetGo,
    /// Stop the creation plan and clean up.
    Cancel,
    /// Delete it.
    Delete,
}

impl WorkspaceAction {
    /// Every action.
    pub const ALL: &[Self] = &[
        Self::Open,
        Self::Start,
        Self::Stop,
        Self::Restart,
        Self::Pause,
        Self::Unpause,
        Self::Retry,
        Self::Recreate,
        Self::LetGo,
        Self::Cancel,
        Self::Delete,
    ];
}

impl WorkspaceState {
    /// Every state.
    pub const ALL: &[Self] = &[
        Self::Creating,
        Self::Failed,
        Self::Starting,
        Self::Running,
        Self::Paused,
        Self::Stopping,
        Self::Stopped,
        Self::Lost,
        Self::Stranded,
        Self::Unreachable,
        Self::Deleting,
    ];

    /// Whether `action` applies in this state. The one table that host and UI both obey.
    pub fn allows(self, action: WorkspaceAction) -> bool {
        use WorkspaceAction as A;
        use WorkspaceState as S;
        match action {
            A::Delete => self != S::Deleting,
            A::Open => matches!(self, S::Running | S::Stopped | S::Paused | S::Starting | S::Creating),
            A::Start => self == S::Stopped,
            A::Stop => matches!(self, S::Running | S::Paused | S::Starting | S::Stranded),
            A::Restart => matches!(self, S::Running | S::Paused),
            A::Pause => self == S::Running,
            A::Unpause => self == S::Paused,
            A::Retry => self == S::Failed,
            A::Recreate => self == S::Lost,
            A::LetGo => self == S::Stranded,
            A::Cancel => self == S::Creating,
        }
    }

    /// Whether work is under way that will end in another state by itself.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Creating | Self::Starting | Self::Stopping | Self::Deleting)
    }
}

/// How far one step is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not begun.
    Waiting,
    /// Under way.
    Running,
    /// Done.
    Done,
    /// Not needed this time.
    Skipped,
    /// Ended with an error.
    Failed,
}

/// The steps of a creation plan, in order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// The image is pulled or built.
    Image,
    /// The agent's volume is filled.
    Agent,
    /// The workspace's network is made.
    Network,
    /// The workspace's volume is made.
    Volume,
    /// The Git repository is cloned into the volume.
    Clone,
    /// The container is created.
    Container,
    /// The container is started.
    Start,
    /// The agent is reached and ready.
    Connect,
}

/// One step of a creation plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct PlanStep {
    /// Which step.
    pub kind: StepKind,
    /// How far it is.
    pub state: StepState,
    /// Begin, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub started_ms: Option<i64>,
    /// Duration in milliseconds, once ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub duration_ms: Option<u64>,
    /// What it is doing or found, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub note: Option<String>,
}

/// A workspace's creation plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<PlanStep>,
    /// Why it stopped, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub error: Option<ApiError>,
    /// True where it makes a container anew for a workspace whose files are there already: cancelling keeps them.
    #[serde(default)]
    pub recreates: bool,
}

/// A workspace as the dashboard shows it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name, unique within the cockpit.
    pub name: String,
    /// Its engine.
    pub engine: EngineId,
    /// What it is made from.
    pub spec: WorkspaceSpec,
    /// Its state.
    pub state: WorkspaceState,
    /// A sentence where the state needs one (why it failed, why it ended).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub message: Option<String>,
    /// When it was created, milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last opened, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub last_used_ms: Option<i64>,
    /// The creation plan, while it runs or has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub plan: Option<Plan>,
    /// The newest sample, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub sample: Option<Sample>,
    /// The Git branch last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub branch: Option<String>,
    /// True for a container that was imported: deleting the workspace leaves it alone.
    #[serde(default)]
    pub imported: bool,
}

/// One entry of a workspace's timeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct TimelineEntry {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// What happened, one sentence.
    pub text: String,
    /// True for failures.
    pub failed: bool,
}

/// What deleting a workspace would lose.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct DeletePreview {
    /// The volume with the files goes; absent where the files are in a folder of the host, which stays.
    pub volume: bool,
    /// The host folder that stays untouched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub kept_folder: Option<String>,
    /// Changed or untracked files that Git has nowhere else; absent where this could not be found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub uncommitted_files: Option<u32>,
    /// Commits that no remote has; absent where this could not be found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub unpushed_commits: Option<u32>,
    /// Terminals with a running command.
    pub busy_terminals: u32,
}

/// What the agent says of the inside of a workspace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct WorkspaceInside {
    /// The workspace folder.
    pub folder: BytePath,
    /// The user's name, or its number where it has none.
    pub user: String,
    /// User id.
    pub uid: u32,
    /// Home directory.
    pub home: BytePath,
    /// Default shell; absent where the image has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub shell: Option<String>,
    /// Shells that exist in the image.
    pub shells: Vec<String>,
    /// `sudo` works inside.
    pub sudo: bool,
    /// The image has Git.
    pub git: bool,
    /// Operating system's name, from `/etc/os-release`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub os: Option<String>,
}
