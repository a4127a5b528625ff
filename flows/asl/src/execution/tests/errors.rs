use super::*;

fn caught(more: &Value) -> Value {
    states("T", &json!({ "T": task(more), "H": { "Type": "Pass", "End": true } }))
}

#[test]
fn retriers_count_for_themselves_and_wait_longer_each_time() {
    let document = caught(&json!({ "Retry": [
        { "ErrorEquals": ["A"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 3, "MaxDelaySeconds": 10 },
        { "ErrorEquals": ["States.ALL"], "MaxAttempts": 1 }],
        "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "H" }] }));
    let mut bench = Bench::new(&document, json!({}));
    for (call, wait) in [(0, 2), (1, 6), (2, 10)] {
        bench.fail(call, "A", "again");
        assert_eq!(bench.seconds_to_deadline(), Some(wait));
        bench.pass_seconds(wait - 1);
        assert_eq!(bench.calls.len(), call + 1, "not before the time");
        bench.pass_seconds(1);
    }
    bench.fail(3, "B", "other");
    assert_eq!(bench.seconds_to_deadline(), Some(1));
    bench.pass_seconds(1);
    bench.fail(4, "A", "last");
    assert_eq!(bench.output(), json!({ "Error": "A", "Cause": "last" }));
}

#[test]
fn the_retry_count_is_seen_and_full_jitter_shortens_the_wait() {
    let document = caught(&json!({ "Parameters": { "QueueUrl": "q",
        "MessageBody.$": "$$.State.RetryCount" }, "Retry": [
        { "ErrorEquals": ["States.ALL"], "IntervalSeconds": 1000, "JitterStrategy": "FULL" }],
        "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "H" }] }));
    let mut bench = Bench::new(&document, json!({}));
    bench.fail(0, "A", "");
    assert!(bench.seconds_to_deadline().unwrap() < 1000);
    bench.pass_seconds(1000);
    assert_eq!(bench.calls[1].arguments, json!({ "QueueUrl": "q", "MessageBody": 1 }));
}

#[test]
fn wildcards_leave_out_what_aws_leaves_out() {
    let catch = |name: &str| {
        caught(&json!({ "TimeoutSeconds": 5, "Catch": [{ "ErrorEquals": [name], "Next": "H" }] }))
    };
    let ends = |name: &str, error: &str| {
        let mut bench = Bench::new(&catch(name), json!({}));
        bench.fail(0, error, "c");
        bench.execution.status() == Status::Succeeded
    };
    assert!(ends("States.ALL", "Anything") && ends("States.TaskFailed", "Anything"));
    assert!(ends("States.ALL", "States.DataLimitExceeded"), "so it was recorded");
    assert!(!ends("States.ALL", "States.Runtime") && !ends("States.Runtime", "States.Runtime"));
    assert!(ends("States.DataLimitExceeded", "States.DataLimitExceeded"));
    for (name, taken) in [
        ("States.ALL", true),
        ("States.Timeout", true),
        ("States.TaskFailed", false),
        ("States.HeartbeatTimeout", false),
    ] {
        let mut bench = Bench::new(&catch(name), json!({}));
        bench.pass_seconds(5);
        assert_eq!(bench.execution.status() == Status::Succeeded, taken, "{name}");
        assert_eq!(bench.cancelled, [bench.calls[0].id]);
    }
}

#[test]
fn a_missed_heartbeat_is_a_timeout_with_a_name_of_its_own_for_catch() {
    let document = caught(&json!({ "TimeoutSeconds": 60, "HeartbeatSeconds": 5, "Catch": [
        { "ErrorEquals": ["States.HeartbeatTimeout"], "Next": "H" }] }));
    let mut bench = Bench::new(&document, json!({}));
    bench.pass_seconds(4);
    bench.tell(0, TaskEvent::Heartbeat);
    bench.pass_seconds(4);
    assert_eq!(bench.execution.status(), Status::Running);
    bench.pass_seconds(1);
    assert_eq!(bench.output(), json!({ "Error": "States.Timeout", "Cause": "" }));
}

#[test]
fn a_catcher_keeps_the_states_input_beside_the_error() {
    let document = caught(&json!({ "InputPath": "$.part", "Catch": [
        { "ErrorEquals": ["States.ALL"], "ResultPath": "$.Error", "Assign": { "e.$": "$.Error" }, "Next": "H" }] }));
    let mut bench = Bench::new(&document, json!({ "part": { "a": 1 } }));
    bench.fail(0, "HANGUP", "gone");
    let error = json!({ "Error": "HANGUP", "Cause": "gone" });
    assert_eq!(bench.output(), json!({ "part": { "a": 1 }, "Error": error }));
    let exited = serde_json::to_value(&bench.execution.history()[5]).unwrap();
    assert_eq!(
        exited["stateExitedEventDetails"]["assignedVariables"],
        json!({ "e": "\"HANGUP\"" })
    );
}

#[test]
fn a_failed_branch_ends_its_siblings_and_their_tasks() {
    let branch = |name: &str| json!({ "StartAt": name, "States": { name: task(&json!({})) } });
    let document = states(
        "P",
        &json!({ "P": { "Type": "Parallel", "Branches": [branch("A"), branch("B")],
        "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "H" }], "End": true },
        "H": { "Type": "Pass", "End": true } }),
    );
    let mut bench = Bench::new(&document, json!({}));
    let other = bench.calls[1].id;
    bench.fail(0, "Boom", "why");
    assert_eq!(bench.cancelled, [other]);
    assert_eq!(bench.output(), json!({ "Error": "Boom", "Cause": "why" }));
    let late = bench.execution.handle_task(other, TaskEvent::Heartbeat, bench.now);
    assert_eq!(late, Err(NoSuchTask(other)));
    assert!(bench.execution.core.tasks.is_empty());
}

#[test]
fn a_runtime_error_in_a_branch_ends_the_whole_execution() {
    let document = states(
        "P",
        &json!({ "P": { "Type": "Parallel", "End": true, "Branches": [
        { "StartAt": "F", "States": { "F": { "Type": "Pass", "Parameters": { "m.$": "$.nope" }, "End": true } } }],
        "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "H" }] }, "H": { "Type": "Succeed" } }),
    );
    let bench = Bench::new(&document, json!({ "x": "a" }));
    assert_eq!(bench.previous(), [0, 0, 2, 3, 4]);
    assert_eq!(bench.types()[4], EventType::ExecutionFailed);
    assert_eq!(
        bench.execution.cause(),
        Some(
            "An error occurred while executing the state 'F' (entered at the event id #4). The \
             JSONPath '$.nope' specified for the field 'm.$' could not be found in the input \
             '{\"x\":\"a\"}'"
        )
    );
}

#[test]
fn a_catcher_whose_output_fails_fails_the_state_a_second_time() {
    let document = json!({ "QueryLanguage": "JSONata", "StartAt": "P", "States": {
        "P": { "Type": "Parallel", "Branches": [{ "StartAt": "B", "States": {
            "B": { "Type": "Fail", "Error": "MyError", "Cause": "c" } } }], "End": true,
            "Catch": [{ "ErrorEquals": ["Other"], "Next": "D" }, { "ErrorEquals": ["States.ALL"],
                "Output": { "v": "{% $states.input.missing %}" }, "Next": "D" }] },
        "D": { "Type": "Succeed" } } });
    let bench = Bench::new(&document, json!({ "x": "a" }));
    use EventType::*;
    assert_eq!(
        bench.types()[4..],
        [ParallelStateFailed, EvaluationFailed, ParallelStateFailed, ExecutionFailed]
    );
    assert_eq!(bench.previous(), [0, 0, 2, 3, 4, 4, 6, 7]);
    assert!(bench.execution.cause().unwrap().contains("'Catch[1]/Output/v'"));
}

#[test]
fn a_result_that_is_too_long_fails_with_aws_words() {
    let catch = json!([{ "ErrorEquals": ["States.ALL"], "Next": "H" }]);
    let function = "arn:aws:lambda:us-east-1:1:function:f";
    for (resource, name) in [(SEND, "sqs"), (function, function)] {
        let document = caught(&json!({ "Resource": resource, "Catch": catch }));
        let mut bench = Bench::new(&document, json!({}));
        bench.succeed(0, json!("x".repeat(262_143)));
        let cause = format!(
            "The state/task '{name}' returned a result with a size exceeding the maximum number of \
             bytes service limit."
        );
        let error = json!({ "Error": "States.DataLimitExceeded", "Cause": cause });
        assert_eq!(bench.output(), error);
    }
    let branch = json!({ "StartAt": "B", "States": {
        "B": { "Type": "Pass", "Result": "x".repeat(200_000), "End": true } } });
    let parallel =
        json!({ "Type": "Parallel", "Branches": [branch, branch], "Catch": catch, "End": true });
    let pass = json!({ "Type": "Pass", "End": true });
    let mut document = states("P", &json!({ "P": parallel, "H": pass }));
    document["States"]["P"]["Branches"][1] = json!({ "StartAt": "C", "States": {
        "C": { "Type": "Pass", "Result": "x".repeat(200_000), "End": true } } });
    let bench = Bench::new(&document, json!({}));
    assert_eq!(
        bench.execution.error(),
        Some("States.DataLimitExceeded"),
        "an output is not caught"
    );
    let mut bench = Bench::new(
        &caught(&json!({ "Catch": [
        { "ErrorEquals": ["States.ALL"], "Next": "H" }] })),
        json!({}),
    );
    bench.succeed(0, json!("x".repeat(262_142)));
    assert_eq!(bench.execution.status(), Status::Succeeded);
}

#[test]
fn errors_and_causes_are_as_long_as_aws_lets_them_be() {
    let fail = json!({ "Type": "Fail", "ErrorPath": "$.x", "CausePath": "$.x" });
    let pass = json!({ "Type": "Pass", "Parameters": { "a.$": "$.no" }, "End": true });
    let input = json!({ "x": "y".repeat(200_000) });
    let bench = Bench::new(&states("F", &json!({ "F": fail })), input.clone());
    assert_eq!(bench.execution.error().unwrap().len(), 256);
    assert_eq!(bench.execution.cause().unwrap().len(), 32_768);
    let bench = Bench::new(&states("P", &json!({ "P": pass })), input);
    assert_eq!(bench.execution.cause().unwrap().len(), 32_768);
}

#[test]
fn results_of_a_distributed_map_that_are_too_long_fail_it_even_if_nothing_is_kept_of_them() {
    let run = |mode: &str| {
        let config = match mode {
            "INLINE" => json!({ "Mode": mode }),
            _ => json!({ "Mode": mode, "ExecutionType": "STANDARD" }),
        };
        let long = json!({ "Type": "Pass", "Result": "x".repeat(150_000), "End": true });
        let map = json!({ "Type": "Map", "End": true, "ResultPath": null, "ItemProcessor": {
            "ProcessorConfig": config, "StartAt": "L", "States": { "L": long } } });
        Bench::new(&states("M", &json!({ "M": map })), json!([1, 2]))
    };
    assert_eq!(run("INLINE").output(), json!([1, 2]));
    let bench = run("DISTRIBUTED");
    assert_eq!(bench.execution.error(), Some("States.DataLimitExceeded"));
    use EventType::*;
    assert!(bench.types().ends_with(&[MapRunFailed, MapStateFailed, ExecutionFailed]));
}

#[test]
fn what_is_no_text_is_told_with_the_field_and_the_call_that_gave_it() {
    let call = "States.ArrayLength($.a)";
    let fail = json!({ "Type": "Fail", "Error": "E", "CausePath": call });
    let bench = Bench::new(&states("F", &json!({ "F": fail })), json!({ "a": [7] }));
    let wanted = format!("The CausePath field must resolve to a string: {call} == 1");
    let told = bench.execution.cause().unwrap();
    assert!(told.ends_with(&wanted), "{told}");
}

#[test]
fn wait_states_say_what_is_wrong_with_their_times() {
    let cause = |wait: Value, input: Value| {
        let mut state = json!({ "Type": "Wait", "End": true });
        state.as_object_mut().unwrap().extend(wait.as_object().unwrap().clone());
        let bench = Bench::new(&states("W", &json!({ "W": state })), input);
        bench.execution.cause().unwrap_or("none").to_owned()
    };
    let seconds = json!({ "SecondsPath": "$.s" });
    assert!(
        cause(seconds.clone(), json!({ "s": -1 }))
            .ends_with("The SecondsPath parameter references a negative value: $.s == -1")
    );
    assert!(
        cause(seconds.clone(), json!({ "s": 1.5 }))
            .ends_with("The SecondsPath parameter cannot be parsed as a long value: $.s == 1.5")
    );
    assert_eq!(cause(seconds, json!({ "s": 0 })), "none");
}
