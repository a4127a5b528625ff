//! Packet indices: the rollover counter and the replay window.

/// Packets behind the newest that may still come (RFC 3711 §3.3.2 wants at least 64).
const SIZE: u64 = 128;

/// Which indices of one source were seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    highest: u64,
    /// Bit n: `highest - n` was seen. 0 before the first packet.
    seen: u128,
}

impl Window {
    /// The 48-bit index that a sequence number stands for: the rollover counter that brings it
    /// nearest to the newest (RFC 3711 §3.3.1 and appendix A).
    #[inline]
    pub(super) fn index_of(&self, sequence: u16) -> u64 {
        let (newest, rollover) = ((self.highest & 0xffff) as u16, self.highest >> 16);
        let rollover = match (newest < 0x8000, self.seen) {
            (_, 0) => 0,
            // Before the first rollover there is none: then it is a jump forward.
            (true, _) if sequence.saturating_sub(newest) > 0x8000 => rollover.saturating_sub(1),
            (false, _) if newest - 0x8000 > sequence => rollover + 1,
            _ => rollover,
        };
        (rollover << 16) | u64::from(sequence)
    }

    /// The newest index; `None` before the first packet.
    pub(super) fn newest(&self) -> Option<u64> {
        (self.seen != 0).then_some(self.highest)
    }

    /// All up to this index was seen, as far as anybody remembers.
    pub(super) const fn after(highest: u64) -> Self {
        Self { highest, seen: u128::MAX }
    }

    /// Whether this index is neither seen nor too old.
    #[inline]
    pub(super) fn admits(&self, index: u64) -> bool {
        if self.seen == 0 || index > self.highest {
            return true;
        }
        let behind = self.highest - index;
        behind < SIZE && self.seen & (1 << behind) == 0
    }

    /// Marks an index that [`Self::admits`] let in and that was authentic.
    #[inline]
    pub(super) fn accept(&mut self, index: u64) {
        if self.seen == 0 || index > self.highest {
            let ahead = index.saturating_sub(self.highest);
            let shifted = u32::try_from(ahead).ok().and_then(|n| self.seen.checked_shl(n));
            self.seen = shifted.unwrap_or(0) | 1;
            self.highest = index;
        } else if let Ok(behind) = u32::try_from(self.highest - index) {
            self.seen |= 1u128.checked_shl(behind).unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: u64) -> Window {
        let mut window = Window::default();
        window.accept(index);
        window
    }

    #[test]
    fn a_sequence_number_gets_the_nearest_index() {
        assert_eq!(Window::default().index_of(40_000), 40_000);
        for (newest, sequence, index) in [
            (100, 101, 101),
            (100, 99, 99),
            (100, 40_000, 40_000),
            (0xffff, 0, 0x1_0000),
            (0xfff0, 5, 0x1_0005),
            (0x1_0005, 0xfff0, 0xfff0),
            (0x1_0005, 0x7fff, 0x1_7fff),
            (0x2_8001, 0, 0x3_0000),
            (0x2_8000, 0, 0x2_0000),
            (0x2_7fff, 0xffff, 0x2_ffff),
            (0x2_7ffe, 0xffff, 0x1_ffff),
        ] {
            assert_eq!(at(newest).index_of(sequence), index, "{newest:#x} {sequence:#x}");
        }
    }

    #[test]
    fn each_index_is_admitted_once_and_none_that_is_too_old() {
        let mut window = at(1000);
        assert!(!window.admits(1000));
        assert!(window.admits(873) && !window.admits(872));
        window.accept(1001);
        window.accept(999);
        assert!(!window.admits(1000) && !window.admits(999) && window.admits(998));
        window.accept(1001 + 127);
        assert!(!window.admits(1001) && window.admits(1002) && !window.admits(1000));
        window.accept(9000);
        assert!(window.admits(8999) && !window.admits(9000));
        window.accept(u64::MAX >> 16);
        assert!(!window.admits(9001));
    }
}
