//! Every codec to every other: level and distortion.

use std::time::{Duration, Instant};

use super::line::Line;
use super::*;
use crate::codec::OpusWishes;
use crate::voice::coder::Decoder;
use crate::voice::halfband::{Doubler, Halver};

#[test]
fn the_filters_pass_the_telephone_band_and_stop_its_image() {
    for hertz in [100.0, 300.0, 1000.0, 2000.0, 3000.0, 3400.0] {
        let mut wide = Vec::new();
        Doubler::default().run(&sine(Rate::Narrow, hertz, 10_000.0, 8000), &mut wide);
        let (level, above) = tone(&wide[1600..], Rate::Wide, hertz);
        assert!(db(level / 10_000.0).abs() < 0.1 && above > 60.0, "{hertz}: {level} {above}");
        let mut narrow = Vec::new();
        Halver::default().run(&sine(Rate::Wide, hertz, 10_000.0, 16_000), &mut narrow);
        let (level, above) = tone(&narrow[800..], Rate::Narrow, hertz);
        assert!(db(level / 10_000.0).abs() < 0.1 && above > 60.0, "{hertz}: {level} {above}");
    }
    for hertz in [4600.0, 5000.0, 6000.0, 7500.0] {
        let mut narrow = Vec::new();
        Halver::default().run(&sine(Rate::Wide, hertz, 10_000.0, 16_000), &mut narrow);
        let (level, _) = tone(&narrow[800..], Rate::Narrow, 8000.0 - hertz);
        assert!(db(level / 10_000.0) < -70.0, "{hertz} Hz folds back: {level}");
    }
}

/// The rate of what a phone with `from` is given to say to one with `to`.
fn source(from: Codec, to: Codec) -> Rate {
    let natural = |codec: Codec| if codec.law().is_some() { Rate::Narrow } else { Rate::Wide };
    // An Opus encoder is given what the ear will ask for.
    if from == Codec::Opus { natural(from).min(natural(to)) } else { natural(from) }
}

/// What a phone with `to` hears of one with `from` that whistles.
fn heard(from: Codec, to: Codec, hertz: f64, ptimes: (u32, u16)) -> (Vec<i16>, Rate) {
    let rate = source(from, to);
    carried(from, to, &sine(rate, hertz, 10_000.0, rate.hertz() as usize * 2), ptimes)
}

/// What a phone with `to` hears of one with `from` that says this.
fn carried(from: Codec, to: Codec, said: &[i16], ptimes: (u32, u16)) -> (Vec<i16>, Rate) {
    let natural = |codec: Codec| if codec.law().is_some() { Rate::Narrow } else { Rate::Wide };
    let rate = natural(from).min(natural(to));
    let line = Line { ptime_ms: ptimes.0, ..Line::new(from, rate) };
    let carried = line.run(said, &mut |_| Some(0), |_, _| {});
    let mut mouth = Mouth::new(to, OpusWishes::default(), ptimes.1);
    let mut decoder = Decoder::new(to, natural(to)).unwrap();
    let (mut out, mut payload, mut now) = (Vec::new(), [0; MAX_PAYLOAD], Instant::now());
    let mut last: Option<(u16, u32)> = None;
    for piece in carried.chunks_exact(rate.piece()) {
        mouth.feed(now, piece, rate);
        while let Some(made) = mouth.poll(&mut payload) {
            let ticks = to.clock_rate() / 1000 * u32::from(ptimes.1);
            let expected = last.map(|(s, t)| (s + 1, t + ticks));
            assert!(expected.is_none_or(|e| e == (made.sequence, made.timestamp)));
            last = Some((made.sequence, made.timestamp));
            decoder.decode(&payload[..made.length], &mut out);
        }
        now += Duration::from_millis(10);
    }
    (out, decoder.rate())
}

#[test]
fn a_tone_goes_from_every_codec_to_every_other() {
    for from in Codec::ALL {
        for to in Codec::ALL {
            for hertz in [350.0, 1000.0, 2100.0, 3200.0] {
                let (samples, rate) = heard(from, to, hertz, (20, 20));
                let second = rate.hertz() as usize;
                let (level, above) = tone(&samples[second / 2..second * 3 / 2], rate, hertz);
                let opus = from == Codec::Opus || to == Codec::Opus;
                // Opus is made for speech at this rate: high tones are not what it does best.
                let (tolerance, distance) = match opus {
                    true if hertz > 3000.0 => (3.0, 8.0),
                    true => (1.5, 14.0),
                    false => (0.5, 28.0),
                };
                let level = db(level / 10_000.0);
                assert!(
                    level.abs() < tolerance && above > distance,
                    "{from} to {to}, {hertz} Hz: {level:.2} dB, {above:.1} dB above the rest"
                );
            }
        }
    }
}

/// A sweep in steps of a fifth of a second, and where it stands at each step: whole waves in half a
/// step, so that it can be measured there.
fn sweep(rate: Rate, top: f64) -> (Vec<i16>, Vec<f64>) {
    let at = |n: i32| (25.0 * (top / 250.0).powf(f64::from(n) / 15.0)).round() * 10.0;
    let steps: Vec<f64> = (0..16).map(at).collect();
    let length = rate.hertz() as usize / 5;
    (steps.iter().flat_map(|hertz| sine(rate, *hertz, 8000.0, length)).collect(), steps)
}

#[test]
fn a_sweep_goes_from_every_codec_to_every_other_at_its_level_and_without_distortion() {
    for from in Codec::ALL {
        for to in Codec::ALL {
            let both_wide = from.law().is_none() && to.law().is_none();
            let opus = from == Codec::Opus || to == Codec::Opus;
            let top = if both_wide && !opus { 6800.0 } else { 3300.0 };
            let (said, steps) = sweep(source(from, to), top);
            let (samples, rate) = carried(from, to, &said, (20, 20));
            let step = rate.hertz() as usize / 5;
            for (n, hertz) in steps.into_iter().enumerate() {
                // The middle of the step, behind what ear and codec hold back.
                let window = samples.get(n * step + step / 2..(n + 1) * step).unwrap_or_default();
                if window.len() < step / 2 {
                    continue;
                }
                let (level, above) = tone(window, rate, hertz);
                let level = db(level / 8000.0);
                let (tolerance, distance) = match opus {
                    // What changes a moment ago it has not followed to its full height.
                    true if hertz > 2500.0 => (6.0, 6.0),
                    true => (2.0, 10.0),
                    // The upper band of G.722 has two bits a sample, twice.
                    false if hertz > 3400.0 => (0.6, 15.0),
                    false => (0.6, 26.0),
                };
                assert!(
                    level.abs() < tolerance && above > distance,
                    "{from} to {to}, {hertz:.0} Hz: {level:.2} dB, {above:.1} dB above the rest"
                );
            }
        }
    }
}

#[test]
fn wideband_stays_wideband_between_two_that_have_it() {
    for (from, to) in [(Codec::G722, Codec::Opus), (Codec::Opus, Codec::G722)] {
        let (samples, rate) = heard(from, to, 5500.0, (20, 20));
        let (level, above) = tone(&samples[8000..24_000], rate, 5500.0);
        assert!(db(level / 10_000.0).abs() < 3.0 && above > 8.0, "{from} {to} {level} {above}");
    }
    // And does not fold into the telephone band for one that has not.
    let (samples, rate) = heard(Codec::G722, Codec::Pcmu, 5500.0, (20, 20));
    assert!(db(tone(&samples[4000..12_000], rate, 2500.0).0 / 10_000.0) < -60.0);
}

#[test]
fn packets_are_cut_anew_for_who_wants_another_length() {
    for from in [10, 20, 30, 60] {
        for to in [10, 20, 30, 60] {
            let (samples, rate) = heard(Codec::Pcma, Codec::Pcmu, 1000.0, (from, to));
            let (level, above) = tone(&samples[4000..12_000], rate, 1000.0);
            let level = db(level / 10_000.0);
            assert!(level.abs() < 0.3 && above > 30.0, "{from} to {to}: {level} {above}");
        }
    }
}
