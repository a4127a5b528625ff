use super::*;
use crate::g711::Law;

/// A line: two tones at levels in dBm0, noise, silence, heard through G.711.
struct Line {
    samples: Vec<f64>,
    seed: u64,
}

impl Line {
    fn new() -> Self {
        Self { samples: vec![0.0; 800], seed: 7 }
    }

    fn random(&mut self) -> f64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.seed >> 33) as f64 / f64::from(1 << 30) - 1.0
    }

    fn tones(mut self, hertz: [f64; 2], dbm0: [f64; 2], ms: f64) -> Self {
        for n in 0..(ms * 8.0) as usize {
            let of = |hertz: f64, dbm0: f64| {
                22_300.0
                    * 10_f64.powf(dbm0 / 20.0)
                    * (std::f64::consts::TAU * hertz * n as f64 / 8000.0 + 0.7).sin()
            };
            self.samples.push(of(hertz[0], dbm0[0]) + of(hertz[1], dbm0[1]));
        }
        self
    }

    fn pause(mut self, ms: f64) -> Self {
        self.samples.extend(vec![0.0; (ms * 8.0) as usize]);
        self
    }

    /// White noise over everything.
    fn noise(mut self, dbm0: f64) -> Self {
        let amplitude = 22_300.0 / 2_f64.sqrt() * 10_f64.powf(dbm0 / 20.0) * 3_f64.sqrt();
        for n in 0..self.samples.len() {
            self.samples[n] += self.random() * amplitude;
        }
        self
    }

    fn events(self) -> Vec<Heard> {
        let line = self.pause(100.0);
        let wire = |x: &f64| Law::Mu.decode(Law::Mu.encode(x.clamp(-32_000.0, 32_000.0) as i16));
        let samples: Vec<i16> = line.samples.iter().map(wire).collect();
        let (mut detector, mut heard) = (Detector::default(), Vec::new());
        for packet in samples.chunks(160) {
            detector.feed(packet, |event| heard.push(event));
        }
        heard
    }

    fn digits(self) -> String {
        let events = self.events();
        let pressed = events.iter().filter_map(|event| match event {
            Heard::Pressed(digit, _) => Some(digit.as_char()),
            Heard::Released(..) => None,
        });
        pressed.collect()
    }
}

/// Every key with its frequencies.
fn keys() -> impl Iterator<Item = (String, [f64; 2])> {
    (0..16).map(|n| (char::from(PAD[n]).to_string(), [ROWS[n / 4], COLUMNS[n % 4]]))
}

/// A key 100 times, a little later in its packet each time: what comes of it.
fn hundred(make: impl Fn(Line) -> Line) -> usize {
    (0..100).filter(|n| !make(Line::new().pause(f64::from(*n) * 0.375)).digits().is_empty()).count()
}

const USUAL: [f64; 2] = [-10.0, -10.0];

#[test]
fn every_key_is_heard_at_every_level() {
    for (key, hertz) in keys() {
        for level in [0.0, -3.0, -10.0, -20.0, -27.0] {
            for ms in [40.0, 50.0, 100.0, 1000.0] {
                let heard = Line::new().tones(hertz, [level; 2], ms).digits();
                assert_eq!(heard, key, "{level} dBm0, {ms} ms");
            }
        }
        assert_eq!(Line::new().tones(hertz, [-36.0; 2], 100.0).digits(), "", "{key}: too weak");
    }
}

#[test]
fn one_tone_may_be_louder_than_the_other_but_not_by_much() {
    for (key, hertz) in keys() {
        for (low, high, heard) in
            [(-10.0, -6.0, true), (-10.0, -18.0, true), (-10.0, -2.0, false), (-10.0, -23.0, false)]
        {
            let digits = Line::new().tones(hertz, [low, high], 60.0).digits();
            assert_eq!(digits == key, heard, "{key}: {low} {high}: {digits}");
            assert!(heard || digits.is_empty());
        }
    }
}

#[test]
fn frequencies_may_be_off_by_one_and_a_half_percent_and_two_hertz() {
    for (key, [low, high]) in keys() {
        for (a, b) in [(1.0, 1.0), (-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0)] {
            let off = |hertz: f64, sign: f64| hertz + sign * (hertz * 0.015 + 2.0);
            let line = Line::new().tones([off(low, a), off(high, b)], USUAL, 40.0);
            assert_eq!(line.digits(), key, "{a} {b}");
        }
        for factor in [0.965, 1.035] {
            for hertz in [[low * factor, high], [low, high * factor]] {
                let line = Line::new().tones(hertz, USUAL, 500.0);
                assert_eq!(line.digits(), "", "{key}: {hertz:?}");
            }
        }
    }
}

#[test]
fn tones_of_40_ms_are_keys_and_of_23_ms_are_none() {
    for (key, hertz) in keys() {
        let heard = |ms| hundred(|line| line.tones(hertz, USUAL, ms));
        assert_eq!(heard(40.0), 100, "{key}");
        assert_eq!(heard(23.0), 0, "{key}");
    }
}

#[test]
fn a_pause_of_40_ms_parts_two_keys_and_a_break_of_10_ms_does_not() {
    for (key, hertz) in keys() {
        for n in 0..8 {
            let line = Line::new().pause(f64::from(n) * 2.375).tones(hertz, USUAL, 50.0);
            assert_eq!(line.pause(40.0).tones(hertz, USUAL, 50.0).digits(), key.repeat(2));
            let line = Line::new().pause(f64::from(n) * 2.375).tones(hertz, USUAL, 50.0);
            assert_eq!(line.pause(10.0).tones(hertz, USUAL, 50.0).digits(), key);
        }
    }
}

#[test]
fn keys_follow_each_other_93_ms_apart() {
    let mut line = Line::new();
    for (_, hertz) in keys() {
        line = line.tones(hertz, USUAL, 50.0).pause(43.0);
    }
    assert_eq!(line.digits(), "123A456B789C*0#D");
}

#[test]
fn noise_of_15_db_less_hides_no_key() {
    for (key, hertz) in keys() {
        for seed in 0..20 {
            let mut line = Line::new();
            line.seed = seed;
            let line = line.pause(f64::from(seed as u32)).tones(hertz, USUAL, 50.0);
            assert_eq!(line.noise(-25.0).digits(), key, "{seed}");
        }
    }
}

#[test]
fn beginning_and_length_of_a_key_are_known() {
    for (_, hertz) in keys() {
        for length in [60, 100, 740] {
            let events = Line::new().tones(hertz, USUAL, f64::from(length)).events();
            let [Heard::Pressed(_, start), Heard::Released(_, lasted)] = events[..] else {
                panic!("{events:?}")
            };
            // The cut before a tone takes a little more, never less.
            assert!((800 - 120..=800).contains(&start), "{start}");
            assert!(lasted.abs_diff(length as u64 * 8) < 120, "{length}: {lasted}");
        }
    }
}

#[test]
fn one_tone_three_tones_and_noise_are_no_key() {
    for (_, [low, high]) in keys() {
        let quiet = -90.0;
        assert_eq!(Line::new().tones([low, high], [-5.0, quiet], 500.0).digits(), "");
        assert_eq!(Line::new().tones([low, high], [quiet, -5.0], 500.0).digits(), "");
        let mut line = Line::new().tones([low, high], USUAL, 500.0);
        let third = Line::new().tones([low * 2.0, 2900.0], USUAL, 500.0);
        line.samples.iter_mut().zip(third.samples).for_each(|(sum, other)| *sum += other);
        assert_eq!(line.digits(), "", "harmonics, as a voice has them");
    }
    assert_eq!(Line::new().pause(60_000.0).noise(-10.0).digits(), "");
}
