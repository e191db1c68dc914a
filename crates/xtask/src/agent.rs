//! The static agent.

use crate::{paths, shell};
use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

/// Functions of glibc that load further libraries, which a static program cannot rely on.
const NAME_SERVICES: &[&str] = &[
    "dlopen",
    "getaddrinfo",
    "getgrgid",
    "getgrgid_r",
    "getgrnam",
    "getgrnam_r",
    "getgrouplist",
    "gethostbyname",
    "getnameinfo",
    "getpwnam",
    "getpwnam_r",
    "getpwuid",
    "getpwuid_r",
    "iconv_open",
    "initgroups",
];

/// Those that the agent may name all the same, and why.
const ALLOWED: &[(&str, &str)] = &[
    ("getpwuid", "portable-pty looks the shell up where none is given; the agent always gives one"),
    ("getpwuid_r", "std::env::home_dir where HOME is not set; the agent sets HOME before it starts anything"),
];

/// Builds the agent and makes sure that it is static in deed: no loader, no use of name services but the listed.
pub(crate) fn build() -> anyhow::Result<()> {
    let trace = NAME_SERVICES.iter().map(|name| format!("-Clink-arg=-Wl,--trace-symbol={name}"));
    let cargo = shell::run("cargo")
        .args([
            "rustc",
            "--package",
            "aicockpit-agent",
            "--bin",
            "aicockpit-agent",
            "--profile",
            "agent",
            "--locked",
        ])
        .args(["--message-format=json", "--target", paths::AGENT_TARGET, "--target-dir"])
        .args([paths::target().join("agent").as_os_str()])
        .args(["--", "--warn=linker-messages"])
        .args(trace)
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    println!("$ cargo rustc --package aicockpit-agent --profile agent --target {}", paths::AGENT_TARGET);
    let mut child = cargo.command().stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
    let mut used = Vec::new();
    for line in BufReader::new(child.stdout.take().context("cargo has no output")?).lines() {
        let Ok(Line { message: Some(Message { rendered }) }) = serde_json::from_str(&line?) else { continue };
        let names = references(&rendered);
        if names.is_empty() {
            eprint!("{rendered}");
        }
        used.extend(names);
    }
    let status = child.wait().context("cargo did not end")?;
    if !status.success() {
        bail!("the agent does not build: {status}");
    }
    refuse_unlisted(&used)?;
    let binary = paths::agent_binary();
    refuse_loader(&binary)?;
    println!("{}: {:.1} MB, static", binary.display(), std::fs::metadata(&binary)?.len() as f64 / 1e6);
    Ok(())
}

/// A line of cargo's messages, as much as is needed of it.
#[derive(Deserialize)]
struct Line {
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    rendered: String,
}

/// The name services that object files of ours refer to. The linker also names its own and glibc's.
fn references(message: &str) -> Vec<String> {
    message
        .lines()
        .filter_map(|line| line.rsplit_once(": reference to "))
        .filter(|(file, _)| file.ends_with(".o") && !file.contains("libc.a"))
        .map(|(_, name)| name.trim().to_owned())
        .collect()
}

fn refuse_unlisted(used: &[String]) -> anyhow::Result<()> {
    let unlisted: Vec<_> = used
        .iter()
        .filter(|name| !ALLOWED.iter().any(|(allowed, _)| allowed == name))
        .map(String::as_str)
        .collect();
    if !unlisted.is_empty() {
        bail!(
            "the agent uses {}, which loads libraries that a workspace may not have. Avoid it, or list it with a reason \
             in crates/xtask/src/agent.rs",
            unlisted.join(", ")
        );
    }
    Ok(())
}

/// A workspace's image may have no loader and no library at all.
fn refuse_loader(binary: &Path) -> anyhow::Result<()> {
    let headers = shell::run("readelf").args(["--program-headers"]).args([binary.as_os_str()]).output()?;
    if headers.contains("INTERP") {
        bail!("{} asks for a loader; it must be static", binary.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_of_our_own_objects_count() {
        let message = "warning: linker stdout: /t/agent.cgu.0.rcgu.o: reference to getpwuid\n\
                       \x20        /usr/lib/libc.a(getaddrinfo.o): lazy definition of getaddrinfo\n\
                       \x20        <internal>: reference to getaddrinfo\n";
        assert_eq!(references(message), ["getpwuid"]);
        assert!(refuse_unlisted(&references(message)).is_ok());
        let worse = "         /t/agent.cgu.0.rcgu.o: reference to getaddrinfo\n";
        assert!(refuse_unlisted(&references(worse)).unwrap_err().to_string().contains("getaddrinfo"));
    }
}
