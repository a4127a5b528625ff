//! The packets of keys that we press.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Digit, SEGMENT};

/// Most digits waiting to be sent.
pub const MAX_QUEUED: usize = 64;

/// Spacing of event packets, and their number of end packets (RFC 4733 §2.5.1.4).
const STEP: Duration = Duration::from_millis(20);
const END_PACKETS: u8 = 3;
/// Volume in -dBm0 (RFC 4733 §2.3.3).
const VOLUME: u8 = 10;
/// Shorter is not heard by all receivers (ITU-T Q.24).
const SHORTEST: Duration = Duration::from_millis(40);
/// The longest that an application can ask for.
const LONGEST: Duration = Duration::from_secs(24);

/// An event packet to send, in the numbering of its [`EventSender`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// Sequence number, counting from 0.
    pub sequence: u16,
    /// Timestamp: the start of the event or of its segment, counting from 0.
    pub timestamp: u32,
    /// First packet of the event.
    pub marker: bool,
    /// The four bytes of RFC 4733 §2.3.
    pub payload: [u8; 4],
}

/// Makes the packets of queued digits.
#[derive(Debug, Clone, Default)]
pub struct EventSender {
    queue: VecDeque<Pending>,
    active: Option<Active>,
    sequence: u16,
    timestamp: u32,
    next: Option<Instant>,
}

/// A key to be pressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) digit: Digit,
    pub(super) tone: Duration,
    pub(super) gap: Duration,
}

impl Pending {
    /// `tone` is held to 40 ms - 24 s, `gap` to 40 ms - 8 s.
    pub(super) fn new(digit: Digit, tone: Duration, gap: Duration) -> Self {
        let (tone, gap) = (tone.clamp(SHORTEST, LONGEST), gap.clamp(SHORTEST, LONGEST / 3));
        Self { digit, tone, gap }
    }
}

#[derive(Debug, Clone, Copy)]
struct Active {
    pending: Pending,
    /// Packets sent so far.
    sent: u32,
    ends: u8,
    /// Ticks of the segments that are over.
    before: u32,
}

fn ticks(duration: Duration, clock: u32) -> u32 {
    u32::try_from(duration.as_millis() * u128::from(clock) / 1000).unwrap_or(u32::MAX)
}

impl EventSender {
    /// Queues digits; those beyond [`MAX_QUEUED`] are not taken. Returns how many were.
    ///
    /// `tone` is held to 40 ms - 24 s, `gap` to 40 ms - 8 s: shorter is not heard by all receivers
    /// (ITU-T Q.24).
    pub fn queue(
        &mut self,
        now: Instant,
        digits: &[Digit],
        tone: Duration,
        gap: Duration,
    ) -> usize {
        let room = MAX_QUEUED.saturating_sub(self.queue.len());
        self.queue.extend(digits.iter().take(room).map(|&d| Pending::new(d, tone, gap)));
        if self.next.is_none() && !self.queue.is_empty() {
            self.next = Some(now);
        }
        digits.len().min(room)
    }

    /// The key that is down, or goes down next.
    pub fn digit(&self) -> Option<Digit> {
        let next = || self.queue.front().map(|pending| pending.digit);
        self.active.map(|active| active.pending.digit).or_else(next)
    }

    /// When [`Self::poll`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// Whether everything was sent.
    pub fn is_idle(&self) -> bool {
        self.next.is_none()
    }

    /// The next packet that is due, in a clock of so many ticks a second.
    pub fn poll(&mut self, now: Instant, clock: u32) -> Option<EventPacket> {
        let due = self.next.filter(|&at| at <= now)?;
        let mut active = match self.active.take() {
            Some(active) => active,
            None => match self.queue.pop_front() {
                Some(pending) => Active { pending, sent: 0, ends: 0, before: 0 },
                None => {
                    self.next = None;
                    return None;
                }
            },
        };
        active.sent += 1;
        let total = ticks(active.pending.tone, clock);
        let elapsed = ticks(STEP * active.sent, clock).min(total);
        let full = elapsed.saturating_sub(active.before) > SEGMENT;
        let (end, told) = match full {
            // RFC 4733 §2.5.1.3: a segment ends with the longest duration, and without the E bit.
            true => (false, SEGMENT),
            false => (elapsed >= total, elapsed.saturating_sub(active.before)),
        };
        active.ends += u8::from(end);
        let [d0, d1] = u16::try_from(told).unwrap_or(u16::MAX).to_be_bytes();
        let packet = EventPacket {
            sequence: self.sequence,
            timestamp: self.timestamp.wrapping_add(active.before),
            marker: active.sent == 1,
            payload: [active.pending.digit.event(), (u8::from(end) << 7) | VOLUME, d0, d1],
        };
        if full {
            active.before += SEGMENT;
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.advance(due, active, clock);
        Some(packet)
    }

    fn advance(&mut self, due: Instant, active: Active, clock: u32) {
        if active.ends < END_PACKETS {
            self.active = Some(active);
            self.next = Some(due + STEP);
            return;
        }
        // The next event starts a gap after this one's tone, whose first packet left one step
        // after the start. The three end packets reach two steps into the gap.
        let length = active.pending.tone + active.pending.gap;
        self.timestamp = self.timestamp.wrapping_add(ticks(length, clock));
        let wait = length.saturating_sub(STEP * active.sent.saturating_sub(1)).max(STEP);
        self.next = Some(due + wait);
    }
}
