//! Who is in a room that a phone asked for, what is told of it, and how one leaves it, on the
//! simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::UdpSocket;
use std::time::Duration;

use bytes::Bytes;
use offhook_sip::header::HeaderName;
use offhook_tests::sim::agent::{Agent, Describe, Dial};
use offhook_tests::sim::conference::{address_of, number_of, subscribe, told};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::media::{
    eventually, host, office_port, pcmu, phones, port_of, sdp, socket, square_wave,
};
use offhook_tests::sim::scene::{Scene, connect};
use tokio::time::{Instant, sleep};

const PORT: u16 = 42_000;

async fn moment() {
    sleep(Duration::from_secs(1)).await;
}

/// Waits until so many are in a room, as a phone is told that asks once: media threads play the tone
/// before it in real time, which no paused clock waits for.
async fn joined(scene: &Scene, uri: &str, members: usize) {
    eventually("all are in the room", async || {
        let answer = subscribe(scene, 103, uri, (0, None)).await;
        answer.status.code() == 200 && told(scene, 103).await.2.matches("<user ").count() == members
    })
    .await;
}

/// The address of the room into which 101 brought its call with 103.
fn room_of_keys(scene: &Scene) -> String {
    let records = scene.office.keep.records();
    let id = &records.iter().find(|record| record.to == "103").unwrap().id;
    format!("sip:conf-{}@office.example", id.replace('-', ""))
}

async fn leave(line: &mut Line) {
    line.hang_up();
    line.ended().await;
}

/// 101 brings 102, whom it holds, and 103 into a room: its line there, and theirs.
async fn by_keys(scene: &Scene) -> (Line, Line, Line) {
    let (mut ann, bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.hold().await;
    let (other, cid) = connect(scene.phone(101), "103", scene.phone(103)).await;
    other.press("*3#");
    ann.ended().await;
    joined(scene, &room_of_keys(scene), 3).await;
    (other, bob, cid)
}

/// Somebody who sends sound.
struct Talker {
    socket: UdpSocket,
    office: u16,
    sent: u16,
}

impl Talker {
    fn new(phone: u8, description: &[u8]) -> Self {
        Self {
            socket: socket(host(31, phone), PORT),
            office: port_of(description, "audio"),
            sent: 0,
        }
    }

    fn talk(&mut self) {
        self.sent += 1;
        let packet = pcmu(self.sent, square_wave(0x9f, 0x1f));
        self.socket.send_to(&packet, office_port(self.office)).unwrap();
    }
}

fn audio<const PHONE: u8>(_: Option<&Bytes>) -> Option<Bytes> {
    Some(sdp(host(31, PHONE), &format!("m=audio {PORT} RTP/AVP 0\r\n")))
}

/// A call from one to the other; what each was told of the office's place.
async fn talk(from: &Agent, number: &str, to: &Agent) -> (Line, Line, [Bytes; 2]) {
    let (mut out, mut back) = (from.dial(Dial::to(number)), to.call().await);
    let offered = back.invite.as_ref().unwrap().body.clone();
    back.answer();
    let answer = out.answered().await.body;
    back.confirmed().await;
    (out, back, [answer, offered])
}

#[tokio::test(start_paused = true)]
async fn a_party_of_a_conference_whose_sound_is_lost_goes_alone() {
    for silent in ["the phone", "its party"] {
        let scene = Scene::set("silence_hangup_seconds = 60", "").await;
        let describe: [Describe; 3] = [audio::<1>, audio::<2>, audio::<3>];
        let agents = phones(&scene, describe).await;
        let (mut ann, mut bob, [_, to_bob]) = talk(&agents[0], "102", &agents[1]).await;
        ann.offer(sdp(host(31, 1), &format!("m=audio {PORT} RTP/AVP 0\r\na=sendonly\r\n")));
        ann.offer_accepted().await;
        let (mut other, mut cid, [to_ann, to_cid]) = talk(&agents[0], "103", &agents[2]).await;
        other.press("*3#");
        ann.ended().await;
        let speaks = if silent == "the phone" { (3, &to_cid) } else { (1, &to_ann) };
        let mut talkers = [Talker::new(2, &to_bob), Talker::new(speaks.0, speaks.1)];
        for _ in 0..40 {
            talkers.iter_mut().for_each(Talker::talk);
            scene.office.media_catches_up();
            sleep(Duration::from_secs(4)).await;
        }
        let up = [bob.still_up(), other.still_up(), cid.still_up()];
        let phone = silent == "the phone";
        assert_eq!(up, [true, !phone, phone], "{silent}");
        let mut rest = [bob, if phone { cid } else { other }];
        for line in &mut rest {
            leave(line).await;
        }
        for agent in &agents {
            agent.register(0).await;
        }
        let records = scene.close().await;
        let failed = records.iter().filter(|r| r.failure.as_deref() == Some("no-media")).count();
        assert_eq!(failed, usize::from(!phone), "{records:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_left_alone_after_the_phone_has_gone_is_hung_up() {
    let scene = Scene::open().await;
    let (mut ann, mut bob, mut cid) = by_keys(&scene).await;
    leave(&mut ann).await;
    sleep(Duration::from_secs(600)).await;
    assert!(bob.still_up() && cid.still_up());
    leave(&mut bob).await;
    let left = Instant::now();
    cid.ended().await;
    assert!(left.elapsed() < Duration::from_secs(60), "{:?}", left.elapsed());
    let records = scene.close().await;
    let record = records.iter().find(|record| record.to == "103").unwrap();
    assert_eq!(record.hung_up_by.as_deref(), Some("us"));
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_into_a_room_that_was_left_meanwhile_does_not_wait_for_ever() {
    let scene = Scene::open().await;
    let mut ann = scene.phone(101).dial(Dial::to("conference"));
    let uri = address_of(&ann.answered().await);
    let number = number_of(&uri);
    moment().await;
    let mut cid = scene.phone(103).dial(Dial::to(number));
    cid.answered().await;
    // He hears the tone before the room.
    leave(&mut ann).await;
    joined(&scene, &uri, 1).await;
    let entered = Instant::now();
    cid.ended().await;
    assert!(entered.elapsed() < Duration::from_secs(60), "{:?}", entered.elapsed());
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_hung_up_who_has_company_in_time_or_whose_room_it_is() {
    let scene = Scene::open().await;
    let mut ann = scene.phone(101).dial(Dial::to("conference"));
    let uri = address_of(&ann.answered().await);
    let number = number_of(&uri);
    moment().await;
    let mut cid = scene.phone(103).dial(Dial::to(number));
    cid.answered().await;
    joined(&scene, &uri, 2).await;
    // The room is hers: she waits as long as she likes.
    leave(&mut cid).await;
    sleep(Duration::from_secs(600)).await;
    assert!(ann.still_up());
    let mut cid = scene.phone(103).dial(Dial::to(number));
    cid.answered().await;
    joined(&scene, &uri, 2).await;
    leave(&mut ann).await;
    sleep(Duration::from_secs(5)).await;
    let mut bob = scene.phone(102).dial(Dial::to(number));
    bob.answered().await;
    joined(&scene, &uri, 2).await;
    sleep(Duration::from_secs(600)).await;
    assert!(bob.still_up() && cid.still_up());
    leave(&mut cid).await;
    bob.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_did_not_want_to_be_known_is_not_named_where_it_brought_others() {
    let scene = Scene::open().await;
    let (mut ann, mut bob) = connect(scene.phone(101), "102", scene.phone(102)).await;
    ann.hold().await;
    let mut other = scene.phone(101).dial(Dial::to("103").with("Privacy", "id"));
    let mut cid = scene.phone(103).call().await;
    cid.answer();
    other.answered().await;
    cid.confirmed().await;
    other.press("*3#");
    ann.ended().await;
    let uri = room_of_keys(&scene);
    joined(&scene, &uri, 3).await;
    assert_eq!(subscribe(&scene, 102, &uri, (600, None)).await.status.code(), 200);
    let (_, _, body) = told(&scene, 102).await;
    assert_eq!(body.matches("<user ").count(), 3, "{body}");
    assert!(body.contains("sip:102@") && body.contains("sip:103@"), "{body}");
    assert!(!body.contains("101") && !body.contains("Ann"), "{body}");
    assert!(body.contains("@anonymous.invalid\""), "{body}");
    for line in [&mut other, &mut bob] {
        leave(line).await;
    }
    cid.ended().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_refreshed_and_ended_by_whose_it_is() {
    let scene = Scene::open().await;
    let mut ann = scene.phone(101).dial(Dial::to("conference"));
    let uri = address_of(&ann.answered().await);
    let number = number_of(&uri);
    moment().await;
    // Read as the number of an INVITE is.
    let with_context = uri.replace(number, &format!("{number};phone-context=office"));
    let answer = subscribe(&scene, 103, &with_context, (600, None)).await;
    assert_eq!(answer.status.code(), 200);
    assert_eq!(told(&scene, 103).await.0, 0);
    let refreshed = subscribe(&scene, 103, &uri, (300, Some(&answer))).await;
    assert_eq!(refreshed.status.code(), 200);
    assert_eq!(refreshed.headers.text(&HeaderName::Expires).unwrap(), "300");
    let (version, state, body) = told(&scene, 103).await;
    assert!(version == 1 && state.starts_with("active"), "{version} {state}");
    assert!(body.contains("state=\"full\"") && body.contains("<user "), "{body}");
    // Nobody else ends or prolongs it.
    for expires in [0, 600] {
        let answer = subscribe(&scene, 102, &uri, (expires, Some(&answer))).await;
        assert_eq!(answer.status.code(), 481);
    }
    assert_eq!(scene.office.left().subscriptions, 1);
    assert_eq!(subscribe(&scene, 103, &uri, (0, Some(&answer))).await.status.code(), 200);
    let (version, state, body) = told(&scene, 103).await;
    assert!(version == 2 && state.starts_with("terminated;reason=timeout"), "{version} {state}");
    assert!(body.contains("<user-count>1</user-count>"), "{body}");
    assert_eq!(scene.office.left().subscriptions, 0);
    assert_eq!(subscribe(&scene, 103, &uri, (600, Some(&answer))).await.status.code(), 481);
    // Once, and no more (RFC 6665 §4.4.3).
    assert_eq!(subscribe(&scene, 103, &uri, (0, None)).await.status.code(), 200);
    let (version, state, body) = told(&scene, 103).await;
    assert!(version == 0 && state.starts_with("terminated"), "{version} {state}");
    assert!(body.contains("sip:101@"), "{body}");
    // The end of the room is said with a document of its own.
    assert_eq!(subscribe(&scene, 103, &uri, (600, None)).await.status.code(), 200);
    told(&scene, 103).await;
    leave(&mut ann).await;
    let (version, state, body) = told(&scene, 103).await;
    assert_eq!((version, state.as_str()), (1, "terminated;reason=noresource"));
    let wanted = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><conference-info \
         xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"{uri}\" state=\"deleted\" \
         version=\"1\"></conference-info>"
    );
    assert_eq!(body, wanted);
    scene.close().await;
}
