//! Starting, stopping and the like.

use super::{AgentTarget, Entry, Workspaces, names, state};
use crate::agent::mismatch;
use crate::{now_ms, plan};
use aicockpit_engine::{ContainerState, Engine, EngineError};
use aicockpit_protocol::agent::{Answer, Call};
use aicockpit_protocol::fs::GitStatus;
use aicockpit_protocol::workspace::{WorkspaceAction, WorkspaceInside, WorkspaceState};
use aicockpit_protocol::{ApiError, ContainerId, ErrorCode, WorkspaceId};
use std::time::Duration;

/// Time a workspace's programs have to end after SIGTERM.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// What to do where a machine does not confirm what was asked of it.
const ITS_MACHINE: &str = "It goes on once its machine is back. Where that is gone for good, let it go.";
/// How long opening a workspace waits for its start.
const START_WITHIN: Duration = Duration::from_secs(600);

impl Workspaces {
    /// Starts a stopped workspace.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`] when it does not apply; the engine's. The same holds for the next four. Each goes
    /// on when its caller is gone.
    pub async fn start(&self, id: &WorkspaceId) -> Result<(), ApiError> {
        self.act(id, WorkspaceAction::Start).await
    }

    /// Stops it: SIGTERM, and SIGKILL ten seconds later.
    ///
    /// # Errors
    /// As [`Workspaces::start`].
    pub async fn stop(&self, id: &WorkspaceId) -> Result<(), ApiError> {
        self.act(id, WorkspaceAction::Stop).await
    }

    /// Stops and starts it.
    ///
    /// # Errors
    /// As [`Workspaces::start`].
    pub async fn restart(&self, id: &WorkspaceId) -> Result<(), ApiError> {
        self.act(id, WorkspaceAction::Restart).await
    }

    /// Freezes it.
    ///
    /// # Errors
    /// As [`Workspaces::start`]; [`ErrorCode::Unsupported`] where the engine cannot.
    pub async fn pause(&self, id: &WorkspaceId) -> Result<(), ApiError> {
        self.act(id, WorkspaceAction::Pause).await
    }

    /// Thaws it.
    ///
    /// # Errors
    /// As [`Workspaces::start`].
    pub async fn unpause(&self, id: &WorkspaceId) -> Result<(), ApiError> {
        self.act(id, WorkspaceAction::Unpause).await
    }

    /// Forgets what ran of it on a machine that does not answer, without knowing that it ended: the caller has warned
    /// the person. It starts on another machine where it was not stopped.
    ///
    /// # Errors
    /// As [`Workspaces::start`].
    pub async fn let_go(&self, id: &WorkspaceId) -> Result<(), ApiError> {
        self.act(id, WorkspaceAction::LetGo).await
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] and [`ErrorCode::AlreadyExists`] for names that cannot be.
    pub async fn rename(&self, id: &WorkspaceId, name: &str) -> Result<(), ApiError> {
        let entry = self.entry(id)?;
        let name = names::check(name)?;
        if self.is_name_taken(&name, Some(id)) {
            return Err(super::name_taken(&name));
        }
        self.update(&entry, |record| record.name = name).await;
        Ok(())
    }

    /// Makes it ready for use: waits for its creation, starts or thaws it where needed, connects to its agent, and
    /// notes the use.
    ///
    /// # Errors
    /// As [`Workspaces::start`]; [`ErrorCode::AgentUnavailable`] when its agent cannot be reached.
    pub async fn open(&self, id: &WorkspaceId) -> Result<WorkspaceInside, ApiError> {
        let entry = self.entry(id)?;
        // An engine that is not ready shows in the state.
        let _ = self.engines.when_ready(&entry.engine).await;
        let shown = self.present(&entry).state;
        state::check_allows(&entry.snapshot().name, shown, WorkspaceAction::Open)?;
        let (target, inside) = match self.reach(&entry).await {
            // What is known may be older than the engine's return, which ended the container.
            Err(error) if error.code == ErrorCode::InvalidState => {
                let engine = self.engines.ready(&entry.engine)?;
                {
                    let _gate = entry.gate.lock().await;
                    self.sync(&entry, &*engine).await;
                }
                self.reach(&entry).await?
            }
            reached => reached?,
        };
        self.update(&entry, |record| record.last_used_ms = Some(now_ms())).await;
        let folder = inside.folder.clone();
        self.spawn(|me| {
            Box::pin(async move {
                let asked =
                    me.agents.call(&entry.id, &target, Call::GitStatus(GitStatus { path: folder })).await;
                if let Ok(Answer::Git(git)) = asked {
                    let branch = git.and_then(|git| git.branch);
                    me.update(&entry, |record| record.branch = branch).await;
                }
            })
        });
        Ok(inside)
    }

    /// Starts or thaws a workspace where needed, and asks its agent where it is.
    async fn reach(&self, entry: &Entry) -> Result<(AgentTarget, WorkspaceInside), ApiError> {
        match self.started(entry).await? {
            WorkspaceState::Stopped => self.act(&entry.id, WorkspaceAction::Start).await?,
            WorkspaceState::Paused => self.act(&entry.id, WorkspaceAction::Unpause).await?,
            _ => {}
        }
        let engine = self.engines.ready(&entry.engine)?;
        self.bring_agent(entry, &*engine).await?;
        let target = self.target(&entry.id)?;
        match self.agents.call(&entry.id, &target, Call::Inside).await? {
            Answer::Inside(inside) => Ok((target, inside)),
            other => Err(mismatch(&other)),
        }
    }

    /// Waits until nothing is under way, for a start with limited patience: what the engine waits for may never come.
    async fn started(&self, entry: &Entry) -> Result<WorkspaceState, ApiError> {
        loop {
            if let Ok(state) = tokio::time::timeout(START_WITHIN, self.settled(&entry.id)).await {
                return Ok(state);
            }
            let record = entry.snapshot();
            if record.state == WorkspaceState::Starting {
                let error = ApiError::new(
                    ErrorCode::TimedOut,
                    format!(
                        "“{}” has not started within {} minutes.",
                        record.name,
                        START_WITHIN.as_secs() / 60
                    ),
                )
                .hint("Its timeline says what it waits for. It goes on starting; stop it to give up.");
                return Err(match record.message {
                    Some(reason) => error.detail(reason),
                    None => error,
                });
            }
        }
    }

    /// After an update of the product a running workspace needs the new agent beside the old one.
    async fn bring_agent(&self, entry: &Entry, engine: &dyn Engine) -> Result<(), ApiError> {
        let record = entry.snapshot();
        let Some(container) = record.container else { return Ok(()) };
        let brought = if !engine.capabilities().files_at_rest {
            engine.bring_program(&container).await
        } else if record.imported {
            super::import::bring_agent(&self.plans.agent, engine, &container).await
        } else {
            match engine.inspect_container(&container).await {
                Ok(details) => {
                    plan::ensure_agent(&self.plans, engine, &entry.id, self.store.owner(), &details.image)
                        .await
                }
                Err(error) => Err(error),
            }
        };
        brought.map_err(|error| error.to_api("bring the agent into the workspace"))
    }

    async fn act(&self, id: &WorkspaceId, action: WorkspaceAction) -> Result<(), ApiError> {
        let entry = self.entry(id)?;
        let work = self.spawn(|me| Box::pin(async move { me.perform(&entry, action).await }));
        match work {
            Some(work) => work.await.unwrap_or_else(|_| Err(interrupted())),
            None => Err(interrupted()),
        }
    }

    async fn perform(&self, entry: &Entry, action: WorkspaceAction) -> Result<(), ApiError> {
        let cut_off = action == WorkspaceAction::Stop && entry.stop_start();
        let _gate = entry.gate.lock().await;
        if cut_off {
            // Somebody may have looked in the meantime, and what the start has begun may still come.
            self.update(entry, |record| {
                if record.state == WorkspaceState::Stopped {
                    record.state = WorkspaceState::Starting;
                }
            })
            .await;
        }
        // An engine that is not ready shows in the state.
        let _ = self.engines.when_ready(&entry.engine).await;
        let name = entry.snapshot().name;
        state::check_allows(&name, self.present(entry).state, action)?;
        let engine = self.engines.ready(&entry.engine)?;
        let container = self.container(entry)?;
        let doing = format!("{} “{name}”", verb(action));
        let done = match action {
            WorkspaceAction::Start => self.start_container(entry, &*engine, &container).await,
            WorkspaceAction::Stop => Some(self.stop_container(entry, &*engine, &container).await),
            WorkspaceAction::Restart => match self.stop_container(entry, &*engine, &container).await {
                Ok(()) => self.start_container(entry, &*engine, &container).await,
                Err(error) => Some(Err(error)),
            },
            WorkspaceAction::Pause => Some(engine.pause_container(&container).await),
            WorkspaceAction::Unpause => Some(engine.unpause_container(&container).await),
            WorkspaceAction::LetGo => Some(engine.let_go(&container).await),
            WorkspaceAction::Open
            | WorkspaceAction::Retry
            | WorkspaceAction::Recreate
            | WorkspaceAction::Cancel
            | WorkspaceAction::Delete => {
                Some(Err(EngineError::Unsupported("this is not for the engine to do".to_owned())))
            }
        };
        // Whoever cut it off goes on from here: it is not known how far the engine came.
        let Some(done) = done else {
            return Err(ApiError::new(ErrorCode::Cancelled, format!("The start of “{name}” was cancelled.")));
        };
        let error = done.err().map(|error| plan::start_error(&error, &doing, &engine.capabilities()));
        self.sync(entry, &*engine).await;
        let stranded = entry.record().state == WorkspaceState::Stranded;
        let error = error.map(|error| if stranded { error.hint(ITS_MACHINE) } else { error });
        match error {
            None => {
                self.note(entry, past(action), false).await;
                if action == WorkspaceAction::Unpause {
                    self.agents.retry_now(&entry.id);
                }
                Ok(())
            }
            Some(error) => {
                self.note(entry, error.message.clone(), true).await;
                // An engine that gave up after a while says so to nobody else: its caller may be long gone.
                if !engine.capabilities().images {
                    self.update(entry, |record| {
                        if record.state == WorkspaceState::Stopped {
                            record.message = Some(error.message.clone());
                        }
                    })
                    .await;
                }
                Err(error)
            }
        }
    }

    /// Nothing where it was cancelled. Only an engine whose machines pull the image first takes long enough for that.
    async fn start_container(
        &self,
        entry: &Entry,
        engine: &dyn Engine,
        container: &ContainerId,
    ) -> Option<Result<(), EngineError>> {
        self.update(entry, |record| {
            record.state = WorkspaceState::Starting;
            record.message = None;
        })
        .await;
        let starting = engine.start_container(container);
        match engine.capabilities().images {
            true => Some(starting.await),
            false => entry.start(&self.stop, starting).await,
        }
    }

    async fn stop_container(
        &self,
        entry: &Entry,
        engine: &dyn Engine,
        container: &ContainerId,
    ) -> Result<(), EngineError> {
        self.update(entry, |record| record.state = WorkspaceState::Stopping).await;
        // A frozen process cannot end by itself.
        let details = engine.inspect_container(container).await?;
        if details.state == ContainerState::Paused {
            engine.unpause_container(container).await?;
        }
        engine.stop_container(container, STOP_GRACE).await
    }

    pub(super) fn container(&self, entry: &Entry) -> Result<ContainerId, ApiError> {
        let record = entry.record();
        record.container.clone().ok_or_else(|| {
            ApiError::new(ErrorCode::InvalidState, format!("“{}” has no container.", record.name))
                .hint("Delete it and create it anew.")
        })
    }
}

pub(super) fn interrupted() -> ApiError {
    ApiError::new(ErrorCode::Internal, "AiCockpit is shutting down.")
        .hint("Start it again; the state is kept.")
}

fn verb(action: WorkspaceAction) -> &'static str {
    match action {
        WorkspaceAction::Start => "start",
        WorkspaceAction::Stop => "stop",
        WorkspaceAction::Restart => "restart",
        WorkspaceAction::Pause => "pause",
        WorkspaceAction::Unpause => "resume",
        WorkspaceAction::LetGo => "let go of",
        _ => "change",
    }
}

fn past(action: WorkspaceAction) -> &'static str {
    match action {
        WorkspaceAction::Start => "Started.",
        WorkspaceAction::Stop => "Stopped.",
        WorkspaceAction::Restart => "Restarted.",
        WorkspaceAction::Pause => "Paused.",
        WorkspaceAction::Unpause => "Resumed.",
        WorkspaceAction::LetGo => "Let go: its machine did not answer.",
        _ => "Changed.",
    }
}
