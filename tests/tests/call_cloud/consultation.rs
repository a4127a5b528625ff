//! A phone asks somebody outside before it puts the caller through (RFC 5589 §7).

use offhook_pbx::cloud::CloudError;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::scene::{OFFICE, connect};
use tokio::time::sleep;

use super::{BOBS, asked_of, customer, open, reported, update};

#[tokio::test(start_paused = true)]
async fn a_consultation_that_still_rings_is_given_up_and_the_cloud_moves_its_own_leg() {
    let (scene, mut cloud) = open(BOBS).await;
    // As it is dialled, with the digits of the dial plan or without.
    for (number, early) in [("+15557770000", 180), ("15557770000", 183)] {
        let (mut customer, mut bob) = customer(&scene).await;
        bob.hold().await;
        let mut second = scene.phone(102).dial(Dial::to(number));
        let mut far = scene.trunk.call().await;
        far.progress(early, early == 183);
        second.progressed(early).await;
        bob.refer_to_call(number, &second).await;
        let asked = asked_of(&mut cloud).await;
        assert_eq!(asked.order, update("+15557770000"));
        assert!(far.ended().await.answered.is_none());
        second.ended().await;
        assert!(customer.still_up());
        asked.answer(Ok(()));
        assert_eq!(reported(&mut bob).await, "100 Trying");
        assert_eq!(reported(&mut bob).await, "183 The cloud moves the call");
        customer.hang_up();
        assert_eq!(reported(&mut bob).await, "200 OK");
        bob.ended().await;
    }
    let calls = scene.net.messages("INVITE sip:+15557770000");
    let ours = calls.iter().filter(|(from, ..)| *from == OFFICE).count();
    assert_eq!(ours, 2, "nobody is called once more");
    let records = scene.close().await;
    let moved = records.iter().find(|record| record.to == "+15550001002").unwrap();
    assert_eq!(moved.destination.as_deref(), Some("cloud:+15557770000"));
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_refuses_instead_of_a_ringing_consultation_leaves_the_caller_with_the_desk() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    let mut second = scene.phone(102).dial(Dial::to("+15557770000"));
    let mut far = scene.trunk.call().await;
    far.ring();
    second.progressed(180).await;
    bob.refer_to_call("+15557770000", &second).await;
    let asked = asked_of(&mut cloud).await;
    asked.answer(Err(CloudError::Unavailable("ThrottledClientException".into())));
    far.ended().await;
    second.ended().await;
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "503 The cloud does not answer");
    assert!(customer.still_up() && bob.still_up());
    sleep(std::time::Duration::from_secs(10)).await;
    customer.hang_up();
    bob.ended().await;
    scene.close().await;
}

/// Whoever was asked is on the line, and is not to be rung anew.
#[tokio::test(start_paused = true)]
async fn a_consultation_that_was_answered_is_joined_here_unless_the_operator_wants_it_moved() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    let (mut second, mut far) = connect(scene.phone(102), "+15557770000", &scene.trunk).await;
    bob.refer_to_call("+15557770000", &second).await;
    assert_eq!(reported(&mut bob).await, "100 Trying");
    assert_eq!(reported(&mut bob).await, "200 OK");
    bob.ended().await;
    second.ended().await;
    assert!(cloud.try_recv().is_err());
    assert!(customer.still_up() && far.still_up());
    customer.hang_up();
    far.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_consultation_that_rings_at_a_desk_is_the_offices() {
    let (scene, mut cloud) = open(BOBS).await;
    let (customer, mut bob) = customer(&scene).await;
    let mut second = scene.phone(102).dial(Dial::to("101"));
    let mut ann = scene.phone(101).call().await;
    ann.ring();
    second.progressed(180).await;
    bob.refer_to_call("101", &second).await;
    ann.ended().await;
    second.ended().await;
    let mut again = scene.phone(101).call().await;
    again.answer();
    again.confirmed().await;
    bob.ended().await;
    assert!(cloud.try_recv().is_err());
    customer.hang_up();
    again.ended().await;
    scene.close().await;
}
