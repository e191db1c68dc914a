//! Model servers among the settings, and their keys.

use crate::common::{SOON, server};
use aicockpit_cockpit::Cockpit;
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::api::{
    BackendKey, Empty, ModelsBackends, ModelsKey, Settings, SettingsGet, SettingsPut,
};
use aicockpit_protocol::broker::BackendHealth;
use aicockpit_testkit::without_engines;
use std::path::Path;
use tokio::sync::mpsc;

const KEY: &str = "sk-of-the-provider";

/// The next question that is asked with a key, or without one.
async fn asked_with(asked: &mut mpsc::UnboundedReceiver<String>, key: bool) {
    let waiting = async {
        loop {
            let head = asked.recv().await.unwrap();
            if head.contains(&format!("Bearer {KEY}")) == key {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap();
}

fn with_backend(settings: Settings, url: &str) -> Settings {
    // Only the host knows whether there is a key.
    crate::common::with_backend(settings, url, true)
}

/// Whether a file below holds the key as it is.
fn is_in_a_file(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => is_in_a_file(&entry.path()),
        kind if kind.is_file() => {
            let bytes = std::fs::read(entry.path()).unwrap();
            bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes())
        }
        _ => false,
    })
}

#[tokio::test]
async fn a_providers_key_goes_to_the_provider_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let (url, mut asked) = server().await;
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let client = Client::in_process(&cockpit);
    let settings = async || client.call::<SettingsGet>(Empty {}).await.unwrap();
    let key = |key: Option<&str>| BackendKey { backend: "one".into(), key: key.map(str::to_owned) };

    let unknown = client.call::<ModelsKey>(key(Some(KEY))).await.unwrap_err();
    assert_eq!(unknown.code, ErrorCode::NotFound);
    client.call::<SettingsPut>(with_backend(settings().await, &url)).await.unwrap();
    assert!(!settings().await.models.backends[0].has_key, "none is kept, whatever a client says");
    let known = client.call::<ModelsBackends>(Empty {}).await.unwrap();
    assert_eq!((&known[0].health, known[0].models[0].id.as_str()), (&BackendHealth::Ready, "tiny"));
    asked_with(&mut asked, false).await;

    client.call::<ModelsKey>(key(Some(KEY))).await.unwrap();
    assert!(settings().await.models.backends[0].has_key);
    // Where neither is set, this machine's keyring is used if it has one.
    let in_file = folder.path().join("data/secrets.json").exists();
    if std::env::var_os("AICOCKPIT_TEST_KEYRING").is_some() {
        assert!(!in_file, "the keyring was not used");
    } else if std::env::var_os("AICOCKPIT_NO_KEYRING").is_some() {
        assert!(in_file, "the keyring was used");
    }
    client.call::<ModelsBackends>(Empty {}).await.unwrap();
    asked_with(&mut asked, true).await;
    let told = serde_json::to_string(&settings().await).unwrap();
    assert!(!told.contains(KEY), "{told}");
    let mut older = settings().await;
    older.models.backends[0].has_key = false;
    client.call::<SettingsPut>(older).await.unwrap();
    assert!(settings().await.models.backends[0].has_key, "a client that has not heard of it changes nothing");
    drop(client);
    cockpit.shutdown().await;
    drop(cockpit);
    assert!(!is_in_a_file(folder.path()), "the key is readable in a file");

    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let client = Client::in_process(&cockpit);
    client.call::<ModelsBackends>(Empty {}).await.unwrap();
    asked_with(&mut asked, true).await;
    let mut without = client.call::<SettingsGet>(Empty {}).await.unwrap();
    without.models.backends.clear();
    client.call::<SettingsPut>(without.clone()).await.unwrap();
    client.call::<SettingsPut>(with_backend(without, &url)).await.unwrap();
    let now = client.call::<SettingsGet>(Empty {}).await.unwrap();
    assert!(!now.models.backends[0].has_key, "it goes with its server");
    client.call::<ModelsBackends>(Empty {}).await.unwrap();
    asked_with(&mut asked, false).await;
    cockpit.shutdown().await;
}

#[tokio::test]
async fn settings_that_lead_nowhere_are_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let before = cockpit.settings();
    for (url, wanted) in [("not an address", "one"), ("ftp://127.0.0.1/v1", "one")] {
        let error = cockpit.put_settings(with_backend(before.clone(), url)).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert!(error.message.contains(wanted), "{error:?}");
        assert_eq!(cockpit.settings(), before, "nothing was taken up");
    }
    cockpit.shutdown().await;
}
