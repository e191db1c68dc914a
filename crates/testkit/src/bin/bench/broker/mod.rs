//! P10 and P11: what the broker costs, beside the backend asked directly and beside LiteLLM's proxy.
//!
//! One machine runs all: the generator, the backend and who is between. The backend answers from a script.

mod backend;
mod door;
mod load;
mod streams;

use crate::peers::Peers;
use crate::report::{Report, median};
use anyhow::Result;
use backend::Backend;
use door::Door;
use load::{CONNECTIONS, Figures, Wrk};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Seconds of one run of the generator.
const SECONDS: u32 = 4;
/// Of saturation, where latency is measured.
const SHARE: f64 = 0.3;

/// The peer's name in the report.
const LITELLM: &str = "LiteLLM";
const STRAIGHT: &str = "straight";
const OURS: &str = "ours";

/// Each stream takes two descriptors here, and many systems allow 1,024 until they are asked for more.
fn more_descriptors() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

/// P10.
pub(crate) async fn measure(peers: &Peers, runs: usize, report: &mut Report) -> Result<()> {
    more_descriptors()?;
    let backend = Backend::start()?;
    if crate::peer::output("sh", &["-c", "command -v wrk"]).await.is_err() {
        report.note("P10", "no program wrk: neither requests a second nor latency measured");
    } else {
        requests(&backend, peers, runs, report).await?;
    }
    let ours = Door::broker(&backend).await?;
    streams::grow(&backend, &ours, &streams::SIZES, "a stream", report).await?;
    drop(ours);
    if let Some(proxy) = litellm("P10", &backend, peers, report).await {
        streams::grow(&backend, &proxy, &streams::SIZES_OF_PEER, "LiteLLM: a stream", report).await?;
    }
    Ok(())
}

/// P11.
pub(crate) async fn measure_cuts(peers: &Peers, runs: usize, report: &mut Report) -> Result<()> {
    more_descriptors()?;
    let mut backend = Backend::start()?;
    let (straight, ours) = (Door::straight(&backend), Door::broker(&backend).await?);
    streams::cut(&mut backend, &straight, &ours, runs, report).await?;
    streams::cut_many(&mut backend, &ours, report).await?;
    if let Some(proxy) = litellm("P11", &backend, peers, report).await {
        streams::cut_peer(&mut backend, &proxy, runs, report).await?;
    }
    Ok(())
}

/// LiteLLM's proxy, where it is installed and starts.
async fn litellm(aim: &'static str, backend: &Backend, peers: &Peers, report: &mut Report) -> Option<Door> {
    let Some(folder) = &peers.litellm else {
        report.note(aim, "LiteLLM is not installed: not measured beside it");
        return None;
    };
    match Door::litellm(backend, folder).await {
        Ok(door) => Some(door),
        Err(error) => {
            report.note(aim, format!("not measured beside LiteLLM: {error:#}"));
            None
        }
    }
}

/// Runs of the generator, by what is wanted of them.
fn all(figures: &[Figures], of: impl Fn(&Figures) -> f64) -> Vec<f64> {
    figures.iter().map(of).collect()
}

async fn requests(backend: &Backend, peers: &Peers, runs: usize, report: &mut Report) -> Result<()> {
    let wrk = Wrk::new()?;
    let (straight, ours) = (Door::straight(backend), Door::broker(backend).await?);
    let proxy = litellm("P10", backend, peers, report).await;
    // What is set up by the first requests is no figure.
    for door in [Some(&straight), Some(&ours), proxy.as_ref()].into_iter().flatten() {
        wrk.saturate(door, CONNECTIONS, 1).await?;
    }
    let [mut bare, mut through, mut beside] = [const { Vec::new() }; 3];
    for _ in 0..runs {
        bare.push(wrk.saturate(&straight, CONNECTIONS, SECONDS).await?);
        through.push(wrk.saturate(&ours, CONNECTIONS, SECONDS).await?);
        if let Some(proxy) = &proxy {
            beside.push(wrk.saturate(proxy, CONNECTIONS, SECONDS).await?);
        }
    }
    let per_second = |figures: &[Figures]| all(figures, |run| run.per_second);
    let what = format!("requests/s at saturation, {CONNECTIONS} connections");
    report.pair(("P10", &what), "/s", &per_second(&through), (STRAIGHT, &per_second(&bare)), "");
    let cpu = |figures: &[Figures]| all(figures, |run| run.cpu_ms);
    if proxy.is_some() {
        report.pair(("P10", "the same"), "/s", &per_second(&through), (LITELLM, &per_second(&beside)), "");
        let peer = (LITELLM, &cpu(&beside)[..]);
        report.pair(("P10", "CPU time a request, at saturation"), "ms", &cpu(&through), peer, "≤ 0.05 ×");
    } else {
        report.alone(("P10", "CPU time a request, at saturation"), "ms", &cpu(&through), "");
    }
    let calm = Calm { wrk: &wrk, straight: &straight, runs };
    let figures = calm.beside(&ours, median(&per_second(&through)) * SHARE, OURS, report).await?;
    report.alone(("P10", "CPU time a request, at that rate"), "ms", &cpu(&figures), "");
    if let Some(proxy) = &proxy {
        let rate = median(&per_second(&beside)) * SHARE;
        let figures = calm.beside(proxy, rate, LITELLM, report).await?;
        report.alone(("P10", "LiteLLM: CPU time a request, at that rate"), "ms", &cpu(&figures), "");
    }
    Ok(())
}

/// Latency where nothing is full.
struct Calm<'a> {
    wrk: &'a Wrk,
    straight: &'a Door,
    runs: usize,
}

impl Calm<'_> {
    /// The backend by itself and one who stands before it, in turn: at the same rate, and with a single connection.
    async fn beside(
        &self,
        door: &Door,
        per_second: f64,
        name: &str,
        report: &mut Report,
    ) -> Result<Vec<Figures>> {
        let [mut bare, mut through, mut bare_one, mut through_one] = [const { Vec::new() }; 4];
        for _ in 0..self.runs {
            bare.push(self.wrk.at_rate(self.straight, per_second, SECONDS).await?);
            through.push(self.wrk.at_rate(door, per_second, SECONDS).await?);
            bare_one.push(self.wrk.saturate(self.straight, 1, SECONDS).await?);
            through_one.push(self.wrk.saturate(door, 1, SECONDS).await?);
        }
        let per_second = |figures: &[Figures]| median(&all(figures, |run| run.per_second));
        report.note(
            "P10",
            format!(
                "{name} at a rate: {:.0} requests/s from {CONNECTIONS} connections with random pauses, which wrk \
                 counts in whole milliseconds, so that some come at once; with one connection, each after the \
                 other: {:.0}/s",
                per_second(&through),
                per_second(&through_one)
            ),
        );
        latencies(&format!("{name}, at 30 %"), name == OURS, &bare, &through, report);
        latencies(&format!("{name}, one connection"), name == OURS, &bare_one, &through_one, report);
        Ok(through)
    }
}

fn latencies(name: &str, aimed: bool, bare: &[Figures], through: &[Figures], report: &mut Report) {
    let p50 = [all(through, |run| run.p50_ms), all(bare, |run| run.p50_ms)];
    let p99 = [all(through, |run| run.p99_ms), all(bare, |run| run.p99_ms)];
    for (which, [with, without], goal) in [("p50", p50, "≤ 0.2 ms"), ("p99", p99, "≤ 1 ms")] {
        let added: Vec<f64> = with.iter().zip(&without).map(|(with, without)| with - without).collect();
        report.pair(("P10", &format!("{name}: {which}")), "ms", &with, (STRAIGHT, &without), "");
        let goal = if aimed { goal } else { "" };
        report.alone(("P10", &format!("{name}: added to {which}")), "ms", &added, goal);
    }
}
