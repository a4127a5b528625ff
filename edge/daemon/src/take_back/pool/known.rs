//! Which pairs this box has leased, for those who look whether something stands at their rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use offhook_chime::take_back::notes::Leased;
use offhook_dnis::{Answer, Claim, Clock, Count, DnisPool, Lease, Lookup, Pair};
use tokio::sync::Notify;

/// The leases of this box.
pub struct Leases {
    by_pair: Mutex<HashMap<Pair, Known>>,
    claimed: Notify,
    clock: Clock,
}

struct Known {
    owner: String,
    /// Nobody may have given it back.
    expires: Timestamp,
}

impl Leases {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { by_pair: Mutex::default(), claimed: Notify::new(), clock }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Pair, Known>> {
        self.by_pair.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, lease: &Lease) {
        let known = Known { owner: lease.owner.clone(), expires: lease.expires };
        self.all().insert(lease.pair.clone(), known);
        self.claimed.notify_waiters();
    }

    fn drop_of(&self, owner: &str, pair: Option<&Pair>) {
        self.all().retain(|of, known| known.owner != owner || pair.is_some_and(|pair| pair != of));
    }
}

impl Leased for Leases {
    fn leased(&self) -> Vec<(Pair, String)> {
        let now = (self.clock)();
        let mut all = self.all();
        all.retain(|_, known| known.expires > now);
        all.iter().map(|(pair, known)| (pair.clone(), known.owner.clone())).collect()
    }

    fn some(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            loop {
                let claimed = self.claimed.notified();
                tokio::pin!(claimed);
                // A claim after the look is one that is waited for.
                claimed.as_mut().enable();
                if !self.leased().is_empty() {
                    return;
                }
                claimed.await;
            }
        })
    }
}

/// A pool that notes what it leases.
pub struct Noting {
    pool: Arc<dyn DnisPool>,
    leases: Arc<Leases>,
}

impl Noting {
    /// In these.
    #[must_use]
    pub fn new(pool: Arc<dyn DnisPool>, leases: Arc<Leases>) -> Self {
        Self { pool, leases }
    }
}

impl DnisPool for Noting {
    fn claim(&self, claim: Claim) -> Answer<'_, Lease> {
        Box::pin(async move {
            let lease = self.pool.claim(claim).await?;
            self.leases.put(&lease);
            Ok(lease)
        })
    }

    fn extend(&self, owner: &str, pair: &Pair, lease: Duration) -> Answer<'_, bool> {
        let (owner, pair) = (owner.to_owned(), pair.clone());
        Box::pin(async move {
            let extended = self.pool.extend(&owner, &pair, lease).await?;
            if !extended {
                self.leases.drop_of(&owner, Some(&pair));
            } else if let Some(known) = self.leases.all().get_mut(&pair)
                && known.owner == owner
            {
                let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
                let end = (self.leases.clock)().checked_add(lease);
                known.expires = end.unwrap_or(Timestamp::MAX);
            }
            Ok(extended)
        })
    }

    fn release(&self, owner: &str, pair: Option<&Pair>) -> Answer<'_, usize> {
        let (owner, pair) = (owner.to_owned(), pair.cloned());
        Box::pin(async move {
            // Whoever gives it back has nothing to be asked for, whenever the table hears of it.
            self.leases.drop_of(&owner, pair.as_ref());
            self.pool.release(&owner, pair.as_ref()).await
        })
    }

    fn repeats_releases(&self) -> bool {
        self.pool.repeats_releases()
    }

    fn lookup(&self, lookup: Lookup) -> Answer<'_, Option<Lease>> {
        self.pool.lookup(lookup)
    }

    fn sweep(&self) -> Answer<'_, Vec<Lease>> {
        self.pool.sweep()
    }

    fn release_holder(&self, holder: &str) -> Answer<'_, usize> {
        self.pool.release_holder(holder)
    }

    fn add(&self, pairs: Vec<Pair>) -> Answer<'_, ()> {
        self.pool.add(pairs)
    }

    fn remove(&self, pairs: Vec<Pair>) -> Answer<'_, Vec<Pair>> {
        self.pool.remove(pairs)
    }

    fn count(&self) -> Answer<'_, Count> {
        self.pool.count()
    }
}
