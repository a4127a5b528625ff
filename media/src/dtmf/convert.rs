//! Keys from a leg with one clock to a leg with another.

use super::SEGMENT;

/// Follows the key that is on its way, whose durations are told in the clock of the one side and
/// have to be told in that of the other: what fits there into one segment need not fit here.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Converter {
    key: Option<Key>,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    code: u8,
    ssrc: u32,
    /// Timestamp of the press, and of the newest segment that came.
    first: u32,
    segment: u32,
    /// Ticks that came in segments before, and ticks that went out so.
    before: u32,
    told: u32,
    /// Longest duration of the newest segment.
    duration: u16,
    ended: bool,
}

/// A packet of a key as it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Converted {
    /// The press, in the time of the sender.
    pub(crate) pressed: u32,
    /// Ticks after it, in the new clock, at which the segment begins.
    pub(crate) offset: u32,
    pub(crate) payload: [u8; 4],
}

impl Converter {
    /// Brings an event of a clock of `from` ticks a second to one of `to`. `None`: a packet from
    /// before the segment that is on its way.
    pub(crate) fn convert(
        &mut self,
        ssrc: u32,
        timestamp: u32,
        [code, flags, d0, d1]: [u8; 4],
        (from, to): (u32, u32),
    ) -> Option<Converted> {
        let duration = u16::from_be_bytes([d0, d1]);
        let mut key = match self.key {
            Some(key) if key.goes_on(ssrc, code, timestamp, from) => key,
            _ => Key::new(ssrc, code, timestamp),
        };
        if timestamp != key.segment && duration < key.duration {
            key.before = key.before.saturating_add(timestamp.wrapping_sub(key.segment));
            key.duration = 0;
        }
        key.segment = timestamp;
        key.duration = key.duration.max(duration);
        key.ended |= flags & 0x80 != 0;
        let came = key.before.saturating_add(u32::from(duration));
        let ticks = u64::from(came) * u64::from(to) / u64::from(from.max(1));
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).checked_sub(key.told);
        self.key = Some(key);
        let ticks = ticks?;
        let offset = key.told;
        let full = ticks > SEGMENT;
        if full {
            // RFC 4733 §2.5.1.3: a segment ends with the longest duration, and without the E bit.
            key.told += SEGMENT;
            self.key = Some(key);
        }
        let [d0, d1] = u16::try_from(ticks).unwrap_or(u16::MAX).to_be_bytes();
        let flags = if full { flags & 0x7f } else { flags };
        Some(Converted { pressed: key.first, offset, payload: [code, flags, d0, d1] })
    }
}

impl Key {
    fn new(ssrc: u32, code: u8, pressed: u32) -> Self {
        let (first, segment) = (pressed, pressed);
        Self { code, ssrc, first, segment, before: 0, told: 0, duration: 0, ended: false }
    }

    /// Whether a packet is of this key: of its newest segment or, before its end, of the next.
    fn goes_on(&self, ssrc: u32, code: u8, timestamp: u32, clock: u32) -> bool {
        let ahead = timestamp.wrapping_sub(self.segment);
        (self.ssrc, self.code) == (ssrc, code)
            && (ahead == 0 || !self.ended && ahead <= u32::from(self.duration) + clock / 10)
    }
}
