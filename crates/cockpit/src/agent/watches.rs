//! What each client watches, and the union that the agent is told.

use aicockpit_protocol::fs::WatchDirectories;
use aicockpit_protocol::{ApiError, BytePath, ErrorCode};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// Directories one client may watch in one workspace.
pub const MAX_WATCHED: usize = 4096;

#[derive(Default)]
pub(super) struct Watches(Mutex<HashMap<u64, Vec<BytePath>>>);

impl Watches {
    /// Sets one client's directories; the new union where it changed.
    pub(super) fn set(
        &self,
        client: u64,
        paths: Vec<BytePath>,
    ) -> Result<Option<WatchDirectories>, ApiError> {
        if paths.len() > MAX_WATCHED {
            return Err(ApiError::new(
                ErrorCode::InvalidArgument,
                format!("{} directories are too many to watch; the limit is {MAX_WATCHED}.", paths.len()),
            ));
        }
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = union(&clients);
        if paths.is_empty() {
            clients.remove(&client);
        } else {
            clients.insert(client, paths);
        }
        let after = union(&clients);
        Ok((before != after).then_some(WatchDirectories { paths: after }))
    }

    /// Everything watched, where anything is.
    pub(super) fn all(&self) -> Option<WatchDirectories> {
        let paths = union(&self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (!paths.is_empty()).then_some(WatchDirectories { paths })
    }
}

fn union(clients: &HashMap<u64, Vec<BytePath>>) -> Vec<BytePath> {
    let paths: BTreeSet<&BytePath> = clients.values().flatten().collect();
    paths.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_hears_of_a_change_of_the_union_only() {
        let watches = Watches::default();
        let (a, b) = (BytePath::from("/a"), BytePath::from("/b"));
        let told =
            |outcome: Result<Option<WatchDirectories>, ApiError>| outcome.unwrap().map(|all| all.paths);
        assert_eq!(told(watches.set(1, vec![a.clone()])), Some(vec![a.clone()]));
        assert_eq!(told(watches.set(2, vec![a.clone()])), None);
        assert_eq!(told(watches.set(2, vec![b.clone(), a.clone()])), Some(vec![a.clone(), b]));
        assert_eq!(told(watches.set(2, Vec::new())), Some(vec![a]));
        assert_eq!(told(watches.set(1, Vec::new())), Some(Vec::new()));
        assert_eq!(watches.all(), None);
    }
}
