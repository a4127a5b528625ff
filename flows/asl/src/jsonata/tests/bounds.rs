use super::super::evaluate::Evaluation;
use super::super::needs::Needs;
use super::super::value::living::frames;
use super::*;

/// Runs on a stack of so many KiB.
fn on_a_stack(kibibytes: usize, work: impl FnOnce() + Send + 'static) {
    let small = std::thread::Builder::new().stack_size(kibibytes * 1024);
    small.spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_long_chain_of_functions_comes_apart_one_by_one() {
    let link = ".([{}.(function(){$p}), $p := $][0])".repeat(180);
    let source = format!("$exists($reduce([1..100], function($a,$b){{ $a{link} }}, {{}}))");
    on_a_stack(2048, move || {
        assert_eq!(value(&source), json!(true));
        let chain = "$exists($reduce([1..20000], function($a, $b) { function() { $a } }, 1))";
        assert_eq!(value(chain), json!(true));
        assert_eq!(frames(), 0);
    });
}

#[test]
fn a_function_leaves_nothing_behind_whether_it_is_the_result_or_fails() {
    let big = json!("x".repeat(1000));
    for source in [
        "function($x) { $x }",
        "{'f': function() { 1 }, 'n': 1}",
        "($f := function() { $f }; [$f, 2])",
        "($f := function() { $g }; $g := function() { $f }; $f ~> $g)",
        "($f := function() { $f }; $error('no'))",
        "($f := function($n) { ($g := function() { $g }; 1 + $f($n)) }; $f(1))",
        "($mk := function($g) { function() { $g } }; \
         ($big := $states.input; $p := $mk(function() { $p }); 1))",
    ] {
        let _ = evaluate_in(source, &big);
        assert_eq!(frames(), 0, "{source}");
    }
}

#[test]
fn functions_that_nothing_sees_any_more_are_not_kept_to_the_end() {
    let (variables, entropy) = (Variables::new(), Entropy::new(0));
    let scope = scope(&variables, &entropy);
    let source =
        "$sum($map([1..20000], function($v) { $sum($filter([1, 2], function($x) { $x < $v })) }))";
    let tree = syntax::parse(source, &mut Compiling::default())
        .map_err(|wrong| wrong.to_string())
        .unwrap()
        .tree;
    let needs = Needs::of(&tree);
    let mut evaluation = Evaluation::new(&tree, &needs, &scope);
    let sum = evaluation.run().map_err(|error| error.ending()).unwrap();
    assert_eq!(sum.as_f64(), Some(1.0 + 19_998.0 * 3.0));
    assert!(evaluation.frames() < 2_100, "{}", evaluation.frames());
    assert!(frames() < 2_200, "{}", frames());
}

/// Bytes that an evaluation counts as built.
fn built(source: &str) -> usize {
    let (variables, entropy) = (Variables::new(), Entropy::new(0));
    let scope = scope(&variables, &entropy);
    let tree = syntax::parse(source, &mut Compiling::default());
    let tree = tree.map_err(|wrong| wrong.to_string()).unwrap().tree;
    let needs = Needs::of(&tree);
    let mut evaluation = Evaluation::new(&tree, &needs, &scope);
    evaluation.run().map_err(|error| error.ending()).unwrap();
    evaluation.built()
}

#[test]
fn what_a_group_gathers_and_a_filter_takes_several_times_counts_as_built() {
    let bound = |count: usize| {
        let names: String = (0..count).map(|name| format!(".($o)@$a{name}")).collect();
        built(&format!("($l := [1, 2]; $o := [[$range(1, 5000, 1)]]; $l@$s{names}{{'k': 1}})"))
    };
    // Each name has two lists of five thousand: they are put together, and the whole is a list again.
    let each = (bound(11) - bound(1)) / 10;
    assert!(each >= 2 * 24 * 10_000, "{each}");
    let taken = |places: &str| {
        built(&format!("($n := [1..1000].(0); $l := [1, 2]; $count($l@$s[{places}].$s))"))
    };
    // The first of the tuples a thousand times, and once.
    let more = taken("$n") - taken("$n[0]");
    assert!(more >= 999 * (64 + 32 + 24), "{more}");
}

#[test]
fn what_is_within_the_bounds_is_built_whatever_its_size() {
    for (source, expected) in [
        ("$length($pad('', 3000000, 'abc'))", json!(3_000_000)),
        ("$length($pad('', -2000001, 'aéb€'))", json!(2_000_001)),
        ("$length($replace($pad('', 4000000, 'x'), 'x', 'y'))", json!(4_000_000)),
        ("$replace($pad('', 6000000, 'x'), 'x', '')", json!("")),
        ("$count($distinct([1..800000]))", json!(800_000)),
        ("$count($distinct([1..30000].$string()))", json!(30_000)),
        ("($r := [1..5000]#$i{'k': $i}; $count($r.k))", json!(5_000)),
        ("($r := [1..20000]#$i{'k': $i}; $sum($r.k))", json!(199_990_000)),
        ("[1..4]#$i{$string($i % 2): [$, $i]}", json!({"0": [1, 3, 0, 2], "1": [2, 4, 1, 3]})),
        ("$states.input.items@$v{'k': $v.n}", json!({"k": [1, 2]})),
        ("$count($parse('[' & $replace($pad('', 300000), ' ', '1,') & '1]'))", json!(300_001)),
        ("($k := [1..40000].$string(); $string($merge($k.{$: 1}) ~> |$|{}, $k|))", json!("{}")),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn a_pad_is_refused_for_its_bytes_and_not_for_its_characters() {
    assert_eq!(value("$length($pad('', 2330000, '€'))"), json!(2_330_000));
    for source in ["$pad('', 2331000, '€')", "$pad('', 6990257, 'abc')", "$pad('', 5000000, 'aé')"]
    {
        assert!(cause(source).contains("memory limit exceeded"), "{source}");
    }
}

#[test]
fn scalars_are_distinct_as_they_are_equal() {
    for (source, expected) in [
        (
            "$distinct([0, -0, 1, '1', 1, true, 'true', null, 'null', null])",
            json!([0, 1, "1", true, "true", null, "null"]),
        ),
        (
            "$distinct([{'a': 1}, 1, {'a': 1}, [1], 1, [1], {'a': 2}])",
            json!([{"a": 1}, 1, [1], {"a": 2}]),
        ),
        ("$count($distinct([$number, $number, $string]))", json!(2)),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn json_in_a_text_is_read_as_it_stands() {
    for (source, expected) in [
        (
            r#"$parse('{"b":[1,-2.5e2,true,null,"x\\u00e9"],"a":{}, "b2":[[]]}')"#,
            json!({"b": [1, -250, true, null, "xé"], "a": {}, "b2": [[]]}),
        ),
        (r#"$parse('{"a":1,"b":2,"a":3}')"#, json!({"a": 3, "b": 2})),
        ("$parse(' 18446744073709551615 ')", json!(2f64.powi(64))),
    ] {
        assert_eq!(value(source), expected, "{source}");
    }
    for source in [
        "$parse('')",
        "$parse('1 2')",
        "$parse('[1,]')",
        "$parse('{1:2}')",
        "$parse($pad('', 300, '['))",
    ] {
        assert!(cause(source).ends_with("D3137: Invalid JSON"), "{source}");
    }
}

/// Every way in which an evaluation calls itself, around `INNER`.
const WAYS: [&str; 22] = [
    "1 + INNER",
    "[INNER]",
    "{'a': INNER}",
    "{'a': 1, 'b': INNER}",
    "[1, 2]{'a': INNER}",
    "[1, 2]#$i{'a': INNER}",
    "(INNER; 1)",
    "(true ? INNER : 1) + 1",
    "$map([1], function($x) { INNER })[0] + 1",
    "$filter([1], function($x) { INNER })",
    "$reduce([1, 2], function($x, $y) { 1 + INNER })",
    "$sort([1, 2], function($x, $y) { 1 + INNER })",
    "[1, 2]^(INNER)",
    "[1, 2]#$i^(INNER)",
    "[1, 2][INNER]",
    "[1, 2]#$i[INNER]",
    "{'a': {'b': 1}}.a@$x.(INNER + 1)",
    "[1, 2].(INNER + 1)",
    "{'a': 1} ~> |$|{'b': INNER}, INNER|",
    "$replace('aa', /a/, function($m) { $string(INNER) & '' })",
    "($g := $append(?, INNER); $h := $g ~> $string; $h(INNER) & '')",
    "$each({'a': 1}, function($v) { $sift({'a': 1}, function($w) { INNER }) })",
];

#[test]
fn a_quarter_of_a_threads_stack_is_enough_for_the_deepest_evaluation() {
    for way in WAYS {
        let called = way.replace("INNER", "$f($n + 1)");
        let called = format!("($f := function($n) {{ {called} }}; $f(1))");
        let written = (0..150).try_fold("1".to_owned(), |all, _| {
            let all = way.replace("INNER", &all);
            (all.len() < 60_000).then_some(all)
        });
        on_a_stack(crate::limits::STACK / 4 / 1024, move || {
            assert!(cause(&called).contains("Stack overflow error"), "{way}: {}", cause(&called));
            if let Some(Ok(written)) = written.map(|written| Expression::parse(&written)) {
                let _ = evaluate(written.source());
            }
        });
    }
}
