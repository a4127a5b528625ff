//! Numbers.

use proptest::prelude::*;

use crate::services::dynamodb::number::{Number, NumberError};

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

#[test]
fn a_number_is_written_without_what_does_not_count() {
    for (given, written) in [
        ("1", "1"),
        ("-0", "0"),
        ("007.50", "7.5"),
        ("1.50E2", "150"),
        ("1e-3", "0.001"),
        ("-12.30e1", "-123"),
        (".5", "0.5"),
        ("100", "100"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
    ] {
        assert_eq!(number(given).to_string(), written, "{given}");
    }
}

#[test]
fn what_does_not_fit_is_refused_by_its_reason() {
    for (given, error) in [
        ("", NumberError::Syntax),
        ("1.2.3", NumberError::Syntax),
        ("0x10", NumberError::Syntax),
        ("NaN", NumberError::Syntax),
        ("1e", NumberError::Syntax),
        ("1E126", NumberError::Overflow),
        ("-1E999999999999", NumberError::Overflow),
        ("1E-131", NumberError::Underflow),
        ("123456789012345678901234567890123456789", NumberError::Precision),
    ] {
        assert_eq!(Number::parse(given), Err(error), "{given}");
    }
}

#[test]
fn sums_are_exact() {
    for (a, b, sum) in [
        ("0.1", "0.2", "0.3"),
        ("99999999999999999999999999999999999999", "-1", "99999999999999999999999999999999999998"),
        ("-5", "5", "0"),
        ("1e-2", "1e2", "100.01"),
        ("9", "1", "10"),
        ("-3", "1.5", "-1.5"),
    ] {
        assert_eq!(number(a).add(&number(b)).unwrap().to_string(), sum);
    }
    assert_eq!(number("1e100").add(&number("1")), Err(NumberError::Precision));
    assert_eq!(number("2").subtract(&number("5.5")).unwrap().to_string(), "-3.5");
}

proptest! {
    #[test]
    fn whatever_is_given_is_read_or_refused(text in ".{0,60}") {
        if let Ok(number) = Number::parse(&text) {
            prop_assert_eq!(Number::parse(&number.to_string()).unwrap(), number);
        }
    }

    #[test]
    fn the_order_of_bytes_is_that_of_numbers(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_000_i64..1_000_000_000, places in 0_usize..6) {
        let text = |n: i64| format!("{n}e-{places}");
        prop_assert_eq!(number(&text(a)).cmp(&number(&text(b))), a.cmp(&b));
    }

    #[test]
    fn sums_and_differences_are_those_of_integers(a in -1_000_000_000_000_i64..1_000_000_000_000, b in -1_000_000_000_000_i64..1_000_000_000_000) {
        let (x, y) = (number(&a.to_string()), number(&b.to_string()));
        prop_assert_eq!(x.add(&y).unwrap().to_string(), (a + b).to_string());
        prop_assert_eq!(x.subtract(&y).unwrap().to_string(), (a - b).to_string());
    }
}
