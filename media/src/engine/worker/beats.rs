//! The even beat at which a media thread looks at the clock, and which of its beats a playback gets.

use std::time::{Duration, Instant};

use crate::engine::timer::TICK;

/// Beats in the 20 ms from one packet of a playback to the next.
const ROUND: usize = 20;

/// So many packets go out together before a playback makes way for them: about a tenth of a beat.
const FEW: usize = 16;

/// Beats, a [`TICK`] apart, counted from the first.
///
/// > A packet goes out at the first beat after its time. Were the next look counted from the last
/// > one, which was a little late, packets would be now at one look and now at the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beats {
    first: Instant,
}

impl Beats {
    pub(super) fn new(first: Instant) -> Self {
        Self { first }
    }

    /// The latest beat that is not after this time.
    pub(super) fn before(self, at: Instant) -> Instant {
        at - self.since_beat(at)
    }

    /// The earliest beat that is not before this time.
    pub(super) fn after(self, at: Instant) -> Instant {
        let since = self.since_beat(at);
        if since.is_zero() { at } else { at + (TICK - since) }
    }

    fn since_beat(self, at: Instant) -> Duration {
        let beat = TICK.subsec_nanos();
        // A second is a whole number of beats.
        let nanos = at.saturating_duration_since(self.first).subsec_nanos();
        Duration::from_nanos((nanos % beat).into())
    }

    /// Which beat of a round that is.
    fn number(self, beat: Instant) -> usize {
        let since = beat.saturating_duration_since(self.first);
        // A second is a whole number of rounds.
        (since.subsec_nanos() / TICK.subsec_nanos()) as usize % ROUND
    }

    /// Who is due when.
    pub(super) fn load(self, dues: impl Iterator<Item = Instant>) -> Load {
        let mut load = Load { at: [0; ROUND], all: 0 };
        dues.for_each(|due| load.add(self.number(self.after(due))));
        load
    }

    /// When a playback begins that is ordered now: callers come together, or every ten milliseconds,
    /// and what they hear would go out in a burst in which the last packet waits for hundreds. It is
    /// the next beat that has not twice its share of all.
    pub(super) fn for_playback(self, now: Instant, load: &mut Load) -> Instant {
        let most = FEW.max(2 * load.all / ROUND);
        let next = self.after(now);
        let begin = (0..ROUND as u32)
            .map(|beats| next + TICK * beats)
            .find(|beat| load.at.get(self.number(*beat)).is_some_and(|there| *there < most))
            .unwrap_or(next);
        load.add(self.number(begin));
        begin
    }
}

/// How many ports are due at each beat of a round.
#[derive(Debug, Clone)]
pub(super) struct Load {
    at: [usize; ROUND],
    all: usize,
}

impl Load {
    fn add(&mut self, beat: usize) {
        if let Some(there) = self.at.get_mut(beat) {
            *there += 1;
            self.all += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(n: u64) -> Duration {
        Duration::from_micros(n)
    }

    #[test]
    fn beats_are_even_whenever_one_looks() {
        let first = Instant::now();
        let beats = Beats::new(first);
        for (at, before, after) in [
            (0, 0, 0),
            (1, 0, 1_000),
            (999, 0, 1_000),
            (1_000, 1_000, 1_000),
            (3_600_000_000, 3_600_000_000, 3_600_000_000),
            (3_600_000_001, 3_600_000_000, 3_600_001_000),
        ] {
            assert_eq!(beats.before(first + us(at)), first + us(before), "{at}");
            assert_eq!(beats.after(first + us(at)), first + us(after), "{at}");
        }
    }

    /// Has playbacks ordered at these times; how many got each beat, and how long the slowest waited.
    fn ordered(times: impl Iterator<Item = u64>) -> ([usize; ROUND], Duration) {
        let first = Instant::now();
        let beats = Beats::new(first);
        let mut load = beats.load(std::iter::empty());
        let (mut due, mut longest) = (Vec::new(), Duration::ZERO);
        for time in times {
            let now = first + us(time);
            let begin = beats.for_playback(now, &mut load);
            assert_eq!(begin, beats.after(begin), "on a beat");
            longest = longest.max(begin - now);
            due.push(begin);
        }
        assert_eq!(beats.load(due.iter().copied()).at, load.at, "counted as it is");
        (load.at, longest)
    }

    #[test]
    fn a_few_playbacks_begin_at_the_next_beat() {
        let (got, longest) = ordered((0..FEW as u64).map(|n| 700 + n));
        assert_eq!((got[1], longest), (FEW, us(300)));
    }

    #[test]
    fn a_thousand_that_are_ordered_at_once_go_out_at_many_beats() {
        let (got, longest) = ordered(std::iter::repeat_n(0, 1000));
        assert!(got.iter().all(|there| *there <= 100), "{got:?}");
        assert!(longest < us(20_000), "{longest:?}");
    }

    #[test]
    fn a_thousand_that_come_every_ten_milliseconds_wait_for_little() {
        let (got, longest) = ordered((0..1000).map(|n| n * 10_000 + n % 7 * 100));
        assert!(got.iter().all(|there| *there <= 100), "{got:?}");
        assert!(longest <= us(6_000), "{longest:?}");
    }
}
