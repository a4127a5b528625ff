//! `$toMillis` without a picture.

use super::coded;
use crate::jsonata::error::Result;
use crate::jsonata::value::Value;
use serde_json::Value as Json;

const DAY: i64 = 86_400_000;

/// `$toMillis(timestamp)`: milliseconds since 1970. Months, days and hours may be missing; a time has
/// hours, minutes and seconds, and is that of UTC if it has no offset.
///
/// What does not look like a timestamp is refused (D3110). Of what looks like one, JavaScript's
/// `Date.parse` takes 31 days in every month, which go on into the next, and 24:00:00; other parts
/// that are out of range are `NaN`.
pub(super) fn to_millis(text: &str) -> Result {
    if let Some(stamp) = Stamp::read(text) {
        let stamp = stamp.dotted().unwrap_or(stamp);
        return Ok(Value::Number(stamp.millis().map_or(f64::NAN, |millis| millis as f64)));
    }
    let given = Json::from(text);
    let words = format!(
        "The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given {given}"
    );
    Err(coded("D3110", &words))
}

/// The parts of a timestamp, as they are written.
#[derive(Default)]
struct Stamp {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    /// Hours, minutes, seconds.
    time: Option<[i64; 3]>,
    millis: Option<i64>,
    /// What follows the dot, as a whole number.
    fraction: i64,
    /// Parts twice: 2.0.6 lets them pass, and JavaScript has no such date.
    has_more: bool,
    /// Its sign, hours and minutes; `Z` is none of both signs.
    offset: Option<[i64; 3]>,
}

/// What is left of a text.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.0.split_first().filter(|(first, _)| **first == byte);
        if let Some((_, rest)) = found {
            self.0 = rest;
        }
        found.is_some()
    }

    fn digit(&mut self, most: u8) -> Option<i64> {
        let (first, rest) = self.0.split_first()?;
        let digit = first.checked_sub(b'0').filter(|digit| *digit <= most)?;
        self.0 = rest;
        Some(i64::from(digit))
    }

    /// Two digits, the first up to `most`.
    fn two(&mut self, most: u8) -> Option<i64> {
        Some(self.digit(most)? * 10 + self.digit(9)?)
    }
}

impl Stamp {
    fn read(text: &str) -> Option<Self> {
        let mut rest = Rest(text.as_bytes());
        let mut stamp = Self { year: rest.two(9)? * 100 + rest.two(9)?, ..Self::default() };
        loop {
            // A minus that no month or day follows is that of an offset.
            let mut ahead = Rest(rest.0);
            let part = if ahead.eat(b'-') { ahead.two(3) } else { None };
            let is_offset = ahead.0.first().is_some_and(|b| *b == b':' || b.is_ascii_digit());
            let Some(part) = part.filter(|_| !is_offset) else { break };
            match (stamp.month, stamp.day) {
                (None, _) => stamp.month = Some(part),
                (_, None) => stamp.day = Some(part),
                _ => stamp.has_more = true,
            }
            rest = ahead;
        }
        while rest.eat(b'T') {
            stamp.has_more |= stamp.time.is_some();
            let hour = rest.two(2)?;
            let minute = if rest.eat(b':') { rest.two(5)? } else { return None };
            let second = if rest.eat(b':') { rest.two(5)? } else { return None };
            stamp.time = Some([hour, minute, second]);
        }
        if rest.eat(b'.') {
            let mut millis = rest.digit(9)? * 100;
            let mut worth = 10;
            stamp.fraction = millis / 100;
            while let Some(digit) = rest.digit(9) {
                millis += digit * worth;
                worth /= 10;
                stamp.fraction = stamp.fraction.saturating_mul(10).saturating_add(digit);
            }
            stamp.millis = Some(millis);
        }
        if rest.eat(b'Z') {
            stamp.offset = Some([0, 0, 0]);
        } else if !rest.0.is_empty() {
            let sign = if rest.eat(b'-') { -1 } else { i64::from(rest.eat(b'+')) };
            let hours = rest.two(2)?;
            rest.eat(b':');
            stamp.offset = Some([sign, hours, rest.two(5)?]).filter(|_| sign != 0);
            stamp.offset?;
        }
        rest.0.is_empty().then_some(stamp)
    }

    /// V8 takes a fraction after a year for the month, and after a month for the day.
    fn dotted(&self) -> Option<Self> {
        let Self { year, month, fraction, .. } = *self;
        let is_other = self.has_more
            || self.time.is_some()
            || self.day.is_some()
            || self.offset.is_some_and(|[sign, ..]| sign > 0);
        // Years below 100 are read as of the day first, or of another century: that is no time.
        if self.millis.is_none() || is_other || year < 100 {
            return None;
        }
        let (month, day) = (month.unwrap_or(fraction), month.map(|_| fraction));
        Some(Self { year, month: Some(month), day, offset: self.offset, ..Self::default() })
    }

    /// `None` where JavaScript has no date.
    fn millis(&self) -> Option<i64> {
        let month = self.month.unwrap_or(1);
        let day = self.day.unwrap_or(1);
        let [hour, minute, second] = self.time.unwrap_or_default();
        let millis = self.millis.unwrap_or(0);
        let is_midnight = hour == 24 && minute == 0 && second == 0 && millis == 0;
        let [sign, hours, minutes] = self.offset.unwrap_or([1, 0, 0]);
        let is_offset_without_time = self.time.is_none() && hours + minutes != 0;
        if self.has_more
            || !(1..=12).contains(&month)
            || !(1..=31).contains(&day)
            || (hour > 23 && !is_midnight)
            || hours > 23
            || is_offset_without_time
            || (self.time.is_none() && self.millis.is_some())
        {
            return None;
        }
        let first = jiff::civil::date(i16::try_from(self.year).ok()?, i8::try_from(month).ok()?, 1);
        let epoch = jiff::civil::date(1970, 1, 1);
        let days = i64::from(first.since(epoch).ok()?.get_days()) + day - 1;
        let time = ((hour * 60 + minute) * 60 + second) * 1000 + millis;
        Some(days * DAY + time - sign * (hours * 60 + minutes) * 60_000)
    }
}
