//! What the cockpit remembers: SQLite, one writer thread, readers of their own.
//!
//! **Invariant:** one process owns a store (a lock on `cockpit.lock`). Terminals, files and forwards never wait for
//! the store.
//!
//! **What a reply promises.** The journal is a write-ahead log with `synchronous=NORMAL`: an acknowledged change
//! survives the end of any process, `kill -9` included, because its bytes are with the kernel. Where a person would
//! lose typed text to a power cut, the change is written by [`Store::write_durably`], which commits with
//! `synchronous=FULL`: the log is fsynced before the reply. Drafts, settings and tombstones are written so; states
//! of workspaces are not, since engines and labels hold the truth of them.

mod drafts;
mod error;
mod lock;
mod preferences;
mod schema;
mod timeline;
mod workspaces;

pub use error::StoreError;
pub use workspaces::{StoredWorkspace, Tombstone};

use crate::CockpitError;
use lock::StoreLock;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// File name of the database within the data directory.
const DATABASE_FILE: &str = "store.sqlite";
/// File that keeps the store's id beside the database: containers carry it, so that the list of workspaces can be
/// rebuilt when the database alone is lost.
const OWNER_FILE: &str = "owner";
/// Idle connections kept for readers.
const IDLE_READERS: usize = 4;
/// How long a connection waits for a lock: only a checkpoint can hold one, the writer is alone.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The store. Dropping the last handle ends the writer thread and releases the lock.
pub struct Store {
    jobs: Mutex<Option<mpsc::UnboundedSender<Job>>>,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
    readers: Arc<Readers>,
    owner: String,
    lock: Mutex<Option<StoreLock>>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens the store in `directory`, making both when they are not there, and brings it up to this version.
    ///
    /// # Errors
    /// [`CockpitError::AlreadyRunning`] when another process owns it; [`CockpitError::Store`] when it is damaged,
    /// newer than this program, or on a disk that is full or read-only.
    pub fn open(directory: &Path) -> Result<Self, CockpitError> {
        let lock = StoreLock::acquire(directory)?;
        let path = directory.join(DATABASE_FILE);
        let mut connection = open_writer(&path)?;
        let owner_path = directory.join(OWNER_FILE);
        let remembered = std::fs::read_to_string(&owner_path)
            .ok()
            .map(|text| text.trim().to_owned())
            .filter(|id| aicockpit_protocol::WorkspaceId::is_well_formed(id));
        let owner = schema::prepare(&mut connection, &path, remembered.clone())?;
        if remembered.as_ref() != Some(&owner) {
            std::fs::write(&owner_path, &owner)
                .map_err(|source| CockpitError::DataDirectory { path: owner_path, source })?;
        }
        let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    job(&mut connection);
                }
            })
            .map_err(|source| CockpitError::DataDirectory { path: directory.to_owned(), source })?;
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            writer: Mutex::new(Some(writer)),
            readers: Arc::new(Readers { path, idle: Mutex::new(Vec::new()) }),
            owner,
            lock: Mutex::new(Some(lock)),
        })
    }

    /// Random id of this store; containers carry it as a label.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Runs `change` in a transaction on the writer thread. Dropping the future does not undo a change already
    /// queued.
    ///
    /// # Errors
    /// When the change or its commit fails; nothing of it was kept then.
    pub async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.queue(false, change).await
    }

    /// As [`Store::write`], and the change is on the disk when this returns.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_durably<T: Send + 'static>(
        &self,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.queue(true, change).await
    }

    async fn queue<T: Send + 'static>(
        &self,
        durable: bool,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // The caller may be gone; the change stands all the same.
            let _ = reply.send(transact(connection, durable, change));
        });
        self.jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .ok_or(StoreError::Closed)?
            .send(job)
            .map_err(|_| StoreError::Closed)?;
        Ok(answer.await.map_err(|_| StoreError::Closed)??)
    }

    /// Runs `query` on a reader's connection.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.readers);
        let result = tokio::task::spawn_blocking(move || readers.run(query)).await;
        Ok(result.map_err(|_| StoreError::Closed)??)
    }

    /// Ends the writer once all queued changes are written, and lets another process own the directory. Later changes
    /// answer [`StoreError::Closed`].
    pub fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl Readers {
    fn run<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&self.path, flags)?;
                connection.busy_timeout(BUSY_TIMEOUT)?;
                connection
            }
        };
        let result = query(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        result
    }
}

fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(connection)
    };
    open().map_err(|source| StoreError::opening(path, source))
}

fn transact<T>(
    connection: &mut Connection,
    durable: bool,
    change: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    if durable {
        connection.pragma_update(None, "synchronous", "FULL")?;
    }
    let result = (|| {
        let transaction = connection.transaction()?;
        let value = change(&transaction)?;
        transaction.commit()?;
        Ok(value)
    })();
    if durable {
        connection.pragma_update(None, "synchronous", "NORMAL")?;
    }
    result
}

#[cfg(test)]
mod tests;
