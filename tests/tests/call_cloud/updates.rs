//! Updates of a call from outside while the cloud is asked to take its caller, and while the phone
//! rings again because it did not.

use std::time::Duration;

use offhook_tests::sim::cloud::{Asked, ScriptedCloud};
use offhook_tests::sim::scene::Scene;
use offhook_tests::sim::scripted::{Answer, Scripted, actions, bridge, hang_up};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use super::attended::{Asking, refused};
use super::{AWAY, CLOUD, TRANSACTION, asked_of, customer, reported};

/// A flow that bridges its callers to 102, and answers these to what it is told then.
async fn flow(more: Vec<Answer>) -> (Scene, UnboundedReceiver<Asked>, Scripted) {
    let mut answers = vec![actions(json!([bridge("102")])), Answer::Nothing];
    answers.extend(more);
    flow_of(answers).await
}

async fn flow_of(answers: Vec<Answer>) -> (Scene, UnboundedReceiver<Asked>, Scripted) {
    flow_in("", answers).await
}

async fn flow_in(more: &str, answers: Vec<Answer>) -> (Scene, UnboundedReceiver<Asked>, Scripted) {
    let script = Scripted::new(answers);
    let (cloud, asked) = ScriptedCloud::new();
    let number = "[[number]]\nmatch = \"+15550001002\"\nto = \"flow:desk\"\n";
    let config = format!("{CLOUD}{more}{number}");
    let scene = Scene::in_cloud_running(cloud, script.applications(), &config).await;
    (scene, asked, script)
}

/// Tells the flow of the first call.
fn update(scene: &Scene, n: u32) {
    let calls = &scene.office.calls;
    let id = calls.calls()[0].id.clone();
    let arguments = [("n".to_owned(), n.to_string())].into();
    calls.update_call_of("flow:desk", &id, arguments).unwrap();
}

/// Which updates it was told of.
fn updates(script: &Scripted) -> Vec<String> {
    let events = script.events();
    let text = |event: &Value| {
        Some(event["ActionData"]["Parameters"]["Arguments"]["n"].as_str()?.to_owned())
    };
    events.iter().filter_map(text).collect()
}

#[tokio::test(start_paused = true)]
async fn updates_wait_while_the_cloud_is_asked_and_are_told_in_order_when_it_refuses() {
    let (scene, mut cloud, script) = flow(vec![]).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    for n in 1..=3 {
        update(&scene, n);
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(updates(&script), [""; 0]);
    asked.answer(refused());
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "403 The cloud may not move the call");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(updates(&script), ["1", "2", "3"]);
    assert!(customer.still_up() && bob.still_up());
    customer.hang_up();
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_update_waits_until_it_is_known_whether_the_caller_is_joined_with_who_was_asked() {
    let ends = actions(json!([hang_up("LEG-A")]));
    let answers = vec![actions(json!([bridge("102")])), Answer::Nothing, ends];
    let (scene, mut cloud, script) = flow_in("attended = \"move\"\n", answers).await;
    let mut asking = Asking::put_through(&scene, &TRANSACTION).await;
    let asked = asked_of(&mut cloud).await;
    update(&scene, 1);
    asking.let_go((false, true)).await;
    assert_eq!(updates(&script), [""; 0]);
    asked.answer(refused());
    assert_eq!(reported(&mut asking.bob).await, "200 OK");
    // The flow has the call still, and ends it.
    asking.customer.ended().await;
    asking.far.ended().await;
    asking.bob.ended().await;
    assert_eq!(updates(&script), ["1"]);
    let records = scene.close().await;
    assert_eq!(records[0].transfers[0].status, Some(200));
    assert!(records.iter().all(|record| record.ended.is_some()));
}

#[tokio::test(start_paused = true)]
async fn an_update_comes_too_late_when_the_cloud_has_the_caller() {
    let (scene, mut cloud, script) = flow(vec![]).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    update(&scene, 1);
    asked.answer(Ok(()));
    sleep(Duration::from_secs(1)).await;
    update(&scene, 2);
    customer.hang_up();
    customer.ended().await;
    bob.ended().await;
    scene.close().await;
    let told = ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL CallAndBridge", "HANGUP Hangup"];
    assert_eq!(script.told(), told);
}

#[tokio::test(start_paused = true)]
async fn updates_that_wait_while_the_phone_rings_again_are_told_to_who_had_the_call() {
    let more =
        vec![Answer::Nothing, Answer::Fails, Answer::Nothing, actions(json!([hang_up("LEG-A")]))];
    let (scene, mut cloud, script) = flow(more).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    bob.hang_up();
    bob.ended().await;
    update(&scene, 1);
    update(&scene, 2);
    sleep(Duration::from_secs(1)).await;
    asked.answer(refused());
    let mut back = scene.phone(102).call().await;
    back.ring();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(updates(&script), ["1", "2"]);
    // It is found by the name of the flow that had the call.
    update(&scene, 3);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(updates(&script), ["1", "2", "3"]);
    back.answer();
    back.confirmed().await;
    sleep(Duration::from_secs(10)).await;
    assert!(customer.still_up() && back.still_up());
    // The flow has its call again: it hears of its leg's end, and ends the other one.
    back.hang_up();
    customer.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("extension:102"));
    let update = "CALL_UPDATE_REQUESTED CallUpdateRequest";
    let bridged = "ACTION_SUCCESSFUL CallAndBridge";
    let hangup = "HANGUP Hangup";
    let told = ["NEW_INBOUND_CALL", bridged, update, update, update, hangup, hangup];
    assert_eq!(script.told(), told);
    let events = script.events();
    let leg = |event: &Value| event["ActionData"]["Parameters"]["CallId"].clone();
    let b = &events[1]["CallDetails"]["Participants"][1];
    assert_eq!((&b["ParticipantTag"], &b["CallId"]), (&json!("LEG-B"), &leg(&events[5])));
    let sequence: Vec<_> = events.iter().map(|event| event["Sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequence, [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_sends_the_caller_elsewhere_ends_the_ringing() {
    let more =
        vec![actions(json!([bridge("101")])), Answer::Nothing, actions(json!([hang_up("LEG-B")]))];
    let (scene, mut cloud, script) = flow(more).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    bob.hang_up();
    bob.ended().await;
    asked.answer(refused());
    let mut back = scene.phone(102).call().await;
    back.ring();
    sleep(Duration::from_secs(1)).await;
    update(&scene, 1);
    let mut ann = scene.phone(101).call().await;
    back.ended().await;
    ann.answer();
    ann.confirmed().await;
    sleep(Duration::from_secs(2)).await;
    assert!(customer.still_up() && ann.still_up());
    customer.hang_up();
    ann.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("extension:101"));
    assert_eq!(records[0].transfers[0].status, Some(403));
    // The end of the phone's leg is not told: what answers it would take the place of the bridge.
    assert_eq!(
        script.told()[2..4],
        ["CALL_UPDATE_REQUESTED CallUpdateRequest", "ACTION_SUCCESSFUL CallAndBridge"]
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_answers_in_the_place_of_the_phone_is_listened_to_and_is_where_the_call_went() {
    let listen = json!({"Type": "ReceiveDigits", "Parameters": {"ParticipantTag": "LEG-B",
        "InputDigitsRegex": "^\\d{2}#$", "InBetweenDigitsDurationInMilliseconds": 1000,
        "FlushDigitsDurationInMilliseconds": 10000}});
    let (scene, mut cloud, script) =
        flow_of(vec![actions(json!([bridge("102")])), actions(json!([listen]))]).await;
    let (customer, mut bob) = customer(&scene).await;
    sleep(Duration::from_secs(1)).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    bob.hang_up();
    bob.ended().await;
    asked.answer(refused());
    // It forwards (RFC 3261 §21.3.3), and 101 answers.
    let back = scene.phone(102).call().await;
    back.redirect("sip:101@office.example");
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    ann.confirmed().await;
    sleep(Duration::from_secs(1)).await;
    ann.press("12#");
    sleep(Duration::from_secs(5)).await;
    let events = script.events();
    let digits = |event: &&Value| event["ActionData"]["ReceivedDigits"].as_str() == Some("12#");
    assert_eq!(events.iter().filter(digits).count(), 1, "{events:?}");
    assert_eq!(scene.record().destination.as_deref(), Some("extension:101"));
    customer.hang_up();
    ann.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_thinks_about_an_update_does_not_keep_the_phone_from_ringing_again() {
    let (scene, mut cloud, script) = flow(vec![Answer::Never]).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    update(&scene, 1);
    sleep(Duration::from_secs(1)).await;
    asked.answer(refused());
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert!(reported(&mut bob).await.starts_with("403"));
    assert_eq!(updates(&script), ["1"]);
    bob.hang_up();
    bob.ended().await;
    let mut back = scene.phone(102).call().await;
    back.answer();
    back.confirmed().await;
    sleep(Duration::from_secs(1)).await;
    assert!(customer.still_up() && back.still_up());
    customer.hang_up();
    back.ended().await;
    scene.close().await;
}
