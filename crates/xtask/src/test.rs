//! Every test.

use crate::setup::Need;
use crate::steps::Steps;
use crate::{agent, check, cluster, display, engines, fuzz, models, paths, setup, shell, tools, ui};
use anyhow::bail;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only the steps whose name holds one of these words, after the set-up that they take. What they need must have been
    /// built.
    #[arg(long, num_args = 1..)]
    only: Vec<String>,
}

type Step = (&'static str, Need, fn() -> anyhow::Result<()>);

/// In the order in which a failure costs least.
const STEPS: &[Step] = &[
    ("format", Need::Nothing, || shell::run("cargo").args(["fmt", "--all", "--check"]).show()),
    ("crates, generated file, top level", Need::Nothing, check::run),
    ("licences, bans, sources", Need::Nothing, || {
        shell::run(tools::bin().join("cargo-deny")).args(["check", "bans", "licenses", "sources"]).show()
    }),
    ("UI: types", Need::Nothing, || {
        ui::script("ui", "typecheck").and_then(|()| ui::script("tests/e2e", "typecheck"))
    }),
    ("UI: lint", Need::Nothing, || ui::script("ui", "lint")),
    ("UI: format", Need::Nothing, || {
        ui::script("ui", "format:check")?;
        shell::run("npx")
            .args([
                "--no-install",
                "prettier",
                "--check",
                "../tests/e2e/{specs,support}/*.ts",
                "../tests/window/*.mjs",
                "../tests/models/*.mjs",
                "../crates/mirror/src/mirror/tests/*.mjs",
            ])
            .args(["--config", ".prettierrc.json"])
            .dir(paths::ui())
            .show()
    }),
    ("UI: tests", Need::Nothing, || ui::script("ui", "test")),
    ("UI: build", Need::Nothing, ui::build),
    ("clippy", Need::Nothing, || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
        shell::run("cargo").args(arguments).show()
    }),
    ("agent", Need::Nothing, agent::build),
    // In one go with the tests, so that programs and tests share what they are made of: built apart, the features of
    // development dependencies would make most crates twice.
    ("Rust: build", Need::Nothing, || {
        shell::run("cargo").args(["build", "--workspace", "--all-targets", "--locked"]).show()
    }),
    ("Rust: tests", Need::Cluster, rust_tests),
    ("models: a real server, stock clients", Need::Engines, || models::servers(product, nextest)),
    ("models: OpenAI's description", Need::Nothing, || models::description(product)),
    ("models: coding tools", Need::Nothing, || models::tools(product)),
    ("models: Ollama", Need::Nothing, || models::ollama::test(product)),
    ("models: vLLM", Need::Nothing, || models::vllm(product, nextest)),
    ("keys in the system's keyring", Need::Nothing, keyring),
    ("fuzz targets", Need::Nothing, fuzz::run),
    ("Podman without rights", Need::Engines, rootless),
    ("browser, end to end", Need::Cluster, || browser(&[])),
    ("window, end to end", Need::Engines, window),
];

/// Sets up and runs everything that CI runs.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let wanted = chosen(&arguments.only)?;
    let mut steps = Steps::default();
    let surroundings = setup::for_tests(&mut steps, needed(&wanted))?;
    for (name, _, work) in &wanted {
        steps.step(name, work)?;
    }
    drop(surroundings);
    drop(steps);
    println!("\nall {} steps passed", wanted.len());
    Ok(())
}

fn chosen(only: &[String]) -> anyhow::Result<Vec<Step>> {
    let is_meant = |name: &str| {
        only.is_empty() || only.iter().any(|word| name.to_lowercase().contains(&word.to_lowercase()))
    };
    let wanted: Vec<Step> = STEPS.iter().copied().filter(|(name, ..)| is_meant(name)).collect();
    if wanted.is_empty() {
        let names: Vec<_> = STEPS.iter().map(|(name, ..)| *name).collect();
        bail!("no step is called so; there are: {}", names.join("; "));
    }
    Ok(wanted)
}

fn needed(steps: &[Step]) -> Need {
    steps.iter().map(|(_, need, _)| *need).max().unwrap_or(Need::Nothing)
}

/// Pictures of every screen in both themes, and nothing else.
pub(crate) fn screenshots() -> anyhow::Result<()> {
    let mut steps = Steps::default();
    let surroundings = setup::for_tests(&mut steps, Need::Engines)?;
    steps.step("UI: build", ui::build)?;
    steps.step("agent", agent::build)?;
    steps.step("product", || crate::run::build("aicockpit-cli", false))?;
    steps.step("screens", || browser(&["screens"]))?;
    drop(surroundings);
    println!("pictures are in tests/artifacts/screens");
    Ok(())
}

/// What property tests begin their inputs with, so that a run tells of the change it checks and of nothing else.
/// `cargo test` and `cargo nextest run` by themselves look for new inputs each time.
const PROPTEST_SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "1");

const NEXTEST: [&str; 7] = ["nextest", "run", "--workspace", "--all-targets", "--locked", "--profile", "ci"];

fn nextest() -> shell::Run {
    product(shell::run(tools::bin().join("cargo-nextest"))).args(NEXTEST).env("AICOCKPIT_NO_KEYRING", "1")
}

fn rust_tests() -> anyhow::Result<()> {
    let mut run = nextest();
    if std::env::var_os(PROPTEST_SEED.0).is_none() {
        run = run.env(PROPTEST_SEED.0, PROPTEST_SEED.1);
    }
    if cluster::kubeconfig_of_tests().is_none() {
        println!("no cluster: the tests that need one are left out");
        run = run.args(["--filterset", "not binary(=cluster)"]);
    }
    run.show()
}

/// The tests of providers' keys again, with a keyring that is unlocked. By the same build as the tests before, which
/// must not ask whoever runs them to unlock theirs.
fn keyring() -> anyhow::Result<()> {
    let unlock =
        "echo aicockpit | gnome-keyring-daemon --unlock --components=secrets --daemonize && exec \"$@\"";
    let nextest = tools::bin().join("cargo-nextest");
    product(shell::run("dbus-run-session"))
        .args(["--", "sh", "-c", unlock, "sh"])
        .args([nextest.as_os_str()])
        .args(NEXTEST)
        .args(["--filterset", "binary_id(aicockpit-cockpit::models)"])
        // A home of its own: the keyring is made there.
        .env("XDG_DATA_HOME", paths::target().join("keyring"))
        .env("AICOCKPIT_TEST_KEYRING", "1")
        .show()
}

/// Podman's tests again, on a Podman of a user without rights. By the same build as the tests before.
fn rootless() -> anyhow::Result<()> {
    let mut started = engines::Started::default();
    let socket = engines::rootless_podman(&mut started)?;
    nextest()
        .args(["--filterset"])
        .args(["(binary_id(aicockpit-engine-podman::conformance) & test(conformance_suite)) \
             | (binary_id(aicockpit-cockpit::engines) & test(::podman::))"])
        // Podman 4.3 crashes when two programs make containers with mapped users at once.
        .args(["--test-threads=1"])
        .env("AICOCKPIT_TEST_PODMAN_SOCKET", socket)
        .show()
}

/// Playwright in Chromium, against the headless program and a real engine. `only` names specs.
fn browser(only: &[&str]) -> anyhow::Result<()> {
    models::tell(product(shell::run("npx")))?
        .args(["--no-install", "playwright", "test"])
        .args(only)
        .dir(paths::root().join("tests/e2e"))
        .show()
}

/// The real window, through WebDriver, on a display of its own.
fn window() -> anyhow::Result<()> {
    let screen = display::Screen::start()?;
    product(shell::run("node"))
        .args([
            "--test",
            "--test-reporter=spec",
            "--test-concurrency=1",
            "window.test.mjs",
            "desktop.test.mjs",
        ])
        .dir(paths::root().join("tests/window"))
        .env("DISPLAY", screen.name())
        .env("DBUS_SESSION_BUS_ADDRESS", screen.bus())
        .env("TAURI_DRIVER", tools::bin().join("tauri-driver"))
        .show()
}

/// Tells tests where what was built is.
fn product(run: shell::Run) -> shell::Run {
    cluster::tell(run)
        .env("AICOCKPIT_AGENT", paths::agent_binary())
        .env("AICOCKPIT_UI", paths::ui().join("dist"))
        .env("AICOCKPIT_BIN", paths::target().join("debug/aicockpit"))
        .env("AICOCKPIT_DESKTOP", paths::target().join("debug/aicockpit-desktop"))
        .env("CI", "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen_by_a_word_of_their_name_and_a_wrong_word_is_told() {
        assert_eq!(chosen(&[]).unwrap().len(), STEPS.len());
        let names: Vec<_> = chosen(&["ui:".to_owned()]).unwrap().iter().map(|(name, ..)| *name).collect();
        assert!(names.iter().all(|name| name.starts_with("UI: ")) && names.len() >= 4, "{names:?}");
        assert!(chosen(&["no such".to_owned()]).unwrap_err().to_string().contains("Rust: tests"));
    }

    #[test]
    fn engines_and_the_cluster_are_there_for_the_steps_that_run_on_them() {
        let needed = |word: &str| needed(&chosen(&[word.to_owned()]).unwrap());
        assert_eq!(needed("UI"), Need::Nothing);
        assert_eq!(needed("end to end"), Need::Cluster);
        assert_eq!(needed("window"), Need::Engines);
        assert_eq!(super::needed(STEPS), Need::Cluster);
    }
}
