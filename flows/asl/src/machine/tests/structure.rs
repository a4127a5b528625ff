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

#[test]
fn the_first_names_that_lead_nowhere_are_compared_with_all_that_are_there() {
    let state = |number| {
        let next = format!("Sate{number}");
        (format!("State{number}"), json!({ "Type": "Pass", "Next": next }))
    };
    let states: serde_json::Map<String, Value> = (100..200).map(state).collect();
    let document = json!({ "StartAt": "State100", "States": states });
    let found = Machine::validate(&document.to_string());
    let missing: Vec<_> =
        found.iter().filter(|one| one.code == Code::MissingTransitionTarget).collect();
    assert_eq!(missing.len(), 100);
    let suggested = missing.iter().filter(|one| one.suggestion.is_some()).count();
    assert_eq!(suggested, 20);
    assert_eq!(missing[0].suggestion.as_deref(), Some("did you mean 'State100'?"));
}

#[test]
fn variables_that_nobody_assigns_are_compared_with_the_others_a_few_times_only() {
    let assigns: serde_json::Map<String, Value> =
        (100..200).map(|number| (format!("value{number}"), json!(1))).collect();
    let reads: serde_json::Map<String, Value> =
        (100..200).map(|number| (format!("{number}.$"), json!(format!("$vale{number}")))).collect();
    let document = json!({ "StartAt": "A", "States": {
        "A": { "Type": "Pass", "Assign": assigns, "Next": "B" },
        "B": { "Type": "Pass", "Parameters": reads, "End": true },
    } });
    let found = Machine::validate(&document.to_string());
    let near = |one: &&Problem| {
        one.suggestion.as_ref().is_some_and(|words| words.starts_with("did you mean '$value"))
    };
    assert_eq!(found.len(), 100);
    assert_eq!(found.iter().filter(near).count(), 20);
}

#[test]
fn a_long_name_is_near_no_other() {
    let long = "a".repeat(129);
    assert_eq!(nearest(&long, [long.as_str()]), None);
    assert_eq!(nearest("Stat", ["State", "Statement", "S"]), Some("State"));
    assert_eq!(nearest("abc", ["abcdef"]), None);
}

#[test]
fn values_are_found_by_their_pointers_in_keys_of_any_form() {
    let text = "{\n \"a/b~\": [0,\n {\"1\": 2, \"1\": [3]}],\n \"\": {\"x\": 1}\n}";
    let places = Positions::of(text);
    for (pointer, place) in [
        ("", (1, 1)),
        ("/a~1b~0", (2, 10)),
        ("/a~1b~0/0", (2, 11)),
        ("/a~1b~0/1", (3, 2)),
        ("/a~1b~0/1/1", (3, 16)),
        ("/a~1b~0/1/1/0", (3, 17)),
        ("/a~1b~0/1/1/7/8", (3, 16)),
        ("//x", (4, 12)),
        ("/none", (1, 1)),
    ] {
        assert_eq!(places.place(pointer), place, "{pointer}");
    }
    let twice: Vec<_> = places.duplicates().collect();
    assert_eq!(twice, [("1".to_owned(), "/a~1b~0/1/1".to_owned())]);
}

#[test]
fn a_long_key_around_many_values_costs_no_more_than_they_do() {
    let long = "k".repeat(512 * 1024);
    let state = json!({ "Type": "Pass", "End": true, "Result": { (&long): vec![0; 1_000] } });
    let text = one(state).to_string();
    let places = Positions::of(&text);
    // Whole pointers would have 500 MiB.
    assert!(format!("{places:?}").len() < 4 * text.len() + 200_000);
    let texts = vec!["${Name}"; 1_000];
    let state = json!({ "Type": "Pass", "End": true, "Result": { (&long): texts } });
    let found = Machine::validate(&one(state).to_string());
    assert_eq!(found.len(), 1_000);
    assert!(found.iter().all(|one| one.line == 1 && one.column > long.len()));
    let paths: usize = found.iter().map(|one| one.path.len()).sum();
    assert!(paths > 0 && paths <= 16 * 1024 * 1024, "{paths}");
}
