//! Cloning a Git repository into a workspace's volume, inside a container of the base image.
//!
//! Nothing of the repository runs: a clone runs no hooks, and Git's own dangerous transports are off. A repository
//! of this machine is mounted read-only; its clone runs without any network, as root with just enough capabilities
//! to read what its owner keeps private, and is then given to the workspace's user. A remote one is cloned as that
//! user, without capabilities.

use super::job::Job;
use super::{certificates, image, mounts};
use crate::hardening::{self, WORKSPACE_UID};
use crate::workspaces::labels;
use aicockpit_engine::{
    ContainerDetails, ContainerSpec, ContainerState, EngineError, Lines, Mount, MountSource, Progress,
};
use aicockpit_protocol::workspace::{Profile, Source, WorkspaceSpec};
use aicockpit_protocol::{ApiError, ContainerId, ErrorCode};
use futures::StreamExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// Where a repository of this machine is mounted.
const LOCAL_SOURCE: &str = "/aicockpit-source";
/// Git's words for a mounted folder that is no repository.
const LOCAL_MISSING: &str = "repository '/aicockpit-source' does not exist";
/// First and longest wait between two looks whether the container has ended.
const ENDED_POLL: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// A number that makes the log begin at the beginning.
const WHOLE_LOG: u32 = 100_000;

/// Clones `$1`, really from `$2`, at branch `$3` (or the default), for user `$4` when this is not empty. The volume
/// is emptied first: an earlier run may have been cut off in the middle.
const SCRIPT: &str = r#"
set -eu
url=$1 from=$2 branch=$3 owner=$4
export HOME=/tmp/aicockpit-home
mkdir -p "$HOME"
git config --global safe.directory '*'
find /workspace -mindepth 1 -delete
set -- --progress
if [ -n "$branch" ]; then set -- "$@" --branch "$branch"; fi
git clone "$@" -- "$from" /workspace
if [ "$from" != "$url" ]; then git -C /workspace remote set-url origin "$url"; fi
if [ -n "$owner" ]; then chown -R "$owner" /workspace; fi
"#;

/// Where a clone comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Origin {
    /// A repository of this machine.
    Local(PathBuf),
    /// Anything else that Git understands.
    Remote,
}

fn origin(url: &str) -> Origin {
    let path = url.strip_prefix("file://localhost/").map(|rest| format!("/{rest}"));
    let path = path.or_else(|| url.strip_prefix("file://").map(str::to_owned));
    match path.as_deref().or(Some(url)) {
        Some(path) if path.starts_with('/') => Origin::Local(PathBuf::from(path)),
        _ => Origin::Remote,
    }
}

/// Whether making this workspace takes a network, though the workspace itself may have none.
pub(super) fn needs_network(spec: &WorkspaceSpec) -> bool {
    matches!(&spec.source, Source::Git { url, .. } if origin(url) == Origin::Remote)
}

/// Whether a workspace is made from what lies on this machine.
pub(crate) fn is_of_this_machine(source: &Source) -> bool {
    match source {
        Source::Folder { .. } => true,
        Source::Git { url, .. } => origin(url) != Origin::Remote,
        Source::Empty => false,
    }
}

/// Refuses addresses that cannot be cloned.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`] for an empty address, one that Git would take for an option, or one that names a
/// program to run; [`ErrorCode::NotFound`] for a folder of this machine that is not there.
pub(crate) fn check_source(url: &str, branch: Option<&str>) -> Result<(), ApiError> {
    let invalid = |what: String| {
        Err(ApiError::new(ErrorCode::InvalidArgument, what).hint(
            "Give an address such as https://example.org/team/project.git, or the path of a repository.",
        ))
    };
    if url.trim().is_empty() || url.starts_with('-') || url.chars().any(char::is_control) {
        return invalid(format!("“{}” is not the address of a Git repository.", url.escape_debug()));
    }
    if url.contains("::") && !url.contains("://") {
        return invalid(format!("“{url}” would run a program of Git's remote helpers; that is not done."));
    }
    if branch.is_some_and(|branch| {
        branch.is_empty() || branch.starts_with('-') || branch.chars().any(char::is_control)
    }) {
        return invalid("The branch's name is not one that Git allows.".to_owned());
    }
    if let Origin::Local(path) = origin(url)
        && !path.is_dir()
    {
        return Err(ApiError::new(ErrorCode::NotFound, format!("There is no folder {}.", path.display()))
            .hint("Check the path; for a repository on a server give its whole address."));
    }
    Ok(())
}

/// Clones. Whatever happens, the helper container is gone afterwards.
pub(super) async fn run(job: &Job, progress: &Progress) -> Result<(), ApiError> {
    let spec = job.spec();
    let Source::Git { url, branch } = &spec.source else { return Ok(()) };
    check_source(url, branch.as_deref())?;
    let image = image::for_clone(job, progress).await?;
    let to_api = |error: EngineError| error.to_api("run the clone");
    let name = labels::helper_name(job.id(), "clone");
    job.engine.remove_container(&labels::by_name(&name)).await.map_err(to_api)?;
    let helper = helper_spec(job, &spec, url, branch.as_deref(), name.clone(), image.reference)?;
    let cloned = match job.engine.create_container(&helper).await {
        Ok(helper) => {
            let clone = clone_in(job, &helper, url, progress);
            match needs_network(&spec) {
                true => job.workspaces.settings.online(&format!("Cloning {url}"), clone).await,
                false => clone.await,
            }
        }
        Err(error) => Err(to_api(error)),
    };
    // By name: it may be there although creating it failed.
    let removed = job.engine.remove_container(&labels::by_name(&name)).await.map_err(to_api);
    if spec.profile == Profile::Locked {
        // The network was for the clone alone.
        job.engine.remove_network(&labels::object_name(job.id())).await.map_err(to_api)?;
    }
    cloned.and(removed)
}

fn helper_spec(
    job: &Job,
    spec: &WorkspaceSpec,
    url: &str,
    branch: Option<&str>,
    name: String,
    image: String,
) -> Result<ContainerSpec, ApiError> {
    let origin = origin(url);
    let engine = job.engine.capabilities();
    let mut mounts = vec![mounts::folder(job.id(), &engine)];
    let mut env = vec![
        ("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned()),
        ("GIT_SSH_COMMAND".to_owned(), "ssh -oBatchMode=yes".to_owned()),
        ("LC_ALL".to_owned(), "C.UTF-8".to_owned()),
    ];
    let user = format!("{WORKSPACE_UID}:{WORKSPACE_UID}");
    let (from, owner) = match &origin {
        Origin::Local(path) => {
            mounts.push(Mount {
                target: LOCAL_SOURCE.to_owned(),
                read_only: true,
                source: MountSource::Bind(path.display().to_string()),
            });
            (LOCAL_SOURCE.to_owned(), user.clone())
        }
        Origin::Remote => (url.to_owned(), String::new()),
    };
    if spec.trust_host_certificates {
        mounts.push(certificates::mount(&engine)?);
        env.extend(hardening::certificate_variables());
    }
    let local = origin != Origin::Remote;
    let capabilities: &[&str] = if local { &["CHOWN", "DAC_OVERRIDE", "FOWNER"] } else { &[] };
    let limits = hardening::effective_limits(&spec.limits, &engine);
    Ok(ContainerSpec {
        name,
        image,
        entrypoint: Some(
            ["/bin/sh", "-c", SCRIPT, "clone", url, &from, branch.unwrap_or_default(), &owner]
                .map(str::to_owned)
                .to_vec(),
        ),
        user: Some(if local { "0:0".to_owned() } else { user }),
        env,
        labels: labels::of_helper(job.id(), job.workspaces.store.owner()),
        mounts,
        network: (!local).then(|| labels::object_name(job.id())),
        capabilities: capabilities.iter().map(|name| (*name).to_owned()).collect(),
        no_new_privileges: true,
        memory_bytes: limits.memory_bytes,
        pids: limits.pids,
        keep_id: engine.keep_id.then_some((WORKSPACE_UID, WORKSPACE_UID)),
        ..ContainerSpec::default()
    })
}

async fn clone_in(job: &Job, helper: &ContainerId, url: &str, progress: &Progress) -> Result<(), ApiError> {
    let to_api = |error: EngineError| error.to_api("run the clone");
    let Some(started) = job.start_container(helper).await else { return Err(super::cancelled()) };
    started.map_err(|error| image::start_error(&error, "run the clone", &job.engine.capabilities()))?;
    let mut said = Lines::new(progress);
    job.until_cancelled(follow(job, helper, &mut said), to_api).await?;
    let details = job.until_cancelled(ended(job, helper), to_api).await?;
    match details.exit_status {
        Some(0) if details.state == ContainerState::Exited => Ok(()),
        _ if details.out_of_memory => Err(ApiError::new(
            ErrorCode::GitFailed,
            format!("Cloning {url} took more memory than its limit."),
        )
        .hint("Give the workspace more memory.")),
        _ => {
            said.end_line();
            Err(explain(url, &said.last()))
        }
    }
}

/// How the container ended. Some engines know of the end a moment after its output has ended.
async fn ended(job: &Job, helper: &ContainerId) -> Result<ContainerDetails, EngineError> {
    let mut wait = ENDED_POLL.0;
    loop {
        let details = job.engine.inspect_container(helper).await?;
        let goes_on = [ContainerState::Running, ContainerState::Starting, ContainerState::Stranded]
            .contains(&details.state);
        if !goes_on {
            return Ok(details);
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(ENDED_POLL.1);
    }
}

/// Reads the container's output to its end, which comes with the end of the container.
async fn follow(job: &Job, helper: &ContainerId, said: &mut Lines<'_>) -> Result<(), EngineError> {
    let mut output = job.engine.logs(helper, WHOLE_LOG, true).await?;
    while let Some(chunk) = output.next().await {
        said.push(&String::from_utf8_lossy(&chunk?.bytes));
    }
    Ok(())
}

/// What Git's last words mean. Git has no error codes; the texts are those of `LC_ALL=C`, stable for many years.
fn explain(url: &str, said: &str) -> ApiError {
    let any = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    let error = if any(&[
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "terminal prompts disabled",
        "Permission denied (publickey",
        "Host key verification failed",
    ]) {
        ApiError::new(ErrorCode::GitCredentials, format!("The server of {url} asks for credentials.")).hint(
            "Clone it on this machine and use that folder's path, or put an access token into the address.",
        )
    } else if any(&["Remote branch"]) && any(&["not found in upstream"]) {
        ApiError::new(ErrorCode::GitFailed, format!("{url} has no branch of that name."))
            .hint("Check the branch's name, or leave it out.")
    } else if any(&["does not appear to be a git repository", "not a git repository", LOCAL_MISSING]) {
        ApiError::new(ErrorCode::GitFailed, format!("{url} is not a Git repository."))
            .hint("Check the address; to work in a plain folder choose “Folder” instead.")
    } else if any(&["epository not found", "' not found", "does not exist", "returned error: 404"]) {
        ApiError::new(
            ErrorCode::GitFailed,
            format!("There is no repository at {url}, or it is a private one."),
        )
        .hint("Check the address.")
    } else if any(&[
        "Could not resolve host",
        "Failed to connect",
        "Connection refused",
        "timed out",
        "unreachable",
    ]) {
        ApiError::new(ErrorCode::GitFailed, format!("The server of {url} cannot be reached."))
            .hint("Check the address and this machine's network.")
    } else if any(&["certificate"]) {
        ApiError::new(ErrorCode::GitFailed, format!("The certificate of {url}'s server is not trusted."))
            .hint("Create the workspace with “trust the host's certificates” switched on.")
    } else if any(&["No space left on device"]) {
        ApiError::new(ErrorCode::NoSpace, format!("There is no space left to clone {url}."))
            .hint("Free space on the engine's disk.")
    } else {
        ApiError::new(ErrorCode::GitFailed, format!("Cloning {url} failed."))
            .hint("The log shows Git's own words.")
    };
    error.detail(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_file_addresses_are_of_this_machine() {
        for (url, path) in [
            ("/srv/a.git", Some("/srv/a.git")),
            ("file:///srv/a b", Some("/srv/a b")),
            ("file://localhost/srv", Some("/srv")),
            ("file://elsewhere/srv", None),
            ("https://example.org/a", None),
            ("git@example.org:a/b.git", None),
            ("relative/path", None),
        ] {
            let expected = path.map_or(Origin::Remote, |path| Origin::Local(path.into()));
            assert_eq!(origin(url), expected, "{url}");
        }
    }

    #[test]
    fn folders_and_repositories_of_this_machine_are_known_as_such() {
        let git = |url: &str| Source::Git { url: url.to_owned(), branch: None };
        assert!(is_of_this_machine(&git("file:///srv/a")) && is_of_this_machine(&git("/srv/a")));
        assert!(is_of_this_machine(&Source::Folder { path: "/srv".to_owned() }));
        assert!(!is_of_this_machine(&git("https://example.org/a")) && !is_of_this_machine(&Source::Empty));
    }

    #[test]
    fn addresses_that_are_options_or_programs_are_refused() {
        for url in ["", " ", "-u x", "--upload-pack=touch /x", "ext::sh -c x", "a\nb"] {
            assert_eq!(check_source(url, None).unwrap_err().code, ErrorCode::InvalidArgument, "{url:?}");
        }
        for url in ["https://example.org/a::b", "git@example.org:a.git", "ssh://me@host/a"] {
            assert_eq!(check_source(url, None), Ok(()), "{url}");
        }
        assert_eq!(check_source("/no/such/folder", None).unwrap_err().code, ErrorCode::NotFound);
        assert!(check_source("https://example.org/a", Some("--orphan")).is_err());
    }

    #[test]
    fn gits_words_become_codes_and_stay_readable() {
        for (said, code) in [
            (
                "fatal: could not read Username for 'https://x': terminal prompts disabled",
                ErrorCode::GitCredentials,
            ),
            (
                "remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://x/'",
                ErrorCode::GitCredentials,
            ),
            ("git@x: Permission denied (publickey).", ErrorCode::GitCredentials),
            ("fatal: '/aicockpit-source' does not appear to be a git repository", ErrorCode::GitFailed),
            ("fatal: Remote branch x not found in upstream origin", ErrorCode::GitFailed),
            ("fatal: write error: No space left on device", ErrorCode::NoSpace),
            ("something new", ErrorCode::GitFailed),
        ] {
            let error = explain("https://x", said);
            assert_eq!(error.code, code, "{said}");
            assert_eq!(error.detail.as_deref(), Some(said));
            assert!(error.hint.is_some(), "{said}");
        }
    }
}
