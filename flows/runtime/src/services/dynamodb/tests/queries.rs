//! Queries and scans.

use serde_json::json;

use super::*;

/// A table `Calls` of `caller` and `at`, with an index on `state`.
async fn calls() -> DynamoDb {
    let db = dynamodb();
    let attribute = |name: &str, kind| KeyAttribute { name: name.to_owned(), kind };
    let table = Table {
        name: "Calls".to_owned(),
        partition: attribute("caller", KeyKind::S),
        sort: Some(attribute("at", KeyKind::N)),
        indexes: vec![Index {
            name: "by-outcome".to_owned(),
            partition: attribute("outcome", KeyKind::S),
            sort: Some(attribute("at", KeyKind::N)),
            projection: Projection::All,
        }],
        guess: None,
    };
    db.declare(table).await.unwrap();
    for (caller, at, outcome) in [
        ("a", "-5", Some("lost")),
        ("a", "1", Some("won")),
        ("a", "2", None),
        ("a", "10", Some("lost")),
        ("ab", "3", Some("lost")),
        ("b", "4", Some("won")),
    ] {
        let mut item = json!({"caller": {"S": caller}, "at": {"N": at}});
        if let Some(outcome) = outcome {
            item["outcome"] = json!({"S": outcome});
        }
        ok(&db, "putItem", json!({"TableName": "Calls", "Item": item})).await;
    }
    db
}

fn query(condition: &str, values: Json, more: Json) -> Json {
    let mut query = json!({"TableName": "Calls", "KeyConditionExpression": condition,
        "ExpressionAttributeNames": {"#at": "at"}, "ExpressionAttributeValues": values});
    if !condition.contains("#at") {
        query.as_object_mut().unwrap().remove("ExpressionAttributeNames");
    }
    for (name, value) in more.as_object().unwrap() {
        query[name] = value.clone();
    }
    query
}

fn times(result: &Json) -> Vec<String> {
    let items = result["Items"].as_array().unwrap();
    items.iter().map(|item| item["at"]["N"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_query_finds_a_range_of_one_partition_in_the_order_of_numbers() {
    let db = calls().await;
    let a = json!({":a": {"S": "a"}});
    let with = |name: &str, n: &str| json!({":a": {"S": "a"}, name: {"N": n}});
    for (condition, values, expected) in [
        ("caller = :a", a.clone(), vec!["-5", "1", "2", "10"]),
        (":a = caller", a.clone(), vec!["-5", "1", "2", "10"]),
        ("caller = :a AND #at = :n", with(":n", "2"), vec!["2"]),
        ("caller = :a AND #at < :n", with(":n", "2"), vec!["-5", "1"]),
        ("caller = :a AND #at <= :n", with(":n", "2"), vec!["-5", "1", "2"]),
        ("#at > :n AND caller = :a", with(":n", "1"), vec!["2", "10"]),
        ("caller = :a AND (#at >= :n)", with(":n", "1"), vec!["1", "2", "10"]),
        ("caller = :a AND :n < #at", with(":n", "1"), vec!["2", "10"]),
        (
            "caller = :a AND #at BETWEEN :n AND :m",
            json!({":a": {"S": "a"}, ":n": {"N": "-5"}, ":m": {"N": "2"}}),
            vec!["-5", "1", "2"],
        ),
    ] {
        let result = ok(&db, "query", query(condition, values, json!({}))).await;
        assert_eq!(times(&result), expected, "{condition}");
    }
    let back = query("caller = :a", a, json!({"ScanIndexForward": false}));
    assert_eq!(times(&ok(&db, "query", back).await), ["10", "2", "1", "-5"]);
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition_in_both_directions() {
    let db = calls().await;
    for forward in [true, false] {
        let mut found = Vec::new();
        let mut start = Json::Null;
        loop {
            let more = json!({"Limit": 2, "ScanIndexForward": forward, "ExclusiveStartKey": start});
            let page =
                ok(&db, "query", query("caller = :a", json!({":a": {"S": "a"}}), more)).await;
            found.extend(times(&page));
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
        let mut expected = vec!["-5", "1", "2", "10"];
        if !forward {
            expected.reverse();
        }
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_filter_is_applied_after_the_limit_and_both_are_counted() {
    let db = calls().await;
    let values = json!({":a": {"S": "a"}, ":lost": {"S": "lost"}});
    let more = json!({"FilterExpression": "outcome = :lost", "Limit": 3});
    let page = ok(&db, "query", query("caller = :a", values, more)).await;
    assert_eq!((page["Count"].clone(), page["ScannedCount"].clone()), (json!(1), json!(3)));
    assert_eq!(page["LastEvaluatedKey"], json!({"caller": {"S": "a"}, "at": {"N": "2"}}));
}

#[tokio::test]
async fn an_index_holds_the_items_that_have_its_attributes() {
    let db = calls().await;
    let lost = json!({":lost": {"S": "lost"}});
    let index = |more: Json| {
        let mut arguments = query("outcome = :lost", json!({":lost": {"S": "lost"}}), more);
        arguments["IndexName"] = json!("by-outcome");
        arguments
    };
    assert_eq!(times(&ok(&db, "query", index(json!({}))).await), ["-5", "3", "10"]);
    let first = ok(&db, "query", index(json!({"Limit": 1}))).await;
    assert_eq!(
        first["LastEvaluatedKey"],
        json!({"outcome": {"S": "lost"}, "at": {"N": "-5"}, "caller": {"S": "a"}})
    );
    let next = index(json!({"ExclusiveStartKey": first["LastEvaluatedKey"]}));
    assert_eq!(times(&ok(&db, "query", next).await), ["3", "10"]);
    let consistent = index(json!({"ConsistentRead": true}));
    assert_eq!(
        refused(&db, "query", consistent).await.1,
        "Consistent reads are not supported on global secondary indexes"
    );
    let missing = query("outcome = :lost", lost, json!({"IndexName": "nope"}));
    assert_eq!(
        refused(&db, "query", missing).await.1,
        "The table does not have the specified index: nope"
    );
}

#[tokio::test]
async fn what_is_no_key_condition_is_refused_in_dynamodbs_words() {
    let db = calls().await;
    let a = json!({":a": {"S": "a"}});
    let an = json!({":a": {"S": "a"}, ":n": {"N": "1"}});
    for (condition, values, why) in [
        (
            "#at = :n",
            json!({":n": {"N": "1"}}),
            "Query condition missed key schema element: caller",
        ),
        ("caller > :a", a.clone(), "Query key condition not supported"),
        (
            "caller = :a AND outcome = :a",
            a.clone(),
            "Query condition missed key schema element: at",
        ),
        (
            "caller = :n",
            json!({":n": {"N": "1"}}),
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        ("caller = :a OR #at = :n", an, "Invalid operator used in KeyConditionExpression: OR"),
    ] {
        assert_eq!(refused(&db, "query", query(condition, values, json!({}))).await.1, why);
    }
    let filter = query("caller = :a", a, json!({"FilterExpression": "caller = :a"}));
    assert_eq!(
        refused(&db, "query", filter).await.1,
        "Filter Expression can only contain non-primary key attributes: Primary key attribute: caller"
    );
}

#[tokio::test]
async fn a_scan_sees_everything_once_also_in_segments() {
    let db = calls().await;
    let all = ok(&db, "scan", json!({"TableName": "Calls"})).await;
    assert_eq!(all["Count"], 6);
    let mut sum = 0;
    for segment in 0..3 {
        let part = json!({"TableName": "Calls", "Segment": segment, "TotalSegments": 3});
        sum += ok(&db, "scan", part).await["Count"].as_u64().unwrap();
    }
    assert_eq!(sum, 6);
    let count = json!({"TableName": "Calls", "Select": "COUNT", "FilterExpression": "attribute_exists(outcome)"});
    assert_eq!(ok(&db, "scan", count).await, json!({"Count": 5, "ScannedCount": 6}));
}

#[tokio::test]
async fn begins_with_finds_texts_that_begin_so_and_no_others() {
    let db = dynamodb();
    let attribute = |name: &str| KeyAttribute { name: name.to_owned(), kind: KeyKind::S };
    let table = Table {
        name: "Calls".to_owned(),
        partition: attribute("p"),
        sort: Some(attribute("s")),
        indexes: Vec::new(),
        guess: None,
    };
    db.declare(table).await.unwrap();
    for s in ["a", "a\u{0}", "a\u{0}b", "ab", "b", "é", "a\u{10FFFF}"] {
        let item = json!({"p": {"S": "p"}, "s": {"S": s}});
        ok(&db, "putItem", json!({"TableName": "Calls", "Item": item})).await;
    }
    for (prefix, expected) in [("a", 5), ("a\u{0}", 2), ("ab", 1), ("\u{10FFFF}", 0)] {
        let values = json!({":p": {"S": "p"}, ":s": {"S": prefix}});
        let found = query("p = :p AND begins_with(s, :s)", values, json!({}));
        assert_eq!(ok(&db, "query", found).await["Count"], expected, "{prefix:?}");
    }
}
