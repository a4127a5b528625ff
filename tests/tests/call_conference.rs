//! A phone that asks for a conference and brings its calls into it (RFC 4579), on the simulated
//! network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use offhook_sip::header::HeaderName;
use offhook_sip::message::{Method, Request, Response};
use offhook_tests::sim::agent::Dial;
use offhook_tests::sim::line::Line;
use offhook_tests::sim::scene::{Scene, connect};
use offhook_tests::sim::scripted::{Answer, Scripted, actions};
use offhook_tests::sim::sdp::Direction;
use serde_json::json;
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
    ann.hold().await;
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

async fn moment() {
    sleep(Duration::from_secs(1)).await;
}

async fn all_hang_up(lines: &mut [&mut Line]) {
    for line in lines {
        line.hang_up();
        line.ended().await;
        moment().await;
    }
}

#[tokio::test(start_paused = true)]
async fn keys_bring_the_call_on_hold_and_the_one_that_talks_together() {
    let scene = Scene::open().await;
    let (mut ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.hold().await;
    let (mut other, mut cid) = connect(scene.phone(101), "103", scene.phone(103)).await;
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
    let mut customer = scene.trunk.dial(Dial::to("+15550001000"));
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    customer.answered().await;
    ann.confirmed().await;
    ann.hold().await;
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

/// What the timelines of all calls say in words, once they are written.
async fn notes(scene: &Scene) -> Vec<String> {
    sleep(Duration::from_secs(5)).await;
    let keep = &scene.office.keep;
    keep.records().iter().flat_map(|record| keep.notes(&record.id)).collect()
}

async fn times_noted(scene: &Scene, text: &str) -> usize {
    notes(scene).await.iter().filter(|note| note.contains(text)).count()
}

#[tokio::test(start_paused = true)]
async fn of_several_calls_on_hold_the_one_held_last_comes() {
    for last in 0..3 {
        let scene = Scene::open().await;
        let mut held = Vec::new();
        for number in ["102", "103", "+15557770001"] {
            let mut line = scene.phone(101).dial(Dial::to(number));
            let there = match number {
                "102" => scene.phone(102),
                "103" => scene.phone(103),
                _ => &scene.trunk,
            };
            let mut party = there.call().await;
            party.answer();
            line.answered().await;
            party.confirmed().await;
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
        let mut talking = scene.phone(101).dial(Dial::to("+15557770000"));
        let mut outside = scene.trunk.call().await;
        outside.answer();
        talking.answered().await;
        outside.confirmed().await;
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
    let (mut ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.hold().await;
    let (mut other, mut cid) = connect(scene.phone(101), "103", scene.phone(103)).await;
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

#[tokio::test(start_paused = true)]
async fn no_code_leaves_the_keys_alone() {
    let scene = Scene::with("[conference]\ncode = \"none\"\n").await;
    let (mut ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.hold().await;
    let (mut other, mut cid) = connect(scene.phone(101), "103", scene.phone(103)).await;
    other.press("*3#");
    sleep(Duration::from_secs(10)).await;
    assert!(ann.still_up() && bob.still_up());
    all_hang_up(&mut [&mut ann, &mut other]).await;
    bob.ended().await;
    cid.ended().await;
    scene.close().await;
}

/// 101 puts its two calls together; the customer and 102 talk, each in a call of its own.
async fn put_through(scene: &Scene) -> (Line, Line) {
    put_through_from(scene, "+15550001000").await
}

/// The same with a customer who calls that number.
async fn put_through_from(scene: &Scene, number: &str) -> (Line, Line) {
    let mut customer = scene.trunk.dial(Dial::to(number));
    let mut ann = scene.phone(101).call().await;
    ann.answer();
    customer.answered().await;
    ann.confirmed().await;
    ann.hold().await;
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

#[tokio::test(start_paused = true)]
async fn a_fourth_comes_in_while_the_phone_holds_the_conference() {
    let scene = Scene::open().await;
    let (mut ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.hold().await;
    let (mut second, mut cid) = connect(scene.phone(101), "103", scene.phone(103)).await;
    second.press("*3#");
    ann.ended().await;
    second.hold().await;
    let mut third = scene.phone(101).dial(Dial::to("+15557770000"));
    let mut outside = scene.trunk.call().await;
    outside.answer();
    third.answered().await;
    outside.confirmed().await;
    third.press("*3#");
    second.ended().await;
    sleep(Duration::from_secs(30)).await;
    for line in [&mut bob, &mut cid, &mut outside, &mut third] {
        assert!(line.still_up());
    }
    all_hang_up(&mut [&mut bob, &mut third, &mut outside, &mut cid]).await;
    scene.close().await;
}

/// SUBSCRIBE to a conference's address by a phone; the answer.
async fn subscribe(scene: &Scene, phone: u32, uri: &str) -> Response {
    let agent = scene.phone(phone);
    let own = format!("<sip:{phone}@office.example>");
    let request = Request::new(Method::Subscribe, uri.parse().unwrap())
        .with(HeaderName::From, own)
        .with(HeaderName::To, format!("<{uri}>"))
        .with(HeaderName::Event, "conference")
        .with(HeaderName::Expires, "600")
        .with(HeaderName::Contact, format!("<{}>", agent.contact()));
    agent.request(request).await.unwrap()
}

/// The next NOTIFY of a phone: version, state of the subscription, and the document.
async fn told(scene: &Scene, phone: u32) -> (u32, String, String) {
    for _ in 0..1_000 {
        // Media threads play tones in real time, which no paused clock waits for.
        let seen = scene.phone(phone).request_seen();
        let Ok(request) = tokio::time::timeout(Duration::from_millis(20), seen).await else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        if request.method != Method::Notify {
            continue;
        }
        let of = |name: HeaderName| request.headers.text(&name).unwrap().into_owned();
        assert_eq!(of(HeaderName::Event), "conference");
        assert_eq!(of(HeaderName::ContentType), "application/conference-info+xml");
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let version = body.split("version=\"").nth(2).unwrap().split('"').next().unwrap();
        return (version.parse().unwrap(), of(HeaderName::SubscriptionState), body);
    }
    panic!("{}", scene.net.ladder(""));
}

fn users(body: &str) -> usize {
    body.matches("<user ").count()
}

#[tokio::test(start_paused = true)]
async fn who_is_in_a_room_is_told_to_those_who_subscribe_until_it_ends() {
    let scene = Scene::open().await;
    let mut ann = scene.phone(101).dial(Dial::to("conference"));
    let uri = room(&ann.answered().await);
    moment().await;
    let answer = subscribe(&scene, 103, &uri).await;
    assert_eq!(answer.status.code(), 200);
    let (version, state, body) = told(&scene, 103).await;
    assert_eq!((version, users(&body)), (0, 1), "{body}");
    assert!(state.starts_with("active"), "{state}");
    assert!(body.contains(&format!("entity=\"{uri}\"")), "{body}");
    assert!(body.contains("<display-text>Ann</display-text>"), "{body}");
    sleep(Duration::from_secs(20)).await;
    let number = uri.trim_start_matches("sip:").split('@').next().unwrap();
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
    assert_eq!(subscribe(&scene, 103, &uri).await.status.code(), 404);
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_conference_with_a_number_is_asked_for_by_it_and_nobody_outside_asks() {
    let rule = "[[number]]\nmatch = \"800\"\nto = \"conference:weekly\"\n";
    let scene = Scene::with(rule).await;
    let uri = "sip:800@office.example";
    assert_eq!(subscribe(&scene, 101, uri).await.status.code(), 404);
    let mut ann = scene.phone(101).dial(Dial::to("800"));
    ann.answered().await;
    // Media threads play the tone in real time, which no paused clock waits for.
    for _ in 0..1_000 {
        if subscribe(&scene, 102, uri).await.status.code() == 200 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(told(&scene, 102).await.0, 0);
    let stranger = Request::new(Method::Subscribe, uri.parse().unwrap())
        .with(HeaderName::Event, "conference")
        .with(HeaderName::Contact, "<sip:x@127.2.0.9>");
    assert_ne!(scene.trunk.request(stranger).await.unwrap().status.code(), 200);
    assert_eq!(subscribe(&scene, 101, "sip:102@office.example").await.status.code(), 404);
    // A phone that subscribes again and again has its last ones.
    for _ in 0..6 {
        assert_eq!(subscribe(&scene, 101, uri).await.status.code(), 200);
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
