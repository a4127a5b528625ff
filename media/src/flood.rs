//! How many packets a second a leg takes: more than any peer that talks sends.
//!
//! > Media that goes in a ring (two calls whose descriptions name each other's ports) turns at this
//! > pace and not as fast as the machine can; a peer that floods us floods nobody through us.

use std::time::{Duration, Instant};

/// Packets a second. The shortest packets that are agreed on come 100 times a second; a line that
/// stood still for some seconds delivers all at once.
const MOST: u32 = 1_000;
/// The same of video: 40 Mbit/s in packets of a full frame, and the bursts of whole pictures.
const MOST_VIDEO: u32 = 4_000;
/// The same of checks of a path (ICE): a dozen pairs, each asked again and again at the beginning.
const MOST_CHECKS: u32 = 100;
const SPAN: Duration = Duration::from_secs(1);

/// Counts the packets of one leg.
#[derive(Debug)]
pub(crate) struct Meter {
    since: Instant,
    taken: u32,
    most: u32,
}

impl Meter {
    /// From now on.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { since: now, taken: 0, most: MOST }
    }

    /// For video, from now on.
    pub(crate) const fn for_video(now: Instant) -> Self {
        Self { since: now, taken: 0, most: MOST_VIDEO }
    }

    /// For requests of ICE, from now on.
    pub(crate) const fn for_checks(now: Instant) -> Self {
        Self { since: now, taken: 0, most: MOST_CHECKS }
    }

    /// Whether one more is taken.
    #[inline]
    pub(crate) fn takes(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= SPAN {
            (self.since, self.taken) = (now, 0);
        }
        self.taken = self.taken.saturating_add(1);
        self.taken <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_to_a_thousand_a_second_and_speech_never() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!((0..50_000).filter(|_| meter.takes(at(5))).count(), 1_000);
        assert!(!meter.takes(at(999)));
        assert_eq!((0..50_000).filter(|_| meter.takes(at(1_000))).count(), 1_000);
        assert!((200..6_000).all(|n| meter.takes(at(n * 10))), "10 ms packets");
    }
}
