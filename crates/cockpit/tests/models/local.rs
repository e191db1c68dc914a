//! Servers that are started on this machine, among the settings.

use crate::common::{server, with_backend};
use aicockpit_cockpit::Cockpit;
use aicockpit_cockpit::socket::Client;
use aicockpit_protocol::ErrorCode;
use aicockpit_protocol::api::{Empty, LocalModelsServers, LocalModelsStart, ModelsTry, TryModel};
use aicockpit_protocol::broker::{ModelAlias, Target};
use aicockpit_protocol::local_models::{LocalPhase, LocalServerRef, LocalServerSettings, Runtime};
use aicockpit_testkit::without_engines;

#[tokio::test]
async fn a_name_may_lead_to_a_server_of_this_machine_also_while_that_is_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _asked) = server().await;
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    let mut settings = with_backend(cockpit.settings(), &url, false);
    settings.local_models.servers = vec![LocalServerSettings {
        id: "local-1".into(),
        name: "small".into(),
        runtime: Runtime::LlamaCpp,
        container: None,
        model: folder.path().join("nothing.gguf").to_str().unwrap().to_owned(),
        context_length: None,
        parallel: None,
        gpu_layers: None,
        arguments: Vec::new(),
        idle_minutes: None,
        enabled: true,
    }];
    let target = |backend: &str, model: &str, priority| Target {
        backend: backend.to_owned(),
        model: model.to_owned(),
        priority,
    };
    let targets = vec![target("local-1", "small", 0), target("one", "tiny", 1)];
    settings.models.aliases = vec![ModelAlias { name: "near".into(), targets }];
    cockpit.put_settings(settings.clone()).await.unwrap();
    let ask = async |cockpit: &std::sync::Arc<Cockpit>, model: &str| {
        let client = Client::in_process(cockpit);
        let opened = client.call::<ModelsTry>(TryModel { model: model.into(), prompt: "?".into() }).await?;
        client.stream(opened.stream).collect().await
    };
    // Its file is not there: the next one answers.
    assert_eq!(ask(&cockpit, "near").await.unwrap(), b"two words");
    let refused = ask(&cockpit, "small").await.unwrap_err();
    assert!(refused.message.starts_with("small cannot be started"), "{refused:?}");
    let client = Client::in_process(&cockpit);
    let servers = client.call::<LocalModelsServers>(Empty {}).await.unwrap();
    assert!(matches!(&servers[0].phase, LocalPhase::Failed { .. }), "{servers:?}");
    let unknown = LocalServerRef { server: "local-2".into() };
    assert_eq!(client.call::<LocalModelsStart>(unknown).await.unwrap_err().code, ErrorCode::NotFound);

    settings.local_models.servers[0].enabled = false;
    cockpit.put_settings(settings.clone()).await.unwrap();
    assert_eq!(ask(&cockpit, "near").await.unwrap(), b"two words");
    let switched_off = LocalServerRef { server: "local-1".into() };
    let refused = client.call::<LocalModelsStart>(switched_off).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidState);
    cockpit.shutdown().await;
    drop((client, cockpit));
    let cockpit = Cockpit::start(without_engines(folder.path())).await.unwrap();
    assert_eq!(ask(&cockpit, "near").await.unwrap(), b"two words", "so it is after a start");

    settings.local_models.servers.clear();
    let refused = cockpit.put_settings(settings).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidArgument);
    assert!(refused.message.contains("near"), "{refused:?}");
    cockpit.shutdown().await;
}
