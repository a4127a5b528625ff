//! Where other evaluators come to something else than JSONata 2.0.6. What is expected was computed with
//! that.

use super::{cause, evaluate_in, value};
use serde_json::{Value, json};

fn all(cases: &[(&str, Value)]) {
    for (source, expected) in cases {
        assert_eq!(value(source), *expected, "{source}");
    }
}

fn failures(cases: &[(&str, &str)]) {
    for (source, words) in cases {
        let cause = cause(source);
        assert!(cause.ends_with(&format!(". {words}")), "{source}: {cause}");
    }
}

#[test]
fn a_division_of_nought_by_nought_is_a_value_and_no_operand() {
    let left = |operator: &str| {
        format!("T2001: The left side of the \"{operator}\" operator must evaluate to a number")
    };
    let right = |operator: &str| {
        format!("T2002: The right side of the \"{operator}\" operator must evaluate to a number")
    };
    failures(&[
        ("(0 / 0) * 100", &left("*")),
        ("100 - (3 % 0)", &right("-")),
        ("12345.678 / (-4 % 0)", &right("/")),
        ("0.1 + 0.2 % 0", &right("+")),
        ("($average := 0 / 0; $average + 1)", &left("+")),
        ("(true ? 0 / 0 : 1) % 2", &left("%")),
        ("$map([0, 1], function($n) { $n / 0 * 100 })", &left("*")),
        ("'x' & (0 / 0)", "D3001: Attempting to invoke string function on Infinity or NaN"),
    ]);
    all(&[
        ("0 / 0", json!("NaN")),
        ("0 / 0 > 1", json!(false)),
        ("10 / 4 * 2", json!(5)),
        ("7 % 4 + 1", json!(4)),
        ("($part := 10 / 4; $part * 2)", json!(5)),
        ("$round(10 / 3 * 100) / 100", json!(3.33)),
    ]);
    assert!(super::evaluate("(0 / 0) * $nothing").is_err());
    assert!(cause("(10 / 4) * $nothing").ends_with("returned nothing (undefined)."));
}

#[test]
fn spread_and_keys_go_through_arrays_in_arrays() {
    all(&[
        ("$spread([[{'a': 1, 'b': 2}], 3, 'x'])", json!([{"a": 1}, {"b": 2}, 3, "x"])),
        ("$spread([[1, 2], [3, [4, 5]], []])", json!([1, 2, 3, 4, 5])),
        ("[[1, 2], [3]] ~> $spread", json!([1, 2, 3])),
        ("[[1, 2], [3]] ~> $spread()", json!([1, 2, 3])),
        ("$spread({'a': [1]})", json!({"a": [1]})),
        ("$keys([[{'a': 1}], {'b': 2}])", json!(["a", "b"])),
        ("[[{'a': 1}], {'b': 2}] ~> $keys", json!(["a", "b"])),
        ("$map([{'a': 1}, 'x'], $keys)", json!([["a"], []])),
        ("$map([{'a': 1}, 'x'], $spread)", json!([[{"a": 1}], "x"])),
        ("$map([{'a': 1}, 'x'], function($v) { $keys($v) })", json!([["a"], []])),
        ("({'a': 1}).$keys()", json!("a")),
    ]);
}

#[test]
fn what_is_filtered_is_a_sequence_though_it_be_of_one_value() {
    all(&[
        (
            "$map([{'a': {'w': 1}}], function($v) { $filter($v.a, function($x) { $x.w = 1 }) })",
            json!([{"w": 1}]),
        ),
        (
            "$map([{'a': 1}, {'a': 2}], function($v) { $filter($v.a, function($x) { $x > 0 }) })",
            json!([[1], [2]]),
        ),
        ("$filter({'a': 1}, function($x) { $x.a = 1 })", json!({"a": 1})),
        ("{'a': 1} ~> $filter(function($x) { $x.a = 1 })", json!({"a": 1})),
        ("$filter(5, function($x) { $x > 1 })[]", json!([5])),
        ("$filter(null, function($x) { true })", json!(null)),
        ("($f := $filter(?, function($x) { $x > 1 }); $f([1, 2, 3]))", json!([2, 3])),
        ("$count($filter($nothing, function() { true }))", json!(0)),
    ]);
}

#[test]
fn a_function_replaces_what_a_regular_expression_finds_and_a_text_that_is_not_there() {
    all(&[
        ("$replace('abc', 'z', function($m) { 'y' })", json!("abc")),
        ("$replace('abc', 'b', function($m) { 'y' }, 0)", json!("abc")),
        ("'abc' ~> $replace('z', function($m) { 'y' })", json!("abc")),
        ("($p := 'z'; $replace('abc', $p, function($m) { 'y' }))", json!("abc")),
        ("($p := /b/; $replace('abc', $p, function($m) { 'y' }))", json!("ayc")),
    ]);
    failures(&[
        (
            "$replace('abc', '', function($m) { 'y' })",
            "D3010: Second argument of replace function cannot be an empty string",
        ),
        (
            "$replace('abc', 'z', function($m) { 'y' }, -1)",
            "D3011: Fourth argument of replace function must evaluate to a positive number",
        ),
    ]);
    let found = cause("$replace('abc', 'b', function($m) { 'y' })");
    assert!(found.contains("takes a regular expression"), "{found}");
    let missing = cause("$replace($nothing, 'b', function($m) { 'y' })");
    assert!(missing.ends_with("(undefined)."), "{missing}");
}

#[test]
fn what_is_told_of_a_wrong_argument_names_the_function_that_was_given_it() {
    let input = json!({"object": {"a": 1}, "number": 5, "names": ["a"], "none": null});
    for (source, words) in [
        ("$.number ~> $uppercase", "T0410: Argument 1 of function \"uppercase\" does not match"),
        ("$.number ~> $pad(10) ~> $merge", "T0410: Argument 2 of function \"pad\" does not match"),
        ("$.number ~> $round('a')", "T0410: Argument 2 of function \"round\" does not match"),
        ("$.number.$uppercase()", "T0411: Context value is not a compatible type with argument 1"),
        ("$.object.$lowercase()", "T0411: Context value is not a compatible type with argument 1"),
        ("$.object.$number()", "T0411: Context value is not a compatible type with argument 1"),
        ("$.none.$number()", "T0411: Context value is not a compatible type with argument 1"),
        ("$.number.$base64decode()", "T0411: Context value is not a compatible type with argument"),
        ("$.object.$formatNumber('0')", "T0411: Context value is not a compatible type with arg"),
        ("$formatNumber('1', '0')", "T0410: Argument 2 of function \"formatNumber\" does not"),
        ("$exists()", "T0410: Argument 1 of function \"exists\" does not match"),
        ("$filter()", "T0410: Argument 1 of function \"filter\" does not match"),
        ("$filter([[1]], $number)", "T0410: Argument 1 of function \"filter\" does not match"),
        (
            "$.names ~> $sum",
            "T0412: Argument 1 of function \"sum\" must be an array of \"numbers\"",
        ),
        (
            "$.names ~> $join ~> $map($string) ~> $merge",
            "T0412: Argument 1 of function \"merge\" must be an array of \"objects\"",
        ),
        (
            "$.object ~> |$|1|",
            "T2011: The insert/update clause of the transform expression must evaluate to an \
             object: 1",
        ),
        (
            "$.object ~> |$|{'b': 2}, 1|",
            "T2012: The delete clause of the transform expression must evaluate to a string or \
             array of strings: 1",
        ),
        (
            "$.number ~> function($n) { $n < 'a' }",
            "T2009: The values 5 and \"a\" either side of operator \"<\" must be of the same data",
        ),
    ] {
        let source = source.replacen("$.", "$states.input.", 1);
        let failure = evaluate_in(&source, &input).expect_err(&source);
        assert!(failure.cause.contains(&format!(". {words}")), "{source}: {failure}");
    }
}

#[test]
fn an_expression_that_cannot_be_parsed_is_told_with_the_code_first() {
    let wrong = super::Expression::parse("$states.input{'a': 1}{'b': 2}").unwrap_err();
    assert_eq!(wrong.message, "S0210: Each step can only have one grouping expression");
}

#[test]
fn very_large_numbers_are_rounded_to_themselves() {
    all(&[
        ("$round(1e21, 2) = 1e21", json!(true)),
        ("$round(-1.5e22, 3) = -1.5e22", json!(true)),
        ("$round(1.005, 2)", json!(1)),
        ("$round(123.456, -400)", json!(0)),
        ("$map([1.25, 2.35], $round)", json!([1, 2.4])),
        ("(2.5).$round()", json!(2)),
    ]);
}

#[test]
fn a_sort_after_an_operator_is_of_all_that_it_gives() {
    all(&[
        ("[1, 3, 2] ~> $filter(function($v) { $v > 1 })^(>$)", json!([3, 2])),
        ("[1, 3, 2] ~> $map($string)^(>$)[0]", json!("3")),
        ("[1, 3, 2] ~> $map($string)^(>$) ~> $join('-')", json!("3-2-1")),
        ("[1, 3, 2] ~> $map(function($v) { $v })^(>$).($ * 2)", json!([6, 4, 2])),
        ("$states.input.items ~> $filter(function($v) { $v.n > 0 })^(>n).id", json!(["q", "p"])),
        ("'x' & $list^(>$)", json!("x[1,2,3]")),
        ("[1, 3, 2] ~> $map(function($v) { $v })^(>$)[0] * 2", json!(6)),
        ("[1, 3, 2] ~> $map(function($v) { $v })^(>$)[0] & 'x'", json!("3x")),
        ("[1, 3, 2] ~> $map(function($v) { $v })^(>$)[0] + 1 = 4", json!(true)),
        ("1 + 2 * 7^($) * 2", json!(30)),
        ("1 + 2 * 7^($) & 'a'", json!("15a")),
        ("3 - 2 * 7^($) * 2 - 1^($) * 3", json!(-69)),
        ("'a' & ($list^(>$))[0]", json!("a3")),
        ("$list^(>$)[0] = 3", json!(true)),
        ("3 = $list^(>$)[0]", json!(false)),
        ("$count($list) = 3 and $list^(>$)[0] = 3", json!(true)),
        ("true ? $list^(>$) : 1", json!([3, 2, 1])),
        ("1 + 2 * 7^($)", json!(15)),
        ("($l := $list^(>$); $l)", json!([3, 2, 1])),
    ]);
    failures(&[(
        "1 + $list^(>$)[0]",
        "T2002: The right side of the \"+\" operator must evaluate to a number",
    )]);
}

#[test]
fn a_predicate_or_a_grouping_of_a_call_that_is_piped_into_is_passed_over() {
    all(&[
        ("$list ~> $reverse()[0]", json!([3, 2, 1])),
        ("$list ~> $sum(){'a': 1}", json!(6)),
        ("($f := function($x) { [5, 6, 7] }; 1 ~> $f()[0])", json!([5, 6, 7])),
        ("($list ~> $reverse())[0]", json!(3)),
        ("[1] ~> $map(function($v) { $v })[]", json!([1])),
    ]);
}

#[test]
fn a_list_of_one_that_a_function_ends_with_stays_one_when_the_function_is_piped_into() {
    all(&[
        (
            "{'a': 'x'} ~> $map(function($v) { $map($v.a, function($y) { {'y': $y} }) })",
            json!([{"y": "x"}]),
        ),
        (
            "[{'a': 'x'}] ~> $map(function($v) { $filter($v.a, function($y) { true }) })",
            json!(["x"]),
        ),
        ("{'a': 'x'} ~> $each(function($v) { $map($v, function($y) { $y }) })", json!(["x"])),
        ("[{'a': 'x'}] ~> $map(function($v) { $v.a })", json!("x")),
        ("($map := function($x, $f) { $f($x) }; 7 ~> $map(function($v) { $v + 1 }))", json!(8)),
    ]);
}

#[test]
fn a_path_that_begins_in_an_empty_constructor_comes_to_that() {
    all(&[
        ("[].a", json!([])),
        ("[$nothing].$string()", json!([])),
        ("[5..4].($ * $)", json!([])),
        ("[].a[]", json!([[]])),
        ("[].a^($)", json!([])),
        ("[].a@$x.$x", json!([])),
        ("$count([].a)", json!(0)),
        ("[].a{'k': 1}", json!({"k": 1})),
        ("[[1, 2], []]^($count($))[0]", json!([])),
    ]);
    for source in ["([]).a", "[][0].a", "[5..4]#$i.$i", "[[]].a", "($none := []; $none.a)"] {
        assert!(cause(source).ends_with("returned nothing (undefined)."), "{source}");
    }
}

#[test]
fn of_one_item_that_is_taken_from_a_constructor_a_path_finds_characters_and_nothing_else() {
    all(&[
        ("['abc'][0].$length()", json!([1, 1, 1])),
        ("['abc', 'de'][1].$uppercase($)", json!(["D", "E"])),
        ("[[{'n': 5}]][0].n", json!(5)),
        ("[{'n': 5}, {'n': 6}][n > 4].n", json!([5, 6])),
        ("([{'n': 5}])[0].n", json!(5)),
        ("([{'n': 5}][0]).n", json!(5)),
        ("($made := [{'n': 5}]; $made[0].n)", json!(5)),
        ("[{'n': 5}][0]", json!({"n": 5})),
    ]);
    for source in ["[{'n': 5}][0].n", "[$states.input.items][0].[n]", "[7][0].($ + 1)"] {
        assert!(cause(source).ends_with("returned nothing (undefined)."), "{source}");
    }
    assert!(cause("[null][0].$").ends_with(": Cannot read properties of null"));
}

#[test]
fn a_predicate_that_is_nothing_but_a_parent_takes_nothing() {
    for source in ["$states.input.a.b[%]", "$list[%]", "($list[%])"] {
        assert!(cause(source).ends_with("returned nothing (undefined)."), "{source}");
    }
    assert_eq!(value("$states.input.items.n[%.id = 'q']"), json!(2));
}

#[test]
fn a_chain_and_a_transform_that_are_called_take_one_value() {
    all(&[
        ("($f := $uppercase ~> $length; $f('abc', 5))", json!(3)),
        ("($f := function($x) { [$x] } ~> $count; $f())", json!(0)),
        ("($f := |$|{'n': 1}|; $f({}))", json!({"n": 1})),
    ]);
    failures(&[
        (
            "($f := |$|{}|; $f())",
            "T0410: Argument 1 of function \"f\" does not match function signature",
        ),
        (
            "[{}].($f := |$|{}|; $f())",
            "T0410: Argument 1 of function \"f\" does not match function signature",
        ),
        (
            "($f := |$|{}|; $f({}, 1))",
            "T0410: Argument 2 of function \"f\" does not match function signature",
        ),
    ]);
    for source in ["($f := $uppercase ~> $length; $f())", "($f := |$|{}|; $f($nothing))"] {
        assert!(cause(source).ends_with("returned nothing (undefined)."), "{source}");
    }
}

#[test]
fn a_number_that_is_rounded_to_none_is_the_word_null_in_a_text() {
    all(&[
        ("$string(1.7976931348623157e308)", json!("null")),
        ("[-1.7976931348623157e308, 1e308] & ''", json!("[null,1e+308]")),
        ("$string(1.797693134862315e308)", json!("1.79769313486231e+308")),
    ]);
}
