//! The files of distributed Maps: items that are read, results that are written.

use jiff::Timestamp;
use offhook_asl::execution::ItemsFile;
use offhook_asl::limits::{READER_BYTES, READER_ITEMS};
use serde_json::{Value, json};

use super::dispatch::Answered;
use crate::services::{Request, ServiceError, Services};

/// Pages of `listObjectsV2`.
const PAGES: usize = 200;

/// Reads what an `ItemReader` names; `load`: the objects that it lists as well.
pub(super) async fn read_items(services: Services, request: Request, load: bool) -> Answered {
    let read = if request.action != "listObjectsV2" {
        read_object(&services, request).await.map(Answered::Content)
    } else if load {
        load_objects(&services, request).await
    } else {
        list(&services, request).await.and_then(|(objects, is_whole)| {
            // As many as a Map may have are enough to see whether that is too many.
            if !is_whole && objects.len() <= READER_ITEMS {
                return Err(unreadable(format!("the list has more than {PAGES} pages")));
            }
            Ok(Answered::Task(Ok(objects.into_iter().map(listed).collect())))
        })
    };
    read.unwrap_or_else(|error| Answered::Task(Err(error)))
}

fn unreadable(why: impl Into<String>) -> ServiceError {
    ServiceError::new("States.ItemReaderFailed", why)
}

async fn read_object(services: &Services, request: Request) -> Result<String, ServiceError> {
    match services.call(request).await?.get_mut("Body").map(Value::take) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Ok(other.to_string()),
        None => Err(unreadable("the object has no body")),
    }
}

/// The objects of all pages, and whether they are all.
async fn list(
    services: &Services,
    mut request: Request,
) -> Result<(Vec<Value>, bool), ServiceError> {
    let mut objects = Vec::new();
    for _ in 0..PAGES {
        let mut page = services.call(request.clone()).await?;
        if let Some(Value::Array(contents)) = page.get_mut("Contents").map(Value::take) {
            objects.extend(contents);
        }
        let next = page.get("NextContinuationToken").cloned().unwrap_or(Value::Null);
        if next.is_null() {
            return Ok((objects, true));
        }
        if objects.len() > READER_ITEMS {
            break;
        }
        if let Some(arguments) = request.arguments.as_object_mut() {
            arguments.insert("ContinuationToken".to_owned(), next);
        }
    }
    Ok((objects, false))
}

/// The objects of the list, one after another, and no more of them than may be held.
async fn load_objects(services: &Services, request: Request) -> Result<Answered, ServiceError> {
    let (objects, mut is_whole) = list(services, request.clone()).await?;
    let mut files = Vec::new();
    let mut bytes = 0;
    for (n, object) in objects.iter().enumerate() {
        let Some(key) = object.get("Key").and_then(Value::as_str) else { continue };
        let size = object.get("Size").and_then(Value::as_u64).unwrap_or(0);
        // What stands for a folder in S3's console is no file.
        if key.ends_with('/') && size == 0 {
            continue;
        }
        let fits = |more: u64| usize::try_from(more).is_ok_and(|more| more <= READER_BYTES - bytes);
        if files.len() == READER_ITEMS || !fits(size) {
            is_whole = false;
            break;
        }
        let text = read_object(services, object_request(&request, key, n)).await?;
        // It may have grown since it was listed.
        if !fits(text.len() as u64) {
            is_whole = false;
            break;
        }
        bytes += text.len();
        files.push(ItemsFile { key: key.to_owned(), text });
    }
    Ok(Answered::Files(files, is_whole))
}

/// Asks for the object `key`, the `n`th of those that `list` asked for.
fn object_request(list: &Request, key: &str, n: usize) -> Request {
    let mut arguments = json!({ "Key": key });
    for name in ["Bucket", "ExpectedBucketOwner"] {
        if let Some(value) = list.arguments.get(name) {
            arguments[name] = value.clone();
        }
    }
    let idempotency = format!("{}/{n}", list.idempotency);
    Request { action: "getObject".to_owned(), arguments, idempotency, ..list.clone() }
}

/// Writes what a `ResultWriter` keeps.
pub(super) async fn write_results(services: Services, files: Vec<Request>) -> Answered {
    let mut last = Value::Null;
    for file in files {
        last = match services.call(file).await {
            Ok(answer) => answer,
            Err(error) => return Answered::Task(Err(error)),
        };
    }
    Answered::Task(Ok(last))
}

/// An object in a bucket as a Map has it: the SDK's words, but `Etag`, and seconds since 1970
/// (developer guide, "ItemReader").
fn listed(mut object: Value) -> Value {
    let Some(members) = object.as_object_mut() else { return object };
    let modified = members.get("LastModified").and_then(Value::as_str);
    if let Some(Ok(at)) = modified.map(str::parse::<Timestamp>) {
        members.insert("LastModified".to_owned(), at.as_second().into());
    }
    if let Some(etag) = members.remove("ETag") {
        members.insert("Etag".to_owned(), etag);
    }
    object
}
