//! A bounded queue with a thread behind it: one lane for writes, one for reads.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use offhook_pbx::keep::{KeepError, Kept};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::describe;
use crate::{Shared, prune};

/// Why one job was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// SQLite says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The request makes no sense; the text says why.
    #[error("{0}")]
    Because(String),
}

/// How soon a write is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// With what comes in a moment.
    Company,
    /// At once: a caller waits for the answer.
    Now,
    /// At once, and on the disk before it is answered.
    Disk,
}

/// A question to the database. `run` is called at most once, `answer` exactly once.
pub(crate) trait Job: Send {
    /// How soon it is to be committed.
    fn urgency(&self) -> Urgency;
    /// Whether it was done; a failed one has left nothing behind.
    fn run(&mut self, connection: &Connection, path: &Path);
    /// Tells the caller, once it is known whether the transaction was committed.
    fn answer(self: Box<Self>, committed: Result<(), KeepError>);
}

struct Ask<T, F> {
    urgency: Urgency,
    work: Option<F>,
    outcome: Option<Result<T, KeepError>>,
    reply: oneshot::Sender<Result<T, KeepError>>,
}

impl<T, F> Job for Ask<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, Refused> + Send,
{
    fn urgency(&self) -> Urgency {
        self.urgency
    }

    fn run(&mut self, connection: &Connection, path: &Path) {
        let Some(work) = self.work.take() else { return };
        self.outcome = Some(work(connection).map_err(|refused| match refused {
            Refused::Sqlite(error) => KeepError::Failed(describe(path, &error)),
            Refused::Because(why) => KeepError::Failed(why),
        }));
    }

    fn answer(self: Box<Self>, committed: Result<(), KeepError>) {
        let outcome = match (self.outcome, committed) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(outcome), Ok(())) => outcome,
            (None, Ok(())) => Err(KeepError::Failed("the write was not begun".into())),
        };
        // Nobody waits any more: fine, it is written all the same.
        let _ = self.reply.send(outcome);
    }
}

/// A queue's end and its thread.
pub(crate) struct Lane {
    jobs: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    hurry: Arc<Hurry>,
}

/// Something in the queue does not wait for company.
#[derive(Debug, Default)]
pub(crate) struct Hurry(AtomicBool);

impl Hurry {
    /// Sleeps for so long, or until it is called for.
    fn sleep(&self, most: Duration) {
        let begin = Instant::now();
        while !self.0.swap(false, Ordering::AcqRel) {
            match most.checked_sub(begin.elapsed()) {
                Some(rest) if !rest.is_zero() => std::thread::park_timeout(rest),
                _ => return,
            }
        }
    }
}

impl Lane {
    pub(crate) fn start(
        name: &str,
        queue: usize,
        run: impl FnOnce(&Receiver<Box<dyn Job>>, &Hurry) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(queue.max(1));
        let hurry = Arc::new(Hurry::default());
        let heard = Arc::clone(&hurry);
        let thread = Builder::new().name(name.to_owned()).spawn(move || run(&receiver, &heard))?;
        Ok(Self { jobs: Some(sender), thread: Some(thread), hurry })
    }

    /// Queues a question; the future resolves with its answer.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        urgency: Urgency,
        work: impl FnOnce(&Connection) -> Result<T, Refused> + Send + 'static,
    ) -> Kept<T> {
        let (reply, answer) = oneshot::channel();
        let job = Ask { urgency, work: Some(work), outcome: None, reply };
        let queued = self.push(Box::new(job));
        Box::pin(async move {
            queued.map_err(|(error, _)| error)?;
            answer.await.unwrap_or_else(|_| Err(closed()))
        })
    }

    /// Queues a job without waiting; gives it back when there is no room.
    pub(crate) fn push(&self, job: Box<dyn Job>) -> Result<(), (KeepError, Box<dyn Job>)> {
        let urgent = job.urgency() != Urgency::Company;
        match &self.jobs {
            None => Err((closed(), job)),
            Some(jobs) => jobs.try_send(job).map_err(|error| match error {
                TrySendError::Full(job) => (KeepError::Overloaded, job),
                TrySendError::Disconnected(job) => (closed(), job),
            }),
        }?;
        if urgent && let Some(thread) = &self.thread {
            self.hurry.0.store(true, Ordering::Release);
            thread.thread().unpark();
        }
        Ok(())
    }
}

fn closed() -> KeepError {
    KeepError::Failed("the store is closed".into())
}

impl Drop for Lane {
    /// Waits until everything that is queued is done.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a thread of the store has panicked");
        }
    }
}

/// The reading thread.
pub(crate) fn read(connection: &Connection, path: &Path, jobs: &Receiver<Box<dyn Job>>) {
    while let Ok(mut job) = jobs.recv() {
        job.run(connection, path);
        job.answer(Ok(()));
    }
}

/// Jobs of one transaction.
const MAX_BATCH: usize = 512;
/// Niceness of the thread that writes.
const BEHIND: i32 = 5;

/// Where a core is short, what is written for many at once goes behind the callers who wait.
fn make_way() {
    // Always allowed; what a system without it would do is what it did before.
    let _ = rustix::process::setpriority_process(None, BEHIND);
}

/// Between two rounds of maintenance.
const MAINTENANCE: Duration = Duration::from_secs(300);
/// Between two lines about a disk that takes nothing.
const QUIET: Duration = Duration::from_secs(60);

/// The writing thread.
pub(crate) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    linger: Duration,
    maintain: bool,
    /// When the journal was last told that nothing could be written.
    told: std::cell::Cell<Option<Instant>>,
}

impl Writer {
    pub(crate) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        linger: Duration,
        maintain: bool,
    ) -> Self {
        Self { connection, shared, linger, maintain, told: std::cell::Cell::default() }
    }

    /// Until the queue is closed and empty.
    pub(crate) fn run(self, jobs: &Receiver<Box<dyn Job>>, hurry: &Hurry) {
        make_way();
        let mut batch = Vec::with_capacity(MAX_BATCH);
        let mut maintenance = Instant::now();
        // The last transaction was full: there is company enough.
        let mut full = false;
        loop {
            let wait = match self.maintain {
                true => maintenance.saturating_duration_since(Instant::now()),
                false => MAINTENANCE,
            };
            match jobs.recv_timeout(wait) {
                Ok(job) => batch.push(job),
                Err(RecvTimeoutError::Timeout) if self.maintain => {
                    // One small step; the queue is looked at in between.
                    if self.maintenance_step() {
                        maintenance = Instant::now() + MAINTENANCE;
                    }
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if !full && batch.iter().all(|job| job.urgency() == Urgency::Company) {
                hurry.sleep(self.linger);
            }
            // Whoever hurried before this is in the batch, or finds the flag up at the next one.
            hurry.0.swap(false, Ordering::AcqRel);
            batch.extend(jobs.try_iter().take(MAX_BATCH - 1));
            full = batch.len() == MAX_BATCH;
            self.commit(&mut batch);
        }
        // Leaves a file without a log beside it, for whoever copies it.
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }

    /// `true`: nothing is left to do.
    fn maintenance_step(&self) -> bool {
        prune::sweep_trash(&self.connection);
        prune::step(&self.connection, &self.shared).unwrap_or_else(|error| {
            let error = describe(&self.shared.path, &error);
            tracing::warn!(error, "old records were not thrown away");
            true
        })
    }

    /// One transaction for all, then all answers.
    fn commit(&self, batch: &mut Vec<Box<dyn Job>>) {
        let durable = batch.iter().any(|job| job.urgency() == Urgency::Disk);
        let committed = self.transaction(batch, durable).map_err(|error| {
            let text = describe(&self.shared.path, &error);
            // Each writer hears of it; the journal, which may lie on the same disk, now and then.
            if self.told.get().is_none_or(|told| told.elapsed() >= QUIET) {
                self.told.set(Some(Instant::now()));
                tracing::error!(error = text, writes = batch.len(), "nothing was written");
            }
            KeepError::Failed(text)
        });
        if durable && committed.is_ok() {
            prune::sweep_trash(&self.connection);
        }
        for job in batch.drain(..) {
            job.answer(committed.clone());
        }
    }

    fn transaction(&self, batch: &mut [Box<dyn Job>], durable: bool) -> rusqlite::Result<()> {
        let connection = &self.connection;
        if durable {
            // SQLite heeds it outside of transactions only.
            connection.pragma_update(None, "synchronous", "FULL")?;
        }
        let done = self.run_batch(batch);
        if done.is_err() && !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        if durable {
            connection.pragma_update(None, "synchronous", "NORMAL")?;
        }
        done
    }

    fn run_batch(&self, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let connection = &self.connection;
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for job in batch {
            job.run(connection, &self.shared.path);
            // A full disk or an I/O error rolls the whole transaction back by itself: what follows
            // must not be committed one by one, nor what came before be taken for written.
            if connection.is_autocommit() {
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK),
                    Some("the transaction was rolled back".into()),
                ));
            }
        }
        crate::calls::write_lost_events(connection, &self.shared)?;
        connection.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

/// Runs several statements so that all or none of them stay in the surrounding transaction.
pub(crate) fn all_or_none<T>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T, Refused>,
) -> Result<T, Refused> {
    connection.prepare_cached("SAVEPOINT job")?.execute([])?;
    let outcome = work();
    // After a rollback of everything there is no savepoint any more.
    if !connection.is_autocommit() {
        if outcome.is_err() {
            connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
        }
        connection.prepare_cached("RELEASE job")?.execute([])?;
    }
    outcome
}
