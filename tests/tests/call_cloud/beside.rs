//! Keys that are missing, names that are not believed, phones in another call.

use std::time::Duration;

use offhook_pbx::cloud::CloudError;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::scene::{connect, text};
use tokio::time::sleep;

use super::{AWAY, BOBS, TRANSACTION, asked_of, customer, customer_with, open, reported};

#[tokio::test(start_paused = true)]
async fn a_call_whose_application_nobody_knows_says_which_key_is_missing() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer_with(&scene, &TRANSACTION[..1]).await;
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
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
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
    let (scene, mut cloud) = open(BOBS).await;
    for hangs_up_first in [false, true] {
        let (mut customer, mut bob) = customer(&scene).await;
        let (mut second, mut ann) = connect(scene.phone(102), "101", scene.phone(101)).await;
        bob.refer_to_call("101", &second).await;
        bob.ended().await;
        second.ended().await;
        ann.refer(AWAY);
        let asked = asked_of(&mut cloud).await;
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
    let (scene, _cloud) = open(BOBS).await;
    let dial = Dial::to("+15557770000").with("X-Order", "7");
    let [transaction, application] = TRANSACTION.map(|(name, _)| name);
    let dial = dial.with(transaction, "t-9").with(application, "a-9");
    let mut out = scene.phone(102).dial(dial);
    let far = scene.trunk.call().await;
    let invite = far.invite.as_ref().unwrap();
    assert_eq!(text(invite, "X-Order").as_deref(), Some("7"));
    assert!(text(invite, transaction).is_none() && text(invite, application).is_none());
    far.answer();
    out.answered().await;
    far.hang_up();
    out.ended().await;
    scene.close().await;
}
