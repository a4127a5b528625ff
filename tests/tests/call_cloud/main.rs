//! Phones that give callers back to the cloud which has their own legs, on the simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use offhook_pbx::cloud::{CloudCall, CloudError, CloudOrder};
use offhook_pbx::failure;
use offhook_pbx::office::DialCall;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::cloud::{Asked, ScriptedCloud};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{OFFICE, Scene, connect, text};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

mod attended;
mod beside;
mod connect;
mod consultation;
mod dies;
mod held;
mod let_go;
mod lost;
mod music;
mod refused;
mod updates;
mod whose;

const CLOUD: &str = "[cloud]\ntransfers = true\ntrunks = [\"carrier\"]\n";
const AWAY: &str = "<sip:+15557770000@office.example>";

async fn open(more: &str) -> (Scene, UnboundedReceiver<Asked>) {
    let (cloud, asked) = ScriptedCloud::new();
    (Scene::in_cloud(cloud, &format!("{CLOUD}{more}")).await, asked)
}

/// What the cloud is asked next. The network is never quiet, so that a test would wait for ever.
async fn asked_of(cloud: &mut UnboundedReceiver<Asked>) -> Asked {
    let asked = tokio::time::timeout(Duration::from_secs(600), cloud.recv()).await;
    asked.expect("the cloud is asked").expect("there is a cloud")
}

/// A customer whose own leg a SIP media application has, connected with 102, who may call outside.
async fn customer(scene: &Scene) -> (Line, Line) {
    customer_with(scene, &TRANSACTION).await
}

const TRANSACTION: [(&str, &str); 2] =
    [("X-Transaction-Id", "t-1"), ("X-Sip-Media-Application-Id", "a-1")];
const CONTACT: [(&str, &str); 2] = [
    ("X-Amzn-ConnectContactId", "c-1"),
    ("X-Amzn-SourceArn", "arn:aws:connect:us-east-1:111122223333:instance/i-1"),
];

async fn customer_with(scene: &Scene, headers: &[(&str, &str)]) -> (Line, Line) {
    let mut dial = Dial::to("+15550001002").from("+15550007777");
    for (name, value) in headers {
        dial = dial.with(name, value);
    }
    let mut out = scene.trunk.dial(dial);
    let mut bob = scene.phone(102).call().await;
    bob.answer();
    out.answered().await;
    bob.confirmed().await;
    (out, bob)
}

const BOBS: &str = "[[number]]\nmatch = \"+15550001002\"\nto = \"extension:102\"\n";

/// What the phone is told: status and words.
async fn reported(line: &mut Line) -> String {
    let notify = line.notified().await;
    String::from_utf8_lossy(&notify.body).trim().trim_start_matches("SIP/2.0 ").to_owned()
}

fn update(target: &str) -> CloudOrder {
    let call = CloudCall::Named { application: "a-1".into(), transaction: "t-1".into() };
    CloudOrder::Update { call, target: target.to_owned() }
}

fn no_invite_went_out(scene: &Scene) -> bool {
    let invites = scene.net.messages("INVITE sip:");
    !invites.iter().any(|(from, _, m)| *from == OFFICE && m.contains("+15557770000"))
}

#[tokio::test(start_paused = true)]
async fn a_transfer_to_a_number_outside_moves_the_callers_own_leg() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.hold().await;
    bob.refer(AWAY);
    assert_eq!(reported(&mut bob).await, "100 Trying");
    let asked = asked_of(&mut cloud).await;
    assert_eq!(asked.order, update("+15557770000"));
    asked.answer(Ok(()));
    assert_eq!(reported(&mut bob).await, "183 The cloud moves the call");
    sleep(Duration::from_secs(3)).await;
    assert!(customer.still_up() && bob.still_up());
    customer.hang_up();
    assert_eq!(reported(&mut bob).await, "200 OK");
    bob.ended().await;
    customer.ended().await;
    assert!(no_invite_went_out(&scene));
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("cloud:+15557770000"));
    assert_eq!(records[0].transfers[0].status, Some(200));
}

#[tokio::test(start_paused = true)]
async fn a_transfer_to_an_extension_stays_in_the_office() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    // The code before it makes no hairpin of it either.
    bob.refer("<sip:*8101@office.example>");
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    ann.confirmed().await;
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "200 OK");
    bob.ended().await;
    // Whoever has the call then has the same way.
    ann.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    assert_eq!(asked.order, update("+15557770000"));
    asked.answer(Ok(()));
    customer.hang_up();
    ann.ended().await;
    customer.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_code_alone_takes_the_caller_back_to_connect() {
    let (scene, mut cloud) = open(BOBS).await;
    for target in ["*8", "*8connect"] {
        let (customer, mut bob) = customer(&scene).await;
        bob.refer(&format!("<sip:{target}@office.example>"));
        assert_eq!(reported(&mut bob).await, "100 Trying");
        let asked = asked_of(&mut cloud).await;
        assert_eq!(asked.order, update("connect"));
        asked.answer(Ok(()));
        assert_eq!(reported(&mut bob).await, "183 The cloud moves the call");
        customer.hang_up();
        assert_eq!(reported(&mut bob).await, "200 OK");
        bob.ended().await;
    }
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_the_cloud_does_not_have_are_put_through_as_ever() {
    let (scene, mut cloud) = open(BOBS).await;
    for target in [AWAY, "<sip:*8+15557770000@office.example>"] {
        let (customer, mut bob) = customer_with(&scene, &[]).await;
        bob.refer(target);
        let mut far = scene.trunk.call().await;
        far.answer();
        far.confirmed().await;
        assert_eq!(reported(&mut bob).await, "100 Trying");
        assert_eq!(reported(&mut bob).await, "200 OK");
        bob.ended().await;
        customer.hang_up();
        far.ended().await;
    }
    let (customer, mut bob) = customer_with(&scene, &[]).await;
    bob.refer("<sip:*8@office.example>");
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "404 This call is not in the cloud");
    customer.hang_up();
    bob.ended().await;
    assert!(cloud.try_recv().is_err());
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_names_a_transaction_is_not_believed() {
    let (scene, mut cloud) = open(BOBS).await;
    let dial = Dial::to("102").with("X-Transaction-Id", "t-9");
    let out = scene.phone(101).dial(dial.with("X-Sip-Media-Application-Id", "a-9"));
    let mut bob = scene.phone(102).call().await;
    bob.answer();
    bob.confirmed().await;
    bob.refer(AWAY);
    let mut far = scene.trunk.call().await;
    far.answer();
    far.confirmed().await;
    assert!(cloud.try_recv().is_err());
    out.hang_up();
    far.ended().await;
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_call_outside_may_not_send_a_caller_there() {
    let (scene, mut cloud) =
        open("[[number]]\nmatch = \"+15550001002\"\nto = \"extension:103\"\n").await;
    let mut dial = Dial::to("+15550001002").from("+15550007777");
    for (name, value) in TRANSACTION {
        dial = dial.with(name, value);
    }
    let mut customer = scene.trunk.dial(dial);
    let mut cid = scene.phone(103).call().await;
    cid.answer();
    customer.answered().await;
    cid.confirmed().await;
    for (target, says) in [
        (AWAY, "403 Forbidden"),
        ("<sip:*8+15557770000@office.example>", "403 This phone may not call there"),
    ] {
        cid.refer(target);
        assert_eq!(reported(&mut cid).await, "100 Trying");
        assert_eq!(reported(&mut cid).await, says);
        assert!(customer.still_up() && cid.still_up());
    }
    // Back to where he came from is no call outside.
    cid.refer("<sip:*8@office.example>");
    asked_of(&mut cloud).await.answer(Ok(()));
    customer.hang_up();
    cid.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_code_is_keys_in_a_call_too() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    // Keys that are none of the code, and one that is broken off.
    bob.press("12*95#*8");
    sleep(Duration::from_millis(100)).await;
    bob.press("*8+");
    bob.press("15557770000#");
    sleep(Duration::from_secs(1)).await;
    let asked = asked_of(&mut cloud).await;
    assert_eq!(asked.order, update("+15557770000"));
    asked.answer(Err(CloudError::Unavailable("no answer".into())));
    sleep(Duration::from_secs(1)).await;
    assert!(customer.still_up() && bob.still_up());
    // Without an end, after a pause: back to Connect.
    bob.press("*8");
    let asked = asked_of(&mut cloud).await;
    assert_eq!(asked.order, update("connect"));
    asked.answer(Ok(()));
    customer.hang_up();
    bob.ended().await;
    customer.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].transfers.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_mean_nothing_where_the_cloud_has_no_part() {
    let (scene, mut cloud) = open(BOBS).await;
    let (customer, mut bob) = customer_with(&scene, &[]).await;
    bob.press("*815557770000#");
    let (out, mut ann) = connect(scene.phone(103), "101", scene.phone(101)).await;
    ann.press("*8");
    sleep(Duration::from_secs(10)).await;
    assert!(cloud.try_recv().is_err());
    customer.hang_up();
    bob.ended().await;
    out.hang_up();
    ann.ended().await;
    assert!(scene.close().await.iter().all(|record| record.transfers.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_headers_is_found_by_its_pair_of_numbers() {
    let dnis = "[dnis]\nour_numbers = [\"+15550007777\"]\nconnect_numbers = [\"+15550001002\"]\n";
    let (scene, mut cloud) =
        open(&format!("sip_media_application_id = \"a-2\"\n{dnis}{BOBS}")).await;
    let wanted = CloudCall::Pair {
        ours: "+15550007777".into(),
        theirs: "+15550001002".into(),
        application: Some("a-2".into()),
    };
    let (customer, mut bob) = customer_with(&scene, &[]).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    assert_eq!(asked.order, CloudOrder::Update { call: wanted, target: "+15557770000".into() });
    asked.answer(Ok(()));
    customer.hang_up();
    bob.ended().await;
    // Nobody has leased them: the office calls.
    let (customer, mut bob) = customer_with(&scene, &[]).await;
    bob.refer(AWAY);
    asked_of(&mut cloud).await.answer(Err(CloudError::NotThere));
    let mut far = scene.trunk.call().await;
    far.answer();
    far.confirmed().await;
    bob.ended().await;
    customer.hang_up();
    far.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_click_rings_the_phone_and_calls_the_number_when_it_is_answered() {
    let quiet = "[[extension]]\nnumber = \"104\"\npassword = \"secret-104\"\n\
                 do_not_disturb = true\n";
    let scene = Scene::with(quiet).await;
    let dial = |extension: &str, number: &str| {
        let (extension, number) = (extension.to_owned(), number.to_owned());
        scene.office.calls.dial(DialCall { extension, number })
    };
    let id = dial("102", "+15557770000").await.unwrap();
    let mut bob = scene.phone(102).call().await;
    let shown = text(bob.invite.as_ref().unwrap(), "From").unwrap();
    assert!(shown.contains("sip:+15557770000@"), "{shown}");
    bob.answer();
    bob.confirmed().await;
    let mut far = scene.trunk.call().await;
    far.answer();
    far.confirmed().await;
    sleep(Duration::from_secs(10)).await;
    assert!(bob.still_up());
    far.hang_up();
    bob.ended().await;
    // Nobody takes the phone up: nobody is called.
    dial("102", "+15557770000").await.unwrap();
    scene.phone(102).call().await.reject(486);
    for (extension, number, why) in [
        ("199", "+15557770000", "there is no extension 199"),
        ("103", "+15557770000", failure::NOT_ALLOWED.meaning),
        ("101", "199", failure::UNKNOWN_NUMBER.meaning),
        ("101", "911", "911 is no number that can be called"),
        ("101", "", " is no number that can be called"),
    ] {
        assert_eq!(dial(extension, number).await.unwrap_err().to_string(), why);
    }
    // Who would have AWS call first asks whether anybody would be there.
    let calls = &scene.office.calls;
    assert_eq!(calls.rings("102").await, Ok(()));
    scene.phone(102).register(0).await;
    for (extension, why) in [
        ("102", failure::NOT_REGISTERED.meaning),
        ("104", failure::DO_NOT_DISTURB.meaning),
        ("199", "there is no extension 199"),
    ] {
        assert_eq!(calls.rings(extension).await.unwrap_err().to_string(), why);
    }
    let records = scene.close().await;
    let record = records.iter().find(|record| record.id == id).unwrap();
    assert_eq!(record.source, "extension:102");
    assert_eq!(record.destination.as_deref(), Some("trunk:carrier"));
    assert_eq!(records.len(), 2);
}
