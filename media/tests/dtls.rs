//! Two ports that take their keys from a DTLS handshake, as a desk phone's does, on loopback.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use offhook_media::codec::Codec;
use offhook_media::engine::{
    Engine, EngineConfig, MediaPort, PortEvent, PortEventKind, StreamConfig,
};
use offhook_media::negotiate::{Local, Negotiator};
use offhook_media::rtp::{self, Header};
use offhook_media::sdp::Direction;
use offhook_media::webrtc::WebRtcError;
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(60);

/// A leg with DTLS, and a plain one that it is bridged with, whose peer is a socket of the test's.
struct Side {
    engine: Engine,
    port: MediaPort,
    events: mpsc::Receiver<PortEvent>,
    negotiator: Negotiator,
    phone: UdpSocket,
    plain: MediaPort,
}

impl Side {
    fn new(offers: bool) -> Self {
        let engine = Engine::start(EngineConfig { threads: 2, ..EngineConfig::default() }).unwrap();
        let (sender, events) = mpsc::channel(64);
        let port = engine.open(Ipv4Addr::LOCALHOST.into(), sender.clone()).unwrap();
        let mut local = Local::new(port.rtp_addr(), vec![Codec::Pcmu]);
        (local.dtls, local.offer_dtls) = (Some(engine.fingerprint().clone()), offers);
        let phone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        phone.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let plain = engine.open(Ipv4Addr::LOCALHOST.into(), sender).unwrap();
        plain.set_stream(StreamConfig::new(phone.local_addr().unwrap(), Codec::Pcmu));
        engine.bridge(&plain, &port);
        Self { engine, port, events, negotiator: Negotiator::new(local, 1), phone, plain }
    }

    fn outcome(&mut self) -> Result<(), WebRtcError> {
        let limit = Instant::now() + PATIENCE;
        loop {
            match self.events.try_recv() {
                Ok(PortEvent { kind: PortEventKind::DtlsUp { .. }, .. }) => return Ok(()),
                Ok(PortEvent { kind: PortEventKind::DtlsFailed(error), .. }) => return Err(error),
                Ok(_) => {}
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
            assert!(Instant::now() < limit, "nothing came of it");
        }
    }
}

fn agree(one: &mut Side, two: &mut Side) {
    let offer = one.negotiator.offer(Direction::SendRecv);
    let (answer, theirs) = two.negotiator.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    two.port.set_stream(theirs.stream);
    let ours = one.negotiator.accept_answer(answer.as_bytes()).unwrap();
    one.port.set_stream(ours.stream);
}

fn talk(from: &Side, to: &Side, first: u16) {
    let limit = Instant::now() + PATIENCE;
    let mut buffer = [0; 2048];
    for sequence in first.. {
        let timestamp = u32::from(sequence) * 160;
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5 };
        let packet = [&header.to_bytes()[..], &[sequence as u8; 160]].concat();
        from.phone.send_to(&packet, from.plain.rtp_addr()).unwrap();
        while let Ok(n) = to.phone.recv(&mut buffer) {
            if rtp::parse(&buffer[..n]).is_some_and(|v| buffer[v.payload] == [sequence as u8; 160])
            {
                return;
            }
        }
        assert!(Instant::now() < limit, "nothing is heard");
    }
}

#[test]
fn both_hear_each_other_also_after_a_hold_and_leave_nothing() {
    let (mut one, mut two) = (Side::new(true), Side::new(false));
    // Before there are keys nothing is taken, whatever it is.
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    agree(&mut one, &mut two);
    stranger.send_to(&[0x80; 172], one.port.rtp_addr()).unwrap();
    assert_eq!((one.outcome(), two.outcome()), (Ok(()), Ok(())));
    talk(&one, &two, 0);
    talk(&two, &one, 1000);
    // The same certificates: the keys stay, and there is no other handshake.
    agree(&mut one, &mut two);
    talk(&one, &two, 2000);
    talk(&two, &one, 3000);
    assert!(one.port.counters().srtp_failures < 20);
    for side in [one, two] {
        let engine = side.engine.clone();
        drop(side);
        assert_eq!(engine.open_ports(), 0);
    }
}

#[test]
fn another_certificate_than_announced_ends_it_with_words_and_nothing_is_heard_in_clear() {
    let (mut one, mut two, three) = (Side::new(true), Side::new(false), Side::new(false));
    let offer = one.negotiator.offer(Direction::SendRecv);
    let (answer, theirs) = two.negotiator.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    two.port.set_stream(theirs.stream);
    let wrong = three.engine.fingerprint().to_string();
    let right = two.engine.fingerprint().to_string();
    let ours = one.negotiator.accept_answer(answer.replace(&right, &wrong).as_bytes()).unwrap();
    one.port.set_stream(ours.stream);
    assert_eq!(one.outcome(), Err(WebRtcError::Stranger));
    let before = one.port.counters().sent;
    for sequence in 0..20 {
        let header = Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 5 };
        let packet = [&header.to_bytes()[..], &[9; 160]].concat();
        one.phone.send_to(&packet, one.plain.rtp_addr()).unwrap();
        two.phone.send_to(&packet, one.port.rtp_addr()).unwrap();
    }
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(one.port.counters().sent, before);
    assert_eq!(one.port.counters().received, 0);
}

/// The same certificate, the same ports, and another handshake, of which signalling says nothing.
#[test]
fn a_phone_whose_media_starts_anew_makes_other_keys_and_both_hear_each_other_again() {
    let (mut one, mut two) = (Side::new(true), Side::new(false));
    agree(&mut one, &mut two);
    assert_eq!((one.outcome(), two.outcome()), (Ok(()), Ok(())));
    talk(&one, &two, 0);
    talk(&two, &one, 1000);
    // It is the DTLS client, and knows nothing of what was before.
    let stream = one.negotiator.agreed().unwrap().stream.clone();
    let off = StreamConfig { dtls: None, send: false, receive: false, ..stream.clone() };
    one.port.set_stream(off);
    one.port.set_stream(stream);
    assert_eq!((one.outcome(), two.outcome()), (Ok(()), Ok(())));
    talk(&one, &two, 2000);
    talk(&two, &one, 3000);
}
