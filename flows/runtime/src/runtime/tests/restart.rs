use super::*;
use crate::router::{Router, execution_name};
use crate::store::{Definitions, ExecutionStatus, Executions};

#[tokio::test(start_paused = true)]
async fn timers_run_on_over_a_restart() {
    let room = Room::new();
    let runtime = room.runtime().await;
    let wait = json!({ "StartAt": "W", "States": { "W":
        { "Type": "Wait", "Seconds": 3600, "Next": "E" }, "E": { "Type": "Succeed" } } });
    publish(&runtime, "m", wait).await;
    let started = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    drop(runtime);
    tokio::time::sleep(std::time::Duration::from_secs(1_800)).await;
    let runtime = room.runtime().await;
    let record = runtime.wait_for_end(&started.arn).await.unwrap();
    assert_eq!(record.status, ExecutionStatus::Succeeded);
    assert_eq!(record.stopped.unwrap().duration_since(record.started).as_secs(), 3_600);
    let events = runtime.execution_history(&started.arn).await.unwrap();
    let ids: Vec<u64> = events.iter().map(|event| event.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_token_from_before_the_restart_is_taken_after_it() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "m", waiting()).await;
    let started = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    settle().await;
    drop(runtime);
    settle().await;
    let runtime = room.runtime().await;
    runtime.send_task_success(&token(&room.echo), "7").await.unwrap();
    let record = runtime.wait_for_end(&started.arn).await.unwrap();
    assert_eq!(record.output.as_deref(), Some("7"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_under_way_is_made_again_and_known_as_the_same() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "m", task("test:hold", json!({ "a": 1 }))).await;
    let started = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    settle().await;
    drop(runtime);
    settle().await;
    let runtime = room.runtime().await;
    settle().await;
    let asked = room.echo.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].idempotency, asked[1].idempotency);
    room.echo.go.notify_waiters();
    let record = runtime.wait_for_end(&started.arn).await.unwrap();
    assert_eq!(record.output.as_deref(), Some(r#"{"a":1}"#));
}

/// A machine that speaks to its call twice, whatever comes of it.
fn talkative() -> Value {
    let say = |next: &str| {
        json!({ "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": { "QueueUrl.$": "$$.Execution.Input.QueueUrl", "MessageBody":
                { "SchemaVersion": "1.0", "Actions": [] , "TransactionAttributes":
                    { "WaitToken.$": "$$.Task.Token" } } },
            "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": next }], "Next": next })
    };
    json!({ "StartAt": "A", "States": { "A": say("B"), "B": say("C"), "C": { "Type": "Succeed" } } })
}

#[tokio::test(start_paused = true)]
async fn an_execution_whose_call_died_with_the_box_is_told_and_ends() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "m", talkative()).await;
    let event = json!({ "SchemaVersion": "1.0", "Sequence": 1,
        "InvocationEventType": "NEW_INBOUND_CALL", "CallDetails": { "TransactionId": "t1",
        "Participants": [{ "CallId": "a", "ParticipantTag": "LEG-A", "Direction": "Inbound" }] } });
    let mut call = Router::new(runtime.clone()).call(MachineRef::latest("m"));
    call.handle(serde_json::from_value(event).unwrap()).await.unwrap();
    let arn = call.execution_arn().unwrap().to_owned();
    assert!(arn.ends_with(&execution_name("t1")));
    // A call hears of it before it is kept.
    settle().await;
    // As if the machine lost power: nothing more happens in this runtime.
    let copy = room.store.unfinished_executions().await.unwrap();
    assert_eq!(copy.len(), 1);
    std::mem::forget(call);
    let after = Room { store: Arc::new(MemoryStore::new()), ..Room::new() };
    publish(&after.runtime().await, "m", talkative()).await;
    for (record, snapshot) in copy {
        let (snapshot, history) = (Some(snapshot), Vec::new());
        let change = crate::store::ExecutionChange { record, snapshot, history, new: true };
        after.store.save_execution(change).await.unwrap();
    }
    let runtime = after.runtime().await;
    let record = runtime.wait_for_end(&arn).await.unwrap();
    assert_eq!(record.status, ExecutionStatus::Succeeded);
    let events = json!(runtime.execution_history(&arn).await.unwrap()).to_string();
    // Both states were told, the one that waited then and the one after it.
    assert_eq!(events.matches(r#""type":"TaskFailed""#).count(), 2, "{events}");
    assert_eq!(events.matches(r#""error":"HANGUP","cause":"Call Ended""#).count(), 2, "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_given_name_that_ended_unseen_is_still_its_parents() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "child", task("test:hold", json!({ "a": 42 }))).await;
    let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:child";
    let parameters = |name: &str| json!({ "StateMachineArn": arn, "Name": name, "Input": {} });
    let parent = |name| task("states:startExecution.sync:2", parameters(name));
    publish(&runtime, "first", parent("order-1")).await;
    publish(&runtime, "other", parent("order-1")).await;
    let before = runtime.start_execution(start("first", "p", json!({}))).await.unwrap();
    settle().await;
    let unfinished = room.store.unfinished_executions().await.unwrap();
    let kept = unfinished.into_iter().find(|(record, _)| record.arn == before.arn).unwrap();
    room.echo.go.notify_waiters();
    runtime.wait_for_end(&before.arn).await.unwrap();
    let child = arn.replace(":stateMachine:", ":execution:") + ":order-1";
    let ended = runtime.describe_execution(&child).await.unwrap();
    assert_eq!(ended.status, ExecutionStatus::Succeeded);
    // Power was lost when the child had ended, and the parent had not heard of it.
    let after = Room { store: Arc::new(MemoryStore::new()), ..Room::new() };
    for (record, snapshot) in [(kept.0, Some(kept.1)), (ended, None)] {
        let change =
            crate::store::ExecutionChange { record, snapshot, history: Vec::new(), new: true };
        after.store.save_execution(change).await.unwrap();
    }
    for version in room.store.list_versions(None).await.unwrap() {
        after.store.publish_version(version).await.unwrap();
    }
    let runtime = after.runtime().await;
    let record = runtime.wait_for_end(&before.arn).await.unwrap();
    assert_eq!(record.status, ExecutionStatus::Succeeded, "{record:?}");
    let output: Value = serde_json::from_str(&record.output.unwrap()).unwrap();
    assert_eq!((&output["Output"], &output["ExecutionArn"]), (&json!({ "a": 42 }), &json!(child)));
    // Somebody else who wants the name is refused, as on AWS.
    let other = runtime.start_execution(start("other", "o", json!({}))).await.unwrap();
    let record = runtime.wait_for_end(&other.arn).await.unwrap();
    assert_eq!(record.error.as_deref(), Some("StepFunctions.ExecutionAlreadyExistsException"));
}

/// A machine that asks a caller for a PIN, waits, and hands the digits on under another name.
fn asking_for_a_pin() -> Value {
    let echo = |parameters: Value| json!({ "Type": "Task", "Resource": "arn:aws:states:::test:echo", "Parameters": parameters });
    let mut ask = echo(json!({ "Token.$": "$$.Task.Token" }));
    ask["Resource"] = json!("arn:aws:states:::test:echo.waitForTaskToken");
    ask["Next"] = json!("Wait");
    let mut check = echo(json!({ "Entered.$": "$.ActionData.ReceivedDigits" }));
    check["End"] = json!(true);
    json!({ "StartAt": "Ask for the PIN", "States": {
        "Ask for the PIN": ask,
        "Wait": { "Type": "Wait", "Seconds": 3600, "Next": "Check" },
        "Check": check,
    } })
}

/// An execution of it whose caller has given the PIN, and what ends it after a restart.
async fn with_a_pin(room: &Room, pin: &str) -> String {
    let runtime = room.runtime().await;
    publish(&runtime, "m", asking_for_a_pin()).await;
    let started = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    settle().await;
    let digits = json!({ "ActionData": { "ReceivedDigits": pin } }).to_string();
    runtime.send_task_success(&token(&room.echo), &digits).await.unwrap();
    settle().await;
    drop(runtime);
    settle().await;
    started.arn
}

#[tokio::test(start_paused = true)]
async fn a_pin_from_before_the_restart_stays_masked_after_it() {
    let room = Room::new();
    let arn = with_a_pin(&room, "80415277").await;
    let runtime = room.runtime().await;
    let record = runtime.wait_for_end(&arn).await.unwrap();
    assert_eq!(record.status, ExecutionStatus::Succeeded);
    // The execution itself goes on with it.
    assert_eq!(room.echo.asked().last().unwrap().arguments, json!({ "Entered": "80415277" }));
    settle().await;
    let record = runtime.describe_execution(&arn).await.unwrap();
    assert_eq!(record.output.as_deref(), Some(r#"{"Entered":"****"}"#));
    let events = json!(runtime.execution_history(&arn).await.unwrap()).to_string();
    assert!(events.contains("Check") && !events.contains("80415277"), "{events}");
    let store = format!("{:?}", room.store);
    assert!(!store.contains("80415277"), "{store}");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_knows_no_secrets_is_still_read() {
    let room = Room::new();
    let arn = with_a_pin(&room, "80415277").await;
    let (record, snapshot) = room.store.unfinished_executions().await.unwrap().remove(0);
    let mut snapshot: Value = serde_json::from_slice(&snapshot).unwrap();
    assert!(snapshot.as_object_mut().unwrap().remove("secrets").is_some());
    let snapshot = Some(serde_json::to_vec(&snapshot).unwrap());
    let change =
        crate::store::ExecutionChange { record, snapshot, history: Vec::new(), new: false };
    room.store.save_execution(change).await.unwrap();
    let record = room.runtime().await.wait_for_end(&arn).await.unwrap();
    assert_eq!(record.status, ExecutionStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_version_from_before_its_operator_was_refused_runs_on_and_is_started_anew() {
    let room = Room::new();
    let definition = json!({ "QueryLanguage": "JSONata", "StartAt": "W", "States": {
        "W": { "Type": "Wait", "Seconds": "{% $states.input.s ?: 60 %}", "Next": "P" },
        "P": { "Type": "Pass", "Output": "{% $states.input.name ?? 'nobody' %}", "End": true } } });
    let text = definition.to_string();
    let runtime = room.runtime().await;
    let published = runtime.versions().publish("m", &text, MachineType::Standard, "").await;
    assert!(matches!(published, Err(crate::versions::VersionError::InvalidDefinition(_))));
    let stored = crate::store::PublishedVersion {
        machine: "m".to_owned(),
        version: 0,
        kind: MachineType::Standard,
        digest: offhook_asl::Machine::load_published(
            &text,
            offhook_asl::machine::Inherited::FromState,
        )
        .unwrap()
        .digest()
        .to_owned(),
        definition: text,
        description: String::new(),
        published: jiff::Timestamp::UNIX_EPOCH,
        inherits_from_machine: false,
    };
    room.store.publish_version(stored).await.unwrap();
    let before = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    settle().await;
    drop(runtime);
    settle().await;
    let runtime = room.runtime().await;
    let after = runtime.start_execution(start("m", "y", json!({ "name": "Ann" }))).await.unwrap();
    for (started, output) in [(before, r#""nobody""#), (after, r#""Ann""#)] {
        let record = runtime.wait_for_end(&started.arn).await.unwrap();
        assert_eq!(record.output.as_deref(), Some(output));
    }
}
