//! Two legs, packets carried by hand, time that moves when told.

mod carriers;
mod inband;
mod keys;
mod reports;
mod secure;
mod voice;

use super::*;
use crate::clip::Clip;
use crate::dtmf::{Digit, DigitSet};
use crate::engine::api::{Control, PlayEnd, Playback, Recording, TelephoneEvent};
use crate::rtcp::{self, MAX_REPORT, SenderInfo};
use crate::rtp::{self, Header, RtpView};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

const EVENTS: TelephoneEvent = TelephoneEvent { send_pt: 101, recv_pt: 101, clock: 8000 };

struct Bench {
    leg: Leg,
    events: mpsc::Receiver<PortEvent>,
    buffer: Box<Buffer>,
    now: Instant,
    peer: SocketAddr,
}

impl Bench {
    fn new(peer: &str, change: impl FnOnce(&mut StreamConfig)) -> Self {
        let now = Instant::now();
        let (sender, events) = mpsc::channel(64);
        let mut leg = Leg::new(now, PortId(1), sender, Arc::default(), ms(5000));
        let mut stream = StreamConfig::new(addr(peer), Codec::Pcmu);
        stream.telephone_event = Some(EVENTS);
        change(&mut stream);
        leg.set_stream(now, Box::new(stream));
        Self { leg, events, buffer: Box::new([0; 2048]), now, peer: addr(peer) }
    }

    fn change(&mut self, change: impl FnOnce(&mut StreamConfig)) {
        let mut stream = self.leg.stream.clone().unwrap().config;
        change(&mut stream);
        self.leg.set_stream(self.now, stream);
    }

    fn receive_from(&mut self, from: SocketAddr, packet: &[u8]) -> Option<Media> {
        self.buffer[..packet.len()].copy_from_slice(packet);
        self.leg.receive(self.now, Some(from), &mut self.buffer, packet.len())
    }

    fn receive(&mut self, packet: &[u8]) -> Option<Media> {
        self.receive_from(self.peer, packet)
    }

    /// A packet through `self` to `other`: what other's peer gets.
    fn through(&mut self, other: &mut Bench, packet: &[u8]) -> Option<(RtpView, Vec<u8>)> {
        let media = self.receive(packet)?;
        let at = other.leg.relay(self.now, &media, &mut self.buffer)?;
        let wire = self.buffer[at].to_vec();
        let view = rtp::parse(&wire)?;
        let payload = wire[view.payload.clone()].to_vec();
        Some((view, payload))
    }

    fn heard(&mut self) -> Vec<PortEventKind> {
        std::iter::from_fn(|| self.events.try_recv().ok()).map(|e| e.kind).collect()
    }

    /// What the leg makes of its own until `until`, polled every 5 ms.
    fn made(&mut self, until: Duration) -> Vec<(RtpView, Vec<u8>)> {
        let end = self.now + until;
        let mut made = Vec::new();
        while self.now < end {
            self.leg.handle_timeout(self.now);
            while let Some(at) = self.leg.poll(self.now, &mut self.buffer) {
                let wire = self.buffer[at].to_vec();
                let view = rtp::parse(&wire).unwrap();
                let payload = wire[view.payload.clone()].to_vec();
                made.push((view, payload));
            }
            self.now += ms(5);
        }
        made
    }
}

fn packet(payload_type: u8, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let header = Header { marker: false, payload_type, sequence, timestamp, ssrc: 77 };
    [&header.to_bytes()[..], payload].concat()
}

fn key(payload_type: u8, sequence: u16, code: u8, end: bool) -> Vec<u8> {
    let flags = if end { 0x8a } else { 10 };
    let header = Header { marker: false, payload_type, sequence, timestamp: 5000, ssrc: 77 };
    [&header.to_bytes()[..], &[code, flags, 3, 32]].concat()
}

fn ends() -> (Bench, Bench) {
    (Bench::new("192.0.2.1:4000", |_| {}), Bench::new("192.0.2.2:5000", |_| {}))
}

#[test]
fn what_goes_in_a_ring_turns_a_thousand_times_a_second_at_most() {
    let mut leg = Bench::new("127.0.0.1:4000", |_| {});
    let header = Header { marker: false, payload_type: 0, sequence: 1, timestamp: 160, ssrc: 7 };
    let packet = [&header.to_bytes()[..], &[1; 160]].concat();
    assert_eq!((0..5_000).filter(|_| leg.receive(&packet).is_some()).count(), 1_000);
    leg.now += ms(1_000);
    assert!(leg.receive(&packet).is_some(), "whoever stops to flood is heard again");
}

#[test]
fn a_packet_is_relayed_under_our_own_ssrc() {
    let (mut a, mut b) = ends();
    let mut last = None;
    for n in 0..50 {
        let (view, payload) = a.through(&mut b, &packet(0, n, &[n as u8; 160])).unwrap();
        assert_eq!(payload, [n as u8; 160]);
        assert_ne!(view.ssrc, 77);
        assert_eq!(view.marker, n == 0);
        if let Some((sequence, timestamp)) = last {
            assert_eq!((view.sequence, view.timestamp), (sequence + 1u16, timestamp + 160u32));
        }
        last = Some((view.sequence, view.timestamp));
    }
    assert_eq!(a.leg.counters.snapshot().received, 50);
    assert_eq!(a.heard(), [PortEventKind::FirstPacket { from: a.peer }]);
}

#[test]
fn laws_and_payload_types_are_translated() {
    let mut a = Bench::new("192.0.2.1:4000", |_| {});
    let mut b = Bench::new("192.0.2.2:5000", |s| {
        (s.codec, s.send_pt, s.recv_pt) = (Codec::Pcma, 8, 8);
        s.telephone_event = Some(TelephoneEvent { send_pt: 96, recv_pt: 97, clock: 8000 });
    });
    let (view, payload) = a.through(&mut b, &packet(0, 1, &[0xff; 160])).unwrap();
    assert_eq!((view.payload_type, payload), (8, vec![0xd5; 160]));
    let (view, payload) = b.through(&mut a, &packet(8, 1, &[0xd5; 240])).unwrap();
    assert_eq!((view.payload_type, payload.len()), (0, 240), "30 ms stay 30 ms");
    let (view, _) = a.through(&mut b, &key(101, 2, 1, false)).unwrap();
    assert_eq!(view.payload_type, 96);
    let (view, _) = b.through(&mut a, &key(97, 2, 1, false)).unwrap();
    assert_eq!(view.payload_type, 101);
    assert_eq!(b.receive(&packet(98, 3, &[0; 20])), None, "nobody agreed on 98");
    assert_eq!(b.leg.counters.snapshot().dropped, 1);
}

#[test]
fn comfort_noise_goes_only_to_who_takes_it() {
    let (mut a, mut b) = ends();
    assert_eq!(a.through(&mut b, &packet(13, 1, &[40])), None);
    b.change(|s| s.comfort_noise = true);
    assert_eq!(a.through(&mut b, &packet(13, 2, &[40])).unwrap().0.payload_type, 13);
}

#[test]
fn who_is_held_gets_nothing_and_what_was_not_sent_is_no_loss() {
    let (mut a, mut b) = ends();
    let before = a.through(&mut b, &packet(0, 1, &[1; 160])).unwrap().0;
    b.change(|s| s.send = false);
    for n in 2..100 {
        assert_eq!(a.through(&mut b, &packet(0, n, &[1; 160])), None);
    }
    b.change(|s| s.send = true);
    let after = a.through(&mut b, &packet(0, 100, &[1; 160])).unwrap().0;
    assert_eq!(after.sequence, before.sequence + 1);
    assert!(after.marker);
    a.change(|s| s.receive = false);
    assert_eq!(a.through(&mut b, &packet(0, 101, &[1; 160])), None, "we hold a");
}

#[test]
fn strangers_are_refused_until_signalling_names_another_peer() {
    let (mut a, _) = ends();
    let stranger = addr("198.51.100.7:9999");
    assert!(a.receive(&packet(0, 1, &[1; 160])).is_some());
    assert_eq!(a.receive_from(stranger, &packet(0, 2, &[1; 160])), None);
    assert_eq!(a.leg.counters.snapshot().strangers, 1);
    a.change(|_| {});
    assert_eq!(a.receive_from(stranger, &packet(0, 2, &[1; 160])), None, "nothing changed");
    a.change(|s| s.remote_rtp = stranger);
    assert!(a.receive_from(stranger, &packet(0, 3, &[1; 160])).is_some());
    assert_eq!(a.leg.target(), Some(stranger));
    assert_eq!(a.heard().len(), 2);
}

#[test]
fn a_peer_behind_a_nat_is_heard_again_when_it_resumes_from_another_port() {
    let (mut a, _) = ends();
    let (before, after) = (addr("203.0.113.7:61000"), addr("203.0.113.7:61999"));
    assert!(a.receive_from(before, &packet(0, 1, &[1; 160])).is_some());
    assert!(a.receive_from(after, &packet(0, 2, &[1; 160])).is_none());
    a.change(|s| s.receive = false);
    assert!(a.receive_from(after, &packet(0, 3, &[1; 160])).is_none());
    assert_eq!(a.leg.target(), Some(before));
    a.change(|s| s.receive = true);
    assert_eq!(a.leg.target(), Some(before));
    assert!(a.receive_from(after, &packet(0, 4, &[1; 160])).is_some());
    assert_eq!(a.leg.target(), Some(after));
    assert!(a.receive_from(before, &packet(0, 5, &[1; 160])).is_none(), "closed again");
}

#[test]
fn after_a_pause_another_host_is_refused_though_it_speaks_first() {
    for hold in [|s: &mut StreamConfig| s.receive = false, |s: &mut StreamConfig| s.send = false] {
        let (mut a, _) = ends();
        let phone = addr("203.0.113.7:61000");
        assert!(a.receive_from(phone, &packet(0, 1, &[1; 160])).is_some());
        a.change(hold);
        a.change(|s| (s.send, s.receive) = (true, true));
        assert!(a.receive_from(addr("198.51.100.7:61000"), &packet(0, 2, &[1; 160])).is_none());
        assert_eq!(a.leg.target(), Some(phone));
        assert!(a.receive_from(addr("203.0.113.7:61999"), &packet(0, 3, &[1; 160])).is_some());
    }
}

#[test]
fn a_hold_with_an_address_of_zeros_lets_nobody_else_speak() {
    let (mut a, _) = ends();
    let (phone, stranger) = (a.peer, addr("198.51.100.7:9999"));
    assert!(a.receive(&packet(0, 1, &[1; 160])).is_some());
    a.change(|s| (s.remote_rtp, s.send) = (addr("0.0.0.0:4000"), false));
    assert_eq!((a.leg.target(), a.leg.rtcp_target()), (None, None), "nothing is sent");
    assert!(a.receive_from(stranger, &packet(0, 2, &[1; 160])).is_none());
    assert!(a.receive_from(phone, &packet(0, 3, &[1; 160])).is_some(), "its music is heard");
    a.change(|s| (s.remote_rtp, s.send) = (phone, true));
    assert!(a.receive_from(stranger, &packet(0, 4, &[1; 160])).is_none(), "nor afterwards");
    assert!(a.receive(&packet(0, 5, &[1; 160])).is_some());
    assert_eq!(a.leg.rtcp_target(), Some((addr("192.0.2.1:4001"), false)));
    assert_eq!(a.heard().len(), 1, "it is the peer it was");
    a.change(|s| (s.remote_rtp, s.send) = (addr("0.0.0.0:4000"), false));
    a.change(|s| (s.remote_rtp, s.send) = (stranger, true));
    assert!(a.receive_from(stranger, &packet(0, 6, &[1; 160])).is_some(), "signalling says so");
}

#[test]
fn a_forged_source_is_heard_as_nothing_and_a_new_one_from_its_second_packet() {
    let (mut a, mut b) = ends();
    let forged = |n: u16, ssrc: u8| {
        let mut wire = packet(0, n, &[9; 160]);
        wire[11] = ssrc;
        wire
    };
    for n in 0..50 {
        a.now += ms(20);
        assert!(a.through(&mut b, &packet(0, n, &[1; 160])).is_some());
        assert_eq!(a.through(&mut b, &forged(9000 + 3 * n, n as u8)), None);
    }
    assert_eq!(a.leg.counters.snapshot().dropped, 50);
    let seen: Vec<bool> =
        (0..5).map(|n| a.through(&mut b, &forged(400 + n, 200)).is_some()).collect();
    assert_eq!(seen, [false, true, true, true, true]);
    a.now += ms(200);
    assert!(a.through(&mut b, &forged(7, 99)).is_some(), "the other one had ended");
}

#[test]
fn a_stray_of_another_payload_type_latches_nothing() {
    let (mut a, _) = ends();
    assert_eq!(a.receive_from(addr("198.51.100.7:9"), &packet(77, 1, &[1; 9])), None);
    assert_eq!(a.receive_from(addr("198.51.100.7:9"), b"OPTIONS sip:me SIP/2.0"), None);
    assert_eq!(a.leg.target(), Some(a.peer));
    assert!(a.heard().is_empty());
}

#[test]
fn silence_of_the_network_is_told_once() {
    let (mut a, _) = ends();
    let tell = |a: &mut Bench, after| {
        a.leg.sweep(a.now + ms(after));
        a.heard().len()
    };
    assert_eq!(tell(&mut a, 4999), 0);
    assert_eq!(tell(&mut a, 5000), 1);
    assert_eq!(tell(&mut a, 6000), 0);
    a.change(|s| s.receive = false);
    a.change(|s| s.receive = true);
    assert_eq!(tell(&mut a, 5000), 1, "resumed, and silent again");
}

#[test]
fn a_plain_leg_is_small() {
    assert!(size_of::<Leg>() + size_of::<StreamConfig>() < 1500, "{}", size_of::<Leg>());
}
