//! Running a plan.

use super::image::{ReadyImage, start_error};
use super::{agent_volume, clone, container, image, mounts, network};
use crate::store::StoredWorkspace;
use crate::workspaces::{Entry, Workspaces, labels};
use aicockpit_engine::{ContainerState, Engine, EngineError};
use aicockpit_protocol::agent::Call;
use aicockpit_protocol::workspace::{Profile, StepKind, StepState, WorkspaceSpec, WorkspaceState};
use aicockpit_protocol::{ApiError, ContainerId, ErrorCode, WorkspaceId};
use futures::StreamExt as _;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Time the agent of a container that has just started has to answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// Lines of a container's output that are shown when it ended at once.
const LAST_WORDS: u32 = 20;
/// Bytes of them at most.
const LAST_WORDS_LEN: usize = 16 * 1024;

/// One run of one plan. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Job {
    pub(super) workspaces: Arc<Workspaces>,
    pub(super) entry: Arc<Entry>,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) stop: CancellationToken,
}

/// The error of a plan that was cancelled.
pub(crate) fn cancelled() -> ApiError {
    ApiError::new(ErrorCode::Cancelled, "The creation was cancelled.")
}

/// Runs the plan of a workspace in state `Creating` to its end. Holds the workspace's gate meanwhile.
pub(crate) async fn run(workspaces: Arc<Workspaces>, entry: Arc<Entry>) {
    let _gate = entry.gate.lock().await;
    if entry.record().state != WorkspaceState::Creating || workspaces.is_stopping() {
        return;
    }
    let stop = CancellationToken::new();
    *entry.plan_stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop.clone());
    let begun = Instant::now();
    let outcome = match workspaces.engines.ready(&entry.engine) {
        Ok(engine) => {
            let job = Job {
                workspaces: Arc::clone(&workspaces),
                entry: Arc::clone(&entry),
                engine,
                stop: stop.clone(),
            };
            Box::pin(job.run()).await
        }
        Err(error) => Err(error),
    };
    *entry.plan_stop.lock().unwrap_or_else(PoisonError::into_inner) = None;
    // Cancelled: whoever did that cleans up. Shutting down: the plan goes on when the cockpit starts again.
    if stop.is_cancelled() || workspaces.is_stopping() {
        return;
    }
    match outcome {
        Ok(()) => {
            succeed(&workspaces, &entry).await;
            let seconds = begun.elapsed().as_secs_f64();
            workspaces.note(&entry, format!("Created in {seconds:.1} s."), false).await;
        }
        Err(error) => {
            tracing::warn!(workspace = %entry.id, %error, "creation failed");
            workspaces.note(&entry, format!("Creation failed: {}", error.message), true).await;
            fail(&workspaces, &entry, error).await;
        }
    }
}

/// Goes on with plans that were cut off, on an engine that is ready.
pub(crate) fn resume(workspaces: &Workspaces, entry: &Arc<Entry>) {
    if entry.record().state == WorkspaceState::Creating && entry.gate.try_lock().is_ok() {
        let entry = Arc::clone(entry);
        workspaces.spawn(|workspaces| Box::pin(run(workspaces, entry)));
    }
}

async fn succeed(workspaces: &Workspaces, entry: &Entry) {
    workspaces
        .update(entry, |record| {
            if record.state == WorkspaceState::Creating {
                record.state = WorkspaceState::Running;
                record.message = None;
                record.plan = None;
            }
        })
        .await;
}

async fn fail(workspaces: &Workspaces, entry: &Entry, error: ApiError) {
    workspaces
        .update(entry, |record: &mut StoredWorkspace| {
            if record.state == WorkspaceState::Creating {
                record.state = WorkspaceState::Failed;
                record.message = Some(error.message.clone());
                if let Some(plan) = &mut record.plan {
                    plan.error = Some(error);
                }
            }
        })
        .await;
}

impl Job {
    pub(super) fn id(&self) -> &WorkspaceId {
        &self.entry.id
    }

    pub(super) fn spec(&self) -> WorkspaceSpec {
        self.entry.record().spec.clone()
    }

    /// Runs something long that cancelling cuts off.
    pub(super) async fn until_cancelled<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        to_api: impl FnOnce(E) -> ApiError,
    ) -> Result<T, ApiError> {
        match self.stop.run_until_cancelled(work).await {
            Some(result) => result.map_err(to_api),
            None => Err(cancelled()),
        }
    }

    /// Runs something long that takes other machines: not while offline.
    pub(super) async fn fetch<T>(
        &self,
        doing: &str,
        work: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        self.until_cancelled(self.workspaces.settings.online(doing, work), |error| error).await
    }

    /// The steps. Those that do not need each other run side by side; when one fails the others come to rest first,
    /// so that nothing is under way any more when the plan has failed.
    async fn run(&self) -> Result<(), ApiError> {
        let spec = self.spec();
        let (image, network, volume) = tokio::join!(
            self.image_and_agent(),
            self.when_needed(StepKind::Network, network::ensure(self)),
            self.when_needed(StepKind::Volume, self.ensure_volumes(&spec)),
        );
        let image = image?;
        network?;
        volume?;
        self.clone_once().await?;
        let container =
            self.step(StepKind::Container, async |_| container::ensure(self, &image).await).await?;
        self.entry.record().container = Some(container.clone());
        let container = self.step(StepKind::Start, async |_| self.start(container, &image).await).await?;
        self.step(StepKind::Connect, async |_| {
            self.connect(&container).await?;
            self.check_cut_off(&spec, &container).await
        })
        .await
    }

    /// A Locked workspace has no network, or is none: where the engine only asks for that it is looked at from inside.
    async fn check_cut_off(&self, spec: &WorkspaceSpec, container: &ContainerId) -> Result<(), ApiError> {
        if spec.profile != Profile::Locked || self.engine.capabilities().no_network {
            return Ok(());
        }
        let looked = self.engine.is_cut_off(container);
        let to_api =
            |error: EngineError| error.to_api("look whether the workspace is cut off from the network");
        if self.until_cancelled(looked, to_api).await? {
            return Ok(());
        }
        // What was begun must not run on.
        self.engine.stop_container(container, Duration::ZERO).await.map_err(to_api)?;
        Err(ApiError::new(
            ErrorCode::Unsupported,
            "This cluster does not enforce network policies: a Locked workspace would have a network.",
        )
        .hint("Use a cluster whose network plugin enforces NetworkPolicy, or, once you trust the code, Standard."))
    }

    /// The agent's helper container can be made from any image, once there is one.
    async fn image_and_agent(&self) -> Result<ReadyImage, ApiError> {
        let image = match image::of_cluster(self) {
            Some(image) => {
                self.leave(StepKind::Image, "The cluster's machines pull it").await;
                image
            }
            None => self.step(StepKind::Image, async |progress| image::ensure(self, progress).await).await?,
        };
        if !self.engine.capabilities().files_at_rest {
            self.leave(StepKind::Agent, "It is brought when the workspace starts").await;
            return Ok(image);
        }
        let owner = self.workspaces.store.owner();
        self.step(StepKind::Agent, async |_| {
            agent_volume::ensure(&self.workspaces.plans, &*self.engine, self.id(), owner, &image.reference)
                .await
                .map_err(|error| error.to_api("bring the agent to the engine"))
        })
        .await?;
        Ok(image)
    }

    async fn when_needed(
        &self,
        kind: StepKind,
        work: impl Future<Output = Result<(), ApiError>>,
    ) -> Result<(), ApiError> {
        // A Locked workspace has a network for its clone alone, which is gone once that is done.
        let locked = self.entry.record().spec.profile == Profile::Locked;
        let cloned = self.step_state(StepKind::Clone) == Some(StepState::Done);
        let is_over = kind == StepKind::Network && locked && cloned;
        if is_over || self.step_state(kind) == Some(StepState::Skipped) {
            return Ok(());
        }
        self.step(kind, async |_| work.await).await
    }

    async fn ensure_volumes(&self, spec: &WorkspaceSpec) -> Result<(), ApiError> {
        let labels = labels::of_helper(self.id(), self.workspaces.store.owner());
        for name in mounts::volumes(self.id(), spec.profile, &self.engine.capabilities()) {
            self.engine
                .create_volume(&name, &labels)
                .await
                .map_err(|error| error.to_api("create the volume"))?;
        }
        Ok(())
    }

    /// A clone that was done stays: the files in it may have been changed since.
    async fn clone_once(&self) -> Result<(), ApiError> {
        match self.step_state(StepKind::Clone) {
            Some(StepState::Skipped | StepState::Done) => Ok(()),
            _ => self.step(StepKind::Clone, async |progress| clone::run(self, progress).await).await,
        }
    }

    /// Starts a container; none where that was cancelled. Only an engine whose machines pull the image first takes
    /// long enough to be cut off.
    pub(super) async fn start_container(&self, container: &ContainerId) -> Option<Result<(), EngineError>> {
        let starting = self.engine.start_container(container);
        match self.engine.capabilities().images {
            true => Some(starting.await),
            false => self.stop.run_until_cancelled(starting).await,
        }
    }

    /// Starts the container, which may be another one afterwards.
    async fn start(&self, container: ContainerId, image: &ReadyImage) -> Result<ContainerId, ApiError> {
        let capabilities = self.engine.capabilities();
        let to_api = |error: EngineError| start_error(&error, "start the container", &capabilities);
        let Some(started) = self.start_container(&container).await else { return Err(cancelled()) };
        let started = match started {
            // The agent's volume was removed or emptied behind our back: fill it again.
            Err(EngineError::ProgramNotFound(_)) if self.engine.capabilities().files_at_rest => {
                let owner = self.workspaces.store.owner();
                agent_volume::refill(
                    &self.workspaces.plans,
                    &*self.engine,
                    self.id(),
                    owner,
                    &image.reference,
                )
                .await
                .map_err(|error| error.to_api("bring the agent to the engine"))?;
                self.engine.start_container(&container).await
            }
            // A Docker daemon that was killed during the start leaves a task behind with which this container never
            // starts again. Nothing is in it yet.
            Err(EngineError::Conflict(why)) => {
                tracing::warn!(workspace = %self.id(), why, "making the container anew");
                self.engine.remove_container(&container).await.map_err(to_api)?;
                let container = container::ensure(self, image).await?;
                self.entry.record().container = Some(container.clone());
                return self.engine.start_container(&container).await.map(|()| container).map_err(to_api);
            }
            started => started,
        };
        started.map(|()| container).map_err(to_api)
    }

    async fn connect(&self, container: &ContainerId) -> Result<(), ApiError> {
        let target = self.workspaces.target_of(&self.entry, Arc::clone(&self.engine))?;
        let deadline = Instant::now() + CONNECT_WITHIN;
        loop {
            let asked = self.workspaces.agents.call(self.id(), &target, Call::Inside);
            let error = match self.until_cancelled(asked, |error| error).await {
                Ok(_) => return Ok(()),
                Err(error) if error.code == ErrorCode::Cancelled => return Err(error),
                Err(error) => error,
            };
            if let Some(ended) = self.how_it_ended(container).await {
                return Err(ended);
            }
            if Instant::now() >= deadline {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The error that says how the container ended, where it did.
    async fn how_it_ended(&self, container: &ContainerId) -> Option<ApiError> {
        let details = self.engine.inspect_container(container).await.ok()?;
        if matches!(
            details.state,
            ContainerState::Running
                | ContainerState::Paused
                | ContainerState::Starting
                | ContainerState::Stranded
        ) {
            return None;
        }
        let how = match details.exit_status {
            _ if details.out_of_memory => "was killed for using more memory than its limit".to_owned(),
            Some(status) if details.reason.is_some() => {
                format!("ended at once with status {status}: {}", details.reason.unwrap_or_default())
            }
            Some(status) => format!("ended at once with status {status}"),
            None => "ended at once".to_owned(),
        };
        let mut words = String::new();
        if let Ok(mut logs) = self.engine.logs(container, LAST_WORDS, false).await {
            while let Some(Ok(chunk)) = logs.next().await {
                words.push_str(&String::from_utf8_lossy(&chunk.bytes));
                if words.len() > LAST_WORDS_LEN {
                    break;
                }
            }
        }
        Some(
            ApiError::new(ErrorCode::AgentUnavailable, format!("The container {how}."))
                .hint("The log shows what it said; check the image and the limits.")
                .detail(words),
        )
    }
}
