//! Times and whole numbers by pictures. What is expected was computed with JSONata 2.0.6.

use super::{evaluate_in, value};
use serde_json::{Value, json};

fn refused(source: &str, code: &str) {
    let failure = evaluate_in(source, &json!({})).expect_err(source);
    assert!(failure.cause.contains(&format!(". {code}: ")), "{source}: {failure}");
}

fn are(expected: &[(&str, Value)]) {
    for (source, expected) in expected {
        assert_eq!(value(source), *expected, "{source}");
    }
}

/// 2024-02-10T18:05:09Z, a Saturday.
fn written(picture: &str, zone: &str) -> Value {
    value(&format!("$fromMillis(1707588309000, '{picture}', '{zone}')"))
}

#[test]
fn a_time_is_written_in_numbers_names_words_and_roman_numerals() {
    for (picture, expected) in [
        ("[FNn,3-3], [D1o] [MNn] [YI]", "Sat, 10th February MMXXIV"),
        ("[X]-W[W01]-[F] day [d]", "2024-W06-saturday day 41"),
        ("week [w] of [xNn], [MN,3-3]", "week 2 of February, FEB"),
        ("[YWw] [Dwo] [Mi] [DA]", "Two Thousand and Twenty-Four tenth ii J"),
        ("[h#1]:[m]:[s] [P] [PN] [f001] [f]", "6:05:09 pm PM 000 0"),
        ("[E] [C] [[x]] [Y,2-2] [M \n 0 1] [D,*-3]", "ISO ISO [x] 24 02 010"),
        ("[Y0,000] [Y\u{661}] [F1]", "2024 \u{662}\u{660}\u{662}\u{664} 6"),
        ("[q1]", "undefined"),
    ] {
        assert_eq!(written(picture, "+0000"), json!(expected), "{picture}");
    }
}

#[test]
fn an_offset_is_written_and_moves_the_time() {
    for (zone, picture, expected) in [
        ("+0545", "[H01]:[m01] [Z] [z] [Z0] [Z0101]", "23:50 +05:45 GMT+05:45 +5:45 +0545"),
        ("+0000", "[Z] [Z01:01t] [Z0t]", "+00:00 Z Z"),
        // 2.0.6 takes the minutes of a negative offset for another hour.
        ("-0530", "[H01]:[m01] [Z] [Z0]", "11:35 -06:30 -6:-30"),
        ("elsewhere", "[Y]", "NaN"),
    ] {
        assert_eq!(written(picture, zone), json!(expected), "{zone} {picture}");
    }
}

#[test]
fn times_are_written_as_far_as_javascript_has_them() {
    are(&[
        ("$fromMillis(8.64e15)", json!("5760-09-13T00:00:00.000Z")),
        ("$fromMillis(-8.64e15, '[Y]-[M]-[D]')", json!("-271821-4-20")),
        ("$fromMillis(-62135596800001, '[Y] [M]')", json!("0 12")),
        // A text alone is the picture of the context, of which there is none.
        ("$exists($fromMillis('0'))", json!(false)),
        ("[0].$fromMillis('[Y]')", json!("1970")),
        ("$fromMillis(8640000000000001)", json!("0NaN-NaN-NaNTNaN:NaN:NaN.NaNZ")),
        ("$fromMillis(9e15, '[MNn] [P]')", json!("undefined am")),
        ("$toMillis('275760', '[Y000001]')", json!(8_639_977_881_600_000_i64)),
        ("$toMillis('275761', '[Y000001]')", json!("NaN")),
    ]);
}

/// The clock of these tests stands at 2025-03-21T12:00:00.500Z.
#[test]
fn a_time_is_read_in_words_ordinals_and_zones_and_what_is_left_out_is_the_executions() {
    are(&[
        (
            "$toMillis('twenty-first of May, two thousand and four', '[Dwo] of [MNn], [Yw]')",
            json!(1_085_097_600_000_i64),
        ),
        ("$toMillis('12 V MMXX', '[D] [MI] [YI]')", json!(1_589_241_600_000_i64)),
        (
            "$toMillis('2004-02-29 23h +05:30', '[Y]-[M]-[D] [H]h [Z]')",
            json!(1_078_075_800_000_i64),
        ),
        ("$toMillis('2004 GMT-05:00', '[Y] [z]')", json!(1_072_933_200_000_i64)),
        ("$fromMillis($toMillis('first', '[Dwo]'))", json!("2025-03-01T00:00:00.000Z")),
        ("$fromMillis($toMillis('ix', '[hi]'))", json!("2025-03-21T09:00:00.000Z")),
        ("$fromMillis($toMillis('c', '[Da]'))", json!("2025-03-03T00:00:00.000Z")),
        ("$fromMillis($toMillis('3rd +01:00', '[H1o] [Z]'))", json!("2025-03-21T02:00:00.000Z")),
        ("$fromMillis($toMillis('Friday', '[FNn]'))", json!("2025-03-21T12:00:00.500Z")),
        ("$toMillis('20201', '[Y#1]') ~> $exists()", json!(false)),
        (
            "$fromMillis($toMillis('20240203', '[Y0001][M01][D01]'))",
            json!("2024-02-03T00:00:00.000Z"),
        ),
    ]);
}

#[test]
fn a_picture_that_is_none_of_a_time_is_refused() {
    for (source, code) in [
        ("$fromMillis(0, '[Y')", "D3135"),
        ("$fromMillis(0, '[]')", "D3132"),
        ("$fromMillis(0, '[q]')", "D3132"),
        ("$fromMillis(0, '[YN]')", "D3133"),
        ("$fromMillis(0, '[Z00000]')", "D3134"),
        ("$fromMillis(0, '[Y0\u{660}]')", "D3131"),
        ("$fromMillis(0, '[Y*]')", "D3130"),
        ("$toMillis('2004 ISO', '[Y] [E]')", "D3133"),
        ("$toMillis('2004-W05', '[X]-W[W]')", "D3136"),
        ("$toMillis('7', '[w]')", "D3136"),
        ("$toMillis('2004 10:30', '[Y] [H]:[s]')", "D3136"),
        ("$fromMillis(true)", "T0410"),
        ("$fromMillis(0, '[Y]', 1)", "T0410"),
        ("['x'].$fromMillis()", "T0411"),
        ("[true].$fromMillis()", "T0411"),
        ("$now(1)", "T0410"),
    ] {
        refused(source, code);
    }
}

#[test]
fn a_whole_number_is_written_by_its_picture() {
    are(&[
        ("$formatInteger(1967, 'w')", json!("one thousand, nine hundred and sixty-seven")),
        ("$formatInteger(-1967, 'Ww;o')", json!("-One Thousand, Nine Hundred and Sixty-Seventh")),
        ("$formatInteger(1999, 'I')", json!("MCMXCIX")),
        ("$formatInteger(703, 'a')", json!("aaa")),
        ("$formatInteger(1234567, '#,##,##0')", json!("12,34,567")),
        ("$formatInteger(1234567, '#,##0;o')", json!("1,234,567th")),
        ("$formatInteger(112.9, '0;o')", json!("112th")),
        ("$formatInteger(1e21, '#,##0')", json!("1e,+21")),
        ("$formatInteger(1234, '###.###,##0')", json!(",.34")),
        ("[2, 3].$formatInteger('0001;o')", json!(["0002nd", "0003rd"])),
        ("$formatBase(1e21)", json!("1e+21")),
        ("$formatBase(1e21, 3)", json!("100010202110111202020110202012022200000000000")),
        ("[255].$formatBase(16)", json!("16")),
    ]);
    refused("$formatInteger(5, '0\u{660}')", "D3131");
    refused("$formatInteger(5, '##')", "D3130");
    refused("$formatBase(1, 37)", "D3100");
    refused("$formatInteger('5', '0')", "T0410");
}

#[test]
fn a_whole_number_is_read_by_its_picture() {
    are(&[
        ("$parseInteger('one thousand, nine hundred and sixty-seven', 'w')", json!(1967)),
        ("$parseInteger('21st', '0;o')", json!(21)),
        ("$parseInteger('12,345', '#,##0')", json!(12_345)),
        // 2.0.6 takes commas out of regular groups, whatever separates them.
        ("$parseInteger('12.345', '#.##0')", json!(12)),
        ("$parseInteger('mcmxcix', 'i')", json!(1999)),
        ("$parseInteger('\u{661}\u{662}', '\u{660}')", json!(12)),
        ("$parseInteger('12 apples', '0')", json!(12)),
        ("['aaa'].$parseInteger('a')", json!(703)),
        ("['apples', 'fivesix', 'mcz'].$parseInteger('0')", json!(["NaN", "NaN", "NaN"])),
        ("$parseInteger('five six and', 'w')", json!("NaN")),
        ("$parseInteger('mcz', 'i')", json!("NaN")),
    ]);
    refused("$parseInteger('x', '#')", "D3130");
    refused("$parseInteger(1, '0')", "T0410");
}

#[test]
fn a_fraction_of_a_year_is_its_month_and_one_of_a_month_its_day() {
    for (text, millis) in [
        ("2020.5", json!(1_588_291_200_000_i64)),
        ("2020.12Z", json!(1_606_780_800_000_i64)),
        ("2020-02.30", json!(1_583_020_800_000_i64)),
        ("2020.005", json!(1_588_291_200_000_i64)),
        ("2020.13", json!("NaN")),
        ("2020.0", json!("NaN")),
        ("2020-02.32", json!("NaN")),
        ("2020-02-03.4", json!("NaN")),
        ("2020.5+00:00", json!("NaN")),
        ("2020.99999999999999999999999999999999999999", json!("NaN")),
    ] {
        assert_eq!(value(&format!("$toMillis('{text}')")), millis, "{text}");
    }
}
