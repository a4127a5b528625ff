mod integrations;
mod mistaken;
mod queries;
mod structure;
mod substitutions;

use super::*;
use serde_json::{Value, json};

fn problems(document: &Value) -> Vec<(String, String)> {
    let text = serde_json::to_string_pretty(document).unwrap();
    let found = Machine::validate(&text);
    found.into_iter().map(|one| (one.code.as_str().to_owned(), one.path)).collect()
}

/// A machine of one state `S`, with `End` where the type can have it.
fn one(mut state: Value) -> Value {
    let ends = !["Succeed", "Fail", "Choice"].contains(&state["Type"].as_str().unwrap_or_default());
    if ends && state.get("Next").is_none() && state.get("End").is_none() {
        state["End"] = json!(true);
    }
    json!({ "StartAt": "S", "States": { "S": state } })
}

#[track_caller]
fn has(document: &Value, code: &str, path: &str) {
    let found = problems(document);
    assert!(
        found.contains(&(code.to_owned(), path.to_owned())),
        "no {code} at {path} among {found:#?}"
    );
}

#[track_caller]
fn fine(document: &Value) {
    assert_eq!(problems(document), []);
}

#[track_caller]
fn suspicious(document: &Value, path: &str) {
    assert_eq!(problems(document), [("SUSPICIOUS".to_owned(), path.to_owned())]);
}

const SCHEMA: &str = "SCHEMA_VALIDATION_FAILED";

#[test]
fn a_text_that_is_not_json_is_told_with_its_place() {
    let problems = Machine::load("{\n  \"StartAt\": }").unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].line, problems[0].column), (2, 14));
    assert_eq!(problems[0].code, Code::InvalidJsonDescription);
    assert_eq!(Machine::load("[]").unwrap_err()[0].code, Code::InvalidJsonDescription);
    assert!(Machine::load(&"[".repeat(100_000)).is_err());
}

#[test]
fn every_mistake_is_reported_with_line_and_column_and_not_only_the_first() {
    let text = r#"{
  "StartAt": "Frist",
  "States": {
    "First": { "Type": "Pass", "Next": "Secnd" },
    "Second": { "Type": "Tsk", "End": true },
    "Third": { "Type": "Succeed", "Color": 1 }
  }
}"#;
    let problems = Machine::load(text).unwrap_err();
    let shown: Vec<(usize, usize, &str)> =
        problems.iter().map(|one| (one.line, one.column, one.path.as_str())).collect();
    assert_eq!(
        shown,
        [
            (2, 14, "/StartAt"),
            (4, 40, "/States/First/Next"),
            (5, 25, "/States/Second/Type"),
            (6, 44, "/States/Third/Color"),
        ]
    );
    assert_eq!(problems[0].suggestion.as_deref(), Some("did you mean 'First'?"));
    assert_eq!(problems[1].suggestion.as_deref(), Some("did you mean 'Second'?"));
    assert_eq!(problems[2].suggestion.as_deref(), Some("did you mean 'Task'?"));
}

#[test]
fn what_a_document_must_have_is_missed() {
    has(&json!({}), SCHEMA, "");
    assert_eq!(problems(&json!({})).len(), 2);
    has(&json!({ "StartAt": "S", "States": {} }), SCHEMA, "/States");
    has(&one(json!({})), SCHEMA, "/States/S");
    for kind in ["Task", "Choice", "Wait", "Parallel", "Map"] {
        has(&one(json!({ "Type": kind })), SCHEMA, "/States/S");
    }
}

#[test]
fn transitions_must_lead_somewhere_and_be_one() {
    let both = json!({ "Type": "Pass", "Next": "S", "End": true });
    has(&json!({ "StartAt": "S", "States": { "S": both } }), SCHEMA, "/States/S/End");
    let none = json!({ "StartAt": "S", "States": { "S": { "Type": "Pass" } } });
    has(&none, SCHEMA, "/States/S");
    let unreachable = json!({ "StartAt": "A", "States": {
        "A": { "Type": "Succeed" }, "B": { "Type": "Pass", "Next": "A" } } });
    has(&unreachable, "UNREACHABLE_STATE", "/States/B");
    let end = json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "Next": "A" } } });
    has(&end, "MISSING_END_STATE", "/States");
    assert!(Machine::load(&end.to_string()).is_ok(), "it ends with its history");
    has(&one(json!({ "Type": "Succeed", "Next": "S" })), SCHEMA, "/States/S/Next");
}

#[test]
fn fields_of_the_other_query_language_are_refused() {
    let query = |mut state: Value| {
        state["QueryLanguage"] = json!("JSONata");
        one(state)
    };
    has(&one(json!({ "Type": "Pass", "Output": {} })), SCHEMA, "/States/S/Output");
    has(&query(json!({ "Type": "Pass", "InputPath": "$" })), SCHEMA, "/States/S/InputPath");
    has(&query(json!({ "Type": "Pass", "Result": 1 })), SCHEMA, "/States/S/Result");
    let choice = json!({ "Type": "Choice",
        "Choices": [{ "Variable": "$.a", "IsPresent": true, "Next": "S" }] });
    has(&query(choice), SCHEMA, "/States/S/Choices/0/Variable");
    let mixed = json!({ "QueryLanguage": "JSONata", "StartAt": "S", "States": {
        "S": { "Type": "Pass", "QueryLanguage": "JSONPath", "End": true } } });
    has(&mixed, SCHEMA, "/States/S/QueryLanguage");
}

#[test]
fn expressions_that_cannot_be_read_are_told_where_they_stand() {
    has(&one(json!({ "Type": "Pass", "InputPath": "x" })), "INVALID_PATH", "/States/S/InputPath");
    let parameters = json!({ "Type": "Pass", "Parameters": { "a": { "b.$": "$.a[" } } });
    assert!(
        problems(&one(parameters))
            .iter()
            .any(|(code, path)| code == "INVALID_PATH"
                && path.starts_with("/States/S/Parameters/a/b"))
    );
    let output =
        json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Output": { "a": ["{% 1 + %}"] } });
    assert!(problems(&one(output)).iter().any(|(code, path)| code == "INVALID_JSONATA"
        && path.starts_with("/States/S/Output/a")));
    has(
        &one(json!({ "Type": "Pass", "ResultPath": "$.a[*]" })),
        "INVALID_PATH",
        "/States/S/ResultPath",
    );
}

#[test]
fn choice_rules_are_checked() {
    let choice = |rule: Value| {
        json!({ "StartAt": "S", "States": {
            "S": { "Type": "Choice", "Choices": [rule] }, "T": { "Type": "Succeed" } } })
    };
    let at = "/States/S/Choices/0";
    fine(&choice(json!({ "Variable": "$.a", "StringEquals": "b", "Next": "T" })));
    has(&choice(json!({ "Variable": "$.a", "Next": "T" })), SCHEMA, at);
    has(&choice(json!({ "StringEquals": "b", "Next": "T" })), SCHEMA, at);
    has(
        &choice(json!({ "Variable": "$.a", "StringEqual": "b", "Next": "T" })),
        SCHEMA,
        "/States/S/Choices/0/StringEqual",
    );
    has(
        &choice(json!({ "Variable": "$.a", "NumericEquals": "1", "Next": "T" })),
        SCHEMA,
        "/States/S/Choices/0/NumericEquals",
    );
    has(
        &choice(json!({ "Not": { "Variable": "$.a", "IsNull": true, "Next": "T" }, "Next": "T" })),
        SCHEMA,
        "/States/S/Choices/0/Not/Next",
    );
    has(&choice(json!({ "And": [], "Next": "T" })), SCHEMA, "/States/S/Choices/0/And");
}

#[test]
fn retry_and_catch_are_checked() {
    let task = |extra: Value| {
        let mut state = json!({ "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage" });
        state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        one(state)
    };
    let rules = "INVALID_ERROR_HANDLING";
    fine(&task(json!({ "Retry": [{ "ErrorEquals": ["States.ALL"], "IntervalSeconds": 0 }] })));
    let retry = |extra: Value| {
        let mut one = json!({ "ErrorEquals": ["A"] });
        one.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        task(json!({ "Retry": [one] }))
    };
    has(&retry(json!({ "BackoffRate": 0.5 })), SCHEMA, "/States/S/Retry/0/BackoffRate");
    has(&retry(json!({ "MaxAttempts": -1 })), SCHEMA, "/States/S/Retry/0/MaxAttempts");
    has(&retry(json!({ "JitterStrategy": "SOME" })), SCHEMA, "/States/S/Retry/0/JitterStrategy");
    has(
        &retry(json!({ "MaxDelaySeconds": 1, "IntervalSeconds": 5 })),
        SCHEMA,
        "/States/S/Retry/0/MaxDelaySeconds",
    );
    let catch = |errors: [&[&str]; 2]| {
        let catchers: Vec<Value> =
            errors.iter().map(|names| json!({ "ErrorEquals": names, "Next": "S" })).collect();
        task(json!({ "Catch": catchers }))
    };
    has(&catch([&["States.ALL"], &["A"]]), rules, "/States/S/Catch/0/ErrorEquals");
    has(&catch([&["A"], &["States.ALL", "B"]]), rules, "/States/S/Catch/1/ErrorEquals");
    has(&catch([&[], &["B"]]), SCHEMA, "/States/S/Catch/0/ErrorEquals");
    has(&catch([&["States.Timeut"], &["B"]]), "SUSPICIOUS", "/States/S/Catch/0/ErrorEquals");
    has(
        &task(json!({ "TimeoutSeconds": 5, "HeartbeatSeconds": 5 })),
        SCHEMA,
        "/States/S/HeartbeatSeconds",
    );
    has(&task(json!({ "TimeoutSeconds": 0 })), SCHEMA, "/States/S/TimeoutSeconds");
}

#[test]
fn names_are_unique_over_all_nested_machines() {
    let branch = json!({ "StartAt": "A", "States": { "A": { "Type": "Succeed" } } });
    let document = one(json!({ "Type": "Parallel", "Branches": [branch, branch] }));
    has(&document, "DUPLICATE_STATE_NAME", "/States/S/Branches/1/States/A");
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"},"A":{"Type":"Succeed"}}}"#;
    assert_eq!(Machine::load(text).unwrap_err()[0].code, Code::DuplicateKey);
    let long = "x".repeat(81);
    let document = json!({ "StartAt": long, "States": { long.as_str(): { "Type": "Succeed" } } });
    has(&document, SCHEMA, &format!("/States/{long}"));
}

#[test]
fn variables_have_names_and_scopes() {
    let code = "INVALID_VARIABLE";
    has(&one(json!({ "Type": "Pass", "Assign": { "1a": 1 } })), code, "/States/S/Assign/1a");
    has(
        &one(json!({ "Type": "Pass", "Assign": { "states": 1 } })),
        code,
        "/States/S/Assign/states",
    );
    let nested = |mode: Value| {
        let inner = json!({ "Type": "Pass", "End": true, "Assign": { "x": 1 } });
        json!({ "StartAt": "M", "States": {
            "M": { "Type": "Map", "Assign": { "x": 2 }, "End": true, "ItemProcessor": {
                "ProcessorConfig": mode, "StartAt": "I", "States": { "I": inner } } } } })
    };
    has(&nested(json!({ "Mode": "INLINE" })), code, "/States/M/ItemProcessor/States/I/Assign/x");
    fine(&nested(json!({ "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" })));
}

#[test]
fn a_rule_or_a_state_that_cannot_be_read_hides_no_other_state() {
    let told = |document: &Value| -> Vec<String> {
        Machine::load(&document.to_string()).unwrap_err().into_iter().map(|p| p.path).collect()
    };
    let end = json!({ "Type": "Succeed" });
    let rule = json!({ "Variable": "$.a", "StringEquls": "x", "Next": "Y" });
    let choice = json!({ "Type": "Choice", "Choices": [rule] });
    let document = json!({ "StartAt": "S", "States": { "S": choice, "Y": end } });
    assert_eq!(told(&document), ["/States/S/Choices/0/StringEquls"]);
    let unknown = json!({ "Type": "Chois", "Choices": [rule] });
    let document = json!({ "StartAt": "S", "States": { "S": unknown, "Y": end } });
    assert_eq!(told(&document), ["/States/S/Type"]);
}

#[test]
fn integrations_that_aws_does_not_have_are_told() {
    let task = |resource: &str, parameters: Value| {
        one(json!({ "Type": "Task", "Resource": resource, "Parameters": parameters }))
    };
    let at = "/States/S/Resource";
    for wrong in [
        "arn:aws:states:::sqs:sendMesage",
        "arn:aws:states:::sqs:sendMessage.sync",
        "arn:aws:states:::dynamodb:query",
        "arn:aws:states:::http:invoke.waitForTaskToken",
        "arn:aws:states:::aws-sdk:s3:getObject.sync",
    ] {
        has(&task(wrong, json!({})), "INVALID_RESOURCE", at);
    }
    fine(&task("arn:aws:states:::states:startExecution.sync:2", json!({})));
    fine(&task("arn:aws:states:::aws-sdk:s3:getObject", json!({})));
    fine(&task("arn:aws:states:::glue:startJobRun.sync", json!({})));
    suspicious(&task("arn:aws:states:::sqss:sendMessage", json!({})), at);
    let wait = "arn:aws:states:::sqs:sendMessage.waitForTaskToken";
    suspicious(&task(wait, json!({ "MessageBody": "m" })), at);
    fine(&task(wait, json!({ "MessageBody.$": "$$.Task.Token" })));
    fine(&task(wait, json!({ "MessageBody.$": "$.whole" })));
}

#[test]
fn variables_that_are_assigned_nowhere_are_told() {
    let inner =
        json!({ "Type": "Pass", "End": true, "Parameters": { "a.$": "$known", "b.$": "$knwon" } });
    let outer =
        json!({ "Type": "Pass", "Assign": { "known": 1 }, "Next": "P", "OutputPath": "$typo" });
    let branches = json!([{ "StartAt": "B", "States": { "B": inner } }]);
    let parallel = json!({ "Type": "Parallel", "Branches": branches, "End": true });
    let document = json!({ "StartAt": "A", "States": { "A": outer, "P": parallel } });
    let machine = Machine::load(&document.to_string()).unwrap();
    let told: Vec<_> = machine
        .warnings()
        .iter()
        .map(|one| (&*one.path, &**one.suggestion.as_ref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("/States/A/OutputPath", "did you mean '$.typo'?"),
            ("/States/P/Branches/0/States/B/Parameters", "did you mean '$known'?"),
        ]
    );
    let query =
        |output: &str| one(json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Output": output }));
    suspicious(&query("{% $nope.a %}"), "/States/S/Output");
    fine(&query("{% $states.input.a %}"));
    fine(&query("{% ($x := 1; $x) %}"));
    fine(&query("{% $sum($states.input.a) %}"));
}

#[test]
fn what_an_express_workflow_cannot_have_is_known() {
    let unfit = |state: Value| -> Vec<String> {
        let machine = Machine::load(&one(state).to_string()).unwrap();
        machine.express_problems().iter().map(|problem| problem.path.clone()).collect()
    };
    for resource in [
        "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "arn:aws:states:::states:startExecution.sync",
        "arn:aws:states:us-east-1:1:activity:a",
    ] {
        let task = json!({ "Type": "Task", "Resource": resource });
        assert_eq!(unfit(task), ["/States/S/Resource"], "{resource}");
    }
    let processor = json!({ "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS" },
        "StartAt": "I", "States": { "I": { "Type": "Succeed" } } });
    assert_eq!(unfit(json!({ "Type": "Map", "ItemProcessor": processor })), ["/States/S"]);
    let task = json!({ "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage" });
    assert!(unfit(task).is_empty());
}

#[test]
fn expressions_of_the_other_query_language_are_told() {
    let pass = |more: Value| {
        let mut state = json!({ "Type": "Pass" });
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one(state)
    };
    let parameters = json!({ "Parameters": { "a": [{ "b/c": "{% 1 %}" }] } });
    suspicious(&pass(parameters), "/States/S/Parameters/a/0/b~1c");
    let jsonata = json!({ "QueryLanguage": "JSONata", "Output": { "a.$": "$.x" } });
    suspicious(&pass(jsonata), "/States/S/Output/a.$");
    fine(&pass(json!({ "QueryLanguage": "JSONata", "Output": { "price.$": "5" } })));
    has(&pass(json!({ "ResultPath": "$$.a" })), "INVALID_PATH", "/States/S/ResultPath");
}

#[test]
fn maps_are_checked() {
    let map = |extra: Value| {
        let mut state = json!({ "Type": "Map", "ItemProcessor": {
            "StartAt": "I", "States": { "I": { "Type": "Succeed" } } } });
        state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        one(state)
    };
    fine(&map(json!({})));
    fine(&map(json!({ "MaxConcurrency": 9_000_000_000_000_000_000_u64 })));
    has(&map(json!({ "MaxConcurrency": -1 })), SCHEMA, "/States/S/MaxConcurrency");
    has(
        &map(json!({ "MaxConcurrency": 1, "MaxConcurrencyPath": "$" })),
        SCHEMA,
        "/States/S/MaxConcurrencyPath",
    );
    has(&map(json!({ "Iterator": {} })), SCHEMA, "/States/S/Iterator");
    has(&map(json!({ "ItemReader": {} })), SCHEMA, "/States/S/ItemReader");
    let processor = json!({ "ProcessorConfig": { "Mode": "DISTRIBUTED" }, "StartAt": "I",
        "States": { "I": { "Type": "Succeed" } } });
    has(
        &map(json!({ "ItemProcessor": processor })),
        SCHEMA,
        "/States/S/ItemProcessor/ProcessorConfig",
    );
}

#[test]
fn resources_are_read_into_their_parts() {
    let sqs = Resource::parse("arn:aws:states:::sqs:sendMessage.waitForTaskToken").unwrap();
    assert_eq!(
        (sqs.resource_type(), sqs.resource_name(), sqs.pattern()),
        ("sqs", "sendMessage.waitForTaskToken", Pattern::WaitForTaskToken)
    );
    let sync = Resource::parse("arn:aws:states:::states:startExecution.sync:2").unwrap();
    assert_eq!((sync.resource_name(), sync.pattern()), ("startExecution.sync:2", Pattern::Sync2));
    let sdk = Resource::parse("arn:aws:states:::aws-sdk:scheduler:createSchedule").unwrap();
    assert_eq!((sdk.resource_type(), sdk.resource_name()), ("aws-sdk:scheduler", "createSchedule"));
    let lambda = Resource::parse("arn:aws-us-gov:lambda:r:1:function:f:$LATEST").unwrap();
    assert!(matches!(lambda, Resource::Lambda { .. }));
    assert!(matches!(
        Resource::parse("arn:aws:states:r:1:activity:a"),
        Ok(Resource::Activity { .. })
    ));
    for wrong in [
        "",
        "lambda",
        "arn:aws:s3:::bucket",
        "arn:aws:states:::sqs",
        "arn:aws:states:::",
        "arn:aws:states:::sqs:send.later",
        "arn:aws:states:::aws-sdk:s3",
    ] {
        assert!(Resource::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn nesting_is_bounded() {
    let mut inner = json!({ "StartAt": "N0", "States": { "N0": { "Type": "Succeed" } } });
    for level in 1..40 {
        let name = format!("N{level}");
        inner = json!({ "StartAt": name, "States": {
            name.as_str(): { "Type": "Parallel", "Branches": [inner], "End": true } } });
    }
    assert!(Machine::load(&inner.to_string()).is_err());
}

#[test]
fn the_sample_workflow_of_aws_loads() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = "shared/data/aws-sample/definition.asl.json";
    let Some(file) = here.ancestors().map(|at| at.join(name)).find(|file| file.is_file()) else {
        println!("no sample beside the project; nothing was loaded");
        return;
    };
    let machine = Machine::load(&std::fs::read_to_string(file).unwrap()).unwrap();
    let states: usize = machine.flows.iter().map(|flow| flow.states.len()).sum();
    assert_eq!(states, 41);
    assert_eq!(machine.resources().len(), 4);
}

/// As many states as there may be: each is looked at a few times, and not once for each other one.
#[test]
fn the_longest_chain_is_loaded_and_its_dead_end_told() {
    let count = crate::limits::STATES;
    let name = |number: usize| format!("S{number}");
    let mut states: serde_json::Map<String, Value> = (0..count - 2)
        .map(|number| (name(number), json!({ "Type": "Pass", "Next": name(number + 1) })))
        .collect();
    let choice = json!({ "Type": "Choice", "Default": "Z", "Choices": [
        { "Variable": "$.x", "IsNull": true, "Next": "Loop" }] });
    states.insert(name(count - 2), choice);
    states.insert("Z".to_owned(), json!({ "Type": "Succeed" }));
    states.remove(&name(0));
    states.insert("Loop".to_owned(), json!({ "Type": "Pass", "Next": "Loop" }));
    let found = problems(&json!({ "StartAt": "S1", "States": states }));
    assert_eq!(found, [("MISSING_END_STATE".to_owned(), "/States/Loop".to_owned())]);
}
