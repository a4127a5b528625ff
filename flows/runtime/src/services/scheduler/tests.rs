//! Behaviour of EventBridge Scheduler.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use offhook_asl::machine::Pattern;
use serde_json::{Value, json};

use crate::services::scheduler::Scheduler;
use crate::services::{ExecutionInfo, Integration, Request, Service, ServiceError};
use crate::store::MemoryStore;

fn scheduler() -> Scheduler {
    Scheduler::new(Arc::new(MemoryStore::new()), Box::new(|| {}))
}

fn request(action: &str, arguments: Value) -> Request {
    Request {
        integration: Integration::Sdk,
        service: "scheduler".to_owned(),
        action: action.to_owned(),
        pattern: Pattern::RequestResponse,
        arguments,
        execution: ExecutionInfo {
            arn: String::new(),
            name: String::new(),
            state_machine: String::new(),
            state: String::new(),
            transaction_id: None,
        },
        idempotency: String::new(),
        now: "2026-01-01T12:00:00Z".parse::<Timestamp>().unwrap(),
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
    }
}

async fn ask(scheduler: &Scheduler, action: &str, arguments: Value) -> Result<Value, ServiceError> {
    scheduler.call(request(action, arguments)).await
}

/// What the sample's workflow asks for.
fn schedule(name: &str) -> Value {
    json!({
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Name": name,
        "ScheduleExpression": "at(2026-01-01T12:15:00)",
        "Target": {
            "Arn": "arn:aws:lambda:us-east-1:471112581412:function:place_chime_outbound_call",
            "RoleArn": "arn:aws:iam::471112581412:role/EventBridgeExecuteLambdaRole",
            "Input": "{\"BusinessPhoneNumber\":\"+15550100\"}",
        },
    })
}

fn with(mut schedule: Value, member: &str, value: Value) -> Value {
    schedule[member] = value;
    schedule
}

#[tokio::test]
async fn what_is_created_is_shown_as_it_was_given() {
    let scheduler = scheduler();
    let made = ask(&scheduler, "createSchedule", schedule("5550100_1")).await.unwrap();
    let arn = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/5550100_1";
    assert_eq!(made, json!({"ScheduleArn": arn}));
    let shown = ask(&scheduler, "getSchedule", json!({"Name": "5550100_1"})).await.unwrap();
    for (member, value) in schedule("5550100_1").as_object().unwrap() {
        assert_eq!(&shown[member], value);
    }
    for (member, value) in [
        ("Arn", arn),
        ("GroupName", "default"),
        ("State", "ENABLED"),
        ("ActionAfterCompletion", "NONE"),
        ("ScheduleExpressionTimezone", "UTC"),
        ("CreationDate", "2026-01-01T12:00:00Z"),
    ] {
        assert_eq!(shown[member], value);
    }
}

#[tokio::test]
async fn a_name_is_used_once_and_a_request_that_comes_again_is_one() {
    let scheduler = scheduler();
    ask(&scheduler, "createSchedule", schedule("a")).await.unwrap();
    let error = ask(&scheduler, "createSchedule", schedule("a")).await.unwrap_err();
    assert_eq!(error.error, "Scheduler.ConflictException");
    assert!(error.cause.starts_with(
        "Schedule a already exists. (Service: Scheduler, Status Code: 409, Request ID: "
    ));
    for _ in 0..2 {
        let token = with(schedule("b"), "ClientToken", json!("token"));
        ask(&scheduler, "createSchedule", token).await.unwrap();
        let mut again = request("createSchedule", schedule("c"));
        again.idempotency = "execution-1/step-7".to_owned();
        scheduler.call(again).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_the_reason() {
    let scheduler = scheduler();
    let target = |member: &str, value: Value| {
        let mut given = schedule("a");
        given["Target"][member] = value;
        given
    };
    for (arguments, why) in [
        (
            with(schedule("a"), "ScheduleExpression", json!("every day")),
            "Invalid Schedule Expression every day: ",
        ),
        (
            with(schedule("a"), "ScheduleExpressionTimezone", json!("Mars/Olympus")),
            "Invalid ScheduleExpressionTimezone: Mars/Olympus.",
        ),
        (
            schedule("a b"),
            "1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern",
        ),
        (
            with(schedule("a"), "Target", Value::Null),
            "1 validation error detected: Value null at 'target' failed to satisfy constraint: Member must not be null",
        ),
        (target("Arn", json!("queue")), "Provided Arn is not in correct format: queue"),
        (
            target("RetryPolicy", json!({"MaximumEventAgeInSeconds": 5})),
            "1 validation error detected: Value '5' at 'maximumEventAgeInSeconds' failed to satisfy constraint: Member must have value greater than or equal to 60",
        ),
        (
            target("RetryPolicy", json!({"MaximumRetryAttempts": 186})),
            "1 validation error detected: Value '186' at 'maximumRetryAttempts' failed to satisfy constraint: Member must have value less than or equal to 185",
        ),
        (
            with(schedule("a"), "FlexibleTimeWindow", json!({"Mode": "FLEXIBLE"})),
            "MaximumWindowInMinutes must be provided when the Mode is FLEXIBLE.",
        ),
        (
            with(schedule("a"), "State", json!("ON")),
            "1 validation error detected: Value 'ON' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED]",
        ),
        (with(schedule("a"), "EndDate", json!("2020-01-01T00:00:00Z")), "The EndDate you specify"),
        (with(schedule("a"), "StartDate", json!("tomorrow")), "StartDate must be a time"),
    ] {
        let error = ask(&scheduler, "createSchedule", arguments).await.unwrap_err();
        assert_eq!(error.error, "Scheduler.ValidationException");
        assert!(error.cause.starts_with(why), "{}", error.cause);
    }
    let unknown = with(schedule("a"), "Colour", json!("red"));
    let error = ask(&scheduler, "createSchedule", unknown).await.unwrap_err();
    assert_eq!(error.error, "States.Runtime");
    let group = with(schedule("a"), "GroupName", json!("none"));
    let error = ask(&scheduler, "createSchedule", group).await.unwrap_err();
    assert_eq!(error.error, "Scheduler.ResourceNotFoundException");
    assert!(error.cause.starts_with("Schedule group none does not exist."));
}

#[tokio::test]
async fn a_schedule_is_changed_and_deleted() {
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let wake = Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let scheduler = Scheduler::new(Arc::new(MemoryStore::new()), wake);
    let missing = ask(&scheduler, "updateSchedule", schedule("a")).await.unwrap_err();
    assert_eq!(missing.error, "Scheduler.ResourceNotFoundException");
    assert!(missing.cause.starts_with("Schedule a does not exist."));
    ask(&scheduler, "createSchedule", schedule("a")).await.unwrap();
    let rate = with(schedule("a"), "ScheduleExpression", json!("rate(5 minutes)"));
    ask(&scheduler, "updateSchedule", rate).await.unwrap();
    assert_eq!(woken.load(Ordering::Relaxed), 2);
    let shown = ask(&scheduler, "getSchedule", json!({"Name": "a"})).await.unwrap();
    assert_eq!(shown["ScheduleExpression"], "rate(5 minutes)");
    ask(&scheduler, "deleteSchedule", json!({"Name": "a"})).await.unwrap();
    let gone = ask(&scheduler, "deleteSchedule", json!({"Name": "a"})).await.unwrap_err();
    assert_eq!(gone.error, "Scheduler.ResourceNotFoundException");
}

#[tokio::test]
async fn schedules_are_listed_in_pages_by_group_prefix_and_state() {
    let scheduler = scheduler();
    ask(&scheduler, "createScheduleGroup", json!({"Name": "other"})).await.unwrap();
    for n in 0..5 {
        ask(&scheduler, "createSchedule", schedule(&format!("a{n}"))).await.unwrap();
    }
    let off = with(schedule("b0"), "State", json!("DISABLED"));
    ask(&scheduler, "createSchedule", off).await.unwrap();
    let other = with(schedule("a9"), "GroupName", json!("other"));
    ask(&scheduler, "createSchedule", other).await.unwrap();

    let names = |page: &Value| -> Vec<String> {
        let list = page["Schedules"].as_array().unwrap();
        list.iter().map(|s| s["Name"].as_str().unwrap().to_owned()).collect()
    };
    let mut found = Vec::new();
    let mut token = Value::Null;
    loop {
        let page = json!({"MaxResults": 3, "NextToken": token});
        let page = ask(&scheduler, "listSchedules", page).await.unwrap();
        found.extend(names(&page));
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(found, ["a0", "a1", "a2", "a3", "a4", "b0", "a9"]);
    for (filter, expected) in [
        (json!({"GroupName": "other"}), vec!["a9"]),
        (json!({"GroupName": "default", "NamePrefix": "b"}), vec!["b0"]),
        (json!({"NamePrefix": "a9"}), vec!["a9"]),
        (json!({"State": "DISABLED"}), vec!["b0"]),
    ] {
        assert_eq!(names(&ask(&scheduler, "listSchedules", filter).await.unwrap()), expected);
    }
    ask(&scheduler, "deleteScheduleGroup", json!({"Name": "other"})).await.unwrap();
    let all = ask(&scheduler, "listSchedules", json!({})).await.unwrap();
    assert_eq!(names(&all).len(), 6);
    let error =
        ask(&scheduler, "deleteScheduleGroup", json!({"Name": "default"})).await.unwrap_err();
    assert_eq!(error.error, "Scheduler.ValidationException");
}
