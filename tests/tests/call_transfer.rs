//! Phones that put their calls through: REFER, blind and attended (RFC 5589), on the simulated
//! network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use offhook_sip::header::HeaderName;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{Scene, connect, text};
use offhook_tests::sim::sdp::Direction;
use tokio::time::sleep;

/// A customer on the trunk, connected with 101.
async fn customer(scene: &Scene) -> (Line, Line) {
    let dial = Dial::to("+15550001000")
        .from("+15550007777")
        .with("X-Original-Calling-Number", "+14155550123");
    let mut out = scene.trunk.dial(dial);
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    out.answered().await;
    ann.confirmed().await;
    (out, ann)
}

#[tokio::test(start_paused = true)]
async fn a_phone_puts_its_caller_through_to_another_phone() {
    let scene = Scene::open().await;
    let (mut customer, mut ann) = customer(&scene).await;
    ann.reinvite(Direction::SendOnly);
    ann.offer_accepted().await;
    ann.refer("<sip:102@office.example>");
    assert_eq!(ann.reported().await, 100);
    let mut bob = scene.phone(102).call().await;
    // Bob sees the customer, not Ann.
    let invite = bob.invite.clone().unwrap();
    assert!(text(&invite, "From").unwrap().contains("sip:+14155550123@"), "{invite:?}");
    assert_eq!(text(&invite, "X-Original-Calling-Number").as_deref(), Some("+14155550123"));
    bob.ring();
    assert_eq!(ann.reported().await, 180);
    bob.answer();
    bob.confirmed().await;
    assert_eq!(ann.reported().await, 200);
    ann.hang_up();
    ann.ended().await;
    sleep(Duration::from_secs(10)).await;
    assert!(customer.still_up() && bob.still_up());
    bob.hang_up();
    customer.ended().await;
    let records = scene.close().await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].destination.as_deref(), Some("extension:102"));
    assert_eq!(records[0].hung_up_by.as_deref(), Some("callee"));
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_does_not_hang_up_after_its_transfer_is_hung_up() {
    let scene = Scene::open().await;
    // The other direction: Ann called, and puts through whom she called.
    let (mut ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.refer("<sip:103@office.example>");
    let mut cid = scene.phone(103).call().await;
    assert!(text(cid.invite.as_ref().unwrap(), "From").unwrap().contains("\"Bob\" <sip:102@"));
    cid.answer();
    cid.confirmed().await;
    assert!(ann.ended().await.answered.is_some());
    assert!(bob.still_up() && cid.still_up());
    bob.hang_up();
    cid.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_gets_its_caller_back_when_nobody_takes_the_call() {
    let scene = Scene::open().await;
    let (mut customer, mut ann) = customer(&scene).await;
    for (number, status) in [("102", 486), ("199", 404), ("103", 480)] {
        ann.refer(&format!("<sip:{number}@office.example>"));
        assert_eq!(ann.reported().await, 100);
        match number {
            "102" => scene.phone(102).call().await.reject(486),
            "103" => {
                let ringing = scene.phone(103).call().await;
                ringing.ring();
                assert_eq!(ann.reported().await, 180);
            }
            _ => {}
        }
        assert_eq!(ann.reported().await, status, "{number}");
        assert!(customer.still_up() && ann.still_up());
    }
    // They talk again, and the next attempt works.
    ann.refer("<sip:102@office.example>");
    let mut bob = scene.phone(102).call().await;
    bob.answer();
    bob.confirmed().await;
    assert_eq!(ann.reported().await, 100);
    assert_eq!(ann.reported().await, 200);
    customer.hang_up();
    bob.ended().await;
    ann.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_hangs_up_at_once_after_a_refer_has_put_the_call_through_all_the_same() {
    let scene = Scene::open().await;
    let (mut customer, mut ann) = customer(&scene).await;
    ann.refer("<sip:102@office.example>");
    assert_eq!(ann.reported().await, 100);
    ann.hang_up();
    ann.ended().await;
    let mut bob = scene.phone(102).call().await;
    bob.ring();
    sleep(Duration::from_secs(5)).await;
    assert!(customer.still_up());
    bob.answer();
    bob.confirmed().await;
    customer.hang_up();
    bob.ended().await;
    customer.ended().await;

    // Nobody answers, and nobody is left who could have the caller back.
    let (mut customer, ann) = self::customer(&scene).await;
    ann.refer("<sip:102@office.example>");
    let mut bob = scene.phone(102).call().await;
    ann.hang_up();
    bob.reject(603);
    customer.ended().await;
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_while_being_put_through_leaves_nobody() {
    let scene = Scene::open().await;
    let (customer, mut ann) = customer(&scene).await;
    ann.refer("<sip:102@office.example>");
    let mut bob = scene.phone(102).call().await;
    bob.ring();
    assert_eq!(ann.reported().await, 100);
    assert_eq!(ann.reported().await, 180);
    customer.hang_up();
    assert_eq!(ann.reported().await, 487);
    ann.ended().await;
    assert_eq!(bob.ended().await.answered, None);
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_transfer_has_the_rights_of_the_phone_and_a_trunk_has_none() {
    let scene = Scene::open().await;
    // 103 may not call outside, so it may not put anybody through to there.
    let (mut out, mut cid) = connect(scene.phone(102), "103", scene.phone(103)).await;
    cid.refer("<sip:+15557770000@office.example>");
    assert_eq!(cid.reported().await, 100);
    assert_eq!(cid.reported().await, 403);
    // 102 may.
    out.refer("<sip:+15557770000@office.example>");
    assert_eq!(out.reported().await, 100);
    let mut far = scene.trunk.call().await;
    assert!(text(far.invite.as_ref().unwrap(), "From").unwrap().contains("+15550009999"));
    far.answer();
    far.confirmed().await;
    assert_eq!(out.reported().await, 200);
    out.ended().await;
    // A trunk that could refer could make us dial.
    let before = scene.net.messages("INVITE sip:").len();
    far.refer("<sip:+15558880000@office.example>");
    sleep(Duration::from_secs(2)).await;
    assert!(scene.net.messages("SIP/2.0 403").iter().any(|(.., m)| m.contains("REFER")));
    assert_eq!(scene.net.messages("INVITE sip:").len(), before);
    assert!(far.still_up() && cid.still_up());
    cid.hang_up();
    far.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_puts_one_of_its_calls_through_to_the_other() {
    let scene = Scene::open().await;
    for caller_ends in [true, false] {
        let (mut customer, mut first) = customer(&scene).await;
        first.reinvite(Direction::SendOnly);
        first.offer_accepted().await;
        let (mut second, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
        first.refer_to_call("102", &second).await;
        assert_eq!(first.reported().await, 100);
        assert_eq!(first.reported().await, 200);
        // The phone's call with Bob was ended by us, the other one by itself or by us.
        assert!(second.ended().await.answered.is_some());
        first.ended().await;
        sleep(Duration::from_secs(100)).await;
        assert!(customer.still_up() && bob.still_up());
        assert_eq!(scene.office.calls.count(), 2);
        // Bob's phone is told whom it has now.
        let updates = scene.net.messages("UPDATE sip:102@");
        assert!(updates.iter().any(|(.., m)| m.contains("sip:+14155550123@")), "{updates:?}");
        let ending = if caller_ends { &customer } else { &bob };
        ending.hang_up();
        customer.ended().await;
        bob.ended().await;
    }
    let records = scene.close().await;
    assert_eq!(records.len(), 4);
    assert_eq!(records[0].destination.as_deref(), Some("extension:102"));
    assert!(records.iter().all(|r| r.disposition == "answered" && r.failure.is_none()));
}

#[tokio::test(start_paused = true)]
async fn an_attended_transfer_to_somebody_who_still_rings_rings_for_the_caller() {
    let scene = Scene::open().await;
    let (mut customer, mut first) = customer(&scene).await;
    let mut second = scene.phone(101).dial(Dial::to("102"));
    let mut ringing = scene.phone(102).call().await;
    ringing.ring();
    second.progressed(180).await;
    first.refer_to_call("102", &second).await;
    ringing.ended().await;
    second.ended().await;
    let mut bob = scene.phone(102).call().await;
    assert!(text(bob.invite.as_ref().unwrap(), "From").unwrap().contains("+14155550123"));
    bob.answer();
    bob.confirmed().await;
    assert_eq!(first.reported().await, 100);
    assert_eq!(first.reported().await, 200);
    customer.hang_up();
    bob.ended().await;
    first.ended().await;
    customer.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_was_put_through_can_be_put_through_again() {
    let scene = Scene::open().await;
    let (mut customer, mut first) = customer(&scene).await;
    let (mut second, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    first.refer_to_call("102", &second).await;
    second.ended().await;
    first.ended().await;
    // Bob, in another call than the customer's, passes the customer on to 103.
    bob.reinvite(Direction::SendOnly);
    bob.offer_accepted().await;
    bob.refer("<sip:103@office.example>");
    assert_eq!(bob.reported().await, 100);
    scene.phone(103).call().await.reject(486);
    assert_eq!(bob.reported().await, 486);
    sleep(Duration::from_secs(5)).await;
    assert!(customer.still_up() && bob.still_up());
    bob.refer("<sip:103@office.example>");
    assert_eq!(bob.reported().await, 100);
    let mut cid = scene.phone(103).call().await;
    assert!(text(cid.invite.as_ref().unwrap(), "From").unwrap().contains("+14155550123"));
    cid.answer();
    cid.confirmed().await;
    assert_eq!(bob.reported().await, 200);
    bob.ended().await;
    sleep(Duration::from_secs(5)).await;
    assert!(customer.still_up() && cid.still_up());

    // And 103 has a call with 101, and puts the customer through to that.
    let (mut asks, mut ann) = connect(scene.phone(103), "101", scene.phone(101)).await;
    cid.refer_to_call("101", &asks).await;
    asks.ended().await;
    cid.ended().await;
    sleep(Duration::from_secs(5)).await;
    assert!(customer.still_up() && ann.still_up());
    ann.hang_up();
    customer.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_puts_through_what_is_not_theirs() {
    let scene = Scene::open().await;
    let (mut customer, mut first) = customer(&scene).await;
    let (mut theirs, mut bob) = connect(scene.phone(103), "102", scene.phone(102)).await;
    // A call of others, and one that there is not.
    first.refer_to_call("102", &theirs).await;
    assert_eq!(first.reported().await, 100);
    assert_eq!(first.reported().await, 403);
    first.refer("<sip:102@office.example?Replaces=no-such%3Bto-tag%3Da%3Bfrom-tag%3Db>");
    assert_eq!(first.reported().await, 100);
    assert_eq!(first.reported().await, 481);
    assert!(customer.still_up() && first.still_up() && theirs.still_up() && bob.still_up());
    // A phone in no call, one in a call with nobody, a REFER that makes no sense.
    first.refer("<sip:102@office.example;method=BYE>");
    sleep(Duration::from_secs(2)).await;
    assert!(scene.net.messages("SIP/2.0 501").iter().any(|(.., m)| m.contains("REFER")));
    first.refer("<https://office.example/102>");
    sleep(Duration::from_secs(2)).await;
    assert!(scene.net.messages("SIP/2.0 416").iter().any(|(.., m)| m.contains("REFER")));
    first.hang_up();
    theirs.hang_up();
    customer.ended().await;
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_invite_with_replaces_takes_no_call_and_rings_nobody() {
    let scene = Scene::open().await;
    let (mut customer, ann) = customer(&scene).await;
    let (call_id, local, remote) = ann.names().await;
    let replaces = format!("{call_id};to-tag={remote};from-tag={local}");
    for from in [scene.phone(102), &scene.trunk] {
        let mut out = from.dial(Dial::to("101").with("Replaces", &replaces));
        let refusal = out.rejected().await;
        assert_eq!(refusal.status.code(), 481);
        assert!(refusal.headers.has(&HeaderName::Warning));
        out.ended().await;
    }
    assert!(scene.phone(101).waiting_call().await.is_none());
    assert!(customer.still_up());
    ann.hang_up();
    customer.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_transfer_to_a_call_for_help_is_ended_by_no_limit_and_one_that_failed_by_all() {
    let scene = Scene::with("[sip]\nmax_call_seconds = 120\n").await;
    let (mut caller, mut first) = connect(scene.phone(102), "101", scene.phone(101)).await;
    let mut second = scene.phone(101).dial(Dial::to("911"));
    let mut help = scene.trunk.call().await;
    help.ring();
    second.progressed(180).await;
    // A call for help that rings is not given up to be dialled once more.
    first.refer_to_call("911", &second).await;
    assert_eq!(first.reported().await, 100);
    assert_eq!(first.reported().await, 480);
    help.answer();
    second.answered().await;
    help.confirmed().await;
    first.refer_to_call("911", &second).await;
    assert_eq!(first.reported().await, 100);
    assert_eq!(first.reported().await, 200);
    first.ended().await;
    second.ended().await;
    sleep(Duration::from_secs(600)).await;
    assert!(caller.still_up() && help.still_up());
    caller.hang_up();
    help.ended().await;

    // A number that did not answer lifts no limit.
    let (mut caller, mut ann) = connect(scene.phone(102), "101", scene.phone(101)).await;
    ann.refer("<sip:911@office.example>");
    scene.trunk.call().await.reject(486);
    assert_eq!(ann.reported().await, 100);
    assert_eq!(ann.reported().await, 486);
    sleep(Duration::from_secs(130)).await;
    assert!(!caller.still_up() && !ann.still_up());
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_hidden_caller_stays_hidden_when_put_through_to_another_call() {
    let scene = Scene::open().await;
    let dial = Dial::to("+15550001000").from("+15550007777").with("Privacy", "id");
    let mut customer = scene.trunk.dial(dial);
    let mut first = scene.phone(101).call().await;
    first.answer();
    customer.answered().await;
    first.confirmed().await;
    let (mut second, bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    first.refer_to_call("102", &second).await;
    second.ended().await;
    first.ended().await;
    sleep(Duration::from_secs(5)).await;
    let updates = scene.net.messages("UPDATE sip:102@");
    let hidden = |m: &str| m.contains("anonymous.invalid") && !m.contains("7777");
    assert!(!updates.is_empty() && updates.iter().all(|(.., m)| hidden(m)), "{updates:?}");
    bob.hang_up();
    customer.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_no_number_at_all_is_not_dialled() {
    let scene = Scene::open().await;
    let (mut customer, ann) = customer(&scene).await;
    for target in ["1".repeat(300), "102%1b%5b2J".to_owned()] {
        ann.refer(&format!("<sip:{target}@office.example>"));
        sleep(Duration::from_secs(2)).await;
    }
    let refused = scene.net.messages("SIP/2.0 400");
    assert_eq!(refused.iter().filter(|(.., m)| m.contains("REFER")).count(), 2);
    assert!(customer.still_up());
    ann.hang_up();
    customer.ended().await;
    scene.close().await;
}
