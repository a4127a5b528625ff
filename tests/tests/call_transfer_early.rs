//! Phones that put their call through before it is settled: a REFER behind the 200, or the ACK, when
//! somebody's ACK is still to come or an application is just told that somebody answered.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use offhook_sip::message::{Method, Response};
use offhook_sip::session::SessionEvent;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{OFFICE, Scene, TRUNK, at, connect};
use offhook_tests::sim::scripted::{Answer, Scripted, actions, bridge};
use serde_json::json;
use tokio::time::{Instant, sleep};

/// A call of the trunk for 101, and Ann's side of it, which rings.
async fn ringing(scene: &Scene) -> (Line, Line) {
    let out = scene.trunk.dial(Dial::to("+15550001000").from("+15550007777"));
    let ann = scene.phone(101).call().await;
    ann.ring();
    (out, ann)
}

/// The answer to a REFER, and when it came.
async fn answer_to_refer(line: &mut Line) -> (Response, Instant) {
    let of_refer = |event: &SessionEvent| match event {
        SessionEvent::Response { response, .. } => {
            let method = response.cseq().ok().map(|cseq| cseq.method);
            (method == Some(Method::Refer)).then(|| response.clone())
        }
        _ => None,
    };
    let response = line.until(of_refer).await;
    (response, Instant::now())
}

/// How often the office has called 103 by now.
fn calls_of_cid(scene: &Scene) -> usize {
    let invites = scene.net.messages("INVITE sip:103@");
    invites.iter().filter(|(from, ..)| *from == OFFICE).count()
}

/// The phone that is called takes the call.
async fn cid_answers(scene: &Scene) -> Line {
    let mut cid = scene.phone(103).call().await;
    cid.answer();
    cid.confirmed().await;
    cid
}

/// Ends what is left of a transfer, and looks that nothing is.
async fn part(scene: Scene, stays: &mut Line, takes: &mut Line) {
    sleep(Duration::from_secs(5)).await;
    assert!(stays.still_up() && takes.still_up());
    stays.hang_up();
    takes.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_called_puts_the_caller_through_before_his_ack_is_there() {
    let scene = Scene::open().await;
    let (mut out, mut ann) = ringing(&scene).await;
    // The caller's first two ACKs are lost: his third comes 1.5 seconds after the 200.
    scene.net.lose(TRUNK, "ACK", 2);
    ann.answer();
    let asked = Instant::now();
    ann.refer("<sip:103@office.example>");
    let (response, at) = answer_to_refer(&mut ann).await;
    assert_eq!(response.status.code(), 202, "{}", scene.net.ladder(""));
    let waited = at - asked;
    assert!(waited > Duration::from_secs(1) && waited < Duration::from_secs(2), "{waited:?}");
    assert_eq!(ann.reported().await, 100);
    let mut cid = cid_answers(&scene).await;
    assert_eq!(ann.reported().await, 200);
    ann.ended().await;
    assert_eq!(calls_of_cid(&scene), 1);
    part(scene, &mut out, &mut cid).await;
}

#[tokio::test(start_paused = true)]
async fn who_calls_puts_the_called_through_by_a_refer_that_overtakes_the_ack() {
    let scene = Scene::open().await;
    let mut ann = scene.phone(101).dial(Dial::to("102"));
    let mut bob = scene.phone(102).call().await;
    bob.ring();
    scene.net.lose(at(11), "ACK", 1);
    bob.answer();
    ann.answered().await;
    ann.refer("<sip:103@office.example>");
    let (response, _) = answer_to_refer(&mut ann).await;
    assert_eq!(response.status.code(), 202, "{}", scene.net.ladder(""));
    let mut cid = cid_answers(&scene).await;
    ann.ended().await;
    part(scene, &mut bob, &mut cid).await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_puts_a_call_through_whose_application_is_just_told_of_the_answer() {
    let scripted = Scripted::new(vec![
        actions(json!([bridge("101")])),
        Answer::Late(Duration::from_millis(1_500), json!({"SchemaVersion": "1.0", "Actions": []})),
    ]);
    let more = "[[number]]\nmatch = \"+15550002000\"\nto = \"flow:main\"\n";
    let scene = Scene::running(scripted.applications(), more).await;
    let mut out = scene.trunk.dial(Dial::to("+15550002000").from("+15550007777"));
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    out.answered().await;
    ann.confirmed().await;
    ann.refer("<sip:103@office.example>");
    let (response, _) = answer_to_refer(&mut ann).await;
    assert_eq!(response.status.code(), 202, "{:?}", scripted.told());
    let mut cid = cid_answers(&scene).await;
    ann.ended().await;
    part(scene, &mut out, &mut cid).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_in_which_an_application_does_something_is_declined_at_once() {
    let pause = json!({"Type": "Pause", "Parameters": {"DurationInMilliseconds": "5000"}});
    let scripted = Scripted::new(vec![actions(json!([bridge("101"), pause]))]);
    let more = "[[number]]\nmatch = \"+15550002000\"\nto = \"flow:main\"\n";
    let scene = Scene::running(scripted.applications(), more).await;
    let mut out = scene.trunk.dial(Dial::to("+15550002000").from("+15550007777"));
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    out.answered().await;
    ann.confirmed().await;
    sleep(Duration::from_secs(1)).await;
    let asked = Instant::now();
    ann.refer("<sip:103@office.example>");
    let (response, at) = answer_to_refer(&mut ann).await;
    assert_eq!((response.status.code(), (at - asked).as_secs()), (603, 0));
    assert_eq!(calls_of_cid(&scene), 0);
    part(scene, &mut out, &mut ann).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_settled_in_time_is_not_put_through_and_goes_on() {
    let scene = Scene::open().await;
    let (mut out, mut ann) = ringing(&scene).await;
    scene.net.lose(TRUNK, "ACK", 3);
    ann.answer();
    let asked = Instant::now();
    ann.refer("<sip:103@office.example>");
    let (response, at) = answer_to_refer(&mut ann).await;
    assert_eq!((response.status.code(), (at - asked).as_secs()), (603, 2));
    // The fourth ACK is there 3.5 seconds after the 200: now it may.
    sleep(Duration::from_secs(3)).await;
    assert!(out.still_up() && ann.still_up());
    ann.refer("<sip:103@office.example>");
    assert_eq!(answer_to_refer(&mut ann).await.0.status.code(), 202);
    let mut cid = cid_answers(&scene).await;
    ann.ended().await;
    assert_eq!(calls_of_cid(&scene), 1);
    part(scene, &mut out, &mut cid).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_order_while_one_waits_is_told_so_and_one_that_is_wrong_at_once() {
    let scene = Scene::open().await;
    let (mut out, mut ann) = ringing(&scene).await;
    scene.net.lose(TRUNK, "ACK", 2);
    ann.answer();
    ann.refer("<https://office.example/103>");
    assert_eq!(answer_to_refer(&mut ann).await.0.status.code(), 416);
    ann.refer("<sip:103@office.example>");
    ann.refer("<sip:102@office.example>");
    assert_eq!(answer_to_refer(&mut ann).await.0.status.code(), 491);
    assert_eq!(answer_to_refer(&mut ann).await.0.status.code(), 202);
    let mut cid = cid_answers(&scene).await;
    ann.ended().await;
    assert!(scene.phone(102).waiting_call().await.is_none());
    part(scene, &mut out, &mut cid).await;
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_phone_or_caller_goes_meanwhile_is_answered_and_calls_nobody() {
    // Her own BYE ends what waits (RFC 3261 §15.1.2); without anybody to put through it is declined.
    for (caller_goes, status) in [(true, "SIP/2.0 487"), (false, "SIP/2.0 603")] {
        let scene = Scene::open().await;
        let mut ann = scene.phone(101).dial(Dial::to("102"));
        let mut bob = scene.phone(102).call().await;
        scene.net.lose(at(11), "ACK", 2);
        bob.answer();
        ann.answered().await;
        ann.refer("<sip:103@office.example>");
        sleep(Duration::from_millis(100)).await;
        if caller_goes {
            ann.hang_up();
        } else {
            bob.hang_up();
        }
        ann.ended().await;
        bob.ended().await;
        sleep(Duration::from_secs(5)).await;
        let refused = scene.net.messages(status);
        let answers: Vec<_> = refused.iter().filter(|(.., m)| m.contains("REFER")).collect();
        assert_eq!(answers.len(), 1, "{}", scene.net.ladder(""));
        let call = scene.office.keep.records().remove(0).id;
        let notes = scene.office.keep.notes(&call);
        let declined = notes.iter().any(|note| note == "a transfer was refused: 603");
        assert_ne!(declined, caller_goes, "{notes:?}");
        assert_eq!(calls_of_cid(&scene), 0);
        scene.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_calls_become_one_though_the_second_was_answered_only_this_moment() {
    for called in [true, false] {
        let scene = Scene::open().await;
        let (mut out, mut first) = ringing(&scene).await;
        first.answer();
        out.answered().await;
        first.confirmed().await;
        sleep(Duration::from_secs(1)).await;
        // Ann's second call, with Bob: whoever called, his ACK or hers is late.
        let (second, mut bob) = if called {
            let mut bob = scene.phone(102).dial(Dial::to("101"));
            let second = scene.phone(101).call().await;
            scene.net.lose(at(12), "ACK", 1);
            second.answer();
            bob.answered().await;
            (second, bob)
        } else {
            let mut second = scene.phone(101).dial(Dial::to("102"));
            let bob = scene.phone(102).call().await;
            scene.net.lose(at(11), "ACK", 1);
            bob.answer();
            second.answered().await;
            (second, bob)
        };
        first.refer_to_call("102", &second).await;
        assert_eq!(first.reported().await, 100);
        assert_eq!(first.reported().await, 200, "{}", scene.net.ladder(""));
        first.ended().await;
        part(scene, &mut out, &mut bob).await;
        drop(second);
    }
}

/// Ann talks to the trunk in her first call, and calls Bob in her second, who just answered; her ACK
/// is late. The trunk's line, hers of both calls, Bob's.
async fn second_answered_this_moment(scene: &Scene) -> [Line; 4] {
    let (mut out, mut first) = ringing(scene).await;
    first.answer();
    out.answered().await;
    first.confirmed().await;
    sleep(Duration::from_secs(1)).await;
    let mut second = scene.phone(101).dial(Dial::to("102"));
    let bob = scene.phone(102).call().await;
    scene.net.lose(at(11), "ACK", 1);
    bob.answer();
    second.answered().await;
    [out, first, second, bob]
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_before_the_second_is_settled_leaves_that_one_alone() {
    let scene = Scene::open().await;
    let [out, mut first, mut second, mut bob] = second_answered_this_moment(&scene).await;
    first.refer_to_call("102", &second).await;
    sleep(Duration::from_millis(100)).await;
    out.hang_up();
    first.ended().await;
    part(scene, &mut second, &mut bob).await;
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_before_the_second_call_is_settled_is_not_called_again() {
    let scene = Scene::open().await;
    let [mut out, mut first, mut second, bob] = second_answered_this_moment(&scene).await;
    first.refer_to_call("102", &second).await;
    sleep(Duration::from_millis(100)).await;
    bob.hang_up();
    second.ended().await;
    assert_eq!((first.reported().await, first.reported().await), (100, 481));
    assert!(scene.phone(102).waiting_call().await.is_none());
    part(scene, &mut out, &mut first).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_answered_this_moment_is_put_through_to_an_older_one() {
    let scene = Scene::open().await;
    let (mut second, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    let (mut out, mut first) = ringing(&scene).await;
    scene.net.lose(TRUNK, "ACK", 1);
    first.answer();
    first.refer_to_call("102", &second).await;
    assert_eq!(answer_to_refer(&mut first).await.0.status.code(), 202);
    assert_eq!(first.reported().await, 100);
    assert_eq!(first.reported().await, 200);
    first.ended().await;
    second.ended().await;
    part(scene, &mut out, &mut bob).await;
}
