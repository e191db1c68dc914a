//! What engines are told and what they tell.

use aicockpit_protocol::ContainerId;
use aicockpit_protocol::engine::EngineCapabilities;
use bytes::Bytes;
use std::net::Ipv4Addr;

/// An image's id, as the engine names it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ImageId(pub String);

/// What an engine says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineVersion {
    /// The engine's own version.
    pub version: String,
    /// Processor architecture in OCI's terms.
    pub architecture: String,
    /// What it can do here.
    pub capabilities: EngineCapabilities,
    /// What it lacks and why, what it depends on: a sentence each, for people.
    pub notes: Vec<String>,
}

/// What every engine of this machine can do, whatever else it can.
pub fn abilities_of_this_machine() -> EngineCapabilities {
    EngineCapabilities {
        images: true,
        files_at_rest: true,
        host_folders: true,
        published_ports: true,
        keeps_root: true,
        exec_options: true,
        no_network: true,
        sudo: true,
        split_logs: true,
        ..EngineCapabilities::default()
    }
}

/// A container to make.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// The image, by reference or id.
    pub image: String,
    /// Replaces the image's entry point; the arguments of the image are then not used.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's arguments.
    pub command: Option<Vec<String>>,
    /// `uid[:gid]`; absent for the image's.
    pub user: Option<String>,
    /// Variables added to the image's.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub working_directory: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Mounts.
    pub mounts: Vec<Mount>,
    /// Name of the one network; absent for no network at all.
    pub network: Option<String>,
    /// Published ports, on the host's loopback only.
    pub ports: Vec<PortBinding>,
    /// The whole set of capabilities (without `CAP_`): all others are dropped.
    pub capabilities: Vec<String>,
    /// Processes can gain no privileges (no setuid, so no sudo).
    pub no_new_privileges: bool,
    /// The root file system is read-only.
    pub read_only_root: bool,
    /// Memory limit, bytes (swap none beyond it).
    pub memory_bytes: Option<u64>,
    /// CPU limit, thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Limit on processes and threads.
    pub pids: Option<u64>,
    /// Pass all GPUs on.
    pub gpu: bool,
    /// Map the calling user to this uid and gid inside (rootless Podman's keep-id); ignored without `keep_id`.
    pub keep_id: Option<(u32, u32)>,
    /// The engine starts it anew where it ended by itself; ignored without `self_healing`.
    pub self_healing: bool,
}

impl ContainerSpec {
    /// Refuses mounts that only engines without files at rest have; the others put such things into volumes.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`], naming the mount.
    pub fn check_mounts_of_files_at_rest(&self) -> crate::Result<()> {
        let foreign = |mount: &&Mount| {
            matches!(
                mount.source,
                MountSource::VolumeFolder { .. } | MountSource::Program | MountSource::File(_)
            )
        };
        match self.mounts.iter().find(foreign) {
            Some(mount) => Err(crate::EngineError::Unsupported(format!(
                "{} would have to be filled by the engine itself",
                mount.target
            ))),
            None => Ok(()),
        }
    }
}

/// A mount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Where it appears inside.
    pub target: String,
    /// Not writable.
    pub read_only: bool,
    /// What is mounted.
    pub source: MountSource,
}

/// What is mounted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MountSource {
    /// A named volume.
    Volume(String),
    /// A folder within a named volume, made when it is not there; for engines without `files_at_rest`.
    VolumeFolder {
        /// The volume.
        volume: String,
        /// One path component.
        folder: String,
    },
    /// A folder that holds the product's own program under its own name; for engines without `files_at_rest`. The
    /// program is there before the container's first process starts.
    Program,
    /// A file with this content, read-only, at most 512 KiB; for engines without `host_folders`.
    File(Bytes),
    /// A folder or file of the engine's machine.
    Bind(String),
    /// Memory, at most this many bytes, `exec` allowed. The container's user may write there, whatever the image has at
    /// that place.
    Tmpfs(u64),
}

/// The product's own program: what [`MountSource::Program`] holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Its name there; another content is another name.
    pub file_name: String,
    /// The file on this machine.
    pub path: std::path::PathBuf,
    /// Its length, bytes.
    pub len: u64,
}

/// A TCP port published on the host's loopback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortBinding {
    /// Inside.
    pub container: u16,
    /// On the host; absent for any free one.
    pub host: Option<u16>,
}

/// Whether a container runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContainerState {
    /// Made, never started.
    Created,
    /// Was started, and waits for the engine: for a machine, an image, a volume.
    Starting,
    /// Runs.
    Running,
    /// Frozen.
    Paused,
    /// Ran and ended.
    Exited,
    /// On a machine that does not answer: whether it runs is not known.
    Stranded,
    /// Being removed, dead, or in a state that we do not know.
    Other,
}

/// A container in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerSummary {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without a slash.
    pub name: String,
    /// Its image, as it was named.
    pub image: String,
    /// Whether it runs.
    pub state: ContainerState,
    /// Its labels.
    pub labels: Vec<(String, String)>,
}

/// What a container really runs with, read back from the engine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerDetails {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without a slash.
    pub name: String,
    /// Its image's id.
    pub image: String,
    /// Its image as it was asked for.
    pub image_reference: String,
    /// Where its programs start; empty for `/`.
    pub working_directory: String,
    /// Whether it runs.
    pub state: ContainerState,
    /// Exit status, once ended.
    pub exit_status: Option<i64>,
    /// Killed for using more memory than its limit.
    pub out_of_memory: bool,
    /// Process id of its first process on the engine's machine; absent when not running, or where the engine does not
    /// tell.
    pub pid: Option<u32>,
    /// When it was last started, as the engine says it (RFC 3339); changes with every start.
    pub started_at: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// The user it was configured with.
    pub user: String,
    /// Published ports as they are: the host's side is known once it runs.
    pub ports: Vec<PortBinding>,
    /// What it waits for while it is [`ContainerState::Starting`], what is known of its machine while it is
    /// [`ContainerState::Stranded`], or why it does not run, in the engine's own words.
    pub reason: Option<String>,
}

/// A program to run in a container.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExecSpec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// `uid[:gid]`; absent for the container's.
    pub user: Option<String>,
    /// Variables added.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub working_directory: Option<String>,
}

/// Something happened to a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerEvent {
    /// Which.
    pub container: ContainerId,
    /// Its labels, where the engine sends them.
    pub labels: Vec<(String, String)>,
    /// What.
    pub kind: ContainerEventKind,
}

/// What happened to a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ContainerEventKind {
    /// Made.
    Created,
    /// Started.
    Started,
    /// Its first process ended, with this status where the engine says so.
    Died(Option<i64>),
    /// Frozen.
    Paused,
    /// Thawed.
    Unpaused,
    /// Its machine does not answer.
    Stranded,
    /// A process was killed for memory.
    OutOfMemory,
    /// Removed.
    Removed,
    /// The engine tells something of it, in its own words.
    Told {
        /// One or two sentences.
        text: String,
        /// It is a failure, or will be one unless somebody acts.
        failed: bool,
    },
}

/// Counters and gauges of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ContainerStats {
    /// CPU time used since the start, nanoseconds, all cores together.
    pub cpu_total_ns: u64,
    /// Memory without page cache, bytes.
    pub memory_bytes: u64,
    /// Limit; absent where none is set.
    pub memory_limit_bytes: Option<u64>,
    /// Network bytes received.
    pub network_received_bytes: u64,
    /// Network bytes sent.
    pub network_sent_bytes: u64,
    /// Bytes read from disks.
    pub disk_read_bytes: u64,
    /// Bytes written to disks.
    pub disk_written_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Nothing but CPU and memory was measured; the rest is zero.
    pub cpu_and_memory_only: bool,
}

/// A piece of a container's output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogChunk {
    /// From stderr.
    pub stderr: bool,
    /// The bytes, not cut at lines.
    pub bytes: Bytes,
}

/// An image to build.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageBuild {
    /// Its name with tag.
    pub reference: String,
    /// Tar archive of the context, with a `Dockerfile` at its root.
    pub context: Bytes,
    /// Build arguments.
    pub arguments: Vec<(String, String)>,
    /// Labels.
    pub labels: Vec<(String, String)>,
}

/// An image in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageSummary {
    /// Its id.
    pub id: ImageId,
    /// Its names.
    pub references: Vec<String>,
    /// Size, bytes.
    pub size: u64,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
}

/// What an image says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageDetails {
    /// Its id.
    pub id: ImageId,
    /// Architecture in OCI's terms.
    pub architecture: String,
    /// Its user, as configured; empty for root.
    pub user: String,
    /// Its variables.
    pub env: Vec<(String, String)>,
    /// Its entry point.
    pub entrypoint: Vec<String>,
    /// Its arguments.
    pub command: Vec<String>,
    /// Its working directory; empty for `/`.
    pub working_directory: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
}

/// An IPv4 range.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Subnet {
    /// First address.
    pub address: Ipv4Addr,
    /// Bits of the network part, 0 to 32.
    pub prefix: u8,
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl std::str::FromStr for Subnet {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (address, prefix) = text.split_once('/').ok_or(())?;
        let subnet =
            Self { address: address.parse().map_err(|_| ())?, prefix: prefix.parse().map_err(|_| ())? };
        if subnet.prefix <= 32 { Ok(subnet) } else { Err(()) }
    }
}

impl Subnet {
    /// Whether two ranges share an address.
    pub fn overlaps(self, other: Self) -> bool {
        let bits = self.prefix.min(other.prefix);
        let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
        u32::from(self.address) & mask == u32::from(other.address) & mask
    }
}

/// A network to make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkSpec {
    /// Its name.
    pub name: String,
    /// Its range; absent for one of the engine's choice.
    pub subnet: Option<Subnet>,
    /// Labels.
    pub labels: Vec<(String, String)>,
}

/// A network in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkSummary {
    /// Its name.
    pub name: String,
    /// Its IPv4 ranges.
    pub subnets: Vec<Subnet>,
    /// Its labels.
    pub labels: Vec<(String, String)>,
}
