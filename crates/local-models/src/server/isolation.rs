//! What happens in a new process between fork and exec: its own session, its end with ours, no network while offline.
//!
//! Nothing here may allocate or lock: other threads of this process may have held any lock when it was forked.

use super::process::SpawnError;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use std::ffi::CStr;
use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use tokio::process::Command;

/// The kernel ends model servers before anything else where memory runs out.
const OOM_SCORE: &[u8] = b"800";

/// A step that can fail, as the process tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Step {
    Namespace = 1,
    Loopback = 2,
    Tie = 3,
}

/// Hears which step failed.
#[derive(Debug)]
pub(super) struct Told {
    pipe: OwnedFd,
    // Open until the process was started: it inherits it.
    _sender: OwnedFd,
}

impl Told {
    /// Why the process could not be started, for people, where a step of ours failed.
    pub(super) fn why(self, error: &io::Error) -> Option<SpawnError> {
        let mut step = [0];
        let mut pipe = std::fs::File::from(self.pipe);
        pipe.read_exact(&mut step).ok()?;
        let step =
            [Step::Namespace, Step::Loopback, Step::Tie].into_iter().find(|one| *one as u8 == step[0])?;
        Some(match step {
            Step::Namespace | Step::Loopback => SpawnError::NoIsolation(format!(
                "offline is on, and the kernel does not let a server be started without a network ({error}): allow \
                 user namespaces (sysctl kernel.unprivileged_userns_clone=1, on Ubuntu also \
                 kernel.apparmor_restrict_unprivileged_userns=0), or switch offline off"
            )),
            Step::Tie => {
                SpawnError::Other(format!("the process could not be tied to AiCockpit ({error}); try again"))
            }
        })
    }
}

/// Prepares a command. It must be started by a thread that lives as long as the server may: the kernel ends the
/// process with that thread.
///
/// # Errors
/// Where there are no file descriptors left.
pub(super) fn isolate(command: &mut Command, offline: bool) -> io::Result<Told> {
    let (pipe, sender) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    let tell = sender.as_raw_fd();
    let parent = nix::unistd::getpid().as_raw();
    let maps = Maps::of_this_user();
    let run = move || {
        let failed = |step: Step| move |error: io::Error| told(tell, step, error);
        if offline {
            leave_network(&maps).map_err(failed(Step::Namespace))?;
            raise_loopback().map_err(failed(Step::Loopback))?;
        }
        tie(parent).map_err(failed(Step::Tie))?;
        // The kernel lets everyone raise it; where there is no /proc, things stay as they are.
        let _ = write(c"/proc/self/oom_score_adj", OOM_SCORE);
        Ok(())
    };
    #[expect(
        unsafe_code,
        reason = "nothing else runs between fork and exec; the closure makes system calls only"
    )]
    // SAFETY: system calls on memory that is ready before the fork; nothing is allocated and no lock is taken.
    unsafe {
        command.pre_exec(run);
    }
    Ok(Told { pipe, _sender: sender })
}

#[expect(unsafe_code, reason = "the descriptor is a bare number on this side of the fork")]
fn told(tell: RawFd, step: Step, error: io::Error) -> io::Error {
    let byte = [step as u8];
    // SAFETY: one byte of the stack is written to a descriptor that the parent keeps open.
    unsafe { libc::write(tell, byte.as_ptr().cast(), 1) };
    error
}

/// Lines for the user namespace: the process stays who it is.
struct Maps {
    user: String,
    group: String,
}

impl Maps {
    fn of_this_user() -> Self {
        let line = |id: u32| {
            let mut line = String::new();
            let _ = write!(line, "{id} {id} 1");
            line
        };
        Self { user: line(nix::unistd::geteuid().as_raw()), group: line(nix::unistd::getegid().as_raw()) }
    }
}

#[expect(unsafe_code, reason = "namespaces are left by a bare system call")]
fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: no memory is passed.
    Ok(Errno::result(unsafe { libc::unshare(flags) }).map(drop)?)
}

/// Leaves the network. Who may not do so alone does it in a user namespace.
fn leave_network(maps: &Maps) -> io::Result<()> {
    if unshare(libc::CLONE_NEWNET).is_ok() {
        return Ok(());
    }
    unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)?;
    // Without these it is nobody in its own eyes, which Python's libraries take badly. Nothing depends on it.
    let _ = write(c"/proc/self/setgroups", b"deny");
    let _ = write(c"/proc/self/uid_map", maps.user.as_bytes());
    let _ = write(c"/proc/self/gid_map", maps.group.as_bytes());
    Ok(())
}

#[expect(unsafe_code, reason = "std's files allocate")]
fn write(path: &CStr, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the path ends with a zero, the bytes are there for the whole call, and the descriptor is ours to close.
    unsafe {
        let file = Errno::result(libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC))?;
        let written = Errno::result(libc::write(file, bytes.as_ptr().cast(), bytes.len()));
        libc::close(file);
        Ok(written.map(drop)?)
    }
}

/// Programs talk to themselves over loopback, which is down in a new namespace.
#[expect(unsafe_code, reason = "an interface is raised by an ioctl")]
fn raise_loopback() -> io::Result<()> {
    // SAFETY: the request is zeroed and holds a name that ends with a zero, as SIOCSIFFLAGS wants it.
    unsafe {
        let socket = Errno::result(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?;
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
            *to = from.cast_signed();
        }
        // IFF_UP and IFF_RUNNING fit.
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        let raised = Errno::result(libc::ioctl(socket, libc::SIOCSIFFLAGS, &request));
        libc::close(socket);
        Ok(raised.map(drop)?)
    }
}

/// A session of its own, and an end with the thread that forked. Last: a change of rights would undo it.
#[expect(unsafe_code, reason = "these are bare system calls")]
fn tie(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: no memory is passed.
    unsafe {
        Errno::result(libc::setsid())?;
        Errno::result(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        // It may have ended before that.
        if libc::getppid() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
    }
    Ok(())
}
