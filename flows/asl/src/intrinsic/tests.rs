use super::*;
use crate::scope::{Entropy, Variables};
use proptest::prelude::*;
use serde_json::json;

fn evaluate(call: &str, input: &Value) -> Result<Value, Failure> {
    let context = json!({"State": {"Name": "S"}});
    let mut variables = Variables::new();
    variables.assign("list", json!([3, 4]));
    let entropy = Entropy::new(5);
    let scope = Scope {
        input,
        context: &context,
        variables: &variables,
        states: None,
        now: jiff::Timestamp::UNIX_EPOCH,
        entropy: &entropy,
    };
    Intrinsic::parse(call).expect(call).evaluate(&scope)
}

#[test]
fn each_function_gives_what_the_developer_guide_shows() {
    let input = json!({
        "arr": [1, 2, 3, 4, 5, 6, 7, 8, 9], "five": 5, "dup": [1, 2, 3, 3, 3, 3, 3, 3, 4], "i": 5,
        "text": "Data to encode", "b64": "RGVjb2RlIHRoaXMgc3RyaW5n",
        "j1": {"a": {"a1": 1, "a2": 2}, "b": 2}, "j2": {"a": {"a3": 1, "a4": 2}, "c": 3},
        "escaped": "{\"foo\": \"bar\"}", "un": {"foo": "bar"}, "csv": "1,2,3,4,5",
        "multi": "This.is+a,test=string", "name": "Arnav", "template": "Hello, my name is {}."
    });
    for (call, expected) in [
        ("States.Array('a', 1, $.five, null, true)", json!(["a", 1, 5, null, true])),
        ("States.Array()", json!([])),
        ("States.ArrayPartition($.arr, 4)", json!([[1, 2, 3, 4], [5, 6, 7, 8], [9]])),
        ("States.ArrayContains($.arr, $.five)", json!(true)),
        ("States.ArrayContains($.arr, 5.0)", json!(true)),
        ("States.ArrayContains($.arr, '5')", json!(true)),
        ("States.ArrayRange(1, 9, 2)", json!([1, 3, 5, 7, 9])),
        ("States.ArrayRange(3, 1, -1)", json!([3, 2, 1])),
        ("States.ArrayGetItem($.arr, $.i)", json!(6)),
        ("States.ArrayGetItem($.arr, 1.6)", json!(2)),
        ("States.ArrayLength($.arr)", json!(9)),
        ("States.ArrayLength($list)", json!(2)),
        ("States.ArrayUnique($.dup)", json!([1, 2, 3, 4])),
        ("States.Base64Encode($.text)", json!("RGF0YSB0byBlbmNvZGU=")),
        ("States.Base64Decode($.b64)", json!("Decode this string")),
        ("States.Base64Decode('YWI')", json!("ab")),
        ("States.Hash('input data', 'SHA-1')", json!("aaff4a450a104cd177d28d18d74485e8cae074b7")),
        ("States.JsonMerge($.j1, $.j2, false)", json!({"a": {"a3": 1, "a4": 2}, "b": 2, "c": 3})),
        ("States.StringToJson($.escaped)", json!({"foo": "bar"})),
        ("States.JsonToString($.un)", json!("{\"foo\":\"bar\"}")),
        ("States.MathAdd(111, -1)", json!(110)),
        ("States.StringSplit($.csv, ',')", json!(["1", "2", "3", "4", "5"])),
        ("States.StringSplit($.multi, '.+,=')", json!(["This", "is", "a", "test", "string"])),
        ("States.Format('Hello, my name is {}.', $.name)", json!("Hello, my name is Arnav.")),
        ("States.Format($.template, $.name)", json!("Hello, my name is Arnav.")),
        ("States.Format('{} {} {}', null, true, 1.5)", json!("null true 1.5")),
        ("States.Format('{}', $.un)", json!("{foo=bar}")),
        ("States.Format('{} {} {}', 1.50, 10000000.0, 0.00012)", json!("1.5 1.0E7 1.2E-4")),
        ("States.Format('{} {}', 100000000, 0.0)", json!("100000000 0.0")),
        ("States.Format('{} {}', $.j1, $list)", json!("{a={a1=1, a2=2}, b=2} [3, 4]")),
        ("States.Format('{}', States.Array('x', null, $.un))", json!("[x, null, {foo=bar}]")),
        (r"States.Format('it\'s \{\} \\ {}', 1)", json!(r"it's {} \ 1")),
        (r#"States.StringToJson('{"t":"a \"b\""}')"#, json!({"t": "a \"b\""})),
        ("States.Format('{}', States.MathAdd(1, States.ArrayLength($.arr)))", json!("10")),
        ("States.ArrayLength($.arr[?(@ > 4)])", json!(5)),
        ("States.Format('{}', $['name'])", json!("Arnav")),
        ("States.Format('{}', $$.State.Name)", json!("S")),
        ("States.ArrayLength($.nothing[*].x)", json!(0)),
    ] {
        assert_eq!(
            evaluate(call, &input).unwrap_or_else(|f| panic!("{call}: {f}")),
            expected,
            "{call}"
        );
    }
}

#[test]
fn hashes_are_those_of_the_standards() {
    for (algorithm, hex) in [
        ("MD5", "900150983cd24fb0d6963f7d28e17f72"),
        ("SHA-1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ] {
        assert_eq!(
            evaluate(&format!("States.Hash('abc', '{algorithm}')"), &json!({})).unwrap(),
            hex
        );
    }
    assert_eq!(
        evaluate("States.Hash('abc', 'SHA-384')", &json!({})).unwrap().as_str().unwrap().len(),
        96
    );
    assert_eq!(
        evaluate("States.Hash('abc', 'SHA-512')", &json!({})).unwrap().as_str().unwrap().len(),
        128
    );
}

#[test]
fn random_numbers_lie_within_and_a_seed_repeats_them() {
    for seed in 0..200 {
        let number = evaluate(&format!("States.MathRandom(1, 4, {seed})"), &json!({})).unwrap();
        assert!((1..4).contains(&number.as_i64().unwrap()));
        assert_eq!(
            number,
            evaluate(&format!("States.MathRandom(1, 4, {seed})"), &json!({})).unwrap()
        );
    }
    assert_eq!(evaluate("States.MathRandom(7, 8)", &json!({})).unwrap(), 7);
}

#[test]
fn a_path_that_finds_nothing_is_a_runtime_error_that_quotes_the_outermost_call() {
    for (call, field) in [
        ("States.Format('{}', $.nope)", "$.nope"),
        ("States.Format('{}',States.ArrayLength($.nope))", "$.nope"),
        ("States.Format('{} {}', $.other, $.a.b)", "$.a.b"),
        ("States.Format('{}', $$.Nope.Deep)", "$.Nope.Deep"),
        ("States.ArrayLength($.list[5])", "$.list[5]"),
    ] {
        let failure = evaluate(call, &json!({"other": 1, "list": [1]})).unwrap_err();
        assert_eq!(failure.error, "States.Runtime");
        assert_eq!(
            failure.cause,
            format!(
                "The function '{call}' had the following error: The JsonPath argument for the \
                 field '{field}' could not be found in the input '{{\"other\":1,\"list\":[1]}}'"
            )
        );
    }
}

/// Recorded on AWS, one or more for each function: github.com/gabrielmoreira/tiny-asl-machine,
/// `tests/conformance/cases/.snapshots/aws/States.*`. The error is not `States.IntrinsicFailure`.
#[test]
fn arguments_that_do_not_fit_are_a_runtime_error_that_does_not_say_why() {
    let long = "x".repeat(10_001);
    for call in [
        "States.Format(1)",
        "States.StringToJson(123)",
        "States.ArrayPartition($list, 0)",
        "States.ArrayPartition($list, 0.49)",
        "States.ArrayPartition($list, -0.6)",
        "States.ArrayPartition('x', 1)",
        "States.ArrayRange(1, 1001, 1)",
        "States.ArrayRange(1, 9, 0)",
        "States.ArrayRange(1, 10, 0.49)",
        "States.ArrayRange('a', 5, 1)",
        "States.ArrayGetItem($list, 2)",
        "States.ArrayGetItem($list, -1)",
        "States.ArrayGetItem($list, '1')",
        "States.ArrayLength('x')",
        "States.ArrayContains('x', 'x')",
        "States.ArrayUnique('x')",
        &format!("States.Base64Encode('{long}')"),
        "States.Base64Decode(123)",
        &format!("States.Hash('{long}', 'MD5')"),
        "States.Hash('x', 'sha-256')",
        "States.Hash('x', 123)",
        "States.JsonMerge($, $, true)",
        "States.JsonMerge($, 1, false)",
        "States.MathAdd(2147483647, 1)",
        "States.MathAdd(2147483648, 0)",
        "States.MathAdd('1', 0)",
        "States.MathRandom(2, 2)",
        "States.MathRandom(1.4, 1.6)",
        "States.StringSplit(1, ',')",
    ] {
        let name = call.split('(').next().unwrap();
        let failure = evaluate(call, &json!({})).expect_err(call);
        assert_eq!(failure.error, "States.Runtime", "{call}");
        assert_eq!(
            failure.cause,
            format!(
                "There was an error while evaluating the intrinsic function: {call}. Invalid \
                 arguments in {name}"
            )
        );
    }
    assert_eq!(
        evaluate("States.ArrayRange(1, 1000, 1)", &json!({})).unwrap().as_array().unwrap().len(),
        1000
    );
    // The whole call is quoted, and the function named that refused (Feature.IntrinsicComposition 003).
    let nested = "States.ArrayLength(States.JsonToString($.items))";
    assert_eq!(
        evaluate(nested, &json!({"items": [1]})).unwrap_err().cause,
        format!(
            "There was an error while evaluating the intrinsic function: {nested}. Invalid \
             arguments in States.ArrayLength"
        )
    );
}

/// Recorded on AWS, as above: States.Format 018 to 020. The one about `{}` has their form.
#[test]
fn a_template_that_is_none_says_which_brace_is_alone() {
    for (call, words) in [
        (
            "States.Format('Hello {', 1)",
            "template in States.Format: matching '}' not found for '{'.",
        ),
        (
            "States.Format('Hello {{}}', 1)",
            "template in States.Format: matching '}' not found for '{'.",
        ),
        ("States.Format('}')", "template in States.Format: matching '{' not found for '}'."),
        (
            "States.Format('{} {}', 1)",
            "arguments in States.Format: number of arguments do not match the occurrences of {}.",
        ),
        (
            "States.Format('{}', 1, 2)",
            "arguments in States.Format: number of arguments do not match the occurrences of {}.",
        ),
    ] {
        assert_eq!(
            evaluate(call, &json!({})).expect_err(call).cause,
            format!(
                "There was an error while evaluating the intrinsic function: {call}. Invalid {words}"
            )
        );
    }
}

/// The first three recorded on AWS, as above: States.StringToJson 011, 012, 014.
#[test]
fn a_text_that_is_no_json_is_refused_in_the_readers_words() {
    const AT: &str = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column:";
    let token = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    for (text, words, column) in [
        (
            "{bad json}",
            "Unexpected character ('b' (code 98)): was expecting double-quote to start field name",
            2,
        ),
        (
            "{\"a\":1",
            &*format!(
                "Unexpected end-of-input: expected close marker for Object (start marker at {AT} 1])"
            ),
            7,
        ),
        ("undefined", &*format!("Unrecognized token 'undefined': was expecting {token}"), 10),
        ("Task timed out", &*format!("Unrecognized token 'Task': was expecting {token}"), 5),
        (
            "[1 2]",
            "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries",
            4,
        ),
        (
            "{\"a\" 1}",
            "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
            6,
        ),
        (
            "[1,]",
            &*format!("Unexpected character (']' (code 93)): expected a valid value {token}"),
            4,
        ),
    ] {
        let failure =
            evaluate("States.StringToJson($.json)", &json!({ "json": text })).unwrap_err();
        assert_eq!(
            failure.cause,
            format!(
                "There was an error while evaluating the intrinsic function: \
                 States.StringToJson($.json). Cannot convert String to Json in \
                 States.StringToJson, caused by: {words}\n at {AT} {column}]"
            ),
            "{text}"
        );
    }
}

/// Observed on AWS where the developer guide does not say it, or says something else: the notes of
/// the cases of github.com/gabrielmoreira/tiny-asl-machine, `tests/conformance/cases/States.*.ts`.
#[test]
fn functions_answer_as_aws_was_seen_to_answer() {
    let input = json!({
        "three": [10, 20, 30], "five": [1, 2, 3, 4, 5], "none": [], "empty": "", "deep": "false",
        "flags": [true, false, true, false], "lists": [[1, 2], [1, 2], [2, 1]],
        "letters": ["a", "b", "a", "c", "b"], "nulls": [null, null, 1, null],
        "alike": [1, "1", 1, "01"], "ab": {"a": 1, "b": 2}, "ba": {"b": 2, "a": 1},
        "halves": [1.6, 2.7], "texts": ["true", "9007199254740991"], "numbers": [0, 1, -1, -1.5]
    });
    for (call, expected) in [
        ("States.ArrayRange(1.4, 5.6, 2.2)", json!([1, 3, 5])),
        ("States.ArrayRange(1.6, 1.4, 1)", json!([1])),
        ("States.ArrayRange(5.4, -0.6, -2.4)", json!([5, 3, 1])),
        ("States.ArrayPartition($.five, 2.6)", json!([[1, 2], [3, 4], [5]])),
        ("States.ArrayGetItem($.three, 1.2)", json!(20)),
        ("States.ArrayGetItem($.none, 999)", json!(null)),
        ("States.MathAdd($.halves[0], $.halves[1])", json!(5)),
        ("States.StringToJson($.empty)", json!(null)),
        ("States.JsonMerge($.ab, $.ba, $.deep)", json!({"a": 1, "b": 2})),
        ("States.ArrayUnique($.flags)", json!([false, true])),
        ("States.ArrayUnique($.lists)", json!([[2, 1], [1, 2]])),
        ("States.ArrayUnique($.letters)", json!(["a", "b", "c"])),
        ("States.ArrayUnique($.nulls)", json!([null, 1])),
        ("States.ArrayUnique($.alike)", json!([1, "1", "01"])),
        ("States.ArrayUnique(States.Array($.ab, $.ba))", json!([{"a": 1, "b": 2}])),
        ("States.ArrayContains(States.Array($.ab), $.ba)", json!(false)),
        ("States.ArrayContains($.texts, true)", json!(true)),
        ("States.ArrayContains($.texts, 9007199254740991)", json!(true)),
        ("States.ArrayContains($.numbers, false)", json!(false)),
        ("States.Base64Decode('abc')", json!("i\u{fffd}")),
        ("States.Base64Decode(' YWJjZA== ')", json!("abcd")),
        ("States.Base64Decode('YWJj!!ZA')", json!("abcd")),
    ] {
        assert_eq!(
            evaluate(call, &input).unwrap_or_else(|f| panic!("{call}: {f}")),
            expected,
            "{call}"
        );
    }
}

#[test]
fn what_is_no_call_is_refused() {
    for call in [
        "States.Nope()",
        "States.Format",
        "States.Format('x'",
        "States.Format('x',)",
        "States.Format(\"x\")",
        "States.Format('x') y",
        "States.Format($.)",
        "",
    ] {
        assert!(Intrinsic::parse(call).is_err(), "{call}");
    }
    assert_eq!(
        Intrinsic::parse("States.Fromat('')").unwrap_err().suggestion.as_deref(),
        Some("States.Format")
    );
}

/// tiny-asl-machine, `States.Base64Decode` 011 and 012, `States.Hash` 017 to 019, `States.MathAdd`
/// 021 and 022, `States.ArrayRange` 021 and 022, `States.MathRandom` 013 and 014, recorded on AWS.
#[test]
fn arguments_are_counted_when_the_call_is_made() {
    for call in [
        "States.Base64Decode()",
        "States.Base64Decode('aGVsbG8=', 'extra')",
        "States.Hash('hello')",
        "States.MathAdd(1)",
        "States.MathAdd(1, 2, 999)",
        "States.ArrayRange(1, 5)",
        "States.MathRandom(1, 10, 5, 99)",
        "States.StringToJson()",
    ] {
        let failure = evaluate(call, &json!({})).unwrap_err();
        let name = call.split_once('(').unwrap().0;
        assert_eq!(failure.error, "States.Runtime");
        let ending = format!("intrinsic function: {call}. Invalid arguments in {name}");
        assert!(failure.cause.ends_with(&ending), "{}", failure.cause);
    }
    // `States.UUID` 008 to 013: what it is given does not matter.
    for call in ["States.UUID('x')", "States.UUID(1, 2)", "States.UUID(null)"] {
        assert_eq!(evaluate(call, &json!({})).unwrap().as_str().unwrap().len(), 36, "{call}");
    }
}

#[test]
fn calls_lie_in_each_other_ten_deep_and_no_deeper() {
    let nested = |depth: usize| format!("{}1{}", "States.Array(".repeat(depth), ")".repeat(depth));
    assert!(Intrinsic::parse(&nested(10)).is_ok());
    assert!(Intrinsic::parse(&nested(11)).is_err());
    assert!(Intrinsic::parse(&nested(100_000)).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_a_call_panic(
        name in "(Format|Array|ArrayRange|MathAdd|StringSplit|ArrayGetItem|Hash|JsonMerge)",
        arguments in r#"[$.a'\\{}(),0-9\[\] -]{0,30}"#,
    ) {
        if let Ok(call) = Intrinsic::parse(&format!("States.{name}({arguments})")) {
            let variables = Variables::new();
            let entropy = Entropy::new(0);
            let input = json!({"a": [1, "x"]});
            let _ = call.evaluate(&Scope {
                input: &input,
                context: &Value::Null,
                variables: &variables,
                states: None,
                now: jiff::Timestamp::UNIX_EPOCH,
                entropy: &entropy,
            });
        }
    }
}
