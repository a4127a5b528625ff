//! Something to hear in place of what was lost: the last period of the voice, said again and
//! fading (the idea of ITU-T G.711 Appendix I). For codecs that have nothing of their own.

use super::Rate;

/// Lengths of a period, in samples at 8 kHz: 5 to 15 ms.
const SHORTEST: usize = 40;
const LONGEST: usize = 120;
/// How much of the end is compared with what was a period earlier.
const COMPARED: usize = 80;
/// Concealed at full loudness, and all that is concealed before silence.
const FULL: usize = 80;
const ALL: usize = 480;
/// How long what comes after a loss is faded in.
const FADE: usize = 40;

/// Remembers the end of what was heard.
#[derive(Debug, Clone)]
pub(super) struct Concealer {
    /// Samples at this rate for one at 8 kHz.
    scale: usize,
    history: Vec<i16>,
    /// What is repeated, while something is lost.
    period: Vec<i16>,
    /// Samples concealed since something was heard.
    made: usize,
}

impl Concealer {
    pub(super) fn new(rate: Rate) -> Self {
        let scale = (rate.hertz() / 8000) as usize;
        Self { scale, history: Vec::new(), period: Vec::new(), made: 0 }
    }

    /// Takes note of what was decoded; fades it in when it follows a loss.
    pub(super) fn heard(&mut self, samples: &mut [i16]) {
        if self.made > 0 {
            let fade = FADE * self.scale;
            for (at, sample) in samples.iter_mut().take(fade).enumerate() {
                let part = (at as f32 + 0.5) / fade as f32;
                let before = f32::from(self.next());
                *sample = (before * (1.0 - part) + f32::from(*sample) * part) as i16;
            }
            self.made = 0;
        }
        self.remember(samples);
    }

    fn remember(&mut self, samples: &[i16]) {
        self.history.extend_from_slice(samples);
        let keep = 2 * LONGEST * self.scale;
        self.history.drain(..self.history.len().saturating_sub(keep));
    }

    /// Appends so many samples in place of what is missing.
    pub(super) fn fill(&mut self, count: usize, out: &mut Vec<i16>) {
        if self.made == 0 {
            self.find_period();
        }
        for _ in 0..count {
            out.push(self.next());
        }
    }

    /// The next sample of the repetition.
    fn next(&mut self) -> i16 {
        let (full, all) = (FULL * self.scale, ALL * self.scale);
        let sample = match self.period.len() {
            0 => 0,
            length => self.period.get(self.made % length).copied().unwrap_or_default(),
        };
        let left = all.saturating_sub(self.made).min(all - full) as f32;
        self.made += 1;
        (f32::from(sample) * left / (all - full) as f32) as i16
    }

    /// Takes the last period of the voice, and blends its end into its beginning.
    fn find_period(&mut self) {
        self.period.clear();
        let end = self.history.len();
        if end < 2 * LONGEST * self.scale {
            return;
        }
        let lag = self.best_lag();
        let piece = self.history.get(end - lag..).unwrap_or_default();
        self.period.extend_from_slice(piece);
        let blend = lag / 4;
        let before = self.history.get(end - lag - blend..end - lag).unwrap_or_default();
        let tail = self.period.iter_mut().skip(lag - blend);
        for (at, (sample, &before)) in tail.zip(before).enumerate() {
            let part = (at as f32 + 0.5) / blend as f32;
            *sample = (f32::from(*sample) * (1.0 - part) + f32::from(before) * part) as i16;
        }
    }

    fn best_lag(&self) -> usize {
        let end = self.history.len();
        let compared = COMPARED * self.scale;
        let last = self.history.get(end - compared..).unwrap_or_default();
        let mut best = (f32::MIN, SHORTEST * self.scale);
        for lag in SHORTEST * self.scale..=LONGEST * self.scale {
            let earlier = self.history.get(end - compared - lag..end - lag).unwrap_or_default();
            let (mut product, mut energy) = (0.0f32, 1.0f32);
            for (&a, &b) in last.iter().zip(earlier) {
                product += f32::from(a) * f32::from(b);
                energy += f32::from(b) * f32::from(b);
            }
            let likeness = product / energy.sqrt();
            if likeness > best.0 {
                best = (likeness, lag);
            }
        }
        best.1
    }
}
