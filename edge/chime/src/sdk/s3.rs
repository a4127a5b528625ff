//! Amazon S3: the actions on single objects, and the list of a bucket.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Call, Sdk, TASK_LIMITS, failed, scalar, xml};
use crate::aws::Aws;
use crate::https::{Answer, Endpoint};
use crate::sigv4::{Draft, encoded, encoded_path};
use crate::task::TaskError;

/// Parameters that are headers.
const HEADERS: &[(&str, &str)] = &[
    ("ContentType", "content-type"),
    ("ContentDisposition", "content-disposition"),
    ("ContentEncoding", "content-encoding"),
    ("ContentLanguage", "content-language"),
    ("CacheControl", "cache-control"),
    ("ACL", "x-amz-acl"),
    ("StorageClass", "x-amz-storage-class"),
    ("ServerSideEncryption", "x-amz-server-side-encryption"),
    ("SSEKMSKeyId", "x-amz-server-side-encryption-aws-kms-key-id"),
    ("Tagging", "x-amz-tagging"),
    ("ExpectedBucketOwner", "x-amz-expected-bucket-owner"),
    ("CopySource", "x-amz-copy-source"),
    ("MetadataDirective", "x-amz-metadata-directive"),
    ("IfMatch", "if-match"),
    ("IfNoneMatch", "if-none-match"),
    ("Range", "range"),
];
/// Parameters that stand in the query.
const QUERY: &[(&str, &str)] = &[
    ("VersionId", "versionId"),
    ("Prefix", "prefix"),
    ("Delimiter", "delimiter"),
    ("MaxKeys", "max-keys"),
    ("ContinuationToken", "continuation-token"),
    ("StartAfter", "start-after"),
];
/// Headers of an answer that are members of the result.
const RESULT: &[(&str, &str)] = &[
    ("content-type", "ContentType"),
    ("etag", "ETag"),
    ("last-modified", "LastModified"),
    ("x-amz-version-id", "VersionId"),
    ("x-amz-server-side-encryption", "ServerSideEncryption"),
    ("x-amz-storage-class", "StorageClass"),
    ("content-range", "ContentRange"),
];
/// What may be there several times in a list, and is an array though there is one.
const LISTS: &[&str] = &["Contents", "CommonPrefixes"];

/// Name, method, whether it has a key.
const ACTIONS: &[(&str, &str, bool)] = &[
    ("GetObject", "GET", true),
    ("HeadObject", "HEAD", true),
    ("PutObject", "PUT", true),
    ("CopyObject", "PUT", true),
    ("DeleteObject", "DELETE", true),
    ("ListObjectsV2", "GET", false),
];

pub(super) async fn call(sdk: &Sdk, call: &Call<'_>) -> Result<Value, TaskError> {
    let Some((_, method, keyed)) = ACTIONS.iter().find(|(name, _, _)| *name == call.action) else {
        let names: Vec<String> =
            ACTIONS.iter().map(|(n, _, _)| super::first(n, char::to_ascii_lowercase)).collect();
        return Err(call.unknown(&names.join(", ")));
    };
    let parameter = |name: &str| call.parameters.get(name).and_then(scalar);
    let needed = |name: &str| {
        let action = super::first(call.action, char::to_ascii_lowercase);
        let missing = || TaskError::runtime(format!("s3:{action} needs {name}"));
        parameter(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    };
    let bucket = needed("Bucket")?;
    let key = if *keyed { needed("Key")? } else { String::new() };
    let (endpoint, path) = place(&sdk.aws, call, &bucket, &key)?;
    let pairs = |table: &[(&str, &str)]| -> Vec<(String, String)> {
        let one = |(name, on_wire): &(&str, &str)| Some(((*on_wire).to_owned(), parameter(name)?));
        table.iter().filter_map(one).collect()
    };
    let mut headers = pairs(HEADERS);
    for (name, value) in
        call.parameters.get("Metadata").and_then(Value::as_object).into_iter().flatten()
    {
        let name = format!("x-amz-meta-{}", name.to_ascii_lowercase());
        headers.extend(scalar(value).map(|value| (name, value)));
    }
    let mut query = pairs(QUERY);
    if call.action == "ListObjectsV2" {
        query.push(("list-type".to_owned(), "2".to_owned()));
    }
    let body = match call.parameters.get("Body") {
        Some(Value::String(text)) => Bytes::from(text.clone()),
        Some(value) => Bytes::from(value.to_string()),
        None => Bytes::new(),
    };
    let draft = Draft { method, authority: endpoint.authority.clone(), path, query, headers, body };
    let answer = sdk.aws.call(call.service(), sdk.aws.region(), &endpoint, draft, TASK_LIMITS);
    let answer = answer.await.map_err(|error| failed(call.row.errors, error))?;
    result(call.action, &answer)
}

/// The bucket's own host at AWS; a folder of the server elsewhere, and for names with a dot, which
/// no certificate covers.
fn place(
    aws: &Aws,
    call: &Call<'_>,
    bucket: &str,
    key: &str,
) -> Result<(Endpoint, String), TaskError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(good) {
        return Err(TaskError::runtime(format!("{bucket:?} is no name of a bucket")));
    }
    let mut endpoint = aws
        .endpoint(call.service(), aws.region())
        .map_err(|error| failed(call.row.errors, error))?;
    let key = encoded_path(key);
    if aws.has_own_endpoint(call.row.prefix) || bucket.contains(['.', '_']) {
        return Ok((endpoint, format!("/{}/{key}", encoded(bucket))));
    }
    endpoint.authority = format!("{bucket}.{}", endpoint.authority);
    endpoint.host = format!("{bucket}.{}", endpoint.host);
    Ok((endpoint, format!("/{key}")))
}

fn result(action: &str, answer: &Answer) -> Result<Value, TaskError> {
    if action == "ListObjectsV2" {
        let root = xml::read(&answer.body).map_err(|w| TaskError::new("States.TaskFailed", w))?;
        return Ok(root.value(LISTS));
    }
    let mut members = Map::new();
    for (header, name) in RESULT {
        if let Some(value) = answer.header(header) {
            members.insert((*name).to_owned(), Value::from(value));
        }
    }
    let mut metadata = Map::new();
    for (name, value) in &answer.headers {
        if let (Some(name), Ok(value)) = (name.as_str().strip_prefix("x-amz-meta-"), value.to_str())
        {
            metadata.insert(name.to_owned(), Value::from(value));
        }
    }
    if action == "GetObject" || action == "HeadObject" {
        let length = answer.header("content-length").and_then(|l| l.parse::<u64>().ok());
        members.insert("ContentLength".to_owned(), json!(length));
        members.insert("Metadata".to_owned(), Value::Object(metadata));
    }
    if action == "GetObject" {
        let body = std::str::from_utf8(&answer.body).map_err(|_| {
            TaskError::runtime("the object is no text: a workflow can hold nothing else")
        })?;
        members.insert("Body".to_owned(), Value::from(body));
    }
    Ok(Value::Object(members))
}
