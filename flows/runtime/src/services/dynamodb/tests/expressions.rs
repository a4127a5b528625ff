//! Conditions and updates.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{item, refused, with_item};
use crate::services::dynamodb::condition::Condition;
use crate::services::dynamodb::placeholders::Placeholders;
use crate::services::dynamodb::update::Update;
use crate::services::dynamodb::value::parse_item;

/// Whether an item meets a condition, or why it is none.
fn holds(item: Json, condition: &str, values: Json) -> Result<bool, String> {
    let names = json!({"#n": "name", "#s": "status"});
    let mut placeholders = Placeholders::parse(Some(&names), Some(&values)).unwrap();
    let condition = Condition::parse(condition, &mut placeholders)?;
    Ok(condition.holds(&parse_item(&item).unwrap()))
}

fn thing() -> Json {
    json!({
        "id": {"S": "1"}, "n": {"N": "5"}, "name": {"S": "Ada"}, "flag": {"BOOL": true},
        "tags": {"SS": ["a", "b"]}, "items1": {"L": [{"S": "x"}, {"N": "2"}]},
        "deep": {"M": {"nest": {"L": [{"M": {"leaf": {"N": "7"}}}]}}}, "nil": {"NULL": true},
    })
}

#[test]
fn conditions_are_judged_as_dynamodb_judges_them() {
    let values = json!({
        ":5": {"N": "5.0"}, ":4": {"N": "4"}, ":9": {"N": "9"}, ":a": {"S": "A"}, ":x": {"S": "x"},
        ":tag": {"S": "b"}, ":kind": {"S": "SS"}, ":7": {"N": "7"}, ":true": {"BOOL": true},
        ":2": {"N": "2"}, ":tags": {"SS": ["b", "a"]}, ":null": {"NULL": true},
    });
    for (condition, expected) in [
        ("n = :5", true),
        ("n <> :5", false),
        ("n < :9 AND n > :4", true),
        ("n BETWEEN :4 AND :5", true),
        ("NOT n BETWEEN :4 AND :5", false),
        ("n IN (:4, :5)", true),
        ("n IN (:4)", false),
        ("absent = :5", false),
        ("absent <> :5", true),
        ("absent < :5", false),
        ("NOT absent < :5", true),
        ("id = :5", false),
        ("id < :5", false),
        ("attribute_exists(deep.nest[0].leaf)", true),
        ("attribute_not_exists(deep.nest[1])", true),
        ("deep.nest[0].leaf = :7", true),
        ("attribute_type(tags, :kind)", true),
        ("begins_with(#n, :a)", true),
        ("begins_with(n, :a)", false),
        ("contains(tags, :tag)", true),
        ("contains(items1, :2)", true),
        ("contains(items1, :9)", false),
        ("contains(#n, :a)", true),
        ("size(tags) = :2", true),
        ("size(#n) < :4", true),
        ("size(n) < :4", false),
        ("tags = :tags", true),
        ("flag = :true", true),
        ("nil = :null", true),
        ("n = :4 OR n = :5 AND #n = :x", false),
        ("(n = :4 OR n = :5) AND NOT #n = :x", true),
        ("NOT n = :4 AND n = :4", false),
        ("attribute_exists(#s) or n = :5", true),
    ] {
        assert_eq!(holds(thing(), condition, values.clone()), Ok(expected), "{condition}");
    }
}

#[test]
fn what_is_no_condition_is_refused_in_dynamodbs_words() {
    let values =
        json!({":a": {"S": "a"}, ":b": {"BOOL": true}, ":1": {"N": "1"}, ":0": {"N": "0"}});
    for (condition, why) in [
        ("", "The expression can not be empty;"),
        ("id == :a", "Syntax error; token: \"=\", near: \"== :a\""),
        ("id = ", "Syntax error; token: \"<EOF>\", near: \"=\""),
        ("id", "Syntax error; token: \"<EOF>\", near: \"id\""),
        ("id = :a AND", "Syntax error; token: \"<EOF>\", near: \"AND\""),
        ("id = :a)", "Syntax error; token: \")\", near: \":a)\""),
        ("name = :a", "Attribute name is a reserved keyword; reserved keyword: name"),
        (
            "#zz = :a",
            "An expression attribute name used in the document path is not defined; attribute name: #zz",
        ),
        (
            "id = :zz",
            "An expression attribute value used in expression is not defined; attribute value: :zz",
        ),
        (
            "id < :b",
            "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
        ),
        (
            "begins_with(id, :1)",
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "attribute_exists(:a)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "attribute_exists(id, n)",
            "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2",
        ),
        ("exists(id)", "Invalid function name; function: exists"),
        ("((id = :a))", "The expression has redundant parentheses;"),
        (
            "id BETWEEN :1 AND :0",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:1}, upper bound operand: AttributeValue: {N:0}",
        ),
    ] {
        assert_eq!(holds(thing(), condition, values.clone()), Err(why.to_owned()), "{condition}");
    }
    let deep = format!("{}id = :a{}", "NOT (".repeat(500), ")".repeat(500));
    assert!(holds(thing(), &deep, values).unwrap_err().contains("nested deeper"));
}

/// An item after an update, or why not.
fn updated(update: &str, values: Json) -> Result<Json, String> {
    let mut placeholders = Placeholders::parse(None, Some(&values)).unwrap();
    let update = Update::parse(update, &mut placeholders)?;
    let item = update.apply(&parse_item(&thing()).unwrap()).map_err(|r| r.message)?;
    let style = crate::services::Integration::Optimized;
    Ok(crate::services::dynamodb::value::item_to_json(&item, style))
}

#[test]
fn updates_change_what_they_name_and_nothing_else() {
    let values = json!({
        ":1": {"N": "1"}, ":x": {"S": "x"}, ":items1": {"L": [{"S": "y"}]},
        ":tags": {"SS": ["b", "c"]}, ":all": {"SS": ["a", "b"]},
    });
    for (update, path, expected) in [
        ("SET n = n + :1", "/n", json!({"N": "6"})),
        ("set n = :1 - n", "/n", json!({"N": "-4"})),
        ("SET c = if_not_exists(c, :1) + :1", "/c", json!({"N": "2"})),
        ("SET n = if_not_exists(n, :x)", "/n", json!({"N": "5"})),
        (
            "SET items1 = list_append(items1, :items1)",
            "/items1",
            json!({"L": [{"S": "x"}, {"N": "2"}, {"S": "y"}]}),
        ),
        ("SET items1[9] = :x", "/items1", json!({"L": [{"S": "x"}, {"N": "2"}, {"S": "x"}]})),
        ("SET deep.nest[0].leaf = n", "/deep/M/nest/L/0/M/leaf", json!({"N": "5"})),
        ("SET id2 = n, n = :1", "/id2", json!({"N": "5"})),
        ("REMOVE items1[0]", "/items1", json!({"L": [{"N": "2"}]})),
        ("REMOVE items1[0], items1[1], items1[7]", "/items1", json!({"L": []})),
        ("REMOVE nothing", "/nothing", Json::Null),
        ("ADD n :1", "/n", json!({"N": "6"})),
        ("ADD fresh :1", "/fresh", json!({"N": "1"})),
        ("ADD tags :tags", "/tags", json!({"SS": ["a", "b", "c"]})),
        ("DELETE tags :tags", "/tags", json!({"SS": ["a"]})),
        ("DELETE tags :all", "/tags", Json::Null),
        ("DELETE nothing :all", "/nothing", Json::Null),
        ("SET a1 = :x REMOVE n ADD b1 :1 DELETE tags :tags", "/n", Json::Null),
    ] {
        let item = updated(update, values.clone());
        let found = item.map(|item| item.pointer(path).cloned().unwrap_or_default());
        assert_eq!(found, Ok(expected), "{update}");
    }
}

#[test]
fn what_is_no_update_is_refused_in_dynamodbs_words() {
    let values = json!({":1": {"N": "1"}, ":x": {"S": "x"}, ":tags": {"SS": ["b"]}});
    for (update, why) in [
        ("n = :1", "Syntax error; token: \"n\", near: \"n =\""),
        ("SET n = :1 + :1 + :1", "Syntax error; token: \"+\", near: \":1 + :1\""),
        (
            "SET n = :1 SET c = :1",
            "The \"SET\" section can only be used once in an update expression;",
        ),
        (
            "SET n = :1, n = :x",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]",
        ),
        (
            "SET deep.a = :1 REMOVE deep",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [deep, a], path two: [deep]",
        ),
        (
            "SET deep.a = :1, deep[0] = :1",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [deep, a], path two: [deep, [0]]",
        ),
        (
            "SET n = absent",
            "The provided expression refers to an attribute that does not exist in the item",
        ),
        ("SET n = id + :1", "An operand in the update expression has an incorrect data type"),
        (
            "SET n = n + :x",
            "Incorrect operand type for operator or function; operator or function: +, operand type: S",
        ),
        (
            "ADD n :x",
            "Incorrect operand type for operator or function; operator: ADD, operand type: STRING",
        ),
        ("ADD n :tags", "An operand in the update expression has an incorrect data type"),
        (
            "SET absent.a = :1",
            "The document path provided in the update expression is invalid for update",
        ),
        (
            "SET id.a = :1",
            "The document path provided in the update expression is invalid for update",
        ),
        (
            "SET a1 = size(id)",
            "The function is not allowed in an update expression; function: size",
        ),
        (
            "SET a1 = if_not_exists(:1, :1)",
            "Operator or function requires a document path; operator or function: if_not_exists",
        ),
    ] {
        assert_eq!(updated(update, values.clone()), Err(why.to_owned()), "{update}");
    }
}

#[tokio::test]
async fn placeholders_that_nothing_uses_are_refused() {
    let db = with_item(json!({"n": {"N": "5"}})).await;
    let update = json!({"TableName": "T", "Key": {"id": {"S": "1"}}, "UpdateExpression": "SET n = :1",
        "ExpressionAttributeValues": {":1": {"N": "1"}, ":2": {"N": "1"}}});
    let (error, cause) = refused(&db, "updateItem", update).await;
    assert_eq!(error, "DynamoDb.DynamoDbException");
    assert_eq!(
        cause,
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:2}"
    );
    assert_eq!(item(&db).await["n"], json!({"N": "5"}));
}

proptest! {
    #[test]
    fn whatever_is_given_as_an_expression_is_read_or_refused(
        words in proptest::collection::vec(
            prop_oneof![
                Just("id"), Just("n"), Just("="), Just("<"), Just("<>"), Just("("), Just(")"), Just(","),
                Just("AND"), Just("OR"), Just("NOT"), Just("BETWEEN"), Just("IN"), Just(":1"), Just("#n"),
                Just("size"), Just("contains"), Just("attribute_exists"), Just("SET"), Just("REMOVE"),
                Just("ADD"), Just("DELETE"), Just("+"), Just("-"), Just("."), Just("["), Just("]"), Just("0"),
                Just("99999999999999999999"), Just("list_append"), Just("if_not_exists"), Just("é"), Just("\u{0}"),
            ],
            0..40,
        ),
        gap in prop_oneof![Just(" "), Just("")],
    ) {
        let source = words.join(gap);
        let (names, values) = (json!({"#n": "name"}), json!({":1": {"N": "1"}}));
        let placeholders = || Placeholders::parse(Some(&names), Some(&values)).unwrap();
        let item = parse_item(&thing()).unwrap();
        if let Ok(condition) = Condition::parse(&source, &mut placeholders()) {
            condition.holds(&item);
        }
        if let Ok(update) = Update::parse(&source, &mut placeholders()) {
            let _ = update.apply(&item);
        }
    }

    #[test]
    fn whatever_text_is_given_as_an_expression_is_read_or_refused(source in ".{0,80}") {
        let mut placeholders = Placeholders::default();
        let _ = Condition::parse(&source, &mut placeholders);
        let _ = Update::parse(&source, &mut placeholders);
    }
}
