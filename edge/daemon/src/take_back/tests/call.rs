use std::sync::Arc;
use std::time::Duration;

use offhook_chime::take_back::{Exhausted, Rules};
use offhook_pbx::app::{Application as _, Greeting, Mailbox, Voicemail};
use offhook_pbx::metrics::Metrics;
use offhook_sma::{Action, InvocationEvent, Reply};
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
    Arc::new(Running::new(Rules::default(), Arc::clone(keeper) as _, Arc::default()))
}

async fn begun(call: &mut Call) -> Reply {
    call.handle(event("NEW_INBOUND_CALL", None)).await.unwrap()
}

#[tokio::test]
async fn a_call_that_goes_without_a_hangup_gives_its_pair_back() {
    let keeper = Arc::new(Keeper::default());
    let running = running(&keeper);
    let mut call = Call::new(Arc::clone(&running), None);
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
    let mut call = Call::new(Arc::clone(&running), None);
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
        (Call::new(Arc::clone(&running), None), Call::new(Arc::clone(&running), None));
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
    let metrics = Arc::new(Metrics::default());
    let running = Running::new(Rules::default(), Arc::clone(&keeper) as _, Arc::clone(&metrics));
    let running = Arc::new(running);
    let (mut first, mut second) = (Call::new(Arc::clone(&running), None), Call::new(running, None));
    let alarm = || (metrics.dnis_exhausted.get(), metrics.dnis_is_exhausted.get());
    let talks = begun(&mut first).await;
    assert_eq!(alarm(), (0, 0));
    let mut event = event_of("NEW_INBOUND_CALL", "t2", None);
    for _ in 0..3 {
        let reply = second.handle(event).await.unwrap();
        event = event_of("ACTION_SUCCESSFUL", "t2", reply.transaction_attributes.as_ref());
    }
    assert_eq!((alarm(), second.take_failure()), ((1, 1), None));
    let attributes = talks.transaction_attributes.as_ref();
    first.handle(event_of("HANGUP", "t1", attributes)).await.unwrap();
    second.handle(event).await.unwrap();
    assert_eq!(alarm(), (1, 0));
}

#[tokio::test]
async fn the_alarm_ends_when_a_pair_is_given_back_though_nobody_asks_for_one() {
    for told in [true, false] {
        let keeper = Arc::new(Keeper::default());
        let metrics = Arc::new(Metrics::default());
        let running = Running::new(Rules::default(), Arc::clone(&keeper) as _, metrics.clone());
        let running = Arc::new(running);
        let mut first = Call::new(Arc::clone(&running), None);
        let mut second = Call::new(Arc::clone(&running), None);
        let talks = begun(&mut first).await;
        let reply = second.handle(event_of("NEW_INBOUND_CALL", "t2", None)).await.unwrap();
        // He who found none gives none back.
        let kept = reply.transaction_attributes.as_ref();
        second.handle(event_of("HANGUP", "t2", kept)).await.unwrap();
        drop(second);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(metrics.dnis_is_exhausted.get(), 1);
        if told {
            let attributes = talks.transaction_attributes.as_ref();
            first.handle(event_of("HANGUP", "t1", attributes)).await.unwrap();
        }
        drop(first);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!((metrics.dnis_exhausted.get(), metrics.dnis_is_exhausted.get()), (1, 0));
    }
}

#[tokio::test]
async fn a_caller_who_is_hung_up_on_for_want_of_a_pair_has_a_failure_in_his_record() {
    let keeper = Arc::new(Keeper::default());
    keeper.break_down(true);
    let exhausted = Exhausted { wait: Duration::ZERO, ..Rules::default().exhausted };
    let rules = Rules { exhausted, ..Rules::default() };
    let running = Arc::new(Running::new(rules, Arc::clone(&keeper) as _, Arc::default()));
    let mut call = Call::new(running, None);
    begun(&mut call).await;
    let given_up = call.take_failure().unwrap();
    assert!(given_up.why.contains("it is down"), "{}", given_up.why);
    assert_eq!(call.take_failure(), None);
    keeper.break_down(false);
}

#[test]
fn a_call_that_goes_with_its_runtime_does_no_harm() {
    let keeper = Arc::new(Keeper::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let call = runtime.block_on(async {
        let mut call = Call::new(running(&keeper), None);
        begun(&mut call).await;
        call
    });
    drop(runtime);
    drop(call);
    assert_eq!(keeper.owner().as_deref(), Some("t1"));
}

/// All pairs are somebody else's, and nobody waits.
async fn exhausted() -> (Arc<Running>, Arc<Metrics>) {
    let keeper = Arc::new(Keeper::default());
    let claim = offhook_dnis::Claim {
        owner: "t0".to_owned(),
        holder: "office".to_owned(),
        application: None,
        original_calling_number: String::new(),
        lease: std::time::Duration::from_secs(60),
    };
    offhook_dnis::DnisPool::claim(&*keeper, claim).await.unwrap();
    let metrics = Arc::new(Metrics::default());
    let mut rules = Rules::default();
    rules.exhausted.wait = std::time::Duration::from_secs(10);
    (Arc::new(Running::new(rules, keeper, Arc::clone(&metrics))), metrics)
}

/// Waits for a pair until the wait is over; gives the last reply.
async fn waited(call: &mut Call) -> Reply {
    let mut reply = begun(call).await;
    for _ in 0..2 {
        let names: Vec<&str> = reply.actions.iter().flatten().map(Action::name).collect();
        assert_eq!(names.last(), Some(&"Pause"), "{names:?}");
        let kept = reply.transaction_attributes.clone();
        let mut event = event("ACTION_SUCCESSFUL", kept.as_ref());
        event.action_data = serde_json::from_value(json!({"Type": "Pause", "Parameters": {
            "ParticipantTag": "LEG-A", "DurationInMilliseconds": "5000"}}))
        .unwrap();
        reply = call.handle(event).await.unwrap();
        reply.transaction_attributes = reply.transaction_attributes.or(kept);
    }
    reply
}

#[tokio::test]
async fn a_caller_without_a_pair_is_counted_once_and_his_call_fails_with_a_code_of_its_own() {
    let (running, metrics) = exhausted().await;
    let mut call = Call::new(running, None);
    let reply = waited(&mut call).await;
    let names: Vec<&str> = reply.actions.iter().flatten().map(Action::name).collect();
    assert_eq!(names, ["Speak", "Hangup"]);
    assert_eq!(metrics.dnis_exhausted.get(), 1);
    let given_up = call.take_failure().unwrap();
    assert_eq!(given_up.failure.code, "no-pair");
    assert!(given_up.why.contains("1 pairs"), "{}", given_up.why);
    assert_eq!(call.take_failure(), None);
}

#[tokio::test]
async fn a_caller_for_whom_nobody_is_found_may_leave_a_message() {
    let (running, metrics) = exhausted().await;
    let folder = std::env::temp_dir();
    let mailbox = Mailbox {
        extension: "101".to_owned(),
        greeting: Greeting::Default,
        longest: std::time::Duration::from_secs(60),
        silence: None,
        silence_threshold: 200,
        capacity: 10,
        folder: folder.clone(),
    };
    let data = std::env::temp_dir().join(format!("offhook-no-pair-{}", std::process::id()));
    std::fs::create_dir_all(&data).unwrap();
    let store =
        offhook_store::Store::open(data.join("t.db"), &offhook_store::Options::default()).unwrap();
    let mut call = Call::new(running, Some(Voicemail::new(mailbox, Arc::new(store))));
    let reply = waited(&mut call).await;
    let names: Vec<&str> = reply.actions.iter().flatten().map(Action::name).collect();
    assert_eq!(names, ["PlayAudio", "PlayAudio", "RecordAudio"]);
    assert_eq!((call.name(), metrics.dnis_exhausted.get()), ("voicemail", 1));
    assert_eq!(call.take_failure(), None);
    std::fs::remove_dir_all(data).unwrap();
}
