use super::*;

#[test]
fn an_expression_has_no_document_around_it() {
    for (source, meant) in [
        ("foo.bar", "the field is `$states.input.foo`"),
        ("$", "the input is `$states.input`"),
        ("$$.a", "the input is `$states.input`"),
        ("$x + ($sum(items))", "`$states.input.items`"),
        ("{'a': [b]}", "`$states.input.b`"),
        ("$x ? y : 1", "`$states.input.y`"),
    ] {
        let error = Expression::parse(source).expect_err(source);
        assert!(error.message.contains(meant), "{source}: {error}");
    }
    for source in [
        "$states.input.(a + $)",
        "$list[$ > 1]",
        "$map($list, function($v) { $v })",
        "$states.input.items^(n)",
        "$states.input.items{id: n}",
        "$states.input ~> |$|{}|",
        "$x := 5",
    ] {
        assert!(Expression::parse(source).is_ok(), "{source}");
    }
}

#[test]
fn an_operator_that_step_functions_does_not_have_yet_is_known_wherever_it_stands() {
    for (source, operator) in [
        ("$states.input.a ?? 1", "??"),
        ("$states.input.a ?: 1", "?:"),
        ("$map($states.input.xs, function($x) { $x.name ?? 'nobody' })", "??"),
        ("{'a': $states.input.xs[b ?: c]}", "?:"),
        ("$states.input.xs[0..1]", ".."),
        ("$match($states.input.a, (/x/))", "/"),
        ("[/x/]", "/"),
    ] {
        let newer = Expression::parse(source).unwrap().newer();
        assert_eq!(newer.map(|newer| newer.operator), Some(operator), "{source}");
    }
    let older = Expression::parse("$states.input.a ? '??' : '?:'").unwrap();
    assert_eq!(older.newer(), None);
    for source in ["$states.input.xs[[0..1]]", "[1..3, 5, $x..$y]", "$match('x', /x/)"] {
        assert_eq!(Expression::parse(source).unwrap().newer(), None, "{source}");
    }
}

#[test]
fn an_expression_may_be_as_deep_as_on_aws() {
    for source in [
        format!("1{}", "+1".repeat(99)),
        format!("'x'{}", "&'x'".repeat(99)),
        format!("{}1{}", "(".repeat(99), ")".repeat(99)),
        format!("{}1{}", "[".repeat(99), "]".repeat(99)),
        format!("$x{}", " ~> $string".repeat(99)),
        format!("$x{}", " ~> $abs()".repeat(99)),
        "($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(31))".to_owned(),
        "($f := function($n) { $n = 0 ? '' : 'x' & $f($n - 1) }; $f(31))".to_owned(),
    ] {
        value(&source);
    }
}

#[test]
fn what_is_wrong_beside_an_operator_of_a_later_version_is_told_in_the_words_of_this_one() {
    for (source, words) in [
        ("$x ??", "S0211: The symbol \"?\" cannot be used as a unary operator"),
        ("$x ?: $list,", "S0211: The symbol \":\" cannot be used as a unary operator"),
        ("$append(??, 1)", "S0202: Expected \")\", got \"?\""),
        ("$list[0..1]]", "S0202: Expected \"]\", got \"..\""),
        ("$split($x, //", "S0301: Empty regular expressions are not allowed"),
        ("[//1]", "S0211: The symbol \"/\" cannot be used as a unary operator"),
        ("//1", "S0301: Empty regular expressions are not allowed"),
    ] {
        assert_eq!(Expression::parse(source).expect_err(source).message, words, "{source}");
    }
    assert!(Expression::parse("$x ?? 1").is_ok());
}
