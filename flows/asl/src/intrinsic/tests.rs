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
        ("States.ArrayContains($.arr, '5')", json!(false)),
        ("States.ArrayRange(1, 9, 2)", json!([1, 3, 5, 7, 9])),
        ("States.ArrayRange(3, 1, -1)", json!([3, 2, 1])),
        ("States.ArrayGetItem($.arr, $.i)", json!(6)),
        ("States.ArrayGetItem($.arr, 1.6)", json!(3)),
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

#[test]
fn arguments_that_do_not_fit_are_an_intrinsic_failure() {
    let long = "x".repeat(10_001);
    for call in [
        "States.Format('{}')",
        "States.Format('{}', 1, 2)",
        "States.Format('{', 1)",
        "States.Format(1)",
        "States.StringToJson('{')",
        "States.ArrayPartition($list, 0)",
        "States.ArrayPartition('x', 1)",
        "States.ArrayRange(1, 1001, 1)",
        "States.ArrayRange(1, 9, 0)",
        "States.ArrayGetItem($list, 2)",
        "States.ArrayGetItem($list, -1)",
        "States.ArrayLength('x')",
        "States.Base64Decode('?')",
        &format!("States.Base64Encode('{long}')"),
        &format!("States.Hash('{long}', 'MD5')"),
        "States.Hash('x', 'sha-256')",
        "States.JsonMerge($, $, true)",
        "States.JsonMerge($, 1, false)",
        "States.MathAdd(2147483647, 1)",
        "States.MathAdd(2147483648, 0)",
        "States.MathAdd('1', 0)",
        "States.MathRandom(2, 2)",
        "States.StringSplit(1, ',')",
    ] {
        assert_eq!(
            evaluate(call, &json!({})).expect_err(call).error,
            "States.IntrinsicFailure",
            "{call}"
        );
    }
    assert_eq!(
        evaluate("States.ArrayRange(1, 1000, 1)", &json!({})).unwrap().as_array().unwrap().len(),
        1000
    );
}

#[test]
fn what_is_no_call_is_refused() {
    for call in [
        "States.Nope()",
        "States.Format",
        "States.Format('x'",
        "States.Format('x',)",
        "States.Format(\"x\")",
        "States.UUID(1)",
        "States.MathAdd(1)",
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
