//! Tells which directories changed.
//!
//! Directories are watched, not files: editors and builds replace files by rename. Changes are gathered for
//! [`GATHER`]. Where inotify has no watch left, the directory is polled; one that went away is looked for until it
//! is back or no longer asked for.

use super::error::checked;
use aicockpit_protocol::BytePath;
use aicockpit_protocol::agent::AgentError;
use aicockpit_protocol::fs::{FilesChanged, WatchDirectories};
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Config, Event, EventKind, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Changes within this time come as one message.
const GATHER: Duration = Duration::from_millis(50);
/// How often a directory that is gone is looked for.
const RETRY: Duration = Duration::from_secs(1);
/// How often a directory without an inotify watch is looked through.
const POLL: Duration = Duration::from_secs(2);

/// Watches a set of directories until it is dropped.
pub struct Watcher {
    signals: Sender<Signal>,
}

enum Signal {
    /// From notify, on its own thread.
    Event(notify::Result<Event>),
    /// The directories wanted from now on; answered once they are watched.
    Set(BTreeSet<BytePath>, Sender<()>),
    Stop,
}

impl Watcher {
    /// A watcher of nothing yet, which sends what changed to `sender`. If inotify is not to be had, it polls.
    pub fn new(sender: UnboundedSender<FilesChanged>) -> Self {
        let (signals, received) = channel();
        let state = Watched::new(sender, signals.clone());
        // Without the thread nothing receives, and `set` says so.
        let _ = thread::Builder::new().name("watch".to_owned()).spawn(move || state.run(&received));
        Self { signals }
    }

    /// Replaces the set of watched directories. A change after this returns is told.
    pub fn set(&self, request: &WatchDirectories) -> Result<(), AgentError> {
        for path in &request.paths {
            checked(path)?;
        }
        let (done, watched) = channel();
        let sent = self.signals.send(Signal::Set(request.paths.iter().cloned().collect(), done));
        sent.ok().and_then(|()| watched.recv().ok()).ok_or_else(|| {
            AgentError::new(
                aicockpit_protocol::ErrorCode::Internal,
                "cannot watch for changes: the watching thread ended".to_owned(),
            )
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.signals.send(Signal::Stop);
    }
}

/// One watched directory. Several wanted paths lead to the same one where there are links, and inotify would
/// confuse them.
struct Place {
    wanted: Vec<BytePath>,
    identity: (u64, u64),
    polled: bool,
}

struct Watched {
    sender: UnboundedSender<FilesChanged>,
    signals: Sender<Signal>,
    inotify: Option<RecommendedWatcher>,
    poll: Option<PollWatcher>,
    /// Each wanted path, with where it is watched; `None` while it is gone.
    wanted: HashMap<BytePath, Option<PathBuf>>,
    places: BTreeMap<PathBuf, Place>,
    changed: BTreeSet<BytePath>,
    rescan: bool,
}

impl Watched {
    fn new(sender: UnboundedSender<FilesChanged>, signals: Sender<Signal>) -> Self {
        let forward = signals.clone();
        let handler = move |event| drop(forward.send(Signal::Event(event)));
        Self {
            sender,
            signals,
            inotify: RecommendedWatcher::new(handler, Config::default()).ok(),
            poll: None,
            wanted: HashMap::new(),
            places: BTreeMap::new(),
            changed: BTreeSet::new(),
            rescan: false,
        }
    }

    fn run(mut self, received: &Receiver<Signal>) {
        let mut due: Option<Instant> = None;
        loop {
            if due.is_none() && (self.rescan || !self.changed.is_empty()) {
                due = Some(Instant::now() + GATHER);
            }
            let anything_lost = self.wanted.values().any(Option::is_none);
            let signal = match (due, anything_lost) {
                (Some(due), _) => received.recv_timeout(due.saturating_duration_since(Instant::now())),
                (None, true) => received.recv_timeout(RETRY),
                (None, false) => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match signal {
                Ok(Signal::Event(event)) => self.note(event),
                Ok(Signal::Set(wanted, done)) => {
                    self.set(wanted);
                    let _ = done.send(());
                }
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if due.is_none() => self.find_lost(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                due = None;
                if !self.tell() {
                    return;
                }
                self.find_lost();
            }
        }
    }

    /// Sends what was gathered; false if nobody listens.
    fn tell(&mut self) -> bool {
        let directories = std::mem::take(&mut self.changed).into_iter().collect();
        let rescan = std::mem::take(&mut self.rescan);
        self.sender.send(FilesChanged { directories, rescan }).is_ok()
    }

    fn note(&mut self, event: notify::Result<Event>) {
        let Ok(event) = event else {
            self.rescan = true;
            return;
        };
        if event.need_rescan() {
            self.rescan = true;
        }
        let goes = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => return,
            EventKind::Remove(_) => true,
            EventKind::Modify(ModifyKind::Name(mode)) => mode != RenameMode::To,
            _ => false,
        };
        for path in &event.paths {
            for directory in [path.parent(), Some(path)].into_iter().flatten() {
                if let Some(place) = self.places.get(directory) {
                    self.changed.extend(place.wanted.iter().cloned());
                }
            }
            if goes && fs::symlink_metadata(path).is_err() {
                self.lose(path);
            }
        }
    }

    /// Forgets the watches of `path` and everything below it, which went away or moved.
    fn lose(&mut self, path: &Path) {
        let below = self.places.range(path.to_owned()..).map(|(place, _)| place.clone());
        for place in below.take_while(|place| place.starts_with(path)).collect::<Vec<_>>() {
            self.release(&place);
        }
    }

    fn release(&mut self, path: &Path) {
        let Some(place) = self.places.remove(path) else { return };
        // The kernel may have dropped the watch already, together with its directory.
        match (place.polled, &mut self.poll, &mut self.inotify) {
            (true, Some(poll), _) => drop(poll.unwatch(path)),
            (false, _, Some(inotify)) => drop(inotify.unwatch(path)),
            _ => {}
        }
        for wanted in place.wanted {
            if let Some(watched) = self.wanted.get_mut(&wanted) {
                *watched = None;
            }
        }
    }

    fn set(&mut self, wanted: BTreeSet<BytePath>) {
        // A directory may have been replaced by another one of its name without an event of its own.
        let replaced = self.places.iter().filter(|(path, place)| identity(path) != Some(place.identity));
        for path in replaced.map(|(path, _)| path.clone()).collect::<Vec<_>>() {
            self.release(&path);
        }
        let unwanted = self.wanted.keys().filter(|path| !wanted.contains(*path)).cloned().collect::<Vec<_>>();
        for path in unwanted {
            let Some(Some(place)) = self.wanted.remove(&path) else { continue };
            if let Some(found) = self.places.get_mut(&place) {
                found.wanted.retain(|other| *other != path);
                if found.wanted.is_empty() {
                    self.release(&place);
                }
            }
        }
        for path in wanted {
            let watched = self.wanted.entry(path.clone()).or_insert(None).is_some();
            if !watched {
                self.watch(path);
            }
        }
    }

    fn find_lost(&mut self) {
        let lost = self.wanted.iter().filter(|(_, place)| place.is_none());
        for path in lost.map(|(path, _)| path.clone()).collect::<Vec<_>>() {
            if self.watch(path.clone()) {
                self.changed.insert(path);
            }
        }
    }

    /// Starts watching a wanted path; false where it is not there.
    fn watch(&mut self, path: BytePath) -> bool {
        let Ok(place) = fs::canonicalize(path.as_path()) else { return false };
        let Some(identity) = identity(&place) else { return false };
        if let Some(found) = self.places.get_mut(&place) {
            found.wanted.push(path.clone());
        } else {
            let Some(polled) = self.start(&place) else { return false };
            self.places.insert(place.clone(), Place { wanted: vec![path.clone()], identity, polled });
        }
        self.wanted.insert(path, Some(place));
        true
    }

    /// Watches a directory; whether it has to be polled for it, `None` where it cannot be watched at all.
    fn start(&mut self, place: &Path) -> Option<bool> {
        if let Some(inotify) = &mut self.inotify {
            match inotify.watch(place, RecursiveMode::NonRecursive) {
                Ok(()) => return Some(false),
                Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => return None,
                // Out of watches, most likely.
                Err(_) => {}
            }
        }
        if self.poll.is_none() {
            let forward = self.signals.clone();
            let handler = move |event| drop(forward.send(Signal::Event(event)));
            self.poll = PollWatcher::new(handler, Config::default().with_poll_interval(POLL)).ok();
        }
        self.poll.as_mut()?.watch(place, RecursiveMode::NonRecursive).ok().map(|()| true)
    }
}

/// Device and inode of a directory.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    fn watching(paths: &[&Path]) -> (Watcher, UnboundedReceiver<FilesChanged>) {
        let (sender, changes) = unbounded_channel();
        let watcher = Watcher::new(sender);
        watch(&watcher, paths);
        (watcher, changes)
    }

    fn watch(watcher: &Watcher, paths: &[&Path]) {
        let paths = paths.iter().map(|path| BytePath::from(*path)).collect();
        watcher.set(&WatchDirectories { paths }).unwrap();
    }

    /// Receives until `path` was told of.
    async fn told(changes: &mut UnboundedReceiver<FilesChanged>, path: &Path) {
        let wait = async {
            loop {
                let change = changes.recv().await.expect("the watcher runs");
                if change.directories.contains(&BytePath::from(path)) {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the change is told");
    }

    #[tokio::test]
    async fn changes_of_entries_and_contents_are_told_by_directory() {
        let folder = tempfile::tempdir().unwrap();
        let (sub, other) = (folder.path().join("sub"), folder.path().join("other"));
        fs::create_dir(&sub).unwrap();
        fs::create_dir(&other).unwrap();
        let (_watcher, mut changes) = watching(&[&sub]);
        fs::write(other.join("unseen"), "x").unwrap();
        fs::write(sub.join("file"), "x").unwrap();
        let change = changes.recv().await.unwrap();
        assert_eq!(change.directories, [BytePath::from(sub.as_path())]);
        assert!(!change.rescan);
        fs::write(sub.join("file"), "longer").unwrap();
        told(&mut changes, &sub).await;
        fs::remove_file(sub.join("file")).unwrap();
        told(&mut changes, &sub).await;
    }

    #[tokio::test]
    async fn reading_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "x").unwrap();
        let (_watcher, mut changes) = watching(&[folder.path()]);
        fs::read(folder.path().join("file")).unwrap();
        fs::read_dir(folder.path()).unwrap().count();
        fs::create_dir(folder.path().join("marker")).unwrap();
        told(&mut changes, folder.path()).await;
        assert!(changes.try_recv().is_err(), "only the marker was told");
    }

    #[tokio::test]
    async fn a_directory_that_comes_back_is_watched_again() {
        let folder = tempfile::tempdir().unwrap();
        let sub = folder.path().join("sub");
        fs::create_dir(&sub).unwrap();
        let (_watcher, mut changes) = watching(&[&sub]);
        fs::rename(&sub, folder.path().join("moved")).unwrap();
        told(&mut changes, &sub).await;
        fs::create_dir(&sub).unwrap();
        told(&mut changes, &sub).await;
        fs::write(sub.join("file"), "x").unwrap();
        told(&mut changes, &sub).await;
    }

    #[tokio::test]
    async fn paths_to_the_same_directory_are_each_told() {
        let folder = tempfile::tempdir().unwrap();
        let (sub, link) = (folder.path().join("sub"), folder.path().join("link"));
        fs::create_dir(&sub).unwrap();
        symlink(&sub, &link).unwrap();
        let (watcher, mut changes) = watching(&[&sub, &link]);
        fs::write(sub.join("file"), "x").unwrap();
        let change = changes.recv().await.unwrap();
        assert_eq!(change.directories, [BytePath::from(link.as_path()), BytePath::from(sub.as_path())]);
        watch(&watcher, &[&link]);
        fs::write(sub.join("file"), "y").unwrap();
        told(&mut changes, &link).await;
        watch(&watcher, &[]);
    }

    #[tokio::test]
    async fn without_inotify_directories_are_polled() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, mut changes) = unbounded_channel();
        let (signals, received) = channel();
        let mut state = Watched::new(sender, signals.clone());
        state.inotify = None;
        let running = thread::spawn(move || state.run(&received));
        let watcher = Watcher { signals };
        watch(&watcher, &[folder.path()]);
        fs::write(folder.path().join("file"), "x").unwrap();
        told(&mut changes, folder.path()).await;
        drop(watcher);
        running.join().unwrap();
    }
}
