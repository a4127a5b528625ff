use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::names::Place;
use crate::services::NoUpstream;
use crate::services::events::{Bus, Event};
use crate::services::local::{Local, LocalOptions};
use crate::services::s3::Folders;
use crate::store::{ExecutionStatus, MemoryStore};

fn task(action: &Value, next: &str) -> Value {
    json!({ "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "TimeoutSeconds": 60, "Next": next,
        "Parameters": { "QueueUrl.$": "$$.Execution.Input.QueueUrl", "MessageBody": {
            "SchemaVersion": "1.0", "Actions": action,
            "TransactionAttributes": { "WaitToken.$": "$$.Task.Token" } } },
        "Catch": [{ "ErrorEquals": ["HANGUP"], "Next": "Gone" },
            { "ErrorEquals": ["States.ALL"], "Next": "Sorry" }] })
}

fn speak(text: &str) -> Value {
    json!({ "Type": "Speak", "Parameters": { "Text": text } })
}

fn ask(text: &str) -> Value {
    json!([{ "Type": "SpeakAndGetDigits", "Parameters": { "SpeechParameters": { "Text": text },
        "FailureSpeechParameters": { "Text": "Again" }, "MinNumberOfDigits": 1,
        "MaxNumberOfDigits": 1, "Repeat": 2, "RepeatDurationInMilliseconds": 3000 } }])
}

/// 1 is connected with the office, 2 leaves a message, 3 ends the workflow with a failure.
fn menu() -> String {
    let hangup = json!([speak("Goodbye"), { "Type": "Hangup", "Parameters": {} }]);
    let bridge = json!([{ "Type": "CallAndBridge", "Parameters": { "CallTimeoutSeconds": 20,
        "CallerIdNumber": "+13055550100", "Endpoints": [{ "BridgeEndpointType": "PSTN", "Uri": "+13055550199" }] } }]);
    let record = json!([{ "Type": "RecordAudio", "Parameters": { "DurationInSeconds": 30,
        "SilenceDurationInSeconds": 2, "RecordingTerminators": ["#"],
        "RecordingDestination": { "Type": "S3", "BucketName": "b", "Prefix": "p" } } }]);
    let pressed = |digit: &str, next: &str| json!({ "Variable": "$.ActionData.ReceivedDigits", "StringEquals": digit, "Next": next });
    json!({ "StartAt": "Menu", "States": {
        "Menu": task(&ask("Press one, two or three"), "Which"),
        "Which": { "Type": "Choice", "Choices":
            [pressed("1", "Office"), pressed("2", "Record"), pressed("3", "Broken")] },
        "Office": task(&bridge, "Talk"),
        "Talk": { "Type": "Pass", "Next": "Bye" },
        "Record": task(&record, "Bye"),
        "Bye": task(&hangup, "Gone"),
        "Sorry": task(&json!([speak("Nobody is there")]), "Bye"),
        "Broken": { "Type": "Fail", "Error": "Broken" },
        "Gone": { "Type": "Succeed" },
    } })
    .to_string()
}

fn scenario(moves: Value, callees: Value) -> Scenario {
    serde_json::from_value(json!({
        "now": "2025-01-01T12:00:00Z",
        "call": { "from": "+17865550123", "to": "+13055550100" },
        "caller": moves, "callees": callees,
    }))
    .unwrap()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn played(moves: Value, callees: Value) -> Report {
    let store = Arc::new(MemoryStore::new());
    let scenario = scenario(moves, callees);
    test_blocking(&menu(), &scenario, store, Services::default()).unwrap()
}

#[test]
fn a_caller_who_leaves_a_message_hears_the_prompts_in_order() {
    let report =
        played(json!([{ "press": { "keys": "2" } }, { "say": { "seconds": 7.0 } }]), json!([]));
    assert_eq!(report.status, ExecutionStatus::Succeeded, "{report}");
    assert_eq!(report.spoken, ["Press one, two or three", "Goodbye"]);
    assert_eq!(report.states, ["Menu", "Which", "Record", "Bye", "Gone"]);
    assert!(report.problems.is_empty(), "{report}");
    assert!(report.timeline.iter().any(|line| line.what == "recorded 9.0 s"), "{report}");
    assert_eq!(sorted(report.never_reached), ["Broken", "Office", "Sorry", "Talk"]);
}

#[test]
fn the_calls_ids_stand_beside_the_event_as_the_first_router_of_aws_gave_them() {
    let kept = json!({ "QueueUrl.$": "$.QueueUrl", "CallId.$": "$.CallId",
        "Application.$": "$.SipMediaApplicationId", "Transaction.$": "$.TransactionId",
        "Same.$": "$.Event.CallDetails.TransactionId" });
    let hangup = json!([{ "Type": "Hangup", "Parameters": { "CallId.$": "$CallId" } }]);
    let same = json!([{ "Variable": "$Transaction", "StringEqualsPath": "$Same", "Next": "Bye" }]);
    let workflow = json!({ "StartAt": "Init", "States": {
        "Init": { "Type": "Pass", "Assign": kept, "Next": "Which" },
        "Which": { "Type": "Choice", "Choices": same, "Default": "Other" },
        "Bye": task(&hangup, "Gone"),
        "Sorry": { "Type": "Fail" }, "Other": { "Type": "Fail" }, "Gone": { "Type": "Succeed" } } });
    let (store, scenario) = (Arc::new(MemoryStore::new()), scenario(json!([]), json!([])));
    let report =
        test_blocking(&workflow.to_string(), &scenario, store, Services::default()).unwrap();
    assert_eq!(report.states, ["Init", "Which", "Bye", "Gone"], "{report}");
}

#[test]
fn wrong_keys_are_asked_for_again_and_nothing_pressed_fails_the_action() {
    let report = played(json!(["wait", { "press": { "keys": "2" } }]), json!([]));
    assert_eq!(report.spoken[..3], ["Press one, two or three", "Again", "Press one, two or three"]);
    assert_eq!(report.states[2], "Record");
    let report = played(json!(["wait", "wait"]), json!([]));
    assert_eq!(report.states, ["Menu", "Sorry", "Bye", "Gone"], "{report}");
}

#[test]
fn somebody_who_is_busy_fails_the_bridge() {
    let report = played(json!([{ "press": { "keys": "1" } }]), json!(["busy"]));
    assert_eq!(report.states, ["Menu", "Which", "Office", "Sorry", "Bye", "Gone"], "{report}");
    let failed = report.timeline.iter().any(|line| line.what.contains("CallNotAnswered"));
    assert!(failed, "{report}");
}

#[test]
fn a_workflow_that_breaks_is_a_problem_and_an_apology() {
    let report = played(json!([{ "press": { "keys": "3" } }]), json!([]));
    assert_eq!(report.status, ExecutionStatus::Failed);
    assert_eq!(report.error.as_deref(), Some("Broken"));
    assert_eq!(report.problems.len(), 1, "{report}");
    assert!(report.problems[0].contains("apology"));
}

#[test]
fn a_caller_who_hangs_up_while_recording_leaves_the_message() {
    let moves = json!([{ "press": { "keys": "2" } },
        { "hang_up": { "during": "RecordAudio", "after": 4.0 } }]);
    let report = played(moves, json!([]));
    assert_eq!(report.states, ["Menu", "Which", "Record", "Bye", "Gone"], "{report}");
    assert_eq!(report.status, ExecutionStatus::Succeeded);
}

#[test]
fn what_no_scenario_reaches_is_told_of_all_together() {
    let one = played(json!([{ "press": { "keys": "1" } }]), json!(["does_not_answer"]));
    let three = played(json!([{ "press": { "keys": "3" } }]), json!([]));
    assert_eq!(sorted(never_reached(&menu(), &[one, three])), ["Record", "Talk"]);
}

#[test]
fn a_scenario_that_makes_no_sense_is_refused_with_the_name_of_the_field() {
    let wrong = json!({ "call": { "from": "1", "to": "2" }, "caler": [] });
    let error = serde_json::from_value::<Scenario>(wrong).unwrap_err().to_string();
    assert!(error.contains("caler"), "{error}");
}

fn request(definition: &Value) -> RunRequest {
    RunRequest {
        name: "m".to_owned(),
        definition: definition.to_string(),
        input: json!({ "a": 1 }),
        now: Some("2025-06-01T00:00:00Z".parse().unwrap()),
        place: Place::default(),
        store: Arc::new(MemoryStore::new()),
        services: Services::default(),
        schedules: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_a_machine_makes_comes_while_the_machine_waits_for_it() {
    let queue = "https://sqs.us-east-1.amazonaws.com/000000000000/reminders";
    let make = json!({ "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:scheduler:createSchedule",
        "Next": "Wait", "Parameters": { "Name": "once", "FlexibleTimeWindow": { "Mode": "OFF" },
            "ScheduleExpression": "at(2025-06-01T09:00:00)", "Target": {
                "Arn": "arn:aws:sqs:us-east-1:000000000000:reminders", "Input": "ring",
                "RoleArn": "arn:aws:iam::000000000000:role/r" } } });
    let receive = |next: &str| {
        json!({ "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:receiveMessage",
            "Parameters": { "QueueUrl": queue }, "ResultPath": format!("$.{next}"), "Next": next })
    };
    let wait =
        |until: &str, next: &str| json!({ "Type": "Wait", "Timestamp": until, "Next": next });
    let machine = json!({ "StartAt": "Make", "States": {
        "Make": make,
        "Wait": wait("2025-06-01T08:59:59Z", "Early"), "Early": receive("WaitOn"),
        "WaitOn": wait("2025-06-01T09:00:01Z", "Late"), "Late": receive("Done"),
        "Done": { "Type": "Succeed" } } });
    let (store, wake) = (Arc::new(MemoryStore::new()), Arc::new(Notify::new()));
    let told = wake.clone();
    let (blobs, upstream) = (Arc::new(Folders), Arc::new(NoUpstream));
    let wakes = Box::new(move || told.notify_one());
    let options = LocalOptions::default();
    let local = Local::open(options, store.clone(), blobs, Arc::new(Quiet), upstream, wakes);
    let local = local.await.unwrap();
    let request = RunRequest {
        store,
        services: local.services,
        schedules: Some((local.schedules, wake)),
        ..request(&machine)
    };
    let report = run(request).await.unwrap();
    let output = report.output.expect("it ends well");
    assert_eq!(output["WaitOn"].get("Messages"), None, "{output}");
    let messages = output["Done"]["Messages"].as_array().expect("a message");
    assert_eq!((messages.len(), &messages[0]["Body"]), (1, &json!("ring")));
}

#[tokio::test(start_paused = true)]
async fn schedules_of_a_run_come_so_often_and_no_more_and_what_they_do_not_do_is_reported() {
    let make = |name: &str, arn: &str, next: &str| {
        json!({ "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:scheduler:createSchedule",
            "ResultPath": null, "Next": next, "Parameters": { "Name": name,
                "FlexibleTimeWindow": { "Mode": "OFF" }, "ScheduleExpression": "rate(1 minute)",
                "Target": { "Arn": arn, "Input": "{}", "RetryPolicy": { "MaximumRetryAttempts": 0 },
                    "RoleArn": "arn:aws:iam::000000000000:role/r" } } })
    };
    let machine = json!({ "StartAt": "Make", "States": {
        "Make": make("often", "arn:aws:sqs:us-east-1:000000000000:reminders", "Vain"),
        "Vain": make("vain", "arn:aws:states:us-east-1:000000000000:stateMachine:none", "Wait"),
        "Wait": { "Type": "Wait", "Timestamp": "2026-05-01T00:00:00Z", "End": true } } });
    let (store, wake) = (Arc::new(MemoryStore::new()), Arc::new(Notify::new()));
    let told = wake.clone();
    let wakes = Box::new(move || told.notify_one());
    let (blobs, upstream) = (Arc::new(Folders), Arc::new(NoUpstream));
    let options = LocalOptions::default();
    let local = Local::open(options, store.clone(), blobs, Arc::new(Quiet), upstream, wakes);
    let local = local.await.unwrap();
    let schedules = Some((local.schedules, wake));
    let request = RunRequest { store, services: local.services, schedules, ..request(&machine) };
    let report = run(request).await.unwrap();
    assert_eq!(report.status, ExecutionStatus::Succeeded);
    let notes = report.schedules.as_slice();
    assert!(notes[0].contains("/vain did nothing once from 2025-06-01T00:00:00Z on"), "{notes:?}");
    assert!(notes.len() == 102 && notes[100].starts_with("and 400 more"), "{notes:?}");
    let end = "schedules came 1000 times; no more of them come in this run";
    assert_eq!(notes.last().map(String::as_str), Some(end));
}

struct Quiet;

impl Bus for Quiet {
    fn put(&self, _: &Event) {}
}

#[test]
fn a_machine_runs_on_its_own_and_its_waits_pass_at_once() {
    let wait = json!({ "StartAt": "W", "States": {
        "W": { "Type": "Wait", "Timestamp": "2026-01-01T00:00:00Z", "Next": "P" },
        "P": { "Type": "Pass", "Parameters": { "at.$": "$$.State.EnteredTime" }, "End": true } } });
    let report = run_blocking(request(&wait)).unwrap();
    assert_eq!(report.status, ExecutionStatus::Succeeded);
    assert_eq!(report.output, Some(json!({ "at": "2026-01-01T00:00:00.000Z" })));
    assert_eq!(report.history.len(), 6);
    let json = json!(report);
    assert_eq!((&json["status"], json.get("error")), (&json!("SUCCEEDED"), None));
}

#[test]
fn a_machine_that_is_only_run_is_told_as_aws_tells_it_passwords_and_all() {
    let definition = json!({
        "QueryLanguage": "JSONata", "StartAt": "Keep",
        "States": {
            "Keep": {"Type": "Pass", "Assign": {"customerPin": "{% $states.input.Given %}"}, "Next": "Wait"},
            "Wait": {"Type": "Wait", "Seconds": 5, "Next": "Give"},
            "Give": {"Type": "Pass", "Output": "{% $customerPin %}", "End": true}
        }
    });
    let request = RunRequest { input: json!({"Given": "80415277"}), ..request(&definition) };
    let report = run_blocking(request).unwrap();
    assert_eq!(report.output, Some(json!("80415277")));
    let told = json!(report.history);
    let exited = &told[2]["stateExitedEventDetails"];
    assert_eq!(exited["assignedVariables"], json!({"customerPin": "\"80415277\""}));
    assert_eq!(told[0]["executionStartedEventDetails"]["input"], json!(r#"{"Given":"80415277"}"#));
    assert!(!told.to_string().contains("****"), "{told}");
}

#[test]
fn a_machine_that_waits_for_what_cannot_come_is_reported_as_running() {
    let waits = json!({ "StartAt": "A", "States": { "A": { "Type": "Task", "End": true,
        "Resource": "arn:aws:states:us-east-1:000000000000:activity:nobody" } } });
    let report = run_blocking(request(&waits)).unwrap();
    assert_eq!(report.status, ExecutionStatus::Running);
}

#[test]
fn a_definition_with_mistakes_is_refused_with_all_of_them() {
    let wrong = json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "Next": "B" } } });
    let error = run_blocking(request(&wrong)).unwrap_err();
    assert!(error.to_string().contains("MISSING_TRANSITION_TARGET"), "{error}");
}
