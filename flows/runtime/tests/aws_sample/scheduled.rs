//! The scheduled call: the owner is called, then the customer.

use serde_json::json;

use super::office::{text, types};
use super::{BUSINESS, OWNER, Office, sample};

const NOW: &str = "2025-01-01T15:15:00Z";

#[tokio::test(start_paused = true)]
async fn the_owner_is_called_and_connected_with_the_customer() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, NOW).await;
    let mut call = office.call(BUSINESS, OWNER, "Outbound");
    let arguments = json!({ "Type": "CallCreateRequest",
        "Parameters": { "Arguments": { "CustomerPhoneNumber": "3055551234" } } });
    let (reply, actions) = call.reply("NEW_OUTBOUND_CALL", Some(arguments)).await;
    assert!(actions.is_empty());
    assert!(reply.transaction_attributes.unwrap().contains_key("WaitToken"));
    assert!(call.event("RINGING", None).await.is_empty());
    call.status("LEG-A", "Connected");
    let bridge = call.event("CALL_ANSWERED", None).await;
    assert_eq!(types(&bridge), ["Speak", "CallAndBridge"]);
    assert!(text(&bridge[0]).starts_with("This is an scheduled call"));
    assert_eq!(bridge[1]["Parameters"]["Endpoints"][0]["Uri"], "+13055551234");
    assert!(call.bridged(&bridge).await.is_empty());
    let end = call.hangup("LEG-B").await;
    assert_eq!(types(&end), ["Hangup"]);
    assert!(call.hangup("LEG-A").await.is_empty());
    assert_eq!(call.end(&office).await.status, offhook_flows::store::ExecutionStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn an_owner_who_does_not_answer_ends_it() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, NOW).await;
    let mut call = office.call(BUSINESS, OWNER, "Outbound");
    let arguments = json!({ "Type": "CallCreateRequest",
        "Parameters": { "Arguments": { "CustomerPhoneNumber": "3055551234" } } });
    call.event("NEW_OUTBOUND_CALL", Some(arguments)).await;
    assert!(call.hangup("LEG-A").await.is_empty());
    assert_eq!(call.end(&office).await.status, offhook_flows::store::ExecutionStatus::Succeeded);
}
