//! The language itself. What is expected was computed with JSONata 2.0.6.

use super::{Expression, cause, evaluate, evaluate_in, scope, value};
use crate::jsonata::evaluate::Evaluation;
use crate::jsonata::value::living::frames;
use crate::jsonata::{needs::Needs, syntax};
use crate::scope::{Entropy, Variables};
use serde_json::{Value, json};

fn of(source: &str) -> Option<Value> {
    let input =
        json!({"a": 1, "b": [{"c": 1, "d": 2}, {"c": 2, "d": 1}], "w": [["x"], ["y", ["z"]]]});
    let source = source.replace("@o", "$states.input");
    match evaluate_in(&source, &input) {
        Ok(value) => Some(value),
        Err(failure) if failure.cause.ends_with("(undefined).") => None,
        Err(failure) => panic!("{source}: {failure}"),
    }
}

#[test]
fn a_path_gives_a_sequence_and_a_sequence_of_one_is_its_item() {
    for (source, expected) in [
        ("@o.b.c[1]", None),
        ("@o.b[1].c", Some(json!(2))),
        ("@o.(b.c)[1]", Some(json!(2))),
        ("@o.b[c=1].c[]", Some(json!([1]))),
        ("@o.b[].c", Some(json!([1, 2]))),
        ("@o[].a", Some(json!([1]))),
        ("5[]", Some(json!(5))),
        ("@o.b.[c][0]", Some(json!([1, 2]))),
        ("@o.b.[c, d]", Some(json!([[1, 2], [2, 1]]))),
        ("@o.b.(c; d)", Some(json!([2, 1]))),
        ("@o.w.$", Some(json!(["x", "y", ["z"]]))),
        ("[1, [2, [3]]].$[0]", Some(json!([1, 2]))),
        ("{'a': [1]}.*", Some(json!([1]))),
        ("{'a': 1}.*", Some(json!(1))),
        ("@o.w.**", Some(json!(["x", "y", "z"]))),
        ("[1, 2][[0..5]]", Some(json!([1, 2]))),
        ("[1, 2][1.9]", Some(json!(2))),
        ("[1, 2][-1]", Some(json!(2))),
        ("[1, [2]][1]", Some(json!([2]))),
        ("@o.b[c]", None),
        ("@o.b.x[]", None),
        ("$map([1], function($v) { [$v] })", Some(json!([1]))),
        ("$map([1], function($v) { $v })", Some(json!(1))),
        ("$append([], 1)", Some(json!([1]))),
        ("$spread([{'a': 1}])", Some(json!([{"a": 1}]))),
    ] {
        assert_eq!(of(source), expected, "{source}");
    }
}

#[test]
fn variables_are_bound_along_a_path() {
    for (source, expected) in [
        ("@o.b#$i.{'i': $i, 'c': c}", json!([{"i": 0, "c": 1}, {"i": 1, "c": 2}])),
        ("@o.b#$i[c=2].{'i': $i}", json!({"i": 1})),
        ("@o.b[c=2]#$i.{'i': $i}", json!({"i": 0})),
        ("@o.b@$v.{'q': $v.c}", json!([{"q": 1}, {"q": 2}])),
        ("$list@$a.$list@$b[$a = $b].[$a, $b]", json!([1, 1, 2, 2, 3, 3])),
        ("@o.b#$i^(d).{'i': $i, 'c': c}", json!([{"i": 1, "c": 2}, {"i": 0, "c": 1}])),
        ("@o.b#$i^(d)[0].{'i': $i}", json!({"i": 1})),
        ("@o.b#$i^(d){$string(c): $i}", json!({})),
        ("@o.b.c.%.d", json!([2, 1])),
        ("@o.b[%.a=1].c", json!([1, 2])),
        ("@o.b.c.%.%.a", json!([1, 1])),
        ("@o.b.{'p': %.a, 'c': c}", json!([{"p": 1, "c": 1}, {"p": 1, "c": 2}])),
        ("@o.b^(%.a, >c).c", json!([2, 1])),
    ] {
        assert_eq!(of(source), Some(expected), "{source}");
    }
}

#[test]
fn objects_are_grouped_and_changed_in_a_copy() {
    for (source, expected) in [
        ("@o.b{$string(c): d, 'x': 1}", json!({"1": 2, "x": 1, "2": 1})),
        ("@o.b{'k': d}", json!({"k": [2, 1]})),
        ("$list{'x': $}", json!({"x": [1, 2, 3]})),
        ("$nothing{'x': 1}", json!({"x": 1})),
        ("[]{'x': 1}", json!({"x": 1})),
        ("(@o ~> |b|{'n': c}, 'd'|).b", json!([{"c": 1, "n": 1}, {"c": 2, "n": 2}])),
        ("(@o ~> |$|{'b': 5}, ['a', 'w']|)", json!({"b": 5})),
        ("(@o ~> |nope|1|).a", json!(1)),
        ("({'a': 0.1 + 0.2} ~> |$|{}|)", json!({"a": 0.3})),
        (
            "({'a': {'b': {}}} ~> |**|{'n': $count($keys($))}|)",
            json!({"a": {"b": {"n": 0}, "n": 1}, "n": 1}),
        ),
    ] {
        assert_eq!(of(source), Some(expected), "{source}");
    }
    assert!(cause("{'a': 1} ~> |$|{'all': $}|").contains("Stack overflow"));
}

#[test]
fn a_function_is_left_before_the_last_call_in_it() {
    for (source, expected) in [
        (
            "($f := function($n, $s) { $n = 0 ? $s : $f($n - 1, $s + $n) }; $f(3000, 0))",
            json!(4_501_500),
        ),
        ("($f := function($x) { $sort($x)[0] }; $f([3, 1, 2]))", json!(1)),
        // As 2.0.6 has it: the predicate is of the call.
        ("($f := function($x) { ($sort($x))[0] }; $f([3, 1, 2]))", json!([1, 2, 3])),
        ("($f := $sum ~> $string; $f($list))", json!("6")),
        ("($f := $substring(?, 1); $f('abc'))", json!("bc")),
        ("($add := function($a, $b) { $a & $b }; $add(?, 'x')('y'))", json!("yx")),
        ("(function($x) { function($y) { $x + $y } })(1)(2)", json!(3)),
        ("λ($x) { $x }(5)", json!(5)),
        ("($f := function($a)<a<n>:n> { $a }; $f(5))", json!([5])),
        (
            "($x := {'a': 1}; [$x in [$x], {'a': 1} in [$x], $x = {'a': 1}])",
            json!([true, false, true]),
        ),
    ] {
        assert_eq!(of(source), Some(expected), "{source}");
    }
    for (source, words) in [
        ("abs(5)", "T1005: Attempted to invoke a non-function. Did you mean $abs?"),
        ("abs(?)", "T1007: Attempted to partially apply a non-function. Did you mean $abs?"),
        ("$nope(?)", "T1008: Attempted to partially apply a non-function"),
        ("5 ~> $nope", "T2006: The right side of the function application operator ~> must be a"),
        ("($f := function($a)<n:n> { $a }; $f('x'))", "T0410: Argument 1 of function \"f\" does"),
        ("$map([1, 2], $millis)", "T0410: Argument 1 of function \"map\" does not match"),
        (
            "{'a': 1, $string('a'): 2}",
            "D1009: Multiple key definitions evaluate to same key: \"a\"",
        ),
        ("{1: 2}", "T1003: "),
    ] {
        assert!(cause(source).contains(&format!(". {words}")), "{source}: {}", cause(source));
    }
}

#[test]
fn what_is_no_expression_is_told_with_its_code() {
    for (source, words) in [
        ("1 +", "S0207: Unexpected end of expression"),
        ("(1", "S0203: Expected \")\" before end of expression"),
        ("[1,", "S0203: Expected \"]\" before end of expression"),
        ("1 2", "S0201: Syntax error: 2"),
        (")", "S0211: The symbol \")\" cannot be used as a unary operator"),
        ("'a\\'b'", "S0103: Unsupported escape sequence: \\\"'\""),
        ("\"\\u12\"", "S0104: The escape sequence \\u must be followed by 4 hex digits"),
        ("'abc", "S0101: String literal must be terminated by a matching quote"),
        ("`abc", "S0105: Quoted property name must be terminated with a backquote (`)"),
        ("a!b", "S0204: Unknown operator: \"!\""),
        ("/* x", "S0106: Comment has no closing tag"),
        ("1e999", "S0102: Number out of range: \"1e999\""),
        ("{'x' 1}", "S0202: Expected \":\", got 1"),
        ("function(a){1}", "S0208: Parameter 1 of function definition must be a variable name"),
        ("5 := 2", "S0212: The left side of := must be a variable name (start with $)"),
        ("$x@5", "S0214: The right side of \"@\" must be a variable name (start with $)"),
        ("$x.a[0]@$y", "S0215: A context variable binding must precede any predicates on a step"),
        ("$x.a^(b)@$y", "S0216: A context variable binding must precede the 'order-by' clause"),
        ("%", "S0217: The object representing the 'parent' cannot be derived from this expression"),
        ("$x{'a': 1}[0]", "S0209: A predicate cannot follow a grouping expression in a step"),
        ("5.a", "S0213: The literal value 5 cannot be used as a step within a path expression"),
        ("/abc", "S0302: No terminating / in regular expression"),
        ("function($a)<s<n>>{$a}", "S0401: Type parameters can only be applied to functions and"),
        ("function($a)<(a<n>)>{$a}", "S0402: Choice groups containing parameterized types are not"),
    ] {
        let wrong = Expression::parse(source).map(|_| ()).expect_err(source);
        assert!(wrong.message.starts_with(words), "{source}: {wrong}");
    }
}

#[test]
fn nothing_is_left_of_a_function_that_can_see_itself() {
    let (variables, entropy) = (Variables::new(), Entropy::new(0));
    let scope = scope(&variables, &entropy);
    for source in [
        "($f := function($n) { $n = 0 ? 1 : $f($n - 1) }; $f(3))",
        "($o := {'f': function() { $o }}; $exists($o.f()))",
        "($f := function($x) { $x }; $g := $f ~> $f; $h := $g(?); $h(1))",
        "$t := |$|{'a': $t}|",
        "$map([1..3], function($v) { ($k := function() { $k }; $v) })",
        "($mk := function($g) { function() { $g } }; ($p := $mk(function() { $p }); 1))",
        "($p := [{'f': function() { $p }}]; $q := $p.f; $t := |$|{'a': $q}|; 1)",
        "($p := $partition(?, 1) ~> function($x) { $p }; 1)",
    ] {
        let tree = syntax::parse(source, &mut super::super::Compiling::default())
            .map_err(|wrong| wrong.to_string())
            .unwrap()
            .tree;
        let needs = Needs::of(&tree);
        let mut evaluation = Evaluation::new(&tree, &needs, &scope);
        let before = frames();
        evaluation.run().map_err(|error| error.ending()).unwrap();
        assert!(frames() > before, "{source}");
        drop(evaluation);
        assert_eq!(frames(), before, "{source}");
    }
}

#[test]
fn what_cannot_be_read_or_evaluated_is_told_and_nothing_overflows() {
    let deep = [
        "-".repeat(150) + "1",
        "(".repeat(150) + "1" + &")".repeat(150),
        "1".to_owned() + &"+1".repeat(150),
        "'x'".to_owned() + &" & 'x'".repeat(150),
        "{'a':".repeat(150) + "1" + &"}".repeat(150),
        "1 + ".to_owned() + &"$x ? 1 : ".repeat(150) + "2",
    ];
    for source in deep {
        assert!(evaluate(&source).is_ok(), "{source}");
        let twice = source.replace("(((", "((((").replace("---", "----").replace("+1+1", "+1+1+1");
        let _ = Expression::parse(&twice);
    }
    let endless = Expression::parse(&("(".repeat(300) + "1" + &")".repeat(300))).unwrap_err();
    assert_eq!(endless.message, "the expression is nested deeper than 200 levels");
    for source in [
        "($f := function($n) { 1 + $f($n) }; $f(1))",
        "($f := function($n) { $map([1], function($x) { $f($n) + 1 }) }; $f(1))",
        "($f := function($n) { $sort([1, 2], function($x, $y) { [$f($n)] = 1 }) }; $f(1))",
        "($f := function($n) { $replace('a', /a/, function($m) { $f(1) & 'x' }) }; $f(1))",
        "($f := function($n) { {'a': 1} ~> |$|{'b': [$f(1)]}| }; $f(1))",
        "($f := function($n) { $list#$i[[$f(1)]].{'a': $i} }; $f(1))",
        "($l := function($n, $k) { $n = 0 ? $k() : $l($n - 1, function() { [$k()] }) }; \
         $l(300, function() { 1 }))",
    ] {
        assert!(cause(source).contains("Stack overflow"), "{source}: {}", cause(source));
    }
}

#[test]
fn a_function_counts_as_true_but_as_the_argument_of_boolean() {
    for (source, expected) in [
        ("$sum ? 1 : 2", json!(1)),
        ("(function(){1}) ? 1 : 2", json!(1)),
        ("$substring(?, 1) ? 1 : 2", json!(1)),
        ("($sum ~> $max) ? 1 : 2", json!(1)),
        ("|$|{}| ? 1 : 2", json!(1)),
        ("$sum and true", json!(true)),
        ("false or $sum", json!(true)),
        ("[1, 2][$sum]", json!([1, 2])),
        ("$filter([1, 2], function($v) { $sum })", json!([1, 2])),
        ("$sift({'a': 1}, function($v) { $sum })", json!({"a": 1})),
        ("$single([1], function($v) { $sum })", json!(1)),
        ("$boolean([$sum])", json!(true)),
        ("$boolean([$sum, $max])", json!(true)),
        ("$boolean($sum)", json!(false)),
        ("$not($sum)", json!(true)),
        ("/a/ ? 1 : 2", json!(2)),
        ("/a/ or false", json!(false)),
        ("$exists([1, 2][/a/])", json!(false)),
        ("/a/('a').next ? 1 : 2", json!(2)),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn arguments_are_matched_with_a_signature_in_few_steps() {
    let ones = |count: usize| vec!["1"; count].join(",");
    for (signature, count, argument) in [("n+n+n+s", 20_000, 20_001), ("n+n+n+s+s", 15_000, 15_001)]
    {
        let source = format!("(function($a)<{signature}>{{1}})({})", ones(count));
        let told = cause(&source);
        assert!(told.contains(&format!("Argument {argument} of function")), "{told}");
    }
    let long = format!("(function($a)<{}s>{{1}})({})", "n+".repeat(60), ones(20_000));
    assert!(cause(&long).contains("T0410"), "{}", cause(&long));
    let fits = format!("(function($a)<n+n+n+>{{$a}})({})", ones(20_000));
    assert_eq!(value(&fits), json!(1));
    let all = "(function($a, $b, $c, $d, $e)";
    for (rest, expected) in [
        ("<n+n+n+s>{[$a, $b, $c, $d, $e]})(1, 2, 3, 4, 'x')", json!([1, 1, 3, 4, "x"])),
        ("<n?n?s>{[$a, $b, $c]})(1, 'x')", json!([1, "x"])),
        ("<n+n?>{[$a, $b]})(1, 2)", json!([1, 1])),
        ("<n+n>{[$a, $b]})(1, 2)", json!([1, 2])),
        ("<nn+>{[$a, $b]})(1, 2)", json!([1, 2])),
        ("<(ns)+n?>{[$a, $b]})('a', 2)", json!(["a", "a"])),
        ("<j+j>{[$a, $b]})(1, 'a')", json!([1, "a"])),
        ("<n+>{[$a]})(1)", json!([1])),
        ("<n+s?n+>{[$a, $b, $c]})(1, 2, 3)", json!([1, 1, 3])),
    ] {
        assert_eq!(value(&format!("{all}{rest}")), expected, "{rest}");
    }
}
