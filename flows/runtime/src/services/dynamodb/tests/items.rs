//! Items: put, get, update, delete, batches and transactions.

use serde_json::json;

use super::*;

const KEY: &str = r#"{"id": {"S": "1"}}"#;

fn key() -> Json {
    serde_json::from_str(KEY).unwrap()
}

#[tokio::test]
async fn an_optimized_integration_tells_of_the_transport_and_an_sdk_one_does_not() {
    let db = with_item(json!({"data": {"S": "HelloWorld"}})).await;
    let get = json!({"TableName": "T", "Key": key()});
    let sdk = db.call(request(Integration::Sdk, "getItem", get.clone())).await.unwrap();
    assert_eq!(sdk, json!({"Item": {"data": {"S": "HelloWorld"}, "id": {"S": "1"}}}));
    let optimized = db.call(request(Integration::Optimized, "getItem", get)).await.unwrap();
    assert_eq!(optimized["Item"], sdk["Item"]);
    let metadata = &optimized["SdkHttpMetadata"];
    assert_eq!(metadata["HttpStatusCode"], 200);
    assert_eq!(metadata["HttpHeaders"]["Content-Length"], "51");
    assert_eq!(metadata["AllHttpHeaders"]["Content-Length"], json!(["51"]));
    assert_eq!(metadata["HttpHeaders"]["Content-Type"], "application/x-amz-json-1.0");
    let id = &optimized["SdkResponseMetadata"]["RequestId"];
    assert_eq!(&metadata["HttpHeaders"]["x-amzn-RequestId"], id);
}

#[tokio::test]
async fn an_optimized_integration_takes_bare_strings_names_of_truths_and_nulls() {
    let db = dynamodb();
    let item = json!({"id": "1", "gone": null, "late": {"BOOL": "false"}, "none": {"NULL": "true"},
        "done": {"L": ["a", {"M": {"b": "c"}}]}});
    let ask = |action: &str, arguments| db.call(request(Integration::Optimized, action, arguments));
    ask("putItem", json!({"TableName": "T", "Item": item})).await.unwrap();
    let update = json!({"TableName": "T", "Key": {"id": "1"}, "UpdateExpression": "SET word = :w",
        "ExpressionAttributeValues": {":w": "x"}});
    ask("updateItem", update).await.unwrap();
    let get = json!({"TableName": "T", "Key": {"id": "1"}});
    assert_eq!(
        ask("getItem", get.clone()).await.unwrap()["Item"],
        json!({"id": {"S": "1"}, "late": {"BOOL": false}, "none": {"NULL": true},
            "done": {"L": [{"S": "a"}, {"M": {"b": {"S": "c"}}}]}, "word": {"S": "x"}})
    );
    let (error, cause) = refused(&db, "getItem", get).await;
    assert_eq!(error, "DynamoDb.DynamoDbException");
    assert!(cause.starts_with("Expected a typed value"), "{cause}");
}

#[tokio::test]
async fn an_attribute_that_makes_no_sense_is_told_before_a_table_that_is_not_there() {
    let item = json!({"id": {"S": "1"}, "n": {"N": 5}});
    let put = json!({"TableName": "New", "Item": item});
    let (_, cause) = refused(&dynamodb(), "putItem", put).await;
    assert_eq!(cause, "NUMBER_VALUE cannot be converted to String");
}

#[tokio::test]
async fn a_missing_item_gives_no_member_item() {
    let db = with_item(json!({})).await;
    let get = json!({"TableName": "T", "Key": {"id": {"S": "2"}}});
    assert_eq!(ok(&db, "getItem", get).await, json!({}));
}

#[tokio::test]
async fn errors_have_the_names_and_words_of_either_integration() {
    let db = dynamodb();
    let put = json!({"TableName": "T", "Item": null});
    let error = db.call(request(Integration::Optimized, "putItem", put.clone())).await.unwrap_err();
    assert_eq!(error.error, "DynamoDB.ResourceNotFoundException");

    let db = with_item(json!({})).await;
    let error = db.call(request(Integration::Optimized, "putItem", put)).await.unwrap_err();
    assert_eq!(error.error, "DynamoDB.AmazonDynamoDBException");
    let id = sdk::request_id(&request(Integration::Optimized, "putItem", Json::Null));
    assert_eq!(
        error.cause,
        format!(
            "1 validation error detected: Value null at 'item' failed to satisfy constraint: Member must not be null (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ValidationException; Request ID: {id}; Proxy: null)"
        )
    );

    let delete = json!({"TableName": "T", "Key": key(),
        "ConditionExpression": "attribute_not_exists(id)"});
    let error = db.call(request(Integration::Optimized, "deleteItem", delete.clone())).await;
    let error = error.unwrap_err();
    assert_eq!(error.error, "DynamoDB.ConditionalCheckFailedException");
    assert!(error.cause.starts_with(
        "The conditional request failed (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ConditionalCheckFailedException;"
    ));
    let error = ask(&db, "deleteItem", delete).await.unwrap_err();
    assert_eq!(error.error, "DynamoDb.ConditionalCheckFailedException");
    assert!(error.cause.starts_with(
        "The conditional request failed (Service: DynamoDb, Status Code: 400, Request ID: "
    ));
}

#[tokio::test]
async fn values_of_every_type_come_back_as_they_were() {
    let members = json!({
        "n": {"N": "1.50"}, "b": {"B": "AAH/"}, "t": {"BOOL": false}, "z": {"NULL": true},
        "l": {"L": [{"S": ""}, {"L": []}]}, "m": {"M": {"a": {"M": {}}}},
        "ss": {"SS": ["x"]}, "ns": {"NS": ["2", "-10"]}, "bs": {"BS": ["AA=="]},
    });
    let db = with_item(members).await;
    let get = json!({"TableName": "T", "Key": key()});
    let item = db.call(request(Integration::Optimized, "getItem", get)).await.unwrap();
    let item = &item["Item"];
    assert_eq!(item["n"], json!({"N": "1.5"}));
    assert_eq!(item["b"], json!({"B": "AAH/"}));
    assert_eq!(item["t"], json!({"BOOL": false}));
    assert_eq!(item["z"], json!({"NULL": true}));
    assert_eq!(item["l"], json!({"L": [{"S": ""}, {"L": []}]}));
    assert_eq!(item["ns"], json!({"NS": ["-10", "2"]}));
}

#[tokio::test]
async fn an_sdk_integration_writes_and_reads_types_in_pascal_case() {
    let db = with_item(json!({"t": {"Bool": true}, "z": {"Nul": true}, "s": {"Ss": ["a"]}})).await;
    let item = item(&db).await;
    assert_eq!(item["t"], json!({"Bool": true}));
    assert_eq!(item["z"], json!({"Nul": true}));
    assert_eq!(item["s"], json!({"Ss": ["a"]}));
}

#[tokio::test]
async fn values_that_are_none_are_refused() {
    let db = with_item(json!({})).await;
    for (value, why) in [
        (json!({}), "Supplied AttributeValue is empty"),
        (json!({"S": "a", "N": "1"}), "Supplied AttributeValue has more than one datatypes set"),
        (json!({"N": "one"}), "The parameter cannot be converted to a numeric value: one"),
        (json!({"N": 1}), "NUMBER_VALUE cannot be converted to String"),
        (
            json!({"SS": []}),
            "One or more parameter values were invalid: An string set  may not be empty",
        ),
        (json!({"SS": ["a", "a"]}), "One or more parameter values were invalid: Input collection"),
        (json!({"NULL": false}), "One or more parameter values were invalid: Null attribute"),
    ] {
        let put = json!({"TableName": "T", "Item": {"id": {"S": "2"}, "v": value}});
        let (_, cause) = refused(&db, "putItem", put).await;
        assert!(cause.starts_with(why), "{cause}");
    }
    let mut deep = json!({"S": "x"});
    for _ in 0..40 {
        deep = json!({"L": [deep]});
    }
    let put = json!({"TableName": "T", "Item": {"id": {"S": "2"}, "v": deep}});
    assert!(refused(&db, "putItem", put).await.1.starts_with("Nesting Levels"));
    let large =
        json!({"TableName": "T", "Item": {"id": {"S": "2"}, "v": {"S": "x".repeat(400 * 1024)}}});
    assert_eq!(
        refused(&db, "putItem", large).await.1,
        "Item size has exceeded the maximum allowed size"
    );
}

#[tokio::test]
async fn keys_must_be_those_of_the_table() {
    let db = with_item(json!({})).await;
    for (action, arguments, why) in [
        (
            "putItem",
            json!({"TableName": "T", "Item": {"a": {"S": "x"}}}),
            "One or more parameter values were invalid: Missing the key id in the item",
        ),
        (
            "putItem",
            json!({"TableName": "T", "Item": {"id": {"N": "1"}}}),
            "One or more parameter values were invalid: Type mismatch for key id expected: S actual: N",
        ),
        (
            "putItem",
            json!({"TableName": "T", "Item": {"id": {"S": ""}}}),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id",
        ),
        (
            "getItem",
            json!({"TableName": "T", "Key": {"other": {"S": "1"}}}),
            "The provided key element does not match the schema",
        ),
        (
            "getItem",
            json!({"TableName": "T", "Key": {"id": {"S": "1"}, "x": {"S": "1"}}}),
            "The number of conditions on the keys is invalid",
        ),
        (
            "updateItem",
            json!({"TableName": "T", "Key": key(), "UpdateExpression": "SET id = :a",
                "ExpressionAttributeValues": {":a": {"S": "2"}}}),
            "One or more parameter values were invalid: Cannot update attribute id. This attribute is part of the key",
        ),
    ] {
        assert_eq!(refused(&db, action, arguments).await.1, why);
    }
}

#[tokio::test]
async fn return_values_are_what_was_asked_for() {
    let db =
        with_item(json!({"n": {"N": "1"}, "m": {"M": {"a": {"S": "x"}, "b": {"S": "y"}}}})).await;
    let update = |returns: &str| {
        json!({"TableName": "T", "Key": key(), "UpdateExpression": "SET n = n + :1, m.a = :z",
            "ExpressionAttributeValues": {":1": {"N": "1"}, ":z": {"S": "z"}}, "ReturnValues": returns})
    };
    assert_eq!(ok(&db, "updateItem", update("NONE")).await, json!({}));
    assert_eq!(
        ok(&db, "updateItem", update("UPDATED_NEW")).await["Attributes"],
        json!({"n": {"N": "3"}, "m": {"M": {"a": {"S": "z"}}}})
    );
    assert_eq!(
        ok(&db, "updateItem", update("UPDATED_OLD")).await["Attributes"]["n"],
        json!({"N": "3"})
    );
    assert_eq!(
        ok(&db, "updateItem", update("ALL_NEW")).await["Attributes"]["m"],
        json!({"M": {"a": {"S": "z"}, "b": {"S": "y"}}})
    );
    let put = json!({"TableName": "T", "Item": key(), "ReturnValues": "ALL_OLD"});
    assert_eq!(ok(&db, "putItem", put).await["Attributes"]["n"], json!({"N": "5"}));
    let delete = json!({"TableName": "T", "Key": key(), "ReturnValues": "ALL_OLD"});
    assert_eq!(ok(&db, "deleteItem", delete.clone()).await["Attributes"], key());
    assert_eq!(ok(&db, "deleteItem", delete).await, json!({}));
    let put = json!({"TableName": "T", "Item": key(), "ReturnValues": "ALL_NEW"});
    assert_eq!(refused(&db, "putItem", put).await.1, "ReturnValues can only be ALL_OLD or NONE");
}

#[tokio::test]
async fn an_update_makes_an_item_that_is_not_there() {
    let db = with_item(json!({})).await;
    let update = json!({"TableName": "T", "Key": {"id": {"S": "new"}}, "UpdateExpression": "ADD visits :1",
        "ExpressionAttributeValues": {":1": {"N": "1"}}, "ReturnValues": "ALL_NEW"});
    assert_eq!(
        ok(&db, "updateItem", update).await["Attributes"],
        json!({"id": {"S": "new"}, "visits": {"N": "1"}})
    );
}

#[tokio::test]
async fn of_many_who_claim_one_item_one_gets_it() {
    let db = with_item(json!({"spare": {"BOOL": true}})).await;
    let claim = |who: usize| {
        json!({"TableName": "T", "Key": key(), "UpdateExpression": "SET spare = :no, who = :who",
            "ConditionExpression": "spare = :yes",
            "ExpressionAttributeValues": {":no": {"BOOL": false}, ":yes": {"BOOL": true},
                ":who": {"N": who.to_string()}}})
    };
    let claims = (0..20)
        .map(|who| tokio::spawn(db.call(request(Integration::Sdk, "updateItem", claim(who)))));
    let mut got = 0;
    for claim in claims.collect::<Vec<_>>() {
        match claim.await.unwrap() {
            Ok(_) => got += 1,
            Err(error) => assert_eq!(error.error, "DynamoDb.ConditionalCheckFailedException"),
        }
    }
    assert_eq!(got, 1);
}

#[tokio::test]
async fn legacy_and_unknown_parameters_are_refused_by_name() {
    let db = with_item(json!({})).await;
    let legacy = json!({"TableName": "T", "Key": key(), "AttributesToGet": ["id"]});
    assert_eq!(
        refused(&db, "getItem", legacy).await.1,
        "AttributesToGet is a legacy parameter and is not served here; use ProjectionExpression"
    );
    let unknown = json!({"TableName": "T", "Key": key(), "Colour": "red"});
    let (error, cause) = refused(&db, "getItem", unknown).await;
    assert_eq!(error, "States.Runtime");
    assert_eq!(cause, "The field \"Colour\" is not supported by dynamodb:getItem");
}

#[tokio::test]
async fn a_projection_shows_parts_of_an_item() {
    let db = with_item(json!({"m": {"M": {"a": {"S": "x"}, "b": {"S": "y"}}},
        "l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]}}))
    .await;
    let get = json!({"TableName": "T", "Key": key(),
        "ProjectionExpression": "m.#b, l[2], l[0], absent",
        "ExpressionAttributeNames": {"#b": "b"}});
    assert_eq!(
        ok(&db, "getItem", get).await["Item"],
        json!({"m": {"M": {"b": {"S": "y"}}}, "l": {"L": [{"N": "0"}, {"N": "2"}]}})
    );
}

#[tokio::test]
async fn batches_write_and_read_many_items() {
    let db = with_item(json!({})).await;
    let put = |id: &str| json!({"PutRequest": {"Item": {"id": {"S": id}}}});
    let batch =
        json!({"RequestItems": {"T": [put("a"), put("b"), {"DeleteRequest": {"Key": key()}}]}});
    assert_eq!(ok(&db, "batchWriteItem", batch).await, json!({"UnprocessedItems": {}}));
    let keys = json!([{"id": {"S": "a"}}, {"id": {"S": "1"}}, {"id": {"S": "b"}}]);
    let get = json!({"RequestItems": {"T": {"Keys": keys}}});
    let got = ok(&db, "batchGetItem", get).await;
    assert_eq!(got["Responses"]["T"], json!([{"id": {"S": "a"}}, {"id": {"S": "b"}}]));
    assert_eq!(got["UnprocessedKeys"], json!({}));
    let twins = json!({"RequestItems": {"T": [put("a"), put("a")]}});
    assert_eq!(
        refused(&db, "batchWriteItem", twins).await.1,
        "Provided list of item keys contains duplicates"
    );
    let many: Vec<Json> = (0..26).map(|n| put(&n.to_string())).collect();
    assert_eq!(
        refused(&db, "batchWriteItem", json!({"RequestItems": {"T": many}})).await.1,
        "Too many items requested for the BatchWriteItem call"
    );
}

#[tokio::test]
async fn a_transaction_does_all_or_nothing_and_once() {
    let db = with_item(json!({"n": {"N": "1"}})).await;
    let add = json!({"Update": {"TableName": "T", "Key": key(), "UpdateExpression": "ADD n :1",
        "ExpressionAttributeValues": {":1": {"N": "1"}}}});
    let put = |condition: &str| json!({"Put": {"TableName": "T", "Item": {"id": {"S": "2"}}, "ConditionExpression": condition}});
    let failing = json!({"TransactItems": [add.clone(), put("attribute_exists(id)")]});
    let (error, cause) = refused(&db, "transactWriteItems", failing).await;
    assert_eq!(error, "DynamoDb.TransactionCanceledException");
    assert_eq!(
        cause,
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]"
    );
    assert_eq!(item(&db).await["n"], json!({"N": "1"}));

    let good = json!({"TransactItems": [add.clone(), put("attribute_not_exists(id)")],
        "ClientRequestToken": "token-1"});
    ok(&db, "transactWriteItems", good.clone()).await;
    ok(&db, "transactWriteItems", good).await;
    assert_eq!(item(&db).await["n"], json!({"N": "2"}));
    let other = json!({"TransactItems": [add], "ClientRequestToken": "token-1"});
    assert_eq!(
        refused(&db, "transactWriteItems", other).await.0,
        "DynamoDb.IdempotentParameterMismatchException"
    );
    let get = |id: &str| json!({"Get": {"TableName": "T", "Key": {"id": {"S": id}}}});
    let got = ok(&db, "transactGetItems", json!({"TransactItems": [get("2"), get("3")]})).await;
    assert_eq!(got, json!({"Responses": [{"Item": {"id": {"S": "2"}}}, {}]}));
}
