//! Ways by which a leg's keys come: within its media (telephone events, tones), and by INFO.
//!
//! > A phone may be set to send each key both ways. The one that comes first counts; the other is
//! > the same press.
//!
//! Kept twice for each leg: by its media thread, which acts on a key at once (stops what plays, passes
//! it on), and by who tells the application of it. Both see the same keys, maybe in another order; the
//! count is the same in any.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Digit;

/// How long after a key the same one that came the other way is that press. An INFO may be lost
/// once or twice (RFC 3261 §17.1.2.2), and be sent when the key goes up.
const SAME: Duration = Duration::from_secs(2);
/// Most keys that are remembered: more than are pressed in that time, automatic dialling included.
const MOST: usize = 16;

/// The keys of one leg that came only one way so far.
#[derive(Debug, Default)]
pub struct Carriers {
    lone: VecDeque<Lone>,
    /// The last key of the media, and whether it is one that had come by INFO.
    down: Option<(Digit, bool)>,
}

#[derive(Debug)]
struct Lone {
    digit: Digit,
    by_info: bool,
    /// When it was last known to be down.
    at: Instant,
}

impl Carriers {
    /// With room for all it may remember: the media thread takes nothing from the heap for a key.
    pub fn with_room() -> Self {
        Self { lone: VecDeque::with_capacity(MOST), down: None }
    }

    /// A key of the media goes down. Whether it is a new one.
    pub fn pressed(&mut self, now: Instant, digit: Digit) -> bool {
        let known = self.met(now, digit, false);
        self.down = Some((digit, known));
        !known
    }

    /// A key of the media went up. Whether it is a new one.
    pub fn released(&mut self, now: Instant, digit: Digit) -> bool {
        if self.down.is_none_or(|(down, _)| down != digit) {
            self.pressed(now, digit);
        }
        let known = self.down.take().is_some_and(|(_, known)| known);
        if let Some(key) = self.lone.iter_mut().rfind(|key| key.is(digit, false)) {
            key.at = now;
        }
        !known
    }

    /// A key comes by INFO. Whether it is a new one.
    pub fn informed(&mut self, now: Instant, digit: Digit) -> bool {
        !self.met(now, digit, true)
    }

    /// Whether this key has come the other way; else it is remembered.
    fn met(&mut self, now: Instant, digit: Digit, by_info: bool) -> bool {
        self.lone.retain(|key| now.saturating_duration_since(key.at) <= SAME);
        if let Some(other) = self.lone.iter().position(|key| key.is(digit, !by_info)) {
            self.lone.remove(other);
            return true;
        }
        if self.lone.len() >= MOST {
            self.lone.pop_front();
        }
        self.lone.push_back(Lone { digit, by_info, at: now });
        false
    }
}

impl Lone {
    fn is(&self, digit: Digit, by_info: bool) -> bool {
        (self.digit, self.by_info) == (digit, by_info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn five() -> Digit {
        Digit::from_char('5').unwrap()
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_key_that_comes_both_ways_counts_once_whichever_comes_first() {
        let t = Instant::now();
        let mut keys = Carriers::default();
        keys.pressed(t, five());
        assert!(!keys.informed(t + ms(10), five()), "while it is down");
        assert!(keys.released(t + ms(100), five()));

        let t = t + ms(300);
        assert!(keys.informed(t, five()));
        keys.pressed(t + ms(5), five());
        assert!(!keys.released(t + ms(4000), five()), "held for long");

        let t = t + ms(4200);
        keys.pressed(t, five());
        assert!(keys.released(t + ms(5000), five()));
        assert!(!keys.informed(t + ms(5500), five()), "told when it went up, and lost once");
    }

    #[test]
    fn keys_that_are_pressed_again_count_again() {
        let t = Instant::now();
        let mut keys = Carriers::default();
        let mut new = 0;
        for n in 0..50 {
            let at = t + ms(n * 120);
            keys.pressed(at, five());
            new += usize::from(keys.released(at + ms(60), five()));
            new += usize::from(keys.informed(at + ms(70), five()));
        }
        assert_eq!(new, 50);
        let t = t + ms(60_000);
        assert_eq!((0..100).filter(|n| keys.informed(t + ms(*n), five())).count(), 100);
        let t = t + ms(60_000);
        assert!((0..100).all(|n| {
            keys.pressed(t + ms(n), five());
            keys.released(t + ms(n), five())
        }));
    }

    #[test]
    fn another_key_or_a_much_later_one_is_another_press() {
        let t = Instant::now();
        let mut keys = Carriers::default();
        keys.pressed(t, five());
        assert!(keys.released(t, five()));
        assert!(keys.informed(t + ms(10), Digit::from_char('6').unwrap()));
        assert!(keys.informed(t + ms(2_011), five()));
    }
}
