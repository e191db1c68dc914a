//! P5: search in files, quick open, and a folder's list.

use crate::host::Host;
use crate::peers::Peers;
use crate::report::{Report, median, ms, percentile};
use aicockpit_protocol::api::{FsList, In, SearchFiles, SearchTextStart, StreamEnd};
use aicockpit_protocol::fs::ListDirectory;
use aicockpit_protocol::search::{FindFiles, FoundFiles, SearchMessage, SearchText};
use aicockpit_protocol::{BytePath, WorkspaceId};
use anyhow::{Context, Result, bail};
use std::time::{Duration, Instant};

/// Where the image has the Linux tree.
const LINUX: &str = "/usr/src/linux";
/// What is looked for: often there, in one place, and by a regular expression without regard to case.
const TEXTS: [(&str, &str, bool); 3] = [
    ("often", "mutex_lock", false),
    ("once", "ext4_mb_prefetch_fini", false),
    ("regex", "(read|write)_lock_irq\\w*", true),
];
/// What is typed into quick open, letter by letter.
const TYPED: [&str; 8] =
    ["driver", "makefile", "ext4 inode", "net/core/sock", "xfsbuf", "README", "sched_fair", "zzzq"];
/// As many as the window asks for.
const SHOWN: u32 = 100;

/// P5.
pub(crate) async fn measure(host: &Host, peers: &Peers, runs: usize, report: &mut Report) -> Result<()> {
    let Some(image) = &peers.search_image else {
        report.note("P5", "the image with the Linux tree could not be made: not measured");
        return Ok(());
    };
    let workspace = host.create_workspace_of("bench-search", image).await?;
    let bench = Search { host, workspace: &workspace };
    let measured = async {
        bench.texts(runs, report).await?;
        bench.folders(runs, report).await?;
        bench.quick_open(report).await
    };
    let measured = measured.await;
    host.delete_workspace(&workspace).await?;
    measured
}

struct Search<'a> {
    host: &'a Host,
    workspace: &'a WorkspaceId,
}

/// Of one search.
struct Searched {
    first: f64,
    last: f64,
    lines: u64,
}

impl Search<'_> {
    fn within<T: ts_rs::TS>(&self, args: T) -> In<T> {
        In { workspace: self.workspace.clone(), args }
    }

    async fn texts(&self, runs: usize, report: &mut Report) -> Result<()> {
        for (name, text, regex) in TEXTS {
            let (mut first, mut last, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
            // The first round brings the tree into memory.
            for round in 0..=runs.min(3) {
                let ours = self.text(text, regex).await?;
                let (beside, lines) = self.ripgrep(text, regex).await?;
                if ours.lines.abs_diff(lines) * 100 > lines {
                    bail!("for {text} we found {} lines, ripgrep {lines}", ours.lines);
                }
                if round > 0 {
                    first.push(ours.first);
                    last.push(ours.last);
                    theirs.push(beside);
                }
            }
            let what = format!("search Linux, {name}: last result");
            report.pair(("P5", &what), "ms", &last, ("rg in the container", &theirs), "≤ 1.15 ×");
            let goal = if name == "often" { "≤ 30 ms" } else { "" };
            report.alone(("P5", &format!("search Linux, {name}: first result")), "ms", &first, goal);
        }
        let mut growth = Vec::new();
        for folder in ["fs/ext4", "fs", "drivers"] {
            let root = format!("{LINUX}/{folder}");
            let count = self.host.inside(self.workspace, &format!("find {root} -type f | wc -l")).await?;
            let mut times = Vec::new();
            for _ in 0..3 {
                times.push(self.text_in(&root, TEXTS[0].1, false).await?.last);
            }
            growth.push((count.trim().parse()?, median(&times)));
        }
        report.growth(("P5", "search by files"), "ms", &growth);
        Ok(())
    }

    async fn text(&self, pattern: &str, regex: bool) -> Result<Searched> {
        self.text_in(LINUX, pattern, regex).await
    }

    async fn text_in(&self, root: &str, pattern: &str, regex: bool) -> Result<Searched> {
        let search = SearchText {
            root: BytePath::from(root),
            pattern: pattern.to_owned(),
            regex,
            case_sensitive: !regex,
            whole_word: false,
            include: Vec::new(),
            exclude: Vec::new(),
            include_ignored: false,
            max_matches: 100_000,
        };
        let begin = Instant::now();
        let opened = self.host.client.call::<SearchTextStart>(self.within(search)).await?;
        let mut stream = self.host.client.stream(opened.stream);
        let (mut first, mut text) = (None, Vec::new());
        while let Some(piece) = stream.next().await {
            first.get_or_insert_with(|| ms(begin.elapsed()));
            text.extend_from_slice(&piece);
        }
        let last = ms(begin.elapsed());
        if !matches!(stream.end(), Some(StreamEnd::Finished { .. })) {
            bail!("the search ended with {:?}", stream.end());
        }
        let done = text.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        match serde_json::from_slice(done)? {
            SearchMessage::Done { matches, .. } => {
                Ok(Searched { first: first.context("no result")?, last, lines: matches })
            }
            other => bail!("the search's last message is {other:?}"),
        }
    }

    /// Timed inside the container, so that the engine's exec does not count.
    async fn ripgrep(&self, text: &str, regex: bool) -> Result<(f64, u64)> {
        let how = if regex { "--ignore-case" } else { "--fixed-strings" };
        let script = format!(
            "begin=$(date +%s%N); lines=$(rg --no-require-git --line-number --no-heading {how} -- '{text}' {LINUX} | wc -l); \
             end=$(date +%s%N); echo $((end - begin)) $lines"
        );
        let answer = self.host.inside(self.workspace, &script).await?;
        let (nanoseconds, lines) = answer.trim().split_once(' ').context("no figures of rg")?;
        Ok((nanoseconds.parse::<f64>()? / 1e6, lines.parse()?))
    }

    async fn folders(&self, runs: usize, report: &mut Report) -> Result<()> {
        let mut growth = Vec::new();
        for count in [1_000, 10_000, 100_000] {
            let folder = format!("/workspace/folder-{count}");
            let script = format!(
                "mkdir {folder} && perl -e 'for (1..{count}) {{ open F, \">\", \"{folder}/Some file $_.txt\" }}'"
            );
            self.host.inside(self.workspace, &script).await?;
            let (mut ours, mut first_page, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..runs {
                let list = |first| ListDirectory { path: BytePath::from(folder.as_str()), first };
                let begin = Instant::now();
                self.host.client.call::<FsList>(self.within(list(Some(1_000)))).await?;
                first_page.push(ms(begin.elapsed()));
                let args = list(None);
                let begin = Instant::now();
                let listing = self.host.client.call::<FsList>(self.within(args)).await?;
                ours.push(ms(begin.elapsed()));
                anyhow::ensure!(listing.entries.len() == count, "{} entries came", listing.entries.len());
                let begin = Instant::now();
                self.host
                    .inside(self.workspace, &format!("ls -1p --group-directories-first {folder}"))
                    .await?;
                theirs.push(ms(begin.elapsed()));
            }
            if count == 100_000 {
                let peer = ("ls over exec", &theirs[..]);
                report.pair(
                    ("P5", "list a folder of 100,000: what the tree shows first"),
                    "ms",
                    &first_page,
                    peer,
                    "≤ 200 ms",
                );
                report.pair(("P5", "list a folder of 100,000: all"), "ms", &ours, peer, "–");
            }
            growth.push((count as f64, median(&ours)));
        }
        report.growth(("P5", "list by files of the folder"), "ms", &growth);
        Ok(())
    }

    /// Trees of the names that Linux has, of empty files: 10,000, 100,000 and 1,000,000 of them.
    async fn quick_open(&self, report: &mut Report) -> Result<()> {
        let mut growth = Vec::new();
        for count in [10_000, 100_000, 1_000_000] {
            let root = format!("/workspace/paths-{count}");
            let script = format!(
                "cd {LINUX} && find . -type f -printf '%P\\n' | perl -e '\
                 chomp(my @names = <STDIN>); my ($left, %made) = ({count}); \
                 COPY: for my $copy (1..99) {{ for (@names) {{ last COPY unless $left--; \
                 my $path = \"{root}/tree-$copy/$_\"; my $at = length(\"{root}\") - 1; \
                 while (($at = index($path, \"/\", $at + 1)) > 0) {{ my $folder = substr($path, 0, $at); \
                 mkdir $folder unless $made{{$folder}}++ }} open F, \">\", $path or die \"$path: $!\" }} }}'"
            );
            self.host.inside(self.workspace, &script).await?;
            let indexed = self.index(&root).await?;
            let mut all = Vec::new();
            for text in TYPED {
                for end in 1..=text.len() {
                    let typed = &text[..end];
                    if typed.ends_with(' ') {
                        continue;
                    }
                    all.push((typed, self.keystroke(&root, typed).await?));
                }
            }
            for letter in b'a'..=b'z' {
                let typed = char::from(letter).to_string();
                let times = [self.keystroke(&root, &typed).await?, self.keystroke(&root, &typed).await?];
                all.push(("letter", times[0].max(times[1])));
            }
            let times: Vec<f64> = all.iter().map(|(_, time)| *time).collect();
            growth.push((f64::from(count), median(&times)));
            if count == 1_000_000 {
                self.largest(&root, &all, indexed, report).await?;
            }
        }
        report.growth(("P5", "quick open by paths, median"), "ms", &growth);
        Ok(())
    }

    async fn largest(
        &self,
        root: &str,
        all: &[(&str, f64)],
        indexed: Duration,
        report: &mut Report,
    ) -> Result<()> {
        let times = |of: fn(&str) -> bool| -> Vec<f64> {
            all.iter().filter(|(typed, _)| of(typed)).map(|(_, time)| *time).collect()
        };
        let words = times(|typed| typed != "letter" && typed.len() > 1);
        report.alone(("P5", "quick open, 1 M paths: a keystroke"), "ms", &words, "≤ 30 ms");
        report.alone(("P5", "the same, p95"), "ms", &[percentile(&words, 0.95)], "≤ 30 ms");
        let letters = times(|typed| typed == "letter");
        report.alone(("P5", "quick open, 1 M paths: a single letter"), "ms", &letters, "≤ 30 ms");
        let slowest = all.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or("", |(typed, _)| typed);
        report.alone(("P5", "quick open, 1 M paths: first walk"), "ms", &[ms(indexed)], "");
        report.note("P5", format!("the slowest keystroke was the last of {slowest:?}"));
        let script = format!(
            "begin=$(date +%s%N); fdfind --type f driver {root} | head -n {SHOWN} > /dev/null; \
             end=$(date +%s%N); echo $((end - begin))"
        );
        let mut theirs = Vec::new();
        for _ in 0..3 {
            theirs.push(self.host.inside(self.workspace, &script).await?.trim().parse::<f64>()? / 1e6);
        }
        let ours: Vec<f64> =
            all.iter().filter(|(typed, _)| *typed == "driver").map(|(_, time)| *time).collect();
        report.pair(("P5", "quick open \"driver\""), "ms", &ours, ("fd, first 100", &theirs), "");
        Ok(())
    }

    /// Asks until the tree is walked.
    async fn index(&self, root: &str) -> Result<Duration> {
        let begin = Instant::now();
        while self.find(root, "").await?.indexing {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(begin.elapsed())
    }

    async fn keystroke(&self, root: &str, typed: &str) -> Result<f64> {
        let begin = Instant::now();
        self.find(root, typed).await?;
        Ok(ms(begin.elapsed()))
    }

    async fn find(&self, root: &str, query: &str) -> Result<FoundFiles> {
        let find = FindFiles { root: BytePath::from(root), query: query.to_owned(), limit: SHOWN };
        Ok(self.host.client.call::<SearchFiles>(self.within(find)).await?)
    }
}
