//! Keys bring the call that talks and the one on hold together.

use std::time::Duration;

use offhook_tests::sim::scene::{Scene, connect};
use offhook_tests::sim::sdp::Direction;
use tokio::time::sleep;

use super::{all_hang_up, held_customer, moment, times_noted, two_calls};

#[tokio::test(start_paused = true)]
async fn keys_bring_the_call_on_hold_and_the_one_that_talks_together() {
    let scene = Scene::open().await;
    let ((mut ann, mut bob), (mut other, mut cid)) = two_calls(&scene).await;
    other.press("*3#");
    // The line on which she held ends; she stays on the other one.
    ann.ended().await;
    sleep(Duration::from_secs(30)).await;
    assert!(bob.still_up() && cid.still_up() && other.still_up());
    other.hang_up();
    other.ended().await;
    sleep(Duration::from_secs(30)).await;
    assert!(bob.still_up() && cid.still_up());
    all_hang_up(&mut [&mut bob, &mut cid]).await;
    let records = scene.close().await;
    assert_eq!(records.len(), 2);
    for record in records {
        assert_eq!(record.destination.as_deref(), Some("conference"));
        let [transfer] = &record.transfers[..] else { panic!("{record:?}") };
        assert_eq!((transfer.by.as_str(), transfer.status), ("extension:101", Some(200)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_the_keys_and_whoever_goes_first_ends_nobody_elses_call() {
    let scene = Scene::with("[conference]\ncode = \"*44\"\n").await;
    let (mut customer, mut ann) = held_customer(&scene, "+15550001000").await;
    let (mut bob, mut other) = connect(scene.phone(102), "101", scene.phone(101)).await;
    // Not the code.
    other.press("*3#*441");
    sleep(Duration::from_secs(10)).await;
    assert!(ann.still_up());
    other.press("*44");
    ann.ended().await;
    bob.hang_up();
    bob.ended().await;
    sleep(Duration::from_secs(30)).await;
    assert!(customer.still_up() && other.still_up());
    all_hang_up(&mut [&mut customer, &mut other]).await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_call_that_this_phone_holds_the_keys_change_nothing() {
    let scene = Scene::open().await;
    let (mut ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.press("*3#");
    let none = "a conference is not made: no other call is on hold";
    assert_eq!(times_noted(&scene, none).await, 1);
    // The other one holds this call, and not she.
    bob.hold().await;
    let (mut other, mut cid) = connect(scene.phone(101), "103", scene.phone(103)).await;
    other.press("*3#");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(times_noted(&scene, none).await, 2);
    for line in [&mut ann, &mut bob, &mut other, &mut cid] {
        assert!(line.still_up());
    }
    all_hang_up(&mut [&mut ann, &mut other]).await;
    bob.ended().await;
    cid.ended().await;
    assert!(scene.close().await.iter().all(|record| record.transfers.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn of_several_calls_on_hold_the_one_held_last_comes() {
    for last in 0..3 {
        let scene = Scene::open().await;
        let mut held = Vec::new();
        for number in ["102", "103", "+15557770001"] {
            let there = match number {
                "102" => scene.phone(102),
                "103" => scene.phone(103),
                _ => &scene.trunk,
            };
            let (mut line, party) = connect(scene.phone(101), number, there).await;
            line.hold().await;
            moment().await;
            held.push((line, party));
        }
        let (line, _) = &mut held[last];
        line.reinvite(Direction::SendRecv);
        line.offer_accepted().await;
        moment().await;
        line.hold().await;
        moment().await;
        let (mut talking, mut outside) =
            connect(scene.phone(101), "+15557770000", &scene.trunk).await;
        talking.press("*3#");
        sleep(Duration::from_secs(30)).await;
        for (n, (line, party)) in held.iter_mut().enumerate() {
            assert_eq!((line.still_up(), party.still_up()), (n != last, true), "{n} {last}");
        }
        assert!(talking.still_up() && outside.still_up());
        for (_, party) in &mut held {
            party.hang_up();
            party.ended().await;
        }
        all_hang_up(&mut [&mut talking, &mut outside]).await;
        scene.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_code_leaves_the_keys_alone() {
    let scene = Scene::with("[conference]\ncode = \"none\"\n").await;
    let ((mut ann, mut bob), (mut other, mut cid)) = two_calls(&scene).await;
    other.press("*3#");
    sleep(Duration::from_secs(10)).await;
    assert!(ann.still_up() && bob.still_up());
    all_hang_up(&mut [&mut ann, &mut other]).await;
    bob.ended().await;
    cid.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_fourth_comes_in_while_the_phone_holds_the_conference() {
    let scene = Scene::open().await;
    let ((mut ann, mut bob), (mut second, mut cid)) = two_calls(&scene).await;
    second.press("*3#");
    ann.ended().await;
    second.hold().await;
    let (mut third, mut outside) = connect(scene.phone(101), "+15557770000", &scene.trunk).await;
    third.press("*3#");
    second.ended().await;
    sleep(Duration::from_secs(30)).await;
    for line in [&mut bob, &mut cid, &mut outside, &mut third] {
        assert!(line.still_up());
    }
    all_hang_up(&mut [&mut bob, &mut third, &mut outside, &mut cid]).await;
    scene.close().await;
}
