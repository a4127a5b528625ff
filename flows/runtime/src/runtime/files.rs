//! The files of distributed Maps: items that are read, results that are written.

use jiff::Timestamp;
use serde_json::Value;

use super::dispatch::Answered;
use crate::services::{Request, ServiceError, Services};

/// Pages of `listObjectsV2`.
const PAGES: usize = 200;

/// Reads what an `ItemReader` names.
pub(super) async fn read_items(services: Services, mut request: Request) -> Answered {
    if request.action != "listObjectsV2" {
        return match services.call(request).await {
            Err(error) => Answered::Task(Err(error)),
            Ok(object) => match object.get("Body") {
                Some(Value::String(text)) => Answered::Content(text.clone()),
                Some(other) => Answered::Content(other.to_string()),
                None => Answered::Task(Err(ServiceError::new(
                    "States.ItemReaderFailed",
                    "the object has no body",
                ))),
            },
        };
    }
    let mut items = Vec::new();
    for _ in 0..PAGES {
        let mut page = match services.call(request.clone()).await {
            Ok(page) => page,
            Err(error) => return Answered::Task(Err(error)),
        };
        if let Some(Value::Array(contents)) = page.get_mut("Contents").map(Value::take) {
            items.extend(contents.into_iter().map(listed));
        }
        let next = page.get("NextContinuationToken").cloned().unwrap_or(Value::Null);
        if next.is_null() || items.len() >= offhook_asl::limits::READER_ITEMS {
            break;
        }
        if let Some(arguments) = request.arguments.as_object_mut() {
            arguments.insert("ContinuationToken".to_owned(), next);
        }
    }
    Answered::Task(Ok(Value::Array(items)))
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
