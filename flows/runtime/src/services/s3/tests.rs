//! Behaviour of S3.

use std::sync::Arc;

use jiff::Timestamp;
use offhook_asl::machine::Pattern;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{BlobPath, Blobs as _, BucketFolder, Folders, S3};
use crate::services::{ExecutionInfo, Integration, NoUpstream, Request, Service, ServiceError};

struct Machine {
    root: tempfile::TempDir,
    s3: S3,
}

fn machine() -> Machine {
    let root = tempfile::tempdir().unwrap();
    let folder = |bucket: &str, prefix: &str, folder: &str| BucketFolder {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        folder: root.path().join(folder),
    };
    let folders = vec![
        folder("prompts", "", "prompts"),
        folder("prompts", "voicemail/", "spool"),
        folder("*", "", "any"),
    ];
    std::fs::create_dir_all(root.path().join("prompts")).unwrap();
    std::fs::create_dir_all(root.path().join("spool")).unwrap();
    let s3 = S3::new(Arc::new(Folders), folders, Arc::new(NoUpstream));
    Machine { root, s3 }
}

async fn ask(s3: &S3, action: &str, arguments: Value) -> Result<Value, ServiceError> {
    let request = Request {
        integration: Integration::Sdk,
        service: "s3".to_owned(),
        action: action.to_owned(),
        pattern: Pattern::RequestResponse,
        arguments,
        execution: ExecutionInfo {
            arn: String::new(),
            name: String::new(),
            state_machine: String::new(),
            state: "State".to_owned(),
            transaction_id: None,
        },
        idempotency: "request-1".to_owned(),
        now: Timestamp::UNIX_EPOCH,
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
    };
    s3.call(request).await
}

async fn put(s3: &S3, bucket: &str, key: &str, body: &str) {
    ask(s3, "putObject", json!({"Bucket": bucket, "Key": key, "Body": body})).await.unwrap();
}

#[tokio::test]
async fn an_object_is_read_as_it_was_written_and_described_as_s3_describes_it() {
    let machine = machine();
    let written = json!({"Bucket": "prompts", "Key": "a/b.txt", "Body": "text data"});
    let etag = "\"332eec544317a6d340b8e77da7fe54ad\"";
    assert_eq!(ask(&machine.s3, "putObject", written).await.unwrap(), json!({"ETag": etag}));
    let get = json!({"Bucket": "prompts", "Key": "a/b.txt"});
    let mut got = ask(&machine.s3, "getObject", get.clone()).await.unwrap();
    assert!(got["LastModified"].take().as_str().unwrap().parse::<Timestamp>().is_ok());
    assert_eq!(
        got,
        json!({"AcceptRanges": "bytes", "ContentLength": 9, "ContentType": "text/plain", "ETag": etag,
            "LastModified": null, "Metadata": {}, "Body": "text data"})
    );
    let head = ask(&machine.s3, "headObject", get.clone()).await.unwrap();
    assert_eq!((head["ContentLength"].clone(), head.get("Body")), (json!(9), None));
    assert_eq!(ask(&machine.s3, "deleteObject", get.clone()).await.unwrap(), json!({}));
    assert_eq!(ask(&machine.s3, "deleteObject", get).await.unwrap(), json!({}));
}

#[tokio::test]
async fn a_part_of_an_object_is_read() {
    let machine = machine();
    put(&machine.s3, "prompts", "a.txt", "0123456789").await;
    let get = |range: &str| {
        let arguments = json!({"Bucket": "prompts", "Key": "a.txt", "Range": range});
        ask(&machine.s3, "getObject", arguments)
    };
    for (range, body, told) in [
        ("bytes=0-3", "0123", json!("bytes 0-3/10")),
        ("bytes=8-99", "89", json!("bytes 8-9/10")),
        ("bytes=7-", "789", json!("bytes 7-9/10")),
        ("bytes=-2", "89", json!("bytes 8-9/10")),
        ("bytes=-99", "0123456789", json!("bytes 0-9/10")),
        ("bytes=8-99999999999999999999", "89", json!("bytes 8-9/10")),
        ("bytes=-99999999999999999999", "0123456789", json!("bytes 0-9/10")),
        ("bytes=3-1", "0123456789", Value::Null),
        ("bytes=+0-3", "0123456789", Value::Null),
        ("bytes=-", "0123456789", Value::Null),
        ("lines=1-2", "0123456789", Value::Null),
    ] {
        let got = get(range).await.unwrap();
        assert_eq!((&got["Body"], &got["ContentRange"]), (&json!(body), &told), "{range}");
        assert_eq!(got["ContentLength"], body.len(), "{range}");
    }
    for range in ["bytes=10-", "bytes=-0", "bytes=99999999999999999999-"] {
        let error = get(range).await.unwrap_err();
        assert!(error.cause.starts_with("The requested range is not satisfiable"), "{error:?}");
    }
}

#[tokio::test]
async fn json_is_written_as_its_text() {
    let machine = machine();
    let put = json!({"Bucket": "prompts", "Key": "a.json", "Body": {"a": [1, "x"]}});
    ask(&machine.s3, "putObject", put).await.unwrap();
    let text = std::fs::read_to_string(machine.root.path().join("prompts/a.json")).unwrap();
    assert_eq!(text, r#"{"a":[1,"x"]}"#);
}

#[tokio::test]
async fn what_is_not_there_is_told_in_s3s_words() {
    let machine = machine();
    let get = json!({"Bucket": "prompts", "Key": "no_such_key.json"});
    let error = ask(&machine.s3, "getObject", get).await.unwrap_err();
    assert_eq!(error.error, "S3.NoSuchKeyException");
    assert!(error.cause.starts_with(
        "The specified key does not exist. (Service: S3, Status Code: 404, Request ID: "
    ));
    assert!(error.cause.contains(", Extended Request ID: "));
    assert!(error.cause.ends_with(") (SDK Attempt Count: 1)"), "{}", error.cause);
    let list = json!({"Bucket": "someNonexistentBucketName"});
    let error = ask(&machine.s3, "listObjects", list).await.unwrap_err();
    assert_eq!(error.error, "S3.NoSuchBucketException");
    assert!(error.cause.starts_with(
        "The specified bucket does not exist (Service: S3, Status Code: 404, Request ID: "
    ));
}

#[tokio::test]
async fn the_longest_prefix_says_which_folder() {
    let machine = machine();
    put(&machine.s3, "prompts", "voicemail/1.wav", "v").await;
    put(&machine.s3, "prompts", "beep.wav", "b").await;
    put(&machine.s3, "other", "x.txt", "o").await;
    for (file, text) in [("spool/1.wav", "v"), ("prompts/beep.wav", "b"), ("any/other/x.txt", "o")]
    {
        assert_eq!(std::fs::read_to_string(machine.root.path().join(file)).unwrap(), text);
    }
    let list = json!({"Bucket": "prompts", "Prefix": "voicemail/"});
    let listed = ask(&machine.s3, "listObjectsV2", list).await.unwrap();
    assert_eq!(listed["Contents"][0]["Key"], "voicemail/1.wav");
}

#[tokio::test]
async fn no_key_leads_out_of_its_folder() {
    let machine = machine();
    std::fs::write(machine.root.path().join("secret.txt"), "secret").unwrap();
    for key in
        ["../secret.txt", "a/../../secret.txt", "/etc/passwd", "a//b", "./x", "a\\..\\b", "x\0y"]
    {
        for action in ["getObject", "putObject", "deleteObject", "headObject"] {
            let arguments = json!({"Bucket": "prompts", "Key": key});
            let error = ask(&machine.s3, action, arguments).await.unwrap_err();
            assert_eq!(error.error, "S3.S3Exception", "{action} {key}");
        }
    }
    for bucket in ["..", ".", "a/b", "../spool"] {
        let put = json!({"Bucket": bucket, "Key": "x", "Body": "y"});
        let error = ask(&machine.s3, "putObject", put).await.unwrap_err();
        assert!(error.cause.contains("is not served on this machine"), "{bucket}");
    }
    assert_eq!(std::fs::read_to_string(machine.root.path().join("secret.txt")).unwrap(), "secret");
}

#[cfg(unix)]
#[tokio::test]
async fn no_link_leads_out_of_its_folder() {
    let machine = machine();
    std::fs::write(machine.root.path().join("secret.txt"), "secret").unwrap();
    let prompts = machine.root.path().join("prompts");
    std::os::unix::fs::symlink(machine.root.path(), prompts.join("out")).unwrap();
    let key = json!({"Bucket": "prompts", "Key": "out/secret.txt"});
    let error = ask(&machine.s3, "getObject", key.clone()).await.unwrap_err();
    assert_eq!(error.error, "S3.NoSuchKeyException");
    ask(&machine.s3, "deleteObject", key).await.unwrap();
    let put = json!({"Bucket": "prompts", "Key": "out/new.txt", "Body": "x"});
    assert!(ask(&machine.s3, "putObject", put).await.is_err());
    assert!(machine.root.path().join("secret.txt").exists());
    let listed = ask(&machine.s3, "listObjectsV2", json!({"Bucket": "prompts"})).await.unwrap();
    assert_eq!(listed["KeyCount"], 0);
}

#[tokio::test]
async fn an_object_is_copied() {
    let machine = machine();
    put(&machine.s3, "prompts", "a b.txt", "x").await;
    let copy = json!({"Bucket": "other", "Key": "c/d.txt", "CopySource": "prompts/a%20b.txt"});
    let copied = ask(&machine.s3, "copyObject", copy).await.unwrap();
    assert!(copied["CopyObjectResult"]["ETag"].is_string());
    let get = json!({"Bucket": "other", "Key": "c/d.txt"});
    assert_eq!(ask(&machine.s3, "getObject", get).await.unwrap()["Body"], "x");
}

#[tokio::test]
async fn a_listing_comes_in_pages_with_folders_told_once() {
    let machine = machine();
    for key in ["a.txt", "d/1", "d/2", "d.txt", "e/f/1", "z"] {
        put(&machine.s3, "prompts", key, "x").await;
    }
    for most in 1..8 {
        let (mut keys, mut token) = (Vec::new(), Value::Null);
        loop {
            let list = json!({"Bucket": "prompts", "Delimiter": "/", "MaxKeys": most,
                "ContinuationToken": token});
            let page = ask(&machine.s3, "listObjectsV2", list).await.unwrap();
            assert!(page["KeyCount"].as_u64().unwrap() <= most);
            for (list, member) in [("Contents", "Key"), ("CommonPrefixes", "Prefix")] {
                let found = page[list].as_array().into_iter().flatten();
                keys.extend(found.map(|one| one[member].as_str().unwrap().to_owned()));
            }
            token = page["NextContinuationToken"].clone();
            if page["IsTruncated"] == false {
                break;
            }
        }
        keys.sort();
        assert_eq!(keys, ["a.txt", "d.txt", "d/", "e/", "z"], "{most}");
    }
}

proptest! {
    #[test]
    fn a_path_that_is_taken_stays_below_its_folder(key in "[a./\\\\\u{0}]{0,12}") {
        if let Ok(path) = BlobPath::new(std::path::Path::new("/root"), &key) {
            let full = path.folder().join(path.key());
            prop_assert!(full.components().all(|c| matches!(c, std::path::Component::RootDir | std::path::Component::Normal(_))));
            prop_assert!(full.starts_with("/root"));
        }
    }
}

#[tokio::test]
async fn a_huge_object_is_described_without_being_read() {
    let machine = machine();
    let file = std::fs::File::create(machine.root.path().join("prompts/huge.wav")).unwrap();
    // A sparse file of 1 TiB: reading it would take an hour.
    file.set_len(1 << 40).unwrap();
    let asked = json!({"Bucket": "prompts", "Key": "huge.wav"});
    let head = ask(&machine.s3, "headObject", asked.clone()).await.unwrap();
    assert_eq!(head["ContentLength"], json!(1_u64 << 40));
    let etag = head["ETag"].as_str().unwrap();
    assert!(etag.ends_with("-131072\""), "{etag}");
    assert_eq!(ask(&machine.s3, "headObject", asked.clone()).await.unwrap(), head);
    let error = ask(&machine.s3, "getObject", asked).await.unwrap_err();
    assert_eq!(error.error, "States.DataLimitExceeded");
}

/// A recording of a hundred megabytes has a head of a few bytes.
#[tokio::test]
async fn a_small_part_of_a_huge_object_is_read_and_a_huge_part_is_not() {
    let machine = machine();
    let path = machine.root.path().join("prompts/huge.wav");
    std::fs::write(&path, "RIFF").unwrap();
    let size = 1_u64 << 40;
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(size).unwrap();
    let get = async |range: &str| {
        let arguments = json!({"Bucket": "prompts", "Key": "huge.wav", "Range": range});
        ask(&machine.s3, "getObject", arguments).await
    };
    for (range, body, first) in [
        ("bytes=0-5".to_owned(), "RIFF\0\0", 0),
        ("bytes=2-3".to_owned(), "FF", 2),
        ("bytes=-3".to_owned(), "\0\0\0", size - 3),
        (format!("bytes={}-", size - 1), "\0", size - 1),
    ] {
        let got = get(&range).await.unwrap();
        let told = format!("bytes {first}-{}/{size}", first + body.len() as u64 - 1);
        assert_eq!((&got["Body"], &got["ContentRange"]), (&json!(body), &json!(told)), "{range}");
        assert_eq!(got["ContentLength"], body.len());
    }
    for range in ["bytes=0-", "bytes=0-67108864", "bytes=-67108865", "lines=1-2"] {
        let error = get(range).await.unwrap_err();
        assert_eq!(error.error, "States.DataLimitExceeded", "{range}");
    }
}

#[tokio::test]
async fn a_part_of_an_object_has_the_tag_of_the_whole() {
    let machine = machine();
    put(&machine.s3, "prompts", "a.txt", "text data").await;
    let get = json!({"Bucket": "prompts", "Key": "a.txt", "Range": "bytes=5-6"});
    let got = ask(&machine.s3, "getObject", get).await.unwrap();
    assert_eq!(
        (&got["Body"], &got["ETag"]),
        (&json!("da"), &json!("\"332eec544317a6d340b8e77da7fe54ad\""))
    );
}

/// Of a recording of minutes a reader wants the head again and again.
#[tokio::test]
async fn the_tag_of_an_object_of_more_than_8_mib_needs_none_of_its_bytes() {
    let machine = machine();
    let path = machine.root.path().join("prompts/long.wav");
    let shown = async |name: &str, range: Option<&str>| {
        let mut arguments = json!({"Bucket": "prompts", "Key": "long.wav"});
        if let Some(range) = range {
            arguments["Range"] = json!(range);
        }
        ask(&machine.s3, name, arguments).await.unwrap()["ETag"].clone()
    };
    let written = |byte: u8, size: usize| {
        std::fs::write(&path, vec![byte; size]).unwrap();
        // The same moment, so that only the bytes differ.
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    };
    for (size, depends) in [((8 << 20) - 1, true), (8 << 20, false)] {
        written(b'a', size);
        let first = shown("getObject", Some("bytes=0-9")).await;
        assert_eq!(shown("headObject", None).await, first, "{size}");
        assert_eq!(shown("getObject", None).await, first, "{size}");
        written(b'b', size);
        let second = shown("getObject", Some("bytes=0-9")).await;
        assert_eq!(first != second, depends, "{size}");
    }
}

#[tokio::test]
async fn what_a_folder_cannot_have_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    // S3 takes 1024 bytes; where a bucket is in a store, it is asked next.
    for key in [format!("{}.wav", "n".repeat(300)), "a/b/c".to_owned()] {
        let path = || BlobPath::new(folder.path(), &key).unwrap();
        std::fs::write(folder.path().join("a"), "no folder").unwrap();
        assert!(Folders.get(path()).await.unwrap().is_none(), "{key}");
        assert!(Folders.head(path()).await.unwrap().is_none(), "{key}");
        Folders.delete(path()).await.unwrap();
    }
}
