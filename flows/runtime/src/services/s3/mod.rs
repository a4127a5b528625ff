//! S3 on this machine (API Reference, version 2006-03-01): buckets that are folders.
//!
//! An operator maps buckets, or prefixes of them, to folders; what is not mapped is passed
//! upstream. A content type is told by the ending of a key; metadata, ACLs, versions and
//! encryption are not kept.

mod blobs;
mod etag;
mod known;
mod list;
mod range;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

pub use blobs::{Blob, BlobError, BlobInfo, BlobPath, Blobs, Folders, KeyError, Object};

use super::fields::Fields;
use super::sdk::{self, Fault, ServiceName};
use super::{Answer, Request, Service, ServiceError, Upstream};

/// What is read at once. A state holds less, but an `ItemReader` takes what a state cannot.
const READ_BYTES: u64 = 64 * 1024 * 1024;

const NAME: ServiceName = ServiceName {
    optimized: "S3",
    client: "Amazon S3",
    optimized_base: "AmazonS3Exception",
    sdk: "S3",
};

/// Where the objects of a bucket are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketFolder {
    /// The bucket; `*` is every bucket, each in a folder of its own name.
    pub bucket: String,
    /// Keys that begin so; empty: all.
    pub prefix: String,
    /// The folder. The prefix is not part of the names in it.
    pub folder: PathBuf,
}

/// The service.
#[derive(Clone)]
pub struct S3 {
    inner: Arc<Inner>,
}

struct Inner {
    blobs: Arc<dyn Blobs>,
    folders: Vec<BucketFolder>,
    upstream: Arc<dyn Upstream>,
}

impl S3 {
    /// Of several folders that fit, the one with the bucket's name counts before `*`, and the
    /// longest prefix first.
    pub fn new(
        blobs: Arc<dyn Blobs>,
        mut folders: Vec<BucketFolder>,
        upstream: Arc<dyn Upstream>,
    ) -> Self {
        folders.sort_by_key(|f| (f.bucket == "*", std::cmp::Reverse(f.prefix.len())));
        Self { inner: Arc::new(Inner { blobs, folders, upstream }) }
    }
}

impl Service for S3 {
    fn names(&self) -> &'static [&'static str] {
        &["s3"]
    }

    fn call(&self, request: Request) -> Answer {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.serve(request).await })
    }
}

fn failed(why: &BlobError) -> Fault {
    Fault::new("InternalError", format!("We encountered an internal error: {why}")).with_status(500)
}

fn no_key() -> Fault {
    Fault::new("NoSuchKey", "The specified key does not exist.").with_status(404)
}

fn no_bucket() -> Fault {
    Fault::new("NoSuchBucket", "The specified bucket does not exist").with_status(404)
}

fn content_type(key: &str) -> &'static str {
    match key.rsplit('.').next().map(str::to_ascii_lowercase).as_deref() {
        Some("wav") => "audio/wav",
        Some("mp3") => "audio/mpeg",
        Some("ogg") => "audio/ogg",
        Some("json") => "application/json",
        Some("txt") => "text/plain",
        Some("csv") => "text/csv",
        _ => "binary/octet-stream",
    }
}

impl Inner {
    async fn serve(&self, request: Request) -> Result<Value, ServiceError> {
        let member = |name: &str| request.arguments.get(name).and_then(Value::as_str).unwrap_or("");
        let listing = request.action.starts_with("listObjects");
        let key = if listing { member("Prefix") } else { member("Key") };
        if self.folder(member("Bucket"), key).is_none() {
            return self.upstream.call(request).await;
        }
        let Some(known) = known::fields(&request.action) else {
            return Err(ServiceError::unsupported(&request));
        };
        let fields = Fields::of(&request, known, "InvalidRequest")?;
        match self.act(&request, fields).await {
            Ok(result) => Ok(result),
            Err(Failure::Fault(fault)) => Err(error(&request, &fault)),
            Err(Failure::TooLarge) => Err(ServiceError::new(
                "States.DataLimitExceeded",
                format!(
                    "The state/task '{}' returned a result with a size exceeding the maximum number of bytes service limit.",
                    request.execution.state
                ),
            )),
        }
    }

    async fn act(&self, request: &Request, fields: Fields<'_>) -> Result<Value, Failure> {
        if request.action.starts_with("listObjects") {
            return Ok(self.list(&request.action, fields).await?);
        }
        let path = self.path(fields.required("Bucket")?, fields.required("Key")?)?;
        match request.action.as_str() {
            "getObject" => self.get(path, fields.text("Range")?).await,
            "headObject" => Ok(self.head(path).await?),
            "putObject" => {
                let bytes = fields.body("Body").unwrap_or_default().into_bytes();
                if fields.text("IfNoneMatch")? == Some("*") && self.there(&path).await? {
                    return Err(Failure::Fault(precondition()));
                }
                let put = self.blobs.put(path, bytes).await;
                let (_, etag) = put.map_err(|why| failed(&why))?;
                Ok(json!({"ETag": etag}))
            }
            "deleteObject" => {
                self.blobs.delete(path).await.map_err(|why| failed(&why))?;
                Ok(json!({}))
            }
            _ => Ok(self.copy(fields, path).await?),
        }
    }

    /// The folder that a bucket's key is in, and the key within it.
    fn folder<'a>(&self, bucket: &str, key: &'a str) -> Option<(PathBuf, &'a str)> {
        self.folders.iter().find_map(|rule| {
            let rest = key.strip_prefix(&rule.prefix)?;
            if rule.bucket == bucket {
                return Some((rule.folder.clone(), rest));
            }
            // A folder of the bucket's name: the name must be one.
            let any = rule.bucket == "*" && BlobPath::new(&rule.folder, bucket).is_ok();
            (any && !bucket.contains('/')).then(|| (rule.folder.join(bucket), rest))
        })
    }

    fn path(&self, bucket: &str, key: &str) -> Result<BlobPath, Fault> {
        let (folder, rest) = self.folder(bucket, key).ok_or_else(no_bucket)?;
        BlobPath::new(&folder, rest).map_err(|why| match why {
            KeyError::TooLong => Fault::new("KeyTooLongError", why.to_string()),
            KeyError::NotPlain => {
                Fault { modelled: false, ..Fault::new("InvalidRequest", format!("{key}: {why}")) }
            }
        })
    }

    async fn there(&self, path: &BlobPath) -> Result<bool, Fault> {
        let head = self.blobs.head(path.clone()).await;
        head.map(|info| info.is_some()).map_err(|why| failed(&why))
    }

    async fn get(&self, path: BlobPath, range: Option<&str>) -> Result<Value, Failure> {
        let key = path.key().to_owned();
        let info = self.blobs.head(path.clone()).await.map_err(|why| failed(&why))?;
        let size = info.ok_or_else(no_key)?.size;
        let part = range.map(|range| range::of(range, size)).transpose()?.flatten();
        if part.map_or(size, |(first, last)| last - first + 1) > READ_BYTES {
            return Err(Failure::TooLarge);
        }
        let object = match part {
            Some((first, last)) => self.blobs.part(path, first..last + 1).await,
            None => self.blobs.get(path).await,
        };
        let object = object.map_err(|why| failed(&why))?;
        let Object { info, etag, bytes } = object.ok_or_else(no_key)?;
        let mut shown = described(&key, info, &etag);
        if let Some((first, last)) = part {
            shown["ContentRange"] = json!(format!("bytes {first}-{last}/{}", info.size));
            shown["ContentLength"] = json!(last - first + 1);
        }
        let text = String::from_utf8(bytes);
        let text = text.unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        shown["Body"] = Value::String(text);
        Ok(shown)
    }

    async fn head(&self, path: BlobPath) -> Result<Value, Fault> {
        let key = path.key().to_owned();
        let found = self.blobs.describe(path).await.map_err(|why| failed(&why))?;
        // There is no body that could say more than the status.
        let missing = || Fault::new("NoSuchKey", "null").with_status(404);
        let (info, etag) = found.ok_or_else(missing)?;
        Ok(described(&key, info, &etag))
    }

    async fn copy(&self, fields: Fields<'_>, to: BlobPath) -> Result<Value, Fault> {
        let source = decoded(fields.required("CopySource")?);
        let source = source.strip_prefix('/').unwrap_or(&source);
        let (bucket, key) =
            source.split_once('/').ok_or_else(|| fields.invalid("CopySource is bucket/key."))?;
        let from = self.path(bucket, key)?;
        let object = self.blobs.get(from).await.map_err(|why| failed(&why))?;
        let bytes = object.ok_or_else(no_key)?.bytes;
        let (info, etag) = self.blobs.put(to, bytes).await.map_err(|why| failed(&why))?;
        Ok(json!({"CopyObjectResult": {"ETag": etag, "LastModified": seconds(info)}}))
    }
}

/// Why an object is not answered with.
enum Failure {
    Fault(Fault),
    /// More than a state may hold.
    TooLarge,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn precondition() -> Fault {
    Fault {
        modelled: false,
        ..Fault::new(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
    }
    .with_status(412)
}

/// S3 names a second id in its errors.
fn error(request: &Request, fault: &Fault) -> ServiceError {
    let error = sdk::error(NAME, request, fault);
    let (cause, attempts) = match error.cause.split_once(") (SDK ") {
        Some((cause, attempts)) => (cause, format!(" (SDK {attempts}")),
        None => (error.cause.strip_suffix(')').unwrap_or(&error.cause), String::new()),
    };
    let extended = sdk::uuid_of(&[b"extended", sdk::request_id(request).as_bytes()]);
    let cause = match request.integration {
        super::Integration::Sdk => {
            format!("{cause}, Extended Request ID: {extended}){attempts}")
        }
        super::Integration::Optimized => format!("{cause}; S3 Extended Request ID: {extended})"),
    };
    ServiceError { cause, ..error }
}

/// Whole seconds, as S3 has them.
fn seconds(info: BlobInfo) -> String {
    info.modified.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn described(key: &str, info: BlobInfo, etag: &str) -> Value {
    json!({
        "AcceptRanges": "bytes",
        "ContentLength": info.size,
        "ContentType": content_type(key),
        "ETag": etag,
        "LastModified": seconds(info),
        "Metadata": {},
    })
}

/// `%20` and its like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let hex = more.get(..2).filter(|_| *first == b'%');
        let byte = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
