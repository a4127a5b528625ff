//! Keys as tones, for a peer that does not know telephone events (ITU-T Q.23).

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use super::Digit;
use super::send::{MAX_QUEUED, Pending};

/// Samples in a second.
const RATE: f64 = 8000.0;

/// Samples that a [`Keypad`] makes at once, and how long they last.
const PIECE: usize = 160;
const STEP: Duration = Duration::from_millis(20);

/// Behind by more than this, a [`Keypad`] goes on from where it is.
const MAX_LAG: Duration = Duration::from_millis(200);

/// Level of each of the two tones: 12 dB below full scale, about -9 dBm0.
const AMPLITUDE: f64 = 0.25 * 32767.0;

/// The longest piece made at once (60 ms); what is missing comes with the next packet.
const MAX_PIECE: u32 = 480;

/// How far the newest piece may lag behind the audio a phone sends beside its events.
const AHEAD: u32 = 800;

/// How far behind the last key a packet is a late one of a key before it, in ticks.
const LATE: u32 = 16_000;

pub(super) const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
pub(super) const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// The keys, row by row.
pub(super) const PAD: [u8; 16] = *b"123A456B789C*0#D";

/// Makes one even tone of the event packets of a key, each of which says how long it has been down.
#[derive(Debug, Clone, Default)]
pub struct ToneMaker {
    key: Option<Key>,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    code: u8,
    /// RTP timestamp of the press.
    start: u32,
    /// Samples made so far.
    made: u32,
    ended: bool,
}

impl ToneMaker {
    /// The tone since the last packet: how far from the event's timestamp it begins, and its length
    /// in `out`. `None` for what is no key, repeats what was said, or comes late.
    pub fn make(
        &mut self,
        timestamp: u32,
        event: [u8; 4],
        out: &mut [i16],
    ) -> Option<(u32, usize)> {
        let [code, flags, d0, d1] = event;
        let (row, column) = frequencies(code)?;
        let mut key = match self.key {
            Some(key) if key.code == code && key.start == timestamp => key,
            Some(key) if key.start.wrapping_sub(timestamp).wrapping_sub(1) < LATE => {
                return None;
            }
            _ => Key { code, start: timestamp, made: 0, ended: false },
        };
        let until = u32::from(u16::from_be_bytes([d0, d1]));
        let count = until.saturating_sub(key.made).min(MAX_PIECE);
        let piece = out.get_mut(..count as usize)?;
        for (n, sample) in (key.made..).zip(piece) {
            *sample = tone((row, column), n, RATE);
        }
        let from = key.made;
        key.made += count;
        key.ended |= flags & 0x80 != 0 && key.made >= until;
        self.key = Some(key);
        (count > 0).then_some((from, count as usize))
    }

    /// Whether audio of this timestamp falls into a key's tone: some phones send both.
    #[inline]
    pub fn covers(&self, timestamp: u32) -> bool {
        self.key.is_some_and(|key| {
            let reach = if key.ended { key.made } else { key.made + AHEAD };
            timestamp.wrapping_sub(key.start) < reach
        })
    }
}

/// Presses keys one after the other: tones and the silence between them, as even as any other audio.
#[derive(Debug, Clone, Default)]
pub struct Keypad {
    queue: VecDeque<Pending>,
    /// Samples made of the first in the queue and of the silence behind it.
    made: u32,
    next: Option<Instant>,
}

impl Keypad {
    /// Queues digits; those beyond [`MAX_QUEUED`] are not taken. Returns how many were. Lengths are
    /// held to the bounds of [`super::EventSender::queue`].
    pub fn queue(
        &mut self,
        now: Instant,
        digits: &[Digit],
        tone: Duration,
        gap: Duration,
    ) -> usize {
        let room = MAX_QUEUED.saturating_sub(self.queue.len());
        self.queue.extend(digits.iter().take(room).map(|&d| Pending::new(d, tone, gap)));
        self.next = self.next.or((!self.queue.is_empty()).then_some(now));
        digits.len().min(room)
    }

    /// The key that is down, or the last one until the silence behind it is over.
    pub fn digit(&self) -> Option<Digit> {
        self.queue.front().map(|key| key.digit)
    }

    /// Whether all was heard, the silence behind the last key too.
    pub fn is_idle(&self) -> bool {
        self.next.is_none()
    }

    /// The next 20 ms at 8 kHz, when they are due.
    pub fn poll(&mut self, now: Instant) -> Option<[i16; PIECE]> {
        let due = self.next.filter(|&at| at <= now)?;
        if self.queue.is_empty() {
            self.next = None;
            return None;
        }
        let late = now.saturating_duration_since(due) > MAX_LAG;
        self.next = Some(if late { now } else { due } + STEP);
        let mut piece = [0; PIECE];
        for sample in &mut piece {
            let Some(key) = self.queue.front() else { break };
            if self.made < samples(key.tone) {
                *sample =
                    frequencies(key.digit.event()).map_or(0, |pair| tone(pair, self.made, RATE));
            }
            self.made += 1;
            if self.made >= samples(key.tone + key.gap) {
                self.made = 0;
                self.queue.pop_front();
            }
        }
        Some(piece)
    }
}

fn samples(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis() * 8).unwrap_or(u32::MAX)
}

/// Puts the tone of a key in place of samples, the first of which is the n-th of the tone.
pub(crate) fn sound(digit: Digit, start: u32, hertz: u32, samples: &mut [i16]) {
    let Some(pair) = frequencies(digit.event()) else { return };
    for (n, sample) in (start..).zip(samples) {
        *sample = tone(pair, n, f64::from(hertz));
    }
}

/// The n-th sample of a tone.
fn tone((row, column): (f64, f64), n: u32, rate: f64) -> i16 {
    let turn = TAU * f64::from(n) / rate;
    // Two quarters of full scale fit.
    (((turn * row).sin() + (turn * column).sin()) * AMPLITUDE) as i16
}

/// The two frequencies of a key in Hz.
fn frequencies(code: u8) -> Option<(f64, f64)> {
    let key = super::Digit::from_event(code)?.as_char();
    let at = PAD.iter().position(|&other| char::from(other) == key)?;
    Some((*ROWS.get(at / 4)?, *COLUMNS.get(at % 4)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::tests::level_of;

    fn event(code: u8, end: bool, duration: u16) -> [u8; 4] {
        let [d0, d1] = duration.to_be_bytes();
        [code, (u8::from(end) << 7) | 10, d0, d1]
    }

    #[test]
    fn every_key_sounds_its_two_frequencies_without_a_break() {
        for (code, row, column) in [
            (1, 697.0, 1209.0),
            (5, 770.0, 1336.0),
            (0, 941.0, 1336.0),
            (11, 941.0, 1477.0),
            (15, 941.0, 1633.0),
        ] {
            let mut maker = ToneMaker::default();
            let mut heard: Vec<i16> = Vec::new();
            let mut out = [0; 1000];
            for n in 1..=10 {
                let packet = event(code, n == 10, n * 160);
                let (from, count) = maker.make(7000, packet, &mut out).unwrap();
                assert_eq!((from as usize, count), (heard.len(), 160));
                heard.extend(&out[..count]);
            }
            for hertz in [row, column] {
                let level = level_of(&heard, hertz);
                assert!((level + 12.0).abs() < 0.7, "{code}: {hertz} Hz {level} dB");
            }
            for other in ROWS.into_iter().chain(COLUMNS).filter(|f| *f != row && *f != column) {
                assert!(level_of(&heard, other) < -30.0, "{code}: {other} Hz");
            }
        }
    }

    #[test]
    fn what_was_lost_is_made_up_for_and_what_is_repeated_is_not() {
        let mut maker = ToneMaker::default();
        let mut out = [0; 1000];
        let mut make = |at, packet| maker.make(at, packet, &mut out);
        assert_eq!(make(7000, event(3, false, 160)), Some((0, 160)));
        assert_eq!(make(7000, event(3, false, 800)), Some((160, 480)));
        assert_eq!(make(7000, event(3, true, 800)), Some((640, 160)));
        assert_eq!(make(7000, event(3, true, 800)), None);
        assert_eq!(make(9000, event(3, true, 65_535)), Some((0, 480)));
        assert_eq!(make(7000, event(3, true, 800)), None, "late");
        assert_eq!(make(9500, event(16, false, 800)), None, "no key");
    }

    #[test]
    fn audio_beside_a_key_is_told_by_its_time() {
        let mut maker = ToneMaker::default();
        let mut out = [0; 1000];
        assert!(!maker.covers(7000));
        maker.make(7000, event(3, false, 160), &mut out);
        assert!(maker.covers(7000) && maker.covers(7320) && !maker.covers(6840));
        assert!(!maker.covers(8000), "a key whose end was lost does not mute for ever");
        maker.make(7000, event(3, true, 320), &mut out);
        assert!(maker.covers(7319) && !maker.covers(7320));
    }
}
