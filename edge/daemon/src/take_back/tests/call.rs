use std::sync::Arc;
use std::time::Duration;

use offhook_chime::take_back::{Exhausted, Rules};
use offhook_pbx::app::Application as _;
use offhook_sma::{InvocationEvent, Reply};
use serde_json::{Map, Value, json};

use super::pool::Keeper;
use crate::take_back::call::{Call, Running};

fn event(kind: &str, attributes: Option<&Map<String, Value>>) -> InvocationEvent {
    serde_json::from_value(json!({
        "SchemaVersion": "1.0", "Sequence": 1, "InvocationEventType": kind,
        "CallDetails": {
            "TransactionId": "t1", "AwsAccountId": "111122223333", "AwsRegion": "us-east-1",
            "SipRuleId": "rule", "SipMediaApplicationId": "application",
            "TransactionAttributes": attributes.cloned().unwrap_or_default(),
            "Participants": [{
                "CallId": "leg-a", "ParticipantTag": "LEG-A", "To": "+15550100199",
                "From": "+12065550177", "Direction": "Inbound",
                "StartTimeInMilliseconds": "1700000000000", "Status": "Connected"
            }]
        }
    }))
    .unwrap()
}

fn running(keeper: &Arc<Keeper>) -> Arc<Running> {
    Arc::new(Running::new(Rules::default(), Arc::clone(keeper) as _))
}

async fn begun(call: &mut Call) -> Reply {
    call.handle(event("NEW_INBOUND_CALL", None)).await.unwrap()
}

#[tokio::test]
async fn a_call_that_goes_without_a_hangup_gives_its_pair_back() {
    let keeper = Arc::new(Keeper::default());
    let running = running(&keeper);
    let mut call = Call::new(Arc::clone(&running));
    begun(&mut call).await;
    assert_eq!(keeper.owner().as_deref(), Some("t1"));
    assert!(running.has_leases());
    drop(call);
    keeper.released().await;
    assert_eq!(keeper.owner(), None);
    assert!(!running.has_leases());
}

#[tokio::test]
async fn a_call_that_was_told_of_its_end_has_nothing_to_give_back() {
    let keeper = Arc::new(Keeper::default());
    let running = running(&keeper);
    let mut call = Call::new(Arc::clone(&running));
    let reply = begun(&mut call).await;
    call.handle(event("HANGUP", reply.transaction_attributes.as_ref())).await.unwrap();
    assert_eq!(keeper.owner(), None);
    assert!(!running.has_leases());
}

#[tokio::test]
async fn a_call_that_goes_leaves_the_lease_of_the_one_that_it_was_put_through_to() {
    let keeper = Arc::new(Keeper::default());
    let running = running(&keeper);
    let (mut before, mut after) =
        (Call::new(Arc::clone(&running)), Call::new(Arc::clone(&running)));
    begun(&mut before).await;
    begun(&mut after).await;
    drop(before);
    tokio::task::yield_now().await;
    assert_eq!(keeper.owner().as_deref(), Some("t1"));
    drop(after);
    keeper.released().await;
}

fn event_of(kind: &str, call: &str, attributes: Option<&Map<String, Value>>) -> InvocationEvent {
    let mut event = event(kind, attributes);
    event.call_details.transaction_id = call.to_owned();
    event
}

#[tokio::test]
async fn callers_without_a_pair_are_counted_once_and_the_alarm_ends_when_one_is_found() {
    let keeper = Arc::new(Keeper::default());
    let running = running(&keeper);
    let (mut first, mut second) =
        (Call::new(Arc::clone(&running)), Call::new(Arc::clone(&running)));
    let talks = begun(&mut first).await;
    assert!(!running.is_without_pairs());
    let mut event = event_of("NEW_INBOUND_CALL", "t2", None);
    for _ in 0..3 {
        let reply = second.handle(event).await.unwrap();
        event = event_of("ACTION_SUCCESSFUL", "t2", reply.transaction_attributes.as_ref());
    }
    assert!(running.is_without_pairs());
    assert_eq!((running.callers_without_pair(), second.take_failure()), (1, None));
    let attributes = talks.transaction_attributes.as_ref();
    first.handle(event_of("HANGUP", "t1", attributes)).await.unwrap();
    second.handle(event).await.unwrap();
    assert!(!running.is_without_pairs());
    assert_eq!(running.callers_without_pair(), 1);
}

#[tokio::test]
async fn a_caller_who_is_hung_up_on_for_want_of_a_pair_has_a_failure_in_his_record() {
    let keeper = Arc::new(Keeper::default());
    keeper.break_down(true);
    let exhausted = Exhausted { wait: Duration::ZERO, ..Rules::default().exhausted };
    let rules = Rules { exhausted, ..Rules::default() };
    let running = Arc::new(Running::new(rules, Arc::clone(&keeper) as _));
    let mut call = Call::new(running);
    begun(&mut call).await;
    let why = call.take_failure().unwrap();
    assert!(why.contains("it is down"), "{why}");
    assert_eq!(call.take_failure(), None);
    keeper.break_down(false);
}

#[test]
fn a_call_that_goes_with_its_runtime_does_no_harm() {
    let keeper = Arc::new(Keeper::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let call = runtime.block_on(async {
        let mut call = Call::new(running(&keeper));
        begun(&mut call).await;
        call
    });
    drop(runtime);
    drop(call);
    assert_eq!(keeper.owner().as_deref(), Some("t1"));
}
