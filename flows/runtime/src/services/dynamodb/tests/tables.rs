//! Tables: made on first use, declared, created.

use serde_json::json;

use super::*;

#[tokio::test]
async fn the_samples_table_is_made_by_its_first_put() {
    let db = dynamodb();
    // As AWS's sample has it: the table's name is in a variable, the key in another state.
    db.learn(&json!({"States": {
        "Save": {"Resource": "arn:aws:states:::dynamodb:putItem", "Parameters": {
            "TableName.$": "$Environment.DynamoDBVoicemailsTable",
            "Item": {"Tag": {"S.$": "$x"}, "BucketName": {"S.$": "$y"}, "Key": {"S.$": "$z"}}}},
        "Get": {"Resource": "arn:aws:states:::dynamodb:getItem", "Parameters": {
            "TableName.$": "$Environment.DynamoDBVoicemailsTable",
            "Key": {"Tag": {"S.$": "$BusinessInfo.BusinessPhoneNumber"}}}},
    }}));
    let item = json!({"BucketName": {"S": "b"}, "Tag": {"S": "+15550100"}, "Key": {"S": "k.wav"}});
    ok(&db, "putItem", json!({"TableName": "BusinessProxyVoicemails", "Item": item})).await;
    let get = json!({"TableName": "BusinessProxyVoicemails", "Key": {"Tag": {"S": "+15550100"}}});
    assert_eq!(ok(&db, "getItem", get).await["Item"]["Key"], json!({"S": "k.wav"}));
}

#[tokio::test]
async fn a_query_shows_the_key_of_a_table_too() {
    let db = dynamodb();
    db.learn(&json!({"States": {"Q": {"Resource": "arn:aws:states:::aws-sdk:dynamodb:query",
        "Arguments": {"TableName": "Calls",
            "KeyConditionExpression": "#at > :since AND caller = :caller",
            "ExpressionAttributeNames": {"#at": "at"},
            "ExpressionAttributeValues": {":since": "{% $s %}", ":caller": "{% $c %}"}}}}}));
    let item = json!({"at": {"N": "5"}, "caller": {"S": "+1"}, "x": {"S": "y"}});
    ok(&db, "putItem", json!({"TableName": "Calls", "Item": item})).await;
    let table = ok(&db, "describeTable", json!({"TableName": "Calls"})).await;
    assert_eq!(
        table["Table"]["KeySchema"],
        json!([{"AttributeName": "caller", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}])
    );
}

#[tokio::test]
async fn a_query_that_leaves_the_sort_key_out_does_not_hide_it() {
    let db = dynamodb();
    db.learn(&json!({"States": {
        "List": {"Resource": "arn:aws:states:::aws-sdk:dynamodb:query",
            "Arguments": {"TableName": "{% $Table %}", "KeyConditionExpression": "Shop = :shop",
                "ExpressionAttributeValues": {":shop": {"S": "{% $Shop %}"}}}},
        "Delete": {"Resource": "arn:aws:states:::dynamodb:deleteItem",
            "Arguments": {"TableName": "{% $Table %}", "Key": {"Shop": "{% $s %}", "At": "{% $a %}"}}},
    }}));
    for at in ["1", "2"] {
        let item = json!({"Shop": {"S": "s"}, "At": {"S": at}});
        ok(&db, "putItem", json!({"TableName": "Messages", "Item": item})).await;
    }
    let query = json!({"TableName": "Messages", "KeyConditionExpression": "Shop = :shop",
        "ExpressionAttributeValues": {":shop": {"S": "s"}}});
    assert_eq!(ok(&db, "query", query).await["Count"], 2);
}

#[tokio::test]
async fn a_table_whose_item_has_nothing_for_a_key_is_not_found() {
    let db = dynamodb();
    let put = json!({"TableName": "Unknown", "Item": {"a": {"BOOL": true}}});
    let (error, cause) = refused(&db, "putItem", put).await;
    assert_eq!(error, "DynamoDb.ResourceNotFoundException");
    assert_eq!(
        cause,
        "Requested resource not found: Table: Unknown not found, and its key cannot be told from \
         the item; make it with createTable"
    );
}

#[tokio::test]
async fn a_table_is_created_described_listed_and_deleted() {
    let db = dynamodb();
    let create = json!({"TableName": "Pairs", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "sma_number", "AttributeType": "S"},
            {"AttributeName": "connect_number", "AttributeType": "S"},
            {"AttributeName": "in_use", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "sma_number", "KeyType": "HASH"},
            {"AttributeName": "connect_number", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [{"IndexName": "in_use-index",
            "KeySchema": [{"AttributeName": "in_use", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"}}]});
    let made = ok(&db, "createTable", create.clone()).await;
    assert_eq!(made["TableDescription"]["TableStatus"], "ACTIVE");
    assert_eq!(refused(&db, "createTable", create).await.0, "DynamoDb.ResourceInUseException");
    assert_eq!(ok(&db, "listTables", json!({})).await, json!({"TableNames": ["Pairs"]}));
    let item =
        json!({"sma_number": {"S": "+1"}, "connect_number": {"S": "+2"}, "in_use": {"S": "no"}});
    ok(&db, "putItem", json!({"TableName": "Pairs", "Item": item})).await;
    ok(&db, "deleteTable", json!({"TableName": "Pairs"})).await;
    assert_eq!(ok(&db, "listTables", json!({})).await, json!({"TableNames": []}));
}

#[tokio::test]
async fn an_index_that_is_declared_later_finds_what_is_there() {
    let db = with_item(json!({"state": {"S": "open"}})).await;
    let index = Index {
        name: "by-state".to_owned(),
        partition: KeyAttribute { name: "state".to_owned(), kind: KeyKind::S },
        sort: None,
        projection: Projection::KeysOnly,
    };
    let id = KeyAttribute { name: "id".to_owned(), kind: KeyKind::S };
    let table = Table { indexes: vec![index], ..Table::new("T", id, None) };
    db.declare(table.clone()).await.unwrap();
    let query = json!({"TableName": "T", "IndexName": "by-state",
        "KeyConditionExpression": "#s = :open",
        "ExpressionAttributeNames": {"#s": "state"},
        "ExpressionAttributeValues": {":open": {"S": "open"}}});
    assert_eq!(ok(&db, "query", query.clone()).await["Count"], 1);
    // And what changes is found where it is now.
    let update = json!({"TableName": "T", "Key": {"id": {"S": "1"}}, "UpdateExpression": "SET #s = :c",
        "ExpressionAttributeNames": {"#s": "state"}, "ExpressionAttributeValues": {":c": {"S": "closed"}}});
    ok(&db, "updateItem", update).await;
    assert_eq!(ok(&db, "query", query).await["Count"], 0);
    let other =
        Table { partition: KeyAttribute { name: "x".to_owned(), kind: KeyKind::S }, ..table };
    assert!(db.declare(other).await.is_err());
}

#[tokio::test]
async fn with_an_upstream_a_table_that_is_not_here_is_there() {
    let upstream: Arc<dyn Upstream> = Arc::new(crate::services::NoUpstream);
    let db = DynamoDb::new(Arc::new(MemoryStore::new()), Some(upstream));
    let id = KeyAttribute { name: "id".to_owned(), kind: KeyKind::S };
    db.declare(Table::new("Here", id, None)).await.unwrap();
    let key = json!({"id": {"S": "1"}});
    assert_eq!(ok(&db, "getItem", json!({"TableName": "Here", "Key": key})).await, json!({}));
    let there = ask(&db, "getItem", json!({"TableName": "There", "Key": key})).await.unwrap_err();
    assert_eq!(
        there.cause,
        "aws-sdk:dynamodb:getItem is not served on this machine; configure AWS credentials to pass it on"
    );
    let put = |table: &str| json!({"Put": {"TableName": table, "Item": key}});
    let both = json!({"TransactItems": [put("Here"), put("There")]});
    assert!(ask(&db, "transactWriteItems", both).await.unwrap_err().cause.contains("not served"));
}
