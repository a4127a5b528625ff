//! Objects of a bucket as files of this machine: fetched when they are played first, used again
//! while they are the same, and when the store cannot be asked.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetResult, ObjectStore as _};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::objects::{S3, whole};

/// AWS plays files of 50 MB at most.
const OBJECT_BYTES: u64 = 64 << 20;
/// A caller hears nothing meanwhile.
const PATIENCE: Duration = Duration::from_secs(8);
/// Objects fetched at a time.
const AT_ONCE: usize = 8;
/// Objects of which something is remembered.
const ENTRIES: usize = 10_000;
/// Begins the names of files that are being written.
const PARTIAL: &str = "partial-";

/// What a cache keeps.
#[derive(Debug, Clone)]
pub struct CacheOptions {
    /// Its folder, for this bucket alone.
    pub folder: PathBuf,
    /// Bytes of all files.
    pub bytes: u64,
    /// How long a file is used before the store is asked whether it is the same.
    pub time: Duration,
}

/// A file, and of which object it is.
#[derive(Debug, Clone)]
struct Entry {
    file: PathBuf,
    etag: String,
    size: u64,
    /// When the store said that it is the same.
    checked: Option<Instant>,
    /// Grows with each use.
    used: u64,
}

/// The fetched objects of one bucket.
#[derive(Debug)]
pub struct Cache {
    options: CacheOptions,
    /// By [`name_of`] the key.
    entries: Mutex<HashMap<String, Entry>>,
    /// One object is fetched by one at a time.
    fetching: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    at_once: Semaphore,
    uses: AtomicU64,
}

impl Cache {
    /// Looks what is there from before.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(options: CacheOptions) -> io::Result<Self> {
        fs::create_dir_all(&options.folder)?;
        let mut found: Vec<(SystemTime, String, Entry)> = Vec::new();
        for item in fs::read_dir(&options.folder)? {
            let item = item?;
            let Ok(name) = item.file_name().into_string() else { continue };
            let parts =
                name.split_once('.').and_then(|(key, rest)| Some((key, rest.split_once('.')?)));
            let (Some((key, (etag, _))), Ok(metadata)) = (parts, item.metadata()) else {
                // A fetch that a restart broke off.
                let _ = fs::remove_file(item.path());
                continue;
            };
            let entry = Entry {
                file: item.path(),
                etag: etag.to_owned(),
                size: metadata.len(),
                checked: None,
                used: 0,
            };
            let time = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.push((time, key.to_owned(), entry));
        }
        found.sort_by_key(|(time, _, _)| *time);
        let uses = found.len() as u64;
        let numbered = found.into_iter().zip(0..);
        let entries = numbered.map(|((_, key, entry), used)| (key, Entry { used, ..entry }));
        let cache = Self {
            entries: Mutex::new(entries.collect()),
            options,
            fetching: Mutex::default(),
            at_once: Semaphore::new(AT_ONCE),
            uses: AtomicU64::new(uses),
        };
        cache.make_room();
        Ok(cache)
    }

    /// The file of an object; `None`: there is no such object.
    ///
    /// # Errors
    /// In words: the store cannot be asked, and the object was never fetched.
    pub async fn file(&self, store: &S3, key: &str) -> Result<Option<PathBuf>, String> {
        let name = name_of(key);
        let lock = {
            let mut fetching = lock(&self.fetching);
            if fetching.len() >= ENTRIES {
                fetching.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            Arc::clone(fetching.entry(name.clone()).or_default())
        };
        // Who waits for another's fetch has no more patience than that one.
        let alone = tokio::time::timeout(PATIENCE, lock.lock()).await;
        let known = self.known(&name);
        let Ok(_alone) = alone else {
            let late = || format!("no answer within {PATIENCE:?}");
            return known.map(|entry| Some(entry.file)).ok_or_else(late);
        };
        let fresh = |entry: &Entry| {
            entry.checked.is_some_and(|checked| checked.elapsed() < self.options.time)
        };
        if let Some(entry) = known.as_ref().filter(|entry| fresh(entry)) {
            return Ok(Some(entry.file.clone()));
        }
        let asking = self.ask(store, key, &name, known.as_ref());
        let answer = tokio::time::timeout(PATIENCE, asking).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
        match (answer, known) {
            (Ok(file), _) => Ok(file),
            (Err(why), Some(entry)) => {
                tracing::warn!(key, why, "an object of a bucket is used as it was");
                // Not every caller is to wait for a store that is away.
                self.checked(&name);
                Ok(Some(entry.file))
            }
            (Err(why), None) => Err(why),
        }
    }

    async fn ask(
        &self,
        store: &S3,
        key: &str,
        name: &str,
        known: Option<&Entry>,
    ) -> Result<Option<PathBuf>, String> {
        let _slot = self.at_once.acquire().await.map_err(|error| error.to_string())?;
        let path = Key::parse(key).map_err(|error| error.to_string())?;
        let if_none_match = known.map(|entry| format!("\"{}\"", entry.etag));
        let options = GetOptions { if_none_match, ..GetOptions::default() };
        match store.client().get_opts(&path, options).await {
            Ok(object) => self.keep(key, name, object).await.map(Some),
            Err(object_store::Error::NotModified { .. }) => {
                self.checked(name);
                Ok(known.map(|entry| entry.file.clone()))
            }
            Err(object_store::Error::NotFound { .. }) => {
                self.forget(name);
                Ok(None)
            }
            Err(error) => Err(whole(&error)),
        }
    }

    /// The file has its name when all of it is there.
    async fn keep(&self, key: &str, name: &str, object: GetResult) -> Result<PathBuf, String> {
        let size = object.meta.size;
        if size > OBJECT_BYTES || size > self.options.bytes {
            return Err(format!("the object has {size} bytes: too many to be played"));
        }
        let etag = plain(object.meta.e_tag.as_deref().unwrap_or_default());
        let ending = Path::new(key).extension().and_then(|e| e.to_str()).unwrap_or("bin");
        let file = self.options.folder.join(format!("{name}.{etag}.{}", plain(ending)));
        let partial = self.options.folder.join(format!("{PARTIAL}{name}"));
        if let Err(why) = write(&partial, object).await {
            let _ = tokio::fs::remove_file(&partial).await;
            return Err(why);
        }
        tokio::fs::rename(&partial, &file).await.map_err(|error| error.to_string())?;
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        let checked = Some(Instant::now());
        let entry = Entry { file: file.clone(), etag, size, checked, used };
        let before = lock(&self.entries).insert(name.to_owned(), entry);
        if let Some(before) = before.filter(|before| before.file != file) {
            let _ = fs::remove_file(before.file);
        }
        self.make_room();
        Ok(file)
    }

    fn known(&self, name: &str) -> Option<Entry> {
        let mut entries = lock(&self.entries);
        let entry = entries.get_mut(name)?;
        if !entry.file.is_file() {
            // Somebody has cleared up.
            entries.remove(name);
            return None;
        }
        entry.used = self.uses.fetch_add(1, Ordering::Relaxed);
        Some(entry.clone())
    }

    fn checked(&self, name: &str) {
        if let Some(entry) = lock(&self.entries).get_mut(name) {
            entry.checked = Some(Instant::now());
        }
    }

    fn forget(&self, name: &str) {
        if let Some(entry) = lock(&self.entries).remove(name) {
            let _ = fs::remove_file(entry.file);
        }
    }

    /// Throws away what was not used for the longest time. A file that is open stays readable.
    fn make_room(&self) {
        let mut entries = lock(&self.entries);
        let mut total: u64 = entries.values().map(|entry| entry.size).sum();
        while total > self.options.bytes || entries.len() > ENTRIES {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { return };
            let Some(entry) = entries.remove(&name) else { return };
            total = total.saturating_sub(entry.size);
            let _ = fs::remove_file(entry.file);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn write(partial: &Path, object: GetResult) -> Result<(), String> {
    let mut file = tokio::fs::File::create(partial).await.map_err(|error| error.to_string())?;
    let mut left = OBJECT_BYTES;
    let mut pieces = object.into_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| whole(&error))?;
        left = left.checked_sub(piece.len() as u64).ok_or("the object is longer than it said")?;
        file.write_all(&piece).await.map_err(|error| error.to_string())?;
    }
    file.flush().await.map_err(|error| error.to_string())
}

/// What stands for a key in names of files: keys may be longer than those, and differ in case only.
fn name_of(key: &str) -> String {
    Sha256::digest(key).iter().take(16).fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// What of it can stand in a file's name.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::S3Options;

    #[tokio::test(start_paused = true)]
    async fn callers_for_one_prompt_do_not_wait_for_one_another_when_the_store_is_silent() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let options = S3Options {
            bucket: "media".to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: Some(format!("http://{}", silent.local_addr().unwrap())),
            keys: Some(("id".to_owned(), "secret".to_owned())),
        };
        let store = S3::new(&options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let options =
            CacheOptions { folder: folder.path().to_owned(), bytes: 1000, time: PATIENCE };
        let cache = Cache::open(options).unwrap();
        let begun = Instant::now();
        let callers = (0..5).map(|_| cache.file(&store, "a.wav"));
        let answers = futures_util::future::join_all(callers).await;
        assert!(answers.iter().all(Result::is_err), "{answers:?}");
        // The last one may have its turn in the moment in which its patience ends.
        assert!(begun.elapsed() < PATIENCE * 2 + PATIENCE / 2, "{:?}", begun.elapsed());
    }
}
