//! K4: a terminal by the exec link, beside `kubectl exec -it`.

use super::pty::PodTerminal;
use super::{Cluster, pod};
use crate::create::first_prompt;
use crate::host::Host;
use crate::report::{Report, percentile};
use crate::terminal::{FLOOD, MAKE_TEXT, answer, answering, close, echoes, interrupt, mib_per_s, say, show};
use aicockpit_protocol::WorkspaceId;
use anyhow::Result;
use std::io::Write as _;
use std::time::Instant;

const PEER: &str = "kubectl exec -it";

/// K4.
pub(super) async fn measure(
    cluster: &Cluster,
    host: &Host,
    workspace: &WorkspaceId,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let bench = Terminals { cluster, host, workspace, pod: pod(workspace) };
    bench.echo(runs, report).await?;
    bench.interrupts(runs, report).await?;
    bench.throughput(runs.min(3), report).await
}

struct Terminals<'a> {
    cluster: &'a Cluster,
    host: &'a Host,
    workspace: &'a WorkspaceId,
    pod: String,
}

impl Terminals<'_> {
    async fn echo(&self, runs: usize, report: &mut Report) -> Result<()> {
        let (terminal, mut ours) = answering(self.host, self.workspace).await?;
        let mut theirs = PodTerminal::shell(self.cluster, &self.pod).await?;
        answer(&mut theirs).await?;
        let (mut quiet, mut peer_quiet, mut beside, mut peer_beside) = (vec![], vec![], vec![], vec![]);
        let (mut flood, mut peer_flood) = (vec![], vec![]);
        for _ in 0..runs {
            quiet.push(echoes(&mut ours).await?);
            peer_quiet.push(echoes(&mut theirs).await?);

            let (noisy, mut stream) = first_prompt(self.host, self.workspace, &["sh"]).await?;
            say(&mut stream, FLOOD).await?;
            let begin = Instant::now();
            let drain = tokio::spawn(async move {
                let mut bytes = 0;
                while let Some(piece) = stream.next().await {
                    bytes += piece.len() as u64;
                }
                bytes
            });
            beside.push(echoes(&mut ours).await?);
            close(self.host, self.workspace, noisy).await?;
            flood.push(mib_per_s(drain.await?, begin));

            let mut stream = PodTerminal::shell(self.cluster, &self.pod).await?;
            say(&mut stream, FLOOD).await?;
            let begin = Instant::now();
            let mut keys = stream.keys()?;
            let drain = tokio::spawn(stream.drain());
            peer_beside.push(echoes(&mut theirs).await?);
            keys.write_all(b"\x03exit\n")?;
            peer_flood.push(mib_per_s(drain.await?, begin));
        }
        close(self.host, self.workspace, terminal).await?;
        for (what, ours, theirs, goal) in [
            ("echo", &quiet, &peer_quiet, "≤ 5 ms"),
            ("echo beside a flood", &beside, &peer_beside, "≤ 20 ms"),
        ] {
            for (part, share, goal) in [("p50", 0.5, ""), ("p99", 0.99, goal)] {
                let of = |turns: &[Vec<f64>]| -> Vec<f64> {
                    turns.iter().map(|turn| percentile(turn, share)).collect()
                };
                let name = format!("exec link: {what}, {part} of each turn");
                report.pair(("K4", &name), "ms", &of(ours), (PEER, &of(theirs)), goal);
            }
        }
        report.pair(("K4", "exec link: that flood meanwhile"), "MiB/s", &flood, (PEER, &peer_flood), "");
        Ok(())
    }

    async fn interrupts(&self, runs: usize, report: &mut Report) -> Result<()> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let (terminal, mut flood) = first_prompt(self.host, self.workspace, &["sh"]).await?;
            ours.push(interrupt(&mut flood).await?);
            close(self.host, self.workspace, terminal).await?;
            let mut flood = PodTerminal::shell(self.cluster, &self.pod).await?;
            theirs.push(interrupt(&mut flood).await?);
        }
        let what = "exec link: Ctrl-C during a flood → prompt";
        report.pair(("K4", what), "ms", &ours, (PEER, &theirs), "≤ 100 ms");
        Ok(())
    }

    async fn throughput(&self, runs: usize, report: &mut Report) -> Result<()> {
        self.cluster.inside(self.workspace, MAKE_TEXT).await?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let (terminal, mut stream) = first_prompt(self.host, self.workspace, &["sh"]).await?;
            ours.push(show(&mut stream).await?);
            close(self.host, self.workspace, terminal).await?;
            let mut stream = PodTerminal::shell(self.cluster, &self.pod).await?;
            theirs.push(show(&mut stream).await?);
        }
        report.pair(("K4", "exec link: cat of 100 MB"), "MiB/s", &ours, (PEER, &theirs), "≥ 0.8 ×");
        Ok(())
    }
}
