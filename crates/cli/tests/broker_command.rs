//! `aicockpit broker` and `aicockpit usage`, with a model server of the test's own behind it. No engine is needed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

const MODELS: &str =
    r#"{"object":"list","data":[{"id":"real","object":"model","created":7,"owned_by":"x"}]}"#;
const COMPLETION: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"real","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":30,"completion_tokens":12,"total_tokens":42}}"#;

/// Answers every question the same. It ends with the test's process.
fn model_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever closes a connection meant to.
            std::thread::spawn(move || answer(BufReader::new(stream?)));
        }
        Ok::<_, std::io::Error>(())
    });
    address
}

fn answer(mut stream: BufReader<TcpStream>) -> std::io::Result<()> {
    loop {
        let (mut first, mut length) = (String::new(), 0);
        if stream.read_line(&mut first)? == 0 {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
        }
        stream.read_exact(&mut vec![0; length])?;
        let body = if first.starts_with("GET") { MODELS } else { COMPLETION };
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
        stream.get_mut().write_all(format!("{head}{body}").as_bytes())?;
    }
}

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).into_os_string().into_string().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aicockpit"));
        command.args(arguments).env("AICOCKPIT_HOME", self.0.path().join("data")).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn broker(&self, arguments: &[&str]) -> Serving {
        let all = [&["--json", "broker", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut child = self.command(&all).stdout(Stdio::piped()).spawn().unwrap();
        let mut told =
            serde_json::Deserializer::from_reader(child.stdout.take().unwrap()).into_iter::<Value>();
        let told = told.next().unwrap().unwrap();
        Serving { child, told }
    }
}

/// A broker, ended when dropped.
struct Serving {
    child: Child,
    told: Value,
}

impl Serving {
    /// Ends it as a person does; it must end well.
    fn end(mut self) {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    fn ask(&self, model: &str) -> (u16, String) {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] }).to_string();
        let key = self.told["api_key"].as_str().unwrap();
        let url = format!("{}/chat/completions", self.told["base_url"].as_str().unwrap());
        let headers = format!("authorization: Bearer {key}\r\ncontent-length: {}\r\n", body.len());
        send("POST", &url, &headers, &body)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(method: &str, url: &str, headers: &str, body: &str) -> (u16, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let host = if headers.contains("host:") { String::new() } else { format!("host: {host}\r\n") };
    let head = format!("{method} /{path} HTTP/1.1\r\n{host}connection: close\r\n{headers}\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn what_a_broker_was_used_for_is_shown_and_budgets_outlive_it() {
    let home = Home::new();
    let (ledger, backend) = (home.path("usage.sqlite"), format!("box=http://{}/v1", model_server()));
    let options = ["--backend", &backend, "--alias", "fast=box/real", "--ledger", &ledger];
    let broker = home.broker(&[&options[..], &["--metrics", "127.0.0.1:0"]].concat());
    for _ in 0..3 {
        assert_eq!(broker.ask("fast").0, 200);
    }
    assert_eq!(broker.ask("nothing").0, 404);

    let url = broker.told["metrics_url"].as_str().unwrap();
    let (status, figures) = send("GET", url, "", "");
    assert_eq!(status, 200);
    let series = r#"aicockpit_broker_requests_total{endpoint="chat/completions",backend="box",model="fast",end="complete"} 3"#;
    assert!(figures.contains(series), "{figures}");
    assert_eq!(send("GET", url, "host: evil.example\r\n", "").0, 403);
    assert_eq!(send("GET", url, "origin: http://evil.example\r\n", "").0, 403);

    let usage = |more: &[&str]| home.text(&[&["usage", "--ledger", &ledger], more].concat());
    // Also while it is written; the last requests may be on their way.
    usage(&[]);
    broker.end();
    let table = usage(&[]);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["MODEL", "REQUESTS", "FAILED", "REFUSED"], "{table}");
    assert_eq!(lines[1][..8], ["fast", "3", "0", "0", "0", "90", "36", "0.00"], "{table}");
    assert_eq!(lines[2][..4], ["nothing", "1", "0", "1"], "{table}");
    assert_eq!(lines[3][..4], ["all", "4", "0", "1"], "{table}");
    assert!(usage(&["--by", "backend"]).contains("(no answer)"));
    let report: Value = serde_json::from_str(&usage(&["--by", "owner", "--days", "1", "--json"])).unwrap();
    assert_eq!(
        (&report["groups"][0]["name"], &report["total"]["requests"]),
        (&json!("command line"), &json!(4))
    );

    // 126 tokens are used: a budget of 100 is empty from the start, one of 150 has room for one more.
    for (tokens, wanted) in [(100, [429, 429]), (150, [200, 429])] {
        let config = home.path("config.json");
        let limits = json!({ "limits": { "each": { "day": { "tokens": tokens } } } });
        std::fs::write(&config, limits.to_string()).unwrap();
        let broker = home.broker(&[&options[..], &["--config", &config]].concat());
        for wanted in wanted {
            let (status, body) = broker.ask("fast");
            assert_eq!(status, wanted, "{tokens}: {body}");
        }
        broker.end();
    }
    assert!(Path::new(&ledger).exists());
}

#[test]
fn a_broker_that_runs_is_asked_on_its_socket() {
    let home = Home::new();
    let (socket, backend) = (home.path("broker.sock"), format!("box=http://{}/v1", model_server()));
    let options = ["--backend", &backend, "--alias", "fast=box/real", "--inspect", &socket];
    let broker = home.broker(&[&options[..], &["--keep-prompts"]].concat());
    assert_eq!(broker.ask("fast").0, 200);
    let usage = |more: &[&str]| home.text(&[&["usage", "--broker", &socket], more].concat());
    assert!(usage(&[]).lines().any(|line| line.starts_with("fast ") && line.contains("0.00 USD")));
    let page: Value = serde_json::from_str(&usage(&["--requests", "5", "--json"])).unwrap();
    let request = page[0]["request"].as_str().unwrap();
    assert_eq!((&page[0]["is_kept"], &page[0]["currency"]), (&json!(true), &json!("USD")));
    assert!(usage(&["--requests", "5"]).lines().nth(1).unwrap().ends_with("yes"));
    let shown = usage(&["--request", request]);
    let (question, answer) = shown.split_once("\n\n").unwrap();
    assert_eq!(serde_json::from_str::<Value>(question).unwrap()["messages"][0]["content"], "hi");
    assert_eq!(answer.trim_end(), COMPLETION);
    let refused = home.run(&["usage", "--broker", &socket, "--request", "req_none"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nothing is kept of this request"));
    // A second broker does not take its place.
    let second = home.run(&[&["broker", "--listen", "127.0.0.1:0"], &options[..]].concat());
    assert!(String::from_utf8_lossy(&second.stderr).contains("cannot listen on"), "{second:?}");
    broker.end();
    assert!(!Path::new(&socket).exists(), "the socket's file goes with it");
    let nobody = home.run(&["usage", "--broker", &socket]);
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("broker.sock cannot be asked"), "{nobody:?}");

    // One that was killed leaves its file, which the next one replaces. Nothing is kept unless it is asked for.
    let broker = home.broker(&options);
    drop(broker);
    assert!(Path::new(&socket).exists());
    let broker = home.broker(&options);
    assert_eq!(broker.ask("fast").0, 200);
    assert!(usage(&["--requests", "1"]).lines().nth(1).unwrap().ends_with("no"));
    broker.end();
}

#[test]
fn nothing_leaves_this_machine_where_that_is_asked_for() {
    let home = Home::new();
    let near = format!("near=http://{}/v1", model_server());
    let broker = home.broker(&["--offline", "--backend", &near, "--backend", "far=http://192.0.2.1/v1"]);
    assert_eq!(broker.ask("near/real").0, 200);
    let (status, body) = broker.ask("far/real");
    assert_eq!(status, 503);
    assert!(body.contains("offline") && body.contains("far"), "{body}");
    broker.end();
}

#[test]
fn what_cannot_be_done_is_said() {
    let home = Home::new();
    let refused = |arguments: &[&str], why: &str| {
        let output = home.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && errors.contains(why), "{arguments:?}: {errors}");
    };
    refused(&["broker", "--metrics", "0.0.0.0:0"], "--allow-remote");
    let none = home.path("no such ledger");
    refused(&["usage", "--ledger", &none], "no such ledger");
    assert!(!Path::new(&none).exists(), "asking makes no file");
    let other = home.path("other");
    std::fs::write(&other, "not a ledger, but long enough to look like a file that somebody cares for")
        .unwrap();
    refused(&["usage", "--ledger", &other], "cannot be read");
    refused(&["usage", "--days", "0"], "--days");
    assert!(!home.0.path().join("data").exists(), "none of this needs a cockpit");
}

#[test]
fn the_cockpits_usage_is_asked_of_the_cockpit() {
    let home = Home::new();
    let output = home
        .command(&["usage", "--by", "owner"])
        .env("AICOCKPIT_AGENT", aicockpit_testkit::agent_binary())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.contains("No model was asked in this time."), "{errors}");
}
