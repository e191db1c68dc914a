//! Podman: the machine's own, and one of a user without rights.

use super::Started;
use crate::shell::{self, Run};
use anyhow::{Context as _, bail};
use nix::unistd::{Gid, Uid, User};
use std::path::{Path, PathBuf};

/// Where a rootful Podman listens by default.
const ROOTFUL_SOCKET: &str = "/run/podman/podman.sock";
/// The user under whom Podman runs without rights, where this process is root.
const TEST_USER: &str = "aicockpit-test";

/// Makes sure that Podman's service answers: as root the machine's, otherwise this user's.
pub(crate) fn podman(started: &mut Started) -> anyhow::Result<()> {
    if shell::which("podman").is_none() {
        bail!("Podman is not installed: `sudo apt-get install podman`");
    }
    configure()?;
    if shell::is_root() {
        serve(started, "podman", Path::new(ROOTFUL_SOCKET), shell::run("podman"))
    } else {
        serve(started, "podman", &own_socket()?, shell::run("podman"))
    }
}

/// Makes sure that a Podman without rights answers and holds the images that the tests run; gives its socket.
pub(crate) fn rootless_podman(started: &mut Started) -> anyhow::Result<PathBuf> {
    if !shell::is_root() {
        return own_socket();
    }
    let user = test_user()?;
    open_devices()?;
    let runtime = PathBuf::from(format!("/run/user/{}", user.uid));
    make_folder_of(&user, &runtime)?;
    let socket = runtime.join("podman/podman.sock");
    make_folder_of(&user, &runtime.join("podman"))?;
    configure_storage(&user)?;
    serve(started, "rootless podman", &socket, as_user(&user, &runtime).args(["podman"]))?;
    super::images::all_for(|| as_user(&user, &runtime).args(["podman"]))?;
    Ok(socket)
}

fn serve(started: &mut Started, name: &'static str, socket: &Path, podman: Run) -> anyhow::Result<()> {
    let address = format!("unix://{}", socket.display());
    let answers = || socket.exists() && shell::run("podman").args(["--url", &address, "version"]).succeeds();
    if !answers() {
        let directory = socket.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        // Its monitors leave notes where it was started.
        let podman = podman.dir(directory);
        started.start(name, podman.args(["system", "service", "--time=0", &address]), answers)?;
    }
    println!("{name}: answers at {}", socket.display());
    Ok(())
}

fn own_socket() -> anyhow::Result<PathBuf> {
    let runtime =
        std::env::var_os("XDG_RUNTIME_DIR").context("XDG_RUNTIME_DIR is not set: sign in to a session")?;
    Ok(PathBuf::from(runtime).join("podman/podman.sock"))
}

fn test_user() -> anyhow::Result<User> {
    let find = || User::from_name(TEST_USER).context("cannot read the users of this machine");
    if let Some(user) = find()? {
        return Ok(user);
    }
    // Debian's useradd gives it ranges of subordinate ids, which Podman needs.
    shell::run("useradd").args(["--create-home", "--shell", "/bin/bash", TEST_USER]).show()?;
    find()?.with_context(|| format!("useradd made no user {TEST_USER}"))
}

/// A machine without udev leaves these two to root; without them a user has no container network and no overlay.
fn open_devices() -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    for device in ["/dev/net/tun", "/dev/fuse"] {
        if Path::new(device).exists() {
            std::fs::set_permissions(device, std::fs::Permissions::from_mode(0o666))
                .with_context(|| format!("cannot open {device} to users"))?;
        }
    }
    Ok(())
}

fn make_folder_of(user: &User, path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    let (uid, gid) = (Uid::from_raw(user.uid.as_raw()), Gid::from_raw(user.gid.as_raw()));
    nix::unistd::chown(path, Some(uid), Some(gid))
        .with_context(|| format!("cannot hand over {}", path.display()))
}

/// Debian's Podman copies whole images for each container of a user; since Linux 5.13 a user can have layers, too. In
/// a folder of their own, since a storage keeps to the way in which it was begun.
fn configure_storage(user: &User) -> anyhow::Result<()> {
    let folder = user.dir.join(".config/containers");
    let path = folder.join("storage.conf");
    if path.exists() {
        return Ok(());
    }
    make_folder_of(user, &user.dir.join(".config"))?;
    make_folder_of(user, &folder)?;
    let layers = user.dir.join(".local/share/containers/overlay-storage");
    let text = format!(
        "[storage]\ndriver = \"overlay\"\ngraphroot = \"{}\"\nrunroot = \"/run/user/{}/containers-overlay\"\n",
        layers.display(),
        user.uid
    );
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Begins a command line that runs as `user`, in a session of its own.
fn as_user(user: &User, runtime: &Path) -> Run {
    shell::run("runuser")
        .args(["--user", &user.name, "--", "env", "--ignore-environment"])
        .args([format!("HOME={}", user.dir.display()), format!("XDG_RUNTIME_DIR={}", runtime.display())])
        .args(["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"])
        .dir(&user.dir)
}

/// crun refuses a machine with both cgroup versions, and such a machine lacks CAP_SYS_RESOURCE for Podman's default
/// limits. Written only where nothing is configured.
fn configure() -> anyhow::Result<()> {
    let path = Path::new("/etc/containers/containers.conf");
    if path.exists() || Path::new("/run/systemd/system").exists() {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    println!("writing {}", path.display());
    let text = "[containers]\ndefault_ulimits = [\"nofile=20000:20000\", \"nproc=10000:10000\"]\n\n\
                [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\n";
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
