//! The files of distributed Maps: items that are read, results that are written.

use std::sync::Arc;

use jiff::Timestamp;
use offhook_asl::execution::{ItemsCall, ItemsFile, TaskEvent};
use offhook_asl::limits::{READER_BYTES, READER_ITEMS};
use serde_json::{Value, json};
use tokio::sync::{AcquireError, Semaphore};

use super::dispatch::Answered;
use crate::services::{Request, ServiceError, Services};

/// Pages of `listObjectsV2`. One has a thousand objects, unless `MaxKeys` asks for fewer.
const PAGES: usize = 200;

/// A text of more bytes is not looked through on the thread that all executions share.
const ASIDE: usize = 64 * 1024;

/// One large text is looked through at a time: the few threads for such work also read the files that
/// callers wait for, and what was asked for and is not wanted any more does not pile up before them.
static TURN: Semaphore = Semaphore::const_new(1);

/// Reads what an `ItemReader` names.
pub(super) async fn read_items(
    services: Services,
    request: Request,
    call: Box<ItemsCall>,
) -> Answered {
    let call: Arc<ItemsCall> = call.into();
    let read = if request.action != "listObjectsV2" {
        read_object(&services, request).await.map(|text| TaskEvent::Content { text })
    } else if call.load {
        load_objects(&services, request, Arc::clone(&call)).await
    } else {
        let listed = list(&services, request, call.most).await;
        return listed.unwrap_or_else(|error| Answered::Task(Err(error)));
    };
    let items = match read {
        Ok(read) => itemized(call, read).await,
        Err(error) => Err(error),
    };
    items.map_or_else(|error| Answered::Task(Err(error)), Answered::Items)
}

/// The items of what was read.
async fn itemized(call: Arc<ItemsCall>, read: TaskEvent) -> Result<TaskEvent, ServiceError> {
    let bytes = match &read {
        TaskEvent::Content { text } => text.len(),
        TaskEvent::Files { files, .. } => files.iter().map(|file| file.text.len()).sum(),
        _ => 0,
    };
    if bytes <= ASIDE {
        return Ok(call.itemize(read));
    }
    let closed = |why: AcquireError| unreadable(why.to_string());
    let turn = TURN.acquire().await.map_err(closed)?;
    let reading = tokio::task::spawn_blocking(move || {
        // Also of one that nobody waits for any more.
        let _turn = turn;
        call.itemize(read)
    });
    reading.await.map_err(|why| unreadable(why.to_string()))
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

/// The pages of a list, one after another.
struct Pages<'s> {
    services: &'s Services,
    request: Request,
    asked: usize,
    is_over: bool,
}

impl<'s> Pages<'s> {
    fn of(services: &'s Services, request: Request) -> Self {
        Self { services, request, asked: 0, is_over: false }
    }

    /// The objects of the next one; `None`: there is none.
    async fn next(&mut self) -> Result<Option<Vec<Value>>, ServiceError> {
        if self.is_over {
            return Ok(None);
        }
        if self.asked == PAGES {
            return Err(unreadable(format!("the list has more than {PAGES} pages")));
        }
        self.asked += 1;
        let mut page = self.services.call(self.request.clone()).await?;
        match page.get_mut("NextContinuationToken").map(Value::take) {
            None | Some(Value::Null) => self.is_over = true,
            Some(next) => {
                if let Some(arguments) = self.request.arguments.as_object_mut() {
                    arguments.insert("ContinuationToken".to_owned(), next);
                }
            }
        }
        Ok(Some(match page.get_mut("Contents").map(Value::take) {
            Some(Value::Array(objects)) => objects,
            _ => Vec::new(),
        }))
    }
}

/// The objects of a list: all, or as many as are wanted or enough to see that they are too many.
async fn list(
    services: &Services,
    request: Request,
    most: Option<u64>,
) -> Result<Answered, ServiceError> {
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let enough = most.min(READER_ITEMS + 1);
    let mut pages = Pages::of(services, request);
    let mut objects = Vec::new();
    while objects.len() < enough
        && let Some(page) = pages.next().await?
    {
        objects.extend(page.into_iter().map(listed));
    }
    Ok(Answered::Task(Ok(objects.into())))
}

/// The objects of a list that are loaded, one after another.
struct Loading {
    call: Arc<ItemsCall>,
    files: Vec<ItemsFile>,
    bytes: usize,
    /// Items that are still wanted; `None`: all that there are.
    wanted: Option<u64>,
}

impl Loading {
    /// Whether one more of so many bytes may be held.
    fn has_room(&self, bytes: u64) -> bool {
        let left = READER_BYTES.saturating_sub(self.bytes);
        self.files.len() < READER_ITEMS && usize::try_from(bytes).is_ok_and(|bytes| bytes <= left)
    }

    /// What was loaded, and whether that is all.
    fn ended(self, is_whole: bool) -> TaskEvent {
        TaskEvent::Files { files: self.files, is_whole }
    }

    async fn push(&mut self, key: &str, mut text: String) -> Result<(), ServiceError> {
        if let Some(wanted) = self.wanted {
            let items;
            (items, text) = items_in(Arc::clone(&self.call), text, wanted).await?;
            self.wanted = Some(wanted.saturating_sub(items));
        }
        self.bytes += text.len();
        self.files.push(ItemsFile { key: key.to_owned(), text });
        Ok(())
    }
}

/// How many of `wanted` items a text has; and the text.
async fn items_in(
    call: Arc<ItemsCall>,
    text: String,
    wanted: u64,
) -> Result<(u64, String), ServiceError> {
    if text.len() <= ASIDE {
        return Ok((call.items_in(&text, wanted), text));
    }
    let counting = tokio::task::spawn_blocking(move || (call.items_in(&text, wanted), text));
    counting.await.map_err(|why| unreadable(why.to_string()))
}

/// Loads the objects of a list until they are all, have the items that are wanted, or may not be held.
async fn load_objects(
    services: &Services,
    request: Request,
    call: Arc<ItemsCall>,
) -> Result<TaskEvent, ServiceError> {
    let mut pages = Pages::of(services, request.clone());
    let wanted = call.most;
    let mut loading = Loading { call, files: Vec::new(), bytes: 0, wanted };
    while let Some(objects) = pages.next().await? {
        for object in &objects {
            let Some(key) = object.get("Key").and_then(Value::as_str) else { continue };
            let size = object.get("Size").and_then(Value::as_u64).unwrap_or(0);
            // What stands for a folder in S3's console is no file.
            if key.ends_with('/') && size == 0 {
                continue;
            }
            if !loading.has_room(size) {
                return Ok(loading.ended(false));
            }
            let n = loading.files.len();
            let text = read_object(services, object_request(&request, key, n)).await?;
            // It may have grown since it was listed.
            if !loading.has_room(text.len() as u64) {
                return Ok(loading.ended(false));
            }
            loading.push(key, text).await?;
            if loading.wanted == Some(0) {
                return Ok(loading.ended(false));
            }
        }
    }
    Ok(loading.ended(true))
}

/// Asks for the object `key`, the `n`th of those of the list that are loaded.
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn call(format: &Value) -> Arc<ItemsCall> {
        let resource = json!({ "Service": { "arn": "arn:aws:states:::s3:getObject",
            "service": "s3", "action": "getObject", "pattern": "RequestResponse" } });
        let call = json!({ "id": 1, "resource": resource, "arguments": {}, "format": format });
        Arc::new(serde_json::from_value(call).unwrap())
    }

    /// Others' workflows have the thread while a large file is made items of. The only thread beside is
    /// held meanwhile, so that nothing depends on which is faster.
    #[test]
    fn the_items_of_a_large_file_are_made_aside_and_those_of_a_small_one_at_once() {
        for format in [json!({ "Json": { "pointer": null } }), json!("Jsonl")] {
            let text = |bytes: usize| format!("[1]{}", " ".repeat(bytes - 3));
            let content = |bytes| TaskEvent::Content { text: text(bytes) };
            let files = |bytes| TaskEvent::Files {
                files: vec![ItemsFile { key: "a".to_owned(), text: text(bytes) }],
                is_whole: true,
            };
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.max_blocking_threads(1).build().unwrap().block_on(async {
                let (release, held) = std::sync::mpsc::channel::<()>();
                let holds = tokio::task::spawn_blocking(move || held.recv());
                let items = |read| itemized(call(&format), read);
                let mut one = Box::pin(items(content(65_537)));
                assert!(one.as_mut().now_or_never().is_none(), "{format}");
                let mut list = Box::pin(items(files(65_537)));
                assert!(list.as_mut().now_or_never().is_none(), "{format}");
                let at_once = items(content(65_536)).now_or_never().unwrap().unwrap();
                assert!(matches!(at_once, TaskEvent::Items { .. }), "{at_once:?}");
                drop(release);
                assert_eq!(one.await.unwrap(), at_once, "{format}");
                assert!(matches!(list.await.unwrap(), TaskEvent::Items { .. }), "{format}");
                holds.await.unwrap().unwrap_err();
            });
        }
    }

    /// The only thread beside is held meanwhile, so that nothing depends on which is faster.
    #[test]
    fn a_text_of_more_than_64_kib_is_counted_aside_and_a_smaller_one_at_once() {
        let resource = json!({ "Service": { "arn": "arn:aws:states:::s3:listObjectsV2",
            "service": "s3", "action": "listObjectsV2", "pattern": "RequestResponse" } });
        let call = json!({ "id": 1, "resource": resource, "arguments": {}, "load": true, "most": 5,
            "format": { "Json": { "pointer": null } } });
        let call: Arc<ItemsCall> = Arc::new(serde_json::from_value(call).unwrap());
        let text = |bytes: usize| format!("[1, 2{}]", " ".repeat(bytes - 6));
        let count = |bytes| items_in(Arc::clone(&call), text(bytes), 5);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.max_blocking_threads(1).build().unwrap().block_on(async {
            let (release, held) = std::sync::mpsc::channel::<()>();
            let holds = tokio::task::spawn_blocking(move || held.recv());
            let mut large = Box::pin(count(65_537));
            assert!(large.as_mut().now_or_never().is_none(), "others have the thread meanwhile");
            assert_eq!(count(65_536).now_or_never().unwrap().unwrap(), (2, text(65_536)));
            drop(release);
            assert_eq!(large.await.unwrap(), (2, text(65_537)));
            holds.await.unwrap().unwrap_err();
        });
    }
}
