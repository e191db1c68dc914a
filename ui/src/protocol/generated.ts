// Generated from crates/protocol by `cargo xtask generate`. Change the Rust types, not this file.
/* eslint-disable */

/**
 * An error as it travels to the UI or the command line.
 */
export type ApiError = { 
/**
 * The kind, for programs.
 */
code: ErrorCode, 
/**
 * What happened and to what: one sentence for people, without a trailing hint.
 */
message: string, 
/**
 * What to do now, one sentence, where something can be done.
 */
hint?: string, 
/**
 * The raw cause (an engine's message, a command's last lines), shown folded.
 */
detail?: string, };

/**
 * Attaches to a terminal's output and input.
 */
export type AttachTerminal = { 
/**
 * Which.
 */
terminal: TerminalId, 
/**
 * Offset of the first byte not yet seen; absent to start with a snapshot.
 */
from?: number, };

/**
 * First message of an attachment.
 */
export type Attached = { 
/**
 * Offset of the live output that follows the snapshot, or of the first byte sent where there is none.
 */
offset: number, 
/**
 * Bytes of snapshot sent before live output; 0 when the output goes on at the offset asked for.
 */
snapshot_len: number, 
/**
 * Columns at this moment.
 */
columns: number, 
/**
 * Rows at this moment.
 */
rows: number, };

/**
 * What a server says it can do. Absent: it does not say.
 */
export type BackendAbilities = { 
/**
 * Its version or build.
 */
version?: string, 
/**
 * Requests that it works on at once.
 */
slots?: number, 
/**
 * Tokens of one request's context.
 */
context_length?: number, 
/**
 * The chat template knows tools.
 */
tools?: boolean, 
/**
 * Pictures are understood.
 */
vision?: boolean, };

/**
 * Whether a backend answers.
 */
export type BackendHealth = { "kind": "unknown" } | { "kind": "ready" } | { "kind": "failing", 
/**
 * What happened.
 */
why: string, 
/**
 * When it is looked at again, in milliseconds from now.
 */
retry_in_ms: number, };

/**
 * A model server's key.
 */
export type BackendKey = { 
/**
 * The server's id.
 */
backend: string, 
/**
 * The key; absent to forget the one that is kept.
 */
key?: string, };

/**
 * What kind of server a backend is. Each has its own ways to say what it can do and how busy it is.
 */
export type BackendKind = "open_ai" | "llama_cpp" | "ollama" | "lm_studio" | "vllm";

/**
 * How busy a server says it is. Absent: it does not say.
 */
export type BackendLoad = { 
/**
 * Requests being worked on.
 */
running?: number, 
/**
 * Requests waiting.
 */
waiting?: number, 
/**
 * Part of the KV cache in use, from 0 to 1.
 */
kv_cache?: number, };

/**
 * Names a model server.
 */
export type BackendRef = { 
/**
 * The server's id.
 */
backend: string, };

/**
 * A model server.
 */
export type BackendSettings = { 
/**
 * Its id, which never changes; secrets are kept under it.
 */
id: string, 
/**
 * Its name for people, and before the slash in `name/model`.
 */
name: string, 
/**
 * The base address, which ends before `/chat/completions`: `http://127.0.0.1:8080/v1`.
 */
url: string, 
/**
 * What it is.
 */
kind: BackendKind, 
/**
 * True where a key for it is kept. The key itself is never part of the settings.
 */
has_key: boolean, 
/**
 * False where it is known but not used.
 */
enabled: boolean, 
/**
 * Most requests at once, from 1; absent for no limit.
 */
max_parallel?: number, };

/**
 * A backend as it is now.
 */
export type BackendState = { 
/**
 * Which.
 */
id: string, 
/**
 * Whether it answers.
 */
health: BackendHealth, 
/**
 * Its models, as last seen.
 */
models: Array<ModelInfo>, 
/**
 * Our requests to it that are not at their end.
 */
in_flight: number, 
/**
 * Our requests that wait for a place at it.
 */
queued: number, 
/**
 * How busy it says it is.
 */
load: BackendLoad, 
/**
 * What it says it can do.
 */
abilities: BackendAbilities, };

/**
 * Everything the broker is told.
 */
export type BrokerSettings = { 
/**
 * The model servers.
 */
backends: Array<BackendSettings>, 
/**
 * Names of models.
 */
aliases: Array<ModelAlias>, 
/**
 * Seconds until the first byte of an answer, from 1.
 */
first_byte_seconds: number, 
/**
 * Seconds between two pieces of an answer, from 1.
 */
idle_seconds: number, 
/**
 * Seconds that a request waits for a place where all its servers are busy; 0 to refuse it at once.
 */
queue_seconds: number, 
/**
 * How much may be asked.
 */
limits: LimitSettings, 
/**
 * What models cost.
 */
prices: Array<Price>, 
/**
 * The currency of prices and budgets, as ISO 4217 writes it.
 */
currency: string, 
/**
 * Questions and answers of the last requests are kept in memory, to be looked at.
 */
keep_prompts: boolean, 
/**
 * Port on this machine's loopback by which its own programs reach the models; absent for none.
 */
listen_port?: number, };

/**
 * What may be used within a day or a month. Absent: as much as one likes.
 */
export type Budget = { 
/**
 * Tokens, in and out together.
 */
tokens?: number, 
/**
 * Money, in the currency of the prices.
 */
cost?: number, };

/**
 * What a model's chat template provides for.
 */
export type ChatTemplate = { 
/**
 * Calls of tools.
 */
tools: boolean, 
/**
 * Thinking before the answer.
 */
thinking: boolean, };

/**
 * Ends a terminal: SIGHUP to its session, SIGKILL after 2 s, and forgets its screen.
 */
export type CloseTerminal = { 
/**
 * Which.
 */
terminal: TerminalId, };

/**
 * How workspaces are made in one context of the kubeconfig.
 */
export type ClusterSettings = { 
/**
 * The cluster is spoken to.
 */
enabled: boolean, 
/**
 * Namespace; absent for the context's own.
 */
namespace?: string, 
/**
 * Image of workspaces that name none. The cluster's machines pull it; cloning takes one with `sh` and `git`.
 */
base_image: string, 
/**
 * Image that carries the agent; absent where the agent is brought through the API by this machine, which must then
 * be there whenever a workspace's pod starts.
 */
agent_image?: string, 
/**
 * Storage class of volumes; absent for the cluster's default.
 */
storage_class?: string, 
/**
 * Size of a workspace's volume, GiB, at least 1.
 */
storage_gib: number, 
/**
 * Labels that a machine must carry.
 */
node_selector: { [key in string]: string }, 
/**
 * Tolerations, as in a pod's specification.
 */
tolerations: unknown[], 
/**
 * Runtime class.
 */
runtime_class?: string, 
/**
 * Name of the secret with the credentials of the images' registry.
 */
pull_secret?: string, 
/**
 * Service account; absent for the namespace's default. Its token is never mounted.
 */
service_account?: string, 
/**
 * Labels added to every object.
 */
labels: { [key in string]: string }, 
/**
 * Resource that stands for a GPU.
 */
gpu_resource: string, 
/**
 * What else the pods' specification holds (a JSON merge patch, RFC 7386, over the one that AiCockpit makes).
 */
pod_template?: unknown, };

/**
 * An engine of this machine, as far as it can run model servers.
 */
export type ContainerEngine = { 
/**
 * Its id.
 */
engine: EngineId, 
/**
 * Its name for people.
 */
name: string, 
/**
 * It passes GPUs on.
 */
gpu: boolean, 
/**
 * Images that it has, and the usual ones.
 */
images: Array<ServerImage>, 
/**
 * Why it cannot be used now.
 */
problem?: string, };

/**
 * The engine's own id of a container.
 */
export type ContainerId = string;

/**
 * Copies a file or a directory tree.
 */
export type Copy = { 
/**
 * What to copy.
 */
from: string, 
/**
 * The copy's full path.
 */
to: string, };

/**
 * Starts a terminal.
 */
export type CreateTerminal = { 
/**
 * Program and arguments; empty for the user's shell.
 */
command: Array<string>, 
/**
 * Working directory; absent for the workspace folder.
 */
directory?: string, 
/**
 * Columns.
 */
columns: number, 
/**
 * Rows.
 */
rows: number, };

/**
 * Creates a workspace.
 */
export type CreateWorkspace = { 
/**
 * Its name; absent to derive one from the source. 1 to 64 characters.
 */
name?: string, 
/**
 * Its engine; absent for the default.
 */
engine?: EngineId, 
/**
 * What it is made from.
 */
spec: WorkspaceSpec, };

/**
 * What deleting a workspace would lose.
 */
export type DeletePreview = { 
/**
 * The volume with the files goes; absent where the files are in a folder of the host, which stays.
 */
volume: boolean, 
/**
 * The host folder that stays untouched.
 */
kept_folder?: string, 
/**
 * Changed or untracked files that Git has nowhere else; absent where this could not be found out.
 */
uncommitted_files?: number, 
/**
 * Commits that no remote has; absent where this could not be found out.
 */
unpushed_commits?: number, 
/**
 * Terminals with a running command.
 */
busy_terminals: number, };

/**
 * One entry of a listing.
 */
export type DirEntry = { 
/**
 * Name without directory.
 */
name: string, 
/**
 * What it is, links not followed.
 */
kind: FileKind, 
/**
 * What a link leads to.
 */
target_kind?: FileKind, };

/**
 * What to download.
 */
export type DownloadFile = { 
/**
 * File or directory.
 */
path: string, };

/**
 * Unsaved text of one file.
 */
export type Draft = { 
/**
 * The file, or `untitled:N` for one that has no path yet.
 */
path: string, 
/**
 * The file's version that the text began from; absent for a new file.
 */
base_version?: string, };

/**
 * Names an unsaved text.
 */
export type DraftRef = { 
/**
 * The file.
 */
path: string, };

/**
 * No parameters, or nothing to answer.
 */
export type Empty = Record<string, never>;

/**
 * What an engine can do on this machine. What is absent is shown to people, not hidden.
 */
export type EngineCapabilities = { 
/**
 * Containers can be frozen.
 */
pause: boolean, 
/**
 * A container can be saved as an image.
 */
commit: boolean, 
/**
 * Memory limits are enforced.
 */
memory_limit: boolean, 
/**
 * CPU limits are enforced.
 */
cpu_limit: boolean, 
/**
 * Limits on the number of processes are enforced.
 */
pids_limit: boolean, 
/**
 * Statistics are available.
 */
stats: boolean, 
/**
 * Devices of a GPU can be passed on.
 */
gpu: boolean, 
/**
 * The engine runs without root; container root is this user.
 */
rootless: boolean, 
/**
 * Container users can be mapped so that files of a host folder keep their owner (Podman's keep-id).
 */
keep_id: boolean, 
/**
 * Networks can be made with a chosen subnet.
 */
custom_subnet: boolean, 
/**
 * It has a store of images: they can be built, pulled, imported, listed and removed. Without one, its machines
 * pull what a container names.
 */
images: boolean, 
/**
 * Files can be put into, and read from, a container that does not run.
 */
files_at_rest: boolean, 
/**
 * Folders of this machine can be mounted.
 */
host_folders: boolean, 
/**
 * Ports can be published on this machine's loopback.
 */
published_ports: boolean, 
/**
 * What was written outside of volumes outlives a stop.
 */
keeps_root: boolean, 
/**
 * A program can be run in a container as another user, in another folder, with more variables.
 */
exec_options: boolean, 
/**
 * A container can be cut off from every network, by the engine itself.
 */
no_network: boolean, 
/**
 * Containers may hold the few capabilities without which `sudo` cannot work.
 */
sudo: boolean, 
/**
 * Errors are told apart from other output in a container's log.
 */
split_logs: boolean, 
/**
 * A container that ended by itself, or whose machine was lost, is started anew by the engine.
 */
self_healing: boolean, };

/**
 * Whether an engine can be used.
 */
export type EngineHealth = "off" | "checking" | "ready" | "stopped" | "missing" | "not_permitted" | "too_old" | "failing";

/**
 * An engine connection of this cockpit, for instance `docker` or `podman-rootless`. Stable across restarts.
 */
export type EngineId = string;

/**
 * An engine's state.
 */
export type EngineInfo = { 
/**
 * Its id.
 */
id: EngineId, 
/**
 * What it is.
 */
kind: EngineKind, 
/**
 * Name for people, for instance `Docker` or `Podman (rootless)`.
 */
name: string, 
/**
 * Socket or address it is reached by.
 */
endpoint: string, 
/**
 * Whether it can be used.
 */
health: EngineHealth, 
/**
 * A sentence when it cannot: what is wrong and what to do.
 */
problem?: string, 
/**
 * A command that mends it, where there is one.
 */
remedy_command?: string, 
/**
 * Its version, once known.
 */
version?: string, 
/**
 * Processor architecture in OCI's terms, for instance `amd64`.
 */
architecture?: string, 
/**
 * What it can do; all false until it was ready once.
 */
capabilities: EngineCapabilities, 
/**
 * What it lacks and why, what it depends on: a sentence each.
 */
notes: Array<string>, };

/**
 * The kind of an engine.
 */
export type EngineKind = "docker" | "podman" | "kubernetes";

/**
 * Names an engine.
 */
export type EngineRef = { 
/**
 * Which.
 */
engine: EngineId, };

/**
 * What kind of thing went wrong. Stable: new kinds are appended, an unknown one reads as [`ErrorCode::Internal`].
 */
export type ErrorCode = "invalid_argument" | "not_found" | "already_exists" | "conflict" | "permission_denied" | "invalid_state" | "not_a_directory" | "is_a_directory" | "not_empty" | "no_space" | "too_large" | "engine_unavailable" | "unsupported" | "image_not_found" | "wrong_architecture" | "port_in_use" | "git_failed" | "git_credentials" | "agent_unavailable" | "offline" | "cancelled" | "timed_out" | "unauthenticated" | "protocol" | "internal";

/**
 * Something happened; pushed to every connected client.
 */
export type Event = { "kind": "engine", 
/**
 * As it is now.
 */
engine: EngineInfo, } | { "kind": "engine_gone", 
/**
 * Which.
 */
engine: EngineId, } | { "kind": "workspace", 
/**
 * As it is now.
 */
workspace: Workspace, } | { "kind": "workspace_gone", 
/**
 * Which.
 */
workspace: WorkspaceId, } | { "kind": "plan", 
/**
 * Whose.
 */
workspace: WorkspaceId, 
/**
 * As it is now.
 */
plan: Plan, } | { "kind": "plan_log", 
/**
 * Whose.
 */
workspace: WorkspaceId, 
/**
 * What.
 */
log: PlanLogLines, } | { "kind": "samples", 
/**
 * By workspace.
 */
samples: Array<WorkspaceSample>, } | { "kind": "link", 
/**
 * Whose.
 */
workspace: WorkspaceId, 
/**
 * As it is now.
 */
link: LinkState, } | { "kind": "files", 
/**
 * Whose.
 */
workspace: WorkspaceId, 
/**
 * What.
 */
changes: FilesChanged, } | { "kind": "terminals", 
/**
 * Whose.
 */
workspace: WorkspaceId, 
/**
 * All of them.
 */
terminals: Array<TerminalInfo>, } | { "kind": "ports", 
/**
 * Whose.
 */
workspace: WorkspaceId, 
/**
 * All of them.
 */
ports: Array<PortEntry>, } | { "kind": "settings", 
/**
 * As they are now.
 */
settings: Settings, } | { "kind": "local_models", 
/**
 * All of them.
 */
servers: Array<LocalServer>, } | { "kind": "local_model_updates", 
/**
 * All of them.
 */
updates: Array<ProgramUpdate>, } | { "kind": "usage" } | { "kind": "resync" };

/**
 * Runs a program without a terminal. Its stdin, stdout and stderr travel over the stream as [`ExecFrame`]s.
 */
export type Exec = { 
/**
 * Program and arguments, at least one.
 */
command: Array<string>, 
/**
 * Working directory; absent for the workspace folder.
 */
directory?: string, 
/**
 * Variables added to the environment.
 */
env: { [key in string]: string }, };

/**
 * What a directory entry is, links not followed.
 */
export type FileKind = "file" | "directory" | "symlink" | "other";

/**
 * The matches of one file.
 */
export type FileMatches = { 
/**
 * The file.
 */
path: string, 
/**
 * Its matching lines, in order.
 */
lines: Array<LineMatch>, };

/**
 * A file's state at one moment.
 */
export type FileStat = { 
/**
 * What it is, links not followed.
 */
kind: FileKind, 
/**
 * What a link leads to; absent for a broken link or where `kind` is no link.
 */
target_kind?: FileKind, 
/**
 * Where a link points, as written in it.
 */
link_target?: string, 
/**
 * Size in bytes (of the target, for a link).
 */
size: number, 
/**
 * Last change of the content, milliseconds since 1970.
 */
modified_ms: number, 
/**
 * Permission bits.
 */
mode: number, 
/**
 * Whether the workspace's user may write it.
 */
writable: boolean, 
/**
 * Opaque token that changes when the content may have changed (device, inode, size, mtime in ns).
 */
version: string, };

/**
 * Directories whose entries or files changed. Changes within some 50 ms come together.
 */
export type FilesChanged = { 
/**
 * Directories to list again; their open files may have changed too.
 */
directories: Array<string>, 
/**
 * Events were lost: everything watched should be read again.
 */
rescan: boolean, };

/**
 * Fuzzy search for file names (quick open). The first call walks the tree, later ones use what it found.
 */
export type FindFiles = { 
/**
 * Directory to look in.
 */
root: string, 
/**
 * What was typed.
 */
query: string, 
/**
 * Results wanted, at most 500.
 */
limit: number, };

/**
 * Where a model would run.
 */
export type Fit = "gpu" | "split" | "memory" | "not_now" | "never";

/**
 * Whether a model fits, estimated from its file.
 */
export type FitEstimate = { 
/**
 * Where.
 */
fit: Fit, 
/**
 * Bytes of weights.
 */
weights_bytes: number, 
/**
 * Bytes of the KV cache at `context_length`.
 */
cache_bytes: number, 
/**
 * Bytes of all else that the program needs.
 */
other_bytes: number, 
/**
 * Tokens of context that the estimate is for.
 */
context_length: number, 
/**
 * For people: "Fits in main memory: about 0.4 GB of 7.1 GB free".
 */
sentence: string, };

/**
 * A container that is no workspace of ours.
 */
export type ForeignContainer = { 
/**
 * The engine's id.
 */
id: ContainerId, 
/**
 * Its name.
 */
name: string, 
/**
 * Its image.
 */
image: string, 
/**
 * It runs.
 */
running: boolean, };

/**
 * An open forward: a loopback address of this machine that leads to a target.
 */
export type Forward = { 
/**
 * Where it leads.
 */
target: ForwardTarget, 
/**
 * Port on this machine's loopback.
 */
local_port: number, 
/**
 * Address for a browser, on the workspace's own host name.
 */
url: string, };

/**
 * The target of a forward, as seen from inside the workspace.
 */
export type ForwardTarget = { 
/**
 * Host name or address; `localhost` for the workspace itself.
 */
host: string, 
/**
 * TCP port, from 1.
 */
port: number, };

/**
 * A file found.
 */
export type FoundFile = { 
/**
 * Path relative to the root.
 */
path: string, 
/**
 * Positions of matched characters in the path's text form, for highlighting.
 */
positions: Array<number>, };

/**
 * Files found, best first.
 */
export type FoundFiles = { 
/**
 * The files.
 */
files: Array<FoundFile>, 
/**
 * Paths known so far.
 */
indexed: number, 
/**
 * The tree is still being walked: ask again for more.
 */
indexing: boolean, };

/**
 * How one path differs from the last commit.
 */
export type GitChange = "modified" | "added" | "deleted" | "renamed" | "untracked" | "ignored" | "conflicted";

/**
 * A changed path.
 */
export type GitEntry = { 
/**
 * Absolute path; of a directory where all within it is untracked or ignored.
 */
path: string, 
/**
 * How it differs.
 */
change: GitChange, };

/**
 * The Git state of a repository.
 */
export type GitState = { 
/**
 * The work tree's root.
 */
root: string, 
/**
 * The branch, or a short commit id when detached; absent before the first commit.
 */
branch?: string, 
/**
 * Commits that the upstream lacks.
 */
ahead: number, 
/**
 * Commits of the upstream that are missing here.
 */
behind: number, 
/**
 * Changed paths, cut at 20,000.
 */
entries: Array<GitEntry>, };

/**
 * Asks for the Git state of the repository around a path.
 */
export type GitStatus = { 
/**
 * A directory inside the repository.
 */
path: string, };

/**
 * A GPU.
 */
export type Gpu = { 
/**
 * Its name.
 */
name: string, 
/**
 * Bytes of its memory.
 */
total_bytes: number, 
/**
 * Bytes of these that are free.
 */
free_bytes: number, };

/**
 * What models can run on here.
 */
export type Hardware = { 
/**
 * Bytes of main memory.
 */
memory_bytes: number, 
/**
 * Bytes of it that programs can still have.
 */
available_bytes: number, 
/**
 * NVIDIA's GPUs.
 */
gpus: Array<Gpu>, };

/**
 * What a host is and can do.
 */
export type Host = { 
/**
 * The product's version.
 */
version: string, 
/**
 * The machine's host name.
 */
machine: string, 
/**
 * Abilities of this host that the UI asks for by name, never "is this the desktop?".
 */
capabilities: Array<HostCapability>, };

/**
 * An ability of a host.
 */
export type HostCapability = "dialogs" | "notifications" | "open_external" | "local_folders";

/**
 * The image a workspace runs.
 */
export type Image = { "kind": "base" } | { "kind": "reference", 
/**
 * As `docker pull` takes it.
 */
reference: string, };

/**
 * An image on an engine.
 */
export type ImageInfo = { 
/**
 * The engine's id.
 */
id: string, 
/**
 * Its names with tags.
 */
references: Array<string>, 
/**
 * Size in bytes.
 */
size: number, 
/**
 * When it was made, milliseconds since 1970.
 */
created_ms: number, };

/**
 * Imports a container.
 */
export type ImportContainer = { 
/**
 * Its engine.
 */
engine: EngineId, 
/**
 * Which.
 */
container: ContainerId, 
/**
 * The workspace's name; absent for the container's.
 */
name?: string, };

/**
 * A request about the inside of one workspace.
 */
export type In<T> = { 
/**
 * Which workspace.
 */
workspace: WorkspaceId, 
/**
 * What is asked.
 */
args: T, };

/**
 * Any JSON.
 */
export type JsonValue = unknown;

/**
 * What was asked and answered. Kept in memory alone, and only where the settings say so.
 */
export type KeptRequest = { 
/**
 * The question's body, as it came.
 */
question: string, 
/**
 * The answer's body, as it went out: JSON, or events.
 */
answer: string, 
/**
 * Bytes of the question and the answer that were too many to keep.
 */
left_out: number, };

/**
 * How much may be asked. Absent: as much as one likes.
 */
export type KeyLimits = { 
/**
 * Requests a minute, from 1. That many may come at once; then they are let in evenly.
 */
requests_per_minute?: number, 
/**
 * Tokens a minute, in and out together, from 1.
 */
tokens_per_minute?: number, 
/**
 * Requests at once, from 1.
 */
parallel?: number, 
/**
 * From midnight to midnight, by this machine's clock.
 */
day: Budget, 
/**
 * From the month's first day to its last.
 */
month: Budget, };

/**
 * Limits of everybody who asks.
 */
export type LimitSettings = { 
/**
 * For each workspace, and each other owner of a key, that has none of its own.
 */
each: KeyLimits, 
/**
 * For single ones, by owner: a workspace's id, or the name of another key.
 */
of: { [key in string]: KeyLimits }, 
/**
 * For all together.
 */
all: KeyLimits, };

/**
 * Limits on what a workspace may use. Absent means the engine's default (none).
 */
export type Limits = { 
/**
 * Memory in bytes, at least 64 MiB.
 */
memory_bytes?: number, 
/**
 * CPU in thousandths of a core, at least 100.
 */
cpu_millis?: number, 
/**
 * Processes and threads, at least 64.
 */
pids?: number, };

/**
 * A line with matches.
 */
export type LineMatch = { 
/**
 * Line number from 1.
 */
line: number, 
/**
 * Where `text` begins in the line, in UTF-16 code units; above 0 only where a long line was cut.
 */
column: number, 
/**
 * The line, invalid UTF-8 replaced, cut to 400 characters around the first match.
 */
text: string, 
/**
 * The matches within `text`.
 */
ranges: Array<MatchRange>, };

/**
 * The state of the connection to a workspace's agent.
 */
export type LinkState = { "kind": "idle" } | { "kind": "connecting" } | { "kind": "connected" } | { "kind": "reconnecting", 
/**
 * Which try this is, from 1.
 */
attempt: number, 
/**
 * Why it broke.
 */
reason: string, } | { "kind": "failed", 
/**
 * Why.
 */
error: ApiError, };

/**
 * Asks for a directory's entries.
 */
export type ListDirectory = { 
/**
 * The directory.
 */
path: string, 
/**
 * Only so many entries, the first in order; absent for all.
 */
first?: number, };

/**
 * A listening TCP socket inside the workspace.
 */
export type ListeningPort = { 
/**
 * The port.
 */
port: number, 
/**
 * True where it listens on loopback only.
 */
loopback: boolean, 
/**
 * Name of the listening program, where it can be seen.
 */
process?: string, };

/**
 * A directory's entries, sorted: directories first, then by name bytes without regard to ASCII case.
 */
export type Listing = { 
/**
 * The entries.
 */
entries: Array<DirEntry>, 
/**
 * True when the directory holds more than [`MAX_LISTING`].
 */
truncated: boolean, 
/**
 * True when there are more than were asked for.
 */
more: boolean, };

/**
 * A model found on this machine.
 */
export type LocalModel = { 
/**
 * The file, the first of several parts, or the folder.
 */
path: string, 
/**
 * A name for people, from the file's own words or its name.
 */
name: string, 
/**
 * How it is stored.
 */
format: ModelFormat, 
/**
 * Bytes on disk.
 */
bytes: number, 
/**
 * Its architecture, as the file says: `llama`, `qwen2`.
 */
architecture?: string, 
/**
 * Parameters.
 */
parameters?: number, 
/**
 * How its weights are stored: `Q4_K_M`, `BF16`.
 */
quantization?: string, 
/**
 * Tokens of context that it was trained with.
 */
context_length?: number, 
/**
 * Its chat template; absent where its files hold none: it is then no model to chat with, or one whose server must
 * be told a template.
 */
chat?: ChatTemplate, 
/**
 * What is wrong with it; then it cannot be served.
 */
problem?: string, 
/**
 * Whether it fits; absent where it has a problem.
 */
estimate?: FitEstimate, };

/**
 * Models of this machine.
 */
export type LocalModelSettings = { 
/**
 * Folders to look for models in, besides the usual ones.
 */
folders: Array<string>, 
/**
 * Path of `llama-server`; absent for the one found.
 */
llama_server?: string, 
/**
 * Path of a Python that has vLLM, or of a `vllm` program; absent for the one found.
 */
vllm?: string, 
/**
 * Servers to start.
 */
servers: Array<LocalServerSettings>, 
/**
 * Several may be loaded although together they would not fit.
 */
overcommit: boolean, };

/**
 * What a server that is started here does now.
 */
export type LocalPhase = { "kind": "asleep" } | { "kind": "waiting", 
/**
 * The name of the other.
 */
for_name: string, } | { "kind": "loading", 
/**
 * Part that is done, from 0 to 1, where it can be told.
 */
progress?: number, 
/**
 * What it does, as it says itself.
 */
step?: string, } | { "kind": "ready" } | { "kind": "stopping" } | { "kind": "failed", 
/**
 * What happened, with what to do.
 */
why: string, 
/**
 * When it is tried again, milliseconds from now; absent where nothing is planned: a request tries again, unless
 * the cause lasts or it ended too often.
 */
retry_in_ms?: number, };

/**
 * What there is on this machine.
 */
export type LocalScan = { 
/**
 * Models, by name.
 */
models: Array<LocalModel>, 
/**
 * Folders that were looked at and are there.
 */
folders: Array<string>, 
/**
 * Folders of the settings that could not be read, with why.
 */
unreadable: Array<string>, 
/**
 * Programs.
 */
runtimes: Array<RuntimeFound>, 
/**
 * Engines whose containers can serve models too.
 */
engines: Array<ContainerEngine>, 
/**
 * Memory.
 */
hardware: Hardware, };

/**
 * A server that is started here, as it is now.
 */
export type LocalServer = { 
/**
 * Which.
 */
id: string, 
/**
 * What it does.
 */
phase: LocalPhase, 
/**
 * Since when, milliseconds since 1970.
 */
since_ms: number, 
/**
 * Its process.
 */
pid?: number, 
/**
 * The name of its container, where it runs in one.
 */
container?: string, 
/**
 * Bytes of main memory that it and its children use.
 */
memory_bytes?: number, 
/**
 * When it is unloaded if nobody asks, milliseconds from now.
 */
idle_in_ms?: number, 
/**
 * Times it ended by itself since it was last started by hand.
 */
restarts: number, };

/**
 * Names a server that is started here.
 */
export type LocalServerRef = { 
/**
 * The server's id.
 */
server: string, };

/**
 * A model server that is started here.
 */
export type LocalServerSettings = { 
/**
 * Its id, which never changes.
 */
id: string, 
/**
 * The model's name that clients ask for.
 */
name: string, 
/**
 * What serves it.
 */
runtime: Runtime, 
/**
 * The container that it runs in; absent for a program of this machine.
 */
container?: ServerContainer, 
/**
 * The GGUF file, or the folder of safetensors.
 */
model: string, 
/**
 * Tokens of context; absent for what the model was trained with, or less where memory asks for it.
 */
context_length?: number, 
/**
 * Requests at once, from 1; absent for the program's own choice.
 */
parallel?: number, 
/**
 * Layers on the GPU; absent for as many as fit. llama.cpp only.
 */
gpu_layers?: number, 
/**
 * More arguments for the program, one each.
 */
arguments: Array<string>, 
/**
 * Minutes without a request until it is unloaded; 0 for never; absent for [`IDLE_MINUTES`].
 */
idle_minutes?: number, 
/**
 * False where it is not to be started, not even by a request.
 */
enabled: boolean, };

/**
 * Makes a directory, with its parents.
 */
export type MakeDirectory = { 
/**
 * The directory.
 */
path: string, };

/**
 * A match inside a line.
 */
export type MatchRange = { 
/**
 * First UTF-16 code unit within [`LineMatch::text`].
 */
start: number, 
/**
 * One past the last.
 */
end: number, };

/**
 * A name of a model, and where it leads.
 */
export type ModelAlias = { 
/**
 * The name that clients ask for.
 */
name: string, 
/**
 * Where it leads; one at least.
 */
targets: Array<Target>, };

/**
 * How a model is stored.
 */
export type ModelFormat = "gguf" | "safetensors";

/**
 * A model as its server describes it.
 */
export type ModelInfo = { 
/**
 * Its name on that server.
 */
id: string, 
/**
 * When it was made, in seconds since 1970; 0 where the server does not say.
 */
created: number, 
/**
 * Tokens that fit into its context as the server runs it, where the server says so.
 */
context_length?: number, 
/**
 * What a person should know about it.
 */
note?: string, };

/**
 * How programs of this machine reach the models.
 */
export type OwnAccess = { 
/**
 * For `OPENAI_BASE_URL`.
 */
url: string, 
/**
 * For `OPENAI_API_KEY`.
 */
key: string, };

/**
 * What one owner of keys has used, beside what it may.
 */
export type OwnerUsage = { 
/**
 * A workspace's id, or the name of another key.
 */
owner: string, 
/**
 * Its requests that are not at their end.
 */
open: number, 
/**
 * Since midnight.
 */
day: UsageSum, 
/**
 * Since the month's first day.
 */
month: UsageSum, 
/**
 * What it may.
 */
limits: KeyLimits, };

/**
 * A workspace's creation plan.
 */
export type Plan = { 
/**
 * The steps.
 */
steps: Array<PlanStep>, 
/**
 * Why it stopped, where it did.
 */
error?: ApiError, 
/**
 * True where it makes a container anew for a workspace whose files are there already: cancelling keeps them.
 */
recreates: boolean, };

/**
 * Lines of a creation log.
 */
export type PlanLogLines = { 
/**
 * The step that wrote them.
 */
step: StepKind, 
/**
 * The lines, without line ends.
 */
lines: Array<string>, };

/**
 * One step of a creation plan.
 */
export type PlanStep = { 
/**
 * Which step.
 */
kind: StepKind, 
/**
 * How far it is.
 */
state: StepState, 
/**
 * Begin, milliseconds since 1970.
 */
started_ms?: number, 
/**
 * Duration in milliseconds, once ended.
 */
duration_ms?: number, 
/**
 * What it is doing or found, one line.
 */
note?: string, };

/**
 * A port of a workspace: listening, forwarded, or both.
 */
export type PortEntry = { 
/**
 * The target.
 */
target: ForwardTarget, 
/**
 * What listens there, when it is in the workspace itself.
 */
listening?: ListeningPort, 
/**
 * The forward, when open.
 */
forward?: Forward, };

/**
 * What a model costs. The first entry that fits counts; without one a request costs nothing.
 */
export type Price = { 
/**
 * Id or name of the server; `*` for any.
 */
backend: string, 
/**
 * The model's name there; `*` at its end stands for any rest.
 */
model: string, 
/**
 * For a million tokens of questions.
 */
input: number, 
/**
 * For a million tokens of answers.
 */
output: number, 
/**
 * For a million tokens of questions that the server had cached; absent for the price of the others.
 */
cached_input?: number, };

/**
 * A running process.
 */
export type ProcessInfo = { 
/**
 * Process id inside the container.
 */
pid: number, 
/**
 * Parent's process id.
 */
parent: number, 
/**
 * Command line, arguments joined by spaces, cut to 400 characters.
 */
command: string, 
/**
 * Resident memory in bytes.
 */
memory_bytes: number, 
/**
 * CPU use since the sample before, in percent of one core.
 */
cpu_percent: number, };

/**
 * How much a workspace is trusted.
 */
export type Profile = "standard" | "locked";

/**
 * An update that is under way, or the last of its kind since the start.
 */
export type ProgramUpdate = { 
/**
 * Of what.
 */
of: UpdateOf, 
/**
 * How far it is.
 */
phase: UpdatePhase, 
/**
 * When it began, milliseconds since 1970.
 */
since_ms: number, };

/**
 * A port of the container published by the engine itself.
 */
export type PublishedPort = { 
/**
 * TCP port inside.
 */
container: number, 
/**
 * TCP port on this machine's loopback; absent for any free one.
 */
host?: number, };

/**
 * Asks for a range of a file; the bytes come in the reply's body.
 */
export type ReadFile = { 
/**
 * The file.
 */
path: string, 
/**
 * First byte.
 */
offset: number, 
/**
 * Number of bytes wanted, at most [`MAX_FILE_CHUNK`]; fewer come at the end of the file.
 */
length: number, };

/**
 * Which part of a container's output is read.
 */
export type ReadLogs = { 
/**
 * Which workspace.
 */
workspace: WorkspaceId, 
/**
 * Lines from the end of what there is; absent for 1000.
 */
tail?: number, 
/**
 * Whether what comes later follows; absent for yes.
 */
follow?: boolean, };

/**
 * Renames or moves a file or directory.
 */
export type Rename = { 
/**
 * What to move.
 */
from: string, 
/**
 * Its new full path.
 */
to: string, 
/**
 * Replace an existing file; otherwise [`AlreadyExists`](crate::ErrorCode::AlreadyExists).
 */
overwrite: boolean, };

/**
 * Gives a terminal a name, or takes it away.
 */
export type RenameTerminal = { 
/**
 * Which.
 */
terminal: TerminalId, 
/**
 * The name; empty for none.
 */
name: string, };

/**
 * Renames a workspace.
 */
export type RenameWorkspace = { 
/**
 * Which.
 */
workspace: WorkspaceId, 
/**
 * Its new name, 1 to 64 characters.
 */
name: string, };

/**
 * A file that a replacement could not change.
 */
export type ReplaceFailure = { 
/**
 * The file.
 */
path: string, 
/**
 * Why.
 */
reason: string, };

/**
 * What a replacement did.
 */
export type ReplaceOutcome = { 
/**
 * Files changed.
 */
changed: Array<string>, 
/**
 * Matches replaced.
 */
replacements: number, 
/**
 * Files not changed, with the reason.
 */
failed: Array<ReplaceFailure>, };

/**
 * Replaces every match of a search in the named files. Each file is written atomically; one that changed since
 * its version was read by this call is left alone and reported.
 */
export type ReplaceText = { 
/**
 * What to look for; `max_matches` is not used.
 */
search: SearchText, 
/**
 * The replacement; with a regular expression `$1` and `${name}` stand for groups.
 */
replacement: string, 
/**
 * The files to change.
 */
files: Array<string>, };

/**
 * How a request ended.
 */
export type RequestEnd = "complete" | "refused" | "failed" | "cut" | "stalled" | "told_error" | "cancelled";

/**
 * A request in the ledger.
 */
export type RequestEntry = { 
/**
 * Its place in the ledger; a later one is higher.
 */
id: number, 
/**
 * The id that the client was told.
 */
request: string, 
/**
 * When it came, milliseconds since 1970.
 */
at_ms: number, 
/**
 * Whose key it came with.
 */
owner: string, 
/**
 * Its path after `/v1/`.
 */
endpoint: string, 
/**
 * The model's name, as asked for.
 */
model: string, 
/**
 * Id of the server that answered, where one did.
 */
backend?: string, 
/**
 * The model's name there.
 */
backend_model?: string, 
/**
 * Times it was sent to a server.
 */
attempts: number, 
/**
 * The answer came as events.
 */
streamed: boolean, 
/**
 * Status that the client was given; absent where it left before.
 */
status?: number, 
/**
 * How it ended.
 */
end: RequestEnd, 
/**
 * Tokens of the question, as the server told; where its answer was cut off, an estimate.
 */
input_tokens?: number, 
/**
 * Tokens of the answer, as the server told; where it was cut off, an estimate.
 */
output_tokens?: number, 
/**
 * Money.
 */
cost: number, 
/**
 * The currency that it was priced in; absent where nobody knows.
 */
currency?: string, 
/**
 * Milliseconds of waiting for a place at a server.
 */
queued_ms: number, 
/**
 * Milliseconds until it was sent to the server that answered: our own work, waiting, and attempts that failed.
 */
before_ms: number, 
/**
 * Milliseconds from then to the answer's first piece.
 */
first_ms?: number, 
/**
 * Milliseconds from the request's last byte to the end.
 */
total_ms: number, 
/**
 * Question and answer are kept.
 */
is_kept: boolean, };

/**
 * Names a request of the ledger.
 */
export type RequestRef = { 
/**
 * The id that its client was told.
 */
request: string, };

/**
 * Which requests are asked for.
 */
export type RequestsQuery = { 
/**
 * Only those before this place in the ledger; absent for the newest.
 */
before?: number, 
/**
 * Only those of this owner.
 */
owner?: string, 
/**
 * Only those that did not end complete.
 */
only_troubled: boolean, 
/**
 * At most this many, up to 500; 0 for 100.
 */
limit: number, };

/**
 * Changes a terminal's size; the smallest attached client does not count, the last one to ask wins.
 */
export type ResizeTerminal = { 
/**
 * Which.
 */
terminal: TerminalId, 
/**
 * Columns.
 */
columns: number, 
/**
 * Rows.
 */
rows: number, };

/**
 * Brings back what one [`TrashFiles`] took. Fails with `AlreadyExists` where something new stands in its place.
 */
export type RestoreTrash = { 
/**
 * From [`Trashed::token`].
 */
token: string, };

/**
 * A program that serves models.
 */
export type Runtime = "llama_cpp" | "vllm";

/**
 * A program that serves models, as found here.
 */
export type RuntimeFound = { 
/**
 * Which.
 */
runtime: Runtime, 
/**
 * Its path; absent where there is none.
 */
path?: string, 
/**
 * Its version, as it says itself.
 */
version?: string, 
/**
 * Why it cannot be used, or is not found.
 */
problem?: string, 
/**
 * How it is brought up to date; absent where there is none.
 */
update?: UpdateWay, };

/**
 * Use at one moment. Absent values cannot be measured on this engine.
 */
export type Sample = { 
/**
 * Milliseconds since 1970, by the cockpit's clock.
 */
at_ms: number, 
/**
 * CPU, percent of one core.
 */
cpu_percent: number, 
/**
 * Memory without page cache, bytes.
 */
memory_bytes: number, 
/**
 * Memory limit, bytes; absent where none is set.
 */
memory_limit_bytes?: number, 
/**
 * Bytes received since the container started.
 */
network_received_bytes: number, 
/**
 * Bytes sent since the container started.
 */
network_sent_bytes: number, 
/**
 * Bytes read from disk since the container started.
 */
disk_read_bytes: number, 
/**
 * Bytes written to disk since the container started.
 */
disk_written_bytes: number, 
/**
 * Processes and threads.
 */
pids: number, };

/**
 * One message of a search stream.
 */
export type SearchMessage = { "kind": "matches", 
/**
 * The files.
 */
files: Array<FileMatches>, } | { "kind": "done", 
/**
 * Files searched.
 */
files_searched: number, 
/**
 * Matching lines found.
 */
matches: number, 
/**
 * More matches exist than were asked for.
 */
limited: boolean, };

/**
 * A text search.
 */
export type SearchText = { 
/**
 * Directory to search.
 */
root: string, 
/**
 * What to look for.
 */
pattern: string, 
/**
 * The pattern is a regular expression (Rust regex syntax).
 */
regex: boolean, 
/**
 * Upper and lower case differ.
 */
case_sensitive: boolean, 
/**
 * Match whole words only.
 */
whole_word: boolean, 
/**
 * Globs of files to search; empty for all.
 */
include: Array<string>, 
/**
 * Globs of files to leave out.
 */
exclude: Array<string>, 
/**
 * Search ignored (.gitignore) and hidden files too.
 */
include_ignored: boolean, 
/**
 * Stop after this many matching lines; at most 100,000.
 */
max_matches: number, };

/**
 * A container that a model server runs in. It has no network, and of this machine it sees the model and files that its
 * arguments name by their whole path.
 */
export type ServerContainer = { 
/**
 * An engine of this machine.
 */
engine: EngineId, 
/**
 * The image, by reference. It is pulled where the engine has it not.
 */
image: string, 
/**
 * Whether it gets the GPUs; absent for yes where the engine passes them on.
 */
gpu?: boolean, };

/**
 * An image that serves models.
 */
export type ServerImage = { 
/**
 * Its reference.
 */
image: string, 
/**
 * What is in it.
 */
runtime: Runtime, 
/**
 * Bytes on disk, where the engine has it; absent for one that would be pulled.
 */
bytes?: number, };

/**
 * The settings.
 */
export type Settings = { 
/**
 * Colours.
 */
theme: Theme, 
/**
 * Size of code in the editor, pixels, 8 to 32.
 */
editor_font_size: number, 
/**
 * Size of terminal text, pixels, 8 to 32.
 */
terminal_font_size: number, 
/**
 * Spaces a tab stands for, 1 to 16.
 */
tab_size: number, 
/**
 * Long lines wrap.
 */
word_wrap: boolean, 
/**
 * Save by itself, milliseconds after the last change; 0 for never.
 */
autosave_delay_ms: number, 
/**
 * The editor shows the minimap.
 */
minimap: boolean, 
/**
 * Address range from which each workspace's network takes a /28.
 */
network_range: string, 
/**
 * Engine for new workspaces; absent for the first that is ready.
 */
default_engine?: EngineId, 
/**
 * Forward ports by themselves when a program starts to listen.
 */
auto_forward: boolean, 
/**
 * The base image's starting point.
 */
base_image_from: string, 
/**
 * Clusters, by the name of their context in the kubeconfig.
 */
clusters: { [key in string]: ClusterSettings }, 
/**
 * Model servers, and the names of their models.
 */
models: BrokerSettings, 
/**
 * Model servers that are started on this machine.
 */
local_models: LocalModelSettings, 
/**
 * No byte leaves this machine for models, images and clones.
 */
offline: boolean, };

/**
 * Sends a signal to a process of the workspace's user.
 */
export type SignalProcess = { 
/**
 * Which.
 */
pid: number, 
/**
 * POSIX signal name without `SIG`, for instance `TERM`.
 */
signal: string, };

/**
 * Sends a signal to the terminal's foreground process group.
 */
export type SignalTerminal = { 
/**
 * Which.
 */
terminal: TerminalId, 
/**
 * POSIX signal name without `SIG`, for instance `INT`.
 */
signal: string, };

/**
 * Where a workspace's files come from.
 */
export type Source = { "kind": "git", 
/**
 * Anything `git clone` takes; a path or `file://` names a repository on this machine.
 */
url: string, 
/**
 * Branch or tag; absent for the repository's own default.
 */
branch?: string, } | { "kind": "folder", 
/**
 * Absolute path on the engine's machine.
 */
path: string, } | { "kind": "empty" };

/**
 * Asks for a file's state.
 */
export type Stat = { 
/**
 * The file.
 */
path: string, };

/**
 * A value of the UI's state.
 */
export type StateEntry = { 
/**
 * At most 200 characters.
 */
key: string, 
/**
 * At most 1 MiB of JSON.
 */
value: JsonValue, };

/**
 * Names a value of the UI's state.
 */
export type StateKey = { 
/**
 * At most 200 characters, for instance `workspace/<id>/layout`.
 */
key: string, };

/**
 * The steps of a creation plan, in order.
 */
export type StepKind = "image" | "agent" | "network" | "volume" | "clone" | "container" | "start" | "connect";

/**
 * How far one step is.
 */
export type StepState = "waiting" | "running" | "done" | "skipped" | "failed";

/**
 * Why a stream ended.
 */
export type StreamEnd = { "kind": "finished", 
/**
 * For uploads: the file as written.
 */
stat?: FileStat, } | { "kind": "resync" } | { "kind": "closed" } | { "kind": "failed", 
/**
 * Why.
 */
error: ApiError, };

/**
 * A byte stream between one UI connection and the cockpit. Numbered by the cockpit per connection.
 */
export type StreamId = number;

/**
 * A stream was opened for this connection.
 */
export type StreamOpened = { 
/**
 * Its id.
 */
stream: StreamId, };

/**
 * Where a model's name leads.
 */
export type Target = { 
/**
 * Id or name of the backend.
 */
backend: string, 
/**
 * The model's name there.
 */
model: string, 
/**
 * Lower ones are asked first; among equals the least busy one.
 */
priority: number, };

/**
 * A terminal was attached.
 */
export type TerminalAttached = { 
/**
 * The stream of its bytes.
 */
stream: StreamId, 
/**
 * Where it stands.
 */
attached: Attached, };

/**
 * How a terminal's program ended.
 */
export type TerminalExit = { 
/**
 * Exit status; 128 + signal where a signal ended it.
 */
status: number, };

/**
 * A terminal of one workspace, numbered by its agent from 1; never reused while the container lives.
 */
export type TerminalId = number;

/**
 * A terminal as lists show it.
 */
export type TerminalInfo = { 
/**
 * Its number.
 */
id: TerminalId, 
/**
 * Title set by the program, or its name.
 */
title: string, 
/**
 * Name given by the person, shown in place of the title.
 */
name?: string, 
/**
 * Working directory, by shell integration or the kernel.
 */
directory?: string, 
/**
 * Columns.
 */
columns: number, 
/**
 * Rows.
 */
rows: number, 
/**
 * Exit status of the last command at the prompt, by shell integration (OSC 133).
 */
last_status?: number, 
/**
 * True while a command runs at the prompt (by shell integration), or the foreground group is not the shell's.
 */
busy: boolean, 
/**
 * Present once the program has ended; the screen stays readable until the terminal is closed.
 */
exit?: TerminalExit, };

/**
 * Colours of the UI.
 */
export type Theme = "system" | "light" | "dark";

/**
 * One entry of a workspace's timeline.
 */
export type TimelineEntry = { 
/**
 * Milliseconds since 1970.
 */
at_ms: number, 
/**
 * What happened, one sentence.
 */
text: string, 
/**
 * True for failures.
 */
failed: boolean, };

/**
 * Moves files to the trash, from where [`RestoreTrash`] brings them back.
 */
export type TrashFiles = { 
/**
 * What to delete.
 */
paths: Array<string>, };

/**
 * What was put into the trash together.
 */
export type Trashed = { 
/**
 * Names this deletion for [`RestoreTrash`].
 */
token: string, };

/**
 * A question to try a model with.
 */
export type TryModel = { 
/**
 * The model's name, as any client gives it.
 */
model: string, 
/**
 * The question, at most 64 KiB.
 */
prompt: string, };

/**
 * What is brought up to date.
 */
export type UpdateOf = { "kind": "program", 
/**
 * Which.
 */
runtime: Runtime, } | { "kind": "image", 
/**
 * The engine that keeps it.
 */
engine: EngineId, 
/**
 * Its reference.
 */
image: string, };

/**
 * How far an update is.
 */
export type UpdatePhase = { "kind": "running", 
/**
 * Part that is done, from 0 to 1, where it can be told.
 */
progress?: number, 
/**
 * What it does, as the program says that does it.
 */
step?: string, } | { "kind": "done", 
/**
 * What was there before.
 */
from?: string, 
/**
 * What is there now.
 */
to?: string, } | { "kind": "failed", 
/**
 * What happened, with what to do.
 */
why: string, } | { "kind": "cancelled" };

/**
 * An update to begin. Servers that run what is updated are stopped first, and start again when they are asked for.
 */
export type UpdateRequest = { 
/**
 * What.
 */
of: UpdateOf, 
/**
 * The version to have, also an older one; absent for the newest. For programs only.
 */
version?: string, };

/**
 * How a program is brought up to date.
 */
export type UpdateWay = { "kind": "here", 
/**
 * A version may be named, also an older one.
 */
versions: boolean, } | { "kind": "by_hand", 
/**
 * A sentence that tells how, with the command where there is one.
 */
how: string, };

/**
 * Where an upload goes.
 */
export type UploadFile = { 
/**
 * The file to write, or the directory to unpack into.
 */
path: string, 
/**
 * For a file: what must be there.
 */
condition: WriteCondition, 
/**
 * The bytes are a tar archive. Entries that lead out of the directory are refused.
 */
archive?: boolean, };

/**
 * By what usage is told apart.
 */
export type UsageBy = "model" | "backend" | "owner";

/**
 * The usage of one model, server or owner.
 */
export type UsageGroup = { 
/**
 * The model's name, the server's id, or the owner.
 */
name: string, 
/**
 * All of it.
 */
sum: UsageSum, 
/**
 * By step, in the order of [`UsageReport::steps`].
 */
series: Array<UsageSum>, 
/**
 * Median milliseconds to the first piece of an answer; absent where none came.
 */
first_ms?: number, 
/**
 * Tokens of answers a second, from the first piece to the end, over all its streams.
 */
tokens_per_second?: number, };

/**
 * Which usage is asked for.
 */
export type UsageQuery = { 
/**
 * From here, milliseconds since 1970.
 */
from_ms: number, 
/**
 * Up to but without this, milliseconds since 1970.
 */
to_ms: number, 
/**
 * Told apart by this.
 */
by: UsageBy, 
/**
 * In steps of this.
 */
step: UsageStep, };

/**
 * The ledger's sums.
 */
export type UsageReport = { 
/**
 * The currency of all costs. What was priced in another one is not added to them.
 */
currency: string, 
/**
 * Other currencies in which costs of this time are, which are not among these sums.
 */
other_currencies?: Array<string>, 
/**
 * When each step begins, milliseconds since 1970. Steps without a request are there too.
 */
steps: Array<number>, 
/**
 * All of it.
 */
total: UsageSum, 
/**
 * Median milliseconds to the first piece of an answer, over all groups; absent where none came.
 */
first_ms?: number, 
/**
 * Tokens of answers a second, from the first piece to the end, over all streams.
 */
tokens_per_second?: number, 
/**
 * Most tokens first.
 */
groups: Array<UsageGroup>, 
/**
 * Requests since the start that could not be written down.
 */
lost: number, 
/**
 * Why they could not; absent where none was lost.
 */
why_lost?: string, };

/**
 * Width of the bars of a chart.
 */
export type UsageStep = "hour" | "day";

/**
 * Sums of requests.
 */
export type UsageSum = { 
/**
 * Requests.
 */
requests: number, 
/**
 * Of these, the ones without a whole answer by somebody's fault but the client's.
 */
failed: number, 
/**
 * Of these, the ones refused by a limit or for the client's fault.
 */
refused: number, 
/**
 * Of these, the ones whose client went away.
 */
cancelled: number, 
/**
 * Tokens of questions.
 */
input_tokens: number, 
/**
 * Tokens of answers.
 */
output_tokens: number, 
/**
 * Money.
 */
cost: number, };

/**
 * Sets the directories to watch, replacing the set before. Not recursive: the tree watches what it shows.
 */
export type WatchDirectories = { 
/**
 * The directories.
 */
paths: Array<string>, };

/**
 * Whether a client wants to know what workspaces use.
 */
export type WatchSamples = { 
/**
 * True while somebody looks.
 */
on: boolean, };

/**
 * A workspace as the dashboard shows it.
 */
export type Workspace = { 
/**
 * Its id.
 */
id: WorkspaceId, 
/**
 * Its name, unique within the cockpit.
 */
name: string, 
/**
 * Its engine.
 */
engine: EngineId, 
/**
 * What it is made from.
 */
spec: WorkspaceSpec, 
/**
 * Its state.
 */
state: WorkspaceState, 
/**
 * A sentence where the state needs one (why it failed, why it ended).
 */
message?: string, 
/**
 * When it was created, milliseconds since 1970.
 */
created_ms: number, 
/**
 * When it was last opened, milliseconds since 1970.
 */
last_used_ms?: number, 
/**
 * The creation plan, while it runs or has failed.
 */
plan?: Plan, 
/**
 * The newest sample, while it runs.
 */
sample?: Sample, 
/**
 * The Git branch last seen.
 */
branch?: string, 
/**
 * True for a container that was imported: deleting the workspace leaves it alone.
 */
imported: boolean, };

/**
 * What a person can ask of a workspace.
 */
export type WorkspaceAction = "open" | "start" | "stop" | "restart" | "pause" | "unpause" | "retry" | "recreate" | "let_go" | "cancel" | "delete";

/**
 * A workspace: 16 lower-case letters and digits, so that it can be a host name label and a container name part.
 */
export type WorkspaceId = string;

/**
 * What the agent says of the inside of a workspace.
 */
export type WorkspaceInside = { 
/**
 * The workspace folder.
 */
folder: string, 
/**
 * The user's name, or its number where it has none.
 */
user: string, 
/**
 * User id.
 */
uid: number, 
/**
 * Home directory.
 */
home: string, 
/**
 * Default shell; absent where the image has none.
 */
shell?: string, 
/**
 * Shells that exist in the image.
 */
shells: Array<string>, 
/**
 * `sudo` works inside.
 */
sudo: boolean, 
/**
 * The image has Git.
 */
git: boolean, 
/**
 * Operating system's name, from `/etc/os-release`.
 */
os?: string, };

/**
 * Names a workspace.
 */
export type WorkspaceRef = { 
/**
 * Which.
 */
workspace: WorkspaceId, };

/**
 * A workspace's newest sample.
 */
export type WorkspaceSample = { 
/**
 * Whose.
 */
workspace: WorkspaceId, 
/**
 * The sample.
 */
sample: Sample, };

/**
 * Everything a workspace is made from. Kept as a label of its container, so that the list can be rebuilt.
 */
export type WorkspaceSpec = { 
/**
 * Where the files come from.
 */
source: Source, 
/**
 * The image.
 */
image: Image, 
/**
 * How much it is trusted.
 */
profile: Profile, 
/**
 * Limits.
 */
limits: Limits, 
/**
 * Pass the host's certificate authorities on to the workspace.
 */
trust_host_certificates: boolean, 
/**
 * Pass the host's GPU on.
 */
gpu: boolean, 
/**
 * Ports published by the engine.
 */
published_ports: Array<PublishedPort>, 
/**
 * Variables of the environment.
 */
env: { [key in string]: string }, };

/**
 * The state of a workspace.
 */
export type WorkspaceState = "creating" | "failed" | "starting" | "running" | "paused" | "stopping" | "stopped" | "lost" | "stranded" | "unreachable" | "deleting";

/**
 * What a write expects to find.
 */
export type WriteCondition = { "kind": "any" } | { "kind": "missing" } | { "kind": "version", 
/**
 * The version the editor last saw.
 */
version: string, };

/**
 * Replaces a file's content with the request's body, atomically, keeping its permissions. A write in place
 * happens only where a rename would change meaning: hard links, mount points, folders that are not writable.
 */
export type WriteFile = { 
/**
 * The file; a link is followed.
 */
path: string, 
/**
 * What must be there; otherwise [`Conflict`](crate::ErrorCode::Conflict) and nothing is written.
 */
condition: WriteCondition, 
/**
 * Make missing parent directories.
 */
create_parents: boolean, };

/** Every operation: what is sent and what comes back. */
export interface Operations {
  /** What this host is and can do. */
  "host.info": { params: Empty; reply: Host };
  /** The settings. */
  "settings.get": { params: Empty; reply: Settings };
  /** Replaces the settings. */
  "settings.put": { params: Settings; reply: Empty };
  /** A value of the UI's own state; null where there is none. */
  "state.get": { params: StateKey; reply: JsonValue };
  /** Keeps a value of the UI's own state; null removes it. */
  "state.put": { params: StateEntry; reply: Empty };
  /** The model servers that are used, as they are now. */
  "models.backends": { params: Empty; reply: Array<BackendState> };
  /** Asks a model server that is used for its models now, also where it fails and would be asked later; then all. */
  "models.check": { params: BackendRef; reply: Array<BackendState> };
  /** Model servers of this machine that are not among the settings, as they would be added. */
  "models.discover": { params: Empty; reply: Array<BackendSettings> };
  /** Keeps or forgets the key of a model server. */
  "models.key": { params: BackendKey; reply: Empty };
  /** Address and a new key for programs of this machine; keys told before end. */
  "models.access": { params: Empty; reply: OwnAccess };
  /** Asks a model, to try it: opens a stream of the answer's text. */
  "models.try": { params: TryModel; reply: StreamOpened };
  /** Sums of what models were used for. */
  "models.usage": { params: UsageQuery; reply: UsageReport };
  /** What each owner of a key has used today and this month, beside its limits. */
  "models.owners": { params: Empty; reply: Array<OwnerUsage> };
  /** Single requests, newest first. */
  "models.requests": { params: RequestsQuery; reply: Array<RequestEntry> };
  /** What was asked and answered; null where it is not kept. */
  "models.request": { params: RequestRef; reply: KeptRequest | null };
  /** Looks for model files, programs that serve them, and memory. */
  "local_models.scan": { params: Empty; reply: LocalScan };
  /** The servers that are started here, as they are now. */
  "local_models.servers": { params: Empty; reply: Array<LocalServer> };
  /** Starts one; it is shown while it loads. */
  "local_models.start": { params: LocalServerRef; reply: Empty };
  /** Ends one; requests to it that are on their way end with an error. */
  "local_models.stop": { params: LocalServerRef; reply: Empty };
  /** What one wrote, oldest line first: the last 2,000 lines, also of runs before. */
  "local_models.log": { params: LocalServerRef; reply: Array<string> };
  /** Begins to bring a program or an image up to date; how far it is comes as events. */
  "local_models.update": { params: UpdateRequest; reply: Empty };
  /** Calls an update off. A program stays as it was, or as its installer leaves it. */
  "local_models.cancel_update": { params: UpdateOf; reply: Empty };
  /** Updates that are under way, and the last of each kind since the start. */
  "local_models.updates": { params: Empty; reply: Array<ProgramUpdate> };
  /** Every engine and its health. */
  "engine.list": { params: Empty; reply: Array<EngineInfo> };
  /** Looks for engines again, now. */
  "engine.refresh": { params: Empty; reply: Array<EngineInfo> };
  /** Containers that are no workspace yet and can be imported. */
  "engine.containers": { params: EngineRef; reply: Array<ForeignContainer> };
  /** Images on an engine. */
  "engine.images": { params: EngineRef; reply: Array<ImageInfo> };
  /** Every workspace. */
  "workspace.list": { params: Empty; reply: Array<Workspace> };
  /** Creates a workspace; returns at once, its plan runs on. */
  "workspace.create": { params: CreateWorkspace; reply: Workspace };
  /** Makes a workspace of an existing container. */
  "workspace.import": { params: ImportContainer; reply: Workspace };
  /** Starts a stopped workspace. */
  "workspace.start": { params: WorkspaceRef; reply: Empty };
  /** Stops a workspace: SIGTERM, SIGKILL after 10 s. */
  "workspace.stop": { params: WorkspaceRef; reply: Empty };
  /** Stops and starts a workspace. */
  "workspace.restart": { params: WorkspaceRef; reply: Empty };
  /** Freezes a workspace. */
  "workspace.pause": { params: WorkspaceRef; reply: Empty };
  /** Thaws a workspace. */
  "workspace.unpause": { params: WorkspaceRef; reply: Empty };
  /** Renames a workspace. */
  "workspace.rename": { params: RenameWorkspace; reply: Empty };
  /** Runs a failed creation plan again, from the step that failed. */
  "workspace.retry": { params: WorkspaceRef; reply: Empty };
  /** Makes a container anew for a workspace that lost its own; its files are kept. */
  "workspace.recreate": { params: WorkspaceRef; reply: Empty };
  /** Forgets what ran of a workspace on a machine that does not answer. It may run on there, and write to the volume. */
  "workspace.let_go": { params: WorkspaceRef; reply: Empty };
  /** Stops a creation plan and removes what it made. */
  "workspace.cancel": { params: WorkspaceRef; reply: Empty };
  /** What deleting would lose. */
  "workspace.delete_preview": { params: WorkspaceRef; reply: DeletePreview };
  /** Deletes a workspace: container, network and volume. */
  "workspace.delete": { params: WorkspaceRef; reply: Empty };
  /** What happened to a workspace, oldest first. */
  "workspace.timeline": { params: WorkspaceRef; reply: Array<TimelineEntry> };
  /** The creation log so far, by step. */
  "workspace.plan_log": { params: WorkspaceRef; reply: Array<PlanLogLines> };
  /** Samples of the last ten minutes, oldest first. */
  "workspace.history": { params: WorkspaceRef; reply: Array<Sample> };
  /** Asks for [`Event::Samples`] from now on, or for no more of them. Workspaces are measured while anyone asks. */
  "workspace.watch_samples": { params: WatchSamples; reply: Empty };
  /** Streams the container's own output, its last lines first. */
  "workspace.logs": { params: ReadLogs; reply: StreamOpened };
  /** Connects to a workspace's agent (starting the container where it is stopped) and notes the use. */
  "workspace.open": { params: WorkspaceRef; reply: WorkspaceInside };
  /** A file's state. */
  "fs.stat": { params: In<Stat>; reply: FileStat };
  /** A directory's entries. */
  "fs.list": { params: In<ListDirectory>; reply: Listing };
  /** A range of a file. */
  "fs.read": { params: In<ReadFile>; reply: FileStat };
  /** Replaces a file's content. */
  "fs.write": { params: In<WriteFile>; reply: FileStat };
  /** Makes a directory. */
  "fs.mkdir": { params: In<MakeDirectory>; reply: Empty };
  /** Renames or moves. */
  "fs.rename": { params: In<Rename>; reply: Empty };
  /** Copies. */
  "fs.copy": { params: In<Copy>; reply: Empty };
  /** Deletes, with undo. */
  "fs.trash": { params: In<TrashFiles>; reply: Trashed };
  /** Undoes a deletion. */
  "fs.restore": { params: In<RestoreTrash>; reply: Empty };
  /** Sets what this client watches in a workspace. */
  "fs.watch": { params: In<WatchDirectories>; reply: Empty };
  /** Opens a stream that takes a file's bytes. */
  "fs.upload": { params: In<UploadFile>; reply: StreamOpened };
  /** Opens a stream that gives a file's bytes, or a tar archive of a directory. */
  "fs.download": { params: In<DownloadFile>; reply: StreamOpened };
  /** The Git state around a path; null outside a repository. */
  "git.status": { params: In<GitStatus>; reply: GitState | null };
  /** Opens a stream of search results, each message one line of JSON. */
  "search.text": { params: In<SearchText>; reply: StreamOpened };
  /** Finds files by name. */
  "search.files": { params: In<FindFiles>; reply: FoundFiles };
  /** Replaces in files. */
  "search.replace": { params: In<ReplaceText>; reply: ReplaceOutcome };
  /** A workspace's terminals. */
  "terminal.list": { params: WorkspaceRef; reply: Array<TerminalInfo> };
  /** Starts a terminal. */
  "terminal.create": { params: In<CreateTerminal>; reply: TerminalInfo };
  /** Starts a terminal of root's, for images without `sudo`. Refused in the Locked profile. */
  "terminal.create_as_root": { params: In<CreateTerminal>; reply: TerminalInfo };
  /** Opens a stream of a terminal's bytes, both ways. */
  "terminal.attach": { params: In<AttachTerminal>; reply: TerminalAttached };
  /** Changes a terminal's size. */
  "terminal.resize": { params: In<ResizeTerminal>; reply: Empty };
  /** Names a terminal. */
  "terminal.rename": { params: In<RenameTerminal>; reply: Empty };
  /** Sends a signal to a terminal's foreground processes. */
  "terminal.signal": { params: In<SignalTerminal>; reply: Empty };
  /** Ends a terminal. */
  "terminal.close": { params: In<CloseTerminal>; reply: Empty };
  /** A workspace's processes. */
  "process.list": { params: WorkspaceRef; reply: Array<ProcessInfo> };
  /** Signals a process. */
  "process.signal": { params: In<SignalProcess>; reply: Empty };
  /** Opens a stream to a program without a terminal; frames as in [`process::ExecFrame`]. */
  "process.exec": { params: In<Exec>; reply: StreamOpened };
  /** A workspace's ports and forwards. */
  "port.list": { params: WorkspaceRef; reply: Array<PortEntry> };
  /** Opens a forward. */
  "port.forward": { params: In<ForwardTarget>; reply: Forward };
  /** Closes a forward. */
  "port.close": { params: In<ForwardTarget>; reply: Empty };
  /** Keeps unsaved text; acknowledged once it is on disk. */
  "draft.put": { params: In<Draft>; reply: Empty };
  /** Unsaved texts of a workspace, without content. */
  "draft.list": { params: WorkspaceRef; reply: Array<Draft> };
  /** An unsaved text's content. */
  "draft.get": { params: In<DraftRef>; reply: Draft };
  /** Forgets an unsaved text. */
  "draft.delete": { params: In<DraftRef>; reply: Empty };
}

/** Operations whose request carries bytes. */
export const REQUEST_BODY = ["fs.write", "draft.put"] as const;

/** Operations whose reply carries bytes. */
export const REPLY_BODY = ["fs.read", "draft.get"] as const;

/** What can be asked of a workspace in which state. */
export const ALLOWED_STATES: Record<WorkspaceAction, readonly WorkspaceState[]> = {
  "open": ["creating", "starting", "running", "paused", "stopped"],
  "start": ["stopped"],
  "stop": ["starting", "running", "paused", "stranded"],
  "restart": ["running", "paused"],
  "pause": ["running"],
  "unpause": ["paused"],
  "retry": ["failed"],
  "recreate": ["lost"],
  "let_go": ["stranded"],
  "cancel": ["creating"],
  "delete": ["creating", "failed", "starting", "running", "paused", "stopping", "stopped", "lost", "stranded", "unreachable"],
};

/** Bytes of a frame before its JSON text. */
export const HEADER_LEN = 9;

/** The largest frame accepted, in bytes. */
export const MAX_FRAME_LEN = 16777216;

/** Credit a stream starts with, in bytes. */
export const INITIAL_STREAM_CREDIT = 524288;

/** Most bytes of a file in one request or reply. */
export const MAX_FILE_CHUNK = 8388608;
