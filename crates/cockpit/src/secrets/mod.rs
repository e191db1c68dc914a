//! Secrets of the person, such as keys of model providers: in the system's keyring, where this machine has one, else
//! in an encrypted file.
//!
//! **Invariant:** a secret is never in the store, in a log, or told to a client.

mod file;
mod system;

use file::SecretFile;
use secrecy::SecretString;
use std::path::Path;
use std::sync::OnceLock;

/// Why a secret could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// The system's keyring refused.
    #[error("the system's keyring: {0}")]
    Keyring(#[from] keyring::Error),
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file's contents are not ours, or were changed.
    #[error("{0} is damaged, or its key is another one; give the secrets again")]
    Damaged(String),
}

/// Where secrets are kept. Its functions block: the keyring may ask the person to unlock it.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// Of this store: another one's secrets are not ours.
    owner: String,
    file: SecretFile,
    keyring: OnceLock<bool>,
}

impl Secrets {
    /// Secrets of the store `owner`, whose files are in `directory`. Nothing is opened yet.
    pub(crate) fn new(owner: &str, directory: &Path) -> Self {
        Self { owner: owner.to_owned(), file: SecretFile::in_directory(directory), keyring: OnceLock::new() }
    }

    /// Whether the system's keyring is used.
    pub(crate) fn uses_keyring(&self) -> bool {
        *self.keyring.get_or_init(|| {
            let usable = system::is_usable(&self.owner);
            tracing::info!(keyring = usable, "secrets");
            usable
        })
    }

    /// A secret; nothing where none is kept under this name. One that was kept in the file, before there was a keyring,
    /// is found there.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub(crate) fn get(&self, name: &str) -> Result<Option<SecretString>, SecretError> {
        if self.uses_keyring()
            && let Some(secret) = system::get(&self.owner, name)?
        {
            return Ok(Some(secret));
        }
        self.file.get(name)
    }

    /// Keeps a secret, or forgets it.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub(crate) fn put(&self, name: &str, secret: Option<&SecretString>) -> Result<(), SecretError> {
        if !self.uses_keyring() {
            return self.file.put(name, secret);
        }
        system::put(&self.owner, name, secret)?;
        // Else an older one there would come back with the keyring's going.
        self.file.put(name, None)
    }
}
