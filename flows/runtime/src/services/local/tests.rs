//! What is here, and what is passed on.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use offhook_asl::machine::Pattern;
use serde_json::{Value, json};

use super::{Local, LocalOptions};
use crate::services::events::{Bus, Event};
use crate::services::s3::Folders;
use crate::services::{Answer, ExecutionInfo, Integration, NoUpstream, Request, Upstream};
use crate::store::MemoryStore;

struct Quiet;

impl Bus for Quiet {
    fn put(&self, _: &Event) {}
}

#[derive(Default)]
struct Cloud(Mutex<Vec<String>>);

impl Upstream for Cloud {
    fn call(&self, request: Request) -> Answer {
        self.0.lock().unwrap().push(format!("{}:{}", request.service, request.action));
        Box::pin(std::future::ready(Ok(json!("from upstream"))))
    }
}

async fn open(options: LocalOptions, upstream: Arc<dyn Upstream>) -> Local {
    let store = Arc::new(MemoryStore::new());
    let (blobs, bus) = (Arc::new(Folders), Arc::new(Quiet));
    Local::open(options, store, blobs, bus, upstream, Box::new(|| {})).await.unwrap()
}

fn request(service: &str, action: &str, arguments: Value) -> Request {
    Request {
        integration: Integration::Optimized,
        service: service.to_owned(),
        action: action.to_owned(),
        pattern: Pattern::RequestResponse,
        arguments,
        execution: ExecutionInfo {
            arn: String::new(),
            name: String::new(),
            state_machine: String::new(),
            state: String::new(),
            transaction_id: None,
        },
        idempotency: String::new(),
        now: Timestamp::UNIX_EPOCH,
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
    }
}

/// What the two samples of AWS and most workflows lean on, and what nobody here serves.
fn requests() -> Vec<(Request, bool)> {
    let queue = json!({"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q", "MessageBody": "x"});
    let event = json!({"Entries": [{"Source": "s", "DetailType": "d", "Detail": {}}]});
    let schedule = json!({"Name": "n", "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:lambda:us-east-1:1:function:f", "RoleArn": "arn:aws:iam::1:role/r"}});
    vec![
        (
            request("dynamodb", "getItem", json!({"TableName": "T", "Key": {"id": {"S": "1"}}})),
            true,
        ),
        (request("sqs", "sendMessage", queue), true),
        (request("events", "putEvents", event), true),
        (request("scheduler", "createSchedule", schedule), true),
        (request("s3", "getObject", json!({"Bucket": "elsewhere", "Key": "k"})), false),
        (request("sns", "publish", json!({"TopicArn": "arn", "Message": "x"})), false),
        (request("secretsmanager", "listSecrets", json!({})), false),
    ]
}

#[tokio::test]
async fn without_credentials_everything_is_here_or_refused_by_its_name() {
    let local = open(LocalOptions::default(), Arc::new(NoUpstream)).await;
    for (request, here) in requests() {
        let name = format!("{}:{}", request.service, request.action);
        match local.services.call(request).await {
            Ok(_) => assert!(here, "{name}"),
            Err(error) => {
                assert!(!here, "{name}: {error}");
                assert_eq!(
                    error.cause,
                    format!(
                        "{name} is not served on this machine; configure AWS credentials to pass it on"
                    )
                );
            }
        }
    }
    assert!(local.schedules.next_deadline().await.unwrap().is_some());
}

#[tokio::test]
async fn with_an_upstream_what_is_not_declared_here_is_passed_on() {
    let cloud = Arc::new(Cloud::default());
    let options = LocalOptions { prefer_upstream: true, ..LocalOptions::default() };
    let local = open(options, cloud.clone()).await;
    for (request, _) in requests() {
        local.services.call(request).await.unwrap();
    }
    assert_eq!(
        *cloud.0.lock().unwrap(),
        [
            "dynamodb:getItem",
            "sqs:sendMessage",
            "s3:getObject",
            "sns:publish",
            "secretsmanager:listSecrets"
        ]
    );
}
