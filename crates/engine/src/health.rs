//! From an engine's error to what a person is told.

use crate::{EngineError, Facts};
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

/// Says what an error of [`Engine::probe`](crate::Engine::probe) means on this machine.
pub fn diagnose(kind: EngineKind, error: &EngineError, facts: &Facts) -> Diagnosis {
    if kind == EngineKind::Kubernetes {
        return diagnose_cluster(error);
    }
    let name = name(kind);
    let socket = facts.socket.display();
    let (health, problem, remedy_command) = match error {
        EngineError::Unavailable(_) if !facts.installed && !facts.socket_exists => (
            EngineHealth::Missing,
            format!("{name} is not installed on this machine. Install it, then it appears here by itself."),
            Some(install_command(kind)),
        ),
        EngineError::Unavailable(_) => (
            EngineHealth::Stopped,
            format!("{name} is installed but does not run: nobody answers at {socket}. Start it."),
            Some(start_command(kind, facts)),
        ),
        EngineError::NotPermitted(_) if kind == EngineKind::Docker => (
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
            Some(install_command(kind)),
        ),
        EngineError::Unsupported(what) => {
            (EngineHealth::Failing, format!("{name} cannot be used here: {what}."), None)
        }
        other => (EngineHealth::Failing, format!("{name} does not work as it should: {other}."), None),
    };
    Diagnosis { health, problem, remedy_command }
}

/// A cluster is not of this machine: nothing here could start or install it.
fn diagnose_cluster(error: &EngineError) -> Diagnosis {
    let (health, problem, remedy_command) = match error {
        EngineError::Unavailable(why) => (
            EngineHealth::Stopped,
            format!(
                "The cluster does not answer: {why}. Check that this machine reaches it; this goes on by itself."
            ),
            Some("kubectl cluster-info".to_owned()),
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

fn name(kind: EngineKind) -> &'static str {
    match kind {
        EngineKind::Docker => "Docker",
        EngineKind::Podman => "Podman",
        EngineKind::Kubernetes => "Kubernetes",
    }
}

fn install_command(kind: EngineKind) -> String {
    let package = match kind {
        EngineKind::Docker => "docker.io",
        EngineKind::Podman | EngineKind::Kubernetes => "podman",
    };
    format!("sudo apt-get update && sudo apt-get install -y {package}")
}

fn start_command(kind: EngineKind, facts: &Facts) -> String {
    let desktop = facts.socket.to_string_lossy().contains("/.docker/desktop/");
    match (kind, facts.systemd, facts.of_user) {
        (EngineKind::Docker, true, _) if desktop => "systemctl --user start docker-desktop".to_owned(),
        (EngineKind::Docker, true, true) => "systemctl --user start docker".to_owned(),
        (EngineKind::Docker, true, false) => "sudo systemctl start docker".to_owned(),
        (EngineKind::Docker, false, true) => {
            "setsid dockerd-rootless.sh >/dev/null 2>&1 </dev/null &".to_owned()
        }
        (EngineKind::Docker, false, false) => "sudo service docker start".to_owned(),
        (EngineKind::Podman | EngineKind::Kubernetes, true, true) => {
            "systemctl --user enable --now podman.socket".to_owned()
        }
        (EngineKind::Podman | EngineKind::Kubernetes, true, false) => {
            "sudo systemctl enable --now podman.socket".to_owned()
        }
        (EngineKind::Podman | EngineKind::Kubernetes, false, of_user) => format!(
            "{}setsid podman system service --time=0 unix://{} >/dev/null 2>&1 </dev/null &",
            if of_user { "" } else { "sudo " },
            facts.socket.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(socket_exists: bool, installed: bool) -> Facts {
        Facts {
            socket: "/var/run/docker.sock".into(),
            socket_exists,
            installed,
            systemd: true,
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
            let diagnosis = diagnose(EngineKind::Docker, error, &facts);
            assert_eq!(diagnosis.health, health, "{error} with {facts:?}");
            let command = diagnosis.remedy_command.unwrap_or_default();
            assert!(command.contains(remedy), "{error}: {command} lacks {remedy}");
            assert!(diagnosis.problem.ends_with('.'), "a sentence: {}", diagnosis.problem);
        }
    }

    #[test]
    fn an_engine_that_answers_nonsense_is_failing_without_a_remedy() {
        let diagnosis = diagnose(EngineKind::Podman, &EngineError::Engine("500".into()), &facts(true, true));
        assert_eq!((diagnosis.health, diagnosis.remedy_command), (EngineHealth::Failing, None));
    }

    #[test]
    fn rootless_podman_is_started_by_its_user() {
        let mut facts = facts(false, true);
        facts.of_user = true;
        let command =
            diagnose(EngineKind::Podman, &EngineError::Unavailable(String::new()), &facts).remedy_command;
        assert_eq!(command.as_deref(), Some("systemctl --user enable --now podman.socket"));
    }
}
