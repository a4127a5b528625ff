use super::*;
use crate::store::ExecutionStatus;

fn child() -> Value {
    json!({ "StartAt": "C", "States": { "C": { "Type": "Wait", "Seconds": 10, "Next": "D" },
        "D": { "Type": "Pass", "Result": { "answer": 42 }, "End": true } } })
}

async fn run(parent: Value) -> (Runtime, ExecutionRecord) {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "child", child()).await;
    let failing = json!({ "StartAt": "F", "States": { "F":
        { "Type": "Fail", "Error": "SomeFailure", "Cause": "because" } } });
    publish(&runtime, "failing", failing).await;
    publish(&runtime, "parent", parent).await;
    let started = runtime.start_execution(start("parent", "p", json!({}))).await.unwrap();
    let record = runtime.wait_for_end(&started.arn).await.unwrap();
    (runtime, record)
}

fn ask(pattern: &str, machine: &str) -> Value {
    let arn = format!("arn:aws:states:us-east-1:000000000000:stateMachine:{machine}");
    let parameters = json!({ "StateMachineArn": arn, "Input": { "a": 1 } });
    task(&format!("states:startExecution{pattern}"), parameters)
}

#[tokio::test(start_paused = true)]
async fn without_a_pattern_the_parent_does_not_wait_for_its_child() {
    let (runtime, record) = run(ask("", "child")).await;
    let output: Value = serde_json::from_str(&record.output.unwrap()).unwrap();
    assert_eq!(output["SdkHttpMetadata"]["HttpHeaders"]["connection"], "keep-alive");
    assert_eq!(output["SdkHttpMetadata"]["HttpStatusCode"], 200);
    let child = output["ExecutionArn"].as_str().unwrap();
    let child = runtime.describe_execution(child).await.unwrap();
    assert_eq!((child.status, &*child.input), (ExecutionStatus::Running, r#"{"a":1}"#));
}

#[tokio::test(start_paused = true)]
async fn sync_gives_the_childs_output_as_text_and_sync_2_as_json() {
    let (_, record) = run(ask(".sync", "child")).await;
    let output: Value = serde_json::from_str(&record.output.unwrap()).unwrap();
    assert_eq!(output["Output"], r#"{"answer":42}"#);
    assert_eq!(output["Status"], "SUCCEEDED");
    let (_, record) = run(ask(".sync:2", "child")).await;
    let output: Value = serde_json::from_str(&record.output.unwrap()).unwrap();
    assert_eq!(output["Output"], json!({ "answer": 42 }));
    assert_eq!(output["Input"], json!({ "a": 1 }));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_fails_fails_the_parent_with_all_about_it() {
    let (_, record) = run(ask(".sync", "failing")).await;
    assert_eq!(record.error.as_deref(), Some("States.TaskFailed"));
    let cause: Value = serde_json::from_str(&record.cause.unwrap()).unwrap();
    assert_eq!((&cause["Error"], &cause["Status"]), (&json!("SomeFailure"), &json!("FAILED")));
}

#[tokio::test(start_paused = true)]
async fn a_child_is_stopped_when_its_parent_waits_no_longer() {
    let mut parent = ask(".sync", "child");
    parent["States"]["Ask"]["TimeoutSeconds"] = 2.into();
    let (runtime, record) = run(parent).await;
    assert_eq!(record.error.as_deref(), Some("States.Timeout"));
    settle().await;
    let filter =
        ExecutionFilter { machine: Some("child".into()), limit: 10, ..ExecutionFilter::default() };
    let children = runtime.list_executions(filter).await.unwrap();
    assert_eq!(children[0].status, ExecutionStatus::Aborted);
    let child = runtime.describe_execution(&children[0].arn).await.unwrap();
    let cause = format!(
        "The Task state in AWS Step Functions execution [{}] which was managing this resource was \
         aborted",
        record.arn
    );
    assert_eq!(child.cause, Some(cause));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_does_not_exist_is_named() {
    let (_, record) = run(ask("", "nowhere")).await;
    assert_eq!(record.error.as_deref(), Some("StepFunctions.StateMachineDoesNotExistException"));
    let cause = record.cause.unwrap();
    let (before, after) = cause.split_once("Request ID: ").unwrap();
    assert!(before.starts_with("State Machine Does Not Exist: '"), "{cause}");
    let told =
        "(Service: AWSStepFunctions; Status Code: 400; Error Code: StateMachineDoesNotExist; ";
    assert!(before.ends_with(told) && after.ends_with("; Proxy: null)"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn a_false_token_is_told_before_a_false_output() {
    let send = task("aws-sdk:sfn:sendTaskSuccess", json!({ "TaskToken": "x", "Output": "{" }));
    let (_, record) = run(send).await;
    assert_eq!(record.error.as_deref(), Some("Sfn.InvalidTokenException"));
    let cause = record.cause.unwrap();
    let told = "Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: ";
    assert!(cause.starts_with(told) && cause.ends_with(") (SDK Attempt Count: 1)"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn one_workflow_ends_the_task_of_another() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "waits", waiting()).await;
    let sends = task(
        "aws-sdk:sfn:sendTaskSuccess",
        json!({ "TaskToken.$": "$.token", "Output": r#"{"from":"the other"}"# }),
    );
    publish(&runtime, "sends", sends).await;
    let waits = runtime.start_execution(start("waits", "w", json!({}))).await.unwrap();
    settle().await;
    let token = token(&room.echo);
    let input = json!({ "token": token });
    let sends = runtime.start_execution(start("sends", "s", input.clone())).await.unwrap();
    runtime.wait_for_end(&sends.arn).await.unwrap();
    let record = runtime.wait_for_end(&waits.arn).await.unwrap();
    assert_eq!(record.output.as_deref(), Some(r#"{"from":"the other"}"#));
    let late = runtime.start_execution(start("sends", "late", input)).await.unwrap();
    let record = runtime.wait_for_end(&late.arn).await.unwrap();
    assert_eq!(record.error.as_deref(), Some("Sfn.TaskTimedOutException"));
}

#[tokio::test(start_paused = true)]
async fn a_distributed_map_runs_its_children() {
    let room = Room::new();
    let runtime = room.runtime().await;
    let map = json!({ "StartAt": "M", "States": { "M": { "Type": "Map", "End": true,
        "ItemProcessor": { "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
            "StartAt": "T", "States": { "T": { "Type": "Task", "End": true,
                "Resource": "arn:aws:states:::test:echo", "Parameters": { "v.$": "$" } } } } } } });
    publish(&runtime, "m", map).await;
    let started = runtime.start_execution(start("m", "x", json!([1, 2, 3]))).await.unwrap();
    let record = runtime.wait_for_end(&started.arn).await.unwrap();
    assert_eq!(record.output.as_deref(), Some(r#"[{"v":1},{"v":2},{"v":3}]"#));
}

#[tokio::test(start_paused = true)]
async fn a_listing_gives_a_map_its_objects_in_aws_form() {
    let room = Room::new();
    let runtime = room.runtime().await;
    let object = json!({ "Key": "a/b.csv", "LastModified": "2022-11-17T15:24:41Z", "Size": 8,
        "ETag": "\"x\"", "StorageClass": "STANDARD" });
    // The service answers with what it is asked.
    let reader = json!({ "Resource": "arn:aws:states:::s3:listObjectsV2",
        "Parameters": { "Bucket": "b", "Contents": [object] } });
    let map = json!({ "StartAt": "M", "States": { "M": { "Type": "Map", "End": true, "ItemReader": reader,
        "ItemProcessor": { "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
            "StartAt": "P", "States": { "P": { "Type": "Pass", "End": true } } } } } });
    publish(&runtime, "m", map).await;
    let started = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    let record = runtime.wait_for_end(&started.arn).await.unwrap();
    let output: Value = serde_json::from_str(&record.output.unwrap()).unwrap();
    assert_eq!(
        output,
        json!([{ "Key": "a/b.csv", "LastModified": 1_668_698_681, "Size": 8, "Etag": "\"x\"",
            "StorageClass": "STANDARD" }])
    );
}
