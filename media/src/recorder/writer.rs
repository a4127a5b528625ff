//! The thread that writes.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::file::AudioFile;
use super::tape::Mixdown;
use super::{FRAME, Inner, News, RecordError, RecordingDone, Shared, Side, lock};

/// Samples of a channel gathered before they are written: half a second.
const BATCH: usize = 4000;
/// Samples between two looks at the free space: ten seconds.
const ROOM_EVERY: u64 = 80_000;
/// While something is recorded the writer takes what is there so often. A frame that had to wake it
/// would cost its media thread more than all the rest.
const GATHER: Duration = Duration::from_millis(20);
/// Most jobs taken before it looks around.
const AT_ONCE: usize = 4096;
/// The writer looks around at least this often, in case a wake-up found the queue full.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[expect(clippy::large_enum_variant, reason = "frames go by value: media threads do not allocate")]
pub(super) enum Job {
    Frame {
        id: u64,
        /// Of a tape: whose, and where.
        side: Side,
        at: u64,
        len: u16,
        frame: [i16; FRAME],
    },
    /// There are news, or it is time to stop.
    Look,
}

/// All open recordings.
pub(super) struct Recordings {
    shared: Arc<Shared>,
    open: HashMap<u64, Open>,
    /// Those of `open` that are to be finished when their last frame is written.
    finishing: Vec<u64>,
}

struct Open {
    inner: Arc<Inner>,
    /// Gone when the disk failed.
    file: Option<AudioFile>,
    /// Samples of each channel in the file.
    samples: u64,
    /// Of a tape: what is not in the batch yet.
    tape: Option<Mixdown>,
    /// Samples of the channels in turn, to be written next.
    batch: Vec<i16>,
    room_checked_at: u64,
    finishing: bool,
    error: Option<RecordError>,
}

impl Recordings {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, open: HashMap::new(), finishing: Vec::new() }
    }

    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            if self.open.is_empty() {
                match jobs.recv_timeout(LOOK_EVERY) {
                    Ok(job) => self.take(&job),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            } else {
                std::thread::sleep(GATHER);
            }
            jobs.try_iter().take(AT_ONCE).for_each(|job| self.take(&job));
            self.look();
            if self.shared.stopping.load(Ordering::SeqCst) {
                break;
            }
        }
        self.stop(jobs);
    }

    fn stop(&mut self, jobs: &Receiver<Job>) {
        self.read_news();
        for open in self.open.values() {
            open.inner.closed.store(true, Ordering::SeqCst);
        }
        while let Ok(job) = jobs.try_recv() {
            self.take(&job);
        }
        let ids: Vec<u64> = self.open.keys().copied().collect();
        ids.into_iter().for_each(|id| self.finish(id));
    }

    fn take(&mut self, job: &Job) {
        let Job::Frame { id, side, at, len, frame } = job else { return };
        let id = *id;
        if !self.open.contains_key(&id) {
            self.read_news();
        }
        let Some(open) = self.open.get_mut(&id) else { return };
        open.take(*side, *at, frame.get(..usize::from(*len)).unwrap_or_default());
        let waiting = open.inner.waiting.fetch_sub(1, Ordering::SeqCst) - 1;
        if open.finishing && waiting == 0 {
            self.finish(id);
        }
    }

    fn read_news(&mut self) {
        let news = std::mem::take(&mut *lock(&self.shared.news));
        for item in news {
            match item {
                News::Open(inner, file) => {
                    self.open.insert(inner.id, Open::new(inner, file));
                }
                News::Finish(id) => self.finish_soon(id),
            }
        }
    }

    /// Reads the news, and finishes what is to be finished and has nothing more under way. The count
    /// may fall to zero without a frame: a push that met the close takes its frame back.
    pub(super) fn look(&mut self) {
        self.read_news();
        let open = &self.open;
        let nothing_waits = |id: &u64| {
            open.get(id).is_none_or(|open| open.inner.waiting.load(Ordering::SeqCst) == 0)
        };
        let ready: Vec<u64> = self.finishing.iter().copied().filter(nothing_waits).collect();
        for id in ready {
            self.finish(id);
        }
    }

    fn finish_soon(&mut self, id: u64) {
        let Some(open) = self.open.get_mut(&id) else { return };
        open.finishing = true;
        if open.inner.waiting.load(Ordering::SeqCst) == 0 {
            self.finish(id);
        } else {
            self.finishing.push(id);
        }
    }

    fn finish(&mut self, id: u64) {
        self.finishing.retain(|waiting| *waiting != id);
        let Some(open) = self.open.remove(&id) else { return };
        let inner = Arc::clone(&open.inner);
        let done = open.finish();
        let mut end = lock(&inner.end);
        end.done = Some(done.clone());
        let callbacks = std::mem::take(&mut end.callbacks);
        drop(end);
        self.shared.open.fetch_sub(1, Ordering::SeqCst);
        callbacks.into_iter().for_each(|callback| callback(done.clone()));
    }
}

impl Open {
    fn new(inner: Arc<Inner>, file: AudioFile) -> Self {
        let batch = Vec::with_capacity((BATCH + FRAME) * usize::from(inner.channels));
        Self {
            tape: inner.tape.then(|| Mixdown::new(inner.channels)),
            inner,
            file: Some(file),
            samples: 0,
            batch,
            room_checked_at: 0,
            finishing: false,
            error: None,
        }
    }

    fn take(&mut self, side: Side, at: u64, samples: &[i16]) {
        let Some(tape) = &self.tape else {
            self.batch.extend_from_slice(samples);
            return self.write_full();
        };
        self.reel(tape.due(at + samples.len() as u64));
        if let Some(tape) = &mut self.tape {
            tape.put(side, at, samples);
        }
        let complete = self.tape.as_ref().map_or(0, Mixdown::complete);
        self.reel(complete);
    }

    /// Writes the tape up to a position.
    fn reel(&mut self, upto: u64) {
        while self.tape.as_mut().is_some_and(|tape| tape.take(upto, BATCH, &mut self.batch)) {
            self.write_full();
        }
    }

    fn write_full(&mut self) {
        if self.batch.len() >= BATCH * usize::from(self.inner.channels) {
            self.write();
        }
    }

    fn write(&mut self) {
        let Some(file) = &mut self.file else {
            self.batch.clear();
            return;
        };
        let room = if self.samples - self.room_checked_at >= ROOM_EVERY {
            self.room_checked_at = self.samples;
            let directory = self.inner.path.parent().unwrap_or(Path::new("."));
            check_room(directory, self.inner.min_free)
        } else {
            Ok(())
        };
        let written = room.and_then(|()| file.append(&self.batch));
        self.samples = file.samples();
        self.batch.clear();
        if let Err(error) = written {
            self.fail(error.into());
        }
    }

    /// Nothing more is written; the call goes on.
    fn fail(&mut self, error: RecordError) {
        self.error.get_or_insert(error);
        self.inner.failed.store(true, Ordering::SeqCst);
        self.inner.closed.store(true, Ordering::SeqCst);
        if let Some(Ok(samples)) = self.file.take().map(AudioFile::finish) {
            self.samples = samples;
        }
    }

    fn finish(mut self) -> RecordingDone {
        let end = self.tape.as_ref().map_or(0, |tape| tape.end().max(self.inner.end_at.get()));
        self.reel(end);
        if !self.batch.is_empty() {
            self.write();
        }
        if let Some(file) = self.file.take() {
            let synced = file.finish().and_then(|samples| {
                self.samples = samples;
                sync_directory(&self.inner.path)
            });
            if let Err(error) = synced {
                self.error.get_or_insert(error.into());
            }
        }
        RecordingDone {
            path: self.inner.path.clone(),
            samples: self.samples,
            dropped: self.inner.dropped.load(Ordering::Relaxed),
            error: self.error,
        }
    }
}

/// Refuses when fewer bytes than `min_free` are free for us.
pub(super) fn check_room(directory: &Path, min_free: u64) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let space = rustix::fs::statvfs(directory)?;
    if space.f_bavail.saturating_mul(space.f_frsize) < min_free {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

/// The name of a new file is on the disk only when its directory is.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(directory)?.sync_all()
}
