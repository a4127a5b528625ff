//! The code and a number dialled in a new call, while the phone holds the one that is to go there.

use std::time::Duration;

use offhook_pbx::cloud::CloudError;
use offhook_pbx::event::CallEventKind;
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{OFFICE, Scene, at, connect};
use offhook_tests::sim::sdp::Direction;
use tokio::time::sleep;

use super::{
    AWAY, BOBS, CONTACT, asked_of, customer, customer_with, no_invite_went_out, open, update,
};

const DIALLED: &str = "*8+15557770000";

async fn hold(line: &mut Line) {
    line.reinvite(Direction::SendOnly);
    line.offer_accepted().await;
}

/// Dials, and waits until it is told what came of it.
async fn told(phone: &Agent, number: &str) {
    hear(phone.dial(Dial::to(number))).await;
}

/// Words take real time, in which the paused clock runs through hours: nobody listens to them.
async fn hear(mut order: Line) {
    order.answered().await;
    order.hang_up();
    order.ended().await;
}

/// What the record of the last order says of the held call.
async fn outcome(scene: &Scene) -> String {
    // Until the timeline is written.
    sleep(Duration::from_secs(5)).await;
    let orders = scene.office.keep.records();
    let id = &orders.iter().rev().find(|record| record.to.starts_with("*8")).unwrap().id;
    let events = scene.office.keep.timeline(id);
    let note = events.iter().find_map(|event| match &event.kind {
        CallEventKind::Note { text } => text.strip_prefix("the held call: "),
        _ => None,
    });
    note.unwrap_or_else(|| panic!("{events:?}")).to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_code_dialled_in_a_new_call_moves_the_call_that_the_phone_holds() {
    let (scene, mut cloud) = open(BOBS).await;
    for (dialled, target) in [(DIALLED, "+15557770000"), ("*8", "connect")] {
        let (mut customer, mut bob) = customer(&scene).await;
        hold(&mut bob).await;
        let mut order = scene.phone(102).dial(Dial::to(dialled));
        let asked = asked_of(&mut cloud).await;
        assert_eq!(asked.order, update(target));
        asked.answer(Ok(()));
        sleep(Duration::from_secs(3)).await;
        assert!(customer.still_up() && bob.still_up() && !order.still_up());
        customer.hang_up();
        hear(order).await;
        bob.ended().await;
        assert_eq!(outcome(&scene).await, "200 The call is put through.");
    }
    assert!(no_invite_went_out(&scene));
    let records = scene.close().await;
    let moved = records.iter().find(|record| record.to == "+15550001002").unwrap();
    assert_eq!(moved.destination.as_deref(), Some("cloud:+15557770000"));
    assert_eq!((&*moved.transfers[0].to, moved.transfers[0].status), (DIALLED, Some(200)));
    let order = records.iter().find(|record| record.to == DIALLED).unwrap();
    assert_eq!(order.destination.as_deref(), Some("held-call"));
}

#[tokio::test(start_paused = true)]
async fn who_dials_the_code_and_holds_nothing_is_told() {
    let (scene, mut cloud) = open(BOBS).await;
    told(scene.phone(102), DIALLED).await;
    assert_eq!(outcome(&scene).await, "404 You hold no call.");
    // Neither a call that goes on nor one that another phone holds is meant.
    let (mut customer, mut bob) = customer(&scene).await;
    for phone in [102, 101] {
        told(scene.phone(phone), DIALLED).await;
        assert_eq!(outcome(&scene).await, "404 You hold no call.");
        hold(&mut bob).await;
    }
    assert!(cloud.try_recv().is_err());
    assert!(customer.still_up() && bob.still_up());
    customer.hang_up();
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_held_call_that_the_cloud_does_not_take_stays_on_hold_and_the_new_call_says_why() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    hold(&mut bob).await;
    let gone = CloudError::Gone("NotFoundException".into());
    let refused = CloudError::Refused("ForbiddenException".into());
    for (error, says) in [
        (gone, "404 The cloud has no such call any more"),
        (refused, "403 The cloud may not move the call"),
    ] {
        let order = async { told(scene.phone(102), DIALLED).await };
        let answer = async { asked_of(&mut cloud).await.answer(Err(error)) };
        tokio::join!(order, answer);
        assert_eq!(outcome(&scene).await, says);
        sleep(Duration::from_secs(5)).await;
        assert!(customer.still_up() && bob.still_up());
    }
    // Who is hung up on by his caller meanwhile hears that, too.
    let order = scene.phone(102).dial(Dial::to(DIALLED));
    let asked = asked_of(&mut cloud).await;
    customer.hang_up();
    hear(order).await;
    bob.ended().await;
    assert_eq!(outcome(&scene).await, "487 The caller has hung up.");
    asked.answer(Ok(()));
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn of_several_held_calls_the_clouds_own_and_the_one_held_last_is_meant() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut first, mut a) = customer(&scene).await;
    hold(&mut a).await;
    sleep(Duration::from_secs(5)).await;
    let (mut second, mut b) = customer_with(&scene, &CONTACT).await;
    hold(&mut b).await;
    sleep(Duration::from_secs(5)).await;
    // Held after them, but none of the cloud's.
    let (mut own, mut ann) = connect(scene.phone(102), "101", scene.phone(101)).await;
    hold(&mut own).await;
    told(scene.phone(102), "*8").await;
    second.ended().await;
    b.ended().await;
    assert!(first.still_up() && a.still_up() && own.still_up() && ann.still_up());
    assert!(cloud.try_recv().is_err());
    let order = async { told(scene.phone(102), "*8").await };
    let answer = async {
        let asked = asked_of(&mut cloud).await;
        assert_eq!(asked.order, update("connect"));
        asked.answer(Ok(()));
        first.hang_up();
    };
    tokio::join!(order, answer);
    a.ended().await;
    sleep(Duration::from_secs(3)).await;
    // What the cloud has not is put through by the office, as it is by a REFER.
    let order = async { told(scene.phone(102), "*8103").await };
    let answer = async {
        let cid = scene.phone(103).call().await;
        cid.answer();
        cid
    };
    let ((), mut cid) = tokio::join!(order, answer);
    assert_eq!(outcome(&scene).await, "200 The call is put through.");
    own.ended().await;
    assert!(ann.still_up());
    hold(&mut ann).await;
    told(scene.phone(101), "*8").await;
    assert_eq!(outcome(&scene).await, "404 This call is not in the cloud");
    assert!(ann.still_up());
    ann.hang_up();
    cid.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_gives_the_order_up_does_not_take_it_back() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    hold(&mut bob).await;
    let mut order = scene.phone(102).dial(Dial::to(DIALLED));
    let asked = asked_of(&mut cloud).await;
    order.hang_up();
    order.ended().await;
    bob.hang_up();
    bob.ended().await;
    asked.answer(Err(CloudError::Refused("ForbiddenException".into())));
    // The desk has the caller again.
    let mut back = scene.phone(102).call().await;
    back.answer();
    back.confirmed().await;
    assert!(customer.still_up());
    customer.hang_up();
    back.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_moved_already_is_not_moved_once_more() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    hold(&mut bob).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    told(scene.phone(102), DIALLED).await;
    // Its leg is on its way out.
    assert_eq!(outcome(&scene).await, "404 You hold no call.");
    asked.answer(Ok(()));
    customer.hang_up();
    customer.ended().await;
    bob.ended().await;
    assert!(cloud.try_recv().is_err());
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_another_phone_of_the_extension_holds_is_not_meant() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    hold(&mut bob).await;
    let phone = |address| {
        let config = AgentConfig::phone(address, "102", "secret-102", OFFICE);
        Agent::start(&scene.net, config)
    };
    let elsewhere = phone(at(30));
    told(&elsewhere, DIALLED).await;
    assert_eq!(outcome(&scene).await, "404 You hold no call.");
    assert!(customer.still_up() && bob.still_up() && cloud.try_recv().is_err());
    // Phones that open a connection for each call have another port each time.
    let mut beside = at(12);
    beside.set_port(5070);
    let same = phone(beside);
    let order = async { told(&same, DIALLED).await };
    let answer = async {
        asked_of(&mut cloud).await.answer(Ok(()));
        customer.hang_up();
    };
    tokio::join!(order, answer);
    bob.ended().await;
    assert_eq!(outcome(&scene).await, "200 The call is put through.");
    scene.close().await;
}
