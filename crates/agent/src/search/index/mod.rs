//! Quick open: files by name, from memory.
//!
//! The first question about a directory starts a walk and is answered from what that found so far. Later ones are
//! answered from memory, while a new walk replaces what is too old. Files that are gone are never answered.

mod piece;
mod rank;

use super::query::walk;
use crate::files::{checked, failure};
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::search::{FindFiles, FoundFiles};
use ignore::{DirEntry, WalkState};
use piece::{Piece, PieceBuilder};
use rank::{Query, best};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Directories whose files are remembered; the one asked about least recently makes room.
const MAX_ROOTS: usize = 4;
/// Most results of one answer.
const MAX_RESULTS: u32 = 500;
/// How long the first question waits for the walk: small trees are complete by then.
const PATIENCE: Duration = Duration::from_millis(25);
/// Age at which what is known is walked anew, when someone starts a new query.
const STALE: Duration = Duration::from_secs(5);
/// A tree that takes long to walk is walked less often: at most this part of the time goes into walking.
const WALK_SHARE: u32 = 10;

/// The known files of some directories.
#[derive(Default)]
pub struct Index {
    /// Most recently used last.
    roots: Mutex<Vec<Arc<Root>>>,
}

struct Root {
    path: PathBuf,
    state: Mutex<State>,
    walked: Condvar,
}

#[derive(Default)]
struct State {
    /// What the last complete walk found; none before the first is done.
    known: Option<Vec<Arc<Piece>>>,
    /// What the present walk found so far.
    growing: Vec<Arc<Piece>>,
    walking: bool,
    finished: Option<Instant>,
    took: Duration,
    last_query: String,
}

impl Index {
    /// An index of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The files whose names match best. Results may change while [`FoundFiles::indexing`] is set.
    pub fn find(&self, request: &FindFiles) -> Result<FoundFiles, AgentError> {
        let path = checked(&request.root)?;
        let metadata = fs::metadata(path).map_err(|error| failure("look for files in", path, error))?;
        if !metadata.is_dir() {
            return Err(failure("look for files in", path, nix::errno::Errno::ENOTDIR));
        }
        let root = self.root(path);
        let (pieces, indexing) = root.pieces(&request.query);
        let indexed = pieces.iter().map(|piece| piece.len() as u64).sum();
        let limit = request.limit.clamp(1, MAX_RESULTS) as usize;
        let mut files = best(&pieces, &Query::new(&request.query), limit);
        files.retain(|file| fs::symlink_metadata(path.join(file.path.as_path())).is_ok());
        Ok(FoundFiles { files, indexed, indexing })
    }

    fn root(&self, path: &Path) -> Arc<Root> {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let root = match roots.iter().position(|root| root.path == path) {
            Some(position) => roots.remove(position),
            None => {
                if roots.len() == MAX_ROOTS {
                    roots.remove(0);
                }
                Arc::new(Root { path: path.to_owned(), state: Mutex::default(), walked: Condvar::new() })
            }
        };
        roots.push(root.clone());
        root
    }
}

impl Root {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change under the lock leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known, starting a walk where that is too old or nothing; whether more will be known soon.
    fn pieces(self: &Arc<Self>, query: &str) -> (Vec<Arc<Piece>>, bool) {
        let mut state = self.lock();
        if !state.walking && state.wants_walk(query) {
            state.walking = true;
            let root = Arc::downgrade(self);
            let path = self.path.clone();
            let started =
                thread::Builder::new().name("index".to_owned()).spawn(move || walk_tree(&root, &path));
            state.walking = started.is_ok();
        }
        query.clone_into(&mut state.last_query);
        if state.known.is_none() {
            let waiting = |state: &mut State| state.walking && state.known.is_none();
            let waited = self.walked.wait_timeout_while(state, PATIENCE, waiting);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        match &state.known {
            Some(known) => (known.clone(), false),
            None => (state.growing.clone(), state.walking),
        }
    }
}

impl State {
    fn wants_walk(&self, query: &str) -> bool {
        let Some(finished) = self.finished else { return true };
        let typing_on = !query.is_empty()
            && !self.last_query.is_empty()
            && (query.starts_with(&self.last_query) || self.last_query.starts_with(query));
        !typing_on && finished.elapsed() > STALE.max(self.took * WALK_SHARE)
    }
}

fn walk_tree(root: &Weak<Root>, path: &Path) {
    let start = Instant::now();
    walk(path).build_parallel().run(|| {
        let mut collecting = Collecting { root, path, builder: PieceBuilder::default() };
        Box::new(move |entry| collecting.visit(entry))
    });
    let Some(root) = root.upgrade() else { return };
    let mut state = root.lock();
    state.known = Some(std::mem::take(&mut state.growing));
    state.walking = false;
    state.took = start.elapsed();
    state.finished = Some(Instant::now());
    root.walked.notify_all();
}

/// What one thread of a walk found and has not handed over yet.
struct Collecting<'a> {
    root: &'a Weak<Root>,
    path: &'a Path,
    builder: PieceBuilder,
}

impl Collecting<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        let Ok(entry) = entry else { return WalkState::Continue };
        let Some(kind) = entry.file_type() else { return WalkState::Continue };
        let file = kind.is_file() || (kind.is_symlink() && entry.path().is_file());
        if file && let Ok(relative) = entry.path().strip_prefix(self.path) {
            self.builder.push(relative.as_os_str().as_bytes());
            if self.builder.is_full() && !self.hand_over() {
                return WalkState::Quit;
            }
        }
        WalkState::Continue
    }

    /// Publishes what was found; false if nobody wants it any more.
    fn hand_over(&mut self) -> bool {
        let Some(root) = self.root.upgrade() else { return false };
        if let Some(piece) = std::mem::take(&mut self.builder).build() {
            root.lock().growing.push(Arc::new(piece));
        }
        true
    }
}

impl Drop for Collecting<'_> {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
