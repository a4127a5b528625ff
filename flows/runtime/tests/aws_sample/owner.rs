//! The owner calls the business number: voicemail, a call, a scheduled call.

use serde_json::json;

use super::office::{Call, text, types};
use super::{BUSINESS, OWNER, Office, sample};

const NOW: &str = "2025-01-01T15:00:00Z";

async fn menu(office: &Office) -> (Call, Vec<serde_json::Value>) {
    let mut call = office.call(OWNER, BUSINESS, "Inbound");
    let menu = call.event("NEW_INBOUND_CALL", None).await;
    assert_eq!(types(&menu), ["SpeakAndGetDigits"]);
    (call, menu)
}

fn digits(pressed: &str) -> serde_json::Value {
    json!({ "ReceivedDigits": pressed })
}

#[tokio::test(start_paused = true)]
async fn three_tells_of_an_empty_mailbox_and_asks_what_next() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, NOW).await;
    let (mut call, menu) = menu(&office).await;
    let empty = call.done(&menu, digits("3")).await;
    assert_eq!(text(&empty[0]), "Your voicemail mailbox is empty");
    let ask = call.done(&empty, json!({})).await;
    assert_eq!(types(&ask), ["SpeakAndGetDigits"]);
    let again = call.done(&ask, digits("5")).await;
    assert!(text(&again[0]).starts_with("Press 1 to call a customer now."));
    assert!(call.hangup("LEG-A").await.is_empty());
    assert_eq!(call.end(&office).await.status, offhook_flows::store::ExecutionStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn one_calls_a_customer_and_the_owner_stays_when_that_ends() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, NOW).await;
    let (mut call, menu) = menu(&office).await;
    let number = call.done(&menu, digits("1")).await;
    assert_eq!(number[0]["Parameters"]["MinNumberOfDigits"], 10);
    let bridge = call.done(&number, digits("7865550123")).await;
    assert_eq!(bridge[0]["Parameters"]["Endpoints"][0]["Uri"], "+17865550123");
    assert!(call.bridged(&bridge).await.is_empty());
    let ask = call.hangup("LEG-B").await;
    assert_eq!(types(&ask), ["SpeakAndGetDigits"]);
}

#[tokio::test(start_paused = true)]
async fn the_owner_hears_why_a_customer_was_not_reached() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, NOW).await;
    let (mut call, menu) = menu(&office).await;
    let number = call.done(&menu, digits("1")).await;
    let bridge = call.done(&number, digits("7865550123")).await;
    let why = call.failed(&bridge, "CallNotAnswered", "Call not answered").await;
    assert_eq!(text(&why[0]), "Call failed to connect, with error Call not answered.");
}

#[tokio::test(start_paused = true)]
async fn two_schedules_a_call() {
    let Some(definition) = sample() else { return };
    let office = Office::open(&definition, NOW).await;
    let (mut call, menu) = menu(&office).await;
    let number = call.done(&menu, digits("2")).await;
    let minutes = call.done(&number, digits("7865550123")).await;
    assert!(text(&minutes[0]).starts_with("How many minutes from now"));
    let done = call.done(&minutes, digits("15")).await;
    assert_eq!(text(&done[0]), "Your callback has been sucessfully scheduled");
    let schedules = office.schedules.0.lock().unwrap().clone();
    assert_eq!(schedules[0]["ScheduleExpression"], "at(2025-01-01T15:15:00)");
    let input: serde_json::Value =
        serde_json::from_str(schedules[0]["Target"]["Input"].as_str().unwrap()).unwrap();
    assert_eq!(
        input,
        json!({
            "BusinessPhoneNumber": BUSINESS,
            "CustomerPhoneNumber": "7865550123",
            "BusinessOwnerPhoneNumber": OWNER,
            "SipMediaApplicationId": "8a912ad2-67aa-4852-a892-34a454d370c7",
        })
    );
}
