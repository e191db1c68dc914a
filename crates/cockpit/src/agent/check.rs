//! The agent runs beside whatever the workspace runs: its messages are hostile input. What it sends is bounded and
//! cleaned here before anything else sees it.

use aicockpit_protocol::agent::{Answer, Call, Notice};
use aicockpit_protocol::fs::{FilesChanged, MAX_LISTING};
use aicockpit_protocol::port::ListeningPort;
use aicockpit_protocol::process::ProcessInfo;
use aicockpit_protocol::terminal::TerminalInfo;
use aicockpit_protocol::{ApiError, ErrorCode};
use std::collections::HashSet;

/// Largest first message, in bytes.
pub(super) const MAX_WELCOME_LEN: usize = 4096;
/// Terminals of one workspace that are shown.
const MAX_TERMINALS: usize = 1000;
/// Listening ports of one workspace that are shown.
const MAX_PORTS: usize = 1000;
/// Processes of one workspace that are shown.
const MAX_PROCESSES: usize = 10_000;
/// Changed directories told at once; with more, everything watched is read again.
pub(super) const MAX_CHANGED: usize = 4096;
/// Entries of a Git state.
const MAX_GIT_ENTRIES: usize = 20_000;
/// Results of quick open.
const MAX_FOUND: usize = 500;
/// Characters of a title, a name or a command.
const MAX_LABEL: usize = 400;
/// Bytes of a terminal's text.
/// Keys of models that programs of one agent may hold.
const MAX_KEYS: usize = 64;
const MAX_TEXT: usize = 4 * 1024 * 1024;

/// Bounds a notice.
pub(super) fn notice(notice: Notice) -> Notice {
    match notice {
        Notice::Files(changes) => Notice::Files(files(changes)),
        Notice::Terminals(list) => Notice::Terminals(terminals(list)),
        Notice::Ports(list) => Notice::Ports(ports(list)),
    }
}

/// Bounds an answer and checks that it is the kind that `call` asks for.
pub(super) fn answer(call: CallKind, answer: Answer) -> Result<Answer, ApiError> {
    let answer = match (call, answer) {
        (CallKind::Unit, Answer::Unit) => Answer::Unit,
        (CallKind::Inside, Answer::Inside(mut inside)) => {
            inside.user = label(inside.user);
            inside.shell = inside.shell.map(label);
            inside.os = inside.os.map(label);
            inside.shells.truncate(100);
            Answer::Inside(inside)
        }
        (CallKind::Stat, Answer::Stat(stat)) => Answer::Stat(stat),
        (CallKind::List, Answer::Listing(mut listing)) => {
            listing.truncated |= listing.entries.len() > MAX_LISTING;
            listing.entries.truncate(MAX_LISTING);
            // A name with a separator would lead elsewhere once joined to its directory.
            listing.entries.retain(|entry| {
                let name = entry.name.as_bytes();
                !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/')
            });
            Answer::Listing(listing)
        }
        (CallKind::Read { length }, Answer::Chunk(chunk)) if chunk.content.len() <= length as usize => {
            Answer::Chunk(chunk)
        }
        (CallKind::Trash, Answer::Trashed(trashed)) if trashed.token.len() <= MAX_LABEL => {
            Answer::Trashed(trashed)
        }
        (CallKind::Git, Answer::Git(mut state)) => {
            if let Some(state) = &mut state {
                state.entries.truncate(MAX_GIT_ENTRIES);
                state.branch = state.branch.take().map(label);
            }
            Answer::Git(state)
        }
        (CallKind::Find, Answer::Found(mut found)) => {
            found.files.truncate(MAX_FOUND);
            Answer::Found(found)
        }
        (CallKind::Replace, Answer::Replaced(outcome)) => Answer::Replaced(outcome),
        (CallKind::CreateTerminal, Answer::Terminal(info)) => Answer::Terminal(terminal(info)),
        (CallKind::Terminals, Answer::Terminals(list)) => Answer::Terminals(terminals(list)),
        (CallKind::Text, Answer::Text(text)) if text.len() <= MAX_TEXT => Answer::Text(text),
        (CallKind::Processes, Answer::Processes(list)) => Answer::Processes(processes(list)),
        (CallKind::Ports, Answer::Ports(list)) => Answer::Ports(ports(list)),
        (CallKind::Sample, Answer::Sample(sample)) => Answer::Sample(sample),
        (CallKind::OfferModels, Answer::Models(mut offered)) if offered.port != 0 => {
            offered.earlier.truncate(MAX_KEYS);
            Answer::Models(offered)
        }
        _ => {
            return Err(ApiError::new(
                ErrorCode::Protocol,
                "The workspace's agent gave an answer that does not fit the question.",
            ));
        }
    };
    Ok(answer)
}

/// What a call asks for, kept while its content is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CallKind {
    Unit,
    Inside,
    Stat,
    List,
    Read { length: u32 },
    Trash,
    Git,
    Find,
    Replace,
    CreateTerminal,
    Terminals,
    Text,
    Processes,
    Ports,
    Sample,
    OfferModels,
}

impl CallKind {
    pub(super) fn of(call: &Call) -> Self {
        match call {
            Call::Inside => Self::Inside,
            Call::Ping
            | Call::MakeDirectory(_)
            | Call::Rename(_)
            | Call::Copy(_)
            | Call::RestoreTrash(_)
            | Call::Watch(_)
            | Call::ResizeTerminal(_)
            | Call::RenameTerminal(_)
            | Call::SignalTerminal(_)
            | Call::CloseTerminal(_)
            | Call::SignalProcess(_)
            | Call::Retire => Self::Unit,
            Call::Stat(_) | Call::Write { .. } => Self::Stat,
            Call::List(_) => Self::List,
            Call::Read(read) => Self::Read { length: read.length },
            Call::Trash(_) => Self::Trash,
            Call::GitStatus(_) => Self::Git,
            Call::FindFiles(_) => Self::Find,
            Call::Replace(_) => Self::Replace,
            Call::CreateTerminal(_) => Self::CreateTerminal,
            Call::Terminals => Self::Terminals,
            Call::TerminalText(_) => Self::Text,
            Call::Processes => Self::Processes,
            Call::Ports => Self::Ports,
            Call::Sample => Self::Sample,
            Call::OfferModels(_) => Self::OfferModels,
        }
    }
}

fn files(mut changes: FilesChanged) -> FilesChanged {
    if changes.directories.len() > MAX_CHANGED {
        changes.directories.clear();
        changes.rescan = true;
    }
    changes
}

fn terminals(list: Vec<TerminalInfo>) -> Vec<TerminalInfo> {
    let mut seen = HashSet::new();
    list.into_iter().filter(|info| seen.insert(info.id)).take(MAX_TERMINALS).map(terminal).collect()
}

fn terminal(mut info: TerminalInfo) -> TerminalInfo {
    info.title = label(info.title);
    info.name = info.name.map(label);
    info
}

fn ports(list: Vec<ListeningPort>) -> Vec<ListeningPort> {
    let mut seen = HashSet::new();
    let mut list: Vec<_> = list
        .into_iter()
        .filter(|port| port.port != 0 && seen.insert(port.port))
        .take(MAX_PORTS)
        .map(|mut port| {
            port.process = port.process.map(label);
            port
        })
        .collect();
    list.sort();
    list
}

fn processes(mut list: Vec<ProcessInfo>) -> Vec<ProcessInfo> {
    list.truncate(MAX_PROCESSES);
    for process in &mut list {
        process.command = label(std::mem::take(&mut process.command));
        if !process.cpu_percent.is_finite() {
            process.cpu_percent = 0.0;
        }
    }
    list
}

/// A short text for people: no control characters (they would be obeyed by a terminal that prints them).
fn label(text: String) -> String {
    if text.len() <= MAX_LABEL && !text.chars().any(char::is_control) {
        return text;
    }
    text.chars().map(|ch| if ch.is_control() { ' ' } else { ch }).take(MAX_LABEL).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aicockpit_protocol::fs::{DirEntry, FileKind, Listing};
    use aicockpit_protocol::{BytePath, TerminalId};

    fn info(id: u32, title: &str) -> TerminalInfo {
        TerminalInfo {
            id: TerminalId(id),
            title: title.to_owned(),
            name: None,
            directory: None,
            columns: 80,
            rows: 24,
            last_status: None,
            busy: false,
            exit: None,
        }
    }

    #[test]
    fn a_flood_of_terminals_is_cut_and_doubles_are_dropped() {
        let list = (0..5000).map(|n| info(n / 2, "t")).collect();
        let Notice::Terminals(list) = notice(Notice::Terminals(list)) else { panic!("another notice") };
        assert_eq!(list.len(), MAX_TERMINALS);
        assert_eq!(list[1].id, TerminalId(1));
    }

    #[test]
    fn control_characters_do_not_reach_titles() {
        let list = terminals(vec![info(1, "a\x1b]0;b\x07c")]);
        assert_eq!(list[0].title, "a ]0;b c");
    }

    #[test]
    fn names_that_lead_out_of_their_directory_are_dropped() {
        let entry =
            |name: &str| DirEntry { name: BytePath::from(name), kind: FileKind::File, target_kind: None };
        let entries = ["../x", "..", ".", "", "a/b", "ok"].map(entry).to_vec();
        let checked =
            answer(CallKind::List, Answer::Listing(Listing { entries, truncated: false, more: false }));
        let Ok(Answer::Listing(listing)) = checked else { panic!("refused") };
        assert_eq!(listing.entries, vec![entry("ok")]);
    }

    #[test]
    fn an_answer_of_another_kind_is_refused() {
        let refused = answer(CallKind::Terminals, Answer::Unit);
        assert_eq!(refused.map_err(|error| error.code), Err(ErrorCode::Protocol));
    }
}
