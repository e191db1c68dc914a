//! K13: a large file and many small ones by the exec link, beside `kubectl cp`.

use super::{Cluster, pod};
use crate::host::Host;
use crate::report::{Report, ms, percentile};
use crate::transfer::{Transfer, archive_of, make_large, make_tree, rate};
use aicockpit_protocol::api::{FsMkdir, In};
use aicockpit_protocol::fs::MakeDirectory;
use aicockpit_protocol::{BytePath, WorkspaceId};
use anyhow::Result;
use std::path::Path;
use std::time::Instant;

/// A quarter of what P13 moves, for time: both sides move some 30 MiB a second.
const SIZE: u64 = 256 << 20;
const FILES: i32 = 10_000;
const IN_POD: &str = "--container=workspace";

/// K13.
pub(super) async fn measure(
    cluster: &Cluster,
    host: &Host,
    workspace: &WorkspaceId,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bench = Copies { cluster, host, workspace, transfer: Transfer { host, workspace } };
    bench.large(folder.path(), runs, report).await?;
    bench.small(folder.path(), runs, report).await
}

struct Copies<'a> {
    cluster: &'a Cluster,
    host: &'a Host,
    workspace: &'a WorkspaceId,
    transfer: Transfer<'a>,
}

impl Copies<'_> {
    async fn large(&self, folder: &Path, runs: usize, report: &mut Report) -> Result<()> {
        let (local, back) = (folder.join("large.bin"), folder.join("back.bin"));
        make_large(&local, SIZE).await?;
        let inside = format!("{}:/workspace/peer.bin", pod(self.workspace));
        let (from, to) = (local.to_string_lossy(), back.to_string_lossy());
        let (mut up, mut peer_up, mut down, mut peer_down) = (vec![], vec![], vec![], vec![]);
        let mut beside = Vec::new();
        for _ in 0..runs {
            let stop = tokio_util::sync::CancellationToken::new();
            let (took, asked) = tokio::join!(
                async {
                    let took = self.transfer.upload(&local, "/workspace/ours.bin", false).await;
                    stop.cancel();
                    took
                },
                self.transfer.ask_until(&stop)
            );
            up.push(rate(SIZE, took?));
            beside.extend(asked?);
            peer_up.push(rate(SIZE, self.cluster.timed(&["cp", IN_POD, &from, &inside]).await?));
            down.push(rate(SIZE, self.transfer.download(&back, SIZE).await?));
            peer_down.push(rate(SIZE, self.cluster.timed(&["cp", IN_POD, &inside, &to]).await?));
        }
        let (peer_up, peer_down) = (("kubectl cp", &peer_up[..]), ("kubectl cp", &peer_down[..]));
        report.pair(("K13", "exec link: upload 256 MiB"), "MiB/s", &up, peer_up, "≥ 0.9 ×");
        report.pair(("K13", "exec link: download 256 MiB"), "MiB/s", &down, peer_down, "≥ 0.9 ×");
        let p99 = percentile(&beside, 0.99);
        report.alone(("K13", "exec link: stat beside the upload, p99"), "ms", &[p99], "≤ 20 ms");
        self.cluster.inside(self.workspace, "rm -f /workspace/ours.bin /workspace/peer.bin").await.map(drop)
    }

    /// As an archive on our side: that is made while the time runs, as kubectl makes its own.
    async fn small(&self, folder: &Path, runs: usize, report: &mut Report) -> Result<()> {
        let (tree, archive) = (folder.join("tree"), folder.join("tree.tar"));
        make_tree(&tree, FILES)?;
        let from = tree.to_string_lossy();
        let inside = format!("{}:/workspace/theirs", pod(self.workspace));
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for turn in 0..runs {
            let clean = "rm -rf /workspace/ours /workspace/theirs; sync";
            self.cluster.inside(self.workspace, clean).await?;
            let args = MakeDirectory { path: BytePath::from("/workspace/ours") };
            self.host.client.call::<FsMkdir>(In { workspace: self.workspace.clone(), args }).await?;
            // Turn about: whoever comes second finds the disk busy with the first.
            if turn % 2 == 1 {
                theirs.push(ms(self.cluster.timed(&["cp", IN_POD, &from, &inside]).await?));
            }
            let begin = Instant::now();
            archive_of(&tree, &archive).await?;
            self.transfer.upload(&archive, "/workspace/ours", true).await?;
            ours.push(ms(begin.elapsed()));
            if turn % 2 == 0 {
                theirs.push(ms(self.cluster.timed(&["cp", IN_POD, &from, &inside]).await?));
            }
        }
        let count = "find /workspace/ours /workspace/theirs -type f | wc -l";
        let arrived = self.cluster.inside(self.workspace, count).await?;
        anyhow::ensure!(arrived.trim() == (FILES * 2).to_string(), "{arrived} files arrived of both sides");
        let what = "exec link: upload of 10,000 small files";
        report.pair(("K13", what), "ms", &ours, ("kubectl cp of the folder", &theirs), "≤ 1.1 ×");
        Ok(())
    }
}
