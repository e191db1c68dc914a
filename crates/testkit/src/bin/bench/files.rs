//! P3: one file operation, from the client to the disk and back.

use crate::host::Host;
use crate::peer;
use crate::report::{Report, ms, percentile};
use aicockpit_protocol::api::{FsRead, FsStat, FsWrite, In};
use aicockpit_protocol::fs::{ReadFile, Stat, WriteCondition, WriteFile};
use aicockpit_protocol::{BytePath, WorkspaceId};
use anyhow::Result;
use std::time::Instant;

const ROUNDS: usize = 2000;

/// P3.
pub(crate) async fn measure(host: &Host, workspace: &WorkspaceId, report: &mut Report) -> Result<()> {
    let path = BytePath::from("/workspace/bench.bin");
    let content = vec![7_u8; 4096];
    let write = || In {
        workspace: workspace.clone(),
        args: WriteFile { path: path.clone(), condition: WriteCondition::Any, create_parents: false },
    };
    let stat = || In { workspace: workspace.clone(), args: Stat { path: path.clone() } };
    let read = || In {
        workspace: workspace.clone(),
        args: ReadFile { path: path.clone(), offset: 0, length: 4096 },
    };
    host.client.call_with::<FsWrite>(write(), &content).await?;

    let (mut stats, mut reads, mut writes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        host.client.call::<FsStat>(stat()).await?;
        stats.push(ms(begin.elapsed()));
        let begin = Instant::now();
        host.client.call_with::<FsRead>(read(), &[]).await?;
        reads.push(ms(begin.elapsed()));
        let begin = Instant::now();
        host.client.call_with::<FsWrite>(write(), &content).await?;
        writes.push(ms(begin.elapsed()));
    }
    let mut fresh = Vec::new();
    let container = format!("aicockpit-{workspace}");
    for _ in 0..15 {
        fresh.push(ms(peer::run(host.engine_command(), &["exec", &container, "true"]).await?));
    }
    for (what, values) in [("stat", &stats), ("read 4 KiB", &reads), ("write 4 KiB", &writes)] {
        report.pair(
            ("P3", &format!("{what}, p50")),
            "ms",
            &[percentile(values, 0.5)],
            ("fresh exec", &[percentile(&fresh, 0.5)]),
            "≤ 0.3 ms",
        );
        report.alone(("P3", &format!("{what}, p99")), "ms", &[percentile(values, 0.99)], "≤ 2 ms");
    }
    Ok(())
}
