//! Pairs of numbers of a box that shares them with nobody.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use offhook_dnis::{Answer, Claim, Clock, Count, DnisError, DnisPool, Lease, Lookup, Pair};
use offhook_pbx::keep::Kept;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::Store;
use crate::convert::{nanos, time};
use crate::lane::{Refused, Urgency};

pub(crate) const SCHEMA: &str = "
CREATE TABLE dnis_pairs (
    our_number TEXT NOT NULL,
    connect_number TEXT NOT NULL,
    owner TEXT UNIQUE,
    holder TEXT,
    application TEXT,
    original_calling_number TEXT,
    contact TEXT,
    since INTEGER,
    expires INTEGER,
    released INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (our_number, connect_number)
) STRICT, WITHOUT ROWID;
";

const LEASE: &str = "our_number, connect_number, owner, original_calling_number, application, contact, since, expires";

const EMPTY: &str = "owner = NULL, holder = NULL, application = NULL, \
                     original_calling_number = NULL, contact = NULL, since = NULL, expires = NULL";

/// The pool in the store's database.
#[derive(Clone)]
pub struct SqlitePool {
    store: Store,
    clock: Clock,
}

impl SqlitePool {
    /// In this database, under this clock.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// For a start, when no call is left and nobody shares the pairs: gives back all leases, whoever
    /// had them, takes out the pairs that are not among these, and adds those that are missing.
    ///
    /// # Errors
    /// [`DnisError::Unavailable`].
    pub fn reset(&self, pairs: Vec<Pair>) -> Answer<'_, ()> {
        answer(self.write(move |connection, now| reset(connection, &pairs, now)))
    }

    /// A write that knows what time it is.
    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, i64) -> Result<T, Refused> + Send + 'static,
    ) -> Kept<T> {
        let now = nanos((self.clock)().into());
        self.store.write(Urgency::Now, move |connection| work(connection, now))
    }
}

/// What is answered once it is committed.
fn answer<'a, T: Send + 'static>(kept: Kept<T>) -> Answer<'a, T> {
    Box::pin(async move { kept.await.map_err(|error| DnisError::Unavailable(error.to_string())) })
}

fn later(now: i64, lease: Duration) -> i64 {
    now.saturating_add(i64::try_from(lease.as_nanos()).unwrap_or(i64::MAX))
}

fn timestamp(nanos: Option<i64>) -> Timestamp {
    Timestamp::try_from(time(nanos.unwrap_or(0))).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn lease(row: &Row<'_>) -> rusqlite::Result<Lease> {
    Ok(Lease {
        pair: pair(row)?,
        owner: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        original_calling_number: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
        application: row.get(4)?,
        contact: row.get(5)?,
        since: timestamp(row.get(6)?),
        expires: timestamp(row.get(7)?),
    })
}

fn pair(row: &Row<'_>) -> rusqlite::Result<Pair> {
    Ok(Pair { our_number: row.get(0)?, connect_number: row.get(1)? })
}

/// A lease; or how many pairs there are, when none is free.
fn claim(
    connection: &Connection,
    claim: &Claim,
    now: i64,
) -> Result<Result<Lease, usize>, Refused> {
    let end = later(now, claim.lease);
    let own = format!(
        "UPDATE dnis_pairs SET expires = ?3 WHERE owner = ?1 AND expires > ?2 RETURNING {LEASE}"
    );
    let mut statement = connection.prepare_cached(&own)?;
    if let Some(own) = statement.query_row(params![claim.owner, now, end], lease).optional()? {
        return Ok(Ok(own));
    }
    let free = format!(
        "UPDATE dnis_pairs SET owner = ?1, holder = ?4, application = ?5,
         original_calling_number = ?6, contact = NULL, since = ?2, expires = ?3
         WHERE (our_number, connect_number) = (
             SELECT our_number, connect_number FROM dnis_pairs WHERE owner IS NULL OR expires <= ?2
             ORDER BY owner IS ?1 DESC, released, our_number, connect_number LIMIT 1
         ) RETURNING {LEASE}"
    );
    let mut statement = connection.prepare_cached(&free)?;
    let from = &claim.original_calling_number;
    let values = params![claim.owner, now, end, claim.holder, claim.application, from];
    if let Some(taken) = statement.query_row(values, lease).optional()? {
        return Ok(Ok(taken));
    }
    Ok(Err(counts(connection, now)?.leased))
}

fn counts(connection: &Connection, now: i64) -> Result<Count, Refused> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FILTER (WHERE owner IS NULL OR expires <= ?1), count(*) FROM dnis_pairs",
    )?;
    let (free, all) =
        statement.query_row([now], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let number = |value: i64| usize::try_from(value).unwrap_or(0);
    Ok(Count { free: number(free), leased: number(all - free) })
}

fn sweep(connection: &Connection, now: i64) -> Result<Vec<Lease>, Refused> {
    crate::lane::all_or_none(connection, || {
        let ended =
            format!("SELECT {LEASE} FROM dnis_pairs WHERE owner IS NOT NULL AND expires <= ?1");
        let mut statement = connection.prepare_cached(&ended)?;
        let leases = statement.query_map([now], lease)?.collect::<rusqlite::Result<_>>()?;
        let free = format!(
            "UPDATE dnis_pairs SET released = ?1, {EMPTY} WHERE owner IS NOT NULL AND expires <= ?1"
        );
        connection.prepare_cached(&free)?.execute([now])?;
        Ok(leases)
    })
}

fn reset(connection: &Connection, pairs: &[Pair], now: i64) -> Result<(), Refused> {
    crate::lane::all_or_none(connection, || {
        let free = format!("UPDATE dnis_pairs SET released = ?1, {EMPTY} WHERE owner IS NOT NULL");
        connection.prepare_cached(&free)?.execute([now])?;
        let wanted: HashSet<&Pair> = pairs.iter().collect();
        let mut statement =
            connection.prepare_cached("SELECT our_number, connect_number FROM dnis_pairs")?;
        let there = statement.query_map([], pair)?.collect::<rusqlite::Result<HashSet<Pair>>>()?;
        let mut delete = connection.prepare_cached(
            "DELETE FROM dnis_pairs WHERE our_number = ?1 AND connect_number = ?2",
        )?;
        for old in there.iter().filter(|pair| !wanted.contains(pair)) {
            delete.execute(params![old.our_number, old.connect_number])?;
        }
        add(connection, pairs)
    })
}

fn add(connection: &Connection, pairs: &[Pair]) -> Result<(), Refused> {
    let mut statement = connection.prepare_cached(
        "INSERT OR IGNORE INTO dnis_pairs (our_number, connect_number) VALUES (?1, ?2)",
    )?;
    for pair in pairs {
        statement.execute(params![pair.our_number, pair.connect_number])?;
    }
    Ok(())
}

fn remove(connection: &Connection, pairs: &[Pair], now: i64) -> Result<Vec<Pair>, Refused> {
    crate::lane::all_or_none(connection, || {
        let mut stay = Vec::new();
        for pair in pairs {
            let key = params![pair.our_number, pair.connect_number, now];
            let gone = connection
                .prepare_cached(
                    "DELETE FROM dnis_pairs WHERE our_number = ?1 AND connect_number = ?2
                     AND (owner IS NULL OR expires <= ?3)",
                )?
                .execute(key)?;
            let left = connection
                .prepare_cached(
                    "SELECT 1 FROM dnis_pairs WHERE our_number = ?1 AND connect_number = ?2",
                )?
                .exists(params![pair.our_number, pair.connect_number])?;
            if gone == 0 && left {
                stay.push(pair.clone());
            }
        }
        Ok(stay)
    })
}

impl DnisPool for SqlitePool {
    fn claim(&self, wanted: Claim) -> Answer<'_, Lease> {
        let kept = self.write(move |connection, now| claim(connection, &wanted, now));
        let kept = answer(kept);
        Box::pin(async move { kept.await?.map_err(|pairs| DnisError::Exhausted { pairs }) })
    }

    fn extend(&self, owner: &str, pair: &Pair, lease: Duration) -> Answer<'_, bool> {
        let (owner, pair) = (owner.to_owned(), pair.clone());
        answer(self.write(move |connection, now| {
            let mut statement = connection.prepare_cached(
                "UPDATE dnis_pairs SET expires = ?5 WHERE owner = ?1 AND our_number = ?2
                 AND connect_number = ?3 AND expires > ?4",
            )?;
            let values =
                params![owner, pair.our_number, pair.connect_number, now, later(now, lease)];
            Ok(statement.execute(values)? > 0)
        }))
    }

    fn release(&self, owner: &str, pair: Option<&Pair>) -> Answer<'_, usize> {
        let (owner, pair) = (owner.to_owned(), pair.cloned());
        answer(self.write(move |connection, now| {
            let sql = format!(
                "UPDATE dnis_pairs SET released = ?2, {EMPTY} WHERE owner = ?1
                 AND (?3 IS NULL OR our_number = ?3) AND (?4 IS NULL OR connect_number = ?4)"
            );
            let ours = pair.as_ref().map(|pair| &pair.our_number);
            let theirs = pair.as_ref().map(|pair| &pair.connect_number);
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.execute(params![owner, now, ours, theirs])?)
        }))
    }

    fn lookup(&self, lookup: Lookup) -> Answer<'_, Option<Lease>> {
        answer(self.write(move |connection, now| {
            let sql = format!(
                "UPDATE dnis_pairs SET contact = coalesce(contact, ?3)
                 WHERE our_number = ?1 AND connect_number = ?2 AND expires > ?4
                 AND (?3 IS NULL OR contact IS NULL OR contact = ?3)
                 AND (?5 IS NULL OR owner = ?5) RETURNING {LEASE}"
            );
            let Lookup { pair, contact, owner } = lookup;
            let values = params![pair.our_number, pair.connect_number, contact, now, owner];
            Ok(connection.prepare_cached(&sql)?.query_row(values, lease).optional()?)
        }))
    }

    fn sweep(&self) -> Answer<'_, Vec<Lease>> {
        answer(self.write(sweep))
    }

    fn release_holder(&self, holder: &str) -> Answer<'_, usize> {
        let holder = holder.to_owned();
        answer(self.write(move |connection, now| {
            let sql = format!("UPDATE dnis_pairs SET released = ?2, {EMPTY} WHERE holder = ?1");
            Ok(connection.prepare_cached(&sql)?.execute(params![holder, now])?)
        }))
    }

    fn add(&self, pairs: Vec<Pair>) -> Answer<'_, ()> {
        answer(self.write(move |connection, _| add(connection, &pairs)))
    }

    fn remove(&self, pairs: Vec<Pair>) -> Answer<'_, Vec<Pair>> {
        answer(self.write(move |connection, now| remove(connection, &pairs, now)))
    }

    fn count(&self) -> Answer<'_, Count> {
        let now = nanos((self.clock)().into());
        answer(self.store.read(move |connection| counts(connection, now)))
    }
}
