//! DynamoDB on this machine: tables of items with typed values, conditions and updates.
//!
//! Requests and results have the shape of the Amazon DynamoDB API Reference (2012-08-10). Reads
//! are always consistent, secondary indexes always up to date. Tables are declared
//! ([`DynamoDb::declare`]), made by `createTable`, or made on first use: with the attributes of
//! `Key` (the first is the partition key), or, for an item that is put, with the key that the
//! known workflows use ([`DynamoDb::learn`]). A table that none of this tells about is refused
//! with `ResourceNotFoundException`. Parameters from before expressions are refused by name.

mod arguments;
mod batch;
mod condition;
mod evaluate;
mod hints;
mod key_condition;
mod named;
mod number;
mod parser;
mod path;
mod placeholders;
mod project;
mod read;
mod refusal;
mod rekey;
mod reserved;
mod shorthand;
mod table;
mod tables;
#[cfg(test)]
mod tests;
mod token;
mod transact;
mod update;
mod value;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value as Json, json};
use tokio::sync::{RwLock, RwLockReadGuard};

use crate::store::{Entries, Entry};

use super::sdk::{self, ServiceName};
use super::{Answer, Integration, Request, Service, ServiceError, Upstream};
use arguments::Arguments;
use hints::Hint;
use read::{Page, Read};
use refusal::{Kind, Refusal};
pub use table::{Index, KeyAttribute, KeyKind, Projection, Table};
use value::{Item, item_to_json};
use write::{Write, decode};

/// How often a change is tried when others come between.
const ATTEMPTS: usize = 64;
/// How many entries are read at a time.
const CHUNK: usize = 128;
/// How many hints are kept.
const MOST_HINTS: usize = 4096;

const NAME: ServiceName = ServiceName {
    optimized: "DynamoDB",
    client: "AmazonDynamoDBv2",
    optimized_base: "AmazonDynamoDBException",
    sdk: "DynamoDb",
};

/// The service.
#[derive(Clone)]
pub struct DynamoDb {
    inner: Arc<Inner>,
}

struct Inner {
    entries: Arc<dyn Entries>,
    /// Asked about tables that are not here; `None`: they are made on first use.
    upstream: Option<Arc<dyn Upstream>>,
    hints: Mutex<Vec<Hint>>,
    /// Held alone by what may make, drop or rekey a table, and shared by what only uses one: a put
    /// under the old key would be lost to a rekeyed table.
    keying: RwLock<()>,
}

impl DynamoDb {
    /// Keeps its tables in `entries`. A table that is not there is made on first use, if it can be
    /// known how it is keyed; with an `upstream`, it is upstream instead.
    pub fn new(entries: Arc<dyn Entries>, upstream: Option<Arc<dyn Upstream>>) -> Self {
        let hints = Mutex::new(Vec::new());
        Self { inner: Arc::new(Inner { entries, upstream, hints, keying: RwLock::default() }) }
    }

    /// Looks through a workflow's definition for the keys of the tables that it uses.
    pub fn learn(&self, definition: &Json) {
        let mut known = self.inner.hints.lock().unwrap_or_else(PoisonError::into_inner);
        for hint in hints::of_definition(definition) {
            if known.len() < MOST_HINTS && !known.contains(&hint) {
                known.push(hint);
            }
        }
    }

    /// Makes a table, or changes the indexes of one that is there. Its key cannot be changed.
    pub async fn declare(&self, table: Table) -> Result<(), ServiceError> {
        let _alone = self.inner.keying.write().await;
        self.inner.declare(table).await.map_err(|refusal| {
            ServiceError::new(format!("DynamoDB.{}", refusal.code()), refusal.message)
        })
    }
}

impl Service for DynamoDb {
    fn names(&self) -> &'static [&'static str] {
        &["dynamodb"]
    }

    fn call(&self, mut request: Request) -> Answer {
        let inner = Arc::clone(&self.inner);
        if request.integration == Integration::Optimized {
            shorthand::spell_out(&mut request.arguments);
        }
        Box::pin(async move {
            match &inner.upstream {
                Some(upstream) if !inner.has_tables_of(&request).await => {
                    upstream.call(request).await
                }
                _ => inner.serve(&request).await,
            }
        })
    }
}

/// Parameters that each action knows.
fn known(action: &str) -> Option<&'static [&'static str]> {
    const NAMES: &str = "ExpressionAttributeNames";
    const VALUES: &str = "ExpressionAttributeValues";
    const CAPACITY: &str = "ReturnConsumedCapacity";
    const METRICS: &str = "ReturnItemCollectionMetrics";
    const FAILURE: &str = "ReturnValuesOnConditionCheckFailure";
    const CONDITION: &str = "ConditionExpression";
    const PROJECTION: &str = "ProjectionExpression";
    Some(match action {
        "getItem" => &["TableName", "Key", PROJECTION, "ConsistentRead", NAMES, CAPACITY],
        "putItem" => &[
            "TableName",
            "Item",
            CONDITION,
            NAMES,
            VALUES,
            CAPACITY,
            METRICS,
            "ReturnValues",
            FAILURE,
        ],
        "deleteItem" => &[
            "TableName",
            "Key",
            CONDITION,
            NAMES,
            VALUES,
            CAPACITY,
            METRICS,
            "ReturnValues",
            FAILURE,
        ],
        "updateItem" => &[
            "TableName",
            "Key",
            "UpdateExpression",
            CONDITION,
            NAMES,
            VALUES,
            CAPACITY,
            METRICS,
            "ReturnValues",
            FAILURE,
        ],
        "query" => &[
            "TableName",
            "IndexName",
            "KeyConditionExpression",
            "FilterExpression",
            PROJECTION,
            NAMES,
            VALUES,
            CAPACITY,
            "ConsistentRead",
            "ExclusiveStartKey",
            "Limit",
            "ScanIndexForward",
            "Select",
        ],
        "scan" => &[
            "TableName",
            "IndexName",
            "FilterExpression",
            PROJECTION,
            NAMES,
            VALUES,
            CAPACITY,
            "ConsistentRead",
            "ExclusiveStartKey",
            "Limit",
            "Select",
            "Segment",
            "TotalSegments",
        ],
        "batchGetItem" => &["RequestItems", CAPACITY],
        "batchWriteItem" => &["RequestItems", CAPACITY, METRICS],
        "transactWriteItems" => &["TransactItems", "ClientRequestToken", CAPACITY, METRICS],
        "transactGetItems" => &["TransactItems", CAPACITY],
        "createTable" => tables::CREATE_PARAMETERS,
        "describeTable" | "deleteTable" => &["TableName"],
        "listTables" => &["ExclusiveStartTableName", "Limit"],
        _ => return None,
    })
}

impl Inner {
    async fn serve(&self, request: &Request) -> Result<Json, ServiceError> {
        let Some(known) = known(&request.action) else {
            return Err(ServiceError::unsupported(request));
        };
        let arguments = Arguments::of_request(request, known)?;
        let acted = match self.shared(request).await {
            Some(_shared) => self.act(request, arguments).await,
            None => {
                let _alone = self.keying.write().await;
                self.act(request, arguments).await
            }
        };
        match acted {
            Ok(result) => Ok(finish(request, result)),
            Err(refusal) => Err(sdk::error(NAME, request, &refusal.fault())),
        }
    }

    /// For a request that leaves the keys of all tables as they are.
    async fn shared(&self, request: &Request) -> Option<RwLockReadGuard<'_, ()>> {
        if matches!(request.action.as_str(), "createTable" | "deleteTable") {
            return None;
        }
        let shared = self.keying.read().await;
        self.are_settled(request).await.then_some(shared)
    }

    async fn act(&self, request: &Request, arguments: Arguments<'_>) -> Result<Json, Refusal> {
        let style = request.integration;
        match request.action.as_str() {
            "batchGetItem" => self.batch_get(arguments, style).await,
            "batchWriteItem" => self.batch_write(arguments).await,
            "transactWriteItems" => self.transact_write(arguments, request.now).await,
            "transactGetItems" => self.transact_get(arguments, style).await,
            "createTable" => self.create_table(request, arguments).await,
            "listTables" => self.list_tables(arguments).await,
            "describeTable" => self.describe_table(request, arguments).await,
            "deleteTable" => self.delete_table(request, arguments).await,
            action => {
                let table = self.table(arguments.table_name()?, &request.arguments).await?;
                self.act_on(table, action, arguments, style).await
            }
        }
    }

    async fn act_on(
        &self,
        table: Table,
        action: &str,
        arguments: Arguments<'_>,
        style: Integration,
    ) -> Result<Json, Refusal> {
        let write = match action {
            "getItem" => {
                let projection = read::projection(arguments)?;
                let key = table.key_of_key(&arguments.item("Key")?)?;
                let item = self.item(&table, key).await?.map(|(_, item)| item);
                let shown = item.map(|item| match &projection {
                    Some(paths) => project::project(&item, paths),
                    None => item,
                });
                return Ok(member("Item", shown.as_ref(), style));
            }
            "query" => return self.read(&Read::query(table, arguments)?, style).await,
            "scan" => return self.read(&Read::scan(table, arguments)?, style).await,
            "putItem" => Write::put(table, arguments)?,
            "updateItem" => Write::update(table, arguments)?,
            _ => Write::delete(table, arguments)?,
        };
        let returned = self.write(&write).await?;
        Ok(member("Attributes", returned.as_ref(), style))
    }

    /// One item with the entry that it is kept in.
    async fn item(&self, table: &Table, key: Vec<u8>) -> Result<Option<(Entry, Item)>, Refusal> {
        let entry = self.entries.get_entry(table.space(), key).await.map_err(internal)?;
        entry.map(|entry| Ok((entry.clone(), decode(&entry.body)?))).transpose()
    }

    /// Makes one change, again and again until nobody comes between.
    async fn write(&self, write: &Write) -> Result<Option<Item>, Refusal> {
        for _ in 0..ATTEMPTS {
            let there = self.item(&write.table, write.key.clone()).await?;
            let (entry, before) = there.as_ref().map_or((None, None), |(e, i)| (Some(e), Some(i)));
            let decision = write.decide(before)?;
            let changes = write.changes(entry, before, &decision)?;
            if self.entries.change_entries(changes).await.map_err(internal)? {
                return Ok(decision.returned);
            }
        }
        Err(internal("too many requests change one item at the same time"))
    }

    async fn read(&self, read: &Read, style: Integration) -> Result<Json, Refusal> {
        let mut page = Page::default();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let range = read.next(after.as_deref(), CHUNK);
            let chunk = self.entries.range_entries(range).await.map_err(internal)?;
            for entry in &chunk {
                if !read.look(&mut page, decode(&entry.body)?) {
                    return Ok(read.answer(page, style));
                }
            }
            match chunk.into_iter().nth(CHUNK - 1) {
                Some(last) => after = Some(last.key),
                None => return Ok(read.answer(page, style)),
            }
        }
    }
}

/// An object with one member, or with none.
fn member(name: &str, item: Option<&Item>, style: Integration) -> Json {
    let members = item.map(|item| (name.to_owned(), item_to_json(item, style)));
    Json::Object(members.into_iter().collect::<Map<_, _>>())
}

/// Adds what was asked about capacity, and what an optimized integration tells of the transport.
fn finish(request: &Request, mut result: Json) -> Json {
    let capacity = request.arguments.get("ReturnConsumedCapacity").and_then(Json::as_str);
    let table = request.arguments.get("TableName").and_then(Json::as_str);
    if let (Some("TOTAL" | "INDEXES"), Some(table)) = (capacity, table) {
        result["ConsumedCapacity"] = json!({"CapacityUnits": 1.0, "TableName": table});
    }
    let crc = sdk::crc32(result.to_string().as_bytes()).to_string();
    let headers = [
        ("Server", "Server".to_owned()),
        ("Connection", "keep-alive".to_owned()),
        ("x-amz-crc32", crc),
    ];
    sdk::with_metadata(request, result, &headers)
}

/// The store failed.
fn internal(why: impl std::fmt::Display) -> Refusal {
    Refusal { kind: Kind::Internal, message: format!("Internal server error: {why}") }
}

/// Which item of which table a write is about, for finding two of the same.
type Target = (String, Vec<u8>);

/// Refuses two writes of one item.
fn no_twins(writes: &[Write], message: &str) -> Result<(), Refusal> {
    let mut seen: BTreeMap<Target, ()> = BTreeMap::new();
    for write in writes {
        if seen.insert((write.table.name.clone(), write.key.clone()), ()).is_some() {
            return Err(Refusal::validation(message));
        }
    }
    Ok(())
}
