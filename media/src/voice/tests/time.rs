//! Packets that come late, twice, out of order, or by another clock.

use std::time::{Duration, Instant};

use super::line::{Line, chance};
use super::*;
use crate::g711::Law;

/// Pieces whose loudness is more than 1.5 dB off that of the tone.
fn breaks(heard: &[i16], amplitude: f64) -> usize {
    heard
        .chunks_exact(80)
        .filter(|piece| {
            let energy: f64 = piece.iter().map(|&s| f64::from(s).powi(2)).sum();
            db((energy / 40.0).sqrt() / amplitude).abs() > 1.5
        })
        .count()
}

/// A tone for half an hour from a clock that is so much too fast, by way of an ear.
fn half_an_hour(ppm: f64) {
    let line = Line { ppm, ..Line::new(Codec::Pcmu, Rate::Narrow) };
    let said = sine(Rate::Narrow, 1000.0, 10_000.0, 8000 * 60 * 30);
    let (mut longest, mut count) = (0, 0);
    let heard = line.run(&said, &mut |_| Some(0), |ear, now| {
        count += 1;
        if count > 200 {
            longest = longest.max(ear.delay(now));
        }
    });
    assert!(longest < 60_000, "{ppm}: the delay grew to {longest} us");
    let broken = breaks(&heard[8000..8000 * 60 * 30 - 8000], 10_000.0);
    assert!(broken <= 2, "{ppm} ppm: {broken} breaks");
}

#[test]
fn thirty_minutes_of_a_clock_that_is_slow_neither_break_nor_underrun() {
    half_an_hour(-200.0);
}

#[test]
fn thirty_minutes_of_a_clock_that_is_fast_do_not_make_the_delay_grow() {
    half_an_hour(200.0);
}

#[test]
fn the_wait_grows_with_the_jitter_and_shrinks_after_it() {
    let line = Line::new(Codec::Pcmu, Rate::Narrow);
    let said = sine(Rate::Narrow, 1000.0, 10_000.0, 8000 * 90);
    let mut random = chance(9);
    // Even, then a minute of up to 60 ms late, then even again.
    let mut network = |n: u32| match n {
        500..3000 => Some((random() * 60_000.0) as u64),
        _ => Some(0),
    };
    let mut delays = Vec::new();
    let heard = line.run(&said, &mut network, |ear, now| delays.push(ear.delay(now)));
    let (before, during, after) = (delays[900], delays[5500], delays[8900]);
    assert!(before < 40_000 && (50_000..110_000).contains(&during), "{before} {during}");
    assert!(after < 45_000, "{after}");
    let broken = breaks(&heard[8000 * 20..8000 * 60], 10_000.0);
    assert!(broken < 80, "{broken} of 4000 pieces: what comes too late is about 2 %");
}

#[test]
fn duplicates_and_reordering_are_not_heard() {
    let law = Law::Mu;
    let began = Instant::now();
    let mut ear = Ear::new(began, Rate::Narrow);
    let said = sine(Rate::Narrow, 500.0, 10_000.0, 8000);
    let packets: Vec<Vec<u8>> =
        said.chunks_exact(160).map(|f| f.iter().map(|&s| law.encode(s)).collect()).collect();
    let mut out = Vec::new();
    for n in 0..50usize {
        let now = began + Duration::from_millis(20 * n as u64);
        // Pairs change places, and everything comes twice.
        for number in [n ^ 1, n ^ 1] {
            let timestamp = number as u32 * 160;
            let codec = Some(Codec::Pcmu);
            ear.push(now, Heard { ssrc: 1, timestamp, codec, payload: &packets[number] });
        }
        for step in [10, 20] {
            let now = now + Duration::from_millis(step);
            while ear.due(now) {
                ear.pull(now, &mut out);
            }
        }
    }
    let (level, above) = tone(&out[1600..7200], Rate::Narrow, 500.0);
    assert!(db(level / 10_000.0).abs() < 0.3 && above > 30.0, "{level} {above}");
}

#[test]
fn a_sender_that_begins_anew_is_heard_again_at_once() {
    let began = Instant::now();
    let mut ear = Ear::new(began, Rate::Narrow);
    let payload = [Law::A.encode(5000); 160];
    let mut out = Vec::new();
    for n in 0..300u32 {
        let now = began + Duration::from_millis(20 * u64::from(n));
        // Its time jumps back, its time jumps ahead, it is another sender.
        let (ssrc, jump) = match n {
            0..100 => (1, 90_000),
            100..150 => (1, 0),
            150..200 => (1, 0x4000_0000),
            _ => (2, 77),
        };
        let codec = Some(Codec::Pcma);
        ear.push(now, Heard { ssrc, timestamp: jump + n * 160, codec, payload: &payload });
        let now = now + Duration::from_millis(19);
        while ear.due(now) {
            ear.pull(now, &mut out);
        }
    }
    let silent = out[1600..].iter().filter(|s| s.unsigned_abs() < 500).count();
    assert!(silent < 8000 * 200 / 1000, "{silent} samples of silence at three changes");
}

#[test]
fn comfort_noise_has_the_level_that_the_peer_says() {
    for colour in [&[][..], &[130, 100, 127, 140][..]] {
        let began = Instant::now();
        let mut ear = Ear::new(began, Rate::Narrow);
        let payload = [&[40], colour].concat();
        ear.push(began, Heard { ssrc: 1, timestamp: 0, codec: None, payload: &payload });
        let mut out = Vec::new();
        for n in 1..300 {
            let now = began + Duration::from_millis(10 * n);
            while ear.due(now) {
                ear.pull(now, &mut out);
            }
        }
        let heard = &out[8000..16_000];
        let energy: f64 = heard.iter().map(|&s| f64::from(s).powi(2)).sum();
        let level = 10.0 * (energy / 8000.0 / 32_768f64.powi(2)).log10();
        assert!((level + 40.0).abs() < 1.5, "{level} dBov");
    }
}
