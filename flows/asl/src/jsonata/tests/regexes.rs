use super::*;

fn check(cases: &[(&str, Value)]) {
    for (source, expected) in cases {
        assert_eq!(value(source), *expected, "{source}");
    }
}

#[test]
fn a_regular_expression_looks_around_and_back() {
    check(&[
        (r"$contains('abc', /^(?!.*b)/)", json!(false)),
        (r"$contains('acc', /^(?!.*b)/)", json!(true)),
        (r"$match('10 USD 20 EUR', /\d+(?= EUR)/).match", json!("20")),
        (r"$match('abcabd', /ab(?!c)./).index", json!(3)),
        (r"$replace('a1b2', /(?<=a)1/, 'X')", json!("aXb2")),
        (r"$replace('aabbcc', /(.)\1/, '<$1>')", json!("<a><b><c>")),
        (r"$replace('aXbX', /X(?=b)/, function($m) { $m.match & '!' })", json!("aX!bX")),
        (r"$split('a1b22c', /\d(?=\d)/)", json!(["a1b", "2c"])),
        (r"$split('a1b22c', /\d(?=\d)/, 1)", json!(["a1b"])),
        (r"$split('abc', /\d(?=\d)/)", json!(["abc"])),
        (r"$split('abc', /b(?=c)/, 0)", json!([])),
        (r"$match('AbC', /b(?=c)/i).match", json!("b")),
        (r"$match('x\ny', /^y(?!z)/m).index", json!(2)),
        (r"$replace('1234567', /\B(?=(?:\d{3})+$)\d/, ',$0')", json!("1,234,567")),
        (r"$contains('é1', /\b1(?!2)/)", json!(true)),
    ]);
}

#[test]
fn such_a_regular_expression_is_a_function_as_any_other() {
    check(&[
        (r"('abc' ~> /b(?=c)/).start", json!(1)),
        (r"/b(?=c)/('abcbc').next().start", json!(3)),
        (r"$exists(/b(?=c)/('abc').next().next)", json!(false)),
        (r"($re := /b(?=c)/; $contains('abc', $re))", json!(true)),
        (
            r"($re := /b(?=c)/; [$match('abc', $re).index, $split('abc', $re)])",
            json!([1, "a", "c"]),
        ),
        (r"$filter(['+1555', '+44'], function($x) { $contains($x, /^\+(?!1)/) })", json!("+44")),
        (r"$filter(['+1555', '+44'], $contains(?, /^\+(?!1)/))", json!("+44")),
        (r"$filter(['+1555', '+44'], /^\+(?!1)/)", json!("+44")),
        (r"'abc' ~> $contains(/b(?=c)/)", json!(true)),
        (r"['abc', 'abd'].$contains(/b(?=c)/)", json!([true, false])),
        (r"['abc', 'abd'].$split(/b(?=c)/)", json!(["a", "c", "abd"])),
        (r"$exists($contains($states.input.missing, /b(?=c)/))", json!(false)),
        (r"($contains := function($a, $b) { 'mine' }; $contains('abc', /b(?=c)/))", json!("mine")),
        (r"($c := false; $contains('abc', $c ? /x(?=b)/ : /b(?=c)/))", json!(true)),
        (r"$split('abc', ($c := 1; /b(?=c)/))", json!(["a", "c"])),
        (r"($re := /b(?=c)/; ['abc', 'abd'].$contains($re))", json!([true, false])),
        (r"($re := /b(?=c)/; ['abc', 'abd'].$split($re))", json!(["a", "c", "abd"])),
        (r"($has := $contains; $has('abc', /b(?=c)/))", json!(true)),
        (r"($has := $contains; [$has('abc', 'b'), $has('abc', 'x')])", json!([true, false])),
    ]);
}

#[test]
fn a_function_that_finds_is_taken_for_a_regular_expression() {
    let second = "function($s) { {'match': 'b', 'start': 1, 'end': 2, 'groups': [],
        'next': function() { () }} }";
    check(&[
        (&format!("$contains('abc', {second})"), json!(true)),
        ("$contains('abc', function($s) { () })", json!(false)),
        (&format!("$split('abc', {second})"), json!(["a", "c"])),
        (&format!("($f := {second}; $split('abc', $f))"), json!(["a", "c"])),
        ("($part := ','; $split('a,b', $part))", json!(["a", "b"])),
        (
            "($part := /,/; [$split('a,b', $part), $contains('a,b', $part)])",
            json!(["a", "b", true]),
        ),
    ]);
}

#[test]
fn positions_are_counted_as_in_javascript_and_groups_without_a_part_are_null() {
    check(&[
        (r"$match('😀ab', /a(?=b)/).index", json!(2)),
        (r"/a(?=b)/('😀ab').end", json!(3)),
        (r"$split('😀,é;x', /,(?=é)|;/)", json!(["😀", "é", "x"])),
        (r"$match('bc', /(?:(a)|(b))(?=c)/).groups", json!([null, "b"])),
        (r"$match('bc', /b(?=c)/).groups", json!([])),
        (r"$replace('bc', /(?:(a)|(b))(?=c)/, '[$1$2]')", json!("[b]c")),
    ]);
}

#[test]
fn a_slash_within_brackets_does_not_end_a_regular_expression() {
    check(&[
        (r"$match('https://a.b/c', /^https?:\/\/[^/]+/).match", json!("https://a.b")),
        (r"$replace('1/2', /(1/2)/, 'x')", json!("x")),
        (r"$split('a/b\\c', /[/\\]/)", json!(["a", "b", "c"])),
        (r"$replace('(x)', /[(]/, '') ~> $replace(/[)]/, '')", json!("x")),
        (r"4 / 2 / 2", json!(1)),
        (r"(4) / 2 & '/[/'", json!("2/[/")),
        (r"/* [/ */ $contains('/', /[/]/)", json!(true)),
        (r"[8][0] / 2 in [/[/]/('/').start, 4]", json!(true)),
        (r"{'a/b': 6}.`a/b` / 2", json!(3)),
        (r"$contains('a]/', /[\]/]/)", json!(true)),
        (r"{'in': 8}.in / (4/2) / 2", json!(2)),
        (r"{'or': 8, 'a': {'and': 2}}.(or / (a . and / 1) / 2)", json!(2)),
        (r"2 in [1] or /[/]/('/').start = 0", json!(true)),
    ]);
}

#[test]
fn a_regular_expression_is_read_as_javascript_reads_it() {
    check(&[
        (r"$contains('٣', /\d/)", json!(false)),
        (r"$replace('héllo wörld', /\W+/, '_')", json!("h_llo_w_rld")),
        (r"$contains('é', /[\w]/)", json!(false)),
        (r"$replace('a-1', /[^\d]/, '')", json!("1")),
        (r"$contains('a é', /\bé/)", json!(false)),
        (r"$contains('a&&b', /[&&]/)", json!(true)),
        (r"$contains('~', /[~~a]/)", json!(true)),
        (r"$match('a--b', /[--]+/).match", json!("--")),
        (r"$match('[x]', /[[x]+/).match", json!("[x")),
        (r"$contains('x', /[^]/)", json!(true)),
        (r"$contains('x', /[]/)", json!(false)),
        (r"$contains('a{,3}', /a{,3}/)", json!(true)),
        (r"$contains('{a}', /^{a}$/)", json!(true)),
        (r"$match('aaaa', /a{2,3}/).match", json!("aaa")),
        (r"$contains('<b>', /\<b\>/)", json!(true)),
        (r"$contains('\u0000', /^\0$/)", json!(true)),
        (r"$contains('\r', /./)", json!(false)),
        (r"$contains('\u0001', /^\cA$/)", json!(true)),
        (r"$contains('A😀', /^\u0041\ud83d\ude00$/)", json!(true)),
        (r"$contains('A', /\ud83d/)", json!(false)),
        (r"$contains('\b', /[\b]/)", json!(true)),
        (r"$contains('a_b', /a\_b/)", json!(true)),
        (r"$match('\na', /[\s\S]+/i).match", json!("\na")),
        (r"$match('a1\n', /[\D\d][\w\W]{2}(?=$)/).match", json!("a1\n")),
        (r"$contains('zaehKGQ', /^\z\a\e\h\K\G\Q$/)", json!(true)),
        (
            r"[$contains('pL', /\pL/), $contains('A', /\pL/), $contains('A1', /\A1/)]",
            json!([true, false, true]),
        ),
        (r"$contains('B1', /[\B\P]1(?!2)/)", json!(true)),
    ]);
}

#[test]
fn letters_that_escape_nothing_stand_for_themselves() {
    check(&[
        (r"$match('kx1', /\k/).match", json!("k")),
        (r"$match('kx1', /[\k]/).match", json!("k")),
        (r"$match('xZ', /\xZ/).match", json!("xZ")),
        (r"$match('ax', /[\x]/).match", json!("x")),
        (r"$match('xA', /\x41/).match", json!("A")),
        (r"$match('xA', /\x{41}/).match", json!("A")),
        (r"$match('abab', /(?<n>ab)\k<n>/).match", json!("abab")),
    ]);
}

#[test]
fn what_is_no_regular_expression_is_known_before_it_is_reached() {
    for (source, wrong) in [
        ("$contains('x', /a(/)", "/a(/ is no regular expression"),
        ("false ? $contains('x', /*c*/ /[z-a]/)", "/[z-a]/ is no regular expression"),
        ("$contains('x', /x/g)", "the flags are `i` and `m`, not `g`"),
        ("$contains('x', /x/ii)", "not `i`"),
        ("$contains('x', //)", "S0301"),
        ("$contains('x', /(?:(?:x{1000}){1000}){1000}/)", "/ is no regular expression"),
        ("$contains('x', /(?>x)/)", "/(?>x)/ is no regular expression"),
        ("$contains('x', /(?=x)(?:(?=)){1000000000}/)", "repeats its parts more than"),
        ("$contains('x', /(?=x)(?:(?:(?=)){999}){999}/)", "repeats its parts more than"),
        ("$contains('x', /(?=x)(?:(?=)){99999999999999999999999}/)", "no regular expression"),
        (&format!("$contains('x', /(?={})/)", "x".repeat(5000)), "has 4096 bytes at most"),
    ] {
        let expression = Expression::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
        let told = expression.bad_regex().unwrap_or_default();
        assert!(told.contains(wrong) && !told.contains('\n'), "{source}: {told}");
    }
    let fine = Expression::parse("$contains('x', /(a)(?!b)|[/]/im)").unwrap();
    assert_eq!(fine.bad_regex(), None);
}

#[test]
fn a_match_of_nothing_after_the_first_fails_and_a_search_without_end_is_given_up() {
    assert!(cause("$split('abC', /(?=[A-Z]|$)/)").contains("D1004"));
    assert_eq!(value("$contains('abc', /(?=b)/)"), json!(true));
    let endless = r"$contains($pad('', 40, 'a'), /^(a*)*\1\1c/)";
    assert!(cause(endless).contains("Regular expression"), "{}", cause(endless));
    let long = cause("$contains($pad('', 70000, 'a'), /a(?=b)/)");
    assert!(long.contains("searches 65536 bytes at most, and the text has 70000"), "{long}");
    let _hurried = super::super::evaluate::bounds::hurried();
    let slow = cause(r"$contains($pad('', 65000, 'a'), /(?=.*\d|.*a)(?=.*a)x/)");
    assert!(slow.contains("too many steps in a text of 65000 bytes"), "{slow}");
}

#[test]
fn a_search_is_refused_before_it_begins_if_pattern_and_text_are_large() {
    let large = "$contains($pad('', 1000000, '10'), /[01]*1[01]{9000}[2-9a-z]/)";
    let told = cause(large);
    assert!(told.contains("is too large for a text of 1000000 bytes"), "{told}");
    let around = cause("$contains($pad('', 60000, '10'), /(?!b)[01]*1[01]{0,2000}[2-9a-z]/)");
    assert!(around.contains("is too large for a text of 60000 bytes"), "{around}");
    check(&[
        ("$contains($pad('', 1000000, 'x'), /[a-z]@/)", json!(false)),
        ("$match($pad('', 250000, 'xy') & 'a@b.c', /[^@ x]+@[a-z]+\\.[^ ]/).index", json!(249_999)),
        ("$contains($pad('', 250, 'x'), /^.{1,255}$/)", json!(true)),
    ]);
}

/// What is wrong with one of `count` regular expressions, in which `#` stands for their numbers.
fn wrong_with_one_of(one: &str, count: usize) -> Option<String> {
    let each = |n| format!("$contains('x', {})", one.replace('#', &format!("{n}")));
    let all: Vec<_> = (0..count).map(each).collect();
    let parsed = Expression::parse(&format!("[{}]", all.join(", "))).unwrap();
    parsed.bad_regex().map(str::to_owned)
}

const TOO_MANY: &str = "regular expressions of the definition come to more than 33554432 bytes";

#[test]
fn the_regular_expressions_of_one_definition_are_bounded_together() {
    let all = wrong_with_one_of;
    // What takes most characters takes longer, also where a part of a pattern is compiled on its own.
    for one in ["/[01]{900}#/", "/(?=x)[01]{0,900}#/", "/(?=x)[^a]{1,100}#/", "/(?=x)\\S{1,100}#/"]
    {
        let told = all(one, 1500).unwrap_or_default();
        assert!(told.contains(TOO_MANY), "{one}: {told}");
        assert_eq!(all(one, 20), None);
        // The same one is read once.
        assert_eq!(all(&one.replace('#', ""), 1500), None);
    }
    assert_eq!(all("/^x+#$/", 2000), None);
    assert_eq!(all("/^.{1,160}#$/", 100), None);
    assert_eq!(all("/^.{1,600}$/", 50), None);
    check(&[
        ("$contains($pad('', 1000, 'x'), /^.{1,1000}$/)", json!(true)),
        ("$contains($pad('', 1001, 'x'), /^.{1,1000}$/)", json!(false)),
    ]);
    let groups = all(&format!("/{}/", "(x)".repeat(3000)), 1).unwrap_or_default();
    assert!(groups.contains("too many groups for its size"), "{groups}");
    let around = all("/(?=x)[01]{0,20000}/", 1).unwrap_or_default();
    assert!(around.contains("repeats its parts more than 16384 times"), "{around}");
}

#[test]
fn the_other_cases_of_nearly_all_characters_count_and_are_not_looked_for_where_there_are_none() {
    let all = wrong_with_one_of;
    for one in [
        r"/[\Sa]#/i",
        r"/[^\Wa]#/i",
        r"/[\Wa]#/i",
        r"/[\Da]#/i",
        r"/[a\D]#/i",
        r"/[\t-\uffff]#/i",
        r"/(?=x)[\u0000-\uffff]#/i",
    ] {
        let told = all(one, 200).unwrap_or_default();
        assert!(told.contains(TOO_MANY), "{one}: {told}");
    }
    for one in
        [r"/[\s\S]*[^]#/i", r"/^[^\W_]{2,40}#$/i", r"/[\S ]#/i", r"/[\W_]#/i", r"/[\D ][0-9-]#/i"]
    {
        assert_eq!(all(one, 300), None, "{one}");
    }
    assert_eq!(all("/^[a-zà-ÿ' -]+#$/i", 500), None);
    check(&[
        (r"$match('a_-B', /[\W_]/i).match", json!(["_", "-"])),
        (r"$match('a1Bc', /[b\d]/i).match", json!(["1", "B"])),
        (r"$match('aZ5', /[\d-z]/i).match", json!(["Z", "5"])),
        (r"$match('xY_z', /(?<=x)[^\W_]/i).match", json!("Y")),
    ]);
}

#[test]
fn a_replacement_that_is_not_there_is_a_word_for_a_text_and_told_for_a_match() {
    check(&[
        ("$replace('abc', 'b', $nothing)", json!("aundefinedc")),
        ("$replace('abc', 'b', $nothing, 1)", json!("aundefinedc")),
        ("$replace('abc', 'x', $nothing)", json!("abc")),
        ("$replace('abc', /x/, $nothing)", json!("abc")),
    ]);
    let told = cause("$replace('abc', /b/, $nothing)");
    assert!(told.contains("nothing to replace a match with"), "{told}");
    assert_eq!(value("$replace('abundefinedc', $nothing, 'x', 0)"), json!("abundefinedc"));
    let told = cause("$replace('abundefinedc', $nothing, 'x')");
    assert!(told.contains("nothing to look for"), "{told}");
    let told = cause("$replace('abc', 'b', function($m) { 'x' })");
    assert!(told.contains("with a function takes a regular expression"), "{told}");
}

#[test]
fn a_function_that_finds_says_where_each_match_is() {
    let matcher = "function($s) { ($at := function($n) { {'match': 'b', 'start': $n, 'end': $n + 1, \
                   'groups': [], 'next': function() { $n < 4 ? $at($n + 2) : () }} }; $at(1)) }";
    check(&[(&format!("$split('abcbcba', {matcher})"), json!(["a", "c", "c", "a"]))]);
}
