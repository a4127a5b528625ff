//! What is asked of DynamoDB, and what is asked again.

use std::time::Duration;

use offhook_dnis::{DnisError, Pair};
use serde_json::{Value, json};

use super::write::Change;
use crate::sdk::Sdk;
use crate::task::{TOO_LARGE, TaskError};

/// Rows of a page that is asked for. DynamoDB's own pages are up to 1 MiB; an answer here may be 256
/// KiB ([`crate::task`]), which is 1,300 bytes for each of these rows.
const ROWS: usize = 200;
/// Pages of a table that are read: 20,000 rows, four times as many pairs as a box may have.
const PAGES: usize = 100;
/// What is read of a row: not what else somebody keeps there, and no note.
const ATTRIBUTES: &str = "sma_number, connect_number, in_use, transaction_id, call_timestamp, \
                          original_calling_number, released_at, lease_owner, lease_expires, \
                          lease_holder, sip_media_application_id, contact_id, \
                          contact_transaction_id";
/// What is read of a row for its note.
const NOTE: &str =
    "sma_number, connect_number, in_use, transaction_id, update_request, update_answer";
/// Rows that are read for their notes at once (BatchGetItem takes 100 keys).
pub(super) const NOTES_AT_ONCE: usize = 100;
/// How often a request is made. Each may be repeated: claims have owners, the rest has conditions.
const ATTEMPTS: u32 = 3;
/// Errors that pass (DynamoDB developer guide, "Error handling"), without their prefix.
const PASSING: [&str; 9] = [
    "SdkClientException",
    "InternalServerErrorException",
    "InternalServerError",
    "ItemCollectionSizeLimitExceededException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceededException",
    "ServiceUnavailableException",
    "ThrottlingException",
];

/// One table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) sdk: Sdk,
    pub(super) name: String,
    pub(super) patience: Duration,
}

/// Before the next attempt: longer each time, and never the same for all.
pub(super) fn pause(attempt: u32) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let most = 10_u64 << attempt.min(6);
    Duration::from_millis(most / 2 + RandomState::new().hash_one(attempt) % (most / 2 + 1))
}

fn key(pair: &Pair) -> Value {
    json!({"sma_number": {"S": pair.our_number}, "connect_number": {"S": pair.connect_number}})
}

impl Table {
    /// All rows, as they are now.
    pub(super) async fn scan(&self) -> Result<Vec<Value>, DnisError> {
        self.pages(json!({
            "TableName": self.name, "ConsistentRead": true, "ProjectionExpression": ATTRIBUTES
        }))
        .await
    }

    /// All pages of a scan. Where a page is too long, shorter ones are asked for from there on.
    async fn pages(&self, mut what: Value) -> Result<Vec<Value>, DnisError> {
        let mut items = Vec::new();
        let mut rows = ROWS;
        for _ in 0..PAGES {
            what["Limit"] = Value::from(rows);
            let mut page = match self.attempts("scan", &what).await {
                Ok(page) => page,
                Err(error) if error.error == TOO_LARGE && rows > 1 => {
                    rows /= 2;
                    continue;
                }
                Err(error) => return Err(self.failed(&error)),
            };
            if let Value::Array(found) = page["Items"].take() {
                items.extend(found);
            }
            let next = page["LastEvaluatedKey"].take();
            if next.is_null() {
                return Ok(items);
            }
            what["ExclusiveStartKey"] = next;
        }
        Err(DnisError::Unavailable(format!("the table {} has too many rows", self.name)))
    }

    /// One row, as it is now.
    pub(super) async fn get(&self, pair: &Pair) -> Result<Option<Value>, DnisError> {
        let what = json!({
            "TableName": self.name, "Key": key(pair), "ConsistentRead": true,
            "ProjectionExpression": ATTRIBUTES
        });
        let mut answer = self.ask("getItem", &what).await?;
        Ok(answer.get_mut("Item").map(Value::take))
    }

    /// One row, as far as its note goes.
    pub(super) async fn get_note(&self, pair: &Pair) -> Result<Option<Value>, DnisError> {
        let what = json!({
            "TableName": self.name, "Key": key(pair), "ConsistentRead": true,
            "ProjectionExpression": NOTE
        });
        let mut answer = self.ask("getItem", &what).await?;
        Ok(answer.get_mut("Item").map(Value::take))
    }

    /// Rows as far as their notes go. Where all of them are too much for an answer, fewer are asked
    /// for; what the table leaves out is asked for the next time.
    pub(super) async fn get_notes(&self, pairs: &[&Pair]) -> Result<Vec<Value>, DnisError> {
        let mut items = Vec::new();
        let (mut from, mut most) = (0, pairs.len());
        while let Some(some) = pairs.get(from..pairs.len().min(from + most)) {
            if some.is_empty() {
                break;
            }
            let keys: Vec<Value> = some.iter().map(|pair| key(pair)).collect();
            let mut tables = serde_json::Map::new();
            let table = json!({"Keys": keys, "ConsistentRead": true, "ProjectionExpression": NOTE});
            tables.insert(self.name.clone(), table);
            let what = json!({"RequestItems": tables});
            let mut answer = match self.attempts("batchGetItem", &what).await {
                Ok(answer) => answer,
                Err(error) if error.error == TOO_LARGE && most > 1 => {
                    most /= 2;
                    continue;
                }
                // A row that nobody can read keeps the others from nothing.
                Err(error) if error.error == TOO_LARGE => Value::Null,
                Err(error) => return Err(self.failed(&error)),
            };
            if let Some(Value::Object(tables)) = answer.get_mut("Responses").map(Value::take) {
                for (_, found) in tables {
                    if let Value::Array(found) = found {
                        items.extend(found);
                    }
                }
            }
            from += some.len();
        }
        Ok(items)
    }

    /// The row after the change; `None`: it was not to be.
    pub(super) async fn change(&self, change: &Change) -> Result<Option<Value>, DnisError> {
        let what = json!({
            "TableName": self.name, "Key": key(&change.pair), "ReturnValues": "ALL_NEW",
            "UpdateExpression": change.update, "ConditionExpression": change.condition,
            "ExpressionAttributeValues": change.values
        });
        Ok(self.conditional("updateItem", &what).await?.map(|mut done| done["Attributes"].take()))
    }

    /// Adds a free pair; one that is there stays as it is.
    pub(super) async fn put_new(&self, pair: &Pair) -> Result<(), DnisError> {
        let mut item = key(pair);
        item["in_use"] = json!({"S": "false"});
        let what = json!({
            "TableName": self.name, "Item": item,
            "ConditionExpression": "attribute_not_exists(sma_number)"
        });
        self.conditional("putItem", &what).await.map(drop)
    }

    /// Whether a row was deleted.
    pub(super) async fn delete(&self, change: &Change) -> Result<bool, DnisError> {
        let what = json!({
            "TableName": self.name, "Key": key(&change.pair),
            "ConditionExpression": change.condition, "ExpressionAttributeValues": change.values
        });
        Ok(self.conditional("deleteItem", &what).await?.is_some())
    }

    /// `None`: the condition does not hold.
    async fn conditional(&self, action: &str, what: &Value) -> Result<Option<Value>, DnisError> {
        match self.attempts(action, what).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.error == "DynamoDb.ConditionalCheckFailedException" => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn ask(&self, action: &str, what: &Value) -> Result<Value, DnisError> {
        self.attempts(action, what).await.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &TaskError) -> DnisError {
        DnisError::Unavailable(format!("table {}: {error}", self.name))
    }

    async fn attempts(&self, action: &str, what: &Value) -> Result<Value, TaskError> {
        let mut attempt = 1;
        loop {
            let asking = self.sdk.call("dynamodb", action, what);
            let error = match tokio::time::timeout(self.patience, asking).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => TaskError::new(
                    "DynamoDb.SdkClientException",
                    format!("no answer within {} s", self.patience.as_secs_f32()),
                ),
            };
            let kind = error.error.strip_prefix("DynamoDb.").unwrap_or_default();
            if attempt >= ATTEMPTS || !PASSING.contains(&kind) {
                return Err(error);
            }
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }
}
