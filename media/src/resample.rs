//! Any sample rate to that of telephones (8 kHz, or 16 kHz for wideband), in one channel, piece by
//! piece.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _, WindowFunction};

/// The rate of telephone audio in Hz.
pub const RATE: u32 = 8000;
/// That of wideband audio.
pub const WIDE: u32 = 2 * RATE;
/// The rates that are read.
pub const RATES: std::ops::RangeInclusive<u32> = 2000..=384_000;

/// Why audio could not be brought to another rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot bring {from} Hz to {to} Hz: {why}")]
pub struct ResampleError {
    from: u32,
    to: u32,
    why: String,
}

/// Takes mono samples of one rate in [-1, 1] and gives 16-bit samples of another.
pub struct Resampler {
    from: u32,
    to: u32,
    /// Nothing to do when the rate is right already.
    filter: Option<Fft<f32>>,
    waiting: Vec<f32>,
    output: Vec<f32>,
    /// Output samples still to drop: the delay of the filter.
    to_skip: usize,
    samples_in: u64,
    /// Samples that were taken away already.
    taken: usize,
    done: Vec<i16>,
}

impl Resampler {
    /// A resampler from `from` Hz to [`RATE`].
    ///
    /// # Errors
    /// When the rate is out of [`RATES`].
    pub fn new(from: u32) -> Result<Self, ResampleError> {
        Self::between(from, RATE)
    }

    /// A resampler from `from` Hz to `to` Hz.
    ///
    /// # Errors
    /// When a rate is out of [`RATES`].
    pub fn between(from: u32, to: u32) -> Result<Self, ResampleError> {
        if !RATES.contains(&from) || !RATES.contains(&to) {
            return Err(ResampleError { from, to, why: "not a usable sample rate".to_owned() });
        }
        let filter = if from == to {
            None
        } else {
            // Blocks of an eighth of a second make the filter steep: 3.4 kHz passes, 4.1 kHz does not.
            let block = from as usize / 8;
            let window = WindowFunction::BlackmanHarris2;
            let (from_rate, to_rate) = (from as usize, to as usize);
            let filter =
                Fft::<f32>::new_custom(from_rate, to_rate, block, 1, 1, window, FixedSync::Both)
                    .map_err(|error| ResampleError { from, to, why: error.to_string() })?;
            Some(filter)
        };
        let to_skip = filter.as_ref().map_or(0, rubato::Resampler::output_delay);
        let output = vec![0.0; filter.as_ref().map_or(0, rubato::Resampler::output_frames_max)];
        Ok(Self {
            from,
            to,
            filter,
            waiting: Vec::new(),
            output,
            to_skip,
            samples_in: 0,
            taken: 0,
            done: Vec::new(),
        })
    }

    /// Takes more samples.
    ///
    /// # Errors
    /// When the filter fails, which its contract excludes.
    pub fn push(&mut self, samples: &[f32]) -> Result<(), ResampleError> {
        self.samples_in += samples.len() as u64;
        if self.filter.is_none() {
            self.done.extend(samples.iter().copied().map(to_i16));
            return Ok(());
        }
        self.waiting.extend(samples.iter().copied().map(sane));
        self.run()
    }

    /// Samples that came out and were not taken yet.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.done.len()
    }

    /// Appends the first `count` samples that came out; there are [`Resampler::ready`] of them.
    pub fn take(&mut self, count: usize, into: &mut Vec<i16>) {
        let count = count.min(self.done.len());
        into.extend(self.done.drain(..count));
        self.taken += count;
    }

    /// Flushes the filter and gives what was not taken; all together as long as what was pushed, to
    /// the sample.
    ///
    /// # Errors
    /// As [`Resampler::push`].
    pub fn finish(mut self) -> Result<Vec<i16>, ResampleError> {
        let whole = (self.samples_in * u64::from(self.to)).div_ceil(u64::from(self.from)) as usize;
        let expected = whole.saturating_sub(self.taken);
        while self.filter.is_some() && self.done.len() < expected {
            let block = self.filter.as_ref().map_or(1, rubato::Resampler::input_frames_next);
            let missing = block - self.waiting.len() % block.max(1);
            self.waiting.resize(self.waiting.len() + missing, 0.0);
            self.run()?;
        }
        self.done.truncate(expected);
        Ok(self.done)
    }

    /// Sends all whole blocks through the filter.
    fn run(&mut self) -> Result<(), ResampleError> {
        let Some(filter) = &mut self.filter else { return Ok(()) };
        let fault = |why: String| ResampleError { from: self.from, to: self.to, why };
        let mut taken = 0;
        loop {
            let block = filter.input_frames_next();
            let Some(input) = self.waiting.get(taken..taken + block) else { break };
            let frames = self.output.len();
            let input = InterleavedSlice::new(input, 1, block).map_err(|e| fault(e.to_string()))?;
            let mut output = InterleavedSlice::new_mut(&mut self.output, 1, frames)
                .map_err(|e| fault(e.to_string()))?;
            let (used, made) = filter
                .process_into_buffer(&input, &mut output, None::<&Indexing>)
                .map_err(|e| fault(e.to_string()))?;
            taken += used.max(1);
            let skip = self.to_skip.min(made);
            self.to_skip -= skip;
            let made = self.output.get(skip..made).unwrap_or_default();
            self.done.extend(made.iter().copied().map(to_i16));
        }
        self.waiting.drain(..taken.min(self.waiting.len()));
        Ok(())
    }
}

/// Brings audio to the telephone's rate and, when there is more in it, to the wideband one: two
/// samples there for each one here.
#[derive(Debug)]
pub struct Rates {
    narrow: Resampler,
    wide: Option<Resampler>,
}

/// Samples at [`RATE`], and twice as many at [`WIDE`] or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples {
    /// At [`RATE`].
    pub narrow: Vec<i16>,
    /// At [`WIDE`].
    pub wide: Vec<i16>,
}

impl Samples {
    /// Takes away all but the memory.
    pub fn clear(&mut self) {
        self.narrow.clear();
        self.wide.clear();
    }
}

impl Rates {
    /// From `from` Hz.
    ///
    /// # Errors
    /// When the rate is out of [`RATES`].
    pub fn new(from: u32) -> Result<Self, ResampleError> {
        let wide = (from > RATE).then(|| Resampler::between(from, WIDE)).transpose()?;
        Ok(Self { narrow: Resampler::new(from)?, wide })
    }

    /// From `from` Hz, at both rates whatever it is.
    ///
    /// # Errors
    /// When the rate is out of [`RATES`].
    pub fn both(from: u32) -> Result<Self, ResampleError> {
        let wide = Some(Resampler::between(from, WIDE)?);
        Ok(Self { narrow: Resampler::new(from)?, wide })
    }

    /// Takes more samples.
    ///
    /// # Errors
    /// As [`Resampler::push`].
    pub fn push(&mut self, samples: &[f32]) -> Result<(), ResampleError> {
        self.narrow.push(samples)?;
        self.wide.as_mut().map_or(Ok(()), |wide| wide.push(samples))
    }

    /// Appends what came out at both rates.
    pub fn take(&mut self, into: &mut Samples) {
        let wide = self.wide.as_ref().map_or(usize::MAX, |wide| wide.ready() / 2);
        let count = self.narrow.ready().min(wide);
        self.narrow.take(count, &mut into.narrow);
        if let Some(wide) = &mut self.wide {
            wide.take(2 * count, &mut into.wide);
        }
    }

    /// Appends all that is left.
    ///
    /// # Errors
    /// As [`Resampler::finish`].
    pub fn finish(self, into: &mut Samples) -> Result<(), ResampleError> {
        into.narrow.append(&mut self.narrow.finish()?);
        if let Some(wide) = self.wide {
            into.wide.append(&mut wide.finish()?);
            // A sample more or less at the odd end of a file.
            into.wide.resize(2 * into.narrow.len(), 0);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler").field("from", &self.from).finish_non_exhaustive()
    }
}

/// A broken file of floating-point samples holds anything; the filter panics on what is not finite.
fn sane(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-8.0, 8.0) } else { 0.0 }
}

/// Rounds; what is louder than full scale is held there (`as` saturates, NaN becomes silence).
fn to_i16(sample: f32) -> i16 {
    (sample * 32768.0).round() as i16
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sine(rate: u32, hertz: f64, seconds: f64, level: f64) -> Vec<f32> {
        let count = (f64::from(rate) * seconds) as usize;
        let step = std::f64::consts::TAU * hertz / f64::from(rate);
        (0..count).map(|n| (level * (step * n as f64).sin()) as f32).collect()
    }

    /// Power of one frequency relative to a full-scale sine, in dB (Goertzel over the middle part).
    pub(crate) fn level_of(samples: &[i16], hertz: f64) -> f64 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let step = std::f64::consts::TAU * hertz / f64::from(RATE);
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in middle.iter().enumerate() {
            let window = (std::f64::consts::PI * n as f64 / middle.len() as f64).sin().powi(2);
            let x = f64::from(*sample) / 32768.0 * window;
            re += x * (step * n as f64).cos();
            im += x * (step * n as f64).sin();
        }
        20.0 * ((re * re + im * im).sqrt() * 4.0 / middle.len() as f64).max(1e-9).log10()
    }

    fn loudest(samples: &[i16]) -> f64 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let sum: f64 = middle.iter().map(|s| (f64::from(*s) / 32768.0).powi(2)).sum();
        10.0 * (sum / middle.len() as f64 * 2.0).max(1e-12).log10()
    }

    fn through(rate: u32, hertz: f64) -> Vec<i16> {
        let mut resampler = Resampler::new(rate).unwrap();
        for piece in sine(rate, hertz, 1.0, 0.5).chunks(777) {
            resampler.push(piece).unwrap();
        }
        resampler.finish().unwrap()
    }

    #[test]
    fn speech_frequencies_survive_within_half_a_decibel() {
        for rate in [11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000] {
            for hertz in [300.0, 1000.0, 3000.0, 3400.0] {
                let level = level_of(&through(rate, hertz), hertz);
                assert!((level + 6.02).abs() < 0.5, "{rate} Hz, tone {hertz}: {level} dB");
            }
        }
    }

    #[test]
    fn what_8_khz_cannot_hold_is_suppressed_instead_of_folded_back() {
        for (rate, hertz) in
            [(48_000, 6000.0), (44_100, 5000.0), (16_000, 6000.0), (96_000, 20_000.0)]
        {
            let level = loudest(&through(rate, hertz));
            assert!(level < -56.0, "{rate} Hz, tone {hertz}: {level} dB");
        }
    }

    #[test]
    fn length_and_alignment_are_kept_to_the_sample() {
        for (rate, count, expected) in [
            (48_000, 48_000, 8000),
            (44_100, 44_100, 8000),
            (8000, 1234, 1234),
            (16_000, 3, 2),
            (48_000, 0, 0),
        ] {
            let mut resampler = Resampler::new(rate).unwrap();
            resampler.push(&vec![0.25; count]).unwrap();
            assert_eq!(resampler.finish().unwrap().len(), expected, "{rate}");
        }
        let mut click = vec![0.0; 48_000];
        click[24_000] = 0.9;
        let mut resampler = Resampler::new(48_000).unwrap();
        resampler.push(&click).unwrap();
        let out = resampler.finish().unwrap();
        let peak = out.iter().enumerate().max_by_key(|(_, s)| s.unsigned_abs()).unwrap().0;
        assert!(peak.abs_diff(4000) <= 1, "{peak}");
    }

    #[test]
    fn samples_that_are_no_numbers_do_no_harm() {
        for rate in [8000, 48_000] {
            let mut resampler = Resampler::new(rate).unwrap();
            for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN] {
                resampler.push(&vec![broken; 10_000]).unwrap();
            }
            assert!(!resampler.finish().unwrap().is_empty());
        }
    }

    #[test]
    fn pieces_taken_on_the_way_are_the_same_audio_at_both_rates() {
        let sweep = sine(22_050, 1000.0, 1.0, 0.5);
        let whole = {
            let mut resampler = Resampler::new(22_050).unwrap();
            resampler.push(&sweep).unwrap();
            resampler.finish().unwrap()
        };
        let (mut rates, mut out) = (Rates::new(22_050).unwrap(), Samples::default());
        for piece in sweep.chunks(1111) {
            rates.push(piece).unwrap();
            rates.take(&mut out);
            assert_eq!(out.wide.len(), 2 * out.narrow.len());
        }
        rates.finish(&mut out).unwrap();
        assert_eq!(out.narrow, whole);
        assert_eq!(out.wide.len(), 16_000);
        // Every second wideband sample is the narrow one where nothing lies above 4 kHz.
        let apart = |n: usize| (i32::from(out.wide[2 * n]) - i32::from(out.narrow[n])).abs();
        assert!((1000..7000).all(|n| apart(n) < 40), "the two rates are not aligned");
    }

    #[test]
    fn impossible_rates_are_refused() {
        assert!(Resampler::new(0).is_err());
        assert!(Resampler::new(1_000_000).is_err());
    }
}
