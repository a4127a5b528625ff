//! Which pairs this box has leased, for those who look whether something stands at their rows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use offhook_chime::take_back::notes::Leased;
use offhook_dnis::{Answer, Claim, Count, DnisPool, Lease, Lookup, Pair};
use tokio::sync::Notify;

/// Gives the time of a clock that nobody sets.
pub type Monotonic = Arc<dyn Fn() -> Instant + Send + Sync>;

/// That of this machine.
#[must_use]
pub fn monotonic_clock() -> Monotonic {
    Arc::new(Instant::now)
}

/// The leases of this box. Their ends are counted here from when they were given, for the keeper's
/// clock may be another one.
pub struct Leases {
    by_pair: Mutex<HashMap<Pair, Known>>,
    claimed: Notify,
    clock: Monotonic,
}

struct Known {
    owner: String,
    /// Nobody may have given it back. `None`: no end that could be counted.
    expires: Option<Instant>,
}

impl Leases {
    /// None yet.
    #[must_use]
    pub fn new(clock: Monotonic) -> Self {
        Self { by_pair: Mutex::default(), claimed: Notify::new(), clock }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Pair, Known>> {
        self.by_pair.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, lease: &Lease, length: Duration) {
        let expires = (self.clock)().checked_add(length);
        let known = Known { owner: lease.owner.clone(), expires };
        self.all().insert(lease.pair.clone(), known);
        self.claimed.notify_waiters();
    }

    /// An owner wants a pair for longer: it is his, here, unless it is known to be another one's.
    fn keep(&self, pair: &Pair, owner: &str, length: Duration) {
        let expires = (self.clock)().checked_add(length);
        let mut all = self.all();
        let known = Known { owner: owner.to_owned(), expires };
        let known = all.entry(pair.clone()).or_insert(known);
        if known.owner == owner {
            known.expires = expires;
        }
        drop(all);
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
        all.retain(|_, known| known.expires.is_none_or(|end| end > now));
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
            let length = claim.lease;
            let lease = self.pool.claim(claim).await?;
            self.leases.put(&lease, length);
            Ok(lease)
        })
    }

    fn extend(&self, owner: &str, pair: &Pair, lease: Duration) -> Answer<'_, bool> {
        let (owner, pair) = (owner.to_owned(), pair.clone());
        Box::pin(async move {
            // Before the keeper answers: what is given back meanwhile stays so. A pair too much is
            // looked at for nothing, and no more.
            self.leases.keep(&pair, &owner, lease);
            let extended = self.pool.extend(&owner, &pair, lease).await?;
            if !extended {
                self.leases.drop_of(&owner, Some(&pair));
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

    passes_on!(pool);
}
