//! How states lead to one another and lie in one another.

use super::*;

#[test]
fn transitions_must_lead_somewhere_and_be_one() {
    let both = json!({ "Type": "Pass", "Next": "S", "End": true });
    has(&json!({ "StartAt": "S", "States": { "S": both } }), SCHEMA, "/States/S/End");
    let none = json!({ "StartAt": "S", "States": { "S": { "Type": "Pass" } } });
    has(&none, SCHEMA, "/States/S");
    let unreachable = json!({ "StartAt": "A", "States": {
        "A": { "Type": "Succeed" }, "B": { "Type": "Pass", "Next": "A" } } });
    has(&unreachable, "UNREACHABLE_STATE", "/States/B");
    let end = json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "Next": "A" } } });
    has(&end, "MISSING_END_STATE", "/States");
    assert!(Machine::load(&end.to_string()).is_ok(), "it ends with its history");
    has(&one(json!({ "Type": "Succeed", "Next": "S" })), SCHEMA, "/States/S/Next");
}

#[test]
fn names_are_unique_over_all_nested_machines() {
    let branch = json!({ "StartAt": "A", "States": { "A": { "Type": "Succeed" } } });
    let document = one(json!({ "Type": "Parallel", "Branches": [branch, branch] }));
    has(&document, "DUPLICATE_STATE_NAME", "/States/S/Branches/1/States/A");
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"},"A":{"Type":"Succeed"}}}"#;
    assert_eq!(Machine::load(text).unwrap_err()[0].code, Code::DuplicateKey);
    let long = "x".repeat(81);
    let document = json!({ "StartAt": long, "States": { long.as_str(): { "Type": "Succeed" } } });
    has(&document, SCHEMA, &format!("/States/{long}"));
}

#[test]
fn a_rule_or_a_state_that_cannot_be_read_hides_no_other_state() {
    let told = |document: &Value| -> Vec<String> {
        Machine::load(&document.to_string()).unwrap_err().into_iter().map(|p| p.path).collect()
    };
    let end = json!({ "Type": "Succeed" });
    let rule = json!({ "Variable": "$.a", "StringEquls": "x", "Next": "Y" });
    let choice = json!({ "Type": "Choice", "Choices": [rule] });
    let document = json!({ "StartAt": "S", "States": { "S": choice, "Y": end } });
    assert_eq!(told(&document), ["/States/S/Choices/0/StringEquls"]);
    let unknown = json!({ "Type": "Chois", "Choices": [rule] });
    let document = json!({ "StartAt": "S", "States": { "S": unknown, "Y": end } });
    assert_eq!(told(&document), ["/States/S/Type"]);
}

#[test]
fn nesting_is_bounded() {
    let mut inner = json!({ "StartAt": "N0", "States": { "N0": { "Type": "Succeed" } } });
    for level in 1..40 {
        let name = format!("N{level}");
        inner = json!({ "StartAt": name, "States": {
            name.as_str(): { "Type": "Parallel", "Branches": [inner], "End": true } } });
    }
    assert!(Machine::load(&inner.to_string()).is_err());
}

/// As many states as there may be: each is looked at a few times, and not once for each other one.
#[test]
fn the_longest_chain_is_loaded_and_its_dead_end_told() {
    let count = crate::limits::STATES;
    let name = |number: usize| format!("S{number}");
    let mut states: serde_json::Map<String, Value> = (0..count - 2)
        .map(|number| (name(number), json!({ "Type": "Pass", "Next": name(number + 1) })))
        .collect();
    let choice = json!({ "Type": "Choice", "Default": "Z", "Choices": [
        { "Variable": "$.x", "IsNull": true, "Next": "Loop" }] });
    states.insert(name(count - 2), choice);
    states.insert("Z".to_owned(), json!({ "Type": "Succeed" }));
    states.remove(&name(0));
    states.insert("Loop".to_owned(), json!({ "Type": "Pass", "Next": "Loop" }));
    let found = problems(&json!({ "StartAt": "S1", "States": states }));
    assert_eq!(found, [("MISSING_END_STATE".to_owned(), "/States/Loop".to_owned())]);
}
