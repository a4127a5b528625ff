//! One continuous RTP stream towards the peer, out of sources that come and go.

use std::time::Instant;

/// RFC 3550 A.1: a jump forward of more than this is a restarted sender, not a loss.
const MAX_DROPOUT: u16 = 3000;

/// How late a packet may come and still be passed on, in packets.
const WINDOW: u16 = 64;

/// The longest packet, in ms.
const LONGEST_MS: u32 = 120;

/// Ticks in a second of the RTP clock of a telephone codec.
pub const CLOCK: u32 = 8000;

/// Who feeds the stream at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The far leg of a bridge, by the SSRC of its sender.
    Relay(u32),
    /// A playback, by a number of its own.
    Play(u32),
    /// Audio that was decoded and is encoded for this peer, by a number of its own.
    Voice(u32),
    /// Digits we were told to send, by a number of their own.
    Digits(u32),
}

/// Where a packet goes in the outgoing stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Outgoing sequence number.
    pub sequence: u16,
    /// Outgoing timestamp.
    pub timestamp: u32,
    /// The first packet of this source: it carries the marker (RFC 3551 §4.1).
    pub first: bool,
}

/// Sequence numbers and timestamps of what we send, under an SSRC of our own.
///
/// A source's own loss and reordering stay visible to the peer; a change of source does not. No
/// sequence number is ever used twice, which SRTP's keystream depends on (RFC 3711 §9.1).
#[derive(Debug, Clone)]
pub struct OutStream {
    ssrc: u32,
    /// Ticks in a second.
    clock: u32,
    /// Highest sequence number sent, or the one before the first.
    sequence: u16,
    /// Highest timestamp sent and when it was first used.
    anchor: Option<(u32, Instant)>,
    /// By how much it was more than the one before: about as much as its packet holds.
    step: u32,
    first_timestamp: u32,
    source: Option<Mapping>,
    packets: u32,
    octets: u32,
}

#[derive(Debug, Clone)]
struct Mapping {
    source: Source,
    sequence_offset: u16,
    timestamp_offset: u32,
    /// Highest sequence number of the source seen.
    highest: u16,
    /// How far `highest` is from the source's first packet, saturating.
    age: u16,
    /// Bit n: `highest - n` has been sent.
    seen: u64,
    /// The number that would show, after one from far behind, that the sender began anew.
    restart: Option<u16>,
}

impl OutStream {
    /// A stream with the given identity; all three should be random (RFC 3550 §5.1, §8).
    pub const fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            ssrc,
            clock: CLOCK,
            // RFC 3711 §3.3.1 wants the first sequence number below 2^15: a loss at the start then
            // cannot make the receiver guess a wrong rollover counter.
            sequence: sequence & 0x7fff,
            anchor: None,
            step: 0,
            first_timestamp: timestamp,
            source: None,
            packets: 0,
            octets: 0,
        }
    }

    /// A stream that goes on with the numbers of a source, beginning with this packet of its.
    pub const fn of_source(ssrc: u32, sequence: u16, timestamp: u32, clock: u32) -> Self {
        let mut stream = Self::new(ssrc, 0, timestamp);
        (stream.sequence, stream.clock) = (sequence.wrapping_sub(1), clock);
        stream
    }

    /// Whether packets of this sender pass with the numbers they have.
    pub fn passes(&self, ssrc: u32) -> bool {
        self.ssrc == ssrc
            && self.source.as_ref().is_some_and(|mapping| {
                mapping.source == Source::Relay(ssrc)
                    && (mapping.sequence_offset, mapping.timestamp_offset) == (0, 0)
            })
    }

    /// Our SSRC towards this peer.
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets and payload octets sent, for the sender report.
    pub const fn sent(&self) -> (u32, u32) {
        (self.packets, self.octets)
    }

    /// Ticks of its timestamps in a second.
    pub const fn clock(&self) -> u32 {
        self.clock
    }

    /// Goes on with another clock (RFC 7160 §4.1): what comes next is as of a new source.
    pub fn set_clock(&mut self, clock: u32) {
        if self.clock != clock {
            self.clock = clock;
            self.source = None;
        }
    }

    /// The next packet is placed as of a new source, whatever it says.
    pub fn forget_source(&mut self) {
        self.source = None;
    }

    /// Counts a sent packet.
    #[inline]
    pub fn count(&mut self, payload: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(payload).unwrap_or(u32::MAX));
    }

    /// Counts packets that were sent elsewhere.
    pub fn count_elsewhere(&mut self, packets: u64, payload: usize) {
        // The counters of RTCP wrap (RFC 3550 §6.4.1).
        let octets = packets.wrapping_mul(payload as u64);
        self.packets = self.packets.wrapping_add((packets & 0xffff_ffff) as u32);
        self.octets = self.octets.wrapping_add((octets & 0xffff_ffff) as u32);
    }

    /// The timestamp that belongs to `now`; `None` while nothing was sent.
    pub fn timestamp_at(&self, now: Instant) -> Option<u32> {
        self.anchor
            .map(|(timestamp, at)| timestamp.wrapping_add(ticks_between(at, now, self.clock)))
    }

    /// Places a packet with the source's own numbering. `None`: a duplicate, or too late.
    #[inline]
    pub fn place(
        &mut self,
        now: Instant,
        source: Source,
        sequence: u16,
        timestamp: u32,
    ) -> Option<Place> {
        let mut first = false;
        let known = match &mut self.source {
            Some(mapping) if mapping.source == source => mapping.follow(sequence),
            _ => Follow::Restarted,
        };
        match known {
            Follow::Ok => {}
            Follow::Drop => return None,
            Follow::Restarted => {
                self.switch(now, source, sequence, timestamp);
                first = true;
            }
        }
        let mapping = self.source.as_ref()?;
        let place = Place {
            sequence: sequence.wrapping_add(mapping.sequence_offset),
            timestamp: timestamp.wrapping_add(mapping.timestamp_offset),
            first,
        };
        self.note(now, &place);
        Some(place)
    }

    /// A packet of this source is withheld on purpose: no gap shows the peer a loss. What comes late
    /// from before it has no number any more.
    pub fn withhold(&mut self, source: Source, sequence: u16) {
        let Some(mapping) = self.source.as_mut().filter(|m| m.source == source) else { return };
        let ahead = sequence.wrapping_sub(mapping.highest);
        if ahead != 0 && ahead < MAX_DROPOUT {
            mapping.sequence_offset = mapping.sequence_offset.wrapping_sub(1);
            (mapping.highest, mapping.age, mapping.seen) = (sequence, 0, 1);
            mapping.restart = None;
        }
    }

    /// Places a packet that belongs to no source, between those of one: the next number, at this
    /// timestamp of ours or, without, at the one that the clock has reached.
    pub fn append(&mut self, now: Instant, timestamp: Option<u32>) -> Place {
        self.source = None;
        let reached = || self.timestamp_at(now).unwrap_or(self.first_timestamp);
        let place = Place {
            sequence: self.sequence.wrapping_add(1),
            timestamp: timestamp.unwrap_or_else(reached),
            first: false,
        };
        self.note(now, &place);
        place
    }

    #[inline]
    fn note(&mut self, now: Instant, place: &Place) {
        if place.sequence.wrapping_sub(self.sequence) < 0x8000 {
            self.sequence = place.sequence;
        }
        let newer = |(t, _): &(u32, Instant)| {
            place.timestamp != *t && place.timestamp.wrapping_sub(*t) < 0x8000_0000
        };
        if self.anchor.as_ref().is_none_or(newer) {
            let step = self.anchor.map_or(0, |(last, _)| place.timestamp.wrapping_sub(last));
            // More is no packet but a pause.
            if step <= self.clock / 1000 * LONGEST_MS {
                self.step = step;
            }
            self.anchor = Some((place.timestamp, now));
        }
    }

    /// Takes a new source: its first packet gets the next sequence number, and the timestamp that
    /// the clock has reached, but not before the end of the last packet.
    fn switch(&mut self, now: Instant, source: Source, sequence: u16, timestamp: u32) {
        let next_timestamp = match self.anchor {
            Some((last, at)) => {
                let passed = ticks_between(at, now, self.clock);
                last.wrapping_add(passed.max(self.step).max(1))
            }
            None => self.first_timestamp,
        };
        self.source = Some(Mapping {
            source,
            sequence_offset: self.sequence.wrapping_add(1).wrapping_sub(sequence),
            timestamp_offset: next_timestamp.wrapping_sub(timestamp),
            highest: sequence,
            age: 0,
            seen: 1,
            restart: None,
        });
    }
}

enum Follow {
    Ok,
    Drop,
    Restarted,
}

impl Mapping {
    #[inline]
    fn follow(&mut self, sequence: u16) -> Follow {
        let ahead = sequence.wrapping_sub(self.highest);
        if ahead != 0 && ahead < MAX_DROPOUT {
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.age = self.age.saturating_add(ahead);
            self.highest = sequence;
            self.restart = None;
            return Follow::Ok;
        }
        let behind = self.highest.wrapping_sub(sequence);
        if behind < WINDOW {
            let bit = 1u64 << behind;
            // Before the source's first packet lie the numbers of the source before it.
            if behind > self.age || self.seen & bit != 0 {
                return Follow::Drop;
            }
            self.seen |= bit;
            return Follow::Ok;
        }
        // RFC 3550 A.1: one packet from behind is late; two in a row are a sender that began anew.
        if behind >= MAX_DROPOUT || self.restart == Some(sequence) {
            return Follow::Restarted;
        }
        self.restart = Some(sequence.wrapping_add(1));
        Follow::Drop
    }
}

/// RTP clock ticks between two instants, cut to 32 bits as the timestamp is.
pub fn ticks_between(from: Instant, to: Instant, clock: u32) -> u32 {
    let passed = to.saturating_duration_since(from);
    let clock = u64::from(clock);
    let ticks = passed.as_secs().wrapping_mul(clock)
        + u64::from(passed.subsec_nanos()) * clock / 1_000_000_000;
    // Truncation is the arithmetic of timestamps.
    (ticks & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests;
