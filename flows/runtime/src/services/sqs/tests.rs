//! Behaviour of SQS.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use offhook_asl::machine::Pattern;
use serde_json::{Value, json};

use super::messages::{MOST_SENDINGS, sendings};
use super::{LocalQueues, Sqs};
use crate::services::{ExecutionInfo, Integration, NoUpstream, Request, Service, ServiceError};
use crate::store::{Entries, MemoryStore};

const URL: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/reports";

fn sqs(local: LocalQueues) -> Sqs {
    Sqs::new(Arc::new(MemoryStore::new()), local, Arc::new(NoUpstream))
}

async fn ask_at(
    sqs: &Sqs,
    seconds: i64,
    integration: Integration,
    action: &str,
    arguments: Value,
) -> Result<Value, ServiceError> {
    sqs.call(request(seconds, integration, action, arguments)).await
}

fn request(seconds: i64, integration: Integration, action: &str, arguments: Value) -> Request {
    Request {
        integration,
        service: "sqs".to_owned(),
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
        idempotency: String::new(),
        now: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000_000 + seconds),
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
    }
}

async fn ask(sqs: &Sqs, seconds: i64, action: &str, more: Value) -> Result<Value, ServiceError> {
    let mut arguments = json!({"QueueUrl": URL});
    for (name, value) in more.as_object().unwrap() {
        arguments[name] = value.clone();
    }
    ask_at(sqs, seconds, Integration::Sdk, action, arguments).await
}

#[tokio::test]
async fn a_message_is_answered_with_its_digests_and_the_transports_metadata() {
    let sqs = sqs(LocalQueues::All);
    let send = json!({"QueueUrl": URL, "MessageBody": "test_message_body", "MessageAttributes": {
        "my_attribute_no_1": {"DataType": "String", "StringValue": "Hello"},
        "my_attribute_no_2": {"DataType": "String", "StringValue": "World"}}});
    let sent = ask_at(&sqs, 0, Integration::Optimized, "sendMessage", send).await.unwrap();
    assert_eq!(sent["MD5OfMessageBody"], "3caa9a099bc4e58ae7923f68c5d7d081");
    assert_eq!(sent["SdkHttpMetadata"]["HttpHeaders"]["connection"], "keep-alive");
    // As recorded on AWS: 166 bytes of members.
    assert_eq!(sent["SdkHttpMetadata"]["HttpHeaders"]["Content-Length"], "166");
    let send = json!({"QueueUrl": URL, "MessageBody": {"Message": "x"}});
    let sent = ask_at(&sqs, 0, Integration::Optimized, "sendMessage", send).await.unwrap();
    assert_eq!(sent["SdkHttpMetadata"]["HttpHeaders"]["Content-Length"], "106");
}

#[tokio::test]
async fn a_message_is_received_hidden_and_comes_back_until_it_is_deleted() {
    let sqs = sqs(LocalQueues::All);
    ask(&sqs, 0, "sendMessage", json!({"MessageBody": {"n": 1}})).await.unwrap();
    ask(&sqs, 1, "sendMessage", json!({"MessageBody": "second"})).await.unwrap();
    let take = json!({"VisibilityTimeout": 10});
    let first = ask(&sqs, 2, "receiveMessage", take.clone()).await.unwrap();
    assert_eq!(first["Messages"][0]["Body"], r#"{"n":1}"#);
    let second = ask(&sqs, 3, "receiveMessage", take.clone()).await.unwrap();
    assert_eq!(second["Messages"][0]["Body"], "second");
    assert_eq!(ask(&sqs, 4, "receiveMessage", take.clone()).await.unwrap(), json!({}));
    let again = ask(&sqs, 12, "receiveMessage", take.clone()).await.unwrap();
    assert_eq!(again["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "2");
    let handle = json!({"ReceiptHandle": again["Messages"][0]["ReceiptHandle"]});
    ask(&sqs, 13, "deleteMessage", handle).await.unwrap();
    let left = json!({"MaxNumberOfMessages": 10});
    let left = ask(&sqs, 100, "receiveMessage", left).await.unwrap();
    assert_eq!(left["Messages"].as_array().unwrap().len(), 1);
    ask(&sqs, 101, "purgeQueue", json!({})).await.unwrap();
    assert_eq!(ask(&sqs, 1000, "receiveMessage", json!({})).await.unwrap(), json!({}));
}

#[tokio::test]
async fn a_delayed_message_comes_later_and_an_old_one_not_at_all() {
    let sqs = sqs(LocalQueues::All);
    let send = json!({"MessageBody": "x", "DelaySeconds": 60});
    ask(&sqs, 0, "sendMessage", send).await.unwrap();
    assert_eq!(ask(&sqs, 59, "receiveMessage", json!({})).await.unwrap(), json!({}));
    let late = json!({"VisibilityTimeout": 0});
    assert!(ask(&sqs, 60, "receiveMessage", late).await.unwrap()["Messages"].is_array());
    assert_eq!(ask(&sqs, 5 * 86_400, "receiveMessage", json!({})).await.unwrap(), json!({}));
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_sqss_names() {
    let sqs = sqs(LocalQueues::All);
    let optimized =
        |arguments: Value| ask_at(&sqs, 0, Integration::Optimized, "sendMessage", arguments);
    let error = optimized(json!({"QueueUrl": URL})).await.unwrap_err();
    assert_eq!(error.error, "SQS.AmazonSQSException");
    assert!(error.cause.starts_with(
        "The request must contain the parameter MessageBody. (Service: AmazonSQS; Status Code: 400; Error Code: MissingParameter;"
    ));
    let long = json!({"QueueUrl": URL, "MessageBody": "x".repeat(1024 * 1024 + 1)});
    assert!(optimized(long).await.unwrap_err().cause.contains("Message must be shorter than"));
    let fifo = json!({"QueueUrl": format!("{URL}.fifo"), "MessageBody": "x"});
    let error = optimized(fifo).await.unwrap_err();
    assert_eq!(error.error, "SQS.UnsupportedOperationException");
    let handle = json!({"ReceiptHandle": "nonsense"});
    let error = ask(&sqs, 0, "deleteMessage", handle).await.unwrap_err();
    assert_eq!(error.error, "Sqs.ReceiptHandleIsInvalidException");
}

#[tokio::test]
async fn a_full_queue_says_so() {
    let sqs = sqs(LocalQueues::All);
    for _ in 0..1000 {
        ask(&sqs, 0, "sendMessage", json!({"MessageBody": "x"})).await.unwrap();
    }
    let error = ask(&sqs, 0, "sendMessage", json!({"MessageBody": "x"})).await.unwrap_err();
    assert_eq!(error.error, "Sqs.OverLimitException");
}

#[tokio::test]
async fn a_queue_that_is_not_here_is_passed_on() {
    let sqs = sqs(LocalQueues::Named(["reports".to_owned()].into()));
    ask(&sqs, 0, "sendMessage", json!({"MessageBody": "x"})).await.unwrap();
    let other =
        json!({"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/other", "MessageBody": "x"});
    let error = ask_at(&sqs, 0, Integration::Optimized, "sendMessage", other).await.unwrap_err();
    assert_eq!(
        error.cause,
        "sqs:sendMessage is not served on this machine; configure AWS credentials to pass it on"
    );
}

#[test]
fn digests_of_attributes_are_those_that_an_sdk_computes() {
    // Computed by botocore's documented algorithm for one string and one binary attribute.
    let attributes = json!({
        "b": {"DataType": "Binary", "BinaryValue": "AAE="},
        "a": {"DataType": "String", "StringValue": "x"},
    });
    let mut bytes = Vec::new();
    for (text, code) in [("a", 0), ("String", 0), ("x", 1), ("b", 0), ("Binary", 0)] {
        if code == 1 {
            bytes.push(1);
        }
        bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes.extend([2, 0, 0, 0, 2, 0, 1]);
    assert_eq!(
        super::messages::attributes_digest(&attributes),
        Some(super::messages::digest(&bytes))
    );
}

#[tokio::test]
async fn a_request_that_is_made_again_after_a_restart_sends_no_second_message() {
    let sqs = sqs(LocalQueues::All);
    let send = |seconds, text: &str, state: &str| {
        let arguments = json!({"QueueUrl": URL, "MessageBody": text});
        let idempotency = format!("arn:aws:states:::execution:m:x/{state}");
        let asked = request(seconds, Integration::Optimized, "sendMessage", arguments);
        sqs.call(Request { idempotency, ..asked })
    };
    let received = |seconds| ask(&sqs, seconds, "receiveMessage", json!({}));
    let first = send(0, "x", "1").await.unwrap();
    assert_eq!(send(600, "x", "1").await.unwrap()["MessageId"], first["MessageId"]);
    let message = received(601).await.unwrap();
    assert_eq!(message["Messages"][0]["MessageId"], first["MessageId"]);
    let handle = json!({"ReceiptHandle": message["Messages"][0]["ReceiptHandle"]});
    ask(&sqs, 602, "deleteMessage", handle).await.unwrap();
    assert_eq!(received(603).await.unwrap(), json!({}));
    // Somebody had it before the machine went off.
    send(700, "x", "1").await.unwrap();
    assert_eq!(received(701).await.unwrap(), json!({}));
    send(702, "x", "2").await.unwrap();
    assert!(received(703).await.unwrap()["Messages"].is_array());
}

#[tokio::test]
async fn only_the_newest_sendings_are_remembered_and_none_after_four_days() {
    let store = Arc::new(MemoryStore::new());
    let sqs = Sqs::new(store.clone(), LocalQueues::All, Arc::new(NoUpstream));
    let send = |seconds, state: usize| {
        let arguments = json!({"QueueUrl": URL, "MessageBody": "x"});
        let idempotency = format!("arn:aws:states:::execution:m:x/{state}");
        let asked = request(seconds, Integration::Optimized, "sendMessage", arguments);
        sqs.call(Request { idempotency, ..asked })
    };
    let remembered = async || {
        let forever = Timestamp::MAX;
        store.due_entries(sendings("reports"), forever, usize::MAX).await.unwrap().len()
    };
    let last = MOST_SENDINGS + 20;
    for state in 0..=last {
        let seconds = i64::try_from(state).unwrap();
        send(seconds, state).await.unwrap();
        if state % 500 == 499 {
            ask(&sqs, seconds, "purgeQueue", json!({})).await.unwrap();
        }
    }
    assert_eq!(remembered().await, MOST_SENDINGS + 1);
    ask(&sqs, 5_000, "purgeQueue", json!({})).await.unwrap();
    // The newest has its message still; the oldest is forgotten.
    send(5_001, last).await.unwrap();
    assert_eq!(ask(&sqs, 5_002, "receiveMessage", json!({})).await.unwrap(), json!({}));
    send(5_003, 0).await.unwrap();
    assert!(ask(&sqs, 5_004, "receiveMessage", json!({})).await.unwrap()["Messages"].is_array());
    // Each step deletes a bounded number of them.
    let later = 5 * 86_400;
    let before = remembered().await;
    ask(&sqs, later, "receiveMessage", json!({})).await.unwrap();
    assert_eq!(remembered().await, before - 100);
    for _ in 0..=before / 100 {
        ask(&sqs, later, "receiveMessage", json!({})).await.unwrap();
    }
    assert_eq!(remembered().await, 0);
}
