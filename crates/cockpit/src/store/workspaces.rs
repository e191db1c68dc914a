//! Workspaces, their plans, and the memory of deleted ones.

use super::preferences::to_json;
use super::{Store, StoreError};
use crate::now_ms;
use aicockpit_protocol::workspace::{Plan, PlanStep, StepKind, WorkspaceSpec, WorkspaceState};
use aicockpit_protocol::{ApiError, ContainerId, EngineId, WorkspaceId};
use rusqlite::types::Type;
use rusqlite::{Connection, Row, Transaction, params};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// A workspace as the store keeps it.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the fields are those of protocol::workspace::Workspace")]
pub struct StoredWorkspace {
    pub id: WorkspaceId,
    pub name: String,
    pub engine: EngineId,
    /// Id of the store that made it.
    pub owner: String,
    /// Absent until it was created, and after it was lost.
    pub container: Option<ContainerId>,
    pub spec: WorkspaceSpec,
    /// Never [`WorkspaceState::Unreachable`]: that follows from the engine's health.
    pub state: WorkspaceState,
    pub message: Option<String>,
    pub created_ms: i64,
    pub last_used_ms: Option<i64>,
    pub branch: Option<String>,
    pub imported: bool,
    /// The folder that the agent of an imported container works in; absent for `/workspace`.
    pub agent_folder: Option<String>,
    /// Present from creation until it succeeded.
    pub plan: Option<Plan>,
}

#[cfg(test)]
impl StoredWorkspace {
    /// One that was just asked for, for tests.
    pub(crate) fn of_spec(spec: WorkspaceSpec) -> Self {
        Self {
            id: WorkspaceId::new("aaaaaaaaaaaaaaaa"),
            name: "tool".to_owned(),
            engine: EngineId::new("engine"),
            owner: "me".to_owned(),
            container: None,
            spec,
            state: WorkspaceState::Creating,
            message: None,
            created_ms: 0,
            last_used_ms: None,
            branch: None,
            imported: false,
            agent_folder: None,
            plan: None,
        }
    }
}

/// A workspace deleted while its engine could not be reached: what it left there is still to be removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tombstone {
    /// Which.
    pub workspace: WorkspaceId,
    /// Where its leftovers are.
    pub engine: EngineId,
}

impl Store {
    /// Every workspace. A row that cannot be read is left out and logged: its container's labels bring it back.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn workspaces(&self) -> Result<Vec<StoredWorkspace>, StoreError> {
        self.read(|connection| {
            let mut steps = plan_steps(connection)?;
            let mut statement = connection.prepare("SELECT * FROM workspaces ORDER BY created_ms, id")?;
            let mut rows = statement.query([])?;
            let mut workspaces = Vec::new();
            while let Some(row) = rows.next()? {
                match workspace(row, &mut steps) {
                    Ok(workspace) => workspaces.push(workspace),
                    Err(error) => tracing::error!(%error, "a workspace in the store cannot be read"),
                }
            }
            Ok(workspaces)
        })
        .await
    }

    /// Inserts or replaces a workspace with its plan; drafts and timeline stay.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put_workspace(&self, workspace: StoredWorkspace) -> Result<(), StoreError> {
        self.write(move |transaction| {
            put_row(transaction, &workspace)?;
            put_steps(transaction, &workspace)
        })
        .await
    }

    /// Keeps whether root's agent of a workspace may have terminals.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put_root_terminals(&self, workspace: WorkspaceId, any: bool) -> Result<(), StoreError> {
        self.write(move |transaction| {
            let sql = if any {
                "INSERT OR IGNORE INTO root_terminals (workspace) VALUES (?1)"
            } else {
                "DELETE FROM root_terminals WHERE workspace = ?1"
            };
            transaction.execute(sql, [workspace.as_str()])?;
            Ok(())
        })
        .await
    }

    /// Whether root's agent of a workspace may have terminals.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn has_root_terminals(&self, workspace: WorkspaceId) -> Result<bool, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT 1 FROM root_terminals WHERE workspace = ?1")?
                .exists([workspace.as_str()])
        })
        .await
    }

    /// Keeps a failed step's log.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put_plan_log(
        &self,
        workspace: WorkspaceId,
        kind: StepKind,
        lines: Vec<String>,
    ) -> Result<(), StoreError> {
        self.write(move |transaction| {
            transaction.execute(
                "UPDATE plan_steps SET log = ?3 WHERE workspace = ?1 AND kind = ?2",
                params![workspace.as_str(), to_text(&kind)?, lines.join("\n")],
            )?;
            Ok(())
        })
        .await
    }

    /// The kept logs of a plan, by step.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn plan_logs(
        &self,
        workspace: WorkspaceId,
    ) -> Result<Vec<(StepKind, Vec<String>)>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare(
                    "SELECT kind, log FROM plan_steps WHERE workspace = ?1 AND log IS NOT NULL ORDER BY position",
                )?
                .query_map([workspace.as_str()], |row| {
                    let log: String = row.get(1)?;
                    Ok((from_text(row, 0)?, log.lines().map(str::to_owned).collect()))
                })?
                .collect()
        })
        .await
    }

    /// Forgets a workspace and all that belongs to it, and with `leftovers_on` remembers that its objects are still
    /// on that engine.
    ///
    /// # Errors
    /// When the change cannot be written.
    pub async fn forget_workspace(
        &self,
        workspace: WorkspaceId,
        leftovers_on: Option<EngineId>,
    ) -> Result<(), StoreError> {
        self.write_durably(move |transaction| {
            transaction.execute("DELETE FROM workspaces WHERE id = ?1", [workspace.as_str()])?;
            transaction.execute(
                "DELETE FROM ui_state WHERE key >= ?1 AND key < ?2",
                [format!("workspace/{workspace}/"), format!("workspace/{workspace}0")],
            )?;
            if let Some(engine) = leftovers_on {
                transaction.execute(
                    "INSERT OR REPLACE INTO tombstones (workspace, engine, deleted_ms) VALUES (?1, ?2, ?3)",
                    params![workspace.as_str(), engine.as_str(), now_ms()],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Deleted workspaces whose objects are still to be removed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tombstones(&self) -> Result<Vec<Tombstone>, StoreError> {
        self.read(|connection| {
            connection
                .prepare("SELECT workspace, engine FROM tombstones")?
                .query_map([], |row| {
                    Ok(Tombstone {
                        workspace: WorkspaceId::new(row.get::<_, String>(0)?),
                        engine: EngineId::new(row.get::<_, String>(1)?),
                    })
                })?
                .collect()
        })
        .await
    }

    /// The leftovers were removed.
    ///
    /// # Errors
    /// When the change cannot be written.
    pub async fn bury(&self, workspace: WorkspaceId) -> Result<(), StoreError> {
        self.write(move |transaction| {
            transaction.execute("DELETE FROM tombstones WHERE workspace = ?1", [workspace.as_str()])?;
            Ok(())
        })
        .await
    }
}

fn put_row(transaction: &Transaction<'_>, workspace: &StoredWorkspace) -> rusqlite::Result<()> {
    let error = workspace.plan.as_ref().and_then(|plan| plan.error.as_ref()).map(to_json).transpose()?;
    // An upsert, not a replacement: replacing would delete the row and with it drafts and timeline.
    transaction
        .prepare_cached(
            "INSERT INTO workspaces (id, name, engine, owner, container, spec, state, message, plan_error, created_ms,
                 last_used_ms, branch, imported, agent_folder, recreates)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, engine = excluded.engine, owner = excluded.owner,
                 container = excluded.container, spec = excluded.spec, state = excluded.state,
                 message = excluded.message, plan_error = excluded.plan_error, last_used_ms = excluded.last_used_ms,
                 branch = excluded.branch, imported = excluded.imported, agent_folder = excluded.agent_folder,
                 recreates = excluded.recreates",
        )?
        .execute(params![
            workspace.id.as_str(),
            workspace.name,
            workspace.engine.as_str(),
            workspace.owner,
            workspace.container.as_ref().map(ContainerId::as_str),
            to_json(&workspace.spec)?,
            to_text(&workspace.state)?,
            workspace.message,
            error,
            workspace.created_ms,
            workspace.last_used_ms,
            workspace.branch,
            workspace.imported,
            workspace.agent_folder,
            workspace.plan.as_ref().is_some_and(|plan| plan.recreates),
        ])?;
    Ok(())
}

fn put_steps(transaction: &Transaction<'_>, workspace: &StoredWorkspace) -> rusqlite::Result<()> {
    let Some(plan) = &workspace.plan else {
        transaction.execute("DELETE FROM plan_steps WHERE workspace = ?1", [workspace.id.as_str()])?;
        return Ok(());
    };
    let mut statement = transaction.prepare_cached(
        "INSERT INTO plan_steps (workspace, position, kind, state, started_ms, duration_ms, note)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (workspace, position) DO UPDATE SET kind = excluded.kind, state = excluded.state,
             started_ms = excluded.started_ms, duration_ms = excluded.duration_ms, note = excluded.note",
    )?;
    for (position, step) in plan.steps.iter().enumerate() {
        statement.execute(params![
            workspace.id.as_str(),
            i64::try_from(position).unwrap_or(i64::MAX),
            to_text(&step.kind)?,
            to_text(&step.state)?,
            step.started_ms,
            step.duration_ms.and_then(|ms| i64::try_from(ms).ok()),
            step.note,
        ])?;
    }
    Ok(())
}

fn plan_steps(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Vec<PlanStep>>> {
    let mut steps: BTreeMap<String, Vec<PlanStep>> = BTreeMap::new();
    let mut statement = connection.prepare(
        "SELECT workspace, kind, state, started_ms, duration_ms, note FROM plan_steps ORDER BY workspace, position",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        steps.entry(row.get(0)?).or_default().push(PlanStep {
            kind: from_text(row, 1)?,
            state: from_text(row, 2)?,
            started_ms: row.get(3)?,
            duration_ms: row.get::<_, Option<i64>>(4)?.and_then(|ms| u64::try_from(ms).ok()),
            note: row.get(5)?,
        });
    }
    Ok(steps)
}

fn workspace(
    row: &Row<'_>,
    steps: &mut BTreeMap<String, Vec<PlanStep>>,
) -> rusqlite::Result<StoredWorkspace> {
    let id: String = row.get("id")?;
    let error = row
        .get::<_, Option<String>>("plan_error")?
        .and_then(|json| serde_json::from_str::<ApiError>(&json).ok());
    let recreates = row.get("recreates")?;
    let plan = steps.remove(&id).map(|steps| Plan { steps, error, recreates });
    let spec: String = row.get("spec")?;
    let state: String = row.get("state")?;
    Ok(StoredWorkspace {
        id: WorkspaceId::new(id),
        name: row.get("name")?,
        engine: EngineId::new(row.get::<_, String>("engine")?),
        owner: row.get("owner")?,
        container: row.get::<_, Option<String>>("container")?.map(ContainerId::new),
        spec: serde_json::from_str(&spec).map_err(unreadable)?,
        state: serde_json::from_value(state.into()).map_err(unreadable)?,
        message: row.get("message")?,
        created_ms: row.get("created_ms")?,
        last_used_ms: row.get("last_used_ms")?,
        branch: row.get("branch")?,
        imported: row.get("imported")?,
        agent_folder: row.get("agent_folder")?,
        plan,
    })
}

/// A unit variant's wire name.
fn to_text(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    Ok(to_json(value)?.trim_matches('"').to_owned())
}

fn from_text<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_value(row.get::<_, String>(column)?.into()).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
}
