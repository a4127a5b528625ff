//! Clips: audio files decoded once, to 8 kHz mono, and kept ready to send.

mod decode;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use decode::{ClipError, Limits, decode, decode_bytes, decode_bytes_with, decode_with};

use crate::g711::Law;

/// Samples in a second.
pub const RATE: u32 = 8000;

/// Decoded audio: 8 kHz, mono, PCM16, with its G.711 forms cached.
#[derive(Debug, Default)]
pub struct Clip {
    samples: Box<[i16]>,
    pcmu: OnceLock<Arc<[u8]>>,
    pcma: OnceLock<Arc<[u8]>>,
}

impl Clip {
    /// Wraps samples at 8 kHz.
    #[must_use]
    pub fn from_samples(samples: Vec<i16>) -> Self {
        Self { samples: samples.into(), ..Self::default() }
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

    /// One byte a sample in this law; computed at the first call.
    pub fn encoded(&self, law: Law) -> Arc<[u8]> {
        let cell = match law {
            Law::Mu => &self.pcmu,
            Law::A => &self.pcma,
        };
        cell.get_or_init(|| self.samples.iter().map(|&s| law.encode(s)).collect()).clone()
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.samples.len() as u64 * 125)
    }

    /// Bytes it takes in memory once both G.711 forms are made.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.samples.len() * 4
    }
}
