use super::super::choice::matches;
use super::*;

/// Whether a rule holds for `input`.
fn holds(rule: &Value, input: Value) -> bool {
    let mut rule = rule.clone();
    rule["Next"] = json!("Yes");
    let document = states(
        "C",
        &json!({
        "C": { "Type": "Choice", "Choices": [rule], "Default": "No" },
        "Yes": { "Type": "Pass", "Result": true, "End": true },
        "No": { "Type": "Pass", "Result": false, "End": true } }),
    );
    Bench::new(&document, input).output() == json!(true)
}

#[test]
fn every_operator_compares_its_own_type_only() {
    let table = [
        ("StringEquals", json!("b"), json!("b"), json!("c")),
        ("StringLessThan", json!("b"), json!("a"), json!("b")),
        ("StringGreaterThan", json!("b"), json!("c"), json!("b")),
        ("StringLessThanEquals", json!("b"), json!("b"), json!("c")),
        ("StringGreaterThanEquals", json!("b"), json!("b"), json!("a")),
        ("NumericEquals", json!(2), json!(2.0), json!(3)),
        ("NumericLessThan", json!(2), json!(1), json!(2)),
        ("NumericGreaterThan", json!(2), json!(2.5), json!(2)),
        ("NumericLessThanEquals", json!(2), json!(2), json!(3)),
        ("NumericGreaterThanEquals", json!(2), json!(2), json!(1)),
        ("BooleanEquals", json!(false), json!(false), json!(true)),
        ("StringMatches", json!("log-*.txt"), json!("log-1.txt"), json!("log-1.tx")),
    ];
    for (operator, operand, yes, no) in table {
        let rule = json!({ "Variable": "$.v", operator: operand });
        assert!(holds(&rule, json!({ "v": yes })), "{operator}");
        assert!(!holds(&rule, json!({ "v": no })), "{operator}");
        assert!(!holds(&rule, json!({ "v": [] })), "{operator} with another type");
        if operator != "StringMatches" {
            let rule = json!({ "Variable": "$.v", format!("{operator}Path"): "$.w" });
            assert!(holds(&rule, json!({ "v": yes, "w": operand })), "{operator}Path");
            assert!(!holds(&rule, json!({ "v": no, "w": operand })), "{operator}Path");
        }
    }
    // The sample workflow's IsProduction is the text "false": never equal to false.
    assert!(!holds(&json!({ "Variable": "$.v", "BooleanEquals": false }), json!({ "v": "false" })));
}

#[test]
fn a_number_is_compared_by_path_with_zero_where_the_path_finds_false_or_a_list() {
    // tiny-asl-machine, Choice.NumericGreaterThanEqualsPath 007 and 008, NumericGreaterThanPath 007
    // and 008, NumericLessThanPath 008, NumericLessThanEqualsPath 008, NumericEqualsPath 007.
    for (operator, left, right, held) in [
        ("NumericGreaterThanEqualsPath", json!(8), json!(false), true),
        ("NumericGreaterThanPath", json!(7), json!([6]), true),
        ("NumericLessThanPath", json!(7), json!(true), false),
        ("NumericLessThanEqualsPath", json!(8), json!({ "value": 8 }), false),
        ("NumericEqualsPath", json!(7), json!({ "value": 7 }), false),
        ("NumericEqualsPath", json!(0), json!([]), true),
        // Nothing shows that anything else is a number.
        ("NumericEqualsPath", json!(0), json!({}), false),
        ("NumericEqualsPath", json!(0), json!(null), false),
        ("NumericEqualsPath", json!(1), json!(true), false),
        ("NumericEqualsPath", json!(7), json!("7"), false),
        ("NumericGreaterThanPath", json!(7), json!("-inf"), false),
        // What is compared must be a number itself.
        ("NumericGreaterThanEqualsPath", json!({ "value": 8 }), json!(8), false),
        ("NumericLessThanPath", json!(null), json!(8), false),
        ("NumericLessThanPath", json!("7"), json!(8), false),
    ] {
        let rule = json!({ "Variable": "$.v", operator: "$.w" });
        assert_eq!(holds(&rule, json!({ "v": left, "w": right })), held, "{operator} {right}");
    }
    // A literal is a number, or the definition is refused.
    assert!(!holds(&json!({ "Variable": "$.v", "NumericGreaterThan": 0 }), json!({ "v": [6] })));
}

#[test]
fn timestamps_are_compared_as_moments() {
    let rule = |name: &str| json!({ "Variable": "$.v", name: "2026-01-01T12:00:00Z" });
    let at = |text: &str| json!({ "v": text });
    assert!(holds(&rule("TimestampEquals"), at("2026-01-01T13:00:00+01:00")));
    assert!(holds(&rule("TimestampLessThan"), at("2026-01-01T11:59:59.999Z")));
    assert!(holds(&rule("TimestampGreaterThanEquals"), at("2026-01-01T12:00:00Z")));
    assert!(!holds(&rule("TimestampGreaterThan"), at("yesterday")));
    let is = json!({ "Variable": "$.v", "IsTimestamp": true });
    assert!(holds(&is, at("2026-01-01T11:59:59.999Z")) && !holds(&is, at("2026-01-01")));
    assert!(holds(&is, at("2026-01-01T11:59Z")) && holds(&is, at("2026-01-01t11:59:59z")));
    for text in ["2026-01-01 11:59:59Z", "20260101T115959Z", "2026-01-01T11:59:59Z[UTC]", "T", ""] {
        assert!(!holds(&is, at(text)), "{text}");
    }
}

#[test]
fn types_and_presence_are_asked_for() {
    let values = [json!(null), json!(1), json!("a"), json!(true)];
    for (index, name) in ["IsNull", "IsNumeric", "IsString", "IsBoolean"].iter().enumerate() {
        for (at, value) in values.iter().enumerate() {
            let rule = json!({ "Variable": "$.v", *name: true });
            assert_eq!(holds(&rule, json!({ "v": value })), at == index, "{name} {value}");
        }
    }
    assert!(holds(&json!({ "Variable": "$.v", "IsPresent": false }), json!({})));
    assert!(holds(&json!({ "Variable": "$.v", "IsPresent": true }), json!({ "v": null })));
}

#[test]
fn and_stops_before_a_path_that_finds_nothing() {
    let rule = json!({ "And": [
        { "Variable": "$.v", "IsPresent": true }, { "Variable": "$.v", "NumericEquals": 1 }] });
    assert!(!holds(&rule, json!({})));
    assert!(holds(&rule, json!({ "v": 1 })));
    let rule = json!({ "Or": [
        { "Not": { "Variable": "$.v", "IsPresent": true } }, { "Variable": "$.v", "IsNull": true }] });
    assert!(holds(&rule, json!({})) && holds(&rule, json!({ "v": null })));
}

#[test]
fn a_path_that_finds_nothing_fails_the_execution_with_aws_words() {
    let document = states(
        "C",
        &json!({
        "C": { "Type": "Choice", "Choices": [
            { "Variable": "$.Error.Error", "StringMatches": "HANGUP", "Next": "E" }], "Default": "E" },
        "E": { "Type": "Succeed" } }),
    );
    let bench = Bench::new(&document, json!({}));
    assert_eq!(bench.execution.error(), Some("States.Runtime"));
    assert_eq!(
        bench.execution.cause(),
        Some(
            "An error occurred while executing the state 'C' (entered at the event id #2). Invalid \
             path '$.Error.Error': The choice state's condition path references an invalid value."
        )
    );
}

#[test]
fn no_rule_and_no_default_fail_the_execution() {
    let document = states(
        "C",
        &json!({
        "C": { "Type": "Choice", "Choices": [{ "Variable": "$.a", "IsNull": true, "Next": "E" }] },
        "E": { "Type": "Succeed" } }),
    );
    let bench = Bench::new(&document, json!({ "a": 1 }));
    assert_eq!(bench.execution.error(), Some("States.Runtime"));
    assert!(bench.execution.cause().unwrap().ends_with("does not point to a next state."));
}

#[test]
fn jsonata_rules_have_conditions_outputs_and_variables_of_their_own() {
    let document = json!({ "QueryLanguage": "JSONata", "StartAt": "C", "States": {
        "C": { "Type": "Choice", "Choices": [
            { "Condition": "{% $states.input.n > 5 %}", "Assign": { "size": "big" },
              "Output": { "n": "{% $states.input.n * 2 %}" }, "Next": "E" },
            { "Condition": true, "Assign": { "size": "small" }, "Next": "E" }] },
        "E": { "Type": "Pass", "Output": { "size": "{% $size %}", "in": "{% $states.input %}" },
               "End": true } } });
    let big = Bench::new(&document, json!({ "n": 6 })).output();
    assert_eq!(big, json!({ "size": "big", "in": { "n": 12 } }));
    let small = Bench::new(&document, json!({ "n": 5 })).output();
    assert_eq!(small, json!({ "size": "small", "in": { "n": 5 } }));
}

#[test]
fn stars_match_anything_and_can_be_escaped() {
    assert!(
        matches("", "*")
            && matches("abc", "a*c")
            && matches("abc", "*b*")
            && matches("a*c", r"a\*c")
    );
    assert!(!matches("abc", r"a\*c") && !matches("abc", "a*b") && matches(r"a\b", r"a\\b"));
    assert!(matches("log-2026.txt", "log-*.*") && !matches("x", "") && matches("", ""));
    // No time beyond the product of the lengths, however many stars.
    assert!(!matches(&"a".repeat(5_000), &"a*".repeat(500).replace("a*a", "a*b")));
}
