//! What two legs tell each other of their streams.

use super::*;
use crate::rtcp::Wishes;

const NTP: u64 = 99 << 32;

/// The kinds of a compound's packets, in their order.
fn kinds(mut compound: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [_, kind, l0, l1, ..] = *compound {
        kinds.push(kind);
        compound = &compound[(usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4..];
    }
    kinds
}

impl Bench {
    /// Its next report, when one comes before `until` has passed.
    fn reported(&mut self, until: u64) -> Option<Vec<u8>> {
        let end = self.now + ms(until);
        while self.now < end {
            self.now += ms(100);
            if let Some(n) = self.leg.report(self.now, NTP, &mut self.buffer) {
                return Some(self.buffer[..n].to_vec());
            }
        }
        None
    }

    fn told(&mut self, report: &[u8]) {
        self.buffer[..report.len()].copy_from_slice(report);
        let from = SocketAddr::new(self.peer.ip(), self.peer.port() + 1);
        let n = report.len();
        self.leg.receive_rtcp(self.now, NTP, from, false, &mut self.buffer, n);
    }
}

#[test]
fn who_is_held_reports_as_a_receiver_after_a_while_and_a_sender_as_one() {
    let (mut a, mut b) = ends();
    for n in 0..10 {
        a.through(&mut b, &packet(0, n, &[1; 160])).unwrap();
    }
    let mut heads = Vec::new();
    for _ in 0..4 {
        heads.push(kinds(&b.reported(7000).unwrap())[0]);
    }
    assert_eq!(heads, [200, 200, 201, 201], "RFC 3550 §6.4");
}

#[test]
fn a_leg_that_spoke_says_goodbye_and_one_that_never_did_leaves_in_silence() {
    let (mut a, mut b) = ends();
    a.through(&mut b, &packet(0, 1, &[1; 160])).unwrap();
    let n = b.leg.goodbye(b.now, NTP, &mut b.buffer).unwrap();
    assert_eq!(kinds(&b.buffer[..n]), [200, 202, 203]);
    assert_eq!(b.buffer[n - 4..n], b.leg.out.ssrc().to_be_bytes());
    assert_eq!(a.leg.goodbye(a.now, NTP, &mut a.buffer), None, "only listened");
}

#[test]
fn a_source_that_a_new_key_ended_is_told_to_be_gone() {
    let key = || crate::srtp::SrtpKey::generate(crate::srtp::SrtpSuite::AesCm128HmacSha1_80);
    let (mut a, mut b) = ends();
    a.through(&mut b, &packet(0, 1, &[1; 160])).unwrap();
    let before = b.leg.out.ssrc();
    b.change(|s| s.srtp = Some(crate::srtp::SrtpKeys { tx: key(), rx: key() }));
    b.change(|s| s.srtp = None);
    let report = b.reported(150).expect("at once");
    assert_eq!(kinds(&report), [201, 202, 203]);
    assert_eq!(report[report.len() - 4..], before.to_be_bytes());
    assert_eq!(kinds(&b.reported(7000).unwrap()), [201, 202], "once");
}

#[test]
fn loss_jitter_and_round_trip_are_counted_on_both_sides() {
    let (mut a, mut b) = ends();
    let from = SocketAddr::new(b.peer.ip(), b.peer.port());
    let mut c = Bench::new("192.0.2.9:7000", |_| {});
    // What b's peer gets of a's words goes to c, which reports it.
    for n in 0..200u16 {
        let Some(media) = a.receive(&packet(0, n, &[1; 160])) else { panic!() };
        let at = b.leg.relay(a.now, &media, &mut a.buffer).unwrap();
        let wire = a.buffer[at].to_vec();
        if !(50..54).contains(&n) {
            c.receive(&wire).unwrap();
        }
        for bench in [&mut a, &mut b, &mut c] {
            bench.now += ms(if n % 2 == 0 { 10 } else { 30 });
        }
    }
    let report = c.reported(7000).unwrap();
    b.told(&report);
    let (heard, said) = (c.leg.counters.snapshot(), b.leg.counters.snapshot());
    assert_eq!((heard.expected, heard.lost, heard.loss_runs), (200, 4, 1));
    assert!((9_000..11_000).contains(&heard.jitter_us), "{}", heard.jitter_us);
    assert_eq!((said.remote_expected, said.remote_lost), (200, 4));
    assert!((8_000..11_000).contains(&said.remote_jitter_us), "{}", said.remote_jitter_us);
    assert!(from.port() == 5000 && said.rtcp_received == 1);
    let path = crate::quality::received(&heard, Codec::Pcmu, 20).unwrap();
    assert!((path.loss - 0.02).abs() < 1e-9 && path.burst_ratio > 3.9, "{path:?}");
    let path = crate::quality::sent(&said, Codec::Pcmu, 20).unwrap();
    assert!((path.loss - 0.02).abs() < 1e-9, "{path:?}");
    assert_eq!(crate::quality::sent(&heard, Codec::Pcmu, 20), None, "nobody reported");
}

#[test]
fn what_a_phone_thought_of_us_outlives_a_new_source() {
    let (mut a, mut b) = ends();
    let lost = |b: &mut Bench, n: u32| {
        let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
        report.extend(b.leg.out.ssrc().to_be_bytes());
        report.extend(n.to_be_bytes());
        report.extend([0; 16]);
        b.told(&report);
        let counters = b.leg.counters.snapshot();
        (counters.remote_expected, counters.remote_lost)
    };
    for n in 0..10 {
        a.through(&mut b, &packet(0, n, &[1; 160])).unwrap();
    }
    assert_eq!(lost(&mut b, 2), (10, 2));
    b.leg.renew_stream();
    for n in 10..15 {
        a.through(&mut b, &packet(0, n, &[1; 160])).unwrap();
    }
    assert_eq!(lost(&mut b, 1), (15, 3));
}

#[test]
fn extended_reports_go_only_to_who_asked() {
    let all = Wishes { voip_metrics: true, round_trip: true };
    let (mut a, mut b) = ends();
    a.change(|s| s.rtcp_xr = all);
    a.receive(&packet(0, 1, &[1; 160])).unwrap();
    b.receive(&packet(0, 1, &[1; 160])).unwrap();
    assert_eq!(kinds(&b.reported(7000).unwrap()), [201, 202]);
    let report = a.reported(7000).unwrap();
    assert_eq!(kinds(&report), [201, 202, 207]);
    // What it says of its peer: R and both scores, of a call without a flaw.
    let voip = &report[report.len() - 36..];
    assert_eq!((voip[0], &voip[4..8]), (7, &77u32.to_be_bytes()[..]));
    assert_eq!((voip[24], voip[26], voip[27]), (92, 44, 44), "{voip:?}");
    // A listener's reference time comes back in the next report.
    b.change(|s| s.rtcp_xr = all);
    b.told(&report);
    let answer = b.reported(7000).unwrap();
    let block = answer.windows(8).find(|w| w[..4] == [5, 0, 0, 3]).expect("a DLRR block");
    assert_eq!(block[4..8], report[4..8], "for whom it is");
}
