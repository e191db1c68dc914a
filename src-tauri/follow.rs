//! What the desktop does of itself when workspaces change: the tray's menu, and a notification where nobody looks.

use crate::shell::Shell;
use crate::{tray, window};
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::api::{Empty, Event, WorkspaceList};
use aicockpit_protocol::workspace::{Workspace, WorkspaceState};
use aicockpit_protocol::{ApiError, WorkspaceId};
use std::collections::BTreeMap;
use std::time::Duration;
use tauri::tray::TrayIcon;
use tauri::{AppHandle, Manager as _};
use tauri_plugin_notification::NotificationExt as _;
use tokio::sync::broadcast::error::RecvError;

/// Pause before the cockpit is asked again after its connection ended.
const RETRY: Duration = Duration::from_secs(2);

/// What is known of a workspace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) state: WorkspaceState,
}

/// All workspaces by id.
pub(crate) type All = BTreeMap<WorkspaceId, Known>;

/// Follows the workspaces as long as the application runs.
pub(crate) fn spawn(app: AppHandle, icon: Option<TrayIcon>) {
    tauri::async_runtime::spawn(async move {
        loop {
            match app.state::<Shell>().client().await {
                Ok(client) => {
                    if let Err(error) = follow(&app, icon.as_ref(), &client).await {
                        tracing::warn!(%error, "the desktop could not follow the workspaces");
                    }
                }
                Err(error) => tracing::debug!(%error, "no cockpit to follow yet"),
            }
            tokio::time::sleep(RETRY).await;
        }
    });
}

/// Follows until the connection ends.
async fn follow(app: &AppHandle, icon: Option<&TrayIcon>, client: &Client) -> Result<(), ApiError> {
    let mut events = client.events();
    let mut all = list(client).await?;
    tray::show(app, icon, &all);
    loop {
        let before = all.clone();
        match events.recv().await {
            Ok(Event::Workspace { workspace }) => {
                let (id, now) = known(workspace);
                if let Some(text) = news(all.get(&id), &now)
                    && !window::is_looked_at(app)
                {
                    notify(app, &now.name, text);
                }
                all.insert(id, now);
            }
            Ok(Event::WorkspaceGone { workspace }) => {
                all.remove(&workspace);
            }
            Ok(Event::Resync) | Err(RecvError::Lagged(_)) => all = list(client).await?,
            Ok(_) => continue,
            Err(RecvError::Closed) => return Ok(()),
        }
        if all != before {
            tray::show(app, icon, &all);
        }
    }
}

async fn list(client: &Client) -> Result<All, ApiError> {
    Ok(client.call::<WorkspaceList>(Empty {}).await?.into_iter().map(known).collect())
}

fn known(workspace: Workspace) -> (WorkspaceId, Known) {
    (workspace.id, Known { name: workspace.name, state: workspace.state })
}

/// What is worth interrupting a person for: work of minutes that came to its end, and what ended without being asked.
fn news(before: Option<&Known>, now: &Known) -> Option<&'static str> {
    use WorkspaceState as S;
    match (before?.state, now.state) {
        (S::Creating, S::Running) => Some("The workspace is ready."),
        (S::Creating, S::Failed) => Some("The workspace could not be created."),
        (S::Running | S::Paused, S::Stopped) => Some("The workspace ended."),
        (S::Running | S::Paused, S::Lost) => Some("The workspace's container was removed."),
        _ => None,
    }
}

fn notify(app: &AppHandle, title: &str, body: &str) {
    if let Err(error) = app.notification().builder().title(title).body(body).show() {
        tracing::debug!(%error, "no notification could be shown");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_state(state: WorkspaceState) -> Known {
        Known { name: "api".to_owned(), state }
    }

    #[test]
    fn only_ends_of_long_work_and_unasked_ends_are_told() {
        use WorkspaceState as S;
        let told = |before, now| news(Some(&in_state(before)), &in_state(now)).is_some();
        assert!(told(S::Creating, S::Running));
        assert!(told(S::Creating, S::Failed));
        assert!(told(S::Running, S::Stopped), "it went from running to stopped without stopping first");
        assert!(!told(S::Stopping, S::Stopped), "the person asked for it");
        assert!(!told(S::Starting, S::Running));
        assert!(!told(S::Running, S::Running));
        assert!(news(None, &in_state(S::Failed)).is_none(), "it is not known that it just happened");
    }
}
