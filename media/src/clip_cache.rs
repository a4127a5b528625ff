//! Decoded clips kept by path, so that a greeting is decoded once and not once a call.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::clip::{Clip, ClipError, Limits, decode_with};
use crate::lru::Lru;

/// What one file may take of the cache when it is decoded behind its hearers: a quarter.
const SHARE: usize = 4;

/// Files of which is remembered that they cannot be kept.
const MAX_REFUSED: usize = 1000;

/// How nice the thread is that decodes behind hearers: they have something to hear.
const BEHIND: i32 = 10;

/// A cache bounded by the memory its clips take. A changed file (time or length) is read anew.
#[derive(Debug)]
pub struct ClipCache {
    limits: Limits,
    bytes: usize,
    clips: Mutex<Lru<PathBuf, (Stamp, Arc<Clip>)>>,
    /// What was tried to be kept and is too long for it, or broken.
    refused: Mutex<Lru<PathBuf, Stamp>>,
    /// A file is being decoded behind its hearers.
    keeping: AtomicBool,
}

/// What tells one content of a file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self { modified: metadata.modified().ok(), len: metadata.len() })
    }
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
        Self {
            limits,
            bytes,
            clips: Mutex::new(Lru::new(bytes)),
            refused: Mutex::new(Lru::new(MAX_REFUSED)),
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
            None => self.decode(path, stamp, self.limits),
        }
    }

    /// The clip of this file when it is here. If not, it is decoded on a thread of its own, once and
    /// behind those who hear it in another way meanwhile; one file at a time, and none that would take
    /// more than a quarter of the cache.
    #[must_use]
    pub fn get_or_keep(self: &Arc<Self>, path: &Path) -> Option<Arc<Clip>> {
        let stamp = Stamp::of(path).ok()?;
        if let Some(clip) = self.kept(path, stamp) {
            return Some(clip);
        }
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let hopeless = refused.get(path).is_some_and(|of| of == stamp);
        drop(refused);
        if !hopeless && !self.keeping.swap(true, Ordering::Acquire) {
            let keeping = Keeping(Arc::clone(self));
            let path = path.to_owned();
            // Without a thread, whoever comes next tries again.
            let _ = std::thread::Builder::new().name("sound-keeper".into()).spawn(move || {
                // Where that is not allowed, it is as nice as others.
                let _ = rustix::process::setpriority_process(None, BEHIND);
                keeping.0.keep(&path, stamp);
            });
        }
        None
    }

    /// Decodes a file that fits.
    fn keep(&self, path: &Path, stamp: Stamp) {
        let most = self.bytes / SHARE / Clip::SECOND;
        let seconds = u32::try_from(most).unwrap_or(u32::MAX).min(self.limits.seconds);
        if let Err(error) = self.decode(path, stamp, Limits { seconds, ..self.limits }) {
            tracing::debug!(%error, "a long file is read anew for each hearer");
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.put(path.to_owned(), stamp, 1);
        }
    }

    fn kept(&self, path: &Path, stamp: Stamp) -> Option<Arc<Clip>> {
        let (of, clip) = self.with(|clips| clips.get(path))?;
        (of == stamp).then_some(clip)
    }

    fn decode(&self, path: &Path, stamp: Stamp, limits: Limits) -> Result<Arc<Clip>, ClipError> {
        // Decoded outside the lock: two callers may do the same work once, nobody waits for another file.
        let clip = Arc::new(decode_with(path, limits)?);
        let bytes = clip.memory();
        self.with(|clips| clips.put(path.to_owned(), (stamp, Arc::clone(&clip)), bytes));
        Ok(clip)
    }

    /// Bytes of audio held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.with(|clips| clips.bytes())
    }

    /// Number of clips held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.with(|clips| clips.len())
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with<T>(&self, act: impl FnOnce(&mut Lru<PathBuf, (Stamp, Arc<Clip>)>) -> T) -> T {
        act(&mut self.clips.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A cache that decodes a file behind its hearers, until this goes.
struct Keeping(Arc<ClipCache>);

impl Drop for Keeping {
    fn drop(&mut self) {
        self.0.keeping.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wav::{Format, to_bytes};

    fn write(path: &Path, samples: usize) {
        std::fs::write(path, to_bytes(Format::Pcm16, &vec![5; samples])).unwrap();
    }

    #[test]
    fn a_file_is_decoded_once_until_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.wav");
        write(&path, 100);
        let cache = ClipCache::new(20_000);
        let first = cache.get(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &cache.get(&path).unwrap()));
        write(&path, 200);
        assert_eq!(cache.get(&path).unwrap().samples().len(), 200);
        assert_eq!((cache.len(), cache.bytes()), (1, 1600));
    }

    #[test]
    fn the_clip_used_longest_ago_makes_room() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["a.wav", "b.wav", "c.wav"] {
            write(&path(name), 100);
        }
        write(&path("huge.wav"), 1000);
        let cache = ClipCache::new(1800);
        let a = cache.get(&path("a.wav")).unwrap();
        cache.get(&path("b.wav")).unwrap();
        cache.get(&path("a.wav")).unwrap();
        cache.get(&path("c.wav")).unwrap();
        assert!(Arc::ptr_eq(&a, &cache.get(&path("a.wav")).unwrap()));
        assert_eq!((cache.len(), cache.bytes()), (2, 1600));
        assert_eq!(cache.get(&path("huge.wav")).unwrap().samples().len(), 1000);
        assert_eq!(cache.len(), 2, "what is larger than the cache passes through");
    }

    /// Asks until nothing is being decoded any more.
    fn get_or_keep(cache: &Arc<ClipCache>, path: &Path) -> Option<Arc<Clip>> {
        let first = cache.get_or_keep(path);
        while cache.keeping.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        first.or_else(|| cache.get_or_keep(path))
    }

    #[test]
    fn a_long_file_is_decoded_behind_its_first_hearer_once_until_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("long.wav");
        write(&path, 30_000);
        let cache = Arc::new(ClipCache::new(SHARE * 4 * Clip::SECOND));
        assert!(cache.get_or_keep(&path).is_none(), "not yet");
        let kept = get_or_keep(&cache, &path).unwrap();
        assert_eq!(kept.samples().len(), 30_000);
        assert!(Arc::ptr_eq(&kept, &cache.get_or_keep(&path).unwrap()));
        assert!(Arc::ptr_eq(&kept, &cache.get(&path).unwrap()), "it is the same cache");
        write(&path, 20_000);
        assert_eq!(get_or_keep(&cache, &path).unwrap().samples().len(), 20_000);
        assert!(cache.get_or_keep(&directory.path().join("none.wav")).is_none());
    }

    #[test]
    fn a_file_that_would_fill_the_cache_is_tried_once_and_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("longer.wav");
        write(&path, 60_000);
        let cache = Arc::new(ClipCache::new(SHARE * 4 * Clip::SECOND));
        assert!(get_or_keep(&cache, &path).is_none());
        assert!(get_or_keep(&cache, &path).is_none() && cache.is_empty());
        assert!(cache.get_or_keep(&path).is_none());
        assert!(!cache.keeping.load(Ordering::Acquire), "nor is it decoded again");
        // Once it is shorter it is.
        write(&path, 30_000);
        assert!(get_or_keep(&cache, &path).is_some());
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let error = ClipCache::new(1).get(Path::new("/nowhere/x.wav")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/x.wav"));
    }
}
