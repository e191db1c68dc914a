//! A container that was removed behind our back, made anew around the files that are left.

use crate::common::inside::Inside;
use crate::common::*;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::fs::WriteCondition;
use aicockpit_protocol::workspace::{Profile, Source, WorkspaceSpec, WorkspaceState};
use std::time::Duration;

#[tokio::test]
async fn a_container_removed_by_somebody_else_is_made_anew_around_its_files() {
    let data = tempfile::tempdir().unwrap();
    let cockpit = start(data.path(), docker()).await;
    let workspaces = cockpit.workspaces();
    let path = repository(data.path()).display().to_string();
    for (source, locked) in [(Source::Git { url: path, branch: None }, true), (Source::Empty, false)] {
        let profile = if locked { Profile::Locked } else { Profile::Standard };
        let id = create_running(&cockpit, WorkspaceSpec { profile, ..spec(source) }).await.id;
        let inside = Inside::open(&cockpit, &id).await;
        inside.write("/workspace/kept", b"kept", WriteCondition::Any).await.unwrap();
        let refused = workspaces.recreate(&id).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidState, "only what was lost: {refused:?}");

        // Cancelled, at a moment later each time, nothing is lost; it may be faster.
        for moment in 0..4 {
            docker_cli(&["rm", "-f", &format!("aicockpit-{id}")]);
            becomes(&cockpit, &id, WorkspaceState::Lost).await;
            let told = workspaces.get(&id).unwrap().message.unwrap();
            assert!(told.contains("files are kept"), "{told}");
            let mut events = cockpit.subscribe();
            workspaces.recreate(&id).await.unwrap();
            for _ in 0..moment * 3 {
                let _ = tokio::time::timeout(Duration::from_millis(100), events.recv()).await;
            }
            match workspaces.cancel(&id).await {
                Ok(()) if workspaces.get(&id).unwrap().state == WorkspaceState::Lost => {
                    workspaces.recreate(&id).await.unwrap();
                }
                Ok(()) => {}
                Err(error) => assert_eq!(error.code, ErrorCode::InvalidState, "{error:?}"),
            }
            assert_eq!(workspaces.settled(&id).await, WorkspaceState::Running, "{:?}", workspaces.get(&id));
            workspaces.open(&id).await.unwrap();
            let inside = Inside::open(&cockpit, &id).await;
            assert_eq!(inside.read("/workspace/kept").await.unwrap(), b"kept");
            inside.is_usable().await;
        }

        // Its volume gone as well, it begins anew, and says so.
        docker_cli(&["rm", "-f", &format!("aicockpit-{id}")]);
        becomes(&cockpit, &id, WorkspaceState::Lost).await;
        docker_cli(&["volume", "rm", &format!("aicockpit-{id}")]);
        workspaces.recreate(&id).await.unwrap();
        assert_eq!(workspaces.settled(&id).await, WorkspaceState::Running, "{:?}", workspaces.get(&id));
        workspaces.open(&id).await.unwrap();
        let inside = Inside::open(&cockpit, &id).await;
        assert_eq!(inside.read("/workspace/kept").await.unwrap_err().code, ErrorCode::NotFound);
        assert_eq!(
            inside.read("/workspace/README").await.is_ok(),
            locked,
            "cloned again where it was cloned"
        );
        workspaces.delete(&id).await.unwrap();
        assert_nothing_left(&id);
    }
    cockpit.shutdown().await;
}
