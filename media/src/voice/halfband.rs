//! Between 8 and 16 kHz: a filter that passes the lower half of the band.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// Taps on each side that are not zero: every second one of a half-band filter is.
const PAIRS: usize = 24;
/// Samples of history that one output looks at.
const SPAN: usize = PAIRS * 2;

/// Odd taps ... h(-3), h(-1), h(1), h(3), ... of a windowed sinc whose middle tap is one half. With a Kaiser window
/// of beta 8 what lies above 4.6 kHz is 80 dB down and what lies below 3.4 kHz is untouched.
static TAPS: LazyLock<[f32; SPAN]> = LazyLock::new(|| {
    std::array::from_fn(|n| {
        let at = (2.0 * n as f64 + 1.0 - SPAN as f64).abs();
        let sinc = (PI * at / 2.0).sin() / (PI * at);
        let across = at / (2 * PAIRS) as f64;
        (sinc * bessel(8.0 * (1.0 - across * across).sqrt()) / bessel(8.0)) as f32
    })
});

/// The modified Bessel function of order zero, by its series.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..32 {
        let half = x / 2.0 / f64::from(n);
        term *= half * half;
        sum += term;
    }
    sum
}

fn rounded(value: f32) -> i16 {
    // `as` holds at the ends what is too loud.
    value.round() as i16
}

/// The sum of the odd taps over as many samples, in lanes that a processor adds side by side.
#[inline]
fn odd_part(taps: &[f32; SPAN], window: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0f32; LANES];
    for (taps, samples) in taps.chunks_exact(LANES).zip(window.chunks_exact(LANES)) {
        for ((sum, tap), sample) in sums.iter_mut().zip(taps).zip(samples) {
            *sum += tap * sample;
        }
    }
    sums.iter().sum()
}

/// From 8 to 16 kHz.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doubler {
    line: Vec<f32>,
}

impl Doubler {
    /// Appends two samples for each of `input`.
    pub(crate) fn run(&mut self, input: &[i16], out: &mut Vec<i16>) {
        if self.line.is_empty() {
            self.line.resize(SPAN - 1, 0.0);
        }
        self.line.extend(input.iter().map(|&s| f32::from(s)));
        let taps = &*TAPS;
        for window in self.line.windows(SPAN) {
            // The even taps are all zero but the middle one: that output is the sample itself.
            out.push(rounded(window.get(PAIRS - 1).copied().unwrap_or_default()));
            out.push(rounded(2.0 * odd_part(taps, window)));
        }
        self.line.drain(..input.len());
    }
}

/// A whole piece from 8 to 16 kHz: twice as many samples, in time with it.
pub(crate) fn doubled(samples: &[i16]) -> Vec<i16> {
    let mut out = Vec::with_capacity(2 * (samples.len() + PAIRS));
    let mut doubler = Doubler::default();
    doubler.run(samples, &mut out);
    // What is in the filter at the end comes out, and its delay at the beginning is left out.
    doubler.run(&[0; PAIRS], &mut out);
    out.drain(..2 * PAIRS);
    out
}

/// From 16 to 8 kHz.
#[derive(Debug, Clone, Default)]
pub(crate) struct Halver {
    even: Vec<f32>,
    odd: Vec<f32>,
}

impl Halver {
    /// Appends one sample for every two of `input`, whose count is even.
    pub(crate) fn run(&mut self, input: &[i16], out: &mut Vec<i16>) {
        if self.odd.is_empty() {
            self.odd.resize(SPAN - 1, 0.0);
            self.even.resize(PAIRS - 1, 0.0);
        }
        for pair in input.chunks_exact(2) {
            let [even, odd] = [0, 1].map(|n| pair.get(n).copied().map_or(0.0, f32::from));
            self.even.push(even);
            self.odd.push(odd);
        }
        let taps = &*TAPS;
        for (window, middle) in self.odd.windows(SPAN).zip(&self.even) {
            out.push(rounded(0.5 * middle + odd_part(taps, window)));
        }
        let done = input.len() / 2;
        self.even.drain(..done);
        self.odd.drain(..done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_piece_is_in_time_with_its_source() {
        let samples: Vec<i16> = (0..800).map(|n| ((n * 37) % 1000) as i16).collect();
        let wide = doubled(&samples);
        assert_eq!(wide.len(), 1600);
        assert!(samples.iter().enumerate().all(|(n, &sample)| wide[2 * n] == sample));
    }
}
