//! What each operation may be asked with (API Reference); what a folder does not keep is taken and
//! does nothing.

const GET: &[&str] =
    &["Bucket", "Key", "Range", "ExpectedBucketOwner", "ResponseContentType", "ChecksumMode"];
const HEAD: &[&str] =
    &["Bucket", "Key", "ExpectedBucketOwner", "ResponseContentType", "ChecksumMode"];
const PUT: &[&str] = &[
    "Bucket",
    "Key",
    "Body",
    "ContentType",
    "ContentEncoding",
    "CacheControl",
    "Metadata",
    "ACL",
    "Acl",
    "StorageClass",
    "Tagging",
    "ServerSideEncryption",
    "ExpectedBucketOwner",
    "ContentDisposition",
    "SSEKMSKeyId",
    "SsekmsKeyId",
    "IfNoneMatch",
];
const DELETE: &[&str] = &["Bucket", "Key", "ExpectedBucketOwner"];
const COPY: &[&str] = &[
    "Bucket",
    "Key",
    "CopySource",
    "MetadataDirective",
    "ContentType",
    "Metadata",
    "ACL",
    "Acl",
    "StorageClass",
    "TaggingDirective",
    "ExpectedBucketOwner",
];
const LIST: &[&str] = &[
    "Bucket",
    "Prefix",
    "Delimiter",
    "MaxKeys",
    "StartAfter",
    "ContinuationToken",
    "Marker",
    "EncodingType",
    "FetchOwner",
    "ExpectedBucketOwner",
    "RequestPayer",
];

/// The fields of an operation. `None`: it is none of those that are served.
pub(super) fn fields(action: &str) -> Option<&'static [&'static str]> {
    Some(match action {
        "getObject" => GET,
        "headObject" => HEAD,
        "putObject" => PUT,
        "deleteObject" => DELETE,
        "copyObject" => COPY,
        "listObjects" | "listObjectsV2" => LIST,
        _ => return None,
    })
}
