//! Calls that are being put through, were put through before, or change as they are to come.

use std::time::Duration;

use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{Scene, connect};
use offhook_tests::sim::scripted::{Answer, Scripted, actions};
use offhook_tests::sim::sdp::Direction;
use serde_json::json;
use tokio::time::sleep;

use super::{all_hang_up, held_customer, moment, notes, times_noted, two_calls};

#[tokio::test(start_paused = true)]
async fn a_call_on_hold_that_is_being_put_through_is_busy() {
    let scene = Scene::open().await;
    let (mut ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.hold().await;
    let (mut other, mut outside) = connect(scene.phone(101), "+15557770000", &scene.trunk).await;
    ann.refer("<sip:103@office.example>");
    let cid = scene.phone(103).call().await;
    cid.ring();
    moment().await;
    other.press("*3#");
    let text = "a conference is not made: the call on hold is busy";
    assert_eq!(times_noted(&scene, text).await, 1, "{:?}", notes(&scene).await);
    cid.reject(486);
    moment().await;
    for line in [&mut ann, &mut bob, &mut other, &mut outside] {
        assert!(line.still_up());
    }
    all_hang_up(&mut [&mut ann, &mut other]).await;
    bob.ended().await;
    outside.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_resumed_before_it_comes_stays_with_the_phone_which_is_told() {
    let scene = Scene::open().await;
    let ((mut ann, mut bob), (mut other, mut cid)) = two_calls(&scene).await;
    other.press("*3");
    moment().await;
    other.press("#");
    // On its way when the key is.
    ann.reinvite(Direction::SendRecv);
    ann.offer_accepted().await;
    let text = "the call on hold did not come into the conference";
    assert_eq!(times_noted(&scene, text).await, 1, "{:?}", notes(&scene).await);
    for line in [&mut ann, &mut bob, &mut other, &mut cid] {
        assert!(line.still_up());
    }
    all_hang_up(&mut [&mut ann, &mut other, &mut cid]).await;
    bob.ended().await;
    scene.close().await;
}

/// 101 puts its two calls together; the customer and 102 talk, each in a call of its own.
async fn put_through(scene: &Scene) -> (Line, Line) {
    put_through_from(scene, "+15550001000").await
}

/// The same with a customer who calls that number.
async fn put_through_from(scene: &Scene, number: &str) -> (Line, Line) {
    let (customer, mut ann) = held_customer(scene, number).await;
    let (mut second, bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.refer_to_call("102", &second).await;
    assert_eq!(ann.reported().await, 100);
    assert_eq!(ann.reported().await, 200);
    second.ended().await;
    ann.hang_up();
    ann.ended().await;
    (customer, bob)
}

#[tokio::test(start_paused = true)]
async fn a_party_that_was_put_through_before_comes_along_whether_held_or_talking() {
    for held in [true, false] {
        let scene = Scene::open().await;
        let (mut customer, mut bob) = put_through(&scene).await;
        let (mut gone, mut talking, mut cid);
        if held {
            bob.hold().await;
            (talking, cid) = connect(scene.phone(102), "103", scene.phone(103)).await;
            gone = bob;
        } else {
            (gone, cid) = connect(scene.phone(102), "103", scene.phone(103)).await;
            gone.hold().await;
            talking = bob;
        }
        talking.press("*3#");
        gone.ended().await;
        sleep(Duration::from_secs(30)).await;
        assert!(customer.still_up() && cid.still_up() && talking.still_up(), "{held}");
        talking.hang_up();
        talking.ended().await;
        sleep(Duration::from_secs(30)).await;
        assert!(customer.still_up() && cid.still_up(), "{held}");
        all_hang_up(&mut [&mut customer, &mut cid]).await;
        scene.close().await;
    }
}

/// The call with the party is the one to say whether it comes.
#[tokio::test(start_paused = true)]
async fn a_party_whose_call_is_busy_does_not_come_and_everybody_stays_where_he_was() {
    let bridge = json!({"Type": "CallAndBridge", "Parameters": {"CallTimeoutSeconds": "30",
        "CallerIdNumber": "+15550009999",
        "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "101"}]}});
    // It thinks about an update for ever.
    let script = Scripted::new(vec![actions(json!([bridge])), Answer::Nothing, Answer::Never]);
    let number = "[[number]]\nmatch = \"+15550001001\"\nto = \"flow:desk\"\n";
    let scene = Scene::running(script.applications(), number).await;
    let (mut customer, mut bob) = put_through_from(&scene, "+15550001001").await;
    bob.hold().await;
    let (mut talking, mut cid) = connect(scene.phone(102), "103", scene.phone(103)).await;
    talking.hold().await;
    bob.reinvite(Direction::SendRecv);
    bob.offer_accepted().await;
    let calls = &scene.office.calls;
    let id = calls.calls()[0].id.clone();
    calls.update_call_of("flow:desk", &id, Default::default()).unwrap();
    moment().await;
    bob.press("*3#");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(times_noted(&scene, "is told: The call cannot be moved now").await, 1);
    let all = [&mut customer, &mut bob, &mut talking, &mut cid];
    assert!(all.into_iter().all(Line::still_up));
    all_hang_up(&mut [&mut bob, &mut talking]).await;
    customer.ended().await;
    cid.ended().await;
    scene.close().await;
}
