//! What is due, handed out once.
//!
//! That a schedule comes is written down in one step with what is to be done about it: its next
//! time, and the invocation. An invocation is forgotten when its outcome is known. What a restart
//! finds written down is handed out again under the same id, marked as such.
//!
//! What came while the machine was off is done once, late, if it is not older than
//! `MaximumEventAgeInSeconds`; of a schedule that came several times, the last one. What is not
//! done is counted in the schedule and told.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::services::sdk::uuid_of;
use crate::store::{Entries, Entry, EntryChange, EntryRange, EntryWrite, Expect, Kept, StoreError};

use super::record::{Invocation, Record};

/// Where schedules are kept.
pub(crate) const SCHEDULES: &str = "scheduler/schedules";
/// Where invocations are kept until their outcome is known.
const INVOCATIONS: &str = "scheduler/invocations";
/// When an invocation is looked at again whose outcome nobody told.
const LEASE: SignedDuration = SignedDuration::from_mins(5);
/// The longest wait between two attempts.
const LONGEST_WAIT: i64 = 900;
/// Times of one schedule that are counted one by one after the machine was off.
const COUNTED: u64 = 10_000;
/// Before this, nothing is done late: the greatest `MaximumEventAgeInSeconds` and a bit.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(25);
/// How much is handed out at once.
const BATCH: usize = 256;

/// The schedules of this machine.
#[derive(Clone)]
pub struct Schedules {
    inner: Arc<Inner>,
}

struct Inner {
    entries: Arc<dyn Entries>,
    /// Handed out, outcome not yet known.
    under_way: Mutex<BTreeSet<String>>,
    /// Whether what a former run left was looked at.
    recovered: AtomicBool,
}

/// What is to be done now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Due {
    /// To be fired; for each, [`Schedules::finish`] is called once.
    pub invocations: Vec<Invocation>,
    /// What was not done.
    pub missed: Vec<Missed>,
    /// There is more: ask again at once.
    pub more: bool,
}

/// Times that passed without anything being done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The schedule's ARN.
    pub schedule: String,
    /// The first of them.
    pub first: Timestamp,
    /// How many, at least.
    pub times: u64,
    /// Why.
    pub reason: String,
}

/// A schedule that came, on its way to the store.
struct Coming {
    kept: Kept<bool>,
    readable: bool,
    missed: Option<Missed>,
    invocation: Option<Invocation>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It may work another time.
    Retry(String),
    /// It never will.
    GiveUp(String),
}

impl Schedules {
    /// Those that are kept in `entries`.
    pub fn new(entries: Arc<dyn Entries>) -> Self {
        let under_way = Mutex::default();
        let recovered = AtomicBool::new(false);
        Self { inner: Arc::new(Inner { entries, under_way, recovered }) }
    }

    /// When to ask for what is due, at the latest; `None`: nothing is to come.
    pub async fn next_deadline(&self) -> Result<Option<Timestamp>, StoreError> {
        let entries = &self.inner.entries;
        if !self.inner.recovered.load(Ordering::Acquire) {
            return Ok(Some(Timestamp::MIN));
        }
        let schedule = entries.next_due(SCHEDULES.to_owned()).await?;
        let invocation = entries.next_due(INVOCATIONS.to_owned()).await?;
        Ok(schedule.into_iter().chain(invocation).min())
    }

    /// Hands out what is due at `now`.
    pub async fn due(&self, now: Timestamp) -> Result<Due, StoreError> {
        let mut due = Due::default();
        self.attempts(now, &mut due).await?;
        let came = self.inner.entries.due_entries(SCHEDULES.to_owned(), now, BATCH).await?;
        due.more |= came.len() == BATCH;
        // Each is a write of its own; asked for together they reach the disk together.
        let coming: Vec<_> = came.iter().map(|entry| self.came(entry, now)).collect();
        let mut failed = None;
        for coming in coming {
            failed = self.take(coming, &mut due).await.err().or(failed);
        }
        match failed {
            Some(error) if due == Due { more: due.more, ..Due::default() } => Err(error),
            // What was written down is done; the rest is asked for again.
            Some(_) => Ok(Due { more: true, ..due }),
            None => Ok(due),
        }
    }

    /// Invocations whose next attempt is due, and at first those that a former run left.
    async fn attempts(&self, now: Timestamp, due: &mut Due) -> Result<(), StoreError> {
        let recovering = !self.inner.recovered.load(Ordering::Acquire);
        let found = if recovering {
            let all = EntryRange {
                space: INVOCATIONS.to_owned(),
                limit: usize::MAX,
                ..EntryRange::default()
            };
            self.inner.entries.range_entries(all).await?
        } else {
            self.inner.entries.due_entries(INVOCATIONS.to_owned(), now, BATCH).await?
        };
        due.more |= !recovering && found.len() == BATCH;
        for entry in found {
            let Ok(mut kept) = serde_json::from_slice::<Invocation>(&entry.body) else {
                tracing::error!("an invocation of a schedule cannot be read and is dropped");
                self.change(vec![deletion(&entry)]).await?;
                continue;
            };
            // A retry that waits for its time was told; everything else was lost.
            let waits = entry.due.is_some_and(|at| at > now) && !kept.again;
            let under_way = self.under_way().contains(&kept.id);
            if (recovering && waits) || (under_way && !recovering) {
                if under_way {
                    self.change(vec![put(&kept, Some(now + LEASE), &entry)]).await?;
                }
                continue;
            }
            let lost = kept.again;
            kept.again = true;
            if !self.change(vec![put(&kept, Some(now + LEASE), &entry)]).await? {
                continue;
            }
            self.under_way().insert(kept.id.clone());
            due.invocations.push(Invocation { again: lost, ..kept });
        }
        self.inner.recovered.store(true, Ordering::Release);
        Ok(())
    }

    /// A schedule came: writes down what is to be done about it.
    fn came(&self, entry: &Entry, now: Timestamp) -> Coming {
        let record = serde_json::from_slice::<Record>(&entry.body);
        let Some((mut record, scheduled)) = record.ok().and_then(|r| Some((r.clone(), r.next?)))
        else {
            tracing::error!("a schedule cannot be read and is dropped");
            let kept = self.inner.entries.change_entries(vec![deletion(entry)]);
            return Coming { kept, readable: false, missed: None, invocation: None };
        };
        let (last, passed) = last_until(&record, scheduled, now);
        let late = now.duration_since(last).as_secs() > record.target.retry.age;
        let times = passed + u64::from(late);
        record.missed = record.missed.saturating_add(times);
        record.next = record.next_after(now.max(last));
        let mut changes = vec![self.moved_on(&record, entry)];
        let invocation = Invocation {
            id: uuid_of(&[record.arn.as_bytes(), last.to_string().as_bytes(), &entry.key]),
            schedule: record.arn.clone(),
            scheduled: last,
            attempt: 1,
            again: true,
            target: record.target,
        };
        if !late {
            changes.push(EntryChange {
                space: INVOCATIONS.to_owned(),
                key: invocation.id.as_bytes().to_vec(),
                expect: Expect::Absent,
                write: body(&invocation, Some(now + LEASE)),
            });
        }
        let missed = (times > 0).then(|| Missed {
            schedule: record.arn,
            first: scheduled,
            times,
            reason: "this machine did not run at the time".to_owned(),
        });
        let kept = self.inner.entries.change_entries(changes);
        let invocation = (!late).then_some(Invocation { again: false, ..invocation });
        Coming { kept, readable: true, missed, invocation }
    }

    /// Hands out what was written down.
    async fn take(&self, coming: Coming, due: &mut Due) -> Result<(), StoreError> {
        let kept = coming.kept.await?;
        if !kept {
            // Somebody changed the schedule at this moment; it is looked at again.
            due.more |= coming.readable;
            return Ok(());
        }
        due.missed.extend(coming.missed);
        if let Some(invocation) = coming.invocation {
            self.under_way().insert(invocation.id.clone());
            due.invocations.push(invocation);
        }
        Ok(())
    }

    /// A schedule that does not come any more is deleted, if it asked for that.
    fn moved_on(&self, record: &Record, entry: &Entry) -> EntryChange {
        let write = match record.next {
            None if record.delete_after => EntryWrite::Delete,
            next => body(record, next),
        };
        let expect = Expect::Revision(entry.revision);
        EntryChange { space: entry.space.clone(), key: entry.key.clone(), expect, write }
    }

    /// Takes down what came of an attempt. `Some`: nothing more will be done, and it was not done.
    pub async fn finish(
        &self,
        invocation: &Invocation,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Option<Missed>, StoreError> {
        let reason = match &outcome {
            Outcome::Done => None,
            Outcome::Retry(reason) | Outcome::GiveUp(reason) => Some(reason.clone()),
        };
        let wait = SignedDuration::from_secs(wait_before(invocation.attempt));
        let again_at = now.checked_add(wait).unwrap_or(now);
        let retry = invocation.target.retry;
        let age = again_at.duration_since(invocation.scheduled).as_secs();
        let retries = matches!(outcome, Outcome::Retry(_))
            && invocation.attempt <= retry.attempts
            && age <= retry.age;
        let next = Invocation {
            attempt: invocation.attempt.saturating_add(1),
            again: false,
            ..invocation.clone()
        };
        let write = if retries { body(&next, Some(again_at)) } else { EntryWrite::Delete };
        let key = invocation.id.as_bytes().to_vec();
        let space = INVOCATIONS.to_owned();
        self.change(vec![EntryChange { space, key, expect: Expect::Any, write }]).await?;
        self.under_way().remove(&invocation.id);
        let given_up = reason.filter(|_| !retries);
        Ok(given_up.map(|reason| Missed {
            schedule: invocation.schedule.clone(),
            first: invocation.scheduled,
            times: 1,
            reason,
        }))
    }

    async fn change(&self, changes: Vec<EntryChange>) -> Result<bool, StoreError> {
        self.inner.entries.change_entries(changes).await
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.inner.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds to wait after a failed attempt: twice as long each time.
fn wait_before(attempt: u32) -> i64 {
    1_i64.checked_shl(attempt.min(30)).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}

/// The last time of a schedule until `now`, from `first` on, and how many came before it.
fn last_until(record: &Record, first: Timestamp, now: Timestamp) -> (Timestamp, u64) {
    let (mut last, mut passed) = (first, 0);
    while let Some(next) = record.next_after(last).filter(|next| *next <= now) {
        last = next;
        passed += 1;
        // Long ago and far too many: what is left of them would be too late anyway.
        if passed == COUNTED {
            let recent = now.checked_sub(TOO_OLD).unwrap_or(last);
            last = record.next_after(last.max(recent)).filter(|n| *n <= now).unwrap_or(last);
        }
    }
    (last, passed)
}

fn body<T: serde::Serialize>(value: &T, due: Option<Timestamp>) -> EntryWrite {
    // Strings, numbers and JSON: there is nothing in it that could not be written.
    EntryWrite::Put { body: serde_json::to_vec(value).unwrap_or_default(), due }
}

fn put(invocation: &Invocation, due: Option<Timestamp>, entry: &Entry) -> EntryChange {
    EntryChange {
        space: entry.space.clone(),
        key: entry.key.clone(),
        expect: Expect::Revision(entry.revision),
        write: body(invocation, due),
    }
}

fn deletion(entry: &Entry) -> EntryChange {
    EntryChange {
        space: entry.space.clone(),
        key: entry.key.clone(),
        expect: Expect::Revision(entry.revision),
        write: EntryWrite::Delete,
    }
}
