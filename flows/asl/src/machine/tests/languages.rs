//! Fields and expressions of the two query languages.

use super::*;

#[test]
fn fields_of_the_other_query_language_are_refused() {
    let query = |mut state: Value| {
        state["QueryLanguage"] = json!("JSONata");
        one(state)
    };
    has(&one(json!({ "Type": "Pass", "Output": {} })), SCHEMA, "/States/S/Output");
    has(&query(json!({ "Type": "Pass", "InputPath": "$" })), SCHEMA, "/States/S/InputPath");
    has(&query(json!({ "Type": "Pass", "Result": 1 })), SCHEMA, "/States/S/Result");
    let choice = json!({ "Type": "Choice",
        "Choices": [{ "Variable": "$.a", "IsPresent": true, "Next": "S" }] });
    has(&query(choice), SCHEMA, "/States/S/Choices/0/Variable");
    let mixed = json!({ "QueryLanguage": "JSONata", "StartAt": "S", "States": {
        "S": { "Type": "Pass", "QueryLanguage": "JSONPath", "End": true } } });
    has(&mixed, SCHEMA, "/States/S/QueryLanguage");
}

#[test]
fn expressions_that_cannot_be_read_are_told_where_they_stand() {
    has(&one(json!({ "Type": "Pass", "InputPath": "x" })), "INVALID_PATH", "/States/S/InputPath");
    let parameters = json!({ "Type": "Pass", "Parameters": { "a": { "b.$": "$.a[" } } });
    assert!(
        problems(&one(parameters))
            .iter()
            .any(|(code, path)| code == "INVALID_PATH"
                && path.starts_with("/States/S/Parameters/a/b"))
    );
    let output =
        json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Output": { "a": ["{% 1 + %}"] } });
    assert!(problems(&one(output)).iter().any(|(code, path)| code == "INVALID_JSONATA"
        && path.starts_with("/States/S/Output/a")));
    has(
        &one(json!({ "Type": "Pass", "ResultPath": "$.a[*]" })),
        "INVALID_PATH",
        "/States/S/ResultPath",
    );
}

#[test]
fn expressions_of_the_other_query_language_are_told() {
    let pass = |more: Value| {
        let mut state = json!({ "Type": "Pass" });
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one(state)
    };
    let parameters = json!({ "Parameters": { "a": [{ "b/c": "{% 1 %}" }] } });
    suspicious(&pass(parameters), "/States/S/Parameters/a/0/b~1c");
    let jsonata = json!({ "QueryLanguage": "JSONata", "Output": { "a.$": "$.x" } });
    suspicious(&pass(jsonata), "/States/S/Output/a.$");
    fine(&pass(json!({ "QueryLanguage": "JSONata", "Output": { "price.$": "5" } })));
    has(&pass(json!({ "ResultPath": "$$.a" })), "INVALID_PATH", "/States/S/ResultPath");
}

#[test]
fn an_object_in_a_filter_has_names_and_published_ones_without_go_on() {
    let path = "$.l[?(@.o == {:1})]";
    for (state, at) in [
        (json!({ "Type": "Pass", "InputPath": path }), "/States/S/InputPath"),
        (json!({ "Type": "Pass", "Parameters": { "a.$": path } }), "/States/S/Parameters"),
        (
            json!({ "Type": "Pass",
                "Parameters": { "a.$": format!("States.ArrayLength({path})") } }),
            "/States/S/Parameters",
        ),
    ] {
        let document = one(state);
        has(&document, "INVALID_PATH", at);
        let text = document.to_string();
        assert!(Machine::load_published(&text, Inherited::FromState).is_ok(), "{text}");
    }
    has(
        &one(json!({ "Type": "Pass", "InputPath": "$.l[?(@.o == {,})]" })),
        "INVALID_PATH",
        "/States/S/InputPath",
    );
}

#[test]
fn states_in_a_map_and_in_a_branch_have_the_machines_query_language() {
    let processor = |state: Value| json!({ "StartAt": "B", "States": { "B": state } });
    let around = |state: Value| {
        let map = json!({ "Type": "Map", "QueryLanguage": "JSONata", "Items": [1],
            "ItemProcessor": processor(state.clone()), "Next": "P" });
        let parallel = json!({ "Type": "Parallel", "QueryLanguage": "JSONata", "End": true,
            "Branches": [{ "StartAt": "C", "States": { "C": state } }] });
        json!({ "StartAt": "M", "States": { "M": map, "P": parallel } })
    };
    let pass = |more: Value| {
        let mut state = json!({ "Type": "Pass", "End": true });
        state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        state
    };
    fine(&around(pass(json!({ "Parameters": { "a.$": "$.b" } }))));
    fine(&around(pass(json!({ "QueryLanguage": "JSONPath", "InputPath": "$.b" }))));
    fine(&around(pass(json!({ "QueryLanguage": "JSONata", "Output": 1 }))));
    let output = around(pass(json!({ "Output": 1 })));
    has(&output, SCHEMA, "/States/M/ItemProcessor/States/B/Output");
    has(&output, SCHEMA, "/States/P/Branches/0/States/C/Output");
    // One that was taken in when states had the language of what is around them goes on.
    assert!(Machine::load_published(&output.to_string(), Inherited::FromState).is_ok());

    assert!(Machine::load_published(&output.to_string(), Inherited::FromMachine).is_ok());

    let mut own = processor(pass(json!({ "Output": 1 })));
    own["QueryLanguage"] = json!("JSONata");
    let own = one(json!({ "Type": "Map", "ItemProcessor": own }));
    has(&own, SCHEMA, "/States/S/ItemProcessor/QueryLanguage");
    assert!(Machine::load_published(&own.to_string(), Inherited::FromState).is_ok());
}
