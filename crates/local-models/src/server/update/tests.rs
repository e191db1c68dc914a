use super::*;
use crate::settings;
use aicockpit_protocol::EngineId;
use aicockpit_protocol::local_models::ServerContainer;

fn server(runtime: Runtime, image: Option<&str>) -> LocalServerSettings {
    let container = image.map(|image| ServerContainer {
        engine: EngineId::new("docker"),
        image: image.into(),
        gpu: None,
    });
    LocalServerSettings { runtime, container, ..settings::tests::server("1", "qwen") }
}

fn image(name: &str) -> UpdateOf {
    UpdateOf::Image { engine: EngineId::new("docker"), image: name.into() }
}

#[test]
fn only_servers_of_what_is_updated_are_held_back() {
    let mut updates = Updates::default();
    let vllm = UpdateOf::Program { runtime: Runtime::Vllm };
    assert!(updates.begin(&vllm) && updates.begin(&image("vllm:1")));
    assert!(updates.hold(&server(Runtime::Vllm, None)));
    assert!(updates.hold(&server(Runtime::Vllm, Some("vllm:1"))));
    assert!(!updates.hold(&server(Runtime::Vllm, Some("vllm:2"))), "another image");
    assert!(!updates.hold(&server(Runtime::LlamaCpp, None)), "another program");
    updates.set(&vllm, UpdatePhase::Cancelled);
    assert!(!updates.hold(&server(Runtime::Vllm, None)) && updates.under_way());
}

#[test]
fn one_of_each_is_under_way_and_the_last_of_each_is_remembered() {
    let mut updates = Updates::default();
    let first = image("0");
    assert!(updates.begin(&first));
    assert!(!updates.begin(&first));
    updates.set(&first, UpdatePhase::Cancelled);
    assert!(updates.begin(&first));
    assert_eq!(updates.shown().len(), 1);
    for number in 1..2 * MAX_KEPT {
        let of = image(&number.to_string());
        assert!(updates.begin(&of));
        updates.set(&of, UpdatePhase::Cancelled);
    }
    let shown = updates.shown();
    assert_eq!(shown.len(), MAX_KEPT);
    assert_eq!(shown[0].of, first, "what is under way stays");
}

#[test]
fn a_version_is_no_more_than_that() {
    for version in ["0.11.0", "1.0rc1", "2!1.0", "0.11.1+cu129", "v1"] {
        assert!(is_version(version), "{version}");
    }
    for other in
        ["", "--index-url=http://x", "1.0 --pre", "1.0;x", "1,<2", "@ http://x", "1/2", &"1".repeat(65)]
    {
        assert!(!is_version(other), "{other}");
    }
}
