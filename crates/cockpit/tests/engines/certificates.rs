//! "Trust the host's certificates": the tools of a workspace reach a server that only a private authority vouches for.

use crate::common::*;
use aicockpit_cockpit::plan::base_image_reference;
use aicockpit_cockpit::workspaces::labels;
use aicockpit_engine::{ContainerSpec, Endpoint, ImageBuild, Mount, MountSource, Progress};
use aicockpit_protocol::WorkspaceId;
use aicockpit_protocol::workspace::{Image, Source, WorkspaceSpec};
use bytes::Bytes;
use futures::StreamExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder with the authority to the tests below that run in a process of their own.
const AUTHORITY: &str = "AICOCKPIT_TEST_AUTHORITY";

mod docker {
    #[tokio::test]
    async fn common_tools_trust_what_the_host_trusts() {
        super::with_an_authority("certificates::docker::with_authority");
    }

    #[tokio::test]
    #[ignore = "run by the test above, in a process whose SSL_CERT_FILE names the authority"]
    async fn with_authority() {
        super::common_tools_trust_what_the_host_trusts(crate::common::docker()).await;
    }
}

mod podman {
    #[tokio::test]
    async fn common_tools_trust_what_the_host_trusts() {
        super::with_an_authority("certificates::podman::with_authority");
    }

    #[tokio::test]
    #[ignore = "run by the test above, in a process whose SSL_CERT_FILE names the authority"]
    async fn with_authority() {
        super::common_tools_trust_what_the_host_trusts(crate::common::podman()).await;
    }
}

/// Makes an authority that this machine trusts as far as one process is concerned, and runs a test in that.
fn with_an_authority(test: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=Private Authority",
        ])
        .arg("-keyout")
        .arg(at("ca.key"))
        .arg("-out")
        .arg(at("ca.crt"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // The machine's own authorities stay: packages still come from where they always do.
    let system = aicockpit_cockpit::hardening::host_certificates().map(|path| std::fs::read(path).unwrap());
    let bundle = [system.unwrap_or_default(), b"\n".to_vec(), std::fs::read(at("ca.crt")).unwrap()].concat();
    std::fs::write(at("bundle.crt"), bundle).unwrap();
    // An engine of another user reads it, too.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["ca.key", "ca.crt", "bundle.crt"] {
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let ran = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env("SSL_CERT_FILE", at("bundle.crt"))
        .env(AUTHORITY, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

/// Runs as root in a workspace, or in the server.
async fn root(host: &Host, container: &str, script: &str) -> (i64, String) {
    host.run_in(&labels::by_name(container), Some("0:0"), &["sh", "-c", script]).await
}

/// The server, in the workspace's network. Its address.
async fn serve(host: &Host, id: &WorkspaceId, name: &str) -> String {
    let authority = PathBuf::from(std::env::var_os(AUTHORITY).unwrap());
    let spec = ContainerSpec {
        name: name.to_owned(),
        image: base_image_reference("debian:bookworm"),
        entrypoint: Some(["python3", "-c", include_str!("server.py")].map(str::to_owned).to_vec()),
        user: Some("0:0".to_owned()),
        working_directory: Some("/".to_owned()),
        network: Some(labels::object_name(id)),
        mounts: vec![Mount {
            target: "/authority".to_owned(),
            read_only: true,
            source: MountSource::Bind(authority.display().to_string()),
        }],
        ..ContainerSpec::default()
    };
    let server = host.engine.create_container(&spec).await.unwrap();
    host.engine.start_container(&server).await.unwrap();
    let mut logs = host.engine.logs(&server, 100, true).await.unwrap();
    let mut said = String::new();
    let ready = async {
        while let Some(Ok(chunk)) = logs.next().await {
            said.push_str(&String::from_utf8_lossy(&chunk.bytes));
            if let Some((_, rest)) = said.split_once("ready at ")
                && let Some((address, _)) = rest.split_once('\n')
            {
                return Some(address.trim().to_owned());
            }
        }
        None
    };
    let address = tokio::time::timeout(PATIENCE, ready).await.ok().flatten();
    address.unwrap_or_else(|| panic!("the server did not start: {said}"))
}

fn trusting(image: Image) -> WorkspaceSpec {
    let mut asked = spec(Source::Empty);
    asked.trust_host_certificates = true;
    asked.image = image;
    asked
}

/// What a person would type, by tool. `$1` is the server.
const TOOLS: &[(&str, &str)] = &[
    ("curl", "curl -fsS $1/hello"),
    ("curl by sudo", "sudo curl -fsS $1/hello"),
    ("curl by sudo without variables", "sudo env -i curl -fsS $1/hello"),
    ("wget", "wget -nv -O - $1/hello"),
    ("git", "git ls-remote $1/repository.git"),
    ("git by sudo", "sudo git ls-remote $1/repository.git"),
    (
        "python",
        "python3 -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1] + \"/hello\").read())' $1",
    ),
    ("pip", "pip download -q --no-deps -d /tmp/pip --index-url $1/simple probe-package"),
    (
        "pip by sudo",
        "sudo pip install -q --no-deps --root-user-action=ignore --index-url $1/simple probe-package",
    ),
    (
        "node",
        "node -e 'require(\"https\").get(process.argv[1] + \"/hello\", r => process.exit(r.statusCode === 200 ? 0 : 1))' $1",
    ),
    ("npm", "test \"$(npm view --registry $1/npm/ probe version)\" = 1.0.0"),
    ("npm by sudo", "test \"$(sudo npm view --registry $1/npm/ probe version)\" = 1.0.0"),
    (
        "cargo",
        "mkdir -p /tmp/index/pr/ob /tmp/crate/src && cd /tmp/index && git init -q && curl -fsS -o pr/ob/probe $1/index-entry \
         && echo \"{\\\"dl\\\":\\\"$1/crates\\\"}\" > config.json && git add . && git -c user.name=a -c user.email=a@b commit -q -m x \
         && cd /tmp/crate && touch src/lib.rs && printf '[package]\\nname = \"c\"\\nversion = \"0.1.0\"\\n[dependencies]\\n\
         probe = { version = \"1\", registry = \"here\" }\\n' > Cargo.toml && mkdir -p .cargo && \
         printf '[registries.here]\\nindex = \"file:///tmp/index\"\\n' > .cargo/config.toml && cargo fetch -q",
    ),
    ("apt", APT),
];

/// What is refused is not tried again.
const IMPATIENT: &str = "export npm_config_fetch_retries=0 PIP_RETRIES=0 CARGO_NET_RETRY=0";

const APT: &str = "cd /tmp && echo \"deb [trusted=yes] $1/apt ./\" > probe.list && $(command -v sudo) apt-get update \
                   -o Dir::Etc::sourcelist=/tmp/probe.list -o Dir::Etc::sourceparts=- -o APT::Update::Error-Mode=any";

async fn common_tools_trust_what_the_host_trusts(engine: Endpoint) {
    let host = Host::start(engine).await;
    let id = host.create_running(trusting(Image::Base)).await;
    let server = format!("aicockpit-test-tls-{id}");
    let address = serve(&host, &id, &server).await;
    let url = format!("https://{address}:8443");
    let mut wrong = Vec::new();
    for (tool, script) in TOOLS {
        let (status, said) = host.run(&id, &["sh", "-c", script, "sh", &url]).await;
        if status != 0 {
            wrong.push(format!("{tool}: {status}: {said}"));
        }
        // The server's own container trusts nobody in particular: the same tool must refuse there.
        let script = format!("set -- {url}; {IMPATIENT}; {}", script.replace("sudo ", ""));
        let (status, said) = root(&host, &server, &script).await;
        if status == 0 {
            wrong.push(format!("{tool} accepts what nobody vouches for: {said}"));
        }
    }
    // As long as its store is what Debian makes of it again.
    let (_, said) = root(&host, &labels::object_name(&id), "update-ca-certificates --fresh").await;
    let (status, again) = host.run(&id, &["sh", "-c", "env -i curl -fsS $1/hello", "sh", &url]).await;
    assert_eq!(status, 0, "after update-ca-certificates: {again}; {said}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    host.engine.remove_container(&labels::by_name(&server)).await.unwrap();
    host.delete(&id).await;
    an_image_without_authorities(&host).await;
    host.shutdown().await;
}

/// apt speaks TLS without the package `ca-certificates`, and installing that changes nothing for the worse.
async fn an_image_without_authorities(host: &Host) {
    let reference = format!("localhost/aicockpit-test-bare-tls-{}:1", std::process::id());
    let recipe =
        format!("FROM {IMAGE}\nRUN rm -rf /etc/ssl/certs /usr/share/ca-certificates /etc/ca-certificates*\n");
    let build = ImageBuild {
        reference: reference.clone(),
        context: context(&recipe),
        arguments: Vec::new(),
        labels: Vec::new(),
    };
    host.engine.build_image(&build, &Progress::ignored()).await.unwrap();
    let id = host.create_running(trusting(Image::Reference { reference: reference.clone() })).await;
    let server = format!("aicockpit-test-tls-{id}");
    let address = serve(host, &id, &server).await;
    let script = format!("set -- https://{address}:8443; {APT}");
    let (status, said) = root(host, &labels::object_name(&id), &script).await;
    assert_eq!(status, 0, "{said}");
    host.engine.remove_container(&labels::by_name(&server)).await.unwrap();
    host.delete(&id).await;
    host.engine.remove_image(&reference).await.unwrap();
}

fn context(recipe: &str) -> Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(recipe.len() as u64);
    archive.append_data(&mut header, Path::new("Dockerfile"), recipe.as_bytes()).unwrap();
    Bytes::from(archive.into_inner().unwrap())
}
