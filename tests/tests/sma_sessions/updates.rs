//! Updates from outside: `UpdateSipMediaApplicationCall` while actions run.

use std::time::Duration;

use offhook_pbx::office::{UpdateError, application_id};
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::scene::text;
use offhook_tests::sim::scripted::{Answer, Scripted, actions};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{bridge, hang_up, id, pause, scene};

#[tokio::test(start_paused = true)]
async fn an_update_interrupts_and_its_answer_takes_the_place_of_the_list() {
    let script = Scripted::new(vec![
        actions(json!([pause(30_000), pause(29_000)])),
        // To the update.
        actions(json!([pause(1_000)])),
        // To the interruption: ignored.
        actions(json!([hang_up("LEG-A")])),
        actions(json!([hang_up("LEG-A")])),
    ]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.answered().await;
    let began = Instant::now();
    sleep(Duration::from_secs(1)).await;
    let transaction = id(&script.events()[0]);
    let calls = &office.office.calls;
    let arguments = || [("digit".to_owned(), "3".to_owned())].into();
    assert_eq!(calls.update_call(&transaction[..8], arguments()), Err(UpdateError::NotFound));
    let many = (0..21).map(|n| (n.to_string(), String::new())).collect();
    assert_eq!(calls.update_call(&transaction, many), Err(UpdateError::TooManyArguments));
    calls.update_call(&transaction, arguments()).unwrap();
    out.ended().await;
    assert_eq!(began.elapsed().as_secs(), 2);
    assert_eq!(calls.update_call(&transaction, arguments()), Err(UpdateError::NotFound));
    office.close().await;
    assert_eq!(
        script.told(),
        [
            "NEW_INBOUND_CALL",
            "CALL_UPDATE_REQUESTED CallUpdateRequest",
            "ACTION_INTERRUPTED Pause",
            "ACTION_SUCCESSFUL Pause",
            "HANGUP Hangup"
        ]
    );
    let events = script.events();
    assert_eq!(events[1]["ActionData"]["Parameters"]["Arguments"], json!({"digit": "3"}));
    assert_eq!(events[2]["ActionData"]["Parameters"]["DurationInMilliseconds"], 30_000);
}

#[tokio::test(start_paused = true)]
async fn only_the_application_that_runs_a_call_is_found_to_be_updated() {
    let script = Scripted::new(vec![actions(json!([pause(30_000)])), Answer::Nothing]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.answered().await;
    let calls = &office.office.calls;
    let event = &script.events()[0];
    let transaction = id(event);
    let own = event["CallDetails"]["SipMediaApplicationId"].as_str().unwrap();
    let update = |application: &str| {
        calls.update_call_of(application, &transaction, [("a".to_owned(), "b".to_owned())].into())
    };
    for other in ["flow:other", "main", "", &application_id("flow:other"), &transaction] {
        assert_eq!(update(other), Err(UpdateError::NotFound), "{other}");
    }
    assert_eq!(calls.update_call_of(own, "none", Default::default()), Err(UpdateError::NotFound));
    update("flow:main").unwrap();
    update(own).unwrap();
    script.nth(3).await;
    out.hang_up();
    office.close().await;
    let updates = script.told().iter().filter(|t| t.starts_with("CALL_UPDATE_REQUESTED")).count();
    assert_eq!(updates, 2);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_interrupted_ends_first() {
    let send = json!({"Type": "SendDigits", "Parameters": {"Digits": ",,,,,,,,,,,,,,,,,,,,"}});
    let script = Scripted::new(vec![
        actions(json!([send, pause(30_000)])),
        actions(json!([hang_up("LEG-A")])),
    ]);
    let office = scene(&script).await;
    let mut out = office.phone(101).dial(Dial::to("600"));
    out.answered().await;
    let began = Instant::now();
    sleep(Duration::from_secs(1)).await;
    office.office.calls.update_call(&id(&script.events()[0]), Default::default()).unwrap();
    out.ended().await;
    // Twenty commas.
    assert_eq!(began.elapsed().as_secs(), 10);
    office.close().await;
    assert!(!script.told().iter().any(|told| told.starts_with("ACTION_INTERRUPTED")));
}

/// The take-back sample: Connect hands the call back by an update; its leg is taken down and the
/// caller goes on to a phone of the office, with headers.
#[tokio::test(start_paused = true)]
async fn a_call_is_taken_back_and_transferred() {
    let arn = "arn:aws:chime:us-east-1:111122223333:vc/abcdefghijklmnopqrstuv";
    let transfer = json!({"Type": "CallAndBridge", "Parameters": {"CallTimeoutSeconds": 30,
        "CallerIdNumber": "+15551234567",
        "Endpoints": [{"BridgeEndpointType": "AWS", "Arn": arn, "Uri": "102"}],
        "SipHeaders": {"x-case": "4711", "User-to-User": "0a0b;encoding=hex"}}});
    let ours = json!({"SchemaVersion": "1.0", "Actions": [hang_up("LEG-B")],
        "TransactionAttributes": {"transfer": "true"}});
    for far_is_faster in [false, true] {
        let script = Scripted::new(vec![
            actions(json!([bridge("+15557770000")])),
            // To the success of the bridge.
            actions(json!([])),
            // To the update.
            Answer::Json(ours.clone()),
            // To the end of LEG-B.
            actions(json!([])),
            // To the success of the hangup.
            actions(json!([transfer])),
        ]);
        let office = scene(&script).await;
        let mut out = office.phone(101).dial(Dial::to("600"));
        let mut connect = office.trunk.call().await;
        connect.ring();
        connect.answer();
        out.answered().await;
        connect.confirmed().await;
        script.nth(2).await;
        office.office.calls.update_call(&id(&script.events()[0]), Default::default()).unwrap();
        if far_is_faster {
            connect.hang_up();
        }
        let mut target = office.phone(102).call().await;
        connect.ended().await;
        let invite = target.invite.clone().unwrap();
        assert_eq!(text(&invite, "x-case").as_deref(), Some("4711"));
        assert_eq!(text(&invite, "User-to-User").as_deref(), Some("0a0b;encoding=hex"));
        assert!(text(&invite, "From").unwrap().contains("+15551234567"));
        target.answer();
        target.confirmed().await;
        let done = script.nth(6).await;
        assert_eq!(done["InvocationEventType"], "ACTION_SUCCESSFUL", "{:?}", script.told());
        assert!(out.still_up());
        out.hang_up();
        target.ended().await;
        office.close().await;
        let events = script.events();
        assert_eq!(
            script.told()[2..6],
            [
                "CALL_UPDATE_REQUESTED CallUpdateRequest",
                "HANGUP Hangup",
                "ACTION_SUCCESSFUL Hangup",
                "ACTION_SUCCESSFUL CallAndBridge"
            ]
        );
        // The end of LEG-B carries what the answer to the update has kept.
        assert_eq!(events[3]["CallDetails"]["TransactionAttributes"]["transfer"], "true");
        assert_eq!(events[3]["ActionData"]["Parameters"]["ParticipantTag"], "LEG-B");
    }
}
