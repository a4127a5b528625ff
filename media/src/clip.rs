//! Placeholder of `mediafiles`' clip: decoded audio, 8 kHz mono. Replaced by its owner.

use std::sync::{Arc, OnceLock};

use crate::codec::Codec;

/// Decoded audio: 8 kHz, mono, PCM16, with its G.711 forms cached.
#[derive(Debug, Default)]
pub struct Clip {
    samples: Vec<i16>,
    pcmu: OnceLock<Arc<[u8]>>,
    pcma: OnceLock<Arc<[u8]>>,
}

impl Clip {
    /// Wraps samples at 8 kHz.
    pub fn from_samples(samples: Vec<i16>) -> Self {
        Self { samples, ..Self::default() }
    }

    /// The samples, 8 kHz mono.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// One byte a sample in `codec`; computed at the first call.
    pub fn encoded(&self, codec: Codec) -> Arc<[u8]> {
        let cell = match codec {
            Codec::Pcmu => &self.pcmu,
            Codec::Pcma => &self.pcma,
        };
        cell.get_or_init(|| self.samples.iter().map(|&s| codec.encode(s)).collect()).clone()
    }
}
