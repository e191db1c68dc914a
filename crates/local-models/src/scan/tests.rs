use super::*;
use std::fs;
use std::os::unix::fs::symlink;

/// The smallest file that is a model: one number, with a name.
fn gguf(name: &str) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0".to_vec();
    for (key, value) in [("general.architecture", "llama"), ("general.name", name)] {
        bytes.extend_from_slice(&(key.len() as u64).to_le_bytes());
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(&8u32.to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
        bytes.extend_from_slice(value.as_bytes());
    }
    bytes.extend_from_slice(b"\x01\0\0\0\0\0\0\0t\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    bytes.resize(bytes.len().next_multiple_of(32) + 4, 0);
    bytes
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn safetensors(folder: &Path) {
    let head = br#"{"w":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}"#;
    let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(&[0; 8]);
    write(&folder.join("model.safetensors"), &bytes);
    write(&folder.join("config.json"), br#"{"model_type":"llama","max_position_embeddings":2048}"#);
}

fn look(home: &Path, named: &[&str], heads: &mut Heads) -> Seen {
    let named: Vec<String> = named.iter().map(|path| (*path).to_owned()).collect();
    scan(&Places::below(home, |_| None), &named, heads, &Hardware::default())
}

fn names(seen: &Seen) -> Vec<&str> {
    seen.models.iter().map(|model| model.name.as_str()).collect()
}

#[test]
fn the_usual_folders_are_looked_through() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write(&home.join(".lmstudio/models/someone/thing/thing-q4.gguf"), &gguf("LM Studio's"));
    write(&home.join("models/deep/er.gguf/plain.gguf"), &gguf(""));
    write(&home.join("models/mmproj-plain.gguf"), &gguf("what sees"));
    write(&home.join(".cache/llama.cpp/org_repo.gguf"), &gguf("llama.cpp's"));
    safetensors(&home.join("models/folder"));
    let seen = look(home, &[], &mut Heads::default());
    assert_eq!(names(&seen), ["folder", "llama.cpp's", "LM Studio's", "plain"]);
    assert_eq!(seen.folders.len(), 3, "{:?}", seen.folders);
    assert!(seen.models.iter().all(|model| model.problem.is_none() && model.estimate.is_some()), "{seen:?}");
}

#[test]
fn chat_templates_of_folders_are_read_wherever_they_are() {
    let home = tempfile::tempdir().unwrap();
    let models = home.path().join("models");
    let with = |name: &str, file: &str, text: &str| {
        safetensors(&models.join(name));
        write(&models.join(name).join(file), text.as_bytes());
    };
    with("a none", "tokenizer_config.json", r#"{"chat_template":null,"bos_token":{"content":"<s>"}}"#);
    with("b one", "tokenizer_config.json", r#"{"model_max_length":1e30,"chat_template":"{{ tools }}"}"#);
    let several = r#"{"chat_template":[{"name":"default","template":"{{ messages }}"},
        {"name":"tool_use","template":"{{ tools }}"}]}"#;
    with("c several", "tokenizer_config.json", several);
    with("d jinja", "chat_template.jinja", "{% if enable_thinking %}{% endif %}");
    with("e json", "chat_template.json", r#"{"chat_template":"{{ messages }}"}"#);
    with("f more", "additional_chat_templates/tool_use.jinja", "{{ tools }}<think>");
    with("g garbage", "tokenizer_config.json", r#"{"chat_template":[[[7]]]}"#);
    with("h broken", "tokenizer_config.json", "{");
    let chats = |heads: &mut Heads| -> Vec<_> {
        let seen = look(home.path(), &[], heads);
        assert!(seen.models.iter().all(|model| model.problem.is_none()), "{seen:?}");
        seen.models.iter().map(|model| model.chat.map(|chat| (chat.tools, chat.thinking))).collect()
    };
    let (tools, plain) = (Some((true, false)), Some((false, false)));
    let told = [None, tools, tools, Some((false, true)), plain, Some((true, true)), None, None];
    let mut heads = Heads::default();
    assert_eq!(chats(&mut heads), told);
    let read = heads.read;
    assert_eq!(chats(&mut heads), told);
    assert_eq!(heads.read, read, "what is known is not read again");
}

#[test]
fn hugging_faces_cache_names_repositories_and_shows_the_newest_snapshot() {
    let home = tempfile::tempdir().unwrap();
    let repository = home.path().join(".cache/huggingface/hub/models--Qwen--Qwen2--0.5B");
    write(&repository.join("blobs/abc"), &gguf("inner"));
    for snapshot in ["1111", "2222"] {
        fs::create_dir_all(repository.join("snapshots").join(snapshot)).unwrap();
        symlink("../../blobs/abc", repository.join("snapshots").join(snapshot).join("m.gguf")).unwrap();
    }
    write(&repository.join("refs/main"), b"1111");
    let seen = look(home.path(), &[], &mut Heads::default());
    assert_eq!(names(&seen), ["Qwen/Qwen2--0.5B"]);
    assert!(seen.models[0].path.ends_with("snapshots/1111/m.gguf"), "{}", seen.models[0].path);
    assert_eq!(seen.models[0].bytes, gguf("inner").len() as u64, "the file, not the link");
}

#[test]
fn ollamas_models_have_the_names_that_ollama_shows() {
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join(".ollama/models");
    let digest = "ab".repeat(32);
    write(&store.join(format!("blobs/sha256-{digest}")), &gguf("SmolLM2"));
    let manifest = format!(
        r#"{{"schemaVersion":2,"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{digest}"}}]}}"#
    );
    write(&store.join("manifests/registry.ollama.ai/library/smollm2/135m"), manifest.as_bytes());
    let hostile = manifest.replace(&digest, "../../../../etc/passwd");
    write(&store.join("manifests/registry.ollama.ai/library/bad/latest"), hostile.as_bytes());
    assert_eq!(names(&look(home.path(), &[], &mut Heads::default())), ["smollm2:135m"]);
}

#[test]
fn loops_of_links_end_and_a_file_of_two_names_is_one_model() {
    let home = tempfile::tempdir().unwrap();
    let models = home.path().join("models");
    write(&models.join("a/one.gguf"), &gguf("one"));
    symlink("..", models.join("a/up")).unwrap();
    symlink("a", models.join("b")).unwrap();
    symlink("a/one.gguf", models.join("same.gguf")).unwrap();
    symlink("nowhere", models.join("gone.gguf")).unwrap();
    symlink("self.gguf", models.join("self.gguf")).unwrap();
    let seen = look(home.path(), &["~/models"], &mut Heads::default());
    assert_eq!(names(&seen), ["gone", "one", "self"]);
    assert!(seen.models[0].problem.as_ref().unwrap().starts_with("gone.gguf: it cannot be read"), "{seen:?}");
    assert_eq!(seen.folders, [models.to_string_lossy()], "a usual folder that is named too is told once");
}

#[test]
fn what_is_wrong_with_a_model_is_told_with_it() {
    let home = tempfile::tempdir().unwrap();
    let models = home.path().join("models");
    let whole = gguf("x");
    write(&models.join("cut.gguf"), &whole[..whole.len() - 2]);
    write(&models.join("text.gguf"), b"<html>not found</html>");
    write(&models.join("half-00001-of-00002.gguf"), &whole);
    safetensors(&models.join("parts"));
    let index = br#"{"weight_map":{"w":"model.safetensors","v":"model-2.safetensors"}}"#;
    write(&models.join("parts/model.safetensors.index.json"), index);
    nix::unistd::mkfifo(&models.join("pipe.gguf"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let seen = look(home.path(), &[], &mut Heads::default());
    let problem = |name: &str| {
        let model = seen.models.iter().find(|model| model.name == name);
        model
            .and_then(|model| model.problem.clone())
            .unwrap_or_else(|| panic!("no problem of {name} in {seen:?}"))
    };
    assert!(problem("cut").contains("ends too early"));
    assert!(problem("text").contains("no GGUF file"));
    assert_eq!(problem("half"), "1 of its 2 parts are missing; download them too");
    assert!(problem("parts").contains("model-2.safetensors"));
    assert!(problem("pipe").contains("no ordinary file"));
    assert!(seen.models.iter().all(|model| model.estimate.is_none()));
}

#[test]
fn folders_that_cannot_be_read_are_told_with_why() {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("file"), b"");
    let seen = look(home.path(), &["/nowhere/at/all", "~/file"], &mut Heads::default());
    assert_eq!(seen.unreadable[0], "/nowhere/at/all: there is no folder /nowhere/at/all");
    assert!(seen.unreadable[1].starts_with("~/file: ") && seen.unreadable[1].ends_with("is no folder"));
}

#[test]
fn depth_and_number_are_bounded_and_that_is_told() {
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join("models/1/2/3/4/5/6/in.gguf"), &gguf("in"));
    write(&home.path().join("models/1/2/3/4/5/6/7/out.gguf"), &gguf("out"));
    assert_eq!(names(&look(home.path(), &[], &mut Heads::default())), ["in"]);
    let many = tempfile::tempdir().unwrap();
    for number in 0..20 {
        write(&many.path().join(format!("{number:02}.gguf")), &gguf("one"));
    }
    let mut walk = Walk::new(MAX_DEPTH, MAX_ENTRIES, 15);
    walk.named(many.path()).unwrap();
    assert!(walk.limit().unwrap().contains("first 300000 files and 15 models"));
    assert_eq!(walk.into_found().len(), 15);
    let mut walk = Walk::new(MAX_DEPTH, 10, MAX_MODELS);
    walk.named(many.path()).unwrap();
    assert!(walk.limit().is_some());
    assert!(walk.into_found().len() <= 10);
}

#[test]
fn a_hundred_thousand_files_are_gone_through_and_heads_are_read_once() {
    let home = tempfile::tempdir().unwrap();
    let models = home.path().join("models");
    fs::create_dir_all(&models).unwrap();
    for number in 0..100_000 {
        fs::File::create(models.join(format!("{number}.bin"))).unwrap();
    }
    write(&models.join("sub/a.gguf"), &gguf("a"));
    write(&models.join("sub/b.gguf"), &gguf("b"));
    let mut heads = Heads::default();
    assert_eq!(names(&look(home.path(), &[], &mut heads)), ["a", "b"]);
    assert_eq!(heads.read, 2);
    write(&models.join("sub/b.gguf"), &gguf("changed"));
    fs::remove_file(models.join("sub/a.gguf")).unwrap();
    assert_eq!(names(&look(home.path(), &[], &mut heads)), ["changed"]);
    assert_eq!(heads.read, 3, "only the changed one is read again");
}
