//! The accounts: extension number to [`Extension`].

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use offhook_sip::digest::{Ha1, Hash};

use crate::keep::Extension;

/// All accounts. Shared; a lookup waits for nothing.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<RwLock<HashMap<Box<str>, Arc<Extension>>>>);

impl Directory {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces all accounts at once (start, `phone add`, reload).
    pub fn replace(&self, extensions: impl IntoIterator<Item = Extension>) {
        let fresh = extensions.into_iter().map(|e| (e.number.as_str().into(), Arc::new(e)));
        let fresh = fresh.collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    /// Adds or replaces one.
    pub fn put(&self, extension: Extension) {
        let number = extension.number.as_str().into();
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(number, Arc::new(extension));
    }

    /// Takes one out.
    pub fn remove(&self, number: &str) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(number).is_some()
    }

    /// By number.
    pub fn get(&self, number: &str) -> Option<Arc<Extension>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(number).cloned()
    }

    /// All numbers, sorted.
    pub fn numbers(&self) -> Vec<Box<str>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut numbers: Vec<_> = all.keys().cloned().collect();
        numbers.sort_unstable();
        numbers
    }

    /// The stored digest of an account for a realm and hash; `None` too when it was made for
    /// another realm.
    pub(super) fn ha1(&self, number: &str, realm: &str, hash: Hash) -> Option<Ha1> {
        let extension = self.get(number).filter(|e| e.realm == realm)?;
        match hash {
            Hash::Md5 => Ha1::from_hex(hash, &extension.ha1_md5),
            Hash::Sha256 => Ha1::from_hex(hash, &extension.ha1_sha256),
            Hash::Sha512_256 => None,
        }
    }
}
