//! The commands as a person types them, on real Docker with the real agent.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aicockpit_testkit::{agent_binary, image};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A data directory of its own, and what was created in it.
struct Home {
    folder: TempDir,
    names: Vec<String>,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), names: Vec::new() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aicockpit"));
        command.args(arguments).env("AICOCKPIT_HOME", self.folder.path().join("data"));
        command.env("AICOCKPIT_AGENT", agent_binary()).env_remove("AICOCKPIT_UI").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The output of a command that must succeed.
    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} ended with {}: {errors}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.text(arguments);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// A workspace's state as the list tells it. An engine may hold workspaces of others beside ours.
    fn state(&self, name: &str) -> Option<String> {
        let list = self.json(&["--json", "list"]);
        let entry = list.as_array().unwrap().iter().find(|workspace| workspace["name"] == name)?;
        Some(entry["state"].as_str().unwrap().to_owned())
    }

    fn status(&self, arguments: &[&str]) -> i32 {
        self.run(arguments).status.code().unwrap()
    }

    fn create(&mut self, name: &str) -> Value {
        self.names.push(name.to_owned());
        self.json(&["--json", "create", "--empty", "--image", &image(), "--name", name])
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for name in &self.names {
            // Most were removed by the test itself.
            let _ = self.run(&["rm", "--force", name]);
        }
    }
}

fn write(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

#[test]
fn a_workspace_is_made_used_and_removed_by_commands_alone() {
    let mut home = Home::new();
    let name = "cli-test-life";
    let workspace = home.create(name);
    assert_eq!(workspace["state"], "running");
    let id = workspace["id"].as_str().unwrap();

    assert_eq!(home.state(name).as_deref(), Some("running"));
    assert!(home.text(&["list"]).lines().any(|line| line.contains(name) && line.contains("running")));

    assert_eq!(home.text(&["exec", name, "--", "sh", "-c", "echo $A-$PWD", "-e"]), "-/workspace\n");
    assert_eq!(
        home.text(&["exec", "-e", "A=b", "-C", "/tmp", &id[..6], "sh", "-c", "echo $A-$PWD"]),
        "b-/tmp\n"
    );
    assert_eq!(home.status(&["exec", name, "sh", "-c", "exit 9"]), 9);
    assert_eq!(home.status(&["exec", name, "no-such-program"]), 3);
    assert_eq!(home.status(&["exec", "no-such-workspace", "true"]), 3);
    let mut cat = home.command(&["exec", name, "cat"]);
    let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    cat.stdin.take().unwrap().write_all(b"through and back").unwrap();
    assert_eq!(cat.wait_with_output().unwrap().stdout, b"through and back");

    copies(&home, name);

    home.text(&["exec", name, "sh", "-c", "printf 'one\\ntwo\\n' >/proc/1/fd/1"]);
    assert_eq!(home.text(&["logs", "--tail", "1", name]), "two\n", "without --follow it ends by itself");

    home.text(&["stop", name]);
    assert_eq!(home.state(name).as_deref(), Some("stopped"));
    assert_eq!(home.status(&["exec", name, "true"]), 4, "it is not running");
    home.text(&["start", name]);
    assert_eq!(home.text(&["exec", name, "cat", "folder/inner/file"]), "content", "the files are there");

    let asked = home.run(&["rm", name]);
    assert_eq!(asked.status.code(), Some(4), "nobody can be asked, and files would be lost");
    assert!(String::from_utf8_lossy(&asked.stderr).contains("--force"));
    home.text(&["rm", "--force", name]);
    assert_eq!(home.state(name), None);
}

fn copies(home: &Home, name: &str) {
    let local = home.folder.path().join("local");
    write(&local.join("folder/inner/file"), "content");
    std::os::unix::fs::symlink("inner/file", local.join("folder/link")).unwrap();
    let inside = |path: &str| format!("{name}:{path}");
    let at = |path: &str| local.join(path).into_os_string().into_string().unwrap();

    home.text(&["cp", &at("folder/inner/file"), &inside("one.txt")]);
    assert_eq!(home.text(&["exec", name, "cat", "one.txt"]), "content");
    home.text(&["cp", &at("folder/inner/file"), &inside("/tmp/")]);
    assert_eq!(home.text(&["exec", name, "cat", "/tmp/file"]), "content");
    home.text(&["cp", &at("folder"), &inside("")]);
    assert_eq!(home.text(&["exec", name, "cat", "folder/link"]), "content");

    home.text(&["cp", &inside("one.txt"), &at("back.txt")]);
    assert_eq!(std::fs::read_to_string(at("back.txt")).unwrap(), "content");
    home.text(&["cp", &inside("folder"), &at("copy")]);
    assert_eq!(std::fs::read_to_string(at("copy/link")).unwrap(), "content");
    assert_eq!(std::fs::read_link(at("copy/link")).unwrap(), Path::new("inner/file"));

    assert_eq!(home.status(&["cp", &inside("none"), &at("none")]), 3);
    assert_eq!(home.status(&["cp", &at("a"), &at("b")]), 2);
}

/// `serve`, ended when dropped.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn commands_use_the_cockpit_that_runs() {
    let mut home = Home::new();
    let ui = home.folder.path().join("ui");
    write(&ui.join("index.html"), "");
    let mut serve = home.command(&["serve", "--ui", ui.to_str().unwrap()]);
    let mut serving = Serving(serve.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(serving.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("http://127.0.0.1:") && line.contains("/#token="), "{line}");

    let second = home.run(&["serve", "--ui", ui.to_str().unwrap()]);
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another AiCockpit"), "{second:?}");

    let name = "cli-test-socket";
    home.create(name);
    let perl = "use IO::Socket::INET; IO::Socket::INET->new(Listen => 1, LocalPort => 48124)->accept";
    let mut listening = home.command(&["exec", name, "perl", "-e", perl]).spawn().unwrap();
    let opened = home.json(&["--json", "ports", name, "--forward", "48124"]);
    let port = opened[0]["local_port"].as_u64().unwrap();
    assert!(home.text(&["ports", name]).contains(&format!("127.0.0.1:{port}")), "the cockpit keeps it open");
    home.text(&["ports", name, "--close", "48124"]);
    let _ = listening.kill();
    let _ = listening.wait();
    home.text(&["rm", "-f", name]);
}

#[test]
fn doctor_says_what_is_missing_and_how_to_mend_it() {
    let home = Home::new();
    let findings = home.json(&["--json", "doctor"]);
    let find = |check: &str| {
        findings.as_array().unwrap().iter().find(|finding| finding["check"] == check).unwrap().clone()
    };
    assert_eq!(find("agent")["ok"], true);
    assert_eq!(find("interface")["ok"], false);

    let broken = home.command(&["--json", "doctor"]).env("AICOCKPIT_AGENT", "/no/agent").output().unwrap();
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&broken.stdout).contains("/no/agent"));
}

#[test]
fn wrong_usage_and_completion_need_no_cockpit() {
    let home = Home::new();
    assert_eq!(home.status(&["create"]), 2);
    assert_eq!(home.status(&["create", "--empty", "."]), 2);
    assert_eq!(home.status(&["no-such-command"]), 2);
    assert!(home.text(&["completion", "bash"]).contains("aicockpit"));
    assert!(!home.folder.path().join("data").exists());
}
