//! The engine over real sockets on loopback: what peers hear, never when.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use offhook_media::clip::Clip;
use offhook_media::codec::Codec;
use offhook_media::dtmf::{Digit, DigitSet};
use offhook_media::engine::{
    Engine, EngineConfig, OpenError, PlayEnd, Playback, PortEventKind, RecordEnd, Recording,
    SampleSink, StreamConfig, TelephoneEvent,
};
use offhook_media::g711::Law;
use offhook_media::rtp::Header;
use offhook_media::srtp::{SrtpKey, SrtpKeys, SrtpSession, SrtpSuite};
use tokio::sync::mpsc;

mod peer;

use peer::{Leg, PATIENCE, engine, quiet, reaches};

#[test]
fn two_peers_hear_each_other_and_a_stranger_nobody() {
    let engine = engine(1);
    let (mut a, mut b) = (Leg::new(&engine, |_| {}), Leg::new(&engine, |_| {}));
    engine.bridge(&a.port, &b.port);
    assert_eq!(reaches(&mut a, &mut b, 0, &[1; 160]), (0, vec![1; 160]));
    assert_eq!(reaches(&mut b, &mut a, 0, &[2; 240]), (0, vec![2; 240]));
    let from = a.socket.local_addr().unwrap();
    assert_eq!(a.event(), PortEventKind::FirstPacket { from });
    quiet(&mut b);
    let stranger = UdpSocket::bind("127.0.0.66:0").unwrap();
    let header = Header { marker: false, payload_type: 0, sequence: 9, timestamp: 1, ssrc: 42 };
    for _ in 0..20 {
        let packet = [&header.to_bytes()[..], &[0x66; 160]].concat();
        stranger.send_to(&packet, a.port.rtp_addr()).unwrap();
    }
    assert_eq!(reaches(&mut a, &mut b, 0, &[3; 160]).1, [3; 160], "not the stranger's");
    engine.unbridge(&b.port);
    quiet(&mut b);
    a.say(0, &[4; 160]);
    assert_eq!(b.hear(), None);
}

#[test]
fn the_longest_packet_of_a_codec_that_is_passed_on_goes_through_whole() {
    let engine = engine(1);
    let quality = Codec::named("L16", 44_100, 1).unwrap();
    let mut legs = [(); 2].map(|()| {
        Leg::new(&engine, |stream| {
            stream.codec = quality;
            (stream.send_pt, stream.recv_pt) = (11, 11);
        })
    });
    let [a, b] = &mut legs;
    engine.bridge(&a.port, &b.port);
    // 20 ms: 882 samples of two bytes.
    let payload: Vec<u8> = (0..1764_u32).map(|n| (n % 251) as u8).collect();
    assert_eq!(reaches(a, b, 11, &payload), (11, payload.clone()));
    assert_eq!(reaches(b, a, 11, &payload), (11, payload));
}

#[test]
fn peers_who_name_our_own_ports_for_theirs_make_nothing_go_round() {
    let engine = engine(1);
    let (mut a, mut b) = (Leg::new(&engine, |_| {}), Leg::new(&engine, |_| {}));
    let mut stranger = Leg::new(&engine, |_| {});
    engine.bridge(&a.port, &b.port);
    for leg in [&a, &b] {
        leg.port.set_stream(StreamConfig::new(leg.port.rtp_addr(), Codec::Pcmu));
    }
    // One packet each is enough to go round for ever.
    a.say(0, &[1; 160]);
    b.say(0, &[2; 160]);
    // Whoever is heard after them shows that the thread has seen to them and what came of them.
    let mut other = Leg::new(&engine, |_| {});
    engine.bridge(&stranger.port, &other.port);
    reaches(&mut stranger, &mut other, 0, &[3; 160]);
    let (a, b) = (a.port.counters(), b.port.counters());
    assert!(a.received + b.received <= 2 && a.sent + b.sent <= 2, "{a:?} {b:?}");
}

#[test]
fn ipv6_and_two_threads_and_two_laws_relay_too() {
    let engine = engine(2);
    let localhost = Ipv6Addr::LOCALHOST.into();
    let mut a = Leg::at(&engine, localhost, |_| {});
    let mut b = Leg::at(&engine, localhost, |s| {
        (s.codec, s.send_pt, s.recv_pt) = (Codec::Pcma, 8, 8);
    });
    engine.bridge(&a.port, &b.port);
    assert_eq!(reaches(&mut a, &mut b, 0, &[0xff; 160]), (8, vec![0xd5; 160]));
    // A-law has no zero; its smallest step is mu-law's first.
    assert_eq!(reaches(&mut b, &mut a, 8, &[0xd5; 160]), (0, vec![0xfe; 160]));
    let mut c = Leg::at(&engine, localhost, |_| {});
    engine.bridge(&b.port, &c.port);
    assert_eq!(reaches(&mut c, &mut b, 0, &[0xff; 160]).0, 8);
}

#[test]
fn a_secured_phone_talks_to_a_plain_trunk() {
    let engine = engine(1);
    for suite in SrtpSuite::ALL {
        let key = || SrtpKey::generate(suite);
        let mut phone = Leg::new(&engine, |s| s.srtp = Some(SrtpKeys { tx: key(), rx: key() }));
        let mut trunk = Leg::new(&engine, |_| {});
        engine.bridge(&phone.port, &trunk.port);
        for n in 0..10 {
            assert_eq!(reaches(&mut phone, &mut trunk, 0, &[n; 160]).1, [n; 160]);
            assert_eq!(reaches(&mut trunk, &mut phone, 0, &[!n; 160]).1, [!n; 160]);
        }
        assert_eq!(phone.port.counters().srtp_failures, 0);
    }
}

#[test]
fn two_secured_phones_with_different_suites_talk_and_rekey_in_the_call() {
    let engine = engine(1);
    let secured =
        |suite| Some(SrtpKeys { tx: SrtpKey::generate(suite), rx: SrtpKey::generate(suite) });
    let (suite_a, suite_b) = (SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AesCm128HmacSha1_32);
    let mut a = Leg::new(&engine, |s| s.srtp = secured(suite_a));
    let mut b = Leg::new(&engine, |s| s.srtp = secured(suite_b));
    engine.bridge(&a.port, &b.port);
    for n in 0..4 {
        assert_eq!(reaches(&mut a, &mut b, 0, &[n; 160]).1, [n; 160]);
        assert_eq!(reaches(&mut b, &mut a, 0, &[!n; 160]).1, [!n; 160]);
        if n % 2 == 1 {
            // A re-INVITE with new keys for both directions.
            quiet(&mut a);
            let keys = secured(suite_a).unwrap();
            let mut stream = StreamConfig::new(a.socket.local_addr().unwrap(), Codec::Pcmu);
            stream.srtp = Some(keys.clone());
            a.port.set_stream(stream);
            a.srtp = SrtpSession::new(SrtpKeys { tx: keys.rx, rx: keys.tx });
        }
    }
}

#[test]
fn a_wrong_key_is_counted_and_told_and_nothing_of_it_is_relayed() {
    let engine = engine(1);
    let key = || SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80);
    let mut phone = Leg::new(&engine, |s| s.srtp = Some(SrtpKeys { tx: key(), rx: key() }));
    let mut trunk = Leg::new(&engine, |_| {});
    engine.bridge(&phone.port, &trunk.port);
    phone.srtp = SrtpSession::new(SrtpKeys { tx: key(), rx: key() });
    // Packets of a former key may still be under way for some seconds: only then it is told.
    let end = Instant::now() + PATIENCE;
    let told = std::iter::repeat_with(|| {
        phone.say(0, &[7; 160]);
        std::thread::sleep(Duration::from_millis(20));
        phone.events.try_recv().ok()
    });
    let told = told.take_while(|_| Instant::now() < end).flatten().next();
    assert_eq!(told.map(|event| event.kind), Some(PortEventKind::SrtpFailed));
    assert_eq!(trunk.hear(), None);
    assert!(phone.port.counters().srtp_failures >= 10);
    assert_eq!(phone.port.counters().received, 0);
}

#[test]
fn digits_travel_and_are_told_once() {
    let engine = engine(1);
    let (mut a, mut b) = (
        Leg::new(&engine, |_| {}),
        Leg::new(&engine, |s| {
            s.telephone_event = Some(TelephoneEvent { send_pt: 96, recv_pt: 96, clock: 8000 });
        }),
    );
    engine.bridge(&a.port, &b.port);
    reaches(&mut a, &mut b, 0, &[1; 160]);
    a.event();
    quiet(&mut b);
    for (flags, duration) in [(10, 160), (10, 320), (0x8a, 480), (0x8a, 480), (0x8a, 480)] {
        let [d0, d1] = u16::to_be_bytes(duration);
        a.say_at(101, 90_000, &[11, flags, d0, d1]);
    }
    let digit = Digit::from_char('#').unwrap();
    assert_eq!(a.event(), PortEventKind::KeyDown { digit });
    assert_eq!(a.event(), PortEventKind::Digit { digit, duration: Duration::from_millis(60) });
    let (payload_type, payload, _) = b.hear().unwrap();
    assert_eq!((payload_type, payload[0]), (96, 11));
    assert!(a.events.try_recv().is_err());
    // And from us to the peer.
    quiet(&mut b);
    b.port.send_digits(&[digit], Duration::from_millis(60), Duration::from_millis(60));
    assert_eq!(b.event(), PortEventKind::DigitsSent);
    let sent: Vec<_> = std::iter::from_fn(|| b.hear()).collect();
    assert_eq!(sent.len(), 5);
    assert!(sent.iter().all(|(pt, payload, _)| *pt == 96 && payload[0] == 11));
}

#[test]
fn a_prompt_is_heard_whole() {
    let engine = engine(1);
    let mut a = Leg::new(&engine, |_| {});
    let clip = Arc::new(Clip::from_samples((0..1600).map(|i| i * 20).collect()));
    a.port.play(Playback::of(3, vec![clip.clone()]));
    assert_eq!(
        a.event(),
        PortEventKind::PlayEnded { id: 3, by: PlayEnd::End, position: Duration::from_millis(200) }
    );
    let heard: Vec<u8> = std::iter::from_fn(|| a.hear()).flat_map(|(_, p, _)| p).collect();
    assert_eq!(heard, *clip.encoded(Law::Mu));
    assert_eq!(a.port.counters().sent, 10);
}

#[derive(Clone, Default)]
struct Tape(Arc<Mutex<(Vec<i16>, u32)>>);

impl SampleSink for Tape {
    fn push(&mut self, samples: &[i16]) {
        self.0.lock().unwrap().0.extend_from_slice(samples);
    }
    fn finish(self: Box<Self>) {
        self.0.lock().unwrap().1 += 1;
    }
}

fn recording(tape: &Tape) -> Recording {
    Recording {
        id: 8,
        to: Box::new(tape.clone()),
        max: Some(Duration::from_secs(60)),
        silence: None,
        terminators: DigitSet::of("#"),
    }
}

#[test]
fn what_the_peer_says_is_recorded_until_the_key() {
    let engine = engine(1);
    let mut a = Leg::new(&engine, |_| {});
    let tape = Tape::default();
    a.port.record(recording(&tape));
    let loud = [Law::Mu.encode(8000); 160];
    a.say_at(0, 1000, &loud);
    a.event();
    a.say_at(0, 1160, &loud);
    a.say_at(101, 1320, &[11, 10, 0, 160]);
    let digit = Digit::from_char('#').unwrap();
    assert_eq!(a.event(), PortEventKind::KeyDown { digit });
    let PortEventKind::RecordEnded { id, by, duration, speech } = a.event() else {
        panic!("not ended")
    };
    assert_eq!((id, by), (8, RecordEnd::Terminator(digit)));
    assert_eq!((duration, speech), (Duration::from_millis(40), Duration::from_millis(40)));
    let tape = tape.0.lock().unwrap();
    assert_eq!((tape.0.len(), tape.1), (320, 1));
    assert!(tape.0.iter().all(|&s| s == Law::Mu.decode(loud[0])));
}

#[test]
fn a_dropped_port_is_gone_at_once_and_its_recording_finished() {
    let engine = engine(1);
    let mut a = Leg::new(&engine, |_| {});
    let tape = Tape::default();
    a.port.record(recording(&tape));
    a.say_at(0, 1000, &[0; 160]);
    a.event();
    assert_eq!(engine.open_ports(), 1);
    drop(a);
    assert_eq!(engine.open_ports(), 0);
    engine.shutdown();
    let tape = tape.0.lock().unwrap();
    assert_eq!((tape.0.len(), tape.1), (160, 1));
}

#[test]
fn full_is_said_and_ports_taken_by_others_are_passed_over() {
    let ip: IpAddr = "127.0.0.77".parse().unwrap();
    let other = UdpSocket::bind((ip, 40_003)).unwrap();
    let engine = Engine::start(EngineConfig {
        ports: 40_000..=40_005,
        drain: Duration::from_secs(60),
        ..EngineConfig::default()
    })
    .unwrap();
    let open = || engine.open(ip, mpsc::channel(1).0);
    let ports = [open().unwrap(), open().unwrap()];
    assert!(matches!(open(), Err(OpenError::Exhausted)));
    for port in &ports {
        assert_eq!(port.rtp_addr().port() % 2, 0);
        assert_eq!(port.rtcp_addr().port(), port.rtp_addr().port() + 1);
        assert_ne!(port.rtp_addr().port(), 40_002);
    }
    drop((ports, other));
    assert!(matches!(open(), Err(OpenError::Exhausted)), "they drain");
    engine.shutdown();
    assert!(matches!(open(), Err(OpenError::Stopped)));
}

#[test]
fn a_peer_whose_port_is_closed_does_no_harm() {
    let engine = engine(1);
    let (mut a, mut b) = (Leg::new(&engine, |_| {}), Leg::new(&engine, |_| {}));
    engine.bridge(&a.port, &b.port);
    reaches(&mut a, &mut b, 0, &[1; 160]);
    reaches(&mut b, &mut a, 0, &[1; 160]);
    // b's socket goes away, as when a phone restarts; ICMP comes back; then it is there again.
    let place = b.socket.local_addr().unwrap();
    b.socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..20 {
        a.say(0, &[2; 160]);
    }
    b.socket = UdpSocket::bind(place).unwrap();
    b.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(reaches(&mut a, &mut b, 0, &[3; 160]).0, 0);
}

#[test]
fn a_new_answer_moves_the_stream_to_another_address() {
    let engine = engine(1);
    let (mut a, mut b) = (Leg::new(&engine, |_| {}), Leg::new(&engine, |_| {}));
    engine.bridge(&a.port, &b.port);
    reaches(&mut a, &mut b, 0, &[1; 160]);
    reaches(&mut b, &mut a, 0, &[1; 160]);
    let mut old = std::mem::replace(&mut b.socket, UdpSocket::bind("127.0.0.9:0").unwrap());
    b.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    b.port.set_stream(StreamConfig::new(b.socket.local_addr().unwrap(), Codec::Pcmu));
    assert_eq!(reaches(&mut a, &mut b, 0, &[2; 160]).1, [2; 160]);
    assert_eq!(reaches(&mut b, &mut a, 0, &[3; 160]).1, [3; 160]);
    quiet(&mut a);
    std::mem::swap(&mut old, &mut b.socket);
    b.say(0, &[4; 160]);
    assert_eq!(a.hear(), None, "the old address is a stranger now");
}

#[tokio::test]
async fn an_engine_tells_whether_its_threads_work() {
    let engine = engine(3);
    assert!(engine.is_well().await);
    engine.shutdown();
    assert!(!engine.is_well().await);
}

#[test]
fn who_leaves_says_so_to_the_peer() {
    let engine = engine(1);
    let (mut a, mut b) =
        (Leg::new(&engine, |_| {}), Leg::new(&engine, |stream| stream.rtcp_mux = true));
    engine.bridge(&a.port, &b.port);
    reaches(&mut a, &mut b, 0, &[1; 160]);
    let Leg { socket, port, .. } = b;
    drop(port);
    let mut wire = [0; 2000];
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let Ok(n) = socket.recv(&mut wire) else { continue };
        // An SR that ends in a BYE (RFC 3550 §6.6).
        if wire[1] == 200 && wire[n - 8..n - 4] == [0x81, 203, 0, 1] {
            return;
        }
    }
    panic!("no goodbye came");
}
