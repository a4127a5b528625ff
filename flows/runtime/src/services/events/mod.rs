//! EventBridge on this machine: `PutEvents` onto a local bus.
//!
//! What is put is kept in a journal of bounded length and handed to a [`Bus`].

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::store::{Entries, EntryChange, EntryWrite, Expect};

use super::fields::Fields;
use super::sdk::{self, Fault, ServiceName};
use super::{Answer, Request, Service, ServiceError};

/// Entries of one request, and bytes of one (API Reference, `PutEvents`).
const MOST: usize = 10;
const BYTES: usize = 1024 * 1024;
/// Events that the journal keeps.
const JOURNAL: u64 = 10_000;
const SPACE: &str = "events/journal";

const NAME: ServiceName = ServiceName {
    optimized: "EventBridge",
    client: "AmazonEventBridge",
    optimized_base: "AmazonEventBridgeException",
    sdk: "EventBridge",
};

/// An event as it is delivered (User Guide, "Event structure").
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `EventBusName`, `default` if none was given.
    pub bus: String,
    /// The event: `id`, `detail-type`, `source`, `time`, `detail`, …
    pub event: Value,
}

/// Who is told of events. Must not wait.
pub trait Bus: Send + Sync {
    /// An event was kept.
    fn put(&self, event: &Event);
}

/// The service.
#[derive(Clone)]
pub struct EventBridge {
    inner: Arc<Inner>,
}

struct Inner {
    entries: Arc<dyn Entries>,
    bus: Arc<dyn Bus>,
    next: AtomicU64,
}

impl EventBridge {
    /// Keeps a journal in `entries`, and tells `bus`.
    pub fn new(entries: Arc<dyn Entries>, bus: Arc<dyn Bus>) -> Self {
        // Anywhere in the journal: what is overwritten first after a restart is of no account.
        let next = AtomicU64::new(rand::random::<u64>() % JOURNAL);
        Self { inner: Arc::new(Inner { entries, bus, next }) }
    }
}

impl Service for EventBridge {
    fn names(&self) -> &'static [&'static str] {
        &["events", "eventbridge"]
    }

    fn call(&self, request: Request) -> Answer {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.serve(&request).await })
    }
}

impl Inner {
    async fn serve(&self, request: &Request) -> Result<Value, ServiceError> {
        if request.action != "putEvents" {
            return Err(ServiceError::unsupported(request));
        }
        let fields = Fields::of(request, &["Entries", "EndpointId"], "ValidationException")?;
        let fault = |fault: Fault| sdk::error(NAME, request, &fault);
        let entries = fields.get("Entries").and_then(Value::as_array);
        let entries = entries.filter(|entries| (1..=MOST).contains(&entries.len()));
        let Some(entries) = entries else {
            return Err(fault(Fault::new(
                "ValidationException",
                format!(
                    "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length less than or equal to {MOST}, Member must have length greater than or equal to 1"
                ),
            )));
        };
        if fields.get("Entries").map_or(0, |entries| entries.to_string().len()) > BYTES {
            return Err(fault(Fault::new(
                "ValidationException",
                "Total size of the entries in the request is over the limit.",
            )));
        }
        let mut results = Vec::new();
        let mut good = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            match event(request, entry, at) {
                Ok(event) => {
                    results.push(json!({"EventId": event.event["id"]}));
                    good.push(event);
                }
                Err((code, message)) => {
                    results.push(json!({"ErrorCode": code, "ErrorMessage": message}));
                }
            }
        }
        let failed = results.len() - good.len();
        self.keep(&good).await.map_err(fault)?;
        good.iter().for_each(|event| self.bus.put(event));
        let result = json!({"Entries": results, "FailedEntryCount": failed});
        match (failed, request.integration) {
            // An optimized integration fails with the result as the cause; an SDK one returns it.
            (1.., super::Integration::Optimized) => {
                Err(ServiceError::new("EventBridge.FailedEntry", result.to_string()))
            }
            _ => Ok(result),
        }
    }

    async fn keep(&self, events: &[Event]) -> Result<(), Fault> {
        let changes = events.iter().map(|event| {
            let slot = self.next.fetch_add(1, Ordering::Relaxed) % JOURNAL;
            let body = json!({"bus": event.bus, "event": event.event}).to_string().into_bytes();
            EntryChange {
                space: SPACE.to_owned(),
                key: slot.to_be_bytes().to_vec(),
                expect: Expect::Any,
                write: EntryWrite::Put { body, due: None },
            }
        });
        let changes: Vec<EntryChange> = changes.collect();
        if changes.is_empty() {
            return Ok(());
        }
        let kept = self.entries.change_entries(changes).await.map(drop);
        kept.map_err(|why| Fault::new("InternalException", why.to_string()).with_status(500))
    }
}

/// Why an entry is none: `ErrorCode` and `ErrorMessage`.
type Wrong = (&'static str, String);

fn event(request: &Request, entry: &Value, at: usize) -> Result<Event, Wrong> {
    let text = |name: &str| match entry.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        _ => Err((
            "InvalidArgument",
            format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
        )),
    };
    let (source, kind) = (text("Source")?, text("DetailType")?);
    let malformed = || ("MalformedDetail", "Detail is malformed.".to_owned());
    let detail = match entry.get("Detail") {
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| malformed())?,
        Some(Value::Null) | None => {
            return Err((
                "InvalidArgument",
                "Parameter Detail is not valid. Reason: Detail is a required argument.".to_owned(),
            ));
        }
        Some(other) => other.clone(),
    };
    if !detail.is_object() {
        return Err(malformed());
    }
    if source.starts_with("aws.") {
        return Err((
            "NotAuthorizedForSourceException",
            format!("Not authorized for the source {source}."),
        ));
    }
    let time = entry.get("Time").and_then(Value::as_str).and_then(|t| t.parse().ok());
    let time: Timestamp = time.unwrap_or(request.now);
    let number = at.to_string();
    let id = match request.idempotency.as_bytes() {
        [] => sdk::uuid(),
        name => sdk::uuid_of(&[b"event", name, number.as_bytes()]),
    };
    Ok(Event {
        bus: entry.get("EventBusName").and_then(Value::as_str).unwrap_or("default").to_owned(),
        event: json!({
            "version": "0",
            "id": id,
            "detail-type": kind,
            "source": source,
            "account": request.account,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": request.region,
            "resources": entry.get("Resources").filter(|r| r.is_array()).unwrap_or(&json!([])),
            "detail": detail,
        }),
    })
}
