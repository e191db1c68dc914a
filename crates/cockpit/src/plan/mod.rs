//! The creation plan: the steps that make a workspace, kept before each one begins.
//!
//! Every step may run twice: objects have fixed names, and one that is there already is the one wanted. A plan cut
//! off by `kill -9` therefore goes on where it was when the cockpit starts again, and a cancelled one is undone by
//! deleting by name and label what may be there.
//!
//! **Invariant:** short engine calls are never dropped half-way, or an object could appear after the clean-up; only
//! long ones (a build, a pull, a clone, waiting for the agent) are cut off by cancelling, and each of these leaves
//! nothing that the clean-up does not find.

mod agent_volume;
mod archive;
mod certificates;
mod clone;
mod container;
mod image;
mod job;
mod mounts;
mod network;
mod progress;
mod user;

pub use agent_volume::AgentBinary;
pub(crate) use agent_volume::ensure as ensure_agent;
pub(crate) use clone::{check_source as check_git_source, is_of_this_machine};
pub use image::{base_image_reference, build_base_image};
pub(crate) use image::{check_architecture, start_error};
pub(crate) use job::{cancelled, resume, run};
pub use progress::PlanLog;
pub(crate) use progress::note_step;

use aicockpit_engine::Subnet;
use aicockpit_protocol::EngineId;
use aicockpit_protocol::workspace::{Plan, PlanStep, Profile, Source, StepKind, StepState, WorkspaceSpec};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// What all plans of a cockpit share.
pub(crate) struct PlanResources {
    pub(crate) agent: AgentBinary,
    /// Networks that are being made now: taken, though no engine lists them yet.
    subnets: Mutex<HashSet<Subnet>>,
    /// One base image build at a time on each engine.
    builds: Mutex<HashMap<EngineId, Arc<tokio::sync::Mutex<()>>>>,
    /// One filling of the agent's volume at a time on each engine; true once done by this process.
    agent_volumes: Mutex<HashMap<EngineId, Arc<tokio::sync::Mutex<bool>>>>,
    /// What has to be added to an image so that the workspace's user is somebody in it, by image id.
    users: Mutex<HashMap<String, Arc<user::UserFiles>>>,
}

impl PlanResources {
    pub(crate) fn new(agent: AgentBinary) -> Self {
        Self {
            agent,
            subnets: Mutex::default(),
            builds: Mutex::default(),
            agent_volumes: Mutex::default(),
            users: Mutex::default(),
        }
    }
}

/// The entry of a map behind a lock, made when it is not there.
fn shared<K: std::hash::Hash + Eq + Clone, V: Default>(map: &Mutex<HashMap<K, Arc<V>>>, key: &K) -> Arc<V> {
    let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(map.entry(key.clone()).or_default())
}

/// The plan that makes a workspace of this spec, nothing done yet.
pub(crate) fn new_plan(spec: &WorkspaceSpec) -> Plan {
    const ALL: [StepKind; 8] = [
        StepKind::Image,
        StepKind::Agent,
        StepKind::Network,
        StepKind::Volume,
        StepKind::Clone,
        StepKind::Container,
        StepKind::Start,
        StepKind::Connect,
    ];
    let steps = ALL.map(|kind| PlanStep {
        kind,
        state: if is_needed(kind, spec) { StepState::Waiting } else { StepState::Skipped },
        started_ms: None,
        duration_ms: None,
        note: None,
    });
    Plan { steps: steps.to_vec(), error: None, recreates: false }
}

/// The plan that makes a container around files that are there already; without `has_files` they are fetched again.
pub(crate) fn recreation_plan(spec: &WorkspaceSpec, has_files: bool) -> Plan {
    let mut plan = Plan { recreates: true, ..new_plan(spec) };
    let clone = plan.steps.iter_mut().find(|step| step.kind == StepKind::Clone);
    if let Some(clone) = clone.filter(|step| has_files && step.state == StepState::Waiting) {
        clone.state = StepState::Done;
        clone.note = Some("its files are there".to_owned());
    }
    plan
}

fn is_needed(kind: StepKind, spec: &WorkspaceSpec) -> bool {
    match kind {
        StepKind::Network => spec.profile == Profile::Standard || clone::needs_network(spec),
        StepKind::Volume => !matches!(spec.source, Source::Folder { .. }),
        StepKind::Clone => matches!(spec.source, Source::Git { .. }),
        _ => true,
    }
}
