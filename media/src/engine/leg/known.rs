//! Keys that came another way before their event or tone.
//!
//! > Whoever has the key already has done what it is to do. When its event comes it is told of as
//! > ever, for the call knows by itself that it is the same press; it ends and moves nothing here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::dtmf::Digit;

/// Most keys that are awaited.
const MOST: usize = 32;

/// The presses of a leg, and those still to come that are known.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Each with the time until which it is awaited.
    keys: VecDeque<(Digit, Instant)>,
    presses: u32,
}

impl Known {
    /// The next press of this key within `time` is known. `heard`: the number of the last press that
    /// whoever says so has heard of. When there was one after it the two have met on the way, and
    /// that one may be the press that is meant: no other is awaited.
    pub(super) fn expect(&mut self, now: Instant, digit: Digit, time: Duration, heard: u32) {
        self.keys.retain(|(_, until)| *until >= now);
        if heard != self.presses {
            return;
        }
        if self.keys.len() >= MOST {
            self.keys.pop_front();
        }
        self.keys.push_back((digit, now + time));
    }

    /// A key goes down: the number of this press, and whether it is known.
    pub(super) fn pressed(&mut self, now: Instant, digit: Digit) -> (u32, bool) {
        self.presses = self.presses.wrapping_add(1);
        let of = |(key, until): &(Digit, Instant)| *key == digit && *until >= now;
        let known = self.keys.iter().position(of);
        (self.presses, known.and_then(|at| self.keys.remove(at)).is_some())
    }
}
