//! Shell integration: the shells tell where a prompt and a command begin (OSC 133) and their directory (OSC 7).
//!
//! Nothing is written into the user's files. bash reads a start file held in memory by the daemon, which first reads
//! what bash would have read; zsh is pointed at a folder with one start file that points it back; fish takes its
//! commands as an argument. Where any of this does not work, the shell starts as it always does.

use nix::sys::memfd::{MFdFlags, memfd_create};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const BASH: &str = include_str!("shell/integration.bash");
const ZSH: &str = include_str!("shell/integration.zsh");
const FISH: &str = include_str!("shell/integration.fish");

/// The start files, kept for as long as the daemon lives.
#[derive(Debug)]
pub(super) struct Integration {
    bash: Option<File>,
    zsh: Option<PathBuf>,
}

/// What to add to a shell's command line and environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Additions {
    pub(super) arguments: Vec<OsString>,
    pub(super) env: Vec<(&'static str, OsString)>,
}

impl Integration {
    pub(super) fn prepare() -> Self {
        Self { bash: in_memory(BASH), zsh: zsh_folder() }
    }

    /// What makes `program`, started without arguments, tell its prompts.
    pub(super) fn for_shell(&self, program: &Path) -> Additions {
        let mut additions = Additions::default();
        match program.file_name().and_then(|name| name.to_str()) {
            Some("bash") => {
                if let Some(path) = self.bash.as_ref().and_then(readable_path) {
                    additions.arguments = vec!["--rcfile".into(), path.into(), "-i".into()];
                }
            }
            Some("zsh") => {
                if let Some(folder) = &self.zsh {
                    if let Some(own) = std::env::var_os("ZDOTDIR") {
                        additions.env.push(("AICOCKPIT_ZDOTDIR", own));
                    }
                    additions.env.push(("ZDOTDIR", folder.clone().into()));
                }
            }
            Some("fish") => additions.arguments = vec!["--init-command".into(), FISH.into()],
            _ => {}
        }
        additions
    }
}

impl Drop for Integration {
    fn drop(&mut self) {
        if let Some(folder) = &self.zsh {
            // In a folder for temporary files; what is left is theirs to clean.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn in_memory(text: &str) -> Option<File> {
    let mut file = File::from(memfd_create("aicockpit-bashrc", MFdFlags::MFD_CLOEXEC).ok()?);
    file.write_all(text.as_bytes()).ok()?;
    Some(file)
}

/// A path under which a child can open `file`: descriptors above 2 do not reach it, the daemon's do.
fn readable_path(file: &File) -> Option<String> {
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    File::open(&path).is_ok().then_some(path)
}

fn zsh_folder() -> Option<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let parents = runtime.into_iter().chain(["/dev/shm".into(), "/tmp".into()]);
    parents.into_iter().find_map(|parent| {
        let folder = parent.join(format!("aicockpit-zsh-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&folder).ok()?;
        fs::write(folder.join(".zshenv"), ZSH).ok()?;
        Some(folder)
    })
}
