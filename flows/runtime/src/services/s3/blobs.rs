//! Objects in folders of this machine.

use std::ops::Range;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use jiff::Timestamp;

/// Bytes of a key (S3 User Guide, "Naming Amazon S3 objects").
const KEY_BYTES: usize = 1024;
/// An object may have this many bytes; what a workflow can hold is far less.
const OBJECT_BYTES: u64 = 256 * 1024 * 1024;

/// Where an object is: a folder that an operator named, and a key that a workflow named. Each
/// part of the key is a plain name, so that it cannot lead out of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobPath {
    folder: PathBuf,
    key: String,
}

impl BlobPath {
    /// Refuses a key that is no way downwards.
    pub fn new(folder: &Path, key: &str) -> Result<Self, KeyError> {
        let plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && !part.contains(['\\', '\0'])
                && !part.chars().any(char::is_control)
                // Names that this machine itself uses while it writes.
                && !part.starts_with(TEMPORARY)
        };
        if key.len() > KEY_BYTES {
            return Err(KeyError::TooLong);
        }
        if !key.split('/').all(plain) {
            return Err(KeyError::NotPlain);
        }
        Ok(Self { folder: folder.to_owned(), key: key.to_owned() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The key within it.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Why a key is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// More than 1024 bytes.
    #[error("Your key is too long")]
    TooLong,
    /// A part of it is empty, `.`, `..`, or has characters that no file name here may have.
    #[error("the key has a part that cannot be a file name on this machine")]
    NotPlain,
}

/// Something about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobInfo {
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Timestamp,
}

/// What the store of objects says when it fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BlobError(pub String);

/// What becomes of something that was asked of the store.
pub type Blob<T> = BoxFuture<'static, Result<T, BlobError>>;

/// An object that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What is known of it.
    pub info: BlobInfo,
    /// `ETag`, in its quotation marks.
    pub etag: String,
    /// What is in it, or in the part that was asked for.
    pub bytes: Vec<u8>,
}

/// A store of objects. Whoever asks may serve others with its thread: reading and hashing are done
/// elsewhere.
pub trait Blobs: Send + Sync {
    /// An object, or `None`.
    fn get(&self, path: BlobPath) -> Blob<Option<Object>>;
    /// These bytes of an object, or `None`. One that has no such bytes is an error.
    fn part(&self, path: BlobPath, part: Range<u64>) -> Blob<Option<Object>>;
    /// What is known of it without reading it.
    fn head(&self, path: BlobPath) -> Blob<Option<BlobInfo>>;
    /// The same with its `ETag`.
    fn describe(&self, path: BlobPath) -> Blob<Option<(BlobInfo, String)>>;
    /// Writes an object, whole or not at all; what is acknowledged is kept. Gives its `ETag` as
    /// well.
    fn put(&self, path: BlobPath, bytes: Vec<u8>) -> Blob<(BlobInfo, String)>;
    /// Deletes an object, if it is there.
    fn delete(&self, path: BlobPath) -> Blob<()>;
    /// Keys of a folder that begin with `prefix` and come after `after`, in order of their bytes,
    /// `limit` at most. `None`: the folder is not there.
    fn list(
        &self,
        folder: PathBuf,
        prefix: String,
        after: Option<String>,
        limit: usize,
    ) -> Blob<Option<Vec<(String, BlobInfo)>>>;
}

/// Begins the names of files that are being written.
const TEMPORARY: &str = ".offhook-writing-";

/// Files in folders.
#[derive(Debug, Clone, Copy, Default)]
pub struct Folders;

impl Blobs for Folders {
    fn get(&self, path: BlobPath) -> Blob<Option<Object>> {
        aside(move || files::get(&path))
    }

    fn part(&self, path: BlobPath, part: Range<u64>) -> Blob<Option<Object>> {
        aside(move || files::part(&path, &part))
    }

    fn head(&self, path: BlobPath) -> Blob<Option<BlobInfo>> {
        aside(move || Ok(files::open(&path)?.map(|(_, info)| info)))
    }

    fn describe(&self, path: BlobPath) -> Blob<Option<(BlobInfo, String)>> {
        aside(move || files::describe(&path))
    }

    fn put(&self, path: BlobPath, bytes: Vec<u8>) -> Blob<(BlobInfo, String)> {
        aside(move || files::put(&path, &bytes))
    }

    fn delete(&self, path: BlobPath) -> Blob<()> {
        aside(move || files::delete(&path))
    }

    fn list(
        &self,
        folder: PathBuf,
        prefix: String,
        after: Option<String>,
        limit: usize,
    ) -> Blob<Option<Vec<(String, BlobInfo)>>> {
        aside(move || files::list(&folder, &prefix, after.as_deref(), limit))
    }
}

/// Files are read and written on threads of their own.
fn aside<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Blob<T> {
    Box::pin(async move {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|why| BlobError(why.to_string()))?.map_err(|why| BlobError(why.to_string()))
    })
}

mod files {
    use std::collections::BTreeMap;
    use std::fs::{self, File};
    use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
    use std::ops::Range;
    use std::path::{Path, PathBuf};

    use jiff::Timestamp;

    use super::super::etag;
    use super::{BlobInfo, BlobPath, OBJECT_BYTES, Object, TEMPORARY};

    /// Folders may stand this deep in each other.
    const DEPTH: usize = 64;

    fn full(path: &BlobPath) -> PathBuf {
        path.key.split('/').fold(path.folder.clone(), |full, part| full.join(part))
    }

    /// Whether a file is really in its folder: a link may lead out of it.
    fn within(folder: &Path, full: &Path) -> io::Result<bool> {
        Ok(full.canonicalize()?.starts_with(folder.canonicalize()?))
    }

    fn info(metadata: &fs::Metadata) -> BlobInfo {
        let modified = metadata.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
        BlobInfo { size: metadata.len(), modified: modified.unwrap_or(Timestamp::UNIX_EPOCH) }
    }

    /// There is nothing of that name, or cannot be: S3 takes names that a folder does not.
    fn missing(error: &io::Error) -> bool {
        matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
        )
    }

    /// `None`: it went away meanwhile, as what is carried to a store does.
    fn there<T>(looked: io::Result<T>) -> io::Result<Option<T>> {
        match looked {
            Ok(found) => Ok(Some(found)),
            Err(error) if missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn open(path: &BlobPath) -> io::Result<Option<(File, BlobInfo)>> {
        let full = full(path);
        if there(within(&path.folder, &full))? != Some(true) {
            return Ok(None);
        }
        let Some(file) = there(File::open(&full))? else { return Ok(None) };
        let metadata = file.metadata()?;
        Ok(metadata.is_file().then(|| (file, info(&metadata))))
    }

    pub(super) fn get(path: &BlobPath) -> io::Result<Option<Object>> {
        let Some((file, info)) = open(path)? else { return Ok(None) };
        let object = read(file, info, OBJECT_BYTES)?;
        let too_large = || io::Error::other("the object is too large to be read");
        object.ok_or_else(too_large).map(Some)
    }

    pub(super) fn part(path: &BlobPath, part: &Range<u64>) -> io::Result<Option<Object>> {
        let Some((mut file, info)) = open(path)? else { return Ok(None) };
        let count = part.end.saturating_sub(part.start);
        if part.end > info.size || count > OBJECT_BYTES {
            return Err(io::Error::other("the object has no such part"));
        }
        let etag = etag::of_read(info, &mut file)?;
        file.seek(SeekFrom::Start(part.start))?;
        let mut bytes = Vec::new();
        file.take(count).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != count {
            return Err(io::Error::other("the object has been cut off while it was read"));
        }
        Ok(Some(Object { info, etag, bytes }))
    }

    /// `None`: there is more than `most`.
    fn read(file: File, info: BlobInfo, most: u64) -> io::Result<Option<Object>> {
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        let size = bytes.len() as u64;
        // It may have grown since it was looked at.
        let info = BlobInfo { size, ..info };
        Ok((size <= most).then(|| Object { info, etag: etag::of(info, &bytes), bytes }))
    }

    pub(super) fn describe(path: &BlobPath) -> io::Result<Option<(BlobInfo, String)>> {
        let Some((file, info)) = open(path)? else { return Ok(None) };
        if info.size >= etag::ONE_PIECE {
            return Ok(Some((info, etag::of_parts(info))));
        }
        let object = read(file, info, etag::ONE_PIECE)?;
        Ok(Some(object.map_or_else(|| (info, etag::of_parts(info)), |o| (o.info, o.etag))))
    }

    pub(super) fn put(path: &BlobPath, bytes: &[u8]) -> io::Result<(BlobInfo, String)> {
        let full = full(path);
        let folder = full.parent().unwrap_or(&path.folder);
        fs::create_dir_all(folder)?;
        if !within(&path.folder, folder)? {
            return Err(io::Error::other("the key leads out of its folder"));
        }
        let temporary = folder.join(format!("{TEMPORARY}{:032x}", rand::random::<u128>()));
        let written = write(&temporary, bytes).and_then(|()| fs::rename(&temporary, &full));
        if let Err(error) = written {
            // Nothing is left of what failed; that it failed is what counts.
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        File::open(folder)?.sync_all()?;
        let info = info(&fs::metadata(&full)?);
        Ok((info, etag::of(info, bytes)))
    }

    fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create_new(file)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    pub(super) fn delete(path: &BlobPath) -> io::Result<()> {
        if open(path)?.is_none() {
            return Ok(());
        }
        match fs::remove_file(full(path)) {
            Err(error) if !missing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Keys and what is known of each.
    type Listed = BTreeMap<String, BlobInfo>;

    pub(super) fn list(
        folder: &Path,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> io::Result<Option<Vec<(String, BlobInfo)>>> {
        if !folder.is_dir() {
            return Ok(None);
        }
        let mut found = Listed::new();
        let wanted = Wanted { prefix, after, limit };
        wanted.walk(folder, "", 0, &mut found)?;
        Ok(Some(found.into_iter().collect()))
    }

    struct Wanted<'a> {
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    }

    impl Wanted<'_> {
        fn walk(&self, at: &Path, above: &str, depth: usize, found: &mut Listed) -> io::Result<()> {
            if depth > DEPTH {
                return Ok(());
            }
            let Some(entries) = there(fs::read_dir(at))? else { return Ok(()) };
            for entry in entries {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let key = format!("{above}{name}");
                // Links are not followed: they may lead out of the folder or round in a circle.
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    let inside = format!("{key}/");
                    if inside.starts_with(self.prefix) || self.prefix.starts_with(&inside) {
                        self.walk(&entry.path(), &inside, depth + 1, found)?;
                    }
                } else if kind.is_file() && !name.starts_with(TEMPORARY) {
                    self.take(key, &entry, found)?;
                }
            }
            Ok(())
        }

        fn take(&self, key: String, entry: &fs::DirEntry, found: &mut Listed) -> io::Result<()> {
            let late = self.after.is_none_or(|after| key.as_str() > after);
            if !key.starts_with(self.prefix) || !late {
                return Ok(());
            }
            let Some(metadata) = there(entry.metadata())? else { return Ok(()) };
            found.insert(key, info(&metadata));
            if found.len() > self.limit {
                found.pop_last();
            }
            Ok(())
        }
    }
}
