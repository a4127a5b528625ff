//! Times, read by a picture.

use super::super::coded;
use super::super::integer::picture::{Decimal, Grouping, Primary};
use super::super::integer::read::Reading;
use super::super::js;
use super::fields::{Time, utc};
use super::matching::{self, Finder};
use super::picture::{DAYS, MONTHS, Marker, Part, Picture};
use super::write::no_name;
use crate::jsonata::error::{Result, error, memory};
use crate::jsonata::limits::MOST_PARTS;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What is wrong with parts between which one is missing.
const GAP: &str =
    "The date/time picture string is missing specifiers required to parse the timestamp";

/// What the text of a part says.
enum Meaning {
    Nothing,
    Integer(Reading),
    /// The names of 1 and on.
    Names(Vec<String>),
    /// Whether it is the afternoon.
    Half,
    /// `GMT` or not, and what is between hours and minutes.
    Zone(bool, Option<char>),
}

/// Milliseconds since 1970 of `text`; parts left of those that are given are those of `now`; parts
/// right of them are the least; with one missing between it is D3136. `None` if the text is not of
/// this form, `NaN` if there is no such time.
pub(super) fn millis(text: &str, picture: &Picture, now: f64) -> Result<Option<f64>> {
    if picture.parts.len() > MOST_PARTS {
        return Err(memory());
    }
    let parts = picture.parts.iter().map(part).collect::<Result<Vec<_>>>()?;
    let (finders, meanings): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let chars: Vec<char> = text.chars().collect();
    let Some(ends) = matching::ends(&chars, &finders) else { return Ok(None) };
    let mut components = BTreeMap::new();
    let (mut start, mut is_given) = (0, false);
    for ((end, meaning), part) in ends.into_iter().zip(&meanings).zip(&picture.parts) {
        let text: String = chars.get(start..end).unwrap_or_default().iter().collect();
        start = end;
        let Part::Marker(marker) = part else { continue };
        is_given = true;
        // A name that is none leaves its part out.
        match meaning.value(&text)? {
            Some(value) => components.insert(marker.component, value),
            None => components.remove(&marker.component),
        };
    }
    if is_given { assembled(components, Time::of(now)).map(Some) } else { Ok(None) }
}

fn part(part: &Part) -> Result<(Finder, Meaning)> {
    let marker = match part {
        Part::Literal(text) => {
            return Ok((Finder::Literal(text.chars().collect()), Meaning::Nothing));
        }
        Part::Marker(marker) => marker,
    };
    let letters: fn(char) -> bool = |char| char.is_ascii_alphabetic();
    let Some(integer) = &marker.integer else {
        let names: &[&str] = match marker.component {
            'M' | 'x' => &MONTHS,
            'F' => &DAYS,
            'P' => return Ok((Finder::OneOf(letters), Meaning::Half)),
            component => return Err(no_name(component)),
        };
        let names = names.iter().map(|name| cut(name, marker.widest)).collect();
        return Ok((Finder::OneOf(letters), Meaning::Names(names)));
    };
    if matches!(marker.component, 'Z' | 'z') {
        return zone(marker);
    }
    let reading = Reading::of(integer)?;
    let finder = match &reading {
        Reading::Letters(_) => Finder::OneOf(letters),
        Reading::Roman(_) => Finder::OneOf(|char| "MDCLXVI".contains(char.to_ascii_uppercase())),
        Reading::Words => Finder::Words,
        Reading::Decimal(_, is_ordinal) => Finder::Digits(marker.digits, *is_ordinal),
    };
    Ok((finder, Meaning::Integer(reading)))
}

fn cut(name: &str, widest: Option<f64>) -> String {
    match widest {
        Some(widest) if widest != 0.0 && !widest.is_nan() => {
            name.get(..(widest.max(0.0) as usize).min(name.len())).unwrap_or_default().to_owned()
        }
        _ => name.to_owned(),
    }
}

/// What separates hours and minutes is part of a regular expression in 2.0.6.
fn zone(marker: &Marker) -> Result<(Finder, Meaning)> {
    let separator = match marker.integer.as_ref().map(|integer| &integer.primary) {
        Some(Primary::Decimal(Decimal { grouping: Grouping::Regular(_, sign), .. })) => Some(*sign),
        _ => None,
    };
    if separator.is_some_and(|sign| "*+?()|^$\\".contains(sign)) {
        return Err(error("Invalid regular expression"));
    }
    let has_name = marker.component == 'z';
    Ok((Finder::Zone(has_name, separator), Meaning::Zone(has_name, separator)))
}

impl Meaning {
    fn value(&self, text: &str) -> Result<Option<f64>> {
        Ok(match self {
            Self::Nothing => None,
            Self::Integer(reading) => Some(reading.number(text)?),
            // Of two names that are the same when they are cut, the last.
            Self::Names(names) => {
                names.iter().rposition(|name| name == text).map(|at| (at + 1) as f64)
            }
            Self::Half => match text {
                "am" | "AM" => Some(0.0),
                "pm" | "PM" => Some(1.0),
                _ => None,
            },
            Self::Zone(has_name, separator) => {
                let text = if *has_name { text.get(3..).unwrap_or_default() } else { text };
                let (hours, minutes) = match separator {
                    // A separator that is there in another case or, since it is a dot, as another
                    // character.
                    Some(separator) => match text.split_once(*separator) {
                        Some((hours, minutes)) => (hours, minutes),
                        None => ("", text),
                    },
                    None if text.len() <= 3 => (text, "0"),
                    None => text.split_at_checked(3).unwrap_or((text, "0")),
                };
                // As in 2.0.6, minutes are added west of Greenwich as well.
                Some(js::parse_int(hours) * 60.0 + js::parse_int(minutes))
            }
        })
    }
}

/// The time of what is given.
fn assembled(mut parts: BTreeMap<char, f64>, now: Time) -> Result<f64> {
    // Nought and what is no number count as not given, for this.
    let is_given =
        |part: char| parts.get(&part).is_some_and(|value| *value != 0.0 && !value.is_nan());
    // Only these, and one of them.
    let only = |these: &str, all: &str| {
        all.chars().any(|part| is_given(part) && these.contains(part))
            && all.chars().all(|part| these.contains(part) || !is_given(part))
    };
    const DATES: &str = "YXMxWwdD";
    const TIMES: &str = "PHhmsf";
    let by_day = !only("YMD", DATES) && only("Yd", DATES);
    let by_month_week = !by_day && only("Xxw", DATES);
    let by_week = !by_month_week && only("XW", DATES);
    let by_half = !only("Hmsf", TIMES) && only(&TIMES.replace('H', ""), TIMES);
    let date = if by_day {
        "YD"
    } else if by_month_week {
        "XxwF"
    } else if by_week {
        "XWF"
    } else {
        "YMD"
    };
    let time = if by_half { "Phmsf" } else { "Hmsf" };
    let (mut has_begun, mut has_ended) = (false, false);
    for part in [date, time].concat().chars() {
        match parts.entry(part) {
            Entry::Vacant(missing) => {
                let least = f64::from(u8::from(matches!(part, 'M' | 'D')));
                // 2.0.6 takes an hour without its half for one of the morning.
                let of_now = if part == 'P' { 0.0 } else { now.field(part) };
                missing.insert(if has_begun { least } else { of_now });
                has_ended = has_begun;
            }
            Entry::Occupied(_) if has_ended => return Err(coded("D3136", GAP)),
            Entry::Occupied(_) => has_begun = true,
        }
    }
    if by_month_week || by_week {
        // JSONata reads no dates of weeks.
        return Err(coded("D3136", GAP));
    }
    let part = |name: char| parts.get(&name).copied().unwrap_or(f64::NAN);
    let (month, day) = if by_day {
        // One past the year's end is a day of the same year: 2.0.6 goes on counting and leaves the
        // year as it is.
        let first = utc([part('Y'), 0.0, 1.0], [0.0; 4]);
        let found = Time::of(first + (part('d') - 1.0) * 86_400_000.0).month_and_day();
        found.unwrap_or((f64::NAN, f64::NAN))
    } else {
        let month = part('M');
        (if month > 0.0 { month - 1.0 } else { 0.0 }, part('D'))
    };
    let hour = match part('h') {
        _ if !by_half => part('H'),
        12.0 => 12.0 * part('P'),
        hour => hour + 12.0 * part('P'),
    };
    let millis = utc([part('Y'), month, day], [hour, part('m'), part('s'), part('f')]);
    let zone = |name: char| parts.get(&name).copied().filter(|zone| *zone != 0.0 && !zone.is_nan());
    Ok(millis - zone('Z').or_else(|| zone('z')).unwrap_or(0.0) * 60_000.0)
}
