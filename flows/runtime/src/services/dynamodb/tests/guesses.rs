//! Tables whose key nobody told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::Semaphore;

use super::*;
use crate::store::{EntryChange, EntryRange, Kept, StoreError};

fn text() -> Json {
    json!({"S": "x"})
}

fn put(item: Json, condition: Option<&str>) -> Json {
    let mut put = json!({"TableName": "Log", "Item": item});
    if let Some(condition) = condition {
        put["ConditionExpression"] = json!(condition);
    }
    put
}

async fn key_of(db: &DynamoDb) -> Json {
    let table = ok(db, "describeTable", json!({"TableName": "Log"})).await;
    let schema = table["Table"]["KeySchema"].as_array().expect("a schema").clone();
    schema.iter().map(|key| key["AttributeName"].clone()).collect()
}

async fn count(db: &DynamoDb) -> Json {
    ok(db, "scan", json!({"TableName": "Log"})).await["Count"].clone()
}

#[tokio::test]
async fn a_table_into_which_is_only_put_gets_a_key_by_the_names_in_the_item() {
    let absent = Some("attribute_not_exists(ticket)");
    let both = Some("size(ticket) < :n AND (attribute_not_exists(ticket))");
    for (put, wanted) in [
        (put(json!({"caller": text(), "ID": text()}), None), json!(["ID"])),
        (put(json!({"caller": text(), "call_id": text()}), None), json!(["call_id"])),
        (put(json!({"at": text(), "paid": text(), "callID": text()}), None), json!(["callID"])),
        (put(json!({"callId": text(), "time": text()}), None), json!(["callId", "time"])),
        (put(json!({"id": text(), "time": text()}), None), json!(["id"])),
        (put(json!({"id": text(), "sk": text()}), None), json!(["id"])),
        (put(json!({"pk": text(), "sk": text(), "time": text()}), None), json!(["pk", "sk"])),
        (put(json!({"id": text(), "time": text(), "ticket": text()}), absent), json!(["ticket"])),
        (
            {
                let mut put = put(json!({"id": text(), "ticket": text()}), both);
                put["ExpressionAttributeValues"] = json!({":n": {"N": "9"}});
                put
            },
            json!(["ticket"]),
        ),
    ] {
        let db = dynamodb();
        // A condition that does not hold makes the table all the same.
        let _ = ask(&db, "putItem", put.clone()).await;
        assert_eq!(key_of(&db).await, wanted, "{put}");
    }
}

#[tokio::test]
async fn a_key_that_can_only_be_rolled_for_is_not_guessed() {
    for put in [
        put(json!({"paid": text(), "said": text()}), None),
        put(json!({"PAID": text()}), None),
        put(json!({"time": text(), "caller": text()}), None),
        put(json!({"caller_id": text(), "call_id": text()}), None),
        put(json!({"t": text()}), Some("attribute_not_exists(t) OR attribute_exists(t)")),
        put(json!({"t": text()}), Some("NOT attribute_not_exists(t)")),
    ] {
        let (error, cause) = refused(&dynamodb(), "putItem", put.clone()).await;
        assert_eq!(error, "DynamoDb.ResourceNotFoundException", "{put}");
        assert!(cause.ends_with("make it with createTable"), "{cause}");
    }
}

#[tokio::test]
async fn what_is_put_only_if_it_is_not_there_yet_is_put_once() {
    for names in [None, Some(json!({"#o": "order"}))] {
        let db = dynamodb();
        let name = if names.is_some() { "#o" } else { "ticket" };
        let put = |time: &str| {
            let item = json!({"ticket": {"S": "7"}, "order": {"S": "7"}, "time": {"S": time}});
            let mut put = put(item, Some(&format!("attribute_not_exists({name})")));
            if let Some(names) = &names {
                put["ExpressionAttributeNames"] = names.clone();
            }
            put
        };
        ok(&db, "putItem", put("1")).await;
        let (error, _) = refused(&db, "putItem", put("2")).await;
        assert_eq!(error, "DynamoDb.ConditionalCheckFailedException");
        assert_eq!(count(&db).await, 1);
    }
}

#[tokio::test]
async fn under_a_key_that_only_looks_like_one_no_item_takes_the_place_of_another() {
    let db = dynamodb();
    let item = |said: &str| put(json!({"caller_id": text(), "said": {"S": said}}), None);
    ok(&db, "putItem", item("a")).await;
    ok(&db, "putItem", item("a")).await;
    let (error, cause) = refused(&db, "putItem", item("b")).await;
    assert_eq!(error, "DynamoDb.DynamoDbException");
    assert!(cause.contains("another item under caller_id") && cause.contains("createTable"));
    let key = json!({"TableName": "Log", "Key": {"caller_id": text()}});
    assert_eq!(ok(&db, "getItem", key).await["Item"]["said"], json!({"S": "a"}));
    // The key is borne out by now.
    ok(&db, "putItem", item("b")).await;
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_wrong_guess_is_given_up_for_the_key_that_is_told() {
    let create = json!({"TableName": "Log", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "caller", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "caller", "KeyType": "HASH"}]});
    let get = json!({"TableName": "Log", "Key": {"caller": {"S": "2"}}});
    for (action, told) in [("getItem", Some(&get)), ("createTable", Some(&create)), ("", None)] {
        let db = dynamodb();
        for (id, caller) in [("1", "2"), ("2", "1"), ("3", "3")] {
            let item = json!({"id": {"S": id}, "caller": {"S": caller}});
            ok(&db, "putItem", put(item, None)).await;
        }
        match told {
            Some(told) => {
                ok(&db, action, told.clone()).await;
            }
            None => {
                let caller = KeyAttribute { name: "caller".to_owned(), kind: KeyKind::S };
                db.declare(Table::new("Log", caller, None)).await.unwrap();
            }
        }
        assert_eq!(key_of(&db).await, json!(["caller"]));
        assert_eq!(ok(&db, "getItem", get.clone()).await["Item"]["id"], json!({"S": "1"}));
        assert_eq!(count(&db).await, 3);
        // It is no guess any more.
        let other = json!({"TableName": "Log", "Key": {"id": {"S": "1"}}});
        assert!(refused(&db, "getItem", other).await.1.contains("does not match the schema"));
        assert_eq!(
            refused(&db, "createTable", create.clone()).await.0,
            "DynamoDb.ResourceInUseException"
        );
    }
}

/// A store whose ranges are handed out one at a time, as they are let.
struct Slow {
    store: MemoryStore,
    turns: Semaphore,
    /// Whether no entry can be read.
    store_fails: AtomicBool,
}

impl Slow {
    fn new(turns: usize) -> Arc<Self> {
        let (store, turns) = (MemoryStore::new(), Semaphore::new(turns));
        Arc::new(Self { store, turns, store_fails: AtomicBool::new(false) })
    }
}

impl Entries for Arc<Slow> {
    fn get_entry(&self, space: String, key: Vec<u8>) -> Kept<Option<Entry>> {
        if self.store_fails.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::Failed("the disk is gone".to_owned())) });
        }
        self.store.get_entry(space, key)
    }
    fn range_entries(&self, range: EntryRange) -> Kept<Vec<Entry>> {
        let slow = Arc::clone(self);
        Box::pin(async move {
            let found = slow.store.range_entries(range).await;
            slow.turns.acquire().await.unwrap().forget();
            found
        })
    }
    fn due_entries(&self, space: String, now: Timestamp, limit: usize) -> Kept<Vec<Entry>> {
        self.store.due_entries(space, now, limit)
    }
    fn next_due(&self, space: String) -> Kept<Option<Timestamp>> {
        self.store.next_due(space)
    }
    fn change_entries(&self, changes: Vec<EntryChange>) -> Kept<bool> {
        self.store.change_entries(changes)
    }
}

#[tokio::test]
async fn what_is_put_while_a_table_gets_another_key_is_found_under_that_key() {
    let slow = Slow::new(1);
    let db = DynamoDb::new(Arc::new(Arc::clone(&slow)), None);
    let item =
        |id: &str| put(json!({"id": {"S": id}, "caller": {"S": format!("caller {id}")}}), None);
    ok(&db, "putItem", item("1")).await;
    let get = |caller: &str| json!({"TableName": "Log", "Key": {"caller": {"S": caller}}});
    let rekeys = {
        let (db, get) = (db.clone(), get("caller 1"));
        tokio::spawn(async move { ok(&db, "getItem", get).await })
    };
    let puts = {
        let (db, item) = (db.clone(), item("2"));
        tokio::spawn(async move { ok(&db, "putItem", item).await })
    };
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    slow.turns.add_permits(100);
    assert_eq!(rekeys.await.unwrap()["Item"]["id"], json!({"S": "1"}));
    puts.await.unwrap();
    assert_eq!(key_of(&db).await, json!(["caller"]));
    assert_eq!(ok(&db, "getItem", get("caller 2")).await["Item"]["id"], json!({"S": "2"}));
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn what_tells_no_key_of_a_guessed_table_holds_nobody_up() {
    let slow = Slow::new(1);
    let db = DynamoDb::new(Arc::new(Arc::clone(&slow)), None);
    let item = |id: &str| json!({"id": {"S": id}});
    ok(&db, "putItem", put(item("1"), None)).await;
    let scan = {
        let db = db.clone();
        tokio::spawn(async move { count(&db).await })
    };
    let others = {
        let (db, put) = (db.clone(), put(item("2"), None));
        let batch = json!({"RequestItems": {"Log": [{"PutRequest": {"Item": item("3")}}]}});
        let transaction = json!({"TransactItems": [
            {"Put": {"TableName": "Log", "Item": item("4")}}]});
        tokio::spawn(async move {
            ok(&db, "putItem", put).await;
            ok(&db, "batchWriteItem", batch).await;
            ok(&db, "transactWriteItems", transaction).await;
            key_of(&db).await
        })
    };
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(others.is_finished() && !scan.is_finished());
    assert_eq!(others.await.unwrap(), json!(["id"]));
    slow.turns.add_permits(100);
    assert_eq!(scan.await.unwrap(), 1);
    assert_eq!(count(&db).await, 4);
}

#[tokio::test]
async fn whatever_may_tell_the_key_of_a_guessed_table_has_the_tables_for_itself() {
    let slow = Slow::new(100);
    let db = DynamoDb::new(Arc::new(Arc::clone(&slow)), None);
    ok(&db, "putItem", put(json!({"id": text()}), None)).await;
    let key = json!({"id": text()});
    let is_alone = async |action: &str, arguments: Json| {
        let request = request(Integration::Sdk, action, arguments);
        db.inner.shared(&request).await.is_none()
    };
    let of = |kind: &str| json!({"TransactItems": [{kind: {"TableName": "Log", "Key": key}}]});
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/Log";
    for (action, arguments) in [
        ("getItem", json!({"TableName": arn, "Key": key})),
        ("updateItem", json!({"TableName": "Log", "Key": key})),
        ("batchGetItem", json!({"RequestItems": {"Log": {"Keys": [key]}}})),
        ("batchWriteItem", json!({"RequestItems": {"Log": [{"DeleteRequest": {"Key": key}}]}})),
        ("transactWriteItems", of("Delete")),
        ("transactGetItems", of("Get")),
        ("putItem", json!({"TableName": "New", "Item": key})),
        ("deleteTable", json!({"TableName": "Log"})),
    ] {
        assert!(is_alone(action, arguments.clone()).await, "{action} {arguments}");
    }
    assert!(!is_alone("describeTable", json!({"TableName": "Log"})).await);
    slow.store_fails.store(true, Ordering::SeqCst);
    // Nobody knows how the table is keyed.
    assert!(is_alone("describeTable", json!({"TableName": "Log"})).await);
}

#[tokio::test]
async fn a_key_that_not_every_item_has_once_changes_nothing() {
    for (more, why) in [
        (json!({"id": {"S": "2"}}), "items without caller"),
        (json!({"id": {"S": "2"}, "caller": {"S": "a"}}), "several items of the same caller"),
    ] {
        let db = dynamodb();
        let first = json!({"id": {"S": "1"}, "caller": {"S": "a"}});
        ok(&db, "putItem", put(first, None)).await;
        ok(&db, "putItem", put(more, None)).await;
        let get = json!({"TableName": "Log", "Key": {"caller": {"S": "a"}}});
        let (_, cause) = refused(&db, "getItem", get).await;
        assert!(cause.contains(why) && cause.contains("createTable"), "{cause}");
        assert_eq!(key_of(&db).await, json!(["id"]));
        assert_eq!(count(&db).await, 2);
    }
}
