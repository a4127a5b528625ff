//! A phone that asks for a conference and brings its calls into it (RFC 4579), on the simulated
//! network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use offhook_sip::header::HeaderName;
use offhook_sip::message::Response;
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::scene::{Scene, connect};
use offhook_tests::sim::sdp::Direction;
use tokio::time::sleep;

/// The address of a conference, from the Contact that marks it as one.
fn room(answer: &Response) -> String {
    let contact = answer.headers.text(&HeaderName::Contact).unwrap().into_owned();
    let (uri, mark) = contact.trim_start_matches('<').split_once('>').unwrap();
    assert_eq!(mark, ";isfocus", "{contact}");
    uri.to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_phone_brings_its_two_calls_into_a_room_of_its_own_and_leaves_it() {
    let scene = Scene::open().await;
    let (mut ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.reinvite(Direction::SendOnly);
    ann.offer_accepted().await;
    let (mut other, mut cid) = connect(scene.phone(101), "103", scene.phone(103)).await;
    let mut focus = scene.phone(101).dial(Dial::to("conference"));
    let uri = room(&focus.answered().await);
    sleep(Duration::from_secs(1)).await;
    for line in [&mut ann, &mut other] {
        line.refer(&format!("<{uri}>"));
        assert_eq!(line.reported().await, 100);
        assert_eq!(line.reported().await, 200);
        line.hang_up();
        line.ended().await;
    }
    sleep(Duration::from_secs(30)).await;
    assert!(bob.still_up() && cid.still_up() && focus.still_up());
    // The others stay when the phone goes, and the last one ends the room.
    focus.hang_up();
    focus.ended().await;
    sleep(Duration::from_secs(5)).await;
    assert!(bob.still_up() && cid.still_up());
    for line in [&mut bob, &mut cid] {
        line.hang_up();
        line.ended().await;
    }
    sleep(Duration::from_secs(1)).await;
    let number = uri.trim_start_matches("sip:").split('@').next().unwrap();
    let mut late = scene.phone(102).dial(Dial::to(number));
    assert_eq!(late.rejected().await.status.code(), 404);
    let records = scene.close().await;
    assert_eq!(records[0].transfers[0].status, Some(200));
    assert_eq!(records[0].destination.as_deref(), Some("conference"));
}

#[tokio::test(start_paused = true)]
async fn each_phone_that_asks_gets_a_room_of_its_own_and_others_come_by_its_address() {
    let scene = Scene::with("[conference]\nfactory = \"meet\"\n").await;
    let mut rooms = Vec::new();
    let mut lines = Vec::new();
    for phone in [101, 102] {
        let mut line = scene.phone(phone).dial(Dial::to("meet"));
        rooms.push(room(&line.answered().await));
        lines.push(line);
    }
    assert_ne!(rooms[0], rooms[1]);
    sleep(Duration::from_secs(1)).await;
    let number = rooms[0].trim_start_matches("sip:").split('@').next().unwrap();
    let mut third = scene.phone(103).dial(Dial::to(number));
    assert_eq!(room(&third.answered().await), rooms[0]);
    // Nobody outside comes in by it, and it asks for none.
    for number in [number, "meet"] {
        let mut stranger = scene.trunk.dial(Dial::to(number));
        assert_eq!(stranger.rejected().await.status.code(), 404);
    }
    for mut line in lines.into_iter().chain([third]) {
        line.hang_up();
        line.ended().await;
    }
    scene.close().await;
}
