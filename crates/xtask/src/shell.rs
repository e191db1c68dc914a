//! Running other programs.

use anyhow::{Context as _, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program to run, from the repository's root unless said otherwise.
pub(crate) struct Run {
    command: Command,
    text: String,
    quiet: bool,
}

/// Begins a command line.
pub(crate) fn run(program: impl AsRef<OsStr>) -> Run {
    let text = program.as_ref().to_string_lossy().into_owned();
    let mut command = Command::new(program);
    command.current_dir(crate::paths::root()).stdin(Stdio::null());
    Run { command, text, quiet: false }
}

impl Run {
    pub(crate) fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        for arg in args {
            self.text.push(' ');
            self.text.push_str(&arg.as_ref().to_string_lossy());
            self.command.arg(arg);
        }
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn dir(mut self, path: impl AsRef<Path>) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Does not show the command line.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Lets the program read a file as its standard input.
    pub(crate) fn input(mut self, file: std::fs::File) -> Self {
        self.command.stdin(file);
        self
    }

    /// Lets the program read what the person types.
    pub(crate) fn interactive(mut self) -> Self {
        self.command.stdin(Stdio::inherit());
        self
    }

    /// Runs to its end with its output shown.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub(crate) fn show(mut self) -> anyhow::Result<()> {
        if !self.quiet {
            println!("$ {}", self.text);
        }
        let status = self.command.status().with_context(|| format!("cannot run `{}`", self.text))?;
        if !status.success() {
            bail!("`{}` failed: {status}", self.text);
        }
        Ok(())
    }

    /// Runs to its end and gives its output; its errors are part of the message where it fails.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub(crate) fn output(mut self) -> anyhow::Result<String> {
        let output = self.command.output().with_context(|| format!("cannot run `{}`", self.text))?;
        if !output.status.success() {
            bail!(
                "`{}` failed: {}\n{}",
                self.text,
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Whether it runs and succeeds, without showing anything.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// The bare command, for what the methods here do not do.
    pub(crate) fn command(self) -> Command {
        self.command
    }
}

/// Where `program` is on PATH.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    // Debian keeps dockerd and iptables where an ordinary user's PATH does not lead.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
