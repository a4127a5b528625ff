//! RFC 4733 telephone events: one digit from many packets, and many packets from one digit.

mod tones;

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

pub use tones::ToneMaker;

/// One DTMF key: `0`-`9`, `*`, `#`, `A`-`D` (RFC 4733 §3.2, events 0-15).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digit(u8);

const KEYS: &[u8; 16] = b"0123456789*#ABCD";

impl Digit {
    /// The digit of an event code 0-15; `None` for other telephone events (flash, modem tones).
    pub const fn from_event(code: u8) -> Option<Self> {
        if code < 16 { Some(Digit(code)) } else { None }
    }

    /// The digit of a key as typed; letters in either case.
    pub fn from_char(key: char) -> Option<Self> {
        let key = u8::try_from(key).ok()?.to_ascii_uppercase();
        KEYS.iter().position(|&k| k == key).and_then(|i| Self::from_event(u8::try_from(i).ok()?))
    }

    /// The event code, 0-15.
    pub const fn event(self) -> u8 {
        self.0
    }

    /// The key as printed on a phone.
    pub fn as_char(self) -> char {
        char::from(KEYS[usize::from(self.0 & 15)])
    }

    /// Every digit of `text`; `None` when any character is no DTMF key.
    pub fn parse_all(text: &str) -> Option<Vec<Self>> {
        text.chars().map(Self::from_char).collect()
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Write::write_char(f, self.as_char())
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digit({})", self.as_char())
    }
}

/// A set of digits, as in "stop on any of these".
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DigitSet(u16);

impl DigitSet {
    /// No digit.
    pub const NONE: DigitSet = DigitSet(0);
    /// All sixteen.
    pub const ALL: DigitSet = DigitSet(u16::MAX);

    /// The digits of `keys`; characters that are no DTMF key are ignored.
    pub fn of(keys: &str) -> Self {
        keys.chars().filter_map(Digit::from_char).collect()
    }

    /// Whether `digit` is in the set.
    pub const fn contains(self, digit: Digit) -> bool {
        self.0 & (1 << digit.0) != 0
    }

    /// Whether no digit is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set with `digit` added.
    #[must_use]
    pub const fn with(self, digit: Digit) -> Self {
        DigitSet(self.0 | (1 << digit.0))
    }
}

impl FromIterator<Digit> for DigitSet {
    fn from_iter<T: IntoIterator<Item = Digit>>(iter: T) -> Self {
        iter.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for DigitSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigitSet(")?;
        for digit in (0..16).filter_map(Digit::from_event).filter(|&d| self.contains(d)) {
            write!(f, "{digit}")?;
        }
        f.write_str(")")
    }
}

/// A press or release heard from the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEvent {
    /// A key went down, at this RTP timestamp.
    Pressed(Digit, u32),
    /// A key went up; `ticks` of the RTP clock after it went down.
    Released(Digit, u32),
}

/// How long a key without an end packet counts as held after its last packet. The three end
/// packets can all be lost (RFC 4733 §2.6.2 lets the receiver decide).
const KEY_TIMEOUT: Duration = Duration::from_millis(300);

/// Ticks after an end packet in which another of the same key is its repetition, even with another
/// timestamp: some phones let the timestamp run.
const REPEATED_END: u32 = 800;

/// Ticks behind the last key up to which a packet is a late one of a key before it.
const LATE: u32 = 16_000;

/// Turns received events into one press and one release per key.
#[derive(Debug, Clone, Default)]
pub struct EventReceiver {
    key: Option<Key>,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    code: u8,
    /// Timestamp of the newest segment.
    timestamp: u32,
    /// Longest duration of the newest segment.
    duration: u16,
    /// Ticks of the segments before (RFC 4733 §2.5.1.3: long events are cut in segments).
    before: u32,
    last: Instant,
    ended: bool,
}

impl Key {
    fn release(&self) -> Option<KeyEvent> {
        Digit::from_event(self.code)
            .map(|d| KeyEvent::Released(d, self.before.saturating_add(u32::from(self.duration))))
    }
}

impl EventReceiver {
    /// Takes the payload of one telephone-event packet and tells what is new.
    pub fn receive(
        &mut self,
        now: Instant,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
        mut tell: impl FnMut(KeyEvent),
    ) {
        let &[code, flags, d0, d1, ..] = payload else { return };
        let (end, duration) = (flags & 0x80 != 0, u16::from_be_bytes([d0, d1]));
        if let Some(key) = &mut self.key {
            let ahead = timestamp.wrapping_sub(key.timestamp);
            // From further back than that nothing is late: the sender's clock began anew.
            if timestamp != key.timestamp && key.timestamp.wrapping_sub(timestamp) < LATE {
                return; // a late packet of a key before
            }
            let same = code == key.code
                && if key.ended {
                    ahead == 0 || (end && !marker && ahead < REPEATED_END)
                } else {
                    ahead == 0 || (!marker && ahead <= u32::from(key.duration) + REPEATED_END)
                };
            if same {
                if !key.ended {
                    key.extend(now, ahead, timestamp, duration);
                    if end {
                        key.ended = true;
                        key.release().into_iter().for_each(tell);
                    }
                }
                return;
            }
            if !key.ended {
                key.release().into_iter().for_each(&mut tell);
            }
        }
        let key = Key { code, timestamp, duration, before: 0, last: now, ended: end };
        self.key = Some(key);
        if let Some(digit) = Digit::from_event(code) {
            tell(KeyEvent::Pressed(digit, timestamp));
        }
        if end {
            key.release().into_iter().for_each(tell);
        }
    }

    /// Releases a key whose end was lost.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<KeyEvent> {
        let key = self.key.as_mut().filter(|k| !k.ended)?;
        if now.saturating_duration_since(key.last) < KEY_TIMEOUT {
            return None;
        }
        key.ended = true;
        key.release()
    }

    /// Whether a key is down.
    pub fn is_down(&self) -> bool {
        self.key.is_some_and(|k| !k.ended)
    }

    /// Forgets the key: the sender has changed, its timestamps mean nothing now.
    pub fn reset(&mut self) -> Option<KeyEvent> {
        self.key.take().filter(|k| !k.ended)?.release()
    }
}

impl Key {
    fn extend(&mut self, now: Instant, ahead: u32, timestamp: u32, duration: u16) {
        self.last = now;
        if ahead == 0 {
            self.duration = self.duration.max(duration);
        } else {
            self.before = self.before.saturating_add(ahead);
            self.timestamp = timestamp;
            self.duration = duration;
        }
    }
}

/// Most digits waiting to be sent.
pub const MAX_QUEUED: usize = 64;

/// Spacing of event packets, and their number of end packets (RFC 4733 §2.5.1.4).
const STEP: Duration = Duration::from_millis(20);
const STEP_TICKS: u32 = 160;
const END_PACKETS: u8 = 3;
/// Volume in -dBm0 (RFC 4733 §2.3.3).
const VOLUME: u8 = 10;

/// An event packet to send, in the numbering of its [`EventSender`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// Sequence number, counting from 0.
    pub sequence: u16,
    /// Timestamp: the start of the event, counting from 0.
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

#[derive(Debug, Clone, Copy)]
struct Pending {
    digit: Digit,
    tone: u16,
    gap: u32,
}

#[derive(Debug, Clone, Copy)]
struct Active {
    pending: Pending,
    /// Packets sent so far.
    sent: u32,
    ends: u8,
}

fn ticks(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis() * 8).unwrap_or(u32::MAX)
}

impl EventSender {
    /// Queues digits; those beyond [`MAX_QUEUED`] are not taken. Returns how many were.
    ///
    /// `tone` is held to 40 ms - 8 s, `gap` to 40 ms - 8 s: shorter is not heard by all receivers
    /// (ITU-T Q.24), longer does not fit the duration field.
    pub fn queue(
        &mut self,
        now: Instant,
        digits: &[Digit],
        tone: Duration,
        gap: Duration,
    ) -> usize {
        let tone = u16::try_from(ticks(tone).clamp(320, 64_000)).unwrap_or(u16::MAX);
        // The three end packets reach two steps into the gap.
        let gap = ticks(gap).clamp(320, 64_000);
        let room = MAX_QUEUED.saturating_sub(self.queue.len());
        self.queue.extend(digits.iter().take(room).map(|&digit| Pending { digit, tone, gap }));
        if self.next.is_none() && !self.queue.is_empty() {
            self.next = Some(now);
        }
        digits.len().min(room)
    }

    /// When [`Self::poll`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// Whether everything was sent.
    pub fn is_idle(&self) -> bool {
        self.next.is_none()
    }

    /// The next packet that is due.
    pub fn poll(&mut self, now: Instant) -> Option<EventPacket> {
        let due = self.next.filter(|&at| at <= now)?;
        let mut active = match self.active.take() {
            Some(active) => active,
            None => match self.queue.pop_front() {
                Some(pending) => Active { pending, sent: 0, ends: 0 },
                None => {
                    self.next = None;
                    return None;
                }
            },
        };
        active.sent += 1;
        let total = u32::from(active.pending.tone);
        let elapsed = (active.sent * STEP_TICKS).min(total);
        let end = elapsed >= total;
        active.ends += u8::from(end);
        let [d0, d1] = u16::try_from(elapsed).unwrap_or(u16::MAX).to_be_bytes();
        let packet = EventPacket {
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker: active.sent == 1,
            payload: [active.pending.digit.event(), (u8::from(end) << 7) | VOLUME, d0, d1],
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.advance(due, active);
        Some(packet)
    }

    fn advance(&mut self, due: Instant, active: Active) {
        if active.ends < END_PACKETS {
            self.active = Some(active);
            self.next = Some(due + STEP);
            return;
        }
        // The next event starts a gap after this one's tone, whose first packet left one step
        // after the start.
        let length = u32::from(active.pending.tone) + active.pending.gap;
        self.timestamp = self.timestamp.wrapping_add(length);
        let spent = active.sent.saturating_sub(1) * STEP_TICKS;
        let wait = length.saturating_sub(spent).max(STEP_TICKS);
        self.next = Some(due + Duration::from_micros(u64::from(wait) * 125));
    }
}

#[cfg(test)]
mod tests;
