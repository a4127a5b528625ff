//! What a playback is made of: clips, silence, files that are read while they play, and speech that
//! is still being made. All of it counts in samples at 8 kHz.
//!
//! > A media thread that reads a part neither waits nor allocates: what is not there yet is
//! > [`More::Late`], and is heard as silence.

mod growing;
mod stream;

use std::sync::Arc;
use std::time::Duration;

pub use self::growing::{Grower, Growing};
pub use self::stream::{Stream, Streams};
use crate::clip::{Clip, RATE};
use crate::codec::Codec;
use crate::voice::Rate;

/// One part of a playlist.
#[derive(Debug)]
pub enum Part {
    /// Audio in memory.
    Clip(Arc<Clip>),
    /// Nothing, for so long.
    Silence(Duration),
    /// A file that is read while it plays.
    Stream(Box<Stream>),
    /// Speech, perhaps still being made.
    Growing(Arc<Growing>),
}

impl From<Arc<Clip>> for Part {
    fn from(clip: Arc<Clip>) -> Self {
        Self::Clip(clip)
    }
}

/// What follows samples that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum More {
    /// More of the same part, at once.
    Ready,
    /// More of the same part, which is not there yet.
    Late,
    /// Nothing: the part is over.
    End,
}

/// Samples at 8 kHz that were read, and what follows.
pub(crate) type Read = (usize, More);

impl Part {
    /// Whether there may be more in it than the telephone's band.
    pub(crate) fn is_wideband(&self) -> bool {
        match self {
            Self::Clip(clip) => clip.is_wideband(),
            Self::Silence(_) => false,
            Self::Stream(stream) => stream.is_wideband(),
            Self::Growing(_) => true,
        }
    }

    /// Whether it is known to hold nothing.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Clip(clip) => clip.samples().is_empty(),
            Self::Silence(duration) => samples_in(*duration) == 0,
            Self::Stream(_) | Self::Growing(_) => false,
        }
    }

    /// Makes the form that a codec wants, so that no media thread has to.
    pub(crate) fn prepare(&self, codec: Codec, wideband: bool) {
        let Self::Clip(clip) = self else { return };
        match codec.law() {
            Some(law) => drop(clip.encoded(law)),
            None if wideband => drop(clip.wide()),
            None => {}
        }
    }

    /// Copies from sample `at` on into `room`, which is at `rate`.
    pub(crate) fn read(&mut self, at: u64, rate: Rate, room: &mut [i16]) -> Read {
        match self {
            Self::Clip(clip) => {
                let all = if rate == Rate::Wide { clip.wide() } else { clip.samples() };
                copy(all, at, rate, room)
            }
            Self::Silence(duration) => {
                let left = samples_in(*duration).saturating_sub(at);
                let fit = room.len() / per(rate);
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(fit);
                room.iter_mut().take(count * per(rate)).for_each(|sample| *sample = 0);
                (count, if left > count as u64 { More::Ready } else { More::End })
            }
            Self::Stream(stream) => stream.read(at, rate, room),
            Self::Growing(growing) => growing.read(at, rate, room),
        }
    }
}

/// Samples of a rate for one at 8 kHz.
pub(crate) const fn per(rate: Rate) -> usize {
    match rate {
        Rate::Narrow => 1,
        Rate::Wide => 2,
    }
}

/// Samples at 8 kHz in a time.
pub(crate) fn samples_in(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros() * u128::from(RATE) / 1_000_000).unwrap_or(u64::MAX)
}

/// Copies from `at` (counted at 8 kHz) on as much as there is room for.
pub(crate) fn copy<T: Copy>(all: &[T], at: u64, rate: Rate, room: &mut [T]) -> Read {
    let per = per(rate);
    let from = usize::try_from(at).unwrap_or(usize::MAX).saturating_mul(per);
    let rest = all.get(from..).unwrap_or_default();
    let count = rest.len().min(room.len()) / per;
    for (to, from) in room.iter_mut().zip(rest.iter().take(count * per)) {
        *to = *from;
    }
    (count, if rest.len() / per > count { More::Ready } else { More::End })
}
