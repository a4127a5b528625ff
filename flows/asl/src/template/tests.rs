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

/// How `template` comes out, where every path leads to 0.
fn written(template: &Value) -> String {
    evaluate(template, &json!({"a": 0})).unwrap().to_string()
}

#[test]
fn plain_members_come_first_as_they_stand_and_computed_ones_in_javas_order() {
    // tiny-asl-machine, Feature.Parameters 003 and 001, Task.State 002: the names are its.
    assert_eq!(
        written(&json!({"payload.$": "$.a", "requestId.$": "$.a", "original.$": "$.a",
            "metadata": {"source": 1}})),
        r#"{"metadata":{"source":1},"original":0,"payload":0,"requestId":0}"#
    );
    assert_eq!(
        written(&json!({"request": {"customerId.$": "$.a", "sku.$": "$.a", "quantity.$": "$.a"},
            "item": {"sku.$": "$.a", "quantity.$": "$.a"}, "priority": 1, "expedite.$": "$.a"})),
        r#"{"request":{"quantity":0,"customerId":0,"sku":0},"item":{"quantity":0,"sku":0},"priority":1,"expedite":0}"#
    );
    // In a list and below a plain member too; a template without a computed member is as it stands.
    assert_eq!(
        written(&json!([{"index.$": "$.a", "value.$": "$.a", "executionInput.$": "$.a"}])),
        r#"[{"executionInput":0,"index":0,"value":0}]"#
    );
    assert_eq!(written(&json!({"z": 1, "m": {"y": 2, "b": 3}})), r#"{"z":1,"m":{"y":2,"b":3}}"#);
}

#[test]
fn the_table_of_computed_members_doubles_when_it_holds_more_than_twelve() {
    // LocalStack, `test_query_context_object_values`: 13 members, none in its place.
    let names = "context_object execution execution_id execution_input execution_name \
        execution_rolearn execution_starttime state state_enteredtime state_name statemachine \
        statemachine_id statemachine_name";
    let members = names.split_whitespace().map(|name| (format!("{name}.$"), json!("$.a")));
    let value = evaluate(&Value::Object(members.collect()), &json!({"a": 0})).unwrap();
    let order: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        order.join(" "),
        "execution execution_rolearn execution_name statemachine_id execution_id execution_input \
         execution_starttime state_name state_enteredtime statemachine state context_object \
         statemachine_name"
    );
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
