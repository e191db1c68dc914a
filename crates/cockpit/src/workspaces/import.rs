//! Making a workspace of a container that somebody else made.

use super::{Workspaces, labels, names, random_id, state};
use crate::now_ms;
use crate::plan::AgentBinary;
use crate::store::StoredWorkspace;
use aicockpit_engine::{ContainerDetails, ContainerSummary, Engine, EngineError};
use aicockpit_protocol::api::ImportContainer;
use aicockpit_protocol::workspace::{Image, Limits, Profile, Source, Workspace, WorkspaceSpec};
use aicockpit_protocol::{ApiError, ContainerId, ErrorCode, WorkspaceId};

impl Workspaces {
    /// Makes a workspace of a container. The container stays as it is but for the agent's file, and is left alone
    /// when the workspace is deleted.
    ///
    /// # Errors
    /// [`ErrorCode::AlreadyExists`] when it is a workspace already; [`ErrorCode::NotFound`]; the engine's, for
    /// instance when the container's root is read-only and so cannot take the agent.
    pub async fn import(&self, request: ImportContainer) -> Result<Workspace, ApiError> {
        const WHAT: &str = "import the container";
        let to_api = |error: EngineError| error.to_api(WHAT);
        let engine = self.engines.when_ready(&request.engine).await?;
        let details = engine.inspect_container(&request.container).await.map_err(to_api)?;
        let known = self.all().into_iter().any(|entry| {
            entry.engine == request.engine && entry.record().container.as_ref() == Some(&details.id)
        });
        let of_another = labels::get(&details.labels, labels::KIND) == Some(labels::KIND_WORKSPACE)
            && labels::get(&details.labels, labels::OWNER) != Some(self.store.owner());
        if !known && of_another {
            return self.import_workspace(&request, &details).await;
        }
        if known || labels::get(&details.labels, labels::KIND).is_some() {
            return Err(ApiError::new(
                ErrorCode::AlreadyExists,
                format!("The container {} belongs to a workspace already.", details.name),
            )
            .hint("Look for it in the list of workspaces."));
        }
        if !engine.capabilities().files_at_rest {
            return Err(ApiError::new(
                ErrorCode::Unsupported,
                format!("The container {} has no place for AiCockpit's agent.", details.name),
            )
            .hint("Create a workspace of the same image on this engine."));
        }
        bring_agent(&self.plans.agent, &*engine, &details.id).await.map_err(to_api)?;
        let folder = match details.working_directory.as_str() {
            "" => "/",
            folder => folder,
        };
        let reference = match details.image_reference.as_str() {
            "" => details.image,
            reference => reference.to_owned(),
        };
        let name = request.name.as_deref().map(names::check).transpose()?;
        let record = StoredWorkspace {
            id: WorkspaceId::new(random_id()),
            name: match &name {
                Some(name) => name.clone(),
                None => names::check(&details.name).unwrap_or_else(|_| "container".to_owned()),
            },
            engine: request.engine,
            owner: self.store.owner().to_owned(),
            container: Some(details.id),
            spec: WorkspaceSpec {
                source: Source::Empty,
                image: Image::Reference { reference },
                profile: Profile::Standard,
                limits: Limits::default(),
                trust_host_certificates: false,
                gpu: false,
                published_ports: Vec::new(),
                env: Default::default(),
            },
            state: state::of_container(details.state),
            message: None,
            created_ms: now_ms(),
            last_used_ms: None,
            branch: None,
            imported: true,
            agent_folder: Some(folder.to_owned()),
            plan: None,
        };
        let entry = self.insert(record, name.is_none())?;
        if let Err(error) = self.store.put_workspace(entry.snapshot()).await {
            self.remove(&entry.id);
            return Err(error.into());
        }
        self.note(&entry, "Imported.", false).await;
        self.publish(&entry);
        Ok(self.present(&entry))
    }
}

impl Workspaces {
    /// Takes over a workspace that a cockpit with another store made: it keeps its id, its spec and its volume.
    async fn import_workspace(
        &self,
        request: &ImportContainer,
        details: &ContainerDetails,
    ) -> Result<Workspace, ApiError> {
        let id = super::reconcile::workspace_of(&details.labels);
        let entry = match id {
            Some(id) => {
                let container = ContainerSummary {
                    id: details.id.clone(),
                    name: details.name.clone(),
                    image: details.image.clone(),
                    state: details.state,
                    labels: details.labels.clone(),
                };
                self.adopt(&request.engine, id.clone(), container).await;
                self.entry(&id).ok()
            }
            None => None,
        };
        entry.map(|entry| self.present(&entry)).ok_or_else(|| {
            ApiError::new(
                ErrorCode::InvalidArgument,
                format!("The container {} carries labels of a workspace that cannot be read.", details.name),
            )
        })
    }
}

/// Puts the agent's file into a container that has no agent volume.
pub(super) async fn bring_agent(
    agent: &AgentBinary,
    engine: &dyn Engine,
    container: &ContainerId,
) -> Result<(), EngineError> {
    let archive = agent
        .archive_with_directory()
        .map_err(|error| EngineError::Unsupported(format!("the agent's binary cannot be read: {error}")))?;
    engine.upload_archive(container, "/", archive).await
}
