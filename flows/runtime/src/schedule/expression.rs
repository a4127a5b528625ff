//! `at(…)`, `rate(…)` and `cron(…)`, and when they come next.

use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::cron::Cron;

/// A schedule expression (EventBridge Scheduler User Guide, "Schedule types").
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// `at(2026-01-31T08:00:00)`: once.
    At(DateTime),
    /// `rate(5 minutes)`: from an anchor on, again and again. A day has 24 hours.
    Rate(SignedDuration),
    /// `cron(0 8 ? * MON-FRI *)`.
    Cron(Box<Cron>),
}

/// The greatest rate is a bit less than three thousand years; AWS names no limit.
const LONGEST_RATE: i64 = 1_000_000;

impl Expression {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, String> {
        let inner = |name: &str| {
            text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')').map(str::trim)
        };
        if let Some(at) = inner("at") {
            return parse_at(at).map(Self::At);
        }
        if let Some(rate) = inner("rate") {
            return parse_rate(rate).map(Self::Rate);
        }
        if let Some(cron) = inner("cron") {
            return Cron::parse(cron).map(|cron| Self::Cron(Box::new(cron)));
        }
        Err("an expression is at(yyyy-mm-ddThh:mm:ss), rate(value unit) or cron(fields)".to_owned())
    }

    /// Whether it comes once.
    pub fn is_once(&self) -> bool {
        matches!(self, Self::At(_))
    }

    /// The first time strictly after `after`; `None`: it does not come any more.
    ///
    /// A time that the clocks skip in spring does not come; one that they show twice in autumn
    /// comes once, the first time (User Guide, "Daylight savings time"). A rate counts from
    /// `anchor`, its first time. `at` in a skipped hour comes as long after the skip as it lies
    /// within it.
    pub fn next_after(
        &self,
        zone: &TimeZone,
        anchor: Timestamp,
        after: Timestamp,
    ) -> Option<Timestamp> {
        match self {
            Self::At(at) => {
                let at = zone.to_ambiguous_timestamp(*at).compatible().ok()?;
                (at > after).then_some(at)
            }
            Self::Rate(every) => next_of_rate(*every, anchor, after),
            Self::Cron(cron) => next_of_cron(cron, zone, after),
        }
    }
}

fn parse_at(text: &str) -> Result<DateTime, String> {
    let digits = text.bytes().enumerate().all(|(at, b)| match at {
        4 | 7 => b == b'-',
        10 => b == b'T',
        13 | 16 => b == b':',
        _ => b.is_ascii_digit(),
    });
    if text.len() != 19 || !digits {
        return Err(format!("at takes yyyy-mm-ddThh:mm:ss, not {text:?}"));
    }
    text.parse::<DateTime>().map_err(|_| format!("there is no time {text}"))
}

fn parse_rate(text: &str) -> Result<SignedDuration, String> {
    let mut words = text.split_ascii_whitespace();
    let (Some(value), Some(unit), None) = (words.next(), words.next(), words.next()) else {
        return Err("rate takes a value and a unit".to_owned());
    };
    let value = match value.parse::<i64>() {
        Ok(value) if (1..=LONGEST_RATE).contains(&value) => value,
        _ => return Err(format!("the value of a rate is 1 to {LONGEST_RATE}, not {value}")),
    };
    match unit {
        "minute" | "minutes" => Ok(SignedDuration::from_mins(value)),
        "hour" | "hours" => Ok(SignedDuration::from_hours(value)),
        "day" | "days" => Ok(SignedDuration::from_hours(24 * value)),
        _ => Err(format!("the unit of a rate is minutes, hours or days, not {unit}")),
    }
}

fn next_of_rate(every: SignedDuration, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
    if anchor > after {
        return Some(anchor);
    }
    let passed = after.duration_since(anchor).as_millis();
    let times = passed / every.as_millis().max(1) + 1;
    let ahead = every.as_millis().checked_mul(times)?;
    let ahead = SignedDuration::from_millis(i64::try_from(ahead).ok()?);
    anchor.checked_add(ahead).ok()
}

fn next_of_cron(cron: &Cron, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    // The day that it is there: earlier times of it are skipped below.
    let mut day = cron.day_from(zone.to_datetime(after).date())?;
    loop {
        for hour in cron.hours() {
            for minute in cron.minutes() {
                let Ok(time) = Time::new(*hour, *minute, 0, 0) else { continue };
                let local = zone.to_ambiguous_timestamp(day.to_datetime(time));
                if matches!(local.offset(), AmbiguousOffset::Gap { .. }) {
                    continue;
                }
                match local.earlier() {
                    Ok(at) if at > after => return Some(at),
                    _ => {}
                }
            }
        }
        day = cron.day_from(day.tomorrow().ok()?)?;
    }
}
