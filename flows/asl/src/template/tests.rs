use super::*;
use crate::scope::{Entropy, Variables};
use serde_json::json;

fn evaluate(template: &Value, input: &Value) -> Result<Value, Failure> {
    let context = json!({"Task": {"Token": "t0"}});
    let mut variables = Variables::new();
    variables.assign("QueueUrl", json!("q"));
    let entropy = Entropy::new(0);
    let scope = Scope {
        input,
        context: &context,
        variables: &variables,
        states: None,
        now: jiff::Timestamp::UNIX_EPOCH,
        entropy: &entropy,
    };
    Template::parse(template).unwrap().evaluate(&scope)
}

#[test]
fn names_that_end_in_dollar_are_evaluated_at_any_depth() {
    let template = json!({
        "QueueUrl.$": "$QueueUrl",
        "MessageBody": {"Actions": [{"Parameters": {"CallId.$": "$.id", "Text.$": "States.Format('to {}', $.name)"}}],
            "WaitToken.$": "$$.Task.Token", "Literal": "$.id", "List": ["$.id", 1]}
    });
    assert_eq!(
        evaluate(&template, &json!({"id": "c", "name": "n"})).unwrap(),
        json!({"QueueUrl": "q", "MessageBody": {
            "Actions": [{"Parameters": {"CallId": "c", "Text": "to n"}}],
            "WaitToken": "t0", "Literal": "$.id", "List": ["$.id", 1]}})
    );
}

#[test]
fn the_order_of_members_is_kept() {
    let value = evaluate(&json!({"z.$": "$.a", "a": 1, "m.$": "$.a"}), &json!({"a": 0})).unwrap();
    assert_eq!(value.to_string(), r#"{"z":0,"a":1,"m":0}"#);
}

#[test]
fn the_failure_names_the_member_alone() {
    let failure = evaluate(&json!({"a": {"b": {"c.$": "$.x"}}}), &json!({})).unwrap_err();
    assert_eq!(
        failure.cause,
        "The JSONPath '$.x' specified for the field 'c.$' could not be found in the input '{}'"
    );
}

#[test]
fn every_problem_is_told_with_its_place() {
    let template =
        json!({"a": [{"b.$": 1}], "c.$": "x.y", "d.$": "$.d", "d": 1, "e.$": "States.Nope()"});
    let problems = Template::parse(&template).unwrap_err();
    let places: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(places, ["/a[0]/b.$", "/c.$", "/d.$", "/e.$"]);
}

#[test]
fn a_payload_that_gets_too_deep_fails() {
    let mut deep = json!(1);
    for _ in 0..MOST_DEPTH {
        deep = json!([deep]);
    }
    assert!(evaluate(&json!({"a.$": "$"}), &deep).is_err());
    assert!(evaluate(&json!({"a.$": "$[0]"}), &deep).is_ok());
}
