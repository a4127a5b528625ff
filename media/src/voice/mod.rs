//! Audio that is decoded: from packets of one leg to packets of another, whatever their codecs,
//! packet lengths and clocks.
//!
//! An [`Ear`] takes one peer's packets as they come and gives ten milliseconds of samples
//! whenever it is asked: it waits for the late, conceals the lost, and follows the peer's clock. A
//! [`Mouth`] takes samples and gives packets of the length another peer wants.
//! Neither has a socket or a clock.

mod coder;
mod conceal;
mod ear;
mod focus;
mod halfband;
mod jitter;
mod mouth;
mod noise;
mod splice;
#[cfg(test)]
mod tests;

pub(crate) use ear::{Ear, Heard};
pub(crate) use focus::Focus;
pub(crate) use halfband::{Doubler, Halver, doubled};
pub(crate) use mouth::{MAX_PAYLOAD, Mouth};

/// Pieces of a second in which an ear is asked: 10 ms.
pub(crate) const PIECES: u32 = 100;

/// The rates samples have between an ear and a mouth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rate {
    /// 8 kHz: the telephone band.
    Narrow,
    /// 16 kHz: wideband.
    Wide,
}

impl Rate {
    /// In hertz.
    pub(crate) const fn hertz(self) -> u32 {
        match self {
            Self::Narrow => 8000,
            Self::Wide => 16_000,
        }
    }

    /// Samples in 10 ms.
    pub(crate) const fn piece(self) -> usize {
        (self.hertz() / PIECES) as usize
    }
}
