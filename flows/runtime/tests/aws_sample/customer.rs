//! A customer calls: in business hours and after them.

use serde_json::json;

use super::office::{text, types};
use super::{BUSINESS, CUSTOMER, OWNER, Office, sample};

/// 11:00 in the business's own time.
const OPEN: &str = "2025-01-01T15:00:00Z";
/// 22:00.
const CLOSED: &str = "2025-01-02T02:00:00Z";

#[tokio::test(start_paused = true)]
async fn in_business_hours_the_customer_is_connected_with_the_owner() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, OPEN).await;
    let mut call = office.call(CUSTOMER, BUSINESS, "Inbound");
    let welcome = call.event("NEW_INBOUND_CALL", None).await;
    assert_eq!(types(&welcome), ["Speak"]);
    assert_eq!(
        text(&welcome[0]),
        "Welcome to: Demo Business! Please wait while I connect your call."
    );
    assert_eq!(welcome[0]["Parameters"]["CallId"], "leg-a");

    let bridge = call.done(&welcome, json!({})).await;
    assert_eq!(types(&bridge), ["CallAndBridge"]);
    let parameters = &bridge[0]["Parameters"];
    assert_eq!(parameters["CallTimeoutSeconds"], 30);
    assert_eq!(parameters["CallerIdNumber"], BUSINESS);
    assert_eq!(parameters["Endpoints"], json!([{ "BridgeEndpointType": "PSTN", "Uri": OWNER }]));

    assert!(call.bridged(&bridge).await.is_empty());
    let end = call.hangup("LEG-B").await;
    assert_eq!(types(&end), ["Hangup"]);
    assert_eq!(end[0]["Parameters"]["CallId"], "leg-a");
    assert!(call.hangup("LEG-A").await.is_empty());
    assert_eq!(call.end(&office).await.status, offhook_flows::store::ExecutionStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_customer_who_hangs_up_first_does_not_leave_the_owner_alone() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, OPEN).await;
    let mut call = office.call(CUSTOMER, BUSINESS, "Inbound");
    let welcome = call.event("NEW_INBOUND_CALL", None).await;
    let bridge = call.done(&welcome, json!({})).await;
    call.bridged(&bridge).await;
    let end = call.hangup("LEG-A").await;
    assert_eq!(types(&end), ["Hangup"]);
    assert_eq!(end[0]["Parameters"]["ParticipantTag"], "LEG-B");
    assert!(call.hangup("LEG-B").await.is_empty());
    // As on AWS: `Check Error Message` finds no error.
    let record = call.end(&office).await;
    assert_eq!(record.error.as_deref(), Some("States.Runtime"));
    assert_eq!(office.runtime.running().await, 0);
}

#[tokio::test(start_paused = true)]
async fn after_hours_a_message_is_recorded_kept_and_confirmed() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, CLOSED).await;
    let mut call = office.call(CUSTOMER, BUSINESS, "Inbound");
    let closed = call.event("NEW_INBOUND_CALL", None).await;
    assert!(text(&closed[0]).starts_with("We are sorry to inform you that: Demo Business!"));
    let record = call.done(&closed, json!({})).await;
    assert_eq!(types(&record), ["PlayAudio", "RecordAudio"]);
    let to = &record[1]["Parameters"]["RecordingDestination"];
    assert_eq!(to["BucketName"], "pstn-media-apps-13055550100");
    assert_eq!(to["Prefix"], "business-phone-number-proxy/voicemails");
    let kept = json!({ "RecordingDestination":
        { "Type": "S3", "BucketName": "pstn-media-apps-13055550100", "Key": "v/1.wav" } });
    let bye = call.done(&record, kept).await;
    assert_eq!(types(&bye), ["Speak", "Hangup"]);
    assert_eq!(text(&bye[0]), "Your message has been saved! Bye");
    assert!(call.hangup("LEG-A").await.is_empty());
    assert_eq!(call.end(&office).await.status, offhook_flows::store::ExecutionStatus::Succeeded);

    // The owner hears it.
    let mut owner = office.call(OWNER, BUSINESS, "Inbound");
    let menu = owner.event("NEW_INBOUND_CALL", None).await;
    let played = owner.done(&menu, json!({ "ReceivedDigits": "3" })).await;
    assert_eq!(types(&played), ["Speak", "PlayAudio"]);
    assert_eq!(played[1]["Parameters"]["AudioSource"]["Key"], "v/1.wav");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_while_recording_still_leaves_the_message() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, CLOSED).await;
    let mut call = office.call(CUSTOMER, BUSINESS, "Inbound");
    let closed = call.event("NEW_INBOUND_CALL", None).await;
    let record = call.done(&closed, json!({})).await;
    call.status("LEG-A", "Disconnected");
    let mut data = record[1].clone();
    data["RecordingDestination"] = json!({ "Type": "S3", "BucketName": "b", "Key": "v/2.wav" });
    assert!(call.event("ACTION_SUCCESSFUL", Some(data)).await.is_empty());
    assert!(call.hangup("LEG-A").await.is_empty());
    let record = call.end(&office).await;
    assert_eq!(record.status, offhook_flows::store::ExecutionStatus::Succeeded);
    let path = call.path(&office).await;
    assert!(path.contains(&"DynamoDB PutItem".to_owned()), "{path:?}");
}

#[tokio::test(start_paused = true)]
async fn what_else_was_done_when_the_caller_hung_up_is_not_told_twice() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, OPEN).await;
    let mut call = office.call(CUSTOMER, BUSINESS, "Inbound");
    let welcome = call.event("NEW_INBOUND_CALL", None).await;
    call.status("LEG-A", "Disconnected");
    assert!(call.event("ACTION_SUCCESSFUL", Some(welcome[0].clone())).await.is_empty());
    assert!(call.hangup("LEG-A").await.is_empty());
    let record = call.end(&office).await;
    assert_eq!(record.status, offhook_flows::store::ExecutionStatus::Succeeded);
    let path = call.path(&office).await;
    assert!(!path.contains(&"Bridge Owner".to_owned()), "{path:?}");
}
