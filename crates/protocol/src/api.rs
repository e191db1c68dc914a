//! The registry of operations between a client (UI, command line) and the cockpit.
//!
//! One list, [`operations!`], makes the [`Request`] enum that a host must match whole, the [`Operation`] markers of
//! the typed Rust client, and the TypeScript client. An operation can therefore not exist on one side only.

use crate::broker::{BackendSettings, BackendState, BrokerSettings};
use crate::engine::{ClusterSettings, EngineInfo};
use crate::error::ApiError;
use crate::local_models::{
    LocalModelSettings, LocalScan, LocalServer, LocalServerRef, ProgramUpdate, UpdateOf, UpdateRequest,
};
use crate::metrics::Sample;
use crate::usage::{
    KeptRequest, OwnerUsage, RequestEntry, RequestRef, RequestsQuery, UsageQuery, UsageReport,
};
use crate::workspace::{
    DeletePreview, Plan, StepKind, TimelineEntry, Workspace, WorkspaceInside, WorkspaceSpec,
};
use crate::{BytePath, ContainerId, EngineId, StreamId, WorkspaceId};
use crate::{fs, port, process, search, terminal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use ts_rs::TS;

/// A typed operation.
pub trait Operation {
    /// Its wire name.
    const NAME: &'static str;
    /// What the caller sends.
    type Params: Serialize + DeserializeOwned + TS + 'static;
    /// What comes back.
    type Reply: Serialize + DeserializeOwned + TS + 'static;

    /// The request with these parameters.
    fn request(params: Self::Params) -> Request;
}

/// Where an operation carries raw bytes beside its JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyUse {
    /// Nowhere.
    None,
    /// In the request.
    Request,
    /// In the reply.
    Reply,
}

/// An operation's entry in the registry.
pub struct OperationEntry {
    /// Wire name.
    pub name: &'static str,
    /// Where it carries raw bytes.
    pub body: BodyUse,
    /// One sentence about it.
    pub doc: &'static str,
    pub(crate) declare: fn(&mut crate::typescript::Declarations) -> (String, String),
}

macro_rules! operations {
    ($( #[doc = $doc:literal] $name:literal $variant:ident($params:ty) -> $reply:ty $(, body $body:ident)?; )*) => {
        /// A request of any operation.
        #[expect(clippy::large_enum_variant, reason = "a request is taken apart at once; a box would only cost")]
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
        #[serde(tag = "op", content = "params")]
        pub enum Request {
            $( #[doc = $doc] #[serde(rename = $name)] $variant($params), )*
        }

        impl Request {
            /// The operation's wire name.
            pub fn name(&self) -> &'static str {
                match self { $( Self::$variant(_) => $name, )* }
            }
        }

        $(
            #[doc = $doc]
            #[derive(Clone, Copy, Debug)]
            pub struct $variant;

            impl Operation for $variant {
                const NAME: &'static str = $name;
                type Params = $params;
                type Reply = $reply;

                fn request(params: $params) -> Request {
                    Request::$variant(params)
                }
            }
        )*

        /// Every operation.
        pub const OPERATIONS: &[OperationEntry] = &[
            $( OperationEntry {
                name: $name,
                body: operations!(@body $($body)?),
                doc: $doc,
                declare: |declarations| (declarations.add::<$params>(), declarations.add::<$reply>()),
            }, )*
        ];
    };
    (@body) => { BodyUse::None };
    (@body $body:ident) => { BodyUse::$body };
}

operations! {
    /// What this host is and can do.
    "host.info" HostInfo(Empty) -> Host;
    /// The settings.
    "settings.get" SettingsGet(Empty) -> Settings;
    /// Replaces the settings.
    "settings.put" SettingsPut(Settings) -> Empty;
    /// A value of the UI's own state; null where there is none.
    "state.get" StateGet(StateKey) -> JsonValue;
    /// Keeps a value of the UI's own state; null removes it.
    "state.put" StatePut(StateEntry) -> Empty;

    /// The model servers that are used, as they are now.
    "models.backends" ModelsBackends(Empty) -> Vec<BackendState>;
    /// Asks a model server that is used for its models now, also where it fails and would be asked later; then all.
    "models.check" ModelsCheck(BackendRef) -> Vec<BackendState>;
    /// Model servers of this machine that are not among the settings, as they would be added.
    "models.discover" ModelsDiscover(Empty) -> Vec<BackendSettings>;
    /// Keeps or forgets the key of a model server.
    "models.key" ModelsKey(BackendKey) -> Empty;
    /// Address and a new key for programs of this machine; keys told before end.
    "models.access" ModelsAccess(Empty) -> OwnAccess;
    /// Asks a model, to try it: opens a stream of the answer's text.
    "models.try" ModelsTry(TryModel) -> StreamOpened;
    /// Sums of what models were used for.
    "models.usage" ModelsUsage(UsageQuery) -> UsageReport;
    /// What each owner of a key has used today and this month, beside its limits.
    "models.owners" ModelsOwners(Empty) -> Vec<OwnerUsage>;
    /// Single requests, newest first.
    "models.requests" ModelsRequests(RequestsQuery) -> Vec<RequestEntry>;
    /// What was asked and answered; null where it is not kept.
    "models.request" ModelsRequest(RequestRef) -> Option<KeptRequest>;

    /// Looks for model files, programs that serve them, and memory.
    "local_models.scan" LocalModelsScan(Empty) -> LocalScan;
    /// The servers that are started here, as they are now.
    "local_models.servers" LocalModelsServers(Empty) -> Vec<LocalServer>;
    /// Starts one; it is shown while it loads.
    "local_models.start" LocalModelsStart(LocalServerRef) -> Empty;
    /// Ends one; requests to it that are on their way end with an error.
    "local_models.stop" LocalModelsStop(LocalServerRef) -> Empty;
    /// What one wrote, oldest line first: the last 2,000 lines, also of runs before.
    "local_models.log" LocalModelsLog(LocalServerRef) -> Vec<String>;
    /// Begins to bring a program or an image up to date; how far it is comes as events.
    "local_models.update" LocalModelsUpdate(UpdateRequest) -> Empty;
    /// Calls an update off. A program stays as it was, or as its installer leaves it.
    "local_models.cancel_update" LocalModelsCancelUpdate(UpdateOf) -> Empty;
    /// Updates that are under way, and the last of each kind since the start.
    "local_models.updates" LocalModelsUpdates(Empty) -> Vec<ProgramUpdate>;

    /// Every engine and its health.
    "engine.list" EngineList(Empty) -> Vec<EngineInfo>;
    /// Looks for engines again, now.
    "engine.refresh" EngineRefresh(Empty) -> Vec<EngineInfo>;
    /// Containers that are no workspace yet and can be imported.
    "engine.containers" EngineContainers(EngineRef) -> Vec<ForeignContainer>;
    /// Images on an engine.
    "engine.images" EngineImages(EngineRef) -> Vec<ImageInfo>;

    /// Every workspace.
    "workspace.list" WorkspaceList(Empty) -> Vec<Workspace>;
    /// Creates a workspace; returns at once, its plan runs on.
    "workspace.create" WorkspaceCreate(CreateWorkspace) -> Workspace;
    /// Makes a workspace of an existing container.
    "workspace.import" WorkspaceImport(ImportContainer) -> Workspace;
    /// Starts a stopped workspace.
    "workspace.start" WorkspaceStart(WorkspaceRef) -> Empty;
    /// Stops a workspace: SIGTERM, SIGKILL after 10 s.
    "workspace.stop" WorkspaceStop(WorkspaceRef) -> Empty;
    /// Stops and starts a workspace.
    "workspace.restart" WorkspaceRestart(WorkspaceRef) -> Empty;
    /// Freezes a workspace.
    "workspace.pause" WorkspacePause(WorkspaceRef) -> Empty;
    /// Thaws a workspace.
    "workspace.unpause" WorkspaceUnpause(WorkspaceRef) -> Empty;
    /// Renames a workspace.
    "workspace.rename" WorkspaceRename(RenameWorkspace) -> Empty;
    /// Runs a failed creation plan again, from the step that failed.
    "workspace.retry" WorkspaceRetry(WorkspaceRef) -> Empty;
    /// Makes a container anew for a workspace that lost its own; its files are kept.
    "workspace.recreate" WorkspaceRecreate(WorkspaceRef) -> Empty;
    /// Forgets what ran of a workspace on a machine that does not answer. It may run on there, and write to the volume.
    "workspace.let_go" WorkspaceLetGo(WorkspaceRef) -> Empty;
    /// Stops a creation plan and removes what it made.
    "workspace.cancel" WorkspaceCancel(WorkspaceRef) -> Empty;
    /// What deleting would lose.
    "workspace.delete_preview" WorkspaceDeletePreview(WorkspaceRef) -> DeletePreview;
    /// Deletes a workspace: container, network and volume.
    "workspace.delete" WorkspaceDelete(WorkspaceRef) -> Empty;
    /// What happened to a workspace, oldest first.
    "workspace.timeline" WorkspaceTimeline(WorkspaceRef) -> Vec<TimelineEntry>;
    /// The creation log so far, by step.
    "workspace.plan_log" WorkspacePlanLog(WorkspaceRef) -> Vec<PlanLogLines>;
    /// Samples of the last ten minutes, oldest first.
    "workspace.history" WorkspaceHistory(WorkspaceRef) -> Vec<Sample>;
    /// Asks for [`Event::Samples`] from now on, or for no more of them. Workspaces are measured while anyone asks.
    "workspace.watch_samples" WorkspaceWatchSamples(WatchSamples) -> Empty;
    /// Streams the container's own output, its last lines first.
    "workspace.logs" WorkspaceLogs(ReadLogs) -> StreamOpened;
    /// Connects to a workspace's agent (starting the container where it is stopped) and notes the use.
    "workspace.open" WorkspaceOpen(WorkspaceRef) -> WorkspaceInside;

    /// A file's state.
    "fs.stat" FsStat(In<fs::Stat>) -> fs::FileStat;
    /// A directory's entries.
    "fs.list" FsList(In<fs::ListDirectory>) -> fs::Listing;
    /// A range of a file.
    "fs.read" FsRead(In<fs::ReadFile>) -> fs::FileStat, body Reply;
    /// Replaces a file's content.
    "fs.write" FsWrite(In<fs::WriteFile>) -> fs::FileStat, body Request;
    /// Makes a directory.
    "fs.mkdir" FsMkdir(In<fs::MakeDirectory>) -> Empty;
    /// Renames or moves.
    "fs.rename" FsRename(In<fs::Rename>) -> Empty;
    /// Copies.
    "fs.copy" FsCopy(In<fs::Copy>) -> Empty;
    /// Deletes, with undo.
    "fs.trash" FsTrash(In<fs::TrashFiles>) -> fs::Trashed;
    /// Undoes a deletion.
    "fs.restore" FsRestore(In<fs::RestoreTrash>) -> Empty;
    /// Sets what this client watches in a workspace.
    "fs.watch" FsWatch(In<fs::WatchDirectories>) -> Empty;
    /// Opens a stream that takes a file's bytes.
    "fs.upload" FsUpload(In<UploadFile>) -> StreamOpened;
    /// Opens a stream that gives a file's bytes, or a tar archive of a directory.
    "fs.download" FsDownload(In<DownloadFile>) -> StreamOpened;
    /// The Git state around a path; null outside a repository.
    "git.status" GitStatusGet(In<fs::GitStatus>) -> Option<fs::GitState>;

    /// Opens a stream of search results, each message one line of JSON.
    "search.text" SearchTextStart(In<search::SearchText>) -> StreamOpened;
    /// Finds files by name.
    "search.files" SearchFiles(In<search::FindFiles>) -> search::FoundFiles;
    /// Replaces in files.
    "search.replace" SearchReplace(In<search::ReplaceText>) -> search::ReplaceOutcome;

    /// A workspace's terminals.
    "terminal.list" TerminalList(WorkspaceRef) -> Vec<terminal::TerminalInfo>;
    /// Starts a terminal.
    "terminal.create" TerminalCreate(In<terminal::CreateTerminal>) -> terminal::TerminalInfo;
    /// Starts a terminal of root's, for images without `sudo`. Refused in the Locked profile.
    "terminal.create_as_root" TerminalCreateAsRoot(In<terminal::CreateTerminal>) -> terminal::TerminalInfo;
    /// Opens a stream of a terminal's bytes, both ways.
    "terminal.attach" TerminalAttach(In<terminal::AttachTerminal>) -> TerminalAttached;
    /// Changes a terminal's size.
    "terminal.resize" TerminalResize(In<terminal::ResizeTerminal>) -> Empty;
    /// Names a terminal.
    "terminal.rename" TerminalRename(In<terminal::RenameTerminal>) -> Empty;
    /// Sends a signal to a terminal's foreground processes.
    "terminal.signal" TerminalSignal(In<terminal::SignalTerminal>) -> Empty;
    /// Ends a terminal.
    "terminal.close" TerminalClose(In<terminal::CloseTerminal>) -> Empty;

    /// A workspace's processes.
    "process.list" ProcessList(WorkspaceRef) -> Vec<process::ProcessInfo>;
    /// Signals a process.
    "process.signal" ProcessSignal(In<process::SignalProcess>) -> Empty;
    /// Opens a stream to a program without a terminal; frames as in [`process::ExecFrame`].
    "process.exec" ProcessExec(In<process::Exec>) -> StreamOpened;

    /// A workspace's ports and forwards.
    "port.list" PortList(WorkspaceRef) -> Vec<port::PortEntry>;
    /// Opens a forward.
    "port.forward" PortForward(In<port::ForwardTarget>) -> port::Forward;
    /// Closes a forward.
    "port.close" PortClose(In<port::ForwardTarget>) -> Empty;

    /// Keeps unsaved text; acknowledged once it is on disk.
    "draft.put" DraftPut(In<Draft>) -> Empty, body Request;
    /// Unsaved texts of a workspace, without content.
    "draft.list" DraftList(WorkspaceRef) -> Vec<Draft>;
    /// An unsaved text's content.
    "draft.get" DraftGet(In<DraftRef>) -> Draft, body Reply;
    /// Forgets an unsaved text.
    "draft.delete" DraftDelete(In<DraftRef>) -> Empty;
}

/// No parameters, or nothing to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, TS)]
#[ts(type = "Record<string, never>")]
pub struct Empty {}

/// Any JSON.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct JsonValue(#[ts(type = "unknown")] pub serde_json::Value);

/// Names a workspace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct WorkspaceRef {
    /// Which.
    pub workspace: WorkspaceId,
}

/// Names an engine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct EngineRef {
    /// Which.
    pub engine: EngineId,
}

/// A request about the inside of one workspace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct In<T: TS> {
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// What is asked.
    pub args: T,
}

/// Whether a client wants to know what workspaces use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct WatchSamples {
    /// True while somebody looks.
    pub on: bool,
}

/// Which part of a container's output is read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ReadLogs {
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// Lines from the end of what there is; absent for 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub tail: Option<u32>,
    /// Whether what comes later follows; absent for yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub follow: Option<bool>,
}

/// What a host is and can do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Host {
    /// The product's version.
    pub version: String,
    /// The machine's host name.
    pub machine: String,
    /// Abilities of this host that the UI asks for by name, never "is this the desktop?".
    pub capabilities: Vec<HostCapability>,
}

/// An ability of a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum HostCapability {
    /// Native folder and file dialogs.
    Dialogs,
    /// Notifications of the operating system.
    Notifications,
    /// Opening addresses in the default browser.
    OpenExternal,
    /// Folders of this machine can be mounted.
    LocalFolders,
}

/// The settings.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Settings {
    /// Colours.
    pub theme: Theme,
    /// Size of code in the editor, pixels, 8 to 32.
    pub editor_font_size: u16,
    /// Size of terminal text, pixels, 8 to 32.
    pub terminal_font_size: u16,
    /// Spaces a tab stands for, 1 to 16.
    pub tab_size: u16,
    /// Long lines wrap.
    pub word_wrap: bool,
    /// Save by itself, milliseconds after the last change; 0 for never.
    pub autosave_delay_ms: u32,
    /// The editor shows the minimap.
    pub minimap: bool,
    /// Address range from which each workspace's network takes a /28.
    pub network_range: String,
    /// Engine for new workspaces; absent for the first that is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub default_engine: Option<EngineId>,
    /// Forward ports by themselves when a program starts to listen.
    pub auto_forward: bool,
    /// The base image's starting point.
    pub base_image_from: String,
    /// Clusters, by the name of their context in the kubeconfig.
    pub clusters: BTreeMap<String, ClusterSettings>,
    /// Model servers, and the names of their models.
    pub models: BrokerSettings,
    /// Model servers that are started on this machine.
    pub local_models: LocalModelSettings,
    /// No byte leaves this machine for models, images and clones.
    pub offline: bool,
    /// Keys this version does not know, kept.
    #[serde(flatten)]
    #[ts(skip)]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: Theme::System,
            editor_font_size: 13,
            terminal_font_size: 13,
            tab_size: 4,
            word_wrap: false,
            autosave_delay_ms: 1000,
            minimap: false,
            network_range: "10.213.0.0/16".to_owned(),
            default_engine: None,
            auto_forward: true,
            base_image_from: "debian:bookworm".to_owned(),
            clusters: BTreeMap::new(),
            models: BrokerSettings::default(),
            local_models: LocalModelSettings::default(),
            offline: false,
            other: BTreeMap::new(),
        }
    }
}

/// Colours of the UI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the operating system says.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// Names a model server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct BackendRef {
    /// The server's id.
    pub backend: String,
}

/// A model server's key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BackendKey {
    /// The server's id.
    pub backend: String,
    /// The key; absent to forget the one that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub key: Option<String>,
}

impl fmt::Debug for BackendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key never gets into a log.
        f.debug_struct("BackendKey").field("backend", &self.backend).finish_non_exhaustive()
    }
}

/// A question to try a model with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct TryModel {
    /// The model's name, as any client gives it.
    pub model: String,
    /// The question, at most 64 KiB.
    pub prompt: String,
}

/// How programs of this machine reach the models.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct OwnAccess {
    /// For `OPENAI_BASE_URL`.
    pub url: String,
    /// For `OPENAI_API_KEY`.
    pub key: String,
}

impl fmt::Debug for OwnAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnAccess").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Names a value of the UI's state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct StateKey {
    /// At most 200 characters, for instance `workspace/<id>/layout`.
    pub key: String,
}

/// A value of the UI's state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct StateEntry {
    /// At most 200 characters.
    pub key: String,
    /// At most 1 MiB of JSON.
    pub value: JsonValue,
}

/// A container that is no workspace of ours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ForeignContainer {
    /// The engine's id.
    pub id: ContainerId,
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// It runs.
    pub running: bool,
}

/// An image on an engine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ImageInfo {
    /// The engine's id.
    pub id: String,
    /// Its names with tags.
    pub references: Vec<String>,
    /// Size in bytes.
    pub size: u64,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
}

/// Creates a workspace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct CreateWorkspace {
    /// Its name; absent to derive one from the source. 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
    /// Its engine; absent for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub engine: Option<EngineId>,
    /// What it is made from.
    pub spec: WorkspaceSpec,
}

/// Imports a container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct ImportContainer {
    /// Its engine.
    pub engine: EngineId,
    /// Which.
    pub container: ContainerId,
    /// The workspace's name; absent for the container's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
}

/// Renames a workspace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct RenameWorkspace {
    /// Which.
    pub workspace: WorkspaceId,
    /// Its new name, 1 to 64 characters.
    pub name: String,
}

/// Lines of a creation log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct PlanLogLines {
    /// The step that wrote them.
    pub step: StepKind,
    /// The lines, without line ends.
    pub lines: Vec<String>,
}

/// A stream was opened for this connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct StreamOpened {
    /// Its id.
    pub stream: StreamId,
}

/// A terminal was attached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct TerminalAttached {
    /// The stream of its bytes.
    pub stream: StreamId,
    /// Where it stands.
    pub attached: terminal::Attached,
}

/// Why a stream ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum StreamEnd {
    /// All was sent.
    Finished {
        /// For uploads: the file as written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        stat: Option<fs::FileStat>,
    },
    /// The receiver fell behind, or the agent was reached anew: attach again without an offset.
    Resync,
    /// The terminal was closed.
    Closed,
    /// It broke.
    Failed {
        /// Why.
        error: ApiError,
    },
}

/// Where an upload goes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct UploadFile {
    /// The file to write, or the directory to unpack into.
    pub path: BytePath,
    /// For a file: what must be there.
    pub condition: fs::WriteCondition,
    /// The bytes are a tar archive. Entries that lead out of the directory are refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(optional, as = "Option<bool>")]
    pub archive: bool,
}

/// What to download.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct DownloadFile {
    /// File or directory.
    pub path: BytePath,
}

/// Unsaved text of one file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct Draft {
    /// The file, or `untitled:N` for one that has no path yet.
    pub path: BytePath,
    /// The file's version that the text began from; absent for a new file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub base_version: Option<String>,
}

/// Names an unsaved text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
pub struct DraftRef {
    /// The file.
    pub path: BytePath,
}

/// The state of the connection to a workspace's agent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LinkState {
    /// No one needs it.
    Idle,
    /// Being made for the first time.
    Connecting,
    /// Works.
    Connected,
    /// Broke; being made again.
    Reconnecting {
        /// Which try this is, from 1.
        attempt: u32,
        /// Why it broke.
        reason: String,
    },
    /// Cannot be made.
    Failed {
        /// Why.
        error: ApiError,
    },
}

/// Something happened; pushed to every connected client.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Event {
    /// An engine changed.
    Engine {
        /// As it is now.
        engine: EngineInfo,
    },
    /// An engine is no longer configured.
    EngineGone {
        /// Which.
        engine: EngineId,
    },
    /// A workspace changed, or is new.
    Workspace {
        /// As it is now.
        workspace: Workspace,
    },
    /// A workspace is gone.
    WorkspaceGone {
        /// Which.
        workspace: WorkspaceId,
    },
    /// A creation plan moved on.
    Plan {
        /// Whose.
        workspace: WorkspaceId,
        /// As it is now.
        plan: Plan,
    },
    /// A creation plan wrote lines.
    PlanLog {
        /// Whose.
        workspace: WorkspaceId,
        /// What.
        log: PlanLogLines,
    },
    /// New samples of all running workspaces.
    Samples {
        /// By workspace.
        samples: Vec<WorkspaceSample>,
    },
    /// A connection to an agent changed.
    Link {
        /// Whose.
        workspace: WorkspaceId,
        /// As it is now.
        link: LinkState,
    },
    /// Watched files changed.
    Files {
        /// Whose.
        workspace: WorkspaceId,
        /// What.
        changes: fs::FilesChanged,
    },
    /// A workspace's terminals changed.
    Terminals {
        /// Whose.
        workspace: WorkspaceId,
        /// All of them.
        terminals: Vec<terminal::TerminalInfo>,
    },
    /// A workspace's ports changed.
    Ports {
        /// Whose.
        workspace: WorkspaceId,
        /// All of them.
        ports: Vec<port::PortEntry>,
    },
    /// The settings changed.
    Settings {
        /// As they are now.
        settings: Settings,
    },
    /// Servers that are started here changed.
    LocalModels {
        /// All of them.
        servers: Vec<LocalServer>,
    },
    /// Updates of what serves models changed.
    LocalModelUpdates {
        /// All of them.
        updates: Vec<ProgramUpdate>,
    },
    /// Requests to models have ended; told at most once a second.
    Usage,
    /// Events were lost, because this client read too slowly: it should ask for everything again.
    Resync,
}

/// A workspace's newest sample.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, TS)]
pub struct WorkspaceSample {
    /// Whose.
    pub workspace: WorkspaceId,
    /// The sample.
    pub sample: Sample,
}
