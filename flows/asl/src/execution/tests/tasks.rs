use super::*;
use EventType::*;

fn waiting(more: &Value) -> Value {
    let mut state = task(&json!({ "Resource": SEND_AND_WAIT, "Parameters": {
        "QueueUrl": "q", "MessageBody": { "Token.$": "$$.Task.Token" } } }));
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    states("T", &json!({ "T": state }))
}

#[test]
fn a_tasks_token_is_in_its_arguments_and_brings_its_result() {
    let mut bench = Bench::new(&waiting(&json!({})), json!({}));
    let call = bench.calls[0].clone();
    let token = call.task_token.unwrap();
    assert_eq!(call.arguments["MessageBody"]["Token"], json!(token));
    assert_eq!(call.region, "us-east-1");
    bench.tell(0, TaskEvent::Submitted { output: json!({ "MessageId": "1" }) });
    let event = TokenEvent::Success { output: json!({ "Digits": "1" }) };
    bench.execution.handle_token(&token, event, bench.now).unwrap();
    assert_eq!(bench.output(), json!({ "Digits": "1" }));
    assert_eq!(
        bench.types(),
        [
            ExecutionStarted,
            TaskStateEntered,
            TaskScheduled,
            TaskStarted,
            TaskSubmitted,
            TaskSucceeded,
            TaskStateExited,
            ExecutionSucceeded
        ]
    );
    assert_eq!(bench.previous(), [0, 0, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_late_token_is_told_from_a_false_one() {
    let mut bench = Bench::new(&waiting(&json!({ "TimeoutSeconds": 60 })), json!({}));
    let token = bench.calls[0].task_token.clone().unwrap();
    let tell = |bench: &mut Bench, token: &str| {
        bench.execution.handle_token(token, TokenEvent::Heartbeat, bench.now)
    };
    for wrong in ["", "no token", "AAAA", &token[1..], &format!("{token}A"), &"A".repeat(54)] {
        assert_eq!(tell(&mut bench, wrong), Err(TokenError::InvalidToken), "{wrong}");
    }
    assert_eq!(tell(&mut bench, &token), Ok(()));
    bench.pass_seconds(60);
    assert_eq!(bench.execution.error(), Some("States.Timeout"));
    let before = bench.execution.history().len();
    assert_eq!(tell(&mut bench, &token), Err(TokenError::TaskTimedOut));
    assert_eq!(bench.execution.history().len(), before);
}

#[test]
fn tokens_of_another_execution_are_false() {
    let first = Bench::new(&waiting(&json!({})), json!({}));
    let mut start = begin(json!({}));
    start.seed = [4; 32];
    let mut other = Execution::start(load(&waiting(&json!({}))), start, first.now);
    let token = first.calls[0].task_token.clone().unwrap();
    let refused = other.handle_token(&token, TokenEvent::Heartbeat, first.now);
    assert_eq!(refused, Err(TokenError::InvalidToken));
}

#[test]
fn the_result_goes_through_selector_path_and_output_path() {
    let document = states(
        "T",
        &json!({ "T": task(&json!({
        "ResultSelector": { "id.$": "$.MessageId" }, "ResultPath": "$.sent", "OutputPath": "$.sent",
        "Assign": { "kept.$": "$.id" }, "Next": "N", "End": null })), "N": { "Type": "Pass",
        "Parameters": { "id.$": "$.id", "kept.$": "$kept" }, "End": true } }),
    );
    let mut document = document;
    document["States"]["T"].as_object_mut().unwrap().remove("End");
    let mut bench = Bench::new(&document, json!({ "a": 1 }));
    bench.succeed(0, json!({ "MessageId": "7", "more": true }));
    assert_eq!(bench.output(), json!({ "id": "7", "kept": "7" }));
}

#[test]
fn a_jsonata_task_sees_its_result() {
    let document = json!({ "QueryLanguage": "JSONata", "StartAt": "T", "States": { "T": {
        "Type": "Task", "Resource": SEND, "TimeoutSeconds": "{% $states.input.t %}",
        "Arguments": { "QueueUrl": "q", "MessageBody": "{% $states.input.n + 1 %}" },
        "Assign": { "r": "{% $states.result.v %}" },
        "Output": { "all": "{% $states.result.v + $states.input.n %}" }, "End": true } } });
    let mut bench = Bench::new(&document, json!({ "n": 1, "t": 9 }));
    assert_eq!(bench.calls[0].arguments, json!({ "QueueUrl": "q", "MessageBody": 2 }));
    assert_eq!(bench.calls[0].timeout_seconds, Some(9));
    bench.succeed(0, json!({ "v": 40 }));
    assert_eq!(bench.output(), json!({ "all": 41 }));
}

#[test]
fn functions_have_events_of_their_own() {
    let document = states(
        "T",
        &json!({ "T": task(&json!({
        "Resource": "arn:aws:lambda:us-east-1:1:function:f", "TimeoutSeconds": 9 })) }),
    );
    let mut bench = Bench::new(&document, json!({ "a": 1 }));
    bench.succeed(0, json!({ "b": 2 }));
    assert_eq!(
        bench.types(),
        [
            ExecutionStarted,
            TaskStateEntered,
            LambdaFunctionScheduled,
            LambdaFunctionStarted,
            LambdaFunctionSucceeded,
            TaskStateExited,
            ExecutionSucceeded
        ]
    );
    let event = serde_json::to_value(&bench.execution.history()[2]).unwrap();
    assert_eq!(
        event["lambdaFunctionScheduledEventDetails"],
        json!({
        "resource": "arn:aws:lambda:us-east-1:1:function:f", "input": "{\"a\":1}",
        "inputDetails": { "truncated": false }, "timeoutInSeconds": 9 })
    );
}

#[test]
fn an_activity_starts_when_a_worker_takes_it() {
    let document = states(
        "T",
        &json!({ "T": task(&json!({
        "Resource": "arn:aws:states:us-east-1:1:activity:a" })) }),
    );
    let mut bench = Bench::new(&document, json!({}));
    assert!(bench.calls[0].task_token.is_some());
    assert_eq!(bench.types().len(), 3);
    bench.tell(0, TaskEvent::Started { worker_name: Some("w".to_owned()) });
    bench.succeed(0, json!(1));
    assert_eq!(
        bench.types()[2..],
        [
            ActivityScheduled,
            ActivityStarted,
            ActivitySucceeded,
            TaskStateExited,
            ExecutionSucceeded
        ]
    );
}

#[test]
fn a_task_that_fails_in_a_branch_is_told_as_aborted() {
    let document = states(
        "P",
        &json!({ "P": { "Type": "Parallel", "End": true, "Branches": [
        { "StartAt": "T", "States": { "T": task(&json!({})) } }],
        "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "H" }] },
        "H": { "Type": "Pass", "End": true } }),
    );
    let mut bench = Bench::new(&document, json!({}));
    bench.fail(0, "SQS.QueueDoesNotExistException", "no queue");
    assert_eq!(
        bench.types()[6..10],
        [TaskFailed, TaskStateAborted, ParallelStateFailed, ParallelStateExited]
    );
    assert_eq!(bench.previous(), [0, 0, 2, 3, 4, 5, 6, 7, 7, 9, 10, 11, 12]);
}
