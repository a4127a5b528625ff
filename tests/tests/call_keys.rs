//! Keys that a phone sends in two ways at once, on the simulated network and with real packets of
//! media.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::UdpSocket;
use std::time::Duration;

use offhook_tests::sim::agent::{Describe, Dial};
use offhook_tests::sim::media::{host, office_port, over, phones, port_of, sdp, socket};
use offhook_tests::sim::scene::Scene;
use tokio::time::sleep;

const PORT: u16 = 41_100;

fn audio(test: u8, phone: u8) -> bytes::Bytes {
    let media = format!("m=audio {PORT} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    sdp(host(test, phone), &media)
}

/// The media of a phone that talks and presses keys.
struct Phone {
    socket: UdpSocket,
    to: u16,
    sequence: u16,
    timestamp: u32,
    /// When the last key went down.
    pressed: u32,
    /// The keys that the peer hears, with their timestamps.
    heard: Vec<(Vec<u8>, u8)>,
}

impl Phone {
    fn say(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) {
        self.sequence += 1;
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend([0, 0, 0, 9]);
        packet.extend(payload);
        self.socket.send_to(&packet, office_port(self.to)).unwrap();
    }

    /// A telephone event (RFC 4733 §2.3).
    fn event(&mut self, code: u8, end: bool, duration: u16) {
        let [d0, d1] = duration.to_be_bytes();
        self.say(101, self.pressed, &[code, if end { 0x8a } else { 10 }, d0, d1]);
    }

    fn key_down(&mut self, code: u8) {
        self.pressed = self.timestamp;
        self.event(code, false, 160);
    }

    fn key_up(&mut self, code: u8) {
        for _ in 0..3 {
            self.event(code, true, 800);
        }
        self.timestamp += 800;
    }

    /// Talks until it is heard, and notes which keys are heard until then.
    fn talk(&mut self, hearer: &UdpSocket) {
        let mut packet = [0; 2000];
        for _ in 0..100 {
            self.timestamp += 160;
            self.say(0, self.timestamp, &[0xff; 160]);
            while let Ok(length) = hearer.recv(&mut packet) {
                if length == 172 {
                    return;
                }
                self.note(&packet);
            }
        }
        panic!("nothing came through");
    }

    /// Until a key that was made here has been heard from its beginning to its end, and the pause
    /// behind it is over: then what is said is heard again.
    async fn wait_for_key(&mut self, hearer: &UdpSocket) {
        let mut packet = [0; 2000];
        // The INFO arrives, while the media waits for nothing.
        sleep(Duration::from_millis(100)).await;
        loop {
            match hearer.recv(&mut packet) {
                Ok(16) => self.note(&packet),
                Ok(length) => assert_eq!(length, 172),
                Err(_) => panic!("no key came through"),
            }
            if packet[1] & 0x7f == 101 && packet[13] & 0x80 != 0 {
                break;
            }
        }
        self.talk(hearer);
    }

    fn note(&mut self, packet: &[u8]) {
        assert_eq!(packet[1] & 0x7f, 101);
        let key = (packet[4..8].to_vec(), packet[12]);
        if !self.heard.contains(&key) {
            self.heard.push(key);
        }
    }
}

/// Phones that send telephone events and INFO for each key are a setting of many makers.
#[tokio::test(start_paused = true)]
async fn a_key_that_comes_as_an_event_and_by_info_is_one_key() {
    let scene = Scene::open().await;
    let describe: [Describe; 2] = [|_| Some(audio(30, 1)), |_| Some(audio(30, 2))];
    let agents = phones(&scene, describe).await;
    let (mut out, mut back) = (agents[0].dial(Dial::to("102")), agents[1].call().await);
    back.answer();
    let to = port_of(&out.answered().await.body, "audio");
    back.confirmed().await;
    let hearer = socket(host(30, 2), PORT);
    let socket = socket(host(30, 1), PORT);
    let (timestamp, pressed, heard) = (90_000, 0, Vec::new());
    let mut phone = Phone { socket, to, sequence: 1, timestamp, pressed, heard };
    phone.talk(&hearer);

    // While it is down, twice, as fast as a person can.
    for _ in 0..2 {
        phone.key_down(6);
        phone.talk(&hearer);
        sleep(Duration::from_millis(10)).await;
        out.press('6');
        sleep(Duration::from_millis(50)).await;
        phone.key_up(6);
        phone.talk(&hearer);
        sleep(Duration::from_millis(50)).await;
    }
    // When it is up.
    phone.key_down(7);
    phone.key_up(7);
    phone.talk(&hearer);
    sleep(Duration::from_millis(10)).await;
    out.press('7');
    sleep(Duration::from_millis(500)).await;
    phone.talk(&hearer);
    // Before the event, long before, and twice: what the peer hears was made here.
    for key in [8, 9, 9] {
        out.press(key.to_string());
        phone.wait_for_key(&hearer).await;
        phone.key_down(key);
        phone.key_up(key);
        phone.talk(&hearer);
    }
    sleep(Duration::from_millis(500)).await;
    phone.talk(&hearer);
    let heard: Vec<u8> = phone.heard.iter().map(|(_, key)| *key).collect();
    assert_eq!(heard, [6, 6, 7, 8, 9, 9]);

    let timeline = over(scene, agents, out, back).await;
    assert_eq!(timeline.matches("kind: Digit").count(), 6, "{timeline}");
}
