//! What the caller hears while the cloud is asked, in real packets.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use offhook_config::HoldMusic;
use offhook_media::wav::{Format, to_bytes};
use offhook_pbx::cloud::CloudError;
use offhook_tests::net::PATIENCE;
use offhook_tests::sim::agent::{Agent, AgentConfig, Dial};
use offhook_tests::sim::line::Line;
use offhook_tests::sim::media::{host, port_of, sdp, socket};
use offhook_tests::sim::scene::{OFFICE, Scene, TRUNK, connect};
use offhook_tests::sim::sdp::Direction;
use tokio::time::sleep;

use super::attended::{THERE, open_moving, refused};
use super::{AWAY, BOBS, TRANSACTION, asked_of, open, reported};

/// Where the customer listens, in each test.
const TEST: u8 = 201;
const PORT: u16 = 40_000;

fn description<const EAR: u8>(_: Option<&Bytes>) -> Option<Bytes> {
    Some(sdp(host(TEST, EAR), &format!("m=audio {PORT} RTP/AVP 0\r\n")))
}

/// A customer of the cloud with an ear, his line, and the port of ours that he hears.
struct Heard {
    agent: Agent,
    line: Line,
    ear: UdpSocket,
    from: u16,
}

impl Heard {
    /// Fails unless music comes from this port of ours.
    fn hears_music_from(&self, port: u16, why: &str) {
        // What was on its way before is no answer.
        self.loud_packets(port, Duration::from_millis(300), usize::MAX);
        let heard = self.loud_packets(port, PATIENCE, 11);
        assert!(heard > 10, "{why}: {heard} packets");
    }

    /// Fails unless nothing sounds any more that comes from this port of ours.
    fn hears_nothing_from(&self, port: u16, why: &str) {
        let end = Instant::now() + PATIENCE;
        self.loud_packets(port, Duration::from_millis(300), usize::MAX);
        while self.loud_packets(port, Duration::from_millis(500), usize::MAX) > 0 {
            assert!(Instant::now() < end, "{why}");
        }
    }

    /// He hangs up, and nothing is left of him.
    async fn leaves(mut self) {
        self.line.hang_up();
        self.line.ended().await;
        sleep(Duration::from_secs(64)).await;
        assert_eq!(self.agent.left().await.sessions, 0);
    }

    fn hears_music(&self, why: &str) {
        self.hears_music_from(self.from, why);
    }

    fn hears_nothing(&self, why: &str) {
        self.hears_nothing_from(self.from, why);
    }

    /// How many packets in which something sounds come in this time, and no more than these.
    fn loud_packets(&self, port: u16, time: Duration, most: usize) -> usize {
        let (until, mut packet, mut heard) = (Instant::now() + time, [0; 2_000], 0);
        while heard < most && Instant::now() < until {
            let Ok((length, from)) = self.ear.recv_from(&mut packet) else { continue };
            let loud = packet[12..length].iter().filter(|b| !matches!(**b, 0xff | 0x7f)).count();
            heard += usize::from(from.port() == port && loud > 40);
        }
        heard
    }
}

/// He talks with 102.
async fn with_bob<const EAR: u8>(scene: &Scene) -> (Heard, Line) {
    let ear = socket(host(TEST, EAR), PORT);
    let config = AgentConfig::carrier(TRUNK, "carrier", OFFICE);
    let agent =
        Agent::start(&scene.net, AgentConfig { describe: Some(description::<EAR>), ..config });
    let mut dial = Dial::to("+15550001002").from("+15550007777");
    for (name, value) in TRANSACTION {
        dial = dial.with(name, value);
    }
    let mut line = agent.dial(dial);
    let mut bob = scene.phone(102).call().await;
    bob.answer();
    let from = port_of(&line.answered().await.body, "audio");
    bob.confirmed().await;
    (Heard { agent, line, ear, from }, bob)
}

/// And with 101, to whom 102 has put him through: 101 is in a call of its own.
async fn with_ann_in_another_call(scene: &Scene) -> (Heard, Line) {
    let (customer, mut bob) = with_bob::<9>(scene).await;
    let (mut second, ann) = connect(scene.phone(102), "101", scene.phone(101)).await;
    bob.refer_to_call("101", &second).await;
    bob.ended().await;
    second.ended().await;
    (customer, ann)
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_cloud_hears_music_when_another_calls_phone_holds_him_or_is_gone() {
    let (scene, mut cloud) = open(&format!("answer_seconds = 30\n{BOBS}")).await;
    let (customer, mut ann) = with_ann_in_another_call(&scene).await;
    sleep(Duration::from_millis(100)).await;
    customer.hears_nothing("they talk");
    ann.hold().await;
    customer.hears_music("held");

    ann.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    customer.hears_music("held while the cloud is asked");
    asked.answer(Err(CloudError::Refused("ForbiddenException".into())));
    assert_eq!(reported(&mut ann).await, "100 Trying");
    assert!(reported(&mut ann).await.starts_with("403"));
    sleep(Duration::from_millis(100)).await;
    customer.hears_music("held still");
    ann.reinvite(Direction::SendRecv);
    ann.offer_accepted().await;
    customer.hears_nothing("they talk again");

    ann.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    customer.hears_nothing("they talk while the cloud is asked");
    ann.hang_up();
    ann.ended().await;
    sleep(Duration::from_secs(1)).await;
    customer.hears_music("nobody is there but the music");
    asked.answer(Ok(()));
    sleep(Duration::from_secs(1)).await;
    customer.hears_music("until the cloud has him");
    customer.leaves().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn music_that_is_shorter_than_the_wait_begins_again() {
    let (scene, mut cloud) = open(&format!("answer_seconds = 30\n{BOBS}")).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.wav");
    // A tenth of a second.
    let samples: Vec<i16> = (0..800).map(|n| if n % 16 < 8 { 8_000 } else { -8_000 }).collect();
    std::fs::write(&path, to_bytes(Format::Pcm16, &samples)).unwrap();
    let mut config = (**scene.office.config.borrow()).clone();
    config.media.hold_music = HoldMusic::Files(vec![path]);
    scene.office.config.send(Arc::new(config)).unwrap();

    let (customer, mut bob) = with_bob::<11>(&scene).await;
    bob.hold().await;
    sleep(Duration::from_millis(100)).await;
    customer.hears_music("on hold");
    bob.reinvite(Direction::SendRecv);
    bob.offer_accepted().await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    customer.hears_nothing("they talk while the cloud is asked");
    bob.hang_up();
    bob.ended().await;
    sleep(Duration::from_secs(1)).await;
    customer.hears_music("nobody is there but the music");
    asked.answer(Ok(()));
    customer.leaves().await;
    scene.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_hangs_up_when_its_caller_has_left_already_has_given_him_back() {
    let (scene, mut cloud) = open(&format!("answer_seconds = 30\n{BOBS}")).await;
    let (mut customer, mut bob) = super::customer(&scene).await;
    bob.refer(AWAY);
    let asked = asked_of(&mut cloud).await;
    customer.hang_up();
    customer.ended().await;
    bob.hang_up();
    bob.ended().await;
    asked.answer(Ok(()));
    let records = scene.close().await;
    assert_eq!(records[0].destination.as_deref(), Some("cloud:+15557770000"));
}

#[tokio::test(start_paused = true)]
async fn who_was_asked_hears_music_when_the_phone_has_hung_up_and_the_caller_still_does() {
    let (scene, mut cloud) = open_moving("answer_seconds = 30\n").await;
    let (mut customer, mut bob) = with_bob::<10>(&scene).await;
    bob.hold().await;
    let mut second = scene.phone(102).dial(Dial::to(THERE));
    let mut far = customer.agent.call().await;
    let from = port_of(&far.invite.as_ref().unwrap().body, "audio");
    far.answer();
    second.answered().await;
    far.confirmed().await;
    bob.refer_to_call(THERE, &second).await;
    let asked = asked_of(&mut cloud).await;
    customer.hears_music("held while the cloud is asked");
    customer.hears_nothing_from(from, "they talk");
    second.hang_up();
    second.ended().await;
    sleep(Duration::from_secs(1)).await;
    customer.hears_music_from(from, "nobody is there but the music");
    customer.hears_music("held still");
    asked.answer(refused());
    bob.ended().await;
    sleep(Duration::from_secs(1)).await;
    for port in [customer.from, from] {
        customer.hears_nothing_from(port, "they talk with each other");
    }
    customer.line.hang_up();
    far.ended().await;
    customer.line.ended().await;
    sleep(Duration::from_secs(64)).await;
    assert_eq!(customer.agent.left().await.sessions, 0);
    scene.close().await;
}
