//! `[recording]`, and `record` of trunks and extensions.

use super::section::Section;
use crate::schema::{
    ObjectStore, ObjectStoreKeys, Record, Recording, RecordingFormat, RecordingPlace,
};

const RECORD: [(&str, Record); 2] = [("always", Record::Always), ("never", Record::Never)];
const SECRET: [&str; 3] = ["secret_key", "secret_key_file", "secret_key_env"];
/// The keys of an object store.
const OF_S3: [&str; 7] = [
    "bucket",
    "region",
    "endpoint",
    "access_key",
    "secret_key",
    "secret_key_file",
    "secret_key_env",
];
const STORES: [(&str, Store); 2] = [("folder", Store::Folder), ("s3", Store::S3)];

/// `store`.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Store {
    /// `"folder"`.
    Folder,
    /// `"s3"`.
    S3,
}

/// `store` of a section.
pub(super) fn store(s: &Section<'_, '_>) -> Option<Store> {
    s.word("store", &STORES)
}

/// `record` of a party.
pub(super) fn record(s: &Section<'_, '_>) -> Option<Record> {
    s.word("record", &RECORD)
}

pub(super) fn recording(s: &Section<'_, '_>) -> Recording {
    let default = Recording::default();
    let formats = [
        ("wav", RecordingFormat::Wav),
        ("wav-ulaw", RecordingFormat::WavUlaw),
        ("wav-alaw", RecordingFormat::WavAlaw),
        ("opus", RecordingFormat::Opus),
    ];
    let store = store(s);
    let folder = s.path("folder");
    let objects = object_store(s, store, &["keep_local"], None);
    let percent = s.number("warn_free_percent", 0..=50).and_then(|n| u8::try_from(n).ok());
    let recording = Recording {
        calls: s.word("calls", &RECORD).unwrap_or(default.calls),
        format: s.word("format", &formats).unwrap_or(default.format),
        place: objects.map_or(RecordingPlace::Folder(folder), RecordingPlace::S3),
        prefix: prefix(s).unwrap_or(default.prefix),
        keep_local: s.flag("keep_local").unwrap_or(default.keep_local),
        uploads: s.count("uploads", 1..=16).unwrap_or(default.uploads),
        warn_free_percent: percent.unwrap_or(default.warn_free_percent),
        warn_free_mib: s.number("warn_free_mib", 0..=1 << 30).unwrap_or(default.warn_free_mib),
    };
    s.finish();
    recording
}

/// What stands before each name: a path of its own that leads nowhere else.
fn prefix(s: &Section<'_, '_>) -> Option<String> {
    let text = s.any_text("prefix")?;
    let good = |c: char| c.is_ascii_alphanumeric() || "-_./=".contains(c);
    let up = text.value.split('/').any(|part| part == ".." || part == ".");
    let bad = text.value.starts_with('/') || up || text.value.len() > 500;
    if bad || !text.value.chars().all(good) {
        let message =
            "`prefix` may hold letters, digits, `-`, `_`, `.`, `=` and, not in front, `/`";
        s.reader.suggest(text.at, message, "write it like \"office-1/\"");
        return None;
    }
    Some(text.value)
}

/// The keys of an object store; `more` keys are for one only. `bucket`: its name where none is written.
pub(super) fn object_store(
    s: &Section<'_, '_>,
    store: Option<Store>,
    more: &[&'static str],
    bucket: Option<String>,
) -> Option<ObjectStore> {
    let bucket = s.text("bucket").map(|text| text.value).or(bucket);
    let region = s.text("region").map(|text| text.value);
    let endpoint = web_server(s, "endpoint");
    let id = s.text("access_key").map(|text| text.value);
    let secret = s.secret(SECRET);
    if store != Some(Store::S3) {
        // A word that is wrong was complained of already.
        if let Some(key) = OF_S3.iter().chain(more).find(|key| s.has(key))
            && (store.is_some() || !s.has("store"))
        {
            let message = format!("`{key}` is for store = \"s3\" only");
            s.reader.suggest(s.at(key), message, "write store = \"s3\"");
        }
        return None;
    }
    if bucket.is_none() && !s.has("bucket") {
        s.missing("bucket", "\"my-recordings\"");
    }
    if region.is_none() && endpoint.is_none() && !s.has("region") {
        s.missing("region", "\"us-east-1\"");
    }
    let has_secret = SECRET.iter().any(|key| s.has(key));
    match (s.has("access_key"), has_secret) {
        (true, false) => s.missing("secret_key", "\"…\"  (or secret_key_file, secret_key_env)"),
        (false, true) => s.missing("access_key", "\"AKIA…\""),
        _ => {}
    }
    Some(ObjectStore {
        bucket: bucket.unwrap_or_default(),
        region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        endpoint,
        keys: id.zip(secret).map(|(id, secret)| ObjectStoreKeys { id, secret }),
    })
}

/// `http(s)://host[:port]`.
pub(super) fn web_server(s: &Section<'_, '_>, key: &'static str) -> Option<String> {
    let text = s.text(key)?;
    let host = ["https://", "http://"].iter().find_map(|scheme| text.value.strip_prefix(scheme));
    if !host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace)) {
        let message = format!("`{key}`: \"{}\" is no address of a web server", text.value);
        s.reader.suggest(text.at, message, "write it like \"https://s3.example.com:9000\"");
        return None;
    }
    Some(text.value)
}
