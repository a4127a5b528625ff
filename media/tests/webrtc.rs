//! Two engines that call each other over their shared ports, on loopback: ICE, DTLS, SRTP, and
//! strangers who knock.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use offhook_media::codec::Codec;
use offhook_media::engine::{
    Engine, EngineConfig, MediaPort, OpenError, PortEvent, PortEventKind, StreamConfig,
};
use offhook_media::negotiate::{Local, Negotiator};
use offhook_media::rtp::{self, Header};
use offhook_media::sdp::Direction;
use offhook_media::webrtc::{Identity, Peer, WebRtcError};
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(60);

fn engine(threads: usize) -> Engine {
    let webrtc = Some((Ipv4Addr::LOCALHOST, 0).into());
    Engine::start(EngineConfig { threads, webrtc, ..EngineConfig::default() }).unwrap()
}

/// A WebRTC leg, and a plain one that it is bridged with, whose peer is a socket of the test's.
struct Side {
    engine: Engine,
    port: MediaPort,
    events: mpsc::Receiver<PortEvent>,
    negotiator: Negotiator,
    phone: UdpSocket,
    _plain: MediaPort,
}

fn side(threads: usize) -> Side {
    side_of(Peer::Browser, threads)
}

/// `peer`: who is taken to be at the other end.
fn side_of(peer: Peer, threads: usize) -> Side {
    let engine = engine(threads);
    let (sender, events) = mpsc::channel(64);
    let port = engine.open_webrtc(peer, sender.clone()).unwrap();
    let mut local = Local::new(port.rtp_addr(), vec![Codec::Pcmu]);
    local.webrtc = port.webrtc().cloned();
    let phone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    phone.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    // On another thread, where there is one.
    let plain = engine.open(Ipv4Addr::LOCALHOST.into(), sender).unwrap();
    plain.set_stream(StreamConfig::new(phone.local_addr().unwrap(), Codec::Pcmu));
    engine.bridge(&plain, &port);
    Side { engine, port, events, negotiator: Negotiator::new(local, 1), phone, _plain: plain }
}

impl Side {
    fn expect<T>(&mut self, wanted: impl Fn(&PortEventKind) -> Option<T>) -> T {
        let limit = Instant::now() + PATIENCE;
        loop {
            match self.events.try_recv() {
                Ok(event) => {
                    if let Some(found) = wanted(&event.kind) {
                        return found;
                    }
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
            assert!(Instant::now() < limit, "the event did not come");
        }
    }

    fn is_up(&mut self) -> SocketAddr {
        self.expect(|kind| match kind {
            PortEventKind::WebRtcUp { peer, .. } => Some(*peer),
            PortEventKind::WebRtcFailed(error) => panic!("{error}"),
            _ => None,
        })
    }

    fn say(&self, sequence: u16) {
        let timestamp = u32::from(sequence) * 160;
        let header = Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: 5 };
        let packet = [&header.to_bytes()[..], &[sequence as u8; 160]].concat();
        self.phone.send_to(&packet, self._plain.rtp_addr()).unwrap();
    }

    /// Whether the phone gets this packet's payload.
    fn hears(&self, payload: u8) -> bool {
        let mut buffer = [0; 2048];
        while let Ok(n) = self.phone.recv(&mut buffer) {
            let view = rtp::parse(&buffer[..n]);
            if view.is_some_and(|view| buffer[view.payload] == [payload; 160]) {
                return true;
            }
        }
        false
    }
}

/// Offer and answer; `one` is the lite side.
fn agree(one: &mut Side, two: &mut Side) {
    let offer = one.negotiator.offer(Direction::SendRecv);
    let (answer, theirs) = two.negotiator.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    two.port.set_stream(theirs.stream);
    let ours = one.negotiator.accept_answer(answer.as_bytes()).unwrap();
    one.port.set_stream(ours.stream);
}

fn talk(from: &Side, to: &Side, first: u16) {
    let limit = Instant::now() + PATIENCE;
    for sequence in first.. {
        from.say(sequence);
        if to.hears(sequence as u8) {
            return;
        }
        assert!(Instant::now() < limit, "nothing is heard");
    }
}

#[test]
fn a_lite_side_and_a_full_one_hear_each_other_and_leave_nothing() {
    let (mut one, mut two) = (side(2), side(1));
    agree(&mut one, &mut two);
    assert_eq!(one.is_up(), two.port.rtp_addr());
    assert_eq!(two.is_up(), one.port.rtp_addr());
    talk(&one, &two, 1);
    talk(&two, &one, 1);
    let Side { engine, port, mut events, .. } = two;
    drop(port);
    // The other side said goodbye (close_notify), and the first knows soon.
    assert_eq!(
        one.expect(|kind| match kind {
            PortEventKind::WebRtcFailed(error) => Some(error.clone()),
            _ => None,
        }),
        WebRtcError::Gone
    );
    drop(one.port);
    drop((one._plain, two._plain));
    assert_eq!((one.engine.open_ports(), engine.open_ports()), (0, 0));
    events.close();
}

#[test]
fn phones_and_browsers_hear_each_other_over_ice_whoever_asks() {
    for (one, two) in
        [(Peer::Phone, Peer::Phone), (Peer::Phone, Peer::Browser), (Peer::Browser, Peer::Phone)]
    {
        let (mut one, mut two) = (side_of(one, 1), side_of(two, 1));
        agree(&mut one, &mut two);
        assert_eq!(one.is_up(), two.port.rtp_addr());
        assert_eq!(two.is_up(), one.port.rtp_addr());
        talk(&one, &two, 1);
        talk(&two, &one, 1);
        let Side { engine, port, phone, _plain: plain, .. } = two;
        drop((port, plain, phone));
        drop((one.port, one._plain));
        assert_eq!((one.engine.open_ports(), engine.open_ports()), (0, 0));
    }
}

#[test]
fn floods_of_strangers_are_counted_and_neither_answered_nor_heard() {
    let (mut one, mut two) = (side(1), side(1));
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    stranger.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    // A request that names the leg and is signed with a wrong password; DTLS; RTP; rubbish.
    let mut stun = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    stun.extend([7; 12]);
    stun.extend([0, 6, 0, 8]);
    stun.extend(one.port.webrtc().unwrap().credentials.ufrag.as_bytes());
    let dtls = [&[22, 254, 253][..], &[0; 60]].concat();
    let header = Header { marker: false, payload_type: 0, sequence: 1, timestamp: 1, ssrc: 5 };
    let rtp = [&header.to_bytes()[..], &[9; 160]].concat();
    let flood = |to: SocketAddr| {
        for packet in [&stun[..], &dtls, &rtp, &[200; 30], &[]] {
            stranger.send_to(packet, to).unwrap();
        }
    };
    for _ in 0..200 {
        flood(one.port.rtp_addr());
    }
    agree(&mut one, &mut two);
    one.is_up();
    two.is_up();
    for _ in 0..200 {
        flood(one.port.rtp_addr());
    }
    talk(&one, &two, 1);
    talk(&two, &one, 1);
    assert!(stranger.recv(&mut [0; 2048]).is_err(), "nobody is answered");
    let counters = one.engine.webrtc_counters();
    assert!(counters.strangers > 0 && counters.malformed > 0, "{counters:?}");
    assert!(counters.received > counters.strangers + counters.malformed, "{counters:?}");
}

#[test]
fn another_certificate_than_announced_ends_it_with_words() {
    let (mut one, mut two) = (side(1), side(1));
    let offer = one.negotiator.offer(Direction::SendRecv);
    let fingerprint = one.port.webrtc().unwrap().fingerprint.to_string();
    let other = Identity::fresh().unwrap().fingerprint().to_string();
    let offer = offer.replace(&fingerprint, &other);
    let (answer, theirs) = two.negotiator.answer(offer.as_bytes(), Direction::SendRecv).unwrap();
    two.port.set_stream(theirs.stream);
    one.port.set_stream(one.negotiator.accept_answer(answer.as_bytes()).unwrap().stream);
    let error = two.expect(|kind| match kind {
        PortEventKind::WebRtcFailed(error) => Some(error.clone()),
        PortEventKind::WebRtcUp { .. } => panic!("believed a stranger"),
        _ => None,
    });
    assert_eq!(error, WebRtcError::Stranger);
}

#[test]
fn without_a_port_there_is_no_webrtc() {
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let refused = engine.open_webrtc(Peer::Browser, mpsc::channel(1).0);
    assert!(matches!(refused, Err(OpenError::NoWebRtc)));
    assert!(engine.webrtc_sample().is_none());
}
