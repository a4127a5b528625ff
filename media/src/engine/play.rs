//! Playlists cut into packets on an even grid. No socket, no clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::api::{Control, Playback, Repeat};
use crate::dtmf::{Digit, DigitSet};
use crate::g711::Law;
use crate::sound::{More, Part, Read, copy, per};
use crate::voice::Rate;

/// Longest packet we make, in samples at 8 kHz (60 ms).
pub(super) const MAX_FRAME: usize = 480;
/// The same at 16 kHz.
pub(super) const MAX_WIDE: usize = 2 * MAX_FRAME;

/// A thread that was stalled for longer than this skips instead of bursting.
const MAX_LAG: Duration = Duration::from_millis(200);

/// What was paused goes on by itself after this: nobody holds a call for ever with one key.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// A running playback.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) id: u64,
    pub(super) stop_on: DigitSet,
    controls: Vec<(Digit, Control)>,
    parts: Vec<Part>,
    /// Which part is being played, and where in it, at 8 kHz.
    index: usize,
    position: u64,
    /// Samples of the parts before it, in this run.
    before: u64,
    /// The part in `law`, where somebody else has made it: a media thread makes packets, not clips.
    encoded: Option<Arc<[u8]>>,
    /// `None`: samples are wanted, for another codec.
    law: Option<Law>,
    /// Runs that follow the present one; `None` = forever.
    repeats: Option<u32>,
    /// Samples at 8 kHz in a packet.
    frame: usize,
    next: Instant,
    /// Until when nothing is to be heard.
    paused: Option<Instant>,
    /// Tells this playback from the one before, for the outgoing stream.
    pub(super) run: u32,
    sequence: u16,
    timestamp: u32,
    finished: bool,
}

/// One packet of a playback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    /// Of what was put into the buffer.
    pub(super) length: usize,
}

/// What a playback wants at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A packet was put into the buffer.
    Send(Frame),
    /// Nothing is due.
    Wait,
    /// The last packet has been heard out.
    End,
}

impl Player {
    pub(super) fn new(
        now: Instant,
        playback: Playback,
        law: Option<Law>,
        ptime_ms: u16,
        run: u32,
    ) -> Self {
        let mut parts = playback.parts;
        parts.retain(|part| !part.is_empty());
        let mut player = Self {
            id: playback.id,
            stop_on: playback.stop_on,
            controls: playback.controls,
            finished: parts.is_empty(),
            parts,
            index: 0,
            position: 0,
            before: 0,
            encoded: None,
            law,
            repeats: match playback.repeat {
                Repeat::Once => Some(0),
                Repeat::Times(n) => Some(n.saturating_sub(1)),
                Repeat::Forever => None,
            },
            frame: frame_samples(ptime_ms),
            next: now,
            paused: None,
            run,
            sequence: 0,
            timestamp: 0,
        };
        player.encode();
        player
    }

    /// Goes on in another codec or packet length, at the same sample.
    pub(super) fn retune(&mut self, law: Option<Law>, ptime_ms: u16) {
        self.frame = frame_samples(ptime_ms);
        if law != self.law {
            self.law = law;
            self.encode();
        }
    }

    /// What a key is for, when it is for us.
    pub(super) fn key(&self, digit: Digit) -> Option<Control> {
        self.controls.iter().find(|(key, _)| *key == digit).map(|(_, control)| *control)
    }

    /// Stops for a while, goes on, or goes elsewhere in the part that is being played.
    pub(super) fn control(&mut self, now: Instant, control: Control) {
        let (pause, step) = match control {
            Control::Pause => (true, 0),
            Control::Resume => (false, 0),
            Control::PauseOrResume => (self.paused.is_none(), 0),
            Control::Seek(ms) => (false, ms.saturating_mul(8)),
        };
        self.paused = pause.then(|| now + MAX_PAUSE);
        // Beyond its end the next part begins; nothing is before its beginning.
        self.position = self.position.saturating_add_signed(step);
    }

    /// How far the list was heard, in its present run.
    pub(super) fn played(&self) -> Duration {
        Duration::from_micros(self.before.saturating_add(self.position).saturating_mul(125))
    }

    /// The rate of samples: wideband when any part is.
    pub(super) fn rate(&self) -> Rate {
        if self.parts.iter().any(Part::is_wideband) { Rate::Wide } else { Rate::Narrow }
    }

    /// When the next packet is due.
    pub(super) fn poll_timeout(&self) -> Instant {
        self.next
    }

    /// Puts the next due packet's payload into `out`.
    pub(super) fn poll(&mut self, now: Instant, out: &mut [u8; MAX_FRAME]) -> Step {
        let silence = self.law.map_or(0, Law::silence);
        self.step(now, out, 1, silence, Self::read_law)
    }

    /// Puts the samples of the next due packet, at [`Player::rate`], into `out`.
    pub(super) fn poll_samples(&mut self, now: Instant, out: &mut [i16; MAX_WIDE]) -> Step {
        let rate = self.rate();
        self.step(now, out, per(rate), 0, |player, room| player.read(rate, room))
    }

    fn step<T: Copy>(
        &mut self,
        now: Instant,
        out: &mut [T],
        per: usize,
        silence: T,
        read: impl Fn(&mut Self, &mut [T]) -> Read,
    ) -> Step {
        if now < self.next {
            return Step::Wait;
        }
        if self.finished {
            return Step::End;
        }
        self.catch_up(now);
        self.paused = self.paused.filter(|until| now < *until);
        let Some(out) = out.get_mut(..self.frame * per) else { return Step::End };
        if self.paused.is_some() {
            out.fill(silence);
        } else if !self.fill(out, per, silence, read) {
            return Step::End;
        }
        let frame = Frame { sequence: self.sequence, timestamp: self.timestamp, length: out.len() };
        self.sequence = self.sequence.wrapping_add(1);
        // MAX_FRAME fits in 32 bits.
        self.timestamp = self.timestamp.wrapping_add(self.frame as u32);
        // The grid is counted from the start, not from when we woke: no drift.
        self.next += self.packet_time();
        Step::Send(frame)
    }

    fn packet_time(&self) -> Duration {
        Duration::from_micros(self.frame as u64 * 125)
    }

    /// After a stall the grid is what it was: all that stalled together would go out together from
    /// there on.
    fn catch_up(&mut self, now: Instant) {
        let lag = now.saturating_duration_since(self.next);
        if lag > MAX_LAG {
            let left = lag.as_nanos() % self.packet_time().as_nanos();
            self.next = now - Duration::from_nanos(u64::try_from(left).unwrap_or(0));
        }
    }

    /// Fills one packet across the ends of parts. What is not there yet is silence, and so is the
    /// rest of the last one. False when there is nothing more at all.
    fn fill<T: Copy>(
        &mut self,
        out: &mut [T],
        per: usize,
        silence: T,
        read: impl Fn(&mut Self, &mut [T]) -> Read,
    ) -> bool {
        let mut filled = 0;
        while let Some(room) = out.get_mut(filled..).filter(|room| !room.is_empty()) {
            let (count, more) = read(self, room);
            filled += count * per;
            self.position += count as u64;
            match more {
                More::Ready => {}
                More::Late => break,
                More::End if self.next_part() => {}
                More::End => {
                    self.finished = true;
                    break;
                }
            }
        }
        if filled == 0 && self.finished {
            return false;
        }
        out.iter_mut().skip(filled).for_each(|rest| *rest = silence);
        true
    }

    fn read(&mut self, rate: Rate, room: &mut [i16]) -> Read {
        let part = self.parts.get_mut(self.index);
        part.map_or((0, More::End), |part| part.read(self.position, rate, room))
    }

    fn read_law(&mut self, room: &mut [u8]) -> Read {
        if let Some(encoded) = &self.encoded {
            return copy(encoded, self.position, Rate::Narrow, room);
        }
        let mut samples = [0; MAX_FRAME];
        let Some(samples) = samples.get_mut(..room.len()) else { return (0, More::End) };
        let read = self.read(Rate::Narrow, samples);
        if let Some(law) = self.law {
            room.iter_mut().zip(samples).for_each(|(byte, sample)| *byte = law.encode(*sample));
        }
        read
    }

    fn next_part(&mut self) -> bool {
        self.index += 1;
        self.before += self.position;
        if self.index >= self.parts.len() {
            // A run in which nothing was heard would be followed by many more like it, at once.
            if self.repeats == Some(0) || self.before == 0 {
                self.index = self.parts.len();
                self.position = 0;
                return false;
            }
            self.repeats = self.repeats.map(|n| n - 1);
            (self.index, self.before) = (0, 0);
        }
        self.position = 0;
        self.encode();
        true
    }

    fn encode(&mut self) {
        self.encoded = match (self.parts.get(self.index), self.law) {
            (Some(Part::Clip(clip)), Some(law)) => clip.encoded_already(law),
            _ => None,
        };
    }
}

fn frame_samples(ptime_ms: u16) -> usize {
    usize::from(ptime_ms.clamp(10, 60)) * 8
}

#[cfg(test)]
mod tests;
