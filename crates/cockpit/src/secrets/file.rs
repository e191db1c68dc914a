//! Secrets in a file, for machines without a keyring: encrypted with a key in a second file beside it. That keeps them
//! out of what is copied, searched or shown by accident; it does not keep them from whoever may read both files.

use super::SecretError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use rand::TryRng as _;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const FILE: &str = "secrets.json";
const KEY_FILE: &str = "secrets.key";
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
/// Only their owner may read them.
const MODE: u32 = 0o600;

/// The file. Each secret is encrypted with its name, so that none can be put in another's place.
#[derive(Debug)]
pub(super) struct SecretFile {
    path: PathBuf,
    key_path: PathBuf,
    one_at_a_time: Mutex<()>,
}

impl SecretFile {
    pub(super) fn in_directory(directory: &Path) -> Self {
        Self {
            path: directory.join(FILE),
            key_path: directory.join(KEY_FILE),
            one_at_a_time: Mutex::default(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<SecretString>, SecretError> {
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = self.read()?.remove(name) else { return Ok(None) };
        let damaged = || SecretError::Damaged(self.path.display().to_string());
        let bytes = STANDARD.decode(kept).map_err(|_| damaged())?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| damaged())?;
        let key = self.key()?.ok_or_else(damaged)?;
        let open = XChaCha20Poly1305::new(&key.into())
            .decrypt(&nonce, Payload { msg: sealed, aad: name.as_bytes() })
            .map_err(|_| damaged())?;
        String::from_utf8(open).map(|secret| Some(secret.into())).map_err(|_| damaged())
    }

    pub(super) fn put(&self, name: &str, secret: Option<&SecretString>) -> Result<(), SecretError> {
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.read()?;
        match secret {
            None if all.remove(name).is_none() => return Ok(()),
            None => {}
            Some(secret) => {
                let key = match self.key()? {
                    Some(key) => key,
                    None => self.new_key()?,
                };
                let nonce: [u8; NONCE_LEN] = self.random()?;
                let sealed = XChaCha20Poly1305::new(&key.into())
                    .encrypt(
                        &XNonce::from(nonce),
                        Payload { msg: secret.expose_secret().as_bytes(), aad: name.as_bytes() },
                    )
                    .map_err(|_| SecretError::Damaged(self.path.display().to_string()))?;
                all.insert(name.to_owned(), STANDARD.encode([&nonce[..], &sealed].concat()));
            }
        }
        let json = serde_json::to_vec_pretty(&all).map_err(|error| self.fail(&self.path, error.into()))?;
        self.replace(&self.path, &json)
    }

    fn read(&self) -> Result<BTreeMap<String, String>, SecretError> {
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|_| SecretError::Damaged(self.path.display().to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(self.fail(&self.path, error)),
        }
    }

    fn key(&self) -> Result<Option<[u8; KEY_LEN]>, SecretError> {
        match fs::read(&self.key_path) {
            Ok(bytes) => bytes
                .try_into()
                .map(Some)
                .map_err(|_| SecretError::Damaged(self.key_path.display().to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.fail(&self.key_path, error)),
        }
    }

    fn new_key(&self) -> Result<[u8; KEY_LEN], SecretError> {
        let key = self.random()?;
        self.replace(&self.key_path, &key)?;
        Ok(key)
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], SecretError> {
        let mut bytes = [0; N];
        SysRng
            .try_fill_bytes(&mut bytes)
            .map_err(|error| self.fail(&self.key_path, std::io::Error::other(error)))?;
        Ok(bytes)
    }

    /// The old contents or the new ones, also where the machine stops in between.
    fn replace(&self, path: &Path, contents: &[u8]) -> Result<(), SecretError> {
        let beside = path.with_extension("new");
        let written = (|| {
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(&beside)?;
            file.write_all(contents)?;
            file.sync_all()?;
            fs::rename(&beside, path)
        })();
        written.map_err(|error| self.fail(path, error))
    }

    fn fail(&self, path: &Path, source: std::io::Error) -> SecretError {
        SecretError::File { path: path.display().to_string(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn text(secret: Option<SecretString>) -> Option<String> {
        secret.map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn secrets_come_back_and_are_not_readable_in_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = SecretFile::in_directory(folder.path());
        assert_eq!(text(file.get("a").unwrap()), None);
        file.put("a", Some(&"sk-one".into())).unwrap();
        file.put("b", Some(&"sk-two".into())).unwrap();
        let again = SecretFile::in_directory(folder.path());
        assert_eq!(text(again.get("a").unwrap()).as_deref(), Some("sk-one"));
        for path in [&file.path, &file.key_path] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, MODE);
            let bytes = fs::read(path).unwrap();
            assert!(!bytes.windows(3).any(|part| part == b"sk-"), "{}", path.display());
        }
        again.put("a", None).unwrap();
        assert_eq!(text(again.get("a").unwrap()), None);
        assert_eq!(text(again.get("b").unwrap()).as_deref(), Some("sk-two"));
    }

    #[test]
    fn one_that_was_moved_or_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = SecretFile::in_directory(folder.path());
        file.put("a", Some(&"sk-one".into())).unwrap();
        let swapped = fs::read_to_string(&file.path).unwrap().replace("\"a\"", "\"b\"");
        fs::write(&file.path, swapped).unwrap();
        assert!(matches!(file.get("b"), Err(SecretError::Damaged(_))));
        fs::write(&file.path, b"{").unwrap();
        let error = file.get("b").unwrap_err();
        assert!(error.to_string().contains(FILE), "{error}");
    }
}
