//! The system's keyring: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.

use super::SecretError;
use keyring::{Entry, Error};
use secrecy::{ExposeSecret as _, SecretString};

/// By which the keyring knows our secrets.
const SERVICE: &str = "AiCockpit";
/// A name under which nothing is ever kept.
const PROBE: &str = "probe";
/// Keeps the file in use where a machine has a keyring that nobody can unlock, such as one reached by SSH.
const NO_KEYRING: &str = "AICOCKPIT_NO_KEYRING";

fn entry(owner: &str, name: &str) -> Result<Entry, Error> {
    Entry::new(SERVICE, &format!("{owner}/{name}"))
}

/// Whether there is a keyring that answers.
pub(super) fn is_usable(owner: &str) -> bool {
    if std::env::var_os(NO_KEYRING).is_some() {
        return false;
    }
    match entry(owner, PROBE).and_then(|entry| entry.get_password()) {
        Ok(_) | Err(Error::NoEntry) => true,
        Err(error) => {
            tracing::debug!(%error, "there is no keyring");
            false
        }
    }
}

pub(super) fn get(owner: &str, name: &str) -> Result<Option<SecretString>, SecretError> {
    match entry(owner, name)?.get_password() {
        Ok(secret) => Ok(Some(secret.into())),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn put(owner: &str, name: &str, secret: Option<&SecretString>) -> Result<(), SecretError> {
    let entry = entry(owner, name)?;
    let done = match secret {
        Some(secret) => entry.set_password(secret.expose_secret()),
        None => entry.delete_credential(),
    };
    match done {
        Err(Error::NoEntry) if secret.is_none() => Ok(()),
        done => Ok(done?),
    }
}
