//! Decoded clips kept by path, so that a greeting is decoded once and not once a call.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::clip::{Clip, ClipError, Limits, decode_with};

/// A cache bounded by the memory its clips take. A changed file (time or length) is read anew.
#[derive(Debug)]
pub struct ClipCache {
    most: usize,
    limits: Limits,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_path: HashMap<PathBuf, Entry>,
    bytes: usize,
    /// Counts uses; the entry with the smallest number was used longest ago.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    stamp: Stamp,
    clip: Arc<Clip>,
    used: u64,
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
        Self { most: bytes, limits, entries: Mutex::default() }
    }

    /// The clip of this file, decoded now unless it is here already. Blocks.
    ///
    /// # Errors
    /// As [`crate::clip::decode`]. Errors are not kept: a file that was put right works at once.
    pub fn get(&self, path: &Path) -> Result<Arc<Clip>, ClipError> {
        let metadata = std::fs::metadata(path)
            .map_err(|source| ClipError::Io { name: path.display().to_string(), source })?;
        let stamp = Stamp { modified: metadata.modified().ok(), len: metadata.len() };
        if let Some(clip) = self.with(|entries| entries.find(path, stamp)) {
            return Ok(clip);
        }
        // Decoded outside the lock: two callers may do the same work once, nobody waits for another file.
        let clip = Arc::new(decode_with(path, self.limits)?);
        self.with(|entries| entries.keep(path, stamp, &clip, self.most));
        Ok(clip)
    }

    /// Bytes of audio held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.with(|entries| entries.bytes)
    }

    /// Number of clips held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.with(|entries| entries.by_path.len())
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with<T>(&self, act: impl FnOnce(&mut Entries) -> T) -> T {
        act(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Entries {
    fn find(&mut self, path: &Path, stamp: Stamp) -> Option<Arc<Clip>> {
        self.clock += 1;
        let entry = self.by_path.get_mut(path).filter(|entry| entry.stamp == stamp)?;
        entry.used = self.clock;
        Some(Arc::clone(&entry.clip))
    }

    fn keep(&mut self, path: &Path, stamp: Stamp, clip: &Arc<Clip>, most: usize) {
        self.forget(path);
        let bytes = clip.memory();
        if bytes > most {
            return;
        }
        while self.bytes + bytes > most {
            let oldest = self.by_path.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(path, _)| path.clone()) else { break };
            self.forget(&oldest);
        }
        self.clock += 1;
        self.bytes += bytes;
        let entry = Entry { stamp, clip: Arc::clone(clip), used: self.clock };
        self.by_path.insert(path.to_owned(), entry);
    }

    fn forget(&mut self, path: &Path) {
        if let Some(entry) = self.by_path.remove(path) {
            self.bytes -= entry.clip.memory();
        }
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
