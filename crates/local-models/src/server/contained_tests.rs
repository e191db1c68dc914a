//! What a container sees, and how it is called.

use super::*;
use crate::estimate::{Need, Plan};
use crate::settings::tests::server;
use aicockpit_protocol::EngineId;
use aicockpit_protocol::local_models::{Fit, LocalServerSettings};
use std::os::unix::fs::symlink;

fn file_at(path: &Path, text: &str) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    path.canonicalize().unwrap()
}

fn seen(model: &Path, runtime: Runtime) -> Seen {
    look(model, runtime, &[]).unwrap()
}

#[test]
fn of_a_gguf_model_only_its_files_are_seen_also_through_links() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    file_at(&at("private.txt"), "");
    let blob = file_at(&at("blobs/0f"), "");
    fs::create_dir_all(at("snapshots/1")).unwrap();
    symlink("../../blobs/0f", at("snapshots/1/qwen, 0.5.gguf")).unwrap();
    let one = seen(&at("snapshots/1/qwen, 0.5.gguf"), Runtime::LlamaCpp);
    assert_eq!(one.model, Path::new("/model/model.gguf"));
    assert_eq!(one.mounts, [(blob, "/model/model.gguf".to_owned())]);

    let second = file_at(&at("blobs/1e"), "");
    let first = file_at(&at("big-00001-of-00002.gguf"), "");
    symlink("blobs/1e", at("big-00002-of-00002.gguf")).unwrap();
    let two = seen(&at("big-00001-of-00002.gguf"), Runtime::LlamaCpp);
    assert_eq!(two.model, Path::new("/model/model-00001-of-00002.gguf"));
    let names = ["/model/model-00001-of-00002.gguf", "/model/model-00002-of-00002.gguf"].map(str::to_owned);
    assert_eq!(two.mounts, [first, second].into_iter().zip(names).collect::<Vec<_>>());
}

#[test]
fn a_folder_is_seen_as_it_is_or_where_it_has_links_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    file_at(&at("plain/config.json"), "{}");
    file_at(&at("plain/1_Pooling/config.json"), "{}");
    let plain = seen(&at("plain"), Runtime::Vllm);
    assert_eq!(plain.mounts, [(at("plain").canonicalize().unwrap(), "/model".to_owned())]);
    assert_eq!(plain.model, Path::new("/model"));

    let weights = file_at(&at("hub/blobs/0f"), "");
    let config = file_at(&at("hub/snapshots/1/config.json"), "{}");
    symlink("../../blobs/0f", at("hub/snapshots/1/model.safetensors")).unwrap();
    symlink("../../blobs/gone", at("hub/snapshots/1/gone.bin")).unwrap();
    file_at(&at("hub/snapshots/1/.git/objects/x"), "");
    let pooling = file_at(&at("elsewhere/config.json"), "{}");
    symlink(at("elsewhere"), at("hub/snapshots/1/1_Pooling")).unwrap();
    let linked = seen(&at("hub/snapshots/1"), Runtime::Vllm);
    let expected = [
        (pooling, "/model/1_Pooling/config.json".to_owned()),
        (config, "/model/config.json".to_owned()),
        (weights, "/model/model.safetensors".to_owned()),
    ];
    assert_eq!(linked.mounts, expected);
    // A link that leads to itself ends somewhere.
    symlink(".", at("hub/snapshots/1/again")).unwrap();
    assert!(!seen(&at("hub/snapshots/1"), Runtime::Vllm).mounts.is_empty());
}

#[test]
fn files_that_arguments_name_are_seen_and_folders_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let model = file_at(&folder.path().join("m.gguf"), "");
    let pictures = file_at(&folder.path().join("mmproj é.gguf"), "");
    let template = file_at(&folder.path().join("t.jinja"), "");
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let template_argument = format!("--chat-template-file={}", template.display());
    let home = folder.path().to_str().unwrap();
    let arguments = words(&[
        "--mmproj",
        pictures.to_str().unwrap(),
        &template_argument,
        "--slot-save-path",
        home,
        "--x=/nowhere",
        "t.jinja",
    ]);
    let seen = look(&model, Runtime::LlamaCpp, &arguments).unwrap();
    let expected = [
        "--mmproj",
        "/files/1-mmproj__.gguf",
        "--chat-template-file=/files/2-t.jinja",
        "--slot-save-path",
        home,
        "--x=/nowhere",
        "t.jinja",
    ];
    assert_eq!(seen.arguments, words(&expected));
    assert_eq!(
        seen.mounts[1..],
        [(pictures, "/files/1-mmproj__.gguf".to_owned()), (template, "/files/2-t.jinja".to_owned())]
    );
}

fn called(runtime: Runtime, gpu: bool) -> ContainerCall {
    let container =
        ServerContainer { engine: EngineId::new("docker"), image: "an/image:1".into(), gpu: None };
    let settings = LocalServerSettings { runtime, container: Some(container.clone()), ..server("1", "qwen") };
    let need = Need { context: 4096, weights: 1, cache: 3 << 30, other: 1 };
    let plan =
        Plan { fit: Fit::Memory, need, gpu_bytes: 0, main_bytes: 1, gpu_layers: None, gpu_share: None };
    let seen = Seen {
        model: "/model".into(),
        arguments: Vec::new(),
        mounts: vec![("/home/x/m".into(), "/model".into())],
    };
    let (inside, outside) = (socket(), Path::new("/state/run/0f/s.sock"));
    let parts = Parts {
        settings: &settings,
        model: &seen.model,
        plan: &plan,
        socket: &inside,
        key: "the-key",
        offline: true,
    };
    call(&parts, &container, &seen, outside, gpu)
}

#[test]
fn images_are_called_as_all_their_versions_take_it() {
    let vllm = called(Runtime::Vllm, true);
    assert_eq!(vllm.entrypoint.as_deref().unwrap().join(" "), format!("python3 -m {VLLM_SERVER}"));
    assert_eq!(
        vllm.arguments.join(" "),
        "--model /model --uds /run/aicockpit/s.sock --served-model-name qwen --max-model-len 4096"
    );
    let has = |name: &str, value: &str| vllm.environment.contains(&(name.to_owned(), value.to_owned()));
    assert!(has("VLLM_API_KEY", "the-key") && has("HOME", "/tmp") && has("VLLM_HOST_IP", "127.0.0.1"));
    assert!(has("VLLM_CPU_KVCACHE_SPACE", "3"), "as the plan is for main memory");
    let mounts = [("/state/run/0f", "/run/aicockpit", false), ("/home/x/m", "/model", true)];
    assert_eq!(vllm.mounts, mounts.map(|(from, to, only)| (from.into(), to.to_owned(), only)));
    assert!(vllm.gpu && vllm.shared_memory > 1 << 30);
    assert!(!format!("{vllm:?}").contains("the-key"));

    let llama = called(Runtime::LlamaCpp, false);
    assert_eq!(llama.entrypoint, None);
    assert!(llama.arguments.starts_with(&["--model".into(), "/model".into(), "--host".into()]));
    assert!(!llama.gpu && llama.environment.iter().any(|(name, _)| name == "LLAMA_ARG_OFFLINE"));
}
