//! What a page that a workspace serves through a forward can do to the cockpit's own page: nothing. Real Docker, the
//! real agent, and the real browser where there is one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use aicockpit_cockpit::socket::{Client, ClientStream};
use aicockpit_protocol::api::{Empty, Event, HostInfo, In, ProcessExec, WorkspaceOpen, WorkspaceRef};
use aicockpit_protocol::process::Exec;
use aicockpit_protocol::{WorkspaceId, port::Forward};
use aicockpit_remote::{ServeOptions, Served, serve};
use aicockpit_testkit::{TestCockpit, wait_for};
use common::{own, request, send, sign_in, socket, token};
use hyper::{HeaderMap, StatusCode};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
/// Where the hostile page is served inside.
const PORT: u16 = 48_217;
/// Answers every request with the page in `$ARGV[0]`, sets cookies, allows everything, and, asked for `/echo`, says
/// what it was sent.
const SERVER: &str = "use IO::Socket::INET; my $s = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1', \
    LocalPort => 48217) or die; while (my $c = $s->accept) { my $h = ''; while (<$c>) { $h .= $_; last if /^\\r?$/ } \
    my $b = $h =~ m{^GET /echo} ? $h : $ARGV[0]; print $c \"HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\n\
    Set-Cookie: evil=1; Domain=localhost\\r\\nAccess-Control-Allow-Origin: *\\r\\nConnection: close\\r\\n\
    Content-Length: \" . length($b) . \"\\r\\n\\r\\n$b\"; close $c }";

struct Hostile {
    test: TestCockpit,
    served: Served,
    forward: Forward,
    workspace: WorkspaceId,
    // The page's server runs as long as they live.
    _program: (Client, ClientStream),
}

async fn hostile(name: &str, page: impl FnOnce(&Served) -> String) -> Hostile {
    let test = TestCockpit::start().await;
    let ui = test.data_directory().join("ui");
    std::fs::create_dir_all(ui.join("assets")).unwrap();
    std::fs::write(ui.join("index.html"), "<title>cockpit</title>").unwrap();
    std::fs::write(ui.join("assets/app.js"), "window.loaded = 1").unwrap();
    let options = ServeOptions { listen: "127.0.0.1:0".parse().unwrap(), ui };
    let served = serve(Arc::clone(test.cockpit()), options).await.unwrap();
    let workspace = test.create(name).await.id;
    let client = test.client();
    client.call::<WorkspaceOpen>(WorkspaceRef { workspace: workspace.clone() }).await.unwrap();
    let mut events = client.events();
    let command = ["perl", "-e", SERVER, &page(&served)].map(str::to_owned).to_vec();
    let args = Exec { command, directory: None, env: Default::default() };
    let opened = client.call::<ProcessExec>(In { workspace: workspace.clone(), args }).await.unwrap();
    let program = client.stream(opened.stream);
    let forward = wait_for(&mut events, SOON, "the port to be forwarded", |event| match event {
        Event::Ports { workspace: of, ports } if of == workspace => {
            ports.into_iter().find(|entry| entry.target.port == PORT)?.forward
        }
        _ => None,
    })
    .await;
    Hostile { test, served, forward, workspace, _program: (client, program) }
}

/// No header of ours may give a foreign page anything.
fn keeps_to_itself(what: &str, headers: &HeaderMap) {
    for name in ["set-cookie", "access-control-allow-origin", "access-control-allow-credentials"] {
        assert!(!headers.contains_key(name), "{what}: {name}");
    }
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(headers[name], value, "{what}");
    }
    let policy = headers["content-security-policy"].to_str().unwrap();
    let directive = |name: &str| {
        let found = policy.split(';').map(str::trim).find(|directive| directive.starts_with(name));
        found.unwrap_or_else(|| panic!("{what}: no {name} in {policy}")).to_owned()
    };
    assert_eq!(directive("frame-ancestors"), "frame-ancestors 'none'", "{what}");
    // Which frames and windows it may hold itself follows from this: none of another port.
    assert_eq!(directive("default-src"), "default-src 'self'", "{what}");
    assert_eq!(directive("script-src"), "script-src 'self'", "{what}");
    assert!(!policy.contains("frame-src") && !policy.contains("child-src"), "{what}: {policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_page_has_a_host_of_its_own_and_no_way_to_the_cockpit() {
    let hostile = hostile("hostile-page", |_| "<script>hostile()</script>".to_owned()).await;
    let Hostile { served, forward, workspace, .. } = &hostile;
    let (address, page_port) = (served.address, forward.local_port);
    assert_eq!(forward.url, format!("http://{workspace}.localhost:{page_port}/"));
    let (host, _) = own(address);
    let url = served.sign_in_url();
    assert!(url.contains("/#token="), "a fragment is never sent anywhere: {url}");
    let bearer = sign_in(address, token(&url)).await.unwrap();

    // What the workspace sees is what the browser sent, byte for byte.
    let page_host = format!("{workspace}.localhost:{page_port}");
    let asked = request("GET", "/echo", &[("host", &page_host), ("x-mine", "1")], "");
    let echoed = send(([127, 0, 0, 1], page_port).into(), asked).await;
    let echoed = String::from_utf8_lossy(echoed.body()).to_lowercase();
    let mut lines: Vec<_> = echoed.lines().filter(|line| !line.is_empty()).collect();
    lines[1..].sort_unstable();
    assert_eq!(lines, ["get /echo http/1.1", &format!("host: {page_host}"), "x-mine: 1"]);

    // The page's script, by every name under which it may have been opened.
    for origin in [
        format!("http://{page_host}"),
        format!("http://127.0.0.1:{page_port}"),
        format!("http://localhost:{page_port}"),
        format!("http://{workspace}.localhost:{}", address.port()),
        "null".to_owned(),
    ] {
        let fresh = served.sign_in_url();
        let body = format!("{{\"token\":\"{}\"}}", token(&fresh));
        for (method, path, body) in [
            ("GET", "/", ""),
            ("GET", "/assets/app.js", ""),
            ("OPTIONS", "/api/sign-in", ""),
            ("POST", "/api/sign-in", &*body),
            ("PUT", "/", "x"),
        ] {
            let headers = [("host", &*host), ("origin", &*origin), ("content-type", "application/json")];
            let answer = send(address, request(method, path, &headers, body)).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{method} {path} from {origin}");
            keeps_to_itself(path, answer.headers());
        }
        // Not even with a bearer that it got hold of somehow.
        let protocols = format!("aicockpit.v1, bearer.{bearer}");
        let headers = [("host", &*host), ("origin", &*origin), ("sec-websocket-protocol", &*protocols)];
        assert_eq!(socket(address, &headers).await.map(drop), Err(StatusCode::FORBIDDEN), "{origin}");
        assert!(sign_in(address, token(&fresh)).await.is_ok(), "the token was not used up by {origin}");
    }
    // By the forward's name on our port, as a link or after a change of its address.
    let rebound = format!("{workspace}.localhost:{}", address.port());
    let answer = send(address, request("GET", "/", &[("host", &rebound)], "")).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);

    // What a browser fetches without naming an origin (a frame, a script tag, a link) it may not use.
    for (path, cookie) in [("/", "evil=1"), ("/assets/app.js", ""), ("/api/none", "")] {
        let headers = [("host", &*host), ("cookie", cookie), ("sec-fetch-site", "cross-site")];
        keeps_to_itself(path, send(address, request("GET", path, &headers, "")).await.headers());
    }
    let client = common::client(address, &bearer).await;
    assert!(client.call::<HostInfo>(Empty {}).await.is_ok(), "the cockpit's own page works all the while");
    assert!(hostile.test.cockpit().workspaces().get(workspace).is_ok());
}

/// Tries, from its own page, what a hostile script would, and writes what came of it into the page.
const PAGE: &str = r#"<!doctype html><title>hostile</title><pre id=out></pre><script>
const cockpit = 'http://COCKPIT', bearer = 'BEARER', out = {};
const settle = (name, promise) => promise.then(v => out[name] = 'reached ' + v, e => out[name] = 'refused');
const script = new Promise((ok, no) => { const tag = document.createElement('script');
  tag.onload = () => window.loaded ? ok('code') : no(); tag.onerror = no; tag.src = cockpit + '/assets/app.js';
  document.head.append(tag); });
const socket = new Promise((ok, no) => { const ws = new WebSocket('ws://COCKPIT/api/socket',
  ['aicockpit.v1', 'bearer.' + bearer]); ws.onopen = () => ok('open'); ws.onerror = no; });
Promise.all([
  settle('read', fetch(cockpit + '/').then(r => r.text())),
  settle('sign-in', fetch(cockpit + '/api/sign-in', { method: 'POST', body: '{"token":"TOKEN"}' }).then(r => r.text())),
  settle('script', script),
  settle('socket', socket),
  settle('own', fetch('/echo').then(r => r.text()).then(t => t.includes(bearer) ? t : 'page')),
]).then(() => { out.cookie = document.cookie.replace('evil=1', '');
  document.getElementById('out').textContent = JSON.stringify(out); });
</script>"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_browser_keeps_a_hostile_page_away_from_the_cockpit() {
    let Ok(version) = Command::new("chromium").args(["--version", "--no-sandbox"]).output() else {
        println!("NOT RUN: there is no chromium");
        return;
    };
    assert!(version.status.success());
    let hostile = hostile("hostile-browser", |served| {
        let (token, secret) = (served.sign_in_url(), "b".repeat(43));
        PAGE.replace("COCKPIT", &served.address.to_string())
            .replace("TOKEN", common::token(&token))
            .replace("BEARER", &secret)
    })
    .await;
    let profile = tempfile::tempdir().unwrap();
    let run = tokio::process::Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(&hostile.forward.url)
        .kill_on_drop(true)
        .output();
    let page = tokio::time::timeout(SOON, run).await.unwrap().unwrap();
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    let found = page.split_once("<pre id=\"out\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let found = found.unwrap_or_else(|| panic!("no outcome in {page}")).0;
    let found: serde_json::Value = serde_json::from_str(found).unwrap_or_else(|_| panic!("{page}"));
    let expected = serde_json::json!({
        "read": "refused", "sign-in": "refused", "script": "refused", "socket": "refused",
        // Its own server is in reach: the script did run.
        "own": "reached page",
        "cookie": "",
    });
    assert_eq!(found, expected);
}
