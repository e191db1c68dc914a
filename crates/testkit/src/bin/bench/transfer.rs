//! P13: a large file into and out of a workspace.

use crate::host::Host;
use crate::peer;
use crate::report::Report;
use aicockpit_protocol::api::{DownloadFile, FsDownload, FsUpload, In, StreamEnd, UploadFile};
use aicockpit_protocol::fs::WriteCondition;
use aicockpit_protocol::{BytePath, WorkspaceId};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SIZE: u64 = 1 << 30;

/// P13.
pub(crate) async fn measure(
    host: &Host,
    workspace: &WorkspaceId,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let local = folder.path().join("large.bin");
    let mut file = tokio::fs::File::create(&local).await?;
    let mut random = tokio::fs::File::open("/dev/urandom").await?;
    let mut piece = vec![0; 1 << 20];
    random.read_exact(&mut piece).await?;
    for _ in 0..SIZE >> 20 {
        file.write_all(&piece).await?;
    }
    file.flush().await?;

    let engine = host.engine_command();
    let inside = format!("aicockpit-{workspace}:/workspace/peer.bin");
    let back = folder.path().join("back.bin");
    let (mut up, mut peer_up, mut down, mut peer_down) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        up.push(rate(upload(host, workspace, &local).await?));
        peer_up.push(rate(peer::run(engine, &["cp", &local.to_string_lossy(), &inside]).await?));
        down.push(rate(download(host, workspace, &back).await?));
        peer_down.push(rate(peer::run(engine, &["cp", &inside, &back.to_string_lossy()]).await?));
    }
    report.pair(("P13", "upload 1 GiB"), "MiB/s", &up, ("cp", &peer_up), "≥ 0.9 ×");
    report.pair(("P13", "download 1 GiB"), "MiB/s", &down, ("cp", &peer_down), "≥ 0.9 ×");
    Ok(())
}

async fn upload(host: &Host, workspace: &WorkspaceId, local: &std::path::Path) -> Result<Duration> {
    let begin = Instant::now();
    let args = UploadFile {
        path: BytePath::from("/workspace/ours.bin"),
        condition: WriteCondition::Any,
        archive: false,
    };
    let opened = host.client.call::<FsUpload>(In { workspace: workspace.clone(), args }).await?;
    let mut stream = host.client.stream(opened.stream);
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
        Some(StreamEnd::Finished { stat: Some(stat) }) if stat.size == SIZE => Ok(begin.elapsed()),
        other => bail!("the upload ended with {other:?}"),
    }
}

async fn download(host: &Host, workspace: &WorkspaceId, local: &std::path::Path) -> Result<Duration> {
    let begin = Instant::now();
    let args = DownloadFile { path: BytePath::from("/workspace/ours.bin") };
    let opened = host.client.call::<FsDownload>(In { workspace: workspace.clone(), args }).await?;
    let mut stream = host.client.stream(opened.stream);
    let mut file = tokio::fs::File::create(local).await?;
    let mut bytes = 0;
    while let Some(piece) = stream.next().await {
        bytes += piece.len() as u64;
        file.write_all(&piece).await?;
    }
    file.flush().await?;
    if bytes != SIZE {
        bail!("the download gave {bytes} bytes of {SIZE} and ended with {:?}", stream.end());
    }
    Ok(begin.elapsed())
}

fn rate(took: Duration) -> f64 {
    SIZE as f64 / (1024.0 * 1024.0) / took.as_secs_f64()
}
