mod jayway;

use super::*;
use crate::scope::{Entropy, Variables};
use proptest::prelude::*;
use serde_json::json;

/// Looks `path` up in `input`, with a context object and one variable.
fn evaluate(path: &str, input: &Value) -> Result<Value, Failure> {
    let context = json!({"Task": {"Token": "t0"}, "State": {"Name": "S"}});
    let mut variables = Variables::new();
    variables.assign("call", json!({"id": 7, "legs": ["a", "b"]}));
    let entropy = Entropy::new(0);
    let scope = Scope {
        input,
        context: &context,
        variables: &variables,
        states: None,
        now: jiff::Timestamp::UNIX_EPOCH,
        entropy: &entropy,
    };
    Path::parse(path).expect(path).evaluate(&scope, "value.$")
}

fn found(path: &str, input: &Value) -> Value {
    evaluate(path, input).expect(path)
}

fn store() -> Value {
    json!({
        "book": [
            {"title": "A", "price": 8.95, "category": "x", "tags": ["one", "two"]},
            {"title": "B", "price": 12.99, "category": "y", "isbn": "b-1"},
            {"title": "C", "price": 8.99, "category": "x", "isbn": "c-1"},
            {"title": "D", "price": 22.99, "category": "y", "tags": []}
        ],
        "bicycle": {"color": "red", "price": 19.95},
        "two words": {"ünï": 1},
        "delivery-partner": "UQS",
        "n": null
    })
}

#[test]
fn a_definite_path_gives_the_bare_value() {
    for (path, expected) in [
        ("$", store()),
        ("$.bicycle.color", json!("red")),
        ("$['bicycle']['color']", json!("red")),
        ("$[\"bicycle\"].color", json!("red")),
        ("$.['bicycle'].color", json!("red")),
        ("$.delivery-partner", json!("UQS")),
        ("$['two words']['ünï']", json!(1)),
        ("$['two words'].ünï", json!(1)),
        ("$.n", json!(null)),
        ("$.book[1].title", json!("B")),
        ("$.book[-1].title", json!("D")),
        ("$['bicycle','n']", json!({"bicycle": {"color": "red", "price": 19.95}, "n": null})),
    ] {
        assert_eq!(found(path, &store()), expected, "{path}");
    }
}

#[test]
fn an_indefinite_path_gives_an_array() {
    for (path, expected) in [
        ("$.book[*].title", json!(["A", "B", "C", "D"])),
        ("$.book[*].isbn", json!(["b-1", "c-1"])),
        ("$.book[0,2].title", json!(["A", "C"])),
        ("$.book[0,9].title", json!(["A"])),
        ("$.book[-1:2].title", json!(["D", "A", "B"])),
        ("$.book[-9:1].title", json!(["A", "B", "C", "D", "A"])),
        ("$.book[1:3].title", json!(["B", "C"])),
        ("$.book[:1].title", json!(["A"])),
        ("$.book[-2:].title", json!(["C", "D"])),
        ("$.book[:-3].title", json!(["A"])),
        ("$.book[::2].title", json!(["A", "C"])),
        ("$.book[3:1].title", json!([])),
        ("$..price", json!([8.95, 12.99, 8.99, 22.99, 19.95])),
        ("$..book[2].title", json!(["C"])),
        ("$.bicycle.*", json!(["red", 19.95])),
        ("$..['color']", json!(["red"])),
        ("$.missing[*].x", json!([])),
        ("$.missing[1:].x", json!([])),
        ("$.missing[?(@.x)]", json!([])),
    ] {
        assert_eq!(found(path, &store()), expected, "{path}");
    }
}

#[test]
fn a_filter_keeps_what_its_condition_holds_for() {
    for (condition, titles) in [
        ("@.price < 10", json!(["A", "C"])),
        ("@.price<10&&@.category=='x'", json!(["A", "C"])),
        ("@.price > 20 || @.isbn == 'b-1'", json!(["B", "D"])),
        ("!(@.price > 10)", json!(["A", "C"])),
        ("@.isbn", json!(["B", "C"])),
        ("!@.isbn", json!(["A", "D"])),
        ("@.category in ['y', 'z']", json!(["B", "D"])),
        ("@.category nin ['y']", json!(["A", "C"])),
        ("@.tags size 2", json!(["A"])),
        ("@.tags empty true", json!(["D"])),
        ("@.tags contains 'one'", json!(["A"])),
        ("@.title =~ /[ab]/i", json!(["A", "B"])),
        ("@.price < $.bicycle.price && @.price >= 8.99", json!(["B", "C"])),
        ("@['title'] != \"A\"", json!(["B", "C", "D"])),
        ("@.missing == null", json!([])),
        ("@.tags.length() == 2", json!(["A"])),
        ("@ == $", json!([])),
        ("@ == $.book[0]", json!(["A"])),
        ("@.price in $..price", json!(["A", "B", "C", "D"])),
        ("@.title in $.book[1:3].title", json!(["B", "C"])),
        ("@.title nin $.book[1:3].title", json!(["A", "D"])),
        ("@.tags == $.book[0].tags[*]", json!(["A"])),
        ("$.book[0].tags[*] == @.tags", json!(["A"])),
        ("@.tags[*] == $.book[0].tags[*]", json!(["A"])),
        ("@.tags[*] anyof ['two', 'three']", json!(["A"])),
        ("@.tags[*] noneof ['two', 'three']", json!(["D"])),
        ("@.tags[*] subsetof ['one', 'two', 'three']", json!(["A", "D"])),
        ("@.tags[*] size 2", json!(["A"])),
        ("@.tags[*] contains 'two'", json!(["A"])),
        ("@.tags[*] in [['one', 'two']]", json!(["A"])),
        ("$..missing", json!(["A", "B", "C", "D"])),
    ] {
        let path = format!("$.book[?({condition})].title");
        assert_eq!(found(&path, &store()), titles, "{path}");
    }
    assert_eq!(found("$..[?(@.color)].color", &store()), json!(["red"]));
    assert_eq!(found("$.bicycle[?(@.price > 1)].color", &store()), json!(["red"]));
}

#[test]
fn functions_end_a_path() {
    for (path, expected) in [
        ("$.book.length()", json!(4)),
        ("$.bicycle.length()", json!(2)),
        ("$.bicycle.keys()", json!(["color", "price"])),
        ("$..price.max()", json!(22.99)),
        ("$..price.min()", json!(8.95)),
        ("$.book[0].tags.first()", json!("one")),
        ("$.book[0].tags.last()", json!("two")),
        ("$.book[0].tags.index(-2)", json!("one")),
        ("$.book[0].tags.append('three')", json!(["one", "two", "three"])),
        ("$.concat($.book[0].title, ' ', $.bicycle.color)", json!("A red")),
        ("$.concat($.book[*].title, $.missing[*], 1)", json!("ABCD1")),
        ("$.sum($.book[*].price, 0.07)", json!(53.99)),
        ("$.max($.bicycle.price, $.book[0].price)", json!(19.95)),
        ("$.book[0].tags.append($.book[1].title)", json!(["one", "two", "B"])),
    ] {
        assert_eq!(found(path, &store()), expected, "{path}");
    }
}

#[test]
fn an_argument_that_leads_to_nothing_fails_as_its_path_would() {
    for path in ["$.concat($.book[*].title, $.missing, 1)", "$.sum($.book[9].price)"] {
        let failure = evaluate(path, &store()).unwrap_err();
        assert!(failure.cause.contains("could not be found in the input"), "{path}: {failure}");
    }
}

#[test]
fn arguments_that_multiply_a_payload_fail_instead_of_filling_the_memory() {
    let input = json!({"a": [], "text": "x".repeat(200_000)});
    let many = |argument: &str| vec![argument; 10_000].join(",");
    let merged = format!("$.a.append({})", many("$['a','text']"));
    let nested = format!("$.a.append({})", many("$.a.append($.text,$.text)"));
    for path in [
        format!("$.a.append({})", many("$")),
        format!("$.concat({})", many("$.text")),
        format!("$.sum({})", many("$")),
        merged,
        nested,
    ] {
        let failure = evaluate(&path, &input).expect_err(&path[..40]);
        assert_eq!(failure.error, "States.Runtime");
        assert!(failure.cause.ends_with("matches more than can be held"), "{}", &path[..40]);
    }
    let few = evaluate("$.a.append($.text,$.text,$.text)", &input).unwrap();
    assert_eq!(few.as_array().map(Vec::len), Some(3));
}

#[test]
fn context_and_variables_are_roots_of_their_own() {
    assert_eq!(found("$$.Task.Token", &json!({})), json!("t0"));
    assert_eq!(found("$call.legs[1]", &json!({})), json!("b"));
    assert_eq!(found("$call", &json!({})), json!({"id": 7, "legs": ["a", "b"]}));
    let failure = evaluate("$$.Task.Nothing", &json!({})).unwrap_err();
    assert_eq!(failure.error, "States.Runtime");
    assert!(evaluate("$nothing.x", &json!({})).is_err());
}

#[test]
fn a_definite_path_to_nothing_fails_in_the_words_of_aws() {
    let failure = evaluate("$.no_such_jsonpath", &json!({"a": "b"})).unwrap_err();
    assert_eq!(failure.error, "States.Runtime");
    assert_eq!(
        failure.cause,
        "The JSONPath '$.no_such_jsonpath' specified for the field 'value.$' could not be found \
         in the input '{\"a\":\"b\"}'"
    );
    for path in ["$.a.b", "$.a[0]", "$[0]", "$.list[5].x", "$.list.x"] {
        assert!(evaluate(path, &json!({"a": "b", "list": [1]})).is_err(), "{path}");
    }
    assert_eq!(found("$.list[5]", &json!({"list": [1]})), json!(null));
}

#[test]
fn what_is_no_path_is_refused_with_its_place() {
    for (text, position) in [
        ("", 0),
        ("a.b", 0),
        ("$.", 2),
        ("$..", 3),
        ("$.a[", 4),
        ("$.a['b", 6),
        ("$.a[?(@.b == )]", 13),
        ("$.a[b]", 4),
        ("$.a.nofunction()", 4),
        ("$.a b", 2),
        ("$.a]", 3),
        ("$.a[99999999999999999999]", 24),
    ] {
        let error = Path::parse(text).expect_err(text);
        assert_eq!(error.position, position, "{text}: {error}");
    }
    assert_eq!(Path::parse("a.b").unwrap_err().suggestion.as_deref(), Some("$.a.b"));
    assert_eq!(Path::parse("$.a b.c").unwrap_err().suggestion.as_deref(), Some("['a b']"));
}

#[test]
fn a_path_that_multiplies_its_finds_fails_instead_of_filling_the_memory() {
    let mut deep = json!([1]);
    for _ in 0..60 {
        deep = json!([deep, [1, 2, 3], {"a": [4, 5]}]);
    }
    assert!(evaluate("$..*..*..*..*..*", &deep).is_err());
}

fn write(path: &str, mut root: Value, value: Value) -> Result<Value, Failure> {
    ReferencePath::parse(path).expect(path).write(&mut root, value).map(|()| root)
}

#[test]
fn a_reference_path_writes_making_the_objects_on_the_way() {
    for (path, root, expected) in [
        ("$", json!({"a": 1}), json!(9)),
        ("$.b", json!({"a": 1}), json!({"a": 1, "b": 9})),
        ("$.a", json!({"a": {"x": 1}}), json!({"a": 9})),
        ("$.b.c.d", json!({"a": 1}), json!({"a": 1, "b": {"c": {"d": 9}}})),
        ("$.a[1]", json!({"a": [1, 2]}), json!({"a": [1, 9]})),
        ("$.a[0].b", json!({"a": [{}]}), json!({"a": [{"b": 9}]})),
        ("$['x y']", json!({}), json!({"x y": 9})),
    ] {
        assert_eq!(write(path, root, json!(9)).unwrap(), expected, "{path}");
    }
}

#[test]
fn a_reference_path_with_no_place_fails_and_changes_nothing() {
    for (path, root) in [
        ("$.a.b", json!({"a": "text"})),
        ("$.a", json!("text")),
        ("$.a", json!([1])),
        ("$.a[2]", json!({"a": [1]})),
        ("$.b.c[0]", json!({})),
        ("$[0]", json!({})),
    ] {
        let mut changed = root.clone();
        let reference = ReferencePath::parse(path).unwrap();
        let failure = reference.write(&mut changed, json!(9)).unwrap_err();
        assert_eq!(failure.error, "States.ReferencePathConflict", "{path}");
        assert_eq!(changed, root, "{path}");
    }
}

#[test]
fn a_reference_path_has_names_and_single_indices_only() {
    for path in
        ["$.a[*]", "$..a", "$.a[0,1]", "$.a[1:]", "$.a[?(@.b)]", "$.a.length()", "$['a','b']"]
    {
        assert!(ReferencePath::parse(path).is_err(), "{path}");
    }
}

#[test]
fn a_path_into_null_is_told_with_words_of_its_own() {
    let document = json!({ "a": null });
    let (variables, entropy) = (Variables::new(), Entropy::new(0));
    let scope = |input| Scope {
        input,
        context: &document,
        variables: &variables,
        states: None,
        now: jiff::Timestamp::UNIX_EPOCH,
        entropy: &entropy,
    };
    let evaluate = |text: &str| Path::parse(text).unwrap().evaluate(&scope(&Value::Null), "v.$");
    let words = "Unable to apply Path transformation to null or empty input.";
    assert_eq!(evaluate("$.a").unwrap_err().cause, words);
    assert_eq!(evaluate("$").unwrap(), Value::Null);
    assert_eq!(evaluate("$$.a").unwrap(), Value::Null);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_or_a_look_up_panic(
        text in r#"\$?[$.@\[\]()'"*?:,!&|=<>~/a-c0-9 \\-]{0,40}"#,
    ) {
        if let Ok(path) = Path::parse(&text) {
            let input = json!({"a": [{"b": 1}, {"b": "x", "c": [1, 2]}], "b": {"a": null}});
            let variables = Variables::new();
            let entropy = Entropy::new(0);
            let scope = Scope {
                input: &input,
                context: &Value::Null,
                variables: &variables,
                states: None,
                now: jiff::Timestamp::UNIX_EPOCH,
                entropy: &entropy,
            };
            let found = path.select(&scope).unwrap();
            prop_assert!(path.is_definite() || found.is_none_or(|value| value.is_array()));
        }
        if let Ok(reference) = ReferencePath::parse(&text) {
            let mut root = json!({"a": [1, {"b": 2}], "b": 1});
            let _ = reference.write(&mut root, json!(9));
        }
    }

    #[test]
    fn what_is_written_is_read_back(names in proptest::collection::vec("[a-z-]{1,6}", 1..5)) {
        let path: String = names.iter().fold("$".to_owned(), |path, name| format!("{path}.{name}"));
        let mut root = json!({});
        ReferencePath::parse(&path).unwrap().write(&mut root, json!("w")).unwrap();
        prop_assert_eq!(found(&path, &root), json!("w"));
    }
}

#[test]
fn the_context_object_is_its_own_root() {
    for (path, expected) in [
        ("$$.Task.Token", json!("t0")),
        ("$$.Task", json!({"Token": "t0"})),
        ("$$.Task.length()", json!(1)),
        ("$$", json!({"Task": {"Token": "t0"}, "State": {"Name": "S"}})),
        ("$$..Name", json!(["S"])),
        ("$$.Task[?(@.Token == $.Task.Token)]", json!([{"Token": "t0"}])),
    ] {
        assert_eq!(found(path, &json!({})), expected, "{path}");
    }
    let failure = evaluate("$$.Task.Name", &json!({})).unwrap_err();
    assert!(failure.cause.contains("State"), "the whole document is quoted: {}", failure.cause);
}
