//! llama.cpp from Homebrew. Homebrew itself is a script here: it puts a new version in place as the real one does.

use crate::{Machine, Place, done, inside, why};
use aicockpit_local_models::{RefusedError, UpdateRefused};
use aicockpit_protocol::local_models::{Runtime, UpdateOf, UpdateRequest, UpdateWay};
use std::os::unix::fs::{PermissionsExt as _, symlink};

const LLAMA: UpdateOf = UpdateOf::Program { runtime: Runtime::LlamaCpp };

const BREW: &str = r#"#!/bin/sh
[ "$*" = "upgrade llama.cpp" ] || exit 64
prefix=$(dirname "$(dirname "$0")")
if [ -e "$prefix/broken" ]; then echo "Error: Another active Homebrew process is running" >&2; exit 1; fi
echo "==> Upgrading llama.cpp"
mkdir -p "$prefix/Cellar/llama.cpp/2/bin"
sed s/6123/7000/ "$prefix/Cellar/llama.cpp/1/bin/llama-server" > "$prefix/Cellar/llama.cpp/2/bin/llama-server"
chmod +x "$prefix/Cellar/llama.cpp/2/bin/llama-server"
ln -sfn "$prefix/Cellar/llama.cpp/2/bin/llama-server" "$prefix/bin/llama-server"
"#;

/// Its programs are on PATH.
fn homebrew(place: &Place) {
    let program = |below: &str, text: &str| {
        let path = place.at(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    program("bin/brew", BREW);
    let server =
        program("Cellar/llama.cpp/1/bin/llama-server", "#!/bin/sh\necho 'version: 6123 (abc)' >&2\n");
    symlink(server, place.at("bin/llama-server")).unwrap();
}

#[tokio::test]
async fn homebrew_is_called_where_it_has_installed_llama_cpp() {
    let Some(place) = inside("programs::homebrew_is_called_where_it_has_installed_llama_cpp") else { return };
    homebrew(&place);
    let machine = Machine::new(&place);
    let found = machine.found(Runtime::LlamaCpp).await;
    assert_eq!(
        (found.version.as_deref(), found.update),
        (Some("6123 (abc)"), Some(UpdateWay::Here { versions: false }))
    );
    let request = |version: Option<&str>| UpdateRequest { of: LLAMA, version: version.map(str::to_owned) };
    let refused = machine.models.update(&request(Some("6000"))).unwrap_err();
    assert!(matches!(refused, RefusedError::Update(UpdateRefused::NewestOnly { .. })), "{refused:?}");

    std::fs::write(place.at("broken"), "").unwrap();
    machine.models.update(&request(None)).unwrap();
    let told = why(machine.ended(&LLAMA).await);
    let expected =
        "the update of llama.cpp failed: Another active Homebrew process is running. llama.cpp is as it was";
    assert_eq!(told, expected);

    std::fs::remove_file(place.at("broken")).unwrap();
    machine.models.update(&request(None)).unwrap();
    assert_eq!(machine.ended(&LLAMA).await, done("6123 (abc)", "7000 (abc)"));
    assert_eq!(machine.found(Runtime::LlamaCpp).await.version.as_deref(), Some("7000 (abc)"));
}
