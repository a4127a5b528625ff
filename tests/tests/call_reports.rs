//! What a phone hears of the calls that it puts through (RFC 3515), and what is kept of it, on the
//! simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use offhook_sip::header::HeaderName;
use offhook_sip::message::Method;
use offhook_tests::sim::agent::{Agent, AgentConfig};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{OFFICE, Scene, at, connect, text};
use tokio::time::sleep;

/// Ann has called Bob.
async fn call(scene: &Scene) -> (Line, Line) {
    connect(scene.phone(101), "102", scene.phone(102)).await
}

#[tokio::test(start_paused = true)]
async fn a_phone_ends_the_reports_on_its_transfer_and_the_transfer_goes_on() {
    let scene = Scene::open().await;
    let (mut ann, mut bob) = call(&scene).await;
    ann.refer("<sip:103@office.example>");
    let first = ann.notified().await;
    let event = text(&first, "Event").unwrap();
    assert!(text(&first, "Subscription-State").unwrap().starts_with("active;expires="));
    let mut cid = scene.phone(103).call().await;
    // Longer, by the name that the reports give it, or without any.
    for event in [event.as_str(), "refer"] {
        let longer = ann.subscribe(event, 600).await;
        assert_eq!(longer.status.code(), 200);
        assert_eq!(longer.headers.text(&HeaderName::Expires).as_deref(), Some("600"));
        let report = ann.notified().await;
        assert_eq!(text(&report, "Subscription-State").as_deref(), Some("active;expires=600"));
    }
    // Not at all any more.
    assert_eq!(ann.subscribe(&event, 0).await.status.code(), 200);
    let last = ann.notified().await;
    let state = text(&last, "Subscription-State").unwrap();
    assert_eq!(state, "terminated;reason=timeout");
    assert!(last.body.starts_with(b"SIP/2.0 100"), "{:?}", last.body);
    assert_eq!(ann.subscribe(&event, 600).await.status.code(), 481);
    let before = scene.net.messages("NOTIFY sip:101").len();
    cid.ring();
    sleep(Duration::from_secs(1)).await;
    cid.answer();
    cid.confirmed().await;
    assert!(ann.ended().await.answered.is_some());
    assert_eq!(scene.net.messages("NOTIFY sip:101").len(), before);
    assert!(bob.still_up() && cid.still_up());
    bob.hang_up();
    cid.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn only_transfers_can_be_subscribed_to_in_a_call() {
    let scene = Scene::open().await;
    let (mut ann, mut bob) = call(&scene).await;
    assert_eq!(ann.subscribe("refer", 60).await.status.code(), 481);
    let answer = ann.subscribe("conference", 60).await;
    assert_eq!(answer.status.code(), 489);
    assert_eq!(answer.headers.text(&HeaderName::AllowEvents).as_deref(), Some("refer"));
    assert!(ann.still_up() && bob.still_up());
    // The party that is put through has no say in the reports.
    ann.refer("<sip:103@office.example>");
    let event = text(&ann.notified().await, "Event").unwrap();
    assert_eq!(bob.subscribe(&event, 0).await.status.code(), 481);
    ann.hang_up();
    bob.hang_up();
    scene.phone(103).call().await.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_refuses_a_report_gets_no_more_of_them_and_its_transfer_goes_on() {
    let scene = Scene::open().await;
    let (mut ann, bob) = call(&scene).await;
    ann.refuse_requests(481);
    ann.refer("<sip:103@office.example>");
    assert_eq!(ann.reported().await, 100);
    let mut cid = scene.phone(103).call().await;
    cid.ring();
    sleep(Duration::from_secs(1)).await;
    cid.answer();
    cid.confirmed().await;
    ann.ended().await;
    assert_eq!(scene.net.messages("NOTIFY sip:101").len(), 1, "{}", scene.net.ladder("NOTIFY"));
    bob.hang_up();
    cid.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn reports_on_a_transfer_that_takes_longer_than_its_subscription_end_with_it() {
    let scene = Scene::open().await;
    let (mut ann, bob) = call(&scene).await;
    ann.refer("<sip:+15557770000@office.example>");
    assert_eq!(ann.reported().await, 100);
    let mut far = scene.trunk.call().await;
    far.ring();
    assert_eq!(ann.reported().await, 180);
    let last = ann.notified().await;
    let state = text(&last, "Subscription-State").unwrap();
    assert_eq!(state, "terminated;reason=timeout", "{}", scene.net.ladder("NOTIFY"));
    far.answer();
    far.confirmed().await;
    ann.ended().await;
    bob.hang_up();
    far.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_record_says_who_put_a_call_through_and_to_whom() {
    let scene = Scene::open().await;
    let (mut ann, bob) = call(&scene).await;
    ann.refer("<sip:199@office.example>");
    assert_eq!(ann.reported().await, 100);
    assert_eq!(ann.reported().await, 404);
    ann.refer("<sip:103@office.example>");
    let mut cid = scene.phone(103).call().await;
    cid.answer();
    cid.confirmed().await;
    ann.ended().await;
    // And 103 goes on to a call of its own.
    let (mut asks, mut second) = connect(scene.phone(103), "101", scene.phone(101)).await;
    cid.refer_to_call("101", &asks).await;
    asks.ended().await;
    cid.ended().await;
    bob.hang_up();
    second.ended().await;
    let records = scene.close().await;
    let transfers = |call: usize| -> Vec<_> {
        let list = records[call].transfers.iter();
        list.map(|t| (t.by.as_str(), t.to.as_str(), t.attended, t.status)).collect()
    };
    let [ann, cid] = ["extension:101", "extension:103"];
    assert_eq!(
        transfers(0),
        [
            (ann, "199", false, Some(404)),
            (ann, "103", false, Some(200)),
            (cid, "101", true, Some(200))
        ]
    );
    assert_eq!(transfers(1), [(cid, "102", true, Some(200))]);
}

#[tokio::test(start_paused = true)]
async fn who_is_put_through_is_shown_whom_it_talks_to_now() {
    let scene = Scene::open().await;
    // Bob's phone takes UPDATE; a second one of his would be broken by it.
    let mut config = AgentConfig::phone(at(24), "102", "secret-102", OFFICE);
    config.session.allow.retain(|method| *method != Method::Update);
    let old = Agent::start(&scene.net, config);
    for bob in [scene.phone(102), &old] {
        scene.phone(102).register(0).await;
        bob.register(3600).await;
        let (mut ann, mut bob) = connect(scene.phone(101), "102", bob).await;
        ann.refer("<sip:103@office.example>");
        let mut cid = scene.phone(103).call().await;
        cid.answer();
        cid.confirmed().await;
        ann.ended().await;
        sleep(Duration::from_secs(5)).await;
        assert!(bob.still_up() && cid.still_up());
        bob.hang_up();
        cid.ended().await;
    }
    old.register(0).await;
    let told = scene.net.messages("UPDATE sip:102@");
    let [(_, to, update)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*to, at(12));
    let shown = update.lines().find(|line| line.starts_with("P-Asserted-Identity:"));
    assert!(shown.unwrap().contains("<sip:103@office.example>"), "{update}");
    let again = scene.net.messages("INVITE sip:102@");
    assert!(again.iter().all(|(.., m)| !m.contains("103@")), "{again:?}");
    scene.close().await;
}
