//! What is checked of the single types of states.

use super::*;

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
    let (taken, not) = ("$.most", "$$.Execution.Input.most");
    fine(&map(json!({ "MaxConcurrencyPath": taken, "ItemsPath": not })));
    for field in
        ["MaxConcurrencyPath", "ToleratedFailureCountPath", "ToleratedFailurePercentagePath"]
    {
        for path in [not, "States.ArrayLength($.a)", "$.a[*]", "$.a.length()"] {
            let map = map(json!({ field: path }));
            has(&map, "INVALID_PATH", &format!("/States/S/{field}"));
            // Not so always, so that published ones go on.
            assert!(Machine::load_published(&map.to_string(), Inherited::FromState).is_ok());
        }
        let told = problems(&map(json!({ field: "$.a[0].b" })));
        assert!(told.iter().all(|(code, _)| code != "INVALID_PATH"), "{told:?}");
    }
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
fn a_call_in_the_place_of_a_reference_path_is_told() {
    let call = "States.MathAdd($.a, 1)";
    let wait = |path: &str| one(json!({ "Type": "Wait", "SecondsPath": path }));
    has(&wait(call), "SUSPICIOUS", "/States/S/SecondsPath");
    fine(&wait("$.a"));
    let fail = json!({ "Type": "Fail", "Error": "E", "CausePath": "States.Format('{}', $.a)" });
    fine(&one(fail));
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
