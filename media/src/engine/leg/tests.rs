//! Two legs, packets carried by hand, time that moves when told.

use super::*;
use crate::clip::Clip;
use crate::dtmf::DigitSet;
use crate::engine::api::PlayEnd;
use crate::engine::api::{Repeat, TelephoneEvent};
use crate::rtcp::{self, MAX_REPORT, SenderInfo};
use crate::rtp::{self, Header, RtpView};
use crate::srtp::{SrtpKey, SrtpKeys, SrtpSuite, Unprotected};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

const EVENTS: TelephoneEvent = TelephoneEvent { send_pt: 101, recv_pt: 101 };

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
        let mut stream = self.leg.stream.clone().unwrap();
        change(&mut stream);
        self.leg.set_stream(self.now, stream);
    }

    fn receive_from(&mut self, from: SocketAddr, packet: &[u8]) -> Option<Media> {
        self.buffer[..packet.len()].copy_from_slice(packet);
        self.leg.receive(self.now, from, &mut self.buffer, packet.len())
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
        s.telephone_event = Some(TelephoneEvent { send_pt: 96, recv_pt: 97 });
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
fn a_stray_of_another_payload_type_latches_nothing() {
    let (mut a, _) = ends();
    assert_eq!(a.receive_from(addr("198.51.100.7:9"), &packet(77, 1, &[1; 9])), None);
    assert_eq!(a.receive_from(addr("198.51.100.7:9"), b"OPTIONS sip:me SIP/2.0"), None);
    assert_eq!(a.leg.target(), Some(a.peer));
    assert!(a.heard().is_empty());
}

#[test]
fn a_plain_and_a_secured_leg_understand_each_other() {
    let keys = |tx, rx| Some(SrtpKeys { tx, rx });
    let (ours, theirs) = (
        SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80),
        SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80),
    );
    let mut plain = Bench::new("192.0.2.1:4000", |_| {});
    let mut secured = Bench::new("192.0.2.2:5000", |s| s.srtp = keys(ours.clone(), theirs.clone()));
    let mut phone = SrtpSession::new(SrtpKeys { tx: theirs, rx: ours }).unwrap();
    for n in 0..20 {
        let media = plain.receive(&packet(0, n, &[n as u8; 160])).unwrap();
        let at = secured.leg.relay(plain.now, &media, &mut plain.buffer).unwrap();
        let mut wire = plain.buffer[at].to_vec();
        assert_eq!(wire.len(), 12 + 160 + 10);
        assert_eq!(phone.unprotect_rtp(&mut wire), Unprotected::Plain(172));
        assert_eq!(wire[12..172], [n as u8; 160]);

        let mut wire = packet(0, n, &[!n as u8; 160]);
        wire.resize(200, 0);
        let at = phone.protect_rtp(&mut wire, 0..172).unwrap();
        let (_, payload) = secured.through(&mut plain, &wire[at]).unwrap();
        assert_eq!(payload, [!n as u8; 160]);
    }
    assert_eq!(secured.receive(&packet(0, 50, &[1; 160])), None, "plain on a secured leg");
    assert_eq!(secured.leg.counters.snapshot().srtp_failures, 1);
}

#[test]
fn a_forged_packet_cannot_latch_a_secured_leg() {
    let key = || SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_32);
    let mut a = Bench::new("192.0.2.1:4000", |s| s.srtp = Some(SrtpKeys { tx: key(), rx: key() }));
    for n in 0..30 {
        a.receive_from(addr("198.51.100.7:9"), &packet(0, n, &[1; 160]));
    }
    assert_eq!(a.leg.target(), Some(a.peer));
    assert_eq!(a.heard(), [PortEventKind::SrtpFailed]);
}

#[test]
fn a_key_is_told_once_when_released() {
    let (mut a, _) = ends();
    for n in 1..4 {
        a.receive(&key(101, n, 7, false));
    }
    for n in 4..7 {
        a.receive(&key(101, n, 7, true));
    }
    let digit = Digit::from_char('7').unwrap();
    let told = PortEventKind::Digit { digit, duration: ms(100) };
    assert_eq!(a.heard(), [PortEventKind::FirstPacket { from: a.peer }, told]);
    assert!(!a.leg.wants_ticks());
}

#[test]
fn a_key_stops_a_prompt_at_the_press() {
    let (mut a, _) = ends();
    let clip = Arc::new(Clip::from_samples(vec![1000; 80_000]));
    let playback =
        Playback { id: 5, clips: vec![clip], repeat: Repeat::Once, stop_on: DigitSet::of("1") };
    a.leg.play(a.now, playback);
    let made = a.made(ms(200));
    assert_eq!(made.len(), 10);
    assert!(made[0].0.marker && !made[1].0.marker);
    assert_eq!(made[9].0.timestamp, made[0].0.timestamp.wrapping_add(9 * 160));
    a.receive(&key(101, 1, 2, true));
    assert_eq!(a.made(ms(100)).len(), 5, "2 does not stop it");
    a.receive(&packet(0, 300, &[0xff; 160]));
    a.leg.keys = EventReceiver::default();
    a.receive(&key(101, 301, 1, false));
    assert!(a.made(ms(100)).is_empty());
    let digit = Digit::from_char('1').unwrap();
    assert!(a.heard().contains(&PortEventKind::PlayEnded { id: 5, by: PlayEnd::Digit(digit) }));
}

#[test]
fn a_prompt_takes_the_place_of_the_relay_and_gives_it_back() {
    let (mut a, mut b) = ends();
    let relayed = a.through(&mut b, &packet(0, 1, &[1; 160])).unwrap().0;
    let clip = Arc::new(Clip::from_samples(vec![1000; 480]));
    let list = Playback { id: 6, clips: vec![clip], repeat: Repeat::Once, stop_on: DigitSet::NONE };
    b.leg.play(b.now, list);
    assert_eq!(a.through(&mut b, &packet(0, 2, &[1; 160])), None);
    let made = b.made(ms(100));
    let numbers: Vec<_> =
        made.iter().map(|(v, _)| v.sequence.wrapping_sub(relayed.sequence)).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(made.iter().all(|(v, _)| v.ssrc == relayed.ssrc));
    assert_eq!(b.heard(), [PortEventKind::PlayEnded { id: 6, by: PlayEnd::End }]);
    a.now = b.now;
    let again = a.through(&mut b, &packet(0, 8, &[1; 160])).unwrap().0;
    assert_eq!(again.sequence, relayed.sequence + 4);
    assert!(again.timestamp.wrapping_sub(made[2].0.timestamp) < 800);
}

#[test]
fn digits_are_sent_with_the_peers_payload_type_and_told_when_done() {
    let mut a = Bench::new("192.0.2.1:4000", |s| {
        s.telephone_event = Some(TelephoneEvent { send_pt: 96, recv_pt: 101 });
    });
    a.leg.send_digits(a.now, &Digit::parse_all("42").unwrap(), ms(100), ms(60));
    let made = a.made(ms(400));
    assert_eq!(made.len(), 14);
    assert!(made.iter().all(|(v, _)| v.payload_type == 96));
    assert_eq!((made[0].1[0], made[7].1[0]), (4, 2));
    assert_eq!(made[7].0.timestamp.wrapping_sub(made[0].0.timestamp), 1280);
    assert_eq!(a.heard(), [PortEventKind::DigitsSent]);
    assert!(!a.leg.wants_ticks());
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
fn reports_go_both_ways_also_encrypted() {
    for secured in [false, true] {
        let (k1, k2) = (
            SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80),
            SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80),
        );
        let keys = |tx: &SrtpKey, rx: &SrtpKey| {
            secured.then(|| SrtpKeys { tx: tx.clone(), rx: rx.clone() })
        };
        let mut a = Bench::new("192.0.2.2:5000", |s| s.srtp = keys(&k1, &k2));
        let mut b = Bench::new("192.0.2.1:4000", |s| s.srtp = keys(&k2, &k1));
        let at = a.now + ms(6000);
        assert_eq!(a.leg.rtcp_target(), Some((addr("192.0.2.2:5001"), false)));
        let n = a.leg.report(at, 99 << 32, &mut a.buffer).unwrap();
        let from = addr("192.0.2.1:4001");
        b.leg.receive_rtcp(at, 99 << 32, from, false, &mut a.buffer.clone(), n);
        assert_eq!(b.leg.counters.snapshot().rtcp_received, 1);
        b.leg.receive_rtcp(at, 99 << 32, addr("203.0.113.1:9"), false, &mut a.buffer, n);
        assert_eq!(b.leg.counters.snapshot().strangers, 1);
        assert_eq!(a.leg.report(at, 99 << 32, &mut b.buffer), None, "not again so soon");
    }
}

#[test]
fn no_mutated_packet_panics_or_upsets_a_leg() {
    let key = || SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80);
    let mut seeds = vec![packet(0, 1, &[7; 160]), self::key(101, 2, 5, true), packet(13, 3, &[9])];
    let mut r = Reception::default();
    r.receive(Instant::now(), 5, 9, Some(1));
    let mut report = [0; MAX_REPORT];
    let info = SenderInfo { ntp: 1, timestamp: 2, packets: 3, octets: 4 };
    let n =
        rtcp::write_report(Instant::now(), &mut report, 9, b"0123456789abcdef", Some(info), &mut r);
    seeds.push(report[..n].to_vec());
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let (mut a, mut b) = ends();
    let mut s = Bench::new("192.0.2.1:4000", |s| s.srtp = Some(SrtpKeys { tx: key(), rx: key() }));
    let recording = crate::engine::api::Recording {
        id: 1,
        to: Box::new(Nothing),
        max: Some(ms(60_000)),
        silence: None,
        terminators: DigitSet::NONE,
    };
    a.leg.record(a.now, recording);
    for _ in 0..60_000 {
        let mut p = seeds[(next() % 4) as usize].clone();
        for _ in 0..next() % 6 {
            let at = (next() % p.len() as u64) as usize;
            p[at] = next() as u8;
        }
        match next() % 4 {
            0 => p.truncate((next() % (p.len() as u64 + 1)) as usize),
            1 => p.extend(std::iter::repeat_n(next() as u8, (next() % 40) as usize)),
            _ => {}
        }
        let now = a.now + ms(next() % 40);
        a.now = now;
        a.through(&mut b, &p);
        s.receive(&p);
        for bench in [&mut a, &mut s] {
            let from = bench.peer;
            bench.buffer[..p.len()].copy_from_slice(&p);
            bench.leg.receive_rtcp(
                now,
                next(),
                SocketAddr::new(from.ip(), from.port() + 1),
                false,
                &mut bench.buffer,
                p.len(),
            );
            bench.leg.handle_timeout(now);
            bench.heard();
        }
    }
    assert!(a.leg.counters.snapshot().received > 1000);
}

struct Nothing;
impl crate::engine::api::SampleSink for Nothing {
    fn push(&mut self, _: &[i16]) {}
}

#[test]
fn a_plain_leg_is_small() {
    assert!(size_of::<Leg>() + size_of::<StreamConfig>() < 1500, "{}", size_of::<Leg>());
}
