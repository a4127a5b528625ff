use super::super::evaluate::bounds::hurried;
use super::*;
use proptest::prelude::*;

/// Expressions that would take all the memory, the stack or the time of a careless evaluator.
const HOSTILE: [&str; 87] = [
    "$replace($pad('', 1000000, 'x'), /x+/, $pad('', 2000000, '$0'))",
    "$replace($pad('', 1000000, 'x'), /(x+)/, $pad('', 2000000, '$1'))",
    "$count($parse('[' & $replace($pad('', 2200000), ' ', '1,') & '1]'))",
    "$count($parse('[' & $replace($pad('', 1300000), ' ', 'null,') & 'null]'))",
    "$formatNumber(1, $pad('', 1000000, '#,'))",
    "$formatInteger(1e21, 'I')",
    "1e15 ~> $formatInteger('i;o')",
    "[1e15].$formatInteger('I')",
    "$map([1e15], function($n) { $formatInteger($n, 'I') })",
    "($f := $formatInteger(?, 'I'); $f(-1e15))",
    "$pad('x', 300000000)",
    "$pad('x', -3e8)",
    "$map([300000000], function($n) { $pad('x', $n) })",
    "'x' ~> $pad(300000000)",
    "($p := $pad(?, 300000000); $p('x'))",
    "($p := $pad; $p('x', 300000000))",
    "[1..10000000]",
    "[1..1000000000]",
    "[1..800000].[1..800000]",
    "[[1..800000], [1..800000]] ~> $string()",
    "($f := function($s, $n) { $n = 0 ? $s : $f($s & $s, $n - 1) }; $f('x', 40))",
    "($f := function($s, $n) { $n = 0 ? $s : $f([$s, $s], $n - 1) }; $f([1, 2], 40))",
    "($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $f([1], 40))",
    "($f := function($s, $n) { $n = 0 ? $s : $f({'a': $s, 'b': $s}, $n - 1) }; $string($f(1, 60)))",
    "($f := function($s, $n) { $n = 0 ? $s : $f({'a': $s, 'b': $s}, $n - 1) }; $a := $f(1, 60); $b := $f(1, 60); $a = $b)",
    "($f := function($s, $n) { $n = 0 ? $s : $f({'a': $s, 'b': $s}, $n - 1) }; $f(1, 60) in [$f(1, 60)])",
    "($f := function($s, $n) { $n = 0 ? $s : $f({'a': $s, 'b': $s}, $n - 1) }; $f(1, 60).**)",
    "($f := function($s, $n) { $n = 0 ? $s : $f({'a': $s, 'b': $s}, $n - 1) }; $f(1, 60) ~> |$|{}|)",
    "($f := function($s, $n) { $n = 0 ? $s : $f({'a': $s, 'b': $s}, $n - 1) }; $distinct([$f(1, 60), $f(1, 60)]))",
    "($f := function($s, $n) { $n = 0 ? $s : $f({'a': $s, 'b': $s}, $n - 1) }; 'x' & $f(1, 60))",
    "($f := function($s, $n) { $n = 0 ? $s : $f({'a': $s, 'b': $s}, $n - 1) }; $map([$f(1, 60)], $string))",
    "($f := function($s, $n) { $n = 0 ? $s : $f($zip($s, $s), $n - 1) }; $string($f([1], 60)))",
    "($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $spread($f([1], 40)))",
    "($f := function($s, $n) { $n = 0 ? $s : $f([[$s], [$s]], $n - 1) }; $f([1], 40) ~> $keys)",
    "($w := [[1..400000]]; $map([1..800000], function() { $count($keys([$w, $w])) }))",
    "($w := [1..100000]; $count([100001..200000][$ in $w]))",
    "($s := $pad('x', 6000000); $map([1..800000], function($i) { $replace($s, $s & 'y', function() { 1 }) }))",
    "($f := function($n) { $f($n + 1) }; $f(1))",
    "($f := function($n) { 1 + $f($n + 1) }; $f(1))",
    "($f := function($n) { [$f($n + 1)] }; $f(1))",
    "($s := $pad('x', 6000000); $join($map([1..100000], function() { $s })))",
    "($s := $pad('x', 6000000); $join([1..100000] ~> $map($string), $s))",
    "($j := $join; $s := $pad('x', 6000000); $j($map([1..100000], $string), $s))",
    "($s := $pad('x', 1000000, 'x'); $replace($s, 'x', $s))",
    "($s := $pad('x', 1000000, 'x'); $s ~> $replace('x', $s))",
    "($s := $pad('x', 1000000, 'x'); $replace($s, /x/, function() { $s }))",
    "($s := $pad('x', 1000000, 'x'); $f := function() { $s }; $replace($s, /x/, $f))",
    "$split($pad('x', 6000000), '')",
    "($s := $pad('x', 6000000); $count($split($s, '')))",
    "($s := $pad('x', 6000000); $s ~> $split('') ~> $count())",
    "($s := $pad('x', 6000000); $f := $split(?, ''); $count($f($s)))",
    "($s := $pad('x', 6000000); $f := $split; $count($f($s, '')))",
    "($f := function($s, $by) { $count($split($s, $by)) }; $f($pad('x', 1500000), ','))",
    "($s := $pad('x', 1500000); $count($s.$split(' ')))",
    "($r := /x /; $count($split($pad('x', 300000), $r)))",
    "($r := /x(?= )/; $f := $split; $count($f($pad('x', 300000), $r)))",
    "$match($pad('x', 6000000), /x/)",
    "$map([1..800000], function() { $map([1..800000], function() { 1 }) })",
    "$reduce([1..800000], function($a, $b) { [$a, $b] })",
    "$sort($map([1..800000], function() { $pad('x', 100000) }))",
    "($s := $pad('x', 6000000); [1..800000]^($s))",
    "($s := $pad('x', 6000000); $sort($map([1..800000], function() { $s })))",
    "$fromMillis(0, '[Y,999999999]')",
    "$now('[Y,999999999-999999999]')",
    "$toMillis($pad('1', 6000000, '1'), '[s]')",
    "$pad('1', 6000000, '1') ~> $toMillis('[Y]')",
    "($f := $toMillis(?, '[Y] [M]'); $f($pad('1', 6000000, '1')))",
    "$map([1..800000], function() { $toMillis('1 2', '[Y] [M]') })",
    "($p := '[s]'; $toMillis($pad('1', 6000000, '1'), $p))",
    "($p := $pad('', 66000, '[s]'); $toMillis('1', $p))",
    "$formatBase(1e300, 2) & $power(10, 400)",
    "($p := $pad('', 60000, '[YI]'); $map([1..800000], function() { $fromMillis(8.64e15, $p) }))",
    "$map([1..800000], function() { $formatInteger(9999999, 'I') })",
    "$formatInteger(1, $pad('', 6000000, '0'))",
    "$parseInteger('1', $pad('', 6000000, '0'))",
    "$map([1..800000], function() { $formatBase(1e300, 2) })",
    "$parseInteger($pad('', 6000000, '1'), '#0')",
    "$parseInteger($pad('', 6000000, 'six '), 'w')",
    "($o := {'minus-sign': $pad('', 6900000, '-')}; \
     $reduce([1..66], function($a, $b) { $exists($formatNumber(-1, '0', $o)) }))",
    "($s := $pad('', 1000, 'six '); $p := $pad('', 160, '[Yw]'); \
     $map([1..800000], function() { $toMillis($s & '!', $p) }))",
    "($s := $pad('', 990, 'a'); $p := $pad('', 152, '[MN]') & '1'; \
     $map([1..800000], function() { $toMillis($s, $p) }))",
    "$range(1, 1e12, 1)",
    "$range(1, 10, 1e-9)",
    "$partition([1..800000], 1) ~> $string()",
    "$string($reduce([1..5000], function($a, $b) { {'a': $a} }, 1))",
    "[1..500, 1..800000, 1..800000, 1..800000, 1..800000, 1..800000, 1..800000, 1..800000]",
    "$match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', /^(a+)+$/) ~> $error()",
];

#[test]
fn a_hostile_expression_fails_and_does_no_more() {
    let _hurried = hurried();
    for source in HOSTILE {
        if let Ok(value) = evaluate(source) {
            panic!("{source} gave {} bytes", value.to_string().len());
        }
    }
}

#[test]
fn what_takes_longer_than_a_second_ends_with_aws_words() {
    let _hurried = hurried();
    let told = cause("$map([1..800000], function() { $map([1..800000], function() { 1 }) })");
    assert!(told.contains("Expression evaluation timeout: Check for infinite loop"), "{told}");
}

#[test]
fn a_text_that_is_nested_without_end_is_refused() {
    for source in [
        "(".repeat(20_000),
        "[".repeat(20_000) + &"]".repeat(20_000),
        "-".repeat(20_000) + "1",
        "1".to_owned() + &"+1".repeat(20_000),
        "'x'".to_owned() + &" & 'x'".repeat(5_000),
        "1".to_owned() + &" ~> $string".repeat(3_000),
        "$states".to_owned() + &".a".repeat(20_000),
        "function($x){".repeat(2_000) + "1" + &"}".repeat(2_000),
        "x".repeat(100_000),
    ] {
        let refused = Expression::parse(&source).unwrap_err();
        assert!(
            refused.message.contains("nested") || refused.message.contains("longer"),
            "{refused}"
        );
    }
}

#[test]
fn what_is_nested_in_the_arguments_of_a_call_is_there_once() {
    let nested = |one: &dyn Fn(String) -> String| (0..20).fold("1".to_owned(), |all, _| one(all));
    let limits = nested(&|inner| format!("$number($replace('1', '1', '1', {inner}))"));
    assert_eq!(evaluate(&limits).unwrap(), json!(1));
    let matchers = nested(&|inner| {
        format!("$replace('b', function($t) {{ $string({inner}) = 'a' ? {{}} : $nothing }}, 'c')")
    });
    assert_eq!(evaluate(&matchers).unwrap(), json!("b"));
    for one in [
        |inner| format!("$replace({inner}, 'a', 'b')"),
        |inner| format!("$replace('a', 'a', {inner})"),
        |inner| format!("$replace('a', {inner}, 'b', 1)"),
        |inner| format!("$split('a', function() {{ {inner} }}, 1)"),
        |inner| format!("$contains({inner}, function() {{ {inner} }}(1))"),
        |inner| format!("$join([{inner}], {inner})").replacen(&inner, "''", 1),
        |inner| format!("$sort([{inner}], function($a, $b) {{ $a > $b }})"),
        |inner| format!("$reduce([{inner}], function($a, $b) {{ $a }})"),
        |inner| format!("({inner}) ~> $replace('a', function() {{ 'b' }}, 1)"),
    ] as [fn(String) -> String; 9]
    {
        let many = nested(&one);
        if many.len() < super::super::limits::MOST_SOURCE {
            Expression::parse(&many).unwrap();
        }
    }
}

#[test]
fn a_small_stack_is_enough_for_what_is_nested_deeply() {
    let sources = [
        "1 + $l".to_owned() + &"^($)".repeat(1_500),
        "1 + $l^($) = ".repeat(1_500) + "1",
        "1 + ".to_owned() + &"$c ? 1 : ".repeat(1_500) + "2",
        "1 + ".to_owned() + &"(".repeat(1_500) + "1 / 0" + &")".repeat(1_500),
        "1 + ".to_owned() + &"-".repeat(1_500) + "$c",
    ];
    let small = std::thread::Builder::new().stack_size(512 * 1024);
    let parsed = small.spawn(move || {
        for source in sources {
            let refused = Expression::parse(&source).unwrap_err();
            assert!(refused.message.contains("nested"), "{refused}");
        }
    });
    parsed.unwrap().join().unwrap();
}

/// Fragments that mutated expressions are put together from.
const FRAGMENTS: [&str; 40] = [
    "$states.input",
    ".items",
    "[n > 1]",
    "[0]",
    "[-1]",
    "[]",
    "{",
    "}",
    "(",
    ")",
    "'a'",
    "1",
    "$x",
    "$list",
    "+",
    "&",
    "=",
    " in ",
    " ~> ",
    "$string",
    "$join",
    "$map",
    "$pad(",
    ",",
    ":",
    ":=",
    ";",
    "?",
    "function($a){",
    "**",
    "*",
    "%",
    "^(",
    "@$i",
    "#$j",
    "..",
    "$now()",
    "|",
    "/a+/",
    "$",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn mutated_expressions_never_panic(
        picks in proptest::collection::vec(0..FRAGMENTS.len(), 1..14),
    ) {
        let _hurried = hurried();
        let source: String = picks.iter().filter_map(|&pick| FRAGMENTS.get(pick).copied()).collect();
        if Expression::parse(&source).is_ok() {
            let _ = evaluate(&source);
        }
    }

    #[test]
    fn a_text_is_an_expression_or_is_not(source in r#"[a-c$ .()\[\]{}'"0-9+&=<>?:;,*%@#^|/~-]{0,24}"#) {
        if Expression::parse(&source).is_ok() {
            let _ = evaluate(&source);
        }
    }
}
