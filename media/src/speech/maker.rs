//! An engine's audio on its way to those who hear it.

use std::sync::Arc;
use std::time::Duration;

use super::SpeechError;
use crate::clip::Clip;
use crate::resample::{Rates, Samples};
use crate::sound::{Grower, Growing};

/// Takes an engine's audio and lets others hear it.
pub(super) struct Maker<F> {
    longest: u64,
    /// Called with the audio once some of it can be heard.
    first: F,
    making: Option<(Grower, Rates)>,
    samples: Samples,
    floats: Vec<f32>,
    /// Somebody hears it already.
    pub(super) was_heard: bool,
    taken: u64,
}

impl<F: Fn(Arc<Growing>)> Maker<F> {
    pub(super) fn new(longest: Duration, first: F) -> Self {
        Self {
            longest: longest.as_secs(),
            first,
            making: None,
            samples: Samples::default(),
            floats: Vec::new(),
            was_heard: false,
            taken: 0,
        }
    }

    pub(super) fn hear(&mut self, rate: u32, pcm: &[i16]) -> Result<(), SpeechError> {
        let failed = |error: crate::resample::ResampleError| SpeechError::Failed(error.to_string());
        self.taken += pcm.len() as u64;
        if self.taken > self.longest * u64::from(rate) {
            return Err(SpeechError::TooMuch);
        }
        if self.making.is_none() {
            self.making = Some((Growing::begin(), Rates::both(rate).map_err(failed)?));
        }
        if let Some((_, rates)) = &mut self.making {
            self.floats.clear();
            self.floats.extend(pcm.iter().map(|&sample| f32::from(sample) / 32768.0));
            rates.push(&self.floats).map_err(failed)?;
            rates.take(&mut self.samples);
        }
        self.publish()
    }

    fn publish(&mut self) -> Result<(), SpeechError> {
        let Some((grower, _)) = self.making.as_mut().filter(|_| !self.samples.narrow.is_empty())
        else {
            return Ok(());
        };
        if !grower.push(&mut self.samples) {
            return Err(SpeechError::TooMuch);
        }
        if !std::mem::replace(&mut self.was_heard, true) {
            (self.first)(grower.growing());
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<Clip, SpeechError> {
        let nothing = || SpeechError::Failed("no audio came".to_owned());
        let (mut grower, rates) = self.making.take().ok_or_else(nothing)?;
        rates.finish(&mut self.samples).map_err(|e| SpeechError::Failed(e.to_string()))?;
        if !self.samples.narrow.is_empty() && !grower.push(&mut self.samples) {
            return Err(SpeechError::TooMuch);
        }
        let growing = grower.growing();
        let clip = grower.finish();
        if clip.samples().is_empty() {
            return Err(nothing());
        }
        if !std::mem::replace(&mut self.was_heard, true) {
            (self.first)(growing);
        }
        Ok(clip)
    }
}
