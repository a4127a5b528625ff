//! Recordings: one thread writes all files, so that no media thread ever waits for a disk.
//!
//! A pushed frame goes by value into a bounded queue whose memory was taken at the start; when the
//! queue, or a recording's share of it, is full, the frame is dropped and counted. A recording that
//! nobody finishes (a caller hangs up) is finished when its last handle goes.

mod file;
mod tape;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

pub use self::file::{FileKind, repair};
pub use self::tape::{Side, Tape};
pub use crate::wav::Format;

use self::file::AudioFile;
use self::tape::EndAt;
use crate::engine::SampleSink;
use writer::{Job, Recordings};

/// Samples in one queued frame: 20 ms at 8 kHz.
const FRAME: usize = 160;

/// Bounds of the recorder.
#[derive(Debug, Clone)]
pub struct RecorderConfig {
    /// Frames of 20 ms that all recordings together may have waiting; 350 bytes each.
    pub queue: usize,
    /// Frames of 20 ms that one recording may have waiting.
    pub queue_per_recording: usize,
    /// Free bytes the disk must keep: below, nothing is recorded.
    pub min_free: u64,
}

impl Default for RecorderConfig {
    fn default() -> Self {
        Self { queue: 8192, queue_per_recording: 250, min_free: 64 << 20 }
    }
}

/// How a recording ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingDone {
    /// The file.
    pub path: PathBuf,
    /// Samples of each channel in it, 8000 a second.
    pub samples: u64,
    /// Samples that were dropped because the disk was too slow.
    pub dropped: u64,
    /// Why it ended early or may not have reached the disk. What `samples` says is in the file.
    pub error: Option<RecordError>,
}

impl RecordingDone {
    /// Length of the recording.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.samples.saturating_mul(125))
    }
}

/// Why a recording ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not enough room on the disk.
    #[error("the disk is full")]
    DiskFull,
    /// Another complaint of the file system.
    #[error("cannot write the recording: {0}")]
    Io(String),
}

impl From<io::Error> for RecordError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error.to_string()),
        }
    }
}

/// Called once, on the writer's thread (or on the caller's, when the file was finished already):
/// must not block.
pub type OnDone = Box<dyn FnOnce(RecordingDone) + Send>;

/// The writer thread. Dropping it finishes every open recording and waits for that.
#[derive(Debug)]
pub struct Recorder {
    config: RecorderConfig,
    queue: SyncSender<Job>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What handles and writer share beside the queue.
#[derive(Debug, Default)]
struct Shared {
    /// Recordings to open and to finish; never on a media thread's path while it pushes.
    news: Mutex<Vec<News>>,
    stopping: AtomicBool,
    open: AtomicUsize,
    next_id: AtomicU64,
}

#[derive(Debug)]
enum News {
    Open(Arc<Inner>, AudioFile),
    Finish(u64),
}

/// One recording. Clones share it.
#[derive(Clone)]
pub struct RecordingHandle {
    handle: Arc<Handle>,
}

/// A way back to a handle that does not keep the recording open.
#[derive(Clone)]
pub struct WeakHandle {
    handle: Weak<Handle>,
}

/// Finishes the recording when the last clone goes.
struct Handle {
    inner: Arc<Inner>,
    queue: SyncSender<Job>,
    shared: Arc<Shared>,
    limit: usize,
}

/// The part of a recording that the writer sees too.
struct Inner {
    id: u64,
    path: PathBuf,
    channels: u16,
    /// Frames have their places on a time line; else each follows the one before.
    tape: bool,
    end_at: EndAt,
    min_free: u64,
    /// Frames in the queue.
    waiting: AtomicUsize,
    dropped: AtomicU64,
    /// Takes no more audio: finished, or failed.
    closed: AtomicBool,
    failed: AtomicBool,
    end: Mutex<End>,
}

#[derive(Default)]
struct End {
    done: Option<RecordingDone>,
    callbacks: Vec<OnDone>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for RecordingHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.inner.fmt(f)
    }
}

/// A panic elsewhere must not stop recordings: the data under these locks is whole at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Starts the writer thread with the default bounds.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start() -> io::Result<Self> {
        Self::with(RecorderConfig::default())
    }

    /// Starts the writer thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn with(config: RecorderConfig) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(config.queue.max(1));
        let shared = Arc::new(Shared::default());
        let recordings = Recordings::new(Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || recordings.run(&jobs))?;
        Ok(Self { config, queue, shared, thread: Some(thread) })
    }

    /// Creates the file of a recording in one channel; it must not exist. Touches the disk on the
    /// caller's thread.
    ///
    /// # Errors
    /// `StorageFull` when the disk has less room than the operator wants kept; else what the file
    /// system says.
    pub fn create(&self, path: &Path, kind: impl Into<FileKind>) -> io::Result<RecordingHandle> {
        self.create_with(path, kind.into(), 1, false)
    }

    fn create_with(
        &self,
        path: &Path,
        kind: FileKind,
        channels: u16,
        tape: bool,
    ) -> io::Result<RecordingHandle> {
        if let Some(directory) = path.parent() {
            writer::check_room(directory, self.config.min_free)?;
        }
        self.adopt(path, AudioFile::create(path, kind, channels)?, channels, tape)
    }

    fn adopt(
        &self,
        path: &Path,
        file: AudioFile,
        channels: u16,
        tape: bool,
    ) -> io::Result<RecordingHandle> {
        if self.shared.stopping.load(Ordering::SeqCst) {
            return Err(io::Error::other("the recorder has stopped"));
        }
        let inner = Arc::new(Inner {
            id: self.shared.next_id.fetch_add(1, Ordering::Relaxed),
            path: path.to_owned(),
            channels,
            tape,
            end_at: EndAt::default(),
            min_free: self.config.min_free,
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            end: Mutex::default(),
        });
        self.shared.open.fetch_add(1, Ordering::SeqCst);
        lock(&self.shared.news).push(News::Open(Arc::clone(&inner), file));
        let handle = Handle {
            inner,
            queue: self.queue.clone(),
            shared: Arc::clone(&self.shared),
            limit: self.config.queue_per_recording.max(1) * usize::from(channels),
        };
        Ok(RecordingHandle { handle: Arc::new(handle) })
    }

    /// Recordings whose file is not finished yet.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // A full queue wakes the writer as well.
        let _ = self.queue.try_send(Job::Look);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl RecordingHandle {
    /// Takes audio, 8 kHz mono. Never blocks, takes no lock that anybody holds long, allocates
    /// nothing; drops and counts what does not fit.
    pub fn push(&self, samples: &[i16]) {
        self.push_at(Side::Left, 0, samples);
    }

    /// The same for one side of a tape, at this place.
    fn push_at(&self, side: Side, at: u64, samples: &[i16]) {
        let Handle { inner, queue, limit, .. } = &*self.handle;
        for (n, piece) in samples.chunks(FRAME).enumerate() {
            // Counted before looking at `closed`: whoever closes sees this frame or we see the close.
            let waiting = inner.waiting.fetch_add(1, Ordering::SeqCst);
            if inner.closed.load(Ordering::SeqCst) {
                inner.waiting.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            let mut frame = [0; FRAME];
            frame.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
            let at = at + (n * FRAME) as u64;
            let job = Job::Frame { id: inner.id, side, at, len: piece.len() as u16, frame };
            if waiting >= *limit || queue.try_send(job).is_err() {
                inner.waiting.fetch_sub(1, Ordering::SeqCst);
                inner.dropped.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
        }
    }

    /// A tape is to be this long.
    fn end_at(&self, position: u64) {
        self.handle.inner.end_at.set(position);
    }

    /// Ends the recording: what was pushed is written, synced to the disk, then `on_done` is called.
    /// May be called after the recording ended by itself; every callback is called once.
    pub fn finish(&self, on_done: OnDone) {
        self.when_done(on_done);
        self.handle.close();
    }

    /// Calls back when the recording has ended, at once when it did already.
    fn when_done(&self, on_done: OnDone) {
        let mut end = lock(&self.handle.inner.end);
        match end.done.clone() {
            Some(done) => {
                drop(end);
                on_done(done);
            }
            None => end.callbacks.push(on_done),
        }
    }

    /// Whether the disk failed and nothing is recorded any more.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.handle.inner.failed.load(Ordering::SeqCst)
    }

    /// For one who wants to finish it later, if it is open then.
    #[must_use]
    pub fn downgrade(&self) -> WeakHandle {
        WeakHandle { handle: Arc::downgrade(&self.handle) }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.handle.inner.path
    }

    /// For [`crate::engine::Recording::to`].
    #[must_use]
    pub fn sink(&self) -> Box<dyn SampleSink> {
        Box::new(self.clone())
    }
}

impl WeakHandle {
    /// The handle, while somebody else has one.
    #[must_use]
    pub fn upgrade(&self) -> Option<RecordingHandle> {
        self.handle.upgrade().map(|handle| RecordingHandle { handle })
    }
}

impl fmt::Debug for WeakHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakHandle")
    }
}

impl SampleSink for RecordingHandle {
    fn push(&mut self, samples: &[i16]) {
        RecordingHandle::push(self, samples);
    }

    fn is_broken(&self) -> bool {
        self.failed()
    }

    fn finish(self: Box<Self>) {
        self.handle.close();
    }
}

impl Handle {
    /// No more audio; the writer finishes the file when it has written what waits.
    fn close(&self) {
        if !self.inner.closed.swap(true, Ordering::SeqCst)
            || self.inner.failed.load(Ordering::SeqCst)
        {
            lock(&self.shared.news).push(News::Finish(self.inner.id));
            let _ = self.queue.try_send(Job::Look);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}
