//! Decoded clips kept by path, so that a greeting is decoded once and not once a call.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::clip::{Clip, ClipError, Limits, decode_with};
use crate::lru::Lru;

/// A cache bounded by the memory its clips take. A changed file (time or length) is read anew.
#[derive(Debug)]
pub struct ClipCache {
    limits: Limits,
    clips: Mutex<Lru<PathBuf, (Stamp, Arc<Clip>)>>,
}

/// What tells one content of a file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
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
        Self { limits, clips: Mutex::new(Lru::new(bytes)) }
    }

    /// The clip of this file, decoded now unless it is here already. Blocks.
    ///
    /// # Errors
    /// As [`crate::clip::decode()`]. Errors are not kept: a file that was put right works at once.
    pub fn get(&self, path: &Path) -> Result<Arc<Clip>, ClipError> {
        let metadata = std::fs::metadata(path)
            .map_err(|source| ClipError::Io { name: path.display().to_string(), source })?;
        let stamp = Stamp { modified: metadata.modified().ok(), len: metadata.len() };
        let kept = self.with(|clips| clips.get(path)).filter(|(of, _)| *of == stamp);
        if let Some((_, clip)) = kept {
            return Ok(clip);
        }
        // Decoded outside the lock: two callers may do the same work once, nobody waits for another file.
        let clip = Arc::new(decode_with(path, self.limits)?);
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

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let error = ClipCache::new(1).get(Path::new("/nowhere/x.wav")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/x.wav"));
    }
}
