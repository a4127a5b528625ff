//! Audio that is still being made while it plays: one maker, any number of hearers.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::{More, Read, copy};
use crate::clip::Clip;
use crate::resample::Samples;
use crate::voice::Rate;

/// Most pieces. Each but the first holds [`PIECE`] at least, so this is more than eight minutes.
const PIECES: usize = 1024;
/// Samples at 8 kHz in a piece that is not the first or the last.
const PIECE: usize = 4000;

/// Audio that grows, at both rates. Readers neither wait nor lock.
pub struct Growing {
    pieces: Box<[OnceLock<Piece>]>,
    /// Its length, once that is known.
    end: OnceLock<u64>,
}

struct Piece {
    /// Samples before it, at 8 kHz.
    from: u64,
    samples: Samples,
}

/// The one that makes it. When it is dropped the audio is over.
pub struct Grower {
    growing: Arc<Growing>,
    pieces: usize,
    length: u64,
    waiting: Samples,
}

impl Growing {
    /// Nothing yet.
    #[must_use]
    pub fn begin() -> Grower {
        let pieces = (0..PIECES).map(|_| OnceLock::new()).collect();
        let growing = Self { pieces, end: OnceLock::new() };
        Grower { growing: Arc::new(growing), pieces: 0, length: 0, waiting: Samples::default() }
    }

    pub(super) fn read(&self, at: u64, rate: Rate, room: &mut [i16]) -> Read {
        let next = |piece: &OnceLock<Piece>| piece.get().is_some_and(|piece| piece.from <= at);
        let index = self.pieces.partition_point(next).checked_sub(1);
        let piece = index.and_then(|index| self.pieces.get(index)?.get());
        // Asked before the piece is read: what comes in between is not taken for the end.
        let over = self.end.get().copied();
        let Some(Piece { from, samples }) = piece else {
            return (0, if over.is_some() { More::End } else { More::Late });
        };
        let all = if rate == Rate::Wide { &samples.wide } else { &samples.narrow };
        let (count, more) = copy(all, at - from, rate, room);
        let reached = at + count as u64;
        let more = match (more, over) {
            (More::Ready, _) => More::Ready,
            (_, Some(end)) if reached >= end => More::End,
            _ if count > 0 => More::Ready,
            _ => More::Late,
        };
        (count, more)
    }
}

impl Grower {
    /// What others hear.
    #[must_use]
    pub fn growing(&self) -> Arc<Growing> {
        Arc::clone(&self.growing)
    }

    /// Adds audio and leaves `samples` empty; `false` when there is no room for more of it. The first
    /// piece can be heard at once, however short.
    pub fn push(&mut self, samples: &mut Samples) -> bool {
        self.waiting.narrow.append(&mut samples.narrow);
        self.waiting.wide.append(&mut samples.wide);
        let enough = if self.pieces == 0 { 1 } else { PIECE };
        self.waiting.narrow.len() < enough || self.publish()
    }

    fn publish(&mut self) -> bool {
        let samples = std::mem::take(&mut self.waiting);
        let length = samples.narrow.len() as u64;
        let piece = Piece { from: self.length, samples };
        let placed =
            self.growing.pieces.get(self.pieces).is_some_and(|slot| slot.set(piece).is_ok());
        if placed {
            self.pieces += 1;
            self.length += length;
        }
        placed
    }

    /// All of it is there. Gives it as a clip.
    #[must_use]
    pub fn finish(mut self) -> Clip {
        self.close();
        let mut all = Samples::default();
        for piece in self.growing.pieces.iter().map_while(OnceLock::get) {
            all.narrow.extend_from_slice(&piece.samples.narrow);
            all.wide.extend_from_slice(&piece.samples.wide);
        }
        Clip::from_rates(all)
    }

    fn close(&mut self) {
        if !self.waiting.narrow.is_empty() {
            self.publish();
        }
        // Set once, here or in `finish` before the drop.
        let _ = self.growing.end.set(self.length);
    }
}

impl Drop for Grower {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Growing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Growing").field("end", &self.end).finish_non_exhaustive()
    }
}

impl fmt::Debug for Grower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grower").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(from: i16, count: usize) -> Samples {
        let narrow: Vec<i16> = (0..count).map(|n| from.wrapping_add(n as i16)).collect();
        let wide = narrow.iter().flat_map(|&s| [s, s]).collect();
        Samples { narrow, wide }
    }

    #[test]
    fn a_hearer_gets_what_is_there_waits_for_the_rest_and_meets_the_end() {
        let mut grower = Growing::begin();
        let hearer = grower.growing();
        let mut room = [0; 160];
        assert_eq!(hearer.read(0, Rate::Narrow, &mut room), (0, More::Late));
        assert!(grower.push(&mut samples(0, 100)));
        assert_eq!(hearer.read(0, Rate::Narrow, &mut room), (100, More::Ready));
        assert_eq!(hearer.read(100, Rate::Narrow, &mut room), (0, More::Late));
        // Too short for a piece of its own until more comes.
        assert!(grower.push(&mut samples(100, 20)));
        assert_eq!(hearer.read(100, Rate::Narrow, &mut room), (0, More::Late));
        let clip = grower.finish();
        assert_eq!(hearer.read(100, Rate::Narrow, &mut room), (20, More::End));
        assert_eq!(room[..20], samples(100, 20).narrow);
        let mut wide = [0; 320];
        assert_eq!(hearer.read(0, Rate::Wide, &mut wide), (100, More::Ready));
        assert_eq!((clip.samples().len(), clip.wide().len()), (120, 240));
        assert_eq!(hearer.read(500, Rate::Narrow, &mut room), (0, More::End));
    }

    #[test]
    fn a_maker_that_breaks_off_leaves_no_hearer_waiting() {
        let mut grower = Growing::begin();
        let hearer = grower.growing();
        grower.push(&mut samples(1, 10));
        drop(grower);
        assert_eq!(hearer.read(10, Rate::Narrow, &mut [0; 160]), (0, More::End));
    }
}
