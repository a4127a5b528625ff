//! What goes from ears to mouths.

use crate::voice::Rate;

/// Mean amplitude of a pause.
const PAUSE: u64 = 100;

/// Ten milliseconds between an ear and a mouth.
#[derive(Debug)]
pub(in crate::engine) struct Piece {
    pub(super) samples: Vec<i16>,
    pub(super) rate: Rate,
    /// The same at 8 kHz, for a recording.
    pub(super) narrow: Vec<i16>,
    /// It is the tone of a key.
    pub(super) key: bool,
}

impl Piece {
    pub(in crate::engine) fn samples(&self) -> &[i16] {
        &self.samples
    }

    pub(in crate::engine) fn rate(&self) -> Rate {
        self.rate
    }

    /// Lets somebody else say what is in it.
    pub(in crate::engine) fn fill<T>(
        &mut self,
        rate: Rate,
        with: impl FnOnce(&mut Vec<i16>) -> T,
    ) -> T {
        self.rate = rate;
        with(&mut self.samples)
    }

    pub(super) fn is_pause(&self) -> bool {
        let sum: u64 = self.samples.iter().map(|s| u64::from(s.unsigned_abs())).sum();
        sum < PAUSE * self.samples.len() as u64
    }
}

impl Default for Piece {
    fn default() -> Self {
        Self { samples: Vec::new(), rate: Rate::Narrow, narrow: Vec::new(), key: false }
    }
}
