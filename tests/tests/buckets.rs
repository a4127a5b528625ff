//! Buckets in a real object store: what workflows read and write, and what is played from them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use offhook_flows::services::s3::{BlobPath, Blobs as _};
use offhook_pbx::objects::Objects as _;
use offhook_store::buckets::{Buckets, Cache, CacheOptions, Remote};
use offhook_store::objects::{S3, S3Options};
use offhook_tests::net::Net;
use offhook_tests::s3::{BUCKET, KEYS, S3Server};

/// A bucket `media` that is in the server, and any other that is a folder.
struct Bench {
    server: S3Server,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let mut server = S3Server::new(env!("CARGO_BIN_EXE_s3-server"), Net::new().ip(77));
        server.start();
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    fn buckets(&self, bytes: u64, time: Duration) -> Buckets {
        let options = S3Options {
            bucket: BUCKET.to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: Some(self.server.endpoint()),
            keys: Some((KEYS[0].to_owned(), KEYS[1].to_owned())),
        };
        let cache = CacheOptions { folder: self.folder.path().join("cache"), bytes, time };
        let remote = Remote {
            store: Arc::new(S3::new(&options).unwrap()),
            cache: Arc::new(Cache::open(cache).unwrap()),
        };
        let root = self.folder.path().to_owned();
        let folder = move |bucket: &str| root.join("waiting").join(bucket);
        let remote = HashMap::from([("media".to_owned(), remote)]);
        Buckets::new(Arc::new(folder), remote, tokio::runtime::Handle::current())
    }

    fn path(&self, bucket: &str, key: &str) -> BlobPath {
        BlobPath::new(&self.folder.path().join("waiting").join(bucket), key).unwrap()
    }

    /// As another program would.
    fn write(&self, key: &str, content: &str) {
        let file = self.server.bucket().join(key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }

    fn cached(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("cache")).unwrap().count()
    }
}

async fn content(buckets: &Buckets, key: &str) -> Option<String> {
    let file: Option<PathBuf> = buckets.file("media".into(), key.into()).await.unwrap();
    file.map(|file| std::fs::read_to_string(file).unwrap())
}

const LONG: Duration = Duration::from_secs(3600);
const ALWAYS: Duration = Duration::ZERO;

#[tokio::test]
async fn what_a_workflow_writes_it_reads_lists_and_deletes_in_the_store() {
    let bench = Bench::new();
    let buckets = bench.buckets(1 << 20, LONG);
    for key in ["notes/a.txt", "notes/b 1#.txt", "notes/c.txt", "other.txt"] {
        let (info, etag) = buckets.put(bench.path("media", key), key.into()).await.unwrap();
        assert_eq!(info.size, key.len() as u64);
        let described = buckets.describe(bench.path("media", key)).await.unwrap().unwrap();
        assert_eq!(described.1, etag, "in its quotation marks, as S3 gives it");
        assert!(etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    }
    assert!(bench.server.bucket().join("notes/b 1#.txt").is_file(), "the key is as it was written");
    let read = buckets.get(bench.path("media", "notes/b 1#.txt")).await.unwrap().unwrap();
    assert_eq!((read.info.size, read.bytes.as_slice()), (14, b"notes/b 1#.txt".as_slice()));
    let part = buckets.part(bench.path("media", "notes/b 1#.txt"), 6..9).await.unwrap().unwrap();
    assert_eq!((part.info.size, part.bytes.as_slice()), (14, b"b 1".as_slice()));
    assert_eq!(part.etag, read.etag);
    for part in [10..15, 14..15] {
        let got = buckets.part(bench.path("media", "notes/b 1#.txt"), part.clone()).await;
        assert!(got.is_err(), "{part:?} {got:?}");
    }
    assert_eq!(buckets.part(bench.path("media", "nothing"), 0..1).await.unwrap(), None);
    let folder = bench.folder.path().join("waiting/media");
    let keys = |prefix: &str, after: Option<&str>, limit| {
        let listed = buckets.list(folder.clone(), prefix.into(), after.map(Into::into), limit);
        async { listed.await.unwrap().unwrap().into_iter().map(|(k, _)| k).collect::<Vec<_>>() }
    };
    assert_eq!(keys("notes/", None, 9).await, ["notes/a.txt", "notes/b 1#.txt", "notes/c.txt"]);
    assert_eq!(keys("notes/b", None, 9).await, ["notes/b 1#.txt"]);
    assert_eq!(keys("", Some("notes/a.txt"), 2).await, ["notes/b 1#.txt", "notes/c.txt"]);
    buckets.delete(bench.path("media", "other.txt")).await.unwrap();
    assert_eq!(buckets.head(bench.path("media", "other.txt")).await.unwrap(), None);
    assert_eq!(buckets.get(bench.path("media", "nothing")).await.unwrap(), None);
    // Other buckets are folders.
    buckets.put(bench.path("local", "x"), b"y".to_vec()).await.unwrap();
    assert!(bench.folder.path().join("waiting/local/x").is_file());
}

#[tokio::test]
async fn a_prompt_is_fetched_once_and_again_when_it_is_another() {
    let bench = Bench::new();
    bench.write("p/a.wav", "one");
    let buckets = bench.buckets(1 << 20, LONG);
    assert_eq!(content(&buckets, "p/a.wav").await.as_deref(), Some("one"));
    assert_eq!(content(&buckets, "p/b.wav").await, None);
    bench.write("p/a.wav", "two!");
    assert_eq!(content(&buckets, "p/a.wav").await.as_deref(), Some("one"), "not asked yet");
    // A restart asks again.
    let buckets = bench.buckets(1 << 20, ALWAYS);
    assert_eq!(content(&buckets, "p/a.wav").await.as_deref(), Some("two!"));
    assert_eq!(bench.cached(), 1, "the other one is gone");
    std::fs::remove_file(bench.server.bucket().join("p/a.wav")).unwrap();
    assert_eq!(content(&buckets, "p/a.wav").await, None);
    assert_eq!(bench.cached(), 0);
}

#[tokio::test]
async fn a_store_that_is_away_leaves_the_prompts_that_were_played_before() {
    let mut bench = Bench::new();
    bench.write("a.wav", "one");
    let buckets = bench.buckets(1 << 20, ALWAYS);
    content(&buckets, "a.wav").await.unwrap();
    bench.server.kill();
    assert_eq!(content(&buckets, "a.wav").await.as_deref(), Some("one"));
    let error = buckets.file("media".into(), "b.wav".into()).await.unwrap_err();
    assert!(!error.contains(KEYS[1]), "{error}");
    let error = buckets.get(bench.path("media", "a.wav")).await.unwrap_err();
    assert!(!error.0.is_empty(), "a workflow is told, and gets nothing old");
}

#[tokio::test]
async fn what_is_kept_here_is_no_more_than_may_be() {
    let bench = Bench::new();
    for n in 0..5 {
        bench.write(&format!("{n}.wav"), &"x".repeat(400));
    }
    let buckets = bench.buckets(1000, LONG);
    for n in 0..5 {
        assert_eq!(content(&buckets, &format!("{n}.wav")).await.unwrap().len(), 400);
    }
    assert_eq!(bench.cached(), 2);
    bench.write("large.wav", &"x".repeat(1001));
    let error = buckets.file("media".into(), "large.wav".into()).await.unwrap_err();
    assert!(error.contains("1001 bytes: too many"), "{error}");
}

#[tokio::test]
async fn a_recording_is_there_before_it_is_in_its_store() {
    let bench = Bench::new();
    let buckets = bench.buckets(1 << 20, LONG);
    let waiting = bench.folder.path().join("waiting/media/rec/a.wav");
    std::fs::create_dir_all(waiting.parent().unwrap()).unwrap();
    std::fs::write(&waiting, "said").unwrap();
    assert_eq!(content(&buckets, "rec/a.wav").await.as_deref(), Some("said"));
    bench.write("rec/b.wav", "stored");
    bench.write("rec/c.wav", "older");
    std::fs::write(waiting.with_file_name("c.wav"), "on its way").unwrap();
    let folder = bench.folder.path().join("waiting/media");
    let listed = buckets.list(folder, "rec/".into(), None, 2).await.unwrap().unwrap();
    let listed: Vec<_> = listed.iter().map(|(key, info)| (key.as_str(), info.size)).collect();
    assert_eq!(listed, [("rec/b.wav", 6), ("rec/c.wav", 5)]);
    for (key, bytes) in
        [("rec/a.wav", "said"), ("rec/b.wav", "stored"), ("rec/c.wav", "on its way")]
    {
        let path = || bench.path("media", key);
        let size = bytes.len() as u64;
        assert_eq!(buckets.get(path()).await.unwrap().unwrap().bytes, bytes.as_bytes());
        assert_eq!(
            buckets.part(path(), 1..3).await.unwrap().unwrap().bytes,
            &bytes.as_bytes()[1..3]
        );
        assert_eq!(buckets.head(path()).await.unwrap().unwrap().size, size);
        assert_eq!(buckets.describe(path()).await.unwrap().unwrap().0.size, size);
        buckets.delete(path()).await.unwrap();
        assert_eq!(buckets.head(path()).await.unwrap(), None);
    }
    assert!(!waiting.exists(), "nothing that was deleted is carried to the store");
    // What is put takes the place of what waits.
    std::fs::write(&waiting, "said").unwrap();
    let path = || bench.path("media", "rec/a.wav");
    buckets.put(path(), b"put".to_vec()).await.unwrap();
    assert_eq!(buckets.get(path()).await.unwrap().unwrap().bytes, b"put");
    assert!(!waiting.exists());
}
