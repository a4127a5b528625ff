//! Where the sample leaves its caller in silence, and we do not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use offhook_flows::router::WAKE_ARGUMENT;
use serde_json::{Value, json};

use super::office::{text, types};
use super::{BUSINESS, CUSTOMER, OWNER, Office, sample};

const NOW: &str = "2025-01-01T15:00:00Z";

fn assert_apology(actions: &[Value]) {
    assert_eq!(types(actions), ["PlayAudio", "Hangup"], "{actions:?}");
    assert_eq!(actions[0]["Parameters"]["AudioSource"]["Name"], "error");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_in_the_menu_ends_with_an_apology() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, NOW).await;
    let mut call = office.call(OWNER, BUSINESS, "Inbound");
    let menu = call.event("NEW_INBOUND_CALL", None).await;
    let sorry = call.done(&menu, json!({ "ReceivedDigits": "9" })).await;
    assert_apology(&sorry);
    let notes = call.flow.take_notes();
    assert!(notes.iter().any(|note| note.contains("States.Runtime")), "{notes:?}");
    assert!(call.hangup("LEG-A").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_key_in_the_menu_ends_with_an_apology() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, NOW).await;
    let mut call = office.call(OWNER, BUSINESS, "Inbound");
    let menu = call.event("NEW_INBOUND_CALL", None).await;
    assert_apology(&call.done(&menu, json!({})).await);
}

#[tokio::test(start_paused = true)]
async fn what_the_workflow_says_when_a_state_timed_out_is_fetched_and_not_mistaken() {
    let Some(definition) = sample() else { return };
    let mut office = Office::open(&definition, NOW).await;
    let woken = Arc::new(Mutex::new(Vec::new()));
    let wakes = woken.clone();
    office.router = office.router.clone().with_wake(Arc::new(move |transaction: &str| {
        wakes.lock().unwrap().push(transaction.to_owned());
    }));
    let mut call = office.call(OWNER, BUSINESS, "Inbound");
    let menu = call.event("NEW_INBOUND_CALL", None).await;
    let number = call.done(&menu, json!({ "ReceivedDigits": "1" })).await;
    let bridge = call.done(&number, json!({ "ReceivedDigits": "7865550123" })).await;
    // It rings for as long as the state waits, and a little longer.
    tokio::time::sleep(Duration::from_millis(60_500)).await;
    assert_eq!(woken.lock().unwrap().len(), 1);
    let arguments = json!({ WAKE_ARGUMENT: "1" });
    let wake = json!({ "Type": "CallUpdateRequest", "Parameters": { "Arguments": arguments } });
    let why = call.event("CALL_UPDATE_REQUESTED", Some(wake)).await;
    assert!(text(&why[0]).starts_with("Call failed to connect"), "{why:?}");
    // Later than that comes the event of the action whose state is over.
    let ask = call.failed(&bridge, "CallNotAnswered", "Call not answered").await;
    assert_eq!(types(&ask), ["Hangup"], "its token is that of the announcement: {ask:?}");
}

#[tokio::test(start_paused = true)]
async fn a_late_event_gets_what_the_workflow_wants_done_meanwhile() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, NOW).await;
    let mut call = office.call(OWNER, BUSINESS, "Inbound");
    let menu = call.event("NEW_INBOUND_CALL", None).await;
    let number = call.done(&menu, json!({ "ReceivedDigits": "1" })).await;
    let bridge = call.done(&number, json!({ "ReceivedDigits": "7865550123" })).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    let why = call.failed(&bridge, "CallNotAnswered", "Call not answered").await;
    assert!(text(&why[0]).starts_with("Call failed to connect"), "{why:?}");
    let notes = call.flow.take_notes();
    assert!(notes.iter().any(|note| note.contains("came too late")), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_conversation_longer_than_the_state_waits_is_ended_on_both_sides() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, NOW).await;
    let mut call = office.call(CUSTOMER, BUSINESS, "Inbound");
    let welcome = call.event("NEW_INBOUND_CALL", None).await;
    let bridge = call.done(&welcome, json!({})).await;
    call.bridged(&bridge).await;
    tokio::time::sleep(Duration::from_secs(6_001)).await;
    let end = call.hangup("LEG-A").await;
    assert_eq!(types(&end), ["Hangup"]);
    assert_eq!(end[0]["Parameters"]["ParticipantTag"], "LEG-B");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_ends_its_execution() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, NOW).await;
    let mut call = office.call(CUSTOMER, BUSINESS, "Inbound");
    let welcome = call.event("NEW_INBOUND_CALL", None).await;
    let bridge = call.done(&welcome, json!({})).await;
    call.bridged(&bridge).await;
    drop(call);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(office.runtime.running().await, 0);
}
