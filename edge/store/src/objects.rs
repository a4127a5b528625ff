//! Where recordings are kept: a folder, or an S3-compatible object store.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::buffered::BufWriter;
use object_store::{Attribute, Attributes, BackoffConfig, ClientOptions, RetryConfig};
use offhook_pbx::outbox::{Parcel, PutError, Putting, RecordingStore};
use tokio::io::AsyncWriteExt as _;

/// What is sent in one piece; larger files go in parts of this size.
const PART: usize = 8 << 20;
/// Parts of one file under way at a time.
const PARTS_AT_ONCE: usize = 2;
/// The store must take the connection, and each part, within this.
const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(120);

/// A folder of this machine, or one that it has mounted.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// The file stays where it was besides.
    copy: bool,
}

impl Folder {
    /// Files are moved into it.
    #[must_use]
    pub fn moving(root: PathBuf) -> Self {
        Self { root, copy: false }
    }

    /// Files are copied into it.
    #[must_use]
    pub fn copying(root: PathBuf) -> Self {
        Self { root, copy: true }
    }
}

impl RecordingStore for Folder {
    fn put(&self, parcel: Parcel) -> Putting {
        let (to, copy) = (self.root.join(&parcel.key), self.copy);
        Box::pin(async move {
            let file = parcel.file;
            let moved = tokio::task::spawn_blocking(move || {
                put_file(&file, &to, copy).map(|()| to.display().to_string())
            });
            moved.await.map_err(|error| PutError::Store(error.to_string()))?
        })
    }
}

/// The file has its name there only when all of it is on that disk.
fn put_file(from: &Path, to: &Path, copy: bool) -> Result<(), PutError> {
    let failed = |error: io::Error| PutError::Store(format!("{}: {error}", to.display()));
    let folder = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(failed)?;
    if let Err(error) = fs::metadata(from) {
        // Moved by an attempt before this one, which was killed before it could say so.
        let there = error.kind() == io::ErrorKind::NotFound && to.is_file();
        return if there { Ok(()) } else { Err(PutError::File(error)) };
    }
    // Another file system: copied.
    if copy || fs::rename(from, to).is_err() {
        let mut part = to.as_os_str().to_owned();
        part.push(".part");
        let copied = fs::copy(from, &part)
            .and_then(|_| File::open(&part)?.sync_all())
            .and_then(|()| fs::rename(&part, to));
        if let Err(error) = copied {
            let _ = fs::remove_file(&part);
            return Err(failed(error));
        }
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// How an S3-compatible store is reached.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The bucket.
    pub bucket: String,
    /// Region, as AWS names it.
    pub region: String,
    /// `https://host[:port]` of a store that is not AWS's.
    pub endpoint: Option<String>,
    /// Access key and secret; `None`: of the environment, or of the machine's role.
    pub keys: Option<(String, String)>,
}

/// A bucket of an S3-compatible store.
#[derive(Debug)]
pub struct S3 {
    bucket: String,
    store: Arc<AmazonS3>,
}

impl S3 {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// What is wrong with the options, in words.
    pub fn new(options: &S3Options) -> Result<Self, String> {
        // The first to install one wins; all of ours are the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // One attempt and a little: the outbox tries again, and waits longer.
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 2,
            retry_timeout: Duration::from_secs(60),
        };
        let client = ClientOptions::new()
            .with_connect_timeout(CONNECT)
            .with_timeout(REQUEST)
            .with_allow_http(options.endpoint.as_ref().is_some_and(|e| e.starts_with("http://")));
        let builder = match &options.keys {
            Some((id, secret)) => {
                AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret)
            }
            None => AmazonS3Builder::from_env(),
        };
        let mut builder = builder
            .with_bucket_name(&options.bucket)
            .with_region(&options.region)
            .with_retry(retry)
            .with_client_options(client)
            // The bucket in the path: what stores of one's own understand. AWS has it in the name.
            .with_virtual_hosted_style_request(options.endpoint.is_none());
        if let Some(endpoint) = &options.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let store = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { bucket: options.bucket.clone(), store: Arc::new(store) })
    }
}

impl S3 {
    pub(crate) fn client(&self) -> &Arc<AmazonS3> {
        &self.store
    }
}

impl RecordingStore for S3 {
    fn put(&self, parcel: Parcel) -> Putting {
        let (store, bucket) = (Arc::clone(&self.store), self.bucket.clone());
        Box::pin(async move {
            upload(store, &parcel).await?;
            Ok(format!("s3://{bucket}/{}", parcel.key))
        })
    }
}

async fn upload(store: Arc<AmazonS3>, parcel: &Parcel) -> Result<(), PutError> {
    let mut file = File::open(&parcel.file)?;
    let kind = if parcel.key.ends_with(".ogg") { "audio/ogg" } else { "audio/wav" };
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::ContentType, kind.into());
    for (name, value) in &parcel.facts {
        attributes.insert(Attribute::Metadata((*name).into()), value.clone().into());
    }
    let path = object_store::path::Path::parse(&parcel.key).map_err(|error| refused(&error))?;
    let mut writer = BufWriter::with_capacity(store, path, PART)
        .with_max_concurrency(PARTS_AT_ONCE)
        .with_attributes(attributes);
    if let Err(error) = send(&mut file, &mut writer).await {
        // Parts without an end would be kept, and paid for.
        let _ = writer.abort().await;
        return Err(error);
    }
    // This one clears up by itself, and must not be told to.
    writer.shutdown().await.map_err(|error| refused(&error))
}

async fn send(file: &mut File, writer: &mut BufWriter) -> Result<(), PutError> {
    loop {
        // The disk is faster than any network, and this is no thread of calls.
        let mut piece = Vec::with_capacity(1 << 20);
        if file.take(1 << 20).read_to_end(&mut piece)? == 0 {
            return Ok(());
        }
        writer.put(piece.into()).await.map_err(|error| refused(&error))?;
    }
}

fn refused(error: &dyn std::error::Error) -> PutError {
    PutError::Store(whole(error))
}

/// An error with its causes, on one line and not too long: some stores answer with a page.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
