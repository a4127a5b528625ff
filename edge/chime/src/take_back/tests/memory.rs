//! A pool in memory, with hands on its clock.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use offhook_dnis::{Answer, Claim, Count, DnisError, DnisPool, Lease, Lookup, Pair};

#[derive(Default)]
struct Inner {
    now: i64,
    rows: Vec<(Pair, Option<Lease>)>,
    broken: bool,
    silent: bool,
    searched: usize,
    refused: String,
    repeats: bool,
}

/// Clones share it.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Inner>>);

impl Memory {
    pub(super) fn of(pairs: usize) -> Self {
        let pool = Self::default();
        let pair = |n| Pair::new(format!("+1800555{n:04}"), "+12065550100");
        pool.inner().rows = (0..pairs).map(|n| (pair(n), None)).collect();
        pool
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(super) fn forward(&self, seconds: i64) {
        self.inner().now += seconds;
    }

    pub(super) fn break_down(&self, broken: bool) {
        self.inner().broken = broken;
    }

    /// It does not answer claims and what is given back any more.
    pub(super) fn fall_silent(&self) {
        self.inner().silent = true;
    }

    /// It takes back nothing of this call.
    pub(super) fn refuse(&self, owner: &str) {
        self.inner().refused = owner.to_owned();
    }

    /// It says that it repeats releases by itself.
    pub(super) fn repeat_releases(&self) {
        self.inner().repeats = true;
    }

    /// How often all of a call's pairs were looked for.
    pub(super) fn searched(&self) -> usize {
        self.inner().searched
    }

    /// Who has leases that have not ended.
    pub(super) fn owners(&self) -> Vec<String> {
        let inner = self.inner();
        let now = time(inner.now);
        let leases = inner.rows.iter().filter_map(|(_, lease)| lease.as_ref());
        leases.filter(|lease| lease.expires > now).map(|lease| lease.owner.clone()).collect()
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Inner) -> Result<T, DnisError>,
    ) -> Result<T, DnisError> {
        let mut inner = self.inner();
        if inner.broken {
            return Err(DnisError::Unavailable("it is down".to_owned()));
        }
        work(&mut inner)
    }
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn end(now: i64, lease: Duration) -> Timestamp {
    time(now) + SignedDuration::try_from(lease).unwrap()
}

fn ready<'a, T: Send + 'a>(value: Result<T, DnisError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(value))
}

impl DnisPool for Memory {
    fn claim(&self, claim: Claim) -> Answer<'_, Lease> {
        if self.inner().silent {
            return Box::pin(std::future::pending());
        }
        ready(self.with(|inner| {
            let now = inner.now;
            let pairs = inner.rows.len();
            let own = |lease: &Option<Lease>| {
                lease.as_ref().is_some_and(|l| l.owner == claim.owner && l.expires > time(now))
            };
            let free =
                |lease: &Option<Lease>| lease.as_ref().is_none_or(|l| l.expires <= time(now));
            let rows = &mut inner.rows;
            let found = rows.iter().position(|(_, lease)| own(lease));
            let found = found.or_else(|| rows.iter().position(|(_, lease)| free(lease)));
            let Some((pair, lease)) = found.and_then(|n| rows.get_mut(n)) else {
                return Err(DnisError::Exhausted { pairs });
            };
            let taken = Lease {
                pair: pair.clone(),
                owner: claim.owner,
                original_calling_number: claim.original_calling_number,
                application: claim.application,
                contact: None,
                since: time(now),
                expires: end(now, claim.lease),
            };
            *lease = Some(taken.clone());
            Ok(taken)
        }))
    }

    fn extend(&self, owner: &str, pair: &Pair, lease: Duration) -> Answer<'_, bool> {
        ready(self.with(|inner| {
            let now = inner.now;
            let rows = inner.rows.iter_mut().filter(|(own, _)| own == pair);
            let own = rows.filter_map(|(_, lease)| lease.as_mut());
            let mut own = own.filter(|lease| lease.owner == owner && lease.expires > time(now));
            Ok(own.next().map(|own| own.expires = end(now, lease)).is_some())
        }))
    }

    fn release(&self, owner: &str, pair: Option<&Pair>) -> Answer<'_, usize> {
        if self.inner().silent {
            return Box::pin(std::future::pending());
        }
        self.inner().searched += usize::from(pair.is_none());
        ready(self.with(|inner| {
            if inner.refused == owner {
                return Err(DnisError::Unavailable("it is refused".to_owned()));
            }
            let mut count = 0;
            for (own, lease) in &mut inner.rows {
                let of_pair = pair.is_none_or(|pair| pair == own);
                if of_pair && lease.as_ref().is_some_and(|lease| lease.owner == owner) {
                    *lease = None;
                    count += 1;
                }
            }
            Ok(count)
        }))
    }

    fn repeats_releases(&self) -> bool {
        self.inner().repeats
    }

    fn lookup(&self, lookup: Lookup) -> Answer<'_, Option<Lease>> {
        ready(self.with(|inner| {
            let now = time(inner.now);
            let found = inner.rows.iter_mut().find(|(pair, _)| *pair == lookup.pair);
            let Some(lease) = found.and_then(|(_, lease)| lease.as_mut()) else { return Ok(None) };
            let other = |bound: &Option<String>| {
                matches!((bound, &lookup.contact), (Some(one), Some(two)) if one != two)
            };
            let wrong = lookup.owner.as_ref().is_some_and(|owner| *owner != lease.owner);
            if lease.expires <= now || wrong || other(&lease.contact) {
                return Ok(None);
            }
            lease.contact = lease.contact.clone().or(lookup.contact);
            Ok(Some(lease.clone()))
        }))
    }

    fn sweep(&self) -> Answer<'_, Vec<Lease>> {
        ready(Ok(Vec::new()))
    }

    fn release_holder(&self, _: &str) -> Answer<'_, usize> {
        ready(Ok(0))
    }

    fn add(&self, _: Vec<Pair>) -> Answer<'_, ()> {
        ready(Ok(()))
    }

    fn remove(&self, pairs: Vec<Pair>) -> Answer<'_, Vec<Pair>> {
        ready(Ok(pairs))
    }

    fn count(&self) -> Answer<'_, Count> {
        let leased = self.owners().len();
        ready(self.with(|inner| Ok(Count { free: inner.rows.len() - leased, leased })))
    }
}
