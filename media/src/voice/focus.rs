//! `VoiceFocus`: what is no voice is taken out of what one peer says.
//!
//! The network of RNNoise (Valin, "A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech
//! Enhancement", 2018) hears 48 kHz in frames of 10 ms: a piece is brought up to that and back.
//! That delays it by 14 ms.

use std::f64::consts::PI;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use nnnoiseless::{DenoiseState, RnnModel};

use super::Rate;

const HERTZ: u32 = 48_000;
/// Samples of a frame.
const FRAME: usize = DenoiseState::FRAME_SIZE;
/// Taps of each phase of a filter.
const SPAN: usize = 32;
/// The most that a rate is multiplied with: from 8 to 48 kHz.
const MOST_FACTOR: usize = 6;
/// Peers whose audio is cleaned at a time: each takes 2 % of a processor from a media thread.
const MOST: usize = 20;
/// Samples of 10 ms at the higher rate.
const MOST_SAMPLES: usize = 160;

static MODEL: LazyLock<RnnModel> = LazyLock::new(RnnModel::default);
static FROM_NARROW: LazyLock<Vec<f32>> = LazyLock::new(|| taps(factor(Rate::Narrow)));
static FROM_WIDE: LazyLock<Vec<f32>> = LazyLock::new(|| taps(factor(Rate::Wide)));

const fn factor(rate: Rate) -> usize {
    (HERTZ / rate.hertz()) as usize
}

fn taps_of(rate: Rate) -> &'static [f32] {
    match rate {
        Rate::Narrow => &FROM_NARROW,
        Rate::Wide => &FROM_WIDE,
    }
}

/// A low-pass of half the lower rate: a windowed sinc (Kaiser, beta 7), whose taps make `factor`.
fn taps(factor: usize) -> Vec<f32> {
    let length = factor * SPAN;
    let middle = (length - 1) as f64 / 2.0;
    let tap = |n: usize| {
        let at = (n as f64 - middle) / factor as f64;
        let sinc = if at.abs() < 1e-9 { 1.0 } else { (PI * at).sin() / (PI * at) };
        let across = (n as f64 - middle) / middle;
        sinc * bessel(7.0 * (1.0 - across * across).max(0.0).sqrt())
    };
    let taps: Vec<f64> = (0..length).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| (tap / sum * factor as f64) as f32).collect()
}

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

/// Takes what is no voice out of one peer's audio. There are [`MOST`] at a time.
pub(crate) struct Focus {
    rate: Rate,
    denoise: Box<DenoiseState<'static>>,
    /// The last samples at the peer's rate, and this piece's.
    low: [f32; SPAN + MOST_SAMPLES],
    /// A frame before.
    noisy: [f32; FRAME],
    /// The last samples at 48 kHz, and a frame behind.
    clean: [f32; SPAN * MOST_FACTOR + FRAME],
}

static RUNNING: AtomicUsize = AtomicUsize::new(0);

impl Drop for Focus {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Focus {
    /// `None`: there are as many as may be. Takes its memory now, and not when a packet comes.
    pub(crate) fn new() -> Option<Self> {
        let free = |running: usize| (running < MOST).then_some(running + 1);
        RUNNING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok()?;
        LazyLock::force(&FROM_NARROW);
        LazyLock::force(&FROM_WIDE);
        let mut denoise = DenoiseState::with_model(&MODEL);
        // The first frame plans its transforms.
        denoise.process_frame(&mut [0.0; FRAME], &[0.0; FRAME]);
        Some(Self {
            rate: Rate::Narrow,
            denoise,
            low: [0.0; SPAN + MOST_SAMPLES],
            noisy: [0.0; FRAME],
            clean: [0.0; SPAN * MOST_FACTOR + FRAME],
        })
    }

    /// Changes samples in pieces of 10 ms; what is less than one stays as it is.
    pub(crate) fn run(&mut self, samples: &mut [i16], rate: Rate) {
        if rate != self.rate {
            self.rate = rate;
            self.low.fill(0.0);
            self.clean.fill(0.0);
        }
        for piece in samples.chunks_exact_mut(rate.piece()) {
            self.up(piece);
            let (_, frame) = self.clean.split_at_mut(SPAN * MOST_FACTOR);
            self.denoise.process_frame(frame, &self.noisy);
            self.down(piece);
        }
    }

    fn up(&mut self, piece: &[i16]) {
        let factor = factor(self.rate);
        let taps = taps_of(self.rate);
        let news = self.low.iter_mut().skip(SPAN);
        news.zip(piece).for_each(|(to, from)| *to = f32::from(*from));
        for (n, out) in self.noisy.iter_mut().enumerate() {
            let (at, phase) = (n / factor, n % factor);
            // The newest sample meets the first tap of its phase.
            let window = self.low.get(at + 1..at + 1 + SPAN).unwrap_or_default();
            let phase = taps.iter().skip(phase).step_by(factor);
            *out = window.iter().rev().zip(phase).map(|(sample, tap)| sample * tap).sum();
        }
        self.low.copy_within(piece.len()..piece.len() + SPAN, 0);
    }

    fn down(&mut self, piece: &mut [i16]) {
        let factor = factor(self.rate);
        let (taps, scale) = (taps_of(self.rate), 1.0 / factor as f32);
        let before = SPAN * MOST_FACTOR;
        for (n, out) in piece.iter_mut().enumerate() {
            let end = before + (n + 1) * factor;
            let window = self.clean.get(end - taps.len()..end).unwrap_or_default();
            let sum: f32 = window.iter().zip(taps).map(|(sample, tap)| sample * tap).sum();
            // `as` holds at the ends what is too loud.
            *out = (sum * scale).round() as i16;
        }
        self.clean.copy_within(FRAME.., 0);
    }
}

#[cfg(test)]
mod tests;
