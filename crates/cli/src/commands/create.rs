//! `create`: asks for a workspace and shows its plan until it runs.

use super::variables;
use crate::arguments::{Create, TrustProfile};
use crate::output::{complain, json, say, word};
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::api::{CreateWorkspace, Empty, Event, WorkspaceCreate, WorkspaceList};
use aicockpit_protocol::workspace::{
    Image, Limits, Plan, Profile, PublishedPort, Source, StepKind, StepState, Workspace, WorkspaceSpec,
    WorkspaceState,
};
use aicockpit_protocol::{ApiError, EngineId, ErrorCode, WorkspaceId};
use anyhow::Context;
use std::collections::HashMap;
use std::path::Path;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

pub(crate) async fn run(client: &Client, create: Create, as_json: bool) -> anyhow::Result<()> {
    let verbose = create.verbose;
    let request = request(create)?;
    let mut events = client.events();
    let begun = client.call::<WorkspaceCreate>(request).await?;
    let workspace = follow(client, &mut events, begun, verbose).await?;
    crate::find::expect_state(&workspace, WorkspaceState::Running)?;
    match as_json {
        true => json(&workspace),
        false => say(&format!("{}  {}", workspace.id, workspace.name)),
    }
}

fn request(create: Create) -> anyhow::Result<CreateWorkspace> {
    let source = source(&create)?;
    let image = match create.image {
        Some(reference) => Image::Reference { reference },
        None => Image::Base,
    };
    let profile = match create.profile {
        TrustProfile::Standard => Profile::Standard,
        TrustProfile::Locked => Profile::Locked,
    };
    let limits = Limits {
        memory_bytes: create.memory,
        cpu_millis: create.cpus.map(millis).transpose()?,
        pids: create.pids,
    };
    let published_ports =
        create.publish.iter().map(|&(host, container)| PublishedPort { container, host }).collect();
    let spec = WorkspaceSpec {
        source,
        image,
        profile,
        limits,
        trust_host_certificates: create.trust_host_certificates,
        gpu: create.gpu,
        published_ports,
        env: variables(&create.env)?,
    };
    Ok(CreateWorkspace { name: create.name, engine: create.engine.map(EngineId::new), spec })
}

/// What the workspace is made from. A place given without an option is a folder where there is one of that path, else
/// the address of a repository where it looks like one.
fn source(create: &Create) -> anyhow::Result<Source> {
    let git = |url: &str| Source::Git { url: url.to_owned(), branch: create.branch.clone() };
    if let Some(url) = &create.git {
        return Ok(git(url));
    }
    if let Some(path) = &create.folder {
        return folder(path);
    }
    let Some(place) = &create.place else { return Ok(Source::Empty) };
    if Path::new(place).is_dir() {
        if create.branch.is_some() {
            return Err(ApiError::new(
                ErrorCode::InvalidArgument,
                "A folder of this machine has no --branch.",
            )
            .hint("Give it with --git to clone it.")
            .into());
        }
        return folder(Path::new(place));
    }
    match place.to_str() {
        Some(address) if is_repository_address(address) => Ok(git(address)),
        _ => Err(ApiError::new(
            ErrorCode::NotFound,
            format!(
                "There is no folder {}, and it does not look like the address of a repository.",
                place.display()
            ),
        )
        .hint("Give a folder of this machine, an address such as https://host/owner/name.git, or --empty.")
        .into()),
    }
}

fn folder(path: &Path) -> anyhow::Result<Source> {
    let absolute = std::path::absolute(path)
        .with_context(|| format!("{} cannot be made an absolute path", path.display()))?;
    let path = absolute.into_os_string().into_string().map_err(|path| {
        ApiError::new(
            ErrorCode::InvalidArgument,
            format!("The folder's path {} is not UTF-8, which engines ask for.", path.display()),
        )
    })?;
    Ok(Source::Folder { path })
}

/// A URL with a scheme that Git knows, or `user@host:path`.
fn is_repository_address(text: &str) -> bool {
    let by_scheme =
        ["https://", "http://", "ssh://", "git://", "file://"].iter().any(|scheme| text.starts_with(scheme));
    let by_ssh = text
        .split_once(':')
        .is_some_and(|(host, path)| host.contains('@') && !host.contains('/') && !path.is_empty());
    by_scheme || by_ssh
}

fn millis(cores: f64) -> anyhow::Result<u64> {
    anyhow::ensure!((0.1..=4096.0).contains(&cores), "{cores} is no number of cores from 0.1 on");
    // In range, so nothing is cut off but fractions of a thousandth.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    Ok((cores * 1000.0).round() as u64)
}

/// Shows the plan's steps as they go, until the workspace is made or has failed.
async fn follow(
    client: &Client,
    events: &mut broadcast::Receiver<Event>,
    begun: Workspace,
    verbose: bool,
) -> Result<Workspace, ApiError> {
    let id = begun.id.clone();
    let mut shown = Shown::default();
    let mut now = begun;
    loop {
        if let Some(plan) = &now.plan {
            shown.update(plan);
        }
        if !now.state.is_transient() {
            return Ok(now);
        }
        loop {
            match events.recv().await {
                Ok(Event::Workspace { workspace }) if workspace.id == id => {
                    now = workspace;
                    break;
                }
                Ok(Event::Plan { workspace, plan }) if workspace == id => shown.update(&plan),
                Ok(Event::PlanLog { workspace, log }) if workspace == id => {
                    if verbose {
                        log.lines.iter().for_each(|line| complain(&format!("    {line}")));
                    }
                }
                Ok(Event::WorkspaceGone { workspace }) if workspace == id => {
                    return Err(ApiError::new(ErrorCode::Cancelled, "The workspace was deleted meanwhile."));
                }
                Ok(Event::Resync) | Err(RecvError::Lagged(_)) => {
                    now = again(client, &id).await?;
                    break;
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return Err(ApiError::new(ErrorCode::Internal, "AiCockpit ended.")),
            }
        }
    }
}

async fn again(client: &Client, id: &WorkspaceId) -> Result<Workspace, ApiError> {
    let all = client.call::<WorkspaceList>(Empty {}).await?;
    all.into_iter()
        .find(|workspace| workspace.id == *id)
        .ok_or_else(|| ApiError::new(ErrorCode::NotFound, "The workspace is gone."))
}

/// The steps' states as they were told.
#[derive(Default)]
struct Shown(HashMap<StepKind, StepState>);

impl Shown {
    fn update(&mut self, plan: &Plan) {
        for step in &plan.steps {
            if self.0.insert(step.kind, step.state) == Some(step.state) {
                continue;
            }
            let name = word(&step.kind);
            let note = step.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            let seconds = step.duration_ms.unwrap_or(0) as f64 / 1000.0;
            match step.state {
                StepState::Waiting | StepState::Skipped => {}
                StepState::Running => complain(&format!("  {name} …")),
                StepState::Done => complain(&format!("  {name} done in {seconds:.1} s{note}")),
                StepState::Failed => complain(&format!("  {name} failed after {seconds:.1} s{note}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_repositories_are_told_from_mistyped_paths() {
        for address in ["https://host/a/b.git", "ssh://git@host/a", "git@host:a/b.git", "file:///srv/a.git"] {
            assert!(is_repository_address(address), "{address}");
        }
        for other in ["./nowhere", "/srv/nowhere", "debian:bookworm", "C:thing", "name"] {
            assert!(!is_repository_address(other), "{other}");
        }
    }
}
