//! K3: one file operation by the exec link.

use super::{Cluster, pod};
use crate::files::{BATCH, EXECS, Figures, MESSAGE, Operations, SIZE};
use crate::host::Host;
use crate::peer::OpenExec;
use crate::report::{Report, median, ms, percentile};
use aicockpit_protocol::{BytePath, WorkspaceId};
use anyhow::Result;

/// K3.
pub(super) async fn measure(
    cluster: &Cluster,
    host: &Host,
    workspace: &WorkspaceId,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let path = "/workspace/bench.bin";
    let operations = Operations { host, workspace, path: BytePath::from(path) };
    operations.write(&[7; SIZE]).await?;
    let (mut stats, mut reads, mut writes) = (Figures::default(), Figures::default(), Figures::default());
    let (mut execs, mut echoes) = (Vec::new(), Figures::default());
    let pod = pod(workspace);
    let mut open =
        OpenExec::of(&mut cluster.command(&["exec", "-i", &pod, "--container=workspace", "--", "cat"]))?;
    open.round_trip(&[7; MESSAGE]).await?;
    for _ in 0..runs {
        let [mut stat, mut read, mut write, mut exec, mut echo] = [const { Vec::new() }; 5];
        for _ in 0..BATCH {
            stat.push(operations.stat().await?);
            read.push(operations.read(SIZE).await?);
            write.push(operations.write(&[7; SIZE]).await?);
        }
        for _ in 0..EXECS {
            let fresh = ["exec", &pod, "--container=workspace", "--", "stat", path];
            exec.push(ms(cluster.timed(&fresh).await?));
        }
        for _ in 0..BATCH {
            echo.push(ms(open.round_trip(&[7; MESSAGE]).await?));
        }
        stats.add(&stat);
        reads.add(&read);
        writes.add(&write);
        execs.push(median(&exec));
        echoes.add(&echo);
    }
    for (what, figures) in [("stat", &stats), ("read 4 KiB", &reads), ("write 4 KiB", &writes)] {
        let name = format!("exec link: {what}, p50 of each turn");
        report.pair(("K3", &name), "ms", &figures.medians, ("kubectl exec stat", &execs), "≤ 0.3 ms");
        let peer = ("an echo over an open kubectl exec", &echoes.medians[..]);
        report.pair(("K3", &name), "ms", &figures.medians, peer, "");
        let (ours, theirs) = (percentile(&figures.all, 0.99), percentile(&echoes.all, 0.99));
        let name = format!("exec link: {what}, p99 of all");
        report.pair(("K3", &name), "ms", &[ours], ("that echo", &[theirs]), "≤ 2 ms");
    }
    Ok(())
}
