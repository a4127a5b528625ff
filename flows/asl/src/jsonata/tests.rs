mod bounds;
mod built_ins;
mod dates;
mod hostile;
mod language;
mod order;
mod parsing;
mod parts;
mod reference;
mod regexes;

use super::*;
use crate::scope::{Entropy, Variables};
use serde_json::json;

/// A scope of these variables and nothing else, in 1970.
fn scope<'a>(variables: &'a Variables, entropy: &'a Entropy) -> Scope<'a> {
    static NOTHING: Value = Value::Null;
    let now = jiff::Timestamp::UNIX_EPOCH;
    Scope { input: &NOTHING, context: &NOTHING, variables, states: None, now, entropy }
}

/// Evaluates with `$states.input`, a few variables and a fixed clock.
fn evaluate_in(source: &str, input: &Value) -> Result<Value, Failure> {
    let states = json!({"input": input, "context": {"State": {"Name": "S"}}});
    let mut variables = Variables::new();
    variables.assign("x", json!(5));
    variables.assign("list", json!([1, 2, 3]));
    variables.assign("one", json!([7]));
    variables.assign("now", json!("a variable"));
    variables.assign("big", json!(9_007_199_254_740_993_i64));
    let entropy = Entropy::new(3);
    let scope = Scope {
        input,
        context: &Value::Null,
        variables: &variables,
        states: Some(&states),
        now: "2025-03-21T12:00:00.5Z".parse().unwrap(),
        entropy: &entropy,
    };
    Expression::parse(source)
        .unwrap_or_else(|e| panic!("{source}: {e}"))
        .evaluate(&scope, "Output/v")
}

fn evaluate(source: &str) -> Result<Value, Failure> {
    evaluate_in(
        source,
        &json!({"a": {"b": 1}, "items": [{"id": "p", "n": 1}, {"id": "q", "n": 2}], "none": null}),
    )
}

fn value(source: &str) -> Value {
    evaluate(source).unwrap_or_else(|failure| panic!("{source}: {failure}"))
}

fn cause(source: &str) -> String {
    let failure = evaluate(source).expect_err(source);
    assert_eq!(failure.error, "States.QueryEvaluationError");
    assert_eq!(failure.location.as_deref(), Some("Output/v"));
    failure.cause
}

#[test]
fn expressions_see_states_and_variables() {
    for (source, expected) in [
        ("$states.input.a.b + $x", json!(6)),
        ("$states.input.items[n > 1].id", json!("q")),
        ("$states.input.items.id", json!(["p", "q"])),
        ("$states.context.State.Name", json!("S")),
        ("$states.input.none", json!(null)),
        ("$one", json!([7])),
        ("$big", json!(9_007_199_254_740_993_i64)),
        ("$now", json!("a variable")),
        ("{'a': $x, 'b': $nothing}", json!({"a": 5})),
        ("$x > 3 ? 'big' : 'small'", json!("big")),
        ("($y := 2; $y * $x)", json!(10)),
        ("$map($list, function($v) { $v * 2 })", json!([2, 4, 6])),
        ("$list ~> $sum()", json!(6)),
        ("$reduce($list, function($a, $b) { $a & '-' & $b })", json!("1-2-3")),
        ("'a' in ['a', 'b']", json!(true)),
        ("10 / 4", json!(2.5)),
        ("1e20", json!(1e20)),
        ("'x' = 'x'", json!(true)),
        ("[1, [2, 3], $list, [1..3]]", json!([1, [2, 3], 1, 2, 3, [1, 2, 3]])),
        ("[1..3, 5]", json!([1, 2, 3, 5])),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn guarded_functions_do_what_they_do_without_guards() {
    for (source, expected) in [
        ("$string($list)", json!("[1,2,3]")),
        ("$string({'a': 1}, true)", json!("{\n  \"a\": 1\n}")),
        ("$map([1, 2], $string)", json!(["1", "2"])),
        ("5 ~> $string", json!("5")),
        ("[1, 2].$string()", json!(["1", "2"])),
        ("$join(['a', 'b'], '-')", json!("a-b")),
        ("$join(['a', 'b'])", json!("ab")),
        ("['a', 'b'] ~> $join('+')", json!("a+b")),
        ("($j := $join(?, ','); $j(['a', 'b']))", json!("a,b")),
        ("($j := $join; $j(['a', 'b'], '.'))", json!("a.b")),
        ("$pad('x', -3, '0')", json!("00x")),
        ("$pad('x', 3) & '|'", json!("x  |")),
        ("'x' ~> $pad(3, '.')", json!("x..")),
        ("$replace('abcabc', 'b', 'X')", json!("aXcaXc")),
        ("$replace('abcabc', 'b', 'X', 1)", json!("aXcabc")),
        ("$replace('abc', /b/, function($m) { '<' & $m.match & '>' })", json!("a<b>c")),
        ("$replace('265USD', /([0-9]+)USD/, '$$$1')", json!("$265")),
        ("'abc' ~> $replace('b', '')", json!("ac")),
        ("('abc').$replace('b', '')", json!("ac")),
        ("$split('a b c', ' ')", json!(["a", "b", "c"])),
        ("$split('a1b2c', /[0-9]/, 2)", json!(["a", "b"])),
        ("$match('ab12', /[0-9]+/).match", json!("12")),
        ("$distinct([1, 2, 1])", json!([1, 2])),
        ("[3, 1, 2] ~> $sort", json!([1, 2, 3])),
        ("($f := $sort; $f([3, 1, 2]))", json!([1, 2, 3])),
        ("($f := $sort; $f([1, 3, 2], function($l, $r) { $l < $r }))", json!([3, 2, 1])),
        ("($f := $reduce; $f([3, 1, 2], function($a, $b) { $a + $b }))", json!(6)),
        ("($f := $reduce; $f([3, 1], function($a, $b) { $a + $b }, 5))", json!(9)),
        ("$reduce([3, 1], function($a, $b) { $a + $b }, 5)", json!(9)),
        ("$exists($reduce([], function($a, $b) { $a + $b }))", json!(false)),
        ("$exists([] ~> $reduce(function($a, $b) { $a + $b }))", json!(false)),
        ("$reduce([], function($a, $b) { $a + $b }, 5)", json!(5)),
        ("$reduce([null], function($a, $b) { $a + $b })", json!(null)),
        ("$sort([3, 1, 2])", json!([1, 2, 3])),
        ("$sort([{'n': 2}, {'n': 1}], function($l, $r) { $l.n > $r.n }).n", json!([1, 2])),
        ("$states.input.items^(>n).id", json!(["q", "p"])),
        ("$merge([{'a': 1}, {'b': 2}])", json!({"a": 1, "b": 2})),
        ("$base64encode('hi')", json!("aGk=")),
        ("$encodeUrl('https://a.b/c d?e=\u{e9}&f')", json!("https://a.b/c%20d?e=%C3%A9&f")),
        ("$base64decode('YWI')", json!("ab")),
        ("$base64decode('YWJ')", json!("ab")),
        ("$decodeUrlComponent('a+b%2Bc%20d')", json!("a b+c d")),
        ("$decodeUrlComponent('%E6')", json!("\u{fffd}")),
        ("$fromMillis(1700000000000.9)", json!("2023-11-14T22:13:20.000Z")),
        ("$decodeUrlComponent('a%20b%2Fc%C3%A9')", json!("a b/c\u{e9}")),
        ("$decodeUrl('a%20b%2Fc')", json!("a b%2Fc")),
        ("$encodeUrlComponent('a b')", json!("a%20b")),
        ("function($string) { $string & '!' }('a')", json!("a!")),
        ("($pad := function($s) { $s & '?' }; $pad('a'))", json!("a?")),
        ("$exists($string)", json!(true)),
        ("{'a': {'b': [1, 2]}}.**.b", json!([1, 2])),
        ("{'a': 1} ~> |$|{'b': 2}|", json!({"a": 1, "b": 2})),
        ("$states.input.items@$i.{'k': $i.id}", json!([{"k": "p"}, {"k": "q"}])),
        ("$states.input.items#$n[$n = 1].id", json!("q")),
        ("$states.input.items.n.%.id", json!(["p", "q"])),
        ("$sum($states.input.items.n)", json!(3)),
        ("($f := function($n) { $n = 0 ? 'done' : $f($n - 1) }; $f(2000))", json!("done")),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn step_functions_own_functions() {
    for (source, expected) in [
        ("$partition([1, 2, 3, 4, 5], 2)", json!([[1, 2], [3, 4], [5]])),
        ("$partition([1, 2, 3], 2.9)", json!([[1, 2], [3]])),
        ("$range(0, 10, 5)", json!([0, 5, 10])),
        ("$range(3, 1, -1)", json!([3, 2, 1])),
        ("$range(-1.7, 1, 1)", json!([-1, 0, 1])),
        ("$range(4, 4, 1)", json!(4)),
        ("$hash('abc', 'MD5')", json!("900150983cd24fb0d6963f7d28e17f72")),
        ("$parse('{\"a\":[1,null]}')", json!({"a": [1, null]})),
        ("$length($uuid())", json!(36)),
        ("$random(7) = $random(7)", json!(true)),
        ("$random(42)", json!(0.7275636800328681)),
        ("$random(-1.5) = $random(-1)", json!(true)),
        ("$random() != $random()", json!(true)),
        ("$random() < 1 and $random() >= 0", json!(true)),
        ("$sort($shuffle([1, 2, 3]))", json!([1, 2, 3])),
        ("$count($map([1..3], function() { $uuid() }))", json!(3)),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
    for source in [
        "$partition([], 2)",
        "$partition([1], 0)",
        "$range(1, 5)",
        "$range(1, 5, -1)",
        "$hash('abc')",
        "$nothing",
        "$states.input.absent",
        "$sum",
    ] {
        assert!(cause(source).ends_with("returned nothing (undefined)."), "{source}");
    }
    assert!(
        cause("$eval('1+1')").ends_with(
            "threw an error during evaluation. T1006: Attempted to invoke a non-function"
        )
    );
    assert!(cause("$map(['1'], $eval)").contains("T1006"));
    assert!(evaluate("$hash('abc', 'md5')").is_err());
    assert!(evaluate("$parse('{')").is_err());
    assert!(evaluate("$partition([1], 'x')").unwrap_err().cause.contains("T0410"));
}

#[test]
fn a_number_is_rounded_half_to_even_before_it_is_written_in_another_base() {
    for (source, expected) in [
        ("$formatBase(254.5, 10)", json!("254")),
        ("$formatBase(255.5, 16)", json!("100")),
        ("$formatBase(-2.5)", json!("-2")),
        ("$map([1.5, 2.5], $formatBase(?, 2))", json!(["10", "10"])),
        ("2.5 ~> $formatBase(2)", json!("10")),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn the_clock_is_the_scopes() {
    for (source, expected) in [
        ("$now()", json!("2025-03-21T12:00:00.500Z")),
        ("$millis()", json!(1_742_558_400_500_i64)),
        ("$now('[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01]', '-0400')", json!("2025-03-21T08:00:00")),
        ("$fromMillis($millis(), '[H01]')", json!("12")),
        ("$toMillis('2025-03-21T08:00:00')", json!(1_742_544_000_000_i64)),
        ("$toMillis('2025-03-21T08:00:00-04:00')", json!(1_742_558_400_000_i64)),
        ("[1, 2].$millis()", json!([1_742_558_400_500_i64, 1_742_558_400_500_i64])),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn numbers_json_does_not_have_are_their_names() {
    assert_eq!(value("1/0"), json!("Infinity"));
    assert_eq!(value("[-1/0]"), json!(["-Infinity"]));
}

#[test]
fn causes_are_in_the_words_of_aws() {
    assert_eq!(
        cause("$doesNotExist"),
        "The JSONata expression '$doesNotExist' specified for the field 'Output/v' returned \
         nothing (undefined)."
    );
    assert_eq!(
        cause("'a' + 1"),
        "The JSONata expression ''a' + 1' specified for the field 'Output/v' threw an error \
         during evaluation. T2001: The left side of the \"+\" operator must evaluate to a number"
    );
    assert_eq!(
        cause("[1..900000] ~> $count()"),
        "The JSONata expression '[1..900000] ~> $count()' specified for the field 'Output/v' \
         threw an error during evaluation: Expression evaluation memory limit exceeded: Check for \
         excessive memory usage"
    );
    assert_eq!(value("$count([1..873782])"), json!(873_782));
    assert_eq!(value("$count($range(1, 360145, 1))"), json!(360_145));
    assert!(cause("$range(1, 360146, 1)").contains("memory limit"));
    for (source, words) in [
        ("'a' + 1", "T2001: The left side of the \"+\" operator must evaluate to a number"),
        ("1 * 'a'", "T2002: The right side of the \"*\" operator must evaluate to a number"),
        ("-'a'", "D1002: Cannot negate a non-numeric value: \"a\""),
        ("['a'..2]", "T2003: The left side of the range operator (..) must evaluate to an integer"),
        (
            "'a' < 1",
            "T2009: The values \"a\" and 1 either side of operator \"<\" must be of the same data type",
        ),
        (
            "1 > ($x > 2)",
            "T2010: The expressions either side of operator \">\" must evaluate to numeric or string \
             values",
        ),
        ("$abs('a')", "T0410: Argument 1 of function \"abs\" does not match function signature"),
        (
            "$sum($map(['a'], $uppercase))",
            "T0412: Argument 1 of function \"sum\" must be an array of \"numbers\"",
        ),
        ("$join([1])", "T0412: Argument 1 of function \"join\" must be an array of \"strings\""),
        ("$error()", "D3137: $error() function evaluated"),
        ("$assert(false, '')", "D3141: $assert() statement failed"),
        (
            "$formatInteger(12, 'b')",
            "D3130: Formatting or parsing an integer as a sequence starting with \"b\" is not \
             supported by this implementation",
        ),
        ("$decodeUrl('%ZZ')", "D3140: Malformed URL passed to $decodeUrl(): \"%ZZ\""),
        (
            "$decodeUrlComponent('%zz')",
            "D3140: Malformed URL passed to $decodeUrlComponent(): \"%zz\"",
        ),
        ("$number('x')", "D3030: Unable to cast value to a number: \"x\""),
        ("$nope()", "T1006: Attempted to invoke a non-function"),
        ("$error('mine')", "D3137: mine"),
    ] {
        let cause = cause(source);
        let words = format!(" threw an error during evaluation. {words}");
        assert!(cause.ends_with(&words), "{source}: {cause}");
    }
    assert!(cause("$error('mine')").contains("mine"));
    assert!(cause("$number('1*')").contains(". D3030: "));
}

#[test]
fn a_field_can_want_one_type() {
    let entropy = Entropy::new(0);
    let variables = Variables::new();
    let scope = scope(&variables, &entropy);
    let wanted = |source: &str, expected| {
        Expression::parse(source).unwrap().evaluate_as(&scope, "Items", expected)
    };
    assert_eq!(
        wanted("'string'", Expected::Array).unwrap_err().cause,
        "The JSONata expression ''string'' specified for the field 'Items' returned an unexpected \
         result type. Expected 'array', but was 'string' for value: \"string\""
    );
    assert!(
        wanted("null", Expected::Array).unwrap_err().cause.ends_with("was 'null' for value: null")
    );
    assert!(wanted("[]", Expected::Array).is_ok());
    assert!(wanted("'1'", Expected::Number).is_err());
    assert!(wanted("true", Expected::Boolean).is_ok());
}

#[test]
fn a_template_evaluates_its_expressions_and_names_their_places() {
    let entropy = Entropy::new(0);
    let mut variables = Variables::new();
    variables.assign("x", json!(1));
    let scope = scope(&variables, &entropy);
    let template =
        json!({"z": "{% $x %}", "a": ["{%$x + 1%}", {"b": "text"}], "c": " {% no %} ", "d": null});
    let value = JsonataTemplate::parse(&template).unwrap().evaluate(&scope, "Output").unwrap();
    assert_eq!(value.to_string(), r#"{"z":1,"a":[2,{"b":"text"}],"c":" {% no %} ","d":null}"#);

    for (template, location) in
        [(json!("{% $y %}"), "Output"), (json!({"a": {"b": ["x", "{% $y %}"]}}), "Output/a/b[1]")]
    {
        let failure =
            JsonataTemplate::parse(&template).unwrap().evaluate(&scope, "Output").unwrap_err();
        assert_eq!(failure.location.as_deref(), Some(location));
    }

    let wrong = json!({"a": ["{% 1 +%}"], "b": "{% 1", "c": "1 %}", "d": "{%}"});
    let problems = JsonataTemplate::parse(&wrong).unwrap_err();
    let places: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(places, ["/a[0]", "/b", "/c", "/d"]);
}

#[test]
fn the_same_entropy_gives_the_same_values_and_is_used_up() {
    let draw = |entropy: &Entropy| {
        let variables = Variables::new();
        let scope = scope(&variables, entropy);
        Expression::parse("[$uuid(), $random()]").unwrap().evaluate(&scope, "Output").unwrap()
    };
    let (left, right) = (Entropy::new(9), Entropy::new(9));
    let first = draw(&left);
    assert_eq!(first, draw(&right));
    assert_ne!(first, draw(&left));
}

#[test]
fn an_expression_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Expression>();
    shared::<JsonataTemplate>();
}

#[test]
fn a_function_is_found_wherever_an_expression_names_it() {
    for (source, wanted) in [
        ("$map(['a'], $hash(?, 'MD5'))", json!(["0cc175b9c0f1b6a831c399e269772661"])),
        ("'a' ~> $hash('MD5')", json!("0cc175b9c0f1b6a831c399e269772661")),
        ("($f := $parse; $f('[1]'))", json!([1])),
        ("$range(2, 3, 1)", json!([2, 3])),
        ("$sort([2, 1], function($l, $r){ $type($uuid()) = 'string' and $l > $r })", json!([1, 2])),
    ] {
        let found = value(source);
        let found = if source.starts_with("$map") { json!([found]) } else { found };
        assert_eq!(found, wanted, "{source}");
    }
}
