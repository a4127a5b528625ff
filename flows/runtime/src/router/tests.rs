use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use offhook_sma::event::InvocationEvent;
use serde_json::json;

use super::*;
use crate::clock::Clock;
use crate::runtime::Options;
use crate::services::{NoUpstream, Services};
use crate::store::{MachineType, MemoryStore};

fn new_call(n: usize) -> InvocationEvent {
    let event = json!({
        "SchemaVersion": "1.0", "Sequence": 1, "InvocationEventType": "NEW_INBOUND_CALL",
        "CallDetails": {"TransactionId": format!("call-{n}"), "AwsAccountId": "111122223333",
            "AwsRegion": "us-east-1", "SipMediaApplicationId": "x", "Participants": [{
                "CallId": "a", "ParticipantTag": "LEG-A", "To": "+15550100100",
                "From": "+15550100999", "Direction": "Inbound",
                "StartTimeInMilliseconds": "0"}]}
    });
    serde_json::from_value(event).unwrap()
}

/// Longer than the workflow that speaks takes to do so.
const A_WHILE: Duration = Duration::from_secs(2);

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// A workflow that would wait for ever. A call that is over leaves it no longer than an execution
/// may go on after its call, wherever the call was given up.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_gone_while_its_workflow_starts_leaves_no_execution_behind() {
    let services = Services::new(Vec::new(), Arc::new(NoUpstream));
    let options = Options::new(Arc::new(MemoryStore::new()), services);
    let runtime = Runtime::start(options).await.unwrap();
    let waits = json!({"StartAt": "Wait", "States": {
        "Wait": {"Type": "Wait", "Seconds": 1_000_000, "End": true}}});
    let waits = waits.to_string();
    runtime.versions().publish("waits", &waits, MachineType::Standard, "").await.unwrap();
    let router = Router::new(runtime.clone());
    let mut started = 0;
    for steps in 0..40 {
        let mut call = router.call(MachineRef::latest("waits"));
        {
            let mut handling = pin!(call.handle(new_call(steps)));
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..steps {
                assert!(handling.as_mut().poll(&mut context).is_pending());
                tokio::task::yield_now().await;
            }
        }
        drop(call);
        settle().await;
        started += runtime.running().await;
        tokio::time::sleep(AFTER_CALL * 2).await;
        settle().await;
        assert_eq!(runtime.running().await, 0, "given up after {steps} steps");
    }
    assert!(started > 0, "some were given up when the execution was there already");
}

/// An event of a call that goes on, or that is over.
fn event_of(n: usize, kind: &str, data: serde_json::Value, status: &str) -> InvocationEvent {
    let mut event = json!(new_call(n));
    event["InvocationEventType"] = kind.into();
    event["Sequence"] = 2.into();
    event["ActionData"] = data;
    event["CallDetails"]["Participants"][0]["Status"] = status.into();
    serde_json::from_value(event).unwrap()
}

/// What the router is told when it is to look for a message by itself.
fn look(n: usize) -> InvocationEvent {
    let data = json!({"Type": "CallUpdateRequest",
        "Parameters": {"Arguments": {WAKE_ARGUMENT: "1"}}});
    event_of(n, "CALL_UPDATE_REQUESTED", data, "Connected")
}

/// A workflow that says one thing after a second, and ends in one way or the other.
async fn speaking() -> Runtime {
    let services = Services::new(Vec::new(), Arc::new(NoUpstream));
    let mut options = Options::new(Arc::new(MemoryStore::new()), services);
    options.clock = Clock::beginning_at("2026-11-29T10:00:00Z".parse().unwrap());
    let runtime = Runtime::start(options).await.unwrap();
    let speaks = json!({"StartAt": "Wait", "States": {
        "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Speak"},
        "Speak": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl.$": "$$.Execution.Input.QueueUrl", "MessageBody":
                {"SchemaVersion": "1.0", "Actions": [{"Type": "Pause",
                    "Parameters": {"DurationInMilliseconds": "700"}}],
                 "TransactionAttributes": {"WaitToken.$": "$$.Task.Token"}}},
            "Catch": [{"ErrorEquals": ["HANGUP"], "Next": "Nobody"}], "Next": "Heard"},
        "Heard": {"Type": "Pass", "Result": "heard", "End": true},
        "Nobody": {"Type": "Pass", "Result": "nobody", "End": true}}});
    let speaks = speaks.to_string();
    runtime.versions().publish("speaks", &speaks, MachineType::Standard, "").await.unwrap();
    runtime
}

/// Handles a call's first event for so many steps, and gives it up then.
async fn give_up_after(steps: usize, call: &mut FlowCall, n: usize) -> Option<String> {
    {
        let mut handling = pin!(call.handle(new_call(n)));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..steps {
            if handling.as_mut().poll(&mut context).is_ready() {
                return None;
            }
            tokio::task::yield_now().await;
        }
    }
    call.execution_arn().map(str::to_owned)
}

/// The answer to the first event was not waited for. What the workflow said first is said at the
/// next event, once, whether it came before, meanwhile or afterwards.
#[tokio::test(start_paused = true)]
async fn what_is_said_first_to_nobody_is_said_at_the_next_event() {
    let runtime = speaking().await;
    let router = Router::new(runtime.clone());
    let mut given_up = 0;
    for n in 0..80 {
        let (steps, at_once) = (n / 2, n % 2 == 0);
        let mut call = router.call(MachineRef::latest("speaks"));
        let Some(arn) = give_up_after(steps, &mut call, n).await else { continue };
        given_up += 1;
        let mut said = 0;
        for pause in [!at_once, true, true] {
            if pause {
                tokio::time::sleep(A_WHILE).await;
                settle().await;
            }
            said += call.handle(look(n)).await.unwrap().actions.map_or(0, |all| all.len());
        }
        assert_eq!(said, 1, "given up after {steps} steps");
        let done = json!({"Type": "Pause", "Parameters": {"DurationInMilliseconds": "700"}});
        let heard = event_of(n, "ACTION_SUCCESSFUL", done, "Connected");
        call.handle(heard).await.unwrap();
        let record = runtime.wait_for_end(&arn).await.unwrap();
        assert_eq!(record.output.as_deref(), Some("\"heard\""), "after {steps} steps");
    }
    assert!(given_up > 0, "none was given up in time");
    settle().await;
    assert_eq!(runtime.running().await, 0);
}

/// Nobody is left to hear it: the state that said it is told so, and the workflow ends as it likes.
#[tokio::test(start_paused = true)]
async fn a_state_whose_first_words_nobody_heard_is_told_that_the_caller_has_gone() {
    let runtime = speaking().await;
    let router = Router::new(runtime.clone());
    let mut given_up = 0;
    for n in 0..160 {
        let (steps, told, later) = (n / 4, n % 2 == 0, n / 2 % 2 == 0);
        let mut call = router.call(MachineRef::latest("speaks"));
        let Some(arn) = give_up_after(steps, &mut call, n).await else { continue };
        given_up += 1;
        if later {
            tokio::time::sleep(A_WHILE).await;
        }
        if told {
            let gone = json!({"Type": "Hangup",
                "Parameters": {"CallId": "a", "ParticipantTag": "LEG-A", "SipResponseCode": "0"}});
            let reply = call.handle(event_of(n, "HANGUP", gone, "Disconnected")).await.unwrap();
            assert!(reply.actions.is_none_or(|all| all.is_empty()));
        }
        drop(call);
        let record = runtime.wait_for_end(&arn).await.unwrap();
        let shown = format!("after {steps} steps, told: {told}, later: {later}: {record:?}");
        assert_eq!(record.output.as_deref(), Some("\"nobody\""), "{shown}");
        let took = record.stopped.unwrap().duration_since(record.started);
        assert!(took.as_secs() <= 2, "at once, {shown}");
    }
    assert!(given_up > 0, "none was given up in time");
    settle().await;
    assert_eq!(runtime.running().await, 0);
}
