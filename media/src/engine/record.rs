//! Received audio put in order and in time, and the rules that end a recording. No socket, no clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::api::{RecordEnd, Recording, SampleSink, SilenceRule};
use crate::dtmf::{Digit, DigitSet};
use crate::g711::Law;
use crate::relay::{CLOCK, ticks_between};

/// How long a packet that came too early waits for the missing ones.
const REORDER: Duration = Duration::from_millis(60);
const REORDER_TICKS: u32 = 480;

/// Most packets waiting.
const MAX_WAITING: usize = 8;

/// A step back of more than this is a new timeline, not a late packet.
const MAX_LATE: u32 = 16_000;

/// How much longer than the time that passed a gap may be filled with silence.
const FILL_SLACK: u32 = 4_000;

/// Samples kept back where keys come as tones: 100 ms.
const HOLD: usize = 800;

/// Most samples given to a sink at once.
const MAX_PIECE: usize = 160;

/// A running recording.
pub(super) struct Recorder {
    pub(super) id: u64,
    sink: Option<Box<dyn SampleSink>>,
    max: Option<u64>,
    silence: Option<SilenceRule>,
    terminators: DigitSet,
    started: Instant,
    last_loud: Instant,
    last_write: Instant,
    written: u64,
    loud: u64,
    ssrc: u32,
    /// Timestamp of the next sample to write.
    expected: Option<u32>,
    waiting: Vec<Waiting>,
    /// The newest samples, so many at most, which may turn out to be the tone of a key.
    held: VecDeque<i16>,
    hold: usize,
}

struct Waiting {
    timestamp: u32,
    came: Instant,
    samples: Vec<i16>,
}

/// Length and end of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) id: u64,
    pub(super) by: RecordEnd,
    pub(super) duration: Duration,
    pub(super) speech: Duration,
}

fn samples_in(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros() / 125).unwrap_or(u64::MAX)
}

fn duration_of(samples: u64) -> Duration {
    Duration::from_micros(samples.saturating_mul(125))
}

impl Recorder {
    pub(super) fn new(now: Instant, recording: Recording) -> Self {
        Self {
            id: recording.id,
            sink: Some(recording.to),
            max: recording.max.map(samples_in),
            silence: recording.silence,
            terminators: recording.terminators,
            started: now,
            last_loud: now,
            last_write: now,
            written: 0,
            loud: 0,
            ssrc: 0,
            expected: None,
            waiting: Vec::new(),
            held: VecDeque::new(),
            hold: 0,
        }
    }

    /// Keeps the newest samples back for as long as a tone takes to be known.
    pub(super) fn hold_back(&mut self) {
        self.hold = HOLD;
        self.held.reserve(HOLD + 2 * MAX_PIECE);
    }

    /// The last so many samples were the tone of a key: they are silence.
    pub(super) fn cut_back(&mut self, samples: usize) {
        let from = self.held.len().saturating_sub(samples);
        self.held.range_mut(from..).for_each(|sample| *sample = 0);
    }

    /// All samples from this timestamp on were the tone of a key.
    pub(super) fn cut_back_to(&mut self, timestamp: u32) {
        for frame in &mut self.waiting {
            let since = frame.timestamp.wrapping_sub(timestamp);
            if since < 0x8000_0000 {
                frame.samples.fill(0);
            }
        }
        let written = self.expected.map_or(0, |next| next.wrapping_sub(timestamp));
        if written < 0x8000_0000 {
            self.cut_back(written as usize);
        }
    }

    /// Takes a packet of audio. What is `muted` is silence.
    pub(super) fn audio(
        &mut self,
        now: Instant,
        ssrc: u32,
        timestamp: u32,
        law: Law,
        payload: &[u8],
        muted: bool,
    ) {
        if ssrc != self.ssrc {
            self.drain_all(now);
            self.ssrc = ssrc;
            self.expected = None;
        }
        let table = law.decode_table();
        let mut frame = [0i16; 2048];
        let length = payload.len().min(frame.len());
        if !muted {
            for (sample, &byte) in frame.iter_mut().zip(payload) {
                *sample = table[usize::from(byte)];
            }
        }
        let samples = frame.get(..length).unwrap_or_default();
        self.weigh(now, samples);
        self.arrange(now, timestamp, samples);
    }

    /// Takes samples that are in order and without gaps already, in place of packets.
    pub(super) fn samples(&mut self, now: Instant, samples: &[i16]) {
        self.drain_all(now);
        self.expected = None;
        self.weigh(now, samples);
        self.write(samples);
        self.last_write = now;
    }

    /// Tells speech from silence.
    fn weigh(&mut self, now: Instant, samples: &[i16]) {
        let loudness: u64 = samples.iter().map(|s| u64::from(s.unsigned_abs())).sum();
        let threshold = self.silence.map_or(SilenceRule::DEFAULT_THRESHOLD, |rule| rule.threshold);
        if loudness > u64::from(threshold) * samples.len() as u64 {
            self.last_loud = now;
            self.loud += samples.len() as u64;
        }
    }

    fn arrange(&mut self, now: Instant, timestamp: u32, samples: &[i16]) {
        let expected = *self.expected.get_or_insert(timestamp);
        let ahead = timestamp.wrapping_sub(expected);
        if ahead == 0 {
            self.write_at(now, timestamp, samples);
            self.drain_ready(now);
        } else if ahead < 0x8000_0000 {
            if self.waiting.len() >= MAX_WAITING {
                self.drain_one(now);
            }
            self.waiting.push(Waiting { timestamp, came: now, samples: samples.to_vec() });
            let expected = self.expected.unwrap_or(expected);
            let oldest = self.waiting.iter().map(|w| w.timestamp.wrapping_sub(expected)).min();
            if ahead.saturating_sub(oldest.unwrap_or(ahead)) >= REORDER_TICKS {
                self.drain_one(now);
            }
        } else if expected.wrapping_sub(timestamp) > MAX_LATE {
            self.drain_all(now);
            self.write_at(now, timestamp, samples);
        }
    }

    /// A key went down. When it is a terminator the recording is to be ended.
    pub(super) fn pressed(&self, digit: Digit) -> Option<RecordEnd> {
        self.terminators.contains(digit).then_some(RecordEnd::Terminator(digit))
    }

    /// Writes what waited long enough, and tells when a rule ends the recording.
    pub(super) fn poll(&mut self, now: Instant) -> Option<RecordEnd> {
        while self.waiting.iter().any(|w| now.saturating_duration_since(w.came) >= REORDER) {
            self.drain_one(now);
        }
        self.rule(now)
    }

    /// The rule that ends the recording now, if one does.
    pub(super) fn rule(&self, now: Instant) -> Option<RecordEnd> {
        // Nobody is to go on speaking to a full disk.
        if self.sink.as_ref().is_some_and(|sink| sink.is_broken()) {
            return Some(RecordEnd::Stopped);
        }
        // A peer that sends nothing must not record forever: the clock counts too.
        let elapsed = samples_in(now.saturating_duration_since(self.started));
        if self.max.is_some_and(|max| self.written >= max || elapsed > max + u64::from(FILL_SLACK))
        {
            return Some(RecordEnd::Length);
        }
        let quiet = now.saturating_duration_since(self.last_loud);
        self.silence.filter(|rule| quiet >= rule.duration).map(|_| RecordEnd::Silence)
    }

    /// Writes what waits and finishes the sink.
    pub(super) fn finish(mut self, now: Instant, by: RecordEnd) -> Taken {
        self.drain_all(now);
        self.let_go(0);
        if let Some(sink) = self.sink.take() {
            sink.finish();
        }
        Taken {
            id: self.id,
            by,
            duration: duration_of(self.written),
            speech: duration_of(self.loud.min(self.written)),
        }
    }

    fn drain_ready(&mut self, now: Instant) {
        while let Some(expected) = self.expected {
            let ready = self
                .waiting
                .iter()
                .position(|w| w.timestamp.wrapping_sub(expected).wrapping_sub(1) >= 0x7fff_ffff);
            let Some(at) = ready else { return };
            let frame = self.waiting.swap_remove(at);
            if frame.timestamp == expected {
                self.write_at(now, frame.timestamp, &frame.samples);
            }
        }
    }

    fn drain_one(&mut self, now: Instant) {
        let Some(expected) = self.expected else { return self.waiting.clear() };
        let earliest = (0..self.waiting.len()).min_by_key(|&i| {
            self.waiting.get(i).map_or(u32::MAX, |w| w.timestamp.wrapping_sub(expected))
        });
        let Some(at) = earliest else { return };
        let frame = self.waiting.swap_remove(at);
        let gap = frame.timestamp.wrapping_sub(expected);
        // A gap is filled for as long as really passed: a jump of the sender's clock is no pause.
        let passed = ticks_between(self.last_write, now, CLOCK).saturating_add(FILL_SLACK);
        self.write_silence(gap.min(passed));
        self.write_at(now, frame.timestamp, &frame.samples);
        self.drain_ready(now);
    }

    fn drain_all(&mut self, now: Instant) {
        while !self.waiting.is_empty() {
            self.drain_one(now);
        }
    }

    fn write_at(&mut self, now: Instant, timestamp: u32, samples: &[i16]) {
        self.write(samples);
        self.last_write = now;
        // A payload is shorter than a datagram.
        self.expected = Some(timestamp.wrapping_add(samples.len() as u32));
    }

    fn write_silence(&mut self, mut count: u32) {
        static SILENCE: [i16; 160] = [0; 160];
        while count > 0 {
            let n = count.min(160);
            self.write(SILENCE.get(..n as usize).unwrap_or_default());
            count -= n;
        }
    }

    fn write(&mut self, samples: &[i16]) {
        let room = self.max.map_or(u64::MAX, |max| max.saturating_sub(self.written));
        let n = usize::try_from(room).unwrap_or(usize::MAX).min(samples.len());
        let Some(samples) = samples.get(..n).filter(|s| !s.is_empty()) else { return };
        self.written += samples.len() as u64;
        if self.hold == 0 {
            if let Some(sink) = &mut self.sink {
                sink.push(samples);
            }
            return;
        }
        self.held.extend(samples);
        self.let_go(self.hold);
    }

    /// Gives the sink what is held, but for the newest so many samples.
    fn let_go(&mut self, keep: usize) {
        let Some(sink) = &mut self.sink else { return };
        let mut piece = [0; MAX_PIECE];
        while self.held.len() > keep {
            let count = (self.held.len() - keep).min(MAX_PIECE);
            let oldest = self.held.drain(..count);
            piece.iter_mut().zip(oldest).for_each(|(to, from)| *to = from);
            sink.push(piece.get(..count).unwrap_or_default());
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // A panic on its way out leaves no chance for another one; the sink ends by being dropped.
        if std::thread::panicking() {
            return;
        }
        // The port went away: what was said until then is kept.
        self.drain_all(self.last_write);
        self.let_go(0);
        if let Some(sink) = self.sink.take() {
            sink.finish();
        }
    }
}

#[cfg(test)]
mod tests;
