//! Which audio of a peer is the tone of a key. Its own timestamps tell, not the clock on the wall:
//! what waits in a jitter buffer was said before what has just come.

use std::time::Duration;

use crate::dtmf::Digit;

/// A key whose timestamp is further than this from that of the audio has another clock, in seconds.
const ASTRAY_S: u32 = 5;

/// The audio of one key.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeySpan {
    digit: Digit,
    from: u32,
    /// `None`: it is down.
    held: Option<Duration>,
    /// It had come by INFO before, and was passed on then.
    known: bool,
}

impl KeySpan {
    /// Of a key that goes down at this timestamp, while the newest audio has that one, in a clock of
    /// so many ticks a second.
    pub(super) fn pressed(digit: Digit, timestamp: u32, newest: Option<u32>, clock: u32) -> Self {
        let astray = |newest: &u32| {
            (timestamp.wrapping_sub(*newest) as i32).unsigned_abs() > clock.saturating_mul(ASTRAY_S)
        };
        Self { digit, from: newest.filter(astray).unwrap_or(timestamp), held: None, known: false }
    }

    /// The same of a key that had come by INFO before, or had not.
    pub(super) fn known(self, known: bool) -> Self {
        Self { known, ..self }
    }

    /// Whether it had come by INFO before.
    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    /// The key went up, so long after it went down.
    pub(super) fn released(&mut self, held: Duration) {
        self.held = Some(held);
    }

    /// Which.
    pub(super) fn digit(&self) -> Digit {
        self.digit
    }

    /// Ticks from its beginning to this timestamp.
    pub(super) fn since(&self, timestamp: u32) -> Option<u32> {
        Some(timestamp.wrapping_sub(self.from)).filter(|since| *since < 0x8000_0000)
    }

    /// Whether audio of this timestamp is the key's, in a clock of so many ticks a second.
    #[inline]
    pub(super) fn covers(&self, timestamp: u32, clock: u32) -> bool {
        self.since(timestamp).is_some_and(|since| {
            self.held.is_none_or(|held| {
                u128::from(since) * 1_000_000 < held.as_micros() * u128::from(clock)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn five() -> Digit {
        Digit::from_char('5').unwrap()
    }

    #[test]
    fn a_key_is_its_own_audio_and_nothing_before_or_after() {
        for clock in [8000, 48_000] {
            let ms = |n: i32| 77_u32.wrapping_add_signed(n * clock as i32 / 1000);
            let mut key = KeySpan::pressed(five(), ms(0), Some(ms(40)), clock);
            assert!(!key.covers(ms(-1), clock) && key.covers(ms(0), clock));
            assert!(key.covers(ms(9000), clock), "it is down");
            key.released(Duration::from_millis(100));
            assert!(key.covers(ms(99), clock) && !key.covers(ms(100), clock));
        }
    }

    #[test]
    fn a_key_of_another_clock_begins_with_the_audio_that_has_come() {
        let key = KeySpan::pressed(five(), 3_000_000_000, Some(500), 8000);
        assert!(key.covers(500, 8000) && !key.covers(499, 8000));
        assert!(KeySpan::pressed(five(), 3, None, 8000).covers(3, 8000));
    }
}
