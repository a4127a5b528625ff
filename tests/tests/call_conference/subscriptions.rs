//! Who is in a conference is told to phones that subscribe to its address (RFC 4575).

use std::time::Duration;

use offhook_sip::header::HeaderName;
use offhook_sip::message::{Method, Request, Response};
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::conference::{address_of, number_of, subscribe, told};
use offhook_tests::sim::media::eventually;
use offhook_tests::sim::scene::Scene;
use tokio::time::sleep;

use super::{all_hang_up, moment};

/// For ten minutes, and none before it.
const FRESH: (u32, Option<&Response>) = (600, None);

fn users(body: &str) -> usize {
    body.matches("<user ").count()
}

#[tokio::test(start_paused = true)]
async fn who_is_in_a_room_is_told_to_those_who_subscribe_until_it_ends() {
    let scene = Scene::open().await;
    let mut ann = scene.phone(101).dial(Dial::to("conference"));
    let uri = address_of(&ann.answered().await);
    moment().await;
    let answer = subscribe(&scene, 103, &uri, FRESH).await;
    assert_eq!(answer.status.code(), 200);
    let (version, state, body) = told(&scene, 103).await;
    assert_eq!((version, users(&body)), (0, 1), "{body}");
    assert!(state.starts_with("active"), "{state}");
    assert!(body.contains(&format!("entity=\"{uri}\"")), "{body}");
    assert!(body.contains("<display-text>Ann</display-text>"), "{body}");
    sleep(Duration::from_secs(20)).await;
    let number = number_of(&uri);
    let mut bob = scene.phone(102).dial(Dial::to(number));
    bob.answered().await;
    let (version, _, body) = told(&scene, 103).await;
    assert_eq!((version, users(&body)), (1, 2), "{body}");
    // Changes that follow each other closely are one NOTIFY (RFC 4575 §3.9).
    for _ in 0..3 {
        ann.press("*");
        moment().await;
    }
    let (version, _, body) = told(&scene, 103).await;
    assert_eq!((version, body.matches("recvonly").count()), (2, 1), "{body}");
    sleep(Duration::from_secs(20)).await;
    all_hang_up(&mut [&mut bob, &mut ann]).await;
    let (version, _, body) = told(&scene, 103).await;
    assert_eq!((version, users(&body)), (3, 1), "{body}");
    let (version, state, body) = told(&scene, 103).await;
    assert_eq!((version, users(&body)), (4, 0), "{body}");
    assert_eq!(state, "terminated;reason=noresource");
    assert!(body.contains("state=\"deleted\""), "{body}");
    assert_eq!(subscribe(&scene, 103, &uri, FRESH).await.status.code(), 404);
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_conference_with_a_number_is_asked_for_by_it_and_nobody_outside_asks() {
    let rule = "[[number]]\nmatch = \"800\"\nto = \"conference:weekly\"\n";
    let scene = Scene::with(rule).await;
    let uri = "sip:800@office.example";
    assert_eq!(subscribe(&scene, 101, uri, FRESH).await.status.code(), 404);
    let mut ann = scene.phone(101).dial(Dial::to("800"));
    ann.answered().await;
    eventually("the room is there", async || {
        subscribe(&scene, 102, uri, FRESH).await.status.code() == 200
    })
    .await;
    assert_eq!(told(&scene, 102).await.0, 0);
    let stranger = Request::new(Method::Subscribe, uri.parse().unwrap())
        .with(HeaderName::Event, "conference")
        .with(HeaderName::Contact, "<sip:x@127.2.0.9>");
    assert_ne!(scene.trunk.request(stranger).await.unwrap().status.code(), 200);
    assert_eq!(subscribe(&scene, 101, "sip:102@office.example", FRESH).await.status.code(), 404);
    // A phone that subscribes again and again has its last ones.
    for _ in 0..6 {
        assert_eq!(subscribe(&scene, 101, uri, FRESH).await.status.code(), 200);
        assert_eq!(told(&scene, 101).await.0, 0);
    }
    assert_eq!(scene.office.left().subscriptions, 5);
    ann.hang_up();
    ann.ended().await;
    for _ in 0..4 {
        assert!(told(&scene, 101).await.1.starts_with("terminated"));
    }
    scene.close().await;
}
