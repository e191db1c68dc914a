//! The usage ledger on what befalls a process and a disk.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a child tells its parent, and a test that cannot run says so")]

use aicockpit_broker::{End, Endpoint, Outcome, Usage, UsageLedger};
use aicockpit_protocol::usage::{RequestsQuery, UsageBy, UsageQuery, UsageStep};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// Set for the process that is killed: the file it writes.
const CHILD: &str = "AICOCKPIT_TEST_LEDGER";

fn outcome(request: String) -> Outcome {
    Outcome {
        request,
        owner: "ann".into(),
        endpoint: Endpoint::Chat,
        model: "fast".to_owned(),
        target: Some(("box".to_owned(), "qwen".into())),
        attempts: 1,
        streamed: true,
        status: Some(200),
        end: End::Complete,
        usage: Some(Usage { input_tokens: 10, output_tokens: 20, ..Usage::default() }),
        estimate: None,
        bytes: 0,
        malformed: 0,
        at: SystemTime::now(),
        cost: 0.5,
        currency: "USD".into(),
        queued: Duration::ZERO,
        before: Duration::from_millis(2),
        first_byte: Some(Duration::from_millis(100)),
        total: Duration::from_millis(500),
    }
}

fn all() -> UsageQuery {
    UsageQuery { from_ms: 0, to_ms: i64::MAX, by: UsageBy::Model, step: UsageStep::Day }
}

/// Every request that is in the ledger.
fn requests(ledger: &UsageLedger) -> Vec<String> {
    let mut all = Vec::new();
    let mut query = RequestsQuery { limit: 500, ..RequestsQuery::default() };
    loop {
        let page = ledger.requests(&query);
        let Some(last) = page.last() else { return all };
        query.before = Some(last.id);
        all.extend(page.into_iter().map(|entry| entry.request));
    }
}

/// Writes until it is killed, and says what is written.
fn write_for_ever(path: PathBuf) -> ! {
    let ledger = UsageLedger::open(Some(path));
    let mut batch = 0u64;
    loop {
        for number in 0..50 {
            ledger.note(&outcome(format!("{}-{batch}-{number}", std::process::id())));
        }
        assert!(ledger.flush());
        println!("written {}-{batch}-", std::process::id());
        std::io::stdout().flush().unwrap();
        batch += 1;
    }
}

#[test]
fn what_was_written_survives_kill_9() {
    if let Some(path) = std::env::var_os(CHILD) {
        write_for_ever(path.into());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let mut written = Vec::new();
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_was_written_survives_kill_9", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told =
            lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("written ")?.1.to_owned()));
        written.extend(told.by_ref().take(3 + round));
        // In the middle of the next one.
        child.kill().unwrap();
        written.extend(told);
        child.wait().unwrap();

        let ledger = UsageLedger::open(Some(path.clone()));
        let there = requests(&ledger);
        let unique: HashSet<&String> = there.iter().collect();
        assert_eq!(unique.len(), there.len(), "nothing is there twice");
        for batch in &written {
            for number in 0..50 {
                assert!(unique.contains(&format!("{batch}{number}")), "{batch}{number} was acknowledged");
            }
        }
        let report = ledger.report(&all(), "USD");
        assert_eq!(report.total.requests, there.len() as u64, "the sums are those of the requests");
    }
    let files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| !name.to_string_lossy().contains("broken")), "{files:?}");
}

/// A file system in memory, gone when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(path: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let options = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(path).output().unwrap();
        if !mounted.status.success() {
            println!("NOT RUN: no file system can be mounted: {}", String::from_utf8_lossy(&mounted.stderr));
            return None;
        }
        Some(Self(path.to_owned()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: what a test that failed left open must not keep it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Writes below `folder` until nothing more fits on its disk; the file that takes it all.
fn fill(folder: &Path) -> PathBuf {
    let filler = folder.join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    for piece in [1 << 16, 4096, 1] {
        let bytes = vec![b'x'; piece];
        while file.write(&bytes).is_ok_and(|count| count == piece) {}
    }
    filler
}

#[test]
fn a_full_disk_loses_nothing_until_memory_is_full_too() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Tmpfs::mount(&folder.path().join("disk"), "8m") else { return };
    let path = disk.0.join("usage.sqlite");
    let ledger = UsageLedger::open(Some(path.clone()));
    let note = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            ledger.note(&outcome(number.to_string()));
            // The queue is not what is tested.
            if number % 4000 == 0 {
                ledger.flush();
            }
        }
    };
    note(0..1000);
    assert!(ledger.flush());
    let filler = fill(&disk.0);
    // More than the log's last page takes.
    note(1000..9000);
    assert!(!ledger.flush(), "there is no room");
    let report = ledger.report(&all(), "USD");
    assert_eq!((report.total.requests, report.lost), (9000, 0), "they are told from memory");
    std::fs::remove_file(&filler).unwrap();
    assert!(ledger.flush(), "there is room again");
    assert_eq!(requests(&ledger).len(), 9000);

    let filler = fill(&disk.0);
    note(9000..25_000);
    let report = ledger.report(&all(), "USD");
    assert!(report.lost > 0 && report.lost <= 6000, "{}", report.lost);
    assert_eq!(report.total.requests, 25_000 - report.lost);
    let why = report.why_lost.unwrap();
    assert!(why.contains("full"), "{why}");
    std::fs::remove_file(&filler).unwrap();
    assert!(ledger.flush());
    let there = requests(&ledger);
    assert_eq!(there.len() as u64, 25_000 - report.lost);
    assert_eq!(there[0], "24999", "the newest are kept");
    drop(ledger);
    assert_eq!(UsageLedger::open(Some(path)).report(&all(), "USD").total.requests, 25_000 - report.lost);
}
