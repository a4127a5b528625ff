//! RFC 4733 telephone events: one digit from many packets, and many packets from one digit.

mod carriers;
mod convert;
mod detect;
mod receive;
mod send;
mod tones;

use std::fmt;

pub use carriers::Carriers;
pub(crate) use convert::Converter;
pub use detect::{Detector, Heard};
pub use receive::{EventReceiver, KeyEvent};
pub use send::{EventPacket, EventSender, MAX_QUEUED};
pub(crate) use tones::sound;
pub use tones::{Keypad, ToneMaker};

/// The longest duration that an event packet can tell, in ticks of its clock: then a new segment of
/// the same key begins (RFC 4733 §2.5.1.3).
const SEGMENT: u32 = 0xffff;

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
    #[cfg(test)]
    pub(crate) fn parse_all(text: &str) -> Option<Vec<Self>> {
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

#[cfg(test)]
mod tests;
