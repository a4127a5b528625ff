//! Two ends, carried by hand.

use std::time::{Duration, Instant};

use super::*;

const NAME: &[u8; 16] = b"0123456789abcdef";

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn feed(reception: &mut Reception, t0: Instant, sequences: impl IntoIterator<Item = u16>) {
    for s in sequences {
        let at = t0 + ms(u64::from(s) * 20);
        reception.receive(at, 1, s, Some((u32::from(s) * 160, 8000)));
    }
}

#[test]
fn loss_is_expected_minus_received() {
    let t0 = Instant::now();
    let mut r = Reception::default();
    feed(&mut r, t0, (0..100).filter(|s| s % 10 != 3));
    assert_eq!(r.lost(), 10);
    feed(&mut r, t0, [13]);
    assert_eq!(r.lost(), 9, "one was only late");
    r.receive(t0, 2, 7, Some((0, 8000)));
    assert_eq!(r.lost(), 9, "another sender, the loss stays");
}

#[test]
fn a_restart_of_the_numbers_is_no_loss() {
    let t0 = Instant::now();
    let mut r = Reception::default();
    feed(&mut r, t0, (0..50).filter(|s| *s != 5));
    feed(&mut r, t0, 30_000..30_050);
    assert_eq!(r.lost(), 1);
}

#[test]
fn a_restart_a_little_behind_is_seen_at_its_second_packet() {
    let t0 = Instant::now();
    let mut r = Reception::default();
    feed(&mut r, t0, (0..1000).filter(|s| *s != 5));
    feed(&mut r, t0, (0..1000).filter(|s| *s != 700));
    assert_eq!(r.lost(), 2, "one before and one after");
    feed(&mut r, t0, [1002, 1000, 1001]);
    assert_eq!(r.lost(), 2, "reordering is neither");
}

#[test]
fn even_arrival_has_no_jitter_and_uneven_has() {
    let t0 = Instant::now();
    let mut r = Reception::default();
    feed(&mut r, t0, 0..200);
    assert!(r.jitter() <= 1);
    for s in 200..400u16 {
        let at = t0 + ms(u64::from(s) * 20 + u64::from(s % 2) * 10);
        r.receive(at, 1, s, Some((u32::from(s) * 160, 8000)));
    }
    assert!((60..=82).contains(&r.jitter()), "10 ms to and fro is 80 ticks: {}", r.jitter());
}

#[test]
fn numbers_wrap_without_loss() {
    let t0 = Instant::now();
    let mut r = Reception::default();
    for i in 0..150_000u32 {
        r.receive(t0, 1, i as u16, None);
    }
    assert_eq!(r.lost(), 0);
}

#[test]
fn a_delay_that_is_rounded_up_beyond_the_trip_is_a_short_trip_and_no_lie() {
    let trip = |now, last, delay| super::read::round_trip(now, last, delay);
    assert_eq!(trip(1_000, 400, 580), Some(20));
    assert_eq!(trip(1_000, 400, 640), Some(0), "rounded to milliseconds");
    assert_eq!(trip(1_000, 400, 65_536), None, "a second too long");
    assert_eq!(trip(1_000, 0, 580), None, "nothing was repeated");
}

#[test]
fn two_ends_learn_loss_and_round_trip_of_each_other() {
    let t0 = Instant::now();
    let ntp = |at: Instant| short_ntp(at.duration_since(t0)).wrapping_add(77 << 16);
    let (mut a, mut b) = (Reception::default(), Reception::default());
    let mut buf = [0; MAX_REPORT];
    // a (SSRC 1) sends five packets, of which b gets four, then its SR.
    for s in [0u16, 1, 2, 4] {
        b.receive(t0, 1, s, Some((0, 8000)));
    }
    let full = u64::from(ntp(t0)) << 16;
    let info = SenderInfo { ntp: full, timestamp: 5, packets: 5, octets: 800 };
    let n = write_report(t0, &mut buf, 1, NAME, Some(info), &mut a);
    assert_eq!(n, 28 + 28);
    receive(t0 + ms(10), ntp(t0 + ms(10)), 2, &buf[..n], &mut b).unwrap();
    // b answers 100 ms later; 10 ms back.
    let at = t0 + ms(110);
    let n = write_report(at, &mut buf, 2, NAME, None, &mut b);
    let got = receive(at + ms(10), ntp(at + ms(10)), 1, &buf[..n], &mut a).unwrap();
    assert_eq!(got.lost, Some(1));
    let round_trip = u64::from(got.round_trip.unwrap()) * 1000 / 65_536;
    assert!((19..=21).contains(&round_trip), "{round_trip} ms");
}

#[test]
fn malformed_compounds_are_refused() {
    let t0 = Instant::now();
    let mut r = Reception::default();
    let mut read = |p: &[u8]| receive(t0, 0, 1, p, &mut r);
    assert_eq!(read(&[]), None);
    assert_eq!(read(&[0x81, 202, 0, 0]), None, "must begin with SR or RR");
    assert_eq!(read(&[0x81, 201, 0, 7, 0, 0, 0, 1]), None, "shorter than it says");
    assert_eq!(read(&[0x80, 200, 0, 1, 0, 0, 0, 1]), None, "an SR without sender info");
    assert_eq!(
        read(&[0x81, 201, 0, 1, 0, 0, 0, 1]),
        Some(Feedback { ssrc: 1, ..Feedback::default() })
    );
}

#[test]
fn a_change_of_clock_is_no_jitter_and_what_there_was_stays() {
    let t0 = Instant::now();
    let mut r = Reception::default();
    for n in 0..400u16 {
        let at = t0 + ms(u64::from(n) * 20 + u64::from(n % 2) * 10);
        r.receive(at, 1, n, Some((u32::from(n) * 160, 8000)));
    }
    let before = r.jitter();
    // Opus from here on, its timestamps near those there were.
    let clock = |n: u16| Some((400 * 160 + u32::from(n - 400) * 960, 48_000));
    r.receive(t0 + ms(8010), 1, 400, clock(400));
    assert_eq!(r.jitter() / 6, before, "the same in a finer clock");
    for n in 401..800u16 {
        r.receive(t0 + ms(u64::from(n) * 20 + 10), 1, n, clock(n));
    }
    assert!(r.jitter() < 48, "even since then: {}", r.jitter());
    let (us, packets) = r.deviation();
    assert!((4_500..5_500).contains(&(us / packets)), "half the time 10 ms: {us} {packets}");
}

#[test]
fn an_extended_report_is_read_as_it_was_written() {
    let t0 = Instant::now();
    let mut r = Reception::default();
    feed(&mut r, t0, (0..1000).filter(|s| !(500..510).contains(s)));
    let mut voip = VoipMetrics::of_losses(1, r.losses(), (r.lost(), r.expected()), 20);
    assert_eq!((voip.loss, voip.burst_density, voip.burst_ms), (2, 255, 200));
    (voip.round_trip_ms, voip.r_factor, voip.mos_cq) = (300, 77, 38);
    let said = Extended { reference: Some(0x1234_5678_9abc_def0), delay: None, voip: Some(voip) };
    let said = Extended { delay: Some((1, 2, 3)), ..said };
    let mut buf = [0; MAX_REPORT];
    let mut n = write_report(t0, &mut buf, 2, NAME, None, &mut r);
    n += write_xr(&mut buf[n..], 2, &said);
    n += write_bye(&mut buf[n..], 2);
    let told = receive(t0, 0, 1, &buf[..n], &mut Reception::default()).unwrap();
    assert_eq!((told.extended, told.ssrc), (said, 2));
    assert_eq!(n, 8 + 24 + 28 + (8 + 12 + 16 + 36) + 8);
    assert_eq!(buf[n - 8..n], [0x81, GOODBYE, 0, 1, 0, 0, 0, 2]);
    // About somebody else.
    let told = receive(t0, 0, 9, &buf[..n], &mut Reception::default()).unwrap();
    assert_eq!((told.extended.delay, told.extended.voip), (None, None));
    for cut in (n - 80..n - 8).step_by(4) {
        let _ = receive(t0, 0, 1, &buf[..cut], &mut Reception::default());
    }
}

#[test]
fn who_only_listens_learns_the_round_trip_by_reference_times() {
    let t0 = Instant::now();
    let ntp = |at: Instant| short_ntp(at.duration_since(t0)).wrapping_add(77 << 16);
    let mut buf = [0; MAX_REPORT];
    let reference = Some(u64::from(ntp(t0)) << 16);
    let (mut a, mut b) = (Reception::default(), Reception::default());
    let mut n = write_report(t0, &mut buf, 1, NAME, None, &mut a);
    n += write_xr(&mut buf[n..], 1, &Extended { reference, ..Extended::default() });
    let told = receive(t0 + ms(10), 0, 2, &buf[..n], &mut b).unwrap();
    let middle = (told.extended.reference.unwrap() >> 16) as u32;
    // Answered 100 ms later; 10 ms back.
    let delay = Some((1, middle, short_ntp(ms(100))));
    let mut n = write_report(t0, &mut buf, 2, NAME, None, &mut b);
    n += write_xr(&mut buf[n..], 2, &Extended { delay, ..Extended::default() });
    let told = receive(t0, ntp(t0 + ms(120)), 1, &buf[..n], &mut a).unwrap();
    let round_trip = u64::from(told.round_trip.unwrap()) * 1000 / 65_536;
    assert!((19..=21).contains(&round_trip), "{round_trip} ms");
}

#[test]
fn what_a_peer_wants_to_be_told_is_read_and_answered_with_what_we_send() {
    let wishes = Wishes::read("pkt-loss-rle rcvr-rtt=all:10 VOIP-METRICS stat-summary=loss");
    assert_eq!(wishes, Wishes { voip_metrics: true, round_trip: true });
    assert_eq!(wishes.in_words(), "rcvr-rtt=all voip-metrics");
    assert!(!Wishes::read("pkt-dup-rle").any());
}
