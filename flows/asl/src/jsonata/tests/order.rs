//! The order of an object's members, which is JavaScript's: names that are whole numbers first.

use super::{evaluate_in, value};
use serde_json::{Value, json};

fn all(cases: &[(&str, Value)]) {
    for (source, expected) in cases {
        assert_eq!(value(source), *expected, "{source}");
    }
}

#[test]
fn members_whose_names_are_whole_numbers_come_first_and_in_their_order() {
    all(&[
        ("$keys({'b': 1, '10': 2, 'a': 3, '9': 4})", json!(["9", "10", "b", "a"])),
        ("$each({'b': 1, '2': 3}, function($v, $k) { $k & $v })", json!(["23", "b1"])),
        ("{'b': 1, '2': 3}.*", json!([3, 1])),
        ("{'b': {'n': 1}, '2': {'n': 3}}.**.n", json!([3, 1])),
        ("$spread({'b': 1, '2': 3})", json!([{"2": 3}, {"b": 1}])),
        ("$string({'b': {'x': 0, '7': 1}, '2': []})", json!(r#"{"2":[],"b":{"7":1,"x":0}}"#)),
        ("$string($sift({'b': 1, '2': 3, '1': 0}, function() { true }))", {
            json!(r#"{"1":0,"2":3,"b":1}"#)
        }),
    ]);
}

#[test]
fn only_what_javascript_takes_for_an_index_is_such_a_name() {
    let names = "{'01': 1, '-1': 2, '1.0': 3, '4294967295': 4, '4294967294': 5, '1e3': 6, '0': 7, \
                 '99999999999': 8, '': 9, ' 1': 10}";
    let order =
        ["0", "4294967294", "01", "-1", "1.0", "4294967295", "1e3", "99999999999", "", " 1"];
    assert_eq!(value(&format!("$keys({names})")), json!(order));
}

#[test]
fn members_are_in_order_whatever_an_object_is_made_by() {
    all(&[
        ("$string($merge([{'b': 1, '5': 2}, {'7': 2, '3': 4, 'b': 0}]))", {
            json!(r#"{"3":4,"5":2,"7":2,"b":0}"#)
        }),
        ("$string(['7', 'b', '3', '7']{$: $count($)})", json!(r#"{"3":1,"7":2,"b":1}"#)),
        ("$string({'b': 1, '5': 1} ~> |$|{'2': 3}, 'b'|)", json!(r#"{"2":3,"5":1}"#)),
        ("$keys($parse('{\"b\":1,\"2\":3}'))", json!(["2", "b"])),
        ("$keys([{'z': 1, '7': 2}, [{'3': 1}]])", json!(["3", "7", "z"])),
        ("{'5': 1, 'a': 2} = {'a': 2, '5': 1}", json!(true)),
    ]);
    let input = json!({"b": 1, "12": 2, "3": {"y": 1, "0": 2}});
    let order = evaluate_in("$string($merge($states.input))", &input).unwrap();
    assert_eq!(order, json!(r#"{"3":{"0":2,"y":1},"12":2,"b":1}"#));
}

#[test]
fn a_member_is_found_wherever_the_order_puts_it() {
    let many = "($many := $merge($map([1..30], function($i) { \
                {'k' & $i: $i, $string(31 - $i): $i} }));";
    all(&[
        (&format!("{many} $many.[`7`, k7, `30`, k30])"), json!([24, 7, 1, 30])),
        (&format!("{many} $count($keys($many)))"), json!(60)),
        (&format!("{many} $keys($many)[[0, 29, 30]])"), json!(["1", "30", "k1"])),
        (&format!("{many} $merge([$many, {{'7': 'new', '0': 'first'}}]).[`7`, `0`, k7])"), {
            json!(["new", "first", 7])
        }),
    ]);
}
