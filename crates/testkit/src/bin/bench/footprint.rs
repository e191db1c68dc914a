//! P7: what the agent weighs.

use crate::codeserver::CodeServer;
use crate::create::first_prompt;
use crate::host::Host;
use crate::memory::{self, family, field};
use crate::peers::Peers;
use crate::report::Report;
use crate::terminal::{close, read_until, say};
use aicockpit_protocol::{TerminalId, WorkspaceId};
use anyhow::{Context, Result};
use std::time::Duration;

const TERMINALS: usize = 16;
const IDLE: Duration = Duration::from_secs(30);
/// The kernel counts a process's time in hundredths of a second.
const TICK_MS: f64 = 10.0;

/// The agent's processes inside a workspace.
struct Use {
    pss: f64,
    rss: f64,
    ticks: f64,
}

/// P7.
pub(crate) async fn measure(host: &Host, peers: &Peers, report: &mut Report) -> Result<()> {
    let program = std::env::var_os("AICOCKPIT_AGENT").context("AICOCKPIT_AGENT does not name the agent")?;
    report.alone(
        ("P7", "agent: size of the program"),
        "MB",
        &[std::fs::metadata(program)?.len() as f64 / 1e6],
        "≤ 6 MB",
    );
    let workspace = host.create_workspace("bench-footprint").await?;
    let measured = inside(host, &workspace, report).await;
    host.delete_workspace(&workspace).await?;
    measured?;
    if let Some((program, path)) = &peers.code_server {
        let server = CodeServer::start(program, path).await?;
        let pss = memory::pss(&family(server.process()));
        server.stop().await?;
        report.alone(("P7", "code-server just started, beside it: PSS"), "MiB", &[pss?], "");
    }
    Ok(())
}

async fn inside(host: &Host, workspace: &WorkspaceId, report: &mut Report) -> Result<()> {
    let bare = usage(host, workspace).await?;
    let mut terminals: Vec<TerminalId> = Vec::new();
    let mut growth = Vec::new();
    for count in [1, 4, TERMINALS] {
        while terminals.len() < count {
            terminals.push(first_prompt(host, workspace, &["sh"]).await?.0);
        }
        growth.push((count as f64, usage(host, workspace).await?.pss - bare.pss));
    }
    let empty = usage(host, workspace).await?;
    let what = format!("agent: PSS with {TERMINALS} terminals");
    report.alone(("P7", &what), "MiB", &[empty.pss], "≤ 10 MB");
    report.alone(("P7", "agent: RSS of the same"), "MiB", &[empty.rss], "");
    report.growth(("P7", "memory by terminals, above none"), "MiB", &growth);

    tokio::time::sleep(IDLE).await;
    let idle = usage(host, workspace).await?;
    let share = (idle.ticks - empty.ticks) * TICK_MS / (IDLE.as_secs_f64() * 1e3) * 100.0;
    report.alone(("P7", "agent: CPU over 30 s idle, client attached"), "% of a core", &[share], "0");

    for terminal in terminals.drain(..) {
        close(host, workspace, terminal).await?;
    }
    for _ in 0..TERMINALS {
        let (terminal, mut stream) = first_prompt(host, workspace, &["sh"]).await?;
        let line = "x".repeat(100);
        say(&mut stream, &format!("PS1=; yes {line} | head -n 20000; printf 'all-%s\\n' there\n")).await?;
        read_until(&mut stream, b"all-there").await?;
        terminals.push(terminal);
    }
    let full = usage(host, workspace).await?;
    let each = (full.pss - empty.pss) / TERMINALS as f64;
    report.alone(("P7", "agent: PSS more for a full scrollback"), "MiB", &[each], "≤ 2 MiB");
    for terminal in terminals {
        close(host, workspace, terminal).await?;
    }
    Ok(())
}

/// Asked inside, as the workspace's user: that needs no rights here, and works on every engine.
async fn usage(host: &Host, workspace: &WorkspaceId) -> Result<Use> {
    let script = "for process in /proc/[0-9]*; do case $(readlink $process/exe) in /.aicockpit/*) \
                  cat $process/smaps_rollup $process/stat;; esac; done 2>/dev/null; true";
    let text = host.inside(workspace, script).await?;
    let mut sum = Use { pss: 0.0, rss: 0.0, ticks: 0.0 };
    for line in text.lines() {
        sum.pss += field(line, "Pss:").unwrap_or(0.0);
        sum.rss += field(line, "Rss:").unwrap_or(0.0);
        if let Some((_, rest)) = line.rsplit_once(") ") {
            let numbers: Vec<&str> = rest.split(' ').collect();
            let tick = |at: usize| numbers.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
            sum.ticks += tick(11) + tick(12);
        }
    }
    anyhow::ensure!(sum.rss > 0.0, "no process of the agent was found in {workspace}");
    Ok(sum)
}
