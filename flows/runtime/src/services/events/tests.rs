//! Behaviour of EventBridge.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use offhook_asl::machine::Pattern;
use serde_json::{Value, json};

use super::{Bus, Event, EventBridge};
use crate::services::{ExecutionInfo, Integration, Request, Service, ServiceError};
use crate::store::{Entries, EntryRange, MemoryStore};

#[derive(Default)]
struct Listener(Mutex<Vec<Event>>);

impl Bus for Listener {
    fn put(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

async fn put(
    entries: Value,
    integration: Integration,
) -> (Result<Value, ServiceError>, Vec<Event>, usize) {
    let (store, listener) = (Arc::new(MemoryStore::new()), Arc::new(Listener::default()));
    let bridge = EventBridge::new(store.clone(), listener.clone());
    let request = Request {
        integration,
        service: "events".to_owned(),
        action: "putEvents".to_owned(),
        pattern: Pattern::RequestResponse,
        arguments: json!({"Entries": entries}),
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
    let result = bridge.call(request).await;
    let all =
        EntryRange { space: "events/journal".to_owned(), limit: 100, ..EntryRange::default() };
    let kept = store.range_entries(all).await.unwrap().len();
    let heard = listener.0.lock().unwrap().clone();
    (result, heard, kept)
}

#[tokio::test]
async fn events_are_kept_told_and_answered_with_their_ids() {
    let entries = json!([
        {"Detail": "{\"Message\": \"HelloWorld0\"}", "DetailType": "kind", "Source": "some.source"},
        {"Detail": {"Message": "HelloWorld1"}, "DetailType": "kind", "Source": "some.source",
            "Resources": ["r"]},
    ]);
    let (result, heard, kept) = put(entries, Integration::Optimized).await;
    let result = result.unwrap();
    assert_eq!(result["FailedEntryCount"], 0);
    assert_eq!(result["Entries"][0]["EventId"], heard[0].event["id"]);
    assert_eq!(result.as_object().unwrap().len(), 2);
    assert_eq!(heard[0].event["detail"], json!({"Message": "HelloWorld0"}));
    assert_eq!(heard[1].event["resources"], json!(["r"]));
    assert_eq!((heard[1].bus.as_str(), heard.len(), kept), ("default", 2, 2));
}

#[tokio::test]
async fn an_entry_that_is_none_fails_an_optimized_integration_as_recorded_on_aws() {
    let malformed = json!([{"Detail": "\"jsonstring\"", "DetailType": "kind", "Source": "s"}]);
    let (result, ..) = put(malformed, Integration::Optimized).await;
    let error = result.unwrap_err();
    assert_eq!(error.error, "EventBridge.FailedEntry");
    assert_eq!(
        serde_json::from_str::<Value>(&error.cause).unwrap(),
        json!({"Entries": [{"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}],
            "FailedEntryCount": 1})
    );
    let no_source = json!([
        {"Detail": {"a": 1}, "DetailType": "kind", "Source": "s"},
        {"Detail": {"a": 1}, "DetailType": "kind"},
    ]);
    let (result, heard, _) = put(no_source, Integration::Sdk).await;
    let result = result.unwrap();
    assert_eq!(
        result["Entries"][1],
        json!({"ErrorCode": "InvalidArgument",
            "ErrorMessage": "Parameter Source is not valid. Reason: Source is a required argument."})
    );
    assert_eq!((result["FailedEntryCount"].clone(), heard.len()), (json!(1), 1));
}
