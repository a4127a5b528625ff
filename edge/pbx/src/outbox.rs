//! Brings recordings to where they are kept, and tries until they are there.
//!
//! > A recording is written to this machine's disk first and announced to [`crate::keep`]. Here it is
//! > carried to its place, an object store or a folder, and only then forgotten. What the store
//! > does not take now it is offered again, after a restart as well.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};

use crate::event::{CallEvent, CallEventKind};
use crate::keep::{KeepError, Recording};
use crate::metrics::Metrics;

/// What is carried at once from the keep's list.
const ROUND: usize = 64;
/// The wait after a round that failed, doubled with each that follows up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// With nothing to do: how often the numbers are made anew.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// An attempt that takes longer has failed.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(3600);

/// A place for recordings: a folder, an S3-compatible object store.
pub trait RecordingStore: Send + Sync {
    /// Puts the file there, whole or not at all, and gives its location in words. To put it a second
    /// time is no mistake: the first attempt's answer may have been lost.
    fn put(&self, parcel: Parcel) -> Putting;
}

/// A recording under way to a [`RecordingStore`].
pub type Putting = Pin<Box<dyn Future<Output = Result<String, PutError>> + Send>>;

/// What is to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The file on this machine.
    pub file: PathBuf,
    /// Its name there.
    pub key: String,
    /// The bucket of an application; `None`: where recordings of calls are kept.
    pub bucket: Option<String>,
    /// What is known of it, for stores that keep such: names and values.
    pub facts: Vec<(&'static str, String)>,
}

/// Why it is not there.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The file on this machine cannot be read.
    #[error("{0}")]
    File(#[from] io::Error),
    /// The store does not answer, or refuses.
    #[error("{0}")]
    Store(String),
}

/// Where recordings go now, and what becomes of the file here.
#[derive(Clone)]
pub struct Destination {
    /// The place; what is for a bucket it brings there.
    pub store: Arc<dyn RecordingStore>,
    /// Where a copy stays on this machine besides, of what is for no bucket.
    pub copy: Option<Arc<dyn RecordingStore>>,
    /// Recordings carried at a time.
    pub at_once: usize,
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destination").field("at_once", &self.at_once).finish_non_exhaustive()
    }
}

/// What an outbox is made of.
pub struct Parts {
    /// The list of what waits.
    pub keep: Arc<dyn crate::keep::Keep>,
    /// Where it goes; another one at a reload.
    pub destination: watch::Receiver<Destination>,
    /// Told when a recording has ended.
    pub news: Arc<Notify>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// Works until the destination's sender is gone.
pub async fn run(mut parts: Parts) {
    let mut failed = 0;
    let mut next = tokio::time::Instant::now();
    loop {
        // While the store fails, only what was never tried is carried when it comes.
        let fresh = tokio::time::Instant::now() < next;
        match parts.round(fresh).await {
            Round::Nothing if fresh => {}
            Round::Nothing => (failed, next) = (0, tokio::time::Instant::now() + LOOK_EVERY),
            Round::Carried => {
                (failed, next) = (0, tokio::time::Instant::now());
                continue;
            }
            Round::Failed if fresh && failed > 0 => {}
            Round::Failed => {
                let wait = (FIRST_WAIT * 2u32.saturating_pow(failed)).min(LONGEST_WAIT);
                (failed, next) =
                    (failed.saturating_add(1).min(16), tokio::time::Instant::now() + wait);
            }
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = parts.news.notified() => {}
            changed = parts.destination.changed() => {
                if changed.is_err() {
                    return;
                }
                next = tokio::time::Instant::now();
            }
        }
    }
}

/// What a round came to.
enum Round {
    Nothing,
    Carried,
    Failed,
}

impl Parts {
    async fn round(&mut self, fresh: bool) -> Round {
        let waiting = match self.keep.waiting_recordings(fresh, ROUND).await {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::error!(%error, "recordings wait: the list of them cannot be read");
                return Round::Failed;
            }
        };
        let destination = self.destination.borrow_and_update().clone();
        let mut round = if waiting.is_empty() { Round::Nothing } else { Round::Carried };
        let mut under_way = FuturesUnordered::new();
        for recording in waiting {
            if under_way.len() >= destination.at_once.max(1)
                && under_way.next().await == Some(false)
            {
                round = Round::Failed;
            }
            under_way.push(self.carry(&destination, recording));
        }
        while let Some(carried) = under_way.next().await {
            if !carried {
                round = Round::Failed;
            }
        }
        drop(under_way);
        self.count().await;
        round
    }

    /// Brings one recording to its place. Tells whether it is off the list.
    async fn carry(&self, destination: &Destination, recording: Recording) -> bool {
        let (id, call) = (recording.id.clone(), recording.call_id.clone());
        let result = match put(destination, &recording).await {
            Ok(location) => self.stored(recording, location).await,
            Err(PutError::File(error)) if error.kind() == io::ErrorKind::NotFound => {
                return self.lost(recording).await;
            }
            Err(error) => {
                self.metrics.recordings_delayed.inc();
                tracing::warn!(%call, %error, "a recording waits: it could not be stored");
                self.keep.recording_delayed(id, error.to_string()).await.map(|()| false)
            }
        };
        result.unwrap_or_else(|error| {
            tracing::error!(%call, %error, "what became of a recording could not be noted");
            false
        })
    }

    async fn stored(&self, recording: Recording, location: String) -> Result<bool, KeepError> {
        // In this order: killed in between, it is put a second time, which does no harm.
        self.keep.recording_stored(recording.id, location.clone()).await?;
        self.metrics.recordings_stored.inc();
        tracing::info!(call = %recording.call_id, location, "a recording is stored");
        // It was recorded where it belongs.
        let in_place = Path::new(&location) == recording.file;
        self.note(recording.call_id, CallEventKind::Stored { location });
        if in_place {
            return Ok(true);
        }
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_file(recording.file));
        match removed.await {
            // A store that is a folder has moved it.
            Ok(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "a recording that was stored stays here as well");
            }
            _ => {}
        }
        Ok(true)
    }

    /// Its file is gone: somebody has removed it.
    async fn lost(&self, recording: Recording) -> bool {
        let file = recording.file.display().to_string();
        tracing::error!(call = %recording.call_id, file, "a recording is gone before it was stored");
        self.metrics.recordings_broken.inc();
        let text = format!("the recording was removed from {file} before it was stored");
        self.note(recording.call_id, CallEventKind::Note { text });
        self.keep.finish_recording(recording.id, 0).await.is_ok()
    }

    fn note(&self, call: String, kind: CallEventKind) {
        let event = CallEvent { at: SystemTime::now(), leg: None, kind };
        self.keep.append_events(call, vec![event]);
    }

    async fn count(&self) {
        let Ok(backlog) = self.keep.recordings_backlog().await else { return };
        let age = backlog.oldest.and_then(|at| at.elapsed().ok()).unwrap_or_default();
        self.metrics.recordings_waiting.set(backlog.waiting);
        self.metrics.recordings_failing.set(backlog.failing);
        self.metrics.recordings_oldest_seconds.set(age.as_secs());
    }
}

async fn put(destination: &Destination, recording: &Recording) -> Result<String, PutError> {
    let parcel = Parcel {
        file: recording.file.clone(),
        key: recording.key.clone(),
        bucket: recording.bucket.clone(),
        // As the SIP media applications of AWS name them.
        facts: vec![
            ("transaction-id", recording.call_id.clone()),
            ("recording-duration", (recording.duration_ms / 1000).to_string()),
        ],
    };
    // On its own, so that a fault of the store's client is one more failed attempt.
    let mut putting = tokio::spawn(destination.store.put(parcel.clone()));
    let location = match tokio::time::timeout(LONGEST_ATTEMPT, &mut putting).await {
        Ok(Ok(put)) => put?,
        Ok(Err(fault)) => return Err(PutError::Store(format!("a fault of ours: {fault}"))),
        Err(_) => {
            putting.abort();
            return Err(PutError::Store("it took too long".to_owned()));
        }
    };
    if let Some(copy) = destination.copy.as_ref().filter(|_| recording.bucket.is_none()) {
        copy.put(parcel).await?;
    }
    Ok(location)
}
