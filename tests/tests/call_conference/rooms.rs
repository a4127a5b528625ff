//! A phone calls the factory of conferences and gets a room of its own (RFC 4579 §5.4).

use std::time::Duration;

use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::conference::{address_of, number_of};
use offhook_tests::sim::scene::Scene;
use tokio::time::sleep;

use super::two_calls;

#[tokio::test(start_paused = true)]
async fn a_phone_brings_its_two_calls_into_a_room_of_its_own_and_leaves_it() {
    let scene = Scene::open().await;
    let ((mut ann, mut bob), (mut other, mut cid)) = two_calls(&scene).await;
    let mut focus = scene.phone(101).dial(Dial::to("conference"));
    let uri = address_of(&focus.answered().await);
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
    let number = number_of(&uri);
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
        rooms.push(address_of(&line.answered().await));
        lines.push(line);
    }
    assert_ne!(rooms[0], rooms[1]);
    sleep(Duration::from_secs(1)).await;
    let number = number_of(&rooms[0]);
    let mut third = scene.phone(103).dial(Dial::to(number));
    assert_eq!(address_of(&third.answered().await), rooms[0]);
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
