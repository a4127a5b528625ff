mod graph;
mod integrations;
mod languages;
mod meant;
mod mistaken;
mod queries;
mod states;
mod structure;
mod substitutions;
mod variables;

use super::*;
use serde_json::{Value, json};

fn problems(document: &Value) -> Vec<(String, String)> {
    let text = serde_json::to_string_pretty(document).unwrap();
    let found = Machine::validate(&text);
    found.into_iter().map(|one| (one.code.as_str().to_owned(), one.path)).collect()
}

/// A machine of one state `S`, with `End` where the type can have it.
fn one(mut state: Value) -> Value {
    let ends = !["Succeed", "Fail", "Choice"].contains(&state["Type"].as_str().unwrap_or_default());
    if ends && state.get("Next").is_none() && state.get("End").is_none() {
        state["End"] = json!(true);
    }
    json!({ "StartAt": "S", "States": { "S": state } })
}

#[track_caller]
fn has(document: &Value, code: &str, path: &str) {
    let found = problems(document);
    assert!(
        found.contains(&(code.to_owned(), path.to_owned())),
        "no {code} at {path} among {found:#?}"
    );
}

#[track_caller]
fn fine(document: &Value) {
    assert_eq!(problems(document), []);
}

#[track_caller]
fn suspicious(document: &Value, path: &str) {
    assert_eq!(problems(document), [("SUSPICIOUS".to_owned(), path.to_owned())]);
}

const SCHEMA: &str = "SCHEMA_VALIDATION_FAILED";

#[test]
fn a_text_that_is_not_json_is_told_with_its_place() {
    let problems = Machine::load("{\n  \"StartAt\": }").unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].line, problems[0].column), (2, 14));
    assert_eq!(problems[0].code, Code::InvalidJsonDescription);
    assert_eq!(Machine::load("[]").unwrap_err()[0].code, Code::InvalidJsonDescription);
    assert!(Machine::load(&"[".repeat(100_000)).is_err());
}

#[test]
fn every_mistake_is_reported_with_line_and_column_and_not_only_the_first() {
    let text = r#"{
  "StartAt": "Frist",
  "States": {
    "First": { "Type": "Pass", "Next": "Secnd" },
    "Second": { "Type": "Tsk", "End": true },
    "Third": { "Type": "Succeed", "Color": 1 }
  }
}"#;
    let problems = Machine::load(text).unwrap_err();
    let shown: Vec<(usize, usize, &str)> =
        problems.iter().map(|one| (one.line, one.column, one.path.as_str())).collect();
    assert_eq!(
        shown,
        [
            (2, 14, "/StartAt"),
            (4, 40, "/States/First/Next"),
            (5, 25, "/States/Second/Type"),
            (6, 44, "/States/Third/Color"),
        ]
    );
    assert_eq!(problems[0].suggestion.as_deref(), Some("did you mean 'First'?"));
    assert_eq!(problems[1].suggestion.as_deref(), Some("did you mean 'Second'?"));
    assert_eq!(problems[2].suggestion.as_deref(), Some("did you mean 'Task'?"));
}

#[test]
fn what_a_document_must_have_is_missed() {
    has(&json!({}), SCHEMA, "");
    assert_eq!(problems(&json!({})).len(), 2);
    has(&json!({ "StartAt": "S", "States": {} }), SCHEMA, "/States");
    has(&one(json!({})), SCHEMA, "/States/S");
    for kind in ["Task", "Choice", "Wait", "Parallel", "Map"] {
        has(&one(json!({ "Type": kind })), SCHEMA, "/States/S");
    }
}

#[test]
fn the_sample_workflow_of_aws_loads() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = "shared/data/aws-sample/definition.asl.json";
    let Some(file) = here.ancestors().map(|at| at.join(name)).find(|file| file.is_file()) else {
        println!("no sample beside the project; nothing was loaded");
        return;
    };
    let machine = Machine::load(&std::fs::read_to_string(file).unwrap()).unwrap();
    let states: usize = machine.flows.iter().map(|flow| flow.states.len()).sum();
    assert_eq!(states, 41);
    assert_eq!(machine.resources().len(), 4);
}
