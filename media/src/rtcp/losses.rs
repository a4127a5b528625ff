//! How losses lie: one by one, or in bursts.

/// So many packets in a row that came end a burst (RFC 3611 §4.7.2 recommends it).
pub(super) const GMIN: u32 = 16;

/// Counts losses in the order of sequence numbers. One that comes late stays counted here: who plays
/// the stream has mostly given it up by then.
#[derive(Debug, Clone, Copy, Default)]
pub struct Losses {
    /// Stretches of packets lost one after another, and the packets in them.
    runs: u32,
    lost: u32,
    /// Packets that came since the last loss.
    since: u32,
    /// Packets from the first loss of what may be a burst to its last, and how many were lost.
    open: (u32, u32),
    /// What was a burst: how many, their packets, and how many were lost.
    bursts: u32,
    burst_packets: u32,
    burst_lost: u32,
}

impl Losses {
    /// A packet came that is so many numbers behind the newest before it; `missing` are between.
    #[inline]
    pub(super) fn arrived(&mut self, missing: u32) {
        if missing > 0 {
            self.lost(missing);
        }
        self.since = self.since.saturating_add(1);
        if self.since == GMIN {
            self.close();
        }
    }

    fn lost(&mut self, missing: u32) {
        self.runs = self.runs.saturating_add(1);
        self.lost = self.lost.saturating_add(missing);
        let (packets, lost) = self.open;
        let between = if lost == 0 { 0 } else { self.since };
        self.open =
            (packets.saturating_add(between).saturating_add(missing), lost.saturating_add(missing));
        self.since = 0;
    }

    /// A single loss among packets that came is part of the gap between bursts.
    fn close(&mut self) {
        let (packets, lost) = std::mem::take(&mut self.open);
        if lost > 1 {
            self.bursts = self.bursts.saturating_add(1);
            self.burst_packets = self.burst_packets.saturating_add(packets);
            self.burst_lost = self.burst_lost.saturating_add(lost);
        }
    }

    /// Stretches of packets lost one after another.
    pub fn runs(&self) -> u32 {
        self.runs
    }

    /// Packets lost, those that came late among them.
    pub fn count(&self) -> u32 {
        self.lost
    }

    /// What RFC 3611 §4.7.2 asks, of `expected` packets of `packet_ms`: densities in 1/256, mean
    /// durations in ms.
    pub(super) fn bursts(&self, expected: u64, packet_ms: u16) -> Bursts {
        let mut all = *self;
        all.close();
        let expected = u32::try_from(expected).unwrap_or(u32::MAX);
        let gap_packets = expected.saturating_sub(all.burst_packets);
        let mean = |packets: u32, of: u32| {
            let ms = u64::from(packets) * u64::from(packet_ms);
            u16::try_from(ms.checked_div(of.into()).unwrap_or(0)).unwrap_or(u16::MAX)
        };
        Bursts {
            burst_density: share(all.burst_lost, all.burst_packets),
            gap_density: share(all.lost.saturating_sub(all.burst_lost), gap_packets),
            burst_ms: mean(all.burst_packets, all.bursts),
            gap_ms: mean(gap_packets, all.bursts.saturating_add(1)),
        }
    }
}

/// How losses lie, in the units of RFC 3611 §4.7.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bursts {
    pub(super) burst_density: u8,
    pub(super) gap_density: u8,
    pub(super) burst_ms: u16,
    pub(super) gap_ms: u16,
}

/// A fraction in units of 1/256.
pub(super) fn share(part: u32, whole: u32) -> u8 {
    let share = (u64::from(part) * 256).checked_div(whole.into()).unwrap_or(0);
    u8::try_from(share).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_near_one_another_are_a_burst_and_single_ones_are_not() {
        let mut losses = Losses::default();
        let mut come = |n: u32, missing: u32| {
            losses.arrived(missing);
            (1..n).for_each(|_| losses.arrived(0));
        };
        // A single one; then 2, 5 that came, 3; then again a single one.
        come(100, 0);
        come(100, 1);
        come(5, 2);
        come(100, 3);
        come(100, 1);
        assert_eq!((losses.runs(), losses.count()), (4, 7));
        let found = losses.bursts(412, 20);
        let burst = Bursts {
            burst_density: (5 * 256 / 10) as u8,
            gap_density: (2 * 256 / 402) as u8,
            burst_ms: 200,
            gap_ms: 402 * 20 / 2,
        };
        assert_eq!(found, burst);
    }
}
