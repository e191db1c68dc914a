//! Streams that are open at once, and what becomes of them when the client goes away.

use super::backend::{Backend, Left};
use super::door::{Door, Stream};
use super::{LITELLM, STRAIGHT};
use crate::memory;
use crate::report::{Report, ms};
use anyhow::{Context as _, Result, ensure};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub(super) const SIZES: [usize; 4] = [1, 32, 500, 1_000];
/// Of one that takes much more for each.
pub(super) const SIZES_OF_PEER: [usize; 3] = [1, 32, 500];
/// Between two events of a stream, where many are open.
const PACE: Duration = Duration::from_millis(200);
/// Between two tokens of a model of middling speed.
const TOKEN: Duration = Duration::from_millis(20);
/// By then the end of a request is written down.
const WRITTEN: Duration = Duration::from_secs(1);
/// How long CPU time is counted.
const COUNTED: Duration = Duration::from_secs(3);
/// Fewer events give no figure: CPU time comes in hundredths of a second.
const LEAST_EVENTS: u64 = 400;
/// How long it is waited for a connection to be closed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Clients that go away in each run.
const CUTS: usize = 10;

/// Memory and CPU time by streams.
pub(super) async fn grow(
    backend: &Backend,
    door: &Door,
    sizes: &[usize],
    what: &str,
    report: &mut Report,
) -> Result<()> {
    backend.pace(PACE);
    let process = memory::family(door.process().context("it has ended by itself")?);
    // What the first one sets up is no stream's: mostly pages of the program, and once it has ended, of the database that
    // it is written into.
    let unused = memory::pss(&process)?;
    drop(door.stream().await?);
    tokio::time::sleep(WRITTEN).await;
    let bare = memory::pss(&process)?;
    report.alone(("P10", &format!("{what}: memory that the first one sets up")), "MiB", &[bare - unused], "");
    let events = Arc::new(AtomicU64::new(0));
    let ours = sizes == SIZES;
    let (mut readers, mut memories, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for size in sizes {
        while readers.len() < *size {
            readers.push(door.stream().await?.read_on(Arc::clone(&events)));
        }
        let (begin, cpu) = (events.load(Relaxed), memory::cpu_s(&process));
        tokio::time::sleep(COUNTED).await;
        let (count, cpu) = (events.load(Relaxed) - begin, memory::cpu_s(&process) - cpu);
        let each = (memory::pss(&process)? - bare) * 1024.0 / *size as f64;
        let title = format!("{what}: memory, {size} open");
        report.alone(("P10", &title), "KiB", &[each], if ours { "≤ 64 KiB" } else { "" });
        memories.push((*size as f64, each * *size as f64));
        if count >= LEAST_EVENTS {
            costs.push((*size as f64, cpu / count as f64 * 1e6));
        }
        let wanted = *size as f64 * COUNTED.as_secs_f64() / PACE.as_secs_f64();
        if (count as f64) < wanted * 0.9 {
            report.note("P10", format!("{what}: of {size} only {count} events came of {wanted:.0}"));
        }
    }
    report.growth(("P10", &format!("{what}: memory above none, by streams")), "KiB", &memories);
    report.growth(("P10", &format!("{what}: CPU time an event, by streams")), "µs", &costs);
    for reader in readers {
        reader.abort();
    }
    Ok(())
}

/// A client that goes away: when the backend's connection is closed and when its place is free, in milliseconds.
async fn go_away(backend: &mut Backend, stream: Stream) -> Option<(f64, f64)> {
    let begin = Instant::now();
    drop(stream);
    let Left { closed, free } = backend.left(PATIENCE).await?;
    Some((ms(closed - begin), ms(free - begin)))
}

/// Through the broker and straight, in turn.
pub(super) async fn cut(
    backend: &mut Backend,
    straight: &Door,
    ours: &Door,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    backend.pace(TOKEN);
    // The first one also opens what is kept.
    go_away(backend, ours.stream().await?).await.context("the backend's connection stays open")?;
    let [mut closed, mut free, mut bare_closed, mut bare_free] = [const { Vec::new() }; 4];
    for _ in 0..runs * CUTS {
        for (door, closed, free) in
            [(ours, &mut closed, &mut free), (straight, &mut bare_closed, &mut bare_free)]
        {
            let stream = door.stream().await?;
            let times = go_away(backend, stream).await.context("the backend's connection stays open")?;
            closed.push(times.0);
            free.push(times.1);
        }
    }
    let peer = (STRAIGHT, &bare_closed[..]);
    report.pair(("P11", "client gone → backend's connection closed"), "ms", &closed, peer, "≤ 100 ms");
    let peer = (STRAIGHT, &bare_free[..]);
    report.pair(("P11", "→ place free, a token in 20 ms"), "ms", &free, peer, "≤ 1.2 ×");
    Ok(())
}

/// All clients go at once.
pub(super) async fn cut_many(backend: &mut Backend, ours: &Door, report: &mut Report) -> Result<()> {
    backend.pace(PACE);
    let mut points = Vec::new();
    for size in SIZES {
        let mut streams = Vec::with_capacity(size);
        for _ in 0..size {
            streams.push(ours.stream().await?);
        }
        let begin = Instant::now();
        drop(streams);
        let mut last = begin;
        for gone in 0..size {
            let left = backend.left(PATIENCE).await;
            let left = left.with_context(|| format!("{gone} connections of {size} were closed"))?;
            last = last.max(left.closed);
        }
        points.push((size as f64, ms(last - begin)));
    }
    report.growth(("P11", "all clients gone → last connection closed, by streams"), "ms", &points);
    Ok(())
}

/// Through LiteLLM.
pub(super) async fn cut_peer(
    backend: &mut Backend,
    proxy: &Door,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    backend.pace(TOKEN);
    ensure!(backend.left(Duration::ZERO).await.is_none(), "a connection was closed that nobody left");
    let mut closed = Vec::new();
    let count = runs.min(5);
    for _ in 0..count {
        match go_away(backend, proxy.stream().await?).await {
            Some(times) => closed.push(times.0),
            None => break,
        }
    }
    if closed.len() < count {
        let seconds = PATIENCE.as_secs();
        report.note("P11", format!("{LITELLM}: the backend's connection is still open after {seconds} s"));
    }
    if !closed.is_empty() {
        report.alone(("P11", "LiteLLM: the same"), "ms", &closed, "");
    }
    Ok(())
}
