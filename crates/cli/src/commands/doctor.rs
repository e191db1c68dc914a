//! `doctor`: what AiCockpit needs on this machine, and how to mend what is missing.

use crate::output::{json, say, word};
use aicockpit_cockpit::engines::{Clusters, Engines};
use aicockpit_cockpit::socket::{Client, FILE_NAME};
use aicockpit_cockpit::store::Store;
use aicockpit_cockpit::{CockpitError, EngineSelection, EventBus, resources};
use aicockpit_protocol::api::{Empty, EngineRefresh, Settings};
use aicockpit_protocol::engine::{EngineHealth, EngineInfo};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::sync::watch;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// What.
    check: String,
    /// It is as it should be.
    ok: bool,
    /// Nothing works without it.
    needed: bool,
    /// What was found.
    message: String,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn good(check: &str, message: impl Into<String>) -> Self {
        Self { check: check.to_owned(), ok: true, needed: true, message: message.into(), remedy: None }
    }

    fn bad(check: &str, message: impl Into<String>) -> Self {
        Self { check: check.to_owned(), ok: false, needed: true, message: message.into(), remedy: None }
    }
}

pub(crate) async fn run(as_json: bool) -> anyhow::Result<ExitCode> {
    let mut findings = vec![data_directory()];
    findings.push(file("agent", resources::agent_binary()));
    // The command line works without the interface.
    findings.push(Finding { needed: false, ..file("interface", resources::ui_directory()) });
    findings.extend(engines().await);
    if as_json {
        json(&findings)?;
    } else {
        for finding in &findings {
            let mark = if finding.ok { "ok     " } else { "problem" };
            say(&format!("{mark}  {}: {}", finding.check, finding.message))?;
            if let Some(remedy) = &finding.remedy {
                say(&format!("         → {remedy}"))?;
            }
        }
    }
    let works = findings.iter().all(|finding| finding.ok || !finding.needed);
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn data_directory() -> Finding {
    let check = "data directory";
    let path = match resources::data_directory() {
        Ok(path) => path,
        Err(error) => return Finding::bad(check, error.to_string()),
    };
    let probe = path.join(format!(".doctor-{}", std::process::id()));
    let tried = std::fs::create_dir_all(&path)
        .and_then(|()| std::fs::write(&probe, b"x"))
        .and_then(|()| std::fs::remove_file(&probe));
    match tried {
        Ok(()) => Finding::good(check, path.display().to_string()),
        Err(error) => Finding {
            remedy: Some(
                "Make it writable for this user, free space, or set AICOCKPIT_HOME to another directory."
                    .to_owned(),
            ),
            ..Finding::bad(check, format!("{} cannot be written: {error}", path.display()))
        },
    }
}

fn file(check: &str, found: Result<PathBuf, CockpitError>) -> Finding {
    match found {
        Ok(path) => Finding::good(check, path.display().to_string()),
        // The error says what mends it.
        Err(error) => Finding::bad(check, error.to_string()),
    }
}

/// As the running cockpit sees them, else as we do.
async fn engines() -> Vec<Finding> {
    let running = match resources::data_directory() {
        Ok(path) => Client::connect(&path.join(FILE_NAME)).await.ok(),
        Err(_) => None,
    };
    let list = match running {
        Some(client) => match client.call::<EngineRefresh>(Empty {}).await {
            Ok(list) => list,
            Err(error) => return vec![Finding::bad("engines", error.message)],
        },
        None => {
            let clusters = Clusters::new(settings().await, None);
            let (engines, _news) = Engines::start(EngineSelection::Discover, clusters, EventBus::default());
            engines.settled().await;
            engines.stop();
            engines.list()
        }
    };
    let any_ready = list.iter().any(|engine| engine.health == EngineHealth::Ready);
    let mut findings: Vec<_> = list.iter().map(engine).collect();
    if !any_ready {
        findings.push(Finding {
            remedy: Some("Install and start Docker or Podman, or mend one of the above.".to_owned()),
            ..Finding::bad("engines", "none can be used")
        });
    }
    findings
}

/// The settings, which say what clusters are looked at; the defaults where the store cannot be opened.
async fn settings() -> watch::Receiver<Settings> {
    let kept = async {
        let store = Store::open(&resources::data_directory().ok()?).ok()?;
        let settings = store.settings().await.ok();
        store.close();
        settings
    };
    watch::channel(kept.await.unwrap_or_default()).1
}

/// One engine; any one of them suffices.
fn engine(info: &EngineInfo) -> Finding {
    let check = format!("engine {}", info.name);
    let version = info.version.as_deref().unwrap_or("of unknown version");
    if info.health == EngineHealth::Ready {
        return Finding::good(&check, format!("{version} at {}", info.endpoint));
    }
    if info.health == EngineHealth::Off {
        return Finding { needed: false, ..Finding::good(&check, "switched off in the settings") };
    }
    let problem = info.problem.clone().unwrap_or_else(|| word(&info.health));
    Finding { needed: false, remedy: info.remedy_command.clone(), ..Finding::bad(&check, problem) }
}
