//! Expressions and when they come next.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::schedule::Expression;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next times after `after`, in a time zone, as UTC.
fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let expression = Expression::parse(expression).unwrap();
    let zone = TimeZone::get(zone).unwrap();
    let mut last = at(after);
    let mut times = Vec::new();
    while times.len() < count {
        let Some(next) = expression.next_after(&zone, at(after), last) else { break };
        times.push(next.strftime("%Y-%m-%dT%H:%MZ").to_string());
        last = next;
    }
    times
}

#[test]
fn cron_fields_and_wildcards_mean_what_aws_documents() {
    // From 2026-01-01 (a Thursday), 00:00 UTC.
    for (expression, expected) in [
        ("cron(0 8 * * ? *)", ["2026-01-01T08:00Z", "2026-01-02T08:00Z"]),
        ("cron(15 10 ? * 6L 2026-2028)", ["2026-01-30T10:15Z", "2026-02-27T10:15Z"]),
        ("cron(0/15 * * * ? *)", ["2026-01-01T00:15Z", "2026-01-01T00:30Z"]),
        ("cron(5,35 14 * * ? *)", ["2026-01-01T14:05Z", "2026-01-01T14:35Z"]),
        ("cron(0-15/10 8-8 ? * 2,3 *)", ["2026-01-05T08:00Z", "2026-01-05T08:10Z"]),
        ("cron(0 18 ? * MON-FRI *)", ["2026-01-01T18:00Z", "2026-01-02T18:00Z"]),
        ("cron(0 9 ? * 2#1 *)", ["2026-01-05T09:00Z", "2026-02-02T09:00Z"]),
        ("cron(0 9 ? * FRI#5 *)", ["2026-01-30T09:00Z", "2026-05-29T09:00Z"]),
        ("cron(0 9 L * ? *)", ["2026-01-31T09:00Z", "2026-02-28T09:00Z"]),
        ("cron(0 9 L-2 * ? *)", ["2026-01-29T09:00Z", "2026-02-26T09:00Z"]),
        ("cron(0 9 LW * ? *)", ["2026-01-30T09:00Z", "2026-02-27T09:00Z"]),
        // The 1st of February and of March are Sundays.
        ("cron(0 9 1W 2,3 ? *)", ["2026-02-02T09:00Z", "2026-03-02T09:00Z"]),
        // The 31st of January is a Saturday, that of May a Sunday: it stays in its month.
        ("cron(0 9 31W 1,5 ? *)", ["2026-01-30T09:00Z", "2026-05-29T09:00Z"]),
        ("cron(0 9 ? * L *)", ["2026-01-03T09:00Z", "2026-01-10T09:00Z"]),
        ("cron(0 9 29 FEB ? *)", ["2028-02-29T09:00Z", "2032-02-29T09:00Z"]),
        ("cron(0 9 1 JAN/6 ? *)", ["2026-01-01T09:00Z", "2026-07-01T09:00Z"]),
        ("cron(0 0 ? * FRI-SUN *)", ["2026-01-02T00:00Z", "2026-01-03T00:00Z"]),
        ("cron(0 22-1 1 1 ? *)", ["2026-01-01T01:00Z", "2026-01-01T22:00Z"]),
        ("cron(30 6 ? 3/3 1 2027/2)", ["2027-03-07T06:30Z", "2027-03-14T06:30Z"]),
    ] {
        assert_eq!(times(expression, "UTC", "2026-01-01T00:00:00Z", 2), expected, "{expression}");
    }
}

#[test]
fn what_is_no_expression_is_refused() {
    for expression in [
        "",
        "cron()",
        "cron(* * * * *)",
        "cron(* * * * * *)",
        "cron(* * ? * ? *)",
        "cron(60 * * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 0 0 * ? *)",
        "cron(0 0 32 * ? *)",
        "cron(0 0 * 13 ? *)",
        "cron(0 0 ? * 8 *)",
        "cron(0 0 ? * 0 *)",
        "cron(0 0 ? * MON#6 *)",
        "cron(0 0 ? * MUN *)",
        "cron(0/0 * * * ? *)",
        "cron(*/ * * * ? *)",
        "cron(0 0 * * ? 1969)",
        "cron(0 0 * * ? 2200)",
        "cron(-1 0 * * ? *)",
        "cron(+1 0 * * ? *)",
        "rate(0 minutes)",
        "rate(5)",
        "rate(5 seconds)",
        "rate(-5 minutes)",
        "rate(5 minutes now)",
        "rate(1.5 hours)",
        "at(2026-01-31)",
        "at(2026-02-30T00:00:00)",
        "at(2026-01-31T24:00:00)",
        "at(2026-01-31T08:00:00Z)",
        "at(2026-01-31 08:00:00)",
        "every(5 minutes)",
        "rate(5 minutes",
        "at2026-01-31T08:00:00",
    ] {
        assert!(Expression::parse(expression).is_err(), "{expression}");
    }
}

#[test]
fn what_the_clocks_skip_does_not_come_and_what_they_repeat_comes_once() {
    // New York skips 02:00-03:00 on 2026-03-08 and has 01:00-02:00 twice on 2026-11-01.
    let zone = "America/New_York";
    assert_eq!(
        times("cron(30 2 * * ? *)", zone, "2026-03-07T00:00:00Z", 2),
        ["2026-03-07T07:30Z", "2026-03-09T06:30Z"]
    );
    assert_eq!(
        times("cron(30 1 * * ? *)", zone, "2026-10-31T12:00:00Z", 2),
        ["2026-11-01T05:30Z", "2026-11-02T06:30Z"]
    );
    assert_eq!(
        times("cron(0/30 1-2 1 11 ? 2026)", zone, "2026-10-31T12:00:00Z", 9),
        ["2026-11-01T05:00Z", "2026-11-01T05:30Z", "2026-11-01T07:00Z", "2026-11-01T07:30Z"]
    );
    // Asked within the repeated hour, it is over.
    assert_eq!(times("cron(30 1 * * ? *)", zone, "2026-11-01T06:10:00Z", 1), ["2026-11-02T06:30Z"]);
}

#[test]
fn a_time_of_day_stays_what_it_is_when_the_clocks_change() {
    assert_eq!(
        times("cron(0 8 * * ? *)", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        ["2026-03-28T07:00Z", "2026-03-29T06:00Z", "2026-03-30T06:00Z"]
    );
}

#[test]
fn at_comes_once_in_its_time_zone() {
    let zone = "America/New_York";
    assert_eq!(
        times("at(2026-07-01T09:00:00)", zone, "2026-01-01T00:00:00Z", 3),
        ["2026-07-01T13:00Z"]
    );
    assert_eq!(
        times("at(2026-03-08T02:30:00)", zone, "2026-01-01T00:00:00Z", 3),
        ["2026-03-08T07:30Z"]
    );
    assert_eq!(
        times("at(2026-11-01T01:30:00)", zone, "2026-01-01T00:00:00Z", 3),
        ["2026-11-01T05:30Z"]
    );
    assert!(times("at(2025-07-01T09:00:00)", zone, "2026-01-01T00:00:00Z", 3).is_empty());
}

#[test]
fn a_rate_counts_from_its_anchor_and_its_days_have_24_hours() {
    let anchor = at("2026-03-07T12:00:10Z");
    let rate = Expression::parse("rate(1 day)").unwrap();
    let zone = TimeZone::get("America/New_York").unwrap();
    let before = anchor - SignedDuration::from_secs(1);
    assert_eq!(rate.next_after(&zone, anchor, before), Some(anchor));
    assert_eq!(rate.next_after(&zone, anchor, anchor), Some(at("2026-03-08T12:00:10Z")));
    assert_eq!(
        rate.next_after(&zone, anchor, at("2026-03-08T12:00:09.999Z")),
        Some(at("2026-03-08T12:00:10Z"))
    );
    assert_eq!(
        rate.next_after(&zone, anchor, at("2036-01-01T00:00:00Z")),
        Some(at("2036-01-01T12:00:10Z"))
    );
}

#[test]
fn an_expression_that_never_comes_says_so() {
    assert!(times("cron(0 0 30 2 ? *)", "UTC", "2026-01-01T00:00:00Z", 1).is_empty());
    assert!(times("cron(0 0 1 1 ? 2020)", "UTC", "2026-01-01T00:00:00Z", 1).is_empty());
}

proptest! {
    #[test]
    fn the_next_time_is_after_and_each_time_is_found_from_just_before_it(
        minute in 0..60_u8, hour in 0..24_u8, step in 1..12_u8, after in 1_700_000_000_i64..1_900_000_000,
        zone in prop_oneof![Just("UTC"), Just("America/New_York"), Just("Australia/Lord_Howe"), Just("Africa/Casablanca")],
    ) {
        let expression = Expression::parse(&format!("cron({minute} {hour}/{step} ? * MON-SAT *)")).unwrap();
        let zone = TimeZone::get(zone).unwrap();
        let after = Timestamp::from_second(after).unwrap();
        let next = expression.next_after(&zone, after, after).unwrap();
        prop_assert!(next > after);
        let before = next - SignedDuration::from_nanos(1);
        prop_assert_eq!(expression.next_after(&zone, after, before), Some(next));
        let local = zone.to_datetime(next);
        prop_assert_eq!((local.minute(), local.second()), (i8::try_from(minute).unwrap(), 0));
    }

    #[test]
    fn whatever_is_given_is_read_or_refused(text in "(at|rate|cron)\\([ -~]{0,40}\\)") {
        let _ = Expression::parse(&text);
    }
}
