//! A pool that cannot be asked yet.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use offhook_dnis::{Answer, Claim, Count, DnisError, DnisPool, Lease, Lookup, Pair};

/// Unavailable until the real one is there. What was leased before it is given back when that one
/// is opened, so nobody has anything to give back until then.
#[derive(Default)]
pub struct Coming(OnceLock<Arc<dyn DnisPool>>);

impl Coming {
    /// It is there.
    pub fn arrive(&self, pool: Arc<dyn DnisPool>) {
        let _ = self.0.set(pool);
    }

    fn ask<'a, T: Send + 'a>(
        &'a self,
        what: impl FnOnce(&'a dyn DnisPool) -> Answer<'a, T>,
    ) -> Answer<'a, T> {
        if let Some(pool) = self.0.get() {
            return what(&**pool);
        }
        let words = "the pairs of [dnis] are not there yet".to_owned();
        Box::pin(std::future::ready(Err(DnisError::Unavailable(words))))
    }
}

impl DnisPool for Coming {
    fn claim(&self, claim: Claim) -> Answer<'_, Lease> {
        self.ask(|pool| pool.claim(claim))
    }

    fn extend(&self, owner: &str, pair: &Pair, lease: Duration) -> Answer<'_, bool> {
        self.ask(|pool| pool.extend(owner, pair, lease))
    }

    fn release(&self, owner: &str, pair: Option<&Pair>) -> Answer<'_, usize> {
        match self.0.get() {
            Some(pool) => pool.release(owner, pair),
            None => Box::pin(std::future::ready(Ok(0))),
        }
    }

    fn repeats_releases(&self) -> bool {
        self.0.get().is_some_and(DnisPool::repeats_releases)
    }

    fn lookup(&self, lookup: Lookup) -> Answer<'_, Option<Lease>> {
        self.ask(|pool| pool.lookup(lookup))
    }

    fn sweep(&self) -> Answer<'_, Vec<Lease>> {
        self.ask(DnisPool::sweep)
    }

    fn release_holder(&self, holder: &str) -> Answer<'_, usize> {
        self.ask(|pool| pool.release_holder(holder))
    }

    fn add(&self, pairs: Vec<Pair>) -> Answer<'_, ()> {
        self.ask(|pool| pool.add(pairs))
    }

    fn remove(&self, pairs: Vec<Pair>) -> Answer<'_, Vec<Pair>> {
        self.ask(|pool| pool.remove(pairs))
    }

    fn count(&self) -> Answer<'_, Count> {
        self.ask(DnisPool::count)
    }
}
