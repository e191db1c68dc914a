//! P13: a large file and many small ones into and out of a workspace, and whether the rest goes on meanwhile.

use crate::host::{Host, container};
use crate::peer;
use crate::report::{Report, ms, percentile};
use aicockpit_protocol::api::{
    DownloadFile, FsDownload, FsMkdir, FsStat, FsUpload, In, StreamEnd, UploadFile,
};
use aicockpit_protocol::fs::{MakeDirectory, Stat, WriteCondition};
use aicockpit_protocol::{BytePath, WorkspaceId};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

const SIZE: u64 = 1 << 30;
/// Between two questions beside a transfer.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// P13.
pub(crate) async fn measure(
    host: &Host,
    workspace: &WorkspaceId,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bench = Transfer { host, workspace };
    bench.large(folder.path(), runs, report).await?;
    bench.small(folder.path(), runs, report).await
}

pub(crate) struct Transfer<'a> {
    pub(crate) host: &'a Host,
    pub(crate) workspace: &'a WorkspaceId,
}

impl Transfer<'_> {
    async fn large(&self, folder: &Path, runs: usize, report: &mut Report) -> Result<()> {
        let local = folder.join("large.bin");
        make_large(&local, SIZE).await?;
        let engine = self.host.engine_command();
        let inside = format!("{}:/workspace/peer.bin", container(self.workspace));
        let back = folder.join("back.bin");
        let (from, to) = (local.to_string_lossy(), back.to_string_lossy());
        let (mut up, mut peer_up, mut down, mut peer_down) = (vec![], vec![], vec![], vec![]);
        let mut piped = Vec::new();
        let mut beside = Vec::new();
        for _ in 0..runs {
            let stop = tokio_util::sync::CancellationToken::new();
            let (took, asked) = tokio::join!(
                async {
                    let took = self.upload(&local, "/workspace/ours.bin", false).await;
                    stop.cancel();
                    took
                },
                self.ask_until(&stop)
            );
            up.push(rate(SIZE, took?));
            beside.extend(asked?);
            peer_up.push(rate(SIZE, peer::run(engine, &["cp", &from, &inside]).await?));
            piped.push(rate(SIZE, self.pipe(&local, "cat > /workspace/piped.bin").await?));
            down.push(rate(SIZE, self.download(&back, SIZE).await?));
            peer_down.push(rate(SIZE, peer::run(engine, &["cp", &inside, &to]).await?));
        }
        report.pair(("P13", "upload 1 GiB"), "MiB/s", &up, ("cp", &peer_up), "≥ 0.9 ×");
        report.pair(("P13", "upload 1 GiB"), "MiB/s", &up, ("cat over exec", &piped), "");
        report.pair(("P13", "download 1 GiB"), "MiB/s", &down, ("cp", &peer_down), "≥ 0.9 ×");
        report.alone(("P13", "stat beside the upload, p99"), "ms", &[percentile(&beside, 0.99)], "≤ 20 ms");
        let made = "rm -f /workspace/ours.bin /workspace/peer.bin /workspace/piped.bin";
        self.host.inside(self.workspace, made).await?;
        Ok(())
    }

    /// Archives of 1,000 to 100,000 files, each unpacked on arrival.
    async fn small(&self, folder: &Path, runs: usize, report: &mut Report) -> Result<()> {
        let mut growth = Vec::new();
        for count in [1_000, 10_000, 100_000] {
            let archive = folder.join(format!("{count}.tar"));
            make_archive(folder, &archive, count).await?;
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for turn in 0..if count == 100_000 { runs.min(4) } else { 1 } {
                self.host
                    .inside(
                        self.workspace,
                        // Else the first of the two would pay for what the turn before has left to be written.
                        "rm -rf /workspace/ours /workspace/theirs; mkdir /workspace/theirs; sync",
                    )
                    .await?;
                let args = MakeDirectory { path: BytePath::from("/workspace/ours") };
                self.host.client.call::<FsMkdir>(In { workspace: self.workspace.clone(), args }).await?;
                // Turn about: whoever comes second finds the disk busy with the first.
                if turn % 2 == 0 {
                    ours.push(ms(self.upload(&archive, "/workspace/ours", true).await?));
                }
                theirs.push(ms(self.pipe(&archive, "tar -C /workspace/theirs -xf -").await?));
                if turn % 2 == 1 {
                    ours.push(ms(self.upload(&archive, "/workspace/ours", true).await?));
                }
            }
            let here = "find /workspace/ours -type f | wc -l";
            let arrived = self.host.inside(self.workspace, here).await?;
            anyhow::ensure!(arrived.trim() == count.to_string(), "{arrived} files arrived of {count}");
            growth.push((f64::from(count), crate::report::median(&ours)));
            if count == 100_000 {
                let what = "upload of 100,000 small files";
                report.pair(("P13", what), "ms", &ours, ("tar over exec", &theirs), "≤ 1.1 ×");
            }
        }
        report.growth(("P13", "upload by small files"), "ms", &growth);
        Ok(())
    }

    pub(crate) async fn upload(&self, local: &Path, to: &str, archive: bool) -> Result<Duration> {
        let begin = Instant::now();
        let args = UploadFile { path: BytePath::from(to), condition: WriteCondition::Any, archive };
        let opened =
            self.host.client.call::<FsUpload>(In { workspace: self.workspace.clone(), args }).await?;
        let mut stream = self.host.client.stream(opened.stream);
        let sender = stream.sender();
        let mut file = tokio::fs::File::open(local).await?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer).await? {
                0 => break,
                count => sender.send(&buffer[..count]).await?,
            }
        }
        sender.finish().await?;
        while stream.next().await.is_some() {}
        match stream.end() {
            Some(StreamEnd::Finished { .. }) => Ok(begin.elapsed()),
            other => bail!("the upload ended with {other:?}"),
        }
    }

    /// Of what an upload has left in `/workspace/ours.bin`.
    pub(crate) async fn download(&self, local: &Path, size: u64) -> Result<Duration> {
        let begin = Instant::now();
        let args = DownloadFile { path: BytePath::from("/workspace/ours.bin") };
        let opened =
            self.host.client.call::<FsDownload>(In { workspace: self.workspace.clone(), args }).await?;
        let mut stream = self.host.client.stream(opened.stream);
        let mut file = tokio::fs::File::create(local).await?;
        let mut bytes = 0;
        while let Some(piece) = stream.next().await {
            bytes += piece.len() as u64;
            file.write_all(&piece).await?;
        }
        file.flush().await?;
        if bytes != size {
            bail!("the download gave {bytes} bytes of {size} and ended with {:?}", stream.end());
        }
        Ok(begin.elapsed())
    }

    /// A local file into a shell command inside, by the engine's own command.
    async fn pipe(&self, local: &Path, command: &str) -> Result<Duration> {
        let begin = Instant::now();
        let status = Command::new(self.host.engine_command())
            .args(["exec", "-i", &container(self.workspace), "sh", "-c", command])
            .stdin(Stdio::from(std::fs::File::open(local)?))
            .status()
            .await?;
        anyhow::ensure!(status.success(), "{command} over exec: {status}");
        Ok(begin.elapsed())
    }

    /// Asks for a file's state again and again; how long each answer took.
    pub(crate) async fn ask_until(&self, stop: &tokio_util::sync::CancellationToken) -> Result<Vec<f64>> {
        let mut times = Vec::new();
        while !stop.is_cancelled() {
            let args = Stat { path: BytePath::from("/workspace") };
            let begin = Instant::now();
            self.host.client.call::<FsStat>(In { workspace: self.workspace.clone(), args }).await?;
            times.push(ms(begin.elapsed()));
            tokio::time::sleep(ASK_EVERY).await;
        }
        Ok(times)
    }
}

/// A file that does not compress within a frame.
pub(crate) async fn make_large(path: &Path, size: u64) -> Result<()> {
    let mut file = tokio::fs::File::create(path).await?;
    let mut piece = vec![0; 1 << 20];
    tokio::fs::File::open("/dev/urandom").await?.read_exact(&mut piece).await?;
    for _ in 0..size >> 20 {
        file.write_all(&piece).await?;
    }
    Ok(file.flush().await?)
}

/// A folder of many small files.
pub(crate) fn make_tree(tree: &Path, count: i32) -> Result<()> {
    for number in 0..count {
        let directory = tree.join((number / 500).to_string());
        if number % 500 == 0 {
            std::fs::create_dir_all(&directory)?;
        }
        std::fs::write(directory.join(format!("file-{number}.txt")), format!("content of {number}\n"))?;
    }
    Ok(())
}

pub(crate) async fn archive_of(tree: &Path, archive: &Path) -> Result<Duration> {
    peer::run("tar", &["-C", &tree.to_string_lossy(), "-cf", &archive.to_string_lossy(), "."]).await
}

async fn make_archive(folder: &Path, archive: &Path, count: i32) -> Result<()> {
    let tree = folder.join("tree");
    make_tree(&tree, count)?;
    archive_of(&tree, archive).await?;
    Ok(std::fs::remove_dir_all(tree)?)
}

pub(crate) fn rate(size: u64, took: Duration) -> f64 {
    size as f64 / (1024.0 * 1024.0) / took.as_secs_f64()
}
