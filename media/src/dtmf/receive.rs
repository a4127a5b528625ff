//! One press and one release from the many packets of a key.

use std::time::{Duration, Instant};

use super::Digit;

/// A press or release heard from the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEvent {
    /// A key went down, at this RTP timestamp.
    Pressed(Digit, u32),
    /// A key went up, so long after it went down.
    Released(Digit, Duration),
}

/// How long a key without an end packet counts as held after its last packet. The three end
/// packets can all be lost (RFC 4733 §2.6.2 lets the receiver decide).
const KEY_TIMEOUT: Duration = Duration::from_millis(300);

/// How long after an end packet another of the same key is its repetition, even with another
/// timestamp: some phones let the timestamp run. In parts of a second.
const REPEATED_END: u32 = 10;

/// How far behind the last key a packet is a late one of a key before it, in seconds.
const LATE: u32 = 2;

/// Turns received events into one press and one release per key.
#[derive(Debug, Clone, Default)]
pub struct EventReceiver {
    key: Option<Key>,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    code: u8,
    /// Ticks in a second of the rest.
    clock: u32,
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
        let ticks = u64::from(self.before) + u64::from(self.duration);
        let held = Duration::from_micros(ticks * 1_000_000 / u64::from(self.clock.max(1)));
        Digit::from_event(self.code).map(|digit| KeyEvent::Released(digit, held))
    }
}

impl EventReceiver {
    /// Takes the payload of one telephone-event packet, in a clock of so many ticks a second, and
    /// tells what is new.
    pub fn receive(
        &mut self,
        now: Instant,
        clock: u32,
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
            if timestamp != key.timestamp && key.timestamp.wrapping_sub(timestamp) < clock * LATE {
                return; // a late packet of a key before
            }
            let repeated = clock / REPEATED_END;
            let same = code == key.code
                && if key.ended {
                    ahead == 0 || (end && !marker && ahead < repeated)
                } else {
                    ahead == 0 || (!marker && ahead <= u32::from(key.duration) + repeated)
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
        let key = Key { code, clock, timestamp, duration, before: 0, last: now, ended: end };
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
            // Who lets the timestamp run goes on counting; a new segment counts anew.
            if duration < self.duration {
                self.before = self.before.saturating_add(ahead);
            }
            self.timestamp = timestamp;
            self.duration = duration;
        }
    }
}
