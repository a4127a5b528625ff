//! Clips: audio files decoded once, to 8 kHz mono and, where there is more in them, 16 kHz, and kept
//! ready to send.

pub(crate) mod decode;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use decode::{ClipError, Limits, decode, decode_bytes, decode_bytes_with, decode_with};

use crate::g711::Law;
use crate::resample::Samples;
use crate::voice::doubled;

/// Samples in a second.
pub const RATE: u32 = 8000;

/// Decoded audio: mono, PCM16, with the forms that codecs want of it made once.
#[derive(Debug, Default)]
pub struct Clip {
    samples: Box<[i16]>,
    /// Two for each of `samples`.
    wide: OnceLock<Box<[i16]>>,
    wideband: bool,
    pcmu: OnceLock<Arc<[u8]>>,
    pcma: OnceLock<Arc<[u8]>>,
}

impl Clip {
    /// Bytes in memory of a second, in all its forms: two for a sample at 8 kHz, four for those at
    /// 16 kHz, one in each law.
    pub(crate) const SECOND: usize = RATE as usize * 8;

    /// Wraps samples at 8 kHz.
    #[must_use]
    pub fn from_samples(samples: Vec<i16>) -> Self {
        Self { samples: samples.into(), ..Self::default() }
    }

    /// Wraps samples at both rates; those at 16 kHz may be missing.
    #[must_use]
    pub fn from_rates(samples: Samples) -> Self {
        let Samples { narrow, wide } = samples;
        let wideband = !wide.is_empty() && wide.len() == 2 * narrow.len();
        let clip = Self { wideband, ..Self::from_samples(narrow) };
        if wideband {
            // The cell was empty until now.
            let _ = clip.wide.set(wide.into());
        }
        clip
    }

    /// That much silence.
    #[must_use]
    pub fn silence(duration: Duration) -> Self {
        let samples = duration.as_millis().min(3_600_000) as usize * RATE as usize / 1000;
        Self::from_samples(vec![0; samples])
    }

    /// The samples, 8 kHz mono.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// Whether there is more in it than the telephone's band.
    #[must_use]
    pub fn is_wideband(&self) -> bool {
        self.wideband
    }

    /// The samples at 16 kHz, two for each of [`Clip::samples`]; made of those at the first call when
    /// there are none.
    pub fn wide(&self) -> &[i16] {
        self.wide.get_or_init(|| doubled(&self.samples).into())
    }

    /// One byte a sample in this law; computed at the first call.
    pub fn encoded(&self, law: Law) -> Arc<[u8]> {
        let cell = match law {
            Law::Mu => &self.pcmu,
            Law::A => &self.pcma,
        };
        cell.get_or_init(|| self.samples.iter().map(|&s| law.encode(s)).collect()).clone()
    }

    /// The same if it was computed before.
    pub(crate) fn encoded_already(&self, law: Law) -> Option<Arc<[u8]>> {
        match law {
            Law::Mu => self.pcmu.get(),
            Law::A => self.pcma.get(),
        }
        .cloned()
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.samples.len() as u64 * 125)
    }

    /// Bytes it takes in memory once all its forms are made.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.samples.len() * 8
    }
}
