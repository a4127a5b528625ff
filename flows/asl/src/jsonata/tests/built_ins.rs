//! Built-ins that are evaluated here. What is expected was computed with JSONata 2.0.6.

use super::{evaluate_in, value};
use serde_json::{Value, json};

fn written(source: &str) -> Value {
    let input = json!({"amount": -1234.5, "names": ["a b", "c/d"], "text": " 5 ", "none": null});
    evaluate_in(source, &input).unwrap_or_else(|failure| panic!("{source}: {failure}"))
}

fn refused(source: &str, code: &str) {
    let failure = evaluate_in(source, &json!({"text": " 5 ", "list": ["a"]})).expect_err(source);
    assert!(failure.cause.contains(&format!(". {code}: ")), "{source}: {failure}");
}

#[test]
fn a_text_is_a_number_only_as_json_or_a_prefix_writes_it() {
    for (source, expected) in [
        ("$number('12')", json!(12)),
        ("$number('-0.5e+2')", json!(-50)),
        ("$number('007')", json!(7)),
        ("$number('0x1F')", json!(31)),
        ("$number('0b101')", json!(5)),
        ("$number('0O17')", json!(15)),
        ("$number(true)", json!(1)),
        ("('5').$number()", json!(5)),
        ("['1', '2'] ~> $map($number)", json!([1, 2])),
        ("$map(['1', '2'], $number(?))", json!([1, 2])),
        ("'3' ~> $number", json!(3)),
    ] {
        assert_eq!(written(source), expected, "{source}");
    }
    for text in [" 5 ", "5.", ".5", "+5", "", "1_0", "0x", "0xG", "Infinity", "NaN", "1e999"] {
        refused(&format!("$number('{text}')"), "D3030");
    }
    refused("$number($states.input.text)", "D3030");
    refused("$number(['5'])", "T0410");
    refused("$number('5', 1)", "T0410");
}

#[test]
fn a_timestamp_may_have_parts_that_go_on_into_the_next_month_or_day() {
    for (source, expected) in [
        ("$toMillis('2018')", json!(1_514_764_800_000_i64)),
        ("$toMillis('2018-02-30')", json!(1_519_948_800_000_i64)),
        ("$toMillis('2018-02-31T00:00:00Z')", json!(1_520_035_200_000_i64)),
        ("$toMillis('2018-04-01T24:00:00Z')", json!(1_522_627_200_000_i64)),
        ("$toMillis('2018-01-01T10:20:30.1234567+0530')", json!(1_514_782_230_123_i64)),
        ("$toMillis('2018-01-01T10:20:30')", json!(1_514_802_030_000_i64)),
        ("$toMillis('0000-01-01')", json!(-62_167_219_200_000_i64)),
        ("$toMillis('2018-13-01')", json!("NaN")),
        ("$toMillis('2018-02-32')", json!("NaN")),
        ("$toMillis('2018-01-01T24:00:01Z')", json!("NaN")),
        ("$toMillis('2018-01-01T10:20:30+24:00')", json!("NaN")),
        ("('2018-01-01').$toMillis()", json!(1_514_764_800_000_i64)),
        (
            "$map(['2018', '2019'], function($d) { $toMillis($d) })",
            json!([1_514_764_800_000_i64, 1_546_300_800_000_i64]),
        ),
        ("$toMillis('01/02/2018', '[D01]/[M01]/[Y0001]')", json!(1_517_443_200_000_i64)),
        ("$toMillis('31/02/2018', '[D01]/[M01]/[Y0001]')", json!(1_520_035_200_000_i64)),
        (
            "$toMillis('5 March 2018 1:30 pm', '[D] [MNn] [Y] [h]:[m01] [P]')",
            json!(1_520_256_600_000_i64),
        ),
        ("$toMillis('2018-061', '[Y0001]-[d001]')", json!(1_519_948_800_000_i64)),
        ("$toMillis('2018-366', '[Y0001]-[d001]')", json!(1_514_764_800_000_i64)),
        (
            "$toMillis('2018-01-01 25:61', '[Y0001]-[M01]-[D01] [H01]:[m01]')",
            json!(1_514_858_460_000_i64),
        ),
    ] {
        assert_eq!(written(source), expected, "{source}");
    }
    for text in ["abc", "", "2018-04-01T10:20Z", "2018-01-01T10:20:60Z", "2018-1-1", "2018-40-01"] {
        refused(&format!("$toMillis('{text}')"), "D3110");
    }
    refused("$toMillis(2018)", "T0410");
}

/// The clock of these tests stands at 2025-03-21T12:00:00.500Z.
#[test]
fn what_a_picture_leaves_out_is_of_the_time_of_the_execution() {
    for (source, expected) in [
        ("$fromMillis($toMillis('10:30', '[H01]:[m01]'))", json!("2025-03-21T10:30:00.000Z")),
        ("$fromMillis($toMillis('9', '[s]'))", json!("2025-03-21T12:00:09.000Z")),
        ("$fromMillis($toMillis('04-02', '[M01]-[D01]'))", json!("2025-04-02T00:00:00.000Z")),
        ("$fromMillis($toMillis(?, '[H]')('0'))", json!("2025-03-21T00:00:00.000Z")),
        ("$fromMillis($toMillis('12 am', '[h] [P]'))", json!("2025-03-21T00:00:00.000Z")),
        ("$fromMillis($toMillis('1', '[h]'))", json!("2025-03-21T01:00:00.000Z")),
        ("$fromMillis($toMillis('Someday', '[MNn]'))", json!("2025-03-21T12:00:00.500Z")),
    ] {
        assert_eq!(written(source), expected, "{source}");
    }
    refused("$toMillis('2018 5', '[Y0001] [D]')", "D3136");
    let failure = evaluate_in("$toMillis('x', '[Y0001]')", &json!({})).unwrap_err();
    assert!(failure.cause.ends_with("returned nothing (undefined)."));
}

#[test]
fn a_picture_may_come_from_anywhere() {
    for (picture, text, expected) in [
        ("'[D01]/[M01]/[Y0001]'", "31/02/2018", json!(1_520_035_200_000_i64)),
        ("'[D01]/[M01]' & '/[Y0001]'", "31/02/2018", json!(1_520_035_200_000_i64)),
        ("'[H01]:[m01]'", "10:30", json!(1_742_553_000_000_i64)),
        ("'[D1o] [MNn] [Y0001]'", "2nd March 2018", json!(1_519_948_800_000_i64)),
        ("$states.input.missing", "2018-02-30", json!(1_519_948_800_000_i64)),
    ] {
        for call in [
            format!("$toMillis('{text}', {picture})"),
            format!("($p := {picture}; $toMillis('{text}', $p))"),
            format!("($p := {picture}; '{text}' ~> $toMillis($p))"),
            format!("($f := $toMillis('{text}', ?); $f({picture}))"),
            format!("($f := $toMillis; $f('{text}', {picture}))"),
            format!("['{text}'].$toMillis($, {picture})"),
        ] {
            assert_eq!(written(&call), expected, "{call}");
        }
    }
    refused("$toMillis('2018', $number('5'))", "T0410");
    refused("($p := '[Y0001] [D]'; $toMillis('2018 5', $p))", "D3136");
}

#[test]
fn a_number_is_written_by_its_picture() {
    for (source, expected) in [
        ("$formatNumber(12345.678, '#,##0.00')", "12,345.68"),
        ("$formatNumber(0.125, '0.00')", "0.12"),
        ("$formatNumber(-0.3, '0')", "-0"),
        ("$formatNumber(-5, '$0.00')", "-$5.00"),
        ("$formatNumber(-5, '0.0', {'minus-sign': '~'})", "~5.0"),
        ("$formatNumber(-5, '0.0;(0.0)')", "(5.0)"),
        ("$formatNumber(0.145, '0%')", "14%"),
        ("$formatNumber(0.5, '\u{2030}0')", "\u{2030}500"),
        ("$formatNumber(0.14, '##0pm', {'per-mille': 'pm'})", "140pm"),
        ("$formatNumber(0.14, '0pc', {'percent': 'pc'})", "14pc"),
        ("$formatNumber(1234.5678, '00.000e00')", "12.346e02"),
        ("$formatNumber(0.00012, '0.0e0')", "1.2e-4"),
        ("$formatNumber(0.00012, '0.0e0', {'minus-sign': '~'})", "1.2e~4"),
        ("$formatNumber(1234567, '#,##,##0')", "12,34,567"),
        ("$formatNumber(12.3456, '0.0#,##')", "12.34,56"),
        ("$formatNumber(123, '#,##,##0')", "1,2,3"),
        ("$formatNumber(2.5, '#,##,###.00')", ",2.5,0"),
        ("$formatNumber(1.2, '0.##,##')", "1.2,"),
        ("$formatNumber(0.1234567, '0.00,00,00')", "0.12,3457"),
        ("$formatNumber(1234567.1234567, '#,###,##0.00,00,00')", "1,234,567.12,3,457"),
        ("$formatNumber(12, '\u{660}', {'zero-digit': '\u{660}'})", "\u{661}\u{662}"),
        (
            "$formatNumber(1234.5, '#.##0,0', {'decimal-separator': ',', 'grouping-separator': '.'})",
            "1.234,5",
        ),
        ("$formatNumber(0, '#')", "0"),
        ("$formatNumber(0.5, '.0')", ".5"),
        ("$formatNumber(5, '#0#')", "5"),
        ("$states.input.amount.$formatNumber('#,##0.0')", "-1,234.5"),
        ("3 ~> $formatNumber('00')", "03"),
        ("$map([1, 2], $formatNumber(?, '00'))[1]", "02"),
    ] {
        assert_eq!(written(source), json!(expected), "{source}");
    }
    for (picture, code) in [
        ("0;0;0", "D3080"),
        ("0.0.0", "D3081"),
        ("0%%", "D3082"),
        ("abc", "D3086"),
        ("x", "D3086"),
        ("0a0", "D3086"),
        ("0,.0", "D3087"),
        ("0,", "D3088"),
        ("0,,0", "D3089"),
        ("0#", "D3090"),
        ("0.#0", "D3091"),
        ("0e0%", "D3092"),
        ("0e", "D3093"),
        ("", "D3085"),
    ] {
        refused(&format!("$formatNumber(1, '{picture}')"), code);
    }
    refused("$formatNumber('1', '0')", "T0410");
    refused("$formatNumber(1, '0', 'x')", "T0410");
    refused("$formatNumber(1, $pad('', 4000, '0'))", "D3085");
    let failure = evaluate_in("$formatNumber(1, $pad('', 70000, '0'))", &json!({})).unwrap_err();
    assert!(failure.cause.contains("memory limit exceeded"), "{failure}");
}

#[test]
fn what_encodes_and_decodes_takes_the_context_and_leaves_the_marks_of_a_url() {
    for (source, expected) in [
        ("$encodeUrlComponent('-_.!~*()/? \u{e9}')", json!("-_.!~*()%2F%3F%20%C3%A9")),
        ("$states.input.names.$encodeUrlComponent()", json!(["a%20b", "c%2Fd"])),
        ("$states.input.names.$encodeUrl()", json!(["a%20b", "c/d"])),
        ("$states.input.names.$base64encode().$base64decode()", json!(["a b", "c/d"])),
        ("$states.input.names.$encodeUrl().$decodeUrl()", json!(["a b", "c/d"])),
        ("$map($states.input.names, $encodeUrlComponent)", json!(["a%20b", "c%2Fd"])),
    ] {
        assert_eq!(written(source), expected, "{source}");
    }
    refused("$encodeUrl('a', 'b')", "T0410");
}

#[test]
fn a_place_in_a_text_may_be_any_number() {
    for (source, expected) in [
        ("$substring('abc', 1, 1e300)", "bc"),
        ("$substring('abc', -1e300, 2)", "ab"),
        ("$substring('abc', -2)", "bc"),
        ("$substring('abc', 1e300, 1e300)", ""),
    ] {
        assert_eq!(value(source), json!(expected), "{source}");
    }
}

/// tiny-asl-machine, `Feature.JSONataBuiltins` 009 to 046, recorded on AWS.
#[test]
fn the_functions_of_step_functions_refuse_in_its_words() {
    let input = json!({"text": "x", "list": [1, 2, 3], "none": null});
    let ending = |source: &str| {
        let failure = evaluate_in(source, &input).expect_err(source);
        let (_, ending) = failure.cause.split_once("threw an error during evaluation. ").unwrap();
        ending.to_owned()
    };
    for (source, argument, name) in [
        ("$partition($states.input.list, '2')", 2, "partition"),
        ("$partition($states.input.list, $states.input.none)", 2, "partition"),
        ("$partition($states.input.list, 2, 99)", 3, "partition"),
        ("$range('a', 5, 1)", 1, "range"),
        ("$range(1, 5, null)", 3, "range"),
        ("$range(1, 5, 1, 99)", 4, "range"),
        ("$hash(123, 'SHA-256')", 1, "hash"),
        ("$hash()", 1, "hash"),
        ("$hash('hello', 'SHA-256', 'extra')", 3, "hash"),
        ("$parse($states.input.none)", 1, "parse"),
        ("$parse('1', 1)", 2, "parse"),
        ("$uuid('x')", 1, "uuid"),
        ("$uuid(1, 2)", 1, "uuid"),
        ("$random(null)", 1, "random"),
        ("$random(77, 88)", 2, "random"),
    ] {
        let wanted = format!(
            "T0410: Argument {argument} of function \"{name}\" does not match function signature"
        );
        assert_eq!(ending(source), wanted, "{source}");
    }
    for (source, wanted) in [
        (
            "$partition($states.input.text, 2)",
            "T0412: Argument 1 of function \"partition\" must be an array of undefined",
        ),
        ("$partition($states.input.list, -1)", "D3137: Second argument must be zero or greater"),
        (
            "$hash('data', 'sha-256')",
            "D3137: Hash algorithm 'sha-256' must be one of SHA-1, SHA-384, SHA-256, SHA-512, MD5",
        ),
        ("$parse('{bad json}')", "D3137: Invalid JSON"),
        ("$parse('')", "D3137: Invalid JSON"),
    ] {
        assert_eq!(ending(source), wanted, "{source}");
    }
    assert_eq!(value("$partition([1, 2, 3])"), json!([[1, 2, 3]]));
}

#[test]
fn a_function_of_step_functions_that_is_handed_on_takes_no_more_than_it_knows() {
    assert_eq!(value("$map(['{}', '1'], $parse)"), json!([{}, 1]));
    assert_eq!(value("$filter(['true', 'false'], $parse)"), json!("true"));
    assert_eq!(value("$count($map([1, 2], $uuid))"), json!(2));
    assert_eq!(value("$map([7, 7], $random) ~> $distinct ~> $count"), json!(1));
}
