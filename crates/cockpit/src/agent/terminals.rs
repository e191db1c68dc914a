//! A workspace's terminals, as its two agents tell them: the user's, and root's where one runs.

use aicockpit_protocol::TerminalId;
use aicockpit_protocol::terminal::TerminalInfo;
use std::sync::{Mutex, PoisonError};

/// Whose agent tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Whose {
    User,
    Root,
}

impl Whose {
    /// Whether a terminal of this number may be that agent's. Neither may pass its terminals off as the other's.
    pub(crate) fn may_have(self, id: TerminalId) -> bool {
        id.is_of_root() == (self == Self::Root)
    }
}

/// What was told last.
#[derive(Default)]
pub(crate) struct TerminalLists(Mutex<Lists>);

#[derive(Default)]
struct Lists {
    user: Vec<TerminalInfo>,
    root: Vec<TerminalInfo>,
}

impl Lists {
    fn all(&self) -> Vec<TerminalInfo> {
        self.user.iter().chain(&self.root).cloned().collect()
    }
}

impl TerminalLists {
    /// Takes note of all terminals of one agent; all terminals of the workspace.
    pub(crate) fn told(&self, whose: Whose, mut terminals: Vec<TerminalInfo>) -> Vec<TerminalInfo> {
        terminals.retain(|terminal| whose.may_have(terminal.id));
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match whose {
            Whose::User => lists.user = terminals,
            Whose::Root => lists.root = terminals,
        }
        lists.all()
    }

    /// Takes note that a terminal was closed; all terminals of the workspace.
    pub(crate) fn closed(&self, id: TerminalId) -> Vec<TerminalInfo> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.user.retain(|terminal| terminal.id != id);
        lists.root.retain(|terminal| terminal.id != id);
        lists.all()
    }

    /// Whether root's agent had terminals when it last told.
    pub(crate) fn has_root(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).root.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn infos(numbers: &[u32]) -> Vec<TerminalInfo> {
        let info = |number: &u32| TerminalInfo {
            id: TerminalId(*number),
            title: "sh".to_owned(),
            name: None,
            directory: None,
            columns: 80,
            rows: 24,
            last_status: None,
            busy: false,
            exit: None,
        };
        numbers.iter().map(info).collect()
    }

    #[test]
    fn both_agents_terminals_are_told_together_and_neither_speaks_for_the_other() {
        const ROOT: u32 = TerminalId::FIRST_OF_ROOT;
        let lists = TerminalLists::default();
        let ids = |all: Vec<TerminalInfo>| all.iter().map(|info| info.id.0).collect::<Vec<_>>();
        assert_eq!(ids(lists.told(Whose::User, infos(&[1, 2, ROOT + 7]))), [1, 2]);
        assert!(!lists.has_root());
        assert_eq!(ids(lists.told(Whose::Root, infos(&[ROOT, 3]))), [1, 2, ROOT]);
        assert_eq!(ids(lists.told(Whose::User, infos(&[]))), [ROOT]);
        assert!(lists.has_root());
        assert_eq!(ids(lists.closed(TerminalId(ROOT))), [0u32; 0]);
        assert!(!lists.has_root());
    }
}
