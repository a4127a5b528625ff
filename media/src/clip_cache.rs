//! Decoded clips kept by path, so that a greeting is decoded once and not once a call.
//!
//! Half of the room is for short clips, the other half for long ones: music pushes no prompt out.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clip::{Clip, ClipError, Limits, decode_with};
use crate::g711::Law;
use crate::lru::Lru;
use crate::stamp::Stamp;

/// What one file may take of the cache when it is decoded behind its hearers: a quarter.
const SHARE: usize = 4;

/// A clip that takes more than this part of the cache is a long one, however small its file is.
const SHORT_SHARE: usize = 16;

/// Files that are not here and of which is remembered why.
const MAX_KNOWN: usize = 1000;

/// For so long a file is not decoded a second time behind its hearers, though others took its room.
const AGAIN: Duration = Duration::from_secs(600);

/// For so long a file that could not be read is left alone.
const RETRY: Duration = Duration::from_secs(10);

/// So many requests make up for one more decoding: each of them decodes the file for itself meanwhile.
const MANY: u32 = 32;

/// How nice the thread is that decodes behind hearers: they have something to hear.
const BEHIND: i32 = 10;

/// A cache bounded by the memory its clips take. A file that was changed is read anew.
#[derive(Debug)]
pub struct ClipCache {
    limits: Limits,
    bytes: usize,
    rooms: Mutex<Rooms>,
    /// Long files that were asked for and are not here.
    known: Mutex<Lru<PathBuf, (Stamp, Known)>>,
    /// A file is being decoded behind its hearers.
    keeping: AtomicBool,
}

type Kept = (Stamp, Arc<Clip>);

#[derive(Debug)]
struct Rooms {
    short: Lru<PathBuf, Kept>,
    long: Lru<PathBuf, Kept>,
}

/// What is known of a long file that is not here.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// It was asked for once.
    Once,
    /// It was decoded, or could not be read: not again before then, unless [`MANY`] ask.
    Wait { until: Instant, asked: u32 },
    /// It is too long or broken.
    Never,
}

impl ClipCache {
    /// A cache of at most `bytes` of audio; 64 MB hold a quarter of an hour.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self::with_limits(bytes, Limits::default())
    }

    /// A cache with limits for each file.
    #[must_use]
    pub fn with_limits(bytes: usize, limits: Limits) -> Self {
        let rooms = Rooms { short: Lru::new(bytes / 2), long: Lru::new(bytes - bytes / 2) };
        Self {
            limits,
            bytes,
            rooms: Mutex::new(rooms),
            known: Mutex::new(Lru::new(MAX_KNOWN)),
            keeping: AtomicBool::new(false),
        }
    }

    /// The clip of this file, decoded now unless it is here already. Blocks.
    ///
    /// # Errors
    /// As [`crate::clip::decode()`]. Errors are not kept: a file that was put right works at once.
    pub fn get(&self, path: &Path) -> Result<Arc<Clip>, ClipError> {
        let stamp = Stamp::of(path)
            .map_err(|source| ClipError::Io { name: path.display().to_string(), source })?;
        match self.kept(path, stamp) {
            Some(clip) => Ok(clip),
            None => {
                let clip = decode_with(path, self.limits)?;
                let long = clip.memory() > self.bytes / SHORT_SHARE;
                Ok(self.put(path, stamp, clip, long))
            }
        }
    }

    /// As [`Self::get`], for a file that can also be read while it plays: `None` when it would take
    /// more than a quarter of the cache, however small the file is.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_fitting(&self, path: &Path) -> Result<Option<Arc<Clip>>, ClipError> {
        let stamp = Stamp::of(path)
            .map_err(|source| ClipError::Io { name: path.display().to_string(), source })?;
        if let Some(clip) = self.kept(path, stamp) {
            return Ok(Some(clip));
        }
        let known = lock(&self.known).get(path);
        if matches!(known, Some((of, Known::Never)) if of == stamp) {
            return Ok(None);
        }
        match decode_with(path, self.fitting()) {
            Ok(clip) => {
                let long = clip.memory() > self.bytes / SHORT_SHARE;
                Ok(Some(self.put(path, stamp, clip, long)))
            }
            Err(ClipError::TooLong { .. }) => {
                self.know(path, stamp, Known::Never);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What a file may have that is to take no more than its share.
    fn fitting(&self) -> Limits {
        let most = self.bytes / SHARE / Clip::SECOND;
        let seconds = u32::try_from(most).unwrap_or(u32::MAX).min(self.limits.seconds);
        Limits { seconds, ..self.limits }
    }

    /// The clip of this file when it is here. If not, it is decoded on a thread of its own, behind
    /// those who hear it in another way meanwhile: when it is asked for a second time, one file at a
    /// time, and none that would take more than a quarter of the cache. One that had to make room is
    /// decoded again after ten minutes, or as soon as many have asked for it.
    #[must_use]
    pub fn get_or_keep(self: &Arc<Self>, path: &Path, now: Instant) -> Option<Arc<Clip>> {
        let stamp = Stamp::of(path).ok()?;
        if let Some(clip) = self.kept(path, stamp) {
            return Some(clip);
        }
        if self.is_due(path, stamp, now) && !self.keeping.swap(true, Ordering::Acquire) {
            let keeping = Keeping(Arc::clone(self));
            let of = path.to_owned();
            let thread = std::thread::Builder::new().name("sound-keeper".into());
            self.know(path, stamp, Known::Wait { until: now + AGAIN, asked: 0 });
            let started = thread.spawn(move || {
                // Where that is not allowed, it is as nice as others.
                let _ = rustix::process::setpriority_process(None, BEHIND);
                keeping.0.keep(&of, stamp, now);
            });
            if started.is_err() {
                // Whoever comes next tries again.
                self.know(path, stamp, Known::Once);
            }
        }
        None
    }

    /// Takes note of a request for a file that is not here; whether it is to be decoded.
    fn is_due(&self, path: &Path, stamp: Stamp, now: Instant) -> bool {
        let before = lock(&self.known).get(path).filter(|(of, _)| *of == stamp);
        let (due, known) = match before.map(|(_, known)| known) {
            None => (false, Known::Once),
            Some(Known::Wait { until, asked }) if now < until && asked < MANY => {
                (false, Known::Wait { until, asked: asked + 1 })
            }
            Some(Known::Never) => (false, Known::Never),
            Some(known) => (true, known),
        };
        self.know(path, stamp, known);
        due
    }

    fn know(&self, path: &Path, stamp: Stamp, known: Known) {
        lock(&self.known).put(path.to_owned(), (stamp, known), 1);
    }

    /// Decodes a file that fits.
    fn keep(&self, path: &Path, stamp: Stamp, now: Instant) {
        let error = match decode_with(path, self.fitting()) {
            Ok(clip) => return drop(self.put(path, stamp, clip, true)),
            Err(error) => error,
        };
        tracing::debug!(%error, "a long file is read anew for each hearer");
        let known = match error {
            // Want of memory or of file descriptors is not the file's fault, and goes by.
            ClipError::Io { .. } => Known::Wait { until: now + RETRY, asked: 0 },
            _ => Known::Never,
        };
        self.know(path, stamp, known);
    }

    fn kept(&self, path: &Path, stamp: Stamp) -> Option<Arc<Clip>> {
        let mut rooms = lock(&self.rooms);
        let (of, clip) = rooms.short.get(path).or_else(|| rooms.long.get(path))?;
        (of == stamp).then_some(clip)
    }

    fn put(&self, path: &Path, stamp: Stamp, clip: Clip, long: bool) -> Arc<Clip> {
        let fits = clip.memory() <= self.bytes - self.bytes / 2;
        if long && fits {
            // Not left to the thread of the call that hears it next. Room is counted for all forms.
            for law in [Law::Mu, Law::A] {
                clip.encoded(law);
            }
        }
        // Decoded outside the lock: two callers may do the same work once, nobody waits for another file.
        let clip = Arc::new(clip);
        let (bytes, entry) = (clip.memory(), (stamp, Arc::clone(&clip)));
        let rooms = &mut *lock(&self.rooms);
        let (to, other) = match long {
            true => (&mut rooms.long, &mut rooms.short),
            false => (&mut rooms.short, &mut rooms.long),
        };
        other.remove(path);
        to.put(path.to_owned(), entry, bytes);
        clip
    }

    /// Bytes of audio held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let rooms = lock(&self.rooms);
        rooms.short.bytes() + rooms.long.bytes()
    }

    /// Number of clips held.
    #[must_use]
    pub fn len(&self) -> usize {
        let rooms = lock(&self.rooms);
        rooms.short.len() + rooms.long.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cache that decodes a file behind its hearers, until this goes.
struct Keeping(Arc<ClipCache>);

impl Drop for Keeping {
    fn drop(&mut self) {
        self.0.keeping.store(false, Ordering::Release);
    }
}
