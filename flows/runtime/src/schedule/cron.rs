//! `cron(minutes hours day-of-month month day-of-week year)`.
//!
//! EventBridge Scheduler User Guide, "Schedule types", Cron-based schedules: fields, wildcards
//! `, - * ? / L W #`, names of months and days; 1 is Sunday. Either the day of the month or the
//! day of the week is `?`.

use jiff::civil::{Date, Weekday};

/// The last year that a field may name.
const LAST_YEAR: i16 = 2199;
const FIRST_YEAR: i16 = 1970;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The times of a cron expression, without a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    minutes: Vec<i8>,
    hours: Vec<i8>,
    months: Vec<i8>,
    days: Days,
    /// Empty: every year.
    years: Vec<i16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<OfMonth>),
    OfWeek(Vec<OfWeek>),
}

/// A day of the month.
#[derive(Debug, Clone, PartialEq, Eq)]
enum OfMonth {
    /// This day.
    Day(i8),
    /// That many days before the last.
    FromLast(i8),
    /// The day from Monday to Friday that is nearest to this one, in the same month.
    NearestWeekday(i8),
    /// The last day from Monday to Friday.
    LastWeekday,
}

/// A day of the week; 1 is Sunday.
#[derive(Debug, Clone, PartialEq, Eq)]
enum OfWeek {
    /// Each one.
    Every(i8),
    /// The last one of the month.
    Last(i8),
    /// The first, second, … one of the month.
    Nth(i8, i8),
}

impl Cron {
    /// Reads what is between the parentheses.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, of_month, months, of_week, years] = fields.as_slice() else {
            return Err(format!("a cron expression has 6 fields, this one has {}", fields.len()));
        };
        let days = match (*of_month, *of_week) {
            ("?", "?") => {
                return Err("one of day-of-month and day-of-week must not be ?".to_owned());
            }
            (of_month, "?") => Days::OfMonth(list(of_month, parse_of_month)?),
            ("?", of_week) => Days::OfWeek(list(of_week, parse_of_week)?),
            _ => return Err("one of day-of-month and day-of-week must be ?".to_owned()),
        };
        let wide = |n: i16| i8::try_from(n).unwrap_or(i8::MAX);
        let narrow = |numbers: Vec<i16>| numbers.into_iter().map(wide).collect::<Vec<_>>();
        Ok(Self {
            minutes: narrow(numbers(minutes, "minutes", (0, 59), &[])?),
            hours: narrow(numbers(hours, "hours", (0, 23), &[])?),
            months: narrow(numbers(months, "month", (1, 12), &MONTHS)?),
            days,
            years: match *years {
                "*" => Vec::new(),
                years => numbers(years, "year", (FIRST_YEAR, LAST_YEAR), &[])?,
            },
        })
    }

    /// Minutes of an hour, in order.
    pub fn minutes(&self) -> &[i8] {
        &self.minutes
    }

    /// Hours of a day, in order.
    pub fn hours(&self) -> &[i8] {
        &self.hours
    }

    /// The first day from `date` on that it names.
    pub fn day_from(&self, mut date: Date) -> Option<Date> {
        loop {
            if date.year() > LAST_YEAR {
                return None;
            }
            if !self.years.is_empty() && !self.years.contains(&date.year()) {
                let year = *self.years.iter().find(|year| **year > date.year())?;
                date = Date::new(year, 1, 1).ok()?;
            } else if !self.months.contains(&date.month()) {
                date = date.last_of_month().tomorrow().ok()?;
            } else if self.has_day(date) {
                return Some(date);
            } else {
                date = date.tomorrow().ok()?;
            }
        }
    }

    fn has_day(&self, date: Date) -> bool {
        match &self.days {
            Days::OfMonth(days) => days.iter().any(|day| day.is(date)),
            Days::OfWeek(days) => days.iter().any(|day| day.is(date)),
        }
    }
}

impl OfMonth {
    fn is(&self, date: Date) -> bool {
        let last = date.days_in_month();
        match self {
            Self::Day(day) => date.day() == *day,
            Self::FromLast(before) => date.day() == last - before,
            Self::NearestWeekday(day) => nearest_weekday(date, (*day).min(last)) == date.day(),
            Self::LastWeekday => {
                let back = match date.last_of_month().weekday() {
                    Weekday::Saturday => 1,
                    Weekday::Sunday => 2,
                    _ => 0,
                };
                date.day() == last - back
            }
        }
    }
}

/// The weekday nearest to a day of a date's month: Saturday goes back, Sunday on, unless that is
/// another month.
fn nearest_weekday(date: Date, day: i8) -> i8 {
    let last = date.days_in_month();
    let Ok(target) = Date::new(date.year(), date.month(), day) else { return day };
    match target.weekday() {
        Weekday::Saturday if day == 1 => 3,
        Weekday::Saturday => day - 1,
        Weekday::Sunday if day == last => day - 2,
        Weekday::Sunday => day + 1,
        _ => day,
    }
}

impl OfWeek {
    fn is(&self, date: Date) -> bool {
        let of_week = date.weekday().to_sunday_one_offset();
        match self {
            Self::Every(day) => of_week == *day,
            Self::Last(day) => of_week == *day && date.day() + 7 > date.days_in_month(),
            Self::Nth(day, nth) => of_week == *day && (date.day() - 1) / 7 + 1 == *nth,
        }
    }
}

/// The parts of a field, each of which may stand for several.
fn list<T>(field: &str, parse: impl Fn(&str) -> Result<Vec<T>, String>) -> Result<Vec<T>, String> {
    let mut all = Vec::new();
    for part in field.split(',') {
        all.extend(parse(part)?);
    }
    Ok(all)
}

fn parse_of_month(part: &str) -> Result<Vec<OfMonth>, String> {
    let day = |text: &str| number(text, "day-of-month", (1, 31), &[]).map(small);
    if part == "L" {
        return Ok(vec![OfMonth::FromLast(0)]);
    }
    if part == "LW" {
        return Ok(vec![OfMonth::LastWeekday]);
    }
    if let Some(before) = part.strip_prefix("L-") {
        return Ok(vec![OfMonth::FromLast(day(before)?.min(30))]);
    }
    if let Some(near) = part.strip_suffix('W') {
        return Ok(vec![OfMonth::NearestWeekday(day(near)?)]);
    }
    let days = numbers(part, "day-of-month", (1, 31), &[])?;
    Ok(days.into_iter().map(|day| OfMonth::Day(small(day))).collect())
}

fn parse_of_week(part: &str) -> Result<Vec<OfWeek>, String> {
    let day = |text: &str| number(text, "day-of-week", (1, 7), &DAYS).map(small);
    if part == "L" {
        return Ok(vec![OfWeek::Every(7)]);
    }
    if let Some((of_week, nth)) = part.split_once('#') {
        let nth = number(nth, "day-of-week after #", (1, 5), &[])?;
        return Ok(vec![OfWeek::Nth(day(of_week)?, small(nth))]);
    }
    if let Some(of_week) = part.strip_suffix('L') {
        return Ok(vec![OfWeek::Last(day(of_week)?)]);
    }
    let days = numbers(part, "day-of-week", (1, 7), &DAYS)?;
    Ok(days.into_iter().map(|day| OfWeek::Every(small(day))).collect())
}

fn small(number: i16) -> i8 {
    i8::try_from(number).unwrap_or(i8::MAX)
}

/// The numbers that a field stands for, in order, each once.
fn numbers(
    field: &str,
    what: &str,
    (least, most): (i16, i16),
    names: &[&str],
) -> Result<Vec<i16>, String> {
    let mut all = Vec::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step, what, (1, most), &[])?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => {
                let bounds = (least, most);
                (number(from, what, bounds, names)?, number(to, what, bounds, names)?)
            }
            None if range == "*" => (least, most),
            None => {
                let from = number(range, what, (least, most), names)?;
                (from, if step.is_some() { most } else { from })
            }
        };
        // A range that goes over the end, such as FRI-MON, comes round.
        let round = if from <= to { 0 } else { most - least + 1 };
        let mut at = from;
        while at <= to + round {
            all.push(if at > most { at - round } else { at });
            at += step.unwrap_or(1);
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

fn number(
    text: &str,
    what: &str,
    (least, most): (i16, i16),
    names: &[&str],
) -> Result<i16, String> {
    if let Some(at) = names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        return Ok(least + i16::try_from(at).unwrap_or(0));
    }
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<i16>() {
        Ok(number) if digits && (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("{what} is {least} to {most}, not {text:?}")),
    }
}
