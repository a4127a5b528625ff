//! The traits of the heart and of the workflows on SQLite: what must survive a restart.
//!
//! > One thread writes and one reads; callers hold a queue's end. What is answered `Ok` is
//! > committed: it survives `kill -9` of the daemon.
//!
//! A write is queued when the trait's method is *called*, not when its future is first polled, and
//! dropping the future does not take it back: writes of one caller happen in their order.
//!
//! **Power cuts.** The journal is a write-ahead log with `synchronous = NORMAL`: the operating
//! system has the data when `Ok` is answered, the disk has it at the next checkpoint. A power cut
//! may lose the last seconds of registrations, bans and call records, never the file's soundness.
//! Voicemail messages, extensions, workflow definitions and what services of workflows keep are
//! written with `synchronous = FULL`: they are on the disk.

mod bans;
mod bindings;
pub mod buckets;
mod calls;
mod convert;
mod dnis;
mod error;
mod extensions;
mod flows;
mod lane;
mod lookups;
pub mod objects;
mod prune;
mod recordings;
mod schema;
mod supervised;
mod transfers;
mod voicemails;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use offhook_pbx::keep::Kept;
use rusqlite::Connection;

pub use self::dnis::SqlitePool;
pub use self::error::StoreError;
use self::lane::{Lane, Urgency, Writer};
use self::lookups::Lookups;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Writes that may wait; more are refused with [`offhook_pbx::keep::KeepError::Overloaded`].
    pub queue: usize,
    /// Timeline events that may wait; more are lost and counted.
    pub queued_events: usize,
    /// How long a write waits for company before both are committed together. Each commit costs a
    /// few system calls and wakes two threads: at 100 registrations a second, 20 ms of patience
    /// halve their cost. What must reach the disk (voicemail, extensions) and what a caller waits for
    /// (pairs of numbers) does not wait.
    pub linger: Duration,
    /// How long to wait for another process (the command line) that is writing.
    pub busy: Duration,
    /// Whether to throw away old call records and what has expired. The daemon does; the command
    /// line does not.
    pub maintain: bool,
    /// Age in days at which call records are thrown away; 0: never.
    pub keep_days: u32,
    /// Number of call records above which the oldest are thrown away; 0: never.
    pub keep_calls: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: 8_192,
            queued_events: 100_000,
            linger: Duration::from_millis(50),
            busy: Duration::from_secs(5),
            maintain: true,
            keep_days: 90,
            keep_calls: 100_000,
        }
    }
}

/// The database, opened. Clones share it; it closes when the last one is dropped, after what is
/// queued is written.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    writes: Arc<Lane>,
    reads: Arc<Lane>,
    lookups: Arc<Lookups>,
}

/// What handles and threads share.
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) opened: std::time::Instant,
    /// When the last thing had happened, as the first round of maintenance found it: what is
    /// written under a clock that is ahead proves nothing for that clock.
    pub(crate) newest_at_start: std::sync::OnceLock<std::time::SystemTime>,
    pub(crate) keep_days: AtomicU64,
    pub(crate) keep_calls: AtomicU64,
    /// Order of a timeline's rows. It begins with the time of opening, so that it goes on rising
    /// after a restart without a look at what is there.
    pub(crate) next_row: AtomicI64,
    /// Timeline events in the queue.
    pub(crate) queued_events: AtomicUsize,
    pub(crate) max_queued_events: usize,
    pub(crate) seal: flows::seal::Seal,
    /// Events that found no room, by call.
    lost_events: Mutex<HashMap<String, u64>>,
}

/// Calls of which lost events are counted apart; beyond that nobody counts.
const MAX_LOST_CALLS: usize = 4_096;

impl Shared {
    pub(crate) fn lose_events(&self, call: String, count: usize) {
        let mut lost = self.lost_events.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.len() < MAX_LOST_CALLS || lost.contains_key(&call) {
            *lost.entry(call).or_default() += count as u64;
        }
    }

    pub(crate) fn take_lost_events(&self) -> HashMap<String, u64> {
        std::mem::take(&mut *self.lost_events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store {
    /// Opens a database, makes it when there is none, and brings an older one up to date. Blocks
    /// for a few milliseconds.
    ///
    /// # Errors
    ///
    /// A text that names the file and what to do.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let write = schema::open_for_writing(path, options.busy)?;
        let read = schema::open_for_reading(path, options.busy)?;
        let lookups = Lookups::new(schema::open_for_reading(path, options.busy)?, path);
        let shared = Arc::new(Shared {
            opened: std::time::Instant::now(),
            newest_at_start: std::sync::OnceLock::new(),
            path: path.to_owned(),
            keep_days: AtomicU64::new(options.keep_days.into()),
            keep_calls: AtomicU64::new(options.keep_calls),
            next_row: AtomicI64::new(convert::nanos(SystemTime::now())),
            queued_events: AtomicUsize::new(0),
            max_queued_events: options.queued_events,
            lost_events: Mutex::new(HashMap::new()),
            seal: flows::seal::Seal::beside(path),
        });
        let writer = Writer::new(write, shared.clone(), options.linger, options.maintain);
        let thread = |source| StoreError::Thread { source };
        let writes =
            Lane::start("store-write", options.queue, |jobs, hurry| writer.run(jobs, hurry));
        let reader = shared.clone();
        let reads = Lane::start("store-read", options.queue, move |jobs, _| {
            lane::read(&read, &reader.path, jobs);
        });
        Ok(Self {
            shared,
            writes: Arc::new(writes.map_err(thread)?),
            reads: Arc::new(reads.map_err(thread)?),
            lookups: Arc::new(lookups),
        })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Changes how long call records are kept (reload). 0: for ever.
    pub fn set_retention(&self, keep_days: u32, keep_calls: u64) {
        self.shared.keep_days.store(keep_days.into(), Ordering::Relaxed);
        self.shared.keep_calls.store(keep_calls, Ordering::Relaxed);
    }

    /// Ends the records of calls that a killed daemon left open, with disposition `lost`; gives
    /// their number. For the daemon's start, before the first call.
    pub fn close_lost_calls(&self) -> Kept<usize> {
        self.write(Urgency::Company, calls::close_lost)
    }

    /// Answers when everything that was queued before is written. For the daemon's end: what is
    /// still queued when the process ends is gone.
    pub fn flush(&self) -> Kept<()> {
        self.write(Urgency::Company, |_| Ok(()))
    }

    /// Writes what is written already: whether the disk takes anything, and the file is ours.
    pub fn probe(&self) -> Kept<()> {
        self.write(Urgency::Company, |connection| {
            let version: i64 =
                connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok(connection.pragma_update(None, "user_version", version)?)
        })
    }

    /// Queues a write.
    fn write<T: Send + 'static>(
        &self,
        urgency: Urgency,
        work: impl FnOnce(&Connection) -> Result<T, lane::Refused> + Send + 'static,
    ) -> Kept<T> {
        self.writes.ask(urgency, work)
    }

    /// Queues a read. It sees every write that was answered before.
    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, lane::Refused> + Send + 'static,
    ) -> Kept<T> {
        self.reads.ask(Urgency::Now, work)
    }

    /// Reads at once, on the thread that asks; see [`Lookups`].
    fn look_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, lane::Refused>,
    ) -> Kept<T> {
        Box::pin(std::future::ready(self.lookups.ask(work)))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
