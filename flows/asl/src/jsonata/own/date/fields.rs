//! Fields of a time, as JavaScript's `Date` has them in UTC.

/// The last time that JavaScript has, and but for its sign the first.
const MOST_MILLIS: f64 = 8.64e15;
const DAY: i64 = 86_400_000;
const WEEK: f64 = 7.0 * DAY as f64;

/// A time's fields.
#[derive(Debug, Clone, Copy)]
struct Fields {
    millis: i64,
    year: i64,
    /// From 0.
    month: i64,
    day: i64,
}

/// A time; none where JavaScript has none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(Option<Fields>);

impl Time {
    /// Of milliseconds since 1970, their fraction dropped.
    pub(super) fn of(millis: f64) -> Self {
        let millis = millis.trunc();
        if millis.is_nan() || millis.abs() > MOST_MILLIS {
            return Self(None);
        }
        let millis = millis as i64;
        let (year, month, day) = date_of(millis.div_euclid(DAY));
        Self(Some(Fields { millis, year, month, day }))
    }

    /// The month, from 0, and its day.
    pub(super) fn month_and_day(self) -> Option<(f64, f64)> {
        self.0.map(|fields| (fields.month as f64, fields.day as f64))
    }

    /// Whether it is afternoon.
    pub(super) fn is_pm(self) -> bool {
        self.field('H') >= 12.0
    }

    /// The number that a component of a picture is; `NaN` if there is none.
    pub(super) fn field(self, component: char) -> f64 {
        let Some(fields) = self.0 else { return f64::NAN };
        let of_day = fields.millis.rem_euclid(DAY);
        let hour = of_day / 3_600_000;
        let field = match component {
            'Y' => fields.year,
            'M' => fields.month + 1,
            'D' => fields.day,
            'd' => return (fields.midnight() - midnight(fields.year, 0, 1)) / DAY as f64 + 1.0,
            'F' => weekday(fields.millis.div_euclid(DAY)),
            'W' => return week(fields.midnight(), &Span::year(fields.year)),
            'w' => return week(fields.midnight(), &Span::month(fields.year, fields.month)),
            'X' => fields.year + Span::year(fields.year).side(fields.millis as f64),
            'x' => {
                let side = Span::month(fields.year, fields.month).side(fields.millis as f64);
                (fields.month + side).rem_euclid(12) + 1
            }
            'H' => hour,
            'h' => (hour + 11) % 12 + 1,
            'm' => of_day / 60_000 % 60,
            's' => of_day / 1000 % 60,
            'f' => of_day % 1000,
            _ => return f64::NAN,
        };
        field as f64
    }
}

impl Fields {
    /// The day's first millisecond, by [`midnight`].
    fn midnight(&self) -> f64 {
        midnight(self.year, self.month, self.day)
    }
}

/// The first days of the first weeks of a year or month and of the two beside it.
struct Span {
    before: f64,
    start: f64,
    end: f64,
}

impl Span {
    fn year(year: i64) -> Self {
        let start = |year| first_week(year, 0);
        Self { before: start(year - 1), start: start(year), end: start(year + 1) }
    }

    fn month(year: i64, month: i64) -> Self {
        let start = |month: i64| first_week(year + month.div_euclid(12), month.rem_euclid(12));
        Self { before: start(month - 1), start: start(month), end: start(month + 1) }
    }

    /// Whether a time is before it, in it or after it.
    fn side(&self, millis: f64) -> i64 {
        if millis < self.start { -1 } else { i64::from(millis >= self.end) }
    }
}

/// The week of a day: one of the last days of a span may be in the first week of the next, and one of
/// the first in the last week of the one before.
fn week(day: f64, span: &Span) -> f64 {
    let since = |start: f64| (day - start) / WEEK + 1.0;
    let week = match span.side(day) {
        -1 => since(span.before),
        0 => since(span.start),
        _ => 1.0,
    };
    week.floor()
}

/// ISO 8601: the first week is that of the first Thursday. It begins on a Monday.
fn first_week(year: i64, month: i64) -> f64 {
    let first = midnight(year, month, 1);
    let weekday = weekday((first / DAY as f64) as i64);
    let days = if weekday > 4 { 8 - weekday } else { 1 - weekday };
    first + (days * DAY) as f64
}

/// 1 is Monday.
fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// A day's first millisecond, as JavaScript's `Date.UTC` has it: see [`utc`].
fn midnight(year: i64, month: i64, day: i64) -> f64 {
    utc([year as f64, month as f64, day as f64], [0.0; 4])
}

/// Days from 1970 to the first of a month, which is counted from 0.
fn days_to(year: i64, month: i64) -> i64 {
    let (year, month) = (year + month.div_euclid(12), month.rem_euclid(12));
    // Years that begin in March, so that the day of a leap year is the last.
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 - 719_468
}

/// The year, the month from 0, and the day.
fn date_of(days: i64) -> (i64, i64, i64) {
    // Not later than the year it is in, and one earlier at most.
    let mut year = 1970 + (days * 400).div_euclid(146_097) - 1;
    while days_to(year + 1, 0) <= days {
        year += 1;
    }
    let month = (0..12).rev().find(|month| days_to(year, *month) <= days).unwrap_or(0);
    (year, month, days - days_to(year, month) + 1)
}

/// ECMA-262, `Date.UTC`: milliseconds since 1970, of whole numbers that may be out of their ranges. It
/// takes years below 100 for those of the twentieth century, and has none of days without a time.
pub(super) fn utc(date: [f64; 3], time: [f64; 4]) -> f64 {
    const MOST_PART: f64 = 1e9;
    let ([year, month, day], [hour, minute, second, milli]) = (date, time);
    // No part larger than that has a time, save milliseconds and seconds.
    let is_far = |part: &f64| part.is_nan() || part.abs() > MOST_PART;
    if [year, month].iter().any(is_far) || time.iter().chain(&date).any(|part| !part.is_finite()) {
        return f64::NAN;
    }
    let year = if (0.0..100.0).contains(&year) { year + 1900.0 } else { year };
    let days = days_to(year as i64, month as i64) as f64 + day - 1.0;
    let time = hour * 3_600_000.0 + minute * 60_000.0 + second * 1000.0 + milli;
    let millis = days * DAY as f64 + time;
    if millis.abs() <= MOST_MILLIS { millis } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_time_of_javascript_have_their_fields() {
        let fields =
            |millis| ['Y', 'M', 'D', 'H', 'f', 'F'].map(|part| Time::of(millis).field(part));
        assert_eq!(fields(MOST_MILLIS), [275_760.0, 9.0, 13.0, 0.0, 0.0, 6.0]);
        assert_eq!(fields(-MOST_MILLIS), [-271_821.0, 4.0, 20.0, 0.0, 0.0, 2.0]);
        assert!(Time::of(MOST_MILLIS + 1.0).field('Y').is_nan());
    }

    #[test]
    fn each_day_is_the_day_after_the_one_before() {
        let mut before = date_of(-800_000);
        for days in -799_999..400_000 {
            let date = date_of(days);
            let is_next = date == (before.0, before.1, before.2 + 1)
                || date.2 == 1 && (date.0 * 12 + date.1) == before.0 * 12 + before.1 + 1;
            assert!(is_next, "{before:?} {date:?}");
            assert_eq!(days_to(date.0, date.1) + date.2 - 1, days);
            before = date;
        }
    }

    #[test]
    fn a_time_of_parts_that_are_out_of_range_is_counted_on() {
        assert_eq!(utc([2020.0, 13.0, 0.0], [25.0, 0.0, 0.0, 0.0]), 1_612_141_200_000.0);
        assert_eq!(utc([70.0, 0.0, 1.0], [0.0; 4]), 0.0);
        assert!(utc([1e8, 0.0, 1.0], [0.0; 4]).is_nan());
    }
}
