//! Pairs in memory, under tokio's clock: what a paused clock can wait for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use offhook_dnis::{
    Answer, Candidate, Claim, Clock, Count, DnisError, DnisPool, Lease, Lookup, Pair, candidates,
};
use tokio::time::Instant;

/// How the keeper is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It answers at once.
    #[default]
    Well,
    /// It answers after this; what is asked is done when it answers.
    Slow(Duration),
    /// It does what it is asked and its answer comes after this, which may be never.
    Deaf(Duration),
    /// It is away: an error comes at once.
    Away,
    /// It is away: nothing comes.
    Silent,
}

#[derive(Clone)]
struct Row {
    pair: Pair,
    lease: Option<(Lease, String)>,
    idle_since: Timestamp,
}

#[derive(Default)]
struct Inner {
    rows: Vec<Row>,
    health: Health,
    /// Claims that found nothing.
    exhausted: usize,
    /// What was asked and failed because the keeper was away.
    refused: usize,
}

/// The pairs. Clones share them; each has a clock of its own.
#[derive(Clone)]
pub struct MemoryPool {
    inner: Arc<Mutex<Inner>>,
    clock: Clock,
}

/// The simulated time: some day of 2026, and from there on what tokio's clock says.
pub fn simulated_clock() -> Clock {
    let begin = Instant::now();
    Arc::new(move || time(begin.elapsed()))
}

fn time(since: Duration) -> Timestamp {
    let begin = Timestamp::from_second(1_780_000_000).unwrap_or(Timestamp::UNIX_EPOCH);
    end(begin, since)
}

fn end(from: Timestamp, lease: Duration) -> Timestamp {
    let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
    from.checked_add(lease).unwrap_or(Timestamp::MAX)
}

impl MemoryPool {
    /// With these pairs, all free.
    pub fn of(pairs: Vec<Pair>, clock: Clock) -> Self {
        let row = |pair| Row { pair, lease: None, idle_since: Timestamp::UNIX_EPOCH };
        let inner = Inner { rows: pairs.into_iter().map(row).collect(), ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)), clock }
    }

    /// The same pairs, looked at by somebody whose clock is fast (or slow, when it is negative).
    #[must_use]
    pub fn seen_by(&self, ahead: SignedDuration) -> Self {
        let clock = Arc::clone(&self.clock);
        let clock: Clock = Arc::new(move || clock().checked_add(ahead).unwrap_or(Timestamp::MAX));
        Self { inner: Arc::clone(&self.inner), clock }
    }

    /// How the keeper is from now on.
    pub fn set(&self, health: Health) {
        self.inner().health = health;
    }

    /// Who has a lease that has not ended; one name for each pair.
    pub fn owners(&self) -> Vec<String> {
        let now = (self.clock)();
        let inner = self.inner();
        let leases = inner.rows.iter().filter_map(|row| row.lease.as_ref());
        leases.filter(|(l, _)| l.expires > now).map(|(l, _)| l.owner.clone()).collect()
    }

    /// Claims that found no free pair.
    pub fn exhausted(&self) -> usize {
        self.inner().exhausted
    }

    /// What was asked while the keeper was away.
    pub fn refused(&self) -> usize {
        self.inner().refused
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does it as the keeper's health allows.
    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inner, Timestamp) -> Result<T, DnisError> + Send + 'static,
    ) -> Answer<'_, T> {
        let pool = self.clone();
        async move {
            let health = pool.inner().health;
            match health {
                Health::Slow(time) => tokio::time::sleep(time).await,
                Health::Away => {
                    pool.inner().refused += 1;
                    return Err(DnisError::Unavailable("the table is away".to_owned()));
                }
                Health::Silent => {
                    pool.inner().refused += 1;
                    return std::future::pending().await;
                }
                Health::Well | Health::Deaf(_) => {}
            }
            let done = work(&mut pool.inner(), (pool.clock)());
            if let Health::Deaf(time) = health {
                tokio::time::sleep(time).await;
            }
            done
        }
        .boxed()
    }
}

impl Row {
    fn is_free(&self, now: Timestamp) -> bool {
        self.lease.as_ref().is_none_or(|(lease, _)| lease.expires <= now)
    }

    fn belongs_to(&self, owner: &str, now: Timestamp) -> bool {
        !self.is_free(now) && self.lease.as_ref().is_some_and(|(lease, _)| lease.owner == owner)
    }

    fn free(&mut self, now: Timestamp) -> Option<Lease> {
        let (lease, _) = self.lease.take()?;
        self.idle_since = now;
        Some(lease)
    }
}

fn claim(inner: &mut Inner, claim: Claim, now: Timestamp) -> Result<Lease, DnisError> {
    let expires = end(now, claim.lease);
    let own = inner.rows.iter_mut().find(|row| row.belongs_to(&claim.owner, now));
    if let Some((lease, _)) = own.and_then(|row| row.lease.as_mut()) {
        lease.expires = lease.expires.max(expires);
        return Ok(lease.clone());
    }
    let free = inner.rows.iter().filter(|row| row.is_free(now));
    let candidate = |row: &Row| Candidate { pair: row.pair.clone(), idle_since: row.idle_since };
    let first = candidates(&claim.owner, free.map(candidate).collect()).into_iter().next();
    let row = inner.rows.iter_mut().find(|row| first.as_ref() == Some(&row.pair));
    let Some(row) = row else {
        inner.exhausted += 1;
        return Err(DnisError::Exhausted { pairs: inner.rows.len() });
    };
    let lease = Lease {
        pair: row.pair.clone(),
        owner: claim.owner,
        original_calling_number: claim.original_calling_number,
        application: claim.application,
        contact: None,
        since: now,
        expires,
    };
    row.lease = Some((lease.clone(), claim.holder));
    Ok(lease)
}

fn lookup(inner: &mut Inner, lookup: Lookup, now: Timestamp) -> Option<Lease> {
    let row = inner.rows.iter_mut().find(|row| row.pair == lookup.pair)?;
    if row.is_free(now) {
        return None;
    }
    let (lease, _) = row.lease.as_mut()?;
    if lookup.owner.is_some_and(|owner| owner != lease.owner) {
        return None;
    }
    match (&lease.contact, lookup.contact) {
        (Some(bound), Some(asks)) if *bound != asks => return None,
        (None, asks) => lease.contact = asks,
        _ => {}
    }
    Some(lease.clone())
}

impl DnisPool for MemoryPool {
    fn claim(&self, wanted: Claim) -> Answer<'_, Lease> {
        self.ask(move |inner, now| claim(inner, wanted, now))
    }

    fn extend(&self, owner: &str, pair: &Pair, lease: Duration) -> Answer<'_, bool> {
        let (owner, pair) = (owner.to_owned(), pair.clone());
        self.ask(move |inner, now| {
            let mut rows = inner.rows.iter_mut();
            let own = rows.find(|row| row.pair == pair && row.belongs_to(&owner, now));
            let own = own.and_then(|row| row.lease.as_mut());
            Ok(own.map(|(own, _)| own.expires = end(now, lease)).is_some())
        })
    }

    fn release(&self, owner: &str, pair: Option<&Pair>) -> Answer<'_, usize> {
        let (owner, pair) = (owner.to_owned(), pair.cloned());
        self.ask(move |inner, now| {
            let of = |row: &&mut Row| {
                let own = row.lease.as_ref().is_some_and(|(lease, _)| lease.owner == owner);
                own && pair.as_ref().is_none_or(|pair| row.pair == *pair)
            };
            Ok(inner.rows.iter_mut().filter(of).filter_map(|row| row.free(now)).count())
        })
    }

    fn lookup(&self, wanted: Lookup) -> Answer<'_, Option<Lease>> {
        self.ask(move |inner, now| Ok(lookup(inner, wanted, now)))
    }

    fn sweep(&self) -> Answer<'_, Vec<Lease>> {
        self.ask(|inner, now| {
            let ended = inner.rows.iter_mut().filter(|row| row.is_free(now));
            Ok(ended.filter_map(|row| row.free(now)).collect())
        })
    }

    fn release_holder(&self, holder: &str) -> Answer<'_, usize> {
        let holder = holder.to_owned();
        self.ask(move |inner, now| {
            let of = |row: &&mut Row| row.lease.as_ref().is_some_and(|(_, by)| *by == holder);
            Ok(inner.rows.iter_mut().filter(of).filter_map(|row| row.free(now)).count())
        })
    }

    fn add(&self, pairs: Vec<Pair>) -> Answer<'_, ()> {
        self.ask(move |inner, _| {
            for pair in pairs {
                if !inner.rows.iter().any(|row| row.pair == pair) {
                    inner.rows.push(Row { pair, lease: None, idle_since: Timestamp::UNIX_EPOCH });
                }
            }
            Ok(())
        })
    }

    fn remove(&self, pairs: Vec<Pair>) -> Answer<'_, Vec<Pair>> {
        self.ask(move |inner, now| {
            let wanted = |row: &Row| pairs.contains(&row.pair);
            inner.rows.retain(|row| !(wanted(row) && row.is_free(now)));
            let stayed = inner.rows.iter().filter(|row| wanted(row));
            Ok(stayed.map(|row| row.pair.clone()).collect())
        })
    }

    fn count(&self) -> Answer<'_, Count> {
        self.ask(|inner, now| {
            let free = inner.rows.iter().filter(|row| row.is_free(now)).count();
            Ok(Count { free, leased: inner.rows.len() - free })
        })
    }
}
