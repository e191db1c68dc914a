//! Prints how long searching takes, beside `rg` where there is one: `search_timings FOLDER TEXT [QUERY…]`.
//! With an empty text, it looks for files only.
#![expect(clippy::print_stdout, reason = "a program for people who measure")]

use aicockpit_agent::search::{Index, text};
use aicockpit_protocol::BytePath;
use aicockpit_protocol::search::{FindFiles, SearchMessage, SearchText};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(pattern)) = (arguments.next(), arguments.next()) else {
        println!("usage: search_timings FOLDER TEXT [QUERY...]");
        return;
    };
    if !pattern.is_empty() {
        text_search(&folder, &pattern);
    }
    quick_open(&folder, arguments);
}

fn text_search(folder: &str, pattern: &str) {
    let (mut ours, mut firsts, mut theirs, mut matches) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let (total, first, count) = search(folder, pattern);
        matches = count;
        ours.push(total);
        firsts.push(first);
        theirs.extend(ripgrep(folder, pattern));
    }
    println!(
        "text search: {matches} lines, median {:?}, first result {:?}",
        median(&mut ours),
        median(&mut firsts)
    );
    if !theirs.is_empty() {
        println!("rg:          median {:?}", median(&mut theirs));
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn search(folder: &str, pattern: &str) -> (Duration, Duration, u64) {
    let search = SearchText {
        root: BytePath::from(folder),
        pattern: pattern.to_owned(),
        regex: false,
        case_sensitive: true,
        whole_word: false,
        include: Vec::new(),
        exclude: Vec::new(),
        include_ignored: false,
        max_matches: 100_000,
    };
    let start = Instant::now();
    let (mut first, mut count) = (None, 0);
    let searched = text(&search, &AtomicBool::new(false), &mut |message| {
        first.get_or_insert_with(|| start.elapsed());
        if let SearchMessage::Done { matches, .. } = message {
            count = matches;
        }
        true
    });
    if let Err(error) = searched {
        println!("{error}");
    }
    (start.elapsed(), first.unwrap_or_default(), count)
}

fn ripgrep(folder: &str, pattern: &str) -> Option<Duration> {
    let start = Instant::now();
    let arguments = [
        "--no-require-git",
        "--no-ignore-global",
        "--line-number",
        "--column",
        "--json",
        "-F",
        "--",
        pattern,
        folder,
    ];
    Command::new("rg").args(arguments).stdout(Stdio::null()).status().ok()?;
    Some(start.elapsed())
}

fn quick_open(folder: &str, queries: impl Iterator<Item = String>) {
    let index = Index::new();
    let find = |query: &str| {
        let start = Instant::now();
        let found =
            index.find(&FindFiles { root: BytePath::from(folder), query: query.to_owned(), limit: 50 });
        (start.elapsed(), found)
    };
    let start = Instant::now();
    let indexed = loop {
        match find("").1 {
            Ok(found) if found.indexing => std::thread::sleep(Duration::from_millis(5)),
            Ok(found) => break found.indexed,
            Err(error) => return println!("{error}"),
        }
    };
    println!("quick open: {indexed} paths indexed in {:?}", start.elapsed());
    for query in queries {
        let mut times: Vec<_> = (0..ROUNDS).map(|_| find(&query).0).collect();
        let best = find(&query).1.ok().and_then(|found| found.files.into_iter().next());
        let best = best.map(|file| file.path.to_text()).unwrap_or_default();
        println!("  {query:24} median {:?}, best {best}", median(&mut times));
    }
}
