//! The cloud refuses, is silent or slow, or somebody hangs up meanwhile: nobody is lost.

use std::time::Duration;

use offhook_pbx::cloud::CloudError;
use offhook_tests::sim::sdp::Direction;
use tokio::time::sleep;

use super::{AWAY, BOBS, asked_of, customer, no_invite_went_out, open, reported};

#[tokio::test(start_paused = true)]
async fn a_cloud_that_refuses_leaves_the_caller_with_the_desk_and_the_phone_says_why() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.hold().await;
    let gone = CloudError::Gone("NotFoundException".into());
    let refused = CloudError::Refused("ForbiddenException".into());
    let busy = CloudError::Unavailable("ThrottledClientException".into());
    for (error, says) in [
        (gone, "404 The cloud has no such call any more"),
        (refused, "403 The cloud may not move the call"),
        (busy, "503 The cloud does not answer"),
    ] {
        bob.refer(AWAY);
        assert_eq!(reported(&mut bob).await, "100 Trying");
        asked_of(&mut cloud).await.answer(Err(error));
        assert_eq!(reported(&mut bob).await, says);
        sleep(Duration::from_secs(5)).await;
        assert!(customer.still_up() && bob.still_up());
    }
    // They talk on, and an ordinary transfer works.
    bob.reinvite(Direction::SendRecv);
    bob.offer_accepted().await;
    bob.refer("<sip:101@office.example>");
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    ann.confirmed().await;
    customer.hang_up();
    ann.ended().await;
    assert!(no_invite_went_out(&scene));
    let records = scene.close().await;
    let statuses: Vec<_> = records[0].transfers.iter().map(|t| t.status).collect();
    assert_eq!(statuses, [Some(404), Some(403), Some(503), Some(200)]);
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_is_silent_is_not_waited_for() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    assert_eq!(reported(&mut bob).await, "100 Trying");
    let begun = tokio::time::Instant::now();
    let asked = asked_of(&mut cloud).await;
    assert_eq!(reported(&mut bob).await, "503 The cloud does not answer");
    assert_eq!(begun.elapsed().as_secs(), 5);
    // An answer that comes later moves nobody's transfer.
    sleep(Duration::from_secs(60)).await;
    asked.answer(Ok(()));
    assert!(customer.still_up() && bob.still_up());
    bob.hang_up();
    customer.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_takes_the_order_and_does_nothing_loses_nobody() {
    let (scene, mut cloud) = open(&format!("bye_seconds = 8\n{BOBS}")).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    asked_of(&mut cloud).await.answer(Ok(()));
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "183 The cloud moves the call");
    assert_eq!(reported(&mut bob).await, "504 The cloud did not take the call");
    assert!(customer.still_up() && bob.still_up());
    customer.hang_up();
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_bye_that_is_faster_than_the_answer_is_what_the_answer_says() {
    let (scene, mut cloud) = open(BOBS).await;
    let gone = CloudError::Gone("NotFoundException".into());
    for (answer, says) in [(Ok(()), "200 OK"), (Err(gone), "487 Request Terminated")] {
        let (mut customer, mut bob) = customer(&scene).await;
        bob.refer(AWAY);
        assert_eq!(reported(&mut bob).await, "100 Trying");
        let asked = asked_of(&mut cloud).await;
        customer.hang_up();
        customer.ended().await;
        sleep(Duration::from_secs(1)).await;
        assert!(bob.still_up());
        asked.answer(answer);
        assert_eq!(reported(&mut bob).await, says);
        bob.ended().await;
    }
    // Nobody answers at all: the caller is gone all the same.
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let _asked = asked_of(&mut cloud).await;
    customer.hang_up();
    customer.ended().await;
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "487 Request Terminated");
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_hangs_up_while_the_cloud_is_asked_has_given_the_caller_back() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    bob.hang_up();
    bob.ended().await;
    sleep(Duration::from_secs(2)).await;
    assert!(customer.still_up());
    asked.answer(Ok(()));
    sleep(Duration::from_secs(2)).await;
    customer.hang_up();
    customer.ended().await;
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("cloud:+15557770000"));
}

#[tokio::test(start_paused = true)]
async fn a_desk_that_has_hung_up_rings_again_when_the_cloud_refuses() {
    let (scene, mut cloud) = open(&format!("bye_seconds = 8\n{BOBS}")).await;
    let refused = CloudError::Refused("ForbiddenException".into());
    for answer in [Err(refused), Ok(())] {
        let (mut customer, mut bob) = customer(&scene).await;
        bob.refer(AWAY);
        let asked = asked_of(&mut cloud).await;
        bob.hang_up();
        bob.ended().await;
        asked.answer(answer);
        let mut back = scene.phone(102).call().await;
        back.answer();
        back.confirmed().await;
        sleep(Duration::from_secs(10)).await;
        assert!(customer.still_up() && back.still_up());
        customer.hang_up();
        back.ended().await;
    }
    // Nobody is there any more: the caller is told.
    let (mut customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    bob.hang_up();
    bob.ended().await;
    asked.answer(Err(CloudError::Unavailable("no answer".into())));
    scene.phone(102).call().await.reject(486);
    customer.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_transfer_while_the_cloud_is_asked_waits_for_its_turn() {
    let (scene, mut cloud) = open(BOBS).await;
    let (customer, mut bob) = customer(&scene).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    bob.refer("<sip:+15558880000@office.example>");
    sleep(Duration::from_secs(1)).await;
    assert!(scene.net.messages("SIP/2.0 491").iter().any(|(.., m)| m.contains("REFER")));
    asked.answer(Ok(()));
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "183 The cloud moves the call");
    customer.hang_up();
    assert_eq!(reported(&mut bob).await, "200 OK");
    bob.ended().await;
    assert!(cloud.try_recv().is_err());
    scene.close().await;
}
