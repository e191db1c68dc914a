//! The images of the cluster's node: from Docker, which made or pulled them for the other tests.

use super::{parts, run_folder};
use crate::{engines, shell};
use anyhow::Context as _;
use std::path::PathBuf;

/// What holds a pod's namespaces.
pub(super) const SANDBOX: &str = "docker.io/aicockpit/sandbox:1";

/// Gives the node the images that tests run, each once.
pub(super) fn load() -> anyhow::Result<()> {
    sandbox()?;
    for image in [engines::DEBIAN.to_owned(), engines::base_reference()?] {
        let id = shell::run("docker").args(["image", "inspect", "--format", "{{.Id}}", &image]).output();
        let Ok(id) = id else {
            println!(
                "{image}: Docker does not have it, so that pods cannot run it; `cargo xtask setup --tests` makes it"
            );
            continue;
        };
        let name = format!("docker.io/{}{image}", if image.contains('/') { "" } else { "library/" });
        hand_on(&image, &name, id.trim())?;
    }
    Ok(())
}

fn hand_on(image: &str, name: &str, id: &str) -> anyhow::Result<()> {
    // containerd's own id of an image is of another form than Docker's: what was loaded is noted in a label.
    let label = "dev.aicockpit.docker-id";
    let filter = format!("name=={name},labels.\"{label}\"=={id}");
    if !parts::ctr().args(["images", "list", "--quiet", &filter]).output()?.trim().is_empty() {
        println!("{image}: on the node");
        return Ok(());
    }
    println!("giving {image} to the node");
    let archive = run_folder().join("image.tar");
    shell::run("docker").args(["save", image, "--output"]).args([&archive]).show()?;
    import(&archive)?;
    parts::ctr().args(["images", "label", name, &format!("{label}={id}")]).output().map(|_| ())
}

/// One static program that does nothing.
fn sandbox() -> anyhow::Result<()> {
    let there = parts::ctr().args(["images", "list", "--quiet", &format!("name=={SANDBOX}")]).output()?;
    if !there.trim().is_empty() {
        return Ok(());
    }
    let archive = run_folder().join("image.tar");
    let layer = run_folder().join("sandbox.tar");
    shell::run("tar")
        .args(["--create", "--file"])
        .args([&layer])
        .args(["--directory", "/usr/bin", "--transform", "s,^,bin/,", "busybox"])
        .output()?;
    shell::run("docker")
        .args(["import", "--change", r#"ENTRYPOINT ["/bin/busybox", "sleep", "2147483647"]"#])
        .args([&layer])
        .args([SANDBOX])
        .output()?;
    shell::run("docker").args(["save", SANDBOX, "--output"]).args([&archive]).output()?;
    shell::run("docker").args(["image", "rm", SANDBOX]).output()?;
    import(&archive)
}

fn import(archive: &PathBuf) -> anyhow::Result<()> {
    parts::ctr().args(["images", "import", "--snapshotter", "overlayfs"]).args([archive]).output()?;
    std::fs::remove_file(archive).with_context(|| format!("cannot remove {}", archive.display()))
}

/// Ends and removes all containers of the node, while containerd still runs.
pub(super) fn remove_containers() {
    let ids = |kind: &str| -> Vec<String> {
        let list = parts::ctr().args([kind, "list", "--quiet"]).output().unwrap_or_default();
        list.split_whitespace().map(str::to_owned).collect()
    };
    // What does not go here is found by its mounts and by its containerd's socket afterwards.
    for task in ids("tasks") {
        parts::ctr().args(["tasks", "delete", "--force", &task]).succeeds();
    }
    let containers = ids("containers");
    if !containers.is_empty() {
        parts::ctr().args(["containers", "delete"]).args(containers).succeeds();
    }
}
