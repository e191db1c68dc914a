//! Keys of our own door. Only their hashes are kept: who reads our memory or store finds nothing to sign in with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use subtle::ConstantTimeEq as _;

/// What every key begins with, so that people and scanners of secrets know it.
pub const PREFIX: &str = "aic-";

type Digest = [u8; 32];

/// Keys and whom they belong to. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<RwLock<HashMap<Digest, Arc<str>>>>);

/// Keys that somebody else keeps.
#[derive(Clone, Debug)]
pub(crate) struct WeakKeys(Weak<RwLock<HashMap<Digest, Arc<str>>>>);

impl WeakKeys {
    pub(crate) fn get(&self) -> Option<Keys> {
        self.0.upgrade().map(Keys)
    }
}

impl Keys {
    /// Makes a key of 256 random bits for `owner`. It is told this once.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn issue(&self, owner: &str) -> std::io::Result<String> {
        let mut bits = [0; 32];
        SysRng.try_fill_bytes(&mut bits).map_err(std::io::Error::other)?;
        let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits));
        self.admit(owner, &key);
        Ok(key)
    }

    /// Lets a key in that was made elsewhere, for instance one kept in a file.
    pub fn admit(&self, owner: &str, key: &str) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(digest(key), owner.into());
    }

    /// Takes a key back. True where it was one.
    pub fn revoke(&self, key: &str) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&digest(key)).is_some()
    }

    /// Takes every key of an owner back; how many there were.
    pub fn revoke_owner(&self, owner: &str) -> usize {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = keys.len();
        keys.retain(|_, of| &**of != owner);
        before - keys.len()
    }

    /// Everybody who holds one.
    pub(crate) fn owners(&self) -> Vec<Arc<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// These keys, for as long as somebody else keeps them.
    pub(crate) fn weak(&self) -> WeakKeys {
        WeakKeys(Arc::downgrade(&self.0))
    }

    /// Whom a key belongs to. What is compared are hashes: their bytes cannot be chosen, so that the time of the
    /// search tells nothing, and the comparison itself takes the same time for all.
    pub(crate) fn owner(&self, key: &str) -> Option<Arc<str>> {
        let wanted = digest(key);
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (kept, owner) = keys.get_key_value(&wanted)?;
        bool::from(kept.ct_eq(&wanted)).then(|| Arc::clone(owner))
    }
}

fn digest(key: &str) -> Digest {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_and_go() {
        let keys = Keys::default();
        let first = keys.issue("one").expect("random numbers");
        let second = keys.issue("one").expect("random numbers");
        let other = keys.issue("two").expect("random numbers");
        assert!(first.starts_with(PREFIX) && first.len() == PREFIX.len() + 43 && first != second);
        assert_eq!(keys.owner(&other).as_deref(), Some("two"));
        assert!(keys.owner(&first[..first.len() - 1]).is_none());
        assert!(keys.revoke(&first) && !keys.revoke(&first));
        assert!(keys.owner(&first).is_none());
        assert_eq!(keys.revoke_owner("one"), 1);
        assert!(keys.owner(&second).is_none() && keys.owner(&other).is_some());
    }

    #[test]
    fn no_key_is_kept_in_the_clear() {
        let keys = Keys::default();
        let key = keys.issue("one").expect("random numbers");
        assert!(!format!("{keys:?}").contains(&key[PREFIX.len()..]));
    }
}
