//! Files that are too long to be kept decoded: read by a thread of its own, a second ahead of what is
//! heard.
//!
//! Buffers go in a circle between that thread and the hearer, so that a media thread takes no lock
//! and no memory.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use super::{More, Read, copy};
use crate::clip::ClipError;
use crate::clip::decode::Decoding;
use crate::resample::Samples;
use crate::voice::Rate;

/// Buffers of one stream, and samples at 8 kHz in each: 1.2 s in all, 58 kB.
const BUFFERS: usize = 6;
const CHUNK: usize = 1600;
/// Streams that are read at a time: 58 MB of buffers. Each has beside them an open file, 64 KiB that are
/// read of it at a time, and what its decoder and resampler need, which depends on the format.
const MAX_STREAMS: usize = 1024;
/// How often the thread looks for buffers that came back.
const ROUND: Duration = Duration::from_millis(10);

/// A piece of a file.
struct Chunk {
    /// The order to seek that it follows.
    seek: u32,
    /// Where it begins, at 8 kHz.
    from: u64,
    samples: Samples,
    /// The file ends with it.
    last: bool,
}

impl Chunk {
    fn new() -> Self {
        let samples =
            Samples { narrow: Vec::with_capacity(CHUNK), wide: Vec::with_capacity(2 * CHUNK) };
        Self { seek: 0, from: 0, samples, last: false }
    }
}

/// The hearer's end of a file that is being read. After its end it begins again, without being
/// asked, so that a repetition has no gap.
pub struct Stream {
    full: Receiver<Chunk>,
    empty: SyncSender<Chunk>,
    seeks: SyncSender<(u32, u64)>,
    seek: u32,
    current: Option<Chunk>,
    wideband: bool,
}

impl Stream {
    pub(super) fn is_wideband(&self) -> bool {
        self.wideband
    }

    pub(super) fn read(&mut self, at: u64, rate: Rate, room: &mut [i16]) -> Read {
        loop {
            let chunk = match self.current.take() {
                Some(chunk) => chunk,
                None => match self.full.try_recv() {
                    Ok(chunk) => chunk,
                    Err(TryRecvError::Empty) => return (0, More::Late),
                    // The file could not be read on.
                    Err(TryRecvError::Disconnected) => return (0, More::End),
                },
            };
            if chunk.seek != self.seek {
                self.give_back(chunk);
                continue;
            }
            let length = chunk.samples.narrow.len() as u64;
            let Some(offset) = at.checked_sub(chunk.from).filter(|offset| *offset <= length) else {
                // Somewhere else is wanted. When the order does not fit, the next look makes it.
                if self.seeks.try_send((self.seek.wrapping_add(1), at)).is_ok() {
                    self.seek = self.seek.wrapping_add(1);
                }
                self.give_back(chunk);
                continue;
            };
            let Samples { narrow, wide } = &chunk.samples;
            let all = if rate == Rate::Wide { wide } else { narrow };
            let (count, more) = copy(all, offset, rate, room);
            match more {
                More::Ready => {
                    self.current = Some(chunk);
                    return (count, More::Ready);
                }
                _ if chunk.last => {
                    self.give_back(chunk);
                    return (count, More::End);
                }
                _ => {
                    self.give_back(chunk);
                    if count > 0 {
                        return (count, More::Ready);
                    }
                }
            }
        }
    }

    fn give_back(&self, chunk: Chunk) {
        // There is room for all buffers; the thread is gone only when the program ends.
        let _ = self.empty.try_send(chunk);
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("wideband", &self.wideband).finish_non_exhaustive()
    }
}

/// The thread that reads files ahead. It ends with its last handle.
#[derive(Clone)]
pub struct Streams {
    jobs: SyncSender<Job>,
    /// Streams that are open, and may be.
    open: Arc<AtomicUsize>,
    most: usize,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

impl Streams {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system refuses one.
    pub fn start() -> io::Result<Self> {
        Self::start_for(MAX_STREAMS)
    }

    fn start_for(most: usize) -> io::Result<Self> {
        let (jobs, come) = sync_channel(most);
        std::thread::Builder::new().name("sound-files".into()).spawn(move || run(&come))?;
        Ok(Self { jobs, open: Arc::default(), most })
    }

    /// Opens a file and reads its first second. Blocks.
    ///
    /// # Errors
    /// See [`ClipError`]. Too many streams at a time are one, too.
    pub fn open(&self, path: &Path) -> Result<Stream, ClipError> {
        let refused = || ClipError::Io {
            name: path.display().to_string(),
            source: io::Error::other("too many long files are being played"),
        };
        let place = Place::of(&self.open, self.most).ok_or_else(refused)?;
        let (stream, mut job) = connect(path, place)?;
        while job.feed()? == Fed::Sent {}
        // There is room for each job that has a place.
        self.jobs.try_send(job).map_err(|_| refused())?;
        Ok(stream)
    }
}

/// One of the streams that may be read at a time.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn of(open: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let one_more = |open: usize| (open < most).then_some(open + 1);
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Self(Arc::clone(open)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Both ends of a file that is opened.
fn connect(path: &Path, place: Place) -> Result<(Stream, Job), ClipError> {
    let decoding = Decoding::open(path, 0)?;
    let wideband = decoding.is_wideband();
    let (full, chunks) = sync_channel(BUFFERS);
    let (empty, spare) = sync_channel(BUFFERS);
    let (seeks, orders) = sync_channel(4);
    for _ in 0..BUFFERS {
        // As many places as buffers.
        let _ = empty.try_send(Chunk::new());
    }
    let stream = Stream { full: chunks, empty, seeks, seek: 0, current: None, wideband };
    let job = Job {
        path: path.to_owned(),
        decoding: Some(decoding),
        ready: Samples::default(),
        ended: false,
        at: 0,
        seek: 0,
        full,
        spare,
        orders,
        _place: place,
    };
    Ok((stream, job))
}

fn run(come: &Receiver<Job>) {
    let mut jobs: Vec<Job> = Vec::new();
    loop {
        let new = if jobs.is_empty() {
            come.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            come.recv_timeout(ROUND)
        };
        match new {
            Ok(job) => jobs.push(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if jobs.is_empty() => return,
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(ROUND),
        }
        // One piece for each in a round, so that nobody waits for another's long way.
        jobs.retain_mut(|job| match job.feed() {
            Ok(fed) => fed != Fed::Gone,
            Err(error) => {
                tracing::warn!(%error, "a file breaks off while it plays");
                false
            }
        });
    }
}

/// The reader's end of a stream.
struct Job {
    path: PathBuf,
    /// `None`: to be opened at `at`.
    decoding: Option<Decoding<'static>>,
    /// Decoded, and not sent yet.
    ready: Samples,
    /// The file ends with `ready`.
    ended: bool,
    /// Where `ready` begins.
    at: u64,
    seek: u32,
    full: SyncSender<Chunk>,
    spare: Receiver<Chunk>,
    orders: Receiver<(u32, u64)>,
    _place: Place,
}

/// What became of a look at a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fed {
    /// A piece was sent.
    Sent,
    /// All buffers are full.
    Full,
    /// Nobody listens any more.
    Gone,
}

impl Job {
    /// Sends the next piece when there is a buffer for it.
    fn feed(&mut self) -> Result<Fed, ClipError> {
        while let Ok((seek, at)) = self.orders.try_recv() {
            (self.seek, self.at, self.ended) = (seek, at, false);
            self.decoding = None;
            self.ready.clear();
        }
        let mut chunk = match self.spare.try_recv() {
            Ok(chunk) => chunk,
            Err(TryRecvError::Empty) => return Ok(Fed::Full),
            Err(TryRecvError::Disconnected) => return Ok(Fed::Gone),
        };
        self.decode()?;
        let count = self.ready.narrow.len().min(CHUNK);
        chunk.samples.clear();
        chunk.samples.narrow.extend(self.ready.narrow.drain(..count));
        let wide = (2 * count).min(self.ready.wide.len());
        chunk.samples.wide.extend(self.ready.wide.drain(..wide));
        (chunk.seek, chunk.from) = (self.seek, self.at);
        chunk.last = self.ended && self.ready.narrow.is_empty();
        self.at += count as u64;
        if chunk.last {
            // From the beginning again, in case it is repeated.
            (self.at, self.ended) = (0, false);
        }
        // As many buffers as places: there is one for this.
        let gone = self.full.try_send(chunk).is_err();
        Ok(if gone { Fed::Gone } else { Fed::Sent })
    }

    /// Decodes until a piece is whole or the file ends.
    fn decode(&mut self) -> Result<(), ClipError> {
        while !self.ended && self.ready.narrow.len() < CHUNK {
            let mut decoding = match self.decoding.take() {
                Some(decoding) => decoding,
                None => Decoding::open(&self.path, self.at)?,
            };
            if decoding.step()? {
                decoding.take(&mut self.ready);
                self.decoding = Some(decoding);
            } else {
                decoding.finish(&mut self.ready)?;
                self.ended = true;
            }
        }
        Ok(())
    }
}
