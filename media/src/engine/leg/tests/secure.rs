//! Legs with SRTP, and packets that are wrong.

use super::*;
use crate::srtp::{SrtpKey, SrtpKeys, SrtpSuite, Unprotected};

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
    assert!(a.heard().is_empty(), "nor make us say that the peer's key is wrong");
}

#[test]
fn a_wrong_key_is_told_of_the_peer_only_and_again_after_it_was_right() {
    let key = || SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80);
    let (ours, theirs) = (key(), key());
    let keys = SrtpKeys { tx: ours.clone(), rx: theirs.clone() };
    let mut a = Bench::new("192.0.2.1:4000", |s| s.srtp = Some(keys));
    let mut phone = SrtpSession::new(SrtpKeys { tx: theirs, rx: ours }).unwrap();
    let mut numbers = 1..;
    let mut sealed = || {
        let mut wire = packet(0, numbers.next().unwrap(), &[1; 160]);
        wire.resize(182, 0);
        phone.protect_rtp(&mut wire, 0..172).unwrap();
        wire
    };
    for _ in 0..2 {
        for n in 100..400 {
            a.now += ms(20);
            assert!(n > 240 || a.heard().is_empty(), "a change of keys takes its time");
            a.receive(&packet(0, n, &[1; 160]));
        }
        assert_eq!(a.heard().iter().filter(|e| **e == PortEventKind::SrtpFailed).count(), 1);
        assert!(a.receive(&sealed()).is_some());
        a.heard();
    }
    let copied = sealed();
    assert!(a.receive(&copied).is_some());
    for _ in 0..30 {
        assert!(a.receive(&copied).is_none());
    }
    assert!(a.heard().is_empty(), "a copy is no wrong key");
}

#[test]
fn with_a_new_key_or_at_a_new_address_we_are_a_new_source_and_begin_low() {
    let key = || SrtpKey::generate(SrtpSuite::AesCm128HmacSha1_80);
    let (ours, theirs) = (key(), key());
    let keys = SrtpKeys { tx: ours.clone(), rx: theirs.clone() };
    let mut plain = Bench::new("192.0.2.9:4000", |_| {});
    let mut a = Bench::new("192.0.2.1:4000", |s| s.srtp = Some(keys.clone()));
    let mut say = |a: &mut Bench, n: u16| plain.through(a, &packet(0, n, &[1; 160])).unwrap().0;
    let first = say(&mut a, 1);
    a.change(|s| s.srtp = Some(SrtpKeys { rx: key(), ..keys.clone() }));
    assert_eq!(say(&mut a, 2).ssrc, first.ssrc, "our key stays");
    a.change(|s| (s.remote_rtp, s.send) = (addr("0.0.0.0:4000"), false));
    a.change(|s| (s.remote_rtp, s.send) = (addr("192.0.2.1:4000"), true));
    assert_eq!(say(&mut a, 3).ssrc, first.ssrc, "a hold is no move");
    a.change(|s| s.remote_rtp = addr("192.0.2.1:4400"));
    let second = say(&mut a, 4);
    a.change(|s| s.srtp = Some(SrtpKeys { tx: key(), rx: keys.rx.clone() }));
    let third = say(&mut a, 5);
    assert!(first.ssrc != second.ssrc && second.ssrc != third.ssrc);
    assert!(second.sequence <= 0x8000 && third.sequence <= 0x8000);
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
    r.receive(Instant::now(), 5, 9, Some((1, 8000)));
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
