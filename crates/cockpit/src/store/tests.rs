use super::*;
use aicockpit_protocol::api::{Draft, Settings};
use aicockpit_protocol::workspace::{
    Image, Plan, PlanStep, StepKind, StepState, TimelineEntry, WorkspaceSpec, WorkspaceState,
};
use aicockpit_protocol::{ApiError, BytePath, EngineId, ErrorCode, WorkspaceId};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

fn a_workspace(id: &str) -> StoredWorkspace {
    StoredWorkspace {
        id: WorkspaceId::new(id),
        name: format!("name of {id}"),
        engine: EngineId::new("docker"),
        owner: "o".to_owned(),
        created_ms: 5,
        plan: Some(Plan {
            recreates: true,
            steps: vec![PlanStep {
                kind: StepKind::Image,
                state: StepState::Running,
                started_ms: Some(4),
                duration_ms: None,
                note: None,
            }],
            error: Some(ApiError::new(ErrorCode::NoSpace, "full").hint("free some")),
        }),
        ..StoredWorkspace::of_spec(WorkspaceSpec { image: Image::Base, ..aicockpit_testkit::empty_spec() })
    }
}

#[tokio::test]
async fn a_workspace_comes_back_as_it_was_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut kept = a_workspace("aaaaaaaaaaaaaaaa");
    let store = Store::open(directory.path()).unwrap();
    let owner = store.owner().to_owned();
    store.put_workspace(kept.clone()).await.unwrap();
    drop(store);

    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.owner(), owner, "the store's id stays");
    assert_eq!(store.workspaces().await.unwrap(), [kept.clone()]);
    kept.plan = None;
    kept.state = WorkspaceState::Running;
    store.put_workspace(kept.clone()).await.unwrap();
    assert_eq!(store.workspaces().await.unwrap(), [kept], "a finished plan is gone");
}

#[tokio::test]
async fn forgetting_a_workspace_takes_what_belongs_to_it_and_leaves_a_tombstone() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let (one, other) = (a_workspace("aaaaaaaaaaaaaaaa"), a_workspace("bbbbbbbbbbbbbbbb"));
    for workspace in [&one, &other] {
        store.put_workspace(workspace.clone()).await.unwrap();
        let draft = Draft { path: "a".into(), base_version: None };
        store.put_draft(workspace.id.clone(), draft, b"x".to_vec()).await.unwrap();
        store.put_ui_state(format!("workspace/{}/layout", workspace.id), 1.into()).await.unwrap();
        let entry = TimelineEntry { at_ms: 1, text: "made".to_owned(), failed: false };
        store.append_timeline(workspace.id.clone(), entry).await.unwrap();
    }
    store.forget_workspace(one.id.clone(), Some(one.engine.clone())).await.unwrap();
    assert!(store.drafts(one.id.clone()).await.unwrap().is_empty());
    assert!(store.timeline(one.id.clone()).await.unwrap().is_empty());
    assert!(store.ui_state(format!("workspace/{}/layout", one.id)).await.unwrap().is_null());
    assert_eq!(store.drafts(other.id.clone()).await.unwrap().len(), 1, "the other's stay");
    assert_eq!(store.ui_state(format!("workspace/{}/layout", other.id)).await.unwrap(), 1);
    assert_eq!(
        store.tombstones().await.unwrap(),
        [Tombstone { workspace: one.id.clone(), engine: one.engine.clone() }]
    );
    store.bury(one.id).await.unwrap();
    assert!(store.tombstones().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_clock_that_jumps_back_does_not_turn_a_timeline_around() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let workspace = a_workspace("aaaaaaaaaaaaaaaa");
    store.put_workspace(workspace.clone()).await.unwrap();
    let jumps = [1_000_000, 5_000_000, -86_400_000, 0, i64::MAX, i64::MIN, 1_000_001];
    for (n, at_ms) in jumps.into_iter().enumerate() {
        let entry = TimelineEntry { at_ms, text: n.to_string(), failed: false };
        store.append_timeline(workspace.id.clone(), entry).await.unwrap();
    }
    let told = store.timeline(workspace.id.clone()).await.unwrap();
    let order: Vec<_> = told.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(order, ["0", "1", "2", "3", "4", "5", "6"], "in the order in which it happened");
    assert_eq!(told.iter().map(|entry| entry.at_ms).collect::<Vec<_>>(), jumps, "as the clock said it");
    // A time from a run whose clock was wrong is kept and does no harm.
    let mut late = workspace.clone();
    late.last_used_ms = Some(i64::MIN);
    store.put_workspace(late.clone()).await.unwrap();
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.workspaces().await.unwrap(), [late]);
}

#[tokio::test]
async fn draft_paths_are_bytes_and_the_last_text_wins() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let workspace = a_workspace("aaaaaaaaaaaaaaaa");
    store.put_workspace(workspace.clone()).await.unwrap();
    let draft = Draft { path: BytePath::new(b"caf\xe9".to_vec()), base_version: Some("v1".to_owned()) };
    for content in [b"one".to_vec(), vec![0, 255, 10]] {
        store.put_draft(workspace.id.clone(), draft.clone(), content).await.unwrap();
    }
    let found = store.draft(workspace.id.clone(), draft.path.clone()).await.unwrap();
    assert_eq!(found, Some((draft.clone(), vec![0, 255, 10])));
    store.delete_draft(workspace.id.clone(), draft.path.clone()).await.unwrap();
    assert_eq!(store.draft(workspace.id, draft.path).await.unwrap(), None);
}

#[tokio::test]
async fn unknown_settings_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.settings().await.unwrap(), Settings::default());
    let mut settings = Settings { tab_size: 2, ..Settings::default() };
    settings.other.insert("from_a_newer_version".to_owned(), true.into());
    store.put_settings(&settings).await.unwrap();
    assert_eq!(store.settings().await.unwrap(), settings);
}

#[tokio::test]
async fn a_second_owner_is_refused_and_told_the_first_ones_pid() {
    let directory = tempfile::tempdir().unwrap();
    let _store = Store::open(directory.path()).unwrap();
    let Err(error) = Store::open(directory.path()) else { panic!("two owners") };
    let text = error.to_string();
    assert!(matches!(error, CockpitError::AlreadyRunning { .. }), "{text}");
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
}

#[test]
fn a_damaged_store_is_told_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(DATABASE_FILE);
    std::fs::write(&path, b"this is no database, and long enough to have a header of one. ".repeat(200))
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let Err(error) = Store::open(directory.path()) else { panic!("opened garbage") };
    assert!(matches!(error, CockpitError::Store(StoreError::Damaged { .. })), "{error}");
    assert!(error.to_string().contains("Move the file away"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let Err(error) = Store::open(&file.join("data")) else { panic!("opened below a file") };
    assert!(matches!(error, CockpitError::DataDirectory { .. }), "{error}");
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_store_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let workspace = a_workspace("aaaaaaaaaaaaaaaa");
    store.put_workspace(workspace.clone()).await.unwrap();
    // SQLite's own limit answers as a full disk does.
    store
        .write(|transaction| transaction.query_row("PRAGMA max_page_count = 64", [], |_| Ok(())))
        .await
        .unwrap();
    let draft = Draft { path: "big".into(), base_version: None };
    let error = store.put_draft(workspace.id.clone(), draft.clone(), vec![1; 1 << 20]).await.unwrap_err();
    let told = ApiError::from(error);
    assert_eq!(told.code, ErrorCode::NoSpace, "{told:?}");
    store.put_draft(workspace.id.clone(), draft.clone(), b"small".to_vec()).await.unwrap();
    assert_eq!(store.draft(workspace.id, draft.path).await.unwrap().unwrap().1, b"small");
}

/// Not a test of its own: the process that the next test kills.
#[tokio::test]
#[ignore = "run by acknowledged_drafts_survive_kill_9 in a process of its own"]
async fn child_that_writes_drafts() {
    let Some(directory) = std::env::var_os("AICOCKPIT_TEST_STORE") else { return };
    let store = Store::open(Path::new(&directory)).unwrap();
    let workspace = a_workspace("aaaaaaaaaaaaaaaa");
    store.put_workspace(workspace.clone()).await.unwrap();
    for number in 0u32.. {
        let draft = Draft { path: format!("file {}", number % 7).as_str().into(), base_version: None };
        store.put_draft(workspace.id.clone(), draft, number.to_le_bytes().repeat(500)).await.unwrap();
        println!("acknowledged {number}");
        std::io::stdout().flush().unwrap();
    }
}

#[tokio::test]
async fn acknowledged_drafts_survive_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::child_that_writes_drafts", "--ignored", "--nocapture"])
        .env("AICOCKPIT_TEST_STORE", directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut last = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The harness may put its own text before the first line.
        if let Some((_, number)) = line.rsplit_once("acknowledged ") {
            last = number.parse::<u32>().ok();
        }
        if last == Some(40) {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    let last = last.expect("the child acknowledged something");
    let store = Store::open(directory.path()).unwrap();
    for number in (last - 6)..=last {
        let path = format!("file {}", number % 7);
        let (_, content) = store
            .draft(WorkspaceId::new("aaaaaaaaaaaaaaaa"), path.as_str().into())
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("{path} is gone"));
        let kept = u32::from_le_bytes(content[..4].try_into().unwrap());
        // A later text may have been committed without its acknowledgement being seen.
        assert!(kept >= number && kept % 7 == number % 7, "{path} holds {kept}, acknowledged was {number}");
        assert_eq!(content, kept.to_le_bytes().repeat(500), "{path} is whole");
    }
}
