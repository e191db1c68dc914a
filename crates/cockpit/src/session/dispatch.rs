//! Every operation's way to the function that does it. The match names each one: an operation without a host does
//! not compile.

use super::frames::Answer;
use super::{Inner, Outcome};
use aicockpit_protocol::api::{
    Empty, In, JsonValue, ReadLogs, Request, StreamOpened, TryModel, WorkspaceRef,
};
use aicockpit_protocol::fs::MAX_FILE_CHUNK;
use aicockpit_protocol::{ApiError, ErrorCode};
use serde::Serialize;
use std::sync::Arc;

type Result<T = Outcome> = std::result::Result<T, ApiError>;

fn ok<T: Serialize>(value: &T) -> Result {
    Ok(Outcome { answer: Answer::new(value)?, afterwards: None })
}

fn done(outcome: Result<()>) -> Result {
    outcome?;
    ok(&Empty {})
}

/// A body that must fit where it goes.
fn bounded(body: Vec<u8>) -> Result<Vec<u8>> {
    if body.len() > MAX_FILE_CHUNK {
        return Err(ApiError::new(
            ErrorCode::TooLarge,
            format!("{} bytes are too many for one request; the limit is {MAX_FILE_CHUNK}.", body.len()),
        )
        .hint("Larger files travel by upload."));
    }
    Ok(body)
}

impl Inner {
    pub(super) async fn dispatch(self: &Arc<Self>, request: Request, body: Vec<u8>) -> Result {
        use Request as R;
        let cockpit = &self.cockpit;
        let workspaces = cockpit.workspaces();
        match request {
            R::HostInfo(Empty {}) => ok(&cockpit.host()),
            R::SettingsGet(Empty {}) => ok(&cockpit.settings()),
            R::SettingsPut(settings) => done(cockpit.put_settings(settings).await),
            R::StateGet(key) => ok(&JsonValue(cockpit.ui_state(key.key).await?)),
            R::StatePut(entry) => done(cockpit.put_ui_state(entry.key, entry.value.0).await),

            R::ModelsBackends(Empty {}) => ok(&cockpit.models().backends().await),
            R::ModelsCheck(server) => ok(&cockpit.models().check_backend(&server.backend).await),
            R::ModelsDiscover(Empty {}) => ok(&cockpit.models().discover().await),
            R::ModelsKey(key) => done(cockpit.put_backend_key(key).await),
            R::ModelsAccess(Empty {}) => ok(&cockpit.models().access().new_key().await?),
            R::ModelsTry(asked) => self.try_model(asked).await,
            R::ModelsUsage(query) => ok(&cockpit.models().usage(query).await?),
            R::ModelsOwners(Empty {}) => ok(&cockpit.models().owners()),
            R::ModelsRequests(query) => ok(&cockpit.models().requests(query).await?),
            R::ModelsRequest(asked) => ok(&cockpit.models().kept(&asked.request)),

            R::LocalModelsScan(Empty {}) => ok(&cockpit.models().local().scan().await),
            R::LocalModelsServers(Empty {}) => ok(&cockpit.models().local().servers()),
            R::LocalModelsStart(one) => done(cockpit.models().local().start(&one.server)),
            R::LocalModelsStop(one) => done(cockpit.models().local().stop(&one.server).await),
            R::LocalModelsUpdate(request) => done(cockpit.models().local().update(&request)),
            R::LocalModelsCancelUpdate(of) => {
                cockpit.models().local().cancel_update(&of);
                done(Ok(()))
            }
            R::LocalModelsUpdates(_) => ok(&cockpit.models().local().updates()),
            R::LocalModelsLog(one) => ok(&cockpit.models().local().log(&one.server)?),

            R::EngineList(Empty {}) => ok(&cockpit.engines().list()),
            R::EngineRefresh(Empty {}) => ok(&cockpit.engines().refresh().await),
            R::EngineContainers(of) => {
                ok(&cockpit.engines().foreign_containers(&of.engine, cockpit.store().owner()).await?)
            }
            R::EngineImages(of) => ok(&cockpit.engines().images(&of.engine).await?),

            R::WorkspaceList(Empty {}) => ok(&workspaces.list()),
            R::WorkspaceCreate(create) => ok(&workspaces.create(create).await?),
            R::WorkspaceImport(import) => ok(&workspaces.import(import).await?),
            R::WorkspaceStart(of) => done(workspaces.start(&of.workspace).await),
            R::WorkspaceStop(of) => done(workspaces.stop(&of.workspace).await),
            R::WorkspaceRestart(of) => done(workspaces.restart(&of.workspace).await),
            R::WorkspacePause(of) => done(workspaces.pause(&of.workspace).await),
            R::WorkspaceUnpause(of) => done(workspaces.unpause(&of.workspace).await),
            R::WorkspaceRename(rename) => done(workspaces.rename(&rename.workspace, &rename.name).await),
            R::WorkspaceRetry(of) => done(workspaces.retry(&of.workspace).await),
            R::WorkspaceRecreate(of) => done(workspaces.recreate(&of.workspace).await),
            R::WorkspaceLetGo(of) => done(workspaces.let_go(&of.workspace).await),
            R::WorkspaceCancel(of) => done(workspaces.cancel(&of.workspace).await),
            R::WorkspaceDeletePreview(of) => ok(&workspaces.delete_preview(&of.workspace).await?),
            R::WorkspaceDelete(of) => done(workspaces.delete(&of.workspace).await),
            R::WorkspaceTimeline(of) => ok(&workspaces.timeline(&of.workspace).await?),
            R::WorkspacePlanLog(of) => ok(&workspaces.plan_log(&of.workspace).await?),
            R::WorkspaceHistory(of) => ok(&workspaces.history(&of.workspace)?),
            R::WorkspaceWatchSamples(watch) => {
                self.watch_samples(watch.on);
                ok(&Empty {})
            }
            R::WorkspaceLogs(read) => self.logs(read).await,
            R::WorkspaceOpen(of) => self.open_workspace(of).await,

            R::FsStat(In { workspace, args }) => ok(&self.stat(&workspace, args).await?),
            R::FsList(In { workspace, args }) => ok(&self.list(&workspace, args).await?),
            R::FsRead(In { workspace, args }) => {
                let chunk = self.read(&workspace, args).await?;
                Ok(Outcome { answer: Answer::with_body(&chunk.stat, chunk.content)?, afterwards: None })
            }
            R::FsWrite(In { workspace, args }) => ok(&self.write(&workspace, args, bounded(body)?).await?),
            R::FsMkdir(In { workspace, args }) => done(self.make_directory(&workspace, args).await),
            R::FsRename(In { workspace, args }) => done(self.rename(&workspace, args).await),
            R::FsCopy(In { workspace, args }) => done(self.copy(&workspace, args).await),
            R::FsTrash(In { workspace, args }) => ok(&self.trash(&workspace, args).await?),
            R::FsRestore(In { workspace, args }) => done(self.restore_trash(&workspace, args).await),
            R::FsWatch(In { workspace, args }) => done(self.watch(&workspace, args).await),
            R::FsUpload(In { workspace, args }) => self.upload(&workspace, args).await,
            R::FsDownload(In { workspace, args }) => self.download(&workspace, args).await,
            R::GitStatusGet(In { workspace, args }) => ok(&self.git_status(&workspace, args).await?),

            R::SearchTextStart(In { workspace, args }) => self.search(&workspace, args).await,
            R::SearchFiles(In { workspace, args }) => ok(&self.find_files(&workspace, args).await?),
            R::SearchReplace(In { workspace, args }) => ok(&self.replace(&workspace, args).await?),

            R::TerminalList(of) => ok(&self.terminals(&of.workspace).await?),
            R::TerminalCreate(In { workspace, args }) => ok(&self.create_terminal(&workspace, args).await?),
            R::TerminalCreateAsRoot(In { workspace, args }) => {
                ok(&self.create_terminal_as_root(&workspace, args).await?)
            }
            R::TerminalAttach(In { workspace, args }) => self.attach(&workspace, args).await,
            R::TerminalResize(In { workspace, args }) => done(self.resize_terminal(&workspace, args).await),
            R::TerminalRename(In { workspace, args }) => done(self.rename_terminal(&workspace, args).await),
            R::TerminalSignal(In { workspace, args }) => done(self.signal_terminal(&workspace, args).await),
            R::TerminalClose(In { workspace, args }) => done(self.close_terminal(&workspace, args).await),

            R::ProcessList(of) => ok(&self.processes(&of.workspace).await?),
            R::ProcessSignal(In { workspace, args }) => done(self.signal_process(&workspace, args).await),
            R::ProcessExec(In { workspace, args }) => self.exec(&workspace, args).await,

            R::PortList(of) => ok(&self.ports(&of.workspace).await?),
            R::PortForward(In { workspace, args }) => {
                ok(&self.agent(&workspace)?.forwards.open(args).await?)
            }
            R::PortClose(In { workspace, args }) => {
                self.agent(&workspace)?.forwards.close(&args);
                ok(&Empty {})
            }

            R::DraftPut(In { workspace, args }) => {
                done(workspaces.put_draft(&workspace, args, bounded(body)?).await)
            }
            R::DraftList(of) => ok(&workspaces.drafts(&of.workspace).await?),
            R::DraftGet(In { workspace, args }) => {
                let (draft, content) = workspaces.draft(&workspace, args.path).await?;
                Ok(Outcome { answer: Answer::with_body(&draft, content)?, afterwards: None })
            }
            R::DraftDelete(In { workspace, args }) => {
                done(workspaces.delete_draft(&workspace, args.path).await)
            }
        }
    }

    async fn open_workspace(&self, of: WorkspaceRef) -> Result {
        let inside = self.cockpit.workspaces().open(&of.workspace).await?;
        // From now on this client keeps the connection.
        self.agent(&of.workspace)?;
        ok(&inside)
    }

    async fn logs(self: &Arc<Self>, read: ReadLogs) -> Result {
        let chunks = self.cockpit.workspaces().logs(&read).await?;
        let (stream, input, output) = self.streams.open()?;
        Ok(Outcome {
            answer: Answer::new(&StreamOpened { stream })?,
            afterwards: Some(Box::pin(super::transfer::text(chunks, input, output))),
        })
    }

    async fn try_model(self: &Arc<Self>, asked: TryModel) -> Result {
        let text = self.cockpit.models().try_model(&asked).await?;
        let (stream, input, output) = self.streams.open()?;
        Ok(Outcome {
            answer: Answer::new(&StreamOpened { stream })?,
            afterwards: Some(Box::pin(super::transfer::text(text, input, output))),
        })
    }
}
