//! Buckets that applications name: folders of this machine, and object stores behind some of them.

mod cache;

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use object_store::path::Path as Key;
use object_store::{
    Attribute, Attributes, GetOptions, ObjectStore as _, ObjectStoreExt as _, PutOptions,
};
use offhook_flows::services::s3::{Blob, BlobError, BlobInfo, BlobPath, Blobs, Folders, Object};
use offhook_pbx::objects::Objects;
use tokio::runtime::Handle;

pub use self::cache::{Cache, CacheOptions};
use crate::objects::{S3, whole};

/// An object that is read whole may have this many bytes; what a workflow can hold is far less.
const OBJECT_BYTES: u64 = 256 << 20;

/// One bucket in an object store.
#[derive(Clone)]
pub struct Remote {
    /// The store.
    pub store: Arc<S3>,
    /// Objects that have been fetched.
    pub cache: Arc<Cache>,
}

/// All buckets of this machine.
#[derive(Clone)]
pub struct Buckets {
    /// The folder of a bucket; of one in a store, where its objects wait until they are there.
    folder: Arc<dyn Fn(&str) -> PathBuf + Send + Sync>,
    remote: Arc<HashMap<String, Remote>>,
    /// The same by that folder.
    by_folder: Arc<HashMap<PathBuf, Remote>>,
    /// Where what goes over the network runs.
    home: Handle,
}

impl Buckets {
    /// `folder` gives the folder of a bucket, `remote` those of them that are in object stores. What
    /// goes over the network runs on `home`.
    pub fn new(
        folder: Arc<dyn Fn(&str) -> PathBuf + Send + Sync>,
        remote: HashMap<String, Remote>,
        home: Handle,
    ) -> Self {
        let by_folder = remote.iter().map(|(name, remote)| (folder(name), remote.clone()));
        let by_folder = Arc::new(by_folder.collect());
        Self { folder, remote: Arc::new(remote), by_folder, home }
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, BlobError>> + Send + 'static,
    ) -> Blob<T> {
        let running = self.home.spawn(work);
        Box::pin(async move { running.await.map_err(|why| BlobError(why.to_string()))? })
    }

    /// `None`: the bucket is a folder.
    fn of(&self, path: &BlobPath) -> Result<Option<(Remote, Key)>, BlobError> {
        let Some(remote) = self.by_folder.get(path.folder()) else { return Ok(None) };
        let key = Key::parse(path.key()).map_err(|why| {
            BlobError(format!("the key {:?} cannot be in an object store: {why}", path.key()))
        })?;
        Ok(Some((remote.clone(), key)))
    }
}

impl Objects for Buckets {
    fn file(
        &self,
        bucket: String,
        key: String,
    ) -> BoxFuture<'static, Result<Option<PathBuf>, String>> {
        let waiting = (self.folder)(&bucket).join(&key);
        let remote = self.remote.get(&bucket).cloned();
        let home = self.home.clone();
        Box::pin(async move {
            // Recorded a moment ago, and not in its store yet.
            let there = tokio::task::spawn_blocking(move || waiting.is_file().then_some(waiting));
            if let Ok(Some(file)) = there.await {
                return Ok(Some(file));
            }
            let Some(Remote { cache, store }) = remote else { return Ok(None) };
            let fetched = home.spawn(async move { cache.file(&store, &key).await });
            fetched.await.map_err(|why| why.to_string())?
        })
    }

    fn in_folder(&self, bucket: &str, key: &str) -> Option<PathBuf> {
        (!self.remote.contains_key(bucket)).then(|| (self.folder)(bucket).join(key))
    }
}

/// What waits for its store is looked for first: it only ever goes there from here, so that nothing
/// is missed on its way. It is listed when it is there: what waits may still be recorded.
impl Blobs for Buckets {
    fn get(&self, path: BlobPath) -> Blob<Option<Object>> {
        let (remote, key) = match self.of(&path) {
            Ok(Some(of)) => of,
            Ok(None) => return Folders.get(path),
            Err(why) => return Box::pin(std::future::ready(Err(why))),
        };
        self.run(async move {
            match Folders.get(path).await? {
                None => get(&remote.store, &key, None).await,
                waiting => Ok(waiting),
            }
        })
    }

    fn part(&self, path: BlobPath, part: Range<u64>) -> Blob<Option<Object>> {
        let (remote, key) = match self.of(&path) {
            Ok(Some(of)) => of,
            Ok(None) => return Folders.part(path, part),
            Err(why) => return Box::pin(std::future::ready(Err(why))),
        };
        self.run(async move {
            match Folders.part(path, part.clone()).await? {
                None => get(&remote.store, &key, Some(part)).await,
                waiting => Ok(waiting),
            }
        })
    }

    fn head(&self, path: BlobPath) -> Blob<Option<BlobInfo>> {
        let (remote, key) = match self.of(&path) {
            Ok(Some(of)) => of,
            Ok(None) => return Folders.head(path),
            Err(why) => return Box::pin(std::future::ready(Err(why))),
        };
        self.run(async move {
            match Folders.head(path).await? {
                None => Ok(found(remote.store.client().head(&key).await)?.map(|meta| info(&meta))),
                waiting => Ok(waiting),
            }
        })
    }

    fn describe(&self, path: BlobPath) -> Blob<Option<(BlobInfo, String)>> {
        let (remote, key) = match self.of(&path) {
            Ok(Some(of)) => of,
            Ok(None) => return Folders.describe(path),
            Err(why) => return Box::pin(std::future::ready(Err(why))),
        };
        self.run(async move {
            match Folders.describe(path).await? {
                None => {
                    let meta = found(remote.store.client().head(&key).await)?;
                    Ok(meta.map(|meta| (info(&meta), etag(meta.e_tag))))
                }
                waiting => Ok(waiting),
            }
        })
    }

    fn put(&self, path: BlobPath, bytes: Vec<u8>) -> Blob<(BlobInfo, String)> {
        let (remote, key) = match self.of(&path) {
            Ok(Some(of)) => of,
            Ok(None) => return Folders.put(path, bytes),
            Err(why) => return Box::pin(std::future::ready(Err(why))),
        };
        self.run(async move {
            let size = bytes.len() as u64;
            let mut attributes = Attributes::new();
            attributes.insert(Attribute::ContentType, content_type(path.key()).into());
            let options = PutOptions { attributes, ..PutOptions::default() };
            let put = remote.store.client().put_opts(&key, bytes.into(), options).await;
            let put = put.map_err(|error| BlobError(whole(&error)))?;
            // What waits under this name is older.
            Folders.delete(path).await?;
            Ok((BlobInfo { size, modified: Timestamp::now() }, etag(put.e_tag)))
        })
    }

    fn delete(&self, path: BlobPath) -> Blob<()> {
        let (remote, key) = match self.of(&path) {
            Ok(Some(of)) => of,
            Ok(None) => return Folders.delete(path),
            Err(why) => return Box::pin(std::future::ready(Err(why))),
        };
        self.run(async move {
            // One that waits for its store is not to come to it after this.
            Folders.delete(path).await?;
            found(remote.store.client().delete(&key).await).map(drop)
        })
    }

    fn list(
        &self,
        folder: PathBuf,
        prefix: String,
        after: Option<String>,
        limit: usize,
    ) -> Blob<Option<Vec<(String, BlobInfo)>>> {
        let Some(remote) = self.by_folder.get(&folder).cloned() else {
            return Folders.list(folder, prefix, after, limit);
        };
        self.run(
            async move { list(&remote.store, &prefix, after.as_deref(), limit).await.map(Some) },
        )
    }
}

/// `None`: it is not there.
fn found<T>(result: object_store::Result<T>) -> Result<Option<T>, BlobError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(BlobError(whole(&error))),
    }
}

/// As the store has it. S3 always has one; a store that has none is asked in vain whether an
/// object is another.
fn etag(known: Option<String>) -> String {
    known.unwrap_or_else(|| "\"\"".to_owned())
}

/// An object, or a part of it. The store sends no more than the part.
async fn get(store: &S3, key: &Key, part: Option<Range<u64>>) -> Result<Option<Object>, BlobError> {
    let count = part.as_ref().map(|part| part.end.saturating_sub(part.start));
    let options = GetOptions { range: part.map(Into::into), ..GetOptions::default() };
    let Some(object) = found(store.client().get_opts(key, options).await)? else { return Ok(None) };
    let info = info(&object.meta);
    let etag = etag(object.meta.e_tag.clone());
    let mut bytes = Vec::new();
    let mut pieces = object.into_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| BlobError(whole(&error)))?;
        if (bytes.len() + piece.len()) as u64 > OBJECT_BYTES {
            return Err(BlobError("the object is too large to be read".to_owned()));
        }
        bytes.extend_from_slice(&piece);
    }
    if count.is_some_and(|count| bytes.len() as u64 != count) {
        return Err(BlobError("the object has no such part".to_owned()));
    }
    Ok(Some(Object { info, etag, bytes }))
}

/// Keys come in the order of their bytes. The client asks by whole folders: a prefix that ends
/// within a name is sorted out here.
async fn list(
    store: &S3,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, BlobInfo)>, BlobError> {
    let folder = prefix.rsplit_once('/').map(|(folder, _)| folder);
    let folder = folder.map(Key::parse).transpose();
    let folder = folder.map_err(|error| BlobError(whole(&error)))?;
    let mut objects = match after.map(Key::parse) {
        Some(Ok(after)) => store.client().list_with_offset(folder.as_ref(), &after),
        _ => store.client().list(folder.as_ref()),
    };
    let mut listed = Vec::new();
    while let Some(object) = objects.next().await {
        let object = object.map_err(|error| BlobError(whole(&error)))?;
        let key = object.location.as_ref();
        if key.starts_with(prefix) && after.is_none_or(|after| key > after) {
            listed.push((key.to_owned(), info(&object)));
        } else if key > prefix && !key.starts_with(prefix) {
            break;
        }
        if listed.len() >= limit {
            break;
        }
    }
    Ok(listed)
}

fn info(meta: &object_store::ObjectMeta) -> BlobInfo {
    let modified = Timestamp::from_millisecond(meta.last_modified.timestamp_millis());
    BlobInfo { size: meta.size, modified: modified.unwrap_or(Timestamp::UNIX_EPOCH) }
}

fn content_type(key: &str) -> &'static str {
    match key.rsplit('.').next() {
        Some("wav") => "audio/wav",
        Some("json") => "application/json",
        Some("csv") => "text/csv",
        Some("txt") => "text/plain",
        _ => "binary/octet-stream",
    }
}
