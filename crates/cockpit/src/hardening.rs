//! What a workspace's container may do.
//!
//! **Invariant:** nothing a repository brings changes anything here; only the person's own choice of profile, limits
//! and folder does. Never mounted: the engine's socket, the host's system directories, any host path but the chosen
//! folder and (on request, read-only) the certificate bundle. Seccomp is the engine's default and is never switched
//! off.
//!
//! | | Standard | Locked |
//! |---|---|---|
//! | user | 1000, or the folder's owner | the same |
//! | capabilities | [`STANDARD_CAPABILITIES`], for `sudo` alone: the user itself holds none | none |
//! | no-new-privileges | no, or `sudo` could not work | yes |
//! | root file system | writable | read-only; `/tmp`, `/var/tmp`, `/run` in memory, home a volume |
//! | network | its own | none |
//! | processes | 4,096 | 4,096 |
//! | memory | 80 % of the machine | 80 % of the machine |
//!
//! The memory limit leaves the host, and with it the cockpit and the other workspaces, room to answer while one
//! workspace runs away; a person's own limit replaces it. An engine on other machines has none by itself. Where an
//! engine does not allow `sudo` to work, Standard has no capabilities and no new privileges either.

use aicockpit_protocol::engine::EngineCapabilities;
use aicockpit_protocol::workspace::Limits;
use aicockpit_protocol::{ApiError, ErrorCode};
use std::path::{Path, PathBuf};

/// Processes and threads of a workspace, where its owner set no other limit.
pub const DEFAULT_PIDS: u64 = 4096;
/// Share of the machine's memory that one workspace may use, in percent, where its owner set no other limit.
pub const DEFAULT_MEMORY_PERCENT: u64 = 80;
/// User and group id of a workspace's user.
pub const WORKSPACE_UID: u32 = 1000;
/// Directories of a Locked workspace that are in memory and that its user may write to.
pub const LOCKED_TMPFS: &[&str] = &["/tmp", "/var/tmp", "/run"];
/// Size of each of [`LOCKED_TMPFS`], bytes at most.
pub const LOCKED_TMPFS_BYTES: u64 = 512 * 1024 * 1024;
/// What is in memory counts as memory: all of [`LOCKED_TMPFS`] together leave at least half of the limit to programs,
/// so that a full one is a full disk to the program that fills it and no end of the container.
const LOCKED_TMPFS_SHARE: u64 = 2 * LOCKED_TMPFS.len() as u64;

/// Size of each of [`LOCKED_TMPFS`] under a memory limit.
pub fn locked_tmpfs_bytes(limits: &Limits) -> u64 {
    limits
        .memory_bytes
        .map_or(LOCKED_TMPFS_BYTES, |memory| LOCKED_TMPFS_BYTES.min(memory / LOCKED_TMPFS_SHARE))
}

/// Every capability that a Standard workspace's root (reached by `sudo`) holds, and why. No more than every engine
/// grants by itself: what is added on top Podman hands to the user, too. So `AUDIT_WRITE` is not here; sudo is told
/// not to report to the machine's audit log instead.
pub const STANDARD_CAPABILITIES: &[(&str, &str)] = &[
    ("CHOWN", "dpkg gives installed files to their owners"),
    ("DAC_OVERRIDE", "root writes below /var and /etc, and into the user's own folders"),
    ("FOWNER", "dpkg sets modes and times of files that others own"),
    ("FSETID", "dpkg keeps the setuid and setgid bits of what it installs"),
    ("SETUID", "sudo becomes root, apt becomes _apt for its downloads"),
    ("SETGID", "the same, for groups"),
    ("SETFCAP", "packages such as iputils-ping set file capabilities"),
    ("KILL", "root ends processes of the user and of _apt"),
    ("NET_BIND_SERVICE", "servers under test listen on ports below 1024"),
    ("SYS_CHROOT", "sshd and package scripts separate their privileges with chroot"),
];

/// The host's certificate bundle inside a workspace that trusts the host's authorities.
pub const CERTIFICATES_TARGET: &str = "/etc/ssl/aicockpit-host-certificates.crt";
/// Where Linux distributions keep the bundle.
const CERTIFICATE_BUNDLES: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];
/// Where a person's own choice of a bundle is found: what other programs of this machine trust, too.
const BUNDLE_VARIABLE: &str = "SSL_CERT_FILE";
/// Variables by which programs are told of a bundle.
pub const CERTIFICATE_VARIABLES: &[&str] = &[
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CURL_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
];

/// Names of [`STANDARD_CAPABILITIES`].
pub fn standard_capabilities() -> Vec<String> {
    STANDARD_CAPABILITIES.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// The host's certificate bundle, where it has one: `SSL_CERT_FILE`, else the system's.
pub fn host_certificates() -> Option<PathBuf> {
    bundle(std::env::var_os(BUNDLE_VARIABLE).map(PathBuf::from))
}

fn bundle(chosen: Option<PathBuf>) -> Option<PathBuf> {
    let chosen = chosen.filter(|path| path.is_absolute());
    chosen.into_iter().chain(CERTIFICATE_BUNDLES.iter().map(PathBuf::from)).find(|path| path.is_file())
}

/// The variables that point a workspace's programs at [`CERTIFICATES_TARGET`].
pub fn certificate_variables() -> Vec<(String, String)> {
    CERTIFICATE_VARIABLES.iter().map(|name| ((*name).to_owned(), CERTIFICATES_TARGET.to_owned())).collect()
}

/// The limits that really apply: the person's own, else the defaults; none that the engine cannot enforce.
pub fn effective_limits(asked: &Limits, capabilities: &EngineCapabilities) -> Limits {
    Limits {
        memory_bytes: asked
            .memory_bytes
            .or_else(|| {
                // An engine that sees this machine's folders runs on it.
                let bytes = machine_memory_bytes().filter(|_| capabilities.host_folders)?;
                Some(bytes / 100 * DEFAULT_MEMORY_PERCENT)
            })
            .filter(|_| capabilities.memory_limit),
        cpu_millis: asked.cpu_millis.filter(|_| capabilities.cpu_limit),
        pids: Some(asked.pids.unwrap_or(DEFAULT_PIDS)).filter(|_| capabilities.pids_limit),
    }
}

/// Refuses limits that no workspace can live with.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`], naming the limit and its least value.
pub fn check_limits(limits: &Limits) -> Result<(), ApiError> {
    let checks = [
        ("memory limit", limits.memory_bytes, 64 * 1024 * 1024, "64 MiB"),
        ("CPU limit", limits.cpu_millis, 100, "0.1 of a core"),
        ("limit on processes", limits.pids, 64, "64"),
    ];
    for (what, value, least, least_text) in checks {
        if value.is_some_and(|value| value < least) {
            return Err(ApiError::new(
                ErrorCode::InvalidArgument,
                format!("The {what} is below {least_text}."),
            )
            .hint(format!("Choose at least {least_text}, or no limit.")));
        }
    }
    Ok(())
}

/// Total memory of this machine; absent where the system does not say it in Linux's way.
fn machine_memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Directories of the host that are never given to a workspace, with all that lies below them.
const FORBIDDEN_TREES: &[&str] = &[
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/var/run",
    "/boot",
    "/etc",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/var/lib/docker",
    "/var/lib/containers",
    "/var/lib/containerd",
    "/var/lib/kubelet",
];
/// Directories that are refused themselves, while folders below them may be given.
const FORBIDDEN_ROOTS: &[&str] =
    &["/", "/var", "/var/lib", "/home", "/root", "/tmp", "/opt", "/srv", "/mnt", "/media"];
/// Sockets that would hand the engine over.
const ENGINE_SOCKETS: &[&str] = &["docker.sock", "podman.sock", "podman/podman.sock", "containerd.sock"];

/// Checks a host folder and follows its links.
///
/// # Errors
/// [`ErrorCode::NotFound`] and [`ErrorCode::NotADirectory`] for what cannot be mounted,
/// [`ErrorCode::PermissionDenied`] for what would give the host away.
pub fn check_folder(path: &str) -> Result<PathBuf, ApiError> {
    if !path.starts_with('/') {
        return Err(ApiError::new(
            ErrorCode::InvalidArgument,
            format!("The folder “{path}” is not an absolute path."),
        )
        .hint("Give the whole path, beginning with /."));
    }
    let not_given = |folder: &Path, reason: &str| {
        ApiError::new(
            ErrorCode::PermissionDenied,
            format!("The folder {} is not given to a workspace: {reason}.", folder.display()),
        )
        .hint("Choose a folder of your own below it, such as a project's.")
    };
    let real = std::fs::canonicalize(path).map_err(|error| {
        // What cannot even be looked at, such as another process's root, says as much by its name.
        if let Some(reason) = forbidden(Path::new(path)).filter(|_| !path.contains("..")) {
            return not_given(Path::new(path), reason);
        }
        let code = match error.kind() {
            std::io::ErrorKind::PermissionDenied => ErrorCode::PermissionDenied,
            _ => ErrorCode::NotFound,
        };
        ApiError::new(code, format!("The folder {path} cannot be used: {error}."))
            .hint("Check the path, and that your user may read it.")
    })?;
    if !real.is_dir() {
        return Err(ApiError::new(ErrorCode::NotADirectory, format!("{path} is not a folder."))
            .hint("Choose the folder that holds it."));
    }
    if let Some(reason) = forbidden(&real) {
        return Err(not_given(&real, reason));
    }
    Ok(real)
}

fn forbidden(real: &Path) -> Option<&'static str> {
    let is = |root: &&str| real == Path::new(*root);
    let below = |root: &&str| real.starts_with(*root);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    if FORBIDDEN_ROOTS.iter().any(is) {
        return Some("it holds much more than one project");
    }
    if home.is_some_and(|home| std::fs::canonicalize(&home).unwrap_or(home) == real) {
        return Some("it is your home folder, with your keys and passwords in it");
    }
    if FORBIDDEN_TREES.iter().any(below) {
        return Some("it belongs to the system");
    }
    if ENGINE_SOCKETS.iter().any(|socket| real.join(socket).exists()) {
        return Some("a container engine's socket lies in it, and whoever has that has this machine");
    }
    None
}

/// The user that owns a host folder's files and so should run the workspace: the owner, or
/// [`WORKSPACE_UID`] where that is root.
///
/// # Errors
/// When the folder cannot be looked at.
pub fn folder_user(folder: &Path) -> std::io::Result<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(folder)?;
    Ok(match metadata.uid() {
        0 => (WORKSPACE_UID, WORKSPACE_UID),
        uid => (uid, metadata.gid()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_give_the_host_away_are_refused() {
        let with_socket = tempfile::tempdir().unwrap();
        std::fs::write(with_socket.path().join("docker.sock"), b"").unwrap();
        let link = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/", link.path().join("root")).unwrap();
        let cases = [
            ("/", ErrorCode::PermissionDenied),
            ("/../", ErrorCode::PermissionDenied),
            ("/etc", ErrorCode::PermissionDenied),
            ("/proc/self", ErrorCode::PermissionDenied),
            ("/sys/kernel", ErrorCode::PermissionDenied),
            ("/var/run", ErrorCode::PermissionDenied),
            ("/home", ErrorCode::PermissionDenied),
            (link.path().join("root").to_str().unwrap(), ErrorCode::PermissionDenied),
            (with_socket.path().to_str().unwrap(), ErrorCode::PermissionDenied),
            (with_socket.path().join("docker.sock").to_str().unwrap(), ErrorCode::NotADirectory),
            ("/no/such/folder", ErrorCode::NotFound),
            ("relative", ErrorCode::InvalidArgument),
        ]
        .map(|(path, code)| (path.to_owned(), code));
        for (path, code) in cases {
            let error = check_folder(&path).unwrap_err();
            assert_eq!(error.code, code, "{path}: {error}");
            assert!(error.hint.is_some(), "{path}: {error}");
        }
    }

    #[test]
    fn an_ordinary_folder_is_accepted_and_its_links_followed() {
        let directory = tempfile::tempdir().unwrap();
        let project = directory.path().join("project");
        std::fs::create_dir(&project).unwrap();
        std::os::unix::fs::symlink(&project, directory.path().join("link")).unwrap();
        let found = check_folder(directory.path().join("link").to_str().unwrap()).unwrap();
        assert_eq!(found, std::fs::canonicalize(project).unwrap());
    }

    #[test]
    fn a_bundle_of_the_persons_own_comes_before_the_systems() {
        let own = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(bundle(Some(own.path().to_owned())).as_deref(), Some(own.path()));
        let system = bundle(None);
        for wrong in ["/no/such/file", "relative.crt", "/etc"] {
            assert_eq!(bundle(Some(wrong.into())), system, "{wrong}");
        }
    }

    #[test]
    fn limits_below_the_least_are_refused_and_defaults_follow_the_engine() {
        let small = Limits { memory_bytes: Some(1), ..Limits::default() };
        assert_eq!(check_limits(&small).unwrap_err().code, ErrorCode::InvalidArgument);
        let elsewhere =
            EngineCapabilities { memory_limit: true, pids_limit: true, ..EngineCapabilities::default() };
        let limits = effective_limits(&Limits::default(), &elsewhere);
        assert_eq!((limits.pids, limits.memory_bytes), (Some(DEFAULT_PIDS), None));
        let here = EngineCapabilities { host_folders: true, ..elsewhere };
        let limits = effective_limits(&Limits::default(), &here);
        assert_eq!(limits.memory_bytes.is_some(), cfg!(target_os = "linux"));
        assert_eq!(effective_limits(&Limits::default(), &EngineCapabilities::default()), Limits::default());
    }
}
