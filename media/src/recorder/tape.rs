//! A conversation on tape: each party on a track of its own, all tracks on one time line.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{FRAME, FileKind, OnDone, Recorder, RecordingHandle};
use crate::engine::TapeSink;
use crate::wav::RATE;

/// A track of a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The caller, or the only one.
    Left,
    /// Whom the caller talks to.
    Right,
}

/// How far what is heard may lie beside where the last ended without being moved there: rounding of
/// the clock. Whoever makes the samples counts ten milliseconds as eighty.
const SLACK: u64 = 8;
/// How much longer one track is waited for than the other, in samples: a second. Silence takes its
/// place then.
const PATIENCE: u64 = RATE as u64;

/// A recording of two parties (or one). Paused it records silence, so that what comes after stands
/// at its time.
#[derive(Debug, Clone)]
pub struct Tape {
    handle: RecordingHandle,
    begin: Instant,
    paused: Arc<AtomicBool>,
}

impl Recorder {
    /// Creates the file of a tape that begins now; it must not exist. Touches the disk.
    ///
    /// # Errors
    /// As [`Recorder::create`].
    pub fn tape(&self, now: Instant, path: &Path, kind: FileKind, sides: u16) -> io::Result<Tape> {
        let handle = self.create_with(path, kind, sides.clamp(1, 2), true)?;
        Ok(Tape { handle, begin: now, paused: Arc::default() })
    }
}

impl Tape {
    /// For [`crate::engine::MediaPort::tape`]: what this port hears goes to that side. A side may
    /// have one port after the other (a transfer).
    #[must_use]
    pub fn track(&self, side: Side) -> Box<dyn TapeSink> {
        Box::new(Track { tape: self.clone(), side, next: 0, held: [0; FRAME], count: 0 })
    }

    /// From now on silence is recorded (a credit card's number is being said).
    pub fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }

    /// What is said is recorded again.
    pub fn resume(&self) {
        self.paused.store(false, Ordering::SeqCst);
    }

    /// Whether it is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// The conversation ended now: where a track ends before, silence follows. The file is finished
    /// when no port has a track of the tape any more and no clone of it is left.
    pub fn end(self, now: Instant, on_done: OnDone) {
        self.handle.end_at(position(self.begin, now));
        self.handle.when_done(on_done);
    }

    /// Names the tape at ports; no other one has it in the life of the recorder.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.handle.handle.inner.id
    }

    /// The recording underneath.
    #[must_use]
    pub fn handle(&self) -> &RecordingHandle {
        &self.handle
    }
}

/// Samples from the beginning of the tape to an instant.
fn position(begin: Instant, at: Instant) -> u64 {
    let passed: Duration = at.saturating_duration_since(begin);
    u64::try_from(passed.as_micros() / 125).unwrap_or(u64::MAX)
}

/// One port's way to one side of a tape.
struct Track {
    tape: Tape,
    side: Side,
    /// Where the last samples ended.
    next: u64,
    /// The last of them, until they fill a frame.
    held: [i16; FRAME],
    count: usize,
}

impl Track {
    /// Lets the tape have what is held back.
    fn give(&mut self) {
        let held = self.held.get(..self.count).unwrap_or_default();
        self.tape.handle.push_at(self.side, self.next - held.len() as u64, held);
        self.count = 0;
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        self.give();
    }
}

impl TapeSink for Track {
    fn push(&mut self, at: Instant, samples: &[i16]) {
        let clock = position(self.tape.begin, at);
        let place = if clock.abs_diff(self.next) <= SLACK { self.next } else { clock };
        // Said twice: the second time is left out.
        let known = usize::try_from(self.next.saturating_sub(place)).unwrap_or(usize::MAX);
        let samples = samples.get(known..).unwrap_or_default();
        let place = place.max(self.next);
        let paused = self.tape.is_paused();
        if place != self.next || paused {
            self.give();
            self.next = place;
        }
        if paused {
            self.next += samples.len() as u64;
            return;
        }
        for sample in samples {
            if let Some(free) = self.held.get_mut(self.count) {
                *free = *sample;
            }
            (self.count, self.next) = (self.count + 1, self.next + 1);
            if self.count == FRAME {
                self.give();
            }
        }
    }
}

/// Where a tape ends, as its owner says; 0 while it runs.
#[derive(Debug, Default)]
pub(super) struct EndAt(AtomicU64);

impl EndAt {
    pub(super) fn set(&self, position: u64) {
        self.0.fetch_max(position, Ordering::SeqCst);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Pieces of tracks that come in any order, made into samples of the channels in turn.
pub(super) struct Mixdown {
    /// Position of the first sample that was not given out.
    base: u64,
    lines: Vec<VecDeque<i16>>,
}

impl Mixdown {
    pub(super) fn new(channels: u16) -> Self {
        Self { base: 0, lines: vec![VecDeque::new(); usize::from(channels)] }
    }

    /// Takes a piece. What comes after its place was given out is lost; where nothing came is
    /// silence. Call [`Self::take`] with [`Self::due`] of its end before.
    pub(super) fn put(&mut self, side: Side, at: u64, samples: &[i16]) {
        let last = self.lines.len().saturating_sub(1);
        let channel = usize::from(side == Side::Right).min(last);
        let Some(line) = self.lines.get_mut(channel) else { return };
        let late = usize::try_from(self.base.saturating_sub(at)).unwrap_or(usize::MAX);
        let samples = samples.get(late..).unwrap_or_default();
        let from = usize::try_from(at.saturating_sub(self.base)).unwrap_or(usize::MAX);
        if line.len() < from {
            line.resize(from, 0);
        }
        // Another port of the same side may have been here: the later one is heard.
        let over = line.len().saturating_sub(from).min(samples.len());
        for (place, sample) in line.iter_mut().skip(from).zip(samples) {
            *place = *sample;
        }
        line.extend(samples.get(over..).unwrap_or_default());
    }

    /// How far the tape can be given out before a piece that ends at `end` is put.
    pub(super) fn due(&self, end: u64) -> u64 {
        end.saturating_sub(PATIENCE)
    }

    /// How far every track has come.
    pub(super) fn complete(&self) -> u64 {
        self.base + self.lines.iter().map(VecDeque::len).min().unwrap_or(0) as u64
    }

    /// How far any track has come.
    pub(super) fn end(&self) -> u64 {
        self.base + self.lines.iter().map(VecDeque::len).max().unwrap_or(0) as u64
    }

    /// Gives out at most `most` samples of each channel up to a position; `false` when it is there.
    pub(super) fn take(&mut self, upto: u64, most: usize, into: &mut Vec<i16>) -> bool {
        let left = upto.saturating_sub(self.base);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(most);
        for _ in 0..count {
            into.extend(self.lines.iter_mut().map(|line| line.pop_front().unwrap_or(0)));
        }
        self.base += count as u64;
        count > 0
    }
}

#[cfg(test)]
#[path = "tape_tests.rs"]
mod tests;
