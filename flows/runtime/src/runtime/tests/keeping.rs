use std::time::Duration;

use super::*;
use crate::store::{ExecutionChange, ExecutionStatus, Executions};

/// Two states that follow each other until somebody stops them, and compute a while each time.
fn circle() -> Value {
    let much = "{% $sum([1..20000]) %}";
    json!({ "QueryLanguage": "JSONata", "StartAt": "One", "States": {
        "One": { "Type": "Pass", "Output": much, "Next": "Two" },
        "Two": { "Type": "Pass", "Output": much, "Next": "One" },
    } })
}

/// What the store has of an execution that runs, as after a loss of power.
async fn kept(room: &Room, arn: &str) -> (ExecutionChange, usize) {
    let unfinished = room.store.unfinished_executions().await.unwrap();
    let (record, snapshot) = unfinished.into_iter().find(|(record, _)| record.arn == arn).unwrap();
    let events = room.store.execution_history(arn.to_owned(), 0, usize::MAX).await.unwrap();
    let known = events.len();
    let history = events.into_iter().zip(1..).map(|(event, id)| (id, event)).collect();
    (ExecutionChange { record, snapshot: Some(snapshot), history, new: true }, known)
}

#[tokio::test]
async fn an_execution_that_never_stands_still_is_kept_while_others_come() {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "circle", circle()).await;
    runtime
        .versions()
        .publish("ask", &waiting().to_string(), MachineType::Express, "")
        .await
        .unwrap();
    let circles = runtime.start_execution(start("circle", "c", json!({}))).await.unwrap();
    let (_, at_first) = kept(&room, &circles.arn).await;
    // Each of them is asked for when the thread has its hands free, and stands before the circle in
    // the row of those that are to be kept: it goes to the end with every turn.
    for n in 0..30 {
        runtime.start_execution(start("ask", &format!("a{n}"), json!({}))).await.unwrap();
    }
    let (change, known) = kept(&room, &circles.arn).await;
    assert!(known > at_first, "nothing was kept after the first {at_first} events");
    let meanwhile = runtime.execution_history(&circles.arn).await.unwrap().len();
    assert!(meanwhile >= known);

    // It goes on from there, and does not begin again.
    let after = Room { store: Arc::new(MemoryStore::new()), ..Room::new() };
    publish(&after.runtime().await, "circle", circle()).await;
    after.store.save_execution(change).await.unwrap();
    let runtime = after.runtime().await;
    let record = runtime.describe_execution(&circles.arn).await.unwrap();
    assert_eq!(record.status, ExecutionStatus::Running);
    runtime.stop_execution(&circles.arn, None, None).await.unwrap();
    let events = runtime.execution_history(&circles.arn).await.unwrap();
    let ids: Vec<u64> = events.iter().map(|event| event.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    assert!(ids.len() > known);
    let begun = json!(events).to_string().matches(r#""type":"ExecutionStarted""#).count();
    assert_eq!(begun, 1);
}

/// So many executions end at once beside a workflow that never stands still, and others ask all the
/// time. A second passes in each round, for a thought may take so long. All of them are kept before
/// `most` have passed.
async fn are_kept(executions: usize, most: u32) {
    let room = Room::new();
    let runtime = room.runtime().await;
    publish(&runtime, "ask", waiting()).await;
    let mut asks = Vec::new();
    for n in 0..executions {
        asks.push(
            runtime.start_execution(start("ask", &format!("a{n}"), json!({}))).await.unwrap(),
        );
    }
    while room.echo.asked().len() < executions {
        settle().await;
    }
    publish(&runtime, "circle", circle()).await;
    let circles = runtime.start_execution(start("circle", "c", json!({}))).await.unwrap();

    let running = async || {
        let mut running = 0;
        for ask in &asks {
            let kept = room.store.get_execution(ask.arn.clone()).await.unwrap().unwrap();
            running += usize::from(kept.status == ExecutionStatus::Running);
        }
        running
    };
    let tokens = room.echo.asked().into_iter().filter_map(|asked| {
        let token = asked.arguments["Token"].as_str()?.to_owned();
        let runtime = runtime.clone();
        let done = TokenEvent::Success { output: json!(1) };
        Some(async move { runtime.send_token(&token, done, false).await })
    });
    let sent = futures_util::future::join_all(tokens);
    let others = async {
        loop {
            assert!(runtime.running().await > 0);
        }
    };
    let kept = async {
        sent.await.into_iter().for_each(|sent| sent.unwrap());
        assert!(running().await > 0, "all are kept before anybody has waited");
        for _ in 0..most {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(running().await, 0, "they are not kept in {most} rounds");
    };
    tokio::select! {
        () = kept => {}
        () = others => unreachable!("they ask all the time"),
    }
    runtime.stop_execution(&circles.arn, None, None).await.unwrap();
}

/// Eight rounds are let pass where they are short.
#[tokio::test(start_paused = true)]
async fn what_has_happened_is_kept_beside_a_workflow_that_thinks_hard_though_others_ask_all_the_time()
 {
    are_kept(1, 4).await;
}

/// One of them in each round would take twenty.
#[tokio::test(start_paused = true)]
async fn what_has_happened_in_many_executions_is_kept_beside_a_workflow_that_thinks_hard() {
    are_kept(20, 4).await;
}
