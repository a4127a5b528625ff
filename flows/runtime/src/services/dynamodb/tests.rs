//! Behaviour of DynamoDB.

mod expressions;
mod guesses;
mod items;
mod numbers;
mod queries;
mod tables;

use std::sync::Arc;

use jiff::Timestamp;
use offhook_asl::machine::Pattern;
use serde_json::{Value as Json, json};

use super::*;
use crate::services::ExecutionInfo;
use crate::store::MemoryStore;

/// The service on an empty store.
pub(super) fn dynamodb() -> DynamoDb {
    DynamoDb::new(Arc::new(MemoryStore::new()), None)
}

pub(super) fn request(integration: Integration, action: &str, arguments: Json) -> Request {
    Request {
        integration,
        service: "dynamodb".to_owned(),
        action: action.to_owned(),
        pattern: Pattern::RequestResponse,
        arguments,
        execution: ExecutionInfo {
            arn: "arn:aws:states:us-east-1:000000000000:execution:m:e".to_owned(),
            name: "e".to_owned(),
            state_machine: "arn:aws:states:us-east-1:000000000000:stateMachine:m".to_owned(),
            state: "S".to_owned(),
            transaction_id: None,
        },
        idempotency: "request-1".to_owned(),
        now: Timestamp::UNIX_EPOCH,
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
    }
}

/// Asks as an SDK integration does.
pub(super) async fn ask(
    db: &DynamoDb,
    action: &str,
    arguments: Json,
) -> Result<Json, ServiceError> {
    db.call(request(Integration::Sdk, action, arguments)).await
}

/// Asks, and expects a result.
pub(super) async fn ok(db: &DynamoDb, action: &str, arguments: Json) -> Json {
    ask(db, action, arguments).await.unwrap()
}

/// Asks, and expects an error: its name, and its cause without what the SDK adds.
pub(super) async fn refused(db: &DynamoDb, action: &str, arguments: Json) -> (String, String) {
    let error = ask(db, action, arguments).await.unwrap_err();
    let cause = error.cause.split(" (Service:").next().unwrap_or_default().to_owned();
    (error.error, cause)
}

/// A table `T` of `id` with an item of that id and more members.
pub(super) async fn with_item(mut members: Json) -> DynamoDb {
    let db = dynamodb();
    db.learn(&json!({"States": {"G": {"Resource": "arn:aws:states:::dynamodb:getItem",
        "Parameters": {"TableName": "T", "Key": {"id": {"S.$": "$.id"}}}}}}));
    members["id"] = json!({"S": "1"});
    ok(&db, "putItem", json!({"TableName": "T", "Item": members})).await;
    db
}

/// The item that [`with_item`] put.
pub(super) async fn item(db: &DynamoDb) -> Json {
    ok(db, "getItem", json!({"TableName": "T", "Key": {"id": {"S": "1"}}})).await["Item"].clone()
}
