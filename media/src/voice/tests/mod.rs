//! Ears and mouths without a network, in virtual time.

mod hostile;
mod line;
mod loss;
mod pairs;
mod time;

use std::f64::consts::TAU;

use super::*;
use crate::codec::Codec;

/// A sine of this amplitude.
fn sine(rate: Rate, hertz: f64, amplitude: f64, samples: usize) -> Vec<i16> {
    let step = TAU * hertz / f64::from(rate.hertz());
    (0..samples).map(|n| ((step * n as f64).sin() * amplitude) as i16).collect()
}

/// Amplitude of a tone in `samples`, and by how many dB it stands above all the rest.
fn tone(samples: &[i16], rate: Rate, hertz: f64) -> (f64, f64) {
    let step = TAU * hertz / f64::from(rate.hertz());
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let (sin, cos) = (step * n as f64).sin_cos();
        re += f64::from(sample) * cos;
        im += f64::from(sample) * sin;
        all += f64::from(sample).powi(2);
    }
    let count = samples.len() as f64;
    let amplitude = 2.0 * (re * re + im * im).sqrt() / count;
    let rest = (all / count - amplitude * amplitude / 2.0).max(1e-9);
    (amplitude, 10.0 * (amplitude * amplitude / 2.0 / rest).log10())
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.max(1e-9).log10()
}

/// Something like a voice: a pitch that glides, overtones that fall, syllables.
fn voice(rate: Rate, seconds: usize) -> Vec<i16> {
    let hertz = f64::from(rate.hertz());
    let mut phase = 0.0;
    (0..seconds * rate.hertz() as usize)
        .map(|n| {
            let t = n as f64 / hertz;
            phase += TAU * (130.0 + 25.0 * (TAU * 0.7 * t).sin()) / hertz;
            let loud = 0.55 + 0.45 * (TAU * 3.0 * t).sin();
            let sound: f64 = (1..=18).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum();
            (sound * loud * 5000.0) as i16
        })
        .collect()
}
