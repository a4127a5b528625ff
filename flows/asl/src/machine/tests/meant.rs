//! What the loader says was meant.

use super::*;

fn told(document: &Value, path: &str) -> (String, Option<String>) {
    let found = Machine::validate(&document.to_string());
    let one = found.iter().find(|one| one.path == path);
    let one = one.unwrap_or_else(|| panic!("nothing at {path} among {found:#?}"));
    (one.message.clone(), one.suggestion.clone())
}

#[track_caller]
fn meant(document: &Value, path: &str, suggestion: Option<&str>) {
    assert_eq!(told(document, path).1.as_deref(), suggestion, "{path}");
}

#[test]
fn a_short_name_is_no_slip_for_another_that_shares_no_letter() {
    let to =
        |name: &str| json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "Next": name } } });
    meant(&to("Z"), "/States/A/Next", None);
    meant(&to("XYZ"), "/States/A/Next", None);
    meant(&to("a"), "/States/A/Next", Some("did you mean 'A'?"));
    meant(
        &one(json!({ "Type": "Pass", "Nxt": "S" })),
        "/States/S/Nxt",
        Some("did you mean 'Next'?"),
    );
}

#[test]
fn a_name_with_too_much_or_too_little_at_its_end_is_recognized() {
    let state = |field: &str| {
        one(json!({ "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", field: 1 }))
    };
    for (field, meant_was) in [
        ("NextState", "Next"),
        ("Timeout", "TimeoutSeconds"),
        ("Heartbeat", "HeartbeatSeconds"),
        ("CatchErrors", "Catch"),
        ("OnError", ""),
        ("In", ""),
    ] {
        let wanted = (!meant_was.is_empty()).then(|| format!("did you mean '{meant_was}'?"));
        meant(&state(field), &format!("/States/S/{field}"), wanted.as_deref());
    }
}

#[test]
fn a_type_in_small_letters_is_told_where_it_stands_and_so_is_the_rest_of_its_state() {
    let document = json!({ "StartAt": "A", "States": { "A": { "type": "Pass", "end": true } } });
    has(&document, SCHEMA, "/States/A");
    meant(&document, "/States/A/type", Some("did you mean 'Type'?"));
    meant(&document, "/States/A/end", Some("did you mean 'End'?"));
}

#[test]
fn a_way_out_of_a_branch_or_into_one_is_told_with_the_place_of_the_state() {
    let document = json!({ "StartAt": "P", "States": {
        "P": { "Type": "Parallel", "Next": "X", "Branches": [
            { "StartAt": "X", "States": { "X": { "Type": "Pass", "Next": "Z" } } }] },
        "Z": { "Type": "Succeed" } } });
    let (message, suggestion) = told(&document, "/States/P/Branches/0/States/X/Next");
    assert_eq!(message, "There is no state 'Z' to go to.");
    let wanted =
        "'Z' is /States/Z: a state goes to those beside it only, not out of a branch or into one";
    assert_eq!(suggestion.as_deref(), Some(wanted));
    let wanted = "'X' is /States/P/Branches/0/States/X: a state goes to those beside it only, not out of a branch or into one";
    meant(&document, "/States/P/Next", Some(wanted));
}

#[test]
fn many_ways_out_of_a_branch_with_a_long_name_are_not_told_with_all_of_it_each() {
    let states: serde_json::Map<_, _> =
        (0..2_000).map(|n| (format!("S{n}"), json!({ "Type": "Pass", "Next": "X" }))).collect();
    let mut states = Value::Object(states);
    let branch = json!({ "StartAt": "X", "States": { "X": { "Type": "Succeed" } } });
    states["n".repeat(200_000)] = json!({ "Type": "Parallel", "End": true, "Branches": [branch] });
    let document = json!({ "StartAt": "S0", "States": states });
    let told = Machine::validate(&document.to_string());
    let suggested: Vec<usize> =
        told.iter().filter_map(|one| Some(one.suggestion.as_ref()?.len())).collect();
    assert!(suggested.iter().any(|length| *length > 200_000), "it is told where the state is");
    assert!(suggested.iter().sum::<usize>() < 8_000_000, "{suggested:?}");
}

#[test]
fn a_key_that_stands_twice_is_told_once_and_not_what_stands_once_in_each() {
    let text = r#"{"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Next": "B"}, "A": {"Type": "Pass", "Next": "B", "Next": "B"},
        "B": {"Type": "Succeed"}}}"#;
    let twice: Vec<_> = Machine::validate(text)
        .into_iter()
        .filter(|one| one.code == Code::DuplicateKey)
        .map(|one| (one.line, one.path))
        .collect();
    let at = |path: &str| (2, path.to_owned());
    assert_eq!(twice, [at("/States/A"), at("/States/A/Next")]);
}

/// AWS: "QueryLanguage can not be 'JSONPath' if set to 'JSONata' for whole state machine".
#[test]
fn a_field_of_jsonpath_in_a_jsonata_machine_is_told_with_the_one_that_stands_for_it() {
    let task = json!({ "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage",
        "InputPath": "$.a", "Parameters": {}, "ResultPath": "$.r", "End": true });
    let mut document = one(task);
    meant(
        &{
            let mut mixed = document.clone();
            mixed["States"]["S"]["QueryLanguage"] = json!("JSONata");
            mixed
        },
        "/States/S/Parameters",
        Some("set \"QueryLanguage\": \"JSONPath\" for this state"),
    );
    document["QueryLanguage"] = json!("JSONata");
    meant(&document, "/States/S/InputPath", Some("JSONata has 'Arguments' for it"));
    meant(&document, "/States/S/Parameters", Some("JSONata has 'Arguments' for it"));
    meant(&document, "/States/S/ResultPath", Some("JSONata has 'Output' for it"));
    let of = |state: Value, field: &str, wanted: &str| {
        let mut document = one(state);
        document["QueryLanguage"] = json!("JSONata");
        meant(
            &document,
            &format!("/States/S/{field}"),
            Some(&format!("JSONata has '{wanted}' for it")),
        );
    };
    document["States"]["S"]["QueryLanguage"] = json!("JSONPath");
    document["States"]["S"]["Arguments"] = json!({});
    meant(&document, "/States/S/Arguments", Some("leave \"QueryLanguage\" out of this state"));
    of(json!({ "Type": "Pass", "Parameters": {} }), "Parameters", "Output");
    of(json!({ "Type": "Pass", "Result": {} }), "Result", "Output");
    of(json!({ "Type": "Wait", "SecondsPath": "$.s" }), "SecondsPath", "Seconds");
    of(json!({ "Type": "Fail", "CausePath": "$.s" }), "CausePath", "Cause");
    of(json!({ "Type": "Map", "ItemsPath": "$.s" }), "ItemsPath", "Items");
    of(json!({ "Type": "Map", "Parameters": {} }), "Parameters", "ItemSelector");
    of(
        json!({ "Type": "Map", "MaxConcurrencyPath": "$.s" }),
        "MaxConcurrencyPath",
        "MaxConcurrency",
    );
    of(
        json!({ "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "TimeoutSecondsPath": "$.t" }),
        "TimeoutSecondsPath",
        "TimeoutSeconds",
    );
}
