use super::*;
use crate::store::ExecutionStatus;

#[tokio::test(start_paused = true)]
async fn a_name_is_used_once_by_a_standard_machine() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "m", waiting()).await;
    let first = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    // The same again while it runs is the same execution.
    let same = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    assert_eq!(same, first);
    let other = runtime.start_execution(start("m", "x", json!({ "a": 1 }))).await;
    assert_eq!(other, Err(StartError::AlreadyExists(first.arn.clone())));
    runtime.stop_execution(&first.arn, Some("E".into()), None).await.unwrap();
    let again = runtime.start_execution(start("m", "x", json!({}))).await;
    assert_eq!(again, Err(StartError::AlreadyExists(first.arn.clone())));
    let record = runtime.describe_execution(&first.arn).await.unwrap();
    assert_eq!((record.status, record.error.as_deref()), (ExecutionStatus::Aborted, Some("E")));
}

#[tokio::test(start_paused = true)]
async fn names_and_inputs_that_aws_refuses_are_refused() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "m", waiting()).await;
    let bad = runtime.start_execution(start("m", "a b", json!({}))).await;
    assert_eq!(bad, Err(StartError::InvalidName("a b".into())));
    let long = runtime.start_execution(start("m", "x", json!("x".repeat(300_000)))).await;
    assert!(matches!(long, Err(StartError::InvalidInput(_))));
    let none = runtime.start_execution(start("n", "x", json!({}))).await;
    assert_eq!(none, Err(StartError::NoSuchMachine("n".into())));
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_its_task_once() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "m", waiting()).await;
    let started = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    settle().await;
    let token = token(&room.echo);
    assert!(runtime.is_waiting(&token).await);
    runtime.send_task_heartbeat(&token).await.unwrap();
    let bad = runtime.send_task_success(&token, "{").await;
    assert!(matches!(bad, Err(TokenFault::InvalidOutput(_))), "{bad:?}");
    runtime.send_task_success(&token, r#"{"done":true}"#).await.unwrap();
    let late = runtime.send_task_failure(&token, None, None).await;
    assert_eq!(late, Err(TokenFault::TaskTimedOut));
    let record = runtime.wait_for_end(&started.arn).await.unwrap();
    assert_eq!(record.output.as_deref(), Some(r#"{"done":true}"#));
    let nonsense = runtime.send_task_success("nonsense", "{}").await;
    assert_eq!(nonsense, Err(TokenFault::InvalidToken));
    let mut forged = token.clone();
    forged.replace_range(20..24, if &token[20..24] == "AAAA" { "BBBB" } else { "AAAA" });
    let forged = runtime.send_task_success(&forged, "{}").await;
    assert_eq!(forged, Err(TokenFault::TaskDoesNotExist));
}

#[tokio::test(start_paused = true)]
async fn a_task_times_out_and_its_token_with_it() {
    let room = Room::new();
    let runtime = room.runtime().await;
    let mut machine = waiting();
    machine["States"]["Ask"]["TimeoutSeconds"] = 60.into();
    publish(&runtime, "m", machine).await;
    let started = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    let record = runtime.wait_for_end(&started.arn).await.unwrap();
    assert_eq!(record.error.as_deref(), Some("States.Timeout"));
    let took = record.stopped.unwrap().duration_since(record.started);
    assert_eq!(took.as_secs(), 60);
    let late = runtime.send_task_success(&token(&room.echo), "{}").await;
    assert_eq!(late, Err(TokenFault::TaskTimedOut));
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_what_may_be_under_way_wait_for_their_turn() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "m", task("test:hold", json!({}))).await;
    let mut started = Vec::new();
    for n in 0..5 {
        started
            .push(runtime.start_execution(start("m", &format!("x{n}"), json!({}))).await.unwrap());
    }
    settle().await;
    assert_eq!(room.echo.asked().len(), 2);
    room.echo.go.notify_waiters();
    settle().await;
    assert_eq!(room.echo.asked().len(), 4);
    room.echo.go.notify_waiters();
    settle().await;
    room.echo.go.notify_waiters();
    for one in started {
        let record = runtime.wait_for_end(&one.arn).await.unwrap();
        assert_eq!(record.status, ExecutionStatus::Succeeded);
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_does_here_is_refused_by_name() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "m", task("aws-sdk:bedrock:invokeModel", json!({}))).await;
    let started = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    let record = runtime.wait_for_end(&started.arn).await.unwrap();
    assert_eq!(record.error.as_deref(), Some("States.TaskFailed"));
    assert!(record.cause.unwrap().contains("aws-sdk:bedrock:invokeModel"));
}

#[tokio::test(start_paused = true)]
async fn a_loop_without_end_leaves_time_for_others() {
    let room = Room::new();
    let runtime = room.runtime().await;
    let spin = json!({ "StartAt": "A", "States": {
        "A": { "Type": "Choice", "Default": "B", "Choices": [
            { "Variable": "$.stop", "IsPresent": true, "Next": "C" } ] },
        "B": { "Type": "Pass", "Next": "A" },
        "C": { "Type": "Succeed" } } });
    publish(&runtime, "spin", spin).await;
    publish(&runtime, "m", task("test:echo", json!({ "a": 1 }))).await;
    let spins = runtime.start_execution(start("spin", "x", json!({}))).await.unwrap();
    let other = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    let record = runtime.wait_for_end(&other.arn).await.unwrap();
    assert_eq!(record.status, ExecutionStatus::Succeeded);
    // AWS ends it, too: a history holds 25,000 events.
    let record = runtime.wait_for_end(&spins.arn).await.unwrap();
    assert_eq!(record.status, ExecutionStatus::Failed);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_executions_wait_at_once() {
    let room = Room::new();
    let runtime = room.runtime().await;
    let wait = json!({ "StartAt": "W", "States": { "W":
        { "Type": "Wait", "Seconds": 3600, "Next": "E" }, "E": { "Type": "Succeed" } } });
    publish(&runtime, "m", wait).await;
    for n in 0..10_000 {
        runtime.start_execution(start("m", &format!("x{n}"), json!({}))).await.unwrap();
    }
    assert_eq!(runtime.running().await, 10_000);
    tokio::time::sleep(std::time::Duration::from_secs(3_601)).await;
    assert_eq!(runtime.running().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_worker_takes_the_tasks_of_its_activity() {
    let room = Room::new();
    let runtime = room.runtime().await;
    let activity = "arn:aws:states:us-east-1:000000000000:activity:paint";
    let machine = json!({ "StartAt": "Ask", "States": { "Ask":
        { "Type": "Task", "Resource": activity, "End": true } } });
    publish(&runtime, "m", machine).await;
    let started =
        runtime.start_execution(start("m", "x", json!({ "colour": "red" }))).await.unwrap();
    let task = runtime.take_activity_task(activity, Some("w1".into())).await.unwrap();
    assert_eq!(task.input, json!({ "colour": "red" }));
    runtime.send_task_success(&task.token, "1").await.unwrap();
    let record = runtime.wait_for_end(&started.arn).await.unwrap();
    assert_eq!(record.output.as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn the_history_is_whole_while_it_runs_and_afterwards() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "m", waiting()).await;
    let started = runtime.start_execution(start("m", "x", json!({}))).await.unwrap();
    settle().await;
    let ids = |events: Vec<Event>| events.iter().map(|event| event.id).collect::<Vec<_>>();
    let meanwhile = ids(runtime.execution_history(&started.arn).await.unwrap());
    assert_eq!(meanwhile, [1, 2, 3, 4, 5]);
    runtime.send_task_success(&token(&room.echo), "{}").await.unwrap();
    runtime.wait_for_end(&started.arn).await.unwrap();
    let whole = ids(runtime.execution_history(&started.arn).await.unwrap());
    assert_eq!(whole, (1..=8).collect::<Vec<_>>());
    let none = runtime.execution_history("arn:none").await;
    assert_eq!(none, Err(ExecutionError::DoesNotExist("arn:none".into())));
}

#[tokio::test]
async fn a_workflow_that_runs_in_circles_keeps_no_other_one_waiting() {
    let room = Room::new();
    let runtime = room.runtime().await;
    // As much as its history has room for takes longer than anybody would wait.
    let much = "{% $sum([1..20000]) %}";
    let circle = json!({ "QueryLanguage": "JSONata", "StartAt": "One", "States": {
        "One": { "Type": "Pass", "Output": much, "Next": "Two" },
        "Two": { "Type": "Pass", "Output": much, "Next": "One" },
    } });
    publish(&runtime, "circle", circle).await;
    publish(&runtime, "ask", task("test:echo", json!({ "A": 1 }))).await;
    let circles = runtime.start_execution(start("circle", "c", json!({}))).await.unwrap();
    let asks = runtime.start_execution(start("ask", "a", json!({}))).await.unwrap();
    let asked = runtime.wait_for_end(&asks.arn).await.unwrap();
    assert_eq!(asked.status, ExecutionStatus::Succeeded);
    let meanwhile = runtime.describe_execution(&circles.arn).await.unwrap();
    assert_eq!(meanwhile.status, ExecutionStatus::Running, "it was not waited for");
    runtime.stop_execution(&circles.arn, None, None).await.unwrap();
    let stopped = runtime.wait_for_end(&circles.arn).await.unwrap();
    assert_eq!(stopped.status, ExecutionStatus::Aborted);
}
