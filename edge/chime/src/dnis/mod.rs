//! Pairs of numbers in the DynamoDB table of AWS's take-back-and-transfer sample.
//!
//! Keys `sma_number` and `connect_number`; attributes `in_use` (`"true"`, `"false"`; the index of
//! that name has it as its key), `transaction_id`, `call_timestamp`, `original_calling_number`. What
//! makes a claim a lease stands beside them, so that functions of the sample and ours may share a
//! table: their claims, which have no end, end for us at an age.
//!
//! The table is read as a whole, in pages: it holds a few hundred short rows, and a consistent read of it
//! costs less than the fights over one row that a query of the index begins, which lags behind.

mod item;
mod notes;
mod request;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use offhook_dnis::{
    Answer, Candidate, Claim, Clock, Count, DnisError, DnisPool, Lease, Lookup, Pair, candidates,
};
use serde_json::Value;

use self::item::Row;
pub use self::notes::{Left, Note};
use self::request::Table;
use crate::sdk::Sdk;

/// Rows that are tried before the table is read again.
const TRIES: usize = 4;
/// Readings of the table for one claim.
const ROUNDS: u32 = 6;
/// Requests under way at once, when many rows are changed.
const AT_ONCE: usize = 8;

/// How the table is used.
#[derive(Clone)]
pub struct DynamoDbConfig {
    /// Its name or ARN.
    pub table: String,
    /// At this age a claim of the sample's function, which has no end, is over.
    pub age_of_old_claims: Duration,
    /// How long one request may take.
    pub patience: Duration,
    /// What time it is. `None`: by DynamoDB's clock, so that all who share the table agree about the
    /// end of a lease, whatever their own say.
    pub clock: Option<Clock>,
}

impl DynamoDbConfig {
    /// With the usual times: two hours, two seconds.
    pub fn new(table: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            age_of_old_claims: Duration::from_secs(2 * 3_600),
            patience: Duration::from_secs(2),
            clock: None,
        }
    }
}

/// The pool in the table.
#[derive(Clone)]
pub struct DynamoDbPool {
    table: Table,
    age: SignedDuration,
    clock: Clock,
}

impl DynamoDbPool {
    /// What time it is for leases.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Nothing is asked yet.
    #[must_use]
    pub fn new(sdk: Sdk, config: DynamoDbConfig) -> Self {
        let age = SignedDuration::try_from(config.age_of_old_claims);
        let of_aws = sdk.clone();
        let clock = config.clock.unwrap_or_else(|| Arc::new(move || of_aws.now("dynamodb")));
        Self {
            table: Table { sdk, name: config.table, patience: config.patience },
            age: age.unwrap_or(SignedDuration::MAX),
            clock,
        }
    }

    async fn rows(&self) -> Result<Vec<Row>, DnisError> {
        Ok(self.read(&self.table.scan().await?))
    }

    fn read(&self, items: &[Value]) -> Vec<Row> {
        items.iter().filter_map(|item| Row::read(item, self.age)).collect()
    }

    async fn claim_one(&self, claim: &Claim) -> Result<Lease, DnisError> {
        let mut pairs = 0;
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(request::pause(round)).await;
            }
            let rows = self.rows().await?;
            // The first answer may be what tells the time.
            let now = (self.clock)();
            pairs = rows.len();
            if let Some(lease) = self.own(&rows, claim, now).await? {
                return Ok(lease);
            }
            let free = rows.iter().filter(|row| row.is_free(now));
            let free: Vec<Candidate> = free.map(Row::candidate).collect();
            if free.is_empty() {
                break;
            }
            let mut order = candidates(&claim.owner, free);
            // A lease of the owner's own that has ended comes first: it would be left behind.
            let own = rows.iter().filter(|row| row.is_in_use_by(&claim.owner));
            let own: Vec<&Pair> = own.map(|row| &row.pair).collect();
            order.sort_by_key(|pair| !own.contains(&pair));
            for pair in order.into_iter().take(TRIES) {
                let Some(row) = rows.iter().find(|row| row.pair == pair) else { continue };
                let taken = self.table.change(&write::claim(row, claim, now)).await?;
                if let Some(row) = taken.and_then(|item| Row::read(&item, self.age)) {
                    return row.lease().ok_or_else(strange);
                }
            }
        }
        Err(DnisError::Exhausted { pairs })
    }

    /// The lease that an owner has already, extended.
    async fn own(
        &self,
        rows: &[Row],
        claim: &Claim,
        now: Timestamp,
    ) -> Result<Option<Lease>, DnisError> {
        let own = rows.iter().find(|row| row.is_leased(now) && row.is_in_use_by(&claim.owner));
        let Some(row) = own else { return Ok(None) };
        let change = write::extend(&row.pair, &claim.owner, now, self.age, claim.lease);
        let item = self.table.change(&change).await?;
        Ok(item.and_then(|item| Row::read(&item, self.age)?.lease()))
    }

    async fn find(&self, lookup: &Lookup) -> Result<Option<Lease>, DnisError> {
        let item = self.table.get(&lookup.pair).await?;
        let Some(row) = item.and_then(|item| Row::read(&item, self.age)) else { return Ok(None) };
        if !row.is_leased((self.clock)()) {
            return Ok(None);
        }
        let Some(lease) = row.lease() else { return Ok(None) };
        if lookup.owner.as_ref().is_some_and(|owner| *owner != lease.owner) {
            return Ok(None);
        }
        let Some(contact) = &lookup.contact else { return Ok(Some(lease)) };
        if let Some(bound) = &lease.contact {
            return Ok((bound == contact).then_some(lease));
        }
        let bound = self.table.change(&write::bind(&lease, contact)).await?;
        Ok(bound.map(|_| Lease { contact: Some(contact.clone()), ..lease }))
    }

    /// Frees those that are as they were seen; gives the rows that were.
    async fn free(&self, rows: Vec<Row>) -> Result<Vec<Row>, DnisError> {
        let now = (self.clock)();
        let freed = futures_util::stream::iter(rows)
            .map(|row| async move {
                let done = self.table.change(&write::free(&row, now)).await?;
                Ok(done.map(|_| row))
            })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<Result<Option<Row>, DnisError>>>()
            .await;
        freed.into_iter().filter_map(Result::transpose).collect()
    }
}

fn strange() -> DnisError {
    DnisError::Unavailable("the table answered with a row that makes no sense".to_owned())
}

impl DnisPool for DynamoDbPool {
    fn claim(&self, claim: Claim) -> Answer<'_, Lease> {
        Box::pin(async move { self.claim_one(&claim).await })
    }

    fn extend(&self, owner: &str, pair: &Pair, lease: Duration) -> Answer<'_, bool> {
        let change = write::extend(pair, owner, (self.clock)(), self.age, lease);
        Box::pin(async move { Ok(self.table.change(&change).await?.is_some()) })
    }

    fn release(&self, owner: &str, pair: Option<&Pair>) -> Answer<'_, usize> {
        let (owner, pair) = (owner.to_owned(), pair.cloned());
        Box::pin(async move {
            if let Some(pair) = pair {
                let change = write::release(&pair, &owner, (self.clock)());
                return Ok(usize::from(self.table.change(&change).await?.is_some()));
            }
            let mut own = self.rows().await?;
            own.retain(|row| row.is_in_use_by(&owner));
            Ok(self.free(own).await?.len())
        })
    }

    fn lookup(&self, lookup: Lookup) -> Answer<'_, Option<Lease>> {
        Box::pin(async move { self.find(&lookup).await })
    }

    fn sweep(&self) -> Answer<'_, Vec<Lease>> {
        Box::pin(async move {
            let mut ended = self.rows().await?;
            let now = (self.clock)();
            ended.retain(|row| row.in_use && row.is_free(now));
            Ok(self.free(ended).await?.iter().filter_map(Row::lease).collect())
        })
    }

    fn release_holder(&self, holder: &str) -> Answer<'_, usize> {
        let holder = holder.to_owned();
        Box::pin(async move {
            let mut own = self.rows().await?;
            own.retain(|row| row.in_use && row.holder() == Some(&holder));
            Ok(self.free(own).await?.len())
        })
    }

    fn add(&self, pairs: Vec<Pair>) -> Answer<'_, ()> {
        Box::pin(async move {
            let put = futures_util::stream::iter(pairs)
                .map(|pair| async move { self.table.put_new(&pair).await })
                .buffer_unordered(AT_ONCE)
                .collect::<Vec<Result<(), DnisError>>>()
                .await;
            put.into_iter().collect()
        })
    }

    fn remove(&self, pairs: Vec<Pair>) -> Answer<'_, Vec<Pair>> {
        Box::pin(async move {
            let rows = self.rows().await?;
            let now = (self.clock)();
            let wanted = rows.into_iter().filter(|row| pairs.contains(&row.pair));
            let (free, mut stay): (Vec<Row>, Vec<Row>) = wanted.partition(|row| row.is_free(now));
            for row in free {
                if !self.table.delete(&write::seen(&row)).await? {
                    stay.push(row);
                }
            }
            Ok(stay.into_iter().map(|row| row.pair).collect())
        })
    }

    fn count(&self) -> Answer<'_, Count> {
        Box::pin(async move {
            let rows = self.rows().await?;
            let now = (self.clock)();
            let free = rows.iter().filter(|row| row.is_free(now)).count();
            Ok(Count { free, leased: rows.len() - free })
        })
    }
}
