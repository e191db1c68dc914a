//! From an engine's error to what a person is told.

use crate::{Endpoint, EngineError, Facts};
use aicockpit_protocol::engine::{EngineHealth, EngineKind};

/// What is wrong with an engine and how to mend it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnosis {
    /// The health state.
    pub health: EngineHealth,
    /// What is wrong and what to do, one or two sentences.
    pub problem: String,
    /// A shell command that mends it, where there is one.
    pub remedy_command: Option<String>,
}

/// An engine of this machine: what can be installed and started here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Local {
    Docker,
    Podman,
}

/// Says what an error of [`Engine::probe`](crate::Engine::probe) means on this machine.
pub fn diagnose(endpoint: &Endpoint, error: &EngineError, facts: &Facts) -> Diagnosis {
    match endpoint.kind {
        EngineKind::Docker => diagnose_local(Local::Docker, error, facts),
        EngineKind::Podman => diagnose_local(Local::Podman, error, facts),
        EngineKind::Kubernetes => diagnose_cluster(&endpoint.name, error),
    }
}

fn diagnose_local(local: Local, error: &EngineError, facts: &Facts) -> Diagnosis {
    let name = match local {
        Local::Docker => "Docker",
        Local::Podman => "Podman",
    };
    let socket = facts.socket.display();
    let (health, problem, remedy_command) = match error {
        EngineError::Unavailable(_) if !facts.installed && !facts.socket_exists => (
            EngineHealth::Missing,
            format!("{name} is not installed on this machine. Install it, then it appears here by itself."),
            Some(install_command(local)),
        ),
        EngineError::Unavailable(_) => (
            EngineHealth::Stopped,
            format!("{name} is installed but does not run: nobody answers at {socket}. Start it."),
            Some(start_command(local, facts)),
        ),
        EngineError::NotPermitted(_) if local == Local::Docker => (
            EngineHealth::NotPermitted,
            format!(
                "Your user may not use {name}'s socket {socket}. Add it to the docker group, then sign out and in \
                 again."
            ),
            Some("sudo usermod -aG docker $USER".to_owned()),
        ),
        EngineError::NotPermitted(_) => (
            EngineHealth::NotPermitted,
            format!("Your user may not use {name}'s socket {socket}. Use rootless Podman instead."),
            Some("systemctl --user enable --now podman.socket".to_owned()),
        ),
        EngineError::TooOld { found, needed } => (
            EngineHealth::TooOld,
            format!("{name} is version {found}; at least {needed} is needed. Update it."),
            Some(install_command(local)),
        ),
        EngineError::Unsupported(what) => {
            (EngineHealth::Failing, format!("{name} cannot be used here: {what}."), None)
        }
        other => (EngineHealth::Failing, format!("{name} does not work as it should: {other}."), None),
    };
    Diagnosis { health, problem, remedy_command }
}

/// A cluster is not of this machine: nothing here could start or install it.
fn diagnose_cluster(context: &str, error: &EngineError) -> Diagnosis {
    let (health, problem, remedy_command) = match error {
        EngineError::Unavailable(why) => (
            EngineHealth::Stopped,
            format!(
                "The cluster does not answer: {why}. Check that this machine reaches it; this goes on by itself."
            ),
            Some(format!("kubectl --context {} cluster-info", quoted(context))),
        ),
        EngineError::NotPermitted(why) => {
            (EngineHealth::NotPermitted, format!("The cluster refuses: {why}."), None)
        }
        EngineError::TooOld { found, needed } => (
            EngineHealth::TooOld,
            format!("The cluster is version {found}; at least {needed} is needed."),
            None,
        ),
        EngineError::Unsupported(what) => {
            (EngineHealth::Failing, format!("The cluster cannot be used: {what}."), None)
        }
        other => (EngineHealth::Failing, format!("The cluster does not work as it should: {other}."), None),
    };
    Diagnosis { health, problem, remedy_command }
}

/// A word for a shell. Contexts may be called anything.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn install_command(local: Local) -> String {
    let package = match local {
        Local::Docker => "docker.io",
        Local::Podman => "podman",
    };
    format!("sudo apt-get update && sudo apt-get install -y {package}")
}

fn start_command(local: Local, facts: &Facts) -> String {
    let desktop = facts.socket.to_string_lossy().contains("/.docker/desktop/");
    match (local, facts.systemd, facts.of_user) {
        (Local::Docker, true, _) if desktop => "systemctl --user start docker-desktop".to_owned(),
        (Local::Docker, true, true) => "systemctl --user start docker".to_owned(),
        (Local::Docker, true, false) => "sudo systemctl start docker".to_owned(),
        (Local::Docker, false, true) => "setsid dockerd-rootless.sh >/dev/null 2>&1 </dev/null &".to_owned(),
        (Local::Docker, false, false) => "sudo service docker start".to_owned(),
        (Local::Podman, true, true) => "systemctl --user enable --now podman.socket".to_owned(),
        (Local::Podman, true, false) => "sudo systemctl enable --now podman.socket".to_owned(),
        (Local::Podman, false, of_user) => format!(
            "{}setsid podman system service --time=0 unix://{} >/dev/null 2>&1 </dev/null &",
            if of_user { "" } else { "sudo " },
            facts.socket.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aicockpit_protocol::EngineId;

    fn facts(socket_exists: bool, installed: bool) -> Facts {
        Facts {
            socket: "/var/run/docker.sock".into(),
            socket_exists,
            installed,
            systemd: true,
            of_user: false,
        }
    }

    fn endpoint(kind: EngineKind, name: &str) -> Endpoint {
        Endpoint {
            id: EngineId::new("engine"),
            kind,
            name: name.to_owned(),
            address: String::new(),
            of_user: false,
        }
    }

    #[test]
    fn every_cause_has_its_state_and_remedy() {
        let unavailable = EngineError::Unavailable("refused".into());
        let not_permitted = EngineError::NotPermitted("socket".into());
        let old = EngineError::TooOld { found: "19.03".into(), needed: "20.10".into() };
        let cases = [
            (&unavailable, facts(false, false), EngineHealth::Missing, "apt-get install -y docker.io"),
            (&unavailable, facts(false, true), EngineHealth::Stopped, "sudo systemctl start docker"),
            (&unavailable, facts(true, true), EngineHealth::Stopped, "sudo systemctl start docker"),
            (&not_permitted, facts(true, true), EngineHealth::NotPermitted, "usermod -aG docker $USER"),
            (&old, facts(true, true), EngineHealth::TooOld, "apt-get install"),
        ];
        for (error, facts, health, remedy) in cases {
            let diagnosis = diagnose(&endpoint(EngineKind::Docker, "Docker"), error, &facts);
            assert_eq!(diagnosis.health, health, "{error} with {facts:?}");
            let command = diagnosis.remedy_command.unwrap_or_default();
            assert!(command.contains(remedy), "{error}: {command} lacks {remedy}");
            assert!(diagnosis.problem.ends_with('.'), "a sentence: {}", diagnosis.problem);
        }
    }

    #[test]
    fn an_engine_that_answers_nonsense_is_failing_without_a_remedy() {
        let podman = endpoint(EngineKind::Podman, "Podman");
        let diagnosis = diagnose(&podman, &EngineError::Engine("500".into()), &facts(true, true));
        assert_eq!((diagnosis.health, diagnosis.remedy_command), (EngineHealth::Failing, None));
    }

    #[test]
    fn rootless_podman_is_started_by_its_user() {
        let mut facts = facts(false, true);
        facts.of_user = true;
        let podman = endpoint(EngineKind::Podman, "Podman");
        let command = diagnose(&podman, &EngineError::Unavailable(String::new()), &facts).remedy_command;
        assert_eq!(command.as_deref(), Some("systemctl --user enable --now podman.socket"));
    }

    #[test]
    fn a_cluster_is_looked_at_by_its_own_context() {
        let unavailable = EngineError::Unavailable("connection refused".into());
        for (context, named) in [
            ("arn:aws:eks:eu-1:12:cluster/lab", "arn:aws:eks:eu-1:12:cluster/lab"),
            ("me@home", "me@home"),
            ("it's $mine", r"'it'\''s $mine'"),
        ] {
            let cluster = endpoint(EngineKind::Kubernetes, context);
            let diagnosis = diagnose(&cluster, &unavailable, &Facts::default());
            assert_eq!(diagnosis.health, EngineHealth::Stopped);
            let command = diagnosis.remedy_command;
            assert_eq!(command, Some(format!("kubectl --context {named} cluster-info")));
        }
    }
}
