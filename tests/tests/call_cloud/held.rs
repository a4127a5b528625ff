//! The code and a number dialled in a new call, while the phone holds the one that is to go there.

use std::time::Duration;

use offhook_pbx::cloud::CloudError;
use offhook_tests::sim::agent::{Agent, AgentConfig, Describe, Dial};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{OFFICE, Scene, at, connect};
use offhook_tests::sim::sdp::{Direction, audio};
use tokio::time::sleep;

use super::{AWAY, BOBS, asked_of, customer, customer_with, no_invite_went_out, open, update};

pub(super) const DIALLED: &str = "*8+15557770000";

/// Dials, and waits until it is told what came of it.
pub(super) async fn told(phone: &Agent, number: &str) {
    hear(phone.dial(Dial::to(number))).await;
}

/// Words take real time, in which the paused clock runs through hours: nobody listens to them.
async fn hear(mut order: Line) {
    order.answered().await;
    order.hang_up();
    order.ended().await;
}

/// What the record of the last order says of the held call.
pub(super) async fn outcome(scene: &Scene) -> String {
    // Until the timeline is written.
    sleep(Duration::from_secs(5)).await;
    let orders = scene.office.keep.records();
    let id = &orders.iter().rev().find(|record| record.to.starts_with("*8")).unwrap().id;
    let notes = scene.office.keep.notes(id);
    let note = notes.iter().find_map(|note| note.strip_prefix("the held call: "));
    note.unwrap_or_else(|| panic!("{notes:?}")).to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_code_dialled_in_a_new_call_moves_the_call_that_the_phone_holds() {
    let (scene, mut cloud) = open(BOBS).await;
    for (dialled, target) in [(DIALLED, "+15557770000"), ("*8", "connect")] {
        let (mut customer, mut bob) = customer(&scene).await;
        bob.hold().await;
        let mut order = scene.phone(102).dial(Dial::to(dialled));
        // Until it is known what comes of it.
        order.progressed(180).await;
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
        bob.hold().await;
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
    bob.hold().await;
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
async fn who_gives_the_order_up_does_not_take_it_back() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.hold().await;
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
    bob.hold().await;
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
async fn a_held_call_that_the_other_party_puts_through_cannot_be_moved_meanwhile() {
    let (scene, _cloud) = open(BOBS).await;
    let (mut ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.hold().await;
    bob.refer("<sip:103@office.example>");
    let cid = scene.phone(103).call().await;
    cid.ring();
    told(scene.phone(101), "*8102").await;
    assert_eq!(outcome(&scene).await, "480 The call cannot be moved now. Please try again.");
    assert!(ann.still_up());
    cid.reject(486);
    sleep(Duration::from_secs(1)).await;
    assert!(ann.still_up() && bob.still_up());
    ann.hang_up();
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_hangs_the_held_line_up_while_the_number_rings_still_hears_what_came_of_it() {
    let (scene, _cloud) = open(BOBS).await;
    for (status, says) in [(486, "486 The number is busy."), (480, "480 Nobody answers.")] {
        let (mut customer, mut bob) = customer(&scene).await;
        bob.hold().await;
        let order = scene.phone(102).dial(Dial::to("*8103"));
        let cid = scene.phone(103).call().await;
        cid.ring();
        sleep(Duration::from_secs(1)).await;
        bob.hang_up();
        bob.ended().await;
        cid.reject(status);
        hear(order).await;
        assert_eq!(outcome(&scene).await, says);
        customer.hang_up();
        customer.ended().await;
    }
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_hangs_the_held_line_up_while_the_cloud_is_asked_hears_why_and_has_the_caller_again() {
    let (scene, mut cloud) = open(BOBS).await;
    let (mut customer, mut bob) = customer(&scene).await;
    bob.hold().await;
    let order = scene.phone(102).dial(Dial::to(DIALLED));
    let asked = asked_of(&mut cloud).await;
    bob.hang_up();
    bob.ended().await;
    asked.answer(Err(CloudError::Refused("ForbiddenException".into())));
    let mut back = scene.phone(102).call().await;
    back.ring();
    // While it rings.
    hear(order).await;
    assert_eq!(outcome(&scene).await, "403 The cloud may not move the call");
    back.answer();
    back.confirmed().await;
    assert!(customer.still_up());
    customer.hang_up();
    back.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_was_put_through_to_the_phone_is_the_clouds_too() {
    let (scene, mut cloud) = open(BOBS).await;
    let (customer, mut bob) = customer(&scene).await;
    bob.hold().await;
    let (mut asks, mut cid) = connect(scene.phone(102), "103", scene.phone(103)).await;
    bob.refer_to_call("103", &asks).await;
    asks.ended().await;
    bob.ended().await;
    cid.hold().await;
    sleep(Duration::from_secs(5)).await;
    // Held after him, but none of the cloud's.
    let (mut own, mut ann) = connect(scene.phone(103), "101", scene.phone(101)).await;
    own.hold().await;
    let order = async { told(scene.phone(103), "*8").await };
    let answer = async {
        let asked = asked_of(&mut cloud).await;
        assert_eq!(asked.order, update("connect"));
        asked.answer(Ok(()));
        customer.hang_up();
    };
    tokio::join!(order, answer);
    cid.ended().await;
    assert_eq!(outcome(&scene).await, "200 The call is put through.");
    assert!(own.still_up() && ann.still_up());
    own.hang_up();
    ann.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn keys_that_lead_to_a_number_which_is_busy_are_answered_in_words() {
    let dnis = "[dnis]\nour_numbers = [\"+15550007777\"]\nconnect_numbers = [\"+15550001002\"]\n";
    let (scene, mut cloud) =
        open(&format!("sip_media_application_id = \"a-2\"\n{dnis}{BOBS}")).await;
    let (mut customer, mut bob) = customer_with(&scene, &[]).await;
    bob.press("*815557770000#");
    asked_of(&mut cloud).await.answer(Err(CloudError::NotThere));
    scene.trunk.call().await.reject(486);
    sleep(Duration::from_secs(5)).await;
    assert!(customer.still_up() && bob.still_up());
    customer.hang_up();
    bob.ended().await;
    sleep(Duration::from_secs(5)).await;
    let record = scene.record();
    let notes = scene.office.keep.notes(&record.id);
    assert!(notes.iter().any(|note| note == "is told: The number is busy."), "{notes:?}");
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_began_on_hold_is_held() {
    let (scene, _cloud) = open(BOBS).await;
    let mut address = at(12);
    address.set_port(5070);
    let config = AgentConfig::phone(address, "102", "secret-102", OFFICE);
    let silent: Describe = |_| Some(audio("127.2.0.12", 40_000, 1, Direction::SendOnly));
    let same = Agent::start(&scene.net, AgentConfig { describe: Some(silent), ..config });
    let (mut held, ann) = connect(&same, "101", scene.phone(101)).await;
    let order = async { told(scene.phone(102), "*8103").await };
    let answer = async {
        let cid = scene.phone(103).call().await;
        cid.answer();
        cid
    };
    let ((), mut cid) = tokio::join!(order, answer);
    assert_eq!(outcome(&scene).await, "200 The call is put through.");
    held.ended().await;
    ann.hang_up();
    cid.ended().await;
    scene.close().await;
}
