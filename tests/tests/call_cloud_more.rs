//! What else may happen to callers that phones give back to the cloud, on the simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use offhook_pbx::cloud::CloudError;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::cloud::{Asked, ScriptedCloud};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{Scene, connect, text};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

const CONFIG: &str = "[cloud]\ntransfers = true\ntrunks = [\"carrier\"]\n\
     [[number]]\nmatch = \"+15550001002\"\nto = \"extension:102\"\n";
const AWAY: &str = "<sip:+15557770000@office.example>";
const TRANSACTION: (&str, &str) = ("X-Transaction-Id", "t-1");
const APPLICATION: (&str, &str) = ("X-Sip-Media-Application-Id", "a-1");

async fn open() -> (Scene, UnboundedReceiver<Asked>) {
    let (cloud, asked) = ScriptedCloud::new();
    (Scene::in_cloud(cloud, CONFIG).await, asked)
}

/// A customer connected with 102, who may call outside.
async fn customer(scene: &Scene, headers: &[(&str, &str)]) -> (Line, Line) {
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

async fn reported(line: &mut Line) -> String {
    let notify = line.notified().await;
    String::from_utf8_lossy(&notify.body).trim().trim_start_matches("SIP/2.0 ").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_application_nobody_knows_says_which_key_is_missing() {
    let (scene, mut cloud) = open().await;
    let (mut customer, mut bob) = customer(&scene, &[TRANSACTION]).await;
    bob.refer(AWAY);
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "403 No sip_media_application_id is known");
    assert!(customer.still_up() && bob.still_up());
    assert!(cloud.try_recv().is_err());
    bob.hang_up();
    // At once: it rings again.
    let mut back = scene.phone(102).call().await;
    back.answer();
    back.confirmed().await;
    customer.hang_up();
    back.ended().await;
    customer.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn connect_is_meant_only_with_the_code() {
    let (scene, mut cloud) = open().await;
    let (mut customer, mut bob) = customer(&scene, &[TRANSACTION, APPLICATION]).await;
    for target in ["<sip:office.example>", "<sip:connect@office.example>"] {
        bob.refer(target);
        sleep(Duration::from_secs(5)).await;
        assert!(cloud.try_recv().is_err(), "{target}");
        assert!(customer.still_up() && bob.still_up());
    }
    customer.hang_up();
    bob.ended().await;
    let records = scene.close().await;
    assert!(records[0].transfers.iter().all(|transfer| transfer.status.is_none_or(|s| s >= 400)));
}

#[tokio::test(start_paused = true)]
async fn a_phone_in_another_call_that_hangs_up_when_the_cloud_refuses_rings_again() {
    let (scene, mut cloud) = open().await;
    for hangs_up_first in [false, true] {
        let (mut customer, mut bob) = customer(&scene, &[TRANSACTION, APPLICATION]).await;
        let (mut second, mut ann) = connect(scene.phone(102), "101", scene.phone(101)).await;
        bob.refer_to_call("101", &second).await;
        bob.ended().await;
        second.ended().await;
        ann.refer(AWAY);
        let asked = cloud.recv().await.unwrap();
        if hangs_up_first {
            ann.hang_up();
            ann.ended().await;
            asked.answer(Err(CloudError::Refused("ForbiddenException".into())));
        } else {
            asked.answer(Err(CloudError::Refused("ForbiddenException".into())));
            assert_eq!(reported(&mut ann).await, "100 Trying");
            assert!(reported(&mut ann).await.starts_with("403"));
            ann.hang_up();
            ann.ended().await;
        }
        let mut back = scene.phone(101).call().await;
        back.answer();
        back.confirmed().await;
        sleep(Duration::from_secs(10)).await;
        assert!(customer.still_up() && back.still_up());
        customer.hang_up();
        back.ended().await;
        customer.ended().await;
    }
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_a_phone_names_does_not_go_out() {
    let (scene, _cloud) = open().await;
    let dial = Dial::to("+15557770000").with("X-Order", "7");
    let dial = dial.with(TRANSACTION.0, "t-9").with(APPLICATION.0, "a-9");
    let mut out = scene.phone(102).dial(dial);
    let far = scene.trunk.call().await;
    let invite = far.invite.as_ref().unwrap();
    assert_eq!(text(invite, "X-Order").as_deref(), Some("7"));
    assert!(text(invite, TRANSACTION.0).is_none() && text(invite, APPLICATION.0).is_none());
    far.answer();
    out.answered().await;
    far.hang_up();
    out.ended().await;
    scene.close().await;
}
