//! Pairs of numbers that several boxes share. Each request is one statement; rows that another box
//! is about to claim are passed over, so that nobody waits for anybody.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use offhook_dnis::{Answer, Claim, Clock, Count, DnisError, DnisPool, Lease, Lookup, Pair};
use tokio_postgres::Row;

use crate::connection::{Database, DatabaseError};

/// Made when it is not there.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS offhook_dnis_pairs (
    our_number text NOT NULL,
    connect_number text NOT NULL,
    owner text,
    holder text,
    application text,
    original_calling_number text,
    contact text,
    since timestamptz,
    expires timestamptz,
    released timestamptz NOT NULL DEFAULT 'epoch',
    PRIMARY KEY (our_number, connect_number)
);
-- A call has one pair, whoever claims at the same time.
CREATE UNIQUE INDEX IF NOT EXISTS offhook_dnis_by_owner ON offhook_dnis_pairs (owner)
    WHERE owner IS NOT NULL;
";

/// One box at a time makes the table.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7308324466020150633)";

/// What time it is: the caller's, or the server's. Boxes whose clocks differ agree on the latter.
macro_rules! now {
    ($n:literal) => {
        concat!("coalesce($", $n, "::timestamptz, clock_timestamp())")
    };
}

/// The columns of a lease.
const LEASE: &str = "our_number, connect_number, owner, original_calling_number, application, contact, since, expires";

const EMPTY: &str = "owner = NULL, holder = NULL, application = NULL, \
                     original_calling_number = NULL, contact = NULL, since = NULL, expires = NULL";

/// The pool in a database.
#[derive(Clone)]
pub struct PostgresPool {
    database: Database,
    clock: Option<Clock>,
}

impl PostgresPool {
    /// Makes the table when there is none. `clock`: `None` is the server's.
    ///
    /// # Errors
    /// The database cannot be asked, or the user may not make tables.
    pub async fn open(database: Database, clock: Option<Clock>) -> Result<Self, DatabaseError> {
        database.batch(&format!("BEGIN; {LOCK}; {SCHEMA} COMMIT;")).await?;
        Ok(Self { database, clock })
    }

    fn now(&self) -> Option<SystemTime> {
        self.clock.as_ref().map(|clock| clock().into())
    }

    /// One attempt; `None`: no row that could be had without waiting.
    async fn try_claim(&self, claim: &Claim) -> Result<Option<Lease>, DatabaseError> {
        let statement = format!(
            "WITH own AS (
                 UPDATE offhook_dnis_pairs
                 SET expires = {now} + make_interval(secs => $6)
                 WHERE owner = $1 AND expires > {now} RETURNING {LEASE}
             ), free AS (
                 SELECT our_number AS ours, connect_number AS theirs FROM offhook_dnis_pairs
                 WHERE (owner IS NULL OR expires <= {now}) AND NOT EXISTS (SELECT FROM own)
                 ORDER BY owner IS NOT DISTINCT FROM $1 DESC, released, our_number, connect_number
                 LIMIT 1 FOR UPDATE SKIP LOCKED
             ), taken AS (
                 UPDATE offhook_dnis_pairs
                 SET owner = $1, holder = $2, application = $3, original_calling_number = $4,
                     contact = NULL, since = {now}, expires = {now} + make_interval(secs => $6)
                 FROM free WHERE our_number = ours AND connect_number = theirs RETURNING {LEASE}
             ) SELECT * FROM own UNION ALL SELECT * FROM taken",
            now = now!(5)
        );
        let rows = self
            .database
            .query(
                &statement,
                &[
                    &claim.owner,
                    &claim.holder,
                    &claim.application,
                    &claim.original_calling_number,
                    &self.now(),
                    &claim.lease.as_secs_f64(),
                ],
            )
            .await?;
        Ok(rows.first().map(lease))
    }

    async fn claim_one(&self, claim: &Claim) -> Result<Lease, DnisError> {
        // Rows that others hold locked may become free, and a call that claims twice at the same
        // time finds what its other claim has taken: both are looked for once more.
        let mut count = Count::default();
        for _ in 0..8 {
            match self.try_claim(claim).await {
                Ok(Some(lease)) => return Ok(lease),
                Ok(None) => {}
                Err(error) if error.is_unique_violation() => continue,
                Err(error) => return Err(failed(&error)),
            }
            count = self.count_all().await?;
            if count.free == 0 {
                break;
            }
        }
        Err(DnisError::Exhausted { pairs: count.free + count.leased })
    }

    async fn count_all(&self) -> Result<Count, DnisError> {
        let statement = format!(
            "SELECT count(*) FILTER (WHERE owner IS NULL OR expires <= {now}), count(*)
             FROM offhook_dnis_pairs",
            now = now!(1)
        );
        let rows = self.database.query(&statement, &[&self.now()]).await.map_err(|e| failed(&e))?;
        let number = |n: usize| {
            let value: i64 = rows.first().map_or(0, |row| row.get(n));
            usize::try_from(value).unwrap_or(0)
        };
        Ok(Count { free: number(0), leased: number(1).saturating_sub(number(0)) })
    }
}

fn failed(error: &DatabaseError) -> DnisError {
    DnisError::Unavailable(error.to_string())
}

/// The count that a statement gives.
fn counted(rows: &[Row]) -> usize {
    rows.first().map_or(0, |row| usize::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}

fn lease(row: &Row) -> Lease {
    let time = |n: usize| {
        let time: Option<SystemTime> = row.get(n);
        time.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    };
    Lease {
        pair: pair(row),
        owner: row.get::<_, Option<String>>(2).unwrap_or_default(),
        original_calling_number: row.get::<_, Option<String>>(3).unwrap_or_default(),
        application: row.get(4),
        contact: row.get(5),
        since: time(6),
        expires: time(7),
    }
}

fn pair(row: &Row) -> Pair {
    Pair { our_number: row.get(0), connect_number: row.get(1) }
}

/// Two lists of the same length, for `unnest`.
fn lists(pairs: Vec<Pair>) -> (Vec<String>, Vec<String>) {
    pairs.into_iter().map(|pair| (pair.our_number, pair.connect_number)).unzip()
}

impl DnisPool for PostgresPool {
    fn claim(&self, claim: Claim) -> Answer<'_, Lease> {
        Box::pin(async move { self.claim_one(&claim).await })
    }

    fn extend(&self, owner: &str, pair: &Pair, lease: Duration) -> Answer<'_, bool> {
        let (owner, pair) = (owner.to_owned(), pair.clone());
        Box::pin(async move {
            let statement = format!(
                "UPDATE offhook_dnis_pairs SET expires = {now} + make_interval(secs => $5)
                 WHERE owner = $1 AND our_number = $2 AND connect_number = $3 AND expires > {now}
                 RETURNING 1",
                now = now!(4)
            );
            let (ours, theirs) = (&pair.our_number, &pair.connect_number);
            let (now, secs) = (self.now(), lease.as_secs_f64());
            let rows = self.database.query(&statement, &[&owner, ours, theirs, &now, &secs]).await;
            Ok(!rows.map_err(|error| failed(&error))?.is_empty())
        })
    }

    fn release(&self, owner: &str, pair: Option<&Pair>) -> Answer<'_, usize> {
        let owner = owner.to_owned();
        let (ours, theirs) = pair
            .map(|pair| (pair.our_number.clone(), pair.connect_number.clone()))
            .map_or((None, None), |(ours, theirs)| (Some(ours), Some(theirs)));
        Box::pin(async move {
            let statement = format!(
                "WITH freed AS (
                     UPDATE offhook_dnis_pairs SET released = {now}, {EMPTY}
                     WHERE owner = $1 AND ($2::text IS NULL OR our_number = $2)
                     AND ($3::text IS NULL OR connect_number = $3) RETURNING 1
                 ) SELECT count(*) FROM freed",
                now = now!(4)
            );
            let now = self.now();
            let rows = self.database.query(&statement, &[&owner, &ours, &theirs, &now]).await;
            Ok(counted(&rows.map_err(|error| failed(&error))?))
        })
    }

    fn lookup(&self, lookup: Lookup) -> Answer<'_, Option<Lease>> {
        Box::pin(async move {
            let statement = format!(
                "UPDATE offhook_dnis_pairs SET contact = coalesce(contact, $3)
                 WHERE our_number = $1 AND connect_number = $2 AND expires > {now}
                 AND ($3::text IS NULL OR contact IS NULL OR contact = $3)
                 AND ($4::text IS NULL OR owner = $4) RETURNING {LEASE}",
                now = now!(5)
            );
            let (ours, theirs) = (&lookup.pair.our_number, &lookup.pair.connect_number);
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
                [ours, theirs, &lookup.contact, &lookup.owner, &self.now()];
            let rows = self.database.query(&statement, &values).await;
            Ok(rows.map_err(|error| failed(&error))?.first().map(lease))
        })
    }

    fn sweep(&self) -> Answer<'_, Vec<Lease>> {
        Box::pin(async move {
            // What it was before: an UPDATE gives what it is afterwards.
            let statement = format!(
                "WITH ended AS (
                     SELECT {LEASE} FROM offhook_dnis_pairs
                     WHERE owner IS NOT NULL AND expires <= {now} FOR UPDATE SKIP LOCKED
                 ), freed AS (
                     UPDATE offhook_dnis_pairs p SET released = {now}, {EMPTY} FROM ended e
                     WHERE p.our_number = e.our_number AND p.connect_number = e.connect_number
                 ) SELECT * FROM ended",
                now = now!(1)
            );
            let rows = self.database.query(&statement, &[&self.now()]).await;
            Ok(rows.map_err(|error| failed(&error))?.iter().map(lease).collect())
        })
    }

    fn release_holder(&self, holder: &str) -> Answer<'_, usize> {
        let holder = holder.to_owned();
        Box::pin(async move {
            let statement = format!(
                "WITH freed AS (
                     UPDATE offhook_dnis_pairs SET released = {now}, {EMPTY}
                     WHERE holder = $1 RETURNING 1
                 ) SELECT count(*) FROM freed",
                now = now!(2)
            );
            let rows = self.database.query(&statement, &[&holder, &self.now()]).await;
            Ok(counted(&rows.map_err(|error| failed(&error))?))
        })
    }

    fn add(&self, pairs: Vec<Pair>) -> Answer<'_, ()> {
        let (ours, theirs) = lists(pairs);
        Box::pin(async move {
            let statement = "INSERT INTO offhook_dnis_pairs (our_number, connect_number)
                             SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING";
            let done = self.database.query(statement, &[&ours, &theirs]).await;
            done.map(drop).map_err(|error| failed(&error))
        })
    }

    fn remove(&self, pairs: Vec<Pair>) -> Answer<'_, Vec<Pair>> {
        let (ours, theirs) = lists(pairs);
        Box::pin(async move {
            let statement = format!(
                "WITH wanted AS (SELECT * FROM unnest($1::text[], $2::text[]) AS w (ours, theirs)),
                 gone AS (
                     DELETE FROM offhook_dnis_pairs USING wanted
                     WHERE our_number = ours AND connect_number = theirs
                     AND (owner IS NULL OR expires <= {now})
                     RETURNING our_number, connect_number
                 )
                 SELECT our_number, connect_number FROM offhook_dnis_pairs
                 JOIN wanted ON our_number = ours AND connect_number = theirs
                 EXCEPT SELECT our_number, connect_number FROM gone",
                now = now!(3)
            );
            let rows = self.database.query(&statement, &[&ours, &theirs, &self.now()]).await;
            Ok(rows.map_err(|error| failed(&error))?.iter().map(pair).collect())
        })
    }

    fn count(&self) -> Answer<'_, Count> {
        Box::pin(self.count_all())
    }
}
