//! `$toMillis` with a picture of plain parts, `[D01]/[M01]/[Y0001] [H01]:[m01]`: the evaluator's own
//! reads the machine's clock for the parts that a picture leaves out, and refuses those that go on
//! into the next month or day. Other pictures (words, roman numbers, weeks, time zones) are its.

use super::super::host::{Result, at, memory, mismatch};
use super::super::limits::{MOST_PARTS, MOST_TIMESTAMP};
use super::{coded, instant};
use jsonata_core::value::JValue;
use regex_lite::Regex;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// The last time that JavaScript has.
const MOST_MILLIS: i64 = 8_640_000_000_000_000;
/// What is wrong with parts between which one is missing.
const GAP: &str =
    "The date/time picture string is missing specifiers required to parse the timestamp";
/// More than any part of it.
const MOST_PART: i64 = 1_000_000_000;

/// A picture's parts, and what finds them in a text.
struct Picture {
    regex: Regex,
    parts: Vec<char>,
}

/// Whether a picture is read here.
pub(super) fn is_plain(picture: &str) -> bool {
    Picture::read(picture).is_some()
}

impl Picture {
    /// `None` as well if the picture is longer or has more parts than anybody's: its regular expression
    /// is made at each call.
    fn read(picture: &str) -> Option<Self> {
        if picture.len() > MOST_TIMESTAMP {
            return None;
        }
        let (mut regex, mut parts) = ("(?i)^".to_owned(), Vec::new());
        let mut rest = picture;
        while let Some((literal, after)) = rest.split_once('[') {
            let (marker, after) = after.split_once(']')?;
            regex.push_str(&regex_lite::escape(literal));
            let mut chars = marker.chars();
            let part = chars.next()?;
            regex.push_str(&pattern(part, chars.as_str())?);
            parts.push(part);
            if parts.len() > MOST_PARTS {
                return None;
            }
            rest = after;
        }
        // `]]` is a bracket that stands for itself, which is not plain.
        let is_plain = !picture.contains("]]") && !picture.contains("[[") && !rest.contains(']');
        regex.push_str(&regex_lite::escape(rest));
        regex.push('$');
        let regex = Regex::new(&regex).ok().filter(|_| is_plain && !parts.is_empty())?;
        Some(Self { regex, parts })
    }

    /// The parts that `text` gives; `None` if it is not of this form.
    fn parts(&self, text: &str) -> Option<BTreeMap<char, i64>> {
        let found = self.regex.captures(text)?;
        let mut parts = BTreeMap::new();
        for (index, part) in self.parts.iter().enumerate() {
            let text = found.get(index + 1).map_or("", |found| found.as_str());
            let value = match (part, text) {
                ('P', "am" | "AM") => Some(0),
                ('P', "pm" | "PM") => Some(1),
                ('P', _) => None,
                ('M', name) if name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                    let at = MONTHS.iter().position(|month| *month == name);
                    at.and_then(|at| i64::try_from(at + 1).ok())
                }
                (_, digits) => Some(digits.parse::<i64>().unwrap_or(MOST_PART).min(MOST_PART)),
            };
            // A name that is none leaves its part out.
            match value {
                Some(value) => parts.insert(*part, value),
                None => parts.remove(part),
            };
        }
        Some(parts)
    }
}

/// What finds a part; `None` if it is not a plain one.
fn pattern(part: char, presentation: &str) -> Option<String> {
    let is_name = matches!(presentation, "N" | "n" | "Nn");
    if part == 'P' && (presentation.is_empty() || is_name) || part == 'M' && is_name {
        return Some("([a-zA-Z]+)".to_owned());
    }
    let is_plain = presentation.bytes().all(|byte| matches!(byte, b'0' | b'1'));
    match (part, presentation.len()) {
        _ if !is_plain || presentation.len() > 9 => None,
        ('Y' | 'M' | 'D', width @ 2..) => Some(format!("([0-9]{{{width}}})")),
        ('Y' | 'M' | 'D' | 'd' | 'H' | 'h' | 'm' | 's' | 'f', _) => Some("([0-9]+)".to_owned()),
        _ => None,
    }
}

/// `(context, text, picture)` at `now`: milliseconds since 1970. Parts left of those that are given
/// are those of `now`; parts right of them are the least; with one missing between it is D3136.
/// Without a picture it is a timestamp.
pub(super) fn to_millis(now: i64, given: &[JValue]) -> Result {
    let text = match at(given, 1) {
        JValue::Undefined => return Ok(JValue::Undefined),
        JValue::String(text) => text,
        _ => return Err(mismatch(1, "toMillis")),
    };
    let picture = at(given, 2);
    if picture.is_undefined() {
        return instant::to_millis(&at(given, 1));
    }
    let Some(picture) = picture.as_str().and_then(Picture::read) else {
        return Err(mismatch(2, "toMillis"));
    };
    if text.len() > MOST_TIMESTAMP {
        return Err(memory());
    }
    let Some(mut parts) = picture.parts(&text) else { return Ok(JValue::Undefined) };
    let is_given = |part: char| parts.get(&part).is_some_and(|value| *value != 0);
    // Only these, and one of them.
    let only = |these: &str, all: &str| {
        all.chars().any(|part| is_given(part) && these.contains(part))
            && all.chars().all(|part| these.contains(part) || !is_given(part))
    };
    let by_day = !only("YMD", "YMDd") && only("Yd", "YMDd");
    let by_half = !only("Hmsf", "PHhmsf") && only("Phmsf", "PHhmsf");
    let order =
        [if by_day { "YD" } else { "YMD" }, if by_half { "Phmsf" } else { "Hmsf" }].concat();
    let (mut has_begun, mut has_ended) = (false, false);
    for part in order.chars() {
        match parts.entry(part) {
            Entry::Vacant(missing) => {
                let least = i64::from(matches!(part, 'M' | 'D' | 'd'));
                missing.insert(if has_begun { least } else { of_time(now, part) });
                has_ended = has_begun;
            }
            Entry::Occupied(_) if has_ended => return Err(coded("D3136", GAP)),
            Entry::Occupied(_) => has_begun = true,
        }
    }
    let part = |name: char| parts.get(&name).copied().unwrap_or(0);
    let (month, day) = if by_day {
        match of_year(part('Y'), part('d')) {
            Some(found) => found,
            None => return Ok(JValue::Number(f64::NAN)),
        }
    } else {
        ((part('M') - 1).max(0), part('D'))
    };
    let hour = match part('h') {
        _ if !by_half => part('H'),
        12 => 12 * part('P'),
        hour => hour + 12 * part('P'),
    };
    let days = first_of_month(part('Y'), month).saturating_add(day - 1);
    let seconds = hour * 3600 + part('m') * 60 + part('s');
    let millis = days.saturating_mul(86_400_000).saturating_add(seconds * 1000 + part('f'));
    let is_time = millis.abs() <= MOST_MILLIS;
    Ok(JValue::Number(if is_time { millis as f64 } else { f64::NAN }))
}

/// The month, from 0, and the day of a year's day. One past its end is a day of the same year: 2.0.6
/// goes on counting, and leaves the year as it is.
fn of_year(year: i64, day: i64) -> Option<(i64, i64)> {
    let year = if (0..100).contains(&year) { year + 1900 } else { year };
    let first = jiff::civil::Date::new(i16::try_from(year).ok()?, 1, 1).ok()?;
    let days = jiff::Span::new().try_days(day - 1).ok()?;
    let found = first.checked_add(days).ok()?;
    Some((i64::from(found.month()) - 1, i64::from(found.day())))
}

/// A part of `now`.
fn of_time(now: i64, part: char) -> i64 {
    let Ok(now) = jiff::Timestamp::from_millisecond(now) else { return 0 };
    let now = now.to_zoned(jiff::tz::TimeZone::UTC);
    let hour = i64::from(now.hour());
    match part {
        'Y' => i64::from(now.year()),
        'M' => i64::from(now.month()),
        'D' => i64::from(now.day()),
        'H' => hour,
        'h' => (hour + 11) % 12 + 1,
        // 2.0.6 takes an hour without its half for one of the morning.
        'P' => 0,
        'm' => i64::from(now.minute()),
        's' => i64::from(now.second()),
        _ => i64::from(now.millisecond()),
    }
}

/// The days from 1970 to the first of a month, counted from 0; JavaScript takes a year below 100 for
/// one of the twentieth century.
fn first_of_month(year: i64, month: i64) -> i64 {
    let year = if (0..100).contains(&year) { year + 1900 } else { year };
    let (year, month) = (year + month.div_euclid(12), month.rem_euclid(12));
    // Years that begin in March, so that the day of a leap year is the last.
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_very_many_parts_or_characters_is_none_of_a_time() {
        assert!(is_plain(&"[s]".repeat(MOST_PARTS)));
        assert!(!is_plain(&"[s]".repeat(MOST_PARTS + 1)));
        assert!(is_plain(&("[s]".to_owned() + &"x".repeat(MOST_TIMESTAMP - 3))));
        assert!(!is_plain(&("[s]".to_owned() + &"x".repeat(MOST_TIMESTAMP - 2))));
    }

    #[test]
    fn a_text_longer_than_any_time_takes_too_much_memory() {
        let given = |length: usize| {
            to_millis(
                0,
                &[JValue::Undefined, JValue::from("1".repeat(length)), JValue::from("[s]")],
            )
        };
        assert!(matches!(given(MOST_TIMESTAMP), Ok(JValue::Number(_))));
        assert_eq!(given(MOST_TIMESTAMP + 1).unwrap_err().to_string(), memory().to_string());
    }
}
