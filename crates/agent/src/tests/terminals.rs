//! Terminals as a client sees them.

use super::PATIENCE;
use super::client::{Client, link_to, open};
use aicockpit_link::{LinkStream, read_frame, write_frame};
use aicockpit_protocol::agent::{
    AgentError, Answer, Call, MAX_MESSAGE_LEN, Notice, Open, TERMINAL_CLOSED, TERMINAL_DATA, TERMINAL_RESYNC,
    decode,
};
use aicockpit_protocol::terminal::{
    AttachTerminal, Attached, CloseTerminal, CreateTerminal, RenameTerminal, ResizeTerminal, SignalTerminal,
    TerminalInfo,
};
use aicockpit_protocol::{ErrorCode, TerminalId};

/// An attachment and what came over it.
struct View {
    stream: LinkStream,
    attached: Attached,
    snapshot: Vec<u8>,
    output: Vec<u8>,
}

impl View {
    async fn new(mut stream: LinkStream) -> Self {
        let first = read_frame(&mut stream, MAX_MESSAGE_LEN).await.unwrap().unwrap();
        let attached = decode::<Result<Attached, AgentError>>(&first).unwrap().unwrap();
        let mut view = Self { stream, attached, snapshot: Vec::new(), output: Vec::new() };
        while (view.snapshot.len() as u64) < view.attached.snapshot_len {
            let bytes = view.frame().await.unwrap();
            view.snapshot.extend(bytes);
        }
        assert_eq!(view.snapshot.len() as u64, view.attached.snapshot_len);
        view
    }

    /// The next bytes, or the kind of the last frame.
    async fn frame(&mut self) -> Result<Vec<u8>, u8> {
        let frame = tokio::time::timeout(PATIENCE, read_frame(&mut self.stream, MAX_MESSAGE_LEN)).await;
        let frame = frame.expect("output in time").unwrap().expect("a last frame before the end");
        match frame.split_first() {
            Some((&TERMINAL_DATA, bytes)) => Ok(bytes.to_vec()),
            Some((&kind, _)) => Err(kind),
            None => panic!("an empty frame"),
        }
    }

    async fn type_in(&mut self, text: &str) {
        let frame = [&[TERMINAL_DATA], text.as_bytes()].concat();
        write_frame(&mut self.stream, &frame).await.unwrap();
    }

    /// Reads until the output holds `text`.
    async fn wait_for(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.output).contains(text) {
            let bytes = self.frame().await.unwrap_or_else(|kind| panic!("ended with {kind} before {text:?}"));
            self.output.extend(bytes);
        }
    }

    fn offset(&self) -> u64 {
        self.attached.offset + self.output.len() as u64
    }
}

impl Client {
    async fn create(&self, command: &[&str]) -> TerminalInfo {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        let create = CreateTerminal { command, directory: None, columns: 80, rows: 24 };
        match self.ask(Call::CreateTerminal(create)).await.unwrap() {
            Answer::Terminal(info) => info,
            other => panic!("{other:?}"),
        }
    }

    async fn attach(&self, terminal: TerminalId, from: Option<u64>) -> View {
        View::new(self.stream(&Open::Terminal(AttachTerminal { terminal, from })).await).await
    }

    async fn text(&self, terminal: TerminalId) -> String {
        match self.ask(Call::TerminalText(terminal)).await.unwrap() {
            Answer::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    async fn when(&self, id: TerminalId, is: impl Fn(&TerminalInfo) -> bool) -> TerminalInfo {
        let of = |notice: &Notice| match notice {
            Notice::Terminals(list) => list.iter().find(|info| info.id == id && is(info)).cloned(),
            _ => None,
        };
        let notice = self.notice(|notice| of(notice).is_some()).await;
        of(&notice).unwrap()
    }
}

const PLAIN_SHELL: [&str; 1] = ["sh"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_runs_and_what_it_says_comes_back() {
    let client = Client::new().await;
    let info = client.create(&PLAIN_SHELL).await;
    assert_eq!((info.id, info.title.as_str(), info.exit), (TerminalId(1), "sh", None));
    let mut view = client.attach(info.id, None).await;
    view.type_in("echo sum $((40+2)); pwd; echo $TERM $COLORTERM; stty size\n").await;
    view.wait_for("sum 42").await;
    view.wait_for(&client.folder().to_string()).await;
    view.wait_for("xterm-256color truecolor").await;
    view.wait_for("24 80").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_back_gets_exactly_what_it_missed() {
    let client = Client::new().await;
    let info = client.create(&PLAIN_SHELL).await;
    let mut view = client.attach(info.id, None).await;
    view.type_in("echo be''fore\n").await;
    view.wait_for("before\r\n").await;
    let seen = view.offset();
    drop(view);
    let mut other = client.attach(info.id, None).await;
    other.type_in("echo me''anwhile\n").await;
    other.wait_for("meanwhile\r\n").await;
    let mut back = client.attach(info.id, Some(seen)).await;
    assert_eq!((back.attached.offset, back.attached.snapshot_len), (seen, 0));
    back.wait_for("meanwhile\r\n").await;
    assert!(!String::from_utf8_lossy(&back.output).contains("before\r\n"));
    let unknown = client.attach(info.id, Some(u64::MAX)).await;
    assert!(String::from_utf8_lossy(&unknown.snapshot).contains("meanwhile"));
}

#[tokio::test(flavor = "multi_thread")]
async fn terminals_outlive_the_link() {
    let client = Client::new().await;
    let info = client.create(&PLAIN_SHELL).await;
    let link = link_to(&client.daemon());
    let attach = Open::Terminal(AttachTerminal { terminal: info.id, from: None });
    let mut view = View::new(open(&link, &attach).await).await;
    view.type_in("variable=kept\n").await;
    view.wait_for("variable=kept").await;
    link.close();
    let mut again = client.attach(info.id, None).await;
    again.type_in("echo it is $variable\n").await;
    again.wait_for("it is kept").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_reach_the_program_and_absurd_ones_are_refused() {
    let client = Client::new().await;
    let info = client.create(&PLAIN_SHELL).await;
    let mut view = client.attach(info.id, None).await;
    let resize = |columns, rows| Call::ResizeTerminal(ResizeTerminal { terminal: info.id, columns, rows });
    client.ask(resize(132, 50)).await.unwrap();
    view.type_in("stty size\n").await;
    view.wait_for("50 132").await;
    let again = client.attach(info.id, None).await;
    assert_eq!((again.attached.columns, again.attached.rows), (132, 50));
    for (columns, rows) in [(0, 10), (10, 0), (2001, 10)] {
        assert_eq!(client.ask(resize(columns, rows)).await.unwrap_err().code, ErrorCode::InvalidArgument);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_status_is_told_and_the_screen_stays() {
    let client = Client::new().await;
    let info = client.create(&["sh", "-c", "echo last words; exit 7"]).await;
    let ended = client.when(info.id, |info| info.exit.is_some()).await;
    assert_eq!((ended.exit.unwrap().status, ended.busy), (7, false));
    let mut view = client.attach(info.id, None).await;
    while !client.text(info.id).await.contains("last words") {
        tokio::task::yield_now().await;
    }
    view.type_in("nobody reads this").await;
    client.ask(Call::CloseTerminal(CloseTerminal { terminal: info.id })).await.unwrap();
    assert_eq!(
        loop {
            if let Err(kind) = view.frame().await {
                break kind;
            }
        },
        TERMINAL_CLOSED
    );
    let killed = client.create(&["sh", "-c", "kill -TERM $$"]).await;
    assert_eq!(client.when(killed.id, |info| info.exit.is_some()).await.exit.unwrap().status, 143);
    assert_eq!(client.ask(Call::TerminalText(info.id)).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_interrupted_and_bounded() {
    let client = Client::new().await;
    let info = client.create(&PLAIN_SHELL).await;
    let mut view = client.attach(info.id, None).await;
    view.type_in("yes 0123456789012345678901234567890123456789\n").await;
    let mut received = 0;
    while received < 3_000_000 {
        received += view.frame().await.unwrap().len();
    }
    view.type_in("\x03").await;
    view.type_in("echo sto''pped\n").await;
    view.output.clear();
    view.wait_for("stopped\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_the_program_and_another_one_frees_it() {
    let client = Client::new().await;
    let info =
        client.create(&["sh", "-c", "read go; stty raw; head -c 6000000 /dev/zero; echo the end"]).await;
    // Never read: first it holds the program back.
    let mut stuck = client.attach(info.id, None).await;
    let mut reading = client.attach(info.id, None).await;
    reading.type_in("\n").await;
    reading.wait_for("the end").await;
    assert!(reading.output.len() >= 6_000_000, "the reader gets everything");
    let mut total = 0;
    let kind = loop {
        match stuck.frame().await {
            Ok(bytes) => total += bytes.len(),
            Err(kind) => break kind,
        }
    };
    assert_eq!(kind, TERMINAL_RESYNC);
    assert!(total < 4_000_000, "what a client misses is not kept: {total}");
    let fresh = client.attach(info.id, None).await;
    assert!(String::from_utf8_lossy(&fresh.snapshot).contains("the end"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_clients_a_program_runs_freely() {
    let client = Client::new().await;
    let info =
        client.create(&["sh", "-c", "head -c 2000000 /dev/zero | tr '\\0' 'x'; echo; echo the end"]).await;
    assert_eq!(client.when(info.id, |info| info.exit.is_some()).await.exit.unwrap().status, 0);
    let patience = tokio::time::Instant::now() + PATIENCE;
    while !client.text(info.id).await.ends_with("the end") {
        assert!(tokio::time::Instant::now() < patience);
        tokio::task::yield_now().await;
    }
}

/// `shell` tells the same whichever it is.
async fn tells_its_prompts_directory_and_status(shell: &str) {
    assert!(
        std::path::Path::new(shell).exists(),
        "{shell} is not here; `cargo xtask setup --tests` installs what tests need"
    );
    let client = Client::new().await;
    let info = client.create(&[shell]).await;
    client.when(info.id, |info| !info.busy && info.directory.as_ref() == Some(&client.folder())).await;
    let mut view = client.attach(info.id, None).await;
    view.type_in("mkdir 'a b%ü'; cd 'a b%ü'; sh -c 'sleep 0.1; exit 5'\n").await;
    client.when(info.id, |info| info.busy).await;
    let inner = Some(client.folder().join("a b%ü".as_bytes()));
    client.when(info.id, |info| !info.busy && info.last_status == Some(5) && info.directory == inner).await;
    view.type_in("\n").await;
    view.type_in("true\n").await;
    client.when(info.id, |info| info.last_status == Some(0)).await;
    view.type_in("printf '\\e]2;a title\\a'; sleep 600\n").await;
    client.when(info.id, |info| info.title == "a title" && info.busy).await;
    client
        .ask(Call::SignalTerminal(SignalTerminal { terminal: info.id, signal: "INT".into() }))
        .await
        .unwrap();
    client.when(info.id, |info| info.last_status == Some(130)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_tells_its_prompts_directory_and_status() {
    tells_its_prompts_directory_and_status("/bin/bash").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zsh_tells_its_prompts_directory_and_status() {
    tells_its_prompts_directory_and_status("/bin/zsh").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fish_tells_its_prompts_directory_and_status() {
    tells_its_prompts_directory_and_status("/usr/bin/fish").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_given_and_taken_away() {
    let client = Client::new().await;
    let info = client.create(&PLAIN_SHELL).await;
    let rename = |name: &str| Call::RenameTerminal(RenameTerminal { terminal: info.id, name: name.into() });
    client.ask(rename("build\x1b[31m")).await.unwrap();
    client.when(info.id, |info| info.name.as_deref() == Some("build[31m")).await;
    client.ask(rename("")).await.unwrap();
    client.when(info.id, |info| info.name.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_ends_even_what_does_not_want_to() {
    let client = Client::new().await;
    let info = client
        .create(&["sh", "-c", "trap '' HUP TERM; read go; echo pid $$.; while :; do sleep 1; done"])
        .await;
    let mut view = client.attach(info.id, None).await;
    view.type_in("\n").await;
    view.wait_for(".\r\n").await;
    let text = String::from_utf8_lossy(&view.output).into_owned();
    let pid = text.split("pid ").nth(1).unwrap().split('.').next().unwrap().to_owned();
    client.ask(Call::CloseTerminal(CloseTerminal { terminal: info.id })).await.unwrap();
    assert_eq!(
        loop {
            if let Err(kind) = view.frame().await {
                break kind;
            }
        },
        TERMINAL_CLOSED
    );
    let gone = async {
        while std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_terminals_work_side_by_side() {
    let client = Client::new().await;
    let mut views = Vec::new();
    for _ in 0..20 {
        let info = client.create(&PLAIN_SHELL).await;
        views.push((info.id, client.attach(info.id, None).await));
    }
    for (id, view) in &mut views {
        view.type_in(&format!("echo terminal number $(({id}+1000))\n")).await;
    }
    for (id, view) in &mut views {
        view.wait_for(&format!("terminal number {}", id.0 + 1000)).await;
    }
    let Answer::Terminals(list) = client.ask(Call::Terminals).await.unwrap() else { panic!("no list") };
    assert_eq!(list.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_of_programs_are_answered_also_without_a_client() {
    let client = Client::new().await;
    // The program reads the answer to "where is the cursor" by itself.
    let script =
        "stty raw -echo; printf 'ab\\033[6n'; dd bs=1 count=6 2>/dev/null | tr '\\033' 'E'; echo; sleep 600";
    let info = client.create(&["sh", "-c", script]).await;
    let patience = tokio::time::Instant::now() + PATIENCE;
    while !client.text(info.id).await.contains("abE[1;3R") {
        assert!(tokio::time::Instant::now() < patience, "{:?}", client.text(info.id).await);
        tokio::task::yield_now().await;
    }
    client.ask(Call::CloseTerminal(CloseTerminal { terminal: info.id })).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_does_not_exist_and_frames_of_unknown_kinds_are_refused() {
    let client = Client::new().await;
    let mut stream =
        client.stream(&Open::Terminal(AttachTerminal { terminal: TerminalId(99), from: None })).await;
    let first = read_frame(&mut stream, MAX_MESSAGE_LEN).await.unwrap().unwrap();
    assert_eq!(
        decode::<Result<Attached, AgentError>>(&first).unwrap().unwrap_err().code,
        ErrorCode::NotFound
    );
    let info = client.create(&PLAIN_SHELL).await;
    let mut view = client.attach(info.id, None).await;
    write_frame(&mut view.stream, b"\x63what").await.unwrap();
    while let Ok(Some(_)) = read_frame(&mut view.stream, MAX_MESSAGE_LEN).await {}
    assert!(client.create(&PLAIN_SHELL).await.exit.is_none());
    let missing = CreateTerminal { command: vec!["no-such".into()], directory: None, columns: 80, rows: 24 };
    assert_eq!(client.ask(Call::CreateTerminal(missing)).await.unwrap_err().code, ErrorCode::NotFound);
}
