//! A pool that several share.

use std::sync::Arc;
use std::time::Duration;

use crate::{Answer, Claim, Count, DnisPool, Lease, Lookup, Pair};

impl<P: DnisPool + ?Sized> DnisPool for Arc<P> {
    fn claim(&self, claim: Claim) -> Answer<'_, Lease> {
        (**self).claim(claim)
    }

    fn extend(&self, owner: &str, pair: &Pair, lease: Duration) -> Answer<'_, bool> {
        (**self).extend(owner, pair, lease)
    }

    fn release(&self, owner: &str, pair: Option<&Pair>) -> Answer<'_, usize> {
        (**self).release(owner, pair)
    }

    fn repeats_releases(&self) -> bool {
        (**self).repeats_releases()
    }

    fn lookup(&self, lookup: Lookup) -> Answer<'_, Option<Lease>> {
        (**self).lookup(lookup)
    }

    fn sweep(&self) -> Answer<'_, Vec<Lease>> {
        (**self).sweep()
    }

    fn release_holder(&self, holder: &str) -> Answer<'_, usize> {
        (**self).release_holder(holder)
    }

    fn add(&self, pairs: Vec<Pair>) -> Answer<'_, ()> {
        (**self).add(pairs)
    }

    fn remove(&self, pairs: Vec<Pair>) -> Answer<'_, Vec<Pair>> {
        (**self).remove(pairs)
    }

    fn count(&self) -> Answer<'_, Count> {
        (**self).count()
    }
}
