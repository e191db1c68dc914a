//! Creating a workspace, trying again, and giving up.

use super::{Workspaces, names, random_id, state};
use crate::store::StoredWorkspace;
use crate::{hardening, now_ms, plan};
use aicockpit_engine::ImageReference;
use aicockpit_protocol::api::CreateWorkspace;
use aicockpit_protocol::engine::EngineCapabilities;
use aicockpit_protocol::workspace::{
    Image, PublishedPort, Source, StepState, Workspace, WorkspaceAction, WorkspaceSpec, WorkspaceState,
};
use aicockpit_protocol::{ApiError, ErrorCode, WorkspaceId};

/// Longest variable of the environment, name and value together, in bytes.
const MAX_VARIABLE_LEN: usize = 64 * 1024;

impl Workspaces {
    /// Begins to create a workspace; returns when it is kept, while its plan runs on.
    ///
    /// # Errors
    /// For anything in the request that cannot work, before anything is made; the store's and the engine's errors.
    pub async fn create(&self, request: CreateWorkspace) -> Result<Workspace, ApiError> {
        let mut spec = request.spec;
        let name = request.name.as_deref().map(names::check).transpose()?;
        check_spec(&mut spec)?;
        let settings = self.settings.get();
        let engine = self.engines.choose(request.engine.as_ref(), settings.default_engine.as_ref()).await?;
        check_capabilities(&spec, &engine.capabilities())?;
        let record = StoredWorkspace {
            id: WorkspaceId::new(random_id()),
            name: name.clone().unwrap_or_else(|| names::derive(&spec.source)),
            engine: engine.id().clone(),
            owner: self.store.owner().to_owned(),
            container: None,
            plan: Some(plan::new_plan(&spec)),
            spec,
            state: WorkspaceState::Creating,
            message: None,
            created_ms: now_ms(),
            last_used_ms: None,
            branch: None,
            imported: false,
            agent_folder: None,
        };
        let entry = self.insert(record, name.is_none())?;
        if let Err(error) = self.store.put_workspace(entry.snapshot()).await {
            // Without its record a plan cut off would leave things behind that nobody knows of.
            self.remove(&entry.id);
            return Err(error.into());
        }
        self.publish(&entry);
        let created = self.present(&entry);
        self.spawn(|me| Box::pin(plan::run(me, entry)));
        Ok(created)
    }

    /// Runs a failed creation plan again, from the step that failed; returns while it runs on.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`] when it has not failed.
    pub async fn retry(&self, id: &WorkspaceId) -> Result<(), ApiError> {
        let entry = self.entry(id)?;
        {
            let record = entry.record();
            state::check_allows(&record.name, record.state, WorkspaceAction::Retry)?;
        }
        self.update(&entry, |record| {
            record.state = WorkspaceState::Creating;
            record.message = None;
            if let Some(plan) = &mut record.plan {
                plan.error = None;
                for step in plan.steps.iter_mut().filter(|step| step.state == StepState::Failed) {
                    step.state = StepState::Waiting;
                    step.note = None;
                }
            }
        })
        .await;
        self.spawn(|me| Box::pin(plan::run(me, entry)));
        Ok(())
    }

    /// Stops a creation plan and removes all that it made; returns when that is done. Files that were there before
    /// stay.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`] when none runs; else as [`Workspaces::delete`].
    pub async fn cancel(&self, id: &WorkspaceId) -> Result<(), ApiError> {
        let entry = self.entry(id)?;
        let recreates = {
            let record = entry.record();
            state::check_allows(&record.name, record.state, WorkspaceAction::Cancel)?;
            record.plan.as_ref().is_some_and(|plan| plan.recreates)
        };
        if recreates { self.cancel_recreation(entry).await } else { self.delete_entry(entry).await }
    }
}

/// Refuses what cannot work, and brings the source into its final form.
fn check_spec(spec: &mut WorkspaceSpec) -> Result<(), ApiError> {
    hardening::check_limits(&spec.limits)?;
    match &mut spec.source {
        Source::Git { url, branch } => {
            *url = url.trim().to_owned();
            plan::check_git_source(url, branch.as_deref())?;
        }
        Source::Folder { path } => {
            let folder = hardening::check_folder(path)?;
            // The real path: what was checked is what is mounted.
            *path = folder.to_str().map(str::to_owned).ok_or_else(|| {
                ApiError::new(
                    ErrorCode::InvalidArgument,
                    format!("The folder {} has a name that engines cannot take.", folder.display()),
                )
                .hint("Rename it so that its name is valid UTF-8.")
            })?;
        }
        Source::Empty => {}
    }
    if let Image::Reference { reference } = &spec.image {
        ImageReference::parse(reference).map_err(|error| error.to_api("use the image"))?;
    }
    for (name, value) in &spec.env {
        let broken = name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
        if broken || name.len() + value.len() > MAX_VARIABLE_LEN {
            return Err(ApiError::new(
                ErrorCode::InvalidArgument,
                format!("“{}” cannot be a variable of the environment.", name.escape_debug()),
            )
            .hint("Names have no = in them; name and value have at most 64 KiB."));
        }
    }
    check_ports(&spec.published_ports)
}

fn check_ports(ports: &[PublishedPort]) -> Result<(), ApiError> {
    for (index, port) in ports.iter().enumerate() {
        let twice = ports[..index].iter().any(|other| {
            other.container == port.container || (port.host.is_some() && other.host == port.host)
        });
        if port.container == 0 || port.host == Some(0) || twice {
            return Err(ApiError::new(
                ErrorCode::InvalidArgument,
                format!("Port {} cannot be published.", port.container),
            )
            .hint("Use ports from 1 to 65535, each one once."));
        }
    }
    Ok(())
}

fn check_capabilities(spec: &WorkspaceSpec, capabilities: &EngineCapabilities) -> Result<(), ApiError> {
    let unsupported =
        |message: String, hint: &str| Err(ApiError::new(ErrorCode::Unsupported, message).hint(hint));
    if !capabilities.host_folders && plan::is_of_this_machine(&spec.source) {
        return unsupported(
            "This engine does not see the folders of this machine.".to_owned(),
            "Push it to a Git server and give its address, or create an empty workspace and upload the files.",
        );
    }
    if !capabilities.published_ports && !spec.published_ports.is_empty() {
        return unsupported(
            "This engine cannot publish ports on this machine.".to_owned(),
            "Leave them out and forward the ports instead: that works on every engine.",
        );
    }
    let missing = [
        (spec.gpu && !capabilities.gpu, "pass a GPU through"),
        (spec.limits.memory_bytes.is_some() && !capabilities.memory_limit, "limit memory"),
        (spec.limits.cpu_millis.is_some() && !capabilities.cpu_limit, "limit CPU"),
        (spec.limits.pids.is_some() && !capabilities.pids_limit, "limit processes"),
    ];
    match missing.into_iter().find(|(missing, _)| *missing) {
        Some((_, what)) => unsupported(
            format!("This engine cannot {what} on this machine."),
            "Leave that out, or choose another engine.",
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_published_once() {
        let port = |container, host| PublishedPort { container, host };
        assert_eq!(check_ports(&[port(80, None), port(81, Some(8081))]), Ok(()));
        for ports in [
            vec![port(0, None)],
            vec![port(80, Some(0))],
            vec![port(80, None), port(80, Some(1))],
            vec![port(80, Some(1)), port(81, Some(1))],
        ] {
            assert_eq!(check_ports(&ports).unwrap_err().code, ErrorCode::InvalidArgument, "{ports:?}");
        }
    }

    #[test]
    fn what_an_engine_cannot_do_is_refused_with_another_way() {
        let spec = |source| WorkspaceSpec { source, ..aicockpit_testkit::empty_spec() };
        let git = |url: &str| Source::Git { url: url.to_owned(), branch: None };
        let cluster = EngineCapabilities { self_healing: true, ..EngineCapabilities::default() };
        let here =
            EngineCapabilities { host_folders: true, published_ports: true, ..EngineCapabilities::default() };
        let of_here = [Source::Folder { path: "/srv/a".to_owned() }, git("/srv/a"), git("file:///srv/a")];
        for source in of_here {
            let error = check_capabilities(&spec(source.clone()), &cluster).unwrap_err();
            assert_eq!(error.code, ErrorCode::Unsupported, "{source:?}");
            assert!(error.hint.is_some_and(|hint| hint.contains("Git server")), "{source:?}");
            assert_eq!(check_capabilities(&spec(source), &here), Ok(()));
        }
        for source in [Source::Empty, git("https://example.org/a")] {
            assert_eq!(check_capabilities(&spec(source), &cluster), Ok(()));
        }
        let published_ports = vec![PublishedPort { container: 80, host: None }];
        let with_ports = WorkspaceSpec { published_ports, ..spec(Source::Empty) };
        assert_eq!(check_capabilities(&with_ports, &here), Ok(()));
        let error = check_capabilities(&with_ports, &cluster).unwrap_err();
        assert!(error.hint.is_some_and(|hint| hint.contains("forward")), "{}", error.message);
    }
}
