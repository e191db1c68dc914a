//! One model in at a time where memory asks for it: who starts, who waits and who makes room.

use super::process::Used;
use super::state::{Halt, Server, State};
use crate::estimate::Plan;
use aicockpit_protocol::local_models::{Hardware, LocalPhase};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// After this long, a server that is always in use takes no new request, so that the one that waits has its turn.
pub(super) const FAIR_WAIT: Duration = Duration::from_secs(10);

/// One that waits for memory.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Seeker {
    ticket: u64,
    since: Instant,
    plan: Plan,
}

/// What one that seeks memory does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Room {
    Start,
    /// Until something changes, or until then.
    Wait(Option<Instant>),
}

/// Memory as it would be if none of our servers ran.
pub(super) fn without_ours(
    state: &State,
    id: &str,
    hardware: &Hardware,
    used: &HashMap<u32, Used>,
) -> Hardware {
    let mut hardware = hardware.clone();
    for server in state.servers.iter().filter(|server| server.settings.id != id) {
        let anonymous = server.pid.and_then(|pid| used.get(&pid)).map_or(0, |used| used.anonymous);
        hardware.available_bytes = hardware.available_bytes.saturating_add(anonymous);
        let Some(plan) = server.holds.filter(|_| server.ready()) else { continue };
        // Which GPU holds it is not known: the fullest gets it back.
        let fullest = hardware.gpus.iter_mut().min_by_key(|gpu| gpu.free_bytes);
        if let Some(gpu) = fullest {
            gpu.free_bytes = gpu.free_bytes.saturating_add(plan.gpu_bytes).min(gpu.total_bytes);
        }
    }
    hardware.available_bytes = hardware.available_bytes.min(hardware.memory_bytes);
    hardware
}

/// Decides for the server `id`, which seeks memory for `plan`.
pub(super) fn decide(
    state: &mut State,
    id: &str,
    plan: Plan,
    hardware: &Hardware,
    used: &HashMap<u32, Used>,
) -> Room {
    let overcommit = state.settings.overcommit;
    let tickets = state.tickets;
    let Some(server) = state.server(id) else { return Room::Wait(None) };
    let seeker = *server.seeks.get_or_insert(Seeker { ticket: tickets, since: Instant::now(), plan });
    if seeker.ticket == tickets {
        state.tickets += 1;
    }
    let free = free(state, id, seeker, hardware, used);
    let lack = Lack { main: plan.main_bytes > free.main, gpu: plan.gpu_bytes > free.gpu };
    let helped = state
        .servers
        .iter()
        .any(|other| other.settings.id != id && other.holds.is_some_and(|one| lack.by(one)));
    // Where nothing of ours is in the way, the estimate may still be wrong: it is tried.
    if lack == Lack::default() || overcommit || !(helped || earlier(state, seeker)) {
        for other in &mut state.servers {
            if other.held_back.as_deref() == Some(id) {
                other.held_back = None;
            }
        }
        if let Some(server) = state.server(id) {
            server.seeks = None;
            server.holds = Some(plan);
        }
        return Room::Start;
    }
    wait(state, id, seeker, lack)
}

/// It no longer seeks.
pub(super) fn give_up(state: &mut State, id: &str) {
    for server in &mut state.servers {
        if server.held_back.as_deref() == Some(id) {
            server.held_back = None;
        }
        if server.settings.id == id {
            server.seeks = None;
        }
    }
}

fn earlier(state: &State, seeker: Seeker) -> bool {
    state.servers.iter().filter_map(|server| server.seeks).any(|other| other.ticket < seeker.ticket)
}

#[derive(Clone, Copy)]
struct Free {
    main: u64,
    gpu: u64,
}

/// What is free for one that seeks: now, and once those that came before it run instead of ours.
fn free(state: &State, id: &str, seeker: Seeker, hardware: &Hardware, used: &HashMap<u32, Used>) -> Free {
    let gpus =
        |hardware: &Hardware| hardware.gpus.iter().fold(0u64, |sum, gpu| sum.saturating_add(gpu.free_bytes));
    let whole = without_ours(state, id, hardware, used);
    let mut now = Free { main: hardware.available_bytes, gpu: gpus(hardware) };
    let mut later = Free { main: whole.available_bytes, gpu: gpus(&whole) };
    for other in state.servers.iter().filter(|other| other.settings.id != id) {
        if let Some(plan) = other.holds {
            // The kernel counts mapped files as available, although the server reads them all the time.
            let counted = other.pid.and_then(|pid| used.get(&pid)).map_or(0, |used| used.anonymous);
            now.main = now.main.saturating_sub(plan.main_bytes.saturating_sub(counted));
            if !other.ready() {
                now.gpu = now.gpu.saturating_sub(plan.gpu_bytes);
            }
        }
        if let Some(before) = other.seeks.filter(|before| before.ticket < seeker.ticket) {
            later.main = later.main.saturating_sub(before.plan.main_bytes);
            later.gpu = later.gpu.saturating_sub(before.plan.gpu_bytes);
        }
    }
    Free { main: now.main.min(later.main), gpu: now.gpu.min(later.gpu) }
}

/// What there is too little of.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Lack {
    main: bool,
    gpu: bool,
}

impl Lack {
    /// Whether the end of one with this plan helps.
    fn by(self, plan: Plan) -> bool {
        (self.main && plan.main_bytes > 0) || (self.gpu && plan.gpu_bytes > 0)
    }
}

/// True for a server that nobody would miss: requests that wait for one that is held back wait for its next life.
fn free_to_go(server: &Server) -> bool {
    server.ready() && server.uses == 0 && (server.waiters == 0 || server.held_back.is_some())
}

/// Asks the one that was longest not used to make room, or waits for one that is in use.
fn wait(state: &mut State, id: &str, seeker: Seeker, lack: Lack) -> Room {
    let first_in_line = !earlier(state, seeker);
    let mut holders: Vec<_> = state
        .servers
        .iter_mut()
        .filter(|other| other.settings.id != id && other.holds.is_some_and(|plan| lack.by(plan)))
        .collect();
    holders.sort_by_key(|other| (other.halt.is_none(), !free_to_go(other), other.last_used));
    let now = Instant::now();
    let fair = seeker.since + FAIR_WAIT;
    let mut until = None;
    let for_name = holders.first_mut().map(|other| {
        if other.halt.is_none() && first_in_line {
            if free_to_go(other) {
                other.halt = Some(Halt::MakeRoom);
            } else if now >= fair {
                other.held_back = Some(id.to_owned());
            } else {
                until = Some(fair);
            }
        }
        other.name().to_owned()
    });
    let ahead = || {
        let before =
            state.servers.iter().filter(|other| other.seeks.is_some_and(|one| one.ticket < seeker.ticket));
        before.map(|other| other.name().to_owned()).next()
    };
    let for_name = for_name.or_else(ahead).unwrap_or_default();
    if let Some(server) = state.server(id) {
        server.set(LocalPhase::Waiting { for_name });
    }
    Room::Wait(until)
}
