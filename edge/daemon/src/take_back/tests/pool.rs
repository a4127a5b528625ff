//! One pair, and a keeper who may be away.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use offhook_dnis::{Answer, Claim, Count, DnisError, DnisPool, Lease, Lookup, Pair};
use tokio::sync::Notify;

#[derive(Default)]
pub(in super::super) struct Keeper {
    inner: Mutex<(Option<String>, bool)>,
    released: Notify,
}

impl Keeper {
    fn inner(&self) -> MutexGuard<'_, (Option<String>, bool)> {
        self.inner.lock().unwrap()
    }

    pub(in super::super) fn owner(&self) -> Option<String> {
        self.inner().0.clone()
    }

    pub(in super::super) fn break_down(&self, broken: bool) {
        self.inner().1 = broken;
    }

    /// Waits until something was given back.
    pub(in super::super) async fn released(&self) {
        self.released.notified().await;
    }

    fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Option<String>) -> Result<T, DnisError>,
    ) -> Answer<'_, T> {
        let mut inner = self.inner();
        let done = match inner.1 {
            true => Err(DnisError::Unavailable("it is down".to_owned())),
            false => work(&mut inner.0),
        };
        std::future::ready(done).boxed()
    }
}

impl DnisPool for Keeper {
    fn claim(&self, claim: Claim) -> Answer<'_, Lease> {
        self.with(|owner| {
            if owner.as_ref().is_some_and(|owner| *owner != claim.owner) {
                return Err(DnisError::Exhausted { pairs: 1 });
            }
            *owner = Some(claim.owner.clone());
            Ok(Lease {
                pair: Pair::new("+18005550100", "+12065550100"),
                owner: claim.owner,
                original_calling_number: claim.original_calling_number,
                application: claim.application,
                contact: None,
                since: Timestamp::UNIX_EPOCH,
                expires: Timestamp::MAX,
            })
        })
    }

    fn extend(&self, who: &str, _: &Pair, _: Duration) -> Answer<'_, bool> {
        self.with(|owner| Ok(owner.as_deref() == Some(who)))
    }

    fn release(&self, who: &str, _: Option<&Pair>) -> Answer<'_, usize> {
        self.with(|owner| {
            let own = owner.take_if(|owner| owner == who);
            if own.is_some() {
                self.released.notify_one();
            }
            Ok(usize::from(own.is_some()))
        })
    }

    fn lookup(&self, _: Lookup) -> Answer<'_, Option<Lease>> {
        self.with(|_| Ok(None))
    }

    fn sweep(&self) -> Answer<'_, Vec<Lease>> {
        self.with(|_| Ok(Vec::new()))
    }

    fn release_holder(&self, _: &str) -> Answer<'_, usize> {
        self.with(|owner| Ok(usize::from(owner.take().is_some())))
    }

    fn add(&self, _: Vec<Pair>) -> Answer<'_, ()> {
        self.with(|_| Ok(()))
    }

    fn remove(&self, _: Vec<Pair>) -> Answer<'_, Vec<Pair>> {
        self.with(|_| Ok(Vec::new()))
    }

    fn count(&self) -> Answer<'_, Count> {
        self.with(|owner| {
            let leased = usize::from(owner.is_some());
            Ok(Count { free: 1 - leased, leased })
        })
    }
}
