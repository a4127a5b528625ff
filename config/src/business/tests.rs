#![allow(clippy::unwrap_used)]

use super::*;

fn calendar(hours: &[&str], holidays: &[&str]) -> Calendar {
    Calendar {
        hours: hours.iter().map(|text| text.parse().unwrap()).collect(),
        holidays: holidays.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

fn at(text: &str) -> Zoned {
    text.parse::<jiff::civil::DateTime>().unwrap().in_tz("America/New_York").unwrap()
}

#[test]
fn an_office_is_open_from_the_first_minute_to_before_the_last() {
    let office = calendar(&["Mon-Fri 08:00-18:00"], &[]);
    // A Monday.
    for (time, open) in
        [("07:59:59", false), ("08:00:00", true), ("17:59:59", true), ("18:00:00", false)]
    {
        assert_eq!(office.is_open(&at(&format!("2026-11-30T{time}"))), open, "{time}");
    }
    assert!(!office.is_open(&at("2026-11-29T12:00:00")), "a Sunday");
}

#[test]
fn a_night_belongs_to_the_day_it_began_on() {
    let bar = calendar(&["Fri,Sat 22:00-06:00"], &["2026-12-05"]);
    assert!(bar.is_open(&at("2026-11-27T22:00:00")), "Friday night");
    assert!(bar.is_open(&at("2026-11-28T05:59:00")), "the morning after");
    assert!(!bar.is_open(&at("2026-11-28T06:00:00")));
    assert!(bar.is_open(&at("2026-11-29T01:00:00")), "Saturday's night on Sunday");
    assert!(!bar.is_open(&at("2026-11-30T01:00:00")), "Sunday has none");
    assert!(bar.is_open(&at("2026-12-05T01:00:00")), "Friday's night goes on into the holiday");
    assert!(!bar.is_open(&at("2026-12-05T23:00:00")), "the holiday");
    assert!(!bar.is_open(&at("2026-12-06T01:00:00")), "the holiday's night");
}

#[test]
fn holidays_are_of_one_year_or_of_all() {
    let office = calendar(&["daily 00:00-24:00"], &["12-25", "2026-11-26"]);
    for (date, open) in
        [("2026-12-25", false), ("2031-12-25", false), ("2026-11-26", false), ("2027-11-26", true)]
    {
        assert_eq!(office.is_open(&at(&format!("{date}T12:00:00"))), open, "{date}");
    }
    assert!(!calendar(&[], &["12-25"]).is_open(&at("2026-12-25T12:00:00")));
    assert!(calendar(&[], &[]).is_open(&at("2026-12-25T12:00:00")));
}

#[test]
fn summer_time_moves_with_the_clock_on_the_wall() {
    let office = calendar(&["daily 08:00-18:00"], &[]);
    let utc = |text: &str| text.parse::<Timestamp>().unwrap().in_tz("America/New_York").unwrap();
    assert!(office.is_open(&utc("2026-07-01T12:00:00Z")), "08:00 in summer");
    assert!(!office.is_open(&utc("2026-12-01T12:00:00Z")), "07:00 in winter");
}

#[test]
fn the_next_opening_skips_holidays_and_weekends() {
    let office = calendar(&["Mon-Fri 08:00-18:00"], &["2026-11-30"]);
    let zone = TimeZone::get("America/New_York").unwrap();
    let friday_evening = at("2026-11-27T19:00:00");
    let next = office.next_opening(friday_evening.timestamp(), &zone).unwrap();
    assert_eq!(next.datetime().to_string(), "2026-12-01T08:00:00");
    assert_eq!(office.next_opening(at("2026-12-01T09:00:00").timestamp(), &zone), None);
}

#[test]
fn what_is_no_time_is_refused_and_what_was_read_is_printed_so_that_it_reads_again() {
    for bad in [
        "",
        "Mon",
        "08:00-18:00",
        "Mon 8-18",
        "Mon 08:00-25:00",
        "Mon 08:60-09:00",
        "Mox 08:00-09:00",
        "Mon 24:00-02:00",
    ] {
        assert!(bad.parse::<Hours>().is_err(), "{bad}");
    }
    for bad in ["", "2026-13-01", "13-01", "yesterday", "2026-02-30"] {
        assert!(bad.parse::<Holiday>().is_err(), "{bad}");
    }
    for good in
        ["Mon-Fri 08:00-18:00", "fri-mon 22:00-06:00", "daily 00:00-24:00", "Wednesday 9:05-10:00"]
    {
        let hours: Hours = good.parse().unwrap();
        assert_eq!(hours.to_string().parse::<Hours>().unwrap(), hours, "{good}");
    }
}
