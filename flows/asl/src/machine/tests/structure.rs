//! What AWS refuses or takes at `CreateStateMachine` (tiny-asl-machine, recorded on AWS).

use super::queries::problems_of_state;
use super::*;

/// `Validation.Structure` 001.
#[test]
fn a_flow_without_a_terminal_state_is_warned_of() {
    let pass = |next: &str| json!({ "Type": "Pass", "Next": next });
    let text = json!({ "StartAt": "A", "States": { "A": pass("B"), "B": pass("A") } }).to_string();
    let told = Machine::validate(&text);
    let [problem] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((problem.code, &*problem.path), (Code::MissingEndState, "/States"));
    assert_eq!(problem.severity, Severity::Warning);
    // A Choice that leads to itself runs on AWS (floci-io/floci#2734).
    let choice = json!({ "Type": "Choice", "Default": "A", "Choices": [
        { "Variable": "$.x", "IsNull": true, "Next": "A" }] });
    let told = Machine::validate(&json!({ "StartAt": "A", "States": { "A": choice } }).to_string());
    let [problem] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((problem.code, problem.severity), (Code::MissingEndState, Severity::Warning));
}

/// tiny-asl-machine, `Validation.ItemReader` 004, 005 and 009, recorded on AWS.
#[test]
fn a_reader_of_json_takes_no_headers_and_a_pointer_that_is_one() {
    let places = |config: serde_json::Value| {
        let processor = json!({ "ProcessorConfig": { "Mode": "DISTRIBUTED",
            "ExecutionType": "STANDARD" }, "StartAt": "P", "States": { "P": { "Type": "Pass",
            "End": true } } });
        let map = json!({ "Type": "Map", "Next": "B", "ItemProcessor": processor, "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "Parameters": { "Bucket": "b", "Key": "k" }, "ReaderConfig": config } });
        let problems = problems_of_state(&map);
        assert!(problems.iter().all(|problem| problem.0 == Severity::Error), "{problems:?}");
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        problems.iter().map(|problem| last(&problem.1)).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(places(json!({ "InputType": "JSON", "ItemsPointer": "/data/items" })), none);
    assert_eq!(places(json!({ "InputType": "JSON", "ItemsPointer": "" })), none);
    assert_eq!(places(json!({ "InputType": "JSONL" })), none);
    assert_eq!(
        places(json!({ "InputType": "JSON", "ItemsPointer": "data/items" })),
        ["ItemsPointer"]
    );
    assert_eq!(
        places(json!({ "InputType": "JSON", "CSVHeaderLocation": "FIRST_ROW" })),
        ["CSVHeaderLocation"]
    );
    let given = json!({ "InputType": "JSONL", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["id"] });
    assert_eq!(places(given), ["CSVHeaderLocation", "CSVHeaders"]);
}

/// `States.Hash` 017, `States.UUID` 010 and others: AWS counts a call's arguments when it is made.
#[test]
fn a_call_with_another_number_of_arguments_is_taken_with_a_warning() {
    let state = |call: &str| json!({ "Type": "Pass", "Next": "B", "Parameters": { "v.$": call } });
    for (call, wanted) in [
        ("States.Hash()", "`States.Hash` takes 2 arguments, not 0"),
        ("States.UUID(1, 2)", "`States.UUID` takes 0 arguments, not 2"),
        ("States.Array(States.MathRandom(1))", "`States.MathRandom` takes 2 to 3 arguments, not 1"),
    ] {
        let problems = problems_of_state(&state(call));
        let [(Severity::Warning, path, message, _)] = problems.as_slice() else {
            panic!("{problems:?}");
        };
        assert_eq!((&**path, &**message), ("/States/A/Parameters", wanted));
    }
    assert_eq!(problems_of_state(&state("States.UUID()")), []);
    for call in ["States.UUID(", "States.UUID(,)", "States.UUID() trailing", "States.UUID($"] {
        let problems = problems_of_state(&state(call));
        assert!(matches!(problems.as_slice(), [(Severity::Error, ..)]), "{problems:?}");
    }
}
