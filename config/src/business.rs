//! When an office is open: weekly hours in its time zone, and holidays.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time, Weekday};
use jiff::{Timestamp, ToSpan as _, Zoned, tz::TimeZone};

/// `Mon-Fri 08:00-18:00`: the same hours on some days of the week. An end at or before the start
/// is on the next day (`Fri 22:00-06:00`); `00:00-24:00` is the whole day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hours {
    days: [bool; 7],
    /// Minutes after midnight.
    from: u16,
    /// Minutes after midnight of the day it began; more than a day's when it ends on the next.
    to: u16,
}

const DAY: u16 = 24 * 60;
const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Hours {
    /// Whether they hold on this weekday (0: Monday) so many minutes after its midnight.
    fn hold(&self, weekday: usize, minute: u16) -> bool {
        self.days.get(weekday).copied().unwrap_or(false) && (self.from..self.to).contains(&minute)
    }
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "must be written like \"Mon-Fri 08:00-18:00\"".to_owned();
        let (days, times) = text.trim().rsplit_once(char::is_whitespace).ok_or_else(form)?;
        let (from, to) = times.split_once('-').ok_or_else(form)?;
        let (from, to) = (minutes(from).ok_or_else(form)?, minutes(to).ok_or_else(form)?);
        if from == DAY {
            return Err("must begin before 24:00".into());
        }
        let to = if to <= from { to + DAY } else { to };
        Ok(Self { days: weekdays(days)?, from, to })
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            NAMES.iter().zip(self.days).filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        let end = if self.to > DAY { self.to - DAY } else { self.to };
        let (from, to) = (self.from, end);
        let (h1, m1, h2, m2) = (from / 60, from % 60, to / 60, to % 60);
        write!(f, "{} {h1:02}:{m1:02}-{h2:02}:{m2:02}", names.join(","))
    }
}

fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let two = |part: &str| part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !two(hours) || minutes.len() != 2 || !two(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let all = hours * 60 + minutes;
    (minutes < 60 && all <= DAY).then_some(all)
}

/// `Mon-Fri`, `Sat`, `Mon,Wed,Fri`, `daily`.
fn weekdays(text: &str) -> Result<[bool; 7], String> {
    let mut days = [false; 7];
    if text.trim().eq_ignore_ascii_case("daily") {
        return Ok([true; 7]);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (weekday(first)?, weekday(last)?);
        loop {
            if let Some(on) = days.get_mut(day) {
                *on = true;
            }
            if day == last {
                break;
            }
            day = (day + 1) % 7;
        }
    }
    Ok(days)
}

fn weekday(text: &str) -> Result<usize, String> {
    let lower = text.trim().to_ascii_lowercase();
    let found = NAMES.iter().position(|name| {
        let whole = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        lower == *name || whole.contains(&lower.as_str()) && lower.starts_with(name)
    });
    found.ok_or_else(|| format!("has the weekday \"{}\": Mon Tue Wed Thu Fri Sat Sun", text.trim()))
}

/// A day on which the office is closed: `2026-12-25`, or `12-25` in every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holiday {
    year: Option<i16>,
    month: i8,
    day: i8,
}

impl Holiday {
    fn is(&self, date: Date) -> bool {
        (self.month, self.day) == (date.month(), date.day())
            && self.year.is_none_or(|year| year == date.year())
    }
}

impl FromStr for Holiday {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be a date like \"2026-12-25\", or \"12-25\" for every year";
        let text = text.trim();
        if let Ok(date) = text.parse::<Date>() {
            return Ok(Self { year: Some(date.year()), month: date.month(), day: date.day() });
        }
        // A leap year, so that 02-29 is a day.
        let date: Date = format!("2024-{text}").parse().map_err(|_| FORM)?;
        Ok(Self { year: None, month: date.month(), day: date.day() })
    }
}

/// The hours of an office. Without any it is always open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// When it is open.
    pub hours: Vec<Hours>,
    /// Days on which nothing opens. What began the day before goes on to its end.
    pub holidays: Vec<Holiday>,
}

impl Calendar {
    /// Whether the office is open. Times of the day are those that a clock on its wall shows: on
    /// the days of a change to or from summer time too.
    pub fn is_open(&self, now: &Zoned) -> bool {
        if self.hours.is_empty() {
            return !self.is_holiday(now.date());
        }
        let minute = minute_of(now.time());
        let today = now.date();
        let open = |date: Date, minute: u16| {
            let weekday = weekday_of(date.weekday());
            !self.is_holiday(date) && self.hours.iter().any(|hours| hours.hold(weekday, minute))
        };
        open(today, minute) || today.yesterday().is_ok_and(|date| open(date, minute + DAY))
    }

    /// The next time at which it opens, within two weeks; `None` also while it is open.
    pub fn next_opening(&self, now: Timestamp, zone: &TimeZone) -> Option<Zoned> {
        let now = now.to_zoned(zone.clone());
        if self.is_open(&now) {
            return None;
        }
        let mut starts: Vec<Zoned> = Vec::new();
        for ahead in 0..15_i32 {
            let date = now.date().checked_add(ahead.days()).ok()?;
            let begins = self.hours.iter().filter(|hours| {
                hours.days.get(weekday_of(date.weekday())).copied().unwrap_or(false)
            });
            for hours in begins {
                let time = Time::midnight().checked_add(i64::from(hours.from).minutes()).ok()?;
                starts.extend(date.to_datetime(time).to_zoned(zone.clone()));
            }
            if self.hours.is_empty() {
                starts.extend(date.to_zoned(zone.clone()));
            }
        }
        starts.sort();
        starts.into_iter().find(|start| *start > now && self.is_open(start))
    }

    fn is_holiday(&self, date: Date) -> bool {
        self.holidays.iter().any(|holiday| holiday.is(date))
    }
}

fn minute_of(time: Time) -> u16 {
    u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or(0)
}

fn weekday_of(weekday: Weekday) -> usize {
    usize::try_from(weekday.to_monday_zero_offset()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
