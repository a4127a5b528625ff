use super::*;

fn problem_of(resource: &str) -> Option<(Severity, String, Option<String>)> {
    let task = json!({ "Type": "Task", "Resource": format!("arn:aws:states:::aws-sdk:{resource}"),
        "End": true });
    let text = json!({ "StartAt": "A", "States": { "A": task } }).to_string();
    assert!(Machine::load_published(&text, Inherited::FromState).is_ok(), "{resource}");
    let problem = Machine::validate(&text).into_iter().next()?;
    assert_eq!(problem.path, "/States/A/Resource");
    Some((problem.severity, problem.message, problem.suggestion))
}

#[test]
fn services_of_aws_sdk_are_in_lower_case_and_their_actions_in_camel_case() {
    for (resource, severity, wrong, meant) in [
        ("dynamodb:GetItem", Severity::Error, "camel case", "did you mean 'getItem'?"),
        ("dynamoDb:getItem", Severity::Error, "lower case", "did you mean 'dynamodb'?"),
        ("dynamodb:getitem", Severity::Warning, "no action 'getitem'", "did you mean 'getItem'?"),
        (
            "scheduler:createShedule",
            Severity::Warning,
            "no action",
            "did you mean 'createSchedule'?",
        ),
        (
            "shceduler:createSchedule",
            Severity::Warning,
            "not a service",
            "did you mean 'scheduler'?",
        ),
        ("stepfunctions:startExecution", Severity::Warning, "not a service", "did you mean 'sfn'?"),
    ] {
        let (told, message, suggestion) = problem_of(resource).expect(resource);
        assert_eq!((told, suggestion.as_deref()), (severity, Some(meant)), "{message}");
        assert!(message.contains(wrong), "{message}");
    }
    for resource in
        ["dynamodb:getItem", "sfn:startExecution", "sesv2:sendEmail", "rds:createDBCluster"]
    {
        assert_eq!(problem_of(resource), None, "{resource}");
    }
}

#[test]
fn what_was_probably_meant_is_said_once() {
    let pass = json!({ "Type": "Pass", "InputPath": "x.y", "Next": "B" });
    let query = json!({ "Type": "Pass", "QueryLanguage": "JSONata",
        "Output": "{% $state.input %}", "End": true });
    let text = json!({ "StartAt": "A", "States": { "A": pass, "B": query } }).to_string();
    let problems = Machine::validate(&text);
    let told: Vec<_> =
        problems.iter().map(|one| (&*one.message, one.suggestion.as_deref())).collect();
    let wanted = [
        ("'x.y': a path begins with `$` (at character 1).", Some("did you mean `$.x.y`?")),
        ("Variable '$state' is assigned nowhere.", Some("did you mean '$states'?")),
    ];
    assert!(wanted.iter().all(|one| told.contains(one)), "{told:?}");
    let marked = format!("\u{feff}{text}");
    assert!(Machine::validate(&marked)[0].message.contains("byte order mark"));
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
    let started = json!({ "StateMachineArn": "m" });
    fine(&task("arn:aws:states:::states:startExecution.sync:2", started));
    fine(&task("arn:aws:states:::aws-sdk:s3:getObject", json!({})));
    fine(&task("arn:aws:states:::glue:startJobRun.sync", json!({})));
    suspicious(&task("arn:aws:states:::sqss:sendMessage", json!({})), at);
    let wait = "arn:aws:states:::sqs:sendMessage.waitForTaskToken";
    suspicious(&task(wait, json!({ "QueueUrl": "q", "MessageBody": "m" })), at);
    for body in ["$$.Task.Token", "$.whole"] {
        fine(&task(wait, json!({ "QueueUrl": "q", "MessageBody.$": body })));
    }
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

/// What is said of a task with these parameters: where, and what was probably meant.
fn told_of(resource: &str, parameters: Value) -> Vec<(String, Option<String>)> {
    let task = json!({ "Type": "Task", "Resource": format!("arn:aws:states:::{resource}"),
        "Parameters": parameters });
    let problems = Machine::validate(&super::one(task).to_string());
    assert!(problems.iter().all(|one| one.severity == Severity::Warning), "{problems:?}");
    let place = |path: &str| path.trim_start_matches("/States/S/Parameters").to_owned();
    problems.into_iter().map(|one| (place(&one.path), one.suggestion)).collect()
}

#[test]
fn parameters_that_an_integration_does_not_take_or_misses_are_told() {
    let meant = |name: &str| Some(format!("did you mean '{name}'?"));
    let queue = json!({ "QueueUrl.$": "$.q", "MesageBody": "x" });
    let told = told_of("sqs:sendMessage", queue);
    assert_eq!(told, [("".into(), None), ("/MesageBody".into(), meant("MessageBody"))]);
    let message = json!({ "QueueUrl.$": "$.q", "MessageBody.$": "$", "DelaySeconds": 5 });
    assert_eq!(told_of("sqs:sendMessage", message), []);
    let token = json!({ "FunctionName": "f", "TaskToken.$": "$$.Task.Token" });
    let told = told_of("lambda:invoke.waitForTaskToken", token);
    assert_eq!(told[0].0, "/TaskToken.$");
    assert!(told[0].1.as_deref().is_some_and(|todo| todo.contains("hands on")));
    let small = json!({ "jobName": "x", "JobQueue": "q" });
    assert_eq!(told_of("aws-sdk:batch:submitJob", small), [("/jobName".into(), meant("JobName"))]);
    assert_eq!(told_of("glue:startJobRun", json!({ "what": 1 })), []);
    assert_eq!(told_of("dynamodb:getItem", json!({ "TableName": "T" })), [("".into(), None)]);
}

#[test]
fn what_an_express_workflow_cannot_do_is_told_of_express_children_of_a_map() {
    let map = |kind: &str| {
        let wait = json!({ "Type": "Task", "End": true,
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": { "FunctionName": "f", "Payload": { "t.$": "$$.Task.Token" } } });
        super::one(json!({ "Type": "Map", "ItemProcessor": {
            "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": kind },
            "StartAt": "W", "States": { "W": wait } } }))
    };
    suspicious_schema(&map("EXPRESS"), "/States/S/ItemProcessor/States/W/Resource");
    fine(&map("STANDARD"));
}

#[test]
fn what_stands_before_a_map_within_a_map_is_told_too_and_nothing_twice() {
    let wait = |end: &str| {
        let mut wait = json!({ "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": { "FunctionName": "f", "Payload": { "t.$": "$$.Task.Token" } } });
        match end {
            "" => wait["End"] = json!(true),
            next => wait["Next"] = json!(next),
        }
        wait
    };
    let children = |states: Value, start: &str| {
        json!({ "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS" },
            "StartAt": start, "States": states })
    };
    let inner = json!({ "Type": "Map", "Next": "C", "ItemProcessor": children(json!({ "B": wait("") }), "B") });
    let outer = children(json!({ "A": wait("M"), "M": inner, "C": wait("") }), "A");
    let map = super::one(json!({ "Type": "Map", "ItemProcessor": outer }));
    let problems = Machine::validate(&map.to_string());
    let mut told: Vec<_> = problems.iter().map(|one| one.path.as_str()).collect();
    told.sort_unstable();
    let within = "/States/S/ItemProcessor/States";
    let wanted = ["A/Resource", "C/Resource", "M", "M/ItemProcessor/States/B/Resource"];
    assert_eq!(told, wanted.map(|place| format!("{within}/{place}")));
}

#[track_caller]
fn suspicious_schema(document: &Value, path: &str) {
    let problems = Machine::validate(&document.to_string());
    let told: Vec<_> = problems.iter().map(|one| (one.severity, one.path.as_str())).collect();
    assert_eq!(told, [(Severity::Warning, path)]);
}

#[test]
fn a_name_of_an_error_is_known_where_a_state_fails_with_it() {
    let caught = |name: &str| {
        json!({ "StartAt": "P", "States": { "P": { "Type": "Parallel", "End": true,
            "Branches": [{ "StartAt": "F", "States": { "F": { "Type": "Fail", "Error": name } } }],
            "Catch": [{ "ErrorEquals": ["States.Enough"], "Next": "Q" }] },
            "Q": { "Type": "Succeed" } } })
    };
    fine(&caught("States.Enough"));
    assert_eq!(problems(&caught("States.Other")).len(), 1);
    // An HTTP Task raises the status of the answer.
    let asked = |name: &str| {
        one(json!({ "Type": "Task", "Resource": "arn:aws:states:::http:invoke", "End": true,
            "Parameters": { "ApiEndpoint": "https://example.com", "Method": "GET",
                "Authentication": { "ConnectionArn": "arn:aws:events:us-east-1:123456789012:connection/c/1" } },
            "Retry": [{ "ErrorEquals": [name] }] }))
    };
    fine(&asked("States.Http.StatusCode.429"));
    for no_status in
        ["States.Http.StatusCode", "States.Http.StatusCode.4290", "States.Http.StatusCode.x"]
    {
        assert_eq!(problems(&asked(no_status)).len(), 1, "{no_status}");
    }
}

#[test]
fn an_item_is_put_and_deleted_without_an_update() {
    let told = |action: &str| -> Vec<String> {
        let mut given = json!({ "TableName": "t", "Key": {}, "UpdateExpression": "SET a = :a",
            "AttributeUpdates": {}, "ReturnValues": "NONE" });
        if action == "putItem" {
            given["Item"] = json!({});
            given.as_object_mut().unwrap().remove("Key");
        }
        let task = json!({ "Type": "Task", "End": true, "Parameters": given,
            "Resource": format!("arn:aws:states:::dynamodb:{action}") });
        let problems = Machine::validate(&one(task).to_string());
        assert!(problems.iter().all(|one| one.message.contains("States.Runtime")), "{problems:?}");
        problems.into_iter().map(|one| one.path).collect()
    };
    let both = ["/States/S/Parameters/UpdateExpression", "/States/S/Parameters/AttributeUpdates"];
    assert_eq!(told("putItem"), both);
    assert_eq!(told("deleteItem"), both);
    assert_eq!(told("updateItem"), [""; 0]);
}
