use std::time::Duration;

use super::*;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn loss_and_reordering_of_a_source_stay_visible() {
    let now = Instant::now();
    let mut out = OutStream::new(7, 99, 1000);
    let mut place = |seq: u16| {
        out.place(now, Source::Relay(1), seq, u32::from(seq) * 160)
            .map(|p| (p.sequence, p.timestamp.wrapping_sub(1000), p.first))
    };
    assert_eq!(place(500), Some((100, 0, true)));
    assert_eq!(place(501), Some((101, 160, false)));
    assert_eq!(place(504), Some((104, 640, false)), "two are lost");
    assert_eq!(place(502), Some((102, 320, false)), "one of them was late");
    assert_eq!(place(502), None, "a duplicate");
    assert_eq!(place(499), None, "older than the source");
    assert_eq!(place(505), Some((105, 800, false)));
}

#[test]
fn what_is_withheld_on_purpose_leaves_no_gap_and_no_number_is_used_twice() {
    let now = Instant::now();
    let mut out = OutStream::new(7, 99, 0);
    let mut place =
        |seq: u16| out.place(now, Source::Relay(1), seq, u32::from(seq) * 160).map(|p| p.sequence);
    assert_eq!((place(500), place(501), place(503)), (Some(100), Some(101), Some(103)));
    for (source, sequence) in [(1, 504), (1, 505), (1, 504), (1, 502), (2, 506)] {
        out.withhold(Source::Relay(source), sequence);
    }
    let mut place =
        |seq: u16| out.place(now, Source::Relay(1), seq, u32::from(seq) * 160).map(|p| p.sequence);
    assert_eq!(place(506), Some(104));
    assert_eq!((place(505), place(504), place(502), place(503)), (None, None, None, None));
    assert_eq!((place(508), place(507)), (Some(106), Some(105)), "loss stays visible");
}

#[test]
fn a_new_source_continues_numbers_and_time() {
    let t0 = Instant::now();
    let mut out = OutStream::new(7, 9, 0);
    out.place(t0, Source::Relay(1), 60_000, 5).unwrap();
    out.place(t0 + ms(20), Source::Relay(1), 60_001, 165).unwrap();
    let p = out.place(t0 + ms(520), Source::Play(1), 0, 0).unwrap();
    assert_eq!(p, Place { sequence: 12, timestamp: 160 + 4000, first: true });
    let p = out.place(t0 + ms(540), Source::Relay(2), 3, 77).unwrap();
    assert_eq!(p, Place { sequence: 13, timestamp: 160 + 4160, first: true });
}

#[test]
fn a_new_source_does_not_begin_within_the_last_packet() {
    let t0 = Instant::now();
    let mut out = OutStream::new(7, 9, 0);
    for n in 0..5u16 {
        let at = t0 + ms(u64::from(n) * 60);
        out.place(at, Source::Play(1), n, u32::from(n) * 480).unwrap();
    }
    let p = out.place(t0 + ms(243), Source::Relay(2), 3, 77).unwrap();
    assert_eq!(p, Place { sequence: 15, timestamp: 5 * 480, first: true });
}

#[test]
fn a_sender_that_restarts_its_numbers_is_followed() {
    let t0 = Instant::now();
    let mut out = OutStream::new(7, 9, 0);
    out.place(t0, Source::Relay(1), 100, 0).unwrap();
    let p = out.place(t0 + ms(20), Source::Relay(1), 40_000, 9_999_999).unwrap();
    assert_eq!(p, Place { sequence: 11, timestamp: 160, first: true });
}

#[test]
fn a_sender_that_restarts_a_little_behind_is_followed_from_its_second_packet() {
    let t0 = Instant::now();
    let mut out = OutStream::new(7, 9, 0);
    for n in 0..1000u16 {
        out.place(t0, Source::Relay(1), n, u32::from(n) * 160).unwrap();
    }
    assert_eq!(out.place(t0, Source::Relay(1), 5, 77), None, "it could be late");
    assert_eq!(out.place(t0, Source::Relay(1), 300, 99), None, "so could this");
    assert!(out.place(t0, Source::Relay(1), 1000, 160_000).is_some());
    assert_eq!(out.place(t0, Source::Relay(1), 301, 99), None, "not in a row");
    for n in 0..50u16 {
        let place = out.place(t0, Source::Relay(1), n, u32::from(n) * 160);
        assert_eq!(place.is_some(), n > 0, "{n}");
        assert_eq!(place.is_some_and(|p| p.first), n == 1);
    }
}

#[test]
fn numbers_wrap_around() {
    let now = Instant::now();
    let mut out = OutStream::new(7, 0x7ffe, u32::MAX - 100);
    let mut last = 0x7ffe_u16;
    for i in 0..200_000u32 {
        let p = out.place(now, Source::Relay(1), i as u16, i.wrapping_mul(160)).unwrap();
        assert_eq!(p.sequence, last.wrapping_add(1));
        last = p.sequence;
    }
}

#[test]
fn no_outgoing_number_is_used_twice() {
    // Whatever the sources do, within half the number space.
    let t0 = Instant::now();
    let mut out = OutStream::new(7, 0, 0);
    let mut used = std::collections::HashSet::new();
    let mut x = 12345u32;
    for i in 0..5000u64 {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let source = Source::Relay((x >> 30) & 1);
        let seq = (i as u16).wrapping_add(((x >> 8) & 0x1f) as u16);
        if let Some(p) = out.place(t0 + ms(i), source, seq, x) {
            if used.len() > 20_000 {
                break;
            }
            assert!(used.insert(p.sequence), "{} used twice", p.sequence);
        }
    }
    assert!(used.len() > 1000);
}

#[test]
fn a_frozen_timestamp_does_not_stop_the_clock() {
    let t0 = Instant::now();
    let mut out = OutStream::new(7, 0, 0);
    for i in 0..10u16 {
        out.place(t0 + ms(u64::from(i) * 20), Source::Digits(1), i, 0).unwrap();
    }
    let p = out.place(t0 + ms(200), Source::Relay(1), 0, 0).unwrap();
    assert_eq!(p.timestamp, 1600);
}
