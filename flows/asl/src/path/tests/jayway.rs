//! What Jayway JsonPath does that one would not guess. Every row was run through Jayway itself with
//! Jackson's nodes, as WireMock 3.13.2 carries it.

use super::*;

#[track_caller]
fn all(input: &Value, rows: &[(&str, Value)]) {
    for (path, expected) in rows {
        assert_eq!(&found(path, input), expected, "{path}");
    }
}

#[test]
fn a_slice_with_both_bounds_takes_each_number_between_them_as_an_index() {
    let rows = [
        ("$.a[0:3:2]", json!([0, 1, 2])),
        ("$.a[1:4:2]", json!([1, 2, 3])),
        ("$.a[1::2]", json!([1, 2, 3, 4, 5])),
        ("$.a[:-1:2]", json!([0, 1, 2, 3, 4])),
        ("$.a[0:3:0]", json!([0, 1, 2])),
        ("$.a[-1:2]", json!([5, 0, 1])),
        ("$.a[-2:5]", json!([4, 5, 0, 1, 2, 3, 4])),
        ("$.a[-1:0]", json!([5])),
        ("$.a[-6:2]", json!([0, 1, 2, 3, 4, 5, 0, 1])),
        ("$.a[-7:2]", json!([null, 0, 1, 2, 3, 4, 5, 0, 1])),
        ("$.a[-9:-1]", json!([null, null, null, 0, 1, 2, 3, 4])),
        ("$.a[-9:-7]", json!([null, null])),
        ("$.a[-2:-1]", json!([4])),
        ("$.a[-1:-2]", json!([])),
        ("$.a[1:-1]", json!([])),
        ("$.a[4:9]", json!([4, 5])),
        ("$.a[8:9]", json!([])),
        ("$.a[-10:]", json!([0, 1, 2, 3, 4, 5])),
        ("$.a[:-10]", json!([])),
        ("$.e[-1:1]", json!([])),
        ("$.n[-3:1][0]", json!([1, 2, 1])),
        ("$.n[-3:1].length()", json!([null, 1, 2, 1])),
        ("$.n[*][-1:1]", json!([1, 1, 3, 2])),
    ];
    all(&json!({"a": [0, 1, 2, 3, 4, 5], "e": [], "n": [[1], [2, 3]]}), &rows);
}

#[test]
fn a_slice_from_far_before_the_beginning_is_too_much_and_takes_no_memory() {
    let input = json!({"a": [0, 1], "l": [{"x": 1}]});
    for path in ["$.a[-9223372036854775808:1]", "$.a[-300000:-200000]"] {
        let found = evaluate(path, &input);
        match path.ends_with(":1]") {
            true => assert!(found.unwrap_err().cause.ends_with("matches more than can be held")),
            false => assert_eq!(found.unwrap().as_array().map(Vec::len), Some(100_000)),
        }
    }
    assert_eq!(found("$.l[-9223372036854775808:9223372036854775807].x", &input), json!([1, 1]));
}

#[test]
fn several_indices_find_null_past_the_end_as_the_last_step_only() {
    let rows = [
        ("$.a[0,9]", json!([0, null])),
        ("$.a[9,0]", json!([null, 0])),
        ("$.a[0,-9]", json!([0, null])),
        ("$.a[0,-1]", json!([0, 1])),
        ("$.e[0,1]", json!([null, null])),
        ("$.a[0,9].x", json!([])),
        ("$.n[0,9][0]", json!([1])),
        ("$.n[0,1][1,0]", json!([null, 1, 3, 2])),
        ("$.n[0,5][?(@ > 0)]", json!([1])),
        ("$.n[0,5]['x','y']", json!([])),
        ("$.a[0,9].length()", json!([null, null])),
        ("$.n[0,7].length()", json!([1, null])),
    ];
    all(&json!({"a": [0, 1], "e": [], "n": [[1], [2, 3]]}), &rows);
}

/// Which of the items passes the condition, by its `x`.
#[track_caller]
fn passes(input: &Value, rows: &[(&str, Value)]) {
    for (condition, expected) in rows {
        let path = format!("$.l[?({condition})].x");
        assert_eq!(&found(&path, input), expected, "{path}");
    }
}

#[test]
fn a_value_is_compared_with_an_object_that_is_written_out() {
    let input = json!({"l": [{"x": 1, "o": {"k": 1}},
        {"x": 2, "o": {"b": [1, {"c": null}], "a": true}}, {"x": 3, "o": {}}, {"x": 4, "o": "{}"},
        {"x": 5, "o": [{"k": 1}]}, {"x": 6, "o": {"k": 1.5}}, {"x": 7, "o": {"k": "}"}}, {"x": 8}]});
    let rows = [
        (r#"@.o == {"k":1}"#, json!([1])),
        (r#"@.o == { "k" : 1 }"#, json!([1])),
        ("@.o == {'k':1}", json!([1])),
        ("@.o == {k:1}", json!([1])),
        (r#"@.o == {"k":1,}"#, json!([1])),
        (r#"@.o == {"k":"1"}"#, json!([])),
        (r#"@.o == {"k":1.0}"#, json!([])),
        (r#"@.o == {"k":1.50}"#, json!([6])),
        (r#"@.o == {"k":"}"}"#, json!([7])),
        (r#"@.o == {"a":true,"b":[1,{"c":null}]}"#, json!([2])),
        ("@.o == {}", json!([3])),
        (r#"@.o == [{"k":1}]"#, json!([5])),
        (r#"@.o != {"k":1}"#, json!([2, 3, 4, 5, 6, 7, 8])),
        (r#"@.o > {"k":1}"#, json!([])),
        (r#"@.o == {"k":1} && @.x == 1"#, json!([1])),
        (r#"!(@.o == {"k":1})"#, json!([2, 3, 4, 5, 6, 7, 8])),
    ];
    passes(&input, &rows);
    let broken =
        [r#"@.o == {"k":1"#, "@.o == {k}", r#"@.o == {"k":1}}"#, r#"{"k":1}"#, "@.o == {,}"];
    for condition in broken {
        assert!(Path::parse(&format!("$.l[?({condition})].x")).is_err(), "{condition}");
    }
    let deep = format!("$.l[?(@.o == {}1{})]", "{k:".repeat(40), "}".repeat(40));
    assert!(Path::parse(&deep).is_err());
}

#[test]
fn a_relation_of_lists_holds_for_lists_alone() {
    let input = json!({"l": [{"x": 1, "t": ["p", "q"]}, {"x": 2, "t": []}, {"x": 3},
        {"x": 4, "t": "p"}, {"x": 5, "t": {"q": 1}}], "e": [], "w": ["p"], "n": 5});
    let rows = [
        ("@.t noneof ['z']", json!([1, 2])),
        ("@.t[*] noneof ['z']", json!([1, 2, 4, 5])),
        ("@.t[*] noneof $.e[*]", json!([1, 2, 4, 5])),
        ("@.t[*] noneof 'z'", json!([])),
        ("@.t[*] noneof $.n", json!([])),
        ("@.t noneof $.missing", json!([])),
        ("$.w noneof @.t", json!([2])),
        ("@.t anyof 'p'", json!([])),
        ("@.t subsetof 'p'", json!([])),
        ("@.t subsetof $.missing", json!([])),
        ("@.t subsetof ['p','q']", json!([1, 2])),
    ];
    passes(&input, &rows);
}

#[test]
fn an_indefinite_path_that_finds_nothing_is_an_empty_list_where_the_way_to_it_is_there() {
    let input = json!({"l": [{"x": 1, "t": ["p", "q"]}, {"x": 2, "t": []}, {"x": 3},
        {"x": 4, "t": "p"}, {"x": 5, "t": {"q": 1}}], "e": []});
    let rows = [
        ("@.t[*]", json!([1, 2, 4, 5])),
        ("!@.t[*]", json!([3])),
        ("@.t[?(@ == 'zz')]", json!([1, 2, 5])),
        ("@.t[5:6]", json!([1, 2])),
        ("@..q", json!([1, 2, 3, 4, 5])),
        ("@.t[*] == []", json!([2, 4])),
        ("@.t[*] != []", json!([1, 3, 5])),
        ("@.t[*] empty true", json!([2, 4])),
        ("@.t[*] empty false", json!([1, 5])),
        ("@..q size 0", json!([1, 2, 3, 4])),
        ("@.t[*] nin ['p']", json!([1, 2, 3, 4, 5])),
        ("@.t[*] in ['p']", json!([])),
        ("@..q subsetof ['z']", json!([1, 2, 3, 4])),
        ("@..zz == @..zz", json!([1, 2, 3, 4, 5])),
        ("@..zz != @..zz", json!([])),
        ("@.t[9:] == @.t[10:]", json!([1, 2])),
        ("@.x in $..zz", json!([])),
        ("@.x nin $..zz", json!([1, 2, 3, 4, 5])),
        ("@..zz < 1", json!([])),
    ];
    passes(&input, &rows);
}

#[test]
fn a_function_takes_each_find_of_an_indefinite_path_by_itself() {
    let input = json!({"b": [{"g": [1, 2], "t": "A"}, {"g": []}], "nn": [[1, 2], [3]], "n": [1]});
    for (path, expected) in [
        ("$.b[*].length()", json!([2, 1])),
        ("$.b[*].g.length()", json!([2, 0])),
        ("$.b[?(@.t)].length()", json!([2])),
        ("$.b[?(@.x)].length()", json!([])),
        ("$.nn[*].sum()", json!([3.0, 3.0])),
        ("$.b[*].keys()", json!([["g", "t"], ["g"]])),
        ("$.n[*].length()", json!([null])),
    ] {
        assert_eq!(found(path, &input), expected, "{path}");
    }
    // Nothing to count, or no such item, is no value.
    for path in [
        "$.b[1].g.sum()",
        "$.b[1].g.max()",
        "$.b[1].g.first()",
        "$.n.index(1)",
        "$.b[0].t.sum()",
        "$.b[1].g.avg()",
        "$.b[1].g.stddev()",
        "$.b[*].g.sum()",
        "$.b[*].t.sum()",
        "$..missing.sum()",
        "$.nn[*].index(1)",
    ] {
        assert!(evaluate(path, &input).is_err(), "{path}");
    }
}

#[test]
fn an_index_past_the_end_is_null_as_the_last_step_only() {
    let input = json!({"nest": [[1, 2], [3], []], "a": [{"b": []}]});
    for (path, expected) in [
        ("$.nest[*][0]", json!([1, 3, null])),
        ("$.nest[*][-2]", json!([1, null, null])),
        ("$.nest[*][1][0]", json!([])),
        ("$.a[*].b[0]", json!([null])),
        ("$.a[*].b[0].c", json!([])),
        ("$.a[*][0]", json!([])),
    ] {
        assert_eq!(found(path, &input), expected, "{path}");
    }
    let several = json!({"b": [{"x": 1, "y": 2}, {"x": 3}]});
    assert_eq!(found("$..['x','y']", &several), json!([{"x": 1, "y": 2}]));
}

#[test]
fn numbers_in_a_filter_are_those_of_javas_big_decimal() {
    let rows = [
        ("$.e[?(@.s > .85)].n", json!([1])),
        ("$.e[?(@.s < -.5e0)].n", json!([3])),
        ("$.e[?(@.s == 2.)].n", json!([4])),
        ("$.e[?(@.s == 002)].n", json!([4])),
    ];
    let entries = json!([{ "s": 0.9, "n": 1 }, { "s": 0.8, "n": 2 }, { "s": -1, "n": 3 }]);
    all(&json!({ "e": entries }), &rows[..2]);
    all(&json!({ "e": [{ "s": 2, "n": 4 }, { "s": 3, "n": 5 }] }), &rows[2..]);
    for wrong in [".", "-", "1.2.3", "2x", "e5"] {
        assert!(Path::parse(&format!("$.e[?(@.s > {wrong})]")).is_err(), "{wrong}");
    }
}
