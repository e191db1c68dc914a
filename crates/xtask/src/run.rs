//! From a fresh clone to the product on the screen.

use crate::steps::Steps;
use crate::{agent, engines, paths, setup, shell, ui};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Serve the browser UI on a loopback address instead of opening a window.
    #[arg(long)]
    headless: bool,
    /// Build with optimisations: slower to build, faster to run.
    #[arg(long)]
    release: bool,
    /// Install missing system packages without asking.
    #[arg(long, short)]
    yes: bool,
}

/// Sets up, builds and starts the product, and ends with it.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let desktop = !arguments.headless && has_display();
    if !arguments.headless && !desktop {
        println!("no display here: serving the browser UI instead of opening a window");
    }
    let mut steps = Steps::default();
    // Workspaces need the engine after we have ended.
    setup::for_running(&mut steps, desktop, arguments.yes)?.keep();
    steps.step("user interface", ui::build)?;
    steps.step("agent", agent::build)?;
    let program = if desktop { "aicockpit-desktop" } else { "aicockpit" };
    steps.step("product", || {
        build(if desktop { "aicockpit-desktop" } else { "aicockpit-cli" }, arguments.release)
    })?;
    steps.step("base image", || {
        if let Err(error) = engines::base_image() {
            println!("{error}\nThe first workspace that needs it will try again.");
        }
        Ok(())
    })?;
    drop(steps);

    let profile = if arguments.release { "release" } else { "debug" };
    let start = shell::run(paths::target().join(profile).join(program))
        .args(if desktop { &[][..] } else { &["serve"][..] })
        .env("AICOCKPIT_AGENT", paths::agent_binary())
        .env("AICOCKPIT_UI", paths::ui().join("dist"))
        .interactive();
    println!("\nCtrl-C ends AiCockpit; workspaces keep running.");
    start.quiet().show()
}

/// Builds one package of the product.
pub(crate) fn build(package: &str, release: bool) -> anyhow::Result<()> {
    let release = if release { &["--release"][..] } else { &[][..] };
    shell::run("cargo").args(["build", "--locked", "--package", package]).args(release).show()
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
